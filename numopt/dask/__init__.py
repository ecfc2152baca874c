"""Many machines, or more data than memory: batches on a Dask cluster, sums over the partitions of rows.

Dask is the extra ``dask``; the estimators and :func:`minimize` do without it where their data are ``numpy.memmap`` or
anything else that can be sliced by rows.
"""

import importlib as _importlib

_HOME = {
    "LinearRegression": "numopt.dask._least_squares",
    "LogisticRegression": "numopt.dask._generalized",
    "PoissonRegressor": "numopt.dask._generalized",
    "Ridge": "numopt.dask._least_squares",
    "minimize": "numopt.dask._minimize",
}

__all__ = list(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'numopt.dask' has no attribute {name!r}")
    value = getattr(_importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
