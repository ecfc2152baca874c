r"""Sequential quadratic programming.

The step d minimises a quadratic model with the constraints made linear, (1) of ``numopt.kernels.sqp_model``,

.. math::

    \min_d \; g^T d + \tfrac12 d^T B d \quad\text{with}\quad cl \le c + J d \le cu, \quad xl \le x + d \le xu,

by the active-set method of ``numopt.kernels.qp``, which begins from the working set of the model before.  Its
multipliers are those of the next point.
"""

from numopt.drivers.constrained import make_constrained_run
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import (
    c_at,
    evaluate_constraints,
    evaluate_lagrangian,
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
from numopt.kernels.constrained_slots import COMPLEMENTARITY, CTOL, EXACT_HESSIAN, M, STATIONARITY, VIOLATION
from numopt.kernels.dense import EPS
from numopt.kernels.kkt import assess, lagrangian_gradient, violation_of
from numopt.kernels.oracle import lower_bounds, upper_bounds
from numopt.kernels.qp import SOLVED
from numopt.kernels.quasi_newton import convexify, damped_update
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    F_TRIAL,
    FAILED,
    FLAT,
    FRESH,
    GNORM,
    GTOL,
    MAX_TRIALS,
    NIT,
    PARITY,
    POINT_INFEASIBLE,
    UPDATES,
    F,
    N,
    T,
)
from numopt.kernels.sqp_model import (
    DECREASE,
    ELASTIC,
    NOWHERE,
    NUDGES,
    READY,
    column,
    begin_model,
    find_step,
    limits_of_rows,
    marks,
    matrix,
    penalty,
    row,
    solve_model,
    total_violation,
)
from numopt.kernels.vectors import copy, distance, dot, norm_inf

# the least share of the decrease that the model promises
_SUFFICIENT = 1e-2
# B = I before the first update is made smaller, Nocedal & Wright (6.20), but not larger: the largest curvature is that
# across the constraints, which do without it
_LEAST_SCALE = 1e-4
# of a step, over the size of x, where the Hessian has no curvature to limit it
_LONGEST = 3.0
# bounds on the factor between two steps
_SHORTER, _LONGER = 0.1, 0.5
_INF = float("inf")


@kernel
def _identity(B, n, gamma):
    for i in range(n * n):
        B[i] = 0.0
    for j in range(n):
        B[j * n + j] = gamma


@kernel
def init(R):
    """Begin with B = I, no working set and no penalties; at the start the model's multipliers are the first ones."""
    c, k = R.c, R.c[PARITY]
    _identity(matrix(R, 0), c[N], 1.0)
    mu, marking = row(R, 4), marks(R, 0)
    for i in range(mu.size):
        mu[i] = 0.0
    for i in range(marking.size):
        marking[i] = 0.0
    c[UPDATES], c[FRESH], c[READY] = 0, 1, 0
    begin_model(R, k)
    if find_step(R, k):
        if c[NIT] == 0:
            copy(row(R, 0), y_at(R, k))
            copy(column(R, 1), z_at(R, k))
    if c[EXACT_HESSIAN] != 0 and c[NOWHERE] == 0:
        c[READY] = 0


@kernel
def _prepare(R):
    """Solve the model at the current point; False if that failed."""
    c, k, n, m = R.c, R.c[PARITY], R.c[N], R.c[M]
    begin_model(R, k)
    if c[EXACT_HESSIAN] == 0:
        return find_step(R, k)
    H, J, g, marking, active, gap = matrix(R, 1), jacobian_at(R, k), column(R, 9), marks(R, 0), marks(R, 2), marks(R, 3)
    if not evaluate_lagrangian(R, k, y_at(R, k), 1.0, H):
        return c[ABORT] == 0 and find_step(R, k)
    rl, ru, dl, du = row(R, 2), row(R, 3), column(R, 4), column(R, 5)
    for i in range(m + n):
        active[i] = 1.0 if abs(marking[i]) == 1.0 else 0.0
        if i < m:
            gap[i] = rl[i] if marking[i] < 0.0 else ru[i]
        else:
            gap[i] = dl[i - m] if marking[i] < 0.0 else du[i - m]
    v, lam = column(R, 6), column(R, 7)
    lagrangian_gradient(g_at(R, k), J, y_at(R, k), z_at(R, k), v)
    least = max(norm_inf(v) / (_LONGEST * max(1.0, norm_inf(x_at(R, k)))), 1e-8)
    convexify(H, J, active, gap, n, least, matrix(R, 0), g, matrix(R, 2), matrix(R, 3), lam, v)
    return find_step(R, k)


