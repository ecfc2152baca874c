"""Losses of linear models on the data sets that scikit-learn brings along.

Features are standardised; the intercept, the last variable (or the last of each class), is not penalised.  The minima
were computed by other means than the solvers here: the normal equations for ridge, Newton's method with a dense
Hessian for the logistic losses.
"""

from functools import lru_cache, partial

import numpy as np
from numba import njit

from numopt.problems._problem import Functions, TestProblem


@njit(cache=True)
def ridge(X, y, penalty, x, g):
    """|Xw + b - y|^2 / 2N + penalty |w|^2 / 2."""
    N, d = X.shape
    g[:] = 0.0
    f = 0.0
    for i in range(N):
        r = x[d] - y[i]
        for j in range(d):
            r += X[i, j] * x[j]
        f += r * r
        for j in range(d):
            g[j] += r * X[i, j]
        g[d] += r
    f /= 2.0 * N
    for j in range(d + 1):
        g[j] /= N
    for j in range(d):
        f += 0.5 * penalty * x[j] ** 2
        g[j] += penalty * x[j]
    return f


@njit(cache=True)
def logistic(X, y, penalty, x, g):
    """mean log(1 + exp(-y (Xw + b))) + penalty |w|^2 / 2, y = +-1."""
    N, d = X.shape
    g[:] = 0.0
    f = 0.0
    for i in range(N):
        z = x[d]
        for j in range(d):
            z += X[i, j] * x[j]
        m = y[i] * z
        e = np.exp(-abs(m))
        f += np.log1p(e) + max(0.0, -m)
        p = -y[i] * (1.0 / (1.0 + e) if m < 0.0 else e / (1.0 + e))
        for j in range(d):
            g[j] += p * X[i, j]
        g[d] += p
    f /= N
    for j in range(d + 1):
        g[j] /= N
    for j in range(d):
        f += 0.5 * penalty * x[j] ** 2
        g[j] += penalty * x[j]
    return f


@njit(cache=True)
def softmax(X, y, penalty, x, g):
    """Mean cross-entropy of the classes plus penalty |W|^2 / 2; x is (classes, d + 1), flat."""
    N, d = X.shape
    classes = x.size // (d + 1)
    W = x.reshape(classes, d + 1)
    G = g.reshape(classes, d + 1)
    weights = np.ascontiguousarray(W[:, :d])
    Z = np.dot(X, weights.T)
    f = 0.0
    for i in range(N):
        top = -np.inf
        for k in range(classes):
            Z[i, k] += W[k, d]
            top = max(top, Z[i, k])
        s = 0.0
        right = Z[i, y[i]] - top
        for k in range(classes):
            Z[i, k] = np.exp(Z[i, k] - top)
            s += Z[i, k]
        f += np.log(s) - right
        for k in range(classes):
            Z[i, k] /= s
        Z[i, y[i]] -= 1.0
    P = np.dot(Z.T, X)
    for k in range(classes):
        t = 0.0
        for i in range(N):
            t += Z[i, k]
        G[k, d] = t / N
        for j in range(d):
            G[k, j] = P[k, j] / N + penalty * weights[k, j]
            f += 0.5 * N * penalty * weights[k, j] ** 2
    return f / N


@lru_cache(maxsize=4)
def load(name):
    """(X standardised, y) of a data set of scikit-learn."""
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X = np.asarray(X, float)
    spread = X.std(axis=0)
    return np.ascontiguousarray((X - X.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)), y


def _bind(loss, name, penalty):
    X, y = load(name)
    if loss is logistic:
        y = np.where(y == 1, 1.0, -1.0)
    elif loss is softmax:
        y = y.astype(np.int64)
    else:
        y = y.astype(float)

    @njit
    def value_grad(x, g):
        return loss(X, y, penalty, x, g)

    def residual_free(x, g):
        return _plain(loss)(X, y, penalty, x, g)

    return {"value_grad": value_grad, "python": residual_free}


def _plain(loss):
    return {ridge: _ridge_numpy, logistic: _logistic_numpy, softmax: _softmax_numpy}[loss]


def _ridge_numpy(X, y, penalty, x, g):
    """The same in NumPy, as one writes it without Numba."""
    r = X @ x[:-1] + x[-1] - y
    g[:-1] = X.T @ r / len(y) + penalty * x[:-1]
    g[-1] = r.mean()
    return float(0.5 * (r @ r) / len(y) + 0.5 * penalty * (x[:-1] @ x[:-1]))


def _logistic_numpy(X, y, penalty, x, g):
    m = y * (X @ x[:-1] + x[-1])
    e = np.exp(-np.abs(m))
    p = -y * np.where(m < 0, 1.0 / (1.0 + e), e / (1.0 + e))
    g[:-1] = X.T @ p / len(y) + penalty * x[:-1]
    g[-1] = p.mean()
    return float((np.log1p(e) + np.maximum(0.0, -m)).mean() + 0.5 * penalty * (x[:-1] @ x[:-1]))


def _softmax_numpy(X, y, penalty, x, g):
    N, d = X.shape
    W = x.reshape(-1, d + 1)
    Z = X @ W[:, :d].T + W[:, d]
    Z -= Z.max(axis=1, keepdims=True)
    right = Z[np.arange(N), y].copy()
    E = np.exp(Z)
    s = E.sum(axis=1)
    P = E / s[:, None]
    P[np.arange(N), y] -= 1.0
    G = g.reshape(-1, d + 1)
    G[:, :d] = P.T @ X / N + penalty * W[:, :d]
    G[:, d] = P.mean(axis=0)
    return float((np.log(s) - right).mean() + 0.5 * penalty * (W[:, :d] ** 2).sum())


# name -> (loss, data set, penalty, n, minimum)
_ROWS = {
    "ridge_diabetes": (ridge, "diabetes", 1e-2, 11, (1444.2047999955334,)),
    "logistic_breast_cancer": (logistic, "breast_cancer", 1e-2, 31, (0.09959137548470538,)),
    "softmax_digits": (softmax, "digits", 1e-2, 650, (0.2683249304955368,)),
}
NAMES = tuple(_ROWS)


def make(name):
    """The problem ``name``; its data are loaded when its functions are asked for."""
    loss, data, penalty, n, minima = _ROWS[name]
    return TestProblem(
        name, n, (0.0,) * n, minima, Functions(partial(_bind, loss, data, penalty)),
        reference=f"{loss.__doc__} on scikit-learn's {data} data, penalty {penalty:g}",
    )  # fmt: skip
