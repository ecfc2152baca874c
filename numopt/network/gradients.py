r"""The gradient by a piece of a layer's weights, and with a layer's first piece that by its biases:

    G_l = D_l' a_{l-1} + (alpha W_l + alpha_l1 sign W_l) / S,    sum_i D_l                                     (1)

with S the total weight, which D holds already.  Of later chunks the sums stand aside first.
"""

from numba import carray, types

from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import void_pointer
from numopt.network.passes import word_at
from numopt.network.products import combine
from numopt.network.words import (
    A_AT,
    ALPHA,
    ALPHA_L1,
    B_AT,
    BUFFER,
    C0,
    C1,
    D_AT,
    DEPTH,
    FAN_IN,
    FAN_OUT,
    G_MORE,
    GAMMA_AT,
    GRADIENT,
    INDICES,
    LAYER,
    MODE,
    N_PARAMS,
    N_PIECE,
    N_PIECES,
    NORMALIZED,
    OFFSETS,
    PIECE_SUMS,
    PIECES,
    SIZE,
    SPARSE,
    STARTS,
    TOTAL,
    U0,
    U1,
    W_AT,
    WIDE,
    G,
    X,
)


@reduction
def _square(g):
    total = 0.0
    for i in range(g.size):
        total += float(g[i]) * float(g[i])
    return total


@reduction
def _size(w):
    total = 0.0
    for i in range(w.size):
        total += abs(float(w[i]))
    return total


@reduction
def _shrink(w, g, a):
    """Adds a w to g; the sums of squares of g and of w."""
    square, penalty = 0.0, 0.0
    for i in range(g.size):
        x = w[i]
        y = g[i] + a * x
        g[i] = y
        square += float(y) * float(y)
        penalty += float(x) * float(x)
    return square, penalty


@kernel
def _shrink_by_sign(w, g, b):
    """Adds b sign(w) to g."""
    none = g.dtype.type(0)
    for i in range(g.size):
        g[i] += b if w[i] > none else -b if w[i] < none else none


@kernel
def _sum_rows(d, b, first):
    """The sums of d's columns, added to b or instead of it; four rows at a time, for one pass over b."""
    zero = b.dtype.type(0)
    if first:
        for u in range(b.size):
            b[u] = zero
    n = b.size
    whole = d.size // (4 * n) * 4 * n
    for k in range(0, whole, 4 * n):
        d0, d1, d2, d3 = d[k : k + n], d[k + n : k + 2 * n], d[k + 2 * n : k + 3 * n], d[k + 3 * n : k + 4 * n]
        for u in range(n):
            b[u] += (d0[u] + d1[u]) + (d2[u] + d3[u])
    for k in range(whole, d.size, n):
        for u in range(n):
            b[u] += d[k + u]


@kernel
def _sparse(C, g, at, piece, rows):
    """D'X of one piece of the first layer, all inputs."""
    a, L = C.a, C.layers[0]
    width, real = L[FAN_OUT], C.theta.dtype
    for c in range(L[FAN_IN]):
        t = g[at + c * width + piece[U0] : at + c * width + piece[U1]]
        for u in range(t.size):
            t[u] = real.type(0)
    for k in range(rows):
        d = C.buffer[L[D_AT] + k * width + piece[U0] : L[D_AT] + k * width + piece[U1]]
        lo, hi = word_at(a[STARTS], a[WIDE], C.rows[k]), word_at(a[STARTS], a[WIDE], C.rows[k] + 1)
        data = carray(void_pointer(a[X]), (hi,), real)
        for e in range(lo, hi):
            x = data[e]
            c = at + word_at(a[INDICES], a[WIDE], e) * width
            t = g[c + piece[U0] : c + piece[U1]]
            for u in range(t.size):
                t[u] += x * d[u]


@kernel
def gradient_piece(C, p, rows, first, last):
    """Sets (1) of one piece, or adds a chunk's part; after the last chunk also the squares and the penalty."""
    a, r = C.a, C.r
    piece = carray(void_pointer(a[PIECES]), (a[N_PIECES], N_PIECE), types.intp)[p]
    layer = piece[LAYER]
    L, size = C.layers[layer], a[SIZE]
    fan_in, fan_out, u0, u1, c0, c1 = L[FAN_IN], L[FAN_OUT], piece[U0], piece[U1], piece[C0], piece[C1]
    sparse = layer == 0 and a[SPARSE] != 0
    lead = c0 == 0 and u0 == 0
    biased = lead and (a[NORMALIZED] == 0 or layer == a[DEPTH] - 1)
    more = carray(void_pointer(a[G_MORE]), (a[N_PARAMS],), C.theta.dtype)
    # the piece's weights: lines of `wide` entries, `step` apart
    if sparse:
        at, lines, wide, step = L[W_AT] + u0, fan_in, u1 - u0, fan_out
    else:
        at, lines, wide, step = L[W_AT] + u0 * fan_in + c0, u1 - u0, c1 - c0, fan_in
    if wide == step:
        lines, wide = 1, lines * wide
    if a[MODE] <= GRADIENT:
        g = C.g if first else more
        if sparse:
            _sparse(C, g, L[W_AT], piece, rows)
        else:
            b = a[X] if layer == 0 else a[BUFFER] + C.layers[layer - 1, A_AT] * size
            combine(C.theta, size, layer == 0, a[BUFFER] + (L[D_AT] + u0) * size, size, fan_out * size,
                    b + c0 * size, a[OFFSETS] if layer == 0 else fan_in * size, rows,
                    (a[G] if first else a[G_MORE]) + (L[W_AT] + u0 * fan_in + c0) * size, fan_in * size, u1 - u0,
                    c1 - c0)  # fmt: skip
        if biased:
            _sum_rows(C.buffer[L[D_AT] : L[D_AT] + rows * fan_out], C.g[L[B_AT] : L[B_AT] + fan_out], first)
    square = penalty = 0.0
    for line in range(lines):
        lo = at + line * step
        w, g = C.theta[lo : lo + wide], C.g[lo : lo + wide]
        if a[MODE] <= GRADIENT and not first:
            part = more[lo : lo + wide]
            for i in range(g.size):
                g[i] += part[i]
        if last:
            if r[ALPHA_L1] != 0.0:
                penalty += r[ALPHA_L1] * _size(w)
                if a[MODE] <= GRADIENT:
                    _shrink_by_sign(w, g, C.theta.dtype.type(r[ALPHA_L1] / r[TOTAL]))
            if a[MODE] <= GRADIENT and r[ALPHA] != 0.0:
                s, t = _shrink(w, g, C.theta.dtype.type(r[ALPHA] / r[TOTAL]))
                square += s
                penalty += 0.5 * r[ALPHA] * t
            elif a[MODE] <= GRADIENT:
                square += _square(g)
            elif r[ALPHA] != 0.0:
                penalty += 0.5 * r[ALPHA] * _square(w)
    if last and a[MODE] <= GRADIENT and lead:
        square += _square(C.g[L[B_AT] : L[B_AT] + fan_out])
        if not biased:
            square += _square(C.g[L[GAMMA_AT] : L[GAMMA_AT] + fan_out])
    sums = carray(void_pointer(a[PIECE_SUMS]), (2 * a[N_PIECES],), types.float64)
    sums[2 * p], sums[2 * p + 1] = square, penalty
