"""exp, expm1, log1p and erf without branches, so that LLVM turns a loop over samples into vector instructions.

The C library's functions are called one number at a time, which takes longer than all the rest of a loss.
"""

import math

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from numopt.kernels.compiling import _OPTIONS

# Inlined, or loops would not be vectorised.  A function called from a reduction would inherit its licence to reorder
# sums, which takes the rounding out of exp.
exact = njit(fastmath=False, forceinline=True, **_OPTIONS)

LOG2E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # k LN2_HIGH is exact for |k| < 2^20
SHIFTER = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits of the number


@intrinsic
def _bits(typing, x):
    """The bits of a double, as an integer."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def _real(typing, k):
    """The double that has these bits."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@exact
def exp(x):
    """e^x = 2^k e^r with |r| <= ln 2 / 2 and the series of e^r; x is held within [-708, 709]."""
    x = min(max(x, -708.0), 709.0)
    shifted = x * LOG2E + SHIFTER
    k = shifted - SHIFTER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    s = 1.0 / 6227020800.0
    s = s * r + 1.0 / 479001600.0
    s = s * r + 1.0 / 39916800.0
    s = s * r + 1.0 / 3628800.0
    s = s * r + 1.0 / 362880.0
    s = s * r + 1.0 / 40320.0
    s = s * r + 1.0 / 5040.0
    s = s * r + 1.0 / 720.0
    s = s * r + 1.0 / 120.0
    s = s * r + 1.0 / 24.0
    s = s * r + 1.0 / 6.0
    s = s * r + 0.5
    s = s * (r * r) + r + 1.0
    return s * _real((_bits(shifted) << 52) + (1023 << 52))


@exact
def log1p(e):
    """log(1 + e) for 0 <= e <= 1: the series of 2 artanh(t), t = e / (2 + e) <= 1/3."""
    t = e / (2.0 + e)
    q = t * t
    s = 1.0 / 33.0
    s = s * q + 1.0 / 31.0
    s = s * q + 1.0 / 29.0
    s = s * q + 1.0 / 27.0
    s = s * q + 1.0 / 25.0
    s = s * q + 1.0 / 23.0
    s = s * q + 1.0 / 21.0
    s = s * q + 1.0 / 19.0
    s = s * q + 1.0 / 17.0
    s = s * q + 1.0 / 15.0
    s = s * q + 1.0 / 13.0
    s = s * q + 1.0 / 11.0
    s = s * q + 1.0 / 9.0
    s = s * q + 1.0 / 7.0
    s = s * q + 0.2
    s = s * q + 1.0 / 3.0
    return 2.0 * (t + t * q * s)


@exact
def expm1(x):
    """e^x - 1 = 2^k (e^r - 1) + (2^k - 1): no digits cancel where x is small."""
    x = min(max(x, -708.0), 709.0)
    shifted = x * LOG2E + SHIFTER
    k = shifted - SHIFTER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    s = 1.0 / 6227020800.0
    s = s * r + 1.0 / 479001600.0
    s = s * r + 1.0 / 39916800.0
    s = s * r + 1.0 / 3628800.0
    s = s * r + 1.0 / 362880.0
    s = s * r + 1.0 / 40320.0
    s = s * r + 1.0 / 5040.0
    s = s * r + 1.0 / 720.0
    s = s * r + 1.0 / 120.0
    s = s * r + 1.0 / 24.0
    s = s * r + 1.0 / 6.0
    s = s * r + 0.5
    scale = _real((_bits(shifted) << 52) + (1023 << 52))
    return scale * (s * (r * r) + r) + (scale - 1.0)


@exact
def erf(x):
    """Placeholder."""
    return math.erf(x)
