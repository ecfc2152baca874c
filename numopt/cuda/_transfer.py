"""Chunks of problems through the device: transfers beside kernels, on two streams, in the memory that there is.

What a kernel is called with is described by a tuple of arrays, numbers and tuples in which those arrays that are more
than shared data stand as :class:`Rows`, :class:`Results` or :class:`Lanes`.  Each stream has a set of lanes and the
buffers of one chunk, on the device and (page-locked, so that transfers run by themselves) on the host; while one
stream computes, the other sends and fetches.
"""

import time
import warnings

import numpy as np
from numba.core.errors import NumbaPerformanceWarning

from numopt.cuda import _device
from numopt.kernels.status import Status

STREAMS = 2
_CHUNK_BYTES = 2**25  # of a chunk's rows, unless the caller says how many problems: page-locked memory is slow to get
_WAVES = 2  # problems of a chunk for each lane, at least; those of the next begin where lanes of this one have ended
_FEWEST = 32  # problems; where not even they fit there is no point in going on
_FAILED = int(Status.FAILED)


class Rows:
    """An input with one row for each problem; ``dtype`` is what it is converted to on the way, None for as it is."""

    def __init__(self, array, dtype=None):
        self.array, self.shape = array, tuple(array.shape[1:])
        self.there = hasattr(array, "__cuda_array_interface__")  # on the device already: used where it lies
        self.dtype = np.dtype(array.dtype if dtype is None or self.there else dtype)

    def bytes(self):
        """Of a problem."""
        return 0 if self.there else self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))


class Results:
    """A result with one row for each problem, to be written to a host array; its first axis may be empty."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, tuple(array.shape[1:]), array.dtype

    def bytes(self):
        """Of a problem."""
        return self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))


class Lanes:
    """What each lane needs: ``words`` numbers, or an array of that shape, problem-fastest."""

    def __init__(self, words, dtype=np.float64):
        self.shape, self.dtype = words if isinstance(words, tuple) else (int(words),), np.dtype(dtype)

    def on(self, lanes):
        """The shape of the array of so many lanes."""
        return *self.shape, lanes

    def bytes(self):
        """Of a lane."""
        return self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))


class Blocks(Lanes):
    """The same where a block of threads is at a problem: each block's words stand together."""

    def on(self, lanes):
        """The shape of the array of so many blocks."""
        return lanes, *self.shape


def parts(data, kind):
    """All items of a kind in a description, nested tuples included."""
    for item in data:
        if isinstance(item, tuple):
            yield from parts(item, kind)
        elif isinstance(item, kind):
            yield item


def problem_bytes(data):
    """Bytes on the device for each problem of a chunk: its rows and its results, nothing else."""
    return 8 + sum(item.bytes() for item in parts(data, (Rows, Results)))  # 8: the status


def lane_bytes(data):
    """Bytes on the device for each lane."""
    return sum(item.bytes() for item in parts(data, Lanes))


def signature_of(data):
    """The Numba types of what a kernel of lanes is called with."""
    from numba import typeof, types
    from numba.np.numpy_support import from_dtype

    def type_of(item):
        if isinstance(item, tuple):
            return types.Tuple([type_of(part) for part in item])
        if isinstance(item, Rows) and item.there:
            return typeof(_device.adopt(item.array))
        if isinstance(item, (Rows, Results)):
            return types.Array(from_dtype(item.dtype), 1 + len(item.shape), "C")
        if isinstance(item, Lanes):
            return types.Array(from_dtype(item.dtype), len(item.shape) + 1, "C")
        if isinstance(item, np.ndarray):
            return types.Array(from_dtype(item.dtype), item.ndim, "C")
        return typeof(_device.adopt(item) if hasattr(item, "__cuda_array_interface__") else item)

    whole = types.Array(types.int64, 1, "C")
    return types.int64, types.int64, whole, whole, type_of(data)


def _shared(data):
    """The same description with shared arrays on the device."""
    from numba import cuda

    def there(item):
        if isinstance(item, tuple):
            return tuple(map(there, item))
        if isinstance(item, np.ndarray):
            return cuda.to_device(np.ascontiguousarray(item))
        return _device.adopt(item) if hasattr(item, "__cuda_array_interface__") else item

    return there(data)


