"""Runs of ``least_squares`` that go on: what a state holds, and ``resume`` of it.

A state is (method, "", counters, scalars and vectors, more), where ``more`` holds what a result needs besides: ``m``,
``start``, ``loss``, ``f_scale``, ``unit``, ``jac``, and where there are such ``steps``, ``box``, ``marks`` and ``map``
(:class:`numopt.optimize._variables.Variables`).  A saved file holds all of these as arrays, scalars and vectors apart.
"""

import math

import numpy as np

from numopt.callbacks.pointers import address_of
from numopt.catalog import SQUARES, squares_words
from numopt.kernels import slots as s
from numopt.kernels.squares_slots import LOSSES
from numopt.kernels.status import NEW, RUNNING, Status
from numopt.optimize._least_squares import bind_arguments, check_jac, check_loss, read_count, read_options
from numopt.optimize._squares import SquaresRun
from numopt.optimize._variables import Variables

_NEEDED = {"c", "p", "w", "m", "start", "loss", "f_scale", "unit", "jac"}
_TOLERANCES = {"ftol": s.LSQ_FTOL, "xtol": s.LSQ_XTOL, "gtol": s.LSQ_GTOL}


def resume_squares(saved, fun, args, kwargs, jac, loss, callback, options):
    """Go on with a run of ``least_squares``; ``saved``: its arrays by name."""
    if isinstance(saved.get("w"), dict):
        reals = saved["p"]
        saved = {**saved["w"], "c": saved["c"], "p": reals[: s.N_SCALARS], "w": reals[s.N_SCALARS :]} | {
            "method": saved["method"]
        }
    row = SQUARES.get(str(saved.get("method")))
    if row is None or not _sound(saved):
        raise ValueError("state was written by another version of numopt, or is damaged; it can't be resumed")
    words = np.zeros(s.N_COUNTERS + s.N_TABLE, np.int64)
    words[: s.N_COUNTERS] = saved["c"]
    reals = np.concatenate([saved["p"], saved["w"]])
    c, p, n = words, reals, words.item(s.N)
    if not (callable(fun) or address_of(fun) is not None):
        raise TypeError(f"fun must be callable or a C function pointer, not {type(fun).__name__}")
    jac, loss = _given_again(saved, "jac", jac), _given_again(saved, "loss", loss)
    jac = check_jac(jac)
    check_loss(loss, 1.0)
    front = _set_limits(c, p, options)
    fun, jac, args = bind_arguments(fun, jac, args if isinstance(args, tuple) else (args,), kwargs)
    if c[s.BOUNDED]:
        lower, upper = reals[-2 * n : -n].copy(), reals[-n:].copy()
    else:
        lower, upper = np.full(n, -np.inf), np.full(n, np.inf)
    m, unit = int(saved["m"]), float(saved["unit"])
    problem = {
        "loss": loss, "f_scale": float(saved["f_scale"]), "unit": unit, "steps": saved.get("steps"),
        "sigma": None if unit == 1.0 else np.full(m, unit), "start": saved["start"],
    }  # fmt: skip
    variables = Variables.restored(saved, lower, upper)
    run = SquaresRun(row, variables, words, reals, fun, jac, args, m, None, problem)
    result = run.go(callback, front)
    run.warn_of_rank(result)
    return result


def _sound(saved):
    """Whether the arrays are such as a run leaves behind."""
    if not set(saved) >= _NEEDED:
        return False
    c, p, w, start = (saved[name] for name in ("c", "p", "w", "start"))
    if c.shape != (s.N_COUNTERS,) or p.shape != (s.N_SCALARS,) or w.ndim != 1:
        return False
    if c.dtype != np.int64 or p.dtype != float or w.dtype != float or np.shape(start) != (c[s.N],):
        return False
    n, bounded = int(c[s.N]), int(c[s.BOUNDED])
    whole = saved["marks"].size if "marks" in saved else n
    return bool(
        n > 0
        and bounded in (0, 1)
        and w.size == squares_words(n, bounded)
        and c[s.PARITY] in (0, 1)
        and int(saved["m"]) > 0
        and ("map" not in saved or saved["map"].shape == (1 + n, whole))
        and ("map" in saved or whole == n)
        and ("steps" not in saved or saved["steps"].shape == (n,))
        and str(saved["loss"]) in (*LOSSES, "callable")
    )


def _given_again(saved, name, value):
    """What the state says, or what the caller gives again because it was a callable."""
    before = str(saved[name])
    if value is None and before == "callable":
        raise TypeError(f"{name} was a callable, which no state holds; it must be given again")
    if name == "loss" and value is not None and before != "callable":
        raise TypeError(f"loss is part of the state: it is {before!r}")
    return before if value is None else value


def _set_limits(c, p, options):
    """Put new limits in; the options of the front door."""
    options = dict(options or {})
    for name in ("max_nfev", "maxfev"):
        if options.get(name) is not None:
            c[s.MAXFEV] = read_count(f"option {name!r}", options[name])
        options.pop(name, None)
    for name in _TOLERANCES:
        if name in options:
            value = options.pop(name) or 0.0
            if not (isinstance(value, (int, float)) and value >= 0.0):
                raise ValueError(f"option {name!r} must be None or a number >= 0; got {value!r}")
            p[_TOLERANCES[name]] = value
    front = read_options(options)
    for name in ("factor", "m", "fixed", "tied", "geodesic", "accel_max"):
        if name in front:
            raise ValueError(f"option {name!r} can't be changed in a run")
    c[s.MAXITER] = front.pop("maxiter", c[s.MAXITER])
    c[s.STATUS], c[s.ABORT], c[s.HISTORY_ROWS], c[s.HISTORY_SIZE] = RUNNING, 0, 0, 0
    if c[s.NFEV] == 0:
        c[s.STATUS] = NEW
    elif not math.isfinite(p[s.F]):
        c[s.STATUS] = int(Status.NAN)
    elif c[s.NIT] >= c[s.MAXITER]:
        c[s.STATUS] = int(Status.MAXITER)
    return front
