"""Options that are arrays of a method's own, put where the method looks for them."""

import numpy as np

from numopt.kernels import slots as s
from numopt.optimize._options import simplex_within


def place_given(row, front, words, reals, box, fixed):
    """Put ``hess_inv0``, ``initial_simplex`` or ``direc`` into a run's blocks; True where x0 has no say then.

    ``box`` is None without bounds, ``fixed`` None where they fix no variable.
    """
    n, replaces = words.item(s.N), False
    given = front.get("hess_inv0")
    if given is not None:
        if fixed is not None:
            # the Hessian of the free variables alone is that part of the whole one
            free = np.isnan(fixed)
            given = np.linalg.inv(np.linalg.inv(given)[np.ix_(free, free)])
        reals[s.N_SCALARS + (s.N_COMMON + 1) * n :][: n * n] = given.ravel()
        words[s.GIVEN_H] = 1
        return False
    name = "initial_simplex" if front.get("initial_simplex") is not None else "direc"
    points = front.get(name)
    if points is None:
        return False
    if fixed is not None:
        raise ValueError(f"option {name!r} can't be given where bounds fix a variable; leave one of them out")
    if name == "initial_simplex":
        if box is not None:
            points = simplex_within(points, box.lower, box.upper)
        reals[s.N_SCALARS : s.N_SCALARS + n] = points[0]
        points, replaces = points[1:], True
    first = s.N_SCALARS + (s.N_COMMON + row.vectors) * n
    reals[first : first + n * n] = points.ravel()
    words[s.GIVEN_H] = 1
    return replaces
