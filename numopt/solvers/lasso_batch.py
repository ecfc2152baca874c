"""Many small lassos and elastic nets, each on the Gram matrix of all its columns.

    minimise  1/2 |y_c - X_c w|^2 + na |w|_1 + l2/2 |w|_2^2,      na = m alpha l1_ratio,  l2 = m alpha (1 - l1_ratio)

For each of its penalties in turn a problem is solved on G = X_c'X_c by coordinate descent, ended by the active set
method (``lasso_gram``), to a tolerance that is drawn from the gap.  Then the residual and the correlations are taken
from X itself, and the gap P - D is certified (``lasso.duality_gap``); it ends when P - D <= tol |y_c|^2, or goes on
from there.  This is ``lasso.path`` with all columns in the working set.

A problem reads arrays only and allocates nothing: the same source runs on threads (``unit``) and on a GPU.
"""

from typing import Any, NamedTuple

from numba import carray, types

from numopt.kernels import batch_slots as b
from numopt.kernels.atomic import fetch, fetch_add
from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import void_pointer
from numopt.kernels.robust import reals, words
from numopt.kernels.slots import ABORT, N_COUNTERS
from numopt.kernels.status import Status
from numopt.kernels.tiles import add_gram
from numopt.solvers import lasso_batch_slots as s
from numopt.solvers import lasso_gram
from numopt.solvers.lasso import HUGE, ROUNDS, duality_gap
from numopt.solvers.lasso_slots import CONSTANT
from numopt.solvers.lasso_steps import add_multiple

_GAP, _MAXITER, _STALLED = int(Status.GAP), int(Status.MAXITER), int(Status.STALLED)
_NAN_STATUS = int(Status.NAN)
_NAN = float("nan")


class Work(NamedTuple):
    """What a problem writes to on its way."""

    y: Any  # (m,): y_c
    v: Any  # (m,): the residual
    w: Any  # (p,) from here on
    q: Any  # X_c'v
    d: Any
    qn: Any
    wn: Any
    b: Any
    t: Any
    L: Any  # (p, p): Cholesky factor of the active set
    support: Any  # (p,) of int64


@reduction
def _dots4(A, j, v, m):
    """The inner products of rows j..j+3 of A with v, which share its loads."""
    a0, a1, a2, a3, v = A[j, :m], A[j + 1, :m], A[j + 2, :m], A[j + 3, :m], v[:m]
    s0 = s1 = s2 = s3 = 0.0
    for i in range(v.size):
        s0 += a0[i] * v[i]
        s1 += a1[i] * v[i]
        s2 += a2[i] * v[i]
        s3 += a3[i] * v[i]
    return s0, s1, s2, s3


@kernel
def products(A, v, m, q):
    """q = A v."""
    p = q.size
    for j in range(0, p, 4):
        s0, s1, s2, s3 = _dots4(A, j, v, m)
        q[j] = s0
        if j + 1 < p:
            q[j + 1] = s1
        if j + 2 < p:
            q[j + 2] = s2
        if j + 3 < p:
            q[j + 3] = s3


@reduction
def _square(v, m):
    v = v[:m]
    total = 0.0
    for i in range(v.size):
        total += v[i] * v[i]
    return total


@reduction
def _sum_about(x, m, mean):
    x = x[:m]
    total = 0.0
    for i in range(x.size):
        total += x[i] - mean
    return total


@kernel
def mean_of(x, m):
    """The mean, once more from there: that of equal numbers is that number."""
    mean = _sum_about(x, m, 0.0) / m
    return mean + _sum_about(x, m, mean) / m


@kernel
def prepare(X, m, centred, A, G, mean):
    """Sets A = X_c', columns that are constant but for rounding to zero, G = A A' and the means."""
    for j in range(mean.size):
        mean[j] = mean_of(X[:, j], m) if centred else 0.0
        row = A[j]
        for i in range(m):
            row[i] = X[i, j] - mean[j]
        if _square(row, m) <= CONSTANT * CONSTANT * m * mean[j] * mean[j]:
            for i in range(m):
                row[i] = 0.0
    for j in range(mean.size, A.shape[0]):
        for i in range(m):
            A[j, i] = 0.0
    for i in range(G.shape[0]):
        for j in range(i + 1):
            G[i, j] = 0.0
    add_gram(A, G, 0, G.shape[0], m)
    for i in range(G.shape[0]):
        for j in range(i):
            G[j, i] = G[i, j]


@kernel
def diagonal(G, out):
    """The columns' sums of squares; False where they overflow."""
    good = True
    for j in range(out.size):
        out[j] = G[j, j]
        good = good and out[j] < HUGE
    return good


