"""Compare a gradient with differences."""

from dataclasses import dataclass

import numpy as np

from numopt.callbacks.bind import as_callable
from numopt.callbacks.python import as_array, as_value
from numopt.optimize._options import check_callables, check_x0


@dataclass(frozen=True)
class DerivativeCheck:
    """What :func:`check_derivatives` found.

    Attributes
    ----------
    ok : bool
        Whether every component agrees within the tolerance.
    index : int
        The worst component.
    given, difference : float
        The gradient's component as given, and by differences.
    error : float
        ``|given - difference| / max(1, |difference|)``, the largest of all components.
    errors : ndarray, shape (n,)
        The errors of all components.
    """

    ok: bool
    index: int
    given: float
    difference: float
    error: float
    errors: np.ndarray

    def __str__(self):
        verdict = "agrees with differences" if self.ok else "DISAGREES with differences"
        return (
            f"gradient {verdict}; worst component {self.index}: given {self.given:.10g}, "
            f"difference {self.difference:.10g}, error {self.error:.2e}"
        )


def check_derivatives(fun, jac, x, args=(), tol=1e-5):
    """Compare a gradient with central differences of the objective.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``, or ``-> (float, gradient)`` with ``jac=True``.
    jac : callable or True
        ``jac(x, *args) -> array (n,)``.
    x : array_like, shape (n,)
        Where to compare; not a stationary point, where a wrong factor would not be seen.
    args : tuple, optional
    tol : float
        The error that is accepted.

    Returns
    -------
    DerivativeCheck

    Notes
    -----
    Differences over h and h/2 are extrapolated (Richardson), so that their error is of the order h^4 and that of
    rounding, about 1e-10 for a smooth objective.

    Examples
    --------
    >>> import numopt
    >>> print(numopt.check_derivatives(lambda x: x[0]**2 + x[1]**3, lambda x: [2 * x[0], 2 * x[1]**2], [1.0, 2.0]))
    gradient DISAGREES with differences; worst component 1: given 8, difference 12, error 3.33e-01
    """
    check_callables(fun, jac, None, None, None)
    if jac is None or isinstance(jac, str) or jac is False:
        raise TypeError(f"jac must be callable or True: the gradient to check; got {jac!r}")
    x = check_x0(x)
    args = args if isinstance(args, tuple) else (args,)
    fun, jac = as_callable(fun, jac), as_callable(jac)
    if jac is True:
        given = fun(x.copy(), *args)[1]
        value = lambda z: as_value(fun(z, *args)[0])  # noqa: E731
    else:
        given = jac(x.copy(), *args)
        value = lambda z: as_value(fun(z, *args))  # noqa: E731
    given = as_array(given, x.shape, "jac").astype(float)
    difference = np.empty(x.size)
    for j in range(x.size):
        slopes = []
        for h in (1e-3 * max(1.0, abs(x[j])), 5e-4 * max(1.0, abs(x[j]))):
            up, down = x.copy(), x.copy()
            up[j] += h
            down[j] -= h
            slopes.append((value(up) - value(down)) / (up[j] - down[j]))
        difference[j] = (4.0 * slopes[1] - slopes[0]) / 3.0
    errors = np.abs(given - difference) / np.maximum(1.0, np.abs(difference))
    worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
    return DerivativeCheck(
        bool(errors[worst] <= tol), worst, float(given[worst]), float(difference[worst]), float(errors[worst]), errors
    )
