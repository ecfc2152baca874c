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
    evaluate_lagrangian,
    evaluate_slopes,
    g_at,
    jacobian_at,
    kept_rows,
    lower_limits,
    upper_limits,
    x_at,
    y_at,
    z_at,
)
from numopt.kernels.constrained_slots import COMPLEMENTARITY, CTOL, EXACT_HESSIAN, STATIONARITY, VIOLATION, M
from numopt.kernels.kkt import assess, lagrangian_gradient, violation_of
from numopt.kernels.qp import SOLVED
from numopt.kernels.quasi_newton import DAMPING, convexify, damped_update
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
    UNBOUNDED_BELOW,
    UPDATES,
    F,
    N,
    T,
)
from numopt.kernels.sqp_model import (
    DECREASE,
    ELASTIC,
    F_FIRST,
    LOOKED,
    NOWHERE,
    READY,
    RESTORED,
    STRAIGHT,
    V_STUCK,
    begin_model,
    column,
    find_step,
    limits_of_rows,
    marks,
    matrix,
    penalty,
    row,
    solve_model,
    total_violation,
)
from numopt.kernels.sqp_points import attempt, kept, leave_saddle, look_around, noise_of, restore
from numopt.kernels.vectors import copy, distance, dot, norm_inf, scale

# the least share of the decrease that the model promises
_SUFFICIENT = 1e-2
# B = I before the first update is made smaller, Nocedal & Wright (6.20), but not larger: the largest curvature is that
# across the constraints, which do without it
_LEAST_SCALE = 1e-4
# of a step, over the size of x, where the Hessian has no curvature to limit it
_LONGEST = 3.0
# curvature along a step, over that of the model, that counts as none; such steps in a row before all of B is made smaller
_NO_CURVATURE, _STRAIGHT_STEPS = 1e-3, 3
# restoring steps in a row, and looks around in all, before a point without a way to less violation is the end
_RESTORING_STEPS, _LOOKS = 50, 3
# multipliers, over the size of g, from which on none are believed in
_NO_MULTIPLIER = 1e8
# an objective that has fallen to so many times the size of its first value, and has doubled in the last step, has no end
_BOTTOMLESS = 1e12
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
def _take_multipliers(R, k):
    """The model's multipliers to place k; without bound, as where there are none, they are cut off."""
    y, found, most = y_at(R, k), row(R, 0), _NO_MULTIPLIER * max(1.0, norm_inf(g_at(R, k)))
    for i in range(y.size):
        y[i] = min(max(found[i], -most), most)
    copy(column(R, 1), z_at(R, k))


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
    c[UPDATES], c[FRESH], c[READY], c[STRAIGHT] = 0, 1, 0, 0
    begin_model(R, k)
    if find_step(R, k):
        if c[NIT] == 0:
            R.p[F_FIRST], R.p[V_STUCK] = R.p[F], _INF
            _take_multipliers(R, k)
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
    least = norm_inf(v) / (_LONGEST * max(1.0, norm_inf(x_at(R, k))))
    convexify(H, J, active, gap, n, least, matrix(R, 0), g, matrix(R, 2), matrix(R, 3), lam, v)
    return find_step(R, k)


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
    share = damped_update(B, s, v, column(R, 8))
    if share == share:
        c[UPDATES] += 1
    c[STRAIGHT] = c[STRAIGHT] + 1 if abs(share) < _NO_CURVATURE else 0
    if c[STRAIGHT] >= _STRAIGHT_STEPS:
        # the update has made B smaller along s as often; before that differs too much from other directions, all of B
        scale(DAMPING, B, B)


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
    _take_multipliers(R, kt)
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
        _take_multipliers(R, kt)
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
def _restore(R):
    """Where no step lowers the sum of the violations: begin afresh elsewhere, or end there."""
    c, p = R.c, R.p
    if c[NOWHERE] != 0 and c[RESTORED] == 0 and not total_violation(R, c[PARITY]) < 0.999 * p[V_STUCK]:
        return POINT_INFEASIBLE  # been there
    if c[RESTORED] < _RESTORING_STEPS and restore(R):
        if c[NOWHERE] != 0:
            p[V_STUCK] = total_violation(R, c[PARITY])
        c[RESTORED] += 1
        return FAILED
    if c[ABORT] == 0 and c[NOWHERE] != 0 and c[LOOKED] < _LOOKS and look_around(R):
        c[LOOKED] += 1
        return FAILED
    c[RESTORED] = 0
    return POINT_INFEASIBLE


@kernel
def _sharper(R):
    """Whether the residual of the KKT conditions or the violation is smaller at the trial point."""
    p, k = R.p, R.c[PARITY]
    kt = 1 - k
    _take_multipliers(R, kt)
    v = violation_of(c_at(R, kt), lower_limits(R), upper_limits(R))
    if p[VIOLATION] > p[CTOL]:
        return v < p[VIOLATION]
    return v <= p[CTOL] and _residual(R, kt) < p[GNORM]


@kernel
def step(R):
    """One iteration."""
    c, p, k = R.c, R.p, R.c[PARITY]
    if c[READY] == 0 and not _prepare(R):
        return FAILED
    if c[ELASTIC] == 0:
        c[RESTORED] = 0
    elif c[NOWHERE] != 0 or c[RESTORED] > 0:
        return _restore(R)
    d, mu = column(R, 0), row(R, 4)
    if c[EXACT_HESSIAN] != 0:
        _take_multipliers(R, k)
        if p[VIOLATION] <= p[CTOL] and _residual(R, k) <= p[GTOL]:
            _stay(R)
            return ACCEPT
    if not p[DECREASE] > 0.0:
        return FLAT
    if c[NIT] == 0 and leave_saddle(R):
        return FAILED
    if c[ABORT] != 0:
        return FAILED
    merit = p[F] + penalty(mu, c_at(R, k), lower_limits(R), upper_limits(R))
    noise, t, kt, bent = noise_of(R), 1.0, 1 - k, False
    for trial in range(c[MAX_TRIALS]):
        phi = attempt(R, t, d, bent)
        enough = merit - _SUFFICIENT * t * p[DECREASE]
        if trial == 0 and c[ABORT] == 0 and not phi <= enough and c[ELASTIC] == 0:
            # would the step do, were the constraints linear?
            if phi < _INF:
                if p[F_TRIAL] <= enough and _corrected(R):
                    again = attempt(R, t, d, True)
                    phi = again if again <= enough else phi
            elif not kept(R) and c[ABORT] == 0 and _corrected(R):
                bent = True
                phi = attempt(R, t, d, bent)
        if c[ABORT] != 0:
            return FAILED
        if phi <= enough + noise and evaluate_slopes(R, kt) and (phi <= enough or _sharper(R)):
            _accept(R)
            deep = p[F_TRIAL] < 2.0 * p[F] and p[F_TRIAL] < -_BOTTOMLESS * max(1.0, abs(p[F_FIRST]))
            if deep and violation_of(c_at(R, kt), lower_limits(R), upper_limits(R)) <= p[CTOL]:
                return UNBOUNDED_BELOW
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
