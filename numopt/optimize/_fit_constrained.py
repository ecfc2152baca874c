r"""``curve_fit`` under constraints: the run by a method for constraints, and the covariance on their tangent space.

The half sum of squares f, with everything that ``curve_fit`` puts into it, has the gradient J'r and nearly the Hessian
J'J, of which J stands there as a triangle R, J'J = R'R. The method works in v, with the parameters x = offset + (v D) M
(M and offset: what is fixed and tied) and f / F, where D and F make the columns of J and the residuals of norm 1, at
the start or where the run before ended: then its gradient holds the cosines of the angles between residuals and
columns of J, and one tolerance fits all data.

With the Jacobian A of the rows that hold with equality at the end and Z a basis of the null space of A, to first order
the parameters are x + Z t with t of its own, and

    C = Z (Z'J'J Z)^-1 Z'

is their covariance, times the variance of the noise with m - dim(t) degrees of freedom.

Reference: S. D. Silvey, The Lagrangian multiplier test, Ann. Math. Stat. 30 (1959) 389-407.
"""

import ctypes
import math
from types import SimpleNamespace

import numpy as np
import scipy.linalg

from numopt.callbacks.constraints import as_python, complex_jacobian
from numopt.callbacks.models import Inseparable
from numopt.callbacks.pointers import address_of
from numopt.callbacks.residuals import dense
from numopt.constrained_catalog import CONSTRAINED, find_constrained
from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels.squares_slots import DELICATE
from numopt.kernels.status import Status
from numopt.optimize._constraints import read_constraints
from numopt.optimize._fit_run import NOISE, Fit, FitRun, inverse
from numopt.optimize._rank import DEPENDENT, undetermined
from numopt.optimize._squares import new_state
from numopt.optimize._watch import takes_result
from numopt.result import OptimizeResult

_RUNS = 4  # of the method, each with the scales of the end of the one before
_FAR = 10.0  # what scales may change by without another run
_LEAST = 1e-8  # of the residuals at the start: what an exact fit leaves at the least
_ACTIVE = 1e-7  # of the size of a row's limit and terms: how near counts as at it
_STEP = 1e-4  # of a parameter's scale, for second differences of a constraint
_DEPENDENT = 1e-10  # singular values of the rows at their limits, over the largest
_ASTRAY = (Status.LINE_SEARCH, Status.STALLED, Status.MAXITER, Status.NAN, Status.UNBOUNDED)
OPTIONS = ("ctol", "maxiter", "maxfev", "maxls", "max_time", "disp")
_call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 3)
_call_grad = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 4)


class ConstrainedFitRun(FitRun):
    """The sum of squares, evaluated from Python, and what the end of a run says of its parameters."""

    nfev = njev = 0

    def __init__(self, *args):
        super().__init__(*args)
        n, there = self.c.item(s.N), self.table.item(s.A_W)
        self.z, self.g = self.w[:n], self.w[s.G0 * n : (s.G0 + 1) * n]
        self.places = there, there + 8 * s.G0 * n
        self.value_of = _call(units.address("squares/value"))
        self.grad_of = _call_grad(units.address("squares/grad"))
        self.p[s.DEADLINE] = math.inf
        self.at = None
        self.rows = np.empty((0, n))

    def value(self, z):
        """f."""
        self.z[:] = z
        self.at = None
        self.nfev += 1
        f = self.value_of(self.places[0], z.size, self.table.item(s.A_DATA))
        self._raise()
        return f

    def gradient(self, z):
        """The gradient, and the triangle of J at z."""
        if self.at is None or not np.array_equal(self.at, z):
            self.z[:] = z
            self.njev += 1
            self.grad_of(*self.places, z.size, self.table.item(s.A_DATA))
            self._raise()
            self.at = z.copy()
            self.R = self.bound.last_triangle(z.size, 0)
        return self.g.copy()

    def _raise(self):
        if self.c[s.ABORT]:
            raise self.bound.error(self.w)

    def covariance(self, z, jac, scaled, names):
        """As of :class:`FitRun`, on the null space of ``rows``."""
        variables, m = self.variables, self.bound.m
        R, noise = self.triangle(z), NOISE.get(jac, 0.0) if isinstance(jac, str) else 0.0
        size, rows, Z = self.tangents(R)
        freedom = m - Z.shape[1]
        if scaled and freedom <= 0:
            return None, []
        C = np.zeros((z.size, z.size))
        if Z.shape[1]:
            least, inner = inverse(reduced(R / size, Z), m, noise)
            if jac == "2-point" and least < DELICATE:
                R, noise = self.triangle(z, True), NOISE["3-point"]
                least, inner = inverse(reduced(R / size, Z), m, noise)
            if inner is None:
                return None, undetermined(np.concatenate([R, rows * size]), names, max(noise, DEPENDENT))
            C = Z @ inner @ Z.T / size / size[:, None]
        if variables.map is not None:
            C = variables.map[1:].T @ C @ variables.map[1:]
        return C * (2.0 * self.p[s.F] / freedom) if scaled else C / self.problem["unit"] / self.problem["unit"], []

    def tangents(self, R):
        """(norms of the columns of R, the active rows and a basis of their null space in units of them)."""
        size = np.sqrt((R**2).sum(axis=0))
        size = np.where(size > 0.0, size, size.max() or 1.0)
        rows = self.rows / size
        norms = np.sqrt((rows**2).sum(axis=1))
        rows = rows[norms > 0.0] / norms[norms > 0.0, None]
        return size, rows, scipy.linalg.null_space(rows, rcond=_DEPENDENT) if len(rows) else np.eye(size.size)


