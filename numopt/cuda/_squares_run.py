"""How a run of a sum of squares begins and ends on the device."""

from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.status import Status

DELICATE = q.DELICATE
_NAN_STATUS, _FTOL, _NO_STEP, _STALLED = (int(x) for x in (Status.NAN, Status.FTOL, Status.LINE_SEARCH, Status.STALLED))
_NAN = float("nan")


@kernel
def begin_run(i, c, p, w, data):
    """Set a run back to its beginning, for problem i."""
    c0, p0, X0, where, scale, lower, upper = data
    for k in range(c0.size):
        c[k] = c0[k]
    for k in range(p0.size):
        p[k] = p0[k]
    n, finite, row = where.size, True, (i if lower.shape[0] > 1 else 0)
    for j in range(n):
        x = X0[i, where[j]]
        w[j] = x
        finite = finite and abs(x) < float("inf")
        if c[s.GIVEN_SCALE] != 0:
            w[s.N_COMMON * n + j] = w[(s.N_COMMON + 1) * n + j] = 1.0 / scale[j]
        if c[s.BOUNDED] != 0:
            w[w.size - 3 * n + j] = 1.0
            w[w.size - 2 * n + j] = lower[row, where[j]]
            w[w.size - n + j] = upper[row, where[j]]
    if not finite:
        c[s.STATUS], p[s.F], p[s.GNORM] = _NAN_STATUS, _NAN, _NAN


@kernel
def _no_less(c, p, w):
    """Whether a run in single precision has ended because what f may still fall by is within ftol: less than shows."""
    n = c[s.N]
    if c[s.STATUS] != _NO_STEP and c[s.STATUS] != _STALLED:
        return False
    first, promise = q.VECTORS * n + c[s.PARITY] * n * (n + 1), 0.0
    for k in range(n):
        promise += w[first + k * (n + 1) + n] ** 2
    return promise <= 2.0 * p[s.LSQ_FTOL] * p[s.F]


@kernel
def end_run(i, c, p, w, X0, where, results, single):
    """Write the result of problem i, but for its triangle; its status."""
    x, g, f, gnorm, counts, triangle = results
    n, place = where.size, c[s.PARITY]
    for k in range(X0.shape[1]):
        x[i, k], g[i, k] = X0[i, k], 0.0
    for j in range(n):
        x[i, where[j]] = w[place * n + j]
        g[i, where[j]] = w[(s.G0 + place) * n + j]
    f[i], gnorm[i] = p[s.F], p[s.GNORM]
    counts[i, 0], counts[i, 1], counts[i, 2] = c[s.NIT], c[s.NFEV], c[s.NJEV]
    if single and _no_less(c, p, w):
        return _FTOL
    return c[s.STATUS]


@kernel
def put_triangle(i, w, n, place, out):
    """Write (R'R)^-1 of the triangle R of a place, and a 1 last; where that is delicate R itself, and a 0.

    As ``numopt.optimize._batch_covariance.inverses``; what is delicate is looked at there.
    """
    R, half, wide, last = q.VECTORS * n + place * n * (n + 1), q.VECTORS * n + 2 * n * (n + 1), n + 1, n * (n + 1) - 1
    norms, good, total = half + n * n, True, 0.0
    for j in range(n):
        t = 0.0
        for k in range(j + 1):
            t += w[R + k * wide + j] * w[R + k * wide + j]
        w[norms + j] = t**0.5
        good = good and 0.0 < t < float("inf")
    if good:  # the inverse of R with columns of norm 1
        for j in range(n):
            w[half + j * n + j] = w[norms + j] / w[R + j * wide + j]
            for k in range(j - 1, -1, -1):
                t = 0.0
                for m in range(k + 1, j + 1):
                    t += w[R + k * wide + m] / w[norms + m] * w[half + m * n + j]
                w[half + k * n + j] = -t * w[norms + k] / w[R + k * wide + k]
            for k in range(j + 1):
                total += w[half + k * n + j] * w[half + k * n + j]
        good = n * total * DELICATE * DELICATE < 1.0
    if not good:
        for k in range(last):
            out[i, k] = w[R + k]
        out[i, last] = 0.0
        return
    for j in range(n):
        for k in range(j, n):
            t = 0.0
            for m in range(k, n):
                t += w[half + j * n + m] * w[half + k * n + m]
            t /= w[norms + j] * w[norms + k]
            out[i, j * n + k] = t
            out[i, k * n + j] = t
    for k in range(n * n, last):
        out[i, k] = 0.0
    out[i, last] = 1.0
