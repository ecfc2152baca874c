"""``curve_fit``: the front door of fits of a model to data."""

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.models import Model
from numopt.optimize import _fit_constrained
from numopt.optimize._constraints import is_empty
from numopt.optimize._fit_input import (
    check_counts,
    check_inside,
    parameter_names,
    read_bounds,
    read_data,
    read_fixed,
    read_p0,
    read_sigma,
    read_start,
)
from numopt.optimize._fit_result import FitResult
from numopt.optimize._fit_run import Fit
from numopt.optimize._least_squares import (
    check_jac,
    check_loss,
    find_squares_method,
    read_count,
    read_options,
    read_scale,
    read_steps,
    read_tolerances,
)
from numopt.optimize._rank import listed
from numopt.optimize._squares import NotFinite
from numopt.optimize._warn import warn

# what least_squares takes besides; those of scipy's leastsq that are the same under another name
_DEFAULTS = {
    "ftol": 1e-8, "xtol": 1e-8, "gtol": 1e-8, "x_scale": None, "loss": "linear", "f_scale": 1.0, "diff_step": None,
    "max_nfev": None, "verbose": 0, "callback": None, "tr_solver": None, "tr_options": None, "jac_sparsity": None,
    "workers": None, "maxfev": None, "epsfcn": None, "factor": None, "diag": None,
}  # fmt: skip
_NOT_HERE = ("fixed", "tied", "m")  # of the options of least_squares: arguments of their own, or known


