"""Residuals with a sparse Jacobian, as the block of words behind ``kernels.sparse_squares``."""

import ctypes

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.pointers import address_of, data_of
from numopt.callbacks.python import as_array
from numopt.callbacks.residuals import FLOOR, PANEL, PythonResiduals
from numopt.drivers import units
from numopt.kernels import colouring
from numopt.kernels import slots as s
from numopt.kernels import sparse_slots as q
from numopt.kernels import squares_slots as sq
from numopt.kernels.slots import X_FAILED


class Groups:
    """Columns of a sparse matrix in groups that share no row.

    Parameters
    ----------
    structure : csr_array or csr_matrix (m, n), canonical

    Attributes
    ----------
    pointers, members : ndarray of int64
        Where the groups begin, and their columns.
    entry_pointers, rows, places : ndarray of int64
        Where the entries of those columns begin, in that order; their rows, and their places among the values by rows.
    """

    def __init__(self, structure):
        m, n = structure.shape
        row_pointers, columns = structure.indptr.astype(np.int64), structure.indices.astype(np.int64)
        places = np.argsort(columns, kind="stable")
        rows = np.repeat(np.arange(m), np.diff(row_pointers))[places]
        counts = np.bincount(columns, minlength=n)
        first = np.concatenate(([0], np.cumsum(counts)))
        # the order given suits bands and stencils, the fullest columns first what has a few full ones
        found = [_colours(order, first, rows, row_pointers, columns)
                 for order in (np.arange(n), np.argsort(-counts, kind="stable"))]  # fmt: skip
        colours = min(found, key=lambda c: c.max())
        self.members = np.argsort(colours, kind="stable")
        self.pointers = np.concatenate(([0], np.cumsum(np.bincount(colours))))
        self.entry_pointers = np.concatenate(([0], np.cumsum(counts[self.members])))
        order = np.repeat(first[self.members] - self.entry_pointers[:-1], counts[self.members])
        order += np.arange(columns.size)
        self.rows, self.places = rows[order], places[order]

    def __len__(self):
        return self.pointers.size - 1


def _colours(order, first, rows, row_pointers, columns):
    n = order.size
    colours, marks = np.full(n, -1), np.zeros(n + 1, np.int64)
    table = np.zeros(colouring.N_COLOURING, np.int64)
    for slot, array in ((colouring.COLUMN_POINTERS, first), (colouring.ROWS, rows),
                        (colouring.ROW_POINTERS, row_pointers), (colouring.COLUMNS, columns),
                        (colouring.ORDER, order), (colouring.COLOURS, colours), (colouring.MARKS, marks)):  # fmt: skip
        table[slot] = array.ctypes.data
    call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 3)(units.address("sparse/colours"))
    call(table.ctypes.data, n, row_pointers.size - 1)
    return colours


def is_operator(J):
    """Whether this is a linear operator rather than a matrix."""
    return hasattr(J, "matvec") and hasattr(J, "rmatvec")


class SparseResiduals(PythonResiduals):
    """The trampolines of one run; what jac returns is handed to ``keep(J)``."""

    def __init__(self, fun, jac, args, loss, m, c, first, keep, known):
        super().__init__(fun, jac, args, loss, m, c, first)
        self.keep_jacobian, self.known, self.operator = keep, known, None

    def jacobian_address(self):
        """Address of the Jacobian, (x, 0, n, m, data); the one at the start is known already."""

        def call(xp, _, n, m, data):
            try:
                J, self.known = self.known, None
                self.keep_jacobian(self.jac(self._view(xp, n).copy(), *self.args) if J is None else J)
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(5, call)

    def complex_step_address(self, groups, values):
        """Address of a Jacobian by the complex step, a group of columns at a time."""

        def call(xp, _, n, m, data):
            try:
                x = self._view(xp, n)
                steps = np.where(x != 0.0, 1e-8 * np.abs(x), 1e-8)  # as in callbacks.python
                for a in range(len(groups)):
                    first, end = groups.pointers[a : a + 2]
                    mine, entries = groups.members[first:end], groups.entry_pointers[first : end + 1]
                    z = x.astype(complex)
                    z[mine] += 1j * steps[mine]
                    r = np.atleast_1d(self.fun(z, *self.args))
                    if r.shape != (m,):
                        raise ValueError(f"fun must return an array of shape {(m,)}; it returned shape {r.shape}")
                    if not np.iscomplexobj(r):
                        raise TypeError(
                            "jac='cs' needs a fun that returns complex numbers for complex x; it returned "
                            f"{r.dtype} data"
                        )
                    here = slice(entries[0], entries[-1])
                    h = np.repeat(steps[mine], np.diff(entries))
                    values[groups.places[here]] = r.imag[groups.rows[here]] / h
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(5, call)

    def product_address(self, name):
        """Address of products with the operator: ``'matvec'`` (v, u, n, m), ``'rmatvec'`` (u, v, n, m)."""

        def call(vp, up, n, m, data=None):
            try:
                if name == "rmatvec":
                    n, m = m, n
                out = getattr(self.operator, name)(self._view(vp, n).copy())
                if np.shape(out) == (m, 1):
                    out = np.reshape(out, m)
                self._view(up, m)[:] = as_array(out, (m,), f"the {name} of jac's operator")
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(4, call)


