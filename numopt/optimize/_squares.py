"""What ``least_squares`` and ``curve_fit`` share: the run of a sum of squares, and its report."""

import math
import time

import numpy as np

from numopt.callbacks.bind import address_of_array, kind_of
from numopt.callbacks.residuals import BoundSquares
from numopt.catalog import squares_words
from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q
from numopt.kernels.status import LEAST_SQUARES, NEW, RUNNING, Status
from numopt.optimize._interrupt import INTERRUPTED, TICK, catch_interrupt, release_interrupt
from numopt.optimize._rank import DEPENDENT, NOISY, rank_warning, undetermined
from numopt.optimize._warn import warn
from numopt.optimize._watch import Watch
from numopt.result import OptimizeResult

_TICK_SECONDS = 0.05
SMALLEST, LARGEST = 1e-280, 1e300  # of sums of squares
_NEVER = 2**62
_NOTHING = {"y": None, "sigma": None, "cholesky": None, "steps": None, "unit": 1.0}
_FAILED = int(Status.FAILED)
ENDS = {int(status): (end, end.success, end.message) for status, end in LEAST_SQUARES.items()}
ENDS[NEW] = ENDS[RUNNING] = ENDS[INTERRUPTED]


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


def within(r):
    """Whether the sum of squares neither overflows nor falls below what can be told from zero."""
    with np.errstate(all="ignore"):
        return SMALLEST < r.dot(r) < LARGEST


def residuals_at(fun, x, args, m):
    """The residuals at the start, of one more evaluation; of a C function, as many zeros as it has residuals."""
    kind = kind_of(fun)
    if kind == "pointer":
        if m is None:
            raise ValueError("a C function needs options={'m': number of residuals}")
        return np.zeros(m)
    if kind == "jitted" and not fun.overloads:
        from numba.core.compiler_lock import global_compiler_lock

        from numopt.callbacks import arguments, jitted, jitted_residuals

        with global_compiler_lock:
            # compiled and checked first: what does not compile is said in one line
            jitted_residuals.residuals(jitted.with_arguments(fun, 1 + len(args)), arguments.types_of(args))
    r = fun(x.copy(), *args)
    if type(r) is np.ndarray and r.ndim == 1 and r.dtype == np.float64 and 0 < r.size < 1000 and within(r):
        return r
    r = np.atleast_1d(np.asarray(r))
    if r.ndim != 1 or r.size == 0:
        raise ValueError(f"fun must return at least one residual, as a 1-D array; it returned shape {r.shape}")
    if r.dtype.kind not in "fiub":
        raise TypeError(f"fun must return real numbers; it returned {r.dtype} data")
    if not np.isfinite(r).all():
        j = int(np.flatnonzero(~np.isfinite(r))[0])
        raise NotFinite(f"residuals are not finite in the initial point: fun(x0)[{j}] is {r[j]}")
    return r.astype(float)


class NotFinite(ValueError):
    """Data, a start, or what a function gives there are not finite, or not to be had the logarithm of."""


class SquaresWatch(Watch):
    """Looks in at the pauses of a run of ``least_squares``."""

    def __init__(self, run, *rest):
        super().__init__(*rest, None)
        self.of = run

    def x(self):
        return self.of.variables.whole(super().x())

    def result(self):
        # what the display shows at its end
        return OptimizeResult(self.of.report(), fun=float(self.p[s.F]), nhev=0)


