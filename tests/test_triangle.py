"""The factors of triangles, beside NumPy's."""

import numpy as np
import pytest
from numba import njit

from numopt.kernels.triangle import factor


@njit
def _factor(T, n, s, free, S, perm):
    return factor(T, n, s, free, free.size, S, perm)


def _factored(A, b, free):
    """(rank, S, perm) for the columns ``free`` of A."""
    n = A.shape[1]
    T = np.linalg.qr(np.column_stack([A, b]))[1][:n].copy()
    S, perm = np.full(n * (len(free) + 1), np.nan), np.full(n, np.nan)
    rank = _factor(T.ravel(), n, np.zeros(n), np.array(free, float), S, perm)
    return rank, S.reshape(n, -1), perm[: len(free)].astype(int)


@pytest.mark.parametrize("free", [[0, 1, 2, 3], [0, 2, 3]])
@pytest.mark.parametrize("apart", [1.0, 1e-3, 1e-9])
def test_the_factor_gives_the_normal_equations_whether_it_pivots_or_not(free, apart):
    rng = np.random.default_rng(1)
    A, b = rng.standard_normal((9, 4)), rng.standard_normal(9)
    A[:, 2] = A[:, 0] + apart * A[:, 2]
    rank, S, perm = _factored(A, b, free)
    k, columns = len(free), A[:, perm]
    R = np.triu(S[:k, :k])
    assert rank == k and sorted(perm) == free
    np.testing.assert_allclose(R.T @ R, columns.T @ columns, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(R.T @ S[:k, k], columns.T @ b, rtol=1e-12, atol=1e-13)


def test_a_triangle_far_from_dependent_is_its_own_factor_and_one_near_to_it_is_pivoted():
    rng = np.random.default_rng(2)
    A, b = rng.standard_normal((9, 3)), rng.standard_normal(9)
    A[:, 1] *= 10.0
    assert _factored(A, b, [0, 1, 2])[2].tolist() == [0, 1, 2]
    A[:, 2] = A[:, 0] + 1e-7 * A[:, 2]
    assert _factored(A, b, [0, 1, 2])[2][0] == 1


def test_the_rank_is_seen_with_a_dependent_column_and_with_one_of_zeros():
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((9, 3)), rng.standard_normal(9)
    A[:, 1] = A[:, 0] - 2.0 * A[:, 2]
    assert _factored(A, b, [0, 1, 2])[0] == 2
    A[:, 1] = 0.0
    rank, _, perm = _factored(A, b, [0, 1, 2])
    assert rank == 2 and perm[2] == 1
