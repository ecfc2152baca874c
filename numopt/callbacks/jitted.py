"""Functions compiled by ``numba.njit`` as C functions of the callback ABI.

Each gets a small adapter, compiled once for the function and the types of its arguments.  The adapter builds
arrays from addresses, hands the function a copy of x, and looks at the status that Numba's calling convention
returns: a function that raised sets a flag and answers NaN, and the front door calls it once more from Python,
where its exception appears with its traceback.
"""

from functools import lru_cache
from inspect import CO_VARARGS, CO_VARKEYWORDS

import numpy as np
from numba import carray, cfunc, njit, types
from numba.core import cgutils
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numba.extending import intrinsic

from numopt.callbacks.arguments import HEAD, loader
from numopt.callbacks.python import complex_step
from numopt.kernels.oracle import goes_on, void_pointer
from numopt.kernels.slots import A_W, ABORT, N_COMMON, N_COUNTERS, N_TABLE, NFEV, V_FAILED, X_FAILED, N
from numopt.kernels.status import Status

_FAILED = int(Status.FAILED)
_word, _real = types.intp, types.float64
_X = types.Array(types.float64, 1, "C")
_G = _X
_Z = types.Array(types.complex128, 1, "C")
_READ_ONLY = types.Array(types.float64, 1, "C", readonly=True)


def _call(function):
    """An intrinsic ``call(args) -> (ok, result)`` that reports an exception instead of raising it."""

    @intrinsic
    def call(typingctx, args):
        signature = types.Dispatcher(function).get_call_type(typingctx, tuple(args.types), {})
        result = types.Tuple((types.boolean, signature.return_type))

        def codegen(context, builder, outer, values):
            cres = function.get_compile_result(signature)
            context.active_code_library.add_linking_library(cres.library)
            items = cgutils.unpack_tuple(builder, values[0])
            items = [
                context.cast(builder, item, given, wanted)
                for item, given, wanted in zip(items, args.types, signature.args, strict=True)
            ]
            status, value = context.call_internal_no_propagate(builder, cres.fndesc, signature, items)
            # what a failed call left behind is not a value: put zeros, which every type can hold and drop
            value = builder.select(status.is_ok, value, value.type(None))
            return context.make_tuple(builder, outer.return_type, [status.is_ok, value])

        return result(args), codegen

    return call


def is_jitted(function):
    """Whether this is what ``numba.njit`` returns."""
    return isinstance(function, Dispatcher)


def with_arguments(function, count):
    """The function itself, or one of exactly ``count`` arguments that calls it.

    For those with default or starred arguments, or compiled for signatures of their own: a call inside compiled code
    fills in and converts.
    """
    if not is_jitted(function):
        return function
    code = function.py_func.__code__  # inspect.signature takes as long as a whole small run
    plain = code.co_argcount == count and not (
        code.co_posonlyargcount or code.co_kwonlyargcount or code.co_flags & (CO_VARARGS | CO_VARKEYWORDS)
    )
    if plain and function._can_compile:
        return function
    return _spelled_out(function, count)


@lru_cache(maxsize=256)
def _spelled_out(function, count):
    names = ", ".join(f"a{k}" for k in range(count))
    return njit(eval(f"lambda {names}: function({names})", {"function": function}))


def replay(bound, role, what, x, v):
    """Call the function that failed in compiled code once more, from Python, where its exception shows itself."""
    name = ("fun", "jac", "hess", "hessp", "fun")[role]
    function, n, args = getattr(bound, name), x.size, bound.args
    if role == COMPLEX_STEP:
        complex_step(function, x, args)
    elif role == HESSP:
        result = function(x, v, *args)
    elif role == FUN and bound.jac == "inplace":
        function(x, np.empty(n), *args)
    else:
        result = function(x, *args)
        if role == FUN and bound.jac is True:
            result = result[1]
    if what == WRONG_SHAPE:
        shape = (n, n) if role == HESS else (n,)
        return ValueError(f"{name} must return an array of shape {shape}; it returned shape {np.shape(result)}")
    return RuntimeError(f"{name} raised an exception in the run, and does not when it is called again at x = {x!r}")


def _compiled_type(function, name, arg_types, x_type=_X):
    """The type that a jitted function returns; TypeError in one line where it doesn't compile."""
    typing = function.typingctx
    typing.refresh()
    try:
        return types.Dispatcher(function).get_call_type(typing, (x_type, *arg_types), {}).return_type
    except NumbaError as error:
        reason = _first_reason(error)
        x = "x: float64" if x_type == _real else "x: float64 array (n,)"
        given = ", ".join(str(t) for t in (x, *arg_types))
        raise TypeError(f"{name} does not compile for ({given}): {reason}") from None
    except Exception as error:  # what is no error of typing comes from the depths of Numba
        raise TypeError(f"{name} can't be compiled: {type(error).__name__}: {error}") from None


