"""A smooth problem by a method of the catalogue, for the estimators whose ``solver`` may name one.

A problem f has ``evaluate(W)``, which gives back value, gradient and something else, and ``product(V)``, the Hessian
where the gradient was last formed times V. A Hessian that is cheaper to form than column by column is ``matrix()``.
"""

import numpy as np

import numopt
from numopt.catalog import ALIASES, METHODS

COORDINATE = "coordinate-descent-greedy"  # the order that asks for gradients, by which the fits are tested


def names(*own):
    """Names that ``solver`` takes: the estimator's own, and the catalogue's methods that read gradients."""
    found = (name for name, row in METHODS.items() if not (row.values_only or row.for_noise or name in own))
    return (*own, "coordinate", *found, "heavy-ball")


def _row(name):
    """The catalogue's row."""
    return METHODS[COORDINATE if name == "coordinate" else ALIASES.get(name, name)]


def check_name(solver, accepted):
    """A name that is not accepted is refused with those that are."""
    if not isinstance(solver, str) or solver not in accepted:
        raise ValueError(f"solver must be one of {', '.join(accepted)}, got {solver!r}")


def largest_curvature(f, W):
    """About the largest eigenvalue of the Hessian at W, by the power method."""
    f.evaluate(W)
    v = np.cos(np.arange(W.size) ** 2.0).reshape(W.shape)
    norm = 0.0
    for _ in range(30):
        v = f.product(v / max(np.linalg.norm(v), 1e-300))
        norm = float(np.linalg.norm(v))
    return norm


class Quadratic:
    """1 / S (||A w - b||^2 / 2 + alpha / 2 ||w||^2) for a system A and one target b, S the sum of the weights."""

    def __init__(self, system, target, alpha):
        self.system, self.alpha = system, alpha
        self.b = np.asfortranarray(system.B[:, target, None])

    def _divided(self, w, G):
        return (G.astype(float) + self.alpha * w) / self.system.total

    def evaluate(self, w):
        """(f, gradient, None)."""
        residual = self.system.dot(w.astype(self.system.dtype)) - self.b
        value = 0.5 * float(np.vdot(residual, residual)) + 0.5 * self.alpha * float(np.vdot(w, w))
        return value / self.system.total, self._divided(w, self.system.t_dot(residual)), None

    def product(self, v):
        """The Hessian times v."""
        return self._divided(v, self.system.t_dot(self.system.dot(v.astype(self.system.dtype))))

    def matrix(self):
        """The Hessian."""
        G = self.system.gram().astype(float)
        G = np.triu(G) + np.triu(G, 1).T
        G.reshape(-1)[:: len(G) + 1] += self.alpha
        return G / self.system.total


def solve_system(name, system, alpha, tol, max_iter, positive=False):
    """W of a least-squares system, one target after the other; tol is relative to the gradient at zero.

    Returns W, the iterations of every target, and the most that a target's gradient is above tol, relative.
    """
    if not system.sparse:
        system.explicit()
    W = np.zeros((system.shape[1], len(alpha)), system.dtype, order="F")
    count, worst = np.zeros(len(alpha), np.int32), 0.0
    for t, level in enumerate(alpha):
        f = Quadratic(system, t, float(level))
        start = np.zeros((len(W), 1))
        scale = float(np.abs(f.evaluate(start)[1]).max(initial=0.0))
        if scale > 0.0:
            w, count[t], gnorm = minimise_with(name, f, start, tol * scale, max_iter, positive)
            W[:, t] = w[:, 0]
            worst = max(worst, gnorm / scale)
    return W, np.maximum(count, 1), worst


def minimise_with(name, f, W, tol, max_iter, positive=False):
    """The smooth problem by a method of the catalogue.

    Parameters
    ----------
    name : str
        A method, or "coordinate".
    f : object
        The problem, as the module's docstring says.
    W : array
        The start.
    tol : float
        Largest component of the gradient at the end, with ``positive`` of the projected gradient.
    max_iter : int or None
    positive : bool
        Whether W >= 0 is asked for.

    Returns
    -------
    W : array
    iterations : int
    gnorm : float
    """
    row = _row(name)
    if positive and not row.bounds:
        able = ", ".join(key for key in names() if _row(key).bounds)
        raise ValueError(f"solver={name!r} does not support positive=True; these do: {able}")
    shape = W.shape

    def fun(x):
        value, G, _ = f.evaluate(x.reshape(shape))
        return value, G.ravel()

    def hessp(x, v):
        f.evaluate(x.reshape(shape))
        return f.product(v.reshape(shape)).ravel()

    def hess(x):
        f.evaluate(x.reshape(shape))
        if hasattr(f, "matrix"):
            return f.matrix()
        H = np.array([f.product(v.reshape(shape)).ravel() for v in np.eye(x.size)])
        return (H + H.T) / 2  # each column is summed on its own: near the solution they differ by rounding

    options = {"gtol": tol, "norm": np.inf}
    unit = W.size if row.name == COORDINATE else 1  # its iterations are single variables: counted are sweeps
    if max_iter is not None:
        options["maxiter"] = max_iter * unit
    second = {} if not row.second_order else {"hessp": hessp} if row.products else {"hess": hess}
    if row.mean_step:
        options["xtol"] = 0.0
    if "ftol" in row.defaults:
        options["ftol"] = 0.0
    if "step" in row.defaults:  # the textbook's step: one over the largest curvature
        curvature = largest_curvature(f, W)
        options["step"] = 1.0 / curvature if 0.0 < curvature < np.inf else 1.0
    if positive:
        second["bounds"] = [(0.0, None)] * W.size
    result = numopt.minimize(fun, W.ravel(), jac=True, method=row.name, options=options, **second)
    W = result.x.reshape(shape)
    G = f.evaluate(W)[1]
    if positive:
        G = np.where(W > 0, G, np.minimum(G, 0.0))
    return W, -(-int(result.nit) // unit), float(np.abs(G).max(initial=0.0))