def curve_fit(f, xdata, ydata, p0=None, sigma=None, absolute_sigma=False, check_finite=None, bounds=(-np.inf, np.inf),
              method=None, jac=None, *, full_output=False, nan_policy=None, fixed=None, tied=None,
              likelihood="gaussian", constraints=(), options=None, **kwargs):  # fmt: skip
    """Fit a model to data by least squares, or by the likelihood of counts.

    A drop-in for ``scipy.optimize.curve_fit``; the loop runs compiled, and a jitted model is evaluated a few rows at a
    time, so that memory does not grow with parameters.

    Parameters
    ----------
    f : callable
        ``f(x, *params)``: the model of all rows of x, or of a single one; a Python function, a function compiled by
        ``numba.njit``, or a model with ``function``, ``parameters`` and, if it has them, ``jacobian``, ``guess`` and
        ``bounds``.
    xdata : array_like, shape (m,) or (k, m), or object
        The predictors.  What is no array, list or tuple is passed on to a Python model as it is.
    ydata : array_like, shape (m,)
    p0 : array_like or dict, optional
        The start; a dict of names and values may leave parameters out.  Default: the model's own guess, or as scipy 1,
        or the middle of the bounds.
    sigma : float, array_like (m,) or (m, m), optional
        Standard deviations of ydata, or its covariance matrix.
    absolute_sigma : bool, default False
        Whether ``sigma`` is meant as it stands; else the covariance of the parameters is scaled by the sum of squares
        over its degrees of freedom.
    check_finite : bool, optional
        Whether NaN or infinite data are refused; default: unless ``nan_policy`` is given.
    bounds : (array_like, array_like), object with ``lb`` and ``ub``, or dict, default no bounds
        Lower and upper bounds, numbers or arrays (n,); a dict holds (low, high) by name.
    method : str, optional
        As of :func:`numopt.least_squares`; default ``'lm'``, which takes bounds.  With constraints, as of
        :func:`numopt.minimize`; default ``'sqp'``.
    jac : callable or {'2-point', '3-point', 'cs'}, optional
        ``jac(x, *params) -> array (m, n)``, or how to take differences; default ``'2-point'``.
    full_output : bool, default False
        Whether the tuple holds scipy's ``infodict`` (``nfev``, ``njev``, ``fvec``), ``mesg`` and ``ier`` too.
    nan_policy : {None, 'raise', 'omit'}
        What to do about NaN in the data.
    fixed : dict or list of str, optional
        Parameters that keep a value (a dict: the given one, a list: that of p0).
    tied : dict, optional
        Name -> linear expression of other parameters, such as ``{"c": "2*a - 1"}``.
    likelihood : {'gaussian', 'poisson'}, default 'gaussian'
        ``'poisson'``: ydata are counts, the model is their mean; it minimises half the deviance,
        ``sum(f - y + y*log(y/f))``, and the covariance is the inverse of the Fisher information.
    constraints : optional
        Constraints on the parameters, as of :func:`numopt.minimize`: scipy's ``LinearConstraint`` and
        ``NonlinearConstraint``, dictionaries, a sequence or a mapping of names to them; their functions take the vector
        of all parameters, fixed and tied ones too.  See the notes.
    options : dict, optional
        As of :func:`numopt.least_squares`, with constraints ``ctol``, ``maxiter``, ``maxfev``, ``maxls``, ``max_time``
        and ``disp`` of :func:`numopt.minimize`; and ``threads``: how many may work on a jitted model of many rows
        (default: all cores; the result is the same to the last bit for any number).
    **kwargs
        ``loss``, ``f_scale``, ``ftol``, ``xtol``, ``gtol``, ``x_scale``, ``diff_step``, ``max_nfev``, ``callback``,
        ``verbose`` of :func:`numopt.least_squares`; ``maxfev``, ``epsfcn``, ``factor``, ``diag`` of scipy's
        ``leastsq``.

    Returns
    -------
    FitResult
        A tuple ``(popt, pcov)``, with ``full_output`` of scipy's five, with the fit to be read in its attributes
        (:class:`numopt.FitResult`).

    Raises
    ------
    RuntimeError
        The fit did not converge; the fit so far is its attribute ``result``.
    TypeError, ValueError
        For an argument that can't be used.

    Warns
    -----
    OptimizeWarning
        The data do not determine the covariance, which is infinite then.

    Notes
    -----
    A jitted model that compiles for one row of x (a number, or a column of a matrix) is called row by row, another one
    on slices of x.  That this gives what the model of all rows gives is checked at the start and at the end; a model of
    which it does not hold, such as one that divides by its largest value, is called for all rows at once.

    With constraints the fit minimises the same cost, with J'J as its Hessian.  The covariance is that of the tangent
    space of the rows that hold with equality at the end, as if they had to: to first order the parameters move in their
    null space only, and each independent row gives a degree of freedom back.  That is exact for linear equalities in
    a linear model; for inequalities it is conditional on the rows that are active.  ``multipliers`` of the result holds
    the derivatives of the least cost by the limits.

    Examples
    --------
    >>> import numpy as np
    >>> import numopt
    >>> x = np.linspace(0, 4, 50)
    >>> y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.01 * np.cos(40 * x)
    >>> fit = numopt.curve_fit(lambda x, a, b, c: a * np.exp(-b * x) + c, x, y)
    >>> popt, pcov = fit
    >>> popt.round(2).tolist(), fit.names
    ([2.5, 1.3, 0.5], ('a', 'b', 'c'))
    """
    settings = read_settings(kwargs)
    model_name = getattr(f, "name", None) or getattr(f, "__name__", None) or type(f).__name__
    function = getattr(f, "function", f)
    if not callable(function) or kind_of(function) == "pointer":
        raise TypeError(f"f must be a Python or jitted function f(x, *params), not {type(f).__name__}")
    p0 = read_p0(p0)
    names = parameter_names(f, p0.size if isinstance(p0, np.ndarray) else None)
    n = len(names)
    x, y, sigma = read_data(xdata, ydata, sigma, check_finite, nan_policy)
    m = y.size
    poisson = read_likelihood(likelihood, sigma, settings["loss"])
    if poisson:
        check_counts(y)
    deviations, cholesky = read_sigma(sigma, m)
    lower, upper = read_bounds(bounds, names, f)
    start = read_start(p0, names, lower, upper, f, x, y)
    held, ties = read_fixed(fixed, tied, names, start)
    check_inside(start, lower, upper, names, ties)
    constrained = not is_empty(constraints)
    row = find_squares_method("lm" if method is None or constrained else method)
    if jac is None:
        jac = getattr(f, "jacobian", None)
    jac = check_jac(jac)
    options, threads = _read_threads(options)
    if constrained:
        told, options = _fit_constrained.read_settings(kwargs, settings, options), None
    front, scale, steps, max_nfev = read_run(settings, options, n, row)
    if kind_of(function) == "jitted" and not isinstance(x, np.ndarray):
        x = np.asarray(x, float)
    if isinstance(x, np.ndarray):
        x = np.ascontiguousarray(x)
    model = Model(function, jac, x, m, n, threads)
    problem = {
        "loss": "poisson" if poisson else settings["loss"], "f_scale": float(settings["f_scale"]), "steps": steps,
        "y": np.ascontiguousarray(y), "sigma": deviations, "cholesky": cholesky,
    }  # fmt: skip
    tolerances = read_tolerances(*(settings[name] for name in ("ftol", "xtol", "gtol")))
    what = (model, row, names, lower, upper, held, ties, problem, tolerances, max_nfev, scale, front)
    if constrained:
        fit = _fit_constrained.ConstrainedFit(constraints, method, told, start, *what)
    else:
        fit = Fit(*what)
    variables = fit.variables(start, held)
    free = variables.free.size
    if row.name == "lm" and m < free and not constrained:
        raise TypeError(
            f"method 'lm' needs at least as many data points as parameters; got {m} and {free}: "
            "'marquardt' and 'gauss-newton' take fewer"
        )
    whole = _values_at_start(model, variables, y, names, poisson)
    watched = {name: front[name] for name in ("history", "return_all", "max_time") if name in front}
    if settings["verbose"] == 2:
        watched["disp"] = True
    run, result = fit.run(variables, whole, settings["callback"], watched)
    del whole
    if settings["verbose"] == 1:
        print(f"{result.message}\nnfev {result.nfev}, cost {result.cost:.4e}")
    free_names = [names[j] for j in variables.free]
    pcov, undetermined = run.covariance(result.z, jac, not (absolute_sigma or poisson), free_names)
    if pcov is None:
        pcov = np.full((n, n), np.inf)
        if result.success:
            _warn_of(undetermined, m, free)
    del run
    # a result reads its data when it is asked: they are its own, copied when the memory of the run is free again
    problem["y"] = problem["y"].copy()
    if isinstance(x, np.ndarray):
        model.x = x = x.copy()
    items = (result.x, pcov)
    if full_output:
        fvec = fit.weighted(np.asarray(model.at(result.x), float) - problem["y"])
        info = {"nfev": result.nfev, "njev": result.njev, "fvec": fvec}
        items += (info, str(result.message), int(result.status))
    found = FitResult(
        items, names=names, popt=result.x, pcov=pcov, x=x, y=problem["y"],
        sigma=deviations if cholesky is None else sigma, absolute_sigma=bool(absolute_sigma), likelihood=likelihood,
        loss=settings["loss"], f_scale=problem["f_scale"], model=model, model_name=str(model_name),
        jacobian=model.jacobian, cost=result.cost, lower=lower, upper=upper, fixed=variables.fixed,
        tied=dict(tied or {}), active_mask=result.active_mask, nfev=result.nfev, njev=result.njev, nit=result.nit,
        status=result.status, message=result.message, success=result.success,
        method=fit.method if constrained else row.name, refit=fit.refit, multipliers=result.get("multipliers", []),
        constr_violation=result.get("constr_violation", 0.0), n_active=result.get("n_active", 0),
    )  # fmt: skip
    for name in ("history", "allvecs"):
        if name in result:
            setattr(found, name, result[name])
    if not result.success:
        error = RuntimeError(f"Optimal parameters not found: {result.message}")
        error.result = found  # type: ignore[attr-defined]
        raise error
    return found


