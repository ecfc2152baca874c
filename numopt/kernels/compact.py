"""The compact representation of limited-memory BFGS, see numopt.solvers.lbfgsb: sums over rows, and small matrices.

Matrices are m x m, flat, of which the leading k rows and columns are in use.
"""

from numopt.kernels.compiling import kernel, reduction

# Rows of S and Y are read in blocks of so many numbers: the vectors they meet stay in the second-level cache meanwhile,
# and each row is long enough to be read ahead of its use.
BLOCK = 2048


@reduction
def row_sums(s, y, free, d, sj, yj, sk, yk):
    """(sj's, sj's over A, s'yj, s'yj over F, sj'y over F, yj'y over F, yj'd, sj'd), and the same of sk and yk."""
    j0, j1, j2, j3, j4, j5, j6, j7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    k0, k1, k2, k3, k4, k5, k6, k7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(s.size):
        ss, sy, on, off = s[i] * sj[i], s[i] * yj[i], free[i], 1.0 - free[i]
        j0 += ss
        j1 += off * ss
        j2 += sy
        j3 += on * sy
        j4 += on * sj[i] * y[i]
        j5 += on * yj[i] * y[i]
        j6 += yj[i] * d[i]
        j7 += sj[i] * d[i]
        ss, sy = s[i] * sk[i], s[i] * yk[i]
        k0 += ss
        k1 += off * ss
        k2 += sy
        k3 += on * sy
        k4 += on * sk[i] * y[i]
        k5 += on * yk[i] * y[i]
        k6 += yk[i] * d[i]
        k7 += sk[i] * d[i]
    return (j0, j1, j2, j3, j4, j5, j6, j7), (k0, k1, k2, k3, k4, k5, k6, k7)


@kernel
def add_row(k, j, m, t, ss, ssa, sy, syf, yyf, wd):
    """Add the sums of a block for the pair j and the new one, k."""
    ss[k * m + j] += t[0]
    ssa[k * m + j] += t[1]
    sy[k * m + j] += t[2]
    syf[k * m + j] += t[3]
    syf[j * m + k] += t[4]
    yyf[k * m + j] += t[5]
    wd[j] += t[6]
    wd[m + j] += t[7]


@reduction
def own_sums(xt, x, gt, g, free, s, y):
    """s = xt - x, y = gt - g; returns (y's, y'y, s's, y's over F, y'y over F, s's over A)."""
    a, b, c, d, e, f = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(x.size):
        si, yi, on = xt[i] - x[i], gt[i] - g[i], free[i]
        s[i], y[i] = si, yi
        ys, yy, ss = yi * si, yi * yi, si * si
        a += ys
        b += yy
        c += ss
        d += on * ys
        e += on * yy
        f += (1.0 - on) * ss
    return a, b, c, d, e, f


@reduction
def add_rows(a, ya, b, sa, c, yb, e, sb, r):
    """r += a ya + b sa + c yb + e sb."""
    for i in range(r.size):
        r[i] += a * ya[i] + b * sa[i] + c * yb[i] + e * sb[i]
    return 0.0


@kernel
def shift(A, m):
    """Drop the first row and column."""
    for i in range(m - 1):
        for j in range(m - 1):
            A[i * m + j] = A[(i + 1) * m + j + 1]


@kernel
def _cholesky(A, k, m):
    """A = L L' in place, rows of length m.  False if A is not positive definite."""
    for i in range(k):
        for j in range(i + 1):
            s = A[i * m + j]
            for l in range(j):
                s -= A[i * m + l] * A[j * m + l]
            if i != j:
                A[i * m + j] = s / A[j * m + j]
            elif s > 0.0 and s < float("inf"):
                A[i * m + i] = s**0.5
            else:
                return False
    return True


@kernel
def _forward(L, k, m, b):
    """b = L^-1 b."""
    for i in range(k):
        s = b[i]
        for l in range(i):
            s -= L[i * m + l] * b[l]
        b[i] = s / L[i * m + i]


@kernel
def _backward(L, k, m, b):
    """b = L^-T b."""
    for i in range(k - 1, -1, -1):
        b[i] /= L[i * m + i]
        for l in range(i):
            b[l] -= L[i * m + l] * b[i]


@kernel
def factor_middle(sy, ss, theta, k, m, J):
    """J J' = theta S'S + L D^-1 L', (3.3) of Byrd et al. (1995)."""
    for i in range(k):
        for j in range(i + 1):
            J[i * m + j] = theta * ss[i * m + j]
    for l in range(k):
        inverse = 1.0 / sy[l * m + l]
        for i in range(l + 1, k):
            a = sy[i * m + l] * inverse
            for j in range(l + 1, i + 1):
                J[i * m + j] += a * sy[j * m + l]
    return _cholesky(J, k, m)


@kernel
def solve_middle(sy, J, k, m, v, out):
    """out = M v; v and out have 2 m places, the second half begins at m."""
    for i in range(k):
        a = v[m + i]
        for l in range(i):
            a += sy[i * m + l] * v[l] / sy[l * m + l]
        out[m + i] = a
    _forward(J, k, m, out[m:])
    _backward(J, k, m, out[m:])
    for i in range(k):
        a = -v[i]
        for l in range(i + 1, k):
            a += sy[l * m + i] * out[m + l]
        out[i] = a / sy[i * m + i]


@kernel
def _coupling(sy, syf, i, j, m):
    """The entry (y_i, s_j) of K: over A where L holds it, else over F."""
    return sy[j * m + i] - syf[j * m + i] if j > i else -syf[j * m + i]


@kernel
def factor_subspace(sy, syf, yyf, ssa, theta, k, m, C, Z, E):
    """K = [[-A, B], [B', theta S_A'S_A]], A = D + Y_F'Y_F / theta: C C' = A, Z = C^-1 B, E E' = theta S_A'S_A + Z'Z."""
    for i in range(k):
        for j in range(i + 1):
            C[i * m + j] = yyf[i * m + j] / theta
        C[i * m + i] += sy[i * m + i]
    if not _cholesky(C, k, m):
        return False
    # row by row, so that the innermost loops run along rows and use vector registers
    for i in range(k):
        for j in range(k):
            Z[i * m + j] = _coupling(sy, syf, i, j, m)
        for l in range(i):
            a = C[i * m + l]
            for j in range(k):
                Z[i * m + j] -= a * Z[l * m + j]
        inverse = 1.0 / C[i * m + i]
        for j in range(k):
            Z[i * m + j] *= inverse
    for i in range(k):
        for j in range(i + 1):
            E[i * m + j] = theta * ssa[i * m + j]
    for l in range(k):
        for i in range(k):
            a = Z[l * m + i]
            for j in range(i + 1):
                E[i * m + j] += a * Z[l * m + j]
    return _cholesky(E, k, m)


@kernel
def solve_subspace(C, Z, E, k, m, w, v):
    """K v = w; the second halves begin at m; overwrites w."""
    _forward(C, k, m, w)
    for i in range(k):
        a = w[m + i]
        for l in range(k):
            a += Z[l * m + i] * w[l]
        v[m + i] = a
    _forward(E, k, m, v[m:])
    _backward(E, k, m, v[m:])
    for i in range(k):
        a = -w[i]
        for l in range(k):
            a += Z[i * m + l] * v[m + l]
        v[i] = a
    _backward(C, k, m, v)
