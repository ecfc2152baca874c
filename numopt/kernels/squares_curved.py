"""How residuals bend along a step: J'r'' for the geodesic acceleration of a sum of squares (kernels.squares).

With v the step and h a tenth of it,

    r'' = 2 / h ((r(x + h v) - r(x)) / h - J v)                                                         (1)

costs one evaluation.  It is for residuals that are made all at once (no RANGE).  With a loss, rows of J are weighted as
in (2) of ``kernels.squares``, and r'' as they are.

Reference: M. K. Transtrum and J. P. Sethna, Improvements to the Levenberg-Marquardt algorithm for nonlinear
least-squares minimization, arXiv:1201.5885 (2012), (17).
"""

from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import goes_on
from numopt.kernels.robust import reals, weigh, words
from numopt.kernels.slots import ABORT, N_COUNTERS
from numopt.kernels.squares import mapped, place_of, residuals, whole_jacobian
from numopt.kernels.squares_points import scaled_column

_H = 0.1


@kernel
def _add_rows(k, n, height, first, rows, v, out):
    """Add J'r'' of the panel [J | r(x + h v) | r] to out."""
    panel, work = reals(k[q.PANEL], (n + 2) * height), reals(k[q.PANEL] + 8 * (n + 2) * height, 4 * height)
    bent = panel[n * height : n * height + rows]
    for i in range(rows):
        bent[i] = (bent[i] - panel[(n + 1) * height + i]) / _H
    for j in range(n):
        for i in range(rows):
            bent[i] -= panel[j * height + i] * v[j]
    for i in range(rows):
        bent[i] *= 2.0 / _H  # (1)
    if k[q.LOSS] != q.LINEAR:
        weigh(k, panel, n + 1, height, first, rows, work)
    for j in range(n):
        s = 0.0
        for i in range(rows):
            s += panel[j * height + i] * bent[i]
        out[j] += s


@kernel
def _panel(k, n, height, first, rows, r, J, by_row, by_column, panel):
    """A panel of [J | r] from those that are kept."""
    for j in range(n):
        column = panel[j * height : j * height + rows]
        for i in range(rows):
            row = first + i
            if k[q.JACOBIAN] != 0:
                column[i] = mapped(k, J[row * by_row : (row + 1) * by_row], j, n)
            else:
                column[i] = J[j * by_column + row]
        if k[q.JACOBIAN] != 0:
            scaled_column(k, column, first, rows)
    for i in range(rows):
        panel[(n + 1) * height + i] = r[first + i]


@kernel
def curved(zp, vp, outp, n, data):
    """Sets J'r'' along v at z, of the residuals and Jacobian kept; in a run that goes on they are made again."""
    k, z, v, out = words(data, q.N_WORDS), reals(zp, n), reals(vp, n), reals(outp, n)
    height, m, c = k[q.HEIGHT], k[q.M], words(k[q.C], N_COUNTERS)
    panel, at_z = reals(k[q.PANEL], (n + 2) * height), reals(k[q.AT] + 16 * n, n)
    r, at = place_of(k, zp, m, n)
    other = 8 if zp == k[q.FIRST_X] else 0
    there = reals(k[q.R] + other * m, m)
    again = False
    for j in range(n):
        again = again or at[j] != z[j] or at_z[j] != z[j]
    if again:
        residuals(k, z, r)
        whole_jacobian(k, z, r)
        for j in range(n):
            at[j] = at_z[j] = z[j]
    reals(k[q.AT] + other * n, n)[0] = float("nan")
    by_row, by_column = 1, m
    if k[q.JACOBIAN] != 0:
        by_row, by_column = k[q.WHOLE], 1
    J = reals(k[q.J], m * max(k[q.WHOLE], n))
    for j in range(n):
        out[j] = z[j]
        z[j] += _H * v[j]
    residuals(k, z, there)
    for j in range(n):
        z[j] = out[j]
    for j in range(n):
        out[j] = 0.0
    for first in range(0, m, height):
        if c[ABORT] != 0 or not goes_on(k[q.C]):
            return 0.0
        rows = min(height, m - first)
        bent = panel[n * height : n * height + rows]
        _panel(k, n, height, first, rows, r, J, by_row, by_column, panel)
        for i in range(rows):
            bent[i] = there[first + i]
        _add_rows(k, n, height, first, rows, v, out)
    return 0.0