def reduced(R, Z):
    """The triangle of R Z."""
    return scipy.linalg.qr(R @ Z, mode="r")[0][: Z.shape[1]]


class ConstrainedFit(Fit):
    """A :class:`Fit` whose runs keep constraints.

    Parameters
    ----------
    constraints
        As of ``minimize``, on all parameters.
    method : str or None
        One for constraints.
    settings : dict
        ``tol`` and ``options`` of ``minimize``, ``ctol``, and whether the options limit the run, ``budget``.
    start : ndarray
        The parameters at the start.
    """

    def __init__(self, constraints, method, settings, start, *args):
        self.parts, self.named = read_constraints(constraints, start)
        self.method, self.settings = "sqp" if method is None else method, settings
        method_row = find_constrained(self.method)
        if method_row is None:
            raise ValueError(
                f"method {method!r} takes no constraints; those that do are {', '.join(map(repr, CONSTRAINED))}"
            )
        self.hessian = method_row.hessian
        super().__init__(*args)
        if any(part.simplex for part in self.parts):
            self.lower = np.maximum(self.lower, 0.0)

    def run(self, variables, whole, callback=None, watched=None):
        """(the run, its result) as of :class:`Fit`."""
        if variables.free.size == 0:
            raise ValueError("constraints need a parameter that is free to move; all are fixed")
        problem = self.problem
        if variables.map is not None and problem["steps"] is not None:
            problem = problem | {"steps": problem["steps"][variables.free]}
        if whole is not None:
            problem = problem | self._unit(whole)
        while True:
            words, reals = new_state(self.row, variables, self.tolerances, self.max_nfev, None, {})
            run = ConstrainedFitRun(
                self.row, variables, words, reals, self.model, None, (), self.model.m, whole, problem
            )
            try:
                if whole is not None:
                    run.bound.check(variables.whole(variables.start), whole)
                result = self._minimise(run, variables.start, callback)
                if whole is not None and result.status in _ASTRAY and not self.settings["budget"]:
                    # Levenberg-Marquardt finds its way from farther: to the fit without constraints, and on from there
                    near = super().run(variables, whole)[1].z
                    other = self._minimise(run, near, callback)
                    result = other if other.success else result
                if whole is not None and run.bound.doubtful:
                    run.bound.check(result.x, self.model.at(result.x))
                return run, result
            except Inseparable:
                self.model.by_rows = None  # from now on, all rows at once

    def _minimise(self, run, z, callback):
        """The method from z on, and its result."""
        from numopt.optimize._minimize import minimize

        variables, nit = run.variables, 0
        f0 = f = run.value(z)
        for _ in range(_RUNS):
            run.gradient(z)
            norms = np.sqrt((run.R**2).sum(axis=0))
            F = max(2.0 * f, 2.0 * _LEAST**2 * f0) or 1.0
            D = np.sqrt(F) / np.where(norms > 0.0, norms, norms.max() or 1.0)
            view = View(run, self.parts, D, F)
            with np.errstate(invalid="ignore"):
                bounds = variables.lower / D, variables.upper / D
            found = minimize(
                view.value, z / D, jac=view.gradient, hess=view.hessian if self.hessian else None,
                method=self.method, tol=self.settings["tol"],
                bounds=list(zip(*bounds, strict=True)) if variables.bounded else None, constraints=view.constraints(),
                callback=None if callback is None else view.callback(callback, takes_result(callback)),
                options=self.settings["options"],
            )  # fmt: skip
            nit += found.nit
            z = np.clip(found.x * D, variables.lower, variables.upper)
            f = run.value(z)
            run.gradient(z)
            size = np.sqrt((run.R**2).sum(axis=0))
            same = F / _FAR**2 <= max(2.0 * f, 2.0 * _LEAST**2 * f0) <= F * _FAR**2
            with np.errstate(divide="ignore", invalid="ignore"):
                same = same and not (np.abs(np.log(size / norms)) > math.log(_FAR)).any()
            if same or not found.success:
                break
        run.p[s.F] = f
        return self._report(run, z, f, found, F, nit)

    def _report(self, run, z, f, found, F, nit):
        variables, unit = run.variables, run.problem["unit"]
        x = variables.whole(z)
        active, J = [], []
        for part in self.parts:
            c, A = part.evaluate(x), jacobian(part, x)
            near = _ACTIVE * (1.0 + np.abs(c) + np.abs(A) @ np.abs(x))
            at = (np.abs(c - part.filled("lower")) <= near) | (np.abs(c - part.filled("upper")) <= near)
            active.append(at)
            J.append(A[at])
        rows = np.concatenate(J)
        run.rows = rows if variables.map is None else rows @ variables.map[1:].T
        y = [u * F * unit * unit for u in found.multipliers]
        names = [part.name for part in self.parts]
        return OptimizeResult({
            "x": x, "z": z, "cost": f * unit * unit, "active_mask": variables.active(x), "nfev": run.nfev,
            "njev": run.njev, "nit": nit, "status": found.status, "message": found.message, "success": found.success,
            "multipliers": dict(zip(names, y, strict=True)) if self.named else y,
            "constr_violation": max((violation(part, x) for part in self.parts), default=0.0),
            "n_active": z.size - run.tangents(run.R)[2].shape[1],
        })  # fmt: skip

    def refit(self, fixed, start):
        """As of :class:`Fit`; ValueError where the constraints leave nothing."""
        start = np.array(start, float)
        for j, value in fixed.items():
            start[j] = value
        variables = self.variables(start, [*self.held, *fixed])
        if variables.free.size == 0:
            if any(violation(part, start) > self.settings["ctol"] for part in self.parts):
                raise ValueError("infeasible")
            return super().refit(fixed, start)
        _, result = self.run(variables, None)
        if result.constr_violation > 1e3 * self.settings["ctol"]:
            raise ValueError(str(result.message))
        return result.x, result.cost


