"""Ridge regression in its constrained form: least squares with a bound on the l2 norm of the coefficients.

With A, b the centred and weighted problem (:mod:`numopt.linear_model._linear_base`), A'A = V diag(l) V' and c = V'A'b,

    min_w ||A w - b||^2  subject to  ||w|| <= t                               (1)
    w(a) = (A'A + a I)^-1 A'b = V diag(1 / (l + a)) c                         (2)

w(a) solves (1) for t = ||w(a)||, which falls strictly in a. Where the least squares of least norm, w(0), are outside
of the ball, a is the root of the secular equation 1 / ||w(a)|| = 1 / t, whose left side is concave and nearly a
straight line, so that Newton's method converges from the left without overshooting:

    a <- a + (||w|| / t - 1) ||w||^2 / w'(A'A + a I)^-1 w                   (3)

Without a decomposition, of large sparse X, w and (A'A + a I)^-1 w = (A'A + a I)^-1 A'(b - A w) / a are had by conjugate
gradients, and a is kept in an interval.

References
----------
J. J. Moré, D. C. Sorensen, Computing a trust region step, SIAM J. Sci. Stat. Comput. 4 (1983), 553-572.
G. H. Golub, C. F. Van Loan, Matrix Computations, 4th edition, 2013, section 6.2.1.
"""

import copy

import numpy as np
import scipy.linalg
from sklearn.base import MultiOutputMixin, RegressorMixin

from numopt.estimators.callbacks import observed
from numopt.linear_model._blas import few_threads
from numopt.linear_model._constrained_lasso import check_bound
from numopt.linear_model._linear_base import (
    LinearPredictor,
    System,
    check_flags,
    check_inputs,
    check_tolerance,
    check_weights,
    is_integer,
    product,
)
from numopt.linear_model._ridge_solvers import solve_cg
from numopt.linear_model._ridge_spectrum import Spectrum

_LARGE = 1000  # order from which on a sparse system is not decomposed
_DOUBTFUL = 1e-6  # (l + a) / max l: below, eigenvalues of a Gram matrix have lost the digits that matter
_STEPS = 100  # of Newton's method: it takes four to eight


def solve_spectrum(system, t):
    """(W, multipliers, steps) by a decomposition of A'A or A A', or where rounding calls for it of A."""
    found = Spectrum(system)
    l, c = found.values, found.inner
    kept = l > l.max(initial=0.0) * max(system.shape) * np.finfo(float).eps
    a, steps = secular(l, np.where(kept[:, None], c * c * (l[:, None] if found.dual else 1.0), 0.0), t)
    if not system.sparse and l.min(initial=np.inf) + a.min() < _DOUBTFUL * l.max(initial=0.0):
        return solve_singular(system, t)
    d = l[:, None] + a
    W = product(found.vectors, np.asfortranarray(np.divide(c, d, out=np.zeros_like(d), where=kept[:, None])))
    return system.t_dot(np.asfortranarray(W)) if found.dual else W, a, steps


def solve_singular(system, t):
    """The same by A = U diag(d) V', w(a) = V diag(d / (d^2 + a)) U'b."""
    U, d, Vt = scipy.linalg.svd(system.explicit(), full_matrices=False, check_finite=False)
    kept = d > max(system.shape) * np.finfo(float).eps * d.max(initial=0.0)
    d, c = d[kept, None], d[kept, None] * (U[:, kept].T @ system.B)
    a, steps = secular(d[:, 0] ** 2, c * c, t)
    return Vt[kept].T @ (c / (d * d + a)), a, steps


def secular(l, square, t):
    """(a, steps) of (3), one of each a column of ``square``: the squares of V'A'b; a = 0 where ||w(0)|| <= t."""
    a, steps = np.zeros(square.shape[1]), np.ones(square.shape[1], np.int32)
    for k, s in enumerate(square.T):
        used = s > 0.0
        s, d = s[used], l[used]
        if t == 0.0:
            a[k] = np.inf if s.size else 0.0
            continue
        if not s.size:
            continue
        a[k] = max(s.sum() ** 0.5 / t - d.max(), 0.0)  # for ||w(a)|| >= ||A'b|| / (max l + a)
        for steps[k] in range(1, _STEPS + 1):
            q = s / (d + a[k]) ** 2
            norm = q.sum() ** 0.5
            step = (norm / t - 1.0) * q.sum() / (q / (d + a[k])).sum()
            if step <= 4.0 * np.finfo(float).eps * a[k]:  # at the root; or, at a = 0, inside of the ball
                break
            a[k] += step
    return a, steps


