"""
The landscape of a loss
=======================

A function of many variables can be looked at along two random directions through a point (Goodfellow, Vinyals & Saxe
2015; Li et al. 2018), and along the line between two points. Here: the loss of a logistic regression, around its
minimum, and on the way there from the start.
"""

import numpy as np

import numopt
import numopt.plot

problem = numopt.problems.get("logistic_breast_cancer")
result = numopt.minimize(problem.fun_and_grad, problem.x0, jac=True)
print(problem.name, "with", problem.n, "variables:", result.message)

fig, ax = numopt.plot.landscape(problem, result.x, span=2.0, points=31)

# %%
# From the start, at 0, to the minimum, at 1:

fig, ax = numopt.plot.line(problem, problem.x0, result.x)

assert result.success
assert np.all(result.fun <= problem.fun(problem.x0))
