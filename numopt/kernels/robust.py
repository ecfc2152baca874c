"""Losses of residuals, and what they make of rows of a Jacobian: equation (2) of ``kernels.squares``."""

from math import atan, log, log1p

from numba import carray, types

from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import call4, void_pointer
from numopt.kernels.triangle import inner

EPS = 2.220446049250313e-16
_INF = float("inf")


@kernel
def reals(address, n):
    return carray(void_pointer(address), (n,), types.float64)


@kernel
def words(address, n):
    return carray(void_pointer(address), (n,), types.int64)


@kernel
def rho(kind, z):
    """(rho, rho', rho'') of z >= 0."""
    if kind == q.SOFT_L1:
        t = 1.0 + z
        return 2.0 * z / (1.0 + t**0.5), t**-0.5, -0.5 * t**-1.5
    if kind == q.HUBER:
        if z <= 1.0:
            return z, 1.0, 0.0
        return 2.0 * z**0.5 - 1.0, z**-0.5, -0.5 * z**-1.5
    if kind == q.CAUCHY:
        t = 1.0 + z
        return log(t), 1.0 / t, -1.0 / (t * t)
    if kind == q.ARCTAN:
        t = 1.0 + z * z
        return atan(z), 1.0 / t, -2.0 * z / (t * t)
    return z, 1.0, 0.0


@kernel
def poisson_term(mu, y):
    """mu - y + y log(y / mu), without cancellation; infinite where the model is not positive."""
    if mu < 0.0 or (mu == 0.0 and y > 0.0) or mu != mu:
        return _INF
    if y == 0.0:
        return mu
    t = (mu - y) / y
    return y * max(t - log1p(t), 0.0)


@kernel
def cost(k, r, first, count, work):
    """f of some rows; ``work`` has 4 count places."""
    total = 0.0
    kind, C = k[q.LOSS], reals(k[q.REALS], 1)[0]
    if kind == q.LINEAR:
        return 0.5 * inner(r, r, count)
    if kind == q.POISSON:
        y = reals(k[q.Y], k[q.M])
        for i in range(count):
            total += poisson_term(r[i] + y[first + i], y[first + i])
        return total
    if kind == q.CALLABLE:
        _call_loss(k, r, count, work)
        for i in range(count):
            total += work[count + i]
    else:
        for i in range(count):
            total += rho(kind, (r[i] / C) * (r[i] / C))[0]
    return 0.5 * C * C * total


@kernel
def _call_loss(k, r, count, work):
    """work[count:] = rho, rho', rho'' of the squares in work[:count], which are set too."""
    C = reals(k[q.REALS], 1)[0]
    for i in range(count):
        work[i] = (r[i] / C) * (r[i] / C)
    z = types.intp(work.ctypes.data)
    call4(k[q.LOSS_FUNCTION], z, z + 8 * count, count, k[q.LOSS_DATA])


@kernel
def weigh(k, panel, n, height, first, rows, work):
    """(2) for the rows of a panel."""
    kind, C, floor = k[q.LOSS], reals(k[q.REALS], 2)[0], reals(k[q.REALS], 2)[1]
    r = panel[n * height : n * height + rows]
    if kind == q.CALLABLE:
        _call_loss(k, r, rows, work)
    for i in range(rows):
        if kind == q.POISSON:
            mu = r[i] + reals(k[q.Y], k[q.M])[first + i]
            root = max(mu, EPS) ** 0.5
            slope = 1.0 / root
            r[i] /= root
        else:
            z = (r[i] / C) * (r[i] / C)
            if kind == q.CALLABLE:
                d1, d2 = work[2 * rows + i], work[3 * rows + i]
            else:
                _, d1, d2 = rho(kind, z)
            slope = max(d1 + 2.0 * z * d2, floor * d1, EPS) ** 0.5
            r[i] *= d1 / slope
        for j in range(n):
            panel[j * height + i] *= slope
