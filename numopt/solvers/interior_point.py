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
from numopt.kernels.constrained import c_at, evaluate_slopes, evaluate_values, x_at
from numopt.kernels.constrained_slots import EXACT_HESSIAN, M
from numopt.kernels.dense import EPS
from numopt.kernels.filters import admits, augment
from numopt.kernels.interior_steps import longest, measure, move, report, reset, take_hessian, trial, within_kept_rows
from numopt.kernels.oracle import lower_bounds, upper_bounds, vector
from numopt.kernels.quasi_newton import damped_update
from numopt.kernels.restoration import ETA, GAMMA_PHI, GAMMA_THETA, Y_MOST, begin_restoration, restoration_step
from numopt.kernels.slots import ABORT, ACCEPT, FAILED, FLAT, FRESH, GTOL, PARITY, D, F, N, T
from numopt.kernels.vectors import copy, dot
from numopt.kernels.views import segment

_INF = math.inf
_MU_FIRST, _MU_LEAST = 0.1, 1e-16
_MU_SHARE = 1e-3  # of gtol, that mu does not fall below
_PUSH = 1e-2  # of the start from its bounds
_THETA_MOST, _THETA_LITTLE = 1e2, 1e-4  # times that of the start: no point violates more (21); little enough for (19)
_S_THETA, _S_PHI, _GAMMA_ALPHA = 1.1, 2.3, 0.05  # (19), (23)
_CORRECTIONS, _CORRECTION_FALL = 4, 0.99  # section 2.4
_BELOW_LEAST, _BELOW_MOST = 1e-8, 1e-2  # what may stand below a Jacobian whose rows contradict each other
_RESTORE = -1


@kernel
def _begin(R, k):
    """Set scales, slacks, and multipliers for the point in place k."""
    c, p = R.c, R.p
    ip.set_scales(R, k)
    s, lo, up, e, con, sort = (
        ip.slack(R), ip.slack_lower(R), ip.slack_upper(R), ip.row_scale(R), c_at(R, k), ip.kind(R),
    )  # fmt: skip
    zl, zu, vl, vu, xl, xu = (
        ip.lower_z(R), ip.upper_z(R), ip.lower_v(R), ip.upper_v(R), lower_bounds(R), upper_bounds(R),
    )  # fmt: skip
    for j in range(xl.size):
        zl[j], zu[j] = 1.0 if xl[j] > -_INF else 0.0, 1.0 if xu[j] < _INF else 0.0
    for i in range(s.size):
        vl[i], vu[i] = 1.0 if lo[i] > -_INF else 0.0, 1.0 if up[i] < _INF else 0.0
        if sort[i] == ip.INEQUALITY:
            s[i] = barrier.pushed(e[i] * con[i], lo[i], up[i], _PUSH)
    ip.least_squares_multipliers(R, k, Y_MOST)
    reset(R, 1.0)
    theta = ip.set_residual(con, e, s, sort, ip.residual(R))
    p[ip.MU], p[ip.SHIFT], p[ip.CURVATURE] = _MU_FIRST, 0.0, 1.0
    p[ip.THETA_MAX], p[ip.THETA_MIN] = _THETA_MOST * max(1.0, theta), _THETA_LITTLE * max(1.0, theta)
    c[ip.PHASE], c[ip.COUNT], c[ip.SHAKEN], c[ip.BEGUN] = 0, 0, 0, 1
    report(R, k)


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
def _enter(R):
    """From the start to a point well within the bounds."""
    c, p, k = R.c, R.p, R.c[PARITY]
    x, xt, xl, xu = x_at(R, k), x_at(R, 1 - k), lower_bounds(R), upper_bounds(R)
    push = _PUSH
    for _ in range(30):
        for j in range(x.size):
            xt[j] = barrier.pushed(x[j], xl[j], xu[j], push)
        if within_kept_rows(R, 1 - k) and evaluate_values(R, 1 - k) and evaluate_slopes(R, 1 - k):
            _begin(R, 1 - k)
            p[T] = 1.0
            return ACCEPT
        if c[ABORT] != 0:
            return FAILED
        push *= 0.25
    return FAILED


