r"""A primal-dual interior-point method with a filter line search, after Ipopt [WB]_.

Inequalities get slacks, s = c(x) with s between the limits.  For a falling sequence of mu the equations of the barrier
problem, with :math:`f - \mu \sum \ln(\text{distances from the bounds of } x \text{ and } s)` in place of f,

.. math::

    \nabla f - J^T y - z_l + z_u = 0, \quad c - s = 0, \quad z_l (x - x_l) = \mu, \quad z_u (x_u - x) = \mu    (4)

(and those of the bounds of s, alike) are solved by Newton's method.  Eliminating all but x and y leaves

.. math::

    \begin{pmatrix} W + \Sigma_x + \delta I & J^T \\ J & -\Sigma_s^{-1} \end{pmatrix}
    \begin{pmatrix} d \\ -\Delta y \end{pmatrix} = -r                                                         (13)

with W the Hessian of the Lagrangian, or a damped BFGS matrix in its place, and :math:`\Sigma` the multipliers over the
distances.  delta grows until the matrix has m negative eigenvalues, so that d is a direction of descent where it
should be (:mod:`numopt.kernels.interior`).  Steps stay within the bounds (15), are halved until violation and value of
the barrier problem suit a filter (18-20), and are corrected for the curvature of the constraints where that is why the
full step was refused (section 2.4).  If no step suits, the restoration phase lowers the violation alone, until the
filter takes the point, or the violation has a stationary point: then the constraints are found infeasible.

mu is lowered as soon as the conditions (4) hold to 10 mu, to min(mu / 5, mu^1.5) (7).

Workspace: see :mod:`numopt.kernels.interior`; 5 n + 14 m + 6 (n + m) + n^2 + (n + m)^2 doubles and the filter.

References
----------
.. [WB] A. Wächter and L. T. Biegler, On the implementation of an interior-point filter line-search algorithm for
   large-scale nonlinear programming, Math. Program. 106 (2006), 25-57.
"""

import math

from numopt.drivers.constrained import make_constrained_run
from numopt.kernels import barrier
from numopt.kernels import interior as ip
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import (
    c_at,
    evaluate_constraints,
    evaluate_lagrangian,
    evaluate_slopes,
    evaluate_values,
    jacobian_at,
    kept_rows,
    lower_limits,
    upper_limits,
    x_at,
    y_at,
    z_at,
)
from numopt.kernels.constrained_slots import CTOL, EXACT_HESSIAN, VIOLATION, M
from numopt.kernels.filters import admits, augment
from numopt.kernels.kkt import row_violation
from numopt.kernels.oracle import lower_bounds, upper_bounds, vector
from numopt.kernels.quasi_newton import damped_update
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    F_TRIAL,
    FAILED,
    FLAT,
    FRESH,
    PARITY,
    POINT_INFEASIBLE,
    D,
    F,
    N,
    T,
)
from numopt.kernels.stopping import EPS
from numopt.kernels.vectors import copy, dot

_INF = math.inf
_THETA_MOST = 1e2
_MU_FIRST = 0.1
_PUSH = 1e-2  # of the start from its bounds
_KAPPA_E, _KAPPA_MU, _THETA_MU = 10.0, 0.2, 1.5  # (7)
_TAU_LEAST = 0.99  # (8)
# the filter line search: (18) to (20), (23)
_GAMMA_THETA, _GAMMA_PHI, _ETA, _S_THETA, _S_PHI, _GAMMA_ALPHA = 1e-5, 1e-8, 1e-4, 1.1, 2.3, 0.05
_CORRECTIONS, _CORRECTION_FALL = 4, 0.99
_Y_MOST = 1e3  # multipliers of least squares that are larger say nothing (section 3.6)
_RESTORED = 0.9  # of the violation that restoration began with
_STATIONARY = 1e-6  # of the gradient of the violation's norm
_SHAKES, _SHAKE = 4, 1e-2
_CLOSE, _ROOM = 1e-13, 2e-12  # of a slack to its limit; that the limit moves away
_RESTORE = -1


