"""LogisticRegressionCV: the penalty of logistic regression chosen on folds, whose paths run over all threads."""

import inspect
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import accuracy_score, get_scorer, make_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import metadata_routing
from sklearn.utils.validation import _check_method_params

from numopt.estimators.callbacks import Tasks, with_callbacks
from numopt.linear_model._blas import one_blas_thread
from numopt.linear_model._elastic_net_cv import thread_count
from numopt.linear_model._linear_base import check_flags, check_weights, is_integer, is_number
from numopt.linear_model._logistic import LinearClassifier, LogisticRegression
from numopt.linear_model._logistic_problem import (
    PENALTIES,
    Problem,
    check_classes,
    check_common,
    check_design,
    check_labels,
    check_solver,
    class_shares,
    intercept_scaling,
    split,
    warn_unconverged,
)
from numopt.optimize._warn import warn


def check_strengths(Cs):
    """The values of C: a number of them from 1e-4 to 1e4, or as given."""
    if is_integer(Cs):
        if Cs < 1:
            raise ValueError(f"Cs must be an integer >= 1 or an array of positive numbers, got {Cs!r}")
        return np.logspace(-4, 4, Cs)
    values = np.asarray(Cs, float).ravel()
    if not len(values) or not (values > 0).all():
        raise ValueError(f"Cs must be an integer >= 1 or an array of positive numbers, got {Cs!r}")
    return values


def with_labels(scorer, classes):
    """The scorer told of all classes, where it can be: a fold need not hold them."""
    function = getattr(scorer, "_score_func", None)
    names = inspect.signature(function).parameters if function is not None else ()
    if "labels" not in names:
        return scorer
    known = {"labels": classes, **getattr(scorer, "_kwargs", {})}
    if len(classes) == 2 and "pos_label" in names:
        known.setdefault("pos_label", classes[1])
    return make_scorer(function, greater_is_better=scorer._sign == 1, response_method=scorer._response_method, **known)


def accuracies(paths, X, y, classes, weights):
    """Shares of right answers of the solutions in ``paths``, (ratios, Cs, K, p or p + 1)."""
    shape, p = paths.shape, X.shape[1]
    flat = paths.reshape(-1, shape[3]).astype(X.dtype, copy=False)
    decisions = X @ flat[:, :p].T
    if shape[3] > p:
        decisions = decisions + flat[:, p]
    decisions = np.asarray(decisions).reshape(len(y), -1, shape[2])
    chosen = (decisions[:, :, 0] > 0.0).astype(int) if shape[2] == 1 else decisions.argmax(axis=2)
    return np.average(classes[chosen] == y[:, None], axis=0, weights=weights).reshape(shape[:2])


