"""Arguments of the pictures: everything is looked at before anything is evaluated or drawn."""

import numbers

import numpy as np

from numopt.plot._canvas import check_labels


def objective(fun):
    """(x -> float, number of variables or None) of a function that returns f or (f, g), or of a test problem."""
    n = None
    if hasattr(fun, "functions") and hasattr(fun, "x0"):
        fun, n = fun.fun, fun.n
    if not callable(fun):
        raise TypeError(f"fun must be callable or a test problem, not {type(fun).__name__}")

    def value(x):
        try:
            f = fun(x)
        except (ArithmeticError, ValueError) as error:
            # a pole, or the logarithm of a negative number: a part of the surface, not a mistake
            if isinstance(error, ArithmeticError) or _of_math(error):
                return np.nan
            raise
        return float(np.asarray(f[0] if isinstance(f, tuple) else f).item())

    return value, n


def _of_math(error):
    """Whether the module math said that a function isn't defined there."""
    return any(words in str(error) for words in ("math domain", "math range", "expected a"))


_BEHIND = 64  # numbers behind the end of an x, for a compiled function that looks there


def _padded(x, filler):
    """x, a view of a longer array.

    A compiled function of more variables reads on behind the end of x, whatever stands there: NaN tells.
    """
    longer = np.full(len(x) + _BEHIND, filler)
    longer[: len(x)] = x
    return longer[: len(x)]


def try_out(value, x, needs):
    """Evaluate: an objective that can't be evaluated, gives no number or wants more of them is told in one line."""
    try:
        if np.isnan(value(_padded(x, np.nan))) and not np.isnan(value(_padded(x, 1.0))):
            raise IndexError("it looks behind the end of x")
    except Exception as error:
        text = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"fun can't be evaluated at x of shape {np.shape(x)} ({type(error).__name__}: {text}); {needs}"
        ) from error


def on_points(value, points):
    """The objective at each row of ``points``; NaN where it has no finite value."""
    found = np.empty(len(points))
    with np.errstate(all="ignore"):
        for k, x in enumerate(points):
            found[k] = value(_padded(x, np.nan))
    found[~np.isfinite(found)] = np.nan
    if np.isnan(found).all():
        raise ValueError("fun has no finite value anywhere in the picture")
    return found


def result_list(results, needs_one=True):
    """A list of results from one result or a sequence of them."""
    if isinstance(results, dict):
        results = [results]
    try:
        found = list(results)
    except TypeError:
        raise TypeError(f"results must be results of numopt.minimize, not {type(results).__name__}") from None
    if needs_one and not found:
        raise ValueError("results is empty; give at least one result of numopt.minimize")
    for k, result in enumerate(found):
        if not isinstance(result, dict):
            raise TypeError(f"results[{k}] must be a result of numopt.minimize, not {type(result).__name__}")
    return found


def names_of(results, labels):
    """The labels given, or the names of the methods, with a number where two are alike."""
    if labels is not None:
        return check_labels(labels, len(results), "results")
    names = []
    for k, result in enumerate(results):
        state = getattr(result, "state", None)
        names.append(str(state[0]) if isinstance(state, tuple) else f"result {k + 1}")
    return [f"{name} ({k + 1})" if names.count(name) > 1 else name for k, name in enumerate(names)]


def paths_of(results, where):
    """The points of each result, an array (points, 2) each."""
    paths = []
    for k, result in enumerate(results):
        vectors = result.get("allvecs")
        if vectors is None or len(vectors) == 0:
            raise ValueError(
                f"results[{k}] has no path (allvecs): run numopt.minimize with options={{'return_all': True}}"
            )
        path = np.array([np.ravel(x) for x in vectors], dtype=float)
        check_plane(path.shape[1], f"results[{k}]", where)
        paths.append(path)
    return paths


def check_plane(n, what, where):
    """ValueError unless n is 2."""
    if n != 2:
        raise ValueError(
            f"{where} draws functions of 2 variables; {what} has {n}: "
            "numopt.plot.landscape and numopt.plot.line draw slices of more"
        )


def limits(given, name):
    """None, or two finite numbers, the first the smaller."""
    if given is None:
        return None
    try:
        low, high = (float(v) for v in given)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be two numbers; got {given!r}") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"{name} must be two finite numbers, the first the smaller; got {given!r}")
    return low, high


def whole(given, name, least):
    """An integer of at least ``least``."""
    if isinstance(given, bool) or not isinstance(given, numbers.Integral) or given < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {given!r}")
    return int(given)


def positive(given, name, zero=False):
    """A finite number above zero, or zero where that is accepted."""
    fine = isinstance(given, numbers.Real) and not isinstance(given, bool) and np.isfinite(given)
    if not fine or given < 0 or (given == 0 and not zero):
        raise ValueError(f"{name} must be a finite number {'of at least' if zero else 'above'} 0; got {given!r}")
    return float(given)


def vector(given, name, n=None):
    """A finite vector, of n numbers if n is given."""
    try:
        x = np.array(given, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a vector of numbers; got {type(given).__name__}") from None
    x = x.reshape(1) if x.ndim == 0 else x
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"{name} must be a vector of numbers; got shape {x.shape}")
    if n is not None and x.size != n:
        raise ValueError(f"{name} must have {n} numbers; got {x.size}")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite; got {x[~np.isfinite(x)][0]}")
    return x


def choice(given, name, known):
    """One of the names in ``known``."""
    if given not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}; got {given!r}")
    return given
