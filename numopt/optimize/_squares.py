"""What ``least_squares`` and ``curve_fit`` share: the run of a sum of squares, and its report."""

import math
import time

import numpy as np

from numopt.callbacks.residuals import BoundSquares
from numopt.catalog import squares_words
from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels.squares_slots import VECTORS
from numopt.kernels.status import LEAST_SQUARES, NEW, RUNNING, Status
from numopt.optimize._interrupt import INTERRUPTED, TICK, catch_interrupt, release_interrupt
from numopt.optimize._watch import Watch
from numopt.result import OptimizeResult

_TICK_SECONDS = 0.05
_NEVER = 2**62


class Variables:
    """The variables of a run among those of the user: x = offset + z @ matrix.

    Attributes
    ----------
    start, lower, upper : ndarray (n,)
        Of the run's variables.
    map : ndarray (1 + n, all) or None
        Offset, then the matrix; None where both are the same.
    fixed : ndarray (all,) of bool
    """

    def __init__(self, x, lower, upper):
        self.fixed = lower == upper
        self.map, self.all = None, x.size
        if self.fixed.any() and not self.fixed.all():
            free = np.flatnonzero(~self.fixed)
            self.map = np.zeros((1 + free.size, x.size))
            self.map[0, self.fixed] = lower[self.fixed]
            self.map[1 + np.arange(free.size), free] = 1.0
            x, lower, upper = x[free], lower[free], upper[free]
        self.start, self.lower, self.upper = x, lower, upper
        self.bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())

    def whole(self, z, offset=True):
        """All variables from those of the run; without the offset for directions and gradients."""
        if self.map is None:
            return z
        return z @ self.map[1:] + (self.map[0] if offset else 0.0)

    def columns(self, J):
        """The Jacobian in all variables, with zeros for the fixed ones, from one in those of the run or in all."""
        if self.map is None:
            return J
        matrix = self.map[1:]
        return (J @ matrix.T if J.shape[1] == self.all else J) @ matrix


def new_state(row, variables, tolerances, max_nfev, x_scale, options):
    """(words, reals) of a fresh run."""
    n, bounded = variables.start.size, variables.bounded
    words = np.zeros(s.N_COUNTERS + s.N_TABLE, np.int64)
    reals = np.zeros(s.N_SCALARS + squares_words(n, bounded))
    c, p, w = words, reals, reals[s.N_SCALARS :]
    w[:n] = variables.start
    c[s.STATUS], c[s.VARIANT], c[s.N] = NEW, row.variant, n
    c[s.MAXITER], c[s.MAXFEV] = options.get("maxiter", _NEVER), max_nfev
    p[s.FTOL_REL], p[s.GTOL], p[s.F_LOWER], p[s.NORM_ORDER] = -1.0, -1.0, -math.inf, math.inf
    p[s.LSQ_FTOL], p[s.LSQ_XTOL], p[s.LSQ_GTOL] = tolerances
    p[s.ACCEL_MAX] = options.get("accel_max", 0.75) if "geodesic" in options else 0.0
    p[s.RADIUS_INITIAL] = options.get("factor", row.defaults.get("factor", 10.0))
    if x_scale is not None:
        c[s.GIVEN_SCALE] = 1
        w[s.N_COMMON * n : (s.N_COMMON + 2) * n] = np.tile(1.0 / x_scale, 2)
    if bounded:
        c[s.BOUNDED] = 1
        w[-3 * n : -2 * n], w[-2 * n : -n], w[-n:] = 1.0, variables.lower, variables.upper
    return words, reals


class SquaresWatch(Watch):
    """Looks in at the pauses of a run of ``least_squares``."""

    def __init__(self, run, *rest):
        super().__init__(*rest, None)
        self.of = run

    def x(self):
        return self.of.variables.whole(super().x())

    def result(self):
        result = self.of.report()
        result["fun"], result["nhev"] = result["cost"], 0
        return result


