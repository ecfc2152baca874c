r"""Brent's method for a minimum of f in [a, b]: parabolas, safeguarded by golden section.

x is the best point, w the second best, v the w before.  The step d goes to the minimum of the parabola through the
three,

.. math::

    d = \frac{p}{q}, \quad r = (x - w)(f_x - f_v), \quad q = (x - v)(f_x - f_w), \quad
    p = (x - v)\, q - (x - w)\, r, \quad q \leftarrow 2 (r - q) \qquad (1)

if that lies in [a, b] and is below half of the last step but one; else 0.382 of the larger part of [a, b].  No two
points come closer than tol = rtol abs(x) + atol, and it ends when abs(x - (a + b)/2) <= 2 tol - (b - a)/2: x is then
within 2 tol of a minimum.  Near a minimum f is flat, so rtol below the square root of the machine's precision is in
vain.  NaN counts as inf.

``brent`` seeks a bracket first; ``bounded`` begins at 0.382 of the interval and never leaves it, nor evaluates
its ends.

References: R. P. Brent, *Algorithms for Minimization without Derivatives* (1973), ch. 5, pp. 61-80.  G. E. Forsythe,
M. A. Malcolm & C. B. Moler, *Computer Methods for Mathematical Computations* (1977), section 8.2, pp. 179-188.
"""

import math

from numopt.kernels.compiling import kernel
from numopt.scalar.bracket import least, start
from numopt.scalar.call import call_or_inf, finite, put, scalars
from numopt.scalar.status import BAD_INTERVAL, CONVERGED, MAXITER, NAN, UNBOUNDED

SECTION = 0.5 * (3.0 - math.sqrt(5.0))
ABSOLUTE = 1e-11  # the least distance of two points of ``brent``, for minima at 0
SQRT_EPS = 2.0**-26


@kernel
def localmin(f, a, b, x, fx, args, rtol, atol, maxiter):
    """(x, f(x), status, iterations); x is between a and b, and fx its value."""
    w = v = x
    fw = fv = fx
    d = e = 0.0
    k = 0
    while fx > -math.inf:
        tol, m = rtol * abs(x) + atol, 0.5 * a + 0.5 * b
        if abs(x - m) <= 2.0 * tol - (0.5 * b - 0.5 * a):
            return x, fx, CONVERGED if fx < math.inf else NAN, k
        if k >= maxiter:
            return x, fx, MAXITER, k
        k += 1
        parabola = False
        if abs(e) > tol:
            r, q = (x - w) * (fx - fv), (x - v) * (fx - fw)
            p, q = (x - v) * q - (x - w) * r, 2.0 * (r - q)  # (1), with the sign of q turned
            if q < 0.0:
                p, q = -p, -q
            parabola = abs(p) < abs(0.5 * q * e) and q * (a - x) < p < q * (b - x)  # false for NaN
            if parabola:
                e, d = d, p / q
                if x + d - a < 2.0 * tol or b - x - d < 2.0 * tol:
                    d = math.copysign(tol, m - x)
        if not parabola:
            e = (a if x >= m else b) - x
            d = SECTION * e
        u = x + (d if abs(d) >= tol else math.copysign(tol, d))
        fu = call_or_inf(f, u, args)
        if fu <= fx:
            if u >= x:
                a = x
            else:
                b = x
            v, fv, w, fw, x, fx = w, fw, x, fx, u, fu
        else:
            if u < x:
                a = u
            else:
                b = u
            if fu <= fw or w == x:
                v, fv, w, fw = w, fw, u, fu
            elif fu <= fv or v == x or v == w:
                v, fv = u, fu
    return x, fx, UNBOUNDED, k


@kernel
def brent(f, a, b, c, args, xtol, maxiter):
    """(x, f(x), status, iterations, evaluations); NaN for c: from a and b a bracket is sought."""
    status, a, b, c, fa, fb, fc, calls = start(f, a, b, c, args)
    if status >= 0:
        x, fx = least(a, b, c, fa, fb, fc)
        return x, fx, status, 0, calls
    x, fx, status, k = localmin(f, min(a, c), max(a, c), b, fb, args, xtol, ABSOLUTE, maxiter)
    return x, fx, status, k, calls + k


@kernel
def bounded(f, a, b, args, xatol, maxiter):
    """(x, f(x), status, iterations, evaluations) between a and b."""
    if not (finite(a) and finite(b) and a <= b):
        return a, math.nan, BAD_INTERVAL, 0, 0
    x = a + SECTION * (b - a) if finite(b - a) else (1.0 - SECTION) * a + SECTION * b
    fx = call_or_inf(f, x, args)
    x, fx, status, k = localmin(f, a, b, x, fx, args, SQRT_EPS, xatol / 3.0, maxiter - 1)
    return x, fx, status, k + 1, k + 1


def unit(f, args, address):
    """``p`` holds 1 for ``bounded``, then a, b, c, xtol or xatol, maxiter."""
    p = scalars(address)
    if p[0] == 1.0:
        x, fx, status, iterations, calls = bounded(f, p[1], p[2], args, p[4], int(p[5]))
    else:
        x, fx, status, iterations, calls = brent(f, p[1], p[2], p[3], args, p[4], int(p[5]))
    return put(p, x, fx, status, iterations, calls)
