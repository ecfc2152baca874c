"""The methods: one row each.  The front doors, the comparison, the tests and the docs all iterate over it."""

from dataclasses import dataclass, field
from typing import Any

from numopt.kernels import first_order_slots as o
from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q

# line search -> (number in the options, unit)
LINE_SEARCHES = {
    "strong-wolfe": (s.STRONG_WOLFE, "search/strong-wolfe"),
    "armijo": (s.ARMIJO, "search/armijo"),
    "hager-zhang": (s.HAGER_ZHANG, "search/hager-zhang"),
    "exact": (s.EXACT, "search/exact"),
}


@dataclass(frozen=True)
class Method:
    """One method of :func:`numopt.minimize`.

    Attributes
    ----------
    name : str
    title : str
        What it is, in the field's words.
    unit : str
        The compiled unit that runs it.
    vectors, matrices : int
        What the method's workspace holds beside the common vectors: vectors of n and n x n matrices.
    kept : (int, int, int)
        How many vectors and how many numbers more, for each unit of the memory m, where the method has one, and
        how many m x m matrices.
    variant : int
        Which formula of the unit.
    line_search : str or None
        The default; None if the method takes no line search.
    defaults : dict
        Defaults of the options that are the method's own or differ from the common ones.
    second_order : bool
        Whether it asks for Hessians.
    monotone : bool
        Whether f never rises; otherwise the best point is kept beside the current one.
    bounds : bool
        Whether it takes bounds.
    bounded_unit : str or None
        The compiled unit that runs it with bounds, if that is another one.
    bounded_matrices : int
        How many n x n matrices more it takes with bounds.
    interior : bool
        Whether its iterates are strictly within the bounds.
    geodesic : bool
        Whether it takes steps along the geodesic on request.
    products : bool
        Whether products of the Hessian with vectors are all that it asks for: ``matrices`` are then kept only where the
        Hessian itself is given.
    mean_step : bool
        Whether ``xtol`` is a tolerance on the mean absolute component of the step.
    scipy : str or None
        The method of ``scipy.optimize.minimize`` that it is an equal of.
    values_only : bool
        Whether it never asks for gradients.
    diagonal : bool
        Whether it makes use of the Hessian's diagonal, where a Hessian is given.
    for_noise : bool
        Whether it is made for noisy gradients: at a constant learning rate it comes near a minimum, and goes on around
        it or creeps.  The linear models do not offer it.
    budget : int or None
        Iterations and evaluations for each variable, unless one of ``maxiter`` and ``maxfev`` is given (as in scipy).
    """

    name: str
    title: str
    unit: str
    vectors: int = 0
    matrices: int = 0
    variant: int = 0
    line_search: str | None = "strong-wolfe"
    defaults: dict[str, Any] = field(default_factory=dict)
    second_order: bool = False
    monotone: bool = True
    scipy: str | None = None
    bounds: bool = False
    values_only: bool = False
    diagonal: bool = False
    budget: int | None = None
    bounded_unit: str | None = None
    bounded_matrices: int = 0
    products: bool = False
    interior: bool = False
    geodesic: bool = False
    mean_step: bool = False
    for_noise: bool = False
    kept: tuple[int, int, int] = (2, 2, 0)

    def unit_for(self, bounded):
        """The compiled unit that runs it."""
        return self.bounded_unit if bounded and self.bounded_unit else self.unit

    def words(self, n, m, bounded=False, dense=True):
        """Size of the workspace in doubles, for n variables and memory m; what the bounds need comes last.

        ``dense``: whether the Hessian is given, for methods that otherwise ask for products only.
        """
        if not bounded:
            matrices = self.matrices if dense or not self.products else 0
            vectors, numbers, squares = self.kept
            return (s.N_COMMON + self.vectors + vectors * m) * n + matrices * n * n + (numbers + squares * m) * m
        small = 9 * m * m + 10 * m  # see numopt.solvers.lbfgsb
        return (s.N_COMMON + self.vectors + 2 * m + 3) * n + (self.matrices + self.bounded_matrices) * n * n + small

    def iterations(self, n, terms=0):
        """The default of maxiter, for n variables; for a sum of terms: epochs."""
        if terms:
            return EPOCHS
        return n * (self.budget or (200 if self.monotone else 10000))


