r"""
Constraints: three roads to one point
=====================================

Where a constraint holds the minimum, the gradient of the objective and that of the constraint are parallel: grad f =
lambda grad g. Sequential quadratic programming models f and the constraint in each step; an interior point method keeps
away from the limit until the end (its slack variable does: x itself may be outside on the way); each step of the
augmented Lagrangian is a whole unconstrained run.
"""

import numpy as np
from scipy.optimize import NonlinearConstraint

import numopt
import numopt.plot


def banana(x):
    a, b = x[1] - x[0] ** 2, 1.0 - x[0]
    return 10.0 * a * a + b * b, np.array([-40.0 * a * x[0] - 2.0 * b, 20.0 * a])


disc = NonlinearConstraint(lambda x: x @ x, -np.inf, 1.0, jac=lambda x: 2.0 * x)
names = ["sqp", "interior-point", "augmented-lagrangian"]
runs = [
    numopt.minimize(banana, [-0.8, -0.4], jac=True, constraints=disc, method=name, options={"return_all": True})
    for name in names
]

# %%
# The unconstrained minimum, (1, 1), is out of reach: x has to stay within the unit disc.

angle = np.linspace(0.0, 2.0 * np.pi, 200)
fig, ax = numopt.plot.contour(
    banana, runs, labels=names, minima=[runs[0].x.tolist()], xlim=(-1.5, 1.5), ylim=(-1.2, 1.5)
)
ax.plot(np.cos(angle), np.sin(angle), color="black", linewidth=1.2)
ax.set_aspect("equal")

# %%
# The multiplier is the derivative of the least value with respect to the limit.

result = runs[0]
wider = NonlinearConstraint(lambda x: x @ x, -np.inf, 1.001, jac=lambda x: 2.0 * x)
change = (numopt.minimize(banana, result.x, jac=True, constraints=wider).fun - result.fun) / 0.001
print("x =", result.x, "multiplier:", result.multipliers[0], "f changes by", change, "per unit")

assert all(np.allclose(run.x, result.x, atol=1e-5) and run.success for run in runs)
assert np.isclose(change, result.multipliers[0][0], rtol=1e-2)
