"""Pictures: contours with the paths of solvers, convergence curves, profiles, landscapes, a race.

They need matplotlib (``pip install numopt-jit[plot]``), which is imported when one of them is called.  All return
``(fig, ax)``, but for :func:`race`, which returns the animation; ``ax=`` draws into axes of one's own.

Examples
--------
>>> import numopt
>>> import numopt.plot
>>> problem = numopt.problems.get('beale_2d')
>>> options = {'return_all': True, 'history': True}
>>> results = [numopt.minimize(problem.fun_and_grad, problem.x0, method=name, jac=True, options=options)
...            for name in ('gd', 'bfgs')]
>>> fig, ax = numopt.plot.contour(problem, results)           # doctest: +SKIP
>>> fig, ax = numopt.plot.convergence(results, minimum=0.0)   # doctest: +SKIP
"""

from numopt.plot._contour import contour
from numopt.plot._convergence import convergence
from numopt.plot._landscape import landscape, line
from numopt.plot._profiles import data_profile, performance_profile
from numopt.plot._race import race

__all__ = ["contour", "convergence", "data_profile", "landscape", "line", "performance_profile", "race"]
