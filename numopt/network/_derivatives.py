"""Second derivatives and Jacobians of a network, in NumPy."""

import numpy as np
from scipy.special import erf, expit

from numopt.network.words import LEAK


def activation(name, z):
    """(value, derivative) at z."""
    if name == "identity":
        return z, np.ones_like(z)
    if name == "logistic":
        a = expit(z)
        return a, a * (1 - a)
    if name == "tanh":
        a = np.tanh(z)
        return a, 1 - a * a
    if name == "relu":
        return np.maximum(z, 0), (z > 0).astype(z.dtype)
    if name == "leaky_relu":
        return np.where(z > 0, z, LEAK * z), np.where(z > 0, 1, LEAK).astype(z.dtype)
    if name == "elu":
        e = np.expm1(np.minimum(z, 0))
        return np.where(z > 0, z, e), np.where(z > 0, 1, e + 1).astype(z.dtype)
    if name == "softplus":
        return np.logaddexp(0, z), expit(z)
    if name == "gelu":
        phi = 0.5 * (1 + erf(z / np.sqrt(2)))
        return z * phi, phi + z * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    raise ValueError(name)


def hessp(network, X, Y, v, out, weight=None, alpha=0.0):
    """Sets ``out`` to the Hessian of the objective at ``theta`` times v (without batch normalization)."""
    theta, h = network.theta.copy(), 1e-6 / max(float(np.linalg.norm(v)), 1e-300)
    g = np.empty_like(theta)
    network.theta[:] = theta + h * v
    network.value_grad(X, Y, weight, alpha, grad=out)
    network.theta[:] = theta - h * v
    network.value_grad(X, Y, weight, alpha, grad=g)
    network.theta[:] = theta
    out[:] = (out - g) / (2 * h)


def residual_jacobian(network, X, J=None):
    """The outputs z (n, n_out) before any output function, and in J (n, n_out, n_params), if given, their
    derivatives by the parameters (without batch normalization)."""
    a, kept = X, []
    for i, (W, b) in enumerate(zip(network.weights, network.intercepts, strict=True)):
        z = a @ W + b
        if i < len(network.weights) - 1:
            value, slope = activation(network.activations[i], z)
            kept.append((a, slope))
            a = value
    if J is not None:
        last = a
        for k in range(z.shape[1]):
            a, g = last, np.empty(network.n_params, network.dtype)
            d = np.zeros_like(z)
            d[:, k] = 1
            for r in range(len(z)):
                dW, db, _ = network.views(g)
                a, e = last, d
                for i in range(len(network.weights) - 1, -1, -1):
                    dW[i][...] = np.outer(np.asarray(a[r]), e[r])
                    db[i][:] = e[r]
                    if i:
                        a, slope = kept[i - 1]
                        e = (e @ network.weights[i].T) * slope
                J[r, k] = g
    return z
