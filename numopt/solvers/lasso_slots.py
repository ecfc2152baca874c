"""The words that the compiled path solver of the lasso is called with, and the sizes of its workspace."""

# the table of a call, in words
T_DATA, T_INDICES, T_STARTS, T_N, T_P, T_NNZ, T_Y, T_S, T_WEIGHTED, T_CENTRED, T_POSITIVE = range(11)
T_PATH, T_NA, T_L2, T_COEFS, T_GAPS, T_PASSES, T_OUT, T_MAX_ITER, T_SEED, T_CAP = range(11, 21)
T_F, T_I, T_G, T_PANEL, T_GRAM, T_GRAM_WORDS, T_GRAM_REALS = range(21, 28)
T_GIVEN, T_GIVEN_WIDE, T_TRUSTED, N_WORDS = range(28, 32)  # a Gram matrix of all columns, its row length (0: none)
O_TOL, O_YMEAN, O_TOTAL, O_YY, N_OUT = range(5)
F_COLUMNS, F_ROWS, F_COLUMNS_CAP = 9, 5, 8  # floats per feature, per sample, per column of a Gram matrix
I_COLUMNS, I_COLUMNS_CAP = 3, 2  # integers
PANEL = 256  # rows of X at a time for the Gram matrix: four rows of it stay in the first-level cache
CONSTANT = 1e-14  # spread of a column against its mean, relative, below which it is rounding

# the table of a call of the solver on a Gram matrix: addresses, sizes, and what it changes (the last two)
S_G, S_L, S_WIDE, S_Q, S_W, S_D, S_QN, S_WN, S_B, S_WORK, S_SUPPORT, S_ORDER, S_CAP, S_REALS = range(14)
S_M, S_POSITIVE, S_BUDGET, S_KEPT, S_SEED, N_GRAM_WORDS = range(14, 20)
R_NA, R_L2, R_TOL, N_GRAM_REALS = range(4)
