r"""Coordinate descent: f is minimised over one variable at a time.

.. math::

    x \leftarrow x + t e_i, \qquad t \approx -\frac{\partial_i f}{\partial_{ii} f} \;\text{(newton)}
    \quad \text{or} \quad t \approx \arg\min_t f(x + t e_i) \;\text{(line)}

===  ========  ================================================================================================
0    cyclic    i = 1, ..., n in turn
1    random    a new random order in each sweep
2    greedy    the largest |g_i|, with bounds the projected one (Gauss-Southwell); this one asks for gradients
===  ========  ================================================================================================

An iteration is a sweep over all variables; with the greedy order, one variable.  The slope and the curvature along
e_i are central differences of values (2 evaluations), or with ``hess`` its diagonal at the start of the sweep and a
forward difference corrected by it (1); the greedy order has the slope.  A Newton step that is no decrease is cut to a
quarter, up to some times; where the curvature is not positive the line is minimised.  ``update='line'`` minimises along
e_i by Brent's method, from the length of the last step.

It ends, cyclic and random, where a sweep moves no variable by more than xatol and lowers f by no more than fatol:
status SPREAD; greedy, by the norm of the gradient.  NaN counts as +inf.  Variables stay within their bounds.

Textbook's failure case: f = (x1 - x2)^2 + a (x1^2 + x2^2).  The minimum over x1 is at x1 = x2 / (1 + a), so a sweep
multiplies the error by (1 + a)^-2, about 1 - 2 a, where Newton's method needs one step: the smaller a, the more are the
variables tied together and the shorter is each move.  (In the variables x1 - x2 and x1 + x2 one sweep would do.  And
steepest descent is no better: at worst ((k - 1)/(k + 1))^2 = (1 + a)^-2 in f an iteration, with the condition number
k = 1 + 2 / a.)  Sweeps from (1, 0.5) until f <= 1e-12, the same with either update, and what the rate in f, (1 + a)^-4,
says after the first, 1 + ln(f_1 / 1e-12) / (4 ln(1 + a)):

=====  ======  ===========  =================================
a      sweeps  by the rate  evaluations, ``update='newton'``
=====  ======  ===========  =================================
1          11         10.1  67
0.1        65         65.0  391
0.01      562        561.5  3373
0.001    5011       5010.4  30067
=====  ======  ===========  =================================

Workspace, after the common vectors: x within the sweep, the diagonal of the Hessian, the order, the last steps (n
each).  A sweep that is cut off goes on with the variable that it was at.

References
----------
S. J. Wright, Coordinate descent algorithms, Math. Program. 151 (2015), 3-34.
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 9.3.
"""

from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.bounds import projected_step
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import evaluate, evaluate_hess, has_hessian, lower_bounds, upper_bounds, vector
from numopt.kernels.points import advance, clip, keep_if_lower, uniform
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    BOUNDED,
    CHOICE,
    F_BASE,
    F_LOW,
    F_TRIAL,
    FAILED,
    FATOL,
    FLAT,
    FRESH,
    N_COMMON,
    NIT,
    PARITY,
    RANDOM,
    SPREAD_SMALL,
    STAGE,
    T_LOW,
    UNBOUNDED_BELOW,
    VARIANT,
    X_LOW,
    XATOL,
    D,
    F,
    G,
    T,
    X,
)
from numopt.kernels.stopping import EPS
from numopt.kernels.vectors import copy, step_to
from numopt.linesearch.values import interval, line_minimum, phi

_BASE, _DIAGONAL, _ORDER, _STEPS = (int64(N_COMMON + k) for k in range(4))
_CYCLIC, _RANDOM, _GREEDY = range(3)
_NEWTON, _LINE = range(2)
_DIFFERENCE = EPS**0.25  # balances truncation and rounding of the second difference
_LINE_TOL = 1e-3  # relative; the next sweep moves the minimum anyway
_FIRST = 0.1  # first trial of a line minimisation, relative to max(1, |x_i|)
_CUTS, _CUT = 8, 0.25


@kernel
def init(R):
    """No steps yet."""
    c = R.c
    c[FRESH] = 1
    if c[NIT] > 0:
        return
    x, steps, order = vector(R, X + c[PARITY]), vector(R, _STEPS), vector(R, _ORDER)
    for i in range(x.size):
        steps[i], order[i] = _FIRST * max(1.0, abs(x[i])), i
    c[STAGE] = 0


@kernel
def _shuffle(R):
    """A new random order (Fisher and Yates)."""
    c, order = R.c, vector(R, _ORDER)
    state = c[RANDOM]
    for k in range(order.size - 1, 0, -1):
        state = advance(state)
        j = int(uniform(state) * (k + 1))
        order[k], order[j] = order[j], order[k]
    c[RANDOM] = state


@kernel
def _model(R, base, d, i, f, g):
    """(slope, curvature) of phi along e_i = d at 0; ``g`` is the slope, or NaN.  (0, 0) where bounds leave no room."""
    h = _DIFFERENCE * max(1.0, abs(base[i]))
    low, high = interval(R, base, d)
    t1, t2 = (h, -h) if low <= -h and high >= h else (h, 2.0 * h) if high >= 2.0 * h else (-h, -2.0 * h)
    if t2 < low:
        return 0.0, 0.0
    trial = vector(R, X_LOW)
    if has_hessian(R):
        curvature = vector(R, _DIAGONAL)[i]
        if g != g:
            g = (phi(R, base, d, t1, trial) - f) / t1 - 0.5 * curvature * t1
        return g, curvature
    s1 = (phi(R, base, d, t1, trial) - f) / t1
    if g == g or R.c[ABORT] != 0:
        return g, 2.0 * (s1 - g) / t1
    s2 = (phi(R, base, d, t2, trial) - f) / t2
    curvature = 2.0 * (s1 - s2) / (t1 - t2)
    return s1 - 0.5 * curvature * t1, curvature


