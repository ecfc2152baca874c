"""``lasso_batch``: many small lassos and elastic nets by one call."""

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from numopt.drivers import units
from numopt.kernels import batch_slots as b
from numopt.kernels.slots import N_COUNTERS
from numopt.kernels.status import Status
from numopt.optimize._batch import read_device
from numopt.optimize._batch_input import Each, on_device
from numopt.optimize._batch_result import BatchResult
from numopt.optimize._batch_run import Clock, Progress, chunks, read_chunk_size, read_dtype, read_threads, run_chunks
from numopt.optimize._runs import read_count
from numopt.solvers import lasso_batch_slots as s
from numopt.solvers.lasso_slots import CONSTANT

UNIT = "lasso/batch"
COLUMNS = 4096  # features at most: each thread has two matrices of so many rows
HUGE = 1e290  # as in numopt.solvers.lasso, which would import Numba
_NOT_RUN = int(Status.NOT_RUN)


def lasso_batch(X, Y, alpha, *, l1_ratio=1.0, fit_intercept=True, positive=False, tol=1e-4, max_iter=1000,
                device="cpu", dtype=None, n_threads=None, chunk_size=None, max_time=None, progress=False):  # fmt: skip
    """Fit many small lassos, or elastic nets, each to a certified duality gap.

    Problem i, with m samples, minimises::

        1 / (2 m) * |Y[i] - X w - b|^2 + alpha * l1_ratio * |w|_1 + alpha * (1 - l1_ratio) / 2 * |w|^2

    as :class:`numopt.linear_model.Lasso` and ``ElasticNet`` do, without what a call from Python costs.

    Parameters
    ----------
    X : array_like, shape (m, p), or each
        Samples that all problems share, or ``numopt.each(X)`` of shape (n_problems, m, p), problem i's in ``X[i]``;
        ``each(X, lengths)``: problem i has the samples ``X[i][:lengths[i]]`` and ``Y[i][:lengths[i]]``.
    Y : array_like, shape (n_problems, m)
        Targets, one row a problem.
    alpha : float, array_like or each
        The penalty, positive.  A number; an array (n_alphas,): a path of penalties for every problem, best in falling
        order, since each solution starts the next; ``each`` of shape (n_problems,) or (n_problems, n_alphas): problem
        i's own.
    l1_ratio : float, default 1.0
        Share of the l1 penalty, in [0, 1].
    fit_intercept : bool, default True
        Whether to fit b.
    positive : bool, default False
        Restrict the coefficients to be nonnegative.
    tol : float, default 1e-4
        A fit ends when its duality gap, of the objective times m, is at most ``tol`` times the sum of squares of the
        centred targets: scikit-learn's meaning.
    max_iter : int, default 1000
        Passes at most, for each penalty; a step of the active set method counts as one.
    device : {'cpu', 'cuda', 'auto'}, default 'cpu'
        Where to run; ``'auto'`` takes a GPU where there is one.
    dtype : float32, float64 or None, default None
        With float32 data are taken, and results given, in single precision; arithmetic is in double.  None: data as
        they are, results in double.
    n_threads : int, optional
        Default: all cores.
    chunk_size : int, optional
        Problems whose data are converted, or sent to a GPU, at a time.
    max_time : float, optional
        Seconds; what nobody got to has the status ``NOT_RUN``.
    progress : bool, default False
        Show a bar.

    Returns
    -------
    BatchResult
        With the arrays ``x``, the coefficients (n_problems, p), or (n_problems, n_alphas, p) for a path; ``intercept``,
        ``fun``, the objective, ``gap``, certified: ``fun`` is within it of the minimum, and ``nit``, the passes, all
        (n_problems,), or (n_problems, n_alphas).  ``status`` has one number a problem, of a path that of the last
        penalty that was not solved: ``GAP``; ``MAXITER``; ``STALLED``, where rounding ends it above ``tol``; ``NAN``
        for data that are not finite or whose squares overflow.

    Raises
    ------
    TypeError, ValueError
        For arguments that can't be used, before any work.
    KeyboardInterrupt
        On Ctrl-C, with the results so far as its ``result``.

    See Also
    --------
    numopt.linear_model.Lasso : One problem at a time; large, sparse or weighted.

    Notes
    -----
    A problem is solved on the Gram matrix of all its columns by cyclic coordinate descent, ended by an active set
    method; the gap is taken from X itself.  The result of a problem does not depend, to the last bit, on its
    neighbours, threads or chunks.  It differs from that of :class:`numopt.linear_model.Lasso`, which works on a part of
    the columns, within the gap and not by bits.  One thread needs 2 m + p^2 + 8 p numbers, and where each problem has
    its own X also p m + p^2.

    Examples
    --------
    >>> import numpy as np, numopt
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0], [3.0, 1.0]])
    >>> Y = np.array([[0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 1.0, 3.0]])
    >>> result = numopt.lasso_batch(X, Y, 0.1)
    >>> result.x.round(3).tolist(), result.intercept.round(3).tolist()
    ([[0.92, 0.0], [0.0, 1.6]], [0.12, 1.2])
    >>> numopt.lasso_batch(X, Y, [1.0, 0.1]).x.shape
    (2, 2, 2)
    """
    dtype, clock = read_dtype(dtype), Clock(max_time)
    problem = read_problem(X, Y, alpha, l1_ratio, fit_intercept, positive, tol, max_iter, dtype)
    chunk_size, threads = read_chunk_size(chunk_size), read_threads(n_threads, problem.count)
    outputs = Outputs(problem)
    if read_device(device) == "cuda":
        from numopt.cuda._lasso import lasso_on_device as run
    else:
        run = run_on_threads
    try:
        with Progress("lasso", problem.count, progress) as bar:
            run(problem, outputs, threads, chunk_size, clock, bar)
    except KeyboardInterrupt as error:
        error.result = outputs.result(dtype)  # type: ignore[attr-defined]
        raise
    return outputs.result(dtype)


