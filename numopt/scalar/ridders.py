r"""Ridders' method: false position on f(x) exp(lambda x), where lambda makes the points at a, m, b lie on a line.

.. math::

    x = m + (m - a) \frac{\operatorname{sign}(f_a - f_b)\, f_m}{\sqrt{f_m^2 - f_a f_b}}, \qquad m = (a + b)/2 \qquad (1)

Two evaluations an iteration, order 2.  C. J. F. Ridders, "A new algorithm for computing a single root of a real
continuous function", IEEE Trans. Circuits and Systems 26 (1979), pp. 979-980.
"""

import math

from numopt.kernels.compiling import kernel
from numopt.scalar.bisection import ends
from numopt.scalar.call import call, put, scalars
from numopt.scalar.status import CONVERGED, MAXITER, NAN

TINY, HUGE = 1e-100, 1e150  # beyond, squares would vanish or overflow


@kernel
def ridders(f, a, b, args, xtol, rtol, maxiter):
    """(root, status, iterations, evaluations)."""
    status, x, fa, fb, calls = ends(f, a, b, args)
    if status >= 0:
        return x, status, 0, calls
    tol = xtol + rtol * min(abs(a), abs(b))
    for k in range(maxiter):
        h = 0.5 * b - 0.5 * a
        m = a + h
        fm = call(f, m, args)
        calls += 1
        if fm != fm:
            return m, NAN, k + 1, calls
        if fm == 0.0 or abs(h) < 0.5 * tol:
            return m, CONVERGED, k + 1, calls
        ga, gb, gm = fa, fb, fm
        scale = max(abs(fa), abs(fb), abs(fm))
        if not TINY < scale < HUGE:
            ga, gb, gm = fa / scale, fb / scale, fm / scale
        s = h * gm / math.sqrt(gm * gm - ga * gb)  # (1)
        if fa < fb:
            s = -s
        if s == s:
            # no closer to an end than half the tolerance, so that both ends move in
            x = m + math.copysign(min(abs(s), abs(h) - 0.5 * tol), s)
        else:  # infinite values
            x = m + 0.5 * h
        fx = call(f, x, args)
        calls += 1
        if fx != fx:
            return x, NAN, k + 1, calls
        if (fx > 0.0) != (fm > 0.0):
            a, fa, b, fb = x, fx, m, fm
        elif (fx > 0.0) != (fa > 0.0):
            b, fb = x, fx
        else:
            a, fa = x, fx
        tol = xtol + rtol * abs(x)
        if fx == 0.0 or abs(b - a) < tol:
            return x, CONVERGED, k + 1, calls
    return x, MAXITER, maxiter, calls


def unit(f, args, address):
    """``p`` holds a, b, xtol, rtol, maxiter."""
    p = scalars(address)
    x, status, iterations, calls = ridders(f, p[0], p[1], args, p[2], p[3], int(p[4]))
    return put(p, x, 0.0, status, iterations, calls)
