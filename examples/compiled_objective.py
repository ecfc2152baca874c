"""Fit a sum of two exponentials by BFGS, with the objective in Python and compiled, and look at the history.

Run it with ``python examples/compiled_objective.py``.
"""

import time

import numba
import numpy as np

import numopt

t = np.linspace(0.0, 5.0, 200)
y = 2.0 * np.exp(-0.5 * t) + 1.0 * np.exp(-3.0 * t) + 0.01 * np.random.default_rng(0).standard_normal(t.size)


def loss(x, t, y):
    """Half the sum of squared residuals, and its gradient."""
    f, g = 0.0, np.zeros(4)
    for i in range(t.size):
        e0, e1 = np.exp(-x[1] * t[i]), np.exp(-x[3] * t[i])
        r = x[0] * e0 + x[2] * e1 - y[i]
        f += 0.5 * r * r
        g[0] += r * e0
        g[1] -= r * x[0] * t[i] * e0
        g[2] += r * e1
        g[3] -= r * x[2] * t[i] * e1
    return f, g


x0 = [1.0, 1.0, 1.0, 2.0]
print(numopt.check_derivatives(loss, True, x0, args=(t, y)))
for name, fun in (("Python", loss), ("compiled", numba.njit(loss))):
    numopt.minimize(fun, x0, args=(t, y), jac=True)  # the first call compiles
    start = time.perf_counter()
    result = numopt.minimize(fun, x0, args=(t, y), jac=True, options={"history": True})
    seconds = time.perf_counter() - start
    print(f"{name:9} {seconds * 1e6:9.0f} microseconds, {result.nfev} evaluations, x = {result.x.round(3)}")
for f, gnorm, step, nfev, _ in result.history[::5].tolist():
    print(f"f {f:.6e}  |g| {gnorm:.1e}  step {step:.2g}  evaluations {nfev}")
