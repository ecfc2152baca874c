"""Huber's regression where the scale falls to nothing: most samples, or all of them, lie on one plane."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model as sk

from numopt.linear_model import HuberRegressor


def interpolated(name):
    """Data that a line meets, or meets but for a few outliers: the scale falls to nothing."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 60))
    if name == "more features than samples":
        return X, X[:, :5].sum(axis=1) + rng.standard_normal(30)
    X = X[:, :5]
    if name == "a line":
        return X, X.sum(axis=1)
    if name == "a line with outliers":
        return X, X.sum(axis=1) + 100.0 * (np.arange(30) < 3)
    if name == "dependent columns":
        return np.hstack([X, X, np.zeros((30, 2))]), X.sum(axis=1) + 100.0 * (np.arange(30) < 3)
    assert name == "zeros and ones"
    return X, np.repeat([0.0, 1.0], [25, 5])


def huber_objective(model, X, y):
    u = np.abs(y - X @ model.coef_ - model.intercept_) / model.scale_
    e = model.epsilon
    terms = 1.0 + np.where(u <= e, u * u, 2.0 * e * u - e * e)
    return model.scale_ * terms.sum() + model.alpha * (model.coef_ @ model.coef_)


INTERPOLATED = [
    "more features than samples", "a line", "a line with outliers", "dependent columns", "zeros and ones",
]  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", INTERPOLATED)
@pytest.mark.parametrize("alpha", [0.0, 1e-4, 1.0])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_huber_converges_where_the_scale_falls_to_nothing(name, alpha, storage):
    X, y = interpolated(name)
    model = HuberRegressor(alpha=alpha).fit(storage(X), y)
    assert model.scale_ < 1e-7 and model.n_iter_ <= 30
    theirs = sk.HuberRegressor(alpha=alpha, max_iter=10_000, tol=1e-8).fit(X, y)
    least = len(y) * model.scale_  # what the least scale adds to the sum of the losses
    assert huber_objective(model, X, y) <= huber_objective(theirs, X, y) + least
    if name.startswith("a line") and alpha == 0.0:
        np.testing.assert_allclose(model.coef_, np.ones(5), atol=1e-7)
        np.testing.assert_array_equal(model.outliers_, y - X.sum(axis=1) > 50)


@pytest.mark.filterwarnings("error")
def test_huber_of_many_columns_converges_where_the_scale_falls_to_nothing():
    rng = np.random.default_rng(0)
    X = sp.random_array((300, 250), density=0.1, format="csr", rng=rng)
    y = X @ np.ones(250) + 50.0 * (np.arange(300) % 50 == 0)
    model = HuberRegressor(alpha=1e-4).fit(X, y)
    assert model.scale_ < 1e-7
    np.testing.assert_allclose(model.coef_, 1.0, atol=1e-3)  # the penalty's doing


def test_a_warm_start_of_huber_does_not_lower_the_least_scale():
    X, y = interpolated("a line with outliers")
    model = HuberRegressor(warm_start=True).fit(X, y)
    scale = model.scale_
    assert model.fit(X, y).scale_ == scale and model.n_iter_ <= 1
