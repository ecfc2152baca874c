"""What the least-squares estimators share: checks of the input, the centred and weighted problem, prediction.

The problem is min over W, c of sum_i s_i ||y_i - W'x_i - c||^2 + alpha ||W||^2. With the weighted means m of X and q of
Y it is ||A W - B||^2 + alpha ||W||^2, where A = S^(1/2) (X - 1 m'), B = S^(1/2) (Y - 1 q'), c = q - W'm.
"""

import copy
import numbers

import numpy as np
import scipy.sparse as sp
from scipy.linalg import blas
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from numopt.estimators.callbacks import CallbackSupportMixin

# SciPy's BLAS and LAPACK throughout a fit: NumPy brings another copy with threads of its own, and the threads of one
# copy still spin when the other is called, which costs milliseconds on a machine with few cores.
_GEMM = {"d": blas.dgemm, "f": blas.sgemm}
_GEMV = {"d": blas.dgemv, "f": blas.sgemv}
_SYRK = {"d": blas.dsyrk, "f": blas.ssyrk}
_SYMV = {"d": blas.dsymv, "f": blas.ssymv}
_DOT = {np.dtype(np.float64): blas.ddot, np.dtype(np.float32): blas.sdot}
_SYR = {"d": blas.dsyr, "f": blas.ssyr}

_FEW = 8192  # numbers squared at a time: with more than 10,000 BLAS wakes its threads, which takes longer than the sum
_ROWS = 4096  # rows summed at a time: the error of a mean grows with this, not with the number of rows


def product(A, W):
    """``A @ W`` for contiguous A, without a copy of A."""
    letter = A.dtype.char
    if W.shape[1] == 1:
        out = _GEMV[letter](1.0, A.T, W[:, 0], trans=1) if A.flags.c_contiguous else _GEMV[letter](1.0, A, W[:, 0])
        return out[:, None]
    return _GEMM[letter](1.0, A.T, W, trans_a=1) if A.flags.c_contiguous else _GEMM[letter](1.0, A, W)


def times(A, C):
    """``A @ C`` for C-contiguous arrays, itself C-contiguous."""
    return _GEMM[A.dtype.char](1.0, C.T, A.T).T


def product_t(A, R):
    """``A.T @ R`` for contiguous A, without a copy of A."""
    letter = A.dtype.char
    if R.shape[1] == 1:
        out = _GEMV[letter](1.0, A.T, R[:, 0]) if A.flags.c_contiguous else _GEMV[letter](1.0, A, R[:, 0], trans=1)
        return out[:, None]
    return _GEMM[letter](1.0, A.T, R) if A.flags.c_contiguous else _GEMM[letter](1.0, A, R, trans_a=1)


def upper_gram(A, dual=False):
    """The upper triangle of ``A.T @ A``, or with ``dual`` of ``A @ A.T``, in Fortran's order."""
    if A.flags.c_contiguous:
        return _SYRK[A.dtype.char](1.0, A.T, trans=int(dual))
    return _SYRK[A.dtype.char](1.0, A, trans=int(not dual))


def column_sums(X, weights=None):
    """Sums of the columns of X, each row times its weight."""
    n = X.shape[0]
    if sp.issparse(X):
        return np.asarray(X.T @ (np.ones(n, X.dtype) if weights is None else weights))
    if weights is None:
        weights = np.ones(min(n, _ROWS), X.dtype)
        parts = (product_t(X[i : i + _ROWS], weights[: n - i, None]) for i in range(0, n, _ROWS))
    else:
        parts = (product_t(X[i : i + _ROWS], weights[i : i + _ROWS, None]) for i in range(0, n, _ROWS))
    total = np.zeros((X.shape[1], 1))
    for part in parts:
        total += part
    return total[:, 0].astype(X.dtype, copy=False)


def squares_overflow(X):
    """Whether products of entries of X come near the largest number of its type, or are not finite."""
    data = X.data if sp.issparse(X) else np.ravel(X, order="K")
    if data.dtype not in _DOT:
        return False  # integers
    parts = (data[i : i + _FEW] for i in range(0, data.size, _FEW))
    return not sum(_DOT[data.dtype](part, part) for part in parts) < np.finfo(data.dtype).max ** 0.94


def check_squares(*arrays):
    """Refuses values with which sums of squares would overflow."""
    for X in arrays:
        if squares_overflow(X):
            raise ValueError(
                "X or y hold values so large that their squares overflow; scale them, to about "
                f"{'1e140' if X.dtype == np.float64 else '1e17 in float32'} at most"
            )


def check_inputs(estimator, X, y, *, sparse=True, dtype=(np.float64, np.float32), squares=True):
    """X and y as arrays of one real type; sets ``n_features_in_`` and ``feature_names_in_``."""
    return check_and_sum(estimator, X, y, sparse=sparse, dtype=dtype, squares=squares)[:2]


