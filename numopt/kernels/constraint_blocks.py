"""Constraints made of parts, one below the other: values, Jacobian, Hessian of the Lagrangian.

``con`` and ``con_jac`` follow the callback ABI of :mod:`numopt.kernels.constrained`; their ``data`` is the address of a
head of words and a block of words for each part, whose slots are named below.  A linear part holds its matrix; another
one the addresses of C functions

    function  (x, c, n, m, data)     sets c, its m values
    jacobian  (x, J, n, m, data)     sets J, m x n
    hessian   (x, v, H, n, m, data)  sets H, n x n: sum_i v[i] hess c_i

or says by which differences its Jacobian is made; the Hessian is made of differences of it where there is no function.
Where bounds fix variables, the user's functions see all of them, the solver the free ones.

``lag_hess`` has the data of the objective, of :mod:`numopt.kernels.composite`, which knows where the constraints are.
Differences perturb x[j] in the solver's own buffer and put it back; steps are as there.
"""

from numba import types

from numopt.kernels import composite as o
from numopt.kernels.compiling import kernel
from numopt.kernels.composite import _default_step, _reals, _words, fit_step, symmetrise
from numopt.kernels.constrained_slots import NCEV, NCJEV
from numopt.kernels.oracle import call5, call6, goes_on
from numopt.kernels.slots import ABORT, N_COUNTERS

# the head
(
    C,  # address of the run's counters
    COUNT,  # number of parts
    ROWS_ALL,
    WHOLE,  # number of variables of the user's functions
    FREE,  # indices of the free variables among them, or 0
    FULL,  # x over all of them, the fixed values in place
    MATRIX,  # WHOLE x WHOLE, or the largest number of rows x WHOLE
    VALUES,  # 3 x the largest number of rows
    SLOPES,  # the largest number of rows x n
    COLUMNS,  # 2 n
    LAST,  # where differences are taken: x and c of the last evaluation (n + ROWS_ALL)
    LOWER,
    UPPER,
    STEPS,  # absolute difference steps, or 0
    HESS_SCHEME,
) = range(15)
N_HEAD = 15
# a part
(FUNCTION, DATA, JACOBIAN, JACOBIAN_DATA, HESSIAN, HESSIAN_DATA, ROWS, SCHEME, REL_STEPS, A) = range(10)
# A: of a linear part, ROWS x n row by row, then what the fixed variables add to each row
OWN_TABLE = 10  # to 11: head of the table of arguments, where there are no arguments
N_PART = 12


@kernel
def _part(data, b):
    return _words(data + 8 * (N_HEAD + b * N_PART), N_PART)


@kernel
def _point(k, xp, n):
    """The address of x over all variables of the user's."""
    if k[FREE] == 0:
        return xp
    x, free, full = _reals(xp, n), _words(k[FREE], n), _reals(k[FULL], k[WHOLE])
    for i in range(n):
        full[free[i]] = x[i]
    return types.intp(full.ctypes.data)


@kernel
def _ended(k):
    return _words(k[C], N_COUNTERS)[ABORT] != 0


@kernel
def _linear(B, xp, cp, n):
    """c = A x + what the fixed variables add."""
    rows = B[ROWS]
    x, c, a = _reals(xp, n), _reals(cp, rows), _reals(B[A], rows * (n + 1))
    for i in range(rows):
        s = a[rows * n + i]
        for j in range(n):
            s += a[i * n + j] * x[j]
        c[i] = s


@kernel
def con(xp, cp, n, m, data):
    """Sets c."""
    k = _words(data, N_HEAD)
    whole = _point(k, xp, n)
    first = 0
    for b in range(k[COUNT]):
        B = _part(data, b)
        if B[FUNCTION] == 0:
            _linear(B, xp, cp + 8 * first, n)
        else:
            call5(B[FUNCTION], whole, cp + 8 * first, k[WHOLE], B[ROWS], B[DATA])
            if _ended(k):
                return 0.0
        first += B[ROWS]
    if k[LAST] != 0:
        x, c, last = _reals(xp, n), _reals(cp, m), _reals(k[LAST], n + m)
        for j in range(n):
            last[j] = x[j]
        for i in range(m):
            last[n + i] = c[i]
    return 0.0


