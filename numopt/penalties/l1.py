"""na |w|, of one coordinate."""

from numopt.kernels.compiling import kernel


@kernel
def shrink(u, na, positive):
    """Soft thresholding, S(u, na); of nonnegative coordinates if ``positive``."""
    if u > na:
        return u - na
    if u < -na and not positive:
        return u + na
    return 0.0


@kernel
def distance(g, wj, na, positive):
    """How far a coordinate is from its optimality condition; g = -(gradient of the smooth part)."""
    if wj > 0.0:
        return abs(g - na)
    if wj < 0.0:
        return abs(g + na)
    return max((g if positive else abs(g)) - na, 0.0)
