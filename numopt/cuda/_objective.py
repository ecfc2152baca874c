"""The user's functions as a solver in a lane calls them: ``fun(x, g, data)``, ``value(x, data)``, and derivatives.

``data`` is what a lane has of its problem: counters, workspace, scratch (2n), the arrays in the user's precision (x,
and g where that is not double), difference steps, the arguments, the problem's number.  Differences are those of
``numopt.kernels.composite``, with the same steps; in single precision steps and rounding errors are those of float32,
and differences are of the points as they were rounded.
"""

import numpy as np
from numba import njit

from numopt.kernels.compiling import kernel
from numopt.kernels.composite import fit_step, symmetrise
from numopt.kernels.slots import BOUNDED, NFEV, NJEV

SHARED, NUMBER, ARRAY, RAGGED = range(4)  # kinds of arguments
ABSOLUTE, RELATIVE, DEFAULT = range(3)  # kinds of difference steps
_INF = float("inf")
_LARGE = 100.0  # as in numopt.kernels.composite


def unpacked(kinds):
    """The text of the arguments of problem i, from the tuple ``args``; a ragged one is followed by its lengths."""
    text, place = "", 0
    for kind in kinds:
        if kind == SHARED:
            text += f", args[{place}]"
        elif kind == RAGGED:
            text += f", args[{place}][i, :args[{place + 1}][i]]"
            place += 1
        else:
            text += f", args[{place}][i]"
        place += 1
    return text


def define(text, **known):
    """The jitted function that a text defines."""
    space = dict(known)
    exec(text, space)
    return njit(error_model="numpy")(space["made"])


class Objective:
    """The callables of a run on the device, made of the user's.

    Parameters
    ----------
    fun, hess, hessp : jitted function or None
        ``fun(x, *args) -> f``, or ``fun(x, g, *args) -> f`` that writes the gradient to g; ``hess(x, H, *args)`` writes
        the Hessian to the flat array H, ``hessp(x, v, out, *args)`` its product with v to ``out``.
    inplace : bool
        Whether fun writes the gradient.
    kinds : tuple of int
        Of the arguments.
    single : bool
        Whether they are called with arrays of single precision.
    scheme, steps, hess_scheme : int
        Differences of 2 or 3 points, for gradients and (of the gradients) Hessians; kind of the steps.
    """

    def __init__(self, fun, hess, hessp, inplace, kinds, single, scheme, steps, hess_scheme):
        self.single = single
        args = unpacked(kinds)
        self.value = self._value(fun, inplace, args)
        self.value_grad = (
            self._value_grad(fun, args) if inplace else _with_differences(self.value, scheme, steps, single)
        )
        grad = self.value_grad if inplace else _differences_alone(self.value, scheme, steps, single)
        self.hess = (
            self._given(hess, "H", args) if hess is not None else _hessian(grad, hess_scheme, int(inplace), single)
        )
        self.hessp = self._product(hessp, args) if hessp is not None else _product(grad, int(inplace), single)

    def _value(self, fun, inplace, args):
        g = ", u[x.size:2 * x.size]" if inplace else ""
        return define(
            "def made(x, data):\n"
            "    c, w, scratch, u, steps, args, i = data\n"
            "    for j in range(x.size):\n"
            "        u[j] = x[j]\n"
            f"    return float(fun(u[:x.size]{g}{args}))\n",
            fun=fun,
        )

    def _value_grad(self, fun, args):
        if not self.single:
            g, back = "g", ""
        else:
            g, back = "u[x.size:2 * x.size]", "    for j in range(x.size):\n        g[j] = u[x.size + j]\n"
        return define(
            "def made(x, g, data):\n"
            "    c, w, scratch, u, steps, args, i = data\n"
            "    for j in range(x.size):\n"
            "        u[j] = x[j]\n"
            f"    f = float(fun(u[:x.size], {g}{args}))\n{back}"
            "    return f\n",
            fun=fun,
        )

    def _given(self, hess, name, args):
        """A Hessian that the user's function writes; in single precision to the array H itself, which is double."""
        return define(
            f"def made(x, {name}, data):\n"
            "    c, w, scratch, u, steps, args, i = data\n"
            "    for j in range(x.size):\n"
            "        u[j] = x[j]\n"
            f"    hess(u[:x.size], {name}{args})\n"
            f"    symmetrise({name}, x.size)\n"
            "    return 0.0\n",
            hess=hess,
            symmetrise=symmetrise,
        )

    def _product(self, hessp, args):
        return define(
            "def made(x, v, out, data):\n"
            "    c, w, scratch, u, steps, args, i = data\n"
            "    for j in range(x.size):\n"
            "        u[j] = x[j]\n"
            f"    hessp(u[:x.size], v, out{args})\n"
            "    return 0.0\n",
            hessp=hessp,
        )


def _precision(single):
    """(rounding of a number, default steps of 2 and 3 points, noise of a difference of two values)."""
    eps = 2.0**-23 if single else 2.0**-52
    # what scipy's formulas give in double precision, to the last bit
    two, three = (
        (eps**0.5, eps ** (1.0 / 3.0)) if single else (2.220446049250313e-16**0.5, 2.220446049250313e-16 ** (1.0 / 3.0))
    )
    if single:

        @kernel
        def rounded(x):
            return float(np.float32(x))
    else:

        @kernel
        def rounded(x):
            return x

    return rounded, two, three, 4.0 * eps


def _default_steps(two, three):
    @kernel
    def default_step(xj, scheme):
        h = (two if scheme == 2 else three) * max(1.0, abs(xj))
        return h if xj >= 0.0 else -h

    return default_step


