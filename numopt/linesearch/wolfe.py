r"""Strong Wolfe conditions, by the method of Moré and Thuente.

A step t is accepted when

.. math:: \phi(t) \le \phi(0) + c_1 t \phi'(0), \qquad |\phi'(t)| \le c_2 |\phi'(0)|.

The search keeps an interval with ends ``x`` (the best step so far) and ``y``; until the lower part of the
condition has been met once it works on psi(t) = phi(t) - phi(0) - c1 t phi'(0), whose minimiser lies in the
interval, and from then on with phi itself.

References
----------
J. J. Moré and D. J. Thuente, Line search algorithms with guaranteed sufficient decrease, ACM Trans. Math.
Softw. 20 (1994), 286-307.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.slots import ACCEPT, TRY, UNBOUNDED_BELOW
from numopt.linesearch.common import (
    DPHI0,
    PHI0,
    SC1,
    SMAX,
    SMIN,
    ST,
    approximate_wolfe,
    at_largest_step,
    curvature_decrease,
    give_up,
    sufficient_decrease,
)

# what this search remembers, after the common slots
(_STAGE, _BRACKET, _TX, _FX, _DX, _TY, _FY, _DY, _LOW, _HIGH, _WIDTH, _WIDTH1) = range(8, 20)

_WIDTH_TOL = 1e-14  # an interval this narrow, relative to its end, holds no other double worth trying
_EXPAND_MIN, _EXPAND_MAX = 1.1, 4.0
_SHRINK = 0.66


@kernel
def start(s):
    """Begin; the common slots are filled, ``s[ST]`` is the first trial."""
    s[_STAGE], s[_BRACKET] = 1.0, 0.0
    s[_TX], s[_FX], s[_DX] = 0.0, s[PHI0], s[DPHI0]
    s[_TY], s[_FY], s[_DY] = 0.0, s[PHI0], s[DPHI0]
    s[_LOW], s[_HIGH] = 0.0, s[ST] * (1.0 + _EXPAND_MAX)
    s[_WIDTH] = s[SMAX] - s[SMIN]
    s[_WIDTH1] = 2.0 * s[_WIDTH]


@kernel
def _cubic(tx, fx, dx, t, f, d):
    """theta and gamma of the cubic through two points with slopes, formed without overflow."""
    theta = 3.0 * (fx - f) / (t - tx) + dx + d
    big = max(abs(theta), abs(dx), abs(d))
    under = (theta / big) ** 2 - (dx / big) * (d / big)
    gamma = big * max(0.0, under) ** 0.5
    return theta, gamma


@kernel
def _trial(tx, fx, dx, ty, fy, dy, t, f, d, bracket, low, high):
    """The four cases of section 4 for the next trial step; returns (step, bracketed)."""
    opposite = d * (dx / abs(dx)) < 0.0
    if f > fx:
        # 1. higher value: the minimum is bracketed
        theta, gamma = _cubic(tx, fx, dx, t, f, d)
        if t < tx:
            gamma = -gamma
        r = (gamma - dx + theta) / (gamma - dx + gamma + d)
        cubic = tx + r * (t - tx)
        quadratic = tx + dx / ((fx - f) / (t - tx) + dx) / 2.0 * (t - tx)
        if abs(cubic - tx) < abs(quadratic - tx):
            return cubic, True
        return cubic + (quadratic - cubic) / 2.0, True
    if opposite:
        # 2. lower value, slope of opposite sign: bracketed as well
        theta, gamma = _cubic(tx, fx, dx, t, f, d)
        if t > tx:
            gamma = -gamma
        r = (gamma - d + theta) / (gamma - d + gamma + dx)
        cubic = t + r * (tx - t)
        secant = t + d / (d - dx) * (tx - t)
        return (cubic if abs(cubic - t) > abs(secant - t) else secant), True
    if abs(d) < abs(dx):
        # 3. lower value, slope of the same sign and smaller
        theta, gamma = _cubic(tx, fx, dx, t, f, d)
        if t > tx:
            gamma = -gamma
        r = (gamma - d + theta) / (gamma + (dx - d) + gamma)
        if r < 0.0 and gamma != 0.0:
            cubic = t + r * (tx - t)
        else:
            cubic = high if t > tx else low
        secant = t + d / (d - dx) * (tx - t)
        if bracket:
            new = cubic if abs(cubic - t) < abs(secant - t) else secant
            limit = t + _SHRINK * (ty - t)
            return (min(limit, new) if t > tx else max(limit, new)), bracket
        new = cubic if abs(cubic - t) > abs(secant - t) else secant
        return min(max(new, low), high), bracket
    # 4. lower value, slope of the same sign and no smaller
    if bracket:
        theta, gamma = _cubic(ty, fy, dy, t, f, d)
        if t > ty:
            gamma = -gamma
        r = (gamma - d + theta) / (gamma - d + gamma + dy)
        return t + r * (ty - t), bracket
    return (high if t > tx else low), bracket


@kernel
def advance(s, f, d):
    """Take phi and phi' at the trial ``s[ST]``; answer a task, with the next trial in ``s[ST]``."""
    t = s[ST]
    c1_slope = s[SC1] * s[DPHI0]
    bracket = s[_BRACKET] != 0.0
    if not (abs(f) < float("inf") and abs(d) < float("inf")):
        if f == float("-inf"):
            return UNBOUNDED_BELOW
        # Outside of where phi is defined: back towards the best step, and never so far again.
        s[SMAX] = s[_TX] + 0.9 * (t - s[_TX])
        s[_TY], s[_FY], s[_DY] = t, float("inf"), float("inf")
        s[ST] = s[_TX] + 0.1 * (t - s[_TX])
        s[_HIGH] = t
        return give_up(s) if s[ST] <= s[SMIN] else TRY
    lower = sufficient_decrease(s, t, f)
    if lower and curvature_decrease(s, d):
        return ACCEPT
    if approximate_wolfe(s, f, d):
        return ACCEPT
    if s[_STAGE] == 1.0 and lower and d >= 0.0:
        s[_STAGE] = 2.0
    if bracket and (t <= s[_LOW] or t >= s[_HIGH] or s[_HIGH] - s[_LOW] <= _WIDTH_TOL * s[_HIGH]):
        return give_up(s)
    if t >= s[SMAX] and lower and d <= c1_slope:
        return at_largest_step(s, f)
    if t <= s[SMIN] and (not lower or d >= c1_slope):
        return give_up(s)

    tx, fx, dx, ty, fy, dy = s[_TX], s[_FX], s[_DX], s[_TY], s[_FY], s[_DY]
    # psi instead of phi in the first stage: subtract the line through phi(0)
    line = c1_slope if s[_STAGE] == 1.0 and f <= fx and not lower else 0.0
    fp, dp = f - t * line, d - line
    fxp, dxp, fyp, dyp = fx - tx * line, dx - line, fy - ty * line, dy - line
    if dxp == 0.0:
        return give_up(s)
    known = abs(fyp) < float("inf")
    new, now_bracketed = _trial(tx, fxp, dxp, ty, fyp, dyp, t, fp, dp, bracket and known, s[_LOW], s[_HIGH])
    # the interval that keeps a minimiser inside
    if fp > fxp:
        s[_TY], s[_FY], s[_DY] = t, f, d
    else:
        if dp * (dxp / abs(dxp)) < 0.0:
            s[_TY], s[_FY], s[_DY] = tx, fx, dx
        s[_TX], s[_FX], s[_DX] = t, f, d
    bracket = bracket or now_bracketed
    s[_BRACKET] = 1.0 if bracket else 0.0
    tx, ty = s[_TX], s[_TY]
    if bracket:
        if abs(ty - tx) >= _SHRINK * s[_WIDTH1]:
            new = tx + 0.5 * (ty - tx)
        s[_WIDTH1] = s[_WIDTH]
        s[_WIDTH] = abs(ty - tx)
        s[_LOW], s[_HIGH] = min(tx, ty), max(tx, ty)
    else:
        s[_LOW] = new + _EXPAND_MIN * (new - tx)
        s[_HIGH] = new + _EXPAND_MAX * (new - tx)
    if not (abs(new) < float("inf")):
        return give_up(s)
    new = min(max(new, s[SMIN]), s[SMAX])
    if bracket and (new <= s[_LOW] or new >= s[_HIGH] or s[_HIGH] - s[_LOW] <= _WIDTH_TOL * s[_HIGH]):
        # rounding leaves nothing between the ends
        s[ST] = tx
        return give_up(s)
    s[ST] = new
    return TRY
