"""What a batch returns: one record of arrays."""

import numpy as np

from numopt.kernels.status import LeastSquaresStatus, Status
from numopt.result import OptimizeResult


class BatchResult:
    """The results of a batch, one row a problem.

    ``result[i]`` is the :class:`numopt.OptimizeResult` of one problem; a slice, a mask or an array of indices gives a
    batch of those.  ``len(result)`` problems are gone through by ``for one in result``.

    Attributes
    ----------
    x : ndarray, shape (n_problems, n)
        The best points found; NaN where nobody got to the problem.
    fun : ndarray, shape (n_problems,)
        The objective; of sums of squares the cost, also as ``cost``.
    jac : ndarray, shape (n_problems, n)
        The gradient; absent with methods that ask for values only.
    optimality : ndarray, shape (n_problems,)
        The norm of the gradient that the convergence test looked at.
    status : ndarray of int, shape (n_problems,)
        Numbers of :class:`numopt.Status`, or :class:`numopt.LeastSquaresStatus`.
    success : ndarray of bool, shape (n_problems,)
        Whether a convergence test holds.
    nit, nfev, njev, nhev : ndarray of int, shape (n_problems,)
        Iterations, and evaluations.
    active_mask, bound_multipliers : ndarray, shape (n_problems, n)
        With bounds, as in :class:`numopt.OptimizeResult`.
    grad, covariance, stderr : ndarray
        Of sums of squares, in place of ``jac``: the gradient (n_problems, n), the covariances (n_problems, n, n) and
        the roots of their diagonals; see :func:`numopt.least_squares_batch`.
    names, popt, pcov
        Of fits: the names of the parameters, and other names of ``x`` and ``covariance``.

    Notes
    -----
    What a single run keeps beside that (``hess_inv``, ``final_simplex``, ``direc``, ``n_updates``, the state for
    :func:`numopt.resume`) is not kept: for a million problems it would be most of the memory.
    ``numopt.minimize`` from the same start finds it again, to the last bit.

    Examples
    --------
    >>> import numba, numpy as np, numopt
    >>> @numba.njit
    ... def distance(x, target):
    ...     return (x[0] - target)**2
    >>> result = numopt.minimize_batch(distance, np.zeros(1), (numopt.each(np.array([1.0, 2.0, np.nan])),))
    >>> result
    3 problems, 2 converged
            2 GRADIENT: Converged: the gradient norm is within gtol.
            1 NAN: Failed: the objective or its gradient is NaN or infinite.
    >>> len(result[result.success]), result[1].x.round(4).tolist()
    (2, [2.0])
    """

    def __init__(self, arrays, statuses=Status, more=None):
        self._arrays, self._statuses, self._more = arrays, statuses, more or {}
        for name, value in (arrays | self._more).items():
            setattr(self, name, value)
        if statuses is LeastSquaresStatus:
            self.cost = self.fun
        if "names" in self._more:
            self.popt, self.pcov = self.x, arrays.get("covariance")
        good = np.array([int(status) for status in statuses if status.success])
        self.success = np.isin(self.status, good)

    @property
    def begun(self):
        """How many problems somebody got to."""
        return int((self.status != int(self._statuses.NOT_RUN)).sum())

    def __len__(self):
        return len(self.status)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i):
        if isinstance(i, (int, np.integer)):
            if not -len(self) <= i < len(self):
                raise IndexError(f"problem {i} of {len(self)}")
            row = {name: array[i].copy() if array.ndim > 1 else array[i].item() for name, array in self._arrays.items()}
            status = self._statuses(row.pop("status"))
            if self._statuses is LeastSquaresStatus:
                row["cost"] = row.pop("fun")
            return OptimizeResult(
                row | self._more | {"success": status.success, "status": status, "message": status.message}
            )
        if isinstance(i, tuple):
            raise IndexError("a batch has one axis, that of its problems; take columns of result.x")
        i = i if isinstance(i, slice) else np.asarray(i)
        if not isinstance(i, slice) and i.size == 0:
            i = i.astype(int)
        if not isinstance(i, slice) and i.ndim != 1:
            raise IndexError(f"a batch is indexed by numbers, slices and arrays of one axis; got {i.ndim} axes")
        return type(self)({name: array[i] for name, array in self._arrays.items()}, self._statuses, self._more)

    def counts(self):
        """How many problems ended how: status -> number."""
        numbers, counts = np.unique(self.status, return_counts=True)
        return {self._statuses(int(k)): int(count) for k, count in zip(numbers, counts, strict=True)}

    def __repr__(self):
        many = "1 problem" if len(self) == 1 else f"{len(self)} problems"
        lines = [f"{many}, {int(self.success.sum())} converged"]
        lines += [f"{count:>9} {status.name}: {status.message}" for status, count in self.counts().items()]
        return "\n".join(lines)
