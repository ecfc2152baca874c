r"""Powell's dogleg for sums of squares, in an ellipsoid or in a box.

With the residuals r, their Jacobian J, the gradient g = J'r and a diagonal scaling D, the step follows the path

.. math::

    0 \to p_C = -t D^{-2} g \to p_N = \arg\min |J p + r|^2,                                                        (1)

with t the minimum of the model along the steepest descent (the Cauchy point), as far as the region of trust and the
bounds allow.  The model falls along all of it.

===  ========  ==============================================================================================
0    dogleg    \|D p\| <= Delta (Powell)
1    dogbox    \|D_j p_j\| <= Delta for all j: what the bounds leave of it is a box again (Voglis & Lagaris)
===  ========  ==============================================================================================

Bounds: variables at a bound with a gradient that pushes outwards stay; (1) is in the others.  A variable that meets its
bound on the path is set on it, and the path goes on towards the minimum in those that are left.

J is never seen here: all that is needed of it is its triangle (numopt.kernels.triangle).

Convergence, as in scipy: \|g_j\| <= gtol for all j that are not held; an actual reduction of f within ftol f, of at
least a quarter of what the model promised; \|p\| <= xtol (xtol + \|x\|).

Workspace: see numopt.kernels.squares_workspace; the spare vectors hold p_N and what of a step is fixed.

References
----------
M. J. D. Powell, A hybrid method for nonlinear equations, in: Numerical Methods for Nonlinear Algebraic Equations (ed.
P. Rabinowitz), Gordon and Breach 1970, 87-114.
C. Voglis and I. E. Lagaris, A rectangular trust region dogleg approach for unconstrained and bound constrained
nonlinear optimization, WSEAS International Conference on Applied Mathematics, Corfu 2004.
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 4.1.
"""

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ABORT,
    BOUNDED,
    F_TRIAL,
    FAILED,
    FRESH,
    GRADIENT_SMALL,
    LSQ_GTOL,
    NIT,
    PARITY,
    RADIUS,
    RADIUS_INITIAL,
    TRY,
    VARIANT,
    F,
    G,
    N,
    T,
    X,
)
from numopt.kernels.squares_workspace import (
    COLUMNS,
    FREE,
    MOVE,
    PERM,
    SCALE,
    SCRATCH,
    SPARE,
    SPARE2,
    judged,
    list_free,
    matrix,
    rescale,
    spare_row,
    verdict,
)
from numopt.kernels.triangle import damped_step, factor, square_norm, undamped_step
from numopt.kernels.vectors import dot

EPS = 2.220446049250313e-16
_INF = float("inf")
_DOGLEG, _DOGBOX = range(2)
_TRIALS = 200  # steps in a row that are not taken: each is a quarter of the one before
_DEPENDENT = 2.0 * EPS  # relative to J: what is left of a column beside others is rounding
_LEAST = 1e-13  # damping, relative to J, that leaves of all solutions the shortest


@kernel
def init(R):
    """The first radius is found with the first step."""
    R.c[FRESH] = 1
    if R.c[NIT] == 0:
        R.p[RADIUS] = -1.0


@kernel
def _size(R, d, s):
    """What the radius is compared with."""
    total, largest = 0.0, 0.0
    for j in range(s.size):
        t = d[j] * s[j]
        total += t * t
        largest = max(largest, abs(t))
    return largest if R.c[VARIANT] == _DOGBOX else total**0.5


@kernel
def _within(R, x, d, s, q, radius):
    """The largest t <= 1 for which s + t q is in the region and x + s + t q within the bounds."""
    t = 1.0
    if R.c[VARIANT] == _DOGBOX:
        for j in range(x.size):
            if q[j] != 0.0:
                side = radius if q[j] > 0.0 else -radius
                t = min(t, (side / d[j] - s[j]) / q[j])
    else:
        # in multiples of the largest entry: the step to a variable's end that hardly shows has a square that overflows
        largest = 0.0
        for j in range(x.size):
            largest = max(largest, abs(d[j] * q[j]))
        if not largest < _INF:
            return 0.0
        a, b, e = 0.0, 0.0, -radius * radius
        for j in range(x.size):
            u = d[j] * q[j] / largest if largest > 0.0 else 0.0
            a += u * u
            b += u * d[j] * s[j]
            e += (d[j] * s[j]) ** 2
        if a > 0.0:
            root = max(b * b - a * e, 0.0) ** 0.5
            t = min(t, (-e / (b + root) if b > 0.0 else (root - b) / a) / largest)
    if R.c[BOUNDED] != 0:
        lower, upper = lower_bounds(R), upper_bounds(R)
        for j in range(x.size):
            if q[j] > 0.0:
                t = min(t, (upper[j] - x[j] - s[j]) / q[j])
            elif q[j] < 0.0:
                t = min(t, (lower[j] - x[j] - s[j]) / q[j])
    return max(t, 0.0)


@kernel
def _onto(x, s, lower, upper):
    """x + s; on the bound where it is meant to be."""
    t = x + s
    if s < 0.0 and -_INF < lower and t - lower <= 4.0 * EPS * max(abs(lower), abs(x)):
        return lower
    if s > 0.0 and upper < _INF and upper - t <= 4.0 * EPS * max(abs(upper), abs(x)):
        return upper
    return t


