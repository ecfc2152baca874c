"""The first-order rules by name, and where things stand in the block of scalars ``h`` of a run of one of them.

This module imports no Numba.  The block holds hyperparameters, then what changes from update to update; with the
vectors of :mod:`numopt.kernels.first_order` it is all that an interrupted run needs to go on.
"""

RULES = (
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "adadelta",
    "rmsprop",
    "rmsprop-nesterov",
    "adam",
    "adamw",
    "adamax",
    "nadam",
    "amsgrad",
    "delta-bar-delta",
)
(
    SGD,
    MOMENTUM_RULE,
    NESTEROV,
    ADAGRAD,
    ADADELTA,
    RMSPROP,
    RMSPROP_NESTEROV,
    ADAM,
    ADAMW,
    ADAMAX,
    NADAM,
    AMSGRAD,
    DELTA_BAR_DELTA,
) = range(13)

# how many vectors each keeps
N_VECTORS = (0, 1, 1, 1, 2, 1, 2, 2, 2, 2, 2, 3, 2)

SCHEDULES = (
    "constant", "inverse-time", "step", "exponential", "cosine", "invscaling", "adaptive", "given",
)  # fmt: skip
CONSTANT, INVERSE_TIME, STEPWISE, EXPONENTIAL, COSINE, INVSCALING, ADAPTIVE, GIVEN = range(8)

# --- hyperparameters
(
    LR_INIT,  # learning rate at the beginning
    MOMENTUM,  # mu
    BETA_1,
    BETA_2,
    EPSILON,  # what keeps denominators from zero
    RHO,  # decay of the averages of AdaDelta and RMSProp
    WEIGHT_DECAY,  # of AdamW
    GAIN_UP,  # delta-bar-delta: added to the gain while signs agree
    GAIN_DOWN,  # and the share of it that is lost where they do not
    SCHEDULE,
    KAPPA,  # 1 / (1 + kappa t)
    DROP,  # factor of the stepwise schedule
    DROP_EVERY,  # epochs between two drops
    GAMMA,  # gamma^t
    PERIOD,  # epochs in which the cosine falls
    LR_MIN,  # where it ends
    POWER_T,  # 1 / t^power_t
    WARMUP,  # epochs in which the learning rate rises linearly from zero
    PER_EPOCH,  # updates in an epoch: t of the schedules is T / PER_EPOCH
    UNIT,  # what an epoch counts for invscaling: scikit-learn counts samples
    EPSILON_HAT,  # 1: epsilon is added to sqrt(v) uncorrected (scikit-learn); 0: to sqrt(v-hat) (the paper, PyTorch)
) = range(21)
# --- state
(
    T,  # updates so far
    LR,  # learning rate of this update
    FACTOR,  # by which 'adaptive' has lowered it; with 'given' the learning rate itself
    MU_PRODUCT,  # of Nadam
    # set by `begin_update` for `update`
    STEP,
    EPS_T,
    C_M,
    C_G,
) = range(24, 32)
N_H = 40

DEFAULTS = {
    LR_INIT: 1e-3, MOMENTUM: 0.9, BETA_1: 0.9, BETA_2: 0.999, EPSILON: 1e-8, RHO: 0.9, WEIGHT_DECAY: 0.01,
    GAIN_UP: 0.05, GAIN_DOWN: 0.1, KAPPA: 0.01, DROP: 0.5, DROP_EVERY: 10.0, GAMMA: 0.95, PERIOD: 100.0, LR_MIN: 0.0,
    POWER_T: 0.5, PER_EPOCH: 1.0, UNIT: 1.0, FACTOR: 1.0, MU_PRODUCT: 1.0,
}  # fmt: skip
