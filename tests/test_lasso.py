"""Lasso, elastic net, their paths and their cross-validation: certified gaps, scikit-learn's answers, bad input."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model as sk
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import check_estimator

from numopt.linear_model import ElasticNet, ElasticNetCV, Lasso, LassoCV, enet_path, lasso_path
from numopt.optimize import _coordinate_descent as front

STORAGES = ["F", "C", "csc", "strided"]


def stored(X, storage):
    if storage == "csc":
        return sp.csc_array(X)
    if storage == "strided":
        return np.repeat(X, 2, axis=1)[:, ::2]
    return np.array(X, order=storage)


def correlated(n, p, seed=0, rho=0.5):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + (1 - rho**2) ** 0.5 * X[:, j]
    w = np.zeros(p)
    w[rng.choice(p, max(p // 10, 1), replace=False)] = rng.standard_normal(max(p // 10, 1))
    return X + 3.0, X @ w + 0.3 * rng.standard_normal(n) + 1.0


def alpha_max(X, y, s=None):
    s = np.ones(len(y)) if s is None else s
    return np.abs((X - np.average(X, axis=0, weights=s)).T @ (s * (y - np.average(y, weights=s)))).max() / s.sum()


def kkt_residual(model, X, y, alpha, l1_ratio=1.0, s=None, positive=False):
    """Largest distance of the subgradient from zero, relative to alpha: independent of the solver's own numbers."""
    s = np.ones(len(y)) if s is None else s
    w, r = model.coef_, y - X @ model.coef_ - model.intercept_
    g = X.T @ (s * r) / s.sum() - alpha * (1 - l1_ratio) * w
    na = alpha * l1_ratio
    off = np.maximum((g if positive else np.abs(g)) - na, 0.0)
    worst = np.where(w != 0, np.abs(g - na * np.sign(w)), off).max()
    if model.fit_intercept:
        worst = max(worst, abs(np.average(r, weights=s)) * np.abs(X).max())
    return worst / alpha


def on_its_support(model, X, y, alpha, l1_ratio=1.0, s=None, centred=True):
    """The coefficients where the optimality conditions hold to rounding, with the zeros and signs of model's.

    At a tight tolerance scikit-learn's have these right, but errors of the root of the gap.
    """
    s = np.ones(len(y)) if s is None else s
    if centred:
        X, y = X - np.average(X, axis=0, weights=s), y - np.average(y, weights=s)
    j = np.flatnonzero(model.coef_)
    A, n = X[:, j], s.sum()
    H = A.T @ (s[:, None] * A) / n + alpha * (1 - l1_ratio) * np.eye(len(j))
    w = np.zeros(X.shape[1])
    w[j] = np.linalg.solve(H, A.T @ (s * y) / n - alpha * l1_ratio * np.sign(model.coef_[j]))
    assert (np.sign(w) == np.sign(model.coef_)).all()
    return w


@pytest.mark.parametrize("estimator", [Lasso, ElasticNet, LassoCV, ElasticNetCV])
def test_check_estimator(estimator):
    check_estimator(estimator())


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", [(200, 30), (40, 150)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("l1_ratio", "positive", "selection"),
    [(1.0, False, "cyclic"), (1.0, True, "random"), (0.5, False, "random"), (0.05, True, "cyclic")],
)
def test_agrees_with_scikit_learn_and_satisfies_the_optimality_conditions(
    storage, shape, weighted, l1_ratio, positive, selection
):
    X, y = correlated(*shape)
    s = np.random.default_rng(1).integers(0, 4, len(y)).astype(float) if weighted else None
    alpha = 0.05 * alpha_max(X, y, s)
    options = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": positive, "tol": 1e-14}
    ours = ElasticNet(selection=selection, random_state=0, **options).fit(stored(X, storage), y, sample_weight=s)
    assert kkt_residual(ours, X, y, alpha, l1_ratio, s, positive) < 1e-6
    theirs = sk.ElasticNet(max_iter=200_000, **options).fit(X, y, sample_weight=s)
    exact = on_its_support(theirs, X, y, alpha, l1_ratio, s)
    largest = np.abs(exact).max()
    np.testing.assert_allclose(theirs.coef_, exact, rtol=0, atol=1e-5 * largest)
    # plain coordinate descent suffices where the l2 penalty is large: it ends at the gap, which bounds the distance
    more = 0.0 if l1_ratio > 0.1 else np.sqrt(2.0 * ours.dual_gap_ / (alpha * (1.0 - l1_ratio)))
    np.testing.assert_allclose(ours.coef_, exact, rtol=0, atol=1e-8 * largest + more)
    np.testing.assert_array_equal(ours.coef_ != 0, exact != 0)
    intercept = np.average(y, weights=s) - np.average(X, axis=0, weights=s) @ ours.coef_
    np.testing.assert_allclose(ours.intercept_, intercept, rtol=1e-8)
    assert 0 <= ours.dual_gap_ <= 1e-14 * np.average((y - np.average(y, weights=s)) ** 2, weights=s)


