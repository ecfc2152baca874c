"""Arithmetic on vectors.

What follows another operation on the same numbers is done in the same pass, because long vectors cost what they
weigh: bytes moved.
"""

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from numopt.kernels.compiling import kernel, reduction


@reduction
def dot(x, y):
    """x'y."""
    s = 0.0
    for i in range(x.size):
        s += x[i] * y[i]
    return s


@kernel
def copy(x, out):
    """out = x."""
    for i in range(x.size):
        out[i] = x[i]


@kernel
def scale(a, x, out):
    """out = a x."""
    for i in range(x.size):
        out[i] = a * x[i]


@kernel
def step_to(x, t, d, out):
    """out = x + t d; ``out`` may be ``x``."""
    for i in range(x.size):
        out[i] = x[i] + t * d[i]


@kernel
def combine(a, x, b, y, out):
    """out = a x + b y; ``out`` may be ``x`` or ``y``."""
    for i in range(x.size):
        out[i] = a * x[i] + b * y[i]


@reduction
def steepest_descent(g, d):
    """d = -g; returns g'g."""
    s = 0.0
    for i in range(g.size):
        d[i] = -g[i]
        s += g[i] * g[i]
    return s


@reduction
def combine_dots(a, g, b, d):
    """d = a g + b d; returns (g'd, d'd) of the new d."""
    s, r = 0.0, 0.0
    for i in range(g.size):
        di = a * g[i] + b * d[i]
        d[i] = di
        s += g[i] * di
        r += di * di
    return s, r


@reduction
def gradient_dots(g, gp, d):
    """(g'g, g'gp, g'd, d'd)."""
    a, b, c, e = 0.0, 0.0, 0.0, 0.0
    for i in range(g.size):
        a += g[i] * g[i]
        b += g[i] * gp[i]
        c += g[i] * d[i]
        e += d[i] * d[i]
    return a, b, c, e


@reduction
def set_differences(xt, x, gt, g, s, y):
    """s = xt - x, y = gt - g; returns (y's, y'y, s's, s'gt)."""
    a, b, c, e = 0.0, 0.0, 0.0, 0.0
    for i in range(x.size):
        si, yi = xt[i] - x[i], gt[i] - g[i]
        s[i], y[i] = si, yi
        a += yi * si
        b += yi * yi
        c += si * si
        e += si * gt[i]
    return a, b, c, e


@reduction
def difference_dots(xt, x, gt, g):
    """(y's, y'y, s's) with s = xt - x, y = gt - g."""
    a, b, c = 0.0, 0.0, 0.0
    for i in range(x.size):
        si, yi = xt[i] - x[i], gt[i] - g[i]
        a += yi * si
        b += yi * yi
        c += si * si
    return a, b, c


@reduction
def subtract_dot(a, x, g, d, z):
    """d = -g - a x; returns d'z."""
    s = 0.0
    for i in range(d.size):
        di = -g[i] - a * x[i]
        d[i] = di
        s += di * z[i]
    return s


@reduction
def add_dot(a, x, b, d, z):
    """d = a x + b d; returns the new d'z."""
    s = 0.0
    for i in range(d.size):
        di = a * x[i] + b * d[i]
        d[i] = di
        s += di * z[i]
    return s


def norm_inf(x):
    """max |x_i|, NaN if any x_i is."""
    m = 0.0
    for i in range(x.size):
        a = abs(x[i])
        if a > m or a != a:
            m = a
    return m


@overload(norm_inf, target="generic")
def _norm_inf(x):
    return norm_inf


@intrinsic
def _as_real(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(types.int64), codegen


@overload(norm_inf, target="cpu")
def _norm_inf_cpu(x):
    def by_bits(x):
        # Without their sign, doubles are in the order of their bits read as integers, with NaN above all: the
        # maximum of integers is what LLVM uses vector registers for.
        bits = x.view(np.int64)
        m = np.int64(0)
        for i in range(bits.size):
            b = bits[i] & 0x7FFFFFFFFFFFFFFF
            m = b if b > m else m
        return _as_real(m)

    return by_bits


@reduction
def distance(x, y):
    """|x - y|."""
    s = 0.0
    for i in range(x.size):
        s += (x[i] - y[i]) * (x[i] - y[i])
    return s**0.5


@reduction
def mean_distance(x, y):
    """The mean of |x_i - y_i|."""
    s = 0.0
    for i in range(x.size):
        s += abs(x[i] - y[i])
    return s / x.size


@kernel
def norm(x, order):
    """The norm of order ``order`` (inf, -inf, or a positive number)."""
    if order == float("inf"):
        return norm_inf(x)
    if order == 2.0:
        return dot(x, x) ** 0.5
    if order == float("-inf"):
        m = float("inf")
        for i in range(x.size):
            m = min(m, abs(x[i]))
        return m
    s = 0.0
    for i in range(x.size):
        s += abs(x[i]) ** order
    return s ** (1.0 / order)
