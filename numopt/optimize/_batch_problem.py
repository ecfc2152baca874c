"""Batches, read and checked: what the devices are handed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.catalog import LINE_SEARCHES
from numopt.cuda._device import simulated
from numopt.kernels import slots as s
from numopt.kernels.status import Status
from numopt.optimize._batch_input import Each, vectors
from numopt.optimize._minimize import new_state
from numopt.optimize._squares import new_state as squares_state
from numopt.optimize._variables import Variables

_NEVER = 2**62
_EPS_SCIPY, _EPS_SINGLE = 1.4901161193847656e-08, 2.0**-11.5  # absolute difference steps: eps^(1/2)


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
    (count, n, n + 1): the triangle of [J | r] of the variables that are free, at x; ``rows``, those that count.
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

    def variables(self):
        """What varies in a problem: with bounds that all share, at the start of the first."""
        n = self.n
        box = np.full(n, -np.inf), np.full(n, np.inf)
        if self.lower is not None and self.lower.ndim == 1:
            box = self.lower, self.upper
        first = np.clip(np.nan_to_num(self.X0[0]), *box)
        return Variables(first, *box, self.held or None, self.ties, self.names or None)

    def state(self, variables, tolerances):
        """(counters, scalars) of a fresh run."""
        scale = None if self.scale is None else self.scale[variables.free]
        words, reals = squares_state(self.row, variables, tolerances, self.max_nfev, scale, self.options)
        return words[: s.N_COUNTERS].copy(), reals[: s.N_SCALARS].copy()

    def _kept(self, x, Y, lengths):
        """(which rows of a chunk's problems count, the predictors (1 or count, k, m)), without those that have NaN."""
        points = (np.asarray(self.x, float)[None] if x is None else x).reshape(1 if x is None else len(x), -1, self.m)
        kept = ~(np.isnan(Y) | np.isnan(points).any(axis=1))
        if lengths is not None:
            kept &= np.arange(self.m) < lengths[:, None]
        return kept, points

    def rows(self):
        """How many rows of each problem are left of what has NaN."""
        found, own = np.empty(self.count, np.int64), isinstance(self.x, Each)
        for first in range(0, self.count, 1024):
            chunk = slice(first, min(first + 1024, self.count))
            x = vectors(np.asarray(self.x.array).reshape(self.count, -1), chunk) if own else None
            lengths = None if self.lengths is None else self.lengths[chunk]
            found[chunk] = self._kept(x, vectors(self.Y, chunk), lengths)[0].sum(axis=1)
        return found

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
        kept, points = self._kept(x, Y, lengths)
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


@dataclass
class MinimizeProblem:
    """Minimisations of the same form, for a device; made by :func:`minimize_problem`.

    Attributes
    ----------
    row : numopt.catalog.Method
    search : str or None
        The unit of the line search.
    counters, scalars : ndarray
        What a run begins with.
    fun : jitted function
        ``fun(x, *args) -> f``, or with ``inplace`` ``fun(x, g, *args) -> f``, which sets g.
    X0 : ndarray (count, n)
        The starts, within their bounds; of any real dtype, maybe on the device.
    hess, hessp : jitted function or None
        ``hess(x, H, *args)`` sets the Hessian, flat, row by row; ``hessp(x, v, out, *args)`` its product with v.
    inplace : bool
    args : tuple
        What is shared, and ``Each`` for what is not.
    lower, upper : ndarray (1, n) or (count, n), or None
        Bounds, both or none.
    scheme, hess_scheme : int
        2 or 3: points of differences of values (unless ``inplace``), and of gradients.
    steps : ndarray (n,) or None
        Difference steps, relative ones if ``relative``.
    dtype : numpy.dtype
        Of data and of the user's functions: float64 or float32.
    chunk_size : int or None
    max_time : float or None
        Seconds.
    look : callable or None
        ``look(done) -> bool``, after each chunk: whether to stop.
    arrays : dict
        Where the results go, chunk by chunk: the fields of the result, with ``counts`` (count, 4) in the place of
        ``nit``, ``nfev``, ``njev``, ``nhev``.
    """

    row: Any
    search: str | None
    counters: np.ndarray
    scalars: np.ndarray
    fun: Any
    X0: np.ndarray
    hess: Any = None
    hessp: Any = None
    inplace: bool = False
    args: tuple = ()
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    scheme: int = 2
    hess_scheme: int = 3
    steps: np.ndarray | None = None
    relative: bool = False
    dtype: Any = np.float64
    chunk_size: int | None = None
    max_time: float | None = None
    look: Any = None
    arrays: dict = field(default_factory=dict)

    def results(self):
        """The arrays by the names that they have in the result."""
        found = dict(self.arrays)
        counts = found.pop("counts")
        return found | {name: counts[:, k].copy() for k, name in enumerate(("nit", "nfev", "njev", "nhev"))}


_FORMS = "on a device {} must be a function compiled by numba.njit{}; device='cpu' takes other forms"


def _compiled(function):
    """Whether a device can call it; in the simulator all functions are Python's."""
    return kind_of(function) == "jitted" or (simulated() and kind_of(function) == "python")


def minimize_problem(row, values, front, fun, X0, args=(), jac=None, hess=None, hessp=None, lower=None, upper=None,
                     dtype=None, chunk_size=None, max_time=None, look=None):  # fmt: skip
    """What :func:`numopt.cuda._minimize.minimize_on_device` takes, from what ``minimize_batch`` was given.

    Parameters
    ----------
    row, values, front
        The method, its options, options of the front door.
    lower, upper : ndarray (1, n) or (count, n), or None
    others
        As for ``minimize_batch``, validated but for the forms of functions that a device takes.

    Raises
    ------
    TypeError, ValueError
        For functions that a device can't call, in one line.
    """
    count, n = X0.shape
    dtype = np.dtype(np.float64 if dtype is None else dtype)
    if not _compiled(fun):
        raise TypeError(_FORMS.format("fun", ""))
    if jac not in (None, False, "inplace", "2-point", "3-point"):
        given = "a function" if callable(jac) else repr(jac)
        raise ValueError(
            f"on a device, which returns no arrays, jac must be 'inplace', '2-point', '3-point' or None; got {given}"
        )
    hess_scheme = 2 if hess == "2-point" else 3
    hess = None if isinstance(hess, str) or not row.second_order else hess
    hessp = hessp if row.products else None
    for name, function, form in (("hess", hess, "hess(x, H, *args)"), ("hessp", hessp, "hessp(x, v, out, *args)")):
        if function is not None and not _compiled(function):
            raise TypeError(_FORMS.format(name, f", {form}"))
    for name in front:
        if name not in ("line_search", "eps", "finite_diff_rel_step", "max_time"):
            raise ValueError(f"option {name!r} is not to be had on a device; device='cpu' has it")
    if values.get("n_terms") or values.get("l1") or values.get("l2") or front.get("schedule") is not None:
        raise ValueError(
            "on a device n_terms, l1, l2 and schedules of the user's are not to be had; device='cpu' has them"
        )
    c0, p0 = new_state(row, values)
    c0 = c0[: s.N_COUNTERS]
    c0[s.N], c0[s.TICK_IN], c0[s.BOUNDED] = n, _NEVER, lower is not None
    c0[s.DENSE] = row.products and hess is not None
    for slot in (s.MAXITER, s.MAXFEV):
        if c0[slot] < 0:
            c0[slot] = row.iterations(n)
    p0[s.DEADLINE] = np.inf
    name, search = front.get("line_search", row.line_search), None
    if name:
        c0[s.LINE_SEARCH], search = LINE_SEARCHES[name]
    scheme, steps, relative = 3 if jac == "3-point" else 2, None, False
    if jac in (None, False):
        # scipy's absolute step, unless the user has one
        steps, relative = front.get("eps"), False
        if steps is None:
            steps, relative = front.get("finite_diff_rel_step"), True
        if steps is None:
            steps, relative = _EPS_SINGLE if dtype == np.float32 else _EPS_SCIPY, False
    elif front.get("finite_diff_rel_step") is not None:
        steps, relative = front["finite_diff_rel_step"], True
    if steps is not None:
        steps = np.broadcast_to(np.asarray(steps, float), (n,)).copy()
    arrays = {
        "x": np.full((count, n), np.nan), "fun": np.full(count, np.nan), "jac": np.full((count, n), np.nan),
        "optimality": np.full(count, np.nan), "status": np.full(count, int(Status.NOT_RUN)),
        "counts": np.zeros((count, 4), np.int64),
    }  # fmt: skip
    if row.values_only:
        del arrays["jac"]
    return MinimizeProblem(row, search, c0, p0, fun, X0, hess, hessp, jac == "inplace", args, lower, upper, scheme,
                           hess_scheme, steps, relative, dtype, chunk_size, max_time, look, arrays)  # fmt: skip
