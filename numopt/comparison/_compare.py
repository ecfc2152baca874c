"""``compare``: chosen solvers against scipy's, on the same problems, callables and tolerances."""

import difflib
import functools
import statistics
import time

import numpy as np

from numopt import problems as library
from numopt.catalog import METHODS
from numopt.comparison import _constrained as constrained
from numopt.comparison import _nist as nist
from numopt.comparison._progress import Progress
from numopt.comparison._report import Comparison, Outcome, Run
from numopt.comparison._suites import of_suite, reference_with_bounds, suite_of, takes_bounds
from numopt.comparison._timing import measure
from numopt.comparison._traces import traces_of
from numopt.optimize._options import find_method

CALLERS = ("jitted", "python")
# problems with constraints have a form and a certificate of their own
_LIBRARY = tuple(group for group in library.GROUPS if group != "constrained")
GROUPS = ("default", "all", *_LIBRARY)
SCALES = (1, 10, 100)
DEFAULT_METHODS = ("bfgs", "cg", "l-bfgs-b")
DEFAULT_PROBLEMS = (
    "rosenbrock",
    "beale",
    "helical_valley",
    "wood",
    "brown_dennis",
    "biggs_exp6",
    "extended_rosenbrock",
    "data",
)

# up to so many variables BLAS takes one thread whatever is allowed: one setting is all there is to measure
_ONE_THREAD_UP_TO = 32
# the workspace above which a method is not tried: n x n matrices of large problems
_MOST_BYTES = 2**31


def compare(problems=None, methods=None, scale=1, repeat=5, callers=CALLERS, progress=False, suite=None, traces=False):
    """Run our solvers and scipy's side by side.

    Both get the same function (value and gradient in one call, ``jac=True``; the value alone for methods that
    have no use for gradients), the same start and the default tolerances of scipy's method, and are timed in turn:
    with the threads that BLAS takes by default, and with one (up to 32 variables with one only).  Threads make scipy's
    BFGS faster on large problems and its L-BFGS-B much slower: each is credited with what suits it better.

    Parameters
    ----------
    problems : str or list of str, optional
        Names of problems, and of groups of them: ``'mgh'``, ``'bounds'``, ``'scalable'``, ``'surfaces'``,
        ``'data'``, ``'all'``, ``'default'``.  Default: ``'default'``, a selection that takes about a minute.
        With the suite ``nist``: names of its data sets, folders of NIST's files, and files (``*.dat``, which need no
        suite beside them).
    methods : str or list of str, optional
        Names as for :func:`numopt.minimize`, with the suite ``nist`` as for :func:`numopt.least_squares`.  Each is
        compared with scipy's method of the same name, or else with scipy's nearest relative; where there is none, it
        runs alone.  Default: BFGS, CG and L-BFGS-B.
    scale : {1, 10, 100}, optional
        Factor on the usual start of each problem: the larger, the farther away and the harder.
    repeat : int, optional
        Calls to take the median time of, after the first one.  Runs of microseconds are repeated more often,
        and runs of seconds less.
    callers : sequence of {'jitted', 'python'}, optional
        Which kind of callable to hand to both: compiled by ``numba.njit``, or plain Python.
    progress : bool, optional
        Show a progress bar on stderr.
    suite : {'mgh', 'bounds', 'scalable', 'data', 'nist', 'constrained'}, optional
        The group of problems of this name, with the methods that fit it unless ``methods`` names others.  ``'nist'``:
        least squares on NIST's data sets from both starts, with the correct digits of parameters and residuals.
        ``'constrained'``: beside SLSQP and trust-constr, at tolerances that reach what counts as solved; problems
        without a solution count as solved where the verdict is right.
    traces : bool, optional
        Record how the value falls, in one more run of each solver that is not timed: for convergence curves.

    Returns
    -------
    Comparison
        ``runs``, ``summary()``, ``to_json()``, ``to_csv()``, ``table()``, ``to_html()``, ``save_plots(folder)``.

    Raises
    ------
    ValueError
        For a problem, method, suite or caller that isn't known.
    """
    suite = suite_of(suite, problems)
    names, rows = check_names(problems, methods, suite, scale)
    chosen = _listed(callers, CALLERS, "callers")
    for name in chosen:
        if name not in CALLERS:
            raise ValueError(_unknown("caller", name, CALLERS))
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(map(str, SCALES))}; got {scale!r}")
    if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1:
        raise ValueError(f"repeat must be an integer of at least 1; got {repeat!r}")

    from numopt.comparison._system import Load, versions

    started, load = time.perf_counter(), Load()
    with Progress(progress, len(names) * len(rows) * len(chosen)) as bar:
        if suite == "nist":
            runs, skipped, curves = nist.run(names, rows, chosen, repeat, traces, bar)
            names, rows = [case.name for case in names], [row for row, _ in rows]
        elif suite == "constrained":
            runs, skipped, curves = constrained.run(names, rows, chosen, repeat, bar)
            names, rows = [case.name for case in names], [row for row, _ in rows]
        else:
            runs, skipped, curves = _run(names, rows, scale, chosen, repeat, traces, bar)
    settings = {
        "suite": suite,
        "problems": names,
        "methods": list(dict.fromkeys(row.name for row in rows)),
        "callers": chosen,
        "scale": scale,
        "repeat": repeat,
        "total_seconds": round(time.perf_counter() - started, 3),
        "other_processes": load.of_others(),
        **versions(),
    }
    return Comparison(runs, settings, skipped, curves)


