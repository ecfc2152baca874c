"""Stochastic fits: epochs of minibatches, in scikit-learn's order of random draws and by its rules of stopping."""

import contextlib
import math
import signal
import threading
from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from numopt.kernels import first_order_slots as o
from numopt.neural_network._parameters import schedule
from numopt.neural_network._run import restore, snapshot
from numopt.optimize._warn import warn

_WORK = 1e9  # multiplications in one call of the engine: tens of milliseconds, after which Ctrl-C is looked at
_LEAST_RATE = 1e-6  # where 'adaptive' gives up
_RISE = 10.0  # the loss at the end is no more than this times the usual one, or it was no success
_FEW = 256  # samples that tell the usual loss


class Interrupt:
    """Ctrl-C asks to stop after the piece of work that is going on; a second one stops at once."""

    def __enter__(self):
        self.asked, self.previous = False, None
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if handler is signal.default_int_handler:  # one of the user's own is left alone
                self.previous = handler
                signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *exception):
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)


class Data:
    """What a fit works on: samples, targets as numbers, weights; and a validation set or None.

    ``weight``: those of the loss; ``given``: those without the weights of classes, which a score takes.
    """

    def __init__(self, X, Y, weight, given, validation):
        self.X, self.Y, self.weight, self.given, self.validation = X, Y, weight, given, validation

    def hold_out(self, rows):
        """Makes these samples the validation set."""
        self.validation = self.X[rows], self.Y[rows], None if self.given is None else self.given[rows]

    def only(self, rows):
        """The same with these samples alone to train on."""
        weight, given = (None if w is None else w[rows] for w in (self.weight, self.given))
        return Data(self.X[rows], self.Y[rows], weight, given, self.validation)


@contextlib.contextmanager
def averaged_weights(network, run):
    """The network with the averaged weights, if there are any."""
    mean = run.averaged()
    if mean is None:
        yield
        return
    raw = network.theta.copy()
    network.theta[:] = mean
    try:
        yield
    finally:
        network.theta[:] = raw