def _first_reason(error):
    """The line of Numba's message that says what is wrong, and where."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not set(line) <= set("-^~ ")]
    marks = ("No implementation", "Invalid use", "Unknown attribute", "Untyped global", "Cannot ", "NameError")
    reasons = [line for line in lines if line.startswith(marks)] or [
        line for line in lines if not line.startswith(("Failed in", "During:", "File "))
    ]
    places = [line for line in lines if line.startswith("File ")]
    text = (reasons or lines or ["unknown"])[0]
    return text + (f" [{places[-1].rstrip(':')}]" if places else "")


def _check_value(typ, name="fun"):
    if not isinstance(typ, (types.Integer, types.Float, types.Boolean)):
        raise TypeError(f"{name} must return a real number; the jitted function returns {typ}")


def _check_array(typ, ndim, name):
    if not (isinstance(typ, types.Array) and typ.ndim == ndim and not isinstance(typ.dtype, types.Complex)):
        raise TypeError(f"{name} must return a {ndim}-D array of real numbers; the jitted function returns {typ}")


FUN, JAC, HESS, HESSP, COMPLEX_STEP = range(5)
RAISED, WRONG_SHAPE = 1, 2


@njit
def _flag(data, role, what, x, v):
    """Tell the run to end, and keep the arguments of the call that ``role`` failed in for the front door."""
    head = carray(void_pointer(data), (HEAD,), types.int64)
    head[1] = 10 * role + what
    c = carray(void_pointer(head[0]), (N_COUNTERS,), types.int64)
    c[ABORT] = _FAILED
    table = carray(void_pointer(head[0] + 8 * N_COUNTERS), (N_TABLE,), types.int64)
    n = c[N]
    w = carray(void_pointer(table[A_W]), (N_COMMON * n,), types.float64)
    for i in range(n):
        w[X_FAILED * n + i], w[V_FAILED * n + i] = x[i], v[i]
    return np.nan


@njit
def _copied(x, data):
    """A copy of x, in a vector of the run's workspace that holds nothing else unless the call fails.

    Where variables are fixed the vectors of the workspace are shorter than x.
    """
    counters = carray(void_pointer(data), (HEAD,), types.int64)[0]
    if carray(void_pointer(counters), (N_COUNTERS,), types.int64)[N] != x.size:
        return x.copy()
    table = carray(void_pointer(counters + 8 * N_COUNTERS), (N_TABLE,), types.int64)
    y = carray(void_pointer(table[A_W] + 8 * V_FAILED * x.size), (x.size,), types.float64)
    for i in range(x.size):
        y[i] = x[i]
    return y


@njit
def _count_values(data, count):
    """Add to the run's count of evaluations."""
    head = carray(void_pointer(data), (HEAD,), types.int64)
    carray(void_pointer(head[0]), (N_COUNTERS,), types.int64)[NFEV] += count


@intrinsic
def read_only(typingctx, x):
    """The same array, of a type that can't be written to."""

    def codegen(context, builder, signature, args):
        return args[0]

    return _READ_ONLY(x), codegen


def _export(adapter, words):
    return cfunc(_real(*[_word] * words), error_model="numpy", nogil=True)(adapter)


@lru_cache(maxsize=256)
def value_grad(fun, jac, arg_types):
    """The adapter of value and gradient.  ``jac`` is True, a jitted function, ``'cs'`` or ``'inplace'``."""
    load = loader(arg_types)
    call_fun = _call(fun)
    if jac == "inplace":
        _check_value(_compiled_type(fun, "fun with jac='inplace' (x is read-only)", (_G, *arg_types), _READ_ONLY))

        def adapter(xp, gp, n, data):
            # no copies: x is read-only for the compiler, g is the solver's own
            x = read_only(carray(void_pointer(xp), (n,), _real))
            ok, f = call_fun((x, carray(void_pointer(gp), (n,), _real), *load(data)))
            return float(f) if ok else _flag(data, FUN, RAISED, x, x)

        return _export(adapter, 4)
    if jac is True:
        returned = _compiled_type(fun, "fun", arg_types)
        if not (isinstance(returned, types.BaseTuple) and len(returned) == 2):
            raise TypeError(f"with jac=True fun must return (f, g); the jitted function returns {returned}")
        _check_value(returned.types[0])
        _check_array(returned.types[1], 1, "fun with jac=True")

        def adapter(xp, gp, n, data):
            there = carray(void_pointer(xp), (n,), _real)
            x = there.copy()
            ok, result = call_fun((x, *load(data)))
            if not ok:
                return _flag(data, FUN, RAISED, there, there)
            f, slope = result
            if slope.size != n:
                return _flag(data, FUN, WRONG_SHAPE, there, there)
            g = carray(void_pointer(gp), (n,), _real)
            for i in range(n):
                g[i] = slope[i]
            return float(f)

        return _export(adapter, 4)
    _check_value(_compiled_type(fun, "fun", arg_types))
    if jac == "cs":
        returned = _compiled_type(fun, "fun with jac='cs' (complex x)", arg_types, _Z)
        if not isinstance(returned, types.Complex):
            raise TypeError(f"jac='cs' needs a fun that returns complex for complex x; it returns {returned}")
        call_complex = _call(fun)

        def adapter(xp, gp, n, data):
            x = carray(void_pointer(xp), (n,), _real)
            z = x.astype(np.complex128)
            g = carray(void_pointer(gp), (n,), _real)
            args = load(data)
            counters = carray(void_pointer(data), (HEAD,), types.int64)[0]
            for i in range(n):
                h = 1e-8 * abs(x[i]) if x[i] != 0.0 else 1e-8  # as in callbacks.python
                z[i] = complex(x[i], h)
                if not goes_on(counters):
                    return np.nan
                ok, f = call_complex((z, *args))
                if not ok:
                    return _flag(data, COMPLEX_STEP, RAISED, x, x)
                g[i] = f.imag / h
                z[i] = x[i]
            _count_values(data, n)
            ok, f = call_fun((x.copy(), *args))
            return float(f) if ok else _flag(data, FUN, RAISED, x, x)

        return _export(adapter, 4)
    _check_array(_compiled_type(jac, "jac", arg_types), 1, "jac")
    call_jac = _call(jac)

    def adapter(xp, gp, n, data):
        there = carray(void_pointer(xp), (n,), _real)
        x = there.copy()
        args = load(data)
        ok, f = call_fun((x, *args))
        if not ok:
            return _flag(data, FUN, RAISED, there, there)
        for i in range(n):
            x[i] = there[i]  # fun may have changed it
        good, slope = call_jac((x, *args))
        if not good:
            return _flag(data, JAC, RAISED, x, x)
        if slope.size != n:
            return _flag(data, JAC, WRONG_SHAPE, x, x)
        g = carray(void_pointer(gp), (n,), _real)
        for i in range(n):
            g[i] = slope[i]
        return float(f)

    return _export(adapter, 4)


