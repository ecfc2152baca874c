"""The operations on long vectors, blocks shared out over Numba's threads.

Each is the twin of a function of :mod:`numopt.kernels.vectors`: it does the same blocks, and adds their sums in the
same order, so that the result has the same bits.  Arguments stand in the run's own state, from ``c[OP]`` and
``p[OPF]`` on.

They are reached through addresses, for runs that a front door starts; a solver inside the user's own compiled code
never uses them.
"""

import os
import threading

import numba
import numpy as np
from numba import carray, cfunc, njit, prange, types

from numopt.kernels import vectors as v
from numopt.kernels.oracle import void_pointer
from numopt.kernels.slots import (
    A_C,
    A_P,
    N_COUNTERS,
    N_SCALARS,
    N_TABLE,
    OP,
    OPF,
    N,
)

_parallel = njit(parallel=True, error_model="numpy", cache=True)
_inline = njit(inline="always")


@_inline
def _state(table):
    """(c, p) of the run."""
    a = carray(void_pointer(table), (N_TABLE,), types.intp)
    c = carray(void_pointer(a[A_C]), (N_COUNTERS,), types.int64)
    return c, carray(void_pointer(a[A_P]), (N_SCALARS,), types.float64)


@_inline
def _reals(c, i, n):
    """The i-th argument as an array of n doubles."""
    return carray(void_pointer(c[OP + i]), (n,), types.float64)