@dataclass
class LassoProblem:
    """What a batch is to solve, checked.

    ``X`` is (m, p), of all problems, or (n_problems, m, p); ``alphas`` (1, n_alphas) or (n_problems, n_alphas).
    """

    X: Any
    Y: Any
    own: bool  # whether each problem has its own X
    lengths: Any
    alphas: Any
    path: bool
    l1_ratio: float
    centred: bool
    positive: bool
    tol: float
    max_iter: int
    dtype: Any  # float32, float64, or None: as the data are

    @property
    def count(self):
        """Problems."""
        return len(self.Y)

    def design(self):
        """(A, G, mean) of the X that all share, as ``solvers.lasso_batch.prepare`` sets them."""
        X = np.asarray(self.X, self.dtype).astype(float, copy=False)
        m, p = X.shape
        mean = X.mean(axis=0) if self.centred else np.zeros(p)
        if self.centred:
            mean += (X - mean).mean(axis=0)  # that of equal numbers is that number
        A = np.zeros((p + -p % 4, m))
        A[:p] = (X - mean).T
        square = np.einsum("ji,ji->j", A[:p], A[:p])
        if not (square < HUGE).all():
            raise ValueError("X holds values so large that their squares overflow; scale them, to about 1e140 at most")
        A[:p][square <= CONSTANT**2 * m * mean * mean] = 0.0
        return A, A @ A.T, mean


def _numbers(name, array, shape):
    """An array of real numbers, with as many axes as ``shape`` says."""
    if hasattr(array, "indptr") or hasattr(array, "todense"):
        raise TypeError(f"{name} must be dense; numopt.linear_model.Lasso takes sparse data")
    if on_device(array):
        raise TypeError(f"{name} lies on a GPU; bring it to the host")
    try:
        array = np.asarray(array)
    except ValueError:
        raise ValueError(f"{name} must be an array of shape {shape}; its rows differ in length") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers; got dtype {array.dtype}")
    if array.ndim != shape.count(",") + 1:
        raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
    return array


