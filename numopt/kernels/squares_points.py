"""A sum of squares at one point: the point as the user's functions see it, the data, the places of differences."""

from numba import types

from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.composite import fit_step
from numopt.kernels.robust import reals

EPS = 2.220446049250313e-16
_EPS2, _EPS3 = EPS**0.5, EPS ** (1.0 / 3.0)
_INF = float("inf")


@kernel
def point(k, z):
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
def scaled_column(k, r, first, count):
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
def scaled(k, r, first, count):
    """(1) for residuals of the rows from ``first`` on."""
    if k[q.Y] != 0:
        y = reals(k[q.Y], k[q.M])
        for i in range(count):
            r[i] -= y[first + i]
    scaled_column(k, r, first, count)


@kernel
def step_at(zj, relative, size, least, large):
    """The difference step of a variable at zj: ``relative`` of it, or where that is negative (none given) ``least``.

    Of its own size, or where that is too small (``large``) of 1 at least; ``size``: what it was at the start.
    """
    h = relative * abs(zj) if relative >= 0.0 else least * max(abs(zj), 0.01 * size)
    if large or (zj + h) - zj == 0.0:
        h = max(h, least * max(1.0, abs(zj)))
    return h if zj >= 0.0 else -h


@kernel
def points_at(zj, h, down, up, scheme):
    """Where to evaluate for a difference at zj, ``down`` and ``up`` away from its bounds: see ``points``."""
    if scheme == 2:
        return zj + fit_step(h, down, up), zj, 1
    if abs(h) <= down and abs(h) <= up:
        return zj + h, zj - h, 2
    h = 0.5 * fit_step(2.0 * h, down, up)
    return zj + h, zj + 2.0 * h, 3


@kernel
def points(k, n, j, zj, large):
    """Where to evaluate for the difference in z[j]: (near, far, kind), kind 1 forward, 2 central, 3 one-sided."""
    least = _EPS2 if k[q.SCHEME] == 2 else _EPS3
    relative, size = -1.0, 0.0
    if k[q.STEPS] != 0:
        relative = abs(reals(k[q.STEPS], n)[j])
    else:
        size = reals(k[q.TYPICAL], n)[j]
    down, up = _INF, _INF
    if k[q.LOWER] != 0:
        down, up = zj - reals(k[q.LOWER], n)[j], reals(k[q.UPPER], n)[j] - zj
    return points_at(zj, step_at(zj, relative, size, least, large), down, up, k[q.SCHEME])
