"""Functions 21 to 35 of Moré, Garbow & Hillstrom (1981), whose n may vary: ``fill(x, r, J)``."""

from math import cos, sin, sqrt

import numpy as np
from numba import njit


@njit(cache=True)
def extended_rosenbrock(x, r, J):
    """10 (x_2i - x_(2i-1)^2); 1 - x_(2i-1)."""
    J[:] = 0.0
    for i in range(0, x.size, 2):
        r[i], r[i + 1] = 10.0 * (x[i + 1] - x[i] ** 2), 1.0 - x[i]
        J[i, i], J[i, i + 1], J[i + 1, i] = -20.0 * x[i], 10.0, -1.0


@njit(cache=True)
def extended_powell_singular(x, r, J):
    """Powell's singular function on groups of four variables."""
    J[:] = 0.0
    for i in range(0, x.size, 4):
        a, b = x[i + 1] - 2.0 * x[i + 2], x[i] - x[i + 3]
        r[i], r[i + 1] = x[i] + 10.0 * x[i + 1], sqrt(5.0) * (x[i + 2] - x[i + 3])
        r[i + 2], r[i + 3] = a * a, sqrt(10.0) * b * b
        J[i, i], J[i, i + 1], J[i + 1, i + 2], J[i + 1, i + 3] = 1.0, 10.0, sqrt(5.0), -sqrt(5.0)
        J[i + 2, i + 1], J[i + 2, i + 2] = 2.0 * a, -4.0 * a
        J[i + 3, i], J[i + 3, i + 3] = 2.0 * sqrt(10.0) * b, -2.0 * sqrt(10.0) * b


@njit(cache=True)
def penalty_1(x, r, J):
    """sqrt(1e-5) (x_i - 1); sum x_j^2 - 1/4."""
    n, a = x.size, sqrt(1e-5)
    J[:] = 0.0
    s = -0.25
    for i in range(n):
        r[i], J[i, i] = a * (x[i] - 1.0), a
        s += x[i] ** 2
        J[n, i] = 2.0 * x[i]
    r[n] = s


@njit(cache=True)
def penalty_2(x, r, J):
    """x1 - 0.2; sqrt a (e^(x_i/10) + e^(x_(i-1)/10) - y_i); sqrt a (e^(x_i/10) - e^(-1/10)); sum (n-j+1) x_j^2 - 1."""
    n, a = x.size, sqrt(1e-5)
    J[:] = 0.0
    r[0], J[0, 0] = x[0] - 0.2, 1.0
    for i in range(1, n):
        y = np.exp((i + 1) / 10.0) + np.exp(i / 10.0)
        e, e1 = np.exp(x[i] / 10.0), np.exp(x[i - 1] / 10.0)
        r[i] = a * (e + e1 - y)
        J[i, i], J[i, i - 1] = a * e / 10.0, a * e1 / 10.0
        k = n + i - 1
        r[k], J[k, i] = a * (e - np.exp(-0.1)), a * e / 10.0
    k = 2 * n - 1
    r[k] = -1.0
    for j in range(n):
        r[k] += (n - j) * x[j] ** 2
        J[k, j] = 2.0 * (n - j) * x[j]


@njit(cache=True)
def variably_dimensioned(x, r, J):
    """x_i - 1; s = sum j (x_j - 1); s^2."""
    n = x.size
    J[:] = 0.0
    s = 0.0
    for i in range(n):
        r[i], J[i, i] = x[i] - 1.0, 1.0
        s += (i + 1) * (x[i] - 1.0)
    r[n], r[n + 1] = s, s * s
    for j in range(n):
        J[n, j], J[n + 1, j] = j + 1.0, 2.0 * s * (j + 1)


@njit(cache=True)
def trigonometric(x, r, J):
    """n - sum cos x_j + i (1 - cos x_i) - sin x_i."""
    n = x.size
    s = 0.0
    for j in range(n):
        s += cos(x[j])
    for i in range(n):
        r[i] = n - s + (i + 1) * (1.0 - cos(x[i])) - sin(x[i])
        for j in range(n):
            J[i, j] = sin(x[j])
        J[i, i] += (i + 1) * sin(x[i]) - cos(x[i])


@njit(cache=True)
def brown_almost_linear(x, r, J):
    """x_i + sum x_j - (n + 1), i < n; prod x_j - 1."""
    n = x.size
    s = -(n + 1.0)
    for j in range(n):
        s += x[j]
    for i in range(n - 1):
        r[i] = x[i] + s
        for j in range(n):
            J[i, j] = 2.0 if i == j else 1.0
    for j in range(n):
        p = 1.0
        for k in range(n):
            if k != j:
                p *= x[k]
        J[n - 1, j] = p
        r[n - 1] = p * x[j] - 1.0


