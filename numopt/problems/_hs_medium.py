"""Problems of Hock & Schittkowski with four to six variables, and 56 with seven."""

import math

from numopt.problems._formula import exp, sin, sqrt
from numopt.problems._rows import at_least, at_most, between, equal, named

TABLE, problem = named()
_SQRT2 = math.sqrt(2.0)


@problem(2, 2, 2, 2)
def hs39(x1, x2, x3, x4):
    return -x1, [equal(x2 - x1**3 - x3**2), equal(x1**2 - x2 - x4**2)]


@problem(0.8, 0.8, 0.8, 0.8)
def hs40(x1, x2, x3, x4):
    return -x1 * x2 * x3 * x4, [equal(x1**3 + x2**2, 1), equal(x1**2 * x4 - x3), equal(x4**2 - x2)]


@problem(2, 2, 2, 2, lower=0, upper=(1, 1, 1, 2))
def hs41(x1, x2, x3, x4):
    return 2 - x1 * x2 * x3, [equal(x1 + 2 * x2 + 2 * x3 - x4)]


@problem(1, 1, 1, 1)
def hs42(x1, x2, x3, x4):
    f = (x1 - 1) ** 2 + (x2 - 2) ** 2 + (x3 - 3) ** 2 + (x4 - 4) ** 2
    return f, [equal(x1, 2), equal(x3**2 + x4**2, 2)]


@problem(0, 0, 0, 0)
def hs43(x1, x2, x3, x4):
    return x1**2 + x2**2 + 2 * x3**2 + x4**2 - 5 * x1 - 5 * x2 - 21 * x3 + 7 * x4, [
        at_most(x1**2 + x2**2 + x3**2 + x4**2 + x1 - x2 + x3 - x4, 8),
        at_most(x1**2 + 2 * x2**2 + x3**2 + 2 * x4**2 - x1 - x4, 10),
        at_most(2 * x1**2 + x2**2 + x3**2 + 2 * x1 - x2 - x4, 5),
    ]


@problem(0, 0, 0, 0, lower=0)
def hs44(x1, x2, x3, x4):
    return x1 - x2 - x3 - x1 * x3 + x1 * x4 + x2 * x3 - x2 * x4, [
        at_most(x1 + 2 * x2, 8),
        at_most(4 * x1 + x2, 12),
        at_most(3 * x1 + 4 * x2, 12),
        at_most(2 * x3 + x4, 8),
        at_most(x3 + 2 * x4, 8),
        at_most(x3 + x4, 5),
    ]


