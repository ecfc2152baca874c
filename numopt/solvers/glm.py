r"""Passes over the samples of a generalised linear model.

With the scores Z = X W + 1 b' of n samples and K outputs, weights s and a loss l,

    f = \sum_i s_i l(y_i, z_i),    gradient X'R,  R_ik = s_i dl/dz_ik,    Hessian times V: X'T,  U = X V + 1 v',

    T = C * U                                         one output: C_i = s_i l''                                (1)
    T_i = c_i * (u_i - c_i'u_i / \sum_k c_ik)         multinomial: c_i = s_i p_i                               (2)

``pointwise`` turns Z into R and sets C, or U into T: the products with dense X are BLAS's.  The sparse passes go over
compressed rows, each of which is read once: it is still in the cache when X'R is summed.  W, V and the sums have a row
of K numbers a feature, and the intercepts last.
"""

from numba import carray, types

from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import void_pointer
from numopt.losses import huber, logistic, multinomial, poisson
from numopt.solvers.glm_slots import (
    DIAGONAL,
    GRADIENT,
    HUBER,
    LOGISTIC,
    MULTINOMIAL,
    N_OUT,
    N_WORDS,
    O_EPSILON,
    O_SCALE,
    O_SIGMA,
    POISSON,
    PRODUCT,
    T_C,
    T_DATA,
    T_G,
    T_HI,
    T_INDICES,
    T_K,
    T_LO,
    T_LOSS,
    T_MODE,
    T_N,
    T_NNZ,
    T_OUT,
    T_P,
    T_S,
    T_STARTS,
    T_W,
    T_WEIGHTED,
    T_Y,
    T_Z,
)


@reduction
def _logistic(y, s, scale, z, c):
    total = 0.0
    if s.size:
        for i in range(z.size):
            value, slope, curvature = logistic.terms(y[i], z[i])
            total += s[i] * value
            z[i] = s[i] * slope
            c[i] = s[i] * curvature
        return total
    for i in range(z.size):
        value, slope, curvature = logistic.terms(y[i], z[i])
        total += value
        z[i] = scale * slope
        c[i] = scale * curvature
    return scale * total


@reduction
def _poisson(y, s, scale, z, c):
    total = 0.0
    for i in range(z.size):
        value, slope, curvature = poisson.terms(y[i], z[i])
        weight = s[i] if s.size else scale
        total += weight * value
        z[i] = weight * slope
        c[i] = weight * curvature
    return total


@reduction
def _huber(y, s, scale, z, c, out):
    total = 0.0
    for i in range(z.size):
        value, slope, curvature = huber.terms(y[i], z[i], out[O_SIGMA], out[O_EPSILON])
        weight = s[i] if s.size else scale
        total += weight * value
        z[i] = weight * slope
        c[i] = weight * curvature
    return total


@kernel
def _multinomial(y, s, scale, zs, cs, K):
    total = 0.0
    for i in range(y.size):
        row = slice(i * K, (i + 1) * K)
        total += multinomial.terms(int(y[i]), zs[row], s[i] if s.size else scale, cs[row])
    return total


@kernel
def losses(loss, y, s, zs, cs, K, out):
    """Sum of the losses; zs, n rows of K, becomes R, and sets cs, as long."""
    if loss == MULTINOMIAL:
        return _multinomial(y, s, out[O_SCALE], zs, cs, K)
    if loss == LOGISTIC:
        return _logistic(y, s, out[O_SCALE], zs, cs)
    if loss == POISSON:
        return _poisson(y, s, out[O_SCALE], zs, cs)
    if loss == HUBER:
        return _huber(y, s, out[O_SCALE], zs, cs, out)
    return 0.0


@kernel
def _samples(a):
    """y, s, Z, C, the same two as vectors, and the scalars of samples lo..hi."""
    lo, hi, K, real = a[T_LO], a[T_HI], a[T_K], types.float64
    n = hi - lo
    y = carray(void_pointer(a[T_Y] + 8 * lo), (n,), real)
    s = carray(void_pointer(a[T_S] + 8 * lo), (n if a[T_WEIGHTED] != 0 else 0,), real)
    z = carray(void_pointer(a[T_Z] + 8 * lo * K), (n, K), real)
    c = carray(void_pointer(a[T_C] + 8 * lo * K), (n, K), real)
    zs = carray(void_pointer(a[T_Z] + 8 * lo * K), (n * K,), real)
    cs = carray(void_pointer(a[T_C] + 8 * lo * K), (n * K,), real)
    return y, s, z, c, zs, cs, carray(void_pointer(a[T_OUT]), (N_OUT,), real)


@reduction
def _dot(data, indices, w):
    t = 0.0
    for k in range(data.size):
        t += data[k] * w[indices[k]]
    return t


