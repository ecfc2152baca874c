"""The lasso in its constrained form: least squares with a bound on the l1 norm of the coefficients.

With A, b the centred and weighted problem (:mod:`numopt.linear_model._linear_base`) and w(a) the lasso's solution,

    min_w ||A w - b||^2 / 2  subject to  ||w||_1 <= t        (1)
    w(a) = argmin ||A w - b||^2 / 2 + a ||w||_1              (2)

w(a) solves (1) for t = ||w(a)||_1, which falls piecewise linearly in a from that of least squares to zero: with the
nonzero coefficients F and their signs s, A_F'(b - A_F w_F) = a s and s'w_F = t are linear in (w_F, a),

    [A_F'A_F  s] [dw]   [A_F'r - a s]
    [s'       0] [da] = [t - s'w_F  ]                        (3)

A step of (3) is Newton's for the root of ||w(a)||_1 = t, and its end is the solution of (1) exactly if no sign changes
and max |A'r| is attained on F. Else (2) is solved where it leads, inside the interval that holds the root. For any w
with ||w||_1 <= t, by duality, (1) is within t max |A'r| - w'A'r of its minimum (4).

References
----------
R. Tibshirani, Regression shrinkage and selection via the lasso, J. R. Stat. Soc. B 58 (1996), 267-288.
M. R. Osborne, B. Presnell, B. A. Turlach, On the LASSO and its dual, J. Comput. Graph. Stat. 9 (2000), 319-337.
"""

import numpy as np
import scipy.linalg
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning

from numopt.estimators.callbacks import observed
from numopt.linear_model._blas import one_blas_thread
from numopt.linear_model._elastic_net import check_data
from numopt.linear_model._least_squares import LinearRegression
from numopt.linear_model._linear_base import (
    LinearPredictor,
    System,
    check_flags,
    check_squares,
    check_tolerance,
    column_sums,
    is_integer,
    is_number,
)
from numopt.linear_model._paths import gram_pays
from numopt.linear_model._ridge_solvers import POTRF, POTRS
from numopt.optimize._coordinate_descent import solve_path, whole_gram
from numopt.optimize._warn import warn

_STEPS = 3  # of (3): the first is Newton's, the others take what rounding left where A_F is ill conditioned
_FALL = 4.0  # the penalty falls by no more at once: far below the root the lasso has many more coefficients to find
_FITS = 6  # penalties that are about tried, from which on a Gram matrix of all columns pays
_EXACT = 1e-11  # of the largest correlation, and of t: what rounding may leave of a condition
_INNER = 1e-10  # duality gap of (2) over y'y, or over a t where that is less; falls where the signs are not right
_SMALL = 1e-9  # pivot of A_F'A_F with columns of norm 1: below, eigenvalues tell what depends on what
_DEPENDENT = 1e-14  # eigenvalues of A_F'A_F with columns of norm 1: what is below is rounding


def check_bound(t):
    """The bound on a norm."""
    if not is_number(t) or not t >= 0:
        raise ValueError(f"t must be a real number >= 0, got {t!r}")


