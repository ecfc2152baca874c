"""``minimize`` with constraints: read, look up, run."""

import numpy as np

from numopt.callbacks.bind import SCHEMES
from numopt.kernels import constrained_slots as k
from numopt.kernels import slots as s
from numopt.optimize._bounds import Box, expand
from numopt.optimize._constrained_options import read_options, row_for_constraints
from numopt.optimize._constrained_run import MAXIMISE, ConstrainedRun, new_constrained_state
from numopt.optimize._constraints import is_empty, is_update, measure, read_constraints
from numopt.optimize._options import check_callables, check_x0
from numopt.optimize._warn import warn


class Problem:
    """The user's functions, arguments and constraints, as one run holds them.

    Attributes
    ----------
    fun, args, jac, hess, hessp
        As given.
    parts : list of Constraint
    named : bool
        Whether the constraints were given by name.
    fixed : ndarray or None
        The values of fixed variables, NaN for the free ones.
    start : ndarray
        x over all variables, where the constraints were first looked at.
    more : dict
        What a saved state says of the constraints: names, numbers of rows, limits.
    """

    def __init__(self, fun, args, jac, hess, hessp, parts, named, fixed, start):
        self.fun, self.args, self.jac, self.hess, self.hessp = fun, args, jac, hess, hessp
        self.parts, self.named, self.fixed, self.start = parts, named, fixed, start
        ends = np.cumsum([0, *(part.rows for part in parts)]).tolist()
        self.ends = list(zip(ends[:-1], ends[1:], strict=True))
        self.m = ends[-1]
        self.more = {
            "names": np.array([part.name for part in parts], str), "rows": np.array([part.rows for part in parts]),
            "named": np.array(named), "lower": self._all("lower"), "upper": self._all("upper"),
        }  # fmt: skip

    def _all(self, side):
        return np.concatenate([getattr(part, side) for part in self.parts] or [np.empty(0)]).astype(float)

    def split(self, rows, x=None):
        """Values of all rows by constraint: a list, or a dict where they were given by name."""
        found = [rows[a:b].copy() for a, b in self.ends]
        return dict(zip((part.name for part in self.parts), found, strict=True)) if self.named else found

    def row_label(self, i):
        """How messages speak of a row."""
        for part, (a, b) in zip(self.parts, self.ends, strict=True):
            if i < b:
                return part.label if b - a == 1 else f"{part.label}, row {i - a}"
        return f"row {i}"


def wants_hessian(row, jac, hess, hessp, parts):
    """Whether the run asks for the Hessian of the Lagrangian: it is given, or may be made of exact gradients."""
    if row.second_order:
        return True
    curved = [part for part in parts if part.fun is not None]
    given = hess is not None or hessp is not None or any(part.hess is not None for part in curved)
    if not given or not row.hessian or is_update(hess):
        return False
    if (hess is None or isinstance(hess, str)) and hessp is None and _by_differences(jac):
        return False
    return not any(part.jac in SCHEMES for part in curved if not callable(part.hess) and isinstance(part.jac, str))


def _by_differences(jac):
    return jac is None or jac is False or (isinstance(jac, str) and jac in SCHEMES)


def minimize_constrained(fun, x0, args=(), method=None, jac=None, hess=None, hessp=None, bounds=None, constraints=(),
                         tol=None, callback=None, options=None, maximise=False):  # fmt: skip
    """``minimize`` where constraints are given, or the method is one for them."""
    row = row_for_constraints(method)
    x = check_x0(x0)
    size, n = x.size, x.size
    fixed, moved = None, None
    if bounds is not None:
        box = Box(bounds, x)
        x, lower, upper, fixed, moved = box.x, box.lower, box.upper, box.fixed, box.moved
        n = x.size
    if is_update(hess):
        checked = None
    else:
        checked = hess
    check_callables(fun, jac, checked, hessp, callback)
    args = args if isinstance(args, tuple) else (args,)
    scheme = jac if isinstance(jac, str) and jac in ("2-point", "3-point", "cs") else "2-point"
    parts, named = ([], False) if is_empty(constraints) else read_constraints(constraints, scheme)
    start = expand(x, fixed, fixed)
    measure(parts, start)
    problem = Problem(fun, args, jac, None if is_update(hess) else hess, hessp, parts, named, fixed, start)
    m = problem.m
    _check_what_the_method_takes(row, problem, bounds is not None and box.bounded)
    _check_counts(problem, n)
    differences = _by_differences(jac) or any(isinstance(part.jac, str) and part.jac in SCHEMES for part in parts)
    values, front = read_options(row, method, options, tol, size, differences, maximise)
    exact = wants_hessian(row, jac, hess, hessp, parts)
    if moved is not None:
        warn(moved)
    _check_kept(parts, start)
    words, scalars = new_constrained_state(row, values)
    words[s.N], words[k.M], words[k.EXACT_HESSIAN], words[MAXIMISE] = n, m, exact, maximise
    reals = np.zeros(s.N_SCALARS + row.words(n, m))
    reals[: s.N_SCALARS] = scalars
    w = reals[s.N_SCALARS :]
    w[:n] = x
    rows = (s.N_COMMON + 3) * n
    if m:
        w[rows + 6 * m : rows + 7 * m] = problem.more["lower"]
        w[rows + 7 * m : rows + 8 * m] = problem.more["upper"]
        w[rows + 8 * m : rows + 9 * m] = problem._all("keep")
    w[-3 * n : -2 * n], w[-2 * n : -n], w[-n:] = 1.0, -np.inf, np.inf
    if bounds is not None:
        w[-2 * n : -n], w[-n:] = lower, upper
    return ConstrainedRun(row, words, reals, problem, exact, front).go(callback)


def _check_what_the_method_takes(row, problem, bounded):
    from numopt.constrained_catalog import CONSTRAINED

    parts = problem.parts
    if row.equalities_only:
        others = ", ".join(repr(o.name) for o in CONSTRAINED.values() if not (o.equalities_only or o.linear_sets))
        if bounded:
            raise ValueError(f"method {row.name!r} takes no bounds; those that do are {others}")
        for part in parts:
            if (part.lower != part.upper).any():
                raise ValueError(
                    f"method {row.name!r} takes equality constraints only, and {part.label} is an inequality; "
                    f"those that take both are {others}"
                )


def _check_counts(problem, n):
    equalities = problem.more["lower"] == problem.more["upper"]
    count = int(equalities.sum())
    if count > n:
        raise ValueError(
            f"constraints: there are more equality constraints ({count} rows) than variables that are free to move ({n})"
        )


def _check_kept(parts, x):
    """ValueError where x0 violates what no point may."""
    for part in parts:
        if part.keep.any():
            c = part.first if part.first is not None else part.evaluate(x)
            bad = part.keep.astype(bool) & ((c < part.lower) | (c > part.upper))
            if bad.any():
                i = int(np.flatnonzero(bad)[0])
                where = f" in row {i}" if part.rows > 1 else ""
                raise ValueError(
                    f"{part.label}: with keep_feasible x0 must satisfy it{where}; there it is {c[i]:g}, "
                    f"outside of ({part.lower[i]:g}, {part.upper[i]:g})"
                )
