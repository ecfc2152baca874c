"""The columns of a design matrix, however it is stored; never copied, never centred in place.

A storage is one of three types, which Numba tells apart when it compiles:

==============  ==========================  =====================================
storage         what                        matrix
==============  ==========================  =====================================
``XT``          array (p, n), C order       dense, columns contiguous (F order)
``(X,)``        array (n, p), C order       dense, rows contiguous
``(a, i, s)``   data, indices, indptr       sparse, compressed columns
==============  ==========================  =====================================

The means of the columns enter as numbers: X_c = X - 1 mean'.  ``s`` are the sample weights (size 0: all one).
"""

from numba import types
from numba.extending import overload

from numopt.kernels.compiling import kernel, reduction


def column_dot(X, j, v):
    """x_j'v."""
    raise NotImplementedError


def add_column(X, j, a, v, s):
    """v += a (s * x_j)."""
    raise NotImplementedError


def correlations(X, v, z):
    """z = X'v."""
    raise NotImplementedError


def subtract(X, w, v, s):
    """v -= s * (X w), for a w that is mostly zero."""
    raise NotImplementedError


def moments(X, s, total, v, centred, mean, square, z):
    """Per column: the weighted mean (0 if not ``centred``), the weighted sum of squares about it, and x_j'v."""
    raise NotImplementedError


def pack(X, columns, m, mean, root, lo, hi, panel):
    """Rows 0..m of the panel = rows lo..hi of the named columns, centred, times ``root`` (size 0: one)."""
    raise NotImplementedError


@reduction
def _dot(x, v):
    s = 0.0
    for i in range(v.size):
        s += x[i] * v[i]
    return s


@reduction
def _moments(x, v):
    a, b, c = 0.0, 0.0, 0.0
    for i in range(v.size):
        a += x[i]
        b += x[i] * x[i]
        c += x[i] * v[i]
    return a, b, c


@reduction
def _weighted_moments(x, s, v):
    a, b, c = 0.0, 0.0, 0.0
    for i in range(v.size):
        a += s[i] * x[i]
        b += s[i] * x[i] * x[i]
        c += x[i] * v[i]
    return a, b, c


@reduction
def _squares(x, s, mean):
    b = 0.0
    if s.size:
        for i in range(x.size):
            b += s[i] * (x[i] - mean) ** 2
    else:
        for i in range(x.size):
            b += (x[i] - mean) ** 2
    return b


@kernel
def _about(square, total, mean, centred):
    """(sum of squares about the mean, whether it was lost in rounding)."""
    if not centred:
        return square, False
    about = square - total * mean * mean
    return about, about < 1e-6 * square


def _by_column_subtract(X, w, v, s):
    for j in range(w.size):
        if w[j] != 0.0:
            add_column(X, j, -w[j], v, s)


_subtract_columns = kernel(_by_column_subtract)


# --- columns contiguous


def _columns_dot(X, j, v):
    return _dot(X[j], v)


def _columns_add(X, j, a, v, s):
    x = X[j]
    if s.size:
        for i in range(v.size):
            v[i] += a * s[i] * x[i]
    else:
        for i in range(v.size):
            v[i] += a * x[i]


def _columns_correlations(X, v, z):
    for j in range(z.size):
        z[j] = _dot(X[j], v)


def _columns_moments(X, s, total, v, centred, mean, square, z):
    for j in range(z.size):
        x = X[j]
        a, b, c = _weighted_moments(x, s, v) if s.size else _moments(x, v)
        mean[j] = a / total if centred else 0.0
        square[j], lost = _about(b, total, mean[j], centred)
        if lost:
            square[j] = _squares(x, s, mean[j])
        z[j] = c


def _columns_pack(X, columns, m, mean, root, lo, hi, panel):
    for a in range(m):
        x, out, mu = X[columns[a], lo:hi], panel[a], mean[columns[a]]
        if root.size:
            r = root[lo:hi]
            for i in range(hi - lo):
                out[i] = (x[i] - mu) * r[i]
        else:
            for i in range(hi - lo):
                out[i] = x[i] - mu


# --- rows contiguous


def _rows_dot(X, j, v):
    A = X[0]
    s = 0.0
    for i in range(v.size):
        s += A[i, j] * v[i]
    return s


def _rows_add(X, j, a, v, s):
    A = X[0]
    if s.size:
        for i in range(v.size):
            v[i] += a * s[i] * A[i, j]
    else:
        for i in range(v.size):
            v[i] += a * A[i, j]


@kernel
def _add_row(t, x, z):
    for j in range(z.size):
        z[j] += t * x[j]


def _rows_correlations(X, v, z):
    A = X[0]
    for j in range(z.size):
        z[j] = 0.0
    for i in range(v.size):
        if v[i] != 0.0:
            _add_row(v[i], A[i], z)


