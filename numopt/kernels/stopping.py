"""The convergence tests, all of them.  A tolerance says in its name whether it is absolute or relative."""

from numopt.kernels.compiling import kernel
from numopt.kernels.slots import (
    ABORT,
    F_BEST,
    F_LOWER,
    F_PREV,
    FTOL_REL,
    GNORM,
    GNORM_BEST,
    GTOL,
    IDLE,
    MAXITER,
    NIT,
    STEP_NORM,
    TRACK_BEST,
    VALUES_ONLY,
    X_NORM,
    XTOL_ABS,
    XTOL_REL,
    F,
)
from numopt.kernels.status import RUNNING, Status

_GRADIENT, _MAXITER, _NAN = int(Status.GRADIENT), int(Status.MAXITER), int(Status.NAN)
_FTOL, _XTOL, _UNBOUNDED = int(Status.FTOL), int(Status.XTOL), int(Status.UNBOUNDED)
_STALLED = int(Status.STALLED)

# f equal to rounding still lets the gradient fall, but not by accident after so many steps
_IDLE_STEPS = 20

EPS = 2.220446049250313e-16


@kernel
def gradient_small(p):
    """norm(g) <= gtol."""
    return p[GNORM] <= p[GTOL]


@kernel
def reduction_small(p):
    """f_prev - f <= ftol max(|f_prev|, |f|, 1); off where ftol < 0."""
    if p[FTOL_REL] < 0.0:
        return False
    return p[F_PREV] - p[F] <= p[FTOL_REL] * max(abs(p[F_PREV]), abs(p[F]), 1.0)


@kernel
def step_small(p):
    """norm(step) <= xrtol (xrtol + norm(x)), or norm(step) <= xtol; off where the tolerance is 0."""
    if p[XTOL_REL] > 0.0 and p[STEP_NORM] <= p[XTOL_REL] * (p[XTOL_REL] + p[X_NORM]):
        return True
    return p[XTOL_ABS] > 0.0 and p[STEP_NORM] <= p[XTOL_ABS]


@kernel
def note_progress(c, p):
    """Count the steps since f or the norm of the gradient was last lower than ever before."""
    c[IDLE] += 1
    if p[F] < p[F_BEST]:
        p[F_BEST] = p[F]
        c[IDLE] = 0
    if p[GNORM] < p[GNORM_BEST]:
        p[GNORM_BEST] = p[GNORM]
        c[IDLE] = 0


@kernel
def idle(c):
    """No progress in f nor in the gradient for many steps: rounding decides where they go.

    Only for methods whose values never rise: of the others some go uphill for longer.  Without gradients many steps
    that find nothing lower are as it should be.
    """
    return c[TRACK_BEST] == 0 and c[VALUES_ONLY] == 0 and c[IDLE] >= _IDLE_STEPS


@kernel
def at_start(c, p):
    """The status before the first step."""
    f, gnorm = p[F], p[GNORM]
    if c[ABORT] != 0:
        return c[ABORT]
    if f < p[F_LOWER] or f == float("-inf"):
        return _UNBOUNDED
    if c[VALUES_ONLY] == 0 and not (abs(f) < float("inf") and gnorm < float("inf")):
        return _NAN  # without gradients the step decides: other points may have a value
    if gradient_small(p):
        return _GRADIENT
    if c[NIT] >= c[MAXITER]:
        return _MAXITER
    return RUNNING


@kernel
def after_step(c, p):
    """The status after an accepted step.  The gradient comes first: it is the strongest statement."""
    status = at_start(c, p)
    if c[VALUES_ONLY] == 0 and (status == RUNNING or status == _MAXITER):
        # without gradients a step without any reduction means little: the methods have tests of their own
        if reduction_small(p):
            return _FTOL
        if step_small(p):
            return _XTOL
        if status == RUNNING and idle(c):
            return _STALLED
    return status
