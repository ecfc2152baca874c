"""Inner products of rows, four by four: Gram matrices and Cholesky factors at the speed of the registers.

Sixteen sums share eight loads, so that the floating-point units and not the memory set the pace; on one thread this
keeps up with a tuned BLAS, without its call, its copies and its threads.  Matrices are two-dimensional arrays whose
row counts are padded to a multiple of four.
"""

from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.vectors import dot

JB = 64  # rows of the second factor at a time, so that they stay in the second-level cache


@reduction
def dots44(A, i, B, j, lo, hi):
    """The inner products of rows i..i+3 of A with rows j..j+3 of B, over columns lo..hi."""
    a0, a1, a2, a3 = A[i, lo:hi], A[i + 1, lo:hi], A[i + 2, lo:hi], A[i + 3, lo:hi]
    b0, b1, b2, b3 = B[j, lo:hi], B[j + 1, lo:hi], B[j + 2, lo:hi], B[j + 3, lo:hi]
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0.0
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = 0.0
    for k in range(hi - lo):
        x0, x1, x2, x3 = a0[k], a1[k], a2[k], a3[k]
        y0, y1, y2, y3 = b0[k], b1[k], b2[k], b3[k]
        s00 += x0 * y0; s01 += x0 * y1; s02 += x0 * y2; s03 += x0 * y3  # fmt: skip
        s10 += x1 * y0; s11 += x1 * y1; s12 += x1 * y2; s13 += x1 * y3  # fmt: skip
        s20 += x2 * y0; s21 += x2 * y1; s22 += x2 * y2; s23 += x2 * y3  # fmt: skip
        s30 += x3 * y0; s31 += x3 * y1; s32 += x3 * y2; s33 += x3 * y3  # fmt: skip
    return s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33


@kernel
def add_gram(P, G, m0, m1, width):
    """G += P P' over the first ``width`` columns of the panel, for rows m0..m1 (lower triangle, by whole tiles)."""
    top = m1 + (-m1) % 4
    for jb in range(0, top, JB):
        for i in range(max(m0 - m0 % 4, jb), top, 4):
            for j in range(jb, min(jb + JB, i + 4), 4):
                t = dots44(P, i, P, j, 0, width)
                for u in range(4):
                    if i + u >= m0:
                        for v in range(4):
                            G[i + u, j + v] += t[4 * u + v]


@kernel
def cholesky_rows(L, m, tiny):
    """The lower triangle of L becomes its Cholesky factor; whether all pivots were above ``tiny``.

    ``m`` is a multiple of four.  Row by row, left-looking, so that all work is inner products of rows (Golub & Van
    Loan, Matrix Computations, 4th ed., section 4.2.5).
    """
    for i in range(0, m, 4):
        for j in range(0, i, 4):
            t = dots44(L, i, L, j, 0, j)
            for u in range(4):
                for v in range(4):
                    s = L[i + u, j + v] - t[4 * u + v]
                    for l in range(v):
                        s -= L[i + u, j + l] * L[j + v, j + l]
                    L[i + u, j + v] = s / L[j + v, j + v]
        t = dots44(L, i, L, i, 0, i)
        for u in range(4):
            for v in range(u + 1):
                s = L[i + u, i + v] - t[4 * u + v]
                for l in range(v):
                    s -= L[i + u, i + l] * L[i + v, i + l]
                if u != v:
                    L[i + u, i + v] = s / L[i + v, i + v]
                else:
                    if not s > tiny:
                        return False
                    L[i + u, i + u] = s**0.5
    return True


@kernel
def forward(L, b, k):
    """b becomes L^-1 b."""
    for a in range(k):
        b[a] = (b[a] - dot(L[a, :a], b[:a])) / L[a, a]


@kernel
def backward(L, b, k):
    """b becomes L^-T b."""
    for a in range(k - 1, -1, -1):
        b[a] /= L[a, a]
        row, t = L[a, :a], b[a]
        for i in range(a):
            b[i] -= t * row[i]
