"""``least_squares_batch``: many sums of squares by one call."""

import importlib
from functools import lru_cache

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.pointers import address_of
from numopt.callbacks.residuals import dense
from numopt.kernels.status import LeastSquaresStatus
from numopt.optimize._batch import read_device
from numopt.optimize._batch_covariance import covariances
from numopt.optimize._batch_cuda import on_cuda
from numopt.optimize._batch_input import Arguments, Each, check_each, on_device, read_starts
from numopt.optimize._batch_problem import SquaresProblem
from numopt.optimize._batch_result import BatchResult
from numopt.optimize._batch_run import read_chunk_size, read_dtype
from numopt.optimize._batch_squares_arrays import Results
from numopt.optimize._batch_squares_run import solve
from numopt.optimize._least_squares import (
    check_jac,
    check_loss,
    find_squares_method,
    least_squares,
    read_box,
    read_count,
    read_fixed,
    read_options,
    read_scale,
    read_steps,
    read_ties,
    read_tolerances,
)
from numopt.optimize._runs import read_limit
from numopt.optimize._variables import Variables

_REFUSED = {"history": "least_squares records one for a single problem",
            "return_all": "least_squares keeps the iterates of a single problem",
            "max_time": "it is an argument of a batch, for all problems together"}  # fmt: skip
_NO_BOUNDS = (-np.inf, np.inf)
_LOOKED_AT = 100  # problems that are asked for how many residuals there are, where functions raise