def read_settings(kwargs, caller="curve_fit", refused=()):
    """The keywords with their defaults; scipy's other names for some of them."""
    if "args" in kwargs:
        raise ValueError("'args' is not a supported keyword argument")
    for name in kwargs:
        if name not in _DEFAULTS:
            known = ", ".join(name for name in _DEFAULTS if name not in refused)
            raise TypeError(f"{caller}() got an unexpected keyword argument {name!r}; known are {known}")
    found = _DEFAULTS | kwargs
    check_loss(found["loss"], found["f_scale"])
    if found["verbose"] not in (0, 1, 2):
        raise ValueError(f"verbose must be 0, 1 or 2; got {found['verbose']!r}")
    if found["jac_sparsity"] is not None or found["workers"] is not None:
        warn("jac_sparsity and workers are not used: Jacobians are dense, differences are taken in compiled code")
    if found["max_nfev"] is None and found["maxfev"] != 0:  # leastsq: 0 is its default
        found["max_nfev"] = found["maxfev"]
    if found["diff_step"] is None and found["epsfcn"] is not None:
        found["diff_step"] = max(float(found["epsfcn"]), np.finfo(float).eps) ** 0.5
    if found["x_scale"] is None and found["diag"] is not None:
        found["x_scale"] = 1.0 / np.asarray(found["diag"], float)
    return found


