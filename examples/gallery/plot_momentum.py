r"""
Momentum
========

The heavy ball keeps a share :math:`\mu` of its last step. With the best step and momentum, :math:`\varepsilon =
\left(\frac{2}{\sqrt{\lambda_1} + \sqrt{\lambda_2}}\right)^2` and :math:`\mu = \left(\frac{\sqrt\kappa -
1}{\sqrt\kappa + 1}\right)^2` (Polyak 1964), a valley of condition number :math:`\kappa` costs it what one of
:math:`\sqrt\kappa` costs gradient descent. Nesterov's method looks at the gradient where the momentum would carry it.
"""

import numpy as np

import numopt
import numopt.plot

low, high = 1.0, 100.0
curvature = np.array([low, high])


def bowl(x):
    return 0.5 * (curvature * x**2).sum(), curvature * x


root = (high / low) ** 0.5
choices = {
    "gradient descent": ("gd-fixed", {"step": 2 / (low + high)}),
    "heavy ball": ("heavy-ball", {"step": 4 / (low**0.5 + high**0.5) ** 2, "momentum": ((root - 1) / (root + 1)) ** 2}),
    "Nesterov": ("nesterov", {"step": 1 / high, "momentum": (root - 1) / (root + 1)}),
}
runs = [
    numopt.minimize(
        bowl, [10.0, 1.0], method=method, jac=True,
        options={"gtol": 1e-8, "maxiter": 2000, "return_all": True, "history": True, **options},
    )
    for method, options in choices.values()
]  # fmt: skip

# %%
# The first forty steps: the heavy ball overshoots and swings back, gradient descent bounces between the walls.

early = [numopt.OptimizeResult(run, allvecs=run.allvecs[:40]) for run in runs]
fig, ax = numopt.plot.contour(bowl, early, labels=list(choices), minima=[[0, 0]], ylim=(-2, 2))

# %%
# And all of them:

fig, ax = numopt.plot.convergence(runs, minimum=0.0, labels=list(choices))

# %%
# Iterations to a gradient of 1e-8:

counts = {name: run.nit for name, run in zip(choices, runs, strict=True)}
print(counts)

assert all(run.success for run in runs)
assert counts["heavy ball"] < counts["Nesterov"] < counts["gradient descent"] / 4