EPOCHS = 200  # the default of maxiter for sums of terms

# option -> (block, slot, type, least value); -inf < least means that the value must exceed or equal it
OPTIONS: dict[str, tuple[str, int, type, float]] = {
    "gtol": ("p", s.GTOL, float, 0.0),
    "ftol": ("p", s.FTOL_REL, float, -1.0),
    "xrtol": ("p", s.XTOL_REL, float, 0.0),
    "xtol": ("p", s.XTOL_ABS, float, 0.0),
    "norm": ("p", s.NORM_ORDER, float, float("-inf")),
    "f_lower": ("p", s.F_LOWER, float, float("-inf")),
    "c1": ("p", s.C1, float, 0.0),
    "c2": ("p", s.C2, float, 0.0),
    "line_tol": ("p", s.LINE_TOL, float, 0.0),
    "maxls": ("c", s.MAX_TRIALS, int, 1),
    "maxiter": ("c", s.MAXITER, int, 0),
    "maxfev": ("c", s.MAXFEV, int, 1),
    "initial_step": ("p", s.STEP_INITIAL, float, 0.0),
    "step": ("p", s.STEP, float, 0.0),
    "kappa": ("p", s.DECAY, float, 0.0),
    "drop": ("p", s.DROP, float, 0.0),
    "drop_every": ("p", s.DROP_EVERY, float, 1.0),
    "momentum": ("p", s.MOMENTUM, float, 0.0),
    "damping": ("p", s.DAMPING, float, 0.0),
    "maxcor": ("c", s.MEMORY, int, 1),
    "lanczos_vectors": ("c", s.MEMORY, int, 2),
    "restart_every": ("c", s.RESTART_EVERY, int, 0),
    "initial_trust_radius": ("p", s.RADIUS_INITIAL, float, 1e-300),
    "max_trust_radius": ("p", s.RADIUS_MAX, float, 1e-300),
    "eta": ("p", s.ETA, float, 0.0),
    "xatol": ("p", s.XATOL, float, 0.0),
    "fatol": ("p", s.FATOL, float, 0.0),
    "adaptive": ("c", s.CHOICE, bool, 0),
    "seed": ("c", s.RANDOM, int, 0),
    "update": ("c", s.CHOICE, str, 0),
    "n_terms": ("c", s.N_TERMS, int, 1),
    "batch_size": ("c", s.BATCH, int, 1),
    "random_state": ("c", s.SHUFFLE, int, 0),
    "average": ("c", s.AVERAGE, str, 0),
    "average_decay": ("p", s.AVERAGE_DECAY, float, 0.0),
    "average_start": ("c", s.AVERAGE_START, int, 0),
    "patience": ("c", s.PATIENCE, int, 1),
    "clip_norm": ("p", s.CLIP_NORM, float, 0.0),
    "clip_value": ("p", s.CLIP_VALUE, float, 0.0),
    "l1": ("p", s.L1, float, 0.0),
    "l2": ("p", s.L2, float, 0.0),
    "schedule": ("p", s.FIRST_ORDER + o.SCHEDULE, str, 0),
    "epsilon_hat": ("p", s.FIRST_ORDER + o.EPSILON_HAT, bool, 0),
    **{
        name: ("p", s.FIRST_ORDER + slot, float, 0.0)
        for name, slot in {
            "beta_1": o.BETA_1, "beta_2": o.BETA_2, "epsilon": o.EPSILON, "rho": o.RHO, "weight_decay": o.WEIGHT_DECAY,
            "gain_up": o.GAIN_UP, "gain_down": o.GAIN_DOWN, "gamma": o.GAMMA, "period": o.PERIOD, "lr_min": o.LR_MIN,
            "power_t": o.POWER_T, "warmup": o.WARMUP,
        }.items()
    },
}  # fmt: skip

# option -> its words, each with its number
WORDS = {
    "update": {"newton": 0, "line": 1},
    "schedule": {name: k for k, name in enumerate(o.SCHEDULES) if k != o.GIVEN},  # or a function of the user's
    "average": {"none": 0, "plain": 1, "exponential": 2},
}

COMMON = {
    "gtol": 1e-5,
    "ftol": -1.0,
    "xrtol": 0.0,
    "xtol": 0.0,
    "norm": float("inf"),
    "f_lower": float("-inf"),
    "maxfev": 2**62,
}
SEARCHING = {"c1": 1e-4, "c2": 0.9, "line_tol": 1e-3, "maxls": 20, "initial_step": 0.0}


