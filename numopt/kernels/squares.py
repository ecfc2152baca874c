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
from numopt.kernels.composite import fit_step
from numopt.kernels.oracle import call5, goes_on
from numopt.kernels.robust import cost, reals, weigh, words
from numopt.kernels.slots import ABORT, N_COUNTERS
from numopt.kernels.triangle import absorb, gradient

EPS = 2.220446049250313e-16
_EPS2, _EPS3 = EPS**0.5, EPS ** (1.0 / 3.0)
_INF = float("inf")
_NOISE = 1e3 * EPS


@kernel
def _point(k, z):
    """The address of the point that the user's functions are to see."""
    if k[q.MAP] == 0:
        return types.intp(z.ctypes.data)
    n, whole = z.size, k[q.WHOLE]
    a, x = reals(k[q.MAP], whole * (n + 1)), reals(k[q.FULL], whole)
    for i in range(whole):
        s = a[i]
        for j in range(n):
            s += a[(1 + j) * whole + i] * z[j]
        x[i] = s
    return k[q.FULL]


@kernel
def _scaled(k, r, first, count):
    """(1) for residuals of the rows from ``first`` on."""
    if k[q.Y] != 0:
        y = reals(k[q.Y], k[q.M])
        for i in range(count):
            r[i] -= y[first + i]
    _scaled_column(k, r, first, count)


@kernel
def _scaled_column(k, r, first, count):
    """(1) for a column of the Jacobian."""
    if k[q.SIGMA] != 0:
        sigma = reals(k[q.SIGMA], k[q.M])
        for i in range(count):
            r[i] /= sigma[first + i]
    if k[q.CHOLESKY] != 0:
        m = k[q.M]
        L = reals(k[q.CHOLESKY], m * m)
        for i in range(m):
            s = r[i]
            for j in range(i):
                s -= L[i * m + j] * r[j]
            r[i] = s / L[i * m + i]


@kernel
def _residuals(k, z, out):
    """All residuals at z, by (1)."""
    call5(k[q.RESIDUAL], _point(k, z), types.intp(out.ctypes.data), k[q.WHOLE], k[q.M], k[q.RESIDUAL_DATA])
    _scaled(k, out, 0, k[q.M])


@kernel
def _some(k, z, first, end, out):
    """Residuals of some rows at z, by (1)."""
    call5(k[q.RANGE], _point(k, z), first, end, types.intp(out.ctypes.data), k[q.RANGE_DATA])
    _scaled(k, out, first, end - first)


@kernel
def _place(k, zp, m, n):
    """Where the residuals at z are kept, and the point that they belong to."""
    second = 0 if zp == k[q.FIRST_X] else 8
    return reals(k[q.R] + second * m, m), reals(k[q.AT] + second * n, n)


@kernel
def value(zp, n, data):
    """f(z)."""
    k, z = words(data, q.N_WORDS), reals(zp, n)
    height, m = k[q.HEIGHT], k[q.M]
    work = reals(k[q.PANEL], (n + 5) * height)
    total = 0.0
    if k[q.RANGE] == 0:
        r, at = _place(k, zp, m, n)
        at[0] = float("nan")  # nothing stands there if the function fails
        _residuals(k, z, r)
        for first in range(0, m, height):
            rows = min(height, m - first)
            total += cost(k, r[first : first + rows], first, rows, work)
        if words(k[q.C], N_COUNTERS)[ABORT] == 0:
            for j in range(n):
                at[j] = z[j]
        return total
    for first in range(0, m, height):
        if not goes_on(k[q.C]):
            return float("nan")
        rows = min(height, m - first)
        r = work[n * height : n * height + rows]
        _some(k, z, first, first + rows, r)
        total += cost(k, r, first, rows, work[(n + 1) * height :])
    return total


@kernel
def _step(k, n, j, zj, large):
    """The difference step of z[j], of its own size, or where that is too small (``large``) of 1 at least."""
    least = _EPS2 if k[q.SCHEME] == 2 else _EPS3
    if k[q.STEPS] != 0:
        h = abs(reals(k[q.STEPS], n)[j])
        h *= abs(zj)
    else:
        h = least * max(abs(zj), 0.01 * reals(k[q.TYPICAL], n)[j])
    if large or (zj + h) - zj == 0.0:
        h = max(h, least * max(1.0, abs(zj)))
    return h if zj >= 0.0 else -h


@kernel
def _lost(near, base, count):
    """Whether a difference of residuals is little more than their rounding."""
    change, size = 0.0, 0.0
    for i in range(count):
        change = max(change, abs(near[i] - base[i]))
        size = max(size, abs(base[i]))
    return change <= _NOISE * size


