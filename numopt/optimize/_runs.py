"""What front doors that call ``minimize`` many times share."""

import math
import numbers
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from numopt.optimize._interrupt import Crew

COUNTS = ("nit", "nfev", "njev", "nhev")
SHOWN = ("disp", "history", "return_all")


def read_limit(max_time):
    """Seconds that there are for all runs together."""
    if max_time is None:
        return math.inf
    if isinstance(max_time, bool) or not isinstance(max_time, numbers.Real) or not max_time >= 0:
        raise ValueError(f"max_time must be None or a number of seconds, at least 0; got {max_time!r}")
    return float(max_time)


def read_count(name, value, least):
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer; got {value!r:.60}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")
    return int(value)


def at_once(options):
    """The options of a run that ends where it starts, whose errors and warnings are those of all runs."""
    if options is not None and not isinstance(options, dict):
        return options  # for minimize to say so
    return {name: value for name, value in (options or {}).items() if name not in SHOWN} | {"maxiter": 0}


def until(deadline, options):
    """The options of a run that ends at the deadline at the latest."""
    if deadline == math.inf:
        return options
    options, left = dict(options or {}), max(0.0, deadline - time.monotonic())
    given = options.get("max_time")
    return options | {"max_time": left if given is None else min(given, left)}


def hand_over(error, result):
    """Give an exception the result so far."""
    try:
        error.result = result
    except Exception:
        error.add_note(f"best value so far: {result.fun}")


def in_threads(run, numbers, threads, deadline):
    """``run(k)`` for the numbers k, shared by threads; yields the results in order, up to the deadline."""
    crew, over = Crew(), False

    def work(k):
        return None if over or time.monotonic() >= deadline else run(k)

    numbers, pool, futures = iter(numbers), ThreadPoolExecutor(threads, initializer=crew.join), deque()
    try:
        while True:
            # a few ahead of those that run, not all at once: there may be a million
            futures.extend(pool.submit(work, k) for k in islice(numbers, 4 * threads - len(futures)))
            if not futures:
                return
            result = futures[0].result()
            if result is None:
                return
            futures.popleft()
            yield result
    finally:
        # what still runs is of no use: the results are those of the runs up to here, whatever the threads
        over = True
        pool.shutdown(wait=False, cancel_futures=True)
        while any(future.running() for future in futures):
            crew.stop()
            time.sleep(0.002)
        pool.shutdown()
        crew.leave()
