r"""Sequential quadratic programming: the default for problems with constraints.

A step d minimises a quadratic model, with the constraints made linear,

.. math::

    \min_d \; g^T d + \tfrac12 d^T B d \quad\text{with}\quad c_l \le c + J d \le c_u, \quad
    x_l \le x + d \le x_u,                                                                                  (1)

by the active-set method of ``numopt.kernels.qp``, which begins from the working set of the model before; its
multipliers are the next ones.  Around it:

* B is the damped BFGS update of the identity, for the gradient of the Lagrangian (Nocedal & Wright, procedure 18.2),
  or the Hessian of the Lagrangian made positive definite in a way that, on the active constraints, changes only what
  is not convex there (``numopt.kernels.quasi_newton``).
* The step is shortened until the l1 merit function

  .. math:: \phi(x) = f(x) + \sum_i \mu_i v_i(x), \qquad \phi(x + t d) \le \phi(x) - 0.01 \, t \, \Delta       (2)

  falls enough, v being the violations and Delta the decrease of the linear model.  mu_i is at least the size of the
  multiplier, and comes down to it by halves (Powell 1978).
* Where the full step fails for the curvature of the constraints alone, a second-order correction is tried (section
  15.6): it keeps steps near the solution from being cut (Maratos's effect).
* Where (1) has no solution, or only one with multipliers that explode, its rows are elastic: nu times the sum of
  their violations is added, with a nu that lets the violation fall by a fair share of what it can (Byrd, Nocedal &
  Waltz 2008).
* Where the violation can't fall it is, at first order, least.  Then the sum of its squares is tried, and points around;
  ``POINT_INFEASIBLE`` if these don't lead to less either.
* Values equal to rounding do no harm where the residual of the KKT conditions falls.
* Rows that are to be kept are checked before f is called.  A step that leaves them is bent, x + t d + t^2 e, by a
  correction e that overshoots as far as the step has left them (as Panier & Tits 1993 do).
* f is unbounded where, at feasible points, it has fallen below -1e12 times the size of its first value and doubles.

The multipliers of a point are, of those of the model that led to it and of the model at it, the ones that leave the
smaller residual.

Workspace (named in ``numopt.kernels.sqp_model``):

===========================  ================================================================================
B_MODEL, H_EXACT, M1, M2     n x n: B, the Hessian of the Lagrangian, scratch
STEP, STEP_Z                 n: d and multipliers of the bounds;  CORRECTION, CORRECTION_Z: of the correction
DL, DU, G_MODEL, V1 to V3    n: limits of the step, g of the model, scratch
STEP_Y, CORRECTION_Y         m: multipliers of the rows
RL, RU, MU, W1               m: limits of J d, penalties, scratch
WORKING, CORRECTION_WORKING  m + n: working sets, where the next model begins
BEFORE, GAP                  m + n: the working set of the model before, and what there was to its limits
\                            what ``qp`` reports, and its scratch
===========================  ================================================================================

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, chapter 18.
M. J. D. Powell, A fast algorithm for nonlinearly constrained optimization calculations, Lecture Notes in Mathematics
630 (1978), 144-157.
R. H. Byrd, J. Nocedal and R. A. Waltz, Steering exact penalty methods for nonlinear programming, Optim. Methods Softw.
23 (2008), 197-213.
E. R. Panier and A. L. Tits, On combining feasibility, descent and superlinear convergence in inequality constrained
optimization, Math. Program. 59 (1993), 261-276.
"""

from numpy import int64

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
from numopt.kernels.constrained_slots import CTOL, EXACT_HESSIAN, VIOLATION, M
from numopt.kernels.kkt import lagrangian_gradient, violation_of
from numopt.kernels.qp import SOLVED
from numopt.kernels.quasi_newton import DAMPING, convexify, damped_update
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    F_TRIAL,
    FAILED,
    FLAT,
    FRESH,
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
    B_MODEL,
    BEFORE,
    CORRECTION,
    CORRECTION_WORKING,
    DECREASE,
    DL,
    DU,
    ELASTIC,
    F_FIRST,
    FIRST_SCALE,
    G_MODEL,
    GAP,
    H_EXACT,
    LOOKED,
    M1,
    M2,
    MU,
    NOWHERE,
    NU,
    READY,
    RESTORED,
    RL,
    RU,
    STEP,
    STEP_Y,
    STRAIGHT,
    V1,
    V2,
    V3,
    V_MOST,
    V_STUCK,
    W1,
    WORKING,
    begin_model,
    column,
    find_step,
    limits_of_rows,
    marks,
    matrix,
    model_violation,
    penalty,
    row,
    solve_model,
    total_violation,
)
from numopt.kernels.sqp_multipliers import residual, sharper, stay, take_multipliers
from numopt.kernels.sqp_points import attempt, kept, leave_saddle, look_around, noise_of, restore
from numopt.kernels.vectors import copy, distance, dot, norm_inf, scale

