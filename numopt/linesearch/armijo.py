"""Backtracking to sufficient decrease, with quadratic and cubic interpolation.

Accepts phi(t) <= phi(0) + c1 t phi'(0); needs no slope but the one at 0.

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 3.5, (3.57)-(3.59).
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.slots import ACCEPT, TRY, UNBOUNDED_BELOW
from numopt.linesearch.common import DPHI0, PHI0, SFIRST, SMIN, ST, give_up, sufficient_decrease

_T1, _F1 = 8, 9  # the trial before this one

# A new trial neither falls below a tenth nor stays above half of the last one.
_LEAST, _MOST = 0.1, 0.5


@kernel
def start(s):
    """Begin; the common slots are filled."""
    s[_T1], s[_F1] = 0.0, s[PHI0]


@kernel
def advance(s, f, d):
    """Take phi at the trial (``d`` is not looked at); answer a task."""
    t, slope = s[ST], s[DPHI0]
    if f == float("-inf"):
        return UNBOUNDED_BELOW
    # at a tiny t the condition holds by rounding, with no decrease at all
    if sufficient_decrease(s, t, f) and f < s[PHI0]:
        return ACCEPT
    if f == s[PHI0] and not sufficient_decrease(s, s[SFIRST], f):
        return give_up(s)
    if not abs(f) < float("inf"):
        new = _LEAST * t
    elif s[_T1] == 0.0 or not abs(s[_F1]) < float("inf"):
        new = -0.5 * slope * t * t / (f - s[PHI0] - slope * t)  # (3.58)
    else:
        # (3.59): the cubic through phi(0), phi'(0) and the last two trials
        r0 = (s[_F1] - s[PHI0] - slope * s[_T1]) / (s[_T1] * s[_T1])
        r1 = (f - s[PHI0] - slope * t) / (t * t)
        a = (r1 - r0) / (t - s[_T1])
        b = (s[_T1] * r1 - t * r0) / (s[_T1] - t)
        if a == 0.0:
            new = -0.5 * slope / b
        else:
            new = (-b + max(0.0, b * b - 3.0 * a * slope) ** 0.5) / (3.0 * a)
    s[_T1], s[_F1] = t, f
    if not new >= _LEAST * t:  # true for NaN too
        new = _LEAST * t
    s[ST] = min(new, _MOST * t)
    return give_up(s) if s[ST] < s[SMIN] else TRY
