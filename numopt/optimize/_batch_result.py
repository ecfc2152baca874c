"""What a batch returns: one record of arrays."""

import numpy as np

from numopt.kernels.status import LeastSquaresStatus, Status
from numopt.result import OptimizeResult


class BatchResult:
    """The results of a batch, one row a problem.

    ``result[i]`` is the :class:`numopt.OptimizeResult` of one problem; a slice, a mask or an array of indices gives a
    batch of those.

    Attributes
    ----------
    x : ndarray, shape (n_problems, n)
    fun : ndarray, shape (n_problems,)
        The objective; of sums of squares the cost, also as ``cost``.
    jac : ndarray, shape (n_problems, n)
        The gradient; absent with methods that ask for values only.
    optimality : ndarray, shape (n_problems,)
    status : ndarray of int, shape (n_problems,)
        Numbers of :class:`numopt.Status`, or :class:`numopt.LeastSquaresStatus`.
    success : ndarray of bool, shape (n_problems,)
    nit, nfev, njev, nhev : ndarray of int, shape (n_problems,)
    """

    def __init__(self, arrays, statuses=Status, more=None):
        self._arrays, self._statuses, self._more = arrays, statuses, more
        for name, array in arrays.items():
            setattr(self, name, array)
        if statuses is LeastSquaresStatus:
            self.cost = self.fun
        good = np.array([int(status) for status in statuses if status.success])
        self.success = np.isin(self.status, good)

    def __len__(self):
        return len(self.status)

    def __getitem__(self, i):
        if isinstance(i, (int, np.integer)):
            row = {name: array[i] if array[i].ndim else array[i].item() for name, array in self._arrays.items()}
            status = self._statuses(row.pop("status"))
            if self._statuses is LeastSquaresStatus:
                row["cost"] = row.pop("fun")
            return OptimizeResult(row | {"success": status.success, "status": status, "message": status.message})
        return BatchResult({name: array[i] for name, array in self._arrays.items()}, self._statuses)

    def counts(self):
        """How many problems ended how: status -> number."""
        numbers, counts = np.unique(self.status, return_counts=True)
        return {self._statuses(int(k)): int(count) for k, count in zip(numbers, counts, strict=True)}

    def __repr__(self):
        lines = [f"{len(self)} problems, {int(self.success.sum())} converged"]
        lines += [f"{count:>9} {status.name}: {status.message}" for status, count in self.counts().items()]
        return "\n".join(lines)
