"""Functions 1 to 20 of Moré, Garbow & Hillstrom (1981): ``fill(x, r, J)`` writes residuals and Jacobian."""

from math import cos, exp, pi, sin, sqrt

import numpy as np
from numba import njit


@njit(cache=True)
def rosenbrock(x, r, J):
    """10 (x2 - x1^2); 1 - x1."""
    r[0], r[1] = 10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]
    J[0, 0], J[0, 1], J[1, 0], J[1, 1] = -20.0 * x[0], 10.0, -1.0, 0.0


@njit(cache=True)
def freudenstein_roth(x, r, J):
    """-13 + x1 + ((5 - x2) x2 - 2) x2; -29 + x1 + ((x2 + 1) x2 - 14) x2."""
    r[0] = -13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1]
    r[1] = -29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1]
    J[0, 0], J[0, 1] = 1.0, (10.0 - 3.0 * x[1]) * x[1] - 2.0
    J[1, 0], J[1, 1] = 1.0, (3.0 * x[1] + 2.0) * x[1] - 14.0


@njit(cache=True)
def powell_badly_scaled(x, r, J):
    """1e4 x1 x2 - 1; exp(-x1) + exp(-x2) - 1.0001."""
    r[0], r[1] = 1e4 * x[0] * x[1] - 1.0, exp(-x[0]) + exp(-x[1]) - 1.0001
    J[0, 0], J[0, 1], J[1, 0], J[1, 1] = 1e4 * x[1], 1e4 * x[0], -exp(-x[0]), -exp(-x[1])


@njit(cache=True)
def brown_badly_scaled(x, r, J):
    """x1 - 1e6; x2 - 2e-6; x1 x2 - 2."""
    r[0], r[1], r[2] = x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0
    J[0, 0], J[0, 1], J[1, 0], J[1, 1], J[2, 0], J[2, 1] = 1.0, 0.0, 0.0, 1.0, x[1], x[0]


@njit(cache=True)
def beale(x, r, J):
    """y_i - x1 (1 - x2^i)."""
    y = (1.5, 2.25, 2.625)
    for i in range(3):
        r[i] = y[i] - x[0] * (1.0 - x[1] ** (i + 1))
        J[i, 0], J[i, 1] = x[1] ** (i + 1) - 1.0, (i + 1) * x[0] * x[1] ** i


@njit(cache=True)
def jennrich_sampson(x, r, J):
    """2 + 2 i - (exp(i x1) + exp(i x2))."""
    for k in range(r.size):
        i = k + 1.0
        a, b = exp(i * x[0]), exp(i * x[1])
        r[k] = 2.0 + 2.0 * i - (a + b)
        J[k, 0], J[k, 1] = -i * a, -i * b


@njit(cache=True)
def helical_valley(x, r, J):
    """10 (x3 - 10 theta); 10 (rho - 1); x3, with theta the angle of (x1, x2) in turns."""
    # the branch of MGH: arctan(x2 / x1) / 2 pi, plus 1/2 for x1 < 0
    if x[0] == 0.0:
        theta = 0.25 if x[1] >= 0.0 else -0.25
    else:
        theta = np.arctan(x[1] / x[0]) / (2.0 * pi) + (0.5 if x[0] < 0.0 else 0.0)
    q = x[0] ** 2 + x[1] ** 2
    rho = sqrt(q)
    r[0], r[1], r[2] = 10.0 * (x[2] - 10.0 * theta), 10.0 * (rho - 1.0), x[2]
    t = 100.0 / (2.0 * pi * q)
    J[0, 0], J[0, 1], J[0, 2] = t * x[1], -t * x[0], 10.0
    J[1, 0], J[1, 1], J[1, 2] = 10.0 * x[0] / rho, 10.0 * x[1] / rho, 0.0
    J[2, 0], J[2, 1], J[2, 2] = 0.0, 0.0, 1.0


@njit(cache=True)
def bard(x, r, J):
    """y_i - (x1 + u / (v x2 + w x3)), u = i, v = 16 - i, w = min(u, v)."""
    y = (0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39)
    for k in range(15):
        u, v = k + 1.0, 15.0 - k
        w = min(u, v)
        d = v * x[1] + w * x[2]
        r[k] = y[k] - (x[0] + u / d)
        J[k, 0], J[k, 1], J[k, 2] = -1.0, u * v / d**2, u * w / d**2


