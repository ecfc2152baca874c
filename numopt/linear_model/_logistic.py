"""LogisticRegression: scikit-learn's parameters and attributes over Newton's method and coordinate descent."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

import numopt
from numopt.catalog import METHODS
from numopt.linear_model._linear_base import (
    LinearPredictor,
    check_flags,
    check_tolerance,
    check_weights,
    is_integer,
    is_number,
)
from numopt.optimize._glm import objective
from numopt.optimize._glm_l1 import minimise_l1
from numopt.optimize._glm_newton import minimise

SMOOTH = ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga", "liblinear")  # all solved by Newton's method
SPARSE = ("saga", "liblinear", "coordinate")  # those that take an l1 penalty
CATALOGUE = tuple(name for name, row in METHODS.items() if not row.values_only and name not in SMOOTH)
PENALTIES = ("l1", "l2", "elasticnet", None)


def check_design(estimator, X, y):
    """X in a storage that is read without a copy, y as one column; sets ``n_features_in_``."""
    X, y = validate_data(estimator, X, y, accept_sparse=("csr", "csc"), dtype=[np.float64, np.float32])
    if sp.issparse(X):
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
    elif not X.flags.forc:
        X = np.ascontiguousarray(X)
    return X, y


def positive_rows(X, y, weights):
    """A row of weight zero is no row."""
    if weights is None or weights.all():
        return X, y, weights
    keep = np.flatnonzero(weights)
    if sp.issparse(X):
        return X.tocsr()[keep], y[keep], weights[keep]
    order = "C" if X.flags.c_contiguous else "F"
    return np.array(X[keep], order=order), y[keep], weights[keep]


def warn_unconverged(what, reached, tol, iterations, max_iter):
    """One line that states what was reached and what was asked for."""
    limit = f"Raise max_iter (now {max_iter}) or tol" if iterations >= max_iter else "Rounding ends it: raise tol"
    warnings.warn(
        f"stopped after {iterations} iterations with a {what} of {reached:.3e}; tol asks for {tol:.3e}. "
        f"{limit}, or scale the features.",
        ConvergenceWarning,
        stacklevel=3,
    )


def minimise_with(name, f, W, tol, max_iter):
    """The smooth problem by a method of the catalogue."""
    shape, row = W.shape, METHODS[name]

    def fun(x):
        value, G, _ = f.evaluate(x.reshape(shape))
        return value, G.ravel()

    def hessp(x, v):
        f.evaluate(x.reshape(shape))
        return f.product(v.reshape(shape)).ravel()

    def hess(x):
        f.evaluate(x.reshape(shape))
        return np.array([f.product(v.reshape(shape)).ravel() for v in np.eye(x.size)])

    options = {"gtol": tol, "norm": np.inf, "maxiter": max_iter}
    second = {} if not row.second_order else {"hessp": hessp} if row.products else {"hess": hess}
    if row.mean_step:
        options["xtol"] = 0.0
    if "ftol" in row.defaults:
        options["ftol"] = 0.0
    result = numopt.minimize(fun, W.ravel(), jac=True, method=name, options=options, **second)
    W = result.x.reshape(shape)
    return W, int(result.nit), float(np.abs(f.evaluate(W)[1]).max())


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

    The intercepts have no penalty.  Without an l1 penalty this is solved by Newton's method: exact, with a Cholesky
    factor, where X is dense and the Hessian has up to 1200 rows, else with conjugate gradients; with one by proximal
    Newton steps, whose lassos coordinate descent solves.

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
        Accepted as scikit-learn's; the intercept has no penalty to be scaled, for 'liblinear' neither.
    class_weight : dict or 'balanced', default=None
        Weights of the classes; 'balanced': inversely to their total weights.
    random_state : int, RandomState or None, default=None
        Accepted as scikit-learn's: nothing is random.
    solver : str, default='lbfgs'
        Any of scikit-learn's ('lbfgs', 'liblinear', 'newton-cg', 'newton-cholesky', 'sag', 'saga') stands for the method
        above and gives its solution; 'liblinear' and 'saga' take an l1 penalty.  'coordinate' is the method with an l1
        penalty.  Any other gradient method of :func:`numopt.minimize` ('bfgs', 'trust-ncg', ...) is run by that.
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
    feature_names_in_ : ndarray of shape (n_features_in_,)
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
        check_solver(self.solver, ratio, C, self.dual)
        X, y = check_design(self, X, y)
        check_classification_targets(y)
        problem = Problem(X, y, check_weights(sample_weight, X), self.class_weight, self.fit_intercept)
        check_classes(self.solver, problem.classes)
        start = problem.start()
        if self.warm_start and hasattr(self, "coef_") and self.coef_.shape == (problem.K, X.shape[1]):
            coef = self.coef_.toarray() if sp.issparse(self.coef_) else self.coef_
            start[: X.shape[1]] = coef.T
            if self.fit_intercept:
                start[-1] = self.intercept_
        W, iterations, reached = problem.solve(start, C, ratio, self.solver, self.tol, self.max_iter)
        if not reached <= self.tol:
            what = "subgradient" if ratio > 0 else "gradient"
            warn_unconverged(what, reached, self.tol, iterations, self.max_iter)
        self.classes_, self.n_iter_ = problem.classes, np.array([iterations], np.int32)
        self.coef_, self.intercept_ = split(W, X.shape[1], X.dtype)
        return self

    def _penalty(self):
        """(C, l1_ratio), the deprecated penalty looked at."""
        C, ratio, penalty = self.C, self.l1_ratio, self.penalty
        if not is_number(C) or not C > 0:
            raise ValueError(f"C must be a real number > 0, or infinite, got {C!r}")
        if ratio is None:
            warnings.warn("l1_ratio=None is deprecated: use l1_ratio=0.0", FutureWarning, stacklevel=3)
            ratio = 0.0
        if not is_number(ratio) or not 0 <= ratio <= 1:
            raise ValueError(f"l1_ratio must be a real number in [0, 1], got {ratio!r}")
        if isinstance(penalty, str) and penalty == "deprecated":
            return C, float(ratio)
        if penalty not in PENALTIES:
            raise ValueError(f"penalty must be 'l1', 'l2', 'elasticnet' or None, got {penalty!r}")
        warnings.warn(
            "penalty is deprecated: use l1_ratio (0 for 'l2', 1 for 'l1'), and C=np.inf for none",
            FutureWarning,
            stacklevel=3,
        )
        if penalty is None:
            return np.inf, 0.0
        return C, {"l1": 1.0, "l2": 0.0, "elasticnet": float(ratio)}[penalty]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def split(W, p, dtype):
    """(coef_, intercept_) of a solution."""
    coef = np.ascontiguousarray(W[:p].T).astype(dtype, copy=False)
    intercept = W[p] if len(W) > p else np.zeros(W.shape[1])
    return coef, intercept.astype(dtype)


def check_common(estimator):
    """Parameters that logistic regression with and without cross-validation share."""
    check_flags(estimator, "fit_intercept", "dual")
    check_tolerance(estimator.tol)
    if not is_integer(estimator.max_iter) or estimator.max_iter < 0:
        raise ValueError(f"max_iter must be an integer >= 0, got {estimator.max_iter!r}")
    weight = estimator.class_weight
    if not (weight is None or isinstance(weight, dict) or (isinstance(weight, str) and weight == "balanced")):
        raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {weight!r}")
    check_random_state(estimator.random_state)


def check_solver(solver, ratio, C, dual):
    """Combinations that do not go together are said."""
    accepted = (*SMOOTH, "coordinate", *CATALOGUE)
    if not isinstance(solver, str) or solver not in accepted:
        raise ValueError(f"solver must be one of {', '.join(accepted)}, got {solver!r}")
    if ratio > 0 and C < np.inf and solver not in SPARSE:
        raise ValueError(f"solver={solver!r} takes l1_ratio=0 only, got {ratio!r}: {', '.join(SPARSE)} take others")
    if solver == "liblinear" and 0 < ratio < 1:
        raise ValueError(f"solver='liblinear' takes l1_ratio=0 or 1, got {ratio!r}: saga and coordinate take others")
    if solver == "liblinear" and C == np.inf:
        raise ValueError("solver='liblinear' takes a finite C, got inf: the other solvers take it")
    if dual and (solver != "liblinear" or ratio > 0):
        raise ValueError(f"dual=True goes with solver='liblinear' and l1_ratio=0 only, got {solver!r} and {ratio!r}")


def check_classes(solver, classes):
    """liblinear is for two classes, as scikit-learn's."""
    if solver == "liblinear" and len(classes) > 2:
        raise ValueError(f"solver='liblinear' takes two classes, got {len(classes)}: choose another solver")


