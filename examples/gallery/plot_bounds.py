r"""
Bounds and their multipliers
============================

With bounds the minimum may lie on the boundary, where the gradient doesn't vanish: it points out of the box. What is
left of it there are the Lagrange multipliers: the derivative of the least value with respect to a bound, positive at a
lower bound and negative at an upper one.
"""

import numpy as np

import numopt
import numopt.plot


def banana(x):
    a, b = x[1] - x[0] ** 2, 1.0 - x[0]
    return 100.0 * a * a + b * b, np.array([-400.0 * a * x[0] - 2.0 * b, 200.0 * a])


bounds = [(-1.5, 0.6), (-0.2, 1.2)]
options = {"return_all": True, "history": True}
names = ["l-bfgs-b", "bfgs", "gd", "nelder-mead"]
runs = [
    numopt.minimize(banana, [-1.2, 1.0], method=name, jac=True, bounds=bounds, options=options) for name in names[:3]
]
runs.append(numopt.minimize(lambda x: banana(x)[0], [-1.2, 1.0], method="nelder-mead", bounds=bounds, options=options))

# %%
# The box is [-1.5, 0.6] x [-0.2, 1.2]; every point that is evaluated lies within it.

fig, ax = numopt.plot.contour(banana, runs, labels=names, minima=[[0.6, 0.36]], xlim=(-1.6, 1.2), ylim=(-0.4, 1.4))
ax.plot([-1.5, 0.6, 0.6, -1.5, -1.5], [-0.2, -0.2, 1.2, 1.2, -0.2], color="black", linewidth=1.2)

# %%
# The result says which bounds hold x, and what they cost: raising the upper bound of the first variable a little
# changes the minimum by the multiplier times that.

result = runs[0]
print("x =", result.x, "active:", result.active_mask, "multipliers:", result.bound_multipliers)
looser = numopt.minimize(banana, [-1.2, 1.0], jac=True, bounds=[(-1.5, 0.6 + 1e-4), (-0.2, 1.2)])
print("f changes by", (looser.fun - result.fun) / 1e-4, "per unit")

assert all(np.allclose(run.x, [0.6, 0.36], atol=1e-3) for run in runs)
assert result.active_mask.tolist() == [1, 0]
assert np.isclose((looser.fun - result.fun) / 1e-4, result.bound_multipliers[0], rtol=1e-3)
