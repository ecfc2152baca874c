"""Ridge regression and least squares from the triangles of the partitions.

min over W, c of sum_i s_i ||y_i - W'x_i - c||^2 + alpha ||W||^2.  With A = S^(1/2) [1, X - 1 m', Y - 1 q'], m and q
about the means, each partition gives the triangle R of its rows A = Q R, and triangles stacked upon each other the
triangle of all rows.  Its first row gives c, the rest is the problem in W with the rows centred:

    R = ( r  u'  v' )      W = argmin ||R_x W - R_y||^2 + alpha ||W||^2,      c = q + (v - W'u) / r - W'm
        (    R_x R_y)

R_x = U diag(d) V', W = V diag(d / (d^2 + alpha)) U'R_y: the digits lost are those of the condition of A, not of its
square as with the normal equations A'A.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, Communication-optimal parallel and sequential QR and LU factorizations,
SIAM J. Sci. Comput. 34 (2012), A206-A239.
"""

import numpy as np
import scipy.linalg
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score

from numopt.dask._base import NOT_FINITE, Lazy, check_numeric, read_data
from numopt.dask._partials import centre, merge, one_thread, triangle
from numopt.linear_model._linear_base import LinearPredictor, check_tolerance

LARGEST = 1e145  # of a norm: its square is within 1e290


class _LeastSquares(Lazy, MultiOutputMixin, RegressorMixin, LinearPredictor):
    """The fit that both estimators share."""

    _measure = staticmethod(r2_score)

    def _fit(self, X, y, sample_weight, alpha, tol, keep_row):
        """Sets ``coef_`` and ``intercept_``; gives back the rank and the singular values of the centred X.

        tol is that of the singular values; None: rounding.
        """
        check_numeric(y)
        rows, dtype = read_data(self, X, y, sample_weight, targets=True)
        p, one = self.n_features_in_, int(self.fit_intercept)
        m, q = rows.first(centre, (True,))
        if not one:
            m, q = np.zeros_like(m), np.zeros_like(q)
        R = rows.reduce(triangle, merge, (m, q, one))
        if not np.isfinite(R).all():
            raise ValueError(NOT_FINITE)
        if R.size and not np.abs(R).max() < LARGEST:
            raise ValueError(
                "X or y hold values so large that their squares overflow; scale them, to about 1e140 at most"
            )
        if not R.shape[0] or (one and not R[0, 0]):
            raise ValueError("sample_weight must hold a positive weight; every weight given is zero")
        targets = R.shape[1] - one - p
        if len(alpha) not in (1, targets):
            raise ValueError(
                f"alpha must be one number or one a target: got {len(alpha)} penalties for {targets} targets"
            )
        A, B = R[one : one + p, one : one + p], R[one : one + p, one + p :]
        with one_thread:
            U, d, Vt = scipy.linalg.svd(A, full_matrices=False) if len(A) else (A, np.zeros(0), A)
            cut = max(rows.n, p) * np.finfo(float).eps if tol is None else tol
            rank = np.count_nonzero(d > cut * d.max(initial=0.0))
            if not len(A):
                U, Vt = np.zeros((0, 0)), np.zeros((0, p))
            U, kept, Vt = U[:, :rank], d[:rank, None], Vt[:rank]
            W = Vt.T @ (kept / (kept**2 + alpha) * (U.T @ B))
            c = q + (R[0, 1 + p :] - R[0, 1 : 1 + p] @ W) / R[0, 0] - m @ W if one else np.zeros(targets)
        single = q.ndim == 0
        self.coef_ = np.ascontiguousarray(W.T, dtype)
        if single or (targets == 1 and not keep_row):
            self.coef_ = self.coef_[0]
        c = c.astype(dtype)
        self.intercept_ = 0.0 if not one else c[0] if single else c
        return rank, np.append(d, np.zeros(min(rows.n, p) - len(d))).astype(dtype)


