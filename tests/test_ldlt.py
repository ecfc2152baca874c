"""The symmetric indefinite factorisation, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from numopt.kernels.ldlt import ldlt, refine_ldlt, solve_ldlt


@njit(error_model="numpy")
def factorise(M, b, rounds):
    """(inertia, block with the factor, solution of M x = b, residual after refinement)."""
    n = b.size
    A, d, perm, r, work, x = M.copy().ravel(), np.diag(M).copy(), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        A[i * n + i : (i + 1) * n] = np.nan  # neither the diagonal nor the upper triangle is read
    signs = ldlt(A, d, n, perm, work)
    solve_ldlt(A, n, perm, b, x, work)
    left = refine_ldlt(A, d, n, perm, b, x, r, work, rounds)
    return signs, A, perm, x, left


def rebuilt(A, perm):
    """P' U' D U P."""
    n = perm.size
    A = A.reshape(n, n)
    U, D = np.triu(A, 1) + np.eye(n), np.diag(np.diag(A))
    double = perm < 0
    k = 0
    while k < n:
        if double[k]:
            D[k, k + 1] = D[k + 1, k] = A[k, k + 1]
            U[k, k + 1] = 0
            k += 1
        k += 1
    rows = np.where(double, -1 - perm, perm).astype(int)
    out = np.empty((n, n))
    out[np.ix_(rows, rows)] = U.T @ D @ U
    return out, U


def symmetric(n, seed, kind):
    """(matrix, the same before rows and columns were scaled, which keeps the inertia)."""
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((n, n))
    M = B + B.T
    if kind == "no diagonal":  # 2 x 2 pivots alone
        np.fill_diagonal(M, 0.0)
    elif kind == "KKT":
        M[: n // 3, : n // 3] = 0.0
    elif kind == "integers":  # ties, zeros, singular ones
        M = np.round(M)
    elif kind == "dependent rows":
        m = n // 3
        M[:m, :m] = 0.0
        if m > 1:
            M[0, m:] = M[1:m, m:].sum(0)
            M[m:, 0] = M[0, m:]
    s = 10.0 ** rng.integers(-8, 9, n) if kind == "scaled" else np.ones(n)
    return s[:, None] * M * s, M


KINDS = ("plain", "no diagonal", "KKT", "integers", "dependent rows", "scaled")


@given(n=st.integers(1, 14), seed=st.integers(0, 10**6), kind=st.sampled_from(KINDS))
@settings(max_examples=100, deadline=None)
def test_the_factor_is_the_matrix_and_its_inertia_that_of_the_eigenvalues(n, seed, kind):
    M, plain = symmetric(n, seed, kind)
    b = np.random.default_rng(seed + 1).standard_normal(n)
    signs, A, perm, x, left = factorise(M, b, 2)
    back, U = rebuilt(A, perm)
    assert np.abs(back - M).max() <= 1e-14 * np.abs(M).max()
    assert np.abs(U).max() <= 2.79  # the bound of the rook search
    lam = np.linalg.eigvalsh(plain)
    size = np.abs(lam).max()
    expected = ((lam > 1e-12 * size).sum(), (lam < -1e-12 * size).sum(), (np.abs(lam) <= 1e-12 * size).sum())
    if not ((np.abs(lam) > 1e-14 * size) & (np.abs(lam) < 1e-9 * size)).any():  # else it is a matter of opinion
        assert signs == expected
    if expected[2] == 0:
        assert left == pytest.approx(np.abs(b - M @ x).max(), abs=1e-14 * (np.abs(M) @ np.abs(x)).max())
        assert left <= 2e-15 * (np.abs(M) @ np.abs(x)).max()


def test_a_zero_pivot_of_a_consistent_system_leaves_its_unknown_at_zero():
    M = np.array([[2.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, -1.0]])
    signs, _, _, x, left = factorise(M, np.array([3.0, 0.0, 0.0]), 2)
    assert signs == (1, 1, 1)
    np.testing.assert_allclose(x, [1.0, 0.0, 1.0], rtol=1e-15)
    assert left < 1e-15


def test_entries_of_very_different_size_are_no_false_zeros():
    # what a barrier puts on the diagonal; the Schur complement is -1e-20
    signs, _, _, x, _ = factorise(np.array([[1e20, 1.0], [1.0, 0.0]]), np.array([1.0, 1e-20]), 1)
    assert signs == (1, 1, 0)
    np.testing.assert_allclose(x, [1e-20, 0.0], atol=1e-35)


def test_refinement_lowers_the_residual():
    M, _ = symmetric(14, 5, "scaled")
    b = np.ones(14)
    assert factorise(M, b, 3)[4] <= factorise(M, b, 0)[4]
