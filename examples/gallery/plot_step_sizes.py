r"""
Steps too short, steps too long
===============================

Gradient descent with a fixed step :math:`\varepsilon` multiplies the error along each axis of a quadratic by :math:`1
- \varepsilon \lambda`. The largest curvature :math:`\lambda_2` forbids steps of :math:`2 / \lambda_2` and more; the
smallest one crawls if the step is far below that. The best of all fixed steps is :math:`2 / (\lambda_1 + \lambda_2)`.
"""

import numpy as np

import numopt
import numopt.plot

curvature = np.array([1.0, 10.0])


def bowl(x):
    return 0.5 * (curvature * x**2).sum(), curvature * x


steps = {"0.02: too short": 0.02, "2/11: the best": 2 / 11, "0.201: too long": 0.201}
runs = [
    numopt.minimize(
        bowl, [8.0, 1.0], method="gd-fixed", jac=True,
        options={"step": step, "maxiter": 60, "gtol": 1e-12, "return_all": True, "history": True},
    )
    for step in steps.values()
]  # fmt: skip

# %%
# The short step never crosses the valley's floor, the long one crosses it farther up at every turn.

fig, ax = numopt.plot.contour(bowl, runs, labels=list(steps), minima=[[0, 0]], xlim=(-9, 9), ylim=(-4, 4))

# %%
# Only the step in the middle gets anywhere in sixty iterations.

fig, ax = numopt.plot.convergence(runs, minimum=0.0, labels=list(steps))

# %%
# The best fixed step reduces both errors by 9/11 a step.  A result holds the best point seen, so that of the long
# step is not its last one.

x = np.array(runs[1].allvecs)
print("reduction of |x| per step:", np.linalg.norm(x[20]) / np.linalg.norm(x[19]))
last = [run.history["f"][-1] for run in runs]
print("last f:", dict(zip(steps, last, strict=True)))

assert np.isclose(np.linalg.norm(x[20]) / np.linalg.norm(x[19]), 9 / 11)
assert last[1] < 1e-8 < last[0] < last[2]
