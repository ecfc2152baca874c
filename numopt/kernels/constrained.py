"""Objective and constraints as a solver sees them: ``evaluate_values(R, k)`` and its kin.

``R`` is a :class:`ConstrainedRun`: all fields of a :class:`numopt.kernels.oracle.Run`, so that what takes such a run
takes this one, and four more.  Where they are integers they are addresses of C functions

    con      (x, c, n, m, data)    sets c, m values
    con_jac  (x, J, n, m, data)    sets J, m x n, row by row
    lag_hess (x, w, H, n, data)    sets H, n x n:  w[m] hess f - sum_i w[i] hess c_i;  data is R.data

and otherwise compiled functions ``con(x, c, data)``, ``con_jac(x, J, data)`` (J flat), ``lag_hess(x, w, H, data)``.
``k`` is a place: the current point is at ``c[PARITY]``, the trial point at the other of 0 and 1, the best at 2.
"""

from typing import Any, NamedTuple

from numba import types
from numba.extending import overload

from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.constrained_slots import NCEV, NCJEV, M, common_words
from numopt.kernels.oracle import (
    admitted,
    call5,
    evaluate,
    evaluate_grad,
    evaluate_value,
    lazy_gradient,
    vector,
)
from numopt.kernels.slots import ABORT, F_TRIAL, G_BEST, N_COMMON, NHEV, X_BEST, G, N, X
from numopt.kernels.views import segment


class ConstrainedRun(NamedTuple):
    """State and callables of one run with constraints."""

    fun: Any
    value: Any
    grad: Any
    hess: Any
    hessp: Any
    data: Any
    search: Any
    table: Any
    tick: Any
    c: Any
    p: Any
    w: Any
    history: Any
    con: Any
    con_jac: Any
    lag_hess: Any
    con_data: Any


# --- the parts of the workspace


@inlined
def x_at(R, k):
    """x of place k."""
    return vector(R, X + k if k < 2 else X_BEST)


@inlined
def g_at(R, k):
    """The gradient of f."""
    return vector(R, G + k if k < 2 else G_BEST)


@inlined
def z_at(R, k):
    """Multipliers of the bounds."""
    return vector(R, N_COMMON + k)


@inlined
def _rows(R, j):
    return segment(R.w, (N_COMMON + 3) * R.c[N] + j * R.c[M], R.c[M])


@inlined
def c_at(R, k):
    """Values of the constraints."""
    return _rows(R, k)


@inlined
def y_at(R, k):
    """Multipliers of the constraints."""
    return _rows(R, 3 + k)


@inlined
def lower_limits(R):
    """cl."""
    return _rows(R, 6)


@inlined
def upper_limits(R):
    """cu."""
    return _rows(R, 7)


@inlined
def kept_rows(R):
    """1 for the rows that no point may violate."""
    return _rows(R, 8)


@inlined
def weights(R):
    """Arguments of the Hessian of the Lagrangian (m + 1)."""
    return segment(R.w, (N_COMMON + 3) * R.c[N] + 9 * R.c[M], R.c[M] + 1)


@inlined
def jacobian_at(R, k):
    """The Jacobian, flat, of places 0 and 1."""
    n, m = R.c[N], R.c[M]
    return segment(R.w, (N_COMMON + 3) * n + 10 * m + 1 + k * m * n, m * n)


@inlined
def own(R, start, count):
    """``count`` doubles of the method's own workspace, from ``start`` on."""
    n, m = R.c[N], R.c[M]
    return segment(R.w, (N_COMMON + 3) * n + 10 * m + 1 + 2 * m * n + start, count)


# --- calls


def call_con(R, x, c):
    """Sets c."""
    return R.con(x, c, R.con_data)


