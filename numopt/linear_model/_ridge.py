"""Ridge regression."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state

from numopt.estimators.callbacks import observed
from numopt.linear_model import _ridge_solvers as solvers
from numopt.linear_model._blas import few_threads
from numopt.linear_model._catalogue import check_name, names, solve_system
from numopt.linear_model._linear_base import (
    LinearPredictor,
    System,
    check_and_sum,
    check_flags,
    check_tolerance,
    check_weights,
    is_integer,
    is_number,
)
from numopt.linear_model._logistic_problem import warn_unconverged

OWN = ("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga")
SOLVERS = names(*OWN)


class BaseRidge(LinearPredictor):
    """Parameters, choice of the solver, and the fit to targets that are numbers."""

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-4,
        solver="auto",
        positive=False,
        random_state=None,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state

    def _check_parameters(self, X):
        """Raises for a wrong parameter; gives back the solver that will run and alpha as an array."""
        check_flags(self, "fit_intercept", "copy_X", "positive")
        check_tolerance(self.tol)
        if self.max_iter is not None and not (is_integer(self.max_iter) and self.max_iter >= 1):
            raise ValueError(f"max_iter must be None or an integer >= 1, got {self.max_iter!r}")
        if self.random_state is not None:
            check_random_state(self.random_state)
        if is_number(self.alpha):
            alpha = np.array([self.alpha], float)
        else:
            try:
                alpha = np.asarray(self.alpha, float).ravel()
            except (TypeError, ValueError):
                alpha = np.array([np.nan])
            if self.alpha is None or isinstance(self.alpha, (bool, str)) or not len(alpha):
                alpha = np.array([np.nan])
        if not (alpha >= 0).all() or not np.isfinite(alpha).all():
            raise ValueError(
                f"alpha must be a finite real number >= 0, or an array of one such number a target, got {self.alpha!r}"
            )
        check_name(self.solver, SOLVERS)
        return self._choose_solver(sp.issparse(X)), alpha

    def _choose_solver(self, sparse):
        solver = self.solver
        if self.positive:
            if solver in OWN[1:]:
                raise ValueError(
                    f"solver={solver!r} does not support positive fitting: set solver to 'auto', 'lbfgs' or another "
                    "method of the catalogue, or positive to False"
                )
            return "lbfgs" if solver == "auto" else solver
        if sparse and self.fit_intercept and solver in ("svd", "cholesky", "saga"):
            raise ValueError(
                f"solver={solver!r} does not support fitting the intercept on sparse data: set solver to 'auto', "
                "'lsqr', 'sparse_cg', 'sag' or 'lbfgs', or fit_intercept to False"
            )
        if sparse and solver == "svd":
            raise TypeError("solver='svd' does not support sparse X: choose 'auto', 'sparse_cg', 'lsqr' or 'cholesky'")
        if solver == "auto":
            return "sparse_cg" if sparse else "cholesky"
        return solver

    def _fit(self, X, y, weights, solver, alpha, sums=None):
        Y = y[:, None] if y.ndim == 1 else y
        targets = Y.shape[1]
        if len(alpha) not in (1, targets):
            raise ValueError(
                f"alpha must be one number or one a target: got {len(alpha)} penalties for {targets} targets"
            )
        if len(alpha) < targets:
            alpha = np.full(targets, alpha[0])
        system = System(X, Y, fit_intercept=self.fit_intercept, weights=weights, sums=sums)
        W, self.n_iter_, self.solver_ = self._solve(system, solver, alpha)
        self._set_line(W, system, y)
        return self

    def _solve(self, system, solver, alpha):
        """The coefficients, the iterations of every target, and the name of the solver that did it."""
        stochastic = solver in ("sag", "saga")
        once = np.ones(len(alpha), np.int32)  # check_estimator wants a number where scikit-learn's has None
        tight = 100 * np.finfo(system.dtype).eps
        if solver == "lbfgs" and self.positive:
            return *solvers.solve_nonnegative(system, alpha, self.tol, self.max_iter), solver
        if solver not in OWN:
            W, count, reached = solve_system(solver, system, alpha, self.tol, self.max_iter, self.positive)
            if not reached <= self.tol:
                limit = np.inf if self.max_iter is None else self.max_iter
                warn_unconverged("relative gradient", reached, self.tol, count.max(), limit)
            return W, count, solver
        if solver == "lsqr":
            return *solvers.solve_lsqr(system, alpha, self.tol, self.max_iter), solver
        if solver == "sparse_cg":
            return *solvers.solve_cg(system, alpha, self.tol, self.max_iter), solver
        if stochastic and system.sparse:
            # Conjugate gradients stand for the stochastic gradients, which tol lets stop where more digits are wrong.
            return *solvers.solve_cg(system, alpha, max(0.01 * self.tol, tight), None), solver
        W = None if solver == "svd" else solvers.solve_cholesky(system, alpha)
        if W is not None:
            return W, once, solver
        if system.sparse:
            # No decomposition of a sparse matrix: from zero, conjugate gradients end at the solution of least norm.
            return *solvers.solve_cg(system, alpha, tight, None), "sparse_cg"
        return solvers.solve_svd(system, alpha), once, solver if stochastic else "svd"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.solver != "svd" and (
            self.solver not in ("cholesky", "saga") or not self.fit_intercept
        )
        return tags


class Ridge(MultiOutputMixin, RegressorMixin, BaseRidge):
    """Linear least squares with a squared penalty on the coefficients.

    Minimises ``||y - X w - c||^2 + alpha ||w||^2`` over w and, unpenalised, c. A replacement for
    :class:`sklearn.linear_model.Ridge`: the same parameters, attributes and answers.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, zero or positive; an array has one strength a target.
    fit_intercept : bool, default=True
        Whether there is a constant term c.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to, and seldom copied.
    max_iter : int, default=None
        Most iterations of the iterative solvers; None stands for the solver's own limit.
    tol : float, default=1e-4
        Relative precision of ``"sparse_cg"`` (residual of the normal equations), ``"lsqr"``, ``"lbfgs"`` and the
        methods of the catalogue (largest component of the gradient). The others are exact to rounding.
    solver : str, default="auto"
        - ``"auto"``: ``"cholesky"`` for dense X, ``"sparse_cg"`` for sparse X, ``"lbfgs"`` for ``positive=True``.
        - ``"cholesky"``: the smaller of the two Gram matrices, ``(X'X + alpha I)`` or ``(XX' + alpha I)``; if
          singular it is handed to ``"svd"``.
        - ``"svd"``: singular value decomposition, dense X only. With ``alpha=0`` the solution of least norm.
        - ``"sparse_cg"``, ``"lsqr"``: conjugate gradients and LSQR; only products with X are needed.
        - ``"sag"``, ``"saga"``: solve the same problem, deterministically: by Cholesky where X is dense, where it is
          sparse by conjugate gradients to ``tol / 100``.
        - ``"lbfgs"`` with ``positive=True``: block principal pivoting, exact; L-BFGS-B on large sparse X, and where
          pivoting does not end.
        - any gradient method of :func:`numopt.minimize` (``"gd"``, ``"cg-pr"``, ``"bfgs"``, ``"lbfgs"``, ``"newton"``,
          ...), and ``"coordinate"``, greedy coordinate descent: to compare them. With ``positive=True`` those that take
          bounds.
    positive : bool, default=False
        Whether the coefficients have to be zero or positive.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility: nothing is random.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant term, 0.0 with ``fit_intercept=False``.
    n_iter_ : ndarray of shape (n_targets,)
        Iterations; 1 for the solvers that are direct.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.
    solver_ : str
        The solver that was used.

    References
    ----------
    A. E. Hoerl, R. W. Kennard, Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12 (1970).

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import Ridge
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> model = Ridge(alpha=1.0).fit(X, [1.0, 2.0, 3.0, 4.0])
    >>> print(model.coef_.round(12), round(model.intercept_, 12))
    [1.  0.5] 1.75
    """

    @observed
    @few_threads
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the squared errors, none negative.

        Returns
        -------
        Ridge
            The fitted estimator.
        """
        solver, alpha = self._check_parameters(X)
        X, y, sums = check_and_sum(self, X, y)
        return self._fit(X, y, check_weights(sample_weight, X), solver, alpha, sums)
