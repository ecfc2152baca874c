"""The block of words behind a batch of lassos (``solvers.lasso_batch``), one for each thread.  Imports no Numba.

Its first words are those of every batch (``kernels.batch_slots``): what is shared out, and by how many at a time.
Strides are in bytes, 0 where all problems share one.
"""

from numopt.kernels.batch_slots import N_WORDS as _HEAD

(
    M,  # samples
    LENGTHS,  # (count,) of int64: how many of them count, or 0
    P,  # features
    K,  # penalties of each problem
    CENTRED,
    POSITIVE,
    MAX_ITER,
    X,  # (count, m, p) of float64, or 0 where all share A, G, MEAN
    X_STRIDE,
    A,  # (p4, m): X_c', with rows of zeros up to a multiple of four
    G,  # (p4, p4): A A'
    MEAN,  # (p,)
    Y,
    Y_STRIDE,
    ALPHA,  # (k,) of each problem
    ALPHA_STRIDE,
    REALS,  # l1_ratio, tol
    WORK,  # WORK_ROWS m + WORK_COLUMNS p + p p
    SUPPORT,  # (p,) of int64
    COEF,  # results: (count, k, p)
    INTERCEPT,  # (count, k)
    GAP,
    OBJECTIVE,
    PASSES,
    STATUS,  # (count,)
) = range(_HEAD, _HEAD + 25)
N_WORDS = _HEAD + 25
L1_RATIO, TOL, N_REALS = range(3)
WORK_ROWS, WORK_COLUMNS = 2, 7  # vectors of the length of y, and of w
