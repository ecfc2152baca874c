"""The methods for problems with constraints: one row each, as :mod:`numopt.catalog` has the others."""

from dataclasses import dataclass, field
from typing import Any

from numopt.catalog import OPTIONS
from numopt.kernels import augmented_slots as a
from numopt.kernels import constrained_slots as k


@dataclass(frozen=True)
class ConstrainedMethod:
    """One method of :func:`numopt.minimize` for problems with constraints.

    Attributes
    ----------
    name, title, unit : str
        As of a :class:`Method`.
    own : callable
        ``own(n, m)``: doubles of the workspace that are the method's own.
    variant : int
        Which formula of the unit.
    defaults : dict
        Defaults of the options that are the method's own or differ from the common ones.
    maxiter : int
        Default of the option.
    scipy : str or None
        The method of ``scipy.optimize.minimize`` that it is an equal of.
    equalities_only : bool
        Whether it takes neither inequalities nor bounds.
    linear_sets : bool
        Whether it takes bounds and no constraints.
    second_order : bool
        Whether it needs the Hessian of the Lagrangian (by differences, where it is not given).
    hessian : bool
        Whether it makes use of the Hessian of the Lagrangian.
    inner, inner_large : str or None
        The method of the inner runs that it makes (numopt.optimize._inner), and that for many variables.
    """

    name: str
    title: str
    unit: str
    own: Any
    variant: int = 0
    defaults: dict[str, Any] = field(default_factory=dict)
    maxiter: int = 500
    scipy: str | None = None
    equalities_only: bool = False
    linear_sets: bool = False
    second_order: bool = False
    hessian: bool = True
    inner: str | None = None
    inner_large: str | None = None

    def words(self, n, m):
        """Size of the workspace in doubles."""
        return k.words(n, m, self.own(n, m))


# options of methods with constraints: as OPTIONS
CONSTRAINED_OPTIONS: dict[str, tuple[str, int, type, float]] = {
    **{name: OPTIONS[name] for name in ("gtol", "ftol", "xrtol", "xtol", "f_lower", "maxiter", "maxfev", "maxls")},
    "ctol": ("p", k.CTOL, float, 0.0),
    "inner_maxiter": ("c", a.INNER_MAXITER, int, 1),
    "penalty": ("p", a.PENALTY_FIRST, float, 0.0),
    "penalty_growth": ("p", a.GROWTH, float, 1.0),
}

CONSTRAINED_COMMON = {
    "gtol": 1e-7, "ctol": 1e-8, "ftol": -1.0, "xrtol": 0.0, "xtol": 0.0, "f_lower": -1e20, "maxfev": 2**62,
}  # fmt: skip

# a run of runs has no end of its own where each takes all of its iterations
_PENALTY: dict[str, Any] = {"inner_maxiter": 1000, "penalty": 0.0, "penalty_growth": 10.0, "maxfev": 50000}

CONSTRAINED = {
    row.name: row
    for row in (
        ConstrainedMethod("sqp", "sequential quadratic programming", "sqp",
                          lambda n, m: 6 * n * n + 25 * n + 14 * m + 8, defaults={"maxls": 40}, maxiter=500,
                          scipy="SLSQP"),
        ConstrainedMethod("interior-point", "primal-dual interior point with a filter line search", "interior-point",
                          lambda n, m: 5 * n + 15 * m + 6 * (n + m) + n * n + (n + m) ** 2 + 128, maxiter=500,
                          scipy="trust-constr"),
        ConstrainedMethod("augmented-lagrangian", "augmented Lagrangian function, bounds by the inner solver",
                          "augmented-lagrangian", a.own_words, defaults=_PENALTY, inner="bfgs", inner_large="lbfgs"),
        ConstrainedMethod("quadratic-penalty", "quadratic penalty, for comparison", "quadratic-penalty", a.own_words,
                          defaults=_PENALTY, hessian=False, inner="bfgs", inner_large="lbfgs"),
        ConstrainedMethod("lagrange-newton", "Newton on the Lagrange system, for equalities", "lagrange-newton",
                          lambda n, m: n * n + (n + m) * (n + m + 6), defaults={"maxls": 40},
                          equalities_only=True, second_order=True),
        ConstrainedMethod("projected-gradient", "spectral projected gradient: bounds, one linear constraint, a ball",
                          "projected-gradient", lambda n, m: 3 * n + 10, defaults={"maxls": 40}, maxiter=10000,
                          linear_sets=True, hessian=False),
    )
}  # fmt: skip


def constrained_defaults(method):
    """The options of a method for constraints with their defaults."""
    return {**CONSTRAINED_COMMON, "maxiter": method.maxiter, **method.defaults}


_BY_NAME = {**{row.scipy.lower(): row for row in CONSTRAINED.values() if row.scipy}, **CONSTRAINED}


def find_constrained(name):
    """The row of a method for constraints by its name, or scipy's, in any case; None where there is none."""
    return _BY_NAME.get(name.lower().replace("_", "-")) if isinstance(name, str) else None
