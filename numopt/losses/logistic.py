"""Logistic loss of a class y in {0, 1} at the score z:  log(1 + e^m), m = z for y = 0 and -z for y = 1."""

from numopt.losses.elementary import exact, exp, log1p


@exact
def terms(y, z):
    """(value, derivative p - y, curvature p (1 - p)), p = 1 / (1 + e^-z); none is lost in rounding for large |z|."""
    sign = 1.0 - 2.0 * y
    m = sign * z
    e = exp(min(m, -m))
    share = 1.0 / (1.0 + e)
    small = e * share
    # 1 / (1 + e^-m) is the larger of the two shares for m > 0; written without a branch
    return log1p(e) + max(m, 0.0), sign * (max(min(m * 1e300, share), small)), small * share
