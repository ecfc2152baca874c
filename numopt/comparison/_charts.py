"""The charts of a comparison: the same for the page and for PNG files."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numopt.comparison._traces import solver_names
from numopt.plot import _canvas as canvas
from numopt.plot import data_profile, performance_profile
from numopt.plot._convergence import draw, spread_out

_SIZE = (4.3, 3.6)  # inches; on a phone a chart of this width keeps its size, and text of 9 points is readable

_LEGEND_ROW = 0.19  # inches


@dataclass(frozen=True)
class Chart:
    """One chart: ``figure()`` draws it.

    Attributes
    ----------
    key : str
        Its name in files and anchors.
    kind : str
        ``'profile'`` or ``'convergence'``.
    title : str
    caption : str
        What it shows, in a sentence.
    figure : callable
        Makes the figure.
    """

    key: str
    kind: str
    title: str
    caption: str
    figure: Callable[[], Any]


def charts(comparison):
    """All charts that a comparison has the data for.

    Returns
    -------
    list of Chart
    """
    found, methods = [], methods_of(comparison)
    for caller in dict.fromkeys(run.caller for run in comparison.runs):
        for quantity, title in (("seconds", "Time"), ("nfev", "Evaluations")):
            table = Table(comparison.runs, caller, quantity, methods)
            if table.solved_any:
                word = {"seconds": "time", "nfev": "evaluations"}[quantity]
                caption = f"Share of the {len(table.problems)} problems solved within a multiple of the least {word}."
                key = f"performance-{word}-{caller}"
                found.append(Chart(key, "profile", f"{title}, {caller} functions", caption, table.performance))
                if quantity == "nfev":
                    units = "n\u00a0+\u00a01 evaluations"
                    caption = f"Share of the {len(table.problems)} problems solved within a multiple of {units}."
                    title = f"Data profile, {caller} functions"
                    found.append(Chart(f"data-{caller}", "profile", title, caption, table.data))
    by_problem: dict[str, list] = {}
    for trace in comparison.traces:
        by_problem.setdefault(trace.problem, []).append(trace)
    for problem, traces in by_problem.items():
        found.append(_convergence_chart(problem, traces, methods))
    return found


def write_charts(comparison, folder):
    """Write every chart as a PNG file; the paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for chart in charts(comparison):
        path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', chart.key)}.png"
        figure = chart.figure()
        figure.suptitle(chart.title, fontsize="medium")
        figure.savefig(path, dpi=160, facecolor="white")
        paths.append(path)
    return paths


def methods_of(comparison):
    """Our methods in the order they were asked for: a method has the same colour in all charts."""
    names = [*comparison.settings.get("methods", ()), *(each.method for each in [*comparison.runs, *comparison.traces])]
    return list(dict.fromkeys(names))


class Table:
    """Costs of all solvers on all problems with one kind of callable; a solver that didn't run has not solved.

    Attributes
    ----------
    problems, solvers : list of str
    costs : ndarray, shape (problems, solvers)
        inf where the problem was not solved.
    dimensions : ndarray, shape (problems,)
    """

    def __init__(self, runs, caller, quantity, methods):
        runs = sorted((run for run in runs if run.caller == caller), key=lambda run: methods.index(run.method))
        dimensions, cells, styles = {}, {}, {}
        for run in runs:
            dimensions[run.problem] = run.n
            names = solver_names(run.method, run.reference)
            for name, outcome, side in zip(names, (run.ours, run.scipy), ("ours", "scipy"), strict=True):
                # two methods of ours may share one of scipy's: its first run counts
                if outcome is not None and (run.problem, name) not in cells:
                    cost = getattr(outcome, quantity) if outcome.solved else math.inf
                    cells[run.problem, name] = cost if cost > 0 else math.inf
                    styles.setdefault(name, _style(methods.index(run.method), side))
        self.problems, self.solvers, self.styles = list(dimensions), list(styles), list(styles.values())
        self.dimensions = np.array(list(dimensions.values()))
        self.costs = np.array([[cells.get((p, s), math.inf) for s in self.solvers] for p in self.problems], dtype=float)

    @property
    def solved_any(self):
        """Whether there is anything to draw."""
        return self.costs.size > 0 and bool(np.isfinite(self.costs).any())

    def performance(self):
        """The performance profile."""
        figure, ax = _figure()
        performance_profile(self.costs, labels=self.solvers, ax=ax)
        return _finish(figure, ax, self.styles)

    def data(self):
        """The data profile."""
        figure, ax = _figure()
        data_profile(self.costs, self.dimensions, labels=self.solvers, ax=ax)
        return _finish(figure, ax, self.styles)


def _convergence_chart(problem, traces, methods):
    # two methods of ours may share one of scipy's
    first: dict[str, Any] = {}
    for trace in traces:
        first.setdefault(trace.solver, trace)
    traces = list(first.values())
    certified = traces[0].minimum
    least = min([*([] if certified is None else [certified]), *(trace.values[-1] for trace in traces)])

    sure = certified is not None and math.isclose(least, certified, rel_tol=1e-9, abs_tol=1e-12)

    def make():
        from matplotlib.ticker import MaxNLocator

        figure, ax = _figure()
        curves = [(np.array(trace.evaluations), np.array(trace.values) - least) for trace in traces]
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        draw(ax, curves, [trace.solver for trace in traces], log=True)
        spread_out(ax, curves)
        # a value of 1e-30 would press all that matters against the upper end
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, 1e-18 * min(high, 1.0)), high)
        ax.set(xlabel="evaluations", ylabel="f above the minimum")
        return _finish(figure, ax, [_style(methods.index(trace.method), trace.side) for trace in traces])

    caption = f"Above {least:.6g}, " + ("the certified minimum." if sure else "the least value found.")
    return Chart(f"convergence-{problem}", "convergence", problem, caption, make)


# thin for ours, broad for scipy's; a new kind where the colours begin again
_THIN = ("-", (0, (8, 2, 1.5, 2)), (0, (10, 3)), (0, (1.5, 1.5)))
_BROAD = ((0, (2.2, 1.2)), (0, (0.8, 0.8)), (0, (4, 1, 1, 1)), (0, (6, 2)))


def _style(pair, side):
    """One colour for a method of ours and scipy's that it is compared with."""
    again, k = divmod(pair, len(canvas.COLOURS))
    style = {"color": canvas.COLOURS[k], "marker": ""}
    if side == "ours":
        return {**style, "linestyle": _THIN[again % len(_THIN)], "linewidth": 1.4}
    # below ours: broad dashes still show where the two are equal
    return {**style, "linestyle": _BROAD[again % len(_BROAD)], "linewidth": 2.8, "zorder": 1.9}


def _figure():
    """A figure that pyplot doesn't know of."""
    canvas.require()
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    return figure, figure.subplots()


def _finish(figure, ax, styles):
    """Our colours, small text, and the legend below, where it hides no curve."""
    for line, style in zip(ax.lines, styles, strict=True):
        line.set(**style)
    ax.get_legend().remove()
    # the legend has a place of its own, however many solvers there are
    figure.set_figheight(_SIZE[1] + _LEGEND_ROW * max(0, math.ceil(len(styles) / 2) - 3))
    ax.tick_params(labelsize=9)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(10)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    return figure
