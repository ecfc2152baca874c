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
from numopt.cuda._squares_run import begin_run, end_run, put_triangle
from numopt.cuda._transfer import Blocks, Lanes, Results, Rows, run_chunks, signature_of
from numopt.drivers.units import source
from numopt.kernels import slots as s
from numopt.kernels import squares_direct
from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import Run
from numopt.kernels.status import RUNNING, Status

LONG = 1024  # rows: from so many on, a problem has a block of threads, eight rows for each of them
LOCAL = 512  # words of a workspace that is in the thread's own memory: eight parameters
LOOK_EVERY = 64  # iterations: fits differ little in length, and lanes that begin together share their instructions
# In single precision the rounding of residuals a tenth of the data shows in f from 1e-6 on: no tolerance is less than
# this, and differences are central, since those of one side leave the gradient an error that no step makes good.
SINGLE_TOLERANCE = 1e-5
FLOOR = 0.1  # of rho', as in numopt.callbacks.residuals
_NEVER = 2**62
_NOT_RUN, _FAILED = int(Status.NOT_RUN), int(Status.FAILED)


def _given(own_x, lengths):
    """The text of x and m of problem i."""
    return ("x[i]" if own_x else "x"), ("lengths[i]" if lengths else "y.shape[1]")


@kernel
def _number(lane, lanes):
    """The lane's number, counters, scalars and workspace, of its own memory."""
    return lane


@kernel
def _views(lane, lanes):
    """The same, of the memory of all lanes."""
    return lane, lanes[0][:, lane], lanes[1][:, lane], lanes[2][:, lane]


def _thread_kernel(run, value, grad, own_x, own_sigma, lengths, again, single, words):
    """One problem a thread; ``again``: the triangle at the end is one with other weights."""
    parts_of = _number if words else _views
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
        number, c, p, w = parts_of(lane, lanes)
        begin_run(i, c, p, w, state)
        copy(i, number, given, lanes)

    @kernel
    def go_on(i, lane, data):
        state, given, lanes, results = data
        k, c, p, w = parts_of(lane, lanes)
        c[s.PAUSE_AT] = c[s.NIT] + LOOK_EVERY
        run(Run(None, value, grad, None, None, inside(i, k, FLOOR, state[2], given, lanes), None, 0, 0, c, p, w, p))
        return c[s.STATUS] == RUNNING

    @kernel
    def end(i, lane, everything):
        state, given, lanes, results = everything
        number, c, p, w = parts_of(lane, lanes)
        n = c[s.N]
        status = end_run(i, c, p, w, state[2], state[3], results, single)
        if results[5].shape[0] > 0:
            place = c[s.PARITY]
            if again and c[s.NFEV] > 0:
                R = Run(
                    None,
                    value,
                    grad,
                    None,
                    None,
                    inside(i, number, 0.0, state[2], given, lanes),
                    None,
                    0,
                    0,
                    c,
                    p,
                    w,
                    p,
                )
                other = 1 - place
                grad(R, w[place * n : (place + 1) * n], w[(s.G0 + other) * n : (s.G0 + other + 1) * n])
                place = other
            put_triangle(i, w, n, place, results[5])
        return status

    return make_kernel(begin, go_on, end, words=words)


_KERNELS: dict = {}  # what a kernel depends on -> kernel


def _kernel_of(unit, key, own_x, own_sigma, lengths, together, words):
    """The kernel of a method and an objective, kept."""
    whole = (unit, key, own_x, own_sigma, lengths, together, words)
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
            _KERNELS[whole] = _thread_kernel(
                source(unit), value, grad, own_x, own_sigma, lengths, again, pieces.single, words
            )
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
        words = squares_words(where.size, len(lower) > 0)
        self.words = 0 if self.together or words > LOCAL else words
        self.kernel = _kernel_of(
            problem.row.unit, key, own_x, own_sigma, lengths is not None, self.together, self.words
        )
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
        data = Lanes(m, real), own
        if self.words:
            nowhere = np.zeros((1, 1), np.int64), np.zeros((1, 1)), np.zeros((1, 1))
            return *nowhere, *data
        return Lanes(s.N_COUNTERS, np.int64), Lanes(s.N_SCALARS), Lanes(words), *data

    def _results(self, count, n):
        k = self.where.size
        self.results = {
            "x": np.empty((count, n)), "grad": np.empty((count, n)), "fun": np.empty(count),
            "optimality": np.empty(count), "counts": np.zeros((count, 3), np.int64),
            "triangle": np.empty((count if self.problem.covariance else 0, k * (k + 1))),
            "status": np.full(count, _NOT_RUN),
        }  # fmt: skip
        found = [Results(self.results[name]) for name in ("x", "grad", "fun", "optimality", "counts")]
        T = self.results["triangle"]
        return *found, Results(T) if self.problem.covariance else T

    def compile(self):
        """Compile the kernel; TypeError in one line where the user's function can't be."""
        _device.compile(self.kernel, signature_of(self.data), self.problem.fun)

    def run(self, look=None):
        """Run the batch; ``look`` is that of :func:`numopt.cuda._transfer.run_chunks`."""
        problem = self.problem
        limit = None if np.isinf(problem.max_time) else problem.max_time
        run_chunks(self.kernel, self.data, self.results["status"], chunk_size=problem.chunk_size, max_time=limit,
                   look=look, together=self.together)  # fmt: skip

    def found(self):
        """The dict of arrays that ``SquaresProblem`` describes, but for the triangles: see ``put_triangle``."""
        problem, found = self.problem, dict(self.results)
        lost = np.flatnonzero((found["status"] == _NOT_RUN) | (found["status"] == _FAILED))
        for name in ("x", "grad", "fun", "optimality", *(("triangle",) if problem.covariance else ())):
            found[name][lost] = np.nan
        counts = found.pop("counts")
        found |= {name: counts[:, k].copy() for k, name in enumerate(("nit", "nfev", "njev"))}
        found["rows"] = self.rows
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
