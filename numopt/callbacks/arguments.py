"""Extra arguments of jitted functions, behind the ``data`` of the callback ABI.

They stand in a table of words: after its head, 16 bytes for a number, or the address, shape and strides of an array.
So no solver knows of them.
"""

import numpy as np
from numba import typeof, types
from numba.core import cgutils
from numba.core.errors import NumbaError
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

_word = types.intp
# the head of the table: address of the run's counters, and what failed
HEAD = 2


def loader(arg_types):
    """An intrinsic ``load(data) -> tuple of arguments`` that reads the table behind ``data``."""

    @intrinsic
    def load(typingctx, data):
        result = types.Tuple(arg_types)

        def codegen(context, builder, outer, values):
            word = context.get_value_type(_word)
            cursor = [HEAD]

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
    if getattr(typ, "dtype", typ) == types.float16:
        return False
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
            given = type(arg).__name__ + (f" of dtype {arg.dtype}" if isinstance(arg, (np.ndarray, np.generic)) else "")
            raise TypeError(
                f"args[{k}] can't be passed to a jitted function: {given}; accepted are numbers, NumPy arrays of "
                "numbers in the machine's byte order, and tuples of them"
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


def places_of(args):
    """Where each of the arguments begins in the table."""
    places, place = [], HEAD

    def size(arg):
        if isinstance(arg, tuple):
            return sum(map(size, arg))
        if isinstance(arg, np.ndarray):
            return 1 + 2 * arg.ndim
        return 0 if arg is None else 2

    for arg in args:
        places.append(place)
        place += size(arg)
    return places
