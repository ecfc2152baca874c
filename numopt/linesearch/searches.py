"""The line searches, ready to be called by a solver."""

from numopt.linesearch import armijo, exact, hager_zhang, wolfe
from numopt.linesearch.search import make_search

strong_wolfe = make_search(wolfe.start, wolfe.advance)
armijo_backtracking = make_search(armijo.start, armijo.advance)
approximate_wolfe = make_search(hager_zhang.start, hager_zhang.advance)
line_minimisation = make_search(exact.start, exact.advance)
