"""Problems of Hock & Schittkowski with up to three variables."""

import math

from numopt.problems._formula import cos, exp, log, sin
from numopt.problems._rows import at_least, at_most, between, equal, named

TABLE, problem = named()
_SQRT3 = math.sqrt(3.0)


def _valley(x1, x2):
    return 100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2


@problem(-1.2, 1)
def hs6(x1, x2):
    return (1 - x1) ** 2, [equal(10 * (x2 - x1**2))]


@problem(2, 2)
def hs7(x1, x2):
    return log(1 + x1**2) - x2, [equal((1 + x1**2) ** 2 + x2**2, 4)]


@problem(2, 1)
def hs8(x1, x2):
    return -1, [equal(x1**2 + x2**2, 25), equal(x1 * x2, 9)]


@problem(0, 0)
def hs9(x1, x2):
    return sin(math.pi * x1 / 12) * cos(math.pi * x2 / 16), [equal(4 * x1 - 3 * x2)]


@problem(-10, 10)
def hs10(x1, x2):
    return x1 - x2, [at_least(-3 * x1**2 + 2 * x1 * x2 - x2**2 + 1)]


@problem(4.9, 0.1)
def hs11(x1, x2):
    return (x1 - 5) ** 2 + x2**2 - 25, [at_least(x2 - x1**2)]


@problem(0, 0)
def hs12(x1, x2):
    return x1**2 / 2 + x2**2 - x1 * x2 - 7 * x1 - 7 * x2, [at_least(25 - 4 * x1**2 - x2**2)]


@problem(2, 2)
def hs14(x1, x2):
    return (x1 - 2) ** 2 + (x2 - 1) ** 2, [equal(x1 - 2 * x2, -1), at_least(1 - x1**2 / 4 - x2**2)]


@problem(-2, 1, upper=(0.5, None))
def hs15(x1, x2):
    return _valley(x1, x2), [at_least(x1 * x2, 1), at_least(x1 + x2**2)]


@problem(-2, 1, lower=(-0.5, None), upper=(0.5, 1))
def hs16(x1, x2):
    return _valley(x1, x2), [at_least(x1 + x2**2), at_least(x1**2 + x2)]


@problem(-2, 1, lower=(-0.5, None), upper=(0.5, 1))
def hs17(x1, x2):
    return _valley(x1, x2), [at_least(x2**2 - x1), at_least(x1**2 - x2)]


@problem(2, 2, lower=(2, 0), upper=50)
def hs18(x1, x2):
    return x1**2 / 100 + x2**2, [at_least(x1 * x2, 25), at_least(x1**2 + x2**2, 25)]


@problem(20.1, 5.84, lower=(13, 0), upper=100)
def hs19(x1, x2):
    return (x1 - 10) ** 3 + (x2 - 20) ** 3, [
        at_least((x1 - 5) ** 2 + (x2 - 5) ** 2, 100),
        at_least(82.81 - (x2 - 5) ** 2 - (x1 - 6) ** 2),
    ]


@problem(-2, 1, lower=(-0.5, None), upper=(0.5, None))
def hs20(x1, x2):
    return _valley(x1, x2), [at_least(x1 + x2**2), at_least(x1**2 + x2), at_least(x1**2 + x2**2, 1)]


@problem(-1, -1, lower=(2, -50), upper=50)
def hs21(x1, x2):
    return x1**2 / 100 + x2**2 - 100, [at_least(10 * x1 - x2, 10)]


@problem(2, 2)
def hs22(x1, x2):
    return (x1 - 2) ** 2 + (x2 - 1) ** 2, [at_least(2 - x1 - x2), at_least(x2 - x1**2)]


@problem(3, 1, lower=-50, upper=50)
def hs23(x1, x2):
    return x1**2 + x2**2, [
        at_least(x1 + x2, 1),
        at_least(x1**2 + x2**2, 1),
        at_least(9 * x1**2 + x2**2, 9),
        at_least(x1**2 - x2),
        at_least(x2**2 - x1),
    ]


@problem(1, 0.5, lower=0)
def hs24(x1, x2):
    return ((x1 - 3) ** 2 - 9) * x2**3 / (27 * _SQRT3), [
        at_least(x1 / _SQRT3 - x2),
        at_least(x1 + _SQRT3 * x2),
        at_least(6 - x1 - _SQRT3 * x2),
    ]


@problem(-2.6, 2, 2)
def hs26(x1, x2, x3):
    return (x1 - x2) ** 2 + (x2 - x3) ** 4, [equal((1 + x2**2) * x1 + x3**4, 3)]


@problem(2, 2, 2)
def hs27(x1, x2, x3):
    return (x1 - 1) ** 2 / 100 + (x2 - x1**2) ** 2, [equal(x1 + x3**2, -1)]


@problem(-4, 1, 1)
def hs28(x1, x2, x3):
    return (x1 + x2) ** 2 + (x2 + x3) ** 2, [equal(x1 + 2 * x2 + 3 * x3, 1)]


