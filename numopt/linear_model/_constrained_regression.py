"""Least squares with bounds and linear constraints on the coefficients.

With A, b the centred and weighted problem (:mod:`numopt.linear_model._linear_base`),

    min_w ||A w - b||^2 / 2  subject to  l <= w <= u,  cl <= C w <= cu                     (1)

is a quadratic program in the Gram matrix A'A, its columns scaled to norm 1, which :func:`numopt.solve_qp` solves. That
gives the coefficients at a bound and the rows at a limit; then, F the other coefficients and E those rows,

    [A_F'A_F  -C_EF'] [dw]   [A_F'(b - A w) + C_EF'y]
    [C_EF      0    ] [dy] = [c_E - C_E w           ]                                      (2)

refines both with residuals from A itself, as iterative refinement does for least squares.

References
----------
C. L. Lawson, R. J. Hanson, Solving Least Squares Problems, 1974, chapter 23.
A. Björck, Numerical Methods for Least Squares Problems, 1996, sections 5.1 and 5.2.
"""

import warnings

import numpy as np
import scipy.linalg
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning

import numopt
from numopt.estimators.callbacks import observed
from numopt.linear_model._blas import few_threads
from numopt.linear_model._linear_base import (
    LinearPredictor,
    System,
    check_flags,
    check_inputs,
    check_tolerance,
    check_weights,
)
from numopt.linear_model._ridge_solvers import POTRF
from numopt.optimize._constraints import is_empty, read_constraints
from numopt.optimize._warn import warn
from numopt.result import OptimizeResult

_STEPS = 3  # of (2) at most
_ROUNDING = 1e-13  # of what is left of an optimality condition
_SQUARED = 1e-12  # reciprocal condition of (2): below, steps are taken by A itself
_SMALL = 1e-11  # pivot of A'A with columns of norm 1: below, it counts as singular
_SHIFT = 1e-6  # on the diagonal of a singular one: less leaves it to rounding how much of the null space is in w
_CONSTANT = 1e-14  # variance over squared mean: a column, or a sparse one, that differs from a constant by rounding


def read_bounds(bounds, p):
    """(lower, upper) of the coefficients, arrays (p,)."""
    if bounds is None:
        bounds = (-np.inf, np.inf)
    sides = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") and hasattr(bounds, "ub") else bounds
    try:
        lower, upper = (np.asarray(side, float) for side in sides)
        good = all(side.shape in ((), (p,)) for side in (lower, upper))
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            "bounds must be a pair (lower, upper), each a number or an array of one number a feature "
            f"({p}), or scipy.optimize.Bounds; got {bounds!r:.100}"
        )
    lower, upper = (np.broadcast_to(side, (p,)).copy() for side in (lower, upper))
    for name, wrong in (("the lower one", np.isnan(lower) | (lower == np.inf)),
                        ("the upper one", np.isnan(upper) | (upper == -np.inf))):  # fmt: skip
        if wrong.any():
            j = int(np.flatnonzero(wrong)[0])
            value = (lower if "lower" in name else upper)[j]
            raise ValueError(f"bounds: {name} of feature {j} is {value}, which no coefficient fulfils")
    if (lower > upper).any():
        j = int(np.flatnonzero(lower > upper)[0])
        given = f"{lower[j]:g} and {upper[j]:g}"
        raise ValueError(f"bounds: the lower one of feature {j} exceeds the upper one; got {given}")
    return lower, upper


def _signed(y, at):
    """Multipliers with the signs that they have at a lower (at < 0) and at an upper limit (at > 0), 0 at none."""
    return np.where(at < 0, np.maximum(y, 0.0), np.where(at > 0, np.minimum(y, 0.0), 0.0))


class Rows:
    """The linear constraints as one matrix C with limits, and their names."""

    def __init__(self, constraints, p):
        self.parts, self.named = ([], False) if is_empty(constraints) else read_constraints(constraints, np.zeros(p))
        for part in self.parts:
            if part.fun is not None:
                raise TypeError(f"{part.label} must be a scipy.optimize.LinearConstraint or a numopt.Simplex")
        self.C = np.concatenate([np.empty((0, p)), *(part.A for part in self.parts)])
        self.lower = np.concatenate([np.empty(0), *(part.filled("lower") for part in self.parts)])
        self.upper = np.concatenate([np.empty(0), *(part.filled("upper") for part in self.parts)])
        self.labels = [
            part.label if part.rows == 1 else f"{part.label}, row {i}" for part in self.parts for i in range(part.rows)
        ]

    def split(self, y):
        """What belongs to the rows, the last axis, by constraint: a list, or a dict where they were given by name."""
        ends = np.cumsum([part.rows for part in self.parts])[:-1]
        found = np.split(y, ends, axis=-1) if self.parts else []
        return dict(zip((part.name for part in self.parts), found, strict=True)) if self.named else found


