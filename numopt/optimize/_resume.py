"""``resume``: the front door of runs that go on."""

import math

import numpy as np

from numopt.catalog import LINE_SEARCHES, METHODS, OPTION_ALIASES, OPTIONS
from numopt.constrained_catalog import CONSTRAINED
from numopt.kernels import slots as s
from numopt.kernels.status import NEW, RUNNING, Status
from numopt.optimize._constrained import resume_constrained
from numopt.optimize._constraints import is_empty
from numopt.optimize._first_order import FIXED
from numopt.optimize._minimize import go
from numopt.optimize._options import check_callables, check_wolfe_constants, read_arrays, read_options

_SAVED = ("method", "search", "c", "p", "w")  # and, where variables are fixed, "fixed"


def resume(state, fun, args=(), jac=None, hess=None, hessp=None, callback=None, options=None, kwargs=None, loss=None,
           constraints=()):  # fmt: skip
    """Go on with a run that was stopped, bit for bit as if it had not been.

    Parameters
    ----------
    state : OptimizeResult or path
        A result of :func:`minimize`, :func:`maximize` or :func:`least_squares`, or the file that its ``save`` wrote.
    fun, args, jac, hess, hessp, callback
        As for the function that the state is of; they are not part of the saved state, nor are difference steps of
        ``minimize`` (``eps``, ``finite_diff_rel_step``).
    options : dict, optional
        New limits: ``maxiter`` and ``maxfev`` (both count from the start of the first run), ``max_time``, and
        whatever else is to differ, but for ``maxcor``.  Of ``least_squares``: ``maxiter``, ``max_nfev``, ``max_time``,
        ``ftol``, ``xtol``, ``gtol``, ``history``, ``return_all``.
    kwargs : dict, optional
        Of ``least_squares``: keywords of fun and jac.
    loss : callable, optional
        Of ``least_squares``: the loss, where it was a callable; one with a name is part of the saved state.
    constraints : optional
        The same as before, where there were any: functions are not part of the saved state.  The bounds are.

    Returns
    -------
    OptimizeResult

    Notes
    -----
    A run that was cut off within a step (``maxfev``, ``max_time``, Ctrl-C, an exception) takes that step again: its
    points are those of a run that was not stopped, its counts include what was evaluated twice.

    Examples
    --------
    >>> import numopt
    >>> def f(x):
    ...     return (x[0] - 1)**4 + x[1]**2
    >>> part = numopt.minimize(f, [3.0, 2.0], options={'maxiter': 3})
    >>> whole = numopt.resume(part, f, options={'maxiter': 100})
    >>> whole.success, whole.nit > 3
    (True, True)
    """
    if isinstance(state, dict):
        saved = dict(zip((*_SAVED, "fixed", "more"), getattr(state, "state", None) or (), strict=False))
        saved |= saved.pop("more", {})
    else:
        saved = read_arrays(state)
    if isinstance(saved.get("w"), dict) or "unit" in saved:  # not by the method: there are two called dogleg
        from numopt.optimize._squares_state import resume_squares

        if hess is not None or hessp is not None:
            raise TypeError("hess and hessp are for minimize; the state is one of least_squares")
        return resume_squares(saved, fun, args, kwargs, jac, loss, callback, options)
    if kwargs is not None or loss is not None:
        raise TypeError("kwargs and loss are for least_squares; the state is one of minimize")
    if not set(_SAVED) <= set(saved):
        raise ValueError("state holds no saved run of numopt.minimize or numopt.least_squares")
    fixed = saved.get("fixed")
    if str(saved["method"]) in CONSTRAINED:
        return resume_constrained(saved, fun, args, jac, hess, hessp, constraints, callback, options)
    if not is_empty(constraints):
        raise TypeError("the state is of a run without constraints; it can't be given some")
    row, sizes = METHODS.get(str(saved["method"])), (len(saved["c"]), len(saved["p"]))
    if (
        row is None
        or sizes != (s.N_COUNTERS, s.N_SCALARS)
        or any(saved[name].dtype != kind for name, kind in (("c", np.int64), ("p", float), ("w", float)))
        or saved["c"][s.BOUNDED] not in (0, int(row.bounds))
        or len(saved["w"]) != row.words(*(int(saved["c"][k]) for k in (s.N, s.MEMORY, s.BOUNDED, s.DENSE)))
        or (fixed is not None and np.isnan(fixed).sum() != saved["c"][s.N])
        or str(saved["search"]) not in ("", *LINE_SEARCHES)
        or saved["c"][s.PARITY] not in (0, 1)
        or not 0 <= saved["c"][s.PAIRS] <= (saved["c"][s.MEMORY] or saved["c"][s.NIT])
        or not 0 <= saved["c"][s.HEAD] < max(1, saved["c"][s.MEMORY])
    ):
        raise ValueError("state was written by another version of numopt, or is damaged; it can't be resumed")
    words = np.zeros(s.N_COUNTERS + s.N_TABLE, np.int64)
    words[: s.N_COUNTERS] = saved["c"]
    reals = np.concatenate([saved["p"], saved["w"]])
    c, p = words, reals
    check_callables(fun, jac, hess, hessp, callback)
    values, front = read_options(row, options, None, c.item(s.N) if fixed is None else fixed.size, new=False)
    for name in options or {}:
        name = OPTION_ALIASES.get(name, name)
        if name in values:
            block, slot, _, _ = OPTIONS[name]
            if (slot == s.MEMORY or (block == "c" and slot in FIXED)) and values[name] != c[slot]:
                raise ValueError(f"option {name!r} can't be changed in a run: it is {c[slot]}; got {values[name]}")
            (c if block == "c" else p)[slot] = values[name]
    check_wolfe_constants(row, p[s.C1], p[s.C2])
    c[s.STATUS], c[s.ABORT], c[s.HISTORY_ROWS], c[s.HISTORY_SIZE] = RUNNING, 0, 0, 0
    if c[s.NFEV] == 0 or (row.values_only and math.isnan(p[s.F])):
        c[s.STATUS] = NEW
    elif not (math.isfinite(p[s.F]) and (row.values_only or math.isfinite(p[s.GNORM]))):
        c[s.STATUS] = int(Status.NAN)
    elif p[s.GNORM] <= p[s.GTOL]:
        c[s.STATUS] = int(Status.GRADIENT)
    elif c[s.NIT] >= c[s.MAXITER]:
        c[s.STATUS] = int(Status.MAXITER)
    search = str(saved["search"]) or None
    args = args if isinstance(args, tuple) else (args,)
    search = front.get("line_search", search)
    return go(row, search, words, reals, front, fun, args, jac, hess, hessp, callback, fixed)
