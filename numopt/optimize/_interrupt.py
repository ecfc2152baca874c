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
    if threading.get_ident() != _MAIN_THREAD:
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
