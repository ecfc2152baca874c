"""Validation: every argument of the front doors is looked at before any work starts."""

import difflib
import math
import numbers
import os
import zipfile

import numpy as np

from numopt.callbacks.pointers import address_of, check_signature
from numopt.catalog import ALIASES, LINE_SEARCHES, METHODS, OPTION_ALIASES, OPTIONS, WORDS, defaults
from numopt.constrained_catalog import CONSTRAINED, constrained_defaults, find_constrained
from numopt.kernels.first_order_slots import GIVEN
from numopt.optimize._first_order import check_options
from numopt.optimize._samples import generator
from numopt.optimize._warn import warn

# options that the front door itself handles
FRONT = {
    "max_time": (float, "a number of seconds"),
    "disp": (bool, "True or False"),
    "history": (bool, "True or False"),
    "return_all": (bool, "True or False"),
    "line_search": (str, "one of " + ", ".join(map(repr, LINE_SEARCHES))),
    "eps": (float, "an absolute difference step, a number or one for each variable"),
    "finite_diff_rel_step": (float, "a relative difference step, a number or one for each variable"),
    "hess_inv0": (np.ndarray, "a symmetric positive definite matrix"),
    "initial_simplex": (np.ndarray, "n + 1 points that span the space, one a row"),
    "direc": (np.ndarray, "n directions that span the space, one a row"),
}
# those that only one method has
_MATRICES = {"hess_inv0": "bfgs", "initial_simplex": "nelder-mead", "direc": "powell"}

# options of scipy that change nothing here
_IGNORED = {"iprint", "workers"}
_ARGUMENTS = {
    "fun",
    "x0",
    "args",
    "method",
    "jac",
    "hess",
    "hessp",
    "bounds",
    "constraints",
    "tol",
    "callback",
    "options",
}


# scipy's methods that are not here
_INSTEAD = {
    "tnc": "use 'lbfgs', 'bfgs' or 'newton' with bounds, 'newton-cg' or 'trust-ncg' without",
    **dict.fromkeys(
        ("cobyla", "cobyqa"),
        "with constraints leave method out or use 'sqp', which takes differences where no derivatives are given; "
        "with bounds alone 'nelder-mead', 'powell' and 'pattern-search' need none",
    ),
}
_SCIPY_NAMES = {row.scipy: row for row in METHODS.values() if row.scipy}


def find_method(method):
    """The catalogue's row for what the user named; None for None."""
    if type(method) is str:
        row = METHODS.get(method) or _SCIPY_NAMES.get(method)
        if row is not None:
            return row
    if method is None:
        return None  # for the front door to choose
    if isinstance(method, str):
        name = method.lower().replace("_", "-")
        name = ALIASES.get(name, name)
        if name in METHODS:
            return METHODS[name]
        if name in _INSTEAD:
            raise ValueError(f"unknown method {method!r}; {_INSTEAD[name]}")
        constrained = find_constrained(name)
        if constrained is not None:
            raise ValueError(f"method {method!r} is one for problems with constraints; numopt.minimize takes it")
        close = difflib.get_close_matches(name, [*METHODS, *ALIASES, *CONSTRAINED], 3)
        hint = f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
        raise ValueError(f"unknown method {method!r}{hint}; numopt.METHODS lists all")
    raise TypeError(f"method must be a string or None, not {type(method).__name__}")


def check_x0(x0):
    """x0 as a float64 vector; the caller copies it."""
    if type(x0) is np.ndarray and x0.dtype == np.float64 and x0.ndim == 1 and 0 < x0.size < 1000:
        # the quickest test of a short vector; where the square overflows, the tests below have the last word
        if math.isfinite(x0.dot(x0)):
            return x0
    try:
        a = np.asarray(x0)
    except ValueError:
        raise ValueError("x0 must be a 1-D array of numbers; what was given has rows of different lengths") from None
    if a.dtype.kind not in "fiub":
        raise TypeError(f"x0 must be real numbers; got dtype {a.dtype}")
    if a.ndim == 0:
        a = a.reshape(1)
    if a.ndim != 1:
        raise ValueError(f"x0 must be 1-D; got shape {a.shape}")
    if a.size == 0:
        raise ValueError("x0 is empty; it must hold at least one number")
    x = a.astype(np.float64)
    if not np.isfinite(x).all():
        j = int(np.flatnonzero(~np.isfinite(x))[0])
        raise ValueError(f"x0 must be finite; x0[{j}] is {x[j]}")
    return x


