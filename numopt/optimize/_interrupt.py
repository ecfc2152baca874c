"""Ctrl-C during a run."""

import ctypes
import threading

# The C functions themselves: signal.signal wraps their numbers in enumerations, which takes longer than a small run.
from _signal import SIGINT, getsignal
from _signal import signal as set_signal
from signal import default_int_handler

from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels.status import Status

_MAIN_THREAD = threading.main_thread().ident


def _nothing(_):
    """Called by compiled code now and then; running any Python code lets Python handle signals."""
    return 0.0


def _make_tick():
    pointer = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t)(_nothing)
    return pointer, ctypes.cast(pointer, ctypes.c_void_p).value


_TICK_KEEP, TICK = _make_tick()


INTERRUPTED = int(Status.INTERRUPTED)
_running: list = []  # the counters of the main thread's runs, one inside the other
_in_crews: dict = {}  # those of the last run of each thread that a front door has started


def _on_interrupt(number, frame):
    """End all runs of the main thread.

    An exception that Python raises before a callback's first line would be lost in ctypes, so the flags are set first;
    inside of the package nothing is raised, the front door looks at the flag.
    """
    for c in _running:
        c[s.ABORT] = INTERRUPTED
    if frame is None or not frame.f_code.co_filename.startswith(units.PACKAGE_FOLDER):
        raise KeyboardInterrupt


def catch_interrupt(c):
    """Have Ctrl-C end this run; whether that is so.  A handler of the user's own is left alone."""
    thread = threading.get_ident()
    if thread != _MAIN_THREAD:
        if thread in _in_crews:
            _in_crews[thread] = c
        return False
    if not _running:
        if getsignal(SIGINT) is not default_int_handler:
            return False
        _running.append(c)
        set_signal(SIGINT, _on_interrupt)
    else:
        _running.append(c)
    return True


def release_interrupt():
    """The run is over."""
    _running.pop()
    if not _running:
        set_signal(SIGINT, default_int_handler)


class Crew:
    """Threads whose runs can be ended from outside: Ctrl-C comes to the main thread alone."""

    def __init__(self):
        self.threads = []

    def join(self):
        """Called by each thread at its start."""
        self.threads.append(threading.get_ident())
        _in_crews[self.threads[-1]] = None

    def stop(self):
        """Have the runs of the threads end."""
        for thread in self.threads:
            c = _in_crews[thread]
            if c is not None:
                c[s.ABORT] = INTERRUPTED

    def leave(self):
        """The threads have ended."""
        for thread in self.threads:
            del _in_crews[thread]
