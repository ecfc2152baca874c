"""Problems with bounds: the functions of Moré, Garbow & Hillstrom with the bounds of Gay, and others.

Gay gave bounds for all but four of the functions, most of which cut off the unconstrained minimiser.  His figures are
taken from second hand: the collection of PyOPUS (pyopus/problems/mgh.py), and where they overlap that of TOMLAB
(mgh_prob.m) and of Neumaier's page on bound constrained problems (by way of the Ceres solver's tests); the three agree,
and so do the minima that the latter two list, with these exceptions:

- Watson's function, n = 12: x2 <= 0.9 by PyOPUS, x2 = 0 by TOMLAB; the former is taken.
- Osborne's second function: the paper fixes x11 = 0.  ``'osborne_2_fixed'`` has it so, and ``'osborne_2_bounded'``, as
  PyOPUS, x11 <= 10.
- Linear functions: Gay gives n = 5; m = 50 is a choice made here, at which the bounds of the third of them bite.

The four functions without bounds by Gay, ``'..._halfway'``, got them by a rule of our own: every third variable,
starting with the first, is kept from passing the point halfway from its start to the unconstrained minimiser, rounded
to three digits; all others are free.

References
----------
D. M. Gay, A trust-region approach to linearly constrained optimization, in D. F. Griffiths (ed.), Numerical Analysis,
Lecture Notes in Mathematics 1066, Springer, 1984, 72-105.
"""

from functools import lru_cache, partial

import numpy as np

from numopt.problems import _bounds_large, _data, _mgh
from numopt.problems._bounds_minima import MINIMA
from numopt.problems._problem import Functions, TestProblem

_INF = float("inf")
_GAY = "Moré, Garbow & Hillstrom (1981), {}, with the bounds of Gay (1984)"
_OURS = "Moré, Garbow & Hillstrom (1981), {}, with bounds of our own on every third variable"
_OSBORNE_2 = (1.0, 0.5, 0.0, 0.6) + (0.0,) * 7
_WATSON_9 = ((-1e-5, 0.0, 0.0, 0.0, 0.0, -3.0, 0.0, -3.0, 0.0), (1e-5, 0.9, 0.1, 1.0, 1.0, 0.0, 4.0, 0.0, 2.0))
_WATSON_12 = (
    (-1.0, 0.0, -1.0, -1.0, -1.0, 0.0, -3.0, 0.0, -10.0, 0.0, -5.0, 0.0),
    (0.0, 0.9, 0.0, 0.3, 0.0, 1.0, 0.0, 10.0, 0.0, 10.0, 0.0, 1.0),
)

