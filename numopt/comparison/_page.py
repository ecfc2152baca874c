"""The comparison as one HTML page that needs nothing else: no network, no other file."""

import math
from dataclasses import dataclass
from pathlib import Path

from numopt.comparison import _tables as tables

MISSING = "the HTML page needs matplotlib and Jinja2: pip install numopt-jit[plot]"
_FOLDER = Path(__file__).parent / "page"


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, what it means, and whether it holds numbers."""

    heading: str
    hint: str
    number: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and the number or text that it is sorted by ('' goes last)."""

    text: str
    key: str


def require():
    """ImportError in one line unless matplotlib and Jinja2 are there."""
    try:
        import jinja2
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(MISSING) from None
    return jinja2


def render_page(comparison):
    """The page.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    jinja2 = require()
    from numopt.comparison._charts import charts
    from numopt.plot._svg import inline_svg, palette

    drawn: dict[str, list] = {"profile": [], "convergence": []}
    for k, chart in enumerate(charts(comparison)):
        # matplotlib's text is escaped by its XML writer; the template takes it as it is
        svg = inline_svg(chart.figure, f"chart{k}", f"{chart.title}. {chart.caption}")
        drawn[chart.kind].append({"key": chart.key, "title": chart.title, "caption": chart.caption, "svg": svg})
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    others, certified = comparison.settings.get("other_processes"), comparison.certified
    return environment.get_template("page.html").render(
        palette=palette(),
        settings=_settings(comparison.settings),
        subtitle=_subtitle(comparison),
        lost=comparison.lost,
        skipped=comparison.skipped,
        busy=others if others is not None and others > tables.BUSY else None,
        summary_columns=(*SUMMARY, *LEAST_DIGITS) if certified else SUMMARY,
        summary_rows=[_summary_row(row, certified) for row in comparison.summary()],
        run_columns=(*RUNS[:4], RUNS_SCIPY, *RUNS[4:10], *DIGITS, *RUNS[14:]) if certified else RUNS,
        run_rows=[_run_row(run, certified) for run in comparison.ordered()],
        profiles=drawn["profile"],
        convergence=drawn["convergence"],
        legend=f"{tables.LEGEND} {tables.DIGITS}" if certified else tables.LEGEND,
        protocol=tables.PROTOCOL,
    )


SUMMARY = (
    Column("method", "numopt's name of the method", False),
    Column("scipy's", "the method of scipy.optimize.minimize it is compared with", False),
    Column("functions", "what kind of function both were given", False),
    Column("problems", "how many there were"),
    Column("solved, ours", "share of the problems solved"),
    Column("solved, scipy", "share of the problems solved"),
    Column("speed-up", "geometric mean of scipy's seconds over ours"),
    Column("least", "the least speed-up"),
    Column("on", "where it occurred", False),
    Column("evals, ours/scipy", "geometric mean of our evaluations over scipy's"),
    Column("Hessians, ours/scipy", "geometric mean of our evaluations of the Hessian over scipy's"),
)
RUNS = (
    Column("problem", "its name", False),
    Column("result", "who solved it", False),
    Column("n", "number of variables"),
    Column("method", "numopt's name of the method", False),
    Column("functions", "what kind of function both were given", False),
    Column("time, ours", "median of the calls after the first"),
    Column("time, scipy", "median of the calls after the first"),
    Column("speed-up", "scipy's seconds over ours"),
    Column("evals, ours", "evaluations of the objective"),
    Column("evals, scipy", "evaluations of the objective"),
    Column("value, ours", "the objective at the returned point"),
    Column("value, scipy", "the objective at the returned point"),
    Column("|g|, ours", "the largest component of the gradient there"),
    Column("|g|, scipy", "the largest component of the gradient there"),
    Column("first call", "our first call, with what had to be compiled for it"),
    Column("message, ours", "why our solver ended", False),
    Column("message, scipy", "why scipy's solver ended", False),
)
# where answers are certified: instead of values and gradients
DIGITS = (
    Column("digits, ours", "correct digits of the worst parameter"),
    Column("digits, scipy", "correct digits of the worst parameter"),
    Column("rss digits, ours", "correct digits of the residual sum of squares"),
    Column("rss digits, scipy", "correct digits of the residual sum of squares"),
)
LEAST_DIGITS = (
    Column("least digits, ours", "the fewest correct digits of all problems"),
    Column("least digits, scipy", "the fewest correct digits of all problems"),
)
RUNS_SCIPY = Column("scipy's", "the method of scipy it is compared with", False)


def _number(value, form):
    return Cell(tables.number(value, form), _key(value))


def _seconds(value):
    return Cell(tables.duration(value), _key(value))


def _text(value):
    return Cell(value or "-", value or "")


def _key(value):
    return repr(float(value)) if value is not None and math.isfinite(value) else ""


def _result(run):
    """Who solved it, in words: a colour or a sign alone doesn't tell everyone."""
    if run.scipy is None:
        return "solved" if run.ours.solved else "· not solved"
    words = {tables.LOST: "✗ scipy only", tables.WON: "+ ours only", tables.NEITHER: "· neither"}
    return words.get(tables.mark(run), "both")


def _summary_row(row, certified=False):
    cells = [
        _text(row.method), _text(row.reference), _text(row.caller), _number(row.problems, "d"),
        _number(row.ours_solved, ".0%"), _number(row.scipy_solved, ".0%"), _number(row.time_ratio, ".3g"),
        _number(row.time_ratio_min, ".3g"), _text(row.time_ratio_min_problem), _number(row.evaluations_ratio, ".2f"),
        _number(row.hessians_ratio, ".2f"),
    ]  # fmt: skip
    if certified:
        cells += [_number(row.ours_digits, ".1f"), _number(row.scipy_digits, ".1f")]
    return {"cells": cells, "lost": row.lost > 0, "dim": False}


def _run_row(run, certified=False):
    cells = [_text(run.problem), _text(_result(run)), _number(run.n, "d"), _text(run.method)]
    cells += [*([_text(run.reference)] if certified else []), _text(run.caller)]
    quality = (("digits", ".1f"), ("rss_digits", ".1f")) if certified else (("value", ".4g"), ("optimality", ".1e"))
    for name, make in (
        ("seconds", _seconds),
        ("nfev", lambda v: _number(v, "d")),
        *((name, lambda v, form=form: _number(v, form)) for name, form in quality),
    ):
        cells += [Cell("-", "") if side is None else make(getattr(side, name)) for side in (run.ours, run.scipy)]
        if name == "seconds":
            cells.append(_number(run.time_ratio, ".3g"))
    cells += [_seconds(run.ours.first_call_seconds), _text(run.ours.message)]
    cells.append(_text(run.scipy.message if run.scipy is not None else None))
    return {"cells": cells, "lost": run.lost, "dim": not run.ours.solved}


def _subtitle(comparison):
    """What was run, in a line."""
    problems = len({run.problem for run in comparison.runs})
    pairs = dict.fromkeys((run.method, run.reference) for run in comparison.runs)
    words = [method if name is None else f"{method} against scipy's {name}" for method, name in pairs]
    return f"{problems} problem{'s' * (problems != 1)}: " + (", ".join(words) or "nothing was run")


def _settings(settings):
    """(name, text) of what the figures depend on."""
    rows = []
    for name, value in settings.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {text}" for key, text in value.items())
        elif isinstance(value, (list, tuple)):
            value = ", ".join(map(str, value))
        if value is not None:
            rows.append((name.replace("_", " "), str(value)))
    return rows