@kernel
def _reset(R, diagonal):
    """The quasi-Newton matrix to a multiple of the unit matrix."""
    n, B = R.c[N], ip.hessian(R)
    for i in range(n * n):
        B[i] = 0.0
    for j in range(n):
        B[j * n + j] = diagonal
    R.c[ip.SCALED] = 0


@kernel
def _begin(R, k):
    """Set scales, slacks, and multipliers for the point in place k."""
    c, p = R.c, R.p
    n, m = c[N], c[M]
    ip.set_scales(R, k)
    s, lo, up, e, con = ip.slack(R), ip.slack_lower(R), ip.slack_upper(R), ip.row_scale(R), c_at(R, k)
    sort = ip.kind(R)
    for i in range(m):
        if sort[i] == ip.INEQUALITY:
            s[i] = barrier.pushed(e[i] * con[i], lo[i], up[i], _PUSH)
    zl, zu, vl, vu, xl, xu = ip.lower_z(R), ip.upper_z(R), ip.lower_v(R), ip.upper_v(R), lower_bounds(R), upper_bounds(R)
    for j in range(n):
        zl[j], zu[j] = 1.0 if xl[j] > -_INF else 0.0, 1.0 if xu[j] < _INF else 0.0
    for i in range(m):
        vl[i], vu[i] = 1.0 if lo[i] > -_INF else 0.0, 1.0 if up[i] < _INF else 0.0
    ip.least_squares_multipliers(R, k, _Y_MOST)
    _reset(R, 1.0)
    theta = ip.set_residual(con, e, s, sort, ip.residual(R))
    p[ip.MU], p[ip.SHIFT], p[ip.CURVATURE] = _MU_FIRST, 0.0, 1.0
    p[ip.THETA_MAX], p[ip.THETA_MIN] = _THETA_MOST * max(1.0, theta), 1e-4 * max(1.0, theta)
    c[ip.PHASE], c[ip.COUNT], c[ip.SHAKEN], c[ip.SCALED], c[ip.BEGUN] = 0, 0, 0, 0, 1
    _report(R, k)


@kernel
def _report(R, k):
    """The multipliers, not scaled, to place k."""
    zl, zu, vl, vu, z, y = ip.lower_z(R), ip.upper_z(R), ip.lower_v(R), ip.upper_v(R), z_at(R, k), y_at(R, k)
    own_y, e, sort, df = ip.scaled_y(R), ip.row_scale(R), ip.kind(R), R.p[ip.DF]
    for j in range(z.size):
        z[j] = (zl[j] - zu[j]) / df
    for i in range(y.size):
        y[i] = (vl[i] - vu[i] if sort[i] == ip.INEQUALITY else own_y[i]) * e[i] / df


@kernel
def init(R):
    """Begin, if the start is well within the bounds; else the first step goes there."""
    c, k = R.c, R.c[PARITY]
    x, xl, xu = x_at(R, k), lower_bounds(R), upper_bounds(R)
    c[FRESH], c[ip.BEGUN] = 1, 0
    for j in range(x.size):
        if barrier.pushed(x[j], xl[j], xu[j], _PUSH) != x[j]:
            return
    _begin(R, k)


@kernel
def _kept(R, k):
    """Whether the rows that may not be violated are not, at x of place k."""
    keep, con, cl, cu = kept_rows(R), c_at(R, k), lower_limits(R), upper_limits(R)
    some = False
    for i in range(keep.size):
        some = some or keep[i] != 0.0
    if not some:
        return True
    if not evaluate_constraints(R, x_at(R, k), con):
        return False
    for i in range(keep.size):
        if keep[i] != 0.0 and row_violation(con[i], cl[i], cu[i]) > (R.p[CTOL] if cl[i] == cu[i] else 0.0):
            return False
    return True


@kernel
def _enter(R):
    """From the start to a point well within the bounds."""
    c, p, k = R.c, R.p, R.c[PARITY]
    x, xt, xl, xu = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R)
    push = _PUSH
    for _ in range(30):
        for j in range(x.size):
            xt[j] = barrier.pushed(x[j], xl[j], xu[j], push)
        if _kept(R, 1 - k) and evaluate_values(R, 1 - k) and evaluate_slopes(R, 1 - k):
            _begin(R, 1 - k)
            p[T] = 1.0
            return ACCEPT
        if c[ABORT] != 0:
            return FAILED
        push *= 0.25
    return FAILED


