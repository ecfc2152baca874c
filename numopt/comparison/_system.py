"""What numopt runs on: versions, processor, threads, cache."""

import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from contextlib import nullcontext

_PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "llvmlite")


def version_of(package):
    """The version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor():
    """The processor's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def versions():
    """The versions that a measurement depends on, and the processor.

    Returns
    -------
    dict
    """
    import numopt

    found = {"numopt": numopt.__version__, "python": platform.python_version()}
    found.update({name: version_of(name) or "not installed" for name in _PACKAGES})
    return {"versions": found, "cpu": processor(), "cpu_count": os.cpu_count()}


def blas():
    """The BLAS libraries that are loaded, one line each."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return ["unknown (threadpoolctl is not installed)"]
    # NumPy and SciPy load theirs with these
    import numpy.linalg  # noqa: F401
    import scipy.linalg  # noqa: F401
    import threadpoolctl

    lines = []
    for pool in threadpoolctl.threadpool_info():
        if pool.get("user_api") == "blas":
            name, version = pool.get("internal_api", "?"), pool.get("version") or "unknown version"
            build = pool.get("architecture") or "unknown build"
            threads = pool.get("num_threads")
            owner = next((p for p in ("numpy", "scipy") if f"{p}.libs" in pool.get("filepath", "")), "")
            lines.append(f"{name} {version}, {build}, {threads} threads" + (f" ({owner})" if owner else ""))
    return lines or ["none found"]


def blas_threads():
    """How many threads the loaded BLAS libraries take; 0 if that can't be told."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return 0
    import threadpoolctl

    pools = threadpoolctl.threadpool_info()
    return max((pool["num_threads"] for pool in pools if pool.get("user_api") == "blas"), default=0)


def limit_blas(threads):
    """A context in which BLAS takes at most so many threads; 0 leaves it alone."""
    if threads == 0 or importlib.util.find_spec("threadpoolctl") is None:
        return nullcontext()
    import threadpoolctl

    return threadpoolctl.threadpool_limits(threads, "blas")


def _busy_seconds():
    """Processor seconds spent by all processes since the machine started; None if that can't be told."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            numbers = [int(word) for word in file.readline().split()[1:9]]
        # without idle and waiting for disks; time that a hypervisor took away counts
        return (sum(numbers) - numbers[3] - numbers[4]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


class Load:
    """How busy other processes keep the machine, from now on."""

    def __init__(self):
        self.start = time.perf_counter(), time.process_time(), _busy_seconds()

    def of_others(self):
        """The cores that other processes kept busy, on average; None if unknown."""
        wall, own, busy = self.start
        now = _busy_seconds()
        if busy is None or now is None:
            return None
        used = now - busy - (time.process_time() - own)
        return round(max(0.0, used / max(time.perf_counter() - wall, 1e-9)), 2)


def cuda():
    """Whether Numba can use an NVIDIA GPU, in words."""
    version = version_of("numba-cuda")
    if version is None:
        return "not installed"
    from numopt import cuda as device

    missing = device.why_not()
    return f"numba-cuda {version}, {device.name() if missing is None else missing}"


def cache():
    """(folder or None, {unit: whether compiled}) of the compiled units."""
    from numopt.drivers import units

    folder = units.cache_folder()
    return None if folder is None else str(folder), {name: units.is_cached(name) for name in units.UNITS}


def facts():
    """All of it, as plain values.

    Returns
    -------
    dict
        For JSON: ``versions``, ``platform``, ``cpu``, ``cpu_count``, ``usable_cpus``, ``numba_threads``, ``blas``,
        ``cuda``, ``cache`` (None: no folder can be written to), ``compiled`` (unit: whether it is), ``executable``.
    """
    import numba

    affinity = getattr(os, "sched_getaffinity", None)
    folder, state = cache()
    return {
        **versions(),
        "platform": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "usable_cpus": len(affinity(0)) if affinity else os.cpu_count(),
        # not get_num_threads(), which would start the threads
        "numba_threads": numba.config.NUMBA_NUM_THREADS,
        "blas": blas(),
        "cuda": cuda(),
        "cache": folder,
        "compiled": state,
        "executable": sys.executable,
    }


def report():
    """All of it, for the screen.

    Returns
    -------
    dict
        Title of a line to its text.
    """
    found = facts()
    lines = dict(found["versions"])
    lines["platform"] = found["platform"]
    lines["cpu"] = found["cpu"]
    lines["cores"] = f"{found['cpu_count']}, {found['usable_cpus']} of them usable by this process"
    lines["numba threads"] = str(found["numba_threads"])
    for k, line in enumerate(found["blas"]):
        lines["blas" if k == 0 else f"blas {k + 1}"] = line
    lines["cuda"] = found["cuda"]
    lines["cache"] = found["cache"] or "none: no folder can be written to, so units are compiled in each process"
    state = found["compiled"]
    waiting = [name for name, compiled in state.items() if not compiled]
    lines["compiled"] = f"{len(state) - len(waiting)} of {len(state)} units"
    if waiting:
        lines["to compile"] = ", ".join(waiting) + " (when first used, or now by `numopt warmup`)"
    lines["executable"] = found["executable"]
    return lines
