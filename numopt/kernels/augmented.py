r"""The augmented Lagrangian function of a run with constraints, and the inner run that minimises it.

With multipliers lam, a penalty rho_i for each row, and P the projection onto the limits of a row, (Rockafellar 1974; a
range needs no slack variable and no doubling)

.. math::

    L_A(x) = f(x) + \sum_i \min_{cl_i \le s \le cu_i} \lambda_i (s - c_i) + \tfrac12 \rho_i (s - c_i)^2,
    \qquad s_i = P(c_i - \lambda_i / \rho_i)                                                               (1)

    \nabla L_A = \nabla f - J^T y, \qquad y_i = \lambda_i + \rho_i (s_i - c_i)                              (2)

    \nabla^2 L_A = \nabla^2 f - \sum_i y_i \nabla^2 c_i + \sum_{i: y_i \ne 0} \rho_i J_i^T J_i              (3)

A row is active where y_i is not 0.  For rows that no point may violate (keep_feasible) P is the projection onto limits
a little within the row's own, so that the minimiser, which violates them by (y - lam) / rho, is a point that may be
evaluated; outside the row's own limits L_A is infinite.

The inner run is one of the catalogue's solvers for bounds, used through its contract alone: a
:class:`numopt.kernels.oracle.Run` with counters, scalars and workspace of its own, inside the outer run's workspace.
Where callables are addresses ``R.search`` is that of the words of ``augmented_slots`` (I_RUN, ...): the inner unit and
its line search, this module's function by address, counters and scalars to begin with.  Otherwise
``R.search(fun, R, c, p, w, begin)`` sets counters and scalars to begin with, or runs.

The point evaluated last, with its gradient, constraints and Jacobian, is in the trial place of the outer run, and its
value in ``p[F_TRIAL]``: points known are not evaluated twice.
"""

from typing import Any

import numpy as np
from numba import carray, types
from numba.extending import overload

from numopt.kernels.augmented_slots import (
    HEAD,
    I_C,
    I_P,
    I_RUN,
    I_SEARCH,
    I_VALUE_GRAD,
    INNER_MAXITER,
    KEEPING,
    LAM,
    WARM,
    WEIGHT,
    inner_start,
)
from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.constrained import (
    c_at,
    call_con,
    call_con_jac,
    evaluate_constraints,
    g_at,
    jacobian_at,
    kept_rows,
    lower_limits,
    own,
    run_at,
    upper_limits,
    x_at,
    y_at,
)
from numopt.kernels.constrained_slots import NCEV, NCJEV, PENALTY, M, common_words
from numopt.kernels.oracle import call1, evaluate, void_pointer
from numopt.kernels.slots import (
    A_C,
    A_DATA,
    A_GRAD,
    A_HESS,
    A_HESSP,
    A_HISTORY,
    A_P,
    A_SEARCH,
    A_TICK,
    A_VALUE,
    A_VALUE_GRAD,
    A_W,
    A_W_SIZE,
    ABORT,
    BOUNDED,
    DEADLINE,
    F_LOWER,
    F_TRIAL,
    GIVEN_H,
    GTOL,
    MAXITER,
    N_COUNTERS,
    N_SCALARS,
    N_TABLE,
    NIT,
    PARITY,
    PAUSE_AT,
    STATUS,
    TICK_IN,
    F,
    N,
)
from numopt.kernels.status import NEW, RUNNING, Status
from numopt.kernels.vectors import copy, norm_inf
from numopt.kernels.views import segment

_NAN, _INF = float("nan"), float("inf")
_NEVER = 1 << 62
_inner_start: Any = kernel(inner_start)
_common_words: Any = kernel(common_words)


# --- parts of the own workspace


@inlined
def inner_counters(R):
    """Integers of the inner run."""
    return own(R, 0, N_COUNTERS + N_TABLE).view(np.int64)


@inlined
def inner_scalars(R):
    """Scalars of the inner run."""
    return own(R, HEAD, N_SCALARS)


@inlined
def inner_space(R):
    """Its workspace, which ends with the bounds."""
    start = _common_words(R.c[N], R.c[M]) + _inner_start(R.c[N], R.c[M])
    return segment(R.w, start, R.w.size - start)


@inlined
def lam_of(R):
    """Multipliers of the augmented Lagrangian."""
    return own(R, LAM, R.c[M])