@kernel
def _try(R, k, d, ds, t):
    """Evaluate the point t along the step; whether it has values."""
    x, xt, xl, xu = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R)
    s, st, lo, up = ip.slack(R), ip.slack_trial(R), ip.slack_lower(R), ip.slack_upper(R)
    for j in range(x.size):
        xt[j] = barrier.inside(x[j] + t * d[j], xl[j], xu[j])
    for i in range(s.size):
        st[i] = barrier.inside(s[i] + t * ds[i], lo[i], up[i])
    if not (_kept(R, 1 - k) and evaluate_values(R, 1 - k)):
        return False
    # where c is farther from its only limit than s, s = c lowers both the violation and the barrier
    e, con = ip.row_scale(R), c_at(R, 1 - k)
    for i in range(s.size):
        if up[i] == _INF and lo[i] > -_INF:
            st[i] = max(st[i], e[i] * con[i])
        elif lo[i] == -_INF and up[i] < _INF:
            st[i] = min(st[i], e[i] * con[i])
    return True


@kernel
def _move(R, k, d, ds, mu, t):
    """Multipliers of bounds and slacks, and slacks, after a step."""
    x, xt, xl, xu, zl, zu = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R), ip.lower_z(R), ip.upper_z(R)
    s, st, lo, up, vl, vu = (
        ip.slack(R), ip.slack_trial(R), ip.slack_lower(R), ip.slack_upper(R), ip.lower_v(R), ip.upper_v(R),
    )  # fmt: skip
    tau = max(_TAU_LEAST, 1.0 - mu)
    t_z = min(
        barrier.multipliers_to_boundary(x, d, xl, xu, zl, zu, mu, tau),
        barrier.multipliers_to_boundary(s, ds, lo, up, vl, vu, mu, tau),
    )
    barrier.move_multipliers(x, d, xt, xl, xu, zl, zu, mu, t_z)
    barrier.move_multipliers(s, ds, st, lo, up, vl, vu, mu, t_z)
    copy(st, s)
    _make_room(R)
    R.p[T] = t


@kernel
def _make_room(R):
    """Move limits a little out where s is closer to them than rounding allows (section 3.5), within ctol."""
    s, lo, up, e, cl, cu, keep = (
        ip.slack(R), ip.slack_lower(R), ip.slack_upper(R), ip.row_scale(R), lower_limits(R), upper_limits(R),
        kept_rows(R),
    )  # fmt: skip
    for i in range(s.size):
        if keep[i] != 0.0:
            continue
        if lo[i] > -_INF:
            size = max(1.0, abs(lo[i]))
            if s[i] - lo[i] < _CLOSE * size and e[i] * cl[i] - lo[i] < 0.5 * R.p[CTOL] * e[i] * max(1.0, abs(cl[i])):
                lo[i] -= _ROOM * size
        if up[i] < _INF:
            size = max(1.0, abs(up[i]))
            if up[i] - s[i] < _CLOSE * size and up[i] - e[i] * cu[i] < 0.5 * R.p[CTOL] * e[i] * max(1.0, abs(cu[i])):
                up[i] += _ROOM * size


@kernel
def _longest(R, k, d, ds, mu):
    """The longest step within the bounds (15a)."""
    tau = max(_TAU_LEAST, 1.0 - mu)
    return min(
        barrier.to_boundary(x_at(R, k), d, lower_bounds(R), upper_bounds(R), tau),
        barrier.to_boundary(ip.slack(R), ds, ip.slack_lower(R), ip.slack_upper(R), tau),
    )


@kernel
def _take_hessian(R, k, weight):
    """The Hessian of the Lagrangian with the scaled multipliers; whether it is there."""
    y, e, unscaled = ip.scaled_y(R), ip.row_scale(R), ip.slack_step(R)
    for i in range(y.size):
        unscaled[i] = y[i] * e[i]
    return evaluate_lagrangian(R, k, unscaled, weight, ip.hessian(R))


