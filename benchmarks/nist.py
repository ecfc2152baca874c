"""Correct digits on NIST's data sets for nonlinear regression, and evaluations, beside scipy's methods.

Run it with ``python benchmarks/nist.py``.  All at default options, with jitted residuals and analytic Jacobians; the
digits are those of the worst parameter.  The last columns are times of a call in microseconds, medians, with jitted
residuals and with the same functions in plain NumPy.
"""

import statistics
import time

import numpy as np
import scipy.optimize

from numopt import least_squares, problems


def median(call, budget=0.2):
    """Median seconds of a call."""
    taken = []
    call()
    while sum(taken) < budget or len(taken) < 3:
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def main():
    """Print the table."""
    solvers = {"lm": least_squares, "scipy lm": scipy.optimize.least_squares, "scipy trf": scipy.optimize.least_squares}
    print(
        f"{'data set':10} start  "
        + "  ".join(f"{name:>9} digits evals" for name in solvers)
        + "   speed-up: jitted, NumPy"
    )
    ratios = []
    for name in problems.nist_names():
        problem = problems.nist(name)
        for k in (0, 1):
            cells = []
            for title, solve in solvers.items():
                result = solve(problem.residual, problem.starts[k], jac=problem.jacobian, method=title.split()[-1])
                cells.append(f"{problem.digits(result.x).min():16.1f} {result.nfev:5d}")
            pair = []
            for residual, jacobian in (
                (problem.residual, problem.jacobian),
                (problem.python_residual, problem.python_jacobian),
            ):
                ours, theirs = (
                    median(lambda f=f, r=residual, j=jacobian, x=problem.starts[k]: f(r, x, jac=j, method="lm"))
                    for f in (least_squares, scipy.optimize.least_squares)
                )
                pair.append(theirs / ours)
            ratios.append(pair)
            print(f"{name:10} {k + 1:5}  " + "  ".join(cells) + f"   {pair[0]:8.1f} {pair[1]:7.1f}", flush=True)
    means = np.exp(np.log(ratios).mean(axis=0))
    print(f"geometric mean of the speed-ups: jitted {means[0]:.1f}, NumPy {means[1]:.2f}")


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        main()
