"""Problems with constraints: of Hock & Schittkowski, of applications, and such as have no answer or an awkward one.

References
----------
W. Hock and K. Schittkowski, Test Examples for Nonlinear Programming Codes, Lecture Notes in Economics and Mathematical
Systems 187, Springer, 1981.
"""

from functools import cache

import numpy as np

from numopt.problems import _constrained_applied, _constrained_degenerate, _hs_large, _hs_medium, _hs_small
from numopt.problems._constrained_minima import MINIMA
from numopt.problems._constrained_problem import ConstrainedFunctions, ConstrainedProblem

_HOCK = {**_hs_small.TABLE, **_hs_medium.TABLE, **_hs_large.TABLE}
_HOCK = dict(sorted(_HOCK.items(), key=lambda item: int(item[0].removeprefix("hs"))))
_TABLE = {**_HOCK, **_constrained_applied.TABLE, **_constrained_degenerate.TABLE}
NAMES = tuple(_TABLE)
SUBSETS = {
    "hock-schittkowski": tuple(_HOCK),
    "applied": tuple(_constrained_applied.TABLE),
    "degenerate": tuple(_constrained_degenerate.TABLE),
}


@cache
def make(name):
    """The problem ``name``."""
    entry = _TABLE[name]
    minima, solution = MINIMA.get(name, ((), None))
    n = len(entry.start)
    return ConstrainedProblem(
        name, n, entry.start, minima, ConstrainedFunctions(entry.formula, n),
        solution=None if solution is None else np.array(solution), bounds=entry.bounds, verdict=entry.verdict,
        reference=f"Hock & Schittkowski (1981), problem {name[2:]}" if name in _HOCK else entry.formula.__doc__,
    )  # fmt: skip