class Program:
    """(1) in v = w / (scale size): what belongs to A; ``solve`` one target."""

    def __init__(self, system, lower, upper, rows):
        self.system, self.lower, self.upper, self.rows = system, lower, upper, rows
        G = system.gram()
        G = np.triu(G) + np.triu(G, 1).T
        square = G.diagonal()
        flat = square <= _CONSTANT * system.total * system.x_mean**2
        G[flat], G[:, flat] = 0.0, 0.0
        self.scale = np.where(flat, 1.0, 1.0 / np.sqrt(np.where(flat, 1.0, square)))
        self.flat, self.H = flat, G * self.scale * self.scale[:, None]
        factor, info = POTRF["d"](self.H, lower=0)
        self.shift = _SHIFT if info or not factor.diagonal().min() ** 2 > _SMALL else 0.0
        self.C = rows.C * self.scale
        self.equal = rows.lower == rows.upper
        self.above = ~self.equal & (rows.upper < np.inf)
        self.below = ~self.equal & (rows.lower > -np.inf)

    def solve(self, target):
        """A result with w, the multipliers y and z of rows and bounds, active_mask, error and nit."""
        b = self.system.B[:, target, None]
        size = float(np.linalg.norm(b)) or 1.0
        q = self._slope(b, np.zeros((len(self.scale), 1))) / size
        rows, C, (equal, above, below) = self.rows, self.C, (self.equal, self.above, self.below)
        limits = {"lb": self.lower / self.scale / size, "ub": self.upper / self.scale / size}
        if equal.any():
            limits |= {"A": C[equal], "b": rows.lower[equal] / size}
        if above.any() or below.any():
            limits["G"] = np.concatenate([C[above], -C[below]])
            limits["h"] = np.concatenate([rows.upper[above], -rows.lower[below]]) / size
        H = self.H + self.shift * np.eye(len(q))
        found = numopt.solve_qp(H, q, **limits)
        if self.shift and found.success:  # a proximal point: the shift is gone, but for its square
            found = numopt.solve_qp(H, q - self.shift * found.x, **limits)
        if found.status == numopt.Status.INFEASIBLE:
            raise ValueError(f"no coefficients fulfil these together: {self._names(found.certificate)}")
        y, at = np.zeros(len(C)), np.zeros(len(C), int)
        y[equal], at[equal] = found.eq_multipliers, 1
        ends, marks = above.sum(), found.active_set[equal.sum() : equal.sum() + above.sum() + below.sum()] != 0
        y[above] = found.ineq_multipliers[:ends]
        y[below] -= found.ineq_multipliers[ends:]
        at[above] += marks[:ends]
        at[below] -= marks[ends:]
        mask = found.active_set[-len(q) :]
        point = self._certified(b, found.x, y, at, mask, size, q)
        for v, u, by_rows in self._refined(b, found.x, y, at, mask, size):
            other = self._certified(b, v, u, at, mask, size, q)
            # where A_F'A_F has lost digits, rounding hides from the conditions what A itself makes better
            if not other.error < max(point.error, _ROUNDING if by_rows else 0.0):
                break
            point = other
        point.nit = found.nit
        return point

    def _slope(self, b, w):
        """The gradient by v, not divided by the size of b."""
        g = -self.system.t_dot(np.asfortranarray(b - self.system.dot(w)))[:, 0]
        g[self.flat] = 0.0
        return g * self.scale

    def _refined(self, b, v, y, at, mask, size):
        """Yields (v, y, whether A itself was solved with) after each step of (2)."""
        F, E = mask == 0, at != 0
        if not F.any():
            return
        C, k = self.C[np.ix_(E, F)], int(F.sum())
        K = np.block([[self.H[np.ix_(F, F)], -C.T], [C, np.zeros((len(C), len(C)))]])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
            factors = scipy.linalg.lu_factor(K, check_finite=False)
        condition = scipy.linalg.lapack.dgecon(factors[0], np.abs(K).sum(axis=0).max())[0]
        squared = condition > _SQUARED  # whether A_F'A_F has the digits that count
        limit = np.where(at > 0, self.rows.upper, self.rows.lower)[E] / size
        for _ in range(_STEPS):
            w = (v * self.scale * size)[:, None]
            left = limit - self.C[E] @ v
            by_rows = not (squared or self.system.sparse)
            if not by_rows:
                g = self._slope(b, w) / size
                left = np.concatenate([(self.C.T @ y - g)[F], left])
                step = scipy.linalg.lu_solve(factors, left) if squared else np.linalg.lstsq(K, left)[0]
            else:
                step = self._on_rows(b - self.system.dot(w), F, C, left, size)
            v, y = v.copy(), y.copy()
            v[F] += step[:k]
            y[E] = y[E] + step[k:] if len(step) > k else np.linalg.lstsq(C.T, self._slope(b, w)[F] / size)[0]
            yield v, y, by_rows

    def _on_rows(self, r, F, C, left, size):
        """dv of (2) by A_F itself: the step to the limits, and least squares in the null space of C."""
        A = self.system.explicit()[:, F] * self.scale[F]
        step = np.linalg.lstsq(C, left)[0]
        Z = scipy.linalg.null_space(C) if len(C) else np.eye(F.sum())
        return step + Z @ np.linalg.lstsq(A @ Z, r[:, 0] / size - A @ step)[0]

    def _certified(self, b, v, y, at, mask, size, q):
        """The point with its multipliers, and how far it is from the optimality conditions, relative to their terms."""
        w = np.clip(v * self.scale * size, self.lower, self.upper)
        w = np.where(mask < 0, self.lower, np.where(mask > 0, self.upper, w))
        v = w / self.scale / size
        g = self._slope(b, w[:, None]) / size
        y = np.where(self.equal, y, _signed(y, at))
        slope = g - self.C.T @ y
        z = np.where(self.lower == self.upper, slope, _signed(slope, mask))
        terms = np.abs(self.C).T @ np.abs(y) + np.abs(self.H) @ np.abs(v) + np.abs(q).max()
        left = np.abs(slope - z).max() / max(terms.max(), np.finfo(float).tiny)
        value, terms = self.rows.C @ w, np.abs(self.rows.C) @ np.abs(w)
        out = np.maximum(np.maximum(self.rows.lower - value, value - self.rows.upper), 0.0)
        out = (out / np.maximum(terms, np.finfo(float).tiny)).max(initial=0.0)
        return OptimizeResult(w=w, y=y * size, z=z * size / self.scale, active_mask=mask, error=max(left, out))

    def _names(self, certificate):
        """What a certificate of infeasibility speaks of."""
        y = np.zeros(len(self.C))
        y[self.equal] = np.abs(certificate["eq"])
        ends = self.above.sum()
        y[self.above] += np.abs(certificate["ineq"][:ends])
        y[self.below] += np.abs(certificate["ineq"][ends:])
        size = y * np.abs(self.C).max(axis=1, initial=0.0)
        z = np.abs(certificate["bounds"])
        least = 1e-9 * max(size.max(initial=0.0), z.max(initial=0.0))
        names = [self.rows.labels[i] for i in np.flatnonzero(size > least)]
        names += [f"bounds of feature {j}" for j in np.flatnonzero(z > least)]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f"{', '.join(names[:5])}{more}"


