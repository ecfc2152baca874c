"""Lanes: threads that stay, and take one problem after the other from a queue.

A lane sets itself to a problem, runs a few iterations at a time, and when the problem has ended writes its result and
takes the next one, while the other lanes of its warp go on with theirs.  What a lane needs to run one problem
(counters, scalars, workspace) lies problem-fastest in the lanes, ``w[slot, lane]``: neighbouring lanes read
neighbouring words, and the memory needed does not grow with the number of problems.

What belongs to the problems (data, results) lies as the caller has it, a row a problem: it is read once from memory and
stays in the cache while its lane is at it.  A transposed copy would serve only lanes that are at neighbouring problems,
which those that were refilled are not.
"""

from numba import cuda, float64, int64

from numopt.cuda import _compiling
from numopt.kernels.slots import N_COUNTERS, N_SCALARS
from numopt.kernels.status import Status

_compiling.complete()
_FAILED = int(Status.FAILED)


def make_kernel(begin, go_on, end, failed=_FAILED, words=0):
    """The CUDA kernel of lanes that do a kind of work.

    Parameters
    ----------
    begin : jitted function
        ``begin(i, lane, data)`` sets the lane to problem i.  Where ``words`` are asked for, ``lane`` is a tuple of its
        number and of counters, scalars and workspace of its own.
    go_on : jitted function
        ``go_on(i, lane, data) -> bool`` runs some iterations; whether there are more to come.
    end : jitted function
        ``end(i, lane, data) -> status`` writes the result of problem i; returns its status.
    failed : int
        The status of a problem in which the user's function raises: that ends the thread, its lane takes no more.
    words : int
        Of a workspace in the thread's own memory, next to the processor; 0: none.

    Returns
    -------
    kernel : CUDA kernel
        ``kernel(count, lanes, queue, status, data)``: problems; threads that take any; how many have been taken, an
        array of one integer; their status, an array of integers; whatever the three functions need, a tuple of arrays,
        numbers and tuples.
    """

    @_compiling.jit
    def kernel(count, lanes, queue, status, data):
        lane = cuda.grid(1)
        i = cuda.atomic.add(queue, 0, 1) if lane < lanes else count
        fresh = True
        while i < count:
            if fresh:
                status[i] = failed
                begin(i, lane, data)
                fresh = False
            if not go_on(i, lane, data):
                status[i] = end(i, lane, data)
                i = cuda.atomic.add(queue, 0, 1)
                fresh = True

    @_compiling.jit
    def kernel_alone(count, lanes, queue, status, data):
        c = cuda.local.array(N_COUNTERS, int64)
        p = cuda.local.array(N_SCALARS, float64)
        w = cuda.local.array(words, float64)
        number = cuda.grid(1)
        lane = number, c, p, w
        i = cuda.atomic.add(queue, 0, 1) if number < lanes else count
        fresh = True
        while i < count:
            if fresh:
                status[i] = failed
                begin(i, lane, data)
                fresh = False
            if not go_on(i, lane, data):
                status[i] = end(i, lane, data)
                i = cuda.atomic.add(queue, 0, 1)
                fresh = True

    return kernel_alone if words else kernel