@kernel
def _place(R, t, d, bent):
    """x of the trial place: x + t d, + t^2 e where ``bent``, within the bounds."""
    k = R.c[PARITY]
    x, xt, xl, xu, e = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R), column(R, 7)
    for j in range(x.size):
        to = x[j] + t * d[j] + (t * t * e[j] if bent else 0.0)
        xt[j] = min(max(to, xl[j]), xu[j])


@kernel
def _kept(R):
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
def _try(R, t, d, bent):
    """The merit at the trial point that is placed there; inf where it cannot be had."""
    _place(R, t, d, bent)
    kt = 1 - R.c[PARITY]
    if not (_kept(R) and evaluate_values(R, kt)):
        return _INF
    return R.p[F_TRIAL] + penalty(row(R, 4), c_at(R, kt), lower_limits(R), upper_limits(R))


@kernel
def _noise(R):
    """The rounding error of the merit."""
    mu, cl, cu, s = row(R, 4), lower_limits(R), upper_limits(R), abs(R.p[F])
    for i in range(mu.size):
        a = abs(cl[i]) if cl[i] > -_INF else 0.0
        b = abs(cu[i]) if cu[i] < _INF else 0.0
        s += mu[i] * max(a, b)
    return 10.0 * EPS * s


@kernel
def _corrected(R):
    """The second-order correction (Nocedal & Wright, section 18.3): e = its step - d, the constraints' curvature
    along d, known from c at x + d, being part of the model.  False if there is none.

    Rows that no point may violate, and that x + d does, are asked for as much again.
    """
    k = R.c[PARITY]
    c, J, d, rl, ru, keep = c_at(R, 1 - k), jacobian_at(R, k), column(R, 0), row(R, 2), row(R, 3), kept_rows(R)
    cl, cu, n = lower_limits(R), upper_limits(R), R.c[N]
    for i in range(c.size):
        t, more, less = 0.0, 0.0, 0.0
        for j in range(n):
            t += J[i * n + j] * d[j]
        if keep[i] != 0.0:
            more, less = max(0.0, cl[i] - c[i]), max(0.0, c[i] - cu[i])
        rl[i], ru[i] = cl[i] - c[i] + t + more, cu[i] - c[i] + t - less
    copy(marks(R, 0), marks(R, 1))
    status = solve_model(R, k, _INF, 2)
    limits_of_rows(R, k)
    d2, e = column(R, 2), column(R, 7)
    for j in range(n):
        e[j] = d2[j] - d[j]
    return status == SOLVED and dot(e, e) <= dot(d, d)


@kernel
def _lagrangian_change(R, y, out):
    """out = the change of g - J'y from the current point to the trial point."""
    k, n = R.c[PARITY], R.c[N]
    g, gt, J, Jt = g_at(R, k), g_at(R, 1 - k), jacobian_at(R, k), jacobian_at(R, 1 - k)
    for j in range(n):
        out[j] = gt[j] - g[j]
    for i in range(y.size):
        if y[i] != 0.0:
            for j in range(n):
                out[j] -= y[i] * (Jt[i * n + j] - J[i * n + j])


@kernel
def _update(R):
    """B from the change of the gradient of the Lagrangian."""
    c, k, n = R.c, R.c[PARITY], R.c[N]
    B, s, v = matrix(R, 0), column(R, 6), column(R, 7)
    x, xt = x_at(R, k), x_at(R, 1 - k)
    for j in range(n):
        s[j] = xt[j] - x[j]
    _lagrangian_change(R, row(R, 0), v)
    if c[UPDATES] == 0:
        sv, vv = dot(s, v), dot(v, v)
        if sv > 1e-8 * (dot(s, s) * vv) ** 0.5:
            _identity(B, n, max(_LEAST_SCALE, min(1.0, vv / sv)))
    if damped_update(B, s, v, column(R, 8)):
        c[UPDATES] += 1


