"""``multistart``: local runs from many starts, and the minima that they end in."""

import numbers
import time
import warnings
from contextlib import closing
from copy import copy
from itertools import repeat

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.threads import cores
from numopt.kernels.status import Status
from numopt.optimize._batch import MinimizeBatch, read_device
from numopt.optimize._batch_run import Clock, one_kind, read_threads
from numopt.optimize._bounds import read_bounds
from numopt.optimize._display import Steps
from numopt.optimize._minimize import minimize
from numopt.optimize._options import check_callables
from numopt.optimize._runs import COUNTS, SHOWN, hand_over, in_threads, read_count, read_limit, until
from numopt.optimize._samples import generator, unit_cube
from numopt.optimize._warn import OptimizeWarning, warn
from numopt.optimize._watch import takes_result

_STARTS = 32
_SAMPLERS = ("sobol", "lhs", "random")


def multistart(fun, bounds, n_starts=None, args=(), method=None, jac=None, sampler="sobol", options=None,
               random_state=None, n_threads=None, *, hess=None, hessp=None, tol=None, callback=None, max_time=None,
               progress=False, distinct_xtol=1e-3, distinct_ftol=1e-6, device="cpu"):  # fmt: skip
    """Minimize a function from many starts, and list the distinct minima found.

    Parameters
    ----------
    fun : callable
        As for :func:`minimize`.
    bounds : sequence of (lower, upper) pairs, or object with ``lb`` and ``ub``
        The box that the starts are spread over and the runs keep to.  Finite, unless the starts are given; then None
        will do as well.
    n_starts : int, optional
        Default: 32, or as many as are given.
    args, method, jac, hess, hessp, tol, options : optional
        As for :func:`minimize`, for each run.
    sampler : {'sobol', 'lhs', 'random'} or array_like, shape (n_starts, n)
        Scrambled Sobol points, a Latin hypercube, independent uniform points; or the starts themselves.
    random_state : int, Generator, RandomState or None
        For the starts.  With the same one two calls do the same to the last bit, whatever ``n_threads`` is.
    n_threads : int, optional
        Threads that share the starts.  Default: 1 for Python functions, which Python runs one at a time; else as many
        as there are cores.
    callback : callable, optional
        ``callback(x)`` or ``callback(intermediate_result)``, by the name of the parameter, with the answer of each
        run, in the order of the starts.  ``StopIteration`` ends the search with status 99.
    max_time : float, optional
        Seconds for all runs together.
    progress : bool
        Whether to show a progress bar over the starts.
    distinct_xtol, distinct_ftol : float
        Two answers are one minimum where no variable differs by more than ``distinct_xtol`` times the width of the
        box (with infinite bounds: times max(1, max abs(start))), and the values by no more than
        ``distinct_ftol * max(1, abs(f))``.
    device : {'cpu', 'cuda', 'auto'}
        As for :func:`minimize_batch`, by which the runs of compiled functions are done unless there is a callback.

    Returns
    -------
    OptimizeResult
        The best run's, where ``nit``, ``nfev``, ``njev`` and ``nhev`` are totals, with the additional fields

        - ``minima``: a structured array, one row for each distinct minimum, the lowest first: ``x`` (n,), ``fun``,
          ``count`` (how many runs ended there) and ``run`` (the best of them);
        - ``runs``: one row for each run, in the order of the starts: ``x0`` (n,), ``x`` (n,), ``fun``, ``success``,
          ``status``, ``nit``, ``nfev``, ``minimum`` (its row in ``minima``, or -1 where the run has failed);
        - ``n_failed``: how many runs were no success.  They count for no minimum.

        A run that has failed is the best one only where its value is lower than all others by more than
        ``distinct_ftol`` says.

    Raises
    ------
    TypeError, ValueError
        For an argument that can't be used.
    KeyboardInterrupt
        On Ctrl-C; it and the exceptions of the callables have the result of the runs before as their attribute
        ``result``.

    See Also
    --------
    continuation : one path through blurred objectives.

    Examples
    --------
    >>> import numopt
    >>> def himmelblau(x):
    ...     return (x[0]**2 + x[1] - 11)**2 + (x[0] + x[1]**2 - 7)**2
    >>> result = numopt.multistart(himmelblau, [(-5, 5), (-5, 5)], n_starts=32, random_state=0)
    >>> len(result.minima), int(result.minima['count'].sum()) + result.n_failed
    (4, 32)
    """
    check_callables(fun, jac, hess, hessp, callback)
    limit, many = read_limit(max_time), n_threads
    if many is not None:
        many = read_count("n_threads", n_threads, 1)
    for name, value in (("distinct_xtol", distinct_xtol), ("distinct_ftol", distinct_ftol)):
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not value >= 0.0:
            raise ValueError(f"{name} must be a number, at least 0; got {value!r:.60}")
    starts, scale = _starts(bounds, n_starts, sampler, random_state)
    where, table = read_device(device), _Table(starts, scale, distinct_xtol, distinct_ftol)
    if _as_batch(where, callback, options, (fun, jac, hess, hessp)):
        batch = MinimizeBatch(fun, starts, args, method, jac, hess, hessp, bounds, tol, options, where)
        return _by_batch(batch, table, many, max_time, progress, where)
    deadline, whole = time.monotonic() + limit, callback is not None and takes_result(callback)

    def run(k):
        return minimize(
            fun, starts[k].copy(), args, method, jac, hess, hessp, bounds, tol=tol, options=until(deadline, options)
        )

    results = _results(run, len(starts), many or (1 if kind_of(fun) == "python" else cores()), deadline)
    with closing(results), warnings.catch_warnings(), Steps("Multistart", len(starts), progress) as steps:
        try:
            for result in results:
                # the first run says what there is to say of the arguments
                warnings.simplefilter("ignore", OptimizeWarning)
                table.add(result)
                steps.update(table.best.fun, table.totals["nfev"])
                if callback is not None and _stopped(callback, whole, result):
                    return table.result(Status.CALLBACK)
            return table.result(None if len(table.rows) == len(starts) else Status.MAX_TIME)
        except BaseException as error:
            if table.rows:
                failed = Status.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Status.FAILED
                hand_over(error, table.result(failed))
            raise


