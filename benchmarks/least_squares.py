"""``least_squares(method='lm')`` beside scipy's: time, evaluations, digits, on NIST's data sets and MGH's functions.

Run it with ``python benchmarks/least_squares.py``.  NIST's sets are run from both starts, the functions of Moré, Garbow
and Hillstrom from x0; all at default options with analytic Jacobians.  Columns:

* speed-up: the median time of a call of scipy's over that of ours, runs interleaved, with jitted residuals and
  Jacobians, and with the same functions in Python; the time of the first call, where code is loaded or compiled, apart,
  at the end;
* evaluations of the residuals: ours, MINPACK's;
* digits: for NIST's sets the correct digits of the worst parameter, for MGH's functions those of the cost, over the
  least one known (16 where it is zero to rounding): ours, scipy's ``lm``, scipy's ``trf``.
"""

import statistics
import time

import numpy as np
import scipy.optimize

from numopt import least_squares, problems

BUDGET = 0.1  # seconds for each pair of medians, at least 5 runs


def interleaved(*calls):
    """Median seconds of each call."""
    taken = [[] for _ in calls]
    for call in calls:
        call()
    begin = time.perf_counter()
    while time.perf_counter() - begin < BUDGET or len(taken[0]) < 5:
        for call, times in zip(calls, taken, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in taken]


def cases():
    """(name, start, jitted functions, Python functions, digits of a result)."""
    for name in problems.nist_names():
        p = problems.nist(name)
        for k, start in enumerate(p.starts):
            yield (f"{name} {k + 1}", start, (p.residual, p.jacobian), (p.python_residual, p.python_jacobian),
                   lambda result, p=p: p.digits(result.x).min())  # fmt: skip
    for name in problems.names("mgh"):
        p = problems.get(name)
        if p.m >= p.n:
            yield (name, p.x0, (p.residual, p.jacobian), (p.residual.py_func, p.jacobian.py_func),
                   lambda result, p=p: cost_digits(2.0 * result.cost, p.minima))  # fmt: skip


def cost_digits(found, minima):
    """Correct digits of the sum of squares, for the minimum that is nearest."""
    best = min(minima, key=lambda least: abs(found - least))
    error = abs(found - best) / best if best > 0.0 else found
    return min(16.0, -np.log10(error)) if error > 0.0 else 16.0


def main():
    """Print the table."""
    print(f"{'problem':26}  n    m   speed-up: jitted  Python   evaluations   digits: ours  lm  trf")
    ratios, evaluations, first = [], [], []
    for name, start, jitted, python, digits in cases():
        start = np.asarray(start, float)
        begin = time.perf_counter()
        ours = least_squares(jitted[0], start, jac=jitted[1], method="lm")
        first.append(time.perf_counter() - begin)
        lm, trf = (scipy.optimize.least_squares(jitted[0], start, jac=jitted[1], method=m) for m in ("lm", "trf"))
        pair = []
        for fun, jac in (jitted, python):
            mine, theirs = interleaved(
                lambda f=fun, j=jac, x=start: least_squares(f, x, jac=j, method="lm"),
                lambda f=fun, j=jac, x=start: scipy.optimize.least_squares(f, x, jac=j, method="lm"),
            )
            pair.append(theirs / mine)
        ratios.append(pair)
        evaluations.append(ours.nfev / lm.nfev)
        print(
            f"{name:26} {start.size:2} {ours.fun.size:4}   {pair[0]:16.1f} {pair[1]:7.2f}   {ours.nfev:5} {lm.nfev:5}"
            f"   {digits(ours):12.1f} {digits(lm):4.1f} {digits(trf):4.1f}",
            flush=True,
        )
    means = np.exp(np.log(ratios).mean(axis=0))
    least = np.min(ratios, axis=0)
    print(
        f"\nspeed-up, geometric mean: jitted {means[0]:.1f}, Python {means[1]:.2f}; "
        f"least: {least[0]:.1f}, {least[1]:.2f}"
    )
    print(f"evaluations over MINPACK's, geometric mean: {np.exp(np.log(evaluations).mean()):.3f}")
    print(f"first calls, jitted, compilation of the user's functions included: median {statistics.median(first):.2f} s")


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        import warnings

        warnings.simplefilter("ignore")
        main()
