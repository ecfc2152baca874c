"""Models ``f(x, *params)`` compiled by ``numba.njit`` as C functions of a range of rows (``kernels.squares``).

A model is called on slices of x, or where it compiles for a single row too, row by row, which needs no memory at all.
Functions of so many arguments are spelled out as text.
"""

import re
from functools import lru_cache

import numpy as np
from numba import carray, njit, types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import NumbaError
from numba.extending import intrinsic

from numopt.callbacks.arguments import loader
from numopt.callbacks.inlined_exp import with_exp
from numopt.callbacks.jitted import (
    FUN,
    JAC,
    RAISED,
    WRONG_SHAPE,
    _call,
    _check_array,
    _export,
    _first_reason,
    _flag,
    with_arguments,
)
from numopt.kernels.oracle import void_pointer

_real = types.float64
_LICENCE = re.compile(r" (?:f\w+|call) (?:\w+ )*(?:fast|reassoc|contract|arcp|afn)\b")
_REAL = (types.Integer, types.Float, types.Boolean)


def row_type(x_type):
    """The type of one row of x: a number, or a column of a matrix."""
    return x_type.dtype if x_type.ndim == 1 else types.Array(x_type.dtype, 1, "A", readonly=not x_type.mutable)


def _returned(f, n, x_type):
    typing = f.typingctx
    typing.refresh()
    return types.Dispatcher(f).get_call_type(typing, (x_type, *[_real] * n), {}).return_type


@lru_cache(maxsize=256)
def forms(function, n, ndim, mutable):
    """(function of exactly these arguments, type of x, whether it compiles for all rows, whether for a single one).

    TypeError in one line if it does for neither.
    """
    with global_compiler_lock:
        return _forms(with_arguments(function, 1 + n), n, types.Array(_real, ndim, "C", readonly=not mutable))


def _forms(f, n, x_type):
    found, reason = [], None
    for typ in (x_type, row_type(x_type)):
        try:
            returned = _returned(f, n, typ)
        except NumbaError as error:
            reason = reason or f"f does not compile for (x: {typ}, {n} numbers): {_first_reason(error)}"
            found.append(False)
            continue
        except Exception as error:  # what is no error of typing comes from the depths of Numba
            raise TypeError(f"f can't be compiled: {type(error).__name__}: {error}") from None
        if typ is x_type:
            good = isinstance(returned, _REAL) or (
                isinstance(returned, types.Array) and returned.ndim == 1 and isinstance(returned.dtype, _REAL)
            )
            if not good:
                reason = f"f must return a 1-D array of real numbers; the jitted function returns {returned}"
        else:
            good = isinstance(returned, _REAL)
        found.append(good)
    if not any(found):
        raise TypeError(reason)
    return f, x_type, *found


def _names(n):
    return ", ".join(f"p{j}" for j in range(n))


def _head(n):
    """The parameters in variables: read from memory, they could change from row to row for all the compiler knows."""
    return "\n".join(f"    p{j} = p[{j}]" for j in range(n))


@intrinsic
def _beginning_at(typingctx, x, first):
    """The array from a row on, of the same type and, for its columns' sake, of the same shape: not to be asked for.

    That its rows count from 0, and that it is not empty, LLVM can see, which spares each row a look: with anything to
    choose from row to row it would not read several rows at a time.
    """

    def codegen(context, builder, signature, args):
        array = context.make_array(x)(context, builder, args[0])
        array.data = builder.gep(array.data, [args[1]])
        sizes = cgutils.unpack_tuple(builder, array.shape)
        sizes = [builder.select(builder.icmp_signed(">", a, a.type(0)), a, a.type(1)) for a in sizes]
        array.shape = cgutils.pack_array(builder, sizes)
        return array._getvalue()

    return x(x, first), codegen


def _row(x_type, i="i"):
    return f"x[{i}]" if x_type.ndim == 1 else f"x[:, {i}]"


def _slice(x_type):
    return "x[first:end]" if x_type.ndim == 1 else "x[:, first:end]"


@lru_cache(maxsize=256)
def rows(f, n, x_type, single):
    """The model of some rows, (params, first, end, out, data); ``single``: row by row."""
    head = f"""
def adapter(pp, first, end, outp, data):
    p, x = carray(void_pointer(pp), ({n},), real), load(data)[0]
    out = carray(void_pointer(outp), (end - first,), real)
{_head(n)}
"""
    if single:
        body = f"""
    x, failed = beginning_at(x, first), False
    for i in range(end - first):
        ok, value = call(({_row(x_type)}, {_names(n)}))
        failed |= not ok
        out[i] = value
    return flag(data, FUN, RAISED, p, p) if failed else 0.0
"""
    else:
        body = f"""
    ok, values = call(({_slice(x_type)}, {_names(n)}))
    if not ok:
        return flag(data, FUN, RAISED, p, p)
    if values.size != end - first:
        return flag(data, FUN, WRONG_SHAPE, p, p)
    for i in range(end - first):
        out[i] = values[i]
    return 0.0
"""
    return _with_exp(_define(head + body, load=loader((x_type,)), call=_call(f)), 5)


