r"""Products of the Hessian with vectors by Pearlmutter's R-operator, and Jacobians, of multilayer perceptrons.

R{f} is the derivative of f(theta + t v) by t at t = 0.  With a_0 = x, layers z = W a + b, a+ = act(z) and e the
derivative of the loss by z,

.. math::

    R\{z\} &= W R\{a\} + V a + v_b, \qquad & R\{a^+\} &= act'(z) R\{z\} \\
    d &= W^T e, \qquad & R\{d\} &= W^T R\{e\} + V^T e \\
    e^- &= act'(z) d, \qquad & R\{e^-\} &= act'(z) R\{d\} + act''(z) R\{z\} d \\
    \nabla_W &= e a^T, \qquad & (H v)_W &= R\{e\} a^T + e R\{a\}^T

from R{e} = H_loss R{z} at the outputs, so that H v takes about as much work as two gradients.  Without what is
multiplied by e (act'' and the sums with V' e, e R{a}') this is J' H_loss J v, the Gauss-Newton matrix times v.  Where
an activation or a loss has a kink its second derivative is 0.

Rows go through all layers in fixed blocks, one after another.

References
----------
B. A. Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6 (1994), 147-160.
N. N. Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, Neural Computation 14
(2002), 1723-1738.
"""

import math

from numba import carray, types

from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import void_pointer
from numopt.losses.elementary import exp, log1p
from numopt.network import curvature_words as q

IDENTITY, LOGISTIC, TANH, RELU, LEAKY_RELU, ELU, SOFTPLUS, GELU = range(8)
LOG_LOSS, BINARY_LOG_LOSS, SQUARED_ERROR, HUBER, ABSOLUTE_ERROR, POISSON = range(6)
LEAK = 0.01
_ROOT_HALF, _DENSITY = math.sqrt(0.5), 1.0 / math.sqrt(2.0 * math.pi)


@kernel
def _logistic(z):
    e = exp(-abs(z))
    return (1.0 if z >= 0.0 else e) / (1.0 + e)


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
        t = _logistic(z)
        s = t * (1.0 - t)
        return t, s, s * (1.0 - 2.0 * t)
    if kind == ELU:
        if z > 0.0:
            return z, 1.0, 0.0
        e = math.expm1(z)
        return e, e + 1.0, e + 1.0
    if kind == SOFTPLUS:
        t = _logistic(z)
        return (z if z > 0.0 else 0.0) + log1p(exp(-abs(z))), t, t * (1.0 - t)
    if kind == GELU:
        phi, density = 0.5 * (1.0 + math.erf(_ROOT_HALF * z)), _DENSITY * math.exp(-0.5 * z * z)
        return z * phi, phi + z * density, density * (2.0 - z * z)
    return z, 1.0, 0.0


@kernel
def _activate(kind, z, rz, slope, bend):
    """z and R{z} become a and R{a}; sets act'(z) and act''(z) R{z}."""
    real = z.dtype.type
    for i in range(z.size):
        a, s, c = _curve(kind, float(z[i]))
        bend[i] = real(c * rz[i]) if c != 0.0 else real(0.0)
        z[i], slope[i], rz[i] = real(a), real(s), real(s * rz[i])


