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
from numopt.kernels.constrained_slots import COMPLEMENTARITY, EXACT_HESSIAN, M, STATIONARITY, VIOLATION
from numopt.kernels.dense import EPS
from numopt.kernels.kkt import assess
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
    NU,
    NUDGES,
    READY,
    RHO,
    column,
    find_step,
    marks,
    matrix,
    model_violation,
    penalty,
    row,
    solve_model,
    total_violation,
)
from numopt.kernels.vectors import copy, distance, dot

# the least share of the decrease that the model promises
_SUFFICIENT = 1e-4
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
    if find_step(R, k):
        if c[NIT] == 0:
            copy(row(R, 0), y_at(R, k))
            copy(column(R, 1), z_at(R, k))
    if c[EXACT_HESSIAN] != 0 and c[NOWHERE] == 0:
        c[READY] = 0


@kernel
def _prepare(R):
    """Solve the model at the current point; False if that failed."""
    c, k, n = R.c, R.c[PARITY], R.c[N]
    R.p[RHO] = 0.0
    if c[EXACT_HESSIAN] == 0:
        return find_step(R, k)
    H, J, active = matrix(R, 1), jacobian_at(R, k), marks(R, 2)
    if not evaluate_lagrangian(R, k, y_at(R, k), 1.0, H):
        return c[ABORT] == 0 and find_step(R, k)
    marking = marks(R, 0)
    for i in range(marking.size):
        active[i] = 1.0 if 0.5 < abs(marking[i]) < 1.5 else 0.0
    rho = convexify(H, J, active, n, matrix(R, 0), matrix(R, 2), matrix(R, 3), column(R, 6), column(R, 7))
    if not find_step(R, k):
        return False
    if rho > 0.0:
        # the multipliers less the part that stems from the curvature added
        y, z, d, m = row(R, 0), column(R, 1), column(R, 0), c[M]
        for i in range(m):
            if active[i] != 0.0 and abs(marking[i]) == 1.0:
                aa, ad = 0.0, 0.0
                for j in range(n):
                    aa += J[i * n + j] * J[i * n + j]
                    ad += J[i * n + j] * d[j]
                if aa > 0.0:
                    y[i] -= rho * ad / aa
        for j in range(n):
            if active[m + j] != 0.0 and abs(marking[m + j]) == 1.0:
                z[j] -= rho * d[j]
    return True


@kernel
def _place(R, t, d):
    """x of the trial place: x + t d, within the bounds."""
    k = R.c[PARITY]
    x, xt, xl, xu = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R)
    for j in range(x.size):
        xt[j] = min(max(x[j] + t * d[j], xl[j]), xu[j])


@kernel
def _kept(R):
    """Whether the trial point fulfils the rows that no point may violate."""
    keep, m = kept_rows(R), R.c[M]
    any_kept = False
    for i in range(m):
        any_kept = any_kept or keep[i] != 0.0
    if not any_kept:
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
def _try(R, t, d):
    """The merit at x + t d; inf where it cannot be had."""
    _place(R, t, d)
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
    """The second-order correction: the model with the curvature of the constraints along d, into column 2.

    False if there is none.
    """
    k = R.c[PARITY]
    c, J, d, rl, ru = c_at(R, 1 - k), jacobian_at(R, k), column(R, 0), row(R, 2), row(R, 3)
    cl, cu, n = lower_limits(R), upper_limits(R), R.c[N]
    for i in range(c.size):
        t = 0.0
        for j in range(n):
            t += J[i * n + j] * d[j]
        rl[i], ru[i] = cl[i] - c[i] + t, cu[i] - c[i] + t
    copy(marks(R, 0), marks(R, 1))
    status = solve_model(R, k, R.p[NU] if R.c[ELASTIC] != 0 else _INF, 2)
    c0 = c_at(R, k)
    for i in range(c.size):
        rl[i], ru[i] = cl[i] - c0[i], cu[i] - c0[i]
    return status == SOLVED and dot(column(R, 2), column(R, 2)) <= 4.0 * dot(d, d)


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
            _identity(B, n, vv / sv)  # Nocedal & Wright (6.20)
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
    if find_step(R, kt):
        # the multipliers of this model are those of this very point, but where its step is long they are the worse ones
        before = _residual(R, kt)
        copy(row(R, 0), y)
        copy(column(R, 1), z)
        if not _residual(R, kt) < before:
            pass


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
        _try(R, h, d)
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
def step(R):
    """One iteration."""
    c, p, k = R.c, R.p, R.c[PARITY]
    if c[READY] == 0 and not _prepare(R):
        return FAILED
    if c[NOWHERE] != 0:
        return _nudge(R) if c[NUDGES] < 3 else POINT_INFEASIBLE
    d, mu = column(R, 0), row(R, 4)
    if not p[DECREASE] > 0.0:
        return FLAT
    merit = p[F] + penalty(mu, c_at(R, k), lower_limits(R), upper_limits(R))
    noise, t, kt = _noise(R), 1.0, 1 - k
    for trial in range(c[MAX_TRIALS]):
        phi = _try(R, t, d)
        if c[ABORT] != 0:
            return FAILED
        good = phi <= merit - _SUFFICIENT * t * p[DECREASE] + noise
        if not good and trial == 0 and phi < _INF:
            # would the step do, were the constraints linear?
            linear = model_violation(R, k, d, True) if c[ELASTIC] != 0 else 0.0
            if p[F_TRIAL] + linear <= merit - _SUFFICIENT * p[DECREASE] and _corrected(R):
                again = _try(R, 1.0, column(R, 2))
                if c[ABORT] != 0:
                    return FAILED
                good = again <= merit - _SUFFICIENT * p[DECREASE]
        if good and evaluate_slopes(R, kt):
            _accept(R)
            return ACCEPT
        if c[ABORT] != 0:
            return FAILED
        if phi < _INF:
            shorter = p[DECREASE] * t / (2.0 * (phi - merit + p[DECREASE] * t))
            t *= min(max(shorter, _SHORTER), _LONGER)
        else:
            t *= 0.2
    return FLAT if p[DECREASE] <= 1e3 * noise else FAILED


run = make_constrained_run(init, step)