@inlined
def scale_of(R):
    """Squares of the factors of the rows."""
    return own(R, LAM + R.c[M], R.c[M])


@inlined
def low_of(R):
    """Lower limits that the augmented Lagrangian is made with."""
    return own(R, LAM + 2 * R.c[M], R.c[M])


@inlined
def high_of(R):
    """The upper ones."""
    return own(R, LAM + 3 * R.c[M], R.c[M])


@inlined
def residual_of(R):
    """Room for the gradient of the Lagrangian."""
    return own(R, LAM + 4 * R.c[M], R.c[N])


@inlined
def matrix_part(R, start, count):
    """Of what the Newton step needs."""
    return own(R, LAM + 4 * R.c[M] + R.c[N] + start, count)


# --- the function


@kernel
def _same(x, y):
    for j in range(x.size):
        if x[j] != y[j]:
            return False
    return True


@kernel
def _kept(R, c):
    """Whether c violates none of the rows that are to be kept."""
    keep, cl, cu = kept_rows(R), lower_limits(R), upper_limits(R)
    for i in range(c.size):
        if keep[i] != 0.0 and not cl[i] <= c[i] <= cu[i]:
            return False
    return True


@kernel
def evaluate_all(R, x):
    """Values and slopes at x, into the trial place; False if cut off, not finite or not allowed."""
    c, t = R.c, 1 - R.c[PARITY]
    xt, gt, ct, J = x_at(R, t), g_at(R, t), c_at(R, t), jacobian_at(R, t)
    xt[0] = _NAN  # nothing there, until all is
    if c[KEEPING] != 0 and not (evaluate_constraints(R, x, ct) and _kept(R, ct)):
        return False
    R.p[F_TRIAL] = evaluate(R, x, gt)
    if c[ABORT] != 0 or not (abs(R.p[F_TRIAL]) < _INF and norm_inf(gt) < _INF):
        return False
    if ct.size > 0:
        if c[KEEPING] == 0:
            c[NCEV] += 1
            call_con(R, x, ct)
        c[NCJEV] += 1
        call_con_jac(R, x, J)
        if c[ABORT] != 0 or not (norm_inf(ct) < _INF and norm_inf(J) < _INF):
            return False
    copy(x, xt)
    return True


@kernel
def bring(R, x):
    """See to it that the trial place holds x."""
    k, t = R.c[PARITY], 1 - R.c[PARITY]
    if _same(x, x_at(R, t)):
        return True
    if not _same(x, x_at(R, k)):
        return evaluate_all(R, x)
    copy(x, x_at(R, t))
    copy(g_at(R, k), g_at(R, t))
    copy(c_at(R, k), c_at(R, t))
    copy(jacobian_at(R, k), jacobian_at(R, t))
    R.p[F_TRIAL] = R.p[F]
    return True


@kernel
def estimates(R, c, y):
    """y by (2); returns what (1) adds to f."""
    lam, scale, cl, cu, rho = lam_of(R), scale_of(R), low_of(R), high_of(R), R.p[PENALTY]
    total = 0.0
    for i in range(c.size):
        ri = rho * scale[i]
        v = c[i] - lam[i] / ri
        if v < cl[i] or cl[i] == cu[i]:
            e = cl[i] - c[i]
        elif v > cu[i]:
            e = cu[i] - c[i]
        else:
            y[i] = 0.0
            total -= 0.5 * lam[i] * lam[i] / ri
            continue
        y[i] = lam[i] + ri * e
        total += e * (lam[i] + 0.5 * ri * e)
    return total


@kernel
def weighted_slope(J, y, weight, g, out):
    """out = weight g - J'y."""
    n = g.size
    for j in range(n):
        out[j] = weight * g[j]
    for i in range(y.size):
        if y[i] != 0.0:
            for j in range(n):
                out[j] -= J[i * n + j] * y[i]


@kernel
def augmented(R, x, g):
    """L_A(x) of the run, infinite where it has none; sets g."""
    if not bring(R, x):
        inner_counters(R)[ABORT] = R.c[ABORT]
        for j in range(g.size):
            g[j] = _NAN
        return _INF
    t, weight = 1 - R.c[PARITY], R.p[WEIGHT]
    y = y_at(R, t)
    added = estimates(R, c_at(R, t), y)
    weighted_slope(jacobian_at(R, t), y, weight, g_at(R, t), g)
    return weight * R.p[F_TRIAL] + added


