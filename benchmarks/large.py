"""A million variables, without bounds and with a third of them active: time per iteration beside scipy's.

Run it with ``python benchmarks/large.py``.  Both sides call the same jitted function, which writes the gradient to a
given array; scipy needs a new array in each call, since it keeps the last one, numopt takes the function as it is
(``jac='inplace'``).  Each figure is the median over repeated runs of the time per iteration, after a run that compiles
and touches the memory.
"""

import statistics
import sys
import time

import numpy as np
import scipy.optimize

import numopt


def main(n=1_000_000, iterations=30, repeat=5):
    """Print the figures."""
    rng = np.random.default_rng(0)
    problem = numopt.problems.get("extended_rosenbrock_n", n=n)
    x0 = problem.x0 + 0.1 * rng.standard_normal(n)
    _compare("extended_rosenbrock_n", problem, x0, iterations, repeat, (("L-BFGS-B", _LBFGS), ("CG", {})))
    for name in ("quadratic_bounded_n", "rosenbrock_bounded_n"):
        problem = numopt.problems.get(name, n=n - n % 66)
        _compare(name, problem, problem.x0, 2 * iterations, repeat, (("L-BFGS-B", _LBFGS),))


_LBFGS = {"ftol": 0.0, "maxcor": 10}


def _compare(title, problem, x0, iterations, repeat, methods):
    """Print one line for each method."""
    value_grad, n = problem.value_grad, x0.size
    bounds = {} if problem.bounds is None else {"bounds": scipy.optimize.Bounds(*problem.bounds.T)}

    def allocating(x):
        g = np.empty_like(x)
        return value_grad(x, g), g

    g = np.empty(n)
    value_grad(x0, g)
    start = time.perf_counter()
    for _ in range(20):
        value_grad(x0, g)
    print(f"{title}, n = {n}; one evaluation takes {50 * (time.perf_counter() - start):.2f} ms")
    for method, extra in methods:
        options = {"maxiter": iterations, "gtol": 1e-14, **extra}
        times: dict = {"numopt": [], "scipy": []}
        ends = {}
        for _ in range(repeat + 1):
            for name, solve, fun, jac in (
                ("numopt", numopt.minimize, value_grad, "inplace"),
                ("scipy", scipy.optimize.minimize, allocating, True),
            ):
                start = time.perf_counter()
                result = solve(fun, x0, jac=jac, method=method, options=options, **bounds)
                times[name].append((time.perf_counter() - start) / result.nit)
                ends[name] = result
        ours, theirs = (1e3 * statistics.median(times[name][1:]) for name in ("numopt", "scipy"))
        print(
            f"{method:9} numopt {ours:6.2f} ms, scipy {theirs:6.2f} ms an iteration: {theirs / ours:.2f} times; "
            f"evaluations {ends['numopt'].nfev}, {ends['scipy'].nfev} in {ends['numopt'].nit}, {ends['scipy'].nit} "
            "iterations; "
            f"f {ends['numopt'].fun:.6e}, {ends['scipy'].fun:.6e}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
