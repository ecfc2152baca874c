"""The monotonic clock inside compiled code, in seconds.  It is the clock of ``time.monotonic``."""

import sys
import time

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload


def seconds():
    """Seconds of the monotonic clock; in a CUDA kernel, 0."""
    return time.monotonic()


@intrinsic
def _clock(typingctx):
    def posix(context, builder, signature, args):
        word = ir.IntType(64)
        timespec = builder.alloca(ir.ArrayType(word, 2))
        zero = ir.IntType(32)(0)
        prototype = ir.FunctionType(ir.IntType(32), [ir.IntType(32), timespec.type])
        read = builder.module.globals.get("clock_gettime") or ir.Function(builder.module, prototype, "clock_gettime")
        # CLOCK_MONOTONIC is 1 on Linux and 6 on macOS
        builder.call(read, [ir.IntType(32)(6 if sys.platform == "darwin" else 1), timespec])
        whole = builder.load(builder.gep(timespec, [zero, zero]))
        nano = builder.load(builder.gep(timespec, [zero, ir.IntType(32)(1)]))
        double = ir.DoubleType()
        return builder.fadd(builder.sitofp(whole, double), builder.fmul(builder.sitofp(nano, double), double(1e-9)))

    def windows(context, builder, signature, args):
        prototype = ir.FunctionType(ir.IntType(64), [])
        read = builder.module.globals.get("GetTickCount64") or ir.Function(builder.module, prototype, "GetTickCount64")
        return builder.fmul(builder.uitofp(builder.call(read, []), ir.DoubleType()), ir.DoubleType()(1e-3))

    return types.float64(), windows if sys.platform == "win32" else posix


@overload(seconds)
def _seconds():
    return lambda: _clock()
