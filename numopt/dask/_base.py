"""What the estimators share: their data in partitions, and predictions that are lazy for Dask arrays."""

import math

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from numopt.dask._require import is_dask
from numopt.dask._rows import len_of, partition, read_array
from numopt.linear_model._linear_base import check_flags, is_number

NOT_FINITE = "X or y holds NaN, infinity, or values so large that their squares overflow"


def read_data(estimator, X, y, sample_weight, targets=False):
    """(rows in partitions, number type of the coefficients); sets ``n_features_in_``.

    Parameters
    ----------
    estimator : estimator
        With ``fit_intercept`` and ``chunk_rows``.
    X, y, sample_weight
        As ``fit`` is given them.
    targets : bool
        Whether y may have several columns.
    """
    check_flags(estimator, "fit_intercept")
    X, y = read_array(X, "X"), read_array(y, "y")
    if len(X.shape) != 2 or not X.shape[1]:
        raise ValueError(f"X must have two dimensions and at least one column; got shape {tuple(X.shape)}")
    if len(y.shape) not in ((1, 2) if targets else (1,)):
        raise ValueError(f"y must have one {'or two dimensions' if targets else 'dimension'}; got {tuple(y.shape)}")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must hold real numbers; got the type {X.dtype}")
    arrays, names = [X, y], ["X", "y"]
    if sample_weight is not None:
        if is_number(sample_weight):
            sample_weight = np.full(len_of(X), float(sample_weight))
        weights = read_array(sample_weight, "sample_weight")
        if len(weights.shape) != 1 or weights.dtype.kind not in "fiub":
            raise ValueError("sample_weight must be a number, or have one dimension and hold real numbers")
        arrays, names = [*arrays, weights], [*names, "sample_weight"]
    rows = partition(arrays, names, estimator.chunk_rows)
    estimator.n_features_in_ = int(X.shape[1])
    estimator.__dict__.pop("feature_names_in_", None)
    return rows, np.dtype(np.float32 if X.dtype == np.float32 else np.float64)


def check_numeric(y):
    """ValueError for a y that holds no numbers."""
    dtype = getattr(y, "dtype", None)
    dtype = np.asarray(y).dtype if dtype is None else dtype
    if dtype.kind not in "fiub":
        raise ValueError(f"y must hold real numbers; got the type {dtype}")


def by_blocks(estimator, method, X):
    """What ``method(block)`` gives back for each partition of a Dask array, as a Dask array."""
    check_is_fitted(estimator)
    if X.ndim != 2 or (not math.isnan(X.shape[1]) and X.shape[1] != estimator.n_features_in_):
        raise ValueError(
            f"X has shape {X.shape}, but {type(estimator).__name__} is expecting {estimator.n_features_in_} features"
        )
    X = X.rechunk({1: -1})
    like = method(np.zeros((1, estimator.n_features_in_), X.dtype))

    def whole(block):
        if sp.issparse(block) or block.shape[0]:
            return method(block)
        return np.empty((0, *like.shape[1:]), like.dtype)

    if like.ndim == 1:
        return X.map_blocks(whole, dtype=like.dtype, drop_axis=1, meta=like[:0])
    return X.map_blocks(whole, dtype=like.dtype, chunks=(X.chunks[0], (like.shape[1],)), meta=like[:0])


class Lazy:
    """``predict`` and ``score`` of estimators: of a Dask array a Dask array, of anything else an array."""

    def _lazily(self, method, X):
        """Call the method, now or block by block when its result is asked for."""
        return by_blocks(self, method, X) if is_dask(X) else method(X)

    def predict(self, X):
        """Predictions.

        Parameters
        ----------
        X : Dask array or array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Dask array or ndarray, shape (n_samples,) or (n_samples, n_targets)
            Lazy, with the partitions of X, for a Dask array.
        """
        return self._lazily(super().predict, X)

    def score(self, X, y, sample_weight=None):
        """How good the predictions are: as of the estimator of the same name in :mod:`numopt.linear_model`.

        Parameters
        ----------
        X : Dask array or array-like of shape (n_samples, n_features)
            Samples.
        y : Dask array or array-like
            What is to be predicted.
        sample_weight : Dask array or array-like of shape (n_samples,), optional
            Weights.

        Returns
        -------
        float
        """
        weights = None if sample_weight is None else np.asarray(sample_weight)
        return float(self._measure(np.asarray(y), np.asarray(self.predict(X)), sample_weight=weights))
