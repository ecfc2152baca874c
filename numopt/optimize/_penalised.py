"""numopt.coordinate_descent: a loss of Xw plus penalties, without an estimator around it."""

import numpy as np

from numopt.kernels.status import Status
from numopt.optimize._coordinate_descent import solve_path
from numopt.optimize._group_lasso import solve_group_path
from numopt.result import OptimizeResult

LOSSES = ("squared", "logistic", "poisson")


def _matrix(X):
    """X as the solvers read it: float32 or float64, dense or CSC."""
    if hasattr(X, "tocsc"):
        X = X.tocsc()
        X = X if X.has_canonical_format else X.copy()
        X.sum_duplicates()
        X = X if X.dtype in (np.float32, np.float64) else X.astype(float)
        values = X.data
    else:
        X = np.asarray(X)
        X = X if X.dtype in (np.float32, np.float64) else X.astype(float)
        values = X
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must be a matrix with at least one row and one column, got the shape {X.shape}")
    if not np.isfinite(values).all():
        raise ValueError("X must be finite, got NaN or infinity in it")
    return X


def _vector(name, value, shape, least=-np.inf):
    """A finite float64 array of one of the shapes accepted."""
    value = np.ascontiguousarray(value, float)
    if value.shape != shape or not np.isfinite(value).all() or (value < least).any():
        bound = "" if least == -np.inf else f" >= {least:g}"
        raise ValueError(f"{name} must be finite numbers{bound} of shape {shape}, got {_shown(value)}")
    return value


def _shown(value):
    return f"the shape {value.shape}" if value.size > 8 else repr(value.tolist())


def _real(name, value, low, high=np.inf, accepted=""):
    if isinstance(value, (bool, np.bool_)) or not np.isscalar(value) or not isinstance(value, (int, float, np.number)):
        raise ValueError(f"{name} must be a real number {accepted}, got {value!r}")
    if not (low <= value <= high and np.isfinite(value)):
        raise ValueError(f"{name} must be a real number {accepted}, got {value!r}")
    return float(value)


def _groups(groups, p):
    if groups is None:
        return None, None
    parts = [np.atleast_1d(np.asarray(g)) for g in groups]
    order = np.concatenate(parts) if parts else np.empty(0, int)
    if order.dtype.kind not in "iu" or 0 in map(len, parts) or not np.array_equal(np.sort(order), np.arange(p)):
        raise ValueError(f"groups must be lists of indices that hold each of 0 to {p - 1} once, got {len(parts)} lists")
    return order, np.append(0, np.cumsum([len(g) for g in parts]))


