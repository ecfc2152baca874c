"""Multipliers of a point in ``solvers.sqp``, and how well they fit."""

from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import c_at, g_at, jacobian_at, lower_limits, upper_limits, x_at, y_at, z_at
from numopt.kernels.constrained_slots import COMPLEMENTARITY, CTOL, STATIONARITY, VIOLATION
from numopt.kernels.kkt import assess, violation_of
from numopt.kernels.slots import F_TRIAL, GNORM, PARITY, F, T
from numopt.kernels.sqp_model import STEP_Y, STEP_Z, V3, column, row
from numopt.kernels.vectors import copy, norm_inf

# multipliers, over the size of g, from which on none are believed in
_NO_MULTIPLIER = 1e8


@kernel
def take_multipliers(R, k):
    """The model's multipliers to place k; without bound, as where there are none, they are cut off."""
    y, found, most = y_at(R, k), row(R, STEP_Y), _NO_MULTIPLIER * max(1.0, norm_inf(g_at(R, k)))
    for i in range(y.size):
        y[i] = min(max(found[i], -most), most)
    copy(column(R, STEP_Z), z_at(R, k))


@kernel
def residual(R, k):
    """The larger of stationarity and complementarity at place k; leaves the current point's as they are."""
    p = R.p
    v, s, a, g = p[VIOLATION], p[STATIONARITY], p[COMPLEMENTARITY], p[GNORM]
    assess(R, k, column(R, V3))
    found = p[GNORM]
    p[VIOLATION], p[STATIONARITY], p[COMPLEMENTARITY], p[GNORM] = v, s, a, g
    return found


@kernel
def stay(R):
    """The same point as the next one, with the multipliers that the model has at it."""
    k, p = R.c[PARITY], R.p
    kt = 1 - k
    copy(x_at(R, k), x_at(R, kt))
    copy(g_at(R, k), g_at(R, kt))
    copy(c_at(R, k), c_at(R, kt))
    copy(y_at(R, k), y_at(R, kt))
    copy(z_at(R, k), z_at(R, kt))
    copy(jacobian_at(R, k), jacobian_at(R, kt))
    p[F_TRIAL], p[T] = p[F], 1e-300


@kernel
def sharper(R):
    """Whether the residual of the KKT conditions or the violation is smaller at the trial point."""
    p, k = R.p, R.c[PARITY]
    kt = 1 - k
    take_multipliers(R, kt)
    v = violation_of(c_at(R, kt), lower_limits(R), upper_limits(R))
    if p[VIOLATION] > p[CTOL]:
        return v < p[VIOLATION]
    return v <= p[CTOL] and residual(R, kt) < p[GNORM]
