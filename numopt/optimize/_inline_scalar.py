"""Roots and minima of functions of one variable inside the user's own compiled functions."""

import math

from numba import njit
from numba.core import types
from numba.extending import overload

from numopt.optimize._minimize_scalar import SCALAR_METHODS
from numopt.optimize._minimize_scalar import _find as find_minimum
from numopt.optimize._root_scalar import _RTOL, ROOT_METHODS
from numopt.optimize._root_scalar import _find as find_root
from numopt.optimize._scalar_run import iterations, tolerance
from numopt.scalar.bisection import bisection
from numopt.scalar.brent_zero import brent_zero
from numopt.scalar.golden_section import golden_section
from numopt.scalar.localmin import bounded, brent
from numopt.scalar.newton_root import newton_root
from numopt.scalar.ridders import ridders
from numopt.scalar.secant import secant

_jit = njit(error_model="numpy", nogil=True)


def _third(bracket):
    return float(bracket[2]) if len(bracket) == 3 else math.nan


@overload(_third)
def _third_of(bracket):
    if isinstance(bracket, types.BaseTuple) and len(bracket) == 2:
        return lambda bracket: math.nan
    if isinstance(bracket, types.BaseTuple):
        return lambda bracket: float(bracket[2])
    return lambda bracket: float(bracket[2]) if len(bracket) == 3 else math.nan


def jit_root_scalar(method="brentq", xtol=None, rtol=None, maxiter=None):
    """A root finder to call inside ``numba.njit`` functions, parallel loops included.

    Parameters
    ----------
    method : str
        As for :func:`numopt.root_scalar`.
    xtol, rtol, maxiter : optional
        As for :func:`numopt.root_scalar`, fixed in the solver.

    Returns
    -------
    solve : jitted function
        * ``'bisect'``, ``'brentq'``, ``'brenth'``, ``'ridder'``: ``solve(f, a, b, args=())``;
        * ``'newton'``: ``solve(f, x0, args=(), fprime=None)``; without fprime f returns (f, f');
        * ``'halley'``: ``solve(f, x0, args=(), fprime=None, fprime2=None)``; without them f returns (f, f', f'');
        * ``'secant'``: ``solve(f, x0, x1=nan, args=())``.

        Each returns ``(root, status, iterations, calls)`` and raises nothing; the number ``status`` is that of
        :class:`numopt.ScalarStatus`, 0 where the tolerance is met.  ``f(x, *args)`` is a jitted function.

    Notes
    -----
    Compiled together with f, which may be inlined.  Outside compiled code :func:`numopt.root_scalar` starts at once.

    Examples
    --------
    >>> import math, numba, numpy as np, numopt
    >>> brentq = numopt.jit_root_scalar('brentq')
    >>> @numba.njit
    ... def kepler(E, M, e):
    ...     return E - e * math.sin(E) - M
    >>> @numba.njit(parallel=True)
    ... def anomalies(M, e):
    ...     E = np.empty_like(M)
    ...     for k in numba.prange(M.size):
    ...         E[k] = brentq(kepler, M[k] - e, M[k] + e, (M[k], e))[0]
    ...     return E
    >>> anomalies(np.array([0.5, 1.0, 2.0]), 0.3).round(6).tolist()
    [0.69125, 1.288091, 2.236031]
    """
    method = find_root(method)
    row = ROOT_METHODS[method]
    xtol = row.xtol if xtol is None else tolerance(xtol, "xtol", strict=True)
    least = _RTOL if row.begin == "bracket" else 0.0
    rtol = row.rtol if rtol is None else tolerance(rtol, "rtol", least)
    maxiter = row.maxiter if maxiter is None else iterations(maxiter)
    return _root_solver(method, xtol, rtol, maxiter)


def _root_solver(method, xtol, rtol, maxiter):
    if method in ("brentq", "brenth"):
        hyperbolic = method == "brenth"

        @_jit
        def solve(f, a, b, args=()):
            return brent_zero(f, float(a), float(b), args, hyperbolic, xtol, rtol, maxiter)
    elif method == "bisect":

        @_jit
        def solve(f, a, b, args=()):
            return bisection(f, float(a), float(b), args, xtol, rtol, maxiter)
    elif method == "ridder":

        @_jit
        def solve(f, a, b, args=()):
            return ridders(f, float(a), float(b), args, xtol, rtol, maxiter)
    elif method == "newton":

        @_jit
        def solve(f, x0, args=(), fprime=None):
            return newton_root(f, fprime, False, None, float(x0), args, xtol, rtol, maxiter)
    elif method == "halley":

        @_jit
        def solve(f, x0, args=(), fprime=None, fprime2=None):
            return newton_root(f, fprime, fprime2, None, float(x0), args, xtol, rtol, maxiter)
    else:

        @_jit
        def solve(f, x0, x1=math.nan, args=()):
            return secant(f, float(x0), float(x1), args, xtol, rtol, maxiter)

    return solve


def jit_minimize_scalar(method="brent", **options):
    """A minimiser of functions of one variable to call inside ``numba.njit`` functions, parallel loops included.

    Parameters
    ----------
    method : str
        ``'brent'``, ``'bounded'`` or ``'golden'``.
    **options
        ``xtol`` (``'bounded'``: ``xatol``) and ``maxiter``, as for :func:`numopt.minimize_scalar`.

    Returns
    -------
    solve : jitted function
        ``solve(fun, bracket, args=()) -> (x, f, status, nit, nfev)``; ``bracket`` is a tuple of two points to
        seek a bracket from, or of three that are one; for ``'bounded'`` the two bounds.  Nothing is raised; the number
        ``status`` is that of :class:`numopt.ScalarStatus`.

    Examples
    --------
    >>> import numba, numopt
    >>> brent = numopt.jit_minimize_scalar('brent')
    >>> @numba.njit
    ... def quartic(x, a):
    ...     return (x - a)**4 + x * x
    >>> @numba.njit
    ... def minimum(a):
    ...     return brent(quartic, (0.0, 1.0), (a,))[0]
    >>> round(minimum(2.0), 6)
    1.164878
    """
    method, (name, xtol, maxiter) = find_minimum(method)[0], SCALAR_METHODS[find_minimum(method)[0]]
    for key in options:
        if key not in (name, "maxiter"):
            raise TypeError(f"unknown option {key!r} of jit_minimize_scalar({method!r}); options are {name}, maxiter")
    if name in options:
        xtol = tolerance(options[name], name)
    maxiter = iterations(options.get("maxiter", maxiter))

    if method == "bounded":

        @_jit
        def solve(fun, bounds, args=()):
            return bounded(fun, float(bounds[0]), float(bounds[1]), args, xtol, maxiter)
    elif method == "brent":

        @_jit
        def solve(fun, bracket, args=()):
            return brent(fun, float(bracket[0]), float(bracket[1]), _third(bracket), args, xtol, maxiter)
    else:

        @_jit
        def solve(fun, bracket, args=()):
            return golden_section(fun, float(bracket[0]), float(bracket[1]), _third(bracket), args, xtol, maxiter)

    return solve
