"""``curve_fit_batch``: a model fitted to many sets of data by one call."""

import importlib

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.optimize._batch import read_device
from numopt.optimize._batch_cuda import on_cuda
from numopt.optimize._batch_input import Each, on_device, read_lengths, refuse_masked
from numopt.optimize._batch_problem import SquaresProblem
from numopt.optimize._batch_run import read_chunk_size, read_dtype
from numopt.optimize._batch_squares import (
    check_geodesic,
    check_options,
    check_starts,
    first_variables,
    read_boxes,
    result_of,
)
from numopt.optimize._batch_squares_arrays import Results
from numopt.optimize._batch_squares_run import solve
from numopt.optimize._curve_fit import curve_fit, read_likelihood, read_run, read_settings
from numopt.optimize._fit_input import (
    check_finite_data,
    parameter_names,
    read_bounds,
    read_fixed,
    read_p0,
    read_sigma,
    read_start,
)
from numopt.optimize._fit_result import FitResult
from numopt.optimize._least_squares import check_jac, find_squares_method, read_tolerances
from numopt.optimize._runs import read_limit

_REFUSED = ("verbose", "callback", "tr_solver", "tr_options", "jac_sparsity", "workers")
_ROWS = 65536  # problems that are looked at together


def curve_fit_batch(f, xdata, Y, p0=None, sigma=None, absolute_sigma=False, bounds=(float("-inf"), float("inf")),
                    method=None, jac=None, *, lengths=None, fixed=None, tied=None, likelihood="gaussian",
                    nan_policy=None, covariance=True, device="cpu", dtype=None, n_threads=None, chunk_size=None,
                    max_time=None, progress=False, client=None, options=None, **kwargs):  # fmt: skip
    """Fit a model to many sets of data, each on its own.

    On the CPU the result of each problem is that of :func:`curve_fit` to the last bit (covariances: to rounding),
    whatever the other problems are, the number of threads, and the size of the chunks.

    Parameters
    ----------
    f : callable
        ``f(x, *params)``, as for :func:`curve_fit`.  Models compiled by ``numba.njit``, and those of
        :mod:`numopt.models`, are fitted on all threads, without a return to Python between problems; Python functions
        one after the other, with a warning.
    xdata : array_like, shape (m,) or (k, m), or each of them
        The predictors, shared by all problems; or ``each(a)`` with a of shape (n_problems, m) or (n_problems, k, m).
    Y : array_like, shape (n_problems, m)
        The data, one row a problem; ``numpy.memmap`` is read where it is, float32 a chunk at a time.
    p0 : array_like, dict, optional
        The starts: (n,) for all problems, or (n_problems, n); a dict of names and values, numbers or (n_problems,), may
        leave parameters out.  Default: the model's own guess for each problem (which takes some milliseconds), or 1, or
        the middle of the bounds.  A start that is not finite gives its problem the status NAN.
    sigma : float or array_like, optional
        Standard deviations: a number, (m,) for all problems, or ``each(a)`` with a of shape (n_problems, m) or
        (n_problems,); or the covariance matrix (m, m) of the data of all problems.
    absolute_sigma : bool, default False
        As for :func:`curve_fit`.
    bounds : (array_like, array_like), object with ``lb`` and ``ub``, or dict, default no bounds
        As for :func:`curve_fit`, or each side a number, (n,), or (n_problems, n) for bounds of each problem.
    method, jac : optional
        As for :func:`curve_fit`.
    lengths : array_like of int, shape (n_problems,), optional
        Only the first ``lengths[i]`` points of problem i count.
    fixed : dict or list of str, optional
        Parameters that keep a value (a dict: the given one, a list: that of p0, which may be the problem's own).
    tied, likelihood : optional
        As for :func:`curve_fit`.
    nan_policy : {None, 'raise', 'omit'}
        What to do about NaN in the data: None, the problem's status is NAN; ``'omit'``: points with NaN are left out,
        in each problem its own.
    covariance : bool, default True
        Whether to compute covariances: n * n numbers for each problem, and with a robust loss one Jacobian more.
    device : {'cpu', 'cuda', 'auto'}
        Where the problems are solved; ``'auto'`` is a CUDA GPU where there is one that takes such problems.
    dtype : {None, 'float32', 'float64'}
        Of the results, and on a GPU of the data; the CPU computes in double precision.
    n_threads, chunk_size, max_time, progress, client : optional
        As for :func:`minimize_batch`.
    options : dict, optional
        ``maxiter``, ``factor``, ``geodesic``, ``accel_max``, as for :func:`least_squares`.
    **kwargs
        ``loss``, ``f_scale``, ``ftol``, ``xtol``, ``gtol``, ``x_scale``, ``diff_step``, ``max_nfev`` of
        :func:`numopt.least_squares`; ``maxfev``, ``epsfcn``, ``factor``, ``diag`` of scipy's ``leastsq``.

    Returns
    -------
    BatchResult
        Arrays, one row a problem: ``popt`` (also ``x``), ``pcov`` (also ``covariance``), ``stderr``, ``cost``,
        ``status`` (numbers of :class:`numopt.LeastSquaresStatus`), ``success``, ``active_mask``, ``nit``, ``nfev``,
        ``njev``, ``grad`` and ``optimality``; and ``names``, of the parameters.

    Raises
    ------
    TypeError, ValueError
        For an argument that can't be used, before any work starts.
    KeyboardInterrupt
        On Ctrl-C, with the results so far as its attribute ``result``.

    Notes
    -----
    What goes wrong with one problem is its status, and touches no other: NAN where data or the model at the start are
    not finite, MAX_NFEV, NO_STEP, ...; FAILED where the model has raised an exception for it, of which a warning quotes
    the first.  A covariance is infinite where the data do not determine it, NaN where there is no fit.

    That a jitted model gives for one row what it gives for all (see :func:`curve_fit`) is checked for 16 problems, at
    the start and the end.  Python models, those of which it does not hold, a covariance matrix as sigma, a loss that
    is a function, ``jac='cs'``, ``geodesic``, and problems with parameters fixed by bounds of their own go one by one
    through :func:`curve_fit`; their ``grad`` and ``optimality`` are NaN.

    See Also
    --------
    least_squares_batch : residuals of any form.
    each : marks what differs from problem to problem.

    Examples
    --------
    >>> import numba, numpy as np, numopt
    >>> @numba.njit
    ... def decay(x, a, b):
    ...     return a * np.exp(-b * x)
    >>> x = np.linspace(0, 2, 20)
    >>> Y = np.array([[3.0], [2.0], [1.0]]) * np.exp(-np.array([[1.5], [1.0], [0.5]]) * x)
    >>> fits = numopt.curve_fit_batch(decay, x, Y)
    >>> fits.names, fits.popt.round(6).tolist()
    (('a', 'b'), [[3.0, 1.5], [2.0, 1.0], [1.0, 0.5]])
    >>> fits[1].success, bool(fits.stderr.max() < 1e-6)
    (True, True)
    """
    where = read_device(device) if client is None else "cpu"  # the workers look for theirs
    for name in _REFUSED:
        if name in kwargs:
            raise TypeError(f"curve_fit_batch takes no {name}")
    settings = read_settings(kwargs, "curve_fit_batch", _REFUSED)
    function = getattr(f, "function", f)
    if not callable(function) or kind_of(function) == "pointer":
        raise TypeError(f"f must be a Python or jitted function f(x, *params), not {type(f).__name__}")
    if nan_policy not in (None, "raise", "omit"):
        raise ValueError(f"nan_policy must be one of None, 'raise', 'omit'; got {nan_policy!r}")
    refuse_masked(Y, "Y")
    Y = _rows_of(Y, "Y", 2)
    count, m = Y.shape
    x = _read_x(xdata, count, m)
    if where == "cpu" and (on_device(Y) or (isinstance(x, Each) and on_device(x.array))):
        raise TypeError("the data lie on a GPU; give device='cuda', or bring them to the host")
    lengths = None if lengths is None else read_lengths(lengths, Y.shape)
    given = p0.array if isinstance(p0, Each) else p0
    own = not (given is None or isinstance(given, dict)) and np.ndim(given) == 2
    given = np.asarray(given, float) if own else read_p0(given)
    names = tuple(parameter_names(f, None if given is None or isinstance(given, dict) else given.shape[-1]))
    n = len(names)
    row = find_squares_method("lm" if method is None else method)
    poisson = read_likelihood(likelihood, sigma, settings["loss"])
    lower, upper = _read_bounds(bounds, names, f, count)
    jac = check_jac(getattr(f, "jacobian", None) if jac is None else jac)
    front, scale, steps, max_nfev = read_run(settings, check_options(options), n, row)
    check_geodesic(front, row)
    problem = SquaresProblem(
        kind="model", fun=function, jac=jac, row=row, X0=np.empty((count, n)), x=x, Y=Y, omit=nan_policy == "omit",
        m=m, lengths=lengths, lower=lower, upper=upper, loss="poisson" if poisson else settings["loss"],
        f_scale=float(settings["f_scale"]), steps=steps, scale=scale,
        tolerances=tuple(read_tolerances(*(settings[name] for name in ("ftol", "xtol", "gtol")))), max_nfev=max_nfev,
        options=front, scaled=not (absolute_sigma or poisson), covariance=bool(covariance), dtype=read_dtype(dtype),
        n_threads=n_threads, chunk_size=read_chunk_size(chunk_size), max_time=read_limit(max_time),
        progress=bool(progress), names=names,
    )  # fmt: skip
    matrix = _read_sigma(problem, sigma)
    _check_data(problem, nan_policy, poisson)
    if client is not None:
        spread = importlib.import_module("numopt.dask._batch").spread
        return spread(curve_fit_batch, f, xdata, Y, p0, sigma, absolute_sigma, bounds, method, jac, client=client,
                      lengths=lengths, fixed=fixed, tied=tied, likelihood=likelihood, nan_policy=nan_policy,
                      covariance=covariance, device=device, dtype=dtype, n_threads=n_threads, chunk_size=chunk_size,
                      max_time=max_time, progress=progress, options=options, **kwargs)  # fmt: skip
    problem.X0 = _read_starts(problem, f, given, own)
    problem.held, problem.ties = _read_fixed(problem, fixed, tied)
    check_starts(problem.X0, lower, upper, problem.ties, "p0", names)
    if count:
        free = first_variables(problem).free.size
        if row.name == "lm" and m < free:
            raise TypeError(
                f"method 'lm' needs at least as many data points as parameters; got {m} and {free}: "
                "'marquardt' and 'gauss-newton' take fewer"
            )
    if count == 0:
        return result_of(problem, Results(problem))
    if where == "cuda":
        if matrix and device == "cuda":
            raise ValueError("a covariance matrix as sigma can't be had on a GPU; device='cpu' takes it")
        if not matrix:
            found = on_cuda(
                problem, first_variables(problem), lambda found: result_of(problem, found), device == "auto"
            )
            if found is not None:
                return result_of(problem, found)

    def single(i, clock):
        rows = m if lengths is None else int(lengths[i])
        one = (x[i] if isinstance(x, Each) else x)[..., :rows]
        s = sigma.array[i] if isinstance(sigma, Each) else sigma
        s = s if s is None or np.ndim(s) == 0 else np.asarray(s)[(slice(rows),) * np.ndim(s)]
        box = bounds if lower is None or lower.ndim == 1 else (lower[i], upper[i])
        try:
            fit = curve_fit(
                f, one, np.asarray(Y[i][:rows], float), problem.X0[i], s, absolute_sigma, None, box, method, jac,
                nan_policy=nan_policy, fixed=fixed, tied=tied, likelihood=likelihood, options=clock.options(options),
                **kwargs,
            )  # fmt: skip
        except RuntimeError as error:
            fit = getattr(error, "result", None)
            if not isinstance(fit, FitResult):
                raise
        return {
            "x": fit.popt, "cost": fit.cost, "active_mask": fit.active_mask, "nit": fit.nit, "nfev": fit.nfev,
            "njev": fit.njev, "fixed": fit.fixed, "covariance": fit.pcov, "status": fit.status,
        }  # fmt: skip

    return result_of(problem, solve(problem, single, lambda results: result_of(problem, results), matrix))