class BoundSparse:
    """The addresses of one run's residuals in ``table``, and all that must live as long as the run.

    Parameters
    ----------
    fun, jac
        The user's residuals and Jacobian (a callable, or ``'2-point'``, ``'3-point'``, ``'cs'``).
    args : tuple
    first : (ndarray, ndarray)
        The start and the residuals there.
    given
        The Jacobian at the start, or the structure of it where jac is a scheme of differences.
    problem : dict
        ``loss``, ``f_scale``, ``steps``, ``lower``, ``upper``, ``accuracy``, ``damping``, ``most``.
    c, table : ndarray
        Counters of the run, and its table of machine words, filled here.
    counters, workspace : int
        Addresses of the counters and of the vectors.
    """

    def __init__(self, fun, jac, args, first, given, problem, c, table, counters, workspace):
        self.fun, self.jac, self.args, self.c = fun, jac, args, c
        n, m = self.n, self.m = first[0].size, first[1].size
        self.data_table, self.keep, self.groups, self.operator = None, [], None, None
        self.indptr, self.indices, self.values = None, None, None
        loss, k = problem["loss"], np.zeros(q.N_SPARSE_WORDS, np.int64)
        self.block = k
        kind = kind_of(fun)
        known = first[1] if kind == "python" else None
        keep_known = given if callable(jac) else None
        self.python = SparseResiduals(fun, jac, args, loss, m, c, known, self._keep_jacobian, keep_known)
        getattr(self, "_" + kind)(k, counters)
        if callable(jac):
            k[sq.JACOBIAN] = self.python.jacobian_address()
            self.products = self.python.product_address("matvec"), self.python.product_address("rmatvec")
        else:
            self._difference(k, given)
        if callable(loss):
            k[sq.LOSS_FUNCTION] = self.python.loss_address()
        height = m if callable(loss) else min(m, PANEL)
        three = 3 if self.groups is not None else 0
        self.r, self.at = np.zeros((2, m)), np.full((3, n), np.nan)
        typical = np.abs(first[0])
        typical[typical == 0.0] = 1.0
        arrays = {
            sq.R: self.r, sq.AT: self.at, sq.PANEL: np.empty(4 * height), sq.TYPICAL: typical,
            sq.REALS: np.array([problem["f_scale"], FLOOR]), q.WEIGHTS: np.ones(2 * m), q.LEFT: np.zeros(m),
            q.U: np.zeros(m),
            q.IMAGE: np.zeros(m), q.DIFFERENCES: np.zeros(three * n), q.SHIFTED: np.zeros(2 * m if three else 0),
            q.KEPT_X: np.zeros(n if three else 0), q.ACCURACY: np.array([problem["accuracy"], problem["damping"]]),
        }  # fmt: skip
        self.weights = arrays[q.WEIGHTS]
        for slot, name in ((sq.STEPS, "steps"), (sq.LOWER, "lower"), (sq.UPPER, "upper")):
            if problem[name] is not None:
                arrays[slot] = np.ascontiguousarray(problem[name], float)
        for slot, array in arrays.items():
            k[slot] = array.ctypes.data
        k[sq.M], k[sq.WHOLE], k[sq.HEIGHT], k[sq.C] = m, n, height, counters
        k[sq.SCHEME] = 3 if jac == "3-point" else 2
        k[sq.FIRST_X], k[q.MAX_PRODUCTS] = workspace + 8 * s.X0 * n, problem["most"]
        k[sq.LOSS] = sq.CALLABLE if callable(loss) else sq.LOSSES.index(loss)
        self.keep += [k, arrays]
        table[s.A_DATA] = k.ctypes.data
        for slot, name in ((s.A_VALUE_GRAD, "sparse/value_grad"), (s.A_VALUE, "squares/value"),
                           (s.A_GRAD, "sparse/grad")):  # fmt: skip
            table[slot] = units.address(name)

    def _python(self, k, counters):
        k[sq.RESIDUAL] = self.python.residual_address()

    def _pointer(self, k, counters):
        found = address_of(self.fun)
        k[sq.RESIDUAL], k[sq.RESIDUAL_DATA] = found[0], found[1] or data_of(self.args)
        if self.jac == "cs":
            raise ValueError("jac='cs' needs a Python or jitted fun")

    def _jitted(self, k, counters):
        from numba.core.compiler_lock import global_compiler_lock

        from numopt.callbacks import arguments, jitted, jitted_residuals

        with global_compiler_lock:
            fun, types = jitted.with_arguments(self.fun, 1 + len(self.args)), arguments.types_of(self.args)
            self.data_table, keep = arguments.table_of(self.args, counters)
            adapter = jitted_residuals.residuals(fun, types)
            k[sq.RESIDUAL], k[sq.RESIDUAL_DATA] = adapter.address, self.data_table.ctypes.data
            if self.jac == "cs":
                jitted_residuals.complex_jacobian(fun, types)  # what does not compile is said in one line
        self.keep += [keep, adapter]

    def _difference(self, k, structure):
        """Differences by groups of columns."""
        groups = self.groups = Groups(structure)
        self._keep_pattern(structure.indptr, structure.indices)
        self.values = np.zeros(structure.nnz)
        k[q.VALUES] = self.values.ctypes.data
        if self.jac == "cs":
            k[sq.JACOBIAN] = self.python.complex_step_address(groups, self.values)
        k[q.GROUPS] = len(groups)
        for slot, array in ((q.GROUP_POINTERS, groups.pointers), (q.GROUP_MEMBERS, groups.members),
                            (q.ENTRY_POINTERS, groups.entry_pointers), (q.ENTRY_ROWS, groups.rows),
                            (q.ENTRY_PLACES, groups.places)):  # fmt: skip
            k[slot] = array.ctypes.data

    def _keep_pattern(self, indptr, indices):
        self.indptr, self.indices = indptr.astype(np.int64), indices.astype(np.uint32)
        self.block[q.POINTERS], self.block[q.COLUMNS] = self.indptr.ctypes.data, self.indices.ctypes.data

    def _keep_jacobian(self, J):
        """Take over what jac returned: values alone, where the pattern stays."""
        k, shape = self.block, (self.m, self.n)
        if is_operator(J):
            check_shape(J, shape)
            self.operator = self.python.operator = J
            k[q.FORWARD], k[q.ADJOINT] = self.products
            return
        J = as_rows(J, shape)
        k[q.FORWARD], self.operator = 0, None
        if self.indices is not None and J.nnz == self.indices.size:
            if np.array_equal(J.indptr, self.indptr) and np.array_equal(J.indices, self.indices):
                self.values[:] = J.data
                return
        if not J.has_canonical_format:
            J = J.copy()
            J.sum_duplicates()
        self._keep_pattern(J.indptr, J.indices)
        self.values = np.array(J.data, float)
        k[q.VALUES] = self.values.ctypes.data

    def residuals(self, x, place):
        """The residuals at x, which stands in that place; None if others stand there."""
        return self.r[place].copy() if np.array_equal(self.at[place], x) else None

    def jacobian(self, x, slopes=None):
        """The Jacobian at x with the loss in it, a sparse array or an operator; None if the last was made elsewhere.

        ``slopes``: the weights (m,) of the loss that its rows are to have, in place of the run's, which have a floor.
        """
        if not np.array_equal(self.at[2], x):
            return None
        shape = self.m, self.n
        if self.operator is not None:
            if slopes is None:
                return self.operator
            from scipy.sparse.linalg import LinearOperator

            J, w = self.operator, slopes
            return LinearOperator(
                shape, matvec=lambda v: w * np.ravel(J.matvec(v)), rmatvec=lambda u: J.rmatvec(w * np.ravel(u))
            )
        from scipy.sparse import csr_array

        values = self.values.copy()
        if slopes is not None:
            values *= np.repeat(slopes / self.weights[: self.m], np.diff(self.indptr))
        return csr_array((values, self.indices.astype(np.int32), self.indptr.copy()), shape)

    def jacobian_again(self, x):
        """The Jacobian at x, evaluated without a count."""
        ended, self.c[s.ABORT] = int(self.c[s.ABORT]), 0
        call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 4)(units.address("sparse/grad"))
        x, g = x.copy(), np.empty(x.size)
        call(x.ctypes.data, g.ctypes.data, x.size, self.block.ctypes.data)
        self.c[s.ABORT] = ended
        return self.jacobian(x)

    def error(self, w):
        """The exception of the user's callable that ended the run; ``w`` is the run's workspace."""
        if self.python.error is not None:
            return self.python.error
        if self.data_table is not None and self.data_table[1] != 0:
            from numopt.callbacks.jitted_residuals import replay

            role, what = divmod(int(self.data_table[1]), 10)
            self.data_table[1] = 0
            try:
                return replay(self, role, what, w[X_FAILED * self.n : (X_FAILED + 1) * self.n].copy())
            except BaseException as error:
                return error
        return RuntimeError("a callable failed without an exception")


def check_shape(J, shape):
    """ValueError unless a Jacobian has it."""
    if tuple(J.shape) != shape:
        raise ValueError(f"jac must return a matrix of shape {shape}; it returned shape {tuple(J.shape)}")


def as_rows(J, shape):
    """A matrix by rows (CSR), not copied where it is one."""
    from scipy.sparse import csr_array, issparse

    J = J.tocsr() if issparse(J) else csr_array(np.atleast_2d(np.asarray(J)))
    check_shape(J, shape)
    if J.dtype.kind not in "fiub":
        raise TypeError(f"jac must return real numbers; it returned {J.dtype} data")
    return J
