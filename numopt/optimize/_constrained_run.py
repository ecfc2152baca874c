"""One run with constraints: its blocks, its callables, its result."""

import ctypes

import numpy as np

from numopt.callbacks.bind import Bound, address_of_array
from numopt.callbacks.constraints import BoundConstraints
from numopt.constrained_catalog import CONSTRAINED_OPTIONS
from numopt.drivers import units
from numopt.kernels import constrained_slots as k
from numopt.kernels import slots as s
from numopt.kernels.status import NEW, RUNNING, Status
from numopt.optimize._bounds import active_bounds, expand
from numopt.optimize._constrained_checks import inconsistent_rows
from numopt.optimize._constrained_report import ConstrainedResult
from numopt.optimize._inner import Inner
from numopt.optimize._interrupt import TICK
from numopt.optimize._kkt import relative_violation, residuals
from numopt.optimize._launch import launch, raise_what_ended
from numopt.optimize._warn import warn
from numopt.optimize._watch import Watch, takes_state
from numopt.result import OptimizeResult

_STATUS = {int(status): (status, status.success, status.message) for status in Status}
_STATUS[NEW] = _STATUS[RUNNING] = _STATUS[int(Status.INTERRUPTED)]
_AT_CURRENT = {int(Status.KKT), int(Status.FTOL), int(Status.XTOL)}
_CALL = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 5)


def new_constrained_state(row, values):
    """The integer block (counters, then the table of addresses) and the scalars of a fresh run."""
    words, p = np.zeros(s.N_COUNTERS + s.N_TABLE, np.int64), np.zeros(s.N_SCALARS)
    words[s.STATUS], words[s.VARIANT], words[s.BOUNDED] = NEW, row.variant, 1
    for name, value in values.items():
        block, slot, _, _ = CONSTRAINED_OPTIONS[name]
        (words if block == "c" else p)[slot] = value
    return words, p


_NEAR = 1e-6  # of a bound, relative to max(1, its size)
_FEW = 16  # numbers for which a loop in Python takes less time than NumPy's functions


def _largest_violation(c, lower, upper):
    """The largest violation, absolute."""
    if c.size > _FEW:
        return float(np.maximum(lower - c, c - upper).max())
    return max([max(a - v, v - b) for v, a, b in zip(c.tolist(), lower.tolist(), upper.tolist(), strict=True)])


def _active(x, lower, upper, z):
    """-1 at the lower bound, 1 at the upper, 2 where they are equal, else 0.

    Interior points are at no bound.  One counts as active where x is near it and nearer than its multiplier is to 0.
    """
    if x.size > _FEW:
        with np.errstate(invalid="ignore"):
            down = np.minimum(_NEAR * np.maximum(1.0, np.abs(lower)), np.maximum(z, 0.0))
            up = np.minimum(_NEAR * np.maximum(1.0, np.abs(upper)), np.maximum(-z, 0.0))
            return active_bounds(np.where(x - lower <= down, lower, np.where(upper - x <= up, upper, x)), lower, upper)
    found = []
    for v, a, b, m in zip(x.tolist(), lower.tolist(), upper.tolist(), z.tolist(), strict=True):
        if a == b:
            found.append(2)
        elif v <= a or (m > 0.0 and v - a <= min(m, _NEAR * max(1.0, abs(a)))):
            found.append(-1)
        else:
            found.append(int(v >= b or (m < 0.0 and b - v <= min(-m, _NEAR * max(1.0, abs(b))))))
    return np.array(found, int)


