"""``minimize_scalar``: a minimum of a function of one variable."""

import math
import warnings

from numopt.callbacks.scalar import Callables
from numopt.optimize._root_scalar import float64
from numopt.optimize._scalar_run import STATUSES, Scalars, check_options, iterations, numbers, run_unit, tolerance
from numopt.optimize._warn import warn
from numopt.result import OptimizeResult
from numopt.scalar.status import CONVERGED, MAXITER, NOT_A_BRACKET

# name -> (name of the tolerance, tolerance, maxiter)
SCALAR_METHODS = {
    "brent": ("xtol", 1.48e-8, 500),
    "bounded": ("xatol", 1e-5, 500),
    "golden": ("xtol", 2.0**-26, 5000),
}


def minimize_scalar(fun, bracket=None, bounds=None, args=(), method=None, tol=None, options=None):
    """Find a local minimum of a function of one variable.

    The arguments and the result are those of ``scipy.optimize.minimize_scalar``; the algorithms are compiled.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``: a Python function, one compiled by ``numba.njit``, or a C function
        (``numba.cfunc``, ctypes, cffi, ``scipy.LowLevelCallable``) ``double f(double)`` or
        ``double f(double, void *user_data)``.  NaN counts as inf; a bounded search whose first two points both have
        no finite value knows nothing of where to go, and usually ends with ``ScalarStatus.NAN``.
    bracket : sequence of 2 or 3 floats, optional
        For Brent's method and golden section: two points from which a bracket is sought downhill (0 and 1 by
        default; the minimum may lie outside), or three in a row, the value in the middle below both others.
    bounds : sequence of 2 floats, optional
        For ``'bounded'``: the interval to stay in.
    args : tuple
        Extra arguments of fun.
    method : str or callable, optional
        ``'brent'`` (the default), ``'bounded'`` (the default with ``bounds``), ``'golden'``; a callable is
        called as scipy does, ``method(fun, args=args, bracket=bracket, bounds=bounds, **options)``.
    tol : float, optional
        The relative tolerance on x; for ``'bounded'`` the absolute one.
    options : dict, optional
        ``xtol`` (``'bounded'``: ``xatol``, default 1e-5), by default 1.48e-8, for golden section the
        square root of the rounding unit; ``maxiter``: 500, golden section 5000; ``disp``: print how the run ended.

    Returns
    -------
    OptimizeResult
        With ``x``, ``fun``, ``success``, ``status`` (:class:`numopt.ScalarStatus`), ``message``, ``nit``, ``nfev``.

    See Also
    --------
    jit_minimize_scalar : the same inside compiled code

    Examples
    --------
    >>> import numopt
    >>> r = numopt.minimize_scalar(lambda x: (x - 2) * x * (x + 2)**2)
    >>> float(round(r.x, 7)), r.success
    (1.2807764, True)
    >>> float(round(numopt.minimize_scalar(lambda x: (x - 2) * x * (x + 2)**2, bounds=(-3, -1)).x, 4))
    -2.0
    """
    if type(args) is not tuple:
        args = tuple(args) if isinstance(args, tuple) else (args,)
    check_options(options)
    if method is None:
        method = "brent" if bounds is None else "bounded"
    row = SCALAR_METHODS.get(method) if isinstance(method, str) else None
    if row is None:
        if callable(method):
            if tol is not None:
                options = {"tol": tol, **(options or {})}
            return method(fun, args=args, bracket=bracket, bounds=bounds, **(options or {}))
        method, row = _find(method)
    name, xtol, maxiter = row
    if bounds is not None and method != "bounded":
        raise ValueError(f"Use of `bounds` is incompatible with 'method={method}'.")
    disp = False
    if options or tol is not None:
        xtol, maxiter, disp = _read(method, row, tol, options)
    if method == "bounded":
        if bounds is None:
            raise ValueError("The `bounds` parameter is mandatory for method `bounded`.")
        a, b = numbers(bounds, "bounds", (2,))
        if a > b:
            raise ValueError(f"The lower bound exceeds the upper bound: bounds={[a, b]}")
        p = Scalars(1.0, a, b, 0.0, xtol, maxiter)
        unit = "scalar/localmin"
    else:
        a, b, c = _bracket(bracket)
        if method == "brent":
            p, unit = Scalars(0.0, a, b, c, xtol, maxiter), "scalar/localmin"
        else:
            p, unit = Scalars(a, b, c, xtol, maxiter), "scalar/golden"
    numpy_float = float64()
    bound = Callables((fun,), ("fun",), args, numpy_float)
    run_unit(unit, bound, p)
    x, fx, status, nit, nfev = p[:5]
    status = int(status)
    if status == NOT_A_BRACKET:
        raise ValueError(
            f"Bracketing values (xa, xb, xc) do not fulfill this requirement: (f(xb) < f(xa)) and (f(xb) < f(xc)); "
            f"bracket={[a, b, c]}"
        )
    result = OptimizeResult(
        fun=numpy_float(fx), x=numpy_float(x), nit=int(nit), nfev=int(nfev), success=status == CONVERGED,
        status=STATUSES[status], message=_message(status, name, xtol),
    )  # fmt: skip
    if disp:
        print(f"{method}: {result.message} x = {x!r}, f = {fx!r}, {result.nit} iterations, {result.nfev} evaluations")
    return result


def _message(status, name, xtol):
    if status == CONVERGED:
        return f"Optimization terminated successfully: the tolerance on x is met (using {name} = {xtol})."
    return "Maximum number of iterations exceeded." if status == MAXITER else STATUSES[status].message


def _find(method):
    name = method.lower() if isinstance(method, str) else method
    if not isinstance(name, str) or name not in SCALAR_METHODS:
        raise ValueError(f"Unknown solver {method!r}; methods of minimize_scalar are {', '.join(SCALAR_METHODS)}")
    return name, SCALAR_METHODS[name]


def _bracket(bracket):
    """The three points given, or two and NaN."""
    if bracket is None:
        return 0.0, 1.0, math.nan
    points = numbers(bracket, "bracket", (2, 3))
    if len(points) == 2:
        if points[0] == points[1]:
            raise ValueError(f"bracket must have different points; got {points}")
        return (*points, math.nan)
    if not (points[0] < points[1] < points[2] or points[0] > points[1] > points[2]):
        raise ValueError(
            f"Bracketing values (xa, xb, xc) do not fulfill this requirement: (xa < xb) and (xb < xc); bracket={points}"
        )
    return points


def _read(method, row, tol, options):
    """Tolerance, maxiter, disp."""
    name, xtol, maxiter = row
    options = dict(options or {})
    if tol is not None:
        if method == "bounded" and name not in options:
            warnings.warn(
                "Method 'bounded' does not support relative tolerance in x; defaulting to absolute tolerance.",
                RuntimeWarning, stacklevel=3,
            )  # fmt: skip
        options.setdefault(name, tol)
    if name in options:
        xtol = tolerance(options.pop(name), name)
    if "maxiter" in options:
        maxiter = iterations(options.pop("maxiter"))
    disp = options.pop("disp", False)
    if options:
        warn(f"Unknown solver options: {', '.join(map(str, options))}")
    return xtol, maxiter, disp
