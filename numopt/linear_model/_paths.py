"""Paths of penalties: enet_path, lasso_path, and the grid that they and the cross-validated estimators start from."""

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array, check_consistent_length

from numopt.linear_model._elastic_net import (
    ElasticNet,
    advice,
    as_csc,
    check_precompute,
    check_ratio,
    given_gram,
    penalty,
    seed_of,
)
from numopt.linear_model._group_lasso import MultiTaskElasticNet, group_penalty
from numopt.linear_model._linear_base import check_tolerance, is_integer, is_number
from numopt.linear_model._rounding import rounded_gap
from numopt.linear_model._unpenalised import solve_from_zero
from numopt.optimize._coordinate_descent import GRAM_COLUMNS, solve_path, whole_gram
from numopt.optimize._group_lasso import solve_group_path
from numopt.optimize._warn import warn

COLUMNS_A_FIT = 8  # of a Gram matrix, which cost as much as the passes over X of one fit


def alpha_grid(X, y, *, l1_ratio, eps, count, fit_intercept, positive, weights=None):
    """``count`` penalties, from the least that leaves no coefficient down to ``eps`` times that, evenly in the log."""
    if l1_ratio == 0:
        raise ValueError("alphas must be given where l1_ratio is 0: no finite alpha leaves all coefficients at zero")
    total = len(y) if weights is None else weights.sum(dtype=np.float64)
    r = y - np.average(y, weights=weights) if fit_intercept else y
    r = r if weights is None else r * weights
    z = np.asarray(X.T @ r.astype(X.dtype, copy=False), float)
    z = np.sqrt((z * z).sum(axis=1)) if z.ndim > 1 else z
    top = max((z.max() if positive else np.abs(z).max()) / (total * l1_ratio), np.finfo(float).resolution)
    if top <= np.finfo(float).resolution:
        return np.full(count, np.finfo(float).resolution)
    return np.geomspace(top, top * eps, num=count)


def check_alphas(alphas):
    """(number of penalties or None, the given ones in falling order or None)."""
    if is_integer(alphas):
        if alphas < 1:
            raise ValueError(f"alphas must be an integer >= 1 or an array of nonnegative numbers, got {alphas!r}")
        return alphas, None
    values = np.asarray(alphas)
    if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "iuf":
        raise ValueError(f"alphas must be an integer >= 1 or an array of nonnegative numbers, got {alphas!r}")
    values = values.astype(float)
    if not (np.isfinite(values) & (values >= 0)).all():
        wrong = values[~(np.isfinite(values) & (values >= 0))][0]
        raise ValueError(f"alphas must be finite and nonnegative, got {wrong} among them")
    return None, np.sort(values)[::-1]


def check_eps(eps):
    """The ratio of the ends of a grid."""
    if not is_number(eps) or not 0 < eps < np.inf:
        raise ValueError(f"eps must be a real number > 0, got {eps!r}")


def gram_pays(precompute, X, fits):
    """Whether to form the Gram matrix of all columns for so many fits.

    Else each takes passes over X, at the pace of memory, ten times slower than the products of a Gram matrix.
    """
    if sp.issparse(X) or X.shape[1] > GRAM_COLUMNS:
        return False
    if isinstance(precompute, (bool, np.bool_)):
        return bool(precompute)
    return X.shape[1] <= min(X.shape[0], COLUMNS_A_FIT * fits)


