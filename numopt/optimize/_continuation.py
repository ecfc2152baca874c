"""``continuation``: minimise f by way of smoother objectives."""

import math
import time
import warnings
from copy import copy

import numpy as np

from numopt.callbacks.blurred import blurred
from numopt.kernels.status import Status
from numopt.optimize._bounds import read_bounds
from numopt.optimize._display import Steps
from numopt.optimize._minimize import minimize
from numopt.optimize._options import check_callables, check_x0
from numopt.optimize._runs import COUNTS, at_once, hand_over, read_count, read_limit, until
from numopt.optimize._samples import generator, normal_points
from numopt.optimize._warn import OptimizeWarning
from numopt.optimize._watch import takes_result
from numopt.result import OptimizeResult

_STAGES, _RATIO = 8, 0.5  # of the automatic series
_LEAST_SAMPLES = 128
_RULES = ("sobol", "gauss-hermite")


def continuation(fun, x0, args=(), sigmas=None, n_samples=None, method=None, jac=None, bounds=None, tol=None,
                 callback=None, options=None, random_state=None, *, samples="sobol", max_time=None,
                 progress=False):  # fmt: skip
    """Minimize a function of many valleys by way of blurred ones.

    A series of objectives f_sigma(x) = E f(x + sigma u), u standard normal, is minimised for falling sigma, each from
    the answer of the last, and f itself at the end.  A wide blur leaves the large-scale shape of f only, often with one
    minimum; the path of minimisers leads from there to a low minimum of f, to the lowest one where luck has it.

    Parameters
    ----------
    fun : callable
        As for :func:`minimize`.
    x0 : array_like, shape (n,)
        The start.
    args : tuple, optional
        Extra arguments of fun and jac.
    sigmas : array_like, shape (k,) or (k, n), optional
        The standard deviations of the blurs, falling: one for all variables, or one for each.  Default: 8, each half
        the one before, the first a quarter of the width between a variable's bounds, or max(1, abs(x0_j)) where it
        has not two.
    n_samples : int, optional
        Points that stand for the expectation, each of which costs an evaluation of fun: at least 2.  Default: 128, or
        the power of two from 4 n on where that is more; with ``samples='gauss-hermite'`` 32 for each variable.
    method, jac, bounds, tol : optional
        As for :func:`minimize`, which does the work of each stage.  Points of the blur that lie outside of the bounds
        are moved onto them.
    callback : callable, optional
        ``callback(xk)`` or ``callback(intermediate_result)``, by the name of the parameter, after each stage;
        the latter has ``x``, ``fun`` (of f, not of its blur), ``sigma`` and ``stage``.  ``StopIteration`` ends the
        run with status 99.
    options : dict, optional
        Options of :func:`minimize`, for each of its runs: ``maxiter`` limits each stage, ``maxfev`` the blurred
        evaluations of each.
    random_state : int, Generator, RandomState or None
        For the Sobol points.  With the same one two calls do the same to the last bit.
    samples : {'sobol', 'gauss-hermite'}
        Scrambled Sobol points in antithetic pairs, whose blur of a quadratic has its minimiser exactly; or a product
        of Gauss-Hermite rules, for one or two variables and an f without waves much shorter than sigma: exact for
        polynomials up to degree 2 k - 1, with k points a variable.
    max_time : float, optional
        Seconds for all stages together.
    progress : bool
        Whether to show a progress bar over the stages.

    Returns
    -------
    OptimizeResult
        Of the last stage, or, where that is lower, of a run from the best point seen on the way.  ``nit``, ``nfev``,
        ``njev`` and ``nhev`` are totals, in evaluations of f; ``stages`` is a structured array, one row a stage:
        ``sigma`` (n,), the answer ``x`` (n,), ``blurred`` (the blurred objective there), ``fun`` (f there), ``nit``,
        ``nfev``, ``status``.  sigma is 0 in the rows of f itself.

    Raises
    ------
    TypeError, ValueError
        For an argument that can't be used.
    KeyboardInterrupt
        On Ctrl-C; it and the exceptions of the callables have the best result so far as their attribute ``result``.

    See Also
    --------
    multistart : many local runs.

    Notes
    -----
    The points are the same in all evaluations of a stage, so that what is minimised is smooth where f is, its gradient
    the mean of gradients.  A jitted objective stays compiled, and is compiled for blurring once: sigma and the points
    are data.  A stage whose blur is NaN or infinite where it starts, since points fall where f is not defined, is
    passed over; its status says so.

    References
    ----------
    Z. Wu, The effective energy transformation scheme as a special continuation approach to global optimization with
    application to molecular conformation, SIAM J. Optim. 6 (1996), 748-768.
    H. Mobahi, J. W. Fisher III, On the link between Gaussian homotopy continuation and convex envelopes, EMMCVPR 2015.
    I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, MIT Press 2016, section 8.7.6.

    Examples
    --------
    >>> import numpy as np
    >>> import numopt
    >>> def rastrigin(x):
    ...     return (x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum()
    >>> numopt.minimize(rastrigin, [3.3, -2.2]).fun > 10
    True
    >>> result = numopt.continuation(rastrigin, [3.3, -2.2], random_state=0)
    >>> result.success, bool(abs(result.x).max() < 1e-5)
    (True, True)
    """
    check_callables(fun, jac, None, None, callback)
    x = check_x0(x0)
    n = x.size
    lower, upper = (np.full(n, -np.inf), np.full(n, np.inf)) if bounds is None else read_bounds(bounds, n)
    sigmas = _automatic(np.clip(x, lower, upper), lower, upper) if sigmas is None else _read_sigmas(sigmas, n)
    count = _read_count(n_samples, samples, n)
    limit = read_limit(max_time)
    nodes, weights = normal_points(n, count, samples, generator(random_state))
    args = args if isinstance(args, tuple) else (args,)
    deadline, common = time.monotonic() + limit, {"method": method, "bounds": bounds, "tol": tol}
    # looks at all the other arguments, and warns of what there is to warn of
    first = minimize(fun, x, args, jac=jac, **common, options=at_once(options))
    path = _Path(first)
    value, slope = blurred(fun, jac, len(args))
    whole = callback is not None and takes_result(callback)
    with warnings.catch_warnings(), Steps("Continuation", len(sigmas) + 1, progress) as steps:
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            for sigma in np.where(lower == upper, 0.0, sigmas):
                if time.monotonic() >= deadline:
                    return path.result(Status.MAX_TIME)
                more = weights, lower, upper, path.best
                stage = minimize(
                    value, path.x, (nodes * sigma, *more, *args), jac=slope, **common,
                    options=until(deadline, options),
                )  # fmt: skip
                path.add(sigma, stage, _true_value(value, jac, stage.x, more, args), weights.size)
                steps.update(path.best[0], path.totals["nfev"])
                if callback is not None and _stopped(callback, whole, path):
                    return path.result(Status.CALLBACK)
            path.ends = True
            for _ in range(2):
                if time.monotonic() >= deadline:
                    break
                last = minimize(fun, path.x, args, jac=jac, **common, options=until(deadline, options))
                path.add(np.zeros(n), last, last.fun)
                steps.update(path.best[0], path.totals["nfev"])
                if not path.best[0] < last.fun:
                    break
                path.x = path.best[1:].copy()  # a point of a blur lies lower than where the path leads to
            return path.result(Status.MAX_TIME if path.last is None else path.last.status)
        except BaseException as error:
            if path.ends and hasattr(error, "result"):
                path.see(error.result.fun, error.result.x)
            hand_over(error, path.result(Status.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Status.FAILED))
            raise


