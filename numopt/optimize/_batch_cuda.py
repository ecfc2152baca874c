"""Batches on a CUDA device, as the front doors see them."""

import importlib
from contextlib import suppress

import numpy as np

from numopt.kernels.status import Status
from numopt.optimize._batch_covariance import covariances
from numopt.optimize._batch_run import Progress
from numopt.optimize._batch_squares_arrays import Results
from numopt.optimize._runs import hand_over
from numopt.optimize._warn import warn

_FAILED = int(Status.FAILED)


def warn_of_failed(status):
    """Tell the caller, once, of problems whose function has raised; status: numbers of ``Status``."""
    failed = np.flatnonzero(status == _FAILED)
    if failed.size:
        warn(
            f"{failed.size} of {len(status)} problems have status FAILED, problem {failed[0]} the first: fun raised "
            "an exception on the device; device='cpu' tells which"
        )


def prepared(prepare, auto):
    """What ``prepare()`` returns; None where it is for a device only that it can't be, and any will do (``auto``)."""
    try:
        return prepare()
    except (TypeError, ValueError):
        if not auto:
            raise
        return None


def on_cuda(problem, variables, show, auto):
    """The results of sums of squares by a CUDA device.

    Parameters
    ----------
    problem : SquaresProblem
    variables : Variables
        Of the first problem.
    show : callable
        ``show(results) -> BatchResult``, for one who has been interrupted.
    auto : bool
        Whether the CPU will do where the device does not take such a problem: then the result is None.
    """
    Fits = importlib.import_module("numopt.cuda._squares").Fits

    def prepare():
        fits = Fits(problem)
        fits.compile()
        return fits

    title = getattr(problem.fun, "__name__", "the model")
    with Progress(f"fits ({problem.row.name}, CUDA)", problem.count, problem.progress) as progress:
        with progress.compiling([title], []):
            fits = prepared(prepare, auto)
        if fits is None:
            return None
        try:
            fits.run(lambda done: progress.look(done, fits.results["status"]))
        except BaseException as error:
            with suppress(Exception):
                hand_over(error, show(_results(problem, variables, fits.found())))
            raise
    warn_of_failed(fits.results["status"])
    return _results(problem, variables, fits.found())


def _results(problem, v, found):
    T, rows = found.pop("triangle"), found.pop("rows")
    results = Results(problem, found)
    results.fixed[:] = v.fixed
    if problem.lower is not None:
        v.box, v.plain = (problem.lower, problem.upper), False
        results.active_mask[:] = v.active(results.x, problem.tolerances[1] if problem.row.interior else 0.0)
    if problem.covariance:
        results.covariance = _covariances(problem, v, T, results.fun, rows)
    return results


def _covariances(problem, v, T, cost, m):
    """Covariances from what ``numopt.cuda._squares_run.put_triangle`` has written: inverses, or triangles."""
    k = v.free.size
    inverse = T[:, -1] == 1.0
    others = np.flatnonzero(~inverse)
    m = np.broadcast_to(m, len(T))
    central = np.zeros(others.size, bool)
    theirs = covariances(problem, v, T[others].reshape(-1, k, k + 1), cost[others], m[others], central)
    C = T[:, : k * k]
    if problem.scaled:
        with np.errstate(all="ignore"):
            C *= np.where(m > k, 2.0 * cost / (m - k), np.inf)[:, None]
        C[(m <= k) & inverse] = np.inf
    C = C.reshape(-1, k, k)
    if v.map is not None:
        A = v.map[1:]
        with np.errstate(invalid="ignore"):
            C = A.T @ C @ A
    C[others] = theirs
    C[~np.isfinite(cost)] = np.nan  # no triangle is that of such a problem
    return C