# the least share of the decrease that the model promises
_SUFFICIENT = 1e-2
# B = I before the first update is made smaller, Nocedal & Wright (6.20), but not larger: the largest curvature is that
# across the constraints, which do without it
_LEAST_SCALE = 1e-4
# B = I is larger where the first step would be longer than this, over the size of x
_FIRST_STEP = 10.0
# sum of the violations, over that at the start, that is too large whatever f: f may fall faster than any penalty grows
_FARTHEST = 1e4
# of a step, over the size of x, where the Hessian has no curvature to limit it
_LONGEST = 3.0
# curvature along a step, over that of the model, that counts as none; such steps in a row before all of B
# is made smaller
_NO_CURVATURE, _STRAIGHT_STEPS = 1e-3, 3
# restoring steps in a row, and looks around in all, before a point without a way to less violation is the end
_RESTORING_STEPS, _LOOKS = 50, 3
# an objective that has fallen to so many times the size of its first value, and doubled in the last step, has
# no end
_BOTTOMLESS = 1e12
# bounds on the factor between two steps
_SHORTER, _LONGER = 0.1, 0.5
# share of the violation that elastic rows may leave for a second-order correction to make sense
_NEARLY = 0.1
_CORRECTED = int64(1)
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
    R.p[FIRST_SCALE] = max(1.0, norm_inf(g_at(R, k)) / (_FIRST_STEP * max(1.0, norm_inf(x_at(R, k)))))
    _identity(matrix(R, B_MODEL), c[N], R.p[FIRST_SCALE])
    mu, marking = row(R, MU), marks(R, WORKING)
    for i in range(mu.size):
        mu[i] = 0.0
    for i in range(marking.size):
        marking[i] = 0.0
    c[UPDATES], c[FRESH], c[READY], c[STRAIGHT] = 0, 1, 0, 0
    if c[NIT] == 0:
        R.p[F_FIRST], R.p[V_STUCK] = R.p[F], _INF
        R.p[V_MOST] = _FARTHEST * max(1.0, total_violation(R, k))
    begin_model(R, k)
    if find_step(R, k) and c[NIT] == 0:
        take_multipliers(R, k)
    if c[EXACT_HESSIAN] != 0 and c[NOWHERE] == 0:
        c[READY] = 0


@kernel
def _prepare(R):
    """Solve the model at the current point; False if that failed."""
    c, k, n, m = R.c, R.c[PARITY], R.c[N], R.c[M]
    begin_model(R, k)
    if c[EXACT_HESSIAN] == 0:
        return find_step(R, k)
    H, J, g, marking = matrix(R, H_EXACT), jacobian_at(R, k), column(R, G_MODEL), marks(R, WORKING)
    active, gap = marks(R, BEFORE), marks(R, GAP)
    if not evaluate_lagrangian(R, k, y_at(R, k), 1.0, H):
        return c[ABORT] == 0 and find_step(R, k)
    rl, ru, dl, du = row(R, RL), row(R, RU), column(R, DL), column(R, DU)
    for i in range(m + n):
        active[i] = 1.0 if abs(marking[i]) == 1.0 else 0.0
        if i < m:
            gap[i] = rl[i] if marking[i] < 0.0 else ru[i]
        else:
            gap[i] = dl[i - m] if marking[i] < 0.0 else du[i - m]
    v, lam = column(R, V1), column(R, V2)
    lagrangian_gradient(g_at(R, k), J, y_at(R, k), z_at(R, k), v)
    least = norm_inf(v) / (_LONGEST * max(1.0, norm_inf(x_at(R, k))))
    convexify(H, J, active, gap, n, least, matrix(R, B_MODEL), g, matrix(R, M1), matrix(R, M2), lam, v)
    if not find_step(R, k):
        return False
    if not R.p[DECREASE] > 0.0:
        # the step to constraints that are far away, or active no more, need not lead down: convex in all directions
        for i in range(m + n):
            active[i] = 0.0
        copy(g_at(R, k), g)
        convexify(H, J, active, gap, n, least, matrix(R, B_MODEL), g, matrix(R, M1), matrix(R, M2), lam, v)
        return find_step(R, k)
    return True


