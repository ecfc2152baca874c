"""Problems of Hock & Schittkowski with five variables and tables of numbers, and with seven to sixteen variables."""

from numopt.problems._formula import exp, log
from numopt.problems._rows import at_least, at_most, between, equal, named

TABLE, problem = named()

# Colville's problem, the primal of which is 86 and the dual 117
_E = (-15, -27, -36, -18, -12)
_C = ((30, -20, -10, 32, -10), (-20, 39, -6, -31, 32), (-10, -6, 10, -6, -10), (32, -31, -6, 39, -20),
      (-10, 32, -10, -20, 30))  # fmt: skip
_D = (4, 8, 10, 6, 2)
_A = ((-16, 2, 0, 1, 0), (0, -2, 0, 0.4, 2), (-3.5, 0, 2, 0, 0), (0, -2, 0, -4, -1), (0, -9, -2, 1, -2.8),
      (2, 0, -4, 0, 0), (-1, -1, -1, -1, -1), (-1, -2, -3, -2, -1), (1, 2, 3, 4, 5), (1, 1, 1, 1, 1))  # fmt: skip
_B = (-40, -2, -0.25, -4, -4, -1, -40, -60, 5, 1)


def _dot(a, x):
    return sum(ai * xi for ai, xi in zip(a, x, strict=True))


@problem(0, 0, 0, 0, 1, lower=0)
def hs86(*x):
    f = _dot(_E, x) + _dot([_dot(row, x) for row in _C], x) + _dot(_D, [xj**3 for xj in x])
    return f, [at_least(_dot(row, x), b) for row, b in zip(_A, _B, strict=True)]


@problem(*(0.001,) * 6, 60, *(0.001,) * 8, lower=0)
def hs117(*x):
    y, z = x[:10], x[10:]
    f = _dot([_dot(row, z) for row in _C], z) + 2 * _dot(_D, [zj**3 for zj in z]) - _dot(_B, y)
    columns = list(zip(*_A, strict=True))
    return f, [at_least(2 * _dot(_C[j], z) + 3 * _D[j] * z[j] ** 2 - _dot(columns[j], y), -_E[j]) for j in range(5)]


@problem(1, 2, 0, 4, 0, 1, 1)
def hs100(x1, x2, x3, x4, x5, x6, x7):
    f = (x1 - 10) ** 2 + 5 * (x2 - 12) ** 2 + x3**4 + 3 * (x4 - 11) ** 2 + 10 * x5**6 + 7 * x6**2 + x7**4
    return f - 4 * x6 * x7 - 10 * x6 - 8 * x7, [
        at_most(2 * x1**2 + 3 * x2**4 + x3 + 4 * x4**2 + 5 * x5, 127),
        at_most(7 * x1 + 3 * x2 + 10 * x3**2 + x4 - x5, 282),
        at_most(23 * x1 + x2**2 + 6 * x6**2 - 8 * x7, 196),
        at_most(4 * x1**2 + x2**2 - 3 * x1 * x2 + 2 * x3**2 + 5 * x6 - 11 * x7),
    ]


