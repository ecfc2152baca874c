"""Memory that a batch of minimisations takes on the device, known before it begins."""

import numpy as np

from numopt.catalog import ALIASES, METHODS, defaults, squares_words
from numopt.cuda._transfer import Lanes
from numopt.kernels import slots as s


def lane_arrays(row, n, memory, bounded, hess, inplace, dtype):
    """What a lane needs: counters, scalars, workspace (the last 2n words scratch), arrays in the user's precision.

    The latter are x, and g where the solver's own can't be written to.
    """
    words = row.words(n, memory, bounded, hess) + 2 * n
    g = inplace and (row.values_only or dtype == np.float32)
    return Lanes(s.N_COUNTERS, np.int64), Lanes(s.N_SCALARS), Lanes(words), Lanes(2 * n if g else n, dtype)


def memory_per_problem(n, method="bfgs", data=0, *, bounded=False, own_bounds=False, hess=False, inplace=True,
                       dtype="float64", memory=None):  # fmt: skip
    """Bytes on the device for each problem of ``minimize_batch``, and for each of those that are under way.

    Parameters
    ----------
    n : int
        Variables.
    method : str
    data : int
        Bytes of a problem's own arguments, of those marked by :func:`numopt.each`, in the precision of the batch.
    bounded, own_bounds : bool
        Whether there are bounds, and whether each problem has its own.
    hess : bool
        Whether the Hessian is given.
    inplace : bool
        Whether ``jac='inplace'``.
    dtype : {'float64', 'float32'}
    memory : int, optional
        ``maxcor`` of the limited-memory methods, ``lanczos_vectors`` of the Krylov methods; default: theirs.

    Returns
    -------
    (int, int)
        For a problem: its start, data, bounds and results.  For a lane: counters, scalars and workspace.  Two streams
        hold ``chunk_size`` problems and some ten thousand lanes each, as many as the device runs at a time.

    Examples
    --------
    >>> import numopt.cuda
    >>> numopt.cuda.memory_per_problem(10, 'bfgs')
    (296, 3584)
    """
    row = METHODS[ALIASES.get(method.lower(), method.lower())]
    options = defaults(row)
    if memory is None:
        memory = options.get("maxcor", options.get("lanczos_vectors", 0))
    bounded = bounded or own_bounds
    lane = lane_arrays(row, n, memory, bounded, hess, inplace, np.dtype(dtype))
    # start, x, gradient, bounds; f, optimality, status, four counts
    numbers = n * (2 + (not row.values_only) + 2 * own_bounds) + 7
    return 8 * numbers + data, sum(item.bytes() for item in lane)


def memory_per_fit(n, m, *, dtype="float64", own_sigma=False, bounded=False, own_bounds=False, covariance=True,
                   more=0):  # fmt: skip
    """Bytes on the device for each problem of ``curve_fit_batch``, and for each of those that are under way.

    Parameters
    ----------
    n, m : int
        Parameters, none of them fixed; data points.
    dtype : {'float64', 'float32'}
    own_sigma : bool
        Whether each problem has its own standard deviations.
    bounded, own_bounds : bool
        Whether there are bounds, and whether each problem has its own.
    covariance : bool
    more : int
        Bytes of a problem's own predictors and lengths.

    Returns
    -------
    (int, int)
        For a problem: its start, data, bounds and results.  For a lane: counters, scalars, workspace and a copy of the
        data; for a block (where data are long) the triangles of its threads instead of the copy.

    Examples
    --------
    >>> import numopt.cuda
    >>> numopt.cuda.memory_per_fit(5, 25, dtype='float32')
    (508, 3572)
    """
    from numopt.cuda._squares import LONG
    from numopt.cuda._squares_block import THREADS

    arrays = (1 + own_sigma) * m * np.dtype(dtype).itemsize
    # start, x, gradient, bounds, triangle; f, optimality, status, three counts
    numbers = n * (3 + 2 * own_bounds) + covariance * n * (n + 1) + 6
    lane = 8 * (s.N_COUNTERS + s.N_SCALARS + squares_words(n, bounded or own_bounds))
    lane += arrays if m < LONG else 8 * THREADS() * (n + 1) * (n + 2)
    return 8 * numbers + arrays + more, lane
