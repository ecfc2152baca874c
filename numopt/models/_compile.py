"""From the models at one row to functions of all rows, for a single model and for a sum; compiled once a process."""

from functools import lru_cache

import numpy as np
from numba import njit, types
from numba.extending import overload

from numopt.kernels.compiling import kernel
from numopt.models import _rows

_OPTIONS = {"error_model": "numpy", "nogil": True}


@lru_cache(maxsize=256)
def compiled(terms, names, inputs):
    """(function, jacobian) of a sum.

    Parameters
    ----------
    terms : tuple of (str, int)
        The name of each term in ``_rows``, and its number of parameters.
    names : tuple of str
        The parameters.
    inputs : int
        1 for x of shape (m,), 2 for x of shape (2, m).

    Returns
    -------
    function
        ``f(x, *parameters)``: (m,) for all rows, a number for one, x being a number or of shape (2,).
    jacobian
        ``(x, *parameters) -> (m, n)``.
    """
    value, gradient = _sum(terms, names)
    args, row = ", ".join(names), "x[i]" if inputs == 1 else "x[:, i]"
    source = f"""
def rows(x, {args}):
    out = np.empty(x.shape[-1])
    for i in range(x.shape[-1]):
        out[i] = value({row}, {args})
    return out

def row(x, {args}):
    return value(x, {args})

def evaluate(x, {args}):
    return rows(x, {args}) if np.ndim(x) == {inputs} else row(x, {args})

def types_of(x, {args}):
    return rows if isinstance(x, types.Array) and x.ndim == {inputs} else row

def function(x, {args}):
    return evaluate(x, {args})

def jacobian(x, {args}):
    J = np.empty((x.shape[-1], {len(names)}))
    for i in range(x.shape[-1]):
        gradient(J[i], {row}, {args})
    return J
"""
    scope = {"np": np, "types": types, "value": value, "gradient": gradient}
    exec(compile(source, "<numopt.models>", "exec"), scope)
    # which of the two bodies runs is decided by the type of x, where the function is compiled
    overload(scope["evaluate"], strict=False, jit_options=_OPTIONS)(scope["types_of"])
    return njit(**_OPTIONS)(scope["function"]), njit(**_OPTIONS)(scope["jacobian"])


def _sum(terms, names):
    """Value and gradient of the sum at one row."""
    if len(terms) == 1:
        return _term(*terms[0])
    scope, values, gradients, begin = {}, [], [], 0
    for k, (name, n) in enumerate(terms):
        scope[f"value{k}"], scope[f"gradient{k}"] = _term(name, n)
        mine = ", ".join(names[begin : begin + n])
        values.append(f"value{k}(x, {mine})")
        gradients.append(f"    gradient{k}(g[{begin}:{begin + n}], x, {mine})")
        begin += n
    args = ", ".join(names)
    source = f"def value(x, {args}):\n    return {' + '.join(values)}\n"
    source += f"def gradient(g, x, {args}):\n" + "\n".join(gradients)
    return _kernels(source, scope)


def _term(name, n):
    return _polynomial(n) if name == "polynomial" else (getattr(_rows, name), getattr(_rows, name + "_gradient"))


@lru_cache(maxsize=64)
def _polynomial(n):
    """Of n coefficients, by Horner's rule."""
    names = [f"c{k}" for k in range(n)]
    horner = names[-1]
    for name in names[-2::-1]:
        horner = f"({horner}) * x + {name}"
    source = f"def value(x, {', '.join(names)}):\n    return {horner}\n"
    source += f"def gradient(g, x, {', '.join(names)}):\n    g[0] = 1.0\n"
    source += "".join(f"    g[{k}] = x * g[{k - 1}]\n" for k in range(1, n))
    return _kernels(source, {})


def _kernels(source, scope):
    exec(compile(source, "<numopt.models>", "exec"), scope)
    return kernel(scope["value"]), kernel(scope["gradient"])
