"""A sum of squares whose user's function is one of a range of rows: nothing larger than a panel stands in memory.

The rows are taken in blocks, and the blocks' sums and triangles put together in their order, so that nothing depends on
how many threads have worked on them.
"""

from numba import types

from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import call5, goes_on
from numopt.kernels.robust import cost, reals, weigh, words
from numopt.kernels.slots import ABORT, N_COUNTERS
from numopt.kernels.squares_points import point, points, scaled, scaled_column
from numopt.kernels.triangle import absorb, add, gradient

BLOCK = 16384  # rows
_NO_SIGN = 0x7FFFFFFFFFFFFFFF
_NOISE = 1e3 * 2.220446049250313e-16


@kernel
def _note_largest(x, mark):
    """Raise a mark, the address of a number >= 0, to the largest absolute value; NaN where there are such.

    The bits of numbers >= 0 are in the order of the numbers, and of integers a maximum is found in vector registers.
    """
    bits, at = words(types.intp(x.ctypes.data), x.size), words(mark, 1)
    most = at[0]
    for i in range(bits.size):
        most = max(most, bits[i] & _NO_SIGN)
    at[0] = most


@kernel
def _difference(k, z, j, base, near, far, first, at_near, at_far, kind):
    """Column j of the Jacobian of some rows from values of the model, in ``near``; notes how much it changes."""
    n, rows = z.size, base.size
    marks, zj = reals(k[q.MARKS], 2 * n + 1), z[j]
    if at_near == zj:
        for i in range(rows):
            near[i] = 0.0  # no room
        marks[j] = 1.0
        return
    h = at_near - at_far if kind == 2 else at_far - zj if kind == 3 else at_near - zj
    for i in range(rows):
        near[i] -= base[i]
    _note_largest(near, k[q.MARKS] + 8 * (n + j))
    if kind == 2:
        for i in range(rows):
            near[i] -= far[i] - base[i]
    elif kind == 3:
        for i in range(rows):
            near[i] = 4.0 * near[i] - (far[i] - base[i])
    for i in range(rows):
        near[i] /= h
    scaled_column(k, near, first, rows)


@kernel
def _put(k, z, j, value, out):
    """The user's point with z_j at a value."""
    zj = z[j]
    z[j] = value
    x = reals(point(k, z), out.size)
    for i in range(out.size):
        out[i] = x[i]
    z[j] = zj


@kernel
def _differences_at_once(k, z, first, rows, panel):
    """The values of the model in a panel of [J | r], and the far ones, by the function of all points row by row."""
    n, whole = z.size, k[q.WHOLE]
    marks, all_points = reals(k[q.MARKS], 2 * n + 1), reals(k[q.MARKS] + 8 * (2 * n + 1), (n + 1) * whole)
    at, end, kinds = types.intp(all_points.ctypes.data), first + rows, 0
    _put(k, z, 0, z[0], all_points[:whole])
    for j in range(n):
        at_near, _, kind = points(k, n, j, z[j], marks[j] != 0.0)
        _put(k, z, j, at_near, all_points[(1 + j) * whole : (2 + j) * whole])
        kinds = max(kinds, kind)
    call5(k[q.RANGE_DIFFERENCES], at, first, end, types.intp(panel.ctypes.data), k[q.RANGE_DATA])
    if kinds > 1:
        for j in range(n):
            _, at_far, _ = points(k, n, j, z[j], marks[j] != 0.0)
            _put(k, z, j, at_far, all_points[(1 + j) * whole : (2 + j) * whole])
        call5(k[q.RANGE_DIFFERENCES], at, first, end, k[q.COLUMN], k[q.RANGE_DATA])


@kernel
def _given_rows(k, z, first, rows, panel):
    """The Jacobian of some rows, as given, in a panel."""
    n, height, whole = z.size, k[q.HEIGHT], k[q.WHOLE]
    fewer = k[q.MAP] != 0
    out = k[q.COLUMN] if fewer else types.intp(panel.ctypes.data)
    call5(k[q.RANGE_JACOBIAN], point(k, z), first, first + rows, out, k[q.RANGE_DATA])
    for j in range(n):
        column = panel[j * height : j * height + rows]
        if fewer:
            J, a = reals(k[q.COLUMN], height * whole), reals(k[q.MAP], whole * (n + 1))
            for i in range(rows):
                column[i] = 0.0
            for l in range(whole):
                add(a[(1 + j) * whole + l], J[l * height : l * height + rows], column, rows)
        scaled_column(k, column, first, rows)


