"""The state of a stochastic fit, and the weights that stand for the best so far."""

import contextlib
import copy

import numpy as np

from numopt.kernels import first_order_slots as o
from numopt.network._trainer import Trainer


def snapshot(network, theta=None):
    """All that predictions need of a network, in one vector: weights, running statistics."""
    return np.concatenate([network.theta if theta is None else theta, *network.running_mean, *network.running_var])


def restore(network, values):
    """Sets the network to what ``snapshot`` gave."""
    at = network.n_params
    network.theta[:] = values[:at]
    for part in (*network.running_mean, *network.running_var):
        part[:] = values[at : at + len(part)]
        at += len(part)


# parameters that are built into a run, so that other values would have no effect on it, or half of one
_FIXED = (
    "learning_rate", "learning_rate_init", "power_t", "momentum", "beta_1", "beta_2", "epsilon", "clip_norm",
    "clip_value", "averaging", "schedule_params", "solver_params", "batch_size", "early_stopping",
    "validation_fraction",
)  # fmt: skip


def fixed_params(model):
    """Their values; of a function only that it is one, for a file does not hold it."""
    params = {name: getattr(model, name) for name in _FIXED}
    return params | ({"learning_rate": "a function"} if callable(model.learning_rate) else {})


def check_fixed(model, run):
    """Refuses parameters that are not those of the run."""
    for name, value in fixed_params(model).items():
        if value != run.params[name]:
            raise ValueError(
                f"{name} was {run.params[name]!r} in the fit that goes on, now it is {value!r}: set it back, or call "
                "fit (with warm_start=True from the weights that there are)"
            )


def _copy(value):
    """A copy that goes no deeper than it must: curves may be long."""
    if isinstance(value, list):
        return [item.copy() if isinstance(item, np.ndarray) else item for item in value]
    return copy.deepcopy(value)


@contextlib.contextmanager
def all_or_nothing(model, in_place):
    """An exception leaves the estimator as it was; ``in_place``: weights and curves that are there go on changing."""
    params = model.get_params(deep=False)

    def own():
        return [n for n in vars(model) if n not in params and not n.startswith(("_skl", "_callback", "_network"))]

    before = {name: _copy(getattr(model, name)) if in_place else getattr(model, name) for name in own()}
    try:
        yield
    except BaseException:
        for name in own():
            delattr(model, name)
        vars(model).update(before, _network=None)
        raise


class Run:
    """Where a stochastic fit stands; plain numbers and arrays, so that it can be saved and taken up again.

    Attributes
    ----------
    trainer : Trainer
    rule, options
        What it was made from.
    batch_size : int
    n : int
        Samples that ``fit`` was given.
    rows, held_out : ndarray of int64 or None
        Samples trained on (None: all) and those of the validation set that was split off.
    order : ndarray of int64
        The permutation of this epoch.
    epochs : int
        Epochs done with this trainer, over all calls of ``partial_fit``.
    batch : int
        Batches done of the epoch that is going on.
    loss_sum, square_sum : float
        Sums over these.
    seed : int
        Of dropout.
    random : tuple
        State of the random numbers.
    raw : ndarray or None
        Snapshot of the iteration, where the network shows another one (averaged, the best).
    best, best_epoch : ndarray, int
        Snapshot with the best loss or validation score; after which epoch of the fit that was, 0 at its start.
    start, usual_loss : ndarray, float
        Snapshot before the first epoch of the fit; the loss far above which training has diverged.
    params : dict
        The estimator's parameters that are built into it.
    single, validated, whole : bool
        Whether it is one of ``partial_fit``; whether ``X_val`` was given; False after an update was broken off.
    """

    # what changes; the trainer apart
    STATE = (
        "n", "rows", "held_out", "batch_size", "order", "epochs", "batch", "loss_sum", "square_sum", "seed", "random",
        "raw", "best", "best_epoch", "start", "usual_loss", "params", "single", "validated", "whole",
    )  # fmt: skip

    def __init__(self, rule, options, n_params, dtype, n, rows, held_out, batch_size):
        self.rule, self.options = rule, options
        self.trainer = Trainer(rule, n_params, dtype, **options)
        self.begin(n, rows, batch_size)
        self.held_out, self.epochs, self.seed = held_out, 0, 0
        self.single, self.validated = False, False
        self.random = self.raw = self.params = None

    def begin(self, n, rows, batch_size):
        """Other samples, for the same trainer, at the beginning of an epoch."""
        self.n, self.rows, self.held_out, self.batch_size = n, rows, None, batch_size
        self.order = np.arange(n if rows is None else len(rows), dtype=np.int64)
        self.batch, self.loss_sum, self.square_sum, self.whole = 0, 0.0, 0.0, True

    @property
    def samples(self):
        """How many are trained on."""
        return self.n if self.rows is None else len(self.rows)

    def shuffle(self, rng):
        """The permutation of the next epoch, drawn as scikit-learn draws it."""
        drawn = np.arange(len(self.order))
        rng.shuffle(drawn)
        self.order = self.order[drawn]

    def averaged(self):
        """The averaged weights, or None without averaging or before it begins."""
        trainer = self.trainer
        return trainer.mean if trainer.mean is not None and trainer.h[o.T] > trainer.average_start else None