def enet_path(
    X,
    y,
    *,
    l1_ratio=0.5,
    eps=1e-3,
    alphas=100,
    n_alphas="deprecated",
    precompute="auto",
    Xy=None,
    copy_X=True,
    coef_init=None,
    verbose=False,
    return_n_iter=False,
    positive=False,
    check_input=True,
    tol=1e-4,
    max_iter=1000,
    selection="cyclic",
    random_state=None,
):
    """Elastic net for a path of penalties, each solution the start of the next.

    Minimises, for each alpha, ``1 / (2 n_samples) |y - Xw|^2 + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) / 2 |w|^2``.
    There is no intercept: centre y, and X, before.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets; more than one are fitted as by :class:`MultiTaskElasticNet`, with the same features for all.
    l1_ratio : float, default=0.5
        Share of the l1 penalty, in [0, 1].
    eps : float, default=1e-3
        Smallest over largest penalty of an automatic grid.
    alphas : int or array-like, default=100
        How many penalties, from the largest of use down; or the penalties.
    n_alphas : int
        Deprecated in scikit-learn, as a number for ``alphas``.
    precompute : 'auto', bool or array of shape (n_features, n_features), default='auto'
        The Gram matrix X'X, or whether to form it for dense X; 'auto': if there are at least as many samples as
        features, and enough penalties for it to pay.
    Xy, copy_X, verbose, check_input
        Accepted as scikit-learn's, without effect on the result.
    coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
        Start at the first penalty.
    return_n_iter : bool, default=False
        Return the numbers of passes too.
    positive : bool, default=False
        Restrict the coefficients to be nonnegative.
    tol, max_iter, selection, random_state
        As in :class:`ElasticNet`.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        In falling order.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
    dual_gaps : ndarray of shape (n_alphas,)
        Certified duality gaps of the objective above.
    n_iters : list of int
        Only with ``return_n_iter``.

    Examples
    --------
    >>> from numopt.linear_model import enet_path
    >>> alphas, coefs, gaps = enet_path([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [1.0, 2.0, 3.0], alphas=5)
    >>> coefs.shape, bool((gaps < 1e-3).all())
    ((2, 5), True)
    """
    check_ratio(l1_ratio)
    check_eps(eps)
    if not (isinstance(n_alphas, str) and n_alphas == "deprecated"):
        warn("'n_alphas' is deprecated: give the number to 'alphas'", FutureWarning)
        alphas = n_alphas if is_integer(alphas) and alphas == 100 else alphas
    count, given = check_alphas(alphas)
    check_tolerance(tol)
    if not is_integer(max_iter) or max_iter < 1:
        raise ValueError(f"max_iter must be an integer >= 1, got {max_iter!r}")
    if selection not in ("cyclic", "random"):
        raise ValueError(f"selection must be 'cyclic' or 'random', got {selection!r}")
    X = check_array(X, accept_sparse=("csc", "csr"), dtype=[np.float64, np.float32])
    y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
    check_consistent_length(X, y)
    X = as_csc(X) if sp.issparse(X) else X
    n, p = X.shape
    check_precompute(precompute, p, auto=True)
    if y.ndim > 1 and positive:
        raise ValueError("positive=True is not allowed for multi-output (y.ndim != 1)")
    if given is None:
        given = alpha_grid(X, y, l1_ratio=l1_ratio, eps=eps, count=count, fit_intercept=False, positive=positive)
    shape = (p,) if y.ndim == 1 else (y.shape[1], p)
    if coef_init is not None and np.shape(coef_init) != shape:
        raise ValueError(f"coef_init must have the shape {shape}, got {np.shape(coef_init)}")
    start = None if coef_init is None else np.asarray(coef_init, float)
    options = {"fit_intercept": False, "tol": tol, "max_iter": max_iter, "seed": seed_of(selection, random_state)}
    na, l2 = n * given * l1_ratio, n * given * (1.0 - l1_ratio)
    if y.ndim == 1:
        gram = given_gram(precompute, X)
        trusted = gram is None
        if trusted and gram_pays(precompute, X, given.size):
            gram, _ = whole_gram(X, fit_intercept=False)
        coefs, _, gaps, passes, goal = solve_from_zero(
            solve_path, X, y, na, l2, positive=positive, start=start, gram=gram, trusted=trusted, **options
        )
    else:
        start = None if start is None else start.T
        coefs, _, gaps, passes, goal = solve_from_zero(solve_group_path, X, y, na, l2, start=start, **options)
    warn_path(gaps, goal, given, passes, max_iter)
    gaps = np.maximum(gaps, 0.0)
    if y.ndim == 1:
        gaps = rounded_gap(gaps, X, y[:, None], None, coefs.T, np.zeros(len(na)), penalty(na, l2))
    else:
        zero = np.zeros(y.shape[1])
        parts = zip(gaps, coefs, na, l2, strict=True)
        gaps = np.array([rounded_gap(gap, X, y, None, W, zero, group_penalty(a, b)) for gap, W, a, b in parts])
    coefs = coefs.T.astype(X.dtype, copy=False)
    gaps = gaps / n
    iterations = [max(int(k), 1) for k in passes]
    return (given, coefs, gaps, iterations) if return_n_iter else (given, coefs, gaps)


def warn_path(gaps, goal, alphas, passes, max_iter):
    """One line for all penalties of a path that were not solved."""
    short = gaps > goal
    if short.any():
        worst = np.argmax(gaps)
        warn(
            f"coordinate descent did not reach tol for {short.sum()} of {short.size} penalties; the largest duality "
            f"gap is {gaps[worst]:.3e} at alpha={alphas[worst]:.3e}, tol asks for {goal:.3e}. "
            f"{advice(passes[worst], max_iter)}",
            ConvergenceWarning,
        )


def lasso_path(X, y, *, eps=1e-3, alphas=100, **params):
    """Lasso for a path of penalties, each solution the start of the next.

    Minimises, for each alpha, ``1 / (2 n_samples) |y - Xw|^2 + alpha |w|_1``.  There is no intercept: centre y, and X,
    before.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    eps : float, default=1e-3
        Smallest over largest penalty of an automatic grid.
    alphas : int or array-like, default=100
        How many penalties, from the largest of use down; or the penalties.
    **params
        As in :func:`enet_path`, but ``l1_ratio``.

    Returns
    -------
    alphas, coefs, dual_gaps[, n_iters]
        As :func:`enet_path`.

    Examples
    --------
    >>> from numopt.linear_model import lasso_path
    >>> alphas, coefs, gaps = lasso_path([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [1.0, 2.0, 3.0], alphas=[1.0, 0.1])
    >>> coefs.round(2)
    array([[0.11, 1.31],
           [0.78, 1.08]])
    """
    if "l1_ratio" in params:
        raise TypeError("lasso_path has no l1_ratio; enet_path has")
    return enet_path(X, y, l1_ratio=1.0, eps=eps, alphas=alphas, **params)


# as scikit-learn's: the function of an estimator's family
ElasticNet.path = staticmethod(enet_path)
MultiTaskElasticNet.path = staticmethod(enet_path)