def _number(name, value, accepted, good):
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real) or not good(value):
        raise ValueError(f"{name} must be {accepted}; got {value!r:.60}")
    return float(value)


def _flag(name, value):
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r:.60}")
    return bool(value)


def read_problem(X, Y, alpha, l1_ratio, fit_intercept, positive, tol, max_iter, dtype):
    """The arguments, checked."""
    own, lengths = isinstance(X, Each), None
    if isinstance(Y, Each):
        raise TypeError("Y has one row a problem anyway; give the array, and lengths of data by X: each(X, lengths)")
    Y = _numbers("Y", Y, "(n_problems, m)")
    if own:
        lengths, X = X.lengths, _numbers("X", X.array, "(n_problems, m, p)")
        if len(X) != len(Y):
            raise ValueError(f"X holds {len(X)} problems, Y {len(Y)}")
    else:
        X = _numbers("X", X, "(m, p)")
    m, p = X.shape[-2:]
    if m == 0 or p == 0:
        raise ValueError(f"X has shape {X.shape}: there must be at least one sample and one feature")
    if p > COLUMNS:
        raise ValueError(f"X has {p} features, a batch at most {COLUMNS}; numopt.linear_model.Lasso takes any number")
    if Y.shape[1] != m:
        raise ValueError(f"Y has {Y.shape[1]} samples in a row, X has {m}")
    if not own and not np.isfinite(X).all():
        raise ValueError("X holds NaN or infinity, and all problems share it")
    return LassoProblem(
        X,
        Y,
        own,
        lengths,
        *_read_alpha(alpha, len(Y)),
        _number("l1_ratio", l1_ratio, "a number in [0, 1]", lambda r: 0 <= r <= 1),
        _flag("fit_intercept", fit_intercept),
        _flag("positive", positive),
        _number("tol", tol, "a finite number, at least 0", lambda t: 0 <= t < math.inf),
        read_count("max_iter", max_iter, 1),
        dtype,
    )


def _read_alpha(alpha, count):
    """(penalties (1 or n_problems, n_alphas), whether they are a path)."""
    own = isinstance(alpha, Each)
    if own and alpha.lengths is not None:
        raise ValueError("alpha takes no lengths: the paths of all problems have the same number of penalties")
    values = np.asarray(alpha.array if own else alpha)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"alpha must be positive numbers; got dtype {values.dtype}")
    if own and len(values) != count:
        raise ValueError(f"alpha holds {len(values)} problems; there are {count}")
    if values.ndim > 1 + own or values.shape[own:] == (0,):
        raise ValueError(
            "alpha must be a number, an array (n_alphas,), or each of shape (n_problems,) or (n_problems, n_alphas); "
            f"got {'each of ' if own else ''}shape {values.shape}"
        )
    wrong = ~(np.isfinite(values) & (values > 0))
    if wrong.any():
        hint = ": without a penalty it is least squares, np.linalg.lstsq" if (values[wrong] == 0).any() else ""
        raise ValueError(f"alpha must be positive and finite; got {values[wrong].ravel()[0]}{hint}")
    path = values.ndim == 1 + own
    values = values.reshape(count if own else 1, values.shape[-1] if path else 1)
    return np.ascontiguousarray(values, float), path


class Outputs:
    """Where results are written to, one row a problem."""

    def __init__(self, problem):
        count, k, p = problem.count, problem.alphas.shape[1], problem.X.shape[-1]
        self.path, self.coef = problem.path, np.full((count, k, p), np.nan)
        self.intercept, self.gap, self.fun = (np.full((count, k), np.nan) for _ in range(3))
        self.nit, self.status = np.zeros((count, k), np.int64), np.full(count, _NOT_RUN)

    def result(self, dtype):
        """The record."""
        arrays = {"x": self.coef, "fun": self.fun, "intercept": self.intercept, "gap": self.gap, "nit": self.nit}
        if not self.path:
            arrays = {name: array[:, 0] for name, array in arrays.items()}
        if dtype == np.float32:
            arrays = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in arrays.items()}
        return BatchResult(arrays | {"status": self.status})


