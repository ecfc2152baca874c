"""A batch of ``minimize`` on the CPU: on each thread one run, which is set to one problem after the other."""

from types import SimpleNamespace

import numpy as np

from numopt.catalog import LINE_SEARCHES
from numopt.drivers import units
from numopt.kernels import batch_slots as b
from numopt.kernels import slots as s
from numopt.kernels.status import Status
from numopt.optimize._batch_bounds import BOUNDED, FIXED, FREE
from numopt.optimize._batch_input import Each, converted, vectors
from numopt.optimize._batch_run import Failures, chunks, compiled, run_chunks, run_singly
from numopt.optimize._bounds import active_bounds
from numopt.optimize._given import place_given
from numopt.optimize._minimize import allot, bind, minimize, new_state
from numopt.optimize._warn import warn
from numopt.result import OptimizeResult

_NEVER = 2**62
_COUNTS = ("nit", "nfev", "njev", "nhev")
_NAN, _FAILED, _NOT_RUN = int(Status.NAN), int(Status.FAILED), int(Status.NOT_RUN)


class Outputs:
    """The arrays of the result, and where a chunk's are written to meanwhile.

    Parameters
    ----------
    batch : MinimizeBatch
    """

    def __init__(self, batch):
        count, n, kind, row = batch.count, batch.n, batch.dtype or np.float64, batch.row
        self.batch = batch
        self.arrays = {"x": np.full((count, n), np.nan, kind), "fun": np.full(count, np.nan, kind)}
        if not row.values_only:
            self.arrays["jac"] = np.full((count, n), np.nan, kind)
        self.arrays["optimality"] = np.full(count, np.nan, kind)
        self.arrays["status"], self.arrays["counts"] = np.full(count, _NOT_RUN), np.zeros((count, 4), np.int64)
        if batch.boxes is not None:
            self.arrays["active_mask"] = np.zeros((count, n), np.int64)
            if not row.values_only:
                self.arrays["bound_multipliers"] = np.zeros((count, n), kind)

    def begin(self, chunk, workers):
        """Tell the threads where the results of a chunk go to: where they stay, if they are doubles."""
        self.here = {
            name: a[chunk] if a.dtype.itemsize == 8 else a[chunk].astype(float) for name, a in self.arrays.items()
        }
        places = {b.OUT_X: "x", b.OUT_F: "fun", b.OUT_G: "jac", b.OUT_GNORM: "optimality", b.OUT_STATUS: "status",
                  b.OUT_COUNTS: "counts"}  # fmt: skip
        for slot, name in places.items():
            for worker in workers:
                worker.block[slot] = self.here[name].ctypes.data if name in self.here else 0
        return self.here["status"]

    def end(self, chunk, among, bounded, order):
        """What is left to do for the problems ``among`` those of a chunk; ``order``: of the norm of gradients."""
        here, boxes = self.here, self.batch.boxes
        mine = among[here["status"][among] != _NOT_RUN]
        if boxes is not None:
            x, (lower, upper) = here["x"][mine], boxes.of(chunk)
            active = here["active_mask"][mine] = active_bounds(x, lower[mine], upper[mine])
            if "jac" in here:
                z = np.where(active == 2, np.nan, here["jac"][mine])
                here["bound_multipliers"][mine] = np.where(active == 0, 0.0, z)
        other = mine[here["optimality"][mine] < 0.0]
        if other.size:
            x, step = here["x"][other], here["jac"][other]
            if bounded:
                step = np.clip(x - step, lower[other], upper[other]) - x
            # NumPy's norm of one vector and of rows may differ in the last bit, but for the largest entry
            here["optimality"][other] = (
                np.abs(step).max(axis=1) if order == np.inf else [np.linalg.norm(row, order) for row in step]
            )
        for name, a in self.arrays.items():
            if a.dtype.itemsize != 8:
                a[chunk] = here[name]

    def put(self, i, result):
        """Keep the result of a single run, None where it brought none; its status."""
        if result is None:
            self.arrays["status"][i] = _FAILED
            return _FAILED
        for name, a in self.arrays.items():
            if name == "counts":
                a[i] = [result[count] for count in _COUNTS]
            elif name in result:
                a[i] = result[name]
        return int(result["status"])

    def found(self):
        """By the names that they have in the result."""
        found = dict(self.arrays)
        counts = np.ascontiguousarray(found.pop("counts").T)
        return found | dict(zip(_COUNTS, counts, strict=True))


