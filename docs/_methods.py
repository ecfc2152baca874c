"""Write docs/methods.md from the catalogue: ``python docs/_methods.py``.  A test keeps the two in agreement."""

import importlib
import re
import sys
from pathlib import Path

from numopt.catalog import _FIRST_ORDER, COMMON, EPOCHS, METHODS, SEARCHING, defaults
from numopt.constrained_catalog import CONSTRAINED, CONSTRAINED_COMMON, constrained_defaults
from numopt.drivers.units import UNITS

MEANING = {
    "gtol": "norm of the gradient to reach",
    "norm": "its order",
    "ftol": "relative reduction of f that ends the run; negative: no such test",
    "xrtol": "relative step that ends the run; 0: no such test",
    "xtol": "absolute step that ends the run; 0: no such test",
    "f_lower": "f below this counts as unbounded",
    "maxiter": "iterations",
    "maxfev": "evaluations of f (scipy's `maxfun` is accepted)",
    "c1": "sufficient decrease",
    "c2": "curvature condition",
    "line_tol": "tolerance of line minimisation",
    "maxls": "trials of a line search",
    "initial_step": "first trial of the first iteration; 0: the method's own",
    "step": "step length (also `learning_rate`)",
    "kappa": "decay of the step",
    "drop": "factor on the step",
    "drop_every": "iterations (epochs) between drops",
    "momentum": "factor mu on the last step",
    "schedule": "how the learning rate falls ([schedules](stochastic.md)), or a function t -> learning rate",
    "warmup": "t up to which the learning rate rises linearly from zero",
    "gamma": "`'exponential'`: factor on the step in a unit of t",
    "period": "`'cosine'`: t at which the step has come to `lr_min`",
    "lr_min": "`'cosine'`: the last step",
    "power_t": "`'invscaling'`: the step is divided by (t + 1)^power_t",
    "patience": "`'adaptive'`: iterations without a lower f after which the step is multiplied by `drop`",
    "clip_norm": "2-norm to which a longer gradient is shortened",
    "clip_value": "size beyond which components of the gradient are cut off",
    "l1": "term l1 * sum of abs(x) beside f",
    "l2": "term l2 / 2 * sum of x² beside f",
    "average": "what is reported: the points (`'none'`), their `'plain'` or `'exponential'` mean",
    "average_decay": "of the exponential mean",
    "average_start": "updates that do not count for the mean",
    "n_terms": "f is the mean of so many terms, `fun(x, indices, *args)` that of some of them",
    "batch_size": "terms in an update; None: all",
    "random_state": "seed of the order of the terms",
    "beta_1": "decay of the mean of gradients",
    "beta_2": "decay of the mean of their squares (Adamax: of their largest)",
    "epsilon": "keeps the divisor from zero",
    "epsilon_hat": "whether epsilon is added to the uncorrected root (scikit-learn), not to the corrected one",
    "rho": "decay of the mean of squares (delta-bar-delta: of gradients)",
    "weight_decay": "share of x, times the step, that each update takes away",
    "gain_up": "added to a gain while signs agree",
    "gain_down": "share of a gain lost where they do not",
    "initial_trust_radius": "first radius",
    "max_trust_radius": "largest radius",
    "eta": "a step is taken where f falls by more than this share of what the model promised",
    "damping": "alpha of H + alpha I; for the saddle-free method the least eigenvalue, relative to the largest",
    "maxcor": "pairs kept",
    "lanczos_vectors": "Lanczos vectors kept, of n numbers each: at most so many products an iteration",
    "xatol": "largest component of the differences between the points compared, to reach together with fatol",
    "fatol": "difference of their values to reach",
    "adaptive": "parameters by the number of variables (Gao & Han)",
    "seed": "of the random numbers",
    "update": "one variable's minimum by `'newton'` or by line minimisation, `'line'`",
    "restart_every": "iterations between restarts; 0: only where the formulas ask for one",
}


