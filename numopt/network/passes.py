r"""A block of rows through all layers, forward and backward.

    z_l = a_{l-1} W_l' + b_l,  a_l = act(z_l)                                                                 (1)
    D_L = dloss/dz_L,  D_{l-1} = (D_l W_l) act'(z_{l-1})                                                      (2)

The buffer holds, of each layer, the rows a_l (A_AT) and act'(z_l), which become D_l (D_AT).  Rows of X are read where
they stand, by index.
"""

import numpy as np
from numba import carray, types

from numopt.kernels import first_order_slots as o
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer
from numopt.network.functions import activate, class_loss, predictions, value_loss
from numopt.network.products import ROWS, UNITS, VECTOR, combine, dots_rows, dots_short
from numopt.network.words import (
    A_AT,
    B_AT,
    BATCH,
    BLOCK,
    BLOCK_LOSSES,
    BN_EPSILON,
    BUFFER,
    D_AT,
    DEPTH,
    DROPOUT,
    FAN_IN,
    FAN_OUT,
    GAMMA_AT,
    HUBER_DELTA,
    INDICES,
    KIND,
    LOG_LOSS,
    LOSS,
    LOSS_NUMBER,
    MODE,
    N_IN,
    N_ORDER,
    N_OUT,
    NORMALIZED,
    OFFSETS,
    ORDER,
    OUT,
    RATES,
    ROOM,
    ROW,
    RUNNING,
    SEED,
    SIZE,
    SPARSE,
    STARTS,
    STAT_AT,
    TEMPORARY_AT,
    THETA,
    TOTAL,
    TRAIN,
    UPDATE,
    W_AT,
    WEIGHT,
    WIDE,
    WIDEST,
    ZEROS,
    H,
    N,
    X,
    Y,
)

CACHED = 1 << 17  # bytes of weights that are read again for each pair of rows


@kernel
def prepare(C, lo, i, j):
    """Which rows stand at places i to j of the chunk that begins at lo, and where they lie in X."""
    a = C.a
    offsets = carray(void_pointer(a[OFFSETS]), (a[ROOM],), types.intp)
    order = carray(void_pointer(a[ORDER]), (a[N_ORDER],), types.intp)
    for k in range(i, j):
        row = order[lo + k] if a[ORDER] != 0 else lo + k
        C.rows[k] = row
        offsets[k] = row * a[N_IN] * a[SIZE]


@kernel
def _row(x, offsets, layer, ld, k):
    """Where row k of a layer's inputs stands."""
    return x + (offsets[k] if layer == 0 else k * ld)


@kernel
def _product(C, layer, i, j, x, offsets, bias):
    """(1) without act, dense."""
    a, L, size = C.a, C.layers[layer], C.a[SIZE]
    fan_in, fan_out = L[FAN_IN], L[FAN_OUT]
    w, ldw = a[THETA] + L[W_AT] * size, fan_in * size
    c, ldc = a[BUFFER] + L[A_AT] * size, fan_out * size
    if ldw < VECTOR:
        for k in range(i, j):
            dots_short(C.theta, _row(x, offsets, layer, ldw, k), w, ldw, fan_in, bias, c + k * ldc, fan_out)
        return
    many = j - i >= ROWS
    rows = ROWS if many else 1
    step = fan_out if fan_in * fan_out * size <= CACHED else UNITS
    for first in range(0, fan_out, step):
        u = max(min(first, fan_out - step), 0)
        units = min(step, fan_out)
        for k in range(i, j, rows):
            k = min(k, j - rows)
            x0 = _row(x, offsets, layer, ldw, k)
            x1 = _row(x, offsets, layer, ldw, min(k + 1, j - 1))
            x2 = _row(x, offsets, layer, ldw, min(k + 2, j - 1))
            x3 = _row(x, offsets, layer, ldw, min(k + 3, j - 1))
            y0 = _row(x, offsets, layer, ldw, min(k + rows, j - 1))
            y1 = _row(x, offsets, layer, ldw, min(k + rows + 1, j - 1))
            y2 = _row(x, offsets, layer, ldw, min(k + rows + 2, j - 1))
            y3 = _row(x, offsets, layer, ldw, min(k + rows + 3, j - 1))
            dots_rows(C.theta.dtype.type(0), size, x0, x1, x2, x3, y0, y1, y2, y3, many, w + u * ldw, ldw, fan_in,
                      bias + u * size, c + k * ldc + u * size, ldc, units)  # fmt: skip


@kernel
def word_at(address, wide, k):
    """Entry k of the indices of a sparse matrix."""
    if wide:
        return carray(void_pointer(address), (k + 1,), types.int64)[k]
    return types.int64(carray(void_pointer(address), (k + 1,), types.int32)[k])


@kernel
def _sparse_product(C, i, j, bias):
    """(1) without act, of the first layer, X compressed rows."""
    a, L = C.a, C.layers[0]
    fan_out, real = L[FAN_OUT], C.theta.dtype
    start = carray(void_pointer(bias), (fan_out,), real)
    for k in range(i, j):
        at = L[A_AT] + k * fan_out
        z = C.buffer[at : at + fan_out]
        for u in range(fan_out):
            z[u] = start[u]
        lo, hi = word_at(a[STARTS], a[WIDE], C.rows[k]), word_at(a[STARTS], a[WIDE], C.rows[k] + 1)
        data = carray(void_pointer(a[X]), (hi,), real)
        for e in range(lo, hi):
            x = data[e]
            at = L[W_AT] + word_at(a[INDICES], a[WIDE], e) * fan_out
            w = C.theta[at : at + fan_out]
            for u in range(fan_out):
                z[u] += x * w[u]


