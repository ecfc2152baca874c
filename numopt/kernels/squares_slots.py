"""Where things stand in the block of words behind a sum of squares; see ``kernels.squares``.  Imports no Numba."""

from numopt.kernels.slots import N_COMMON

(
    RESIDUAL,  # (x, r, n, m, data)
    RESIDUAL_DATA,
    JACOBIAN,  # (x, J, n, m, data), J by rows; 0: differences
    JACOBIAN_DATA,
    RANGE,  # residuals of some rows, (x, first, end, r, data), in place of RESIDUAL, or 0
    RANGE_DATA,
    RANGE_JACOBIAN,  # (x, first, end, J, data), J by columns of HEIGHT places
    RANGE_DIFFERENCES,  # (x and n others, first, end, out, data): the model at all of them, x last, by columns; or 0
    M,  # rows
    WHOLE,  # variables of the user's function
    SCHEME,  # 2, 3: differences
    STEPS,  # relative difference steps, or 0
    TYPICAL,  # sizes of the variables, of which no difference step falls below a hundredth
    C,  # the run's counters
    R,  # residuals (m) at the two places of x, not where RANGE is given
    J,  # Jacobian, not where RANGE is given
    HEIGHT,  # rows of a panel
    PANEL,  # (n + 1) columns of it
    COLUMN,  # what RANGE_JACOBIAN writes with MAP; far points of differences (n + 1 columns of HEIGHT, or m)
    MARKS,  # differences of RANGE: columns with a large step (n), largest changes (n), largest value; (n + 1) points
    FULL,  # x of all variables
    MAP,  # x = map[0] + map[1:] z, or 0 for x = z
    AT,  # the points (n) whose residuals stand there, and the one whose Jacobian stands in J
    FIRST_X,  # address of the first place of x
    SIGMA,  # standard deviations (m), or 0
    CHOLESKY,  # lower factor (m x m) of the covariance, or 0
    Y,  # data (m) to be taken from the model, or 0
    LOSS,
    LOSS_FUNCTION,  # (z, rho, count, data): rho (3, count) with value, first and second derivative
    LOSS_DATA,
    REALS,  # scale of the loss; the share of rho' that s^2 of (2) does not fall below
    TRIANGLES,  # two of them
    FREE,  # variables of the run, where RANGE is given
    BLOCK_TRIANGLE,  # one of a block of rows
    FIRST_G,  # address of the gradient that belongs to the first triangle
    LOWER,
    UPPER,
) = range(37)
N_WORDS = 37
LINEAR, SOFT_L1, HUBER, CAUCHY, ARCTAN, CALLABLE, POISSON = range(7)
LOSSES = ("linear", "soft_l1", "huber", "cauchy", "arctan")

# A least singular value of columns of norm 1 below this spoils the fifth digit of a covariance by forward differences:
# then central ones are taken.
DELICATE = 1e-3

VECTORS = N_COMMON + 11  # of the workspace of a method, see ``kernels.squares_workspace``
