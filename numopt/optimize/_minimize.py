"""``minimize`` and ``resume``: the front door of all methods but those of one variable."""

import ctypes

import numpy as np

from numopt.callbacks.bind import Bound
from numopt.catalog import LINE_SEARCHES, METHODS, OPTION_ALIASES, OPTIONS, default_method
from numopt.constrained_catalog import find_constrained
from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels.status import NEW, Status
from numopt.optimize._bounds import Box
from numopt.optimize._constrained import minimize_constrained
from numopt.optimize._constraints import is_empty
from numopt.optimize._first_order import FirstOrder
from numopt.optimize._given import place_given
from numopt.optimize._interrupt import TICK
from numopt.optimize._launch import launch, raise_what_ended
from numopt.optimize._options import (
    check_callables,
    check_x0,
    find_method,
    read_options,
    warn_of_unused,
)
from numopt.optimize._warn import warn
from numopt.optimize._watch import Watch, report

_EPS_SCIPY = 1.4901161193847656e-08


def minimize(fun, x0, args=(), method=None, jac=None, hess=None, hessp=None, bounds=None, constraints=(),
             tol=None, callback=None, options=None):  # fmt: skip
    """Minimize a scalar function of one or more variables.

    A drop-in for ``scipy.optimize.minimize``; the loop runs compiled, whatever the callables are.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float`` (first-order methods with the option ``n_terms``: ``fun(x, indices, *args)``, the
        mean over those terms; docs/stochastic.md): a Python function, a function compiled by ``numba.njit``, or a C
        function (``numba.cfunc``, ctypes, cffi, ``scipy.LowLevelCallable``; see :mod:`numopt.callbacks.pointers` for
        the signatures).
    x0 : array_like, shape (n,)
        The start.
    args : tuple, optional
        Extra arguments of fun, jac, hess and hessp.  For jitted functions: numbers, arrays, and tuples of them.
    method : str, optional
        A name from the table of methods (``numopt.METHODS``; with constraints those of docs/methods.md), or scipy's
        name of one of them, in any case.  Default: chosen by what is given (docs/default_method.md): Newton's method
        with ``hess``, else BFGS, or limited-memory BFGS for more than 200 variables, all of them with bounds or
        without; with constraints ``'sqp'``.  Unless ``tol`` or ``gtol`` is given, it aims at a gradient of 1e-8, or of
        1e-5 where the gradient is made of differences.
    jac : {callable, True, 'inplace', '2-point', '3-point', 'cs'}, optional
        The gradient ``jac(x, *args) -> array (n,)``; True if fun returns value and gradient; ``'inplace'`` if
        ``fun(x, g, *args)`` writes the gradient to g and returns the value, which spares a large problem an
        allocation in each evaluation; or how to take differences (``'cs'``: the complex step).  Default:
        ``'2-point'`` with scipy's absolute step.
    hess : {callable, '2-point', '3-point'}, optional
        The Hessian ``hess(x, *args) -> array (n, n)``, for the Newton methods; or differences of the gradient
        (default ``'3-point'``).  With constraints: where it is given the Hessian of the Lagrangian is used, else, and
        with scipy's ``BFGS()`` or ``SR1()``, quasi-Newton updates.
    hessp : callable, optional
        ``hessp(x, p, *args) -> array (n,)``, the Hessian times p.
    bounds : sequence of (lower, upper) pairs, or object with ``lb`` and ``ub``, optional
        ``None`` or infinite where there is no bound; ``scipy.optimize.Bounds`` is such an object.  Every point that is
        evaluated lies within them, those of differences too (``keep_feasible`` is always kept).  Variables with equal
        bounds are taken out of the problem.  An x0 outside is moved onto its bounds, with a warning.
    constraints : constraint, sequence of them, or mapping of names to them, optional
        ``scipy.optimize.LinearConstraint``, ``NonlinearConstraint``, dictionaries ``{'type': 'eq' or 'ineq', 'fun',
        'jac', 'args', 'hess', 'name'}``, :class:`Simplex` or :class:`Ball`; their functions may be of any kind that fun
        may be (docs/constrained.md).  The default method is then ``'sqp'``, and the run ends where the
        Karush-Kuhn-Tucker conditions hold: optimality within ``gtol`` (1e-7; 1e-6 with differences), violation within
        ``ctol`` (1e-8).
    tol : float, optional
        Sets ``gtol`` (and ``ftol`` where the method has one).
    callback : callable, optional
        ``callback(xk)`` or ``callback(intermediate_result)``, by the name of the parameter, after each iteration.
        ``StopIteration`` ends the run with status 99.
    options : dict, optional
        Common to all methods: ``maxiter``, ``maxfev``, ``max_time`` (seconds), ``disp``, ``history``,
        ``return_all``, ``gtol``, ``norm``, ``ftol``, ``xrtol``, ``xtol``, ``f_lower``, ``eps``,
        ``finite_diff_rel_step``; with a line search ``line_search``, ``c1``, ``c2``, ``maxls``, ``line_tol``,
        ``initial_step``; and those of the method.

    Returns
    -------
    OptimizeResult
        The best point seen, and why the run ended.

    Raises
    ------
    TypeError, ValueError
        For an argument that can't be used; nothing has been evaluated then but for its type.
    KeyboardInterrupt
        On Ctrl-C, with the best result so far as its attribute ``result``.

    Examples
    --------
    >>> import numopt
    >>> def rosen(x):
    ...     return (1 - x[0])**2 + 100 * (x[1] - x[0]**2)**2
    >>> result = numopt.minimize(rosen, [-1.2, 1.0])
    >>> result.success, result.x.round(4).tolist()
    (True, [1.0, 1.0])

    The same with a function compiled by Numba, whose loop never enters Python:

    >>> import numba
    >>> result = numopt.minimize(numba.njit(rosen), [-1.2, 1.0], method='L-BFGS-B', jac='3-point')
    >>> result.x.round(4).tolist()
    [1.0, 1.0]
    """
    return minimize_or_maximise(
        False, fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options
    )