@kernel
def _known(k, x, first, at, rows):
    """Whether the constraints were last evaluated at x; their values are then put into ``at``."""
    n = x.size
    last = _reals(k[LAST], n + k[ROWS_ALL])
    for j in range(n):
        if not last[j] == x[j]:
            return False
    for i in range(rows):
        at[i] = last[n + first + i]
    return True


@kernel
def _step(k, B, n, j, xj, scheme):
    """The difference step of variable j."""
    if k[STEPS] != 0:
        h = _reals(k[STEPS], n)[j]
    elif B[REL_STEPS] != 0:
        h = _reals(B[REL_STEPS], n)[j] * (abs(xj) if xj >= 0.0 else -abs(xj))
    else:
        return _default_step(xj, scheme)
    return h if (xj + h) - xj != 0.0 else _default_step(xj, scheme)


@kernel
def _values_at(k, B, x, j, xj, out, counted):
    """The values with x[j] = xj, counted where they are those of the first part that asks for such; whether to go on"""
    if not goes_on(k[C]):
        return False
    x[j] = xj
    if counted:
        _words(k[C], N_COUNTERS)[NCEV] += 1
    xp = _point(k, types.intp(x.ctypes.data), x.size)
    call5(B[FUNCTION], xp, types.intp(out.ctypes.data), k[WHOLE], B[ROWS], B[DATA])
    return not _ended(k)


@kernel
def _differences(k, B, first, xp, jp, n, counted):
    """The Jacobian of a part by differences within the bounds; as numopt.kernels.composite has the gradient."""
    rows, scheme = B[ROWS], B[SCHEME]
    x, J, v = _reals(xp, n), _reals(jp, rows * n), _reals(k[VALUES], 3 * rows)
    at, near, far = v[:rows], v[rows : 2 * rows], v[2 * rows :]
    have = _known(k, x, first, at, rows)
    for j in range(n):
        xj = x[j]
        h = _step(k, B, n, j, xj, scheme)
        down = xj - _reals(k[LOWER], n)[j]
        up = _reals(k[UPPER], n)[j] - xj
        central = scheme == 3 and abs(h) <= down and abs(h) <= up
        if not (central or have):
            have = _values_at(k, B, x, j, xj, at, counted)
            if not have:
                return
        if central:
            above, below = xj + h, xj - h
            go = _values_at(k, B, x, j, above, near, counted) and _values_at(k, B, x, j, below, far, counted)
            for i in range(rows):
                J[i * n + j] = (near[i] - far[i]) / (above - below)
        elif scheme == 2:
            there = xj + fit_step(h, down, up)
            go = _values_at(k, B, x, j, there, near, counted)
            for i in range(rows):
                J[i * n + j] = (near[i] - at[i]) / (there - xj)
        else:
            h = 0.5 * fit_step(2.0 * h, down, up)
            there, beyond = xj + h, xj + 2.0 * h
            go = _values_at(k, B, x, j, there, near, counted) and _values_at(k, B, x, j, beyond, far, counted)
            for i in range(rows):
                J[i * n + j] = (4.0 * near[i] - far[i] - 3.0 * at[i]) / (2.0 * (there - xj))
        x[j] = xj
        if not go:
            return


@kernel
def _jacobian(k, B, first, xp, jp, n, counted):
    """Sets the Jacobian of a part; whether the run goes on."""
    rows = B[ROWS]
    if B[FUNCTION] == 0:
        J, a = _reals(jp, rows * n), _reals(B[A], rows * (n + 1))
        for i in range(rows * n):
            J[i] = a[i]
        return True
    if B[JACOBIAN] == 0:
        _differences(k, B, first, xp, jp, n, counted)
    elif k[FREE] == 0:
        call5(B[JACOBIAN], xp, jp, n, rows, B[JACOBIAN_DATA])
    else:
        size = k[WHOLE]
        call5(B[JACOBIAN], _point(k, xp, n), k[MATRIX], size, rows, B[JACOBIAN_DATA])
        J, free, whole = _reals(jp, rows * n), _words(k[FREE], n), _reals(k[MATRIX], rows * size)
        for i in range(rows):
            for j in range(n):
                J[i * n + j] = whole[i * size + free[j]]
    return not _ended(k)


