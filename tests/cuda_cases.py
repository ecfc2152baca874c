"""Batches for the tests of CUDA, run by this module in the simulator: ``python cuda_cases.py results.npz``.

There functions compiled by Numba are plain Python, and no compiled unit is needed.
"""

import sys

import numpy as np
from numba import njit

import numopt
from numopt.catalog import METHODS

SCALES = np.array([10.0, 5.0, 2.0, 3.0, 1.0])
STARTS = np.array([[-1.2, 1.0], [2.0, 2.0], [0.0, 0.0], [0.5, -0.5], [-1.0, -1.0]])
SHIFT = np.array([0.25, -0.5])
LOWER, UPPER = np.array([-1.5, -1.5]), np.array([0.8, np.inf])
EACH_LOWER = np.array([[-2.0, -2.0], [0.0, 1.5], [-0.5, -0.5], [0.0, -1.0], [-1.0, -1.0]])


@njit
def inplace(x, g, scale, shift):
    """Rosenbrock's valley, moved."""
    u, v = x[0] - shift[0], x[1] - shift[1]
    a, b = scale * (v - u * u), 1.0 - u
    g[0] = -4.0 * scale * a * u - 2.0 * b
    g[1] = 2.0 * scale * a
    return a * a + b * b


@njit
def value(x, scale, shift):
    """The same without its gradient."""
    u, v = x[0] - shift[0], x[1] - shift[1]
    a, b = scale * (v - u * u), 1.0 - u
    return a * a + b * b


@njit
def hess_inplace(x, H, scale, shift):
    """Its Hessian, as a device takes it."""
    u, v = x[0] - shift[0], x[1] - shift[1]
    q = scale * scale
    H[0], H[1], H[2], H[3] = 12.0 * q * u * u - 4.0 * q * v + 2.0, -4.0 * q * u, -4.0 * q * u, 2.0 * q


@njit
def hess_array(x, scale, shift):
    """Its Hessian, as the CPU takes it."""
    H = np.empty((2, 2))
    hess_inplace(x, H.reshape(4), scale, shift)
    return H


@njit
def ragged(x, y, weight):
    """Sum of squares over data of some length, a weight in single or double precision."""
    f = 0.0
    for i in range(y.size):
        r = weight * (y[i] - x[0] - x[1] * i)
        f += r * r
    return f


RAGGED = np.array([[1.0, 2.0, 3.5, 4.0], [0.0, 1.0, -9.0, -9.0], [2.0, 2.5, 2.0, -9.0]])
LENGTHS = np.array([4, 2, 3])
# methods that end by their own tests in few iterations; the others are compared after some
_SLOW = {row.name for row in METHODS.values() if row.unit == "first-order"} | {"gd-fixed", "gd-decay", "gd-drop"}
# a Hessian's diagonal is for the CPU alone; the greedy one asks for gradients


def cases():
    """name -> (function, arguments, keywords) of ``minimize_batch``."""
    args = numopt.each(SCALES), SHIFT
    found = {}
    for name, row in METHODS.items():
        options = {"maxiter": 30} if name in _SLOW else {"maxiter": 200}
        if row.values_only:
            found[name] = value, args, {"method": name, "options": options}
        else:
            found[name] = inplace, args, {"method": name, "jac": "inplace", "options": options}
        if row.bounds:
            fun, args, given = found[name]
            found[name + " in bounds"] = fun, args, {**given, "bounds": (LOWER, UPPER)}
    return found