@kernel
def _range_panel(k, z, first, rows, panel):
    """A panel of [J | r] from functions of a range of rows; False if cut off."""
    n, height = z.size, k[q.HEIGHT]
    base, marks = panel[n * height : n * height + rows], reals(k[q.MARKS], 2 * n + 1)
    given, at_once = k[q.RANGE_JACOBIAN] != 0, k[q.RANGE_DIFFERENCES] != 0
    if at_once:
        _differences_at_once(k, z, first, rows, panel)
    else:
        call5(k[q.RANGE], point(k, z), first, first + rows, types.intp(base.ctypes.data), k[q.RANGE_DATA])
    if given:
        _given_rows(k, z, first, rows, panel)
    else:
        _note_largest(base, k[q.MARKS] + 16 * n)
        for j in range(n):
            zj, near = z[j], panel[j * height : j * height + rows]
            at_near, at_far, kind = points(k, n, j, zj, marks[j] != 0.0)
            far = reals(k[q.COLUMN] + (8 * j * height if at_once else 0), rows)
            if not at_once:
                z[j] = at_near
                call5(k[q.RANGE], point(k, z), first, first + rows, types.intp(near.ctypes.data), k[q.RANGE_DATA])
                if kind > 1:
                    z[j] = at_far
                    call5(k[q.RANGE], point(k, z), first, first + rows, k[q.COLUMN], k[q.RANGE_DATA])
                z[j] = zj
            _difference(k, z, j, base, near, far, first, at_near, at_far, kind)
    scaled(k, base, first, rows)
    return goes_on(k[q.C])


@kernel
def block_value(zp, first, end, n, data):
    """f of the rows of a block."""
    k, z = words(data, q.N_WORDS), reals(zp, n)
    height = k[q.HEIGHT]
    work, total = reals(k[q.PANEL], (n + 5) * height), 0.0
    for at in range(first, end, height):
        if not goes_on(k[q.C]):
            return float("nan")
        rows = min(height, end - at)
        r = work[:rows]
        call5(k[q.RANGE], point(k, z), at, at + rows, types.intp(r.ctypes.data), k[q.RANGE_DATA])
        scaled(k, r, at, rows)
        total += cost(k, r, at, rows, work[height:])
    return total


@kernel
def block_triangle(zp, first, end, Tp, data):
    """Set the triangle of the rows of a block; notes how much each column changes.  0 if cut off, else 1."""
    k = words(data, q.N_WORDS)
    n, height, c = k[q.FREE], k[q.HEIGHT], words(k[q.C], N_COUNTERS)
    z, size = reals(zp, n), n * (n + 1)
    T, panel = reals(Tp, size), reals(k[q.PANEL], (n + 1) * height)
    work = reals(k[q.PANEL] + 8 * (n + 1) * height, 4 * height)
    for i in range(size):
        T[i] = 0.0
    for at in range(first, end, height):
        rows = min(height, end - at)
        if not _range_panel(k, z, at, rows, panel) or c[ABORT] != 0:
            return 0.0
        if k[q.LOSS] != q.LINEAR:
            weigh(k, panel, n, height, at, rows, work)
        absorb(T, n, panel, height, rows)
    return 1.0


@kernel
def start_pass(k, first_pass):
    """Forget what was noted of the columns."""
    n = k[q.FREE]
    marks = reals(k[q.MARKS], 2 * n + 1)
    for j in range(n):
        marks[n + j] = 0.0
        if first_pass:
            marks[j] = 0.0
    marks[2 * n] = 0.0


@kernel
def again(k):
    """Whether differences of some column were lost in rounding in all rows: once more then, with a large step."""
    n = k[q.FREE]
    marks, found = reals(k[q.MARKS], 2 * n + 1), False
    for j in range(n):
        if k[q.RANGE_JACOBIAN] == 0 and marks[j] == 0.0 and marks[n + j] <= _NOISE * marks[2 * n]:
            marks[j] = 1.0
            found = True
    return found


