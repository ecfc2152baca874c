"""A multilayer perceptron: its parameters, and what compiled code computes with them."""

import ctypes
import functools
import threading

import numpy as np
import scipy.sparse as sp

from numopt.drivers import units
from numopt.network import _plan, _threads
from numopt.network import words as w
from numopt.network.curvature import HessianProduct, OutputJacobian
from numopt.network.words import ACTIVATIONS, LEAK, LOSSES

__all__ = ["ACTIVATIONS", "HUBER_DELTA", "LEAK", "LOSSES", "Network"]

HUBER_DELTA = 1.0
WORTHWHILE = 400_000  # multiplications of a step: with fewer, threads cost more than they bring


def _address(array):
    return array.__array_interface__["data"][0]


@functools.cache
def _function(name):
    return ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t, ctypes.c_ssize_t)(units.address(name))


class Network:
    """A multilayer perceptron: its parameters in one vector, and what is computed with them.

    A layer maps a to act(W' a + b); with batch normalization a hidden layer maps a to act(gamma z^ + beta), z^ the
    columns of W' a with mean 0 and variance 1 over the batch (over the running statistics, at prediction).

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden units, outputs.
    activations : str or sequence of str
        Of the hidden layers, one for all or one for each.
    loss : str
        ``'log_loss'`` (softmax; Y holds class numbers, int64 (n,)), ``'binary_log_loss'`` (logistic outputs, Y (n, k)
        of 0 and 1), ``'squared_error'`` (half the sum over outputs), ``'huber'``, ``'absolute_error'``, ``'poisson'``
        (outputs exp(z); scikit-learn's half deviance), Y (n, k).
    dtype : float64 or float32
    batch_norm : bool
    sparse : bool
        Whether X is a CSR matrix; else a C-contiguous array.
    huber_delta : float
    bn_momentum, bn_epsilon : float
        running = bn_momentum * running + (1 - bn_momentum) * (mean, unbiased variance of the batch).
    n_threads : int or None
        None: as many as are free. Nothing that is computed depends on it, to the last bit.

    Attributes
    ----------
    theta : ndarray (n_params,)
        All parameters.  Of each layer W, then b (or beta), then gamma where there is one.
    weights : list of ndarray (fan_in, fan_out)
        Views of theta (not contiguous: stored by units, (fan_out, fan_in), but for the first layer with sparse X).
    intercepts : list of ndarray (fan_out,)
        Views of theta: b, or beta where a layer is normalized.
    gammas : list of ndarray (fan_out,)
        Views of theta; of the hidden layers, with batch normalization.
    running_mean, running_var : list of ndarray (fan_out,)
        With batch normalization.
    decayed : ndarray (n_params,) of bool
        Which parameters are weights: the penalties concern these only.
    """

    def __init__(self, sizes, activations, loss, *, dtype=np.float64, batch_norm=False, sparse=False,
                 huber_delta=HUBER_DELTA, bn_momentum=0.9, bn_epsilon=1e-5, n_threads=None):  # fmt: skip
        self.sizes, self.loss_name, self.dtype = tuple(int(k) for k in sizes), loss, np.dtype(dtype)
        depth = len(self.sizes) - 1
        hidden = [activations] * (depth - 1) if isinstance(activations, str) else list(activations)
        self.activations, self.batch_norm, self.sparse, self.huber_delta = hidden, batch_norm, sparse, huber_delta
        self.bn_momentum, self.bn_epsilon, self.n_threads = bn_momentum, bn_epsilon, n_threads
        self._layers = _plan.layers(self.sizes, [ACTIVATIONS.index(name) for name in hidden], batch_norm)
        last = self._layers[-1]
        self.n_params = int(last[w.B_AT] + last[w.FAN_OUT])
        self._theta, self.decayed = np.zeros(self.n_params, self.dtype), np.zeros(self.n_params, bool)
        for mark in self.views(self.decayed)[0]:
            mark[...] = True
        self._running = np.zeros(2 * sum(self.sizes[1:-1]) if batch_norm else 0, self.dtype)
        self._running[len(self._running) // 2 :] = 1
        self._attach()
        for gamma in self.gammas:
            gamma[:] = 1

    def _attach(self):
        """The views, and the table of the compiled code."""
        self.weights, self.intercepts, self.gammas = self.views(self._theta)
        widths = np.cumsum(self.sizes[1:-1])[:-1] if self.batch_norm else []
        half = len(self._running) // 2
        self.running_mean = np.split(self._running[:half], widths) if self.batch_norm else []
        self.running_var = np.split(self._running[half:], widths) if self.batch_norm else []
        self._lock, self._room = threading.Lock(), 0
        _threads.networks.add(self)
        self._words, self._reals = np.zeros(w.N_WORDS, np.intp), np.zeros(w.RATES + len(self._layers))
        self._pieces, self._ranges = _plan.pieces(self._layers, self.sparse), _plan.ranges(self.decayed)
        self._g, self._more = np.empty(self.n_params, self.dtype), np.empty(0, self.dtype)
        self._sync, self._squares = np.full(w.N_SYNC, w.OVER, np.int64), np.zeros(2 * len(self._pieces))
        self._zeros = np.zeros(max(self.sizes[1:]), self.dtype)
        self._scales = np.empty(len(self._running) // 2, self.dtype)
        self._function = _function(f"network/{self.dtype.name}")
        a, r = self._words, self._reals
        a[w.DEPTH], a[w.SIZE], a[w.N_PARAMS] = len(self._layers), self.dtype.itemsize, self.n_params
        a[w.LOSS_NUMBER], a[w.NORMALIZED], a[w.SPARSE] = LOSSES.index(self.loss_name), self.batch_norm, self.sparse
        a[w.N_IN], a[w.N_OUT] = self.sizes[0], self.sizes[-1]
        a[w.WIDEST] = max(self.sizes[1:])
        a[w.N_PIECES], a[w.N_RANGES] = len(self._pieces), len(self._ranges)
        for slot, array in (
            (w.LAYERS, self._layers), (w.PIECES, self._pieces), (w.RANGES, self._ranges), (w.THETA, self._theta),
            (w.ZEROS, self._zeros), (w.PIECE_SUMS, self._squares), (w.RUNNING, self._running),
            (w.STATISTICS, self._scales), (w.SYNC, self._sync), (w.REALS, self._reals),
        ):  # fmt: skip
            a[slot] = _address(array)
        r[w.HUBER_DELTA], r[w.BN_MOMENTUM], r[w.BN_EPSILON] = self.huber_delta, self.bn_momentum, self.bn_epsilon

    def __getstate__(self):
        keep = ("sizes", "loss_name", "dtype", "activations", "batch_norm", "sparse", "huber_delta", "bn_momentum",
                "bn_epsilon", "n_threads", "n_params", "_layers", "_theta", "decayed", "_running")  # fmt: skip
        return {name: self.__dict__[name] for name in keep}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._attach()

    @property
    def theta(self):
        return self._theta

    @theta.setter
    def theta(self, values):
        self._theta[:] = values

    def views(self, theta):
        """(weights, intercepts, gammas) within a vector like ``theta``."""
        weights, intercepts, gammas, at = [], [], [], 0
        for i, (a, b) in enumerate(zip(self.sizes[:-1], self.sizes[1:], strict=True)):
            block = theta[at : at + a * b]
            weights.append(block.reshape(a, b) if self.sparse and i == 0 else block.reshape(b, a).T)
            at += a * b
            intercepts.append(theta[at : at + b])
            at += b
            if self.batch_norm and i < len(self.sizes) - 2:
                gammas.append(theta[at : at + b])
                at += b
        return weights, intercepts, gammas

    def _data(self, X, Y, weight):
        """Puts the addresses of the data into the table; the arrays that must live as long as the call."""
        a, n = self._words, X.shape[0]
        if X.shape[1] != self.sizes[0] or sp.issparse(X) != self.sparse:
            kind = "CSR matrix" if self.sparse else "array"
            raise ValueError(f"X must be a {kind} of {self.sizes[0]} columns, not {type(X).__name__} {X.shape}")
        a[w.N] = a[w.N_ORDER] = n
        kept = []
        if self.sparse:
            X = X.tocsr()
            data = np.ascontiguousarray(X.data, self.dtype)
            indices, starts = X.indices, X.indptr
            if indices.dtype != starts.dtype or indices.dtype not in (np.int32, np.int64):
                indices, starts = indices.astype(np.int64), starts.astype(np.int64)
            a[w.X], a[w.INDICES], a[w.STARTS] = _address(data), _address(indices), _address(starts)
            a[w.WIDE] = indices.dtype == np.int64
            kept += [data, indices, starts]
        else:
            X = np.ascontiguousarray(X, self.dtype)
            a[w.X] = _address(X)
            kept.append(X)
        if Y is not None:
            classes = self.loss_name == "log_loss"
            Y = np.ascontiguousarray(Y, np.int64 if classes else self.dtype)
            if Y.size != (n if classes else n * self.sizes[-1]):
                raise ValueError(f"Y has shape {Y.shape}, which does not go with {n} rows")
            a[w.Y] = _address(Y)
            kept.append(Y)
        a[w.WEIGHT] = a[w.ORDER] = 0
        if weight is not None:
            weight = np.ascontiguousarray(weight, self.dtype)
            if weight.shape != (n,):
                raise ValueError(f"weight has shape {weight.shape}, not ({n},)")
            a[w.WEIGHT] = _address(weight)
            kept.append(weight)
        return kept

    def _reserve(self, rows, chunks):
        """Buffers for ``rows`` rows at a time, and for sums over several chunks."""
        a = self._words
        if rows > self._room:
            size, a[w.TEMPORARY_AT] = _plan.place(self._layers, rows, self.batch_norm)
            self._buffer, self._room = np.empty(size, self.dtype), rows
            self._offsets, self._rows = np.empty(rows, np.intp), np.empty(rows, np.intp)
            self._losses = np.zeros(rows // w.BLOCK + 1)
        if chunks and not len(self._more):
            self._more = np.empty(self.n_params, self.dtype)
        a[w.ROOM], a[w.G_MORE] = rows, _address(self._more)
        a[w.BUFFER], a[w.OFFSETS], a[w.ROWS] = _address(self._buffer), _address(self._offsets), _address(self._rows)
        a[w.BLOCK_LOSSES] = _address(self._losses)

    def _call(self, mode, kept, batch, first=0, last=1, g=None):
        a, rows = self._words, min(batch, int(self._words[w.N_ORDER]))
        room = rows if self.batch_norm and mode < w.LOSS else min(rows, w.CHUNK)
        self._reserve(max(room, 1), rows > room)
        a[w.MODE], a[w.BATCH], a[w.FIRST], a[w.LAST] = mode, batch, first, last
        a[w.G] = _address(self._g if g is None else g)
        self._sync[w.WORK] = 0  # helpers wait from here on
        threads = 1
        if self.n_threads != 1 and room * self.n_params > WORTHWHILE:
            threads = _threads.usual() if self.n_threads is None else min(self.n_threads, 2 * _threads.cores())
        _threads.call(self._function, _address(a), (self, kept), threads)

    def predict(self, X, out=None):
        """The outputs for X, (n, n_out): probabilities, means.  ``X``: rows, of any number."""
        n = X.shape[0]
        if out is None or out.dtype != self.dtype or not out.flags.c_contiguous:
            result = np.empty((n, self.sizes[-1]), self.dtype)
        else:
            result = out
        with self._lock:
            kept = self._data(X, None, None)
            self._words[w.OUT] = _address(result)
            if n:
                self._call(w.PREDICT, [kept, result], n)
        if out is not None and out is not result:
            out[...] = result
        return result

    def loss(self, X, Y, weight=None):
        """The mean loss as predictions have it (running statistics, no dropout, no penalty)."""
        with self._lock:
            kept = self._data(X, Y, weight)
            self._reals[w.TOTAL] = X.shape[0] if weight is None else float(np.sum(weight, dtype=float))
            self._call(w.LOSS, kept, X.shape[0])
            return float(self._reals[w.LOSS_SUM])

    def value_grad(self, X, Y, weight=None, alpha=0.0, alpha_l1=0.0, grad=None):
        """Mean loss at ``theta`` with penalties; ``grad`` (n_params,) is set to its gradient, if given.

        The objective is sum w_i loss_i / S + (alpha / 2 ||W||^2 + alpha_l1 ||W||_1) / S, S = sum w_i (n without).
        Batch normalization takes the statistics of these rows.
        """
        with self._lock:
            kept, r = self._data(X, Y, weight), self._reals
            r[w.TOTAL] = X.shape[0] if weight is None else float(np.sum(weight, dtype=float))
            r[w.ALPHA], r[w.ALPHA_L1] = alpha, alpha_l1
            g = grad
            if g is not None and (g.dtype != self.dtype or not g.flags.c_contiguous):
                g = np.empty(self.n_params, self.dtype)
            self._call(w.VALUE if g is None else w.GRADIENT, [kept, g], X.shape[0], g=g)
            if g is not grad:
                grad[:] = g
            return float(r[w.LOSS_SUM])

    def hessp(self, X, Y, v, out, weight=None, alpha=0.0):
        """Sets ``out`` to the Hessian of the objective at ``theta`` times v (without batch normalization)."""
        HessianProduct(self, X, Y, weight, alpha)(v, out)

    def residual_jacobian(self, X, J=None):
        """The outputs z (n, n_out) before any output function, and in J (n, n_out, n_params), if given, their
        derivatives by the parameters (without batch normalization)."""
        return OutputJacobian(self, X)(J)

    def train(self, X, Y, weight, order, first, last, batch_size, trainer, alpha=0.0, alpha_l1=0.0, dropout=None,
              seed=0):  # fmt: skip
        """Updates of ``theta`` by minibatches, number ``first`` to ``last`` of those of an epoch.

        Batch b holds the rows ``order[b * batch_size : (b + 1) * batch_size]`` (the last of an epoch may be
        shorter).  ``dropout``: probability for each hidden layer that a unit is dropped in a row (inverted dropout:
        the others are divided by 1 - p), drawn from ``seed``, the update's number and the row's place in the batch.

        Returns
        -------
        loss_sum : float
            Sum over the batches of (objective of the batch, before the update, times its rows).
        square_sum : float
            Sum over the batches of the gradient's squared norm (before clipping).
        done : int
            Batches done: fewer than asked for if a batch's objective or gradient is not finite; its update is not made.
        """
        with self._lock:
            kept, a, r = self._data(X, Y, weight), self._words, self._reals
            order = np.ascontiguousarray(order, np.intp)
            a[w.N_ORDER], a[w.ORDER] = order.size, _address(order)
            a[w.RULE], a[w.N_STATE] = trainer.rule, trainer.s.size
            a[w.H], a[w.S], a[w.SEED] = _address(trainer.h), _address(trainer.s), seed
            a[w.AVERAGE], a[w.AVERAGE_START] = trainer.average, trainer.average_start
            if trainer.mean is not None:
                a[w.MEAN] = _address(trainer.mean)
            a[w.DROPOUT] = dropout is not None
            if dropout is not None:
                r[w.RATES : w.RATES + len(self._layers) - 1] = dropout
            r[w.ALPHA], r[w.ALPHA_L1] = alpha, alpha_l1
            r[w.CLIP_VALUE], r[w.CLIP_NORM], r[w.AVERAGE_DECAY] = (
                trainer.clip_value, trainer.clip_norm, trainer.average_decay
            )  # fmt: skip
            self._call(w.TRAIN, (kept, order, trainer), batch_size, first, last)
            return float(r[w.LOSS_SUM]), float(r[w.SQUARE_SUM]), int(a[w.DONE])
