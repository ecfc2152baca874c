"""Callables that already are C functions: ``numba.cfunc``, ctypes and cffi pointers, ``scipy.LowLevelCallable``.

They follow the callback ABI::

    fun   double f(double *x, intptr n, void *data)                 value
          double f(double *x, double *g, intptr n, void *data)      value and gradient, with jac=True
    jac   double f(double *x, double *g, intptr n, void *data)      writes the gradient
    hess  double f(double *x, double *H, intptr n, void *data)      writes n x n, row by row
    hessp double f(double *x, double *v, double *out, intptr n, void *data)

``data`` is the user_data of a LowLevelCallable, or the address given in ``args`` (an integer, or an array whose
address is passed), or null.
"""

import ctypes
import sys

import numpy as np


def address_of(function):
    """(address, data address) of a C function; None for anything else."""
    module = type(function).__module__
    if isinstance(function, ctypes._CFuncPtr):
        return ctypes.cast(function, ctypes.c_void_p).value, 0
    if module.startswith("numba.") and type(function).__name__ == "CFunc":
        return function.address, 0
    if module == "_cffi_backend" and "(*)" in str(sys.modules["_cffi_backend"].typeof(function)):
        return int(_cffi().cast("intptr_t", function)), 0
    if type(function).__name__ == "LowLevelCallable":
        found = address_of(function.function)
        if found is None and type(function.function).__name__ == "PyCapsule":
            found = (_capsule_address(function.function), 0)
        return found and (found[0], _data_address(function.user_data))
    return None


def _signature_of(function):
    """(result, arguments) of a C function as texts, or None where nobody knows them."""
    if isinstance(function, ctypes._CFuncPtr):
        if function.argtypes is None:
            return None
        names = [getattr(kind, "__name__", str(kind)) for kind in (function.restype, *function.argtypes)]
        return names[0].removeprefix("c_"), names[1:]
    if type(function).__name__ == "CFunc":
        signature = function._sig
        return {"float64": "double"}.get(str(signature.return_type), str(signature.return_type)), signature.args
    if type(function).__module__ == "_cffi_backend":
        kind = _cffi().typeof(function)
        return kind.result.cname, kind.args
    if type(function).__name__ == "LowLevelCallable" and address_of(function.function) is not None:
        return _signature_of(function.function)
    return None


def check_signature(name, function, words):
    """Raise TypeError for a C function known to take another number of arguments, or to return no double."""
    found = _signature_of(function)
    if found is not None and (found[0] != "double" or len(found[1]) != words):
        raise TypeError(
            f"{name} must be a C function that returns double and takes {words} arguments (numopt.callbacks.pointers);"
            f" the one given returns {found[0]} and takes {len(found[1])}"
        )


def _cffi():
    import cffi

    return cffi.FFI()


def _capsule_address(capsule):
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))


def _data_address(data):
    if data is None:
        return 0
    if isinstance(data, int):
        return data
    if isinstance(data, np.ndarray):
        if not data.flags.c_contiguous:
            raise ValueError("the array whose address a C function is given must be contiguous in memory")
        return data.ctypes.data
    if isinstance(data, ctypes.c_void_p):
        return data.value or 0
    if type(data).__module__ == "_cffi_backend":
        return int(_cffi().cast("intptr_t", data))
    return ctypes.cast(data, ctypes.c_void_p).value or 0


def data_of(args):
    """The data address that ``args`` of a C function stands for."""
    if not args:
        return 0
    if len(args) > 1 or not isinstance(args[0], (int, np.ndarray, ctypes.c_void_p)):
        raise TypeError(
            "args of a C function must be one integer address, ctypes.c_void_p or NumPy array "
            f"(its address is passed); got {len(args)} of {', '.join(type(a).__name__ for a in args)}"
        )
    return _data_address(args[0])
