"""A fit in words: text, HTML, plain numbers."""

import json
from html import escape

import numpy as np

_STYLE = """
* { box-sizing: border-box; }
html { color-scheme: light dark; }
body { margin: 0 auto; max-width: 960px; padding: 20px 16px; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { margin: 0; font-size: 1.5rem; overflow-wrap: anywhere; }
h2 { margin: 1.75rem 0 .5rem; font-size: 1.15rem; }
p { margin: .25rem 0; color: var(--soft); overflow-wrap: anywhere; }
p.alert { border-left: 4px solid var(--lost); background: var(--lost-band); color: var(--ink); padding: 8px 12px; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px; border-bottom: 1px solid var(--grid); white-space: nowrap; text-align: right; }
thead th { background: var(--band); }
th:first-child, .noted th:last-child, .noted td:last-child { text-align: left; }
.noted td:last-child { white-space: normal; min-width: 12rem; }
figure { margin: 1rem 0; max-width: 720px; }
figure svg { display: block; width: 100%; height: auto; font-family: inherit; }
"""

_NOT_CONVERGED = "Not converged: values and errors are those of the best point so far."


def parameter_rows(fit, level, method):
    """One dict for each parameter: name, value, stderr, lower, upper (of its interval), note."""
    found = []
    for j, (name, interval) in enumerate(fit.confidence_intervals(level, method).items()):
        error, note = float(fit.stderr[j]), interval.note
        if name in fit.tied:
            note = f"tied: {fit.tied[name]}"
        elif np.isinf(error):
            note = note or "the data don't determine it"
        found.append(
            {"name": name, "value": float(fit.popt[j]), "stderr": error, "lower": interval[0], "upper": interval[1],
             "note": note}
        )  # fmt: skip
    return found


def statistics(fit):
    """Name -> number."""
    found = {"observations": fit.y.size, "estimated parameters": fit.n_estimated, "degrees of freedom": fit.dof}
    counts = fit.likelihood == "poisson"
    if counts:
        found["deviance"] = 2.0 * float(fit.cost)
    elif fit.loss != "linear":
        found["cost, with the loss"] = float(fit.cost)
    found |= {
        "Pearson's chi-square" if counts else "chi-square": fit.chisqr,
        "reduced chi-square": fit.redchi, "R2": fit.r2, "adjusted R2": fit.r2_adjusted,
        "log-likelihood": fit.log_likelihood, "AIC": fit.aic, "AICc": fit.aicc, "BIC": fit.bic,
    }  # fmt: skip
    return found


def correlations(fit, least):
    """(name, name, correlation) of at least that size, the largest first."""
    c = fit.correlation
    pairs = [(float(c[i, j]), i, j) for i in range(len(c)) for j in range(i) if abs(c[i, j]) >= least]
    return [(fit.names[j], fit.names[i], value) for value, i, j in sorted(pairs, key=lambda pair: -abs(pair[0]))]


def run_lines(fit):
    """How it was fitted, and how that ended."""
    loss = "" if isinstance(fit.loss, str) and fit.loss == "linear" else f", loss {_loss(fit)}, f_scale {fit.f_scale:g}"
    if fit.likelihood == "poisson":
        noise = "counts, Poisson likelihood"
    elif fit.absolute_sigma:
        noise = "sigma as it stands" if fit.sigma is not None else "sigma = 1 as it stands"
    else:
        noise = (
            "sigma up to a factor" if fit.sigma is not None else "sigma unknown"
        ) + ", estimated from the residuals"
    found = [
        f"method {fit.method}{loss}; {noise}",
        f"{fit.message} {fit.nfev} evaluations, {fit.njev} Jacobians, {fit.nit} iterations",
    ]
    if fit.multipliers:
        found.append(f"constraints: {fit.n_active} at a limit, largest violation {fit.constr_violation:.2g}")
    return found


def _loss(fit):
    return fit.loss if isinstance(fit.loss, str) else getattr(fit.loss, "__name__", "of one's own")


def _number(value, form):
    """A number, or a dash where there is none."""
    return "-" if np.isnan(value) else format(value, form)


def _relative(row):
    if row["value"] == 0.0 or not np.isfinite(row["stderr"]) or row["stderr"] == 0.0:
        return "-"
    return f"{100.0 * row['stderr'] / abs(row['value']):.3g} %"


def _cells(row):
    held = row["note"] == "fixed"
    ends = "" if held or np.isnan(row["lower"]) else f"[{row['lower']:.6g}, {row['upper']:.6g}]"
    error = "" if held else _number(row["stderr"], ".4g")
    return [row["name"], f"{row['value']:.7g}", error, "" if held else _relative(row), ends or "-", row["note"]]


def _statistic(value):
    return str(value) if isinstance(value, int) else _number(value, ".6g")


