"""Sums of squares on the device: one problem a thread, or where its data are long one problem a block.

A model is called row by row, ``f(x_i, *params)``, with x_i a number or a column of a matrix; its Jacobian, where it is
given, as ``jac(x_i, *params)``, which returns a tuple of the derivatives by all parameters.  A lane copies the data of
its problem to a place of its own, problem-fastest, so that neighbouring threads read neighbouring words whichever
problems they are at; a block reads them as they lie, row after row.
"""

import numpy as np

from numopt.catalog import squares_words
from numopt.cuda import _device
from numopt.cuda._lanes import make_kernel
from numopt.cuda._squares_block import THREADS, make_block_kernel
from numopt.cuda._transfer import Blocks, Lanes, Results, Rows, run_chunks, signature_of
from numopt.drivers.units import source
from numopt.kernels import slots as s
from numopt.kernels import squares_direct
from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import Run
from numopt.kernels.status import RUNNING, Status

LONG = 1024  # rows: from so many on, a problem has a block of threads, eight rows for each of them
LOOK_EVERY = 2  # iterations: each may be many trials
# In single precision the rounding of residuals a tenth of the data shows in f from 1e-6 on: no tolerance is less than
# this, and differences are central, since those of one side leave the gradient an error that no step makes good.
SINGLE_TOLERANCE = 1e-5
FLOOR = 0.1  # of rho', as in numopt.callbacks.residuals
_NEVER = 2**62
_NAN_STATUS, _NOT_RUN, _FTOL = int(Status.NAN), int(Status.NOT_RUN), int(Status.FTOL)
_NO_STEP, _STALLED = int(Status.LINE_SEARCH), int(Status.STALLED)
_NAN = float("nan")


@kernel
def begin_run(i, c, p, w, data):
    """Set a run back to its beginning, for problem i."""
    c0, p0, X0, where, scale, lower, upper = data
    for k in range(c0.size):
        c[k] = c0[k]
    for k in range(p0.size):
        p[k] = p0[k]
    n, finite, row = where.size, True, (i if lower.shape[0] > 1 else 0)
    for j in range(n):
        x = X0[i, where[j]]
        w[j] = x
        finite = finite and abs(x) < float("inf")
        if c[s.GIVEN_SCALE] != 0:
            w[s.N_COMMON * n + j] = w[(s.N_COMMON + 1) * n + j] = 1.0 / scale[j]
        if c[s.BOUNDED] != 0:
            w[w.size - 3 * n + j] = 1.0
            w[w.size - 2 * n + j] = lower[row, where[j]]
            w[w.size - n + j] = upper[row, where[j]]
    if not finite:
        c[s.STATUS], p[s.F], p[s.GNORM] = _NAN_STATUS, _NAN, _NAN


@kernel
def _no_less(c, p, w):
    """Whether a run in single precision has ended because what f may still fall by is within ftol: less than shows."""
    n = c[s.N]
    if c[s.STATUS] != _NO_STEP and c[s.STATUS] != _STALLED:
        return False
    first, promise = q.VECTORS * n + c[s.PARITY] * n * (n + 1), 0.0
    for k in range(n):
        promise += w[first + k * (n + 1) + n] ** 2
    return promise <= 2.0 * p[s.LSQ_FTOL] * p[s.F]


@kernel
def end_run(i, c, p, w, X0, where, results, single):
    """Write the result of problem i, but for its triangle; its status."""
    x, g, f, gnorm, counts, triangle = results
    n, place = where.size, c[s.PARITY]
    for k in range(X0.shape[1]):
        x[i, k], g[i, k] = X0[i, k], 0.0
    for j in range(n):
        x[i, where[j]] = w[place * n + j]
        g[i, where[j]] = w[(s.G0 + place) * n + j]
    f[i], gnorm[i] = p[s.F], p[s.GNORM]
    counts[i, 0], counts[i, 1], counts[i, 2] = c[s.NIT], c[s.NFEV], c[s.NJEV]
    if single and _no_less(c, p, w):
        return _FTOL
    return c[s.STATUS]