class _Path:
    """What the stages have come to."""

    def __init__(self, first):
        self.x, self.last, self.ends, self.rows = first.x, None, False, []
        # as the blurred objectives leave it there: the lowest value of f, and where
        self.best = np.array([first.fun if first.fun == first.fun else math.inf, *first.x])
        self.totals = {name: first[name] for name in COUNTS}

    def see(self, f, x):
        """Keep a point if it is the best."""
        if f < self.best[0]:
            self.best[0], self.best[1:] = f, x

    def add(self, sigma, stage, f, samples=None):
        """A stage that has ended, f at its answer, and how many evaluations of f one of its objective has taken."""
        factor = samples or 1
        nfev = stage.nfev * factor + (samples is not None)  # one for f itself, at the answer
        for name, count in zip(COUNTS, (stage.nit, nfev, stage.njev * factor, stage.nhev * factor), strict=True):
            self.totals[name] += count
        if samples is None and not (self.last is not None and self.last.fun <= stage.fun):
            self.last = stage
        self.x = stage.x
        self.see(f, stage.x)
        self.rows.append((sigma, stage.x, stage.fun, f, stage.nit, nfev, stage.status))

    def result(self, status):
        """That of the run on f itself, or the best point if there was none, or it failed."""
        if self.last is not None and not self.best[0] < self.last.fun:
            result = copy(self.last)
        else:
            result = OptimizeResult(x=self.best[1:].copy(), fun=float(self.best[0]))
        result.update(success=status.success, status=status, message=status.message, **self.totals)
        n = self.x.size
        kinds = [("sigma", float, (n,)), ("x", float, (n,)), ("blurred", float), ("fun", float), ("nit", int),
                 ("nfev", int), ("status", int)]  # fmt: skip
        result["stages"] = np.array(self.rows, dtype=kinds)
        return result


