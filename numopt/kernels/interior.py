r"""The Newton system of the interior-point method: slack form, scaling, matrix with its inertia corrected, residuals.

Inside, everything is scaled: f by df, row i by e_i, so that no gradient is larger than 100 at the start (section 3.8 of
Wächter & Biegler 2006; equation numbers below are theirs).  An inequality has a slack, e c(x) - s = 0 with s within the
scaled limits; of an equality s is the limit itself and never moves; a row without limits takes no part.

There are two phases.  In the first place the barrier problem of f is solved.  Where that is stuck, in the *restoration
phase*, the one of half the squared violation and a term that keeps x near its place,

    |e c(x) - s|^2 / 2 + zeta |D (x - x_R)|^2 / 2

The Newton system of the latter is that of the former with y = s - e c(x), no residual of the rows, and -I in place of
the zeros below the Jacobian.
"""

import math

from numopt.kernels import barrier
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import g_at, jacobian_at, lower_limits, upper_limits, x_at
from numopt.kernels.constrained_slots import OWN_C, OWN_P, M, common_words
from numopt.kernels.constrained_views import part
from numopt.kernels.filters import SIZE
from numopt.kernels.ldlt import ldlt, refine_ldlt, solve_ldlt
from numopt.kernels.oracle import lower_bounds, upper_bounds
from numopt.kernels.slots import N

FREE, INEQUALITY, EQUALITY = 0.0, 1.0, 2.0

PHASE, BEGUN, COUNT, SHAKEN, SCALED = range(OWN_C, OWN_C + 5)
# PHASE: 1 during restoration;  BEGUN: 1 once the start is within the bounds;  COUNT: pairs in the filter
# SHAKEN: times that a stationary point of the violation was left at random
# SCALED: 1 once the quasi-Newton matrix has its size
MU, MU_R, DF, SHIFT, THETA_MAX, THETA_MIN, THETA_R, STUCK_AT, CURVATURE = range(OWN_P, OWN_P + 9)
# MU, MU_R: of the barrier problem, of restoration;  SHIFT: of the Hessian, when one was last needed
# THETA_R: violation when restoration began;  STUCK_AT: its norm at the stationary point
# CURVATURE: of the quasi-Newton matrix along the last step

_INF = math.inf
KAPPA_E, _KAPPA_MU, _THETA_MU = 10.0, 0.2, 1.5  # (7)
_SHIFT_FIRST, _SHIFT_LEAST, _SHIFT_MOST = 1e-4, 1e-20, 1e40  # section 3.1
_Y_GROWTH, _Y_GROWTH_SINGULAR = 1e8, 1e3  # of multipliers in one step, the latter where rows depend on each other
_S_MAX = 100.0  # (6)
_GRADIENT_MOST = 100.0
_SCALE_LEAST = 1e-8


# --- the method's own workspace


def own_words(n, m):
    """Size of the workspace."""
    return _after_vectors(n, m) + n * n + (n + m) * (n + m) + 2 * SIZE


def _after_vectors(n, m):
    return 5 * n + 14 * m + 6 * (n + m)


def _part(place):
    """A part of the method's own workspace, as ``part``."""

    def from_start(n, m, k=0):
        start, count = place(n, m, k)
        return common_words(n, m) + start, count

    return from_start


def _of_n(j):
    return part(_part(lambda n, m, k: (j * n, n)))


def _of_m(j):
    return part(_part(lambda n, m, k: (5 * n + j * m, m)))


# vectors of n: multipliers of lower and upper bounds, x_R, scratch, and d of a second-order correction
lower_z, upper_z, held, scratch_n, step_corrected = map(_of_n, range(5))
# vectors of m: s, ds, s of the trial point; scaled limits (infinite where there is no slack) and their multipliers; y
slack, slack_step, slack_trial, slack_lower, slack_upper, lower_v, upper_v, scaled_y = map(_of_m, range(8))
# e; FREE, INEQUALITY or EQUALITY; e c - s of the point, of the trial point, and as corrected; ds of a correction
row_scale, kind, residual, residual_trial, residual_corrected, slack_corrected = map(_of_m, range(8, 14))
# vectors of n + m: diagonal, order of the pivots, right-hand side, solution, and two of scratch
of_both = part(_part(lambda n, m, k: (5 * n + 14 * m + k * (n + m), n + m)), 1)
# the Hessian of the Lagrangian, or what is put in its place; the matrix of the system and its factor; the filter
hessian = part(_part(lambda n, m, k: (_after_vectors(n, m), n * n)))
system = part(_part(lambda n, m, k: (_after_vectors(n, m) + n * n, (n + m) * (n + m))))
pairs = part(_part(lambda n, m, k: (_after_vectors(n, m) + n * n + (n + m) * (n + m), 2 * SIZE)))


