"""numopt.coordinate_descent: every loss and penalty against an independent optimality condition; bad input."""

import numpy as np
import pytest
import scipy.sparse as sp

import numopt
from numopt.linear_model import GroupLasso, LogisticRegression, MultiTaskLasso

rng = np.random.default_rng(0)
X = rng.standard_normal((80, 30)) + 0.5
Z = X[:, :4] @ [1.0, -1.0, 0.5, 0.25]


def data(loss):
    rng = np.random.default_rng(1)
    if loss == "logistic":
        return (Z + 0.5 * rng.standard_normal(80) > 0).astype(float)
    return rng.poisson(np.exp(0.3 * Z)).astype(float) if loss == "poisson" else Z + 0.1 * rng.standard_normal(80)


def slope(loss, y, z):
    return {"squared": z - y, "poisson": np.exp(z) - y, "logistic": 1 / (1 + np.exp(-z)) - y}[loss]


def value(loss, y, z):
    return {"squared": (y - z) ** 2 / 2, "poisson": np.exp(z) - y * z, "logistic": np.logaddexp(0, z) - y * z}[loss]


@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
@pytest.mark.parametrize("storage", [np.asarray, np.asfortranarray, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_subgradient_vanishes_and_fun_is_the_objective(loss, l1_ratio, storage, weighted):
    y, alpha = data(loss), 0.1
    s = np.random.default_rng(2).integers(0, 3, 80).astype(float) if weighted else None
    result = numopt.coordinate_descent(
        storage(X), y, alpha, loss=loss, l1_ratio=l1_ratio, sample_weight=s, fit_intercept=True, tol=1e-12
    )
    assert result.success and result.x.shape == (30,) and 0 < (result.x != 0).sum() < 30
    z = X @ result.x + result.intercept
    g = slope(loss, y, z) * (np.ones(80) if s is None else s) / (80 if s is None else s.sum())
    assert abs(g.sum()) < 1e-8
    G = X.T @ g + alpha * (1 - l1_ratio) * result.x
    on = result.x != 0
    assert np.abs(G[on] + alpha * l1_ratio * np.sign(result.x[on])).max() < 1e-6
    assert np.abs(G[~on]).max() <= alpha * l1_ratio * (1 + 1e-6)
    penalty = alpha * (l1_ratio * np.abs(result.x).sum() + (1 - l1_ratio) / 2 * (result.x**2).sum())
    loss_value = np.average(value(loss, y, z), weights=s)
    assert result.fun == pytest.approx(loss_value + penalty, rel=1e-10)


def test_groups_and_several_targets_are_the_estimators():
    y = data("squared")
    groups = [[0, 5, 7], [1, 2], [3, 4, 6, *range(8, 30)]]
    result = numopt.coordinate_descent(X, y, 0.1, groups=groups, fit_intercept=True, tol=1e-12)
    model = GroupLasso(groups, 0.1, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(result.x, model.coef_, atol=1e-10)
    assert result.status == numopt.Status.GAP and result.dual_gap == pytest.approx(model.dual_gap_, abs=1e-12)
    Y = np.column_stack([y, -y, np.random.default_rng(3).standard_normal(80)])
    result = numopt.coordinate_descent(X, Y, 0.1, fit_intercept=True, tol=1e-12)
    np.testing.assert_allclose(result.x, MultiTaskLasso(0.1, tol=1e-12).fit(X, Y).coef_.T, atol=1e-10)
    assert result.intercept.shape == (3,)
    R = Y - X @ result.x - result.intercept
    assert result.fun == pytest.approx((R**2).sum() / 160 + 0.1 * np.linalg.norm(result.x, axis=1).sum())


def test_the_logistic_loss_is_logistic_regressions():
    y = data("logistic")
    result = numopt.coordinate_descent(X, y, 0.02, loss="logistic", fit_intercept=True, tol=1e-12)
    model = LogisticRegression(l1_ratio=1.0, C=1 / (0.02 * 80), solver="saga", tol=1e-12, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(result.x, model.coef_[0], atol=1e-8)


def test_positive_random_order_and_starts():
    y = -data("squared")
    nonnegative = numopt.coordinate_descent(X, y, 0.01, positive=True)
    assert nonnegative.success and (nonnegative.x >= 0).all() and (nonnegative.x > 0).any()
    cyclic = numopt.coordinate_descent(X, y, 0.01, tol=1e-13)
    random = numopt.coordinate_descent(X, y, 0.01, tol=1e-13, seed=3)
    again = numopt.coordinate_descent(X, y, 0.01, tol=1e-13, seed=3)
    np.testing.assert_allclose(random.x, cyclic.x, atol=1e-8)
    np.testing.assert_array_equal(random.x, again.x)
    assert numopt.coordinate_descent(X, y, 0.01, tol=1e-10, x0=cyclic.x).nit < cyclic.nit


def test_a_run_out_of_passes_says_so():
    result = numopt.coordinate_descent(X, data("squared"), 1e-4, tol=1e-14, max_iter=1)
    assert not result.success and result.status == numopt.Status.MAXITER and result.dual_gap > 0
    result = numopt.coordinate_descent(X, data("logistic"), 1e-3, loss="logistic", max_iter=1)
    assert not result.success and result.status == numopt.Status.MAXITER and result.optimality > 1e-8


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"alpha": -1.0}, "alpha must be a real number > 0, got -1.0"),
        ({"alpha": 0}, "alpha must be a real number > 0, got 0"),
        ({"alpha": np.ones(3)}, "alpha must be a real number > 0"),
        ({"alpha": float("nan")}, "alpha must be"),
        ({"l1_ratio": 1.5}, r"l1_ratio must be a real number in \[0, 1\], got 1.5"),
        ({"tol": -1}, "tol must be a real number >= 0"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1"),
        ({"seed": -1}, "seed must be an integer >= 0"),
        ({"loss": "hinge"}, "loss must be one of squared, logistic, poisson, got 'hinge'"),
        ({"y": np.zeros(3)}, r"y must be finite numbers of shape \(80,\), got \[0.0, 0.0, 0.0\]"),
        ({"y": np.full(80, np.nan)}, "y must be finite"),
        ({"X": X[:, :0]}, "X must be a matrix"),
        ({"X": np.full((80, 2), np.inf)}, "X must be finite"),
        ({"sample_weight": -np.ones(80)}, "sample_weight must be finite numbers >= 0"),
        ({"sample_weight": np.zeros(80)}, "sample_weight must hold a positive weight"),
        ({"groups": [[0, 1]]}, "groups must be lists of indices that hold each of 0 to 29 once"),
        ({"x0": np.zeros(3)}, r"x0 must be finite numbers of shape \(30,\)"),
        ({"loss": "logistic"}, "y must hold 0 and 1 only"),
        ({"loss": "poisson", "positive": True}, "loss='poisson' takes one target"),
        ({"positive": True, "groups": [list(range(30))]}, "positive=True takes one target and no groups"),
    ],
)
def test_bad_input_is_named(change, text):
    arguments = {"X": X, "y": Z, "alpha": 0.1} | change
    with pytest.raises(ValueError, match=text):
        numopt.coordinate_descent(**arguments)
