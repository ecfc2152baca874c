r"""The KKT conditions at a point: violation, stationarity, complementarity (Nocedal & Wright, theorem 12.1).

With the multipliers y of the constraints and z of the bounds, grad f = J'y + z:

* violation: the largest of cl - c, c - cu, xl - x, x - xu, each relative to max(1, size of the limit);
* stationarity: the largest component of g - J'y - z;
* complementarity: the largest of y_i (c_i - cl_i) where y_i > 0, |y_i| (cu_i - c_i) where y_i < 0, and the same of the
  bounds; where there is no such limit, the multiplier itself: it has the wrong sign.

The last two are divided by s = max(1, mean absolute multiplier / 100) (Wächter & Biegler 2006, (6)): large multipliers
are not known to an absolute accuracy.  But s is 10 at most: where multipliers grow without bound there are none, and
anything divided by them is small.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import c_at, g_at, jacobian_at, lower_limits, upper_limits, x_at, y_at, z_at
from numopt.kernels.constrained_slots import COMPLEMENTARITY, STATIONARITY, VIOLATION
from numopt.kernels.oracle import lower_bounds, upper_bounds
from numopt.kernels.slots import GNORM

_SCALE, _SCALE_MOST = 100.0, 10.0
_INF = float("inf")


@kernel
def row_violation(c, cl, cu):
    """Of one row, relative to max(1, size of the limit); infinite for NaN."""
    if cl <= c <= cu:
        return 0.0
    if c < cl:
        return (cl - c) / max(1.0, abs(cl))
    if c > cu:
        return (c - cu) / max(1.0, abs(cu))
    return _INF


@kernel
def violation_of(c, cl, cu):
    """The largest over all rows."""
    v = 0.0
    for i in range(c.size):
        v = max(v, row_violation(c[i], cl[i], cu[i]))
    return v


@kernel
def _slackness(y, c, cl, cu):
    """y times the distance from its limit."""
    if cl == cu:
        return 0.0
    if y > 0.0:
        return y * (abs(c - cl) if cl > -_INF else 1.0)
    if y < 0.0:
        return -y * (abs(cu - c) if cu < _INF else 1.0)
    return 0.0 if y == 0.0 else _INF


@kernel
def lagrangian_gradient(g, J, y, z, out):
    """out = g - J'y - z."""
    n = g.size
    for j in range(n):
        out[j] = g[j] - z[j]
    for i in range(y.size):
        if y[i] != 0.0:
            for j in range(n):
                out[j] -= J[i * n + j] * y[i]


@kernel
def assess(R, k, scratch):
    """Sets VIOLATION, STATIONARITY, COMPLEMENTARITY and GNORM, the larger of the last two, for place k.

    ``scratch``: n doubles, set to the gradient of the Lagrangian.
    """
    p = R.p
    x, g, z, c, y, J = x_at(R, k), g_at(R, k), z_at(R, k), c_at(R, k), y_at(R, k), jacobian_at(R, k)
    xl, xu, cl, cu = lower_bounds(R), upper_bounds(R), lower_limits(R), upper_limits(R)
    v = max(violation_of(x, xl, xu), violation_of(c, cl, cu))
    lagrangian_gradient(g, J, y, z, scratch)
    total, slack, slope = 0.0, 0.0, 0.0
    for j in range(x.size):
        total += abs(z[j])
        slack = max(slack, _slackness(z[j], x[j], xl[j], xu[j]))
        a = abs(scratch[j])
        slope = a if a > slope or a != a else slope
    for i in range(c.size):
        total += abs(y[i])
        slack = max(slack, _slackness(y[i], c[i], cl[i], cu[i]))
    s = min(max(1.0, total / ((x.size + c.size) * _SCALE)), _SCALE_MOST)
    p[VIOLATION], p[STATIONARITY], p[COMPLEMENTARITY] = v, slope / s, slack / s
    p[GNORM] = slope / s if slope / s > slack / s or slope != slope else slack / s
    return v
