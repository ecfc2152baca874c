"""Plain Python callables as C functions of the callback ABI.

A trampoline hands the user a copy of x, checks what comes back, and never lets an exception through: it keeps
it, tells the run to abort, and answers NaN; the front door raises it again.
"""

import ctypes

import numpy as np

from numopt.kernels.slots import ABORT, NFEV
from numopt.kernels.status import Status

_INTERRUPTED, _FAILED = int(Status.INTERRUPTED), int(Status.FAILED)
_NAN = float("nan")
_word, _real = ctypes.c_ssize_t, ctypes.c_double
_PROTOTYPES = {k: ctypes.CFUNCTYPE(_real, *[_word] * k) for k in (1, 3, 4, 5, 6)}


def as_value(f):
    """A float from what an objective returned; TypeError or ValueError names what is wrong."""
    if isinstance(f, float):
        return f
    a = np.asarray(f)
    if a.size != 1:
        raise ValueError(f"fun must return a scalar; it returned an array of shape {a.shape}")
    if a.dtype.kind not in "fiub":
        raise TypeError(f"fun must return a real number; it returned {_kind(f, a)}")
    return float(a.item())


def _kind(value, a):
    return f"{value!r:.60} ({type(value).__name__})" if a.dtype.kind == "O" else f"{a.dtype} data"


def as_array(g, shape, name):
    """A real array of the given shape from what a callable returned."""
    a = np.asarray(g)
    if a.shape != shape:
        if a.size == 1 and shape == (1,):
            a = a.reshape(shape)
        else:
            raise ValueError(f"{name} must return an array of shape {shape}; it returned shape {a.shape}")
    if a.dtype.kind not in "fiub":
        raise TypeError(f"{name} must return real numbers; it returned {_kind(g, a)}")
    return a


def complex_step(fun, x, args):
    """The gradient by the complex step, Im fun(x + ih e_j) / h, with an error of order h^2.

    A smaller h would not be safe: complex powers are computed through logarithms, whose rounding errors reach the
    imaginary part.
    """
    g = np.empty(x.size)
    for j in range(x.size):
        z = x.astype(complex)
        h = 1e-8 * abs(x[j]) if x[j] != 0.0 else 1e-8
        z[j] += 1j * h
        f = fun(z, *args)
        if not np.iscomplexobj(f) or np.size(f) != 1:
            raise TypeError(f"jac='cs' needs a fun that returns a complex number for complex x; it returned {f!r:.60}")
        g[j] = np.asarray(f).item().imag / h
    return g


class PythonCallables:
    """The trampolines of one run.

    ``jac`` is True (fun returns value and gradient), a callable, ``'cs'``, ``'inplace'``, or None.
    """

    def __init__(self, fun, jac, hess, hessp, args, n, c):
        self.fun, self.jac, self.hess, self.hessp, self.args = fun, jac, hess, hessp, args
        self.n, self.c = n, c
        self.error = None
        self.views: dict = {}
        self.keep: list = []

    def _view(self, address, size):
        view = self.views.get(address)
        if view is None:
            view = np.frombuffer((_real * size).from_address(address), dtype=np.float64)
            self.views[address] = view
        return view

    def _failed(self, error):
        if self.error is None:
            self.error = error
        self.c[ABORT] = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else _FAILED
        return _NAN

    def _export(self, words, function):
        pointer = _PROTOTYPES[words](function)
        self.keep.append(pointer)
        return ctypes.cast(pointer, ctypes.c_void_p).value

    def value_grad(self):
        """Address of value and gradient."""
        views, n = self.views, self.n

        def call(xp, gp, size, data):
            try:
                fun, jac, args = self.fun, self.jac, self.args  # looked up here: a run may serve again, with others
                x = (views.get(xp) if xp in views else self._view(xp, n)).copy()
                g = views.get(gp) if gp in views else self._view(gp, n)
                if jac is True:
                    both = fun(x, *args)
                    try:
                        f, slope = both
                    except (TypeError, ValueError):
                        raise TypeError(f"with jac=True fun must return (f, g); it returned {both!r:.60}") from None
                elif jac == "inplace":
                    slope = np.empty(n)
                    f = fun(x, slope, *args)
                elif jac == "cs":
                    self.c[NFEV] += n
                    f, slope = fun(x.copy(), *args), complex_step(fun, x, args)
                else:
                    f = fun(x.copy(), *args)
                    slope = jac(x, *args)
                if type(slope) is not np.ndarray or slope.shape != g.shape or slope.dtype != g.dtype:
                    slope = as_array(slope, (n,), "jac" if jac is not True else "fun with jac=True")
                g[:] = slope
                return f if type(f) is float else as_value(f)
            except BaseException as error:
                return self._failed(error)

        return self._export(4, call)

    def value(self):
        """Address of the value alone."""
        pick = self.jac is True
        if type(self.jac) is str and self.jac == "inplace":
            return self._in_place_value()

        def call(xp, size, data):
            try:
                f = self.fun(self._view(xp, size).copy(), *self.args)
                return as_value(f[0] if pick else f)
            except BaseException as error:
                return self._failed(error)

        return self._export(3, call)

    def _in_place_value(self):

        def call(xp, size, data):
            try:
                return as_value(self.fun(self._view(xp, size).copy(), np.empty(size), *self.args))
            except BaseException as error:
                return self._failed(error)

        return self._export(3, call)

    def grad(self):
        """Address of the gradient alone."""

        def call(xp, gp, size, data):
            try:
                fun, jac, args = self.fun, self.jac, self.args
                x = self._view(xp, size).copy()
                if jac == "cs":
                    self.c[NFEV] += size
                    g = complex_step(fun, x, args)
                elif jac == "inplace":
                    g = np.empty(size)
                    fun(x, g, *args)
                else:
                    g = fun(x, *args)[1] if jac is True else jac(x, *args)
                self._view(gp, size)[:] = as_array(g, (size,), "jac")
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(4, call)

    def hess_address(self):
        """Address of the Hessian."""

        def call(xp, hp, size, data):
            try:
                H = self.hess(self._view(xp, size).copy(), *self.args)
                H = H.toarray() if hasattr(H, "toarray") else H
                self._view(hp, size * size)[:] = as_array(H, (size, size), "hess").ravel()
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(4, call)

    def hessp_address(self):
        """Address of the Hessian-vector product."""

        def call(xp, vp, outp, size, data):
            try:
                out = self.hessp(self._view(xp, size).copy(), self._view(vp, size).copy(), *self.args)
                self._view(outp, size)[:] = as_array(out, (size,), "hessp")
                return 0.0
            except BaseException as error:
                return self._failed(error)

        return self._export(5, call)
