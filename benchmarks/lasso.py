"""Lasso, its path and its cross-validation beside scikit-learn, celer and skglm, to the same certified duality gap.

Run it with ``python benchmarks/lasso.py``; celer and skglm take part where they are installed.  Every peer is run with
falling tolerances of its own until the gap that this script computes, in NumPy, is at most 1e-8 of y's variance, and
the time of the first run that gets there counts: no one stops earlier than another.  The fits take turns.
``--data FOLDER`` adds golub_38x3051.npz (Golub et al. 1999: X, y) and diamonds_54k.npz (ggplot2: num, cut, color,
clarity, y), both standardised, if the folder has them.

"First" is the first fit of a new process whose cache is warm, after ``from numopt.linear_model import Lasso``, which
loads the code; the later fits that it is compared with are of the same process.
"""

import argparse
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import sklearn.linear_model as sk
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import PolynomialFeatures

from numopt.linear_model import Lasso, LassoCV, lasso_path

GOAL = 1e-8
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10)


def dense(n, p, informative, seed=0, rho=0.5, snr=3.0):
    """Neighbouring columns correlated with rho, coefficients of one, noise."""
    rng = np.random.default_rng(seed)
    e = rng.standard_normal((p, n))
    X = np.empty((n, p), order="F")
    X[:, 0] = e[0]
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + (1 - rho**2) ** 0.5 * e[j]
    return X, response(X, informative, rng, snr)


def sparse(n=20_000, p=50_000, density=1e-3, informative=500, seed=0, snr=3.0):
    """Independent entries."""
    rng = np.random.default_rng(seed)
    X = sp.random(n, p, density, "csc", random_state=seed, data_rvs=rng.standard_normal)
    return X, response(X, informative, rng, snr)


def golub(path):
    """Leukaemia."""
    return standardised(**np.load(path))


def diamonds(path):
    """The numbers, their codes as indicators, and all products of two."""
    part = np.load(path)
    codes = [part[name][:, None] == np.unique(part[name]) for name in ("cut", "color", "clarity")]
    X = PolynomialFeatures(2, include_bias=False).fit_transform(np.hstack([part["num"], *codes]))
    return standardised(X, part["y"])


def standardised(X, y):
    """Columns of mean 0 and variance 1, without constant ones; y of mean 0."""
    X = X[:, X.std(axis=0) > 1e-9]
    return np.asfortranarray((X - X.mean(axis=0)) / X.std(axis=0)), y - y.mean()


def cases(folder):
    """Name -> call that makes X and y."""
    found = {
        "dense 500 x 10000": lambda: dense(500, 10_000, 100),
        "dense 5000 x 500": lambda: dense(5000, 500, 50),
        "sparse 20000 x 50000": sparse,
        "golub 38 x 3051": lambda: golub(Path(folder) / "golub_38x3051.npz"),
        "diamonds 53940 x 318": lambda: diamonds(Path(folder) / "diamonds_54k.npz"),
    }
    for title, file in (("golub 38 x 3051", "golub_38x3051.npz"), ("diamonds 53940 x 318", "diamonds_54k.npz")):
        if not (Path(folder) / file).exists():
            del found[title]
    return found


def response(X, informative, rng, snr):
    """X w and noise."""
    w = np.zeros(X.shape[1])
    w[rng.choice(w.size, informative, replace=False)] = rng.choice([-1.0, 1.0], informative)
    y, noise = X @ w, rng.standard_normal(X.shape[0])
    return y + noise * np.linalg.norm(y) / np.linalg.norm(noise) / snr


def correlations(X, r):
    """X_c'r of a centred r."""
    return X.T @ (r - r.mean())


def relative_gap(X, y, w, b, alpha):
    """Duality gap over the variance of y, by the scaled residual."""
    n = len(y)
    r = y - X @ w - b
    r, yc = r - r.mean(), y - y.mean()
    primal = r @ r / (2 * n) + alpha * abs(w).sum()
    t = min(r @ yc / (r @ r), n * alpha / abs(correlations(X, r)).max())
    return (primal - (t * (r @ yc) - 0.5 * t * t * (r @ r)) / n) / y.var()


def peers():
    """Name -> (alpha, tolerance) -> estimator."""
    found = {"scikit-learn": lambda alpha, tol: sk.Lasso(alpha, tol=tol, max_iter=1_000_000)}
    try:
        import celer

        found["celer"] = lambda alpha, tol: celer.Lasso(alpha, tol=tol, max_iter=500, max_epochs=100_000)
    except ImportError:
        pass
    try:
        from skglm import GeneralizedLinearEstimator
        from skglm.datafits import Quadratic
        from skglm.penalties import L1
        from skglm.solvers import AndersonCD

        found["skglm"] = lambda alpha, tol: GeneralizedLinearEstimator(
            Quadratic(), L1(alpha), AndersonCD(tol=tol, fit_intercept=True, max_iter=500, max_epochs=100_000)
        )
    except ImportError:
        pass
    return found


def timed(call):
    """(seconds, what it returned)."""
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def tolerance(make, X, y, alpha):
    """The first of the tolerances with which the goal is reached, or None within a minute."""
    begin = time.perf_counter()
    for tol in TOLERANCES:
        model = make(alpha, tol).fit(X, y)
        if relative_gap(X, y, np.ravel(model.coef_), np.ravel(model.intercept_)[0], alpha) <= GOAL:
            return tol
        if time.perf_counter() - begin > 60:
            return None
    return None