class SquaresRun:
    """One run: the user's functions bound, the state, and what becomes of it.

    Parameters
    ----------
    row : Method
    variables : Variables
    words, reals : ndarray
        As from :func:`new_state`.
    fun, jac, args
        The user's.
    m : int
        How many residuals there are.
    first : ndarray (m,) or None
        The residuals at the start, where they are known.
    problem : dict
        ``loss``, ``f_scale``; where there are such ``unit``, what the run's residuals are multiples of, ``steps``,
        ``y``, ``sigma``, ``cholesky``, and the ``start`` of a run that goes on.
    """

    binder: type = BoundSquares

    def __init__(self, row, variables, words, reals, fun, jac, args, m, first, problem):
        self.row, self.variables, self.words, self.reals = row, variables, words, reals
        self.c, self.table = words[: s.N_COUNTERS], words[s.N_COUNTERS :]
        self.p, self.w = reals[: s.N_SCALARS], reals[s.N_SCALARS :]
        n = self.c.item(s.N)
        bounded = variables.bounded
        self.start = problem.get("start", variables.start)
        self.problem = problem = _NOTHING | problem | {
            "start": self.start,
            "lower": variables.lower if bounded else None, "upper": variables.upper if bounded else None,
            "map": variables.map,
        }  # fmt: skip
        here, there = address_of_array(words), address_of_array(reals)
        w = there + 8 * s.N_SCALARS
        self.bound = self.binder(
            fun, jac, args, n, m, first, problem, self.c, self.table, here, w, w + 8 * q.VECTORS * n
        )
        t = self.table
        if self.p[s.ACCEL_MAX] > 0.0:
            t[s.A_HESSP] = units.address("squares/curved")
        t[s.A_TICK], t[s.A_C], t[s.A_P], t[s.A_W], t[s.A_W_SIZE] = TICK, here, there, w, self.w.size
        self.address = here + 8 * s.N_COUNTERS

    @property
    def near(self):
        """How near to a bound, relative, counts as at it."""
        return self.p.item(s.LSQ_XTOL) if self.row.interior else 0.0

    def go(self, callback=None, front=None):
        """Run to an end; the result."""
        c, p = self.c, self.p
        run = units.function(self.row.unit)
        now = time.monotonic()
        c[s.TICK_IN], c[s.TICK_EVERY], c[s.PAUSE_AT] = 2, 1, _NEVER
        limit = front.get("max_time") if front else None
        p[s.DEADLINE] = math.inf if limit is None else now + limit
        p[s.TICK_AT], p[s.TICK_SECONDS], p[s.STARTED_AT] = now + _TICK_SECONDS, _TICK_SECONDS, now
        watch = None
        if callback is not None or front:
            watch = SquaresWatch(self, self.row, "", c, p, self.w, self.table, self.address, front or {}, callback)
        caught = catch_interrupt(c)
        try:
            if watch is None:
                run(self.address)
            else:
                watch.run(run)
        finally:
            if caught:
                release_interrupt()
        ended, aborted = c.item(s.STATUS), c.item(s.ABORT)
        failed = ended == _FAILED or ended == INTERRUPTED or aborted == INTERRUPTED
        result = self.report(failed)
        if watch is not None:
            watch.add_to(result)
        if failed:
            error = watch.error if watch is not None else None
            python = self.bound.python
            if error is None and ended != _FAILED and (python is None or python.error is None):
                error = KeyboardInterrupt()
            error = error or self.bound.error(self.w)
            try:
                error.result = result
            except Exception:
                error.add_note(f"best cost so far: {result.cost}")
            raise error
        return result

    def undetermined(self, names=None):
        """The combinations of variables that the Jacobian at hand says nothing about; ``names``: of the user's."""
        c, p, w, n = self.c, self.p, self.w, self.c.item(s.N)
        place, scheme = c.item(s.PARITY), self.bound.block.item(q.SCHEME)
        z, free = w[place * n : (place + 1) * n], n
        if self.variables.bounded:
            inside = (z > self.variables.lower) & (z < self.variables.upper)
            free = int(inside.sum())
        if scheme == 0 and c.item(s.NIT) > 0 and p.item(s.LSQ_RANK) == free:
            return []  # by the factor of the last step
        start = q.VECTORS * n + place * n * (n + 1)
        R = w[start : start + n * (n + 1)].reshape(n, n + 1)[:, :n]
        threshold = NOISY.get(scheme, DEPENDENT)
        if free == n and (abs(R.diagonal()) > 10.0 * threshold * abs(R).sum(axis=0)).all():
            return []  # where columns depend on each other, one has next to nothing left on the diagonal
        there = self.variables.free if self.variables.map is not None else np.arange(n)
        names = [f"x[{j}]" if names is None else names[j] for j in there]
        if free < n:
            R, names = R[:, inside], [name for name, good in zip(names, inside, strict=True) if good]
        return undetermined(R, names, threshold) if names else []

    def warn_of_rank(self, result):
        """Say what the residuals do not determine, where the run ended well."""
        if result["status"] > 0:
            found = self.undetermined()
            if found:
                warn(rank_warning(found))

    def state(self):
        """All that it takes to go on, see ``numopt.optimize._squares_state``."""
        problem, variables = self.problem, self.variables
        loss, jac = problem["loss"], self.bound.jac
        more = {
            "m": self.bound.m, "start": self.start.copy(), "f_scale": problem["f_scale"], "unit": problem["unit"],
            "loss": loss if type(loss) is str else "callable", "jac": jac if type(jac) is str else "callable",
        }  # fmt: skip
        if problem["steps"] is not None:
            more["steps"] = problem["steps"]
        if not variables.plain:
            more.update(variables.saved())
        return self.row.name, "", self.c.copy(), self.reals.copy(), more

    def report(self, failed=False):
        """The result as things stand; residuals and Jacobian are computed again where others stand in their places."""
        p, w, variables, bound = self.p, self.w, self.variables, self.bound
        n, nfev, njev, _, nit, _, _, status = self.c[: s.STATUS + 1].tolist()
        place = self.c.item(s.PARITY)
        z = w[place * n : (place + 1) * n].copy()
        r, J = bound.residuals(z, place), bound.jacobian(z)
        if (r is None or J is None) and not failed:
            p[s.DEADLINE] = math.inf
            bound.evaluate_again(w, place, n)
            r, J = bound.residuals(z, place), bound.jacobian(z)
        g = w[(s.G0 + place) * n : (s.G0 + place + 1) * n].copy()
        optimality = p.item(s.GNORM) if not variables.bounded else variables.optimality(z, g)
        x = variables.whole(z)
        if J is not None:
            J = variables.columns(J)
            if self.problem["loss"] != "linear":
                J = J * slopes(self.problem["loss"], self.problem["f_scale"], r)[:, None]
        cost, unit, gradient = p.item(s.F), self.problem["unit"], variables.spread(g)
        if unit != 1.0:
            with np.errstate(over="ignore"):
                cost, optimality, gradient = (a * unit * unit for a in (cost, optimality, gradient))
                r, J = (a if a is None else a * unit for a in (r, J))
        status, success, message = ENDS[status]
        result = OptimizeResult({
            "x": x, "cost": cost, "fun": r, "jac": J, "grad": gradient, "optimality": optimality,
            "active_mask": variables.active(x, self.near), "nfev": nfev, "njev": njev, "nit": nit, "status": status,
            "message": message, "success": success,
        })  # fmt: skip
        result.state = self.state()
        return result


def slopes(loss, C, r):
    """The weights of a Jacobian's rows with the loss in it, (m,): (2) of numopt.kernels.squares without its floor."""
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
    return np.sqrt(np.maximum(d1 + 2 * z * d2, np.finfo(float).eps))
