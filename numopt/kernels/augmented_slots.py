"""Where things stand in the own workspace of the methods that make runs of an inner solver.  No Numba here.

    counters     84               integers of the inner run, and behind them its table of machine words
    scalars                       of the inner run
    lam          m                multipliers that the augmented Lagrangian is made with
    scale        m                squares of the factors of the constraints
    low, high    2 m              limits of the augmented Lagrangian: within those of rows that no point may violate
    r            n                gradient of the Lagrangian
    Jh           (n + m) n        gradients of the active rows and bounds times the inverse Hessian
    M            (n + m)^2        their products with each other
    rhs, which   2 (n + m)        right-hand side and solution; numbers of the active rows and bounds
    inverse      n^2              of the Hessian of the augmented Lagrangian, where that is exact
    inner w                       workspace of the inner run; marks and bounds are those of the outer one

The four before the last are there for up to ``DENSE_UP_TO`` variables; beyond, the inner solver keeps no matrices.
"""

from numopt.kernels.constrained_slots import OWN_C, OWN_P
from numopt.kernels.slots import N_COMMON, N_COUNTERS, N_SCALARS, N_TABLE

DENSE_UP_TO = 200  # variables
MEMORY_PAIRS = 10  # of the limited-memory inner solver

# --- c
INNER_MAXITER, STAGE, WARM, READY, UNBOUNDED_RUNS, STUCK, RESTORED, KEEPING, RAISE, EXHAUSTED = range(OWN_C, OWN_C + 10)
# INNER_MAXITER: iterations of one inner run (option)
# STAGE: 0 between inner runs; within one that was cut off what it is for
# WARM: 1 if the inner solver has an inverse Hessian to begin with
# READY: 1 if a Newton step on the active constraints is worth a try
# UNBOUNDED_RUNS, STUCK: inner runs in a row that fell beyond all bounds, that did not lower the violation
# RAISE: 1 if the penalty is to grow before the next one
# RESTORED: how often the violation alone has been minimised
# EXHAUSTED: inner runs in a row that took all of their iterations
# KEEPING: 1 if there are rows that no point may violate

MOST_EXHAUSTED = 3

# --- p
PENALTY_FIRST, GROWTH, OMEGA, MEASURE, WEIGHT = range(OWN_P, OWN_P + 5)
# PENALTY_FIRST: penalty to begin with, 0: by the values at the start; GROWTH: its factor (options)
# OMEGA: tolerance of the inner run;  MEASURE: violation and complementarity after the last one
# WEIGHT: of f, 0 while the violation alone is minimised

# --- what R.search is the address of, where callables are addresses
I_RUN, I_SEARCH, I_VALUE_GRAD, I_C, I_P = range(5)

HEAD = N_COUNTERS + N_TABLE
LAM = HEAD + N_SCALARS


# both are compiled too, each by itself


def inner_start(n, m):
    """Where the inner run's workspace begins."""
    k = n + m
    return LAM + 4 * m + n + (k * n + k * k + 2 * k + n * n if n <= DENSE_UP_TO else 0)


def own_words(n, m):
    """Size of the own workspace; the inner one ends with the bounds of the outer one."""
    k, pairs = n + m, MEMORY_PAIRS
    if n <= DENSE_UP_TO:  # bounded BFGS, Newton: see numopt.catalog.Method.words
        return LAM + 4 * m + n + k * n + k * k + 2 * k + n * n + (N_COMMON + 3) * n + 2 * n * n
    return LAM + 4 * m + n + (N_COMMON + 2 * pairs) * n + 9 * pairs * pairs + 10 * pairs
