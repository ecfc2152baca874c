r"""
One variable at a time
======================

Coordinate descent minimises along one axis after the other. It is at its best where variables hardly interact, and at
its worst on the textbook's failure case

.. math:: f(x) = (x_1 - x_2)^2 + \alpha\,(x_1^2 + x_2^2):

the minimum along :math:`x_1` is at :math:`x_1 = x_2 / (1 + \alpha)`, so a sweep over both variables shrinks them by
:math:`(1 + \alpha)^{-2}`, next to nothing if :math:`\alpha` is small. In the variables :math:`x_1 - x_2` and
:math:`x_1 + x_2` one sweep would do: conjugate directions are such variables, and Powell's method finds them from
values alone.
"""

import numpy as np

import numopt
import numopt.plot


def tied(alpha):
    return lambda x: (x[0] - x[1]) ** 2 + alpha * (x[0] ** 2 + x[1] ** 2)


options = {"return_all": True, "history": True, "xatol": 1e-9, "fatol": 1e-12}
alphas = (1.0, 0.1, 0.01)
runs = [
    numopt.minimize(tied(alpha), [1.0, 0.5], method="coordinate-descent", options=options | {"update": "line"})
    for alpha in alphas
]
powell = numopt.minimize(tied(0.01), [1.0, 0.5], method="powell", options={"return_all": True, "history": True})

# %%
# The staircase, for alpha = 0.1, and Powell's path, for alpha = 0.01:

fig, ax = numopt.plot.contour(tied(0.1), [runs[1]], labels=["coordinate descent, alpha = 0.1"], minima=[[0, 0]],
                              xlim=(-0.4, 1.2), ylim=(-0.4, 1.2))  # fmt: skip

# %%
# The closer the two variables are tied together, the shorter is each move.

names = [f"coordinate descent, alpha = {alpha}" for alpha in alphas]
fig, ax = numopt.plot.convergence([*runs, powell], minimum=0.0, labels=[*names, "Powell, alpha = 0.01"])

# %%
# The measured rate of f is the predicted one, :math:`(1 + \alpha)^{-4}`:

for alpha, run in zip(alphas, runs, strict=True):
    f = run.history["f"]
    print(
        f"alpha = {alpha}: {run.nit} sweeps; f shrinks by {f[4] / f[3]:.6f} in one, predicted {(1 + alpha) ** -4:.6f}"
    )
    assert np.isclose(f[4] / f[3], (1 + alpha) ** -4, rtol=1e-4)
print(f"Powell, alpha = 0.01: {powell.nit} iterations, f = {powell.fun:.1e}")

assert powell.nit < 5 and powell.fun < 1e-12 and runs[2].nit > 300