def coordinate_descent(
    X,
    y,
    alpha,
    *,
    l1_ratio=1.0,
    loss="squared",
    groups=None,
    sample_weight=None,
    fit_intercept=False,
    positive=False,
    tol=1e-8,
    max_iter=10_000,
    seed=None,
    x0=None,
):
    """Minimise a loss of linear predictions plus l1 and l2 penalties, by coordinate descent on working sets.

    With weights s_i (1 if not given) and S their sum, the objective is::

        1 / S * sum_i s_i loss(y_i, x_i'w + b) + alpha * l1_ratio * |w|_1 + alpha * (1 - l1_ratio) / 2 * |w|_2^2

    where with ``groups`` the sum of ``sqrt(size of g) |w_g|_2`` stands for ``|w|_1``, and with several targets, w_j
    then being the coefficients of feature j, the sum of ``|w_j|_2``.

    Parameters
    ----------
    X : array or sparse matrix, shape (n, p)
        float32 or float64 in any order, or CSC, is read as it is; anything else is converted.
    y : array, shape (n,) or (n, k)
        Targets; 0 or 1 for the logistic loss, nonnegative for Poisson's.  Two dimensions for the squared loss only.
    alpha : float
        Weight of the penalties, > 0.
    l1_ratio : float, default 1.0
        Share of the first penalty, in [0, 1].
    loss : {'squared', 'logistic', 'poisson'}, default 'squared'
        (y - z)^2 / 2; log(1 + e^z) - y z; e^z - y z.
    groups : list of lists of int, optional
        The features of each group; squared loss only.
    sample_weight : array, shape (n,), optional
        Nonnegative.
    fit_intercept : bool, default False
        Whether there is a b, which has no penalty.
    positive : bool, default False
        Restrict w to be nonnegative; squared loss without groups and one target only.
    tol : float, default 1e-8
        Squared loss: stop when the duality gap is at most ``tol`` times the weighted mean of (y - mean)^2 (of y^2
        without an intercept).  Else: when no component of the subgradient of least size is larger than ``tol``.
    max_iter : int, default 10000
        Passes over the working set; other losses: quadratic models.
    seed : int, optional
        Coordinates in an order drawn with this seed in each pass; None: in turn.
    x0 : array, shape (p,) or (p, k), optional
        Start; zero if not given.

    Returns
    -------
    OptimizeResult
        ``x`` of y's dimension, ``intercept``, ``fun`` (the objective), ``dual_gap`` (squared loss: ``fun`` is within
        this of the minimum; else NaN), ``optimality`` (other losses: the largest component of the subgradient; else
        NaN), ``nit``, ``success``, ``status``, ``message``.

    Raises
    ------
    ValueError
        An argument has the wrong shape, sign or range; the message names it.

    References
    ----------
    Friedman, Hastie & Tibshirani, J. Stat. Softw. 33 (2010); Massias, Gramfort & Salmon, "Celer", ICML 2018; Lee, Sun &
    Saunders, SIAM J. Optim. 24 (2014).

    Examples
    --------
    >>> import numpy as np
    >>> import numopt
    >>> X = np.random.default_rng(0).standard_normal((100, 20))
    >>> result = numopt.coordinate_descent(X, X[:, 3] - 2 * X[:, 7], alpha=0.1)
    >>> np.flatnonzero(result.x), result.status.name, bool(result.dual_gap < 1e-7)
    (array([3, 7]), 'GAP', True)
    """
    X = _matrix(X)
    n, p = X.shape
    y = np.asarray(y, float)
    several = y.ndim == 2
    y = _vector("y", y, (n, y.shape[1]) if several else (n,))
    alpha = _real("alpha", alpha, 0.0, accepted="> 0")
    if alpha == 0.0:
        raise ValueError("alpha must be a real number > 0, got 0: numopt.linear_model.LinearRegression has no penalty")
    l1_ratio = _real("l1_ratio", l1_ratio, 0.0, 1.0, "in [0, 1]")
    tol = _real("tol", tol, 0.0, accepted=">= 0")
    if not isinstance(max_iter, (int, np.integer)) or isinstance(max_iter, bool) or max_iter < 1:
        raise ValueError(f"max_iter must be an integer >= 1, got {max_iter!r}")
    if seed is not None and (not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0):
        raise ValueError(f"seed must be an integer >= 0 or None, got {seed!r}")
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}")
    s = None if sample_weight is None else _vector("sample_weight", sample_weight, (n,), 0.0)
    if s is not None and not s.any():
        raise ValueError("sample_weight must hold a positive weight; every weight given is zero")
    order, starts = _groups(groups, p)
    if loss != "squared" and (several or groups is not None or positive or seed is not None):
        raise ValueError(f"loss={loss!r} takes one target, and neither groups, positive nor seed; loss='squared' does")
    if positive and (several or groups is not None):
        raise ValueError("positive=True takes one target and no groups")
    start = None if x0 is None else _vector("x0", x0, (p, y.shape[1]) if several else (p,))
    if loss == "squared":
        return _squared(
            X, y, alpha, l1_ratio, order, starts, start, tol,
            {"sample_weight": s, "fit_intercept": bool(fit_intercept), "max_iter": int(max_iter),
             "seed": 0 if seed is None else 1 + int(seed) % (2**31 - 2)},
            positive,
        )  # fmt: skip
    return _smooth(X, y, alpha, l1_ratio, loss, s, bool(fit_intercept), tol, int(max_iter), start)