@kernel
def _rooms(c, w, n, j, xj):
    """How far x[j] may go down and up within its bounds."""
    if c[BOUNDED] == 0:
        return _INF, _INF
    return xj - w[w.size - 2 * n + j], w[w.size - n + j] - xj


def _differences(value, scheme, kind, single):
    """``differences(x, g, f, data)``: sets g to differences of the value; f is f(x), NaN where it isn't known."""
    rounded, two, three, noise = _precision(single)
    default_step = _default_steps(two, three)

    @kernel
    def value_at(x, j, xj, data):
        x[j] = xj
        data[0][NFEV] += 1
        return value(x, data)

    @kernel
    def differences(x, g, f, data):
        c, w, scratch, u, steps, args, i = data
        n = x.size
        for j in range(n):
            xj = x[j]
            here, now = rounded(xj), scheme
            h = default_step(xj, scheme)
            if kind != DEFAULT:
                given = steps[j] if kind == ABSOLUTE else steps[j] * (abs(xj) if xj >= 0.0 else -abs(xj))
                if rounded(xj + given) - here != 0.0:
                    h = given
            down, up = _rooms(c, w, n, j, xj)
            g[j] = 0.0
            if down + up == 0.0:
                continue  # it can't vary
            for _ in range(2):
                if now == 2:
                    h = fit_step(h, down, up)
                    there = rounded(xj + h)
                    fh = value_at(x, j, there, data)
                    df, width = fh - f, there - here
                elif abs(h) <= down and abs(h) <= up:
                    above, below = rounded(xj + h), rounded(xj - h)
                    fh = value_at(x, j, above, data)
                    df, width = fh - value_at(x, j, below, data), above - below
                else:
                    h = 0.5 * fit_step(2.0 * h, down, up)
                    near, far = rounded(xj + h), rounded(xj + 2.0 * h)
                    f0 = f if f == f else value_at(x, j, xj, data)
                    fh = value_at(x, j, near, data)
                    df, width = 4.0 * fh - value_at(x, j, far, data) - 3.0 * f0, 2.0 * (near - here)
                if g[j] == 0.0 or abs(df) < _INF:
                    g[j] = df / width
                if not (abs(fh) > _LARGE and abs(df) <= noise * abs(fh)):
                    break
                # lost in the rounding of f: once more, central and with a larger step
                h, now = h * abs(fh) ** 0.5, 3
            x[j] = xj
        return 0.0

    return differences


def _with_differences(value, scheme, kind, single):
    """Value and gradient, by differences."""
    differences = _differences(value, scheme, kind, single)

    @kernel
    def value_grad(x, g, data):
        f = value(x, data)
        if abs(f) < _INF:
            differences(x, g, f, data)
        else:
            for j in range(x.size):
                g[j] = float("nan")
        return f

    return value_grad


def _differences_alone(value, scheme, kind, single):
    """The gradient by differences, for Hessians made of it."""
    differences = _differences(value, scheme, kind, single)

    @kernel
    def grad(x, g, data):
        f = float("nan")
        if scheme == 2:
            f = value(x, data)
            data[0][NFEV] += 1
        differences(x, g, f, data)
        return 0.0

    return grad


def _hessian(grad, scheme, grad_values, single):
    """The Hessian by differences of the gradient, made symmetric."""
    rounded, two, three, _ = _precision(single)
    default_step = _default_steps(two, three)

    @kernel
    def hess(x, H, data):
        c, w, scratch, u, steps, args, i = data
        n = x.size
        up, down = scratch[:n], scratch[n:]
        if scheme == 2:
            grad(x, down, data)
            c[NJEV] += 1
            c[NFEV] += grad_values
        for j in range(n):
            xj = x[j]
            h = default_step(xj, scheme)
            below_room, above_room = _rooms(c, w, n, j, xj)
            if below_room + above_room == 0.0:
                for k in range(n):
                    H[k * n + j] = 0.0
                continue
            above, below = xj + h, xj - h
            if scheme == 2:
                above, below = xj + fit_step(h, below_room, above_room), xj
            elif h > 0.0:
                above, below = min(above, xj + above_room), max(below, xj - below_room)
            else:
                above, below = max(above, xj - below_room), min(below, xj + above_room)
            x[j] = above
            grad(x, up, data)
            c[NJEV] += 1
            if scheme == 3:
                x[j] = below
                grad(x, down, data)
                c[NJEV] += 1
            x[j] = xj
            c[NFEV] += (scheme - 1) * grad_values
            for k in range(n):
                H[k * n + j] = (up[k] - down[k]) / (rounded(above) - rounded(below))
        symmetrise(H, n)
        return 0.0

    return hess


def _product(grad, grad_values, single):
    """The Hessian times v, by a central difference of the gradient along v."""
    _, _, three, _ = _precision(single)

    @kernel
    def hessp(x, v, out, data):
        c, w, scratch, u, steps, args, i = data
        n = x.size
        there, up = scratch[:n], scratch[n:]
        size, reach = 0.0, 0.0
        for j in range(n):
            size = max(size, abs(v[j]))
            reach = max(reach, abs(x[j]))
        if size == 0.0:
            for j in range(n):
                out[j] = 0.0
            return 0.0
        h = three * max(1.0, reach) / size
        for j in range(n):
            there[j] = x[j] + h * v[j]
        grad(there, up, data)
        for j in range(n):
            there[j] = x[j] - h * v[j]
        grad(there, out, data)
        c[NJEV] += 2
        c[NFEV] += 2 * grad_values
        for j in range(n):
            out[j] = (up[j] - out[j]) / (2.0 * h)
        return 0.0

    return hessp