@kernel
def _gauss_newton(R, T, fixed, count, out):
    """p_N of (1) for the free variables, beside the step ``fixed`` of the others; the shortest if J is deficient.

    Sets the entries of ``out`` for the free variables; ``fixed`` is zero there.
    """
    free, perm, z, A = vector(R, FREE), vector(R, PERM), vector(R, COLUMNS), matrix(R, 2)
    rank = factor(T, fixed.size, fixed, free, count, A, perm)
    d, largest, w = vector(R, SCALE + R.c[PARITY]), 0.0, count + 1
    for a in range(rank):
        j = int(perm[a])
        largest = max(largest, abs(A[a * w + a]) / d[j])
        if abs(A[a * w + a]) / d[j] <= _DEPENDENT * largest:
            rank = a
            break
    if rank == count or rank == 0:
        undamped_step(A, count, rank, z)
    else:
        damped_step(A, count, (_LEAST * largest) ** 2, d, perm, matrix(R, 3), spare_row(R), z)
    for a in range(count):
        out[int(perm[a])] = z[a]


@kernel
def _still_free(R, x, s, q, count):
    """Leave those variables out of the list that are on the bound that q pushes them to; how many are left."""
    free, lower, upper, kept = vector(R, FREE), lower_bounds(R), upper_bounds(R), 0
    for a in range(count):
        j = int(free[a])
        at_lower = q[j] < 0.0 and _onto(x[j], s[j], lower[j], upper[j]) == lower[j]
        at_upper = q[j] > 0.0 and _onto(x[j], s[j], lower[j], upper[j]) == upper[j]
        if not (at_lower or at_upper):
            free[kept] = free[a]
            kept += 1
    return kept


@kernel
def _path(R, x, g, d, T, newton, radius):
    """Set s, the end of the path (1), which goes on from a bound without the variables that are on it."""
    n, s, q, free, fixed = x.size, vector(R, MOVE), vector(R, SCRATCH), vector(R, FREE), vector(R, SPARE2)
    count = list_free(R, x, g)
    for j in range(n):
        s[j] = q[j] = 0.0
    if _within(R, x, d, s, newton, radius) >= 1.0:
        for j in range(n):
            s[j] = newton[j]
        return
    for a in range(count):
        j = int(free[a])
        q[j] = -g[j] / (d[j] * d[j])
    curvature = square_norm(T, n, q)
    t = -dot(g, q) / curvature if curvature > 0.0 else 1.0
    for j in range(n):
        q[j] *= t
    t = _within(R, x, d, s, q, radius)
    for j in range(n):
        s[j] = t * q[j]
        q[j] = newton[j] - s[j]
    for _ in range(n + 1):
        if _size(R, d, s) >= radius * (1.0 - 1e-10) and R.c[VARIANT] == _DOGLEG:
            return
        t = _within(R, x, d, s, q, radius)
        for j in range(n):
            s[j] += t * q[j]
        if t >= 1.0 or R.c[BOUNDED] == 0:
            return
        kept = _still_free(R, x, s, q, count)
        if kept == count or kept == 0:
            return  # at the end of the region
        count = kept
        for j in range(n):
            fixed[j], q[j] = s[j], 0.0
        for a in range(count):
            fixed[int(free[a])] = 0.0
        _gauss_newton(R, T, fixed, count, q)
        for a in range(count):
            q[int(free[a])] -= s[int(free[a])]


@kernel
def step(R):
    """One iteration: trials until one is taken."""
    c, p = R.c, R.p
    n, f = c[N], p[F]
    x, g = vector(R, X + c[PARITY]), vector(R, G + c[PARITY])
    xt, gt = vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    T0, d = matrix(R, c[PARITY]), vector(R, SCALE + c[PARITY])
    s, newton = vector(R, MOVE), vector(R, SPARE)
    rescale(R, T0, n)
    count = list_free(R, x, g)
    for j in range(n):
        s[j] = newton[j] = 0.0
    _gauss_newton(R, T0, s, count, newton)
    gnorm, free = 0.0, vector(R, FREE)
    for a in range(count):
        gnorm = max(gnorm, abs(g[int(free[a])]))
    if gnorm <= p[LSQ_GTOL] or f == 0.0:
        return GRADIENT_SMALL
    xnorm, radius = dot(x, x) ** 0.5, p[RADIUS]
    if radius < 0.0:
        first = _size(R, d, x)
        radius = p[RADIUS_INITIAL] * first if first > 0.0 else p[RADIUS_INITIAL]
    for _ in range(_TRIALS):
        _path(R, x, g, d, T0, newton, radius)
        predicted = -dot(g, s) - 0.5 * square_norm(T0, n, s)
        met = False
        size, length = _size(R, d, s), dot(s, s) ** 0.5
        for j in range(n):
            xt[j] = x[j] + s[j]
            if c[BOUNDED] != 0:
                lower, upper = lower_bounds(R)[j], upper_bounds(R)[j]
                xt[j] = _onto(x[j], s[j], lower, upper)
                met = met or (s[j] != 0.0 and (xt[j] == lower or xt[j] == upper))
        ft, actual, ratio, taken = judged(R, xt, gt, f, predicted)
        if c[ABORT] != 0:
            return FAILED
        if ratio < 0.25:
            radius = 0.25 * size
        elif ratio > 0.75 and size > 0.95 * radius:
            radius *= 2.0
        p[F_TRIAL] = ft
        if taken:
            p[T], p[RADIUS] = 1.0, radius
        task = verdict(R, f, ft, actual, predicted, ratio, taken, length, xnorm, met)
        if task != TRY:
            return task
    return FAILED


run = make_run(init, step)
