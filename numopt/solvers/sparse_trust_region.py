r"""Inexact trust region on the Gauss-Newton model, through products with the Jacobian alone, with bounds.

With the residuals r, their Jacobian J, a diagonal scaling D and the step p = D^-1 s,

.. math::

    s \approx \arg\min q(s), \quad q(s) = \tfrac12 |J D^{-1} s + r|^2 - \tfrac12 |r|^2,
    \quad |s| \le \Delta, \quad l \le x + D^{-1} s \le u                                                   (1)

by LSMR (numopt.kernels.lsmr) until the gradient of q has fallen by eta or the path leaves the region,

.. math::

    \eta_k = \min\{10^{-3},\ 0.9\, (|\nabla f_k| / |\nabla f_{k-1}|)^2\}                                    (2)

A looser first bound saves products, but not evaluations; and with this one no step is so inexact that a test of
convergence would hold for that.

Bounds, as in TRON: the Cauchy step, the projection of -alpha D^-1 g with a decrease of q, tells which variables stay at
their bounds; LSMR continues from there in the others, and a step of it that leaves the box is projected, halved until q
falls, and followed by another one in what is still free.  So whole sets of variables meet or leave their bounds in one
step, and those at a bound are at it exactly.

Convergence, as in scipy's trf: ``max |v_j g_j| < gtol`` with v_j the distance to the bound that -g_j points to, or 1;
the reduction of f is below ftol f, and over a quarter of that of q; ``|p| < xtol (xtol + |x|)``.

Workspace, after the common vectors: D, 1 / D, s, w, v, h, hbar, scaled, out, free (n each).

References
----------
D. C.-L. Fong and M. Saunders, LSMR: an iterative algorithm for sparse least-squares problems, SIAM J. Sci. Comput. 33
(2011), 2950-2971.
T. Steihaug, The conjugate gradient method and trust regions in large scale optimization, SIAM J. Numer. Anal. 20
(1983), 626-637.
C.-J. Lin and J. J. Moré, Newton's method for large bound-constrained optimization problems, SIAM J. Optim. 9 (1999),
1100-1127.
S. C. Eisenstat and H. F. Walker, Choosing the forcing terms in an inexact Newton method, SIAM J. Sci. Comput. 17
(1996), 16-32, choice 2.
"""

from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels import sparse_slots as q
from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.lsmr import path
from numopt.kernels.oracle import evaluate_grad, evaluate_value, lower_bounds, upper_bounds, vector
from numopt.kernels.robust import reals, words
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    BOUNDED,
    F_TRIAL,
    FAILED,
    FLAT,
    FRESH,
    GG,
    GIVEN_SCALE,
    GRADIENT_SMALL,
    LSQ_FTOL,
    LSQ_GTOL,
    LSQ_XTOL,
    N_COMMON,
    NIT,
    PARITY,
    RADIUS,
    RADIUS_INITIAL,
    REDUCTION_SMALL,
    STEP_SMALL,
    F,
    G,
    T,
    X,
)
from numopt.kernels.sparse_products import column_norms, forward
from numopt.kernels.squares_slots import M
from numopt.kernels.vectors import copy, dot

_SCALE, _INVERSE, _S, _W, _V, _H, _HBAR, _SCALED, _OUT, _FREE = (int64(N_COMMON + k) for k in range(10))

EPS = 2.220446049250313e-16
_INF = float("inf")
_TRIALS = 200  # steps in a row that are not taken: each is a half of the one before at most
_ACCEPT = 1e-4  # least share of the predicted reduction
_ROUNDING = 1e-11  # of f: what a step may promise and not keep
_LOOSE, _TIGHT = 1e-3, 1e-6  # accuracies of the steps between which (2) stays
_DECREASE = 0.01  # share of the slope that a projected step must lower q by
_ROUNDS = 50  # of LSMR and projection in one step
_HALVINGS = 40


@kernel
def init(R):
    """The first radius; a restart would not differ."""
    R.c[FRESH] = 1
    if R.c[NIT] == 0:
        R.p[RADIUS], R.p[GG] = -1.0, 0.0


@kernel
def _rescale(R, k, x):
    """Set D, the largest norms of the columns so far or the user's, and 1 / D; returns the norm of D x."""
    d, inverse, norms = vector(R, _SCALE), vector(R, _INVERSE), vector(R, _OUT)
    if R.c[GIVEN_SCALE] == 0:
        column_norms(k, norms)
    total = 0.0
    for j in range(x.size):
        if R.c[GIVEN_SCALE] == 0:
            d[j] = max(d[j], norms[j]) if norms[j] < _INF else d[j]
            d[j] = d[j] if d[j] > 0.0 else 1.0
        inverse[j] = 1.0 / d[j]
        total += (d[j] * x[j]) ** 2
    return total**0.5


