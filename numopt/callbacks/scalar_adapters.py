"""Jitted functions of one variable as C functions ``double f(double x, void *args, double *out)``."""

from functools import lru_cache

import numpy as np
from numba import carray, cfunc, types

from numopt.callbacks.arguments import loader
from numopt.callbacks.jitted import _call, _check_value, _compiled_type
from numopt.kernels.oracle import void_pointer

_real, _word = types.float64, types.intp


@lru_cache(maxsize=256)
def adapter(function, name, role, together, arg_types):
    """The C function; where the function raises it leaves x and 1 + role in the head of its arguments.

    ``together`` is how many values the function returns.
    """
    load, call = loader(arg_types), _call(function)
    returned = _compiled_type(function, name, arg_types, _real)
    code = role + 1
    if together > 1:
        if not (isinstance(returned, types.BaseTuple) and len(returned) >= together):
            wanted = "(f, f', f'')" if together == 3 else "(f, f')"
            raise TypeError(f"{name} must return {wanted}; the jitted function returns {returned}")
        for kind in returned.types:
            _check_value(kind, name)
        second = 2 if together == 3 else 1

        def c_function(x, data, out):
            head = carray(void_pointer(data), (2,), types.int64)
            if head[1] != 0:
                return np.nan
            ok, values = call((x, *load(data)))
            if not ok:
                carray(void_pointer(data), (1,), _real)[0] = x
                head[1] = code
                return np.nan
            derivatives = carray(void_pointer(out), (2,), _real)
            derivatives[0], derivatives[1] = values[1], values[second]
            return float(values[0])
    else:
        _check_value(returned, name)

        def c_function(x, data, out):
            head = carray(void_pointer(data), (2,), types.int64)
            if head[1] != 0:
                return np.nan
            ok, y = call((x, *load(data)))
            if not ok:
                carray(void_pointer(data), (1,), _real)[0] = x
                head[1] = code
                return np.nan
            return float(y)

    return cfunc(_real(_real, _word, _word), error_model="numpy", nogil=True)(c_function)
