"""The threads that help with calls on networks: started when first needed, kept, shared by all networks of a process.

A thread waits for a call in Python and works on it in compiled code; a call never waits for a thread that is late.
"""

import os
import queue
import threading
import weakref

from numopt.callbacks.threads import cores

_busy = threading.Lock()  # one call at a time has the helpers
_helpers: list = []  # their queues
networks: weakref.WeakSet = weakref.WeakSet()  # all there are, for the sake of their locks


def usual():
    """How many threads a network takes where it isn't told."""
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(cores(), int(told)) if told.isdigit() and int(told) > 0 else cores()


def _help(calls):
    while True:
        function, table, kept = calls.get()
        function(table, 1)
        del function, table, kept  # the network may go


def _forget():
    """In a forked process there are no threads: nobody would open the locks that they held."""
    global _busy
    _busy = threading.Lock()
    for network in list(networks):
        network._lock = threading.Lock()
    _helpers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def call(function, table, kept, threads):
    """``function(table, 0)`` here, ``function(table, 1)`` on ``threads - 1`` others, which keep ``kept`` alive."""
    if threads < 2 or not _busy.acquire(blocking=False):
        function(table, 0)
        return
    try:
        while len(_helpers) < threads - 1:
            calls: queue.SimpleQueue = queue.SimpleQueue()
            threading.Thread(target=_help, args=(calls,), daemon=True, name="numopt").start()
            _helpers.append(calls)
        for calls in _helpers[: threads - 1]:
            calls.put((function, table, kept))
        function(table, 0)
    finally:
        _busy.release()
