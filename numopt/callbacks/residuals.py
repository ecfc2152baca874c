"""Residuals and Jacobians, or a model of data, as the block of words behind a sum of squares (kernels.squares)."""

import ctypes

import numpy as np

from numopt.callbacks.bind import address_of_array, kind_of
from numopt.callbacks.pointers import address_of, data_of
from numopt.callbacks.python import PythonCallables, as_array
from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q
from numopt.kernels.slots import N_COUNTERS, N_TABLE, X_FAILED

FLOOR = 0.1  # of rho': see (2) of numopt.kernels.squares
HEAD = N_TABLE - 2  # the table of arguments is its head alone where there are none: it stands in the last words there
PANEL = 256  # rows: a panel of a few columns stays in the nearest cache


class SparseJacobianError(TypeError):
    """What was prepared for a dense Jacobian has met a sparse one."""


def is_sparse(J):
    """Whether this is a sparse matrix or a linear operator."""
    return type(J) is not np.ndarray and (hasattr(J, "tocsr") or (hasattr(J, "matvec") and hasattr(J, "rmatvec")))


def dense(J, n):
    """A Jacobian of n columns that may be sparse as an array."""
    if not is_sparse(J):
        return J
    return J.toarray() if hasattr(J, "toarray") else J @ np.eye(n)


class PythonResiduals(PythonCallables):
    """The trampolines of one run."""

    def __init__(self, fun, jac, args, loss, m, c, first):
        super().__init__(fun, jac, None, None, args, 0, c)
        self.loss, self.m, self.first = loss, m, first

    def residual_address(self):
        """Address of the residuals; those at the start, which are what is asked for first, are known already."""
        m, views = self.m, self.views

        def call(xp, rp, n, _m, data):
            try:
                out = views.get(rp) if rp in views else self._view(rp, m)
                if self.first is not None:
                    out[:], self.first = self.first, None
                    return 0.0
                r = self.fun((views.get(xp) if xp in views else self._view(xp, n)).copy(), *self.args)
                if type(r) is not np.ndarray or r.shape != out.shape or r.dtype != out.dtype:
                    r = as_array(np.atleast_1d(r), (m,), "fun")
                out[:] = r
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(5, call)

    def complex_address(self):
        """Address of a Jacobian by the complex step."""

        def call(xp, jp, n, m, data):
            try:
                x = self._view(xp, n)
                J = self._view_of(jp, m * n).reshape(m, n)
                for j in range(n):
                    z = x.astype(complex)
                    h = 1e-8 * abs(x[j]) if x[j] != 0.0 else 1e-8
                    z[j] += 1j * h
                    r = np.atleast_1d(self.fun(z, *self.args))
                    if r.shape != (m,):
                        raise ValueError(f"fun must return an array of shape {(m,)}; it returned shape {r.shape}")
                    if not np.iscomplexobj(r):
                        raise TypeError(
                            "jac='cs' needs a fun that returns complex numbers for complex x; it returned "
                            f"{r.dtype} data"
                        )
                    J[:, j] = r.imag / h
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(5, call)

    def jacobian_address(self):
        """Address of the Jacobian."""
        views, m = self.views, self.m
        matrices: dict = {}

        def call(xp, jp, n, _m, data):
            try:
                out = matrices.get(jp)
                if out is None:
                    out = matrices[jp] = self._view_of(jp, m * n).reshape(m, n)
                J = self.jac((views.get(xp) if xp in views else self._view(xp, n)).copy(), *self.args)
                if type(J) is not np.ndarray or J.shape != out.shape or J.dtype != out.dtype:
                    if is_sparse(J):
                        raise SparseJacobianError("jac returned a sparse matrix or a LinearOperator")
                    if m == 1 or n == 1:
                        J = np.asarray(J).reshape(m, n) if np.size(J) == m * n else J
                    J = as_array(J, (m, n), "jac")
                out[:] = J
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(5, call)

    def loss_address(self):
        """Address of a loss."""
        loss = self.loss

        def call(zp, outp, count, data):
            try:
                rho = loss(self._view_of(zp, count).copy())
                self._view_of(outp, 3 * count)[:] = as_array(rho, (3, count), "loss").ravel()
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(4, call)

    def _view_of(self, address, size):
        """Not kept: the last panel is shorter than the others."""
        return np.frombuffer((ctypes.c_double * size).from_address(address), dtype=np.float64)


