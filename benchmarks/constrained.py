"""Methods for constraints against scipy's SLSQP and trust-constr, on the problems of Hock & Schittkowski.

    python benchmarks/constrained.py                        every method of ours, jitted callables
    python benchmarks/constrained.py --callables python     the same, plain Python callables
    python benchmarks/constrained.py --methods sqp --problems hs71 hs43

Each method runs with the loosest of its tolerances that ends at the certified value (1e-6, relative), feasible to 1e-8,
with a KKT residual of at most 1e-6; with none of them it has not solved the problem.  Objective evaluations and
times are those of that run; times are medians of runs that alternate with SLSQP's.  All get exact gradients and
Jacobians; ``sqp+hess`` and trust-constr Hessians too.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import scipy.optimize

import numopt
from numopt import problems
from numopt.constrained_catalog import CONSTRAINED

ACCURACY = 1e-6
TOLERANCES = {
    "SLSQP": [10.0**-k for k in range(4, 16)],
    "trust-constr": [1e-6, 1e-7, 1e-8, 1e-9, 1e-10],
}
OURS = [1e-6, 1e-7, 1e-8, 1e-9]


def callables(problem, kind):
    """The problem with jitted or plain Python functions."""
    return problem if kind == "jitted" else problem.plain


def runner(problem, method, tolerance):
    """A call without arguments that solves the problem."""
    common = {"x0": problem.x0, "jac": problem.grad, "bounds": problem.scipy_bounds}
    if method == "SLSQP":
        common.update(constraints=problem.dictionaries, options={"ftol": tolerance, "maxiter": 1000})
        return lambda: scipy.optimize.minimize(problem.fun, method=method, **common)
    common["constraints"] = problem.constraints
    if method == "trust-constr":
        common.update(hess=problem.hess, options={"gtol": tolerance, "xtol": 1e-14, "maxiter": 3000})
        return lambda: scipy.optimize.minimize(problem.fun, method=method, **common)
    name, _, hessian = method.partition("+")
    if hessian:
        common["hess"] = problem.hess
    return lambda: numopt.minimize(problem.fun, method=name, options={"gtol": tolerance}, **common)


def accurate(problem, result):
    """Whether the answer is as the table's head says."""
    if not np.isfinite(result.x).all() or not problem.solved(result.x):
        return False
    found = problem.residuals(result.x)
    return max(found.stationarity, found.complementarity) <= ACCURACY


def first_accurate(problem, method):
    """(result, call) with the loosest tolerance that is enough; result None if none is."""
    for tolerance in TOLERANCES.get(method, OURS):
        call = runner(problem, method, tolerance)
        try:
            result = call()
        except Exception as error:  # a peer may raise, which counts as not solved
            print(f"    {problem.name}: {method} raised {type(error).__name__}: {error}")
            return None, call
        if accurate(problem, result):
            return result, call
    return None, call


def seconds(calls, least=0.02):
    """Median times of calls that take turns."""
    repeats = max(3, min(50, int(least / max(1e-6, min(once(call) for call in calls)))))
    times = [[once(call) for call in calls] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def once(call):
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def geometric_mean(ratios):
    """The geometric mean; NaN of none."""
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else float("nan")


def main():
    """Print one line for each problem and a summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    ours = [name for name, row in CONSTRAINED.items() if not (row.equalities_only or row.linear_sets)]
    parser.add_argument("--methods", nargs="*", default=["sqp", "sqp+hess", *(m for m in ours if m != "sqp")])
    parser.add_argument("--problems", nargs="*", default=list(problems.names("hock-schittkowski")))
    parser.add_argument("--callables", choices=("jitted", "python"), default="jitted")
    parser.add_argument("--no-times", action="store_true", help="count evaluations only")
    parser.add_argument("--trust-constr", action="store_true", help="run trust-constr as well, which takes minutes")
    options = parser.parse_args()
    methods = ["SLSQP", *options.methods, *(["trust-constr"] if options.trust_constr else [])]
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    solved = dict.fromkeys(methods, 0)
    evaluations, times = {m: [] for m in methods}, {m: [] for m in methods}
    print(f"{'':10s}" + "".join(f"{m:>24s}" for m in methods) + "     (evaluations, microseconds)")
    for name in options.problems:
        problem = callables(problems.get(name), options.callables)
        found = {m: first_accurate(problem, m) for m in methods}
        done = [m for m in methods if found[m][0] is not None]
        took = {}
        if not options.no_times:
            for method in done:
                pair = ["SLSQP", method] if "SLSQP" in done and method != "SLSQP" else [method]
                took.update(zip(pair, seconds([found[m][1] for m in pair]), strict=True))
                if len(pair) == 2:
                    times[method].append(took[method] / took["SLSQP"])
        line = f"{name:10s}"
        for method in methods:
            result = found[method][0]
            if result is None:
                line += f"{'not solved':>24s}"
                continue
            solved[method] += 1
            if "SLSQP" in done:
                evaluations[method].append(result.nfev / found["SLSQP"][0].nfev)
            line += f"{result.nfev:12d}{1e6 * took.get(method, float('nan')):12.0f}"
        print(line, flush=True)
    print(
        f"\n{len(options.problems)} problems, {options.callables} callables; "
        "means are geometric, over those that SLSQP solves"
    )
    print(f"{'method':24s}{'solved':>10s}{'evaluations / SLSQP':>24s}{'time / SLSQP':>16s}")
    for method in methods:
        means = geometric_mean(evaluations[method]), geometric_mean(times[method])
        print(f"{method:24s}{solved[method]:10d}{means[0]:24.3f}{means[1]:16.4f}")


if __name__ == "__main__":
    main()
