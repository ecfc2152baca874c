"""Batches on a Dask cluster: chunks of problems are tasks.

What all problems share is a task of its own, the result of which each worker is sent once; where its holders are lost
the scheduler runs it again.  The chunks' data are parts of their tasks, of which the scheduler has a few at a time: any
number of problems passes through.  Memory-mapped arrays are mapped by the workers themselves where they see the same
files, else sent.
"""

import inspect
import math
import threading
import time
import warnings
from contextlib import contextmanager, nullcontext, suppress

import numpy as np

from numopt.dask._files import File, Unseen, flush, mapped
from numopt.dask._partials import Together, aligned
from numopt.dask._require import require
from numopt.kernels.status import Status
from numopt.optimize._batch_input import Each
from numopt.optimize._batch_result import BatchResult
from numopt.optimize._batch_run import Progress, read_chunk_size
from numopt.optimize._runs import hand_over, read_count, read_limit
from numopt.optimize._warn import OptimizeWarning, warn

# arguments that have a row for each problem where they have so many dimensions
ROWS = {"X0": 2, "p0": 2, "Y": 2, "lengths": 1, "m": 1}
SHARE = 8  # chunks for each thread of the cluster: the last ones to end leave few threads idle
MOST_PROBLEMS, MOST_BYTES = 1 << 16, 1 << 23  # in a chunk
GRACE = 10.0  # seconds after the time limit in which chunks have to come back
RETRIES = 2  # of a chunk that ended by an exception: that of a worker that is shutting down, or of a file system
_NOT_RUN, _FAILED, _GOOD = int(Status.NOT_RUN), int(Status.FAILED), int(Status.GRADIENT)


def spread(door, *given, client, **named):
    """Run a batch on a cluster.

    Parameters
    ----------
    door : callable
        ``minimize_batch`` or another front door of batches.
    given, named
        Its arguments but for ``client``, looked at by it.
    client : distributed.Client

    Returns
    -------
    BatchResult
        To the last bit that of ``door(*given, **named)``.
    """
    check_client(client)
    batch = _Batch(door, arguments_of(door, given, named), client)
    return batch.run() if batch.count else door(*given, **named)


def arguments_of(door, given, named):
    """By name."""
    signature = inspect.signature(door)
    arguments = dict(signature.bind(*given, **named).arguments)
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments |= arguments.pop(name, {})
    return arguments


def check_client(client):
    """TypeError or ValueError unless it can be given tasks."""
    distributed = require()
    if not isinstance(client, distributed.Client):
        raise TypeError(f"client must be None or a distributed.Client; got {type(client).__name__}")
    if client.asynchronous:
        raise TypeError("client must be a distributed.Client that is not asynchronous")
    if client.status != "running":
        raise ValueError(f"client is no longer connected to its cluster: its status is {client.status!r}")


class Piece:
    """Rows of an argument: of an array, or of one marked by ``each``."""

    def __init__(self, value, rows, by_file):
        array = value.array if isinstance(value, Each) else value
        self.each = isinstance(value, Each)
        self.lengths = value.lengths[rows] if self.each and value.lengths is not None else None
        self.array = pack(array[rows], by_file)

    def get(self):
        """What a front door is given."""
        array = unpack(self.array)
        return Each(array, self.lengths) if self.each else array


def pack(value, by_file):
    """What travels for a value: of a mapped array where it lies, if the workers see the file."""
    if by_file and mapped(value):
        return File(value)
    return np.array(value) if isinstance(value, np.memmap) else value


def unpack(value):
    """The value."""
    return value.open() if isinstance(value, File) else aligned(value)


def travelling(arguments, change):
    """Arguments with each value changed, those of the user's functions too."""
    changed = {name: change(value) for name, value in arguments.items()}
    if "args" in changed:
        changed["args"] = tuple(change(value) for value in changed["args"])
    return changed


