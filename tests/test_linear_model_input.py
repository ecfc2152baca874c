"""Input that linear models meet in practice: unusual storage, extreme values, weights, parameters at their ends."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model as sk

from numopt.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    HuberRegressor,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    lasso_path,
)


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
    X = sp.random_array((300, 250), density=0.1, format="csr", rng=rng)  # so many that the steps are conjugate gradients'
    y = X @ np.ones(250) + 50.0 * (np.arange(300) % 50 == 0)
    model = HuberRegressor(alpha=1e-4).fit(X, y)
    assert model.scale_ < 1e-7
    np.testing.assert_allclose(model.coef_, 1.0, atol=1e-3)  # the penalty's doing


def test_a_warm_start_of_huber_does_not_lower_the_least_scale():
    X, y = interpolated("a line with outliers")
    model = HuberRegressor(warm_start=True).fit(X, y)
    scale = model.scale_
    assert model.fit(X, y).scale_ == scale and model.n_iter_ <= 1
