"""The run of a fit: a model of data as a sum of squares, and the covariance of its parameters."""

import math

import numpy as np

from numopt.callbacks.models import BoundModel, Inseparable
from numopt.catalog import SQUARES_VECTORS
from numopt.kernels import slots as s
from numopt.kernels.status import LEAST_SQUARES, RUNNING, Status
from numopt.optimize._squares import SquaresRun, new_state
from numopt.optimize._variables import Variables
from numopt.result import OptimizeResult

_EPS = np.finfo(float).eps
# Of the largest singular value of a Jacobian with columns of norm 1: the rounding of its entries, by how they are made.
_NOISE = {"2-point": 1e-8, "3-point": 1e-10}


class FitRun(SquaresRun):
    """One run of a fit; its report holds no residuals and no Jacobian, which may be larger than the data."""

    binder = BoundModel

    def report(self, failed=False):
        """The result as things stand."""
        c, variables, n = self.c, self.variables, self.c.item(s.N)
        place = c.item(s.PARITY)
        z = self.w[place * n : (place + 1) * n].copy()
        x = variables.whole(z)
        status = LEAST_SQUARES[Status(c.item(s.STATUS)) if c[s.STATUS] != RUNNING else Status.INTERRUPTED]
        return OptimizeResult(
            x=x, z=z, cost=self.p.item(s.F), active_mask=variables.active(x), nfev=c.item(s.NFEV), njev=c.item(s.NJEV),
            nit=c.item(s.NIT), status=status, message=status.message, success=status.success,
        )  # fmt: skip

    def triangle(self, z):
        """The triangle of the Jacobian at the end, with the loss in it as scipy's ``least_squares`` has it."""
        if self.loss in ("linear", "poisson") and self.c[s.NJEV] > 0:
            n = z.size
            size = n * (n + 1)
            start = SQUARES_VECTORS * n + self.c.item(s.PARITY) * size
            return self.w[start : start + size].reshape(n, n + 1)[:, :n].copy()
        self.p[s.DEADLINE] = math.inf
        return self.bound.triangle(z, 0.0)


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

    def variables(self, start, held):
        """The variables of a run."""
        return Variables(start, self.lower, self.upper, held or None, self.ties, self.names)

    def run(self, variables, whole, callback=None, watched=None):
        """(the run, its result); ``whole``: the model at the start, None: not to be compared."""
        params = variables.whole(variables.start)
        scale, problem = self.scale, self.problem
        if variables.map is not None:
            scale = scale if scale is None else scale[variables.free]
            steps = problem["steps"]
            problem = problem | {"steps": steps if steps is None else steps[variables.free]}
        while True:
            words, reals = new_state(self.row, variables, self.tolerances, self.max_nfev, scale, self.options)
            run = FitRun(
                self.row, variables, words, reals, self.model, None, (), (params, problem["y"]), problem
            )  # fmt: skip
            try:
                if whole is not None:
                    run.bound.check(params, whole)
                result = run.go(callback, watched)
                if whole is not None and run.bound.doubtful:
                    run.bound.check(result.x, self.model.whole(result.x))
                return run, result
            except Inseparable:
                self.model.by_rows = None  # from now on, all rows at once

    def refit(self, fixed, start):
        """(parameters, cost) of the best fit with some parameters held: ``fixed`` maps their indices to values."""
        start = np.array(start, float)
        for j, value in fixed.items():
            start[j] = value
        variables = self.variables(start, [*self.held, *fixed])
        _, result = self.run(variables, None)
        return result.x, result.cost

    def residuals(self, params):
        """(model - y) / sigma at the data."""
        r = np.asarray(self.model.whole(params), float) - self.problem["y"]
        if self.problem["sigma"] is not None:
            r = r / self.problem["sigma"]
        if self.problem["cholesky"] is not None:
            r = np.linalg.solve(self.problem["cholesky"], r)
        return r


def covariance(R, variables, m, jac):
    """(inverse of R'R in all of the user's parameters, None); or (None, direction that R does not determine)."""
    n = R.shape[1]
    if not np.isfinite(R).all():
        return None, None
    norms = np.sqrt((R * R).sum(axis=0))
    _, size, V = np.linalg.svd(R / np.where(norms == 0.0, 1.0, norms))
    least = _NOISE.get(jac, max(m, n) ** 0.5 * 4 * _EPS) if isinstance(jac, str) else max(m, n) ** 0.5 * 4 * _EPS
    if size[-1] <= least * size[0] or (norms == 0.0).any():
        v = (norms == 0.0).astype(float) if (norms == 0.0).any() else V[-1] / norms
        return None, v
    half = (V.T / size) / norms[:, None]
    C = half @ half.T
    if variables.map is not None:
        C = variables.map[1:].T @ C @ variables.map[1:]
    return C, None


def combination(v, names):
    """A direction in words: ``a - 0.5*b``, its largest entry 1."""
    v = v / v[np.argmax(np.abs(v))]
    text = ""
    for a, name in zip(v, names, strict=True):
        if abs(a) > 1e-3:
            size = "" if abs(abs(a) - 1.0) < 1e-3 else f"{abs(a):.3g}*"
            text += (" - " if a < 0 else " + ") + size + name
    return text.removeprefix(" + ").replace(" - ", "-", 1) if text.startswith(" - ") else text.removeprefix(" + ")