def least_squares_batch(fun, X0, jac="2-point", bounds=(float("-inf"), float("inf")), method="lm", ftol=1e-8, xtol=1e-8,
                        gtol=1e-8, x_scale=None, loss="linear", f_scale=1.0, diff_step=None, max_nfev=None, args=(), *,
                        m=None, options=None, covariance=True, device="cpu", dtype=None, n_threads=None,
                        chunk_size=None, max_time=None, progress=False, client=None):  # fmt: skip
    """Minimise many sums of squares of the same form, each on its own.

    On the CPU the result of each problem is that of :func:`least_squares` to the last bit, whatever the other problems
    are, the number of threads, and the size of the chunks.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> array (m,)``, the residuals, as for :func:`least_squares`; or, where ``m`` is given,
        ``fun(x, r, *args)``, which sets them and returns nothing.  Functions compiled by ``numba.njit`` (and C
        functions, with shared data) are solved on all threads, without a return to Python between problems; Python
        functions one after the other, with a warning.
    X0 : array_like, shape (n_problems, n) or (n,)
        The starts, within the bounds, one a row; or one for all problems, where an argument is marked by :func:`each`.
        A start that is not finite gives its problem the status NAN.
    jac : {'2-point', '3-point', 'cs', callable}, default '2-point'
        As for :func:`least_squares`; where ``m`` is given ``jac(x, J, *args)`` sets J (m, n), and there
        is no ``'cs'``.
    bounds : (array_like, array_like) or object with ``lb`` and ``ub``, default no bounds
        As for :func:`least_squares`, each side a number, (n,), or (n_problems, n) for bounds of each problem.
    method, ftol, xtol, gtol, x_scale, loss, f_scale, diff_step, max_nfev : optional
        As for :func:`least_squares`, for all problems.
    args : tuple, optional
        Extra arguments of fun and jac.  What is marked by :func:`each` is the problem's own, ``each(a)`` its ``a[i]``;
        all others are shared.
    m : int or array_like of int, shape (n_problems,), optional
        How many residuals there are, for functions that set them.
    options : dict, optional
        ``maxiter``, ``factor``, ``geodesic``, ``accel_max``, ``fixed``, ``tied``, and ``m`` of C functions, as for
        :func:`least_squares`; fixed variables keep what X0 has for them.
    covariance : bool, default True
        Whether to compute covariances: n * n numbers for each problem, and with a robust loss one Jacobian more.
    device : {'cpu', 'cuda', 'auto'}
        Where the problems are solved; ``'auto'`` is a CUDA GPU where there is one that takes such problems.
    dtype : {None, 'float32', 'float64'}
        Of the results; real data in arrays is then handed to the functions in double precision on the CPU, in this one
        on a GPU.  Default: double precision, and data as they are.
    n_threads, chunk_size, max_time, progress, client : optional
        As for :func:`minimize_batch`.

    Returns
    -------
    BatchResult
        Arrays, one row a problem: ``x``, ``cost``, ``grad``, ``optimality``, ``active_mask``, ``status`` (numbers of
        :class:`numopt.LeastSquaresStatus`), ``success``, ``nit``, ``nfev``, ``njev``, ``covariance`` and ``stderr``.
        Residuals and Jacobians are not kept.

    Raises
    ------
    TypeError, ValueError
        For an argument that can't be used, before any work starts.
    KeyboardInterrupt
        On Ctrl-C, with the results so far as its attribute ``result``.

    Notes
    -----
    The covariance of x, with J at the end and the loss in it as in ``least_squares(...).jac``, of problems with m
    residuals and n variables that are not fixed or tied:

    .. math:: C = (J^T J)^{-1} \\frac{2\\, cost}{m - n}                                                              (1)

    It is infinite where J does not determine it or m is no larger than n, NaN where a problem has no end to take it
    at.  ``stderr`` is the root of its diagonal: 0 for fixed variables, NaN for those at a bound.

    What goes wrong with one problem is its status, and touches no other: NAN where residuals are not finite at the
    start, MAX_NFEV, NO_STEP, ...; FAILED where a function has raised an exception for it, of which a warning quotes the
    first.  Problems with variables fixed by bounds of their own, a loss that is a function, and residuals whose squares
    overflow go one by one through :func:`least_squares`.

    See Also
    --------
    curve_fit_batch : a model of data, and rows of it at a time.
    each : marks the arguments that differ from problem to problem.

    Examples
    --------
    >>> import numba, numpy as np, numopt
    >>> @numba.njit
    ... def decay(x, t, y):
    ...     return x[0] * np.exp(-x[1] * t) - y
    >>> t = np.linspace(0, 2, 20)
    >>> Y = np.array([[3.0], [2.0], [1.0]]) * np.exp(-np.array([[1.5], [1.0], [0.5]]) * t)
    >>> result = numopt.least_squares_batch(decay, [1.0, 1.0], args=(t, numopt.each(Y)))
    >>> result.x.round(6).tolist()
    [[3.0, 1.5], [2.0, 1.0], [1.0, 0.5]]
    """
    where = read_device(device) if client is None else "cpu"  # the workers look for theirs
    args = args if isinstance(args, tuple) else (args,)
    many = m is not None and np.ndim(m) == 1
    starts, count = read_starts(X0, (*args, Each(np.asarray(m), None)) if many else args)
    n = starts.shape[1]
    check_each(args, count, where)
    if where == "cpu" and on_device(starts):
        raise TypeError("X0 lies on a GPU; give device='cuda', or bring it to the host")
    starts = np.asarray(starts, float)
    row, tolerances = find_squares_method(method), read_tolerances(ftol, xtol, gtol)
    check_loss(loss, f_scale)
    jac = check_jac(jac)
    max_nfev = 100 * n if max_nfev is None else read_count("max_nfev", max_nfev)
    front = check_options(options)
    check_geodesic(front, row)
    if not (callable(fun) or address_of(fun) is not None):
        raise TypeError(f"fun must be callable or a C function pointer, not {type(fun).__name__}")
    fixed, ties = front.pop("fixed", None), front.pop("tied", None)
    held = [] if fixed is None else read_fixed(fixed, n)
    ties = None if ties is None else read_ties(ties, [f"x{j}" for j in range(n)])
    lower, upper = read_boxes(bounds, count, n, "X0")
    check_starts(starts, lower, upper, ties, "X0", [f"x[{j}]" for j in range(n)])
    scale = read_scale(row.defaults.get("x_scale") if x_scale is None else x_scale, n)
    problem = SquaresProblem(
        kind="residuals" if m is None else "inplace", fun=fun, jac=jac, row=row, X0=starts, args=args, lower=lower,
        upper=upper, held=held, ties=ties, loss=loss, f_scale=float(f_scale),
        steps=None if diff_step is None else read_steps(diff_step, n), scale=scale, tolerances=tuple(tolerances),
        max_nfev=max_nfev, options=front, covariance=bool(covariance), dtype=read_dtype(dtype), n_threads=n_threads,
        chunk_size=read_chunk_size(chunk_size), max_time=read_limit(max_time), progress=bool(progress),
    )  # fmt: skip
    if m is not None:
        _read_rows(problem, m)
    if client is not None:
        spread = importlib.import_module("numopt.dask._batch").spread
        return spread(least_squares_batch, fun, X0, jac, bounds, method, ftol, xtol, gtol, x_scale, loss, f_scale,
                      diff_step, max_nfev, args, client=client, m=m, options=options, covariance=covariance,
                      device=device, dtype=dtype, n_threads=n_threads, chunk_size=chunk_size, max_time=max_time,
                      progress=progress)  # fmt: skip
    if where == "cuda":
        found = on_cuda(problem, first_variables(problem), lambda found: result_of(problem, found), device == "auto")
        if found is not None:
            return result_of(problem, found)
    if count == 0:
        return result_of(problem, Results(problem))
    if m is not None:
        own = problem.m if problem.lengths is None else Each(problem.lengths, None)
        fun, jac, args = in_place(fun, len(args)), in_place(jac, len(args), n), (own, *args)
        problem.fun, problem.jac, problem.args = fun, jac, args
    elif kind_of(fun) == "pointer":
        if any(isinstance(arg, Each) for arg in args):
            raise TypeError("a C function gets the same data for all problems: args can't be marked by each")
        if "m" not in front:
            raise ValueError("a C function needs options={'m': number of residuals}")
        problem.m = front["m"]
    else:
        _find_rows(problem)
    free = first_variables(problem).free.size
    if row.name == "lm" and problem.m < free:
        raise ValueError(
            f"method 'lm' needs at least as many residuals as variables; got {problem.m} and {free}: "
            "'marquardt' and 'gauss-newton' take fewer"
        )

    def single(i, clock):
        box = bounds if lower is None else (lower, upper) if lower.ndim == 1 else (lower[i], upper[i])
        result = least_squares(
            fun, starts[i], jac, box, method, ftol, xtol, gtol, x_scale, loss, f_scale, diff_step, max_nfev=max_nfev,
            args=_arguments(problem, i), options=clock.options(options),
        )  # fmt: skip
        return _with_covariance(problem, i, box, result)

    return result_of(problem, solve(problem, single, lambda results: result_of(problem, results)))


