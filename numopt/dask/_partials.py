"""What is done with one partition of the rows, on a worker or a thread, and how several results become one.

One thread of BLAS each: the bits of a result must not depend on the machine that happened to make it.
"""

import functools
import operator
import threading

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack
from threadpoolctl import ThreadpoolController

from numopt.optimize._glm import objective

BLOCK = 1 << 17  # numbers that are factored at a time: 1 MiB
FAN = 8  # results that become one at a time


class Together:
    """A context for many threads at once: the first one makes what holds for all of the process, the last ends it."""

    def __init__(self, make):
        self.make, self.lock, self.inside, self.context = make, threading.Lock(), 0, None

    def __enter__(self):
        with self.lock:
            if self.inside == 0:
                self.context = self.make()
                self.context.__enter__()
            self.inside += 1

    def __exit__(self, *error):
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.context.__exit__(*error)


_controller = functools.cache(ThreadpoolController)  # looking for the libraries takes milliseconds
one_thread = Together(lambda: _controller().limit(limits=1, user_api="blas"))


def aligned(value):
    """An array as it is, or copied where it came over the network to an odd address.

    NumPy sums such ones by other loops, with other bits, and compiled functions would be compiled for them again.
    """
    return value.copy() if isinstance(value, np.ndarray) and not value.flags.aligned else value


def apply(partial, args, *blocks):
    """``partial(args, *blocks)``."""
    with one_thread:
        return partial(args, *map(aligned, blocks))


def add(parts):
    """The sums of tuples of numbers and arrays, place by place, in their order; None stays."""
    return tuple(None if same[0] is None else functools.reduce(operator.add, same) for same in zip(*parts, strict=True))


def fold(results, combine):
    """One result of many: each FAN neighbours become one, then each FAN of those, and so on.

    So the order of the sums depends on the number of the results alone, and few of them are kept.
    """
    levels: list = [[]]
    for result in results:
        levels[0].append(result)
        k = 0
        while len(levels[k]) == FAN:
            whole, levels[k] = combine(levels[k]), []
            k += 1
            if k == len(levels):
                levels.append([])
            levels[k].append(whole)
    left: list = []
    for level in levels:
        level += left
        left = [combine(level)] if len(level) > 1 else level
    return left[0]


def read_block(X, y, weights=None):
    """(X float64 or float32 and contiguous, or CSR; y; weights or None), without the rows of weight zero."""
    X = X.tocsr() if sp.issparse(X) else np.asarray(X)
    if X.dtype not in (np.float64, np.float32):
        X = X.astype(float)
    y = np.asarray(y)
    if len(y) != X.shape[0]:
        raise ValueError(f"X and y must have as many rows in each partition: got {X.shape[0]} and {len(y)}")
    if weights is not None:
        weights = read_weights(weights)
        if not weights.all():
            keep = weights > 0
            X, y, weights = X[keep], y[keep], weights[keep]
    if not sp.issparse(X) and not X.flags.forc:
        X = np.ascontiguousarray(X)
    return X, y, weights


def read_weights(weights):
    """float64; ValueError for one that is negative or not finite."""
    weights = np.asarray(weights, float)
    if not np.isfinite(weights).all() or weights.min(initial=0.0) < 0:
        raise ValueError("sample_weight must hold finite numbers, none negative")
    return weights


def centre(args, X, y, weights=None):
    """About the means of X and, if it holds numbers, y, from one partition; of a column of one number exactly that."""
    (numbers,) = args
    X, y, _ = read_block(X, y)
    if not len(y):
        return np.zeros(X.shape[1]), np.zeros(y.shape[1:])
    X = X.toarray() if sp.issparse(X) else X
    mean = np.where((X == X[0]).all(axis=0), X[0], X.mean(axis=0, dtype=float))
    return mean, np.asarray(y.mean(axis=0, dtype=float)) if numbers else None