class Problem:
    """(1) but for t: the data of one target, and products with them."""

    def __init__(self, X, y, weights, centred, positive):
        self.X, self.y, self.weights, self.centred, self.positive = X, y, weights, centred, positive
        self.total = len(y) if weights is None else float(weights.sum(dtype=np.float64))
        self.mean = column_sums(X, weights).astype(float) / self.total if centred else np.zeros(X.shape[1])
        self.y_mean = np.average(y, weights=weights) if centred else 0.0
        self.gram = whole_gram(X, weights, centred)[0] if gram_pays("auto", X, _FITS) else None
        r = y - self.y_mean
        self.yy = float(r @ (r if weights is None else weights * r))

    def residual(self, w):
        """y - X w - c, not weighted."""
        F = np.flatnonzero(w)
        return self.y - self.y_mean - (self.X[:, F] @ w[F] - self.mean[F] @ w[F])

    def correlations(self, r):
        """A'r of a residual that is not weighted."""
        r = r if self.weights is None else self.weights * r
        return np.asarray(self.X.T @ r, float) - self.mean * r.sum()

    def steepest(self, z):
        """The largest correlation that counts, 0 at least."""
        return max(float((z if self.positive else np.abs(z)).max(initial=0.0)), 0.0)

    def lasso(self, w, na, tol, max_iter):
        """(w of (2) from w on, passes)."""
        W, _, _, passes, _ = solve_path(
            self.X, self.y, np.array([na]), np.zeros(1), sample_weight=self.weights, fit_intercept=self.centred,
            positive=self.positive, tol=tol, max_iter=max_iter, start=w, gram=self.gram,
        )  # fmt: skip
        return W[0], int(passes[0])

    def least_squares(self, y):
        """w without the bound, of least l2 norm; None where there is no direct way to it."""
        if self.positive and hasattr(self.X, "indptr"):
            return None
        model = LinearRegression(fit_intercept=self.centred, positive=self.positive, tol=1e-13)
        return model.fit(self.X.astype(float), y, self.weights).coef_

    def gap(self, w, t, z):
        """(4) for A'r = z."""
        steepest = self.steepest(z)
        return max(t * steepest - float(w @ z), 0.0) if steepest > 0.0 else 0.0

    def free_gap(self, w, t):
        """(4) up to twice the norm of least squares w: where nothing so near is better, nothing is.

        Or half the square of what least squares still explain of the residual, if that is less.
        """
        r = self.residual(w)
        gap = self.gap(w, min(t, 2.0 * float(np.abs(w).sum())), self.correlations(r))
        if gap > 1e-12 * self.yy and not self.positive:
            s = 1.0 if self.weights is None else self.weights
            found = r - self.residual(self.least_squares(r) + w)
            gap = min(gap, 0.5 * float(found @ (s * found)))
        return gap


class Piece:
    """The linear piece of the path where the coefficients F have the given signs, at a point (w, a) on it or near."""

    def __init__(self, problem, F, sign, w, na):
        self.F, self.sign, self.w, self.na = F, sign, w, na
        X, y = problem.X[:, F].astype(float), problem.y[:, None]
        self.system = System(X, y, fit_intercept=problem.centred, weights=problem.weights)
        G = self.system.gram()
        self.scale = 1.0 / np.sqrt(G.diagonal())
        G = (np.triu(G) + np.triu(G, 1).T) * self.scale * self.scale[:, None]
        self.factor, info = POTRF["d"](G, lower=0)
        if info or not self.factor.diagonal().min() ** 2 > _SMALL:
            values, vectors = scipy.linalg.eigh(G, check_finite=False)
            good = values > len(F) * _DEPENDENT * values[-1]
            self.factor, self.vectors, self.values = None, vectors[:, good], values[good]
        self.v = self.solve(sign)

    def solve(self, r):
        """(A_F'A_F)^-1 r; where columns depend on each other, of least norm."""
        r = self.scale * r
        if self.factor is not None:
            return self.scale * POTRS["d"](self.factor, r, lower=0)[0]
        return self.scale * (self.vectors @ ((self.vectors.T @ r) / self.values))

    def direction(self, t):
        """(dw for da = 0, da) of (3)."""
        r = self.system.B - self.system.dot(self.w[:, None])
        u = self.solve(self.system.t_dot(r)[:, 0] - self.na * self.sign)
        return u, (float(self.sign @ (self.w + u)) - t) / float(self.sign @ self.v)

    def end(self, problem, t, top):
        """(w, a, A'r) of the solution of (1) on this piece, at a = 0 at the least; w is None where it is not on it."""
        for _ in range(_STEPS):
            u, change = self.direction(t)
            change = max(change, -self.na)
            self.w, self.na = self.w + u - change * self.v, self.na + change
        inside = self.sign * self.w >= -_EXACT * np.abs(self.w).sum()
        w = np.zeros(len(problem.mean))
        w[self.F] = np.where(self.sign * self.w > 0.0, self.w, 0.0)
        z = problem.correlations(problem.residual(w))
        found = inside.all() and problem.steepest(z) <= self.na + _EXACT * top
        return w if found else None, self.na, z


