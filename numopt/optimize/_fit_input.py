"""The arguments of ``curve_fit``, read: data, uncertainties, parameters and their names."""

import inspect
import numbers
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import MethodType

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.optimize._least_squares import read_box
from numopt.optimize._squares import NotFinite
from numopt.optimize._variables import read_ties

_EPS = np.finfo(float).eps


def _real(value, name):
    """An array of doubles."""
    try:
        a = np.asarray(value)
        if a.dtype.kind == "c":
            raise TypeError(f"{name} must be real numbers; got {a.dtype} data")
        return np.asarray(value, float)
    except (TypeError, ValueError) as error:
        if "must be real" in str(error):
            raise
        raise TypeError(f"{name} must be an array of real numbers; got {value!r:.80}") from None


def check_finite_data(a, name):
    """ValueError unless all are finite."""
    if not np.isfinite(a).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(a))[0])
        where = ", ".join(map(str, place))
        raise NotFinite(
            f"{name} must not contain infs or NaNs; {name}[{where}] is {a[place]} (check_finite=False lets them "
            "through, nan_policy='omit' leaves rows with NaN out)"
        )


def read_data(xdata, ydata, sigma, check_finite, nan_policy):
    """(x, y, sigma) as arrays, x as it is where it is none, with rows left out by ``nan_policy``."""
    if nan_policy not in (None, "raise", "omit"):
        raise ValueError(f"nan_policy must be one of None, 'raise', 'omit'; got {nan_policy!r}")
    if check_finite is None:
        check_finite = nan_policy is None
    y = np.atleast_1d(_real(ydata, "ydata"))
    if y.ndim != 1:
        raise ValueError(f"ydata must be 1-D; got shape {y.shape}")
    if y.size == 0:
        raise ValueError("ydata must not be empty")
    x = xdata
    if isinstance(xdata, (list, tuple, np.ndarray)):
        x = _real(xdata, "xdata")
    if sigma is not None:
        sigma = _real(sigma, "sigma")
    if y.size == 1 and isinstance(x, np.ndarray) and x.ndim and x.shape[-1] > 1:
        y = np.full(x.shape[-1], y[0])  # one number for all rows
    if check_finite:
        check_finite_data(y, "ydata")
        if isinstance(x, np.ndarray):
            check_finite_data(x, "xdata")
    elif nan_policy is not None:
        x, y, sigma = _without_nan(x, y, sigma, nan_policy)
    return x, y, sigma


def _without_nan(x, y, sigma, nan_policy):
    try:
        bad = np.isnan(np.asarray(x, float))
    except (TypeError, ValueError):
        raise TypeError(f"nan_policy={nan_policy!r} needs an xdata of numbers; got {type(x).__name__}") from None
    if nan_policy == "raise":
        for a, name in ((bad, "xdata"), (np.isnan(y), "ydata")):
            if a.any():
                raise ValueError(f"{name} contains NaN, which nan_policy='raise' refuses")
        return x, y, sigma
    if bad.shape[-1:] != y.shape:
        raise ValueError(f"xdata and ydata have different lengths: their shapes are {bad.shape} and {y.shape}")
    kept = ~(bad.any(axis=tuple(range(bad.ndim - 1))) | np.isnan(y))
    if kept.all():
        return x, y, sigma
    if not kept.any():
        raise NotFinite("ydata must not be empty: nan_policy='omit' leaves no row")
    if sigma is not None and sigma.size > 1 and sigma.shape in (y.shape, y.shape * 2):
        sigma = sigma[kept] if sigma.ndim == 1 else sigma[np.ix_(kept, kept)]
    return (x[..., kept] if isinstance(x, np.ndarray) else x[kept]), y[kept], sigma


def read_sigma(sigma, m):
    """(standard deviations or None, lower Cholesky factor of the covariance or None)."""
    if sigma is None:
        return None, None
    if sigma.size == 1 or sigma.shape == (m,):
        bad = np.flatnonzero(~(sigma.reshape(-1) > 0))
        if bad.size:
            j = int(bad[0])
            raise ValueError(f"sigma must be positive; sigma[{j}] is {sigma.reshape(-1)[j]:g}")
        return np.array(np.broadcast_to(sigma.reshape(-1), (m,))), None
    if sigma.shape != (m, m):
        raise ValueError(
            f"sigma has an incorrect shape: standard deviations have shape {(m,)}, as ydata has, a covariance matrix "
            f"{(m, m)}; got {sigma.shape}"
        )
    if not np.isfinite(sigma).all():
        raise ValueError("sigma must be finite: the covariance matrix holds infs or NaNs")
    scale = np.sqrt(np.abs(np.diag(sigma)))
    if (np.abs(sigma - sigma.T) > 1e-8 * np.outer(scale, scale)).any():
        raise ValueError("sigma must be a symmetric covariance matrix; it is not symmetric")
    try:
        L = np.linalg.cholesky(sigma)
    except np.linalg.LinAlgError:
        L = None
    if L is None or (np.diag(L) ** 2 <= m * _EPS * np.diag(sigma)).any():
        raise ValueError(
            "sigma must be positive definite: the covariance matrix is singular or has a negative eigenvalue"
        )
    return None, L


