"""Dask, or the word that it is missing."""

import importlib
import sys

MISSING = "numopt.dask needs Dask for this: pip install numopt-jit[dask]"


def require():
    """The package ``distributed``; ImportError in one line if it or Dask's arrays are missing."""
    try:
        return importlib.import_module("dask.array") and importlib.import_module("distributed")
    except ImportError:
        raise ImportError(MISSING) from None


def is_dask(X):
    """Whether X is a Dask array."""
    module = sys.modules.get("dask.array")
    return module is not None and isinstance(X, module.Array)


def check_collection(X, name):
    """TypeError for a Dask collection that is no array."""
    if hasattr(X, "__dask_graph__") and not is_dask(X):
        hint = f": give {name}.to_dask_array(lengths=True)" if hasattr(X, "to_dask_array") else ""
        raise TypeError(f"{name} must be a Dask array, or an array that can be sliced by rows; got {type(X)}{hint}")
