"""Fits of a million rows beside scipy's: time, memory, first call.

Run it with ``python benchmarks/curve_fit.py [rows]``.  Three Gaussians and a constant, ten parameters, jitted, by
differences and with their Jacobian; scipy gets the same compiled functions.  Times are medians of alternating runs.
Memory is the peak of the resident set above what it was before the call, the data (x and y) not counted in, over the
size of the data, each in a process of its own after a fit of a few rows, so that compiled code is not counted.
"""

import statistics
import subprocess
import sys
import time

import numpy as np
import scipy.optimize
from numba import njit

import numopt

TRUE = np.array([1.0, 2.0, 0.5, 2.0, 5.0, 1.0, 1.5, 8.0, 0.7, 0.1])


@njit
def peaks(x, a1, b1, c1, a2, b2, c2, a3, b3, c3, d):
    """Three Gaussians and a constant."""
    first = a1 * np.exp(-(((x - b1) / c1) ** 2))
    second = a2 * np.exp(-(((x - b2) / c2) ** 2))
    return first + second + a3 * np.exp(-(((x - b3) / c3) ** 2)) + d


@njit
def peaks_jacobian(x, a1, b1, c1, a2, b2, c2, a3, b3, c3, d):
    """Its derivatives, (m, 10)."""
    J = np.empty((x.size, 10))
    for i in range(x.size):
        for k, (a, b, c) in enumerate(((a1, b1, c1), (a2, b2, c2), (a3, b3, c3))):
            t = (x[i] - b) / c
            e = np.exp(-t * t)
            J[i, 3 * k] = e
            J[i, 3 * k + 1] = 2.0 * a * e * t / c
            J[i, 3 * k + 2] = 2.0 * a * e * t * t / c
        J[i, 9] = 1.0
    return J


def data(m):
    """(x, y) of m rows."""
    x = np.linspace(0.0, 10.0, m)
    y = peaks(x, *TRUE)
    y += 0.05 * np.random.default_rng(0).standard_normal(m)
    return x, y


def solvers(x, y, jac):
    """The calls that are compared."""
    p0 = 1.1 * TRUE
    residual = lambda p: peaks(x, *p) - y  # noqa: E731
    given = None if jac is None else lambda p: jac(x, *p)
    return {
        "numopt": lambda: numopt.curve_fit(peaks, x, y, p0, jac=jac, full_output=False),
        "scipy curve_fit": lambda: scipy.optimize.curve_fit(peaks, x, y, p0, jac=jac, full_output=True),
        "scipy least_squares lm": lambda: scipy.optimize.least_squares(
            residual, p0, jac="2-point" if given is None else given, method="lm"
        ),
    }


def status(name):
    """A line of the process' memory, in bytes."""
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))


def memory(name, m, jac):
    """Print the peak of the resident set above where it stood, over the size of the data."""
    jac = peaks_jacobian if jac == "jac" else None
    solvers(*data(2 * 4096), jac)[name]()
    x, y = data(m)
    call = solvers(x, y, jac)[name]
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # sets the peak back
    before = status("VmRSS")
    call()
    print((status("VmHWM") - before) / (x.nbytes + y.nbytes))


def main(m):
    """Print the table."""
    x, y = data(m)
    begin = time.perf_counter()
    solvers(*data(2 * 4096), None)["numopt"]()
    print(f"first call, 8192 rows, compiling: {time.perf_counter() - begin:.2f} s")
    for title, jac in (("differences", None), ("jac", peaks_jacobian)):
        calls = solvers(x, y, jac)
        taken = {name: [] for name in calls}
        for round_ in range(4):
            for name, call in calls.items():
                begin = time.perf_counter()
                found = call()
                if round_:
                    taken[name].append(time.perf_counter() - begin)
                popt = found[0] if isinstance(found, tuple) else found.x
                assert np.allclose(popt, TRUE, rtol=0.05), name
        medians = {name: statistics.median(times) for name, times in taken.items()}
        print(f"\n{title:12} {'seconds':>10} {'ratio':>7} {'peak memory / data':>20}")
        for name, seconds in medians.items():
            out = subprocess.run(
                [sys.executable, __file__, "memory", name, str(m), title], capture_output=True, text=True, check=True
            )
            print(f"{name:24} {seconds:9.3f} {seconds / medians['numopt']:6.1f} {float(out.stdout):10.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        memory(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
