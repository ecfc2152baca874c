"""A batch of sums of squares on threads: each thread's run is set to one problem after the other."""

import copy
from contextlib import nullcontext

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.residuals import kind_of_both
from numopt.drivers import units
from numopt.kernels import batch_slots as b
from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q
from numopt.kernels.status import LEAST_SQUARES, Status
from numopt.optimize._batch_covariance import covariances
from numopt.optimize._batch_run import (
    Clock,
    Failures,
    Progress,
    chunks,
    compiled,
    read_threads,
    run_chunks,
    run_singly,
)
from numopt.optimize._batch_squares_arrays import Results
from numopt.optimize._batch_squares_data import ModelRun, ResidualRun, out_of_range
from numopt.optimize._squares import SMALLEST, NotFinite
from numopt.optimize._variables import Variables
from numopt.result import OptimizeResult

_NEVER = 2**62
_NOT_RUN, _NAN, _FAILED = int(Status.NOT_RUN), int(Status.NAN), int(Status.FAILED)
_LOOP_NUMBERS = {int(end): int(status) for status, end in reversed(LEAST_SQUARES.items())}
_PLACES = {"cost": "fun"}
_WITHOUT = OptimizeResult()  # of a problem that is not finite at its start


def _address(there):
    return there if isinstance(there, int) else there.ctypes.data


class Worker:
    """One thread's run."""

    def __init__(self, run, covariance):
        self.run, self.c = run, run.c
        c, p, t = run.c, run.p, run.table
        c[s.TICK_IN] = c[s.TICK_EVERY] = c[s.PAUSE_AT] = _NEVER
        p[s.DEADLINE] = p[s.TICK_AT] = np.inf
        t[s.A_TICK], t[s.A_SEARCH] = 0, units.address(run.row.unit)
        self.c0, self.p0, self.w0 = c.copy(), p.copy(), run.w.copy()
        bound, block = run.bound, np.zeros(b.N_WORDS, np.int64)
        self.block = block
        block[b.UNIT] = units.address("squares/finish" if covariance else run.row.unit)
        block[b.TABLE], block[b.C], block[b.P], block[b.W] = (a.ctypes.data for a in (t, c, p, run.w))
        block[b.C0], block[b.P0], block[b.W0] = (a.ctypes.data for a in (self.c0, self.p0, self.w0))
        block[b.W_SIZE], block[b.N], block[b.SQUARES] = run.w.size, c[s.N], 1
        self.tables = {"block": bound.block.ctypes.data}
        if bound.data_table is not None:
            self.tables["args"] = bound.data_table.ctypes.data
            block[b.FLAG] = self.tables["args"] + 8
        if q.AT in bound.arrays:
            self.tables["at"] = bound.arrays[q.AT].ctypes.data

    def load(self, found, starts, boxes, out):
        """Set what belongs to a chunk."""
        block = self.block
        self.patches = np.array([
            (self.tables[table] + 8 * slot, _address(at), at.strides[0] if stride is None else stride, kind)
            for table, slot, at, stride, kind in found
        ], np.int64).reshape(-1, 4)  # fmt: skip
        block[b.PATCHES], block[b.N_PATCHES] = self.patches.ctypes.data, len(self.patches)
        block[b.X0], block[b.X0_STRIDE] = starts.ctypes.data, starts.strides[0]
        for box, slot in zip(boxes, (b.LOWER, b.UPPER), strict=False):
            block[slot], block[slot + 1] = box.ctypes.data, box.strides[0]
        for slot, array in out.items():
            block[slot] = 0 if array is None else array.ctypes.data


