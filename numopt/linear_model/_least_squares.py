"""Ordinary least squares.

min ||A W - B|| with A and B centred and weighted (:mod:`numopt.linear_model._linear_base`): by Cholesky of the smaller
Gram matrix with iterative refinement where the condition of A admits it, else by a singular value decomposition.

Refinement takes the residual from A itself, not from the Gram matrix: with the condition number c of A and the unit
roundoff u a step contracts the error by about c^2 u, down to what a QR decomposition attains.

References
----------
A. Björck, Stability analysis of the method of seminormal equations for linear least squares problems, Linear Algebra
and its Applications 88 (1987), 31-48.
"""

import numpy as np
import scipy.linalg
from scipy.linalg import lapack
from scipy.optimize import nnls
from sklearn.base import MultiOutputMixin, RegressorMixin

from numopt.linear_model._linear_base import (
    LinearPredictor,
    System,
    check_flags,
    check_inputs,
    check_tolerance,
    check_weights,
    is_integer,
)
from numopt.linear_model._ridge_solvers import POTRF, POTRS, pivot_nonnegative, solve_lsqr

_POCON = {"d": lapack.dpocon, "f": lapack.spocon}
_TRCON = {"d": lapack.dtrcon, "f": lapack.strcon}


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


def _exceeds(triangle, tol):
    """Whether every singular value of a triangle is above tol times the largest."""
    rcond = _TRCON[triangle.dtype.char](triangle)[0]
    if rcond > 10.0 * tol * len(triangle):  # the estimate is seldom wrong by 3, and the norms differ by the order
        return True
    values = scipy.linalg.svdvals(triangle, check_finite=False)
    return bool(values[-1] > tol * values[0])


def solve_gram(system, tol):
    """W, the rank of A and a matrix with the singular values of A; or None where the condition of A forbids it."""
    n, p = system.shape
    dual = p > n or (p == n and system.centred)
    G = system.gram(dual)
    letter, eps = G.dtype.char, np.finfo(G.dtype).eps
    constant, direction, rank = None, None, min(n, p)
    if dual and system.centred:
        # A centred A has the roots of the weights as its left null vector. B is orthogonal to it, so its eigenvalue may
        # be any: the mean of the others does not worsen the condition.
        direction = np.full(n, n**-0.5, G.dtype) if system.roots is None else system.roots / np.sqrt(system.total)
        direction = direction.astype(G.dtype, copy=False)
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
        found = [pivot_nonnegative(G, r) for r in R.T]
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
    n_jobs : int, default=None
        Accepted for compatibility: targets are solved together.
    positive : bool, default=False
        Whether the coefficients have to be zero or positive; dense X only.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients.
    rank_ : int
        Rank of the centred X; dense X only.
    singular_ : ndarray of shape (min(n_samples, n_features),)
        Singular values of the centred X, computed when first asked for; dense X only.
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

    def __init__(self, *, fit_intercept=True, copy_X=True, tol=1e-6, n_jobs=None, positive=False):
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive

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
        X, y = check_inputs(self, X, y, sparse=not self.positive)
        weights = check_weights(sample_weight, X)
        system = System(X, y[:, None] if y.ndim == 1 else y, fit_intercept=self.fit_intercept, weights=weights)
        for name in ("rank_", "_singular", "_triangle"):
            self.__dict__.pop(name, None)
        if self.positive:
            W = solve_nonnegative(system)
        elif system.sparse:
            W = solve_lsqr(system, np.zeros(system.B.shape[1]), self.tol, None)[0]
        else:
            found = solve_gram(system, self.tol)
            if found is not None:
                W, self.rank_, self._triangle = found
            else:
                W, _, self.rank_, self._singular = scipy.linalg.lstsq(
                    system.explicit(), system.B, cond=self.tol, check_finite=False
                )
                if system.constant is not None:
                    W[system.constant] = 0.0
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
                raise AttributeError("singular_ is there after a fit to dense X without positive=True")
            self._singular = scipy.linalg.svdvals(self._triangle, check_finite=False)
            del self._triangle
        return self._singular

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.positive
        return tags
