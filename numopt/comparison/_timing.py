"""How solvers are timed."""

import gc
import time
import warnings

import numpy as np

# A median over fewer than this many seconds is mostly noise, so short runs are repeated more often ...
_LEAST_SECONDS = 0.02
_MOST_REPEATS = 100
# ... and a long run is hardly noisy: it isn't repeated once this much time has gone into it.
_ENOUGH_SECONDS = 0.25
_SLOW_SECONDS = 1.0  # a first call, with all that it may have had to compile


def _call(solver):
    """(result or exception, seconds) of one call."""
    started = time.perf_counter()
    try:
        result = solver()
    except Exception as error:  # a solver that raises is a finding, and the other runs go on
        result = error
    return result, time.perf_counter() - started


def measure(solvers, repeat, one_thread=False):
    """[result, seconds of the first call, {BLAS threads: later seconds}] for each solver.

    ``one_thread``: whether with one BLAS thread only.  The solvers take turns, so that a processor that slows down
    meanwhile slows down all of them.
    """
    from numopt.comparison._system import blas_threads, limit_blas

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = [[*_call(solver), {}] for solver in solvers]
        usable = [k for k, (result, _, _) in enumerate(found) if not isinstance(result, Exception)]
        usual = blas_threads()
        # a garbage collection would be charged to whichever solver happens to run
        collecting = gc.isenabled()
        gc.disable()
        try:
            for threads in (usual,) if usual <= 1 else (1,) if one_thread else (usual, 1):
                seconds: dict[int, list[float]] = {k: [] for k in usable}
                with limit_blas(threads):
                    # a call of some seconds is not repeated: where it is slow by default threads, its first call tells
                    slow = [k for k in usable if threads == usual > 1 and found[k][1] > _SLOW_SECONDS]
                    for k in slow:
                        seconds[k].append(found[k][1])
                    open_ = [k for k in usable if k not in slow]
                    while open_:
                        for k in open_:
                            seconds[k].append(_call(solvers[k])[1])
                        open_ = [k for k in open_ if wants_more(seconds[k], repeat)]
                for k in usable:
                    found[k][2][threads] = seconds[k]
        finally:
            if collecting:
                gc.enable()
    return found


def wants_more(seconds, repeat):
    """Whether a median over these calls needs another."""
    total = sum(seconds)
    if len(seconds) < repeat:
        return total < _ENOUGH_SECONDS
    return total < _LEAST_SECONDS and len(seconds) < max(repeat, _MOST_REPEATS)
