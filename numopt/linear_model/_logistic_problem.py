"""What logistic regression with and without cross-validation share: checks of the input, and the problem solved."""

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from numopt.linear_model._catalogue import check_name, minimise_with, names
from numopt.linear_model._linear_base import check_flags, check_tolerance, is_integer, is_number
from numopt.optimize._glm import objective
from numopt.optimize._glm_l1 import minimise_l1
from numopt.optimize._glm_newton import minimise
from numopt.optimize._warn import warn

SMOOTH = ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga", "liblinear")  # all solved by Newton's method
SPARSE = ("saga", "liblinear", "coordinate")  # those that take an l1 penalty
PENALTIES = ("l1", "l2", "elasticnet", None)


def check_design(estimator, X, y, *, numeric=False):
    """X in a storage that is read without a copy, y as one column; sets ``n_features_in_``."""
    kinds = (np.float64, np.float32)
    plain = type(X) is np.ndarray and type(y) is np.ndarray and X.ndim == 2 and y.ndim == 1 and len(X) == len(y) > 1
    if plain and X.dtype in kinds and X.size and y.dtype.kind in ("fiu" if numeric else "iu"):
        # scikit-learn's check costs more than a small fit; such arrays can only hold NaN or infinity, which a sum finds
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(X.sum() + y.sum())
        if finite:
            estimator.n_features_in_ = X.shape[1]
            estimator.__dict__.pop("feature_names_in_", None)
            return X if X.flags.forc else np.ascontiguousarray(X), y
    with np.errstate(over="ignore", invalid="ignore"):
        X, y = validate_data(estimator, X, y, accept_sparse=("csr", "csc"), dtype=list(kinds), y_numeric=numeric)
    if numeric and y.dtype.kind not in "fiub":
        raise ValueError(f"y must hold numbers, got values of type {y.dtype}")
    if not sp.issparse(X) and not X.flags.forc:
        X = np.ascontiguousarray(X)
    return X, y


def check_labels(y):
    """y holds classes; scikit-learn's check, which costs more than a small fit, has no doubts about a few integers."""
    few = y.dtype.kind in "iu" and y.ndim == 1 and int(y.max()) - int(y.min()) < len(y) // 2
    if not few:
        check_classification_targets(y)


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
    warn(
        f"stopped after {iterations} iterations with a {what} of {reached:.3e}; tol asks for {tol:.3e}. "
        f"{limit}, or scale the features.",
        ConvergenceWarning,
    )


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
    check_name(solver, names(*SMOOTH))
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


def class_shares(class_weight, y, classes, weights):
    """The weight of each class; 'balanced' by the sums of the samples' weights, so that weights count repetitions."""
    if not isinstance(class_weight, str):
        return compute_class_weight(class_weight, classes=classes, y=y)
    sums = np.bincount(np.searchsorted(classes, y), weights, minlength=len(classes))
    with np.errstate(divide="ignore"):
        return np.where(sums > 0, sums.sum() / (len(classes) * sums), 1.0)


def with_constant(X, value):
    """X with a column of one value."""
    if sp.issparse(X):
        return sp.hstack([X, np.full((X.shape[0], 1), value, X.dtype)], format=X.format)
    out = np.empty((X.shape[0], X.shape[1] + 1), X.dtype, order="C" if X.flags.c_contiguous else "F")
    out[:, :-1], out[:, -1] = X, value
    return out


def intercept_scaling(estimator):
    """The scaling of liblinear's intercept; None for other solvers, whose intercepts have no penalty."""
    scaling = estimator.intercept_scaling
    if estimator.solver != "liblinear" or not estimator.fit_intercept:
        return None
    if not is_number(scaling) or not 0 < scaling < np.inf:
        raise ValueError(f"intercept_scaling must be a finite real number > 0, got {scaling!r}")
    return float(scaling)


class Problem:
    """Data of a fit, with the classes numbered and the weights of the classes in those of the samples.

    With ``scaling`` the intercept is liblinear's: that many times the coefficient, with a penalty, of a constant one.
    """

    def __init__(self, X, y, weights, class_weight, intercept, classes=None, scaling=None):
        X, y, weights = positive_rows(X, y, weights)
        found, codes = np.unique(y, return_inverse=True)
        if classes is not None:
            codes, found = np.searchsorted(classes, y), classes
        if len(found) < 2:
            raise ValueError(
                "y must hold samples of at least two classes with positive weight, got one class: "
                f"{found[:1].tolist()[0]!r}"
            )
        if class_weight is not None:
            share = class_shares(class_weight, y, found, weights)
            weights = share[codes] if weights is None else weights * share[codes]
            X, codes, weights = positive_rows(X, codes, weights)
        self.scaling = scaling if intercept else None
        if self.scaling is not None:
            X, intercept = with_constant(X, scaling), False
        self.X, self.codes, self.weights, self.classes, self.intercept = X, codes, weights, found, intercept
        self.K = 1 if len(found) == 2 else len(found)
        self.total = X.shape[0] if weights is None else float(weights.sum(dtype=float))
        self.f, self.columns = None, None

    def start(self):
        """All zero."""
        return np.zeros((self.X.shape[1] + self.intercept, self.K))

    def solve(self, W, C, ratio, solver, tol, max_iter, watch=None):
        """(W, iterations, largest component of the (sub)gradient)."""
        arguments = C, ratio, solver, tol, max_iter
        if self.scaling is None:
            return self._solve(W, *arguments, watch)

        def scaled(W, factor=self.scaling):
            return np.vstack([W[:-1], factor * W[-1:]])

        watch = None if watch is None else lambda W, told=watch: told(scaled(W))
        W, iterations, reached = self._solve(scaled(W, 1.0 / self.scaling), *arguments, watch)
        return scaled(W), iterations, reached

    def _solve(self, W, C, ratio, solver, tol, max_iter, watch):
        strength = 1.0 / (C * self.total)
        if self.f is None:
            rows = self.X.tocsr() if sp.issparse(self.X) else self.X
            loss = "logistic" if self.K == 1 else "multinomial"
            self.f = objective(rows, self.codes, self.weights, loss, self.K, 0.0, self.intercept)
        f = self.f
        f.lam = strength * (1.0 - ratio)
        if ratio > 0.0 and strength > 0.0:
            if self.columns is None:
                self.columns = self.X
                if sp.issparse(self.X):
                    self.columns = self.X.tocsc()
                    if not self.columns.has_canonical_format:
                        self.columns = self.columns.copy()
                        self.columns.sum_duplicates()
            return minimise_l1(f, self.columns, W, strength * ratio, tol, max_iter, watch)
        if solver not in SMOOTH:
            return minimise_with(solver, f, W, tol, max_iter)
        return minimise(f, W, tol, max_iter, watch=watch)

    def path(self, Cs, ratio, solver, tol, max_iter):
        """(solutions (n_cs, K, q), iterations, largest component of a (sub)gradient), each begun at the one before."""
        W, worst = self.start(), 0.0
        solutions, iterations = np.empty((len(Cs), *W.T.shape)), np.empty(len(Cs), np.int32)
        for k in np.argsort(Cs, kind="stable"):  # from the strongest penalty, whose solution is nearest to zero
            W, count, reached = self.solve(W, Cs[k], ratio, solver, tol, max_iter)
            solutions[k], iterations[k] = W.T, max(count, 1)
            worst = worst if reached <= worst else reached  # NaN, too
        return solutions, iterations, worst