@problem(*(6,) * 7, lower=(*(0.1,) * 6, 0.01), upper=10)
def hs101(x1, x2, x3, x4, x5, x6, x7):
    f = (
        10 * x1 * x2**-1 * x4**2 * x6**-3 * x7**-0.25
        + 15 * x1**-1 * x2**-2 * x3 * x4 * x5**-1 * x7**-0.5
        + 20 * x1**-2 * x2 * x4**-1 * x5**-2 * x6
        + 25 * x1**2 * x2**2 * x3**-1 * x5**0.5 * x6**-2 * x7
    )
    third = 1 / 3
    return f, [
        at_most(
            0.5 * x1**0.5 * x3**-1 * x6**-2 * x7
            + 0.7 * x1**3 * x2 * x3**-2 * x6 * x7**0.5
            + 0.2 * x2**-1 * x3 * x4**-0.5 * x6 ** (2 * third) * x7**0.25,
            1,
        ),
        at_most(
            1.3 * x1**-0.5 * x2 * x3**-1 * x5**-1 * x6
            + 0.8 * x3 * x4**-1 * x5**-1 * x6**2
            + 3.1 * x1**-1 * x2**0.5 * x4**-2 * x5**-1 * x6**third,
            1,
        ),
        at_most(
            2 * x1 * x3**-1.5 * x5 * x6**-1 * x7**third
            + 0.1 * x2 * x3**-0.5 * x5 * x6**-1 * x7**-0.5
            + x1**-1 * x2 * x3**0.5 * x5
            + 0.65 * x2**-2 * x3 * x5 * x6**-1 * x7,
            1,
        ),
        at_most(
            0.2 * x1**-2 * x2 * x4**-1 * x5**0.5 * x7**third
            + 0.3 * x1**0.5 * x2**2 * x3 * x4**third * x5 ** (-2 * third) * x7**0.25
            + 0.4 * x1**-3 * x2**-2 * x3 * x5 * x7**0.75
            + 0.5 * x3**-2 * x4 * x7**0.5,
            1,
        ),
        between(100, f, 3000),
    ]


@problem(6, 3, 0.4, 0.2, 6, 6, 1, 0.5, lower=0.1, upper=10)
def hs104(x1, x2, x3, x4, x5, x6, x7, x8):
    f = 0.4 * x1**0.67 * x7**-0.67 + 0.4 * x2**0.67 * x8**-0.67 + 10 - x1 - x2
    return f, [
        at_most(0.0588 * x5 * x7 + 0.1 * x1, 1),
        at_most(0.0588 * x6 * x8 + 0.1 * x1 + 0.1 * x2, 1),
        at_most(4 * x3 / x5 + 2 * x3**-0.71 / x5 + 0.0588 * x3**-1.3 * x7, 1),
        at_most(4 * x4 / x6 + 2 * x4**-0.71 / x6 + 0.0588 * x4**-1.3 * x8, 1),
        between(1, f, 4.2),
    ]


@problem(5000, 5000, 5000, 200, 350, 150, 225, 425, lower=(100, 1000, 1000, *(10,) * 5),
         upper=(*(10000,) * 3, *(1000,) * 5))  # fmt: skip
def hs106(x1, x2, x3, x4, x5, x6, x7, x8):
    return x1 + x2 + x3, [
        at_most(0.0025 * (x4 + x6), 1),
        at_most(0.0025 * (x5 + x7 - x4), 1),
        at_most(0.01 * (x8 - x5), 1),
        at_least(x1 * x6 - 833.33252 * x4 - 100 * x1, -83333.333),
        at_least(x2 * x7 - 1250 * x5 - x2 * x4 + 1250 * x4),
        at_least(x3 * x8 - x3 * x5 + 2500 * x5, 1250000),
    ]


@problem(*(1,) * 9, lower=(*(None,) * 8, 0))
def hs108(x1, x2, x3, x4, x5, x6, x7, x8, x9):
    return -(x1 * x4 - x2 * x3 + x3 * x9 - x5 * x9 + x5 * x8 - x6 * x7) / 2, [
        at_most(x3**2 + x4**2, 1),
        at_most(x9**2, 1),
        at_most(x5**2 + x6**2, 1),
        at_most(x1**2 + (x2 - x9) ** 2, 1),
        at_most((x1 - x5) ** 2 + (x2 - x6) ** 2, 1),
        at_most((x1 - x7) ** 2 + (x2 - x8) ** 2, 1),
        at_most((x3 - x5) ** 2 + (x4 - x6) ** 2, 1),
        at_most((x3 - x7) ** 2 + (x4 - x8) ** 2, 1),
        at_most(x7**2 + (x8 - x9) ** 2, 1),
        at_least(x1 * x4 - x2 * x3),
        at_least(x3 * x9),
        at_most(x5 * x9),
        at_least(x5 * x8 - x6 * x7),
    ]


_MIXTURE = (-6.089, -17.164, -34.054, -5.914, -24.721, -14.986, -24.1, -10.708, -26.662, -22.179)