def _rows_of(a, name, ndim):
    """An array of problems' data, real, of so many axes."""
    a = a.array if isinstance(a, Each) else a
    if not (isinstance(a, np.ndarray) or on_device(a)):
        try:
            a = np.asarray(a)
        except ValueError:
            raise ValueError(f"{name} has rows of different lengths; give one array and lengths=...") from None
    if a.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers; got dtype {a.dtype}")
    if a.ndim != ndim:
        raise ValueError(f"{name} must have shape (n_problems, m), one row for each problem; got shape {a.shape}")
    if a.shape[1] == 0:
        raise ValueError(f"{name} must not be empty; got shape {a.shape}")
    return a


def _read_x(xdata, count, m):
    """The predictors, checked: doubles without gaps, or ``Each``."""
    own = isinstance(xdata, Each)
    a = xdata.array if own else np.asarray(xdata)
    if own and xdata.lengths is not None:
        raise ValueError("xdata can't have lengths of its own: lengths=... are those of xdata, Y and sigma")
    if a.dtype.kind not in "fiub":
        raise TypeError(f"xdata must be real numbers; got dtype {a.dtype}")
    if own and len(a) != count:
        raise ValueError(f"xdata holds {len(a)} problems, Y has {count}")
    shape = a.shape[1:] if own else a.shape
    if len(shape) not in (1, 2) or shape[-1] != m:
        hint = "; mark it by each(xdata) if each problem has its own" if not own and a.ndim > 1 else ""
        raise ValueError(
            f"xdata and Y have different lengths: xdata must have shape ({m},) or (k, {m}); got shape {shape}{hint}"
        )
    return xdata if own else np.ascontiguousarray(a, float)


