"""The objective as a solver sees it: ``evaluate(R, x, g)`` and its kin.

``R`` is a :class:`Run`.  Where ``R.fun`` is an integer it is the address of a C function
``double fun(double *x, double *g, intptr n, void *data)``: this is how the front doors call, and no solver is
ever recompiled for a new objective.  Otherwise it is a compiled function of the user's, called directly as
``fun(x, g, data)``; in plain Python (and in the CUDA simulator) that is what runs.  A sum of squares is called
directly as ``value(R, x)`` and ``grad(R, x, g)``, which sets the triangle in R's workspace that belongs to the place of
g (``kernels.squares_direct``); ``fun`` is None then.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic, overload

from numopt.kernels.clock import seconds
from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.slots import (
    A_P,
    A_TICK,
    ABORT,
    DEADLINE,
    MAXFEV,
    N_COUNTERS,
    N_SCALARS,
    N_TABLE,
    NFEV,
    NHEV,
    NJEV,
    TICK_AT,
    TICK_EVERY,
    TICK_IN,
    TICK_SECONDS,
)
from numopt.kernels.status import Status
from numopt.kernels.views import free_variables as free_variables
from numopt.kernels.views import lower_bounds as lower_bounds
from numopt.kernels.views import upper_bounds as upper_bounds
from numopt.kernels.views import vector as vector

_MAXFEV, _MAX_TIME = int(Status.MAXFEV), int(Status.MAX_TIME)


class Run(NamedTuple):
    """The callables, their data, and the state of one run (see :mod:`numopt.kernels.slots`)."""

    fun: Any  # value and gradient
    value: Any
    grad: Any
    hess: Any
    hessp: Any
    data: Any
    search: Any  # the line search, search(R)
    table: Any  # address of the table of machine words that all this was read from
    tick: Any  # called now and then, so that Python may look at Ctrl-C and at the clock
    c: Any
    p: Any
    w: Any
    history: Any


def _by_address(result, count):
    """An intrinsic that calls the C function of ``count`` machine words at an address."""
    word = types.intp

    def codegen(context, builder, signature, args):
        prototype = ir.FunctionType(context.get_value_type(result), [context.get_value_type(word)] * count)
        return builder.call(builder.inttoptr(args[0], prototype.as_pointer()), args[1:])

    signature = result(*[word] * (count + 1))
    if count == 1:
        return intrinsic(lambda typingctx, address, a: (signature, codegen))
    if count == 2:
        return intrinsic(lambda typingctx, address, a, b: (signature, codegen))
    if count == 3:
        return intrinsic(lambda typingctx, address, a, b, c: (signature, codegen))
    if count == 4:
        return intrinsic(lambda typingctx, address, a, b, c, d: (signature, codegen))
    if count == 5:
        return intrinsic(lambda typingctx, address, a, b, c, d, e: (signature, codegen))
    return intrinsic(lambda typingctx, address, a, b, c, d, e, f: (signature, codegen))


call1 = _by_address(types.float64, 1)
call2 = _by_address(types.float64, 2)
call3 = _by_address(types.float64, 3)
call4 = _by_address(types.float64, 4)
call5 = _by_address(types.float64, 5)
call6 = _by_address(types.float64, 6)


@intrinsic
def void_pointer(typingctx, address):
    """The integer ``address`` as the ``void *`` that ``numba.carray`` takes."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.intp), codegen


@kernel
def _squares(R, x, g):
    """f(x) of a sum of squares called directly; sets g, and the triangle."""
    f = R.value(R, x)
    if abs(f) < float("inf"):
        R.grad(R, x, g)
    else:
        for j in range(g.size):
            g[j] = float("nan")
    return f


def _is_squares(R):
    """Whether R (a Numba type) is of a sum of squares that is called directly."""
    return isinstance(R.types[2], types.Callable)


def call_value_grad(R, x, g):
    """f(x); sets g."""
    return R.fun(x, g, R.data) if R.grad is None else _squares(R, x, g)


