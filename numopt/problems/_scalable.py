"""Problems for any number of variables, up to millions: ``value_grad(x, g)`` in O(n), nothing allocated.

References
----------
J. J. Moré, B. S. Garbow and K. E. Hillstrom, ACM Trans. Math. Softw. 7 (1981), 17-41.
L. C. W. Dixon and Z. Maany, A family of test problems with sparse Hessians for unconstrained optimization, TR 206,
Hatfield Polytechnic, 1988.
"""

from functools import lru_cache, partial
from math import cos, sin

from numba import njit

from numopt.problems._problem import Functions, TestProblem


@njit(cache=True)
def rosenbrock(x, g):
    """sum 100 (x_2i - x_(2i-1)^2)^2 + (1 - x_(2i-1))^2."""
    f = 0.0
    for k in range(x.size // 2):
        i = 2 * k
        a, b = x[i + 1] - x[i] * x[i], 1.0 - x[i]
        f += 100.0 * a * a + b * b
        g[i], g[i + 1] = -400.0 * a * x[i] - 2.0 * b, 200.0 * a
    return f


@njit(cache=True)
def powell(x, g):
    """Powell's singular function on groups of four variables."""
    f = 0.0
    for k in range(x.size // 4):
        i = 4 * k
        a, b = x[i] + 10.0 * x[i + 1], x[i + 2] - x[i + 3]
        c, d = x[i + 1] - 2.0 * x[i + 2], x[i] - x[i + 3]
        c3, d3 = c * c * c, d * d * d
        f += a * a + 5.0 * b * b + c3 * c + 10.0 * d3 * d
        g[i], g[i + 1] = 2.0 * a + 40.0 * d3, 20.0 * a + 4.0 * c3
        g[i + 2], g[i + 3] = 10.0 * b - 8.0 * c3, -10.0 * b - 40.0 * d3
    return f


@njit(cache=True)
def wood(x, g):
    """Wood's function on groups of four variables."""
    f = 0.0
    for k in range(x.size // 4):
        i = 4 * k
        a, b = x[i + 1] - x[i] * x[i], 1.0 - x[i]
        c, d = x[i + 3] - x[i + 2] * x[i + 2], 1.0 - x[i + 2]
        e, h = x[i + 1] + x[i + 3] - 2.0, x[i + 1] - x[i + 3]
        f += 100.0 * a * a + b * b + 90.0 * c * c + d * d + 10.0 * e * e + 0.1 * h * h
        g[i], g[i + 1] = -400.0 * a * x[i] - 2.0 * b, 200.0 * a + 20.0 * e + 0.2 * h
        g[i + 2], g[i + 3] = -360.0 * c * x[i + 2] - 2.0 * d, 180.0 * c + 20.0 * e - 0.2 * h
    return f


@njit(cache=True)
def dixon_maany(x, g):
    """1 + sum x_i^2 + sum b x_i^2 (x_i+1 + x_i+1^2)^2 + sum c x_i^2 x_i+m^4 + sum d x_i x_i+2m, m = n/3 (family A)."""
    n = x.size
    m = n // 3
    c, d = 0.125, 0.125  # alpha = 1, beta = 0
    f = 1.0
    for i in range(n):
        f += x[i] * x[i]
        g[i] = 2.0 * x[i]
    for i in range(2 * m):
        q = x[i + m] * x[i + m]
        f += c * x[i] * x[i] * q * q
        g[i] += 2.0 * c * x[i] * q * q
        g[i + m] += 4.0 * c * x[i] * x[i] * q * x[i + m]
    for i in range(m):
        f += d * x[i] * x[i + 2 * m]
        g[i] += d * x[i + 2 * m]
        g[i + 2 * m] += d * x[i]
    return f


@njit(cache=True)
def trigonometric(x, g):
    """sum r_i^2, r_i = n - sum cos x_j + i (1 - cos x_i) - sin x_i."""
    n = x.size
    s = float(n)
    for j in range(n):
        s -= cos(x[j])
    f, t = 0.0, 0.0
    for i in range(n):
        ci, si = cos(x[i]), sin(x[i])
        r = s + (i + 1) * (1.0 - ci) - si
        f += r * r
        t += r
        g[i] = 2.0 * r * ((i + 1) * si - ci)
    for i in range(n):
        g[i] += 2.0 * t * sin(x[i])
    return f


@lru_cache(maxsize=16)
def _functions(function):
    return Functions(partial(_make, function))


def _make(function):
    return {"value_grad": function, "python": function.py_func}


# name -> (function, n must be a multiple of, start, minima)
_ROWS = {
    "extended_rosenbrock_n": (rosenbrock, 2, lambda n: (-1.2, 1.0) * (n // 2), (0.0,)),
    "extended_powell_n": (powell, 4, lambda n: (3.0, -1.0, 0.0, 1.0) * (n // 4), (0.0,)),
    "extended_wood_n": (wood, 4, lambda n: (-3.0, -1.0) * (n // 2), (0.0,)),
    "dixon_maany_n": (dixon_maany, 3, lambda n: (2.0,) * n, (1.0,)),
    "trigonometric_n": (trigonometric, 1, lambda n: (1.0 / n,) * n, (0.0,)),
}
NAMES = tuple(_ROWS)


def make(name, n):
    """The problem ``name`` with n variables."""
    function, multiple, start, minima = _ROWS[name]
    if n < multiple or n % multiple:
        raise ValueError(f"problem {name!r} needs n to be a positive multiple of {multiple}; got {n}")
    return TestProblem(name, n, start, minima, _functions(function), reference=function.__doc__)
