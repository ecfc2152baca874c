"""Parameters of the multilayer perceptrons: what they may be, and what they become for a trainer."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from numopt.kernels import first_order_slots as o
from numopt.network._network import ACTIVATIONS
from numopt.network._trainer import AVERAGES
from numopt.neural_network._initial_weights import BIAS_INITS, INITS, OUTPUT_BIASES
from numopt.optimize._warn import warn

SCHEDULES = ("constant", "invscaling", "adaptive", "inverse-time", "step", "exponential", "cosine")

_POSITIVE = Interval(Real, 0, None, closed="neither")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_COUNT = Interval(Integral, 1, None, closed="left")
_SHARE = Interval(Real, 0, 1, closed="left")

CONSTRAINTS: dict = {
    "hidden_layer_sizes": ["array-like", _COUNT],
    "activation": [StrOptions(set(ACTIVATIONS)), "array-like"],
    "solver": [str],
    "alpha": [_NOT_NEGATIVE],
    "batch_size": [StrOptions({"auto"}), _COUNT],
    "learning_rate": [StrOptions(set(SCHEDULES)), callable],
    "learning_rate_init": [_POSITIVE],
    "power_t": [_NOT_NEGATIVE],
    "max_iter": [_COUNT],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [_NOT_NEGATIVE],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [_SHARE],
    "beta_1": [_SHARE],
    "beta_2": [_SHARE],
    "epsilon": [_POSITIVE],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "max_fun": [_COUNT],
    "alpha_l1": [_NOT_NEGATIVE],
    "init": [StrOptions(set(INITS)), callable],
    "init_gain": [_POSITIVE],
    "init_nonzero": [_COUNT],
    "bias_init": [StrOptions(set(BIAS_INITS)), Interval(Real, None, None, closed="neither")],
    "output_bias": [StrOptions(set(OUTPUT_BIASES))],
    "batch_norm": ["boolean"],
    "dropout": [_SHARE, "array-like"],
    "clip_norm": [None, _POSITIVE],
    "clip_value": [None, _POSITIVE],
    "averaging": [None, StrOptions(set(AVERAGES) - {"none"})],
    "pretrain": ["boolean"],
    "schedule_params": [None, dict],
    "solver_params": [None, dict],
    "progress": ["boolean"],
    "n_threads": [None, _COUNT],
}

# name -> (slot, accepted)
_SCHEDULE_PARAMS = {
    "kappa": (o.KAPPA, _NOT_NEGATIVE),
    "drop": (o.DROP, Interval(Real, 0, 1, closed="right")),
    "drop_every": (o.DROP_EVERY, _POSITIVE),
    "gamma": (o.GAMMA, Interval(Real, 0, 1, closed="right")),
    "period": (o.PERIOD, _POSITIVE),
    "lr_min": (o.LR_MIN, _NOT_NEGATIVE),
    "warmup": (o.WARMUP, _NOT_NEGATIVE),
}
_SOLVER_PARAMS = {
    "rho": (o.RHO, _SHARE),
    "weight_decay": (o.WEIGHT_DECAY, _NOT_NEGATIVE),
    "gain_up": (o.GAIN_UP, _NOT_NEGATIVE),
    "gain_down": (o.GAIN_DOWN, _SHARE),
    "average_decay": (None, _SHARE),
    "average_start": (None, _NOT_NEGATIVE),
}
# entry -> the rules or schedules that read it
_READ_BY = {
    "kappa": ("inverse-time",), "drop": ("step",), "drop_every": ("step",), "gamma": ("exponential",),
    "period": ("cosine",), "lr_min": ("cosine",), "rho": ("adadelta", "rmsprop", "rmsprop-nesterov", "delta-bar-delta"),
    "weight_decay": ("adamw",), "gain_up": ("delta-bar-delta",), "gain_down": ("delta-bar-delta",),
}  # fmt: skip
_SCHEDULE_CODES = {
    "constant": o.CONSTANT, "inverse-time": o.INVERSE_TIME, "step": o.STEPWISE, "exponential": o.EXPONENTIAL,
    "cosine": o.COSINE, "invscaling": o.GIVEN, "adaptive": o.ADAPTIVE,
}  # fmt: skip


def checked(name, given, accepted):
    """The entries of a dict of parameters, each with its slot, refused where there is no such name or value."""
    found = {}
    for key, value in (given or {}).items():
        if key not in accepted:
            raise ValueError(f"{name} has no entry {key!r}; it may have {', '.join(map(repr, accepted))}")
        slot, constraint = accepted[key]
        if isinstance(value, (bool, np.bool_)) or not constraint.is_satisfied_by(value):
            raise ValueError(f"{name}[{key!r}] must be {constraint}, got {value!r}")
        found[key] = slot, float(value)
    return found


def hidden_sizes(model):
    """hidden_layer_sizes as a list of integers."""
    given = model.hidden_layer_sizes
    sizes = list(given) if np.ndim(given) else [given]
    if not all(isinstance(k, Integral) and not isinstance(k, (bool, np.bool_)) and k > 0 for k in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}: integers, the units of each hidden layer")
    return [int(k) for k in sizes]


def activations(model, hidden):
    """The activation of each hidden layer."""
    given = model.activation
    names = [given] * len(hidden) if isinstance(given, str) else list(given)
    if len(names) != len(hidden) or any(name not in ACTIVATIONS for name in names):
        raise ValueError(
            f"activation must be one of {', '.join(map(repr, ACTIVATIONS))}, or one of them for each of the "
            f"{len(hidden)} hidden layers, got {given!r}"
        )
    return names


def dropout(model, hidden):
    """The probability of each hidden layer, or None where nothing is dropped."""
    given = model.dropout
    shares = list(given) if np.ndim(given) else [given] * len(hidden)
    if len(shares) != len(hidden) or not all(isinstance(p, Real) and 0 <= p < 1 for p in shares):
        raise ValueError(
            f"dropout must be a number in [0, 1), or one for each of the {len(hidden)} hidden layers, got {given!r}"
        )
    return [float(p) for p in shares] if any(shares) else None


def schedule(model):
    """The name of the schedule; Adam has none of scikit-learn's schedules, as in scikit-learn."""
    name = model.learning_rate
    if callable(name):
        return "function"
    return "constant" if model.solver == "adam" and name in ("invscaling", "adaptive") else name


