"""numopt's methods for ``scipy.optimize.minimize(..., method=...)``."""

from numopt.constrained_catalog import find_constrained
from numopt.optimize._minimize import minimize
from numopt.optimize._options import find_method


def scipy_method(method="bfgs"):
    """A method of numopt in the form that ``scipy.optimize.minimize`` takes as its ``method``.

    Parameters
    ----------
    method : str
        As for :func:`numopt.minimize`.

    Returns
    -------
    callable

    Notes
    -----
    scipy does not hand on what it was told of differences (``jac='3-point'``, ``'cs'``): a method given no gradient
    takes forward differences.  :func:`numopt.minimize` knows all schemes.

    Examples
    --------
    >>> import numopt
    >>> from scipy.optimize import minimize, rosen, rosen_der
    >>> minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=numopt.scipy_method('lbfgs')).x.round(4).tolist()
    [1.0, 1.0]
    """
    row = find_constrained(method) or find_method(method or "bfgs")

    def run(fun, x0, args=(), jac=None, hess=None, hessp=None, bounds=None, constraints=(), callback=None, **options):
        if jac is not None and getattr(jac, "__self__", None) is fun and hasattr(fun, "fun"):
            # scipy splits a fun that returns value and gradient in two; here it is better whole
            fun, jac = fun.fun, True
        return minimize(
            fun, x0, args=args, method=row.name, jac=jac or None, hess=hess, hessp=hessp, bounds=bounds,
            constraints=constraints, tol=options.pop("tol", None), callback=callback, options=options,
        )  # fmt: skip

    run.__name__ = f"numopt_{row.unit}"
    return run
