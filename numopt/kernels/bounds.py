r"""Bounds l <= x <= u: projection, the projected gradient, the free variables.

The projected gradient P(x - g) - x, with P the projection onto the bounds, vanishes where x is a first-order point
(Nocedal & Wright, (16.72) and before): it takes the place of the gradient in the convergence tests.  Between bounds
that are hardly farther apart than ``gtol`` it is small wherever x is; before such a run counts as converged, those
variables are measured by |g| times the room that is left over the distance of the bounds.

A variable is *held* where a step along -g would leave the bounds: it is at a bound, or as near to it as the norm
of the projected gradient (but at most a thousandth of the distance of the two bounds), and its g points outward
(Bertsekas 1982, (32)).  Without this nearness a variable about to meet its bound would bend the path of every step
right at its beginning.

References
----------
D. P. Bertsekas, Projected Newton methods for optimization problems with simple constraints, SIAM J. Control Optim. 20
(1982), 221-246.
"""

from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import free_variables, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import BOUNDED, GNORM, GTOL, NORM_ORDER, D, G, X
from numopt.kernels.vectors import norm

# nearer to a bound than this counts as at it, at most; relative to the distance of the bounds, absolute if infinite
_NEAR = 1e-3
_ROUNDING = 1e-10
_NARROW = 100.0  # in gtol: bounds closer than that are looked at more closely


@kernel
def project(x, lower, upper):
    """x = P(x)."""
    for i in range(x.size):
        x[i] = min(max(x[i], lower[i]), upper[i])


@kernel
def all_fixed(R):
    """Whether the bounds leave nothing to vary, where ``c[BOUNDED]``."""
    lower, upper = lower_bounds(R), upper_bounds(R)
    for i in range(lower.size):
        if lower[i] < upper[i]:
            return False
    return True


@kernel
def projected_step(x, g, lower, upper):
    """The component P(x - g) - x, for scalars; NaN if g is."""
    if g < 0.0:
        return min(upper - x, -g)
    return -min(x - lower, g)


@kernel
def _in_narrow_boxes(x, g, lower, upper, width):
    """The largest |g| room / (upper - lower) of the variables with bounds less than ``width`` apart."""
    m = 0.0
    for i in range(x.size):
        apart = upper[i] - lower[i]
        if 0.0 < apart < width:
            m = max(m, abs(g[i]) * ((upper[i] - x[i] if g[i] < 0.0 else x[i] - lower[i]) / apart))
    return m


@reduction
def _norm_inf(x, g, lower, upper):
    m = 0.0
    for i in range(x.size):
        s = projected_step(x[i], g[i], lower[i], upper[i])
        a = abs(s)
        if a > m or a != a:
            m = a
        if g[i] != g[i]:
            return float("nan")
    return m


@kernel
def projected_norm(x, g, lower, upper, order):
    """The norm of P(x - g) - x."""
    if order == float("inf"):
        return _norm_inf(x, g, lower, upper)
    if order == float("-inf"):
        m = float("inf")
        for i in range(x.size):
            m = min(m, abs(projected_step(x[i], g[i], lower[i], upper[i])))
        return m
    s = 0.0
    for i in range(x.size):
        s += abs(projected_step(x[i], g[i], lower[i], upper[i])) ** order
    return s ** (1.0 / order)


@kernel
def optimality(R, k):
    """What the first convergence test looks at, in buffer k (0 or 1): the norm of the (projected) gradient."""
    g, order = vector(R, G + k), R.p[NORM_ORDER]
    if R.c[BOUNDED] == 0:
        return norm(g, order)
    x, lower, upper, gtol = vector(R, X + k), lower_bounds(R), upper_bounds(R), R.p[GTOL]
    gnorm = projected_norm(x, g, lower, upper, order)
    if gnorm <= gtol:
        gnorm = max(gnorm, _in_narrow_boxes(x, g, lower, upper, _NARROW * gtol))
    return gnorm


@kernel
def held(x, g, lower, upper, eps):
    """Whether a variable is held, see the module's head."""
    near = min(eps, _NEAR * min(upper - lower, 1.0))
    return (g > 0.0 and x <= lower + near) or (g < 0.0 and x >= upper - near)


@kernel
def find_free(R, k):
    """Set the free variables (1 free, 0 held) of the point in buffer k; whether that changed any."""
    x, g, free = vector(R, X + k), vector(R, G + k), free_variables(R)
    lower, upper, eps = lower_bounds(R), upper_bounds(R), R.p[GNORM]
    changed = False
    for i in range(x.size):
        now = 0.0 if held(x[i], g[i], lower[i], upper[i], eps) else 1.0
        changed = changed or now != free[i]
        free[i] = now
    return changed


@kernel
def to_bound(x, g, lower, upper):
    """The step that takes a held variable onto its bound."""
    return lower - x if g > 0.0 else upper - x


@reduction
def _descent(x, g, free, lower, upper, d):
    s = 0.0
    for i in range(x.size):
        d[i] = -g[i] if free[i] != 0.0 else to_bound(x[i], g[i], lower[i], upper[i])
        s -= d[i] * g[i]
    return s


@kernel
def bounded_descent(R, k):
    """d = -g for free variables, the step to the bound for held ones, at the point in buffer k; returns -g'd."""
    x, g = vector(R, X + k), vector(R, G + k)
    return _descent(x, g, free_variables(R), lower_bounds(R), upper_bounds(R), vector(R, D))


@kernel
def _beyond(x, step, lower, upper):
    """Whether the path has bent before x + step; where it just reaches the bound, rounding has no say."""
    slack = _ROUNDING * abs(step)
    return x + step < lower - slack or x + step > upper + slack


@kernel
def step_within(x, t, d, lower, upper, out):
    """out = P(x + t d); whether the path P(x + t d) has bent on its way."""
    bent = False
    for i in range(x.size):
        bent = bent or _beyond(x[i], t * d[i], lower[i], upper[i])
        out[i] = min(max(x[i] + t * d[i], lower[i]), upper[i])
    return bent


@reduction
def slope_within(x, t, gt, d, lower, upper):
    """The slope of f at the end of the path P(x + t d), from the left: what has met its bound before moves no more."""
    s = 0.0
    for i in range(x.size):
        s += 0.0 if _beyond(x[i], t * d[i], lower[i], upper[i]) else gt[i] * d[i]
    return s
