"""Where things stand in the table of a network's compiled code; imports no Numba."""

ACTIVATIONS = ("identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu")
IDENTITY, LOGISTIC, TANH, RELU, LEAKY_RELU, ELU, SOFTPLUS, GELU = range(8)
LOSSES = ("log_loss", "binary_log_loss", "squared_error", "huber", "absolute_error", "poisson")
LOG_LOSS, BINARY_LOG_LOSS, SQUARED_ERROR, HUBER, ABSOLUTE_ERROR, POISSON = range(6)
LEAK = 0.01  # slope of leaky_relu for z < 0 (PyTorch's default)

# what a call does
TRAIN, GRADIENT, VALUE, LOSS, PREDICT = range(5)

BLOCK = 32  # rows that go through all layers together
CHUNK = 512  # rows whose activations are kept at a time, without batch normalization

# --- machine words: sizes, then addresses
(
    DEPTH, SIZE, N_PARAMS, LOSS_NUMBER, NORMALIZED, SPARSE, N_IN, N_OUT,
    LAYERS, PIECES, N_PIECES, RANGES, N_RANGES, ROOM,
    THETA, G, G_MORE, BUFFER, TEMPORARY_AT, WIDEST, ZEROS, OFFSETS, ROWS, BLOCK_LOSSES, PIECE_SUMS,
    RUNNING, STATISTICS, SYNC, REALS,
    # of a call
    MODE, X, INDICES, STARTS, WIDE, Y, WEIGHT, ORDER, N, N_ORDER, BATCH, FIRST, LAST, OUT,
    RULE, N_STATE, H, S, AVERAGE, AVERAGE_START, MEAN, DROPOUT, SEED,
    # of the run: set by the leading thread
    UPDATE, ROW, ROW_END, DONE, STOPPED, PHASES, PHASE, AT_LAYER, ITEMS,
) = range(61)  # fmt: skip
N_WORDS = 64

# --- float64
(
    ALPHA, ALPHA_L1, CLIP_VALUE, CLIP_NORM, AVERAGE_DECAY, HUBER_DELTA, BN_MOMENTUM, BN_EPSILON,
    TOTAL,  # sum of the weights of an update's rows
    LOSS_NOW, PENALTY, SHORTEN, SHARE, LOSS_SUM, SQUARE_SUM,
    RATES,  # of dropout, from here on
) = range(16)  # fmt: skip

# --- of each layer: sizes, where its parameters stand in theta, and its blocks in the buffer (-1: none)
(FAN_IN, FAN_OUT, W_AT, B_AT, GAMMA_AT, KIND, A_AT, D_AT, ZHAT_AT, STAT_AT) = range(10)
N_LAYER = 10

# --- of each piece of the weights: layer, units, inputs
LAYER, U0, U1, C0, C1 = range(5)
N_PIECE = 5

# --- the phases of a step
PASS, LAYER_UP, NORMALIZE, LAYER_DOWN, NORMALIZE_BACK, PIECE, RANGE = range(7)

# --- words that threads share, each in a cache line of its own
WORK, FINISHED = 0, 16
N_SYNC = 32
OVER = -2  # WORK between two calls
