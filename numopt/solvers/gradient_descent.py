r"""Gradient descent.

===  ==================  ==========================================================================
0    line minimisation   x+ = x - t g, t from a line search
1    fixed step          x+ = x - eps g
2    decaying step       eps_t = eps_0 / (1 + kappa t)
3    stepwise schedule   eps_t = eps_0 drop^floor(t / drop_every)
4    Barzilai-Borwein    t = s's / s'y, shortened until f <= max of the last 10 f - c t g'g  (GLL)
===  ==================  ==========================================================================

With bounds the step ends at the projection P(x - t g) (projected gradient; with Barzilai-Borwein's t the spectral
projected gradient), and the decrease asked for is that of g'(x+ - x).

Only the first looks for a decrease in each step; with the others f may rise, and the driver keeps the best point.

References
----------
J. Barzilai and J. M. Borwein, Two-point step size gradient methods, IMA J. Numer. Anal. 8 (1988), 141-148.
M. Raydan, The Barzilai and Borwein gradient method for the large scale unconstrained minimization problem, SIAM J.
Optim. 7 (1997), 26-33.
"""

from numopt.drivers.loop import make_run
from numopt.kernels.bounds import bounded_descent, find_free, project
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import evaluate, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    BOUNDED,
    DECAY,
    DROP,
    DROP_EVERY,
    F_TRIAL,
    FAILED,
    FLAT,
    FRESH,
    LS,
    NIT,
    PARITY,
    SLOPE,
    STEP,
    STEP_INITIAL,
    T_PREV,
    UNBOUNDED_BELOW,
    VARIANT,
    D,
    F,
    G,
    T,
    X,
)
from numopt.kernels.vectors import difference_dots, dot, steepest_descent, step_to
from numopt.linesearch.search import search

_LINE, _FIXED, _DECAY, _DROP, _BARZILAI_BORWEIN = range(5)

_MEMORY = 10  # values that the nonmonotone test of Barzilai-Borwein looks back on
_DECREASE = 1e-4
_LEAST, _MOST = 1e-10, 1e10  # of the Barzilai-Borwein step, as in Raydan's algorithm
_SHORTENINGS = 60


@kernel
def init(R):
    """Nothing to remember yet."""
    c, p = R.c, R.p
    c[FRESH] = 1
    p[T_PREV] = 0.0
    if c[VARIANT] == _BARZILAI_BORWEIN:
        for k in range(_MEMORY):
            p[LS + k] = float("-inf")


@kernel
def _line_minimisation(R):
    c, p = R.c, R.p
    if c[BOUNDED] != 0:
        find_free(R, c[PARITY])
        p[SLOPE] = -bounded_descent(R, c[PARITY])
    else:
        p[SLOPE] = -steepest_descent(vector(R, G + c[PARITY]), vector(R, D))
    if p[T_PREV] != 0.0:
        t0 = p[T_PREV] / p[SLOPE]  # the same first-order change as in the last step
    else:
        t0 = p[STEP_INITIAL] if p[STEP_INITIAL] > 0.0 else 1.0 / (-p[SLOPE]) ** 0.5
    task = search(R, t0)
    if task == ACCEPT:
        p[T_PREV] = p[T] * p[SLOPE]
    return task


@kernel
def _judge(R, f, t):
    """Take the trial point whatever its value, unless it is not finite."""
    p = R.p
    p[F_TRIAL], p[T] = f, t
    if t == 0.0:
        return FLAT  # the schedule has come to its end
    if f == float("-inf"):
        return UNBOUNDED_BELOW
    if not abs(f) < float("inf"):
        p[T] = 0.0
        return FAILED
    return ACCEPT


@kernel
def _scheduled(R):
    """The step length of iteration t."""
    c, p = R.c, R.p
    t = float(c[NIT])
    if c[VARIANT] == _DECAY:
        return p[STEP] / (1.0 + p[DECAY] * t)
    if c[VARIANT] == _DROP:
        return p[STEP] * p[DROP] ** (t // p[DROP_EVERY])
    return p[STEP]


@kernel
def _descend(R):
    """Fixed, decaying, stepwise."""
    c = R.c
    t = _scheduled(R)
    xt, gt = vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    step_to(vector(R, X + c[PARITY]), -t, vector(R, G + c[PARITY]), xt)
    if c[BOUNDED] != 0:
        project(xt, lower_bounds(R), upper_bounds(R))
    return _judge(R, evaluate(R, xt, gt), t)


@kernel
def _barzilai_borwein(R):
    c, p = R.c, R.p
    x, g = vector(R, X + c[PARITY]), vector(R, G + c[PARITY])
    xt, gt = vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    gg = dot(g, g)
    if p[T_PREV] > 0.0:
        t = p[T_PREV]
    else:
        t = p[STEP_INITIAL] if p[STEP_INITIAL] > 0.0 else 1.0 / gg**0.5
    p[LS + c[NIT] % _MEMORY] = p[F]
    highest = p[F]
    for k in range(_MEMORY):
        highest = max(highest, p[LS + k])
    for _ in range(_SHORTENINGS):
        step_to(x, -t, g, xt)
        promise = t * gg  # g'(x - x+)
        if c[BOUNDED] != 0:
            project(xt, lower_bounds(R), upper_bounds(R))
            promise = dot(g, x) - dot(g, xt)
        f = evaluate(R, xt, gt)
        if f == float("-inf") or c[ABORT] != 0:
            break
        if f <= highest - _DECREASE * promise:
            ys, _, ss = difference_dots(xt, x, gt, g)
            p[T_PREV] = ss / ys if ys > 0.0 else max(1.0, 1.0 / dot(gt, gt) ** 0.5)
            p[T_PREV] = min(max(p[T_PREV], _LEAST), _MOST)
            return _judge(R, f, t)
        # the minimiser of the parabola through phi(0), phi'(0) = -promise / t, phi(t), kept within [0.1, 0.5] t
        new = 0.5 * promise * t / (f - p[F] + promise)
        t = min(max(new, 0.1 * t), 0.5 * t) if new == new and f < float("inf") else 0.1 * t
    p[F_TRIAL], p[T] = f, 0.0
    if f == float("-inf"):
        p[T] = t
        return UNBOUNDED_BELOW
    return FAILED


@kernel
def step(R):
    """One iteration."""
    variant = R.c[VARIANT]
    if variant == _LINE:
        return _line_minimisation(R)
    if variant == _BARZILAI_BORWEIN:
        return _barzilai_borwein(R)
    return _descend(R)


run = make_run(init, step)