@kernel
def lower_mu(mu):
    """The next mu (7)."""
    return min(_KAPPA_MU * mu, mu**_THETA_MU)


# --- scaling and residuals


@kernel
def set_scales(R, k):
    """df, e, the kinds of rows, their limits, from the derivatives in place k."""
    n, m = R.c[N], R.c[M]
    g, J, cl, cu = g_at(R, k), jacobian_at(R, k), lower_limits(R), upper_limits(R)
    e, sort, lo, up, s = row_scale(R), kind(R), slack_lower(R), slack_upper(R), slack(R)
    most = 0.0
    for j in range(n):
        most = max(most, abs(g[j]))
    R.p[DF] = max(_GRADIENT_MOST / most, _SCALE_LEAST) if most > _GRADIENT_MOST else 1.0
    for i in range(m):
        most = 0.0
        for j in range(n):
            most = max(most, abs(J[i * n + j]))
        e[i] = max(_GRADIENT_MOST / most, _SCALE_LEAST) if most > _GRADIENT_MOST else 1.0
        lo[i], up[i] = -_INF, _INF
        if cl[i] == cu[i]:
            sort[i], s[i] = EQUALITY, e[i] * cl[i]
        elif cl[i] > -_INF or cu[i] < _INF:
            sort[i], lo[i], up[i] = INEQUALITY, e[i] * cl[i], e[i] * cu[i]
        else:
            sort[i], s[i] = FREE, 0.0


@kernel
def set_residual(c, e, s, sort, r):
    """r = e c - s; its l1 norm."""
    total = 0.0
    for i in range(c.size):
        r[i] = e[i] * c[i] - s[i] if sort[i] != FREE else 0.0
        total += abs(r[i])
    return total


@kernel
def objective_slope(R, k, j):
    """Component j of the gradient of what the phase minimises."""
    if R.c[PHASE] == 0:
        return R.p[DF] * g_at(R, k)[j]
    return proximity(R, j) * (x_at(R, k)[j] - held(R)[j])


@kernel
def proximity(R, j):
    """zeta D_j^2"""
    size = max(1.0, abs(held(R)[j]))
    return R.p[MU_R] ** 0.5 / (size * size)


@kernel
def lagrangian_slopes(R, k, y, out):
    """out = the gradient of what the phase minimises, less J'y."""
    n, J, e = R.c[N], jacobian_at(R, k), row_scale(R)
    for j in range(n):
        out[j] = objective_slope(R, k, j)
    for i in range(y.size):
        a = e[i] * y[i]
        if a != 0.0:
            for j in range(n):
                out[j] -= a * J[i * n + j]


@kernel
def error(R, k, mu):
    """E_mu, the largest residual of the barrier problem's conditions (5)."""
    x, xl, xu, zl, zu = x_at(R, k), lower_bounds(R), upper_bounds(R), lower_z(R), upper_z(R)
    s, sl, su, vl, vu = slack(R), slack_lower(R), slack_upper(R), lower_v(R), upper_v(R)
    y, sort, r, out = scaled_y(R), kind(R), residual(R), scratch_n(R)
    lagrangian_slopes(R, k, y, out)
    slope, total, primal = 0.0, 0.0, 0.0
    for j in range(x.size):
        slope = max(slope, abs(out[j] - zl[j] + zu[j]))
    for i in range(y.size):
        if sort[i] == INEQUALITY:
            slope = max(slope, abs(y[i] - vl[i] + vu[i]))
        total += abs(y[i])
        primal = max(primal, abs(r[i]))
    of_x, sum_z, count_x = barrier.complementarity(x, xl, xu, zl, zu, mu)
    of_s, sum_v, count_s = barrier.complementarity(s, sl, su, vl, vu, mu)
    count = count_x + count_s
    s_d = max(_S_MAX, (total + sum_z + sum_v) / max(1, y.size + count)) / _S_MAX
    s_c = max(_S_MAX, (sum_z + sum_v) / max(1, count)) / _S_MAX
    return max(slope / s_d, max(of_x, of_s) / s_c, primal if R.c[PHASE] == 0 else 0.0)


