"""``least_squares``: the front door of the methods for sums of squares."""

import inspect
import math
import numbers

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.pointers import address_of
from numopt.catalog import SQUARES
from numopt.kernels.squares_slots import LOSSES
from numopt.optimize._options import check_x0
from numopt.optimize._sparse_squares import find_sparse, sparse_least_squares
from numopt.optimize._squares import SquaresRun, new_state, residuals_at, within
from numopt.optimize._squares_plan import keep_plan, plain_settings, run_again
from numopt.optimize._variables import Variables, read_fixed, read_ties
from numopt.optimize._warn import warn

_EPS = np.finfo(float).eps
_NO_BOUNDS = (-np.inf, np.inf)
_JACS = ("2-point", "3-point", "cs")
_OPTIONS = {"history": bool, "return_all": bool, "max_time": float, "maxiter": int, "factor": float, "m": int,
            "geodesic": bool, "accel_max": float, "fixed": list, "tied": dict}  # fmt: skip


def least_squares(fun, x0, jac="2-point", bounds=_NO_BOUNDS, method="lm", ftol=1e-8, xtol=1e-8, gtol=1e-8,
                  x_scale=None, loss="linear", f_scale=1.0, diff_step=None, tr_solver=None, tr_options=None,
                  jac_sparsity=None, max_nfev=None, verbose=0, args=(), kwargs=None, callback=None, workers=None, *,
                  options=None):  # fmt: skip
    """Minimise a sum of squares of nonlinear functions, in a box if there is one, with a robust loss if asked for.

    A drop-in for ``scipy.optimize.least_squares``; the loop runs compiled, whatever the callables are.  It minimises
    ``0.5 * sum(rho(fun(x)**2))`` for ``lb <= x <= ub``.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args, **kwargs) -> array (m,)``, the residuals: a Python function, a function compiled by
        ``numba.njit``, or a C function ``double fun(double *x, double *r, intptr n, intptr m, void *data)``
        (``numba.cfunc``, ctypes, cffi, ``scipy.LowLevelCallable``), which needs the option ``m``.
    x0 : array_like, shape (n,)
        The start, within the bounds.
    jac : {'2-point', '3-point', 'cs', callable}, default '2-point'
        The Jacobian ``jac(x, *args, **kwargs) -> array (m, n)``, also a sparse matrix or array or a LinearOperator,
        which are never made dense (see Notes); or how to take differences, whose points stay within the bounds.
    bounds : (array_like, array_like) or object with ``lb`` and ``ub``, default no bounds
        Lower and upper bounds, numbers or arrays (n,).  A variable with equal bounds is fixed.
    method : {'lm', 'marquardt', 'gauss-newton', 'trf', 'dogleg', 'dogbox'}, default 'lm'
        Levenberg-Marquardt as a trust region (Moré), with damping (Marquardt), Gauss-Newton, the trust-region
        reflective method (Branch, Coleman, Li), the dogleg in an ellipsoid (Powell) or in a box (Voglis, Lagaris).  All
        take bounds, losses and any shape, but that ``'lm'`` refuses fewer residuals than variables as scipy's does.
    ftol, xtol, gtol : float or None, default 1e-8
        Tolerances on the relative reduction of the cost, actual and predicted (which also asks that the Gauss-Newton
        step that is left change no parameter by more than 90 ``ftol``, relative, or that the cost stand still for
        three steps), on the relative step, and on the cosine of the angle between the residuals and the columns of the
        Jacobian.  None: not tested.  The last three methods have scipy's tests instead: the reduction of the cost, the
        step, and the largest component of the gradient (``'trf'``: times the distance from the bound).
    x_scale : array_like, 'jac' or None, default None
        The sizes of the variables; ``'jac'``: from the norms of the columns of the Jacobian.  None: 1 for ``'trf'``,
        ``'dogleg'`` and ``'dogbox'``, ``'jac'`` for the others.
    loss : {'linear', 'soft_l1', 'huber', 'cauchy', 'arctan'} or callable, default 'linear'
        ``loss(z) -> array (3, m)`` with rho, rho' and rho'' of z = (r / f_scale)**2.
    f_scale : float, default 1.0
        Where residuals count as outliers.
    diff_step : float or array_like, optional
        Relative step of the differences.
    tr_solver : {None, 'exact', 'lsmr'}, default None
        ``'lsmr'`` takes any Jacobian for a sparse one, ``'exact'`` makes a sparse one dense.
    tr_options : dict, optional
        With sparse Jacobians: ``maxiter``, the products of LSMR at most in one go (default 2 min(m, n), at least 50);
        ``atol``, the accuracy of the steps in place of one that follows the convergence; ``damp``, damping.
        ``btol``, ``conlim``, ``regularize`` and ``show`` are accepted for scipy's sake.
    jac_sparsity : array_like or sparse, shape (m, n), optional
        Where the Jacobian may be nonzero: differences are then taken for whole groups of columns at a time.
    workers
        Accepted for scipy's sake.
    max_nfev : int, optional
        Evaluations of fun at most, those of differences not counted; default 100 n.
    verbose : {0, 1, 2}, default 0
        1: a summary at the end; 2: progress too.
    args, kwargs : tuple, dict
        Extra arguments of fun and jac.
    callback : callable, optional
        ``callback(x)`` or ``callback(intermediate_result)`` after each iteration; ``StopIteration`` ends the run.
    options : dict, optional
        ``history``, ``return_all``, ``max_time`` (seconds), ``maxiter``, ``factor`` (first radius of the trust region
        over the norm of the scaled x0, default 10, ``'trf'`` 100), ``geodesic`` (``'lm'``, ``'marquardt'``: bend the
        steps, with one more evaluation for each), ``accel_max`` (the most that they bend, default 0.75), ``m`` (number
        of residuals of a C function), ``fixed`` (indices of variables that keep their values), ``tied`` (variables that
        follow others: ``{2: "2*x0 - x1"}``, index to linear expression in ``x0``, ``x1``, ...; what x0 says of them is
        not looked at, and their bounds are passed on to the one variable that they follow).

    Returns
    -------
    OptimizeResult
        ``x``, ``cost``, ``fun`` (residuals), ``jac`` (with the loss in it), ``grad``, ``optimality``,
        ``active_mask``, ``nfev``, ``njev``, ``nit``, ``status`` (:class:`numopt.LeastSquaresStatus`), ``message``,
        ``success``.

    Raises
    ------
    TypeError, ValueError
        For an argument that can't be used.
    KeyboardInterrupt
        On Ctrl-C, with the best result so far as its attribute ``result``.

    Notes
    -----
    Where ``jac`` returns a sparse Jacobian at ``x0``, and with ``jac_sparsity``, the methods ``'lm'``, ``'trf'`` and
    ``'dogbox'`` are one: a trust region whose steps are found by LSMR, to an accuracy that follows the convergence,
    with variables at their bounds set apart as in TRON.  ``ftol``, ``xtol`` and ``gtol`` are then tested as scipy's
    ``trf`` tests them, any shape is taken, and ``x_scale`` None stands for 1 with a LinearOperator.

    References
    ----------
    J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, Lecture Notes in Mathematics 630 (1978).

    Examples
    --------
    >>> import numpy as np
    >>> import numopt
    >>> t = np.linspace(0, 2, 20)
    >>> y = 3.0 * np.exp(-1.5 * t) + 0.5
    >>> result = numopt.least_squares(lambda b: b[0] * np.exp(-b[1] * t) + b[2] - y, [1.0, 1.0, 0.0])
    >>> result.success, result.x.round(6).tolist()
    (True, [3.0, 1.5, 0.5])
    """
    x = check_x0(x0)
    args = args if isinstance(args, tuple) else (args,)
    if not (callback is None or callable(callback)):
        raise TypeError(f"callback must be callable, not {type(callback).__name__}")
    settings = first = None
    if (
        bounds is _NO_BOUNDS
        and type(loss) is str
        and (x_scale is diff_step is jac_sparsity is tr_solver is workers is None)
    ):
        if not (options or kwargs or verbose or jac is None):
            settings = plain_settings(x.size, jac, method, ftol, xtol, gtol, max_nfev, loss, f_scale)
            result, first = run_again(settings, x, fun, jac, args, callback)
            if result is not None:
                return result
    row = find_squares_method(method)
    x = x.copy()
    tolerances = read_tolerances(ftol, xtol, gtol)
    lower, upper = read_box(bounds, x.size, "x0")
    check_loss(loss, f_scale)
    jac = check_jac(jac)
    if verbose not in (0, 1, 2):
        raise ValueError(f"verbose must be 0, 1 or 2; got {verbose!r}")
    max_nfev = 100 * x.size if max_nfev is None else read_count("max_nfev", max_nfev)
    front = read_options(options)
    if "geodesic" in front and not row.geodesic:
        able = " and ".join(repr(name) for name, other in SQUARES.items() if other.geodesic)
        raise ValueError(f"'geodesic' is an option of {able}; got method {row.name!r}")
    if "accel_max" in front and "geodesic" not in front:
        raise ValueError("option 'accel_max' needs 'geodesic': it bounds the acceleration")
    if workers is not None:
        warn("workers is not used: differences are taken in compiled code")
    if not (callable(fun) or address_of(fun) is not None):
        raise TypeError(f"fun must be callable or a C function pointer, not {type(fun).__name__}")
    fun, jac, args = bind_arguments(fun, jac, args, kwargs)
    fixed, tied = front.get("fixed"), front.get("tied")
    if tied is not None:
        tied = read_ties(tied, [f"x{j}" for j in range(x.size)])
    outside = (x < lower) | (x > upper)
    if tied:
        outside[list(tied)] = False
    if outside.any():
        j = int(outside.argmax())
        raise ValueError(f"x0 is infeasible: x0[{j}] = {x[j]:g} is outside of its bounds ({lower[j]:g}, {upper[j]:g})")
    scale, steps = read_scale(x_scale, x.size), None if diff_step is None else read_steps(diff_step, x.size)
    jac, sparse = find_sparse(jac, x, args, jac_sparsity, tr_solver)
    if sparse is not None:
        if first is None:
            first = residuals_at(fun, x, args, front.get("m"))
        return sparse_least_squares(
            row.name, fun, jac, args, sparse, x, first, (lower, upper), tolerances, max_nfev, x_scale, scale,
            {"loss": loss, "f_scale": float(f_scale), "steps": steps}, tr_options, front, callback, verbose,
        )  # fmt: skip
    if x_scale is None:
        scale = read_scale(row.defaults.get("x_scale"), x.size)
    variables = Variables(x, lower, upper, None if fixed is None else read_fixed(fixed, x.size), tied)
    if row.interior:
        variables.go_inside()
    if variables.map is not None:
        scale, steps = (None if a is None else a[variables.free] for a in (scale, steps))
    if first is None:
        first = residuals_at(fun, variables.whole(variables.start), args, front.get("m"))
    n, m = variables.free.size, first.size
    if row.name == "lm" and m < n:
        raise ValueError(
            f"method 'lm' needs at least as many residuals as variables; got {m} and {n}: "
            "'marquardt' and 'gauss-newton' take fewer"
        )
    words, reals = new_state(row, variables, tolerances, max_nfev, scale, front)
    problem = {"loss": loss, "f_scale": float(f_scale), "steps": steps}
    if kind_of(fun) == "pointer":
        first = None
    elif not within(first) and first.any():
        # their squares overflow, or can't be told from zero
        problem["unit"] = unit = 2.0 ** math.floor(math.log2(abs(first).max()))
        problem["sigma"], problem["f_scale"] = np.full(m, unit), f_scale / unit
    run = SquaresRun(row, variables, words, reals, fun, jac, args, m, first, problem)
    if settings is not None:
        keep_plan(settings, run)
    watched = {name: front[name] for name in ("history", "return_all", "max_time") if name in front}
    if verbose == 2:
        watched["disp"] = True
    result = run.go(callback, watched)
    run.warn_of_rank(result)
    if verbose == 1:
        print(f"{result.message}\nnfev {result.nfev}, cost {result.cost:.4e}, optimality {result.optimality:.2e}")
    return result


