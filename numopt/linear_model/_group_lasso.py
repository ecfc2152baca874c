"""MultiTaskLasso, MultiTaskElasticNet and GroupLasso: penalties on groups of coefficients."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import column_or_1d

from numopt.estimators.callbacks import observed
from numopt.linear_model._elastic_net import (
    check_common,
    check_data,
    check_ratio,
    seed_of,
    warn_alpha_zero,
    warn_unconverged,
)
from numopt.linear_model._linear_base import LinearPredictor, check_flags, is_integer, is_number
from numopt.linear_model._rounding import rounded_gap
from numopt.linear_model._unpenalised import solve_from_zero
from numopt.optimize._group_lasso import solve_group_path


def check_groups(groups, p):
    """(features group after group, where groups begin), from the size of all, labels, or lists of indices."""
    accepted = f"a size that divides {p}, {p} labels, or lists of indices that hold each of 0 to {p - 1} once"
    if is_integer(groups):
        if groups < 1 or p % groups:
            raise ValueError(f"groups must be {accepted}, got {groups!r}")
        return np.arange(p), np.arange(0, p + 1, groups)
    try:
        parts = [np.atleast_1d(g) for g in groups]
    except TypeError:
        raise ValueError(f"groups must be {accepted}, got {groups!r}") from None
    if all(np.ndim(g) == 0 for g in groups):
        labels = np.asarray(groups)
        if len(labels) != p or labels.dtype.kind not in "iubSUO":
            raise ValueError(f"groups must be {accepted}, got {len(labels)} values of type {labels.dtype}")
        _, inverse = np.unique(labels, return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        return order, np.append(0, np.cumsum(np.bincount(inverse)))
    order = np.concatenate(parts)
    sizes = [len(g) for g in parts]
    if order.dtype.kind not in "iu" or min(sizes) == 0 or not np.array_equal(np.sort(order), np.arange(p)):
        raise ValueError(f"groups must be {accepted}, got {len(parts)} lists of {len(order)} indices in all")
    return order, np.append(0, np.cumsum(sizes))


def group_penalty(na, l2, order=None, starts=None, weights=None):
    """The penalty of groups, by default of the rows of W, as a function of W."""

    def penalty(W):
        squares = (W * W).sum(axis=1)
        squares = squares if starts is None else np.add.reduceat(squares[order], starts[:-1])
        sizes = np.sqrt(squares) if weights is None else np.sqrt(squares) * weights
        return float(na * sizes.sum() + 0.5 * l2 * squares.sum())

    return penalty


class _GroupModel(RegressorMixin, LinearPredictor):
    """What the estimators with penalties on groups share."""

    def _fit(self, X, Y, sample_weight, l1_ratio, **groups):
        """(coefficients (n_features, n_targets), intercepts); sets ``dual_gap_``, ``eps_`` and ``n_iter_``."""
        n, p = X.shape
        total = n if sample_weight is None else sample_weight.sum(dtype=np.float64)
        if self.alpha == 0:
            warn_alpha_zero()
        start = None
        if self.warm_start and hasattr(self, "coef_") and np.size(self.coef_) == p * Y.shape[1]:
            start = np.reshape(self.coef_, (-1, p)).T.astype(float)
        na, l2 = total * self.alpha * l1_ratio, total * self.alpha * (1.0 - l1_ratio)
        coefs, intercepts, gaps, passes, goal = solve_from_zero(
            solve_group_path,
            X,
            Y,
            np.array([na]),
            np.array([l2]),
            sample_weight=sample_weight,
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            max_iter=self.max_iter,
            seed=seed_of(self.selection, self.random_state),
            start=start,
            **groups,
        )
        if gaps[0] > goal:
            warn_unconverged(gaps[0], goal, passes[0], self.max_iter)
        self.eps_ = goal
        penalty = group_penalty(na, l2, **groups)
        gap = rounded_gap(max(gaps[0], 0.0), X, Y, sample_weight, coefs[0], intercepts[0], penalty)
        self.dual_gap_, self.n_iter_ = float(gap / total), max(int(passes[0]), 1)
        return coefs[0], intercepts[0]

    def _check(self):
        check_common(self)
        check_flags(self, "warm_start")
        if not is_number(self.alpha) or not 0 <= self.alpha < np.inf:
            raise ValueError(f"alpha must be a finite real number >= 0, got {self.alpha!r}")

    @property
    def sparse_coef_(self):
        """``coef_`` as a sparse matrix."""
        return sp.csr_matrix(self.coef_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class MultiTaskElasticNet(MultiOutputMixin, _GroupModel):
    """Linear regression of many targets that share their features, by block coordinate descent to a certified gap.

    Minimises, with w_j the coefficients of feature j for all targets, and ``|W|_21`` the sum of the ``|w_j|_2``::

        1 / (2 S) * sum_i s_i |y_i - W'x_i - b|^2 + alpha * l1_ratio * |W|_21 + alpha * (1 - l1_ratio) / 2 * |W|^2

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalties, nonnegative.  0 is least squares, solved directly, with a warning.
    l1_ratio : float, default=0.5
        Share of the first penalty, in [0, 1].
    fit_intercept : bool, default=True
        Whether to fit b.  X is centred implicitly.
    copy_X : bool, default=True
        Accepted as scikit-learn's; X is never overwritten.
    max_iter : int, default=1000
        Passes over the working set at most; a Newton step counts as one.
    tol : float, default=1e-4
        Stop when the duality gap, of the objective times S, is at most ``tol * sum_i s_i |y_i - mean|^2``.
    warm_start : bool, default=False
        Start from ``coef_`` of the fit before.
    random_state : int, RandomState or None, default=None
        Seed of the order of features for ``selection='random'``.
    selection : {'cyclic', 'random'}, default='cyclic'
        Features in turn, or in a random order in each pass.

    Attributes
    ----------
    coef_ : ndarray of shape (n_targets, n_features)
        W'; a feature is used for all targets or for none.
    intercept_ : ndarray of shape (n_targets,)
        b.
    eps_ : float
        The gap that ``tol`` stands for, of the objective times S.
    dual_gap_ : float
        Certified: the objective above is within this of its minimum.
    n_iter_ : int
        Passes taken.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has names that are all strings.

    References
    ----------
    Obozinski, Taskar & Jordan, Stat. Comput. 20 (2010), 231-252; Yuan & Lin, J. R. Stat. Soc. B 68 (2006), 49-67.

    Examples
    --------
    >>> from numopt.linear_model import MultiTaskElasticNet
    >>> model = MultiTaskElasticNet(alpha=0.1, tol=1e-10).fit([[0, 0], [1, 1], [2, 2]], [[0, 0], [1, 1], [2, 2]])
    >>> model.coef_.round(3)
    array([[0.456, 0.456],
           [0.456, 0.456]])
    """

    path: Callable  # set by numopt.linear_model._paths, which needs this module
    positive = False  # what scikit-learn's has no parameter for

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection

    @observed
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights; zero is as good as leaving the sample out.

        Returns
        -------
        self
        """
        self._check()
        check_ratio(self.l1_ratio)
        X, y, weights = check_data(self, X, y, sample_weight)
        if y.ndim == 1:
            other = "Lasso" if isinstance(self, MultiTaskLasso) else "ElasticNet"
            raise ValueError(
                f"For mono-task outputs, use {other}; y must have the shape (n_samples, n_targets), got {y.shape}"
            )
        W, intercept = self._fit(X, y, weights, self.l1_ratio)
        self.coef_ = np.ascontiguousarray(W.T).astype(X.dtype, copy=False)
        self.intercept_ = intercept.astype(X.dtype) if self.fit_intercept else np.zeros(y.shape[1], X.dtype)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


