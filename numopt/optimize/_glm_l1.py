"""Generalised linear models with an l1 penalty: proximal Newton, ended by Newton's method on the support.

    F(W) = f(W) + l1 |W|_1,    f of numopt.optimize._glm, the intercepts without penalty                        (1)

Each iteration minimises the quadratic model of f plus the penalty, output by output: a weighted lasso, which coordinate
descent on working sets solves.  Once the support stands still, Newton's method on it, signs fixed, converges
quadratically; a step that would change a sign ends where the first variable becomes zero.  The run ends when the
subgradient of (1) of least size has no component beyond tol, which certifies the solution.

Reference: Lee, Sun & Saunders, Proximal Newton-type methods for minimizing composite functions, SIAM J. Optim. 24
(2014); Yuan, Ho & Lin, An improved GLMNET for l1-regularized logistic regression, JMLR 13 (2012).
"""

import numpy as np

from numopt.optimize._coordinate_descent import solve_path
from numopt.optimize._glm import flat, objective, scores
from numopt.optimize._glm_newton import minimise

EPS = np.finfo(float).eps
LEAST = 1e-5  # curvature of a sample, times its weight: less would make its working response huge


def kkt(W, G, l1, p):
    """Components of the subgradient of least size."""
    residual = np.abs(G)
    inner, slope = W[:p], G[:p]
    residual[:p] = np.where(inner != 0.0, np.abs(slope + l1 * np.sign(inner)), np.maximum(np.abs(slope) - l1, 0.0))
    return residual


def _on_support(f, W, l1, tol):
    """Newton's method over the variables that are not zero; W after it, no value of F above that before."""
    p, K = f.p, f.K
    columns = np.flatnonzero((W[:p] != 0.0).any(axis=1))
    if not len(columns):
        columns = np.array([0])  # stays zero: the intercepts are all there is
    rows = np.append(columns, p) if f.intercept else columns
    X = f.X[:, columns] if hasattr(f.X, "indptr") else np.ascontiguousarray(f.X[:, columns])
    part = objective(X, f.y, f.weights, f.loss, K, f.lam, f.intercept)
    V = W[rows].copy()
    for _ in range(20):
        signs = np.sign(V)
        part.tilt = l1 * signs
        free = signs != 0.0
        if f.intercept:
            part.tilt[-1], free[-1] = 0.0, True
        new, _, gnorm = minimise(part, V, 0.1 * tol, 30, free)
        if not np.isfinite(new).all():
            break
        inner = slice(0, len(columns))
        crossed = (np.sign(new[inner]) != signs[inner]) & free[inner]
        if not crossed.any():
            V = new
            break
        ratio = np.where(crossed, V[inner] / np.where(crossed, V[inner] - new[inner], 1.0), np.inf)
        first = ratio.min()
        V = V + first * (new - V)
        V[inner][ratio <= first] = 0.0
    W = np.zeros_like(W)
    W[rows] = V
    return W


def _model_step(f, X, W, l1, tol):
    """The minimiser of the quadratic model, output by output."""
    p, K = f.p, f.K
    Z, R, C = scores(X, W, p), f.z, flat(f.c)
    weights = 1.0 / f.n if f.weights is None else f.weights
    new = W.copy()
    for k in range(K):
        d = np.maximum(C[:, k], LEAST * weights)
        response = Z[:, k] - R[:, k] / d
        coefs, intercepts, *_ = solve_path(
            X, response, np.array([l1]), np.array([f.lam]), sample_weight=d, fit_intercept=f.intercept, tol=tol,
            max_iter=1000, start=W[:p, k],
        )  # fmt: skip
        new[:p, k] = coefs[0]
        if f.intercept:
            new[p, k] = intercepts[0]
    return new


def minimise_l1(f, X, W, l1, tol, max_iter, watch=None):
    """Minimise (1) from W.

    Parameters
    ----------
    f : numopt.optimize._glm.Objective
    X : array or CSC matrix
        The matrix of f, as coordinate descent reads it.
    W : array (q, K)
    l1, tol : float
    max_iter : int
    watch : function of W, optional
        Called before each iteration; ends the run by a true value.

    Returns
    -------
    W : array (q, K)
    iterations : int
    residual : float
        Largest component of the subgradient of least size.
    """
    W, p = np.array(W, float), f.p

    def total(V):
        value, G, _ = f.evaluate(V)
        return value + l1 * float(np.abs(V[:p]).sum()), G

    value, G = total(W)
    residual = float(kkt(W, G, l1, p).max())
    first, support = max(residual, 1e-300), None
    for iteration in range(max_iter):
        if not residual > tol or (watch is not None and watch(W)):
            return W, iteration, residual
        inner = max(1e-15, 1e-4 * min(1.0, residual / first) ** 2)
        new = _model_step(f, X, W, l1, inner)
        delta = new - W
        slope = float(np.vdot(G, delta)) + l1 * float(np.abs(new[:p]).sum() - np.abs(W[:p]).sum())
        t, slack, before = 1.0, 8.0 * EPS * max(abs(value), 1e-3), residual
        for _ in range(30):
            V = W + t * delta
            trial, H = total(V)
            if trial <= value + 1e-4 * t * min(slope, 0.0) + slack:
                break
            t *= 0.5
        else:
            V, trial, H = W, value, G
        W, value, G = V, trial, H
        residual = float(kkt(W, G, l1, p).max())
        now = W[:p] != 0.0
        if residual > tol and (np.array_equal(now, support) or residual > 0.3 * before):
            V = _on_support(f, W, l1, tol)
            trial, H = total(V)
            if trial <= value + slack:
                W, value, G = V, trial, H
                residual = float(kkt(W, G, l1, p).max())
            else:
                total(W)  # the model is made where W is
        support = W[:p] != 0.0
    return W, max_iter, residual