def _as_batch(where, callback, options, functions):
    """Whether the runs are those of a batch, which shows nothing of a single one."""
    shown = isinstance(options, dict) and any(options.get(name) for name in SHOWN)
    alone = callback is not None or shown or (isinstance(options, dict) and "max_time" in options)
    if where == "cuda" and alone:
        raise ValueError("on a device there are no callback and no options disp, history, return_all and max_time")
    return where == "cuda" or (not alone and one_kind(functions) is not None)


def _by_batch(batch, table, many, max_time, progress, where):
    """The whole result by a batch."""
    clock, raised, run = Clock(max_time), None, None
    try:
        if where == "cuda":
            found = batch.on_device(None, max_time, progress)
        else:
            threads = read_threads(many, batch.count, batch.functions)
            found, failures = batch.run(threads, None, clock, progress, "Multistart")
            if failures.count:
                raised, found = failures.first, found[: failures.problem]
            run = batch.again
    except KeyboardInterrupt as error:
        raised, found = error, error.result
    table.take(found, run if raised is None else None)
    if raised is not None:
        if table.rows:
            failed = Status.INTERRUPTED if isinstance(raised, KeyboardInterrupt) else Status.FAILED
            hand_over(raised, table.result(failed))
        raise raised
    return table.result(None if len(table.rows) == batch.count else Status.MAX_TIME)


def _results(run, count, threads, deadline):
    """The results of the runs 0, 1, 2, ..., in order, up to the deadline."""
    for k in range(count if threads == 1 else 1):  # the first one compiles what is not compiled
        if k > 0 and time.monotonic() >= deadline:
            return
        yield run(k)
    if threads > 1:
        yield from in_threads(run, range(1, count), threads, deadline)


class _Table:
    """The runs so far."""

    def __init__(self, starts, scale, xtol, ftol):
        self.starts, self.scale, self.xtol, self.ftol = starts, scale, xtol, ftol
        self.rows, self.best, self.best_success = [], None, None
        self.totals = dict.fromkeys(COUNTS, 0)

    def add(self, result):
        """One more run, the next in order."""
        for name in COUNTS:
            self.totals[name] += result[name]
        start = self.starts[len(self.rows)]
        self.rows.append((
            start, result.x, result.fun, result.success, result.status, result.nit, result.nfev, -1
        ))  # fmt: skip
        if self.best is None or result.fun < self.best.fun or self.best.fun != self.best.fun:
            self.best = result
        if result.success and (self.best_success is None or result.fun < self.best_success.fun):
            self.best_success = result

    def take(self, found, run):
        """The runs of a batch; ``run(k)`` does the best one again, for all that a single result has."""
        ended = np.flatnonzero((found.status != Status.NOT_RUN) & (found.status != Status.INTERRUPTED))
        known = [getattr(found, name)[ended] for name in ("x", "fun", "success", "status", "nit", "nfev")]
        self.rows = list(zip(self.starts[ended], *known, repeat(-1)))
        for name in COUNTS:
            self.totals[name] = int(getattr(found, name)[ended].sum())
        if not self.rows:
            return
        # the first of the lowest; NaN only where there is nothing else
        f, ready = known[1], np.flatnonzero(known[2])
        k = ended[np.argmin(np.where(np.isnan(f), np.inf, f))]
        self.best = found[k]
        if ready.size:
            lowest = ended[ready[np.argmin(f[ready])]]
            self.best_success = self.best if lowest == k else found[lowest]
        if run is not None:
            best = self._leader()
            whole = run(int(k if best is self.best else lowest))
            if whole.status == best.status:
                self.best = self.best_success = whole

    def _leader(self):
        """The best run; one that has failed only where it is lower than the others can be taken to be."""
        best, ready = self.best, self.best_success
        if ready is not None and not best.fun < ready.fun - self.ftol * max(1.0, abs(ready.fun)):
            best = ready
        return best

    def result(self, status):
        """The whole result; ``status`` where the search has not come to its end."""
        n = self.starts.shape[1]
        x, f, whole = ("x", float, (n,)), ("fun", float), ("nit", int)
        runs = np.array(self.rows, dtype=[("x0", float, (n,)), x, f, ("success", bool), ("status", int), whole,
                                          ("nfev", int), ("minimum", int)])  # fmt: skip
        leaders = self._sort(runs)
        minima = np.empty(len(leaders), dtype=[x, f, ("count", int), ("run", int)])
        minima["x"], minima["fun"], minima["run"] = runs["x"][leaders], runs["fun"][leaders], leaders
        minima["count"] = np.bincount(runs["minimum"][runs["success"]], minlength=len(leaders))
        result = copy(self._leader())
        result.update(self.totals, minima=minima, runs=runs, n_failed=int((~runs["success"]).sum()))
        if status is not None:
            result.update(success=status.success, status=status)
            result["message"] = f"{status.message} {len(runs)} of {len(self.starts)} starts were run."
        return result

    def _sort(self, runs):
        """Sets each run's minimum; returns the best run of each of them, the lowest first."""
        leaders: list = []
        for k in np.argsort(runs["fun"], kind="stable"):
            if not runs["success"][k]:
                continue
            x, f = runs["x"][k], runs["fun"][k]
            near = np.abs(runs["x"][leaders] - x) <= self.xtol * self.scale
            level = f - runs["fun"][leaders] <= self.ftol * np.maximum(1.0, np.abs(runs["fun"][leaders]))
            same = np.flatnonzero(near.all(axis=1) & level)
            if not same.size:
                leaders.append(k)
            runs["minimum"][k] = same[0] if same.size else len(leaders) - 1
        return np.array(leaders, dtype=int)


