r"""Newton's method for a generalised linear model of few variables, whole: no call of BLAS, whose overhead would rule.

    f(W) = \sum_i s_i l(y_i, z_i) + lam / 2 |W|^2 + <tilt, W>,    Z = W X'                                     (1)

X' has a row a feature, if there is an intercept one of ones, and rows of zeros up to a multiple of four, r in all; W
has a row of r numbers an output.  ``free`` marks the variables, of which rows of zeros are none.  With R and C as in
``numopt.solvers.glm`` the gradient is R'X, and the Hessian's block of outputs k and l

    H_kl = \sum_i h_i x_i x_i',    h = c_k (delta_kl - c_l / \sum_j c_j),  of one output h = c                 (2)

    H d = -g,    W <- W + t d                                                                                  (3)

H is shifted as little as makes it definite, t backtracks to Armijo's condition.

The words of a call are in ``glm_slots``.  Workspace ``F`` holds one after the other, with m = r K numbers a vector:
H and L (m m each), P (r n), then G, d, V, U (m each: gradient, step, trial and its gradient), and t (n).

Reference: J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, sections 3.1 and 3.3.
"""

from numba import carray, types

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer
from numopt.kernels.tiles import backward, cholesky_rows, dots44, forward
from numopt.kernels.vectors import dot, step_to
from numopt.solvers.glm import losses
from numopt.solvers.glm_slots import (
    N_OUT,
    NEWTON_N_REAL,
    NEWTON_N_WORDS,
    NR_GNORM,
    NR_LAM,
    NR_TOL,
    NW_C,
    NW_F,
    NW_FREE,
    NW_K,
    NW_LOSS,
    NW_MAX_ITER,
    NW_N,
    NW_OUT,
    NW_P,
    NW_R,
    NW_REAL,
    NW_S,
    NW_TILT,
    NW_TILTED,
    NW_W,
    NW_WEIGHTED,
    NW_X,
    NW_Y,
    NW_Z,
)

EPS = 2.220446049250313e-16
HALVINGS = 40
SHIFTS = 30
FIRST_SHIFT = 1e-14  # of the largest diagonal entry, times the rows
DECREASE = 1e-4  # Armijo's constant
CHUNK = 256  # samples at a time in the Hessian's sums: they stay in the first two caches


@kernel
def evaluate(problem, W, G, t):
    """Value of (1); sets the gradient G, and R and C at W."""
    X, y, s, zs, cs, out, loss, K, p, lam, tilt, free = problem
    n, r = X.shape[1], X.shape[0]
    for k in range(K):
        for i in range(n):
            t[i] = 0.0
        for j in range(r):
            if W[k * r + j] != 0.0:
                step_to(t, W[k * r + j], X[j], t)
        for i in range(n):
            zs[i * K + k] = t[i]
    value = losses(loss, y, s, zs, cs, K, out)
    for k in range(K):
        for i in range(n):
            t[i] = zs[i * K + k]
        for j in range(r):
            at = k * r + j
            G[at] = 0.0
            if free[at]:
                G[at] = dot(X[j], t)
                if j < p:
                    value += 0.5 * lam * W[at] * W[at]
                    G[at] += lam * W[at]
                if tilt.size:
                    value += tilt[at] * W[at]
                    G[at] += tilt[at]
    return value


@kernel
def curvature(cs, K, k, l, t):
    """t = h of (2)."""
    for i in range(t.size):
        c = cs[i * K + k]
        if K > 1:
            total = 0.0
            for j in range(K):
                total += cs[i * K + j]
            share = cs[i * K + l] / total if total > 0.0 else 0.0
            c *= (1.0 if k == l else 0.0) - share
        t[i] = c


@kernel
def hessian(problem, H, P, t):
    """The lower triangle of (2) with the penalty; ones and zeros for what is not free."""
    X, y, s, zs, cs, out, loss, K, p, lam, tilt, free = problem
    n, r = X.shape[1], X.shape[0]
    for a in range(r * K):
        for b in range(r * K):
            H[a, b] = 0.0
    for k in range(K):
        for l in range(k + 1):
            curvature(cs, K, k, l, t)
            for lo in range(0, n, CHUNK):
                hi = min(lo + CHUNK, n)
                for j in range(r):
                    for i in range(lo, hi):
                        P[j, i] = t[i] * X[j, i]
                for a in range(0, r, 4):
                    for b in range(0, a + 4 if k == l else r, 4):
                        sums = dots44(P, a, X, b, lo, hi)
                        for u in range(4):
                            for v in range(4):
                                H[k * r + a + u, l * r + b + v] += sums[4 * u + v]
    top = 0.0
    for a in range(r * K):
        if a % r < p:
            H[a, a] += lam
    if K > 1:
        # The scores may all be shifted by one number: a direction that the loss does not see, nor for the
        # intercepts, nor without a penalty, the objective. G has no part in it; a curvature there keeps H definite.
        for j in range(p if lam > 0.0 else 0, r):
            largest = 1e-300
            for k in range(K):
                largest = max(largest, H[k * r + j, k * r + j])
            for k in range(K):
                for l in range(k + 1):
                    H[k * r + j, l * r + j] += largest / K
    for a in range(r * K):
        if free[a]:
            top = max(top, H[a, a])
            for b in range(a):
                if not free[b]:
                    H[a, b] = 0.0
        else:
            for b in range(a):
                H[a, b] = 0.0
    for a in range(r * K):
        if not free[a]:
            H[a, a] = max(top, 1e-300)
    return max(top, 1e-300)


