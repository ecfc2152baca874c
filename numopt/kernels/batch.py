"""Many problems, one after the other on each thread: the loop around the compiled solvers.

Each thread has one run: counters, scalars, a workspace, the table of words with the adapters of the user's functions,
made as for a single call.  For a problem the run is set back to its beginning, the words that differ from problem to
problem (addresses of data, lengths) are put in their places, and the solver's unit is called.  So a problem's result
is that of the single call to the last bit, and does not know of its neighbours.
"""

from numba import njit

from numopt.kernels import batch_slots as b
from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q
from numopt.kernels.atomic import fetch, fetch_add
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import call1
from numopt.kernels.robust import reals, words
from numopt.kernels.slots import G0, X0
from numopt.kernels.slots import best_point as _best_point
from numopt.kernels.status import Status

_NAN_STATUS = int(Status.NAN)
_NAN = float("nan")
best_point = njit(_best_point)


@kernel
def _begin(a, c, p, w, i):
    """Set the run back to its beginning, for problem i; False where its start is not finite."""
    n, c0, p0, x0 = a[b.N], words(a[b.C0], s.N_COUNTERS), reals(a[b.P0], s.N_SCALARS), a[b.X0] + i * a[b.X0_STRIDE]
    for k in range(s.N_COUNTERS):
        c[k] = c0[k]
    for k in range(s.N_SCALARS):
        p[k] = p0[k]
    if a[b.W0] != 0:
        w0 = reals(a[b.W0], w.size)
        for k in range(w.size):
            w[k] = w0[k]
    x, good = reals(x0, n), True
    for j in range(n):
        w[j] = x[j]
        good = good and abs(x[j]) < float("inf")
    if a[b.LOWER] != 0:
        lower = reals(a[b.LOWER] + i * a[b.LOWER_STRIDE], n)
        upper = reals(a[b.UPPER] + i * a[b.UPPER_STRIDE], n)
        for j in range(n):
            w[w.size - 3 * n + j] = 1.0
            w[w.size - 2 * n + j] = lower[j]
            w[w.size - n + j] = upper[j]
    for k in range(a[b.N_PATCHES]):
        patch = words(a[b.PATCHES] + 32 * k, 4)
        there = patch[b.ARRAY] + i * patch[b.STRIDE]
        words(patch[b.TARGET], 1)[0] = there if patch[b.KIND] == b.ADDRESS else words(there, 1)[0]
    if a[b.FLAG] != 0:
        words(a[b.FLAG], 1)[0] = 0
    return good


@kernel
def _end(a, c, p, w, i):
    """Write the result of problem i to its places."""
    n, place = a[b.N], c[s.PARITY]
    gnorm = p[s.GNORM]
    if a[b.SQUARES] != 0:
        k, g, f = X0 + place, G0 + place, p[s.F]
    else:
        k, g, f = best_point(c, p)
        if k != X0 + place and c[s.VALUES_ONLY] == 0:
            gnorm = -1.0
    x, counts = reals(a[b.OUT_X] + 8 * n * i, n), words(a[b.OUT_COUNTS] + 32 * i, 4)
    for j in range(n):
        x[j] = w[k * n + j]
    if a[b.OUT_G] != 0:
        slope = reals(a[b.OUT_G] + 8 * n * i, n)
        for j in range(n):
            slope[j] = w[g * n + j]
    reals(a[b.OUT_F] + 8 * i, 1)[0] = f
    reals(a[b.OUT_GNORM] + 8 * i, 1)[0] = gnorm
    words(a[b.OUT_STATUS] + 8 * i, 1)[0] = c[s.STATUS]
    counts[0], counts[1], counts[2], counts[3] = c[s.NIT], c[s.NFEV], c[s.NJEV], c[s.NHEV]
    if a[b.OUT_TRIANGLE] != 0:
        size = n * (n + 1)
        T = reals(a[b.OUT_TRIANGLE] + 8 * size * i, size)
        start = q.VECTORS * n + place * size
        for k in range(size):
            T[k] = w[start + k]


@kernel
def run_batch(block, _):
    """Take problems until there are none left, or until told to stop."""
    a = words(block, b.N_WORDS)
    c, p, w = words(a[b.C], s.N_COUNTERS), reals(a[b.P], s.N_SCALARS), reals(a[b.W], a[b.W_SIZE])
    while fetch(a[b.STOP]) == 0:
        first = fetch_add(a[b.NEXT], a[b.GRAIN])
        if first >= a[b.COUNT]:
            break
        for k in range(first, min(first + a[b.GRAIN], a[b.COUNT])):
            if fetch(a[b.STOP]) != 0:
                break
            i = k if a[b.ORDER] == 0 else words(a[b.ORDER], a[b.COUNT])[k]
            if _begin(a, c, p, w, i):
                call1(a[b.UNIT], a[b.TABLE])
            else:
                c[s.STATUS], p[s.F], p[s.GNORM] = _NAN_STATUS, _NAN, _NAN
                for j in range(a[b.N]):
                    w[G0 * a[b.N] + j] = _NAN
            _end(a, c, p, w, i)
            a[b.FLAWS] |= c[s.HESSIAN_FLAWS]
            a[b.DONE] += 1
    return 0.0