class ConstrainedLinearRegression(MultiOutputMixin, RegressorMixin, LinearPredictor):
    """Least squares with bounds and linear constraints on the coefficients.

    Minimises, with weights s_i (1 if not given)::

        1/2 * sum_i s_i (y_i - x_i'w - c)^2   subject to   lower <= w <= upper,   lb <= A w <= ub

    over w and, unconstrained, c. ``bounds=(0, np.inf)`` makes it non-negative least squares; rows of A make
    coefficients sum to one, rise from one to the next, or be equal.

    Parameters
    ----------
    bounds : (lower, upper) or scipy.optimize.Bounds, default=(-inf, inf)
        Each a number or an array (n_features,); infinite where there is no bound, equal where a coefficient is given.
    constraints : scipy.optimize.LinearConstraint, a sequence or a dict of them, default=()
        Limits on ``A @ coef_``: equalities where lb and ub are equal. A dict has a name for each.
        :class:`numopt.Simplex` is another: coefficients >= 0 with a given sum.
    fit_intercept : bool, default=True
        Whether there is a constant term c.
    tol : float, default=1e-9
        A warning says where the optimality conditions do not hold to this, relative to the terms that they are made of.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        w; of several solutions one near that of least norm.
    intercept_ : float or ndarray of shape (n_targets,)
        c, 0.0 with ``fit_intercept=False``.
    bound_multipliers_ : ndarray of the shape of ``coef_``
        Lagrange multipliers of the bounds: the derivative of the least objective by the bound at which a coefficient
        is, so >= 0 at a lower and <= 0 at an upper bound, and 0 in between.
    multipliers_ : list or dict of ndarray
        Those of the rows of each of the ``constraints``, with the same meaning; with more than one target of shape
        (n_targets, rows). The gradient of the objective by w is ``A.T @ multipliers_ + bound_multipliers_``.
    active_mask_ : ndarray of int, of the shape of ``coef_``
        -1 at the lower bound, 1 at the upper, else 0.
    n_iter_ : int or ndarray of shape (n_targets,)
        Working sets that the quadratic program took.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.

    Notes
    -----
    The Gram matrix of all features is formed, dense: it is meant for up to some thousand of them, and any number of
    samples.

    References
    ----------
    C. L. Lawson, R. J. Hanson, Solving Least Squares Problems, 1974, chapter 23.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import LinearConstraint
    >>> from numopt.linear_model import ConstrainedLinearRegression
    >>> X = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [2.0, 1.0, 1.0]])
    >>> y = np.array([1.0, 2.0, 2.0, 3.0])
    >>> total = LinearConstraint(np.ones(3), 1, 1)
    >>> model = ConstrainedLinearRegression((0, np.inf), total, fit_intercept=False).fit(X, y)
    >>> print(model.coef_.round(3), model.active_mask_, model.multipliers_[0].round(3))
    [0.667 0.333 0.   ] [ 0  0 -1] [-4.]
    """

    def __init__(self, bounds=(-np.inf, np.inf), constraints=(), *, fit_intercept=True, tol=1e-9):
        self.bounds = bounds
        self.constraints = constraints
        self.fit_intercept = fit_intercept
        self.tol = tol

    @observed
    @few_threads
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the squared errors, none negative.

        Returns
        -------
        ConstrainedLinearRegression
            The fitted estimator.
        """
        check_flags(self, "fit_intercept")
        check_tolerance(self.tol)
        X, y = check_inputs(self, X, y)
        lower, upper = read_bounds(self.bounds, X.shape[1])
        rows = Rows(self.constraints, X.shape[1])
        if any(part.simplex for part in rows.parts):
            lower = np.maximum(lower, 0.0)
        weights = check_weights(sample_weight, X)
        kind = X.dtype
        X, y = X.astype(float, copy=False), y.astype(float, copy=False)
        weights = None if weights is None else weights.astype(float, copy=False)
        system = System(X, y[:, None] if y.ndim == 1 else y, fit_intercept=self.fit_intercept, weights=weights)
        program = Program(system, lower, upper, rows)
        found = [program.solve(k) for k in range(system.B.shape[1])]
        worst = max(found, key=lambda point: point.error)
        if not worst.error <= self.tol:
            warn(
                f"the optimality conditions hold to {worst.error:.1e} only, tol asks for {self.tol:.1e}: features "
                "depend on each other to rounding, or limits are far from the data's scale",
                ConvergenceWarning,
            )
        self._set_line(np.column_stack([point.w for point in found]), system, y)
        self.coef_ = self.coef_.astype(kind, copy=False)
        self.intercept_ = self.intercept_.astype(kind, copy=False) if self.fit_intercept else 0.0
        one = len(found) == 1
        take = (lambda name: found[0][name]) if one else (lambda name: np.array([point[name] for point in found]))
        self.bound_multipliers_, self.active_mask_, self.n_iter_ = take("z"), take("active_mask"), take("nit")
        self.multipliers_ = rows.split(take("y"))
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
