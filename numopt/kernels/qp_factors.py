"""Factors of the working set of a quadratic program, and what is solved with them.

With K = B + diag(shift) = L L', the q rows N of the working set and an orthogonal Q that is never formed,

    J = L^-T Q,     J'K J = I,     J'N' = [R; 0]      (Goldfarb & Idnani 1983, section 4),

so the first q columns J1 of J lead out of the working set and the others, J2, stay in it.  ``T`` holds J' (a row is a
column of J) and ``R`` holds R' (a row is the column of a constraint): all inner loops run along rows.

Constraints are numbered 0 to m - 1 for the rows of A and m to m + n - 1 for the variables.
"""

from numopt.kernels.compiling import kernel, short_reduction
from numopt.kernels.views import segment

DEPENDENT = 1e-12  # of a row, what is left of it beside the working set, below which it is dependent on it


@short_reduction
def dot(a, i, b, j, n):
    """a[i:i+n]'b[j:j+n]."""
    # parts whose indices count from 0: of others LLVM can't tell that they are no negative ones, counted from the end,
    # and leaves the loop as it is
    a, b = segment(a, i, n), segment(b, j, n)
    s = 0.0
    for k in range(n):
        s += a[k] * b[k]
    return s


@short_reduction
def absolute_dot(a, i, b, n):
    """|a[i:i+n]|'|b|."""
    a = segment(a, i, n)
    s = 0.0
    for k in range(n):
        s += abs(a[k] * b[k])
    return s


@short_reduction
def norm_of_products(a, i, b, n):
    """(sum_k (a[i + k] b[k])^2)^1/2."""
    a = segment(a, i, n)
    s = 0.0
    for k in range(n):
        s += (a[k] * b[k]) * (a[k] * b[k])
    return s**0.5


@kernel
def add_squares(a, i, b, n):
    """b += a[i:i+n]^2."""
    a = segment(a, i, n)
    for k in range(n):
        b[k] += a[k] * a[k]


@kernel
def add_row(t, a, i, b, j, n):
    """b[j:j+n] += t a[i:i+n]."""
    a, b = segment(a, i, n), segment(b, j, n)
    for k in range(n):
        b[k] += t * a[k]


@kernel
def rotate(cos, sin, a, i, j, n):
    """a[i:i+n], a[j:j+n] = cos a[i:] + sin a[j:], cos a[j:] - sin a[i:]."""
    x, y = segment(a, i, n), segment(a, j, n)
    for k in range(n):
        t = x[k]
        x[k] = cos * t + sin * y[k]
        y[k] = cos * y[k] - sin * t


@kernel
def factor(B, shift, n, least, L, T):
    """L L' = B + diag(shift), T = L^-1.  False if a pivot is not above ``least`` times its diagonal entry."""
    for i in range(n):
        for j in range(i):
            L[i * n + j] = (B[i * n + j] - dot(L, i * n, L, j * n, j)) / L[j * n + j]
        whole = B[i * n + i] + shift[i]
        pivot = whole - dot(L, i * n, L, i * n, i)
        if not pivot > least * whole:
            return False
        L[i * n + i] = pivot**0.5
    for i in range(n):
        for j in range(n):
            T[i * n + j] = 0.0
        for k in range(i):
            add_row(-L[i * n + k], T, k * n, T, i * n, k + 1)
        t = 1.0 / L[i * n + i]
        T[i * n + i] = 1.0
        for j in range(i + 1):
            T[i * n + j] *= t
    return True


@kernel
def expand(T, A, n, m, k, c):
    """c = J'a for the constraint k."""
    if k < m:
        for i in range(n):
            c[i] = dot(T, i * n, A, k * n, n)
    else:
        for i in range(n):
            c[i] = T[i * n + k - m]


@kernel
def direction(T, n, q, c, s):
    """s = J2 c2, along which the constraint that c belongs to changes and the working set does not."""
    for j in range(n):
        s[j] = 0.0
    for i in range(q, n):
        add_row(c[i], T, i * n, s, 0, n)


