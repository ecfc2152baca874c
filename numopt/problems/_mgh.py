"""The 35 test functions of Moré, Garbow & Hillstrom: sizes, starts, minima.

The objective is f = sum of r_i^2, its gradient 2 J'r.  The minima that the paper gives with six digits were refined
to double precision by minimising with the residuals' Jacobian from the published points; they agree with the
published digits.

References
----------
J. J. Moré, B. S. Garbow and K. E. Hillstrom, Testing unconstrained optimization software, ACM Trans. Math. Softw.
7 (1981), 17-41.
"""

from functools import partial

import numpy as np

from numopt.problems._problem import Functions, TestProblem

_REFERENCE = "Moré, Garbow & Hillstrom, ACM Trans. Math. Softw. 7 (1981), function {}"


def _make(module, name, m):
    """The jitted functions of one problem."""
    import importlib

    from numba import njit

    fill = getattr(importlib.import_module(f"numopt.problems.{module}"), name)

    @njit(error_model="numpy")
    def value_grad(x, g):
        n = x.size
        r, J = np.empty(m), np.empty((m, n))
        fill(x, r, J)
        f = 0.0
        for j in range(n):
            g[j] = 0.0
        for i in range(m):
            f += r[i] * r[i]
            for j in range(n):
                g[j] += 2.0 * r[i] * J[i, j]
        return f

    @njit(error_model="numpy")
    def residual(x):
        r, J = np.empty(m), np.empty((m, x.size))
        fill(x, r, J)
        return r

    @njit(error_model="numpy")
    def jacobian(x):
        r, J = np.empty(m), np.empty((m, x.size))
        fill(x, r, J)
        return J

    def python(x, g):
        r, J = np.empty(m), np.empty((m, x.size))
        fill.py_func(x, r, J)
        g[:] = 2.0 * (r @ J)
        return float(r @ r)

    return {"value_grad": value_grad, "residual": residual, "jacobian": jacobian, "python": python}


def _ramp(n):
    return [1.0 - (j + 1.0) / n for j in range(n)]


def _boundary(n):
    return [t * (t - 1.0) for t in (np.arange(n) + 1.0) / (n + 1.0)]


def _spread(n):
    return [(j + 1.0) / (n + 1.0) for j in range(n)]


def _linear(n, m):
    return float(m - n)


def _rank_1(n, m):
    return m * (m - 1.0) / (2.0 * (2.0 * m + 1.0))


def _rank_1_zeros(n, m):
    return (m * m + 3.0 * m - 6.0) / (2.0 * (2.0 * m - 3.0))


_SMALL, _SIZED = "_mgh_small", "_mgh_sized"

# number, name, module, n, m, start, minima
_ROWS = [
    (1, "rosenbrock", _SMALL, 2, 2, (-1.2, 1.0), (0.0,)),
    (2, "freudenstein_roth", _SMALL, 2, 2, (0.5, -2.0), (0.0, 48.98425367924003)),
    (3, "powell_badly_scaled", _SMALL, 2, 2, (0.0, 1.0), (0.0,)),
    (4, "brown_badly_scaled", _SMALL, 2, 3, (1.0, 1.0), (0.0,)),
    (5, "beale", _SMALL, 2, 3, (1.0, 1.0), (0.0,)),
    (6, "jennrich_sampson", _SMALL, 2, 10, (0.3, 0.4), (124.36218235561489,)),
    (7, "helical_valley", _SMALL, 3, 3, (-1.0, 0.0, 0.0), (0.0,)),
    (8, "bard", _SMALL, 3, 15, (1.0, 1.0, 1.0), (8.214877306578964e-3, 17.428693333333342)),
    (9, "gaussian", _SMALL, 3, 15, (0.4, 1.0, 0.0), (1.127932769618727e-8,)),
    (10, "meyer", _SMALL, 3, 16, (0.02, 4000.0, 250.0), (87.94585517046441,)),
    (11, "gulf", _SMALL, 3, 99, (5.0, 2.5, 0.15), (0.0,)),
    (12, "box_3d", _SMALL, 3, 10, (0.0, 10.0, 20.0), (0.0,)),
    (13, "powell_singular", _SMALL, 4, 4, (3.0, -1.0, 0.0, 1.0), (0.0,)),
    (14, "wood", _SMALL, 4, 6, (-3.0, -1.0, -3.0, -1.0), (0.0,)),
    (15, "kowalik_osborne", _SMALL, 4, 11, (0.25, 0.39, 0.415, 0.39), (3.075056038492371e-4, 1.0273487766e-3)),
    (16, "brown_dennis", _SMALL, 4, 20, (25.0, 5.0, -5.0, -1.0), (85822.20162635695,)),
    (17, "osborne_1", _SMALL, 5, 33, (0.5, 1.5, -1.0, 0.01, 0.02), (5.4648946974826824e-5,)),
    (18, "biggs_exp6", _SMALL, 6, 13, (1.0, 2.0, 1.0, 1.0, 1.0, 1.0), (0.0, 5.6556499255e-3)),
    (
        19,
        "osborne_2",
        _SMALL,
        11,
        65,
        (1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5),
        (4.013773629354768e-2, 1.7898135868810932),
    ),
    (20, "watson", _SMALL, 6, 31, (0.0,) * 6, (2.2876700535523647e-3,)),
    (21, "extended_rosenbrock", _SIZED, 10, 10, (-1.2, 1.0) * 5, (0.0,)),
    (22, "extended_powell_singular", _SIZED, 12, 12, (3.0, -1.0, 0.0, 1.0) * 3, (0.0,)),
    (23, "penalty_1", _SIZED, 10, 11, tuple(range(1, 11)), (7.087651467090395e-5,)),
    (24, "penalty_2", _SIZED, 10, 20, (0.5,) * 10, (2.9366053745674605e-4,)),
    (25, "variably_dimensioned", _SIZED, 10, 12, _ramp, (0.0,)),
    (26, "trigonometric", _SIZED, 10, 10, (0.1,) * 10, (0.0, 2.7950561218793784e-5)),
    (27, "brown_almost_linear", _SIZED, 10, 10, (0.5,) * 10, (0.0, 1.0)),
    (28, "discrete_boundary_value", _SIZED, 10, 10, _boundary, (0.0,)),
    (29, "discrete_integral", _SIZED, 10, 10, _boundary, (0.0,)),
    (30, "broyden_tridiagonal", _SIZED, 10, 10, (-1.0,) * 10, (0.0,)),
    (31, "broyden_banded", _SIZED, 10, 10, (-1.0,) * 10, (0.0,)),
    (32, "linear_full_rank", _SIZED, 10, 20, (1.0,) * 10, (_linear(10, 20),)),
    (33, "linear_rank_1", _SIZED, 10, 20, (1.0,) * 10, (_rank_1(10, 20),)),
    (34, "linear_rank_1_zeros", _SIZED, 10, 20, (1.0,) * 10, (_rank_1_zeros(10, 20),)),
    (35, "chebyquad", _SIZED, 8, 8, _spread, (3.5168737256779273e-3,)),
]


def module_of(name):
    """The module with the residuals of the function ``name``."""
    return next(row[2] for row in _ROWS if row[1] == name)


def table():
    """name -> TestProblem, in the order of the paper."""
    return {
        name: TestProblem(name, n, start, minima, Functions(partial(_make, module, name, m)), m,
                          reference=_REFERENCE.format(number))
        for number, name, module, n, m, start, minima in _ROWS
    }  # fmt: skip
