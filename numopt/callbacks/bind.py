"""Turn the user's callables into the addresses that a compiled solver is called with."""

import ctypes

import numpy as np

from numopt.callbacks.pointers import address_of, data_of
from numopt.callbacks.python import PythonCallables
from numopt.drivers import units
from numopt.kernels.slots import (
    A_DATA,
    A_GRAD,
    A_HESS,
    A_HESSP,
    A_VALUE,
    A_VALUE_GRAD,
    N_COUNTERS,
    N_TABLE,
    V_FAILED,
    X_FAILED,
)

_HEAD = N_TABLE - 2
N_COMPOSITE = 22  # as in numopt.kernels.composite, which would import Numba
_KNOWN: dict = {}  # (fun, jac) -> adapter of value and gradient
_KNOWN_PARTS: dict = {}  # all that _adapters depends on, where there are no arguments -> (addresses, what they need)


def address_of_array(a):
    """Of its first byte; three times as fast as ``ndarray.ctypes.data``."""
    return ctypes.addressof(ctypes.c_byte.from_buffer(a))


SCHEMES = {"2-point": 2, "3-point": 3}


def kind_of(function):
    """``'jitted'``, ``'pointer'`` or ``'python'``."""
    kind = type(function)
    if kind.__name__ == "function":
        return "python"
    if kind.__module__.startswith("numba.") and hasattr(function, "py_func"):
        return "python" if function.targetoptions.get("forceobj") else "jitted"
    return "pointer" if address_of(function) is not None else "python"