@kernel
def _gradients(R, x, g):
    """(what gtol is compared with, norm of D^-1 g in the variables that are not held)."""
    largest, total, bounded, inverse = 0.0, 0.0, R.c[BOUNDED] != 0, vector(R, _INVERSE)
    lower, upper = lower_bounds(R), upper_bounds(R)
    for j in range(x.size):
        v = 1.0
        if bounded:
            room = upper[j] - x[j] if g[j] < 0.0 else x[j] - lower[j]
            v = room if room < _INF else 1.0
        largest = max(largest, v * abs(g[j]))
        if v > 0.0:
            total += (inverse[j] * g[j]) ** 2
    return largest, total**0.5


@kernel
def _image(k, inverse, y, scaled, u):
    """u = J D^-1 y; returns u'u."""
    for j in range(y.size):
        scaled[j] = inverse[j] * y[j]
    return forward(k, scaled, 0.0, u)


@reduction
def _project(bounded, x, s, a, w, d, lower, upper, change):
    """change = P(s + a w) - s, in the scaled variables; whether P changes anything."""
    bent = False
    for j in range(x.size):
        t = s[j] + a * w[j]
        if bounded:
            low, high = (lower[j] - x[j]) * d[j], (upper[j] - x[j]) * d[j]
            if t < low:
                t, bent = low, True
            elif t > high:
                t, bent = high, True
        change[j] = t - s[j]
    return bent


@kernel
def _cauchy(R, k, x, g, radius, steep, left, u):
    """Set s to the Cauchy step and ``left`` to r + J D^-1 s; returns q(s)."""
    d, inverse, s = vector(R, _SCALE), vector(R, _INVERSE), vector(R, _S)
    w, v, scaled = vector(R, _W), vector(R, _V), vector(R, _SCALED)
    lower, upper = lower_bounds(R), upper_bounds(R)
    for j in range(x.size):
        held = (x[j] <= lower[j] and g[j] > 0.0) or (x[j] >= upper[j] and g[j] < 0.0)
        w[j] = 0.0 if held else -inverse[j] * g[j]
        s[j] = 0.0
    curvature = _image(k, inverse, w, scaled, u)
    a = radius / steep
    if curvature > 0.0:
        a = min(a, steep * steep / curvature)
    for _ in range(_HALVINGS):
        _project(True, x, s, a, w, d, lower, upper, v)
        slope = 0.0
        for j in range(x.size):
            slope += inverse[j] * g[j] * v[j]
        value = slope + 0.5 * _image(k, inverse, v, scaled, u)
        if value <= _DECREASE * slope:
            break
        a *= 0.25
    copy(v, s)
    for i in range(u.size):
        left[i] += u[i]
    return value


@kernel
def _find_step(R, k, x, g, radius, steep, eta):
    """Set s by (1): (whether it ended on the boundary of the region, q(s))."""
    m, bounded = k[M], R.c[BOUNDED] != 0
    r, left, u = reals(k[q.WEIGHTS] + 8 * m, m), reals(k[q.LEFT], m), reals(k[q.U], m)
    d, inverse, s, w = vector(R, _SCALE), vector(R, _INVERSE), vector(R, _S), vector(R, _W)
    v, scaled, free = vector(R, _V), vector(R, _SCALED), vector(R, _FREE)
    lower, upper, damping = lower_bounds(R), upper_bounds(R), reals(k[q.ACCURACY], 2)[1]
    value, on_boundary = 0.0, False
    copy(r, left)
    for j in range(x.size):
        s[j], free[j] = 0.0, 1.0
    if bounded:
        value = _cauchy(R, k, x, g, radius, steep, left, u)
    for _ in range(_ROUNDS):
        if bounded:
            for j in range(x.size):
                inside = (lower[j] - x[j]) * d[j] < s[j] < (upper[j] - x[j]) * d[j]
                free[j] = 1.0 if inside else 0.0
        on_boundary = path(
            k, inverse, free, s, left, radius, eta * steep, k[q.MAX_PRODUCTS], damping, w, v, vector(R, _H),
            vector(R, _HBAR), scaled, vector(R, _OUT), u,
        )  # fmt: skip
        if R.c[ABORT] != 0 or dot(w, w) == 0.0:
            break
        a, bent, fallen, slope, curvature = 1.0, False, False, 0.0, 0.0
        for _ in range(_HALVINGS):
            bent = _project(bounded, x, s, a, w, d, lower, upper, v)
            curvature = _image(k, inverse, v, scaled, u)
            slope = dot(left, u)
            fallen = slope < 0.0 and slope + 0.5 * curvature <= _DECREASE * slope
            if fallen or R.c[ABORT] != 0:
                break
            a *= 0.5
        if not fallen:
            break
        value += slope + 0.5 * curvature
        for j in range(x.size):
            s[j] += v[j]
        if not bent and a == 1.0:
            break
        for i in range(m):
            left[i] += u[i]
        if dot(s, s) >= 0.998 * radius * radius:
            on_boundary = True
            break
    return on_boundary, value


