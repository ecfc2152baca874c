"""Constraints as the user gives them: scipy's objects and dictionaries, read and checked."""

import difflib
from typing import Any, NamedTuple

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.pointers import address_of, check_signature
from numopt.optimize._bounds import read_bounds
from numopt.optimize._constraint import Constraint, measure
from numopt.optimize._sets import Ball, Simplex

ACCEPTED = (
    "scipy.optimize.LinearConstraint or NonlinearConstraint objects, dictionaries {'type': 'eq' or 'ineq', 'fun': ...},"
    " numopt.Simplex or numopt.Ball, a sequence of them, or a mapping of names to them"
)
_KEYS = ("type", "fun", "jac", "hess", "args", "name")
_SCHEMES = ("2-point", "3-point", "cs")
_INF = float("inf")


_KNOWN: dict = {}  # (id of a constraint whose functions are jitted, number of variables) -> (what it holds, as read)


def read_constraints(constraints, x, scheme="2-point"):
    """(list of :class:`Constraint`, whether they were given by name), with their numbers of rows, looked at at x.

    ``scheme``: the differences for dictionaries without a Jacobian.
    """
    if _is_one(constraints):
        return [_look_up(constraints, "constraints", "constraint", scheme, x)], False
    if isinstance(constraints, dict):
        return [_look_up(con, f"constraints[{k!r}]", str(k), scheme, x, True) for k, con in constraints.items()], True
    try:
        given = list(constraints)
    except TypeError:
        raise TypeError(f"constraints must be {ACCEPTED}; got {type(constraints).__name__}") from None
    return [_look_up(con, f"constraints[{k}]", f"constraints[{k}]", scheme, x) for k, con in enumerate(given)], False


def _contents(con):
    """All that a constraint holds, for comparison with what it held before; None for what can't be compared quickly."""
    if type(con) is dict:
        return None if "args" in con else [*con, *con.values()]
    try:
        held = vars(con)
    except TypeError:
        return None
    found = list(held.values())
    for k, value in enumerate(found):
        if type(value) is list or type(value) is np.ndarray:
            found[k] = bytes(str(value), "ascii") if type(value) is list else value.tobytes()
    return found


def _same(a, b):
    return a is b or (type(a) is bytes and type(b) is bytes and a == b)


def _look_up(con, label, name, scheme, x, named=False):
    """A constraint as read, its rows known; jitted ones are read once.

    ``named``: by a key, which goes before 'name'.
    """
    known, contents = _KNOWN.get((id(con), x.size)), None
    if known is not None:
        contents = _contents(con)
        held, part, of = known
        if of == (label, scheme) and contents is not None and len(held) == len(contents):
            if all(map(_same, held, contents)):
                return part
    part = _read(con, label, name, scheme)
    part.name = name if named else part.name
    measure(part, x)
    functions = [f for f in (part.fun, part.jac, part.hess) if f is not None and type(f) is not str]
    if functions and not part.args and all(kind_of(f) == "jitted" for f in functions):
        contents = contents or _contents(con)
        if contents is not None:
            if len(_KNOWN) >= 256:
                _KNOWN.clear()
            part.of, part.known_key = con, part.key()  # kept alive: its identity is the key
            _KNOWN[id(con), x.size] = contents, part, (label, scheme)
    return part


def as_list(constraints):
    """The constraints as they are, or a list of what an iterator or another sequence of them holds."""
    if constraints is None or isinstance(constraints, (dict, list, tuple, str)) or _is_one(constraints):
        return constraints
    return list(constraints) if hasattr(constraints, "__iter__") else constraints


def is_empty(constraints):
    """Whether there are none."""
    return constraints is None or (isinstance(constraints, (list, tuple, dict)) and len(constraints) == 0)


def with_simplex(constraints, bounds, n):
    """The bounds that a simplex among the constraints asks for besides those given."""
    given = constraints.values() if isinstance(constraints, dict) else constraints
    several = isinstance(constraints, (dict, list, tuple))
    if Simplex not in (map(type, given) if several else (type(given),)):
        return bounds
    lower, upper = (np.zeros(n), np.full(n, _INF)) if bounds is None else read_bounds(bounds, n)
    return Bounds(np.maximum(lower, 0.0), upper)


class Bounds(NamedTuple):
    """Lower and upper bounds."""

    lb: Any
    ub: Any


def _is_one(constraints):
    """Whether this is one constraint, not several."""
    if isinstance(constraints, (Simplex, Ball)):
        return True
    if isinstance(constraints, dict):
        return "type" in constraints or "fun" in constraints
    return hasattr(constraints, "lb") and hasattr(constraints, "ub")


def _read(con, label, name, scheme):
    if isinstance(con, dict):
        return _read_dictionary(con, label, name, scheme)
    if isinstance(con, Simplex):
        part = Constraint(label, name)
        part.simplex, part.lower, part.upper = True, con.total, con.total
        return part
    if isinstance(con, Ball):
        return _read_ball(con, label, name)
    if hasattr(con, "lb") and hasattr(con, "ub"):
        if hasattr(con, "A"):
            return _read_linear(con, label, name)
        if hasattr(con, "fun"):
            return _read_nonlinear(con, label, name)
        raise TypeError(f"{label}: bounds of the variables are an argument of their own, bounds=")
    raise TypeError(f"{label} must be one of {ACCEPTED}; got {type(con).__name__}")