def _read_bounds(bounds, names, f, count):
    """(lower, upper): shared, of each problem, or None and None."""
    if not isinstance(bounds, dict):
        sides = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") and hasattr(bounds, "ub") else bounds
        try:
            own = any(isinstance(side, Each) or np.ndim(side) == 2 for side in sides)
        except (TypeError, ValueError):
            own = False
        if own:
            return read_boxes(bounds, count, len(names), "p0")
    lower, upper = read_bounds(bounds, names, f)
    return (lower, upper) if np.isfinite(lower).any() or np.isfinite(upper).any() else (None, None)


def _read_sigma(problem, sigma):
    """Set standard deviations; whether sigma is a covariance matrix."""
    if sigma is None:
        return False
    count, m = problem.Y.shape
    if not isinstance(sigma, Each):
        a = np.asarray(sigma, float)
        if a.ndim == 2 and a.shape == (count, m) and count != m:
            raise ValueError("sigma has one row for each problem: mark it by each(sigma)")
        problem.sigma, cholesky = read_sigma(a, m)
        return cholesky is not None
    a = sigma.array
    if sigma.lengths is not None:
        raise ValueError("sigma can't have lengths of its own: lengths=... are those of xdata, Y and sigma")
    if a.shape == (count,):
        a = np.broadcast_to(np.asarray(a, float)[:, None], (count, m))
    if a.shape != (count, m):
        raise ValueError(
            f"sigma must have shape {(count, m)} or {(count,)} where each problem has its own; got {a.shape}"
        )
    problem.sigma = a
    return False