# types that tell that there is no C function to look at; the others are looked at more closely
_NO_POINTERS = {"function", "CPUDispatcher", "bool", "str"}


def _usable(function):
    return callable(function) or address_of(function) is not None


def check_callables(fun, jac, hess, hessp, callback):
    """Raise TypeError for what can't be called."""
    if not _usable(fun):
        raise TypeError(f"fun must be callable or a C function pointer, not {type(fun).__name__}")
    if type(fun).__name__ not in _NO_POINTERS:
        check_signature("fun", fun, 4 if jac is True else 3)
    if jac is not None and type(jac).__name__ not in _NO_POINTERS:
        check_signature("jac", jac, 4)
    if hess is None and hessp is None and callback is None and (jac is True or jac is None or callable(jac)):
        return
    for name, function, words in (
        ("jac", jac, ("2-point", "3-point", "cs", "inplace")),
        ("hess", hess, ("2-point", "3-point")),
        ("hessp", hessp, ()),
        ("callback", callback, ()),
    ):
        if function is None or (function is True and name == "jac") or (function is False and name == "jac"):
            continue
        if isinstance(function, str):
            if function not in words:
                accepted = ", ".join(["a callable", *map(repr, words)] + (["True"] if name == "jac" else []))
                raise ValueError(f"{name}={function!r} is not known; accepted are {accepted}")
        elif not _usable(function):
            raise TypeError(f"{name} must be callable, not {type(function).__name__}")
        elif name.startswith("hess") and type(function).__name__ not in _NO_POINTERS:
            check_signature(name, function, 4 if name == "hess" else 5)


