"""The KKT conditions at any point."""

import numpy as np

_SCALE = 100.0  # as in numopt.kernels.kkt


def slackness(y, c, lower, upper):
    """The products of multipliers and distances from their limits."""
    with np.errstate(invalid="ignore"):
        to_lower = np.where(lower > -np.inf, np.abs(c - lower), 1.0)
        to_upper = np.where(upper < np.inf, np.abs(upper - c), 1.0)
    return np.where(lower == upper, 0.0, np.where(y > 0, y * to_lower, np.where(y < 0, -y * to_upper, np.abs(y))))


def residuals(x, g, J, c, y, z, lower, upper, x_lower, x_upper):
    """(stationarity, complementarity), as numopt.kernels.kkt has them."""
    total = np.abs(y).sum() + np.abs(z).sum()
    scale = max(1.0, total / ((x.size + c.size) * _SCALE))
    slope = np.abs(g - J.T @ y - z).max()
    slack = max(slackness(y, c, lower, upper).max(initial=0.0), slackness(z, x, x_lower, x_upper).max())
    return float(slope / scale), float(slack / scale)
