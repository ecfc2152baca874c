r"""Nelder and Mead's simplex method, the steps of scipy.

A simplex of n + 1 points, :math:`f(x_0) \le \dots \le f(x_n)`.  With the centroid :math:`\bar x` of all but the worst,
an iteration tries points on the line through it and the worst,

.. math::

    x(t) = (1 + t) \bar x - t x_n : \qquad
    \text{reflection } t = 1, \quad \text{expansion } \chi, \quad \text{contraction outside } \psi,
    \text{ inside } -\psi

and puts the first that is good enough in the place of the worst; where none is, all points move towards the best,
:math:`x_j \leftarrow x_0 + \sigma (x_j - x_0)`.  Standard: chi = 2, psi = sigma = 1/2; with ``adaptive`` (Gao &
Han) chi = 1 + 2/n, psi = 3/4 - 1/(2n), sigma = 1 - 1/n, better for many variables.

The first iteration evaluates the simplex: x0, and for each variable x0 with that one moved by 5 % (0.00025 where it is
zero) away from zero, or ``initial_simplex``.  It ends where max |x_j - x_0| <= xatol (largest component) and
max |f(x_j) - f(x_0)| <= fatol, status SPREAD.  NaN counts as +inf.

Points beyond the bounds are moved onto them; in the first simplex, where there is no room for 5 %, a variable moves to
the farther side, as far as there is room.  A simplex may thus get flat against a bound and shrink where there is no
minimum, there or after it has left the bound.  So where a vertex has been moved onto a bound, or x is near one in the
end, 2n points beside x, 100 xatol away along the coordinates, have the last word: if one of them is lower by more than
fatol, a new simplex begins there.  ``step`` in the history is t, or sigma.

Workspace, after the common vectors: the values of all points but the best, their order from the second best to the
worst, the centroid (n each), and the points (n x n).  The best point is the current x.  The sums are taken in scipy's
order, so that the iterates are the same to the last bit until two values are equal.

References
----------
J. A. Nelder and R. Mead, A simplex method for function minimization, Comput. J. 7 (1965), 308-313.
J. C. Lagarias, J. A. Reeds, M. H. Wright and P. E. Wright, Convergence properties of the Nelder-Mead simplex method in
low dimensions, SIAM J. Optim. 9 (1998), 112-147 (the rules for ties, section 2).
F. Gao and L. Han, Implementing the Nelder-Mead simplex algorithm with adaptive parameters, Comput. Optim. Appl. 51
(2012), 259-277.
"""

from numba import njit
from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import evaluate_value, lower_bounds, upper_bounds, vector
from numopt.kernels.points import keep_if_lower, lower_beside, value_at
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    BOUNDED,
    CHOICE,
    CLIPPED,
    F_TRIAL,
    FAILED,
    FATOL,
    FRESH,
    GIVEN_H,
    N_COMMON,
    NIT,
    PARITY,
    SPREAD_SMALL,
    STAGE,
    X_BEST,
    X_LOW,
    XATOL,
    D,
    F,
    N,
    T,
    X,
)
from numopt.kernels.vectors import copy

_VALUES, _ORDER, _CENTER = int64(N_COMMON), int64(N_COMMON + 1), int64(N_COMMON + 2)
_POINTS = N_COMMON + 3
_LARGER, _OF_ZERO = 0.05, 0.00025  # the first simplex
_BESIDE = 100.0  # how far from x, in xatol, the last look at a bound goes
_DONE = -1  # the stage in which all points have their values


@njit(inline="always")  # as numopt.kernels.oracle.vector
def _points(R):
    n = R.c[N]
    return R.w[_POINTS * n : (_POINTS + n) * n]


@kernel
def _surround(R, x):
    """The simplex of a start at x; with ``initial_simplex`` given, the first one is that."""
    c = R.c
    n, S, low, high = c[N], _points(R), lower_bounds(R), upper_bounds(R)
    c[STAGE] = 0
    if c[GIVEN_H] != 0 and c[NIT] == 0:
        return
    for j in range(n):
        row = S[j * n : (j + 1) * n]
        copy(x, row)
        row[j] = (1.0 + _LARGER) * x[j] if x[j] != 0.0 else _OF_ZERO
        if c[BOUNDED] != 0 and (row[j] < low[j] or row[j] > high[j]):
            # moved onto the bound it might coincide with x, reflected there nearly so
            h, down, up = abs(row[j] - x[j]), x[j] - low[j], high[j] - x[j]
            row[j] = min(x[j] + h, high[j]) if up >= down else max(x[j] - h, low[j])


@kernel
def init(R):
    """The points of the first simplex, if they are not given; their values are left to the first step."""
    c = R.c
    c[FRESH] = 1
    if c[NIT] == 0:
        _surround(R, vector(R, X + c[PARITY]))


@kernel
def _note_clipped(R, x):
    """Remember that the simplex may be flat now: a new vertex lies on a bound."""
    low, high = lower_bounds(R), upper_bounds(R)
    for i in range(x.size):
        if x[i] <= low[i] or x[i] >= high[i]:
            R.c[CLIPPED] = 1


@kernel
def _insert(order, values, k, j):
    """Put point j, whose place would be k, behind all that are not higher."""
    while k > 0 and values[int(order[k - 1])] > values[j]:
        order[k] = order[k - 1]
        k -= 1
    order[k] = j


