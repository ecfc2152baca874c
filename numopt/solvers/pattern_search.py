r"""Pattern search of Hooke and Jeeves: values on a mesh, no model, no derivative.

Exploration from a point b tries each coordinate in turn, :math:`b_i \pm h s_i`, first in the direction that was good
last time, and keeps every step that is lower.  After an iteration that has moved from x to x' the next explores from
the pattern point x' + (x' - x), so that the steps grow along a valley; where that finds nothing lower than f(x'), it
explores from x' itself; where that finds nothing either, h is halved.  What is lower but nearer than h s_i / 2 in all
coordinates, back by a rounding error or onto a bound next by, is kept, but counts as nothing found.

The sizes :math:`s_i = \max(1, |x_{0,i}|)` are fixed, h starts at ``initial_step``.  It ends where an exploration from x
has failed, h max s <= xatol and all its values were within fatol of f(x): status SPREAD.  NaN counts as +inf.
Coordinates are moved onto the bounds where they would pass them, and left out where that is where they are.  With h
halved only after such a failure the iterates converge to stationary points of a smooth f (Torczon).  ``step`` in the
history is h.

Workspace, after the common vectors: the point explored from, the signs of the last good steps, the last displacement,
the sizes s (n each).

References
----------
R. Hooke and T. A. Jeeves, "Direct search" solution of numerical and statistical problems, J. ACM 8 (1961), 212-229.
V. Torczon, On the convergence of pattern search algorithms, SIAM J. Optim. 7 (1997), 1-25.
"""

from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import vector
from numopt.kernels.points import clip, keep_if_lower, value_at
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    F_TRIAL,
    FAILED,
    FATOL,
    FLAT,
    FRESH,
    MESH,
    N_COMMON,
    NIT,
    PARITY,
    SPREAD_SMALL,
    STEP_INITIAL,
    X_LOW,
    XATOL,
    F,
    T,
    X,
)
from numopt.kernels.vectors import copy, norm_inf, step_to

_BASE, _SIGNS, _LAST, _SIZES = (int64(N_COMMON + k) for k in range(4))


@kernel
def init(R):
    """Mesh, sizes, no displacement yet."""
    c, p = R.c, R.p
    c[FRESH] = 1
    if c[NIT] > 0:
        return
    x, signs, last, sizes = vector(R, X + c[PARITY]), vector(R, _SIGNS), vector(R, _LAST), vector(R, _SIZES)
    for i in range(x.size):
        signs[i], last[i], sizes[i] = 1.0, 0.0, max(1.0, abs(x[i]))
    p[MESH] = p[STEP_INITIAL]


@kernel
def _explore(R, f):
    """Explore from base, where the value is f; leaves the lowest point in base.

    Answers (its value, how far the values were from f at most, evaluations).  A signal of NaN: it was cut off.
    """
    c, h = R.c, R.p[MESH]
    base, y = vector(R, _BASE), vector(R, X_LOW)
    signs, sizes = vector(R, _SIGNS), vector(R, _SIZES)
    spread, count = 0.0, 0
    copy(base, y)
    for i in range(base.size):
        for k in range(2):
            y[i] = base[i] + (h if k == 0 else -h) * signs[i] * sizes[i]
            clip(R, y)
            if y[i] == base[i]:
                continue
            ft = value_at(R, y)
            if c[ABORT] != 0:
                keep_if_lower(R, f, base)
                return float("nan"), 0.0, 0
            spread, count = max(spread, abs(ft - f)), count + 1
            if ft < f:
                f, base[i] = ft, y[i]
                break
        y[i] = base[i]
    return f, spread, count


@kernel
def _has_moved(R):
    """Whether base is farther from x than half a step of the mesh along some coordinate.

    Without that rule (x + h) - h, an ulp from x and lower by rounding, went on for ever without halving h.
    """
    x, base, sizes = vector(R, X + R.c[PARITY]), vector(R, _BASE), vector(R, _SIZES)
    for i in range(x.size):
        if abs(base[i] - x[i]) >= 0.5 * R.p[MESH] * sizes[i]:
            return True
    return False


@kernel
def step(R):
    """One iteration: from the pattern point, then from x."""
    c, p = R.c, R.p
    x, xt, base = vector(R, X + c[PARITY]), vector(R, X + 1 - c[PARITY]), vector(R, _BASE)
    signs, last = vector(R, _SIGNS), vector(R, _LAST)
    f, spread, count, moved = p[F], 0.0, 0, False
    if norm_inf(last) > 0.0:
        step_to(x, 1.0, last, base)
        clip(R, base)
        f = value_at(R, base)
        if c[ABORT] == 0:
            f, spread, count = _explore(R, f)
            moved = f < p[F] and _has_moved(R)
    if c[ABORT] == 0 and not moved:
        if not f < p[F]:
            copy(x, base)
            f = p[F]
        f, spread, count = _explore(R, f)
        moved = f < p[F] and _has_moved(R)
    if c[ABORT] != 0:
        return FAILED
    p[F_TRIAL] = f
    if not f < float("inf"):
        return FAILED  # no point has a value
    p[T] = p[MESH]
    copy(base if f < p[F] else x, xt)
    for i in range(x.size):
        last[i] = xt[i] - x[i] if moved else 0.0
        if last[i] != 0.0:
            signs[i] = 1.0 if last[i] > 0.0 else -1.0
    if moved:
        return ACCEPT
    if p[MESH] * norm_inf(vector(R, _SIZES)) <= p[XATOL] and spread <= p[FATOL]:
        return SPREAD_SMALL
    if count == 0 and not f < p[F]:
        p[T] = 0.0
        return FLAT  # the mesh is finer than the numbers
    p[MESH] *= 0.5
    return ACCEPT


run = make_run(init, step)
