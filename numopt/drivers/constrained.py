"""The loop around a solver of problems with constraints: as :mod:`numopt.drivers.loop`, with the KKT conditions.

It knows of a solver no more than two functions.  ``init(R)`` sets the solver's own state for the point at hand, whose
values, gradient and Jacobian are there, and may set its multipliers y and z, which are 0 at the start.  ``step(R)``
finds the next point.  On success it has put into the trial place (1 - PARITY) x within the bounds, c, g, J and the
multipliers y, z that go with it, f into ``p[F_TRIAL]``, the length of the step into ``p[T]`` (not 0), and answers
``ACCEPT``, or another task of ``kernels.slots`` where it wants to begin afresh from there.  Without a new point
``p[T]`` is 0.  ``POINT_INFEASIBLE``: no step lowers the violation, and x violates the constraints.  A step may be cut
off by any of its evaluations (``c[ABORT]``): until it has its point it changes only what it sets anew when taken again.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import (
    c_at,
    evaluate_slopes,
    evaluate_values,
    g_at,
    x_at,
    y_at,
    z_at,
)
from numopt.kernels.constrained_slots import (
    CTOL,
    DUAL_BEST,
    FEASIBLE_AT,
    HISTORY_WIDTH,
    VIOLATION,
    VIOLATION_BEST,
    VIOLATION_LEAST,
)
from numopt.kernels.kkt import assess
from numopt.kernels.oracle import lower_bounds, now, upper_bounds, vector
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    F_BEST,
    F_LOWER,
    F_PREV,
    F_TRIAL,
    FLAT,
    FRESH,
    GNORM,
    GTOL,
    HISTORY_ROWS,
    HISTORY_SIZE,
    IDLE,
    MAXITER,
    NFEV,
    NIT,
    PARITY,
    PAUSE_AT,
    POINT_INFEASIBLE,
    RESTARTS,
    STARTED_AT,
    STATUS,
    STEP_NORM,
    UNBOUNDED_BELOW,
    X_LOW,
    X_NORM,
    F,
    T,
)
from numopt.kernels.status import NEW, RUNNING, Status
from numopt.kernels.stopping import reduction_small, step_small
from numopt.kernels.vectors import copy, distance, norm

_KKT, _INFEASIBLE, _MAXITER = int(Status.KKT), int(Status.INFEASIBLE), int(Status.MAXITER)
_NAN, _UNBOUNDED, _STALLED = int(Status.NAN), int(Status.UNBOUNDED), int(Status.STALLED)
_LINE_SEARCH, _FTOL, _XTOL = int(Status.LINE_SEARCH), int(Status.FTOL), int(Status.XTOL)

# steps without a lower violation, value or residual of the KKT conditions: rounding decides where they go
_IDLE_STEPS = 100


@kernel
def _record(R):
    """Append a row to the history."""
    c, p = R.c, R.p
    row = c[HISTORY_ROWS]
    if row < c[HISTORY_SIZE]:
        h, k = R.history, HISTORY_WIDTH * row
        h[k], h[k + 1], h[k + 2], h[k + 3], h[k + 4] = p[F], p[GNORM], p[T], float(c[NFEV]), now(R)
        h[k + 4] -= p[STARTED_AT]
        h[k + 5] = p[VIOLATION]
        c[HISTORY_ROWS] = row + 1


@kernel
def better(p):
    """Whether the current point is better than the best so far: feasible and lower, or less infeasible."""
    if p[VIOLATION] <= p[CTOL]:
        return p[VIOLATION_BEST] > p[CTOL] or p[F] < p[F_BEST]
    return p[VIOLATION] < p[VIOLATION_BEST]


@kernel
def _note(R, k):
    """The KKT residuals of the point in place k; keep it if it is the best; count steps without progress."""
    c, p = R.c, R.p
    assess(R, k, vector(R, X_LOW))
    c[IDLE] += 1
    if better(p):
        copy(x_at(R, k), x_at(R, 2))
        copy(g_at(R, k), g_at(R, 2))
        copy(z_at(R, k), z_at(R, 2))
        copy(c_at(R, k), c_at(R, 2))
        copy(y_at(R, k), y_at(R, 2))
        p[F_BEST], p[VIOLATION_BEST] = p[F], p[VIOLATION]
        c[IDLE] = 0
    if p[GNORM] < p[DUAL_BEST]:
        p[DUAL_BEST] = p[GNORM]
        c[IDLE] = 0
    if p[VIOLATION] < p[VIOLATION_LEAST]:
        p[VIOLATION_LEAST] = p[VIOLATION]
        c[IDLE] = 0
    if p[VIOLATION] <= p[CTOL]:
        c[FEASIBLE_AT] = c[NIT]
    _record(R)


@kernel
def _status(R):
    """Where the run stands at the current point."""
    c, p = R.c, R.p
    if c[ABORT] != 0:
        return c[ABORT]
    feasible = p[VIOLATION] <= p[CTOL]
    if feasible and p[GNORM] <= p[GTOL]:
        return _KKT
    if feasible and p[F] < p[F_LOWER]:
        return _UNBOUNDED
    if not (abs(p[F]) < float("inf") and p[GNORM] < float("inf") and p[VIOLATION] < float("inf")):
        return _NAN
    if c[NIT] >= c[MAXITER]:
        return _MAXITER
    return RUNNING


@kernel
def _begin(R):
    """Evaluate the start."""
    c, p = R.c, R.p
    k = c[PARITY]
    x, xl, xu, y, z = x_at(R, k), lower_bounds(R), upper_bounds(R), y_at(R, k), z_at(R, k)
    for j in range(x.size):
        x[j] = min(max(x[j], xl[j]), xu[j])
        z[j] = 0.0
    for i in range(y.size):
        y[i] = 0.0
    p[F_BEST], p[VIOLATION_BEST] = float("inf"), float("inf")
    p[DUAL_BEST], p[VIOLATION_LEAST] = float("inf"), float("inf")
    c[FEASIBLE_AT] = -1
    p[T] = 0.0
    good = evaluate_values(R, k)
    p[F] = p[F_TRIAL]
    p[F_PREV] = p[F]
    if c[ABORT] != 0:
        p[GNORM], p[VIOLATION] = float("nan"), float("inf")
        return c[ABORT]
    if not (good and evaluate_slopes(R, k)):
        p[GNORM], p[VIOLATION] = float("nan"), float("inf")
        return c[ABORT] if c[ABORT] != 0 else _NAN
    return RUNNING


@kernel
def _move(R):
    """Make the trial point the current one."""
    c, p = R.c, R.p
    p[F_PREV], p[F] = p[F], p[F_TRIAL]
    c[PARITY] = 1 - c[PARITY]
    c[NIT] += 1
    x = x_at(R, c[PARITY])
    p[STEP_NORM], p[X_NORM] = distance(x, x_at(R, 1 - c[PARITY])), norm(x, 2.0)
    _note(R, c[PARITY])


@kernel
def _search_ended(R, task, restart):
    """The status after a step that asks to begin afresh, or that found no point."""
    c, p = R.c, R.p
    if task == UNBOUNDED_BELOW and p[VIOLATION] <= p[CTOL]:
        return _UNBOUNDED
    if task == POINT_INFEASIBLE and p[VIOLATION] > p[CTOL]:
        return _INFEASIBLE
    if restart:
        c[RESTARTS] += 1
        return RUNNING
    if task == FLAT:
        return _STALLED
    return _LINE_SEARCH


def make_constrained_run(init, step):
    """The compiled loop of a solver: ``run(R)`` goes on until a status is reached or ``c[PAUSE_AT]``."""

    @kernel
    def run(R):
        c, p = R.c, R.p
        if c[STATUS] == NEW:
            c[STATUS] = _begin(R)
            if c[STATUS] == RUNNING:
                init(R)  # it may ask for a Hessian, or set multipliers
                _note(R, c[PARITY])
                c[STATUS] = _status(R)
        while c[STATUS] == RUNNING and c[NIT] < c[PAUSE_AT]:
            p[T] = 0.0
            before = p[VIOLATION]
            task = step(R)
            if c[ABORT] != 0:
                status = c[ABORT]
            elif p[T] != 0.0:
                _move(R)
                status = _status(R)
                if status == RUNNING and before <= p[CTOL] and p[VIOLATION] <= p[CTOL]:
                    # what the caller asks for besides, between two feasible points
                    if reduction_small(p):
                        status = _FTOL
                    elif step_small(p):
                        status = _XTOL
                if status == RUNNING and c[IDLE] >= _IDLE_STEPS:
                    status = _STALLED
                if task != ACCEPT and status == RUNNING:
                    status = _search_ended(R, task, True)
                    if status == RUNNING:
                        init(R)
            else:
                status = _search_ended(R, task, c[FRESH] == 0)
                if status == RUNNING:
                    init(R)
            c[STATUS] = status
        return 0.0

    return run