# name, function, n or None for the usual, m or None, lower bounds, upper bounds; one number stands for all variables
_MGH_ROWS = [
    ("rosenbrock_bounded", "rosenbrock", None, None, (-50.0, 0.0), (0.5, 100.0)),
    ("freudenstein_roth_bounded", "freudenstein_roth", None, None, (0.0, -30.0), (20.0, -0.9)),
    ("powell_badly_scaled_bounded", "powell_badly_scaled", None, None, (0.0, 1.0), (1.0, 9.0)),
    ("brown_badly_scaled_bounded", "brown_badly_scaled", None, None, (0.0, 3e-5), (1e6, 100.0)),
    ("beale_bounded", "beale", None, None, (0.6, 0.5), (10.0, 100.0)),
    ("jennrich_sampson_bounded", "jennrich_sampson", None, None, (0.26, 0.0), (10.0, 20.0)),
    ("helical_valley_bounded", "helical_valley", None, None, (-100.0, -1.0, -1.0), (0.8, 1.0, 1.0)),
    ("bard_bounded", "bard", None, None, (0.1, 0.0, 0.0), (50.0, 100.0, 50.0)),
    ("gaussian_bounded", "gaussian", None, None, (0.398, 1.0, -0.5), (4.2, 2.0, 0.1)),
    ("meyer_bounded", "meyer", None, None, (0.006, 0.0, 0.0), (2.0, 3e5, 3e4)),
    ("gulf_bounded", "gulf", None, None, 0.0, 10.0),
    ("box_3d_bounded", "box_3d", None, None, (0.0, 5.0, 0.0), (2.0, 9.5, 20.0)),
    ("powell_singular_bounded", "powell_singular", None, None, (0.1, -20.0, -1.0, -1.0), (100.0, 20.0, 1.0, 50.0)),
    ("wood_bounded", "wood", None, None, -100.0, (0.0, 10.0, 100.0, 100.0)),
    ("kowalik_osborne_bounded", "kowalik_osborne", None, None, (0.0, -1.0, 0.13, 0.12), (10.0, 12.0, 13.0, 12.0)),
    ("brown_dennis_bounded", "brown_dennis", None, None, (-10.0, 0.0, -100.0, -20.0), (100.0, 15.0, 0.0, 0.2)),
    ("osborne_1_bounded", "osborne_1", None, None, (0.0, 0.0, -50.0, 0.0, 0.0), (50.0, 1.9, -0.1, 10.0, 10.0)),
    ("biggs_exp6_bounded", "biggs_exp6", None, None, (0.0, 0.0, 0.0, 1.0, 0.0, 0.0), (2.0, 8.0, 1.0, 7.0, 5.0, 5.0)),
    ("osborne_2_bounded", "osborne_2", None, None, _OSBORNE_2,
     (150.0, 100.0, 100.0, 100.0, 100.0, 500.0, 500.0, 500.0, 100.0, 10.0, 10.0)),
    ("osborne_2_fixed", "osborne_2", None, None, _OSBORNE_2,
     (150.0, 100.0, 100.0, 100.0, 100.0, 500.0, 500.0, 500.0, 100.0, 10.0, 0.0)),
    ("watson_bounded", "watson", None, None, (-0.015, -10.0, -10.0, -10.0, -10.0, -10.0),
     (10.0, 100.0, 100.0, 100.0, 100.0, 0.99)),
    ("watson_9_bounded", "watson", 9, None, *_WATSON_9),
    ("watson_12_bounded", "watson", 12, None, *_WATSON_12),
    ("extended_rosenbrock_bounded", "extended_rosenbrock", None, None, (-50.0, 0.0) * 5, (0.5, 100.0) * 5),
    ("extended_powell_singular_bounded", "extended_powell_singular", None, None, (0.1, -20.0, -1.0, -1.0) * 3,
     (100.0, 20.0, 1.0, 50.0) * 3),
    ("penalty_1_bounded", "penalty_1", None, None, (0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), 100.0),
    ("penalty_2_bounded", "penalty_2", None, None, (-10.0, 0.1, 0.0, 0.05, 0.0, -10.0, 0.0, 0.2, 0.0, 0.0),
     (50.0,) * 9 + (0.5,)),
    ("penalty_2_4_bounded", "penalty_2", 4, 8, (-10.0, 0.3, 0.0, -1.0), (50.0, 50.0, 50.0, 0.5)),
    ("variably_dimensioned_bounded", "variably_dimensioned", None, None, 0.0,
     (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 0.5)),
    ("trigonometric_bounded", "trigonometric", None, None, tuple(range(0, 100, 10)), tuple(range(10, 110, 10))),
    ("brown_almost_linear_bounded", "brown_almost_linear", None, None, (0.0, 1.0) + (0.0,) * 8,
     (100.0, 100.0, 0.9) + (100.0,) * 7),
    ("discrete_boundary_value_halfway", "discrete_boundary_value", None, None, None, None),
    ("discrete_integral_halfway", "discrete_integral", None, None, None, None),
    ("broyden_tridiagonal_halfway", "broyden_tridiagonal", None, None, None, None),
    ("broyden_banded_halfway", "broyden_banded", None, None, None, None),
    ("linear_full_rank_bounded", "linear_full_rank", 5, 50, (-0.5,) + (-2.0,) * 4, 100.0),
    ("linear_rank_1_bounded", "linear_rank_1", 5, 50, (-0.9,) + (-2.0,) * 4, 100.0),
    ("linear_rank_1_zeros_bounded", "linear_rank_1_zeros", 5, 50, (0.0, -0.4, 0.3, 0.0, 0.0), 100.0),
    ("chebyquad_7_bounded", "chebyquad", 7, 7, 0.0, (0.05, 0.23, 0.333, 1.0, 1.0, 1.0, 1.0)),
    ("chebyquad_bounded", "chebyquad", None, None, (0.0, 0.0, 0.1) + (0.0,) * 5, (0.04, 0.2, 0.3) + (1.0,) * 5),
    ("chebyquad_9_bounded", "chebyquad", 9, 9, (0.0, 0.0, 0.1) + (0.0,) * 6, (1.0, 0.2, 0.23, 0.4) + (1.0,) * 5),
    ("chebyquad_10_bounded", "chebyquad", 10, 10, (0.0, 0.1, 0.2, 0.0, 0.0) + (0.5,) * 5,
     (1.0, 0.2, 0.3, 0.4, 0.4) + (1.0,) * 5),
]  # fmt: skip