def solve_constrained(problem, t, max_iter):
    """(w, a, duality gap, passes) of (1)."""
    w = np.zeros(len(problem.mean))
    z = problem.correlations(problem.residual(w))
    na = top = problem.steepest(z)
    if t == 0.0 or top == 0.0:
        return w, top if t == 0.0 else 0.0, 0.0, 1
    low, high, inner, passes = 0.0, top, _INNER, 0  # ||w(low)||_1 > t > ||w(high)||_1
    first = np.argmax(z if problem.positive else np.abs(z), keepdims=True)
    first_sign = np.sign(z[first])
    piece, tried = Piece(problem, first, first_sign, w[first], na), False
    best = w, na, t * top
    while True:
        aim = na + piece.direction(t)[1]
        if aim <= 0.0 and passes and not tried:  # is the bound one at all?
            tried, free = True, problem.least_squares(problem.y)
            if free is not None and np.abs(free).sum() <= t:
                return free, 0.0, problem.free_gap(free, t), passes
        found, level, z = piece.end(problem, t, top)
        if found is not None and np.abs(found).sum() <= t * (1.0 + _EXACT):
            gap = problem.gap(found, t, z) if level > 0.0 else problem.free_gap(found, t)
            return found, level, gap, max(passes, 1)
        if passes >= max_iter or high - low <= 1e-14 * top:
            return *best, max(passes, 1)
        if not low < aim < high:
            aim = np.sqrt(low * high) if low > 0.0 else high / _FALL
        aim = max(aim, high / _FALL) if low == 0.0 else aim
        if abs(aim - na) <= 1e-6 * na:  # the signs are not quite those of the solution yet
            inner = max(1e-3 * inner, 1e-16)
        na = aim
        w, more = problem.lasso(w, na, min(inner, inner * na * t / problem.yy), max_iter - passes)
        passes += max(more, 1)
        norm = float(np.abs(w).sum())
        if not norm < np.inf:
            return *best, passes
        low, high = (na, high) if norm > t else (low, na)
        inside = w if norm <= t else w * (t / norm)
        gap = problem.gap(inside, t, problem.correlations(problem.residual(inside)))
        if gap < best[2]:
            best = inside, na, gap
        F = np.flatnonzero(w) if norm > 0.0 else first
        piece = Piece(problem, F, np.sign(w[F]) if norm > 0.0 else first_sign, w[F], na)


