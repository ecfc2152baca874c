"""The words that the compiled path solver of the lasso is called with, and the sizes of its workspace."""

# the table of a call, in words
T_DATA, T_INDICES, T_STARTS, T_N, T_P, T_NNZ, T_Y, T_S, T_WEIGHTED, T_CENTRED, T_POSITIVE = range(11)
T_PATH, T_NA, T_L2, T_COEFS, T_GAPS, T_PASSES, T_OUT, T_MAX_ITER, T_SEED, T_CAP = range(11, 21)
T_F, T_I, T_G, T_L, T_PANEL, N_WORDS = range(21, 27)
O_TOL, O_YMEAN, O_TOTAL, O_YY, N_OUT = range(5)
F_COLUMNS, F_ROWS, F_COLUMNS_CAP = 9, 5, 8  # floats per feature, per sample, per column of a Gram matrix
I_COLUMNS, I_COLUMNS_CAP = 3, 2  # integers
PANEL = 256  # rows of X at a time for the Gram matrix: four rows of it stay in the first-level cache
CONSTANT = 1e-14  # spread of a column against its mean, relative, below which it is rounding
