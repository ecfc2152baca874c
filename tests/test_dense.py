"""Small dense factorisations against NumPy."""

import numba
import numpy as np
import pytest

from numopt.kernels.dense import cholesky, eigen, modified_cholesky, solve_cholesky, solve_modified


@numba.njit
def _cholesky(A, L, n, shift):
    return cholesky(A, L, n, shift)


@numba.njit
def _solve(L, n, b, x):
    solve_cholesky(L, n, b, x)


@numba.njit
def _eigen(V, lam, work, n):
    return eigen(V, lam, work, n)


@numba.njit
def _modified(A, L, D, perm, n, b, x, work):
    modified_cholesky(A, L, D, perm, n)
    solve_modified(L, D, perm, n, b, x, work)


def _symmetric(n, seed):
    A = np.random.default_rng(seed).standard_normal((n, n))
    return A + A.T


@pytest.mark.parametrize("n", [1, 2, 3, 8, 33])
def test_eigen(n):
    for A in (_symmetric(n, n), np.zeros((n, n)), np.eye(n), np.ones((n, n)), np.diag(np.arange(n) - 2.0)):
        V, lam, work = A.ravel().copy(), np.empty(n), np.empty(n)
        assert _eigen(V, lam, work, n)
        V = V.reshape(n, n)
        scale = max(1.0, np.abs(A).max()) * n
        assert np.allclose(np.sort(lam), np.linalg.eigvalsh(A), atol=1e-14 * scale)
        assert np.allclose(V @ V.T, np.eye(n), atol=1e-14 * n)
        assert np.allclose(V.T @ np.diag(lam) @ V, A, atol=1e-14 * scale)


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_cholesky(n):
    A = _symmetric(n, n)
    B = A @ A + np.eye(n)
    L, b, x = np.zeros(n * n), np.arange(n) + 1.0, np.empty(n)
    assert _cholesky(B.ravel(), L, n, 0.5)
    assert np.allclose(L.reshape(n, n) @ L.reshape(n, n).T, B + 0.5 * np.eye(n))
    _solve(L, n, b, x)
    assert np.allclose((B + 0.5 * np.eye(n)) @ x, b)
    assert not _cholesky(-B.ravel(), L, n, 0.0)


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_modified_cholesky(n):
    A = _symmetric(n, n + 1)
    b = np.arange(n) + 1.0
    for B, definite in ((A, False), (A @ A + np.eye(n), True)):
        L, D, perm, x, work = np.zeros(n * n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
        _modified(B.ravel(), L, D, perm, n, b, x, work)
        P = np.eye(n)[perm.astype(int)]
        unit = np.tril(L.reshape(n, n), -1) + np.eye(n)
        M = P.T @ unit @ np.diag(D) @ unit.T @ P
        E = M - B
        size = np.abs(M).max()
        assert np.allclose(E - np.diag(np.diag(E)), 0.0, atol=1e-12 * size)
        assert np.linalg.eigvalsh(M)[0] > 0.0 and np.diag(E).min() >= -1e-12 * size
        if definite:
            assert np.allclose(E, 0.0, atol=1e-12 * size)
        assert np.allclose(M @ x, b, rtol=1e-8)
