"""LogisticRegression: scikit-learn's parameters and attributes over Newton's method and coordinate descent."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from numopt.estimators.callbacks import Tasks, with_callbacks
from numopt.linear_model._linear_base import LinearPredictor, check_flags, check_weights, is_number
from numopt.linear_model._logistic_problem import (
    PENALTIES,
    SMOOTH,
    Problem,
    check_classes,
    check_common,
    check_design,
    check_labels,
    check_solver,
    intercept_scaling,
    split,
    warn_unconverged,
)
from numopt.optimize._warn import warn


class LinearClassifier(ClassifierMixin, LinearPredictor):
    """Scores, probabilities and classes from ``coef_``, ``intercept_`` and ``classes_``."""

    def decision_function(self, X):
        """Scores of the classes; for two classes that of ``classes_[1]``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        scores = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X):
        """The class of the highest score.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def predict_proba(self, X):
        """Probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X):
        """Logarithms of the probabilities, exact where a probability is too small for a number.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([-np.logaddexp(0, scores), -np.logaddexp(0, -scores)])
        scores = scores - scores.max(axis=1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def densify(self):
        """Make ``coef_`` an array, which it is after a fit.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        if sp.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self

    def sparsify(self):
        """Make ``coef_`` a sparse matrix; of use where most coefficients are zero.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        self.coef_ = sp.csr_matrix(self.coef_)
        return self


class LogisticRegression(LinearClassifier):
    """Logistic regression: for two classes, or multinomial for more.

    Minimises, with weights s_i (times those of the classes) and S their sum::

        1 / S * sum_i s_i loss_i + 1 / (C S) * (l1_ratio * |W|_1 + (1 - l1_ratio) / 2 * |W|^2)

    The intercepts have no penalty, but for ``solver='liblinear'``.  Without an l1 penalty this is solved by Newton's
    method: exact, with a Cholesky factor, where X is dense and the Hessian has few rows, else with conjugate gradients;
    with one by proximal Newton steps, whose lassos coordinate descent solves.

    Parameters
    ----------
    penalty : {'l1', 'l2', 'elasticnet', None}, default='deprecated'
        Deprecated as in scikit-learn: use ``l1_ratio`` and ``C``.
    C : float, default=1.0
        Inverse strength of the penalty, positive; infinite for none.
    l1_ratio : float, default=0.0
        Share of the l1 penalty, in [0, 1].
    dual : bool, default=False
        True is accepted for ``solver='liblinear'``: the solution is the same.
    tol : float, default=1e-4
        The largest component of the gradient of the objective above, or of its least subgradient, at the end: the
        meaning of scikit-learn's 'lbfgs'.
    fit_intercept : bool, default=True
        Whether to fit intercepts.
    intercept_scaling : float, default=1
        For 'liblinear': the intercept is this times a coefficient that is penalised as the others are.
    class_weight : dict or 'balanced', default=None
        Weights of the classes; 'balanced': inversely to their total weights.
    random_state : int, RandomState or None, default=None
        Accepted as scikit-learn's: nothing is random.
    solver : str, default='lbfgs'
        Any of scikit-learn's ('lbfgs', 'liblinear', 'newton-cg', 'newton-cholesky', 'sag', 'saga') stands for the
        method above; 'liblinear', whose intercept has a penalty as scikit-learn's, and 'saga' take an l1 penalty.  Any
        other gradient method of :func:`numopt.minimize` ('bfgs', 'trust-ncg', ...) is run by that, 'coordinate' by
        greedy coordinate descent, which with an l1 penalty is the method above.
    max_iter : int, default=100
        Iterations at most.
    verbose : int, default=0
        Accepted as scikit-learn's.
    warm_start : bool, default=False
        Start from ``coef_`` and ``intercept_`` of the fit before.
    n_jobs : int, default=None
        Accepted as scikit-learn's.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    n_iter_ : ndarray of shape (1,)
        Newton iterations.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has names that are all strings.

    References
    ----------
    Nocedal & Wright, Numerical Optimization, 2nd ed. (2006), chapters 3 and 7; Yuan, Ho & Lin, JMLR 13 (2012).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from numopt.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> model.predict(X[:2]), round(model.score(X, y), 3)
    (array([0, 0]), 0.973)
    """

    def __init__(
        self,
        penalty="deprecated",
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=1e-4,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; dense in any order, CSR or, with an l1 penalty, CSC, float32 or float64, are read as they are.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights; zero is as good as leaving the sample out.

        Returns
        -------
        self
        """
        C, ratio = self._penalty()
        check_common(self)
        check_flags(self, "warm_start")
        check_solver(self.solver, ratio, C, self.dual)
        X, y = check_design(self, X, y)
        check_labels(y)
        weights, scaling = check_weights(sample_weight, X), intercept_scaling(self)
        problem = Problem(X, y, weights, self.class_weight, self.fit_intercept, scaling=scaling)
        check_classes(self.solver, problem.classes)
        tasks = Tasks(self, X, y, sample_weight, most=self.max_iter if ratio > 0 or self.solver in SMOOTH else 0)
        start = problem.start()
        if self.warm_start and hasattr(self, "coef_") and self.coef_.shape == (problem.K, X.shape[1]):
            coef = self.coef_.toarray() if sp.issparse(self.coef_) else self.coef_
            start[: X.shape[1]] = coef.T
            if self.fit_intercept:
                start[-1] = self.intercept_

        def fitted(W):
            coef, intercept = split(W, X.shape[1], X.dtype)
            return {"classes_": problem.classes, "coef_": coef, "intercept_": intercept}

        watch = tasks.iterations(fitted)
        W, iterations, reached = problem.solve(start, C, ratio, self.solver, self.tol, self.max_iter, watch)
        if watch is not None:
            watch.close(W)
        if not reached <= self.tol and not (watch is not None and watch.stopped):
            what = "subgradient" if ratio > 0 else "gradient"
            warn_unconverged(what, reached, self.tol, iterations, self.max_iter)
        self.__dict__ |= fitted(W)
        self.n_iter_ = np.array([max(iterations, 1)], np.int32)
        tasks.end()
        return self

    def _penalty(self):
        """(C, l1_ratio), the deprecated penalty looked at."""
        C, ratio, penalty = self.C, self.l1_ratio, self.penalty
        if not is_number(C) or not C > 0:
            raise ValueError(f"C must be a real number > 0, or infinite, got {C!r}")
        if ratio is None:
            warn("l1_ratio=None is deprecated: use l1_ratio=0.0", FutureWarning)
            ratio = 0.0
        if not is_number(ratio) or not 0 <= ratio <= 1:
            raise ValueError(f"l1_ratio must be a real number in [0, 1], got {ratio!r}")
        if isinstance(penalty, str) and penalty == "deprecated":
            return C, float(ratio)
        if penalty not in PENALTIES:
            raise ValueError(f"penalty must be 'l1', 'l2', 'elasticnet' or None, got {penalty!r}")
        warn(
            "penalty is deprecated: use l1_ratio (0 for 'l2', 1 for 'l1'), and C=np.inf for none",
            FutureWarning,
        )
        if penalty is None:
            return np.inf, 0.0
        return C, {"l1": 1.0, "l2": 0.0, "elasticnet": float(ratio)}[penalty]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