class View:
    """The problem in v and over F, as ``minimize`` gets it."""

    def __init__(self, run, parts, D, F):
        self.run, self.parts, self.D, self.F = run, parts, D, F
        self.map = run.variables.map

    def whole(self, v):
        """x of v."""
        return self.run.variables.whole(v * self.D)

    def value(self, v):
        """f / F."""
        return self.run.value(v * self.D) / self.F

    def gradient(self, v):
        """The gradient of it."""
        return self.run.gradient(v * self.D) * self.D / self.F

    def hessian(self, v):
        """J'J of it."""
        self.run.gradient(v * self.D)
        with np.errstate(over="ignore", invalid="ignore"):  # far away; the method steps back
            R = self.run.R * self.D
            return R.T @ R / self.F

    def rows(self, J):
        """A Jacobian by x as one by v."""
        return (J if self.map is None else J @ self.map[1:].T) * self.D

    def square(self, H):
        """A Hessian by x as one by v."""
        return self.rows(self.rows(H).T)

    def constraints(self):
        """The constraints by v, as scipy's objects are read."""
        return [self._linear(part) if part.fun is None else self._nonlinear(part) for part in self.parts]

    def _linear(self, part):
        lower, upper = part.filled("lower"), part.filled("upper")
        if self.map is not None:
            offset = part.A @ self.map[0]
            lower, upper = lower - offset, upper - offset
        return SimpleNamespace(A=self.rows(part.A), lb=lower, ub=upper, keep_feasible=part.keep)

    def _nonlinear(self, part):
        found = SimpleNamespace(lb=part.lower, ub=part.upper, keep_feasible=part.keep, hess=None)
        found.fun = lambda v: part.evaluate(self.whole(v))
        found.jac, found.finite_diff_rel_step = part.jac, part.rel_step
        if callable(part.hess) or address_of(part.hess) is not None:
            hess = as_python(part.hess, "hess", part.rows, part.args)
            found.hess = lambda v, y: self.square(np.asarray(hess(self.whole(v), y, *part.args), float))
        if not isinstance(part.jac, str) or part.jac == "cs":
            found.jac = lambda v: self.rows(jacobian(part, self.whole(v)))
        elif found.hess is None:
            found.hess = lambda v, y: curvature(lambda v: y @ found.fun(v), v)
        return found

    def callback(self, callback, takes):
        """What tells the user's callback of x and the cost."""
        unit = self.run.problem["unit"]

        def tell(intermediate_result):
            x, cost = self.whole(intermediate_result.x), intermediate_result.fun * self.F * unit * unit
            return callback(intermediate_result=OptimizeResult(x=x, cost=cost, fun=cost)) if takes else callback(x)

        return tell


