r"""
The zig-zag of line minimisation
================================

Gradient descent that minimises along each gradient meets the level line there at a tangent: the next gradient stands
at a right angle on the last. In a valley with curvatures :math:`\lambda_1 \le \lambda_2` the worst start is
:math:`(\lambda_2, \lambda_1)`; from there every step reduces :math:`f` by the factor :math:`\left(\frac{\kappa -
1}{\kappa + 1}\right)^2`, where :math:`\kappa = \lambda_2 / \lambda_1` is the condition number, and by no more
(Nocedal & Wright, theorem 3.3).
"""

import numpy as np

import numopt
import numopt.plot

curvature = np.array([1.0, 25.0])


def bowl(x):
    return 0.5 * (curvature * x**2).sum(), curvature * x


options = {"line_search": "exact", "line_tol": 1e-10, "return_all": True, "history": True}
start = [25.0, 1.0]
runs = [
    numopt.minimize(bowl, start, method="gd", jac=True, options=options | {"gtol": 1e-3}),
    numopt.minimize(bowl, start, method="cg", jac=True, options=options),
]

# %%
# Conjugate gradient, on the same function with the same line search, is there after two steps: one for each variable.

fig, ax = numopt.plot.contour(bowl, runs, labels=["gradient descent", "conjugate gradient"], minima=[[0, 0]])

# %%
# The straight line of the convergence curve is linear convergence, at the rate of the theorem.

fig, ax = numopt.plot.convergence(runs, minimum=0.0, labels=["gradient descent", "conjugate gradient"])

# %%
# In numbers:

f = runs[0].history["f"]
rate = (24 / 26) ** 2
print(f"reduction per step: measured {f[10] / f[9]:.6f}, predicted {rate:.6f}")
print(f"iterations: gradient descent {runs[0].nit}, conjugate gradient {runs[1].nit}")

assert np.allclose(f[1:30] / f[:29], rate, rtol=1e-5)
assert runs[1].nit == 2