@kernel
def con_jac(xp, jp, n, m, data):
    """Sets the Jacobian."""
    k = _words(data, N_HEAD)
    first, counted = 0, True
    for b in range(k[COUNT]):
        B = _part(data, b)
        if not _jacobian(k, B, first, xp, jp + 8 * first * n, n, counted):
            return 0.0
        counted = counted and (B[FUNCTION] == 0 or B[JACOBIAN] != 0)
        first += B[ROWS]
    return 0.0


@kernel
def _slope(k, B, first, x, j, xj, v, out, counted):
    """out = J'v of a part with x[j] = xj; whether the run goes on."""
    if not goes_on(k[C]):
        return False
    n, rows = x.size, B[ROWS]
    x[j] = xj
    if counted:
        _words(k[C], N_COUNTERS)[NCJEV] += 1
    if not _jacobian(k, B, first, types.intp(x.ctypes.data), k[SLOPES], n, counted):
        return False
    J = _reals(k[SLOPES], rows * n)
    for i in range(n):
        out[i] = 0.0
    for r in range(rows):
        if v[r] != 0.0:
            for i in range(n):
                out[i] += v[r] * J[r * n + i]
    return True


@kernel
def _curvature(k, B, first, xp, vp, H, n, counted):
    """H -= sum_i v[i] hess c_i of a part; whether the run goes on."""
    rows = B[ROWS]
    if B[HESSIAN] != 0:
        size, M = k[WHOLE], _reals(k[MATRIX], k[WHOLE] * k[WHOLE])
        call6(B[HESSIAN], _point(k, xp, n), vp, k[MATRIX], size, rows, B[HESSIAN_DATA])
        if k[FREE] == 0:
            for i in range(n * n):
                H[i] -= M[i]
        else:
            free = _words(k[FREE], n)
            for i in range(n):
                for j in range(n):
                    H[i * n + j] -= M[free[i] * size + free[j]]
        return not _ended(k)
    x, v, columns, scheme = _reals(xp, n), _reals(vp, rows), _reals(k[COLUMNS], 2 * n), k[HESS_SCHEME]
    up, down = columns[:n], columns[n:]
    for j in range(n):
        xj = x[j]
        h = abs(_default_step(xj, scheme))
        room_down, room_up = xj - _reals(k[LOWER], n)[j], _reals(k[UPPER], n)[j] - xj
        if scheme == 2:
            above, below = xj + fit_step(h, room_down, room_up), xj
        else:
            above, below = xj + min(h, room_up), xj - min(h, room_down)
        go = _slope(k, B, first, x, j, above, v, up, counted) and _slope(k, B, first, x, j, below, v, down, counted)
        x[j] = xj
        if not go:
            return False
        for i in range(n):
            H[i * n + j] -= (up[i] - down[i]) / (above - below)
    return True


@kernel
def lag_hess(xp, wp, hp, n, data):
    """Sets H = w[m] hess f - sum_i w[i] hess c_i."""
    where = _words(data, o.N_COMPOSITE)[o.CONSTRAINTS]
    k = _words(where, N_HEAD)
    m, H = k[ROWS_ALL], _reals(hp, n * n)
    w = _reals(wp, m + 1)
    if w[m] != 0.0:
        o.hess(xp, hp, n, data)
        for i in range(n * n):
            H[i] *= w[m]
    else:
        for i in range(n * n):
            H[i] = 0.0
    first, counted = 0, True
    for b in range(k[COUNT]):
        B = _part(where, b)
        if B[FUNCTION] != 0:
            if not _curvature(k, B, first, xp, wp + 8 * first, H, n, counted):
                return 0.0
            counted = counted and B[HESSIAN] != 0
        first += B[ROWS]
    symmetrise(H, n)
    return 0.0
