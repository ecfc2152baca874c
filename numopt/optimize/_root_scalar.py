"""``root_scalar``: a root of a function of one variable."""

from typing import Any, NamedTuple

from numopt.callbacks.scalar import Callables
from numopt.optimize._scalar_run import (
    STATUSES,
    Scalars,
    check_options,
    iterations,
    number,
    numbers,
    run_unit,
    tolerance,
)
from numopt.result import RootResults
from numopt.scalar.status import CONVERGED, FLAT, MAXITER, NAN, NO_SIGN_CHANGE

_RTOL = 4 * 2.0**-52  # scipy's default for brackets, and the least it takes


class Method(NamedTuple):
    """One row: what a method is compiled from and begins with."""

    unit: str
    begin: str  # 'bracket' or 'x0'
    xtol: float
    rtol: float
    maxiter: int
    variant: float = 0.0
    derivatives: int = 0  # how many it needs


ROOT_METHODS = {
    "bisect": Method("scalar/bisection", "bracket", 2e-12, _RTOL, 100),
    "brentq": Method("scalar/brent-zero", "bracket", 2e-12, _RTOL, 100),
    "brenth": Method("scalar/brent-zero", "bracket", 2e-12, _RTOL, 100, 1.0),
    "ridder": Method("scalar/ridders", "bracket", 2e-12, _RTOL, 100),
    "newton": Method("scalar/newton", "x0", 1.48e-8, 0.0, 50, derivatives=1),
    "secant": Method("scalar/secant", "x0", 1.48e-8, 0.0, 50),
    "halley": Method("scalar/newton", "x0", 1.48e-8, 0.0, 50, derivatives=2),
}
_NAMES = ("f", "fprime", "fprime2")
_float64: Any = None


def float64():
    """numpy.float64; NumPy is imported when it is asked for."""
    global _float64
    if _float64 is None:
        import numpy

        _float64 = numpy.float64
    return _float64


def root_scalar(f, args=(), method=None, bracket=None, fprime=None, fprime2=None, x0=None, x1=None, xtol=None,
                rtol=None, maxiter=None, options=None):  # fmt: skip
    """Find a root of a function of one variable.

    The arguments and the result are those of ``scipy.optimize.root_scalar``; the algorithms are compiled.

    Parameters
    ----------
    f : callable
        ``f(x, *args) -> float``: a Python function, one compiled by ``numba.njit``, or a C function
        (``numba.cfunc``, ctypes, cffi, ``scipy.LowLevelCallable``) ``double f(double)`` or
        ``double f(double, void *user_data)``.
    args : tuple
        Extra arguments of f and its derivatives.
    method : str, optional
        With a bracket: ``'bisect'``, ``'brentq'`` (the default), ``'brenth'``, ``'ridder'``. From a point:
        ``'newton'`` (without ``fprime`` the secant method), ``'secant'``, ``'halley'``.
    bracket : sequence of 2 floats, optional
        Ends, in either order, of an interval where f changes its sign.
    fprime, fprime2 : callable or bool, optional
        The first and second derivative; True where f returns (f, f') or (f, f', f'').
    x0, x1 : float, optional
        The point to start at, and a second one for the secant method.
    xtol, rtol : float, optional
        The absolute and the relative tolerance on x; by default 2e-12 and four times the rounding unit with a
        bracket, 1.48e-8 and 0 from a point.
    maxiter : int, optional
        The most iterations; 100 with a bracket, 50 from a point.
    options : dict, optional
        ``xtol``, ``rtol``, ``maxiter`` again; ``disp``: print how the run ended.

    Returns
    -------
    RootResults
        With ``root``, ``converged``, ``flag``, ``iterations``, ``function_calls``, ``method``, ``status``.

    Raises
    ------
    ValueError
        Where f has the same sign at both ends, or an argument is wrong.

    See Also
    --------
    jit_root_scalar : the same inside compiled code

    Examples
    --------
    >>> import numopt
    >>> r = numopt.root_scalar(lambda x: x**3 - 2, bracket=[0, 2])
    >>> round(r.root, 10), r.converged
    (1.2599210499, True)
    >>> r = numopt.root_scalar(lambda x: (x**3 - 2, 3 * x**2), x0=1.0, fprime=True)
    >>> round(r.root, 10), r.method
    (1.2599210499, 'newton')
    """
    if type(args) is not tuple:
        args = tuple(args) if isinstance(args, tuple) else (args,)
    disp = False
    check_options(options)
    if options:
        xtol, rtol, maxiter, disp = _read(options, xtol, rtol, maxiter)
    if method is None:
        if bracket is not None:
            method = "brentq"
        elif x0 is not None:
            method = "secant" if not fprime else "halley" if fprime2 else "newton"
        else:
            raise ValueError("root_scalar needs a bracket or x0, and got neither")
    row = ROOT_METHODS.get(method)
    if row is None:
        method = _find(method)
        row = ROOT_METHODS[method]
    xtol = row.xtol if xtol is None else tolerance(xtol, "xtol", strict=True)
    if rtol is None:
        rtol = row.rtol
    else:
        rtol = tolerance(rtol, "rtol", _RTOL if row.begin == "bracket" else 0.0)
    maxiter = row.maxiter if maxiter is None else iterations(maxiter)
    if row.begin == "bracket":
        if bracket is None:
            raise ValueError(f"bracket is needed for method {method!r}: two points where f has opposite signs")
        a, b = numbers(bracket, "bracket", (2,))
        bound = Callables((f,), _NAMES, args, float)
        p = Scalars(a, b, xtol, rtol, maxiter, row.variant)
    else:
        if x0 is None:
            raise ValueError(f"x0 is needed for method {method!r}")
        x0 = number(x0, "x0")
        if method == "newton" and not fprime:
            method, row = "secant", ROOT_METHODS["secant"]
        if row.derivatives:
            bound, p = _with_derivatives(row, method, f, fprime, fprime2, args, x0, xtol, rtol, maxiter)
        else:
            x1 = float("nan") if x1 is None else number(x1, "x1")
            if x1 == x0:
                raise ValueError(f"x1 and x0 must be different; both are {x0!r}")
            bound = Callables((f,), _NAMES, args, float64())
            p = Scalars(x0, x1, xtol, rtol, maxiter)
    run_unit(row.unit, bound, p)
    root, _, status, nit, calls = p[:5]
    status = int(status)
    if status == NO_SIGN_CHANGE:
        raise ValueError(
            f"f(a) and f(b) must have different signs; bracket={[a, b]} gives values of the same sign"
            if a != b
            else f"bracket must be an interval; got {[a, b]}, and f is not zero there"
        )
    result = RootResults(
        root=root, iterations=int(nit), function_calls=int(calls), converged=status == CONVERGED,
        flag="converged" if status == CONVERGED else _flag(status, root), method=method, status=STATUSES[status],
    )  # fmt: skip
    if disp:
        print(f"{method}: {result.flag}; root {root!r}, {result.iterations} iterations, {int(calls)} calls")
    return result