# what an option means to one method in particular
OWN = {
    ("newton-cg", "xtol"): "mean absolute component of the step that ends the run",
    ("powell", "xtol"): "a hundredth of the relative tolerance of the line minimisations",
    ("powell", "ftol"): "relative reduction of f in an iteration that ends the run",
    ("pattern-search", "initial_step"): "first mesh, relative to max(1, abs(x0))",
    ("random-search", "initial_step"): "first sigma, relative to max(1, largest abs(x0))",
}
# of methods for problems with constraints
CONSTRAINED_MEANING = {
    "gtol": "stationarity and complementarity to reach ([the residuals](constrained.md))",
    "ctol": "violation of the constraints to reach, relative to max(1, size of the limit)",
    "ftol": "relative reduction of f between feasible points that ends the run; negative: no such test",
    "xrtol": "relative step between feasible points that ends the run; 0: no such test",
    "xtol": "absolute step between feasible points that ends the run; 0: no such test",
    "f_lower": "f below this at a feasible point counts as unbounded",
    "inner_maxiter": "iterations of each run of the inner solver",
    "penalty": "the first penalty; 0: by the sizes of f and of the violation",
    "penalty_growth": "factor on it where the violation does not fall enough",
}
# those of the front door that only one method has
MATRICES = {
    "bfgs": ("hess_inv0", "the first inverse Hessian (n, n)"),
    "nelder-mead": ("initial_simplex", "the first points (n + 1, n), in the place of x0"),
    "powell": ("direc", "the first directions (n, n), one a row"),
}


def _value(value, name="maxiter"):
    if value is None and name != "maxiter":
        return "None"
    if isinstance(value, (bool, str)):
        return f"{value!r}"
    return "200 n (10000 n where f may rise)" if value is None else "none" if value == 2**62 else f"{value:g}"


def page():
    """The text of docs/methods.md."""
    lines = ["# Methods", "", "Written by `python docs/_methods.py` from the catalogue.", ""]
    lines += [
        "Options that all methods have, with their defaults:",
        "",
        "| option | default | meaning |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {_value(value)} | {MEANING[name]} |" for name, value in {**COMMON, "maxiter": None}.items()
    ]
    lines += [
        "| `max_time` | none | seconds |",
        "| `history` | False | `result.history`: f, gnorm, step, nfev, seconds at the start and after each iteration |",
        "| `return_all` | False | `result.allvecs`: the points |",
        "| `disp` | False | a live line and a summary |",
        "| `eps`, `finite_diff_rel_step` | scipy's | absolute, relative difference steps |",
        "",
        "Methods that ask for values only have of these `f_lower`, `maxiter`, `maxfev`, `max_time`, `history`, "
        "`return_all` and `disp`; `tol` sets both of their tolerances.",
        "",
        "With a line search also `line_search` ([line searches](line_searches.md)) and:",
        "",
        "| option | default | meaning |",
        "|---|---|---|",
        *[f"| `{name}` | {_value(value)} | {MEANING[name]} |" for name, value in SEARCHING.items()],
        "",
        "`status` of a result: " + "; ".join(_statuses()) + ".",
    ]
    unit = None
    for row in METHODS.values():
        if row.unit != unit:
            unit = row.unit
            for name in (unit, row.bounded_unit):
                if name is not None:
                    text = importlib.import_module(UNITS[name][0]).__doc__.strip().splitlines()
                    lines += ["", f"## {text[0].rstrip('.')}", "", "```{eval-rst}", *_rst(text[2:]), "```"]
        shared = _FIRST_ORDER if row.unit == "first-order" else {}
        if shared and row.variant == 0:
            lines += ["", "All of them have these options:", "", "| option | default | meaning |", "|---|---|---|"]
            lines += [f"| `{name}` | {_value(value, name)} | {MEANING[name]} |" for name, value in shared.items()]
            lines += ["", f"With `n_terms`, `maxiter` counts epochs, {EPOCHS} unless given."]
        common = {**COMMON, **SEARCHING, "maxiter": None}
        own = {k: v for k, v in defaults(row).items() if k not in shared and common.get(k, "x") != v}
        lines += ["", f"### `{row.name}`", "", row.title[0].upper() + row.title[1:] + "."]
        if row.scipy:
            lines.append(f"The equal of scipy's `{row.scipy}`.")
        if row.bounds:
            lines.append("Takes bounds.")
        if row.products:
            lines.append("Asks for products of the Hessian with vectors only: no n x n matrix, unless `hess` is given.")
        if row.values_only:
            lines.append("Values only: no gradient is asked for, and the result has no `jac`.")
        if row.budget:
            lines.append(f"`maxiter` and `maxfev` are {row.budget} n, unless one of them is given.")
        if row.line_search:
            lines.append(f"Line search: `{row.line_search}`.")
        if own:
            lines += ["", "| option | default | meaning |", "|---|---|---|"]
            lines += [
                f"| `{name}` | {_value(value, name)} | {OWN.get((row.name, name), MEANING[name])} |"
                for name, value in own.items()
            ]
            if row.name in MATRICES:
                lines.append("| `{}` | None | {} |".format(*MATRICES[row.name]))
    return "\n".join([*lines, *_constrained()]) + "\n"


