"""Data in partitions of rows, and sums over them: on a Dask cluster, or a chunk at a time on this machine."""

import math
import sys
import threading

import numpy as np
import scipy.sparse as sp

from numopt.callbacks.threads import cores
from numopt.dask._partials import FAN, apply, fold
from numopt.dask._require import check_collection, is_dask
from numopt.optimize._runs import in_threads, read_count

CHUNK = 1 << 20  # numbers of a chunk: 8 MiB


class Chunks:
    """Arrays on this machine, sliced a chunk of rows at a time; threads share the chunks."""

    def __init__(self, arrays, chunk_rows):
        self.arrays, self.n = arrays, len_of(arrays[0])
        width = sum(math.prod(a.shape[1:]) for a in arrays)
        self.size = max(1, CHUNK // max(width, 1)) if chunk_rows is None else chunk_rows
        self.reading = threading.Lock()  # what is sliced need not be made for threads

    def _blocks(self, k, skip):
        rows = slice(k * self.size, (k + 1) * self.size)
        with self.reading:
            return [a[rows] if sp.issparse(a) else np.asarray(a[rows]) for a in self.arrays[skip:]]

    def first(self, partial, args):
        """``partial`` of the first chunk."""
        return apply(partial, args, *self._blocks(0, 0))

    def reduce(self, partial, combine, args, skip=0):
        """All chunks' ``partial(args, *blocks)`` put together, in the order of the chunks; without the first arrays."""
        found = in_threads(
            lambda k: apply(partial, args, *self._blocks(k, skip)), range(-(-self.n // self.size)), cores(), math.inf
        )
        return fold(found, combine)


class Blocks:
    """Dask arrays.  With a cluster they are held there in the meantime; without, computed anew for each sum."""

    def __init__(self, arrays):
        import dask

        X = arrays[0]
        self.n = X.shape[0]
        arrays = [a.rechunk({0: X.chunks[0], **dict.fromkeys(range(1, a.ndim), -1)}) for a in arrays]
        if on_cluster():
            arrays = dask.persist(*arrays)
        self.arrays = arrays  # or the cluster would let go of them
        self.blocks = [a.to_delayed().ravel().tolist() for a in arrays]

    def first(self, partial, args):
        """``partial`` of the first partition."""
        import dask

        return dask.delayed(apply, pure=False)(partial, args, *(blocks[0] for blocks in self.blocks)).compute()

    def reduce(self, partial, combine, args, skip=0):
        """All partitions' ``partial(args, *blocks)`` put together, in the order of the partitions."""
        import dask

        # one task holds the arguments, so that they are sent once
        args = dask.delayed(args, traverse=False, pure=False)
        one, several = dask.delayed(apply, pure=False), dask.delayed(combine, pure=False)
        level = [one(partial, args, *blocks) for blocks in zip(*self.blocks[skip:], strict=True)]
        while len(level) > 1:
            groups = [level[i : i + FAN] for i in range(0, len(level), FAN)]
            level = [several(group) if len(group) > 1 else group[0] for group in groups]
        return level[0].compute()


def on_cluster():
    """Whether Dask computes on a cluster."""
    if "distributed" not in sys.modules:
        return False
    import dask
    import distributed

    return isinstance(getattr(dask.base.get_scheduler(), "__self__", None), distributed.Client)


def len_of(X):
    """Number of rows."""
    return int(X.shape[0])


def read_array(X, name):
    """X, or an array made of it, with a shape; TypeError for a Dask collection that is no array."""
    check_collection(X, name)
    if is_dask(X):
        if math.isnan(X.shape[0] if X.ndim else 0):
            raise ValueError(f"{name} has partitions of unknown lengths: call {name}.compute_chunk_sizes() first")
    elif not (hasattr(X, "shape") and hasattr(X, "dtype")):
        X = np.asarray(X)
    if not len(X.shape):
        raise ValueError(f"{name} must have rows; got a single number")
    return X


def partition(arrays, names, chunk_rows):
    """The arrays, all with as many rows, in partitions: those of the first one if it is a Dask array.

    Parameters
    ----------
    arrays : sequence of arrays
    names : sequence of str
    chunk_rows : int or None
    """
    if chunk_rows is not None:
        chunk_rows = read_count("chunk_rows", chunk_rows, 1)
    arrays = [read_array(a, name) for a, name in zip(arrays, names, strict=True)]
    rows = [len_of(a) for a in arrays]
    for name, count in zip(names, rows, strict=True):
        if count != rows[0]:
            raise ValueError(f"{names[0]} and {name} must have as many rows: got {rows[0]} and {count}")
    if rows[0] == 0:
        raise ValueError(f"{names[0]} has no rows: at least one is needed")
    if not is_dask(arrays[0]):
        return Chunks([np.asarray(a) if is_dask(a) else a for a in arrays], chunk_rows)
    import dask.array

    first = arrays[0].chunks[0]
    return Blocks([
        a if is_dask(a) else dask.array.from_array(np.asarray(a), (first, *(-1,) * (len(a.shape) - 1))) for a in arrays
    ])  # fmt: skip
