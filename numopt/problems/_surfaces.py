"""Surfaces of the lecture rooms, in two variables; all are minimised."""

from functools import partial
from math import cos, exp, pi, sin

from numba import njit

from numopt.problems._problem import Functions, TestProblem


@njit(cache=True)
def two_gaussian_hill(x, g):
    """-(exp(-(x+1)^2-(y-1)^2) + 0.6 exp(-(x-1)^2-0.5(y+1)^2+0.1(x-3)(y-3)))."""
    u, v = x[0], x[1]
    a = exp(-((u + 1.0) ** 2) - (v - 1.0) ** 2)
    b = 0.6 * exp(-((u - 1.0) ** 2) - 0.5 * (v + 1.0) ** 2 + 0.1 * (u - 3.0) * (v - 3.0))
    g[0] = 2.0 * (u + 1.0) * a - b * (-2.0 * (u - 1.0) + 0.1 * (v - 3.0))
    g[1] = 2.0 * (v - 1.0) * a - b * (-(v + 1.0) + 0.1 * (u - 3.0))
    return -a - b


@njit(cache=True)
def bowl(x, g):
    """(x^2 + 25 y^2) / 2: length scales that differ by five."""
    g[0], g[1] = x[0], 25.0 * x[1]
    return 0.5 * (x[0] ** 2 + 25.0 * x[1] ** 2)


@njit(cache=True)
def rosenbrock(x, g):
    """100 (y - x^2)^2 + (1 - x)^2."""
    a, b = x[1] - x[0] ** 2, 1.0 - x[0]
    g[0], g[1] = -400.0 * a * x[0] - 2.0 * b, 200.0 * a
    return 100.0 * a * a + b * b


@njit(cache=True)
def himmelblau(x, g):
    """(x^2 + y - 11)^2 + (x + y^2 - 7)^2."""
    a, b = x[0] ** 2 + x[1] - 11.0, x[0] + x[1] ** 2 - 7.0
    g[0], g[1] = 4.0 * a * x[0] + 2.0 * b, 2.0 * a + 4.0 * b * x[1]
    return a * a + b * b


@njit(cache=True)
def beale(x, g):
    """(1.5 - x + x y)^2 + (2.25 - x + x y^2)^2 + (2.625 - x + x y^3)^2."""
    u, v = x[0], x[1]
    a, b, c = 1.5 - u + u * v, 2.25 - u + u * v**2, 2.625 - u + u * v**3
    g[0] = 2.0 * (a * (v - 1.0) + b * (v**2 - 1.0) + c * (v**3 - 1.0))
    g[1] = 2.0 * u * (a + 2.0 * b * v + 3.0 * c * v**2)
    return a * a + b * b + c * c


@njit(cache=True)
def rastrigin(x, g):
    """20 + sum x_i^2 - 10 cos 2 pi x_i: a minimum near each point with integer coordinates."""
    f = 20.0
    for i in range(2):
        f += x[i] ** 2 - 10.0 * cos(2.0 * pi * x[i])
        g[i] = 2.0 * x[i] + 20.0 * pi * sin(2.0 * pi * x[i])
    return f


@njit(cache=True)
def saddle(x, g):
    """x^2 - y^2 + y^4 / 4: a saddle at 0 between two minima."""
    g[0], g[1] = 2.0 * x[0], -2.0 * x[1] + x[1] ** 3
    return x[0] ** 2 - x[1] ** 2 + 0.25 * x[1] ** 4


def _make(function):
    return {"value_grad": function, "python": function.py_func}


# name -> (function, start, minima, a minimiser of the first)
_ROWS = {
    "two_gaussian_hill": (two_gaussian_hill, (0.0, 0.0), (-1.4243315180301253, -1.0033670205052876), None),
    "bowl": (bowl, (5.0, 2.0), (0.0,), (0.0, 0.0)),
    "rosenbrock_2d": (rosenbrock, (-1.2, 1.0), (0.0,), (1.0, 1.0)),
    "himmelblau": (himmelblau, (0.0, 0.0), (0.0,), (3.0, 2.0)),
    "beale_2d": (beale, (1.0, 1.0), (0.0,), (3.0, 0.5)),
    "rastrigin": (rastrigin, (0.3, -0.2), (0.0,), (0.0, 0.0)),
    "saddle": (saddle, (1.0, 1e-3), (-1.0,), (0.0, 2.0**0.5)),
}
NAMES = tuple(_ROWS)


def make(name):
    """The surface ``name``."""
    function, start, minima, solution = _ROWS[name]
    return TestProblem(
        name, 2, start, minima, Functions(partial(_make, function)), reference=function.__doc__, solution=solution
    )
