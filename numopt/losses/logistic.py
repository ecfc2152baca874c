"""Logistic loss of a class y in {0, 1} at the score z:  log(1 + e^z) - y z."""

from numopt.kernels.compiling import kernel
from numopt.losses.elementary import exp, log1p


@kernel
def terms(y, z):
    """(value, derivative p - y, curvature p (1 - p)), p = 1 / (1 + e^-z); none is lost in rounding for large |z|."""
    e = exp(-abs(z))
    share = 1.0 / (1.0 + e)
    small = e * share  # the lesser of p and 1 - p
    # y = 1: p - 1 = -(1 - p)
    upper = z >= 0.0
    p = share if upper else small
    rest = small if upper else share
    value = log1p(e) + y * max(-z, 0.0) + (1.0 - y) * max(z, 0.0)
    return value, (1.0 - y) * p - y * rest, small * share
