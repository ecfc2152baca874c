"""The Faddeeva function w(z) = exp(-z^2) erfc(-iz) above the real axis, with its derivatives.

Far from zero it is Laplace's continued fraction, nearer a sum over exp(-(a n - x)^2), Zaghloul & Ali's Algorithm 916.

References
----------
M. R. Zaghloul & A. N. Ali, Algorithm 916, ACM Trans. Math. Softw. 38 (2011), 15.
G. P. M. Poppe & C. M. J. Wijers, More efficient computation of the complex error function, ACM Trans. Math. Softw. 16
(1990), 38: the ellipse outside which the fraction is used, and its number of terms.
"""

import math

import numpy as np

from numopt.kernels.compiling import kernel

_A = math.pi / math.sqrt(-math.log(0.5 * np.finfo(float).eps))  # step of the sum: its error is rounding
_A2 = _A * _A
_C = 2.0 * _A / math.pi
_EXP = np.exp(-_A2 * np.arange(53.0) ** 2)
_EPS = np.finfo(float).eps
_ISPI = 1.0 / math.sqrt(math.pi)


@kernel
def wofz(x, y):
    """(w, w', w + z w') at z = x + iy, for y >= 0 and not beyond 1e8; w + z w' is -w''/2.

    The last two are formed without the cancellation that -2 z w + 2i / sqrt(pi) has where z is large.
    """
    rho = math.sqrt((x / 6.3) ** 2 + (y / 4.4) ** 2)
    if rho > 1.0 and (y > 0.1 or abs(x) > 8.0):
        return _fraction(x, y, int(5.0 + 1442.0 / (26.0 * rho + 77.0)))
    return _sum(x, y)


@kernel
def _fraction(x, y, terms):
    """w = i / sqrt(pi) / (z - r), r = 1/2 / (z - s), s = 1 / (z - (3/2) / (z - ...))."""
    z = complex(x, y)
    u = z
    for k in range(terms, 2, -1):
        u = z - 0.5 * k / u
    s = 1.0 / u
    r = 0.5 / (z - s)
    w = complex(0.0, _ISPI) / (z - r)
    dw = -2.0 * r * w  # -2 z w + 2i / sqrt(pi), where z w = i / sqrt(pi) + r w
    ddw = -w * s / (z - s)
    if y < 1e-10:
        # what the fraction leaves out so near the axis, and what else is too small to be seen
        e = math.exp(-x * x)
        w += e
        dw += -2.0 * x * e
        ddw += (1.0 - 2.0 * x * x) * e
    return w, dw, ddw


@kernel
def _sum(x, y):
    ax = abs(x)
    e = math.exp(-x * x)
    up = math.exp(2.0 * _A * ax)
    down = 1.0 / up
    ups = downs = 1.0
    s1 = s2 = s3 = 0.0
    for n in range(1, 53):
        f = _EXP[n] * e / (_A2 * n * n + y * y)
        ups, downs = ups * up, downs * down
        s1 += f
        s2 += f * (downs + ups)
        # sinh where the difference would cancel
        term = f * _A * n * (2.0 * math.sinh(2.0 * _A * n * ax) if ax < 0.01 else ups - downs)
        s3 += term
        if f * ups * _A * n < _EPS * s3 and f * ups < _EPS * s2:
            break
    f = e * math.exp(y * y) * math.erfc(y) - _C * y * s1
    t = x * y
    g = _C * x * e
    re = f * math.cos(2.0 * t) + g * math.sin(t) * _sinc(t) + 0.5 * _C * y * s2
    im = g * _sinc(2.0 * t) - f * math.sin(2.0 * t) + 0.5 * _C * math.copysign(s3, x)
    z, w = complex(x, y), complex(re, im)
    dw = -2.0 * z * w + complex(0.0, 2.0 * _ISPI)
    return w, dw, w + z * dw


@kernel
def _sinc(t):
    return 1.0 - t * t / 6.0 if abs(t) < 1e-4 else math.sin(t) / t
