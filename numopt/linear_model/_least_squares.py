"""Ordinary least squares.

min ||A W - B|| with A and B centred and weighted (:mod:`numopt.linear_model._linear_base`): by Cholesky of the smaller
Gram matrix with iterative refinement where the condition of A admits it, else by a QR decomposition, and where A is not
of full rank by a singular value decomposition of its triangle.

Refinement takes the residual from A itself, not from the Gram matrix: with the condition number c of A and the unit
roundoff u a step contracts the error by about c^2 u, down to what a QR decomposition attains.

References
----------
A. Björck, Stability analysis of the method of seminormal equations for linear least squares problems, Linear Algebra
and its Applications 88 (1987), 31-48.
"""

import numpy as np
import scipy.linalg
from scipy.linalg import blas, lapack
from scipy.optimize import nnls
from sklearn.base import MultiOutputMixin, RegressorMixin

from numopt.estimators.callbacks import observed
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
    product_t,
)
from numopt.linear_model._logistic_problem import warn_unconverged
from numopt.linear_model._ridge_solvers import POTRF, POTRS, pivot_gram, solve_lsqr, triangular

_POCON = {"d": lapack.dpocon, "f": lapack.spocon}
_TRCON = {"d": lapack.dtrcon, "f": lapack.strcon}
_TRTRS = {"d": lapack.dtrtrs, "f": lapack.strtrs}
_TRMV = {"d": blas.dtrmv, "f": blas.strmv}
_LANCZOS = 10
_SQUARE = 1.2  # up to this ratio of its sides a matrix of noise has too large a condition for its Gram matrix


def _scaled_cholesky(G):
    """Scales d, U with U'U = D G D of unit diagonal, and its reciprocal condition number; d is None if singular."""
    diagonal = G.diagonal()
    if not (diagonal > 0).all():
        return None, None, 0.0
    d = 1.0 / np.sqrt(diagonal)
    H = np.asfortranarray(G * d * d[:, None])
    upper = np.abs(np.triu(H, 1))
    norm = (upper.sum(axis=0) + upper.sum(axis=1)).max(initial=0.0) + 1.0
    U, info = POTRF[G.dtype.char](H, lower=0, overwrite_a=1)
    if info:
        return None, None, 0.0
    return d, U, _POCON[G.dtype.char](U, norm)[0]


def _largest(product, order):
    """A lower bound, seldom far off, of the largest eigenvalue of a symmetric product, by Lanczos' method."""
    v, before, beta, basis = np.cos(np.arange(order) ** 2.0), 0.0, 0.0, []
    alphas, betas = [], []
    v /= np.linalg.norm(v)
    for _ in range(min(_LANCZOS, order)):
        basis.append(v)
        w = product(v) - beta * before
        alphas.append(float(v @ w))
        for u in basis:
            w -= (u @ w) * u
        before, beta = v, float(np.linalg.norm(w))
        betas.append(beta)
        if not beta > np.finfo(float).eps * abs(alphas[0]):  # also where NaN
            break
        v = w / beta
    if not np.isfinite(alphas + betas).all():
        return np.inf
    return float(scipy.linalg.eigvalsh_tridiagonal(alphas, betas[: len(alphas) - 1])[-1])


def _exceeds(triangle, tol):
    """Whether every singular value of a triangle is above tol times the largest."""
    order = len(triangle)
    rcond = _TRCON[triangle.dtype.char](triangle)[0]
    if rcond > 10.0 * tol * order:  # the estimate is seldom wrong by 3, and the norms differ by the order
        return True
    if not (triangle.diagonal() != 0).all():
        return False
    solve, times = _TRTRS[triangle.dtype.char], _TRMV[triangle.dtype.char]
    with np.errstate(all="ignore"):  # a tiny pivot may overflow
        least = _largest(lambda v: solve(triangle, solve(triangle, v, trans=1)[0])[0], order) ** -0.5
        most = _largest(lambda v: times(triangle, times(triangle, v), trans=1), order) ** 0.5
    # Ten steps miss by more than 4 with a chance below 1e-6 (Kuczynski and Wozniakowski).
    if least > 8.0 * tol * most:
        return True
    if least <= tol * most:  # both bounds lie on the safe side of this
        return False
    values = scipy.linalg.svdvals(triangle, check_finite=False)
    return bool(values[-1] > tol * values[0])


