r"""A bracket of a minimum: three points a, b, c in a row with f(b) below f(a) and f(c), sought downhill from two.

From a and b with f(b) <= f(a) the third point is c = b + 1.618 (b - a).  While f(c) < f(b), a trial point u is set at
the minimum of the parabola through the three points,

.. math::

    u = b - \frac{(b - c)\, q - (b - a)\, r}{2 (q - r)}, \quad
    r = (b - a)(f_b - f_c), \quad q = (b - c)(f_b - f_a) \qquad (1)

which may lie between b and c (then it may end the search), or beyond c by at most ``GROW`` times the last interval;
where (1) points uphill u = c + 1.618 (c - b).  Then a, b, c move on by one point.

W. H. Press, S. A. Teukolsky, W. T. Vetterling & B. P. Flannery, *Numerical Recipes* (3rd ed., 2007),
section 10.1, pp. 490-492.
NaN counts as inf.
"""

import math

from numopt.kernels.compiling import kernel
from numopt.scalar.call import call_or_inf, finite
from numopt.scalar.status import BAD_INTERVAL, NO_BRACKET, NOT_A_BRACKET, UNBOUNDED

GOLDEN = 1.618034  # (1 + sqrt(5))/2: the ratio that golden section keeps
GROW = 110.0  # a parabola that is nearly a line says nothing of points further away
TINY = 1e-21  # for 2 (q - r) where the points lie on a line
MAXITER = 1000  # golden steps from 1e-300 overflow before


@kernel
def bracket(f, a, b, args):
    """(status or -1, a, b, c, f(a), f(b), f(c), evaluations)."""
    fa, fb = call_or_inf(f, a, args), call_or_inf(f, b, args)
    if fa < fb:
        a, b, fa, fb = b, a, fb, fa
    c = b + GOLDEN * (b - a)
    fc = call_or_inf(f, c, args)
    calls = 3
    iteration = 0
    while fc < fb and iteration < MAXITER and finite(c) and fc > -math.inf:
        iteration += 1
        r, q = (b - a) * (fb - fc), (b - c) * (fb - fa)
        twice = 2.0 * (q - r) if abs(q - r) >= TINY else 2.0 * TINY
        u = b - ((b - c) * q - (b - a) * r) / twice  # (1)
        limit = b + GROW * (c - b)
        beyond = c + GOLDEN * (c - b)
        if (b - u) * (u - c) > 0.0:
            fu = call_or_inf(f, u, args)
            calls += 1
            if fu < fc:  # a minimum between b and c
                a, b, fa, fb = b, u, fb, fu
                break
            if fu > fb:  # a minimum between a and u
                c, fc = u, fu
                break
            u = beyond
        elif (c - u) * (u - limit) > 0.0:
            fu = call_or_inf(f, u, args)
            calls += 1
            if fu < fc:
                a, b, c = b, c, u
                fa, fb, fc = fb, fc, fu
                u = c + GOLDEN * (c - b)
            else:
                a, b, c = b, c, u
                fa, fb, fc = fb, fc, fu
                break
        elif (limit - c) * (u - limit) >= 0.0:
            u = limit
        else:
            u = beyond
        fu = call_or_inf(f, u, args)
        calls += 1
        a, b, c = b, c, u
        fa, fb, fc = fb, fc, fu
    if min(fa, fb, fc) == -math.inf:
        return UNBOUNDED, a, b, c, fa, fb, fc, calls
    valid = finite(a) and finite(c) and (a - b) * (b - c) > 0.0 and fb <= fa and fb <= fc and (fb < fa or fb < fc)
    return (-1 if valid else NO_BRACKET), a, b, c, fa, fb, fc, calls


@kernel
def start(f, a, b, c, args):
    """The same from two points (c is NaN), or from the three given."""
    if not (finite(a) and finite(b)) or abs(c) == math.inf:
        return BAD_INTERVAL, a, b, c, 0.0, math.nan, 0.0, 0
    if c != c:
        return bracket(f, a, b, args)
    fa, fb, fc = call_or_inf(f, a, args), call_or_inf(f, b, args), call_or_inf(f, c, args)
    valid = (a - b) * (b - c) > 0.0 and fb < fa and fb < fc
    return (-1 if valid else NOT_A_BRACKET), a, b, c, fa, fb, fc, 3


@kernel
def least(a, b, c, fa, fb, fc):
    """The best of three points and its value."""
    if fb <= fa and fb <= fc:
        return b, fb
    return (a, fa) if fa <= fc else (c, fc)