@kernel
def put_triangle(i, w, n, place, triangle):
    """Write the triangle of a place."""
    first = q.VECTORS * n + place * n * (n + 1)
    for k in range(n * (n + 1)):
        triangle[i, k] = w[first + k]


def _given(own_x, lengths):
    """The text of x and m of problem i."""
    return ("x[i]" if own_x else "x"), ("lengths[i]" if lengths else "y.shape[1]")


def _thread_kernel(run, value, grad, own_x, own_sigma, lengths, again, single):
    """One problem a thread; ``again``: the triangle at the end is one with other weights."""
    x, m = _given(own_x, lengths)
    text = f"""
def inside(i, lane, floor, start, given, lanes):
    where, steps, C, x, y, sigma, lengths = given
    s = {"lanes[4][:, lane]" if own_sigma else "sigma"}
    return {x}, lanes[3][:, lane], s, {m}, C, floor, start[i], where, steps

def copy(i, lane, given, lanes):
    where, steps, C, x, y, sigma, lengths = given
    for k in range({m}):
        lanes[3][k, lane] = y[i, k]
        {"lanes[4][k, lane] = sigma[i, k]" if own_sigma else ""}
"""
    space: dict = {}
    exec(text, space)
    inside, copy = kernel(space["inside"]), kernel(space["copy"])

    @kernel
    def begin(i, lane, data):
        state, given, lanes, results = data
        begin_run(i, lanes[0][:, lane], lanes[1][:, lane], lanes[2][:, lane], state)
        copy(i, lane, given, lanes)

    @kernel
    def go_on(i, lane, data):
        state, given, lanes, results = data
        c, p, w = lanes[0][:, lane], lanes[1][:, lane], lanes[2][:, lane]
        c[s.PAUSE_AT] = c[s.NIT] + LOOK_EVERY
        run(Run(None, value, grad, None, None, inside(i, lane, FLOOR, state[2], given, lanes), None, 0, 0, c, p, w, p))
        return c[s.STATUS] == RUNNING

    @kernel
    def end(i, lane, everything):
        state, given, lanes, results = everything
        c, p, w = lanes[0][:, lane], lanes[1][:, lane], lanes[2][:, lane]
        n = c[s.N]
        status = end_run(i, c, p, w, state[2], state[3], results, single)
        if results[5].shape[0] > 0:
            place = c[s.PARITY]
            if again and c[s.NFEV] > 0:
                R = Run(
                    None, value, grad, None, None, inside(i, lane, 0.0, state[2], given, lanes), None, 0, 0, c, p, w, p
                )
                other = 1 - place
                grad(R, w[place * n : (place + 1) * n], w[(s.G0 + other) * n : (s.G0 + other + 1) * n])
                place = other
            put_triangle(i, w, n, place, results[5])
        return status

    return make_kernel(begin, go_on, end)


_KERNELS: dict = {}  # what a kernel depends on -> kernel


def _kernel_of(unit, key, own_x, own_sigma, lengths, together):
    """The kernel of a method and an objective, kept."""
    whole = (unit, key, own_x, own_sigma, lengths, together)
    if whole not in _KERNELS:
        pieces = squares_direct.rows(*key)
        again = pieces.loss not in (q.LINEAR, q.POISSON)
        if len(_KERNELS) >= 64:
            _KERNELS.clear()
        x, m = _given(own_x, lengths)
        if together:
            _KERNELS[whole] = make_block_kernel(source(unit), pieces, x, m, own_sigma, again, together)
        else:
            value, grad = squares_direct.alone(pieces)
            _KERNELS[whole] = _thread_kernel(source(unit), value, grad, own_x, own_sigma, lengths, again, pieces.single)
    return _KERNELS[whole]


