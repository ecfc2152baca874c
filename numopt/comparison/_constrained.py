"""The suite ``constrained``: problems with constraints, among them such as have no solution, beside scipy's solvers."""

import difflib
import statistics

import numpy as np

from numopt import problems as library
from numopt.comparison._report import Outcome, Run
from numopt.comparison._timing import measure
from numopt.constrained_catalog import CONSTRAINED, find_constrained
from numopt.kernels.status import Status

# scipy's tolerances, the loosest with which it solves as many of the problems as with any: SLSQP with its default of
# 1e-6 stops short of 19 more, from 1e-8 on it only takes longer
SCIPY = {
    "SLSQP": {"ftol": 1e-8, "maxiter": 1000},
    # a gtol of 1e-8 ends it while the barrier parameter is still 1e-5
    "trust-constr": {"gtol": 1e-14, "xtol": 1e-8, "barrier_tol": 1e-8, "maxiter": 2000},
}
DEFAULT = ("sqp", "interior-point")
_GROUP = "constrained"


def find_cases(wanted):
    """The problems of these names, each once; None: all of the group; names of its parts are names too."""
    subsets = {key.replace("-", "_"): found for key, found in library.subsets(_GROUP).items()}
    subsets[_GROUP] = tuple(library.names(_GROUP))
    given = [_GROUP] if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    names: list[str] = []
    for name in given:
        key = str(name).lower().replace("-", "_")
        if key in subsets:
            names += subsets[key]
        elif key in subsets[_GROUP]:
            names.append(key)
        else:
            known = [*subsets, *subsets[_GROUP]]
            close = difflib.get_close_matches(key, known, 3)
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"groups are {', '.join(subsets)}"
            raise ValueError(f"unknown problem with constraints {name!r}; {hint}")
    if not names:
        raise ValueError("problems is empty; name at least one")
    return [library.get(name) for name in dict.fromkeys(names)]


def find_pairs(methods):
    """(row of our method, scipy's name) for what the user named: SLSQP where scipy has none of the kind."""
    names = DEFAULT if methods is None else [methods] if isinstance(methods, str) else list(methods)
    if not names:
        raise ValueError("methods is empty; name at least one")
    pairs = {}
    for name in names:
        row = find_constrained(name)
        if row is None:
            raise ValueError(f"method {name!r} takes no constraints; those that do are {', '.join(CONSTRAINED)}")
        pairs[row.name] = row, row.scipy if row.scipy in SCIPY else "SLSQP"
    return list(pairs.values())


def takes(row, problem):
    """Whether a method takes a problem's kind of constraints."""
    equalities = bool((problem.limits[:, 0] == problem.limits[:, 1]).all()) and problem.bounds is None
    if row.equalities_only:
        return equalities
    return not row.linear_sets or (problem.m <= 1 and bool(problem.linear.all()))


def _solvers(problem, row, reference, jitted):
    """(ours, scipy's) with the same functions: dictionaries beside SLSQP, with Hessians beside trust-constr."""
    import scipy.optimize

    import numopt

    source = problem if jitted else problem.plain
    extra = {"jac": source.grad}
    if reference == "SLSQP":
        extra["constraints"] = source.dictionaries
    else:
        extra["constraints"], extra["hess"] = source.constraints, source.hess
    if problem.bounds is not None:
        extra["bounds"] = problem.scipy_bounds
    start, fun = problem.x0, source.fun

    def ours():
        return numopt.minimize(fun, start.copy(), method=row.name, **extra)

    def theirs():
        return scipy.optimize.minimize(fun, start.copy(), method=reference, options=SCIPY[reference], **extra)

    return ours, theirs


def right_verdict(problem, result):
    """Whether a run of any solver ended as the problem deserves.

    Where there is a solution: at one, whatever the solver says.  Where there is none: not with success; our own
    solvers have to say which of the two it is.  Where there are no multipliers: not with success away from a solution.
    """
    ours = isinstance(result.status, Status)
    if problem.verdict == "infeasible":
        return not result.success and (not ours or result.status is Status.INFEASIBLE)
    if problem.verdict == "unbounded":
        return not result.success and (not ours or result.status is Status.UNBOUNDED)
    if problem.verdict == "no multipliers" and not result.success:
        return True
    return bool(problem.solved(np.array(result.x, dtype=float)))


def _outcome(problem, result, first, timings):
    """What is kept of a method's calls: all measured at the point that it returned."""
    if isinstance(result, Exception):
        return Outcome.raised(result, first)
    x = np.array(result.x, dtype=float)
    with np.errstate(all="ignore"):
        found = problem.residuals(x)
        value = float(problem.python_fun(x))
    ((threads, seconds),) = timings.items()
    return Outcome(
        value=value, optimality=float(np.max(found[:3])), nfev=int(result.nfev),  # NaN where one is
        nit=int(result.get("nit", 0)), seconds=statistics.median(seconds), first_call_seconds=first,
        repeats=len(seconds), blas_threads=threads, status=int(result.status), message=str(result.message),
        solved=right_verdict(problem, result), nhev=int(result.get("nhev", 0)),
    )  # fmt: skip


def run(cases, pairs, callers, repeat, bar):
    """(runs, what was skipped, no curves: f alone says little on the way) of all problems."""
    runs, skipped = [], []
    for problem in cases:
        for row, reference in pairs:
            if not takes(row, problem):
                skipped.append(f"{problem.name} with {row.name}: the method does not take its constraints")
                bar.step(len(callers))
                continue
            for caller in callers:
                bar.show(f"{problem.name} · {row.name} · {caller}")
                measured = measure(_solvers(problem, row, reference, caller == "jitted"), repeat, one_thread=True)
                ours, theirs = (_outcome(problem, *timed) for timed in measured)
                runs.append(Run(problem.name, problem.n, row.name, reference, caller, ours, theirs))
                bar.step(1)
    return runs, skipped, []
