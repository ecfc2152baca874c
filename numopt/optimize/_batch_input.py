"""What a batch is given: problems along the first axis, each said to be so."""

import numpy as np

from numopt.kernels import batch_slots as b

_ACCEPTED = "an array whose first axis counts the problems"


class Each:
    """An argument of which each problem has its own; made by :func:`each`."""

    __slots__ = ("array", "lengths")

    def __init__(self, array, lengths):
        self.array, self.lengths = array, lengths

    def __len__(self):
        return len(self.array)

    def __getitem__(self, i):
        """What problem i is given."""
        one = self.array[i] if on_device(self.array) else np.asarray(self.array)[i]
        return one if self.lengths is None else one[: self.lengths[i]]

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

    Raises
    ------
    TypeError, ValueError
        For what has no axis of problems, or lengths that are not integers from 1 to the longest.

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
    if isinstance(array, Each):
        raise TypeError("each was given what each has returned; mark an argument once")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError("each takes no masked arrays; say by lengths how much of each row counts")
    if not on_device(array) and not isinstance(array, np.memmap):
        try:
            array = np.asarray(array)
        except ValueError:
            raise ValueError(
                "each was given rows of different lengths; put them into one array (n_problems, longest) and say how "
                "long they are: each(array, lengths)"
            ) from None
        if array.dtype.kind == "O":
            raise TypeError(f"each takes {_ACCEPTED}; got objects that are no numbers")
    if len(array.shape) == 0:
        raise ValueError(f"each takes {_ACCEPTED}; got a single number: shared arguments are given as they are")
    return Each(array, None if lengths is None else read_lengths(lengths, array.shape))


def read_lengths(lengths, shape):
    """The lengths of ragged data of shape (n_problems, longest, ...) as int64; an error where there is none such."""
    given = np.asarray(lengths)
    if given.dtype.kind not in "iu":
        raise TypeError(f"lengths must be integers; got dtype {given.dtype}")
    if len(shape) < 2:
        raise ValueError(f"lengths are for arrays of shape (n_problems, longest, ...); the one given has shape {shape}")
    if given.shape != shape[:1]:
        raise ValueError(f"lengths must have shape {tuple(shape[:1])}, one for each problem; got {given.shape}")
    wrong = np.flatnonzero((given < 1) | (given > shape[1]))
    if wrong.size:
        k = int(wrong[0])
        more = f", and {wrong.size - 1} more are wrong" if wrong.size > 1 else ""
        hint = "; leave out problems without data" if given[k] == 0 else ""
        raise ValueError(f"lengths must be from 1 to {shape[1]}; lengths[{k}] is {given[k]}{more}{hint}")
    return np.ascontiguousarray(given, np.int64)


def on_device(array):
    """Whether an array lies on a GPU."""
    return hasattr(array, "__cuda_array_interface__")


def check_each(args, count, device="cpu", name="args"):
    """Raise ValueError or TypeError unless all that is marked by ``each`` is as long as there are problems."""
    for k, arg in enumerate(args):
        if isinstance(arg, Each):
            if len(arg) != count:
                raise ValueError(f"{name}[{k}] holds {len(arg)} problems; there are {count}")
            if device == "cpu" and on_device(arg.array):
                raise TypeError(f"{name}[{k}] lies on a GPU; give device='cuda', or bring it to the host")
        elif isinstance(arg, (tuple, list)) and any(isinstance(item, Each) for item in arg):
            raise TypeError(f"{name}[{k}] is a {type(arg).__name__} with each(...) inside; mark whole arguments")


