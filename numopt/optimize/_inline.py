"""Solvers that can be called inside the user's own compiled functions."""

import math

import numpy as np
from numba import njit

from numopt.catalog import LINE_SEARCHES
from numopt.constrained_catalog import find_constrained
from numopt.drivers.units import source
from numopt.kernels import slots as s
from numopt.kernels.bounds import projected_norm
from numopt.kernels.oracle import Run, lower_bounds, upper_bounds, vector
from numopt.kernels.vectors import norm
from numopt.optimize._inline_constrained import constrained_solver
from numopt.optimize._minimize import new_state
from numopt.optimize._options import find_method, read_options

_best_point = njit(s.best_point)


def solver_parts(method, options):
    """(catalogue row, compiled loop, line search, counters, scalars) of a solver, for use in compiled code."""
    row = find_method(method or "bfgs")
    values, front = read_options(row, options, None, 1)
    for name in front:
        if name != "line_search":
            raise ValueError(f"option {name!r} has no meaning inside compiled code")
    for name in ("n_terms", "l1", "l2"):
        if values.get(name):
            raise ValueError(f"option {name!r} has no meaning inside compiled code: let fun be the whole objective")
    words, p0 = new_state(row, values)
    c0 = words[: s.N_COUNTERS]
    name = front.get("line_search", row.line_search)
    if name:
        c0[s.LINE_SEARCH], unit = LINE_SEARCHES[name]
        search = source(unit)
    else:
        search = _no_search
    p0[s.DEADLINE] = math.inf
    c0[s.TICK_IN], c0[s.PAUSE_AT] = 2**62, 2**62
    run = source(row.unit)
    return row, run, search, c0, p0


def jit_solver(method="bfgs", **options):
    """A solver to call inside ``numba.njit`` functions, parallel loops included.

    Parameters
    ----------
    method : str
        As for :func:`numopt.minimize`.
    **options
        The method's options, fixed in the solver: ``gtol``, ``maxiter``, ``line_search``, ...

    Returns
    -------
    solve : jitted function
        ``solve(fun, x0, data=None, hess=None, lower=None, upper=None, hessp=None)``, which returns
        ``(x, f, gnorm, status, nit, nfev)``.
        ``fun(x, g, data) -> float`` is a jitted function that writes the gradient to g; for methods that need no
        gradients it is ``fun(x, data) -> float``, and ``gnorm`` is NaN.  ``data`` is whatever it needs, an array or a
        tuple; ``hess(x, H, data)`` (for Newton's methods and trust regions) writes the Hessian to the flat array H,
        row by row; for coordinate descent H is its diagonal.  Methods that ask for products only take instead
        ``hessp(x, v, out, data)``, which writes the Hessian's product with v to ``out``.  ``lower`` and ``upper`` are
        arrays, for methods that take bounds: both or none, -inf and inf where there is no bound.  The number ``status``
        is that of :class:`numopt.Status`.

    Notes
    -----
    The solver is compiled together with ``fun``, anew for each objective: some seconds, in exchange for a call
    without any overhead.  Outside compiled code :func:`numopt.minimize` starts at once.

    Examples
    --------
    >>> import numba, numpy as np, numopt
    >>> lbfgs = numopt.jit_solver('lbfgs', gtol=1e-8)
    >>> @numba.njit
    ... def distance(x, g, data):
    ...     f = 0.0
    ...     for i in range(x.size):
    ...         g[i] = 2 * (x[i] - data[i])
    ...         f += (x[i] - data[i])**2
    ...     return f
    >>> @numba.njit(parallel=True)
    ... def all_of_them(targets):
    ...     out = np.empty_like(targets)
    ...     for k in numba.prange(len(targets)):
    ...         out[k] = lbfgs(distance, np.zeros(targets.shape[1]), targets[k])[0]
    ...     return out
    >>> all_of_them(np.array([[1.0, 2.0], [3.0, 4.0]])).round(6).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    constrained = find_constrained(method)
    if constrained is not None:
        return constrained_solver(constrained, options)
    row, run, search, c0, p0 = solver_parts(method, options)
    run_bounded, m = source(row.unit_for(True)), int(c0[s.MEMORY])
    # (n-vectors, n x n matrices, single words) without bounds and with them
    vectors, matrices, small = row.vectors + s.N_COMMON + row.kept[0] * m, row.matrices, row.words(0, m)
    bounded_matrices, bounded_small = matrices + row.bounded_matrices, row.words(0, m, True)
    products, per_variable, second_order, values_only = (
        row.products,
        row.iterations(1),
        row.second_order,
        row.values_only,
    )
    takes_bounds = row.bounds
    no_bounds = f"method {row.name!r} takes no bounds"
    bad_bounds = "lower and upper must be arrays of the length of x0, with lower <= upper, lower < inf, upper > -inf"
    needs = f"method {row.name!r} needs hess(x, H, data) as the fourth argument" + (
        ", or hessp(x, v, out, data)" if products else ""
    )

    @njit(error_model="numpy", nogil=True)
    def solve(fun, x0, data=None, hess=None, lower=None, upper=None, hessp=None):
        if second_order and hess is None and (hessp is None or not products):
            raise ValueError(needs)
        n = x0.size
        c, p = c0.copy(), p0.copy()
        if lower is not None and upper is not None:
            if not takes_bounds:
                raise ValueError(no_bounds)
            right = lower.size == n and upper.size == n and (lower <= upper).all()
            if not (right and (lower < np.inf).all() and (upper > -np.inf).all()):
                raise ValueError(bad_bounds)
            w, h = np.empty((vectors + 3) * n + bounded_matrices * n * n + bounded_small), np.empty(1)
            c[s.BOUNDED] = 1
            w[w.size - 3 * n : w.size - 2 * n] = 1.0
            w[w.size - 2 * n : w.size - n] = lower
            w[w.size - n :] = upper
            for i in range(n):
                w[i] = min(max(x0[i], lower[i]), upper[i])
        elif lower is not None or upper is not None:
            raise ValueError(bad_bounds)
        else:
            kept = 0 if products and hess is None else matrices
            w, h = np.empty(vectors * n + kept * n * n + small), np.empty(1)
            w[:n] = x0
            c[s.DENSE] = products and hess is not None
        c[s.N] = n
        if c[s.MAXFEV] < 0:
            c[s.MAXFEV] = per_variable * n
        if c[s.MAXITER] < 0:
            c[s.MAXITER] = per_variable * n
        if values_only:
            R = Run(None, fun, None, hess, None, data, search, 0, 0, c, p, w, h)
        else:
            R = Run(fun, None, None, hess, hessp, data, search, 0, 0, c, p, w, h)
        if lower is not None and upper is not None:
            run_bounded(R)
        else:
            run(R)
        k, j, f = _best_point(c, p)
        if values_only:
            gnorm = np.nan
        elif lower is not None and upper is not None:
            x, g = vector(R, k), vector(R, j)
            gnorm = projected_norm(x, g, lower_bounds(R), upper_bounds(R), p[s.NORM_ORDER])
        else:
            gnorm = norm(vector(R, j), p[s.NORM_ORDER])
        return w[k * n : (k + 1) * n].copy(), f, gnorm, c[s.STATUS], c[s.NIT], c[s.NFEV]

    return solve


@njit
def _no_search(R):
    return 0.0
