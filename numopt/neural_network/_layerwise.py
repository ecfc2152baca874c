"""Pretraining of an estimator's network, layer after layer, by the estimator's own solver."""

import copy
import warnings

from sklearn.exceptions import ConvergenceWarning

from numopt.kernels.first_order_slots import RULES
from numopt.neural_network._parameters import dropout
from numopt.neural_network._pretraining import pretrain
from numopt.neural_network._stochastic import Data
from numopt.optimize._warn import warn


def pretrain_layers(model, network, data, rng, begin):
    """Trains the hidden layers of the network one after the other, each for ``max_iter`` epochs at most.

    ``begin`` draws the weights of a network.

    Returns
    -------
    bool
        False after Ctrl-C: the layers done are pretrained, the others hold initial weights.
    """
    state = rng.get_state()
    begin(network)  # what the layers hold that Ctrl-C leaves out
    rng.set_state(state)
    shares = dropout(model, network.sizes[1:-1]) or [0.0] * len(network.activations)

    def train(shallow, A):
        layer = copy.copy(model)
        layer.early_stopping = layer.verbose = layer.progress = False
        layer.dropout = shares.pop(0)
        layer._reset(shallow)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the layers need not converge
            warnings.filterwarnings("ignore", "Training interrupted by user")  # said once, of the whole
            layer._train(shallow, Data(A, data.Y, data.weight, None, None), rng)
        if layer.status_ == "interrupted":
            raise KeyboardInterrupt

    try:
        pretrain(network, data.X, begin, train)
    except KeyboardInterrupt:
        return False
    return True


def end_before_training(model, network, data, rng, incremental):
    """Ctrl-C in pretraining: the network stays as it is."""
    if model.solver in RULES:
        model._begin(network, data, rng, incremental)
        model._run.whole = False
    model.status_ = "interrupted"
    model.message_ = "Training interrupted by user during pretraining: resume(X, y) can't go on."
    warn("Training interrupted by user.", UserWarning)
