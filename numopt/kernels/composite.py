"""An objective made of parts: a value, a gradient or differences in its place, a Hessian or differences.

Each function here follows the callback ABI; ``data`` is the address of a block of words (the slots below) that
holds the addresses of the parts, each with its own data.

Finite differences perturb x[j] in the solver's own buffer and put it back.  Steps are scipy's: ``STEPS`` holds
absolute steps, or else, with ``REL_STEPS``, h = rel sign(x) |x|, or else h = eps^(1/2) or eps^(1/3) times
sign(x) max(1, |x|).
"""

from numba import carray, types

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import call3, call4, call5, goes_on, void_pointer
from numopt.kernels.slots import ABORT, HESSIAN_FLAWS, N_COUNTERS, NFEV, NJEV

# slots of the block; C is the address of the run's counters
(
    VALUE,
    VALUE_DATA,
    GRAD,
    GRAD_DATA,
    HESS,
    HESS_DATA,
    HESSP,
    HESSP_DATA,
    SCHEME,
    STEPS,
    REL_STEPS,
    C,
    SCRATCH,
    HESS_SCHEME,
    BOTH,
    BOTH_DATA,
    GRAD_VALUES,  # values computed with each gradient: 1 if GRAD is a function of value and gradient
    LOWER,  # bounds that the points of differences respect, or 0
    UPPER,
    MATRIX,  # n x n, for the diagonal of a Hessian
    LAST,  # x and f of the last evaluation of f alone (n + 1), or 0
    CONSTRAINTS,  # with constraints: their words, see numopt.kernels.constraint_blocks
) = range(22)
N_COMPOSITE = 22

_EPS2 = 2.220446049250313e-16**0.5
_ROUNDING = 1e-6  # differences of the user's own are no more accurate
_EPS3 = 2.220446049250313e-16 ** (1.0 / 3.0)
_NOISE = 4.0 * 2.220446049250313e-16  # of a difference of two values, relative to them
_LARGE = 100.0  # for smaller values what is lost in rounding is a slope below 1e-5


@kernel
def _reals(address, n):
    return carray(void_pointer(address), (n,), types.float64)


@kernel
def _words(address, n):
    return carray(void_pointer(address), (n,), types.int64)


@kernel
def _default_step(xj, scheme):
    """eps^(1/2) or eps^(1/3), times sign(x) max(1, |x|)."""
    h = (_EPS2 if scheme == 2 else _EPS3) * max(1.0, abs(xj))
    return h if xj >= 0.0 else -h


@kernel
def _step(k, n, j, xj, scheme):
    """The difference step for component j."""
    if k[STEPS] != 0:
        h = _reals(k[STEPS], n)[j]
    elif k[REL_STEPS] != 0:
        h = _reals(k[REL_STEPS], n)[j] * (abs(xj) if xj >= 0.0 else -abs(xj))
    else:
        return _default_step(xj, scheme)
    return h if (xj + h) - xj != 0.0 else _default_step(xj, scheme)


@kernel
def _rooms(k, n, j, xj):
    """How far x[j] may go down and up within its bounds."""
    if k[LOWER] == 0:
        return float("inf"), float("inf")
    return xj - _reals(k[LOWER], n)[j], _reals(k[UPPER], n)[j] - xj


@kernel
def fit_step(h, down, up):
    """A one-sided step within the bounds: turned round if need be, shortened if both sides are too short."""
    room, other = (up, down) if h >= 0.0 else (down, up)
    if abs(h) <= room:
        return h
    if abs(h) <= other:
        return -h
    return up if up >= down else -down


@kernel
def _value_at(k, x, j, xj):
    """f with x[j] = xj, counted."""
    x[j] = xj
    _words(k[C], 8)[NFEV] += 1
    return call3(k[VALUE], types.intp(x.ctypes.data), x.size, k[VALUE_DATA])


@kernel
def _lost(df, f):
    """Whether a difference of values is nothing but their rounding, and that says little about the slope."""
    return abs(f) > _LARGE and abs(df) <= _NOISE * abs(f)


