"""What a batch is given: problems along the first axis, each said to be so."""

import numpy as np


class Each:
    """An argument of which each problem has its own; made by :func:`each`."""

    __slots__ = ("array", "lengths")

    def __init__(self, array, lengths):
        self.array, self.lengths = array, lengths

    def __len__(self):
        return len(self.array)

    def __getitem__(self, i):
        """What problem i is given."""
        if self.lengths is None:
            return self.array[i]
        return self.array[i][: self.lengths[i]]

    def __repr__(self):
        ragged = "" if self.lengths is None else ", lengths"
        return f"each({type(self.array).__name__} of shape {np.shape(self.array)}{ragged})"


def each(array, lengths=None):
    """Say that each problem of a batch has its own of an argument: problem i is given ``array[i]``.

    Arguments that are not marked so are shared by all problems.

    Parameters
    ----------
    array : array_like, shape (n_problems, ...)
        Numbers (one for each problem) or arrays; ``numpy.memmap`` and arrays on a GPU (CuPy, anything with
        ``__cuda_array_interface__``) are read where they are.
    lengths : array_like of int, shape (n_problems,), optional
        For data of different lengths in an array of shape (n_problems, longest, ...): problem i is given
        ``array[i][:lengths[i]]``.

    Returns
    -------
    Each

    Examples
    --------
    >>> import numba, numpy as np, numopt
    >>> @numba.njit
    ... def distance(x, target):
    ...     return ((x - target)**2).sum()
    >>> targets = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> result = numopt.minimize_batch(distance, np.zeros((3, 2)), (numopt.each(targets),))
    >>> result.x.round(4).tolist()
    [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    """
    if not hasattr(array, "__cuda_array_interface__"):
        array = np.asanyarray(array)
    if lengths is not None:
        lengths = np.ascontiguousarray(lengths)
    return Each(array, lengths)
