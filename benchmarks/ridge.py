"""Ridge, LinearRegression and RidgeCV against scikit-learn's: medians of the time of a fit, in milliseconds.

Run it with ``python benchmarks/ridge.py``. For Ridge the peer is the fastest of scikit-learn's solvers on that data, at
its default tolerance; the stochastic ones are left out, which are slower everywhere here. The fits take turns, so that
a machine's slow moments hit both.
"""

import statistics
import time
import warnings

import numpy as np
import scipy.sparse
import sklearn.linear_model as peers

from numopt.linear_model import LinearRegression, Ridge, RidgeCV

DENSE = ((100, 10, 1), (10000, 50, 1), (100000, 20, 1), (2000, 2000, 1), (100, 10000, 1), (5000, 500, 10))
SOLVERS = ("cholesky", "svd", "lsqr", "sparse_cg")


def data(n, p, targets):
    """Features about 0.5 with noise, and a target a column."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + 0.5
    Y = X @ rng.standard_normal((p, targets)) + rng.standard_normal((n, targets))
    return X, Y[:, 0].copy() if targets == 1 else Y


def sparse_data(n=20000, p=50000, density=1e-3):
    """Sparse features with a target that a hundred of them explain."""
    rng = np.random.default_rng(0)
    X = scipy.sparse.random(n, p, density, "csr", rng=rng, data_sampler=rng.standard_normal)
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
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
    return [statistics.median(times) for times in taken]


def row(title, shape, ours, theirs):
    """Prints ours, the fastest of theirs by name, and the ratio."""
    first, *others = medians([ours, *theirs.values()])
    name, least = min(zip(theirs, others, strict=True), key=lambda pair: pair[1])
    print(f"{title:17} {shape:18} {first * 1e3:10.3f} {least * 1e3:10.3f} {name:10} {least / first:6.2f}", flush=True)


def main():
    """Prints the table."""
    print(f"{'estimator':17} {'shape':18} {'ours, ms':>10} {'peer, ms':>10} {'solver':10} {'ratio':>6}")
    for n, p, targets in DENSE:
        X, y = data(n, p, targets)
        shape = f"{n}x{p}" + (f", {targets} targets" if targets > 1 else "")
        # LSQR and SVD take seconds where they lose anyway.
        names = SOLVERS if X.size < 2_500_000 else ("cholesky", "lsqr", "sparse_cg")
        row(
            "Ridge",
            shape,
            lambda X=X, y=y: Ridge().fit(X, y),
            {s: lambda s=s, X=X, y=y: peers.Ridge(solver=s).fit(X, y) for s in names},
        )
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
    main()