def divide(arguments):
    """({(name, place or None): what each problem has its own of}, arguments without it)."""
    own, shared = {}, dict(arguments)
    if "args" in shared and not isinstance(shared["args"], tuple):
        shared["args"] = (shared["args"],)
    bounds = shared.get("bounds")
    sides = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") and hasattr(bounds, "ub") else bounds
    if (
        isinstance(sides, (tuple, list))
        and len(sides) == 2
        and any(isinstance(s, Each) or np.ndim(s) == 2 for s in sides)
    ):
        shared["bounds"] = tuple(sides)
        own |= {("bounds", k): side for k, side in enumerate(sides) if isinstance(side, Each) or np.ndim(side) == 2}
    own |= {("args", k): value for k, value in enumerate(shared.get("args", ())) if isinstance(value, Each)}
    for name, value in shared.items():
        if name not in ("args", "bounds") and (
            isinstance(value, Each) or (name in ROWS and np.ndim(value) == ROWS[name])
        ):
            own[name, None] = value
    own = {path: value if isinstance(value, (Each, np.ndarray)) else np.asarray(value) for path, value in own.items()}
    return own, put(shared, dict.fromkeys(own))


def put(arguments, own):
    """Arguments with those that each problem has its own of in their places."""
    whole = dict(arguments)
    for (name, k), value in own.items():
        if k is None:
            whole[name] = value
        else:
            several = list(whole[name])
            several[k] = value
            whole[name] = tuple(several)
    return whole


def keep(value):
    """A task that has a result."""
    return value


_heard = threading.local()


@contextmanager
def _listening():
    """Optimize warnings are collected for the thread that they are given in."""

    def note(message, category, *place):
        if category is OptimizeWarning and hasattr(_heard, "texts"):
            _heard.texts.append(str(message))
        else:
            shown(message, category, *place)

    with warnings.catch_warnings():
        warnings.simplefilter("always", OptimizeWarning)
        shown, warnings.showwarning = warnings.showwarning, note
        yield


_listeners = Together(_listening)
_alone = (
    threading.Lock()
)  # two calls of functions with parallel loops at once are more than some of Numba's layers bear


def solve(shared, own, until):
    """A chunk of problems, on a worker.

    Returns
    -------
    (BatchResult, list of str)
        And what there was to warn of; None where a file is not seen, () where the time is over.
    """
    left = until - time.time()
    if left <= 0.0:
        return ()
    door, arguments = shared
    try:
        arguments = put(travelling(arguments, unpack), {path: piece.get() for path, piece in own.items()})
    except Unseen:
        return None
    if left < math.inf:
        arguments["max_time"] = left
    _heard.texts = []
    parallel = any(getattr(value, "targetoptions", {}).get("parallel") for value in arguments.values())
    with _listeners, _alone if parallel else nullcontext():
        return door(**arguments), _heard.texts


