r"""The loss of a small network and its gradient as one jitted function, for batches of problems.

    f = (1/m) sum_i loss(z_i, y_i) + alpha / (2 m) ||W||^2

z the outputs of the last layer; see ``network._network`` for the layers and for the order of the parameters.  Samples
are taken a few at a time: ``work`` holds the values of all units, inputs included, sample beside sample, and then the
derivatives of the loss by what goes into them.  ``loss`` allocates nothing, and runs on a GPU too.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numba.extending import overload

from numopt.losses import elementary
from numopt.network import functions

ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
IDENTITY, LOGISTIC, TANH, RELU = range(4)
LOSSES = ("squared_error", "binary_log_loss", "log_loss")
SQUARED_ERROR, BINARY_LOG_LOSS, LOG_LOSS = range(3)
BLOCK = 16  # samples at a time on a CPU: two to four vector registers for each unit

jitted = njit(error_model="numpy", nogil=True)
summing = njit(error_model="numpy", nogil=True, fastmath={"reassoc", "contract", "nsz"})
_tanh_vector, _exp_vector, _log1p_vector = functions.tanh, elementary.exp, elementary.log1p


def _tanh(z):
    return math.tanh(z)


def _exp(z):
    return math.exp(max(z, -708.0))


def _log1p(e):
    return math.log1p(e)


# compiled, they are vector instructions; the plain ones are for where nothing is compiled
_INLINE: Any = {"forceinline": True, "error_model": "numpy"}


@overload(_tanh, target="generic", jit_options=_INLINE)
def _compiled_tanh(z):
    return lambda z: _tanh_vector(z)


@overload(_exp, target="generic", jit_options=_INLINE)
def _compiled_exp(z):
    return lambda z: _exp_vector(z)


@overload(_log1p, target="generic", jit_options=_INLINE)
def _compiled_log1p(e):
    return lambda e: _log1p_vector(e)


@jitted
def _activate(kind, a):
    """a becomes act(a); NaN stays NaN."""
    if kind == TANH:
        for i in range(a.size):
            z = a[i]
            t = _tanh(z)
            a[i] = t if z == z else z
    elif kind == RELU:
        for i in range(a.size):
            z = a[i]
            a[i] = 0.0 if z < 0.0 else z
    elif kind == LOGISTIC:
        for i in range(a.size):
            z = a[i]
            e = _exp(-abs(z))
            t = (1.0 if z >= 0.0 else e) / (1.0 + e)
            a[i] = t if z == z else z


@jitted
def _times_slope(kind, a, d):
    """d is multiplied by the activation's derivative where its value is a."""
    if kind == TANH:
        for i in range(a.size):
            d[i] *= 1.0 - a[i] * a[i]
    elif kind == RELU:
        for i in range(a.size):
            d[i] = d[i] if a[i] > 0.0 else 0.0
    elif kind == LOGISTIC:
        for i in range(a.size):
            d[i] *= a[i] * (1.0 - a[i])


@jitted
def _softmax_loss(Y, i0, count, k, z, d, stride):
    """The losses of a block; z and d hold outputs and derivatives, unit u of sample i in u stride + i."""
    total = 0.0
    for i in range(count):
        top, s = z[i], 0.0
        for u in range(1, k):
            top = max(top, z[u * stride + i])
        for u in range(k):
            e = _exp(z[u * stride + i] - top)
            d[u * stride + i] = e
            s += e
        label = int(Y[i0 + i, 0])
        for u in range(k):
            d[u * stride + i] /= s
        d[label * stride + i] -= 1.0
        total += math.log(s) + top - z[label * stride + i]
    return total


@jitted
def _loss(kind, Y, i0, count, k, z, d, stride):
    """The same for any loss."""
    if kind == LOG_LOSS:
        return _softmax_loss(Y, i0, count, k, z, d, stride)
    total = 0.0
    for u in range(k):
        for i in range(count):
            s, y = z[u * stride + i], Y[i0 + i, u]
            if kind == BINARY_LOG_LOSS:
                e = _exp(-abs(s))
                total += max(s, 0.0) + _log1p(e) - y * s
                d[u * stride + i] = (1.0 if s >= 0.0 else e) / (1.0 + e) - y
            else:
                total += 0.5 * (s - y) * (s - y)
                d[u * stride + i] = s - y
    return total


