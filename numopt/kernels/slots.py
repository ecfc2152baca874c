"""Where things stand in the three blocks that make up the state of a run.

``c`` holds integers, ``p`` holds parameters and scalars, ``w`` holds vectors of length n.  All that a run
needs to go on is in them, so that saving a run is saving three arrays.  This module imports no Numba:
the front doors fill the blocks before Numba is loaded.
"""

from numpy import int64

from numopt.kernels.first_order_slots import N_H
from numopt.kernels.status import Status

# --- c: counters and switches (int64)
(
    N,
    NFEV,
    NJEV,
    NHEV,
    NIT,
    MAXITER,
    MAXFEV,
    STATUS,
    ABORT,
    PAUSE_AT,
    TICK_IN,
    TICK_EVERY,
    PARITY,
    VARIANT,
    LINE_SEARCH,
    MAX_TRIALS,
    TRACK_BEST,
    HISTORY_ROWS,
    HISTORY_SIZE,
    RESTARTS,
    MEMORY,
    PAIRS,
    HEAD,
    GIVEN_H,
    UPDATES,
    RESTART_EVERY,
    FRESH,
    TASK,
    IDLE,
    BOUNDED,  # 1 if the workspace ends with marks of the free variables, lower and upper bounds (n each)
    VALUES_ONLY,  # 1 if the method never asks for gradients
) = range(31)
# methods without derivatives: how far the step has come (one that is cut off goes on there), the state of the random
# numbers or (Powell's method has none) a place among the directions, which of two variants or (Powell's) whether the
# directions were set back to the coordinates
STAGE, RANDOM, CHOICE = 34, 35, 36
PLACE, AFRESH = RANDOM, CHOICE
# of methods that ask for products with the Hessian: 1 if it is itself given, and kept; 1 if the tolerance on the step
# is one on the mean of its components
DENSE, MEAN_STEP = 31, 32
HESSIAN_FLAWS = 33  # of the user's Hessian or product, at any point: 1 not symmetric, 2 not finite
# least squares: 1 if the scaling of the variables is the user's; steps in a row within ftol
GIVEN_SCALE, STREAK = 38, 39
MAXIMISE = 39  # but of least squares: 1 if what the run sees is the negative of the user's function
FLAT_AT = 37  # the iteration after which f was last too flat for the search to see a decrease
CLIPPED = 38  # of Nelder-Mead: 1 once a vertex has come to lie on a bound

# first-order methods: terms of a sum (0: none) and of them in a batch (0: all), seed of their order, updates of this
# step that are done, kind of average and its first update, steps without a lower f after which 'adaptive' acts
N_TERMS, BATCH, SHUFFLE, POSITION, AVERAGE, AVERAGE_START, PATIENCE, WAITED = range(40, 48)

# from here on: the own of methods with constraints, see numopt.kernels.constrained_slots
N_COUNTERS = 64

# --- p: tolerances and options, then the scalars of the state, then the line search's own (float64)
(
    GTOL,
    NORM_ORDER,
    FTOL_REL,
    XTOL_REL,
    XTOL_ABS,
    F_LOWER,
    C1,
    C2,
    STEP_MIN,
    STEP_MAX,
    DEADLINE,
    TICK_AT,
    TICK_SECONDS,
    STARTED_AT,
    STEP,
    DECAY,
    DROP,
    DROP_EVERY,
    MOMENTUM,
    DAMPING,
    CURVATURE_MIN,
    LINE_TOL,
    STEP_INITIAL,
    T0,
) = range(24)
# the state
(F, F_PREV, F_BEST, GNORM, SLOPE, T, T_PREV, STEP_NORM, X_NORM, GG, F_TRIAL, GAMMA, SG, GNORM_BEST) = range(24, 38)
RADIUS = 38
# options of the trust region
(RADIUS_INITIAL, RADIUS_MAX, ETA) = range(39, 42)
# least squares: tolerances, the damping, and the largest acceleration beside a step (0: none is asked for)
(LSQ_FTOL, LSQ_XTOL, LSQ_GTOL, LAMBDA, LSQ_RANK, ACCEL_MAX) = range(42, 48)
# methods without derivatives: tolerances on the spread of points and values; the state
(XATOL, FATOL, MESH, F_BASE, F_START, LARGEST, T_LOW, F_LOW) = range(48, 56)
# the state of the line search, see numopt.linesearch
LS = 64
N_LS = 24
# first-order methods: the block of numopt.kernels.first_order_slots, the terms beside f, limits of the gradient, the
# decay of the average, the lowest f that 'adaptive' has seen
FIRST_ORDER = LS + N_LS
L1, L2, CLIP_NORM, CLIP_VALUE, AVERAGE_DECAY, LOWEST = range(FIRST_ORDER + N_H, FIRST_ORDER + N_H + 6)
N_SCALARS = FIRST_ORDER + N_H + 6

# --- w: vectors of length n; x and g live in two buffers each that trade places after an accepted step
# (int64: Numba would compile a function once more for every plain constant that it is called with)
X, G, D, X_LOW, G_LOW, X_BEST, G_BEST = map(int64, (0, 2, 4, 5, 6, 7, 8))
X0, G0 = int(X), int(G)  # the same for plain Python
X_FAILED, V_FAILED = 9, 10  # arguments of a jitted callable that raised
N_COMMON = 11

# --- the table of machine words that a compiled solver is called with
(
    A_VALUE_GRAD,
    A_VALUE,
    A_GRAD,
    A_HESS,
    A_HESSP,
    A_DATA,
    A_SEARCH,
    A_TICK,
    A_C,
    A_P,
    A_W,
    A_W_SIZE,
    A_HISTORY,
    A_BATCHES,  # of first-order methods: address of the words of numopt.solvers.first_order
    A_CON,  # constraints, their Jacobian, the Hessian of the Lagrangian, and their data; see numopt.kernels.constrained
    A_CON_JAC,
    A_LAG_HESS,
    A_CON_DATA,
) = range(18)
N_TABLE = 20  # the last two words are the head of a table of arguments, where there are none

# columns of a history row
HISTORY_COLUMNS = ("f", "gnorm", "step", "nfev", "seconds")


_GRADIENT = int(Status.GRADIENT)


def best_point(c, p):
    """(place of x, place of its gradient, f) of the lowest point seen.  Plain Python; compiled where that is needed.

    Where the gradient's test has ended the run it is the point that the test holds for, be there a lower one or not.
    """
    here = c[PARITY]
    x, g, f = X0 + here, G0 + here, p[F]
    if c[TRACK_BEST] != 0 and p[F_BEST] < f and c[STATUS] != _GRADIENT:
        x, g, f = X_BEST, G_BEST, p[F_BEST]
    if c[ABORT] != 0 and p[T] != 0.0 and p[F_TRIAL] < f:
        # the run was cut off in a step that had already seen a lower point
        x, g, f = X0 + 1 - here, G0 + 1 - here, p[F_TRIAL]
    return x, g, f


# what a line search answers
TRY, ACCEPT, FLAT, FAILED, UNBOUNDED_BELOW = range(5)
# what a step may answer besides: a convergence test of the method's own holds
SPREAD_SMALL, REDUCTION_SMALL, STEP_SMALL, GRADIENT_SMALL = 5, 6, 7, 8
POINT_INFEASIBLE = 9  # with constraints: no step lowers their violation

# line searches
STRONG_WOLFE, ARMIJO, HAGER_ZHANG, EXACT = range(4)
