"""The tables of a comparison, for rich."""

import math

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

LOST, WON, NEITHER, SOLVED = "✗", "+", "·", ""
PROTOCOL = "Times: medians after the first call, each solver with its better of default and one BLAS thread."
BUSY = 0.15  # cores; a quiet desktop stays below
LEGEND = (
    "✗: scipy solved it, we did not; +: only we solved it; ·: neither did, at its tolerances. "
    "Speed-up: scipy's seconds over ours, where both or neither solved it and both ended at the same value."
)

DIGITS = (
    "Digits: correct ones of the worst parameter, and of the residual sum of squares (rss), by the certified values; "
    "11 are certified, 4 count as solved."
)


def mark(run):
    """The sign in the first column."""
    if run.lost:
        return LOST
    if run.scipy is None:
        return SOLVED if run.ours.solved else NEITHER
    if run.ours.solved:
        return SOLVED if run.scipy.solved else WON
    return NEITHER


def number(value, form):
    """A number, or a dash where there is none."""
    return "-" if value is None or math.isnan(value) else format(value, form)


def duration(seconds):
    """Seconds with three digits and a unit."""
    if seconds is None or math.isnan(seconds):
        return "-"
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}" if seconds * factor < 1000 else f"{seconds:.0f} s"
    return f"{seconds * 1e6:.3g} µs"


def _table(title):
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title, title_justify="left")


def run_table(runs, compact, certified=False):
    """One line for each run; with digits instead of values where answers are certified."""
    table = _table("runs")
    table.add_column("", no_wrap=True)
    table.add_column("problem", overflow="fold")
    for name in ("n", "method", *(["scipy's"] if certified else []), "caller"):
        table.add_column(name, justify="right" if name == "n" else "left", no_wrap=True)
    pairs = [("evals", "nfev"), ("time", "seconds")]
    if certified:
        pairs = [("digits", "digits"), *([] if compact else [("rss digits", "rss_digits")]), *pairs]
    elif not compact:
        pairs = [("value", "value"), ("|g|", "optimality"), *pairs]
    for title, _ in pairs:
        table.add_column(f"{title}\nours", justify="right", no_wrap=True)
        table.add_column("\nscipy", justify="right", no_wrap=True)
    table.add_column("speed-up", justify="right", no_wrap=True)
    forms = {
        "value": lambda v: number(v, ".4g"),
        "optimality": lambda v: number(v, ".1e"),
        "nfev": lambda v: number(v, "d"),
        "digits": lambda v: number(v, ".1f"),
        "rss_digits": lambda v: number(v, ".1f"),
        "seconds": duration,
    }
    for run in runs:
        cells = [
            mark(run),
            escape(run.problem),
            str(run.n),
            run.method,
            *([run.reference] if certified else []),
            run.caller,
        ]
        for _, name in pairs:
            for outcome in (run.ours, run.scipy):
                cells.append("-" if outcome is None else forms[name](getattr(outcome, name)))
        cells.append(number(run.time_ratio, ".3g"))
        style = "bold red" if run.lost else "dim" if not run.ours.solved else None
        table.add_row(*cells, style=style)
    return table


def summary_table(rows):
    """One line for each method and kind of callable."""
    table = _table("summary")
    for name in ("method", "scipy's", "caller"):
        table.add_column(name, no_wrap=True)
    table.add_column("problems", justify="right")
    table.add_column("solved\nours", justify="right")
    table.add_column("\nscipy", justify="right")
    table.add_column("speed-up\nmean", justify="right")
    table.add_column("\nleast", justify="right")
    table.add_column("\non", overflow="fold")
    table.add_column("evals\nours/scipy", justify="right")
    hessians = any(row.hessians_ratio == row.hessians_ratio for row in rows)
    if hessians:
        table.add_column("Hessians\nours/scipy", justify="right")
    certified = any(row.ours_digits is not None for row in rows)
    if certified:
        table.add_column("least digits\nours", justify="right")
        table.add_column("\nscipy", justify="right")
    for row in rows:
        table.add_row(
            row.method,
            row.reference or "-",
            row.caller,
            str(row.problems),
            number(row.ours_solved, ".0%"),
            number(row.scipy_solved, ".0%"),
            number(row.time_ratio, ".3g"),
            number(row.time_ratio_min, ".3g"),
            escape(row.time_ratio_min_problem or "-"),
            number(row.evaluations_ratio, ".2f"),
            *([number(row.hessians_ratio, ".2f")] if hessians else []),
            *([number(row.ours_digits, ".1f"), number(row.scipy_digits, ".1f")] if certified else []),
            style="red" if row.lost else None,
        )
    return table


def render(comparison, compact):
    """Runs, legend, what was skipped, summary."""
    certified = comparison.certified
    parts = [run_table(comparison.ordered(), compact, certified), Text(LEGEND, style="dim")]
    parts += [Text(line, style="dim") for line in ([DIGITS] if certified else []) + [PROTOCOL]]
    parts += [Text(f"skipped: {line}", style="yellow") for line in comparison.skipped]
    lost = comparison.lost
    if lost:
        where = ", ".join(f"{run.problem} ({run.method}, {run.caller})" for run in lost)
        parts.append(Text(f"Ours failed where scipy's succeeded: {where}", style="bold red"))
    others = comparison.settings.get("other_processes")
    if others is not None and others > BUSY:
        text = f"Other processes kept {others:.1f} cores busy meanwhile: don't trust the times and speed-ups."
        parts.append(Text(text, style="bold yellow"))
    return Group(*parts, Text(), summary_table(comparison.summary()))