def read_likelihood(likelihood, sigma, loss):
    """Whether it is Poisson's."""
    if likelihood not in ("gaussian", "poisson"):
        raise ValueError(f"likelihood must be 'gaussian' or 'poisson'; got {likelihood!r}")
    if likelihood == "gaussian":
        return False
    if sigma is not None:
        raise ValueError("sigma can't be given with likelihood='poisson': the counts' variance is the model itself")
    if loss != "linear":
        raise ValueError(f"loss={loss!r} can't be combined with likelihood='poisson'")
    return True


def read_run(settings, options, n, row):
    """(options, scale, difference steps, max_nfev) of the run."""
    front = read_options(options)
    for name in _NOT_HERE:
        if name in front:
            raise ValueError(f"unknown option {name!r} of curve_fit")
    if settings["factor"] is not None:
        front = read_options({"factor": settings["factor"]}) | front
    steps = settings["diff_step"]
    max_nfev = settings["max_nfev"]
    return (
        front,
        read_scale(row.defaults.get("x_scale") if settings["x_scale"] is None else settings["x_scale"], n),
        None if steps is None else read_steps(steps, n),
        100 * n if max_nfev is None else read_count("max_nfev", max_nfev),
    )


def _read_threads(options):
    """(the other options, threads or None)."""
    if not isinstance(options, dict) or "threads" not in options:
        return options, None
    rest = {name: value for name, value in options.items() if name != "threads"}
    return rest, read_count("option 'threads'", options["threads"])


def _values_at_start(model, variables, y, names, poisson):
    """The model at the start; ValueError where it can't be fitted from there."""
    params = variables.whole(variables.start)
    if isinstance(model.x, np.ndarray) and model.x.ndim and model.x.shape[-1] != y.size:
        try:
            fits = model.values(model.x, params).shape == y.shape
        except Exception:
            fits = False
        if not fits:
            raise ValueError(f"xdata and ydata have different lengths: their shapes are {model.x.shape} and {y.shape}")
    if not np.isfinite(y).all():
        i = int(np.flatnonzero(~np.isfinite(y))[0])
        raise NotFinite(f"residuals are not finite at the start: ydata[{i}] is {y[i]}")
    whole = model.at(params)
    if whole.dtype.kind == "c":
        raise TypeError("f must return real numbers; it returned complex data")
    bad = ~np.isfinite(whole)
    if poisson:
        bad |= (whole < 0) | ((whole == 0) & (y > 0))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        at = ", ".join(f"{name}={value:g}" for name, value in zip(names, params, strict=True))
        what = "positive, as the mean of counts" if poisson and np.isfinite(whole[i]) else "finite"
        raise NotFinite(f"f must be {what} at the start: at {at} it is {whole[i]:g} in row {i}")
    return whole


def _warn_of(undetermined, m, free):
    text = "Covariance of the parameters could not be estimated"
    if undetermined:
        text += f": the data do not determine {listed(undetermined)}"
    elif m <= free:
        text += f": {m} data points leave no degrees of freedom for {free} parameters"
    warn(text)