@njit(cache=True)
def discrete_boundary_value(x, r, J):
    """2 x_i - x_(i-1) - x_(i+1) + h^2 (x_i + t_i + 1)^3 / 2."""
    n = x.size
    h = 1.0 / (n + 1)
    J[:] = 0.0
    for i in range(n):
        z = x[i] + (i + 1) * h + 1.0
        r[i] = 2.0 * x[i] + h * h * z**3 / 2.0
        J[i, i] = 2.0 + 1.5 * h * h * z**2
        if i > 0:
            r[i] -= x[i - 1]
            J[i, i - 1] = -1.0
        if i < n - 1:
            r[i] -= x[i + 1]
            J[i, i + 1] = -1.0


@njit(cache=True)
def discrete_integral(x, r, J):
    """x_i + h ((1 - t_i) sum_(j<=i) t_j z_j^3 + t_i sum_(j>i) (1 - t_j) z_j^3) / 2, z_j = x_j + t_j + 1."""
    n = x.size
    h = 1.0 / (n + 1)
    for i in range(n):
        ti = (i + 1) * h
        r[i] = x[i]
        for j in range(n):
            tj = (j + 1) * h
            k = (1.0 - ti) * tj if j <= i else ti * (1.0 - tj)
            z = x[j] + tj + 1.0
            r[i] += 0.5 * h * k * z**3
            J[i, j] = 1.5 * h * k * z**2
        J[i, i] += 1.0


@njit(cache=True)
def broyden_tridiagonal(x, r, J):
    """(3 - 2 x_i) x_i - x_(i-1) - 2 x_(i+1) + 1."""
    n = x.size
    J[:] = 0.0
    for i in range(n):
        r[i], J[i, i] = (3.0 - 2.0 * x[i]) * x[i] + 1.0, 3.0 - 4.0 * x[i]
        if i > 0:
            r[i] -= x[i - 1]
            J[i, i - 1] = -1.0
        if i < n - 1:
            r[i] -= 2.0 * x[i + 1]
            J[i, i + 1] = -2.0


@njit(cache=True)
def broyden_banded(x, r, J):
    """x_i (2 + 5 x_i^2) + 1 - sum of x_j (1 + x_j) over i-5 <= j <= i+1, j != i."""
    n = x.size
    J[:] = 0.0
    for i in range(n):
        r[i], J[i, i] = x[i] * (2.0 + 5.0 * x[i] ** 2) + 1.0, 2.0 + 15.0 * x[i] ** 2
        for j in range(max(0, i - 5), min(n, i + 2)):
            if j != i:
                r[i] -= x[j] * (1.0 + x[j])
                J[i, j] = -1.0 - 2.0 * x[j]


@njit(cache=True)
def linear_full_rank(x, r, J):
    """x_i - (2/m) sum x_j - 1, i <= n; -(2/m) sum x_j - 1."""
    n, m = x.size, r.size
    s = 0.0
    for j in range(n):
        s += x[j]
    for i in range(m):
        r[i] = -2.0 * s / m - 1.0
        for j in range(n):
            J[i, j] = -2.0 / m
        if i < n:
            r[i] += x[i]
            J[i, i] += 1.0


@njit(cache=True)
def linear_rank_1(x, r, J):
    """i sum j x_j - 1."""
    s = 0.0
    for j in range(x.size):
        s += (j + 1) * x[j]
    for i in range(r.size):
        r[i] = (i + 1) * s - 1.0
        for j in range(x.size):
            J[i, j] = (i + 1.0) * (j + 1)


@njit(cache=True)
def linear_rank_1_zeros(x, r, J):
    """(i - 1) sum_(2..n-1) j x_j - 1 for 1 < i < m; -1 for i = 1 and m."""
    n, m = x.size, r.size
    J[:] = 0.0
    s = 0.0
    for j in range(1, n - 1):
        s += (j + 1) * x[j]
    for i in range(m):
        r[i] = -1.0
        if 0 < i < m - 1:
            r[i] += i * s
            for j in range(1, n - 1):
                J[i, j] = i * (j + 1.0)


@njit(cache=True)
def chebyquad(x, r, J):
    """Mean of the shifted Chebyshev polynomial T_i over the x_j, minus its integral over [0, 1]."""
    n, m = x.size, r.size
    r[:] = 0.0
    for j in range(n):
        z = 2.0 * x[j] - 1.0
        a, b = 1.0, z
        da, db = 0.0, 2.0
        for i in range(m):
            r[i] += b / n
            J[i, j] = db / n
            c, dc = 2.0 * z * b - a, 4.0 * b + 2.0 * z * db - da
            a, b, da, db = b, c, db, dc
    for i in range(1, m, 2):
        r[i] += 1.0 / ((i + 1.0) ** 2 - 1.0)
