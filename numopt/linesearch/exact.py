"""Line minimisation: the zero of phi' to a tolerance, by Brent's method on the derivative.

Brackets a minimiser, then closes the bracket by inverse quadratic interpolation or the secant of phi', and by
bisection where these don't shrink it fast enough, or where the values say that a nearer minimiser was passed.
Ends where |phi'(t)| <= c2 |phi'(0)|, with the small c2 that is the tolerance of line minimisation.

References
----------
R. P. Brent, Algorithms for Minimization without Derivatives, Prentice-Hall 1973, chapter 4.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.slots import ACCEPT, TRY, UNBOUNDED_BELOW
from numopt.kernels.stopping import EPS
from numopt.linesearch.common import (
    DPHI0,
    PHI0,
    SC2,
    SMAX,
    SMIN,
    ST,
    approximate_wolfe,
    at_largest_step,
    curvature_decrease,
    flat,
    give_up,
)

# a: the left end (phi' < 0); b: the right end; z: the end given up last, for the interpolation
(_BRACKETED, _A, _FA, _DA, _B, _DB, _Z, _DZ, _WIDTH, _WIDTH1) = range(8, 18)
_GROWTH = 2.618033988749895  # 1 + golden ratio
_MAX_JUMP = 10.0
_LEAST = 1e-3  # of the interval, for the step from a after phi has risen


@kernel
def start(s):
    """Begin; the common slots are filled."""
    s[_BRACKETED] = 0.0
    s[_A], s[_FA], s[_DA] = 0.0, s[PHI0], s[DPHI0]
    s[_B], s[_DB], s[_Z], s[_DZ] = float("inf"), 0.0, 0.0, 0.0
    s[_WIDTH], s[_WIDTH1] = float("inf"), float("inf")


@kernel
def _interpolate(s):
    """The zero of phi' by inverse quadratic interpolation where three slopes are known, else the secant."""
    a, da, b, db, z, dz = s[_A], s[_DA], s[_B], s[_DB], s[_Z], s[_DZ]
    if dz != 0.0 and dz != da and dz != db:
        # Lagrange's formula for t as a function of phi', at 0
        return (
            a * db * dz / ((da - db) * (da - dz))
            + b * da * dz / ((db - da) * (db - dz))
            + z * da * db / ((dz - da) * (dz - db))
        )
    return (a * db - b * da) / (db - da)


@kernel
def _cubic_minimum(a, fa, da, b, fb, db):
    """The minimiser of the cubic with these values and slopes, Nocedal & Wright (3.59)."""
    d1 = da + db - 3.0 * (fa - fb) / (a - b)
    d2 = max(0.0, d1 * d1 - da * db) ** 0.5
    return b - (b - a) * (db + d2 - d1) / (db - da + 2.0 * d2)


@kernel
def advance(s, f, d):
    """Take phi and phi' at the trial; answer a task."""
    t = s[ST]
    if f == float("-inf"):
        return UNBOUNDED_BELOW
    broken = not (abs(f) < float("inf") and abs(d) < float("inf"))
    if not broken:
        if f <= s[PHI0] and curvature_decrease(s, d):
            return ACCEPT
        if s[SC2] < 0.5 and flat(s, f) and approximate_wolfe(s, f, d):
            return ACCEPT
    if broken or f > s[_FA]:
        # too far: whatever the slope, a minimiser lies between a and t
        s[_Z], s[_DZ] = s[_B], s[_DB]
        s[_B], s[_DB] = t, (d if not broken and d > 0.0 else 0.0)
        s[_BRACKETED] = 1.0
    elif d >= 0.0:
        s[_Z], s[_DZ] = s[_B], s[_DB]
        s[_B], s[_DB] = t, d
        s[_BRACKETED] = 1.0
    else:
        s[_Z], s[_DZ] = s[_A], s[_DA]
        s[_A], s[_FA], s[_DA] = t, f, d
    if s[_BRACKETED] == 0.0:
        if t >= s[SMAX]:
            return at_largest_step(s, f)
        # extrapolate the slope to zero, between the golden growth and ten times the step
        new = t + (t - s[_Z]) * d / (s[_DZ] - d) if s[_DZ] < d else _MAX_JUMP * t
        s[ST] = min(max(new, _GROWTH * t), _MAX_JUMP * t, s[SMAX])
        return TRY
    a, b = s[_A], s[_B]
    width = b - a
    if width <= 2.0 * EPS * b or b <= s[SMIN]:
        # phi' changes sign between neighbouring doubles: the minimiser to the last bit
        if a > 0.0 and t == a and s[_FA] < s[PHI0]:
            return ACCEPT
        return give_up(s)
    middle = a + 0.5 * width
    if s[_DB] <= 0.0:
        new = middle
    elif t == b and f > s[_FA]:
        # phi has risen: the values tell more than the slopes alone, which would crawl towards a from far away
        new = min(max(_cubic_minimum(a, s[_FA], s[_DA], b, f, s[_DB]), a + _LEAST * width), middle)
    else:
        new = _interpolate(s)
    # Brent's safeguard: two steps must at least halve the interval
    if not (new > a and new < b) or width > 0.5 * s[_WIDTH1]:
        new = middle if width > 0.5 * s[_WIDTH1] or s[_DB] <= 0.0 else (a * s[_DB] - b * s[_DA]) / (s[_DB] - s[_DA])
    s[_WIDTH1], s[_WIDTH] = s[_WIDTH], width
    if not (new > a and new < b):
        new = middle
    s[ST] = new
    return TRY
