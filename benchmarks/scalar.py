"""Roots and minima of functions of one variable: evaluations and time against scipy.

Run it with ``python benchmarks/scalar.py``; ratios are scipy's over ours for time, ours over scipy's for
evaluations, as geometric means over the problems of :mod:`numopt.problems.scalar_sets`.
"""

import math
import time
import warnings

import numba
import numpy as np
import scipy.optimize

import numopt
from numopt.problems.scalar_sets import MINIMA, ROOTS

brentq = numopt.jit_root_scalar("brentq")
brent = numopt.jit_minimize_scalar("brent")


def seconds(call, budget=0.02):
    """The least time of a call out of several rounds."""
    call()
    best, spent = math.inf, 0.0
    while spent < budget:
        start = time.perf_counter()
        for _ in range(5):
            call()
        taken = time.perf_counter() - start
        best, spent = min(best, taken / 5), spent + taken
    return best


def mean(ratios):
    """Geometric mean and least."""
    return f"{math.exp(np.mean(np.log(ratios))):8.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


@numba.njit
def kepler(E, M, e):
    return E - e * math.sin(E) - M


@numba.njit
def bumps(x, M, e):
    return (x - M) ** 2 + e * math.sin(3.0 * x)


@numba.njit
def all_roots(M, e):
    out = np.empty_like(M)
    for k in range(M.size):
        out[k] = brentq(kepler, M[k] - 1.0, M[k] + 1.0, (M[k], e))[0]
    return out


@numba.njit
def all_minima(M, e):
    out = np.empty_like(M)
    for k in range(M.size):
        out[k] = brent(bumps, (M[k] - 1.0, M[k]), (M[k], e))[0]
    return out


def table(title, runs):
    """A row for each method: evaluations, time with Python and with jitted functions."""
    print(f"{title:10}{'problems':>9}{'evaluations':>26}{'time, Python':>26}{'time, jitted':>28}")
    for method, problems in runs:
        counts, python, compiled = [], [], []
        for ours, theirs, f, jitted, kw in problems:
            try:
                a, b = ours(f, method=method, **kw), theirs(f, method=method, **kw)
            except (OverflowError, ZeroDivisionError, ValueError):
                continue  # an open method went to where Python's arithmetic raises
            if not (a.get("converged", True) and b.get("converged", True)):
                continue
            key = "function_calls" if "function_calls" in a else "nfev"
            counts.append(a[key] / b[key])
            slow = seconds(lambda: theirs(f, method=method, **kw))  # noqa: B023
            python.append(slow / seconds(lambda: ours(f, method=method, **kw)))  # noqa: B023
            slow = seconds(lambda: theirs(jitted, method=method, **kw))  # noqa: B023
            compiled.append(slow / seconds(lambda: ours(jitted, method=method, **kw)))  # noqa: B023
        print(f"{method:10}{len(counts):9}{mean(counts):>26}{mean(python):>26}{mean(compiled):>28}")


def main():
    """Print the tables."""
    warnings.simplefilter("ignore")
    roots = [(p, numba.njit(p.f)) for p in ROOTS]
    minima = [(p, numba.njit(p.f)) for p in MINIMA]
    pair = numopt.root_scalar, scipy.optimize.root_scalar
    both = numopt.minimize_scalar, scipy.optimize.minimize_scalar
    table("roots", [
        *((m, [(*pair, p.f, j, {"bracket": [p.a, p.b]}) for p, j in roots]) for m in
          ("bisect", "brentq", "brenth", "ridder")),
        ("secant", [(*pair, p.f, j, {"x0": p.a, "x1": p.b}) for p, j in roots]),
    ])  # fmt: skip
    table("minima", [
        ("brent", [(*both, p.f, j, {"bracket": (p.a, p.b)}) for p, j in minima]),
        ("golden", [(*both, p.f, j, {"bracket": (p.a, p.b)}) for p, j in minima]),
        ("bounded", [(*both, p.f, j, {"bounds": (p.a, p.b)}) for p, j in minima]),
    ])  # fmt: skip
    M = np.linspace(0.1, 3.0, 20000)
    for name, compiled, theirs in (
        ("brentq", all_roots, lambda m: scipy.optimize.brentq(kepler, m - 1.0, m + 1.0, args=(m, 0.5))),
        ("brent", all_minima, lambda m: scipy.optimize.brent(bumps, (m, 0.5), (m - 1.0, m))),
    ):
        ours = seconds(lambda: compiled(M, 0.5)) / M.size  # noqa: B023
        loop = seconds(lambda: [theirs(m) for m in M[:500]]) / 500  # noqa: B023
        print(f"{name} in a compiled loop: {1e9 * ours:.0f} ns a problem; scipy on the same jitted function in a "
              f"Python loop {1e6 * loop:.1f} us; ratio {loop / ours:.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