@kernel
def _update(R, k):
    """The quasi-Newton matrix, after the step from place k to the other."""
    n = R.c[N]
    y, B, s, dg, work = ip.scaled_y(R), ip.hessian(R), ip.of_both(R, 2), ip.of_both(R, 3), ip.scratch_n(R)
    x, xt = x_at(R, k), x_at(R, 1 - k)
    s, dg = ip.segment(s, 0, n), ip.segment(dg, 0, n)
    ip.lagrangian_slopes(R, k, y, work)
    ip.lagrangian_slopes(R, 1 - k, y, dg)
    for j in range(n):
        s[j] = xt[j] - x[j]
        dg[j] -= work[j]
    if R.c[ip.SCALED] == 0:
        sy, yy = dot(s, dg), dot(dg, dg)
        if sy > EPS * yy:
            for j in range(n):
                B[j * n + j] = yy / sy
        R.c[ip.SCALED] = 1
    if damped_update(B, s, dg, work):
        R.p[ip.CURVATURE] = dot(s, dg) / dot(s, s)


@kernel
def _update_violation(R, k):
    """The same during restoration, for sum r_i hess c_i: SR1 on the change of J for r (Dennis, Gay & Welsch 1981)."""
    n, m, e, r, B = R.c[N], R.c[M], ip.row_scale(R), ip.residual_trial(R), ip.hessian(R)
    x, xt, J, Jt, v, s = (
        x_at(R, k), x_at(R, 1 - k), jacobian_at(R, k), jacobian_at(R, 1 - k), ip.scratch_n(R), ip.step_corrected(R),
    )  # fmt: skip
    sy, sbs, sv, vv, ss = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(n):
        s[j] = xt[j] - x[j]
        v[j] = 0.0
    for i in range(m):
        a = e[i] * r[i]
        if a != 0.0:
            for j in range(n):
                v[j] += a * (Jt[i * n + j] - J[i * n + j])
    sy = dot(s, v)
    for i in range(n):
        for j in range(n):
            sbs += s[i] * B[i * n + j] * s[j]
    # r may have become small, and what it weighs too
    size = min(1.0, abs(sy) / abs(sbs)) if sbs != 0.0 else 1.0
    for i in range(n * n):
        B[i] *= size
    for i in range(n):
        for j in range(n):
            v[i] -= B[i * n + j] * s[j]
    sv, vv, ss = dot(s, v), dot(v, v), dot(s, s)
    if abs(sv) > 1e-8 * (vv * ss) ** 0.5:
        for i in range(n):
            for j in range(n):
                B[i * n + j] += v[i] * v[j] / sv


@kernel
def _suits(R, theta, phi, slope, t, theta_t, phi_t):
    """0: refused, 1: taken, 2: taken as a step of descent for phi, which leaves the filter as it is (18-20)."""
    p = R.p
    slack = 10.0 * EPS * abs(phi)  # rounding
    if not theta_t <= p[ip.THETA_MAX] or not admits(ip.pairs(R), R.c[ip.COUNT], theta_t, phi_t - slack):
        return 0
    descent = slope < 0.0 and t * (-slope) ** _S_PHI > theta**_S_THETA
    enough = phi_t - slack <= phi + _ETA * t * slope
    if descent and theta <= p[ip.THETA_MIN]:
        return 2 if enough else 0
    if theta_t <= (1.0 - _GAMMA_THETA) * theta or phi_t - slack <= phi - _GAMMA_PHI * theta:
        return 2 if descent and enough else 1
    return 0


@kernel
def _shortest(p, theta, slope):
    """Shorter steps than this would be refused as well (23)."""
    t = _GAMMA_THETA
    if slope < 0.0:
        t = min(t, _GAMMA_PHI * theta / -slope)
        if theta <= p[ip.THETA_MIN]:
            t = min(t, theta**_S_THETA / (-slope) ** _S_PHI)
    return max(_GAMMA_ALPHA * t, EPS)


@kernel
def _measure(R, k, mu):
    """(violation, value of the barrier problem) of the trial point."""
    theta = ip.set_residual(c_at(R, k), ip.row_scale(R), ip.slack_trial(R), ip.kind(R), ip.residual_trial(R))
    return theta, R.p[ip.DF] * R.p[F_TRIAL] + ip.barrier_value(R, x_at(R, k), ip.slack_trial(R), mu)


