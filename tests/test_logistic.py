"""Logistic regression: optimality, scikit-learn's answers, weights, storages, cross-validation, bad input."""

import functools
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, log_softmax
from sklearn import linear_model as sk
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from numopt.linear_model import LogisticRegression, LogisticRegressionCV
from numopt.optimize import _glm, _glm_newton


def sample(n=150, p=8, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + 0.5
    scores = X @ rng.standard_normal((p, classes)) * 0.7 + rng.gumbel(size=(n, classes))
    y = scores.argmax(axis=1)
    y[:classes] = np.arange(classes)
    return X, y


def residual(model, X, y, s=None):
    """Largest component of the least subgradient of the mean objective, from its definition."""
    X = X.toarray() if sp.issparse(X) else np.asarray(X, float)
    s = np.ones(len(y)) if s is None else s
    one_hot = (y[:, None] == model.classes_).astype(float)
    scores = X @ model.coef_.T + model.intercept_
    if len(model.classes_) == 2:
        R = expit(scores) - one_hot[:, 1:]
    else:
        R = np.exp(log_softmax(scores, axis=1)) - one_hot
    R *= (s / s.sum())[:, None]
    strength, W = 1.0 / (model.C * s.sum()), model.coef_
    G = R.T @ X + strength * (1 - model.l1_ratio) * W
    l1 = strength * model.l1_ratio
    G = np.where(W != 0, G + l1 * np.sign(W), np.maximum(np.abs(G) - l1, 0.0))
    return max(np.abs(G).max(), np.abs(R.sum(axis=0)).max() if model.fit_intercept else 0.0)


def stored(X, storage):
    if storage in ("csr", "csc"):
        return getattr(sp, storage + "_array")(X)
    return np.repeat(X, 2, axis=1)[:, ::2] if storage == "strided" else np.array(X, order=storage)


@pytest.mark.parametrize("estimator", [LogisticRegression(), LogisticRegressionCV(cv=3)])
@pytest.mark.filterwarnings("ignore")
def test_check_estimator(estimator):
    check_estimator(estimator)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("storage", ["C", "F", "csr", "csc", "strided"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("intercept", "C"), [(True, 1.0), (False, 0.1), (True, np.inf)])
def test_agrees_with_scikit_learn(classes, storage, weighted, intercept, C):
    X, y = sample(classes=classes)
    s = np.random.default_rng(1).integers(0, 4, len(y)).astype(float) if weighted else None
    options = {"C": C, "fit_intercept": intercept, "tol": 1e-11, "class_weight": "balanced"}
    ours = LogisticRegression(**options).fit(stored(X, storage), y, sample_weight=s)
    theirs = sk.LogisticRegression(solver="newton-cholesky", **options).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-8 * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("C", [0.02, 0.3, 10.0])
def test_l1_satisfies_the_optimality_conditions(classes, l1_ratio, storage, C):
    X, y = sample(120, 30, classes)
    s = np.random.default_rng(2).uniform(0.1, 2.0, len(y))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = LogisticRegression(C=C, l1_ratio=l1_ratio, solver="saga", tol=1e-10)
        model.fit(stored(X, storage), y, sample_weight=s)
    assert residual(model, X, y, s) < 2e-10
    if C == 0.02 and l1_ratio == 1.0:
        assert (model.coef_ == 0).any()


def test_l1_agrees_with_scikit_learn():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    ours = LogisticRegression(C=0.1, l1_ratio=1, solver="liblinear", tol=1e-12, fit_intercept=False).fit(X, y)
    theirs = sk.LogisticRegression(
        C=0.1, l1_ratio=1, solver="liblinear", tol=1e-12, fit_intercept=False, max_iter=10**5
    )
    theirs.fit(X, y)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)


@functools.cache
def _liblinear(l1_ratio, scaling):
    """scikit-learn's: weighted, the paths of the search, all samples without weights.  It takes long to 1e-12."""
    X, y = sample()
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    common = {"solver": "liblinear", "intercept_scaling": scaling, "tol": 1e-12, "max_iter": 10**5}
    alone = {"C": 0.3, "l1_ratio": l1_ratio}
    search = {"Cs": [0.3], "l1_ratios": (l1_ratio,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
    return (
        sk.LogisticRegression(**common, **alone).fit(X, y, sample_weight=s),
        sk.LogisticRegressionCV(**common, **search).fit(X, y),
        sk.LogisticRegression(**common, **alone).fit(X, y),
    )


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("storage", ["C", "F", "csr", "csc"])
@pytest.mark.parametrize("scaling", [1, 7.5])
def test_liblinear_penalises_the_intercept_as_scikit_learn(l1_ratio, storage, scaling):
    X, y = sample()
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    options = {"C": 0.3, "l1_ratio": l1_ratio, "solver": "liblinear", "intercept_scaling": scaling, "tol": 1e-12}
    ours = LogisticRegression(**options).fit(stored(X, storage), y, sample_weight=s)
    theirs, searched, whole = _liblinear(l1_ratio, scaling)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    free = LogisticRegression(**options | {"solver": "saga"}).fit(X, y, sample_weight=s)
    assert np.abs(free.intercept_ - ours.intercept_).max() > 1e-4
    again = LogisticRegression(warm_start=True, **options).fit(X, y, sample_weight=s).fit(X, y, sample_weight=s)
    assert again.n_iter_[0] == 1
    search = {"Cs": [0.3], "l1_ratios": (l1_ratio,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
    options = {key: options[key] for key in ("solver", "intercept_scaling", "tol")} | search
    ours = LogisticRegressionCV(**options).fit(stored(X, storage), y)
    np.testing.assert_allclose(ours.coefs_paths_, searched.coefs_paths_, atol=1e-6)
    # scikit-learn 1.9 forgets intercept_scaling in the fit of all samples
    np.testing.assert_allclose(ours.intercept_, whole.intercept_, atol=1e-6)
    with pytest.raises(ValueError, match="intercept_scaling must be"):
        LogisticRegression(solver="liblinear", intercept_scaling=0).fit(X, y)


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 40), st.integers(1, 20), st.integers(2, 4), st.integers(0, 10**6), st.floats(0.01, 50.0))
def test_the_gradient_is_as_small_as_tol(n, p, classes, seed, C):
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (n, p)).astype(float)  # collinear, empty and constant columns among them
    y = np.append(np.arange(classes), rng.integers(0, classes, n - classes)) if n > classes else np.arange(n)
    model = LogisticRegression(C=C, tol=1e-9).fit(X, y)
    assert residual(model, X, y) <= 1.1e-9
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 3]), st.sampled_from([0.0, 0.5]))
def test_zero_weight_is_removal_and_integer_weights_repetition(seed, classes, l1_ratio):
    X, y = sample(40, 4, classes, seed)
    s = np.random.default_rng(seed).integers(0, 3, len(y))
    s[:classes] = 1
    options = {"l1_ratio": l1_ratio, "solver": "saga", "tol": 1e-11, "class_weight": "balanced"}
    one = LogisticRegression(**options).fit(X, y, sample_weight=s)
    other = LogisticRegression(**options).fit(np.repeat(X, s, axis=0), np.repeat(y, s))
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-8)
    np.testing.assert_allclose(one.intercept_, other.intercept_, atol=1e-8)


