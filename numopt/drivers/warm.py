"""Compile everything ahead of time."""

import time

from numopt.drivers import units


def warmup(progress=False):
    """Compile all solvers and line searches, and keep them on disk.

    What is compiled already costs nothing.  Without this call a solver is compiled when it is first used.

    Parameters
    ----------
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict
        Unit -> seconds it took.
    """
    seconds = {}
    names = list(units.UNITS)
    if progress:
        from rich.progress import track

        names = track(names, description="compiling")
    for name in names:
        start = time.perf_counter()
        units.address(name)
        seconds[name] = time.perf_counter() - start
    return seconds