@kernel
def _barrier_step(R):
    """One iteration of the barrier problem."""
    c, p, k = R.c, R.p, R.c[PARITY]
    n, m = c[N], c[M]
    x, s, y, e, sort, r, d, ds = (
        x_at(R, k), ip.slack(R), ip.scaled_y(R), ip.row_scale(R), ip.kind(R), ip.residual(R), vector(R, D),
        ip.slack_step(R),
    )  # fmt: skip
    theta = ip.set_residual(c_at(R, k), e, s, sort, r)
    mu = p[ip.MU]
    least = max(1e-14, 1e-9 * 0.1 * p[ip.DF])
    while mu > least and ip.error(R, k, mu) <= _KAPPA_E * mu:
        mu = max(least, min(_KAPPA_MU * mu, mu**_THETA_MU))
        c[ip.COUNT] = 0
    p[ip.MU] = mu
    if c[EXACT_HESSIAN] == 1 and not _take_hessian(R, k, p[ip.DF]):
        return FAILED
    shift, below = 0.0, 0.0
    while True:
        good, shift, below = ip.factorise(R, k, mu, True, below)
        if shift > 0.0 and c[EXACT_HESSIAN] == 0:
            # rounding has made the matrix indefinite: along a ray its curvature falls without bound
            _reset(R, p[ip.CURVATURE])
            c[ip.SCALED] = 1
            good, shift, below = ip.factorise(R, k, mu, True, below)
        if not good or not ip.direction(R, k, mu, shift, y, r, d, ds):
            return _RESTORE
        # rows that depend on others, and contradict them, would have multipliers without bound
        if ip.multipliers_reasonable(R, below) or below >= 1e-2:
            break
        below = max(1e-8, 100.0 * below)
    longest = _longest(R, k, d, ds, mu)
    slope = ip.slope_along(R, k, mu, d, ds)
    phi = p[ip.DF] * p[F] + ip.barrier_value(R, x, s, mu)
    size = 0.0
    for j in range(n):
        size = max(size, abs(d[j]) / (1.0 + abs(x[j])))
    for i in range(m):
        size = max(size, abs(ds[i]) / (1.0 + abs(s[i])))
    tiny = size < 10.0 * EPS
    t, shortest, first = longest, _shortest(p, theta, slope), True
    while t >= shortest:
        good = _try(R, k, d, ds, t)
        if c[ABORT] != 0:
            return FAILED
        verdict = 0
        if good:
            theta_t, phi_t = _measure(R, 1 - k, mu)
            verdict = 1 if tiny else _suits(R, theta, phi, slope, t, theta_t, phi_t)
            if verdict == 0 and first and theta_t >= theta:
                # section 2.4: steps for e c(x + t d) - s added to t times the residual, with the same matrix
                before, t_c = theta, t
                rt, dc, dsc = ip.residual_trial(R), ip.step_corrected(R), ip.slack_corrected(R)
                rc = ip.residual_corrected(R)
                copy(r, rc)
                for _ in range(_CORRECTIONS):
                    for i in range(m):
                        rc[i] = t_c * rc[i] + rt[i]
                    if not ip.direction(R, k, mu, shift, y, rc, dc, dsc):
                        break
                    t_c = _longest(R, k, dc, dsc, mu)
                    good = _try(R, k, dc, dsc, t_c)
                    if c[ABORT] != 0:
                        return FAILED
                    if not good:
                        break
                    theta_t, phi_t = _measure(R, 1 - k, mu)
                    verdict = _suits(R, theta, phi, slope, t, theta_t, phi_t)
                    if verdict != 0:
                        copy(dc, d)
                        copy(dsc, ds)
                        t = t_c
                        break
                    if theta_t > _CORRECTION_FALL * before:
                        break
                    before = theta_t
                if verdict == 0:
                    ip.direction(R, k, mu, shift, y, r, d, ds)
        if verdict != 0:
            if evaluate_slopes(R, 1 - k):
                break
            if c[ABORT] != 0:
                return FAILED
            verdict = 0
        first = False
        t *= 0.5
    if t < shortest:
        return _RESTORE
    if verdict == 1:
        c[ip.COUNT] = augment(ip.pairs(R), c[ip.COUNT], (1.0 - _GAMMA_THETA) * theta, phi - _GAMMA_PHI * theta)
    q = ip.of_both(R, 3)
    for i in range(m):
        y[i] -= t * q[n + i]
    _move(R, k, d, ds, mu, t)
    if shift > 0.0:
        p[ip.SHIFT] = shift
    if c[EXACT_HESSIAN] == 0:
        _update(R, k)
    _report(R, 1 - k)
    return ACCEPT


