r"""A Newton step on the active constraints, from a minimiser of the augmented Lagrangian function.

With H the inverse of its Hessian, exact or the inner solver's, r the gradient of the Lagrangian, h the violation of the
active rows and J their gradients, those of the active bounds among them, the step and the change of the multipliers are

.. math:: d = H (J^T \delta - r), \qquad (J H J^T) \delta = J H r - h                                       (1)

the Newton step for grad f = J'y, h = 0: the terms that the penalty adds to the Hessian move the multipliers only.
The first-order estimate of the multipliers is this with J H J' = I / rho, and its error is proportional to 1 / rho;
(1) lets a moderate rho do (Bertsekas 1982, section 2.3.2; Tapia 1977).

References
----------
D. P. Bertsekas, Constrained Optimization and Lagrange Multiplier Methods, Academic Press 1982.
R. A. Tapia, Diagonalized multiplier methods and quasi-Newton methods for constrained optimization, J. Optim. Theory
Appl. 22 (1977), 135-194.
"""

from numopt.kernels.augmented import (
    add_rows,
    estimates,
    evaluate_all,
    high_of,
    inner_space,
    lam_of,
    low_of,
    matrix_part,
    residual_of,
    weighted_slope,
)
from numopt.kernels.augmented_slots import WARM
from numopt.kernels.augmented_steps import set_bound_multipliers
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import (
    c_at,
    evaluate_lagrangian,
    g_at,
    jacobian_at,
    lower_limits,
    upper_limits,
    x_at,
    y_at,
)
from numopt.kernels.constrained_slots import (
    COMPLEMENTARITY,
    CTOL,
    EXACT_HESSIAN,
    STATIONARITY,
    VIOLATION,
    M,
)
from numopt.kernels.dense import cholesky, solve_cholesky
from numopt.kernels.kkt import assess
from numopt.kernels.oracle import lower_bounds, upper_bounds, vector
from numopt.kernels.slots import GNORM, GTOL, N_COMMON, PARITY, X_LOW, D, N
from numopt.kernels.vectors import copy, dot
from numopt.kernels.views import segment

_FALL = 0.5  # a step is taken where the residual of the KKT conditions falls so far


@kernel
def _times(H, L, exact, n, v, out):
    """out = (inverse Hessian) v: H is it, or L its Hessian's factor."""
    if exact:
        solve_cholesky(L, n, v, out)
    else:
        for a in range(n):
            s = 0.0
            for b in range(n):
                s += H[a * n + b] * v[b]
            out[a] = s


@kernel
def _error(p):
    """Residual of the KKT conditions, in the tolerances."""
    return max(p[VIOLATION] / p[CTOL], p[GNORM] / p[GTOL]) if p[CTOL] > 0.0 and p[GTOL] > 0.0 else p[GNORM]


@kernel
def _list_active(R, x, r, y, which):
    """Numbers of the active rows, then n-th ones of the active bounds; how many."""
    cl, cu, xl, xu, m, count = lower_limits(R), upper_limits(R), lower_bounds(R), upper_bounds(R), R.c[M], 0
    for i in range(m):
        if y[i] != 0.0 or cl[i] == cu[i]:
            which[count] = i
            count += 1
    for j in range(x.size):
        if (x[j] <= xl[j] and r[j] > 0.0) or (x[j] >= xu[j] and r[j] < 0.0):
            which[count] = m + j
            count += 1
    return count


@kernel
def _factor_hessian(R, y, L):
    """The factor of the exact Hessian of L_A at the current point; False if that is not positive definite."""
    n, k = R.c[N], R.c[PARITY]
    if not evaluate_lagrangian(R, k, y, 1.0, L):
        return False
    add_rows(R, jacobian_at(R, k), y, L)
    return cholesky(L, L, n, 0.0)


