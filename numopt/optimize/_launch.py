"""Start a compiled loop, and raise what ended it from outside."""

import math
import time

from numopt.kernels import slots as s
from numopt.kernels.status import Status
from numopt.optimize._interrupt import INTERRUPTED, catch_interrupt, release_interrupt

_TICK_SECONDS = 0.05
_NEVER = 2**62


def launch(run, c, p, address, limit, watch):
    """Run until a status is reached, ``limit`` seconds at most; through ``watch`` where there is one."""
    now = time.monotonic()
    c[s.TICK_IN], c[s.TICK_EVERY] = 2, 1  # the start is evaluated in any case
    p[s.DEADLINE] = math.inf if limit is None else now + limit
    p[s.TICK_AT], p[s.TICK_SECONDS], p[s.STARTED_AT] = now + _TICK_SECONDS, _TICK_SECONDS, now
    caught = catch_interrupt(c)
    try:
        if watch is None:
            c[s.PAUSE_AT] = _NEVER
            run(address)
        else:
            watch.run(run)
    finally:
        if caught:
            release_interrupt()


def raise_what_ended(result, c, errors):
    """Raise the exception or the Ctrl-C that ended the run, with the result so far as its attribute.

    ``errors()`` gives the exception of a callable, or None where none of them raised one.
    """
    status = result["status"]
    # the flag may be up though the run had come to its end by itself
    if not (status is Status.FAILED or status is Status.INTERRUPTED or c[s.ABORT] == INTERRUPTED):
        return
    error = errors()
    if error is None:
        error = KeyboardInterrupt() if status is not Status.FAILED else RuntimeError("a callable failed")
    try:
        error.result = result
    except Exception:
        error.add_note(f"best value so far: {result.fun}")
    raise error