def test_large_sparse_by_products_of_the_hessian(monkeypatch):
    X = sp.random(300, 2000, density=0.02, format="csr", random_state=0)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    many = rng.integers(0, 3, 300)
    monkeypatch.setattr(_glm, "SMALL", 100)  # both threads
    for labels in (y, many):
        model = LogisticRegression(tol=1e-10, C=10.0).fit(X, labels)
        assert residual(model, X, labels) < 1.1e-10
        dense = LogisticRegression(tol=1e-10, C=10.0).fit(X.toarray(), labels)
        np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-6)
        again = LogisticRegression(tol=1e-10, C=10.0).fit(X, labels)
        np.testing.assert_array_equal(model.coef_, again.coef_)


def test_many_rows_start_from_a_part_of_them(monkeypatch):
    X, y = sample(30_000, 3)
    whole = LogisticRegression(tol=1e-10).fit(X, y)
    monkeypatch.setattr(_glm_newton, "SAMPLE", 10**9)
    plain = LogisticRegression(tol=1e-10).fit(X, y)
    np.testing.assert_allclose(whole.coef_, plain.coef_, rtol=1e-8)
    assert whole.n_iter_ < plain.n_iter_


def test_float32_is_read_as_it_is():
    X, y = sample()
    model = LogisticRegression(tol=1e-9).fit(X.astype(np.float32), y)
    assert model.coef_.dtype == np.float32
    reference = LogisticRegression(tol=1e-9).fit(X.astype(np.float32).astype(float), y)
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=1e-5)


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "sag", "saga", "newton", "bfgs", "trust-ncg", "cg-hz"])
def test_every_solver_reaches_the_same_optimum(solver):
    X, y = sample()
    model = LogisticRegression(solver=solver, tol=1e-8, max_iter=1000).fit(X, y)
    reference = LogisticRegression(tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-5)


