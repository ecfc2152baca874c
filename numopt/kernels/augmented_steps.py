"""What the methods of multipliers and of penalties share: sizes of rows, multipliers of bounds, the violation alone."""

from numopt.kernels.augmented import (
    UNBOUNDED,
    begin_inner,
    bring,
    estimates,
    go_on_inner,
    high_of,
    inner_counters,
    inner_point,
    inner_scalars,
    inner_space,
    lam_of,
    low_of,
    residual_of,
    scale_of,
    weighted_slope,
)
from numopt.kernels.augmented_slots import (
    DENSE_UP_TO,
    EXHAUSTED,
    GROWTH,
    KEEPING,
    MEASURE,
    OMEGA,
    PENALTY_FIRST,
    RAISE,
    READY,
    RESTORED,
    STAGE,
    STUCK,
    UNBOUNDED_RUNS,
    WARM,
    WEIGHT,
)
from numopt.kernels.bounds import projected_norm
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import (
    c_at,
    g_at,
    jacobian_at,
    kept_rows,
    lower_limits,
    upper_limits,
    x_at,
    y_at,
    z_at,
)
from numopt.kernels.constrained_slots import CTOL, PENALTY, VIOLATION, M
from numopt.kernels.kkt import violation_of
from numopt.kernels.oracle import lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    F_LOWER,
    FAILED,
    FRESH,
    G_LOW,
    GTOL,
    N_COMMON,
    PARITY,
    POINT_INFEASIBLE,
    UNBOUNDED_BELOW,
    UPDATES,
    D,
    N,
    T,
)
from numopt.kernels.status import Status
from numopt.kernels.vectors import copy, dot, norm_inf
from numopt.kernels.views import segment

_STEEP = 100.0  # rows of larger gradients at the start are scaled down to this (Wächter & Biegler 2006, section 3.8)
_LEAST_SCALE = 1e-8
_PENALTY = 10.0  # to begin with
_AT_BOUND = 1e-9  # relative to max(1, size of the bound)
_STATIONARY = 1e-6  # of the gradient of the squared violation, relative to the violation
# between inner runs, within one on L_A, within one on the violation alone from x or from a point beside it
BETWEEN, MINIMISING, RESTORING = 0, 1, 2
SETTLED = -1  # beside the tasks
_MAXITER = int(Status.MAXITER)
FALL = 0.5  # of the violation, or rho grows
OMEGA_FIRST = 1e-2
LARGEST_PENALTY = 1e16  # beyond it f is lost in the rounding of L_A
_MORE = 4  # times that rho grows, a hundredfold, where L_A is unbounded
_STUCK_RUNS = 3  # inner runs in a row that did not lower the violation
_NEARLY_STATIONARY = 1e-2
_INF = float("inf")
_TRIES = 2  # points beside a stationary point of the violation to look for a way down from


@kernel
def row_distance(c, cl, cu):
    """How far c is from its limits: positive above, negative below."""
    return c - cl if c < cl else (c - cu if c > cu else 0.0)


@kernel
def set_bound_multipliers(R, k):
    """z of the point in place k, given its y: what the gradient of the Lagrangian leaves at a bound."""
    x, xl, xu, z, r = x_at(R, k), lower_bounds(R), upper_bounds(R), z_at(R, k), residual_of(R)
    weighted_slope(jacobian_at(R, k), y_at(R, k), 1.0, g_at(R, k), r)
    for j in range(x.size):
        low = r[j] > 0.0 and x[j] <= xl[j] + _AT_BOUND * max(1.0, abs(xl[j]))  # false where xl is infinite
        high = r[j] < 0.0 and x[j] >= xu[j] - _AT_BOUND * max(1.0, abs(xu[j]))
        z[j] = r[j] if low or high else 0.0


@kernel
def scaled_violation(R, c):
    """The norm of the scaled distances from the limits."""
    scale, cl, cu, total = scale_of(R), lower_limits(R), upper_limits(R), 0.0
    for i in range(c.size):
        h = row_distance(c[i], cl[i], cu[i])
        total += scale[i] * h * h
    return total**0.5


@kernel
def measure(R, k):
    """The largest |s_i - c_i| of place k, scaled: violation, and multipliers of rows that are not active."""
    c, cl, cu, lam, scale, rho, top = (
        c_at(R, k), low_of(R), high_of(R), lam_of(R), scale_of(R), R.p[PENALTY], 0.0,
    )  # fmt: skip
    for i in range(c.size):
        v = c[i] - lam[i] / (rho * scale[i])
        top = max(top, scale[i] ** 0.5 * abs(min(max(v, cl[i]), cu[i]) - c[i]))
    return top


