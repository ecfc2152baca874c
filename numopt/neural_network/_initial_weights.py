"""Initial weights of a network."""

import math
import numbers

import numpy as np

INITS = ("auto", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "orthogonal", "sparse")
BIAS_INITS = ("auto", "zeros", "small_positive")
OUTPUT_BIASES = ("auto", "class_frequencies")
_RELU_LIKE = ("relu", "leaky_relu", "elu", "softplus", "gelu")
_SMALL = 0.1


def initialise(network, random_state, init="auto", init_gain=1.0, init_nonzero=15, bias_init="auto",
               output_bias="auto", y_means=None):  # fmt: skip
    """Draw the weights: sets ``network.theta``.

    Parameters
    ----------
    network : Network
    random_state : RandomState
        Layer by layer: the weights (fan_in, fan_out), then the biases, where they are drawn.
    init : str or callable, default 'auto'
        The weights of a layer, with g = ``init_gain``:

        - ``'auto'``: scikit-learn's, uniform(-s, s), s = sqrt(c / (fan_in + fan_out)), c = 6, or 2 with logistic
          units; the same numbers from the same random state.
        - ``'glorot_uniform'``, ``'glorot_normal'``: variance 2 g^2 / (fan_in + fan_out) (Glorot, Bengio 2010).
        - ``'he_uniform'``, ``'he_normal'``: variance 2 g^2 / fan_in (He et al. 2015).
        - ``'orthogonal'``: W'W = g^2 I, or WW' = g^2 I where the layer has more units than inputs (Saxe et al. 2014).
        - ``'sparse'``: each unit has ``init_nonzero`` weights that are not zero, of deviation g (Martens 2010).
        - a callable ``(fan_in, fan_out, layer, random_state) -> array (fan_in, fan_out)``.
    init_gain : float, default 1.0
        Without effect on ``'auto'`` and on callables.
    init_nonzero : int, default 15
        Of ``'sparse'``; all weights where a layer has fewer inputs.
    bias_init : {'auto', 'zeros', 'small_positive'} or float, default 'auto'
        ``'auto'``: drawn as scikit-learn's with ``init='auto'``, else zeros.  ``'small_positive'``: 0.1 in hidden
        layers of relu and its kin, so that units begin alive, else zeros.  A number: all biases.
    output_bias : {'auto', 'class_frequencies'}, default 'auto'
        ``'class_frequencies'``: the biases of the outputs with which the network, were its last weights zero, would
        predict ``y_means``.
    y_means : array_like (n_out,), optional
        Class frequencies, or means of the targets.

    Raises
    ------
    ValueError, TypeError
        For an argument that can't be used.

    References
    ----------
    X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.
    K. He et al., Delving deep into rectifiers, ICCV 2015.
    A. M. Saxe, J. L. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks, ICLR 2014.
    J. Martens, Deep learning via Hessian-free optimization, ICML 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.network._network import Network
    >>> from numopt.neural_network._initial_weights import initialise
    >>> network = Network((4, 3, 2), 'relu', 'log_loss')
    >>> initialise(network, np.random.RandomState(0), 'orthogonal', bias_init='small_positive')
    >>> W = network.weights[0]
    >>> bool(np.allclose(W.T @ W, np.eye(3))), network.intercepts[0].tolist()
    (True, [0.1, 0.1, 0.1])
    """
    check_initialisation(init, init_gain, init_nonzero, bias_init, output_bias)
    drawn = isinstance(init, str) and init == "auto"
    hidden = network.activations
    for layer, (W, b) in enumerate(zip(network.weights, network.intercepts, strict=True)):
        # as scikit-learn's, which goes by the hidden units in the last layer too
        logistic = hidden and hidden[min(layer, len(hidden) - 1)] == "logistic"
        scale = math.sqrt((2.0 if logistic else 6.0) / sum(W.shape))
        W[...] = _weights(W.shape, layer, random_state, init, init_gain, init_nonzero, scale)
        if drawn:
            # drawn whatever becomes of them: the weights of the layers after stay the same numbers
            biases = random_state.uniform(-scale, scale, W.shape[1])
        if not isinstance(bias_init, str):
            b[:] = bias_init
        elif bias_init == "small_positive":
            b[:] = _SMALL if layer < len(hidden) and hidden[layer] in _RELU_LIKE else 0.0
        else:
            b[:] = biases if bias_init == "auto" and drawn else 0.0
    if output_bias == "class_frequencies":
        network.intercepts[-1][:] = _scores(network, y_means)


