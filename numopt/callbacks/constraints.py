"""The user's constraints, as the block of words behind numopt.kernels.constraint_blocks."""

import ctypes

import numpy as np

from numopt.callbacks.bind import SCHEMES, address_of_array, kind_of
from numopt.callbacks.pointers import address_of, data_of
from numopt.callbacks.python import PythonCallables, as_array
from numopt.callbacks.residuals import dense
from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels.slots import X_FAILED

# as in numopt.kernels.constraint_blocks, which would import Numba
N_HEAD, N_PART, OWN_TABLE = 15, 12, 10
_CONSTRAINTS = 21  # the place in the words of an objective (numopt.kernels.composite)
_ROLES = {"fun": (0, 5), "jac": (2, 5), "hess": (4, 6)}  # place of the address in a part, machine words of the call


def as_rows(c, rows, label):
    """The values of a constraint as a vector of that length; ValueError where it is another."""
    a = np.asarray(c)
    if a.ndim > 1 or a.size != rows:
        raise ValueError(
            f"{label}: fun must always return {rows} value{'s' if rows > 1 else ''}; it returned shape {a.shape}"
        )
    return as_array(a.reshape(rows), (rows,), f"{label}: fun")


def as_jacobian(J, rows, n, label):
    """A Jacobian as an array (rows, n); a vector where there is one row or one variable; it may be sparse."""
    J = np.asarray(dense(J, n))
    if J.ndim == 1 and J.size == rows * n and (rows == 1 or n == 1):
        J = J.reshape(rows, n)
    return as_array(J, (rows, n), f"{label}: jac")


def as_curvature(H, n, label):
    """A sum of Hessians as an array (n, n); it may be sparse or a linear operator."""
    return as_array(np.asarray(dense(H, n)), (n, n), f"{label}: hess")


def as_python(function, role, rows, args=()):
    """A C function as a Python callable; others are returned as they are."""
    if type(function).__name__ in ("function", "CPUDispatcher", "str", "NoneType"):
        return function
    found = address_of(function)
    if found is None:
        return function
    address, data = found
    call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * _ROLES[role][1])(address)
    where = data or data_of(args)
    if role == "hess":

        def hess(x, v, *args):
            out = np.empty((x.size, x.size))
            call(x.ctypes.data, v.ctypes.data, out.ctypes.data, x.size, rows, where)
            return out

        return hess

    def values(x, *args):
        out = np.empty(rows if role == "fun" else (rows, x.size))
        call(x.ctypes.data, out.ctypes.data, x.size, rows, where)
        return out

    return values


def complex_jacobian(fun, x, args, rows, label):
    """The Jacobian by the complex step."""
    J = np.empty((rows, x.size))
    for j in range(x.size):
        z = x.astype(complex)
        h = 1e-8 * abs(x[j]) if x[j] != 0.0 else 1e-8
        z[j] += 1j * h
        c = np.atleast_1d(fun(z, *args))
        if not np.iscomplexobj(c):
            raise TypeError(
                f"{label}: jac='cs' needs a fun that returns complex numbers for complex x; it returned {c.dtype} data"
            )
        if c.shape != (rows,):
            raise ValueError(f"{label}: fun must always return {rows} values; it returned shape {c.shape}")
        J[:, j] = c.imag / h
    return J


class _Trampolines(PythonCallables):
    """Of all Python callables of one run's constraints, looked up when they are called: a run may serve again."""

    def __init__(self, c, parts, first_x):
        super().__init__(None, None, None, None, (), 0, c)
        self.parts, self.first_x = parts, first_x

    def values(self, b, n):
        """Address of the values of part b; those at the start are known already."""
        views, rows = {}, self.parts[b].rows

        def call(xp, cp, _n, _m, data):
            try:
                x, out, part = views.get(xp), views.get(cp), self.parts[b]
                if x is None:
                    x = views[xp] = _view(xp, n)
                if out is None:
                    out = views[cp] = _view(cp, rows)
                if part.first is not None:
                    first, part.first = part.first, None
                    if x.tobytes() == self.first_x:
                        out[:] = first
                        return 0.0
                c = part.fun(x.copy(), *part.args)
                if type(c) is float and rows == 1:
                    out[0] = c
                elif type(c) is np.ndarray and c.shape == out.shape and c.dtype == out.dtype:
                    out[:] = c
                else:
                    out[:] = as_rows(c, rows, part.label)
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(5, call)

    def slopes(self, b, n):
        """Address of the Jacobian."""
        views, rows, by_complex_step = {}, self.parts[b].rows, isinstance(self.parts[b].jac, str)

        def call(xp, jp, _n, _m, data):
            try:
                x, out, part = views.get(xp), views.get(jp), self.parts[b]
                if x is None:
                    x = views[xp] = _view(xp, n)
                if out is None:
                    out = views[jp] = _view(jp, rows * n).reshape(rows, n)
                if by_complex_step:
                    J = complex_jacobian(part.fun, x, part.args, rows, part.label)
                else:
                    J = part.jac(x.copy(), *part.args)
                if type(J) is not np.ndarray or J.shape != out.shape or J.dtype != out.dtype:
                    J = as_jacobian(J, rows, n, part.label)
                out[:] = J
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(5, call)

    def curvature(self, b, n):
        """Address of the sum of Hessians."""
        rows = self.parts[b].rows

        def call(xp, vp, hp, _n, _m, data):
            try:
                part = self.parts[b]
                H = part.hess(_view(xp, n).copy(), _view(vp, rows).copy(), *part.args)
                _view(hp, n * n)[:] = as_curvature(H, n, part.label).ravel()
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(6, call)


