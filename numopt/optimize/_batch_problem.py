"""Validated batches, as they are handed to a device."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numopt.kernels import slots as s
from numopt.kernels.status import Status

_NEVER = 2**62
_EPS_SCIPY = 1.4901161193847656e-08
_EPS_SINGLE = 2.0**-11.5


@dataclass
class MinimizeProblem:
    """A batch of minimisations.

    Attributes
    ----------
    row : numopt.catalog.Method
    search : str or None
        The unit of the line search.
    counters, scalars : ndarray
        What a run begins with.
    fun, hess, hessp : jitted function or None
    inplace : bool
        Whether fun is ``fun(x, g, *args)``.
    args : tuple
        Shared arguments, and :class:`numopt.optimize._batch_input.Each`.
    X0 : ndarray of float64, shape (n_problems, n)
    lower, upper : ndarray of float64, shape (n_problems, n) or (1, n), or None
    scheme, hess_scheme : int
        2 or 3: points of differences of values (unless ``inplace``), and of gradients.
    steps : ndarray of float64, shape (n,), or None
        Difference steps, relative ones if ``relative``.
    dtype : numpy dtype
        Of data and of the user's functions: float64 or float32.
    chunk_size, max_time, look
        See :func:`numopt.cuda._transfer.run_chunks`.
    arrays : dict
        Where the results go; beside the fields of a result ``counts`` (n_problems, 4).
    """

    row: Any
    search: str | None
    counters: np.ndarray
    scalars: np.ndarray
    fun: Any
    X0: np.ndarray
    hess: Any = None
    hessp: Any = None
    inplace: bool = False
    args: tuple = ()
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    scheme: int = 2
    hess_scheme: int = 3
    steps: np.ndarray | None = None
    relative: bool = False
    dtype: Any = np.float64
    chunk_size: int | None = None
    max_time: float | None = None
    look: Any = None
    arrays: dict | None = None
