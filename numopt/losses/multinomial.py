"""Cross entropy of a class y in 0..K-1 at the scores z_1..z_K:  log sum_k e^z_k - z_y."""

from math import log

from numopt.kernels.compiling import kernel, reduction
from numopt.losses.elementary import exp


@reduction
def _shares(z, top, p):
    """p = e^(z - top); returns its sum."""
    total = 0.0
    for k in range(z.size):
        p[k] = exp(z[k] - top)
        total += p[k]
    return total


@kernel
def terms(y, z, s, p):
    """Value times s; z becomes the derivative times s, p the shares times s.

    With c = s p the Hessian times u is c * (u - c'u / s).
    """
    top = z[0]
    for k in range(1, z.size):
        top = max(top, z[k])
    at = z[y]
    total = _shares(z, top, p)
    rest = 0.0  # 1 - p_y as a sum of the others: exact where p_y is nearly one
    for k in range(z.size):
        p[k] *= s / total
        z[k] = p[k]
        if k != y:
            rest += p[k]
    z[y] = -rest
    return s * (log(total) + (top - at))
