"""Why a one-dimensional run ended."""

from enum import IntEnum


class ScalarStatus(IntEnum):
    """The ends of ``minimize_scalar`` and ``root_scalar``, and of their forms for compiled code.

    The first three numbers are those of scipy's bounded method.
    """

    CONVERGED = 0  #: the tolerance on x is met, or f(x) = 0 for a root
    MAXITER = 1  #: maxiter iterations done
    NAN = 2  #: f is NaN (for a root), or nowhere finite (for a minimum)
    NO_SIGN_CHANGE = 3  #: f(a) and f(b) are of one sign
    NO_BRACKET = 4  #: the search found no three points with the least value in the middle
    NOT_A_BRACKET = 5  #: the three points given do not have the least value in the middle
    FLAT = 6  #: the derivative, or the slope of the secant, is zero
    UNBOUNDED = 7  #: f = -inf
    BAD_INTERVAL = 8  #: an end is NaN or infinite

    @property
    def success(self):
        """Whether the tolerance is met."""
        return self is ScalarStatus.CONVERGED

    @property
    def message(self):
        """One sentence for ``result.message``."""
        return _MESSAGES[self]


CONVERGED, MAXITER, NAN, NO_SIGN_CHANGE, NO_BRACKET, NOT_A_BRACKET, FLAT, UNBOUNDED, BAD_INTERVAL = (
    int(status) for status in ScalarStatus
)

_MESSAGES = {
    ScalarStatus.CONVERGED: "Converged: the tolerance on x is met.",
    ScalarStatus.MAXITER: "Stopped: maxiter iterations done.",
    ScalarStatus.NAN: "Failed: the function is NaN or infinite.",
    ScalarStatus.NO_SIGN_CHANGE: "Failed: f(a) and f(b) have the same sign.",
    ScalarStatus.NO_BRACKET: "Failed: no bracket of a minimum found; the function may be unbounded below, or flat.",
    ScalarStatus.NOT_A_BRACKET: "Failed: the middle point of the bracket is not below both ends.",
    ScalarStatus.FLAT: "Failed: the derivative is zero.",
    ScalarStatus.UNBOUNDED: "Stopped: the objective is -inf.",
    ScalarStatus.BAD_INTERVAL: "Failed: the ends of the interval must be finite numbers.",
}