class Ridge(_LeastSquares):
    """Linear least squares with a squared penalty on the coefficients, of data in partitions.

    Minimises ``||y - X w - c||^2 + alpha ||w||^2`` over w and, unpenalised, c: the answers of
    :class:`numopt.linear_model.Ridge` to the whole data.  X is read once, and its partitions are factored (QR), so that
    no digits are lost to normal equations.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, zero or positive; an array has one strength a target.  With zero the solution of
        least norm.
    fit_intercept : bool, default=True
        Whether there is a constant term c.
    chunk_rows : int, default=None
        Rows that are read at a time where X is not a Dask array, which has partitions of its own.  None: about 8 MiB.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant term, 0.0 with ``fit_intercept=False``.
    n_features_in_ : int
        Number of features.

    Examples
    --------
    A file of rows, of which a thousand at a time are in memory; with Dask arrays, ``fit(X, y)`` is the same:

    >>> import numpy as np, tempfile
    >>> from numopt.dask import Ridge
    >>> file = tempfile.TemporaryFile()
    >>> X = np.memmap(file, float, 'w+', shape=(5000, 2))
    >>> X[:] = np.random.default_rng(0).standard_normal(X.shape)
    >>> model = Ridge(alpha=1e-6, chunk_rows=1000).fit(X, X @ [1.0, 2.0] + 3.0)
    >>> print(model.coef_.round(6), round(float(model.intercept_), 6))
    [1. 2.] 3.0
    """

    def __init__(self, alpha=1.0, *, fit_intercept=True, chunk_rows=None):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.chunk_rows = chunk_rows

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : Dask array, or array-like that can be sliced by rows, of shape (n_samples, n_features)
            Features; ``numpy.memmap`` and the like are read a chunk at a time.
        y : Dask array or array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float, Dask array or array-like of shape (n_samples,), default=None
            Weights of the squared errors, none negative.

        Returns
        -------
        Ridge
            The fitted estimator.
        """
        try:
            alpha = np.atleast_1d(np.asarray(np.nan if isinstance(self.alpha, (bool, str)) else self.alpha, float))
        except (TypeError, ValueError):
            alpha = np.array([np.nan])
        if alpha.ndim != 1 or not alpha.size or not (alpha >= 0).all() or not np.isfinite(alpha).all():
            raise ValueError(
                f"alpha must be a finite real number >= 0, or an array of one such number a target, got {self.alpha!r}"
            )
        self._fit(X, y, sample_weight, alpha, None, keep_row=False)
        return self


class LinearRegression(_LeastSquares):
    """Ordinary least squares of data in partitions.

    Minimises ``||y - X w - c||^2`` over w and c; of several solutions the w of least norm: the answers of
    :class:`numopt.linear_model.LinearRegression` to the whole data.  X is read once.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether there is a constant term c.
    tol : float, default=1e-6
        Singular values not above ``tol`` times the largest count as zero.
    chunk_rows : int, default=None
        Rows that are read at a time where X is not a Dask array, which has partitions of its own.  None: about 8 MiB.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant term, 0.0 with ``fit_intercept=False``.
    rank_ : int
        Rank of the centred X.
    singular_ : ndarray of shape (min(n_samples, n_features),)
        Singular values of the centred X.
    n_features_in_ : int
        Number of features.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.dask import LinearRegression
    >>> X = np.random.default_rng(0).standard_normal((5000, 2))
    >>> model = LinearRegression(chunk_rows=1000).fit(X, X @ [1.0, 2.0] + 3.0)
    >>> print(model.coef_.round(6), round(float(model.intercept_), 6), model.rank_)
    [1. 2.] 3.0 2
    """

    def __init__(self, *, fit_intercept=True, tol=1e-6, chunk_rows=None):
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.chunk_rows = chunk_rows

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : Dask array, or array-like that can be sliced by rows, of shape (n_samples, n_features)
            Features; ``numpy.memmap`` and the like are read a chunk at a time.
        y : Dask array or array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float, Dask array or array-like of shape (n_samples,), default=None
            Weights of the squared errors, none negative.

        Returns
        -------
        LinearRegression
            The fitted estimator.
        """
        check_tolerance(self.tol)
        self.rank_, self.singular_ = self._fit(X, y, sample_weight, np.zeros(1), self.tol, keep_row=True)
        return self
