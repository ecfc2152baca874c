"""
Which method, over many problems
================================

One function shows what one likes to show. A performance profile (Dolan & Moré 2002) draws, for each method, on which
share of a set of problems it needed at most tau times what the best one needed: on the left how often a method is the
best, on the right how many problems it solves. Here: evaluations on functions of Moré, Garbow and Hillstrom.
"""

import math

import numopt
import numopt.plot

problems = [
    "rosenbrock", "freudenstein_roth", "beale", "helical_valley", "bard", "box_3d", "powell_singular", "wood",
    "brown_dennis", "biggs_exp6", "watson", "broyden_tridiagonal",
]  # fmt: skip
methods = ["bfgs", "l-bfgs-b", "cg-pr", "gd"]
found = numopt.compare(problems, methods, callers=["jitted"], repeat=1)
evaluations = {(run.problem, run.method): run.ours.nfev if run.ours.solved else math.inf for run in found.runs}
costs = [[evaluations[problem, method] for method in methods] for problem in problems]

fig, ax = numopt.plot.performance_profile(costs, labels=methods, tau_max=32)

# %%
# Where each of them ended:

for k, method in enumerate(methods):
    print(f"{method:10} solves {sum(row[k] < math.inf for row in costs)} of {len(problems)}")

assert all(row[0] < math.inf for row in costs[:5])
