"""Runs of ``least_squares`` prepared by runs like them: a small problem takes less time than preparing it.

All that a run's machine words point to, but for the user's functions and arguments, is put into one buffer.  A plan
keeps the beginning of that buffer as it was before the run, with addresses relative to its own, and marks where they
stand: the next run of the same kind is a copy, one addition, and x0.
"""

import ctypes

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.residuals import HEAD, BoundSquares, kind_of_both, sizes_of
from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q
from numopt.kernels.status import LeastSquaresStatus
from numopt.optimize._squares import SMALLEST, SquaresRun, residuals_at, within

LARGEST = 1 << 14  # doubles in the buffer; beyond, what there is to prepare does not matter
_MANY = 256

addressof, first_byte = ctypes.addressof, ctypes.c_byte.from_buffer
_PLANS: dict = {}


class Plan:
    """How to begin a run like the one given, which is about to begin, without bounds and maps of variables.

    ``complete``: whether the user's functions are the same too.
    """

    def __init__(self, run, complete):
        bound = run.bound
        arrays = bound.arrays
        self.row, self.variables, self.problem = run.row, run.variables, run.problem
        self.m, self.kind, self.complete = bound.m, bound.kind, complete
        self.keep = bound.fun, bound.jac, bound.keep  # functions: their identity is in the key
        # what has to stand there from the start, then the rest, the sizes of the variables first
        pieces = [run.words, bound.block, run.reals, bound.at, arrays[q.REALS], arrays[q.TYPICAL], bound.r, bound.J]
        pieces += [array for slot, array in arrays.items() if not any(array is piece for piece in pieces)]
        starts = np.cumsum([0, *(piece.size for piece in pieces)]).tolist()
        _, _, self.p, self.at, self.end, self.head, self.r, self.j = starts[:8]
        self.size, self.scheme = starts[-1], int(bound.block[q.SCHEME])
        self.template = np.concatenate([piece.view(np.int64) for piece in pieces[:5]])
        table = self.template[s.N_COUNTERS : self.p]
        marks = np.zeros(table.size, bool)
        for piece, start in zip(pieces, starts, strict=False):
            first = piece.ctypes.data
            inside = (table >= first) & (table < first + max(8 * piece.size, 1)) & ~marks
            table[inside] += 8 * start - first
            marks |= inside
        self.marks = marks.astype(np.int64)


def plain_settings(n, jac, method, ftol, xtol, gtol, max_nfev, loss, f_scale):
    """The first part of the key of a plan, with the types of numbers: 1 is as good as 1.0, True is not."""
    return (
        n, jac if type(jac) is str else callable(jac), method, ftol, xtol, gtol, max_nfev, loss, f_scale, type(ftol), type(xtol),
        type(gtol), type(max_nfev), type(f_scale),
    )  # fmt: skip


def keep_plan(settings, run):
    """Make a plan of a run that is about to begin, if it is a small one."""
    bound = run.bound
    complete = bound.kind == "jitted" and not bound.args
    if bound.kind == "pointer" or run.problem["unit"] != 1.0:
        return
    if sum(array.size for array in bound.arrays.values()) + run.reals.size <= LARGEST:
        if len(_PLANS) >= _MANY:
            _PLANS.clear()
        _PLANS[settings] = None  # checked
        _PLANS[(settings, id(bound.fun), id(bound.jac)) if complete else (settings, bound.kind, bound.m)] = Plan(
            run, complete
        )


def run_again(settings, x, fun, jac, args, callback):
    """(result, residuals at x) of a run like one before; None for what is not known or needs a closer look."""
    try:
        if settings not in _PLANS or not callable(fun):
            return None, None
    except TypeError:  # an argument that can't be a key is no good either
        return None, None
    key = settings, id(fun), id(jac)
    plan = None if args else _PLANS.get(key)
    if plan is not None:
        try:
            result = PlannedRun(plan, x, fun, jac, args, None).go(callback)
        except Exception as error:
            if error.result.nfev > 1:
                raise
            del _PLANS[key]  # its number of residuals may have changed
            return None, None
        if result["nfev"] == 1 and result["status"] is LeastSquaresStatus.NAN:
            return None, None
        if not 2.0 * result["cost"] > SMALLEST:
            first = residuals_at(fun, x, args, None)
            if not within(first) and first.any():
                return None, first
        return result, None
    kind = kind_of_both(fun, jac)
    if kind == "pointer" or kind_of(fun) == "pointer":
        return None, None
    first = residuals_at(fun, x, args, None)
    plan = _PLANS.get((settings, kind, first.size))
    if plan is None or not within(first):
        return None, first
    return PlannedRun(plan, x, fun, jac, args, first).go(callback), None


class PlannedRun(SquaresRun):
    """A run from a plan."""

    def __init__(self, plan, x, fun, jac, args, first):
        words = np.empty(plan.size, np.int64)
        words[: plan.head] = plan.template
        here = addressof(first_byte(words))
        n, m, w, r = x.size, plan.m, plan.p + s.N_SCALARS, plan.r
        table = words[s.N_COUNTERS : plan.p]
        table += plan.marks * here
        reals = words.view(np.float64)
        self.row, self.variables, self.problem, self.start = plan.row, plan.variables, plan.problem, x
        self.c, self.table, self.address = words[: s.N_COUNTERS], table[: s.N_TABLE], here + 8 * s.N_COUNTERS
        self.p, self.w = reals[plan.p : w], reals[w : plan.at]
        self.w[:n] = x
        if plan.scheme:
            reals[plan.head : r] = sizes_of(x)
        bound = self.bound = BoundSquares.__new__(BoundSquares)
        bound.fun, bound.jac, bound.args, bound.c, bound.n, bound.m = fun, jac, args, self.c, n, m
        bound.table, bound.block, bound.python = self.table, table[s.N_TABLE :], None
        bound.at, bound.r, bound.J = reals[plan.at : plan.end], reals[r : plan.j], reals[plan.j : plan.j + m * n]
        if plan.complete:
            bound.data_table = self.table[HEAD:]
        else:
            bound.keep, bound.data_table = [], None
            bound.bind(plan.kind, plan.problem["loss"], first, here)
