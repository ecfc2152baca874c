"""A batch of sums of squares, read and checked: what the devices are handed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


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

    def rows(self):
        """Rows of each problem, (count,)."""
        return np.full(self.count, self.m) if self.lengths is None else self.lengths
