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

from numba import carray, types

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer
from numopt.network import curvature_words as q
from numopt.network.curvature_functions import activate, log_loss, value_loss
from numopt.network.curvature_products import backward, fill, forward, outer, sparse_forward, sparse_outer, sums
from numopt.network.words import LOG_LOSS


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
    fill(g, real(0))
    fill(out, real(0))
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
                sparse_forward(x, indices, starts, first, W, b, z, m, fo)
                sparse_forward(x, indices, starts, first, V, vb, rz, m, fo)
            else:
                forward(a, W, b, z, m, fi, fo, True)
                forward(a, V, vb, rz, m, fi, fo, True)
                if i > 0:
                    forward(ra, W, b, rz, m, fi, fo, False)
            if not last:
                slope = buffer[room + 2 * B * fo : room + 2 * B * fo + m * fo]
                bend = buffer[room + 3 * B * fo : room + 3 * B * fo + m * fo]
                activate(kinds[i], z, rz, slope, bend)
                a, ra = z, rz
                room += 4 * B * fo
        w = weight[first : first + m] if weight.size else weight
        if loss == LOG_LOSS:
            f += log_loss(e, re, classes[first : first + m], w, numbers[q.SCALE], k, d, rd)
        else:
            Y = y[first * k : (first + m) * k]
            f += value_loss(loss, e[: m * k], re, Y, w, numbers[q.SCALE], k, numbers[q.HUBER_DELTA], d, rd)
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
            sums(rd, out[at + fi * fo : at + fi * fo + fo], m, fo)
            if i == 0 and sparse:
                sparse_outer(x, indices, starts, first, rd, H, m, fo)
            else:
                outer(rd, a, H, m, fi, fo)
                if i > 0 and whole:
                    outer(d, ra, H, m, fi, fo)
            if g.size:
                sums(d, g[at + fi * fo : at + fi * fo + fo], m, fo)
                if i == 0 and sparse:
                    sparse_outer(x, indices, starts, first, d, g[at : at + fi * fo], m, fo)
                else:
                    outer(d, a, g[at : at + fi * fo], m, fi, fo)
            if i > 0:
                slope = buffer[room + 2 * B * fi : room + 2 * B * fi + m * fi]
                bend = buffer[room + 3 * B * fi : room + 3 * B * fi + m * fi]
                fill(e[: m * fi], real(0))
                fill(re[: m * fi], real(0))
                backward(d, W, e, m, fi, fo)
                backward(rd, W, re, m, fi, fo)
                if whole:
                    backward(d, V, re, m, fi, fo)
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
                sparse_forward(x, indices, starts, r, W, b, z, 1, fo)
            else:
                forward(a, W, b, z, 1, fi, fo, True)
            if i < depth - 1:
                fill(unused, real(0))
                activate(kinds[i], z, unused, buffer[room + fo : room + 2 * fo], unused)
                a = z
                room += 2 * fo
        w = weight[r] if weight.size else real(1)
        if J.size:
            for j in range(k):
                row = J[(r * k + j) * size : (r * k + j + 1) * size]
                d, e = buffer[:widest], buffer[widest : 2 * widest]
                fill(row, real(0))
                fill(d[:k], real(0))
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
            sparse_outer(x, indices, starts, r, d, row[at : at + fi * fo], 1, fo)
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
            fill(e[:fi], e.dtype.type(0))
            backward(d, theta[at : at + fi * fo], e, 1, fi, fo)
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
