r"""Powell's method of conjugate directions.

An iteration minimises along each of n directions in turn, first the coordinates (or ``direc``).  Before the next one
the displacement over those n lines, d, may become a direction: with :math:`f_0` the value before the first of them,
:math:`f_N` after the last, :math:`f_E = f(x_N + d)` one step further, and :math:`\Delta` the largest decrease along one
direction, it does where

.. math::

    f_E < f_0 \quad \text{and} \quad
    2 (f_0 - 2 f_N + f_E) (f_0 - f_N - \Delta)^2 < \Delta (f_0 - f_E)^2 ,

f is minimised along it, and it takes the place of the direction of the largest decrease, so that the directions stay
independent (Powell's criterion).  The next displacement counts from the minimum along d: on a quadratic function it is
then conjugate to d, since two minima along parallel lines differ by a conjugate direction.  (Numerical Recipes and
scipy count from before that minimum, which spoils it: their directions may end up parallel.)  It ends where
2 (f_0 - f_N) <= ftol (|f_0| + |f_N|) + 1e-20, status FTOL.  The lines are minimised to the relative tolerance
100 xtol; f at the start of a line is known, which spares an evaluation a line that scipy makes.

With bounds no point lies outside of them: a line ends where it meets one.  A run that would end at a bound goes on for
an iteration along the coordinates first, and from there if that lowers f.

Workspace, after the common vectors: x where the displacement begins, x within the iteration (n each), the directions
(n x n, one a row).  A step that is cut off goes on with the line that it was at.

References
----------
M. J. D. Powell, An efficient method for finding the minimum of a function of several variables without calculating
derivatives, Comput. J. 7 (1964), 155-162.
R. P. Brent, Algorithms for Minimization without Derivatives, Prentice-Hall 1973, chapter 7.
W. H. Press et al., Numerical Recipes, 3rd ed., Cambridge 2007, section 10.7.
"""

from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import lower_bounds, upper_bounds, vector
from numopt.kernels.points import clip, keep_if_lower, value_at
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    AFRESH,
    BOUNDED,
    F_BASE,
    F_LOW,
    F_START,
    F_TRIAL,
    FAILED,
    FRESH,
    FTOL_REL,
    GIVEN_H,
    LARGEST,
    N_COMMON,
    NIT,
    PARITY,
    PLACE,
    REDUCTION_SMALL,
    STAGE,
    T_LOW,
    X_LOW,
    XTOL_ABS,
    D,
    F,
    N,
    T,
    X,
)
from numopt.kernels.vectors import copy, step_to
from numopt.linesearch.values import interval, line_minimum

_START, _BASE, _DIRECTIONS = int64(N_COMMON), int64(N_COMMON + 1), N_COMMON + 2
_TINY = 1e-20


@kernel
def _coordinates(R):
    n = R.c[N]
    V = R.w[_DIRECTIONS * n : (_DIRECTIONS + n) * n]
    for k in range(n * n):
        V[k] = 0.0
    for i in range(n):
        V[i * n + i] = 1.0


@kernel
def init(R):
    """The coordinate directions, if none are given."""
    c = R.c
    c[FRESH] = 1
    if c[NIT] > 0:
        return
    if c[GIVEN_H] == 0:
        _coordinates(R)
    copy(vector(R, X + c[PARITY]), vector(R, _START))
    c[STAGE], c[AFRESH] = 0, 0


@kernel
def _at_a_bound(R, x):
    """Whether x is at a bound, to the tolerance of the lines."""
    near = 100.0 * R.p[XTOL_ABS]
    if R.c[BOUNDED] == 0:
        return False
    lower, upper = lower_bounds(R), upper_bounds(R)
    for i in range(x.size):
        if x[i] - lower[i] <= near or upper[i] - x[i] <= near:
            return True
    return False


@kernel
def _extrapolated(R, base):
    """Whether to minimise along the last iteration's displacement, left in d; also whether it was cut off."""
    c, p = R.c, R.p
    x, d, xe = vector(R, X + c[PARITY]), vector(R, D), vector(R, X_LOW)
    step_to(x, -1.0, vector(R, _START), d)
    _, most = interval(R, x, d)
    step_to(x, min(1.0, most), d, xe)
    clip(R, xe)
    f0, fn = p[F_START], p[F]
    fe = value_at(R, xe)
    if c[ABORT] != 0 or not fe < f0:
        return False
    keep_if_lower(R, fe, xe)
    gain = f0 - fn - p[LARGEST]
    return 2.0 * (f0 - 2.0 * fn + fe) * gain * gain < p[LARGEST] * (f0 - fe) * (f0 - fe)


@kernel
def _line(R, base, f, d):
    """Minimise from base along d; moves base there and returns the value, or keeps the lowest point if cut off."""
    c, p = R.c, R.p
    trial = vector(R, X_LOW)
    line_minimum(R, base, d, f, 1.0, 100.0 * p[XTOL_ABS], trial)
    if c[ABORT] != 0:
        step_to(base, p[T_LOW], d, trial)
        clip(R, trial)
        keep_if_lower(R, p[F_LOW], trial)
        return f
    step_to(base, p[T_LOW], d, base)
    clip(R, base)
    return p[F_LOW]


@kernel
def step(R):
    """One iteration: a stage for the displacement of the last one, and one for each direction."""
    c, p = R.c, R.p
    n = c[N]
    x, base, d = vector(R, X + c[PARITY]), vector(R, _BASE), vector(R, D)
    V = R.w[_DIRECTIONS * n : (_DIRECTIONS + n) * n]
    for stage in range(c[STAGE], n + 1):
        if stage == 0:
            copy(x, base)
            f, along = p[F], False
            if c[NIT] > 0 and c[AFRESH] == 0:
                along = _extrapolated(R, base)
        else:
            copy(V[(stage - 1) * n : stage * n], d)
            f, along = p[F_BASE], True
        before = f
        if along:
            f = _line(R, base, f, d)
        if c[ABORT] != 0:
            keep_if_lower(R, before, base)
            return FAILED
        if stage == 0:
            if along and p[T_LOW] != 0.0:
                big = c[PLACE]
                for i in range(n):
                    V[big * n + i] = V[(n - 1) * n + i]
                    V[(n - 1) * n + i] = p[T_LOW] * d[i]
            copy(base, vector(R, _START))
            p[F_START], p[LARGEST], c[PLACE] = f, 0.0, 0
        elif before - f > p[LARGEST]:
            p[LARGEST], c[PLACE] = before - f, stage - 1
        p[F_BASE], c[STAGE] = f, stage + 1
    c[STAGE] = 0
    f0, f = p[F_START], p[F_BASE]
    p[F_TRIAL] = f
    if not f < float("inf"):
        return FAILED  # no point has a value
    copy(base, vector(R, X + 1 - c[PARITY]))
    p[T] = 1.0
    if f == float("-inf"):
        return ACCEPT
    if 2.0 * (f0 - f) > p[FTOL_REL] * (abs(f0) + abs(f)) + _TINY:
        c[AFRESH] = 0
    elif c[AFRESH] == 0 and _at_a_bound(R, base):
        # directions that all lead out of the box leave f where it is: the coordinates have the last word
        _coordinates(R)
        c[AFRESH] = 1
    else:
        return REDUCTION_SMALL
    return ACCEPT


run = make_run(init, step)
