"""Compare backpropagation with differences."""

import math
import numbers
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from numopt.network._network import Network
from numopt.optimize._check import check_derivatives

_KINDS = ("weights", "intercepts", "gammas")
_FAR, _NEAR = 1e-4, 1e-6  # steps to both sides by which a kink is told
_LEFT_OVER = 0.1  # the share of the slopes' difference that is left at _NEAR: 0.01 where there is no kink


@dataclass(frozen=True)
class BackpropagationCheck:
    """What :func:`check_backpropagation` found.

    Attributes
    ----------
    ok : bool
        Whether every parameter's derivative agrees within the tolerance, but for kinks.
    error : float
        The largest relative error of all parameters that do not stand on a kink.
    layer, kind, index : int, str, tuple
        Where: ``'weights'``, ``'intercepts'`` or ``'gammas'`` of a layer, and the entry there.
    given, difference : float
        The derivative by backpropagation, and by differences.
    n_checked, n_kinks : int
        Parameters compared; those of them at which the loss has a kink, with different slopes to the left and to the
        right: there any slope between is right.
    """

    ok: bool
    error: float
    layer: int
    kind: str
    index: tuple
    given: float
    difference: float
    n_checked: int
    n_kinks: int

    def __str__(self):
        verdict = "agrees with differences" if self.ok else "DISAGREES with differences"
        kinks = f", {self.n_kinks} on a kink" if self.n_kinks else ""
        return (
            f"backpropagation {verdict} ({self.n_checked} parameters{kinks}); worst: {self.kind}[{self.layer}]"
            f"{list(self.index)}, given {self.given:.10g}, difference {self.difference:.10g}, error {self.error:.2e}"
        )


def check_backpropagation(model, X, y, sample_weight=None, *, alpha=None, n_checks=20, tol=1e-6, random_state=0):
    """Compare the gradient of a network's loss with central differences, in float64.

    Parameters
    ----------
    model : MLPClassifier, MLPRegressor or Network
        Fitted; it is compared where it stands, without dropout.
    X, y : array_like
        Samples; for a Network as its ``value_grad`` takes them.  A few tens will do.
    sample_weight : array_like (n_samples,), optional
    alpha : float, optional
        L2 penalty; default that of the estimator, 0 for a Network.
    n_checks : int, default 20
        Parameters of each layer's weights, intercepts (and gammas) that are compared, drawn at random.
    tol : float, default 1e-6
        The relative error that is accepted.
    random_state : int, default 0

    Returns
    -------
    BackpropagationCheck

    Notes
    -----
    Each parameter takes some 20 evaluations of the loss: :func:`numopt.check_derivatives` says how differences are
    extrapolated.  A relu unit whose input is exactly zero, as with all weights zero, is at a kink: such parameters are
    counted apart where backpropagation gives a slope between the two.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.network._network import Network
    >>> from numopt.neural_network import check_backpropagation
    >>> rng = np.random.default_rng(0)
    >>> network = Network((3, 5, 2), 'tanh', 'log_loss')
    >>> network.theta[:] = rng.normal(size=network.n_params)
    >>> check_backpropagation(network, rng.normal(size=(20, 3)), np.arange(20) % 2).ok
    True
    """
    if isinstance(n_checks, bool) or not isinstance(n_checks, numbers.Integral) or n_checks < 1:
        raise ValueError(f"n_checks must be a positive integer; got {n_checks!r}")
    if not isinstance(tol, numbers.Real) or not 0 < tol < math.inf:
        raise ValueError(f"tol must be a positive number; got {tol!r}")
    network, X, Y, alpha, alpha_l1 = private_network(model, X, y, alpha)
    weight = None if sample_weight is None else np.asarray(sample_weight, float)
    if weight is not None and weight.shape != (X.shape[0],):
        raise ValueError(f"sample_weight must have shape ({X.shape[0]},); got {weight.shape}")
    theta, g = network.theta.copy(), np.empty(network.n_params)
    network.value_grad(X, Y, weight, alpha, alpha_l1, grad=g)
    rng, worst, n_checked, n_kinks = np.random.default_rng(random_state), None, 0, 0
    for layer, kind, places in _blocks(network):
        flat = places.ravel()
        for at in flat if flat.size <= n_checks else rng.choice(flat, n_checks, replace=False):

            def value(x, at=at):
                network.theta[at] = x[0]
                f = network.value_grad(X, Y, weight, alpha, alpha_l1)
                network.theta[at] = theta[at]
                return f

            found = check_derivatives(value, lambda x, at=at: g[at : at + 1], theta[at : at + 1], tol=tol)
            n_checked += 1
            if not found.ok and _on_kink(value, float(theta[at]), float(g[at])):
                n_kinks += 1
            elif worst is None or not found.error <= worst[0].error:
                worst = found, layer, kind, tuple(int(i) for i in np.argwhere(places == at)[0])
    if worst is None:  # all on kinks
        return BackpropagationCheck(True, 0.0, 0, "weights", (0, 0), 0.0, 0.0, n_checked, n_kinks)
    found, layer, kind, index = worst
    return BackpropagationCheck(
        found.ok, found.error, layer, kind, index, found.given, found.difference, n_checked, n_kinks
    )


def private_network(model, X, y, alpha=None):
    """(a network of its own in float64, X, Y, penalties)."""
    alpha_l1 = 0.0
    if isinstance(model, Network):
        network, Y = model, np.asarray(y)
        X = X.tocsr() if sp.issparse(X) else np.asarray(X)
    else:
        if not hasattr(model, "_fitted_network"):
            raise TypeError(f"model must be an MLPClassifier, an MLPRegressor or a Network, not {type(model).__name__}")
        check_is_fitted(model)
        X = model._check_new(X)
        network = model._fitted_network(sp.issparse(X))
        Y = model._encode(np.asarray(y), np.dtype(float))
        alpha, alpha_l1 = model.alpha if alpha is None else alpha, model.alpha_l1
    twin = Network(network.sizes, network.activations, network.loss_name, batch_norm=network.batch_norm,
                   sparse=network.sparse, huber_delta=network.huber_delta, bn_epsilon=network.bn_epsilon,
                   n_threads=network.n_threads)  # fmt: skip
    twin.theta[:] = network.theta
    Y = Y if network.loss_name == "log_loss" else np.asarray(Y, float)
    return twin, X.astype(float), Y, 0.0 if alpha is None else alpha, alpha_l1


def _blocks(network):
    """(layer, kind, where its entries stand in theta) of all parameters."""
    for kind, parts in zip(_KINDS, network.views(np.arange(network.n_params)), strict=True):
        for layer, places in enumerate(parts):
            yield layer, kind, places


def _on_kink(value, x, given):
    """Whether the slopes to both sides of x differ however near one looks, and ``given`` lies between."""
    f, gaps = value([x]), []
    for h in (_FAR * max(1.0, abs(x)), _NEAR * max(1.0, abs(x))):
        right, left = (value([x + h]) - f) / h, (f - value([x - h])) / h
        gaps.append(abs(right - left))
    rounding = 1e-15 * abs(f) / h
    slack = 0.1 * gaps[1]
    kinked = gaps[1] > _LEFT_OVER * gaps[0] and gaps[1] > 100.0 * rounding
    return kinked and min(left, right) - slack <= given <= max(left, right) + slack
