"""What the line searches share: the state they keep, and the conditions on a step.

A search is a small machine that sees nothing but triples (t, phi(t), phi'(t)): ``start(s)`` begins it,
``advance(s, phi, dphi)`` takes the value and slope at the trial step ``s[ST]`` and answers a task: ``TRY``
(evaluate at the new ``s[ST]``), ``ACCEPT``, ``FLAT`` (what decrease is left is below rounding), ``FAILED``,
``UNBOUNDED_BELOW``.  So a search can be replayed from a table of triples, with no objective at all.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.slots import ACCEPT, FAILED, FLAT, UNBOUNDED_BELOW
from numopt.kernels.stopping import EPS

# the common slots of the state s
# (trial, phi(0), phi'(0), c1, c2, least and greatest step, first trial)
ST, PHI0, DPHI0, SC1, SC2, SMIN, SMAX, SFIRST = range(8)

# phi(t) and phi(0) count as equal when they differ by fewer units in the last place than this: about what
# rounding leaves of a difference of sums of some dozens of terms.
_FLAT_ULPS = 10.0


@kernel
def sufficient_decrease(s, t, f):
    """phi(t) <= phi(0) + c1 t phi'(0), Nocedal & Wright (3.6a)."""
    return f <= s[PHI0] + s[SC1] * t * s[DPHI0]


@kernel
def curvature_decrease(s, d):
    """|phi'(t)| <= c2 |phi'(0)|, Nocedal & Wright (3.7b)."""
    return abs(d) <= s[SC2] * abs(s[DPHI0])


@kernel
def flat(s, f):
    """Whether phi(t) and phi(0) differ by no more than rounding."""
    return abs(f - s[PHI0]) <= _FLAT_ULPS * EPS * max(abs(s[PHI0]), abs(f))


@kernel
def approximate_wolfe(s, f, d):
    """(2 c1 - 1) phi'(0) >= phi'(t) >= c2 phi'(0) where phi is flat to rounding, Hager & Zhang (2005), (4.1).

    Near a minimiser f changes by less than it is accurate to; the slopes still tell a good step.
    """
    return flat(s, f) and (2.0 * s[SC1] - 1.0) * s[DPHI0] >= d and d >= s[SC2] * s[DPHI0]


@kernel
def give_up(s):
    """No step is left to try: FLAT if the first trial promised no more than rounding, else FAILED."""
    promise = s[SFIRST] * abs(s[DPHI0])
    return FLAT if promise <= _FLAT_ULPS * EPS * abs(s[PHI0]) else FAILED


@kernel
def at_largest_step(s, f):
    """The step can't grow any more, and phi still falls: accept the limit, if it is one that was asked for."""
    if not f < s[PHI0] or flat(s, f):
        return give_up(s)
    return UNBOUNDED_BELOW if s[SMAX] >= 1e20 else ACCEPT
