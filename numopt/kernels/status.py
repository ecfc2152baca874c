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
    KKT = 12  #: stationarity and complementarity within gtol, violation of the constraints within ctol
    INFEASIBLE = 13  #: no point near x violates the constraints less, and x violates them
    NOT_RUN = 97  #: of a batch: nobody got to this problem before the end
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


class LeastSquaresStatus(IntEnum):
    """The ends of ``least_squares``; from -2 on the numbers are scipy's, and those above 0 are a success."""

    GTOL = 1  #: no column of J is farther than gtol from orthogonal to r, as a cosine
    FTOL = 2  #: relative reduction of the cost, actual and predicted, within ftol, and no parameter has far to go
    XTOL = 3  #: norm(D step) <= xtol * norm(D x)
    MAX_NFEV = 0  #: nfev >= max_nfev
    CALLBACK = -2  #: the callback raised StopIteration
    MAXITER = -3  #: nit >= maxiter
    MAX_TIME = -4  #: the clock passed max_time
    STALLED = -5  #: the decrease that is left is below the rounding error of the cost
    NAN = -6  #: residuals or their Jacobian are NaN or infinite, however short the step
    NO_STEP = -7  #: no step lowers the cost as the Jacobian promises
    INTERRUPTED = -8  #: Ctrl-C
    FAILED = -9  #: a callable of the user's raised
    NOT_RUN = -10  #: of a batch: nobody got to this problem before the end

    @property
    def success(self):
        """Whether a convergence test holds."""
        return self > 0

    @property
    def message(self):
        """One sentence for ``result.message``."""
        return _LEAST_SQUARES_MESSAGES[self]


_SUCCESS = frozenset((Status.GRADIENT, Status.FTOL, Status.XTOL, Status.SPREAD, Status.GAP, Status.KKT))

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
    Status.KKT: "Converged: the KKT conditions hold within gtol, the constraints within ctol.",
    Status.INFEASIBLE: "Failed: the constraints seem to have no common point; near x none violates them less.",
    Status.NOT_RUN: "Not run: the batch ended before.",
    Status.INTERRUPTED: "Stopped: interrupted by the user.",
    Status.CALLBACK: "Stopped: `callback` raised StopIteration.",
    Status.FAILED: "Failed: a callable raised an exception.",
}

# what the loop says -> what least_squares says
LEAST_SQUARES = {
    Status.GRADIENT: LeastSquaresStatus.GTOL,
    Status.FTOL: LeastSquaresStatus.FTOL,
    Status.XTOL: LeastSquaresStatus.XTOL,
    Status.MAXFEV: LeastSquaresStatus.MAX_NFEV,
    Status.CALLBACK: LeastSquaresStatus.CALLBACK,
    Status.MAXITER: LeastSquaresStatus.MAXITER,
    Status.MAX_TIME: LeastSquaresStatus.MAX_TIME,
    Status.STALLED: LeastSquaresStatus.STALLED,
    Status.NAN: LeastSquaresStatus.NAN,
    Status.UNBOUNDED: LeastSquaresStatus.NAN,  # a loss of minus infinity
    Status.LINE_SEARCH: LeastSquaresStatus.NO_STEP,
    Status.INTERRUPTED: LeastSquaresStatus.INTERRUPTED,
    Status.FAILED: LeastSquaresStatus.FAILED,
    Status.NOT_RUN: LeastSquaresStatus.NOT_RUN,
}

_LEAST_SQUARES_MESSAGES = {
    LeastSquaresStatus.GTOL: "Converged: `gtol` termination condition is satisfied.",
    LeastSquaresStatus.FTOL: "Converged: `ftol` termination condition is satisfied.",
    LeastSquaresStatus.XTOL: "Converged: `xtol` termination condition is satisfied.",
    LeastSquaresStatus.MAX_NFEV: "Stopped: the maximum number of function evaluations is exceeded.",
    LeastSquaresStatus.CALLBACK: "Stopped: `callback` raised StopIteration.",
    LeastSquaresStatus.MAXITER: "Stopped: maxiter iterations done.",
    LeastSquaresStatus.MAX_TIME: "Stopped: max_time has passed.",
    LeastSquaresStatus.STALLED: "Stalled: the decrease that is left is below the rounding error of the cost.",
    LeastSquaresStatus.NAN: "Failed: the residuals or their Jacobian are NaN or infinite however short the step.",
    LeastSquaresStatus.NO_STEP: "Failed: no step lowers the cost as the Jacobian promises; suspect a wrong Jacobian.",
    LeastSquaresStatus.INTERRUPTED: "Stopped: interrupted by the user.",
    LeastSquaresStatus.FAILED: "Failed: a callable raised an exception.",
    LeastSquaresStatus.NOT_RUN: "Not run: the batch ended before.",
}
