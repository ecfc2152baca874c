"""Steps of the interior-point method: trial points, the move to one, and what is measured there.

Equation numbers are those of Wächter & Biegler 2006.
"""

import math

from numopt.kernels import barrier
from numopt.kernels import interior as ip
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import (
    c_at,
    evaluate_constraints,
    evaluate_lagrangian,
    evaluate_values,
    kept_rows,
    lower_limits,
    upper_limits,
    x_at,
    y_at,
    z_at,
)
from numopt.kernels.constrained_slots import CTOL
from numopt.kernels.kkt import row_violation
from numopt.kernels.oracle import lower_bounds, upper_bounds
from numopt.kernels.slots import F_TRIAL, N, T

_INF = math.inf
_TAU_LEAST = 0.99  # (8)
# of a slack to its limit, with a multiplier of that size, and what the limit then gives way: 1e4 times the rounding
_CLOSE, _LARGE, _ROOM = 1e-13, 1e8, 2e-12


@kernel
def reset(R, diagonal):
    """The quasi-Newton matrix to a multiple of the unit matrix."""
    n, B = R.c[N], ip.hessian(R)
    for i in range(n * n):
        B[i] = 0.0
    for j in range(n):
        B[j * n + j] = diagonal
    R.c[ip.SCALED] = 0


@kernel
def take_hessian(R, k, weight):
    """The Hessian of the Lagrangian with the scaled multipliers; whether it is there.  Overwrites ds."""
    y, e, unscaled = ip.scaled_y(R), ip.row_scale(R), ip.slack_step(R)
    for i in range(y.size):
        unscaled[i] = y[i] * e[i]
    return evaluate_lagrangian(R, k, unscaled, weight, ip.hessian(R))


@kernel
def report(R, k):
    """The multipliers, not scaled, to place k."""
    zl, zu, vl, vu, z, y = ip.lower_z(R), ip.upper_z(R), ip.lower_v(R), ip.upper_v(R), z_at(R, k), y_at(R, k)
    own_y, e, sort, df = ip.scaled_y(R), ip.row_scale(R), ip.kind(R), R.p[ip.DF]
    for j in range(z.size):
        z[j] = (zl[j] - zu[j]) / df
    for i in range(y.size):
        # those of the limits have the right signs, and are the same at a solution
        y[i] = (vl[i] - vu[i] if sort[i] == ip.INEQUALITY else own_y[i]) * e[i] / df


@kernel
def within_kept_rows(R, k):
    """Whether x of place k keeps to the rows that may not be violated; sets c where there are some."""
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
def trial(R, k, d, ds, t):
    """Evaluate the point t along the step; whether it has values."""
    x, xt, xl, xu = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R)
    s, st, lo, up = ip.slack(R), ip.slack_trial(R), ip.slack_lower(R), ip.slack_upper(R)
    for j in range(x.size):
        xt[j] = barrier.inside(x[j] + t * d[j], xl[j], xu[j])
    for i in range(s.size):
        st[i] = barrier.inside(s[i] + t * ds[i], lo[i], up[i])
    if not (within_kept_rows(R, 1 - k) and evaluate_values(R, 1 - k)):
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
def measure(R, k, mu):
    """(violation, value of the barrier problem) of the trial point, in place k; sets its residual."""
    theta = ip.set_residual(c_at(R, k), ip.row_scale(R), ip.slack_trial(R), ip.kind(R), ip.residual_trial(R))
    return theta, R.p[ip.DF] * R.p[F_TRIAL] + ip.barrier_value(R, x_at(R, k), ip.slack_trial(R), mu)


@kernel
def longest(R, k, d, ds, mu):
    """The longest step within the bounds (15a)."""
    tau = max(_TAU_LEAST, 1.0 - mu)
    return min(
        barrier.to_boundary(x_at(R, k), d, lower_bounds(R), upper_bounds(R), tau),
        barrier.to_boundary(ip.slack(R), ds, ip.slack_lower(R), ip.slack_upper(R), tau),
    )


@kernel
def move(R, k, d, ds, mu, t):
    """Slacks and multipliers of the bounds after the step t, which has led to the trial point."""
    x, xt, xl, xu, zl, zu = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R), ip.lower_z(R), ip.upper_z(R)
    s, st, lo, up = ip.slack(R), ip.slack_trial(R), ip.slack_lower(R), ip.slack_upper(R)
    vl, vu, tau = ip.lower_v(R), ip.upper_v(R), max(_TAU_LEAST, 1.0 - mu)
    t_z = min(
        barrier.multipliers_to_boundary(x, d, xl, xu, zl, zu, mu, tau),
        barrier.multipliers_to_boundary(s, ds, lo, up, vl, vu, mu, tau),
    )
    barrier.move_multipliers(x, d, xt, xl, xu, zl, zu, mu, t_z)
    barrier.move_multipliers(s, ds, st, lo, up, vl, vu, mu, t_z)
    for i in range(s.size):
        s[i] = st[i]
    _make_room(R, mu)
    R.p[T] = t


@kernel
def _make_room(R, mu):
    """Move limits a little out where s is closer to them than rounding allows (section 3.5), within ctol.

    Where no point is strictly within the limits the multipliers would grow without bound.
    """
    s, lo, up, e, cl, cu = (
        ip.slack(R), ip.slack_lower(R), ip.slack_upper(R), ip.row_scale(R), lower_limits(R), upper_limits(R),
    )  # fmt: skip
    keep, most, close = kept_rows(R), 0.5 * R.p[CTOL], min(_CLOSE, mu / _LARGE)
    for i in range(s.size):
        if keep[i] != 0.0:
            continue
        if lo[i] > -_INF:
            size = max(1.0, abs(lo[i]))
            if s[i] - lo[i] < close * size and e[i] * cl[i] - lo[i] < most * e[i] * max(1.0, abs(cl[i])):
                lo[i] -= _ROOM * size
        if up[i] < _INF:
            size = max(1.0, abs(up[i]))
            if up[i] - s[i] < close * size and up[i] - e[i] * cu[i] < most * e[i] * max(1.0, abs(cu[i])):
                up[i] += _ROOM * size
