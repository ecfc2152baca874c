"""Activations and losses with their second derivatives, which are 0 at kinks, and R{} of them."""

import math

from numopt.kernels.compiling import kernel
from numopt.network.functions import DENSITY, ROOT_HALF, logistic, softplus
from numopt.network.words import (
    ABSOLUTE_ERROR,
    BINARY_LOG_LOSS,
    ELU,
    GELU,
    LEAK,
    LEAKY_RELU,
    LOGISTIC,
    POISSON,
    RELU,
    SOFTPLUS,
    SQUARED_ERROR,
    TANH,
)


@kernel
def _curve(kind, z):
    """(act, act', act'') at z."""
    if kind == RELU:
        return (z, 1.0, 0.0) if z > 0.0 else (z - z, 0.0, 0.0)
    if kind == LEAKY_RELU:
        return (z, 1.0, 0.0) if z > 0.0 else (LEAK * z, LEAK, 0.0)
    if kind == TANH:
        t = math.tanh(z)
        s = 1.0 - t * t
        return t, s, -2.0 * t * s
    if kind == LOGISTIC:
        t = logistic(z)
        s = t * (1.0 - t)
        return t, s, s * (1.0 - 2.0 * t)
    if kind == ELU:
        if z > 0.0:
            return z, 1.0, 0.0
        e = math.expm1(z)
        return e, e + 1.0, e + 1.0
    if kind == SOFTPLUS:
        t = logistic(z)
        return softplus(z), t, t * (1.0 - t)
    if kind == GELU:
        phi, density = 0.5 * (1.0 + math.erf(ROOT_HALF * z)), DENSITY * math.exp(-0.5 * z * z)
        return z * phi, phi + z * density, density * (2.0 - z * z)
    return z, 1.0, 0.0


@kernel
def activate(kind, z, rz, slope, bend):
    """z and R{z} become a and R{a}; sets act'(z) and act''(z) R{z}."""
    real = z.dtype.type
    for i in range(z.size):
        a, s, c = _curve(kind, float(z[i]))
        bend[i] = real(c * rz[i]) if c != 0.0 else real(0.0)
        z[i], slope[i], rz[i] = real(a), real(s), real(s * rz[i])


@kernel
def log_loss(z, rz, classes, weight, scale, k, d, rd):
    """Sum of weights times cross-entropies; sets the derivatives by z, times ``scale``, and R{} of them."""
    real, f = z.dtype.type, 0.0
    for r in range(classes.size):
        i, top, total, mean = r * k, z[r * k], 0.0, 0.0
        w = float(weight[r]) if weight.size else 1.0
        for j in range(k):
            top = max(top, z[i + j])
        for j in range(k):
            p = math.exp(z[i + j] - top)
            d[i + j] = p
            total += p
            mean += p * rz[i + j]
        mean /= total
        f += w * (math.log(total) + top - z[i + classes[r]])
        for j in range(k):
            p = w * scale * (d[i + j] / total)
            d[i + j], rd[i + j] = real(p), real(p * (rz[i + j] - mean))
        d[i + classes[r]] -= real(w * scale)
    return f


@kernel
def value_loss(loss, z, rz, y, weight, scale, k, delta, d, rd):
    """The same for the losses that are sums over the outputs."""
    real, f = z.dtype.type, 0.0
    for i in range(z.size):
        w = float(weight[i // k]) if weight.size else 1.0
        u, t = float(z[i]), float(y[i])
        slope = u - t
        if loss == SQUARED_ERROR:
            value, second = 0.5 * slope * slope, 1.0
        elif loss == BINARY_LOG_LOSS:
            p = logistic(u)
            value, slope, second = softplus(u) - t * u, p - t, p * (1.0 - p)
        elif loss == POISSON:
            second = math.exp(u)
            value, slope = (t * math.log(t) if t > 0.0 else 0.0) - t * u - t + second, second - t
        elif loss == ABSOLUTE_ERROR:
            value, second = abs(slope), 0.0
            slope = 1.0 if slope > 0.0 else -1.0 if slope < 0.0 else slope
        elif abs(slope) <= delta:
            value, second = 0.5 * slope * slope, 1.0
        else:
            value, second = delta * (abs(slope) - 0.5 * delta), 0.0
            slope = min(max(slope, -delta), delta)
        f += w * value
        d[i], rd[i] = real(w * scale * slope), real(w * scale * second * rz[i])
    return f