class Group:
    """Problems whose runs are alike.

    ``members``: which of all they are; ``start``: one of them that has a start.
    """

    def __init__(self, problem, members, start, results):
        self.of, self.members, self.results = problem, members, results
        lower, upper = problem.lower, problem.upper
        self.own = lower is not None and lower.ndim == 2
        if lower is None:
            lower, upper = np.full(problem.n, -np.inf), np.full(problem.n, np.inf)
        elif self.own:
            lower, upper = lower[start], upper[start]
        v = self.variables = Variables(
            np.array(problem.X0[start], float), lower, upper, problem.held or None, problem.ties, problem.names or None
        )
        if problem.row.interior:
            v.go_inside()
        self.run = (ModelRun if problem.kind == "model" else ResidualRun)(problem, v, start)
        held = problem.X0[:, problem.held]
        self.varied = v.map is not None and bool(problem.held) and not (held == held[start]).all()
        self.again: list = []  # problems to be run by the single call

    def load(self, chunk):
        """Set all threads to a chunk; the array of their statuses."""
        problem, v = self.of, self.variables
        X0 = np.asarray(problem.X0[chunk], float)
        self.boxes = [side[chunk][:, v.free] for side in (problem.lower, problem.upper)] if self.own else []
        self.starts = self._inside(np.ascontiguousarray(X0[:, v.free]))
        self.map = v.map
        found, count, n = self.run.load(chunk), len(X0), v.start.size
        sizes = np.abs(self.starts)
        sizes[sizes == 0.0] = 1.0
        found.append(("block", q.TYPICAL, sizes, None, b.ADDRESS))
        if self.varied:
            self.map = np.repeat(v.map[None], count, axis=0)
            self.map[:, 0, problem.held] = X0[:, problem.held]
            found.append(("block", q.MAP, self.map, None, b.ADDRESS))
        boxes = [np.ascontiguousarray(side, float) for side in self.boxes] if v.bounded else []
        found += [("block", slot, box, None, b.ADDRESS) for slot, box in zip((q.LOWER, q.UPPER), boxes, strict=False)]
        triangles = np.empty((count, n, n + 1)) if problem.covariance else None
        self.out = {
            b.OUT_X: np.empty((count, n)), b.OUT_G: np.empty((count, n)), b.OUT_F: np.empty(count),
            b.OUT_GNORM: np.empty(count), b.OUT_STATUS: np.full(count, _NOT_RUN),
            b.OUT_COUNTS: np.zeros((count, 4), np.int64), b.OUT_TRIANGLE: triangles,
        }  # fmt: skip
        self.loaded = found, boxes
        for worker in self.workers:
            worker.load(found, self.starts, boxes, self.out)
        return self.out[b.OUT_STATUS]

    def among(self, chunk):
        """The numbers of its problems within a chunk."""
        return np.flatnonzero(self.members[chunk])

    def _inside(self, z):
        """Starts moved from the bounds where the method keeps within; see ``Variables.go_inside``."""
        v = self.variables
        if not self.of.row.interior:
            return z
        lower, upper = self.boxes or (v.lower, v.upper)
        with np.errstate(invalid="ignore"):
            half = 0.5 * (upper - lower)
            above = np.maximum(z, lower + np.minimum(half, 1e-10 * np.maximum(1.0, np.abs(lower))))
            z = np.where(lower > -np.inf, above, z)
            below = np.minimum(z, upper - np.minimum(half, 1e-10 * np.maximum(1.0, np.abs(upper))))
            return np.ascontiguousarray(np.where(upper < np.inf, below, z))

    def whole(self, z):
        """All variables of a chunk's problems from those of their runs."""
        v = self.variables
        if v.map is None:
            return z
        if self.of.ties:  # one by one, as the products of many round otherwise
            maps = self.map if self.varied else np.broadcast_to(v.map, (len(z), *v.map.shape))
            return np.array([row @ A[1:] + A[0] for row, A in zip(z, maps, strict=True)])
        x = np.array(np.broadcast_to(self.map[..., 0, :], (len(z), v.all)))
        x[:, v.free] = z
        return x

    def store(self, chunk):
        """Keep what has come of a chunk."""
        problem, v, found, out = self.of, self.variables, self.results, self.out
        z, g, f, status = (out[slot] for slot in (b.OUT_X, b.OUT_G, b.OUT_F, b.OUT_STATUS))
        counts = out[b.OUT_COUNTS]
        at = np.arange(problem.count)[chunk]
        ran = status != _NOT_RUN
        self._look_again(at, f, status, counts[:, 1])
        if not ran.all():
            at, z, g, f, status, counts = (a[ran] for a in (at, z, g, f, status, counts))
            self.map = self.map[ran] if self.varied else self.map
        x, boxes = self.whole(z), [side[ran] for side in self.boxes]
        found.x[at], found.grad[at], found.fun[at], found.status[at] = x, v.spread(g), f, status
        found.nit[at], found.nfev[at], found.njev[at] = counts[:, :3].T
        found.optimality[at] = out[b.OUT_GNORM][ran]
        found.fixed[at] = v.fixed
        if v.bounded:
            lower, upper = boxes or (v.lower, v.upper)
            with np.errstate(invalid="ignore"):
                room = np.where(g < 0, upper - z, z - lower)
                found.optimality[at] = np.abs(np.where(np.isfinite(room), room, 1.0) * g).max(axis=1, initial=0.0)
        if not v.plain:
            own = copy.copy(v)
            own.box = tuple(side[at] for side in (problem.lower, problem.upper)) if self.own else v.box
            found.active_mask[at] = own.active(x, problem.tolerances[1] if problem.row.interior else 0.0)
        if problem.covariance:
            rows = problem.m if problem.lengths is None else problem.lengths[at]
            for table, slot, array, _, _ in self.loaded[0]:
                if (table, slot) == ("block", q.M):
                    rows = array[ran]
            good = np.isfinite(f) & (status != _FAILED)
            C = covariances(problem, v, out[b.OUT_TRIANGLE][ran], f, rows, counts[:, 3] != 0)
            found.covariance[at] = np.where(good[:, None, None], C, np.nan)

    def _look_again(self, at, f, status, nfev):
        """Note the problems that the single call runs otherwise: their residuals are out of the range of squares."""
        self.again += at[status == _FAILED].tolist()
        if self.of.loss == "poisson":
            return
        odd = (status == _NAN) & (nfev == 1)
        odd |= np.isfinite(f) & ~(2.0 * f > SMALLEST) & (status != _NOT_RUN)
        if odd.any():
            params = self.whole(self.starts)
            self.again += [int(at[k]) for k in np.flatnonzero(odd)
                           if np.isfinite(params[k]).all() and self.run.finite(at[k])
                           and out_of_range(self.run, at[k], params[k])]  # fmt: skip

    def go(self, threads, clock, progress):
        """Run all; False where the model turns out not to be one of single rows."""
        problem = self.of
        title = getattr(problem.fun, "__name__", "the model")
        names = ["batch", problem.row.unit, *("squares/" + name for name in ("value", "grad", "value_grad", "finish"))]
        with progress.compiling([title], names) if progress.shown else nullcontext():
            self.workers = [Worker(self.run.make(), problem.covariance) for _ in range(threads)]
            units.address("batch")
            sample = [i for i in self.run.sample() if self.members[i]]
            for i in sample:
                if not self.run.separable(i, self._start(i)):
                    return False
        if clock.deadline == np.inf:
            clock.start()
        each = 8 * (problem.n * problem.n + 8 * problem.n + 16) + self.run.bytes_each
        parts, among = chunks(problem.count, problem.chunk_size, each), None if self.members.all() else self.among
        run_chunks(self.workers, parts, self.load, self.store, clock, progress, among)
        ran = self.results.status != _NOT_RUN
        # where a fit has gone astray rounding alone may tell rows from all: that is a matter of this one problem
        doubtful = [i for i in sample if ran[i] and not self.run.separable(i, self.results.x[i])]
        self.again += doubtful
        return sum(Status(int(self.results.status[i])).success for i in doubtful) <= 1

    def _start(self, i):
        """Problem i's start, of all variables."""
        z = np.asarray(self.of.X0[i : i + 1], float)[:, self.variables.free]
        self.map = self.variables.map
        if self.varied:
            self.map = self.map[None].copy()
            self.map[:, 0, self.of.held] = self.of.X0[i, self.of.held]
        return self.whole(z)[0]


