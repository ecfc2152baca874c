"""A line search on the objective: runs one of the machines along x + t d.

``make_search(start, advance)`` gives the compiled ``search(R)``.  After it has answered ``ACCEPT`` the trial buffers
hold the accepted point and its gradient: nothing is evaluated twice.  If the search ends without an acceptable step,
the lowest point it saw is what the buffers hold if that lies below f(x).
"""

from numba import types
from numba.extending import overload

from numopt.kernels.bounds import slope_within, step_within
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import (
    call1,
    evaluate,
    evaluate_grad,
    evaluate_value,
    lazy_gradient,
    lower_bounds,
    upper_bounds,
    vector,
)
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    ARMIJO,
    BOUNDED,
    C1,
    C2,
    EXACT,
    F_TRIAL,
    FAILED,
    G_LOW,
    LINE_SEARCH,
    LINE_TOL,
    LS,
    MAX_TRIALS,
    N_LS,
    PARITY,
    SLOPE,
    STEP_MAX,
    STEP_MIN,
    T0,
    TASK,
    TRY,
    UNBOUNDED_BELOW,
    X_LOW,
    D,
    F,
    G,
    T,
    X,
)
from numopt.kernels.vectors import copy, dot, norm_inf, step_to
from numopt.linesearch.common import DPHI0, PHI0, SC1, SC2, SFIRST, SMAX, SMIN, ST, flat, give_up, sufficient_decrease

# So far away from where the search started, measured by the size of x, and f still falling: f has no minimum there.
_BEYOND = 1e10


def run_search(R):
    """Run the line search of ``R``."""
    R.search(R)


@overload(run_search, target="generic")
def _run_search(R):
    if isinstance(R.types[0], types.Integer):
        return lambda R: call1(R.search, R.table)
    return lambda R: R.search(R)


@kernel
def far_away(x, xt):
    """|xt| >= 1e10 max(1, |x|)."""
    return norm_inf(xt) >= _BEYOND * max(1.0, norm_inf(x))


@kernel
def bent_step_ok(s, t, f, slope):
    """The weak Wolfe conditions, for a step that has met bounds on its way.

    The slope jumps there, so that no step need fulfil the strong ones (Ferry, Gill & Wong 2021, section 2.2).
    """
    return f < s[PHI0] and sufficient_decrease(s, t, f) and slope >= s[SC2] * s[DPHI0]


@kernel
def search(R, t0):
    """Search along d from t0; answers the task.  Sets p[F_TRIAL], p[T] and the trial buffers."""
    R.p[T0] = t0
    run_search(R)
    return R.c[TASK]


def make_search(start, advance):
    """The line search that runs a machine."""

    @kernel
    def search(R):
        """Search along d from p[T0].  Sets c[TASK], p[F_TRIAL], p[T] and the trial buffers.

        The task is ``ACCEPT``, or what the machine said when it gave up.  p[T] is 0 if no lower point was seen.
        """
        c, p = R.c, R.p
        s = p[LS : LS + N_LS]
        kind = c[LINE_SEARCH]
        x, xt, gt = vector(R, X + c[PARITY]), vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
        xlow, glow, d = vector(R, X_LOW), vector(R, G_LOW), vector(R, D)
        f0 = p[F]
        s[PHI0], s[DPHI0], s[SC1] = f0, p[SLOPE], p[C1]
        s[SC2] = p[LINE_TOL] if kind == EXACT else p[C2]
        first = p[T0] if p[T0] > 0.0 else p[STEP_MIN]
        # relative to the first trial, which is tiny where the gradient is huge
        s[SMIN], s[SMAX] = p[STEP_MIN] * min(1.0, first), p[STEP_MAX]
        s[ST] = s[SFIRST] = min(first, p[STEP_MAX])
        start(s)
        values_only = kind == ARMIJO and lazy_gradient(R)
        bounded, bent = c[BOUNDED] != 0, False
        flow, tlow = f0, 0.0  # the lowest trial so far, kept in xlow, glow
        task = FAILED
        f, t = f0, 0.0
        for _ in range(c[MAX_TRIALS]):
            t = s[ST]
            if bounded:
                bent = step_within(x, t, d, lower_bounds(R), upper_bounds(R), xt)
            else:
                step_to(x, t, d, xt)
            if values_only:
                f = evaluate_value(R, xt, gt)
                slope = 0.0
            else:
                f = evaluate(R, xt, gt)
                slope = slope_within(x, t, gt, d, lower_bounds(R), upper_bounds(R)) if bounded else dot(gt, d)
            if c[ABORT] != 0 and f != f:
                break
            task = advance(s, f, slope)
            if task != TRY:
                break
            if bent and bent_step_ok(s, t, f, slope):
                task = ACCEPT
                break
            if f < flow and slope == slope and not values_only:
                # the search goes on from here: keep the point, it may be the best there is
                flow, tlow = f, t
                copy(xt, xlow)
                copy(gt, glow)
        if task == TRY:
            # still going down after growing beyond all bounds, or out of trials
            task = UNBOUNDED_BELOW if f < f0 and far_away(x, xt) and not flat(s, f) else give_up(s)
        if task == ACCEPT:
            if values_only and not evaluate_grad(R, xt, gt):
                p[T] = 0.0
                c[TASK] = FAILED
                return 0.0
            p[T] = t
            c[TASK], p[F_TRIAL] = task, f
            return 0.0
        if f < flow and not values_only:
            flow, tlow = f, t
        elif tlow > 0.0:
            copy(xlow, xt)
            copy(glow, gt)
        if bounded and task != UNBOUNDED_BELOW and c[ABORT] == 0 and tlow > 0.0 and sufficient_decrease(s, tlow, flow):
            task = ACCEPT  # the interval has closed in on a bend, where no slope is small
        p[T] = tlow
        c[TASK], p[F_TRIAL] = task, flow
        return 0.0

    return search
