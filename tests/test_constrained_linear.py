"""Linear models under constraints: optimality conditions, from bound to penalty and back, peers, input."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, lsq_linear, nnls
from sklearn import linear_model as peers
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

import numopt
from numopt.linear_model import (
    ConstrainedLasso,
    ConstrainedLinearRegression,
    ConstrainedRidge,
    Lasso,
    LinearRegression,
    Ridge,
)
from numopt.linear_model import _constrained_ridge as ridge_module

SHAPES = [(60, 8), (40, 90)]
STORAGES = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csc": sp.csc_array}


@parametrize_with_checks(
    [
        ConstrainedLasso(),
        ConstrainedLasso(positive=True),
        ConstrainedRidge(),
        ConstrainedLinearRegression(),
        ConstrainedLinearRegression((0, np.inf)),
    ]
)
def test_contract(estimator, check):
    check(estimator)


def data(n, p, seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.5 * rng.standard_normal((n, 1)) + 2.0
    y = X[:, : p // 2] @ rng.standard_normal(p // 2) + rng.standard_normal(n) + 3.0
    return X, y, rng.integers(0, 4, n).astype(float) if weighted else None


def correlations(model, X, y, s, centred=True):
    """X'S r of the centred X: from the data alone, not from the solver's numbers."""
    s = np.ones(len(y)) if s is None else s
    r = s * (y - X @ model.coef_ - model.intercept_)
    if centred:
        assert abs(r.sum()) <= 1e-12 * np.abs(s * y).sum()
    return X.T @ r, s.sum()


def check_lasso(model, X, y, t, s=None, positive=False, centred=True):
    """The optimality conditions of the constrained lasso."""
    w, a = model.coef_, model.multiplier_
    z, total = correlations(model, X, y, s, centred)
    z = z / total
    norm, top = np.abs(w).sum(), np.abs(correlations_at_zero(X, y, s, centred)).max() / total
    assert norm <= t * (1 + 1e-13) and a >= 0 and model.dual_gap_ <= 1e-12 * y.var()
    assert a == 0 or norm >= t * (1 - 1e-13)
    assert model.constraint_active_ == (a > 0)
    assert np.abs(z - a * np.sign(w))[w != 0].max(initial=0.0) <= 1e-11 * top
    assert (z if positive else np.abs(z)).max() <= a + 1e-11 * top
    assert not positive or w.min() >= 0


def correlations_at_zero(X, y, s, centred):
    s = np.ones(len(y)) if s is None else s
    return X.T @ (s * (y - (np.average(y, weights=s) if centred else 0.0)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_lasso_both_ways(shape, kind, positive, share):
    weighted, centred = kind != "F", kind != "csc" or share < 0.5
    X, y, s = data(*shape, weighted=weighted)
    y = y + 0.3 * X.sum(axis=1) if positive else y
    options = {"fit_intercept": centred, "positive": positive}
    top = np.abs(correlations_at_zero(X, y, s, centred)).max() / (len(y) if s is None else s.sum())
    penalised = Lasso((1 - share) ** 3 * 0.3 * top, tol=1e-15, max_iter=10_000, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # rounding ends it above so small a gap
        penalised.fit(X, y, s)
        t = np.abs(penalised.coef_).sum()
        model = ConstrainedLasso(t, **options).fit(STORAGES[kind](X), y, s)
        check_lasso(model, X, y, t, s, positive, centred)
        assert model.multiplier_ == pytest.approx(penalised.alpha, rel=1e-8)  # alpha -> t -> alpha
        np.testing.assert_allclose(model.coef_, penalised.coef_, rtol=0, atol=1e-8 * t)
        t *= 0.7
        model.set_params(t=t).fit(STORAGES[kind](X), y, s)
        check_lasso(model, X, y, t, s, positive, centred)
        penalised.set_params(alpha=model.multiplier_).fit(X, y, s)  # t -> alpha -> t
    assert np.abs(penalised.coef_).sum() == pytest.approx(t, rel=1e-8)
    np.testing.assert_allclose(model.coef_, penalised.coef_, rtol=0, atol=1e-8 * t)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize("share", [1e-6, 0.1, 0.9, 0.999999])
def test_ridge_both_ways(shape, kind, share):
    weighted, centred = kind != "F", share != 0.1
    X, y, s = data(*shape, weighted=weighted)
    y = np.column_stack([y, np.sin(y)]) if share == 0.9 else y
    free = np.linalg.norm(np.atleast_2d(LinearRegression(fit_intercept=centred).fit(X, y, s).coef_), axis=1)
    t = share * free.min()
    model = ConstrainedRidge(t, fit_intercept=centred).fit(STORAGES[kind](X), y, s)
    alpha = np.atleast_1d(model.multiplier_)
    assert (alpha > 0).all() and np.all(model.constraint_active_)
    coef = np.atleast_2d(model.coef_)
    np.testing.assert_allclose(np.linalg.norm(coef, axis=1), t, rtol=1e-12)
    s1 = np.ones(len(y)) if s is None else s
    for w, a, target in zip(coef, alpha, np.atleast_2d(y.T), strict=True):
        A = X - np.average(X, axis=0, weights=s1) if centred else X
        b = target - np.average(target, weights=s1) if centred else target
        g = A.T @ (s1 * (b - A @ w))
        assert np.abs(g - a * w).max() <= 1e-12 * np.abs(A.T @ (s1 * b)).max()
    penalised = Ridge(model.multiplier_, solver="svd", fit_intercept=centred).fit(X, y, s)
    np.testing.assert_allclose(np.linalg.norm(np.atleast_2d(penalised.coef_), axis=1), t, rtol=1e-8)
    np.testing.assert_allclose(penalised.coef_, model.coef_, rtol=0, atol=1e-8 * t)
    np.testing.assert_allclose(penalised.intercept_, model.intercept_, rtol=1e-8)
    penalised.set_params(alpha=3.0).fit(X, y if y.ndim == 1 else y[:, 0], s)
    model.set_params(t=np.linalg.norm(penalised.coef_)).fit(X, y if y.ndim == 1 else y[:, 0], s)
    assert model.multiplier_ == pytest.approx(3.0, rel=1e-8)


def test_ridge_keeps_the_digits_of_a_nearly_dependent_column():
    X, y, _ = data(60, 8)
    X[:, 5] = X[:, 4] + 1e-7 * np.cos(np.arange(60.0))
    t = 0.1 * np.linalg.norm(np.linalg.lstsq(X - X.mean(0), y - y.mean(), rcond=None)[0])
    model = ConstrainedRidge(t).fit(X, y)
    penalised = Ridge(model.multiplier_, solver="svd").fit(X, y)
    assert 0 < model.multiplier_ < 1e-9 and np.linalg.norm(penalised.coef_) == pytest.approx(t, rel=1e-7)


def test_ridge_by_products_alone(monkeypatch):
    X, y, s = data(60, 30, weighted=True)
    X[np.abs(X) < 2.0] = 0.0
    A = sp.csr_array(X)
    exact = [ConstrainedRidge(t).fit(A, y, s) for t in (0.0, 0.01, 0.5, 100.0)]
    monkeypatch.setattr(ridge_module, "_LARGE", 1)
    for one in exact:
        model = clone(one).fit(A, y, s)
        np.testing.assert_allclose(model.coef_, one.coef_, rtol=0, atol=1e-7 * max(np.abs(one.coef_).max(), 1e-300))
        assert model.multiplier_ == pytest.approx(one.multiplier_, rel=1e-7)


@pytest.mark.parametrize("estimator", [ConstrainedLasso, ConstrainedRidge])
def test_a_bound_that_is_none_leaves_least_squares(estimator):
    X, y, _ = data(60, 8)
    free = LinearRegression().fit(X, y)
    for t in (1e3, 1e15, np.inf):
        model = estimator(t).fit(X, y)
        np.testing.assert_allclose(model.coef_, free.coef_, rtol=1e-10)
        assert model.multiplier_ == 0.0 and not model.constraint_active_
    zero = estimator(0.0).fit(X, y)
    assert not zero.coef_.any() and zero.intercept_ == pytest.approx(y.mean()) and zero.constraint_active_
    assert estimator(1.0).fit(X, 0 * y + 2).multiplier_ == 0.0


def test_lasso_between_the_least_l1_and_the_least_l2_norm_of_interpolation():
    X, y, _ = data(30, 80)
    A, b = X - X.mean(0), y - y.mean()
    most = np.abs(np.linalg.lstsq(A, b, rcond=None)[0]).sum()
    model = ConstrainedLasso(0.97 * most).fit(X, y)
    assert model.multiplier_ == 0.0 and np.abs(model.coef_).sum() <= 0.97 * most
    assert np.abs(A @ model.coef_ - b).max() <= 1e-10 * np.abs(b).max()


def test_lasso_with_dependent_tied_and_constant_columns():
    X, y, _ = data(40, 6)
    Z = np.column_stack([X, X[:, :3], -X[:, 2:4], np.ones(40), X[:, 0] + X[:, 1]])
    t = 0.6 * np.abs(LinearRegression().fit(X, y).coef_).sum()
    check_lasso(ConstrainedLasso(t).fit(Z, y), Z, y, t)
    for t in (0.5, 2.0, 3.9):  # orthogonal columns with equal correlations: they enter together
        E = np.vstack([np.eye(4), -np.eye(4)])
        b = np.array([1.0, 1, 1, 1, -1, -1, -1, -1])
        model = ConstrainedLasso(t).fit(E, b)
        check_lasso(model, E, b, t)
        assert model.multiplier_ == pytest.approx((1 - t / 4) / 4)


def test_lasso_scales_with_its_data():
    X, y, _ = data(40, 20)
    one = ConstrainedLasso(1.0).fit(X, y)
    for scale in (1e-100, 1e100):
        model = ConstrainedLasso(scale).fit(X, scale * y)
        np.testing.assert_allclose(model.coef_ / scale, one.coef_, rtol=1e-9, atol=1e-12)
        assert model.multiplier_ / scale == pytest.approx(one.multiplier_, rel=1e-9)


def test_targets_and_float32():
    X, y, _ = data(40, 6)
    Y = np.column_stack([y, 0.01 * y, y**2])
    for estimator in (ConstrainedLasso(0.5), ConstrainedRidge(0.5)):
        model = clone(estimator).fit(X, Y)
        for k in range(3):
            one = clone(estimator).fit(X, Y[:, k])
            np.testing.assert_allclose(model.coef_[k], one.coef_, rtol=1e-9, atol=1e-12)
            assert model.multiplier_[k] == pytest.approx(one.multiplier_, rel=1e-9)
        assert model.constraint_active_.tolist() == [True, False, True] and model.predict(X).shape == (40, 3)
        small = clone(estimator).fit(X.astype(np.float32), y.astype(np.float32))
        one = clone(estimator).fit(X, y)
        assert small.coef_.dtype == np.float32 and small.intercept_.dtype == np.float32
        np.testing.assert_allclose(small.coef_, one.coef_, atol=1e-5)
        np.testing.assert_allclose(small.multiplier_, one.multiplier_, rtol=1e-4)


def test_a_grid_of_bounds_and_a_pickle():
    X, y = load_diabetes(return_X_y=True)
    for estimator in (ConstrainedLasso(), ConstrainedRidge()):
        search = GridSearchCV(estimator, {"t": [10.0, 500.0, 1000.0, 3000.0]}, cv=3).fit(X, y)
        assert search.best_params_["t"] in (500.0, 1000.0, 3000.0) and search.best_score_ > 0.4
        again = pickle.loads(pickle.dumps(search.best_estimator_))
        assert np.array_equal(again.predict(X), search.predict(X))


def test_lasso_out_of_passes_is_feasible_and_warns():
    X, y, _ = data(40, 90)
    with pytest.warns(ConvergenceWarning, match="duality gap"):
        model = ConstrainedLasso(15.0, max_iter=1).fit(X, y)
    best = ConstrainedLasso(15.0).fit(X, y)
    loss = [0.5 * np.mean((y - m.predict(X)) ** 2) for m in (model, best)]
    assert np.abs(model.coef_).sum() <= 15.0 and loss[0] - loss[1] <= model.dual_gap_


@pytest.mark.parametrize("estimator", [ConstrainedLasso, ConstrainedRidge])
@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"t": -1.0}, "t must be a real number >= 0"),
        ({"t": np.nan}, "t must be"),
        ({"t": "1"}, "t must be"),
        ({"t": True}, "t must be"),
        ({"fit_intercept": 1}, "fit_intercept must be True or False"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"tol": -1.0}, "tol must be a real number >= 0"),
    ],
)
def test_bad_parameters(estimator, wrong, text):
    with pytest.raises(ValueError, match=text):
        estimator(**wrong).fit(np.eye(3), np.arange(3.0))


def check_regression(model, X, y, lower, upper, constraints=(), s=None, centred=True):
    """Feasible, and the gradient is made of multipliers with the right signs, each of a limit that is attained."""
    w = model.coef_
    z, _ = correlations(model, X, y, s, centred)
    scale = np.abs(correlations_at_zero(X, y, s, centred)).max()
    assert (w >= lower).all() and (w <= upper).all()
    left = -z - model.bound_multipliers_
    for con, u in zip(constraints, model.multipliers_, strict=True):
        A = np.atleast_2d(con.A)
        lb, ub, value = np.broadcast_to(con.lb, len(A)), np.broadcast_to(con.ub, len(A)), A @ w
        room = 1e-12 * (1 + np.abs(A) @ np.abs(w))
        assert (value >= lb - room).all() and (value <= ub + room).all()
        assert (np.abs(value - lb)[(u > 0) & (lb != ub)] <= room.max()).all()
        assert (np.abs(value - ub)[(u < 0) & (lb != ub)] <= room.max()).all()
        left -= A.T @ u
    assert np.abs(left).max() <= 1e-10 * scale
    m = model.bound_multipliers_
    assert (w == np.broadcast_to(lower, w.shape))[m > 0].all() and (w == np.broadcast_to(upper, w.shape))[m < 0].all()
    mask = model.active_mask_
    assert (w == np.broadcast_to(lower, w.shape))[mask < 0].all() and (m[mask == 0] == 0).all()


@pytest.mark.parametrize("shape", [(60, 8), (300, 40), (30, 45)])
@pytest.mark.parametrize("kind", ["C", "csc"])
def test_nonnegative_and_bounded_regression(shape, kind):
    X, y, s = data(*shape, weighted=kind == "csc")
    s1 = np.ones(len(y)) if s is None else s
    A = np.sqrt(s1)[:, None] * (X - np.average(X, axis=0, weights=s1))
    b = np.sqrt(s1) * (y - np.average(y, weights=s1))
    model = ConstrainedLinearRegression((0, np.inf)).fit(STORAGES[kind](X), y, s)
    check_regression(model, X, y, 0.0, np.inf, s=s)
    np.testing.assert_allclose(model.coef_, nnls(A, b)[0], atol=1e-9)
    peer = peers.LinearRegression(positive=True).fit(X, y, s)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-9)
    np.testing.assert_allclose(model.predict(X), peer.predict(X), atol=1e-9)
    lower, upper = np.linspace(-0.5, 0.0, shape[1]), np.linspace(0.0, 0.2, shape[1])
    lower[1] = upper[1] = 0.07
    model.set_params(bounds=Bounds(lower, upper)).fit(STORAGES[kind](X), y, s)
    check_regression(model, X, y, lower, upper, s=s)
    assert model.coef_[1] == 0.07 and {-1, 1} <= set(model.active_mask_.tolist())
    others = np.arange(shape[1]) != 1
    peer = lsq_linear(A[:, others], b - 0.07 * A[:, 1], (lower[others], upper[others]), method="bvls", tol=1e-15)
    np.testing.assert_allclose(model.coef_[others], peer.x, atol=1e-9)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("shape", [(60, 8), (30, 45)])
def test_regression_under_linear_constraints(shape, centred):
    X, y, s = data(*shape, weighted=True)
    p = shape[1]
    rise = np.eye(p)[1:] - np.eye(p)[:-1]
    constraints = [
        LinearConstraint(np.ones((1, p)), 1.0, 1.0),
        LinearConstraint(rise, 0.0, 0.1),
        LinearConstraint(np.vstack([np.ones(p), -np.ones(p)]), -1.0, 3.0),  # both depend on the first
    ]
    model = ConstrainedLinearRegression((-1, 0.6), constraints, fit_intercept=centred).fit(X, y, s)
    check_regression(model, X, y, -1.0, 0.6, constraints, s, centred)
    assert (model.multipliers_[1] > 0).any() and (model.multipliers_[1] < 0).any()  # ranges, at both ends
    named = dict(zip(("budget", "rise", "again"), constraints, strict=True))
    again = ConstrainedLinearRegression((-1, 0.6), named, fit_intercept=centred).fit(X, y, s)
    assert list(again.multipliers_) == ["budget", "rise", "again"] and (again.coef_ == model.coef_).all()
    # the multiplier is the slope of the least objective
    step = 1e-4 if centred else 1e-3
    loss = []
    for total in (1.0 - step, 1.0 + step):
        constraints[0] = LinearConstraint(np.ones((1, p)), total, total)
        moved = clone(model).set_params(constraints=constraints[:2]).fit(X, y, s)
        loss.append(0.5 * np.sum(s * (y - moved.predict(X)) ** 2))
    whole = model.multipliers_[0][0] + model.multipliers_[2][0] - model.multipliers_[2][1]
    assert (loss[1] - loss[0]) / (2 * step) == pytest.approx(whole, rel=0.05)


def test_regression_without_constraints_is_least_squares_also_of_nearly_dependent_columns():
    X, y, _ = data(60, 8)
    X[:, 5] = X[:, 4] + 1e-7 * np.cos(np.arange(60.0))
    Y = np.column_stack([y, y**2])
    free, model = LinearRegression(tol=1e-12).fit(X, Y), ConstrainedLinearRegression().fit(X, Y)
    np.testing.assert_allclose(model.coef_, free.coef_, rtol=1e-5)
    left = [np.sum((Y - m.predict(X)) ** 2, axis=0) for m in (model, free)]
    np.testing.assert_allclose(left[0], left[1], rtol=1e-9)
    assert model.bound_multipliers_.shape == (2, 8) and not model.bound_multipliers_.any() and model.multipliers_ == []


def test_regression_of_a_target_that_pulls_out_of_all_bounds():
    X, _, _ = data(60, 8)
    y = -X @ np.arange(1.0, 9.0)
    model = ConstrainedLinearRegression((0, np.inf), fit_intercept=False).fit(X, y)
    check_regression(model, X, y, 0.0, np.inf, centred=False)
    assert not model.coef_.any() and (model.active_mask_ == -1).all()


def test_regression_scales_with_its_data():
    X, y, _ = data(40, 6)
    total = LinearConstraint(np.ones(6), 0.5, 0.5)
    one = ConstrainedLinearRegression((0, 0.3), total).fit(X, y)
    for scale in (1e-60, 1e60):
        bounds, total = (0, 0.3 * scale), LinearConstraint(np.ones(6), 0.5 * scale, 0.5 * scale)
        model = ConstrainedLinearRegression(bounds, total).fit(X, scale * y)
        np.testing.assert_allclose(model.coef_ / scale, one.coef_, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(model.multipliers_[0] / scale, one.multipliers_[0], rtol=1e-9)


def test_regression_on_a_simplex():
    X, y, _ = data(60, 8)
    model = ConstrainedLinearRegression(constraints=numopt.Simplex(0.5)).fit(X, y)
    row = LinearConstraint(np.ones((1, 8)), 0.5, 0.5)
    check_regression(model, X, y, 0.0, np.inf, [row])
    assert (model.coef_ == 0).any()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"bounds": (1, 0)}, "bounds: the lower one of feature 0 exceeds the upper one; got 1 and 0"),
        ({"bounds": (0, [1, np.nan, 1])}, "bounds: the upper one of feature 1 is nan"),
        ({"bounds": (np.inf, np.inf)}, "bounds: the lower one of feature 0 is inf"),
        ({"bounds": [(0, 1)] * 3}, r"bounds must be a pair \(lower, upper\)"),
        ({"bounds": 3}, "bounds must be a pair"),
        ({"constraints": LinearConstraint(np.ones(4), 0, 1)}, "A must have 3 columns"),
        ({"constraints": {"type": "eq", "fun": np.sum}}, "must be a scipy.optimize.LinearConstraint"),
        ({"constraints": LinearConstraint(np.ones(3), 2, 1)}, "the lower limit exceeds the upper one"),
        ({"constraints": LinearConstraint(np.ones(3), 4, 9), "bounds": (0, 1)}, "these together: constraints, b"),
        ({"constraints": [LinearConstraint(np.eye(3)[1], v, v) for v in (0, 1)]}, r"s\[0\], constraints\[1\]"),
        ({"fit_intercept": "yes"}, "fit_intercept must be True or False"),
        ({"tol": -1.0}, "tol must be"),
    ],
)
def test_regression_refuses(options, text):
    with pytest.raises((ValueError, TypeError), match=text):
        ConstrainedLinearRegression(**options).fit(np.eye(3), np.arange(3.0))
