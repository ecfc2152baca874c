"""Input that linear models meet in practice: unusual storage, extreme values, weights, parameters at their ends."""

import os
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model as sk
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from numopt import linear_model
from numopt.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    HuberRegressor,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegressionCV,
    MultiTaskElasticNet,
    MultiTaskLasso,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    _unpenalised,
    enet_path,
    lasso_path,
)
from numopt.linear_model._elastic_net_cv import thread_count


def line(n=40, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X[:, 0] - 2.0 * X[:, 1] + 0.3 * rng.standard_normal(n)


def scrambled(X, storage):
    """X sparse with the entries of a column, or of a row, out of order, and some of them in two parts."""
    rows, columns = np.nonzero(X)
    half = len(rows) // 2
    i = np.concatenate([rows, rows[:half]])[::-1]
    j = np.concatenate([columns, columns[:half]])[::-1]
    values = X[rows, columns].copy()
    values[:half] /= 2
    values = np.concatenate([values, values[:half]])[::-1]
    major, minor, shape = (j, i, X.shape[1]) if storage.startswith("csc") else (i, j, X.shape[0])
    order = np.argsort(major, kind="stable")
    starts = np.searchsorted(major[order], np.arange(shape + 1))
    kind = {"csc_array": sp.csc_array, "csc_matrix": sp.csc_matrix, "csr_array": sp.csr_array}[storage]
    A = kind((values[order], minor[order], starts), shape=X.shape)
    assert not A.has_canonical_format and np.array_equal(A.toarray(), X)
    return A


SPARSE_FITS = {
    "lasso": lambda X, y: Lasso(0.05).fit(X, y).coef_,
    "weighted": lambda X, y: ElasticNet(0.05).fit(X, y, sample_weight=np.arange(len(y))).coef_,
    "path": lambda X, y: lasso_path(X, y, alphas=5)[1],
    "tasks": lambda X, y: MultiTaskLasso(0.05).fit(X, np.column_stack([y, -y])).coef_,
    "groups": lambda X, y: GroupLasso(2, 0.05).fit(X, y).coef_,
    "cross-validation": lambda X, y: LassoCV(alphas=5, cv=3).fit(X, y).coef_,
}


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("storage", ["csc_array", "csc_matrix", "csr_array"])
@pytest.mark.parametrize("fit", SPARSE_FITS.values(), ids=SPARSE_FITS)
def test_sparse_entries_may_be_out_of_order_in_parts_and_read_only(storage, fit):
    X, y = line()
    X[np.abs(X) < 0.5] = 0.0
    A = scrambled(X, storage)
    arrays = [A.data, A.indices, A.indptr]
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    np.testing.assert_allclose(fit(A, y), fit(sp.csc_array(X), y), rtol=1e-12, atol=1e-12)
    for a, b in zip((A.data, A.indices, A.indptr), before, strict=True):
        np.testing.assert_array_equal(a, b)


def loss(X, y, w, b, s=None):
    """In double, of coefficients as they are kept."""
    r = y - np.asarray(X, float) @ np.asarray(w, float) - float(b)
    return 0.5 * np.average(r * r, weights=s)


@pytest.mark.parametrize("storage", [np.asfortranarray, np.ascontiguousarray, sp.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gap_counts_the_rounding_to_float32(storage, weighted):
    X, y = line(200, 50)
    X, y = X.astype(np.float32), (12345.0 + y).astype(np.float32)  # the intercept is what is rounded most
    X64, y64 = X.astype(float), y.astype(float)
    s = np.arange(200) % 3 if weighted else None

    def groups(w):
        return np.sqrt(2.0) * np.linalg.norm(w.reshape(-1, 2), axis=1).sum()

    for estimator, penalty in (
        (Lasso(0.01, tol=1e-12), lambda w: np.abs(w).sum()),
        (ElasticNet(0.01, tol=1e-12), lambda w: 0.5 * np.abs(w).sum() + 0.25 * (w @ w)),
        (GroupLasso(2, 0.01, tol=1e-12), groups),
    ):
        model = estimator.fit(storage(X), y, sample_weight=s)
        best = clone(estimator).set_params(tol=1e-14).fit(X64, y64, s)
        reached, least = (
            loss(X, y64, m.coef_, m.intercept_, s) + 0.01 * penalty(m.coef_.astype(float)) for m in (model, best)
        )
        assert reached - least == pytest.approx(model.dual_gap_, rel=0.05, abs=1e-11)
        assert model.dual_gap_ > 1e-10 > best.dual_gap_


def test_the_gaps_of_paths_and_of_many_targets_count_the_rounding_to_float32():
    X, y = line(200, 50)
    Y = np.column_stack([y, -y]).astype(np.float32)
    model = MultiTaskLasso(0.01, tol=1e-12).fit(X.astype(np.float32), Y + 12345)
    assert 1e-10 < model.dual_gap_ < 1e-6 and isinstance(model.dual_gap_, float)
    y = 12345.678 * np.arange(1.0, 9.0)
    for targets in (y, np.column_stack([y, -3.0 * y])):
        alphas, coefs, gaps = lasso_path(np.eye(8, dtype=np.float32), targets, alphas=[2.0, 0.1], tol=1e-16)
        assert coefs.dtype == np.float32
        for alpha, gap, w in zip(alphas, gaps, np.moveaxis(coefs.astype(float), -1, 0), strict=True):
            size = np.linalg.norm(targets.reshape(8, -1), axis=1)
            best = (1.0 - 8.0 * alpha / size) * targets.T  # soft thresholding, as X'X is the identity
            more = [
                ((targets.T - v) ** 2).sum() / 16 + alpha * np.linalg.norm(v.reshape(-1, 8), axis=0).sum()
                for v in (w, best)
            ]
            excess, goal = more[0] - more[1], 1e-16 * (targets**2).sum() / 8
            assert excess - 1e-9 <= gap <= excess + goal and gap > 1e-8


@pytest.mark.parametrize("estimator", [Lasso, ElasticNet, MultiTaskLasso])
def test_a_warm_start_with_another_number_of_targets_is_a_cold_one(estimator):
    X, y = line()
    model = estimator(0.05, warm_start=True, tol=1e-10)
    for targets in (2, 3, 1, 2):
        if targets == 1 and estimator is MultiTaskLasso:
            continue
        Y = np.column_stack([y, -y, y**2])[:, :targets]
        Y = Y[:, 0] if targets == 1 else Y
        cold = estimator(0.05, tol=1e-10).fit(X, Y)
        np.testing.assert_allclose(model.fit(X, Y).coef_, cold.coef_, atol=1e-6)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("shape", [(40, 8), (10, 20)])
@pytest.mark.parametrize("weighted", [False, True])
def test_alpha_zero_with_positive_coefficients_has_a_certified_gap(storage, shape, weighted):
    X, y = line(*shape)
    s = np.arange(len(y)) % 3 if weighted else None
    with pytest.warns(UserWarning, match="alpha=0"):
        model = Lasso(0.0, positive=True).fit(storage(X), y, sample_weight=s)
    rows = slice(None) if s is None else s > 0
    best = sk.LinearRegression(positive=True).fit(X[rows], y[rows], None if s is None else s[rows])
    reached = loss(X, y, model.coef_, model.intercept_, s) - loss(X, y, best.coef_, best.intercept_, s)
    assert (model.coef_ >= 0).all()
    assert -1e-12 < reached <= model.dual_gap_ + 1e-15 and model.dual_gap_ < 1e-5


@pytest.mark.parametrize("positive", [False, True])
def test_alpha_zero_that_is_not_solved_is_said(positive, monkeypatch):
    X, y = line()
    solver = "lsq_linear" if positive else "lsqr"
    early = {"max_iter": 1} if positive else {"iter_lim": 1}
    original = getattr(_unpenalised, solver)
    monkeypatch.setattr(_unpenalised, solver, lambda *args, **options: original(*args, **{**options, **early}))
    with pytest.warns(ConvergenceWarning, match="duality gap of .* tol asks for"):
        warnings.filterwarnings("ignore", "With alpha=0")
        Lasso(0.0, positive=positive, tol=1e-12).fit(sp.csc_array(X), y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alphas", [[1.0, 0.0, 0.1], [0.0], [0.0, 0.0, 5.0]])
@pytest.mark.parametrize("ours", [LassoCV, ElasticNetCV])
def test_cross_validation_takes_alpha_zero_with_scikit_learns_warning(weighted, alphas, ours):
    X, y = line()
    y = np.round(X[:, 0] - 2.0 * X[:, 1], 1)
    s = np.random.default_rng(0).random(40) if weighted else None
    theirs = getattr(sk, ours.__name__)
    fitted = []
    for estimator in (ours, theirs):
        with pytest.warns(UserWarning, match="With alpha=0, this algorithm does not converge well"):
            fitted.append(estimator(alphas=alphas, tol=1e-14, max_iter=100_000).fit(X, y, sample_weight=s))
    model, reference = fitted
    np.testing.assert_allclose(model.mse_path_, reference.mse_path_, rtol=1e-5)
    assert model.alpha_ == reference.alpha_ == 0.0
    np.testing.assert_allclose(model.coef_, sk.LinearRegression().fit(X, y, s).coef_, rtol=1e-8)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_paths_take_alpha_zero(positive, storage):
    X, y = line()
    alphas, coefs, gaps = lasso_path(storage(X), y, alphas=[0.0, 1.0, 0.1, 0.0], positive=positive, tol=1e-9)
    assert alphas.tolist() == [1.0, 0.1, 0.0, 0.0] and coefs.shape == (8, 4) and (gaps < 1e-4).all()
    best = sk.LinearRegression(fit_intercept=False, positive=positive).fit(X, y).coef_
    for coef in coefs.T[2:]:
        np.testing.assert_allclose(coef, best, atol=1e-6)
    if not positive:
        Y = np.column_stack([y, -y])
        np.testing.assert_allclose(lasso_path(storage(X), Y, alphas=[0.1, 0.0])[1][:, :, 1], [best, -best], atol=1e-8)


HUGE = {
    "near the largest number": lambda X, y: (np.where(X > 0, 1.7e308, -1.7e308), y),
    "X": lambda X, y: (1e155 * X, y),
    "sparse X": lambda X, y: (sp.csr_array(1e200 * X), y),
    "y": lambda X, y: (X, 1e200 * y),
    "y near the largest number": lambda X, y: (X, np.where(y > 1, 1.7e308, 1e300)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("huge", HUGE)
@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(), Ridge(solver="svd"), Ridge(solver="lsqr"), Ridge(positive=True), RidgeCV(), RidgeCV(cv=3),
        RidgeClassifier(), RidgeClassifierCV(), LinearRegression(), LinearRegression(positive=True),
        PoissonRegressor(), HuberRegressor(), MultiTaskLasso(),
    ],
    ids=str,
)  # fmt: skip
def test_values_too_large_to_square_are_refused_in_one_line(estimator, huge):
    X, y = HUGE[huge](*(np.abs(a) if a.ndim == 1 else a for a in line()))
    if is_classifier(estimator):
        if "y" in huge.split():
            return
        y = y > 1
    if isinstance(estimator, MultiTaskLasso):
        if huge == "sparse X":
            X = X.tocsc()
        y = np.column_stack([y, y])
    if huge == "sparse X" and (getattr(estimator, "positive", False) or getattr(estimator, "solver", None) == "svd"):
        return
    with pytest.raises(ValueError, match="so large that their squares overflow; scale them"):
        estimator.fit(X, y)


def test_float32_that_does_not_overflow_in_double_is_fitted_where_double_is_used():
    X, y = line()
    large = (1e25 * X).astype(np.float32)
    np.testing.assert_allclose(
        1e25 * Lasso(1e24).fit(large, y.astype(np.float32)).coef_, Lasso(0.1).fit(X, y).coef_, atol=1e-5
    )
    with pytest.raises(ValueError, match="float32"):
        Ridge().fit(large, y.astype(np.float32))


@pytest.mark.parametrize("size", [1e-200, 1e-20, 1e130])
def test_conjugate_gradients_do_not_depend_on_the_size_of_the_targets(size):
    X, y = line()
    model, whole = (Ridge(solver="sparse_cg", tol=1e-12).fit(X, t) for t in (size * y, y))
    np.testing.assert_allclose(model.coef_ / size, whole.coef_, rtol=1e-10)


@pytest.mark.parametrize(
    ("options", "solver"),
    [({"solver": "sparse_cg"}, "sparse_cg"), ({"solver": "lsqr"}, "lsqr"), ({"positive": True}, "lbfgs")],
)
def test_ridge_says_when_an_iterative_solver_stops_at_its_limit(options, solver, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = sp.random_array((200, 600), density=0.05, format="csr", rng=rng), rng.standard_normal(200)
    message = rf"{solver} stopped after \d iterations with a relative .* of .*; tol asks for .*max_iter \(now 2\)"
    with pytest.warns(ConvergenceWarning, match=message):
        Ridge(1e-3, max_iter=2, tol=1e-10, **options).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Ridge(1e-3, tol=1e-6, **options).fit(X, y)
    assert model.n_iter_[0] > 2


def test_estimators_have_their_paths_as_scikit_learns():
    X, y = line()
    for ours in (Lasso, ElasticNet, MultiTaskLasso, MultiTaskElasticNet, ElasticNetCV):
        assert ours.path is enet_path and getattr(sk, ours.__name__).path is sk.enet_path
    assert LassoCV.path is lasso_path
    assert Lasso().path(X, y, alphas=3)[1].shape == (8, 3)


def test_paths_take_the_number_of_penalties_by_its_old_name():
    X, y = line()
    with pytest.warns(FutureWarning, match="n_alphas"):
        assert len(lasso_path(X, y, n_alphas=7)[0]) == 7


def test_attributes_are_those_of_scikit_learn():
    X, y = line()
    Y = np.column_stack([y, -y])
    ours, theirs = (module.MultiTaskLasso(0.1, tol=1e-6).fit(X, Y) for module in (linear_model, sk))
    assert ours.eps_ == pytest.approx(theirs.eps_, rel=1e-10)
    assert isinstance(GroupLasso().fit(X, y).eps_, float)
    assert isinstance(ElasticNetCV(cv=3, l1_ratio=0.5).fit(X, y).l1_ratio_, np.float64)
    small = HuberRegressor().fit(X.astype(np.float32), y.astype(np.float32))
    assert small.coef_.dtype == small.intercept_.dtype == np.float64
    for estimator in (Lasso, ElasticNet):
        assert "check_input" not in str(estimator()._get_metadata_request())
    assert "score" not in str(LogisticRegressionCV()._get_metadata_request())


@pytest.mark.parametrize("estimator", [PoissonRegressor, HuberRegressor, Ridge, Lasso])
@pytest.mark.parametrize("kind", [str, object])
def test_targets_that_are_text_are_named(estimator, kind):
    X, _ = line()
    with pytest.raises(ValueError, match=r"y must hold numbers|could not convert string to float"):
        estimator().fit(X, np.array(["a", "b"] * 20, dtype=kind))


def test_one_weight_for_all_samples_is_no_weight():
    X, y = line()
    for estimator, target in (
        (LogisticRegressionCV(use_legacy_attributes=False, l1_ratios=(0,), scoring="accuracy"), y > 0),
        (RidgeCV(scoring="r2"), y),
        (RidgeCV(cv=3), y),
        (LassoCV(cv=3), y),
    ):
        one, none = clone(estimator).fit(X, target, sample_weight=2.0), clone(estimator).fit(X, target)
        if isinstance(estimator, LassoCV):
            assert one.alpha_ == pytest.approx(none.alpha_)
        elif isinstance(estimator, RidgeCV):
            assert one.coef_.shape == none.coef_.shape
        else:
            np.testing.assert_array_equal(one.scores_.shape, none.scores_.shape)


@pytest.mark.filterwarnings("error")
def test_cross_validation_says_where_weights_leave_nothing():
    X, y = line()
    with pytest.raises(ValueError, match="two rows of positive weight at least, got n_samples=1"):
        RidgeCV().fit(X, y, sample_weight=np.arange(40) == 3)
    for half in (slice(0, 20), slice(20, 40)):
        s = np.ones(40)
        s[half] = 0.0
        with pytest.raises(ValueError, match="sample_weight is zero on all"):
            LassoCV(cv=2).fit(X, y, sample_weight=s)


@pytest.mark.filterwarnings("error")
def test_ridge_cv_leaves_out_no_rows_of_weight_zero():
    X, y = line()
    s = np.arange(40) < 12
    one, other = RidgeCV().fit(X, y, sample_weight=s), RidgeCV().fit(X[s], y[s])
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-10)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("value", [3.3, 0.1, -1e10 / 3, 1.1e-7])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_intercept_of_a_constant_target_is_that_constant(storage, value, weighted):
    X, _ = line()
    s = np.linspace(0.1, 2.3, 40) if weighted else None
    model = Lasso().fit(storage(X), np.full(40, value), sample_weight=s)
    assert model.intercept_ == value and model.dual_gap_ == 0.0 and not model.coef_.any()


def test_the_warning_tells_rounding_from_the_limit():
    X, y = line(30, 100)
    with pytest.warns(ConvergenceWarning, match=r"Rounding ends it: raise tol"):
        Lasso(0.1, tol=1e-20).fit(X + 1e4, y)
    with pytest.warns(ConvergenceWarning, match=r"Rounding ends it: raise tol"):
        lasso_path(X + 1e4, y, alphas=[0.1], tol=1e-20)
    with pytest.warns(ConvergenceWarning, match=r"Raise max_iter \(now 1\)"):
        Lasso(1e-3, tol=1e-12, max_iter=1).fit(X, y)


def test_a_worker_process_uses_its_share_of_the_threads(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    assert thread_count(None, 100) == 8 and thread_count(None, 3) == 3
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    assert thread_count(None, 100) == 2 and thread_count(4, 100) == 4 and thread_count(-1, 100) == 8


def test_pipeline_grid_search_clone_and_pickle():
    X, y = load_breast_cancer(return_X_y=True)
    y = y.astype(float)
    pipeline = make_pipeline(StandardScaler(), Lasso())
    grid = {"lasso__alpha": np.geomspace(1e-3, 0.3, 6)}
    ours = GridSearchCV(pipeline, grid, cv=KFold(3)).fit(X, y)
    theirs = GridSearchCV(make_pipeline(StandardScaler(), sk.Lasso()), grid, cv=KFold(3)).fit(X, y)
    assert ours.best_params_ == theirs.best_params_
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again.predict(X), ours.predict(X))
    assert clone(ours.best_estimator_[-1]).get_params() == ours.best_estimator_[-1].get_params()
