"""The same solvers on CUDA: one problem a thread.  The only place that imports ``numba.cuda``.

State lies problem-fastest, ``c[slot, problem]``, so that neighbouring threads read neighbouring words; a solver
sees strided columns of it.
"""

import numpy as np
from numba import cuda

from numopt.kernels import slots as s
from numopt.kernels.oracle import Run


def make_kernel(parts, fun):
    """A CUDA kernel ``kernel(data, c, p, w)`` that runs a solver on ``fun`` in every thread.

    Parameters
    ----------
    parts : tuple
        The catalogue's row, the compiled loop, the line search, counters and scalars of a fresh run.
    fun : jitted function
        ``fun(x, g, data) -> float``, or ``fun(x, data) -> float`` for a method without gradients; ``data`` is the
        thread's column of the kernel's.

    Returns
    -------
    kernel : CUDA kernel
    blocks : callable
        ``blocks(X0)`` gives the host arrays (c, p, w) for starts X0 of shape (problems, n).
    """
    row, run, search, c0, p0 = parts
    values_only = row.values_only

    @cuda.jit
    def kernel(data, c, p, w):
        i = cuda.grid(1)
        if i < c.shape[1]:
            if values_only:
                run(Run(None, fun, None, None, None, data[:, i], search, 0, 0, c[:, i], p[:, i], w[:, i], w[:, i]))
            else:
                run(Run(fun, None, None, None, None, data[:, i], search, 0, 0, c[:, i], p[:, i], w[:, i], w[:, i]))

    def blocks(X0):
        count, n = X0.shape
        c, p = np.repeat(c0[:, None], count, 1), np.repeat(p0[:, None], count, 1)
        c[s.N] = n
        if c0[s.MAXITER] < 0:
            c[s.MAXITER] = row.iterations(n)
        if c0[s.MAXFEV] < 0:
            c[s.MAXFEV] = row.iterations(n)
        w = np.zeros((row.words(n, int(c0[s.MEMORY])), count))
        w[:n] = X0.T
        return c, p, w

    return kernel, blocks
