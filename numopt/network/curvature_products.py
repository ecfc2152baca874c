"""Products of blocks of rows with weights; all but `forward` add to what is there."""

from numopt.kernels.compiling import kernel, reduction


@reduction
def forward(A, W, b, Z, m, fi, fo, fresh):
    """Z (m, fo) = A W' + b, or Z += A W' where not ``fresh``; A (m, fi), W (fo, fi)."""
    real = Z.dtype.type
    for r in range(m):
        a, z = A[r * fi : (r + 1) * fi], Z[r * fo : (r + 1) * fo]
        u = 0
        while u + 4 <= fo:
            w0, w1 = W[u * fi : (u + 1) * fi], W[(u + 1) * fi : (u + 2) * fi]
            w2, w3 = W[(u + 2) * fi : (u + 3) * fi], W[(u + 3) * fi : (u + 4) * fi]
            s0, s1, s2, s3 = real(0), real(0), real(0), real(0)
            for k in range(fi):
                s0 += a[k] * w0[k]
                s1 += a[k] * w1[k]
                s2 += a[k] * w2[k]
                s3 += a[k] * w3[k]
            if fresh:
                z[u], z[u + 1], z[u + 2], z[u + 3] = s0 + b[u], s1 + b[u + 1], s2 + b[u + 2], s3 + b[u + 3]
            else:
                z[u] += s0
                z[u + 1] += s1
                z[u + 2] += s2
                z[u + 3] += s3
            u += 4
        while u < fo:
            s0, w0 = real(0), W[u * fi : (u + 1) * fi]
            for k in range(fi):
                s0 += a[k] * w0[k]
            z[u] = s0 + b[u] if fresh else z[u] + s0
            u += 1


@reduction
def combine(C, lines, width, A, step, stride, rows, B):
    """C (lines, width) += sum over the rows k of A[i step + k stride] B[k], B (rows, width)."""
    for i in range(lines):
        c, at, k = C[i * width : (i + 1) * width], i * step, 0
        while k + 4 <= rows:
            x0, x1 = A[at + k * stride], A[at + (k + 1) * stride]
            x2, x3 = A[at + (k + 2) * stride], A[at + (k + 3) * stride]
            b0, b1 = B[k * width : (k + 1) * width], B[(k + 1) * width : (k + 2) * width]
            b2, b3 = B[(k + 2) * width : (k + 3) * width], B[(k + 3) * width : (k + 4) * width]
            if x0 != 0 or x1 != 0 or x2 != 0 or x3 != 0:  # dead units of relu
                for j in range(width):
                    c[j] += x0 * b0[j] + x1 * b1[j] + x2 * b2[j] + x3 * b3[j]
            k += 4
        while k < rows:
            x0, b0 = A[at + k * stride], B[k * width : (k + 1) * width]
            for j in range(width):
                c[j] += x0 * b0[j]
            k += 1


@kernel
def backward(E, W, D, m, fi, fo):
    """D (m, fi) += E (m, fo) W (fo, fi)."""
    combine(D, m, fi, E, fo, 1, fo, W)


@kernel
def outer(E, A, G, m, fi, fo):
    """G (fo, fi) += E' A."""
    combine(G, fo, fi, E, 1, fo, m, A)


@kernel
def sums(E, g, m, fo):
    """g += the sums of the columns of E."""
    for r in range(m):
        for u in range(fo):
            g[u] += E[r * fo + u]


@kernel
def sparse_forward(x, indices, starts, first, W, b, Z, m, fo):
    """Z (m, fo) = X W + b, rows from ``first`` on; W (fan_in, fan_out)."""
    for r in range(m):
        z = Z[r * fo : (r + 1) * fo]
        for u in range(fo):
            z[u] = b[u]
        for p in range(starts[first + r], starts[first + r + 1]):
            w = W[indices[p] * fo : (indices[p] + 1) * fo]
            for u in range(fo):
                z[u] += x[p] * w[u]


@kernel
def sparse_outer(x, indices, starts, first, E, G, m, fo):
    """G (fan_in, fan_out) += X' E."""
    for r in range(m):
        e = E[r * fo : (r + 1) * fo]
        for p in range(starts[first + r], starts[first + r + 1]):
            g = G[indices[p] * fo : (indices[p] + 1) * fo]
            for u in range(fo):
                g[u] += x[p] * e[u]


@kernel
def fill(a, x):
    for i in range(a.size):
        a[i] = x