def text(fit, level, method, least):
    """The report for a terminal."""
    lines = [fit.model_name, *run_lines(fit)]
    if not fit.success:
        lines.append(_NOT_CONVERGED)
    table = _parameters(fit, level, method)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines.append("")
    for first, *rest in table:
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(rest[:4], widths[1:], strict=False)),
        ]
        lines.append("  ".join(cells + rest[4:]).rstrip())
    lines.append("")
    found = statistics(fit)
    width = max(map(len, found))
    lines += [f"{name:<{width}}  {_statistic(value)}" for name, value in found.items()]
    pairs = correlations(fit, least)
    if pairs:
        lines += ["", f"correlations of at least {least:g}"]
        names = [f"{a}, {b}" for a, b, _ in pairs]
        width = max(map(len, names))
        lines += [f"{name:<{width}}  {value:+.4f}" for name, (_, _, value) in zip(names, pairs, strict=True)]
    return "\n".join(lines)


def _table(head, rows, kind=""):
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    table = f"<table{kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _parameters(fit, level, method):
    """The table of parameters, its heading first; without the last column where there is nothing to note."""
    word = {"wald": "Wald", "profile": "profile"}[method]
    head = ["parameter", "value", "std. error", "relative", f"{100 * level:g} % interval ({word})", "note"]
    table = [head, *(_cells(row) for row in parameter_rows(fit, level, method))]
    return table if any(row[-1] for row in table[1:]) else [row[:-1] for row in table]


def fragment(fit, level, method, picture="", heading="h3"):
    """The report as a piece of HTML: for notebooks, and for the page."""
    parts = [f"<p>{escape(line)}</p>" for line in run_lines(fit)]
    if not fit.success:
        parts.append(f'<p class="alert"><strong>{_NOT_CONVERGED}</strong></p>')
    head, *rows = _parameters(fit, level, method)
    parts += [_table(head, rows, f' class="{"noted" if head[-1] == "note" else "plain"}"'), picture]
    parts.append(f"<{heading}>Statistics</{heading}>")
    parts.append(_table(["statistic", "value"], [[name, _statistic(v)] for name, v in statistics(fit).items()]))
    pairs = correlations(fit, 0.1)
    if pairs:
        parts.append(f"<{heading}>Correlations of at least 0.1</{heading}>")
        parts.append(_table(["parameters", "correlation"], [[f"{a}, {b}", f"{value:+.4f}"] for a, b, value in pairs]))
    return "\n".join(parts)


def notebook(fit):
    """The report as a notebook shows it."""
    return f"<div><h3>{escape(fit.model_name)}</h3>{fragment(fit, 0.95, 'wald', heading='h4')}</div>"


def page(fit, level, method):
    """A whole page."""
    from numopt.plot._svg import palette

    name = escape(fit.model_name)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{name}</title>
<style>{palette()}{_STYLE}</style>
</head>
<body>
<h1>{name}</h1>
{fragment(fit, level, method, _picture(fit, level), "h2")}
</body>
</html>
"""


def _picture(fit, level):
    from numopt.plot import _canvas, _fit, _svg

    try:
        _canvas.require()
    except ImportError as error:
        return f"<p>No picture: {escape(str(error))}</p>"
    words = f"{fit.model_name}: data, fit and bands above, residuals below"
    return f"<figure>{_svg.inline_svg(lambda: _fit.figure(fit, level), 'fit', words)}</figure>"


def numbers(fit):
    """The numbers as plain values."""
    rows = []
    for j, row in enumerate(parameter_rows(fit, 0.95, "wald")):
        bounds = {"lower_bound": float(fit.lower[j]), "upper_bound": float(fit.upper[j])}
        held = {"fixed": bool(fit.fixed[j]), "tied": fit.tied.get(row["name"]), "at_bound": fit.at_bound(j) or None}
        rows.append({"name": row["name"], "value": row["value"], "stderr": row["stderr"], **bounds, **held})
    kept = {name.replace(" ", "_").replace("'", "").replace(",", ""): v for name, v in statistics(fit).items()}
    return {
        "model": fit.model_name, "method": fit.method, "likelihood": fit.likelihood, "loss": _loss(fit),
        "f_scale": float(fit.f_scale), "absolute_sigma": bool(fit.absolute_sigma), "parameters": rows,
        "covariance": np.asarray(fit.pcov, float).tolist(), "correlation": fit.correlation.tolist(),
        "cost": float(fit.cost), "statistics": kept, "nfev": int(fit.nfev), "njev": int(fit.njev), "nit": int(fit.nit),
        "status": int(fit.status), "message": str(fit.message), "success": bool(fit.success),
    }  # fmt: skip


def json_text(fit, indent):
    """The same as JSON."""

    def finite(value):
        if isinstance(value, dict):
            return {key: finite(v) for key, v in value.items()}
        if isinstance(value, list):
            return [finite(v) for v in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return json.dumps(finite(numbers(fit)), indent=indent, allow_nan=False)
