"""Arguments of the user's functions on the device: shared ones, and those of which each problem has its own."""

import numpy as np

from numopt.cuda import _objective as o
from numopt.cuda._transfer import Rows


def _wanted(dtype, given):
    """What data of dtype ``given`` are handed over as in a batch of ``dtype``: other kinds than floats as they are."""
    given = np.dtype(given)
    if given.kind == "f":
        return np.dtype(dtype)
    if given.kind == "c":
        return np.dtype(np.complex64 if dtype == np.float32 else np.complex128)
    return given


def _shared(arg, dtype):
    """A shared argument: numbers and arrays in the batch's precision."""
    if isinstance(arg, tuple):
        return tuple(_shared(item, dtype) for item in arg)
    if arg is None or hasattr(arg, "__cuda_array_interface__"):
        return arg
    if isinstance(arg, np.ndarray) and arg.ndim == 0:
        arg = arg[()]  # a device has no use for an array without axes
    if isinstance(arg, np.ndarray):
        return np.ascontiguousarray(arg, _wanted(dtype, arg.dtype))
    if isinstance(arg, (float, np.floating, complex, np.complexfloating)):
        return _wanted(dtype, np.asarray(arg).dtype).type(arg)
    return arg


def arguments(args, dtype):
    """(description of the arguments: see :mod:`numopt.cuda._transfer`, their kinds: see :mod:`numopt.cuda._objective`).

    ``args`` are numbers, arrays, tuples of them, and ``each`` arguments: objects with ``array`` and ``lengths``.
    """
    found, kinds = [], []
    for arg in args:
        if not (hasattr(arg, "array") and hasattr(arg, "lengths")):
            found.append(_shared(arg, dtype))
            kinds.append(o.SHARED)
            continue
        found.append(Rows(arg.array, _wanted(dtype, arg.array.dtype)))
        if arg.lengths is not None:
            found.append(Rows(arg.lengths, np.int64))
            kinds.append(o.RAGGED)
        else:
            kinds.append(o.NUMBER if arg.array.ndim == 1 else o.ARRAY)
    return tuple(found), tuple(kinds)