# scipy's trust-region methods measure the gradient by its 2-norm
_TRUST = {"gtol": 1e-4, "norm": 2.0, "initial_trust_radius": 1.0, "max_trust_radius": 1000.0, "eta": 0.15}
# without derivatives: what bounds the work, and scipy's tolerances
_WORK = {"f_lower": float("-inf"), "maxfev": 2**62}
_SPREAD = {"xatol": 1e-4, "fatol": 1e-4}
_FREE: dict[str, Any] = {"line_search": None, "bounds": True, "values_only": True}
_CG = {"c1": 1e-4, "c2": 0.4, "restart_every": 0}


# of all first-order methods; those that no schedule but one reads are here too
_FIRST_ORDER = {
    "schedule": "constant", "warmup": 0.0, "kappa": 0.01, "drop": 0.5, "drop_every": 10.0, "gamma": 0.95,
    "period": 100.0, "lr_min": 0.0, "power_t": 0.5, "patience": 10, "clip_norm": float("inf"),
    "clip_value": float("inf"), "l1": 0.0, "l2": 0.0, "average": "none", "average_decay": 0.999, "average_start": 0,
    "n_terms": None, "batch_size": None, "random_state": 0,
}  # fmt: skip
_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
_ROOTS = {**_ADAM, "epsilon_hat": False}


def _first_order(name, title, step, own, for_noise=True):
    """A row of one of ``first_order_slots.RULES``."""
    rule = o.RULES.index(name)
    return Method(name, title, "first-order", o.N_VECTORS[rule], 0, rule, None, {"step": step, **own, **_FIRST_ORDER},
                  monotone=False, bounds=True, for_noise=for_noise)  # fmt: skip


_FIRST_ORDER_ROWS = [
    _first_order("sgd", "(stochastic) gradient descent", 1e-3, {}, False),
    _first_order("momentum", "gradient descent with momentum (heavy ball)", 1e-3, {"momentum": 0.9}, False),
    _first_order("nesterov", "gradient descent with Nesterov's momentum", 1e-3, {"momentum": 0.9}, False),
    _first_order("adagrad", "AdaGrad", 1e-2, {"epsilon": 1e-10}),
    _first_order("adadelta", "AdaDelta", 1.0, {"rho": 0.95, "epsilon": 1e-6}),
    _first_order("rmsprop", "RMSProp", 1e-3, {"rho": 0.9, "epsilon": 1e-8}),
    _first_order("rmsprop-nesterov", "RMSProp with Nesterov's momentum", 1e-3,
                 {"rho": 0.9, "momentum": 0.9, "epsilon": 1e-8}),
    _first_order("adam", "Adam", 1e-3, _ROOTS),
    _first_order("adamw", "Adam, decoupled weight decay", 1e-3, {**_ROOTS, "weight_decay": 0.01}),
    _first_order("adamax", "Adamax, Adam by the infinity norm", 2e-3, _ADAM),
    _first_order("nadam", "Adam with Nesterov's momentum", 2e-3, _ROOTS),
    _first_order("amsgrad", "AMSGrad, Adam whose steps are by the largest mean square so far", 1e-3, _ROOTS),
    _first_order("delta-bar-delta", "a gain for each variable by the signs of its slopes (Jacobs)", 1e-3,
                 {"rho": 0.7, "gain_up": 0.05, "gain_down": 0.1}),
]  # fmt: skip