@kernel
def give_inverse(R):
    """Let the inner run begin with the exact inverse Hessian of L_A, where that is positive definite."""
    n, size, y = R.c[N], R.c[N] + R.c[M], y_at(R, 1 - R.c[PARITY])
    L, H = matrix_part(R, size * (n + size + 2), n * n), segment(inner_space(R), (N_COMMON + 1) * n, n * n)
    x_at(R, 1 - R.c[PARITY])[0] = float("nan")  # its y is not its own any more
    estimates(R, c_at(R, R.c[PARITY]), y)
    if _factor_hessian(R, y, L):
        for j in range(n):
            row = segment(H, j * n, n)
            for i in range(n):
                row[i] = 1.0 if i == j else 0.0
            solve_cholesky(L, n, row, row)
        R.c[WARM] = 1


@kernel
def newton_step(R):
    """Try (1) from the current point; whether it is in the trial place, with its multipliers."""
    c, p = R.c, R.p
    n, m, k, t, exact = c[N], c[M], c[PARITY], 1 - c[PARITY], c[EXACT_HESSIAN] != 0
    x, J, y, lam, r = x_at(R, k), jacobian_at(R, k), y_at(R, t), lam_of(R), residual_of(R)
    size = n + m
    Jh, A = matrix_part(R, 0, size * n), matrix_part(R, size * n, size * size)
    rhs, which = matrix_part(R, size * (n + size), size), matrix_part(R, size * (n + size + 1), size)
    L, H = matrix_part(R, size * (n + size + 2), n * n), segment(inner_space(R), (N_COMMON + 1) * n, n * n)
    cl, cu = low_of(R), high_of(R)
    values = c_at(R, k)
    estimates(R, values, y)
    weighted_slope(J, y, 1.0, g_at(R, k), r)
    if exact and not _factor_hessian(R, y, L):
        return False
    hr = vector(R, X_LOW)
    _times(H, L, exact, n, r, hr)
    count = _list_active(R, x, r, y, which)
    unit = vector(R, D)
    for a in range(count):
        i, row = int(which[a]), segment(Jh, a * n, n)
        if i < m:
            _times(H, L, exact, n, segment(J, i * n, n), row)
        elif exact:
            for j in range(n):
                unit[j] = 1.0 if j == i - m else 0.0
            solve_cholesky(L, n, unit, row)
        else:
            copy(segment(H, (i - m) * n, n), row)
    top = 0.0
    for a in range(count):
        i = int(which[a])
        if i < m:
            Ji = segment(J, i * n, n)
            h = values[i] - (cl[i] if cl[i] == cu[i] or y[i] > 0.0 else cu[i])
            rhs[a] = dot(Ji, hr) - h
            for b in range(a + 1):
                A[a * count + b] = dot(Ji, segment(Jh, b * n, n))
        else:
            rhs[a] = hr[i - m]
            for b in range(a + 1):
                A[a * count + b] = Jh[b * n + i - m]
        top = max(top, A[a * count + a])
    # dependent gradients: a little of the unit matrix
    if not cholesky(A, A, count, 1e-14 * top):
        return False
    solve_cholesky(A, count, rhs, rhs)
    d, xl, xu = unit, lower_bounds(R), upper_bounds(R)
    for j in range(n):
        s = x[j] - hr[j]
        for a in range(count):
            s += rhs[a] * Jh[a * n + j]
        d[j] = min(max(s, xl[j]), xu[j])
    for a in range(count):
        i = int(which[a])
        if i >= m:
            j = i - m
            d[j] = x[j]
            continue
        new = lam[i] + rhs[a]
        y[i] = new if cl[i] == cu[i] or new * y[i] > 0.0 else 0.0
    for i in range(m):
        if not abs(y[i]) < float("inf"):
            return False
    before, v0, s0, c0, g0 = _error(p), p[VIOLATION], p[STATIONARITY], p[COMPLEMENTARITY], p[GNORM]
    taken = False
    if evaluate_all(R, d):
        set_bound_multipliers(R, t)
        assess(R, t, r)
        taken = _error(p) <= _FALL * before
    p[VIOLATION], p[STATIONARITY], p[COMPLEMENTARITY], p[GNORM] = v0, s0, c0, g0
    if taken:
        copy(y, lam)
    return taken
