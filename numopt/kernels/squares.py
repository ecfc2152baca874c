"""A sum of squares as an objective: f = sum of rho(r_i^2) / 2, its gradient, and the triangle of its Jacobian.

Each function here follows the callback ABI of an objective; ``data`` is the address of a block of words
(``squares_slots``) that holds the addresses of the user's residuals r and Jacobian J.  Both are made

    r_i <- (r_i - y_i) / sigma_i,    J_i <- J_i / sigma_i                                            (1)

and, with a loss rho of z = (r_i / C)^2,

    f = C^2 / 2 sum rho(z_i),    J_i <- s J_i,    r_i <- rho'(z) / s r_i,    s^2 = rho' + 2 z rho''   (2)

(s^2 at least a share of rho', a tenth: where it is negative, a row would else all but vanish), which makes J'r the
gradient, and J'J the Hessian but for the second derivatives of r.  Poisson's likelihood, of a model m_i and counts
y_i, has f = sum m_i - y_i + y_i log(y_i / m_i) and s^2 = 1 / m_i.  The rows are absorbed panel by panel into a triangle
(``kernels.triangle``); where the user's function is one of a range of rows, nothing larger than a panel ever stands in
memory.

Reference: B. Triggs et al., Bundle adjustment - a modern synthesis, in: Vision Algorithms (1999), section 4.3.
"""

from numba import types

from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import call5, goes_on
from numopt.kernels.robust import cost, reals, weigh, words
from numopt.kernels.slots import ABORT, N_COUNTERS
from numopt.kernels.squares_points import point, points, scaled, scaled_column
from numopt.kernels.squares_range import is_there, range_triangle, range_value, triangle_of
from numopt.kernels.triangle import absorb, gradient

_INF = float("inf")
NOISE = 1e3 * 2.220446049250313e-16


@kernel
def residuals(k, z, out):
    """All residuals at z, by (1)."""
    call5(k[q.RESIDUAL], point(k, z), types.intp(out.ctypes.data), k[q.WHOLE], k[q.M], k[q.RESIDUAL_DATA])
    scaled(k, out, 0, k[q.M])


@kernel
def place_of(k, zp, m, n):
    """Where the residuals at z are kept, and the point that they belong to."""
    second = 0 if zp == k[q.FIRST_X] else 8
    return reals(k[q.R] + second * m, m), reals(k[q.AT] + second * n, n)


@kernel
def value(zp, n, data):
    """f(z)."""
    k, z = words(data, q.N_WORDS), reals(zp, n)
    height, m = k[q.HEIGHT], k[q.M]
    work = reals(k[q.PANEL], (n + 5) * height)
    if k[q.RANGE] != 0:
        return range_value(k, zp, n, data)
    total = 0.0
    r, at = place_of(k, zp, m, n)
    at[0] = float("nan")  # nothing stands there if the function fails
    residuals(k, z, r)
    for first in range(0, m, height):
        rows = min(height, m - first)
        total += cost(k, r[first : first + rows], first, rows, work)
    if words(k[q.C], N_COUNTERS)[ABORT] == 0:
        for j in range(n):
            at[j] = z[j]
    return total


@kernel
def _lost(near, base, count):
    """Whether a difference of residuals is little more than their rounding."""
    change, size = 0.0, 0.0
    for i in range(count):
        change = max(change, abs(near[i] - base[i]))
        size = max(size, abs(base[i]))
    return change <= NOISE * size


@kernel
def _quotient(base, near, far, kind, zj, near_z, far_z, count):
    """The difference quotients, in ``near``."""
    for i in range(count):
        if kind == 1:
            near[i] = (near[i] - base[i]) / (near_z - zj)
        elif kind == 2:
            near[i] = (near[i] - far[i]) / (near_z - far_z)
        else:
            near[i] = (4.0 * near[i] - far[i] - 3.0 * base[i]) / (far_z - zj)


