"""Multi-task lasso and group lasso: optimality conditions, certified gaps, scikit-learn's answers, bad input."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model as sk
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import check_estimator

from numopt.linear_model import GroupLasso, Lasso, MultiTaskElasticNet, MultiTaskLasso, enet_path, lasso_path
from numopt.optimize import _group_lasso as front


def data(n, p, targets, seed=0, rho=0.5):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + (1 - rho**2) ** 0.5 * X[:, j]
    W = np.zeros((p, targets))
    rows = rng.choice(p, max(p // 10, 1), replace=False)
    W[rows] = rng.standard_normal((len(rows), targets))
    return X + 2.0, X @ W + 0.3 * rng.standard_normal((n, targets)) + 1.0


def blocks(model, p):
    if isinstance(model, GroupLasso):
        order, starts = np.argsort(model.groups, kind="stable"), None
        starts = np.append(0, np.cumsum(np.bincount(model.groups)))
        return [order[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]
    return [np.array([j]) for j in range(p)]


def kkt_residual(model, X, Y, l1_ratio=1.0, s=None):
    """Largest distance of a block of the subgradient from zero, relative to alpha."""
    s = np.ones(len(Y)) if s is None else s
    W = np.atleast_2d(model.coef_).T
    R = np.reshape(Y, (len(Y), -1)) - X @ W - model.intercept_
    G = X.T @ (s[:, None] * R) / s.sum() - model.alpha * (1 - l1_ratio) * W
    worst = np.abs(np.average(R, axis=0, weights=s)).max()
    for rows in blocks(model, X.shape[1]):
        weight = len(rows) ** 0.5 if isinstance(model, GroupLasso) else 1.0
        na, size = model.alpha * l1_ratio * weight, np.linalg.norm(W[rows])
        if size > 0:
            worst = max(worst, np.linalg.norm(G[rows] - na * W[rows] / size))
        else:
            worst = max(worst, np.linalg.norm(G[rows]) - na)
    return worst / model.alpha


def largest(X, Y):
    return np.linalg.norm((X - X.mean(axis=0)).T @ (Y - Y.mean(axis=0)), axis=1).max() / len(Y)


@pytest.mark.parametrize(
    "estimator", [MultiTaskLasso(), MultiTaskElasticNet(), GroupLasso(), GroupLasso(alpha=0.01)], ids=str
)
def test_check_estimator(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(estimator)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize(("n", "p", "rho"), [(100, 20, 0.0), (40, 150, 0.9)])
def test_multi_task_is_scikit_learns(order, l1_ratio, n, p, rho):
    X, Y = data(n, p, 3, rho=rho)
    X = np.asarray(X, order=order)
    alpha = largest(X, Y) / 20
    ours = MultiTaskElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-14, max_iter=10_000).fit(X, Y)
    theirs = sk.MultiTaskElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-14, max_iter=200_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # theirs has no certificate for l1_ratio = 0
        theirs.fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6 * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-5)
    assert kkt_residual(ours, X, Y, l1_ratio) < 1e-5


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 40),
    p=st.integers(1, 40),
    targets=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    share=st.floats(0.005, 0.9),
    l1_ratio=st.sampled_from([1.0, 0.7, 0.1]),
    weighted=st.booleans(),
    sparse=st.booleans(),
)
def test_the_duality_gap_is_certified_by_the_objective(n, p, targets, seed, share, l1_ratio, weighted, sparse):
    X, Y = data(n, p, targets, seed)
    X[np.abs(X - 2.0) < 0.3] = 0.0
    s = np.random.default_rng(seed).uniform(0.1, 2.0, n) if weighted else None
    alpha = max(largest(X, Y) * share, 1e-3)

    def objective(model):
        R = Y - X @ model.coef_.T - model.intercept_
        sizes = np.linalg.norm(model.coef_, axis=0)
        fit = np.average((R**2).sum(axis=1), weights=s) / 2
        return fit + alpha * (l1_ratio * sizes.sum() + (1 - l1_ratio) / 2 * (sizes**2).sum())

    A = sp.csc_array(X) if sparse else X
    loose = MultiTaskElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-3).fit(A, Y, s)
    tight = MultiTaskElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-13, max_iter=20_000).fit(A, Y, s)
    scale = objective(tight)
    assert objective(loose) - objective(tight) <= loose.dual_gap_ + 1e-12 * scale
    assert kkt_residual(tight, X, Y, l1_ratio, s) < 1e-3  # where the support is about to change, a gap says less of it


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(5, 60),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    seed=st.integers(0, 10**6),
    share=st.floats(0.01, 0.9),
    sparse=st.booleans(),
    selection=st.sampled_from(["cyclic", "random"]),
)
def test_group_lasso_satisfies_its_optimality_conditions(n, sizes, seed, share, sparse, selection):
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    X, Y = data(n, len(groups), 1, seed)
    y = Y[:, 0]
    g = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())) / n
    model = GroupLasso(
        groups, share * g.max(), tol=1e-13, max_iter=50_000, selection=selection, random_state=seed
    )  # fmt: skip
    model.fit(sp.csc_array(X) if sparse else X, y)
    assert kkt_residual(model, X, y) < 1e-3
    assert model.dual_gap_ <= 1e-13 * y.var()


def test_groups_of_one_are_the_lasso():
    X, Y = data(60, 30, 1)
    y, alpha = Y[:, 0], largest(X, Y) / 10
    coef = Lasso(alpha=alpha, tol=1e-14).fit(X, y).coef_
    np.testing.assert_allclose(GroupLasso(1, alpha, tol=1e-14).fit(X, y).coef_, coef, atol=1e-8)
    np.testing.assert_allclose(MultiTaskLasso(alpha=alpha, tol=1e-14).fit(X, Y).coef_[0], coef, atol=1e-8)


def test_the_ways_to_name_groups_agree():
    X, Y = data(80, 6, 1)
    y = Y[:, 0]
    fits = [
        GroupLasso(groups, 0.05, tol=1e-12).fit(X, y).coef_
        for groups in (2, [0, 0, 1, 1, 2, 2], ["a", "a", "b", "b", "c", "c"], [[0, 1], [2, 3], [4, 5]])
    ]
    for coef in fits[1:]:
        np.testing.assert_allclose(coef, fits[0], atol=1e-12)
    mixed = GroupLasso([[5, 0], [2, 4], [3, 1]], 0.05, tol=1e-12).fit(X, y).coef_
    columns = [5, 0, 2, 4, 3, 1]
    np.testing.assert_allclose(mixed[columns], GroupLasso(2, 0.05, tol=1e-12).fit(X[:, columns], y).coef_, atol=1e-9)


def test_weights_of_groups_scale_their_penalties():
    X, Y = data(80, 6, 1, rho=0.0)
    y = Y[:, 0] + X.sum(axis=1)
    free = GroupLasso(2, 0.2, weights=[1e-9, 1.0, 1e9], tol=1e-12).fit(X, y)
    assert (free.coef_[4:] == 0).all() and (free.coef_[:4] != 0).all()
    r = y - free.predict(X)
    assert np.abs(X[:, :2].T @ (r - r.mean())).max() / len(y) < 1e-7


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_zero_weights_equal_removal_and_whole_weights_equal_repetition(storage):
    X, Y = data(50, 20, 3)
    s = np.random.default_rng(1).integers(0, 3, 50).astype(float)
    a = MultiTaskLasso(alpha=0.1, tol=1e-13).fit(storage(X), Y, s)
    rows = np.repeat(np.arange(50), s.astype(int))
    b = MultiTaskLasso(alpha=0.1, tol=1e-13).fit(storage(X[rows]), Y[rows])
    np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-8)
    np.testing.assert_allclose(a.intercept_, b.intercept_, atol=1e-7)


def test_float32_stays_float32_and_is_solved_in_double():
    X, Y = data(60, 80, 2)
    X = X.astype(np.float32)
    a = MultiTaskLasso(alpha=0.05, tol=1e-10).fit(X, Y.astype(np.float32))
    b = MultiTaskLasso(alpha=0.05, tol=1e-10).fit(X.astype(float), Y.astype(np.float32).astype(float))
    assert a.coef_.dtype == a.intercept_.dtype == np.float32
    np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-6)


def test_paths_of_several_targets_are_multi_task_as_scikit_learns():
    X, Y = data(50, 30, 3)
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    ours = lasso_path(X, Y, alphas=20, eps=0.01, tol=1e-13, max_iter=20_000)
    theirs = sk.lasso_path(X, Y, alphas=20, eps=0.01, tol=1e-13, max_iter=200_000)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    with pytest.raises(ValueError, match="positive=True is not allowed for multi-output"):
        enet_path(X, Y, positive=True)


def test_features_without_variance_have_coefficient_zero():
    X, Y = data(40, 10, 2)
    X[:, 3], X[:, 7] = 0.0, 5.0
    for storage in (np.asarray, sp.csc_array):
        model = MultiTaskLasso(alpha=0.01, tol=1e-10).fit(storage(X), Y)
        assert (model.coef_[:, [3, 7]] == 0).all() and np.isfinite(model.coef_).all()
    y = Y[:, 0]
    assert (GroupLasso(2, 0.01).fit(np.ones((40, 4)), y).coef_ == 0).all()
    assert (MultiTaskLasso(alpha=0.1).fit(X, np.ones((40, 2))).coef_ == 0).all()


def test_equal_columns_share_and_converge():
    X, Y = data(30, 5, 2)
    X = np.hstack([X, X, X])
    model = MultiTaskLasso(alpha=0.02, tol=1e-12, max_iter=20_000).fit(X, Y)
    assert kkt_residual(model, X, Y) < 1e-4
    model = GroupLasso(3, 0.02, tol=1e-12, max_iter=20_000).fit(X, Y[:, 0])
    assert model.dual_gap_ <= 1e-12 * Y[:, 0].var()


def test_a_start_at_the_solution_takes_few_passes():
    X, Y = data(100, 200, 3, rho=0.9)
    model = MultiTaskLasso(alpha=0.05, tol=1e-13, warm_start=True).fit(X, Y)
    first, coef = model.n_iter_, model.coef_.copy()
    model.fit(X, Y)
    assert model.n_iter_ < first / 4
    np.testing.assert_allclose(model.coef_, coef, atol=1e-7)


def test_the_warning_states_what_was_reached_and_asked():
    X, Y = data(60, 120, 3, rho=0.95)
    with pytest.warns(ConvergenceWarning, match="duality gap of .* tol asks for .* max_iter"):
        MultiTaskLasso(alpha=1e-3, tol=1e-12, max_iter=2).fit(X, Y)
    with pytest.warns(UserWarning, match="alpha=0"):
        free = MultiTaskLasso(alpha=0.0).fit(X[:, :5], Y)
    np.testing.assert_allclose(free.coef_, sk.LinearRegression().fit(X[:, :5], Y).coef_, atol=1e-9)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (GroupLasso(4), "groups must be a size that divides 6"),
        (GroupLasso([0, 1]), "groups must be .*6 labels.*got 2 values"),
        (GroupLasso([[0, 1], [2]]), "groups must be .*lists of indices.*got 2 lists of 3 indices"),
        (GroupLasso([[0, 1, 2], [3, 4, 4]]), "groups must be"),
        (GroupLasso(None), "groups must be"),
        (GroupLasso(2, weights=[1.0, 2.0]), "weights must be 3 finite positive numbers"),
        (GroupLasso(2, weights=[1.0, 0.0, 2.0]), "weights must be 3 finite positive numbers"),
        (GroupLasso(2, alpha=-1.0), "alpha must be a finite real number >= 0"),
        (GroupLasso(2, alpha=float("nan")), "alpha must be a finite real number >= 0"),
        (GroupLasso(2, tol=-1.0), "tol must be"),
    ],
)
def test_bad_input_is_named(model, text):
    X, Y = data(20, 6, 1)
    with pytest.raises(ValueError, match=text):
        model.fit(X, Y[:, 0])


def test_one_target_is_sent_to_the_estimator_for_it():
    X, Y = data(20, 6, 1)
    with pytest.raises(ValueError, match="For mono-task outputs, use Lasso"):
        MultiTaskLasso().fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="squares overflow"):
        MultiTaskLasso().fit(X * 1e200, Y)


def test_newtons_method_takes_fewer_passes_to_the_same_point():
    X, Y = data(80, 60, 3, rho=0.99)
    alpha = largest(X, Y) / 2000
    ours = MultiTaskLasso(alpha=alpha, tol=1e-13, max_iter=10_000).fit(X, Y)
    plain = sk.MultiTaskLasso(alpha=alpha, tol=1e-13, max_iter=1_000_000).fit(X, Y)
    assert ours.n_iter_ < plain.n_iter_ / 5
    np.testing.assert_allclose(ours.coef_, plain.coef_, atol=1e-8)


def test_a_unit_from_the_cache_runs_in_a_process_without_numba():
    # reshape() in a kernel once called a function of Numba's runtime, which such a process does not have
    code = (
        "import sys, numpy as np; from numopt.optimize._group_lasso import solve_group_path as f;"
        "X = np.eye(4); c = f(X, X, np.array([0.1]), np.array([0.0]), tol=1e-10)[0];"
        "assert 'numba' not in sys.modules and abs(c[0][0, 0] - 1) < 0.5"
    )
    front.load("lasso/groups")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("targets", [1, 3, 10])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("storage", [np.float64, np.float32])
def test_working_sets_longer_than_the_samples_are_solved_on_the_residual(monkeypatch, targets, size, storage):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((21, 90)).astype(storage) + 0.5
    Y = X[:, :8] @ rng.standard_normal((8, targets)) + rng.standard_normal((21, targets))
    s = rng.uniform(0.5, 2.0, 21)
    on_residual = []

    def call(*args):
        on_residual.append(args[3] is not None)
        return original(*args)

    original = front._call
    monkeypatch.setattr(front, "_call", call)
    options = {"sample_weight": s, "tol": 1e-10, "max_iter": 100_000, "order": np.arange(90),
               "starts": np.arange(0, 91, size)}  # fmt: skip
    na, l2 = np.array([2.0, 0.5]), np.array([0.0, 0.1])
    coefs, intercepts, gaps, _, goal = front.solve_group_path(X, Y, na, l2, **options)
    assert on_residual[-1] and (gaps <= goal).all()
    monkeypatch.setattr(front, "LONG", 10**9)
    other, others, gaps, _, _ = front.solve_group_path(X, Y, na, l2, **options)
    assert not on_residual[-1] and (gaps <= goal).all()
    np.testing.assert_allclose(X @ coefs + intercepts[:, None], X @ other + others[:, None], atol=1e-3)
    np.testing.assert_allclose(coefs[1], other[1], atol=1e-3)
    np.testing.assert_array_equal(np.abs(coefs[1]).sum(axis=1) > 1e-3, np.abs(other[1]).sum(axis=1) > 1e-3)
