"""A model of data ``f(x, *params)`` as the block of words behind a sum of squares (``kernels.squares``)."""

import ctypes

import numpy as np

from numopt.callbacks.bind import address_of_array, kind_of
from numopt.callbacks.residuals import FLOOR, PANEL, PythonResiduals, sizes_of
from numopt.callbacks.threads import BLOCK, LEAST, Threads, cores
from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q

_AGREE = 1e-10  # of the largest value: the rounding of two ways to call the same model
_CHECKED = 64 * PANEL  # rows that are compared at a time
# differences of all parameters at once: where the rows are many enough to pay for compiling, the parameters few enough
_AT_ONCE_ROWS, _AT_ONCE_PARAMETERS = 16 * PANEL, 32
_AT_ONCE_BATCH = 1 << 21  # rows of many small problems together
_SHOWS_ITSELF = (TypeError, ValueError)  # what a function of one number answers to an array
_DOUBLE = np.dtype(float)
_word = ctypes.c_ssize_t
_RANGE = ctypes.CFUNCTYPE(ctypes.c_double, *[_word] * 5)


class Inseparable(Exception):
    """The model of some rows is not those rows of the model, or fails."""


class Model:
    """The user's model with its data, and the ways to call it.

    Parameters
    ----------
    function : callable
        ``f(x, *params)``, of all rows, or of a single one.
    jac : callable, str or None
        ``jac(x, *params) -> (m, n)``, or how to take differences.
    x
        The predictors, as the model is to see them.
    m, n : int
        Rows and parameters.
    threads : int or None
        Threads at most; None: as many as there are cores.

    Attributes
    ----------
    single : bool
        Whether the model is one of a single row, and does not take all of them.
    by_rows : {'rows', 'slices', None}
        How compiled code calls it for a range of rows; None: not at all.
    work : int
        Rows of all problems that there are of this model, m of a single one.
    """

    def __init__(self, function, jac, x, m, n, threads):
        self.function, self.jac, self.x, self.m, self.n, self.threads = function, jac, x, m, n, threads
        self.single, self.by_rows, self.doubtful, self.first = False, None, False, True
        self.plain, self.shape = False, (m,)
        self.work = m  # rows of all problems that are to be run
        self.jitted = kind_of(function) == "jitted"
        if self.jitted and isinstance(x, np.ndarray) and x.ndim in (1, 2) and x.shape[-1] == m:
            from numba.core.compiler_lock import global_compiler_lock

            with global_compiler_lock:  # Numba's own does not cover all that making an adapter takes
                self._look()

    def _look(self):
        """How a jitted model can be called."""
        from numopt.callbacks import jitted_models

        self.f, self.x_type, whole, single = jitted_models.forms(
            self.function, self.n, self.x.ndim, self.x.flags.writeable
        )
        self.single = not whole
        possible = self.jac != "cs"
        if callable(self.jac):
            possible = kind_of(self.jac) == "jitted"
        elif self.single and not possible:
            raise ValueError("jac='cs' needs an f of all rows of x; the jitted f takes a single one")
        if possible and not jitted_models.starts_threads(self.f, self.n, self.x_type, single):
            self.by_rows = "rows" if single else "slices"
        # whether there are two ways to call it that may differ
        self.doubtful = whole and (single or self.m > PANEL)

    def values(self, x, params):
        """The model at any x: what it returns, spread over the rows if it is one number."""
        if self.single:
            return self._one_by_one(x, params)
        first, self.first = self.first, False
        try:
            found = self.function(x, *params)
        except _SHOWS_ITSELF:
            # a jitted model of a single row may compile for an array and fail when it meets one
            if (self.jitted and self.by_rows != "rows") or not first or not isinstance(x, np.ndarray) or x.ndim == 0:
                raise
            try:
                found = self._one_by_one(x, params)
            except Exception:
                found = None
            if found is None:
                raise
            self.single = True
            return found
        return self._spread(found, x)

    def _spread(self, found, x):
        """What a model returned as an array, over the rows of x if it is one number."""
        found = np.asarray(found)
        if found.size == 1:
            rows = x.shape[-1] if isinstance(x, np.ndarray) and x.ndim else self.m
            return np.full(rows, found.reshape(-1)[0])
        return found

    def _one_by_one(self, x, params):
        x = np.atleast_1d(x)
        if self.jitted:
            from numopt.callbacks import jitted_models

            call = jitted_models.loop(self.f, self.n, x.ndim)
            return call(np.ascontiguousarray(x, float), np.asarray(params, float))
        rows = x.T if x.ndim == 2 else x
        return np.array([_one(self.function(row, *params)) for row in rows])

    def at(self, params):
        """The model of the data, (m,) numbers; ValueError or TypeError names what is wrong with what f returns."""
        found = self.function(self.x, *params) if self.plain else self.values(self.x, params)
        if type(found) is np.ndarray and found.shape == self.shape and found.dtype == _DOUBLE:
            self.plain = not self.single  # so it will be the next time
            return found
        found = self._spread(found, self.x)
        if found.shape != self.shape:
            shape = f"; xdata has shape {self.x.shape}" if isinstance(self.x, np.ndarray) else ""
            raise ValueError(
                f"f must return an array of shape {(self.m,)}, as ydata has; it returned shape {found.shape}{shape}"
            )
        if found.dtype.kind not in "fiubc":
            raise TypeError(f"f must return real numbers; it returned {found.dtype} data")
        return found

    def derivatives(self, params):
        """``jac`` at the data."""
        return self.jac(self.x, *params)

    def __call__(self, x, *params):
        """The model at any x, as an array."""
        x = np.asarray(x, float) if isinstance(x, (list, tuple, np.ndarray, float, int)) else x
        return np.asarray(self.values(np.atleast_1d(x) if isinstance(x, np.ndarray) else x, params), float)

    def jacobian(self, x, params):
        """Derivatives of the model by its parameters at any x, (k, n): the user's, or central differences."""
        x = np.asarray(x, float) if isinstance(x, (list, tuple, np.ndarray, float, int)) else x
        params = np.asarray(params, float)
        if callable(self.jac):
            J = self.jac(x, *params)
            return np.asarray(J.toarray() if hasattr(J, "toarray") else J, float)
        columns = []
        for j, p in enumerate(params):
            h = np.finfo(float).eps ** (1 / 3) * (abs(p) or 1.0)
            above, below = params.copy(), params.copy()
            above[j], below[j] = p + h, p - h
            columns.append((self(x, *above) - self(x, *below)) / (above[j] - below[j]))
        return np.column_stack(columns)


