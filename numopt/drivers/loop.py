"""The loop around a solver: first evaluation, steps, convergence tests, history, pauses.

It knows of a solver no more than two functions: ``init(R)`` sets the solver's own state for the point at hand,
``step(R)`` finds the next point and answers what a line search answers (``ACCEPT``, ``FLAT``, ...), with the
point in the trial buffers, its value in ``p[F_TRIAL]`` and the step length in ``p[T]`` (0: none found).  A step may be
cut off by any of its evaluations: until it has its point, it changes only what it sets anew when taken again.
"""

from numopt.kernels.bounds import all_fixed, optimality
from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.oracle import evaluate, evaluate_value, now, vector
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    BOUNDED,
    F_BEST,
    F_PREV,
    F_TRIAL,
    FLAT,
    FLAT_AT,
    FRESH,
    G_BEST,
    GNORM,
    GNORM_BEST,
    GRADIENT_SMALL,
    HISTORY_ROWS,
    HISTORY_SIZE,
    MEAN_STEP,
    NFEV,
    NIT,
    PARITY,
    PAUSE_AT,
    REDUCTION_SMALL,
    RESTARTS,
    SPREAD_SMALL,
    STARTED_AT,
    STATUS,
    STEP_NORM,
    STEP_SMALL,
    TRACK_BEST,
    UNBOUNDED_BELOW,
    VALUES_ONLY,
    X_BEST,
    X_NORM,
    XTOL_ABS,
    XTOL_REL,
    F,
    G,
    T,
    X,
)
from numopt.kernels.status import NEW, RUNNING, Status
from numopt.kernels.stopping import after_step, at_start, note_progress
from numopt.kernels.vectors import copy, distance, mean_distance, norm

_LINE_SEARCH, _STALLED = int(Status.LINE_SEARCH), int(Status.STALLED)
_NAN, _UNBOUNDED = int(Status.NAN), int(Status.UNBOUNDED)
_MAXITER, _SPREAD, _FTOL = int(Status.MAXITER), int(Status.SPREAD), int(Status.FTOL)
_XTOL, _GRADIENT = int(Status.XTOL), int(Status.GRADIENT)


@kernel
def _record(R):
    """Append a row to the history."""
    c, p = R.c, R.p
    row = c[HISTORY_ROWS]
    if row < c[HISTORY_SIZE]:
        h, k = R.history, 5 * row
        h[k], h[k + 1], h[k + 2], h[k + 3], h[k + 4] = p[F], p[GNORM], p[T], float(c[NFEV]), now(R)
        h[k + 4] -= p[STARTED_AT]
        c[HISTORY_ROWS] = row + 1


@kernel
def _keep_best(R):
    """Copy x where it is the lowest point so far; only for methods whose values may rise."""
    c, p = R.c, R.p
    if p[F] < p[F_BEST]:
        copy(vector(R, X + c[PARITY]), vector(R, X_BEST))
        copy(vector(R, G + c[PARITY]), vector(R, G_BEST))


@kernel
def _begin(R):
    """Evaluate the start; returns the status."""
    c, p = R.c, R.p
    x, g = vector(R, X + c[PARITY]), vector(R, G + c[PARITY])
    p[F] = evaluate(R, x, g) if c[VALUES_ONLY] == 0 else evaluate_value(R, x, g)
    if c[VALUES_ONLY] != 0 and c[ABORT] == 0 and p[F] != p[F]:
        p[F] = float("inf")
    if c[ABORT] != 0 or c[VALUES_ONLY] != 0:
        for i in range(g.size):
            g[i] = float("nan")
    p[F_PREV], p[F_BEST], p[GNORM_BEST] = p[F], float("inf"), float("inf")
    p[GNORM] = optimality(R, c[PARITY]) if c[VALUES_ONLY] == 0 else float("nan")
    if c[TRACK_BEST] != 0:
        _keep_best(R)
    note_progress(c, p)
    _record(R)
    status = at_start(c, p)
    if c[VALUES_ONLY] != 0 and c[BOUNDED] != 0 and (status == RUNNING or status == _MAXITER) and all_fixed(R):
        # one point: with gradients it is the projected one, zero, that tells
        return _SPREAD if p[F] < float("inf") else _NAN
    return status


@inlined
def _move(R):
    """Make the trial point the current one."""
    c, p = R.c, R.p
    p[F_PREV], p[F] = p[F], p[F_TRIAL]
    c[PARITY] = 1 - c[PARITY]
    c[NIT] += 1
    if c[VALUES_ONLY] == 0:
        p[GNORM] = optimality(R, c[PARITY])
    if p[XTOL_REL] > 0.0 or p[XTOL_ABS] > 0.0:
        x = vector(R, X + c[PARITY])
        before = vector(R, X + 1 - c[PARITY])
        p[STEP_NORM] = mean_distance(x, before) if c[MEAN_STEP] != 0 else distance(x, before)
        p[X_NORM] = norm(x, 2.0)
    if c[TRACK_BEST] != 0:
        _keep_best(R)
    note_progress(c, p)
    _record(R)


@kernel
def _search_ended(R, task, restart):
    """The status after a search without an acceptable step; sets FRESH where a restart is worth a try."""
    c, p = R.c, R.p
    if task == UNBOUNDED_BELOW:
        return _UNBOUNDED
    if task == SPREAD_SMALL:
        return _SPREAD
    if task == REDUCTION_SMALL:
        return _FTOL
    if task == STEP_SMALL:
        return _XTOL
    if task == GRADIENT_SMALL:
        return _GRADIENT
    flat = task == FLAT or c[FLAT_AT] == c[NIT] + 1
    if restart:
        # Afresh: a flat f too, since it is only along the last direction that it is known to be flat
        c[FLAT_AT] = c[NIT] + 1 if flat else 0
        c[RESTARTS] += 1
        return RUNNING
    if flat:
        return _STALLED
    if not abs(p[F_TRIAL]) < float("inf"):
        return _NAN
    return _LINE_SEARCH


def make_run(init, step):
    """The compiled loop of a solver: ``run(R)`` goes on until a status is reached or ``c[PAUSE_AT]``."""

    @kernel
    def run(R):
        c, p = R.c, R.p
        if c[STATUS] == NEW:
            c[STATUS] = _begin(R)
            init(R)
        while c[STATUS] == RUNNING and c[NIT] < c[PAUSE_AT]:
            p[T] = 0.0
            task = step(R)
            if c[ABORT] != 0:
                # Cut off in the middle of the step.  The state is still that before it, so that a resumed run takes
                # the step again; the lowest trial, if below f, is left to `best_point`.
                status = c[ABORT]
            elif p[T] != 0.0:
                _move(R)
                status = after_step(c, p)
                if task >= SPREAD_SMALL and (status == RUNNING or status == _MAXITER):
                    status = _search_ended(R, task, False)
                elif task != ACCEPT and status == RUNNING:
                    # a lower point, but not an acceptable one: go on from there afresh
                    status = _search_ended(R, task, True)
                    init(R)
            else:
                status = _search_ended(R, task, c[FRESH] == 0)
                if status == RUNNING:
                    init(R)
            c[STATUS] = status
        return 0.0

    return run