def read_number(name, value, kind, least):
    """``value`` as int or float, with its range checked."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if type(value) is float and kind is float and value >= least:
        return value
    if kind is str:
        if not isinstance(value, str) or value not in WORDS[name]:
            more = " or a function t -> learning rate" if name == "schedule" else ""
            raise ValueError(f"option {name!r} must be one of {', '.join(map(repr, WORDS[name]))}{more}; got {value!r}")
        return WORDS[name][value]
    if kind is bool:
        if not isinstance(value, (bool, np.bool_)) and not (isinstance(value, int) and value in (0, 1)):
            raise TypeError(f"option {name!r} must be True or False; got {value!r}")
        return bool(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"option {name!r} must be {'an integer' if kind is int else 'a number'}; got {value!r}")
    if kind is int:
        if value == math.inf:
            return 2**62
        if value != value or value != int(value):
            raise TypeError(f"option {name!r} must be an integer; got {value!r}")
        value = int(value)
    if not value >= least:
        raise ValueError(f"option {name!r} must be at least {least:g}; got {value!r}")
    if kind is int and value >= 2**63:
        raise ValueError(f"option {name!r} must be below 2**63; got {value!r}")
    return kind(value)


def read_options(method, options, tol, n, new=True):
    """(values for the blocks, options of the front door) of a method; ``new``: not of a run that goes on."""
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"options must be a dict, not {type(options).__name__}")
    values = defaults(method)
    front: dict = {}
    if tol is not None:
        tol = read_number("tol", tol, float, 0.0)
        for name in ("gtol", "ftol") if not method.values_only else ("xatol", "fatol", "xtol", "ftol"):
            if values.get(name, -1.0) >= 0:
                values[name] = tol
    limited = False  # whether the number of evaluations is
    for given, value in (options or {}).items():
        name = OPTION_ALIASES.get(given, given)
        if name in values:
            if value is None and name in ("maxiter", "maxfev", "n_terms", "batch_size"):
                continue
            if name == "schedule" and callable(value):
                front[name], values[name] = value, GIVEN
                continue
            if name == "random_state" and not isinstance(value, numbers.Real):
                value = int(generator(value).integers(2**31))  # resume finds this number in the state
            block, _, kind, least = OPTIONS[name]
            values[name] = read_number(given, value, kind, least)
            limited = limited or name == "maxfev"
            if name == "norm" and value == 0:
                raise ValueError("option 'norm' must be inf, -inf or a number other than 0; got 0")
        elif _takes(method, name):
            front[name] = front_option(name, value, n)
        elif given in _ARGUMENTS:
            raise TypeError(f"{given!r} is an argument, not an option; options hold what the method is told")
        elif name not in _IGNORED:
            warn(f"unknown option {given!r} for method {method.name!r} is ignored{_hint(method, values, name)}")
    if values["maxiter"] is None:
        values["maxiter"] = -1  # for the front door to fill in
        if method.budget is not None and limited:
            values["maxiter"] = 2**62 if values["maxfev"] < 2**62 else -1
        elif method.budget is not None:
            values["maxfev"] = -1
    elif method.budget is not None and values["maxiter"] == 2**62 and not limited:
        values["maxfev"] = -1
    first = values.get("initial_step", 1.0)
    if not first < math.inf or (method.line_search is None and first == 0.0):
        raise ValueError(f"option 'initial_step' must be positive and finite; got {first:g}")
    for name, words in WORDS.items():
        if type(values.get(name)) is str:
            values[name] = words[values[name]]
    if "n_terms" in values:
        values["n_terms"], values["batch_size"] = values["n_terms"] or 0, values["batch_size"] or 0
        check_options(values, new)
    if "eta" in values:
        first, most, eta = (values[name] for name in ("initial_trust_radius", "max_trust_radius", "eta"))
        if not first < most < math.inf:
            raise ValueError(f"options need initial_trust_radius < max_trust_radius < inf; got {first:g} and {most:g}")
        if not eta < 0.25:
            raise ValueError(f"option 'eta' must be at least 0 and below 0.25; got {eta:g}")
    if new:
        check_wolfe_constants(method, values.get("c1"), values.get("c2"))
    return values, front


def _takes(method, name):
    """Whether ``name`` is an option of the front door that goes with the method."""
    if name == "line_search":
        return method.line_search is not None
    return name in FRONT and method.name == _MATRICES.get(name, method.name)


def _hint(method, values, name):
    """What may have been meant by an unknown option."""
    others = [row.name for row in METHODS.values() if name in defaults(row) or _takes(row, name)]
    others = others or [row.name for row in CONSTRAINED.values() if name in constrained_defaults(row)]
    if others:
        more = "" if len(others) < 5 else f" and {len(others) - 3} others"
        return f"; it is one of {', '.join(map(repr, others[: 3 if more else 4]))}{more}"
    close = difflib.get_close_matches(str(name), [*values, *(word for word in FRONT if _takes(method, word))], 2)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def check_wolfe_constants(method, c1, c2):
    """ValueError unless 0 < c1 < c2 < 1, where the method has a line search."""
    if method.line_search is not None and not 0.0 < c1 < c2 < 1.0:
        raise ValueError(f"options need 0 < c1 < c2 < 1; got c1={c1:g}, c2={c2:g}")


def front_option(name, value, n):
    kind, accepted = FRONT[name]
    if kind is bool:
        if value is None:
            return False
        if not isinstance(value, (bool, np.bool_, int)):
            raise TypeError(f"option {name!r} must be {accepted}; got {value!r}")
        return bool(value)
    if name == "line_search":
        if not isinstance(value, str) or value not in LINE_SEARCHES:
            raise ValueError(f"option 'line_search' must be {accepted}; got {value!r}")
        return value
    if name == "hess_inv0":
        if value is None:
            return None
        H = np.asarray(value)
        if H.shape != (n, n) or H.dtype.kind not in "fiu":
            raise ValueError(f"option 'hess_inv0' must be {accepted} of shape {(n, n)}; got {H.dtype} {H.shape}")
        H = H.astype(float)
        if not np.allclose(H, H.T) or not np.linalg.eigvalsh(H)[0] > 0:
            raise ValueError("option 'hess_inv0' must be symmetric and positive definite")
        return H
    if name in ("initial_simplex", "direc"):
        return _points(name, value, n + (name == "initial_simplex"), n, accepted)
    if name in ("eps", "finite_diff_rel_step"):
        if value is None:
            return None
        a = np.asarray(value)
        if a.dtype.kind not in "fiu" or a.shape not in ((), (1,), (n,)) or not (np.abs(a) > 0).all():
            raise ValueError(f"option {name!r} must be {accepted}, not zero; got {value!r}")
        return a.astype(float)
    if value is None:
        return None
    return read_number(name, value, float, 0.0)


def _points(name, value, rows, n, accepted):
    """A matrix of the given shape whose rows (or their differences from the first, if n + 1) are independent."""
    if value is None:
        return None
    try:
        a = np.asarray(value)
    except ValueError:
        raise ValueError(f"option {name!r} must be {accepted}; the rows given differ in length") from None
    if a.shape != (rows, n) or a.dtype.kind not in "fiu":
        raise ValueError(f"option {name!r} must be {accepted}, of shape {(rows, n)}; got {a.dtype} {a.shape}")
    a = a.astype(float)
    if not np.isfinite(a).all():
        raise ValueError(f"option {name!r} must be finite; got {a[~np.isfinite(a)][0]}")
    if not _spans(a):
        raise ValueError(f"option {name!r} must be {accepted}; those given do not span it")
    return a


def _spans(a):
    """Whether the rows of a, or their differences from the first if there is one more, are independent."""
    n = a.shape[1]
    edges = a[1:] - a[0] if len(a) > n else a
    lengths = np.abs(edges).max(axis=1)
    return bool(lengths.all() and np.linalg.matrix_rank(edges / lengths[:, None]) == n)


def simplex_within(points, lower, upper):
    """``initial_simplex`` with its points moved onto the bounds; ValueError where that leaves no simplex."""
    moved = np.clip(points, lower, upper)
    if not np.array_equal(moved, points):
        if not _spans(moved):
            raise ValueError(
                "option 'initial_simplex': moved onto the bounds, its points do not span the space any more"
            )
        warn("option 'initial_simplex' has points outside of the bounds; moved onto them")
    return moved


def warn_of_unused(method, jac, hess, hessp, chosen):
    """Say that derivatives were given to a method that has no use for them; ``chosen``: not by the user."""
    if (hess is not None and not (method.second_order or method.diagonal)) or (
        hessp is not None and not method.second_order
    ):
        of = f"method {method.name!r}, chosen for so many variables," if chosen else f"method {method.name!r}"
        name = "hess" if hess is not None else "hessp"
        warn(f"{of} makes no use of {name}" + ("; 'newton' does" if chosen else ""))
    if method.values_only and callable(jac):
        warn(f"method {method.name!r} makes no use of jac")


def read_arrays(path):
    """The arrays in an .npz file; ValueError if there is no such file, TypeError if ``path`` can't be one."""
    try:
        path = os.fspath(path)
    except TypeError:
        raise TypeError(
            f"state must be a result of numopt.minimize or the path of a saved one, not {type(path).__name__}"
        ) from None
    if not os.path.exists(path) and os.path.exists(path + ".npz"):
        path += ".npz"
    if not os.path.exists(path):
        raise ValueError(f"there is no file {path!r} to resume from")
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{path!r} is no file that a result's save() wrote, or it is damaged") from None