def first_over_later(title, divisor, folder, processes=3):
    """Median over new processes of the time of the first fit over the median of ten later ones."""
    command = [sys.executable, __file__, "--data", folder, "--first", title, str(divisor)]
    ratios = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(processes)
    ]
    return statistics.median(ratios)


def first_fit(title, divisor, folder):
    """What :func:`first_over_later` asks a new process for."""
    X, y = cases(folder)[title]()
    alpha = abs(correlations(X, y)).max() / len(y) / divisor
    times = [timed(lambda: Lasso(alpha, tol=GOAL, max_iter=100_000).fit(X, y))[0] for _ in range(11)]
    print(times[0] / statistics.median(times[1:]))


def single_fits(folder, repeats=5):
    """The table of single fits."""
    head = f"{'data':22} {'alpha':>6} {'first':>8} {'ours, ms':>9}"
    print(f"{head}   first over later; peers: milliseconds, and over ours", flush=True)
    for title, make_data in cases(folder).items():
        X, y = make_data()
        alpha_max = abs(correlations(X, y)).max() / len(y)
        for divisor in (10, 100):
            alpha = alpha_max / divisor
            model = Lasso(alpha, tol=GOAL, max_iter=100_000).fit(X, y)
            first = first_over_later(title, divisor, folder)
            assert relative_gap(X, y, model.coef_, model.intercept_, alpha) <= GOAL
            calls = {"ours": lambda X=X, y=y, alpha=alpha: Lasso(alpha, tol=GOAL, max_iter=100_000).fit(X, y)}
            missed = []
            for name, make in peers().items():
                tol = tolerance(make, X, y, alpha)
                if tol is None:
                    missed.append(name)
                else:
                    calls[name] = lambda make=make, tol=tol, X=X, y=y, alpha=alpha: make(alpha, tol).fit(X, y)
            times: dict = {name: [] for name in calls}
            for _ in range(repeats):
                for name, call in calls.items():
                    times[name].append(timed(call)[0])
            medians = {name: statistics.median(t) for name, t in times.items()}
            ours = medians.pop("ours")
            beside = [f"{name} {t * 1e3:.0f} ({t / ours:.1f})" for name, t in medians.items()]
            beside += [f"{name}: not within a minute" for name in missed]
            print(f"{title:22} max/{divisor:<3} {first:8.1f} {ours * 1e3:8.1f}   {', '.join(beside)}", flush=True)


def paths():
    """A path of 100 penalties, and cross-validation."""
    X, y = dense(500, 5000, 50)
    X, y = np.asfortranarray(X - X.mean(axis=0)), y - y.mean()
    for eps in (1e-2, 1e-3):
        ours, _ = timed(lambda eps=eps: lasso_path(X, y, alphas=100, eps=eps, tol=GOAL, max_iter=100_000))
        theirs, _ = timed(lambda eps=eps: sk.lasso_path(X, y, alphas=100, eps=eps, tol=GOAL, max_iter=1_000_000))
        print(f"path of 100, eps={eps}, 500 x 5000: {ours:.2f} s, scikit-learn {theirs:.2f} s ({theirs / ours:.1f})")
    for title, (X, y), tol in (
        ("1000 x 500", dense(1000, 500, 50), 1e-6),
        ("500 x 5000", dense(500, 5000, 50), 1e-6),
        ("diabetes", load_diabetes(return_X_y=True), 1e-6),
    ):
        calls = {
            "ours": lambda X=X, y=y, tol=tol: LassoCV(tol=tol, max_iter=100_000).fit(X, y),
            "scikit-learn, 1 job": lambda X=X, y=y, tol=tol: sk.LassoCV(tol=tol, max_iter=100_000).fit(X, y),
            "2 jobs": lambda X=X, y=y, tol=tol: sk.LassoCV(tol=tol, n_jobs=2, max_iter=100_000).fit(X, y),
        }
        print(f"LassoCV, {title}, 5 folds, tol {tol}: {turns(calls)}", flush=True)
    X, y = dense(1000, 200, 20)
    grid = {"alpha": np.geomspace(0.01, 1.0, 20)}
    calls = {
        "ours": lambda: GridSearchCV(Lasso(), grid).fit(X, y),
        "scikit-learn": lambda: GridSearchCV(sk.Lasso(), grid).fit(X, y),
    }
    print(f"GridSearchCV over 20 alphas, 1000 x 200: {turns(calls)}", flush=True)


def turns(calls, repeats=3):
    """Medians of calls that take turns, as text; the others' over the first's."""
    times: dict = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(timed(call)[0])
    medians = {name: statistics.median(t) for name, t in times.items()}
    ours = medians["ours"]
    return ", ".join(
        f"{name} {t * 1e3:.0f} ms" + (f" ({t / ours:.1f})" if t != ours else "") for name, t in medians.items()
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="data")
    parser.add_argument("--first", nargs=2, metavar=("CASE", "DIVISOR"), help="time the first fit of this process only")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.first:
        first_fit(arguments.first[0], int(arguments.first[1]), arguments.data)
    else:
        single_fits(arguments.data)
        paths()
