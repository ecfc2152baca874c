r"""Golden section: a minimum between a and c, bracketed by a point between them.

Two points x1 < x2 divide the interval in the golden ratio, and the part beyond the worse of them is cut off;
each step takes one evaluation and shrinks the interval by 0.618:

.. math::

    f_1 > f_2:\ [x_1, x_3], \; x_2' = R\, x_2 + (1 - R)\, x_3; \qquad \text{else } [x_0, x_2], \qquad
    R = (\sqrt 5 - 1)/2

It ends when x3 - x0 <= xtol (abs(x1) + abs(x2)) + 1e-11 (for minima at 0, where no relative tolerance is ever met).

J. Kiefer, "Sequential minimax search for a maximum", Proc. AMS 4 (1953), pp. 502-506; Press et al., *Numerical Recipes*
(3rd ed., 2007), section 10.2, pp. 492-496.  NaN counts as inf.
"""

import math

from numopt.kernels.compiling import kernel
from numopt.scalar.bracket import least, start
from numopt.scalar.call import call_or_inf, put, scalars
from numopt.scalar.status import CONVERGED, MAXITER, NAN, UNBOUNDED

R = 0.5 * (math.sqrt(5.0) - 1.0)
ABSOLUTE = 1e-11


@kernel
def golden_section(f, a, b, c, args, xtol, maxiter):
    """(x, f(x), status, iterations, evaluations); NaN for c: from a and b a bracket is sought."""
    status, a, b, c, fa, fb, fc, calls = start(f, a, b, c, args)
    if status >= 0:
        x, fx = least(a, b, c, fa, fb, fc)
        return x, fx, status, 0, calls
    x0, x3 = min(a, c), max(a, c)
    if x3 - b > b - x0:  # the fourth point goes into the larger part
        x1, x2 = b, R * b + (1.0 - R) * x3
        f1, f2 = fb, call_or_inf(f, x2, args)
    else:
        x1, x2 = R * b + (1.0 - R) * x0, b
        f1, f2 = call_or_inf(f, x1, args), fb
    calls += 1
    k = 0
    status = CONVERGED
    # where no number is left between the points, no tolerance is needed
    while x3 - x0 > xtol * (abs(x1) + abs(x2)) + ABSOLUTE and x0 < x1 < x2 < x3:
        if k >= maxiter:
            status = MAXITER
            break
        k += 1
        if f2 < f1:
            x0, x1, f1 = x1, x2, f2
            x2 = R * x1 + (1.0 - R) * x3
            f2 = call_or_inf(f, x2, args)
        else:
            x3, x2, f2 = x2, x1, f1
            x1 = R * x2 + (1.0 - R) * x0
            f1 = call_or_inf(f, x1, args)
        calls += 1
    x, fx = (x1, f1) if f1 < f2 else (x2, f2)
    if fx == -math.inf:
        status = UNBOUNDED
    elif fx == math.inf:
        status = NAN
    return x, fx, status, k, calls


def unit(f, args, address):
    """``p`` holds a, b, c, xtol, maxiter."""
    p = scalars(address)
    x, fx, status, iterations, calls = golden_section(f, p[0], p[1], p[2], args, p[3], int(p[4]))
    return put(p, x, fx, status, iterations, calls)