def minimize_or_maximise(maximise, fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback,
                         options):  # fmt: skip
    """:func:`minimize`, or the same of the negative of fun."""
    if not is_empty(constraints) or (type(method) is str and method not in METHODS and find_constrained(method)):
        return minimize_constrained(
            fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options, maximise
        )
    row = find_method(method)
    x = check_x0(x0)
    size, bounded, fixed, moved = x.size, False, None, None
    if bounds is not None:
        box = Box(bounds, x)
        x, bounded, fixed, moved = box.x, box.bounded, box.fixed, box.moved
    n = x.size
    row, gtol = choose(row, n, jac, hess, hessp, bounded, bounded and box.all_fixed)
    check_callables(fun, jac, hess, hessp, callback)
    warn_of_unused(row, jac, hess, hessp, method is None)
    if not isinstance(args, tuple):
        args = (args,)
    (words, scalars), front = _read(row, options, tol, gtol, size)
    words[s.MAXIMISE] = maximise
    reals = allot(row, words, scalars, n, bounded, hess)
    reals[s.N_SCALARS : s.N_SCALARS + n] = x
    if bounded:
        words[s.BOUNDED] = 1
        reals[-3 * n : -2 * n], reals[-2 * n : -n], reals[-n:] = 1.0, box.lower, box.upper
    if not (front and place_given(row, front, words, reals, box if bounded else None, fixed)) and moved is not None:
        warn(moved)  # unless x0 has no say
    search = front.get("line_search", row.line_search)
    result = go(row, search, words, reals, front, fun, args, jac, hess, hessp, callback, fixed)
    if bounds is not None and "active_mask" not in result:
        # all of them infinite: the run knew of none
        result["active_mask"] = np.zeros(n, int)
        if not row.values_only:
            result["bound_multipliers"] = np.zeros(n)
    return result


def choose(row, n, jac, hess, hessp, bounded, all_fixed=False):
    """(row, gtol) of the method that is meant; ValueError where that one takes no bounds, and they are given."""
    if row is None:
        gradient = not (jac is None or jac is False or (type(jac) is str and jac in ("2-point", "3-point")))
        hessian = hess is not None and not isinstance(hess, str)
        return default_method(n, gradient, hessian, hessp is not None, bounded)
    if bounded and not row.bounds and not all_fixed:
        takes = ", ".join(repr(name) for name, other in METHODS.items() if other.bounds)
        raise ValueError(f"method {row.name!r} takes no bounds; those that do are {takes}")
    return row, None


def allot(row, words, scalars, n, bounded, hess):
    """Complete the integers of a fresh run for n variables; its scalars and workspace, in which x is left open."""
    if words[s.MAXITER] < 0:
        words[s.MAXITER] = row.iterations(n, words[s.N_TERMS])
    if words[s.MAXFEV] < 0:
        words[s.MAXFEV] = row.iterations(n)
    dense = row.products and hess is not None and not isinstance(hess, str)
    words[s.N], words[s.DENSE] = n, dense
    try:
        reals = np.empty(s.N_SCALARS + row.words(n, words.item(s.MEMORY), bounded, dense))
    except MemoryError as error:
        hint = " (an n x n matrix is part of it); 'lbfgs' and 'cg' need a few vectors" if row.matrices else ""
        raise MemoryError(f"method {row.name!r} with {n} variables: {error}{hint}") from None
    reals[: s.N_SCALARS] = scalars
    return reals


_NOTHING: dict = {}
_SAVED = ("method", "search", "c", "p", "w")  # and, where variables are fixed, "fixed"
_TEMPLATES: dict = {}  # what a run of plain options begins with, by method and options
_PLAIN = {int, float, bool, str}


def _read(row, options, tol, gtol, n):
    """((integers, scalars) that a run begins with, options of the front door)."""
    key = None
    if not options and tol is None:
        key = row.name, gtol
    elif tol is None and type(options) is dict and _PLAIN.issuperset(map(type, options.values())):
        key = row.name, gtol, *options.items(), *map(type, options.values())  # True is 1, and no number
    known = _TEMPLATES.get(key)
    if known is None:
        values, front = read_options(row, options, tol, n)
        if gtol is not None and tol is None and "gtol" not in (options or _NOTHING):
            values["gtol"] = gtol
        known = new_state(row, values)
        if key is None or front or not all(OPTION_ALIASES.get(name, name) in values for name in options or ()):
            return known, front
        if len(_TEMPLATES) >= 256:
            _TEMPLATES.clear()
        _TEMPLATES[key] = known
    return (known[0].copy(), known[1]), _NOTHING


