r"""Limited-memory BFGS, in the compact form.

From the last m pairs S = [s_1 ... s_k], Y = [y_1 ... y_k] (oldest first)

.. math::

    d = -H g, \qquad H = \gamma I + [S \;\; \gamma Y]
    \begin{bmatrix} R^{-T} (D + \gamma Y^T Y) R^{-1} & -R^{-T} \\ -R^{-1} & 0 \end{bmatrix}
    \begin{bmatrix} S^T \\ \gamma Y^T \end{bmatrix} \qquad (7.24)

with R the upper triangle of S'Y, D its diagonal, gamma = y_k's_k / y_k'y_k, (7.20).  With u = S'g, v = Y'g this
is q = R^-1 u, r = R^-T ((D + gamma Y'Y) q - gamma v), d = -gamma g - S r + gamma Y q: the same direction as that
of the two-loop recursion, but with one pass over S and Y for all inner products and one for the sum, instead of
2k passes each of which waits for the last.

Workspace, after the common vectors: S (m x n), Y (m x n), S'Y (m x m), Y'Y (m x m), u, v, q, r (m each).  Pairs
stand in a ring, and the small matrices are indexed by places in the ring.

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 7.2.
R. H. Byrd, J. Nocedal and R. B. Schnabel, Representations of quasi-Newton matrices and their use in limited
memory methods, Math. Program. 63 (1994), 129-156.
"""

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import vector
from numopt.kernels.slots import (
    ACCEPT,
    CURVATURE_MIN,
    FRESH,
    GAMMA,
    HEAD,
    MEMORY,
    N_COMMON,
    PAIRS,
    PARITY,
    SLOPE,
    STEP_INITIAL,
    D,
    G,
    N,
    T,
    X,
)
from numopt.kernels.vectors import (
    add_rows,
    difference_dots,
    dot,
    row_dots,
    scale,
)
from numopt.linesearch.search import search
from numopt.solvers.bfgs import curvature_ok


@kernel
def init(R):
    """Forget all pairs."""
    R.c[PAIRS], R.c[HEAD], R.c[FRESH] = 0, 0, 1
    R.p[GAMMA] = 1.0


@kernel
def _place(i, m):
    """i modulo m, for 0 <= i < 2 m: a division would cost more than the product that it is needed for."""
    return i - m if i >= m else i


@kernel
def _direction_coefficients(R):
    """u and v hold S'g and Y'g: overwrite v by gamma q and u by -r, in places of the ring."""
    c, p = R.c, R.p
    n, m, k, head = c[N], c[MEMORY], c[PAIRS], c[HEAD]
    z = R.w[(N_COMMON + 2 * m) * n :]
    sy, yy = z[: m * m], z[m * m : 2 * m * m]
    u, v = z[2 * m * m : 2 * m * m + m], z[2 * m * m + m : 2 * m * m + 2 * m]
    q, r = z[2 * m * m + 2 * m : 2 * m * m + 3 * m], z[2 * m * m + 3 * m : 2 * m * m + 4 * m]
    gamma = p[GAMMA]
    oldest = head - k if head >= k else head - k + m
    # q = R^-1 u
    for a in range(k - 1, -1, -1):
        i = _place(oldest + a, m)
        t = u[i]
        for b in range(a + 1, k):
            j = _place(oldest + b, m)
            t -= sy[i * m + j] * q[j]
        q[i] = t / sy[i * m + i]
    # r = R^-T ((D + gamma Y'Y) q - gamma v)
    for a in range(k):
        i = _place(oldest + a, m)
        t = sy[i * m + i] * q[i] - gamma * v[i]
        for j in range(k):
            t += gamma * yy[i * m + j] * q[j]
        for b in range(a):
            j = _place(oldest + b, m)
            t -= sy[j * m + i] * r[j]
        r[i] = t / sy[i * m + i]
    for i in range(k):
        u[i] = -r[i]
        v[i] = gamma * q[i]


@kernel
def _set_direction(R):
    """d = -H g and its slope."""
    c, p = R.c, R.p
    n, m, k = c[N], c[MEMORY], c[PAIRS]
    g, d = vector(R, G + c[PARITY]), vector(R, D)
    rows = R.w[N_COMMON * n : (N_COMMON + 2 * m) * n]
    z = R.w[(N_COMMON + 2 * m) * n :]
    sy, yy = z[: m * m], z[m * m : 2 * m * m]
    u, v = z[2 * m * m : 2 * m * m + m], z[2 * m * m + m : 2 * m * m + 2 * m]
    q, r = z[2 * m * m + 2 * m : 2 * m * m + 3 * m], z[2 * m * m + 3 * m : 2 * m * m + 4 * m]
    new = (c[HEAD] + m - 1) % m  # the pair added last: its products are not known yet
    y = rows[(m + new) * n : (m + new + 1) * n]
    row_dots(R, rows, n, m, k, g, y, u, q, v, r)
    for i in range(k):
        sy[i * m + new] = q[i]
        yy[i * m + new] = r[i]
        yy[new * m + i] = r[i]
    _direction_coefficients(R)
    p[SLOPE] = add_rows(R, rows, n, m, k, u, v, -p[GAMMA], g, d)


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    n, m = c[N], c[MEMORY]
    g, d = vector(R, G + c[PARITY]), vector(R, D)
    if c[PAIRS] > 0:
        _set_direction(R)
        if not p[SLOPE] < 0.0:
            init(R)
    t0 = 1.0
    if c[PAIRS] == 0:
        scale(-1.0, g, d)
        p[SLOPE] = -dot(R, g, g)
        t0 = p[STEP_INITIAL] if p[STEP_INITIAL] > 0.0 else min(1.0, 1.0 / (-p[SLOPE]) ** 0.5)
    task = search(R, t0)
    if p[T] == 0.0 or task != ACCEPT:
        return task
    rows = R.w[N_COMMON * n : (N_COMMON + 2 * m) * n]
    new = c[HEAD]
    s, y = rows[new * n : (new + 1) * n], rows[(m + new) * n : (m + new + 1) * n]
    x, xt, gt = vector(R, X + c[PARITY]), vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    ys, yy, ss = difference_dots(R, xt, x, gt, g, s, y)
    if curvature_ok(ys, ss, yy, p[CURVATURE_MIN]):
        p[GAMMA] = ys / yy  # (7.20)
        c[HEAD] = (new + 1) % m
        c[PAIRS] = min(c[PAIRS] + 1, m)
        c[FRESH] = 0
    return ACCEPT


run = make_run(init, step)