@kernel
def mix(x):
    """The last steps of splitmix64: 64 bits that depend on all bits of x."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def drop(C, layer, i, j, u0, u1):
    """Dropout of units u0 to u1 in rows i to j.

    Unit u of a layer of k units is dropped from the row at place r of update t (the first is 0) if
    mix(mix(mix(seed + 1) + t + 1) + (layer + 1) 2^40 + r k + u) / 2^64 < p, of which the highest 53 bits count.
    """
    a, L = C.a, C.layers[layer]
    rate = C.r[RATES + layer]
    if a[MODE] != TRAIN or a[DROPOUT] == 0 or rate == 0.0:
        return
    real, width = C.theta.dtype.type, L[FAN_OUT]
    t = np.uint64(carray(void_pointer(a[H]), (o.N_H,), types.float64)[o.T])
    key = mix(mix(np.uint64(a[SEED]) + np.uint64(1)) + t + np.uint64(1))
    key += np.uint64(layer + 1) << np.uint64(40)
    keep = real(1.0 / (1.0 - rate)) if rate < 1.0 else real(0.0)
    place = a[ROW] - a[UPDATE] * a[BATCH]
    for k in range(i, j):
        for u in range(u0, u1):
            bits = mix(key + np.uint64((place + k) * width + u))
            factor = keep if types.float64(types.int64(bits >> np.uint64(11))) * 2.0**-53 >= rate else real(0.0)
            C.buffer[L[A_AT] + k * width + u] *= factor
            C.buffer[L[D_AT] + k * width + u] *= factor


@kernel
def forward_layer(C, layer, i, j):
    """(1); with batch normalization in training, z alone."""
    a, L, size = C.a, C.layers[layer], C.a[SIZE]
    top = layer == a[DEPTH] - 1
    normalized = a[NORMALIZED] != 0 and not top
    width = L[FAN_OUT]
    bias = a[ZEROS] if normalized else a[THETA] + L[B_AT] * size
    if layer == 0 and a[SPARSE]:
        _sparse_product(C, i, j, bias)
    else:
        x = a[X] if layer == 0 else a[BUFFER] + C.layers[layer - 1, A_AT] * size
        _product(C, layer, i, j, x, carray(void_pointer(a[OFFSETS]), (a[ROOM],), types.intp), bias)
    if top or (normalized and a[MODE] < LOSS):
        return
    z = C.buffer[L[A_AT] + i * width : L[A_AT] + j * width]
    if normalized:
        half = 0
        for k in range(a[DEPTH] - 1):
            half += C.layers[k, FAN_OUT]
        running = carray(void_pointer(a[RUNNING]), (2 * half,), C.theta.dtype)
        for k in range(j - i):
            for u in range(width):
                mean, var = running[L[STAT_AT] + u], running[half + L[STAT_AT] + u]
                scale = C.theta[L[GAMMA_AT] + u] / np.sqrt(var + C.theta.dtype.type(C.r[BN_EPSILON]))
                z[k * width + u] = (z[k * width + u] - mean) * scale + C.theta[L[B_AT] + u]
    activate(L[KIND], z, C.buffer[L[D_AT] + i * width : L[D_AT] + j * width])
    drop(C, layer, i, j, 0, width)


@kernel
def losses(C, i, j):
    """The losses of a block; sets D of the last layer.  i is the block's first row."""
    a, L, k = C.a, C.layers[C.a[DEPTH] - 1], C.a[N_OUT]
    z = C.buffer[L[A_AT] + i * k : L[A_AT] + j * k]
    d = C.buffer[L[D_AT] + i * k : L[D_AT] + j * k]
    scale = 1.0 / C.r[TOTAL]
    weight = carray(void_pointer(a[WEIGHT]), (a[N] if a[WEIGHT] != 0 else 0,), C.theta.dtype)
    if a[LOSS_NUMBER] == LOG_LOSS:
        classes = carray(void_pointer(a[Y]), (1 << 60,), types.int64)
        f = class_loss(z, d, classes, C.rows[i:j], weight, scale, k)
    else:
        y = carray(void_pointer(a[Y]), (1 << 60,), C.theta.dtype)
        f = value_loss(a[LOSS_NUMBER], z, d, y, C.rows[i:j], weight, scale, k, C.r[HUBER_DELTA])
    carray(void_pointer(a[BLOCK_LOSSES]), (i // BLOCK + 1,), types.float64)[i // BLOCK] = f


@kernel
def backward_layer(C, layer, i, j):
    """(2): D of the layer before."""
    a, L, size = C.a, C.layers[layer], C.a[SIZE]
    before = C.layers[layer - 1]
    fan_in, fan_out = L[FAN_IN], L[FAN_OUT]
    at = a[TEMPORARY_AT] + i * a[WIDEST]  # blocks of rows are at different layers at the same time
    combine(C.theta, size, layer == 0, a[BUFFER] + (L[D_AT] + i * fan_out) * size, fan_out * size, size,
            a[THETA] + L[W_AT] * size, fan_in * size, fan_out, a[BUFFER] + at * size, fan_in * size, j - i,
            fan_in)  # fmt: skip
    d = C.buffer[before[D_AT] + i * fan_in : before[D_AT] + j * fan_in]
    t = C.buffer[at : at + (j - i) * fan_in]
    for e in range(t.size):
        d[e] *= t[e]


@kernel
def write_predictions(C, lo, i, j):
    """Copies what is predicted for a block to its rows of the output."""
    a, L, k = C.a, C.layers[C.a[DEPTH] - 1], C.a[N_OUT]
    z = C.buffer[L[A_AT] + i * k : L[A_AT] + j * k]
    predictions(a[LOSS_NUMBER], z, k)
    out = carray(void_pointer(a[OUT]), (a[N] * k,), C.theta.dtype)[(lo + i) * k : (lo + j) * k]
    for e in range(z.size):
        out[e] = z[e]
