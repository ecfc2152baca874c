r"""Brent's method for a root of f in [a, b], where f(a) and f(b) are of opposite sign.

b is the best point, a the one before, c the last one on the other side of the root.  The step d comes from inverse
interpolation through f(a), f(b), f(c); it is taken only if it stays within three quarters of the way to c, and is
below half of the last step but one; else the interval is halved (m = (c - b)/2).  So it ends after at most about
log2(abs(b - a)/tol)^2 evaluations, and mostly after ten.

.. math::

    d = -\frac{p}{q}: \quad
    \text{linear, } a = c: \quad p = f_b (a - b), \; q = f_a - f_b \qquad (1)

    \text{quadratic:} \quad s = \frac{f_b}{f_a}, \; t = \frac{f_a}{f_c}, \; r = \frac{f_b}{f_c}, \;
    p = s\,(2mt(t - r) - (b - a)(r - 1)), \; q = (t - 1)(r - 1)(s - 1) \qquad (2)

    \text{hyperbolic:} \quad d = -f_b \frac{f_c - f_a}{f_c\, f[a,b] - f_a\, f[c,b]} \qquad (3)

References: R. P. Brent, *Algorithms for Minimization without Derivatives* (1973), ch. 4, pp. 47-60.  (3): J. C. P. Bus
& T. J. Dekker, "Two efficient algorithms with guaranteed convergence for finding a zero of a function", ACM TOMS 1
(1975), pp. 330-345.
"""

import math

from numopt.kernels.compiling import kernel
from numopt.scalar.bisection import ends
from numopt.scalar.call import call, put, scalars
from numopt.scalar.status import CONVERGED, MAXITER, NAN


@kernel
def interpolate(a, b, c, fa, fb, fc, m):
    """(p, q) of (1) or (2)."""
    if a == c:
        return fb * (a - b), fa - fb  # (1)
    s, t, r = fb / fa, fa / fc, fb / fc
    return s * (2.0 * m * t * (t - r) - (b - a) * (r - 1.0)), (t - 1.0) * (r - 1.0) * (s - 1.0)  # (2)


@kernel
def hyperbola(a, b, c, fa, fb, fc, m):
    """(p, q) of (1) or (3)."""
    if a == c:
        return interpolate(a, b, c, fa, fb, fc, m)
    slope_a, slope_c = (fa - fb) / (a - b), (fc - fb) / (c - b)
    return fb * (fc - fa), fc * slope_a - fa * slope_c  # (3)


@kernel
def brent_zero(f, a, b, args, hyperbolic, xtol, rtol, maxiter):
    """(root, status, iterations, evaluations)."""
    status, x, fa, fb, calls = ends(f, a, b, args)
    if status >= 0:
        return x, status, 0, calls
    c, fc = a, fa
    d = e = b - a
    for k in range(maxiter):
        if abs(fc) < abs(fb):  # b is to be the best point
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        tol, m = 0.5 * (xtol + rtol * abs(b)), 0.5 * c - 0.5 * b
        if fb == 0.0 or abs(m) < tol:
            return b, CONVERGED, k + 1, calls
        trusted = False
        if abs(e) > tol and abs(fa) > abs(fb):
            p, q = hyperbola(a, b, c, fa, fb, fc, m) if hyperbolic else interpolate(a, b, c, fa, fb, fc, m)
            if p > 0.0:
                q = -q
            else:
                p = -p
            # within three quarters of the way to c, and below half of the last step but one; false for NaN
            trusted = 2.0 * p < 3.0 * m * q - abs(tol * q) and 2.0 * p < abs(e * q)
            if trusted:
                e, d = d, p / q
        if not trusted:
            d = e = m
        a, fa = b, fb
        b += d if abs(d) > tol else math.copysign(tol, m)
        fb = call(f, b, args)
        calls += 1
        if fb != fb:
            return b, NAN, k + 1, calls
        if fb != 0.0 and (fb > 0.0) == (fc > 0.0):  # the root is between a and b now
            c, fc = a, fa
            d = e = b - a
    return b, MAXITER, maxiter, calls


def unit(f, args, address):
    """``p`` holds a, b, xtol, rtol, maxiter, and 1 for hyperbolic interpolation."""
    p = scalars(address)
    x, status, iterations, calls = brent_zero(f, p[0], p[1], args, p[5] == 1.0, p[2], p[3], int(p[4]))
    return put(p, x, 0.0, status, iterations, calls)