@kernel
def _begin_restoration(R):
    """The point at hand joins the filter; False if there is no violation to lower."""
    c, p, k = R.c, R.p, R.c[PARITY]
    theta, mu = ip.set_residual(c_at(R, k), ip.row_scale(R), ip.slack(R), ip.kind(R), ip.residual(R)), p[ip.MU]
    if theta <= 1e-12:
        return False
    phi = p[ip.DF] * p[F] + ip.barrier_value(R, x_at(R, k), ip.slack(R), mu)
    c[ip.COUNT] = augment(ip.pairs(R), c[ip.COUNT], (1.0 - _GAMMA_THETA) * theta, phi - _GAMMA_PHI * theta)
    p[ip.THETA_R], p[ip.MU_R], c[ip.PHASE] = theta, min(mu, theta * theta), 1
    if c[EXACT_HESSIAN] == 0:
        _reset(R, 0.0)
    copy(x_at(R, k), ip.held(R))
    barrier.set_multipliers(x_at(R, k), lower_bounds(R), upper_bounds(R), p[ip.MU_R], ip.lower_z(R), ip.upper_z(R))
    barrier.set_multipliers(
        ip.slack(R), ip.slack_lower(R), ip.slack_upper(R), p[ip.MU_R], ip.lower_v(R), ip.upper_v(R)
    )
    return True


@kernel
def _stationary(R, k):
    """(whether the norm of the violation has a stationary point within the bounds, that norm)."""
    n, x, xl, xu, con, J = R.c[N], x_at(R, k), lower_bounds(R), upper_bounds(R), c_at(R, k), jacobian_at(R, k)
    e, sort, lo, up, s, slopes = (
        ip.row_scale(R), ip.kind(R), ip.slack_lower(R), ip.slack_upper(R), ip.slack(R), ip.scratch_n(R),
    )  # fmt: skip
    for j in range(n):
        slopes[j] = 0.0
    size = 0.0
    for i in range(con.size):
        v = e[i] * con[i]
        v = v - s[i] if sort[i] == ip.EQUALITY else v - min(max(v, lo[i]), up[i])
        size += v * v
        for j in range(n):
            slopes[j] += v * e[i] * J[i * n + j]
    most, size = 0.0, size**0.5
    for j in range(n):
        most = max(most, abs(x[j] - min(max(x[j] - slopes[j], xl[j]), xu[j])))
    return most <= _STATIONARY * size, size


@kernel
def _shake(R, k):
    """Leave a stationary point of the violation, at random: it may be a maximum."""
    c, p = R.c, R.p
    x, xt, xl, xu = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R)
    c[ip.SHAKEN] += 1
    size = _SHAKE
    for _ in range(20):
        for j in range(x.size):
            u = (0.6180339887498949 * (j + 1) + 0.41421356237309515 * c[ip.SHAKEN]) % 1.0
            xt[j] = barrier.pushed(x[j] + size * max(1.0, abs(x[j])) * (2.0 * u - 1.0), xl[j], xu[j], 1e-3 * size)
        copy(ip.slack(R), ip.slack_trial(R))
        if _kept(R, 1 - k) and evaluate_values(R, 1 - k) and evaluate_slopes(R, 1 - k):
            barrier.set_multipliers(xt, xl, xu, p[ip.MU_R], ip.lower_z(R), ip.upper_z(R))
            _report(R, 1 - k)
            p[T] = size
            return ACCEPT
        if c[ABORT] != 0:
            c[ip.SHAKEN] -= 1
            return FAILED
        size *= 0.25
    return POINT_INFEASIBLE


