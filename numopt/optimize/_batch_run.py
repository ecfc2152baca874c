"""How the problems of a batch are run: threads, chunks, the time limit, the bar, and problems that go one by one."""

import math
import time
import warnings
from contextlib import closing, contextmanager
from itertools import islice

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.threads import cores
from numopt.drivers import batch, units
from numopt.kernels import batch_slots as b
from numopt.kernels.status import Status
from numopt.optimize._runs import in_threads, read_count, read_limit
from numopt.optimize._warn import OptimizeWarning, warn

BUFFERS = 2**26  # bytes of converted data that are held at a time
_NOT_RUN, _FAILED = int(Status.NOT_RUN), int(Status.FAILED)
_GOOD = np.zeros(128, bool)
_GOOD[[int(status) for status in Status if status.success]] = True


def read_threads(n_threads, count, functions=()):
    """How many threads share the problems: no more than there are problems.

    Functions with parallel loops of their own take all threads for one problem at a time: two such calls at once would
    be two users of Numba's threads, which not all of its threading layers survive.
    """
    many = cores() if n_threads is None else read_count("n_threads", n_threads, 1)
    if any(getattr(function, "targetoptions", {}).get("parallel") for function in functions):
        many = 1
    return max(1, min(many, count))


def read_chunk_size(chunk_size):
    """Problems in a chunk; None for the front door to choose."""
    return None if chunk_size is None else read_count("chunk_size", chunk_size, 1)


def read_dtype(dtype):
    """float32, float64 or None."""
    if dtype is None:
        return None
    try:
        found = np.dtype(dtype)
        if found == np.float32 or found == np.float64:
            return found
    except TypeError:
        pass
    raise ValueError(f"dtype must be None, float32 or float64; got {dtype!r:.60}")