def _run(names, rows, scale, callers, repeat, traces, bar):
    """(runs, what was skipped, convergence curves) of all problems and methods."""
    runs, skipped, curves = [], [], []
    for name in names:
        bar.show(name)
        problem = library.get(name, scale=scale)
        for row in rows:
            words = row.words(problem.n, int(row.defaults.get("maxcor", 10)))
            if 8 * words > _MOST_BYTES:
                gib = 8 * words / 2**30
                skipped.append(f"{name} (n = {problem.n}) with {row.name}: it would take {gib:.1f} GiB")
                bar.step(len(callers))
                continue
            if getattr(problem, "bounds", None) is not None and not takes_bounds(row):
                skipped.append(f"{name} with {row.name}: the method takes no bounds")
                bar.step(len(callers))
                continue
            for caller in callers:
                bar.show(f"{name} · {row.name} · {caller}")
                runs.append(_pair(problem, row, caller, repeat))
                bar.step(1)
            if traces:
                bar.show(f"{name} · {row.name} · its curve")
                curves += _curves(problem, row)
    return runs, skipped, curves


def check_names(problems, methods, suite=None, scale=1):
    """(names of problems, rows of the methods' catalogue) for what the user named.

    With the suites ``nist`` and ``constrained``: (cases, pairs of a row and a method of scipy's).

    ValueError for what isn't known, and where no method takes any of the problems.
    """
    name = suite_of(suite, problems)
    own = {"nist": nist, "constrained": constrained}.get(name or "")
    if own is not None:
        if scale != 1:
            raise ValueError(
                f"the problems of suite {name!r} have starts of their own; leave scale at 1, not {scale!r}"
            )
        return own.find_cases(problems), own.find_pairs(methods)
    problems, methods = of_suite(suite, problems, methods)
    rows = [find_method(name) for name in _listed(methods, DEFAULT_METHODS, "methods")]
    names = find_problems(problems)
    if not any(takes_bounds(row) for row in rows):
        if all(getattr(library.get(name), "bounds", None) is not None for name in names):
            raise ValueError(f"nothing to compare: no method of {', '.join(row.name for row in rows)} takes bounds")
    return names, list({row.name: row for row in rows}.values())


def find_problems(wanted):
    """Names of problems for names and groups, each once.

    Parameters
    ----------
    wanted : str or list of str or None

    Returns
    -------
    list of str
    """
    known = [name for group in _LIBRARY for name in library.names(group)]
    found: list[str] = []
    todo = _listed(wanted, ("default",), "problems")
    while todo:
        given = todo.pop(0)
        name = given.lower().replace("-", "_")
        if name in known:
            found.append(name)
        elif name == "all":
            found += known
        elif name == "default":
            todo = [*DEFAULT_PROBLEMS, *todo]
        elif name in GROUPS:
            found += library.names(name)
        else:
            where = f"groups are {', '.join(GROUPS)}, and numopt.problems.names() lists all"
            raise ValueError(_unknown("problem", given, [*GROUPS, *known], where))
    return list(dict.fromkeys(found))


def reference_of(row, bounded=False):
    """scipy's method to compare with: the equal, or else that of the same family; None if there is none."""
    name = row.scipy
    if name is None:
        name = next((other.scipy for other in METHODS.values() if other.unit == row.unit and other.scipy), None)
    return reference_with_bounds(name) if bounded else name