@kernel
def _points(k, n, j, zj, large):
    """Where to evaluate for the difference in z[j]: (near, far, kind), kind 1 forward, 2 central, 3 one-sided."""
    h = _step(k, n, j, zj, large)
    down, up = _INF, _INF
    if k[q.LOWER] != 0:
        down, up = zj - reals(k[q.LOWER], n)[j], reals(k[q.UPPER], n)[j] - zj
    if k[q.SCHEME] == 2:
        return zj + fit_step(h, down, up), zj, 1
    if abs(h) <= down and abs(h) <= up:
        return zj + h, zj - h, 2
    h = 0.5 * fit_step(2.0 * h, down, up)
    return zj + h, zj + 2.0 * h, 3


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
def _whole_jacobian(k, z, r):
    """Set J; (its step from row to row, from column to column), or (0, 0) if cut off."""
    n, m, whole = z.size, k[q.M], k[q.WHOLE]
    if k[q.JACOBIAN] != 0:
        call5(k[q.JACOBIAN], _point(k, z), k[q.J], whole, m, k[q.JACOBIAN_DATA])
        return whole, 1
    J, far = reals(k[q.J], m * n), reals(k[q.COLUMN], m if k[q.SCHEME] == 3 else 0)
    for j in range(n):
        zj, column = z[j], J[j * m : (j + 1) * m]
        near_z, far_z, kind = _points(k, n, j, zj, False)
        if near_z == zj:
            for i in range(m):
                column[i] = 0.0  # no room
            continue
        for large in range(2):
            if not goes_on(k[q.C]):
                return 0, 0
            z[j] = near_z
            _residuals(k, z, column)
            if large or not _lost(column, r, m):
                break
            near_z, far_z, kind = _points(k, n, j, zj, True)
        if kind > 1:
            z[j] = far_z
            _residuals(k, z, far)
        z[j] = zj
        _quotient(r, column, far, kind, zj, near_z, far_z, m)
    return 1, m


@kernel
def _mapped(k, row, j, n):
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
def _note(marks, n, j, near, base):
    """Keep the largest change of a column, and the largest residual."""
    for i in range(base.size):
        marks[n + j] = max(marks[n + j], abs(near[i] - base[i]))
        marks[2 * n] = max(marks[2 * n], abs(base[i]))


@kernel
def _all_lost(k, n):
    """Mark the columns whose differences are little more than rounding in all rows; whether there are any."""
    marks, found = reals(k[q.MARKS], 2 * n + 1), False
    for j in range(n):
        if marks[j] == 0.0 and marks[n + j] <= _NOISE * marks[2 * n]:
            marks[j] = 1.0
            found = True
    return found


@kernel
def _differences_at_once(k, z, first, rows, panel):
    """A panel of [J | r] by differences, from the function that evaluates all their points row by row."""
    n, height = z.size, k[q.HEIGHT]
    marks, points = reals(k[q.MARKS], 2 * n + 1), reals(k[q.MARKS] + 8 * (2 * n + 1), 2 * n)
    base, end = panel[n * height : n * height + rows], first + rows
    at, kinds = types.intp(points.ctypes.data), 0
    for j in range(n):
        points[j] = z[j]
        points[n + j], _, kind = _points(k, n, j, z[j], marks[j] != 0.0)
        kinds = max(kinds, kind)
    call5(k[q.RANGE_DIFFERENCES], at, first, end, types.intp(panel.ctypes.data), k[q.RANGE_DATA])
    if kinds > 1:
        for j in range(n):
            _, points[n + j], _ = _points(k, n, j, z[j], marks[j] != 0.0)
        call5(k[q.RANGE_DIFFERENCES], at, first, end, k[q.COLUMN], k[q.RANGE_DATA])
    columns = reals(k[q.COLUMN], (n + 1) * height if kinds > 1 else 0)
    _scaled(k, base, first, rows)
    for j in range(n):
        near, far = panel[j * height : j * height + rows], columns[j * height : j * height + rows]
        near_z, far_z, kind = _points(k, n, j, z[j], marks[j] != 0.0)
        if near_z == z[j]:
            for i in range(rows):
                near[i] = 0.0  # no room
            marks[j] = 1.0
            continue
        _scaled(k, near, first, rows)
        _note(marks, n, j, near, base)
        if kind > 1:
            _scaled(k, far, first, rows)
        _quotient(base, near, far, kind, z[j], near_z, far_z, rows)