def chunks(count, chunk_size, bytes_each=0):
    """Slices that the problems are taken in: all at once, unless ``bytes_each`` have to be converted for each."""
    if chunk_size is None:
        chunk_size = max(1024, BUFFERS // bytes_each) if bytes_each else max(count, 1)
    for first in range(0, count, chunk_size):
        yield slice(first, min(first + chunk_size, count))


class Clock:
    """The time limit of a batch, which begins when all is compiled."""

    def __init__(self, max_time):
        self.limit, self.deadline = read_limit(max_time), math.inf

    def start(self):
        """Now."""
        self.deadline = time.monotonic() + self.limit

    def over(self):
        """Whether no problem is to be begun any more."""
        return self.deadline < math.inf and time.monotonic() >= self.deadline

    def options(self, options):
        """The options of a single run that ends at the deadline at the latest."""
        if self.deadline == math.inf:
            return options
        return dict(options or {}) | {"max_time": max(0.0, self.deadline - time.monotonic())}


class Progress:
    """A bar over the problems: how many are done, how many a second, how many converged; nothing unless ``shown``.

    Use as a context; ``look`` is called with the problems done in this chunk and their statuses, ``add`` at its end.
    """

    def __init__(self, title, total, shown):
        self.shown, self.title, self.total, self.bar = bool(shown), title, total, None
        self.done, self.good, self.started = 0, 0, None

    def __enter__(self):
        if self.shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(20),
                TextColumn("{task.completed:.0f}/{task.total:.0f}{task.fields[more]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(),  # made here, so that redirected output goes where the user wants it
            )
            self.task = self.bar.add_task(self.title, total=self.total, more="")
            self.bar.start()
        return self

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.stop()

    @contextmanager
    def compiling(self, functions, names):
        """Say what is compiled meanwhile: the user's functions, and those of the units that the cache lacks."""
        if self.bar is None:
            yield
            return
        what = ", ".join([*functions, *(name for name in names if not units.is_cached(name))])
        self.bar.update(self.task, description=f"compiling {what}")
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self.bar.update(self.task, description=self.title)
        if seconds > 0.05:
            self.bar.console.print(f"compiled {what} in {seconds:.1f} s", highlight=False)

    def look(self, done, status):
        """Show where the chunk stands, of which so many are done."""
        if self.bar is None:
            return
        now = time.perf_counter()
        self.started = self.started or now - 1e-9
        done, good = self.done + done, self.good + int(_GOOD[status].sum())
        rate = done / (now - self.started)
        self.bar.update(self.task, completed=done, more=f"  {rate:,.0f}/s  {good} converged")

    def add(self, status):
        """A chunk has ended; the statuses (numbers of ``Status``) of its problems."""
        if self.bar is not None:
            self.look(int((status != _NOT_RUN).sum()), status)
            self.done, self.good = self.done + len(status), self.good + int(_GOOD[status].sum())


def run_chunks(workers, parts, load, store, clock, progress, among=None, unit="batch"):
    """Run chunks of problems, one after the other, on all threads.

    Parameters
    ----------
    workers : list
        For each thread an object with its block of words, ``block``, and the counters of its run, ``c``.
    parts : iterable of slice
        The chunks.
    load : callable
        ``load(chunk) -> status``: set what the chunk needs in all blocks; returns the array that their statuses are
        written to, filled with ``Status.NOT_RUN``.
    store : callable
        ``store(chunk)``, when the chunk has ended, be it by Ctrl-C.
    clock : Clock
    progress : Progress
    among : callable, optional
        ``among(chunk) -> numbers``, within the chunk, of the problems that are meant.  Default: all.
    unit : str
        The compiled loop over problems.
    """
    blocks, counters = [worker.block for worker in workers], [worker.c for worker in workers]
    for chunk in parts:
        if clock.over():
            return
        order = np.arange(chunk.stop - chunk.start) if among is None else np.ascontiguousarray(among(chunk), np.int64)
        if not order.size:
            continue
        status = load(chunk)
        for block in blocks:
            block[b.ORDER] = 0 if among is None else order.ctypes.data

        def look(done, status=status, order=order):
            progress.look(done, status[order])

        try:
            batch.share(blocks, counters, len(order), look if progress.shown else None, clock.deadline, unit)
        finally:
            store(chunk)
            progress.add(status[order])


class Failures:
    """Exceptions of the user's functions: how many problems have failed by one, and the first."""

    def __init__(self):
        self.count, self.first, self.problem = 0, None, None

    def add(self, problem, error):
        """One more."""
        self.count += 1
        if self.first is None or problem < self.problem:
            self.first, self.problem = error, problem

    def warn(self):
        """Tell the caller, once."""
        if self.count:
            many = "1 problem has" if self.count == 1 else f"{self.count} problems have"
            warn(
                f"{many} status FAILED: a callable raised an exception; the first, problem {self.problem}: "
                f"{type(self.first).__name__}: {self.first}"
            )


def run_singly(problems, solve, put, clock, progress, failures, threads=1, count=0):
    """Problems that go one by one, by the single call.

    Parameters
    ----------
    problems : sequence of int
    solve : callable
        ``solve(i) -> result`` of the single call.
    put : callable
        ``put(i, result) -> status``: keep the result of problem i, None where there is none; its number of ``Status``.
    clock : Clock
    progress : Progress
    failures : Failures
    threads : int
        More than one where the functions are compiled.
    count : int
        Problems of the whole batch: where all of them raise, it is an argument's fault, and the first exception raised.
    """

    def attempt(i):
        try:
            return solve(i), None
        except BaseException as error:
            return getattr(error, "result", None), error

    def results():
        # the first one alone: it compiles what is missing
        for i in islice(problems, 1 if threads > 1 else None):
            if clock.over():
                return
            yield attempt(i)
        if threads > 1:
            yield from in_threads(attempt, problems[1:], threads, clock.deadline)

    raised, first = 0, None
    with warnings.catch_warnings(), closing(results()) as found:
        # what there is to say of the arguments has been said
        warnings.filterwarnings("ignore", "(?!hess)", OptimizeWarning)
        for k, (result, error) in enumerate(found):
            status = put(problems[k], result)
            if error is not None:
                if not isinstance(error, Exception):
                    raise error  # Ctrl-C
                failures.add(problems[k], error)
                if result is None:
                    raised += 1
                    first = first or error
                    if raised == count:
                        raise first
            progress.add(np.array([status]))


def one_kind(functions):
    """``'jitted'`` or ``'pointer'`` where all functions are that, else None; what is no function does not count."""
    kinds = {kind_of(f) for f in functions if f is not None and not isinstance(f, (bool, str))}
    return kinds.pop() if len(kinds) == 1 and "python" not in kinds else None


def compiled(functions):
    """The same of name -> function, with a hint of what would be faster where it is None."""
    kind = one_kind(functions.values())
    if kind is None:
        given = {name: f for name, f in functions.items() if f is not None and not isinstance(f, (bool, str))}
        python = [name for name, f in given.items() if kind_of(f) == "python"]
        what = f"{python[0]} is a Python function" if len(python) == 1 else f"{', '.join(python)} are Python functions"
        what = what if python else "some callables are jitted, others C functions"
        warn(f"{what}: the problems are solved one after the other; under numba.njit they run on all threads")
    return kind
