r"""
Saddle points
=============

At a saddle the gradient vanishes and f can still fall, along directions of negative curvature. Newton's pure step
goes to the nearest stationary point, whatever it is. Gradient descent leaves a saddle in the end, but slowly: from a
distance of :math:`\delta` it takes about :math:`\log(1/\delta)` steps. A Hessian made positive tells the direction:
the saddle-free method divides by :math:`|H|`, and runs away from a saddle as fast as Newton runs into one; the
modified Cholesky factorisation and the trust regions leave it too.
"""

import numpy as np

import numopt
import numopt.plot


def saddle(x):
    return x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4, np.array([2 * x[0], -2 * x[1] + x[1] ** 3])


def hessian(x):
    return np.array([[2.0, 0.0], [0.0, -2.0 + 3.0 * x[1] ** 2]])


start = np.array([1.0, 1e-4])
options = {"gtol": 1e-8, "return_all": True, "history": True}
runs = [
    numopt.minimize(saddle, start, method="gd-fixed", jac=True, options=options | {"step": 0.1}),
    numopt.minimize(saddle, start, method="saddle-free-newton", jac=True, hess=hessian, options=options),
    numopt.minimize(saddle, start, method="newton", jac=True, hess=hessian, options=options),
    numopt.minimize(saddle, start, method="trust-exact", jac=True, hess=hessian, options=options),
]
names = ["gradient descent", "saddle-free Newton", "Newton, modified Cholesky", "trust region, exact"]

# %%
# The start is a ten-thousandth off the line that leads straight into the saddle.

minima = [[0, 2**0.5], [0, -(2**0.5)]]
fig, ax = numopt.plot.contour(saddle, runs, labels=names, minima=minima, xlim=(-1.5, 1.5), ylim=(-2, 2))

# %%
# The plateau of gradient descent is the time that it spends near the saddle, where f = 0.

fig, ax = numopt.plot.convergence(runs, minimum=-1.0, labels=names)

# %%
# Newton's pure iteration, for contrast, in three lines:

x = start.copy()
for _ in range(6):
    x = x - np.linalg.solve(hessian(x), saddle(x)[1])
print("pure Newton ends at", x, "with f =", saddle(x)[0])
print("the others at f =", [round(run.fun, 6) for run in runs], "after", [run.nit for run in runs], "iterations")

assert np.allclose(x, 0.0)
assert all(abs(run.fun + 1.0) < 1e-8 for run in runs)
assert max(run.nit for run in runs[1:]) < runs[0].nit / 3
