"""Least squares with penalties on groups of coefficients: working sets around the compiled solver.

    minimise  1/2 |Y_c - X_c W|^2 + sum_g na_g |W_g|_2 + l2/2 |W|_2^2                                          (1)

with rows weighted and centred as in ``numopt.solvers.lasso``, of which this is the counterpart with |u_j| replaced by
|U_g|, U = X_c'R - l2 W: the dual point scaled from the residual, the gap, and the score (na_g - |U_g|) / |X_g| by which
groups enter the working set.
"""

import ctypes

import numpy as np
from scipy.linalg import blas

from numopt.optimize._coordinate_descent import load
from numopt.solvers import lasso_groups_slots as s
from numopt.solvers.lasso_slots import CONSTANT

FIRST = 100  # columns in the first working set
ROUNDS = 200  # working sets at most
LONG = 2  # features in the working set for each sample, beyond which X and the residual are used, not Gram matrices
LANES = 16  # columns are padded to multiples of it: what is left over of a loop takes as long as a vector four times it
CLOSE = 0.1  # of the gap: as far as a working set is solved
LOOSE = 0.3  # the same, while most of the support is yet to come
HUGE = 1e290  # sums of squares beyond it would soon be infinite
BLOCK = 1 << 18  # numbers of X at a time, where it is not float64


