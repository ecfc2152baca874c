"""Minimisation in lanes: any method of the catalogue, its source compiled together with the user's function."""

from functools import lru_cache

import numpy as np
from numba import njit

from numopt.cuda import _device
from numopt.cuda import _objective as o
from numopt.cuda._arguments import arguments
from numopt.cuda._lanes import make_kernel
from numopt.cuda._memory import lane_arrays
from numopt.cuda._transfer import Results, Rows, run_chunks, signature_of
from numopt.drivers.units import source
from numopt.kernels import slots as s
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import Run
from numopt.kernels.status import RUNNING, Status

LOOK_EVERY = 8  # iterations: lanes that have ended wait for the others of their warp at most so long
_NAN_STATUS = int(Status.NAN)
_NAN = float("nan")
best_point = njit(s.best_point)


@kernel
def _begin(i, lane, data):
    """Set the lane to problem i."""
    c0, p0, x0, lower, upper, args, steps, C, P, W, U, x, g, f, gnorm, counts = data
    for k in range(c0.size):
        C[k, lane] = c0[k]
    for k in range(p0.size):
        P[k, lane] = p0[k]
    n, finite = x0.shape[1], True
    for j in range(n):
        W[j, lane] = x0[i, j]
        finite = finite and abs(x0[i, j]) < float("inf")
    if C[s.BOUNDED, lane] != 0:
        last = W.shape[0] - 2 * n  # the last 2n are scratch
        a, b = (i if lower.shape[0] > 1 else 0), (i if upper.shape[0] > 1 else 0)
        for j in range(n):
            W[last - 3 * n + j, lane] = 1.0
            W[last - 2 * n + j, lane] = lower[a, j]
            W[last - n + j, lane] = upper[b, j]
    if not finite:
        C[s.STATUS, lane], P[s.F, lane], P[s.GNORM, lane] = _NAN_STATUS, _NAN, _NAN
        for j in range(n):
            W[s.G0 * n + j, lane] = _NAN


@kernel
def _end(i, lane, data):
    """Write the result of problem i; its status."""
    c0, p0, x0, lower, upper, args, steps, C, P, W, U, x, g, f, gnorm, counts = data
    c, n = C[:, lane], x0.shape[1]
    k, j, f[i] = best_point(c, P[:, lane])
    for m in range(n):
        x[i, m] = W[k * n + m, lane]
    if g.shape[0] > 0:
        for m in range(n):
            g[i, m] = W[j * n + m, lane]
    gnorm[i] = P[s.GNORM, lane]
    counts[i, 0], counts[i, 1], counts[i, 2], counts[i, 3] = c[s.NIT], c[s.NFEV], c[s.NJEV], c[s.NHEV]
    return c[s.STATUS]


def _go_on(run, search, objective, values_only, hess, hessp):
    """Some iterations; whether there are more to come."""
    fun = None if values_only else objective.value_grad
    value = objective.value if values_only else None

    @kernel
    def go_on(i, lane, data):
        c0, p0, x0, lower, upper, args, steps, C, P, W, U, x, g, f, gnorm, counts = data
        words = W.shape[0] - 2 * x0.shape[1]
        c, p, w = C[:, lane], P[:, lane], W[:words, lane]
        inside = (c, w, W[words:, lane], U[:, lane], steps, args, i)
        c[s.PAUSE_AT] = c[s.NIT] + LOOK_EVERY
        run(Run(fun, value, None, hess, hessp, inside, search, 0, 0, c, p, w, p))
        return c[s.STATUS] == RUNNING

    return go_on


@njit
def _no_search(R):
    return 0.0


@lru_cache(maxsize=64)
def kernel_of(unit, search, values_only, second_order, products, *what):
    """The kernel of a method's unit and line search; ``what`` is that of :class:`_objective.Objective`."""
    made, hess = objective(*what), what[1]
    second = made.hess if second_order and not (products and hess is None) else None
    product = made.hessp if products else None
    machine = source(search) if search else _no_search
    return make_kernel(_begin, _go_on(source(unit), machine, made, values_only, second, product), _end)


# kept apart: methods that share an objective (and a line search) share what is compiled of it
objective = lru_cache(maxsize=64)(o.Objective)


def compiled(problem):
    """(kernel, description of its data) of a batch; TypeError where a function can't be compiled for the device."""
    made, data = describe(problem)
    _device.compile(made, signature_of(data), problem.fun)
    return made, data


def minimize_on_device(problem, made, data):
    """Run a batch on the device.

    Parameters
    ----------
    problem : numopt.optimize._batch_problem.MinimizeProblem
    made, data
        What :func:`compiled` has returned.

    Returns
    -------
    dict
        The fields of the result.

    Raises
    ------
    MemoryError
        Where not even a few problems fit.
    KeyboardInterrupt
        On Ctrl-C, when what is under way has ended; all finished results are in ``problem.arrays``.
    """
    run_chunks(made, data, problem.arrays["status"], chunk_size=problem.chunk_size, max_time=problem.max_time,
               look=problem.look)  # fmt: skip
    return problem.results()


def describe(problem):
    """(kernel, description of what it is called with: see :mod:`numopt.cuda._transfer`) of a batch."""
    row, n, arrays = problem.row, problem.X0.shape[1], problem.arrays
    bounded, single = problem.lower is not None, problem.dtype == np.float32
    args, kinds = arguments(problem.args, problem.dtype)
    steps, kind = problem.steps, o.DEFAULT
    if steps is not None:
        kind = o.RELATIVE if problem.relative else o.ABSOLUTE
    what = (problem.fun, problem.hess, problem.hessp, problem.inplace, kinds, single, problem.scheme, kind,
            problem.hess_scheme)  # fmt: skip
    made = kernel_of(row.unit_for(bounded), problem.search, row.values_only, row.second_order, row.products, *what)
    nowhere = np.zeros((0, n))
    lower, upper = (
        nowhere if edge is None else edge[:1] if len(edge) == 1 or edge.strides[0] == 0 else Rows(edge, np.float64)
        for edge in (problem.lower, problem.upper)
    )
    memory = int(problem.counters[s.MEMORY])
    lanes = lane_arrays(row, n, memory, bounded, problem.hess is not None, problem.inplace, problem.dtype)
    results = (Results(arrays[name]) if name in arrays else nowhere for name in ("x", "jac", "fun", "optimality"))
    counts = Results(arrays["counts"])
    return made, (problem.counters, problem.scalars, Rows(problem.X0, np.float64), lower, upper, args,
                  np.zeros(0) if steps is None else steps, *lanes, *results, counts)  # fmt: skip
