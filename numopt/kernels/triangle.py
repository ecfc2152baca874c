"""Small triangular factors of tall matrices: what a linear least-squares problem leaves to be kept.

A triangle is the first n rows of the factor R of [A | b] = Q R, a flat row-major n x (n + 1) matrix: R'R = A'A, and its
last column c is Q'b, so that |A p + b|^2 = |R p + c|^2 + constant.  Rows of [A | b] are absorbed a panel at a time, so
that A need never stand anywhere as a whole.

References: Golub & Van Loan, Matrix Computations, 4th ed., sections 5.1, 5.4 (pivoting), 6.1 (updating); Moré, The
Levenberg-Marquardt algorithm: implementation and theory, in: Numerical Analysis, Lecture Notes in Mathematics 630
(1978), 105-116.
"""

from numopt.kernels.compiling import kernel, reduction, short_reduction

DEPENDENT = 1e-14  # of a column's norm: what is left of it beside others is rounding
_CLEAR = 1e-5  # of a column's norm: where as much is left of every column as they stand, there is no need to pivot
CLOSE = 0.1  # |D z| this near to the radius, relative, is on the boundary (Moré 1978)


@short_reduction
def inner(x, y, k):
    """x'y."""
    s = 0.0
    for i in range(k):
        s += x[i] * y[i]
    return s


@short_reduction
def add(a, x, y, k):
    """y += a x."""
    for i in range(k):
        y[i] += a * x[i]


@kernel
def absorb(T, n, panel, height, rows):
    """Take the rows of a panel into the triangle; the panel is destroyed.

    ``panel`` holds n + 1 columns of [A | b] one after the other, each in ``height`` places of which the first ``rows``
    count.
    """
    wide = n + 1
    for k in range(n):
        v = panel[k * height : k * height + rows]
        tail = inner(v, v, rows)
        if tail == 0.0:
            continue
        top = T[k * wide + k]
        size = (top * top + tail) ** 0.5
        alpha = -size if top > 0.0 else size
        first = top - alpha
        # I - beta v v', with v = (first, column k)
        beta = 1.0 / (size * (size + abs(top)))
        T[k * wide + k] = alpha
        for j in range(k + 1, wide):
            column = panel[j * height : j * height + rows]
            s = beta * (first * T[k * wide + j] + inner(v, column, rows))
            T[k * wide + j] -= s * first
            add(-s, v, column, rows)


@kernel
def gradient(T, n, g):
    """g = R'c, which is A'b."""
    wide = n + 1
    for j in range(n):
        s = 0.0
        for i in range(j + 1):
            s += T[i * wide + j] * T[i * wide + n]
        g[j] = s


@kernel
def column_norms(T, n, out):
    """The norms of the columns of A."""
    wide = n + 1
    for j in range(n):
        s = 0.0
        for i in range(j + 1):
            s += T[i * wide + j] * T[i * wide + j]
        out[j] = s**0.5


@kernel
def square_norm(T, n, p):
    """|R p|^2, which is |A p|^2."""
    wide = n + 1
    total = 0.0
    for i in range(n):
        s = 0.0
        for j in range(i, n):
            s += T[i * wide + j] * p[j]
        total += s * s
    return total


@reduction
def _independent(T, n):
    """Whether more than a little is left of each column beside those before it."""
    wide = n + 1
    for j in range(n):
        above = 0.0
        for i in range(j):
            above += T[i * wide + j] * T[i * wide + j]
        size = T[j * wide + j] * T[j * wide + j]
        if not size > _CLEAR * _CLEAR * (size + above):
            return False
    return True


@kernel
def factor(T, n, s, free, count, S, perm):
    """The pivoted factor of the columns ``free`` of R, with c + R s on its right: S, flat, n x (count + 1).

    ``s``: the step of the other variables, zero for those in ``free``.  ``perm`` (as doubles): which of the variables
    stands in which column.  Returns the rank: a column of which next to nothing is left beside those before ends it.
    R itself will do where all variables are free and its columns are far from dependent.
    """
    wide, w = n + 1, count + 1
    if count == n and _independent(T, n):
        for i in range(n * wide):
            S[i] = T[i]
        for a in range(n):
            perm[a] = float(a)
        return n
    for i in range(n):
        for a in range(count):
            j = int(free[a])
            S[i * w + a] = T[i * wide + j] if j >= i else 0.0
        c = T[i * wide + n]
        for j in range(i, n):
            c += T[i * wide + j] * s[j]
        S[i * w + count] = c
    for a in range(count):
        perm[a] = free[a]
    rank = count
    for k in range(count):
        best, most = k, -1.0
        for a in range(k, count):
            size = 0.0
            for i in range(k, n):
                size += S[i * w + a] * S[i * w + a]
            if size > most * (1.0 + 1e-12):  # equal but for rounding: the first
                best, most = a, size
        if best != k:
            for i in range(n):
                t = S[i * w + k]
                S[i * w + k] = S[i * w + best]
                S[i * w + best] = t
            t = perm[k]
            perm[k] = perm[best]
            perm[best] = t
        size = most**0.5
        if size == 0.0:
            return min(rank, k)
        top = S[k * w + k]
        alpha = -size if top > 0.0 else size
        beta = 1.0 / (size * (size + abs(top)))
        S[k * w + k] = top - alpha
        for a in range(k + 1, w):
            t = 0.0
            for i in range(k, n):
                t += S[i * w + k] * S[i * w + a]
            t *= beta
            for i in range(k, n):
                S[i * w + a] -= t * S[i * w + k]
        S[k * w + k] = alpha
        for i in range(k + 1, n):
            S[i * w + k] = 0.0
        j, whole = int(perm[k]), 0.0
        for i in range(j + 1):
            whole += T[i * wide + j] * T[i * wide + j]
        if size <= DEPENDENT * whole**0.5 and rank == count:
            rank = k
    return rank