def _read_dictionary(con, label, name, scheme):
    for key in con:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, 1, 0.5)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"{label}: unknown key {key!r}{hint}; accepted are {', '.join(map(repr, _KEYS))}")
    for key in ("type", "fun"):
        if key not in con:
            raise ValueError(
                f"{label}: the key {key!r} is missing; a dictionary needs 'type' ('eq' or 'ineq') and 'fun'"
            )
    kind = con["type"]
    if not isinstance(kind, str) or kind.lower() not in ("eq", "ineq"):
        raise ValueError(f"{label}: 'type' must be 'eq' (fun = 0) or 'ineq' (fun >= 0); got {kind!r}")
    given = con.get("name")
    if given is not None and not isinstance(given, str):
        raise TypeError(f"{label}: 'name' must be a string; got {type(given).__name__}")
    part = Constraint(label, given or name)
    args = con.get("args", ())
    part.args = args if isinstance(args, tuple) else (args,)
    jac = con.get("jac")
    _set_functions(part, con["fun"], scheme if jac is None or jac is False else jac, con.get("hess"))
    part.lower, part.upper = 0.0, 0.0 if kind.lower() == "eq" else _INF
    return part


def _read_ball(con, label, name):
    """(x - center)'(x - center) <= radius squared."""
    part, center = Constraint(label, name), con.center

    def fun(x):
        if center.ndim and center.size != x.size:
            raise ValueError(f"{label}: center must have length {x.size}, as x0 has; got {center.size}")
        d = x - center
        return float(d @ d)

    part.fun, part.jac, part.ball = fun, lambda x: 2.0 * (x - center), True
    part.hess = lambda x, v: np.diag(np.full(x.size, 2.0 * v[0]))
    part.lower, part.upper = -_INF, con.radius**2
    return part


def _read_nonlinear(con, label, name):
    part = Constraint(label, name)
    _set_functions(part, con.fun, getattr(con, "jac", "2-point") or "2-point", getattr(con, "hess", None))
    _set_limits(part, con)
    step = getattr(con, "finite_diff_rel_step", None)
    if step is not None:
        step = np.asarray(step)
        if step.dtype.kind not in "fiu" or step.ndim > 1 or not (np.abs(step) > 0).all():
            raise ValueError(f"{label}: finite_diff_rel_step must be a number or one for each variable, not zero")
        part.rel_step = step.astype(float)
    return part


def _read_linear(con, label, name):
    part = Constraint(label, name)
    A = con.A
    A = A.toarray() if hasattr(A, "toarray") else np.asarray(A)
    if A.dtype.kind not in "fiub" or A.ndim > 2 or A.size == 0:
        raise ValueError(f"{label}: A must be a matrix of real numbers; got {A.dtype} data of shape {A.shape}")
    part.A = np.atleast_2d(A).astype(float)
    if not np.isfinite(part.A).all():
        i, j = np.argwhere(~np.isfinite(part.A))[0].tolist()
        raise ValueError(f"{label}: A must be finite; A[{i}, {j}] is {part.A[i, j]}")
    _set_limits(part, con)
    return part


def _set_limits(part, con):
    for side, given in (("lower", con.lb), ("upper", con.ub)):
        if type(given) is float or type(given) is int:
            setattr(part, side, float(given))
            continue
        try:
            a = np.asarray(given, float)
        except (TypeError, ValueError):
            a = None
        if a is None or a.ndim > 1:
            what = "lb" if side == "lower" else "ub"
            raise ValueError(f"{part.label}: {what} must be a number or a vector of numbers; got {given!r:.60}")
        setattr(part, side, a)
    keep = getattr(con, "keep_feasible", False)
    if keep is False:
        return
    part.keep = np.asarray(keep)
    if part.keep.dtype.kind not in "biu":
        raise TypeError(f"{part.label}: keep_feasible must be True or False, or one for each row; got {keep!r:.60}")


def _set_functions(part, fun, jac, hess):
    label = part.label
    if not (callable(fun) or address_of(fun) is not None):
        raise TypeError(f"{label}: fun must be callable or a C function pointer, not {type(fun).__name__}")
    if isinstance(jac, str):
        if jac not in _SCHEMES:
            raise ValueError(f"{label}: jac={jac!r} is not known; accepted are a callable, '2-point', '3-point', 'cs'")
    elif jac is True or not (callable(jac) or address_of(jac) is not None):
        raise TypeError(f"{label}: jac must be callable, '2-point', '3-point' or 'cs', not {jac!r:.60}")
    if isinstance(hess, str):
        if hess not in _SCHEMES:
            raise ValueError(
                f"{label}: hess={hess!r} is not known; accepted are a callable hess(x, v), '2-point', '3-point'"
            )
        hess = "3-point" if hess == "cs" else hess
    elif is_update(hess):
        hess = None
    elif hess is not None and not (callable(hess) or address_of(hess) is not None):
        raise TypeError(f"{label}: hess must be callable as hess(x, v), not {type(hess).__name__}")
    for name, function, words in (("fun", fun, 5), ("jac", jac, 5), ("hess", hess, 6)):
        if function is not None and not isinstance(function, str) and kind_of(function) == "pointer":
            check_signature(f"{label}: {name}", function, words)
    part.fun, part.jac, part.hess = fun, jac, hess


def is_update(hess):
    """Whether this is one of scipy's quasi-Newton strategies, ``BFGS()`` or ``SR1()``."""
    if hess is None or callable(hess):
        return False
    return any(kind.__name__ == "HessianUpdateStrategy" for kind in type(hess).__mro__)