def parameter_names(f, count):
    """The names of the parameters of ``f(x, *params)``; ``count``: how many there are, None to be found out."""
    if hasattr(f, "parameters"):
        names = tuple(f.parameters)
        if count not in (None, len(names)):
            raise ValueError(f"p0 has {count} values, but the model has {len(names)} parameters: {', '.join(names)}")
        return names
    code = getattr(getattr(f, "py_func", f), "__code__", None)  # a signature takes as long as some evaluations
    if count is None and code is not None and type(f) is not MethodType and not code.co_kwonlyargcount:
        if code.co_argcount > 1 and not code.co_flags & (CO_VARARGS | CO_VARKEYWORDS):
            return code.co_varnames[1 : code.co_argcount]
    try:
        known = list(inspect.signature(f.py_func if kind_of(f) == "jitted" else f).parameters.values())
    except (TypeError, ValueError):
        known = None
    if known is None:
        if count is None:
            raise ValueError("unable to determine the number of parameters: f has no signature; give p0")
        return tuple(f"p{k}" for k in range(count))
    named = [p for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    starred = any(p.kind == p.VAR_POSITIONAL for p in known)
    if count is None:
        if starred or len(named) < 2:
            signature = ", ".join(str(p) for p in known)
            raise ValueError(f"unable to determine the number of parameters of f({signature}); give p0")
        return tuple(p.name for p in named[1:])
    least = sum(p.default is p.empty for p in named) - 1
    if count < least or (count > len(named) - 1 and not starred):
        raise ValueError(
            f"p0 has {count} values, but f has {len(named) - 1} parameters: {', '.join(p.name for p in named[1:])}"
        )
    names = tuple(p.name for p in named[1 : count + 1])
    return names + tuple(f"p{k}" for k in range(len(names), count))


def _places(given, names, what):
    """The indices of names; ValueError for one that is not known."""
    for name in given:
        if name not in names:
            raise ValueError(f"{what}: there is no parameter {name!r}; there are {', '.join(names)}")
    return [names.index(name) for name in given]


def read_bounds(bounds, names, f):
    """(lower, upper), those of the model's own where none are given."""
    n, own = len(names), getattr(f, "bounds", None)
    none = type(bounds) is tuple and [type(side) for side in bounds] == [float, float] and bounds == (-np.inf, np.inf)
    if own is not None:
        own = [np.array(np.broadcast_to(np.asarray(side, float), (n,))) for side in own]
    elif none:
        return np.full(n, -np.inf), np.full(n, np.inf)
    if isinstance(bounds, dict):
        lower, upper = own if own is not None else (np.full(n, -np.inf), np.full(n, np.inf))
        for j, (name, pair) in zip(_places(bounds, names, "bounds"), bounds.items(), strict=True):
            try:
                low, high = pair
                lower[j] = -np.inf if low is None else low
                upper[j] = np.inf if high is None else high
            except (TypeError, ValueError):
                raise ValueError(f"bounds: those of {name!r} must be a pair (low, high); got {pair!r:.80}") from None
        bounds = lower, upper
    elif none:
        bounds = own
    return read_box(bounds, n, "p0")


def read_start(p0, names, lower, upper, f, x, y):
    """The start: what is given, the model's own guess, or 1 or the middle of the bounds."""
    if p0 is not None and not isinstance(p0, dict):
        return p0
    if hasattr(f, "guess"):
        start = np.clip(np.asarray(f.guess(x, y), float), lower, upper)
    else:
        start = np.ones(len(names))
        low, high = np.isfinite(lower), np.isfinite(upper)
        if not (low.any() or high.any()) and p0 is None:
            return start
        start[low & high] = 0.5 * (lower[low & high] + upper[low & high])
        start[low & ~high] = lower[low & ~high] + 1.0
        start[~low & high] = upper[~low & high] - 1.0
    if p0 is not None:
        for j, (name, value) in zip(_places(p0, names, "p0"), p0.items(), strict=True):
            start[j] = _number(value, f"p0[{name!r}]")
    return start


def _number(value, name):
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real) or not np.isfinite(value):
        raise ValueError(f"{name} must be a finite number; got {value!r:.80}")
    return float(value)


def read_p0(p0):
    """A given start as an array, or None for what is found once the names are known."""
    if p0 is None or isinstance(p0, dict):
        return p0
    p0 = np.array(np.atleast_1d(_real(p0, "p0")))
    if p0.ndim != 1 or p0.size == 0:
        raise ValueError(f"p0 must be a 1-D array of the parameters' starting values; got shape {p0.shape}")
    if not np.isfinite(p0).all():
        j = int(np.flatnonzero(~np.isfinite(p0))[0])
        raise NotFinite(f"p0 must be finite; p0[{j}] is {p0[j]}")
    return p0


def read_fixed(fixed, tied, names, start):
    """(indices of the fixed parameters, ties); sets the values of the fixed ones in ``start``."""
    held = []
    if fixed is not None:
        if isinstance(fixed, str):
            fixed = [fixed]
        held = _places(fixed, names, "fixed")
        if isinstance(fixed, dict):
            for j, (name, value) in zip(held, fixed.items(), strict=True):
                start[j] = _number(value, f"fixed[{name!r}]")
    return held, None if tied is None else read_ties(tied, names)


def check_inside(start, lower, upper, names, tied):
    """ValueError if the start is outside of its bounds; a tied parameter's value is none."""
    outside = (start < lower) | (start > upper)
    outside[list(tied or ())] = False
    if outside.any():
        j = int(np.flatnonzero(outside)[0])
        raise ValueError(
            f"p0 is infeasible: {names[j]} = {start[j]:g} is outside of its bounds ({lower[j]:g}, {upper[j]:g})"
        )


def check_counts(y):
    """ValueError unless these are counts."""
    bad = np.flatnonzero(~((y >= 0) & np.isfinite(y)))
    if bad.size:
        j = int(bad[0])
        raise ValueError(f"likelihood='poisson' needs counts, finite and not negative; ydata[{j}] is {y[j]:g}")