@njit(cache=True)
def gaussian(x, r, J):
    """x1 exp(-x2 (t_i - x3)^2 / 2) - y_i, t_i = (8 - i) / 2."""
    y = (0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989)
    for k in range(15):
        t = 0.5 * (7.0 - k) - x[2]
        e = exp(-0.5 * x[1] * t * t)
        r[k] = x[0] * e - y[min(k, 14 - k)]
        J[k, 0], J[k, 1], J[k, 2] = e, -0.5 * t * t * x[0] * e, x[0] * x[1] * t * e


@njit(cache=True)
def meyer(x, r, J):
    """x1 exp(x2 / (t_i + x3)) - y_i, t_i = 45 + 5 i."""
    y = (34780.0, 28610.0, 23650.0, 19630.0, 16370.0, 13720.0, 11540.0, 9744.0, 8261.0, 7030.0, 6005.0, 5147.0,
         4427.0, 3820.0, 3307.0, 2872.0)  # fmt: skip
    for k in range(16):
        t = 50.0 + 5.0 * k + x[2]
        e = exp(x[1] / t)
        r[k] = x[0] * e - y[k]
        J[k, 0], J[k, 1], J[k, 2] = e, x[0] * e / t, -x[0] * e * x[1] / t**2


@njit(cache=True)
def gulf(x, r, J):
    """exp(-|y_i - x2|^x3 / x1) - t_i, t_i = i / 100, y_i = 25 + (-50 ln t_i)^(2/3)."""
    for k in range(r.size):
        t = (k + 1.0) / 100.0
        y = 25.0 + (-50.0 * np.log(t)) ** (2.0 / 3.0)
        z = y - x[1]
        a = abs(z)
        p = a ** x[2] / x[0]
        e = exp(-p)
        r[k] = e - t
        J[k, 0] = e * p / x[0]
        J[k, 1] = e * p * x[2] / z
        J[k, 2] = -e * p * np.log(a)


@njit(cache=True)
def box_3d(x, r, J):
    """exp(-t x1) - exp(-t x2) - x3 (exp(-t) - exp(-10 t)), t = i / 10."""
    for k in range(r.size):
        t = 0.1 * (k + 1.0)
        a, b, c = exp(-t * x[0]), exp(-t * x[1]), exp(-t) - exp(-10.0 * t)
        r[k] = a - b - x[2] * c
        J[k, 0], J[k, 1], J[k, 2] = -t * a, t * b, -c


@njit(cache=True)
def powell_singular(x, r, J):
    """x1 + 10 x2; sqrt5 (x3 - x4); (x2 - 2 x3)^2; sqrt10 (x1 - x4)^2."""
    J[:] = 0.0
    a, b = x[1] - 2.0 * x[2], x[0] - x[3]
    r[0], r[1], r[2], r[3] = x[0] + 10.0 * x[1], sqrt(5.0) * (x[2] - x[3]), a * a, sqrt(10.0) * b * b
    J[0, 0], J[0, 1], J[1, 2], J[1, 3] = 1.0, 10.0, sqrt(5.0), -sqrt(5.0)
    J[2, 1], J[2, 2] = 2.0 * a, -4.0 * a
    J[3, 0], J[3, 3] = 2.0 * sqrt(10.0) * b, -2.0 * sqrt(10.0) * b


@njit(cache=True)
def wood(x, r, J):
    """Two Rosenbrock valleys, coupled."""
    J[:] = 0.0
    a, b, c = sqrt(90.0), sqrt(10.0), 1.0 / sqrt(10.0)
    r[0], r[1], r[2], r[3] = 10.0 * (x[1] - x[0] ** 2), 1.0 - x[0], a * (x[3] - x[2] ** 2), 1.0 - x[2]
    r[4], r[5] = b * (x[1] + x[3] - 2.0), c * (x[1] - x[3])
    J[0, 0], J[0, 1], J[1, 0], J[2, 2], J[2, 3], J[3, 2] = -20.0 * x[0], 10.0, -1.0, -2.0 * a * x[2], a, -1.0
    J[4, 1], J[4, 3], J[5, 1], J[5, 3] = b, b, c, -c


