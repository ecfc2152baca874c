"""Sums of squares on the device, one problem a block: for long data.

The rows of a problem go round the threads of its block.  Thread 0 runs the solver; whenever that asks for f or for the
triangle it tells the others, all threads do their rows, and what they found is put together in a tree, in the same
order whatever happens: f in shared memory, the triangles where the block has them.  Then thread 0 goes on while the
others wait for the next order, or for the end.

A function that raises ends its thread.  Those that are left must neither wait for it nor take what it left for a
result: each order has a number, and who has done it says so.
"""

from numba import cuda, float64, int64

from numopt.cuda import _compiling, _device
from numopt.cuda._compiling import jit
from numopt.cuda._squares_run import begin_run, end_run, put_triangle
from numopt.kernels import slots as s
from numopt.kernels import squares_direct as d
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import Run
from numopt.kernels.status import Status
from numopt.kernels.triangle import gradient

_FAILED = int(Status.FAILED)
_VALUE, _TRIANGLE, _AGAIN, _END = range(4)  # _AGAIN: with the weights of a covariance
ORDER, NUMBER, PROBLEM, BEFORE = range(4)  # of the words that a block shares; BEFORE: number of the last problem's end
FLOOR = 0.1  # of rho', as in numopt.callbacks.residuals
_NEVER = 2**62


def _in_the_simulator():
    cuda.syncthreads()


barrier = _in_the_simulator if _device.simulated() else _compiling.barrier


def THREADS():
    """Threads of a block."""
    return 4 if _device.simulated() else 128


@kernel
def _copy(a, b):
    for k in range(a.size):
        b[k] = a[k]


@kernel
def _order(R, what):
    """Tell the others what is to be done, thread 0."""
    order = R.data[1][0]
    order[ORDER] = what
    order[NUMBER] += 1
    barrier()


def _shares(pieces, T):
    """What each thread does for an order: its rows, then its part of putting things together."""
    rows_value, rows_triangle = pieces.value, pieces.triangle

    @kernel
    def value(t, data, z, team):
        order, done, part, V = team
        part[t] = float("nan")
        part[t] = rows_value(data, z, t, T)
        done[t] = order[NUMBER]
        barrier()
        half = T // 2
        while half > 0:
            if t < half:
                part[t] += part[t + half]
            barrier()
            half //= 2

    @kernel
    def triangle(t, data, z, S, team):
        order, done, part, V = team
        n = z.size
        size, changes, row = n * (n + 1) * T, (n + 1) * (n + 1) * T, (n + 1) * (n + 2) * T
        mine, most = V[t:size:T], V[size + t : changes : T]
        rows_triangle(data, z, S, mine, most, V[changes + t : row : T], t, T)
        done[t] = order[NUMBER]
        barrier()
        half = T // 2
        while half > 0:
            if t < half:
                d.merge(mine, V[t + half : size : T], n, V[changes + t : row : T])
                for j in range(n + 1):
                    V[size + j * T + t] = max(V[size + j * T + t], V[size + j * T + t + half])
            barrier()
            half //= 2

    return value, triangle


def together(pieces, T):
    """(value, grad) of an objective for thread 0 of T, and the shares of all in them."""
    value_share, triangle_share = _shares(pieces, T)
    set_points, lost, differences = pieces.set_points, pieces.lost, pieces.jac is None

    @kernel
    def value(R, z):
        data, team = R.data
        n = z.size
        there = R.w[10 * n : 11 * n]
        _copy(z, there)
        _order(R, _VALUE)
        value_share(0, data, there, team)
        return team[2][0]

    @kernel
    def grad(R, z, g):
        data, team = R.data
        n = z.size
        there, V, S, K = R.w[10 * n : 11 * n], team[3], d.scratch(R), d.triangle_at(R)
        size = n * (n + 1)
        _copy(z, there)
        d.clear(S[4 * n :])
        for _ in range(2):
            if differences:
                set_points(R, data, z, S)
            _order(R, _AGAIN if data[5] == 0.0 else _TRIANGLE)
            triangle_share(0, data, there, S, team)
            for j in range(n + 1):
                S[4 * n + j] = V[(size + j) * T]
            if not differences or not lost(S, n):
                break
        for k in range(size):
            K[k] = V[k * T]
        d.finish(K, n)
        gradient(K, n, g)
        return 0.0

    return value, grad, value_share, triangle_share


