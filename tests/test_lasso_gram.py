"""Gram matrices of the lasso: handed in, shared by the folds of a cross-validation; and code loaded with the import."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, LeaveOneOut, ShuffleSplit, TimeSeriesSplit
from test_lasso import alpha_max, correlated, kkt_residual, stored

from numopt.linear_model import ElasticNetCV, Lasso, LassoCV, _code, _elastic_net_cv, enet_path
from numopt.optimize import _coordinate_descent as front


class TestGivenGram:
    @settings(max_examples=25, deadline=None)
    @given(st.integers(2, 300), st.integers(1, 30), st.integers(0, 10**6), st.booleans(), st.booleans(),
           st.sampled_from("CF"), st.sampled_from([np.float32, np.float64]))  # fmt: skip
    def test_the_matrix_of_all_columns_is_the_product(self, n, p, seed, weighted, centred, order, dtype):
        rng = np.random.default_rng(seed)
        X = np.array(rng.standard_normal((n, p)) + rng.standard_normal(p), order=order, dtype=dtype)
        s = rng.integers(1, 4, n) * 0.5 if weighted else np.ones(n)
        gram, mean = front.whole_gram(X, s if weighted else None, centred)
        m = np.average(X.astype(float), axis=0, weights=s) if centred else np.zeros(p)
        A = (X - m) * np.sqrt(s)[:, None]
        np.testing.assert_allclose(mean, m, atol=1e-14)
        np.testing.assert_allclose(gram, A.T @ A, rtol=1e-12, atol=1e-13 * (A * A).sum(axis=0).max())

    @pytest.mark.parametrize("storage", ["F", "C"])
    @pytest.mark.parametrize("precompute", [True, "auto", "array"])
    def test_paths_are_those_without(self, storage, precompute):
        X, y = correlated(80, 30)
        X, y = X - X.mean(axis=0), y - y.mean()
        options = {"l1_ratio": 0.7, "alphas": 30, "tol": 1e-11}
        without = enet_path(stored(X, storage), y, precompute=False, **options)
        given = X.T @ X if isinstance(precompute, str) and precompute == "array" else precompute
        with_it = enet_path(stored(X, storage), y, precompute=given, **options)
        np.testing.assert_allclose(with_it[1], without[1], atol=1e-6 * np.abs(without[1]).max())
        assert (with_it[2] <= 1e-11 * np.mean(y**2)).all()

    def test_residuals_come_from_the_matrix_along_a_path(self, monkeypatch):
        X, y = correlated(80, 30)
        X, y = X - X.mean(axis=0), y - y.mean()
        gram, _ = front.whole_gram(X, None, False)
        na = alpha_max(X, y) * 80 * np.geomspace(0.5, 0.01, 10)
        solve = lambda **o: front.solve_path(X, y, na, 0 * na, fit_intercept=False, tol=1e-8, **o)  # noqa: E731
        wrong = gram * (1.0 + 1e-3 * np.eye(30))
        coefs, _, gaps, _, goal = solve(gram=gram)
        assert (gaps <= goal).all()
        for coef, k in zip(coefs, na, strict=True):  # the gaps are those of X
            r = y - X @ coef
            dual = min(k / np.abs(X.T @ r).max(), 1.0)
            primal = 0.5 * r @ r + k * np.abs(coef).sum()
            assert primal - (dual * y @ r - 0.5 * dual**2 * r @ r) <= 2.0 * goal
        believed, doubted = solve(gram=wrong), solve(gram=wrong, trusted=False)
        assert np.abs(believed[0][0] - coefs[0]).max() > 1e-5  # so it is used
        np.testing.assert_allclose(doubted[0], coefs, atol=1e-3 * np.abs(coefs).max())
        assert (doubted[2] <= goal).all()

    def test_one_handed_in_is_used_and_the_gap_is_still_that_of_x(self):
        X, y = correlated(200, 30)
        X -= X.mean(axis=0)
        gram = X.T @ X
        model = Lasso(0.01, tol=1e-10, precompute=gram).fit(X, y)
        np.testing.assert_allclose(model.coef_, Lasso(0.01, tol=1e-10).fit(X, y).coef_, atol=1e-6)
        gram[3, 5] = gram[5, 3] = gram[3, 5] * 1.01  # not in the column that is looked at
        assert int(np.argmax(gram.diagonal())) not in (3, 5)
        model = Lasso(0.01, tol=1e-10, precompute=gram, max_iter=10_000).fit(X, y)
        assert kkt_residual(model, X, y, 0.01) < 1e-3 and model.dual_gap_ <= 1e-10 * np.var(y)

    def test_a_wrong_one_is_refused_and_one_of_x_that_is_not_centred_recomputed(self):
        X, y = correlated(50, 6)
        with pytest.warns(UserWarning, match="recomputing Gram"):
            model = Lasso(0.1, precompute=X.T @ X).fit(X, y)
        np.testing.assert_array_equal(model.coef_, Lasso(0.1).fit(X, y).coef_)
        X -= X.mean(axis=0)
        for wrong in (2.0 * X.T @ X, np.full((6, 6), np.nan), -np.eye(6)):
            with pytest.raises(ValueError, match="precompute is not the Gram matrix of X"):
                Lasso(0.1, precompute=wrong).fit(X, y)
        Lasso(0.1, precompute=wrong).fit(X, y, sample_weight=np.ones(50))  # of no use there


class TestFolds:
    @settings(max_examples=25, deadline=None)
    @given(
        st.integers(20, 50),
        st.integers(1, 15),
        st.integers(0, 10**6),
        st.booleans(),
        st.booleans(),
        st.sampled_from("CF"),
        st.sampled_from([np.float32, np.float64]),
        st.sampled_from(
            [2, 5, LeaveOneOut(), TimeSeriesSplit(3), ShuffleSplit(3, train_size=0.5, test_size=0.2, random_state=0)]
        ),
    )
    def test_folds_that_share_a_gram_matrix_are_those_fitted_one_by_one(
        self, n, p, seed, weighted, intercept, order, dtype, cv
    ):
        rng = np.random.default_rng(seed)
        X = np.array(rng.standard_normal((n, p)) + 2.0 * rng.standard_normal(p), order=order, dtype=dtype)
        y = (X[:, 0] - X[:, -1] + rng.standard_normal(n) + 1.0).astype(dtype)
        s = rng.integers(1, 4, n).astype(dtype) if weighted else None
        options = {"l1_ratio": [0.4, 1.0], "alphas": 8, "tol": 1e-10, "cv": cv, "fit_intercept": intercept}
        shared = ElasticNetCV(precompute=True, **options).fit(X, y, sample_weight=s)
        single = ElasticNetCV(precompute=False, **options).fit(X, y, sample_weight=s)
        scale = np.average(y.astype(float) ** 2, weights=s)
        np.testing.assert_allclose(shared.mse_path_, single.mse_path_, rtol=1e-4, atol=1e-4 * scale)
        folds = list(cv.split(X) if hasattr(cv, "split") else KFold(cv).split(X))
        for i, (train, test) in enumerate(folds[:3]):
            a = shared.alphas_[1, 4]
            weights = {} if s is None else {"sample_weight": s[train]}
            alone = Lasso(a, tol=1e-10, fit_intercept=intercept).fit(X[train].astype(float), y[train], **weights)
            error = np.average((y[test] - alone.predict(X[test])) ** 2, weights=None if s is None else s[test])
            np.testing.assert_allclose(shared.mse_path_[1, 4, i], error, rtol=1e-3, atol=1e-3 * scale)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.sampled_from([0.0, 1e3, 1e9]), st.integers(1, 50))
    def test_the_gram_matrix_of_a_fold_is_its_own(self, seed, weighted, intercept, outlier, left_out):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((60, 7)) + 10.0 * rng.standard_normal(7)
        X[0, 2] += outlier  # the spread of the column is in a sample that is left out
        X[:, 3] = 0.1
        X[left_out:, 4] = 1.0
        s = rng.integers(0, 4, 60) + 0.5 * (np.arange(60) > 55) if weighted else None
        train = np.arange(left_out, 60)
        whole = front.whole_gram(X, s, intercept)
        gram = _elastic_net_cv.fold_gram(X, s, train, *whole, intercept)
        weights = np.ones(60 - left_out) if s is None else s[train]
        mean = np.average(X[train], axis=0, weights=weights) if intercept else np.zeros(7)
        A = (X[train] - mean) * np.sqrt(weights)[:, None]
        roots = np.sqrt((A * A).sum(axis=0))
        roots += 1e-14 * np.abs(mean) * weights.sum() ** 0.5
        assert (np.abs(gram - A.T @ A) <= 1e-11 * np.outer(roots, roots) + 1e-12 * (mean == 0.1)).all()

    def test_gram_matrices_are_held_for_a_few_folds_at_a_time(self, monkeypatch):
        X, y = correlated(60, 8)
        options = {"alphas": 10, "cv": 7, "precompute": True}
        together = LassoCV(**options).fit(X, y)
        monkeypatch.setattr(_elastic_net_cv, "GRAM_BYTES", 3 * 8 * 8 * 8)
        np.testing.assert_array_equal(LassoCV(**options).fit(X, y).mse_path_, together.mse_path_)


def test_code_in_the_cache_is_loaded_with_the_import_and_nothing_is_compiled(tmp_path):
    Lasso(0.1).fit(np.eye(4), np.arange(4.0))  # so that it is in the cache
    look = (
        "import sys, numopt.linear_model; from numopt.drivers import units; "
        "print(sorted(units._loaded), 'numba' in sys.modules)"
    )

    def run(**env):
        command, env = [sys.executable, "-c", look], {**os.environ, **env}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    warm = run()
    assert "lasso/gram" in warm and "lasso/rows-float64" in warm and "False" in warm
    assert run(NUMOPT_CACHE_DIR=str(tmp_path)) == "[] False\n"
    assert not _code.loading.is_alive()


@pytest.mark.parametrize("nonzero", [3, 40])
def test_subtracting_a_combination_of_columns(nonzero):
    X, y = correlated(50, 60)
    start = np.zeros(60)
    start[:nonzero] = 1.0
    results = [
        front.solve_path(stored(X, storage), y, np.array([1.0]), np.zeros(1), start=start, tol=1e-12, sample_weight=s)
        for s in (None, np.arange(1.0, 51.0))
        for storage in ("F", "C", "csc")
    ]
    for k in (0, 3):
        for other in results[k + 1 : k + 3]:
            np.testing.assert_allclose(other[0], results[k][0], atol=1e-6)


def test_a_sparse_fit_with_an_intercept_takes_half_of_x_at_most():
    """Neither densified nor copied: what is allocated beside X is less than half of it."""
    X = sp.random(20_000, 5000, 0.01, "csc", random_state=0)
    y = np.asarray(X[:, :20].sum(axis=1)).ravel() + 0.1 * np.random.default_rng(0).standard_normal(20_000)
    model = Lasso(np.abs(X.T @ (y - y.mean())).max() / len(y) / 20)
    model.fit(X, y)
    tracemalloc.start()
    try:
        model.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert model.intercept_ != 0.0
    assert peak < 0.5 * (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)
