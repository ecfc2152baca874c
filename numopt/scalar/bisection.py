r"""Bisection: a root of f in [a, b], where f(a) and f(b) are of opposite sign.

.. math:: m = a + (b - a)/2, \qquad [a, b] \leftarrow [a, m] \text{ or } [m, b]

whichever keeps the change of sign; it ends when the half interval is below xtol + rtol abs(m).  Burden & Faires,
*Numerical Analysis* (9th ed., 2011), Algorithm 2.1, p. 49.
"""

from numopt.kernels.compiling import kernel
from numopt.scalar.call import call, finite, put, scalars
from numopt.scalar.status import BAD_INTERVAL, CONVERGED, MAXITER, NAN, NO_SIGN_CHANGE


@kernel
def ends(f, a, b, args):
    """(status or -1 to go on, root so far, f(a), f(b), evaluations) of a bracket of a root."""
    if not (finite(a) and finite(b)):
        return BAD_INTERVAL, a, 0.0, 0.0, 0
    fa = call(f, a, args)
    if fa != fa:
        return NAN, a, fa, fa, 1
    fb = call(f, b, args)
    if fb != fb:
        return NAN, b, fa, fb, 2
    if fa == 0.0:
        return CONVERGED, a, fa, fb, 2
    if fb == 0.0:
        return CONVERGED, b, fa, fb, 2
    return (NO_SIGN_CHANGE if (fa > 0.0) == (fb > 0.0) else -1), a, fa, fb, 2


@kernel
def bisection(f, a, b, args, xtol, rtol, maxiter):
    """(root, status, iterations, evaluations)."""
    status, m, fa, fb, calls = ends(f, a, b, args)
    if status >= 0:
        return m, status, 0, calls
    for k in range(maxiter):
        h = 0.5 * b - 0.5 * a  # b - a may overflow
        m = a + h
        fm = call(f, m, args)
        calls += 1
        if fm != fm:
            return m, NAN, k + 1, calls
        if fm == 0.0 or abs(h) < xtol + rtol * abs(m):
            return m, CONVERGED, k + 1, calls
        if (fm > 0.0) == (fa > 0.0):
            a, fa = m, fm
        else:
            b = m
    return m, MAXITER, maxiter, calls


def unit(f, args, address):
    """``p`` holds a, b, xtol, rtol, maxiter."""
    p = scalars(address)
    x, status, iterations, calls = bisection(f, p[0], p[1], args, p[2], p[3], int(p[4]))
    return put(p, x, 0.0, status, iterations, calls)
