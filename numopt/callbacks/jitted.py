"""Functions compiled by ``numba.njit`` as C functions of the callback ABI.

Each gets a small adapter, compiled once for the function and the types of its arguments.  The adapter builds
arrays from addresses, hands the function a copy of x, and looks at the status that Numba's calling convention
returns: a function that raised sets a flag and answers NaN, and the front door calls it once more from Python,
where its exception appears with its traceback.

Extra arguments stand in a table of 16-byte records behind ``data``: a number, or the address, shape and strides
of an array.  So no solver knows of them.
"""

from functools import lru_cache

import numpy as np
from numba import carray, cfunc, njit, typeof, types
from numba.core import cgutils
from numba.core.errors import NumbaError
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from numopt.kernels.oracle import void_pointer
from numopt.kernels.slots import ABORT
from numopt.kernels.status import Status

_FAILED = int(Status.FAILED)
_word, _real = types.intp, types.float64
_X = types.Array(types.float64, 1, "C")
_G = _X
_Z = types.Array(types.complex128, 1, "C")
_READ_ONLY = types.Array(types.float64, 1, "C", readonly=True)
# the head of the table: address of the run's counters
_HEAD = 2


def _call(function):
    """An intrinsic ``call(args) -> (ok, result)`` that reports an exception instead of raising it."""

    @intrinsic
    def call(typingctx, args):
        signature = types.Dispatcher(function).get_call_type(typingctx, tuple(args.types), {})
        result = types.Tuple((types.boolean, signature.return_type))

        def codegen(context, builder, outer, values):
            cres = function.get_compile_result(signature)
            context.active_code_library.add_linking_library(cres.library)
            items = cgutils.unpack_tuple(builder, values[0])
            items = [
                context.cast(builder, item, given, wanted)
                for item, given, wanted in zip(items, args.types, signature.args, strict=True)
            ]
            status, value = context.call_internal_no_propagate(builder, cres.fndesc, signature, items)
            # what a failed call left behind is not a value: put zeros, which every type can hold and drop
            value = builder.select(status.is_ok, value, value.type(None))
            return context.make_tuple(builder, outer.return_type, [status.is_ok, value])

        return result(args), codegen

    return call


def _loader(arg_types):
    """An intrinsic ``load(data) -> tuple of arguments`` that reads the table behind ``data``."""

    @intrinsic
    def load(typingctx, data):
        result = types.Tuple(arg_types)

        def codegen(context, builder, outer, values):
            word = context.get_value_type(_word)
            cursor = [_HEAD]

            def read(typ):
                place = builder.add(values[0], word(8 * cursor[0]))
                return builder.load(builder.inttoptr(place, typ.as_pointer()))

            def build(typ):
                if isinstance(typ, types.BaseTuple):
                    return context.make_tuple(builder, typ, [build(t) for t in typ.types])
                if isinstance(typ, types.Array):
                    address = read(word)
                    cursor[0] += 1
                    shape, strides = [], []
                    for _ in range(typ.ndim):
                        shape.append(read(word))
                        cursor[0] += 1
                        strides.append(read(word))
                        cursor[0] += 1
                    array = context.make_array(typ)(context, builder)
                    item = context.get_data_type(typ.dtype)
                    populate_array(
                        array,
                        data=builder.inttoptr(address, item.as_pointer()),
                        shape=cgutils.pack_array(builder, shape, word),
                        strides=cgutils.pack_array(builder, strides, word),
                        itemsize=word(context.get_abi_sizeof(item)),
                        meminfo=None,
                    )
                    return array._getvalue()
                if isinstance(typ, types.NoneType):
                    return context.get_dummy_value()
                value = read(context.get_data_type(typ))
                cursor[0] += 2
                return context.data_model_manager[typ].from_data(builder, value)

            return context.make_tuple(builder, result, [build(t) for t in arg_types])

        return result(data), codegen

    return load


_SCALARS = (types.Integer, types.Float, types.Complex, types.Boolean)


def _bindable(typ):
    if isinstance(typ, types.BaseTuple):
        return all(_bindable(t) for t in typ.types)
    if isinstance(typ, types.Array):
        return isinstance(typ.dtype, _SCALARS + (types.Record,))
    return isinstance(typ, _SCALARS + (types.NoneType,))


def types_of(args):
    """The Numba types of ``args``; TypeError names the first that can't be bound."""
    found = []
    for k, arg in enumerate(args):
        try:
            typ = typeof(arg)
        except (ValueError, NumbaError, NotImplementedError):
            typ = None
        if typ is None or not _bindable(typ):
            raise TypeError(
                f"args[{k}] can't be passed to a jitted function: {type(arg).__name__}; accepted are numbers, "
                "NumPy arrays of numbers, and tuples of them"
            )
        found.append(typ)
    return tuple(found)


