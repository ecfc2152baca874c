r"""Symmetric indefinite factorisation: P A P' = U' D U, with the inertia of A.

U is unit upper triangular, D has blocks of 1 x 1 and 2 x 2.  The pivots are those of the rook search (Ashcraft, Grimes
& Lewis, Accurate symmetric indefinite linear equation solvers, SIAM J. Matrix Anal. Appl. 20 (1998), 513-561): like
Bunch & Kaufman's, but with the entries of U bounded, at most 1 / (1 - alpha) = 2.78.

A matrix is kept in one block together with its factor: the strict lower triangle of ``A`` (n x n, row by row) and the
vector ``d``, its diagonal, are the matrix, and stay; the upper triangle and the diagonal of ``A`` are where the factor
goes.  So a diagonal can be shifted and the matrix factorised again without a copy, and residuals can be had as well.

An entry of what is left to factorise is as good as zero where it is lost in the rounding of what it was computed from,
in terms of its own row and column: a matrix with entries of very different size has no false zeros for that.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.dense import EPS

_ALPHA = 0.6403882032022076  # (1 + 17^(1/2)) / 8: makes two 1 x 1 steps and one 2 x 2 step grow the entries alike
_LOST = 4.0  # units of n EPS: what dependent rows of 10,000 random KKT matrices left was less than 1 of them


@kernel
def _swap(A, n, p, q, perm, size):
    """Exchange rows and columns p < q of what is left to factorise, and the columns of U."""
    for i in range(p):
        t = A[i * n + p]
        A[i * n + p] = A[i * n + q]
        A[i * n + q] = t
    for i in range(p + 1, q):
        t = A[p * n + i]
        A[p * n + i] = A[i * n + q]
        A[i * n + q] = t
    for j in range(q + 1, n):
        t = A[p * n + j]
        A[p * n + j] = A[q * n + j]
        A[q * n + j] = t
    t = A[p * n + p]
    A[p * n + p] = A[q * n + q]
    A[q * n + q] = t
    t = perm[p]
    perm[p] = perm[q]
    perm[q] = t
    t = size[p]
    size[p] = size[q]
    size[q] = t


@kernel
def _entry(a, noise, s, t):
    """The size of an entry, 0 where it is lost in rounding; s, t: sizes of what its row and column came from."""
    return abs(a) if a * a > noise * noise * s * t else 0.0


@kernel
def _largest(A, n, k, r, noise, size):
    """(size, place) of the largest entry beside the diagonal in row r of what is left from k on."""
    most, at = 0.0, r
    for j in range(k, r):
        a = _entry(A[j * n + r], noise, size[j], size[r])
        if a > most:
            most, at = a, j
    for j in range(r + 1, n):
        a = _entry(A[r * n + j], noise, size[j], size[r])
        if a > most:
            most, at = a, j
    return most, at


@kernel
def ldlt(A, d, n, perm, size):
    """Factorise; (positive, negative, zero eigenvalues).

    Parameters
    ----------
    A : array of n * n
        Strict lower triangle: the matrix.  Set: the upper one, U and D; a zero pivot has a zero row of U.
    d : array of n
        The diagonal of the matrix.
    n : int
        The order.
    perm : array of n
        Set: rows of the matrix in the order of the pivots; -1 - row where the pivot is of a 2 x 2 block.
    size : array of n
        Scratch.
    """
    for i in range(n):
        perm[i] = float(i)
        A[i * n + i] = d[i]
        size[i] = abs(d[i])
        for j in range(i):
            A[j * n + i] = A[i * n + j]
    positive, negative, zero, noise = 0, 0, 0, _LOST * n * EPS
    k = 0
    while k < n:
        most, r = _largest(A, n, k, k, noise, size)
        p, double = k, False
        if _entry(A[k * n + k], noise, size[k], size[k]) < _ALPHA * most:
            for _ in range(n):  # each round finds a larger entry
                here = A[r * n + r]
                across, at = _largest(A, n, k, r, noise, size)
                if _entry(here, noise, size[r], size[r]) >= _ALPHA * across:
                    p = r
                    break
                if not across > most:
                    double = True
                    break
                p, most, r = r, across, at
        if double:
            p, r = min(p, r), max(p, r)
            if p != k:
                _swap(A, n, k, p, perm, size)
            if r != k + 1:
                _swap(A, n, k + 1, r, perm, size)
            a, b, c = A[k * n + k], A[k * n + k + 1], A[(k + 1) * n + k + 1]
            # a c < b^2 as the search ends: one eigenvalue of each sign.  Divided by b, so that nothing overflows
            positive += 1
            negative += 1
            ab, cb = a / b, c / b
            t = 1.0 / (b * (ab * cb - 1.0))
            for i in range(k + 2, n):
                u, v = A[k * n + i], A[(k + 1) * n + i]
                lu, lv = t * (cb * u - v), t * (ab * v - u)
                for j in range(i, n):
                    A[i * n + j] -= lu * A[k * n + j] + lv * A[(k + 1) * n + j]
                size[i] += (abs(a) + abs(b)) * lu * lu + (abs(b) + abs(c)) * lv * lv
                A[k * n + i], A[(k + 1) * n + i] = lu, lv
            perm[k] = -1.0 - perm[k]
            perm[k + 1] = -1.0 - perm[k + 1]
            k += 2
            continue
        if p != k:
            _swap(A, n, k, p, perm, size)
        a = A[k * n + k]
        if _entry(a, noise, size[k], size[k]) == 0.0:
            zero += 1
            for i in range(k, n):
                A[k * n + i] = 0.0
        else:
            if a > 0.0:
                positive += 1
            else:
                negative += 1
            for i in range(k + 1, n):
                u = A[k * n + i]
                if u != 0.0:
                    l = u / a
                    for j in range(i, n):
                        A[i * n + j] -= l * A[k * n + j]
                    size[i] += abs(l * u)
                    A[k * n + i] = l
        k += 1
    return positive, negative, zero


@kernel
def solve_ldlt(A, n, perm, b, x, work):
    """x = the solution of A x = b from the factor (0 in the place of zero pivots); ``x`` may be ``b``."""
    k = 0
    for i in range(n):
        p = perm[i]
        work[i] = b[int(p) if p >= 0.0 else int(-1.0 - p)]
    while k < n:
        if perm[k] >= 0.0:
            t = work[k]
            for i in range(k + 1, n):
                work[i] -= A[k * n + i] * t
            work[k] = t / A[k * n + k] if A[k * n + k] != 0.0 else 0.0
            k += 1
            continue
        u, v = work[k], work[k + 1]
        for i in range(k + 2, n):
            work[i] -= A[k * n + i] * u + A[(k + 1) * n + i] * v
        b_ = A[k * n + k + 1]
        ab, cb = A[k * n + k] / b_, A[(k + 1) * n + k + 1] / b_
        t = 1.0 / (b_ * (ab * cb - 1.0))
        work[k], work[k + 1] = t * (cb * u - v), t * (ab * v - u)
        k += 2
    k = n - 1
    while k >= 0:
        if perm[k] >= 0.0:
            s = work[k]
            for i in range(k + 1, n):
                s -= A[k * n + i] * work[i]
            work[k] = s
            k -= 1
            continue
        u, v = work[k - 1], work[k]
        for i in range(k + 1, n):
            u -= A[(k - 1) * n + i] * work[i]
            v -= A[k * n + i] * work[i]
        work[k - 1], work[k] = u, v
        k -= 2
    for i in range(n):
        p = perm[i]
        x[int(p) if p >= 0.0 else int(-1.0 - p)] = work[i]


@kernel
def residual_ldlt(A, d, n, b, x, r):
    """r = b - A x; the largest component."""
    for i in range(n):
        r[i] = b[i] - d[i] * x[i]
    for i in range(n):
        s, t = 0.0, x[i]
        for j in range(i):
            a = A[i * n + j]
            s += a * x[j]
            r[j] -= a * t
        r[i] -= s
    most = 0.0
    for i in range(n):
        a = abs(r[i])
        most = a if a > most or a != a else most
    return most


@kernel
def refine_ldlt(A, d, n, perm, b, x, r, work, rounds):
    """Iterative refinement of x, at most ``rounds`` times, while the residual falls; the last residual's size.

    ``r`` and ``work`` (n each) are scratch.
    """
    most = residual_ldlt(A, d, n, b, x, r)
    for _ in range(rounds):
        if most == 0.0:
            break
        solve_ldlt(A, n, perm, r, r, work)
        for i in range(n):
            work[i] = x[i]
            x[i] += r[i]
        new = residual_ldlt(A, d, n, b, x, r)
        if not new < most:
            for i in range(n):
                x[i] = work[i]
            break
        most = new
    return most