@kernel
def _add_square(t, x, mean, square, v, z):
    for j in range(square.size):
        square[j] += t * (x[j] - mean[j]) ** 2
        z[j] += v * x[j]


def _rows_moments(X, s, total, v, centred, mean, square, z):
    A = X[0]
    for j in range(z.size):
        mean[j] = 0.0
        square[j] = 0.0
        z[j] = 0.0
    if centred:
        for i in range(v.size):
            _add_row(s[i] if s.size else 1.0, A[i], mean)
        for j in range(z.size):
            mean[j] /= total
    for i in range(v.size):
        _add_square(s[i] if s.size else 1.0, A[i], mean, square, v[i], z)


def _rows_subtract(X, w, v, s):
    A = X[0]
    nonzero = 0
    for j in range(w.size):
        nonzero += w[j] != 0.0
    if 8 * nonzero <= w.size:  # a column read across the rows takes a cache line for each number
        _subtract_columns(X, w, v, s)
    else:
        for i in range(v.size):
            v[i] -= (s[i] if s.size else 1.0) * _dot(A[i], w)


def _rows_pack(X, columns, m, mean, root, lo, hi, panel):
    A = X[0]
    for first in range(lo, hi, 8):  # eight rows at a time fill a cache line of the panel
        for a in range(m):
            j = columns[a]
            out, mu = panel[a], mean[j]
            for i in range(first, min(first + 8, hi)):
                out[i - lo] = (A[i, j] - mu) * (root[i] if root.size else 1.0)


# --- sparse


def _sparse_dot(X, j, v):
    data, indices, starts = X
    s = 0.0
    for k in range(starts[j], starts[j + 1]):
        s += data[k] * v[indices[k]]
    return s


def _sparse_add(X, j, a, v, s):
    data, indices, starts = X
    if s.size:
        for k in range(starts[j], starts[j + 1]):
            v[indices[k]] += a * s[indices[k]] * data[k]
    else:
        for k in range(starts[j], starts[j + 1]):
            v[indices[k]] += a * data[k]


def _sparse_correlations(X, v, z):
    for j in range(z.size):
        z[j] = column_dot(X, j, v)


def _sparse_moments(X, s, total, v, centred, mean, square, z):
    data, indices, starts = X
    for j in range(z.size):
        a, b, c, inside = 0.0, 0.0, 0.0, 0.0
        for k in range(starts[j], starts[j + 1]):
            weight = s[indices[k]] if s.size else 1.0
            a += weight * data[k]
            b += weight * data[k] * data[k]
            c += data[k] * v[indices[k]]
            inside += weight
        mean[j] = a / total if centred else 0.0
        square[j], lost = _about(b, total, mean[j], centred)
        if lost:
            square[j] = (total - inside) * mean[j] ** 2
            for k in range(starts[j], starts[j + 1]):
                weight = s[indices[k]] if s.size else 1.0
                square[j] += weight * (data[k] - mean[j]) ** 2
        z[j] = c


def _sparse_pack(X, columns, m, mean, root, lo, hi, panel):
    data, indices, starts = X
    for a in range(m):
        out, j = panel[a], columns[a]
        for i in range(hi - lo):
            out[i] = -mean[j]
        for k in range(starts[j], starts[j + 1]):
            if lo <= indices[k] < hi:
                out[indices[k] - lo] += data[k]
        if root.size:
            for i in range(hi - lo):
                out[i] *= root[lo + i]


def _by_storage(X, columns, rows, sparse):
    return columns if isinstance(X, types.Array) else rows if len(X) == 1 else sparse


_AS_KERNELS: dict = {"target": "generic", "jit_options": {"error_model": "numpy"}}


@overload(column_dot, **_AS_KERNELS)
def _column_dot(X, j, v):
    return _by_storage(X, _columns_dot, _rows_dot, _sparse_dot)


@overload(add_column, **_AS_KERNELS)
def _add_column(X, j, a, v, s):
    return _by_storage(X, _columns_add, _rows_add, _sparse_add)


@overload(correlations, **_AS_KERNELS)
def _correlations(X, v, z):
    return _by_storage(X, _columns_correlations, _rows_correlations, _sparse_correlations)


@overload(subtract, **_AS_KERNELS)
def _subtract(X, w, v, s):
    return _by_storage(X, _by_column_subtract, _rows_subtract, _by_column_subtract)


@overload(moments, **_AS_KERNELS)
def _moments_of(X, s, total, v, centred, mean, square, z):
    return _by_storage(X, _columns_moments, _rows_moments, _sparse_moments)


@overload(pack, **_AS_KERNELS)
def _pack(X, columns, m, mean, root, lo, hi, panel):
    return _by_storage(X, _columns_pack, _rows_pack, _sparse_pack)