class Problem:
    """Data of a fit, with the classes numbered and the weights of the classes in those of the samples."""

    def __init__(self, X, y, weights, class_weight, intercept, classes=None):
        X, y, weights = positive_rows(X, y, weights)
        found, codes = np.unique(y, return_inverse=True)
        if classes is not None:
            codes, found = np.searchsorted(classes, y), classes
        if len(found) < 2:
            raise ValueError(
                f"y must hold samples of at least two classes with positive weight, got one class: {found[0]!r}"
            )
        if class_weight is not None:
            sums = np.bincount(codes, weights, minlength=len(found))
            if isinstance(class_weight, str):
                with np.errstate(divide="ignore"):
                    share = np.where(sums > 0, sums.sum() / (len(found) * sums), 1.0)
            else:
                share = compute_class_weight(class_weight, classes=found, y=found[codes])
            weights = share[codes] if weights is None else weights * share[codes]
            X, codes, weights = positive_rows(X, codes, weights)
        self.X, self.codes, self.weights, self.classes, self.intercept = X, codes, weights, found, intercept
        self.K = 1 if len(found) == 2 else len(found)
        self.total = X.shape[0] if weights is None else float(weights.sum(dtype=float))
        self.f, self.columns = None, None

    def start(self):
        """All zero."""
        return np.zeros((self.X.shape[1] + self.intercept, self.K))

    def solve(self, W, C, ratio, solver, tol, max_iter):
        """(W, iterations, largest component of the (sub)gradient)."""
        strength = 1.0 / (C * self.total)
        if self.f is None:
            rows = self.X.tocsr() if sp.issparse(self.X) else self.X
            loss = "logistic" if self.K == 1 else "multinomial"
            self.f = objective(rows, self.codes, self.weights, loss, self.K, 0.0, self.intercept)
        f = self.f
        f.lam = strength * (1.0 - ratio)
        if ratio > 0.0 and strength > 0.0:
            if self.columns is None:
                self.columns = self.X.tocsc() if sp.issparse(self.X) else self.X
            return minimise_l1(f, self.columns, W, strength * ratio, tol, max_iter)
        if solver in CATALOGUE:
            return minimise_with(solver, f, W, tol, max_iter)
        return minimise(f, W, tol, max_iter)