def jacobian(part, x):
    """The Jacobian of a constraint by x, (rows, n): the user's, or central differences."""
    if part.fun is None:
        return part.A
    if part.jac == "cs":
        return complex_jacobian(part.fun, x, part.args, part.rows, part.label)
    if not isinstance(part.jac, str):
        J = as_python(part.jac, "jac", part.rows, part.args)(x.copy(), *part.args)
        return np.reshape(dense(J, x.size), (part.rows, x.size)).astype(float)
    J = np.empty((part.rows, x.size))
    for j in range(x.size):
        h = np.finfo(float).eps ** (1 / 3) * (abs(x[j]) or 1.0)
        above, below = x.copy(), x.copy()
        above[j], below[j] = x[j] + h, x[j] - h
        J[:, j] = (part.evaluate(above) - part.evaluate(below)) / (above[j] - below[j])
    return J


def curvature(phi, v):
    """The Hessian of phi by central differences; 0 where phi is not finite."""
    n = v.size
    h, H, E = _STEP * np.maximum(1.0, np.abs(v)), np.zeros((n, n)), np.eye(n)
    for i in range(n):
        for j in range(i + 1):
            a, b = h[i] * E[i], h[j] * E[j]
            H[i, j] = H[j, i] = (phi(v + a + b) - phi(v + a - b) - phi(v - a + b) + phi(v - a - b)) / (4 * h[i] * h[j])
    return np.where(np.isfinite(H), H, 0.0)


def violation(part, x):
    """How far the constraint is from being kept at x."""
    c = part.evaluate(x)
    return float(np.maximum(np.maximum(part.filled("lower") - c, c - part.filled("upper")), 0.0).max())


def read_settings(kwargs, settings, options):
    """What ``minimize`` is told of a fit's settings; ValueError for those that have no meaning there."""
    for name in ("ftol", "xtol", "x_scale", "tr_solver", "tr_options", "factor", "diag"):
        if name in kwargs and kwargs[name] is not None:
            raise ValueError(f"{name} has no meaning with constraints, where the fit ends by the KKT conditions: gtol")
    options = {} if options is None else dict(options)
    for name in options:
        if name not in OPTIONS:
            raise ValueError(f"unknown option {name!r} of curve_fit with constraints; known are {', '.join(OPTIONS)}")
    if settings["max_nfev"] is not None:
        options.setdefault("maxfev", settings["max_nfev"])
    if settings["verbose"] == 2:
        options["disp"] = True
    budget = not options.keys().isdisjoint(("maxiter", "maxfev", "max_time"))
    return {"tol": kwargs.get("gtol"), "ctol": options.get("ctol", 1e-8), "options": options, "budget": budget}
