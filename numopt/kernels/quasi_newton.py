"""Positive definite matrices in place of the Hessian of the Lagrangian: a damped update, and a convex substitute."""

from numopt.kernels.compiling import kernel
from numopt.kernels.dense import cholesky, eigen, times
from numopt.kernels.vectors import dot

# Powell's: the curvature along s never falls below this share of the model's, so that B stays positive definite
DAMPING = 0.2

# least eigenvalue of the substitute, over the largest size of one: flatter directions would take steps without measure
FLATTEST = 1e-8

# curvature added across active constraints, over n times the largest entry of H: it must outweigh all that couples
CURVATURE = 10.0


@kernel
def damped_update(B, s, y, bs):
    """BFGS with Powell's damping (Nocedal & Wright, procedure 18.2); B flat, ``bs``: n doubles.  Overwrites y.

    r = theta y + (1 - theta) B s with s'r >= 0.2 s'Bs, then B += r r' / s'r - B s s'B / s'Bs.  Returns s'y / s'Bs, or
    NaN where there is no update.
    """
    n = s.size
    sbs = times(B, s, bs)
    sy = dot(s, y)
    if not sbs > 0.0:
        return float("nan")
    share = sy / sbs
    if sy < DAMPING * sbs:
        theta = (1.0 - DAMPING) * sbs / (sbs - sy)
        for j in range(n):
            y[j] = theta * y[j] + (1.0 - theta) * bs[j]
        sy = dot(s, y)
    if not sy > 0.0:
        return float("nan")
    for i in range(n):
        a, b = y[i] / sy, bs[i] / sbs
        for j in range(n):
            B[i * n + j] += a * y[j] - b * bs[j]
    return share


@kernel
def convexify(H, J, rows, gap, n, least, B, g, V, L, lam, work):
    """Sets B, positive definite, from the Hessian H, and g so that the model agrees on the active constraints.

    Where H is not positive definite, rho / a'a (a'd - gap)^2 / 2 is added first for each active constraint, which
    changes the step on them not at all.  What is still not convex is so along them: eigenvalues are replaced by their
    sizes, and by ``least`` where that is more.

    ``rows``: m + n marks, not zero: active; ``gap``: what there is to its limit.  ``V``, ``L`` (n x n), ``lam``,
    ``work`` (n): scratch.
    """
    m = rows.size - n
    most = 0.0
    for i in range(n * n):
        B[i] = H[i]
        most = max(most, abs(H[i]))
    floor = FLATTEST * most
    if most > 0.0 and cholesky(B, L, n, -floor):
        return
    rho = CURVATURE * n * most
    for i in range(m):
        if rows[i] != 0.0:
            aa = 0.0
            for j in range(n):
                aa += J[i * n + j] * J[i * n + j]
            if aa > 0.0:
                for j in range(n):
                    a = rho * J[i * n + j] / aa
                    g[j] -= gap[i] * a
                    for k in range(n):
                        B[j * n + k] += a * J[i * n + k]
    for j in range(n):
        if rows[m + j] != 0.0:
            B[j * n + j] += rho
            g[j] -= rho * gap[m + j]
    if rho > 0.0 and cholesky(B, L, n, -floor):
        return
    for i in range(n * n):
        V[i] = B[i]
    converged = eigen(V, lam, work, n)
    for i in range(n * n):
        B[i] = 0.0
    for k in range(n):
        size = max(abs(lam[k]), floor, least)
        if not size > 0.0:
            size = 1.0
        if not converged:
            B[k * n + k] = max(most, 1.0)
            continue
        for i in range(n):
            a = size * V[k * n + i]
            for j in range(n):
                B[i * n + j] += a * V[k * n + j]
