"""Lasso and ElasticNet: scikit-learn's parameters and attributes over the compiled coordinate descent."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import UNUSED

from numopt.estimators.callbacks import observed
from numopt.linear_model._linear_base import (
    LinearPredictor,
    check_flags,
    check_inputs,
    check_tolerance,
    check_weights,
    is_integer,
    is_number,
)
from numopt.linear_model._rounding import rounded_gap
from numopt.linear_model._unpenalised import solve_from_zero
from numopt.optimize._coordinate_descent import solve_path
from numopt.optimize._warn import warn


def as_csc(X):
    """Sparse X with compressed columns, sorted and without duplicates; any other format is converted, and said."""
    given = X
    if X.format != "csc":
        warn(
            f"coordinate descent reads columns: X was converted from {X.format.upper()} to CSC, which takes time and "
            "memory; pass a CSC matrix to avoid it",
            sp.SparseEfficiencyWarning,
        )
        X = X.tocsc()
    if not X.has_canonical_format:
        X = X.copy() if X is given else X  # the caller's entries stay in their order
        X.sum_duplicates()
    return X


def check_data(estimator, X, y, sample_weight):
    """X as the solver reads it, y as float64 columns, the weights; sets ``n_features_in_``."""
    X, y = check_inputs(estimator, X, y, squares=False)  # the solver refuses what overflows in double
    if sp.issparse(X):
        X = as_csc(X)
    return X, y.astype(np.float64, copy=False), check_weights(sample_weight, X)


def check_common(estimator):
    """The parameters that all of the family share."""
    check_flags(estimator, "fit_intercept", "copy_X", "positive")
    check_tolerance(estimator.tol)
    if not is_integer(estimator.max_iter) or estimator.max_iter < 1:
        raise ValueError(f"max_iter must be an integer >= 1, got {estimator.max_iter!r}")
    if estimator.selection not in ("cyclic", "random"):
        raise ValueError(f"selection must be 'cyclic' or 'random', got {estimator.selection!r}")


def check_ratio(value):
    """A share of the l1 penalty lies between 0 and 1."""
    if not is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"l1_ratio must be a real number in [0, 1], got {value!r}")


def check_precompute(precompute, p, *, auto=False):
    """True, False, or a Gram matrix of the right shape."""
    if isinstance(precompute, (bool, np.bool_)) or (auto and isinstance(precompute, str) and precompute == "auto"):
        return
    if isinstance(precompute, str) or np.shape(precompute) != (p, p):
        accepted = "True, False, 'auto' " if auto else "True, False "
        raise ValueError(
            f"precompute must be {accepted}or a Gram matrix of shape ({p}, {p}), got "
            + (repr(precompute) if np.ndim(precompute) == 0 else f"an array of shape {np.shape(precompute)}")
        )


def given_gram(precompute, X, *, centred=False, weighted=False):
    """The Gram matrix that the caller hands in, where it is one of the problem to solve; else None.

    As in scikit-learn one of X does not do, with a warning, where an intercept centres X, and the products of one
    column are looked at.
    """
    if isinstance(precompute, (bool, np.bool_, str)) or sp.issparse(X) or weighted:
        return None
    if centred and not np.allclose(X.mean(axis=0), 0.0):
        warn(
            "Gram matrix was provided but X was centered to fit intercept: recomputing Gram matrix.",
            UserWarning,
        )
        return None
    gram = np.ascontiguousarray(precompute, dtype=np.float64)
    roots = np.sqrt(np.maximum(gram.diagonal(), 0.0))
    j = int(np.argmax(roots))
    there, here = gram[j], X.T @ X[:, j]
    excess = np.abs(there - here) - (1e-6 if X.dtype == np.float64 else 1e-3) * roots[j] * roots
    worst = int(np.argmax(excess))  # NaN counts as the largest
    if not excess[worst] <= 0.0:
        raise ValueError(
            f"precompute is not the Gram matrix of X: it holds {there[worst]} at ({j}, {worst}), "
            f"where the product of the columns is {here[worst]}"
        )
    return gram


def seed_of(selection, random_state):
    """The seed of the solver's order; 0 for coordinates in turn."""
    return int(check_random_state(random_state).randint(1, 2**31 - 1)) if selection == "random" else 0


