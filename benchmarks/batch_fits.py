"""Many small fits by one call beside a loop over scipy's: fits per second, answers, threads, first call.

Run it with ``python benchmarks/batch_fits.py [fits]``.  A Gaussian in two variables on a square of points, five
parameters, Poisson noise, starts within a tenth of the truth; scipy gets the same jitted model and the same starts.
Rates are medians over alternating runs of both, each on the same problems, of which scipy fits the first hundred.
``seconds of a processor`` are what the process has used, of all threads: they tell the work from the wait for a
processor where others use the machine too.
"""

import math
import statistics
import sys
import time
import warnings

import numpy as np
import scipy.optimize
from numba import njit

import numopt

ROUNDS, PEER = 5, 100


@njit
def gaussian(x, amplitude, x0, y0, width, offset):
    """A Gaussian and a constant."""
    return amplitude * np.exp(-((x[0] - x0) ** 2 + (x[1] - y0) ** 2) / (2 * width * width)) + offset


def data(side, count):
    """(x, Y, starts, truth) of many fits."""
    rng, middle = np.random.default_rng(0), (side - 1) / 2
    y, x = np.mgrid[:side, :side].astype(float)
    x = np.vstack([x.ravel(), y.ravel()])
    low = [50.0, middle - 1.0, middle - 1.0, 0.8, 5.0]
    high = [200.0, middle + 1.0, middle + 1.0, max(1.0, side / 5), 20.0]
    truth = rng.uniform(low, high, (count, 5))
    Y = rng.poisson([gaussian(x, *p) for p in truth]).astype(float)
    return x, Y, truth * rng.uniform(0.9, 1.1, truth.shape), truth


def loop(x, Y, starts):
    """(parameters, whether converged) by scipy, one after the other."""
    found = np.full(starts.shape, math.nan)
    for i, start in enumerate(starts):
        try:
            found[i] = scipy.optimize.curve_fit(gaussian, x, Y[i], start, method="lm")[0]
        except RuntimeError:
            pass
    return found, np.isfinite(found).all(axis=1)


def timed(call):
    """(result, seconds, seconds of a processor)."""
    wall, used = time.perf_counter(), time.process_time()
    found = call()
    return found, time.perf_counter() - wall, time.process_time() - used


def show(name, count, walls, used):
    """A line of the table."""
    wall, processor = statistics.median(walls) / count, statistics.median(used) / count
    print(f"{name:36} {1 / wall:12,.0f} {1e6 * processor:12.2f}")
    return wall, processor


def compare(side, count):
    """The rows of one size of fits."""
    x, Y, starts, _ = data(side, count)
    few = min(count, PEER)
    calls = {
        f"{side} x {side}, 2 threads": (count, lambda: numopt.curve_fit_batch(gaussian, x, Y, starts, n_threads=2)),
        f"{side} x {side}, 1 thread": (count, lambda: numopt.curve_fit_batch(gaussian, x, Y, starts, n_threads=1)),
        f"{side} x {side}, loop over scipy": (few, lambda: loop(x, Y[:few], starts[:few])),
    }
    if side == 5:
        single, of = Y.astype(np.float32), starts.astype(np.float32)
        calls[f"{side} x {side}, float32, 2 threads"] = (
            count,
            lambda: numopt.curve_fit_batch(gaussian, x, single, of, dtype=np.float32, n_threads=2),
        )
    walls, used, found = ({name: [] for name in calls} for _ in range(3))
    for round_ in range(ROUNDS + 1):
        for name, (_, call) in calls.items():
            found[name], wall, processor = timed(call)
            if round_:
                walls[name].append(wall)
                used[name].append(processor)
    rates = {name: show(name, of, walls[name], used[name]) for name, (of, _) in calls.items()}
    two, one, peer = list(rates)[:3]
    wall, processor = (there / here for there, here in zip(rates[peer], rates[two], strict=True))
    print(f"{'  over the loop':36} {wall:11.1f}x, of processor time {processor:.1f}x")
    print(f"{'  2 threads over 1':36} {rates[one][0] / rates[two][0]:11.2f}x")
    ours, (theirs, good) = found[two], found[peer]
    both = good & ours.success[:few]
    far = np.abs(ours.x[:few][both] - theirs[both]) / ours.stderr[:few][both]
    share, all_ = ours.success[:few].mean(), ours.success.mean()
    print(f"  converged: {share:.1%} here, {good.mean():.1%} there, of {few}; of all {all_:.2%} here")
    print(f"  parameters apart by at most {far.max():.1e} standard errors")


def main(count):
    """Print the table."""
    x, Y, starts, _ = data(15, count)
    gaussian(x, *starts[0])
    _, wall, processor = timed(lambda: numopt.curve_fit_batch(gaussian, x, Y, starts))
    print(f"first call with a new model, compiling: {wall:.2f} s, of a processor {processor:.2f} s\n")
    print(f"{'':36} {'fits/s':>12} {'us of a processor each':>12}")
    compare(15, count)
    print()
    compare(5, 5 * count)


if __name__ == "__main__":
    warnings.simplefilter("ignore", scipy.optimize.OptimizeWarning)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