def check_and_sum(estimator, X, y, *, sparse=True, dtype=(np.float64, np.float32), squares=True):
    """What ``check_inputs`` gives back and, where it formed them, the sums of the columns, or None.

    scikit-learn's check costs more than a small fit. Two plain arrays of one real type can only hold NaN, infinity or
    values too large to square, where ``squares`` are formed in that type, and the sum of the squares finds those;
    everything else, and every message, is left to scikit-learn.
    """
    plain = type(X) is np.ndarray and type(y) is np.ndarray and X.ndim == 2 and y.ndim in (1, 2) and len(X) == len(y)
    if plain and X.dtype in dtype and X.dtype == y.dtype and X.size and y.size and (len(X) > 1):
        X = X if X.flags.forc else np.ascontiguousarray(X)
        if not (squares_overflow(X) or squares_overflow(y)):
            sums = column_sums(X)
            estimator.n_features_in_ = X.shape[1]
            estimator.__dict__.pop("feature_names_in_", None)
            return X, y, sums
    accept = ("csr", "csc") if sparse else False
    with np.errstate(over="ignore", invalid="ignore"):
        X, y = validate_data(
            estimator,
            X,
            y,
            accept_sparse=accept,
            dtype=list(dtype),
            multi_output=True,
            y_numeric=True,
            ensure_min_samples=1,
        )
    if not sp.issparse(X) and not X.flags.forc:
        X = np.ascontiguousarray(X)
    y = y.astype(X.dtype, copy=False)
    if squares:
        check_squares(X, y)
    return X, y, None


def check_weights(sample_weight, X):
    """One weight a row, none negative, not all of them zero; None stays None."""
    if sample_weight is None:
        return None
    given = np.asarray(sample_weight)
    if given.size and given.dtype.kind in "biuf" and not given.any():
        raise ValueError("sample_weight must hold a positive weight; every weight given is zero")
    weights = _check_sample_weight(sample_weight, X, dtype=X.dtype)
    if weights.min() < 0:
        raise ValueError(
            f"Negative values in data passed to `sample_weight`: the least is {weights.min()}; "
            "weights are zero or positive"
        )
    return weights


def is_number(value):
    """Whether value is a real number, and not a boolean or NaN."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_)) and value == value


def is_integer(value):
    """Whether value is an integer, and not a boolean."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_flags(estimator, *names):
    """Parameters that are True or False."""
    for name in names:
        value = getattr(estimator, name)
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{name} must be True or False, got {value!r}")


def check_tolerance(tol):
    """A tolerance is zero or positive."""
    if not is_number(tol) or tol < 0:
        raise ValueError(f"tol must be a real number >= 0, got {tol!r}")


