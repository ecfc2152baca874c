"""Arithmetic on vectors.

Sums run over fixed blocks of ``BLOCK`` numbers whose partial sums are added in order, so that a sum has the
same bits for any number of threads.  What follows another operation on the same numbers is done in the same
pass, because long vectors cost what they weigh: bytes moved.
"""

from numopt.kernels.compiling import kernel, reduction

BLOCK = 4096


@reduction
def _dot(x, y):
    """x'y, one block."""
    s = 0.0
    for i in range(x.size):
        s += x[i] * y[i]
    return s


@kernel
def dot(R, x, y):
    """x'y."""
    n = x.size
    s = 0.0
    for i in range(0, n, BLOCK):
        e = min(i + BLOCK, n)
        s += _dot(x[i:e], y[i:e])
    return s


@kernel
def copy(x, out):
    """out = x."""
    for i in range(x.size):
        out[i] = x[i]


@kernel
def scale(a, x, out):
    """out = a x."""
    for i in range(x.size):
        out[i] = a * x[i]


@kernel
def step_to(R, x, t, d, out):
    """out = x + t d; ``out`` may be ``x``."""
    for i in range(x.size):
        out[i] = x[i] + t * d[i]


@kernel
def combine(a, x, b, y, out):
    """out = a x + b y; ``out`` may be ``x`` or ``y``."""
    for i in range(x.size):
        out[i] = a * x[i] + b * y[i]


@kernel
def scale_dot(R, g, d):
    """d = -g; returns g'g."""
    scale(-1.0, g, d)
    return dot(R, g, g)


@reduction
def _combine_block(a, g, b, d):
    """d = a g + b d; returns (g'd, d'd) of the new d."""
    s, r = 0.0, 0.0
    for i in range(g.size):
        di = a * g[i] + b * d[i]
        d[i] = di
        s += g[i] * di
        r += di * di
    return s, r


@kernel
def combine_dot(R, a, g, b, d):
    """d = a g + b d; returns (g'd, d'd) of the new d."""
    n = g.size
    s, r = 0.0, 0.0
    for i in range(0, n, BLOCK):
        j = min(i + BLOCK, n)
        s1, r1 = _combine_block(a, g[i:j], b, d[i:j])
        s, r = s + s1, r + r1
    return s, r


@reduction
def _three_block(g, gp, d):
    """(g'g, g'gp, g'd, d'd)."""
    a, b, c, e = 0.0, 0.0, 0.0, 0.0
    for i in range(g.size):
        a += g[i] * g[i]
        b += g[i] * gp[i]
        c += g[i] * d[i]
        e += d[i] * d[i]
    return a, b, c, e


@kernel
def three_dots(R, g, gp, d):
    """(g'g, g'gp, g'd, d'd)."""
    n = g.size
    a, b, c, e = 0.0, 0.0, 0.0, 0.0
    for i in range(0, n, BLOCK):
        j = min(i + BLOCK, n)
        a1, b1, c1, e1 = _three_block(g[i:j], gp[i:j], d[i:j])
        a, b, c, e = a + a1, b + b1, c + c1, e + e1
    return a, b, c, e


@reduction
def _difference_block(xt, x, gt, g, s, y):
    """s = xt - x, y = gt - g; returns (y's, y'y, s's)."""
    a, b, c = 0.0, 0.0, 0.0
    for i in range(x.size):
        si, yi = xt[i] - x[i], gt[i] - g[i]
        s[i], y[i] = si, yi
        a += yi * si
        b += yi * yi
        c += si * si
    return a, b, c


@kernel
def difference_dots(R, xt, x, gt, g, s, y):
    """s = xt - x, y = gt - g; returns (y's, y'y, s's)."""
    n = x.size
    a, b, c = 0.0, 0.0, 0.0
    for i in range(0, n, BLOCK):
        j = min(i + BLOCK, n)
        a1, b1, c1 = _difference_block(xt[i:j], x[i:j], gt[i:j], g[i:j], s[i:j], y[i:j])
        a, b, c = a + a1, b + b1, c + c1
    return a, b, c


@reduction
def difference_dots_only(R, xt, x, gt, g):
    """(y's, y'y, s's) with s = xt - x, y = gt - g."""
    a, b, c = 0.0, 0.0, 0.0
    for i in range(x.size):
        si, yi = xt[i] - x[i], gt[i] - g[i]
        a += yi * si
        b += yi * yi
        c += si * si
    return a, b, c


@reduction
def _two_dots(row, g, y):
    """(row'g, row'y)."""
    a, b = 0.0, 0.0
    for i in range(row.size):
        a += row[i] * g[i]
        b += row[i] * y[i]
    return a, b


@kernel
def row_dots(R, rows, n, first, k, g, y, out_g, out_y):
    """out_g[j] = row_j'g, out_y[j] = row_j'y for the k rows of length n that begin at row ``first``."""
    for j in range(k):
        out_g[j], out_y[j] = 0.0, 0.0
    for i in range(0, n, BLOCK):
        e = min(i + BLOCK, n)
        for j in range(k):
            r = (first + j) * n
            a, b = _two_dots(rows[r + i : r + e], g[i:e], y[i:e])
            out_g[j] += a
            out_y[j] += b


@kernel
def _add_two(a, x, b, y, out):
    """out += a x + b y, one block."""
    for i in range(out.size):
        out[i] += a * x[i] + b * y[i]


@kernel
def add_rows(R, rows, n, m, k, u, v, a, g, d):
    """d = a g + sum over j < k of u_j row_j + v_j row_(m+j); returns g'd."""
    slope = 0.0
    for i in range(0, n, BLOCK):
        e = min(i + BLOCK, n)
        out = d[i:e]
        scale(a, g[i:e], out)
        for j in range(k):
            r, q = j * n, (m + j) * n
            _add_two(u[j], rows[r + i : r + e], v[j], rows[q + i : q + e], out)
        slope += _dot(g[i:e], out)
    return slope


@kernel
def norm_inf(x):
    """max |x_i|, NaN if any x_i is."""
    m = 0.0
    for i in range(x.size):
        a = abs(x[i])
        if not a <= m:  # true for NaN too
            m = a
            if m != m:
                return m
    return m


@reduction
def distance(x, y):
    """|x - y|."""
    s = 0.0
    for i in range(x.size):
        s += (x[i] - y[i]) * (x[i] - y[i])
    return s**0.5


@kernel
def norm(x, order):
    """The norm of order ``order`` (inf, -inf, or a positive number)."""
    if order == float("inf"):
        return norm_inf(x)
    if order == 2.0:
        return _dot(x, x) ** 0.5
    if order == float("-inf"):
        m = float("inf")
        for i in range(x.size):
            m = min(m, abs(x[i]))
        return m
    s = 0.0
    for i in range(x.size):
        s += abs(x[i]) ** order
    return s ** (1.0 / order)
