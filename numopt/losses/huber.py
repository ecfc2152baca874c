"""Huber's loss with its scale, for a target y at z:  sigma + sigma H((y - z) / sigma).

H(u) = u^2 for |u| <= epsilon, else 2 epsilon |u| - epsilon^2: convex in z and sigma together.

Reference: A. B. Owen, A robust hybrid of lasso and ridge regression, Contemp. Math. 443 (2007), 59-71.
"""

from numopt.kernels.compiling import kernel


@kernel
def terms(y, z, sigma, epsilon):
    """(value, derivative in z, curvature in z).  The derivative in sigma is 1 - (derivative in z)^2 / 4."""
    u = (y - z) / sigma
    if abs(u) <= epsilon:
        return sigma * (1.0 + u * u), -2.0 * u, 2.0 / sigma
    slope = 2.0 * epsilon if u < 0.0 else -2.0 * epsilon
    return sigma * (1.0 + 2.0 * epsilon * abs(u) - epsilon * epsilon), slope, 0.0