class ConstrainedLasso(MultiOutputMixin, RegressorMixin, LinearPredictor):
    """Least squares with a bound on the l1 norm of the coefficients: the lasso in its constrained form.

    Minimises, with weights s_i (1 if not given) and S their sum::

        1 / (2 S) * sum_i s_i (y_i - x_i'w - b)^2   subject to   ||w||_1 <= t

    over w and b. Where the bound is active the coefficients are those of :class:`Lasso` with ``alpha=multiplier_``.

    Parameters
    ----------
    t : float, default=1.0
        The bound, zero or positive; of each target where there are more than one. The norm of the coefficients of
        :class:`LinearRegression` and what is above leaves them as they are.
    fit_intercept : bool, default=True
        Whether to fit b, which the bound does not concern.
    max_iter : int, default=10000
        Passes over the working sets of all lassos that are solved on the way, at most.
    tol : float, default=1e-8
        A warning says where the duality gap, of the objective times S, is more than ``tol * sum_i s_i (y_i - mean)^2``.
        The coefficients are those of the solution's signs, exact to rounding, unless ``max_iter`` or rounding ends it
        before.
    positive : bool, default=False
        Restrict the coefficients to be nonnegative.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        w.
    intercept_ : float or ndarray of shape (n_targets,)
        b, 0.0 with ``fit_intercept=False``.
    multiplier_ : float or ndarray of shape (n_targets,)
        The Lagrange multiplier of the bound, zero or positive: the ``alpha`` of :class:`Lasso` that gives the same
        coefficients, by which the least objective falls per unit of t. 0 where the bound is not active; with ``t=0``
        the least ``alpha`` that leaves no coefficient.
    constraint_active_ : bool or ndarray of shape (n_targets,)
        Whether the bound keeps the coefficients from those of least squares.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Certified: the objective is within this of its minimum, where the bound is active; where it is not, of that over
        all w with at most twice the norm, of which none is better. Before ``coef_`` is rounded to float32, where X is.
    n_iter_ : int or ndarray of shape (n_targets,)
        Passes taken.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has names that are all strings.

    References
    ----------
    R. Tibshirani, Regression shrinkage and selection via the lasso, J. R. Stat. Soc. B 58 (1996), 267-288.
    M. R. Osborne, B. Presnell, B. A. Turlach, On the LASSO and its dual, J. Comput. Graph. Stat. 9 (2000), 319-337.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import ConstrainedLasso, Lasso
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = np.array([1.0, 2.0, 3.0, 4.0])
    >>> model = ConstrainedLasso(t=1.5).fit(X, y)
    >>> print(model.coef_.round(3), round(model.multiplier_, 3), model.constraint_active_)
    [1.25 0.25] 0.188 True
    >>> np.allclose(Lasso(alpha=model.multiplier_).fit(X, y).coef_, model.coef_)
    True
    """

    def __init__(self, t=1.0, *, fit_intercept=True, max_iter=10000, tol=1e-8, positive=False):
        self.t = t
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.positive = positive

    @observed
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; dense in any order and float32 or float64, or CSC, are read as they are.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the squared errors, none negative.

        Returns
        -------
        ConstrainedLasso
            The fitted estimator.
        """
        check_bound(self.t)
        check_flags(self, "fit_intercept", "positive")
        check_tolerance(self.tol)
        if not is_integer(self.max_iter) or self.max_iter < 1:
            raise ValueError(f"max_iter must be an integer >= 1, got {self.max_iter!r}")
        X, y, weights = check_data(self, X, y, sample_weight)
        check_squares(X, y)
        weights = None if weights is None else weights.astype(float)
        found = []
        for target in y[:, None].T if y.ndim == 1 else y.T:
            with one_blas_thread():  # products are small, or at the pace of memory
                problem = Problem(X, np.ascontiguousarray(target), weights, self.fit_intercept, self.positive)
                w, na, gap, passes = solve_constrained(problem, float(self.t), self.max_iter)
            goal = self.tol * problem.yy
            if gap > goal:
                warn(
                    f"ConstrainedLasso stopped after {passes} passes with a duality gap of {gap:.3e}; tol asks for "
                    f"{goal:.3e}. Raise max_iter (now {self.max_iter}) or tol, or scale the features.",
                    ConvergenceWarning,
                )
            w = w.astype(X.dtype, copy=False)
            b = problem.y_mean - float(w @ problem.mean)
            found.append((w, b, na / problem.total, gap / problem.total, passes))
        coef, intercept, multiplier, gap, passes = map(np.array, zip(*found, strict=True))
        one = len(found) == 1
        self.coef_ = coef[0] if one else coef
        self.intercept_ = 0.0
        if self.fit_intercept:
            self.intercept_ = X.dtype.type(intercept[0]) if y.ndim == 1 else intercept.astype(X.dtype)
        self.multiplier_ = multiplier[0] if one else multiplier
        self.constraint_active_ = self.multiplier_ > 0.0
        self.dual_gap_ = gap[0] if one else gap
        self.n_iter_ = int(passes[0]) if one else passes
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
