"""Functions of one variable: roots and minima known from the literature.

ROOTS: the families of G. E. Alefeld, F. A. Potra & Y. Shi, "Algorithm 748: enclosing zeros of continuous functions",
ACM TOMS 21 (1995), pp. 327-344, Table I (a selection of its parameters), and polynomials from Brent (1973), ch. 4.
MINIMA: R. P. Brent (1973), section 5.6, the function with 20 poles between whose neighbours a minimum lies, and
functions with one minimum between a and b.
"""

import math
from collections.abc import Callable
from typing import NamedTuple


class ScalarProblem(NamedTuple):
    """A function with an interval: of a change of sign, or with one minimum inside."""

    name: str
    f: Callable
    a: float
    b: float


def _sum_of_poles(x):
    f = 0.0
    for i in range(1, 21):
        f -= 2.0 * (2 * i - 5) ** 2 / (x - i * i) ** 3
    return f


def _brent_poles(x):
    f = 0.0
    for i in range(1, 21):
        f += ((2 * i - 5) / (x - i * i)) ** 2
    return f


def _exponential(a, b):
    return lambda x: a * x * math.exp(b * x)


def _power(n, a):
    return lambda x: x**n - a


def _twice_exp(n):
    return lambda x: 2.0 * x * math.exp(-n) - 2.0 * math.exp(-n * x) + 1.0


def _squares(n):
    return lambda x: (1.0 + (1.0 - n) ** 2) * x - (1.0 - n * x) ** 2


def _powers(n):
    return lambda x: x**2 - (1.0 - x) ** n


def _quartics(n):
    return lambda x: (1.0 + (1.0 - n) ** 4) * x - (1.0 - n * x) ** 4


def _decay(n):
    return lambda x: math.exp(-n * x) * (x - 1.0) + x**n


def _hyperbola(n):
    return lambda x: (n * x - 1.0) / ((n - 1.0) * x)


def _root_of(n):
    return lambda x: x ** (1.0 / n) - n ** (1.0 / n)


def _plateau(n):
    return lambda x: 0.0 if x == 0.0 else n / 20.0 * (x / 1.5 + math.sin(x) - 1.0) if x > 0.0 else -n / 20.0


def _jump(n):
    def f(x):
        scale = 2.0 / (n + 1.0) * 1e-3
        if x >= scale:
            return math.exp(1.0) - 1.859
        if x >= 0.0:
            return math.exp((n + 1.0) * x / 2.0 * 1e3) - 1.859
        return -0.859

    return f


def _flat(x):
    return 0.0 if x == 0.0 else x * math.exp(-(x**-2))


def _roots():
    yield "sin(x) - x/2", lambda x: math.sin(x) - x / 2.0, math.pi / 2.0, math.pi
    for n in range(1, 11):
        yield f"poles {n}", _sum_of_poles, n * n + 1e-9, (n + 1) ** 2 - 1e-9
    for a, b in ((-40.0, -1.0), (-100.0, -2.0), (-200.0, -3.0)):
        yield f"{a} x exp({b} x)", _exponential(a, b), -9.0, 31.0
    for n in (4, 6, 8, 10, 12):
        for a in (0.2, 1.0):
            yield f"x^{n} - {a}", _power(n, a), 0.0, 5.0
    for n in (8, 10, 14):
        yield f"x^{n} - 1 from below", _power(n, 1.0), -0.95, 4.05
    yield "sin(x) - 1/2", lambda x: math.sin(x) - 0.5, 0.0, 1.5
    for n in (1, 3, 5, 20, 60, 100):
        yield f"2 x exp(-{n}) - 2 exp(-{n} x) + 1", _twice_exp(n), 0.0, 1.0
    for n in (5, 10, 20):
        yield f"squares {n}", _squares(n), 0.0, 1.0
    for n in (2, 5, 10, 15, 20):
        yield f"x^2 - (1 - x)^{n}", _powers(n), 0.0, 1.0
    for n in (1, 2, 4, 5, 8, 15, 20):
        yield f"quartics {n}", _quartics(n), 0.0, 1.0
    for n in (1, 5, 10, 15, 20):
        yield f"exp(-{n} x)(x - 1) + x^{n}", _decay(n), 0.0, 1.0
    for n in (2, 5, 15, 20):
        yield f"({n} x - 1)/({n - 1} x)", _hyperbola(n), 0.01, 1.0
    for n in (2, 4, 9, 25):
        yield f"x^(1/{n}) - {n}^(1/{n})", _root_of(n), 1.0, 100.0
    yield "x exp(-x^-2)", _flat, -1.0, 4.0
    for n in (1, 10, 40):
        yield f"plateau {n}", _plateau(n), -1e4, math.pi / 2.0
    for n in (20, 30, 40, 100, 1000):
        yield f"jump {n}", _jump(n), -1e4, 1e-4


def _minima():
    for n in range(1, 20):
        yield f"poles {n}", _brent_poles, n * n + 1e-9, (n + 1) ** 2 - 1e-9
    yield "quartic", lambda x: (x - 2.0) * x * (x + 2.0) ** 2, 0.0, 2.0
    yield "parabola", lambda x: (x - 1.0) ** 2, -3.0, 4.0
    yield "exp(x) - 2x", lambda x: math.exp(x) - 2.0 * x, -1.0, 2.0
    yield "x log x", lambda x: x * math.log(x), 0.1, 1.5
    yield "-1/(1 + x^2)", lambda x: -1.0 / (1.0 + (x - 0.7) ** 2), -1.0, 3.0
    yield "|x - 1/3|", lambda x: abs(x - 1.0 / 3.0), -1.0, 1.0
    yield "(x - 1)^4", lambda x: (x - 1.3) ** 4, -1.0, 3.0
    yield "sin", lambda x: math.sin(x), 3.0, 6.0
    yield "x^2 + exp(-2x)", lambda x: x * x + math.exp(-2.0 * x), -1.0, 2.0
    yield "x + 1/x^2", lambda x: x + 1.0 / x**2, 0.2, 5.0
    yield "cosh", lambda x: math.cosh(x - 2.0), 0.0, 5.0
    yield "well", lambda x: -math.exp(-10.0 * (x - 0.5) ** 2) + 0.01 * x * x, -0.5, 1.5


ROOTS = [ScalarProblem(*row) for row in _roots()]
MINIMA = [ScalarProblem(*row) for row in _minima()]