@pytest.mark.parametrize("residual", [False, True])
def test_both_inner_solvers_reach_the_gap(residual, monkeypatch):
    monkeypatch.setattr(front, "GRAM_COLUMNS", 0 if residual else 4096)
    X, y = correlated(80, 300)
    for divisor in (2.0, 10.0, 100.0):
        model = Lasso(alpha_max(X, y) / divisor, tol=1e-12, max_iter=20_000).fit(X, y)
        assert kkt_residual(model, X, y, model.alpha) < 1e-7
        assert model.dual_gap_ <= 1e-12 * np.var(y)


def test_a_working_set_that_outgrows_its_gram_matrix_goes_on_without(monkeypatch):
    X, y = correlated(80, 300)
    alpha = alpha_max(X, y) / 50
    whole = Lasso(alpha, tol=1e-12, max_iter=20_000).fit(X, y)
    monkeypatch.setattr(front, "GRAM_COLUMNS", 20)
    small = Lasso(alpha, tol=1e-12, max_iter=20_000).fit(X, y)
    np.testing.assert_allclose(small.coef_, whole.coef_, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 30),
    st.integers(1, 40),
    st.integers(0, 10**6),
    st.floats(1e-3, 2.0),
    st.floats(0.01, 1.0),
    st.booleans(),
)
def test_the_duality_gap_is_certified_by_the_objective(n, p, seed, share, l1_ratio, positive):
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (n, p)).astype(float)  # collinear, empty and constant columns among them
    y = rng.standard_normal(n)
    alpha = share * max(alpha_max(X, y), 1e-3)

    def objective(w, b):
        return (
            0.5 * np.mean((y - X @ w - b) ** 2)
            + alpha * l1_ratio * np.abs(w).sum()
            + 0.5 * alpha * (1 - l1_ratio) * w @ w
        )

    loose = ElasticNet(alpha, l1_ratio=l1_ratio, positive=positive, tol=1e-2).fit(X, y)
    tight = ElasticNet(alpha, l1_ratio=l1_ratio, positive=positive, tol=1e-10, max_iter=50_000).fit(X, y)
    best = objective(tight.coef_, tight.intercept_)
    assert objective(loose.coef_, loose.intercept_) - best <= loose.dual_gap_ + 1e-12
    assert loose.dual_gap_ <= 1e-2 * np.var(y) + 1e-15
    assert tight.dual_gap_ <= 1e-10 * np.var(y) + 1e-15
    assert (tight.coef_[np.ptp(X, axis=0) == 0] == 0).all()


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("n_p", [(60, 20), (20, 60)])
def test_zero_weights_equal_removal_and_whole_weights_equal_repetition(storage, n_p):
    X, y = correlated(*n_p)
    s = np.random.default_rng(3).integers(0, 3, len(y))
    alpha = 0.1 * alpha_max(X, y)
    weighted = Lasso(alpha, tol=1e-12).fit(stored(X, storage), y, sample_weight=s)
    repeated = Lasso(alpha, tol=1e-12).fit(np.repeat(X, s, axis=0), np.repeat(y, s))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-8)
    np.testing.assert_allclose(weighted.dual_gap_, repeated.dual_gap_, atol=1e-10)


