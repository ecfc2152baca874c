"""The words that the compiled passes over samples of generalised linear models are called with."""

LOGISTIC, POISSON, HUBER, MULTINOMIAL = range(4)  # losses
GRADIENT, PRODUCT, DIAGONAL = range(3)  # what a pass over sparse X forms

# the table of a call, in words
T_LOSS, T_LO, T_HI, T_K, T_Y, T_S, T_WEIGHTED, T_Z, T_C, T_OUT = range(10)
T_DATA, T_INDICES, T_STARTS, T_N, T_P, T_NNZ, T_MODE, T_W, T_G, N_WORDS = range(10, 20)
O_SCALE, O_SIGMA, O_EPSILON, N_OUT = range(4)