def _constrained():
    """The methods for problems with constraints."""
    meaning = {**MEANING, **CONSTRAINED_MEANING}
    lines = ["", "# Methods for constraints", "", "Options that all of them have, beside `max_time`, `history`, "]
    lines[-1] += "`return_all`, `disp`, `eps` and `finite_diff_rel_step`:"
    lines += ["", "| option | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {_value(value)} | {meaning[name]} |" for name, value in CONSTRAINED_COMMON.items()]
    unit = None
    for row in CONSTRAINED.values():
        if row.unit != unit:
            unit = row.unit
            text = importlib.import_module(UNITS[unit][0]).__doc__.strip().splitlines()
            lines += ["", f"## {text[0].rstrip('.')}", "", "```{eval-rst}", *_rst(text[2:]), "```"]
        lines += ["", f"### `{row.name}`", "", row.title[0].upper() + row.title[1:] + "."]
        if row.scipy:
            lines.append(f"scipy's name `{row.scipy}` stands for it.")
        if row.inner:
            lines.append(f"The inner solver is `{row.inner}`, for many variables `{row.inner_large}`.")
        if row.second_order:
            lines.append("Needs the Hessian of the Lagrangian: where Hessians are not given, differences of gradients.")
        elif row.hessian:
            lines.append("Takes the Hessian of the Lagrangian where all Hessians are given.")
        own = {k: v for k, v in constrained_defaults(row).items() if CONSTRAINED_COMMON.get(k, "x") != v}
        lines += ["", "| option | default | meaning |", "|---|---|---|"]
        lines += [f"| `{name}` | {_value(value, name)} | {meaning[name]} |" for name, value in own.items()]
    return lines


def _rst(lines):
    """A module's docstring as the page takes it: |x| is a norm in it, and g_ no link; a heading can't stand there."""
    out, math, references = [], False, False
    for line in map(str.rstrip, lines):
        if re.fullmatch("-+", line):
            continue
        if line == "References":
            out += [".. rubric:: References", ""]
            references = True
        elif references:
            out.append(f"| {line.removeprefix('.. ').strip()}" if line else "")
        else:
            math = line.startswith(".. math::") or (math and (not line or line.startswith(" ")))
            out.append(line if math or re.match(r"=+ ", line) else _escaped(line))
    return out


def _escaped(line):
    line = re.sub(r"\[(\w+)\]_", r"[\1]", line)
    # what stands between backticks stays as it is
    parts = re.split("(`+[^`]*`+)", line)
    return "".join(p if p.startswith("`") else re.sub(r"(?<=\w)_(?!\w)", r"\\_", p.replace("|", r"\|")) for p in parts)


def _statuses():
    from numopt import Status

    return [f"{int(status)} {status.name}" + (" (success)" if status.success else "") for status in Status]


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    Path(__file__).with_name("methods.md").write_text(page(), encoding="utf-8")
