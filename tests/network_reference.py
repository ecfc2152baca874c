"""A multilayer perceptron in NumPy, the interface of ``numopt.network``: what the compiled engine is tested against."""

import numpy as np
from numba import njit
from scipy.special import erf, expit, log_softmax, xlogy

from numopt.kernels import first_order as rules
from numopt.kernels import first_order_slots as o


@njit
def begin_update(rule, h):
    """Callable from Python, which kernels are not."""
    rules.begin_update(rule, h)


@njit
def update(rule, w, g, s, lo, hi, h, decay):
    """The same."""
    rules.update(rule, w, g, s, lo, hi, h, decay)


ACTIVATIONS = ("identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu")
LOSSES = ("log_loss", "binary_log_loss", "squared_error", "huber", "absolute_error", "poisson")
LEAK = 0.01  # slope of leaky_relu for z < 0 (PyTorch's default)
HUBER_DELTA = 1.0


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


def output_and_loss(name, z, Y, delta=HUBER_DELTA):
    """(prediction, loss of each row, derivative of the row's loss by z); Y None: the prediction alone."""
    if name == "log_loss":
        logp = log_softmax(z, axis=1)
        p = np.exp(logp)
        if Y is None:
            return p, None, None
        rows = np.arange(len(z))
        d = p.copy()
        d[rows, Y] -= 1
        return p, -logp[rows, Y], d
    if name == "binary_log_loss":
        p = expit(z)
        return (p, None, None) if Y is None else (p, (np.logaddexp(0, z) - Y * z).sum(1), p - Y)
    if name == "poisson":
        mu = np.exp(z)
        return (mu, None, None) if Y is None else (mu, (xlogy(Y, Y) - Y * z - Y + mu).sum(1), mu - Y)
    if Y is None:
        return z, None, None
    r = z - Y
    if name == "squared_error":
        return z, 0.5 * (r * r).sum(1), r
    if name == "absolute_error":
        return z, np.abs(r).sum(1), np.sign(r)
    small = np.abs(r) <= delta
    return z, np.where(small, 0.5 * r * r, delta * (np.abs(r) - 0.5 * delta)).sum(1), np.clip(r, -delta, delta)


