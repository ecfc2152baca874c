"""A sum of squares called directly: of a model by rows, in compiled code without addresses, on a GPU among others.

The formulas are those of ``kernels.squares``.  ``value(R, x)`` and ``grad(R, x, g)`` are what a
:class:`numopt.kernels.oracle.Run` holds; all that they need is in ``R.data``:

    x, y          predictors (m) or (k, m), data (m)
    sigma         standard deviations (m), or a number
    m             rows
    C, floor      scale of the loss; the least share of rho' in the weights
    start         all parameters at the start; those that are held have their values from here
    where, steps  which of them the variables are (n); relative difference steps (n), or negative

No row is kept: each is rotated into the triangle as it comes.  The rotations are Gentleman's, without square roots,

    R = D^(1/2) Rbar,   d' = d + w a^2,   c = d / d',   s = w a / d'
    (rbar_k, a_k) <- (c rbar_k + s a_k, a_k - a rbar_k),   w <- c w                                              (1)

for a row a of weight w, so that standard deviations and losses are weights and cost nothing.  They are as stable as
Householder's reflections: J'J, which would lose half of the digits, is never formed.

Scratch, in common vectors of the workspace that no method for sums of squares uses: points and scales of the
differences (4n), the largest changes of the columns and the largest value (n + 1).

Reference: W. M. Gentleman, Least squares computations by Givens transformations without square roots, J. Inst. Maths
Applics 12 (1973), 329-336.
"""

from functools import lru_cache

import numpy as np
from numpy import float64

from numopt.kernels import squares_slots as q
from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.oracle import lower_bounds, upper_bounds
from numopt.kernels.robust import EPS, poisson_term, rho
from numopt.kernels.slots import BOUNDED, PARITY, STATUS, N
from numopt.kernels.squares_points import points_at, step_at
from numopt.kernels.status import NEW
from numopt.kernels.triangle import gradient

UNROLLED = 8  # parameters: up to so many, the triangle of the rows under way is held in variables, in registers
_TINY = 1e-300  # squares below are zero
_INF = float("inf")


@inlined
def scratch(R):
    """Points and scales of the differences (4n), changes of the columns (n), the largest value."""
    n = R.c[N]
    return R.w[4 * n : 9 * n + 1]


@inlined
def triangle_at(R):
    """The triangle of the point that is being evaluated: the start, or the trial point."""
    n = R.c[N]
    size = n * (n + 1)
    first = q.VECTORS * n + (R.c[PARITY] if R.c[STATUS] == NEW else 1 - R.c[PARITY]) * size
    return R.w[first : first + size]


@inlined
def row_at(R):
    """Room for a row of n + 1."""
    n = R.c[N]
    first = q.VECTORS * n + 4 * n * (n + 1)
    return R.w[first : first + n + 1]


@kernel
def clear(v):
    """v = 0."""
    for i in range(v.size):
        v[i] = 0.0


@kernel
def include(T, n, row, w, first):
    """(1) for a row of weight w that is zero before ``first``; the row is destroyed.  D stands on T's diagonal."""
    wide = n + 1
    for i in range(first, n):
        a = row[i]
        wa, d = w * a, T[i * wide + i]
        total = d + wa * a
        if total < _TINY:  # not so where it is NaN
            continue
        c, s = d / total, wa / total
        T[i * wide + i] = total
        w *= c
        for k in range(i + 1, wide):
            b, r = row[k], T[i * wide + k]
            row[k] = b - a * r
            T[i * wide + k] = c * r + s * b


@kernel
def merge(T, other, n, row):
    """Take the rows of another triangle, of the same form, into T."""
    wide = n + 1
    for i in range(n):
        d = other[i * wide + i]
        if d == 0.0:
            continue
        row[i] = 1.0
        for k in range(i + 1, wide):
            row[k] = other[i * wide + k]
        include(T, n, row, d, i)


@kernel
def finish(T, n):
    """From D and Rbar to R."""
    wide = n + 1
    for i in range(n):
        root = T[i * wide + i] ** 0.5
        for k in range(i):
            T[i * wide + k] = 0.0
        T[i * wide + i] = root
        for k in range(i + 1, wide):
            T[i * wide + k] *= root


