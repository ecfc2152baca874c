"""The duality gap of coefficients that were found in double precision and are kept in float32."""

import numpy as np
import scipy.sparse as sp

ROWS = 4096  # made float64 at a time


def rounded_gap(gap, X, Y, weights, W, b, penalty):
    """``gap`` of (W, b), or one a column of it, for (W, b) rounded to the type of X: the dual point stays as it is.

    ``penalty`` takes W and gives back one number, or one a column.
    """
    if X.dtype == np.float64:
        return gap
    V, c = W.astype(X.dtype).astype(float), b.astype(X.dtype).astype(float)
    more = _half_squares(X, Y, weights, V, c) - _half_squares(X, Y, weights, W, b)
    more = more.sum() if np.ndim(gap) == 0 else more
    return np.maximum(gap + (more + penalty(V) - penalty(W)), 0.0)


def _half_squares(X, Y, weights, W, b):
    """1/2 sum_i s_i (y_i - x_i'w - b)^2 in float64, for each column of W and b."""
    used, total = np.flatnonzero(W.any(axis=1)), np.zeros(W.shape[1])
    step = max(X.shape[0], 1) if sp.issparse(X) else ROWS
    for lo in range(0, X.shape[0], step):
        rows = slice(lo, lo + step)
        part = X[:, used] if sp.issparse(X) else X[rows, used]
        r = Y[rows] - b - part.astype(float) @ W[used]
        r *= r
        total += 0.5 * (r.sum(axis=0) if weights is None else weights[rows].astype(float) @ r)
    return total