@kernel
def prepare(R):
    """Scale the rows, choose the first penalty; no multipliers yet."""
    c, p = R.c, R.p
    n, k = c[N], c[PARITY]
    J, values, scale, lam, keep = jacobian_at(R, k), c_at(R, k), scale_of(R), lam_of(R), kept_rows(R)
    cl, cu, low, high = lower_limits(R), upper_limits(R), low_of(R), high_of(R)
    c[KEEPING] = 0
    for i in range(c[M]):
        top = norm_inf(segment(J, i * n, n))
        factor = max(_LEAST_SCALE, min(1.0, _STEEP / top)) if top > 0.0 else 1.0
        scale[i] = factor * factor
        lam[i] = 0.0
        low[i], high[i] = cl[i], cu[i]
        if keep[i] != 0.0 and cl[i] < cu[i]:
            c[KEEPING] = 1
            if cl[i] > -_INF:
                low[i] += 0.25 * min(values[i] - cl[i], cu[i] - cl[i], 1.0 / factor)
            if cu[i] < _INF:
                high[i] -= 0.25 * min(cu[i] - values[i], cu[i] - cl[i], 1.0 / factor)
    p[PENALTY] = p[PENALTY_FIRST]
    if not p[PENALTY] > 0.0:
        # of the size of f, should its gradient be large as those of the rows are not
        p[PENALTY] = _PENALTY * max(1.0, norm_inf(g_at(R, k)) / _STEEP)
    c[STAGE], c[WARM], c[READY], c[RESTORED], c[FRESH], p[WEIGHT] = BETWEEN, 0, 0, 0, 1, 1.0
    c[EXHAUSTED] = 0
    x_at(R, 1 - k)[0] = float("nan")
    set_bound_multipliers(R, k)


@kernel
def _nearer(R, y, c, limit, inner):
    """The inner limit of a row, a tenth as far from the row's own where the last run has come near it."""
    room = abs(inner - limit)
    if y != 0.0 and abs(c - inner) > 0.1 * room:
        return inner
    room = max(0.1 * room, min(room, 0.1 * R.p[GTOL] / max(1.0, abs(y))))
    return limit + room if inner > limit else limit - room


@kernel
def let_out(R):
    """Move the limits of rows that no point may violate towards their own."""
    k = R.c[PARITY]
    c, y, keep = c_at(R, k), y_at(R, k), kept_rows(R)
    cl, cu, low, high = lower_limits(R), upper_limits(R), low_of(R), high_of(R)
    for i in range(c.size):
        if keep[i] != 0.0 and cl[i] < cu[i]:
            low[i] = _nearer(R, max(y[i], 0.0), c[i], cl[i], low[i]) if cl[i] > -_INF else cl[i]
            high[i] = _nearer(R, min(y[i], 0.0), c[i], cu[i], high[i]) if cu[i] < _INF else cu[i]


@kernel
def violation_slope(R, k):
    """The projected gradient of half the squared scaled violation at place k, relative to the violation."""
    c, cl, cu, scale = c_at(R, k), lower_limits(R), upper_limits(R), scale_of(R)
    J, out, n = jacobian_at(R, k), vector(R, D), R.c[N]
    for j in range(n):
        out[j] = 0.0
    for i in range(c.size):
        h = scale[i] * row_distance(c[i], cl[i], cu[i])
        if h != 0.0:
            for j in range(n):
                out[j] += h * J[i * n + j]
    size = scaled_violation(R, c)
    if size == 0.0:
        return 0.0
    for j in range(n):
        out[j] /= size
    return projected_norm(x_at(R, k), out, lower_bounds(R), upper_bounds(R), float("inf"))


@kernel
def _minimise_violation(R, x):
    """Begin an inner run on the violation alone."""
    p, lam = R.p, lam_of(R)
    for i in range(lam.size):
        lam[i] = 0.0
    p[WEIGHT] = 0.0
    R.c[WARM], R.c[READY], R.c[STAGE] = 0, 0, R.c[STAGE] + 1
    begin_inner(R, x, 1e-4 * p[PENALTY] * p[CTOL])
    # low enough
    inner_scalars(R)[F_LOWER] = 0.5 * p[PENALTY] * (0.1 * p[CTOL]) ** 2


@kernel
def restore(R):
    """Begin to minimise the violation alone."""
    R.c[STAGE] = RESTORING - 1
    _minimise_violation(R, x_at(R, R.c[PARITY]))


