"""Problems with constraints that have no solution, or one that lacks what methods rely on.

References
----------
R. H. Byrd, F. E. Curtis and J. Nocedal, Infeasibility detection and SQP methods for nonlinear optimization, SIAM
Journal on Optimization 20, 2010, 2281-2299: ``infeasible_isolated``, ``infeasible_nactive``, ``infeasible_unique``.
A. Wächter and L. T. Biegler, Failure of global convergence for a class of interior point methods for nonlinear
programming, Mathematical Programming 88, 2000, 565-574: ``interior_trap``.
W. Hock and K. Schittkowski, 1981: ``hs13``.
"""

from numopt.problems._formula import exp
from numopt.problems._rows import at_least, at_most, equal, named

TABLE, problem = named()


@problem(0.5, 0.5, lower=0, upper=1, verdict="infeasible")
def infeasible_bounds(x1, x2):
    """A linear constraint that the bounds contradict."""
    return x1**2 + x2**2, [at_least(x1 + x2, 3)]


@problem(1, 1, 1, verdict="infeasible")
def infeasible_rows(x1, x2, x3):
    """Three linear constraints, any two of which could be met."""
    return x1**2 + x2**2 + x3**2, [at_least(x1 + x2, 2), at_least(x2 - x1, 2), at_most(x2, 1)]


@problem(1, 1, verdict="infeasible")
def infeasible_parallel(x1, x2):
    """Two equalities with the same gradient and different limits."""
    return x1**2 + x2**2, [equal(x1 + x2, 1), equal(2 * x1 + 2 * x2, 4)]


@problem(2, 0, verdict="infeasible")
def infeasible_circle(x1, x2):
    """A line beyond a disc."""
    return (x1 - 1) ** 2 + x2, [at_most(x1**2 + x2**2, 1), at_least(x1 + x2, 3)]


@problem(3, 2, verdict="infeasible")
def infeasible_isolated(x1, x2):
    """The least violation at one point, which is no minimum of the objective."""
    return x1 + x2, [
        at_least(-(x1**2) + x2, 1),
        at_least(-(x1**2) - x2, 1),
        at_least(x1 - x2**2, 1),
        at_least(-x1 - x2**2, 1),
    ]


@problem(-20, 10, verdict="infeasible")
def infeasible_nactive(x1, x2):
    """More violated constraints at the least violation than variables."""
    return x1, [at_least((-x1 - x2**2 - 1) / 2), at_least(x1 - x2**2), at_least(-x1 + x2**2)]


@problem(3, 2, verdict="infeasible")
def infeasible_unique(x1, x2):
    """Constraints of different curvature that exclude each other."""
    return x1 + x2, [at_least(x2 - x1**2, 1), at_least(0.3 * (1 - exp(x2)))]


@problem(3, verdict="infeasible")
def infeasible_square(x):
    """x^2 = -1, whose linearisation can be met everywhere but at 0."""
    return x, [equal(x**2, -1)]


@problem(0.5, 0, lower=0, verdict="unbounded")
def unbounded_linear(x1, x2):
    """A linear objective that falls along a ray."""
    return -x1 - x2, [at_most(x1 - x2, 1)]


@problem(-2, 2, verdict="unbounded")
def unbounded_curve(x1, x2):
    """A linear objective on a feasible set of two pieces; on the other one it has a minimum, at (1, 1)."""
    return x1, [at_least(x1**2 - x2), at_least(x2, 1)]


@problem(2, -1, -1, verdict="unbounded")
def unbounded_saddle(x1, x2, x3):
    """A saddle that falls without bound along an equality."""
    return x1 * x2 + x3**2, [equal(x1 + x2 + x3)]


@problem(-2, -2, lower=0, verdict="no multipliers")
def hs13(x1, x2):
    """A cusp: the gradients of the active limits are opposite, and no multipliers balance that of the objective."""
    return (x1 - 2) ** 2 + x2**2, [at_least((1 - x1) ** 3 - x2)]


@problem(1, 1, verdict="no multipliers")
def squared_equality(x1, x2):
    """x1^2 = 0, whose gradient vanishes where it holds."""
    return x1 + x2**2, [equal(x1**2)]


@problem(5, -2, 0)
def dependent_equalities(x1, x2, x3):
    """An equality, its double, and another one."""
    return x1**2 + x2**2 + x3**2, [equal(x1 + x2 + x3, 3), equal(2 * x1 + 2 * x2 + 2 * x3, 6), equal(x1 - x2)]


@problem(-1, 0.5)
def dependent_circles(x1, x2):
    """The same circle twice, as different functions."""
    return x1 + x2, [equal(x1**2 + x2**2, 2), equal((x1**2 + x2**2) ** 2, 4)]


@problem(0, 0, lower=0)
def degenerate_vertex(x1, x2):
    """A solution where five limits are met in two variables: the multipliers are not unique."""
    return -x1 - 2 * x2 + x1**2 / 10, [
        at_most(x1, 1),
        at_most(x2, 1),
        at_most(x1 + x2, 2),
        at_most(2 * x1 + x2, 3),
        at_most(x1**2 + x2**2, 2),
    ]


@problem(0.5, 0.8, lower=0)
def complementarity(x1, x2):
    """x1 x2 <= 0 for x >= 0: no feasible point is strictly inside."""
    return (x1 - 1) ** 2 + (x2 - 2) ** 2, [at_most(x1 * x2)]


@problem(0)
def stationary_square(x):
    """x^2 >= 1 from 0, where the violation is stationary."""
    return (x - 0.5) ** 2, [at_least(x**2, 1)]


@problem(0, 0)
def stationary_circle(x1, x2):
    """The unit circle from its centre, where the violation is stationary."""
    return x1 + 2 * x2, [equal(x1**2 + x2**2, 1)]


@problem(-2, 3, 1, lower=(None, 0, 0))
def interior_trap(x1, x2, x3):
    """From this start, steps that keep to the linearised equalities can't leave x1 < 0 without violating a bound."""
    return x1, [equal(x1**2 - x2, 1), equal(x1 - x3, 0.5)]
