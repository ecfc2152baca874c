"""How the problems with constraints are written down: limits of constraints, start and bounds of a formula."""

import math
from typing import Any, NamedTuple

import numpy as np


def equal(c, limit=0.0):
    """c = limit"""
    return c, limit, limit


def at_least(c, limit=0.0):
    """c >= limit"""
    return c, limit, math.inf


def at_most(c, limit=0.0):
    """c <= limit"""
    return c, -math.inf, limit


def between(lower, c, upper):
    """lower <= c <= upper"""
    return c, lower, upper


class Entry(NamedTuple):
    """A formula with its start and its bounds."""

    formula: Any
    start: tuple
    bounds: Any
    verdict: str


def named():
    """(table, decorator): the decorator enters a formula in the table, by its name."""
    table: dict[str, Entry] = {}

    def problem(*start, lower=None, upper=None, verdict="solution"):
        def enter(formula):
            table[formula.__name__] = Entry(formula, start, _bounds(len(start), lower, upper), verdict)
            return formula

        return enter

    return table, problem


def _bounds(n, lower, upper):
    """Bounds as an array of shape (n, 2) that can't be written to; one number stands for all, None for no bound."""
    if lower is None and upper is None:
        return None
    box = np.empty((n, 2))
    for column, (given, free) in enumerate(((lower, -math.inf), (upper, math.inf))):
        each = given if isinstance(given, tuple) else (given,) * n
        box[:, column] = [free if bound is None else bound for bound in each]
    box.setflags(write=False)
    return box