@kernel
def solve_upper(S, w, k, z):
    """R z = z for the leading k x k part of rows of width w."""
    for i in range(k - 1, -1, -1):
        s = z[i]
        for j in range(i + 1, k):
            s -= S[i * w + j] * z[j]
        z[i] = s / S[i * w + i]


@kernel
def solve_lower(S, w, k, z):
    """R'z = z for the leading k x k part of rows of width w."""
    for i in range(k):
        s = z[i]
        for j in range(i):
            s -= S[j * w + i] * z[j]
        z[i] = s / S[i * w + i]


@kernel
def damp(S, count, lam, d, perm, U, row):
    """U, the factor of [S; lam D], flat, count x (count + 1): rows of D are rotated in.  d: in the variables' order."""
    w = count + 1
    for i in range(count):
        for a in range(w):
            U[i * w + a] = S[i * w + a]
    for k in range(count):
        for a in range(w):
            row[a] = 0.0
        row[k] = lam * d[int(perm[k])]
        for i in range(k, count):
            y = row[i]
            if y == 0.0:
                continue
            x = U[i * w + i]
            r = (x * x + y * y) ** 0.5
            cos, sin = x / r, y / r
            U[i * w + i] = r
            for a in range(i + 1, w):
                t = U[i * w + a]
                U[i * w + a] = cos * t + sin * row[a]
                row[a] = cos * row[a] - sin * t


@kernel
def undamped_step(S, count, rank, z):
    """z = -S^-1 c, zero beyond the rank."""
    w = count + 1
    for a in range(count):
        z[a] = -S[a * w + count] if a < rank else 0.0
    solve_upper(S, w, rank, z)


@kernel
def damped_step(S, count, lam, d, perm, U, row, z):
    """z that minimises |S z + c|^2 + lam |D z|^2, and the factor U."""
    w = count + 1
    damp(S, count, lam**0.5, d, perm, U, row)
    for a in range(count):
        z[a] = -U[a * w + count]
    solve_upper(U, w, count, z)


@kernel
def _scaled_norm(z, d, perm, count):
    s = 0.0
    for a in range(count):
        s += (d[int(perm[a])] * z[a]) ** 2
    return s**0.5


@kernel
def _curvature(A, z, d, perm, count, size, u):
    """|A^-T D^2 z / size|^2."""
    for a in range(count):
        u[a] = d[int(perm[a])] ** 2 * z[a] / size
    solve_lower(A, count + 1, count, u)
    s = 0.0
    for a in range(count):
        s += u[a] * u[a]
    return s


@kernel
def boundary_step(S, count, rank, d, perm, radius, lam, U, row, z, u):
    """lambda with | |D z| - radius | <= CLOSE radius, or 0 if z is inside (Moré 1978, algorithm 5.5); sets z."""
    undamped_step(S, count, rank, z)
    size = _scaled_norm(z, d, perm, count)
    if size <= (1.0 + CLOSE) * radius:
        return 0.0
    w = count + 1
    phi, low = size - radius, 0.0
    if rank == count:
        low = phi / radius / _curvature(S, z, d, perm, count, size, u)
    high = 0.0
    for a in range(count):
        s = 0.0
        for i in range(a + 1):
            s += S[i * w + a] * S[i * w + count]
        high += (s / d[int(perm[a])]) ** 2
    high = high**0.5 / radius
    if high == 0.0:
        return 0.0
    lam = min(max(lam, low), high)
    if lam == 0.0:
        lam = high * radius / size
    for _ in range(10):
        if lam == 0.0:
            lam = max(1e-300, 1e-3 * high)
        damped_step(S, count, lam, d, perm, U, row, z)
        size = _scaled_norm(z, d, perm, count)
        before, phi = phi, size - radius
        if abs(phi) <= CLOSE * radius or (low == 0.0 and phi <= before and before < 0.0):
            break
        newton = phi / radius / _curvature(U, z, d, perm, count, size, u)
        if phi > 0.0:
            low = max(low, lam)
        else:
            high = min(high, lam)
        lam = max(low, lam + newton)
    return lam
