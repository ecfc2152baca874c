"""What the trust-region methods share: products, the judgement of a step, the radius, the way to the boundary.

Nocedal & Wright, Numerical Optimization, 2nd ed., Springer 2006, algorithm 4.1.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.dense import times
from numopt.kernels.oracle import evaluate, evaluate_hessp, vector
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    DENSE,
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
    N,
    T,
    X,
)
from numopt.kernels.stopping import EPS
from numopt.kernels.vectors import dot, norm, step_to

RETRY = -1  # the step was not taken: once more, with the new radius
_FEW_DIGITS = 1000.0 * EPS  # f's last three: a fall as small as this says little of the step
SHRINKS = 200  # quarters of the radius; 120 take 1 below any rounding of x


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
def product(R, x, v, out, at):
    """out = H v; returns v'Hv.  ``at``: where in the workspace a dense H stands, in vectors."""
    n = R.c[N]
    if R.c[DENSE] != 0:
        return times(R.w[at * n : (at + n) * n], v, out)
    evaluate_hessp(R, x, v, out)
    return dot(v, out)


@kernel
def attempt(R, d, curvature, on_boundary, radius):
    """Evaluate at x + d and judge: (new radius, task).  ``curvature``: d'Hd of the model."""
    x, g = vector(R, X + R.c[PARITY]), vector(R, G + R.c[PARITY])
    xt, gt = vector(R, X + 1 - R.c[PARITY]), vector(R, G + 1 - R.c[PARITY])
    if not abs(curvature) < float("inf"):
        curvature = 0.0  # of no use: the model is linear
    step_to(x, 1.0, d, xt)
    f = evaluate(R, xt, gt)
    if R.c[ABORT] != 0:
        return radius, FAILED
    return judge(R, f, -dot(g, d) - 0.5 * curvature, dot(d, d) ** 0.5, on_boundary, radius)


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
    taken = rho > p[ETA] or (0.0 <= f0 - f <= _FEW_DIGITS * abs(f0) and gnorm < p[GNORM])
    if rho < 0.25:
        radius *= 0.25
        while not taken and radius >= length > 0.0:
            radius *= 0.25  # so that the next trial is another point
    elif rho > 0.75 and on_boundary:
        radius = min(2.0 * radius, p[RADIUS_MAX])
    if taken:
        p[RADIUS], p[F_TRIAL], p[T] = radius, f, 1.0
        return radius, ACCEPT
    if not radius > 1e-3 * EPS * norm(vector(R, X + c[PARITY]), 2.0) or radius < 1e-300:
        return radius, FLAT if promise <= rounding else FAILED
    return radius, RETRY