def spread(args, X, y, weights=None):
    """Sums of the columns of X about m, of their squares, and of the weights."""
    (m,) = args
    X, y, weights = read_block(X, y, weights)
    step, first, second = max(1, BLOCK // X.shape[1]), np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for lo in range(0, len(y), step):
        part = X[lo : lo + step]
        part = (part.toarray() if sp.issparse(part) else part) - m
        s = np.ones(len(part)) if weights is None else weights[lo : lo + step]
        first += s @ part
        second += s @ (part * part)
    return first, second, float(len(y) if weights is None else weights.sum())


def triangle(args, X, y, weights=None):
    """R of S^(1/2) [1, X - 1 m', Y - 1 q'] = Q R, without the ones where there is no intercept; with rows of zeros."""
    m, q, intercept = args
    X, y, weights = read_block(X, y, weights)
    Y = y[:, None] if y.ndim == 1 else y
    p, columns = X.shape[1], intercept + X.shape[1] + Y.shape[1]
    R = np.zeros((0, columns))
    step = max(2 * columns, BLOCK // columns)
    for lo in range(0, len(Y), step):
        part = X[lo : lo + step].toarray() if sp.issparse(X) else X[lo : lo + step]
        A = np.empty((len(R) + len(part), columns), order="F")
        A[: len(R)], own = R, A[len(R) :]
        own[:, :intercept] = 1.0
        np.subtract(part, m, out=own[:, intercept : intercept + p])
        np.subtract(Y[lo : lo + step], q, out=own[:, intercept + p :])
        if weights is not None:
            own *= np.sqrt(weights[lo : lo + step])[:, None]
        R = _factor(A)
    return R


def merge(triangles):
    """The triangle of triangles."""
    with one_thread:
        return _factor(np.asfortranarray(np.concatenate(triangles)))


def _factor(A):
    if not A.size:
        return A
    Q, _, _, _ = lapack.dgeqrf(A, lwork=64 * A.shape[1], overwrite_a=1)
    return np.triu(Q[: min(Q.shape)])


def labels(args, y, weights=None):
    """(classes, the sum of the weights of each)."""
    y = np.asarray(y)
    weights = np.ones(len(y)) if weights is None else read_weights(weights)
    classes, codes = np.unique(y[weights > 0], return_inverse=True)
    return classes, np.bincount(codes, weights[weights > 0], minlength=len(classes))


def merge_labels(parts):
    """The same of several partitions."""
    classes, codes = np.unique(np.concatenate([found for found, _ in parts]), return_inverse=True)
    return classes, np.bincount(codes, np.concatenate([sums for _, sums in parts]), minlength=len(classes))


def counts(args, y, weights=None):
    """(sum of the weights, sum of s_i y_i, sum of those y_i that are negative)."""
    y = np.asarray(y, float)
    weights = np.ones(len(y)) if weights is None else read_weights(weights)
    return float(weights.sum()), float(weights @ y), float(np.minimum(y, 0.0).sum())


def losses(args, X, y, weights=None):
    """(f, gradient, Hessian or None) times the sum of the weights, and that sum, of a generalised linear model."""
    W, loss, classes, shares, intercept, hessian = args
    X, y, weights = read_block(X, y, weights)
    if classes is not None:
        y = np.searchsorted(classes, y)
        if shares is not None:
            weights = shares[y] if weights is None else weights * shares[y]
            if not weights.all():
                X, y, weights = read_block(X, y, weights)
    if not len(y):
        m = W.size
        return 0.0, np.zeros(W.shape), np.zeros((m, m)) if hessian else None, 0.0
    f = objective(X, y, weights, loss, W.shape[1], 0.0, intercept)
    value, G, H = f.evaluate(W, hessian)
    total = float(len(y)) if weights is None else float(weights.sum())
    return total * value, total * G, None if H is None else total * H, total


def users(args, *blocks):
    """What the user's function gives back for one partition, looked at."""
    fun, x, hessian = args
    found = fun(x.copy(), *blocks)
    if hessian:
        H = np.asarray(found, float)
        if H.shape != (x.size, x.size):
            raise ValueError(f"hess must return a matrix of shape {(x.size, x.size)}; got shape {H.shape}")
        return (H,)
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError(f"fun must return the pair (value, gradient); got {type(found).__name__}")
    f, g = np.asarray(found[0], float), np.asarray(found[1], float)
    if f.size != 1 or g.shape != x.shape:
        raise ValueError(f"fun must return a number and a gradient of shape {x.shape}; got {f.shape} and {g.shape}")
    return f.item(), g