def result_of(problem, results):
    """The arrays of a batch as what is returned."""
    more = {"names": problem.names} if problem.names else None
    return BatchResult(results.arrays(problem.dtype), LeastSquaresStatus, more)


def first_variables(problem):
    """The variables of the first problem that has a start; bounds of each problem do not fix any here."""
    lower, upper = np.full(problem.n, -np.inf), np.full(problem.n, np.inf)
    if problem.lower is not None and problem.lower.ndim == 1:
        lower, upper = problem.lower, problem.upper
    x = np.array(problem.X0[int(np.isfinite(problem.X0).all(axis=1).argmax())])
    return Variables(x, lower, upper, problem.held or None, problem.ties, problem.names or None)


def _arguments(problem, i):
    return Arguments(problem.args, problem.dtype).of(i)


def _with_covariance(problem, i, box, result):
    """A single call's result with its covariance."""
    found = dict(result)
    if problem.covariance:
        lower, upper = (np.array(np.broadcast_to(side, problem.n), float) for side in read_box(box, problem.n, "X0"))
        v = Variables(np.array(problem.X0[i]), lower, upper, problem.held or None, problem.ties)
        found["fixed"], k = v.fixed, v.free.size
        if k == 0:
            found["covariance"] = np.zeros((problem.n, problem.n))
        elif result.jac is not None:
            J = np.asarray(dense(result.jac, problem.n))[:, v.free]
            R = np.linalg.qr(J, mode="r") if np.isfinite(J).all() else np.full((k, k), np.nan)
            T = np.zeros((1, k, k + 1))
            T[0, : len(R), :k] = R
            found["covariance"] = covariances(problem, v, T, np.array([result.cost]), len(J), np.zeros(1, bool))[0]
    return found


def check_options(options):
    """Checked options of the runs."""
    if isinstance(options, dict):
        for name, instead in _REFUSED.items():
            if options.get(name):
                raise TypeError(f"option {name!r} makes no sense in a batch; {instead}")
    return read_options(options)


def check_geodesic(front, row):
    """ValueError for options of another method."""
    if "geodesic" in front and not row.geodesic:
        raise ValueError(f"'geodesic' is an option of 'lm' and 'marquardt'; got method {row.name!r}")
    if "accel_max" in front and "geodesic" not in front:
        raise ValueError("option 'accel_max' needs 'geodesic': it bounds the acceleration")