def kind_of_both(fun, jac):
    """``'jitted'``, ``'pointer'`` or ``'python'``, as that is how they are called where they differ."""
    kind = kind_of(fun)
    return "python" if callable(jac) and jac is not fun and kind_of(jac) != kind else kind


def sizes_of(x):
    """Of variables, by what they are at the start: 1 for zero."""
    sizes = np.abs(x)
    sizes[sizes == 0.0] = 1.0
    return sizes


class BoundSquares:
    """The addresses of one run's residuals in ``table``, and all that must live as long as the run.

    Parameters
    ----------
    fun, jac
        The user's residuals and Jacobian (a callable, or ``'2-point'``, ``'3-point'``, ``'cs'``).
    args : tuple
    n, m : int
    first : ndarray (m,) or None
        The residuals at the start.
    problem : dict
        ``loss``, ``f_scale``, ``steps``, ``y``, ``sigma``, ``cholesky``, ``lower``, ``upper``, ``map``, ``start``.
    c, table : ndarray
        Counters of the run, and its table of machine words, filled here.
    counters, workspace, triangles : int
        Addresses of the counters, of the vectors, and of the two triangles.
    """

    def __init__(self, fun, jac, args, n, m, first, problem, c, table, counters, workspace, triangles):
        self.fun, self.jac, self.args, self.c, self.m, self.table = fun, jac, args, c, m, table
        self.n = whole = n if problem["map"] is None else problem["map"].shape[1]
        self.keep, self.python, self.data_table = [], None, None
        k = self.block = np.zeros(q.N_WORDS, np.int64)
        scheme = {"2-point": 2, "3-point": 3}.get(jac, 0) if isinstance(jac, str) else 0
        loss = problem["loss"]
        self.kind = kind_of_both(fun, jac)
        self.bind(self.kind, loss, first, counters)
        height = m if problem["cholesky"] is not None or callable(loss) else min(m, PANEL)
        self.J, self.r, self.at = np.empty(m * max(n, whole)), np.empty(2 * m), np.full(3 * n, np.nan)
        arrays = {
            q.R: self.r, q.J: self.J, q.PANEL: np.empty((n + 6) * height), q.AT: self.at,
            q.COLUMN: np.empty(m if scheme == 3 else 0), q.TYPICAL: sizes_of(problem["start"]),
            q.REALS: np.array([problem["f_scale"], FLOOR]),
        }  # fmt: skip
        for slot, name in ((q.STEPS, "steps"), (q.SIGMA, "sigma"), (q.CHOLESKY, "cholesky"), (q.Y, "y"),
                           (q.LOWER, "lower"), (q.UPPER, "upper"), (q.MAP, "map")):  # fmt: skip
            if problem[name] is not None:
                arrays[slot] = np.ascontiguousarray(problem[name], float)
        if problem["map"] is not None:
            arrays[q.FULL] = self.full = np.empty(whole)
        for slot, array in arrays.items():
            k[slot] = array.ctypes.data
        k[q.M], k[q.WHOLE], k[q.SCHEME], k[q.HEIGHT], k[q.C] = m, whole, scheme, height, counters
        k[q.TRIANGLES], k[q.FIRST_X], k[q.FIRST_G] = triangles, workspace + 8 * s.X0 * n, workspace + 8 * s.G0 * n
        k[q.LOSS] = q.CALLABLE if callable(loss) else (*q.LOSSES, "callable", "poisson").index(loss)
        self.arrays = arrays
        table[s.A_DATA] = k.ctypes.data
        for slot, name in ((s.A_VALUE_GRAD, "value_grad"), (s.A_VALUE, "value"), (s.A_GRAD, "grad")):
            table[slot] = units.address("squares/" + name)

    def bind(self, kind, loss, first, counters):
        """Put the addresses of the user's functions into the block."""
        getattr(self, "_" + kind)(self.fun, self.jac, loss, first, self.block, counters)

    def _python(self, fun, jac, loss, first, k, counters):
        self.python = p = PythonResiduals(
            self._callable(fun, "fun"), self._callable(jac, "jac"), self.args, loss, self.m, self.c, first
        )
        k[q.RESIDUAL] = p.residual_address()
        if jac == "cs":
            k[q.JACOBIAN] = p.complex_address()
        elif callable(jac):
            k[q.JACOBIAN] = p.jacobian_address()
        if callable(loss):
            k[q.LOSS_FUNCTION] = p.loss_address()

    def _callable(self, function, name):
        """A C function as a Python callable, for use beside Python ones."""
        found = None if isinstance(function, str) or function is None else address_of(function)
        if found is None:
            return function
        address, data = found
        call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 5)(address)

        def residual(x, *args):
            out = np.empty(self.m if name == "fun" else (self.m, x.size))
            call(x.ctypes.data, out.ctypes.data, x.size, self.m, data or data_of(args))
            return out

        return residual

    def _jitted(self, fun, jac, loss, first, k, counters):
        from numba.core.compiler_lock import global_compiler_lock

        from numopt.callbacks import arguments, jitted, jitted_residuals

        with global_compiler_lock:
            fun, given = jitted.with_arguments(fun, 1 + len(self.args)), callable(jac)
            jac = jitted.with_arguments(jac, 1 + len(self.args)) if given else jac
            types = arguments.types_of(self.args)
            if self.args:
                self.data_table, keep = arguments.table_of(self.args, counters)
                data = address_of_array(self.data_table)
            else:
                self.data_table, keep = self.table[HEAD:], None
                self.table[HEAD], data = counters, counters + 8 * (N_COUNTERS + HEAD)
            adapters = [jitted_residuals.residuals(fun, types)]
            k[q.RESIDUAL], k[q.RESIDUAL_DATA] = adapters[0].address, data
            if given or jac == "cs":
                adapters.append(
                    jitted_residuals.jacobian(jac, types) if given else jitted_residuals.complex_jacobian(fun, types)
                )
                k[q.JACOBIAN], k[q.JACOBIAN_DATA] = adapters[1].address, data
        self.keep += [keep, adapters, self.data_table]
        if callable(loss):
            self.python = PythonResiduals(None, None, (), loss, self.m, self.c, None)
            k[q.LOSS_FUNCTION] = self.python.loss_address()

    def _pointer(self, fun, jac, loss, first, k, counters):
        if jac == "cs":
            raise ValueError("jac='cs' needs a Python or jitted fun")
        data = data_of(self.args)
        for function, slot in ((fun, q.RESIDUAL), (jac, q.JACOBIAN)):
            found = None if isinstance(function, str) else address_of(function)
            if found is not None:
                k[slot], k[slot + 1] = found[0], found[1] or data
        self.keep.append((fun, jac))
        if callable(loss):
            self.python = PythonResiduals(None, None, (), loss, self.m, self.c, None)
            k[q.LOSS_FUNCTION] = self.python.loss_address()

    def residuals(self, z, place):
        """The residuals at z, which stands in that place of x; None if others stand there."""
        n, m = z.size, self.m
        if self.at[place * n : (place + 1) * n].tobytes() != z.tobytes():
            return None
        return self.r[place * m : (place + 1) * m].copy()

    def jacobian(self, z):
        """The Jacobian at z, (m, variables of the user's), in the free variables alone if made by differences.

        None if the last one was made elsewhere.
        """
        n, m = z.size, self.m
        if self.at[2 * n :].tobytes() != z.tobytes():
            return None
        if self.block[q.JACOBIAN]:
            return self.J[: m * self.n].reshape(m, self.n).copy()
        return self.J[: m * n].reshape(n, m).T.copy()

    def evaluate_again(self, w, place, n):
        """Have residuals and Jacobian stand there for the point in that place of x, evaluated without a count.

        The triangle and the gradient of that place are made anew with them.
        """
        ended, self.c[s.ABORT] = int(self.c[s.ABORT]), 0
        call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 4)(units.address("squares/grad"))
        there = address_of_array(w)
        call(there + 8 * (s.X0 + place) * n, there + 8 * (s.G0 + place) * n, n, address_of_array(self.block))
        self.c[s.ABORT] = self.c[s.ABORT] or ended

    def error(self, w):
        """The exception of the user's callable that ended the run; ``w`` is the run's workspace."""
        if self.python is not None and self.python.error is not None:
            return self.python.error
        if self.data_table is not None and self.data_table[1] != 0:
            from numopt.callbacks.jitted_residuals import replay

            role, what = divmod(int(self.data_table[1]), 10)
            self.data_table[1] = 0
            n = self.n
            x = self.full.copy() if self.block[q.MAP] else w[X_FAILED * n : (X_FAILED + 1) * n].copy()
            try:
                return replay(self, role, what, x)
            except BaseException as error:
                return error
        return RuntimeError("a callable failed without an exception")