def table_of(args, counters):
    """(table of words, objects to keep alive) for the loader; the head holds the address of the counters."""
    words, keep = [counters, 0], []

    def put(arg):
        if isinstance(arg, tuple):
            for item in arg:
                put(item)
        elif isinstance(arg, np.ndarray):
            keep.append(arg)
            words.append(arg.ctypes.data)
            for size, stride in zip(arg.shape, arg.strides, strict=True):
                words.extend((size, stride))
        elif arg is not None:
            record = np.zeros(16, np.uint8)
            value = np.asarray(arg, dtype=str(typeof(arg)) if not isinstance(arg, bool) else bool)
            record[: value.nbytes] = np.frombuffer(value.tobytes(), np.uint8)
            words.extend(record.view(np.int64).tolist())

    for arg in args:
        put(arg)
    return np.array(words, dtype=np.int64), keep


def is_jitted(function):
    """Whether this is what ``numba.njit`` returns."""
    from numba.core.dispatcher import Dispatcher

    return isinstance(function, Dispatcher)


def _compiled_type(function, name, arg_types, x_type=_X):
    """The type that a jitted function returns; TypeError in one line where it doesn't compile."""
    typing = function.typingctx
    typing.refresh()
    try:
        return types.Dispatcher(function).get_call_type(typing, (x_type, *arg_types), {}).return_type
    except NumbaError as error:
        reason = _first_reason(error)
        given = ", ".join(str(t) for t in ("x: float64 array (n,)", *arg_types))
        raise TypeError(f"{name} does not compile for ({given}): {reason}") from None


def _first_reason(error):
    """The line of Numba's message that says what is wrong, and where."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not set(line) <= set("-^~ ")]
    marks = ("No implementation", "Invalid use", "Unknown attribute", "Untyped global", "Cannot ", "NameError")
    reasons = [line for line in lines if line.startswith(marks)] or [
        line for line in lines if not line.startswith(("Failed in", "During:", "File "))
    ]
    places = [line for line in lines if line.startswith("File ")]
    text = (reasons or lines or ["unknown"])[0]
    return text + (f" [{places[-1].rstrip(':')}]" if places else "")


def _check_value(typ, name="fun"):
    if not isinstance(typ, (types.Integer, types.Float, types.Boolean)):
        raise TypeError(f"{name} must return a real number; the jitted function returns {typ}")


def _check_array(typ, ndim, name):
    if not (isinstance(typ, types.Array) and typ.ndim == ndim and not isinstance(typ.dtype, types.Complex)):
        raise TypeError(f"{name} must return a {ndim}-D array of real numbers; the jitted function returns {typ}")


@njit
def _flag(data, code):
    """Tell the run to end; ``code`` 1: an exception, 2: a wrong shape."""
    head = carray(void_pointer(data), (2,), types.int64)
    head[1] = code
    carray(void_pointer(head[0]), (ABORT + 1,), types.int64)[ABORT] = _FAILED
    return np.nan


@intrinsic
def read_only(typingctx, x):
    """The same array, of a type that can't be written to."""

    def codegen(context, builder, signature, args):
        return args[0]

    return _READ_ONLY(x), codegen


def _export(adapter, words):
    return cfunc(_real(*[_word] * words), error_model="numpy", nogil=True)(adapter)


