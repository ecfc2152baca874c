"""What the methods for sums of squares have in common: their workspace, the scaling, the active set.

Workspace, after the common vectors: two scalings D, sizes, norms, free, perm, z, u, s, and two spare vectors (n each);
the triangles of the two places of x, S and U (n x (n + 1) each); a row (n + 1).
"""

from numpy import int64

from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.oracle import evaluate_grad, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import ABORT, BOUNDED, GIVEN_SCALE, N_COMMON, NIT, PARITY, N
from numopt.kernels.squares_slots import VECTORS
from numopt.kernels.triangle import column_norms

# int64: Numba would compile a function once more for every plain constant that it is called with
SCALE, SIZE, NORMS, FREE, PERM, COLUMNS, SCRATCH, MOVE, SPARE, SPARE2 = (
    int64(N_COMMON + k) for k in (0, 2, 3, 4, 5, 6, 7, 8, 9, 10)
)
_INF = float("inf")


@inlined
def matrix(R, k):
    """The k-th of the n x (n + 1) matrices: two triangles, S, U."""
    n = R.c[N]
    size = n * (n + 1)
    start = VECTORS * n + k * size
    return R.w[start : start + size]


@inlined
def spare_row(R):
    """Room for one row of a triangle."""
    n = R.c[N]
    start = VECTORS * n + 4 * n * (n + 1)
    return R.w[start : start + n + 1]


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
    return max(0.5 * slope / (slope + f - ft), 0.1)
