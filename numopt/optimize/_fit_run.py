"""The run of a fit: a model of data as a sum of squares, and the covariance of its parameters."""

import math

import numpy as np

from numopt.callbacks.models import BoundModel, Inseparable
from numopt.kernels import slots as s
from numopt.kernels.squares_slots import DELICATE
from numopt.optimize._rank import undetermined
from numopt.optimize._squares import ENDS, SquaresRun, new_state, within
from numopt.optimize._variables import Variables
from numopt.result import OptimizeResult

EPS = np.finfo(float).eps
# Of the largest singular value of a Jacobian with columns of norm 1: what differences leave in doubt.
NOISE = {"2-point": 1e-7, "3-point": 1e-8}


class FitRun(SquaresRun):
    """One run of a fit; its report holds no residuals and no Jacobian, which may be larger than the data."""

    binder = BoundModel

    def report(self, failed=False):
        """The result as things stand."""
        variables = self.variables
        n, nfev, njev, _, nit, _, _, status = self.c[: s.STATUS + 1].tolist()
        place = self.c.item(s.PARITY)
        z = self.w[place * n : (place + 1) * n].copy()
        x, unit = variables.whole(z), self.problem["unit"]
        status, success, message = ENDS[status]
        return OptimizeResult({
            "x": x, "z": z, "cost": self.p.item(s.F) * unit * unit, "active_mask": variables.active(x, self.near),
            "nfev": nfev, "njev": njev, "nit": nit, "status": status, "message": message, "success": success,
        })  # fmt: skip

    def triangle(self, z, central=False):
        """The triangle of the Jacobian at the end, with the loss in it as scipy's ``least_squares`` has it.

        ``central``: made anew by central differences.
        """
        if self.problem["loss"] in ("linear", "poisson") and not central:
            R = self.bound.last_triangle(z.size, self.c.item(s.PARITY))
        else:
            self.p[s.DEADLINE] = math.inf
            R = self.bound.triangle(z, 0.0, central)
        return R

    def covariance(self, z, jac, scaled, names):
        """(covariance of all of the user's parameters, []); or (None, combinations that are not determined).

        ``scaled``: by the sum of squares over the degrees of freedom; ``names``: of the run's parameters.
        """
        variables, m = self.variables, self.bound.m
        if variables.free.size == 0:
            return np.zeros((variables.all, variables.all)), []
        freedom = m - z.size
        if scaled and freedom <= 0:
            return None, []
        R, noise = self.triangle(z), NOISE.get(jac, 0.0) if isinstance(jac, str) else 0.0
        least, C = inverse(R, m, noise)
        if jac == "2-point" and least < DELICATE:
            R, noise = self.triangle(z, True), NOISE["3-point"]
            least, C = inverse(R, m, noise)
        if C is None:
            return None, undetermined(R, names, z.size**0.5 * _singular(R, m, noise))
        if variables.map is not None:
            C = variables.map[1:].T @ C @ variables.map[1:]
        return C * (2.0 * self.p[s.F] / freedom) if scaled else C / self.problem["unit"] / self.problem["unit"], []


class Fit:
    """A model, its data and what is known of its parameters: run as often as is asked for.

    Parameters
    ----------
    model : numopt.callbacks.models.Model
    row : numopt.catalog.Method
    names : tuple of str
    lower, upper : ndarray (n,)
    held : list of int
    ties : dict or None
        As :class:`numopt.optimize._variables.Variables` takes them.
    problem : dict
        ``loss``, ``f_scale``, ``steps``, ``y``, ``sigma``, ``cholesky``.
    tolerances, max_nfev, scale, options
        As of ``least_squares``.
    """

    def __init__(self, model, row, names, lower, upper, held, ties, problem, tolerances, max_nfev, scale, options):
        self.model, self.row, self.names, self.lower, self.upper = model, row, names, lower, upper
        self.held, self.ties, self.problem, self.tolerances = held, ties, problem, tolerances
        self.max_nfev, self.scale, self.options = max_nfev, scale, options
        if "geodesic" in options:
            model.by_rows = None  # see numopt.kernels.squares_curved

    def variables(self, start, held):
        """The variables of a run."""
        found = Variables(start, self.lower, self.upper, held or None, self.ties, self.names)
        if self.row.interior:
            found.go_inside()
        return found

    def run(self, variables, whole, callback=None, watched=None):
        """(the run, its result); ``whole``: the model at the start, None: not to be compared."""
        params, problem, scale = variables.whole(variables.start), self.problem, self.scale
        if variables.map is not None:
            scale, steps = (None if a is None else a[variables.free] for a in (scale, problem["steps"]))
            problem = problem | {"steps": steps}
        if whole is not None:
            problem = problem | self._unit(whole)
        while True:
            words, reals = new_state(self.row, variables, self.tolerances, self.max_nfev, scale, self.options)
            run = FitRun(self.row, variables, words, reals, self.model, None, (), self.model.m, whole, problem)
            try:
                if whole is not None:
                    run.bound.check(params, whole)
                result = run.go(callback, watched)
                if whole is not None and run.bound.doubtful:
                    run.bound.check(result.x, self.model.at(result.x))
                return run, result
            except Inseparable:
                self.model.by_rows = None  # from now on, all rows at once

    def _unit(self, whole):
        """What the residuals are to be measured in where their squares overflow, or can't be told from zero."""
        problem = self.problem
        if problem["loss"] == "poisson":
            return {}
        r = self.weighted(np.subtract(whole, problem["y"]))
        if within(r) or not r.any():
            return {}
        unit = 2.0 ** math.floor(math.log2(np.abs(r).max()))
        sigma = unit * (1.0 if problem["sigma"] is None else problem["sigma"])
        return {"unit": unit, "sigma": np.broadcast_to(sigma, r.shape), "f_scale": problem["f_scale"] / unit}

    def refit(self, fixed, start):
        """(parameters, cost) of the best fit with some parameters held: ``fixed`` maps their indices to values."""
        start = np.array(start, float)
        for j, value in fixed.items():
            start[j] = value
        variables = self.variables(start, [*self.held, *fixed])
        _, result = self.run(variables, None)
        return result.x, result.cost

    def weighted(self, r):
        """Residuals over their standard deviations, in place."""
        if self.problem["sigma"] is not None:
            r /= self.problem["sigma"]
        return r if self.problem["cholesky"] is None else np.linalg.solve(self.problem["cholesky"], r)


def _singular(R, m, noise):
    """The least singular value over the largest, from which on a triangle of m rows counts as singular."""
    return max(noise, 4.0 * EPS * max(m, R.shape[1]) ** 0.5)


def inverse(R, m, noise):
    """(least singular value over the largest of R with columns of norm 1, the inverse of R'R or None if singular)."""
    n = R.shape[1]
    norms = np.sqrt(np.add.reduce(R * R, axis=0))
    if not (float(norms.min()) > 0.0 and math.isfinite(float(norms.max()))):
        return 1.0, None
    S = R / norms
    try:
        half = np.linalg.inv(S)
    except np.linalg.LinAlgError:
        half = np.full_like(S, np.inf)
    # no more than what the singular values would give: the norms are Frobenius'
    least = 1.0 / (n * float(half.ravel().dot(half.ravel()))) ** 0.5
    if least > DELICATE:
        half /= norms[:, None]
        return least, half @ half.T
    _, size, V = np.linalg.svd(S)
    least = size[-1] / size[0]
    if least <= _singular(R, m, noise):
        return least, None
    half = (V.T / size) / norms[:, None]
    return least, half @ half.T
