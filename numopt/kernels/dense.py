"""Small dense linear algebra on flat, row-major, caller-owned matrices."""

from numopt.kernels.compiling import kernel, reduction

EPS = 2.220446049250313e-16


@reduction
def times(H, v, out):
    """out = H v; returns v'Hv."""
    n = v.size
    curvature = 0.0
    for i in range(n):
        s = 0.0
        for j in range(n):
            s += H[i * n + j] * v[j]
        out[i] = s
        curvature += v[i] * s
    return curvature


@kernel
def cholesky(A, L, n, shift):
    """L L' = A + shift I.  False if that is not positive definite to working precision."""
    for i in range(n):
        for j in range(i + 1):
            s = A[i * n + j]
            if i == j:
                s += shift
            for k in range(j):
                s -= L[i * n + k] * L[j * n + k]
            if i == j:
                # a pivot lost in the rounding of the diagonal is as good as zero
                if not s > n * EPS * (abs(A[i * n + i]) + shift):
                    return False
                L[i * n + i] = s**0.5
            else:
                L[i * n + j] = s / L[j * n + j]
    return True


@kernel
def solve_cholesky(L, n, b, x):
    """L L' x = b; ``x`` may be ``b``."""
    for i in range(n):
        s = b[i]
        for k in range(i):
            s -= L[i * n + k] * x[k]
        x[i] = s / L[i * n + i]
    for i in range(n - 1, -1, -1):
        x[i] = x[i] / L[i * n + i]
        for k in range(i):
            x[k] -= L[i * n + k] * x[i]


@kernel
def modified_cholesky(A, L, D, perm, n):
    """P (A + E) P' = L diag(D) L' with E diagonal, zero where A is safely positive definite.

    Gill, Murray & Wright, Practical Optimization (1981), section 4.4.2.2: pivots are at least delta, and the
    entries of L sqrt(D) at most beta, which bounds E.  ``L`` (n x n, unit lower, overwritten as work), ``D`` (n),
    ``perm`` (n, as doubles).
    """
    gamma, xi = 0.0, 0.0
    for i in range(n):
        perm[i] = float(i)
        gamma = max(gamma, abs(A[i * n + i]))
        for j in range(n):
            L[i * n + j] = A[i * n + j]
            if i != j:
                xi = max(xi, abs(A[i * n + j]))
    delta = EPS * max(gamma + xi, 1.0)
    root = (n * n - 1.0) ** 0.5 if n > 1 else 1.0
    beta2 = max(gamma, xi / root, EPS)
    for j in range(n):
        # the largest remaining diagonal entry becomes the pivot
        q = j
        for i in range(j + 1, n):
            if abs(L[i * n + i]) > abs(L[q * n + q]):
                q = i
        if q != j:
            t = perm[j]
            perm[j] = perm[q]
            perm[q] = t
            for k in range(n):
                t = L[j * n + k]
                L[j * n + k] = L[q * n + k]
                L[q * n + k] = t
            for k in range(n):
                t = L[k * n + j]
                L[k * n + j] = L[k * n + q]
                L[k * n + q] = t
        theta = 0.0
        for i in range(j + 1, n):
            theta = max(theta, abs(L[i * n + j]))
        dj = max(abs(L[j * n + j]), theta * theta / beta2, delta)
        D[j] = dj
        for i in range(j + 1, n):
            lij = L[i * n + j] / dj
            for k in range(j + 1, i + 1):
                L[i * n + k] -= lij * L[k * n + j]
        for i in range(j + 1, n):
            for k in range(j + 1, i):
                L[k * n + i] = L[i * n + k]
        for i in range(j + 1, n):
            L[i * n + j] /= dj
            L[j * n + i] = 0.0
    return 0.0


@kernel
def solve_modified(L, D, perm, n, b, x, work):
    """Solve with the factors of ``modified_cholesky``."""
    for i in range(n):
        s = b[int(perm[i])]
        for k in range(i):
            s -= L[i * n + k] * work[k]
        work[i] = s
    for i in range(n):
        work[i] /= D[i]
    for i in range(n - 1, -1, -1):
        s = work[i]
        for k in range(i + 1, n):
            s -= L[k * n + i] * work[k]
        work[i] = s
    for i in range(n):
        x[int(perm[i])] = work[i]


