"""Large sparse least squares beside scipy's ``trf`` with LSMR: seconds, evaluations, cost.

Run it with ``python benchmarks/sparse_least_squares.py [names]``.  Residuals are the same NumPy functions on both
sides, at the same tolerances, all else at default options.  scipy works with x_scale=1 and with x_scale='jac'; its row
is that of the two that comes to the lower cost, or the quicker one if both do.  Times are medians of three interleaved
calls; scipy's that take over 4 s are made once.
"""

import statistics
import sys
import time
import tracemalloc

import numpy as np
import scipy.optimize
import scipy.sparse

from numopt import least_squares


def tridiagonal(n):
    """Broyden's tridiagonal function, and its pattern."""

    def fun(x):
        r = (3.0 - 2.0 * x) * x + 1.0
        r[1:] -= x[:-1]
        r[:-1] -= 2.0 * x[1:]
        return r

    return fun, scipy.sparse.diags_array([1.0] * 3, offsets=[-1, 0, 1], shape=(n, n)), -np.ones(n)


def banded(n):
    """Broyden's banded function: five below the diagonal, one above."""
    offsets = range(-5, 2)

    def fun(x):
        t, total = x * (1.0 + x), np.zeros(n)
        for k in offsets:
            if k < 0:
                total[-k:] += t[:k]
            elif k > 0:
                total[:-k] += t[k:]
        return x * (2.0 + 5.0 * x * x) + 1.0 - total

    return fun, scipy.sparse.diags_array([1.0] * 7, offsets=list(offsets), shape=(n, n)), -np.ones(n)


def curves(count, points=15):
    """Exponentials, each with an amplitude and a rate, with one offset in common."""
    rng = np.random.default_rng(0)
    t = np.linspace(0.0, 3.0, points)
    a, b = rng.uniform(1.0, 5.0, count), rng.uniform(0.3, 3.0, count)
    y = a[:, None] * np.exp(-b[:, None] * t) + 0.7 + 0.02 * rng.standard_normal((count, points))

    def fun(x):
        return (x[:count, None] * np.exp(-x[count : 2 * count, None] * t) + x[-1] - y).ravel()

    rows, own = np.arange(count * points), np.repeat(np.arange(count), points)
    columns = np.concatenate([own, count + own, np.full(rows.size, 2 * count)])
    pattern = scipy.sparse.coo_array((np.ones(columns.size), (np.tile(rows, 3), columns)))
    return fun, pattern.tocsr(), np.concatenate([np.ones(2 * count), [0.0]])


class Bundle:
    """Cameras (rotation vector, position, focal length) and points seen by some of them, with outliers."""

    def __init__(self, cameras, points, seen=6, seed=0, outliers=0.05):
        rng = np.random.default_rng(seed)
        C, P = np.zeros((cameras, 7)), rng.uniform(-2.0, 2.0, (points, 3))
        C[:, :3] = 0.15 * rng.standard_normal((cameras, 3))
        C[:, 3:5] = 0.5 * rng.standard_normal((cameras, 2))
        C[:, 5], C[:, 6] = -8.0 + 0.5 * rng.standard_normal(cameras), 500.0 + 20.0 * rng.standard_normal(cameras)
        self.camera = np.concatenate([rng.choice(cameras, seen, replace=False) for _ in range(points)])
        self.point = np.repeat(np.arange(points), seen)
        self.cameras, self.points, self.count = cameras, points, self.camera.size
        bad = rng.random(self.count) < outliers
        self.seen = self._project(C[self.camera], P[self.point]) + 0.5 * rng.standard_normal((self.count, 2))
        self.seen[bad] += 30.0 * rng.standard_normal((bad.sum(), 2))
        size = np.concatenate([np.tile([0.1, 0.1, 0.1, 0.5, 0.5, 1.0, 30.0], cameras), np.ones(3 * points)])
        self.truth = np.concatenate([C.ravel(), P.ravel()])
        self.x0 = self.truth + 0.09 * size * rng.standard_normal(size.size)
        columns = np.hstack(
            [7 * self.camera[:, None] + np.arange(7), 7 * cameras + 3 * self.point[:, None] + np.arange(3)]
        )
        self.indices, self.indptr = np.repeat(columns, 2, axis=0).ravel(), np.arange(0, 20 * self.count + 1, 10)
        self.shape = 2 * self.count, self.x0.size

    @staticmethod
    def _project(c, X):
        """Rodrigues' rotation, position, perspective; complex numbers pass through."""
        w = c[:, :3]
        angle = np.sqrt((w * w).sum(axis=1, keepdims=True))
        v = w / angle
        cos, sin, along = np.cos(angle), np.sin(angle), (v * X).sum(axis=1, keepdims=True)
        Y = cos * X + sin * np.cross(v, X) + along * (1.0 - cos) * v + c[:, 3:6]
        return -Y[:, :2] / Y[:, 2:] * c[:, 6:7]

    def _parts(self, x):
        split = 7 * self.cameras
        return x[:split].reshape(-1, 7)[self.camera], x[split:].reshape(-1, 3)[self.point]

    def fun(self, x):
        """Residuals, two an observation."""
        return (self._project(*self._parts(x)) - self.seen).ravel()

    def jac(self, x):
        """The Jacobian: a block of 2 x 10 an observation."""
        c, X = self._parts(x)
        blocks = np.empty((self.count, 2, 10))
        for k in range(10):
            both = [c.astype(complex), X.astype(complex)]
            both[k >= 7][:, k - 7 if k >= 7 else k] += 1e-30j
            blocks[:, :, k] = self._project(*both).imag / 1e-30
        return scipy.sparse.csr_array((blocks.ravel(), self.indices, self.indptr), shape=self.shape)


