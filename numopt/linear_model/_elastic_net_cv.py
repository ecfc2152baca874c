"""LassoCV and ElasticNetCV: every fold's path in compiled code, all of them over the threads of the machine."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.model_selection import check_cv
from sklearn.utils import metadata_routing
from sklearn.utils.validation import column_or_1d

from numopt.estimators.callbacks import observed
from numopt.linear_model._elastic_net import (
    ElasticNet,
    Lasso,
    check_common,
    check_data,
    check_precompute,
    check_ratio,
    seed_of,
)
from numopt.linear_model._linear_base import LinearPredictor, is_integer
from numopt.linear_model._paths import alpha_grid, check_alphas, check_eps, enet_path, gram_pays, lasso_path, warn_path
from numopt.linear_model._unpenalised import solve_from_zero
from numopt.optimize._coordinate_descent import solve_path, whole_gram
from numopt.solvers.lasso_slots import CONSTANT

GRAM_BYTES = 2**28  # of folds' Gram matrices at a time
LEFT = 1e-2  # of a column's spread in a fold, at least, for its Gram matrix to be a difference


def thread_count(n_jobs, tasks):
    """Threads for so many tasks: all of the machine's unless ``n_jobs`` says fewer.

    A worker process of joblib gets its share of the machine by ``NUMBA_NUM_THREADS``.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None:
        share = os.environ.get("NUMBA_NUM_THREADS", "")
        cores = min(cores, int(share)) if share.isdigit() else cores
    else:
        cores = max(cores + 1 + n_jobs, 1) if n_jobs < 0 else n_jobs
    return max(min(cores, tasks), 1)


def fold_weights(weights, train, n):
    """Weights of all samples, zero outside ``train``."""
    s = np.zeros(n)
    s[train] = 1.0 if weights is None else weights[train]
    if not s.sum() > 0.0:
        raise ValueError("sample_weight is zero on all training samples of a fold")
    return s


def fold_gram(X, weights, train, whole, mean, fit_intercept):
    """X_c'SX_c of a fold: ``whole``, that of all samples about ``mean``, less the part of those left out.

    With the train part's mean m + d, and h the weighted sum of (x - m) over those left out, whose number is smaller::

        sum_train s (x - m - d)(x - m - d)' = whole - sum_out s (x - m)(x - m)' - h h' / sum_train s
    """
    s = fold_weights(weights, train, len(X))
    out = np.flatnonzero((s == 0.0) if weights is None else (s == 0.0) & (weights > 0.0))
    if 2 * len(out) > len(s):
        return whole_gram(X, s, fit_intercept)[0]
    A = np.subtract(X[out], mean, dtype=np.float64, order="F" if X.flags.f_contiguous else "C")
    weights = None if weights is None else weights[out].astype(np.float64)
    gram = whole - whole_gram(A, weights, False)[0] if len(out) else whole.copy()
    if fit_intercept:
        h = (A if weights is None else A * weights[:, None]).sum(axis=0)
        gram -= h[:, None] * (h / s.sum())
    # a column whose spread is in the samples left out has lost its digits
    spread = whole.diagonal()
    if (gram.diagonal() < LEFT * spread)[spread > CONSTANT**2 * s.sum() * mean**2].any():
        return whole_gram(X, s, fit_intercept)[0]
    return gram


def fold_errors(X, y, weights, train, test, alphas, l1_ratio, gram, options):
    """Mean squared errors on ``test`` of the path fitted to ``train``; what is left out has weight zero."""
    s = fold_weights(weights, train, len(y))
    total = s.sum()
    coefs, intercepts, gaps, passes, goal = solve_from_zero(
        solve_path,
        X,
        y,
        total * alphas * l1_ratio,
        total * alphas * (1.0 - l1_ratio),
        sample_weight=s,
        gram=gram,
        **options,
    )
    if weights is not None and not weights[test].any():
        raise ValueError("sample_weight is zero on all test samples of a fold")
    errors = (X[test] @ coefs.T.astype(X.dtype, copy=False)) + (intercepts - y[test][:, None])
    return np.average(errors**2, axis=0, weights=None if weights is None else weights[test]), gaps, goal, passes


