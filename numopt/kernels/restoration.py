r"""The restoration phase of the interior-point method: the violation is lowered, whatever f does.

Minimised is, by Newton's method with backtracking and a barrier whose mu falls to 0,

    |e c(x) - s|^2 / 2 + zeta |D (x - x_R)|^2 / 2

until the violation is a tenth lower than at x_R and the filter takes the point.  Without Hessians sum r_i hess c_i is
built up from 0 by symmetric updates of rank one (Dennis, Gay & Welsch 1981): at first the steps are Gauss-Newton's.

Where the norm of the violation is stationary within the bounds the constraints are infeasible, so far as can be seen
from there.  It may be a maximum, or a saddle: the point is left at random, and only if the run comes back to a
violation that is no lower is it the end.
"""

from numopt.kernels import barrier
from numopt.kernels import interior as ip
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import c_at, evaluate_slopes, evaluate_values, jacobian_at, x_at
from numopt.kernels.constrained_slots import CTOL, EXACT_HESSIAN, VIOLATION, M
from numopt.kernels.dense import EPS
from numopt.kernels.filters import admits, augment
from numopt.kernels.interior_steps import longest, measure, move, report, reset, take_hessian, trial, within_kept_rows
from numopt.kernels.oracle import lower_bounds, upper_bounds, vector
from numopt.kernels.slots import ABORT, ACCEPT, FAILED, PARITY, POINT_INFEASIBLE, D, F, N, T
from numopt.kernels.vectors import copy, dot

GAMMA_THETA, GAMMA_PHI, ETA = 1e-5, 1e-8, 1e-4  # of the filter's margin (18), and of the sufficient decrease (20)
Y_MOST = 1e3  # multipliers of least squares that are larger say nothing (section 3.6)
_THETA_LEAST = 1e-12  # less violation is rounding
_RESTORED = 0.9  # of the violation that restoration began with
_STATIONARY = 1e-6  # of the gradient of the violation's norm; rows have gradients of 1 to 100
_NEARLY_STATIONARY = 1e-3  # where no step lowers it any more
_SHAKES, _SHAKE, _LOWER = 4, 1e-2, 0.999


@kernel
def begin_restoration(R):
    """The point at hand joins the filter; False if there is no violation to lower."""
    c, p, k = R.c, R.p, R.c[PARITY]
    x, xl, xu, s, lo, up = (
        x_at(R, k), lower_bounds(R), upper_bounds(R), ip.slack(R), ip.slack_lower(R), ip.slack_upper(R),
    )  # fmt: skip
    theta, mu = ip.set_residual(c_at(R, k), ip.row_scale(R), s, ip.kind(R), ip.residual(R)), p[ip.MU]
    if theta <= _THETA_LEAST:
        return False
    phi = p[ip.DF] * p[F] + ip.barrier_value(R, x, s, mu)
    c[ip.COUNT] = augment(ip.pairs(R), c[ip.COUNT], (1.0 - GAMMA_THETA) * theta, phi - GAMMA_PHI * theta)
    p[ip.THETA_R], p[ip.MU_R], c[ip.PHASE] = theta, min(mu, theta * theta), 1
    copy(x, ip.held(R))
    barrier.set_multipliers(x, xl, xu, p[ip.MU_R], ip.lower_z(R), ip.upper_z(R))
    barrier.set_multipliers(s, lo, up, p[ip.MU_R], ip.lower_v(R), ip.upper_v(R))
    if c[EXACT_HESSIAN] == 0:
        reset(R, 0.0)
    return True


@kernel
def _end_restoration(R, k):
    """Back to the barrier problem, from the point in place k."""
    p, s = R.p, ip.slack(R)
    R.c[ip.PHASE], p[ip.SHIFT] = 0, 0.0
    if R.c[EXACT_HESSIAN] == 0:
        reset(R, 1.0)
    barrier.set_multipliers(
        x_at(R, k), lower_bounds(R), upper_bounds(R), p[ip.MU], ip.lower_z(R), ip.upper_z(R)
    )  # fmt: skip
    barrier.set_multipliers(s, ip.slack_lower(R), ip.slack_upper(R), p[ip.MU], ip.lower_v(R), ip.upper_v(R))
    ip.least_squares_multipliers(R, k, Y_MOST)


@kernel
def _stationarity(R, k):
    """(size of the projected gradient of half the squared violation, over its norm; the norm)."""
    n, x, xl, xu, con, J = R.c[N], x_at(R, k), lower_bounds(R), upper_bounds(R), c_at(R, k), jacobian_at(R, k)
    e, sort, lo, up, s, slopes = (
        ip.row_scale(R), ip.kind(R), ip.slack_lower(R), ip.slack_upper(R), ip.slack(R), ip.scratch_n(R),
    )  # fmt: skip
    for j in range(n):
        slopes[j] = 0.0
    most, size = 0.0, 0.0
    for i in range(con.size):
        v = e[i] * con[i]
        v = v - s[i] if sort[i] == ip.EQUALITY else v - min(max(v, lo[i]), up[i])
        size += v * v
        for j in range(n):
            slopes[j] += v * e[i] * J[i * n + j]
    size = size**0.5
    for j in range(n):
        most = max(most, abs(x[j] - min(max(x[j] - slopes[j], xl[j]), xu[j])))
    return most / size if size > 0.0 else 0.0, size


