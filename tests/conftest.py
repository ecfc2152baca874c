"""Objectives that many tests share."""

import signal

import numba
import numpy as np
import pytest

# A job that a shell runs in the background ignores Ctrl-C, and so does what it starts; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _rosen(x):
    f = 0.0
    g = np.zeros(x.size)
    for i in range(x.size - 1):
        a, b = x[i + 1] - x[i] ** 2, 1.0 - x[i]
        f += 100.0 * a * a + b * b
        g[i] += -400.0 * a * x[i] - 2.0 * b
        g[i + 1] += 200.0 * a
    return f, g


def _rosen_hess(x):
    H = np.zeros((x.size, x.size))
    for i in range(x.size - 1):
        H[i, i] += 1200.0 * x[i] ** 2 - 400.0 * x[i + 1] + 2.0
        H[i, i + 1] -= 400.0 * x[i]
        H[i + 1, i] -= 400.0 * x[i]
        H[i + 1, i + 1] += 200.0
    return H


def _bowl(x):
    f = 0.0
    g = np.empty(x.size)
    for i in range(x.size):
        g[i] = (i + 1.0) * (x[i] - 1.0)
        f += 0.5 * g[i] * (x[i] - 1.0)
    return f, g


class Objective:
    """The same objective for a Python and for a jitted caller."""

    def __init__(self, python, x0, hess=None):
        self.python, self.jitted, self.x0 = python, numba.njit(python), np.array(x0)
        self.hess = hess and numba.njit(hess)


_OBJECTIVES = {
    "rosen": Objective(_rosen, [-1.2, 1.0, -0.5, 0.8], _rosen_hess),
    "bowl": Objective(_bowl, [3.0, -2.0, 0.5]),
}


@pytest.fixture(scope="session")
def rosen():
    return _OBJECTIVES["rosen"]


@pytest.fixture(scope="session")
def bowl():
    """A quadratic with eigenvalues 1, 2, 3 and its minimum 0 at (1, 1, 1)."""
    return _OBJECTIVES["bowl"]
