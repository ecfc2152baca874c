"""HuberRegressor: scikit-learn's parameters and attributes over Newton's method in the coefficients and the scale."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import RegressorMixin

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
from numopt.optimize._glm_huber import ScaledHuber, minimise_huber


class HuberRegressor(RegressorMixin, LinearPredictor):
    """Linear regression that outliers hardly move, whatever the scale of y.

    Minimises over w, b and sigma > 0, with ``H(u) = u^2`` for ``|u| <= epsilon``, else ``2 epsilon |u| - epsilon^2``::

        sum_i s_i (sigma + sigma * H((y_i - x_i'w - b) / sigma)) + alpha * |w|^2

    which is convex, by Newton's method in all of them together.

    Parameters
    ----------
    epsilon : float, default=1.35
        Residual beside the scale from which a sample counts as an outlier, at least 1.
    max_iter : int, default=100
        Iterations at most.
    alpha : float, default=1e-4
        Weight of the penalty, nonnegative.
    warm_start : bool, default=False
        Start from ``coef_``, ``intercept_`` and ``scale_`` of the fit before.
    fit_intercept : bool, default=True
        Whether to fit b, which has no penalty.
    tol : float, default=1e-5
        The largest component of the gradient of the objective above at the end.
    solver : str, default='auto'
        'auto' is the method above. A gradient method of :func:`numopt.minimize` ('gd', 'cg-pr', 'bfgs', 'newton', ...)
        is run by that, 'coordinate' by greedy coordinate descent. scikit-learn's has no such parameter.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    scale_ : float
        sigma; where enough samples lie on one plane f falls until sigma is zero, and it stops at 1e-10 times the widest
        residual of the start, to what rounding leaves of the gradient.
    n_iter_ : int
        Newton iterations.
    outliers_ : ndarray of bool, shape (n_samples,)
        Whether the residual exceeds ``epsilon * scale_``.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has names that are all strings.

    References
    ----------
    Huber & Ronchetti, Robust Statistics, 2nd ed. (2009), p. 172; Owen, Contemp. Math. 443 (2007), 59-71.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import HuberRegressor
    >>> x = np.arange(10.0)
    >>> y = 2.0 * x + np.where(x % 2 == 0, 0.1, -0.1)
    >>> y[-1] = 100.0
    >>> model = HuberRegressor().fit(x[:, None], y)
    >>> model.coef_.round(2), np.flatnonzero(model.outliers_)
    (array([2.01]), array([7, 9]))
    """

    def __init__(
        self,
        *,
        epsilon=1.35,
        max_iter=100,
        alpha=0.0001,
        warm_start=False,
        fit_intercept=True,
        tol=1e-05,
        solver="auto",
    ):
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.solver = solver

    @observed
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; dense in any order or CSR, float32 or float64, are read as they are.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights; zero is as good as leaving the sample out.

        Returns
        -------
        self
        """
        check_flags(self, "fit_intercept", "warm_start")
        check_tolerance(self.tol)
        if not is_number(self.epsilon) or not 1 <= self.epsilon < np.inf:
            raise ValueError(f"epsilon must be a finite real number >= 1, got {self.epsilon!r}")
        if not is_number(self.alpha) or not 0 <= self.alpha < np.inf:
            raise ValueError(f"alpha must be a finite real number >= 0, got {self.alpha!r}")
        if not is_integer(self.max_iter) or self.max_iter < 0:
            raise ValueError(f"max_iter must be an integer >= 0, got {self.max_iter!r}")
        check_name(self.solver, names("auto"))
        X, y = check_design(self, X, y, numeric=True)
        check_squares(*(A for A in (X, y) if A.dtype == np.float64))  # float32 is summed in double
        p, whole = X.shape[1], (X, y)
        X, y, weights = positive_rows(X, y, check_weights(sample_weight, X))
        total = len(y) if weights is None else float(weights.sum(dtype=float))
        f = objective(
            X.tocsr() if sp.issparse(X) else X, y, weights, "huber", 1, 2.0 * self.alpha / total, self.fit_intercept
        )
        W = np.zeros((f.q, 1))
        if self.warm_start and hasattr(self, "coef_") and self.coef_.shape == (p,):
            W[:p, 0], scale = self.coef_, float(self.scale_)
            if self.fit_intercept:
                W[p] = self.intercept_
        else:
            # so large a scale that no sample is an outlier at first: the first steps are those of least squares
            W[p:] = np.average(y, weights=weights)
            scale = float(np.abs(f.y - W[p:].sum()).max()) or 1.0
        tol = self.tol / total
        goal = tol
        if self.solver == "auto":
            W, scale, self.n_iter_, gnorm, goal = minimise_huber(f, W, scale, self.epsilon, tol, self.max_iter)
        else:
            start, problem = np.vstack([W, [[scale]]]), ScaledHuber(f, self.epsilon)
            W, self.n_iter_, gnorm = minimise_with(self.solver, problem, start, tol, self.max_iter)
            W, scale = W[:-1], abs(float(W[-1, 0]))
        if not gnorm <= goal:
            warn_unconverged("gradient", gnorm * total, goal * total, self.n_iter_, self.max_iter)
        self.coef_, self.scale_ = W[:p, 0].copy(), scale  # float64 for float32 too, as scikit-learn's
        self.intercept_ = W[p, 0] if self.fit_intercept else 0.0
        residual = whole[1] - np.asarray(whole[0] @ W[:p, 0]) - (W[p, 0] if self.fit_intercept else 0.0)
        self.outliers_ = np.abs(residual) > self.epsilon * scale
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
