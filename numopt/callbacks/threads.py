"""Sums of squares of many rows on several threads.

The rows' blocks, of a size of their own, are given out one after the other; what they give is put together in their
order (``kernels.squares_range``): the result is the same to the last bit for any number of threads.
"""

import ctypes
import os
import threading

import numpy as np

from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels import squares_slots as q

BLOCK = 16384  # rows, as in numopt.kernels.squares_range, which would import Numba
LEAST = 4 * BLOCK  # rows from which on threads are worth while
_word, _real = ctypes.c_ssize_t, ctypes.c_double
_FIVE = ctypes.CFUNCTYPE(_real, *[_word] * 5)


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Threads:
    """The objective's functions on several threads; the run calls them in place of the compiled ones.

    Parameters
    ----------
    block : ndarray
        The block of words of a model by rows.
    arrays : dict
        Its arrays by slot, of which each thread gets its own where they are written to.
    count : int
        Threads.
    table : ndarray
        The run's table of machine words, in which the functions are put.
    """

    def __init__(self, block, arrays, count, table):
        self.block, self.marks, self.m, self.n = block, arrays[q.MARKS], int(block[q.M]), int(block[q.FREE])
        self.count, self.c = count, int(block[q.C])
        self.firsts = range(0, self.m, BLOCK)
        self.values, self.triangles = np.empty(len(self.firsts)), np.empty((len(self.firsts), self.n * (self.n + 1)))
        self.workers = []
        for _ in range(count):
            words, own = block.copy(), {slot: arrays[slot].copy() for slot in (q.PANEL, q.COLUMN, q.MARKS, q.FULL)}
            for slot, array in own.items():
                words[slot] = array.ctypes.data
            self.workers.append((words, own, np.empty(self.n)))
        self.units = [_FIVE(units.address("squares/" + name)) for name in ("block_value", "block_triangle", "merged")]
        self.keep = []
        for slot, words, function in (
            (s.A_VALUE, 3, self.value), (s.A_GRAD, 4, self.grad), (s.A_VALUE_GRAD, 4, self.value_grad)
        ):  # fmt: skip
            pointer = ctypes.CFUNCTYPE(_real, *[_word] * words)(function)
            self.keep.append(pointer)
            table[slot] = ctypes.cast(pointer, ctypes.c_void_p).value

    def _share(self, work):
        """Run ``work(words, z, b)`` for every block b, each thread with its own words."""
        left = iter(range(len(self.firsts)))

        def run(worker):
            words, _, z = worker
            for b in left:
                work(words, z, b)

        others = [threading.Thread(target=run, args=(worker,)) for worker in self.workers[1:]]
        for thread in others:
            thread.start()
        run(self.workers[0])
        for thread in others:
            while thread.is_alive():
                try:
                    thread.join()
                except KeyboardInterrupt:  # the run's flag is set: the thread ends soon
                    pass

    def value(self, zp, n, data):
        """f at z."""
        at, call = _view(zp, n), self.units[0]

        def work(words, z, b):
            z[:] = at
            first = self.firsts[b]
            self.values[b] = call(z.ctypes.data, first, min(first + BLOCK, self.m), n, words.ctypes.data)

        self._share(work)
        total = 0.0
        for f in self.values.tolist():
            total += f
        return total

    def grad(self, zp, gp, n, data):
        """Sets the gradient and the triangle that belongs to its place."""
        at, marks, done = _view(zp, n), self.marks[: 2 * n + 1], np.empty(len(self.firsts))
        marks[:n] = 0.0
        for _ in range(2):
            marks[n:] = 0.0
            for _, own, _ in self.workers:
                own[q.MARKS][: 2 * n + 1] = marks

            def work(words, z, b):
                z[:] = at
                first = self.firsts[b]
                done[b] = self.units[1](z.ctypes.data, first, min(first + BLOCK, self.m), self.triangles[b].ctypes.data,
                                        words.ctypes.data)  # fmt: skip

            self._share(work)
            if not done.all():
                return 0.0
            for _, own, _ in self.workers:
                np.maximum(marks, own[q.MARKS][: 2 * n + 1], out=marks)
            if self.units[2](self.triangles.ctypes.data, len(self.firsts), gp, n, self.block.ctypes.data) == 0.0:
                break
        return 0.0

    def value_grad(self, zp, gp, n, data):
        """f at z; sets the gradient and the triangle."""
        f = self.value(zp, n, data)
        if np.isfinite(f):
            self.grad(zp, gp, n, data)
        else:
            _view(gp, n)[:] = np.nan
        return f


def _view(address, n):
    return np.frombuffer((_real * n).from_address(address))