def _flag(status, root):
    if status == NAN:
        return f"The function value at x={root} is NaN or infinite; solver cannot continue."
    if status == FLAT:
        return f"convergence error: the derivative is zero at x={root}"
    return "convergence error" if status == MAXITER else STATUSES[status].message


def _find(method):
    name = method.lower() if isinstance(method, str) else method
    if not isinstance(name, str) or name not in ROOT_METHODS:
        raise ValueError(f"Unknown solver {method!r}; methods of root_scalar are {', '.join(ROOT_METHODS)}")
    return name


def _read(options, xtol, rtol, maxiter):
    """xtol, rtol, maxiter, disp; what ``options`` says goes before."""
    known = {"xtol": xtol, "rtol": rtol, "maxiter": maxiter, "disp": False, "full_output": True}
    for name, value in dict(options).items():
        key = "xtol" if name == "tol" else name
        if key not in known:
            raise TypeError(f"unknown option {name!r} of root_scalar; options are xtol, rtol, maxiter, disp")
        known[key] = value
    return known["xtol"], known["rtol"], known["maxiter"], known["disp"]


def _with_derivatives(row, method, f, fprime, fprime2, args, x0, xtol, rtol, maxiter):
    import ctypes

    halley = row.derivatives == 2
    if halley and not (fprime and fprime2):
        raise ValueError(f"fprime and fprime2 are needed for method {method!r}")
    together = 1
    if not callable(fprime):
        together = 3 if halley and not callable(fprime2) else 2
    elif halley and not callable(fprime2):
        together = 3  # f returns all three, whatever fprime is
    first = fprime if together == 1 else None
    second = fprime2 if halley and together < 3 else None
    bound = Callables((f, first, second), _NAMES, args, float64(), together)
    combined = 1  # numopt.scalar.call.COMBINED
    p = Scalars(x0, xtol, rtol, maxiter)
    words = (ctypes.c_int64 * 2).from_buffer(p, 4 * 8)
    words[0] = combined if together > 1 else bound.addresses[1]
    words[1] = 0 if not halley else combined if together == 3 else bound.addresses[2]
    return bound, p
