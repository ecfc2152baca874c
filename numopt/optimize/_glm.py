"""The objective of a generalised linear model: value, gradient and Hessian, a block of samples at a time.

    f(W) = sum_i s_i l(y_i, W'x_i) + lam / 2 |W|^2 + <tilt, W>,    sum_i s_i = 1

W has a row a feature, last the intercept, which has no penalty, and a column an output.  X is read as it is stored,
float32 or float64: neither copied whole nor centred.
"""

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.linalg import blas

from numopt.drivers import units
from numopt.solvers import glm_slots as g

LOSSES = {"logistic": g.LOGISTIC, "poisson": g.POISSON, "huber": g.HUBER, "multinomial": g.MULTINOMIAL}
BLOCK = 1 << 18  # numbers of a block of samples: 2 MiB, which the second-level cache holds
FEW = 200  # variables up to which the exact Hessian costs next to nothing, of sparse X too
SPARSE_BLOCKS = 2  # parts of sparse X, each with sums of its own; always the same ones, whatever the threads
SMALL = 200_000  # products with fewer entries take less time than a thread to start
_prototype = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t, ctypes.c_ssize_t)
_functions: dict = {}
_pools: dict = {}


def load(unit):
    """The compiled function, taken from the cache or compiled."""
    found = _functions.get(unit)
    if found is None:
        found = _functions[unit] = _prototype(units.address(unit))
    return found


def pool():
    """Threads of this process; a forked one gets its own."""
    found = _pools.get(os.getpid())
    if found is None:
        found = _pools[os.getpid()] = ThreadPoolExecutor(SPARSE_BLOCKS)
    return found


class Objective:
    """What both kinds of storage share.

    Parameters
    ----------
    X : array or CSR matrix, (n, p)
    y : float64 array, (n,)
        Targets; class numbers for the multinomial loss.
    weights : float64 array (n,) or None
        Positive.
    loss : {'logistic', 'poisson', 'huber', 'multinomial'}
    outputs : int
    lam : float
    intercept : bool
    """

    def __init__(self, X, y, weights, loss, outputs, lam, intercept):
        self.n, self.p = X.shape
        self.X, self.K, self.lam, self.intercept, self.loss = X, outputs, float(lam), bool(intercept), loss
        self.q = self.p + self.intercept
        self.y = np.ascontiguousarray(y, float)
        self.weights = None if weights is None else np.ascontiguousarray(weights / weights.sum(dtype=float), float)
        self.tilt = None
        self.out = np.zeros(g.N_OUT)
        self.out[g.O_SCALE] = 1.0 / self.n
        self.z, self.c = np.empty((self.n, outputs)), np.empty((self.n, outputs))
        self.words = np.zeros(g.N_WORDS, np.intp)
        w = self.words
        w[g.T_LOSS], w[g.T_HI], w[g.T_K], w[g.T_N], w[g.T_P] = LOSSES[loss], self.n, outputs, self.n, self.p
        w[g.T_Y], w[g.T_WEIGHTED] = self.y.ctypes.data, self.weights is not None
        w[g.T_S] = 0 if self.weights is None else self.weights.ctypes.data
        w[g.T_Z], w[g.T_C], w[g.T_OUT] = self.z.ctypes.data, self.c.ctypes.data, self.out.ctypes.data

    def penalise(self, W, value, G):
        """Adds the penalty and the linear term."""
        inner = W[: self.p]
        if self.lam:
            value += 0.5 * self.lam * float(np.vdot(inner, inner))
            G[: self.p] += self.lam * inner
        if self.tilt is not None:
            value += float(np.vdot(self.tilt, W))
            G += self.tilt
        return value, G

    def damped(self, V, T):
        """The penalty's part of a product with the Hessian."""
        T[: self.p] += self.lam * V[: self.p]
        return T