def solve_products(system, t, tol, max_iter):
    """The same by conjugate gradients, for one target after the other."""
    whole, one = system.B, copy.copy(system)
    W, a = np.zeros((system.shape[1], whole.shape[1])), np.zeros(whole.shape[1])
    steps = np.ones(whole.shape[1], np.int32)

    def solve(b, level):
        one.B = np.asfortranarray(b)
        return solve_cg(one, np.array([level]), tol, max_iter)[0]

    for k in range(whole.shape[1]):
        b = whole[:, k : k + 1]
        top = float(np.linalg.norm(system.t_dot(b)))
        if t == 0.0 or top == 0.0:
            a[k] = np.inf if t == 0.0 and top > 0.0 else 0.0
            continue
        w = solve(b, 0.0)
        if np.linalg.norm(w) <= t:
            W[:, k] = w[:, 0]
            continue
        low, high = 0.0, top / t  # ||w(a)|| <= ||A'b|| / a
        level = 0.5 * high
        for steps[k] in range(1, _STEPS + 1):
            w = solve(b, level)
            norm = float(np.linalg.norm(w))
            low, high = (level, high) if norm > t else (low, level)
            q = solve((b - system.dot(w)) / level, level)
            step = (norm / t - 1.0) * norm**2 / float(np.vdot(w, q))
            if abs(step) <= tol * level:
                break
            level += step
            if not low < level < high:
                level = (low * high) ** 0.5 if low > 0.0 else 0.1 * high
        W[:, k], a[k] = w[:, 0] * min(1.0, t / norm), level
    return W, a, steps


class ConstrainedRidge(MultiOutputMixin, RegressorMixin, LinearPredictor):
    """Least squares with a bound on the l2 norm of the coefficients: ridge regression in its constrained form.

    Minimises, with weights s_i (1 if not given)::

        sum_i s_i (y_i - x_i'w - c)^2   subject to   ||w||_2 <= t

    over w and c. Where the bound is active the coefficients are those of :class:`Ridge` with ``alpha=multiplier_``.

    Parameters
    ----------
    t : float, default=1.0
        The bound, zero or positive; of each target where there are more than one. The norm of the coefficients of
        :class:`LinearRegression` and what is above leaves them as they are.
    fit_intercept : bool, default=True
        Whether there is a constant term c, which the bound does not concern.
    max_iter : int, default=None
        Most iterations of conjugate gradients, which large sparse X are solved by; None: no more than rounding calls
        for. Dense and small X are decomposed.
    tol : float, default=1e-10
        Relative precision of conjugate gradients, and of the multiplier found by them; else both are exact to rounding.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        w; of several solutions the one of least norm.
    intercept_ : float or ndarray of shape (n_targets,)
        c, 0.0 with ``fit_intercept=False``.
    multiplier_ : float or ndarray of shape (n_targets,)
        The Lagrange multiplier of ``||w||^2 <= t^2``, zero or positive: the ``alpha`` of :class:`Ridge` that gives the
        same coefficients. The least sum of squares falls by 2 t ``multiplier_`` per unit of t. 0 where the bound is
        not active, infinite with ``t=0``.
    constraint_active_ : bool or ndarray of shape (n_targets,)
        Whether the bound keeps the coefficients from those of least squares.
    n_iter_ : ndarray of shape (n_targets,)
        Steps of Newton's method for the multiplier.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.

    References
    ----------
    J. J. Moré, D. C. Sorensen, Computing a trust region step, SIAM J. Sci. Stat. Comput. 4 (1983), 553-572.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import ConstrainedRidge, Ridge
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = np.array([1.0, 2.0, 3.0, 4.0])
    >>> model = ConstrainedRidge(t=1.0).fit(X, y)
    >>> print(model.coef_.round(3), round(model.multiplier_, 3), model.constraint_active_)
    [0.894 0.447] 1.236 True
    >>> np.allclose(Ridge(alpha=model.multiplier_).fit(X, y).coef_, model.coef_)
    True
    """

    def __init__(self, t=1.0, *, fit_intercept=True, max_iter=None, tol=1e-10):
        self.t = t
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

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
        ConstrainedRidge
            The fitted estimator.
        """
        check_bound(self.t)
        check_flags(self, "fit_intercept")
        check_tolerance(self.tol)
        if self.max_iter is not None and not (is_integer(self.max_iter) and self.max_iter >= 1):
            raise ValueError(f"max_iter must be None or an integer >= 1, got {self.max_iter!r}")
        X, y = check_inputs(self, X, y)
        weights = check_weights(sample_weight, X)
        kind = X.dtype
        X, y = X.astype(float, copy=False), y.astype(float, copy=False)
        weights = None if weights is None else weights.astype(float, copy=False)
        Y = y[:, None] if y.ndim == 1 else y
        system = System(X, Y, fit_intercept=self.fit_intercept, weights=weights)
        if not system.B.any():  # also of a single row
            W, a = np.zeros((X.shape[1], Y.shape[1])), np.zeros(Y.shape[1])
            self.n_iter_ = np.ones(Y.shape[1], np.int32)
        elif system.sparse and min(X.shape) > _LARGE:
            W, a, self.n_iter_ = solve_products(system, float(self.t), self.tol, self.max_iter)
        else:
            W, a, self.n_iter_ = solve_spectrum(system, float(self.t))
        self._set_line(W, system, y)
        self.coef_ = self.coef_.astype(kind, copy=False)
        self.intercept_ = self.intercept_.astype(kind, copy=False) if self.fit_intercept else 0.0
        self.multiplier_ = float(a[0]) if len(a) == 1 else a
        self.constraint_active_ = self.multiplier_ > 0.0
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