@lru_cache(maxsize=256)
def value(fun, pair, arg_types):
    """The adapter of the value alone; ``pair`` where fun returns (f, g)."""
    load, call = loader(arg_types), _call(fun)
    returned = _compiled_type(fun, "fun", arg_types)
    if pair:
        if not (isinstance(returned, types.BaseTuple) and len(returned) == 2):
            raise TypeError(f"with jac=True fun must return (f, g); the jitted function returns {returned}")
        _check_value(returned.types[0])

        def adapter(xp, n, data):
            x = carray(void_pointer(xp), (n,), _real)
            ok, result = call((_copied(x, data), *load(data)))
            return float(result[0]) if ok else _flag(data, FUN, RAISED, x, x)
    else:
        _check_value(returned)

        def adapter(xp, n, data):
            x = carray(void_pointer(xp), (n,), _real)
            ok, f = call((_copied(x, data), *load(data)))
            return float(f) if ok else _flag(data, FUN, RAISED, x, x)

    return _export(adapter, 3)


@lru_cache(maxsize=256)
def array(function, name, ndim, arg_types):
    """The adapter of a gradient (ndim 1) or of a Hessian (ndim 2)."""
    load, call = loader(arg_types), _call(function)
    _check_array(_compiled_type(function, name, arg_types), ndim, name)
    if ndim == 1:

        def adapter(xp, outp, n, data):
            x = carray(void_pointer(xp), (n,), _real)
            ok, a = call((x.copy(), *load(data)))
            if not ok:
                return _flag(data, JAC, RAISED, x, x)
            if a.size != n:
                return _flag(data, JAC, WRONG_SHAPE, x, x)
            out = carray(void_pointer(outp), (n,), _real)
            for i in range(n):
                out[i] = a[i]
            return 0.0
    else:

        def adapter(xp, outp, n, data):
            x = carray(void_pointer(xp), (n,), _real)
            ok, a = call((x.copy(), *load(data)))
            if not ok:
                return _flag(data, HESS, RAISED, x, x)
            if a.shape != (n, n):
                return _flag(data, HESS, WRONG_SHAPE, x, x)
            out = carray(void_pointer(outp), (n * n,), _real)
            for i in range(n):
                for j in range(n):
                    out[i * n + j] = a[i, j]
            return 0.0

    return _export(adapter, 4)


@lru_cache(maxsize=256)
def product(function, arg_types):
    """The adapter of a Hessian-vector product."""
    load, call = loader(arg_types), _call(function)
    _check_array(_compiled_type(function, "hessp", (_X, *arg_types)), 1, "hessp")

    def adapter(xp, vp, outp, n, data):
        x, v = carray(void_pointer(xp), (n,), _real), carray(void_pointer(vp), (n,), _real)
        ok, a = call((x.copy(), v.copy(), *load(data)))
        if not ok:
            return _flag(data, HESSP, RAISED, x, v)
        if a.size != n:
            return _flag(data, HESSP, WRONG_SHAPE, x, v)
        out = carray(void_pointer(outp), (n,), _real)
        for i in range(n):
            out[i] = a[i]
        return 0.0

    return _export(adapter, 5)