class _Batch:
    """One batch: what is to be run, what is running, what has come back."""

    def __init__(self, door, arguments, client):
        self.door, self.client = door, client
        self.limit = read_limit(arguments.pop("max_time", None))
        self.shown, self.size = arguments.pop("progress", False), read_chunk_size(arguments.pop("chunk_size", None))
        if arguments.get("n_threads") is not None:
            read_count("n_threads", arguments["n_threads"], 1)
        else:
            arguments["n_threads"] = 1  # a worker runs as many tasks at a time as it has threads
        self.own, self.shared = divide(arguments)
        counts = {path: len(value) for path, value in self.own.items()}
        self.count = next(iter(counts.values()), 0)
        for (name, k), count in counts.items():
            if count != self.count:
                name = name if k is None else f"{name}[{k}]"
                raise ValueError(f"{name} holds {count} problems; there are {self.count}")
        self.by_file, self.future, self.running = True, None, {}
        self.result, self.arrays, self.texts, self.failed = None, None, set(), None
        self.threads, self.asked = 0, -math.inf

    def run(self):
        """Give out the chunks and gather what comes back."""
        until = time.time() + self.limit
        for value in [*self.own.values(), *self.shared.values(), *self.shared.get("args", ())]:
            flush(value.array if isinstance(value, Each) else value)
        if not self._ask():
            warn("client has no workers at present; the batch waits for them")
        size = self.size or self._choose_size()
        left = iter([slice(k, min(k + size, self.count)) for k in range(0, self.count, size)])
        with Progress(f"{self.door.__name__}, {self.threads} threads", self.count, self.shown) as bar:
            try:
                self._go(left, until, bar)
            except BaseException as error:
                if self.arrays is not None or not isinstance(error, Exception):
                    hand_over(error, self._whole())
                raise
            finally:
                with suppress(Exception):  # of a cluster that is no more
                    self.client.cancel([*self.running, *([] if self.future is None else [self.future])], force=True)
        self._tell()
        return self._whole()

    def _go(self, left, until, bar):
        from distributed import as_completed

        timeout = None if until == math.inf else max(until - time.time(), 0.0) + GRACE
        done = as_completed(loop=self.client.loop, timeout=timeout)

        def more():
            # a few more than run, not all at once: there may be many, and large ones
            while len(self.running) < 2 * self._ask() + 2 and time.time() < until:
                rows = next(left, None)
                if rows is None:
                    return
                done.add(self._submit(rows, until))

        more()
        try:
            for future in done:
                rows = self.running[future]
                found = future.result()
                del self.running[future]
                if found is None:
                    if self.by_file:
                        self.by_file, self.future = False, None
                    done.add(self._submit(rows, until))
                elif found:
                    self._keep(rows, *found)
                    bar.add(self._statuses(rows))
                more()
        except TimeoutError:
            return  # whoever has not come back by now does not look at the time limit

    def _ask(self):
        """Threads of the cluster, which may grow and shrink."""
        if time.monotonic() - self.asked > 1.0:
            self.threads, self.asked = sum(self.client.nthreads().values()), time.monotonic()
        return self.threads

    def _choose_size(self):
        arrays = [value.array if isinstance(value, Each) else value for value in self.own.values()]
        each = sum(array[:1].nbytes for array in arrays)
        fair = -(-self.count // (SHARE * max(self.threads, 1)))
        return max(1, min(fair, MOST_PROBLEMS, MOST_BYTES // max(each, 1)))

    def _submit(self, rows, until):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")  # it is sent once
            if self.future is None:
                shared = travelling(self.shared, lambda value: pack(value, self.by_file))
                self.future = self.client.submit(keep, (self.door, shared), pure=False)
            own = {path: Piece(value, rows, self.by_file) for path, value in self.own.items()}
            future = self.client.submit(solve, self.future, own, until, pure=False, retries=RETRIES)
        self.running[future] = rows
        return future

    def _keep(self, rows, result, texts):
        """Put the results of a chunk in their places."""
        if self.arrays is None:
            self._allocate(result)
        for name, array in result._arrays.items():
            self.arrays[name][rows] = array
        for text in texts:
            before, said, what = text.partition("the first, problem ")
            if said:
                number, _, what = what.partition(": ")
                first = rows.start + int(number)
                if self.failed is None or first < self.failed[0]:
                    self.failed = first, what
            elif text.startswith("hess") or "one after the other" in text:
                self.texts.add(text)  # what else there is to say of the arguments the front door has said

    def _allocate(self, result):
        self.result, self.arrays = result, {}
        for name, array in result._arrays.items():
            fill = int(result._statuses.NOT_RUN) if name == "status" else np.nan if array.dtype.kind == "f" else 0
            self.arrays[name] = np.full((self.count, *array.shape[1:]), fill, array.dtype)

    def _statuses(self, rows):
        """Numbers of ``Status`` that the bar understands."""
        status, kinds = self.arrays["status"][rows], self.result._statuses
        good = np.isin(status, [int(kind) for kind in kinds if kind.success])
        return np.where(good, _GOOD, np.where(status == int(kinds.NOT_RUN), _NOT_RUN, _FAILED))

    def _tell(self):
        """Warn of what the workers have warned of, once."""
        if self.failed is not None:
            count = int((self.arrays["status"] == int(self.result._statuses.FAILED)).sum())
            many = "1 problem has" if count == 1 else f"{count} problems have"
            warn(
                f"{many} status FAILED: a callable raised an exception; the first, problem {self.failed[0]}: "
                f"{self.failed[1]}"
            )
        for text in sorted(self.texts):
            warn(text)

    def _whole(self):
        """The result, where all that has not come back was not run."""
        if self.arrays is None:  # nothing has
            nothing = {path: Piece(value, slice(0, 0), False).get() for path, value in self.own.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", OptimizeWarning)
                self._allocate(self.door(**put(self.shared, nothing)))
        return BatchResult(self.arrays, self.result._statuses, self.result._more)