@pytest.mark.parametrize("storage", ["F", "C", "csc"])
def test_input_is_neither_changed_nor_copied(storage):
    X, y = correlated(50, 20)
    X = stored(X, storage)
    arrays = [X.data, X.indices, X.indptr] if storage == "csc" else [X]
    before = [np.array(a) for a in arrays] + [y.copy()]
    for a in [*arrays, y]:
        a.flags.writeable = False
    Lasso(0.1, copy_X=False).fit(X, y)
    LassoCV(copy_X=False, cv=3).fit(X, y)
    for a, b in zip([*arrays, y], before, strict=True):
        np.testing.assert_array_equal(a, b)
    unit, X2 = front.storage(X)
    assert (
        X2 is X
        and unit == {"F": "lasso/columns-float64", "C": "lasso/rows-float64", "csc": "lasso/sparse-float64"}[storage]
    )


@pytest.mark.parametrize("storage", ["F", "C", "csc"])
def test_float32_stays_float32_and_is_solved_in_double(storage):
    X, y = correlated(100, 30)
    X32 = stored(X.astype(np.float32), storage)
    model = Lasso(0.1, tol=1e-10).fit(X32, y.astype(np.float32))
    assert model.coef_.dtype == np.float32
    reference = Lasso(0.1, tol=1e-10).fit(X.astype(np.float32).astype(float), y.astype(np.float32).astype(float))
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-6)


def test_means_far_from_zero_cost_no_digits():
    X, y = correlated(100, 10)
    plain = Lasso(0.05, tol=1e-12).fit(X, y)
    for storage in ("F", "C", "csc"):
        far = Lasso(0.05, tol=1e-12).fit(stored(X + 1e5, storage), y)
        np.testing.assert_allclose(far.coef_, plain.coef_, atol=1e-8)


def test_warm_start_needs_fewer_passes_and_ends_at_the_same_point():
    X, y = correlated(100, 200)
    model = Lasso(0.05, tol=1e-10, warm_start=True).fit(X, y)
    first, coef = model.n_iter_, model.coef_
    model.fit(X, y)
    assert model.n_iter_ < first
    np.testing.assert_allclose(model.coef_, coef, atol=1e-8)


def test_several_targets_are_fits_of_their_own():
    X, y = correlated(60, 10)
    Y = np.column_stack([y, -2 * y, np.ones(60)])
    model = Lasso(0.1).fit(X, Y)
    assert model.coef_.shape == (3, 10) and len(model.n_iter_) == 3 and model.intercept_.shape == (3,)
    np.testing.assert_array_equal(model.coef_[0], Lasso(0.1).fit(X, y).coef_)
    assert (model.coef_[2] == 0).all() and model.intercept_[2] == 1.0
    assert model.sparse_coef_.shape == (3, 10)


def test_alpha_zero_is_least_squares_with_scikit_learns_warning():
    X, y = correlated(50, 5)
    reference = sk.LinearRegression().fit(X, y).coef_
    for storage in ("F", "csc"):
        with pytest.warns(UserWarning, match="alpha=0"):
            model = Lasso(0.0).fit(stored(X, storage), y)
        np.testing.assert_allclose(model.coef_, reference, rtol=1e-8)
        assert model.dual_gap_ < 1e-12
        with pytest.warns(UserWarning, match="alpha=0"):
            model = Lasso(0.0, positive=True).fit(stored(X, storage), y)
        np.testing.assert_allclose(model.coef_, sk.LinearRegression(positive=True).fit(X, y).coef_, atol=1e-6)


def test_ridge_is_the_end_of_the_elastic_net():
    X, y = correlated(60, 20)
    model = ElasticNet(0.3, l1_ratio=0.0, tol=1e-14).fit(X, y)
    np.testing.assert_allclose(model.coef_, sk.Ridge(0.3 * 60).fit(X, y).coef_, rtol=1e-6)


def test_the_warning_states_what_was_reached_and_asked_and_is_silent_otherwise():
    X, y = correlated(50, 200)
    with pytest.warns(
        ConvergenceWarning, match=r"stopped after \d+ passes with a duality gap of .* tol asks for .*max_iter \(now 1\)"
    ):
        Lasso(0.001, max_iter=1, tol=1e-10).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Lasso(0.001, tol=1e-10, max_iter=10_000).fit(X, y)