def _check_data(problem, nan_policy, poisson):
    """An error for what no problem may have: NaN where they are refused, sigma or counts that are none."""
    P, own = problem, isinstance(problem.x, Each)
    if nan_policy is None and not own:
        check_finite_data(P.x, "xdata")
    if nan_policy == "raise" and not own and np.isnan(P.x).any():
        raise ValueError("xdata contains NaN, which nan_policy='raise' refuses")
    many = P.sigma is not None and P.sigma.ndim == 2
    if not (many or poisson or nan_policy == "raise") or on_device(P.Y):
        return
    for first in range(0, P.count, _ROWS):
        chunk = slice(first, min(first + _ROWS, P.count))
        Y = np.asarray(P.Y[chunk])
        used = np.ones(Y.shape, bool) if P.lengths is None else np.arange(P.m) < P.lengths[chunk, None]
        if nan_policy == "raise":
            for a, name in ((Y, "Y"), *(((P.x.array[chunk], "xdata"),) if own else ())):
                bad = np.isnan(a) & (used if a.ndim == 2 else used[:, None])
                if bad.any():
                    i = first + int(np.nonzero(bad)[0][0])
                    raise ValueError(f"{name} contains NaN in problem {i}, which nan_policy='raise' refuses")
        if poisson and ((Y < 0) & used).any():
            i, j = (int(k[0]) for k in np.nonzero((Y < 0) & used))
            raise ValueError(f"likelihood='poisson' needs counts, not negative; Y[{first + i}, {j}] is {Y[i, j]:g}")
        if many:
            s = np.asarray(P.sigma[chunk])
            bad = ~(s > 0) & used & ~(np.isnan(Y) if P.omit else False)
            if bad.any():
                i, j = (int(k[0]) for k in np.nonzero(bad))
                raise ValueError(f"sigma must be positive; sigma[{first + i}, {j}] is {s[i, j]:g}")