@kernel
def direction(H, top, G, L, d):
    """Sets d by (3)."""
    m, shift = G.size, 0.0
    for _ in range(SHIFTS):
        for a in range(m):
            for b in range(a + 1):
                L[a, b] = H[a, b]
            L[a, a] += shift
            d[a] = -G[a]
        if cholesky_rows(L, m, m * EPS * top):
            forward(L, d, m)
            backward(L, d, m)
            finite = True
            for a in range(m):
                finite = finite and abs(d[a]) < 1e300
            if finite:
                return
        shift = max(10.0 * shift, FIRST_SHIFT * m * top)
    for a in range(m):
        d[a] = -G[a]


@kernel
def largest(G):
    """The largest component; NaN stays."""
    top = 0.0
    for a in range(G.size):
        if not abs(G[a]) <= top:
            top = abs(G[a])
    return top


@kernel
def newton(problem, W, tol, max_iter, H, L, P, G, d, V, U, t):
    """(iterations, largest component of the gradient); moves W."""
    value = evaluate(problem, W, G, t)
    gnorm = largest(G)
    for iteration in range(max_iter):
        if not gnorm > tol:
            return iteration, gnorm
        top = hessian(problem, H, P, t)
        direction(H, top, G, L, d)
        slope = dot(G, d)
        if not slope < 0.0:
            return iteration + 1, gnorm
        step, slack, found = 1.0, 8.0 * EPS * max(abs(value), 1e-3), False
        for _ in range(HALVINGS):
            for a in range(W.size):
                V[a] = W[a] + step * d[a]
            new = evaluate(problem, V, U, t)
            # where the decrease drowns in rounding, the gradient tells
            found = new <= value + DECREASE * step * slope or (new <= value + slack and largest(U) < gnorm)
            if found:
                break
            bend = new - value - step * slope
            step *= min(0.5, max(0.1, -0.5 * step * slope / bend)) if 0.0 < bend < 1e300 else 0.1
        if not found:
            return iteration + 1, gnorm
        value, gnorm = new, largest(U)
        for a in range(W.size):
            W[a] = V[a]
            G[a] = U[a]
    return max_iter, gnorm


def unit(address, _):
    """Minimise (1); returns the iterations."""
    a, real = carray(void_pointer(address), (NEWTON_N_WORDS,), types.intp), types.float64
    n, r, K = a[NW_N], a[NW_R], a[NW_K]
    m = r * K
    numbers = carray(void_pointer(a[NW_REAL]), (NEWTON_N_REAL,), real)
    problem = (
        carray(void_pointer(a[NW_X]), (r, n), real),
        carray(void_pointer(a[NW_Y]), (n,), real),
        carray(void_pointer(a[NW_S]), (n if a[NW_WEIGHTED] != 0 else 0,), real),
        carray(void_pointer(a[NW_Z]), (n * K,), real),
        carray(void_pointer(a[NW_C]), (n * K,), real),
        carray(void_pointer(a[NW_OUT]), (N_OUT,), real),
        a[NW_LOSS],
        K,
        a[NW_P],
        numbers[NR_LAM],
        carray(void_pointer(a[NW_TILT]), (m if a[NW_TILTED] != 0 else 0,), real),
        carray(void_pointer(a[NW_FREE]), (m,), types.uint8),
    )
    F = a[NW_F]
    after = F + 8 * (2 * m * m + r * n)
    iterations, numbers[NR_GNORM] = newton(
        problem,
        carray(void_pointer(a[NW_W]), (m,), real),
        numbers[NR_TOL],
        a[NW_MAX_ITER],
        carray(void_pointer(F), (m, m), real),
        carray(void_pointer(F + 8 * m * m), (m, m), real),
        carray(void_pointer(F + 16 * m * m), (r, n), real),
        carray(void_pointer(after), (m,), real),
        carray(void_pointer(after + 8 * m), (m,), real),
        carray(void_pointer(after + 16 * m), (m,), real),
        carray(void_pointer(after + 24 * m), (m,), real),
        carray(void_pointer(after + 32 * m), (n,), real),
    )
    return float(iterations)