def _balance(x):
    return [
        equal(x[0] + 2 * x[1] + 2 * x[2] + x[5] + x[9], 2),
        equal(x[3] + 2 * x[4] + x[5] + x[6], 1),
        equal(x[2] + x[6] + x[7] + 2 * x[8] + x[9], 1),
    ]


@problem(*(-2.3,) * 10, lower=-100, upper=100)
def hs111(*x):
    y = [exp(xj) for xj in x]
    total = log(sum(y))
    return sum(yj * (c + xj - total) for yj, c, xj in zip(y, _MIXTURE, x, strict=True)), _balance(y)


@problem(*(0.1,) * 10, lower=1e-6)
def hs112(*x):
    total = sum(x)
    return sum(xj * (c + log(xj / total)) for c, xj in zip(_MIXTURE, x, strict=True)), _balance(x)


@problem(2, 3, 5, 5, 1, 2, 7, 3, 6, 10)
def hs113(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10):
    f = x1**2 + x2**2 + x1 * x2 - 14 * x1 - 16 * x2 + (x3 - 10) ** 2 + 4 * (x4 - 5) ** 2 + (x5 - 3) ** 2
    f += 2 * (x6 - 1) ** 2 + 5 * x7**2 + 7 * (x8 - 11) ** 2 + 2 * (x9 - 10) ** 2 + (x10 - 7) ** 2 + 45
    return f, [
        at_most(4 * x1 + 5 * x2 - 3 * x7 + 9 * x8, 105),
        at_most(10 * x1 - 8 * x2 - 17 * x7 + 2 * x8),
        at_most(-8 * x1 + 2 * x2 + 5 * x9 - 2 * x10, 12),
        at_most(3 * (x1 - 2) ** 2 + 4 * (x2 - 3) ** 2 + 2 * x3**2 - 7 * x4, 120),
        at_most(5 * x1**2 + 8 * x2 + (x3 - 6) ** 2 - 2 * x4, 40),
        at_most((x1 - 8) ** 2 / 2 + 2 * (x2 - 4) ** 2 + 3 * x5**2 - x6, 30),
        at_most(x1**2 + 2 * (x2 - 2) ** 2 - 2 * x1 * x2 + 14 * x5 - 6 * x6),
        at_most(-3 * x1 + 6 * x2 + 12 * (x9 - 8) ** 2 - 7 * x10),
    ]


@problem(1745, 12000, 110, 3048, 1974, 89.2, 92.8, 8, 3.6, 145,
         lower=(*(1e-5,) * 5, 85, 90, 3, 1.2, 145),
         upper=(2000, 16000, 120, 5000, 2000, 93, 95, 12, 4, 162))  # fmt: skip
def hs114(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10):
    a, b = 0.99, 0.9
    g1, g2 = 35.82 - 0.222 * x10 - b * x9, -133 + 3 * x7 - a * x10
    g5 = 1.12 * x1 + 0.13167 * x1 * x8 - 0.00667 * x1 * x8**2 - a * x4
    g6 = 57.425 + 1.098 * x8 - 0.038 * x8**2 + 0.325 * x6 - a * x7
    return 5.04 * x1 + 0.035 * x2 + 10 * x3 + 3.36 * x5 - 0.063 * x4 * x7, [
        at_least(g1),
        at_least(g2),
        at_least(-g1 + x9 * (1 / b - b)),
        at_least(-g2 + (1 / a - a) * x10),
        at_least(g5),
        at_least(g6),
        at_least(-g5 + (1 / a - a) * x4),
        at_least(-g6 + (1 / a - a) * x7),
        equal(1.22 * x4 - x1 - x5),
        equal(98000 * x3 / (x4 * x9 + 1000 * x3) - x6),
        equal((x2 + x5) / x1 - x8),
    ]


@problem(0.5, 0.8, 0.9, 0.1, 0.14, 0.5, 489, 80, 650, 450, 150, 150, 150,
         lower=(0.1, 0.1, 0.1, 1e-4, 0.1, 0.1, 0.1, 0.1, 500, 0.1, 1, 1e-4, 1e-4),
         upper=(1, 1, 1, 0.1, 0.9, 0.9, 1000, 1000, 1000, 500, 150, 150, 150))  # fmt: skip