@kernel
def _restoration_value(R, x, s, r, mu):
    total = ip.barrier_value(R, x, s, mu) + 0.5 * dot(r, r)
    centre = ip.held(R)
    for j in range(x.size):
        total += 0.5 * ip.proximity(R, j) * (x[j] - centre[j]) * (x[j] - centre[j])
    return total


@kernel
def _restoration_step(R):
    """One iteration of the restoration phase."""
    c, p, k = R.c, R.p, R.c[PARITY]
    m = c[M]
    x, s, y, e, sort, r, d, ds = (
        x_at(R, k), ip.slack(R), ip.scaled_y(R), ip.row_scale(R), ip.kind(R), ip.residual(R), vector(R, D),
        ip.slack_step(R),
    )  # fmt: skip
    ip.set_residual(c_at(R, k), e, s, sort, r)
    for i in range(m):
        y[i] = -r[i]
    stuck, size = _stationary(R, k)
    if stuck and p[VIOLATION] > p[CTOL]:
        again = c[ip.SHAKEN] > 0 and size >= 0.999 * p[ip.STUCK_AT]
        if again or c[ip.SHAKEN] >= _SHAKES:
            return POINT_INFEASIBLE
        p[ip.STUCK_AT] = size
        return _shake(R, k)
    mu = p[ip.MU_R]
    while mu > 1e-20 and ip.error(R, k, mu) <= _KAPPA_E * mu:
        mu = min(_KAPPA_MU * mu, mu**_THETA_MU)
        p[ip.MU_R] = mu
    exact = c[EXACT_HESSIAN] == 1
    if exact and not _take_hessian(R, k, 0.0):
        return FAILED
    good, shift, _ = ip.factorise(R, k, mu, True, 1.0)
    none = ip.residual_corrected(R)
    for i in range(m):
        none[i] = 0.0
    if not good or not ip.direction(R, k, mu, shift, y, none, d, ds):
        return FAILED
    slope, value = ip.slope_along(R, k, mu, d, ds), _restoration_value(R, x, s, r, mu)
    t, found = _longest(R, k, d, ds, mu), False
    while t > EPS:
        good = _try(R, k, d, ds, t)
        if c[ABORT] != 0:
            return FAILED
        if good:
            theta_t, phi_t = _measure(R, 1 - k, p[ip.MU])
            value_t = _restoration_value(R, x_at(R, 1 - k), ip.slack_trial(R), ip.residual_trial(R), mu)
            if value_t <= value + _ETA * t * slope + 10.0 * EPS * abs(value):
                found = evaluate_slopes(R, 1 - k)
                if found:
                    break
                if c[ABORT] != 0:
                    return FAILED
        t *= 0.5
    if not found:
        return FAILED
    _move(R, k, d, ds, mu, t)
    if shift > 0.0:
        p[ip.SHIFT] = shift
    if not exact:
        _update_violation(R, k)
    if theta_t <= _RESTORED * p[ip.THETA_R] and admits(ip.pairs(R), c[ip.COUNT], theta_t, phi_t):
        c[ip.PHASE] = 0
        p[ip.SHIFT] = 0.0
        if not exact:
            _reset(R, 1.0)
        barrier.set_multipliers(
            x_at(R, 1 - k), lower_bounds(R), upper_bounds(R), p[ip.MU], ip.lower_z(R), ip.upper_z(R)
        )
        barrier.set_multipliers(s, ip.slack_lower(R), ip.slack_upper(R), p[ip.MU], ip.lower_v(R), ip.upper_v(R))
        ip.least_squares_multipliers(R, 1 - k, _Y_MOST)
    _report(R, 1 - k)
    return ACCEPT


@kernel
def step(R):
    """One iteration."""
    c = R.c
    if c[ip.BEGUN] == 0:
        return _enter(R)
    if c[ip.PHASE] == 0:
        task = _barrier_step(R)
        if task != _RESTORE:
            return task
        if not _begin_restoration(R):
            return FLAT
    return _restoration_step(R)


run = make_constrained_run(init, step)