@kernel
def _add(t, data, indices, square, g):
    if square:
        for k in range(data.size):
            g[indices[k]] += t * data[k] * data[k]
    else:
        for k in range(data.size):
            g[indices[k]] += t * data[k]


@kernel
def _scores(X, W, w, lo, hi, z):
    """Z = X W + 1 b' for rows lo..hi; w is W as a vector, for one output."""
    data, indices, starts = X
    K, p = W.shape[1], W.shape[0] - 1
    for i in range(lo, hi):
        if K == 1:
            row = slice(starts[i], starts[i + 1])
            z[i - lo, 0] = w[p] + _dot(data[row], indices[row], w)
        else:
            row = z[i - lo]
            for l in range(K):
                row[l] = W[p, l]
            for k in range(starts[i], starts[i + 1]):
                a, v = data[k], W[indices[k]]
                for l in range(K):
                    row[l] += a * v[l]


@kernel
def _sums(X, R, lo, hi, power, G, g):
    """G += X'R, or with the entries of X squared; g is G as a vector, for one output."""
    data, indices, starts = X
    K, p = G.shape[1], G.shape[0] - 1
    for i in range(lo, hi):
        if K == 1:
            part = slice(starts[i], starts[i + 1])
            g[p] += R[i - lo, 0]
            _add(R[i - lo, 0], data[part], indices[part], power == 2, g)
        else:
            row = R[i - lo]
            for l in range(K):
                G[p, l] += row[l]
            for k in range(starts[i], starts[i + 1]):
                a, v = (data[k] * data[k] if power == 2 else data[k]), G[indices[k]]
                for l in range(K):
                    v[l] += a * row[l]


@kernel
def curved(c, u):
    """u becomes T, by (1) or (2)."""
    K = c.shape[1]
    for i in range(c.shape[0]):
        if K == 1:
            u[i, 0] *= c[i, 0]
        else:
            top, total = 0.0, 0.0
            for l in range(K):
                top += c[i, l] * u[i, l]
                total += c[i, l]
            mean = top / total if total > 0.0 else 0.0
            for l in range(K):
                u[i, l] = c[i, l] * (u[i, l] - mean)


CHUNK = 64  # rows that are gone through and summed at a time: they stay in the second-level cache in between


@kernel
def _pass(X, a):
    y, s, z, c, zs, cs, out = _samples(a)
    lo, hi, p, K, mode, real = a[T_LO], a[T_HI], a[T_P], a[T_K], a[T_MODE], types.float64
    W = carray(void_pointer(a[T_W]), (p + 1, K), real)
    G = carray(void_pointer(a[T_G]), (p + 1, K), real)
    w = carray(void_pointer(a[T_W]), ((p + 1) * K,), real)
    g = carray(void_pointer(a[T_G]), ((p + 1) * K,), real)
    total = 0.0
    for j in range(p + 1):
        for l in range(K):
            G[j, l] = 0.0
    for first in range(0, hi - lo, CHUNK):
        end = min(first + CHUNK, hi - lo)
        t, curvature = z[first:end], c[first:end]
        if mode == DIAGONAL:
            for i in range(end - first):
                weight = 0.0
                for l in range(K):
                    weight += curvature[i, l]
                for l in range(K):
                    t[i, l] = curvature[i, l]
                    if K > 1 and weight > 0.0:
                        t[i, l] -= curvature[i, l] ** 2 / weight
            _sums(X, t, lo + first, lo + end, 2, G, g)
            continue
        _scores(X, W, w, lo + first, lo + end, t)
        if mode == GRADIENT:
            part = slice(first * K, end * K)
            total += losses(a[T_LOSS], y[first:end], s[first:end], zs[part], cs[part], K, out)
        else:
            curved(curvature, t)
        _sums(X, t, lo + first, lo + end, 1, G, g)
    return total


@kernel
def _table(address):
    return carray(void_pointer(address), (N_WORDS,), types.intp)


def pointwise(address, _):
    """Z becomes R; sets C; the sum of the losses.  Or, for a product, Z becomes T, by (1) or (2)."""
    a = _table(address)
    y, s, z, c, zs, cs, out = _samples(a)
    if a[T_MODE] == PRODUCT:
        curved(c, z)
        return 0.0
    return losses(a[T_LOSS], y, s, zs, cs, a[T_K], out)


@kernel
def _csr(a, real):
    # indices without a sign need no test for being counted from the end
    return (
        carray(void_pointer(a[T_DATA]), (a[T_NNZ],), real),
        carray(void_pointer(a[T_INDICES]), (a[T_NNZ],), types.uint32),
        carray(void_pointer(a[T_STARTS]), (a[T_N] + 1,), types.int32),
    )


def sparse64(address, _):
    """Compressed rows, float64."""
    a = _table(address)
    return _pass(_csr(a, types.float64), a)


def sparse32(address, _):
    """Compressed rows, float32."""
    a = _table(address)
    return _pass(_csr(a, types.float32), a)
