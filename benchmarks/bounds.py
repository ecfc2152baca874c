"""How many problems scipy's methods solve, each alone and one after another, and how many numopt's default method does.

Run it with ``python benchmarks/bounds.py``; ``--group bounds`` (or ``mgh``, without bounds) and ``--scale 1`` do a part
of it, ``--save FILE`` keeps what scipy's methods solved, and ``--load FILE`` takes it from there.

All get the same jitted function with its gradient (the methods that take values only, the values), the Hessian by
central differences of the gradient where they ask for one, and their default tolerances.  A run is cut off after so
many evaluations or seconds, and judged by the best point within the bounds that it had seen.  The ends are judged by
``TestProblem.solved``, not by the solver's word.
"""

import argparse
import json
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import scipy.optimize

import numopt
from numopt import problems
from numopt.comparison._compare import _hessian

BOUNDED = ("L-BFGS-B", "TNC", "Powell", "Nelder-Mead", "trust-constr", "SLSQP")
FREE = ("BFGS", "CG", "L-BFGS-B", "TNC", "Newton-CG", "trust-exact", "trust-ncg", "dogleg", "SLSQP", "Nelder-Mead",
        "Powell")  # fmt: skip
VALUES_ONLY = ("Powell", "Nelder-Mead")
SECOND_ORDER = ("Newton-CG", "trust-exact", "trust-ncg", "dogleg")
METHODS = {"bounds": BOUNDED, "mgh": FREE}
SCALES = (1, 10, 100)
# numopt's default method by what it is given
OURS = {"default": ("jac",), "default, Hessian": ("jac", "hess"), "default, values only": (),
        "default, values and Hessian": ("hess",)}  # fmt: skip


class _Cut(Exception):
    """The run has had its share."""


class _Limited:
    """x -> (f, g), up to a number of evaluations and seconds; keeps the best point within the bounds."""

    def __init__(self, problem, most, seconds):
        self.problem, self.most, self.end = problem, most, time.perf_counter() + seconds
        self.fun, self.count, self.best, self.x = problem.fun_and_grad, 0, np.inf, problem.x0

    def __call__(self, x):
        self.count += 1
        if self.count > self.most or time.perf_counter() > self.end:
            raise _Cut
        f, g = self.fun(x)
        if f < self.best and self.problem.feasible(x):
            self.best, self.x = f, x.copy()
        return f, g

    def value(self, x):
        """f alone."""
        return self(x)[0]


def judge(problem, x):
    """(whether x is a solution, f there, the largest component of the projected gradient)."""
    x = np.array(x, dtype=float)
    f, g = problem.fun_and_grad(x)
    optimality = problem.optimality(x, g)
    return bool(problem.solved(f, optimality, x)), float(f), optimality


def by_scipy(problem, method, most, seconds):
    """(solved, f, optimality, evaluations, note) of a method of scipy's."""
    extra = {"hess": _hessian(problem.fun_and_grad, True)} if method in SECOND_ORDER else {}
    # compiled before the clock starts
    problem.fun_and_grad(problem.x0)
    for hess in extra.values():
        hess(problem.x0)
    fun = _Limited(problem, most, seconds)
    if method not in VALUES_ONLY:
        extra["jac"] = True
    note = ""
    try:
        result = scipy.optimize.minimize(fun.value if method in VALUES_ONLY else fun, problem.x0, method=method,
                                         bounds=problem.bounds, **extra)  # fmt: skip
        x = result.x
    except _Cut:
        x, note = fun.x, "cut off"
    except Exception as error:  # a solver that raises has not solved it
        x, note = fun.x, f"{type(error).__name__}: {error}".splitlines()[0][:80]
    return *judge(problem, x), fun.count, note