class MultiTaskLasso(MultiTaskElasticNet):
    """Linear regression of many targets that share their few features, to a certified duality gap.

    Minimises, with w_j the coefficients of feature j for all targets, and ``|W|_21`` the sum of the ``|w_j|_2``::

        1 / (2 S) * sum_i s_i |y_i - W'x_i - b|^2 + alpha * |W|_21

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, nonnegative.  0 is least squares, solved directly, with a warning.
    fit_intercept, copy_X, max_iter, tol, warm_start, random_state, selection
        As in :class:`MultiTaskElasticNet`.

    Attributes
    ----------
    coef_, intercept_, dual_gap_, eps_, n_iter_, n_features_in_, feature_names_in_
        As in :class:`MultiTaskElasticNet`.

    Examples
    --------
    >>> from numopt.linear_model import MultiTaskLasso
    >>> model = MultiTaskLasso(alpha=0.1).fit([[0, 1], [1, 0], [2, 2]], [[0, 0], [1, 1], [2, 3]])
    >>> model.coef_.shape, (model.coef_[:, 0] > 0).all()
    ((2, 2), np.True_)
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection
        self.l1_ratio = 1.0


class GroupLasso(_GroupModel):
    """Linear regression that uses features by groups, to a certified duality gap.

    Minimises, with w_g the coefficients of group g and weights s_i (1 if not given), S their sum::

        1 / (2 S) * sum_i s_i (y_i - x_i'w - b)^2 + alpha * sum_g weights_g * |w_g|_2

    Parameters
    ----------
    groups : int, or array-like of n_features labels, or list of lists of int, default=1
        The size of all groups, runs of consecutive features; or for each feature the label of its group; or for each
        group its features.
    alpha : float, default=1.0
        Weight of the penalty, nonnegative.  0 is least squares, solved directly, with a warning.
    weights : array-like of shape (n_groups,), default=None
        Positive, in the order of the groups (of sorted labels).  None: the square roots of the groups' sizes.
    fit_intercept : bool, default=True
        Whether to fit b.  X is centred implicitly.
    max_iter : int, default=1000
        Passes over the working set at most; a Newton step counts as one.
    tol : float, default=1e-4
        Stop when the duality gap, of the objective times S, is at most ``tol * sum_i s_i (y_i - mean)^2``.
    warm_start : bool, default=False
        Start from ``coef_`` of the fit before.
    random_state : int, RandomState or None, default=None
        Seed of the order of groups for ``selection='random'``.
    selection : {'cyclic', 'random'}, default='cyclic'
        Groups in turn, or in a random order in each pass.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        w.
    intercept_ : float
        b.
    eps_ : float
        The gap that ``tol`` stands for, of the objective times S.
    dual_gap_ : float
        Certified: the objective above is within this of its minimum.
    n_iter_ : int
        Passes taken.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has names that are all strings.

    References
    ----------
    Yuan & Lin, "Model selection and estimation in regression with grouped variables", J. R. Stat. Soc. B 68 (2006),
    49-67.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import GroupLasso
    >>> X = np.random.default_rng(0).standard_normal((50, 6))
    >>> y = X[:, 2] - X[:, 3]
    >>> model = GroupLasso(groups=["a", "a", "b", "b", "c", "c"], alpha=0.5).fit(X, y)
    >>> model.coef_ != 0
    array([False, False,  True,  True, False, False])
    """

    copy_X, positive = True, False  # X is never overwritten, nor are signs restricted

    def __init__(
        self,
        groups=1,
        alpha=1.0,
        *,
        weights=None,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="cyclic",
    ):
        self.groups = groups
        self.alpha = alpha
        self.weights = weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection

    @observed
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights; zero is as good as leaving the sample out.

        Returns
        -------
        self
        """
        self._check()
        X, y, sample_weight = check_data(self, X, y, sample_weight)
        y = column_or_1d(y, warn=True)
        order, starts = check_groups(self.groups, X.shape[1])
        sizes = np.diff(starts)
        weights = np.sqrt(sizes) if self.weights is None else np.asarray(self.weights, float)
        if weights.shape != sizes.shape or not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(f"weights must be {len(sizes)} finite positive numbers, one a group, got {self.weights!r}")
        W, intercept = self._fit(X, y[:, None], sample_weight, 1.0, order=order, starts=starts, weights=weights)
        self.coef_ = W[:, 0].astype(X.dtype)
        self.intercept_ = X.dtype.type(intercept[0]) if self.fit_intercept else 0.0
        return self