class SquaresRun:
    """One run: the user's functions bound, the state, and what becomes of it."""

    def __init__(self, row, variables, words, reals, fun, jac, args, first, problem):
        self.row, self.variables, self.words, self.reals = row, variables, words, reals
        self.c, self.table = words[: s.N_COUNTERS], words[s.N_COUNTERS :]
        self.p, self.w = reals[: s.N_SCALARS], reals[s.N_SCALARS :]
        self.fun, self.args, self.loss, self.f_scale = fun, args, problem["loss"], problem["f_scale"]
        n = self.c.item(s.N)
        bounded = variables.bounded
        problem = problem | {
            "lower": variables.lower if bounded else None, "upper": variables.upper if bounded else None,
            "map": variables.map, "start": variables.start,
        }  # fmt: skip
        here, there = words.ctypes.data, reals.ctypes.data + 8 * s.N_SCALARS
        self.bound = BoundSquares(
            fun, jac, args, n, first[1].size, first, problem, self.c, self.table, here, there,
            there + 8 * VECTORS * n,
        )  # fmt: skip
        t = self.table
        if self.p[s.ACCEL_MAX] > 0.0:
            t[s.A_HESSP] = units.address("squares/curved")
        t[s.A_TICK], t[s.A_C], t[s.A_P] = TICK, here, reals.ctypes.data
        t[s.A_W], t[s.A_W_SIZE] = there, self.w.size
        self.address = here + 8 * s.N_COUNTERS

    def go(self, callback=None, front=None):
        """Run to an end; the result."""
        c, p, front = self.c, self.p, front or {}
        run = units.function(self.row.unit)
        now = time.monotonic()
        c[s.TICK_IN], c[s.TICK_EVERY], c[s.PAUSE_AT] = 2, 1, _NEVER
        limit = front.get("max_time")
        p[s.DEADLINE] = math.inf if limit is None else now + limit
        p[s.TICK_AT], p[s.TICK_SECONDS], p[s.STARTED_AT] = now + _TICK_SECONDS, _TICK_SECONDS, now
        watch = None
        if callback is not None or front:
            watch = SquaresWatch(self, self.row, "", c, p, self.w, self.table, self.address, front, callback)
        caught = catch_interrupt(c)
        try:
            if watch is None:
                run(self.address)
            else:
                watch.run(run)
        finally:
            if caught:
                release_interrupt()
        ended = c.item(s.STATUS)
        failed = ended in (Status.FAILED, Status.INTERRUPTED) or c[s.ABORT] == INTERRUPTED
        result = self.report(failed)
        if watch is not None:
            watch.add_to(result)
        if failed:
            error = watch.error if watch is not None else None
            python = self.bound.python
            if error is None and ended != Status.FAILED and (python is None or python.error is None):
                error = KeyboardInterrupt()
            error = error or self.bound.error(self.w)
            try:
                error.result = result
            except Exception:
                error.add_note(f"best cost so far: {result.cost}")
            raise error
        return result

    def report(self, failed=False):
        """The result as things stand; residuals and Jacobian are computed again where others stand in their places."""
        c, p, w, variables, n = self.c, self.p, self.w, self.variables, self.c.item(s.N)
        place = c.item(s.PARITY)
        z = w[place * n : (place + 1) * n].copy()
        g = w[(s.G0 + place) * n : (s.G0 + place + 1) * n].copy()
        x = variables.whole(z)
        r, J = self.bound.residuals(z, place), self.bound.jacobian(z)
        if r is None and not failed:
            r = np.atleast_1d(np.asarray(self.fun(x.copy(), *self.args), float))
        if J is None and not failed and r is not None:
            p[s.DEADLINE] = math.inf
            J = self.bound.jacobian_again(z)
        status = LEAST_SQUARES[Status(c.item(s.STATUS)) if c[s.STATUS] != RUNNING else Status.INTERRUPTED]
        if J is not None:
            r_, J = r, variables.columns(J)
            if self.loss != "linear":
                r_, J = weigh(self.loss, self.f_scale, r, J)
            gradient = J.T @ r_
        else:
            gradient = variables.whole(g, offset=False)
        at_lower, at_upper = z <= variables.lower, z >= variables.upper
        if self.row.interior:
            at_lower, at_upper = near_bounds(z, variables.lower, variables.upper, p.item(s.LSQ_XTOL))
        active = variables.whole(np.where(at_upper, 1, np.where(at_lower, -1, 0)), offset=False).astype(int)
        active[variables.fixed] = -1
        room = np.where(g < 0, variables.upper - z, z - variables.lower)
        v = np.where(np.isfinite(room), room, 1.0)
        return OptimizeResult(
            x=x, cost=p.item(s.F), fun=r, jac=J, grad=gradient, optimality=float(np.abs(v * g).max()),
            active_mask=active, nfev=c.item(s.NFEV), njev=c.item(s.NJEV), nit=c.item(s.NIT), status=status,
            message=status.message, success=status.success,
        )  # fmt: skip


def near_bounds(z, lower, upper, rtol):
    """Whether variables are within rtol of the lower and of the upper bound, by scipy's rule: the nearer of the two."""
    down, up = z - lower, upper - z
    near_lower = rtol * np.maximum(1.0, np.abs(np.where(lower > -np.inf, lower, 0.0)))
    near_upper = rtol * np.maximum(1.0, np.abs(np.where(upper < np.inf, upper, 0.0)))
    return down <= np.minimum(up, near_lower), up <= np.minimum(down, near_upper)


def weigh(loss, C, r, J):
    """Residuals and Jacobian with the loss in them, by (2) of numopt.kernels.squares."""
    z = (r / C) ** 2
    if callable(loss):
        d1, d2 = np.asarray(loss(z), float)[1:]
    elif loss == "soft_l1":
        d1, d2 = (1 + z) ** -0.5, -0.5 * (1 + z) ** -1.5
    elif loss == "huber":
        big = np.maximum(z, 1.0)
        d1, d2 = np.where(z <= 1, 1.0, big**-0.5), np.where(z <= 1, 0.0, -0.5 * big**-1.5)
    elif loss == "cauchy":
        d1, d2 = 1 / (1 + z), -1 / (1 + z) ** 2
    else:
        d1, d2 = 1 / (1 + z * z), -2 * z / (1 + z * z) ** 2
    slope = np.sqrt(np.maximum(d1 + 2 * z * d2, np.finfo(float).eps))
    return r * d1 / slope, J * slope[:, None]