def by_numopt(problem, given, seconds):
    """(solved, f, optimality, evaluations, note) of numopt's default method."""
    fun = problem.fun_and_grad if "jac" in given else problem.fun
    extra = {"jac": True} if "jac" in given else {}
    if "hess" in given:
        extra["hess"] = _hessian(problem.fun_and_grad, True)
    if problem.bounds is not None:
        extra["bounds"] = problem.bounds
    try:
        result = numopt.minimize(fun, problem.x0, options={"max_time": seconds}, **extra)
    except Exception as error:
        return False, np.nan, np.nan, 0, f"{type(error).__name__}: {error}".splitlines()[0][:80]
    return *judge(problem, result.x), int(result.nfev), str(result.message)


def run(task):
    """{solver: (solved, f, optimality, evaluations, note)} for one problem and start."""
    group, name, scale, wanted, most, seconds = task
    problem = problems.get(name, scale=scale)
    found = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for method in METHODS[group] if wanted == "scipy" else ():
            found[method] = by_scipy(problem, method, most, seconds)
        for ours, given in OURS.items() if wanted == "numopt" else ():
            found[ours] = by_numopt(problem, given, seconds)
    return f"{group} {scale} {name}", found


def table(found, group, scale):
    """Print what is solved by whom."""
    prefix = f"{group} {scale} "
    rows = {key.removeprefix(prefix): row for key, row in found.items() if key.startswith(prefix)}
    if not rows:
        return
    print(f"\n{group}, {scale} x0: {len(rows)} problems")
    union = {name for name, row in rows.items() if any(row[m][0] for m in METHODS[group] if m in row)}
    for solver in (*METHODS[group], *OURS):
        missed = [name for name, row in rows.items() if solver in row and not row[solver][0]]
        if any(solver in row for row in rows.values()):
            print(
                f"  {solver:28} {len(rows) - len(missed):3}   misses {', '.join(missed) if len(missed) < 15 else '...'}"
            )
    print(f"  {'one after another':28} {len(union):3}   misses {', '.join(n for n in rows if n not in union)}")
    for name, row in rows.items():
        if "default" in row and not row["default"][0]:
            _, f, optimality, count, note = row["default"]
            least = problems.get(name).minima
            print(f"    {name}: f {f:.10g} for {least[0] if least else np.nan:.10g}, projected gradient "
                  f"{optimality:.1e}, {count} evaluations, {note}")  # fmt: skip
    for ours in OURS:
        if all(ours in row for row in rows.values()):
            mine = {name for name, row in rows.items() if row[ours][0]}
            print(f"  solved by scipy's, not by {ours!r}: {', '.join(sorted(union - mine)) or 'none'}")
            print(f"  solved by {ours!r}, not by scipy's: {', '.join(sorted(mine - union)) or 'none'}")


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--group", choices=tuple(METHODS))
    parser.add_argument("--scale", type=int, choices=SCALES)
    parser.add_argument("--problem")
    parser.add_argument("--save", metavar="FILE", help="write what scipy's methods found")
    parser.add_argument("--load", metavar="FILE", help="take scipy's part from a file")
    parser.add_argument("--only", choices=("scipy", "numopt"))
    parser.add_argument("--evaluations", type=int, default=50_000, help="limit for a run of scipy's")
    parser.add_argument("--seconds", type=float, default=10.0, help="limit for a run")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    found: dict = {}
    if given.load:
        with open(given.load, encoding="utf-8") as file:
            found = json.load(file)
    wanted = [w for w in ("scipy", "numopt") if given.only in (None, w) and not (given.load and w == "scipy")]
    groups = [given.group] if given.group else list(METHODS)
    scales = [given.scale] if given.scale else SCALES
    tasks = [(group, name, scale, w, given.evaluations, given.seconds) for w in wanted for group in groups
             for name in problems.names(group) for scale in scales if given.problem in (None, name)]  # fmt: skip
    with ProcessPoolExecutor(given.jobs) as pool:
        for key, row in pool.map(run, tasks):
            found.setdefault(key, {}).update(row)
    if given.save:
        scipys = {key: {m: v for m, v in row.items() if m not in OURS} for key, row in found.items()}
        with open(given.save, "w", encoding="utf-8") as file:
            json.dump(scipys, file, indent=0)
    for group in groups:
        for scale in scales:
            table(found, group, scale)


if __name__ == "__main__":
    main()
