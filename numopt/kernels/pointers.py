"""The callback ABI inside compiled code: addresses in, a double out.

A solver calls ``evaluate(P, x, g)``; ``P`` is a :class:`Problem`.  If ``P.fun`` is an integer it is the
address of a C function ``double fun(double *x, double *g, intptr n, void *data)``; otherwise it is a
compiled function of the user's, called directly as ``fun(x, g, data)``.  In plain Python (and in the CUDA
simulator) the direct call is what runs.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

# Slots of the integer block ``c`` that a run carries with it.
NFEV, NIT, MAXITER, MAXFEV, STATUS, ABORT, PAUSE_AT = range(7)
N_COUNTERS = 8


class Problem(NamedTuple):
    """What a solver knows of the objective: a function, its data, and the counters ``c`` of the run."""

    fun: Any
    data: Any
    c: Any


@intrinsic
def array_pointer(typingctx, address):
    """The integer ``address`` as a ``void *`` that ``numba.carray`` takes."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.intp), codegen


@intrinsic
def call_value_grad(typingctx, address, x, g, n, data):
    """``((double (*)(intp, intp, intp, intp)) address)(x, g, n, data)``."""
    word = types.intp

    def codegen(context, builder, signature, args):
        w = context.get_value_type(word)
        prototype = ir.FunctionType(ir.DoubleType(), [w] * 4)
        return builder.call(builder.inttoptr(args[0], prototype.as_pointer()), args[1:])

    return types.float64(word, word, word, word, word), codegen


def evaluate(P, x, g):
    """f(x), with the gradient written to ``g``; counts the call.  NaN once the run was told to abort."""
    P.c[NFEV] += 1
    return P.fun(x, g, P.data)


@overload(evaluate, target="generic")
def _evaluate_overload(P, x, g):
    if isinstance(P.types[0], types.Integer):

        def by_pointer(P, x, g):
            if P.c[ABORT] != 0 or P.c[NFEV] >= P.c[MAXFEV]:
                P.c[ABORT] = max(P.c[ABORT], 1)
                return float("nan")
            P.c[NFEV] += 1
            # x.ctypes.data is unsigned in Numba; the ABI's words are signed.
            xp, gp = types.intp(x.ctypes.data), types.intp(g.ctypes.data)
            return call_value_grad(P.fun, xp, gp, types.intp(x.size), P.data)

        return by_pointer

    def direct(P, x, g):
        P.c[NFEV] += 1
        return P.fun(x, g, P.data)

    return direct
