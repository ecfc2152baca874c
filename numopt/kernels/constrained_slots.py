"""Where things stand in the blocks of a run with constraints, beside :mod:`numopt.kernels.slots`.  No Numba here.

    minimise f(x),  cl <= c(x) <= cu (m rows, equality where equal),  xl <= x <= xu

One rule for the signs of all multipliers: grad f = J'y + z at a solution.  So y is the derivative of the least value
with respect to the limit that is active: y >= 0 at a lower limit, y <= 0 at an upper one, and z alike for the bounds.

Workspace: the common vectors (x, g and the best of both at their usual places), then

    z         3 n        multipliers of the bounds: the two places that trade after a step, the best point's
    c         3 m        values of the constraints, alike
    y         3 m        their multipliers, alike
    cl, cu    2 m        limits
    keep      m          1 for rows that no point evaluated may violate (keep_feasible)
    weights   m + 1      arguments of the Hessian of the Lagrangian: multipliers, then the weight of f
    J         2 m n      the Jacobian, row by row, at the two places

then what is the method's own, and last, always there, marks of free variables and the bounds (3 n).
"""

from numopt.kernels.slots import FIRST_ORDER, N_COMMON

# --- c.  Methods with constraints are no first-order methods: they use their places.
M, NCEV, NCJEV, EXACT_HESSIAN, FEASIBLE_AT = range(40, 45)
# NCEV, NCJEV: evaluations of the constraints and of their Jacobian
# EXACT_HESSIAN: 1 if the Hessian of the Lagrangian is to be asked for
# FEASIBLE_AT: the last iteration whose point was feasible, or -1
OWN_C = 48  # to 63: the method's own

# --- p
CTOL, VIOLATION, STATIONARITY, COMPLEMENTARITY, VIOLATION_BEST, DUAL_BEST, VIOLATION_LEAST, PENALTY = range(
    FIRST_ORDER, FIRST_ORDER + 8
)
# VIOLATION: the largest violation, each relative to max(1, size of its limit)
# STATIONARITY, COMPLEMENTARITY: divided by the scale of the multipliers, see numopt.kernels.kkt
# VIOLATION_BEST, DUAL_BEST: of the best point;  VIOLATION_LEAST: of any point
OWN_P = FIRST_ORDER + 12  # to FIRST_ORDER + 45: the method's own

HISTORY_WIDTH = 6
HISTORY_COLUMNS = ("f", "gnorm", "step", "nfev", "seconds", "violation")


def common_words(n, m):
    """Doubles of the workspace before the method's own."""
    return (N_COMMON + 3) * n + 10 * m + 1 + 2 * m * n


def words(n, m, own):
    """Size of the workspace in doubles."""
    return common_words(n, m) + own + 3 * n
