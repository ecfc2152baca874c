"""Pretraining of an estimator's network, layer after layer, by the estimator's own solver."""

import copy
import warnings

from sklearn.exceptions import ConvergenceWarning

from numopt.neural_network._parameters import dropout
from numopt.neural_network._pretraining import pretrain
from numopt.neural_network._stochastic import Data


def pretrain_layers(model, network, data, rng, begin):
    """Trains the hidden layers of the network one after the other, each for ``max_iter`` epochs at most.

    ``begin`` draws the weights of a network.
    """
    shares = dropout(model, network.sizes[1:-1]) or [0.0] * len(network.activations)

    def train(shallow, A):
        layer = copy.copy(model)
        layer.early_stopping = layer.verbose = layer.progress = False
        layer.dropout = shares.pop(0)
        layer._reset(shallow)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the layers need not converge
            layer._train(shallow, Data(A, data.Y, data.weight, None, None), rng)
        if layer.status_ == "interrupted":
            raise KeyboardInterrupt

    pretrain(network, data.X, begin, train)