def refuse_masked(array, name):
    """Raise TypeError for a masked array, whose mask would be ignored."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} must be no masked array: masks would be ignored")


def read_starts(X0, args, name="X0"):
    """(starts of shape (n_problems, n), n_problems); one shared start stands for all problems that args tell of."""
    if isinstance(X0, Each):
        if X0.lengths is not None:
            raise TypeError(f"{name} takes no lengths: all problems have the same variables")
        X0 = X0.array
    refuse_masked(X0, name)
    try:
        a = X0 if isinstance(X0, np.ndarray) or on_device(X0) else np.asarray(X0)
    except ValueError:
        raise ValueError(f"{name} must be an array of shape (n_problems, n); its rows differ in length") from None
    if a.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers; got dtype {a.dtype}")
    marked = next((arg for arg in args if isinstance(arg, Each)), None)
    if a.ndim == 1 and marked is None:
        raise ValueError(
            f"{name} must have shape (n_problems, n), or (n,) where an argument is marked by each; got {a.shape}"
        )
    if a.ndim not in (1, 2):
        raise ValueError(f"{name} must have shape (n_problems, n); got {a.shape}")
    if a.shape[-1] == 0:
        raise ValueError(f"{name} has shape {a.shape}: there must be at least one variable")
    if a.ndim == 1:
        return np.broadcast_to(a, (len(marked), a.size)), len(marked)
    return a, len(a)


def usable(array, ragged):
    """Whether compiled code can read problems where they lie.

    What is ragged must be in C order: else the layout of a problem, a part of its type, would depend on its length.
    """
    return array.flags.aligned and not (ragged and len(array) and not array[0].flags.c_contiguous)


def part(array, chunk, dtype=None, ragged=False):
    """The rows of a chunk (a slice), of the given dtype: where they lie, if they can be used there, else a copy."""
    whole = np.asarray(array)
    rows = whole[chunk]
    if dtype is not None and rows.dtype != dtype:
        return rows.astype(dtype, order="C")
    return rows if usable(whole, ragged) else rows.copy()


def vectors(array, chunk):
    """The same for rows that compiled code reads as vectors of doubles."""
    rows = part(array, chunk, np.float64)
    return rows if rows.shape[1] == 1 or rows.strides[1] == 8 else np.ascontiguousarray(rows)


def converted(array, rows):
    """Bytes for each problem where ``rows``, a chunk of one problem, is no part of the array but a copy."""
    return 0 if np.may_share_memory(rows, np.asarray(array)) else rows.nbytes


class Arguments:
    """Arguments of jitted functions: what is shared, and what each problem has of its own, a chunk at a time.

    Parameters
    ----------
    args : tuple
        With :class:`Each` in it.
    dtype : dtype or None
        Where given, arrays of real numbers are handed over as float64.
    """

    def __init__(self, args, dtype=None):
        self.args, self.convert = args, dtype is not None

    def _kind(self, array):
        return np.float64 if self.convert and array.dtype.kind == "f" and array.dtype != np.float64 else None

    def of(self, i):
        """What problem i is given."""
        return tuple(self._own(arg, arg[i]) if isinstance(arg, Each) else self._shared(arg) for arg in self.args)

    def _own(self, arg, one):
        if self._kind(arg.array) is not None:
            return one.astype(np.float64, order="C")
        if on_device(arg.array) or usable(np.asarray(arg.array), arg.lengths is not None):
            return one
        return one.copy()

    def _shared(self, arg):
        return arg.astype(np.float64) if isinstance(arg, np.ndarray) and self._kind(arg) is not None else arg

    def take(self, chunk):
        """(sources, what has to live as long as they are used) of a chunk.

        The sources are rows of (address, stride, kind), for the patches of ``kernels.batch``, in the order of
        :meth:`places`.
        """
        sources, keep = [], []
        for arg in self.args:
            if not isinstance(arg, Each):
                continue
            rows = part(arg.array, chunk, self._kind(arg.array), arg.lengths is not None)
            if rows.ndim > 1:
                sources.append((rows.ctypes.data, rows.strides[0], b.ADDRESS))
                if arg.lengths is not None:
                    lengths = arg.lengths[chunk]
                    sources.append((lengths.ctypes.data, 8, b.WORD))
            else:
                if rows.itemsize != 8:
                    rows = _records(rows)
                sources.extend((rows.ctypes.data + 8 * k, rows.strides[0], b.WORD) for k in range(1 + (rows.ndim > 1)))
            keep.append(rows)
        return np.array(sources, np.int64).reshape(-1, 3), keep

    def places(self):
        """Which words of the table of arguments the sources are for."""
        from numopt.callbacks.arguments import places_of

        found = []
        for arg, place in zip(self.args, places_of(self.of(0)), strict=True):
            if isinstance(arg, Each):
                wide = arg.array.ndim > 1
                two = arg.lengths is not None if wide else arg.array.itemsize != 8 and not self.converts(arg)
                found.extend((place, place + 1) if two else (place,))
        return found

    def converts(self, arg):
        """Whether numbers of another width become doubles."""
        return self._kind(arg.array) is not None

    def bytes_each(self):
        """How many bytes have to be converted for each problem."""
        total = 0
        for arg in self.args:
            if isinstance(arg, Each) and len(arg):
                rows = part(arg.array, slice(0, 1), self._kind(arg.array), arg.lengths is not None)
                total += converted(arg.array, rows)
        return total


def _records(values):
    """Numbers of another width than a word, each in the 16 bytes that the table has for a number."""
    records = np.zeros((len(values), 2), np.int64)
    wide = np.ascontiguousarray(values)
    records.view(np.uint8)[:, : wide.itemsize] = wide.view(np.uint8).reshape(len(values), -1)
    return records