@lru_cache(maxsize=256)
def starts_threads(f, n, x_type, single):
    """Whether the model or what it calls runs on Numba's threads: then it can't be called on several of ours."""
    return "numba_parallel_for" in rows(f, n, x_type, single)._library.get_llvm_str()


@lru_cache(maxsize=256)
def is_exact(f, n, x_type, single):
    """Whether a value is the same to the last bit whatever is evaluated beside it: LLVM may not reorder anything."""
    return not _LICENCE.search(rows(f, n, x_type, single)._library.get_llvm_str())


@lru_cache(maxsize=256)
def differences(f, n, x_type, height, changes):
    """The columns of a panel, (params and others, first, end, out, data).

    Column j holds the model with the parameters ``changes[j]`` taken from the j-th of the others, the last with none,
    ``height`` places each.  The calls of one row stand side by side, where the compiler finds what they have in common:
    in a sum of peaks all but one of them are evaluated once.  What the first row has shown of all rows (that no divisor
    made of parameters is zero) it need not look at again, nor evaluate the row for it.
    """
    changed = "\n".join(f"    q{j}_{k} = p[{n * (1 + j) + k}]" for j, those in enumerate(changes) for k in those)
    names = [
        ", ".join(f"q{j}_{k}" if k in those else f"p{k}" for k in range(n)) for j, those in enumerate((*changes, ()))
    ]
    before = "\n".join(
        f"""
    if not call(({_row(x_type, 0)}, {those}))[0]:
        return flag(data, FUN, RAISED, p, p)"""
        for those in names
    )
    values = "\n".join(f"        ok{j}, f{j} = call((row, {those}))" for j, those in enumerate(names))
    # all values before the first is stored, which might change x for all the compiler knows
    stores = "\n".join(f"        out[{j * height} + i] = f{j}" for j in range(len(names)))
    good = " and ".join(f"ok{j}" for j in range(len(names)))
    source = f"""
def adapter(pp, first, end, outp, data):
    p, x = carray(void_pointer(pp), ({n * (1 + len(changes))},), real), load(data)[0]
    out = carray(void_pointer(outp), ({(len(changes) + 1) * height},), real)
{_head(n)}
{changed}
    x, failed = beginning_at(x, first), False
{before}
    for i in range(end - first):
        row = {_row(x_type)}
{values}
        failed |= not ({good})
{stores}
    return flag(data, FUN, RAISED, p, p) if failed else 0.0
"""
    return _with_exp(_define(source, load=loader((x_type,)), call=_call(f)), 5)


@lru_cache(maxsize=256)
def jacobian(jac, n, x_type, height):
    """The Jacobian of some rows, (params, first, end, out, data), by columns of ``height`` places."""
    jac = with_arguments(jac, 1 + n)
    try:
        returned = _returned(jac, n, x_type)
    except NumbaError as error:
        raise TypeError(f"jac does not compile for (x: {x_type}, {n} numbers): {_first_reason(error)}") from None
    _check_array(returned, 2, "jac")
    source = f"""
def adapter(pp, first, end, outp, data):
    p, x = carray(void_pointer(pp), ({n},), real), load(data)[0]
    out = carray(void_pointer(outp), ({n * height},), real)
{_head(n)}
    ok, J = call(({_slice(x_type)}, {_names(n)}))
    if not ok:
        return flag(data, JAC, RAISED, p, p)
    if J.shape != (end - first, {n}):
        return flag(data, JAC, WRONG_SHAPE, p, p)
    for j in range({n}):
        for i in range(end - first):
            out[{height} * j + i] = J[i, j]
    return 0.0
"""
    return _with_exp(_define(source, load=loader((x_type,)), call=_call(jac)), 5)


@lru_cache(maxsize=256)
def loop(f, n, ndim):
    """Jitted ``(x, params) -> array`` of a model of single rows; its exceptions are raised."""
    row = "x[i]" if ndim == 1 else "x[:, i]"
    source = f"""
def adapter(x, p):
    out = np.empty(x.shape[-1])
    for i in range(out.size):
        out[i] = f({row}, {", ".join(f"p[{j}]" for j in range(n))})
    return out
"""
    return njit(_define(source, f=f, np=np))


def _with_exp(adapter, words):
    return with_exp(_export(adapter, words))


def _define(source, **scope):
    scope |= {"carray": carray, "void_pointer": void_pointer, "real": _real, "beginning_at": _beginning_at,
              "flag": _flag, "FUN": FUN, "JAC": JAC, "RAISED": RAISED, "WRONG_SHAPE": WRONG_SHAPE}  # fmt: skip
    exec(source, scope)
    return scope["adapter"]