@kernel
def add(T, R, n, q, c, s):
    """Take the constraint with J'a = c into the working set; s = J2 c2.  Overwrites c and s."""
    size = dot(c, q, c, q, n - q) ** 0.5
    alpha = -size if c[q] > 0.0 else size
    for i in range(q):
        R[q * n + i] = c[i]
    R[q * n + q] = alpha
    # the reflector I - beta v v' with v = c2 - alpha e1, of which v'J2' = s - alpha T[q] is almost at hand
    beta = 1.0 / (size * (size + abs(c[q])))
    add_row(-alpha, T, q * n, s, 0, n)
    c[q] -= alpha
    for i in range(q, n):
        add_row(-beta * c[i], s, 0, T, i * n, n)


@kernel
def drop(T, R, W, n, q, at, c):
    """Take the member ``at`` of q out of the working set; c = J'a of a constraint on its way in turns along."""
    for i in range(at, q - 1):
        W[i] = W[i + 1]
        for k in range(i + 2):
            R[i * n + k] = R[(i + 1) * n + k]
    for i in range(at, q - 1):
        x, y = R[i * n + i], R[i * n + i + 1]
        r = (x * x + y * y) ** 0.5
        if y == 0.0 or r == 0.0:
            continue
        cos, sin = x / r, y / r
        for k in range(i, q - 1):
            t = R[k * n + i]
            R[k * n + i] = cos * t + sin * R[k * n + i + 1]
            R[k * n + i + 1] = cos * R[k * n + i + 1] - sin * t
        rotate(cos, sin, T, i * n, (i + 1) * n, n)
        t = c[i]
        c[i] = cos * t + sin * c[i + 1]
        c[i + 1] = cos * c[i + 1] - sin * t


@kernel
def solve_upper(R, n, q, r):
    """R r = r."""
    for i in range(q - 1, -1, -1):
        r[i] /= R[i * n + i]
        add_row(-r[i], R, i * n, r, 0, i)


@kernel
def solve_lower(R, n, q, r):
    """R'r = r."""
    for i in range(q):
        r[i] = (r[i] - dot(R, i * n, r, 0, i)) / R[i * n + i]


@kernel
def independent(c, n, q, noise):
    """Whether a constraint with J'a = c is one beside the working set; ``noise``: the rounding error of c."""
    if q >= n:
        return False
    tail = dot(c, q, c, q, n - q)
    return tail > DEPENDENT * DEPENDENT * (tail + dot(c, 0, c, 0, q)) and tail > noise * noise


@kernel
def dual_residual(n, m, B, g, A, shift, centre, d, lam, r):
    """r = A'y + z - g - B d - shift (d - centre)."""
    for j in range(n):
        r[j] = lam[m + j] - g[j] - shift[j] * (d[j] - centre[j]) - dot(B, j * n, d, 0, n)
    for i in range(m):
        if lam[i] != 0.0:
            add_row(lam[i], A, i * n, r, 0, n)


@kernel
def value_of(A, n, m, k, d):
    """a_k'd."""
    return dot(A, k * n, d, 0, n) if k < m else d[k - m]


@kernel
def correct(n, m, B, g, A, low, high, shift, centre, T, R, W, q, d, lam, marks, r, u, v):
    """One step of iterative refinement of d and the multipliers of the working set; returns the largest change of d.

    From d = 0 and multipliers of 0 this is the solution itself.
    """
    dual_residual(n, m, B, g, A, shift, centre, d, lam, r)
    for i in range(n):
        u[i] = dot(T, i * n, r, 0, n)
    for i in range(q):
        k = int(W[i])
        v[i] = (low[k] if marks[k] < 0.0 else high[k]) - value_of(A, n, m, k, d)
    solve_lower(R, n, q, v)
    for i in range(q):
        t = v[i]
        v[i] -= u[i]
        u[i] = t
    solve_upper(R, n, q, v)
    for i in range(q):
        lam[int(W[i])] += v[i]
    for j in range(n):
        r[j] = 0.0
    for i in range(n):
        add_row(u[i], T, i * n, r, 0, n)
    most = 0.0
    for j in range(n):
        d[j] += r[j]
        most = max(most, abs(r[j]))
    return most
