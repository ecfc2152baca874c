"""The quadratic model of a problem with constraints, its solution, and the l1 merit function; for ``solvers.sqp``.

    minimise  g'd + 1/2 d'B d     subject to  cl <= c + J d <= cu,  xl <= x + d <= xu                              (1)

Where no d satisfies the rows, they are made elastic: nu times the sum of their violations is added.  nu grows until
the violation falls by a fair share of what it can fall at all (Byrd, Nocedal & Waltz 2008).

The merit function is f + sum of mu_i v_i, v_i the violation of row i, with a penalty to each row: mu_i is at least
the size of its multiplier, and falls half of the way to it where it is larger (Powell 1978).
"""

from numpy import int64

from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import c_at, g_at, jacobian_at, lower_limits, own, upper_limits, x_at
from numopt.kernels.constrained_slots import CTOL, EXACT_HESSIAN, OWN_C, OWN_P, M
from numopt.kernels.dense import times
from numopt.kernels.kkt import violation_of
from numopt.kernels.oracle import lower_bounds, upper_bounds
from numopt.kernels.qp import INFEASIBLE, MAXITER, N_INFO, SOLVED, qp, qp_words
from numopt.kernels.slots import N
from numopt.kernels.vectors import copy, dot, norm_inf

# --- the method's own counters and scalars
READY, NOWHERE, ELASTIC, RESTORED, LOOKED, STRAIGHT = range(OWN_C, OWN_C + 6)
# READY: the model at the current point is solved;  NOWHERE: no d lowers the violation of the linear constraints
# ELASTIC: the rows had to be made elastic;  RESTORED: restoring steps in a row
# LOOKED: how often a look around has helped;  STRAIGHT: steps in a row along which there was no curvature
DECREASE, NU, F_FIRST, V_STUCK, FIRST_SCALE, V_MOST = range(OWN_P, OWN_P + 6)
# DECREASE: of the merit, by the linear model, along d;  NU: the penalty of the elastic rows;  F_FIRST: f at the start
# V_STUCK: the sum of the violations where last no step lowered it;  FIRST_SCALE: B = FIRST_SCALE I at first
# V_MOST: no point with a larger sum is accepted

# without a lower violation, relative, than this the point is stationary for the violation
_STATIONARY = 1e-9
# share of the possible decrease of the violation that a step must bring
_STEERING = 0.3
# penalties of elastic rows: the first over the size of g and multipliers; all that counts is the violation; the growth
_NU_FIRST, _NU_LAST, _NU_GROWTH = 1.0, 1e7, 10.0

# multipliers, over the size of g, from which on rows are elastic
_ELASTIC_FROM = 1e8
# of d'Bd, that the merit must fall by
_SHARE = 0.1
# of a multiplier: at less, slopes that are slightly wrong let the merit rise along the step that removes the violation
_MARGIN = 1.001

_INF = float("inf")
_WORDS = int64(N_INFO)

# The method's own parts of the workspace.  (int64: Numba would compile a function once more for every plain constant
# that it is called with.)
# n x n: the model's matrix, the Hessian of the Lagrangian, scratch
B_MODEL, H_EXACT, M1, M2 = map(int64, range(4))
# n: the step and multipliers of the bounds, the same of a correction, limits of the step, g of the model, scratch
STEP, STEP_Z, CORRECTION, CORRECTION_Z, DL, DU, G_MODEL, V1, V2, V3 = map(int64, range(10))
# m: multipliers of the rows, of the correction, limits of the rows, penalties, scratch
STEP_Y, CORRECTION_Y, RL, RU, MU, W1 = map(int64, range(6))
# m + n: the working set of the model, of the correction, of the model before, and what there was to its limits then
WORKING, CORRECTION_WORKING, BEFORE, GAP = map(int64, range(4))
NOTHING = int64(0)


@kernel
def matrix(R, j):
    """The n x n matrix j."""
    return own(R, j * R.c[N] * R.c[N], R.c[N] * R.c[N])


@kernel
def column(R, j):
    """The vector j of length n."""
    n = R.c[N]
    return own(R, 4 * n * n + j * n, n)


@kernel
def row(R, j):
    """The vector j of length m."""
    n, m = R.c[N], R.c[M]
    return own(R, 4 * n * n + 10 * n + j * m, m)


@kernel
def marks(R, j):
    """The vector j of length m + n."""
    n, m = R.c[N], R.c[M]
    return own(R, 4 * n * n + 10 * n + 6 * m + j * (n + m), n + m)


@kernel
def info(R):
    """What ``qp`` reports."""
    n, m = R.c[N], R.c[M]
    return own(R, 4 * n * n + 14 * n + 10 * m, _WORDS)


@kernel
def work(R):
    """Scratch of ``qp``."""
    n, m = R.c[N], R.c[M]
    return own(R, 4 * n * n + 14 * n + 10 * m + _WORDS, qp_words(n, m))


@kernel
def limits_of_rows(R, k):
    """Sets rl, ru at place k."""
    c, cl, cu, rl, ru = c_at(R, k), lower_limits(R), upper_limits(R), row(R, RL), row(R, RU)
    for i in range(c.size):
        rl[i], ru[i] = cl[i] - c[i], cu[i] - c[i]


@kernel
def begin_model(R, k):
    """Sets rl, ru, dl, du and g of the model at place k."""
    copy(g_at(R, k), column(R, G_MODEL))
    x, xl, xu, dl, du = x_at(R, k), lower_bounds(R), upper_bounds(R), column(R, DL), column(R, DU)
    for j in range(x.size):
        dl[j], du[j] = min(xl[j] - x[j], 0.0), max(xu[j] - x[j], 0.0)
    limits_of_rows(R, k)