@kernel
def triangle_of(k, gp, n):
    """The triangle that belongs to the place of a gradient."""
    size = n * (n + 1)
    return reals(k[q.TRIANGLES] + (0 if gp == k[q.FIRST_G] else 8 * size), size)


@kernel
def merge(T, n, block, panel, height):
    """Take the triangle of a block into that of the blocks before it."""
    for j in range(n + 1):
        for i in range(n):
            panel[j * height + i] = block[i * (n + 1) + j] if j >= i else 0.0
    absorb(T, n, panel, height, n)


@kernel
def merged(blocks, count, gp, n, data):
    """The triangle of all rows from those of the blocks, one after the other, and the gradient; 1 if once more."""
    k, size = words(data, q.N_WORDS), n * (n + 1)
    height, T = k[q.HEIGHT], triangle_of(k, gp, n)
    panel = reals(k[q.PANEL], (n + 1) * height)
    for b in range(count):
        block = reals(blocks + 8 * b * size, size)
        if b > 0:
            merge(T, n, block, panel, height)
        else:
            for i in range(size):
                T[i] = block[i]
    gradient(T, n, reals(gp, n))
    return 1.0 if again(k) else 0.0


@kernel
def _value_ahead(k, zp, n):
    """f at z, and the triangle beside it: all from one panel of rows."""
    m, height, second = k[q.M], k[q.HEIGHT], zp != k[q.FIRST_X]
    z, size, total = reals(zp, n), n * (n + 1), 0.0
    T, panel = reals(k[q.TRIANGLES] + (8 * size if second else 0), size), reals(k[q.PANEL], (n + 1) * height)
    work, kept = reals(k[q.PANEL] + 8 * (n + 1) * height, 4 * height), _kept(k, n)
    for j in range(n):
        kept[j] = z[j]
    for attempt in range(2):
        start_pass(k, attempt == 0)
        for i in range(size):
            T[i] = 0.0
        if not _range_panel(k, z, 0, m, panel) or words(k[q.C], N_COUNTERS)[ABORT] != 0:
            return float("nan")
        if attempt == 0:
            total = cost(k, panel[n * height : n * height + m], 0, m, work)
        if k[q.LOSS] != q.LINEAR:
            weigh(k, panel, n, height, 0, m, work)
        absorb(T, n, panel, height, m)
        if not again(k):
            break
    k[q.AHEAD] = zp
    return total


@kernel
def _kept(k, n):
    """The point that the triangle of AHEAD belongs to."""
    return reals(k[q.MARKS] + 8 * (2 * n + 1 + (n + 1) * k[q.WHOLE]), n)


@kernel
def is_there(k, zp, n):
    """Whether the triangle at z has been made with the value; what is asked for once will be asked for again."""
    before, k[q.AHEAD] = k[q.AHEAD], 1
    if before != zp:
        return False
    z, kept = reals(zp, n), _kept(k, n)
    for j in range(n):
        if kept[j] != z[j]:
            return False
    return True


@kernel
def range_value(k, zp, n, data):
    """f at z; where the last value was followed by its gradient, and all is one panel, the triangle too."""
    m, total = k[q.M], 0.0
    wanted, k[q.AHEAD] = k[q.AHEAD] == 1, 0
    if wanted and m <= k[q.HEIGHT] and k[q.RANGE_JACOBIAN] == 0 and goes_on(k[q.C]):
        if zp == k[q.FIRST_X] or zp == k[q.FIRST_X] + 8 * n:
            return _value_ahead(k, zp, n)
    for first in range(0, m, BLOCK):
        total += block_value(zp, first, min(first + BLOCK, m), n, data)
    return total


@kernel
def range_triangle(k, zp, n, T, data):
    """Set the triangle; False if cut off."""
    m, size, height = k[q.M], n * (n + 1), k[q.HEIGHT]
    panel, block = reals(k[q.PANEL], (n + 1) * height), reals(k[q.BLOCK_TRIANGLE], size)
    for attempt in range(2):
        start_pass(k, attempt == 0)
        for first in range(0, m, BLOCK):
            here = block if first > 0 else T
            if block_triangle(zp, first, min(first + BLOCK, m), types.intp(here.ctypes.data), data) == 0.0:
                return False
            if first > 0:
                merge(T, n, block, panel, height)
        if not again(k):
            break
    return True