def serial(problem):
    """Whether all problems go by the single call, one by one."""
    if problem.kind == "model":
        return kind_of(problem.fun) != "jitted"
    return kind_of_both(problem.fun, problem.jac) == "python"


def groups(problem, results):
    """(groups of problems that threads run, numbers of those that the single call runs)."""
    P, count = problem, problem.count
    alone = np.zeros(count, bool)
    good = np.isfinite(P.X0).all(axis=1)
    if serial(P) or callable(P.loss) or not good.any():
        return [], np.arange(count)
    sides, kinds = [side for side in (P.lower, P.upper) if side is not None and side.ndim == 2], np.zeros(count, int)
    varied = bool(P.held) and not (P.X0[:, P.held] == P.X0[good.argmax(), P.held]).all()
    if P.ties and (sides or (varied and any(set(factors) & set(P.held) for _, factors in P.ties.values()))):
        return [], np.arange(count)
    if sides:
        free = np.setdiff1d(np.arange(P.n), P.held)
        alone |= (P.lower[:, free] == P.upper[:, free]).any(axis=1)
        kinds = (np.isfinite(P.lower[:, free]) | np.isfinite(P.upper[:, free])).any(axis=1).astype(int)
    found = []
    for kind in (0, 1):
        those = (kinds == kind) & ~alone
        if not (those & good).any():
            alone |= those
            continue
        group = Group(P, those, int((those & good).argmax()), results)
        if group.variables.free.size == 0 or not group.run.compiled:
            return [], np.arange(count)
        if P.row.name == "lm" and (P.lengths is not None or P.omit):
            rows = P.rows() if P.omit else P.lengths
            short = those & (rows < group.variables.free.size) & (rows > 0)  # of none: their status is NAN
            alone |= short
            group.members = those & ~short
        found.append(group)
    return found, np.flatnonzero(alone)


