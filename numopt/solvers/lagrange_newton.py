r"""Newton's method on the Lagrange system: equality constraints only.

The n + m equations grad f = J'y, c = b are solved for x and y by

.. math::

    \begin{pmatrix} H & J^T \\ J & 0 \end{pmatrix} \begin{pmatrix} d \\ -y^+ \end{pmatrix}
    = -\begin{pmatrix} g \\ c - b \end{pmatrix}                                                             (1)

with H the Hessian of the Lagrangian, Nocedal & Wright (18.6).  Far from a solution the plain iteration may go anywhere,
a maximum among others, so it is guarded:

* H is shifted by delta I until the matrix has m negative eigenvalues and no zero one: then d is a direction of descent
  for the model on the constraints (section 3.4 and theorem 16.3).  Dependent constraints put zeros among the
  eigenvalues: -delta_c I in place of 0 (Wächter & Biegler 2006, section 3.1).
* the shift also grows while d is ten times as long as x, and that makes it shorter.
* steps are halved until the l1 merit f + nu |c - b|_1 falls enough, with nu above the largest multiplier (18.36), or
  the residual of the Lagrange system itself does: near a solution that keeps the full step, whatever f's rounding.

Workspace: H (n x n), the matrix and its factor ((n + m) squared), its diagonal, right-hand side, solution, pivots and
two scratch vectors (n + m each).

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, sections 18.1 and 18.3.
A. Wächter and L. T. Biegler, On the implementation of an interior-point filter line-search algorithm for large-scale
nonlinear programming, Math. Program. 106 (2006), 25-57.
"""

from numopt.drivers.constrained import make_constrained_run
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import (
    c_at,
    evaluate_lagrangian,
    evaluate_slopes,
    evaluate_values,
    g_at,
    jacobian_at,
    lower_limits,
    own,
    x_at,
    y_at,
    z_at,
)
from numopt.kernels.constrained_slots import CTOL, OWN_P, PENALTY, VIOLATION, M
from numopt.kernels.kkt import lagrangian_gradient
from numopt.kernels.ldlt import ldlt, refine_ldlt, solve_ldlt
from numopt.kernels.oracle import vector
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    F_TRIAL,
    FAILED,
    FLAT,
    FRESH,
    MAX_TRIALS,
    PARITY,
    POINT_INFEASIBLE,
    D,
    F,
    N,
    T,
)
from numopt.kernels.stopping import EPS
from numopt.kernels.vectors import norm_inf

_SHIFT = OWN_P  # the last shift of H that was needed
_C1 = 1e-4  # of the sufficient decrease
_RHO = 0.1  # share of the violation that the merit function's slope keeps, (18.36)
_SHIFTS = 60  # each eight times the last: enough to pass any eigenvalue
_FIRST, _GROWTH, _DECAY = 1e-4, 8.0, 1.0 / 3.0
_LONG = 10.0  # relative to the size of x: longer steps are those of a matrix that says little
_CORNER = 1e-8  # -delta_c, relative to the matrix
_FALL = 0.9  # of the residual of the Lagrange system, for a step that the merit function rejects
_TINY_SLOPE = 1e-8  # of the squared violation, relative to violation and Jacobian: it can't be lowered
_INF = float("inf")


def own_words(n, m):
    """Size of the workspace."""
    return n * n + (n + m) * (n + m) + 6 * (n + m)


@kernel
def init(R):
    """Nothing is kept from step to step but the shift and the penalty."""
    R.c[FRESH] = 1
    R.p[_SHIFT] = 0.0
    R.p[PENALTY] = 0.0


@kernel
def _violation(R, k):
    """The l1 norm of c - b."""
    c, b, s = c_at(R, k), lower_limits(R), 0.0
    for i in range(c.size):
        s += abs(c[i] - b[i])
    return s


@kernel
def _residual(R, k, scratch):
    """The largest component of the Lagrange system's left side at place k."""
    lagrangian_gradient(g_at(R, k), jacobian_at(R, k), y_at(R, k), z_at(R, k), scratch)
    c, b, s = c_at(R, k), lower_limits(R), 0.0
    for j in range(scratch.size):
        s = max(s, abs(scratch[j]))
    for i in range(c.size):
        s = max(s, abs(c[i] - b[i]))
    return s


@kernel
def _assemble(H, J, n, m, shift, corner, K, diagonal):
    """The matrix of (1), H shifted by ``shift`` and the corner -``corner``: strict lower triangle and diagonal."""
    N2 = n + m
    for i in range(n):
        for j in range(i):
            K[i * N2 + j] = H[i * n + j]
        diagonal[i] = H[i * n + i] + shift
    for i in range(m):
        for j in range(n):
            K[(n + i) * N2 + j] = J[i * n + j]
        for j in range(i):
            K[(n + i) * N2 + n + j] = 0.0
        diagonal[n + i] = -corner


