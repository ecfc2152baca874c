"""
A race
======

Several methods, started together on Beale's function, an iteration a frame.
"""

import numpy as np

import numopt
import numopt.plot

problem = numopt.problems.get("beale_2d")
names = ["gd", "heavy-ball", "cg", "bfgs"]
extra = {"heavy-ball": {"step": 0.01, "momentum": 0.9}}
runs = [
    numopt.minimize(
        problem.fun_and_grad, [0.5, 1.2], method=name, jac=True,
        options={"return_all": True, "maxiter": 300, **extra.get(name, {})},
    )
    for name in names
]  # fmt: skip
animation = numopt.plot.race(problem, runs, xlim=(-2, 4.5), ylim=(-1, 2.2), frames=40)

# %%
# Where they are after 300 iterations at most:

for name, run in zip(names, runs, strict=True):
    print(f"{name:10} {run.nit:4d} iterations, f = {run.fun:.1e}")

assert np.allclose(runs[3].x, [3.0, 0.5], atol=1e-4)