def _view(address, size):
    return np.frombuffer((ctypes.c_double * size).from_address(address), dtype=np.float64)


class BoundConstraints:
    """The words of one run's constraints, and all that must live as long as the run.

    Parameters
    ----------
    parts : list
        Constraints (:class:`numopt.optimize._constraints.Constraint`), of known length.
    x : ndarray
        The start, over all variables of the user's.
    n : int
        Number of free variables.
    fixed : ndarray or None
        The values of fixed variables among all, NaN for the free ones.
    c, table : ndarray
        Counters and table of the run; the table is filled here.
    counters : int
        Address of the counters.
    lower, upper : ndarray (n,)
        Bounds of the free variables.
    steps : ndarray or None
        Absolute difference steps, over all variables.
    composite : ndarray or None
        Words of the objective (numopt.kernels.composite), where the Hessian of the Lagrangian will be asked for.
    """

    def __init__(self, parts, x, n, fixed, c, table, counters, lower, upper, steps=None, composite=None,
                 hess_scheme=3):  # fmt: skip
        self.parts, self.python, self.tables, self.keep = parts, None, [], [lower, upper]
        self.n, self.fixed, self.c, self.counters = n, fixed, c, counters
        self.size = size = n if fixed is None else fixed.size
        self.rows = rows = sum(part.rows for part in parts)
        most = max((part.rows for part in parts), default=0)
        free = None if fixed is None else np.flatnonzero(np.isnan(fixed))
        words = self.words = np.zeros(N_HEAD + N_PART * len(parts), np.int64)
        self.full = None if fixed is None else np.where(np.isnan(fixed), 0.0, fixed)
        hessians = composite is not None and any(part.fun is not None for part in parts)
        differences = any(part.jac in SCHEMES for part in parts if isinstance(part.jac, str))
        values = 3 * most if differences else 0
        matrix = max(size, most if free is not None else 0) * size if hessians or free is not None else 0
        slopes = most * n + 2 * n if hessians else 0
        last = n + rows if differences else 0
        space = np.full(values + matrix + slopes + last, np.nan)
        self.keep += [space, free, steps]
        here = address_of_array(space) if space.size else 0
        there = [here + 8 * k for k in (values, values + matrix, values + matrix + most * n, values + matrix + slopes)]
        words[:4] = counters, len(parts), rows, size
        if free is not None:
            words[4], words[5] = free.ctypes.data, self.full.ctypes.data
        words[6], words[7], words[8], words[9] = there[0], here, there[1], there[2]
        if differences:
            words[10] = there[3]
        words[11], words[12] = address_of_array(lower), address_of_array(upper)
        if steps is not None:
            words[13] = self._per_variable(steps)
        words[14] = hess_scheme
        self.last = space[space.size - last :]
        self.first_x = x.tobytes()
        for b in range(len(parts)):
            self._bind(b, words[N_HEAD + N_PART * b :][:N_PART])
        here = address_of_array(words)
        table[s.A_CON_DATA] = here
        table[s.A_CON], table[s.A_CON_JAC] = units.address("constraints/con"), units.address("constraints/con_jac")
        if composite is not None:
            composite[_CONSTRAINTS] = here
            table[s.A_LAG_HESS] = units.address("constraints/lag_hess")

    def _per_variable(self, steps):
        """The address of one number for each free variable."""
        whole = np.broadcast_to(np.asarray(steps, float), (self.size,))
        a = np.ascontiguousarray(whole if self.fixed is None else whole[np.isnan(self.fixed)])
        self.keep.append(a)
        return a.ctypes.data

    def _bind(self, b, B):
        """Fill the words of part b."""
        part, table = self.parts[b], None
        B[6] = part.rows
        if part.fun is None:
            a = part.A
            if self.fixed is None:
                a = np.append(a.ravel(), np.zeros(part.rows))
            else:
                free = np.isnan(self.fixed)
                a = np.append(a[:, free].ravel(), a[:, ~free] @ self.fixed[~free])
            self.keep.append(a)
            B[9] = address_of_array(a)
            self.tables.append(None)
            return
        B[7] = SCHEMES.get(part.jac, 0) if isinstance(part.jac, str) else 0
        if part.rel_step is not None:
            B[8] = self._per_variable(part.rel_step)
        for role in ("fun", "jac", "hess"):
            function = getattr(part, role)
            if role == "jac" and function == "cs":
                kind = kind_of(part.fun)
                if kind == "pointer":
                    raise ValueError(f"{part.label}: jac='cs' needs a Python or jitted fun")
            elif function is None or isinstance(function, str):
                continue
            else:
                kind = kind_of(function)
            place = _ROLES[role][0]
            if kind == "jitted":
                if table is None:
                    table = self._table(part, B)
                B[place], B[place + 1] = self._jitted(part, role, function), address_of_array(table)
            elif kind == "pointer":
                address, data = address_of(function)
                B[place], B[place + 1] = address, data or data_of(part.args)
            else:
                if self.python is None:
                    self.python = _Trampolines(self.c, self.parts, self.first_x)
                make = {"fun": self.python.values, "jac": self.python.slopes, "hess": self.python.curvature}[role]
                B[place] = make(b, self.size)
        self.tables.append(table)

    def _table(self, part, B):
        """The table of a part's arguments for jitted functions."""
        from numopt.callbacks import arguments

        if not part.args:
            B[OWN_TABLE] = self.counters
            return B[OWN_TABLE:]
        table, keep = arguments.table_of(part.args, self.counters)
        self.keep.append((table, keep))
        return table

    def _jitted(self, part, role, function):
        """The address of a jitted function's adapter."""
        from numba.core.compiler_lock import global_compiler_lock

        from numopt.callbacks import arguments, jitted, jitted_constraints

        with global_compiler_lock:
            types = arguments.types_of(part.args)
            count = (2 if role == "hess" else 1) + len(part.args)
            try:
                if role == "jac" and function == "cs":
                    adapter = jitted_constraints.complex_slopes(jitted.with_arguments(part.fun, count), types)
                else:
                    make = {"fun": jitted_constraints.values, "jac": jitted_constraints.slopes,
                            "hess": jitted_constraints.curvature}[role]  # fmt: skip
                    adapter = make(jitted.with_arguments(function, count), types)
            except TypeError as error:
                raise TypeError(f"{part.label}: {error}") from None
        self.keep.append(adapter)
        return adapter.address

    def error(self, w, weights):
        """The exception of a constraint that ended the run, or None; ``w`` is the run's workspace."""
        if self.python is not None and self.python.error is not None:
            return self.python.error
        first = 0
        for part, table in zip(self.parts, self.tables, strict=True):
            if table is not None and table[1] != 0:
                role, what = divmod(int(table[1]), 10)
                table[1] = 0
                n = self.n
                x = w[X_FAILED * n : (X_FAILED + 1) * n].copy() if self.fixed is None else self.full.copy()
                try:
                    return _replay(part, role, what, x, weights[first : first + part.rows].copy())
                except BaseException as error:
                    return error
            first += part.rows
        return None


def _replay(part, role, what, x, v):
    """Call the function that failed in compiled code once more, from Python, where its exception shows itself."""
    from numopt.callbacks import jitted

    n, label = x.size, part.label
    if role == jitted.COMPLEX_STEP:
        complex_jacobian(part.fun, x, part.args, part.rows, label)
    elif role == jitted.HESS:
        as_curvature(part.hess(x, v, *part.args), n, label)
    elif role == jitted.JAC:
        as_jacobian(part.jac(x, *part.args), part.rows, n, label)
    else:
        as_rows(part.fun(x, *part.args), part.rows, label)
    name = {jitted.HESS: "hess", jitted.JAC: "jac"}.get(role, "fun")
    if what == jitted.WRONG_SHAPE:
        return ValueError(f"{label}: {name} returned an array of another shape in the run than at x = {x!r}")
    return RuntimeError(f"{label}: {name} raised an exception in the run, and does not when called again at x = {x!r}")