def solve_gram(system, tol):
    """W, the rank of A and a matrix with the singular values of A; or None where the condition of A forbids it."""
    n, p = system.shape
    dual = p > n or (p == n and system.centred)
    G = system.gram(dual)
    letter, eps = G.dtype.char, np.finfo(G.dtype).eps
    constant, direction, rank = None, system.left_null() if dual else None, min(n, p)
    if direction is not None:
        # B is orthogonal to it, so its eigenvalue may be any: the mean of the others does not worsen the condition.
        G = G + (G.trace() / n) * np.outer(direction, direction)
        rank = n - 1
    elif not dual and system.constant is not None:
        constant = np.flatnonzero(system.constant)
        G[constant, constant] = G.diagonal().max()
        rank = p - len(constant)
    d, U, rcond = _scaled_cholesky(G)
    # Two steps of refinement, each contracting the error by eps / rcond, have to reach rounding.
    if rcond < eps**0.6:
        return None
    triangle = np.asfortranarray(U / d)
    if not _exceeds(triangle, tol):
        return None

    def step(R):
        inner = np.asfortranarray(d[:, None] * (R if dual else system.t_dot(R)))
        solved = np.asfortranarray(d[:, None] * POTRS[letter](U, inner, lower=0)[0])
        return system.t_dot(solved) if dual else solved

    W = step(system.B)
    for _ in range(1 if rcond > eps**0.3 else 2):
        W += step(np.asfortranarray(system.B - system.dot(W)))
    if direction is not None:
        triangle = triangle - np.outer(triangle @ direction, direction)
    elif constant is not None:
        triangle[constant] = 0.0
        W[constant] = 0.0
    return W, rank, triangle


def solve_qr(system, tol):
    """W, the rank of A, and of A's singular values a matrix that has them or themselves, the other one None.

    By a QR decomposition of A or A', if that is not of full rank to tol by a singular value decomposition of R. A row
    of a centred A depends on the others: a reflection takes the roots of the weights, A's left null vector, to the last
    coordinate, so that the last row becomes zero.
    """
    n, p = system.shape
    wide = p > n or (p == n and system.centred)
    given, B, s = system.X, system.B, system.left_null() if wide else None
    A = system.explicit()
    if s is not None:
        s = np.append(s[:-1], s[-1] + 1.0)
        s /= np.linalg.norm(s)  # (I - 2 s s') maps the null vector to minus the last unit vector
        A = (A - np.outer(2.0 * s, product_t(A, s[:, None])))[:-1]
        B = (B - np.outer(2.0 * s, s @ B))[:-1]
    rank = min(n, p) - (s is not None)
    if not rank:
        return np.zeros((p, B.shape[1]), A.dtype), 0, None, np.zeros(1, A.dtype)
    R, rotate = triangular(A.T if wide else A, own=A is not given)
    full = _exceeds(R, tol)
    Z = np.asfortranarray(B) if wide else np.asfortranarray(rotate(B, transposed=True))
    values = None
    if full:
        Z = _TRTRS[A.dtype.char](R, Z, trans=int(wide))[0]
    else:
        Z, _, rank, values = scipy.linalg.lstsq(R.T if wide else R, Z, cond=tol, check_finite=False)
    if wide:
        Z = rotate(Z)
    if s is not None:  # the singular value of the null vector
        R = np.pad(R, (0, 1))
        values = None if values is None else np.append(values, values.dtype.type(0.0))
    if system.constant is not None:
        Z[system.constant] = 0.0
    return Z, rank, R if full else None, values


def solve_nonnegative(system):
    """W >= 0: pivoting on a well-conditioned Gram matrix, else the active-set method of :func:`scipy.optimize.nnls`."""
    n, p = system.shape
    W = np.zeros((p, system.B.shape[1]), system.dtype)
    d, rcond = None, 0.0
    if p <= n and not system.sparse:
        G = system.gram()
        d, _, rcond = _scaled_cholesky(G)
    if rcond > 1e5 * np.finfo(system.dtype).eps ** 0.8:
        G = (np.triu(G) + np.triu(G, 1).T) * d * d[:, None]
        R = d[:, None] * system.t_dot(system.B)
        found = [pivot_gram(G, r) for r in R.T]
        if all(w is not None for w in found):
            return d[:, None] * np.column_stack(found)
    A = system.explicit()
    for t, b in enumerate(system.B.T):
        W[:, t] = nnls(A, b)[0]
    return W