class Worker:
    """One thread's run, and its block of words for the loop of ``kernels.batch``."""

    def __init__(self, batch, row, words, reals, front, bounded):
        self.words, self.reals, n = words.copy(), reals.copy(), batch.n
        self.words[s.BOUNDED] = bounded
        search = front.get("line_search", row.line_search)
        fun, jac, hess, hessp = batch.functions
        self.bound, self.extra = bind(
            row, search, self.words, self.reals, front, fun, batch.arguments.of(0), jac, hess, hessp, None
        )
        self.words[s.N_COUNTERS + s.A_TICK] = 0
        self.c = self.words[: s.N_COUNTERS]
        # the clock is looked at from outside
        self.c[s.TICK_IN], self.c[s.TICK_EVERY], self.c[s.PAUSE_AT] = _NEVER, _NEVER, _NEVER
        p, self.w = self.reals[: s.N_SCALARS], self.reals[s.N_SCALARS :]
        p[s.DEADLINE] = p[s.TICK_AT] = np.inf
        self.c0, self.p0, self.w0 = self.c.copy(), p.copy(), self.w.copy()
        block = self.block = np.zeros(b.N_WORDS, np.int64)
        here, there = self.words.ctypes.data, self.reals.ctypes.data
        block[b.UNIT], block[b.TABLE] = units.address(row.unit_for(bounded)), here + 8 * s.N_COUNTERS
        block[b.C], block[b.P], block[b.W] = here, there, self.w.ctypes.data
        block[b.W_SIZE], block[b.N] = self.w.size, n
        block[b.C0], block[b.P0] = self.c0.ctypes.data, self.p0.ctypes.data
        if self.c[s.GIVEN_H]:
            block[b.W0] = self.w0.ctypes.data
        self.patches = np.zeros((0, 4), np.int64)
        if self.bound.data_table is not None:
            table = self.bound.data_table.ctypes.data
            block[b.FLAG] = table + 8
            places = np.array(batch.arguments.places(), np.int64)
            self.patches = np.zeros((len(places), 4), np.int64)
            self.patches[:, b.TARGET] = table + 8 * places
        block[b.PATCHES], block[b.N_PATCHES] = self.patches.ctypes.data, len(self.patches)


class Group:
    """The problems that one unit runs: those without finite bounds, or those with."""

    def __init__(self, batch, bounded, choice):
        self.batch, self.bounded = batch, bounded
        self.row, self.values, self.front = choice
        uniform = batch.boxes is None or bool((batch.boxes.kinds == (BOUNDED if bounded else FREE)).all())
        self.among = None if uniform else self.members

    def members(self, chunk):
        """The numbers, within a chunk, of its problems."""
        if self.batch.boxes is None:
            return np.arange(chunk.stop - chunk.start)
        return np.flatnonzero(self.batch.boxes.kinds[chunk] == (BOUNDED if self.bounded else FREE))

    def names(self):
        """The units that are called for."""
        search = self.front.get("line_search", self.row.line_search)
        return ["batch", self.row.unit_for(self.bounded), *([LINE_SEARCHES[search][1]] if search else [])]

    def make(self, threads):
        """Bind the functions, for each thread."""
        units.address("batch")
        words, scalars = new_state(self.row, self.values)
        reals = allot(self.row, words, scalars, self.batch.n, self.bounded, self.batch.functions[2])
        if self.front:
            place_given(self.row, self.front, words, reals, None, None)
        self.workers = [Worker(self.batch, self.row, words, reals, self.front, self.bounded) for _ in range(threads)]

    def load(self, chunk):
        """Set the words of a chunk in the blocks of all threads."""
        batch = self.batch
        sources, keep = batch.arguments.take(chunk)
        x = batch.starts(chunk)
        places = [(b.X0, x)]
        if self.bounded:
            places += zip((b.LOWER, b.UPPER), batch.boxes.of(chunk), strict=True)
        for worker in self.workers:
            worker.patches[:, 1:] = sources
            for slot, rows in places:
                worker.block[slot], worker.block[slot + 1] = rows.ctypes.data, rows.strides[0]
        self.keep = keep, places
        return batch.outputs.begin(chunk, self.workers)

    def store(self, chunk):
        """The chunk has ended."""
        self.batch.outputs.end(chunk, self.members(chunk), self.bounded, self.values.get("norm"))

    def flaws(self):
        """What was wrong with the user's Hessians."""
        return int(np.bitwise_or.reduce([worker.block[b.FLAWS] for worker in self.workers]))


