"""What the trust-region methods share: the judgement of a step, the radius, the way to the boundary.

Nocedal & Wright, Numerical Optimization, 2nd ed., Springer 2006, algorithm 4.1.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import vector
from numopt.kernels.slots import (
    ACCEPT,
    ETA,
    F_TRIAL,
    FAILED,
    FLAT,
    GNORM,
    NORM_ORDER,
    PARITY,
    RADIUS,
    RADIUS_MAX,
    UNBOUNDED_BELOW,
    F,
    G,
    T,
    X,
)
from numopt.kernels.stopping import EPS
from numopt.kernels.vectors import dot, norm

RETRY = -1  # the step was not taken: once more, with the new radius


@kernel
def to_boundary(z, d, radius):
    """tau >= 0 with |z + tau d| = radius, for |z| <= radius."""
    a, b, c = dot(d, d), dot(z, d), dot(z, z) - radius * radius
    if a == 0.0:
        return 0.0
    root = max(0.0, b * b - a * c) ** 0.5
    # of the two formulas the one without cancellation
    return (root - b) / a if b <= 0.0 else max(0.0, -c) / (b + root)


@kernel
def judge(R, f, promise, length, on_boundary, radius):
    """(new radius, task) for a trial point with value f, in the trial buffers, whose model promised a decrease.

    Sets p[RADIUS], p[F_TRIAL] and p[T] where the step is taken.
    """
    c, p = R.c, R.p
    f0, gnorm = p[F], norm(vector(R, G + 1 - c[PARITY]), p[NORM_ORDER])
    rounding = 10.0 * EPS * abs(f0)
    if f == float("-inf"):
        p[F_TRIAL], p[T] = f, 1.0
        return radius, UNBOUNDED_BELOW
    if promise <= rounding and abs(f - f0) <= rounding:
        # f can't tell any more: the gradient does
        rho = 1.0 if gnorm < p[GNORM] else -1.0
        if rho < 0.0:
            return radius, FLAT
    elif abs(f) < float("inf") and gnorm < float("inf"):
        rho = (f0 - f) / promise  # (4.4)
    else:
        rho = -1.0
    if rho < 0.25:
        radius = 0.25 * min(radius, length)
    elif rho > 0.75 and on_boundary:
        radius = min(2.0 * radius, p[RADIUS_MAX])
    if rho > p[ETA]:
        p[RADIUS], p[F_TRIAL], p[T] = radius, f, 1.0
        return radius, ACCEPT
    if not radius > 1e-3 * EPS * norm(vector(R, X + c[PARITY]), 2.0) or radius < 1e-300:
        return radius, FLAT if promise <= rounding else FAILED
    return radius, RETRY