def _listed(given, default, what):
    """A non-empty list of names from a name, a sequence of names, or None."""
    if given is None:
        return list(default)
    found = [given] if isinstance(given, str) else list(given)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"{what} must be names; got {name!r}")
    if not found:
        raise ValueError(f"{what} is empty; name at least one")
    return found


def _unknown(what, name, known, where=None):
    close = difflib.get_close_matches(name.lower().replace("-", "_"), known, 3)
    if close:
        return f"unknown {what} {name!r}; did you mean {' or '.join(map(repr, close))}?"
    return f"unknown {what} {name!r}; {where or 'known are ' + ', '.join(known)}"


@functools.lru_cache(maxsize=2)
def _hessian(fun, jit):
    """The Hessian by central differences of the gradient, the same function for both sides and all methods."""

    def hess(x):
        n = x.size
        H = np.empty((n, n))
        for j in range(n):
            h = 6e-6 * max(1.0, abs(x[j]))
            up, down = x.copy(), x.copy()
            up[j] += h
            down[j] -= h
            H[j] = (fun(up)[1] - fun(down)[1]) / (up[j] - down[j])
        return 0.5 * (H + H.T)

    if jit:
        import numba

        return numba.njit(hess)
    return hess


def _values_of(fun):
    """The values alone of a function that returns them with gradients."""

    def value(x):
        return fun(x)[0]

    return value


def _solvers(problem, row, fun, jit):
    """(ours, scipy's, scipy's name or None): ours takes options, scipy's another function that is to be called."""
    import scipy.optimize

    import numopt

    bounds = getattr(problem, "bounds", None)
    extra = {"jac": True}
    objective = fun
    if getattr(row, "values_only", False):
        # a method that has no use for gradients is not made to wait for them
        extra, objective = {}, problem.fun if jit else _values_of(fun)
    if row.second_order:
        extra["hess"] = _hessian(fun, jit)
    if bounds is not None:
        extra["bounds"] = [(float(low), float(high)) for low, high in bounds]
    start, name = problem.x0, reference_of(row, bounds is not None)

    def ours(options=None):
        return numopt.minimize(objective, start.copy(), method=row.name, options=options, **extra)

    def reference(recorder=None):
        called = objective if recorder is None else recorder if "jac" in extra else _values_of(recorder)
        return scipy.optimize.minimize(called, start.copy(), method=name, **extra)

    return ours, reference, name


def _pair(problem, row, caller, repeat):
    """Our solver and scipy's on one problem."""
    fun = problem.fun_and_grad if caller == "jitted" else problem.python_fun_and_grad
    *solvers, name = _solvers(problem, row, fun, caller == "jitted")
    solvers = solvers[:1] if name is None else solvers
    measured = measure(solvers, repeat, problem.n <= _ONE_THREAD_UP_TO)
    outcomes = [_outcome(problem, fun, *timed) for timed in measured]
    return Run(problem.name, problem.n, row.name, name, caller, *outcomes, *([None] * (2 - len(outcomes))))


def _curves(problem, row):
    """How the value falls with our solver and with scipy's."""
    ours, reference, name = _solvers(problem, row, problem.fun_and_grad, True)
    return traces_of(problem, row.name, name, ours, reference)


def _outcome(problem, fun, result, first, timings):
    """What is kept of a solver's calls."""
    if isinstance(result, Exception):
        return Outcome.raised(result, first)
    with np.errstate(all="ignore"):
        # not the solver's word: two solvers may stop by different norms, or at a gradient of another point
        x = np.array(result.x, dtype=np.float64)
        value, gradient = fun(x)
    value, optimality = float(value), problem.optimality(x, gradient)
    medians = {threads: statistics.median(seconds) for threads, seconds in timings.items()}
    threads = min(medians, key=lambda each: medians[each])
    return Outcome(
        value=value,
        optimality=optimality,
        nfev=int(result.nfev),
        nit=int(result.get("nit", 0)),
        seconds=medians[threads],
        first_call_seconds=first,
        repeats=len(timings[threads]),
        blas_threads=threads,
        status=int(result.status),
        message=str(result.message),
        solved=bool(problem.solved(value, optimality, x)),
        nhev=int(result.get("nhev", 0)),
    )
