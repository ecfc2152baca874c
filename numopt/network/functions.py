"""Activations and losses of blocks of rows, in loops that LLVM turns into vector instructions.

A float32 network computes these in float64 and rounds once: they are a small part of the work.  What is not a number
stays so, through every activation, and makes the loss one too: training stops there.
"""

import math

from numopt.kernels.compiling import kernel
from numopt.losses.elementary import erf, exact, exp, expm1, log1p
from numopt.network.words import (
    ABSOLUTE_ERROR,
    BINARY_LOG_LOSS,
    ELU,
    GELU,
    LEAK,
    LEAKY_RELU,
    LOG_LOSS,
    LOGISTIC,
    POISSON,
    RELU,
    SOFTPLUS,
    SQUARED_ERROR,
    TANH,
)

ROOT_HALF, DENSITY = math.sqrt(0.5), 1.0 / math.sqrt(2.0 * math.pi)


@exact
def logistic(z):
    """1 / (1 + exp(-z)), accurate in both tails."""
    e = exp(-abs(z))
    return (1.0 if z >= 0.0 else e) / (1.0 + e)


@exact
def tanh(z):
    e = expm1(2.0 * min(abs(z), 20.0))
    t = e / (e + 2.0)
    return -t if z < 0.0 else t


@exact
def softplus(z):
    """log(1 + exp(z))."""
    return (z if z > 0.0 else 0.0) + log1p(exp(-abs(z)))


@kernel
def activate(kind, a, slope):
    """a becomes act(a); sets the derivatives there."""
    real = a.dtype.type
    if kind == RELU:
        for i in range(a.size):
            z = a[i]
            a[i] = real(0.0) if z < 0.0 else z
            slope[i] = real(1.0) if z > 0.0 else real(0.0)
    elif kind == LEAKY_RELU:
        for i in range(a.size):
            z = a[i]
            a[i] = z if z > 0.0 else real(LEAK) * z
            slope[i] = real(1.0) if z > 0.0 else real(LEAK)
    elif kind == TANH:
        for i in range(a.size):
            z = float(a[i])
            t = tanh(z)
            a[i] = real(t if z == z else z)
            slope[i] = real(1.0 - t * t)
    elif kind == LOGISTIC:
        for i in range(a.size):
            z = float(a[i])
            t = logistic(z)
            a[i] = real(t if z == z else z)
            slope[i] = real(t * (1.0 - t))
    elif kind == ELU:
        for i in range(a.size):
            z = float(a[i])
            e = expm1(z if z < 0.0 else 0.0)
            a[i] = real(e if z < 0.0 else z)
            slope[i] = real(e + 1.0)
    elif kind == SOFTPLUS:
        for i in range(a.size):
            z = float(a[i])
            t = softplus(z)
            a[i] = real(t if z == z else z)
            slope[i] = real(logistic(z))
    elif kind == GELU:
        for i in range(a.size):
            z = float(a[i])
            phi = 0.5 * (1.0 + erf(ROOT_HALF * z))
            a[i] = real(z * phi)
            z = min(max(z, -40.0), 40.0)  # beyond, nothing is left of exp, which is held above 0
            slope[i] = real(phi + z * (DENSITY * exp(-0.5 * z * z)))
    else:
        for i in range(a.size):
            slope[i] = real(1.0)


@kernel
def predictions(loss, z, k):
    """The scores z, rows of k, become predictions."""
    real = z.dtype.type
    if loss == LOG_LOSS:
        _softmax(z, k)
    elif loss == BINARY_LOG_LOSS:
        for i in range(z.size):
            u = float(z[i])
            z[i] = real(logistic(u) if u == u else u)
    elif loss == POISSON:
        for i in range(z.size):
            z[i] = real(_exp(float(z[i])))


@exact
def _exp(z):
    """exp that overflows and lets pass what is not a number."""
    e = exp(z)
    return e if abs(z) <= 708.0 else (z + z if z > 0.0 or z != z else 0.0) * 1e308


@kernel
def _lower(z, k):
    """Takes the largest entry of each row of k from the row, so that exp does not overflow.

    Rows that hold what is not finite become NaN.
    """
    for i in range(0, z.size, k):
        top, bad = z[i], z.dtype.type(0.0)
        for j in range(k):
            top = max(top, z[i + j])
            bad += z[i + j] - z[i + j]
        for j in range(k):
            z[i + j] -= top - bad


@kernel
def _softmax(z, k):
    """Rows of k become probabilities; rows that hold what is not finite become NaN."""
    real = z.dtype.type
    _lower(z, k)
    for i in range(z.size):
        u = float(z[i])
        e = exp(u)
        z[i] = real(e if u == u else u)
    for i in range(0, z.size, k):
        total = 0.0
        for j in range(k):
            total += z[i + j]
        share = 1.0 / total
        for j in range(k):
            z[i + j] = real(z[i + j] * share)


@kernel
def class_loss(z, d, classes, rows, weight, scale, k):
    """Sum of weights times the cross-entropies of softmax; sets d to the derivatives by z, times ``scale``.

    ``classes[rows[i]]`` is the class of row i, ``weight`` empty or ``weight[rows[i]]`` its weight.  z is overwritten.
    """
    real, f = z.dtype.type, 0.0
    _lower(z, k)
    for i in range(z.size):
        u = float(z[i])
        e = exp(u)
        d[i] = real(e if u == u else u)
    for r in range(rows.size):
        i, row = r * k, rows[r]
        total = 0.0
        for j in range(k):
            total += d[i + j]
        w = float(weight[row]) if weight.size else 1.0
        y = classes[row]
        f += w * (math.log(total) - z[i + y])
        share = w * scale / total
        for j in range(k):
            d[i + j] = real(d[i + j] * share)
        d[i + y] -= real(w * scale)
    return f


@kernel
def value_loss(loss, z, d, y, rows, weight, scale, k, delta):
    """The same for the losses that are sums over the outputs; y is (n, k)."""
    real, f = z.dtype.type, 0.0
    for r in range(rows.size):
        row, part = rows[r], 0.0
        w = float(weight[row]) if weight.size else 1.0
        for j in range(k):
            u, t = float(z[r * k + j]), float(y[row * k + j])
            if loss == SQUARED_ERROR:
                slope = u - t
                part += 0.5 * slope * slope
            elif loss == BINARY_LOG_LOSS:
                part += softplus(u) - t * u
                slope = logistic(u) - t + (u - u)
            elif loss == POISSON:
                mean = _exp(u)
                slope = mean - t
                part += (t * math.log(t) if t > 0.0 else 0.0) - t * u - t + mean
            elif loss == ABSOLUTE_ERROR:
                slope = u - t
                part += abs(slope)
                slope = 1.0 if slope > 0.0 else -1.0 if slope < 0.0 else slope
            else:  # HUBER
                slope = u - t
                if abs(slope) <= delta:
                    part += 0.5 * slope * slope
                else:
                    part += delta * (abs(slope) - 0.5 * delta)
                    slope = min(max(slope, -delta), delta)
            d[r * k + j] = real(w * scale * slope)
        f += w * part
    return f
