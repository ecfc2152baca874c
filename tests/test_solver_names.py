"""One model by every method of the catalogue: one answer, whatever ``solver`` names; others are refused."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model as sk
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from numopt.catalog import METHODS
from numopt.linear_model import (
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from numopt.linear_model._catalogue import names

NAMES = names()
# Their step is one over the largest curvature at the start, which is no promise where the curvature grows.
FIXED = {"gd-fixed", "gd-decay", "gd-drop", "sgd", "momentum", "heavy-ball", "nesterov"}
VALUES_ONLY = [name for name, row in METHODS.items() if row.values_only]


def lines(targets=1):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 6)) * (rng.random((120, 6)) < 0.7) + 0.5
    Y = X @ rng.standard_normal((6, targets)) + rng.standard_normal((120, targets)) + 2.0
    return X, Y if targets > 1 else Y[:, 0], rng.uniform(0.1, 2.0, 120)


def silent(estimator, *data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return estimator.fit(*data)


def same(ours, theirs, rtol):
    assert ours.coef_.shape == theirs.coef_.shape
    assert np.abs(ours.coef_ - theirs.coef_).max() <= rtol * np.abs(theirs.coef_).max()
    scale = max(np.abs(theirs.coef_).max(), np.abs(theirs.intercept_).max())
    assert np.abs(ours.intercept_ - theirs.intercept_).max() <= 10 * rtol * scale


def test_names_are_the_catalogues_that_read_gradients():
    assert {"coordinate", "gd", "cg-pr", "newton", "bfgs", "lbfgs", "trust-ncg"} <= set(NAMES)
    assert not set(NAMES) & set(VALUES_ONLY)


@pytest.mark.parametrize("solver", NAMES)
def test_ridge(solver):
    X, Y, w = lines(2)
    for kind, weights, intercept in ((np.array, w, True), (sp.csr_array, w, True), (sp.csc_array, None, False)):
        ours = Ridge([0.7, 3.0], solver=solver, tol=1e-7, fit_intercept=intercept)
        same(silent(ours, kind(X), Y, weights), sk.Ridge([0.7, 3.0], fit_intercept=intercept).fit(X, Y, weights), 1e-6)
        assert ours.n_iter_.shape == (2,) and ours.solver_ == solver


@pytest.mark.parametrize("solver", ["gd", "cg-pr", "bfgs", "lbfgs", "newton"])
def test_ridge_to_eight_digits_and_in_float32(solver):
    X, Y, w = lines(2)
    tol = 1e-9 if solver == "gd" else 1e-11
    same(silent(Ridge(0.7, solver=solver, tol=tol), X, Y, w), sk.Ridge(0.7).fit(X, Y, w), 1e-8)
    single = silent(Ridge(0.7, solver=solver, tol=1e-4), X.astype("f"), Y.astype("f"))
    assert single.coef_.dtype == np.float32
    same(single, sk.Ridge(0.7).fit(X, Y), 1e-3)


@pytest.mark.parametrize("solver", NAMES)
def test_least_squares(solver):
    X, Y, w = lines(2)
    for kind in (np.array, sp.csr_array):
        model = silent(LinearRegression(solver=solver, tol=1e-7), kind(X), Y, w)
        same(model, sk.LinearRegression().fit(X, Y, w), 1e-5)
        assert not hasattr(model, "rank_") and not hasattr(model, "singular_")
    model = clone(model).set_params(solver="auto").fit(X, Y)
    assert model.rank_ == 6


@pytest.mark.parametrize("kind", [np.array, sp.csr_array])
def test_ridge_classifier(kind):
    X, y, w = lines()
    labels = np.where(y > np.median(y), "a", np.where(X[:, 0] > 1.0, "b", "c"))
    theirs = sk.RidgeClassifier(class_weight="balanced").fit(X, labels, w)
    for solver in ("coordinate", "gd", "cg-hz", "newton", "lbfgs"):
        ours = silent(RidgeClassifier(class_weight="balanced", solver=solver, tol=1e-7), kind(X), labels, w)
        same(ours, theirs, 1e-5)
        assert (ours.predict(kind(X)) == theirs.predict(X)).all()


@pytest.mark.parametrize("solver", NAMES)
@pytest.mark.parametrize("estimator", [PoissonRegressor, HuberRegressor, LogisticRegression])
def test_generalised_models(estimator, solver):
    X, y, w = lines()
    y = np.where(np.arange(120) % 10 == 0, y + 20.0, y) if estimator is HuberRegressor else np.round(np.exp(y / 3))
    y = y > np.median(y) if estimator is LogisticRegression else y
    reference = estimator(tol=1e-10, max_iter=1000).fit(X, y, w)
    tol = 1e-5 * w.sum() if estimator is HuberRegressor else 1e-6
    model = estimator(tol=tol, max_iter=20_000).set_params(solver=solver)
    if solver in FIXED and estimator is not LogisticRegression:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y, w)
        if caught:
            assert all(issubclass(warning.category, ConvergenceWarning) for warning in caught)
            return
    same(silent(model, X, y, w), reference, 2e-4)
    same(silent(model, sp.csr_array(X), y, w), reference, 2e-4)


@pytest.mark.parametrize("solver", ["coordinate", "gd", "cg-pr", "bfgs", "newton", "l-bfgs-b"])
def test_nonnegative(solver):
    X, Y, w = lines(2)
    for model in (Ridge(0.7, positive=True, tol=1e-7), LinearRegression(positive=True, tol=1e-7)):
        reference = clone(model).fit(X, Y, w)
        ours = silent(clone(model).set_params(solver=solver), X, Y, w)
        assert (ours.coef_ >= 0).all() and (ours.coef_ == 0).any()
        same(ours, reference, 1e-5)


def test_fixed_steps_fit_the_scale_of_the_data():
    X, y, _ = lines()
    for scale in (1e-3, 1e3):
        model = silent(Ridge(0.0, solver="gd-fixed", tol=1e-8), scale * X, y)
        same(model, sk.Ridge(0.0).fit(scale * X, y), 1e-6)


@pytest.mark.parametrize(
    "estimator", [Ridge(), RidgeClassifier(), LinearRegression(), PoissonRegressor(), HuberRegressor()]
)
@pytest.mark.parametrize("solver", [*VALUES_ONLY, "nonsense", None])
def test_what_cannot_serve_is_refused_with_what_can(estimator, solver):
    X, y, _ = lines()
    with pytest.raises(ValueError, match=r"solver must be one of .*coordinate, gd, .*bfgs.*got"):
        clone(estimator).set_params(solver=solver).fit(X, np.round(y) > 2)


def test_positive_is_refused_where_bounds_are():
    X, y, _ = lines()
    for model in (Ridge(positive=True, solver="dogleg"), LinearRegression(positive=True, solver="trust-ncg")):
        with pytest.raises(ValueError, match="positive=True; these do: coordinate, gd"):
            model.fit(X, y)


def test_unconverged_says_so():
    X, y, _ = lines()
    for model in (Ridge(0.1, solver="gd", max_iter=1), PoissonRegressor(solver="gd", max_iter=1)):
        with pytest.warns(ConvergenceWarning, match="after 1 iterations"):
            model.fit(X, np.abs(y))
