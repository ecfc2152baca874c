"""
Newton's method against gradient descent
========================================

Newton's method divides by the curvature, so the shape of a valley is no obstacle: on Rosenbrock's banana it follows the
floor in long strides and then doubles the number of right digits in each step.  Gradient descent sees only the walls.
BFGS learns the curvature from the gradients that it meets.
"""

import numpy as np

import numopt
import numopt.plot


def banana(x):
    a, b = x[1] - x[0] ** 2, 1.0 - x[0]
    return 100.0 * a * a + b * b, np.array([-400.0 * a * x[0] - 2.0 * b, 200.0 * a])


def hessian(x):
    return np.array([[1200.0 * x[0] ** 2 - 400.0 * x[1] + 2.0, -400.0 * x[0]], [-400.0 * x[0], 200.0]])


options = {"return_all": True, "history": True, "gtol": 1e-8}
runs = [
    numopt.minimize(banana, [-1.2, 1.0], method="gd", jac=True, options=options | {"maxiter": 1000}),
    numopt.minimize(banana, [-1.2, 1.0], method="bfgs", jac=True, options=options),
    numopt.minimize(banana, [-1.2, 1.0], method="newton", jac=True, hess=hessian, options=options),
]
names = ["gradient descent", "BFGS", "Newton"]

# %%
# The paths:

fig, ax = numopt.plot.contour(banana, runs, labels=names, minima=[[1, 1]], xlim=(-1.6, 1.4), ylim=(-0.6, 1.6))

# %%
# How f falls: on the logarithmic scale a straight line is linear convergence (gradient descent), a curve that bends
# down is superlinear (BFGS) or quadratic (Newton).

fig, ax = numopt.plot.convergence(runs, minimum=0.0, labels=names)

# %%
# The last errors of Newton's method: each is about the square of the one before, times a constant.

errors = np.linalg.norm(np.array(runs[2].allvecs) - 1.0, axis=1)
print("Newton's last errors:", errors[-4:])
print("evaluations:", {name: run.nfev for name, run in zip(names, runs, strict=True)})

assert runs[1].success and runs[2].success and not runs[0].success
assert runs[2].nit < runs[1].nit < 50
assert errors[-2] < 100 * errors[-3] ** 2 < errors[-3] / 10
