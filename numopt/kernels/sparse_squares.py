"""A sum of squares with a sparse Jacobian as an objective: its gradient, and differences by groups of columns.

The value is that of ``kernels.squares``; here too the rows of [J | r] have the loss in them, by (2) there.  Columns of
a group share no row, so that each row of a difference of residuals belongs to one of them.
"""

from numopt.kernels import sparse_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import call5, goes_on
from numopt.kernels.robust import reals, weigh, words
from numopt.kernels.slots import ABORT, N_COUNTERS
from numopt.kernels.sparse_products import adjoint, weigh_rows
from numopt.kernels.squares import NOISE, place_of, residuals, value
from numopt.kernels.squares_points import points
from numopt.kernels.squares_slots import AT, JACOBIAN, JACOBIAN_DATA, LINEAR, LOSS, PANEL, SCHEME, C, M

_INF = float("inf")


@kernel
def _is_lost(near, base, row, first, end):
    """Whether the differences in a column are little more than the rounding of the residuals."""
    change, size = 0.0, 0.0
    for e in range(first, end):
        i = row[e]
        change, size = max(change, abs(near[i] - base[i])), max(size, abs(base[i]))
    return change <= NOISE * size


@kernel
def _grouped_differences(k, z, r):
    """Set the values of J; False if cut off."""
    n, m = z.size, k[M]
    group, member = words(k[q.GROUP_POINTERS], k[q.GROUPS] + 1), words(k[q.GROUP_MEMBERS], n)
    column = words(k[q.ENTRY_POINTERS], n + 1)
    row, place = words(k[q.ENTRY_ROWS], column[n]), words(k[q.ENTRY_PLACES], column[n])
    J, x = reals(k[q.VALUES], column[n]), reals(k[q.KEPT_X], n)
    near_z, far_z = reals(k[q.DIFFERENCES], n), reals(k[q.DIFFERENCES] + 8 * n, n)
    kind = reals(k[q.DIFFERENCES] + 16 * n, n)
    near, far = reals(k[q.SHIFTED], m), reals(k[q.SHIFTED] + 8 * m, m)
    for j in range(n):
        x[j] = z[j]
    for a in range(k[q.GROUPS]):
        mine = member[group[a] : group[a + 1]]
        entry = column[group[a] : group[a + 1] + 1]
        for j in mine:
            x[j], far_z[j], kind[j] = points(k, n, j, z[j], False)
            near_z[j] = x[j]
        for large in range(2):
            if not goes_on(k[C]):
                return False
            residuals(k, x, near)
            again = False
            if large == 0:
                for b in range(mine.size):
                    j = mine[b]
                    if near_z[j] != z[j] and _is_lost(near, r, row, entry[b], entry[b + 1]):
                        x[j], far_z[j], kind[j] = points(k, n, j, z[j], True)
                        again = again or x[j] != near_z[j]
                        near_z[j] = x[j]
            if not again:
                break
        if k[SCHEME] == 3:
            for j in mine:
                x[j] = far_z[j]
            residuals(k, x, far)
        for b in range(mine.size):
            j = mine[b]
            x[j] = z[j]
            for e in range(entry[b], entry[b + 1]):
                i = row[e]
                if near_z[j] == z[j]:
                    slope = 0.0  # no room
                elif kind[j] == 1.0:
                    slope = (near[i] - r[i]) / (near_z[j] - z[j])
                elif kind[j] == 2.0:
                    slope = (near[i] - far[i]) / (near_z[j] - far_z[j])
                else:
                    slope = (4.0 * near[i] - far[i] - 3.0 * r[i]) / (far_z[j] - z[j])
                J[place[e]] = slope
    return True


@kernel
def grad(zp, gp, n, data):
    """Sets the gradient; the Jacobian in the products and the residuals with the loss in them become those at z."""
    k, z, g = words(data, q.N_SPARSE_WORDS), reals(zp, n), reals(gp, n)
    m, c = k[M], words(k[C], N_COUNTERS)
    r, at = place_of(k, zp, m, n)
    for j in range(n):
        if at[j] != z[j]:
            value(zp, n, data)
            break
    there = reals(k[AT] + 16 * n, n)
    there[0] = float("nan")
    if k[JACOBIAN] != 0:
        call5(k[JACOBIAN], zp, 0, n, m, k[JACOBIAN_DATA])
    elif not _grouped_differences(k, z, r):
        return 0.0
    if c[ABORT] != 0:
        return 0.0
    panel = reals(k[q.WEIGHTS], 2 * m)
    for i in range(m):
        panel[i], panel[m + i] = 1.0, r[i]
    if k[LOSS] != LINEAR:
        weigh(k, panel, 1, m, 0, m, reals(k[PANEL], 4 * m))
        if k[q.FORWARD] == 0:
            weigh_rows(k)
    adjoint(k, panel[m:], g)
    for j in range(n):
        there[j] = z[j]
    return 0.0


@kernel
def value_grad(zp, gp, n, data):
    """f(z); sets the gradient."""
    f = value(zp, n, data)
    if abs(f) < _INF:
        grad(zp, gp, n, data)
    else:
        g = reals(gp, n)
        for j in range(n):
            g[j] = float("nan")
    return f