def _true_value(value, jac, x, more, args):
    """f at x, by way of the blurred objective, with no blur, so that it is counted among the points seen."""
    _, *more = more
    at = (np.zeros((1, x.size)), np.ones(1), *more, *args)
    if jac == "inplace":
        x = x.copy()
        x.flags.writeable = False  # as in a run: nothing is compiled again
        return float(value(x, np.empty(x.size), *at))
    f = value(x, *at)
    return float(f[0] if jac is True else f)


def _stopped(callback, whole, path):
    """Call the user's function; whether it wants no more."""
    sigma, x, _, f, *_ = path.rows[-1]
    x = x.copy()
    try:
        if whole:
            result = OptimizeResult(x=x, fun=f, sigma=sigma.copy(), stage=len(path.rows) - 1)
            callback(intermediate_result=result)
        else:
            callback(x)
    except StopIteration:
        return True
    return False


def _automatic(x, lower, upper):
    """The series (k, n) of standard deviations: from the box, or the scale of the start."""
    width = upper - lower
    first = np.where(np.isfinite(width), 0.25 * width, np.maximum(1.0, np.abs(x)))
    return first * _RATIO ** np.arange(_STAGES)[:, None]


def _read_sigmas(sigmas, n):
    """A matrix (k, n) from what the user gave."""
    accepted = f"positive numbers, falling: one for each stage, or {n} (one for each variable)"
    try:
        a = np.asarray(sigmas)
    except ValueError:
        a = np.empty(0)
    if a.dtype.kind not in "fiu" or a.size == 0 or not (a.ndim == 1 or (a.ndim == 2 and a.shape[1] == n)):
        raise ValueError(f"sigmas must be {accepted}; got {sigmas!r:.80}")
    a = np.broadcast_to((a if a.ndim == 2 else a[:, None]).astype(float), (len(a), n))
    if not (np.isfinite(a) & (a > 0.0)).all() or (np.diff(a, axis=0) > 0.0).any():
        raise ValueError(f"sigmas must be {accepted}; got {sigmas!r:.80}; f itself comes last by itself")
    return a


def _read_count(n_samples, samples, n):
    """How many points there may be."""
    if not isinstance(samples, str) or samples not in _RULES:
        raise ValueError(f"samples must be one of {', '.join(map(repr, _RULES))}; got {samples!r:.60}")
    if samples == "gauss-hermite" and n > 2:
        raise ValueError(f"samples='gauss-hermite' is for one or two variables; x0 has {n}; 'sobol' is for any number")
    if n_samples is None:
        return 32**n if samples == "gauss-hermite" else max(_LEAST_SAMPLES, 1 << (4 * n - 1).bit_length())
    return read_count("n_samples", n_samples, 2**n if samples == "gauss-hermite" else 2)