# upper bounds on the first, fourth, seventh and tenth variable, by the rule above
_HALFWAY = {
    "discrete_boundary_value": (-0.063, -0.186, -0.2, -0.079),
    "discrete_integral": (-0.063, -0.186, -0.2, -0.079),
    "broyden_tridiagonal": (-0.785, -0.853, -0.846, -0.708),
    "broyden_banded": (-0.714, -0.779, -0.812, -0.793),
}

# on data: name -> (loss, data set, penalty, n, lower and upper bound of the weights; the intercept is free)
_DATA_ROWS = {
    "nnls_diabetes": (_data.ridge, "diabetes", 0.0, 11, 0.0, _INF),
    "logistic_breast_cancer_box": (_data.logistic, "breast_cancer", 1e-4, 31, -0.5, 0.5),
}
_TABLE = {row[0]: row for row in _MGH_ROWS}
NAMES = (*_TABLE, *_DATA_ROWS, *_bounds_large.NAMES)


def _box(lower, upper, n):
    """Bounds as an array of shape (n, 2) that can't be written to."""
    box = np.empty((n, 2))
    box[:, 0], box[:, 1] = lower, upper
    box.setflags(write=False)
    return box


@lru_cache(maxsize=1)
def _functions():
    return _mgh.table()


@lru_cache(maxsize=64)
def _fixed(name):
    minima, solution = MINIMA[name]
    if name in _DATA_ROWS:
        loss, data, penalty, n, low, high = _DATA_ROWS[name]
        return TestProblem(
            name, n, (0.0,) * n, minima, Functions(partial(_data._bind, loss, data, penalty)),
            reference=f"{loss.__doc__} on scikit-learn's {data} data, penalty {penalty:g}, weights in [{low}, {high}]",
            solution=np.array(solution), bounds=_box((low,) * (n - 1) + (-_INF,), (high,) * (n - 1) + (_INF,), n),
        )  # fmt: skip
    _, function, n, m, lower, upper = _TABLE[name]
    parent = _functions()[function]
    functions = parent.functions
    if m is not None and m != parent.m:
        functions = Functions(partial(_mgh._make, _mgh.module_of(function), function, m))
    n, m, own = n or parent.n, m or parent.m, lower is None
    if own:
        lower, upper = -_INF, [_INF] * n
        upper[::3] = _HALFWAY[function]
    start = parent.start(n) if callable(parent.start) else parent.start[:1] * n if n != parent.n else parent.start
    return TestProblem(
        name, n, tuple(start), minima, functions, m, reference=(_OURS if own else _GAY).format(function),
        solution=np.array(solution), bounds=_box(lower, upper, n),
    )  # fmt: skip


def make(name, n=None):
    """The problem ``name``; n is for those that come in all sizes."""
    if name in _bounds_large.NAMES:
        return _bounds_large.make(name, n)
    problem = _fixed(name)
    if n is not None and n != problem.n:
        raise ValueError(f"problem {name!r} has n = {problem.n}; got n = {n}")
    return problem