def hs116(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13):
    return x11 + x12 + x13, [
        at_least(x3 - x2),
        at_least(x2 - x1),
        at_most(0.002 * (x7 - x8), 1),
        between(50, x11 + x12 + x13, 250),
        at_least(x13 - 1.262626 * x10 + 1.231059 * x3 * x10),
        at_least(x5 - 0.03475 * x2 - 0.975 * x2 * x5 + 0.00975 * x2**2),
        at_least(x6 - 0.03475 * x3 - 0.975 * x3 * x6 + 0.00975 * x3**2),
        at_least(x5 * x7 - x1 * x8 - x4 * x7 + x4 * x8),
        at_most(0.002 * (x2 * x9 + x5 * x8 - x1 * x8 - x6 * x9) + x5 + x6, 1),
        at_least(x2 * x9 - x3 * x10 - x6 * x9 - 500 * x2 + 500 * x6 + x2 * x10),
        at_least(x2 - 0.002 * (x2 * x10 - x3 * x10), 0.9),
        at_least(x4 - 0.03475 * x1 - 0.975 * x1 * x4 + 0.00975 * x1**2),
        at_least(x11 - 1.262626 * x8 + 1.231059 * x1 * x8),
        at_least(x12 - 1.262626 * x9 + 1.231059 * x2 * x9),
    ]


@problem(20, 55, 15, *(20, 60, 20) * 4, lower=(8, 43, 3, *(0,) * 12), upper=(21, 57, 16, *(90, 120, 60) * 4))
def hs118(*x):
    f = sum(2.3 * x[k] + 1e-4 * x[k] ** 2 + 1.7 * x[k + 1] + 1e-4 * x[k + 1] ** 2 + 2.2 * x[k + 2]
            + 1.5e-4 * x[k + 2] ** 2 for k in range(0, 15, 3))  # fmt: skip
    change = [between(-7, x[k] - x[k - 3], (6, 7, 6)[k % 3]) for k in range(3, 15)]
    return f, change + [
        at_least(sum(x[k : k + 3]), s) for k, s in zip(range(0, 15, 3), (60, 50, 70, 85, 100), strict=True)
    ]


# the pairs (i, j) that occur in 119, and its matrix and limits
_PAIRS = ((1, 4, 7, 8, 16), (2, 3, 7, 10), (3, 7, 9, 10, 14), (4, 7, 11, 15), (5, 6, 10, 12, 16), (6, 8, 15),
          (7, 11, 13), (8, 10, 15), (9, 12, 16), (10, 14), (11, 13), (12, 14), (13, 14), (14,), (15,),
          (16,))  # fmt: skip
_ROWS = ((0.22, 0.20, 0.19, 0.25, 0.15, 0.11, 0.12, 0.13), (-1.46, 0, -1.30, 1.82, -1.15, 0, 0.80, 0),
         (1.29, -0.89, 0, 0, -1.16, -0.96, 0, -0.49), (-1.10, -1.06, 0.95, -0.54, 0, -1.78, -0.41, 0),
         (0, 0, 0, -1.43, 1.51, 0.59, -0.33, -0.43), (0, -1.72, -0.33, 0, 1.62, 1.24, 0.21, -0.26),
         (1.12, 0, 0, 0.31, 0, 0, 1.12, 0), (0, 0.45, 0.26, -1.10, 0.58, 0, -1.03, 0.10))  # fmt: skip
_LIMITS = (2.5, 1.1, -3.1, -3.5, 1.3, 2.1, 2.3, -1.5)


@problem(*(10,) * 16, lower=0, upper=5)
def hs119(*x):
    u = [xj**2 + xj + 1 for xj in x]
    f = sum(ui * u[j - 1] for ui, columns in zip(u, _PAIRS, strict=True) for j in columns)
    extra = [0.0] * 8
    extra[6] = -0.36 * x[8]
    rows = [_dot(row, x[:8]) + x[8 + i] + extra[i] for i, row in enumerate(_ROWS)]
    return f, [equal(row, limit) for row, limit in zip(rows, _LIMITS, strict=True)]
