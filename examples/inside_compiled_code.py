"""Thousands of small maximum-likelihood fits in a parallel compiled loop, each with a solver called inside it.

Every row of counts gets its own negative binomial distribution (mean and dispersion, through their logarithms).
Run it with ``python examples/inside_compiled_code.py``.
"""

import math
import time

import numba
import numpy as np

import numopt

bfgs = numopt.jit_solver("bfgs", gtol=1e-6)


@numba.njit
def loss(x, g, counts):
    """Mean negative log-likelihood of x = (log mean, log dispersion); g by central differences."""

    def value(a, b):
        mu, r = math.exp(a), math.exp(b)
        f = 0.0
        for k in counts:
            f -= math.lgamma(k + r) - math.lgamma(r) + r * math.log(r / (r + mu)) + k * math.log(mu / (r + mu))
        return f / counts.size

    h = 1e-5
    g[0] = (value(x[0] + h, x[1]) - value(x[0] - h, x[1])) / (2 * h)
    g[1] = (value(x[0], x[1] + h) - value(x[0], x[1] - h)) / (2 * h)
    return value(x[0], x[1])


@numba.njit(parallel=True)
def fit_rows(table):
    out = np.empty((len(table), 3))
    for i in numba.prange(len(table)):
        start = np.array([math.log(table[i].mean() + 0.1), 0.0])
        x, f, gnorm, status, nit, nfev = bfgs(loss, start, table[i])
        out[i, 0], out[i, 1], out[i, 2] = math.exp(x[0]), math.exp(x[1]), status
    return out


rng = np.random.default_rng(0)
table = rng.negative_binomial(2.0, 2.0 / (2.0 + 5.0), size=(5000, 100)).astype(float)
fit_rows(table[:2])  # compiles
start = time.perf_counter()
fits = fit_rows(table)
seconds = time.perf_counter() - start
converged = (fits[:, 2] == numopt.Status.GRADIENT).mean()
mean, dispersion = np.median(fits[:, :2], axis=0)
print(f"{len(table)} fits in {seconds:.2f} s; converged: {converged:.1%}")
print(f"median mean {mean:.2f} (drawn with 5), dispersion {dispersion:.2f} (drawn with 2)")
