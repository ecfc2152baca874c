r"""The spectral projected gradient method, for sets that are easily projected onto.

===  ===========================================================================================
0    bounds
1    bounds and one linear constraint: the simplex, a budget
2    a ball: one constraint, (x - a)'(x - a) <= r^2
===  ===========================================================================================

With P the projection (numopt.kernels.projections), one iteration is [BMR]_

.. math::

    d = P(x - \alpha g) - x, \qquad x^+ = x + t d, \qquad \alpha^+ = s^T s / s^T y                           (1)

with s, y the last changes of x and of the gradient (Barzilai & Borwein).  t is found by backtracking until f is enough
below the largest of its last 10 values (Grippo, Lampariello & Lucidi): the steps that make alpha fast are not monotone.
All points lie within the set, which is convex.

The multipliers are those of the projection p = P(x - g), p - x + g = J'y + z, so that the stationarity of the point is
its projected gradient x - p.

Workspace: v, p (n each), centre of the ball (n), the last values of f (10).

References
----------
.. [BMR] E. G. Birgin, J. M. Martínez and M. Raydan, Nonmonotone spectral projected gradient methods on convex sets,
   SIAM J. Optim. 10 (2000), 1196-1211.
"""

from numopt.drivers.constrained import make_constrained_run
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import (
    evaluate_slopes,
    evaluate_values,
    g_at,
    jacobian_at,
    lower_limits,
    own,
    upper_limits,
    x_at,
    y_at,
    z_at,
)
from numopt.kernels.constrained_slots import CTOL, OWN_C, OWN_P, VIOLATION
from numopt.kernels.oracle import lower_bounds, upper_bounds, vector
from numopt.kernels.projections import project_ball, project_box, project_cut_box
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    F_TRIAL,
    FAILED,
    FLAT,
    FRESH,
    MAX_TRIALS,
    PARITY,
    POINT_INFEASIBLE,
    VARIANT,
    D,
    F,
    N,
    T,
)
from numopt.kernels.stopping import EPS
from numopt.kernels.vectors import dot

_BOX, _CUT, _BALL = range(3)
_COUNT = OWN_C  # steps since init
_ALPHA, _RADIUS = OWN_P, OWN_P + 1
KEPT = 10  # values of f that a new one is compared with
_C1 = 1e-4  # of the sufficient decrease
_ALPHA_MIN, _ALPHA_MAX = 1e-30, 1e30
_LEAST, _MOST = 0.1, 0.9  # of the last step length, for the next trial
_INF = float("inf")


def own_words(n, m):
    """Size of the workspace."""
    return 3 * n + KEPT


@kernel
def _project(R, v, p):
    """p = P(v) at the limits of the run; (what the multiplier of the row is made of, whether the set is not empty)."""
    lower, upper = lower_bounds(R), upper_bounds(R)
    if R.c[VARIANT] == _CUT:
        a = jacobian_at(R, R.c[PARITY])  # of a linear constraint: the same everywhere
        return project_cut_box(v, a, lower_limits(R)[0], upper_limits(R)[0], lower, upper, p)
    if R.c[VARIANT] == _BALL:
        return project_ball(v, own(R, 2 * R.c[N], R.c[N]), R.p[_RADIUS], p), True
    project_box(v, lower, upper, p)
    return 0.0, True


@kernel
def _set_multipliers(R, k):
    """y and z of the point in place k, from the projection of x - g."""
    n = R.c[N]
    x, g, y, z = x_at(R, k), g_at(R, k), y_at(R, k), z_at(R, k)
    v, p = own(R, 0, n), own(R, n, n)
    for j in range(n):
        v[j] = x[j] - g[j]
    lam, _ = _project(R, v, p)
    J = jacobian_at(R, k)
    if R.c[VARIANT] == _CUT:
        y[0] = lam
        for j in range(n):
            z[j] = p[j] - v[j] - lam * J[j]
    elif R.c[VARIANT] == _BALL:
        y[0] = -0.5 * lam  # p - v = -lam (p - a), and the row's gradient is 2 (x - a)
        for j in range(n):
            z[j] = 0.0
    else:
        for j in range(n):
            z[j] = p[j] - v[j]


@kernel
def init(R):
    """Begin: alpha by the size of the projected gradient, and x into the set."""
    c, p = R.c, R.p
    n, k = c[N], c[PARITY]
    x, J = x_at(R, k), jacobian_at(R, k)
    if c[VARIANT] == _BALL:
        centre = own(R, 2 * n, n)
        for j in range(n):
            centre[j] = x[j] - 0.5 * J[j]
        p[_RADIUS] = upper_limits(R)[0] ** 0.5
    _set_multipliers(R, k)
    pg, at = 0.0, own(R, n, n)
    for j in range(n):
        pg = max(pg, abs(at[j] - x[j]))
    p[_ALPHA] = min(_ALPHA_MAX, max(_ALPHA_MIN, 1.0 / pg)) if pg > 0.0 else 1.0
    c[_COUNT], c[FRESH] = 0, 1
    values = own(R, 3 * n, KEPT)
    for i in range(KEPT):
        values[i] = -_INF
    values[0] = p[F]


@kernel
def step(R):
    """One iteration; the first one from a point outside goes into the set, whatever f does."""
    c, p = R.c, R.p
    n, k = c[N], c[PARITY]
    x, g, xt, d = x_at(R, k), g_at(R, k), x_at(R, 1 - k), vector(R, D)
    v, at, values = own(R, 0, n), own(R, n, n), own(R, 3 * n, KEPT)
    outside = p[VIOLATION] > p[CTOL]
    for j in range(n):
        v[j] = x[j] - (0.0 if outside else p[_ALPHA] * g[j])
    _, exists = _project(R, v, at)
    if not exists:
        return POINT_INFEASIBLE
    for j in range(n):
        d[j] = at[j] - x[j]
    slope, highest = dot(g, d), -_INF
    for i in range(KEPT):
        highest = max(highest, values[i])
    t, f, found = 1.0, _INF, False
    for _ in range(c[MAX_TRIALS]):
        for j in range(n):
            xt[j] = at[j] if t == 1.0 else x[j] + t * d[j]
        found = evaluate_values(R, 1 - k)
        if c[ABORT] != 0:
            return FAILED
        f = p[F_TRIAL]
        if found and (outside or f <= highest + _C1 * t * slope or abs(t * slope) <= EPS * abs(f)):
            break
        new = -0.5 * t * t * slope / (f - p[F] - t * slope) if found else _LEAST * t
        t = min(_MOST * t, max(_LEAST * t, new)) if new == new else _LEAST * t
        found = False
    if not found:
        return FLAT if abs(slope) <= 10.0 * EPS * abs(p[F]) else FAILED
    if not evaluate_slopes(R, 1 - k):
        return FAILED
    gt, ss, sy = g_at(R, 1 - k), 0.0, 0.0
    for j in range(n):
        ss += (xt[j] - x[j]) * (xt[j] - x[j])
        sy += (xt[j] - x[j]) * (gt[j] - g[j])
    if ss == 0.0:
        return FLAT
    p[_ALPHA] = min(_ALPHA_MAX, max(_ALPHA_MIN, ss / sy)) if sy > 0.0 else min(_ALPHA_MAX, 10.0 * p[_ALPHA])
    c[_COUNT] += 1
    values[c[_COUNT] % KEPT] = f
    if outside:
        for i in range(KEPT):
            values[i] = -_INF
        values[c[_COUNT] % KEPT] = f
    c[FRESH] = 0
    _set_multipliers(R, 1 - k)
    p[T] = t
    return ACCEPT


run = make_constrained_run(init, step)
