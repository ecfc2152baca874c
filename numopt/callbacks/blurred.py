"""Objectives blurred by a fixed set of points, for Python callables.

The blurred objective is the mean F(x) = sum_k w_k f(P(x + u_k)) over points u_k, its gradient the mean of gradients
sum_k w_k P'(x + u_k) grad f(P(x + u_k)).  P moves what lies outside of the bounds onto them.  (Reflected there, an
even continuation of f, each bound would be a stationary point of F by symmetry, where runs get caught.)

A blurred objective takes the points and all else as arguments, ``(x, u, w, lower, upper, best, *args)``, so that no
series of blurs compiles anything again.  ``best`` is a vector (1 + n) to which it writes the lowest value of f that it
meets, and where.
"""

import numpy as np

from numopt.callbacks.bind import as_callable, kind_of
from numopt.callbacks.python import as_array


def clipped(y, lower, upper):
    """(P(y), derivative of P) for points y, one a row."""
    return np.clip(y, lower, upper), np.where((lower <= y) & (y <= upper), 1.0, 0.0)


def blurred(fun, jac, count=0):
    """(fun, jac) of the blurred objective, for the front door that takes such a pair with such arguments.

    Parameters
    ----------
    fun, jac
        As for ``minimize``: ``jac`` is True, a callable, ``'inplace'``, or says how to take differences.
    count : int
        Extra arguments of fun.
    """
    kinds = {kind_of(f) for f in (fun, jac) if not (f is None or isinstance(f, (bool, str)))}
    if kinds == {"jitted"}:
        from numopt.callbacks import jitted_blurred

        return jitted_blurred.blurred(fun, jac if jac is not False else None, count)
    fun = as_callable(fun, "pair" if jac is True else "value")
    if jac is True:
        return _pair(fun), True
    if jac == "inplace":
        return _inplace(fun), jac
    return _value(fun), _gradient(as_callable(jac, "jac")) if callable(jac) else jac


def _note(best, f, y):
    if f.real < best[0]:
        best[0], best[1:] = f.real, y


def _number(f):
    """What an objective returned as a number, a complex one where differences by the complex step ask for it."""
    a = np.asarray(f)
    if a.size != 1 or a.dtype.kind not in "fiubc":
        raise TypeError(f"fun must return a number; it returned {f!r:.60}")
    return a.item()


def _value(fun):
    def value(x, u, w, lower, upper, best, *args):
        Y, inside = clipped(x.real + u, lower, upper)
        total = 0.0
        for y, s, weight in zip(Y, inside, w, strict=True):
            f = _number(fun(y + s * (x - x.real) if np.iscomplexobj(x) else y.copy(), *args))
            _note(best, f, y)
            total += weight * f
        return total

    return value


def _pair(fun):
    def pair(x, u, w, lower, upper, best, *args):
        Y, inside = clipped(x + u, lower, upper)
        total, g = 0.0, np.zeros(x.size)
        for y, s, weight in zip(Y, inside, w, strict=True):
            both = fun(y.copy(), *args)
            try:
                f, slope = both
            except (TypeError, ValueError):
                raise TypeError(f"with jac=True fun must return (f, g); it returned {both!r:.60}") from None
            f = _number(f)
            _note(best, f, y)
            total += weight * f
            g += weight * s * as_array(slope, x.shape, "fun with jac=True")
        return total, g

    return pair


def _inplace(fun):
    def inplace(x, g, u, w, lower, upper, best, *args):
        Y, inside = clipped(x + u, lower, upper)
        total, slope = 0.0, np.empty(x.size)
        g[:] = 0.0
        for y, s, weight in zip(Y, inside, w, strict=True):
            f = _number(fun(y.copy(), slope, *args))
            _note(best, f, y)
            total += weight * f
            g += weight * s * slope
        return total

    return inplace


def _gradient(jac):
    def gradient(x, u, w, lower, upper, best, *args):
        Y, inside = clipped(x + u, lower, upper)
        g = np.zeros(x.size)
        for y, s, weight in zip(Y, inside, w, strict=True):
            g += weight * s * as_array(jac(y, *args), x.shape, "jac")
        return g

    return gradient
