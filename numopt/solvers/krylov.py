r"""Trust region on Krylov spaces: the generalised Lanczos method (GLTR).

The model :math:`g^T d + d^T H d / 2` is minimised within the radius over the Krylov space of g, H g, H^2 g, ...
Lanczos' recurrence gives it an orthonormal basis q_0 = g / |g|, q_1, ... in which H is tridiagonal:

.. math:: \gamma_{j+1} q_{j+1} = H q_j - \delta_j q_j - \gamma_j q_{j-1}, \qquad \delta_j = q_j^T H q_j

In the coordinates h of d = Q h the subproblem is tridiagonal too (numopt.kernels.tridiagonal).  The space grows until
the residual of (H + lambda I) d = -g, which is :math:`\gamma_{j+1} |h_j|`, is at most min(1e-3, norm(g)^(1/2)) norm(g),
or until ``lanczos_vectors`` are kept.  On the boundary trust-ncg stops at the first point that it
meets; here the step goes on to the model's minimum over the space.  A shorter radius takes no new products.

Where the recurrence ends before (an invariant subspace), it is begun again with a random vector orthogonal to it, for a
few steps: so negative curvature is found to which g is orthogonal (the hard case).

A step is taken or not, and the radius changed, as in the other trust regions (numopt.kernels.trust).

Workspace, after the common vectors: H q (n); Q, a vector a row; H (n x n) only where c[DENSE]; then
delta, gamma, h, and work space of the subproblem (each as long as there are rows of Q).

References
----------
N. I. M. Gould, S. Lucidi, M. Roma and Ph. L. Toint, Solving the trust-region subproblem using the Lanczos method,
SIAM J. Optim. 9 (1999), 504-525.
"""

from numba import njit
from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import evaluate_hess, vector
from numopt.kernels.points import fill_normal
from numopt.kernels.slots import (
    ABORT,
    DENSE,
    FAILED,
    FRESH,
    MEMORY,
    N_COMMON,
    NIT,
    PARITY,
    RADIUS,
    RADIUS_INITIAL,
    D,
    G,
    N,
    X,
)
from numopt.kernels.stopping import EPS
from numopt.kernels.tridiagonal import solve_tridiagonal
from numopt.kernels.trust import RETRY, SHRINKS, attempt, product
from numopt.kernels.vectors import dot, scale, step_to

_HV, _Q = int64(N_COMMON), int64(N_COMMON + 1)
_ACCURACY = 1e-3  # of the subproblem; a looser one takes more steps, each of which begins the space again
_AFRESH = 6  # Lanczos vectors that a search for negative curvature beside the Krylov space may take


@kernel
def init(R):
    """A restart would not differ, but for the radius."""
    R.c[FRESH] = 1
    if R.c[NIT] == 0:
        R.p[RADIUS] = R.p[RADIUS_INITIAL]


@njit(inline="always")  # as numopt.kernels.oracle.vector
def _small(R, i):
    """The i-th of the arrays with an entry for each Lanczos vector: delta, gamma, h, and two of work space."""
    m = R.c[MEMORY]
    end = R.w.size - (5 - i) * m
    return R.w[end : end + m]


@kernel
def _orthogonal(R, k, q):
    """Set q to a unit vector orthogonal to the first k rows of Q; False if there is none."""
    fill_normal(k + 1, q)
    for _ in range(2):  # once leaves what rounding makes of it
        for j in range(k):
            row = vector(R, _Q + j)
            step_to(q, -dot(row, q), row, q)
        length = dot(q, q) ** 0.5
        if not length > 1e-8:
            return False
        scale(1.0 / length, q, q)
    return True


@kernel
def _grow(R, x, g, radius):
    """Lanczos vectors until the model's minimum over their span is good enough: (their number, lambda)."""
    c = R.c
    hv = vector(R, _HV)
    delta, gamma, h, a, b = _small(R, 0), _small(R, 1), _small(R, 2), _small(R, 3), _small(R, 4)
    gnorm = dot(g, g) ** 0.5
    tol = min(_ACCURACY, gnorm**0.5) * gnorm
    most = min(c[MEMORY], c[N])
    scale(1.0 / gnorm, g, vector(R, _Q))
    gamma[0], size, shift, until = 0.0, 0.0, 0.0, most
    for k in range(most):
        q = vector(R, _Q + k)
        delta[k] = product(R, x, q, hv, _Q + c[MEMORY])
        if c[ABORT] != 0:
            return k, shift
        if not abs(delta[k]) < float("inf"):
            return k, shift  # a product of no use
        step_to(hv, -delta[k], q, hv)
        if gamma[k] != 0.0:
            step_to(hv, -gamma[k], vector(R, _Q + k - 1), hv)
        beside = dot(hv, hv) ** 0.5
        if not beside < float("inf"):
            return k, shift
        size = max(size, abs(delta[k]) + gamma[k] + beside)
        shift = solve_tridiagonal(delta, gamma, k + 1, gnorm, radius, h, a, b)
        if k + 1 == until:
            return k + 1, shift
        if beside > 10.0 * EPS * size:
            if until == most and beside * abs(h[k]) <= tol:
                return k + 1, shift
            gamma[k + 1] = beside
            scale(1.0 / beside, hv, vector(R, _Q + k + 1))
        elif until < most or not _orthogonal(R, k + 1, vector(R, _Q + k + 1)):
            return k + 1, shift
        else:
            gamma[k + 1] = 0.0
            until = min(most, k + 1 + _AFRESH)
    return most, shift


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    n = c[N]
    x, g, d = vector(R, X + c[PARITY]), vector(R, G + c[PARITY]), vector(R, D)
    if c[DENSE] != 0:
        start = (_Q + c[MEMORY]) * n
        evaluate_hess(R, x, R.w[start : start + n * n])
        if c[ABORT] != 0:
            return FAILED
    radius, task, k = p[RADIUS], RETRY, 0
    delta, gamma, h, a, b = _small(R, 0), _small(R, 1), _small(R, 2), _small(R, 3), _small(R, 4)
    gnorm = dot(g, g) ** 0.5
    for trial in range(SHRINKS):
        if trial == 0:
            k, shift = _grow(R, x, g, radius)
            if c[ABORT] != 0:
                return FAILED
        elif k > 0:
            shift = solve_tridiagonal(delta, gamma, k, gnorm, radius, h, a, b)
        curvature = 0.0
        if k == 0:  # no product is of use: the model is linear
            scale(-radius / gnorm, g, d)
            shift = 1.0
        else:
            scale(h[0], vector(R, _Q), d)
            for j in range(1, k):
                step_to(d, h[j], vector(R, _Q + j), d)
            for j in range(k):
                curvature += delta[j] * h[j] * h[j]
                if j > 0:
                    curvature += 2.0 * gamma[j] * h[j - 1] * h[j]
        radius, task = attempt(R, d, curvature, shift > 0.0, radius)
        if task != RETRY or c[ABORT] != 0:
            break
    return task if task != RETRY else FAILED


run = make_run(init, step)