def advice(passes, max_iter):
    """What to do about it, where the solver stopped at its limit, and where it stopped before."""
    if passes < max_iter:
        return "Rounding ends it: raise tol, or centre and scale the features."
    return f"Raise max_iter (now {max_iter}) or tol, or scale the features."


def warn_unconverged(gap, goal, passes, max_iter):
    """One line that states what was reached and what was asked for."""
    warn(
        f"coordinate descent stopped after {passes} passes with a duality gap of {gap:.3e}; tol asks for {goal:.3e}. "
        f"{advice(passes, max_iter)}",
        ConvergenceWarning,
    )


def warn_alpha_zero():
    """scikit-learn's warning."""
    warn(
        "With alpha=0, this algorithm does not converge well; it is solved as least squares. "
        "You are advised to use the LinearRegression estimator",
        UserWarning,
    )


def penalty(na, l2):
    """The penalties of the columns of W, as a function of W."""
    return lambda W: na * np.abs(W).sum(axis=0) + 0.5 * l2 * (W * W).sum(axis=0)


class ElasticNet(MultiOutputMixin, RegressorMixin, LinearPredictor):
    """Least squares with l1 and l2 penalties, by coordinate descent to a certified duality gap.

    Minimises, with weights s_i (1 if not given) and S their sum::

        1 / (2 S) * sum_i s_i (y_i - x_i'w - b)^2 + alpha * l1_ratio * |w|_1 + alpha * (1 - l1_ratio) / 2 * |w|^2

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalties, nonnegative.  0 is least squares, solved directly, with a warning.
    l1_ratio : float, default=0.5
        Share of the l1 penalty, in [0, 1].
    fit_intercept : bool, default=True
        Whether to fit b.  X is centred implicitly: it is neither copied nor made dense.
    precompute : bool or array of shape (n_features, n_features), default=False
        A Gram matrix X'X, of X with centred columns if there is an intercept, spares forming the part that the solver
        needs; used for dense X without weights.  Whether True or False makes no difference.
    max_iter : int, default=1000
        Passes over the working set at most; a Newton step counts as one.
    copy_X : bool, default=True
        Accepted as scikit-learn's; X is never overwritten.
    tol : float, default=1e-4
        Stop when the duality gap, of the objective times S, is at most ``tol * sum_i s_i (y_i - mean)^2``.
    warm_start : bool, default=False
        Start from ``coef_`` of the fit before.
    positive : bool, default=False
        Restrict the coefficients to be nonnegative.
    random_state : int, RandomState or None, default=None
        Seed of the order of coordinates for ``selection='random'``.
    selection : {'cyclic', 'random'}, default='cyclic'
        Coordinates in turn, or in a random order in each pass.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        w.
    intercept_ : float or ndarray of shape (n_targets,)
        b.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Certified: the objective above is within this of its minimum.  With float32 X it counts the rounding of
        ``coef_``, which comes after ``tol`` is met.
    n_iter_ : int or list of int
        Passes taken.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has names that are all strings.

    References
    ----------
    Friedman, Hastie & Tibshirani, J. Stat. Softw. 33 (2010); Massias, Gramfort & Salmon, "Celer", ICML 2018.

    Examples
    --------
    >>> from numopt.linear_model import ElasticNet
    >>> model = ElasticNet(alpha=0.1).fit([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]], [0.0, 1.0, 2.0])
    >>> model.coef_.round(3), model.n_iter_ > 0
    (array([0.86, 0.  ]), True)
    """

    __metadata_request__fit = {"check_input": UNUSED}  # noqa: RUF012  scikit-learn's: no metadata
    path: Callable  # set by numopt.linear_model._paths, which needs this module

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        precompute=False,
        max_iter=1000,
        copy_X=True,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    @observed
    def fit(self, X, y, sample_weight=None, check_input=True):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; dense in any order and float32 or float64, or CSC, are read as they are.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights; zero is as good as leaving the sample out.
        check_input : bool, default=True
            Accepted as scikit-learn's; checking costs less than a pass.

        Returns
        -------
        self
        """
        check_common(self)
        check_flags(self, "warm_start")
        if not is_number(self.alpha) or not 0 <= self.alpha < np.inf:
            raise ValueError(f"alpha must be a finite real number >= 0, got {self.alpha!r}")
        check_ratio(self.l1_ratio)
        X, y, weights = check_data(self, X, y, sample_weight)
        check_precompute(self.precompute, X.shape[1])
        gram = given_gram(self.precompute, X, centred=self.fit_intercept, weighted=weights is not None)
        return self._solve(X, y, weights, gram, trusted=False)

    def _solve(self, X, y, weights, gram, *, trusted):
        """``fit`` of checked input; ``gram``: X_c'SX_c or None, ``trusted`` to be exact."""
        p = X.shape[1]
        Y = y[:, None] if y.ndim == 1 else y
        targets = Y.shape[1]
        start = None
        if self.warm_start and hasattr(self, "coef_") and np.shape(self.coef_)[-1] == p:
            start = np.reshape(self.coef_, (-1, p))
            start = start if len(start) == targets else None  # other targets than before: no start
        total = len(y) if weights is None else weights.sum(dtype=np.float64)
        coef, intercept = np.empty((targets, p)), np.empty(targets)
        gap, iterations = np.empty(targets), []
        if self.alpha == 0:
            warn_alpha_zero()
        na, l2 = total * self.alpha * self.l1_ratio, total * self.alpha * (1.0 - self.l1_ratio)
        seed = seed_of(self.selection, self.random_state)
        for k in range(targets):
            coefs, intercepts, gaps, passes, goal = solve_from_zero(
                solve_path,
                X,
                Y[:, k],
                np.array([na]),
                np.array([l2]),
                sample_weight=weights,
                fit_intercept=self.fit_intercept,
                positive=self.positive,
                tol=self.tol,
                max_iter=self.max_iter,
                seed=seed,
                start=None if start is None else start[k],
                gram=gram,
                trusted=trusted,
            )
            if gaps[0] > goal:
                warn_unconverged(gaps[0], goal, passes[0], self.max_iter)
            coef[k], intercept[k], gap[k] = coefs[0], intercepts[0], max(gaps[0], 0.0)
            iterations.append(max(int(passes[0]), 1))
        gap = rounded_gap(gap, X, Y, weights, coef.T, intercept, penalty(na, l2)) / total
        coef = coef.astype(X.dtype, copy=False)
        # as scikit-learn: a single target loses its axis, the intercept keeps it where y had two
        self.coef_ = coef[0] if targets == 1 else coef
        self.dual_gap_ = gap[0] if targets == 1 else gap
        self.n_iter_ = iterations[0] if targets == 1 else iterations
        if not self.fit_intercept:
            self.intercept_ = 0.0
        else:
            self.intercept_ = X.dtype.type(intercept[0]) if y.ndim == 1 else intercept.astype(X.dtype)
        return self

    @property
    def sparse_coef_(self):
        """``coef_`` as a sparse matrix."""
        return sp.csr_matrix(self.coef_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class Lasso(ElasticNet):
    """Least squares with an l1 penalty, by coordinate descent to a certified duality gap.

    Minimises, with weights s_i (1 if not given) and S their sum::

        1 / (2 S) * sum_i s_i (y_i - x_i'w - b)^2 + alpha * |w|_1

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, nonnegative.  0 is least squares, solved directly, with a warning.
    fit_intercept, precompute, copy_X, max_iter, tol, warm_start, positive, random_state, selection
        As in :class:`ElasticNet`.

    Attributes
    ----------
    coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in :class:`ElasticNet`.

    References
    ----------
    Friedman, Hastie & Tibshirani, J. Stat. Softw. 33 (2010); Massias, Gramfort & Salmon, "Celer", ICML 2018.

    Examples
    --------
    >>> from numopt.linear_model import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0, 0], [1, 1], [2, 2]], [0, 1, 2])
    >>> model.coef_.sum().round(6), model.intercept_.round(6)
    (np.float64(0.85), np.float64(0.15))
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        precompute=False,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
    ):
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
        )