class _Slot:
    """One stream: its lanes, the buffers of a chunk, and what is under way in them."""

    def __init__(self, data, chunk, lanes, together):
        from numba import cuda

        self.data, self.lanes, self.together, self.stream, self.under_way = data, lanes, together, cuda.stream(), None
        self.inputs = [item for item in parts(data, Rows) if not item.there]
        self.results = list(parts(data, Results))
        self.device, self.host = {}, {}
        for item in (*self.inputs, *self.results):
            self._make(item, (chunk, *item.shape), item.dtype)
        for item in parts(data, Lanes):
            self.device[id(item)] = _device.empty(item.on(lanes), item.dtype)
        self._make("status", (chunk,), np.int64)
        self._make("queue", (1,), np.int64)

    def _make(self, item, shape, dtype):
        key = item if isinstance(item, str) else id(item)
        self.device[key], self.host[key] = _device.empty(shape, dtype), _device.page_locked(shape, dtype)

    def _filled(self, data, first, last):
        """The kernel's data for a chunk."""
        found = []
        for item in data:
            if isinstance(item, tuple):
                found.append(self._filled(item, first, last))
            elif isinstance(item, Rows) and item.there:
                found.append(_device.adopt(item.array)[first:last])
            elif isinstance(item, (Rows, Results)):
                found.append(self.device[id(item)])
            elif isinstance(item, Lanes):
                found.append(self.device[id(item)])
            else:
                found.append(item)
        return tuple(found)

    def begin(self, kernel, first, last):
        """Send the chunk, run it, and ask for the results; returns at once."""
        size, stream = last - first, self.stream
        for item in self.inputs:
            there, here = self.device[id(item)], self.host[id(item)]
            np.copyto(here[:size], item.array[first:last], casting="unsafe")
            there[:size].copy_to_device(here[:size], stream=stream)
        self.host["queue"][0] = 0
        self.device["queue"].copy_to_device(self.host["queue"], stream=stream)
        self.kernel, self.arguments = kernel, _device.plain(self._filled(self.data, first, last))
        self.under_way = first, last  # before it is: one who interrupts this is waited for by `end`
        try:
            self._launch(size)
        except Exception:
            self.under_way = None
            raise

    def _launch(self, size):
        status, queue, threads = self.device["status"], self.device["queue"], _device.block()
        blocks = -(-min(self.lanes, size) // threads)
        if self.together:
            blocks, threads = min(self.lanes, size), self.together
        with warnings.catch_warnings():  # a small grid is all that a small batch needs
            warnings.simplefilter("ignore", NumbaPerformanceWarning)
            launch = self.kernel[blocks, threads, self.stream]
        launch(size, self.lanes, *_device.plain((queue, status)), self.arguments)
        for key in (*(id(item) for item in self.results), "status"):
            self.device[key][:size].copy_to_host(self.host[key][:size], stream=self.stream)
        queue.copy_to_host(self.host["queue"], stream=self.stream)

    def end(self, status):
        """Wait for the chunk under way and put its results in their places; how many problems they are of."""
        if self.under_way is None:
            return 0
        first, last = self.under_way
        size = last - first
        self.stream.synchronize()
        while self.host["queue"][0] < size:
            # a function that raises ends its thread: if all have ended before the problems have, others take the rest
            self._launch(size)
            self.stream.synchronize()
        # where a function has raised nobody wrote a result: what the buffers hold there is of another problem
        written = self.host["status"][:size] != _FAILED
        written = slice(None) if written.all() else written
        for item in self.results:
            item.array[first:last][written] = self.host[id(item)][:size][written]
        status[first:last] = self.host["status"][:size]
        self.under_way = None
        return size


def plan(count, per_problem, per_lane, resident, free, chunk_size=None):
    """(problems of a chunk, lanes) of each stream, for so much free memory in bytes."""
    free //= STREAMS if chunk_size is None or chunk_size < count else 1
    lanes = max(1, min(resident, count if chunk_size is None else min(count, chunk_size)))
    # half of the memory for lanes at most, so that there is always some for problems
    lanes = max(1, min(lanes, free // (2 * per_lane)))
    most = max(1, (free - lanes * per_lane) // per_problem)
    if chunk_size is None:
        chunk_size = max(_WAVES * lanes, min(-(-count // (2 * STREAMS)), _CHUNK_BYTES // per_problem))
    return min(count, chunk_size, most), lanes


def run_chunks(kernel, data, status, *, chunk_size=None, max_time=None, look=None, together=0):
    """Run all problems, chunk after chunk.

    Parameters
    ----------
    kernel : CUDA kernel
        Of :func:`numopt.cuda._lanes.make_kernel`.
    data : tuple
        What it is called with, described by :class:`Rows`, :class:`Results`, :class:`Lanes`; arrays are shared.
    status : ndarray of int64
        One for each problem; those that nobody got to are left as they are.
    chunk_size : int, optional
    max_time : float, optional
        Seconds, after which no chunk is begun.
    look : callable, optional
        ``look(done) -> bool`` after each chunk; whether to stop.
    together : int
        Threads of a block that is at one problem; 0: one problem a thread.

    Raises
    ------
    MemoryError
        Where not even a few problems fit.
    BaseException
        What ``look``, Ctrl-C or a launch raises, when what is under way has ended and is in its place.
    """
    count = len(status)
    if count == 0:
        return
    deadline = None if max_time is None else time.monotonic() + max_time
    per_problem, per_lane = problem_bytes(data), max(1, lane_bytes(data))
    try:
        there = _shared(data)
    except Exception as error:
        if not _device.out_of_memory(error):
            raise
        raise _too_large(per_problem, per_lane, error) from None
    resident = max(1, _device.resident(kernel) // max(1, together))
    chunk, lanes = plan(count, per_problem, per_lane, resident, _device.budget(), chunk_size)
    first, done, slots = 0, 0, []
    try:
        while first < count:
            try:
                if not slots:
                    streams = STREAMS if chunk < count - first else 1
                    for _ in range(streams):
                        slots.append(_Slot(there, chunk, lanes, together))
                slot = slots.pop(0)
                slots.append(slot)
                done += slot.end(status)
                if (look is not None and look(done)) or (deadline is not None and time.monotonic() >= deadline):
                    break
                slot.begin(kernel, first, min(first + chunk, count))
            except Exception as error:
                if not _device.out_of_memory(error):
                    raise
                done += sum(slot.end(status) for slot in slots)
                slots.clear()
                if chunk <= _FEWEST and lanes <= _FEWEST:
                    raise _too_large(per_problem, per_lane, error) from None
                chunk, lanes = max(1, chunk // 2), max(1, lanes // 2)
                continue
            first = min(first + chunk, count)
    finally:
        for slot in slots:
            done += slot.end(status)
    if look is not None:
        look(done)


def _too_large(per_problem, per_lane, error):
    reason = " ".join(str(error).split())[:200]
    return MemoryError(
        f"the device has not enough memory for {_FEWEST} problems at a time, at {per_problem} bytes a problem and "
        f"{per_lane} bytes of workspace ({reason}); device='cpu' would do"
    )