def solve(problem, single, back=None, alone=False):
    """Run a batch on threads of the CPU; its :class:`Results`.

    Parameters
    ----------
    problem : SquaresProblem
    single : callable
        ``single(i, clock) -> result`` of the single call for problem i; its ``x``, ``cost`` and so on.
    back : callable, optional
        ``back(results) -> BatchResult``, of what there is when Ctrl-C ends it.
    alone : bool
        Whether all problems go by the single call.
    """
    results, clock, failures, again = Results(problem), Clock(problem.max_time), Failures(), set()
    threads = read_threads(problem.n_threads, problem.count, (problem.fun, problem.jac))
    if problem.count == 0:
        return results

    def one(i):
        if not np.isfinite(problem.X0[i]).all():
            return _WITHOUT
        try:
            return single(i, clock)
        except NotFinite:
            return _WITHOUT
        except Exception as error:
            if i not in again:
                raise
            failures.add(i, error)
            return None

    def put(i, result):
        results.x[i] = problem.X0[i]
        for array in (results.fun, results.grad, results.optimality, results.covariance):
            if array is not None:  # nothing stays of a run by threads
                array[i] = np.nan
        if not result:
            results.status[i] = _FAILED if result is None else _NAN
        else:
            for name in (
                "x",
                "cost",
                "active_mask",
                "nit",
                "nfev",
                "njev",
                "grad",
                "optimality",
                "fixed",
                "covariance",
            ):
                place = getattr(results, _PLACES.get(name, name))
                if place is not None and name in result:
                    place[i] = result[name]
            results.status[i] = _LOOP_NUMBERS[int(result["status"])]
        return results.status[i]

    with Progress(
        "fits" if problem.kind == "model" else "sums of squares", problem.count, problem.progress
    ) as progress:
        try:
            if serial(problem):
                compiled({"fun": problem.fun, "jac": problem.jac})
            found, alone = ([], np.arange(problem.count)) if alone else groups(problem, results)
            for group in found:
                if not group.go(threads, clock, progress):
                    results.clear()  # all that was found is of another model
                    alone, again = np.arange(problem.count), set()
                    break
                again |= set(group.again)
            alone = sorted({*alone.tolist(), *again})
            if clock.deadline == np.inf:
                clock.start()
            many = 1 if serial(problem) else threads
            run_singly(alone, one, put, clock, progress, failures, many, problem.count)
        except BaseException as error:
            if back is not None and not isinstance(error, Exception):
                error.result = back(results)
            raise
    failures.warn()
    return results