def test_other_sparse_formats_are_converted_and_that_is_said():
    X, y = correlated(40, 10)
    with pytest.warns(sp.SparseEfficiencyWarning, match="CSR to CSC"):
        model = Lasso(0.1).fit(sp.csr_array(X), y)
    np.testing.assert_allclose(model.coef_, Lasso(0.1).fit(sp.csc_array(X), y).coef_)


@pytest.mark.parametrize(
    ("parameters", "fit", "text"),
    [
        ({"alpha": -1.0}, {}, "alpha must be .* got -1.0"),
        ({"alpha": np.nan}, {}, "alpha must be .* got nan"),
        ({"alpha": [1.0, 2.0]}, {}, "alpha must be .* got"),
        ({"l1_ratio": 1.5}, {}, "l1_ratio must be .* got 1.5"),
        ({"max_iter": 0}, {}, "max_iter must be"),
        ({"tol": -1e-3}, {}, "tol must be"),
        ({"selection": "greedy"}, {}, "selection must be .* got 'greedy'"),
        ({"fit_intercept": "yes"}, {}, "fit_intercept must be"),
        ({"precompute": np.eye(3)}, {}, "precompute must be"),
        ({}, {"sample_weight": -np.ones(10)}, "sample_weight"),
        ({}, {"sample_weight": np.zeros(10)}, "sample_weight"),
    ],
)
def test_bad_input_is_named(parameters, fit, text):
    X, y = np.eye(10)[:, :5], np.arange(10.0)
    with pytest.raises(ValueError, match=text):
        ElasticNet(**parameters).fit(X, y, **fit)


def test_squares_that_overflow_are_refused():
    X, y = correlated(20, 5)
    for scale in (1e160, 1e300):
        with pytest.raises(ValueError, match="overflow"):
            Lasso(0.1).fit(X * scale, y)
        with pytest.raises(ValueError, match="overflow"):
            Lasso(0.1).fit(X, y * scale)


def test_integers_and_booleans_are_numbers():
    X = np.random.default_rng(0).integers(0, 2, (30, 4))
    y = X @ [1, 2, 0, 0] + 1
    model = Lasso(0.01).fit(X, y)
    np.testing.assert_allclose(Lasso(0.01).fit(X.astype(bool), y).coef_, model.coef_)
    assert model.score(X, y) > 0.9


class TestPaths:
    @pytest.mark.parametrize("storage", ["F", "csc"])
    @pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
    def test_path_agrees_with_scikit_learn(self, storage, l1_ratio):
        X, y = correlated(50, 80)
        X, y = X - X.mean(axis=0), y - y.mean()
        alphas, coefs, gaps, passes = enet_path(
            stored(X, storage), y, l1_ratio=l1_ratio, alphas=20, tol=1e-13, max_iter=20_000, return_n_iter=True
        )
        theirs = sk.enet_path(X, y, l1_ratio=l1_ratio, alphas=20, tol=1e-13, max_iter=200_000)
        np.testing.assert_allclose(alphas, theirs[0], rtol=1e-10)
        for k, coef in enumerate(theirs[1].T):
            model = SimpleNamespace(coef_=coef)
            exact = on_its_support(model, X, y, alphas[k], l1_ratio, centred=False)
            np.testing.assert_allclose(coefs[:, k], exact, rtol=0, atol=1e-8 * np.abs(theirs[1]).max())
        assert (gaps <= 1e-13 * np.mean(y**2)).all() and len(passes) == 20

    def test_each_point_of_the_path_is_the_fit_there(self):
        X, y = correlated(50, 20)
        X, y = X - X.mean(axis=0), y - y.mean()
        alphas, coefs, _ = lasso_path(X, y, alphas=[0.01, 1.0, 0.1], tol=1e-13)
        assert alphas.tolist() == [1.0, 0.1, 0.01]
        for alpha, coef in zip(alphas, coefs.T, strict=True):
            np.testing.assert_allclose(Lasso(alpha, tol=1e-13, fit_intercept=False).fit(X, y).coef_, coef, atol=1e-7)

    def test_several_targets(self):
        X, y = correlated(50, 20)
        alphas, coefs, gaps = lasso_path(X, np.column_stack([y, 2 * y]), alphas=7)
        assert coefs.shape == (2, 20, 7) and gaps.shape == (7,)  # one multi-task problem for both

    @pytest.mark.parametrize(
        "options",
        [
            {"alphas": -1},
            {"alphas": [1.0, -1.0]},
            {"alphas": [np.nan]},
            {"eps": 0},
            {"coef_init": np.ones(3)},
            {"tol": "small"},
            {"max_iter": 0},
            {"selection": 1},
        ],
    )
    def test_bad_input_is_named(self, options):
        with pytest.raises(ValueError, match=next(iter(options))):
            enet_path(np.eye(5), np.arange(5.0), **options)