@overload(call_con, target="generic")
def _call_con(R, x, c):
    if isinstance(R.types[13], types.Integer):

        def by_address(R, x, c):
            return call5(R.con, types.intp(x.ctypes.data), types.intp(c.ctypes.data), x.size, c.size, R.con_data)

        return by_address
    if isinstance(R.types[13], types.NoneType):
        return lambda R, x, c: 0.0
    return lambda R, x, c: R.con(x, c, R.con_data)


def call_con_jac(R, x, J):
    """Sets J."""
    return R.con_jac(x, J, R.con_data)


@overload(call_con_jac, target="generic")
def _call_con_jac(R, x, J):
    if isinstance(R.types[14], types.Integer):

        def by_address(R, x, J):
            xp, jp = types.intp(x.ctypes.data), types.intp(J.ctypes.data)
            return call5(R.con_jac, xp, jp, x.size, R.c[M], R.con_data)

        return by_address
    if isinstance(R.types[14], types.NoneType):
        return lambda R, x, J: 0.0
    return lambda R, x, J: R.con_jac(x, J, R.con_data)


def call_lag_hess(R, x, w, H):
    """Sets H."""
    return R.lag_hess(x, w, H, R.data)


@overload(call_lag_hess, target="generic")
def _call_lag_hess(R, x, w, H):
    if isinstance(R.types[15], types.Integer):

        def by_address(R, x, w, H):
            xp, wp, hp = types.intp(x.ctypes.data), types.intp(w.ctypes.data), types.intp(H.ctypes.data)
            return call5(R.lag_hess, xp, wp, hp, x.size, R.data)

        return by_address
    if isinstance(R.types[15], types.NoneType):
        return lambda R, x, w, H: 0.0
    return lambda R, x, w, H: R.lag_hess(x, w, H, R.data)


@kernel
def _finite(f, c):
    if not abs(f) < float("inf"):
        return False
    for i in range(c.size):
        if not abs(c[i]) < float("inf"):
            return False
    return True


@kernel
def evaluate_values(R, k):
    """Sets ``p[F_TRIAL]`` and c at x of place k, counted; whether all of them are finite.

    Where value and gradient come from one function the gradient is set too.  False once the run is to end.
    """
    x, g, c = x_at(R, k), g_at(R, k), c_at(R, k)
    f = evaluate_value(R, x, g) if lazy_gradient(R) else evaluate(R, x, g)
    R.p[F_TRIAL] = f
    if R.c[ABORT] != 0:
        return False
    if c.size > 0:
        R.c[NCEV] += 1
        call_con(R, x, c)
        if R.c[ABORT] != 0:
            R.p[F_TRIAL] = float("nan")
            return False
    return _finite(f, c)


@kernel
def evaluate_constraints(R, x, c):
    """Sets c at any x, counted; whether they are finite."""
    if not admitted(R):
        return False
    R.c[NCEV] += 1
    call_con(R, x, c)
    return R.c[ABORT] == 0 and _finite(0.0, c)


@kernel
def evaluate_slopes(R, k):
    """Sets gradient and Jacobian at x of place k, whose values have been asked for; False if cut off or not finite."""
    x, g = x_at(R, k), g_at(R, k)
    if lazy_gradient(R) and not evaluate_grad(R, x, g):
        return False
    if not _finite(0.0, g):
        return False
    if R.c[M] > 0:
        J = jacobian_at(R, k)
        R.c[NCJEV] += 1
        call_con_jac(R, x, J)
        return R.c[ABORT] == 0 and _finite(0.0, J)
    return R.c[ABORT] == 0


@kernel
def evaluate_lagrangian(R, k, y, weight, H):
    """Sets H = weight hess f - sum_i y[i] hess c_i at x of place k, counted; False if cut off or not finite."""
    if not admitted(R):
        return False
    w = weights(R)
    for i in range(y.size):
        w[i] = y[i]
    w[y.size] = weight
    R.c[NHEV] += 1
    call_lag_hess(R, x_at(R, k), w, H)
    return R.c[ABORT] == 0 and _finite(0.0, H)


__all__ = ["ConstrainedRun", "common_words"]