class Fits:
    """A batch of models as the device takes it.

    Attributes
    ----------
    kernel : CUDA kernel
    data : tuple
        What it is called with, see :mod:`numopt.cuda._transfer`.
    together : int
        Threads that share a problem; 0: one problem a thread.
    results : dict
        The arrays that are filled.
    """

    def __init__(self, problem):
        _check(problem)
        count, n = problem.X0.shape
        self.problem, single = problem, problem.dtype == np.float32
        real = np.float32 if single else np.float64
        variables = problem.variables()
        where = self.where = variables.free
        if where.size == 0:
            raise ValueError("all parameters are fixed: there is nothing to fit on a GPU")
        lower, upper, X0 = self._starts(variables)
        x, Y, sigma, lengths = self._data(real)
        self.rows = problem.m if lengths is None else lengths
        state = self._state(variables, single, X0, lower, upper)
        own_x, own_sigma = isinstance(x, Rows), isinstance(sigma, Rows)
        ndim = len(x.shape) if own_x else x.ndim
        jac = problem.jac if callable(problem.jac) else None
        scheme = 3 if single or problem.jac == "3-point" else 2
        loss = (*q.LOSSES, "callable", "poisson").index(problem.loss)
        free = tuple(bool(k in where) for k in range(n))
        key = (problem.fun, jac, free, ndim, scheme, loss, "none" if problem.sigma is None else "array", single)
        self.together = THREADS() if problem.m >= LONG else 0
        self.kernel = _kernel_of(problem.row.unit, key, own_x, own_sigma, lengths is not None, self.together)
        steps = np.full(where.size, -1.0) if problem.steps is None else np.abs(problem.steps[where])
        none = np.zeros(1, np.int64)
        given = (where, steps, problem.f_scale, x, Y, sigma, none if lengths is None else Rows(lengths))
        lanes = self._lanes(real, own_sigma, len(lower) > 0)
        self.data = state, given, lanes, self._results(count, n)

    def _starts(self, variables):
        """(lower, upper, X0), without rows of bounds where there are none."""
        problem, X0 = self.problem, np.array(self.problem.X0)
        if problem.lower is None or (problem.lower.ndim == 1 and not variables.bounded):
            return np.zeros((0, problem.n)), np.zeros((0, problem.n)), X0
        lower, upper = (np.atleast_2d(np.asarray(side, float)) for side in (problem.lower, problem.upper))
        if problem.row.interior:  # as Variables.go_inside
            there, apart = variables.free, 0.5 * (upper - lower)
            with np.errstate(invalid="ignore"):
                low = lower + np.minimum(apart, 1e-10 * np.maximum(1.0, np.abs(lower)))
                high = upper - np.minimum(apart, 1e-10 * np.maximum(1.0, np.abs(upper)))
            low, high = np.where(lower > -np.inf, low, lower), np.where(upper < np.inf, high, upper)
            X0[:, there] = np.minimum(np.maximum(X0, low), high)[:, there]
        return lower, upper, X0

    def _data(self, real):
        """x, Y, sigma, lengths: shared arrays, :class:`Rows` of what each problem has its own of."""
        problem = self.problem
        x, Y, sigma, lengths = problem.x, problem.Y, problem.sigma, problem.lengths
        if problem.omit:
            ndim = np.ndim(x.array) - 1 if hasattr(x, "array") else np.ndim(x)
            own, Y, own_sigma, lengths = problem.data(slice(None))
            sigma = sigma if own_sigma is None else own_sigma
            x = x if own is None else own.reshape(len(Y), -1, problem.m) if ndim == 2 else own
            own_x = own is not None
        else:
            own_x = hasattr(x, "array")
            x = x.array if own_x else x
        x = Rows(x, real) if own_x else np.ascontiguousarray(x, real)
        if sigma is None:
            sigma = np.ones(1, real)
        sigma = Rows(sigma, real) if sigma.ndim == 2 else np.ascontiguousarray(sigma, real)
        return x, Rows(Y, real), sigma, lengths

    def _state(self, variables, single, X0, lower, upper):
        """What a run begins with."""
        problem, where = self.problem, self.where
        tolerances = problem.tolerances
        if single:
            tolerances = tuple(max(tol, SINGLE_TOLERANCE) if tol > 0.0 else tol for tol in tolerances)
        c0, p0 = problem.state(variables, tolerances)
        c0[s.BOUNDED], c0[s.TICK_IN], p0[s.DEADLINE] = len(lower) > 0, _NEVER, np.inf
        sides = (Rows(side) if len(side) > 1 else side for side in (lower, upper))
        return c0, p0, Rows(X0), where, np.ones(where.size) if problem.scale is None else problem.scale[where], *sides

    def _lanes(self, real, own_sigma, bounded):
        """The memory of a lane, or of a block."""
        n, m = self.where.size, self.problem.m
        words = squares_words(n, bounded)
        if self.together:
            kinds = Blocks(s.N_COUNTERS, np.int64), Blocks(s.N_SCALARS), Blocks(words)
            return *kinds, Blocks(self.together * (n + 2) * (n + 1))
        own = Lanes(m, real) if own_sigma else np.zeros((1, 1), real)
        return Lanes(s.N_COUNTERS, np.int64), Lanes(s.N_SCALARS), Lanes(words), Lanes(m, real), own

    def _results(self, count, n):
        k = self.where.size
        self.results = {
            "x": np.full((count, n), np.nan), "grad": np.full((count, n), np.nan), "fun": np.full(count, np.nan),
            "optimality": np.full(count, np.nan), "counts": np.zeros((count, 3), np.int64),
            "triangle": np.full((count if self.problem.covariance else 0, k * (k + 1)), np.nan),
            "status": np.full(count, _NOT_RUN),
        }  # fmt: skip
        found = [Results(self.results[name]) for name in ("x", "grad", "fun", "optimality", "counts")]
        T = self.results["triangle"]
        return *found, Results(T) if self.problem.covariance else T

    def run(self):
        """Run the batch; the dict of arrays that ``SquaresProblem`` describes."""
        problem = self.problem
        _device.compile(self.kernel, signature_of(self.data), problem.fun)
        limit = None if np.isinf(problem.max_time) else problem.max_time
        run_chunks(self.kernel, self.data, self.results["status"], chunk_size=problem.chunk_size, max_time=limit,
                   together=self.together)  # fmt: skip
        found = dict(self.results)
        counts = found.pop("counts")
        found |= {name: counts[:, k].copy() for k, name in enumerate(("nit", "nfev", "njev"))}
        k = self.where.size
        found["rows"] = self.rows
        found["triangle"] = found["triangle"].reshape(-1, k, k + 1)
        if problem.lower is not None:
            x, g = found["x"], found["grad"]
            with np.errstate(invalid="ignore"):
                room = np.where(g < 0, problem.upper - x, x - problem.lower)
                most = np.abs(np.where(np.isfinite(room), room, 1.0) * g)[:, self.where].max(axis=1)
            found["optimality"] = np.where(np.isnan(found["optimality"]), np.nan, most)
        return found


