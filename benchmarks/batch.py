"""Many small minimizations: minimize_batch against loops over numopt.minimize and scipy.optimize.minimize.

Run it with ``python benchmarks/batch.py``; ``--problems`` sets how many there are.  All sides get the same jitted
functions, the same starts and the same tolerance.  Times are medians of interleaved rounds, in microseconds a problem.
"""

import argparse
import time
from statistics import median

import numba
import numpy as np
import scipy.optimize

import numopt

GTOL = 1e-5


@numba.njit
def rosen(x):
    s = 0.0
    for i in range(x.size - 1):
        s += 100.0 * (x[i + 1] - x[i] * x[i]) ** 2 + (1.0 - x[i]) ** 2
    return s


@numba.njit
def rosen_grad(x):
    g = np.zeros_like(x)
    for i in range(x.size - 1):
        t = x[i + 1] - x[i] * x[i]
        g[i] += -400.0 * x[i] * t - 2.0 * (1.0 - x[i])
        g[i + 1] += 200.0 * t
    return g


@numba.njit
def rosen_inplace(x, g):
    s = 0.0
    for i in range(x.size):
        g[i] = 0.0
    for i in range(x.size - 1):
        t = x[i + 1] - x[i] * x[i]
        s += 100.0 * t * t + (1.0 - x[i]) ** 2
        g[i] += -400.0 * x[i] * t - 2.0 * (1.0 - x[i])
        g[i + 1] += 200.0 * t
    return s


# name -> (function, jac of numopt's)
FORMS = {"jac": (rosen, rosen_grad), "inplace": (rosen_inplace, "inplace")}


def batch(form, X0, threads):
    fun, jac = FORMS[form]
    return numopt.minimize_batch(fun, X0, jac=jac, method="bfgs", tol=GTOL, n_threads=threads)


def loop(form, X0):
    fun, jac = FORMS[form]
    return [numopt.minimize(fun, x, jac=jac, method="bfgs", tol=GTOL) for x in X0]


def scipy_loop(X0):
    return [scipy.optimize.minimize(rosen, x, jac=rosen_grad, method="BFGS", tol=GTOL) for x in X0]


def microseconds(call, X0):
    start = time.perf_counter()
    call(X0)
    return 1e6 * (time.perf_counter() - start) / len(X0)


def share(results):
    """Converged, in percent, and evaluations a problem."""
    return 100.0 * np.mean([r.success for r in results]), np.mean([r.nfev for r in results])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    X0 = np.random.default_rng(0).uniform(-2.0, 2.0, (given.problems, 10))
    few, least = X0[: max(1, given.problems // 20)], X0[: max(1, given.problems // 500)]
    numopt.minimize_batch(rosen_inplace, X0[:1, :2] * 1.0, jac="inplace", method="bfgs")  # loads the units

    print(f"{given.problems} starts of the 10-dimensional Rosenbrock function, BFGS, gtol {GTOL:g}")
    for form in FORMS:
        start = time.perf_counter()
        batch(form, X0[:2], 1)
        print(f"first call, {form}: {time.perf_counter() - start:.2f} s with the units warm")
    sides = {
        "batch, 2 threads": lambda form: microseconds(lambda X: batch(form, X, 2), X0),
        "batch, 1 thread": lambda form: microseconds(lambda X: batch(form, X, 1), X0),
        "loop over minimize": lambda form: microseconds(lambda X: loop(form, X), few),
        "loop over scipy": lambda form: microseconds(scipy_loop, least),
    }
    for form in FORMS:
        rounds = [{name: side(form) for name, side in sides.items()} for _ in range(given.rounds)]
        middle = {name: median(r[name] for r in rounds) for name in sides}
        fast = middle["batch, 2 threads"]
        print(f"\n{form:24}{'us a problem':>14}{'batch, 2 threads, is':>24}")
        for name, value in middle.items():
            print(f"{name:24}{value:14.2f}{value / fast:18.2f} times")
    both = batch("inplace", few, 2), loop("inplace", few)
    same = all(np.array_equal(a.x, b.x) and a.nfev == b.nfev for a, b in zip(*both, strict=True))
    print(f"\nbatch and loop equal to the last bit: {same}")
    for name, results in (("numopt", both[1]), ("scipy", scipy_loop(least))):
        print("{}: {:.1f} % converged, {:.1f} evaluations a problem".format(name, *share(results)))


if __name__ == "__main__":
    main()
