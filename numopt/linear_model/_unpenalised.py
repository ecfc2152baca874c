"""Least squares without a penalty, for the penalised estimators at alpha = 0."""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import lsq_linear, nnls
from scipy.sparse.linalg import LinearOperator, lsqr


def solve_unpenalised(X, Y, weights, fit_intercept, positive):
    """(coefficients, intercepts, duality gaps) of least squares, of least norm where that is not unique.

    The gap of least squares is half the square of what of the residual lies in the span of X; with ``positive`` no
    dual point is at hand, and the gap is NaN.
    """
    n, p = X.shape
    s = np.ones(n) if weights is None else weights.astype(float)
    root = np.sqrt(s)
    x_mean = np.asarray(X.T @ s, float).ravel() / s.sum() if fit_intercept else np.zeros(p)
    y_mean = s @ Y / s.sum() if fit_intercept else np.zeros(Y.shape[1])
    B = root[:, None] * (Y - y_mean)
    if sp.issparse(X):
        A = LinearOperator(
            (n, p),
            matvec=lambda w: root * (X @ w - x_mean @ w),
            rmatvec=lambda v: X.T @ (root * v) - x_mean * (root @ v),
            dtype=float,
        )
    else:
        A = root[:, None] * (X.astype(float) - x_mean)

    def solve(b):
        if positive:
            return nnls(A, b)[0] if isinstance(A, np.ndarray) else lsq_linear(A, b, (0.0, np.inf), tol=1e-12).x
        if isinstance(A, np.ndarray):
            return np.linalg.lstsq(A, b, rcond=None)[0]
        return lsqr(A, b, atol=1e-14, btol=1e-14, iter_lim=20 * (n + p))[0]

    coef = np.array([solve(b) for b in B.T])
    gaps = np.full(len(coef), np.nan)
    if not positive:
        for k, b in enumerate(B.T):
            r = b - A @ coef[k]
            gaps[k] = 0.5 * np.sum((A @ solve(r)) ** 2)
    return coef, y_mean - coef @ x_mean, gaps