@kernel
def eigen(V, lam, work, n):
    """Eigenvalues and vectors of a symmetric matrix: V, given as the matrix, ends as the vectors in rows.

    Householder tridiagonalisation, then QL iterations with implicit shifts (Golub & Van Loan, Matrix
    Computations, 4th ed., algorithms 8.3.1 and 8.3.3).  False if an eigenvalue does not converge.
    """
    # --- reduce A to tridiagonal form, row by row from the last; V keeps the reflectors
    d, e = lam, work
    for i in range(n - 1, 0, -1):
        norm2 = 0.0
        for k in range(i):
            norm2 += V[i * n + k] * V[i * n + k]
        off = norm2 - V[i * n + i - 1] * V[i * n + i - 1]
        if off <= 1e-300:
            e[i] = V[i * n + i - 1]
            d[i] = 0.0  # no reflector
            continue
        alpha = -(norm2**0.5) if V[i * n + i - 1] > 0.0 else norm2**0.5
        h = norm2 - V[i * n + i - 1] * alpha  # = v'v / 2 for v = row - alpha e
        V[i * n + i - 1] -= alpha
        e[i] = alpha
        # p = A v / h, then A -= v q' + q v' with q = p - (v'p / 2h) v
        vp = 0.0
        for j in range(i):
            s = 0.0
            for k in range(j + 1):
                s += V[j * n + k] * V[i * n + k]
            for k in range(j + 1, i):
                s += V[k * n + j] * V[i * n + k]
            e[j] = s / h
            vp += e[j] * V[i * n + j]
        kappa = 0.5 * vp / h
        for j in range(i):
            e[j] -= kappa * V[i * n + j]
        for j in range(i):
            for k in range(j + 1):
                V[j * n + k] -= V[i * n + j] * e[k] + e[j] * V[i * n + k]
        d[i] = h
    e[0] = 0.0
    d[0] = 0.0
    # --- accumulate the reflectors, from the first: V becomes Q' row by row (vectors in rows)
    for i in range(n):
        diagonal = V[i * n + i]
        if i > 0 and d[i] != 0.0:
            h = d[i]
            for j in range(i):
                s = 0.0
                for k in range(i):
                    s += V[i * n + k] * V[j * n + k]
                s /= h
                for k in range(i):
                    V[j * n + k] -= s * V[i * n + k]
        d[i] = diagonal
        for k in range(i):
            V[i * n + k] = 0.0
            V[k * n + i] = 0.0
        V[i * n + i] = 1.0
    # --- QL on the tridiagonal matrix (d, e); rotations combine rows of V
    for i in range(1, n):
        e[i - 1] = e[i]
    e[n - 1] = 0.0
    for l in range(n):
        for iteration in range(61):
            m = l
            while m < n - 1 and abs(e[m]) > EPS * (abs(d[m]) + abs(d[m + 1])):
                m += 1
            if m == l:
                break
            if iteration == 60:
                return False
            g = (d[l + 1] - d[l]) / (2.0 * e[l])
            r = (g * g + 1.0) ** 0.5
            g = d[m] - d[l] + e[l] / (g + (r if g >= 0.0 else -r))
            s, c, p = 1.0, 1.0, 0.0
            stopped = False
            for i in range(m - 1, l - 1, -1):
                f, b = s * e[i], c * e[i]
                r = (f * f + g * g) ** 0.5
                e[i + 1] = r
                if r == 0.0:
                    d[i + 1] -= p
                    e[m] = 0.0
                    stopped = True
                    break
                s, c = f / r, g / r
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                for k in range(n):
                    f = V[(i + 1) * n + k]
                    V[(i + 1) * n + k] = s * V[i * n + k] + c * f
                    V[i * n + k] = c * V[i * n + k] - s * f
            if not stopped:
                d[l] -= p
                e[l] = g
                e[m] = 0.0
    return True