@overload(call_value_grad, target="generic")
def _call_value_grad(R, x, g):
    if isinstance(R.types[0], types.Integer):
        # x.ctypes.data is unsigned in Numba, the words of the ABI are signed
        return lambda R, x, g: call4(R.fun, types.intp(x.ctypes.data), types.intp(g.ctypes.data), x.size, R.data)
    if _is_squares(R):
        return lambda R, x, g: _squares(R, x, g)
    if isinstance(R.types[0], types.NoneType):
        return lambda R, x, g: float("nan")  # a method that asks for values only
    return lambda R, x, g: R.fun(x, g, R.data)


def call_value(R, x, g):
    """f(x); may overwrite g.  Without a function of value and gradient, ``R.value(x, data)`` is the objective."""
    if R.grad is not None:
        return R.value(R, x)
    return R.value(x, R.data) if R.fun is None else R.fun(x, g, R.data)


@overload(call_value, target="generic")
def _call_value(R, x, g):
    if isinstance(R.types[0], types.Integer):

        def by_address(R, x, g):
            if R.value != 0:
                return call3(R.value, types.intp(x.ctypes.data), x.size, R.data)
            return call4(R.fun, types.intp(x.ctypes.data), types.intp(g.ctypes.data), x.size, R.data)

        return by_address
    if _is_squares(R):
        return lambda R, x, g: R.value(R, x)
    if isinstance(R.types[0], types.NoneType):
        return lambda R, x, g: R.value(x, R.data)
    return lambda R, x, g: R.fun(x, g, R.data)


def call_grad(R, x, g):
    """Sets g."""
    return R.fun(x, g, R.data) if R.grad is None else R.grad(R, x, g)


@overload(call_grad, target="generic")
def _call_grad(R, x, g):
    if isinstance(R.types[0], types.Integer):
        return lambda R, x, g: call4(R.grad, types.intp(x.ctypes.data), types.intp(g.ctypes.data), x.size, R.data)
    if _is_squares(R):
        return lambda R, x, g: R.grad(R, x, g)
    if isinstance(R.types[0], types.NoneType):
        return lambda R, x, g: float("nan")
    return lambda R, x, g: R.fun(x, g, R.data)


def call_hess(R, x, H):
    """Sets the n x n matrix H, given flat."""
    return R.hess(x, H, R.data)


def call_hessp(R, x, v, out):
    """Sets out to the Hessian at x times v."""
    return R.hessp(x, v, out, R.data)


@overload(call_hessp, target="generic")
def _call_hessp(R, x, v, out):
    if isinstance(R.types[0], types.Integer):

        def by_address(R, x, v, out):
            xp, vp, outp = types.intp(x.ctypes.data), types.intp(v.ctypes.data), types.intp(out.ctypes.data)
            return call5(R.hessp, xp, vp, outp, x.size, R.data)

        return by_address
    if isinstance(R.types[4], types.NoneType):
        return lambda R, x, v, out: 0.0
    return lambda R, x, v, out: R.hessp(x, v, out, R.data)


@overload(call_hess, target="generic")
def _call_hess(R, x, H):
    if isinstance(R.types[0], types.Integer):
        return lambda R, x, H: call4(R.hess, types.intp(x.ctypes.data), types.intp(H.ctypes.data), x.size, R.data)
    if isinstance(R.types[3], types.NoneType):
        return lambda R, x, H: 0.0
    return lambda R, x, H: R.hess(x, H, R.data)


def has_hessian(R):
    """Whether a Hessian was given."""
    return R.hess is not None


@overload(has_hessian, target="generic")
def _has_hessian(R):
    if isinstance(R.types[0], types.Integer):
        return lambda R: R.hess != 0
    given = not isinstance(R.types[3], types.NoneType)
    return lambda R: given


def lazy_gradient(R):
    """Whether the value alone costs less than value and gradient, and the gradient can be had afterwards."""
    return False


