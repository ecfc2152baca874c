"""Products with a sparse Jacobian, given by rows (CSR) or as an operator; see ``sparse_slots``.

The weights of a robust loss are in the values of a matrix already; those of an operator are applied here.
"""

from numba import carray, types

from numopt.kernels import sparse_slots as q
from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import call4, void_pointer
from numopt.kernels.robust import reals
from numopt.kernels.squares_slots import M


@kernel
def _starts(k, m):
    # unsigned, as the columns are: Numba looks at each signed index for one below 0, twice the time of a product
    return carray(void_pointer(k[q.POINTERS]), (m + 1,), types.uint64)


@kernel
def _columns(k, count):
    return carray(void_pointer(k[q.COLUMNS]), (count,), types.uint32)


@reduction
def _combine(image, weights, a, u):
    total = 0.0
    for i in range(u.size):
        s = weights[i] * image[i]
        if a != 0.0:
            s -= a * u[i]
        u[i] = s
        total += s * s
    return total


@kernel
def forward(k, v, a, u):
    """u = J v - a u; returns u'u."""
    m = k[M]
    if k[q.FORWARD] != 0:
        call4(k[q.FORWARD], types.intp(v.ctypes.data), k[q.IMAGE], v.size, m)
        return _combine(reals(k[q.IMAGE], m), reals(k[q.WEIGHTS], m), a, u)
    start = _starts(k, m)
    column, value = _columns(k, start[m]), reals(k[q.VALUES], start[m])
    total = 0.0
    for i in range(m):
        s = 0.0
        for e in range(start[i], start[i + 1]):
            s += value[e] * v[column[e]]
        if a != 0.0:
            s -= a * u[i]
        u[i] = s
        total += s * s
    return total


@kernel
def adjoint(k, u, out):
    """out = J'u."""
    m = k[M]
    if k[q.FORWARD] != 0:
        image, weights = reals(k[q.IMAGE], m), reals(k[q.WEIGHTS], m)
        for i in range(m):
            image[i] = weights[i] * u[i]
        call4(k[q.ADJOINT], k[q.IMAGE], types.intp(out.ctypes.data), out.size, m)
        return
    start = _starts(k, m)
    column, value = _columns(k, start[m]), reals(k[q.VALUES], start[m])
    for j in range(out.size):
        out[j] = 0.0
    for i in range(m):
        for e in range(start[i], start[i + 1]):
            out[column[e]] += value[e] * u[i]


@kernel
def forth_and_back(k, v, a, u, out):
    """u = J v - a u, out = J'u, in one pass over the matrix; returns u'u."""
    if k[q.FORWARD] != 0:
        total = forward(k, v, a, u)
        adjoint(k, u, out)
        return total
    m = k[M]
    start = _starts(k, m)
    column, value = _columns(k, start[m]), reals(k[q.VALUES], start[m])
    for j in range(out.size):
        out[j] = 0.0
    total = 0.0
    for i in range(m):
        s = -a * u[i]
        for e in range(start[i], start[i + 1]):
            s += value[e] * v[column[e]]
        u[i] = s
        total += s * s
        for e in range(start[i], start[i + 1]):
            out[column[e]] += value[e] * s
    return total


@kernel
def weigh_rows(k):
    """Multiply the rows of a matrix by the weights of the loss."""
    m = k[M]
    start, weights = _starts(k, m), reals(k[q.WEIGHTS], m)
    value = reals(k[q.VALUES], start[m])
    for i in range(m):
        for e in range(start[i], start[i + 1]):
            value[e] *= weights[i]


@kernel
def column_norms(k, out):
    """The norms of the columns of a matrix; ones for an operator."""
    if k[q.FORWARD] != 0:
        for j in range(out.size):
            out[j] = 1.0
        return
    count = _starts(k, k[M])[k[M]]
    column, value = _columns(k, count), reals(k[q.VALUES], count)
    for j in range(out.size):
        out[j] = 0.0
    for e in range(count):
        out[column[e]] += value[e] * value[e]
    for j in range(out.size):
        out[j] = out[j] ** 0.5
