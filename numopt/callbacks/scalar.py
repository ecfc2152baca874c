"""Functions of one variable as C functions ``double f(double x, void *args, double *out)`` (numopt.scalar.call).

A C function of the user's is ``double f(double x)`` or ``double f(double x, void *user_data)``, as for
``scipy.integrate.quad``.  A function that returns (f, f', f'') writes the last two to ``out``.

What fails answers NaN from then on, so that the run ends soon, and the front door raises the exception.
"""

import ctypes
from array import array
from struct import Struct

from numopt.callbacks.bind import kind_of
from numopt.callbacks.pointers import _signature_of, address_of, data_of
from numopt.callbacks.python import as_value

_real, _word = ctypes.c_double, ctypes.c_ssize_t
_PROTOTYPE = ctypes.CFUNCTYPE(_real, _real, _word, _word)
_TWO_WORDS = ctypes.CFUNCTYPE(_real, _real, _word)
_NAN = float("nan")
_KNOWN: dict = {}  # (identities of functions, kinds of args) -> (functions, adapters, packer of args)
_FORMATS = {float: "d", int: "q"}


class Callables:
    """The addresses of up to three functions of one variable (f, f', f'') and of their arguments.

    Parameters
    ----------
    functions : tuple
        f, or f, f' and f''; the later may be None.
    names : tuple of str
        Their names in messages.
    args : tuple
    cast : type
        What a Python function is called with: float, or numpy.float64, whose arithmetic gives inf and NaN where float's
        raises.
    together : int
        How many values f returns: more than one for (f, f', ...).
    """

    __slots__ = ("addresses", "args", "data", "error", "functions", "keep", "names", "table", "together")

    def __init__(self, functions, names, args, cast, together=1):
        self.functions, self.names, self.args, self.together = functions, names, args, together
        self.error = self.table = None
        self.data = 0
        f = functions[0]
        if type(f).__name__ == "function":
            self._python(cast)
        elif not self._known():
            kinds = {kind_of(g) for g in functions if g is not None}
            getattr(self, "_" + kinds.pop() if len(kinds) == 1 else "_python")(cast)

    def _python(self, cast):
        args = self.args
        self.keep = keep = []
        self.addresses = addresses = []
        for k, function in enumerate(self.functions):
            if function is None:
                addresses.append(0)
                continue
            function = as_callable(function, self.names[k])
            call = self._pair(function, cast) if k == 0 and self.together > 1 else self._value(function, cast, args, k)
            pointer = _PROTOTYPE(call)
            keep.append(pointer)
            addresses.append(ctypes.cast(pointer, ctypes.c_void_p).value)

    def _value(self, function, cast, args, k):
        if cast is float and not args:

            def call(x, data, out):
                try:
                    if self.error is not None:
                        return _NAN
                    y = function(x)
                    return y if type(y) is float else as_value(y)
                except BaseException as error:
                    return self._failed(error, k)
        else:

            def call(x, data, out):
                try:
                    if self.error is not None:
                        return _NAN
                    y = function(cast(x), *args)
                    return y if type(y) is float else as_value(y)
                except BaseException as error:
                    return self._failed(error, k)

        return call

    def _pair(self, function, cast):
        together, args = self.together, self.args

        def call(x, data, out):
            try:
                if self.error is not None:
                    return _NAN
                values = function(cast(x), *args)
                try:
                    y, *derivatives = values
                except TypeError:
                    derivatives = []
                if len(derivatives) < together - 1:
                    wanted = "(f, f', f'')" if together == 3 else "(f, f')"
                    raise TypeError(f"{self.names[0]} must return {wanted}; it returned {values!r:.60}")
                place = (_real * 2).from_address(out)
                for j in range(together - 1):
                    place[j] = as_value(derivatives[j])
                return as_value(y)
            except BaseException as error:
                return self._failed(error, 0)

        return call

    def _failed(self, error, k):
        if self.error is None:
            # what as_value says is about fun
            if isinstance(error, (TypeError, ValueError)) and str(error).startswith("fun must return"):
                error = type(error)(self.names[k] + str(error)[3:])
            self.error = error
        return _NAN

    def _known(self):
        """The same jitted functions as before, with arguments that are floats and integers."""
        entry = _KNOWN.get((*map(id, self.functions), self.together, *map(type, self.args)))
        if entry is None:
            return False
        self.keep, pack = entry
        self.addresses = self.keep[2]
        try:
            words = pack(0, 0, *[v for a in self.args for v in (a, 0)])
        except Exception:  # an integer of more than 64 bits
            return False
        self.table = array("q", words)
        self.data = self.table.buffer_info()[0]
        return True

    def _jitted(self, cast):
        from numba.core.compiler_lock import global_compiler_lock

        with global_compiler_lock:
            from numopt.callbacks import arguments, jitted, scalar_adapters

            types = arguments.types_of(self.args)
            made = []
            for k, function in enumerate(self.functions):
                if function is not None:
                    spelled = jitted.with_arguments(function, 1 + len(self.args))
                    together = self.together if k == 0 else 1
                    made.append(scalar_adapters.adapter(spelled, self.names[k], k, together, types))
                else:
                    made.append(None)
        addresses = tuple(0 if a is None else a.address for a in made)
        self.keep, self.addresses = (self.functions, made, addresses), addresses
        table, keep = arguments.table_of(self.args, 0)
        self.table = array("q", table.tobytes())
        self.data = self.table.buffer_info()[0]
        self.keep += (keep,)
        kinds = tuple(map(type, self.args))
        if all(kind in _FORMATS for kind in kinds):
            if len(_KNOWN) >= 256:
                _KNOWN.clear()
            packer = Struct("qq" + "".join(_FORMATS[kind] + "q" for kind in kinds))
            _KNOWN[(*map(id, self.functions), self.together, *kinds)] = self.keep[:3], packer.pack

    def _pointer(self, cast):
        data = data_of(self.args)
        found = []
        for name, function in zip(self.names, self.functions, strict=False):
            if function is None:
                found.append((0, data))
                continue
            check_signature(name, function)
            address, own = address_of(function)
            found.append((address, own or data))
        if self.together > 1:
            raise TypeError("fprime=True needs a Python or jitted function; a C function returns one double")
        self.addresses, self.data = [address for address, _ in found], found[0][1]
        if any(own != self.data for address, own in found if address):
            self._python(float)  # each with data of its own
        self.keep = getattr(self, "keep", ()), self.functions, self.args

    def check(self):
        """Raise the exception of the user's function that ended the run, if one did."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if self.table is not None and self.table[1] != 0:
            role, self.table[1] = self.table[1] - 1, 0
            (x,) = Struct("d").unpack(Struct("q").pack(self.table[0]))
            self.functions[role](x, *self.args)  # raises, with its traceback
            raise RuntimeError(
                f"{self.names[role]} raised an exception in the run, and does not when it is called again at x = {x!r}"
            )


def check_signature(name, function):
    """Raise TypeError for a C function known to be none of ``double (double)`` and ``double (double, void *)``."""
    found = _signature_of(function)
    if found is not None and not (
        found[0] == "double"
        and len(found[1]) in (1, 2)
        and getattr(found[1][0], "cname", str(found[1][0])) in ("double", "float64", "c_double")
    ):
        raise TypeError(
            f"{name} must be a C function double f(double x) or double f(double x, void *user_data); "
            f"the one given returns {found[0]} and takes {len(found[1])} arguments"
        )


def as_callable(function, name):
    """A C function as a Python callable; others as they are, and TypeError for what can't be called."""
    found = address_of(function)
    if found is None:
        if not callable(function):
            raise TypeError(f"{name} must be callable; got {type(function).__name__}")
        return function
    check_signature(name, function)
    address, data = found
    call = _TWO_WORDS(address)
    return lambda x, *args: call(x, data or data_of(args))
