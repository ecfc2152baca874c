"""Lassos in lanes: the source of ``solvers.lasso_batch``, one problem a thread.

Where all problems share X, its columns and their Gram matrix are made on the host and stay in the device's cache; else
each lane makes those of its problem.  A problem is solved in one go: its passes are few.
"""

import numpy as np

from numopt.cuda import _device
from numopt.cuda._lanes import make_kernel
from numopt.cuda._transfer import Lanes, Results, Rows, run_chunks, signature_of
from numopt.kernels.compiling import kernel
from numopt.kernels.slots import N_COUNTERS
from numopt.solvers.lasso_batch import Work, fit, prepare
from numopt.solvers.lasso_batch_slots import WORK_COLUMNS

_made: dict = {}


@kernel
def _begin(i, lane, data):
    """Nothing to set: all is done at the end."""


@kernel
def _go_on(i, lane, data):
    """There is nothing more to come."""
    return False


@kernel
def _solve(i, lane, data, A, G, mean):
    """Solve problem i; its status."""
    settings, X, design, Y, lengths, alphas, c, rows, columns, factor, support, coef, results, passes = data
    centred, positive, l1_ratio, tol, max_iter, own_alphas = settings
    m, k = (lengths[i] if lengths.shape[0] > 0 else Y.shape[1]), coef.shape[1]
    work = Work(
        rows[0, :, lane],
        rows[1, :, lane],
        columns[0, :, lane],
        columns[1, :, lane],
        columns[2, :, lane],
        columns[3, :, lane],
        columns[4, :, lane],
        columns[5, :, lane],
        columns[6, :, lane],
        factor[:, :, lane],
        support[:, lane],
    )
    return fit(
        A, G, mean, Y[i], m, centred, positive, alphas[i if own_alphas else 0], l1_ratio, tol, max_iter, c, work,
        coef[i], results[i, :k], results[i, k : 2 * k], results[i, 2 * k :], passes[i],
    )  # fmt: skip


@kernel
def _end_shared(i, lane, data):
    """With the columns of the X that all share."""
    A, G, mean = data[2]
    return _solve(i, lane, data, A, G, mean)


@kernel
def _end_own(i, lane, data):
    """With the columns of the problem's own X."""
    A, G, mean = data[2][0][:, :, lane], data[2][1][:, :, lane], data[2][2][:, lane]
    settings, X, lengths = data[0], data[1], data[4]
    prepare(X[i], lengths[i] if lengths.shape[0] > 0 else X.shape[1], settings[0], A, G, mean)
    return _solve(i, lane, data, A, G, mean)


def kernel_of(own):
    """The CUDA kernel."""
    if own not in _made:
        _made[own] = make_kernel(_begin, _go_on, _end_own if own else _end_shared)
    return _made[own]


def describe(problem, outputs):
    """(kernel, description of what it is called with, array of the results that are put together)."""
    count, k, p = outputs.coef.shape
    m, p4 = problem.X.shape[-2], p + -p % 4
    if problem.own:
        X, design = _rows(problem.X, problem.dtype), (Lanes((p4, m)), Lanes((p4, p4)), Lanes(p))
    else:
        X, design = np.zeros((0, 0, 0)), problem.design()
    lengths = np.zeros(0, np.int64) if problem.lengths is None else Rows(problem.lengths, np.int64)
    own_alphas = len(problem.alphas) > 1
    settings = (problem.centred, problem.positive, problem.l1_ratio, problem.tol, problem.max_iter, own_alphas)
    together = np.full((count, 3 * k), np.nan)
    data = (settings, X, design, _rows(problem.Y, problem.dtype), lengths,
            Rows(problem.alphas, np.float64) if own_alphas else problem.alphas, np.zeros(N_COUNTERS, np.int64),
            Lanes((2, m)), Lanes((WORK_COLUMNS, p)), Lanes((p, p)), Lanes(p, np.int64),
            Results(outputs.coef), Results(together), Results(outputs.nit))  # fmt: skip
    return kernel_of(problem.own), data, together


def _rows(array, dtype):
    """Data as they are, if real, or in the precision of the batch."""
    return Rows(array, dtype or (array.dtype if array.dtype in (np.float32, np.float64) else np.float64))


def lasso_on_device(problem, outputs, threads, chunk_size, clock, bar):
    """Solve the problems on the device; ``threads`` is for the CPU.

    Parameters
    ----------
    problem : numopt.optimize._batch_lasso.LassoProblem
    outputs : numopt.optimize._batch_lasso.Outputs
        Where the results go.
    threads, chunk_size : int or None
    clock, bar : numopt.optimize._batch_run.Clock, Progress
    """
    kernel, data, together = describe(problem, outputs)
    k = outputs.coef.shape[1]
    with bar.compiling(["the kernel"], []):
        _device.compile(kernel, signature_of(data), lasso_on_device)
    clock.start()

    def look(done):
        bar.look(done, outputs.status)
        return clock.over()

    try:
        run_chunks(kernel, data, outputs.status, chunk_size=chunk_size, look=look)
    finally:
        for j, array in enumerate((outputs.intercept, outputs.gap, outputs.fun)):
            array[:] = together[:, j * k : (j + 1) * k]