@kernel
def _evaluate_rest(R):
    """Values for the points from c[STAGE] on; then the order, and the best into the trial buffers."""
    c, p = R.c, R.p
    n, S = c[N], _points(R)
    x, xt = vector(R, X + c[PARITY]), vector(R, X + 1 - c[PARITY])
    values, order = vector(R, _VALUES), vector(R, _ORDER)
    for j in range(n):
        row = S[j * n : (j + 1) * n]
        if j >= c[STAGE]:
            f = value_at(R, row)
            if c[ABORT] != 0:
                return FAILED
            values[j] = f
            c[STAGE] = j + 1
        keep_if_lower(R, values[j], row)
    for j in range(n):
        _insert(order, values, j, j)
    c[STAGE] = _DONE
    b = int(order[0])
    if values[b] < p[F]:
        # x takes the row of the new best, and its place before those that are not lower
        copy(x, S[b * n : (b + 1) * n])
        p[F_TRIAL], values[b] = values[b], p[F]
        k = 0
        while k + 1 < n and values[int(order[k + 1])] < p[F]:
            order[k] = order[k + 1]
            k += 1
        order[k] = b
    else:
        copy(x, xt)
        p[F_TRIAL] = p[F]
        if not p[F] < float("inf"):
            p[T] = 0.0
            return FAILED  # no point has a value
    return ACCEPT


@kernel
def _small(R):
    """Whether all points are within xatol of the best, and their values within fatol."""
    c, p = R.c, R.p
    n, S, x = c[N], _points(R), vector(R, X + c[PARITY])
    if not vector(R, _VALUES)[int(vector(R, _ORDER)[n - 1])] - p[F] <= p[FATOL]:
        return False
    for j in range(n):
        for i in range(n):
            if not abs(S[j * n + i] - x[i]) <= p[XATOL]:
                return False
    return True


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    if c[STAGE] != _DONE:
        task = _evaluate_rest(R)
        if task == ACCEPT:
            p[T] = 1.0
        return task
    if _small(R):
        if lower_beside(R, _BESIDE * p[XATOL], c[CLIPPED] != 0):
            _surround(R, vector(R, X + 1 - c[PARITY]))
            p[T] = 1.0
            return ACCEPT
        return FAILED if c[ABORT] != 0 else SPREAD_SMALL
    n, S, x, xt = c[N], _points(R), vector(R, X + c[PARITY]), vector(R, X + 1 - c[PARITY])
    values, order, center = vector(R, _VALUES), vector(R, _ORDER), vector(R, _CENTER)
    reflected, second, scratch = vector(R, D), vector(R, X_LOW), vector(R, X_BEST)
    low, high, bounded = lower_bounds(R), upper_bounds(R), c[BOUNDED] != 0
    expand, contract, shrink = 2.0, 0.5, 0.5
    if c[CHOICE] != 0:
        expand, contract, shrink = 1.0 + 2.0 / n, 0.75 - 1.0 / (2.0 * n), 1.0 - 1.0 / n
    r = int(order[n - 1])
    worst, fworst, best = r * n, values[r], p[F]
    fnext = values[int(order[n - 2])] if n > 1 else best
    copy(x, center)
    for k in range(n - 1):
        row = int(order[k]) * n
        for i in range(n):
            center[i] += S[row + i]
    for i in range(n):
        center[i] /= n
    t, f, out, found = 1.0, 0.0, reflected, False
    for trial in range(2):
        # the reflection, and where that is not the end of it, an expansion or a contraction
        s = t if trial == 0 else expand if f < best else contract if f < fworst else -contract
        out = reflected if trial == 0 else second
        for i in range(n):
            y = (1.0 + s) * center[i] - s * S[worst + i]
            out[i] = min(max(y, low[i]), high[i]) if bounded else y
        fs = evaluate_value(R, out, scratch)
        if c[ABORT] != 0:
            if trial == 1:
                keep_if_lower(R, f, reflected)
            return FAILED
        if fs != fs:
            fs = float("inf")
        if trial == 0:
            f, found = fs, fs < fnext
            if found and not f < best:
                break
        elif fs < f if s > 1.0 else (fs <= f if s > 0.0 else fs < fworst):
            found, t, f = True, s, fs
        else:
            out = reflected
    if not found:
        for j in range(n):
            for i in range(n):
                y = x[i] + shrink * (S[j * n + i] - x[i])
                S[j * n + i] = min(max(y, low[i]), high[i]) if bounded else y
        c[STAGE] = 0
        task = _evaluate_rest(R)
        if task == ACCEPT:
            p[T] = shrink
        return task
    if bounded and c[CLIPPED] == 0:
        _note_clipped(R, out)
    p[T] = t
    if f < best:
        for i in range(n):
            xt[i], S[worst + i] = out[i], x[i]
        values[r], p[F_TRIAL] = best, f
        for k in range(n - 1, 0, -1):
            order[k] = order[k - 1]
        order[0] = r
    else:
        for i in range(n):
            xt[i], S[worst + i] = x[i], out[i]
        values[r], p[F_TRIAL] = f, best
        _insert(order, values, n - 1, r)
    return ACCEPT


run = make_run(init, step)