def _mix(x):
    """The last steps of splitmix64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def dropout_mask(seed, update, layer, rows, units, p):
    """0 where a unit is dropped, else 1 / (1 - p): the formula that numopt.network.passes.drop documents."""
    key = _mix(_mix(np.array([seed + 1], np.uint64)) + np.uint64(update + 1)) + np.uint64((layer + 1) << 40)
    bits = _mix(key + np.arange(rows * units, dtype=np.uint64)).reshape(rows, units)
    return ((bits >> np.uint64(11)) * 2.0**-53 >= p) / (1 - p)


class Network:
    """``numopt.network._network.Network`` once more, with its parameters and attributes."""

    def __init__(self, sizes, activations, loss, *, dtype=np.float64, batch_norm=False, sparse=False,
                 huber_delta=HUBER_DELTA, bn_momentum=0.9, bn_epsilon=1e-5, n_threads=None):  # fmt: skip
        self.sizes, self.loss_name, self.dtype = tuple(sizes), loss, np.dtype(dtype)
        depth = len(sizes) - 1
        hidden = [activations] * (depth - 1) if isinstance(activations, str) else list(activations)
        self.activations, self.batch_norm, self.sparse, self.huber_delta = hidden, batch_norm, sparse, huber_delta
        self.bn_momentum, self.bn_epsilon, self.n_threads = bn_momentum, bn_epsilon, n_threads
        total = sum(a * b + b for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        total += sum(sizes[1:-1]) if batch_norm else 0
        self.n_params = total
        self.theta, self.decayed = np.zeros(total, self.dtype), np.zeros(total, bool)
        self.weights, self.intercepts, self.gammas = self.views(self.theta)
        for mark in self.views(self.decayed)[0]:
            mark[...] = True
        for gamma in self.gammas:
            gamma[:] = 1
        widths = sizes[1:-1] if batch_norm else ()
        self.running_mean = [np.zeros(k, self.dtype) for k in widths]
        self.running_var = [np.ones(k, self.dtype) for k in widths]

    def views(self, theta):
        """(weights, intercepts, gammas) within a vector like ``theta``."""
        weights, intercepts, gammas, at = [], [], [], 0
        for i, (a, b) in enumerate(zip(self.sizes[:-1], self.sizes[1:], strict=True)):
            block = theta[at : at + a * b]
            weights.append(block.reshape(a, b) if self.sparse and i == 0 else block.reshape(b, a).T)
            at += a * b
            intercepts.append(theta[at : at + b])
            at += b
            if self.batch_norm and i < len(self.sizes) - 2:
                gammas.append(theta[at : at + b])
                at += b
        return weights, intercepts, gammas

    def _forward(self, X, Y, masks=None, training=False, running=False):
        a, kept = X, []
        for i, (W, b) in enumerate(zip(self.weights, self.intercepts, strict=True)):
            z = a @ W
            if i == len(self.weights) - 1:
                return (*output_and_loss(self.loss_name, z + b, Y, self.huber_delta), kept, a)
            if self.batch_norm:
                mean, var = (z.mean(0), z.var(0)) if training else (self.running_mean[i], self.running_var[i])
                if running:
                    m, k = self.bn_momentum, len(z)
                    self.running_mean[i][:] = m * self.running_mean[i] + (1 - m) * mean
                    self.running_var[i][:] = m * self.running_var[i] + (1 - m) * var * k / max(k - 1, 1)
                scale = 1 / np.sqrt(var + self.bn_epsilon)
                zhat = (z - mean) * scale
                z = self.gammas[i] * zhat + b
            else:
                zhat = scale = None
                z = z + b
            value, slope = activation(self.activations[i], z)
            if masks is not None:
                value, slope = value * masks[i], slope * masks[i]
            kept.append((a, slope, zhat, scale))
            a = value

    def predict(self, X, out=None):
        """The outputs for X, (n, n_out): probabilities, means.  ``X``: rows, of any number."""
        return self._forward(X, None)[0]

    def loss(self, X, Y, weight=None):
        """The mean loss as predictions have it (running statistics, no dropout, no penalty)."""
        return float(np.average(self._forward(X, Y)[1], weights=weight))

    def value_grad(self, X, Y, weight=None, alpha=0.0, alpha_l1=0.0, grad=None, masks=None, running=False):
        """Mean loss at ``theta`` with penalties; ``grad`` (n_params,) is set to its gradient, if given.

        The objective is sum w_i loss_i / S + (alpha / 2 ||W||^2 + alpha_l1 ||W||_1) / S, S = sum w_i (n without).
        Batch normalization takes the statistics of these rows.
        """
        _, losses, d, kept, a = self._forward(X, Y, masks, True, running)
        weight = np.ones(len(losses), self.dtype) if weight is None else weight
        S = weight.sum()
        w = self.theta[self.decayed]
        f = (weight @ losses + 0.5 * alpha * (w @ w) + alpha_l1 * np.abs(w).sum()) / S
        if grad is None:
            return float(f)
        dW, db, dgamma = self.views(grad)
        d = d * (weight / S)[:, None]
        for i in range(len(self.weights) - 1, -1, -1):
            W = self.weights[i]
            dW[i][...] = a.T @ d + (alpha * W + alpha_l1 * np.sign(W)) / S
            if i == len(self.weights) - 1 or not self.batch_norm:
                db[i][:] = d.sum(0)
            if i == 0:
                break
            a, slope, zhat, scale = kept[i - 1]
            d = (d @ W.T) * slope
            if self.batch_norm:
                db[i - 1][:], dgamma[i - 1][:] = d.sum(0), (d * zhat).sum(0)
                d = self.gammas[i - 1] * scale * (d - d.mean(0) - zhat * (d * zhat).mean(0))
        return float(f)

    def hessp(self, X, Y, v, out, weight=None, alpha=0.0):
        """Sets ``out`` to the Hessian of the objective at ``theta`` times v (without batch normalization)."""
        theta, h = self.theta.copy(), 1e-6 / max(float(np.linalg.norm(v)), 1e-300)
        g = np.empty_like(theta)
        self.theta[:] = theta + h * v
        self.value_grad(X, Y, weight, alpha, grad=out)
        self.theta[:] = theta - h * v
        self.value_grad(X, Y, weight, alpha, grad=g)
        self.theta[:] = theta
        out[:] = (out - g) / (2 * h)

    def residual_jacobian(self, X, J=None):
        """The outputs z (n, n_out) before any output function, and in J (n, n_out, n_params), if given, their
        derivatives by the parameters (without batch normalization)."""
        a, kept = X, []
        for i, (W, b) in enumerate(zip(self.weights, self.intercepts, strict=True)):
            z = a @ W + b
            if i < len(self.weights) - 1:
                value, slope = activation(self.activations[i], z)
                kept.append((a, slope))
                a = value
        if J is not None:
            last = a
            for k in range(z.shape[1]):
                a, g = last, np.empty(self.n_params, self.dtype)
                d = np.zeros_like(z)
                d[:, k] = 1
                for r in range(len(z)):
                    dW, db, _ = self.views(g)
                    a, e = last, d
                    for i in range(len(self.weights) - 1, -1, -1):
                        dW[i][...] = np.outer(np.asarray(a[r]), e[r])
                        db[i][:] = e[r]
                        if i:
                            a, slope = kept[i - 1]
                            e = (e @ self.weights[i].T) * slope
                    J[r, k] = g
        return z

    def train(self, X, Y, weight, order, first, last, batch_size, trainer, alpha=0.0, alpha_l1=0.0, dropout=None,
              seed=0):  # fmt: skip
        """Updates of ``theta`` by minibatches, number ``first`` to ``last`` of those of an epoch.

        Batch b holds the rows ``order[b * batch_size : (b + 1) * batch_size]`` (the last of an epoch may be
        shorter).  ``dropout``: probability for each hidden layer that a unit is dropped in a row (inverted dropout:
        the others are divided by 1 - p), drawn from ``seed``, the update's number and the row's place in the batch.

        Returns
        -------
        loss_sum : float
            Sum over the batches of (objective of the batch, before the update, times its rows).
        square_sum : float
            Sum over the batches of the gradient's squared norm (before clipping).
        done : int
            Batches done: fewer than asked for if a batch's objective or gradient is not finite; its update is not made.
        """
        g, total, squares, n = np.empty_like(self.theta), 0.0, 0.0, self.n_params
        for b in range(first, last):
            rows = order[b * batch_size : (b + 1) * batch_size]
            masks = None
            if dropout is not None:
                masks = [
                    dropout_mask(seed, int(trainer.h[o.T]), layer, len(rows), k, p).astype(self.dtype)
                    for layer, (k, p) in enumerate(zip(self.sizes[1:-1], dropout, strict=True))
                ]
            w = None if weight is None else weight[rows]
            f = self.value_grad(X[rows], Y[rows], w, alpha, alpha_l1, g, masks, True)
            square = float(g @ g)
            if not np.isfinite(f + square):
                return total, squares, b - first
            total += f * len(rows)
            squares += square
            np.clip(g, -trainer.clip_value, trainer.clip_value, out=g)
            norm = float(np.sqrt(g @ g))
            if norm > trainer.clip_norm:
                g *= trainer.clip_norm / norm
            begin_update(trainer.rule, trainer.h)
            at = np.flatnonzero(np.diff(np.concatenate(([~self.decayed[0]], self.decayed)))).tolist() + [n]
            for lo, hi in zip(at[:-1], at[1:], strict=True):
                update(trainer.rule, self.theta, g, trainer.s, lo, hi, trainer.h, bool(self.decayed[lo]))
            if trainer.mean is not None:
                k = trainer.h[o.T] - trainer.average_start
                if k >= 1:
                    if trainer.average == 2:
                        share = 1 - trainer.average_decay if k > 1 else 1.0
                    else:
                        share = 1 / k
                    trainer.mean += self.dtype.type(share) * (self.theta - trainer.mean)
        return total, squares, last - first
