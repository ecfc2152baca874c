"""Trial points of ``solvers.sqp``, and ways out of points that the model knows none from."""

from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import (
    c_at,
    evaluate_constraints,
    evaluate_slopes,
    evaluate_values,
    g_at,
    jacobian_at,
    kept_rows,
    lower_limits,
    upper_limits,
    x_at,
    y_at,
    z_at,
)
from numopt.kernels.constrained_slots import EXACT_HESSIAN, M
from numopt.kernels.dense import EPS
from numopt.kernels.oracle import lower_bounds, upper_bounds
from numopt.kernels.qp import SOLVED, qp
from numopt.kernels.slots import ABORT, F_TRIAL, PARITY, F, N, T
from numopt.kernels.sqp_model import (
    CORRECTION,
    CORRECTION_WORKING,
    CORRECTION_Y,
    CORRECTION_Z,
    DL,
    DU,
    H_EXACT,
    M1,
    MU,
    NOTHING,
    RL,
    RU,
    STEP_Y,
    STEP_Z,
    V2,
    begin_model,
    column,
    info,
    marks,
    matrix,
    penalty,
    row,
    squares,
    work,
)
from numopt.kernels.vectors import copy, distance, dot

# a restoring step must promise to lower the sum of squares of the violations by this share
_WORTHWHILE = 1e-3
# and a point elsewhere to lower it by this
_LOWER = 1e-6
_INF = float("inf")


@kernel
def place(R, t, d, bend):
    """x of the trial place: x + t d + bend t^2 e, within the bounds."""
    k = R.c[PARITY]
    x, xt, xl, xu, e = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R), column(R, V2)
    for j in range(x.size):
        to = x[j] + t * d[j] + bend * t * t * e[j]
        xt[j] = min(max(to, xl[j]), xu[j])


@kernel
def kept(R):
    """Whether the trial point fulfils the rows that no point may violate; sets c where there are any."""
    keep, m = kept_rows(R), R.c[M]
    some = False
    for i in range(m):
        some = some or keep[i] != 0.0
    if not some:
        return True
    kt = 1 - R.c[PARITY]
    c, cl, cu = c_at(R, kt), lower_limits(R), upper_limits(R)
    if not evaluate_constraints(R, x_at(R, kt), c):
        return False
    for i in range(m):
        if keep[i] != 0.0 and not cl[i] <= c[i] <= cu[i]:
            return False
    return True


@kernel
def attempt(R, t, d, bend):
    """The merit at the trial point that is placed there; inf where it cannot be had."""
    place(R, t, d, bend)
    kt = 1 - R.c[PARITY]
    if not (kept(R) and evaluate_values(R, kt)):
        return _INF
    return R.p[F_TRIAL] + penalty(row(R, MU), c_at(R, kt), lower_limits(R), upper_limits(R))


@kernel
def noise_of(R):
    """The rounding error of the merit."""
    mu, cl, cu, s = row(R, MU), lower_limits(R), upper_limits(R), abs(R.p[F])
    for i in range(mu.size):
        a = abs(cl[i]) if cl[i] > -_INF else 0.0
        b = abs(cu[i]) if cu[i] < _INF else 0.0
        s += mu[i] * max(a, b)
    return 10.0 * EPS * s


@kernel
def move_to(R, y, z):
    """Make the trial point, which has been tried, the next one, with these multipliers; False if it has no slopes."""
    k = R.c[PARITY]
    if not evaluate_slopes(R, 1 - k):
        return False
    copy(y, y_at(R, 1 - k))
    copy(z, z_at(R, 1 - k))
    R.p[T] = distance(x_at(R, k), x_at(R, 1 - k))
    return True


