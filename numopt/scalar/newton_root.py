r"""Newton's and Halley's methods for a root of f, from one point.

.. math::

    s = f(x)/f'(x), \qquad x \leftarrow x - s \qquad (1)

    s \leftarrow s/(1 - h), \quad h = \frac{s\, f''(x)}{2 f'(x)}, \quad \text{where } |h| < 1 \qquad (2)

The order is 2 and 3 at a simple root, 1 at a multiple one.  It ends when abs(s) <= xtol + rtol abs(x): a small step is
no proof of a root.

Safeguards: a step to where f is NaN or infinite is halved until f is finite; Halley's correction is left out
where it would turn the step round; f' = 0, or a step that is not finite, ends the run.

References: J. Nocedal & S. J. Wright, *Numerical Optimization* (2nd ed., 2006), section 11.1, pp. 274-276.  (2):
J. F. Traub, *Iterative Methods for the Solution of Equations* (1964), section 5.2.
"""

import numpy as np
from numba import carray, types
from numba.extending import overload

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer
from numopt.scalar.call import COMBINED, P_OUT, by_address, finite, put, scalars
from numopt.scalar.status import CONVERGED, FLAT, MAXITER, NAN

HALVINGS = 60  # from 1 to below the rounding error of x


def first(f, out, x, args):
    """What f returns at x: f(x), or a tuple that begins with it."""
    return f(x, *args)


def head(r):
    """f(x) of what f returned."""
    return float(r[0] if isinstance(r, tuple) else r)


def slope(r, fprime, out, x, args):
    """(f'(x), evaluations that it took)."""
    return (float(r[1]), 0) if fprime is None else (float(fprime(x, *args)), 1)


def curvature(r, fprime2, out, x, args):
    """(f''(x), evaluations that it took); 0 where it is not given, or not wanted (False)."""
    if fprime2 is False:
        return 0.0, 0
    if fprime2 is None:
        return (float(r[2]) if isinstance(r, tuple) and len(r) > 2 else 0.0), 0
    return float(fprime2(x, *args)), 1


def _none(kind):
    return isinstance(kind, (types.NoneType, types.Omitted))


@overload(first, target="generic")
def _first(f, out, x, args):
    if isinstance(f, types.Integer):
        return lambda f, out, x, args: by_address(f, x, args, out)
    return lambda f, out, x, args: f(x, *args)


@overload(head, target="generic")
def _head(r):
    return (lambda r: float(r[0])) if isinstance(r, types.BaseTuple) else (lambda r: float(r))


@overload(slope, target="generic")
def _slope(r, fprime, out, x, args):
    if isinstance(fprime, types.Integer):

        def at_address(r, fprime, out, x, args):
            if fprime == COMBINED:
                return carray(void_pointer(out), (2,), types.float64)[0], 0
            return by_address(fprime, x, args, 0), 1

        return at_address
    if _none(fprime):
        return lambda r, fprime, out, x, args: (float(r[1]), 0)
    return lambda r, fprime, out, x, args: (float(fprime(x, *args)), 1)


@overload(curvature, target="generic")
def _curvature(r, fprime2, out, x, args):
    if isinstance(fprime2, types.Integer):

        def at_address(r, fprime2, out, x, args):
            if fprime2 == 0:
                return 0.0, 0
            if fprime2 == COMBINED:
                return carray(void_pointer(out), (2,), types.float64)[1], 0
            return by_address(fprime2, x, args, 0), 1

        return at_address
    if isinstance(fprime2, types.Boolean):
        return lambda r, fprime2, out, x, args: (0.0, 0)
    if not _none(fprime2):
        return lambda r, fprime2, out, x, args: (float(fprime2(x, *args)), 1)
    if isinstance(r, types.BaseTuple) and len(r) > 2:
        return lambda r, fprime2, out, x, args: (float(r[2]), 0)
    return lambda r, fprime2, out, x, args: (0.0, 0)


@kernel
def newton_root(f, fprime, fprime2, out, x, args, xtol, rtol, maxiter):
    """(root, status, iterations, evaluations)."""
    calls = 0
    s, before = 0.0, x
    for k in range(maxiter):
        r = first(f, out, x, args)
        calls += 1
        halvings = 0
        while not finite(head(r)) and k > 0 and halvings < HALVINGS:
            s *= 0.5
            x = before - s
            r = first(f, out, x, args)
            calls += 1
            halvings += 1
        fx = head(r)
        if not finite(fx):
            return x, NAN, k, calls
        if fx == 0.0:
            return x, CONVERGED, k, calls
        d, count = slope(r, fprime, out, x, args)
        calls += count
        if d != d:
            return x, NAN, k + 1, calls
        s = fx / d  # (1)
        if not finite(s):
            return x, FLAT, k + 1, calls
        d2, count = curvature(r, fprime2, out, x, args)
        calls += count
        h = 0.5 * s * d2 / d
        if abs(h) < 1.0:
            s /= 1.0 - h  # (2)
        before, x = x, x - s
        if abs(x - before) <= xtol + rtol * abs(before):
            return x, CONVERGED, k + 1, calls
    return x, MAXITER, maxiter, calls


def unit(f, args, address):
    """``p`` holds x0, xtol, rtol, maxiter, and the addresses of f' and f'' as whole numbers."""
    p = scalars(address)
    words = p.view(np.int64)
    out = address + 8 * P_OUT
    x, status, iterations, calls = newton_root(f, words[4], words[5], out, p[0], args, p[1], p[2], int(p[3]))
    return put(p, x, 0.0, status, iterations, calls)
