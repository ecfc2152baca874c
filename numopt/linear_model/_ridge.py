"""Ridge regression and the classifier on top of it."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_random_state, column_or_1d, compute_sample_weight
from sklearn.utils.validation import check_is_fitted, validate_data

from numopt.linear_model import _ridge_solvers as solvers
from numopt.linear_model._linear_base import (
    LinearPredictor,
    System,
    check_flags,
    check_inputs,
    check_squares,
    check_tolerance,
    check_weights,
    is_integer,
    is_number,
)

SOLVERS = ("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs")


class _BaseRidge(LinearPredictor):
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
        if not isinstance(self.solver, str) or self.solver not in SOLVERS:
            raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {self.solver!r}")
        return self._choose_solver(sp.issparse(X)), alpha

    def _choose_solver(self, sparse):
        solver = self.solver
        if self.positive:
            if solver not in ("auto", "lbfgs"):
                raise ValueError(
                    f"solver={solver!r} does not support positive fitting: set solver to 'auto' or 'lbfgs', "
                    "or positive to False"
                )
            return "lbfgs"
        if solver == "lbfgs":
            raise ValueError("solver='lbfgs' can be used only with positive=True; choose another solver")
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

    def _fit(self, X, y, weights, solver, alpha):
        Y = y[:, None] if y.ndim == 1 else y
        targets = Y.shape[1]
        if len(alpha) not in (1, targets):
            raise ValueError(
                f"alpha must be one number or one a target: got {len(alpha)} penalties for {targets} targets"
            )
        if len(alpha) < targets:
            alpha = np.full(targets, alpha[0])
        system = System(X, Y, fit_intercept=self.fit_intercept, weights=weights)
        W, self.n_iter_, self.solver_ = self._solve(system, solver, alpha)
        self._set_line(W, system, y)
        return self

    def _solve(self, system, solver, alpha):
        """The coefficients, the iterations of every target, and the name of the solver that did it."""
        once = np.ones(len(alpha), np.int32)
        tight = 100 * np.finfo(system.dtype).eps
        if solver == "lbfgs":
            return *solvers.solve_nonnegative(system, alpha, self.tol, self.max_iter), solver
        if solver == "lsqr":
            return *solvers.solve_lsqr(system, alpha, self.tol, self.max_iter), solver
        if solver == "sparse_cg":
            return *solvers.solve_cg(system, alpha, self.tol, self.max_iter), solver
        if solver in ("sag", "saga") and system.sparse:
            # Conjugate gradients as accurate as rounding lets them be stand for the stochastic gradients.
            return *solvers.solve_cg(system, alpha, min(self.tol, tight), None), solver
        W = None if solver == "svd" else solvers.solve_cholesky(system, alpha)
        if W is not None:
            return W, once, solver
        if system.sparse:
            # No decomposition of a sparse matrix: from zero, conjugate gradients end at the solution of least norm.
            return *solvers.solve_cg(system, alpha, tight, None), "sparse_cg"
        return solvers.solve_svd(system, alpha), once, solver if solver in ("sag", "saga") else "svd"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.solver != "svd" and (
            self.solver not in ("cholesky", "saga") or not self.fit_intercept
        )
        return tags


class Ridge(MultiOutputMixin, RegressorMixin, _BaseRidge):
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
        Most iterations of ``"sparse_cg"``, ``"lsqr"`` and ``"lbfgs"``; None stands for the solver's own limit.
    tol : float, default=1e-4
        Relative precision of ``"sparse_cg"`` (residual of the normal equations), ``"lsqr"`` and ``"lbfgs"``. The others
        are exact to rounding.
    solver : {"auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"}, default="auto"
        - ``"auto"``: ``"cholesky"`` for dense X, ``"sparse_cg"`` for sparse X, ``"lbfgs"`` for ``positive=True``.
        - ``"cholesky"``: the smaller of the two Gram matrices, ``(X'X + alpha I)`` or ``(XX' + alpha I)``; if
          singular it is handed to ``"svd"``.
        - ``"svd"``: singular value decomposition, dense X only. With ``alpha=0`` the solution of least norm.
        - ``"sparse_cg"``, ``"lsqr"``: conjugate gradients and LSQR; only products with X are needed.
        - ``"sag"``, ``"saga"``: solve the same problem, deterministically and to rounding: by Cholesky where X is
          dense, by conjugate gradients where it is sparse.
        - ``"lbfgs"``: only for ``positive=True``. Block principal pivoting, exact, where the Gram matrix is small, else
          L-BFGS-B.
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
        X, y = check_inputs(self, X, y)
        return self._fit(X, y, check_weights(sample_weight, X), solver, alpha)


class _LabelledRidge(ClassifierMixin):
    """Classes as targets -1 and 1, and predictions of classes."""

    def _encode(self, X, y, sample_weight, dtype=(np.float64, np.float32)):
        """Checks X, y and weights; sets ``classes_``; gives back X, labels, weights times class weights, targets."""
        weight = self.class_weight
        if (
            weight is not None
            and not isinstance(weight, dict)
            and not (isinstance(weight, str) and weight == "balanced")
        ):
            raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {weight!r}")
        with np.errstate(over="ignore", invalid="ignore"):
            X, y = validate_data(
                self, X, y, accept_sparse=("csr", "csc"), dtype=list(dtype), multi_output=True, y_numeric=False
            )
        check_squares(X)
        if not sp.issparse(X) and not X.flags.forc:
            X = np.ascontiguousarray(X)
        binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
        Y = binarizer.fit_transform(y)
        self._label_binarizer, self.classes_ = binarizer, binarizer.classes_
        if not binarizer.y_type_.startswith("multilabel"):
            y = column_or_1d(y, warn=True)
            if len(self.classes_) < 2:
                raise ValueError(f"y must have at least two classes, got one class: {self.classes_[0]!r}")
        weights = check_weights(sample_weight, X)
        if weight:
            balance = compute_sample_weight(weight, y).astype(X.dtype)
            weights = balance if weights is None else weights * balance
        return X, y, weights, Y.astype(X.dtype)

    def decision_function(self, X):
        """Signed score of every class, proportional to the distance from its hyperplane.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores; with two classes that of ``classes_[1]``.
        """
        scores = self._decision(X)
        return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Classes, or for several labels a sample the indicator of each.
        """
        check_is_fitted(self, "_label_binarizer")
        scores = self.decision_function(X)
        if self._label_binarizer.y_type_.startswith("multilabel"):
            return self._label_binarizer.inverse_transform(np.where(scores > 0, 1.0, -1.0))
        index = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[index]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class RidgeClassifier(_LabelledRidge, _BaseRidge):
    """Classifier by ridge regression on targets -1 and 1, one against the rest.

    A replacement for :class:`sklearn.linear_model.RidgeClassifier`.

    Parameters
    ----------
    alpha : float or array-like of shape (n_classes,), default=1.0
        Strength of the penalty, zero or positive.
    fit_intercept : bool, default=True
        Whether there is a constant term.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    max_iter : int, default=None
        Most iterations of the iterative solvers.
    tol : float, default=1e-4
        Relative precision of the iterative solvers.
    class_weight : dict or "balanced", default=None
        Weights of the classes; ``"balanced"`` weights each by the inverse of its frequency.
    solver : {"auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"}, default="auto"
        As in :class:`Ridge`.
    positive : bool, default=False
        Whether the coefficients have to be zero or positive.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility: nothing is random.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_classes, n_features)
        Coefficients; with two classes those of the second.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant terms.
    n_iter_ : ndarray of shape (n_targets,)
        Iterations; 1 for the solvers that are direct.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.
    solver_ : str
        The solver that was used.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import RidgeClassifier
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> print(RidgeClassifier().fit(X, ["low", "low", "high", "high"]).predict([[-1.5], [0.5]]))
    ['low' 'high']
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-4,
        class_weight=None,
        solver="auto",
        positive=False,
        random_state=None,
    ):
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            solver=solver,
            positive=positive,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X, y, sample_weight=None):
        """Fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes, or indicators of several labels.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the squared errors, none negative.

        Returns
        -------
        RidgeClassifier
            The fitted estimator.
        """
        solver, alpha = self._check_parameters(X)
        X, _, weights, Y = self._encode(X, y, sample_weight)
        return self._fit(X, Y, weights, solver, alpha)