@lru_cache(maxsize=256)
def value_grad(fun, jac, arg_types):
    """The adapter of value and gradient.  ``jac`` is True, a jitted function, ``'cs'`` or ``'inplace'``."""
    load = _loader(arg_types)
    call_fun = _call(fun)
    if jac == "inplace":
        _check_value(_compiled_type(fun, "fun with jac='inplace' (x is read-only)", (_G, *arg_types), _READ_ONLY))

        def adapter(xp, gp, n, data):
            # no copies: x is read-only for the compiler, g is the solver's own
            x = read_only(carray(void_pointer(xp), (n,), _real))
            ok, f = call_fun((x, carray(void_pointer(gp), (n,), _real), *load(data)))
            return float(f) if ok else _flag(data, 1)

        return _export(adapter, 4)
    if jac is True:
        returned = _compiled_type(fun, "fun", arg_types)
        if not (isinstance(returned, types.BaseTuple) and len(returned) == 2):
            raise TypeError(f"with jac=True fun must return (f, g); the jitted function returns {returned}")
        _check_value(returned.types[0])
        _check_array(returned.types[1], 1, "fun with jac=True")

        def adapter(xp, gp, n, data):
            x = carray(void_pointer(xp), (n,), _real).copy()
            ok, result = call_fun((x, *load(data)))
            if not ok:
                return _flag(data, 1)
            f, slope = result
            if slope.size != n:
                return _flag(data, 2)
            g = carray(void_pointer(gp), (n,), _real)
            for i in range(n):
                g[i] = slope[i]
            return float(f)

        return _export(adapter, 4)
    _check_value(_compiled_type(fun, "fun", arg_types))
    if jac == "cs":
        returned = _compiled_type(fun, "fun with jac='cs' (complex x)", arg_types, _Z)
        if not isinstance(returned, types.Complex):
            raise TypeError(f"jac='cs' needs a fun that returns complex for complex x; it returns {returned}")
        call_complex = _call(fun)

        def adapter(xp, gp, n, data):
            x = carray(void_pointer(xp), (n,), _real)
            z = x.astype(np.complex128)
            g = carray(void_pointer(gp), (n,), _real)
            args = load(data)
            for i in range(n):
                h = 1e-8 * abs(x[i]) if x[i] != 0.0 else 1e-8  # as in callbacks.python
                z[i] = complex(x[i], h)
                ok, f = call_complex((z, *args))
                if not ok:
                    return _flag(data, 1)
                g[i] = f.imag / h
                z[i] = x[i]
            ok, f = call_fun((x.copy(), *args))
            return float(f) if ok else _flag(data, 1)

        return _export(adapter, 4)
    _check_array(_compiled_type(jac, "jac", arg_types), 1, "jac")
    call_jac = _call(jac)

    def adapter(xp, gp, n, data):
        x = carray(void_pointer(xp), (n,), _real).copy()
        args = load(data)
        ok, f = call_fun((x, *args))
        if not ok:
            return _flag(data, 1)
        good, slope = call_jac((carray(void_pointer(xp), (n,), _real).copy(), *args))
        if not good:
            return _flag(data, 1)
        if slope.size != n:
            return _flag(data, 2)
        g = carray(void_pointer(gp), (n,), _real)
        for i in range(n):
            g[i] = slope[i]
        return float(f)

    return _export(adapter, 4)


@lru_cache(maxsize=256)
def value(fun, pair, arg_types):
    """The adapter of the value alone; ``pair`` where fun returns (f, g)."""
    load, call = _loader(arg_types), _call(fun)
    returned = _compiled_type(fun, "fun", arg_types)
    if pair:

        def adapter(xp, n, data):
            ok, result = call((carray(void_pointer(xp), (n,), _real).copy(), *load(data)))
            return float(result[0]) if ok else _flag(data, 1)
    else:
        _check_value(returned)

        def adapter(xp, n, data):
            ok, f = call((carray(void_pointer(xp), (n,), _real).copy(), *load(data)))
            return float(f) if ok else _flag(data, 1)

    return _export(adapter, 3)


@lru_cache(maxsize=256)
def array(function, name, ndim, arg_types):
    """The adapter of a gradient (ndim 1) or of a Hessian (ndim 2)."""
    load, call = _loader(arg_types), _call(function)
    _check_array(_compiled_type(function, name, arg_types), ndim, name)
    if ndim == 1:

        def adapter(xp, outp, n, data):
            ok, a = call((carray(void_pointer(xp), (n,), _real).copy(), *load(data)))
            if not ok:
                return _flag(data, 1)
            if a.size != n:
                return _flag(data, 2)
            out = carray(void_pointer(outp), (n,), _real)
            for i in range(n):
                out[i] = a[i]
            return 0.0
    else:

        def adapter(xp, outp, n, data):
            ok, a = call((carray(void_pointer(xp), (n,), _real).copy(), *load(data)))
            if not ok:
                return _flag(data, 1)
            if a.shape != (n, n):
                return _flag(data, 2)
            out = carray(void_pointer(outp), (n * n,), _real)
            for i in range(n):
                for j in range(n):
                    out[i * n + j] = a[i, j]
            return 0.0

    return _export(adapter, 4)


@lru_cache(maxsize=256)
def product(function, arg_types):
    """The adapter of a Hessian-vector product."""
    load, call = _loader(arg_types), _call(function)
    _check_array(_compiled_type(function, "hessp", (_X, *arg_types)), 1, "hessp")

    def adapter(xp, vp, outp, n, data):
        x, v = carray(void_pointer(xp), (n,), _real).copy(), carray(void_pointer(vp), (n,), _real).copy()
        ok, a = call((x, v, *load(data)))
        if not ok:
            return _flag(data, 1)
        if a.size != n:
            return _flag(data, 2)
        out = carray(void_pointer(outp), (n,), _real)
        for i in range(n):
            out[i] = a[i]
        return 0.0

    return _export(adapter, 5)