def _read_starts(problem, f, given, own):
    """The starts of all problems, (count, n)."""
    count, n, names = problem.count, len(problem.names), problem.names
    if own:
        if given.shape[0] != count:
            raise ValueError(f"p0 holds {given.shape[0]} problems, Y has {count}")
        return np.array(given)
    if isinstance(given, np.ndarray):
        return np.repeat(given[None], count, axis=0)
    none = np.full(n, -np.inf), np.full(n, np.inf)
    boxes = none if problem.lower is None else (problem.lower, problem.upper)
    several, values = boxes[0].ndim == 2, {}
    if given is not None:
        for name, value in given.items():
            if np.ndim(value) == 1:
                if len(value) != count:
                    raise ValueError(f"p0[{name!r}] holds {len(value)} problems, Y has {count}")
                values[name] = np.asarray(value, float)
        given = {name: (value if name not in values else 0.0) for name, value in given.items()}
    guess = hasattr(f, "guess")
    X0 = np.empty((count, n))
    if guess or several:
        for i in range(count):
            low, high = (side[i] for side in boxes) if several else boxes
            rows = problem.m if problem.lengths is None else problem.lengths[i]
            x = problem.x[i] if isinstance(problem.x, Each) else problem.x
            try:
                X0[i] = read_start(given, names, low, high, f, x[..., :rows], np.asarray(problem.Y[i][:rows], float))
            except ValueError:
                if not guess or np.isfinite(problem.Y[i][:rows]).any():
                    raise
                X0[i] = np.nan
    else:
        X0[:] = read_start(given, names, *boxes, f, None, None)
    for name, value in values.items():
        X0[:, names.index(name)] = value
    return X0


def _read_fixed(problem, fixed, tied):
    """(indices of the fixed parameters, ties); sets the values of the fixed ones in the starts."""
    start = np.full(problem.n, np.nan)
    held, ties = read_fixed(fixed, tied, problem.names, start)
    if isinstance(fixed, dict):
        problem.X0[:, held] = start[held]
    return held, ties