class LogisticRegressionCV(LinearClassifier):
    """Logistic regression with the penalty, and the share of l1 in it, chosen by cross-validation.

    Parameters
    ----------
    Cs : int or array-like, default=10
        How many values of C, from 1e-4 to 1e4; or the values.
    l1_ratios : array-like, default='warn'
        Shares of the l1 penalty to choose from; not given: 0, with scikit-learn's warning.
    fit_intercept, dual, penalty, solver, tol, max_iter, class_weight, verbose, intercept_scaling, random_state, n_jobs
        As in :class:`LogisticRegression`; class weights are those of all samples.
    cv : int, splitter or iterable, default=None
        As in scikit-learn; None: 5 stratified folds.
    scoring : str or callable, default='warn'
        As in scikit-learn; not given: accuracy, with scikit-learn's warning.
    refit : bool, default=True
        Fit all samples with the penalty of the best mean score; else average the folds' best coefficients.
    use_legacy_attributes : bool, default='warn'
        scikit-learn's two layouts of the attributes below; not given: True, with scikit-learn's warning.

    Attributes
    ----------
    classes_, coef_, intercept_, n_features_in_, feature_names_in_
        As in :class:`LogisticRegression`.
    Cs_ : ndarray of shape (n_cs,)
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
    C_, l1_ratio_ : float
        The choice; with legacy attributes arrays that repeat it for each class.
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        With legacy attributes a dict of (n_folds, n_cs, n_l1_ratios) by class.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_cs, n_classes, n_features + 1)
        With legacy attributes a dict of (n_folds, n_cs, n_l1_ratios, n_features + 1) by class.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        With legacy attributes (1, n_folds, n_cs, n_l1_ratios).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from numopt.linear_model import LogisticRegressionCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegressionCV(Cs=[0.1, 1.0], l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False)
    >>> model.fit(X, y).C_, model.scores_.shape
    (1.0, (5, 1, 2))
    """

    __metadata_request__score = {"sample_weight": metadata_routing.UNUSED}  # noqa: RUF012  the scorer's, as scikit-learn's

    def __init__(
        self,
        *,
        Cs=10,
        l1_ratios="warn",
        fit_intercept=True,
        cv=None,
        dual=False,
        penalty="deprecated",
        scoring="warn",
        solver="lbfgs",
        tol=1e-4,
        max_iter=100,
        class_weight=None,
        n_jobs=None,
        verbose=0,
        refit=True,
        intercept_scaling=1.0,
        random_state=None,
        use_legacy_attributes="warn",
    ):
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes

    def _choices(self):
        """(Cs, ratios, whether the ratios were given), checked, with scikit-learn's warnings of what will change."""
        Cs, ratios, penalty = check_strengths(self.Cs), self.l1_ratios, self.penalty
        for name, told in (("l1_ratios", "(0.0,)"), ("scoring", "'accuracy'"), ("use_legacy_attributes", "False")):
            if isinstance(getattr(self, name), str) and getattr(self, name) == "warn":
                warn(
                    f"the default of {name} will change, as scikit-learn's: set it, for example to {told}",
                    FutureWarning,
                )
        given = not (ratios is None or (isinstance(ratios, str) and ratios == "warn"))
        ratios = list(np.ravel(ratios)) if given else [0.0]
        if not ratios or not all(is_number(r) and 0 <= r <= 1 for r in ratios):
            raise ValueError(f"l1_ratios must be an array of real numbers in [0, 1], got {self.l1_ratios!r}")
        if not (isinstance(penalty, str) and penalty == "deprecated"):
            if penalty not in PENALTIES:
                raise ValueError(f"penalty must be 'l1', 'l2', 'elasticnet' or None, got {penalty!r}")
            warn("penalty is deprecated: use l1_ratios and Cs", FutureWarning)
            if penalty != "elasticnet":
                ratios = [1.0 if penalty == "l1" else 0.0]
            if penalty is None:
                Cs = np.array([np.inf])
        return Cs, [float(r) for r in ratios], given

    @with_callbacks
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the penalty on folds, and fit all samples with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights, of the fits and of the scores.
        **params : dict
            For the splitter and the scorer, with metadata routing enabled.

        Returns
        -------
        self
        """
        check_common(self)
        check_flags(self, "refit")
        Cs, ratios, given = self._choices()
        for ratio in ratios:
            check_solver(self.solver, ratio, Cs.max(), self.dual)
        X, y = check_design(self, X, y)
        check_labels(y)
        weights = check_weights(sample_weight, X)
        if weights is None:
            classes = np.unique(y)
        else:
            classes = np.unique(y[weights > 0])
        if len(classes) < 2:
            raise ValueError(
                f"y must hold at least two classes of positive weight, got one class: {classes[:1].tolist()[0]!r}"
            )
        check_classes(self.solver, classes)
        scaling = intercept_scaling(self)
        if sp.issparse(X):
            X = X.tocsr()
        totals = weights
        if self.class_weight is not None:
            # the shares of the classes in all samples, not in those of a fold; a class of no weight has no share
            known = np.isin(y, classes)
            share = class_shares(self.class_weight, y[known], classes, None if weights is None else weights[known])
            totals = np.zeros(len(y))
            totals[known] = share[np.searchsorted(classes, y[known])] * (1.0 if weights is None else weights[known])
        splits, scoring = self._routed(weights, params)
        scorer = with_labels(self._get_scorer(), classes)
        folds = list(check_cv(self.cv, y, classifier=True).split(X, y, **splits))
        K, p = 1 if len(classes) == 2 else len(classes), X.shape[1]
        shape = (len(folds), len(ratios), len(Cs))
        paths = np.empty((*shape, K, p + self.fit_intercept))
        scores, iterations, worst = np.empty(shape), np.empty(shape, np.int32), 0.0
        jobs = [(train, j) for train, _ in folds for j in range(len(ratios))]
        tasks = Tasks(self, X, y, sample_weight, most=len(jobs) + self.refit, sequential=False)

        def path(job):
            train, j = job
            weights = None if totals is None else totals[train]
            problem = Problem(X[train], y[train], weights, None, self.fit_intercept, classes, scaling)
            return problem.path(Cs, ratios[j], self.solver, self.tol, self.max_iter)

        # one fold a thread is better than two threads a product
        with one_blas_thread(), ThreadPoolExecutor(thread_count(self.n_jobs, len(jobs))) as pool:
            begun = [tasks.begin("path", t) for t in range(len(jobs))]
            for t, (solutions, counts, reached) in enumerate(pool.map(path, jobs)):
                tasks.done(begun[t])
                i, j = divmod(t, len(ratios))
                paths[i, j], iterations[i, j] = solutions, counts
                worst = worst if reached <= worst else reached  # NaN, too
        for i, (_, test) in enumerate(folds):
            named = _check_method_params(X=X, params=scoring, indices=test)
            scores[i] = self._scored(scorer, paths[i], X[test], y[test], classes, named)
        if not worst <= self.tol:
            warn_unconverged("gradient, in a fold,", worst, self.tol, iterations.max(), self.max_iter)
        if self.refit:
            task = tasks.begin("refit", len(jobs))
            j, k = np.unravel_index(np.argmax(scores.sum(axis=0)), shape[1:])
            C, ratio = Cs[k], ratios[j]
            problem = Problem(X, y, totals, None, self.fit_intercept, classes, scaling)
            start = np.ascontiguousarray(paths[:, j, k].mean(axis=0).T)
            W, count, reached = problem.solve(start, C, ratio, self.solver, self.tol, self.max_iter)
            if not reached <= self.tol:
                warn_unconverged("gradient", reached, self.tol, count, self.max_iter)
            tasks.done(task)
        else:
            # of equal scores the first in the order of C, then of the ratio, as scikit-learn
            best = [np.unravel_index(np.argmax(scores[i].T), shape[:0:-1]) for i in range(len(folds))]
            C, ratio = np.mean([Cs[k] for k, _ in best]), np.mean([ratios[j] for _, j in best])
            W = np.mean([paths[i, j, k] for i, (k, j) in enumerate(best)], axis=0).T
        self.classes_, self.Cs_, self.l1_ratios_ = classes, Cs, np.asarray(ratios)
        self.coef_, self.intercept_ = split(W, p, X.dtype)
        self._set_paths(float(C), float(ratio), paths, scores, iterations, given)
        tasks.end()
        return self

    def _scored(self, scorer, paths, X, y, classes, named):
        """Scores of the solutions of a fold, (ratios, Cs)."""
        weights = named.get("sample_weight")
        plain = getattr(scorer, "_score_func", None) is accuracy_score and not scorer._kwargs
        if plain and not set(named) - {"sample_weight"} and (weights is None or np.any(weights)):
            # all at once: scikit-learn's checks take longer than the fits
            return accuracies(paths, X, y, classes, weights)
        p, shape = X.shape[1], paths.shape[:2]
        models = [self._model(paths[at].T, p, X.dtype, classes) for at in np.ndindex(shape)]
        return np.reshape([scorer(model, X, y, **named) for model in models], shape)

    def _model(self, W, p, dtype, classes):
        model = LogisticRegression()
        model.classes_, model.n_features_in_ = classes, p
        model.coef_, model.intercept_ = split(W, p, dtype)
        return model

    def _set_paths(self, C, ratio, paths, scores, iterations, given):
        if self.use_legacy_attributes is False:
            self.C_, self.l1_ratio_ = C, ratio
            self.coefs_paths_, self.scores_, self.n_iter_ = paths, scores, iterations
            return
        K = paths.shape[3]
        self.C_, self.l1_ratio_ = np.full(K, C), np.full(K, ratio)
        # (folds, ratios, Cs, ...) to (folds, Cs, ratios, ...), the ratios' axis only where they were given
        keep = slice(None) if given else 0
        names = self.classes_[1:] if K == 1 else self.classes_
        self.scores_ = {name: np.swapaxes(scores, 1, 2)[:, :, keep] for name in names}
        self.coefs_paths_ = {name: np.swapaxes(paths[:, :, :, k], 1, 2)[:, :, keep] for k, name in enumerate(names)}
        self.n_iter_ = np.swapaxes(iterations, 1, 2)[None][:, :, :, keep]

    def _get_scorer(self):
        scoring = self.scoring
        return get_scorer(
            "accuracy" if scoring is None or (isinstance(scoring, str) and scoring == "warn") else scoring
        )

    def _routed(self, sample_weight, params):
        """(what goes to the splitter, what to the scorer)."""
        if metadata_routing._routing_enabled():
            routed = metadata_routing.process_routing(self, "fit", sample_weight=sample_weight, **params)
            return routed.splitter.split, routed.scorer.score
        if params:
            raise ValueError(f"{sorted(params)} are only accepted with metadata routing enabled")
        return {}, {} if sample_weight is None else {"sample_weight": sample_weight}

    def score(self, X, y, *, sample_weight=None, **score_params):
        """Score by ``scoring``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.
        **score_params : dict
            For the scorer, with metadata routing enabled.

        Returns
        -------
        float
        """
        if sample_weight is not None:
            score_params["sample_weight"] = sample_weight
        if metadata_routing._routing_enabled():
            score_params = metadata_routing.process_routing(self, "score", **score_params).scorer.score
        elif set(score_params) - {"sample_weight"}:
            raise ValueError(f"{sorted(score_params)} are only accepted with metadata routing enabled")
        return self._get_scorer()(self, X, y, **score_params)

    def get_metadata_routing(self):
        """Where metadata go: weights to the fit, others to the splitter and the scorer.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        mapping = metadata_routing.MethodMapping
        return (
            metadata_routing.MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=self.cv, method_mapping=mapping().add(caller="fit", callee="split"))
            .add(
                scorer=self._get_scorer(),
                method_mapping=mapping().add(caller="score", callee="score").add(caller="fit", callee="score"),
            )
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