@_parallel
def step_to(x, t, d, out):
    n = x.size
    for b in prange((n + v.BLOCK - 1) // v.BLOCK):
        i = b * v.BLOCK
        e = min(i + v.BLOCK, n)
        v.step_to_block(x[i:e], t, d[i:e], out[i:e])


@_parallel
def dot(x, y):
    n = x.size
    parts = np.empty((n + v.BLOCK - 1) // v.BLOCK)
    for b in prange(parts.size):
        i = b * v.BLOCK
        e = min(i + v.BLOCK, n)
        parts[b] = v.dot_block(x[i:e], y[i:e])
    s = 0.0
    for b in range(parts.size):
        s += parts[b]
    return s


@_parallel
def negate_dot(g, d):
    n = g.size
    parts = np.empty((n + v.BLOCK - 1) // v.BLOCK)
    for b in prange(parts.size):
        i = b * v.BLOCK
        e = min(i + v.BLOCK, n)
        v.scale(-1.0, g[i:e], d[i:e])
        parts[b] = v.dot_block(g[i:e], g[i:e])
    s = 0.0
    for b in range(parts.size):
        s += parts[b]
    return s


@_parallel
def combine_dot(p, g, d):
    n = g.size
    a, c = p[OPF], p[OPF + 1]
    parts = np.empty(((n + v.BLOCK - 1) // v.BLOCK, 2))
    for b in prange(len(parts)):
        i = b * v.BLOCK
        e = min(i + v.BLOCK, n)
        parts[b, 0], parts[b, 1] = v.combine_block(a, g[i:e], c, d[i:e])
    _add_up(parts, p)


@_parallel
def four_dots(p, g, gp, d):
    n = g.size
    parts = np.empty(((n + v.BLOCK - 1) // v.BLOCK, 4))
    for b in prange(len(parts)):
        i = b * v.BLOCK
        e = min(i + v.BLOCK, n)
        parts[b, 0], parts[b, 1], parts[b, 2], parts[b, 3] = v.four_dots_block(g[i:e], gp[i:e], d[i:e])
    _add_up(parts, p)


@_parallel
def difference_dots(p, xt, x, gt, g, s, y):
    n = x.size
    parts = np.empty(((n + v.BLOCK - 1) // v.BLOCK, 3))
    for b in prange(len(parts)):
        i = b * v.BLOCK
        e = min(i + v.BLOCK, n)
        parts[b, 0], parts[b, 1], parts[b, 2] = v.difference_block(xt[i:e], x[i:e], gt[i:e], g[i:e], s[i:e], y[i:e])
    _add_up(parts, p)


@njit
def _add_up(parts, p):
    """p[OPF + k] = sum over the blocks of parts[:, k], first to last."""
    for k in range(parts.shape[1]):
        p[OPF + k] = 0.0
    for b in range(parts.shape[0]):
        for k in range(parts.shape[1]):
            p[OPF + k] += parts[b, k]


@_parallel
def row_dots(rows, n, m, k, g, y, sg, sy, zg, zy):
    count = (n + v.BLOCK - 1) // v.BLOCK
    parts = np.zeros((count, 4, m))
    for b in prange(count):
        v.row_dots_block(rows, n, m, k, g, y, b * v.BLOCK, parts[b, 0], parts[b, 1], parts[b, 2], parts[b, 3])
    for j in range(k):
        sg[j], sy[j], zg[j], zy[j] = 0.0, 0.0, 0.0, 0.0
        for b in range(count):
            sg[j] += parts[b, 0, j]
            sy[j] += parts[b, 1, j]
            zg[j] += parts[b, 2, j]
            zy[j] += parts[b, 3, j]


@_parallel
def add_rows(rows, n, m, k, u, w, a, g, d):
    count = (n + v.BLOCK - 1) // v.BLOCK
    parts = np.empty(count)
    for b in prange(count):
        # last to first within each thread's share, as the serial loop does
        block = count - 1 - b
        parts[block] = v.add_rows_block(rows, n, m, k, u, w, a, g, d, block * v.BLOCK)
    slope = 0.0
    for b in range(count - 1, -1, -1):
        slope += parts[b]
    return slope


@_parallel
def norm_inf(x):
    n = x.size
    parts = np.empty((n + v.BLOCK - 1) // v.BLOCK)
    for b in prange(parts.size):
        i = b * v.BLOCK
        parts[b] = v.norm_inf_block(x[i : min(i + v.BLOCK, n)])
    m = 0.0
    for b in range(parts.size):
        if parts[b] != parts[b]:
            return parts[b]
        m = max(m, parts[b])
    return m


def _step_to(table):
    c, p = _state(table)
    n = c[N]
    step_to(_reals(c, 0, n), p[OPF], _reals(c, 1, n), _reals(c, 2, n))
    return 0.0


def _dot(table):
    c, _ = _state(table)
    n = c[N]
    return dot(_reals(c, 0, n), _reals(c, 1, n))


def _negate_dot(table):
    c, _ = _state(table)
    n = c[N]
    return negate_dot(_reals(c, 0, n), _reals(c, 1, n))


def _combine_dot(table):
    c, p = _state(table)
    n = c[N]
    combine_dot(p, _reals(c, 0, n), _reals(c, 1, n))
    return 0.0


def _four_dots(table):
    c, p = _state(table)
    n = c[N]
    four_dots(p, _reals(c, 0, n), _reals(c, 1, n), _reals(c, 2, n))
    return 0.0


def _difference_dots(table):
    c, p = _state(table)
    n = c[N]
    x, g = _reals(c, 1, n), _reals(c, 3, n)
    difference_dots(p, _reals(c, 0, n), x, _reals(c, 2, n), g, _reals(c, 4, n), _reals(c, 5, n))
    return 0.0


def _row_dots(table):
    c, _ = _state(table)
    n, m, k = c[N], c[OP + 7], c[OP + 8]
    sg, sy, zg, zy = _reals(c, 3, m), _reals(c, 4, m), _reals(c, 5, m), _reals(c, 6, m)
    row_dots(_reals(c, 0, 2 * m * n), n, m, k, _reals(c, 1, n), _reals(c, 2, n), sg, sy, zg, zy)
    return 0.0


def _add_rows(table):
    c, p = _state(table)
    n, m, k = c[N], c[OP + 7], c[OP + 8]
    u, w = _reals(c, 1, m), _reals(c, 2, m)
    return add_rows(_reals(c, 0, 2 * m * n), n, m, k, u, w, p[OPF], _reals(c, 3, n), _reals(c, 4, n))


def _norm_inf(table):
    c, _ = _state(table)
    return norm_inf(_reals(c, 0, c[N]))


# in the order of the slots OP_STEP_TO, ...
_OPERATIONS = (
    _step_to,
    _dot,
    _negate_dot,
    _combine_dot,
    _four_dots,
    _difference_dots,
    _row_dots,
    _add_rows,
    _norm_inf,
)
_compiled: dict = {}
_busy = threading.Lock()


def table():
    """Address of the table of operations; compiles them where Numba's cache doesn't hold them."""
    if "table" not in _compiled:
        exported = [cfunc(types.float64(types.intp), error_model="numpy", cache=True)(f) for f in _OPERATIONS]
        addresses = np.zeros(16, np.int64)
        addresses[: len(exported)] = [f.address for f in exported]
        _compiled["keep"], _compiled["table"] = (exported, addresses), addresses.ctypes.data
    return _compiled["table"]


def acquire():
    """The address of the table of operations, if several threads may be used now, else 0.

    One run at a time uses them, and other runs work alone meanwhile: not every threading layer of Numba can be
    entered twice.  The results are the same to the last bit.
    """
    if (os.cpu_count() or 1) < 2 or numba.get_num_threads() < 2 or not _busy.acquire(blocking=False):
        return 0
    if threading.active_count() > 1:
        address = table()
        dot(np.ones(2), np.ones(2))  # starts the threading layer, so that it has a name
        if numba.threading_layer() == "workqueue":
            release()
            return 0
        return address
    return table()


def release():
    """Give the threads back."""
    _busy.release()