def new_state(row, values):
    """The integer block (counters, then the table of addresses) and the scalars of a fresh run."""
    words, p = np.zeros(s.N_COUNTERS + s.N_TABLE, np.int64), np.zeros(s.N_SCALARS)
    words[s.STATUS], words[s.VARIANT], words[s.TRACK_BEST] = NEW, row.variant, not row.monotone
    words[s.VALUES_ONLY], p[s.FTOL_REL], words[s.MEAN_STEP] = row.values_only, -1.0, row.mean_step
    p[s.STEP_MIN], p[s.STEP_MAX], p[s.CURVATURE_MIN] = 1e-20, 1e20, 1e-10
    for name, value in values.items():
        block, slot, _, _ = OPTIONS[name]
        (words if block == "c" else p)[slot] = value
    return words, p


def bind(row, search, words, reals, front, fun, args, jac, hess, hessp, fixed):
    """Fill the table of a run; (the callables bound, what first-order methods have besides)."""
    c, table = words[: s.N_COUNTERS], words[s.N_COUNTERS :]
    p, w = reals[: s.N_SCALARS], reals[s.N_SCALARS :]
    n, bounded = c.item(s.N), c.item(s.BOUNDED)
    here, there = addressof(first_byte(words)), addressof(first_byte(reals))
    if jac is False:
        jac = None
    if row.values_only and jac is not True and jac != "inplace":
        jac = None
    extra = None
    if row.unit == "first-order":
        extra = FirstOrder(c, p, front, args, (fun, jac))
        args = extra.args
    negate = c.item(s.MAXIMISE) == 1
    if jac is None or row.second_order or row.values_only or row.diagonal or front or bounded:
        if isinstance(hess, str) or not (row.second_order or row.diagonal):
            scheme, hess = 2 if hess == "2-point" else 3, None
        else:
            scheme = 3
        steps, rel_steps = (front or _NOTHING).get("eps"), (front or _NOTHING).get("finite_diff_rel_step")
        if jac is not None:
            steps = None
        elif steps is None and rel_steps is None:
            steps = _EPS_SCIPY
        lower, upper = (w[-2 * n : -n], w[-n:]) if bounded else (None, None)
        hessians = row.second_order or (row.diagonal and not row.values_only and hess is not None)
        bound = Bound(
            fun, jac, hess, hessp if row.second_order else None, args, n, c, table, here, search == "armijo", hessians,
            steps, rel_steps, scheme, row.values_only, row.diagonal, lower, upper, fixed, negate,
        )  # fmt: skip
    else:
        bound = Bound(fun, jac, None, None, args, n, c, table, here, search == "armijo", fixed=fixed, negate=negate)
    if extra is not None:
        extra.attach(bound, table)
    if search:
        c[s.LINE_SEARCH], unit = LINE_SEARCHES[search]
        table[s.A_SEARCH] = units.address(unit)
    table[s.A_TICK], table[s.A_C], table[s.A_P] = TICK, here, there
    table[s.A_W], table[s.A_W_SIZE] = there + 8 * s.N_SCALARS, w.size
    return bound, extra


def go(row, search, words, reals, front, fun, args, jac, hess, hessp, callback, fixed):
    """Bind, run, report."""
    bound, extra = bind(row, search, words, reals, front, fun, args, jac, hess, hessp, fixed)
    c, table, p, w = words[: s.N_COUNTERS], words[s.N_COUNTERS :], reals[: s.N_SCALARS], reals[s.N_SCALARS :]
    address = addressof(first_byte(words)) + 8 * s.N_COUNTERS
    run = units.function(row.unit_for(c.item(s.BOUNDED)))  # compiled now, if need be: that is no part of max_time
    watch = None
    if front or callback is not None:
        watch = Watch(row, search, c, p, w, table, address, front, callback, fixed)
    launch(run, c, p, address, front.get("max_time") if front else None, watch)
    result = report(row, search, c, p, w, fixed) if watch is None else watch.result()
    flaws = c.item(s.HESSIAN_FLAWS)
    if flaws:
        c[s.HESSIAN_FLAWS] = 0
        if flaws & 1:
            warn("hess returned a matrix that is not symmetric; its symmetric part was used")
        if flaws & 2:
            warn(f"{'hess' if hess is not None else 'hessp'} returned NaN or inf; steps were taken without it there")

    def errors():
        for source in (watch, extra, bound.python):
            if source is not None and source.error is not None:
                return source.error
        return bound.error(w) if result["status"] is Status.FAILED else None

    raise_what_ended(result, c, errors)
    return result


# three times as fast as ndarray.ctypes.data
addressof, first_byte = ctypes.addressof, ctypes.c_byte.from_buffer