class ConstrainedRun:
    """A run that is about to begin, or to go on.

    Parameters
    ----------
    row : ConstrainedMethod
    words, reals : ndarray
        Counters and table; scalars and workspace, complete but for what is bound here.
    problem : Problem
        The user's functions and constraints.
    exact : bool
        Whether the Hessian of the Lagrangian will be asked for.
    front : dict
        Options of the front door.
    """

    def __init__(self, row, words, reals, problem, exact, front):
        self.row, self.words, self.reals, self.problem, self.front = row, words, reals, problem, front
        self.c, self.table = words[: s.N_COUNTERS], words[s.N_COUNTERS :]
        self.p, self.w = reals[: s.N_SCALARS], reals[s.N_SCALARS :]
        self.n, self.m, self.fixed = self.c.item(s.N), self.c.item(k.M), problem.fixed
        self.here, there = address_of_array(words), address_of_array(reals)
        self.address = self.here + 8 * s.N_COUNTERS
        table, w, n = self.table, self.w, self.n
        self.lower, self.upper = w[-2 * n : -n], w[-n:]
        self.all_fixed = bool((self.lower == self.upper).all())
        self._bind(exact)
        table[s.A_TICK], table[s.A_C], table[s.A_P] = TICK, self.here, there
        table[s.A_W], table[s.A_W_SIZE] = there + 8 * s.N_SCALARS, w.size
        if row.inner:
            self.inner = Inner(row, n)
            table[s.A_SEARCH] = self.inner.address

    def _bind(self, exact):
        problem, front = self.problem, self.front
        hess, jac, scheme = problem.hess, problem.jac, 3
        if isinstance(hess, str):
            scheme, hess = 2 if hess == "2-point" else 3, None
        steps, rel_steps = front.get("eps"), front.get("finite_diff_rel_step")
        if jac is None or jac is False:
            jac = "2-point"
        self.bound = Bound(
            problem.fun, jac, hess if exact else None, problem.hessp if exact else None, problem.args, self.n, self.c,
            self.table, self.here, True, exact, steps, rel_steps, scheme, lower=self.lower, upper=self.upper,
            fixed=self.fixed, negate=bool(self.c[s.MAXIMISE]),
        )  # fmt: skip
        self.constraints = BoundConstraints(
            problem.inner, problem.start, self.n, self.fixed, self.c, self.table, self.here, self.lower, self.upper,
            steps, self.bound.composite if exact else None, scheme,
        )  # fmt: skip

    # --- the same blocks for other runs

    def keep_template(self):
        """Keep what the blocks begin with, so that :meth:`set_back` can bring it back."""
        self.template = self.words.copy(), self.reals.copy()
        # kept alive: the key is their identity
        functions = [self.problem.fun, self.problem.jac, self.problem.hess, self.problem.hessp]
        functions += [f for part in self.problem.parts for f in (part.fun, part.jac, part.hess)]
        self.jitted = [f for f in functions if hasattr(f, "py_func")]

    def set_back(self, x, lower, upper, fun, args, jac, hess, hessp, parts):
        """Begin at x, with functions of the same kinds."""
        n, w, problem, constraints = self.n, self.w, self.problem, self.constraints
        self.words[:], self.reals[:] = self.template
        w[:n] = x
        if lower is not None:
            self.lower[:], self.upper[:] = lower, upper
        problem.fun, problem.args, problem.jac, problem.hess, problem.hessp = fun, args, jac, hess, hessp
        problem.parts = problem.inner = constraints.parts = parts
        python = self.bound.python
        if python is not None:
            python.fun, python.jac, python.hess, python.hessp, python.args = fun, jac, hess, hessp, args
            python.error = None
        python = constraints.python
        if python is not None:
            python.parts, python.first_x, python.error = parts, x.tobytes(), None

    def let_go(self):
        """Hold on to nothing of the user's but jitted functions."""
        self.problem.let_go()
        self.constraints.parts = []
        for python in (self.bound.python, self.constraints.python):
            if python is not None:
                python.fun = python.jac = python.hess = python.hessp = python.args = python.error = None
        if self.constraints.python is not None:
            self.constraints.python.parts = []

    # --- parts of the workspace

    def vector(self, j):
        """The j-th vector of length n."""
        return self.w[j * self.n : (j + 1) * self.n]

    def rows(self, j):
        """The j-th vector of length m."""
        start = (s.N_COMMON + 3) * self.n + j * self.m
        return self.w[start : start + self.m]

    def weights(self):
        """Arguments of the last Hessian."""
        return self.rows(9)

    # --- run and report

    def go(self, callback):
        """Run, report; raises what ended the run from outside."""
        c, p, front = self.c, self.p, self.front
        watch = ConstrainedWatch(self, callback) if front or callback is not None else None
        if self.all_fixed:
            self._evaluate()
        else:
            run = units.function(self.row.unit)  # compiled now, if need be: that is no part of max_time
            launch(run, c, p, self.address, front.get("max_time") if front else None, watch)
        result = self.report() if watch is None else watch.result()
        if c[s.HESSIAN_FLAWS]:
            c[s.HESSIAN_FLAWS] = 0
            warn("hess returned a matrix that is not symmetric, or not finite; its symmetric part was used")

        def errors():
            for source in (watch, self.bound.python, self.constraints.python):
                if source is not None and source.error is not None:
                    return source.error
            if result["status"] is not Status.FAILED:
                return None
            return self.constraints.error(self.w, self.weights()) or self.bound.error(self.w)

        raise_what_ended(result, c, errors)
        return result

    def _evaluate(self):
        """The verdict where bounds fix all variables: the only point there is."""
        c, p, table = self.c, self.p, self.table
        x, g = self.vector(s.X0), self.vector(s.G0)
        c[s.TICK_IN], p[s.DEADLINE], p[k.VIOLATION_BEST] = 2, np.inf, np.inf
        c[s.NFEV] = c[s.NJEV] = 1
        call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 4)(table.item(s.A_VALUE_GRAD))
        p[s.F] = call(address_of_array(x), address_of_array(g), self.n, table.item(s.A_DATA))
        values = self.rows(0)
        if self.m and c[s.ABORT] == 0:
            c[k.NCEV] = 1
            call = _CALL(table.item(s.A_CON))
            call(address_of_array(x), address_of_array(values), self.n, self.m, table.item(s.A_CON_DATA))
        p[k.VIOLATION] = relative_violation(values, self.rows(6), self.rows(7))
        self.vector(s.N_COMMON)[:] = np.nan
        if c[s.ABORT]:
            c[s.STATUS] = c[s.ABORT]
        elif not (np.isfinite(p[s.F]) and np.isfinite(values).all()):
            c[s.STATUS] = int(Status.NAN)
        else:
            c[s.STATUS] = int(Status.KKT if p[k.VIOLATION] <= p[k.CTOL] else Status.INFEASIBLE)

    def report(self):
        """The result of the run as things stand."""
        c, p, m, fixed, problem = self.c, self.p, self.m, self.fixed, self.problem
        _, nfev, njev, nhev, nit, _, _, status = c[: s.STATUS + 1].tolist()
        at = c.item(s.PARITY)
        best = p.item(k.VIOLATION_BEST) < np.inf and status not in _AT_CURRENT
        x = self.vector(s.X0 + at)
        stationarity, complementarity = p.item(k.STATIONARITY), p.item(k.COMPLEMENTARITY)
        f, violation = p.item(s.F), p.item(k.VIOLATION)
        if best and self.vector(s.X_BEST).tobytes() != x.tobytes():
            at, x, f, violation = 2, self.vector(s.X_BEST), p.item(s.F_BEST), p.item(k.VIOLATION_BEST)
            stationarity, complementarity = self._residuals_at_best(status)
        g, z = self.vector(s.G0 + at if at < 2 else s.G_BEST), self.vector(s.N_COMMON + at)
        values, y = self.rows(at), self.rows(3 + at)
        if violation > 0.0 and m:
            violation = _largest_violation(values, self.rows(6), self.rows(7))
        status, success, message = _STATUS[status]
        mask = _active(x, self.lower, self.upper, z)
        if c[s.MAXIMISE]:
            f, g, y, z, message = 0.0 - f, 0.0 - g, 0.0 - y, 0.0 - z, message.replace("below", "above")
        result = ConstrainedResult({
            "x": expand(x.copy(), fixed, fixed), "fun": f, "jac": expand(g.copy(), fixed, np.nan), "success": success,
            "status": status, "message": message, "nit": nit, "nfev": nfev, "njev": njev, "nhev": nhev,
            "constr_nfev": c.item(k.NCEV), "constr_njev": c.item(k.NCJEV), "constr": problem.split(values, x),
            "multipliers": problem.split(y), "bound_multipliers": expand(z.copy(), fixed, np.nan),
            "active_mask": expand(mask, fixed, 2),
            "constr_violation": violation, "stationarity": stationarity, "complementarity": complementarity,
            "optimality": max(stationarity, complementarity),
        })  # fmt: skip
        if status is Status.NAN:
            self._name_what_is_nan(result)
        elif status is Status.INFEASIBLE:
            self._name_what_contradicts(result)
        state = (self.row.name, "", c.copy(), p.copy(), self.w.copy(), fixed, problem.more)
        object.__setattr__(result, "state", state)
        return result

    def _residuals_at_best(self, status):
        """(stationarity, complementarity) of the best point, as numopt.kernels.kkt has them."""
        if status in (int(Status.FAILED), int(Status.INTERRUPTED)):
            return np.nan, np.nan
        J = self.jacobian_at(self.vector(s.X_BEST))
        return residuals(
            self.vector(s.X_BEST), self.vector(s.G_BEST), J, self.rows(2), self.rows(5), self.vector(s.N_COMMON + 2),
            self.rows(6), self.rows(7), self.lower, self.upper,
        )  # fmt: skip

    def jacobian_at(self, x):
        """The Jacobian (m, n) at any x; not counted."""
        c = self.c
        before = c[s.ABORT], c[s.NFEV], c[k.NCEV], c[k.NCJEV], self.p[s.DEADLINE]
        c[s.ABORT], self.p[s.DEADLINE] = 0, np.inf
        J, x = np.empty((self.m, self.n)), x.copy()
        if self.m:
            call = _CALL(self.table.item(s.A_CON_JAC))
            call(x.ctypes.data, J.ctypes.data, self.n, self.m, self.table.item(s.A_CON_DATA))
        c[s.ABORT], c[s.NFEV], c[k.NCEV], c[k.NCJEV], self.p[s.DEADLINE] = before
        return J

    def _name_what_is_nan(self, result):
        """Say which function is not finite."""
        c, p = self.c, self.p
        at = c.item(s.PARITY)
        values = self.rows(at)
        if not np.isfinite(p[s.F]):
            what = "fun"
        elif not np.isfinite(values).all():
            what = f"{self.problem.row_label(int(np.flatnonzero(~np.isfinite(values))[0]))}: fun"
        elif not np.isfinite(self.vector(s.G0 + at)).all():
            what = "the gradient of fun"
        else:
            what = "a Jacobian of the constraints"
        where = "at the start" if c[s.NIT] == 0 else "where the method can't step back from it"
        result["message"] = f"Failed: {what} is NaN or infinite {where}."

    def _name_what_contradicts(self, result):
        """Say which linear rows have no common point within the bounds, where that is so."""
        fixed = self.fixed
        lower, upper = (expand(side, fixed, fixed) for side in (self.lower, self.upper))
        names = inconsistent_rows(self.problem.parts, lower, upper, self.p[k.CTOL])
        if names:
            result["message"] = f"Failed: these constraints have no common point: {', '.join(names)}."


class ConstrainedWatch(Watch):
    """Runs the compiled loop, and looks in at pauses."""

    columns = k.HISTORY_COLUMNS

    def __init__(self, run, callback):
        super().__init__(
            run.row, None, run.c, run.p, run.w, run.table, run.address, run.front or {}, callback, run.fixed
        )
        self.of = run
        if callback is not None and not self.takes_result and takes_state(callback):
            self.callback = self._of_trust_constr(callback)

    def _of_trust_constr(self, callback):
        """scipy's ``callback(x, state)`` of trust-constr, which ends the run by returning True."""

        def call(x):
            if callback(x, self.intermediate()):
                raise StopIteration

        return call

    def report(self):
        """The result as things stand."""
        return self.of.report()

    def intermediate(self):
        """What a callback is told."""
        p = self.p
        return OptimizeResult(
            x=self.x(), fun=self.sign * float(p[s.F]), constr_violation=float(p[k.VIOLATION]),
            optimality=float(p[s.GNORM]), nit=int(self.c[s.NIT]),
        )  # fmt: skip
