"""Ridge regression with its strength chosen by cross-validation, and the classifier on top of it."""

import inspect

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import MultiOutputMixin, RegressorMixin, clone, is_classifier
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from numopt.estimators.callbacks import observed
from numopt.linear_model._blas import few_threads
from numopt.linear_model._linear_base import (  # fmt: skip
    Given,
    GivenClasses,
    LinearPredictor,
    System,
    check_flags,
    check_inputs,
    check_weights,
)
from numopt.linear_model._ridge import Ridge
from numopt.linear_model._ridge_classifier import LabelledRidge, RidgeClassifier
from numopt.linear_model._ridge_spectrum import Spectrum, ridge_path
from numopt.optimize._warn import warn


class _BaseRidgeCV(LinearPredictor):
    def __init__(
        self,
        alphas=(0.1, 1.0, 10.0),
        *,
        fit_intercept=True,
        scoring=None,
        cv=None,
        gcv_mode=None,
        store_cv_results=False,
        alpha_per_target=False,
    ):
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target

    def _check_parameters(self, X):
        check_flags(self, "fit_intercept", "store_cv_results", "alpha_per_target")
        try:
            alphas = np.atleast_1d(np.asarray(self.alphas, float)).ravel()
        except (TypeError, ValueError):
            alphas = np.array([])
        least = "> 0" if self.cv is None else ">= 0"
        wrong = ~np.isfinite(alphas) | (alphas < 0) | ((alphas == 0) & (self.cv is None))
        if not len(alphas) or wrong.any() or isinstance(self.alphas, (str, bool)):
            raise ValueError(f"alphas must be one or several finite real numbers {least}, got {self.alphas!r}")
        if self.gcv_mode not in (None, "auto", "svd", "eigen"):
            raise ValueError(f"gcv_mode must be 'auto', 'svd', 'eigen' or None, got {self.gcv_mode!r}")
        for name in ("store_cv_results", "alpha_per_target"):
            if self.cv is not None and getattr(self, name):
                raise ValueError(f"cv!=None and {name}=True are incompatible: {name} is for leave-one-out, cv=None")
        return alphas

    def _get_scorer(self):
        if get_config()["enable_metadata_routing"] and self.scoring is None:
            return get_scorer("accuracy" if is_classifier(self) else "r2").set_score_request(sample_weight=True)
        return check_scoring(self, scoring=self.scoring, allow_none=True)

    def _route(self, scorer, sample_weight, params):
        """What is handed to the scorer and to the splitter."""
        if get_config()["enable_metadata_routing"]:
            given = dict(params) if sample_weight is None else dict(params, sample_weight=sample_weight)
            routed = process_routing(self, "fit", **given)
            return dict(routed.scorer.score), dict(routed.splitter.split) if "splitter" in routed else {}
        if params:
            raise ValueError(
                f"[{', '.join(sorted(params))}] are passed but enable_metadata_routing is not set: "
                "fit takes X, y and sample_weight without it"
            )
        score = {}
        if sample_weight is not None and (self.cv is None or self._takes_weights(scorer)):
            score["sample_weight"] = sample_weight
        return score, {}

    @staticmethod
    def _takes_weights(scorer):
        function = getattr(scorer, "_score_func", scorer)
        parameters = inspect.signature(function).parameters
        # The scorer that stands for the estimator's own score takes what that takes, and hands it on as keywords.
        takes = "sample_weight" in parameters or ("kwargs" in parameters and not hasattr(scorer, "_score_func"))
        if not takes:
            warn(f"The scoring {scorer} takes no sample_weight: the folds are scored unweighted", UserWarning)
        return takes

    def get_metadata_routing(self):
        """Which metadata goes where.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            Requests of this estimator, of its scorer and of its splitter.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(scorer=self._get_scorer(), method_mapping=MethodMapping().add(caller="fit", callee="score"))
        return router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))

    def _leave_one_out(self, X, y, weights, alphas, scorer, score_params, dtype):
        """Sets everything from a leave-one-out search."""
        Y = y[:, None] if y.ndim == 1 else y
        (n, targets), flat = Y.shape, y.ndim == 1
        whole = n if weights is None else np.count_nonzero(weights)
        if whole < 2:
            raise ValueError(f"leaving out one row takes two rows of positive weight at least, got n_samples={whole}")
        if "sample_weight" in score_params:
            score_params = dict(score_params, sample_weight=weights)
        # Rows of weight zero stay: they are scored. Their residuals count for nothing in the sum of squares.
        system = System(X, Y, fit_intercept=self.fit_intercept, weights=weights, keep_rows=True)
        mode = self.gcv_mode
        if mode == "svd" and system.sparse:
            warn("gcv_mode='svd' is for dense X; 'eigen' is used instead", FutureWarning)
            mode = None
        spectrum = Spectrum(system, mode)
        keep = self.store_cv_results or self.scoring is not None
        kept = np.empty((n, targets, len(alphas))) if keep else None
        squares = np.zeros((targets, len(alphas)))
        for rows, errors in spectrum.left_out(alphas):
            if self.scoring is None:
                squares += np.einsum("ijk,ijk->jk", errors, errors)
                if keep:
                    errors *= errors
            else:
                if system.roots is not None:
                    root = system.roots[rows, None, None]
                    # A row of weight zero is predicted as given: the scorer needs a number, and weighs it with zero.
                    errors = np.divide(errors, root, out=np.zeros_like(errors), where=root > 0)
                errors = Y[rows, :, None] - errors
            if keep:
                kept[rows] = errors
        per_target = self.alpha_per_target and targets > 1
        if self.scoring is None:
            scores = -squares.T / n if self.alpha_per_target else -squares.mean(axis=0)[:, None] / n
        else:
            scores = np.array([self._score(kept[:, :, i], y, scorer, score_params) for i in range(len(alphas))])
        best = scores.argmax(axis=0)
        top = scores[best, np.arange(scores.shape[1])]
        if per_target:
            self.alpha_, self.best_score_ = alphas[best], top
            W = spectrum.coefficients(np.unique(alphas[best]))
            W = W[:, np.searchsorted(np.unique(alphas[best]), alphas[best]), np.arange(targets)]
        else:
            self.alpha_, self.best_score_ = float(alphas[best[0]]), top[0]
            W = spectrum.coefficients(alphas[best[:1]])[:, 0]
        if system.constant is not None:
            W[system.constant] = 0.0
        self._set_line(W, system, y)
        self.coef_ = self.coef_.astype(dtype, copy=False)
        if self.fit_intercept:
            self.intercept_ = self.intercept_.astype(dtype, copy=False)
        if self.store_cv_results:
            self.cv_results_ = (kept[:, 0] if flat else kept).astype(dtype, copy=False)

    def _score(self, predictions, y, scorer, params):
        """One row of scores: one number, or one a target."""
        if is_classifier(self):
            labels = y.argmax(axis=1)
            return [scorer(GivenClasses(np.arange(y.shape[1])), predictions, labels, **params)]
        if self.alpha_per_target and y.ndim == 2:
            return [scorer(Given(), predictions[:, t], y[:, t], **params) for t in range(y.shape[1])]
        return [scorer(Given(), predictions[:, 0] if y.ndim == 1 else predictions, y, **params)]

    def _folds(self, X, y, sample_weight, alphas, scorer, score_params, split_params):
        """Sets everything from a search over the folds of ``cv``: one decomposition a fold."""
        classifier = is_classifier(self)
        if "sample_weight" in score_params:
            score_params = dict(score_params, sample_weight=sample_weight)
        model = (RidgeClassifier if classifier else Ridge)(
            fit_intercept=self.fit_intercept, solver="sparse_cg" if sp.issparse(X) else "auto"
        )
        scores = []
        for train, test in check_cv(self.cv, y, classifier=classifier).split(X, y, **split_params):
            weights = None if sample_weight is None else sample_weight[train]
            held = {
                name: np.asarray(value)[test] if hasattr(value, "__len__") and len(value) == X.shape[0] else value
                for name, value in score_params.items()
            }
            path = ridge_path(clone(model), X[train], y[train], weights, alphas)
            Z, t = X[test], y[test]
            scores.append([scorer(fitted, Z, t, **held) for fitted in path])
        mean = np.mean(scores, axis=0)
        best = int(np.argmax(np.where(np.isnan(mean), -np.inf, mean)))
        self.alpha_, self.best_score_ = alphas[best], mean[best]
        model.set_params(alpha=self.alpha_).fit(X, y, sample_weight=sample_weight)
        self.coef_, self.intercept_ = model.coef_, model.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class RidgeCV(MultiOutputMixin, RegressorMixin, _BaseRidgeCV):
    """Ridge regression that chooses its strength by cross-validation.

    A replacement for :class:`sklearn.linear_model.RidgeCV`: the same parameters, attributes and answers.

    Parameters
    ----------
    alphas : float or array-like of shape (n_alphas,), default=(0.1, 1.0, 10.0)
        Strengths to try, positive; with ``cv`` zero is one too.
    fit_intercept : bool, default=True
        Whether there is a constant term.
    scoring : str, callable or None, default=None
        The score to maximise; None stands for the negative mean squared error when rows are left out one by one,
        and for the estimator's own ``score`` with ``cv``.
    cv : int, splitter, iterable or None, default=None
        The folds; None leaves out one row at a time, which needs a single decomposition.
    gcv_mode : {"auto", "svd", "eigen"} or None, default=None
        How rows are left out: ``"svd"`` decomposes X itself (dense X only), the others its smaller Gram matrix.
    store_cv_results : bool, default=False
        Whether to keep ``cv_results_``; with ``cv=None``.
    alpha_per_target : bool, default=False
        Whether every target has a strength of its own; with ``cv=None``.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The best strength, or that of every target.
    best_score_ : float or ndarray of shape (n_targets,)
        Its score.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients of the fit to all rows.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant term, 0.0 with ``fit_intercept=False``.
    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        With ``store_cv_results=True``: squared errors of the rows left out, or with ``scoring`` their predictions.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import RidgeCV
    >>> X = np.arange(12.0).reshape(6, 2) % 5
    >>> model = RidgeCV(alphas=[0.01, 1.0, 100.0]).fit(X, X @ [1.0, 2.0])
    >>> model.alpha_
    0.01
    """

    @observed
    @few_threads
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the strength and fit with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the squared errors, none negative.
        **params : dict
            Metadata for the scorer and the splitter, with ``enable_metadata_routing=True``.

        Returns
        -------
        RidgeCV
            The fitted estimator.
        """
        alphas = self._check_parameters(X)
        scorer = self._get_scorer()
        score_params, split_params = self._route(scorer, sample_weight, params)
        dtype = X.dtype if getattr(getattr(X, "dtype", None), "kind", None) == "f" else np.dtype(np.float64)
        # Left-out errors divide by what the row leaves free, which can be tiny: they are computed in float64.
        types = (np.float64,) if self.cv is None else (np.float64, np.float32)
        X, y = check_inputs(self, X, y, dtype=types)
        weights = check_weights(sample_weight, X)
        if self.cv is None:
            scorer = None if self.scoring is None else scorer
            self._leave_one_out(X, y, weights, alphas, scorer, score_params, dtype)
        else:
            self._folds(X, y, weights, alphas, scorer, score_params, split_params)
        return self


