"""Constraints compiled by ``numba.njit`` as C functions of the callback ABI; one row may be a plain number."""

from functools import lru_cache

import numpy as np
from numba import carray, types

from numopt.callbacks.arguments import HEAD, loader
from numopt.callbacks.jitted import (
    COMPLEX_STEP,
    FUN,
    HESS,
    JAC,
    RAISED,
    WRONG_SHAPE,
    _call,
    _check_array,
    _compiled_type,
    _export,
    _flag,
)
from numopt.callbacks.jitted_residuals import complex_jacobian, jacobian, residuals
from numopt.kernels.oracle import goes_on, void_pointer

_real = types.float64
_X = types.Array(types.float64, 1, "C")
_Z = types.Array(types.complex128, 1, "C")
_NUMBERS = (types.Integer, types.Float, types.Boolean)


@lru_cache(maxsize=512)
def values(fun, arg_types):
    """The adapter of the values."""
    load, call = loader(arg_types), _call(fun)
    returned = _compiled_type(fun, "fun", arg_types)
    if not isinstance(returned, _NUMBERS):
        return residuals(fun, arg_types)

    def adapter(xp, cp, n, m, data):
        x = carray(void_pointer(xp), (n,), _real)
        ok, c = call((x.copy(), *load(data)))
        if not ok:
            return _flag(data, FUN, RAISED, x, x)
        if m != 1:
            return _flag(data, FUN, WRONG_SHAPE, x, x)
        carray(void_pointer(cp), (1,), _real)[0] = float(c)
        return 0.0

    return _export(adapter, 5)


@lru_cache(maxsize=512)
def slopes(jac, arg_types):
    """The adapter of the Jacobian: m x n, or a vector where there is one row or one variable."""
    load, call = loader(arg_types), _call(jac)
    returned = _compiled_type(jac, "jac", arg_types)
    if not (isinstance(returned, types.Array) and returned.ndim == 1):
        return jacobian(jac, arg_types)
    _check_array(returned, 1, "jac")

    def adapter(xp, jp, n, m, data):
        x = carray(void_pointer(xp), (n,), _real)
        ok, J = call((x.copy(), *load(data)))
        if not ok:
            return _flag(data, JAC, RAISED, x, x)
        if (m != 1 and n != 1) or J.size != m * n:
            return _flag(data, JAC, WRONG_SHAPE, x, x)
        out = carray(void_pointer(jp), (m * n,), _real)
        for i in range(m * n):
            out[i] = J[i]
        return 0.0

    return _export(adapter, 5)


@lru_cache(maxsize=512)
def complex_slopes(fun, arg_types):
    """The Jacobian by the complex step."""
    load, call = loader(arg_types), _call(fun)
    returned = _compiled_type(fun, "fun with jac='cs' (complex x)", arg_types, _Z)
    if not isinstance(returned, types.Complex):
        return complex_jacobian(fun, arg_types)

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
            ok, c = call((z, *args))
            if not ok:
                return _flag(data, COMPLEX_STEP, RAISED, x, x)
            if m != 1:
                return _flag(data, FUN, WRONG_SHAPE, x, x)
            out[0, j] = c.imag / h
            z[j] = x[j]
        return 0.0

    return _export(adapter, 5)


@lru_cache(maxsize=512)
def curvature(hess, arg_types):
    """The adapter of the sum of Hessians, hess(x, v)."""
    load, call = loader(arg_types), _call(hess)
    _check_array(_compiled_type(hess, "hess", (_X, *arg_types)), 2, "hess")

    def adapter(xp, vp, hp, n, m, data):
        x, v = carray(void_pointer(xp), (n,), _real), carray(void_pointer(vp), (m,), _real)
        ok, a = call((x.copy(), v.copy(), *load(data)))
        if not ok:
            return _flag(data, HESS, RAISED, x, x)
        if a.shape != (n, n):
            return _flag(data, HESS, WRONG_SHAPE, x, x)
        out = carray(void_pointer(hp), (n * n,), _real)
        for i in range(n):
            for j in range(n):
                out[i * n + j] = a[i, j]
        return 0.0

    return _export(adapter, 6)
