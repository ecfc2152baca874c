"""What the solvers of the lasso's small problems share: orders, optimality, and the walk over kinks."""

from numopt.kernels.compiling import kernel, reduction
from numopt.penalties.l1 import distance


@reduction
def add_multiple(a, x, y, m):
    """y += a x over the first m entries."""
    x, y = x[:m], y[:m]
    for i in range(m):
        y[i] += a * x[i]


@kernel
def shuffle(order, m, seed):
    """A random order of the first m entries (Fisher and Yates), by xorshift64*; returns the new seed."""
    for i in range(m - 1, 0, -1):
        seed ^= (seed >> 12) & 0xFFFFFFFFFFFFF
        seed ^= seed << 25
        seed ^= (seed >> 27) & 0x1FFFFFFFFF
        k = ((seed >> 20) & 0xFFFFFFFFFF) % (i + 1)
        t = order[i]
        order[i] = order[k]
        order[k] = t
    return seed


@kernel
def line_minimiser(w, d, k, slope, curvature, na):
    """The t > 0 that minimises the smooth quadratic along d plus na |w + t d|_1, by its kinks in turn.

    ``slope`` is the derivative of the smooth part at t = 0.  Returns (t, index of the coordinate that is zero there
    or -1).
    """
    at, which = 0.0, -1
    derivative = slope
    for j in range(k):
        if w[j] != 0.0:
            derivative += na * (d[j] if w[j] > 0.0 else -d[j])
        else:
            derivative += na * abs(d[j])
    while True:
        free = at - derivative / curvature if curvature > 0.0 else 1e300
        kink, jump, first = 1e300, 0.0, -1
        for j in range(k):
            if w[j] * d[j] < 0.0:
                t = -w[j] / d[j]
                if t > at and t < kink:
                    kink, jump, first = t, 2.0 * na * abs(d[j]), j
        if derivative >= 0.0 or first < 0 or free <= kink:
            return (max(free, at) if derivative < 0.0 else at), which
        derivative += curvature * (kink - at)
        at, which = kink, first
        derivative += jump
        if derivative >= 0.0:
            return at, which


@kernel
def violation(q, w, na, l2, m, positive):
    """The largest distance from optimality on the working set."""
    worst = 0.0
    for j in range(m):
        worst = max(worst, distance(q[j] - l2 * w[j], w[j], na, positive))
    return worst
