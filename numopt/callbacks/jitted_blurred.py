"""Objectives blurred by a fixed set of points (:mod:`numopt.callbacks.blurred`), for jitted callables.

Sums run over the points one after the other, as they do there: both have the same values to the last bit.
"""

from functools import lru_cache

import numpy as np
from numba import njit

from numopt.callbacks.jitted import with_arguments

_OWN = 6  # arguments of a blurred objective before those of fun: x, u, w, lower, upper, best


@njit
def _move(x, u, lower, upper, y, inside):
    """Sets y = P(x + u) and inside to the derivative of P; an imaginary part of x goes through P' alone."""
    for i in range(x.size):
        there = x[i].real + u[i]
        inside[i] = 1.0 if lower[i] <= there <= upper[i] else 0.0
        y[i] = min(max(there, lower[i]), upper[i]) + inside[i] * (x[i] - x[i].real)


@njit
def _note(best, f, x, u, lower, upper):
    """Keep the point where f is lower than anywhere before."""
    if f < best[0]:
        best[0] = f
        for i in range(x.size):
            best[1 + i] = min(max(x[i].real + u[i], lower[i]), upper[i])


@lru_cache(maxsize=256)
def blurred(fun, jac, count):
    """(fun, jac) of the blurred objective; fun has ``count`` extra arguments."""
    if jac is True:
        return with_arguments(_pair(fun), _OWN + count), True
    if jac == "inplace":
        return with_arguments(_inplace(fun), _OWN + 1 + count), jac
    slope = with_arguments(_gradient(jac), _OWN + count) if callable(jac) else jac
    return with_arguments(_value(fun), _OWN + count), slope


def _value(fun):
    @njit
    def value(x, u, w, lower, upper, best, *args):
        y, inside = np.empty_like(x), np.empty(x.size)
        total = 0.0 * x[0]  # complex where x is
        for k in range(w.size):
            _move(x, u[k], lower, upper, y, inside)
            f = fun(y, *args) * 1.0
            _note(best, f.real, x, u[k], lower, upper)
            total += w[k] * f
        return total

    return value


def _pair(fun):
    @njit
    def pair(x, u, w, lower, upper, best, *args):
        y, inside, g, total = np.empty_like(x), np.empty(x.size), np.zeros(x.size), 0.0
        for k in range(w.size):
            _move(x, u[k], lower, upper, y, inside)
            f, slope = fun(y, *args)
            if slope.size != x.size:
                raise ValueError("fun with jac=True must return a gradient of the length of x")
            _note(best, f, x, u[k], lower, upper)
            total += w[k] * f
            for i in range(x.size):
                g[i] += w[k] * inside[i] * slope[i]
        return total, g

    return pair


def _inplace(fun):
    @njit
    def inplace(x, g, u, w, lower, upper, best, *args):
        y, inside, slope, total = np.empty(x.size), np.empty(x.size), np.empty(x.size), 0.0
        g[:] = 0.0
        for k in range(w.size):
            _move(x, u[k], lower, upper, y, inside)
            f = fun(y, slope, *args)
            _note(best, f, x, u[k], lower, upper)
            total += w[k] * f
            for i in range(x.size):
                g[i] += w[k] * inside[i] * slope[i]
        return total

    return inplace


def _gradient(jac):
    @njit
    def gradient(x, u, w, lower, upper, best, *args):
        y, inside, g = np.empty_like(x), np.empty(x.size), np.zeros(x.size)
        for k in range(w.size):
            _move(x, u[k], lower, upper, y, inside)
            slope = jac(y, *args)
            if slope.size != x.size:
                raise ValueError("jac must return an array of the length of x")
            for i in range(x.size):
                g[i] += w[k] * inside[i] * slope[i]
        return g

    return gradient