@kernel
def _log_loss(z, rz, classes, weight, scale, k, d, rd):
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
def _value_loss(loss, z, rz, y, weight, scale, k, delta, d, rd):
    """The same for the losses that are sums over the outputs."""
    real, f = z.dtype.type, 0.0
    for i in range(z.size):
        w = float(weight[i // k]) if weight.size else 1.0
        u, t = float(z[i]), float(y[i])
        slope = u - t
        if loss == SQUARED_ERROR:
            value, second = 0.5 * slope * slope, 1.0
        elif loss == BINARY_LOG_LOSS:
            p = _logistic(u)
            value, slope, second = (u if u > 0.0 else 0.0) + log1p(exp(-abs(u))) - t * u, p - t, p * (1.0 - p)
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


@reduction
def _forward(A, W, b, Z, m, fi, fo, fresh):
    """Z (m, fo) = A W' + b, or Z += A W' where not ``fresh``; A (m, fi), W (fo, fi)."""
    real = Z.dtype.type
    for r in range(m):
        a, z = A[r * fi : (r + 1) * fi], Z[r * fo : (r + 1) * fo]
        u = 0
        while u + 4 <= fo:
            w0, w1 = W[u * fi : (u + 1) * fi], W[(u + 1) * fi : (u + 2) * fi]
            w2, w3 = W[(u + 2) * fi : (u + 3) * fi], W[(u + 3) * fi : (u + 4) * fi]
            s0, s1, s2, s3 = real(0), real(0), real(0), real(0)
            for k in range(fi):
                s0 += a[k] * w0[k]
                s1 += a[k] * w1[k]
                s2 += a[k] * w2[k]
                s3 += a[k] * w3[k]
            if fresh:
                z[u], z[u + 1], z[u + 2], z[u + 3] = s0 + b[u], s1 + b[u + 1], s2 + b[u + 2], s3 + b[u + 3]
            else:
                z[u] += s0
                z[u + 1] += s1
                z[u + 2] += s2
                z[u + 3] += s3
            u += 4
        while u < fo:
            s0, w0 = real(0), W[u * fi : (u + 1) * fi]
            for k in range(fi):
                s0 += a[k] * w0[k]
            z[u] = s0 + b[u] if fresh else z[u] + s0
            u += 1


@reduction
def _combine(C, lines, width, A, step, stride, rows, B):
    """C (lines, width) += sum over the rows k of A[i step + k stride] B[k], B (rows, width)."""
    for i in range(lines):
        c, at, k = C[i * width : (i + 1) * width], i * step, 0
        while k + 4 <= rows:
            x0, x1 = A[at + k * stride], A[at + (k + 1) * stride]
            x2, x3 = A[at + (k + 2) * stride], A[at + (k + 3) * stride]
            b0, b1 = B[k * width : (k + 1) * width], B[(k + 1) * width : (k + 2) * width]
            b2, b3 = B[(k + 2) * width : (k + 3) * width], B[(k + 3) * width : (k + 4) * width]
            if x0 != 0 or x1 != 0 or x2 != 0 or x3 != 0:  # dead units of relu
                for j in range(width):
                    c[j] += x0 * b0[j] + x1 * b1[j] + x2 * b2[j] + x3 * b3[j]
            k += 4
        while k < rows:
            x0, b0 = A[at + k * stride], B[k * width : (k + 1) * width]
            for j in range(width):
                c[j] += x0 * b0[j]
            k += 1


@kernel
def _backward(E, W, D, m, fi, fo):
    """D (m, fi) += E (m, fo) W (fo, fi)."""
    _combine(D, m, fi, E, fo, 1, fo, W)


@kernel
def _outer(E, A, G, m, fi, fo):
    """G (fo, fi) += E' A."""
    _combine(G, fo, fi, E, 1, fo, m, A)


@kernel
def _sums(E, g, m, fo):
    """g += the sums of the columns of E."""
    for r in range(m):
        for u in range(fo):
            g[u] += E[r * fo + u]


@kernel
def _sparse_forward(x, indices, starts, first, W, b, Z, m, fo):
    """Z (m, fo) = X W + b, rows from ``first`` on; W (fan_in, fan_out)."""
    for r in range(m):
        z = Z[r * fo : (r + 1) * fo]
        for u in range(fo):
            z[u] = b[u]
        for p in range(starts[first + r], starts[first + r + 1]):
            w = W[indices[p] * fo : (indices[p] + 1) * fo]
            for u in range(fo):
                z[u] += x[p] * w[u]


@kernel
def _sparse_outer(x, indices, starts, first, E, G, m, fo):
    """G (fan_in, fan_out) += X' E."""
    for r in range(m):
        e = E[r * fo : (r + 1) * fo]
        for p in range(starts[first + r], starts[first + r + 1]):
            g = G[indices[p] * fo : (indices[p] + 1) * fo]
            for u in range(fo):
                g[u] += x[p] * e[u]


@kernel
def _fill(a, x):
    for i in range(a.size):
        a[i] = x


@kernel
def _reals(address, n, real):
    """n numbers at an address; none where it is 0."""
    return carray(void_pointer(address), (n if address != 0 else 0,), real)


@kernel
def _row_count(words, real):
    """Entries of X as stored."""
    n = words[q.N]
    if words[q.SPARSE] != 0:
        return carray(void_pointer(words[q.STARTS]), (n + 1,), types.int64)[n]
    return n * carray(void_pointer(words[q.SIZES]), (1,), types.int64)[0]


@kernel
def _sweep(address, real):
    """The sum of weights times losses; sets G to the gradient, if given, and OUT to the product with V."""
    words = carray(void_pointer(address), (q.N_WORDS,), types.int64)
    numbers = carray(void_pointer(words[q.REALS]), (2,), types.float64)
    mode, depth, loss, n, sparse = words[q.MODE], words[q.DEPTH], words[q.LOSS], words[q.N], words[q.SPARSE] != 0
    size, widest, entries = words[q.N_PARAMS], words[q.WIDEST], _row_count(words, real)
    sizes = carray(void_pointer(words[q.SIZES]), (depth + 1,), types.int64)
    kinds = carray(void_pointer(words[q.KINDS]), (depth,), types.int64)
    x = _reals(words[q.X], entries, real)
    indices = _reals(words[q.INDICES], entries, types.int64)
    starts = _reals(words[q.STARTS], n + 1, types.int64)
    k = sizes[depth]
    y = _reals(words[q.Y] if loss != LOG_LOSS else 0, n * k, real)
    classes = _reals(words[q.Y] if loss == LOG_LOSS else 0, n, types.int64)
    weight = _reals(words[q.WEIGHT], n, real)
    theta, v = _reals(words[q.THETA], size, real), _reals(words[q.V], size, real)
    g, out = _reals(words[q.G], size, real), _reals(words[q.OUT], size, real)
    buffer = _reals(words[q.BUFFER], words[q.BUFFER_SIZE], real)
    _fill(g, real(0))
    _fill(out, real(0))
    f, whole, B = 0.0, mode == q.HESSIAN, q.BLOCK
    pair = 4 * B * widest
    d, rd = buffer[: B * widest], buffer[B * widest : 2 * B * widest]
    e, re = buffer[2 * B * widest : 3 * B * widest], buffer[3 * B * widest : pair]
    for first in range(0, n, B):
        m = min(B, n - first)
        at, room = 0, pair  # of this layer's parameters, and of its blocks in the buffer
        a = x[first * sizes[0] : (first + m) * sizes[0]] if not sparse else x
        ra = a  # not used
        for i in range(depth):
            fi, fo = sizes[i], sizes[i + 1]
            W, b = theta[at : at + fi * fo], theta[at + fi * fo : at + fi * fo + fo]
            V, vb = v[at : at + fi * fo], v[at + fi * fo : at + fi * fo + fo]
            at += fi * fo + fo
            last = i == depth - 1
            z = e[: m * fo] if last else buffer[room : room + m * fo]
            rz = re[: m * fo] if last else buffer[room + B * fo : room + B * fo + m * fo]
            if i == 0 and sparse:
                _sparse_forward(x, indices, starts, first, W, b, z, m, fo)
                _sparse_forward(x, indices, starts, first, V, vb, rz, m, fo)
            else:
                _forward(a, W, b, z, m, fi, fo, True)
                _forward(a, V, vb, rz, m, fi, fo, True)
                if i > 0:
                    _forward(ra, W, b, rz, m, fi, fo, False)
            if not last:
                slope = buffer[room + 2 * B * fo : room + 2 * B * fo + m * fo]
                bend = buffer[room + 3 * B * fo : room + 3 * B * fo + m * fo]
                _activate(kinds[i], z, rz, slope, bend)
                a, ra = z, rz
                room += 4 * B * fo
        w = weight[first : first + m] if weight.size else weight
        if loss == LOG_LOSS:
            f += _log_loss(e, re, classes[first : first + m], w, numbers[q.SCALE], k, d, rd)
        else:
            Y = y[first * k : (first + m) * k]
            f += _value_loss(loss, e[: m * k], re, Y, w, numbers[q.SCALE], k, numbers[q.HUBER_DELTA], d, rd)
        for i in range(depth - 1, -1, -1):
            fi, fo = sizes[i], sizes[i + 1]
            at -= fi * fo + fo
            W, V = theta[at : at + fi * fo], v[at : at + fi * fo]
            if i > 0:
                room -= 4 * B * fi
                a, ra = buffer[room : room + m * fi], buffer[room + B * fi : room + B * fi + m * fi]
            else:
                a = x[first * sizes[0] : (first + m) * sizes[0]] if not sparse else x
            H = out[at : at + fi * fo]
            _sums(rd, out[at + fi * fo : at + fi * fo + fo], m, fo)
            if i == 0 and sparse:
                _sparse_outer(x, indices, starts, first, rd, H, m, fo)
            else:
                _outer(rd, a, H, m, fi, fo)
                if i > 0 and whole:
                    _outer(d, ra, H, m, fi, fo)
            if g.size:
                _sums(d, g[at + fi * fo : at + fi * fo + fo], m, fo)
                if i == 0 and sparse:
                    _sparse_outer(x, indices, starts, first, d, g[at : at + fi * fo], m, fo)
                else:
                    _outer(d, a, g[at : at + fi * fo], m, fi, fo)
            if i > 0:
                slope = buffer[room + 2 * B * fi : room + 2 * B * fi + m * fi]
                bend = buffer[room + 3 * B * fi : room + 3 * B * fi + m * fi]
                _fill(e[: m * fi], real(0))
                _fill(re[: m * fi], real(0))
                _backward(d, W, e, m, fi, fo)
                _backward(rd, W, re, m, fi, fo)
                if whole:
                    _backward(d, V, re, m, fi, fo)
                for j in range(m * fi):
                    re[j] *= slope[j]
                    if whole:
                        re[j] += bend[j] * e[j]
                    e[j] *= slope[j]
                d, e, rd, re = e, d, re, rd
    return f


@kernel
def _jacobian(address, real):
    """Sets G to the outputs z (n, k), and OUT, if given, to their derivatives by the parameters (n, k, N_PARAMS).

    Row i is multiplied by WEIGHT[i], where weights are given.
    """
    words = carray(void_pointer(address), (q.N_WORDS,), types.int64)
    depth, n, sparse = words[q.DEPTH], words[q.N], words[q.SPARSE] != 0
    size, widest, entries = words[q.N_PARAMS], words[q.WIDEST], _row_count(words, real)
    sizes = carray(void_pointer(words[q.SIZES]), (depth + 1,), types.int64)
    kinds = carray(void_pointer(words[q.KINDS]), (depth,), types.int64)
    x = _reals(words[q.X], entries, real)
    indices = _reals(words[q.INDICES], entries, types.int64)
    starts = _reals(words[q.STARTS], n + 1, types.int64)
    k = sizes[depth]
    weight = _reals(words[q.WEIGHT], n, real)
    theta, outputs = _reals(words[q.THETA], size, real), _reals(words[q.G], n * k, real)
    J = _reals(words[q.OUT], n * k * size, real)
    buffer = _reals(words[q.BUFFER], words[q.BUFFER_SIZE], real)
    unused = buffer[widest : 2 * widest]
    for r in range(n):
        at, room = 0, 2 * widest
        a = x[r * sizes[0] : (r + 1) * sizes[0]] if not sparse else x
        for i in range(depth):
            fi, fo = sizes[i], sizes[i + 1]
            W, b = theta[at : at + fi * fo], theta[at + fi * fo : at + fi * fo + fo]
            at += fi * fo + fo
            z = outputs[r * k : (r + 1) * k] if i == depth - 1 else buffer[room : room + fo]
            if i == 0 and sparse:
                _sparse_forward(x, indices, starts, r, W, b, z, 1, fo)
            else:
                _forward(a, W, b, z, 1, fi, fo, True)
            if i < depth - 1:
                _fill(unused, real(0))
                _activate(kinds[i], z, unused, buffer[room + fo : room + 2 * fo], unused)
                a = z
                room += 2 * fo
        w = weight[r] if weight.size else real(1)
        if J.size:
            for j in range(k):
                row = J[(r * k + j) * size : (r * k + j + 1) * size]
                d, e = buffer[:widest], buffer[widest : 2 * widest]
                _fill(row, real(0))
                _fill(d[:k], real(0))
                d[j] = w
                _row(words, x, indices, starts, r, theta, sizes, buffer, room, row, d, e)
        for j in range(k):
            outputs[r * k + j] *= w
    return 0.0


@kernel
def _row(words, x, indices, starts, r, theta, sizes, buffer, room, row, d, e):
    """One row of the Jacobian, from the derivatives d by the outputs on; d and e are overwritten."""
    depth, at = sizes.size - 1, row.size
    for i in range(depth - 1, -1, -1):
        fi, fo = sizes[i], sizes[i + 1]
        at -= fi * fo + fo
        for u in range(fo):
            row[at + fi * fo + u] = d[u]
        if i == 0 and words[q.SPARSE] != 0:
            _sparse_outer(x, indices, starts, r, d, row[at : at + fi * fo], 1, fo)
            return
        if i > 0:
            room -= 2 * fi
        a = buffer[room : room + fi] if i > 0 else x[r * fi : (r + 1) * fi]
        for u in range(fo):
            if d[u] != 0:
                line = row[at + u * fi : at + (u + 1) * fi]
                for c in range(fi):
                    line[c] = d[u] * a[c]
        if i > 0:
            _fill(e[:fi], e.dtype.type(0))
            _backward(d, theta[at : at + fi * fo], e, 1, fi, fo)
            for c in range(fi):
                e[c] *= buffer[room + fi + c]
            d, e = e, d


def sweep64(address, _):
    """float64; ``address`` of the table of words."""
    return _sweep(address, types.float64)


def sweep32(address, _):
    """The same in float32."""
    return _sweep(address, types.float32)


def jacobian64(address, _):
    """The same as sweep64 for Jacobians."""
    return _jacobian(address, types.float64)


def jacobian32(address, _):
    """The same in float32."""
    return _jacobian(address, types.float32)
