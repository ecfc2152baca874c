r"""BFGS: a dense approximation H of the inverse Hessian.

.. math::

    d = -H g, \qquad x^+ = x + t d, \qquad s = x^+ - x, \quad y = g^+ - g, \quad \rho = 1/y^T s,

    H^+ = (I - \rho s y^T) H (I - \rho y s^T) + \rho s s^T  \qquad (6.17)

Before the first update H is set to (y's / y'y) I, (6.20).  The update is left out where y's is too small for
it to keep H positive definite to working precision.

With bounds d minimises the model g'd + d'H^-1 d / 2 over the free variables, while the held ones A
(numopt.kernels.bounds) go to their bounds, by steps delta:

.. math:: d = -H (g + E_A \lambda), \qquad H_{AA} \lambda = -(H g)_A - \delta

and the line search follows the projected path P(x + t d).

Workspace, after the common vectors: ``hy`` (n), H (n x n, flat, both triangles); with bounds another n x n for the
factor of H_AA.

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 6.1.
"""

from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.bounds import bounded_descent, find_free, to_bound
from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.dense import cholesky, solve_cholesky
from numopt.kernels.oracle import free_variables, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ACCEPT,
    BOUNDED,
    CURVATURE_MIN,
    FRESH,
    G_LOW,
    GIVEN_H,
    N_COMMON,
    NIT,
    PAIRS,
    PARITY,
    RESTARTS,
    SLOPE,
    STEP_INITIAL,
    UPDATES,
    X_LOW,
    D,
    G,
    N,
    T,
    X,
)
from numopt.kernels.vectors import combine, dot, steepest_descent
from numopt.kernels.views import segment
from numopt.linesearch.search import search

_HY = int64(N_COMMON)


@kernel
def init(R):
    """Start from steepest descent, or from the matrix that the user gave."""
    c = R.c
    c[UPDATES] = 1 if c[GIVEN_H] != 0 and c[NIT] == 0 and c[RESTARTS] == 0 else 0
    c[FRESH] = 1 - c[UPDATES]


@kernel
def curvature_ok(ys, ss, yy, least):
    """y's > least |y| |s|: the update keeps H positive definite to working precision."""
    return ys > least * (ss * yy) ** 0.5


@reduction
def _times(H, v, out):
    """out = H v; H is symmetric, flat."""
    n = v.size
    for i in range(n):
        s = 0.0
        for j in range(n):
            s += H[i * n + j] * v[j]
        out[i] = s


@reduction
def _direction(H, g, d):
    """d = -H g; returns g'd."""
    n, slope = g.size, 0.0
    for i in range(n):
        s = 0.0
        for j in range(n):
            s += H[i * n + j] * g[j]
        d[i] = -s
        slope -= g[i] * s
    return slope


@reduction
def _differences(t, s, gt, y):
    """s = t s, y = gt - y; returns (y's, y'y, s's)."""
    a, b, c = 0.0, 0.0, 0.0
    for i in range(s.size):
        si, yi = t * s[i], gt[i] - y[i]
        s[i], y[i] = si, yi
        a += yi * si
        b += yi * yi
        c += si * si
    return a, b, c


@kernel
def _update(R, H, s, y, hy, ys):
    """(6.17), multiplied out: H += ((y's + y'Hy) / (y's)^2) s s' - (H y s' + s y'H) / y's."""
    n = s.size
    _times(H, y, hy)
    rho = 1.0 / ys
    # hy becomes u with H+ = H - rho (u s' + s u'), u = Hy - (1 + rho y'Hy)/2 s
    half = 0.5 * (1.0 + rho * dot(y, hy))
    for i in range(n):
        hy[i] = hy[i] - half * s[i]
    for i in range(n):
        a, b = rho * hy[i], rho * s[i]
        for j in range(n):
            H[i * n + j] -= a * s[j] + b * hy[j]


@kernel
def _first_scale(H, n, gamma):
    """H = gamma I."""
    for k in range(n * n):
        H[k] = 0.0
    for i in range(n):
        H[i * n + i] = gamma


@kernel
def _within_bounds(R, H, L, g, d):
    """The direction with the held variables going to their bounds.  False if H_AA is not positive definite."""
    k = R.c[PARITY]
    x, free, n = vector(R, X + k), free_variables(R), R.c[N]
    lower, upper = lower_bounds(R), upper_bounds(R)
    lam, at = vector(R, X_LOW), vector(R, G_LOW)  # scratch: the line search will overwrite them
    _times(H, g, d)
    m = 0
    for i in range(n):
        if free[i] == 0.0:
            at[m] = float(i)
            lam[m] = -d[i] - to_bound(x[i], g[i], lower[i], upper[i])
            m += 1
    for a in range(m):
        for b in range(a + 1):
            L[a * m + b] = H[int(at[a]) * n + int(at[b])]
    if not cholesky(L, L, m, 0.0):
        return False
    solve_cholesky(L, m, lam, lam)
    for i in range(n):
        s = d[i]
        for a in range(m):
            s += H[i * n + int(at[a])] * lam[a]
        d[i] = -s
    for a in range(m):
        i = int(at[a])
        d[i] = to_bound(x[i], g[i], lower[i], upper[i])  # the same but for rounding
    return True


@kernel
def _steepest_descent(R):
    """d = -g, within the bounds if there are any.  Sets SLOPE; returns the first trial step."""
    c, p = R.c, R.p
    if c[BOUNDED] != 0:
        p[SLOPE] = -bounded_descent(R, c[PARITY])
    else:
        p[SLOPE] = -steepest_descent(vector(R, G + c[PARITY]), vector(R, D))
    return 1.0 / (-p[SLOPE]) ** 0.5


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    bounded = c[BOUNDED] != 0
    g, d = vector(R, G + c[PARITY]), vector(R, D)
    n = c[N]
    H = segment(R.w, (_HY + 1) * n, n * n)
    if bounded:
        find_free(R, c[PARITY])
    if c[UPDATES] == 0:
        t0 = _steepest_descent(R)
        if p[STEP_INITIAL] > 0.0:
            t0 = p[STEP_INITIAL]
    else:
        t0, fine = 1.0, True
        if bounded:
            fine = _within_bounds(R, H, segment(R.w, (_HY + 1 + n) * n, n * n), g, d)
            p[SLOPE] = dot(g, d)
        else:
            p[SLOPE] = _direction(H, g, d)
        if not (fine and p[SLOPE] < 0.0):
            # H has lost positive definiteness to rounding
            c[UPDATES], c[FRESH] = 0, 1
            t0 = _steepest_descent(R)
    task = search(R, t0)
    if p[T] == 0.0 or task != ACCEPT:
        return task
    gt, s, y = vector(R, G + 1 - c[PARITY]), d, g
    # d is no longer needed as a direction, g not as a gradient (its buffer takes the next trial): s and y
    # are formed in place
    t = p[T]
    if bounded:  # the path has bent
        combine(1.0, vector(R, X + 1 - c[PARITY]), -1.0, vector(R, X + c[PARITY]), s)
        t = 1.0
    ys, yy, ss = _differences(t, s, gt, y)
    if curvature_ok(ys, ss, yy, p[CURVATURE_MIN]):
        if c[UPDATES] == 0:
            _first_scale(H, n, ys / yy)  # (6.20)
        _update(R, H, s, y, vector(R, _HY), ys)
        c[UPDATES] += 1
        c[PAIRS] += 1
        c[FRESH] = 0
    return ACCEPT


run = make_run(init, step)