@kernel
def add_rows(R, J, y, H):
    """H += the last sum of (3)."""
    scale, rho, cl, cu, n = scale_of(R), R.p[PENALTY], lower_limits(R), upper_limits(R), R.c[N]
    for i in range(y.size):
        if y[i] == 0.0 and cl[i] != cu[i]:
            continue
        ri = rho * scale[i]
        for a in range(n):
            s = ri * J[i * n + a]
            if s != 0.0:
                for b in range(n):
                    H[a * n + b] += s * J[i * n + b]


# --- what the inner run calls


@kernel
def value_grad(xp, gp, n, data):
    """L_A(x); sets g.  By address: data is that of the outer run's table."""
    x = carray(void_pointer(xp), (n,), types.float64)
    return augmented(run_at(data), x, carray(void_pointer(gp), (n,), types.float64))


@kernel
def _value_grad(x, g, R):
    return augmented(R, x, g)


# --- the inner run


def _defaults(R, c, p):
    """Counters and scalars that the inner solver begins with."""


@overload(_defaults, target="generic")
def _set_defaults(R, c, p):
    if isinstance(R.types[6], types.Integer):

        def by_address(R, c, p):
            words = carray(void_pointer(R.search), (I_P + 1,), types.intp)
            copy(carray(void_pointer(words[I_C]), (N_COUNTERS,), types.int64), c)
            copy(carray(void_pointer(words[I_P]), (N_SCALARS,), types.float64), p)

        return by_address

    return lambda R, c, p: R.search(_value_grad, R, c, p, R.w, True)


def _call_inner(R):
    """Run the inner solver."""


@overload(_call_inner, target="generic")
def _run_inner(R):
    if isinstance(R.types[6], types.Integer):

        def by_address(R):
            words = carray(void_pointer(R.search), (I_P + 1,), types.intp)
            outer = carray(void_pointer(R.table), (N_TABLE,), types.intp)
            c, w = inner_counters(R), inner_space(R)
            table = segment(c, N_COUNTERS, N_TABLE)
            table[A_VALUE_GRAD], table[A_VALUE], table[A_GRAD] = words[I_VALUE_GRAD], 0, 0
            table[A_HESS], table[A_HESSP], table[A_DATA] = 0, 0, R.table
            table[A_SEARCH], table[A_TICK] = words[I_SEARCH], 0
            table[A_C], table[A_P] = types.intp(c.ctypes.data), types.intp(inner_scalars(R).ctypes.data)
            table[A_W], table[A_W_SIZE], table[A_HISTORY] = types.intp(w.ctypes.data), w.size, outer[A_HISTORY]
            call1(words[I_RUN], types.intp(table.ctypes.data))

        return by_address

    def direct(R):
        c, p, w = segment(inner_counters(R), 0, N_COUNTERS), inner_scalars(R), inner_space(R)
        R.search(_value_grad, R, c, p, w, False)

    return direct


@kernel
def begin_inner(R, x, gtol):
    """Set the inner run to its beginning, at x."""
    c, p, w, n = inner_counters(R), inner_scalars(R), inner_space(R), R.c[N]
    _defaults(R, segment(c, 0, N_COUNTERS), p)
    c[N], c[BOUNDED], c[STATUS], c[MAXITER] = n, 1, NEW, R.c[INNER_MAXITER]
    c[TICK_IN], c[PAUSE_AT], c[GIVEN_H] = _NEVER, _NEVER, R.c[WARM]  # the outer run's evaluations look at the clock
    p[GTOL], p[F_LOWER], p[DEADLINE] = gtol, R.p[F_LOWER], _INF
    copy(x, segment(w, 0, n))


@kernel
def go_on_inner(R):
    """Begin the inner run, or go on with one that was cut off; returns its status."""
    c = inner_counters(R)
    if c[ABORT] != 0:
        c[ABORT] = 0
        c[STATUS] = RUNNING if c[NIT] > 0 else NEW
    _call_inner(R)
    return c[STATUS]


@inlined
def inner_point(R):
    """The inner run's x."""
    return segment(inner_space(R), inner_counters(R)[PARITY] * R.c[N], R.c[N])


UNBOUNDED = int(Status.UNBOUNDED)
