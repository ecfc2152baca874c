"""What a process pays before its first result: imports, the first minimize, a new jitted objective.

Run it with ``python benchmarks/startup.py``; each figure is the median of several new processes, in milliseconds.
"""

import statistics
import subprocess
import sys
import time

ROSEN = "def rosen(x):\n    return ((1 - x[:-1])**2 + 100 * (x[1:] - x[:-1]**2)**2).sum()\n"
JITTED = """
import time, numba, numpy as np, numopt
numopt.minimize(numba.njit(lambda x: (x @ x, 2 * x)), np.ones(2), jac=True)

@numba.njit
def rosen(x):
    f, g = 0.0, np.zeros(x.size)
    for i in range(x.size - 1):
        a, b = x[i + 1] - x[i] ** 2, 1.0 - x[i]
        f += 100.0 * a * a + b * b
        g[i] += -400.0 * a * x[i] - 2.0 * b
        g[i + 1] += 200.0 * a
    return f, g

x0 = np.array([-1.2, 1.0])
start = time.perf_counter()
rosen(x0)
own = time.perf_counter() - start
start = time.perf_counter()
numopt.minimize(rosen, x0, jac=True)
print(own, time.perf_counter() - start)
"""


def process(code, repeat=11):
    """Median seconds of new processes."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    """Print the figures."""
    first = ROSEN + "import numopt; numopt.minimize(rosen, [-1.2, 1.0])"
    process(first, 1)  # fills the cache of compiled solvers
    bare, ours = process("pass"), process("import numopt")
    print(f"import numopt, beyond the interpreter's start      {1e3 * (ours - bare):7.1f} ms")
    ours = process("import numpy as np\n" + first)
    theirs = process(
        "import numpy as np\n" + ROSEN + "from scipy.optimize import minimize; minimize(rosen, [-1.2, 1.0])"
    )
    print(f"process with one minimize of a Python objective    {1e3 * ours:7.1f} ms")
    print(f"the same script with scipy                         {1e3 * theirs:7.1f} ms")
    pairs = []
    for _ in range(5):
        out = subprocess.run([sys.executable, "-c", JITTED], check=True, capture_output=True, text=True)
        pairs.append([float(t) for t in out.stdout.split()])
    own, added = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"a new jitted objective: its own compilation        {1e3 * own:7.1f} ms")
    print(f"a new jitted objective: added by the first minimize{1e3 * added:7.1f} ms")


if __name__ == "__main__":
    main()