def _check(problem):
    """ValueError for what the device can't do, in one line."""
    if problem.kind != "model":
        raise ValueError(
            "on a GPU residuals are those of a model (curve_fit_batch); device='cpu' takes functions of residuals"
        )
    if problem.ties:
        raise ValueError("tied parameters can't be had on a GPU; device='cpu' takes them")
    for name in ("geodesic", "threads"):
        if name in problem.options:
            raise ValueError(f"option {name!r} can't be had on a GPU; device='cpu' takes it")
    if not isinstance(problem.jac, str) or problem.jac not in ("2-point", "3-point"):
        if not callable(problem.jac):
            raise ValueError(f"on a GPU jac must be '2-point', '3-point' or a function; got {problem.jac!r}")
    if not isinstance(problem.loss, str):
        raise ValueError("a loss that is a function can't be had on a GPU; device='cpu' takes it")


def least_squares_on_device(problem):
    """Run a batch of sums of squares on the device.

    Parameters
    ----------
    problem : numopt.optimize._batch_problem.SquaresProblem

    Returns
    -------
    dict
        Arrays, one row a problem, as :class:`numopt.optimize._batch_problem.SquaresProblem` describes them.

    Raises
    ------
    TypeError, ValueError
        For a function that can't be compiled for the device, and for what only the CPU can do.
    MemoryError
        Where not even a few problems fit.
    """
    return Fits(problem).run()