@kernel
def _update(R, k):
    """The quasi-Newton matrix, after the step from place k to the other."""
    n, y, B, work = R.c[N], ip.scaled_y(R), ip.hessian(R), ip.scratch_n(R)
    x, xt = x_at(R, k), x_at(R, 1 - k)
    s, dg = segment(ip.of_both(R, 2), 0, n), segment(ip.of_both(R, 3), 0, n)
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
def _suits(R, theta, phi, slope, t, theta_t, phi_t):
    """0: refused, 1: taken, 2: taken as a step of descent for phi, which leaves the filter as it is (18-20)."""
    p, rounding = R.p, 10.0 * EPS * abs(phi)
    if not theta_t <= p[ip.THETA_MAX] or not admits(ip.pairs(R), R.c[ip.COUNT], theta_t, phi_t - rounding):
        return 0
    descent = slope < 0.0 and t * (-slope) ** _S_PHI > theta**_S_THETA
    enough = phi_t - rounding <= phi + ETA * t * slope
    if descent and theta <= p[ip.THETA_MIN]:
        return 2 if enough else 0
    if theta_t <= (1.0 - GAMMA_THETA) * theta or phi_t - rounding <= phi - GAMMA_PHI * theta:
        return 2 if descent and enough else 1
    return 0


@kernel
def _shortest(p, theta, slope):
    """Shorter steps than this would be refused as well (23)."""
    t = GAMMA_THETA
    if slope < 0.0:
        t = min(t, GAMMA_PHI * theta / -slope)
        if theta <= p[ip.THETA_MIN]:
            t = min(t, theta**_S_THETA / (-slope) ** _S_PHI)
    return max(_GAMMA_ALPHA * t, EPS)


@kernel
def _factorise(R, k, mu):
    """The system at the point, factorised and solved; (whether it could be, shift of the Hessian)."""
    c, p, y, r, d, ds = R.c, R.p, ip.scaled_y(R), ip.residual(R), vector(R, D), ip.slack_step(R)
    shift, below = 0.0, 0.0
    while True:
        good, shift, below = ip.factorise(R, k, mu, True, below)
        if shift > 0.0 and c[EXACT_HESSIAN] == 0:
            # rounding has made the matrix indefinite: along a ray its curvature falls without bound
            reset(R, p[ip.CURVATURE])
            c[ip.SCALED] = 1
            good, shift, below = ip.factorise(R, k, mu, True, below)
        if not good or not ip.direction(R, k, mu, shift, y, r, d, ds):
            return False, shift
        # rows that depend on others, and contradict them, would have multipliers without bound
        if below >= _BELOW_MOST or ip.multipliers_reasonable(R, below):
            return True, shift
        below = max(_BELOW_LEAST, 100.0 * below)


@kernel
def _correct(R, k, mu, shift, theta, phi, slope, t):
    """Steps for the residual of the trial point added to t times that of the point (section 2.4).

    (Verdict of the filter, length.)  On success d, ds and the last solution are those of the correction.
    """
    y, r, rt, rc, dc, dsc = (
        ip.scaled_y(R), ip.residual(R), ip.residual_trial(R), ip.residual_corrected(R), ip.step_corrected(R),
        ip.slack_corrected(R),
    )  # fmt: skip
    copy(r, rc)
    before, t_c = theta, t
    for _ in range(_CORRECTIONS):
        for i in range(r.size):
            rc[i] = t_c * rc[i] + rt[i]
        if not ip.direction(R, k, mu, shift, y, rc, dc, dsc):
            break
        t_c = longest(R, k, dc, dsc, mu)
        if not trial(R, k, dc, dsc, t_c):
            break
        theta_t, phi_t = measure(R, 1 - k, mu)
        verdict = _suits(R, theta, phi, slope, t, theta_t, phi_t)
        if verdict != 0:
            copy(dc, vector(R, D))
            copy(dsc, ip.slack_step(R))
            return verdict, t_c
        if theta_t > _CORRECTION_FALL * before:
            break
        before = theta_t
    if R.c[ABORT] == 0:
        ip.direction(R, k, mu, shift, y, r, vector(R, D), ip.slack_step(R))
    return 0, t


