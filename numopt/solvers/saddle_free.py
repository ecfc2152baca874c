r"""Saddle-free Newton on Krylov spaces: d = -Q |T|^-1 Q'g, from products of the Hessian with vectors only.

Lanczos' recurrence gives the space of g, H g, H^2 g, ... an orthonormal basis, the rows of Q, in which H is the
tridiagonal matrix T = Q H Q'.  With the eigenvalues and vectors of T, T = V'diag(lambda) V,

.. math::

    d = -\|g\| \, Q^T V^T |\Lambda|^{-1} V e_0, \qquad |\lambda_j| \text{ at least damping} \cdot \max_i |\lambda_i|

descends, since g lies in the space and |T| is positive definite; along negative curvature it goes away from the saddle
point that Newton's step goes to.  Up to rounding this is -|H|^-1 g once the space holds all eigenvectors that g has a
part of.  It ends there, or with ``lanczos_vectors`` of them.  Each new vector is made orthogonal to all before it: with
the recurrence alone orthogonality is lost as soon as an eigenvalue has converged, and false copies of it appear.

A step is accepted by the line search from t = 1.

Workspace, after the common vectors: H q (n); Q, a vector a row; H (n x n) only where c[DENSE]; then delta, gamma,
lambda, work, h (each as long as there are rows of Q), V (a square of that size).

References
----------
Y. Dauphin et al., Identifying and attacking the saddle point problem in high-dimensional non-convex
optimization, NIPS 2014, algorithm 1.
G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed., Johns Hopkins 2013, sections 10.1 and 10.3.
"""

from numba import njit
from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.dense import eigen
from numopt.kernels.oracle import evaluate_hess, vector
from numopt.kernels.slots import ABORT, DAMPING, DENSE, FAILED, FRESH, MEMORY, N_COMMON, PARITY, SLOPE, D, G, N, T, X
from numopt.kernels.stopping import EPS
from numopt.kernels.trust import product
from numopt.kernels.vectors import dot, scale, steepest_descent, step_to
from numopt.linesearch.search import search

_HV, _Q = int64(N_COMMON), int64(N_COMMON + 1)


@kernel
def init(R):
    """Nothing is kept from step to step: a restart would not differ."""
    R.c[FRESH] = 1


@njit(inline="always")  # as numopt.kernels.oracle.vector
def _small(R, i):
    """The i-th of the arrays with an entry for each Lanczos vector: delta, gamma, lambda, work, h; then V."""
    m = R.c[MEMORY]
    start = R.w.size - (5 + m - i) * m
    return R.w[start : start + (m if i < 5 else m * m)]


@kernel
def _grow(R, x, g, gnorm):
    """Lanczos vectors, and T; their number, 0 if a product is of no use."""
    c = R.c
    hv, delta, gamma = vector(R, _HV), _small(R, 0), _small(R, 1)
    most = min(c[MEMORY], c[N])
    scale(1.0 / gnorm, g, vector(R, _Q))
    gamma[0], size = 0.0, 0.0
    for k in range(most):
        delta[k] = product(R, x, vector(R, _Q + k), hv, _Q + c[MEMORY])
        if c[ABORT] != 0 or not dot(hv, hv) < float("inf"):
            return 0
        for _ in range(2):  # once leaves what rounding makes of it
            for j in range(k, -1, -1):
                q = vector(R, _Q + j)
                step_to(hv, -dot(hv, q), q, hv)
        beside = dot(hv, hv) ** 0.5
        size = max(size, abs(delta[k]) + gamma[k] + beside)
        if k + 1 == most or beside <= 10.0 * EPS * size:
            return k + 1
        gamma[k + 1] = beside
        scale(1.0 / beside, hv, vector(R, _Q + k + 1))
    return most


@kernel
def _solve(R, k, gnorm, least):
    """h = |T|^-1 |g| e_0; False where T is zero or its eigenvalues can't be found."""
    delta, gamma, lam, work, h, V = (
        _small(R, 0), _small(R, 1), _small(R, 2), _small(R, 3), _small(R, 4), _small(R, 5),
    )  # fmt: skip
    for i in range(k * k):
        V[i] = 0.0
    for i in range(k):
        V[i * k + i] = delta[i]
        if i > 0:
            V[i * k + i - 1] = gamma[i]
            V[(i - 1) * k + i] = gamma[i]
    if not eigen(V, lam, work, k):
        return False
    top = 0.0
    for i in range(k):
        top = max(top, abs(lam[i]))
        h[i] = 0.0
    if top == 0.0:
        return False
    for j in range(k):
        s = gnorm * V[j * k] / max(abs(lam[j]), least * top)
        for i in range(k):
            h[i] += s * V[j * k + i]
    return True


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    n = c[N]
    x, g, d = vector(R, X + c[PARITY]), vector(R, G + c[PARITY]), vector(R, D)
    p[T] = 0.0
    if c[DENSE] != 0:
        start = (_Q + c[MEMORY]) * n
        evaluate_hess(R, x, R.w[start : start + n * n])
        if c[ABORT] != 0:
            return FAILED
    gnorm = dot(g, g) ** 0.5
    k = _grow(R, x, g, gnorm)
    if c[ABORT] != 0:
        return FAILED
    p[SLOPE] = 0.0
    if k > 0 and _solve(R, k, gnorm, p[DAMPING]):
        h = _small(R, 4)
        scale(-h[0], vector(R, _Q), d)
        for j in range(1, k):
            step_to(d, -h[j], vector(R, _Q + j), d)
        p[SLOPE] = dot(g, d)
    if not (p[SLOPE] < 0.0 and p[SLOPE] > -float("inf")):
        p[SLOPE] = -steepest_descent(g, d)  # products of no use, NaN or zero
    return search(R, 1.0)


run = make_run(init, step)
