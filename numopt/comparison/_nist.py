"""The suite ``nist``: least squares on NIST's data sets, both starts, with the correct digits of what is found."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from numopt import problems as library
from numopt.catalog import SQUARES
from numopt.comparison._report import Outcome, Run
from numopt.comparison._timing import measure
from numopt.comparison._traces import traces_of
from numopt.optimize._least_squares import find_squares_method
from numopt.problems._nist import NistProblem, log_relative_error

# Correct digits of the worst parameter that count as solved: default tolerances give four to eight where a solver has
# come to the minimum, and none where it has not.
SOLVED = 4.0
_SCIPY = ("lm", "trf", "dogbox")
# ours and scipy's
PAIRS = (("lm", "lm"), ("trf" if "trf" in SQUARES else "lm", "trf"))


@dataclass(frozen=True)
class Case:
    """One data set from one start."""

    problem: NistProblem
    start: int

    @property
    def name(self):
        """As the tables have it; NIST's start 1 is the far one."""
        return f"{self.problem.name} (start {self.start + 1})"

    @property
    def n(self):
        """The number of parameters."""
        return self.problem.certified.size

    @property
    def minima(self):
        """The certified cost, for the convergence curves."""
        return (0.5 * self.problem.rss,)

    def fun_and_grad(self, b):
        """The cost, and beside it the residuals: what a recorded run of scipy's is given."""
        r = self.problem.python_residual(b)
        return 0.5 * float(r @ r), r


def find_cases(wanted):
    """The cases of names, files and folders of files, each once.

    Parameters
    ----------
    wanted : str, path or list of them, or None
        None: all files that come with the package.
    """
    given = [wanted] if isinstance(wanted, str | Path) else wanted
    if given is None:
        given = library.nist_names()
    found: list[NistProblem] = []
    for name in map(str, given):
        if Path(name).is_dir():
            files = sorted(map(str, Path(name).glob("*.dat")))
            if not files:
                raise ValueError(f"the folder {name} holds no files *.dat of NIST's")
            found += map(library.nist, files)
        else:
            found.append(library.nist(name))
    if not found:
        raise ValueError("problems is empty; name at least one")
    return [Case(problem, start) for problem in dict.fromkeys(found) for start in (0, 1)]


def find_pairs(methods):
    """(row of our method, scipy's name) for what the user named: scipy's lm where it has none of the name."""
    if methods is None:
        named = PAIRS
    else:
        names = [methods] if isinstance(methods, str) else list(methods)
        named = tuple((name, name.lower() if name.lower() in _SCIPY else "lm") for name in names)
    return [(find_squares_method(name), reference) for name, reference in dict.fromkeys(named)]


def _solvers(case, row, reference, caller):
    """(ours, scipy's): ours takes options, scipy's another function of cost and residuals that is to be called."""
    import scipy.optimize

    import numopt

    jitted, start = caller == "jitted", case.problem.starts[case.start]
    residual = case.problem.residual if jitted else case.problem.python_residual
    jacobian = case.problem.jacobian if jitted else case.problem.python_jacobian

    def ours(options=None):
        return numopt.least_squares(residual, start.copy(), jac=jacobian, method=row.name, options=options)

    def theirs(recorder=None):
        called = residual if recorder is None else lambda b: recorder(b)[1]
        return scipy.optimize.least_squares(called, start.copy(), jac=jacobian, method=reference)

    return ours, theirs


def pair(case, row, reference, caller, repeat):
    """Our method and scipy's on one case."""
    measured = measure(_solvers(case, row, reference, caller), repeat, one_thread=True)
    ours, theirs = (_outcome(case.problem, *timed) for timed in measured)
    return Run(case.name, case.n, row.name, reference, caller, ours, theirs)


def curves(case, row, reference):
    """How the cost falls with both; untimed, so that nothing need be compiled for it."""
    return traces_of(case, row.name, reference, *_solvers(case, row, reference, "python"))


def _outcome(problem, result, first, timings):
    """What is kept of a method's calls: all measured at the point that it returned."""
    if isinstance(result, Exception):
        return Outcome.raised(result, first, digits=0.0, rss_digits=0.0)
    with np.errstate(all="ignore"):
        b = np.array(result.x, dtype=float)
        r = problem.python_residual(b)
        gradient = float(np.abs(problem.python_jacobian(b).T @ r).max())
        digits = float(problem.digits(b).min())
    ((threads, seconds),) = timings.items()
    rss = float(r @ r)
    return Outcome(
        value=rss, optimality=gradient, nfev=int(result.nfev), nit=int(result.get("nit", 0)),
        seconds=statistics.median(seconds), first_call_seconds=first, repeats=len(seconds), blas_threads=threads,
        status=int(result.status), message=str(result.message), solved=digits >= SOLVED, digits=digits,
        rss_digits=float(log_relative_error(rss, problem.rss)),
    )  # fmt: skip


def run(cases, pairs, callers, repeat, traces, bar):
    """(runs, what was skipped, convergence curves) of all cases."""
    runs, found = [], []
    for case in cases:
        for row, reference in pairs:
            for caller in callers:
                bar.show(f"{case.name} · {row.name} · {caller}")
                runs.append(pair(case, row, reference, caller, repeat))
                bar.step(1)
            if traces:
                bar.show(f"{case.name} · {row.name} · its curve")
                found += curves(case, row, reference)
    return runs, [], found
