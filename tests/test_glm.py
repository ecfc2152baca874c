"""Losses, Poisson and Huber regression: derivatives, optimality, scikit-learn's answers, weights, bad input."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model as sk
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import check_estimator

from numopt.linear_model import HuberRegressor, PoissonRegressor
from numopt.optimize._glm import objective
from numopt.solvers import glm_slots as g


def counts(n=200, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, rng.poisson(np.exp(0.4 * X @ rng.standard_normal(p) + 0.5)).astype(float)


def lines(n=200, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = X @ rng.standard_normal(p) + rng.standard_normal(n)
    y[::10] += 20.0
    return X, y


def stored(X, storage):
    return sp.csr_array(X) if storage == "csr" else sp.csc_array(X) if storage == "csc" else np.array(X, order=storage)


@pytest.mark.parametrize("estimator", [PoissonRegressor, HuberRegressor])
def test_check_estimator(estimator):
    check_estimator(estimator())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["logistic", "poisson", "huber", "multinomial"]),
    st.booleans(),
    st.booleans(),
)
def test_gradients_and_hessians_are_those_of_the_value(seed, loss, sparse, weighted):
    rng = np.random.default_rng(seed)
    n, p, K = 12, 80, 3 if loss == "multinomial" else 1
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.3)
    y = rng.integers(0, max(K, 2), n).astype(float)
    s = rng.uniform(0.1, 2.0, n) if weighted else None
    if sparse:
        X = sp.csr_array(np.hstack([X, np.zeros((n, 150))]))  # so many columns that passes over rows are compiled ones
    f = objective(X, y, s, loss, K, 0.3, True)
    f.out[g.O_SIGMA], f.out[g.O_EPSILON] = 0.7, 1.35
    W, V = 0.1 * rng.standard_normal((f.q, K)), rng.standard_normal((f.q, K))
    h = 1e-5
    ahead, behind = f.evaluate(W + h * V), f.evaluate(W - h * V)
    _, G, _ = f.evaluate(W)
    product = f.product(V)
    assert np.vdot(G, V) == pytest.approx((ahead[0] - behind[0]) / (2 * h), rel=1e-5, abs=1e-7)
    if loss != "huber":  # whose gradient has kinks
        np.testing.assert_allclose(product, (ahead[1] - behind[1]) / (2 * h), rtol=1e-4, atol=1e-6)
    f.evaluate(W)
    unit = np.zeros((f.q, K))
    unit[3, 0] = 1.0
    assert f.diagonal()[3, 0] == pytest.approx(f.product(unit)[3, 0], rel=1e-10)


def test_values_are_exact_in_the_tails():
    z = np.array([-700.0, -40.0, -1e-9, 0.0, 1e-9, 40.0, 700.0])
    for y in (0.0, 1.0):
        f = objective(z[:, None], np.full(7, y), None, "logistic", 1, 0.0, False)
        value, _, _ = f.evaluate(np.ones((1, 1)))
        m = z if y == 0 else -z
        assert value == pytest.approx(np.logaddexp(0.0, m).mean(), rel=1e-14)
        np.testing.assert_allclose(7 * f.z[:, 0] * (1 - 2 * y), np.exp(-np.logaddexp(0.0, -m)), rtol=1e-13)
        np.testing.assert_allclose(7 * f.c[:, 0], np.exp(-np.logaddexp(0, m) - np.logaddexp(0, -m)), rtol=1e-13)


@pytest.mark.parametrize("storage", ["C", "F", "csr", "csc"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("alpha", "intercept"), [(0.0, True), (0.5, False), (2.0, True)])
def test_poisson_agrees_with_scikit_learn(storage, weighted, alpha, intercept):
    X, y = counts()
    s = np.random.default_rng(1).integers(0, 3, len(y)).astype(float) if weighted else None
    options = {"alpha": alpha, "fit_intercept": intercept, "tol": 1e-11}
    ours = PoissonRegressor(**options).fit(stored(X, storage), y, sample_weight=s)
    theirs = sk.PoissonRegressor(solver="newton-cholesky", **options).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-10)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, rel=1e-8)
    assert ours.score(X, y, s) == pytest.approx(theirs.score(X, y, s), rel=1e-8)
    weights = np.ones(len(y)) if s is None else s
    r = weights * (ours.predict(X) - y) / weights.sum()
    assert np.abs(X.T @ r + alpha * ours.coef_).max() < 2e-11


def huber_objective(model, X, y, s):
    u = np.abs(y - X @ model.coef_ - model.intercept_) / model.scale_
    e = model.epsilon
    terms = 1.0 + np.where(u <= e, u * u, 2.0 * e * u - e * e)
    return model.scale_ * (s * terms).sum() + model.alpha * (model.coef_ @ model.coef_)


@pytest.mark.parametrize("storage", ["C", "F", "csr", "csc"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_huber_satisfies_the_optimality_conditions(storage, weighted, intercept):
    X, y = lines()
    s = np.random.default_rng(1).integers(0, 3, len(y)).astype(float) if weighted else np.ones(len(y))
    model = HuberRegressor(alpha=0.3, fit_intercept=intercept, tol=1e-8)
    model.fit(stored(X, storage), y, sample_weight=s if weighted else None)
    u = (y - X @ model.coef_ - model.intercept_) / model.scale_
    slope = -2.0 * np.clip(u, -model.epsilon, model.epsilon)
    assert np.abs(X.T @ (s * slope) + 2 * 0.3 * model.coef_).max() < 1e-7
    assert abs((s * (1.0 - slope**2 / 4.0)).sum()) < 1e-7
    if intercept:
        assert abs((s * slope).sum()) < 1e-7
    np.testing.assert_array_equal(model.outliers_, np.abs(u) > model.epsilon)
    theirs = sk.HuberRegressor(alpha=0.3, fit_intercept=intercept, tol=1e-10, max_iter=10_000).fit(X, y, s)
    assert huber_objective(model, X, y, s) <= huber_objective(theirs, X, y, s) * (1.0 + 1e-14)
    # f is convex: from theirs, which end where f falls slowly, the steps that are left are Newton's
    near = HuberRegressor(alpha=0.3, fit_intercept=intercept, tol=1e-8, warm_start=True)
    near.coef_, near.intercept_, near.scale_ = theirs.coef_, theirs.intercept_, theirs.scale_
    near.fit(X, y, s)
    np.testing.assert_allclose(model.coef_, near.coef_, rtol=0, atol=1e-8 * np.abs(near.coef_).max())
    assert model.scale_ == pytest.approx(near.scale_, rel=1e-8) and near.n_iter_ <= 3


@pytest.mark.parametrize("shape", [(20, 60), (60, 40), (40, 35)])
@pytest.mark.parametrize("alpha", [1e-4, 0.3])
def test_huber_has_the_least_objective_where_there_are_many_columns(shape, alpha):
    X, y = lines(*shape)
    model = HuberRegressor(alpha=alpha, max_iter=1000).fit(X, y)
    theirs = sk.HuberRegressor(alpha=alpha, tol=1e-10, max_iter=1000).fit(X, y)
    s, least = np.ones(len(y)), len(y) * 1e-10 * np.abs(y - y.mean()).max()
    assert huber_objective(model, X, y, s) <= huber_objective(theirs, X, y, s) + least


def test_huber_of_many_sparse_columns():
    rng = np.random.default_rng(0)
    X = sp.random(600, 300, density=0.05, format="csr", random_state=0)
    y = X @ rng.standard_normal(300) + rng.standard_normal(600)
    model = HuberRegressor(alpha=0.1, tol=1e-7).fit(X, y)
    dense = HuberRegressor(alpha=0.1, tol=1e-7).fit(X.toarray(), y)
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([PoissonRegressor, HuberRegressor]))
def test_zero_weight_is_removal_and_integer_weights_repetition(seed, estimator):
    X, y = counts(60, 3, seed) if estimator is PoissonRegressor else lines(60, 3, seed)
    s = np.random.default_rng(seed).integers(0, 3, len(y))
    y[0], s[0] = max(y[0], 1.0), 1
    one = estimator(alpha=0.1, tol=1e-8).fit(X, y, sample_weight=s)
    other = estimator(alpha=0.1, tol=1e-8).fit(np.repeat(X, s, axis=0), np.repeat(y, s))
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-7)
    assert one.intercept_ == pytest.approx(other.intercept_, abs=1e-7)


@pytest.mark.parametrize("estimator", [PoissonRegressor, HuberRegressor])
def test_warm_start_and_warning(estimator):
    X, y = counts()
    model = estimator(tol=1e-8, warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_ <= 1
    with pytest.warns(ConvergenceWarning, match="after 1 iterations"):
        estimator(tol=1e-8, max_iter=1).fit(X, y)


BAD = [
    (PoissonRegressor, {"alpha": -1}, "alpha"), (PoissonRegressor, {"solver": "sag"}, "solver must be"),
    (PoissonRegressor, {"max_iter": 0}, "max_iter"), (PoissonRegressor, {"tol": "a"}, "tol"),
    (HuberRegressor, {"epsilon": 0.9}, "epsilon"), (HuberRegressor, {"alpha": np.nan}, "alpha"),
    (HuberRegressor, {"fit_intercept": 2}, "fit_intercept"),
]  # fmt: skip


@pytest.mark.parametrize(("estimator", "parameters", "message"), BAD)
def test_bad_parameters(estimator, parameters, message):
    with pytest.raises(ValueError, match=message):
        estimator(**parameters).fit(*counts())


@pytest.mark.parametrize("estimator", [PoissonRegressor, HuberRegressor])
def test_bad_data(estimator):
    X, y = counts()
    with pytest.raises(ValueError, match="sample_weight"):
        estimator().fit(X, y, sample_weight=-np.ones(len(y)))
    with pytest.raises(ValueError, match="NaN"):
        estimator().fit(np.where(X > 1, np.nan, X), y)
    if estimator is PoissonRegressor:
        with pytest.raises(ValueError, match="negative"):
            estimator().fit(X, y - 1.0)
        with pytest.raises(ValueError, match="positive"):
            estimator().fit(X, 0.0 * y)


def test_the_score_of_poisson_regression_names_bad_targets():
    X, y = counts(40)
    model = PoissonRegressor().fit(X, y)
    with pytest.raises(ValueError, match="no negative values"):
        model.score(X, -np.ones(40))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, np.ones(7))
    with pytest.raises(ValueError, match="NaN"):
        model.score(X, np.full(40, np.nan))
    s = np.arange(40.0)
    theirs = sk.PoissonRegressor().fit(X, y)
    assert model.score(X, y, s) == pytest.approx(theirs.score(X, y, s), rel=1e-3)
