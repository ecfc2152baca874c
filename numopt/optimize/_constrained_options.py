"""Methods and options of problems with constraints."""

import difflib

from numopt.catalog import OPTIONS
from numopt.constrained_catalog import CONSTRAINED, CONSTRAINED_OPTIONS, constrained_defaults, find_constrained
from numopt.optimize._options import _ARGUMENTS, FRONT, find_method, front_option, read_number
from numopt.optimize._warn import warn

DEFAULT = "sqp"
DIFFERENCES_GTOL = 1e-6  # where derivatives are made of differences, which are no more accurate
_FRONT = ("max_time", "disp", "history", "return_all", "eps", "finite_diff_rel_step")
# options of scipy's SLSQP and trust-constr that change nothing here
_IGNORED = {"iprint", "workers", "sparse_jacobian", "factorization_method"}
_NO_EQUAL = {
    "barrier_tol": "the run ends by the KKT conditions, option 'gtol'",
    "initial_barrier_tolerance": "the run ends by the KKT conditions, option 'gtol'",
    "initial_tr_radius": "there is no trust region",
    "initial_constr_penalty": "the penalty is chosen by the method",
    "initial_barrier_parameter": "the barrier parameter is chosen by the method",
}
_XTOL = "scipy's 'xtol' of trust-constr is a limit on the trust region's radius, which there is none of here"


def row_for_constraints(method):
    """The row that is meant where there are constraints; ValueError for a method that takes none."""
    if method is None:
        return CONSTRAINED[DEFAULT]
    row = find_constrained(method)
    if row is None:
        if not isinstance(method, str):
            raise TypeError(f"method must be a string or None, not {type(method).__name__}")
        find_method(method)  # says what is wrong with a name that nobody knows
        takes = ", ".join(repr(name) for name, other in CONSTRAINED.items() if not other.linear_sets)
        raise ValueError(f"method {method!r} takes no constraints; those that do are {takes}")
    return row


def read_options(row, method, options, tol, n, differences):
    """(values for the blocks, options of the front door)."""
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"options must be a dict, not {type(options).__name__}")
    values, front = constrained_defaults(row), {}
    if differences and "gtol" not in row.defaults:
        values["gtol"] = DIFFERENCES_GTOL
    if tol is not None:
        values["gtol"] = read_number("tol", tol, float, 0.0)
    scipys = isinstance(method, str) and method.lower() == "trust-constr"
    for name, value in (options or {}).items():
        if name == "maxfun":
            name = "maxfev"
        if scipys and name == "xtol":
            warn(f"option 'xtol' is ignored: {_XTOL}")
        elif name in values:
            if value is not None or name not in ("maxiter", "maxfev"):
                _, _, kind, least = CONSTRAINED_OPTIONS[name]
                values[name] = read_number(name, value, kind, least)
        elif name == "verbose":
            front["disp"] = front.get("disp", False) or read_number(name, value, int, 0) > 0
        elif name in _FRONT:
            front[name] = front_option(name, value, n)
        elif name in _NO_EQUAL:
            warn(f"option {name!r} has no equal in method {row.name!r} and is ignored: {_NO_EQUAL[name]}")
        elif name in _ARGUMENTS:
            raise TypeError(f"{name!r} is an argument, not an option; options hold what the method is told")
        elif name not in _IGNORED:
            close = difflib.get_close_matches(str(name), [*values, *_FRONT], 2)
            hint = f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
            others = [other for other in CONSTRAINED if name in constrained_defaults(CONSTRAINED[other])]
            if others:
                hint = f"; it is one of {', '.join(map(repr, others))}"
            elif name in FRONT or name in OPTIONS:
                hint = "; it is one of methods without constraints"
            warn(f"unknown option {name!r} for method {row.name!r} is ignored{hint}")
    front = {name: value for name, value in front.items() if value is not None and value is not False}
    return values, front