@kernel
def restore(R):
    """A Gauss-Newton step for the sum of squares of the violations; whether it found a point with less.

    Another measure of violation: where the sum of the violations is stationary it need not be.
    """
    c, k, n, m = R.c, R.c[PARITY], R.c[N], R.c[M]
    xt, J, v, ct = x_at(R, 1 - k), jacobian_at(R, k), c_at(R, k), c_at(R, 1 - k)
    cl, cu, B, d, g, zero = (
        lower_limits(R),
        upper_limits(R),
        matrix(R, M1),
        column(R, CORRECTION),
        column(R, V2),
        marks(R, CORRECTION_WORKING),
    )
    begin_model(R, k)
    for i in range(n * n):
        B[i] = 0.0
    for j in range(n):
        g[j] = 0.0
    for i in range(m):
        r = min(v[i] - cl[i], 0.0) + max(v[i] - cu[i], 0.0)
        if r != 0.0 or cl[i] == cu[i]:
            for j in range(n):
                a = J[i * n + j]
                g[j] += r * a
                for l in range(n):
                    B[j * n + l] += a * J[i * n + l]
    most = 0.0
    for j in range(n):
        most = max(most, B[j * n + j])
    for j in range(n):
        B[j * n + j] += 1e-6 * most
    for i in range(m + n):
        zero[i] = 0.0
    if not most > 0.0:
        return False
    status = qp(
        n, NOTHING, B, g, J, row(R, RL), row(R, RU), column(R, DL), column(R, DU), _INF, d, row(R, CORRECTION_Y),
        column(R, CORRECTION_Z), zero, work(R), info(R),
    )  # fmt: skip
    if status != SOLVED:
        return False
    slope, before, t = dot(g, d), squares(v, cl, cu), 1.0
    if not -slope > _WORTHWHILE * before:
        return False
    for _ in range(10):
        place(R, t, d, 0.0)
        if evaluate_constraints(R, xt, ct) and squares(ct, cl, cu) <= before + 0.1 * t * slope:
            if kept(R) and evaluate_values(R, 1 - k) and move_to(R, y_at(R, k), z_at(R, k)):
                return True
        if c[ABORT] != 0:
            return False
        t *= 0.5
    return False


@kernel
def look_around(R):
    """Where the violation is stationary, look for a point nearby with less; whether there is one."""
    c, k, n = R.c, R.c[PARITY], R.c[N]
    x, xt, d, cl, cu, ct = (
        x_at(R, k),
        x_at(R, 1 - k),
        column(R, CORRECTION),
        lower_limits(R),
        upper_limits(R),
        c_at(R, 1 - k),
    )
    before = squares(c_at(R, k), cl, cu)
    for trial in range(6):
        h = 0.01 * 10.0 ** (trial // 2) * (1.0 if trial % 2 == 0 else -1.0)
        for j in range(n):
            # components of all sizes and both signs, in no pattern: the golden ratio spreads them evenly
            phase = (j + 1) * 0.6180339887498949
            d[j] = (0.5 + phase - int(phase)) * max(1.0, abs(x[j])) * (1.0 if j % 3 != 1 else -1.0)
        place(R, h, d, 0.0)
        if evaluate_constraints(R, xt, ct) and squares(ct, cl, cu) < (1.0 - _LOWER) * before:
            if kept(R) and evaluate_values(R, 1 - k) and move_to(R, y_at(R, k), z_at(R, k)):
                return True
        if c[ABORT] != 0:
            return False
    return False


@kernel
def leave_saddle(R):
    """Move variables in which f and c are stationary at the start, if the Lagrangian falls with them; True if so.

    No step would ever move them, and the point that it leads to need not be a minimum: symmetric starts are like that.
    """
    c, p, k, n, m = R.c, R.p, R.c[PARITY], R.c[N], R.c[M]
    x, xl, xu, g, J = x_at(R, k), lower_bounds(R), upper_bounds(R), g_at(R, k), jacobian_at(R, k)
    H, d = matrix(R, H_EXACT), column(R, CORRECTION)
    some = False
    for j in range(n):
        still = g[j] == 0.0 and not (c[EXACT_HESSIAN] != 0 and H[j * n + j] >= 0.0)
        for i in range(m):
            still = still and J[i * n + j] == 0.0
        h = 0.1 * max(1.0, abs(x[j]))
        d[j] = (h if x[j] + h <= xu[j] else -h) if still and xl[j] < xu[j] else 0.0
        some = some or still
    if not some or attempt(R, 1.0, d, 0.0) == _INF:
        return False
    before, after, y = p[F], p[F_TRIAL], row(R, STEP_Y)
    c0, ct = c_at(R, k), c_at(R, 1 - k)
    for i in range(m):
        before -= y[i] * c0[i]
        after -= y[i] * ct[i]
    return after < before - noise_of(R) and move_to(R, row(R, STEP_Y), column(R, STEP_Z))