class Bound:
    """The addresses of one run's callables in ``table``, and all that must live as long as the run.

    Parameters
    ----------
    fun, jac, hess, hessp
        The user's; ``jac`` is True, a callable, ``'2-point'``, ``'3-point'``, ``'cs'``, ``'inplace'``
        or None (2-point).
    args : tuple
    n : int
    c : ndarray
        Counters of the run.
    table : ndarray
        Table of machine words, filled here.
    counters : int
        Address of the counters.
    lazy : bool
        Whether the value alone, and the gradient afterwards, may be asked for (Armijo backtracking).
    second_order : bool
        Whether Hessians or products will be asked for.
    lower, upper : ndarray (n,) or None
        Bounds that the points of differences respect.
    fixed : ndarray or None
        The values of fixed variables among all, NaN for the n free ones.
    negate : bool
        Whether what the run sees is the negative of fun: for maximisation.
    steps, rel_steps : float or array or None
        Absolute or relative difference steps.
    hess_scheme : int
        2 or 3: differences of the gradient, where no Hessian is given.
    values_only : bool
        Whether only values will be asked for; jac then says no more than what fun returns (True, ``'inplace'``).
    diagonal : bool
        Whether only the diagonal of the given Hessian will be asked for.
    """

    def __init__(self, fun, jac, hess, hessp, args, n, c, table, counters, lazy=False, second_order=False,
                 steps=None, rel_steps=None, hess_scheme=3, values_only=False, diagonal=False, lower=None, upper=None,
                 fixed=None, negate=False):  # fmt: skip
        self.fun, self.jac, self.hess, self.hessp, self.args = fun, jac, hess, hessp, args
        self.n, self.c, self.keep, self.python = n if fixed is None else fixed.size, c, [], None
        self.fixed, self.n_free, self.box = fixed, n, (lower, upper)
        self.data_table, self.counters, self.last = None, counters, None
        self.values_only, self.diagonal = values_only, diagonal
        if not (args or lazy or second_order or hess is not None or fixed is not None or negate):
            adapter = _KNOWN.get((id(fun), self._what(jac)))
            if adapter is not None:
                # the same jitted functions as before, without arguments: their table is its head alone, and stands
                # in the last words of the solver's own table
                self.keep, self.data_table = adapter, table[_HEAD:]
                head = counters + 8 * (N_COUNTERS + _HEAD)
                table[_HEAD], table[A_DATA] = counters, head
                table[A_VALUE if values_only and jac != "inplace" else A_VALUE_GRAD] = adapter.address
                return
        if jac is None and not values_only:
            jac = "2-point"
        scheme = SCHEMES.get(jac, 0) if isinstance(jac, str) else 0
        self.key = None if args else (id(fun), self._what(jac), id(hess), id(hessp), lazy, second_order)
        known = _KNOWN_PARTS.get(self.key)
        if known is not None:
            self.data_table, table[_HEAD] = table[_HEAD:], counters
            parts = {**known[0], "data": counters + 8 * (N_COUNTERS + _HEAD)}
            self.keep.append(known)
        else:
            kind = kind_of(fun)
            for function in (jac, hess, hessp):
                if not (function is None or function is True or isinstance(function, str) or kind_of(function) == kind):
                    kind = "python"
            parts = getattr(self, "_" + kind)(fun, jac, hess, hessp, lazy, scheme, second_order)
        if fixed is not None:
            self._reduce(parts)
        if negate:
            self._negate(parts)
        if values_only and hess is None:
            table[A_VALUE], table[A_VALUE_GRAD] = parts.get("value", 0), parts.get("value_grad", 0)
            table[A_DATA] = parts.get("value_data", parts.get("data", 0))
        elif scheme == 0 and not second_order and not values_only and "pair" not in parts:
            table[A_VALUE_GRAD] = parts["value_grad"]
            table[A_VALUE], table[A_GRAD] = parts.get("value", 0), parts.get("grad", 0)
            table[A_DATA] = parts.get("data", 0)
        else:
            self._compose(parts, table, scheme, second_order, lazy, steps, rel_steps, hess_scheme)

    def _what(self, jac):
        """The second half of a key of ``_KNOWN``."""
        what = jac if jac is True or type(jac) is str else id(jac)
        return ("value", what) if self.values_only else what

    def _python(self, fun, jac, hess, hessp, lazy, scheme, second_order):
        self.python = p = PythonCallables(
            as_callable(fun, "pair" if jac is True else "value"), as_callable(jac, "jac"), as_callable(hess, "hess"),
            as_callable(hessp, "hessp"), self.args, self.n, self.c,
        )  # fmt: skip
        parts = {}
        if scheme == 0 and not self.values_only:
            parts["value_grad"] = p.value_grad()
        if scheme or self.values_only or (lazy and jac is not True):
            parts["value"] = p.value()
        if not scheme and (second_order or (lazy and jac is not True)):
            parts["grad"] = p.grad()
        if hess is not None:
            parts["hess"] = p.hess_address()
        if hessp is not None:
            parts["hessp"] = p.hessp_address()
        return parts

    def _jitted(self, fun, jac, hess, hessp, lazy, scheme, second_order):
        from numba.core.compiler_lock import global_compiler_lock

        with global_compiler_lock:  # Numba's own lock does not cover all that making an adapter takes
            return self._adapters(fun, jac, hess, hessp, lazy, scheme, second_order)

    def _adapters(self, fun, jac, hess, hessp, lazy, scheme, second_order):
        from numopt.callbacks import arguments, jitted

        given = fun, jac, hess, hessp
        fun, jac, hess, hessp = (
            jitted.with_arguments(f, k + len(self.args))
            for f, k in ((fun, 2 if jac == "inplace" else 1), (jac, 1), (hess, 1), (hessp, 2))
        )
        types = arguments.types_of(self.args)
        self.data_table, keep = arguments.table_of(self.args, self.counters)
        parts = {"data": self.data_table.ctypes.data}
        made = {}
        if self.values_only and jac != "inplace":
            made["value"] = jitted.value(fun, jac is True, types)
        elif scheme == 0:
            made["value_grad"] = jitted.value_grad(fun, jac, types)
        separate = jac is not True and jac not in ("cs", "inplace")
        if scheme or (lazy and separate):
            made["value"] = jitted.value(fun, False, types)
        if not scheme and (second_order or (lazy and separate)):
            if callable(jac) and jac is not True:
                made["grad"] = jitted.array(jac, "jac", 1, types)
            else:
                made["grad"] = made["value_grad"]
        if hess is not None:
            made["hess"] = jitted.array(hess, "hess", 2, types)
        if hessp is not None:
            made["hessp"] = jitted.product(hessp, types)
        self.keep += [keep, made]
        addresses = {name: adapter.address for name, adapter in made.items()}
        if len(made) == 1 and not self.args and (self.values_only or "value_grad" in made):
            if len(_KNOWN) >= 256:
                _KNOWN.clear()
            (adapter,) = made.values()
            adapter.numopt_functions = fun, jac  # kept alive: the key is their identity
            _KNOWN[id(fun), self._what(jac)] = adapter
        elif self.key is not None:
            if len(_KNOWN_PARTS) >= 256:
                _KNOWN_PARTS.clear()
            _KNOWN_PARTS[self.key] = addresses, made, given  # kept alive: the key is their identity
        parts.update(addresses)
        return parts

    def _pointer(self, fun, jac, hess, hessp, lazy, scheme, second_order):
        if jac in ("cs", "inplace"):
            raise ValueError(
                f"jac={jac!r} needs a Python or jitted fun; a C function of value and gradient takes jac=True"
            )
        data = data_of(self.args)
        parts = {}
        for name, function in (("value", fun), ("grad", jac), ("hess", hess), ("hessp", hessp)):
            found = address_of(function)
            if found is not None:
                parts[name], parts[name + "_data"] = found[0], found[1] or data
        if jac is True and self.values_only:
            parts["value_grad"], parts["data"] = parts.pop("value"), parts.pop("value_data")
        elif jac is True:
            parts["value_grad"] = parts["grad"] = parts.pop("value")
            parts["data"] = parts["grad_data"] = parts.pop("value_data")
        else:
            parts["pair"] = True  # value and gradient are two functions, maybe with two data
        self.keep.append((fun, jac, hess, hessp))
        return parts

    def _reduce(self, parts):
        """Put the functions of :mod:`numopt.kernels.reduced` in front of those in ``parts``."""
        free = np.flatnonzero(np.isnan(self.fixed)).astype(np.int64)
        n = self.n
        self.full, self.vectors = np.where(np.isnan(self.fixed), 0.0, self.fixed), np.empty((2, n))
        matrix = np.empty(n * n if "hess" in parts else 0)
        self.keep += [free, matrix]
        data = parts.pop("data", 0)
        units_of = {"value": "value", "grad": "vector", "value_grad": "vector", "hess": "matrix", "hessp": "product"}
        for name, unit in units_of.items():
            if name in parts:
                block = np.array([
                    parts[name], parts.get(name + "_data", data), n, free.ctypes.data, self.full.ctypes.data,
                    *(v.ctypes.data for v in self.vectors), matrix.ctypes.data,
                ])  # fmt: skip
                self.keep.append(block)
                parts[name], parts[name + "_data"] = units.address("reduced/" + unit), block.ctypes.data
        if "value_grad" in parts:
            parts["data"] = parts["value_grad_data"]
        parts["pair"] = True  # each function has data of its own

    def _negate(self, parts):
        """Put the functions of :mod:`numopt.kernels.negated` in front of those in ``parts``."""
        data = parts.pop("data", 0)
        units_of = {"value": "value", "grad": "vector", "value_grad": "vector", "hess": "matrix", "hessp": "product"}
        for name, unit in units_of.items():
            if name in parts:
                block = np.array([parts[name], parts.get(name + "_data", data)])
                self.keep.append(block)
                parts[name], parts[name + "_data"] = units.address("negated/" + unit), block.ctypes.data
        if "value_grad" in parts:
            parts["data"] = parts["value_grad_data"]
        parts["pair"] = True

    def _compose(self, parts, table, scheme, second_order, lazy, steps, rel_steps, hess_scheme):
        """Fill ``table`` with the functions of :mod:`numopt.kernels.composite`."""
        get, data, arrays, scratch = parts.get, parts.get("data", 0), [], np.empty(2 * self.n_free)
        words = [0] * N_COMPOSITE
        for slot, name in enumerate(("value", "grad", "hess", "hessp")):
            words[2 * slot], words[2 * slot + 1] = get(name, 0), get(name + "_data", data)
        words[8], words[11], words[12], words[13] = scheme, self.counters, address_of_array(scratch), hess_scheme
        words[14], words[15] = get("value_grad", 0), get("value_grad_data", data)
        words[16] = self.jac is True or self.jac in ("cs", "inplace")
        k = self.composite = np.array(words, np.int64)
        for slot, given in ((9, steps), (10, rel_steps)):
            if given is not None:
                given = np.broadcast_to(np.asarray(given, float), (self.n,))
                arrays.append(np.ascontiguousarray(given if self.fixed is None else given[np.isnan(self.fixed)]))
                k[slot] = arrays[-1].ctypes.data
        if self.box[0] is not None:
            k[17], k[18] = (values.ctypes.data for values in self.box)
        if scheme == 2 and lazy:
            self.last = np.full(self.n_free + 1, np.nan)
            k[20] = self.last.ctypes.data
        self.keep += [k, scratch, arrays]
        if second_order and scheme:
            # the Hessian by differences of a gradient that is itself made of differences
            inner = k.copy()
            self.keep.append(inner)
            k[2], k[3] = units.address("composite/grad"), inner.ctypes.data
        table[A_VALUE_GRAD], table[A_DATA] = units.address("composite/value_grad"), address_of_array(k)
        if self.values_only:
            table[A_VALUE] = units.address("composite/value")
        elif lazy and "value_grad" not in parts:
            table[A_VALUE], table[A_GRAD] = units.address("composite/value"), units.address("composite/grad")
        if self.diagonal:
            if self.hess is not None:
                arrays.append(np.empty(self.n_free * self.n_free))
                k[19] = arrays[-1].ctypes.data
                table[A_HESS] = units.address("composite/diagonal")
        elif second_order:
            table[A_HESS] = units.address("composite/hess")
            table[A_HESSP] = units.address("composite/hessp")

    def error(self, w):
        """The exception of the user's callable that ended the run; ``w`` is the run's workspace."""
        if self.python is not None and self.python.error is not None:
            return self.python.error
        if self.data_table is not None and self.data_table[1] != 0:
            from numopt.callbacks import jitted

            role, what = divmod(int(self.data_table[1]), 10)
            self.data_table[1] = 0
            n = self.n
            if self.fixed is None:
                x, v = (w[k * n : (k + 1) * n].copy() for k in (X_FAILED, V_FAILED))
            else:
                x, v = self.full.copy(), self.vectors[0].copy()
            try:
                return jitted.replay(self, role, what, x, v)
            except BaseException as error:
                return error
        return RuntimeError("a callable failed without an exception")


