r"""Local random search with the 1/5 success rule, the (1 + 1) evolution strategy.

.. math::

    y = x + \sigma z, \quad z \sim N(0, I), \qquad
    x, \sigma \leftarrow
    \begin{cases} y, \; \sigma e^{1/d} & f(y) < f(x) \\ x, \; \sigma e^{-1/(4 d)} & \text{otherwise} \end{cases}

so that sigma stays where one step in five succeeds (somewhat fewer while it has to shrink), near the best rate on a
sphere and in a corridor; d = 1 + n/2 lets sigma change by about the same factor in n steps whatever n is.  An iteration
is one evaluation.  sigma starts at ``initial_step`` max(1, largest |x0_i|).  It ends where sigma <= xatol and
|f(y) - f(x)| <= fatol: status SPREAD.  NaN counts as +inf.  Points beyond the bounds are moved onto them; where x is
at a bound in the end, 2n points beside it, 100 xatol away along the coordinates, have the last word: if one of them is
lower by more than fatol, it goes on from there.  ``step`` in the history is sigma.

The random numbers are those of :mod:`numopt.kernels.points`, begun at ``seed``; equal seeds give equal runs, also where
a run is stopped and resumed.

References
----------
I. Rechenberg, Evolutionsstrategie, Frommann-Holzboog 1973.
H.-G. Beyer and H.-P. Schwefel, Evolution strategies: a comprehensive introduction, Nat. Comput. 1 (2002), 3-52.
"""

import math

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import vector
from numopt.kernels.points import clip, fill_normal, lower_beside, value_at
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    BOUNDED,
    F_TRIAL,
    FAILED,
    FATOL,
    FRESH,
    MESH,
    NIT,
    PARITY,
    RANDOM,
    SPREAD_SMALL,
    STEP_INITIAL,
    XATOL,
    D,
    F,
    N,
    T,
    X,
)
from numopt.kernels.vectors import copy, norm_inf, step_to

_BESIDE = 100.0  # how far from x, in xatol, the last look at a bound goes
# So many steps for each variable from a start without a value: then there is none to be found near
_PATIENCE = 20


@kernel
def init(R):
    """The first sigma."""
    c, p = R.c, R.p
    c[FRESH] = 1
    if c[NIT] == 0:
        p[MESH] = p[STEP_INITIAL] * max(1.0, norm_inf(vector(R, X + c[PARITY])))


@kernel
def step(R):
    """One trial."""
    c, p = R.c, R.p
    x, xt, z = vector(R, X + c[PARITY]), vector(R, X + 1 - c[PARITY]), vector(R, D)
    sigma, rate = p[MESH], 1.0 / (1.0 + 0.5 * c[N])
    state = fill_normal(c[RANDOM], z)
    step_to(x, sigma, z, xt)
    clip(R, xt)
    f = value_at(R, xt)
    if c[ABORT] != 0:
        return FAILED
    c[RANDOM], p[T] = state, sigma
    small = sigma <= p[XATOL] and abs(f - p[F]) <= p[FATOL]
    if small and c[BOUNDED] != 0:
        small = not f < p[F]  # the last look is for where nothing is lower
        if small and lower_beside(R, _BESIDE * p[XATOL], False):
            p[T] = p[MESH] = _BESIDE * p[XATOL]
            return ACCEPT
        if c[ABORT] != 0:
            return FAILED
    if f < p[F]:
        p[F_TRIAL], p[MESH] = f, sigma * math.exp(rate)
    else:
        copy(x, xt)
        p[F_TRIAL], p[MESH] = p[F], sigma * math.exp(-0.25 * rate)
        if not p[F] < float("inf") and c[NIT] >= _PATIENCE * c[N]:
            p[T] = 0.0
            return FAILED
    return SPREAD_SMALL if small else ACCEPT


run = make_run(init, step)