def find_squares_method(method):
    """The catalogue's row."""
    if not isinstance(method, str):
        raise TypeError(f"method must be a string, not {type(method).__name__}")
    row = SQUARES.get(method.lower())
    if row is None:
        raise ValueError(f"method must be one of {', '.join(map(repr, SQUARES))}; got {method!r}")
    return row


def read_tolerances(ftol, xtol, gtol):
    """Three numbers, 0 for None."""
    found = []
    for name, value in (("ftol", ftol), ("xtol", xtol), ("gtol", gtol)):
        if value is None:
            value = 0.0
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not value >= 0:
            raise ValueError(f"{name} must be None or a number >= 0; got {value!r}")
        found.append(float(value))
    if max(found) < _EPS:
        raise ValueError(f"at least one of ftol, xtol and gtol must be {_EPS:.1e} or more; got {ftol}, {xtol}, {gtol}")
    return found


def read_box(bounds, n, beside):
    """(lower, upper) from two numbers or arrays, or from an object with ``lb`` and ``ub``."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        bounds = bounds.lb, bounds.ub
    try:
        low, high = bounds
        both = [np.array(np.broadcast_to(np.asarray(side, float), (n,))) for side in (low, high)]
    except (TypeError, ValueError):
        raise ValueError(
            f"bounds must be a pair (lower, upper) of numbers or of arrays of length {n}, as {beside} has, or an "
            f"object with lb and ub; got {bounds!r:.80}"
        ) from None
    lower, upper = both
    if np.isnan(lower).any() or np.isnan(upper).any():
        raise ValueError("bounds hold NaN")
    crossed = np.flatnonzero((lower > upper) | (lower == np.inf) | (upper == -np.inf))
    if crossed.size:
        j = int(crossed[0])
        raise ValueError(
            f"bounds: the lower bound of variable {j}, {lower[j]:g}, and the upper, {upper[j]:g}, are crossed"
        )
    return lower, upper


def check_loss(loss, f_scale):
    """ValueError unless these can be used."""
    if not (callable(loss) or (isinstance(loss, str) and loss in LOSSES)):
        raise ValueError(f"loss must be one of {', '.join(map(repr, LOSSES))} or a callable; got {loss!r}")
    if isinstance(f_scale, bool) or not isinstance(f_scale, numbers.Real) or not 0 < f_scale < np.inf:
        raise ValueError(f"f_scale must be a positive number; got {f_scale!r}")


def check_jac(jac):
    """jac, '2-point' for None."""
    if jac is None:
        return "2-point"
    if isinstance(jac, str):
        if jac not in _JACS:
            raise ValueError(f"jac must be a callable or one of {', '.join(map(repr, _JACS))}; got {jac!r}")
    elif not (callable(jac) or address_of(jac) is not None):
        raise TypeError(f"jac must be a callable or one of {', '.join(map(repr, _JACS))}; got {type(jac).__name__}")
    return jac


def read_count(name, value):
    """A positive integer; inf stands for no limit."""
    if isinstance(value, numbers.Real) and value == np.inf:
        return 2**62
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not value >= 1 or value != int(value):
        raise ValueError(f"{name} must be a positive integer; got {value!r}")
    return int(value)


def read_scale(x_scale, n):
    """Sizes of the variables, or None."""
    if x_scale is None or (isinstance(x_scale, str) and x_scale == "jac"):
        return None
    try:
        scale = np.array(np.broadcast_to(np.asarray(x_scale, float), (n,)))
        good = bool((scale > 0).all() and np.isfinite(scale).all())
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"x_scale must be 'jac' or positive numbers, one or {n}; got {x_scale!r:.80}")
    return scale


def read_steps(diff_step, n):
    """Relative difference steps, one for each variable."""
    try:
        steps = np.array(np.broadcast_to(np.asarray(diff_step, float), (n,)))
        good = bool(np.isfinite(steps).all())
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"diff_step must be finite numbers, one or {n}; got {diff_step!r:.80}")
    return steps


def read_options(options):
    """Checked options."""
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise TypeError(f"options must be a dict, not {type(options).__name__}")
    found = {}
    for name, value in options.items():
        kind = _OPTIONS.get(name)
        if kind is None:
            raise ValueError(f"unknown option {name!r}; known are {', '.join(_OPTIONS)}")
        if kind is bool:
            if value:
                found[name] = True
        elif name in ("fixed", "tied"):
            if value is not None:
                found[name] = value
        elif kind is int:
            found[name] = read_count(f"option {name!r}", value)
        elif isinstance(value, bool) or not isinstance(value, numbers.Real) or not value > 0:
            raise ValueError(f"option {name!r} must be a positive number; got {value!r}")
        else:
            found[name] = float(value)
    return found


def bind_arguments(fun, jac, args, kwargs):
    """(fun, jac, extra arguments): keywords are bound to Python functions, and put in their places for jitted ones."""
    if not kwargs:
        return fun, jac, args
    kind = kind_of(fun)
    if kind == "pointer":
        raise TypeError("kwargs can't be passed to a C function")
    if kind == "python":
        return _with(fun, args, kwargs), _with(jac, args, kwargs) if callable(jac) else jac, ()
    placed = _placed(fun, args, kwargs)
    if callable(jac) and kind_of(jac) == "jitted":
        others = _placed(jac, args, kwargs)
        if len(others) != len(placed) or any(a is not b for a, b in zip(others, placed, strict=True)):
            raise TypeError("with kwargs a jitted jac must take the same arguments as fun, in the same order")
    elif callable(jac):
        jac = _with(jac, args, kwargs)
    return fun, jac, placed


def _with(function, args, kwargs):
    return lambda x, *_: function(x, *args, **kwargs)


def _placed(function, args, kwargs):
    bound = inspect.signature(function.py_func).bind(None, *args, **kwargs)
    bound.apply_defaults()
    return bound.args[1:]
