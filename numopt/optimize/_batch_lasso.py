"""``lasso_batch``: many small lassos and elastic nets by one call."""

import numpy as np

from numopt.drivers import batch
from numopt.solvers import lasso_batch_slots as s
from numopt.kernels.status import Status


def prepare_shared(X, centred):
    """(A, G, mean)."""
    m, p = X.shape
    mean = X.mean(axis=0) if centred else np.zeros(p)
    A = np.zeros((p + -p % 4, m))
    A[:p] = (X - mean).T
    return A, A @ A.T, mean


def lasso_batch(X, Y, alpha, *, each=False, l1_ratio=1.0, fit_intercept=True, positive=False, tol=1e-4, max_iter=1000,n_threads=2):
    count, m = Y.shape
    p = X.shape[-1]
    alpha = np.atleast_1d(alpha).astype(float)
    k = alpha.shape[-1]
    p4 = p + -p % 4
    shared = None if each else prepare_shared(X, fit_intercept)
    coef, status = np.full((count, k, p), np.nan), np.full(count, int(Status.NOT_RUN))
    out = {name: np.full((count, k), np.nan) for name in ("intercept", "gap", "fun")}
    nit = np.zeros((count, k), np.int64)
    reals = np.array([l1_ratio, tol])
    blocks, keep = [], [reals]
    for _ in range(n_threads):
        w = np.zeros(s.N_WORDS, np.int64)
        A, G, mean = shared or (np.zeros((p4, m)), np.zeros((p4, p4)), np.zeros(p))
        work, support = np.empty(s.WORK_ROWS * m + s.WORK_COLUMNS * p + p * p), np.empty(p, np.int64)
        keep += [A, G, mean, work, support]
        for slot, v in ((s.M, m), (s.P, p), (s.K, k), (s.CENTRED, fit_intercept), (s.POSITIVE, positive), (s.MAX_ITER, max_iter)):
            w[slot] = v
        for slot, a in ((s.A, A), (s.G, G), (s.MEAN, mean), (s.Y, Y), (s.ALPHA, alpha), (s.REALS, reals), (s.WORK, work), (s.SUPPORT, support), (s.COEF, coef), (s.INTERCEPT, out["intercept"]), (s.GAP, out["gap"]), (s.OBJECTIVE, out["fun"]), (s.PASSES, nit), (s.STATUS, status)):
            w[slot] = a.ctypes.data
        if each:
            w[s.X], w[s.X_STRIDE] = X.ctypes.data, X.strides[0]
        w[s.Y_STRIDE] = Y.strides[0]
        blocks.append(w)
    batch.share(blocks, [], count, None, "lasso/batch")
    return coef, out, status, nit
