"""The loss of a fitted network as a function of all its parameters, to look at and to minimise."""

import numpy as np
from sklearn.utils import check_consistent_length

from numopt.neural_network._check import private_network


class TrainingLoss:
    """What :func:`training_loss` returns: ``loss(theta)``.

    Attributes
    ----------
    theta : ndarray (n_params,)
        The parameters of the model when the function was made, in one vector.
    """

    def __init__(self, network, data, penalties):
        self._network, self._data, self._penalties = network, data, penalties
        self.theta = network.theta.copy()

    def __call__(self, theta):
        """The objective at ``theta``."""
        self._set(theta)
        return self._network.value_grad(*self._data, *self._penalties)

    def fun_and_grad(self, theta):
        """The objective and its gradient at ``theta``, for :func:`numopt.minimize`."""
        self._set(theta)
        g = np.empty(self._network.n_params)
        return self._network.value_grad(*self._data, *self._penalties, grad=g), g

    def _set(self, theta):
        theta = np.asarray(theta, dtype=float)
        if theta.shape != self.theta.shape:
            raise ValueError(f"theta must have shape {self.theta.shape}, that of the parameters; got {theta.shape}")
        self._network.theta[:] = theta

    def filter_directions(self, random_state=0):
        """Two random directions, each unit's part as long as its own incoming weights (Li et al. 2018).

        Multiplying the weights of a unit of relu by a number, and dividing those behind it, changes no prediction but
        would stretch the picture; with such directions it does not.  Intercepts, and the gammas of batch
        normalization, stay where they are.

        Parameters
        ----------
        random_state : int, default 0

        Returns
        -------
        ndarray (2, n_params)
            For ``directions=`` of :func:`numopt.plot.landscape`.
        """
        rng, D = np.random.default_rng(random_state), np.zeros((2, self.theta.size))
        weights = self._network.views(self.theta)[0]
        for direction in D:
            for W, part in zip(weights, self._network.views(direction)[0], strict=True):
                part[...] = rng.standard_normal(W.shape)
                part *= np.linalg.norm(W, axis=0) / np.linalg.norm(part, axis=0)
        return D


def training_loss(model, X, y, sample_weight=None):
    """The objective that a fitted network was trained on, as a function of its parameters, in float64.

    Parameters
    ----------
    model : MLPClassifier or MLPRegressor
        Fitted.  It is not changed, and may be fitted again.
    X, y : array_like
        Samples: those of the fit, or others.
    sample_weight : array_like (n_samples,), optional

    Returns
    -------
    TrainingLoss
        ``loss(theta)``, with ``loss.theta``, the parameters of the model, ``loss.fun_and_grad(theta)`` and
        ``loss.filter_directions()``.

    Notes
    -----
    Penalties and ``class_weight`` are in it.  There is no dropout, and batch normalization takes the statistics of X.
    Of several outputs it is the sum, where ``model.loss_`` is the mean.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from numopt.neural_network import MLPClassifier, training_loss
    >>> X, y = load_iris(return_X_y=True)
    >>> a, b = (MLPClassifier((5,), 'tanh', solver='lbfgs', max_iter=2000, random_state=k).fit(X, y) for k in (0, 1))
    >>> loss, end = training_loss(a, X, y), training_loss(b, X, y).theta
    >>> abs(loss(loss.theta) - a.loss_) < 1e-12, abs(loss(end) - b.loss_) < 1e-12
    (True, True)
    """
    if not hasattr(model, "_fitted_network"):
        raise TypeError(f"model must be a MLPClassifier or MLPRegressor, not {type(model).__name__}")
    network, X, Y, *penalties = private_network(model, X, y)
    check_consistent_length(X, Y)
    if sample_weight is not None:
        sample_weight = model._check_weights(sample_weight, X)
    weight = model._class_weights(np.asarray(y), sample_weight, X.dtype, "fit")
    return TrainingLoss(network, (X, Y, weight), penalties)
