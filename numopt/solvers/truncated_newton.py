r"""Truncated Newton methods: conjugate gradient on H d = -g, which needs no more of H than its products with vectors.

===  ==================  ==========================================================================================
0    trust region        CG cut off at the boundary |d| = Delta and at negative curvature (Steihaug; algorithm 7.2)
1    line search         CG (algorithm 7.1), then a line search; CG's last step goes along the first v whose curvature
                         is negative, as far as to the minimum that there were with the sign of the curvature changed
===  ==================  ==========================================================================================

CG stops where the residual |H d + g| <= min(1/2, |g|^(1/2)) |g|, which makes convergence superlinear (7.3); the norm is
the 2-norm with the trust region, the 1-norm with the line search, as in scipy.  A line search ends where d is short
(``xtol``): so there CG goes on to a hundredth of that residual, as a d cut off may be short far from a solution.

The products come from ``hessp``, from differences of the gradient along v, or from the Hessian, evaluated once an
iteration, where that is given.

With the trust region rho = (f(x) - f(x + d)) / (m(0) - m(d)) decides of the step and of the radius (algorithm 4.1); the
radius shrinks until a step is taken.

Workspace, after the common vectors: r, v, hv, (n each); H (n x n) only where c[DENSE].

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 7.1.
T. Steihaug, The conjugate gradient method and trust regions in large scale optimization, SIAM J. Numer. Anal. 20
(1983), 626-637.
"""

from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import evaluate_hess, vector
from numopt.kernels.slots import (
    ABORT,
    DENSE,
    F_PREV,
    FAILED,
    FRESH,
    N_COMMON,
    NIT,
    PARITY,
    RADIUS,
    RADIUS_INITIAL,
    SLOPE,
    STEP_SMALL,
    VARIANT,
    XTOL_ABS,
    D,
    F,
    G,
    N,
    X,
)
from numopt.kernels.stopping import EPS
from numopt.kernels.trust import RETRY, SHRINKS, attempt, product, to_boundary
from numopt.kernels.vectors import combine, copy, dot, norm, scale, steepest_descent, step_to
from numopt.linesearch.search import search

_TRUST_REGION, _LINE_SEARCH = range(2)
_R, _V, _HV = int64(N_COMMON), int64(N_COMMON + 1), int64(N_COMMON + 2)
_H = int64(N_COMMON + 3)

_FLOOR = 3.0 * EPS  # v'Hv below this is rounding, as in scipy
_SURE = 0.01  # of the usual residual, for a step that is to end the run


@kernel
def init(R):
    """A restart would not differ, but for the radius."""
    R.c[FRESH] = 1
    if R.c[NIT] == 0:
        R.p[RADIUS] = R.p[RADIUS_INITIAL]


@kernel
def _steihaug(R, x, g, radius, d):
    """Algorithm 7.2.  Whether d reaches the boundary."""
    r, v, hv = vector(R, _R), vector(R, _V), vector(R, _HV)
    gnorm = dot(g, g) ** 0.5
    tol = min(0.5, gnorm**0.5) * gnorm
    scale(0.0, g, d)
    copy(g, r)
    scale(-1.0, g, v)
    rr = gnorm * gnorm
    for _ in range(2 * g.size + 10):
        curvature = product(R, x, v, hv, _H)
        if R.c[ABORT] != 0:
            return False
        if not curvature > 0.0:
            step_to(d, to_boundary(d, v, radius), v, d)
            return True
        alpha = rr / curvature
        if dot(d, d) + 2.0 * alpha * dot(d, v) + alpha * alpha * dot(v, v) >= radius * radius:
            step_to(d, to_boundary(d, v, radius), v, d)
            return True
        step_to(d, alpha, v, d)
        step_to(r, alpha, hv, r)
        new = dot(r, r)
        if new**0.5 <= tol:
            break
        combine(-1.0, r, new / rr, v, v)
        rr = new
    return False


@kernel
def _truncated(R, x, g, d):
    """Algorithm 7.1: d, a descent direction whatever H is.  False where no step is left to take."""
    r, v, hv = vector(R, _R), vector(R, _V), vector(R, _HV)
    size, short = norm(g, 1.0), R.p[XTOL_ABS] * g.size
    tol = min(0.5, size**0.5) * size
    scale(0.0, g, d)
    copy(g, r)
    scale(-1.0, g, v)
    rr = dot(r, r)
    for j in range(20 * g.size):
        rest = norm(r, 1.0)
        if rest <= tol and (norm(d, 1.0) > short or rest <= _SURE * tol):
            return True
        curvature = product(R, x, v, hv, _H)
        if R.c[ABORT] != 0:
            return True
        if abs(curvature) <= _FLOOR and j > 0:
            return True  # no more than rounding
        if not curvature > _FLOOR * dot(v, v):
            if curvature < -_FLOOR * dot(v, v):
                # along v to where the model would be lowest, were the curvature of the other sign
                step_to(d, rr / -curvature, v, d)
            elif j == 0:
                copy(v, d)
            return True
        alpha = rr / curvature
        if j == 0 and curvature <= _FLOOR and alpha * size <= short:
            return False
        step_to(d, alpha, v, d)
        step_to(r, alpha, hv, r)
        new = dot(r, r)
        combine(-1.0, r, new / rr, v, v)
        rr = new
    return True


@kernel
def _trust_region(R):
    c, p = R.c, R.p
    x, g, d = vector(R, X + c[PARITY]), vector(R, G + c[PARITY]), vector(R, D)
    radius, task = p[RADIUS], RETRY
    for _ in range(SHRINKS):
        on_boundary = _steihaug(R, x, g, radius, d)
        if c[ABORT] != 0:
            return FAILED
        curvature = product(R, x, d, vector(R, _HV), _H)
        if c[ABORT] != 0:
            return FAILED
        radius, task = attempt(R, d, curvature, on_boundary, radius)
        if task != RETRY:
            break
    return task if task != RETRY else FAILED


@kernel
def _line_search(R):
    c, p = R.c, R.p
    g, d = vector(R, G + c[PARITY]), vector(R, D)
    goes_on = _truncated(R, vector(R, X + c[PARITY]), g, d)
    if c[ABORT] != 0:
        return FAILED
    if not goes_on:
        return STEP_SMALL
    p[SLOPE] = dot(g, d)
    if not (p[SLOPE] < 0.0 and p[SLOPE] > -float("inf")):
        # products of no use, NaN or zero: steepest descent
        p[SLOPE] = -steepest_descent(g, d)
    t0 = 1.0
    if c[NIT] > 0:
        t0 = min(1.0, 1.01 * 2.0 * (p[F] - p[F_PREV]) / p[SLOPE])  # (3.60)
    return search(R, t0)


@kernel
def step(R):
    """One iteration."""
    c = R.c
    if c[DENSE] != 0:
        n = c[N]
        evaluate_hess(R, vector(R, X + c[PARITY]), R.w[_H * n : (_H + n) * n])
        if c[ABORT] != 0:
            return FAILED
    if c[VARIANT] == _LINE_SEARCH:
        return _line_search(R)
    return _trust_region(R)


run = make_run(init, step)
