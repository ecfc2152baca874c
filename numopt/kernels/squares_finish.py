"""A run of a sum of squares that ends with the triangle that a covariance is made of.

A run ends with the triangle of [J | r] that its last step was made of.  A covariance, (J'J)^-1 up to a factor, takes J
with the loss in it as it is, where a step gives rows no less than a share of rho' (``kernels.squares``, (2)); and where
differences of one side leave the least singular value of J, with columns of norm 1, in doubt, differences of both.
Both are made here, uncounted, while the data of the problem are at hand.
"""

from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import call1, call_grad, vector
from numopt.kernels.robust import reals, words
from numopt.kernels.slots import ABORT, NHEV, PARITY, F, G, N, X
from numopt.kernels.squares_workspace import COLUMNS, SPARE, matrix
from numopt.kernels.status import Status

_INF = float("inf")
_MAXFEV = int(Status.MAXFEV)


@kernel
def least_singular(T, n, column):
    """A lower limit of the least singular value over the largest of a triangle whose columns are given norm 1.

    1 where a column is zero or not finite: there is no more to be known then.  ``column`` has n places.
    """
    total = 0.0
    for j in range(n):
        norm = 0.0
        for i in range(j + 1):
            norm += T[i * (n + 1) + j] * T[i * (n + 1) + j]
        if not 0.0 < norm < _INF:
            return 1.0
        # column j of the inverse; then the norms go from the columns to the inverse's rows
        for i in range(j, -1, -1):
            s = 1.0 if i == j else 0.0
            for k in range(i + 1, j + 1):
                s -= T[i * (n + 1) + k] * column[k]
            column[i] = s / T[i * (n + 1) + i]
        for i in range(j + 1):
            size = 0.0
            for k in range(i + 1):
                size += T[k * (n + 1) + i] * T[k * (n + 1) + i]
            total += size * column[i] * column[i]
    return 1.0 / (n * total) ** 0.5


@kernel
def run(R):
    """Run the solver at the address in the place of a line search; NHEV is 1 where differences of both sides served."""
    c, n = R.c, R.c[N]
    f = call1(R.search, R.table)
    place, kept = c[PARITY], c[ABORT]
    if (kept != 0 and kept != _MAXFEV) or not abs(R.p[F]) < _INF:
        return f
    k = words(R.data, q.N_WORDS)
    x, g, g_kept, T = vector(R, X + place), vector(R, G + place), vector(R, SPARE), matrix(R, place)
    floor, scheme = reals(k[q.REALS], 2)[1], k[q.SCHEME]
    for j in range(n):
        g_kept[j] = g[j]
    c[ABORT], reals(k[q.REALS], 2)[1] = 0, 0.0
    if k[q.LOSS] != q.LINEAR and k[q.LOSS] != q.POISSON:
        call_grad(R, x, g)
    if scheme == 2 and c[ABORT] == 0 and not least_singular(T, n, vector(R, COLUMNS)) >= q.DELICATE:
        k[q.SCHEME] = 3
        call_grad(R, x, g)
        c[NHEV] = 1
    k[q.SCHEME], reals(k[q.REALS], 2)[1] = scheme, floor
    for j in range(n):
        g[j] = g_kept[j]
    if c[ABORT] == 0:
        c[ABORT] = kept
    return f