def check_initialisation(init, init_gain, init_nonzero, bias_init, output_bias):
    """TypeError or ValueError for what can't be used."""
    if not callable(init) and not (isinstance(init, str) and init in INITS):
        raise ValueError(f"init must be one of {', '.join(map(repr, INITS))} or a callable; got {init!r}")
    if isinstance(init_gain, bool) or not isinstance(init_gain, numbers.Real) or not 0 < init_gain < math.inf:
        raise ValueError(f"init_gain must be a positive number; got {init_gain!r}")
    if isinstance(init_nonzero, bool) or not isinstance(init_nonzero, numbers.Integral) or init_nonzero < 1:
        raise ValueError(f"init_nonzero must be a positive integer; got {init_nonzero!r}")
    number = isinstance(bias_init, numbers.Real) and not isinstance(bias_init, bool) and math.isfinite(bias_init)
    if not number and not (isinstance(bias_init, str) and bias_init in BIAS_INITS):
        names = ", ".join(map(repr, BIAS_INITS))
        raise ValueError(f"bias_init must be one of {names} or a finite number; got {bias_init!r}")
    if not isinstance(output_bias, str) or output_bias not in OUTPUT_BIASES:
        raise ValueError(f"output_bias must be one of {', '.join(map(repr, OUTPUT_BIASES))}; got {output_bias!r}")


def _weights(shape, layer, random_state, init, gain, nonzero, scale):
    """(fan_in, fan_out) weights of a layer."""
    fan_in, fan_out = shape
    if callable(init):
        return _given(init(fan_in, fan_out, layer, random_state), shape, layer)
    if init == "auto":
        return random_state.uniform(-scale, scale, shape)
    if init == "orthogonal":
        tall = random_state.normal(size=(max(shape), min(shape)))
        Q, R = np.linalg.qr(tall)
        Q *= np.where(np.diag(R) < 0, -1.0, 1.0)  # so that all orthogonal matrices are equally likely
        return gain * (Q if fan_in >= fan_out else Q.T)
    if init == "sparse":
        W = np.zeros(shape)
        k = min(nonzero, fan_in)
        for unit in range(fan_out):
            W[random_state.permutation(fan_in)[:k], unit] = random_state.normal(0.0, gain, k)
        return W
    variance = 2.0 * gain * gain / (fan_in + fan_out if init.startswith("glorot") else fan_in)
    if init.endswith("normal"):
        return random_state.normal(0.0, math.sqrt(variance), shape)
    bound = math.sqrt(3.0 * variance)
    return random_state.uniform(-bound, bound, shape)


def _given(W, shape, layer):
    """What a user's function returned, checked."""
    what = f"init must return finite numbers of shape {shape} for layer {layer}"
    try:
        W = np.asarray(W)
    except ValueError:
        raise ValueError(f"{what}; it returned rows of different lengths") from None
    if W.shape != shape:
        raise ValueError(f"{what}; it returned shape {W.shape}")
    if W.dtype.kind not in "fiu":
        raise TypeError(f"{what}; it returned {W.dtype} data")
    if not np.isfinite(W).all():
        raise ValueError(f"{what}; it returned NaN or infinity")
    return W


def _scores(network, y_means):
    """The outputs, before the output function, that predict ``y_means``."""
    if y_means is None:
        raise ValueError("output_bias='class_frequencies' needs y_means, the frequencies or means of the targets")
    means = np.asarray(y_means, float)
    if means.shape != network.intercepts[-1].shape or not np.isfinite(means).all():
        raise ValueError(f"y_means must be {network.sizes[-1]} finite numbers; got {y_means!r:.80}")
    tiny = np.finfo(np.float32).tiny  # a class that never occurs: as unlikely as float32 can say
    if network.loss_name == "binary_log_loss":
        p = np.clip(means, tiny, 1.0 - 2.0**-24)
        return np.log(p) - np.log1p(-p)
    if network.loss_name in ("log_loss", "poisson"):
        return np.log(np.maximum(means, tiny))
    return means