def _one(value):
    """One number from what a model of a single row returned."""
    if np.ndim(value) != 0:
        raise ValueError("not a number")
    return value


class BoundModel:
    """The addresses of one run's model in ``table``, and all that must live as long as the run.

    The arguments are those of :class:`numopt.callbacks.residuals.BoundSquares`, with a :class:`Model` as ``fun``.
    """

    def __init__(self, fun, jac, args, n, m, first, problem, c, table, counters, workspace, triangles):
        self.model, self.c, self.m, self.python, self.data_table = fun, c, m, None, None
        self.n = whole = fun.n
        k = self.block = np.zeros(q.N_WORDS, np.int64)
        loss = problem["loss"]
        central = fun.jac == "3-point"
        if fun.by_rows is None or problem["cholesky"] is not None or callable(loss):
            height = m if problem["cholesky"] is not None or callable(loss) else min(m, PANEL)
            self._whole(fun, loss, first, k)
            column = m if central else 0
            self.arrays = {q.R: np.empty((2, m)), q.J: np.empty(m * max(n, whole)), q.AT: np.full((3, n), np.nan)}
        else:
            height = PANEL
            from numba.core.compiler_lock import global_compiler_lock

            with global_compiler_lock:
                self._by_rows(fun, n, problem["map"], k, counters)
            column = height * whole if callable(fun.jac) else (n + 1) * height
            self.arrays = {q.MARKS: np.zeros(2 * n + 1 + (n + 1) * whole), q.BLOCK_TRIANGLE: np.empty(n * (n + 1))}
        self.arrays |= {
            q.PANEL: np.empty((n + 6) * height), q.COLUMN: np.empty(column), q.FULL: np.empty(whole),
            q.REALS: np.array([problem["f_scale"], FLOOR]), q.TYPICAL: sizes_of(problem["start"]),
        }  # fmt: skip
        for slot, name in ((q.STEPS, "steps"), (q.SIGMA, "sigma"), (q.CHOLESKY, "cholesky"), (q.Y, "y"),
                           (q.LOWER, "lower"), (q.UPPER, "upper"), (q.MAP, "map")):  # fmt: skip
            if problem[name] is not None:
                self.arrays[slot] = np.ascontiguousarray(problem[name], float)
        for slot, array in self.arrays.items():
            k[slot] = address_of_array(array) if array.size and array.flags.writeable else array.ctypes.data
        k[q.M], k[q.WHOLE], k[q.FREE], k[q.HEIGHT], k[q.C] = m, whole, n, height, counters
        k[q.SCHEME] = 0 if callable(fun.jac) or fun.jac == "cs" else 3 if central else 2
        k[q.TRIANGLES], k[q.FIRST_X], k[q.FIRST_G] = triangles, workspace + 8 * s.X0 * n, workspace + 8 * s.G0 * n
        k[q.LOSS] = q.CALLABLE if callable(loss) else (*q.LOSSES, "callable", "poisson").index(loss)
        table[s.A_DATA] = k.ctypes.data
        for slot, name in ((s.A_VALUE_GRAD, "value_grad"), (s.A_VALUE, "value"), (s.A_GRAD, "grad")):
            table[slot] = units.address("squares/" + name)
        if k[q.RANGE] and m >= LEAST:
            threads = min(fun.threads or cores(), -(-m // BLOCK))
            if threads > 1:
                self.threads = Threads(k, self.arrays, threads, table)

    def _whole(self, model, loss, first, k):
        p = self.python = PythonResiduals(model.at, model.derivatives, (), loss, self.m, self.c, first)
        k[q.RESIDUAL] = p.residual_address()
        if model.jac == "cs":
            k[q.JACOBIAN] = p.complex_address()
        elif callable(model.jac):
            k[q.JACOBIAN] = p.jacobian_address()
        if callable(loss):
            k[q.LOSS_FUNCTION] = p.loss_address()

    def _by_rows(self, model, n, matrix, k, counters):
        from numopt.callbacks import arguments, jitted_models

        f, x_type, single = model.f, model.x_type, model.by_rows == "rows"
        self.data_table, keep = arguments.table_of((model.x,), counters)
        made = {q.RANGE: jitted_models.rows(f, model.n, x_type, single)}
        if callable(model.jac):
            made[q.RANGE_JACOBIAN] = jitted_models.jacobian(model.jac, model.n, x_type, PANEL)
        elif single and self._at_once(model) and n <= _AT_ONCE_PARAMETERS:
            matrix = np.eye(n) if matrix is None else matrix[1:]
            changes = tuple(tuple(np.flatnonzero(row).tolist()) for row in matrix)
            made[q.RANGE_DIFFERENCES] = jitted_models.differences(f, model.n, x_type, PANEL, changes)
        for slot, adapter in made.items():
            k[slot] = adapter.address
        k[q.RANGE_DATA] = self.data_table.ctypes.data
        self.keep = keep, made

    def _at_once(self, model):
        """Whether differences of all parameters at once repay their compiling."""
        return self.m >= _AT_ONCE_ROWS or model.work >= _AT_ONCE_BATCH

    @property
    def doubtful(self):
        """Whether :meth:`check` has anything to compare."""
        return bool(self.block[q.RANGE]) and (self.model.doubtful or self.m > PANEL)

    def check(self, params, whole):
        """Raise Inseparable unless some rows of the model at a time give what all of them at once give."""
        if not self.block[q.RANGE]:
            return
        params, data = np.ascontiguousarray(params, float), int(self.block[q.RANGE_DATA])
        self._check_jacobian(params, data)
        if not self.model.doubtful:
            return
        call, most = _RANGE(int(self.block[q.RANGE])), max(abs(float(whole.max())), abs(float(whole.min())))
        out = np.empty(min(self.m, _CHECKED))
        # a model of a single row does not know how many are asked for
        step = PANEL if self.model.by_rows == "slices" else _CHECKED
        for begin in range(0, self.m, _CHECKED):
            stop = min(begin + _CHECKED, self.m)
            for first in range(begin, stop, step):
                end = min(first + step, stop)
                call(params.ctypes.data, first, end, out.ctypes.data + 8 * (first - begin), data)
            if self.data_table[1] != 0:  # it failed
                self.data_table[1], self.c[s.ABORT] = 0, 0
                raise Inseparable
            here, there = out[: stop - begin], whole[begin:stop]
            if np.array_equal(here, there):
                continue
            with np.errstate(invalid="ignore"):
                good = (np.abs(here - there) <= _AGREE * most) | (here == there) | (np.isnan(here) & np.isnan(there))
            if not good.all():
                raise Inseparable

    def _check_jacobian(self, params, data):
        """The same for the Jacobian, on some rows: the model itself is known to have rows of its own."""
        if not self.block[q.RANGE_JACOBIAN] or self.m <= PANEL:
            return
        model, rows = self.model, min(self.m, 3 * PANEL)
        J, out = np.asarray(model.jac(model.x[..., :rows], *params), float), np.empty((rows, model.n))
        panel = np.empty((model.n, PANEL))
        call = _RANGE(int(self.block[q.RANGE_JACOBIAN]))
        for first in range(0, rows, PANEL):
            end = min(first + PANEL, rows)
            call(params.ctypes.data, first, end, panel.ctypes.data, data)
            out[first:end] = panel[:, : end - first].T
        failed = self.data_table[1] != 0
        self.data_table[1], self.c[s.ABORT] = 0, 0
        if failed or J.shape != out.shape:
            raise Inseparable
        most = np.abs(J).max(axis=0, initial=0.0)
        if not ((np.abs(J - out) <= _AGREE * most) | (J == out) | (np.isnan(J) & np.isnan(out))).all():
            raise Inseparable

    def last_triangle(self, n, place):
        """The triangle, (n, n), that belongs to a place of x."""
        size = n * (n + 1)
        there = (ctypes.c_double * size).from_address(int(self.block[q.TRIANGLES]) + 8 * size * place)
        return np.frombuffer(there).reshape(n, n + 1)[:, :n].copy()

    def triangle(self, z, floor, central):
        """The triangle of the Jacobian at z, (n, n), uncounted.

        ``floor``: the least share of rho' in the weights of a loss; ``central``: by central differences.
        """
        n, k = z.size, self.block
        size = n * (n + 1)
        triangles, g, z = np.empty(2 * size), np.empty(n), z.copy()
        reals, kept = self.arrays[q.REALS], (int(k[q.TRIANGLES]), int(self.c[s.ABORT]))
        k[q.TRIANGLES], self.c[s.ABORT], reals[1] = triangles.ctypes.data, 0, floor
        scheme = int(k[q.SCHEME])
        if central:
            k[q.SCHEME] = 3
            if not k[q.RANGE]:
                self.arrays[q.COLUMN] = np.empty(self.m)
                k[q.COLUMN] = self.arrays[q.COLUMN].ctypes.data
        grad = ctypes.CFUNCTYPE(ctypes.c_double, *[_word] * 4)(units.address("squares/grad"))
        grad(z.ctypes.data, g.ctypes.data, n, k.ctypes.data)
        (k[q.TRIANGLES], self.c[s.ABORT]), reals[1], k[q.SCHEME] = kept, FLOOR, scheme
        return triangles[size:].reshape(n, n + 1)[:, :n]

    def error(self, w):
        """The exception of the user's callable that ended the run; ``w`` is the run's workspace."""
        if self.python is not None and self.python.error is not None:
            return self.python.error
        if self.data_table is not None and self.data_table[1] != 0:
            return Inseparable()  # called for all rows at once its exception shows itself, or is none
        return RuntimeError("a callable failed without an exception")
