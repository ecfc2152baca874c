r"""Logarithmic barriers of bounds lo <= v <= up: -mu sum ln(v - lo) - mu sum ln(up - v), and the primal-dual steps.

Where a bound is infinite there is no term.  ``a`` and ``b`` are the multipliers of the lower and the upper bounds,
both >= 0; the central path is a (v - lo) = mu, b (up - v) = mu.  Equation numbers are those of Wächter & Biegler 2006.
"""

import math

from numopt.kernels.compiling import kernel
from numopt.kernels.dense import EPS

_INF = math.inf
_TINY = 1e-300
_BAND = 1e10  # multipliers stay within this factor of mu over the distance (16)


@kernel
def inside(v, lo, up):
    """v, or the number next to the bound that it was rounded onto."""
    if v <= lo:
        v = lo + max(abs(lo) * EPS, _TINY)
    if v >= up:
        v = up - max(abs(up) * EPS, _TINY)
    return v


@kernel
def pushed(v, lo, up, push):
    """v moved to a distance from the bounds of ``push``, relative to their size and to their distance (section 3.6)."""
    if lo > -_INF and up < _INF:
        p, q = min(push * max(1.0, abs(lo)), push * (up - lo)), min(push * max(1.0, abs(up)), push * (up - lo))
        return min(max(v, lo + p), up - q)
    if lo > -_INF:
        return max(v, lo + push * max(1.0, abs(lo)))
    if up < _INF:
        return min(v, up - push * max(1.0, abs(up)))
    return v


@kernel
def log_terms(v, lo, up):
    """sum ln(v - lo) + sum ln(up - v)."""
    s = 0.0
    for j in range(v.size):
        if lo[j] > -_INF:
            s += math.log(v[j] - lo[j])
        if up[j] < _INF:
            s += math.log(up[j] - v[j])
    return s


@kernel
def slope_at(v, lo, up, mu):
    """The derivative of mu ln(v - lo) + mu ln(up - v): what a - b is on the central path."""
    s = 0.0
    if lo > -_INF:
        s += mu / (v - lo)
    if up < _INF:
        s -= mu / (up - v)
    return s


@kernel
def sigma_at(v, lo, up, a, b):
    """a / (v - lo) + b / (up - v): what the barrier adds to the diagonal of the Hessian (13)."""
    s = 0.0
    if lo > -_INF:
        s += a / (v - lo)
    if up < _INF:
        s += b / (up - v)
    return s


@kernel
def set_multipliers(v, lo, up, mu, a, b):
    """a and b on the central path."""
    for j in range(v.size):
        a[j] = mu / (v[j] - lo[j]) if lo[j] > -_INF else 0.0
        b[j] = mu / (up[j] - v[j]) if up[j] < _INF else 0.0


@kernel
def complementarity(v, lo, up, a, b, mu):
    """(the largest of a (v - lo) - mu and b (up - v) - mu in size, sum of a and b, number of bounds)."""
    most, total, count = 0.0, 0.0, 0
    for j in range(v.size):
        if lo[j] > -_INF:
            most = max(most, abs(a[j] * (v[j] - lo[j]) - mu))
            total += a[j]
            count += 1
        if up[j] < _INF:
            most = max(most, abs(b[j] * (up[j] - v[j]) - mu))
            total += b[j]
            count += 1
    return most, total, count


@kernel
def to_boundary(v, d, lo, up, tau):
    """The largest t <= 1 for which v + t d keeps the share 1 - tau of its distance from the bounds (15a)."""
    t = 1.0
    for j in range(v.size):
        if d[j] < 0.0 and lo[j] > -_INF:
            t = min(t, tau * (v[j] - lo[j]) / -d[j])
        elif d[j] > 0.0 and up[j] < _INF:
            t = min(t, tau * (up[j] - v[j]) / d[j])
    return t


@kernel
def multipliers_to_boundary(v, d, lo, up, a, b, mu, tau):
    """The same for the steps of a and b that go with d (15b)."""
    t = 1.0
    for j in range(v.size):
        if lo[j] > -_INF:
            da = (mu - a[j] * d[j]) / (v[j] - lo[j]) - a[j]  # (12)
            if da < 0.0:
                t = min(t, tau * a[j] / -da)
        if up[j] < _INF:
            db = (mu + b[j] * d[j]) / (up[j] - v[j]) - b[j]
            if db < 0.0:
                t = min(t, tau * b[j] / -db)
    return t


@kernel
def move_multipliers(v, d, new, lo, up, a, b, mu, t):
    """a and b after a step t, kept in a band around the central path at ``new`` (16)."""
    for j in range(v.size):
        if lo[j] > -_INF:
            a[j] += t * ((mu - a[j] * d[j]) / (v[j] - lo[j]) - a[j])
            centre = mu / (new[j] - lo[j])
            a[j] = max(min(a[j], _BAND * centre), centre / _BAND)
        if up[j] < _INF:
            b[j] += t * ((mu + b[j] * d[j]) / (up[j] - v[j]) - b[j])
            centre = mu / (up[j] - new[j])
            b[j] = max(min(b[j], _BAND * centre), centre / _BAND)