@kernel
def barrier_value(R, x, s, mu):
    """-mu times the logarithms."""
    return -mu * (
        barrier.log_terms(x, lower_bounds(R), upper_bounds(R)) + barrier.log_terms(s, slack_lower(R), slack_upper(R))
    )


# --- the system


@kernel
def _fill(R, k, with_hessian):
    """The strict lower triangle of the matrix (13)."""
    n, m = R.c[N], R.c[M]
    size = n + m
    K, H, J, e, sort = system(R), hessian(R), jacobian_at(R, k), row_scale(R), kind(R)
    for i in range(n):
        for j in range(i):
            K[i * size + j] = H[i * n + j] if with_hessian else 0.0
    for i in range(m):
        a = e[i] if sort[i] != FREE else 0.0
        row = (n + i) * size
        for j in range(n):
            K[row + j] = a * J[i * n + j]
        for j in range(n, n + i):
            K[row + j] = 0.0


@kernel
def _slack_diagonal(R, i, shift):
    s, sl, su, vl, vu = slack(R), slack_lower(R), slack_upper(R), lower_v(R), upper_v(R)
    return barrier.sigma_at(s[i], sl[i], su[i], vl[i], vu[i]) + shift


@kernel
def _diagonal(R, k, with_hessian, shift, below):
    """The diagonal: the Hessian's, Sigma and the shift; -1/Sigma_s and -``below``."""
    n, m = R.c[N], R.c[M]
    x, xl, xu, zl, zu = x_at(R, k), lower_bounds(R), upper_bounds(R), lower_z(R), upper_z(R)
    H, d, sort = hessian(R), of_both(R, 0), kind(R)
    for j in range(n):
        d[j] = barrier.sigma_at(x[j], xl[j], xu[j], zl[j], zu[j]) + shift
        if with_hessian:
            d[j] += H[j * n + j]
        if R.c[PHASE] == 1:
            d[j] += proximity(R, j)
    for i in range(m):
        if sort[i] == FREE:
            d[n + i] = -1.0
        elif sort[i] == EQUALITY:
            d[n + i] = -below
        else:
            d[n + i] = -1.0 / _slack_diagonal(R, i, shift) - below


@kernel
def factorise(R, k, mu, with_hessian, below):
    """Factorise, the Hessian shifted until the inertia is (n, m, 0) (algorithm IC); (whether it is, shift, ``below``).

    ``below``: what stands below the Jacobian, with a minus; it becomes positive where rows depend on each other.
    """
    n, m = R.c[N], R.c[M]
    K, d, perm, scratch, last = system(R), of_both(R, 0), of_both(R, 1), of_both(R, 4), R.p[SHIFT]
    _fill(R, k, with_hessian)
    shift = 0.0
    while True:
        _diagonal(R, k, with_hessian, shift, below)
        _, negative, zero = ldlt(K, d, n + m, perm, scratch)
        if negative == m and zero == 0:
            return True, shift, below
        if zero > 0 and below == 0.0 and m > 0:
            below = 1e-8 * mu**0.25
            continue
        if shift == 0.0:
            shift = _SHIFT_FIRST if last == 0.0 else max(_SHIFT_LEAST, last / 3.0)
        else:
            shift *= 100.0 if last == 0.0 else 8.0
        if not shift < _SHIFT_MOST:
            return False, shift, below


@kernel
def multipliers_reasonable(R, below):
    """Whether the step of y is not out of all proportion."""
    n, y, q, most, change = R.c[N], scaled_y(R), of_both(R, 3), 1.0, 0.0
    for i in range(y.size):
        most, change = max(most, abs(y[i])), max(change, abs(q[n + i]))
    return change <= (_Y_GROWTH if below == 0.0 else _Y_GROWTH_SINGULAR) * most


