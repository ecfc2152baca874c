"""exp, expm1, log1p and erf without branches, so that LLVM turns a loop over samples into vector instructions.

The C library's functions are called one number at a time, which takes longer than all the rest of a loss.
"""

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
def _split(x):
    """(2^k, e^r - 1) with e^x = 2^k e^r and |r| <= ln 2 / 2, by the series; x is held within [-708, 709]."""
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
    return _real((_bits(shifted) << 52) + (1023 << 52)), s * (r * r) + r


@exact
def exp(x):
    """e^x = 2^k e^r."""
    scale, rest = _split(x)
    return (rest + 1.0) * scale


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
    scale, rest = _split(x)
    return scale * rest + (scale - 1.0)


@exact
def erf(x):
    """The error function: a rational approximation of erf(x) / x to |x| = 1, of exp(x^2) erfc(x) beyond (Cephes)."""
    a = 27.0 if abs(x) > 27.0 else abs(x)
    q = a * a
    p = 9.60497373987051638749e0
    p = p * q + 9.00260197203842689217e1
    p = p * q + 2.23200534594684319226e3
    p = p * q + 7.00332514112805075473e3
    p = p * q + 5.55923013010394962768e4
    s = q + 3.35617141647503099647e1
    s = s * q + 5.21357949780152679795e2
    s = s * q + 4.59432382970980127987e3
    s = s * q + 2.26290000613890934246e4
    s = s * q + 4.92673942608635921086e4
    small = x * (p / s)
    p = 2.46196981473530512524e-10
    p = p * a + 5.64189564831068821977e-1
    p = p * a + 7.46321056442269912687e0
    p = p * a + 4.86371970985681366614e1
    p = p * a + 1.96520832956077098242e2
    p = p * a + 5.26445194995477358631e2
    p = p * a + 9.34528527171957607540e2
    p = p * a + 1.02755188689515710272e3
    p = p * a + 5.57535335369399327526e2
    s = a + 1.32281951154744992508e1
    s = s * a + 8.67072140885989742329e1
    s = s * a + 3.54937778887819891062e2
    s = s * a + 9.75708501743205489753e2
    s = s * a + 1.82390916687909736289e3
    s = s * a + 2.24633760818710981792e3
    s = s * a + 1.65666309194161350182e3
    s = s * a + 5.57535340817727675546e2
    large = 1.0 - exp(-q) * (p / s)
    return small if a <= 1.0 else -large if x < 0.0 else large
