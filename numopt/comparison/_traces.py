"""Traces: how the value fell in a run, over the evaluations; taken in runs of their own, which are not timed."""

import warnings
from dataclasses import dataclass

import numpy as np

_MOST_POINTS = 200  # of a curve: more can't be told apart in a picture


@dataclass(frozen=True)
class Trace:
    """The least value after so many evaluations, of one solver on one problem.

    Attributes
    ----------
    problem : str
    method : str
        Our name of the method.
    solver : str
        Who ran: ``'numopt bfgs'``, ``'scipy BFGS'``.
    side : str
        ``'ours'`` or ``'scipy'``.
    minimum : float or None
        The least known value of the problem.
    evaluations : list of int
    values : list of float
        The least value so far.
    """

    problem: str
    method: str
    solver: str
    side: str
    minimum: float | None
    evaluations: list[int]
    values: list[float]


def solver_names(method, reference):
    """What our solver and scipy's are called in pictures."""
    return f"numopt {method}", None if reference is None else f"scipy {reference}"


def traces_of(problem, method, reference, ours, scipys):
    """The traces of both sides.

    Parameters
    ----------
    problem : TestProblem
    method : str
    reference : str or None
    ours : callable
        Runs our solver with the options it is given.
    scipys : callable
        Runs scipy's solver with the function it is given.

    Returns
    -------
    list of Trace
        Without those of solvers that raised, or never saw a finite value.
    """
    names = solver_names(method, reference)
    least = min(problem.minima) if problem.minima else None
    found = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for side, name, record in (("ours", names[0], _from_history), ("scipy", names[1], _from_calls)):
            if name is None:
                continue
            try:
                counts, values = record(problem, ours if side == "ours" else scipys)
            except Exception:  # the table of runs tells of it
                continue
            counts, values = thinned(*least_so_far(counts, values))
            if counts:
                found.append(Trace(problem.name, method, name, side, least, counts, values))
    return found


def _from_history(problem, run):
    table = run({"history": True}).history
    return table["nfev"], table["f"]


def _from_calls(problem, run):
    values = []

    def recorded(x):
        f, g = problem.fun_and_grad(np.array(x, dtype=float))
        values.append(float(f))
        return f, g

    run(recorded)
    return np.arange(1, len(values) + 1), np.array(values)


def least_so_far(counts, values):
    """The counts and values where the least value so far is finite."""
    counts, values = np.asarray(counts), np.asarray(values, dtype=float)
    least = np.fmin.accumulate(np.where(np.isfinite(values), values, np.inf)) if values.size else values
    fine = np.isfinite(least)
    return counts[fine], least[fine]


def thinned(counts, values):
    """Plain lists with 200 points at most, closer together at the beginning; first and last are kept."""
    size = len(counts)
    if size > _MOST_POINTS:
        chosen = np.unique(np.geomspace(1, size, _MOST_POINTS).astype(int)) - 1
        counts, values = counts[chosen], values[chosen]
    return [int(k) for k in counts], [float(v) for v in values]
