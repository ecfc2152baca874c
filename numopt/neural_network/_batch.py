"""``mlp_batch``: many small perceptrons by one call."""

import math
import numbers
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
from sklearn.utils import check_random_state

from numopt.catalog import METHODS
from numopt.network import small
from numopt.neural_network._initial_weights import initialise
from numopt.optimize._batch import minimize_batch, read_device
from numopt.optimize._batch_input import Each, each
from numopt.optimize._batch_lasso import _number, _numbers
from numopt.optimize._batch_result import BatchResult
from numopt.optimize._batch_run import read_dtype
from numopt.optimize._runs import read_count


def mlp_batch(X, Y, hidden_layer_sizes=(4,), activation="tanh", *, loss="squared_error", alpha=1e-4, solver="lbfgs",
              tol=1e-4, max_iter=200, max_fun=15000, random_state=None, device="cpu", dtype=None, n_threads=None,
              chunk_size=None, max_time=None, progress=False):  # fmt: skip
    """Fit many small multilayer perceptrons, each on all its samples at once.

    Problem i, with m samples, minimises ``1/m sum_j loss(network(x_j), y_j) + alpha / (2 m) ||W||^2``, as
    :class:`numopt.neural_network.MLPRegressor` and ``MLPClassifier`` do with ``solver='lbfgs'``.

    Parameters
    ----------
    X : array_like, shape (m, n_features), or each
        Samples that all problems share, or ``numopt.each(X)`` of shape (n_problems, m, n_features);
        ``each(X, lengths)``: problem i has the first ``lengths[i]`` samples of ``X[i]`` and ``Y[i]``.
    Y : array_like, shape (n_problems, m) or (n_problems, m, n_outputs)
        Targets; with ``loss='log_loss'`` classes, of shape (n_problems, m).
    hidden_layer_sizes : int or sequence of int, default (4,)
        Units of each hidden layer.
    activation : {'identity', 'logistic', 'tanh', 'relu'}, default 'tanh'
        Of the hidden layers.
    loss : {'squared_error', 'log_loss'}, default 'squared_error'
        Half the squared error, summed over the outputs; or the log loss of classes, the same for all problems: of two
        by one logistic output, of more by softmax.
    alpha : float, default 1e-4
        Strength of the L2 penalty.
    solver : str, default 'lbfgs'
        ``'lbfgs'`` with the tests of :class:`numopt.neural_network.MLPRegressor`, or another method of
        :func:`numopt.minimize` that reads gradients: ``'bfgs'``, ``'cg-pr'``, ...
    tol : float, default 1e-4
        The largest component of the gradient to reach.
    max_iter, max_fun : int, default 200 and 15000
        Iterations and evaluations at most.
    random_state : int, RandomState instance or None, default None
        Of the initial weights, drawn once, as the estimators draw them: all problems begin there.
    device, dtype, n_threads, chunk_size, max_time, progress
        As for :func:`numopt.minimize_batch`.

    Returns
    -------
    MLPBatchResult
        A :class:`numopt.BatchResult` whose ``x`` holds the parameters and ``fun`` the losses, with ``predict``.

    Raises
    ------
    TypeError, ValueError
        For arguments that can't be used, before any work.
    KeyboardInterrupt
        On Ctrl-C, with the results so far as its ``result``.

    See Also
    --------
    numopt.neural_network.MLPRegressor : One network at a time, of any size, with all solvers and losses.

    Notes
    -----
    The result of a problem does not depend, to the last bit, on its neighbours, threads or chunks.  It is that of the
    estimators but for the order of sums, which a network that has not converged may magnify.

    Examples
    --------
    >>> import numpy as np, numopt
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> Y = np.array([np.sin(k * X[:, 0]) for k in (1.0, 2.0, 3.0)])
    >>> result = numopt.mlp_batch(X, Y, (5,), random_state=0)
    >>> result.predict(X).shape, bool(abs(result.predict(X) - Y).max() < 0.1)
    ((3, 50), True)
    """
    data, Y, classes, n_outputs = _read_data(X, Y, loss)
    widths = _read_widths(hidden_layer_sizes)
    m, n_features = (data.array if isinstance(data, Each) else data).shape[-2:]
    if not isinstance(activation, str) or activation not in small.ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(map(repr, small.ACTIVATIONS))}; got {activation!r:.60}")
    name = "l-bfgs-b" if isinstance(solver, str) and solver == "lbfgs" else solver
    row = METHODS.get(name) if isinstance(name, str) else None
    if row is None or row.values_only or row.second_order or row.unit == "first-order":
        raise ValueError(
            "solver must be a method of numopt.minimize that reads gradients only, such as 'lbfgs', 'bfgs' or "
            f"'cg-pr'; got {solver!r:.60}"
        )
    alpha = _number("alpha", alpha, "a finite number, at least 0", lambda a: 0 <= a < math.inf)
    tol = _number("tol", tol, "a finite number, at least 0", lambda t: 0 <= t < math.inf)
    limits = {"maxiter": read_count("max_iter", max_iter, 1), "maxfev": read_count("max_fun", max_fun, 1)}
    dtype = read_dtype(dtype)
    network = Network((n_features, *widths, n_outputs), activation, loss, classes)
    theta = network.start(check_random_state(random_state))
    args = (data, each(Y), np.array(network.sizes), small.ACTIVATIONS.index(activation), network.kind, alpha)
    where = read_device(device)
    fun = small.loss_on_threads
    if where == "cuda":
        fun, args = small.loss, (*args, each(np.zeros((len(Y), 2 * sum(network.sizes)))))
    try:
        result = minimize_batch(
            fun, np.tile(theta, (len(Y), 1)), args, name, "inplace", options={"gtol": tol, **limits}, device=where,
            dtype=dtype, n_threads=n_threads, chunk_size=chunk_size, max_time=max_time, progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt as error:
        if getattr(error, "result", None) is not None:
            error.result = MLPBatchResult(error.result._arrays, error.result._statuses, network)
        raise
    return MLPBatchResult(result._arrays, result._statuses, network)


def _read_widths(sizes):
    given = [sizes] if isinstance(sizes, numbers.Integral) else list(sizes) if np.iterable(sizes) else [None]
    for width in given:
        if isinstance(width, (bool, str)) or not isinstance(width, numbers.Integral) or width < 1:
            raise ValueError(f"hidden_layer_sizes must be positive integers; got {sizes!r:.60}")
    return [int(width) for width in given]


def _read_data(X, Y, loss):
    """(samples, targets (n_problems, m, outputs), classes or None, outputs)."""
    if loss not in ("squared_error", "log_loss"):
        raise ValueError(f"loss must be 'squared_error' or 'log_loss'; got {loss!r:.60}")
    if isinstance(Y, Each):
        raise TypeError("Y has one row a problem anyway; give the array, and lengths of data by X: each(X, lengths)")
    classes, n_outputs = None, 1
    if loss == "log_loss":
        Y = np.asarray(Y)
        if Y.ndim != 2 or Y.dtype.kind not in "iubU":
            raise ValueError(
                "Y must hold classes (integers or strings) of shape (n_problems, m) with loss='log_loss'; got "
                f"{Y.dtype} of shape {Y.shape}"
            )
        counted = np.ones(Y.shape, bool)
        if isinstance(X, Each) and X.lengths is not None and np.shape(X.lengths) == Y.shape[:1]:
            counted = np.arange(Y.shape[1]) < X.lengths[:, None]
        classes, codes = np.unique(Y[counted], return_inverse=True)
        if len(classes) < 2 and Y.size:
            raise ValueError(f"Y must hold at least two classes; it holds {classes.tolist()}")
        Y = np.zeros(Y.shape)  # what stands beyond the lengths is no class
        Y[counted], n_outputs = codes.ravel(), 1 if len(classes) <= 2 else len(classes)
    elif np.ndim(Y) == 3:
        Y = _numbers("Y", Y, "(n_problems, m, n_outputs)")
        n_outputs = Y.shape[2]
    else:
        Y = _numbers("Y", Y, "(n_problems, m)")
    Y = Y if Y.ndim == 3 else Y[:, :, None]
    if isinstance(X, Each):
        array = _numbers("X", X.array, "(n_problems, m, n_features)")
        if len(array) != len(Y):
            raise ValueError(f"X holds {len(array)} problems, Y {len(Y)}")
        X = each(_reals(array), X.lengths)
    else:
        array = X = np.ascontiguousarray(_reals(_numbers("X", X, "(m, n_features)")))
        if not np.isfinite(X).all():
            raise ValueError("X holds NaN or infinity, and all problems share it")
    if array.shape[-2] == 0 or array.shape[-1] == 0 or n_outputs == 0:
        raise ValueError(f"there must be at least one sample, feature and output; X has shape {array.shape}")
    if Y.shape[1] != array.shape[-2]:
        raise ValueError(f"Y has {Y.shape[1]} samples for a problem, X has {array.shape[-2]}")
    return X, _reals(Y), classes, n_outputs


def _reals(array):
    """Data as they are, if real."""
    return array if array.dtype.kind == "f" else array.astype(float)


class Network:
    """The shape of the networks of a batch."""

    def __init__(self, sizes, activation, loss, classes):
        self.sizes, self.activation, self.loss, self.classes = tuple(map(int, sizes)), activation, loss, classes
        name = "binary_log_loss" if loss == "log_loss" and self.sizes[-1] == 1 else loss
        self.kind = small.LOSSES.index(name)

    def views(self, theta):
        """(weights (..., fan_in, fan_out), biases (..., fan_out)) of each layer, of parameters (..., n)."""
        found, at = [], 0
        for fan_in, fan_out in pairwise(self.sizes):
            end = at + fan_in * fan_out
            W = theta[..., at:end].reshape(*theta.shape[:-1], fan_out, fan_in).swapaxes(-1, -2)
            found.append((W, theta[..., end : end + fan_out]))
            at = end + fan_out
        return found

    def start(self, random_state):
        """The parameters that the estimators begin with."""
        theta = np.empty(sum((a + 1) * b for a, b in pairwise(self.sizes)))
        weights, intercepts = zip(*self.views(theta), strict=True)
        hidden = [self.activation] * (len(self.sizes) - 2)
        initialise(SimpleNamespace(weights=weights, intercepts=intercepts, activations=hidden), random_state)
        return theta

    def outputs(self, theta, X):
        """The last layer's scores, (n_problems, m, outputs)."""
        act = {"identity": lambda z: z, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0.0), "logistic": _logistic}
        a, layers = X, self.views(theta)
        for l, (W, b) in enumerate(layers):
            a = a @ W + b[:, None, :]
            if l + 1 < len(layers):
                a = act[self.activation](a)
        return a


