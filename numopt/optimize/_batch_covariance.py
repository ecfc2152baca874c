"""The covariances of many fits at once, from their triangles, by the formulas of ``numopt.optimize._fit_run``."""

import numpy as np

from numopt.kernels.squares_slots import DELICATE
from numopt.optimize._fit_run import EPS, NOISE


def covariances(problem, variables, T, cost, m, central):
    """Covariances of the user's variables, (count, n, n); infinite where they are not determined.

    Parameters
    ----------
    problem : SquaresProblem
    variables : Variables
    T : ndarray (count, k, k + 1)
        Triangles of [J | r].
    cost : ndarray (count,)
    m : int or ndarray (count,)
        Rows.
    central : ndarray (count,) of bool
        Whose Jacobians are differences of both sides where others' are of one.
    """
    k = T.shape[1]
    noise = np.full(len(T), NOISE.get(problem.jac, 0.0) if isinstance(problem.jac, str) else 0.0)
    noise[central] = NOISE["3-point"]
    C, good = inverses(T[:, :, :k], m, noise)
    if variables.map is not None:
        A = variables.map[1:]
        C = A.T @ C @ A
    if problem.scaled:
        freedom = np.broadcast_to(m, len(T)) - k
        good &= freedom > 0
        C *= (2.0 * cost / np.maximum(freedom, 1))[:, None, None]
    C[~good] = np.inf
    return C


def inverses(R, m, noise):
    """((R'R)^-1 of many triangles, which of them can be had)."""
    n, count = R.shape[-1], len(R)
    R = np.ascontiguousarray(np.moveaxis(R, 0, -1))  # operations go over all problems
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.stack([(R[: j + 1, j] * R[: j + 1, j]).sum(axis=0) for j in range(n)]))
        good = (norms > 0.0).all(axis=0) & np.isfinite(norms).all(axis=0)
        half = np.zeros((n, n, count))  # the inverse of R with columns of norm 1
        for j in range(n):
            half[j, j] = norms[j] / R[j, j]
            for i in range(j - 1, -1, -1):
                t = (R[i, i + 1 : j + 1] / norms[i + 1 : j + 1] * half[i + 1 : j + 1, j]).sum(axis=0)
                half[i, j] = -t * norms[i] / R[i, i]
        least = 1.0 / np.sqrt(n * (half * half).sum(axis=(0, 1)))
        half /= norms[:, None]
        C = np.empty((count, n, n))
        for i in range(n):
            for j in range(i, n):
                C[:, i, j] = C[:, j, i] = (half[i, j:] * half[j, j:]).sum(axis=0)
    odd = np.flatnonzero(good & ~(least > DELICATE))
    if odd.size:
        S = np.triu(np.moveaxis(R[..., odd] / norms[:, odd], -1, 0))
        singular = np.maximum(noise[odd], 4.0 * EPS * np.sqrt(np.maximum(np.broadcast_to(m, count)[odd], n)))
        _, size, V = np.linalg.svd(S)
        good[odd] = size[:, -1] > singular * size[:, 0]
        with np.errstate(all="ignore"):
            half = V.swapaxes(1, 2) / size[:, None, :] / norms.T[odd][:, :, None]
            C[odd] = half @ half.swapaxes(1, 2)
    return C, good
