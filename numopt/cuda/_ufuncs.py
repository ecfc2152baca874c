"""What numba-cuda lacks for functions that are written for the CPU: NumPy's functions of numbers, and square roots.

A model that is written with ``np.exp`` fits on the CPU, by rows of it; for the device numba-cuda knows ``math.exp``
only.  Its table of such functions is completed here: functions of real numbers by those of NVIDIA's library that stand
behind ``math``, arithmetic by what Numba makes of it everywhere.

``x ** 0.5`` is a square root on the CPU, where LLVM knows that; the device's ``pow`` takes some two hundred
instructions for it.  Here it asks whether the exponent is 0.5, which compiling answers where that is a constant.
"""

import math
import operator

import numpy as np

from numopt.cuda import _device

_BY_MATH = {
    np.exp: math.exp, np.exp2: math.exp2, np.expm1: math.expm1, np.log1p: math.log1p,
    np.sqrt: math.sqrt, np.fabs: math.fabs, np.absolute: math.fabs, np.floor: math.floor, np.ceil: math.ceil,
    np.trunc: math.trunc,
}  # fmt: skip
_ARITHMETIC = (
    np.absolute, np.add, np.subtract, np.multiply, np.negative, np.positive, np.square, np.reciprocal, np.sign,
    np.power, np.isfinite, np.isinf,
)  # fmt: skip


def complete():
    """Tell numba-cuda; one that keeps these things elsewhere is left as it is."""
    if _device.simulated():
        return
    try:
        from numba.core import types
        from numba.cuda import mathimpl, ufuncs
        from numba.cuda.np import ufunc_db as everywhere

        table, of_math = ufuncs.ufunc_db(), mathimpl.get_unary_impl_for_fn_and_ty
        lower, power = mathimpl.lower, mathimpl.get_binary_impl_for_fn_and_ty
    except (ImportError, AttributeError):
        return
    for ufunc in _ARITHMETIC:
        try:
            table.setdefault(ufunc, everywhere.get_ufunc_info(ufunc))
        except (AttributeError, KeyError):
            continue
    for ufunc, function in _BY_MATH.items():

        def by_math(context, builder, sig, args, function=function):
            return of_math(function, sig.args[0])(context, builder, sig, args)

        table[ufunc] = {**table.get(ufunc, {}), "f->f": by_math, "d->d": by_math}

    def powers(context, builder, sig, args):
        x, y = args
        place = builder.alloca(x.type)
        with builder.if_else(builder.fcmp_ordered("==", y, y.type(0.5))) as (root, other):
            with root:
                unary = sig.return_type(sig.args[0])
                builder.store(of_math(math.sqrt, sig.args[0])(context, builder, unary, (x,)), place)
            with other:
                builder.store(power(math.pow, sig.args[0])(context, builder, sig, args), place)
        return builder.load(place)

    for real in (types.float32, types.float64):
        for operation in (operator.pow, operator.ipow, pow):
            lower(operation, real, real)(powers)
