"""A batch of sums of squares, read and checked: what the devices are handed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numopt.optimize._batch_input import Each, vectors


@dataclass
class SquaresProblem:
    """Sums of squares of the same form, each to be minimised on its own; arrays of problems are not copied here.

    Attributes
    ----------
    kind : {'model', 'residuals', 'inplace'}
        ``fun(x, *params)`` of data, ``fun(x, *args) -> r``, or ``fun(x, r, *args)``, which sets r.
    fun : callable
        As the user gave it: jitted, where it is for a device.
    jac : callable or {'2-point', '3-point', 'cs'}
        Of models ``jac(x, *params) -> (m, n)``, of residuals ``jac(x, *args)``, in place ``jac(x, J, *args)``.
    row : numopt.catalog.Method
        One of ``SQUARES``.
    X0 : ndarray (count, n)
        The starts, float64, within their bounds; NaN where a problem has none, which is its status then.
    args : tuple
        Of residuals: what is shared, and ``Each`` for what is not.
    x : ndarray or Each or None
        Of models: the predictors, (m,) or (k, m), or of each problem.
    Y : ndarray (count, m) or None
        Of models: the data, as the user gave them (any real dtype, strides, memmap).
    sigma : ndarray (m,) or (count, m) or None
        Standard deviations, positive.
    omit : bool
        Whether rows with NaN in x or Y are left out; see :meth:`data`.
    m : int
        Rows of the longest problem.
    lengths : ndarray (count,) of int64 or None
        Rows of each; None: all have m.
    lower, upper : ndarray (n,) or (count, n), or None
        Bounds, both or none; equal ones fix a variable.
    held : list of int
        Variables that keep the value that X0 has for them.
    ties : dict or None
        index -> (offset, {index: factor}), as ``numopt.optimize._variables.read_ties`` returns.
    loss : str
        One of ``squares_slots.LOSSES``, or ``'poisson'``.
    f_scale : float
    steps : ndarray (n,) or None
        Relative difference steps.
    scale : ndarray (n,) or None
        Sizes of the variables; None: from the columns of the Jacobian.
    tolerances : (float, float, float)
        ``ftol``, ``xtol``, ``gtol``; 0: not tested.
    max_nfev : int
    options : dict
        ``maxiter``, ``factor``, ``geodesic``, ``accel_max``, where given.
    scaled : bool
        Whether covariances are multiplied by the sum of squares over its degrees of freedom.
    covariance : bool
        Whether they are asked for.
    dtype : numpy.dtype or None
        Of data and results; None: float64.
    n_threads, chunk_size : int or None
    max_time : float
        Seconds, inf for no limit.
    progress : bool
    names : tuple of str
        Of the parameters.

    Notes
    -----
    A device returns a dict of arrays, one row a problem, with variables in the places of the user's: ``x`` (count, n),
    ``fun`` (the cost), ``grad`` (count, n; zero for fixed variables), ``optimality``, ``status`` (numbers of
    :class:`numopt.Status`, as the solver sets them), ``nit``, ``nfev``, ``njev``, and with ``covariance`` ``triangle``
    (count, n, n + 1): the triangle of [J | r] of the variables that are free, at x.
    """

    kind: str
    fun: Any
    jac: Any
    row: Any
    X0: np.ndarray
    args: tuple = ()
    x: Any = None
    Y: np.ndarray | None = None
    sigma: np.ndarray | None = None
    omit: bool = False
    m: int = 0
    lengths: np.ndarray | None = None
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    held: list = field(default_factory=list)
    ties: dict | None = None
    loss: str = "linear"
    f_scale: float = 1.0
    steps: np.ndarray | None = None
    scale: np.ndarray | None = None
    tolerances: tuple = (1e-8, 1e-8, 1e-8)
    max_nfev: int = 0
    options: dict = field(default_factory=dict)
    scaled: bool = True
    covariance: bool = True
    dtype: Any = None
    n_threads: int | None = None
    chunk_size: int | None = None
    max_time: float = np.inf
    progress: bool = False
    names: tuple = ()

    @property
    def count(self):
        """Problems."""
        return len(self.X0)

    @property
    def n(self):
        """Variables of the user's."""
        return self.X0.shape[1]

    def data(self, chunk):
        """(x, Y, sigma, lengths) of a chunk's models, as rows of doubles: views of what was given, where that can be.

        ``x`` is (count, k m), None where all share it and have the same rows; ``sigma`` and ``lengths`` None where
        there are none or all share them.  What is left out for NaN is not among the first ``lengths`` of a row; a
        problem of which nothing is left has one row, of NaN.
        """
        Y = vectors(self.Y, chunk)
        own = isinstance(self.x, Each)
        x = vectors(np.asarray(self.x.array).reshape(self.count, -1), chunk) if own else None
        sigma = None if self.sigma is None or self.sigma.ndim == 1 else vectors(self.sigma, chunk)
        lengths = None if self.lengths is None else np.ascontiguousarray(self.lengths[chunk])
        if not self.omit:
            return x, Y, sigma, lengths
        m = self.m
        points = (np.asarray(self.x, float) if x is None else x).reshape(len(x) if own else 1, -1, m)
        kept = ~(np.isnan(Y) | np.isnan(points).any(axis=1))
        if lengths is not None:
            kept &= np.arange(m) < lengths[:, None]
        if kept.all():
            return x, Y, sigma, lengths
        order = np.argsort(~kept, axis=1, kind="stable")
        count = kept.sum(axis=1)
        Y = np.take_along_axis(Y, order, axis=1)
        Y[count == 0, 0] = np.nan
        x = np.take_along_axis(np.broadcast_to(points, (len(Y), *points.shape[1:])), order[:, None], axis=2)
        if self.sigma is not None:
            sigma = np.take_along_axis(np.broadcast_to(self.sigma if sigma is None else sigma, Y.shape), order, axis=1)
        return x.reshape(len(Y), -1), Y, sigma, np.maximum(count, 1)
