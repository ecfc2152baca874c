"""Input that linear models meet in practice: unusual storage, extreme values, weights, parameters at their ends."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from numopt.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
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