def make_block_kernel(run, pieces, x, m, own_sigma, again, T):
    """The CUDA kernel of blocks of T threads, each block at one problem; called like those of lanes.

    Parameters
    ----------
    run : jitted function
        The solver.
    pieces : numopt.kernels.squares_direct.Rows
    x, m : str
        The text of predictors and rows of problem i.
    own_sigma, again : bool
        Whether each problem has its own sigma; whether the triangle at the end is one with other weights.
    T : int
        A power of 2.
    """
    value, grad, value_share, triangle_share = together(pieces, T)
    single = pieces.single
    space: dict = {}
    exec(
        f"""
def inside(i, floor, start, given):
    where, steps, C, x, y, sigma, lengths = given
    return {x}, y[i], {"sigma[i]" if own_sigma else "sigma"}, {m}, C, floor, start[i], where, steps
""",
        space,
    )
    inside = kernel(space["inside"])

    @kernel
    def serve(t, seen, i, n, w, start, given, team):
        """Do what thread 0 says until the problem has ended: the number of its last order, or -1 if it is gone."""
        order = team[0]
        there, S = w[10 * n : 11 * n], w[4 * n : 9 * n + 1]
        while True:
            barrier()
            if order[NUMBER] == seen:
                return -1
            seen = order[NUMBER]
            what = order[ORDER]
            if what == _END:
                return seen
            data = inside(i, 0.0 if what == _AGAIN else FLOOR, start, given)
            if what == _VALUE:
                value_share(t, data, there, team)
            else:
                triangle_share(t, data, there, S, team)

    @kernel
    def lead(i, c, p, w, state, given, results, team):
        """Run problem i; its status."""
        begin_run(i, c, p, w, state)
        c[s.PAUSE_AT] = _NEVER
        n = c[s.N]
        run(Run(None, value, grad, None, None, (inside(i, FLOOR, state[2], given), team), None, 0, 0, c, p, w, p))
        status = end_run(i, c, p, w, state[2], state[3], results, single)
        if results[5].shape[0] > 0:
            place = c[s.PARITY]
            if again and c[s.NFEV] > 0:
                R = Run(None, value, grad, None, None, (inside(i, 0.0, state[2], given), team), None, 0, 0, c, p, w, p)
                other = 1 - place
                grad(R, w[place * n : (place + 1) * n], w[(s.G0 + other) * n : (s.G0 + other + 1) * n])
                place = other
            put_triangle(i, w, n, place, results[5])
        order, done, part, V = team
        number, gone = order[NUMBER], False
        order[ORDER] = _END
        order[NUMBER] += 1
        if number > order[BEFORE]:
            for t in range(T):
                gone = gone or done[t] != number
        order[BEFORE] = number + 1
        barrier()
        if gone:
            return _FAILED
        return status

    @jit
    def block(count, lanes, queue, status, data):
        order = cuda.shared.array(4, int64)  # each on a line of its own: the simulator tells them apart by that
        done = cuda.shared.array(T, int64)
        part = cuda.shared.array(T, float64)
        state, given, own, results = data
        lane, t, seen = cuda.blockIdx.x, cuda.threadIdx.x, 0
        c, p, w, team = own[0][lane], own[1][lane], own[2][lane], (order, done, part, own[3][lane])
        done[t] = 0
        if t == 0:
            order[NUMBER], order[BEFORE] = 0, 0
        barrier()
        over = lane >= lanes
        while True:
            if t == 0:
                order[PROBLEM] = count if over else cuda.atomic.add(queue, 0, 1)
            barrier()
            i = order[PROBLEM]
            if i >= count:
                break
            if t == 0:
                status[i] = _FAILED
                found = lead(i, c, p, w, state, given, results, team)
                status[i] = found
                over = found == _FAILED  # some thread of the block has ended
            else:
                seen = serve(t, seen, i, state[3].size, w, state[2], given, team)
                if seen < 0:
                    break

    return block
