"""The function of one variable as an algorithm sees it: ``call(f, x, args)``.

Where f is an integer it is the address of a C function ``double f(double x, void *args, double *out)``, and args is an
address too: so the front doors call, and nothing is recompiled for a new function.  (C's calling conventions let a
function leave its last arguments alone: ``double f(double)`` will do.)  Otherwise f is a compiled function of the
user's, called as ``f(x, *args)``.
"""

import math

from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic, overload

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer

COMBINED = 1  # stands in place of the address of f': f itself writes f' and f'' to out

# the array of doubles that a unit is called with: arguments first, results in the same place
N_SCALAR = 16
P_OUT = 14  # where f' and f'' are left


@intrinsic
def by_address(typingctx, address, x, data, out):
    """Call the C function at an address."""
    real, word = types.float64, types.intp

    def codegen(context, builder, signature, args):
        kinds = [context.get_value_type(kind) for kind in (real, word, word)]
        prototype = ir.FunctionType(context.get_value_type(real), kinds)
        return builder.call(builder.inttoptr(args[0], prototype.as_pointer()), args[1:])

    return real(word, real, word, word), codegen


def call(f, x, args):
    """f(x)."""
    return float(f(x, *args))


@overload(call, target="generic")
def _call(f, x, args):
    if isinstance(f, types.Integer):
        return lambda f, x, args: by_address(f, x, args, 0)
    return lambda f, x, args: float(f(x, *args))


@kernel
def call_or_inf(f, x, args):
    """f(x), and inf for NaN: where f is not defined there is no minimum."""
    fx = call(f, x, args)
    return fx if fx == fx else math.inf


@kernel
def finite(x):
    """Whether x is a finite number."""
    return abs(x) < math.inf


@kernel
def scalars(address):
    """The array at an address that a unit takes its arguments from and leaves its results in."""
    return carray(void_pointer(address), (N_SCALAR,), types.float64)


@kernel
def put(p, x, fx, status, iterations, calls):
    """Leave the results in p."""
    p[0], p[1], p[2], p[3], p[4] = x, fx, status, iterations, calls
    return x