def problems():
    """name -> keyword arguments of both functions."""
    n = 100_000
    found = {}
    for name, (fun, pattern, x0) in {
        "tridiagonal": tridiagonal(n), "banded": banded(n), "curves": curves(5000)
    }.items():  # fmt: skip
        found[name] = {"fun": fun, "x0": x0, "jac_sparsity": pattern}
    third = np.where(np.arange(n) % 3 == 0, -0.72, np.inf)
    found["tridiagonal, bounds"] = found["tridiagonal"] | {"bounds": (np.full(n, -1.5), third)}
    lower = np.where(np.arange(n) % 5 == 0, -0.3, -np.inf)
    found["banded, bounds"] = found["banded"] | {"x0": np.full(n, 0.1), "bounds": (lower, np.full(n, np.inf))}
    top = np.concatenate([np.full(5000, 4.0), np.full(5001, 2.0)])
    found["curves, bounds"] = found["curves"] | {"bounds": (np.zeros(10001), top)}
    for loss in ("linear", "huber", "soft_l1"):
        b = Bundle(10, 1000)
        found["bundle, " + loss] = {"fun": b.fun, "x0": b.x0, "jac": b.jac, "loss": loss, "max_nfev": 60}
    pattern = scipy.sparse.csr_array((np.ones(b.indices.size), b.indices, b.indptr), shape=b.shape)
    found["bundle, differences"] = {"fun": b.fun, "x0": b.x0, "jac_sparsity": pattern, "max_nfev": 60}
    return found


class Counted:
    """Calls of a function."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, x):
        """Count, and call it."""
        self.calls += 1
        return self.function(x)


def solve(which, arguments):
    """(seconds, result, calls of fun)."""
    fun = Counted(arguments["fun"])
    rest = {name: value for name, value in arguments.items() if name != "fun"}
    begin = time.perf_counter()
    if which == "numopt":
        result = least_squares(fun, **rest)
    else:
        result = scipy.optimize.least_squares(fun, method="trf", tr_solver="lsmr", x_scale=which, **rest)
    return time.perf_counter() - begin, result, fun.calls


def main(names):
    """Print the table."""
    ratios = []
    chosen = {name: a for name, a in problems().items() if not names or any(name.startswith(part) for part in names)}
    print(f"{'':28}{'seconds':>18}  ratio   {'nfev':>9}   {'calls of fun':>11}   cost")
    for name, arguments in chosen.items():
        sides = ("numopt", 1.0, "jac")
        runs = {side: [] for side in sides}
        solve("numopt", arguments)
        for _ in range(3):
            for side in sides:
                if side == "numopt" or not runs[side] or runs[side][0][0] < 4.0:
                    runs[side].append(solve(side, arguments))
        seconds = {side: statistics.median(run[0] for run in runs[side]) for side in sides}
        good = min(runs[side][0][1].cost for side in sides) * (1.0 + 1e-6) + 1e-12
        # the quicker of scipy's that comes to the lower cost of its two
        reached = [side for side in sides[1:] if runs[side][0][1].cost <= good]
        peer = min(reached or sides[1:], key=lambda side: seconds[side] if reached else runs[side][0][1].cost)
        (_, ours, our_calls), (_, theirs, their_calls) = runs["numopt"][0], runs[peer][0]
        ratios.append((seconds[peer] / seconds["numopt"], theirs.nfev / ours.nfev, their_calls / our_calls))
        print(
            f"{name:28}{seconds['numopt']:9.3f}{seconds[peer]:9.3f}  {ratios[-1][0]:5.1f}   "
            f"{ours.nfev:4}{theirs.nfev:5}   {our_calls:5}{their_calls:6}   "
            f"{ours.cost:.8e} {theirs.cost:.8e}  x_scale={peer}",
            flush=True,
        )
    means = np.exp(np.log(ratios).mean(axis=0))
    print(f"geometric means of scipy's over ours: time {means[0]:.2f}, nfev {means[1]:.2f}, calls {means[2]:.2f}")
    arguments = problems()["tridiagonal"]
    tracemalloc.start()
    solve("numopt", arguments)
    peak = tracemalloc.get_traced_memory()[1]
    n = arguments["x0"].size
    print(f"peak memory of tridiagonal: {peak / 2**20:.0f} MiB; a dense Jacobian: {8 * n * n / 2**20:.0f} MiB")


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        main(sys.argv[1:])