@kernel
def _factor(R, shift, H, J, K, diagonal, perm, scratch):
    """Factor the matrix of (1), shifted from ``shift`` on until its inertia is (n, m, 0); False if no shift will do."""
    p, n, m = R.p, R.c[N], R.c[M]
    top, corner = max(norm_inf(H), 1e-8), 0.0
    for _ in range(_SHIFTS):
        _assemble(H, J, n, m, shift, corner, K, diagonal)
        positive, negative, zero = ldlt(K, diagonal, n + m, perm, scratch)
        if negative == m and zero == 0:
            p[_SHIFT] = shift
            return True
        if zero > 0 and corner == 0.0:
            # dependent constraints, or a singular H on the constraints: the next round tells them apart
            corner = _CORNER * max(1.0, norm_inf(J))
        elif shift == 0.0:
            shift = max(_FIRST * top, _DECAY * p[_SHIFT])
        else:
            shift *= _GROWTH
    return False


@kernel
def _no_way_down(R, scratch):
    """Whether x violates the constraints, and the slope of the squared violation is zero: no step lowers it."""
    c, b, J, n = c_at(R, R.c[PARITY]), lower_limits(R), jacobian_at(R, R.c[PARITY]), R.c[N]
    size = 0.0
    for j in range(n):
        scratch[j] = 0.0
    for i in range(c.size):
        size = max(size, abs(c[i] - b[i]))
        for j in range(n):
            scratch[j] += J[i * n + j] * (c[i] - b[i])
    slope = 0.0
    for j in range(n):
        slope = max(slope, abs(scratch[j]))
    return slope <= _TINY_SLOPE * size * max(norm_inf(J), 1.0)


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    n, m, k = c[N], c[M], c[PARITY]
    size = n + m
    x, g, con, y, J = x_at(R, k), g_at(R, k), c_at(R, k), y_at(R, k), jacobian_at(R, k)
    b, d, xt, yt = lower_limits(R), vector(R, D), x_at(R, 1 - k), y_at(R, 1 - k)
    H, K = own(R, 0, n * n), own(R, n * n, size * size)
    start = n * n + size * size
    diagonal, rhs, solution = own(R, start, size), own(R, start + size, size), own(R, start + 2 * size, size)
    perm, work, scratch = (
        own(R, start + 3 * size, size),
        own(R, start + 4 * size, size),
        own(R, start + 5 * size, size),
    )
    if not evaluate_lagrangian(R, k, y, 1.0, H):
        return FAILED
    for j in range(n):
        rhs[j] = -g[j]
    for i in range(m):
        rhs[n + i] = b[i] - con[i]
    shift, length, longest = 0.0, _INF, _LONG * max(1.0, norm_inf(x))
    for _ in range(_SHIFTS):
        if not _factor(R, shift, H, J, K, diagonal, perm, scratch):
            return FAILED
        solve_ldlt(K, size, perm, rhs, solution, work)
        refine_ldlt(K, diagonal, size, perm, rhs, solution, scratch, work, 2)
        before, length = length, 0.0
        for j in range(n):
            length = max(length, abs(solution[j]))
        # what the constraints ask for stays, however large the shift
        if length <= longest or not length < 0.9 * before:
            break
        shift = max(_GROWTH * p[_SHIFT], _FIRST * max(norm_inf(H), norm_inf(g)))
    violation, residual = _violation(R, k), _residual(R, k, vector(R, D))
    gd, curvature, largest = 0.0, 0.0, 0.0
    for j in range(n):
        d[j] = solution[j]
        gd += g[j] * d[j]
        for i in range(n):
            curvature += solution[i] * H[i * n + j] * solution[j]
    for i in range(m):
        largest = max(largest, abs(solution[n + i]))
    if not (abs(gd) < _INF and largest < _INF):
        return FAILED
    # (18.36), and above the multipliers
    if violation > 0.0:
        p[PENALTY] = max(p[PENALTY], (gd + max(0.5 * curvature, 0.0)) / ((1.0 - _RHO) * violation), 1.1 * largest)
    merit, slope = p[F] + p[PENALTY] * violation, gd - p[PENALTY] * violation
    t, better, good = 1.0, False, False
    for trial in range(c[MAX_TRIALS]):
        for j in range(n):
            xt[j] = x[j] + t * d[j]
        good = evaluate_values(R, 1 - k)
        if c[ABORT] != 0:
            return FAILED
        better = good and p[F_TRIAL] + p[PENALTY] * _violation(R, 1 - k) <= merit + _C1 * t * slope
        if better or (good and trial == 0):
            if not evaluate_slopes(R, 1 - k):
                if c[ABORT] != 0:
                    return FAILED
                better = False
            else:
                for i in range(m):
                    yt[i] = y[i] + t * (-solution[n + i] - y[i])
                z = z_at(R, 1 - k)
                for j in range(n):
                    z[j] = 0.0
                better = better or _residual(R, 1 - k, own(R, start + 5 * size, n)) <= _FALL * residual
        if better:
            p[T] = t
            return ACCEPT
        t *= 0.5
    if p[VIOLATION] > p[CTOL] and _no_way_down(R, vector(R, D)):
        return POINT_INFEASIBLE
    return FLAT if abs(slope) <= 10.0 * EPS * max(1.0, abs(merit)) else FAILED


run = make_constrained_run(init, step)
