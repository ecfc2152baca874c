"""Units of relu that no sample activates."""

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from numopt.network._network import Network
from numopt.optimize._warn import warn

_ROWS = 256  # looked at first: a layer that is alive shows it at once


def _before_activation(model, X, layer):
    """What the units of a hidden layer get: the outputs of the network that ends there."""
    made = model._architecture
    top = Network(
        made["sizes"][: layer + 2], made["activations"][:layer], "squared_error", dtype=made["dtype"],
        batch_norm=made["batch_norm"], sparse=sp.issparse(X), n_threads=model.n_threads,
    )  # fmt: skip
    for i in range(layer + 1):
        top.weights[i][...] = model.coefs_[i]
        normalized = made["batch_norm"] and i == layer
        top.intercepts[i][:] = 0 if normalized else model.intercepts_[i]
        if made["batch_norm"] and i < layer:
            top.gammas[i][:] = model.gammas_[i]
            top.running_mean[i][:], top.running_var[i][:] = model.running_mean_[i], model.running_var_[i]
    z = top.predict(X)
    if made["batch_norm"]:
        scale = model.gammas_[layer] / np.sqrt(model.running_var_[layer] + top.bn_epsilon)
        z = (z - model.running_mean_[layer]) * scale + model.intercepts_[layer]
    return z


def dead_units(model, X):
    """Numbers of the dead units of each hidden layer on X."""
    return [
        np.flatnonzero((_before_activation(model, X, i) <= 0).all(axis=0)) if name == "relu" else np.empty(0, np.intp)
        for i, name in enumerate(model._architecture["activations"])
    ]


def warn_dead_layers(model, X):
    """Warns where all units of a layer are dead: what is below it learns nothing, the outputs are constant.

    Returns
    -------
    str
        What it says, for ``message_``.
    """
    few = X[:: -(-X.shape[0] // _ROWS)]
    widths = model._architecture["sizes"][1:-1]
    if any(len(dead) == k for dead, k in zip(dead_units(model, few), widths, strict=True)):
        for layer, (dead, k) in enumerate(zip(dead_units(model, X), widths, strict=True), 1):
            if len(dead) == k:
                message = (
                    f"All {k} units of hidden layer {layer} are dead: no sample activates them, so that all samples "
                    "get the same prediction. Lower learning_rate_init, scale X, or take activation='leaky_relu'."
                )
                warn(message, ConvergenceWarning)
                return " " + message
    return ""