def as_callable(function, role):
    """A C function as a Python callable, for use beside Python ones; others are returned as they are.

    ``role`` is ``'value'``, ``'pair'`` (value and gradient), ``'jac'``, ``'hess'`` or ``'hessp'``.
    """
    found = None if function is True or isinstance(function, str) else address_of(function)
    if found is None:
        return function
    address, data = found
    word, real = ctypes.c_ssize_t, ctypes.c_double
    call = ctypes.CFUNCTYPE(real, *[word] * {"value": 3, "hessp": 5}.get(role, 4))(address)

    def value(x, *args):
        return call(x.ctypes.data, x.size, data or data_of(args))

    def pair(x, *args):
        g = np.empty_like(x)
        return call(x.ctypes.data, g.ctypes.data, x.size, data or data_of(args)), g

    def jac(x, *args):
        return pair(x, *args)[1]

    def hess(x, *args):
        H = np.empty((x.size, x.size))
        call(x.ctypes.data, H.ctypes.data, x.size, data or data_of(args))
        return H

    def hessp(x, v, *args):
        out = np.empty_like(x)
        call(x.ctypes.data, v.ctypes.data, out.ctypes.data, x.size, data or data_of(args))
        return out

    return {"value": value, "pair": pair, "jac": jac, "hess": hess, "hessp": hessp}[role]
