r"""Limited-memory BFGS, by the two-loop recursion.

From the last m pairs (s_i, y_i), with rho_i = 1 / y_i's_i and H_0 = gamma I, the direction d = -H g is (Algorithm 7.4)

.. math::

    d &= -g \\
    \alpha_i &= \rho_i s_i^T d, \quad d \leftarrow d - \alpha_i y_i  \qquad \text{newest to oldest} \\
    d &\leftarrow \gamma d, \qquad \gamma = y_k^T s_k / y_k^T y_k \qquad (7.20) \\
    \beta_i &= \rho_i y_i^T d, \quad d \leftarrow d + (\alpha_i - \beta_i) s_i  \qquad \text{oldest to newest}

Each update of d takes in the inner product that comes next, and the last one g'd, so that a step of either loop
reads its two rows and d once; so does the first, which starts from s'g as it was when s was made.

Workspace, after the common vectors: S (m x n), Y (m x n), rho (m), alpha (m).  Pairs stand in a ring.  p[SG] is s'g
of the newest pair.

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 7.2.
J. Nocedal, Updating quasi-Newton matrices with limited storage, Math. Comp. 35 (1980), 773-782.
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
    SG,
    SLOPE,
    STEP_INITIAL,
    D,
    G,
    N,
    T,
    X,
)
from numopt.kernels.vectors import add_dot, dot, scale, set_differences, subtract_dot
from numopt.linesearch.search import search
from numopt.solvers.bfgs import curvature_ok


@kernel
def init(R):
    """Forget all pairs."""
    R.c[PAIRS], R.c[HEAD], R.c[FRESH] = 0, 0, 1
    R.p[GAMMA] = 1.0


@kernel
def _row(j, m):
    """j modulo m, for 0 <= j < 2 m: a division would cost more than the product that it is needed for."""
    return j - m if j >= m else j


@kernel
def _set_direction(R):
    """d = -H g and its slope."""
    c, p = R.c, R.p
    n, m, k = c[N], c[MEMORY], c[PAIRS]
    g, d = vector(R, G + c[PARITY]), vector(R, D)
    S, Y = R.w[N_COMMON * n : (N_COMMON + m) * n], R.w[(N_COMMON + m) * n : (N_COMMON + 2 * m) * n]
    rho, alpha = R.w[(N_COMMON + 2 * m) * n :][:m], R.w[(N_COMMON + 2 * m) * n :][m:]
    oldest = _row(c[HEAD] + m - k, m)
    i = _row(oldest + k - 1, m)
    alpha[i] = -rho[i] * p[SG]  # s'd for d = -g
    y = Y[i * n : (i + 1) * n]
    if k == 1:
        yd = subtract_dot(alpha[i], y, g, d, y)
    else:
        older = _row(oldest + k - 2, m)
        sd = subtract_dot(alpha[i], y, g, d, S[older * n : (older + 1) * n])
        for j in range(k - 2, 0, -1):
            i, older = older, _row(oldest + j - 1, m)
            alpha[i] = rho[i] * sd
            sd = add_dot(-alpha[i], Y[i * n : (i + 1) * n], 1.0, d, S[older * n : (older + 1) * n])
        i = older
        alpha[i] = rho[i] * sd
        y = Y[i * n : (i + 1) * n]
        yd = add_dot(-alpha[i], y, 1.0, d, y)
    gamma = p[GAMMA]
    yd *= gamma
    for j in range(1, k):
        newer = _row(oldest + j, m)
        yd = add_dot(alpha[i] - rho[i] * yd, S[i * n : (i + 1) * n], gamma, d, Y[newer * n : (newer + 1) * n])
        i, gamma = newer, 1.0
    p[SLOPE] = add_dot(alpha[i] - rho[i] * yd, S[i * n : (i + 1) * n], gamma, d, g)


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
        p[SLOPE] = -dot(g, g)
        t0 = p[STEP_INITIAL] if p[STEP_INITIAL] > 0.0 else min(1.0, 1.0 / (-p[SLOPE]) ** 0.5)
    task = search(R, t0)
    if p[T] == 0.0 or task != ACCEPT:
        return task
    new = c[HEAD]
    s, y = vector(R, N_COMMON + new), vector(R, N_COMMON + m + new)
    x, xt, gt = vector(R, X + c[PARITY]), vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    ys, yy, ss, sg = set_differences(xt, x, gt, g, s, y)
    if curvature_ok(ys, ss, yy, p[CURVATURE_MIN]):
        p[GAMMA] = ys / yy  # (7.20)
        R.w[(N_COMMON + 2 * m) * n + new] = 1.0 / ys
        c[HEAD] = _row(new + 1, m)
        c[PAIRS] = min(c[PAIRS] + 1, m)
        c[FRESH] = 0
        p[SG] = sg
    elif c[PAIRS] > 0:
        if c[PAIRS] == m:
            c[PAIRS] = m - 1  # the rejected pair stands where the oldest was
        if c[PAIRS] > 0:
            p[SG] = dot(vector(R, N_COMMON + _row(new + m - 1, m)), gt)
    return ACCEPT


run = make_run(init, step)
