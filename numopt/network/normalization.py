r"""Batch normalization of the columns of z over the rows of a minibatch, and the derivative through it:

    zhat = (z - mean) scale,  scale = 1 / sqrt(var + eps),  a = act(gamma zhat + beta)                        (1)
    dbeta = sum d,  dgamma = sum d zhat,  dz = gamma scale (d - dbeta / m - zhat dgamma / m)                  (2)

S. Ioffe, C. Szegedy, Batch normalization, ICML 2015.
"""

import math

from numba import carray

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer
from numopt.network.functions import activate
from numopt.network.passes import drop
from numopt.network.words import (
    A_AT,
    B_AT,
    BN_EPSILON,
    BN_MOMENTUM,
    D_AT,
    DEPTH,
    FAN_OUT,
    GAMMA_AT,
    KIND,
    MODE,
    RUNNING,
    STAT_AT,
    STATISTICS,
    TRAIN,
    ZHAT_AT,
)


@kernel
def _widths(C):
    total = 0
    for layer in range(C.a[DEPTH] - 1):
        total += C.layers[layer, FAN_OUT]
    return total


@kernel
def normalize(C, layer, rows, j0, j1):
    """(1) for the columns j0 to j1; in training their running statistics too."""
    a, L, real = C.a, C.layers[layer], C.theta.dtype.type
    width, half = L[FAN_OUT], _widths(C)
    scales = carray(void_pointer(a[STATISTICS]), (half,), C.theta.dtype)
    running = carray(void_pointer(a[RUNNING]), (2 * half,), C.theta.dtype)
    z, zhat = C.buffer[L[A_AT] : L[A_AT] + rows * width], C.buffer[L[ZHAT_AT] : L[ZHAT_AT] + rows * width]
    for j in range(j0, j1):
        mean = 0.0
        for i in range(rows):
            mean += z[i * width + j]
        mean /= rows
        var = 0.0
        for i in range(rows):
            t = z[i * width + j] - mean
            var += t * t
        var /= rows
        scale = 1.0 / math.sqrt(var + C.r[BN_EPSILON])
        for i in range(rows):
            zhat[i * width + j] = real((z[i * width + j] - mean) * scale)
        scales[L[STAT_AT] + j] = real(scale)
        if a[MODE] == TRAIN:
            keep, at = C.r[BN_MOMENTUM], L[STAT_AT] + j
            running[at] = real(keep * running[at] + (1.0 - keep) * mean)
            unbiased = var * rows / max(rows - 1, 1)
            running[half + at] = real(keep * running[half + at] + (1.0 - keep) * unbiased)
    for i in range(rows):
        for j in range(j0, j1):
            z[i * width + j] = C.theta[L[GAMMA_AT] + j] * zhat[i * width + j] + C.theta[L[B_AT] + j]
        row = slice(i * width + j0, i * width + j1)
        activate(L[KIND], z[row], C.buffer[L[D_AT] : L[D_AT] + rows * width][row])
    drop(C, layer, 0, rows, j0, j1)


@kernel
def normalize_back(C, layer, rows, j0, j1):
    """(2) for the columns j0 to j1."""
    a, L, real = C.a, C.layers[layer], C.theta.dtype.type
    width = L[FAN_OUT]
    scales = carray(void_pointer(a[STATISTICS]), (_widths(C),), C.theta.dtype)
    d, zhat = C.buffer[L[D_AT] : L[D_AT] + rows * width], C.buffer[L[ZHAT_AT] : L[ZHAT_AT] + rows * width]
    for j in range(j0, j1):
        total = moment = 0.0
        for i in range(rows):
            total += d[i * width + j]
            moment += float(d[i * width + j]) * zhat[i * width + j]
        C.g[L[B_AT] + j], C.g[L[GAMMA_AT] + j] = real(total), real(moment)
        factor = float(C.theta[L[GAMMA_AT] + j]) * scales[L[STAT_AT] + j]
        for i in range(rows):
            d[i * width + j] = real(factor * (d[i * width + j] - total / rows - zhat[i * width + j] * (moment / rows)))