_ROWS = [
    Method("gd", "gradient descent with line minimisation", "gd", 1, 0, 0, "exact", bounds=True),
    Method("gd-fixed", "gradient descent, fixed step", "gd", 1, 0, 1, None, {"step": 1e-3},
           monotone=False, bounds=True),
    Method("gd-decay", "gradient descent, step / (1 + kappa t)", "gd", 1, 0, 2, None,
           {"step": 1e-3, "kappa": 1e-4}, monotone=False, bounds=True),
    Method("gd-drop", "gradient descent, step multiplied by drop every drop_every iterations", "gd", 1, 0, 3,
           None, {"step": 1e-3, "drop": 0.5, "drop_every": 1000.0}, monotone=False, bounds=True),
    Method("barzilai-borwein", "gradient descent, Barzilai-Borwein step", "gd", 1, 0, 4, None, {},
           monotone=False, bounds=True),
    *_FIRST_ORDER_ROWS,
    Method("cg-fr", "conjugate gradient, Fletcher-Reeves", "cg", 0, 0, 0, "strong-wolfe", _CG, bounds=True),
    Method("cg-pr", "conjugate gradient, Polak-Ribière+", "cg", 0, 0, 1, "strong-wolfe", _CG, scipy="CG", bounds=True),
    Method("cg-hs", "conjugate gradient, Hestenes-Stiefel+", "cg", 0, 0, 2, "strong-wolfe", _CG, bounds=True),
    Method("cg-dy", "conjugate gradient, Dai-Yuan", "cg", 0, 0, 3, "strong-wolfe", _CG, bounds=True),
    Method("cg-hz", "conjugate gradient, Hager-Zhang", "cg", 0, 0, 4, "hager-zhang",
           {**_CG, "c1": 0.1, "c2": 0.9}, bounds=True),
    Method("bfgs", "BFGS", "bfgs", 1, 1, scipy="BFGS", bounds=True, bounded_matrices=1),
    Method("lbfgs", "limited-memory BFGS", "lbfgs", 0, 0, 0, "strong-wolfe", {"maxcor": 10},
           bounds=True, bounded_unit="lbfgsb"),
    Method("l-bfgs-b", "limited-memory BFGS, with scipy's tests", "lbfgs", 0, 0, 0, "strong-wolfe",
           {"maxcor": 10, "ftol": 2.220446049250313e-09, "maxfev": 15000, "maxiter": 15000, "maxls": 20,
            "c1": 1e-3}, scipy="L-BFGS-B", bounds=True, bounded_unit="lbfgsb"),
    Method("newton", "Newton, modified Cholesky", "newton", 3, 2, 0, "strong-wolfe", {},
           second_order=True, bounds=True),
    Method("newton-damped", "Newton, (H + damping I)", "newton", 3, 2, 1, "strong-wolfe",
           {"damping": 1e-3}, second_order=True, bounds=True),
    Method("saddle-free-newton", "Newton on |H|", "newton", 3, 2, 2, "strong-wolfe",
           {"damping": 1e-6}, second_order=True, bounds=True),
    Method("saddle-free-krylov", "Newton on |H|, on a Krylov space", "saddle-free", 1, 1, 0, "strong-wolfe",
           {"damping": 1e-6, "lanczos_vectors": 50}, second_order=True, products=True, kept=(1, 5, 1)),
    Method("trust-exact", "trust region, exact (Moré-Sorensen)", "trust-region", 3, 2, 0, None, _TRUST,
           second_order=True, scipy="trust-exact"),
    Method("dogleg", "trust region, dogleg", "trust-region", 3, 2, 1, None, _TRUST, second_order=True, scipy="dogleg"),
    Method("trust-sr1", "trust region, quasi-Newton model by SR1", "trust-region", 3, 3, 2, None,
           {"initial_trust_radius": 1.0, "max_trust_radius": 1e10, "eta": 1e-3}),
    Method("trust-ncg", "trust region, Steihaug's conjugate gradient", "truncated-newton", 3, 1, 0, None, _TRUST,
           second_order=True, products=True, scipy="trust-ncg"),
    Method("trust-krylov", "trust region, generalised Lanczos method", "krylov", 1, 1, 0, None,
           {**_TRUST, "lanczos_vectors": 50}, second_order=True, products=True, kept=(1, 5, 0), scipy="trust-krylov"),
    Method("newton-cg", "Newton, conjugate gradient for the direction", "truncated-newton", 3, 1, 1, "strong-wolfe",
           {"gtol": 0.0, "xtol": 1e-5}, second_order=True, products=True, mean_step=True, scipy="Newton-CG"),
    Method("nelder-mead", "the simplex method of Nelder and Mead", "nelder-mead", 3, 1, 0,
           defaults={**_SPREAD, "adaptive": False}, scipy="Nelder-Mead", budget=200, **_FREE),
    Method("powell", "Powell's conjugate directions", "powell", 2, 1, 0, defaults={"xtol": 1e-4, "ftol": 1e-4},
           scipy="Powell", budget=1000, **_FREE),
    Method("pattern-search", "pattern search of Hooke and Jeeves", "pattern-search", 4,
           defaults={**_SPREAD, "initial_step": 0.5}, budget=2000, **_FREE),
    Method("random-search", "local random search, 1/5 success rule", "random-search",
           defaults={**_SPREAD, "initial_step": 0.5, "seed": 0}, budget=10000, **_FREE),
    Method("coordinate-descent", "coordinate descent, cyclic", "coordinate-descent", 4, 0, 0,
           defaults={**_SPREAD, "update": "newton"}, diagonal=True, **_FREE),
    Method("coordinate-descent-random", "coordinate descent, random order", "coordinate-descent", 4, 0, 1,
           defaults={**_SPREAD, "update": "newton", "seed": 0}, diagonal=True, **_FREE),
    Method("coordinate-descent-greedy", "coordinate descent, largest slope first", "coordinate-descent", 4, 0, 2,
           None, {"update": "newton"}, diagonal=True, bounds=True),
]  # fmt: skip

