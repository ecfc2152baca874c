"""Problems with bounds for any number of variables, up to millions: ``value_grad(x, g)`` in O(n), nothing allocated.

The two problems on grids are those of MINPACK-2, divided by the area of a cell: their gradients keep their size when
the grid gets finer, so that one tolerance means the same on all grids.

References
----------
B. M. Averick, R. G. Carter, J. J. Moré and G.-L. Xue, The MINPACK-2 test problem collection, Preprint MCS-P153-0692,
Argonne National Laboratory, 1992: elastic-plastic torsion, pressure distribution in a journal bearing.
"""

from functools import lru_cache
from math import cos, isqrt, pi, sin

import numpy as np
from numba import njit

from numopt.problems._problem import Functions, TestProblem
from numopt.problems._scalable import rosenbrock

_TWIST = 5.0  # angle of twist, the middle one of MINPACK-2's three
_ECCENTRICITY, _HALF_LENGTH = 0.1, 10.0  # MINPACK-2's
_RUN = 32  # active bounds of the quadratic come in runs of so many variables


@njit(cache=True)
def torsion(x, g):
    """Elastic-plastic torsion: sum over the edges of (v - v')^2 / 2h^2 minus c sum v, |v| <= distance to the edge."""
    m = int(np.sqrt(x.size) + 0.5)
    s = (m + 1.0) * (m + 1.0)
    f = 0.0
    for i in range(m):
        for j in range(m):
            k = i * m + j
            v = x[k]
            left = x[k - m] if i > 0 else 0.0
            right = x[k + m] if i < m - 1 else 0.0
            down = x[k - 1] if j > 0 else 0.0
            up = x[k + 1] if j < m - 1 else 0.0
            g[k] = s * (4.0 * v - left - right - down - up) - _TWIST
            # each edge once: to the right and up, and from the boundary
            f += 0.5 * s * ((right - v) ** 2 + (up - v) ** 2) - _TWIST * v
            if i == 0:
                f += 0.5 * s * v * v
            if j == 0:
                f += 0.5 * s * v * v
    return f


@njit(cache=True)
def journal_bearing(x, g):
    """Journal bearing: sum over the edges of w (v - v')^2 / 2h^2 minus e sum v sin t, w ~ (1 + e cos t)^3, v >= 0."""
    m = int(np.sqrt(x.size) + 0.5)
    h = 2.0 * pi / (m + 1)
    a, b = 1.0 / h**2, ((m + 1) / (2.0 * _HALF_LENGTH)) ** 2
    f = 0.0
    for i in range(m):
        t = (i + 1) * h
        p0 = (1.0 + _ECCENTRICITY * cos(t - h)) ** 3
        p1 = (1.0 + _ECCENTRICITY * cos(t)) ** 3
        p2 = (1.0 + _ECCENTRICITY * cos(t + h)) ** 3
        before, after, along = 0.5 * a * (p0 + p1), 0.5 * a * (p1 + p2), b * (p0 + 4.0 * p1 + p2) / 6.0
        load = _ECCENTRICITY * sin(t)
        for j in range(m):
            k = i * m + j
            v = x[k]
            left = v - x[k - m] if i > 0 else v
            right = v - x[k + m] if i < m - 1 else v
            down = v - x[k - 1] if j > 0 else v
            up = v - x[k + 1] if j < m - 1 else v
            g[k] = before * left + after * right + along * (down + up) - load
            f += 0.5 * (after * right * right + along * up * up) - load * v
            if i == 0:
                f += 0.5 * before * v * v
            if j == 0:
                f += 0.5 * along * v * v
    return f


@njit(cache=True)
def _minimiser(i):
    """x_i at the minimum of the quadratic, and its derivative there."""
    k = i // _RUN
    if k % 6 == 0:
        return 0.0, 1.0
    if k % 6 == 3:
        return 1.0, -1.0
    return 0.25 + 0.05 * (i * 7 % 11), 0.0


