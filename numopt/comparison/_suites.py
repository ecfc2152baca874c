"""Suites: groups of problems with the methods that fit them."""

import difflib
from pathlib import Path

# suite -> methods; the problems are the group of the same name
_METHODS: dict[str, tuple[str, ...]] = {
    "mgh": ("bfgs", "cg", "l-bfgs-b"),
    # scipy's that we have, and the default: every method that takes bounds, gradient descent's thousands of steps among
    # them, would take most of an hour
    "bounds": ("l-bfgs-b", "nelder-mead", "powell", "bfgs"),
    "scalable": ("cg", "l-bfgs-b"),
    "data": ("bfgs", "cg", "l-bfgs-b"),
}
SUITES = (*_METHODS, "nist", "constrained")


def suite_of(suite, problems):
    """The suite's name, or None; files of NIST's need not be said to be of suite ``nist``.

    TypeError or ValueError for what is no suite.
    """
    if suite is None:
        named = [problems] if isinstance(problems, str | Path) else list(problems or ())
        return "nist" if named and all(str(name).endswith(".dat") for name in named) else None
    if not isinstance(suite, str):
        raise TypeError(f"suite must be a name; got {suite!r}")
    name = suite.lower()
    if name not in SUITES:
        close = difflib.get_close_matches(name, SUITES, 2, 0.5)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known are {', '.join(SUITES)}"
        raise ValueError(f"unknown suite {suite!r}; {hint}")
    return name


def of_suite(suite, problems, methods):
    """(problems, methods) with what the suite stands for filled in.

    Parameters
    ----------
    suite : str or None
    problems, methods : str or list of str or None
        What the user named beside it.

    Returns
    -------
    problems, methods

    Raises
    ------
    ValueError
        For a suite that isn't known, or one that comes together with problems.
    """
    name = suite_of(suite, problems)
    if name is None:
        return problems, methods
    if problems is not None:
        raise ValueError(f"suite {name!r} is a group of problems; name either a suite or problems")
    if methods is None:
        methods = list(_METHODS[name])
    return [name], methods


def takes_bounds(row):
    """Whether a method takes bounds."""
    return bool(getattr(row, "bounds", False))


# scipy's methods that take bounds
_SCIPY = ("Nelder-Mead", "L-BFGS-B", "TNC", "SLSQP", "Powell", "trust-constr", "COBYLA", "COBYQA")


def reference_with_bounds(name):
    """scipy's method to compare with on a problem with bounds: the same if it takes them, or else L-BFGS-B."""
    return name if name is None or name in _SCIPY else "L-BFGS-B"