@kernel
def whole_jacobian(k, z, r):
    """Set J; (its step from row to row, from column to column), or (0, 0) if cut off."""
    n, m, whole = z.size, k[q.M], k[q.WHOLE]
    if k[q.JACOBIAN] != 0:
        call5(k[q.JACOBIAN], point(k, z), k[q.J], whole, m, k[q.JACOBIAN_DATA])
        return whole, 1
    J, far = reals(k[q.J], m * n), reals(k[q.COLUMN], m if k[q.SCHEME] == 3 else 0)
    for j in range(n):
        zj, column = z[j], J[j * m : (j + 1) * m]
        near_z, far_z, kind = points(k, n, j, zj, False)
        if near_z == zj:
            for i in range(m):
                column[i] = 0.0  # no room
            continue
        for large in range(2):
            if not goes_on(k[q.C]):
                return 0, 0
            z[j] = near_z
            residuals(k, z, column)
            if large or not _lost(column, r, m):
                break
            near_z, far_z, kind = points(k, n, j, zj, True)
        if kind > 1:
            z[j] = far_z
            residuals(k, z, far)
        z[j] = zj
        _quotient(r, column, far, kind, zj, near_z, far_z, m)
    return 1, m


@kernel
def mapped(k, row, j, n):
    """Entry j of a row of the Jacobian in all variables times the map."""
    if k[q.MAP] == 0:
        return row[j]
    whole = k[q.WHOLE]
    a = reals(k[q.MAP], whole * (n + 1))
    s = 0.0
    for i in range(whole):
        s += row[i] * a[(1 + j) * whole + i]
    return s


@kernel
def grad(zp, gp, n, data):
    """Sets the gradient, and the triangle that belongs to its place."""
    k, z, g = words(data, q.N_WORDS), reals(zp, n), reals(gp, n)
    height, m, c = k[q.HEIGHT], k[q.M], words(k[q.C], N_COUNTERS)
    size = n * (n + 1)
    T = triangle_of(k, gp, n)
    panel, work = reals(k[q.PANEL], (n + 1) * height), reals(k[q.PANEL] + 8 * (n + 1) * height, 4 * height)
    if k[q.RANGE] != 0:
        if is_there(k, zp, n) or range_triangle(k, zp, n, T, data):
            gradient(T, n, g)
        return 0.0
    for i in range(size):
        T[i] = 0.0
    r, at = place_of(k, zp, m, n)
    for j in range(n):
        if at[j] != z[j]:
            value(zp, n, data)
            break
    there = reals(k[q.AT] + 16 * n, n)
    there[0] = float("nan")
    by_row, by_column = whole_jacobian(k, z, r)
    if by_column == 0 or c[ABORT] != 0:
        return 0.0
    for j in range(n):
        there[j] = z[j]
    given = k[q.JACOBIAN] != 0
    J = reals(k[q.J], m * (k[q.WHOLE] if given else n))
    for first in range(0, m, height):
        rows = min(height, m - first)
        for j in range(n):
            if given and k[q.MAP] != 0:
                for i in range(rows):
                    panel[j * height + i] = mapped(k, J[(first + i) * by_row : (first + i + 1) * by_row], j, n)
            else:
                at_j = j * by_column + first * by_row
                for i in range(rows):
                    panel[j * height + i] = J[at_j + i * by_row]
            if given:
                scaled_column(k, panel[j * height : j * height + rows], first, rows)
        for i in range(rows):
            panel[n * height + i] = r[first + i]
        if k[q.LOSS] != q.LINEAR:
            weigh(k, panel, n, height, first, rows, work)
        absorb(T, n, panel, height, rows)
    gradient(T, n, g)
    return 0.0


@kernel
def value_grad(zp, gp, n, data):
    """f(z); sets the gradient and the triangle."""
    words(data, q.N_WORDS)[q.AHEAD] = 1
    f = value(zp, n, data)
    if abs(f) < _INF:
        grad(zp, gp, n, data)
    else:
        g = reals(gp, n)
        for j in range(n):
            g[j] = float("nan")
    return f