@njit(cache=True)
def kowalik_osborne(x, r, J):
    """y_i - x1 (u^2 + u x2) / (u^2 + u x3 + x4)."""
    y = (0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246)
    z = (4.0, 2.0, 1.0, 0.5, 0.25, 0.1670, 0.1250, 0.1, 0.0833, 0.0714, 0.0625)
    for k in range(11):
        u = z[k]
        p, q = u * (u + x[1]), u * (u + x[2]) + x[3]
        r[k] = y[k] - x[0] * p / q
        J[k, 0], J[k, 1] = -p / q, -x[0] * u / q
        J[k, 2], J[k, 3] = x[0] * p * u / q**2, x[0] * p / q**2


@njit(cache=True)
def brown_dennis(x, r, J):
    """(x1 + t x2 - exp t)^2 + (x3 + x4 sin t - cos t)^2, t = i / 5."""
    for k in range(r.size):
        t = 0.2 * (k + 1.0)
        a, b = x[0] + t * x[1] - exp(t), x[2] + x[3] * sin(t) - cos(t)
        r[k] = a * a + b * b
        J[k, 0], J[k, 1], J[k, 2], J[k, 3] = 2.0 * a, 2.0 * a * t, 2.0 * b, 2.0 * b * sin(t)


@njit(cache=True)
def osborne_1(x, r, J):
    """y_i - (x1 + x2 exp(-t x4) + x3 exp(-t x5)), t = 10 (i - 1)."""
    y = (0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628,
         0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420,
         0.414, 0.411, 0.406)  # fmt: skip
    for k in range(33):
        t = 10.0 * k
        a, b = exp(-t * x[3]), exp(-t * x[4])
        r[k] = y[k] - (x[0] + x[1] * a + x[2] * b)
        J[k, 0], J[k, 1], J[k, 2], J[k, 3], J[k, 4] = -1.0, -a, -b, t * x[1] * a, t * x[2] * b


@njit(cache=True)
def biggs_exp6(x, r, J):
    """x3 exp(-t x1) - x4 exp(-t x2) + x6 exp(-t x5) - y_i, t = i / 10."""
    for k in range(r.size):
        t = 0.1 * (k + 1.0)
        y = exp(-t) - 5.0 * exp(-10.0 * t) + 3.0 * exp(-4.0 * t)
        a, b, c = exp(-t * x[0]), exp(-t * x[1]), exp(-t * x[4])
        r[k] = x[2] * a - x[3] * b + x[5] * c - y
        J[k, 0], J[k, 1], J[k, 2] = -t * x[2] * a, t * x[3] * b, a
        J[k, 3], J[k, 4], J[k, 5] = -b, -t * x[5] * c, c


@njit(cache=True)
def osborne_2(x, r, J):
    """y_i minus an exponential and three Gaussians of t = (i - 1) / 10."""
    y = (1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608, 0.655, 0.616,
         0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661, 0.612, 0.558, 0.533, 0.495,
         0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428, 0.429, 0.523, 0.562, 0.607, 0.653, 0.672,
         0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559, 0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581,
         0.428, 0.292, 0.162, 0.098, 0.054)  # fmt: skip
    for k in range(65):
        t = 0.1 * k
        e = exp(-t * x[4])
        r[k] = y[k] - x[0] * e
        J[k, 0], J[k, 4] = -e, t * x[0] * e
        for j in range(3):
            d = t - x[8 + j]
            g = exp(-(d**2) * x[5 + j])
            r[k] -= x[1 + j] * g
            J[k, 1 + j] = -g
            J[k, 5 + j] = x[1 + j] * d**2 * g
            J[k, 8 + j] = -2.0 * x[1 + j] * d * x[5 + j] * g


@njit(cache=True)
def watson(x, r, J):
    """sum (j-1) x_j t^(j-2) - (sum x_j t^(j-1))^2 - 1, t = i / 29; x1; x2 - x1^2 - 1."""
    n = x.size
    for k in range(29):
        t = (k + 1.0) / 29.0
        a, b, power = 0.0, 0.0, 1.0
        for j in range(n):
            if j > 0:
                a += j * x[j] * t ** (j - 1)
            b += x[j] * power
            power *= t
        r[k] = a - b * b - 1.0
        for j in range(n):
            J[k, j] = (j * t ** (j - 1) if j > 0 else 0.0) - 2.0 * b * t**j
    J[29:, :] = 0.0
    r[29], r[30] = x[0], x[1] - x[0] ** 2 - 1.0
    J[29, 0], J[30, 0], J[30, 1] = 1.0, -2.0 * x[0], 1.0
