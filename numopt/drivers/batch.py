"""A batch on threads: each runs the compiled loop of ``kernels.batch`` on a block of words of its own."""

import ctypes
import math
import threading
import time

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
    threads = [threading.Thread(target=call, args=(block.ctypes.data, 0), daemon=True) for block in blocks]
    waiting, raised, why = threads[::-1], None, _MAX_TIME
    while True:
        try:
            while waiting:
                waiting.pop().start()
            if shared[1]:
                for c in counters:
                    c[s.ABORT] = why  # again each time: a run may have begun since
            left = [thread for thread in threads if thread.is_alive()]
            if not left:
                break
            wait = 0.002 if shared[1] else max(1e-4, min(_LOOK, deadline - time.monotonic()))
            left[0].join(wait)
            if not shared[1] and time.monotonic() >= deadline:
                shared[1] = 1
            elif look is not None and raised is None:
                look(sum(int(block[b.DONE]) for block in blocks))
        except BaseException as error:
            raised, why = raised or error, _INTERRUPTED
            shared[1] = 1
    if raised is not None:
        raise raised