def solve(batch, threads, chunk_size, clock, progress):
    """Run all problems; the exceptions of the user's functions.  The results are in ``batch.outputs``."""
    failures, outputs = Failures(), batch.outputs
    if batch.count == 0:
        return failures
    fun, jac, hess, hessp = batch.functions
    kind, singles, groups = compiled({"fun": fun, "jac": jac, "hess": hess, "hessp": hessp}), [], []
    if kind is None or _one_by_one(batch, kind):
        singles = range(batch.count)
    else:
        groups = [Group(batch, bounded, choice) for bounded, choice in batch.choices.items()]
        with progress.compiling(["fun"], [name for group in groups for name in group.names()]):
            for group in groups:
                group.make(threads)
        if batch.boxes is not None:
            singles = np.flatnonzero(batch.boxes.kinds == FIXED).tolist()
    clock.start()
    for group in groups:
        parts = chunks(batch.count, chunk_size, bytes_each(batch))
        run_chunks(group.workers, parts, group.load, group.store, clock, progress, group.among)
    failed = np.flatnonzero(outputs.arrays["status"] == _FAILED)
    if failed.size:
        first = int(failed[0])
        failures.count, failures.first, failures.problem = failed.size, _exception(batch, first, clock), first
    several = threads if kind is not None else 1
    run_singly(singles, lambda i: single(batch, i, clock), outputs.put, clock, progress, failures, several, batch.count)
    flaws = 0
    for group in groups:
        flaws |= group.flaws()
    if flaws & 1:
        warn("hess returned matrices that are not symmetric; their symmetric parts were used")
    if flaws & 2:
        warn(f"{'hess' if hess is not None else 'hessp'} returned NaN or inf; steps were taken without it there")
    return failures


def _one_by_one(batch, kind):
    """Whether all problems go by the single call: what the loop of ``kernels.batch`` has no place for."""
    own_data = kind == "pointer" and any(isinstance(arg, Each) for arg in batch.args)
    simplex, schedule = (batch.front.get(name) is not None for name in ("initial_simplex", "schedule"))
    return own_data or simplex or schedule or bool(batch.values.get("n_terms"))


def single(batch, i, clock):
    """The result of problem i by the single call."""
    here = slice(i, i + 1)
    x, box = batch.starts(here)[0], None
    if not np.isfinite(x).all():
        return OptimizeResult({"x": x, "status": Status.NAN} | dict.fromkeys(_COUNTS, 0))
    if batch.boxes is not None:
        lower, upper = batch.boxes.of(here)
        box = SimpleNamespace(lb=lower[0], ub=upper[0])
    fun, jac, hess, hessp = batch.functions
    return minimize(fun, x, batch.arguments.of(i), batch.method, jac, hess, hessp, box, tol=batch.tol,
                    options=clock.options(batch.options))  # fmt: skip


def _exception(batch, i, clock):
    """What a compiled function raised for problem i."""
    try:
        single(batch, i, clock)
    except Exception as error:
        return error
    return RuntimeError("an exception that did not come again")


def bytes_each(batch):
    """How many bytes have to be converted for each problem."""
    one, total = slice(0, 1), batch.arguments.bytes_each()
    if batch.count == 0:
        return 0
    boxes = batch.boxes
    for array in (batch.X0, *([] if boxes is None else [boxes.lower, boxes.upper])):
        total += converted(array, vectors(array, one))
    if boxes is not None and boxes.moved:
        total += 24 * batch.n
    if batch.dtype == np.float32:
        total += 8 * (3 * batch.n + 2)
    return total
