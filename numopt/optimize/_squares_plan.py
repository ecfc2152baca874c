"""Runs of ``least_squares`` prepared by runs like them: a small problem takes less time than preparing it.

All that a run's machine words point to, but for the user's functions and arguments, is put into one buffer, whose
beginning is as it was before the first run: the next run of the same kind is a copy of that, and x0.  Buffers are used
again when a run is over; what a result holds are copies.
"""

import numpy as np

from numopt.callbacks.bind import address_of_array, kind_of
from numopt.callbacks.residuals import HEAD, BoundSquares, SparseJacobianError, kind_of_both, sizes_of
from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q
from numopt.kernels.status import LeastSquaresStatus
from numopt.optimize._squares import ENDS, SMALLEST, SquaresRun, residuals_at, within
from numopt.result import OptimizeResult

LARGEST = 1 << 14  # doubles in the buffer; beyond, what there is to prepare does not matter
_MANY = 256

_PLANS: dict = {}


class Plan:
    """How to begin a run like the one given, which is about to begin, without bounds and maps of variables.

    ``complete``: whether the user's functions are the same too.
    """

    def __init__(self, run, complete):
        bound = run.bound
        arrays = bound.arrays
        self.row, self.variables, self.problem = run.row, run.variables, run.problem
        self.n, self.m, self.kind, self.complete = run.c.item(s.N), bound.m, bound.kind, complete
        # kept, as their identity is in the key
        self.fun, self.jac, self.keep = (bound.fun, bound.jac, bound.keep) if complete else (None, None, [])
        # what has to stand there from the start, then the rest, the sizes of the variables first
        pieces = [run.words, bound.block, run.reals, bound.at, arrays[q.REALS], arrays[q.TYPICAL], bound.r, bound.J]
        pieces += [array for slot, array in arrays.items() if not any(array is piece for piece in pieces)]
        starts = np.cumsum([0, *(piece.size for piece in pieces)]).tolist()
        _, _, self.p, self.at, self.reals, self.head, self.r, self.j = starts[:8]
        self.size, self.scheme = starts[-1], int(bound.block[q.SCHEME])
        self.short = run.problem["loss"] == "linear"
        self.template = np.concatenate([piece.view(np.int64) for piece in pieces[:5]])
        table = self.template[s.N_COUNTERS : self.p]
        self.marks = np.zeros(table.size, np.int64)  # where addresses stand, now relative to that of the buffer
        for piece, start in zip(pieces, starts, strict=False):
            first = piece.ctypes.data
            inside = (table >= first) & (table < first + max(8 * piece.size, 1)) & (self.marks == 0)
            table[inside] += 8 * start - first
            self.marks[inside] = 1
        self.unused: list = []

    def run(self, x, fun, jac, args, first):
        """A run that begins at x."""
        try:
            run = self.unused.pop()
        except IndexError:
            run = PlannedRun(self)
        run.words[: self.head] = run.template
        run.w[: self.n] = x
        run.start = x
        if self.scheme:
            run.sizes[:] = sizes_of(x)
        if not self.complete:
            run.bind(x, fun, jac, args, first)
        return run


