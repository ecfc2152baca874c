"""Second derivatives of networks: Hessian and Gauss-Newton products, Hessians, Jacobians of the outputs."""

import ctypes

import numpy as np

from numopt.drivers import units
from numopt.network import curvature_words as q
from numopt.network.words import ACTIVATIONS, LOSSES

_PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t, ctypes.c_ssize_t)
_functions: dict = {}


def _unit(name):
    found = _functions.get(name)
    if found is None:
        found = _functions[name] = _PROTOTYPE(units.address(name))
    return found


def _refuse_normalized(network):
    if network.batch_norm:
        raise ValueError("second derivatives are not available with batch normalization; use batch_norm=False")


class _Call:
    """The table of one network and its data, ready for the compiled code, and the arrays that it points to."""

    def __init__(self, network, X, rooms):
        """``rooms``: blocks of the widest layer, of each hidden layer, and rows in a block."""
        _refuse_normalized(network)
        common, each, rows = rooms
        dtype, sizes = network.dtype, network.sizes
        self.network, self.words, self.reals = network, np.zeros(q.N_WORDS, np.int64), np.zeros(2)
        self.sizes = np.array(sizes, np.int64)
        self.kinds = np.array([*(ACTIVATIONS.index(name) for name in network.activations), 0], np.int64)
        widest = max(sizes[1:])
        self.buffer = np.empty(rows * (common * widest + each * sum(sizes[1:-1])), dtype)
        words = self.words
        words[q.DEPTH], words[q.LOSS], words[q.N] = len(sizes) - 1, LOSSES.index(network.loss_name), X.shape[0]
        words[q.N_PARAMS], words[q.SPARSE], words[q.WIDEST] = network.n_params, network.sparse, widest
        words[q.BUFFER_SIZE] = self.buffer.size
        if X.shape[1] != sizes[0]:
            raise ValueError(f"X has {X.shape[1]} columns; the network has {sizes[0]} inputs")
        if network.sparse:
            self.x = [np.ascontiguousarray(X.data, dtype), *(X.indices.astype(np.int64), X.indptr.astype(np.int64))]
            words[q.INDICES], words[q.STARTS] = (a.ctypes.data for a in self.x[1:])
        else:
            self.x = [np.ascontiguousarray(X, dtype)]
        words[q.X], words[q.SIZES], words[q.KINDS] = (a.ctypes.data for a in (self.x[0], self.sizes, self.kinds))
        words[q.BUFFER], words[q.REALS] = self.buffer.ctypes.data, self.reals.ctypes.data

    def run(self, name, G, OUT):
        words = self.words
        words[q.THETA] = self.network.theta.ctypes.data
        words[q.G], words[q.OUT] = (0 if a is None else a.ctypes.data for a in (G, OUT))
        return _unit(f"network/{name}{8 * self.network.dtype.itemsize}")(words.ctypes.data, 0)


class HessianProduct(_Call):
    """Products of the objective's Hessian at ``network.theta`` with vectors, on data that stay the same.

    The objective is that of ``network.value_grad``: sum w_i loss_i / S + alpha / (2 S) ||W||^2, S = sum w_i.

    Parameters
    ----------
    network : Network
        Without batch normalization.
    X, Y, weight
        As for ``network.value_grad``.
    alpha : float

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.network._network import Network
    >>> from numopt.network.curvature import HessianProduct
    >>> network = Network((1, 1), 'tanh', 'squared_error')
    >>> out = np.empty(2)
    >>> f = HessianProduct(network, np.array([[3.0]]), np.array([[2.0]]))(np.array([1.0, 0.0]), out)
    >>> f, out.tolist()
    (2.0, [9.0, 3.0])
    """

    def __init__(self, network, X, Y, weight=None, alpha=0.0):
        super().__init__(network, X, (4, 4, q.BLOCK))
        classes = network.loss_name == "log_loss"
        self.y = np.ascontiguousarray(Y, np.int64 if classes else network.dtype)
        k = network.sizes[-1]
        shape = (X.shape[0],) if classes else (X.shape[0], k)
        if self.y.shape != shape:
            raise ValueError(f"Y must have shape {shape}; got {self.y.shape}")
        if classes and self.y.size and not (self.y.min() >= 0 and self.y.max() < k):
            raise ValueError(f"Y must hold class numbers from 0 to {k - 1}")
        self.weight = None if weight is None else np.ascontiguousarray(weight, network.dtype)
        self.total = float(X.shape[0]) if weight is None else float(self.weight.sum())
        self.shrink = alpha / self.total
        words = self.words
        words[q.Y], words[q.WEIGHT] = self.y.ctypes.data, 0 if weight is None else self.weight.ctypes.data
        self.reals[q.SCALE], self.reals[q.HUBER_DELTA] = 1.0 / self.total, network.huber_delta

    def __call__(self, v, out, grad=None, gauss_newton=False):
        """Sets ``out`` to the Hessian times v, and ``grad`` to the gradient, if given; returns the objective.

        Parameters
        ----------
        v, out, grad : ndarray (n_params,)
            Of the network's dtype, contiguous.
        gauss_newton : bool
            The generalized Gauss-Newton matrix in the place of the Hessian: J'BJ, with J the Jacobian of the outputs
            and B the Hessian of the loss by them.  It is positive semidefinite.
        """
        for name, a in (("v", v), ("out", out), ("grad", grad)):
            if a is not None and not (
                a.dtype == self.network.dtype and a.flags.c_contiguous and a.shape == self.network.theta.shape
            ):
                raise ValueError(f"{name} must be contiguous, {self.network.dtype}, of {self.network.n_params} entries")
        words, decayed, theta = self.words, self.network.decayed, self.network.theta
        words[q.MODE], words[q.V] = q.GAUSS_NEWTON if gauss_newton else q.HESSIAN, v.ctypes.data
        f = self.run("sweep", grad, out) / self.total
        if self.shrink:
            out += self.shrink * decayed * v
            w = theta[decayed]
            f += 0.5 * self.shrink * float(w @ w)
            if grad is not None:
                grad += self.shrink * decayed * theta
        return f

    def matrix(self, gauss_newton=False):
        """The Hessian (n_params, n_params), in float64, a product with a unit vector for each row."""
        n, dtype = self.network.n_params, self.network.dtype
        H, v, out = np.empty((n, n)), np.zeros(n, dtype), np.empty(n, dtype)
        for j in range(n):
            v[j] = 1.0
            self(v, out, gauss_newton=gauss_newton)
            v[j], H[j] = 0.0, out
        return 0.5 * (H + H.T)


class OutputJacobian(_Call):
    """The outputs of a network before any output function, and their derivatives by the parameters.

    Parameters
    ----------
    network : Network
        Without batch normalization.
    X : rows
    scale : ndarray (n,), optional
        Factors of the rows' outputs and derivatives.
    """

    def __init__(self, network, X, scale=None):
        super().__init__(network, X, (2, 2, 1))
        self.scale = None if scale is None else np.ascontiguousarray(scale, network.dtype)
        self.words[q.WEIGHT] = 0 if scale is None else self.scale.ctypes.data

    def __call__(self, J=None):
        """The outputs (n, n_out); sets J (n, n_out, n_params), if given."""
        n, k = self.words.item(q.N), self.network.sizes[-1]
        z = np.empty((n, k), self.network.dtype)
        shape = n, k, self.network.n_params
        if J is not None and not (J.dtype == z.dtype and J.flags.c_contiguous and J.shape == shape):
            raise ValueError(f"J must be contiguous, {z.dtype}, of shape {shape}")
        self.run("jacobian", z, J)
        return z
