"""Batches of small lassos and perceptrons against loops over the estimators, numopt's and scikit-learn's.

    python benchmarks/small_models.py

Sides take turns; the figures are medians, per problem, and their ratios.
"""

import statistics
import time
import warnings

import numpy as np
from sklearn import linear_model as sklearn_linear
from sklearn import neural_network as sklearn_networks

import numopt
from numopt import linear_model, neural_network

ROUNDS = 5


def compare(title, sides):
    """Time each side in turn; ``sides``: name -> (function, problems that it solves)."""
    seconds = {name: [] for name in sides}
    for function, _ in sides.values():
        function()
    for _ in range(ROUNDS):
        for name, (function, count) in sides.items():
            start = time.perf_counter()
            function()
            seconds[name].append((time.perf_counter() - start) / count)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    base = next(iter(medians.values()))
    print(title)
    for name, value in medians.items():
        print(f"    {name:34} {1e6 * value:10.1f} us a problem {value / base:9.1f}")


def lassos(m, p, alpha, tol):
    """One X for all; a third of the coefficients is not zero."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((m, p)) + rng.standard_normal((m, 1))
    Y = (rng.standard_normal((5000, p)) * (rng.random((5000, p)) < 0.3)) @ X.T + rng.standard_normal((5000, m))
    few = Y[:100]

    def loop(Lasso):
        for y in few:
            Lasso(alpha, tol=tol, max_iter=10000).fit(X, y)

    batch = numopt.lasso_batch(X, few, alpha, tol=tol)
    model = linear_model.Lasso(alpha, tol=tol, max_iter=10000).fit(X, few.T)
    assert batch.success.all() and abs(batch.x - model.coef_).max() < 1e-2
    compare(
        f"lasso, {m} x {p}, alpha {alpha}, gap {tol}",
        {
            "lasso_batch, 1 thread": (lambda: numopt.lasso_batch(X, Y, alpha, tol=tol, n_threads=1), len(Y)),
            "lasso_batch, all threads": (lambda: numopt.lasso_batch(X, Y, alpha, tol=tol), len(Y)),
            "loop over numopt's Lasso": (lambda: loop(linear_model.Lasso), len(few)),
            "loop over scikit-learn's Lasso": (lambda: loop(sklearn_linear.Lasso), len(few)),
            "scikit-learn's Lasso, all targets": (
                lambda: sklearn_linear.Lasso(alpha, tol=tol, max_iter=10000).fit(X, few.T),
                len(few),
            ),
        },
    )


def perceptrons(m, units):
    """Noisy sines of different frequencies."""
    rng = np.random.default_rng(0)
    X = np.linspace(-1, 1, m)[:, None]
    Y = np.sin(rng.uniform(1, 4, (400, 1)) * X[:, 0]) + 0.05 * rng.standard_normal((400, m))
    few = Y[:10]
    options = {"hidden_layer_sizes": (units,), "activation": "tanh", "random_state": 0, "alpha": 1e-2}

    def loop(MLPRegressor):
        for y in few:
            MLPRegressor(solver="lbfgs", **options).fit(X, y)

    compare(
        f"perceptron, {m} samples, 1-{units}-1",
        {
            "mlp_batch, 1 thread": (lambda: numopt.mlp_batch(X, Y, n_threads=1, **options), len(Y)),
            "mlp_batch, all threads": (lambda: numopt.mlp_batch(X, Y, **options), len(Y)),
            "loop over numopt's MLPRegressor": (lambda: loop(neural_network.MLPRegressor), len(few)),
            "loop over scikit-learn's": (lambda: loop(sklearn_networks.MLPRegressor), len(few)),
        },
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    lassos(200, 20, 0.1, 1e-4)
    lassos(200, 20, 0.1, 1e-8)
    lassos(50, 5, 0.1, 1e-4)
    lassos(500, 100, 0.1, 1e-4)
    perceptrons(100, 4)