@overload(lazy_gradient, target="generic")
def _lazy_gradient(R):
    if isinstance(R.types[0], types.Integer):
        return lambda R: R.value != 0 and R.grad != 0
    return lambda R: False


def now(R):
    """Seconds of the monotonic clock; 0 where the callables are no addresses: a GPU has no such clock."""
    return 0.0


@overload(now, target="generic")
def _now(R):
    if isinstance(R.types[0], types.Integer):
        return lambda R: seconds()
    return lambda R: 0.0


def tick(R):
    """Now and then, hand over to Python for Ctrl-C and the time limit.  Nothing to do without addresses."""


@overload(tick, target="generic")
def _tick(R):
    if not isinstance(R.types[0], types.Integer):
        return lambda R: None

    return lambda R: _look(R.c, R.p, R.tick)


@kernel
def _look(c, p, tick):
    # Reading the clock costs more than a small objective: read it once in TICK_EVERY evaluations, a number that
    # doubles while the next tick is far, and falls after each.
    time = seconds()
    if time >= p[DEADLINE] and c[ABORT] == 0:
        c[ABORT] = _MAX_TIME
    if time >= p[TICK_AT]:
        if tick != 0:
            call1(tick, 0)
        p[TICK_AT] = time + p[TICK_SECONDS]
        c[TICK_EVERY] = max(1, c[TICK_EVERY] // 4)
    elif p[TICK_AT] - time > 0.75 * p[TICK_SECONDS]:
        c[TICK_EVERY] = min(1 << 20, 2 * c[TICK_EVERY])
    c[TICK_IN] = c[TICK_EVERY]


@kernel
def goes_on(counters):
    """Whether the run whose counters (and table behind them) stand at an address is not to end; for loops over
    evaluations inside one evaluation, such as differences."""
    c = carray(void_pointer(counters), (N_COUNTERS,), types.int64)
    c[TICK_IN] -= 1
    if c[TICK_IN] <= 0:
        table = carray(void_pointer(counters + 8 * N_COUNTERS), (N_TABLE,), types.intp)
        _look(c, carray(void_pointer(table[A_P]), (N_SCALARS,), types.float64), table[A_TICK])
    return c[ABORT] == 0


@inlined
def admitted(R):
    """Whether one more evaluation may be made; counts down to the next look at the clock."""
    c = R.c
    if c[ABORT] == 0 and c[NFEV] >= c[MAXFEV]:
        c[ABORT] = _MAXFEV
    if c[ABORT] != 0:
        return False
    c[TICK_IN] -= 1
    if c[TICK_IN] <= 0:
        tick(R)
    return c[ABORT] == 0


@kernel
def evaluate(R, x, g):
    """f(x), counted; sets g.  NaN once the run is to end."""
    if not admitted(R):
        return float("nan")
    R.c[NFEV] += 1
    R.c[NJEV] += 1
    f = call_value_grad(R, x, g)
    if R.c[ABORT] != 0:  # set by a callable that raised: what it returned means nothing
        return float("nan")
    return f


@inlined
def evaluate_value(R, x, scratch):
    """f(x) alone, counted."""
    if not admitted(R):
        return float("nan")
    R.c[NFEV] += 1
    f = call_value(R, x, scratch)
    if R.c[ABORT] != 0:
        return float("nan")
    return f


@kernel
def evaluate_grad(R, x, g):
    """Sets g, counted, whatever the budget: it belongs to a value that has been paid for.  False if cut off."""
    before = R.c[ABORT]
    R.c[NJEV] += 1
    call_grad(R, x, g)
    return R.c[ABORT] == before


@kernel
def evaluate_hess(R, x, H):
    """Sets the flat n x n matrix H, counted."""
    if admitted(R):
        R.c[NHEV] += 1
        call_hess(R, x, H)


@kernel
def evaluate_hessp(R, x, v, out):
    """Sets out to the Hessian at x times v, counted."""
    if admitted(R):
        R.c[NHEV] += 1
        call_hessp(R, x, v, out)
