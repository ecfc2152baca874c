"""Everything that needs a CUDA device, by one command: the tests, then the batches against the clock.

Run it with ``python benchmarks/gpu.py`` where there is a device.  It runs ``pytest -m cuda``, then batches on the
device and on the CPU's threads, and writes what it finds to ``gpu.json`` and ``gpu.md`` (``--out`` names another stem),
with the card's name.  A part that fails is written down with its reason, and the others go on.

* ``gaussian``: fits of a 2-D Gaussian with 5 parameters to 5 x 5 points with Poisson noise, starts within 10 %, in
  single and double precision; transfers, checks and results are part of the time.
* ``rosenbrock``: BFGS on Rosenbrock's function of 10 variables from random starts.

Times are medians of several calls, after a first one that compiles and is given apart.  The share of the memory limit
is that of the bytes that must cross the device's memory at least once (data, starts and results); the share of the
arithmetic limit is that of the evaluations of the function alone, so that both are lower bounds of what is used.

``--simulator`` runs all of it, in tiny sizes and without the tests, in Numba's simulator: to see that the script works.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import traceback
from pathlib import Path

import numba
import numpy as np

import numopt
import numopt.cuda

HALF = np.float32(0.5)  # Numba takes 0.5 for double precision, and so all that it meets
# arithmetic units of a multiprocessor, single and double precision
CORES = {(7, 0): (64, 32), (7, 5): (64, 2), (8, 0): (64, 32), (8, 6): (128, 2), (8, 9): (128, 2), (9, 0): (128, 64),
         (10, 0): (128, 64), (12, 0): (128, 2)}  # fmt: skip
GAUSSIAN_FLOPS, ROSENBROCK_FLOPS = 25, 15  # of a point and of a term, an exponential taken for 10


@numba.njit
def gaussian(x, amplitude, x0, y0, width, offset):
    """A peak on a constant background."""
    u, v = (x[0] - x0) / width, (x[1] - y0) / width
    return amplitude * np.exp(-HALF * (u * u + v * v)) + offset


@numba.njit
def rosenbrock(x, g):
    """Value, and the gradient in place."""
    f = 0.0
    for i in range(x.size):
        g[i] = 0.0
    for i in range(x.size - 1):
        a, b = x[i + 1] - x[i] * x[i], 1.0 - x[i]
        f += 100.0 * a * a + b * b
        g[i] -= 400.0 * a * x[i] + 2.0 * b
        g[i + 1] += 200.0 * a
    return f


def device_facts():
    """Name, memory bandwidth in bytes a second, arithmetic operations a second in single and double precision."""
    facts = {"device": numopt.cuda.name(), "bandwidth": None, "float32": None, "float64": None}
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return facts
    from numba import cuda

    device = cuda.get_current_device()
    try:
        facts["bandwidth"] = 2e3 * device.MEMORY_CLOCK_RATE * device.GLOBAL_MEMORY_BUS_WIDTH / 8
        single, double = CORES[tuple(device.compute_capability)[:2]]
        cycles = 2e3 * device.CLOCK_RATE * device.MULTIPROCESSOR_COUNT  # a multiply-add is two
        facts["float32"], facts["float64"] = cycles * single, cycles * double
    except (AttributeError, KeyError) as error:
        facts["limits unknown"] = f"{type(error).__name__}: {error}"
    return facts


def timed(solve, repeat):
    """(seconds of the first call, median of the others, the last result)."""
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        result = solve()
        times.append(time.perf_counter() - start)
    return times[0], statistics.median(times[1:]), result


def row(what, count, first, seconds, result, bytes_each, flops, facts, dtype):
    """One line of the report."""
    found = {"what": what, "problems": count, "first call (s)": first, "seconds": seconds,
             "per second": count / seconds, "converged": float(result.success.mean())}  # fmt: skip
    if facts and facts["bandwidth"]:
        found["share of memory limit"] = bytes_each * count / seconds / facts["bandwidth"]
    if facts and facts[dtype]:
        found["share of arithmetic limit"] = flops / seconds / facts[dtype]
    return found


def gaussians(count, device, dtype, repeat, facts):
    """Fits of 5 x 5 points."""
    rng = np.random.default_rng(0)
    grid = np.array(np.meshgrid(np.arange(5.0), np.arange(5.0))).reshape(2, 25)
    true = np.column_stack([
        rng.uniform(300, 700, count), rng.uniform(1.6, 2.4, count), rng.uniform(1.6, 2.4, count),
        rng.uniform(0.9, 1.3, count), rng.uniform(5, 15, count),
    ])  # fmt: skip
    starts = true * rng.uniform(0.9, 1.1, true.shape)
    Y = np.empty((count, 25), dtype)
    for k in range(0, count, 100_000):
        part = slice(k, k + 100_000)
        u, v = ((grid[j] - true[part, j + 1, None]) / true[part, 3, None] for j in (0, 1))
        Y[part] = rng.poisson(true[part, :1] * np.exp(-0.5 * (u * u + v * v)) + true[part, 4:])
    first, seconds, result = timed(
        lambda: numopt.curve_fit_batch(gaussian, grid, Y, starts, device=device, dtype=dtype), repeat
    )
    points = 25 * (result.nfev.sum() + 5 * result.njev.sum())
    bytes_each = Y.dtype.itemsize * 25 + 8 * (5 + 5 + 5 + 7 + 30)
    return row(f"Gaussian 5 x 5, {dtype}, {device}", count, first, seconds, result, bytes_each,
               float(GAUSSIAN_FLOPS * points), facts, dtype)  # fmt: skip


def rosenbrocks(count, device, repeat, facts):
    """BFGS from random starts."""
    starts = np.random.default_rng(0).uniform(-2.0, 2.0, (count, 10))
    first, seconds, result = timed(
        lambda: numopt.minimize_batch(rosenbrock, starts, (), "bfgs", "inplace", device=device), repeat
    )
    bytes_each, _ = numopt.cuda.memory_per_problem(10, "bfgs")
    return row(f"Rosenbrock 10, BFGS, {device}", count, first, seconds, result, bytes_each,
               float(ROSENBROCK_FLOPS * 9 * result.nfev.sum()), facts, "float64")  # fmt: skip


def tests():
    """What ``pytest -m cuda`` says at its end."""
    folder = Path(__file__).resolve().parent.parent / "tests"
    out = subprocess.run([sys.executable, "-m", "pytest", "-m", "cuda", "-q", "-rs", str(folder)], capture_output=True,
                         text=True, cwd=folder.parent)  # fmt: skip
    print(out.stdout[-3000:], out.stderr[-2000:], sep="\n")
    lines = out.stdout.strip().splitlines()
    return {"exit status": out.returncode, "summary": lines[-1] if lines else out.stderr[-500:]}


def markdown(report):
    """The report as a page."""
    lines = [f"# {report['device']}", "", f"{report['cpu']}, numopt {report['numopt']}, numba {report['numba']}", ""]
    if "tests" in report:
        lines += [f"Tests: {report['tests']['summary']}", ""]
    lines += ["| what | problems | per second | first call | converged | of memory limit | of arithmetic limit |",
              "|---|---|---|---|---|---|---|"]  # fmt: skip
    for found in report["rows"]:
        if "failed" in found:
            lines.append(f"| {found['what']} | failed: {found['failed']} | | | | | |")
            continue
        shares = [f"{found[key]:.1%}" if key in found else "unknown"
                  for key in ("share of memory limit", "share of arithmetic limit")]  # fmt: skip
        lines.append(
            f"| {found['what']} | {found['problems']:,} | {found['per second']:,.0f} | "
            f"{found['first call (s)']:.1f} s | {found['converged']:.2%} | {' | '.join(shares)} |"
        )
    return "\n".join(lines) + "\n"


def main():
    """Run what is asked for, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="of tests, gaussian, rosenbrock; all if none is named")
    parser.add_argument("--problems", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", default="gpu")
    parser.add_argument("--simulator", action="store_true")
    given = parser.parse_args()
    parts = given.parts or ["tests", "gaussian", "rosenbrock"]
    if given.simulator and os.environ.get("NUMBA_ENABLE_CUDASIM") != "1":
        env = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=env).returncode)
    if not numopt.cuda.available():
        sys.exit(f"no CUDA device: {numopt.cuda.why_not()}")
    count, repeat, devices = given.problems, given.repeat, ["cuda", "cpu"]
    if given.simulator:
        count, repeat, devices, parts = min(count, 12), 1, ["cuda"], [part for part in parts if part != "tests"]
    facts = device_facts()
    report = {**facts, "cpu": f"{platform.machine()}, {os.cpu_count()} cores", "numopt": numopt.__version__,
              "numba": numba.__version__, "python": platform.python_version(), "rows": []}  # fmt: skip
    if "tests" in parts:
        report["tests"] = tests()
    jobs = []
    for device in devices:
        # the CPU has a tenth of the work
        here, limits = (count, facts) if device == "cuda" else (max(1, count // 10), None)
        if "gaussian" in parts:
            jobs += [(f"Gaussian 5 x 5, {dtype}, {device}", gaussians, (here, device, dtype, repeat, limits))
                     for dtype in ("float32", "float64")]  # fmt: skip
        if "rosenbrock" in parts:
            jobs.append((f"Rosenbrock 10, BFGS, {device}", rosenbrocks, (here, device, repeat, limits)))
    for what, job, arguments in jobs:
        try:
            report["rows"].append(job(*arguments))
        except Exception as error:
            traceback.print_exc()
            report["rows"].append({"what": what, "failed": f"{type(error).__name__}: {error}".splitlines()[0]})
        print(json.dumps(report["rows"][-1]), flush=True)
        Path(given.out + ".json").write_text(json.dumps(report, indent=2), encoding="utf-8")
        Path(given.out + ".md").write_text(markdown(report), encoding="utf-8")
    print(markdown(report))
    failed = any("failed" in found for found in report["rows"]) or report.get("tests", {}).get("exit status", 0) != 0
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
