"""Where things stand in the block of words behind a batch (``kernels.batch``), one for each thread.  Imports no Numba.

All addresses; strides are in bytes, 0 where all problems share one.  Output arrays are float64 or int64, one row a
problem, without gaps.
"""

(
    COUNT,  # problems of this chunk
    NEXT,  # of a word that all threads share: the first problem that nobody has taken
    STOP,  # of a word that all threads share: not zero, and no more problems are taken
    GRAIN,  # problems that are taken at a time
    UNIT,  # the compiled solver
    TABLE,  # its table of words
    C,  # counters, scalars and workspace of the run
    P,
    W,
    W_SIZE,
    C0,  # what counters and scalars, and the workspace (0: nothing) are to begin with
    P0,
    W0,
    N,  # variables
    SQUARES,  # 1: a sum of squares
    X0,
    X0_STRIDE,
    LOWER,  # bounds, 0 without
    LOWER_STRIDE,
    UPPER,
    UPPER_STRIDE,
    PATCHES,  # (N_PATCHES, 4): see ``PATCH_...``
    N_PATCHES,
    FLAG,  # the word that a jitted function sets when it raises, or 0
    DONE,  # how many problems this thread has finished, a number, no address
    FLAWS,  # what was wrong with the user's Hessians of any problem so far, as in ``slots.HESSIAN_FLAWS``
    ORDER,  # numbers of the problems that are meant, COUNT of them, or 0: all
    OUT_X,  # (count, n)
    OUT_F,
    OUT_G,  # (count, n), or 0
    OUT_GNORM,  # -1 where x is not the last point, for the front door to compute
    OUT_STATUS,
    OUT_COUNTS,  # (count, 4): nit, nfev, njev, nhev
    OUT_TRIANGLE,  # (count, n, n + 1) of sums of squares, or 0
) = range(34)
N_WORDS = 34

# a patch: what a word of some table becomes for problem i.  ADDRESS: array + i stride; WORD: the word that stands there
TARGET, ARRAY, STRIDE, KIND = range(4)
ADDRESS, WORD = range(2)
