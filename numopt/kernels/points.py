"""What the methods without derivatives share: values that count, bounds, random numbers.

The random numbers are SplitMix64: the state is one 64-bit integer that grows by a constant with each number, and the
number is the state with its bits mixed.  So the state of a run holds it as a counter, a run that is resumed draws the
same numbers, and every seed gives a sequence of full period.

References
----------
G. L. Steele, D. Lea and C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014, 453-472, figure 17.
G. Marsaglia and T. A. Bray, A convenient method for generating normal variables, SIAM Rev. 6 (1964), 260-264.
"""

import math

from numpy import int64, uint64

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import evaluate_value, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import ABORT, BOUNDED, F_TRIAL, FATOL, PARITY, F, G, T, X
from numopt.kernels.vectors import copy

_ULPS = 4.0 * 2.220446049250313e-16
_GAMMA = int64(0x9E3779B97F4A7C15 - (1 << 64))
_M1, _M2 = uint64(0xBF58476D1CE4E5B9), uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S12 = uint64(30), uint64(27), uint64(31), uint64(12)


@kernel
def advance(state):
    """The next state of the generator."""
    return state + _GAMMA


@kernel
def uniform(state):
    """The number in (0, 1) that belongs to a state: 52 bits and a half, which never rounds to 1."""
    z = uint64(state)
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    z = z ^ (z >> _S31)
    return (float(z >> _S12) + 0.5) * 2.0**-52


@kernel
def fill_normal(state, d):
    """Set d to independent normal numbers (the polar method); returns the state after them."""
    i = 0
    while i < d.size:
        state = advance(state)
        u = 2.0 * uniform(state) - 1.0
        state = advance(state)
        v = 2.0 * uniform(state) - 1.0
        s = u * u + v * v
        if s >= 1.0:
            continue
        factor = math.sqrt(-2.0 * math.log(s) / s)
        d[i] = factor * u
        if i + 1 < d.size:
            d[i + 1] = factor * v
        i += 2
    return state


@kernel
def clip(R, x):
    """Move x into the bounds, where there are any; next to one, onto it.

    A step to a bound, x + (bound - x), may end a rounding error before it; there a line would look as if it went on.
    """
    if R.c[BOUNDED] != 0:
        low, high = lower_bounds(R), upper_bounds(R)
        for i in range(x.size):
            near = _ULPS * abs(x[i])
            x[i] = low[i] if x[i] <= low[i] + near else high[i] if x[i] >= high[i] - near else x[i]


@kernel
def value_at(R, x):
    """f(x), counted; NaN counts as +inf, where a value was to be had at all."""
    f = evaluate_value(R, x, vector(R, G + 1 - R.c[PARITY]))
    if f != f and R.c[ABORT] == 0:
        return float("inf")
    return f


@kernel
def keep_if_lower(R, f, x):
    """In case the run is cut off now: put x where the lowest point of this step is looked for, if it is one."""
    p = R.p
    if f < p[F] and (p[T] == 0.0 or f < p[F_TRIAL]):
        copy(x, vector(R, X + 1 - R.c[PARITY]))
        p[F_TRIAL], p[T] = f, 1.0


@kernel
def lower_beside(R, h, anywhere):
    """Whether x is within h of a bound, or ``anywhere``, and f falls by more than fatol over h along a coordinate.

    The lower point is then the trial point.  At a bound a simplex or a cloud of points may get flat before x is a
    minimum.  In a box a smooth function that falls along no coordinate falls nowhere, so 2n values tell.
    """
    c, p = R.c, R.p
    if c[BOUNDED] == 0:
        return False
    x, y, low, high = vector(R, X + c[PARITY]), vector(R, X + 1 - c[PARITY]), lower_bounds(R), upper_bounds(R)
    looks = anywhere
    for i in range(x.size):
        looks = looks or x[i] - low[i] <= h or high[i] - x[i] <= h
    if not looks:
        return False
    copy(x, y)
    for i in range(x.size):
        for k in range(2):
            y[i] = min(max(x[i] + (h if k == 0 else -h), low[i]), high[i])
            if y[i] == x[i]:
                continue
            f = value_at(R, y)
            if c[ABORT] != 0:
                return False
            if p[F] - f > p[FATOL]:
                p[F_TRIAL] = f
                return True
        y[i] = x[i]
    return False