@kernel
def fit(
    A, G, mean, y, m, centred, positive, alphas, l1_ratio, tol, max_iter, c, work, coef, intercept, gaps, values, passes
):
    """Solve one problem for its penalties in turn, each from the solution before; returns the status.

    Sets a row of coef (k, p), intercept, the gap and the objective (both divided by m), and the passes of each penalty.
    ``c``: counters, by which the run can be told to end.
    """
    p, w, q, square = work.w.size, work.w, work.q, work.t
    ymean = mean_of(y, m) if centred else 0.0
    for i in range(m):
        work.y[i] = y[i] - ymean
        work.v[i] = work.y[i]
    yy = _square(work.y, m)
    good = yy < HUGE
    for j in range(p):
        w[j] = 0.0
        good = good and G[j, j] < HUGE
    goal, R2, kept, before_l2, status = tol * yy, yy, -1, -1.0, _GAP
    if good:
        products(A, work.y, m, q)
    steepest = 0.0
    for j in range(p):
        steepest = max(steepest, abs(q[j]))
    for step in range(alphas.size):
        na, l2 = m * alphas[step] * l1_ratio, m * alphas[step] * (1.0 - l1_ratio)
        if l2 != before_l2:
            kept, before_l2 = -1, l2
        dual, primal, gap, tightness, done = -1e300, 0.0, 1e300, 1.0, 0
        for _ in range(ROUNDS if good else 0):
            for j in range(p):
                square[j] = G[j, j]
            primal, dual = duality_gap(R2, q, w, square, na, l2, positive, dual)
            before = gap
            gap = primal - dual
            if gap <= goal or done >= max_iter or c[ABORT] != 0:
                break
            if gap > 0.5 * before:
                tightness *= 0.1
                if tightness < 1e-8:
                    break
            aim = max(0.1 * gap, 0.3 * goal)
            limit = tightness * max(na * aim / max(primal, 1e-300), (2.0 * l2 * aim / p) ** 0.5)
            more, kept, _ = lasso_gram.solve(
                G, q, w, na, l2, p, positive, max(limit, 1e-15 * steepest), max_iter - done, kept, work.L, work.d,
                work.qn, work.wn, work.b, work.t, work.support, work.support, 0,
            )  # fmt: skip
            done += more
            for i in range(m):
                work.v[i] = work.y[i]
            for j in range(p):
                if w[j] != 0.0:
                    add_multiple(-w[j], A[j], work.v, m)
            products(A, work.v, m, q)
            R2 = _square(work.v, m)
        shift = 0.0
        for j in range(p):
            coef[step, j] = w[j] if good else _NAN
            shift += w[j] * mean[j]
        intercept[step] = ymean - shift if good else _NAN
        gaps[step] = max(gap, 0.0) / m if good else _NAN
        values[step] = primal / m if good else _NAN
        passes[step] = done
        if not good:
            status = _NAN_STATUS
        elif not gap <= goal:
            status = c[ABORT] if c[ABORT] != 0 else _MAXITER if done >= max_iter else _STALLED
    return status


@kernel
def _matrix(address, rows, columns):
    return carray(void_pointer(address), (rows, columns), types.float64)


def unit(block, _):
    """Take problems until there are none left, or until told to stop."""
    a = words(block, s.N_WORDS)
    m, p, k = a[s.M], a[s.P], a[s.K]
    p4 = p + (-p) % 4
    r, c = reals(a[s.REALS], s.N_REALS), words(a[b.C], N_COUNTERS)
    A, G, mean = _matrix(a[s.A], p4, m), _matrix(a[s.G], p4, p4), reals(a[s.MEAN], p)
    at, to = a[s.WORK], a[s.WORK] + 8 * s.WORK_ROWS * m
    work = Work(
        reals(at, m),
        reals(at + 8 * m, m),
        reals(to, p),
        reals(to + 8 * p, p),
        reals(to + 16 * p, p),
        reals(to + 24 * p, p),
        reals(to + 32 * p, p),
        reals(to + 40 * p, p),
        reals(to + 48 * p, p),
        _matrix(to + 8 * s.WORK_COLUMNS * p, p, p),
        words(a[s.SUPPORT], p),
    )
    while fetch(a[b.STOP]) == 0:
        first = fetch_add(a[b.NEXT], a[b.GRAIN])
        if first >= a[b.COUNT]:
            break
        for i in range(first, min(first + a[b.GRAIN], a[b.COUNT])):
            if fetch(a[b.STOP]) != 0:
                break
            count = words(a[s.LENGTHS] + 8 * i, 1)[0] if a[s.LENGTHS] != 0 else m
            if a[s.X] != 0:
                prepare(_matrix(a[s.X] + i * a[s.X_STRIDE], m, p), count, a[s.CENTRED] != 0, A, G, mean)
            words(a[s.STATUS] + 8 * i, 1)[0] = fit(
                A, G, mean, reals(a[s.Y] + i * a[s.Y_STRIDE], m), count, a[s.CENTRED] != 0, a[s.POSITIVE] != 0,
                reals(a[s.ALPHA] + i * a[s.ALPHA_STRIDE], k), r[s.L1_RATIO], r[s.TOL], a[s.MAX_ITER], c,
                work, _matrix(a[s.COEF] + 8 * k * p * i, k, p), reals(a[s.INTERCEPT] + 8 * k * i, k),
                reals(a[s.GAP] + 8 * k * i, k), reals(a[s.OBJECTIVE] + 8 * k * i, k), words(a[s.PASSES] + 8 * k * i, k),
            )  # fmt: skip
            a[b.DONE] += 1
    return 0.0
