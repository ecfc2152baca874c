"""Objective and constraints as a solver sees them: ``evaluate_values(R, k)`` and its kin.

``R`` is a :class:`ConstrainedRun`: all fields of a :class:`numopt.kernels.oracle.Run`, so that what takes such a run
takes this one, and four more.  Where they are integers they are addresses of C functions

    con      (x, c, n, m, data)    sets c, m values
    con_jac  (x, J, n, m, data)    sets J, m x n, row by row
    lag_hess (x, w, H, n, data)    sets H, n x n:  w[m] hess f - sum_i w[i] hess c_i;  data is R.data

and otherwise compiled functions ``con(x, c, data)``, ``con_jac(x, J, data)`` (J flat), ``lag_hess(x, w, H, data)``.
``k`` is a place: the current point is at ``c[PARITY]``, the trial point at the other of 0 and 1, the best at 2.

Parts of the workspace: ``x_at(R, k)``, ``g_at(R, k)`` (the gradient of f), ``z_at(R, k)`` (multipliers of the bounds),
``c_at(R, k)`` (the constraints), ``y_at(R, k)`` (their multipliers), ``jacobian_at(R, k)`` (flat; places 0 and 1),
``lower_limits(R)``, ``upper_limits(R)``, ``kept_rows(R)`` (1 for the rows that no point may violate), ``weights(R)``
(arguments of the Hessian of the Lagrangian, m + 1), ``own(R, start, count)`` (the method's own).
"""

from typing import Any, NamedTuple

from numba import carray, types
from numba.extending import overload

from numopt.kernels import slots as s
from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.constrained_slots import HISTORY_WIDTH, NCEV, NCJEV, M
from numopt.kernels.constrained_views import c_at as c_at
from numopt.kernels.constrained_views import g_at as g_at
from numopt.kernels.constrained_views import jacobian_at as jacobian_at
from numopt.kernels.constrained_views import kept_rows as kept_rows
from numopt.kernels.constrained_views import lower_limits as lower_limits
from numopt.kernels.constrained_views import own as own
from numopt.kernels.constrained_views import upper_limits as upper_limits
from numopt.kernels.constrained_views import weights as weights
from numopt.kernels.constrained_views import x_at as x_at
from numopt.kernels.constrained_views import y_at as y_at
from numopt.kernels.constrained_views import z_at as z_at
from numopt.kernels.oracle import (
    admitted,
    call5,
    evaluate,
    evaluate_grad,
    evaluate_value,
    lazy_gradient,
    void_pointer,
)
from numopt.kernels.slots import ABORT, F_TRIAL, NHEV


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


@inlined
def run_at(table):
    """The run whose table of machine words stands at an address."""
    a = carray(void_pointer(table), (s.N_TABLE,), types.intp)
    c = carray(void_pointer(a[s.A_C]), (s.N_COUNTERS,), types.int64)
    p = carray(void_pointer(a[s.A_P]), (s.N_SCALARS,), types.float64)
    w = carray(void_pointer(a[s.A_W]), (a[s.A_W_SIZE],), types.float64)
    h = carray(void_pointer(a[s.A_HISTORY]), (HISTORY_WIDTH * c[s.HISTORY_SIZE],), types.float64)
    return ConstrainedRun(
        a[s.A_VALUE_GRAD], a[s.A_VALUE], a[s.A_GRAD], a[s.A_HESS], a[s.A_HESSP], a[s.A_DATA], a[s.A_SEARCH], table,
        a[s.A_TICK], c, p, w, h, a[s.A_CON], a[s.A_CON_JAC], a[s.A_LAG_HESS], a[s.A_CON_DATA],
    )  # fmt: skip


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
