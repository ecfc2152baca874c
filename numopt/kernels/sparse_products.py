"""Products with a sparse Jacobian, given by rows (CSR) or as an operator; see ``sparse_slots``.

The weights of a robust loss are in the values of a matrix already; those of an operator are applied here.
"""

from numba import carray, types

from numopt.kernels import sparse_slots as q
from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import call4, void_pointer
from numopt.kernels.robust import reals, words
from numopt.kernels.squares_slots import M


@kernel
def _columns(k, count):
    return carray(void_pointer(k[q.COLUMNS]), (count,), types.int32)


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


@reduction
def forward(k, v, a, u):
    """u = J v - a u; returns u'u."""
    m = k[M]
    if k[q.FORWARD] != 0:
        call4(k[q.FORWARD], types.intp(v.ctypes.data), k[q.IMAGE], v.size, m)
        return _combine(reals(k[q.IMAGE], m), reals(k[q.WEIGHTS], m), a, u)
    start = words(k[q.POINTERS], m + 1)
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
def adjoint(k, u, b, out):
    """u = u / b, out = J'u."""
    m = k[M]
    if k[q.FORWARD] != 0:
        image, weights = reals(k[q.IMAGE], m), reals(k[q.WEIGHTS], m)
        for i in range(m):
            u[i] /= b
            image[i] = weights[i] * u[i]
        call4(k[q.ADJOINT], k[q.IMAGE], types.intp(out.ctypes.data), out.size, m)
        return
    start = words(k[q.POINTERS], m + 1)
    column, value = _columns(k, start[m]), reals(k[q.VALUES], start[m])
    for j in range(out.size):
        out[j] = 0.0
    for i in range(m):
        t = u[i] / b
        u[i] = t
        for e in range(start[i], start[i + 1]):
            out[column[e]] += value[e] * t


@kernel
def weigh_rows(k):
    """Multiply the rows of a matrix by the weights of the loss."""
    m = k[M]
    start, weights = words(k[q.POINTERS], m + 1), reals(k[q.WEIGHTS], m)
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
    count = words(k[q.POINTERS], k[M] + 1)[k[M]]
    column, value = _columns(k, count), reals(k[q.VALUES], count)
    for j in range(out.size):
        out[j] = 0.0
    for e in range(count):
        out[column[e]] += value[e] * value[e]
    for j in range(out.size):
        out[j] = out[j] ** 0.5
