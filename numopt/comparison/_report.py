"""What a comparison found: rows, their summary, and the ways to write them down."""

import csv
import io
import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from numopt.comparison._traces import Trace

_SAME_VALUE = 1e-6  # relative; where neither reached the certified value, the same place all the same


@dataclass(frozen=True)
class Outcome:
    """What one solver did with one problem.

    Attributes
    ----------
    value : float
        The objective at the returned x.
    optimality : float
        The inf-norm of the gradient, computed anew at the returned x.
    nfev, nit : int
        Evaluations of the objective, and iterations.
    seconds : float
        The median time of a call, the first call left out, with the better of two settings of BLAS.
    first_call_seconds : float
        The time of the first call, with whatever had to be compiled for it.
    repeats : int
        How many calls the median is over.
    blas_threads : int
        With how many BLAS threads that time was reached; 0 if unknown.
    status : int
        The solver's own.
    message : str
        The same in words; if the solver raised, the exception.
    solved : bool
        Whether the returned x is a minimum: its value is a certified one, or its gradient vanishes.
    nhev : int
        Evaluations of the Hessian, as the solver counts them.
    digits, rss_digits : float or None
        Correct digits of the worst parameter, and of the residual sum of squares, where they are certified: -log10 of
        the relative error, 0 to 11.
    """

    value: float
    optimality: float
    nfev: int
    nit: int
    seconds: float
    first_call_seconds: float
    repeats: int
    blas_threads: int
    status: int
    message: str
    solved: bool
    nhev: int = 0
    digits: float | None = None
    rss_digits: float | None = None

    @classmethod
    def raised(cls, error, seconds, **more):
        """What is kept of a solver that raised."""
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        return cls(math.nan, math.nan, 0, 0, seconds, seconds, 1, 0, -1, text, False, **more)


@dataclass(frozen=True)
class Run:
    """One problem, one method, one kind of callable: our solver and scipy's.

    Attributes
    ----------
    problem : str
    n : int
        The number of variables.
    method : str
        Our name of the method.
    reference : str or None
        The method of ``scipy.optimize.minimize`` it is compared with; None if scipy has none of its kind.
    caller : str
        ``'jitted'`` or ``'python'``: what kind of callable both solvers were given.
    ours : Outcome
    scipy : Outcome or None
    """

    problem: str
    n: int
    method: str
    reference: str | None
    caller: str
    ours: Outcome
    scipy: Outcome | None

    @property
    def lost(self):
        """Whether scipy's solver succeeded where ours failed."""
        return self.scipy is not None and self.scipy.solved and not self.ours.solved

    @property
    def comparable(self):
        """Whether times and counts compare: both solved the problem, or neither, and both ended at the same value."""
        if self.scipy is None or self.scipy.solved != self.ours.solved:
            return False
        return self.ours.solved or math.isclose(self.ours.value, self.scipy.value, rel_tol=_SAME_VALUE)

    @property
    def time_ratio(self):
        """scipy's seconds over ours; NaN unless comparable."""
        return self.scipy.seconds / self.ours.seconds if self.comparable else math.nan

    @property
    def evaluations_ratio(self):
        """Our evaluations over scipy's; NaN unless comparable."""
        return self.ours.nfev / self.scipy.nfev if self.comparable else math.nan

    @property
    def hessians_ratio(self):
        """Our evaluations of the Hessian over scipy's; NaN unless comparable, or where one side made none."""
        counted = self.comparable and self.ours.nhev > 0 and self.scipy.nhev > 0
        return self.ours.nhev / self.scipy.nhev if counted else math.nan

    def flat(self):
        """One dict of plain values, the fields of the outcomes prefixed ``ours_`` and ``scipy_``."""
        row: dict[str, Any] = {name: getattr(self, name) for name in _KEYS}
        for side in ("ours", "scipy"):
            outcome = getattr(self, side)
            for name in _OUTCOME:
                row[f"{side}_{name}"] = None if outcome is None else getattr(outcome, name)
        row.update(lost=self.lost, time_ratio=self.time_ratio, evaluations_ratio=self.evaluations_ratio)
        return {key: _finite(value) for key, value in row.items()}

    @classmethod
    def from_flat(cls, row):
        """The inverse of :meth:`flat`."""
        sides = {}
        for side in ("ours", "scipy"):
            values = {name: row[f"{side}_{name}"] for name in _OUTCOME}
            if values["solved"] is None:
                sides[side] = None
                continue
            for name in ("value", "optimality", "seconds", "first_call_seconds"):
                values[name] = math.nan if values[name] is None else values[name]
            sides[side] = Outcome(**values)
        return cls(**{name: row[name] for name in _KEYS}, **sides)


_KEYS = ("problem", "n", "method", "reference", "caller")
_OUTCOME = tuple(f.name for f in fields(Outcome))
COLUMNS = (
    *_KEYS,
    *(f"{side}_{name}" for side in ("ours", "scipy") for name in _OUTCOME),
    "lost",
    "time_ratio",
    "evaluations_ratio",
)


