"""What the methods for sums of squares have in common: their workspace, scaling, active set, trials.

Workspace, after the common vectors: two scalings D, sizes, norms, free, perm, z, u, s, and two spare vectors (n each);
the triangles of the two places of x, S and U (n x (n + 1) each); a row (n + 1).
"""

from numpy import int64

from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.oracle import evaluate_grad, evaluate_value, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    BOUNDED,
    FAILED,
    FLAT,
    GIVEN_SCALE,
    LSQ_FTOL,
    LSQ_XTOL,
    N_COMMON,
    NIT,
    PARITY,
    REDUCTION_SMALL,
    STEP_SMALL,
    TRY,
    N,
)
from numopt.kernels.squares_slots import VECTORS
from numopt.kernels.triangle import column_norms
from numopt.kernels.views import segment

# int64: Numba would compile a function once more for every plain constant that it is called with
SCALE, SIZE, NORMS, FREE, PERM, COLUMNS, SCRATCH, MOVE, SPARE, SPARE2 = (
    int64(N_COMMON + k) for k in (0, 2, 3, 4, 5, 6, 7, 8, 9, 10)
)
EPS = 2.220446049250313e-16
ROUNDING = 1e-11  # of f: what a step may promise and not keep
ULPS = 16.0  # units in the last place of x: a step of no more moves it by rounding
_INF = float("inf")


@inlined
def matrix(R, k):
    """The k-th of the n x (n + 1) matrices: two triangles, S, U."""
    n = R.c[N]
    size = n * (n + 1)
    return segment(R.w, VECTORS * n + k * size, size)


@inlined
def spare_row(R):
    """Room for one row of a triangle."""
    n = R.c[N]
    return segment(R.w, VECTORS * n + 4 * n * (n + 1), n + 1)


@kernel
def held(R, x, g, j):
    """Whether x_j is at a bound and its gradient pushes outwards."""
    if R.c[BOUNDED] == 0:
        return False
    return (x[j] <= lower_bounds(R)[j] and g[j] > 0.0) or (x[j] >= upper_bounds(R)[j] and g[j] < 0.0)


@kernel
def list_free(R, x, g):
    """List the variables that are not held; their number."""
    free, count = vector(R, FREE), 0
    if R.c[BOUNDED] == 0:
        for j in range(x.size):
            free[j] = float(j)
        return x.size
    for j in range(x.size):
        if not held(R, x, g, j):
            free[count] = float(j)
            count += 1
    return count


@kernel
def rescale(R, T, n):
    """D: the user's, or the largest norms of the columns of J so far (1 for a column of zeros)."""
    c = R.c
    d, before = vector(R, SCALE + c[PARITY]), vector(R, SCALE + 1 - c[PARITY])
    norms = vector(R, NORMS)
    column_norms(T, n, norms)
    for j in range(n):
        if c[GIVEN_SCALE] != 0:
            d[j] = before[j]
        elif c[NIT] > 0:
            d[j] = max(norms[j], before[j])
        else:
            d[j] = norms[j] if norms[j] > 0.0 else 1.0


@inlined
def grad_at_trial(R, xt, gt):
    """Whether the gradient at the trial point is finite; sets it, and c[ABORT] if cut off."""
    if not evaluate_grad(R, xt, gt) or R.c[ABORT] != 0:
        return False
    good = True
    for j in range(gt.size):
        good = good and abs(gt[j]) < _INF
    return good


@kernel
def shrink(slope, f, ft):
    """The factor on the radius after a step that did not keep its promise: the minimum of a parabola (Moré 1978)."""
    if not ft < 100.0 * f:
        return 0.1  # NaN too
    if ft <= f:
        return 0.5
    # more than a half, or negative, where bounds have bent the step uphill
    return max(min(0.5 * slope / (slope + f - ft), 0.5), 0.1)


@kernel
def judged(R, xt, gt, f, predicted):
    """Evaluate the trial point: (f there, how far f falls, share of the promise, whether it is lower and regular)."""
    ft = evaluate_value(R, xt, gt)
    actual = f - ft
    ratio = actual / predicted if predicted > 0.0 and ft < _INF else -1.0  # NaN too
    if not actual > 0.0 or R.c[ABORT] != 0:
        return ft, actual, ratio, False
    if grad_at_trial(R, xt, gt):
        return ft, actual, ratio, True
    return _INF, actual, -1.0, False


@kernel
def verdict(R, f, ft, actual, predicted, ratio, taken, length, xnorm, met):
    """How a step ends by scipy's tests, TRY if with another trial; ``met``: a bound has ended it.

    ``length`` and ``xnorm`` are Euclidean.  A step that a bound has ended says nothing of what is left.
    """
    p = R.p
    short = not met and length <= p[LSQ_XTOL] * (p[LSQ_XTOL] + xnorm)
    if taken:
        if not met and 0.25 < ratio and actual <= p[LSQ_FTOL] * f:
            return REDUCTION_SMALL
        return STEP_SMALL if short else ACCEPT
    if short:
        # so short a step fails for rounding where it promises next to nothing, else for a wrong Jacobian
        tiny = predicted <= ROUNDING * f or length <= ULPS * EPS * xnorm
        return STEP_SMALL if tiny and ft < _INF else FAILED
    if predicted <= EPS * f and not met:
        return REDUCTION_SMALL if 0.0 < p[LSQ_FTOL] and abs(actual) <= p[LSQ_FTOL] * f else FLAT
    return TRY