@kernel
def _minimise(R, base, d, i, f, g):
    """Sets d = e_i or -e_i, p[T_LOW] and p[F_LOW] to a lower point along it (0 and f where none is found)."""
    c, p = R.c, R.p
    trial, steps = vector(R, X_LOW), vector(R, _STEPS)
    for j in range(d.size):
        d[j] = 0.0
    d[i] = 1.0
    p[T_LOW], p[F_LOW] = 0.0, f
    slope, curvature = g, -1.0
    if c[CHOICE] == _NEWTON:
        slope, curvature = _model(R, base, d, i, f, g)
        if c[ABORT] != 0:
            return
    if curvature > 0.0 and abs(slope) < float("inf"):
        low, high = interval(R, base, d)
        t = min(max(-slope / curvature, low), high)
        for _ in range(_CUTS):
            if base[i] + t == base[i] or phi(R, base, d, t, trial) < f or c[ABORT] != 0:
                return
            t *= _CUT
        return
    known, fk = p[T_LOW], p[F_LOW]
    if slope > 0.0:
        d[i], known = -1.0, -known  # downhill
    line_minimum(R, base, d, f, steps[i], _LINE_TOL, trial)
    if fk < p[F_LOW]:
        p[T_LOW], p[F_LOW] = known, fk
    if c[ABORT] == 0:
        # no shorter than differences can tell, lest a variable that is at its minimum for now stays there
        steps[i] = max(abs(p[T_LOW]), _DIFFERENCE * max(1.0, abs(base[i])))


@kernel
def _sweep(R):
    """One iteration of the orders cyclic and random."""
    c, p = R.c, R.p
    x, base, d, order = vector(R, X + c[PARITY]), vector(R, _BASE), vector(R, D), vector(R, _ORDER)
    if c[STAGE] == 0:
        if has_hessian(R):
            evaluate_hess(R, x, vector(R, _DIAGONAL))
            if c[ABORT] != 0:
                return FAILED
        if c[VARIANT] == _RANDOM:
            _shuffle(R)
        copy(x, base)
        p[F_BASE], c[STAGE] = p[F], 1
    for k in range(c[STAGE] - 1, x.size):
        f = p[F_BASE]
        _minimise(R, base, d, int(order[k]), f, float("nan"))
        if c[ABORT] != 0:
            keep_if_lower(R, f, base)
            trial = vector(R, X_LOW)
            step_to(base, p[T_LOW], d, trial)
            clip(R, trial)
            keep_if_lower(R, p[F_LOW], trial)
            return FAILED
        step_to(base, p[T_LOW], d, base)
        clip(R, base)
        p[F_BASE], c[STAGE] = p[F_LOW], k + 2
    c[STAGE], p[F_TRIAL] = 0, p[F_BASE]
    if not p[F_TRIAL] < float("inf"):
        return FAILED  # no point has a value
    moved = 0.0
    for i in range(x.size):
        moved = max(moved, abs(base[i] - x[i]))
    copy(base, vector(R, X + 1 - c[PARITY]))
    p[T] = max(moved, 1e-300)
    if p[F_TRIAL] > float("-inf") and moved <= p[XATOL] and p[F] - p[F_TRIAL] <= p[FATOL]:
        return SPREAD_SMALL
    return ACCEPT


@kernel
def _steepest(R):
    """The variable with the largest component of the (projected) gradient; -1 if there is none."""
    c = R.c
    x, g = vector(R, X + c[PARITY]), vector(R, G + c[PARITY])
    low, high = lower_bounds(R), upper_bounds(R)
    best, found = 0.0, -1
    for i in range(x.size):
        size = abs(g[i]) if c[BOUNDED] == 0 else abs(projected_step(x[i], g[i], low[i], high[i]))
        if size > best:
            best, found = size, i
    return found


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    if c[VARIANT] != _GREEDY:
        return _sweep(R)
    x, d = vector(R, X + c[PARITY]), vector(R, D)
    xt, gt = vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    i = _steepest(R)
    if i < 0:
        return SPREAD_SMALL  # nothing moves: the slopes left point out of the bounds
    if has_hessian(R):
        evaluate_hess(R, x, vector(R, _DIAGONAL))
        if c[ABORT] != 0:
            return FAILED
    g = vector(R, G + c[PARITY])[i]
    _minimise(R, x, d, i, p[F], g)
    if c[ABORT] != 0:
        if p[F_LOW] < p[F]:
            # the lowest point there is, but for its gradient
            step_to(x, p[T_LOW], d, xt)
            clip(R, xt)
            p[F_TRIAL], p[T] = p[F_LOW], 1.0
            for k in range(gt.size):
                gt[k] = float("nan")
        return FAILED
    if p[T_LOW] == 0.0:
        return FLAT if abs(g) * vector(R, _STEPS)[i] <= 10.0 * EPS * abs(p[F]) or c[CHOICE] == _NEWTON else FAILED
    step_to(x, p[T_LOW], d, xt)
    clip(R, xt)
    if p[F_LOW] == float("-inf"):
        p[F_TRIAL], p[T] = p[F_LOW], 1.0
        return UNBOUNDED_BELOW
    f = evaluate(R, xt, gt)
    if c[ABORT] != 0:
        p[F_TRIAL], p[T] = p[F_LOW], 1.0
        for k in range(gt.size):
            gt[k] = float("nan")
        return FAILED
    p[F_TRIAL], p[T] = f, p[T_LOW]
    return ACCEPT


run = make_run(init, step)