@kernel
def _range_panel(k, z, first, rows, panel):
    """A panel of [J | r] from functions of a range of rows; False if cut off."""
    n, height, whole = z.size, k[q.HEIGHT], k[q.WHOLE]
    if k[q.RANGE_DIFFERENCES] != 0:
        _differences_at_once(k, z, first, rows, panel)
        return goes_on(k[q.C])
    base = panel[n * height : n * height + rows]
    _some(k, z, first, first + rows, base)
    if k[q.RANGE_JACOBIAN] != 0:
        call5(k[q.RANGE_JACOBIAN], _point(k, z), first, first + rows, k[q.COLUMN], k[q.RANGE_DATA])
        column = reals(k[q.COLUMN], height * whole)
        for i in range(rows):
            row = column[i * whole : (i + 1) * whole]
            for j in range(n):
                panel[j * height + i] = _mapped(k, row, j, n)
        for j in range(n):
            _scaled_column(k, panel[j * height : j * height + rows], first, rows)
        return goes_on(k[q.C])
    marks, far = reals(k[q.MARKS], 2 * n + 1), reals(k[q.COLUMN], height)
    for j in range(n):
        zj, near = z[j], panel[j * height : j * height + rows]
        near_z, far_z, kind = _points(k, n, j, zj, marks[j] != 0.0)
        if near_z == zj:
            for i in range(rows):
                near[i] = 0.0  # no room
            marks[j] = 1.0
            continue
        z[j] = near_z
        _some(k, z, first, first + rows, near)
        _note(marks, n, j, near, base)
        if kind > 1:
            z[j] = far_z
            _some(k, z, first, first + rows, far)
        z[j] = zj
        _quotient(base, near, far, kind, zj, near_z, far_z, rows)
    return goes_on(k[q.C])


@kernel
def _range_triangle(k, z, T):
    """Set the triangle from functions of a range of rows; False if cut off."""
    n, height, m, c = z.size, k[q.HEIGHT], k[q.M], words(k[q.C], N_COUNTERS)
    size, marks = n * (n + 1), reals(k[q.MARKS], 2 * n + 1)
    panel, work = reals(k[q.PANEL], (n + 1) * height), reals(k[q.PANEL] + 8 * (n + 1) * height, 4 * height)
    for j in range(n):
        marks[j] = 0.0
    for _ in range(2):  # once more where differences were lost in rounding in all rows, with a large step
        for i in range(size):
            T[i] = 0.0
        for j in range(n + 1):
            marks[n + j] = 0.0
        for first in range(0, m, height):
            rows = min(height, m - first)
            if not _range_panel(k, z, first, rows, panel) or c[ABORT] != 0:
                return False
            if k[q.LOSS] != q.LINEAR:
                weigh(k, panel, n, height, first, rows, work)
            absorb(T, n, panel, height, rows)
        if k[q.RANGE_JACOBIAN] != 0 or not _all_lost(k, n):
            break
    return True


@kernel
def grad(zp, gp, n, data):
    """Sets the gradient, and the triangle that belongs to its place."""
    k, z, g = words(data, q.N_WORDS), reals(zp, n), reals(gp, n)
    height, m, c = k[q.HEIGHT], k[q.M], words(k[q.C], N_COUNTERS)
    size = n * (n + 1)
    T = reals(k[q.TRIANGLES] + (0 if gp == k[q.FIRST_G] else 8 * size), size)
    panel, work = reals(k[q.PANEL], (n + 1) * height), reals(k[q.PANEL] + 8 * (n + 1) * height, 4 * height)
    if k[q.RANGE] != 0:
        if _range_triangle(k, z, T):
            gradient(T, n, g)
        return 0.0
    for i in range(size):
        T[i] = 0.0
    r, at = _place(k, zp, m, n)
    for j in range(n):
        if at[j] != z[j]:
            value(zp, n, data)
            break
    there = reals(k[q.AT] + 16 * n, n)
    there[0] = float("nan")
    by_row, by_column = _whole_jacobian(k, z, r)
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
                    panel[j * height + i] = _mapped(k, J[(first + i) * by_row : (first + i + 1) * by_row], j, n)
            else:
                at_j = j * by_column + first * by_row
                for i in range(rows):
                    panel[j * height + i] = J[at_j + i * by_row]
            if given:
                _scaled_column(k, panel[j * height : j * height + rows], first, rows)
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
    f = value(zp, n, data)
    if abs(f) < _INF:
        grad(zp, gp, n, data)
    else:
        g = reals(gp, n)
        for j in range(n):
            g[j] = float("nan")
    return f