def _steps(scheme, real):
    """``set_points(R, data, z, S)``: where to take differences; and ``lost(S, n)``: whether some must be taken again.

    The changes in S are negative for columns that are to have a large step, and zero at first.
    """
    single = real is np.float32
    eps = 2.0**-23 if single else EPS
    least = eps ** (0.5 if scheme == 2 else 1.0 / 3.0)
    noise = (10.0 if single else 1e3) * eps

    @kernel
    def set_points(R, data, z, S):
        n, start, where, steps = z.size, data[6], data[7], data[8]
        for j in range(n):
            zj, large = z[j], S[4 * n + j] < 0.0
            size = abs(start[where[j]])
            if size == 0.0:
                size = 1.0
            down, up = _INF, _INF
            if R.c[BOUNDED] != 0:
                down, up = zj - lower_bounds(R)[j], upper_bounds(R)[j] - zj
            near, far, kind = points_at(zj, step_at(zj, steps[j], size, least, large), down, up, scheme)
            here = float64(real(zj))
            if float64(real(near)) == here:
                near, far, kind = points_at(zj, step_at(zj, steps[j], size, least, True), down, up, scheme)
            near, far = float64(real(near)), float64(real(far))
            width = near - far if kind == 2 else far - here if kind == 3 else near - here
            S[j], S[n + j], S[2 * n + j] = near, far, 4.0 if kind == 3 else 1.0
            S[3 * n + j] = 1.0 / width if width != 0.0 else 0.0  # no room
            S[4 * n + j] = 0.0
        S[5 * n] = 0.0

    @kernel
    def lost(S, n):
        found = False
        for j in range(n):
            if S[3 * n + j] != 0.0 and S[4 * n + j] <= noise * S[5 * n]:
                S[4 * n + j] = -1.0
                found = True
        return found

    return set_points, lost


