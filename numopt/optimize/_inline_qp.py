"""Quadratic programs inside the user's own compiled functions."""

import numpy as np
from numba import njit

from numopt.kernels.qp import qp, qp_words
from numopt.kernels.qp_slots import ITERATIONS, N_INFO, VALUE


def jit_solve_qp():
    """A solver of convex quadratic programs to call inside ``numba.njit`` functions, parallel loops included.

    Returns
    -------
    solve : jitted function
        ``solve(P, q, A, limits, bounds)`` minimises ``1/2 x'P x + q'x`` subject to
        ``limits[0] <= A x <= limits[1]`` and ``bounds[0] <= x <= bounds[1]``: float64 arrays of the shapes (n, n),
        (n,), (m, n), (2, m) and (2, n), with -inf and inf where there is no limit, P symmetric.  It returns
        ``(x, f, y, z, status, nit)``, with ``P x + q = A'y + z``: multipliers are >= 0 at lower, <= 0 at upper limits.
        ``status`` is 0: solved; 1: infeasible, y and z proving it (A'y + z = 0); 2: unbounded, x being a ray and z a
        point that it starts from; 3: not settled; 4: P is not positive semidefinite.

    Examples
    --------
    >>> import numba, numpy as np, numopt
    >>> solve = numopt.jit_solve_qp()
    >>> @numba.njit
    ... def onto_simplex(v):
    ...     n = v.size
    ...     bounds = np.zeros((2, n))
    ...     bounds[1] = np.inf
    ...     return solve(np.eye(n), -v, np.ones((1, n)), np.ones((2, 1)), bounds)[0]
    >>> onto_simplex(np.array([0.5, 1.0, -2.0])).tolist()
    [0.25, 0.75, 0.0]
    """
    return _solve


@njit(error_model="numpy", nogil=True)
def _solve(P, q, A, limits, bounds):
    n, m = q.size, A.shape[0]
    if not (P.shape == (n, n) and A.shape[1] == n and limits.shape == (2, m) and bounds.shape == (2, n)):
        raise ValueError("P, q, A, limits and bounds must have the shapes (n, n), (n,), (m, n), (2, m) and (2, n)")
    x, y, z, marks, info = np.empty(n), np.empty(m), np.empty(n), np.zeros(m + n), np.empty(N_INFO)
    status = qp(
        n, m, np.ascontiguousarray(P).ravel(), np.ascontiguousarray(q), np.ascontiguousarray(A).ravel(),
        np.ascontiguousarray(limits[0]), np.ascontiguousarray(limits[1]), np.ascontiguousarray(bounds[0]),
        np.ascontiguousarray(bounds[1]), np.inf, x, y, z, marks, np.empty(qp_words(n, m)), info,
    )  # fmt: skip
    return x, info[VALUE], y, z, status, int(info[ITERATIONS])
