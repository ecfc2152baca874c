"""The words that the compiled passes over samples of generalised linear models are called with."""

LOGISTIC, POISSON, HUBER, MULTINOMIAL = range(4)  # losses
GRADIENT, PRODUCT, DIAGONAL = range(3)  # what a pass over sparse X forms

# the table of a call, in words
T_LOSS, T_LO, T_HI, T_K, T_Y, T_S, T_WEIGHTED, T_Z, T_C, T_OUT = range(10)
T_DATA, T_INDICES, T_STARTS, T_N, T_P, T_NNZ, T_MODE, T_W, T_G, N_WORDS = range(10, 20)
O_SCALE, O_SIGMA, O_EPSILON, N_OUT = range(4)

# the table of a whole run of Newton's method, in words, and its numbers
NW_LOSS, NW_N, NW_K, NW_P, NW_R, NW_X, NW_Y, NW_S, NW_WEIGHTED, NW_Z, NW_C, NW_OUT, NW_W, NW_TILT, NW_TILTED = range(15)
NW_FREE, NW_MAX_ITER, NW_REAL, NW_F, NEWTON_N_WORDS = range(15, 20)
NR_LAM, NR_TOL, NR_GNORM, NEWTON_N_REAL = range(4)