class Rows:
    """The compiled pieces of an objective of a model by rows.

    Parameters
    ----------
    f : jitted function
        ``f(x_i, *params) -> number``: x_i a number, or a column of a matrix.
    jac : jitted function or None
        ``jac(x_i, *params) -> tuple of n numbers``; None: differences.
    free : tuple of bool
        Which of the parameters are variables.
    ndim : int
        Dimensions of x.
    scheme : int
        2 or 3 points of differences.
    loss : int
        As in ``squares_slots``, but for CALLABLE.
    weights : {'none', 'number', 'array'}
        What sigma is.
    single : bool
        Whether f works in single precision; sums and the triangle are double all the same.

    Attributes
    ----------
    value : jitted function
        ``value(data, z, first, by) -> f`` of each ``by``-th row from ``first`` on.
    triangle : jitted function
        ``triangle(data, z, S, T, changes, row, first, by)``: sets D and Rbar of those rows, and the changes of the
        columns; ``row`` is scratch.
    set_points, lost : jitted function
    """

    def __init__(self, f, jac, free, ndim, scheme, loss, weights, single):
        self.f, self.jac, self.scheme, self.loss, self.weights = f, jac, scheme, loss, weights
        self.free, self.n, self.single = free, sum(free), single
        self.places = [k for k, is_free in enumerate(free) if is_free]
        self.row = "x[i]" if ndim == 1 else "x[:, i]"
        real = np.float32 if single else np.float64
        self.known = {"f": f, "jac": jac, "real": real, "rho": rho, "poisson_term": poisson_term, "include": include,
                      "clear": clear, "EPS": EPS, "LOSS": loss, "double": np.float64}  # fmt: skip
        self.set_points, self.lost = _steps(scheme, real)
        self.value = self._made(self._value())
        self.triangle = self._made(self._triangle())

    def _made(self, lines):
        space = dict(self.known)
        exec("\n".join(lines), space)
        return kernel(space["made"])

    def _head(self, arguments):
        lines = [f"def made({arguments}):", "    x, y, sigma, m, C, floor, start, where, steps = data"]
        lines += [f"    p{j} = real(z[{j}])" for j in range(self.n)]
        return lines + [f"    f{k} = real(start[{k}])" for k, is_free in enumerate(self.free) if not is_free]

    def _scale(self):
        """s = 1 / sigma, outside and inside of the loop over rows."""
        if self.weights == "number":
            return ["    s = 1.0 / sigma"], []
        return [], ["        s = 1.0 / double(sigma[i])" if self.weights == "array" else "        s = 1.0"]

    def _names(self, form=None):
        """All parameters; ``form(j)``: the j-th variable, where it is not p_j."""
        return ", ".join(
            f"f{k}" if not is_free else form(self.places.index(k)) if form else f"p{self.places.index(k)}"
            for k, is_free in enumerate(self.free)
        )

    def _call(self, changed=None, at="q"):
        return f"double(f(xi, {self._names(lambda j: f'{at}{j}' if j == changed else f'p{j}')}))"

    def _value(self):
        outside, inside = self._scale()
        lines = [*self._head("data, z, first, by"), *outside, "    total = 0.0", "    for i in range(first, m, by):"]
        lines += [f"        xi = {self.row}", f"        v, yi = {self._call()}, double(y[i])"]
        if self.loss == q.POISSON:
            return [*lines, "        total += poisson_term(v, yi)", "    return total"]
        lines += [*inside, "        r = (v - yi) * s"]
        if self.loss == q.LINEAR:
            return [*lines, "        total += r * r", "    return 0.5 * total"]
        return [*lines, "        total += rho(LOSS, (r / C) * (r / C))[0]", "    return 0.5 * C * C * total"]

    def _weigh(self):
        """The weight w of a row, and its residual b."""
        if self.loss == q.POISSON:
            return ["        w = 1.0 / max(v, EPS)"]
        if self.loss == q.LINEAR:
            return ["        w = s * s"]
        return ["        u = b * s / C", "        u *= u", "        _, slope, bend = rho(LOSS, u)",
                "        w = max(slope + 2.0 * u * bend, floor * slope, EPS)",
                "        b *= slope / w", "        w *= s * s"]  # fmt: skip

    def _columns(self):
        """a0, a1, ...: the row of the Jacobian."""
        if self.jac is not None:
            return [f"        J = jac(xi, {self._names()})",
                    *(f"        a{j} = double(J[{k}])" for j, k in enumerate(self.places))]  # fmt: skip
        lines = []
        for j in range(self.n):
            lines += [f"        a{j} = {self._call(j)} - v", f"        e{j} = max(e{j}, abs(a{j}))"]
            if self.scheme == 3:
                lines.append(f"        a{j} = k{j} * a{j} - ({self._call(j, 'o')} - v)")
            lines.append(f"        a{j} *= h{j}")
        return lines

    def _triangle(self):
        n = self.n
        lines = self._head("data, z, S, T, changes, row, first, by")
        if n > UNROLLED:
            return [*lines, *self._in_memory()]
        outside, inside = self._scale()
        lines += outside
        if self.jac is None:
            for j in range(n):
                lines += [f"    q{j}, h{j}, e{j} = real(S[{j}]), S[{3 * n + j}], 0.0"]
                if self.scheme == 3:
                    lines += [f"    o{j}, k{j} = real(S[{n + j}]), S[{2 * n + j}]"]
        for i in range(n):
            lines += [f"    d{i} = 0.0", *(f"    t{i}_{k} = 0.0" for k in range(i + 1, n + 1))]
        lines += ["    e = 0.0", "    for i in range(first, m, by):", f"        xi = {self.row}"]
        lines += [f"        v = {self._call()}", "        e = max(e, abs(v))", f"        a{n} = b = v - double(y[i])"]
        lines += [*self._columns(), *inside, *self._weigh(), f"        a{n} = b"]
        for i in range(n):
            lines += [f"        wa = w * a{i}", f"        d = d{i} + wa * a{i}", "        if not d < 1e-300:"]
            lines += [f"            c, s_, d{i} = d{i} / d, wa / d, d", "            w *= c"]
            for k in range(i + 1, n + 1):
                lines += [f"            r = t{i}_{k}", f"            t{i}_{k} = c * r + s_ * a{k}",
                          f"            a{k} -= a{i} * r"]  # fmt: skip
        for i in range(n):
            lines += [f"    T[{i * (n + 1) + i}] = d{i}"]
            lines += [f"    T[{i * (n + 1) + k}] = t{i}_{k}" for k in range(i + 1, n + 1)]
        if self.jac is None:
            lines += [*(f"    changes[{j}] = e{j}" for j in range(n)), f"    changes[{n}] = e"]
        return lines

    def _in_memory(self):
        """The same for many parameters: one call in a loop over the columns, rows and triangle in memory."""
        n, (outside, inside) = self.n, self._scale()
        lines = ["    clear(T)", "    clear(changes)", *outside, "    for i in range(first, m, by):"]
        lines += [f"        xi = {self.row}", f"        v = {self._call()}", "        b = v - double(y[i])"]
        if self.jac is not None:
            lines += [f"        J = jac(xi, {self._names()})"]
            lines += [f"        row[{j}] = double(J[{k}])" for j, k in enumerate(self.places)]
        else:
            moved = f"double(f(xi, {self._names(lambda k: f'(u if j == {k} else p{k})')}))"
            lines += [f"        changes[{n}] = max(changes[{n}], abs(v))", f"        for j in range({n}):",
                      "            u = real(S[j])", f"            a = {moved} - v",
                      "            changes[j] = max(changes[j], abs(a))"]  # fmt: skip
            if self.scheme == 3:
                lines += [f"            u = real(S[{n} + j])", f"            a = S[{2 * n} + j] * a - ({moved} - v)"]
            lines += [f"            row[j] = a * S[{3 * n} + j]"]
        return [*lines, *inside, *self._weigh(), f"        row[{n}] = b", f"        include(T, {n}, row, w, 0)"]


@lru_cache(maxsize=256)
def rows(*key):
    """The :class:`Rows` of its arguments, kept."""
    return Rows(*key)


def alone(pieces):
    """(value, grad) of an objective in one thread, from the pieces of :class:`Rows`."""
    rows_value, rows_triangle, set_points, lost = pieces.value, pieces.triangle, pieces.set_points, pieces.lost
    differences = pieces.jac is None

    @kernel
    def value(R, z):
        return rows_value(R.data, z, 0, 1)

    @kernel
    def grad(R, z, g):
        n = z.size
        T, S = triangle_at(R), scratch(R)
        clear(S[4 * n :])
        for _ in range(2):
            if differences:
                set_points(R, R.data, z, S)
            rows_triangle(R.data, z, S, T, S[4 * n :], row_at(R), 0, 1)
            if not differences or not lost(S, n):
                break
        finish(T, n)
        gradient(T, n, g)
        return 0.0

    return value, grad