class PlannedRun(SquaresRun):
    """A run from a plan."""

    def __init__(self, plan):
        n, m, w, r, j = plan.n, plan.m, plan.p + s.N_SCALARS, plan.r, plan.j
        words = self.words = np.empty(plan.size, np.int64)
        here = address_of_array(words)
        self.template = plan.template.copy()
        self.template[s.N_COUNTERS : plan.p] += plan.marks * here
        reals = words.view(np.float64)
        self.plan, self.row, self.variables, self.problem = plan, plan.row, plan.variables, plan.problem
        self.c, self.table = words[: s.N_COUNTERS], words[s.N_COUNTERS : s.N_COUNTERS + s.N_TABLE]
        self.address = here + 8 * s.N_COUNTERS
        self.reals, self.p, self.w = reals[plan.p : plan.at], reals[plan.p : w], reals[w : plan.at]
        self.sizes = reals[plan.head : r]
        bound = self.bound = BoundSquares.__new__(BoundSquares)
        bound.fun, bound.jac, bound.args, bound.c, bound.n, bound.m = plan.fun, plan.jac, (), self.c, n, m
        bound.table, bound.block, bound.python = self.table, words[s.N_COUNTERS + s.N_TABLE : plan.p], None
        bound.at, bound.r, bound.J = reals[plan.at : plan.reals], reals[r:j], reals[j : j + m * n]
        bound.keep, bound.data_table = plan.keep, self.table[HEAD:]
        # at the two places: x, gradient, residuals and the points that they belong to
        vectors = self.w[: s.N_COMMON * n].reshape(-1, n)
        self.places = [
            (vectors[s.X0 + k], vectors[s.G0 + k], bound.r[k * m :][:m], bound.at[k * n :][:n]) for k in (0, 1)
        ]
        self.J, self.J_at = (bound.J.reshape(n, m).T if plan.scheme else bound.J.reshape(m, n)), bound.at[2 * n :]

    def bind(self, x, fun, jac, args, first):
        """Put the user's functions in."""
        bound = self.bound
        bound.fun, bound.jac, bound.args = fun, jac, args
        python = bound.python
        if python is not None:
            python.fun, python.jac, python.args, python.first, python.error = fun, jac, args, first, None
        else:
            bound.keep = []
            bound.bind(self.plan.kind, self.plan.problem["loss"], first, address_of_array(self.words))
            self.template[: self.plan.p] = self.words[: self.plan.p]

    def unbind(self):
        """Hold on to nothing of the user's."""
        bound = self.bound
        bound.fun = bound.jac = bound.args = self.start = None
        if bound.python is not None:
            bound.python.fun = bound.python.jac = bound.python.args = None
        elif not self.plan.complete:
            bound.keep, bound.data_table = [], None

    def report(self, failed=False):
        """The result as things stand."""
        c, p, plan = self.c, self.p, self.plan
        x, g, r, at = self.places[c.item(s.PARITY)]
        point = x.tobytes()
        if failed or not plan.short or at.tobytes() != point or self.J_at.tobytes() != point:
            return super().report(failed)
        _, nfev, njev, _, nit, _, _, status = c[: s.STATUS + 1].tolist()
        status, success, message = ENDS[status]
        result = OptimizeResult({
            "x": x.copy(), "cost": p.item(s.F), "fun": r.copy(), "jac": self.J.copy(), "grad": g.copy(),
            "optimality": p.item(s.GNORM), "active_mask": np.zeros(plan.n, int), "nfev": nfev, "njev": njev,
            "nit": nit, "status": status, "message": message, "success": success,
        })  # fmt: skip
        result.state = self.state()
        return result


def plain_settings(n, jac, method, ftol, xtol, gtol, max_nfev, loss, f_scale):
    """The first part of the key of a plan, with the types of numbers: 1 is as good as 1.0, True is not."""
    return (
        n, jac if type(jac) is str else callable(jac), method, ftol, xtol, gtol, max_nfev, loss, f_scale,
        type(ftol), type(xtol), type(gtol), type(max_nfev), type(f_scale),
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
    key, first = (settings, id(fun), id(jac)), None
    try:
        plan = None if args else _PLANS.get(key)
        if plan is None and (settings not in _PLANS or not callable(fun)):
            return None, None
    except TypeError:  # an argument that can't be a key is no good either
        return None, None
    if plan is None:
        kind = kind_of_both(fun, jac)
        if kind == "pointer" or kind_of(fun) == "pointer":
            return None, None
        first = residuals_at(fun, x, args, None)
        plan = _PLANS.get((settings, kind, first.size))
        if plan is None or not within(first):
            return None, first
    run = plan.run(x, fun, jac, args, first)
    try:
        result = run.go(callback)
    except SparseJacobianError:
        return None, first
    except Exception as error:
        if not plan.complete or not hasattr(error, "result") or error.result.nfev > 1:
            raise
        _PLANS.pop(key, None)  # its number of residuals may have changed
        return None, None
    run.warn_of_rank(result)
    run.unbind()
    plan.unused.append(run)
    if first is None:
        if result["nfev"] == 1 and result["status"] is LeastSquaresStatus.NAN:
            return None, None
        if not 2.0 * result["cost"] > SMALLEST:
            first = residuals_at(fun, x, args, None)
            if not within(first) and first.any():
                return None, first
    return result, None