@njit(cache=True)
def quadratic(x, g):
    """d'Ad / 2 + c'd, d = x - x*, A tridiagonal: second differences plus 1e-3 + 10 (i/n)^2; active in runs of 32."""
    n = x.size
    f, last = 0.0, 0.0
    for i in range(n):
        s, c = _minimiser(i)
        t = i / n
        w = 1e-3 + 10.0 * t * t
        d = x[i] - s
        e = d - last
        f += 0.5 * w * d * d + 0.5 * e * e + c * d
        g[i] = w * d + e + c
        if i > 0:
            g[i - 1] -= e
        last = d
    g[n - 1] += last
    return f + 0.5 * last * last


def _torsion_bounds(n):
    m = isqrt(n)
    t = np.minimum(np.arange(1, m + 1), np.arange(m, 0, -1)) / (m + 1.0)
    distance = np.minimum(t[:, None], t[None, :]).ravel()
    return -distance, distance


def _bearing_start(n):
    m = isqrt(n)
    return np.repeat(np.maximum(np.sin((np.arange(m) + 1.0) * 2.0 * pi / (m + 1)), 0.0), m)


def _halved(n):
    """Which of the pairs of Rosenbrock's function have x_(2k-1) <= 1/2: two of three, a third of the variables."""
    return np.arange(n // 2) % 3 != 2


def _rosenbrock_bounds(n):
    lower, upper = np.full(n, -np.inf), np.full(n, np.inf)
    lower[0::2], lower[1::2] = -50.0, 0.0
    upper[0::2][_halved(n)] = 0.5
    return lower, upper


def _rosenbrock_solution(n):
    x = np.ones(n)
    x[0::2][_halved(n)], x[1::2][_halved(n)] = 0.5, 0.25
    return x


def _quadratic_bounds(n):
    i = np.arange(n)
    # where nothing is active at the minimum, every second variable has no bounds at all
    free = (i // _RUN % 3 != 0) & (i % 2 == 1)
    return np.where(free, -np.inf, 0.0), np.where(free, np.inf, 1.0)


def _quadratic_solution(n):
    return np.array([_minimiser.py_func(i)[0] for i in range(6 * _RUN * 11)] * (n // (66 * _RUN) + 1))[:n]


# by primal-dual active sets with sparse factorisations, which end at the exact active set: n -> minimum
_TORSION_MINIMA = {
    100: -49.60336592154772,
    400: -183.5057764602237,
    2500: -1087.4459308851438,
    10000: -4268.00686300217,
}
_BEARING_MINIMA = {
    100: -0.17218702317416023,
    400: -0.6316135059501793,
    2500: -3.7357586324925456,
    10000: -14.65848176422520,
}

# name -> (function, what n must be, start, bounds, minimum, solution)
_ROWS = {
    "torsion_n": (torsion, "square", lambda n: _torsion_bounds(n)[1], _torsion_bounds, _TORSION_MINIMA.get, None),
    "journal_bearing_n": (
        journal_bearing,
        "square",
        _bearing_start,
        lambda n: (np.zeros(n), np.full(n, np.inf)),
        _BEARING_MINIMA.get,
        None,
    ),
    "rosenbrock_bounded_n": (
        rosenbrock,
        "even",
        lambda n: (-1.2, 1.0) * (n // 2),
        _rosenbrock_bounds,
        lambda n: 0.25 * float(_halved(n).sum()),
        _rosenbrock_solution,
    ),
    "quadratic_bounded_n": (
        quadratic,
        "any",
        lambda n: (0.5,) * n,
        _quadratic_bounds,
        lambda n: 0.0,
        _quadratic_solution,
    ),
}
NAMES = tuple(_ROWS)


@lru_cache(maxsize=8)
def _functions(function):
    return Functions(lambda: {"value_grad": function, "python": function.py_func})


def make(name, n=None):
    """The problem ``name`` with n variables, 100 by default."""
    function, kind, start, bounds, minimum, solution = _ROWS[name]
    n = 100 if n is None else n
    if n < 1 or (kind == "square" and isqrt(n) ** 2 != n) or (kind == "even" and n % 2):
        wanted = {"square": "a square", "even": "even", "any": "positive"}[kind]
        raise ValueError(f"problem {name!r} needs n to be {wanted}; got {n}")
    box = np.column_stack(bounds(n))
    box.setflags(write=False)
    least = minimum(n)
    return TestProblem(
        name, n, start, () if least is None else (least,), _functions(function), reference=function.__doc__,
        solution=None if solution is None else solution(n), bounds=box,
    )  # fmt: skip