@kernel
def _too_short(x, s, d, ds):
    """Whether a step is lost in rounding: then no value tells whether it is good, and it is taken."""
    size = 0.0
    for j in range(x.size):
        size = max(size, abs(d[j]) / (1.0 + abs(x[j])))
    for i in range(s.size):
        size = max(size, abs(ds[i]) / (1.0 + abs(s[i])))
    return size < 10.0 * EPS


@kernel
def _barrier_step(R):
    """One iteration of the barrier problem."""
    c, p, k = R.c, R.p, R.c[PARITY]
    x, s, y, d, ds = x_at(R, k), ip.slack(R), ip.scaled_y(R), vector(R, D), ip.slack_step(R)
    theta, mu = ip.set_residual(c_at(R, k), ip.row_scale(R), s, ip.kind(R), ip.residual(R)), p[ip.MU]
    least = max(_MU_LEAST, _MU_SHARE * p[GTOL] * p[ip.DF])
    while mu > least and ip.error(R, k, mu) <= ip.KAPPA_E * mu:
        mu = max(least, ip.lower_mu(mu))
        c[ip.COUNT] = 0
    p[ip.MU] = mu
    if c[EXACT_HESSIAN] == 1 and not take_hessian(R, k, p[ip.DF]):
        return FAILED
    good, shift = _factorise(R, k, mu)
    if not good:
        return _RESTORE
    slope, phi = ip.slope_along(R, k, mu, d, ds), p[ip.DF] * p[F] + ip.barrier_value(R, x, s, mu)
    blind, first, shortest = _too_short(x, s, d, ds), True, _shortest(p, theta, slope)
    t, verdict = longest(R, k, d, ds, mu), 0
    while t >= shortest:
        good = trial(R, k, d, ds, t)
        if good:
            theta_t, phi_t = measure(R, 1 - k, mu)
            verdict = 1 if blind else _suits(R, theta, phi, slope, t, theta_t, phi_t)
            if verdict == 0 and first and theta_t >= theta:
                verdict, t = _correct(R, k, mu, shift, theta, phi, slope, t)
        if c[ABORT] != 0:
            return FAILED
        if verdict != 0:
            if evaluate_slopes(R, 1 - k):
                break
            if c[ABORT] != 0:
                return FAILED
            verdict = 0
        first = False
        t *= 0.5
    if verdict == 0:
        return _RESTORE
    if verdict == 1:
        c[ip.COUNT] = augment(ip.pairs(R), c[ip.COUNT], (1.0 - GAMMA_THETA) * theta, phi - GAMMA_PHI * theta)
    q = ip.of_both(R, 3)
    for i in range(c[M]):
        y[i] -= t * q[c[N] + i]
    move(R, k, d, ds, mu, t)
    if shift > 0.0:
        p[ip.SHIFT] = shift
    if c[EXACT_HESSIAN] == 0:
        _update(R, k)
    report(R, 1 - k)
    return ACCEPT


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    if c[ip.BEGUN] == 0:
        return _enter(R)
    least = max(_MU_LEAST, _MU_SHARE * p[GTOL] * p[ip.DF])
    while c[ip.PHASE] == 0:
        task = _barrier_step(R)
        if task != _RESTORE:
            return task
        if not begin_restoration(R):
            # there is no violation to lower; the barrier may be what is in the way
            if p[ip.MU] <= least:
                return FLAT
            p[ip.MU], c[ip.COUNT] = max(least, ip.lower_mu(p[ip.MU])), 0
    return restoration_step(R)


run = make_constrained_run(init, step)