def all_errors(X, y, weights, folds, ratios, grids, whole, n_jobs, options):
    """:func:`fold_errors` of every fold and ratio, over threads; ``whole``: (Gram matrix, means) of X or None."""
    at_once = len(folds) if whole is None else max(GRAM_BYTES // whole[0].nbytes, 1)
    results = []
    with ThreadPoolExecutor(thread_count(n_jobs, len(folds) * len(ratios))) as pool:
        for first in range(0, len(folds), at_once):
            part = folds[first : first + at_once]
            grams = [None] * len(part) if whole is None else list(
                pool.map(lambda fold: fold_gram(X, weights, fold[0], *whole, options["fit_intercept"]), part)
            )  # fmt: skip
            tasks = [
                (X, y, weights, train, test, grid, ratio, gram, options)
                for (train, test), gram in zip(part, grams, strict=True)
                for ratio, grid in zip(ratios, grids, strict=True)
            ]
            results += pool.map(lambda task: fold_errors(*task), tasks)
    return results


class ElasticNetCV(RegressorMixin, LinearPredictor):
    """Elastic net with the penalty and the l1 ratio chosen by cross-validation.

    The paths of all folds and ratios run in compiled code over all threads; they share X, of which no fold is a copy,
    and where it pays one Gram matrix, from which a fold takes the part of the samples that it leaves out.

    Parameters
    ----------
    l1_ratio : float or list of float, default=0.5
        Share of the l1 penalty, or the shares to choose from.
    eps : float, default=1e-3
        Smallest over largest penalty of an automatic grid.
    alphas : int or array-like, default=100
        How many penalties, from the largest of use down; or the penalties.
    fit_intercept, max_iter, tol, copy_X, positive, random_state, selection
        As in :class:`ElasticNet`.
    precompute : 'auto', bool or array of shape (n_features, n_features), default='auto'
        Whether the folds share a Gram matrix, for dense X; 'auto', and an array: as in :func:`enet_path`.
    cv : int, splitter or iterable, default=None
        As in scikit-learn; None: 5 folds.
    verbose : bool or int, default=0
        Accepted as scikit-learn's.
    n_jobs : int, default=None
        Threads; None is all of the machine's, or in a worker process of joblib its share of them.  The result is the
        same for any number.

    Attributes
    ----------
    alpha_ : float
        The penalty of least mean error.
    l1_ratio_ : float
        The ratio of least mean error.
    coef_, intercept_, dual_gap_, n_iter_
        Of the fit to all samples at these, as in :class:`ElasticNet`.
    mse_path_ : ndarray of shape (n_l1_ratio, n_alphas, n_folds)
        Mean squared error on each fold; without the first axis for one ratio.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        The penalties, in falling order.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from numopt.linear_model import ElasticNetCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNetCV(l1_ratio=[0.5, 0.9, 1.0], cv=5).fit(X, y)
    >>> float(model.l1_ratio_), model.mse_path_.shape
    (1.0, (3, 100, 5))
    """

    _estimator: type[ElasticNet] = ElasticNet
    path = staticmethod(enet_path)

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=1000,
        tol=1e-4,
        cv=None,
        copy_X=True,
        verbose=0,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="cyclic",
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    @observed
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the penalty on folds, and fit all samples with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights, of the fits and of the errors within a fold.
        **params : dict
            For the splitter, with metadata routing enabled.

        Returns
        -------
        self
        """
        check_common(self)
        check_eps(self.eps)
        count, given = check_alphas(self.alphas)
        if self.n_jobs is not None and (not is_integer(self.n_jobs) or self.n_jobs == 0):
            raise ValueError(f"n_jobs must be None or an integer other than 0, got {self.n_jobs!r}")
        ratios = np.atleast_1d(getattr(self, "l1_ratio", 1.0)).tolist()
        for ratio in ratios:
            check_ratio(ratio)
        splits = self._split_params(sample_weight, params)
        X, y, weights = check_data(self, X, y, sample_weight)
        check_precompute(self.precompute, X.shape[1], auto=True)
        if y.ndim > 1 and y.shape[1] > 1:
            raise ValueError(
                f"y must have one column, got {y.shape[1]}: For multi-task outputs, use MultiTask{type(self).__name__}"
            )
        y = column_or_1d(y, warn=True)
        if given is None:
            grids = [
                alpha_grid(X, y, l1_ratio=ratio, eps=self.eps, count=count, fit_intercept=self.fit_intercept,
                           positive=self.positive, weights=weights)
                for ratio in ratios
            ]  # fmt: skip
        else:
            grids = [given] * len(ratios)
        folds = list(check_cv(self.cv).split(X, y, **splits))
        options = {
            "fit_intercept": self.fit_intercept,
            "positive": self.positive,
            "tol": self.tol,
            "max_iter": self.max_iter,
            "seed": seed_of(self.selection, self.random_state),
        }
        shared = gram_pays(self.precompute, X, sum(grid.size for grid in grids) * len(folds))
        whole = whole_gram(X, weights, self.fit_intercept) if shared else None
        results = all_errors(X, y, weights, folds, ratios, grids, whole, self.n_jobs, options)
        for (_, gaps, goal, passes), grid in zip(results, grids * len(folds), strict=True):
            warn_path(gaps, goal, grid, passes, self.max_iter)
        errors = np.reshape([error for error, *_ in results], (len(folds), len(ratios), -1))
        means = errors.mean(axis=0)
        best = np.unravel_index(np.argmin(means), means.shape)
        self.mse_path_ = np.squeeze(np.moveaxis(errors, 0, 2))
        self.alpha_ = grids[best[0]][best[1]]
        self.alphas_ = grids[0] if given is not None or len(ratios) == 1 else np.asarray(grids)
        self._keep_ratio(ratios[best[0]])
        model = self._estimator()
        names = model.get_params()
        chosen = {"alpha": self.alpha_, "precompute": False, "l1_ratio": ratios[best[0]]}
        values = {**self.get_params(deep=False), **chosen}
        model.set_params(**{name: value for name, value in values.items() if name in names})
        model._solve(X, y, weights, whole[0] if shared else None, trusted=True)
        self.coef_, self.intercept_ = model.coef_, model.intercept_
        self.dual_gap_, self.n_iter_ = model.dual_gap_, model.n_iter_
        return self

    def _keep_ratio(self, ratio):
        self.l1_ratio_ = np.float64(ratio)

    def _split_params(self, sample_weight, params):
        """What metadata routing hands to the splitter."""
        if not metadata_routing._routing_enabled():
            if params:
                raise ValueError(f"{sorted(params)} are only accepted with metadata routing enabled")
            return {}
        routed = metadata_routing.process_routing(self, "fit", sample_weight=sample_weight, **params)
        return routed.splitter.split

    def get_metadata_routing(self):
        """Where metadata go: weights to the fit, anything else to the splitter.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        return (
            metadata_routing.MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                splitter=check_cv(self.cv),
                method_mapping=metadata_routing.MethodMapping().add(caller="fit", callee="split"),
            )
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LassoCV(ElasticNetCV):
    """Lasso with the penalty chosen by cross-validation.

    The paths of all folds run in compiled code over all threads, as in :class:`ElasticNetCV`.

    Parameters
    ----------
    eps, alphas, fit_intercept, precompute, max_iter, tol, copy_X, cv, verbose, n_jobs, positive, random_state, \
            selection
        As in :class:`ElasticNetCV`.

    Attributes
    ----------
    alpha_, coef_, intercept_, dual_gap_, n_iter_, alphas_
        As in :class:`ElasticNetCV`.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared error on each fold.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from numopt.linear_model import LassoCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LassoCV(cv=5).fit(X, y)
    >>> model.mse_path_.shape, int((model.coef_ != 0).sum())
    ((100, 5), 9)
    """

    _estimator = Lasso
    path = staticmethod(lasso_path)

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=1000,
        tol=1e-4,
        copy_X=True,
        cv=None,
        verbose=False,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="cyclic",
    ):
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    def _keep_ratio(self, ratio):
        pass
