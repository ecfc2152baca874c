"""Nelder-Mead beside scipy's, for 2 to 10 variables: whole calls, the same jitted objective, the same tolerances.

Run it with ``python benchmarks/simplex.py``.  The two take the same steps (but for ties), so that the ratio of times is
that of the loops.  Each figure is the median of the processor time of calls that alternate between the two.
"""

import statistics
import sys
import time

import numba
import numpy as np
import scipy.optimize

import numopt


@numba.njit
def rosenbrock(x):
    """Chained."""
    f = 0.0
    for i in range(x.size - 1):
        a, b = x[i + 1] - x[i] ** 2, 1.0 - x[i]
        f += 100.0 * a * a + b * b
    return f


@numba.njit
def quartic(x):
    """Convex, tied in pairs."""
    f = 0.0
    for i in range(x.size):
        d = x[i] - 1.0
        f += (i + 1.0) * d * d + d**4
        if i > 0:
            f += 0.25 * (x[i] - x[i - 1]) ** 4
    return f


def main(calls=11, tolerance=1e-6):
    """Print the figures."""
    options = {"xatol": tolerance, "fatol": tolerance, "maxiter": 10**6, "maxfev": 10**6}
    ratios = []
    print("objective   n  evaluations (numopt, scipy)   numopt us   scipy us  ratio")
    for fun in (rosenbrock, quartic):
        for n in range(2, 11):
            x0 = np.tile([-1.2, 1.0], n)[:n] + 0.01 * np.sin(np.arange(n))
            solvers = {"numopt": numopt.minimize, "scipy": scipy.optimize.minimize}
            ends = {name: solve(fun, x0, method="Nelder-Mead", options=options) for name, solve in solvers.items()}
            times: dict = {name: [] for name in solvers}
            for _ in range(calls):
                for name, solve in solvers.items():
                    for _ in range(5 if name == "numopt" else 1):
                        start = time.thread_time()
                        solve(fun, x0, method="Nelder-Mead", options=options)
                        times[name].append(1e6 * (time.thread_time() - start))
            ours, theirs = (statistics.median(times[name]) for name in ("numopt", "scipy"))
            ratios.append(theirs / ours)
            print(
                f"{fun.__name__:10} {n:2}  {ends['numopt'].nfev:6} {ends['scipy'].nfev:6}  {ours:25.0f} {theirs:10.0f}"
                f" {ratios[-1]:6.1f}"
            )
    print(f"geometric mean {np.exp(np.mean(np.log(ratios))):.1f}, least {min(ratios):.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