@problem(1, 1, 1)
def hs29(x1, x2, x3):
    return -x1 * x2 * x3, [at_least(48 - x1**2 - 2 * x2**2 - 4 * x3**2)]


@problem(1, 1, 1, lower=(1, -10, -10), upper=10)
def hs30(x1, x2, x3):
    return x1**2 + x2**2 + x3**2, [at_least(x1**2 + x2**2, 1)]


@problem(1, 1, 1, lower=(-10, 1, -10), upper=(10, 10, 1))
def hs31(x1, x2, x3):
    return 9 * x1**2 + x2**2 + 9 * x3**2, [at_least(x1 * x2, 1)]


@problem(0.1, 0.7, 0.2, lower=0)
def hs32(x1, x2, x3):
    return (x1 + 3 * x2 + x3) ** 2 + 4 * (x1 - x2) ** 2, [
        at_least(6 * x2 + 4 * x3 - x1**3, 3),
        equal(x1 + x2 + x3, 1),
    ]


@problem(0, 0, 3, lower=0, upper=(None, None, 5))
def hs33(x1, x2, x3):
    """At (0, 0, 2), where f = -4, the KKT conditions hold as well: no minimum, but the slope in x2 is zero there."""
    return (x1 - 1) * (x1 - 2) * (x1 - 3) + x3, [at_least(x3**2 - x2**2 - x1**2), at_least(x1**2 + x2**2 + x3**2, 4)]


@problem(0, 1.05, 2.9, lower=0, upper=(100, 100, 10))
def hs34(x1, x2, x3):
    return -x1, [at_least(x2 - exp(x1)), at_least(x3 - exp(x2))]


@problem(0.5, 0.5, 0.5, lower=0)
def hs35(x1, x2, x3):
    f = 9 - 8 * x1 - 6 * x2 - 4 * x3 + 2 * x1**2 + 2 * x2**2 + x3**2 + 2 * x1 * x2 + 2 * x1 * x3
    return f, [at_most(x1 + x2 + 2 * x3, 3)]


@problem(10, 10, 10, lower=0, upper=(20, 11, 42))
def hs36(x1, x2, x3):
    return -x1 * x2 * x3, [at_most(x1 + 2 * x2 + 2 * x3, 72)]


@problem(10, 10, 10, lower=0, upper=42)
def hs37(x1, x2, x3):
    """In the book the two limits are two constraints."""
    return -x1 * x2 * x3, [between(0, x1 + 2 * x2 + 2 * x3, 72)]


@problem(2, 2, 2, lower=-10, upper=10)
def hs60(x1, x2, x3):
    return (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x2 - x3) ** 4, [equal(x1 * (1 + x2**2) + x3**4, 4 + 3 * math.sqrt(2.0))]


@problem(0, 0, 0)
def hs61(x1, x2, x3):
    f = 4 * x1**2 + 2 * x2**2 + 2 * x3**2 - 33 * x1 + 16 * x2 - 24 * x3
    return f, [equal(3 * x1 - 2 * x2**2, 7), equal(4 * x1 - x3**2, 11)]


@problem(0.7, 0.2, 0.1, lower=0, upper=1)
def hs62(x1, x2, x3):
    a, b, c = x1 + x2 + x3 + 0.03, x2 + x3 + 0.03, x3 + 0.03
    f = 255 * log(a / (0.09 * x1 + x2 + x3 + 0.03)) + 280 * log(b / (0.07 * x2 + x3 + 0.03))
    return -32.174 * (f + 290 * log(c / (0.13 * x3 + 0.03))), [equal(x1 + x2 + x3, 1)]


@problem(2, 2, 2, lower=0)
def hs63(x1, x2, x3):
    f = 1000 - x1**2 - 2 * x2**2 - x3**2 - x1 * x2 - x1 * x3
    return f, [equal(8 * x1 + 14 * x2 + 7 * x3, 56), equal(x1**2 + x2**2 + x3**2, 25)]


@problem(1, 1, 1, lower=1e-5)
def hs64(x1, x2, x3):
    f = 5 * x1 + 50000 / x1 + 20 * x2 + 72000 / x2 + 10 * x3 + 144000 / x3
    return f, [at_most(4 / x1 + 32 / x2 + 120 / x3, 1)]


@problem(-5, 5, 0, lower=(-4.5, -4.5, -5), upper=(4.5, 4.5, 5))
def hs65(x1, x2, x3):
    return (x1 - x2) ** 2 + (x1 + x2 - 10) ** 2 / 9 + (x3 - 5) ** 2, [at_most(x1**2 + x2**2 + x3**2, 48)]


@problem(0, 1.05, 2.9, lower=0, upper=(100, 100, 10))
def hs66(x1, x2, x3):
    return 0.2 * x3 - 0.8 * x1, [at_least(x2 - exp(x1)), at_least(x3 - exp(x2))]