def test_warm_start_warning_and_sparse_coefficients():
    X, y = sample()
    model = LogisticRegression(tol=1e-10, warm_start=True).fit(X, y)
    first = model.n_iter_[0]
    assert model.fit(X, y).n_iter_[0] <= 1 < first
    with pytest.warns(ConvergenceWarning, match=r"after 1 iterations.*tol asks for 1\.000e-10"):
        LogisticRegression(tol=1e-10, max_iter=1).fit(X, y)
    expected = model.decision_function(X)
    np.testing.assert_allclose(model.sparsify().decision_function(X), expected)
    np.testing.assert_allclose(model.densify().decision_function(sp.csr_array(X)), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clone(model).fit(X, y))).predict(X), model.predict(X))


def test_separated_classes_do_not_lose_their_probabilities():
    X, y = np.array([[-1000.0], [1000.0]]), np.array([0, 1])
    model = LogisticRegression(C=1e3).fit(X, y)
    log_proba = model.predict_log_proba(X)
    assert np.isfinite(log_proba).all() and (log_proba[[0, 1], [1, 0]] < -10).all()


BAD = [
    ({"C": 0}, "C must be"), ({"C": "1"}, "C must be"), ({"l1_ratio": 2}, "l1_ratio must be"), ({"tol": -1}, "tol"),
    ({"max_iter": 1.5}, "max_iter"), ({"solver": "nope"}, "solver must be"), ({"l1_ratio": 1.0}, "l1_ratio=0 only"),
    ({"solver": "liblinear", "l1_ratio": 0.5}, "l1_ratio=0 or 1"), ({"solver": "liblinear", "C": np.inf}, "finite C"),
    ({"dual": True}, "dual"), ({"class_weight": "even"}, "class_weight"), ({"fit_intercept": 1}, "fit_intercept"),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "message"), BAD)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        LogisticRegression(**parameters).fit(*sample())


def test_bad_data():
    X, y = sample()
    fit = LogisticRegression().fit
    with pytest.raises(ValueError, match="one class: 1"):
        fit(X, np.ones(len(y), int))
    with pytest.raises(ValueError, match="sample_weight"):
        fit(X, y, sample_weight=-np.ones(len(y)))
    with pytest.raises(ValueError, match="one class"):
        fit(X, y, sample_weight=(y == 1).astype(float))
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            fit(np.where(X > 2, value, X), y)
    with pytest.raises(ValueError, match="two classes, got 3"):
        LogisticRegression(solver="liblinear").fit(*load_iris(return_X_y=True))
    with pytest.warns(FutureWarning, match="penalty is deprecated"):
        LogisticRegression(penalty="l2").fit(X, y)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("legacy", [True, False])
