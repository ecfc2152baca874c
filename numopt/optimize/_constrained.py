"""``minimize`` with constraints: read, look up, run."""

import numpy as np

from numopt.callbacks.bind import SCHEMES
from numopt.constrained_catalog import CONSTRAINED, CONSTRAINED_OPTIONS
from numopt.kernels import constrained_slots as k
from numopt.kernels import slots as s
from numopt.kernels.status import NEW, RUNNING, Status
from numopt.optimize._bounds import Box, expand
from numopt.optimize._constrained_checks import check_counts, check_kept, variant_for, without_redundant
from numopt.optimize._constrained_options import read_options, row_for_constraints
from numopt.optimize._constrained_plan import LARGEST, give_back, key_of, options_are_plain, take
from numopt.optimize._constrained_run import ConstrainedRun, new_constrained_state
from numopt.optimize._constraints import as_list, is_empty, is_update, read_constraints, with_simplex
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
    inner, index : list of Constraint, ndarray or None
        The constraints without redundant rows, and the place of each of their rows among all.
    more : dict
        What a saved state says of the constraints: names, numbers of rows, limits.
    """

    def __init__(self, fun, args, jac, hess, hessp, parts, named, fixed, start, inner, index):
        self.fun, self.args, self.jac, self.hess, self.hessp = fun, args, jac, hess, hessp
        self.parts, self.named, self.fixed, self.start = parts, named, fixed, start
        self.inner, self.index = inner, index
        self.names, self.labels = [part.name for part in parts], [part.label for part in parts]
        self.ends, self.m_given = [], 0
        for part in parts:
            self.ends.append((self.m_given, self.m_given + part.rows))
            self.m_given += part.rows
        self.m = self.m_given if index is None else index.size
        self.more = {
            "constraint_names": np.array(self.names, str),
            "constraint_rows": np.array([part.rows for part in parts], int),
            "constraint_lower": _all(parts, "lower"),
            "constraint_upper": _all(parts, "upper"),
        }

    def inner_rows(self, side):
        """Limits, or marks of keep_feasible, of the rows that the run sees."""
        return _all(self.inner, side)

    def let_go(self):
        """Hold on to nothing of the user's."""
        self.fun = self.jac = self.hess = self.hessp = self.args = None
        self.parts = self.inner = []

    def split(self, rows, x=None):
        """Values of all rows by constraint: a list, or a dict where they were given by name.

        ``x``: the point (the free variables) whose values they are; None for multipliers.
        """
        if self.index is not None:
            whole = np.zeros(self.m_given)
            if x is not None:
                whole = np.concatenate([
                    np.zeros(part.rows) if part.A is None else part.A @ expand(x, self.fixed, self.fixed)
                    for part in self.parts
                ])  # fmt: skip
            whole[self.index] = rows
            rows = whole
        found = [rows[a:b].copy() for a, b in self.ends]
        return dict(zip(self.names, found, strict=True)) if self.named else found

    def row_label(self, i):
        """How messages speak of a row of the run's."""
        i = i if self.index is None else int(self.index[i])
        for label, (a, b) in zip(self.labels, self.ends, strict=True):
            if i < b:
                return label if b - a == 1 else f"{label}, row {i - a}"
        return f"row {i}"


def _all(parts, side):
    return np.concatenate([part.filled(side) for part in parts] or [np.empty(0)])


def wants_hessian(row, jac, hess, hessp, parts):
    """Whether the run asks for the Hessian of the Lagrangian.

    The objective's is given, or asked for by name, and so are the constraints' or they can be made of exact Jacobians.
    """
    if row.second_order:
        return True
    curved = [part for part in parts if part.fun is not None]
    if (hess is None and hessp is None) or is_update(hess) or not row.hessian:
        return False
    if isinstance(hess, str) and hessp is None and _by_differences(jac):
        return False
    return not any(part.jac in SCHEMES for part in curved if not callable(part.hess) and isinstance(part.jac, str))


def _by_differences(jac):
    return jac is None or jac is False or (isinstance(jac, str) and jac in SCHEMES)


def _read(constraints, start, jac):
    """(constraints, whether they were given by name)."""
    if is_empty(constraints):
        return [], False
    return read_constraints(constraints, start, jac if type(jac) is str and jac != "inplace" else "2-point")


