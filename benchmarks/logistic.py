"""Logistic regression against scikit-learn's solvers, all to a gradient of 1e-8: medians of the time of a fit.

Run it with ``python benchmarks/logistic.py``.  The gradient of the mean objective is measured for every fit, ours and
theirs; solvers that do not get there within their iterations are marked with *, and are no peers.  liblinear penalises
the intercept, so that its gradient is never small; lbfgs takes half a minute on the digits and is left out there.  The
first call, which loads or compiles, is apart.  Then LogisticRegressionCV, both to the tolerance of scikit-learn's
default, with ten values of C on five folds.
"""

import statistics
import time
import warnings
from itertools import islice, product

import numpy as np
import scipy.sparse as sp
import sklearn.linear_model as peers
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.preprocessing import StandardScaler

from numopt.linear_model import LogisticRegression, LogisticRegressionCV
from numopt.optimize._glm import objective

GOAL = 1e-8


def problems():
    """(name, X, y, scikit-learn's solvers with the tolerances they need)."""
    X, y = load_breast_cancer(return_X_y=True)
    all_of_them = {"lbfgs": 1e-8, "newton-cg": 1e-8, "newton-cholesky": 1e-8, "liblinear": 1e-10, "sag": 1e-9}
    yield "breast cancer 569x30", StandardScaler().fit_transform(X), y, all_of_them
    X, y = load_digits(return_X_y=True)
    yield "digits 1797x64, 10 classes", X, y, {"newton-cg": 1e-8, "newton-cholesky": 1e-8}
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100_000, 50))
    y = (rng.random(len(X)) < 1.0 / (1.0 + np.exp(-X @ rng.standard_normal(50)))).astype(int)
    yield "synthetic 100000x50", X, y, all_of_them
    X = sp.random(20_000, 50_000, density=0.002, format="csr", rng=rng)
    X.data = np.exp(0.5 * rng.standard_normal(X.nnz))
    X = sp.csr_matrix(sp.diags(1.0 / np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())) @ X)
    y = (rng.random(20_000) < 1.0 / (1.0 + np.exp(-3.0 * X @ rng.standard_normal(50_000)))).astype(int)
    yield "text-like 20000x50000", X, y, {name: tol for name, tol in all_of_them.items() if name != "newton-cholesky"}


def gradient(model, X, y):
    """Largest component of the gradient of the mean objective with C = 1."""
    K = len(model.coef_)
    f = objective(X, y, None, "logistic" if K == 1 else "multinomial", K, 1.0 / X.shape[0], True)
    W = np.ascontiguousarray(np.vstack([model.coef_.T, model.intercept_[None]]))
    return float(np.abs(f.evaluate(W)[1]).max())


def timed(make, X, y):
    """(seconds, fitted model)."""
    start = time.perf_counter()
    model = make().fit(X, y)
    return time.perf_counter() - start, model


def main(repeat=5):
    """Print the table."""
    print(f"{'problem':28} {'solver':16} {'first, ms':>10} {'median, ms':>11} {'gradient':>9} {'theirs / ours':>13}")
    for title, X, y, solvers in problems():
        makers = {"numopt": lambda: LogisticRegression(tol=GOAL)}
        for name, tol in solvers.items():
            makers[name] = lambda name=name, tol=tol: peers.LogisticRegression(solver=name, tol=tol, max_iter=3000)
        times: dict = {name: [] for name in makers}
        first, reached, spent = {}, {}, dict.fromkeys(makers, 0.0)
        for name, make in makers.items():
            first[name], model = timed(make, X, y)
            reached[name] = gradient(model, X, y)
        for _ in range(repeat):
            for name, make in makers.items():
                if spent[name] < 10.0:  # the slow ones are slow enough after one more run
                    seconds, _ = timed(make, X, y)
                    times[name].append(seconds)
                    spent[name] += seconds + first[name]
        ours = statistics.median(times["numopt"])
        for name in makers:
            median = statistics.median(times[name])
            mark = " " if reached[name] <= 1.01 * GOAL else "*"
            print(
                f"{title:28} {name:16} {1e3 * first[name]:10.1f} {1e3 * median:11.2f} {reached[name]:8.1e}{mark} "
                f"{median / ours:13.2f}",
                flush=True,
            )


def cross_validation(repeat=3):
    """Print the table of cross-validation."""
    options = {"l1_ratios": (0,), "scoring": "accuracy", "use_legacy_attributes": False, "max_iter": 1000}
    print(f"\n{'LogisticRegressionCV':28} {'solver':16} {'n_jobs':>6} {'median, ms':>11} {'theirs / ours':>13}")
    for title, X, y, solvers in islice(problems(), 2):
        names = ["lbfgs"] if "digits" in title else ["lbfgs", *(name for name in solvers if name.startswith("newton"))]
        makers = {("numopt", 2): lambda: LogisticRegressionCV(n_jobs=2, **options)}
        for key in product(names, (1, 2)):
            makers[key] = lambda key=key: peers.LogisticRegressionCV(solver=key[0], n_jobs=key[1], **options)
        times: dict = {key: [] for key in makers}
        X = X / 16.0 if "digits" in title else X  # pixels from 0 to 1, without which lbfgs takes a minute
        for _ in range(repeat):
            for key, make in makers.items():
                times[key].append(timed(make, X, y)[0])
        ours = statistics.median(times["numopt", 2])
        for (name, jobs), seconds in times.items():
            median = statistics.median(seconds)
            print(f"{title:28} {name:16} {jobs:6} {1e3 * median:11.1f} {median / ours:13.2f}", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
    cross_validation()