METHODS = {row.name: row for row in _ROWS}

# other spellings, in lower case
ALIASES = {"cg": "cg-pr", "gradient-descent": "gd", "bb": "barzilai-borwein", "heavy-ball": "momentum"}

# other names of options (scipy's; the field's) -> ours
OPTION_ALIASES = {"maxfun": "maxfev", "learning_rate": "step"}


# What method=None stands for; docs/default_method.md says how it was chosen.
MATRIX_UP_TO = 200  # variables; beyond, n x n matrices cost more than they save
HESSIAN_UP_TO = 1000  # the same with the Hessian given, which Newton's method has to factor
DEFAULT_GTOL = 1e-8  # with a gradient that is exact to rounding; with differences the methods' own, 1e-5


def default_method(n, gradient, hessian, product, bounded):
    """(row, gtol) that ``method=None`` stands for.

    Parameters
    ----------
    n : int
    gradient, hessian, product : bool
        Whether the user gives the gradient, the Hessian, its products with vectors.
    bounded : bool
    """
    if (hessian and n <= HESSIAN_UP_TO) or (product and n <= MATRIX_UP_TO):
        name = "newton"
    elif (hessian or product) and not bounded:
        name = "trust-ncg"
    else:
        name = "bfgs" if n <= MATRIX_UP_TO else "lbfgs"
    return METHODS[name], DEFAULT_GTOL if gradient else COMMON["gtol"]


def defaults(method):
    """The options of a method with their defaults; ``maxiter`` None stands for :meth:`Method.iterations`."""
    found = {**(_WORK if method.values_only else COMMON), "maxiter": None}
    if method.line_search is not None:
        found.update(SEARCHING)
    found.update(method.defaults)
    return found


# methods for sums of squares, of least_squares
SQUARES = {
    row.name: row
    for row in (
        Method("lm", "Levenberg-Marquardt, trust region (Moré)", "levenberg-marquardt", variant=0,
               geodesic=True),
        Method("marquardt", "Levenberg-Marquardt, damping", "levenberg-marquardt", variant=1, geodesic=True),
        Method("gauss-newton", "Gauss-Newton", "levenberg-marquardt", variant=2),
        Method("trf", "trust-region reflective (Branch, Coleman, Li)", "trust-region-reflective",
               defaults={"factor": 100.0, "x_scale": 1.0}, interior=True),
        Method("dogleg", "dogleg (Powell)", "dogleg", variant=0, defaults={"x_scale": 1.0}),
        Method("dogbox", "dogleg in a box (Voglis, Lagaris)", "dogleg", variant=1, defaults={"x_scale": 1.0}),
    )
}  # fmt: skip


def squares_words(n, bounded):
    """Size of the workspace of a method for sums of squares."""
    return q.VECTORS * n + 4 * n * (n + 1) + n + 1 + (3 * n if bounded else 0)


# with a sparse Jacobian: one solver, whatever the method's name
SPARSE_SQUARES = Method("sparse", "inexact trust region, through LSMR", "sparse-trust-region", 10)


def sparse_squares_words(n, bounded):
    """Size of its workspace."""
    return (s.N_COMMON + SPARSE_SQUARES.vectors + (3 if bounded else 0)) * n