@kernel
def _corrected(R):
    """The second-order correction (Nocedal & Wright, section 15.6): e = its step - d, the constraints' curvature
    along d, known from c at x + d, being part of the model.  False if there is none.

    Rows that no point may violate, and that x + d does, are asked for as much again.
    """
    k = R.c[PARITY]
    c, J, d, rl, ru, keep = c_at(R, 1 - k), jacobian_at(R, k), column(R, STEP), row(R, RL), row(R, RU), kept_rows(R)
    cl, cu, n = lower_limits(R), upper_limits(R), R.c[N]
    for i in range(c.size):
        t, more, less = 0.0, 0.0, 0.0
        for j in range(n):
            t += J[i * n + j] * d[j]
        if keep[i] != 0.0:
            more, less = max(0.0, cl[i] - c[i]), max(0.0, c[i] - cu[i])
        rl[i], ru[i] = cl[i] - c[i] + t + more, cu[i] - c[i] + t - less
    copy(marks(R, WORKING), marks(R, CORRECTION_WORKING))
    status = solve_model(R, k, R.p[NU] if R.c[ELASTIC] != 0 else _INF, _CORRECTED)
    limits_of_rows(R, k)
    d2, e = column(R, CORRECTION), column(R, V2)
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
    B, s, v = matrix(R, B_MODEL), column(R, V1), column(R, V2)
    x, xt = x_at(R, k), x_at(R, 1 - k)
    for j in range(n):
        s[j] = xt[j] - x[j]
    _lagrangian_change(R, row(R, STEP_Y), v)
    if c[UPDATES] == 0:
        sv, vv = dot(s, v), dot(v, v)
        if sv > 1e-8 * (dot(s, s) * vv) ** 0.5:
            _identity(B, n, R.p[FIRST_SCALE] * max(_LEAST_SCALE, min(1.0, vv / sv / R.p[FIRST_SCALE])))
    share = damped_update(B, s, v, column(R, V3))
    if share == share:
        c[UPDATES] += 1
    c[STRAIGHT] = c[STRAIGHT] + 1 if abs(share) < _NO_CURVATURE else 0
    if c[STRAIGHT] >= _STRAIGHT_STEPS:
        # the update has made B smaller along s as often; before that differs too much from other directions, all of B
        scale(DAMPING, B, B)


@kernel
def _accept(R):
    """Take the trial point, whose slopes are there: multipliers, B, and the model at it."""
    c, k = R.c, R.c[PARITY]
    kt = 1 - k
    y, z = y_at(R, kt), z_at(R, kt)
    take_multipliers(R, kt)
    R.p[T] = max(distance(x_at(R, kt), x_at(R, k)), 1e-300)
    c[READY] = 0
    if c[EXACT_HESSIAN] != 0:
        return
    _update(R)
    c[FRESH] = 0
    begin_model(R, kt)
    if find_step(R, kt):
        # of the multipliers of the two models, the one before and the one at this very point, those that do better
        before, y0, z0 = residual(R, kt), row(R, W1), column(R, CORRECTION)
        copy(y, y0)
        copy(z, z0)
        take_multipliers(R, kt)
        if before < residual(R, kt):
            copy(y0, y)
            copy(z0, z)


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
def step(R):
    """One iteration."""
    c, p, k = R.c, R.p, R.c[PARITY]
    if c[READY] == 0 and not _prepare(R):
        return FAILED
    if c[ELASTIC] == 0:
        c[RESTORED] = 0
    elif c[NOWHERE] != 0 or c[RESTORED] > 0:
        return _restore(R)
    d, mu = column(R, STEP), row(R, MU)
    if c[EXACT_HESSIAN] != 0:
        take_multipliers(R, k)
        if p[VIOLATION] <= p[CTOL] and residual(R, k) <= p[GTOL]:
            stay(R)
            return ACCEPT
    if not p[DECREASE] > 0.0:
        return FLAT
    if c[NIT] == 0 and leave_saddle(R):
        return FAILED
    if c[ABORT] != 0:
        return FAILED
    merit = p[F] + penalty(mu, c_at(R, k), lower_limits(R), upper_limits(R))
    noise, t, kt, bend = noise_of(R), 1.0, 1 - k, 0.0
    left, weighted = model_violation(R, k, d) if c[ELASTIC] != 0 else (0.0, 0.0)
    for trial in range(c[MAX_TRIALS]):
        phi = attempt(R, t, d, bend)
        enough = merit - _SUFFICIENT * t * p[DECREASE]
        if trial == 0 and c[ABORT] == 0 and not phi <= enough and left <= _NEARLY * total_violation(R, k):
            # would the step do, were the constraints linear?
            if phi < _INF:
                if p[F_TRIAL] + weighted <= enough and _corrected(R):
                    again = attempt(R, t, d, 1.0)
                    phi = again if again <= enough else phi
            elif not kept(R) and c[ABORT] == 0 and _corrected(R):
                bend = 1.0
                phi = attempt(R, t, d, bend)
        if c[ABORT] != 0:
            return FAILED
        if phi <= enough + noise and evaluate_slopes(R, kt) and (phi <= enough or sharper(R)):
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
            t *= 0.5 if bend > 0.0 else 0.2
    return FLAT if p[DECREASE] <= 1e3 * noise else FAILED


run = make_constrained_run(init, step)
