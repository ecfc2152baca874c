"""The line search of CG_DESCENT: Wolfe conditions, or the approximate ones near a minimiser.

Accepts a step t where either the Wolfe conditions hold, or, with phi(t) <= phi(0) + eps |phi(0)|,
(2 c1 - 1) phi'(0) >= phi'(t) >= c2 phi'(0).  Keeps an interval [a, b] with phi(a) <= phi(0) + eps |phi(0)|,
phi'(a) < 0 <= phi'(b), and shrinks it by the double secant step.

References
----------
W. W. Hager and H. Zhang, A new conjugate gradient method with guaranteed descent and an efficient line
search, SIAM J. Optim. 16 (2005), 170-192; section 4, steps B0-B3, U0-U3, S1-S4, L0-L3.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.slots import ACCEPT, TRY, UNBOUNDED_BELOW
from numopt.linesearch.common import (
    DPHI0,
    PHI0,
    SC1,
    SC2,
    SMAX,
    SMIN,
    ST,
    approximate_wolfe,
    at_largest_step,
    give_up,
)

# the interval, its ends before the double secant step, the phase and the phase after a bisection
(_PHASE, _A, _DA, _B, _DB, _A0, _DA0, _B0, _DB0, _NEXT, _C, _DC) = range(8, 20)
_BRACKETING, _BISECTING, _SECANT1, _SECANT2, _MIDDLE = 0.0, 1.0, 2.0, 3.0, 4.0

_EPSILON = 1e-6  # how much phi may rise, relative to |phi(0)|, where the slopes decide
_GAMMA = 0.66  # by how much the double secant step must shrink the interval
_RHO = 5.0  # expansion while bracketing
_WIDTH_TOL = 1e-15


@kernel
def start(s):
    """Begin; the common slots are filled."""
    s[_PHASE] = _BRACKETING
    s[_A], s[_DA] = 0.0, s[DPHI0]
    s[_B], s[_DB] = float("inf"), 0.0


@kernel
def _wolfe(s, t, f, d):
    """(22): the Wolfe conditions, and (23): the approximate ones."""
    if f - s[PHI0] <= s[SC1] * t * s[DPHI0] and d >= s[SC2] * s[DPHI0]:
        return True
    within = f <= s[PHI0] + _EPSILON * abs(s[PHI0])
    return within and (2.0 * s[SC1] - 1.0) * s[DPHI0] >= d and d >= s[SC2] * s[DPHI0]


@kernel
def _secant(a, da, b, db):
    return (a * db - b * da) / (db - da)


@kernel
def _try(s, t, phase):
    s[ST], s[_PHASE] = t, phase
    return TRY


@kernel
def _bisect(s, following):
    """U3: halve [a, b] until an end with phi' >= 0 is found; then go on with ``following``."""
    s[_NEXT] = following
    if s[_B] - s[_A] <= _WIDTH_TOL * s[_B] or s[_B] <= s[SMIN]:
        return give_up(s)
    return _try(s, 0.5 * (s[_A] + s[_B]), _BISECTING)


@kernel
def _double_secant(s):
    """S1: remember the interval, try the secant point."""
    s[_A0], s[_DA0], s[_B0], s[_DB0] = s[_A], s[_DA], s[_B], s[_DB]
    width = s[_B] - s[_A]
    if width <= _WIDTH_TOL * s[_B]:
        return give_up(s)
    c = _secant(s[_A], s[_DA], s[_B], s[_DB])
    if not (c > s[_A] and c < s[_B]):
        c = 0.5 * (s[_A] + s[_B])
    return _try(s, c, _SECANT1)


@kernel
def _second_secant(s):
    """S2-S4: the secant through the end that was replaced, if it falls inside."""
    c, inside = s[_C], False
    if c == s[_B]:
        c = _secant(s[_B0], s[_DB0], s[_B], s[_DB])
        inside = c > s[_A] and c < s[_B]
    elif c == s[_A]:
        c = _secant(s[_A0], s[_DA0], s[_A], s[_DA])
        inside = c > s[_A] and c < s[_B]
    if inside:
        return _try(s, c, _SECANT2)
    return _middle(s)


@kernel
def _middle(s):
    """L2: bisect if the secants did not shrink the interval enough."""
    if s[_B] - s[_A] > _GAMMA * (s[_B0] - s[_A0]):
        return _try(s, 0.5 * (s[_A] + s[_B]), _MIDDLE)
    return _double_secant(s)


@kernel
def _follow(s, phase):
    """The step after ``phase`` has updated the interval."""
    if phase == _SECANT1:
        return _second_secant(s)
    if phase == _SECANT2:
        return _middle(s)
    return _double_secant(s)


@kernel
def advance(s, f, d):
    """Take phi and phi' at the trial; answer a task."""
    t, phase = s[ST], s[_PHASE]
    if f == float("-inf"):
        return UNBOUNDED_BELOW
    broken = not (abs(f) < float("inf") and abs(d) < float("inf"))
    if not broken and (_wolfe(s, t, f, d) or approximate_wolfe(s, f, d)):
        return ACCEPT
    high = broken or f > s[PHI0] + _EPSILON * abs(s[PHI0])
    if phase == _SECANT1:
        s[_C] = t
    if not broken and d >= 0.0:
        s[_B], s[_DB] = t, d
    elif high:
        # the value says too far although the slope does not: a minimiser lies between a and t
        s[_B], s[_DB] = t, 0.0
        if broken:
            s[SMAX] = t
        return _bisect(s, s[_NEXT] if phase == _BISECTING else phase)
    else:
        s[_A], s[_DA] = t, d
        if phase == _BRACKETING:
            if t >= s[SMAX]:
                return at_largest_step(s, f)
            return _try(s, min(_RHO * t, s[SMAX]), _BRACKETING)
        if phase == _BISECTING:
            return _bisect(s, s[_NEXT])
    if s[_B] <= s[SMIN]:
        return give_up(s)
    return _follow(s, s[_NEXT] if phase == _BISECTING else phase)
