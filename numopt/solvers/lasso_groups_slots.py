"""The words that the compiled solver for penalties on groups is called with."""

T_G, T_WIDE, T_Q, T_W, T_STARTS, T_NA, T_H, T_LIMITS, T_M, T_GROUPS, T_TARGETS = range(11)
T_BUDGET, T_SEED, T_L, T_I, T_F, T_X, T_R, T_N, N_WORDS = range(11, 20)
L_L2, L_TOL, N_LIMITS = range(3)