def _stopped(callback, whole, result):
    """Call the user's function; whether it wants no more."""
    try:
        if whole:
            callback(intermediate_result=copy(result))
        else:
            callback(result.x.copy())
    except StopIteration:
        return True
    return False


def _starts(bounds, n_starts, sampler, random_state):
    """(starts, one a row, scale of each variable)."""
    count = None if n_starts is None else read_count("n_starts", n_starts, 1)
    given = None
    if not isinstance(sampler, str):
        try:
            given = np.asarray(sampler)
        except ValueError:
            given = np.empty(0)
        if given.dtype.kind not in "fiu" or given.ndim != 2 or given.size == 0 or not np.isfinite(given).all():
            raise ValueError(
                f"sampler must be one of {', '.join(map(repr, _SAMPLERS))}, or finite starts, one a row; got "
                f"{type(sampler).__name__}" + (f" of shape {given.shape}" if given.size else "")
            )
        if count not in (None, len(given)):
            raise ValueError(f"n_starts={count}, but sampler holds {len(given)} starts; leave n_starts out")
        given = given.astype(float)
    elif sampler not in _SAMPLERS:
        raise ValueError(
            f"sampler must be one of {', '.join(map(repr, _SAMPLERS))}, or starts, one a row; got {sampler!r}"
        )
    rng = generator(random_state)
    if bounds is None:
        if given is None:
            raise ValueError("bounds must be finite for starts to be spread over; got None")
        return given, np.maximum(1.0, np.abs(given).max(axis=0))
    n = _length(bounds)
    if given is not None and given.shape[1] != n:
        raise ValueError(f"sampler holds starts of {given.shape[1]} variables; bounds are those of {n}")
    lower, upper = read_bounds(bounds, n)
    width = upper - lower
    if given is None:
        if not np.isfinite(width).all():
            j = int(np.flatnonzero(~np.isfinite(width))[0])
            raise ValueError(
                f"bounds must be finite for starts to be spread over; those of x[{j}] are "
                f"({lower[j]:g}, {upper[j]:g}); "
                "give finite ones, or the starts themselves as sampler"
            )
        u = unit_cube(sampler, _STARTS if count is None else count, n, rng)
        return np.clip(lower + width * u, lower, upper), np.where(width > 0.0, width, 1.0)
    outside = np.flatnonzero(((given < lower) | (given > upper)).any(axis=1))
    if outside.size:
        warn(
            f"{outside.size} of {len(given)} starts are outside of the bounds, sampler[{outside[0]}] the first; "
            "moved onto them"
        )
        given = np.clip(given, lower, upper)
    size = np.maximum(1.0, np.abs(given).max(axis=0))
    return given, np.where(np.isfinite(width) & (width > 0.0), width, size)


def _length(bounds):
    """How many variables the bounds are those of."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        return max(np.size(bounds.lb), np.size(bounds.ub))
    try:
        n = len(bounds)
    except TypeError:
        n = 0
    if n == 0:
        raise TypeError(
            f"bounds must be a sequence of (lower, upper) pairs, or an object with lb and ub; got {bounds!r:.60}"
        )
    return n