@kernel
def solve_model(R, k, nu, j):
    """Solve the model at place k, j = 0, or the corrected one, j = 1; returns the status of ``qp``."""
    n, m = R.c[N], R.c[M]
    return qp(
        n, m, matrix(R, B_MODEL), column(R, G_MODEL), jacobian_at(R, k), row(R, RL), row(R, RU), column(R, DL),
        column(R, DU), nu, column(R, 2 * j), row(R, j), column(R, 2 * j + 1), marks(R, j), work(R), info(R),
    )  # fmt: skip


@kernel
def penalty(mu, c, cl, cu):
    """Sum of mu_i v_i."""
    v = 0.0
    for i in range(c.size):
        v += mu[i] * max(0.0, cl[i] - c[i], c[i] - cu[i])
    return v


@kernel
def model_violation(R, k, d):
    """Sums of the violations and of mu times the violations, of the linear constraints at d."""
    J, rl, ru, mu, n = jacobian_at(R, k), row(R, RL), row(R, RU), row(R, MU), d.size
    v, weighted = 0.0, 0.0
    for i in range(rl.size):
        t = 0.0
        for j in range(n):
            t += J[i * n + j] * d[j]
        t = max(0.0, rl[i] - t, t - ru[i])
        v += t
        weighted += mu[i] * t
    return v, weighted


@kernel
def total_violation(R, k):
    """Sum of the violations at place k."""
    c, cl, cu = c_at(R, k), lower_limits(R), upper_limits(R)
    v = 0.0
    for i in range(c.size):
        v += max(0.0, cl[i] - c[i], c[i] - cu[i])
    return v


@kernel
def squares(c, cl, cu):
    """Half the sum of the squares of the violations."""
    v = 0.0
    for i in range(c.size):
        r = max(0.0, cl[i] - c[i], c[i] - cu[i])
        v += 0.5 * r * r
    return v


@kernel
def _forget(R):
    """No working set."""
    marking = marks(R, WORKING)
    for i in range(marking.size):
        marking[i] = 0.0


@kernel
def _solve_elastic(R, k):
    """The model with elastic rows: nu as large as it must be.  Sets NU, NOWHERE; returns the status of ``qp``."""
    c, p = R.c, R.p
    d, mu = column(R, STEP), row(R, MU)
    size = max(1.0, norm_inf(g_at(R, k)))
    v, last = total_violation(R, k), _NU_LAST * size
    status = solve_model(R, k, last, NOTHING)
    if status != SOLVED:
        return status
    p[NU] = last
    # what the violation can fall by, within a distance at which the linear constraints mean something
    fall = v - model_violation(R, k, d)[0]
    fall *= min(1.0, max(1.0, norm_inf(x_at(R, k))) / max(norm_inf(d), 1e-300))
    if fall <= _STATIONARY * v and violation_of(c_at(R, k), lower_limits(R), upper_limits(R)) > p[CTOL]:
        c[NOWHERE] = 1
        return status
    nu = _NU_FIRST * size
    for i in range(mu.size):
        nu = max(nu, mu[i])
    while nu < last:
        status = solve_model(R, k, nu, NOTHING)
        if status == SOLVED and v - model_violation(R, k, d)[0] >= _STEERING * fall:
            p[NU] = nu
            return status
        nu *= _NU_GROWTH
    return solve_model(R, k, last, NOTHING)


@kernel
def _set_penalties(R, k):
    """mu, and DECREASE, which is a fair share of the curvature d'Bd at least."""
    c, p = R.c, R.p
    y, mu, d = row(R, STEP_Y), row(R, MU), column(R, STEP)
    for i in range(y.size):
        mu[i] = p[NU] if c[ELASTIC] != 0 else max(_MARGIN * abs(y[i]), 0.5 * (mu[i] + abs(y[i])))
    before = penalty(mu, c_at(R, k), lower_limits(R), upper_limits(R))
    after, weighted = model_violation(R, k, d) if c[ELASTIC] != 0 else (0.0, 0.0)
    p[DECREASE] = before - weighted - dot(g_at(R, k), d)
    curvature = times(matrix(R, B_MODEL), d, column(R, V1))
    if c[EXACT_HESSIAN] != 0:  # of which a part may have been added
        curvature = min(curvature, abs(times(matrix(R, H_EXACT), d, column(R, V1))))
    enough = _SHARE * curvature
    if p[DECREASE] < enough:
        v = total_violation(R, k) - after
        if v > 0.0:
            for i in range(mu.size):
                mu[i] += (enough - p[DECREASE]) / v
            p[DECREASE] = enough


@kernel
def find_step(R, k):
    """Solve the model that was begun at place k; False if that failed.

    Sets d, y, z, mu, DECREASE, READY, ELASTIC and NOWHERE.
    """
    c, p = R.c, R.p
    c[NOWHERE], c[ELASTIC] = 0, 0
    status = solve_model(R, k, _INF, NOTHING)
    if status == MAXITER:  # the working set that it began from may have been to blame
        _forget(R)
        status = solve_model(R, k, _INF, NOTHING)
    if status == SOLVED and norm_inf(row(R, STEP_Y)) > _ELASTIC_FROM * max(1.0, norm_inf(g_at(R, k))):
        # rows on their way to being dependent: the step that would satisfy them leads far away
        if violation_of(c_at(R, k), lower_limits(R), upper_limits(R)) > p[CTOL]:
            status = INFEASIBLE
    if status == INFEASIBLE or status == MAXITER:
        c[ELASTIC] = 1
        _forget(R)
        status = _solve_elastic(R, k)
    if status != SOLVED:
        return False
    _set_penalties(R, k)
    c[READY] = 1
    return True