@kernel
def restored(R):
    """After the inner run that ``restore`` began: a task, or ``SETTLED`` where another run has begun."""
    c, p = R.c, R.p
    t, n = 1 - c[PARITY], c[N]
    x = vector(R, G_LOW)
    copy(inner_point(R), x)
    if not bring(R, x):
        return FAILED
    feasible = violation_of(c_at(R, t), lower_limits(R), upper_limits(R)) <= p[CTOL]
    stationary = not feasible and violation_slope(R, t) <= _STATIONARY
    tries = c[STAGE] - RESTORING
    if stationary and tries < _TRIES:
        # it may be a saddle point of the violation
        xl, xu = lower_bounds(R), upper_bounds(R)
        for j in range(n):
            s = 1e-2 * max(1.0, abs(x[j])) * (1.0 + 0.1 * (j % 7))
            s = s if tries == 0 or j % 2 == 0 else -s
            s = s if tries == 0 else -3.0 * s
            x[j] = min(max(x[j] + s, xl[j]), xu[j])
        _minimise_violation(R, x)
        return SETTLED
    y = y_at(R, t)
    for i in range(y.size):
        y[i] = 0.0
    set_bound_multipliers(R, t)
    c[STAGE], p[WEIGHT], p[T] = BETWEEN, 1.0, 1.0
    c[RESTORED] += 1
    if stationary:
        return POINT_INFEASIBLE
    p[PENALTY] *= p[GROWTH] ** 2
    return ACCEPT


@kernel
def stiffen(R, growth):
    """Bring the inner solver's inverse Hessian up to date for rho times ``growth``, by (1)."""
    n, k, rho = R.c[N], R.c[PARITY], R.p[PENALTY]
    H, J, y, scale, Ha = (
        segment(inner_space(R), (N_COMMON + 1) * n, n * n),
        jacobian_at(R, k),
        y_at(R, k),
        scale_of(R),
        residual_of(R),
    )
    for i in range(y.size):
        if y[i] == 0.0:
            continue
        a = segment(J, i * n, n)
        for r in range(n):
            Ha[r] = dot(segment(H, r * n, n), a)
        s = 1.0 / (1.0 / (rho * (growth - 1.0) * scale[i]) + dot(a, Ha))
        for r in range(n):
            for q in range(n):
                H[r * n + q] -= s * Ha[r] * Ha[q]


@kernel
def raise_penalty(R, growth):
    """rho times ``growth``."""
    if R.c[WARM] != 0:
        stiffen(R, growth)
    R.p[PENALTY] *= growth


@kernel
def lost(R):
    """Whether the violation stays though rho grows, and hardly depends on x any more."""
    c, p = R.c, R.p
    return (
        c[STUCK] >= _STUCK_RUNS
        and p[VIOLATION] > p[CTOL]
        and (c[STUCK] > 2 * _STUCK_RUNS or violation_slope(R, c[PARITY]) <= _NEARLY_STATIONARY)
    )


@kernel
def run_on(R):
    """Go on with the inner run that has been begun, and with those that follow from its end.

    ``SETTLED``: the trial place holds a minimiser of L_A with its multipliers.  Otherwise the task of the step.
    """
    c, p = R.c, R.p
    t = 1 - c[PARITY]
    while True:
        status = go_on_inner(R)
        if c[ABORT] != 0:
            return FAILED
        if c[STAGE] != MINIMISING:
            task = restored(R)
            if task != SETTLED:
                c[RAISE], p[MEASURE] = 0, _INF
                return task
        elif status == UNBOUNDED:
            c[UNBOUNDED_RUNS] += 1
            if c[UNBOUNDED_RUNS] <= _MORE and c[M] > 0:
                c[WARM] = 0
                raise_penalty(R, p[GROWTH] ** 2)
                begin_inner(R, x_at(R, c[PARITY]), p[OMEGA])
            elif p[VIOLATION] <= p[CTOL]:
                c[STAGE], c[UNBOUNDED_RUNS] = BETWEEN, 0
                return UNBOUNDED_BELOW
            else:
                c[UNBOUNDED_RUNS] = 0
                restore(R)
        elif bring(R, inner_point(R)):
            estimates(R, c_at(R, t), y_at(R, t))
            set_bound_multipliers(R, t)
            c[WARM] = c[N] <= DENSE_UP_TO and inner_counters(R)[UPDATES] > 0
            c[STAGE], c[UNBOUNDED_RUNS], p[T] = BETWEEN, 0, 1.0
            c[EXHAUSTED] = c[EXHAUSTED] + 1 if status == _MAXITER else 0
            return SETTLED
        else:
            return FAILED
