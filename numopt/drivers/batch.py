"""A batch on threads: each runs the compiled loop of ``kernels.batch`` on a block of words of its own."""

import ctypes
import math
import queue
import threading
import time
from contextlib import suppress

import numpy as np

from numopt.drivers import units
from numopt.kernels import batch_slots as b
from numopt.kernels import slots as s
from numopt.kernels.status import Status

_LOOK = 0.05  # seconds between two looks at the threads
_word = ctypes.c_ssize_t
_INTERRUPTED, _MAX_TIME = int(Status.INTERRUPTED), int(Status.MAX_TIME)


def grain_of(count, threads):
    """How many problems a thread takes at a time: few enough that all end at about the same time."""
    return max(1, min(64, count // (16 * threads)))


def share(blocks, counters, count, look=None, deadline=math.inf):
    """Run ``count`` problems on as many threads as there are blocks of words.

    Parameters
    ----------
    blocks : list of ndarray
        One block of words (``batch_slots``) for each thread, complete but for what is set here.
    counters : list of ndarray
        The counters of each thread's run, by which it can be stopped.
    count : int
        Problems.
    look : callable, optional
        ``look(done)``, called every now and then in the calling thread.
    deadline : float
        When to stop, by ``time.monotonic``: problems that are under way end with MAX_TIME.

    Raises
    ------
    BaseException
        What ``look`` or Ctrl-C raises, when all threads have ended; what they have finished is in its place.
    """
    call = ctypes.CFUNCTYPE(ctypes.c_double, _word, _word)(units.address("batch"))
    shared = np.zeros(2, np.int64)  # NEXT, STOP
    for block in blocks:
        block[b.COUNT], block[b.GRAIN], block[b.DONE] = count, grain_of(count, len(blocks)), 0
        block[b.NEXT], block[b.STOP] = shared.ctypes.data, shared.ctypes.data + 8
    begun: list = []
    ended: list = []
    wake: queue.SimpleQueue = queue.SimpleQueue()

    def work(block):
        begun.append(block)
        try:
            if not shared[1]:
                call(block.ctypes.data, 0)
        finally:
            ended.append(block)
            wake.put(None)

    threads = [threading.Thread(target=work, args=(block,), daemon=True) for block in blocks]
    waiting, started, raised, why = threads[::-1], 0, None, _MAX_TIME
    while True:
        # Thread.join is of no use for waiting: Python 3.11 takes one that Ctrl-C interrupts for the thread's end
        try:
            while waiting and not shared[1]:
                waiting.pop().start()
                started += 1
            if shared[1]:
                for c in counters:
                    c[s.ABORT] = why  # again each time: a run may have begun since
            with suppress(queue.Empty):
                wake.get(timeout=0.002 if shared[1] else max(1e-4, min(_LOOK, deadline - time.monotonic())))
            if len(ended) >= started and len(ended) == len(begun):
                break  # one whose start was interrupted finds that it is to stop, if it ever begins
            if not shared[1] and time.monotonic() >= deadline:
                shared[1] = 1
            elif look is not None and raised is None:
                look(sum(int(block[b.DONE]) for block in blocks))
        except BaseException as error:
            raised, why = raised or error, _INTERRUPTED
            shared[1] = 1
    try:
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    except BaseException as error:
        raised = raised or error
    if raised is not None:
        raise raised
