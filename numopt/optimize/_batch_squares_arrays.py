"""The arrays that a batch of sums of squares fills."""

import numpy as np

from numopt.kernels.status import LEAST_SQUARES, Status

_NOT_RUN = int(Status.NOT_RUN)
_NUMBERS = np.zeros(1 + max(map(int, LEAST_SQUARES)), np.int64)  # number of Status -> of LeastSquaresStatus
_NUMBERS[list(map(int, LEAST_SQUARES))] = list(map(int, LEAST_SQUARES.values()))


class Results:
    """The arrays of a batch, one row a problem; statuses are numbers of ``Status`` until the end.

    ``found``: those that a device has filled, but for the covariance.
    """

    def __init__(self, problem, found=None):
        count, n = problem.X0.shape
        self.active_mask, self.fixed = np.zeros((count, n), np.int64), np.zeros((count, n), bool)
        self.covariance = None
        if found is not None:
            vars(self).update(found)
            return
        self.x, self.grad = np.full((count, n), np.nan), np.full((count, n), np.nan)
        self.fun, self.optimality = np.full(count, np.nan), np.full(count, np.nan)
        self.status = np.full(count, _NOT_RUN)
        self.nit, self.nfev, self.njev = (np.zeros(count, np.int64) for _ in range(3))
        if problem.covariance:
            self.covariance = np.full((count, n, n), np.nan)

    def clear(self):
        """Forget what was found."""
        self.status[:] = _NOT_RUN

    def arrays(self, dtype):
        """By the names that they have in the result."""
        found = {name: array for name, array in vars(self).items() if array is not None and name != "fixed"}
        found["status"] = _NUMBERS[self.status]
        if self.covariance is not None:
            with np.errstate(invalid="ignore"):
                stderr = np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))
            if self.active_mask.any():
                stderr[self.active_mask != 0] = np.nan
            if self.fixed.any():
                stderr[self.fixed & np.isfinite(self.fun)[:, None]] = 0.0
            found["stderr"] = stderr
        if dtype is not None:
            found = {name: a.astype(dtype) if a.dtype == np.float64 else a for name, a in found.items()}
        return found
