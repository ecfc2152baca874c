"""Threads of BLAS: held to one where products are so small that starting and waiting for them takes longer.

NumPy and SciPy bring a copy of BLAS each, and the threads of one still spin when the other is called.
"""

import functools

import numpy as np
import scipy.sparse as sp
from threadpoolctl import ThreadpoolController

_SMALL = 10_000  # entries of X: below, BLAS starts no threads
_LARGE = 2e9  # multiplications of a Gram matrix: above, threads are worth it


@functools.cache
def _controller():
    return ThreadpoolController()  # looking for the libraries takes milliseconds


def one_blas_thread():
    """A context in which no product of matrices starts threads."""
    return _controller().limit(limits=1, user_api="blas")


def few_threads(fit):
    """A ``fit`` on one thread of BLAS, unless X is dense and large."""

    @functools.wraps(fit)
    def within(self, X, *args, **kwargs):
        if sp.issparse(X):
            small, large = False, False
        else:
            shape = np.shape(X) if hasattr(X, "shape") else (0, 0)
            entries = shape[0] * shape[1] if len(shape) == 2 else 0
            small, large = entries < _SMALL, entries * min(shape, default=0) > _LARGE
        if small or large:
            return fit(self, X, *args, **kwargs)
        with one_blas_thread():
            return fit(self, X, *args, **kwargs)

    return within
