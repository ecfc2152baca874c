"""Minimize a sum over rows of data that is too large for one memory, or one machine."""

import numpy as np

import numopt
from numopt.dask._partials import add, users
from numopt.dask._rows import partition


def minimize(fun, x0, data, method=None, *, hess=None, bounds=None, tol=None, callback=None, options=None,
             chunk_rows=None):  # fmt: skip
    """Minimize a sum over the rows of arrays that are in partitions.

    The value and the gradient are those of the partitions, summed in their order: the result does not depend on how
    many workers there are, to the last bit, but on how the rows are cut.

    Parameters
    ----------
    fun : callable
        ``fun(x, *blocks) -> (value, gradient)`` for a partition of rows of each of the arrays.  What is not a sum over
        rows, such as a penalty, has to be divided among the rows.
    x0 : array_like, shape (n,)
        The start.
    data : Dask array, array, or tuple of them
        With as many rows each.  The partitions are those of the first one if it is a Dask array; they are held by the
        cluster of Dask's current client in the meantime, or else computed anew for each evaluation.  Other arrays
        (``numpy.memmap``, anything that can be sliced by rows) are read a chunk of rows at a time.
    method : str, optional
        As for :func:`numopt.minimize`.
    hess : callable, optional
        ``hess(x, *blocks) -> array (n, n)``, for the Newton methods.
    bounds, tol, callback, options : optional
        As for :func:`numopt.minimize`.
    chunk_rows : int, optional
        Rows that are read at a time where there is no Dask array.  Default: about 8 MiB.

    Returns
    -------
    OptimizeResult

    Examples
    --------
    >>> import numpy as np, numopt.dask
    >>> def squares(w, X, y):
    ...     r = X @ w - y
    ...     return r @ r / 2, X.T @ r
    >>> X = np.random.default_rng(0).standard_normal((5000, 2))
    >>> result = numopt.dask.minimize(squares, np.zeros(2), (X, X @ [1.0, 2.0]), method='lbfgs', chunk_rows=1000)
    >>> result.x.round(4).tolist()
    [1.0, 2.0]
    """
    for name, function in (("fun", fun), ("hess", hess)):
        if not callable(function) and not (name == "hess" and function is None):
            raise TypeError(f"{name} must be a function; got {type(function).__name__}")
    arrays = data if isinstance(data, tuple) else (data,)
    if not arrays:
        raise ValueError("data must be an array or a tuple of arrays; got ()")
    names = [f"data[{i}]" for i in range(len(arrays))] if isinstance(data, tuple) else ["data"]
    rows = partition(arrays, names, chunk_rows)
    second = {}
    if hess is not None:
        second["hess"] = lambda x: rows.reduce(users, add, (hess, x, True))[0]
    return numopt.minimize(
        lambda x: rows.reduce(users, add, (fun, np.array(x), False)), x0, jac=True, method=method, bounds=bounds,
        tol=tol, callback=callback, options=options, **second,
    )  # fmt: skip