def _logistic(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0.0, 1.0, e) / (1.0 + e)


class MLPBatchResult(BatchResult):
    """The networks of :func:`numopt.mlp_batch`: a :class:`numopt.BatchResult` that predicts.

    Attributes
    ----------
    coefs, intercepts : list of ndarray
        Of each layer the weights (n_problems, fan_in, fan_out) and biases (n_problems, fan_out), views of ``x``.
    classes : ndarray or None
        With ``loss='log_loss'``.

    Examples
    --------
    >>> import numpy as np, numopt
    >>> X = np.linspace(-1, 1, 20)[:, None]
    >>> result = numopt.mlp_batch(X, np.stack([X[:, 0] > 0, X[:, 0] > 0.5]), loss="log_loss", random_state=0)
    >>> result.predict([[-0.5], [0.3], [0.9]]).tolist()
    [[False, True, True], [False, False, True]]
    >>> result[1:].predict_proba([[0.0]]).shape
    (1, 1, 2)
    """

    def __init__(self, arrays, statuses, network):
        super().__init__(arrays, statuses)
        self._network = network
        self.classes = network.classes
        layers = network.views(self.x)
        self.coefs, self.intercepts = [W for W, _ in layers], [b for _, b in layers]

    def __getitem__(self, i):
        part = BatchResult(self._arrays, self._statuses)[i]
        return MLPBatchResult(part._arrays, part._statuses, self._network) if isinstance(part, BatchResult) else part

    def _outputs(self, X):
        own = isinstance(X, Each)
        if own and X.lengths is not None:
            raise ValueError("predict takes no lengths; the outputs of all rows are computed")
        X = _reals(_numbers("X", X.array if own else X, "(n_problems, m, n_features)" if own else "(m, n_features)"))
        if X.shape[-1] != self._network.sizes[0]:
            raise ValueError(f"X has {X.shape[-1]} features; the networks were fitted on {self._network.sizes[0]}")
        if own and len(X) != len(self):
            raise ValueError(f"X holds {len(X)} problems; there are {len(self)}")
        return self._network.outputs(self.x, X)

    def predict(self, X):
        """What the networks predict.

        Parameters
        ----------
        X : array_like, shape (m, n_features), or each
            Samples for all networks, or ``numopt.each(X)`` of shape (n_problems, m, n_features).

        Returns
        -------
        ndarray, shape (n_problems, m) or (n_problems, m, n_outputs)
            Numbers, or classes.
        """
        z = self._outputs(X)
        if self.classes is not None:
            return self.classes[z.argmax(axis=-1) if z.shape[-1] > 1 else (z[..., 0] > 0.0).astype(int)]
        return z[..., 0] if z.shape[-1] == 1 else z

    def predict_proba(self, X):
        """The probabilities of the classes, with ``loss='log_loss'``.

        Parameters
        ----------
        X : array_like or each
            As for ``predict``.

        Returns
        -------
        ndarray, shape (n_problems, m, n_classes)
        """
        if self.classes is None:
            raise AttributeError("predict_proba is there with loss='log_loss' only")
        z = self._outputs(X)
        if z.shape[-1] == 1:
            p = _logistic(z[..., 0])
            return np.stack([1.0 - p, p], axis=-1)
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