def constant_columns(X):
    """Mask of the columns of a dense X that hold one value, or None. A few rows rule out nearly all columns."""
    rows = X[:: max(1, len(X) // 16)]
    mask = (rows == rows[0]).all(axis=0)
    if not mask.any():
        return None
    mask[mask] = (X[:, mask] == X[0, mask]).all(axis=0)
    return mask if mask.any() else None


class System:
    """The matrices A and B of the module's docstring.

    Sparse X is never centred: products carry ``shift`` (m) and ``root`` (the roots of the weights). Dense X stays as it
    is too where the Gram matrix may be corrected instead; ``explicit`` forms A.
    """

    def __init__(self, X, Y, *, fit_intercept, weights=None, keep_rows=False, sums=None):
        if weights is not None and not keep_rows and not weights.all():
            keep = weights > 0  # a row of weight zero is no row
            X, Y, weights = X[keep], Y[keep], weights[keep]
        n, p = self.shape = X.shape
        self.dtype, self.sparse = X.dtype, sp.issparse(X)
        self.shift, self.root, self.constant = None, None, None
        self.X, self.total = X, n if weights is None else float(weights.sum(dtype=np.float64))
        self.centred, self.roots = fit_intercept, None if weights is None else np.sqrt(weights)
        if fit_intercept:
            if weights is not None or sums is None:
                sums = column_sums(X, weights)
            self.x_mean = sums / X.dtype.type(self.total)
            self.y_mean = np.average(Y, axis=0, weights=weights).astype(X.dtype, copy=False)
            self.shift = self.x_mean
            if not self.sparse:
                self.constant = constant_columns(X)
                if self.constant is not None:
                    self.x_mean[self.constant] = X[0, self.constant]  # the mean, without rounding
        else:
            self.x_mean, self.y_mean = np.zeros(p, X.dtype), np.zeros(Y.shape[1], X.dtype)
        self.B = np.empty(Y.shape, X.dtype, order="F")
        np.subtract(Y, self.y_mean, out=self.B)
        if weights is not None:
            self.root = self.roots
            self.B *= self.root[:, None]
            if not self.sparse:
                self.explicit()
        self.transposed = X.T if self.sparse else None

    def explicit(self):
        """Forms A for dense X, and gives it back."""
        if self.shift is not None:
            self.X = self.X - self.shift
            if self.root is not None:
                self.X *= self.root[:, None]
        elif self.root is not None:
            self.X = self.X * self.root[:, None]
        self.shift = self.root = None
        return self.X

    def left_null(self):
        """The unit vector of the left null space that centring makes, to which B is orthogonal; or None."""
        if not self.centred:
            return None
        n = self.shape[0]
        s = np.full(n, n**-0.5) if self.roots is None else self.roots / self.total**0.5
        return s.astype(self.dtype, copy=False)

    def rounded(self):
        """The same with X and m in float32, for ``gram`` of dense X."""
        found = copy.copy(self)
        found.dtype = np.dtype(np.float32)
        found.X = self.X.astype(found.dtype)
        found.shift = None if self.shift is None else self.shift.astype(found.dtype)
        return found

    def dot(self, W):
        """``A @ W``."""
        Z = self.X @ W if self.sparse else product(self.X, W)
        if self.shift is not None:
            Z -= self.shift @ W
        if self.root is not None:
            Z *= self.root[:, None]
        return Z

    def t_dot(self, R):
        """``A.T @ R``."""
        if self.root is not None:
            R = R * self.root[:, None]
        Z = self.transposed @ R if self.sparse else product_t(self.X, R)
        if self.shift is not None:
            Z -= self.shift[:, None] * R.sum(axis=0)
            if self.constant is not None:
                Z[self.constant] = 0.0
        return Z

    @property
    def _cancellation(self):
        # X'X - n m m' loses the digits that m^2 has over the variance; two are affordable, more call for A itself.
        return 50.0 if self.dtype == np.float64 else 8.0

    def gram(self, dual=False):
        """The upper triangle of ``A.T @ A``, or with ``dual`` of ``A @ A.T``."""
        if self.sparse:
            return self._sparse_gram(dual)
        G = upper_gram(self.X, dual)
        m, n = self.shift, self.shape[0]
        if m is None:
            return G
        if dual:
            # (X - 1 m')(X - 1 m')' = X X' - u 1' - 1 u', u = X m - m'm / 2, X m = X X' 1 / n
            u = _SYMV[self.dtype.char](1.0 / n, G, np.ones(n, self.dtype))
            square = u.mean()
            u -= square / 2
            trace = G.trace() - 2.0 * u.sum()
            if n * square > self._cancellation * trace:
                return upper_gram(self.explicit(), dual)
            G -= u[:, None]
            G -= u
            return G
        spread = G.diagonal() - n * m**2
        doubtful = n * m**2 > self._cancellation * spread
        if self.constant is not None:
            doubtful &= ~self.constant
        if doubtful.any():
            return upper_gram(self.explicit(), dual)
        G = _SYR[self.dtype.char](-n, m, a=G, overwrite_a=1)
        if self.constant is not None:
            G[self.constant], G[:, self.constant] = 0.0, 0.0
        return G

    def _sparse_gram(self, dual):
        X = self.X
        if self.root is not None:
            X = sp.diags_array(self.root) @ X
        G = np.asfortranarray((X @ X.T if dual else X.T @ X).toarray())
        if self.shift is not None:
            m, s = self.shift, np.ones(self.shape[0], self.dtype) if self.root is None else self.root
            if dual:
                u = X @ m
                G -= np.outer(u, s) + np.outer(s, u) - (m @ m) * np.outer(s, s)
            else:
                G -= self.dtype.type(self.total) * np.outer(m, m)
        return G


class LinearPredictor(CallbackSupportMixin, BaseEstimator):
    """Predictions of a linear model from ``coef_`` and ``intercept_``."""

    def _decision(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc", "coo"], reset=False)
        return X @ (self.coef_ if self.coef_.ndim == 1 else self.coef_.T) + self.intercept_

    def predict(self, X):
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted values.
        """
        return self._decision(X)

    def _set_line(self, W, system, y, keep_row=False):
        """Sets ``coef_`` and ``intercept_`` from the coefficients W of shape (n_features, n_targets)."""
        self.coef_ = np.ascontiguousarray(W.T)
        self.intercept_ = system.y_mean - (self.coef_ * system.x_mean).sum(axis=1) if self.fit_intercept else 0.0
        if len(self.coef_) == 1 and not (keep_row and y.ndim == 2):
            self.coef_ = self.coef_[0]
        if self.fit_intercept and y.ndim == 1:
            self.intercept_ = self.intercept_[0]


class Given(RegressorMixin, LinearPredictor):
    """An estimator whose predictions are handed to it: what a scorer needs to score them."""

    def predict(self, X):
        return X


class GivenClasses(ClassifierMixin, LinearPredictor):
    """The same for scores of classes."""

    def __init__(self, classes=None):
        self.classes_ = self.classes = classes

    def decision_function(self, X):
        return X

    def predict(self, X):
        return self.classes_[(X > 0).astype(int) if X.ndim == 1 else X.argmax(axis=1)]