class Dense:
    """Products with X_c = S^(1/2) (X - 1 m'), which is formed for the working set only."""

    def __init__(self, X, root, total, centred):
        self.X, self.root = X, root
        self.n, self.p = X.shape
        self.step = self.n if X.dtype == np.float64 else max(BLOCK // max(self.p, 1), 1)
        self.mean = self._sums(None if root is None else (root**2)[:, None])[:, 0] / total if centred else None
        self.square = np.zeros(self.p)
        for lo in range(0, self.n, max(BLOCK // max(self.p, 1), 1)):
            part = self._explicit(X[lo : lo + max(BLOCK // max(self.p, 1), 1)], slice(None), lo)
            self.square += np.einsum("ij,ij->j", part, part)
        if centred and (self.square < HUGE).all():
            self.square[self.square <= CONSTANT**2 * total * self.mean**2] = 0.0
        self.long = self.n + (-self.n) % LANES  # rows of zeros at the end
        self.columns = np.empty((self.long, 0), order="F")
        self.m = 0

    def _explicit(self, part, columns, lo=0):
        shift = 0.0 if self.mean is None else self.mean[columns]
        out = np.subtract(part, shift, dtype=float, order="F")
        if self.root is not None:
            out *= self.root[lo : lo + len(part), None]
        return out

    def _sums(self, R):
        """X'R; sums of the columns for R = None."""
        R = np.ones((self.n, 1)) if R is None else np.ascontiguousarray(R)
        out = np.zeros((self.p, R.shape[1]), order="F")
        for lo in range(0, self.n, self.step):
            part = np.asarray(self.X[lo : lo + self.step], float)
            A, trans = (part.T, 0) if part.flags.c_contiguous else (part, 1)
            out = blas.dgemm(1.0, A, R[lo : lo + self.step].T, beta=1.0, c=out, overwrite_c=1, trans_a=trans, trans_b=1)
        return out

    def correlations(self, R):
        """X_c'R, (p, targets)."""
        R = R if self.root is None else R * self.root[:, None]
        Z = self._sums(R)
        if self.mean is not None:
            Z -= np.outer(self.mean, R.sum(axis=0))
        return Z

    def extend(self, new):
        """The working set grows by the columns ``new``."""
        end = self.m + len(new)
        if end > self.columns.shape[1]:
            wider = np.zeros((self.long, min(max(2 * end, FIRST), self.p)), order="F")
            wider[:, : self.m] = self.columns[:, : self.m]
            self.columns = wider
        self.columns[: self.n, self.m : end] = self._explicit(self.X[:, new], new)
        self.m = end

    def products(self, k):
        """Inner products of the columns of the working set with the last k of them."""
        A = self.columns[:, : self.m]
        return blas.dgemm(1.0, A, A[:, self.m - k :], trans_a=1)

    def rows(self):
        """The columns of the working set, as rows."""
        return self.columns[:, : self.m].T

    def fitted(self, W):
        """X_c W of the working set; W is (targets, m)."""
        return blas.dgemm(1.0, self.columns[:, : self.m], W.T)[: self.n]


class Sparse:
    """The same for CSC matrices, which stay as they are."""

    def __init__(self, X, root, total, centred):
        self.n, self.p = X.shape
        self.X, self.root = X, root
        self.ones = np.ones(self.n) if root is None else root
        self.mean = np.asarray(X.T @ self.ones**2, float) / total if centred else np.zeros(self.p)
        values = X.data.astype(float)
        if root is not None:
            values *= root[X.indices]
        raw = np.add.reduceat(np.append(values**2, 0.0), X.indptr[:-1])
        raw[np.diff(X.indptr) == 0] = 0.0
        self.square = raw - total * self.mean**2
        self.square[self.square <= CONSTANT * raw] = 0.0
        self.working = np.empty(0, int)
        self.part = X[:, :0]

    def _weighted(self, A):
        return A if self.root is None else type(A)((A.data * self.root[A.indices], A.indices, A.indptr), shape=A.shape)

    def correlations(self, R):
        """X_c'R, (p, targets)."""
        R = R if self.root is None else R * self.root[:, None]
        return self.X.T @ R - np.outer(self.mean, R.sum(axis=0))

    def extend(self, new):
        """The working set grows by the columns ``new``."""
        self.working = np.append(self.working, new)
        self.part = self._weighted(self.X[:, self.working].astype(float))

    def products(self, k):
        """Inner products of the columns of the working set with the last k of them."""
        first = len(self.working) - k
        cross = (self.part.T @ self.part[:, first:]).toarray()
        means = self.mean[self.working]
        return cross - (self.ones @ self.ones) * np.outer(means, means[first:])

    def fitted(self, W):
        """X_c W of the working set; W is (targets, m)."""
        return self.part @ W.T - np.outer(self.ones, W @ self.mean[self.working])


def _call(G, L, A, R, Q, W, starts, na, h, l2, tol, budget, seed):
    """The compiled solver: on the residual R, if there is one, else on G."""
    targets, m = W.shape
    groups = len(na)
    I, F = np.empty(2 * m + groups, np.int64), np.empty(6 * targets * m + groups)
    limits = np.array([l2, tol])
    table = [0] * s.N_WORDS
    arrays = {s.T_G: G, s.T_Q: Q, s.T_W: W, s.T_STARTS: starts, s.T_NA: na, s.T_H: h, s.T_LIMITS: limits, s.T_L: L}
    if R is not None:
        X, rest = A.rows(), R
        R = np.zeros((targets, A.long))
        R[:, : A.n] = rest.T
        arrays |= {s.T_X: X, s.T_R: R}
        table[s.T_N] = A.long
    for slot, array in (arrays | {s.T_I: I, s.T_F: F}).items():
        table[slot] = array.ctypes.data
    table[s.T_WIDE], table[s.T_M], table[s.T_GROUPS], table[s.T_TARGETS] = len(G), m, groups, targets
    table[s.T_BUDGET], table[s.T_SEED] = budget, seed
    words = (ctypes.c_ssize_t * s.N_WORDS)(*table)
    return int(load("lasso/groups")(ctypes.addressof(words), 0))


def solve_group_path(
    X,
    Y,
    na,
    l2,
    *,
    order=None,
    starts=None,
    weights=None,
    sample_weight=None,
    fit_intercept=True,
    tol=1e-4,
    max_iter=1000,
    seed=0,
    start=None,
):
    """Minimise 1/2 |Y - XW - b|^2_s + na sum_g weights_g |W_g| + l2/2 |W|^2 for each pair (na, l2) in turn.

    Parameters
    ----------
    X : float32 or float64 array, or CSC matrix, (n_samples, n_features)
    Y : float64 array, (n_samples, n_targets)
    na, l2 : float64 arrays, (n_path,)
        The penalties' weights; best in falling order, each solution starts the next.
    order : int array (n_features,), optional
        The features, group after group; default: each is a group of its own.
    starts : int array (n_groups + 1,), optional
        Where groups begin in ``order``.
    weights : float64 array (n_groups,), optional
        Positive; default: ones.
    sample_weight, fit_intercept, tol, max_iter, seed
        As in ``numopt.optimize._coordinate_descent.solve_path``.
    start : array (n_features, n_targets), optional

    Returns
    -------
    coefs : (n_path, n_features, n_targets)
    intercepts : (n_path, n_targets)
    gaps, passes : (n_path,)
    goal : float
        As there.
    """
    n, p = X.shape
    if starts is None:
        order, starts = np.arange(p), np.arange(p + 1)
    groups, single = len(starts) - 1, len(starts) == p + 1
    weights = np.ones(groups) if weights is None else weights
    root = None if sample_weight is None else np.sqrt(sample_weight, dtype=float)
    total = float(n) if sample_weight is None else float(np.sum(sample_weight, dtype=float))
    with np.errstate(over="ignore", invalid="ignore"):
        y_mean = np.average(Y, axis=0, weights=sample_weight) if fit_intercept else np.zeros(Y.shape[1])
        B = Y - y_mean if root is None else (Y - y_mean) * root[:, None]
        A = (Sparse if hasattr(X, "indptr") else Dense)(X, root, total, fit_intercept)
        yy = float((B * B).sum())
    if not (yy < HUGE and (A.square < HUGE).all()):
        raise ValueError("X or y hold values so large that their squares overflow; scale them, to about 1e140 at most")
    goal = tol * yy
    width = np.diff(starts)
    spread = np.add.reduceat(A.square[order], starts[:-1])
    usable = spread > 0.0

    def block_norms(V):
        rows = (V * V).sum(axis=1)
        return np.sqrt(rows if single else np.add.reduceat(rows[order], starts[:-1]))

    W = np.zeros((p, Y.shape[1])) if start is None else np.where(A.square[:, None] > 0.0, start, 0.0)
    working = np.empty(0, int)  # groups, in the order they came
    inside = np.zeros(groups, bool)
    columns, capacity = np.empty(0, int), 0
    G = L = np.empty((0, 0))
    on_residual = False  # from some size of the working set on
    h = np.empty(0)
    coefs, gaps, passes = np.empty((len(na), *W.shape)), np.empty(len(na)), np.zeros(len(na), int)
    R, Z = B, None
    before_na = None
    for step in range(len(na)):
        limits, ridge = na[step] * weights, float(l2[step])
        dual, gap, tightness, done = -np.inf, np.inf, 1.0, 0
        for rounds in range(ROUNDS):
            sizes = block_norms(W)
            missing = np.flatnonzero((sizes > 0.0) & ~inside)
            if Z is None and not len(missing):
                R = B - A.fitted(np.ascontiguousarray(W[columns].T)) if len(columns) else B
                Z = A.correlations(R)
            if Z is not None:
                near = np.where(usable, block_norms(Z - ridge * W), 0.0)
                primal, dual = _gap(R, Z, W, sizes, near, limits, ridge, block_norms, usable, dual)
                last, gap = gap, primal - dual
                if gap <= goal or done >= max_iter:
                    break
                bound = limits * (1.0 + 1e-10)
                outside = usable & ~inside
                count = int((outside & (near > bound)).sum())
                few = max(FIRST // int(width.max()), int((sizes > 0.0).sum()), 1)
                k = min(count, few)
                if rounds == 0:
                    strong = outside & (near > (2.0 * na[step] - (before_na or 0.0)) * weights)
                    k = min(int(strong.sum()), few) if before_na is not None and before_na >= na[step] else max(k, few)
                if count == 0 and gap > 0.5 * last:
                    tightness *= 0.1
                    if tightness < 1e-8:
                        break
                candidates = np.flatnonzero(outside)
                score = (limits[candidates] - near[candidates]) / np.sqrt(spread[candidates])
                missing = candidates[np.argpartition(score, k - 1)[:k]] if 0 < k < len(candidates) else candidates[:k]
            grows = 2 * len(missing) > len(working)  # most of the support is yet to come
            if len(missing):
                new = np.concatenate([order[starts[g] : starts[g + 1]] for g in missing])
                m0, columns = len(columns), np.append(columns, new)
                A.extend(new)
                m = len(columns)
                on_residual = on_residual or (isinstance(A, Dense) and m > LONG * n)
                cross = None if on_residual else A.products(len(new))
                if on_residual:
                    G = L = np.empty((0, 0))
                elif m > capacity:
                    capacity = min(max(2 * m, FIRST), p)
                    capacity += -capacity % 4
                    larger = np.empty((capacity, capacity))
                    larger[:m0, :m0] = G[:m0, :m0]
                    G, L = larger, np.empty((capacity, capacity))
                if not on_residual:
                    G[:m, m0:m] = cross
                    G[m0:m, :m] = cross.T
                h = np.append(h, _tops(A, G, m0, width[missing], A.square[new]))
                working, inside[missing] = np.append(working, missing), True
            if Z is None:
                continue
            aim = max((LOOSE if grows else CLOSE) * gap, 0.3 * goal)
            tol_in = na[step] * aim / max(primal, 1e-300)
            if ridge > 0.0:
                tol_in = max(tol_in, np.sqrt(2.0 * ridge * aim / groups))
            tol_in = max(tightness * tol_in * weights.min(), 1e-15 * near.max())
            V = np.ascontiguousarray(W[columns].T)
            Q = np.ascontiguousarray(Z[columns].T)
            ends = np.append(0, np.cumsum(width[working])).astype(np.int64)
            done += _call(
                G, L, A, R if on_residual else None, Q, V, ends, limits[working], np.where(usable[working], h, 0.0),
                ridge, tol_in, max(max_iter - done, 1), seed,
            )  # fmt: skip
            W[columns] = V.T
            Z = None
        coefs[step], gaps[step], passes[step] = W, gap, done
        before_na = na[step]
    intercepts = np.broadcast_to(y_mean, (len(na), Y.shape[1]))
    if fit_intercept:
        intercepts = intercepts - np.einsum("kpt,p->kt", coefs, A.mean)
    return coefs, intercepts, gaps, passes, goal


def _tops(A, G, at, widths, squares):
    """The largest eigenvalues of the groups' Gram matrices, the first of which begins at ``at`` in the working set."""
    if (widths == 1).all():
        return squares
    tops = []
    for k in widths:
        if len(G):
            block = G[at : at + k, at : at + k]
        else:
            part = A.rows()[at : at + k]
            block = part @ part.T
        tops.append(np.linalg.eigvalsh(block)[-1] * (1.0 + 1e-12))
        at += k
    return tops


def _gap(R, Z, W, sizes, near, limits, l2, block_norms, usable, best):
    """(primal value, best dual value so far): (2) and (3) of ``numopt.solvers.lasso`` with norms of blocks."""
    R2, WW, WZ = float((R * R).sum()), float((W * W).sum()), float((W * Z).sum())
    ry = R2 + WZ
    primal = 0.5 * R2 + float(limits @ sizes) + 0.5 * l2 * WW
    norm = R2 + l2 * WW
    if norm > 0.0:
        t = ry / norm
        with np.errstate(divide="ignore"):
            t = min(t, float(np.min(np.where(near > 0.0, limits / near, np.inf), initial=np.inf)))
        best = max(best, t * ry - 0.5 * t * t * norm)
    else:
        best = max(best, 0.0)
    if l2 > 0.0:
        beyond = np.maximum(np.where(usable, block_norms(Z), 0.0) - limits, 0.0)
        best = max(best, ry - 0.5 * R2 - float(beyond @ beyond) / (2.0 * l2))
    return primal, best