@kernel
def direction(R, k, mu, shift, y, r, d, ds):
    """d, ds and, as the last m of ``of_both(R, 3)``, the change of -y, for the residual r; whether they are finite."""
    n, m = R.c[N], R.c[M]
    x, xl, xu = x_at(R, k), lower_bounds(R), upper_bounds(R)
    s, sl, su, sort = slack(R), slack_lower(R), slack_upper(R), kind(R)
    rhs, q, out = of_both(R, 2), of_both(R, 3), scratch_n(R)
    lagrangian_slopes(R, k, y, out)
    for j in range(n):
        rhs[j] = barrier.slope_at(x[j], xl[j], xu[j], mu) - out[j]
    for i in range(m):
        rhs[n + i] = 0.0 if sort[i] == FREE else -r[i]
        if sort[i] == INEQUALITY:
            rs = y[i] - barrier.slope_at(s[i], sl[i], su[i], mu)
            rhs[n + i] -= rs / _slack_diagonal(R, i, shift)
    K, diagonal, perm = system(R), of_both(R, 0), of_both(R, 1)
    solve_ldlt(K, n + m, perm, rhs, q, of_both(R, 4))
    refine_ldlt(K, diagonal, n + m, perm, rhs, q, of_both(R, 4), of_both(R, 5), 3)
    finite = True
    for j in range(n):
        d[j] = q[j]
        finite = finite and abs(q[j]) < _INF
    for i in range(m):
        ds[i] = 0.0
        finite = finite and abs(q[n + i]) < _INF
        if sort[i] == INEQUALITY:
            rs = y[i] - barrier.slope_at(s[i], sl[i], su[i], mu)
            ds[i] = (q[n + i] - rs) / _slack_diagonal(R, i, shift)
    return finite


@kernel
def slope_along(R, k, mu, d, ds):
    """The derivative, along (d, ds), of what the phase minimises with its barrier; in restoration the violation too."""
    x, xl, xu = x_at(R, k), lower_bounds(R), upper_bounds(R)
    s, sl, su, r, e, J = slack(R), slack_lower(R), slack_upper(R), residual(R), row_scale(R), jacobian_at(R, k)
    n, total = R.c[N], 0.0
    for j in range(n):
        total += (objective_slope(R, k, j) - barrier.slope_at(x[j], xl[j], xu[j], mu)) * d[j]
    for i in range(s.size):
        total -= barrier.slope_at(s[i], sl[i], su[i], mu) * ds[i]
        if R.c[PHASE] == 1:
            change = -ds[i]
            for j in range(n):
                change += e[i] * J[i * n + j] * d[j]
            total += r[i] * change
    return total


@kernel
def least_squares_multipliers(R, k, most):
    """y that makes the gradient of the Lagrangian smallest, given those of the bounds; 0 if larger than ``most``."""
    n, m = R.c[N], R.c[M]
    size = n + m
    K, d, perm, rhs, q, scratch = system(R), of_both(R, 0), of_both(R, 1), of_both(R, 2), of_both(R, 3), of_both(R, 4)
    zl, zu, vl, vu, y, sort = lower_z(R), upper_z(R), lower_v(R), upper_v(R), scaled_y(R), kind(R)
    g = g_at(R, k)
    _fill(R, k, False)
    for j in range(n):
        d[j] = 1.0
        rhs[j] = R.p[DF] * g[j] - zl[j] + zu[j]
    for i in range(m):
        d[n + i] = 0.0 if sort[i] == EQUALITY else -1.0
        rhs[n + i] = -(vl[i] - vu[i]) if sort[i] == INEQUALITY else 0.0
    _, negative, zero = ldlt(K, d, size, perm, scratch)
    largest = _INF
    if negative == m and zero == 0:
        solve_ldlt(K, size, perm, rhs, q, scratch)
        largest = 0.0
        for i in range(m):
            a = abs(q[n + i])
            largest = a if a > largest or a != a else largest
    for i in range(m):
        y[i] = q[n + i] if largest <= most and sort[i] != FREE else 0.0
