"""Ridge, LinearRegression and RidgeCV against scikit-learn's: medians of the time of a fit, in milliseconds.

Run it with ``python benchmarks/ridge.py``, or with ``--solvers`` for the second table: every solver= of Ridge against
scikit-learn's of the same name, on several shapes in both precisions, all at the default tolerance. In the first Ridge
stands for its default, which is exact to rounding; the peers are the faster of scikit-learn's exact solvers and, in a
row of its own, the fastest of those that stop at tol=1e-4, after a few products where the condition number is small.
The fits take turns, so that a machine's slow moments hit both; ``--cpu`` measures processor time instead of elapsed
time, for busy machines (with ``OPENBLAS_NUM_THREADS=1``: threads that wait for each other spend it too).
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import scipy.sparse
import sklearn.linear_model as peers

from numopt.linear_model import LinearRegression, Ridge, RidgeCV

DENSE = ((100, 10, 1), (10000, 50, 1), (100000, 20, 1), (2000, 2000, 1), (100, 10000, 1), (5000, 500, 10))
SHAPES = ((100, 10, 1), (5000, 50, 1), (3000, 200, 5), (600, 600, 1), (300, 3000, 1))
SOLVERS = ("auto", "cholesky", "svd", "lsqr", "sparse_cg", "sag", "saga")
clock = time.perf_counter


def data(n, p, targets):
    """Features about 0.5 with noise, and a target a column."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + 0.5
    Y = X @ rng.standard_normal((p, targets)) + rng.standard_normal((n, targets))
    return X, Y[:, 0].copy() if targets == 1 else Y


def sparse_data(n=20000, p=50000, density=1e-3):
    """Sparse features with a target that a hundred of them explain."""
    rng = np.random.default_rng(0)
    X = scipy.sparse.random(n, p, density, "csr", rng=rng, data_rvs=rng.standard_normal)
    w = np.zeros(p)
    w[rng.choice(p, 100, replace=False)] = 1.0
    return X, X @ w + 0.1 * rng.standard_normal(n)


def medians(calls, budget=1.5):
    """Median seconds of every call; they take turns until the budget is spent, three rounds at least."""
    taken = [[] for _ in calls]
    for call in calls:
        call()
    start = time.perf_counter()
    while len(taken[0]) < 3 or (time.perf_counter() - start < budget and len(taken[0]) < 500):
        for times, call in zip(taken, calls, strict=True):
            begin = clock()
            call()
            times.append(clock() - begin)
    return [statistics.median(times) for times in taken]


def row(title, shape, ours, theirs, budget=1.5):
    """Prints ours, the fastest of theirs by name, and the ratio."""
    first, *others = medians([ours, *theirs.values()], budget)
    name, least = min(zip(theirs, others, strict=True), key=lambda pair: pair[1])
    print(f"{title:17} {shape:18} {first * 1e3:10.3f} {least * 1e3:10.3f} {name:10} {least / first:6.2f}", flush=True)


def by_name():
    """Prints the table of the solvers by name."""
    print(f"{'solver':17} {'data':18} {'ours, ms':>10} {'peer, ms':>10} {'solver':10} {'ratio':>6}")
    for dtype in (np.float64, np.float32):
        letter = "d" if dtype is np.float64 else "f"
        for n, p, targets in SHAPES:
            X, y = (Z.astype(dtype) for Z in data(n, p, targets))
            parameters = [{"solver": s} for s in SOLVERS if p < 100 or not s.startswith("sag")]
            compare(
                f"{letter} {n}x{p}" + (f", {targets}" if targets > 1 else ""), X, y, parameters + [{"positive": True}]
            )
        X, y = (Z.astype(dtype) for Z in sparse_data(5000, 2000, 5e-3))
        parameters = [{"solver": s} for s in ("auto", "lsqr", "sparse_cg", "sag")]
        parameters += [{"solver": s, "fit_intercept": False} for s in ("cholesky", "saga")]
        compare(f"{letter} sparse 5000x2000", X, y, parameters)


def compare(shape, X, y, parameters):
    """Rows of Ridge against its peer with the same parameters."""
    for kwargs in parameters:
        name = kwargs.get("solver", "positive")
        peer = {name: lambda kwargs=kwargs: peers.Ridge(**kwargs).fit(X, y)}
        row(name, shape, lambda kwargs=kwargs: Ridge(**kwargs).fit(X, y), peer, 0.7)


def main():
    """Prints the table of the estimators."""
    print(f"{'estimator':17} {'shape':18} {'ours, ms':>10} {'peer, ms':>10} {'solver':10} {'ratio':>6}")
    for n, p, targets in DENSE:
        X, y = data(n, p, targets)
        shape = f"{n}x{p}" + (f", {targets} targets" if targets > 1 else "")
        # SVD takes seconds where it loses anyway.
        exact = ("cholesky", "svd") if X.size < 2_500_000 else ("cholesky",)
        for title, names in (("Ridge", exact), ("Ridge, peer 1e-4", ("lsqr", "sparse_cg"))):
            theirs = {s: lambda s=s, X=X, y=y: peers.Ridge(solver=s).fit(X, y) for s in names}
            row(title, shape, lambda X=X, y=y: Ridge().fit(X, y), theirs)
    for n, p, targets in DENSE:
        X, y = data(n, p, targets)
        shape = f"{n}x{p}" + (f", {targets} targets" if targets > 1 else "")
        row(
            "LinearRegression",
            shape,
            lambda X=X, y=y: LinearRegression().fit(X, y),
            {"gelsd": lambda X=X, y=y: peers.LinearRegression().fit(X, y)},
        )
    alphas = np.geomspace(1e-3, 1e3, 50)
    for n, p, targets in ((100, 10, 1), (10000, 50, 1), (100000, 20, 1), (300, 3000, 1), (2000, 200, 10)):
        X, y = data(n, p, targets)
        shape = f"{n}x{p}" + (f", {targets} targets" if targets > 1 else "")
        modes = {m: lambda m=m, X=X, y=y: peers.RidgeCV(alphas, gcv_mode=m).fit(X, y) for m in ("eigen", "svd")}
        row("RidgeCV, 50", shape, lambda X=X, y=y: RidgeCV(alphas).fit(X, y), modes)
        if X.size < 1_000_000:
            folds = {"cv=5": lambda X=X, y=y: peers.RidgeCV(alphas, cv=5).fit(X, y)}
            row("RidgeCV, 50, cv=5", shape, lambda X=X, y=y: RidgeCV(alphas, cv=5).fit(X, y), folds)
    X, y = sparse_data()
    solvers = {s: lambda s=s, X=X, y=y: peers.Ridge(solver=s).fit(X, y) for s in ("sparse_cg", "lsqr", "sag")}
    row("Ridge", "sparse 20000x50000", lambda X=X, y=y: Ridge().fit(X, y), solvers)
    peer = {"lsqr": lambda X=X, y=y: peers.LinearRegression().fit(X, y)}
    row("LinearRegression", "sparse 20000x50000", lambda X=X, y=y: LinearRegression().fit(X, y), peer)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("--solvers", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    by_name() if arguments.solvers else main()