def read_boxes(bounds, count, n, beside):
    """(lower, upper): shared (n,), of each problem (count, n), or None and None without any."""
    sides = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") and hasattr(bounds, "ub") else bounds
    try:
        low, high = (side.array if isinstance(side, Each) else side for side in sides)
        own = any(np.ndim(side) == 2 or isinstance(given, Each) for side, given in zip((low, high), sides, strict=True))
    except (TypeError, ValueError):
        own = False
    if not own:
        lower, upper = read_box(bounds, n, beside)
        return (lower, upper) if np.isfinite(lower).any() or np.isfinite(upper).any() else (None, None)
    found = []
    for name, side in (("lower", low), ("upper", high)):
        side = np.asarray(side, float)
        if side.shape not in ((), (n,), (count, n)):
            raise ValueError(
                f"bounds: the {name} bounds must have shape {(count, n)}, one row for each problem, or {(n,)}; "
                f"got {side.shape}"
            )
        found.append(np.array(np.broadcast_to(side, (count, n))))
    lower, upper = found
    bad = np.isnan(lower) | np.isnan(upper) | (lower > upper) | (lower == np.inf) | (upper == -np.inf)
    if bad.any():
        i, j = (int(k[0]) for k in np.nonzero(bad))
        raise ValueError(
            f"bounds of problem {i}: the lower bound of variable {j}, {lower[i, j]:g}, and the upper, "
            f"{upper[i, j]:g}, are crossed or NaN"
        )
    return lower, upper


def check_starts(X0, lower, upper, ties, name, names):
    """ValueError for a start outside of its bounds; a tied variable's value is none."""
    if lower is None:
        return
    outside = (X0 < lower) | (X0 > upper)
    outside[:, list(ties or ())] = False
    if outside.any():
        i, j = (int(k[0]) for k in np.nonzero(outside))
        low, high = (np.broadcast_to(side, X0.shape)[i, j] for side in (lower, upper))
        raise ValueError(
            f"{name} is infeasible: {names[j]} = {X0[i, j]:g} of problem {i} is outside of its bounds "
            f"({low:g}, {high:g})"
        )


def _read_rows(problem, m):
    """Set how many residuals there are."""
    given = np.asarray(m)
    if given.dtype.kind not in "iu" or given.ndim > 1 or (given.ndim and given.shape != (problem.count,)):
        raise TypeError(f"m must be an integer, or one for each of {problem.count} problems; got {m!r:.60}")
    if given.size and given.min() < 1:
        raise ValueError(f"m must be at least 1; got {int(given.min())}")
    problem.m = int(given.max(initial=1))
    problem.lengths = np.ascontiguousarray(given, np.int64) if given.ndim else None


def _find_rows(problem):
    """The same by asking the function, once for all that have data of the same lengths."""
    ragged = [arg.lengths for arg in problem.args if isinstance(arg, Each) and arg.lengths is not None]
    if kind_of(problem.fun) == "jitted":
        from numopt.callbacks import arguments, jitted, jitted_residuals

        # compiled and checked first: what does not compile is said in one line
        given = _arguments(problem, 0)
        jitted_residuals.residuals(jitted.with_arguments(problem.fun, 1 + len(given)), arguments.types_of(given))
    if not ragged:
        problem.m = _rows(problem, range(min(problem.count, _LOOKED_AT)))
        return
    kinds, which = np.unique(np.stack(ragged), axis=1, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    first = np.searchsorted(which.ravel()[order], np.arange(kinds.shape[1]))
    ends = np.minimum(np.append(first[1:], problem.count), first + _LOOKED_AT)
    rows = [_rows(problem, order[a:z].tolist()) for a, z in zip(first, ends, strict=True)]
    problem.lengths = np.array(rows, np.int64)[which.ravel()]
    problem.m = max(rows)


def _rows(problem, those):
    """How many residuals the first of some problems has whose function does not raise."""
    raised = None
    for i in those:
        try:
            r = np.atleast_1d(np.asarray(problem.fun(np.array(problem.X0[i]), *_arguments(problem, i))))
        except Exception as error:
            raised = raised or error
            continue
        if r.ndim != 1 or r.size == 0:
            raise ValueError(f"fun must return at least one residual, as a 1-D array; it returned shape {r.shape}")
        if r.dtype.kind not in "fiubc":
            raise TypeError(f"fun must return real numbers; it returned {r.dtype} data")
        return r.size
    raise raised


@lru_cache(maxsize=256)
def in_place(function, count, n=None):
    """``function(x, out, *args)`` as one of ``(x, m, *args)`` that returns what it sets: (m,), or (m, n)."""
    if not callable(function):
        if function == "cs":
            raise ValueError("jac='cs' needs a fun that returns its residuals; leave m out")
        return function
    names = "".join(f", a{k}" for k in range(count))
    text = f"def returned(x, m{names}):\n    out = np.zeros({'m' if n is None else f'(m, {n})'})\n"
    text += f"    function(x, out{names})\n    return out\n"
    scope = {"np": np, "function": function}
    exec(text, scope)
    if kind_of(function) != "jitted":
        return scope["returned"]
    from numba import njit

    return njit(scope["returned"])