class DenseObjective(Objective):
    """X is an array, C or F contiguous, or a CSR matrix of few columns, read by blocks; the products are BLAS's."""

    def __init__(self, X, y, weights, loss, outputs, lam, intercept):
        super().__init__(X, y, weights, loss, outputs, lam, intercept)
        self.step = max(256, BLOCK // max(self.q, 1))
        self.short = max(256, BLOCK // max(self.q * outputs, 1))  # where a block gets an array of as many columns
        self.direct = not hasattr(X, "indptr") and X.flags.c_contiguous and X.dtype == np.float64
        self.buffer = None if self.direct else np.empty((min(self.step, self.n), self.p))
        self.unit, self.transposed = load("glm/pointwise"), None
        self.ones = np.ones(min(self.step, self.n))
        self.factor = None  # of the Hessian where it was last formed, for the next run of Newton's method

    def rows(self, lo, hi):
        """Rows lo..hi, contiguous and float64."""
        if self.direct:
            return self.X[lo:hi]
        part = self.buffer[: hi - lo]
        part[:] = self.X[lo:hi].toarray() if hasattr(self.X, "indptr") else self.X[lo:hi]
        return part

    def features(self):
        """X' with a row of ones for the intercept, and rows of zeros up to a multiple of four."""
        if self.transposed is None:
            self.transposed = np.zeros((self.q + (-self.q) % 4, self.n))
            self.transposed[: self.p] = (self.X.toarray() if hasattr(self.X, "indptr") else self.X).T
            self.transposed[self.p : self.q] = 1.0
        return self.transposed

    def _scores(self, part, W, z):
        if self.K == 1:
            z[:, 0] = blas.dgemv(1.0, part.T, W[: self.p, 0], trans=1)
        else:
            blas.dgemm(1.0, W[: self.p].T, part.T, c=z.T, overwrite_c=1)
        if self.intercept:
            z += W[self.p]

    def _sums(self, part, r, G):
        if self.K == 1:
            G[: self.p, 0] += blas.dgemv(1.0, part.T, r[:, 0])
        else:
            G[: self.p] += blas.dgemm(1.0, part.T, r.T, trans_b=1)
        if self.intercept:
            G[self.p] += blas.dgemv(1.0, r.T, self.ones[: len(r)])

    def _pointwise(self, mode, lo, hi):
        w = self.words
        w[g.T_LO], w[g.T_HI], w[g.T_MODE] = lo, hi, mode
        return self.unit(w.ctypes.data, 0)

    def evaluate(self, W, hessian=False):
        """(f, gradient, Hessian or None); the Hessian is of W.T.ravel(), upper triangle, without the penalty."""
        total, G = 0.0, np.zeros((self.q, self.K))
        m = self.q * self.K
        H = np.zeros((m, m), order="F") if hessian else None
        step = self.short if hessian else self.step
        for lo in range(0, self.n, step):
            hi = min(lo + step, self.n)
            part, z, c = self.rows(lo, hi), self.z[lo:hi], self.c[lo:hi]
            self._scores(part, W, z)
            total += self._pointwise(g.GRADIENT, lo, hi)
            self._sums(part, z, G)
            if hessian:
                H = self._add_hessian(part, lo, hi, c, H)
        total, G = self.penalise(W, total, G)
        return total, G, H

    def hessian(self):
        """The same Hessian as of ``evaluate``, from the curvatures as they stand."""
        m = self.q * self.K
        H = np.zeros((m, m), order="F")
        for lo in range(0, self.n, self.short):
            hi = min(lo + self.short, self.n)
            H = self._add_hessian(self.rows(lo, hi), lo, hi, self.c[lo:hi], H)
        return H

    def _scaled(self, part, factor, out):
        np.multiply(part, factor[:, None], out=out[:, : self.p])
        if self.intercept:
            out[:, self.p] = factor

    def _add_hessian(self, part, lo, hi, c, H):
        q, K, rows = self.q, self.K, hi - lo
        if K == 1:
            panel = np.empty((rows, q))
            self._scaled(part, np.sqrt(c[:, 0]), panel)
            return blas.dsyrk(1.0, panel.T, beta=1.0, c=H, overwrite_c=1)
        s = c.sum(axis=1)
        root = np.sqrt(s)
        panel, wide = np.empty((rows, q)), np.empty((rows, K * q))
        for k in range(K):
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.where(s > 0, c[:, k] / root, 0.0)
            self._scaled(part, np.sqrt(c[:, k]), panel)
            self._scaled(part, share, wide[:, k * q : (k + 1) * q])
            H[k * q : (k + 1) * q, k * q : (k + 1) * q] += blas.dsyrk(1.0, panel.T)
        return blas.dsyrk(-1.0, wide.T, beta=1.0, c=H, overwrite_c=1)

    def blocks(self):
        """The Hessian's diagonal blocks, one an output, without the penalty: K upper triangles."""
        q, alike = self.q, (self.c == self.c[:, :1]).all()  # as at the start: one block will do
        blocks = [np.zeros((q, q), order="F") for _ in range(1 if alike else self.K)]
        roots = np.sqrt(np.maximum(flat(self.c), 0.0))
        for lo in range(0, self.n, self.step):
            hi = min(lo + self.step, self.n)
            part, panel = self.rows(lo, hi), np.empty((hi - lo, q))
            for k in range(len(blocks)):
                self._scaled(part, roots[lo:hi, k], panel)
                blocks[k] = blas.dsyrk(1.0, panel.T, beta=1.0, c=blocks[k], overwrite_c=1)
        return blocks * self.K if alike else blocks

    def product(self, V):
        """The Hessian where the gradient was last formed, times V."""
        T = np.zeros((self.q, self.K))
        for lo in range(0, self.n, self.step):
            hi = min(lo + self.step, self.n)
            part, z = self.rows(lo, hi), self.z[lo:hi]
            self._scores(part, V, z)
            self._pointwise(g.PRODUCT, lo, hi)
            self._sums(part, z, T)
        return self.damped(V, T)

    def diagonal(self):
        """The Hessian's diagonal, where the gradient was last formed."""
        D = np.zeros((self.q, self.K))
        curvature = flat(self.c)
        for lo in range(0, self.n, self.step):
            hi = min(lo + self.step, self.n)
            part = self.rows(lo, hi)
            D[: self.p] += (part * part).T @ curvature[lo:hi]
        if self.intercept:
            D[self.p] = curvature.sum(axis=0)
        D[: self.p] += self.lam
        return D


def scores(X, W, p):
    """X W + 1 b'."""
    Z = np.asarray(X @ W[:p].astype(X.dtype, copy=False), float)
    return Z + W[p] if len(W) > p else Z


def flat(c):
    """The curvature of each output by itself."""
    if c.shape[1] == 1:
        return c
    total = c.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return c - np.where(total > 0, c * c / total, 0.0)


class SparseObjective(Objective):
    """X is a CSR matrix; each pass is compiled and reads X once."""

    def __init__(self, X, y, weights, loss, outputs, lam, intercept):
        super().__init__(X, y, weights, loss, outputs, lam, intercept)
        if X.indices.dtype != np.int32 or X.indptr.dtype != np.int32:
            if X.nnz > np.iinfo(np.int32).max:
                raise ValueError(f"X has {X.nnz} stored entries; at most 2**31 - 1 are supported")
            X = type(X)((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape)
        self.X, self.unit, w = X, load(f"glm/sparse-{X.dtype}"), self.words
        w[g.T_DATA], w[g.T_INDICES], w[g.T_STARTS] = X.data.ctypes.data, X.indices.ctypes.data, X.indptr.ctypes.data
        w[g.T_NNZ] = X.nnz
        blocks = SPARSE_BLOCKS if X.nnz * outputs > SMALL else 1
        shares = np.linspace(0, X.nnz, blocks + 1)[1:-1]
        cuts = [0, *np.searchsorted(X.indptr, shares).tolist(), self.n]
        self.parts = []
        for lo, hi in zip(cuts[:-1], cuts[1:], strict=True):
            words, sums = w.copy(), np.empty((self.p + 1, outputs))
            words[g.T_LO], words[g.T_HI], words[g.T_G] = lo, hi, sums.ctypes.data
            self.parts.append((words, sums))
        self.scratch = np.empty_like(self.z)
        self.padded = np.zeros((self.p + 1, outputs))

    def _pass(self, mode, W=None):
        if W is not None:
            self.padded[: self.q] = W
        for words, _ in self.parts:
            words[g.T_MODE], words[g.T_W] = mode, self.padded.ctypes.data
        tables = [words.ctypes.data for words, _ in self.parts]
        if len(tables) == 1:
            totals = [self.unit(tables[0], 0)]
        else:
            others = [pool().submit(self.unit, table, 0) for table in tables[1:]]
            totals = [self.unit(tables[0], 0)] + [other.result() for other in others]
        G = self.parts[0][1][: self.q].copy()
        for _, sums in self.parts[1:]:
            G += sums[: self.q]
        return sum(totals), G

    def evaluate(self, W, hessian=False):
        """(f, gradient, None)."""
        total, G = self._pass(g.GRADIENT, W)
        return *self.penalise(W, total, G), None

    def product(self, V):
        """The Hessian where the gradient was last formed, times V."""
        return self.damped(V, self._pass(g.PRODUCT, V)[1])

    def diagonal(self):
        """The Hessian's diagonal, where the gradient was last formed."""
        D = self._pass(g.DIAGONAL)[1]
        D[: self.p] += self.lam
        return D


def objective(X, y, weights, loss, outputs, lam, intercept):
    """The objective for X as it is stored."""
    few = (X.shape[1] + intercept) * outputs <= FEW
    kind = SparseObjective if hasattr(X, "indptr") and not few else DenseObjective
    return kind(X, y, weights, loss, outputs, lam, intercept)