@dataclass(frozen=True)
class Summary:
    """What the runs of one method with one kind of callable come to.

    Attributes
    ----------
    method, reference, caller : str
    problems : int
        How many problems there were.
    lost : int
        On how many of them scipy's solver succeeded and ours failed.
    ours_solved, scipy_solved : float
        The shares solved.
    time_ratio : float
        The geometric mean of scipy's seconds over ours, where they are comparable.
    time_ratio_min : float
        The least of these ratios.
    time_ratio_min_problem : str or None
        Where it occurred.
    evaluations_ratio : float
        The geometric mean of our evaluations over scipy's, where they are comparable.
    hessians_ratio : float
        The same of Hessians; NaN where none were evaluated.
    ours_digits, scipy_digits : float or None
        The least correct digits of all problems, where they are certified.
    """

    method: str
    reference: str | None
    caller: str
    problems: int
    lost: int
    ours_solved: float
    scipy_solved: float
    time_ratio: float
    time_ratio_min: float
    time_ratio_min_problem: str | None
    evaluations_ratio: float
    hessians_ratio: float
    ours_digits: float | None = None
    scipy_digits: float | None = None


def geometric_mean(values):
    """The geometric mean of positive numbers; NaN of none."""
    logs = [math.log(v) for v in values if v > 0]
    return math.exp(math.fsum(logs) / len(logs)) if logs else math.nan


@dataclass
class Comparison:
    """The result of :func:`numopt.compare`.

    Attributes
    ----------
    runs : list of Run
        In the order they were made.
    settings : dict
        What was asked for, and on which versions and machine.
    skipped : list of str
        What was left out, and why.
    traces : list of Trace
        How the values fell, if that was asked for.
    """

    runs: list[Run]
    settings: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)

    @property
    def certified(self):
        """Whether the correct digits of answers are known."""
        return any(run.ours.digits is not None for run in self.runs)

    @property
    def lost(self):
        """The runs where scipy's solver succeeded and ours failed."""
        return [run for run in self.runs if run.lost]

    def ordered(self):
        """The runs with those that we lost first, otherwise in the order they were made."""
        return sorted(self.runs, key=lambda run: not run.lost)

    def summary(self):
        """One :class:`Summary` for each method and kind of callable, in the order they occur.

        Returns
        -------
        list of Summary
        """
        groups: dict[tuple, list[Run]] = {}
        for run in self.runs:
            groups.setdefault((run.caller, run.method, run.reference), []).append(run)
        found = []
        for (caller, method, reference), runs in groups.items():
            both = [run for run in runs if run.comparable]
            least = min(both, key=lambda run: run.time_ratio, default=None)
            scipys = [run.scipy.solved for run in runs if run.scipy is not None]
            found.append(
                Summary(
                    method=method,
                    reference=reference,
                    caller=caller,
                    problems=len(runs),
                    lost=sum(run.lost for run in runs),
                    ours_solved=sum(run.ours.solved for run in runs) / len(runs),
                    scipy_solved=sum(scipys) / len(scipys) if scipys else math.nan,
                    time_ratio=geometric_mean(run.time_ratio for run in both),
                    time_ratio_min=least.time_ratio if least else math.nan,
                    time_ratio_min_problem=least.problem if least else None,
                    evaluations_ratio=geometric_mean(run.evaluations_ratio for run in both),
                    hessians_ratio=geometric_mean(run.hessians_ratio for run in both),
                    ours_digits=_least_digits(run.ours for run in runs),
                    scipy_digits=_least_digits(run.scipy for run in runs),
                )
            )
        return found

    def to_json(self, indent=2):
        """JSON text with ``settings``, ``summary``, ``runs``, ``skipped``, ``traces`` if any; NaN and inf are null."""
        summary = [{k: _finite(v) for k, v in asdict(row).items()} for row in self.summary()]
        whole = {
            "settings": self.settings,
            "summary": summary,
            "runs": [run.flat() for run in self.ordered()],
            "skipped": self.skipped,
        }
        if self.traces:
            whole["traces"] = [asdict(trace) for trace in self.traces]
        return json.dumps(whole, indent=indent, allow_nan=False)

    @classmethod
    def from_json(cls, text):
        """The comparison that :meth:`to_json` wrote down."""
        whole = json.loads(text)
        runs, traces = [Run.from_flat(row) for row in whole["runs"]], [Trace(**row) for row in whole.get("traces", [])]
        return cls(runs, whole["settings"], whole["skipped"], traces)

    def to_csv(self):
        """The runs as CSV text, one line each, with a header."""
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(run.flat() for run in self.ordered())
        return out.getvalue()

    def to_html(self):
        """One self-contained page: tables to sort, profiles and convergence curves.

        Returns
        -------
        str

        Raises
        ------
        ImportError
            If matplotlib or Jinja2 is missing: ``pip install numopt-jit[plot]``.
        """
        from numopt.comparison._page import render_page

        return render_page(self)

    def save_plots(self, folder):
        """Write the profiles, and the convergence curves if there are traces, as PNG files.

        Parameters
        ----------
        folder : str or path-like
            Made if it isn't there.

        Returns
        -------
        list of Path
        """
        from numopt.comparison._charts import write_charts

        return write_charts(self, folder)

    def table(self, compact=False):
        """The comparison for the screen.

        Parameters
        ----------
        compact : bool, optional
            Leave out values and gradient norms, for narrow screens.

        Returns
        -------
        rich renderable
        """
        from numopt.comparison._tables import render

        return render(self, compact)

    def __str__(self):
        from rich.console import Console

        out = io.StringIO()
        Console(file=out, width=140, color_system=None).print(self.table())
        return out.getvalue().rstrip("\n")


def _least_digits(outcomes):
    """The least digits, None where none are known."""
    return min((each.digits for each in outcomes if each is not None and each.digits is not None), default=None)


def _finite(value):
    """``value``, or None where JSON has no number for it."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