@kernel
def _residual(R, k):
    """The larger of stationarity and complementarity at place k; leaves the current point's as they are."""
    p = R.p
    v, s, a, g = p[VIOLATION], p[STATIONARITY], p[COMPLEMENTARITY], p[GNORM]
    assess(R, k, column(R, 8))
    found = p[GNORM]
    p[VIOLATION], p[STATIONARITY], p[COMPLEMENTARITY], p[GNORM] = v, s, a, g
    return found


@kernel
def _accept(R):
    """Take the trial point, whose slopes are there: multipliers, B, and the model at it."""
    c, k = R.c, R.c[PARITY]
    kt = 1 - k
    y, z = y_at(R, kt), z_at(R, kt)
    copy(row(R, 0), y)
    copy(column(R, 1), z)
    R.p[T] = max(distance(x_at(R, kt), x_at(R, k)), 1e-300)
    c[READY] = 0
    if c[EXACT_HESSIAN] != 0:
        return
    _update(R)
    c[FRESH] = 0
    begin_model(R, kt)
    if find_step(R, kt):
        # of the multipliers of the two models, the one before and the one at this very point, those that do better
        before, y0, z0 = _residual(R, kt), row(R, 5), column(R, 2)
        copy(y, y0)
        copy(z, z0)
        copy(row(R, 0), y)
        copy(column(R, 1), z)
        if before < _residual(R, kt):
            copy(y0, y)
            copy(z0, z)


@kernel
def _stay(R):
    """The same point as the next one, with the multipliers that the model has at it."""
    k, p = R.c[PARITY], R.p
    kt = 1 - k
    copy(x_at(R, k), x_at(R, kt))
    copy(g_at(R, k), g_at(R, kt))
    copy(c_at(R, k), c_at(R, kt))
    copy(y_at(R, k), y_at(R, kt))
    copy(z_at(R, k), z_at(R, kt))
    copy(jacobian_at(R, k), jacobian_at(R, kt))
    p[F_TRIAL], p[T] = p[F], 1e-300


