"""Greedy layerwise supervised pretraining."""

import numpy as np

from numopt.network._network import Network


def pretrain(network, X, begin, train):
    """Train the hidden layers one after the other: sets ``network.theta`` (and running statistics).

    Layer k is trained, together with a fresh output layer on top of it, on what the layers below make of X, which have
    been trained before and stay as they are.  The output layer of the last one becomes that of the network.

    Parameters
    ----------
    network : Network
    X : rows
    begin : callable
        ``begin(shallow)`` draws the first weights of a network with one hidden layer.
    train : callable
        ``train(shallow, A)`` trains it on the rows A, which stand for those of X.

    References
    ----------
    Y. Bengio, P. Lamblin, D. Popovici, H. Larochelle, Greedy layer-wise training of deep networks, NIPS 2007 (the
    supervised variant, appendix).

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.network._network import Network
    >>> from numopt.neural_network._full_batch import fit_full_batch
    >>> from numopt.neural_network._initial_weights import initialise
    >>> from numopt.neural_network._pretraining import pretrain
    >>> rng = np.random.RandomState(0)
    >>> X = rng.normal(size=(50, 2))
    >>> Y = X[:, :1] * X[:, 1:]
    >>> def train(shallow, A):
    ...     fit_full_batch(shallow, A, Y, None, solver='lbfgs', alpha=0.0, tol=1e-3, max_iter=50, max_fun=500,
    ...                    options=None)
    >>> network = Network((2, 5, 4, 1), 'tanh', 'squared_error')
    >>> pretrain(network, X, lambda shallow: initialise(shallow, rng), train)
    >>> bool(network.loss(X, Y) < 0.1 * Y.var())
    True
    """
    A = X
    for layer, activation in enumerate(network.activations):
        sizes = (*network.sizes[layer : layer + 2], network.sizes[-1])
        shallow = _like(network, sizes, activation, network.loss_name, network.sparse and layer == 0)
        begin(shallow)
        train(shallow, A)
        _copy_hidden(shallow, 0, network, layer)
        if layer < len(network.activations) - 1:
            A = hidden_output(shallow, A)
        else:
            network.weights[-1][...], network.intercepts[-1][:] = shallow.weights[1], shallow.intercepts[1]


def hidden_output(shallow, A):
    """What the hidden layer of a network with one makes of the rows A, as predictions see it."""
    fan_in, units = shallow.sizes[:2]
    probe = _like(shallow, (fan_in, units, units), shallow.activations[0], "squared_error", shallow.sparse)
    _copy_hidden(shallow, 0, probe, 0)
    probe.weights[1][...] = np.eye(units)  # outputs that are the hidden units themselves
    return probe.predict(A)


def _like(network, sizes, activation, loss, sparse):
    """A network with one hidden layer that in all else is like another."""
    return Network(sizes, activation, loss, dtype=network.dtype, batch_norm=network.batch_norm, sparse=sparse,
                   huber_delta=network.huber_delta, bn_momentum=network.bn_momentum, bn_epsilon=network.bn_epsilon,
                   n_threads=network.n_threads)  # fmt: skip


def _copy_hidden(source, i, target, j):
    """Layer i of a network becomes layer j of another."""
    target.weights[j][...], target.intercepts[j][:] = source.weights[i], source.intercepts[i]
    if source.batch_norm:
        target.gammas[j][:] = source.gammas[i]
        target.running_mean[j][:], target.running_var[j][:] = source.running_mean[i], source.running_var[i]
