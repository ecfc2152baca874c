r"""The secant method: Newton's with the slope through the last two points.

.. math:: x_{k+1} = x_k - f(x_k) \frac{x_k - x_{k-1}}{f(x_k) - f(x_{k-1})} \qquad (1)

Order 1.618 at a simple root.  Safeguards: a step to where f is NaN or infinite is halved until f is finite; equal
values at both points end the run.  J. F. Traub, *Iterative Methods for the Solution of Equations* (1964), section 3.3.
"""

from numopt.kernels.compiling import kernel
from numopt.scalar.call import call, finite, put, scalars
from numopt.scalar.status import CONVERGED, FLAT, MAXITER, NAN

HALVINGS = 60  # from 1 to below the rounding error of x


@kernel
def second_point(x0):
    """A point beside x0, for callers that give none."""
    x1 = x0 * (1.0 + 1e-4)
    return x1 + 1e-4 if x1 >= 0.0 else x1 - 1e-4


@kernel
def secant(f, a, b, args, xtol, rtol, maxiter):
    """(root, status, iterations, evaluations) from a and b; NaN for b: a point beside a."""
    if b != b:
        b = second_point(a)
    fa, fb = call(f, a, args), call(f, b, args)
    calls = 2
    if not (finite(fa) and finite(fb)):
        return (b if finite(fa) else a), NAN, 0, calls
    if abs(fb) < abs(fa):
        a, b, fa, fb = b, a, fb, fa
    if fa == 0.0:
        return a, CONVERGED, 0, calls
    for k in range(maxiter):
        if fb == 0.0:
            return b, CONVERGED, k, calls
        if fa == fb:
            return 0.5 * a + 0.5 * b, FLAT, k + 1, calls
        # (1), divided by the larger value, so that nothing overflows
        if abs(fb) > abs(fa):
            x = (a - fa / fb * b) / (1.0 - fa / fb)
        else:
            x = (b - fb / fa * a) / (1.0 - fb / fa)
        if not finite(x):
            return b, FLAT, k + 1, calls
        if abs(x - b) <= xtol + rtol * abs(b):
            return x, CONVERGED, k + 1, calls
        if k + 1 == maxiter:
            return x, MAXITER, maxiter, calls
        fx = call(f, x, args)
        calls += 1
        halvings = 0
        while not finite(fx) and halvings < HALVINGS:
            x = 0.5 * x + 0.5 * b
            fx = call(f, x, args)
            calls += 1
            halvings += 1
        if not finite(fx):
            return x, NAN, k + 1, calls
        a, b, fa, fb = b, x, fb, fx
    return b, MAXITER, maxiter, calls


def unit(f, args, address):
    """``p`` holds x0, x1, xtol, rtol, maxiter."""
    p = scalars(address)
    x, status, iterations, calls = secant(f, p[0], p[1], args, p[2], p[3], int(p[4]))
    return put(p, x, 0.0, status, iterations, calls)
