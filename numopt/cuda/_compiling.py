"""How numba-cuda compiles here: what it lacks for functions that are written for the CPU, and small code.

A model that is written with ``np.exp`` fits on the CPU, by rows of it; for the device numba-cuda knows ``math.exp``
only.  Its table of such functions is completed here: functions of real numbers by those of NVIDIA's library that stand
behind ``math``, arithmetic by what Numba makes of it everywhere.

``x ** 0.5`` is a square root on the CPU, where LLVM knows that; the device's ``pow`` takes some two hundred
instructions for it.  Here it asks whether the exponent is 0.5, which compiling answers where that is a constant.

A solver in one kernel is long code.  NVIDIA's compiler unrolls loops whose length it does not know, which makes the
code of a fit 630 KB, and takes most of the time of compiling.  Told not to, it makes 250 KB in a quarter of the time;
on an H200 such a kernel took 13 % longer, where a million fits take a fifth of a second.
"""

import math
import operator
from contextlib import contextmanager

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

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


_SMALL = "unroll-runtime=0 -unroll-allow-partial=0 -unroll-threshold=100"  # for LLVM, behind -Xopt


def jit(function):
    """A CUDA kernel; its machine code is made at once, not at link time, where loops would be unrolled after all."""
    from numba import cuda

    return cuda.jit(function) if _device.simulated() else cuda.jit(lto=False)(function)


@intrinsic
def _barrier(typingctx):
    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.nvvm.barrier.sync")
        builder.call(function, [ir.Constant(ir.IntType(32), 0)])
        return context.get_dummy_value()

    return types.void(), codegen


@njit
def barrier():
    """A barrier of a block that threads of the same warp may come to at different places of the program.

    ``cuda.syncthreads`` is ``bar.sync``, which is undefined there: it takes all threads of a warp for one.
    """
    _barrier()


@contextmanager
def small_code():
    """Have NVIDIA's compiler leave loops as they are; where it does not know how, it compiles as ever."""
    try:
        from numba.cuda.cudadrv import nvvm

        compile_ir = nvvm.compile_ir
        known = nvvm.NVVM().check_options([b"-Xopt", b"-" + _SMALL.encode()])
    except Exception:  # whatever a version lacks, this is no reason to stop
        known = False
    if not known:
        yield
        return

    def small(llvmir, **options):
        return compile_ir(llvmir, **options, **{"Xopt": None, _SMALL: None})  # they are handed over in this order

    nvvm.compile_ir = small
    try:
        yield
    finally:
        nvvm.compile_ir = compile_ir


def complete():
    """Tell numba-cuda; one that keeps these things elsewhere is left as it is."""
    if _device.simulated():
        return
    try:
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
