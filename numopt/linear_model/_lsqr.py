"""LSQR: least squares with a damping term from products with a matrix and its transpose.

Minimises ||A x - b||^2 + damp^2 ||x||^2 by the bidiagonalisation beta u = A v - alpha u, alpha v = A'u - beta v, whose
bidiagonal least-squares problems two plane rotations a step solve. It ends where, as SciPy's does,

    ||r|| <= tol (||b|| + ||A|| ||x||)   or   ||A'r|| <= tol ||A|| ||r||   or   cond(A) >= 1e8,

by estimates of these norms, or where tol below rounding is reached.

References
----------
C. C. Paige, M. A. Saunders, LSQR: an algorithm for sparse linear equations and sparse least squares, ACM TOMS 8
(1982), 43-71.
"""

from math import hypot

import numpy as np
from scipy.linalg import blas

NORM = {"d": blas.dnrm2, "f": blas.snrm2}
AXPY = {"d": blas.daxpy, "f": blas.saxpy}
EPS = np.finfo(float).eps
CONDITION = 1e8


def lsqr(dot, t_dot, b, size, damp, tol, max_iter):
    """x, the number of iterations, and where they were too few the relative gradient that was reached, else None.

    Parameters
    ----------
    dot, t_dot : callable
        Products of A and of its transpose with a vector, each a new array.
    b : array
    size : int
        Length of x.
    damp, tol : float
    max_iter : int or None
        None stands for twice the length of x.
    """
    norm, axpy = NORM[b.dtype.char], AXPY[b.dtype.char]
    x = np.zeros(size, b.dtype)
    beta = bnorm = norm(b)
    if beta == 0.0:
        return x, 0, None
    u = b / beta
    v = t_dot(u)
    alpha = norm(v)
    if alpha == 0.0:
        return x, 0, None
    v /= alpha
    w = v.copy()
    rhobar, phibar, anorm, ddnorm, psis = alpha, beta, 0.0, 0.0, 0.0
    cs2, sn2, z, xxnorm = -1.0, 0.0, 0.0, 0.0
    limit = 2 * size if max_iter is None else max_iter
    iterations = 0
    while iterations < limit:
        iterations += 1
        q = dot(v)
        axpy(u, q, a=-alpha)
        u, beta = q, norm(q)
        if beta > 0.0:
            u /= beta
            anorm = hypot(anorm, alpha, beta, damp)
            q = t_dot(u)
            axpy(v, q, a=-beta)
            v, alpha = q, norm(q)
            if alpha > 0.0:
                v /= alpha
        # the rotation that removes the damping, then that which removes beta
        rhobar1 = hypot(rhobar, damp)
        psi, phibar = damp / rhobar1 * phibar, rhobar / rhobar1 * phibar
        rho = hypot(rhobar1, beta)
        cs, sn = rhobar1 / rho, beta / rho
        theta, rhobar = sn * alpha, -cs * alpha
        phi, phibar = cs * phibar, sn * phibar
        ddnorm += (norm(w) / rho) ** 2
        axpy(w, x, a=phi / rho)
        w *= -theta / rho
        w += v
        # the rotation from the right that estimates the norm of x
        rhs, gambar = phi - sn2 * rho * z, -cs2 * rho
        xnorm = hypot(xxnorm, rhs / gambar)
        gamma = hypot(gambar, theta)
        cs2, sn2, z = gambar / gamma, theta / gamma, rhs / gamma
        xxnorm = hypot(xxnorm, z)
        psis = hypot(psis, psi)
        rnorm = hypot(phibar, psis)
        relative = anorm * xnorm / bnorm
        compatible, normal = rnorm / bnorm, alpha * abs(sn * phi) / (anorm * rnorm + EPS)
        singular = 1.0 / (anorm * ddnorm**0.5 + EPS)
        if compatible <= tol * (1.0 + relative) or normal <= tol or singular <= 1.0 / CONDITION:
            break
        if compatible / (1.0 + relative) <= EPS / 2 or normal <= EPS / 2:
            break
    else:
        return x, iterations, normal if iterations else 1.0
    return x, iterations, None