@kernel
def _differences(k, x, g, f):
    """The gradient by 2-point (forward) or 3-point (central) differences of the value.

    Near a bound the points move to its inner side: forward becomes backward, central becomes the one-sided formula of
    second order, (4 f(x + h) - f(x + 2h) - 3 f(x)) / 2h.  ``f`` is f(x), NaN if it isn't known.

    Where f is so large that the difference is lost in its rounding, a zero would pass for a minimum: it is taken once
    more, central and with a step larger by |f|^(1/2).
    """
    n = x.size
    for j in range(n):
        xj = x[j]
        h, scheme = _step(k, n, j, xj, k[SCHEME]), k[SCHEME]
        down, up = _rooms(k, n, j, xj)
        g[j] = 0.0
        for _ in range(2):
            if not goes_on(k[C]):
                x[j] = xj
                return
            if down + up == 0.0:
                break  # it can't vary
            if scheme == 2:
                h = fit_step(h, down, up)
                there = xj + h
                fh = _value_at(k, x, j, there)
                df, width = fh - f, there - xj
            elif abs(h) <= down and abs(h) <= up:
                above, below = xj + h, xj - h
                fh = _value_at(k, x, j, above)
                df, width = fh - _value_at(k, x, j, below), above - below
            else:
                h = 0.5 * fit_step(2.0 * h, down, up)
                near, far = xj + h, xj + 2.0 * h
                f0 = f if f == f else _value_at(k, x, j, xj)
                fh = _value_at(k, x, j, near)
                df, width = 4.0 * fh - _value_at(k, x, j, far) - 3.0 * f0, 2.0 * (near - xj)
            if g[j] == 0.0 or abs(df) < float("inf"):
                g[j] = df / width
            if not _lost(df, fh):
                break
            h, scheme = h * abs(fh) ** 0.5, 3
        x[j] = xj


@kernel
def value(xp, n, data):
    """f(x)."""
    k = _words(data, N_COMPOSITE)
    if k[VALUE] == 0:
        return call4(k[BOTH], xp, k[SCRATCH], n, k[BOTH_DATA])
    f = call3(k[VALUE], xp, n, k[VALUE_DATA])
    if k[LAST] != 0:
        x, last = _reals(xp, n), _reals(k[LAST], n + 1)
        for j in range(n):
            last[j] = x[j]
        last[n] = f
    return f


@kernel
def _last_value(k, xp, n):
    """f(x): the last value if that was taken there, else evaluated and counted."""
    if k[LAST] != 0:
        x, last, same = _reals(xp, n), _reals(k[LAST], n + 1), True
        for j in range(n):
            same = same and last[j] == x[j]
        if same:
            return last[n]
    _words(k[C], 8)[NFEV] += 1
    return call3(k[VALUE], xp, n, k[VALUE_DATA])


@kernel
def value_grad(xp, gp, n, data):
    """f(x); sets the gradient."""
    k = _words(data, N_COMPOSITE)
    if k[BOTH] != 0:
        return call4(k[BOTH], xp, gp, n, k[BOTH_DATA])
    f = call3(k[VALUE], xp, n, k[VALUE_DATA])
    if k[SCHEME] == 0:
        call4(k[GRAD], xp, gp, n, k[GRAD_DATA])
    elif abs(f) < float("inf"):
        _differences(k, _reals(xp, n), _reals(gp, n), f)
    else:
        g = _reals(gp, n)
        for j in range(n):
            g[j] = float("nan")
    return f


@kernel
def grad(xp, gp, n, data):
    """Sets the gradient."""
    k = _words(data, N_COMPOSITE)
    if k[SCHEME] == 0:
        return call4(k[GRAD], xp, gp, n, k[GRAD_DATA])
    f = float("nan")
    if k[SCHEME] == 2:
        f = _last_value(k, xp, n)
    _differences(k, _reals(xp, n), _reals(gp, n), f)
    return 0.0


@kernel
def symmetrise(H, n):
    """Replace H by its symmetric part; its flaws: 1 if it was not symmetric but for rounding, 2 if not finite."""
    flaws, size = 0, 0.0
    for i in range(n):
        size += abs(H[i * n + i])
        for j in range(i):
            a, b = H[i * n + j], H[j * n + i]
            size += abs(a) + abs(b)
            if abs(a - b) > _ROUNDING * (abs(a) + abs(b)):
                flaws = 1
            H[i * n + j] = H[j * n + i] = 0.5 * (a + b)
    return flaws if size < float("inf") else 2