def run_epochs(model, network, data, run, rng, shares, bar, watch=None):
    """Trains until a rule of scikit-learn's says stop; sets the model's curves and counters and the network.

    ``shares``: dropout of each hidden layer, or None; ``bar`` is told of each epoch, ``watch`` says stop.

    Returns
    -------
    status, message : str
    """
    X = data.X
    n, size = run.samples, run.batch_size
    batches = -(-n // size)
    inputs = X.nnz / X.shape[0] if sp.issparse(X) else X.shape[1]
    links = network.n_params - (X.shape[1] - inputs) * network.sizes[1]
    piece = max(1, int(_WORK / (6.0 * size * links)))
    name = schedule(model)
    with Interrupt() as interrupt:
        try:
            while model.n_iter_ < model.max_iter:
                if watch is not None and run.batch == 0 and watch(network):
                    return "callback", "Stopped: a callback asked to stop."
                if run.batch == 0:
                    begin_epoch(model, name, run, rng)
                order = run.order if run.rows is None else run.rows[run.order]
                while run.batch < batches:
                    stop = min(run.batch + piece, batches)
                    loss, square, done = network.train(
                        X, data.Y, data.weight, order, run.batch, stop, size, run.trainer, model.alpha, model.alpha_l1,
                        shares, run.seed,
                    )  # fmt: skip
                    run.loss_sum += loss
                    run.square_sum += square
                    if done < stop - run.batch:
                        return diverged(model, network, data, run, "not_finite")
                    run.batch = stop
                    if interrupt.asked:
                        warn("Training interrupted by user.", UserWarning)
                        return "interrupted", "Training interrupted by user; resume(X, y) goes on."
                if not np.isfinite(network.theta).all():  # by the last update: losses are those before updates
                    return diverged(model, network, data, run, "not_finite")
                end_epoch(model, network, data, run, n, batches)
                bar.update()
                message = stopping(model, run, name)
                if message or run.single or model.n_iter_ == model.max_iter:
                    if model.loss_ * model._loss_outputs > _RISE * run.usual_loss:
                        return diverged(model, network, data, run, "diverged")
                if message:
                    return ("early_stopping" if model.early_stopping else "converged"), message
                if run.single:
                    return "partial", "One epoch done."
        except KeyboardInterrupt:  # a second Ctrl-C, or a handler of the user's
            run.whole = False
            warn("Training interrupted by user.", UserWarning)
            return "interrupted", "Training interrupted by user in the middle of an update: resume(X, y) can't go on."
    message = (
        f"Stochastic Optimizer: Maximum iterations ({model.max_iter}) reached and the optimization hasn't converged "
        "yet."
    )
    warn(message, ConvergenceWarning)
    return "max_iter", message


def begin_epoch(model, name, run, rng):
    """Draws the order of the epoch and sets its learning rate where that is set by epochs."""
    if model.shuffle:
        run.shuffle(rng)
    h = run.trainer.h
    if name == "function":
        rate = model.learning_rate(run.epochs)
        if not isinstance(rate, Real) or not 0 < rate < math.inf:
            raise ValueError(f"learning_rate must give a positive number for each epoch, got {rate!r} for {run.epochs}")
        h[o.FACTOR] = rate
    elif name == "invscaling":
        h[o.FACTOR] = model.learning_rate_init / ((model.t_ + 1) ** model.power_t if run.epochs else 1.0)


def end_epoch(model, network, data, run, n, batches):
    """Counts the epoch, appends to the curves and keeps the best weights."""
    model.loss_ = run.loss_sum / n / model._loss_outputs
    model.n_iter_ += 1
    model.t_ += n
    model.loss_curve_.append(model.loss_)
    model.gradient_norm_curve_.append(math.sqrt(run.square_sum / batches))
    model.learning_rate_curve_.append(float(run.trainer.h[o.LR]))
    run.epochs += 1
    run.batch, run.loss_sum, run.square_sum = 0, 0.0, 0.0
    if model.verbose:
        print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
    improved = False
    if data.validation is not None:
        with averaged_weights(network, run):
            improved = validate(model, network, data.validation)
        if model.verbose:
            print(f"Validation score: {model.validation_scores_[-1]:f}")
    if not model.early_stopping:
        loss = model.loss_
        model._no_improvement_count = model._no_improvement_count + 1 if loss > model.best_loss_ - model.tol else 0
        improved = loss < model.best_loss_
        model.best_loss_ = min(loss, model.best_loss_)
    if improved:
        run.best, run.best_epoch = snapshot(network, run.averaged()), model.n_iter_


def begin_validation(model, wanted):
    """Empty curves, where there will be a validation set and has been none before."""
    if wanted and model.validation_scores_ is None:
        model.validation_scores_, model.validation_loss_curve_ = [], []
        model.best_validation_score_ = -np.inf


def validate(model, network, validation):
    """Appends score and loss on the validation set to the curves; whether the score is the best yet."""
    Xv, Yv, wv = validation
    score = model._validation_score(network.predict(Xv), Yv, wv)
    model.validation_scores_.append(score)
    model.validation_loss_curve_.append(network.loss(Xv, Yv, wv) / model._loss_outputs)
    improved = score > model.best_validation_score_
    if model.early_stopping:
        worse = score < model.best_validation_score_ + model.tol
        model._no_improvement_count = model._no_improvement_count + 1 if worse else 0
    if improved:
        model.best_validation_score_ = score
    return improved


def stopping(model, run, name):
    """The message of a fit that ends here, or '' ; 'adaptive' lowers the learning rate first."""
    if not model._no_improvement_count > model.n_iter_no_change:
        return ""
    message = no_improvement(model)
    if name != "adaptive":
        if model.verbose:
            print(message + " Stopping.")
        return message
    h = run.trainer.h
    if h[o.LR_INIT] * h[o.FACTOR] <= _LEAST_RATE:
        message += " Learning rate too small."
        if model.verbose:
            print(message + " Stopping.")
        return message
    h[o.FACTOR] /= 5.0
    if model.verbose:
        print(f"{message} Setting learning rate to {h[o.LR_INIT] * h[o.FACTOR]:f}")
    model._no_improvement_count = 0
    return ""


def no_improvement(model):
    """scikit-learn's words."""
    what = "Validation score" if model.early_stopping else "Training loss"
    return f"{what} did not improve more than tol={model.tol:f} for {model.n_iter_no_change} consecutive epochs."


def usual_loss(model, network, data, size):
    """The objective before training, or that of weights that are all zero if it is higher.

    Of some samples all over the data, with the penalties as in batches of ``size``.  The second is what any training
    can fall back to; fits that go on from a loss of almost nothing may rise above the first.
    """
    few = slice(None, None, -(-len(data.Y) // _FEW))
    X, Y, start = data.X[few], data.Y[few], network.theta.copy()
    share = len(Y) / size
    found = network.value_grad(X, Y, None, model.alpha * share, model.alpha_l1 * share)
    network.theta[:] = 0
    zero = network.value_grad(X, Y, None)
    network.theta[:] = start
    return max(found, zero)


def diverged(model, network, data, run, status):
    """Puts the best weights back, where the loss is no number any more or training ends far above its beginning.

    They are those after the epoch of the lowest loss, or the first ones: a loss is measured before an epoch's last
    updates, and these may have been the fatal ones.
    """

    def loss(weights):
        restore(network, weights)
        found = network.loss(data.X, data.Y, data.weight)
        return found if found == found else math.inf

    at = model.n_iter_ + 1
    kept = f"the weights after epoch {run.best_epoch} are kept"
    if not run.best_epoch or not loss(run.best) < loss(run.start):
        restore(network, run.start)
        kept = "the initial weights are kept"
    else:
        restore(network, run.best)
    what = f"The loss or its gradient became NaN or infinite in epoch {at}"
    if status == "diverged":
        what = f"Training diverged: the loss is {model.loss_:.3g}, more than {_RISE:g} times that before training"
    message = (
        f"{what}; {kept}. Lower learning_rate_init ({model.learning_rate_init:g}) to a tenth, scale X (and y) to mean "
        "0 and variance 1, or set clip_norm."
    )
    warn(message, ConvergenceWarning)
    return status, message