class TestCV:
    @pytest.mark.parametrize("storage", ["F", "C", "csc"])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_lasso_cv_agrees_with_scikit_learn(self, storage, weighted):
        X, y = load_diabetes(return_X_y=True)
        s = np.random.default_rng(0).random(len(y)) if weighted else None
        ours = LassoCV(tol=1e-12, alphas=30).fit(stored(X, storage), y, sample_weight=s)
        theirs = sk.LassoCV(tol=1e-12, alphas=30, max_iter=100_000).fit(X, y, sample_weight=s)
        np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
        np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
        assert np.isclose(ours.alpha_, theirs.alpha_)
        exact = on_its_support(theirs, X, y, ours.alpha_, s=s)
        np.testing.assert_allclose(ours.coef_, exact, rtol=0, atol=1e-8 * np.abs(exact).max())
        for i, (train, test) in enumerate(KFold(5).split(X)):
            weights = None if s is None else s[train]
            fold = sk.Lasso(ours.alpha_, tol=1e-12, max_iter=100_000).fit(X[train], y[train], sample_weight=weights)
            w = on_its_support(fold, X[train], y[train], ours.alpha_, s=weights)
            b = np.average(y[train] - X[train] @ w, weights=weights)
            error = np.average((y[test] - X[test] @ w - b) ** 2, weights=None if s is None else s[test])
            best = ours.mse_path_[np.flatnonzero(ours.alphas_ == ours.alpha_)[0], i]
            assert best == pytest.approx(error, rel=1e-8)

    def test_elastic_net_cv_agrees_with_scikit_learn(self):
        X, y = correlated(60, 15)
        options = {"l1_ratio": [0.1, 0.5, 1.0], "alphas": 20, "tol": 1e-12, "cv": 3, "max_iter": 100_000}
        ours, theirs = ElasticNetCV(**options).fit(X, y), sk.ElasticNetCV(**options).fit(X, y)
        assert ours.mse_path_.shape == theirs.mse_path_.shape == (3, 20, 3)
        np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-5)
        assert ours.l1_ratio_ == theirs.l1_ratio_ and np.isclose(ours.alpha_, theirs.alpha_)

    @pytest.mark.parametrize("precompute", [True, False])
    def test_the_number_of_threads_changes_nothing(self, precompute):
        X, y = correlated(60, 100)
        one = LassoCV(n_jobs=1, precompute=precompute).fit(X, y)
        all_of_them = LassoCV(n_jobs=-1, precompute=precompute).fit(X, y)
        np.testing.assert_array_equal(one.mse_path_, all_of_them.mse_path_)
        np.testing.assert_array_equal(one.coef_, all_of_them.coef_)

    @pytest.mark.parametrize("options", [{"alphas": [-1.0]}, {"alphas": 0}, {"eps": -1}, {"n_jobs": 0}, {"tol": None},
                                         {"precompute": "never"}])  # fmt: skip
    def test_bad_input_is_named(self, options):
        X, y = correlated(20, 5)
        with pytest.raises(ValueError, match=next(iter(options))):
            LassoCV(**options).fit(X, y)

    def test_several_targets_are_refused(self):
        X, y = correlated(20, 5)
        with pytest.raises(ValueError, match="MultiTask"):
            LassoCV().fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize("seed", [3, 7, 13, 17])
def test_columns_that_are_multiples_of_others_take_no_endless_steps(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, 12))[:, rng.integers(0, 12, 36)] * 10.0 ** rng.integers(-2, 3, 36)
    y = rng.standard_normal(30)
    for share in (1e-2, 1e-3, 1e-4):
        model = Lasso(share * alpha_max(X, y), tol=1e-8).fit(X, y)
        assert model.dual_gap_ <= 1e-8 * y.var() and np.abs(model.coef_).sum() < 1e4