def rule(model):
    """The rule of a stochastic solver: scikit-learn's 'sgd' is one of three."""
    if model.solver == "sgd" and model.momentum > 0:
        return "nesterov" if model.nesterovs_momentum else "momentum"
    return model.solver


def trainer_options(model, rule, per_epoch):
    """The arguments of a Trainer."""
    name = schedule(model)
    solver = checked("solver_params", model.solver_params, _SOLVER_PARAMS)
    scalars = {
        o.LR_INIT: model.learning_rate_init, o.MOMENTUM: model.momentum, o.BETA_1: model.beta_1,
        o.BETA_2: model.beta_2, o.EPSILON: model.epsilon, o.POWER_T: model.power_t, o.PER_EPOCH: per_epoch,
        o.SCHEDULE: _SCHEDULE_CODES.get(name, o.GIVEN), o.PERIOD: model.max_iter,
        o.EPSILON_HAT: float(rule in ("adam", "amsgrad")),
    }  # fmt: skip
    scalars |= dict(checked("schedule_params", model.schedule_params, _SCHEDULE_PARAMS).values())
    scalars |= {slot: value for slot, value in solver.values() if slot is not None}
    return {
        "scalars": scalars,
        "clip_norm": math.inf if model.clip_norm is None else model.clip_norm,
        "clip_value": math.inf if model.clip_value is None else model.clip_value,
        "average": model.averaging or "none",
        "average_decay": solver.get("average_decay", (None, 0.999))[1],
        "average_start": int(solver.get("average_start", (None, 0.0))[1] * per_epoch),
    }


def full_batch_solvers():
    """Names of the solvers that see all samples at once."""
    from numopt.neural_network._full_batch import FULL_BATCH_SOLVERS

    return FULL_BATCH_SOLVERS


def warn_of_idle(model, stochastic):
    """Says which entries of the dicts have no effect."""
    for name, chooser, chosen in (("schedule_params", "learning_rate", model.learning_rate),
                                  ("solver_params", "solver", model.solver)):  # fmt: skip
        if name == "solver_params" and not stochastic:
            return  # the front door of the solver knows its options
        for key in getattr(model, name) or ():
            if not stochastic:
                warn(f"{name}[{key!r}] has no effect with solver={model.solver!r}", UserWarning)
            elif key in _READ_BY and chosen not in _READ_BY[key]:
                readers = ", ".join(map(repr, _READ_BY[key]))
                warn(f"{name}[{key!r}] has no effect with {chooser}={chosen!r}; it is for {readers}", UserWarning)


def check_together(model, hidden, mode):
    """Refuses a solver there is not, entries of dicts there are not, and parameters that exclude each other."""
    stochastic = model.solver in o.RULES
    if not stochastic and model.solver not in full_batch_solvers():
        names = ", ".join(map(repr, (*o.RULES, *full_batch_solvers())))
        raise ValueError(
            f"The 'solver' parameter of {type(model).__name__} must be a str among {names}. Got {model.solver!r} "
            "instead."
        )
    dropout(model, hidden)
    checked("schedule_params", model.schedule_params, _SCHEDULE_PARAMS)
    if stochastic:
        checked("solver_params", model.solver_params, _SOLVER_PARAMS)
    warn_of_idle(model, stochastic)
    if mode == "partial" and model.early_stopping:
        raise ValueError("partial_fit does not support early_stopping=True")
    if model.averaging and model.batch_norm:
        raise ValueError("averaging and batch_norm exclude each other: running statistics have no averaged weights")


def check_solver(model, architecture):
    """Refuses a full-batch solver that can't serve the loss or the options, with the list of those that can."""
    if model.solver in o.RULES:
        return
    from numopt.neural_network._full_batch import check_full_batch

    dropped = dropout(model, architecture["sizes"][1:-1]) is not None
    check_full_batch(model.solver, architecture["loss"], model.batch_norm, dropped, model.alpha_l1 > 0)
    for name in ("averaging", "clip_norm", "clip_value"):
        if getattr(model, name) is not None:
            able = ", ".join(map(repr, o.RULES))
            raise ValueError(f"{name} can't be used with solver={model.solver!r}; solvers that can: {able}")