@kernel
def _set_trial(R, x, xt):
    """xt = x + D^-1 s, on a bound where s ends at it; (norm of the step, of x, of s)."""
    s, d, inverse, bounded = vector(R, _S), vector(R, _SCALE), vector(R, _INVERSE), R.c[BOUNDED] != 0
    lower, upper = lower_bounds(R), upper_bounds(R)
    moved, size, length = 0.0, 0.0, 0.0
    for j in range(x.size):
        t = x[j] + inverse[j] * s[j]
        if bounded:
            t = min(max(t, lower[j]), upper[j])
            if s[j] < 0.0 and s[j] <= (lower[j] - x[j]) * d[j]:
                t = lower[j]  # an ulp beside it, it would not be held there
            elif s[j] > 0.0 and s[j] >= (upper[j] - x[j]) * d[j]:
                t = upper[j]
        moved += (t - x[j]) ** 2
        size += x[j] * x[j]
        length += s[j] * s[j]
        xt[j] = t
    return moved**0.5, size**0.5, length**0.5


@kernel
def _next_radius(radius, length, ratio, actual, slope, on_boundary, finite):
    """Moré's rule."""
    if not finite:
        return 0.1 * min(radius, 10.0 * length)
    if ratio <= 0.25:
        shrink = 0.5 * slope / (slope + actual) if actual < 0.0 else 0.5
        return max(shrink, 0.1) * min(radius, 10.0 * length)
    if ratio >= 0.75 or not on_boundary:
        return 2.0 * length
    return radius


@kernel
def step(R):
    """One iteration: trials until one is taken."""
    c, p = R.c, R.p
    k = words(R.data, q.N_SPARSE_WORDS)
    x, g = vector(R, X + c[PARITY]), vector(R, G + c[PARITY])
    xt, gt = vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    f, radius = p[F], p[RADIUS]
    xnorm = _rescale(R, k, x)
    steepest, steep = _gradients(R, x, g)
    if steepest < p[LSQ_GTOL] or steep == 0.0:
        return GRADIENT_SMALL
    if radius < 0.0:
        radius = p[RADIUS_INITIAL] * xnorm if xnorm > 0.0 else p[RADIUS_INITIAL]
    eta = reals(k[q.ACCURACY], 2)[0]
    if eta == 0.0:
        eta = max(min(_LOOSE, 0.9 * (steep / p[GG]) ** 2), _TIGHT) if p[GG] > 0.0 else _LOOSE  # (2)
    ftol, xtol = p[LSQ_FTOL], p[LSQ_XTOL]
    for _ in range(_TRIALS):
        on_boundary, value = _find_step(R, k, x, g, radius, steep, eta)
        moved, size, length = _set_trial(R, x, xt)
        short = moved < xtol * (xtol + size)
        if c[ABORT] != 0:
            return FAILED
        ft = evaluate_value(R, xt, gt)
        if c[ABORT] != 0:
            return FAILED
        actual, predicted, finite = f - ft, -value, abs(ft) < _INF
        ratio = actual / predicted if predicted > 0.0 and finite else -1.0
        slope = 0.0
        for j in range(x.size):
            slope += g[j] * (xt[j] - x[j])
        taken = ratio >= _ACCEPT
        if taken:
            if not evaluate_grad(R, xt, gt) or c[ABORT] != 0:
                return FAILED
            for j in range(x.size):
                taken = taken and abs(gt[j]) < _INF
            if not taken:
                ft, finite = _INF, False
                if not evaluate_grad(R, x, g) or c[ABORT] != 0:  # the Jacobian here has been overwritten
                    return FAILED
        p[F_TRIAL] = ft
        small = taken and actual < ftol * f and ratio > 0.25
        radius = _next_radius(radius, length, ratio if finite else -1.0, actual, slope, on_boundary, finite)
        if taken:
            p[T], p[RADIUS], p[GG] = 1.0, radius, steep
            return REDUCTION_SMALL if small else STEP_SMALL if short else ACCEPT
        # at the end rounding decides: where the whole step promises next to nothing, that is the end
        if finite and not on_boundary and abs(actual) <= ftol * f and predicted <= ftol * f:
            return REDUCTION_SMALL
        if short:
            # so short a step fails for rounding where it promises next to nothing, else for a wrong Jacobian
            return STEP_SMALL if predicted <= _ROUNDING * f and finite else FAILED
        if predicted <= EPS * f:
            return FLAT
    return FAILED


run = make_run(init, step)