class LinearRegression(MultiOutputMixin, RegressorMixin, LinearPredictor):
    """Ordinary least squares.

    Minimises ``||y - X w - c||^2`` over w and c; of several solutions the w of least norm. A replacement for
    :class:`sklearn.linear_model.LinearRegression`: the same parameters, attributes and answers.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether there is a constant term c.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to, and seldom copied.
    tol : float, default=1e-6
        Dense X: singular values not above ``tol`` times the largest count as zero. Sparse X: the precision of LSQR.
        A method of the catalogue: largest component of the gradient, relative to that at zero.
    n_jobs : int, default=None
        Accepted for compatibility: targets are solved together.
    positive : bool, default=False
        Whether the coefficients have to be zero or positive; dense X only.
    solver : str, default="auto"
        ``"auto"``: Cholesky, QR or singular value decomposition of dense X, LSQR on sparse X. A gradient method of
        :func:`numopt.minimize` (``"gd"``, ``"cg-pr"``, ``"bfgs"``, ``"newton"``, ...) is run by that, ``"coordinate"``
        by greedy coordinate descent. scikit-learn's has no such parameter.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients.
    rank_ : int
        Rank of the centred X; dense X and ``solver="auto"`` only.
    singular_ : ndarray of shape (min(n_samples, n_features),)
        Singular values of the centred X, computed when first asked for; the same.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant term, 0.0 with ``fit_intercept=False``.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.

    References
    ----------
    G. H. Golub, C. F. Van Loan, Matrix Computations, 4th edition, 2013, chapter 5.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import LinearRegression
    >>> X = np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 2.0], [2.0, 3.0]])
    >>> model = LinearRegression().fit(X, X @ [1.0, 2.0] + 3.0)
    >>> print(model.coef_.round(12), round(model.intercept_, 12))
    [1. 2.] 3.0
    """

    def __init__(self, *, fit_intercept=True, copy_X=True, tol=1e-6, n_jobs=None, positive=False, solver="auto"):
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive
        self.solver = solver

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
        LinearRegression
            The fitted estimator.
        """
        check_flags(self, "fit_intercept", "copy_X", "positive")
        check_tolerance(self.tol)
        if self.n_jobs is not None and not is_integer(self.n_jobs):
            raise ValueError(f"n_jobs must be None or an integer, got {self.n_jobs!r}")
        check_name(self.solver, names("auto"))
        X, y, sums = check_and_sum(self, X, y, sparse=not self.positive)
        weights = check_weights(sample_weight, X)
        Y = y[:, None] if y.ndim == 1 else y
        system = System(X, Y, fit_intercept=self.fit_intercept, weights=weights, sums=sums)
        for name in ("rank_", "_singular", "_triangle"):
            self.__dict__.pop(name, None)
        if self.solver != "auto":
            targets = np.zeros(system.B.shape[1])
            W, count, reached = solve_system(self.solver, system, targets, self.tol, None, self.positive)
            if not reached <= self.tol:
                warn_unconverged("relative gradient", reached, self.tol, count.max(), np.inf)
        elif self.positive:
            W = solve_nonnegative(system)
        elif system.sparse:
            W = solve_lsqr(system, np.zeros(system.B.shape[1]), self.tol, None)[0]
        else:
            square = max(X.shape) < _SQUARE * min(X.shape)
            found = None if square else solve_gram(system, self.tol)
            W, self.rank_, triangle, values = solve_qr(system, self.tol) if found is None else (*found, None)
            if values is None:
                self._triangle = triangle
            else:
                self._singular = values
        self._set_line(W, system, y, keep_row=True)
        return self

    def __getstate__(self):
        if "_triangle" in self.__dict__:
            _ = self.singular_  # which is small, and lets go of the triangle
        return super().__getstate__()

    @property
    def singular_(self):
        """Singular values of the centred X."""
        if "_singular" not in self.__dict__:
            if "_triangle" not in self.__dict__:
                raise AttributeError("singular_ is there after a fit to dense X with solver='auto' and positive=False")
            self._singular = scipy.linalg.svdvals(self._triangle, check_finite=False)
            del self._triangle
        return self._singular

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.positive
        return tags
