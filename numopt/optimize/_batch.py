"""``minimize_batch``: many small problems by one call."""

import math
import time

import numpy as np

from numopt.callbacks.threads import cores
from numopt.drivers import batch, units
from numopt.kernels import batch_slots as b
from numopt.kernels import slots as s
from numopt.kernels.status import Status
from numopt.optimize._batch_input import Each
from numopt.optimize._batch_result import BatchResult
from numopt.optimize._minimize import bind, new_state
from numopt.optimize._options import find_method, read_options

_NEVER = 2**62


def minimize_batch(fun, X0, args=(), method=None, jac=None, hess=None, hessp=None, bounds=None, tol=None, options=None,
                   *, device="cpu", dtype=None, n_threads=None, chunk_size=None, max_time=None, progress=False,
                   client=None):  # fmt: skip
    """Minimize many functions of the same form, each on its own.

    Examples
    --------
    >>> import numba, numpy as np, numopt
    >>> @numba.njit
    ... def distance(x, target):
    ...     return ((x - target)**2).sum()
    >>> result = numopt.minimize_batch(distance, np.zeros((2, 1)), (numopt.each(np.array([1.0, 2.0])),))
    >>> result.x.round(4).tolist()
    [[1.0], [2.0]]
    """
    if client is not None:
        from numopt.dask._batch import spread

        return spread(
            minimize_batch,
            dict(
                fun=fun,
                X0=X0,
                args=args,
                method=method,
                jac=jac,
                hess=hess,
                hessp=hessp,
                bounds=bounds,
                tol=tol,
                options=options,
                device=device,
                dtype=dtype,
                n_threads=n_threads,
                chunk_size=chunk_size,
                max_time=max_time,
                progress=progress,
            ),
            client,
        )
    X0 = np.ascontiguousarray(X0, float)
    count, n = X0.shape
    row = find_method(method or "bfgs")
    args = args if isinstance(args, tuple) else (args,)
    values, front = read_options(row, options, tol, n)
    threads = n_threads or cores()
    outputs = Outputs(count, n)
    workers = [Worker(row, values, front, fun, args, jac, hess, hessp, n, X0, outputs) for _ in range(threads)]
    deadline = math.inf if max_time is None else time.monotonic() + max_time
    for worker in workers:
        worker.p0[s.DEADLINE] = deadline
    batch.share([w.block for w in workers], [w.c for w in workers], count, None, deadline)
    return BatchResult(outputs.arrays())


class Outputs:
    """Where the results of problems are written to."""

    def __init__(self, count, n):
        self.x, self.g = np.full((count, n), np.nan), np.full((count, n), np.nan)
        self.f, self.gnorm = np.full(count, np.nan), np.full(count, np.nan)
        self.status, self.counts = np.full(count, int(Status.NOT_RUN)), np.zeros((count, 4), np.int64)

    def put(self, block):
        """Set the addresses in a thread's block of words."""
        for slot, array in ((b.OUT_X, self.x), (b.OUT_F, self.f), (b.OUT_G, self.g), (b.OUT_GNORM, self.gnorm),
                            (b.OUT_STATUS, self.status), (b.OUT_COUNTS, self.counts)):  # fmt: skip
            block[slot] = array.ctypes.data

    def arrays(self):
        """By the names that they have in the result."""
        nit, nfev, njev, nhev = np.ascontiguousarray(self.counts.T)
        return {"x": self.x, "fun": self.f, "jac": self.g, "optimality": self.gnorm, "status": self.status,
                "nit": nit, "nfev": nfev, "njev": njev, "nhev": nhev}  # fmt: skip


class Worker:
    """One thread's run of ``minimize``, to be set to one problem after the other."""

    def __init__(self, row, values, front, fun, args, jac, hess, hessp, n, X0, outputs):
        self.words, p = new_state(row, values)
        c = self.words
        c[s.N] = n
        if c[s.MAXITER] < 0:
            c[s.MAXITER] = row.iterations(n)
        if c[s.MAXFEV] < 0:
            c[s.MAXFEV] = row.iterations(n)
        self.reals = np.empty(s.N_SCALARS + row.words(n, c.item(s.MEMORY)))
        self.reals[: s.N_SCALARS] = p
        first = tuple(arg[0] if isinstance(arg, Each) else arg for arg in args)
        search = front.get("line_search", row.line_search)
        self.bound, _ = bind(row, search, self.words, self.reals, front, fun, first, jac, hess, hessp, None)
        self.words[s.N_COUNTERS + s.A_TICK] = 0
        self.c = self.words[: s.N_COUNTERS]
        self.c[s.TICK_IN], self.c[s.TICK_EVERY], self.c[s.PAUSE_AT] = 256, 256, _NEVER
        self.reals[s.TICK_SECONDS] = 1e9
        self.c0, self.p0 = self.c.copy(), self.reals[: s.N_SCALARS].copy()
        self.patches = np.array(self._patches(args, first), np.int64).reshape(-1, 4)
        block = self.block = np.zeros(b.N_WORDS, np.int64)
        here, there = self.words.ctypes.data, self.reals.ctypes.data
        block[b.UNIT], block[b.TABLE] = units.address(row.unit_for(False)), here + 8 * s.N_COUNTERS
        block[b.C], block[b.P], block[b.W] = here, there, there + 8 * s.N_SCALARS
        block[b.W_SIZE], block[b.N] = self.reals.size - s.N_SCALARS, n
        block[b.C0], block[b.P0] = self.c0.ctypes.data, self.p0.ctypes.data
        block[b.X0], block[b.X0_STRIDE] = X0.ctypes.data, X0.strides[0]
        block[b.PATCHES], block[b.N_PATCHES] = self.patches.ctypes.data, len(self.patches)
        if self.bound.data_table is not None:
            block[b.FLAG] = self.bound.data_table.ctypes.data + 8
        outputs.put(block)

    def _patches(self, args, first):
        """What differs from problem to problem in the table of arguments."""
        if not any(isinstance(arg, Each) for arg in args):
            return []
        from numopt.callbacks.arguments import places_of

        found, table = [], self.bound.data_table.ctypes.data
        for arg, one, place in zip(args, first, places_of(first), strict=True):
            if isinstance(arg, Each):
                kind = b.ADDRESS if isinstance(one, np.ndarray) else b.WORD
                found.append((table + 8 * place, arg.array.ctypes.data, arg.array.strides[0], kind))
                if arg.lengths is not None:
                    found.append((table + 8 * (place + 1), arg.lengths.ctypes.data, arg.lengths.strides[0], b.WORD))
        return found