def minimize_constrained(fun, x0, args=(), method=None, jac=None, hess=None, hessp=None, bounds=None, constraints=(),
                         tol=None, callback=None, options=None, maximise=False):  # fmt: skip
    """``minimize`` where constraints are given, or the method is one for them."""
    row = row_for_constraints(method)
    x = check_x0(x0)
    size, lower, upper, fixed, bounded = x.size, None, None, None, False
    update = is_update(hess)
    check_callables(fun, jac, None if update else hess, hessp, callback)
    args = args if isinstance(args, tuple) else (args,)
    constraints = as_list(constraints)
    bounds = with_simplex(constraints, bounds, size)
    if bounds is not None:
        box = Box(bounds, x)
        x, lower, upper, fixed, bounded = box.x, box.lower, box.upper, box.fixed, box.bounded
        if box.moved is not None:
            warn(box.moved)
    start = x if fixed is None else expand(x, fixed, fixed)
    parts, named = _read(constraints, start, jac)
    key = None
    if fixed is None and callback is None and not (bounds is not None and box.all_fixed):
        key = key_of(method, x.size, (fun, jac, hess, hessp), args, parts, named, tol, options, bounded, maximise)
        found = take(key)
        if found is not None:
            found.set_back(x, lower, upper, fun, args, jac, hess, hessp, parts)
            return give_back(key, found)
    n = x.size
    variant = variant_for(row, parts, bounded)
    inner, index = without_redundant(parts, fixed)
    check_counts(inner, n)
    problem = Problem(fun, args, jac, None if update else hess, hessp, parts, named, fixed, start, inner, index)
    differences = _by_differences(jac) or any(isinstance(part.jac, str) and part.jac in SCHEMES for part in parts)
    values, front = read_options(row, method, options, tol, size, differences)
    kept = check_kept(parts, start)
    exact = wants_hessian(row, jac, hess, hessp, parts)
    if not row.hessian and (hess is not None or hessp is not None):
        warn(f"method {row.name!r} makes no use of {'hess' if hess is not None else 'hessp'}")
    words, scalars = new_constrained_state(row, values)
    m = problem.m
    words[s.N], words[k.M], words[k.EXACT_HESSIAN], words[s.MAXIMISE] = n, m, exact, maximise
    words[s.VARIANT] = variant
    reals = np.zeros(s.N_SCALARS + row.words(n, m))
    reals[: s.N_SCALARS] = scalars
    w = reals[s.N_SCALARS :]
    w[:n] = x
    rows = (s.N_COMMON + 3) * n
    if m:
        w[rows + 6 * m : rows + 7 * m] = problem.inner_rows("lower")
        w[rows + 7 * m : rows + 8 * m] = problem.inner_rows("upper")
        if kept:
            w[rows + 8 * m : rows + 9 * m] = problem.inner_rows("keep")
    w[-3 * n : -2 * n], w[-2 * n : -n], w[-n:] = 1.0, -np.inf, np.inf
    if bounds is not None:
        w[-2 * n : -n], w[-n:] = lower, upper
    run = ConstrainedRun(row, words, reals, problem, exact, front)
    other = front or not row.hessian or kept or index is not None or not options_are_plain(method, options, values)
    if key is None or other or reals.size > LARGEST:
        return run.go(callback)
    run.keep_template()
    return give_back(key, run)


def resume_constrained(saved, fun, args, jac, hess, hessp, constraints, callback, options):
    """Go on with a run with constraints; ``saved``: its arrays by name."""
    row, fixed = CONSTRAINED[str(saved["method"])], saved.get("fixed")
    if not _sound(row, saved, fixed):
        raise ValueError("state was written by another version of numopt, or is damaged; it can't be resumed")
    words = np.zeros(s.N_COUNTERS + s.N_TABLE, np.int64)
    words[: s.N_COUNTERS] = saved["c"]
    reals = np.concatenate([saved["p"], saved["w"]])
    c, p, w, n = words, reals, reals[s.N_SCALARS :], words.item(s.N)
    update = is_update(hess)
    check_callables(fun, jac, None if update else hess, hessp, callback)
    at = s.X0 + c.item(s.PARITY)
    start = expand(w[at * n : (at + 1) * n].copy(), fixed, fixed)
    parts, named = _read(constraints, start, jac)
    inner, index = without_redundant(parts, fixed)
    args = args if isinstance(args, tuple) else (args,)
    problem = Problem(fun, args, jac, None if update else hess, hessp, parts, named, fixed, start, inner, index)
    for name, what in (("rows", "numbers of rows"), ("lower", "lower limits"), ("upper", "upper limits")):
        before, now = saved[f"constraint_{name}"], problem.more[f"constraint_{name}"]
        if not np.array_equal(before, now):
            raise ValueError(
                f"constraints must be those of the saved run; their {what} were {before.tolist()}, now {now.tolist()}"
            )
    given, front = read_options(row, None, options, None, start.size, False)
    for name in options or {}:
        if name in given:
            block, slot, _, _ = CONSTRAINED_OPTIONS[name]
            (c if block == "c" else p)[slot] = given[name]
    c[s.STATUS], c[s.ABORT], c[s.HISTORY_ROWS], c[s.HISTORY_SIZE] = RUNNING, 0, 0, 0
    if c[s.NIT] == 0:
        c[s.STATUS], c[s.IDLE] = NEW, 0  # from the start, which may not have been seen whole
    elif p[k.VIOLATION] <= p[k.CTOL] and p[s.GNORM] <= p[s.GTOL]:
        c[s.STATUS] = int(Status.KKT)
    elif c[s.NIT] >= c[s.MAXITER]:
        c[s.STATUS] = int(Status.MAXITER)
    return ConstrainedRun(row, words, reals, problem, bool(c[k.EXACT_HESSIAN]), front).go(callback)


def _sound(row, saved, fixed):
    """Whether the arrays are such as a run leaves behind."""
    c, p, w = saved["c"], saved["p"], saved["w"]
    if c.shape != (s.N_COUNTERS,) or p.shape != (s.N_SCALARS,) or w.ndim != 1:
        return False
    if c.dtype != np.int64 or p.dtype != float or w.dtype != float:
        return False
    n, m = int(c[s.N]), int(c[k.M])
    return bool(
        n > 0
        and m >= 0
        and w.size == row.words(n, m)
        and c[s.PARITY] in (0, 1)
        and (fixed is None or np.isnan(fixed).sum() == n)
        and {"constraint_rows", "constraint_lower", "constraint_upper"} <= set(saved)
    )
