"""Least squares without a penalty, for the penalised estimators at alpha = 0."""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import lsq_linear, nnls
from scipy.sparse.linalg import LinearOperator, lsqr


def solve_unpenalised(X, Y, weights, fit_intercept, positive):
    """(coefficients, intercepts, duality gaps) of least squares, of least norm where that is not unique.

    The gap of least squares is half the square of what of the residual lies in the span of A, X centred and weighted.
    With ``positive`` it is the difference to the dual objective, max b't - |t|^2 / 2 with A't <= 0, at the residual
    less the least c with A'c = max(A'r, 0); where there is none, at t = 0.
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

    def gap(b, w):
        r = b - A @ w
        if not positive:
            return 0.5 * np.sum((A @ solve(r)) ** 2)
        v = np.maximum(A.T @ r, 0.0)
        c = np.linalg.lstsq(A.T, v, rcond=None)[0] if isinstance(A, np.ndarray) else lsqr(A.T, v, 0.0, 1e-14, 1e-14)[0]
        t = r - c
        if (A.T @ t).max(initial=0.0) > 1e-9 * np.abs(A.T @ b).max(initial=0.0):
            t = 0.0 * t
        return max(0.5 * float(r @ r) - float(b @ t) + 0.5 * float(t @ t), 0.0)

    coef = np.array([solve(b) for b in B.T])
    gaps = np.array([gap(b, w) for b, w in zip(B.T, coef, strict=True)])
    return coef, y_mean - coef @ x_mean, gaps


def solve_from_zero(solve, X, y, na, l2, *, start=None, sample_weight=None, fit_intercept=True, **options):
    """What ``solve_path`` or ``solve_group_path`` give, where penalties of zero, the last ones, are solved directly."""
    some = (na > 0) | (l2 > 0)
    shared = {"sample_weight": sample_weight, "fit_intercept": fit_intercept, **options}
    if not some.any():
        start = None
    coefs, intercepts, gaps, passes, goal = solve(X, y, na[some], l2[some], start=start, **shared)
    if some.all():
        return coefs, intercepts, gaps, passes, goal
    Y = y[:, None] if y.ndim == 1 else y
    W, b, gap = solve_unpenalised(X, Y, sample_weight, fit_intercept, options.get("positive", False))
    W, b = (W[0], b[0]) if y.ndim == 1 else (W.T, b)
    for _ in range(np.count_nonzero(~some)):
        coefs, intercepts = np.append(coefs, W[None], axis=0), np.append(intercepts, [b], axis=0)
        gaps, passes = np.append(gaps, gap.sum()), np.append(passes, 1)
    return coefs, intercepts, gaps, passes, goal
