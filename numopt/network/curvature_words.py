"""Where things stand in the table of a sweep for second derivatives, and of one for Jacobians; imports no Numba."""

# what a sweep does
HESSIAN, GAUSS_NEWTON = range(2)

BLOCK = 32  # rows that go through all layers together

# --- machine words: sizes, then addresses (0: not given)
(
    MODE, DEPTH, LOSS, N, N_PARAMS, SPARSE, WIDEST, BUFFER_SIZE,
    SIZES, KINDS, X, INDICES, STARTS, Y, WEIGHT, THETA, V, G, OUT, BUFFER, REALS,
) = range(21)  # fmt: skip
N_WORDS = 21

# --- float64
HUBER_DELTA, SCALE = range(2)
