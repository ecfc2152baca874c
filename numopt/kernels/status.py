"""Why a run ended.  Each status is one inequality or one event; only the convergence tests are a success."""

from enum import IntEnum


class Status(IntEnum):
    """The ends a run can come to, as ``result.status``.

    The first four numbers mean what they mean in ``scipy.optimize.minimize``.
    """

    GRADIENT = 0  #: norm(gradient) <= gtol
    MAXITER = 1  #: nit >= maxiter
    LINE_SEARCH = 2  #: no acceptable step found, although phi'(0) < 0 promises a visible decrease
    NAN = 3  #: the objective is NaN or inf where the method can't step back from it
    FTOL = 4  #: f_prev - f <= ftol * max(abs(f_prev), abs(f), 1); Powell's method: see there
    XTOL = 5  #: norm(step) <= xrtol * (xrtol + norm(x))
    STALLED = 6  #: the decrease still promised is below the rounding error of f
    MAXFEV = 7  #: nfev >= maxfev
    MAX_TIME = 8  #: the clock passed max_time
    UNBOUNDED = 9  #: f = -inf, or f below the lower limit
    SPREAD = 10  #: the points compared are within xatol, and their values within fatol, of the best one's
    GAP = 11  #: the duality gap is within tol of the scale of the data (coordinate_descent)
    INTERRUPTED = 98  #: Ctrl-C
    CALLBACK = 99  #: the callback raised StopIteration
    FAILED = 100  #: a callable of the user's raised

    @property
    def success(self):
        """Whether a convergence test that the caller asked for holds."""
        return self in _SUCCESS

    @property
    def message(self):
        """One sentence for ``result.message``."""
        return _MESSAGES[self]


_SUCCESS = frozenset((Status.GRADIENT, Status.FTOL, Status.XTOL, Status.SPREAD, Status.GAP))

# The two numbers below are never a result's: they are what ``c[STATUS]`` holds while a run goes on.
NEW, RUNNING = -2, -1

_MESSAGES = {
    Status.GRADIENT: "Converged: the gradient norm is within gtol.",
    Status.MAXITER: "Stopped: maxiter iterations done.",
    Status.LINE_SEARCH: "Failed: the line search found no acceptable step. If f and its gradient are smooth "
    "here, suspect a wrong gradient: numopt.check_derivatives compares it with differences.",
    Status.NAN: "Failed: the objective or its gradient is NaN or infinite.",
    Status.FTOL: "Converged: the relative reduction of f is within ftol.",
    Status.XTOL: "Converged: the relative step is within the tolerance on x.",
    Status.STALLED: "Stalled: the decrease that is left is below the rounding error of f; gtol was not reached.",
    Status.MAXFEV: "Stopped: maxfev evaluations done.",
    Status.MAX_TIME: "Stopped: max_time has passed.",
    Status.UNBOUNDED: "Stopped: the objective seems to be unbounded below.",
    Status.SPREAD: "Converged: points and values are within xatol and fatol of the best.",
    Status.GAP: "Converged: the duality gap is within tol.",
    Status.INTERRUPTED: "Stopped: interrupted by the user.",
    Status.CALLBACK: "Stopped: `callback` raised StopIteration.",
    Status.FAILED: "Failed: a callable raised an exception.",
}