def _squared(X, y, alpha, l1_ratio, order, starts, start, tol, options, positive):
    s = options["sample_weight"]
    total = float(len(y)) if s is None else float(s.sum())
    na, l2 = np.array([total * alpha * l1_ratio]), np.array([total * alpha * (1.0 - l1_ratio)])
    weights = np.ones(X.shape[1])
    if y.ndim == 1 and order is None:
        coefs, intercepts, gaps, passes, goal = solve_path(
            X, y, na, l2, positive=bool(positive), tol=tol, start=start, **options
        )
    else:
        if order is not None:
            weights = np.sqrt(np.diff(starts))
            options = options | {"order": order, "starts": starts, "weights": weights}
        start = None if start is None else start.reshape(X.shape[1], -1)
        coefs, intercepts, gaps, passes, goal = solve_group_path(
            X, y.reshape(len(y), -1), na, l2, tol=tol, start=start, **options
        )
        if y.ndim == 1:
            coefs, intercepts = coefs[:, :, 0], intercepts[:, 0]
    x, b, gap = coefs[0], intercepts[0], max(float(gaps[0]), 0.0) / total
    R = y - X @ x - b
    rows = R * R if y.ndim == 1 else (R * R).sum(axis=1)
    squares = x * x if y.ndim == 1 else (x * x).sum(axis=1)
    sizes = np.sqrt(squares if order is None else np.add.reduceat(squares[order], starts[:-1]))
    fun = np.average(rows, weights=s) / 2 + alpha * (
        l1_ratio * float(weights[: len(sizes)] @ sizes) + (1.0 - l1_ratio) / 2 * float(squares.sum())
    )
    status = Status.GAP if gaps[0] <= goal else Status.MAXITER if passes[0] >= options["max_iter"] else Status.STALLED
    return _result(x, b, fun, status, int(passes[0]), gap, np.nan)


def _smooth(X, y, alpha, l1_ratio, loss, s, intercept, tol, max_iter, start):
    from numopt.optimize._glm import objective
    from numopt.optimize._glm_l1 import minimise_l1

    if loss == "logistic" and not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("y must hold 0 and 1 only for loss='logistic'")
    if loss == "poisson" and (y < 0).any():
        raise ValueError(f"y must be nonnegative for loss='poisson', got {y.min()}")
    if s is not None and not s.all():
        keep = s > 0
        X, y, s = X[keep], y[keep], s[keep]
    rows = X.tocsr() if hasattr(X, "tocsr") else X if X.flags.forc else np.ascontiguousarray(X)
    X = X.tocsc() if hasattr(X, "tocsc") else X
    f = objective(rows, y, s, loss, 1, alpha * (1.0 - l1_ratio), intercept)
    W = np.zeros((X.shape[1] + intercept, 1))
    if start is not None:
        W[: X.shape[1], 0] = start
    W, iterations, residual = minimise_l1(f, X, W, alpha * l1_ratio, tol, max_iter)
    x, b = W[: X.shape[1], 0].copy(), float(W[-1, 0]) if intercept else 0.0
    fun = f.evaluate(W)[0] + alpha * l1_ratio * float(np.abs(x).sum())
    done = residual <= tol
    status = Status.GRADIENT if done else Status.MAXITER if iterations >= max_iter else Status.STALLED
    return _result(x, b, fun, status, iterations, np.nan, residual)


def _result(x, intercept, fun, status, nit, gap, optimality):
    return OptimizeResult(
        x=x,
        intercept=intercept if np.ndim(intercept) else float(intercept),
        fun=float(fun),
        dual_gap=gap,
        optimality=float(optimality),
        nit=nit,
        success=status.success,
        status=status,
        message=status.message,
    )
