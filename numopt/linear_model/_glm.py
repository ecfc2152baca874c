"""PoissonRegressor: scikit-learn's parameters and attributes over Newton's method."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from numopt.estimators.callbacks import observed
from numopt.linear_model._catalogue import check_name, minimise_with, names
from numopt.linear_model._linear_base import (
    LinearPredictor,
    check_flags,
    check_squares,
    check_tolerance,
    check_weights,
    is_integer,
    is_number,
)
from numopt.linear_model._logistic_problem import check_design, positive_rows, warn_unconverged
from numopt.optimize._glm import objective
from numopt.optimize._glm_newton import minimise

SOLVERS = ("lbfgs", "newton-cholesky")


class PoissonRegressor(RegressorMixin, LinearPredictor):
    """Poisson regression: counts or rates with mean exp(x'w + b), and a squared penalty.

    Minimises, with weights s_i (1 if not given) and S their sum::

        1 / S * sum_i s_i (exp(x_i'w + b) - y_i (x_i'w + b)) + alpha / 2 * |w|^2

    by Newton's method: exact, with a Cholesky factor, where X is dense and has up to about 1200 columns, else with
    conjugate gradients.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, nonnegative.
    fit_intercept : bool, default=True
        Whether to fit b, which has no penalty.
    solver : str, default='lbfgs'
        scikit-learn's names, 'lbfgs' and 'newton-cholesky', both stand for the method above. Any other gradient method
        of :func:`numopt.minimize` ('gd', 'cg-pr', 'bfgs', 'newton', ...) is run by that, 'coordinate' by greedy
        coordinate descent.
    max_iter : int, default=100
        Iterations at most.
    tol : float, default=1e-4
        The largest component of the gradient of the objective above at the end.
    warm_start : bool, default=False
        Start from ``coef_`` and ``intercept_`` of the fit before.
    verbose : int, default=0
        Accepted as scikit-learn's.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    n_iter_ : int
        Newton iterations.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has names that are all strings.

    References
    ----------
    McCullagh & Nelder, Generalized Linear Models, 2nd ed. (1989), chapter 6.

    Examples
    --------
    >>> from numopt.linear_model import PoissonRegressor
    >>> X, y = [[1, 2], [2, 3], [3, 4], [4, 3]], [12, 17, 22, 21]
    >>> model = PoissonRegressor(tol=1e-8).fit(X, y)
    >>> model.coef_.round(4), round(model.score(X, y), 4)
    (array([0.1211, 0.1584]), 0.9905)
    """

    def __init__(
        self, *, alpha=1.0, fit_intercept=True, solver="lbfgs", max_iter=100, tol=1e-4, warm_start=False, verbose=0
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose

    @observed
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; dense in any order or CSR, float32 or float64, are read as they are.
        y : array-like of shape (n_samples,)
            Targets, none negative, with a positive one among them.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights; zero is as good as leaving the sample out.

        Returns
        -------
        self
        """
        check_flags(self, "fit_intercept", "warm_start")
        check_tolerance(self.tol)
        if not is_number(self.alpha) or not 0 <= self.alpha < np.inf:
            raise ValueError(f"alpha must be a finite real number >= 0, got {self.alpha!r}")
        if not is_integer(self.max_iter) or self.max_iter < 1:
            raise ValueError(f"max_iter must be an integer >= 1, got {self.max_iter!r}")
        check_name(self.solver, names(*SOLVERS))
        X, y = check_design(self, X, y, numeric=True)
        check_squares(*(A for A in (X, y) if A.dtype == np.float64))  # float32 is summed in double
        p, dtype = X.shape[1], X.dtype
        if y.min() < 0:
            raise ValueError(f"y must hold no negative values for a Poisson model; the least is {y.min()}")
        X, y, weights = positive_rows(X, y, check_weights(sample_weight, X))
        mean = np.average(y, weights=weights)
        if not mean > 0:
            raise ValueError("y must hold a positive value of positive weight for a Poisson model; all are zero")
        f = objective(X.tocsr() if sp.issparse(X) else X, y, weights, "poisson", 1, self.alpha, self.fit_intercept)
        W = np.zeros((f.q, 1))
        if self.warm_start and hasattr(self, "coef_") and self.coef_.shape == (p,):
            W[:p, 0] = self.coef_
            if self.fit_intercept:
                W[p] = self.intercept_
        elif self.fit_intercept:
            W[p] = np.log(mean)  # the solution for coefficients of zero
        if self.solver in SOLVERS:
            W, self.n_iter_, gnorm = minimise(f, W, self.tol, self.max_iter)
        else:
            W, self.n_iter_, gnorm = minimise_with(self.solver, f, W, self.tol, self.max_iter)
        if not gnorm <= self.tol:
            warn_unconverged("gradient", gnorm, self.tol, self.n_iter_, self.max_iter)
        self.coef_ = W[:p, 0].astype(dtype)
        self.intercept_ = dtype.type(W[p, 0]) if self.fit_intercept else 0.0
        return self

    def predict(self, X):
        """Means exp(X w + b).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return np.exp(self._decision(X))

    def score(self, X, y, sample_weight=None):
        """D^2, the share of the Poisson deviance that is explained.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            1 for a perfect model, 0 for one that predicts the mean.
        """
        return deviance_explained(y, self.predict(X), sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.positive_only = True
        return tags


def deviance_explained(y, mean, sample_weight=None):
    """D^2, the share of the Poisson deviance of y that the means explain."""
    mean = mean.astype(float)
    y = column_or_1d(check_array(y, ensure_2d=False, dtype=float, input_name="y"))
    check_consistent_length(mean, y)
    if y.min() < 0:
        raise ValueError(f"y must hold no negative values for a Poisson model; the least is {y.min()}")
    weights = check_weights(sample_weight, y)

    def deviance(mu):
        terms = np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0) / mu), 0.0) - y + mu
        return np.average(terms, weights=weights)

    return float(1.0 - deviance(mean) / deviance(np.average(y, weights=weights)))
