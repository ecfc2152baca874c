"""Coordinate descent for least squares with l1 and l2 penalties: the call of the compiled path solver."""

import ctypes
from typing import Any

import numpy as np

from numopt.drivers import units
from numopt.solvers import lasso_slots as s

GRAM_COLUMNS = 4096  # columns of a working set whose Gram matrix is kept: 128 MiB, of which only what is used counts
SPARSE_GRAM = 1_000_000  # entries, zeros included, up to which sparse X has Gram matrices: beyond, they cost too much
_prototype = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t, ctypes.c_ssize_t)
_functions: dict = {}


def storage(X):
    """(unit, X as the unit reads it); X is copied only where it is neither C nor F contiguous."""
    if hasattr(X, "indptr"):
        kind = f"sparse-{X.dtype}"
        if X.indices.dtype != np.int32:
            if X.nnz > np.iinfo(np.int32).max:
                raise ValueError(f"X has {X.nnz} stored entries; at most 2**31 - 1 are supported")
            X = type(X)((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape)
        return f"lasso/{kind}", X
    if X.flags.f_contiguous:
        return f"lasso/columns-{X.dtype}", X
    if X.flags.c_contiguous:
        return f"lasso/rows-{X.dtype}", X
    return f"lasso/columns-{X.dtype}", np.asfortranarray(X)


def load(unit):
    """The compiled function, taken from the cache or compiled."""
    found = _functions.get(unit)
    if found is None:
        found = _functions[unit] = _prototype(units.address(unit))
    return found


def whole_gram(X, sample_weight=None, fit_intercept=True):
    """(X_c'SX_c, weighted means of the columns) of dense X, in double precision; zeros instead where not centred."""
    p = X.shape[1]
    wide = p + -p % 4
    gram = np.empty((wide, wide))
    none = np.empty(0)
    mean = _run(X, np.zeros(len(X)), none, none, np.zeros((1, p)), sample_weight=sample_weight,
                fit_intercept=fit_intercept, work=(gram, none, np.empty((wide, s.PANEL))), cap=p)[0]  # fmt: skip
    return gram[:p, :p], mean


def solve_path(
    X, y, na, l2, *, sample_weight=None, fit_intercept=True, positive=False, tol=1e-4, max_iter=1000, seed=0,
    start=None, gram=None, trusted=True,
):  # fmt: skip
    """Minimise 1/2 |y - Xw - b|^2_s + na |w|_1 + l2/2 |w|_2^2 for each pair (na, l2) in turn.

    Parameters
    ----------
    X : float32 or float64 array, or CSC matrix with sorted indices, (n_samples, n_features)
        Neither copied nor changed.
    y : float64 array, (n_samples,)
    na, l2 : float64 arrays, (n_path,)
        The penalties' weights; best in falling order, each solution starts the next.
    sample_weight : float64 array (n_samples,), optional
        Nonnegative.
    fit_intercept, positive : bool
    tol : float
        Stop when the duality gap is at most ``tol`` times the weighted sum of squares of the centred y.
    max_iter : int
        At most so many passes, for each penalty.
    seed : int
        0: coordinates in turn; else in an order drawn with this seed.
    start : array (n_features,), optional
    gram : float64 array (n_features, n_features), optional
        X_c'SX_c, its rows contiguous; used if X is dense and has not too many columns.
    trusted : bool
        Whether ``gram`` is exact to rounding.  If so, the gaps of a path are computed from it, but for the last one.

    Returns
    -------
    coefs : (n_path, n_features)
    intercepts : (n_path,)
    gaps : (n_path,)
        Certified duality gaps.
    passes : (n_path,)
        Passes over a working set.
    goal : float
        The gap that ``tol`` stands for.
    """
    n, p = X.shape
    sparse = hasattr(X, "indptr")
    cap = 0 if sparse and n * p > SPARSE_GRAM else min(p, GRAM_COLUMNS)
    wide = cap + -cap % 4
    coefs = np.zeros((na.size, p))
    if start is not None:
        coefs[0] = start
    mean, out, gaps, passes = _run(
        X,
        y,
        na,
        l2,
        coefs,
        sample_weight=sample_weight,
        fit_intercept=fit_intercept,
        positive=positive,
        tol=tol,
        max_iter=max_iter,
        seed=seed,
        given=gram if cap == p and not sparse else None,
        trusted=trusted,
        work=(np.empty((wide, wide)), np.empty((wide, wide)), np.empty((wide, s.PANEL))),
        cap=cap,
    )
    return coefs, out[s.O_YMEAN] - coefs @ mean, gaps, passes, tol * out[s.O_YY]


def _run(
    X, y, na, l2, coefs, *, sample_weight, fit_intercept, work, cap, positive=False, tol=1.0, max_iter=1, seed=0,
    given=None, trusted=True,
):  # fmt: skip
    """Call the unit for X.  Sets ``coefs``; returns (means of the columns, ``out``, gaps, passes)."""
    n, p = X.shape
    unit, X = storage(X)
    gaps, passes, out = np.zeros(na.size), np.zeros(na.size, np.int64), np.zeros(s.N_OUT)
    out[s.O_TOL] = tol
    mean_etc = np.empty(s.F_COLUMNS * p + s.F_ROWS * n + s.F_COLUMNS_CAP * cap)
    integers = np.empty(s.I_COLUMNS * p + s.I_COLUMNS_CAP * cap, np.int64)
    gram, factor, panel = work
    y, na, l2 = np.ascontiguousarray(y, float), np.ascontiguousarray(na, float), np.ascontiguousarray(l2, float)
    weights = np.empty(0) if sample_weight is None else np.ascontiguousarray(sample_weight, float)
    table: Any = [0] * s.N_WORDS
    if "sparse" in unit:
        table[s.T_DATA], table[s.T_NNZ] = X.data.ctypes.data, X.nnz
        table[s.T_INDICES], table[s.T_STARTS] = X.indices.ctypes.data, X.indptr.ctypes.data
    else:
        table[s.T_DATA] = X.ctypes.data
    table[s.T_N], table[s.T_P], table[s.T_PATH], table[s.T_CAP] = n, p, na.size, cap
    table[s.T_Y], table[s.T_S], table[s.T_WEIGHTED] = y.ctypes.data, weights.ctypes.data, weights.size > 0
    table[s.T_CENTRED], table[s.T_POSITIVE] = bool(fit_intercept), bool(positive)
    table[s.T_NA], table[s.T_L2], table[s.T_COEFS] = na.ctypes.data, l2.ctypes.data, coefs.ctypes.data
    table[s.T_GAPS], table[s.T_PASSES], table[s.T_OUT] = gaps.ctypes.data, passes.ctypes.data, out.ctypes.data
    table[s.T_MAX_ITER], table[s.T_SEED] = max_iter, seed
    table[s.T_F], table[s.T_I] = mean_etc.ctypes.data, integers.ctypes.data
    table[s.T_G], table[s.T_PANEL], table[s.T_GRAM] = gram.ctypes.data, panel.ctypes.data, units.address("lasso/gram")
    inner, reals = np.zeros(s.N_GRAM_WORDS, np.intp), np.zeros(s.N_GRAM_REALS)
    inner[s.S_G], inner[s.S_L], inner[s.S_CAP] = gram.ctypes.data, factor.ctypes.data, cap
    inner[s.S_WIDE], inner[s.S_REALS], inner[s.S_POSITIVE] = cap + -cap % 4, reals.ctypes.data, bool(positive)
    table[s.T_GRAM_WORDS], table[s.T_GRAM_REALS] = inner.ctypes.data, reals.ctypes.data
    if given is not None:
        table[s.T_GIVEN], table[s.T_GIVEN_WIDE] = given.ctypes.data, given.strides[0] // given.itemsize
        table[s.T_TRUSTED] = trusted
    words = np.array(table, np.intp)
    if load(unit)(words.ctypes.data, 0) != 0.0:
        raise ValueError("X or y hold values so large that their squares overflow; scale them, to about 1e140 at most")
    return mean_etc[:p], out, gaps, passes
