"""Results of problems with constraints, in words."""

import numpy as np

from numopt.kernels import slots as s
from numopt.result import OptimizeResult

_NEAR = 1e-6  # of its limit, relative to max(1, its size): a row is called active


class ConstrainedResult(OptimizeResult):
    """The result of a problem with constraints: an :class:`OptimizeResult` with a report.

    Examples
    --------
    >>> import numopt
    >>> result = numopt.minimize(lambda x: x[0]**2 + x[1]**2, [2.0, 0.0], bounds=[(0, None), (0.8, None)],
    ...                          constraints={'type': 'ineq', 'fun': lambda x: x[0] + x[1] - 1, 'name': 'budget'})
    >>> print(result.report())  # doctest: +ELLIPSIS
    Converged: the KKT conditions hold within gtol, the constraints within ctol.
    ...
    budget ...
    """

    def report(self):
        """A table of the constraints and bounds: value, limits, multiplier, whether active, violation.

        Returns
        -------
        str
        """
        return text(self)

    def _repr_html_(self):
        from html import escape

        return f"<pre>{escape(self.report())}</pre>"


def _number(value, form=".6g"):
    return "-" if not np.isfinite(value) and value != value else format(value, form)


def _limit(value):
    return "" if not np.isfinite(value) else format(value, ".6g")


def _state(c, lower, upper):
    """Whether a row is at a limit."""
    if lower == upper:
        return "equality"
    if c - lower <= _NEAR * max(1.0, abs(lower)):
        return "at lower"
    if upper - c <= _NEAR * max(1.0, abs(upper)):
        return "at upper"
    return ""


def _row(name, c, lower, upper, y):
    violation = max(lower - c, c - upper, 0.0)
    cells = [name, _number(c, ".8g"), _limit(lower), _limit(upper), _number(y, ".6g"), _state(c, lower, upper)]
    return [*cells, _number(violation, ".1e") if violation > 0 else ""]


def constraint_rows(result):
    """One list of cells for each row of the constraints."""
    more = result.state[6]
    names, lower, upper = more["constraint_names"].tolist(), more["constraint_lower"], more["constraint_upper"]
    named = isinstance(result["constr"], dict)
    rows, first = [], 0
    for b, name in enumerate(names):
        key = name if named else b
        c, y = result["constr"][key], result["multipliers"][key]
        for i in range(c.size):
            label = name if c.size == 1 else f"{name}[{i}]"
            rows.append(_row(label, c[i], lower[first + i], upper[first + i], y[i]))
        first += c.size
    return rows


def bound_rows(result):
    """One list of cells for each variable whose bound is active, or fixes it."""
    _, _, c, _, w, fixed = result.state[:6]
    n, x, z, active = int(c[s.N]), result["x"], result["bound_multipliers"], result["active_mask"]
    lower, upper = np.full(x.size, -np.inf), np.full(x.size, np.inf)
    free = np.ones(x.size, bool) if fixed is None else np.isnan(fixed)
    lower[free], upper[free] = w[-2 * n : -n], w[-n:]
    if fixed is not None:
        lower[~free] = upper[~free] = fixed[~free]
    return [_row(f"x[{j}]", x[j], lower[j], upper[j], z[j]) for j in np.flatnonzero(active).tolist()]


def text(result):
    """The report."""
    lines = [
        str(result["message"]),
        f"f = {result['fun']:.10g} after {result['nit']} iterations; evaluations: f {result['nfev']}, "
        f"gradient {result['njev']}, Hessian {result['nhev']}, constraints {result['constr_nfev']}, "
        f"their Jacobian {result['constr_njev']}",
        f"violation {result['constr_violation']:.1e}, stationarity {result['stationarity']:.1e}, "
        f"complementarity {result['complementarity']:.1e}",
    ]
    if result.state is None:
        return "\n".join(lines)
    head = ["constraint", "value", "lower", "upper", "multiplier", "", "violation"]
    rows = constraint_rows(result) + bound_rows(result)
    if not rows:
        return "\n".join([*lines, "no constraint, and no bound is active"])
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines.append("")
    for first, *rest in [head, *rows]:
        cells = [first.ljust(widths[0])]
        for j, (cell, width) in enumerate(zip(rest, widths[1:], strict=True)):
            cells.append(cell.ljust(width) if j == 4 else cell.rjust(width))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