class RidgeClassifierCV(LabelledRidge, _BaseRidgeCV):
    """Ridge classifier that chooses its strength by cross-validation.

    A replacement for :class:`sklearn.linear_model.RidgeClassifierCV`.

    Parameters
    ----------
    alphas : float or array-like of shape (n_alphas,), default=(0.1, 1.0, 10.0)
        Strengths to try, positive; with ``cv`` zero is one too.
    fit_intercept : bool, default=True
        Whether there is a constant term.
    scoring : str, callable or None, default=None
        The score to maximise; None stands for the negative mean squared error when rows are left out one by one,
        and for the estimator's own ``score`` with ``cv``.
    cv : int, splitter, iterable or None, default=None
        The folds; None leaves out one row at a time, which needs a single decomposition.
    class_weight : dict or "balanced", default=None
        Weights of the classes; ``"balanced"`` weights each by the inverse of its frequency.
    store_cv_results : bool, default=False
        Whether to keep ``cv_results_``; with ``cv=None``.

    Attributes
    ----------
    alpha_ : float
        The best strength.
    best_score_ : float
        Its score.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients of the fit to all rows.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant term, 0.0 with ``fit_intercept=False``.
    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        With ``store_cv_results=True``: squared errors of the rows left out, or with ``scoring`` their predictions.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import RidgeClassifierCV
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> print(RidgeClassifierCV().fit(X, ["low", "low", "high", "high"]).predict([[-1.5], [0.5]]))
    ['low' 'high']
    """

    gcv_mode = None
    alpha_per_target = False

    def __init__(
        self,
        alphas=(0.1, 1.0, 10.0),
        *,
        fit_intercept=True,
        scoring=None,
        cv=None,
        class_weight=None,
        store_cv_results=False,
    ):
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.class_weight = class_weight
        self.store_cv_results = store_cv_results

    @observed
    @few_threads
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the strength and fit with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Classes, or indicators of several labels.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the squared errors, none negative.
        **params : dict
            Metadata for the scorer and the splitter, with ``enable_metadata_routing=True``.

        Returns
        -------
        RidgeClassifierCV
            The fitted estimator.
        """
        alphas = self._check_parameters(X)
        scorer = self._get_scorer()
        score_params, split_params = self._route(scorer, sample_weight, params)
        dtype = X.dtype if getattr(getattr(X, "dtype", None), "kind", None) == "f" else np.dtype(np.float64)
        # Left-out errors divide by what the row leaves free, which can be tiny: they are computed in float64.
        types = (np.float64,) if self.cv is None else (np.float64, np.float32)
        X, y, weights, Y = self._encode(X, y, sample_weight, dtype=types)
        if self.cv is None:
            scorer = None if self.scoring is None else scorer
            self._leave_one_out(X, Y, weights, alphas, scorer, score_params, dtype)
        else:
            self._folds(X, y, weights, alphas, scorer, score_params, split_params)
        return self
