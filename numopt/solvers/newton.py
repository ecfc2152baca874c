r"""Newton's method with a line search, made to descend where the Hessian is not positive definite.

===  ===================  ==========================================================================
0    modified Cholesky    (H + E) d = -g, E diagonal and no larger than it must be
1    damped               (H + alpha I) d = -g; alpha grows until the matrix is positive definite
2    saddle-free          d = -|H|^-1 g: each eigenvalue replaced by its absolute value, at least damping |H|
===  ===================  ==========================================================================

With bounds the rows and columns of the held variables (numopt.kernels.bounds) are taken out of H: Bertsekas' projected
Newton method.

A step is accepted by the line search from t = 1.

Workspace, after the common vectors: diagonal, permutation, work (n each), H (n x n), factor (n x n).

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 3.4, algorithm 3.3.
D. P. Bertsekas, Projected Newton methods for optimization problems with simple constraints, SIAM J. Control Optim. 20
(1982), 221-246.
P. E. Gill, W. Murray and M. H. Wright, Practical Optimization, Academic Press 1981, section 4.4.2.2.
Y. Dauphin et al., Identifying and attacking the saddle point problem in high-dimensional non-convex
optimization, NIPS 2014.
"""

from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.bounds import bounded_descent, find_free, to_bound
from numopt.kernels.compiling import kernel
from numopt.kernels.dense import cholesky, eigen, modified_cholesky, solve_cholesky, solve_modified
from numopt.kernels.oracle import evaluate_hess, free_variables, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ABORT,
    BOUNDED,
    DAMPING,
    FAILED,
    FRESH,
    N_COMMON,
    PARITY,
    SLOPE,
    VARIANT,
    X_LOW,
    D,
    G,
    N,
    T,
    X,
)
from numopt.kernels.vectors import copy, dot, scale, steepest_descent
from numopt.kernels.views import segment
from numopt.linesearch.search import search

_MODIFIED, _DAMPED, _SADDLE_FREE = range(3)
_DIAGONAL, _PERM, _WORK = int64(N_COMMON), int64(N_COMMON + 1), int64(N_COMMON + 2)
_MATRICES = N_COMMON + 3
_DAMPINGS = 80  # doublings of alpha; enough to pass any eigenvalue of a finite matrix


@kernel
def init(R):
    """Newton's method keeps nothing from step to step: a restart would not differ."""
    R.c[FRESH] = 1


@kernel
def _damped(H, L, n, alpha, g, d):
    """Solve with H + alpha I, alpha increased until it is positive definite (algorithm 3.3)."""
    top = 0.0
    for i in range(n):
        top = max(top, abs(H[i * n + i]))
    for _ in range(_DAMPINGS):
        if cholesky(H, L, n, alpha):
            solve_cholesky(L, n, g, d)
            return True
        alpha = max(2.0 * alpha, 1e-3 * top, 1e-8)
    return False


@kernel
def _saddle_free(V, lam, work, n, least, g, d):
    """d = |H|^-1 g."""
    if not eigen(V, lam, work, n):
        return False
    top = 0.0
    for i in range(n):
        top = max(top, abs(lam[i]))
    if top == 0.0:
        return False
    for i in range(n):
        d[i] = 0.0
    for j in range(n):
        s = 0.0
        for i in range(n):
            s += V[j * n + i] * g[i]
        s /= max(abs(lam[j]), least * top)
        for i in range(n):
            d[i] += s * V[j * n + i]
    return True


@kernel
def _take_out(H, n, free, g, out):
    """Held variables out of the Newton equations: their rows and columns are those of a multiple of the unit matrix,
    their right-hand side is 0."""
    top = 0.0
    for i in range(n):
        top = max(top, abs(H[i * n + i]) * free[i])
    for i in range(n):
        out[i] = free[i] * g[i]
        if free[i] == 0.0:
            for j in range(n):
                H[i * n + j] = 0.0
                H[j * n + i] = 0.0
            H[i * n + i] = top if top > 0.0 else 1.0


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    n = c[N]
    x, g, d = vector(R, X + c[PARITY]), vector(R, G + c[PARITY]), vector(R, D)
    H = segment(R.w, _MATRICES * n, n * n)
    L = segment(R.w, (_MATRICES + n) * n, n * n)
    diagonal, perm, work = vector(R, _DIAGONAL), vector(R, _PERM), vector(R, _WORK)
    evaluate_hess(R, x, H)
    p[T] = 0.0
    if c[ABORT] != 0:
        return FAILED
    solved, rhs = True, g
    bounded = c[BOUNDED] != 0
    if bounded:
        find_free(R, c[PARITY])
        rhs = vector(R, X_LOW)  # the line search will overwrite it
        _take_out(H, n, free_variables(R), g, rhs)
    if c[VARIANT] == _SADDLE_FREE:
        copy(H, L)
        solved = _saddle_free(L, diagonal, work, n, p[DAMPING], rhs, d)
    elif c[VARIANT] == _DAMPED:
        solved = _damped(H, L, n, p[DAMPING], rhs, d)
    else:
        modified_cholesky(H, L, diagonal, perm, n)
        solve_modified(L, diagonal, perm, n, rhs, d, work)
    scale(-1.0, d, d)
    if bounded:
        free, lower, upper = free_variables(R), lower_bounds(R), upper_bounds(R)
        for i in range(n):
            if free[i] == 0.0:
                d[i] = to_bound(x[i], g[i], lower[i], upper[i])
    p[SLOPE] = dot(g, d)
    if not (solved and p[SLOPE] < 0.0 and p[SLOPE] > -float("inf")):
        # a Hessian of no use, NaN or zero: steepest descent
        if bounded:
            p[SLOPE] = -bounded_descent(R, c[PARITY])
        else:
            p[SLOPE] = -steepest_descent(g, d)
    return search(R, 1.0)


run = make_run(init, step)
