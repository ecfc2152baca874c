"""Ridge regression, least squares and their cross-validation: scikit-learn's answers, its contract, and properties."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.linear_model as peers
from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from numopt.linear_model import (
    LinearRegression,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    _ridge_solvers,
)
from numopt.linear_model._linear_base import System

ALPHAS = np.geomspace(1e-3, 1e3, 9)
SHAPES = [(60, 8), (25, 70), (30, 30)]
FORMATS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csr": sp.csr_array, "csc": sp.csc_array}


def data(n, p, targets=0, seed=0, dtype=float, weighted=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.7) + (rng.random(p) < 0.5)
    Y = X @ rng.standard_normal((p, max(targets, 1))) + rng.standard_normal((n, max(targets, 1))) + 3
    weights = rng.uniform(0.1, 2, n).astype(dtype) if weighted else None
    return X.astype(dtype), (Y if targets else Y[:, 0]).astype(dtype), weights


def close(ours, theirs, rtol=1e-8):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    assert np.abs(ours - theirs).max() <= rtol * np.abs(theirs).max()


def same_line(ours, theirs, rtol=1e-8):
    close(ours.coef_, theirs.coef_, rtol)
    scale = max(np.abs(theirs.intercept_).max(), np.abs(theirs.coef_).max())
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
    assert np.abs(ours.intercept_ - theirs.intercept_).max() <= rtol * scale


@parametrize_with_checks(
    [
        Ridge(),
        Ridge(positive=True),
        Ridge(solver="lsqr"),
        Ridge(solver="svd"),
        Ridge(solver="cg-pr"),
        RidgeClassifier(),
        LinearRegression(),
        LinearRegression(positive=True),
        LinearRegression(solver="bfgs"),
        RidgeCV(),
        RidgeCV(cv=3),
        RidgeClassifierCV(),
        RidgeClassifierCV(cv=3),
    ]
)
def test_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("solver", ["auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga"])
@pytest.mark.parametrize("targets", [0, 1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", FORMATS)
def test_ridge_is_scikit_learns(shape, solver, targets, weighted, kind):
    X, y, w = data(*shape, targets, weighted=weighted)
    for intercept in (True, False):
        if kind.startswith("cs") and (solver == "svd" or (intercept and solver in ("cholesky", "saga"))):
            continue
        alpha = np.array([0.5, 2.0, 2.0]) if targets == 3 else 0.7
        before = X.copy()
        ours = Ridge(alpha, solver=solver, tol=1e-13, fit_intercept=intercept, copy_X=False).fit(FORMATS[kind](X), y, w)
        theirs = peers.Ridge(alpha, solver="svd", fit_intercept=intercept).fit(X, y, w)
        same_line(ours, theirs)
        assert (X == before).all()
        assert ours.n_iter_.shape == (max(targets, 1),) and (ours.n_iter_ >= 1).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_stays_float32(shape):
    X, y, w = data(*shape, 2, dtype=np.float32, weighted=True)
    for solver in ("cholesky", "svd", "lsqr", "sparse_cg"):
        ours, theirs = (E(solver=solver, tol=1e-6).fit(X, y, w) for E in (Ridge, peers.Ridge))
        same_line(ours, theirs, 1e-4)
    assert ours.predict(X).dtype == np.float32
    for kwargs in ({}, {"cv": 3}):
        ours, theirs = (E(ALPHAS[3:], **kwargs).fit(X, y) for E in (RidgeCV, peers.RidgeCV))
        same_line(ours, theirs, 1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("targets", [0, 1, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_least_squares_is_scikit_learns(shape, targets, weighted, intercept, positive):
    X, y, w = data(*shape, targets, weighted=weighted)
    ours, theirs = (E(fit_intercept=intercept, positive=positive) for E in (LinearRegression, peers.LinearRegression))
    if positive and shape[0] <= shape[1]:
        return  # not unique
    before = X.copy()
    same_line(ours.fit(X, y, w), theirs.fit(X, y, w))
    assert (X == before).all()
    if positive:
        assert (ours.coef_ >= 0).all() and (ours.coef_ == 0).any() and not hasattr(ours, "singular_")
        return
    assert ours.rank_ == theirs.rank_
    copy = pickle.loads(pickle.dumps(ours))
    for model in (ours, copy, pickle.loads(pickle.dumps(ours))):
        close(model.singular_, theirs.singular_)


def test_least_squares_of_sparse_and_of_deficient_matrices():
    X, y, w = data(60, 8, 2, weighted=True)
    ours, theirs = (E(tol=1e-14).fit(sp.csr_array(X), y, w) for E in (LinearRegression, peers.LinearRegression))
    same_line(ours, theirs)
    for deficient in (
        np.c_[X, X[:, :2]],
        np.c_[X, 1e-8 * X[:, :1]],
        np.c_[X, np.ones(60)],
        np.c_[X, X[:, :1] + 1e-5 * y],
    ):
        ours, theirs = (E().fit(deficient, y) for E in (LinearRegression, peers.LinearRegression))
        assert ours.rank_ == theirs.rank_
        same_line(ours, theirs, 1e-7)


@pytest.mark.parametrize("shape", [(40, 40), (40, 44), (44, 40)])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("spread", [1.0, 1e-4, 1e-5, 1e-7, 0.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_least_squares_of_nearly_square_matrices(shape, intercept, spread, weighted):
    # Their Gram matrix is of no use; the smallest singular value passes tol = 1e-6 on its way down.
    X, y, w = data(*shape, 2, weighted=weighted)
    X[:, 0] = X[:, 1] + spread * X[:, 0]
    for given in (np.ascontiguousarray(X), np.asfortranarray(X)):
        before = given.copy()
        ours, theirs = (E(fit_intercept=intercept).fit(given, y, w) for E in (LinearRegression, peers.LinearRegression))
        assert (given == before).all() and ours.rank_ == theirs.rank_
        same_line(ours, theirs, 1e-6 if spread in (1e-4, 1e-5) else 1e-8)
        assert np.abs(ours.singular_ - theirs.singular_).max() <= 1e-13 * theirs.singular_.max()


@pytest.mark.parametrize("shape, scaled", [((600, 300), True), ((600, 300), False), ((300, 700), False)])
@pytest.mark.parametrize("shift", [0.0, 1.0, 1e4])
def test_ridge_refines_a_factor_in_float32_to_all_digits(shape, shift, scaled, monkeypatch):
    tried = []
    function = _ridge_solvers.solve_rounded
    monkeypatch.setattr(_ridge_solvers, "solve_rounded", lambda *args: tried.append(function(*args)) or tried[-1])
    X, y, w = data(*shape)
    X = (X + shift) * (np.geomspace(1e-3, 1e3, shape[1]) if scaled else 1.0)
    for weights in (None, np.linspace(0.5, 2.0, len(X))):
        ours, theirs = Ridge(0.3).fit(X, y, weights), peers.Ridge(0.3, solver="svd").fit(X, y, weights)
        scale = np.abs(theirs.coef_ * X.std(axis=0)).max()
        assert np.abs((ours.coef_ - theirs.coef_) * X.std(axis=0)).max() <= 1e-9 * scale
    assert tried[0] is not None or shift == 1e4


def test_ridge_gives_up_float32_where_the_condition_forbids_it():
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((n, 300)))[0] for n in (500, 300))
    X, y = U * np.geomspace(1e3, 1e-2, 300) @ V.T, rng.standard_normal(500)
    ours, theirs = Ridge(1e-4).fit(X, y), peers.Ridge(1e-4, solver="svd").fit(X, y)
    assert _ridge_solvers.solve_rounded(System(X, y[:, None], fit_intercept=True), 1e-4, False) is None
    same_line(ours, theirs, 1e-6)
    for huge in (1e-25, 1e25):  # whose squares float32 does not hold
        close(huge * Ridge(0.0).fit(huge * X[:, :250], y).coef_, Ridge(0.0).fit(X[:, :250], y).coef_, 1e-5)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e5])
def test_least_squares_keeps_its_digits(condition):
    # The columns' scales do not matter, a true condition number costs what it must.
    rng = np.random.default_rng(1)
    Q, _ = np.linalg.qr(rng.standard_normal((200, 6)))
    V, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    X = Q * np.geomspace(1, 1 / condition, 6) @ V + 100.0
    y = rng.standard_normal(200)
    ours, theirs = (E().fit(X, y) for E in (LinearRegression, peers.LinearRegression))
    same_line(ours, theirs, 1e-12 * condition**1.2)
    close(ours.singular_, theirs.singular_, 1e-12)


def test_huge_means_cost_no_digits():
    X, y, _ = data(80, 5, seed=3)
    reference = Ridge().fit(X, y)
    for shift in (1e2, 1e5):
        for model in (Ridge(), Ridge(solver="lsqr", tol=1e-14), LinearRegression()):
            moved, plain = (model.fit(Z, y).coef_ for Z in (X + shift, X))
            assert np.abs(moved - plain).max() <= 1e-14 * shift * 1e3 * np.abs(plain).max()
    assert np.isfinite(reference.coef_).all()


def test_nonnegative_ridge_meets_its_optimality_conditions():
    for n, p, kind in ((60, 8, "C"), (25, 70, "C"), (60, 8, "csr"), (40, 600, "C"), (40, 600, "F"), (300, 510, "C")):
        X, y, w = data(n, p, 2, weighted=True)
        model = Ridge(0.3, positive=True, tol=1e-10).fit(FORMATS[kind](X), y, w)
        gradient = ((model.predict(X) - y) * w[:, None]).T @ X + 0.3 * model.coef_
        scale = np.abs((w[:, None] * y).T @ X).max()
        assert (model.coef_ >= 0).all() and (model.coef_ == 0).any() and model.solver_ == "lbfgs"
        assert gradient.min() >= -1e-6 * scale and np.abs(gradient[model.coef_ > 0]).max() <= 1e-6 * scale


@pytest.mark.parametrize("estimator", [Ridge(0.5), LinearRegression(), Ridge(0.5, positive=True), RidgeClassifier()])
def test_weights_are_repetitions(estimator):
    X, y, _ = data(50, 6)
    y = np.where(y > np.median(y), 1.0, 0.0) if isinstance(estimator, RidgeClassifier) else y
    counts = np.random.default_rng(5).integers(0, 4, 50)
    weighted = sklearn.clone(estimator).fit(X, y, sample_weight=counts)
    repeated = sklearn.clone(estimator).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    removed = sklearn.clone(estimator).fit(X[counts > 0], y[counts > 0], sample_weight=counts[counts > 0])
    close(weighted.coef_, repeated.coef_, 1e-10)
    close(weighted.coef_, removed.coef_, 1e-14)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kwargs", [{}, {"gcv_mode": "svd"}, {"kind": "csr"}, {"fit_intercept": False}])
def test_left_out_errors_are_those_of_fits_without_the_row(shape, kwargs):
    X, y, w = data(*shape, 2, weighted=True)
    kind = {"kind": "C", **kwargs}.pop("kind")
    kwargs = {name: value for name, value in kwargs.items() if name != "kind"}
    model = RidgeCV(ALPHAS, store_cv_results=True, **kwargs).fit(FORMATS[kind](X), y, w)
    for i in (0, 7):
        keep = np.arange(len(X)) != i
        for k in (0, 4):
            fit = Ridge(ALPHAS[k], fit_intercept=model.fit_intercept, solver="svd").fit(X[keep], y[keep], w[keep])
            close(model.cv_results_[i, :, k], w[i] * (fit.predict(X[i : i + 1])[0] - y[i]) ** 2, 1e-7)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("targets", [0, 1, 3])
@pytest.mark.parametrize(
    "kwargs",
    [
        {"gcv_mode": "svd"},
        {"store_cv_results": True},
        {"alpha_per_target": True},
        {"scoring": "neg_mean_absolute_error", "store_cv_results": True},
        {"cv": 3},
        {"cv": KFold(4, shuffle=True, random_state=0), "scoring": "neg_mean_absolute_error"},
    ],
)
def test_ridge_cv_is_scikit_learns(shape, targets, kwargs):
    X, y, w = data(*shape, targets, weighted=True)
    for weights, intercept in ((None, True), (w, True), (None, False)):
        ours, theirs = (
            E(ALPHAS, fit_intercept=intercept, **kwargs).fit(X, y, weights) for E in (RidgeCV, peers.RidgeCV)
        )
        same_line(ours, theirs)
        np.testing.assert_array_equal(ours.alpha_, theirs.alpha_)
        np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-8)
        if "store_cv_results" in kwargs:
            close(ours.cv_results_, theirs.cv_results_)


@pytest.mark.parametrize(
    "names", [("RidgeClassifier", {}), ("RidgeClassifierCV", {}), ("RidgeClassifierCV", {"cv": 3})]
)
@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 2.0}])
def test_classifiers_are_scikit_learns(names, class_weight):
    X, y, w = data(90, 5, weighted=True)
    two = np.where(y > y.mean(), "a", "b")
    three = np.where(X[:, 0] > 1, "c", two)
    ours, theirs = {"RidgeClassifier": RidgeClassifier, "RidgeClassifierCV": RidgeClassifierCV}[names[0]], names[0]
    for labels in (two, three):
        a, b = (E(class_weight=class_weight, **names[1]).fit(X, labels, w) for E in (ours, getattr(peers, theirs)))
        same_line(a, b)
        assert (a.classes_ == b.classes_).all() and (a.predict(X) == b.predict(X)).all()
        close(a.decision_function(X), b.decision_function(X))
    if class_weight is None and not names[1]:
        Z, several = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
        a, b = (E().fit(Z, several) for E in (ours, getattr(peers, theirs)))
        same_line(a, b)
        assert (a.predict(Z) == b.predict(Z)).all()


@pytest.mark.parametrize("estimator", [Ridge(), Ridge(0.0), LinearRegression(), RidgeCV(), Ridge(positive=True)])
@pytest.mark.parametrize("shape", SHAPES)
def test_constants(estimator, shape):
    X, y, _ = data(*shape)
    X[:, 2], X[:, 4] = 0.1, 0.0
    estimator = sklearn.clone(estimator).fit(X, y)
    assert (estimator.coef_[[2, 4]] == 0).all() and np.isfinite(estimator.coef_).all()
    estimator.fit(X, np.full(len(X), 0.3))
    np.testing.assert_allclose(estimator.predict(X), 0.3, rtol=1e-12)


X0, Y0 = data(20, 3)[:2]
BAD = [
    (Ridge(-1.0), {}, "alpha"),
    (Ridge(np.nan), {}, "alpha"),
    (Ridge([1.0, 2.0]), {}, "alpha"),
    (Ridge("high"), {}, "alpha"),
    (Ridge(solver="newton-raphson"), {}, "solver"),
    (Ridge(solver="svd", positive=True), {}, "positive"),
    (Ridge(tol=-1), {}, "tol"),
    (Ridge(max_iter=0), {}, "max_iter"),
    (Ridge(fit_intercept="yes"), {}, "fit_intercept"),
    (Ridge(solver="cholesky"), {"X": sp.csr_array(X0)}, "sparse"),
    (Ridge(), {"sample_weight": -np.ones(20)}, "sample_weight"),
    (Ridge(), {"sample_weight": np.zeros(20)}, "sample_weight"),
    (Ridge(), {"sample_weight": np.ones(19)}, "sample_weight"),
    (Ridge(), {"X": np.where(X0 == X0[0, 0], np.nan, X0)}, "NaN"),
    (Ridge(), {"X": np.where(X0 == X0[0, 0], np.inf, X0)}, "infinity"),
    (LinearRegression(), {"y": np.full(20, np.nan)}, "NaN"),
    (LinearRegression(n_jobs=0.5), {}, "n_jobs"),
    (RidgeClassifier(), {"y": np.ones(20)}, "one class"),
    (RidgeClassifier(class_weight="even"), {"y": np.arange(20) % 2}, "class_weight"),
    (RidgeCV(alphas=[0.0, 1.0]), {}, "alphas"),
    (RidgeCV(alphas=[]), {}, "alphas"),
    (RidgeCV(gcv_mode="fast"), {}, "gcv_mode"),
    (RidgeCV(cv=3, alpha_per_target=True), {}, "alpha_per_target"),
    (RidgeCV(), {"groups": np.zeros(20)}, "groups"),
]


@pytest.mark.parametrize("estimator, given, word", BAD)
def test_bad_input_is_named(estimator, given, word):
    with pytest.raises(ValueError, match=word):
        estimator.fit(**{"X": X0, "y": Y0, **given})
    assert not hasattr(estimator, "coef_")


def test_routing_reaches_scorer_and_splitter():
    from sklearn.metrics import get_scorer
    from sklearn.model_selection import GroupKFold

    X, y, w = data(60, 4, weighted=True)
    groups = np.arange(60) % 5
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_mean_absolute_error").set_score_request(sample_weight=True)
        ours, theirs = (
            E(ALPHAS, cv=GroupKFold(3), scoring=scorer).fit(X, y, sample_weight=w, groups=groups)
            for E in (RidgeCV, peers.RidgeCV)
        )
    same_line(ours, theirs)
    np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("damp", [0.0, 0.5])
@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-14])
def test_lsqr_takes_scipys_steps(shape, damp, tol):
    from scipy.sparse.linalg import lsqr as scipys

    from numopt.linear_model._lsqr import lsqr

    A, b, _ = data(*shape)
    for limit in (None, 3):
        x, iterations, _ = lsqr(lambda v: A @ v, lambda u: A.T @ u, b, shape[1], damp, tol, limit)
        theirs = scipys(A, b, damp=damp, atol=tol, btol=tol, iter_lim=limit)
        assert abs(iterations - theirs[2]) <= (1 if tol > 1e-10 else 3)
        if limit == 3 or tol < 1e-10:  # between, the bases' loss of orthogonality makes a digit of it
            close(x, theirs[0], 1e-9)


def test_unconverged_iterations_warn_and_count():
    X, y, _ = data(60, 8)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning, match="lsqr stopped after 2 iterations"):
        assert Ridge(solver="lsqr", max_iter=2).fit(X, y).n_iter_ == [2]
    with pytest.warns(sklearn.exceptions.ConvergenceWarning, match="sparse_cg stopped after 1 iterations"):
        assert Ridge(solver="sparse_cg", max_iter=1).fit(X, y).n_iter_ == [1]
    with pytest.warns(sklearn.exceptions.ConvergenceWarning, match="max_iter"):
        Ridge(positive=True, max_iter=1).fit(sp.csr_array(data(30, 600)[0]), data(30, 600)[1])


def test_a_pickled_linear_regression_holds_no_matrix():
    X, y, _ = data(400, 200)
    model = LinearRegression().fit(X, y)
    text = pickle.dumps(model)
    assert len(text) < 10_000
    np.testing.assert_allclose(pickle.loads(text).singular_, peers.LinearRegression().fit(X, y).singular_)