def test_cross_validation_agrees_with_scikit_learn(classes, refit, legacy):
    X, y = sample(120, 5, classes)
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    options = {"Cs": [1.0, 0.01, 10.0], "l1_ratios": (0,), "scoring": "neg_log_loss", "refit": refit, "cv": 3,
               "tol": 1e-10,
               "use_legacy_attributes": legacy, "class_weight": "balanced"}  # fmt: skip
    ours = LogisticRegressionCV(**options).fit(X, y, sample_weight=s)
    theirs = sk.LogisticRegressionCV(solver="newton-cholesky", **options).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(ours.C_, theirs.C_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)
    if legacy:
        assert list(ours.scores_) == list(theirs.scores_)
        for name in ours.scores_:
            np.testing.assert_allclose(ours.scores_[name], theirs.scores_[name], rtol=1e-8)
            np.testing.assert_allclose(ours.coefs_paths_[name], theirs.coefs_paths_[name], rtol=1e-6, atol=1e-8)
    else:
        np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-8)
        np.testing.assert_allclose(ours.coefs_paths_, theirs.coefs_paths_, rtol=1e-6, atol=1e-8)
    assert ours.n_iter_.shape == theirs.n_iter_.shape


def test_cross_validation_over_ratios_and_in_a_grid():
    X, y = sample(90, 6)
    model = LogisticRegressionCV(Cs=4, l1_ratios=(0.2, 1.0), solver="saga", scoring="accuracy", cv=3,
                                 use_legacy_attributes=False).fit(X, y)  # fmt: skip
    assert model.scores_.shape == (3, 2, 4) and model.l1_ratio_ in (0.2, 1.0)
    assert model.C_ in model.Cs_
    grid = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]})
    assert grid.fit(X, y).best_score_ > 0.5


@pytest.mark.parametrize("loss", ["logistic", "multinomial", "poisson"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("part", [False, True])
def test_the_compiled_loop_takes_the_steps_of_the_one_on_blas(loss, intercept, weighted, part):
    K = 3 if loss == "multinomial" else 1
    X, y = sample(300, 7, max(K, 2))
    rng = np.random.default_rng(0)
    s = rng.uniform(0.5, 2.0, len(y)) if weighted else None
    f = _glm.objective(X, y, s, loss, K, 0.02, intercept)
    start, free = np.zeros((f.q, K)), None
    if part:
        f.tilt, free = 0.01 * rng.standard_normal(start.shape), rng.random(start.shape) < 0.7
        if intercept:
            f.tilt[-1], free[-1] = 0.0, True
    one = _glm_newton._compiled(f, start, 1e-11, 50, free)
    other = _glm_newton._newton(f, start, 1e-11, 50, free)
    np.testing.assert_allclose(one[0], other[0], rtol=1e-7, atol=1e-9)
    assert one[1] == other[1] and one[2] <= 1e-11
    if part:
        assert (one[0][~free] == 0.0).all() and (one[0][free] != 0.0).all()


@pytest.mark.parametrize("C", [1e-3, 1.0, np.inf])
@pytest.mark.parametrize("dearer", [0.01, 3.0, 1e9])
def test_factors_of_other_points_and_of_blocks_lead_to_the_same_solution(monkeypatch, C, dearer):
    X, y = sample(600, 40, 6)
    X = np.column_stack([X, X[:, 0] + 1e-3 * X[:, 1]])
    monkeypatch.setattr(_glm_newton, "DEARER", dearer)
    monkeypatch.setattr(_glm_newton, "COMPILED_UP_TO", 0)
    built = []
    for kind in (_glm_newton.Factor, _glm_newton.Blocks):
        monkeypatch.setattr(_glm_newton, kind.__name__, counted(kind, built))
    model = LogisticRegression(C=C, tol=1e-9).fit(X, y)
    assert residual(model, X, y) <= 1.1e-9
    if dearer == 1e9:
        assert set(built) == {"Factor"} and len(built) >= model.n_iter_[0] - 1
    elif dearer == 0.01:
        assert set(built) == {"Blocks"}
    else:
        assert built[0] == "Blocks" and len(built) <= model.n_iter_[0]


def counted(kind, built):
    class Counted(kind):
        def __init__(self, *args):
            built.append(kind.__name__)
            super().__init__(*args)

    return Counted