@kernel
def _nudge(R):
    """At a point stationary for the violation look around for one with less; POINT_INFEASIBLE if there is none."""
    c, p, k, n = R.c, R.p, R.c[PARITY], R.c[N]
    v, d, x = total_violation(R, k), column(R, 2), x_at(R, k)
    for trial in range(6):
        h = (0.01, 0.1, 1.0)[trial // 2] * (1.0 if trial % 2 == 0 else -1.0)
        for j in range(n):
            # components of all sizes and both signs, in no pattern: the golden ratio spreads them evenly
            phase = (j + 1) * 0.6180339887498949
            d[j] = (0.5 + phase - int(phase)) * max(1.0, abs(x[j])) * (1.0 if j % 3 != 1 else -1.0)
        _try(R, h, d, False)
        if c[ABORT] != 0:
            return FAILED
        if total_violation(R, 1 - k) < (1.0 - 1e-6) * v and abs(p[F_TRIAL]) < _INF and evaluate_slopes(R, 1 - k):
            copy(y_at(R, k), y_at(R, 1 - k))
            copy(z_at(R, k), z_at(R, 1 - k))
            p[T] = distance(x, x_at(R, 1 - k))
            c[NUDGES] += 1
            return FAILED
        if c[ABORT] != 0:
            return FAILED
    return POINT_INFEASIBLE


@kernel
def _sharper(R):
    """Whether the residual of the KKT conditions or the violation is smaller at the trial point."""
    p, k = R.p, R.c[PARITY]
    kt = 1 - k
    copy(row(R, 0), y_at(R, kt))
    copy(column(R, 1), z_at(R, kt))
    v = violation_of(c_at(R, kt), lower_limits(R), upper_limits(R))
    if p[VIOLATION] > p[CTOL]:
        return v < p[VIOLATION]
    return v <= p[CTOL] and _residual(R, kt) < p[GNORM]


@kernel
def _leave_saddle(R):
    """Move variables in which f and c are stationary at the start, if the Lagrangian falls with them; True if so.

    No step would ever move them, and the point that it leads to need not be a minimum: symmetric starts are like that.
    """
    c, p, k, n, m = R.c, R.p, R.c[PARITY], R.c[N], R.c[M]
    x, xl, xu, g, J, H, d = (
        x_at(R, k), lower_bounds(R), upper_bounds(R), g_at(R, k), jacobian_at(R, k), matrix(R, 1), column(R, 2)
    )  # fmt: skip
    some = False
    for j in range(n):
        still = g[j] == 0.0 and not (c[EXACT_HESSIAN] != 0 and H[j * n + j] >= 0.0)
        for i in range(m):
            still = still and J[i * n + j] == 0.0
        h = 0.1 * max(1.0, abs(x[j]))
        d[j] = (h if x[j] + h <= xu[j] else -h) if still and xl[j] < xu[j] else 0.0
        some = some or still
    if not some or _try(R, 1.0, d, False) == _INF:
        return False
    before, after, y = p[F], p[F_TRIAL], row(R, 0)
    c0, ct = c_at(R, k), c_at(R, 1 - k)
    for i in range(m):
        before -= y[i] * c0[i]
        after -= y[i] * ct[i]
    if not (after < before - _noise(R) and evaluate_slopes(R, 1 - k)):
        return False
    copy(row(R, 0), y_at(R, 1 - k))
    copy(column(R, 1), z_at(R, 1 - k))
    p[T] = distance(x, x_at(R, 1 - k))
    return True


@kernel
def step(R):
    """One iteration."""
    c, p, k = R.c, R.p, R.c[PARITY]
    if c[READY] == 0 and not _prepare(R):
        return FAILED
    if c[NOWHERE] != 0:
        return _nudge(R) if c[NUDGES] < 3 else POINT_INFEASIBLE
    d, mu = column(R, 0), row(R, 4)
    if c[EXACT_HESSIAN] != 0:
        copy(row(R, 0), y_at(R, k))
        copy(column(R, 1), z_at(R, k))
        if p[VIOLATION] <= p[CTOL] and _residual(R, k) <= p[GTOL]:
            _stay(R)
            return ACCEPT
    if not p[DECREASE] > 0.0:
        return FLAT
    if c[NIT] == 0 and _leave_saddle(R):
        return FAILED
    if c[ABORT] != 0:
        return FAILED
    merit = p[F] + penalty(mu, c_at(R, k), lower_limits(R), upper_limits(R))
    noise, t, kt, bent = _noise(R), 1.0, 1 - k, False
    for trial in range(c[MAX_TRIALS]):
        phi = _try(R, t, d, bent)
        enough = merit - _SUFFICIENT * t * p[DECREASE]
        if trial == 0 and c[ABORT] == 0 and not phi <= enough and c[ELASTIC] == 0:
            # would the step do, were the constraints linear?
            if phi < _INF:
                if p[F_TRIAL] <= enough and _corrected(R):
                    again = _try(R, t, d, True)
                    phi = again if again <= enough else phi
            elif not _kept(R) and c[ABORT] == 0 and _corrected(R):
                bent = True
                phi = _try(R, t, d, bent)
        if c[ABORT] != 0:
            return FAILED
        if phi <= enough + noise and evaluate_slopes(R, kt) and (phi <= enough or _sharper(R)):
            _accept(R)
            return ACCEPT
        if c[ABORT] != 0:
            return FAILED
        if phi < _INF:
            shorter = p[DECREASE] * t / (2.0 * (phi - merit + p[DECREASE] * t))
            t *= min(max(shorter, _SHORTER), _LONGER)
        else:
            t *= 0.5 if bent else 0.2
    return FLAT if p[DECREASE] <= 1e3 * noise else FAILED


run = make_constrained_run(init, step)