@kernel
def _shake(R, k):
    """Leave a stationary point of the violation, at random."""
    c, p = R.c, R.p
    x, xt, xl, xu = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R)
    size = _SHAKE
    for _ in range(20):
        for j in range(x.size):
            u = (0.6180339887498949 * (j + 1) + 0.41421356237309515 * (c[ip.SHAKEN] + 1)) % 1.0
            xt[j] = barrier.pushed(x[j] + size * max(1.0, abs(x[j])) * (2.0 * u - 1.0), xl[j], xu[j], 1e-3 * size)
        if within_kept_rows(R, 1 - k) and evaluate_values(R, 1 - k) and evaluate_slopes(R, 1 - k):
            c[ip.SHAKEN] += 1
            barrier.set_multipliers(xt, xl, xu, p[ip.MU_R], ip.lower_z(R), ip.upper_z(R))
            report(R, 1 - k)
            p[T] = size
            return ACCEPT
        if c[ABORT] != 0:
            return FAILED
        size *= 0.25
    return POINT_INFEASIBLE


@kernel
def _update(R, k):
    """SR1 for sum r_i hess c_i, from the change of J; r is that of the new point."""
    n, m, e, r, B = R.c[N], R.c[M], ip.row_scale(R), ip.residual_trial(R), ip.hessian(R)
    x, xt, J, Jt, v, s = (
        x_at(R, k), x_at(R, 1 - k), jacobian_at(R, k), jacobian_at(R, 1 - k), ip.scratch_n(R), ip.step_corrected(R),
    )  # fmt: skip
    for j in range(n):
        s[j] = xt[j] - x[j]
        v[j] = 0.0
    for i in range(m):
        a = e[i] * r[i]
        if a != 0.0:
            for j in range(n):
                v[j] += a * (Jt[i * n + j] - J[i * n + j])
    sy, sbs = dot(s, v), 0.0
    for i in range(n):
        for j in range(n):
            sbs += s[i] * B[i * n + j] * s[j]
    # r may have become small, and what it weighs with it
    size = min(1.0, abs(sy) / abs(sbs)) if sbs != 0.0 else 1.0
    for i in range(n * n):
        B[i] *= size
    for i in range(n):
        for j in range(n):
            v[i] -= B[i * n + j] * s[j]
    sv = dot(s, v)
    if abs(sv) > 1e-8 * (dot(v, v) * dot(s, s)) ** 0.5:
        for i in range(n):
            for j in range(n):
                B[i * n + j] += v[i] * v[j] / sv


@kernel
def _value(R, x, s, r, mu):
    """What is minimised, with its barrier."""
    total, centre = ip.barrier_value(R, x, s, mu) + 0.5 * dot(r, r), ip.held(R)
    for j in range(x.size):
        total += 0.5 * ip.proximity(R, j) * (x[j] - centre[j]) * (x[j] - centre[j])
    return total


@kernel
def restoration_step(R):
    """One iteration."""
    c, p, k = R.c, R.p, R.c[PARITY]
    x, s, y, r, d, ds = x_at(R, k), ip.slack(R), ip.scaled_y(R), ip.residual(R), vector(R, D), ip.slack_step(R)
    none, exact = ip.residual_corrected(R), c[EXACT_HESSIAN] == 1
    ip.set_residual(c_at(R, k), ip.row_scale(R), s, ip.kind(R), r)
    for i in range(c[M]):
        y[i], none[i] = -r[i], 0.0
    slopes, size = _stationarity(R, k)
    if slopes <= _STATIONARY and p[VIOLATION] > p[CTOL]:
        if c[ip.SHAKEN] >= _SHAKES or (c[ip.SHAKEN] > 0 and size >= _LOWER * p[ip.STUCK_AT]):
            return POINT_INFEASIBLE
        p[ip.STUCK_AT] = size
        return _shake(R, k)
    mu = p[ip.MU_R]
    while mu > 1e-20 and ip.error(R, k, mu) <= ip.KAPPA_E * mu:
        mu = ip.lower_mu(mu)
    p[ip.MU_R] = mu
    if exact and not take_hessian(R, k, 0.0):
        return FAILED
    good, shift, _ = ip.factorise(R, k, mu, True, 1.0)
    found, t = False, 0.0
    theta_t, phi_t = 0.0, 0.0
    if good and ip.direction(R, k, mu, shift, y, none, d, ds):
        slope, value = ip.slope_along(R, k, mu, d, ds), _value(R, x, s, r, mu)
        t = longest(R, k, d, ds, mu)
        while t > EPS:
            good = trial(R, k, d, ds, t)
            if c[ABORT] != 0:
                return FAILED
            if good:
                theta_t, phi_t = measure(R, 1 - k, p[ip.MU])
                value_t = _value(R, x_at(R, 1 - k), ip.slack_trial(R), ip.residual_trial(R), mu)
                if value_t <= value + ETA * t * slope + 10.0 * EPS * abs(value):
                    found = evaluate_slopes(R, 1 - k)
                    if found:
                        break
                    if c[ABORT] != 0:
                        return FAILED
            t *= 0.5
    if not found:
        return POINT_INFEASIBLE if slopes <= _NEARLY_STATIONARY else FAILED
    move(R, k, d, ds, mu, t)
    if shift > 0.0:
        p[ip.SHIFT] = shift
    if not exact:
        _update(R, k)
    if theta_t <= _RESTORED * p[ip.THETA_R] and admits(ip.pairs(R), c[ip.COUNT], theta_t, phi_t):
        _end_restoration(R, 1 - k)
    report(R, 1 - k)
    return ACCEPT