@kernel
def hess(xp, hp, n, data):
    """Sets the Hessian: the user's, or by differences of the gradient, made symmetric."""
    k = _words(data, N_COMPOSITE)
    if k[HESS] != 0:
        call4(k[HESS], xp, hp, n, k[HESS_DATA])
        c = _words(k[C], N_COUNTERS)
        if c[ABORT] == 0:
            c[HESSIAN_FLAWS] |= symmetrise(_reals(hp, n * n), n)
        return 0.0
    x, H, c = _reals(xp, n), _reals(hp, n * n), _words(k[C], 8)
    scratch = _reals(k[SCRATCH], 2 * n)
    up, down = scratch[:n], scratch[n:]
    upp, downp = types.intp(up.ctypes.data), types.intp(down.ctypes.data)
    if k[HESSP] != 0:
        # column by column, as products with unit vectors
        for j in range(n):
            for i in range(n):
                up[i] = 0.0
            up[j] = 1.0
            if not goes_on(k[C]):
                return 0.0
            call5(k[HESSP], xp, upp, downp, n, k[HESSP_DATA])
            for i in range(n):
                H[i * n + j] = down[i]
    else:
        scheme = k[HESS_SCHEME]
        if scheme == 2:
            call4(k[GRAD], xp, downp, n, k[GRAD_DATA])
            c[NJEV] += 1
            c[NFEV] += k[GRAD_VALUES]
        for j in range(n):
            if not goes_on(k[C]):
                return 0.0
            xj = x[j]
            h = _default_step(xj, scheme)
            below_room, above_room = _rooms(k, n, j, xj)
            if below_room + above_room == 0.0:
                for i in range(n):
                    H[i * n + j] = 0.0
                continue
            above, below = xj + h, xj - h
            if scheme == 2:
                above, below = xj + fit_step(h, below_room, above_room), xj
            elif h > 0.0:
                above, below = min(above, xj + above_room), max(below, xj - below_room)
            else:
                above, below = max(above, xj - below_room), min(below, xj + above_room)
            x[j] = above
            call4(k[GRAD], xp, upp, n, k[GRAD_DATA])
            c[NJEV] += 1
            if scheme == 3:
                x[j] = below
                call4(k[GRAD], xp, downp, n, k[GRAD_DATA])
                c[NJEV] += 1
            x[j] = xj
            c[NFEV] += (scheme - 1) * k[GRAD_VALUES]
            for i in range(n):
                H[i * n + j] = (up[i] - down[i]) / (above - below)
    symmetrise(H, n)
    return 0.0


@kernel
def diagonal(xp, outp, n, data):
    """Sets the diagonal of the Hessian."""
    k = _words(data, N_COMPOSITE)
    out, H = _reals(outp, n), _reals(k[MATRIX], n * n)
    call4(k[HESS], xp, k[MATRIX], n, k[HESS_DATA])
    for i in range(n):
        out[i] = H[i * n + i]
    return 0.0


@kernel
def hessp(xp, vp, outp, n, data):
    """Sets the product of the Hessian with v."""
    k = _words(data, N_COMPOSITE)
    x, v, out, c = _reals(xp, n), _reals(vp, n), _reals(outp, n), _words(k[C], N_COUNTERS)
    if k[HESSP] != 0:
        call5(k[HESSP], xp, vp, outp, n, k[HESSP_DATA])
        size = 0.0
        for i in range(n):
            size += abs(out[i])
        if c[ABORT] == 0 and not size < float("inf"):
            c[HESSIAN_FLAWS] |= 2
        return 0.0
    scratch = _reals(k[SCRATCH], 2 * n)
    there, up = scratch[:n], scratch[n:]
    # a central difference along v, whatever the scheme: a forward one would take the gradient at x again, just as many
    size = 0.0
    reach = 0.0
    for i in range(n):
        size = max(size, abs(v[i]))
        reach = max(reach, abs(x[i]))
    if size == 0.0:
        for i in range(n):
            out[i] = 0.0
        return 0.0
    h = _EPS3 * max(1.0, reach) / size
    for i in range(n):
        there[i] = x[i] + h * v[i]
    therep, upp = types.intp(there.ctypes.data), types.intp(up.ctypes.data)
    call4(k[GRAD], therep, upp, n, k[GRAD_DATA])
    for i in range(n):
        there[i] = x[i] - h * v[i]
    call4(k[GRAD], therep, outp, n, k[GRAD_DATA])
    c[NJEV] += 2
    c[NFEV] += 2 * k[GRAD_VALUES]
    for i in range(n):
        out[i] = (up[i] - out[i]) / (2.0 * h)
    return 0.0
