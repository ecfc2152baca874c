"""A batch on threads: each runs the compiled loop of ``kernels.batch`` on a block of words of its own."""

import ctypes
import threading

import numpy as np

from numopt.drivers import units
from numopt.kernels import batch_slots as b
from numopt.kernels import slots as s
from numopt.kernels.status import Status

_LOOK = 0.05  # seconds between two looks at the threads
_word = ctypes.c_ssize_t
_INTERRUPTED = int(Status.INTERRUPTED)


def grain_of(count, threads):
    """How many problems a thread takes at a time: few enough that all end at about the same time."""
    return max(1, min(64, count // (16 * threads)))


def share(blocks, counters, count, look=None):
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
        ``look(done) -> bool``, called every now and then in the calling thread: whether to stop.

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
    raised = None
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        try:
            if shared[1]:
                for c in counters:
                    c[s.ABORT] = _INTERRUPTED  # again each time: a run may have begun since
            for thread in threads:
                thread.join(_LOOK if not shared[1] else 0.002)
            if look is not None and raised is None and look(sum(int(block[b.DONE]) for block in blocks)):
                shared[1] = 1
        except BaseException as error:
            raised = raised or error
            shared[1] = 1
    if raised is not None:
        raise raised
