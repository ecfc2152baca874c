"""Residuals, Jacobians and models compiled by ``numba.njit`` as C functions of the callback ABI."""

from functools import lru_cache

import numpy as np
from numba import carray, types

from numopt.callbacks.arguments import HEAD, loader
from numopt.callbacks.jitted import (
    COMPLEX_STEP,
    FUN,
    JAC,
    RAISED,
    WRONG_SHAPE,
    _call,
    _check_array,
    _compiled_type,
    _export,
    _flag,
)
from numopt.kernels.oracle import goes_on, void_pointer

_real = types.float64
_Z = types.Array(types.complex128, 1, "C")


@lru_cache(maxsize=256)
def residuals(fun, arg_types):
    """The adapter of the residuals."""
    load, call = loader(arg_types), _call(fun)
    _check_array(_compiled_type(fun, "fun", arg_types), 1, "fun")

    def adapter(xp, rp, n, m, data):
        x = carray(void_pointer(xp), (n,), _real)
        ok, r = call((x.copy(), *load(data)))
        if not ok:
            return _flag(data, FUN, RAISED, x, x)
        if r.size != m:
            return _flag(data, FUN, WRONG_SHAPE, x, x)
        out = carray(void_pointer(rp), (m,), _real)
        for i in range(m):
            out[i] = r[i]
        return 0.0

    return _export(adapter, 5)


@lru_cache(maxsize=256)
def jacobian(jac, arg_types):
    """The adapter of the Jacobian."""
    load, call = loader(arg_types), _call(jac)
    _check_array(_compiled_type(jac, "jac", arg_types), 2, "jac")

    def adapter(xp, jp, n, m, data):
        x = carray(void_pointer(xp), (n,), _real)
        ok, J = call((x.copy(), *load(data)))
        if not ok:
            return _flag(data, JAC, RAISED, x, x)
        if J.shape != (m, n):
            return _flag(data, JAC, WRONG_SHAPE, x, x)
        out = carray(void_pointer(jp), (m, n), _real)
        for i in range(m):
            for j in range(n):
                out[i, j] = J[i, j]
        return 0.0

    return _export(adapter, 5)


@lru_cache(maxsize=256)
def complex_jacobian(fun, arg_types):
    """The Jacobian by the complex step."""
    load, call = loader(arg_types), _call(fun)
    returned = _compiled_type(fun, "fun with jac='cs' (complex x)", arg_types, _Z)
    if not (isinstance(returned, types.Array) and isinstance(returned.dtype, types.Complex) and returned.ndim == 1):
        raise TypeError(f"jac='cs' needs a fun that returns complex numbers for complex x; it returns {returned}")

    def adapter(xp, jp, n, m, data):
        x = carray(void_pointer(xp), (n,), _real)
        z = x.astype(np.complex128)
        out = carray(void_pointer(jp), (m, n), _real)
        args = load(data)
        counters = carray(void_pointer(data), (HEAD,), types.int64)[0]
        for j in range(n):
            h = 1e-8 * abs(x[j]) if x[j] != 0.0 else 1e-8  # as in callbacks.python
            z[j] = complex(x[j], h)
            if not goes_on(counters):
                return np.nan
            ok, r = call((z, *args))
            if not ok:
                return _flag(data, COMPLEX_STEP, RAISED, x, x)
            if r.size != m:
                return _flag(data, FUN, WRONG_SHAPE, x, x)
            for i in range(m):
                out[i, j] = r[i].imag / h
            z[j] = x[j]
        return 0.0

    return _export(adapter, 5)


def replay(bound, role, what, x):
    """Call the function that failed in compiled code once more, from Python, where its exception shows itself."""
    function, name = (bound.jac, "jac") if role == JAC else (bound.fun, "fun")
    result = function(x.astype(complex) if role == COMPLEX_STEP else x, *bound.args)
    if what == WRONG_SHAPE:
        shape = (bound.m, x.size) if role == JAC else (bound.m,)
        return ValueError(f"{name} must return an array of shape {shape}; it returned shape {np.shape(result)}")
    return RuntimeError(f"{name} raised an exception in the run, and does not when it is called again at x = {x!r}")