@jitted
def _forward(x, sizes, activation, work, stride, count):
    """The values of all units, from those of the inputs."""
    at, first = 0, 0  # of the layer's parameters, of the units that it reads
    for l in range(sizes.size - 1):
        fan_in, fan_out = sizes[l], sizes[l + 1]
        out = first + fan_in
        for u in range(fan_out):
            z = work[(out + u) * stride : (out + u) * stride + count]
            bias, row = x[at + fan_in * fan_out + u], at + u * fan_in
            for i in range(z.size):
                z[i] = bias
            for c in range(fan_in):
                a, weight = work[(first + c) * stride : (first + c) * stride + count], x[row + c]
                for i in range(z.size):
                    z[i] += weight * a[i]
            if l + 2 < sizes.size:
                _activate(activation, z)
        at, first = at + (fan_in + 1) * fan_out, out


@summing
def _backward(x, g, sizes, activation, work, stride, count, units, first, at):
    """Adds to g what the derivatives of the outputs come to; ``first`` and ``at``: of the outputs, of what follows."""
    for l in range(sizes.size - 2, -1, -1):
        fan_in, fan_out = sizes[l], sizes[l + 1]
        at -= (fan_in + 1) * fan_out
        before = first - fan_in
        for c in range(fan_in if l > 0 else 0):
            to = (units + before + c) * stride
            d = work[to : to + count]
            for i in range(d.size):
                d[i] = 0.0
        for u in range(fan_out):
            e = work[(units + first + u) * stride : (units + first + u) * stride + count]
            row, s = at + u * fan_in, 0.0
            for i in range(e.size):
                s += e[i]
            g[at + fan_in * fan_out + u] += s
            for c in range(fan_in):
                a, s = work[(before + c) * stride : (before + c) * stride + count], 0.0
                for i in range(e.size):
                    s += e[i] * a[i]
                g[row + c] += s
                if l > 0:
                    to, weight = (units + before + c) * stride, x[row + c]
                    d = work[to : to + count]
                    for i in range(e.size):
                        d[i] += weight * e[i]
        for c in range(fan_in if l > 0 else 0):
            to = (before + c) * stride
            _times_slope(activation, work[to : to + count], work[to + units * stride : to + units * stride + count])
        first = before


@jitted
def loss(x, g, X, Y, sizes, activation, kind, alpha, work):
    """f; sets g.  ``work``: for as many samples as are taken at a time, twice as many numbers as there are units."""
    m, units, k = X.shape[0], 0, sizes[sizes.size - 1]
    for l in range(sizes.size):
        units += sizes[l]
    stride, first = work.size // (2 * units), units - k
    for j in range(x.size):
        g[j] = 0.0
    total = 0.0
    for i0 in range(0, m, stride):
        count = min(stride, m - i0)
        for c in range(sizes[0]):
            for i in range(count):
                work[c * stride + i] = X[i0 + i, c]
        _forward(x, sizes, activation, work, stride, count)
        z, d = work[first * stride : units * stride], work[(units + first) * stride : 2 * units * stride]
        total += _loss(kind, Y, i0, count, k, z, d, stride)
        _backward(x, g, sizes, activation, work, stride, count, units, first, x.size)
    for j in range(x.size):
        g[j] /= m
    square, at = 0.0, 0
    for l in range(sizes.size - 1):
        for j in range(at, at + sizes[l] * sizes[l + 1]):
            square += x[j] * x[j]
            g[j] += alpha / m * x[j]
        at += (sizes[l] + 1) * sizes[l + 1]
    return (total + 0.5 * alpha * square) / m


@jitted
def loss_on_threads(x, g, X, Y, sizes, activation, kind, alpha):
    """The same with room of its own, for a block of samples: threads can't share it."""
    units = 0
    for l in range(sizes.size):
        units += sizes[l]
    return loss(x, g, X, Y, sizes, activation, kind, alpha, np.empty(2 * units * BLOCK))
