r"""Nonlinear conjugate gradient.

.. math:: d = -g + \beta d_-, \qquad x^+ = x + t d

with y = g - g_- and

===  ====================  ===================================================
0    Fletcher-Reeves       :math:`g^T g / g_-^T g_-`                      (5.41)
1    Polak-Ribière+        :math:`\max(0, g^T y / g_-^T g_-)`             (5.45)
2    Hestenes-Stiefel+     :math:`\max(0, g^T y / d_-^T y)`               (5.46)
3    Dai-Yuan              :math:`g^T g / d_-^T y`                        (5.49)
4    Hager-Zhang           :math:`(y - 2 d_- y^T y / d_-^T y)^T g / d_-^T y`   [HZ]_ (1.3), (1.6)
===  ====================  ===================================================

Restarts with d = -g where d is no descent direction to speak of, where consecutive gradients are far from
orthogonal (Powell's test, (5.52), for the formulas that don't forget by themselves), and every
``restart_every`` iterations if asked for.

With bounds g and d are those of the free variables (numopt.kernels.bounds), found anew in each iteration, and the line
search follows the projected path P(x + t d).

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 5.2.
.. [HZ] W. W. Hager and H. Zhang, A new conjugate gradient method with guaranteed descent and an efficient line
   search, SIAM J. Optim. 16 (2005), 170-192.
"""

from numopt.drivers.loop import make_run
from numopt.kernels.bounds import bounded_descent, find_free, to_bound
from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import free_variables, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ACCEPT,
    BOUNDED,
    F_PREV,
    FRESH,
    GG,
    PARITY,
    RESTART_EVERY,
    SLOPE,
    STEP_INITIAL,
    UPDATES,
    VARIANT,
    D,
    F,
    G,
    X,
)
from numopt.kernels.vectors import combine_dots, gradient_dots, steepest_descent
from numopt.linesearch.search import search

_FLETCHER_REEVES, _POLAK_RIBIERE, _HESTENES_STIEFEL, _DAI_YUAN, _HAGER_ZHANG = range(5)

# Powell: restart where |g'g_-| >= nu g'g
_NU = 0.2
# Least cosine of the angle between d and -g; below it d is as good as orthogonal.
_COSINE = 1e-4
_ETA = 0.01  # of the bound on beta in [HZ] (1.5)


@kernel
def fletcher_reeves(gg, gg0, gy, dy, yy, dg, dd):
    """(5.41)."""
    return gg / gg0


@kernel
def polak_ribiere(gg, gg0, gy, dy, yy, dg, dd):
    """(5.45)."""
    return max(0.0, gy / gg0)


@kernel
def hestenes_stiefel(gg, gg0, gy, dy, yy, dg, dd):
    """(5.46), cut at 0."""
    return max(0.0, gy / dy)


@kernel
def dai_yuan(gg, gg0, gy, dy, yy, dg, dd):
    """(5.49)."""
    return gg / dy


@kernel
def hager_zhang(gg, gg0, gy, dy, yy, dg, dd):
    """[HZ] (1.6), with the lower bound (1.5)."""
    least = -1.0 / ((dd * min(_ETA**2, gg0)) ** 0.5)
    return max((gy - 2.0 * yy * dg / dy) / dy, least)


@kernel
def _beta(variant, gg, gg0, gy, dy, yy, dg, dd):
    if variant == _FLETCHER_REEVES:
        return fletcher_reeves(gg, gg0, gy, dy, yy, dg, dd)
    if variant == _POLAK_RIBIERE:
        return polak_ribiere(gg, gg0, gy, dy, yy, dg, dd)
    if variant == _HESTENES_STIEFEL:
        return hestenes_stiefel(gg, gg0, gy, dy, yy, dg, dd)
    if variant == _DAI_YUAN:
        return dai_yuan(gg, gg0, gy, dy, yy, dg, dd)
    return hager_zhang(gg, gg0, gy, dy, yy, dg, dd)


@kernel
def powell_restart(ggp, gg):
    """|g'g_-| >= nu g'g, (5.52)."""
    return abs(ggp) >= _NU * gg