class _Worker:
    """The block of words of a thread."""

    def __init__(self, problem, shared):
        m, p = problem.X.shape[-2:]
        p4 = p + -p % 4
        self.block, self.c = np.zeros(s.N_WORDS, np.int64), np.zeros(N_COUNTERS, np.int64)
        A, G, mean = shared or (np.empty((p4, m)), np.empty((p4, p4)), np.empty(p))
        work, support = np.empty(s.WORK_ROWS * m + s.WORK_COLUMNS * p + p * p), np.empty(p, np.int64)
        reals = np.array([problem.l1_ratio, problem.tol])
        self.keep = [A, G, mean, work, support, reals]
        self.block[b.C] = self.c.ctypes.data
        for slot, number in ((s.M, m), (s.P, p), (s.K, problem.alphas.shape[1]), (s.CENTRED, problem.centred),
                             (s.POSITIVE, problem.positive), (s.MAX_ITER, problem.max_iter)):  # fmt: skip
            self.block[slot] = number
        for slot, array in ((s.A, A), (s.G, G), (s.MEAN, mean), (s.WORK, work), (s.SUPPORT, support),
                            (s.REALS, reals)):  # fmt: skip
            self.block[slot] = array.ctypes.data


def rows(array, chunk, dtype=None):
    """The problems of a chunk as doubles, each without gaps: where they lie, if they can be read there."""
    part = array[chunk]
    if dtype is not None:
        part = part.astype(dtype, copy=False)
    tight = np.empty((0, *part.shape[1:])).strides[1:]
    if part.dtype == np.float64 and part.flags.aligned and part.strides[1:] == tight:
        return part
    return np.ascontiguousarray(part, float)


def run_on_threads(problem, outputs, threads, chunk_size, clock, bar):
    """Solve the problems on the CPU."""
    shared = None if problem.own else problem.design()
    workers = [_Worker(problem, shared) for _ in range(threads)]
    data = [(s.Y, s.Y_STRIDE, problem.Y)] + ([(s.X, s.X_STRIDE, problem.X)] if problem.own else [])
    copied = [8 * a[0].size for _, _, a in data if problem.count and rows(a, slice(1), problem.dtype).base is None]
    held: dict = {}

    def load(chunk):
        for slot, stride, array in data:
            part = held[slot] = rows(array, chunk, problem.dtype)
            for worker in workers:
                worker.block[slot], worker.block[stride] = part.ctypes.data, part.strides[0]
        alphas, first = problem.alphas, chunk.start if len(problem.alphas) > 1 else 0
        for slot, array in ((s.COEF, outputs.coef), (s.INTERCEPT, outputs.intercept), (s.GAP, outputs.gap),
                            (s.OBJECTIVE, outputs.fun), (s.PASSES, outputs.nit),
                            (s.STATUS, outputs.status)):  # fmt: skip
            for worker in workers:
                worker.block[slot] = array.ctypes.data + chunk.start * array.strides[0]
        for worker in workers:
            worker.block[s.ALPHA] = alphas.ctypes.data + first * alphas.strides[0]
            worker.block[s.ALPHA_STRIDE] = alphas.strides[0] if len(alphas) > 1 else 0
            if problem.lengths is not None:
                worker.block[s.LENGTHS] = problem.lengths.ctypes.data + 8 * chunk.start
        return outputs.status[chunk]

    with bar.compiling([], [UNIT]):
        units.address(UNIT)
    clock.start()
    parts = chunks(problem.count, chunk_size, sum(copied))
    run_chunks(workers, parts, load, lambda chunk: None, clock, bar, unit=UNIT)