@problem(_SQRT2 / 2, 1.75, 0.5, 2, 2)
def hs46(x1, x2, x3, x4, x5):
    return (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6, [
        equal(x1**2 * x4 + sin(x4 - x5), 1),
        equal(x2 + x3**4 * x4**2, 2),
    ]


@problem(3, 5, -3, 2, -2)
def hs48(x1, x2, x3, x4, x5):
    return (x1 - 1) ** 2 + (x2 - x3) ** 2 + (x4 - x5) ** 2, [
        equal(x1 + x2 + x3 + x4 + x5, 5),
        equal(x3 - 2 * (x4 + x5), -3),
    ]


@problem(10, 7, 2, -3, 0.8)
def hs49(x1, x2, x3, x4, x5):
    return (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6, [
        equal(x1 + x2 + x3 + 4 * x4, 7),
        equal(x3 + 5 * x5, 6),
    ]


@problem(35, -31, 11, 5, -5)
def hs50(x1, x2, x3, x4, x5):
    return (x1 - x2) ** 2 + (x2 - x3) ** 2 + (x3 - x4) ** 4 + (x4 - x5) ** 2, [
        equal(x1 + 2 * x2 + 3 * x3, 6),
        equal(x2 + 2 * x3 + 3 * x4, 6),
        equal(x3 + 2 * x4 + 3 * x5, 6),
    ]


def _three_planes(x1, x2, x3, x4, x5, limit):
    return [equal(x1 + 3 * x2, limit), equal(x3 + x4 - 2 * x5), equal(x2 - x5)]


@problem(2.5, 0.5, 2, -1, 0.5)
def hs51(x1, x2, x3, x4, x5):
    f = (x1 - x2) ** 2 + (x2 + x3 - 2) ** 2 + (x4 - 1) ** 2 + (x5 - 1) ** 2
    return f, _three_planes(x1, x2, x3, x4, x5, 4)


@problem(2, 2, 2, 2, 2)
def hs52(x1, x2, x3, x4, x5):
    f = (4 * x1 - x2) ** 2 + (x2 + x3 - 2) ** 2 + (x4 - 1) ** 2 + (x5 - 1) ** 2
    return f, _three_planes(x1, x2, x3, x4, x5, 0)


@problem(2, 2, 2, 2, 2, lower=-10, upper=10)
def hs53(x1, x2, x3, x4, x5):
    f = (x1 - x2) ** 2 + (x2 + x3 - 2) ** 2 + (x4 - 1) ** 2 + (x5 - 1) ** 2
    return f, _three_planes(x1, x2, x3, x4, x5, 0)


@problem(1, 2, 0, 0, 0, 2, lower=0, upper=(1, None, None, 1, None, None))
def hs55(x1, x2, x3, x4, x5, x6):
    return x1 + 2 * x2 + 4 * x5 + exp(x1 * x4), [
        equal(x1 + 2 * x2 + 5 * x5, 6),
        equal(x1 + x2 + x3, 3),
        equal(x4 + x5 + x6, 2),
        equal(x1 + x4, 1),
        equal(x2 + x5, 2),
        equal(x3 + x6, 2),
    ]


_A, _B = math.asin(math.sqrt(1 / 4.2)), math.asin(math.sqrt(5 / 7.2))


@problem(1, 1, 1, _A, _A, _A, _B)
def hs56(x1, x2, x3, x4, x5, x6, x7):
    return -x1 * x2 * x3, [
        equal(x1 - 4.2 * sin(x4) ** 2),
        equal(x2 - 4.2 * sin(x5) ** 2),
        equal(x3 - 4.2 * sin(x6) ** 2),
        equal(x1 + 2 * x2 + 2 * x3 - 7.2 * sin(x7) ** 2),
    ]


@problem(1, 5, 5, 1, lower=1, upper=5)
def hs71(x1, x2, x3, x4):
    return x1 * x4 * (x1 + x2 + x3) + x3, [
        at_least(x1 * x2 * x3 * x4, 25),
        equal(x1**2 + x2**2 + x3**2 + x4**2, 40),
    ]


@problem(1, 1, 1, 1, lower=0.001, upper=(4e5, 3e5, 2e5, 1e5))
def hs72(x1, x2, x3, x4):
    return 1 + x1 + x2 + x3 + x4, [
        at_most(4 / x1 + 2.25 / x2 + 1 / x3 + 0.25 / x4, 0.0401),
        at_most(0.16 / x1 + 0.36 / x2 + 0.64 * (1 / x3 + 1 / x4), 0.010085),
    ]


@problem(1, 1, 1, 1, lower=0)
def hs73(x1, x2, x3, x4):
    spread = sqrt(0.28 * x1**2 + 0.19 * x2**2 + 20.5 * x3**2 + 0.62 * x4**2)
    return 24.55 * x1 + 26.75 * x2 + 39 * x3 + 40.5 * x4, [
        at_least(2.3 * x1 + 5.6 * x2 + 11.1 * x3 + 1.3 * x4, 5),
        at_least(12 * x1 + 11.9 * x2 + 41.8 * x3 + 52.1 * x4 - 1.645 * spread, 21),
        equal(x1 + x2 + x3 + x4, 1),
    ]


def _power_flow(x1, x2, x3, x4, most):
    return 3 * x1 + 1e-6 * x1**3 + 2 * x2 + 2e-6 / 3 * x2**3, [
        between(-most, x4 - x3, most),
        equal(1000 * sin(-x3 - 0.25) + 1000 * sin(-x4 - 0.25) + 894.8 - x1),
        equal(1000 * sin(x3 - 0.25) + 1000 * sin(x3 - x4 - 0.25) + 894.8 - x2),
        equal(1000 * sin(x4 - 0.25) + 1000 * sin(x4 - x3 - 0.25) + 1294.8),
    ]


@problem(0, 0, 0, 0, lower=(0, 0, -0.55, -0.55), upper=(1200, 1200, 0.55, 0.55))
def hs74(x1, x2, x3, x4):
    return _power_flow(x1, x2, x3, x4, 0.55)


@problem(0, 0, 0, 0, lower=(0, 0, -0.48, -0.48), upper=(1200, 1200, 0.48, 0.48))
def hs75(x1, x2, x3, x4):
    return _power_flow(x1, x2, x3, x4, 0.48)


@problem(0.5, 0.5, 0.5, 0.5, lower=0)
def hs76(x1, x2, x3, x4):
    return x1**2 + x2**2 / 2 + x3**2 + x4**2 / 2 - x1 * x3 + x3 * x4 - x1 - 3 * x2 + x3 - x4, [
        at_most(x1 + 2 * x2 + x3 + x4, 5),
        at_most(3 * x1 + x2 + 2 * x3 - x4, 4),
        at_least(x2 + 4 * x3, 1.5),
    ]


@problem(2, 2, 2, 2, 2)
def hs77(x1, x2, x3, x4, x5):
    return (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6, [
        equal(x1**2 * x4 + sin(x4 - x5), 2 * _SQRT2),
        equal(x2 + x3**4 * x4**2, 8 + _SQRT2),
    ]


def _sphere(x1, x2, x3, x4, x5):
    return [
        equal(x1**2 + x2**2 + x3**2 + x4**2 + x5**2, 10),
        equal(x2 * x3 - 5 * x4 * x5),
        equal(x1**3 + x2**3, -1),
    ]


@problem(-2, 1.5, 2, -1, -1)
def hs78(x1, x2, x3, x4, x5):
    return x1 * x2 * x3 * x4 * x5, _sphere(x1, x2, x3, x4, x5)


@problem(2, 2, 2, 2, 2)
def hs79(x1, x2, x3, x4, x5):
    return (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x2 - x3) ** 2 + (x3 - x4) ** 4 + (x4 - x5) ** 4, [
        equal(x1 + x2**2 + x3**3, 2 + 3 * _SQRT2),
        equal(x2 - x3**2 + x4, 2 * _SQRT2 - 2),
        equal(x1 * x5, 2),
    ]


@problem(-2, 2, 2, -1, -1, lower=(-2.3, -2.3, -3.2, -3.2, -3.2), upper=(2.3, 2.3, 3.2, 3.2, 3.2))
def hs80(x1, x2, x3, x4, x5):
    return exp(x1 * x2 * x3 * x4 * x5), _sphere(x1, x2, x3, x4, x5)


@problem(-2, 2, 2, -1, -1, lower=(-2.3, -2.3, -3.2, -3.2, -3.2), upper=(2.3, 2.3, 3.2, 3.2, 3.2))
def hs81(x1, x2, x3, x4, x5):
    return exp(x1 * x2 * x3 * x4 * x5) - (x1**3 + x2**3 + 1) ** 2 / 2, _sphere(x1, x2, x3, x4, x5)


@problem(78, 33, 27, 27, 27, lower=(78, 33, 27, 27, 27), upper=(102, 45, 45, 45, 45))
def hs83(x1, x2, x3, x4, x5):
    return 5.3578547 * x3**2 + 0.8356891 * x1 * x5 + 37.293239 * x1 - 40792.141, [
        between(0, 85.334407 + 0.0056858 * x2 * x5 + 0.0006262 * x1 * x4 - 0.0022053 * x3 * x5, 92),
        between(90, 80.51249 + 0.0071317 * x2 * x5 + 0.0029955 * x1 * x2 + 0.0021813 * x3**2, 110),
        between(20, 9.300961 + 0.0047026 * x3 * x5 + 0.0012547 * x1 * x3 + 0.0019085 * x3 * x4, 25),
    ]


@problem(2.52, 2, 37.5, 9.25, 6.8, lower=(0, 1.2, 20, 9, 6.5), upper=(1000, 2.4, 60, 9.3, 7))
def hs84(x1, x2, x3, x4, x5):
    def line(a, b, c, d, e):
        return a * x1 + b * x1 * x2 + c * x1 * x3 + d * x1 * x4 + e * x1 * x5

    return 24345 + line(8720288.849, -150512.5253, 156.6950325, -476470.3222, -729482.8271), [
        between(0, line(-145421.402, 2931.1506, -40.427932, 5106.192, 15711.36), 294000),
        between(0, line(-155011.1084, 4360.53352, 12.9492344, 10236.884, 13176.786), 294000),
        between(0, line(-326669.5104, 7390.68412, -27.8986976, 16643.076, 30988.146), 277200),
    ]


@problem(5.54, 4.4, 12.02, 11.82, 0.702, 0.852, lower=0)
def hs93(x1, x2, x3, x4, x5, x6):
    a, b = x1 * x4 * (x1 + x2 + x3), x2 * x3 * (x1 + 1.57 * x2 + x4)
    return 0.0204 * a + 0.0187 * b + 0.0607 * a * x5**2 + 0.0437 * b * x6**2, [
        at_least(0.001 * x1 * x2 * x3 * x4 * x5 * x6, 2.07),
        at_most(0.00062 * a * x5**2 + 0.00058 * b * x6**2, 1),
    ]


def _four_rows(x1, x2, x3, x4, x5, x6, a, b, c, d):
    f = 4.3 * x1 + 31.8 * x2 + 63.3 * x3 + 15.8 * x4 + 68.5 * x5 + 4.7 * x6
    first = 17.1 * x1 + 38.2 * x2 + 204.2 * x3 + 212.3 * x4 + 623.4 * x5 + 1495.5 * x6
    second = 17.9 * x1 + 36.8 * x2 + 113.9 * x3 + 169.7 * x4 + 337.8 * x5 + 1385.2 * x6
    return f, [
        at_least(first - 169 * x1 * x3 - 3580 * x3 * x5 - 3810 * x4 * x5 - 18500 * x4 * x6 - 24300 * x5 * x6, a),
        at_least(second - 139 * x1 * x3 - 2450 * x4 * x5 - 16600 * x4 * x6 - 17200 * x5 * x6, b),
        at_least(-273 * x2 - 70 * x4 - 819 * x5 + 26000 * x4 * x5, c),
        at_least(159.9 * x1 - 311 * x2 + 587 * x4 + 391 * x5 + 2198 * x6 - 14000 * x1 * x6, d),
    ]


@problem(0, 0, 0, 0, 0, 0, lower=0, upper=(0.31, 0.046, 0.068, 0.042, 0.028, 0.0134))
def hs95(*x):
    return _four_rows(*x, 4.97, -1.88, -29.08, -78.02)


@problem(0, 0, 0, 0, 0, 0, lower=0, upper=(0.31, 0.046, 0.068, 0.042, 0.028, 0.0134))
def hs97(*x):
    return _four_rows(*x, 32.97, 25.12, -29.08, -78.02)