@kernel
def descent_ok(slope, gg, dd):
    """-d'g >= cos |d| |g|."""
    return -slope >= _COSINE * (gg * dd) ** 0.5


@kernel
def init(R):
    """The next direction is steepest descent."""
    R.c[FRESH], R.c[UPDATES] = 1, 0


@reduction
def _free_dots(g, gp, d, free):
    """(g'g, g'gp, gp'gp, g'd, d'(g - gp), d'd) over the free variables; zeroes d elsewhere."""
    a, b, c, e, h, r = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(g.size):
        gi, gpi, di = free[i] * g[i], free[i] * gp[i], free[i] * d[i]
        d[i] = di
        a += gi * gi
        b += gi * gpi
        c += gpi * gpi
        e += gi * di
        h += (gi - gpi) * di
        r += di * di
    return a, b, c, e, h, r


@kernel
def _free_direction(R, g, beta, d):
    """d = -g + beta d for the free variables, the step to their bounds for the others; returns (g'd, d'd)."""
    x, free, lower, upper = vector(R, X + 1 - R.c[PARITY]), free_variables(R), lower_bounds(R), upper_bounds(R)
    s, r = 0.0, 0.0
    for i in range(g.size):
        d[i] = beta * d[i] - g[i] if free[i] != 0.0 else to_bound(x[i], g[i], lower[i], upper[i])
        s += g[i] * d[i]
        r += d[i] * d[i]
    return s, r


@kernel
def _steepest_descent(R, k):
    """d = -g with the gradient in buffer k, within the bounds if there are any.  Sets GG and SLOPE."""
    p = R.p
    if R.c[BOUNDED] != 0:
        p[GG] = bounded_descent(R, k)
    else:
        p[GG] = steepest_descent(vector(R, G + k), vector(R, D))
    p[SLOPE] = -p[GG]


@kernel
def _next_direction(R):
    """d = -g + beta d with the new gradient; steepest descent where that would not do.  Sets GG and SLOPE."""
    c, p = R.c, R.p
    g, gp, d = vector(R, G + 1 - c[PARITY]), vector(R, G + c[PARITY]), vector(R, D)
    if c[BOUNDED] != 0:
        find_free(R, 1 - c[PARITY])
        gg, ggp, gg0, dg, dy, dd = _free_dots(g, gp, d, free_variables(R))
    else:
        gg, ggp, dg, dd = gradient_dots(g, gp, d)
        gg0, dy = p[GG], dg - p[SLOPE]
    p[GG] = gg
    forgets = c[VARIANT] != _FLETCHER_REEVES and c[VARIANT] != _DAI_YUAN
    due = c[RESTART_EVERY] > 0 and c[UPDATES] % c[RESTART_EVERY] == 0
    if not (due or not dy > 0.0 or (not forgets and powell_restart(ggp, gg))):
        beta = _beta(c[VARIANT], gg, gg0, gg - ggp, dy, gg - 2.0 * ggp + gg0, dg, dd)
        if c[BOUNDED] != 0:
            p[SLOPE], dd = _free_direction(R, g, beta, d)
        else:
            p[SLOPE], dd = combine_dots(-1.0, g, beta, d)
        if descent_ok(p[SLOPE], gg, dd):
            return
    _steepest_descent(R, 1 - c[PARITY])


@kernel
def step(R):
    """One iteration: along d, then the next d."""
    c, p = R.c, R.p
    if c[UPDATES] == 0:
        if c[BOUNDED] != 0:
            find_free(R, c[PARITY])
        _steepest_descent(R, c[PARITY])
        t0 = p[STEP_INITIAL] if p[STEP_INITIAL] > 0.0 else 1.0 / p[GG] ** 0.5
    else:
        # expect the same decrease as in the last iteration, (3.60)
        t0 = 1.01 * 2.0 * (p[F] - p[F_PREV]) / p[SLOPE]
    task = search(R, t0)
    if task == ACCEPT:
        c[UPDATES] += 1
        c[FRESH] = 0
        _next_direction(R)
    return task


run = make_run(init, step)
