"""``minimize_batch``: many small problems by one call."""

import importlib
import warnings

import numpy as np

from numopt.kernels.status import Status
from numopt.optimize._batch_bounds import FIXED, FREE, Boxes
from numopt.optimize._batch_input import Arguments, check_each, on_device, read_starts, vectors
from numopt.optimize._batch_minimize import Outputs, single, solve
from numopt.optimize._batch_result import BatchResult
from numopt.optimize._batch_run import Clock, Progress, read_chunk_size, read_dtype, read_threads
from numopt.optimize._bounds import active_bounds
from numopt.optimize._minimize import choose
from numopt.optimize._options import check_callables, find_method, read_options, warn_of_unused
from numopt.optimize._runs import hand_over
from numopt.optimize._warn import OptimizeWarning, warn

_REFUSED = {
    "disp": "progress=True shows a bar over the problems",
    "history": "numopt.minimize records one for a single problem",
    "return_all": "numopt.minimize keeps the iterates of a single problem",
    "callback": "numopt.minimize calls one for a single problem",
}


def minimize_batch(fun, X0, args=(), method=None, jac=None, hess=None, hessp=None, bounds=None, tol=None, options=None,
                   *, device="cpu", dtype=None, n_threads=None, chunk_size=None, max_time=None, progress=False,
                   client=None):  # fmt: skip
    """Minimize many functions of the same form, each on its own.

    On the CPU the result of each problem is that of :func:`minimize` to the last bit, whatever the other problems are,
    the number of threads, and the size of the chunks.

    Parameters
    ----------
    fun : callable
        As for :func:`minimize`.  Functions compiled by ``numba.njit`` (and C functions, with shared data) are solved on
        all threads, without a return to Python between problems; Python functions one after the other, with a
        warning.
    X0 : array_like, shape (n_problems, n) or (n,)
        The starts, one a row; or one for all problems, where an argument is marked by :func:`each`.  A start that is
        not finite gives its problem the status NAN.
    args : tuple, optional
        Extra arguments of the functions.  What is marked by :func:`each` is the problem's own, ``each(a)`` its
        ``a[i]``; all others are shared.
    method, jac, hess, hessp, tol : optional
        As for :func:`minimize`, for all problems.
    bounds : optional
        As for :func:`minimize`, shared by all problems; or a pair of lower and upper bounds (or an object with ``lb``
        and ``ub``), of which one at least has the shape (n_problems, n).  Starts outside are moved onto their bounds,
        with one warning.
    options : dict, optional
        As for :func:`minimize`, but for ``disp``, ``history``, ``return_all`` and ``max_time``.
    device : {'cpu', 'cuda', 'auto'}
        Where the problems are solved; ``'auto'`` is a CUDA GPU where there is one.
    dtype : {None, 'float32', 'float64'}
        Of the results; real data in arrays is then handed to the functions in double precision on the CPU, in this one
        on a GPU.  Default: double precision, and data as they are.
    n_threads : int, optional
        Default: as many as there are cores.
    chunk_size : int, optional
        Problems that are taken together.  Default: all at once, unless starts, bounds or data have to be converted (to
        double precision, to rows without gaps), which is done in chunks of 64 MB.
    max_time : float, optional
        Seconds, not counting what has to be compiled.  Problems under way then have the status MAX_TIME, those that
        nobody got to NOT_RUN.
    progress : bool
        Whether to show a bar: what is compiled, problems done and their rate, how many have converged.
    client : distributed.Client, optional
        A Dask cluster to spread the problems over.

    Returns
    -------
    BatchResult
        Arrays, one row a problem; ``result[i]`` is one of them as of :func:`minimize`, without ``hess_inv``,
        ``final_simplex``, ``direc`` and ``n_updates``, and can't be resumed.

    Raises
    ------
    TypeError, ValueError
        For an argument that can't be used, before any work starts.
    KeyboardInterrupt
        On Ctrl-C, with the results so far as its attribute ``result``: problems under way have the status INTERRUPTED,
        those that nobody got to NOT_RUN.

    Notes
    -----
    What goes wrong with one problem is its status, and touches no other: NAN, MAXITER, LINE_SEARCH, ...; FAILED where
    a function has raised an exception for it, of which a warning quotes the first.

    Problems with variables fixed by equal bounds, sums in minibatches (``n_terms``), a schedule that is a function, and
    an ``initial_simplex`` go one by one through :func:`minimize`.

    See Also
    --------
    each : marks the arguments that differ from problem to problem.
    least_squares_batch, curve_fit_batch : the same for sums of squares.
    multistart : one function from many starts.

    Examples
    --------
    The point of each of three data sets for which the sum of distances is least:

    >>> import numba, numpy as np, numopt
    >>> @numba.njit
    ... def distances(x, points):
    ...     return np.sqrt(((points - x)**2).sum(axis=1) + 1e-6).sum()
    >>> points = np.array([[[0, 0], [4, 0], [0, 4]], [[1, 1], [1, 3], [1, 8]], [[5, 5], [6, 5], [7, 5.0]]])
    >>> result = numopt.minimize_batch(distances, np.ones(2), (numopt.each(points),))
    >>> result.x.round(2).tolist()
    [[0.85, 0.85], [1.0, 3.0], [6.0, 5.0]]
    >>> result[1].success, round(result[1].fun, 2)
    (True, 7.0)
    """
    where = read_device(device) if client is None else "cpu"  # the workers look for theirs
    batch = MinimizeBatch(fun, X0, args, method, jac, hess, hessp, bounds, tol, options, where, dtype)
    threads = read_threads(n_threads, batch.count, (fun, jac, hess, hessp))
    size, clock = read_chunk_size(chunk_size), Clock(max_time)
    if client is not None:
        spread = importlib.import_module("numopt.dask._batch").spread
        return spread(minimize_batch, fun, X0, args, method, jac, hess, hessp, bounds, tol, options, client=client,
                      device=device, dtype=dtype, n_threads=n_threads, chunk_size=chunk_size, max_time=max_time,
                      progress=progress)  # fmt: skip
    if where == "cuda":
        return batch.on_device(size, max_time, progress)
    result, failures = batch.run(threads, size, clock, progress)
    failures.warn()
    return result


def read_device(device):
    """``'cpu'`` or ``'cuda'``."""
    return "cpu" if device == "cpu" else importlib.import_module("numopt.cuda").resolve(device)


def check_options(options):
    """TypeError for options that are those of a single run."""
    if isinstance(options, dict):
        for name, instead in _REFUSED.items():
            if options.get(name):
                raise TypeError(f"option {name!r} makes no sense in a batch; {instead}")
        if "max_time" in options:
            raise TypeError("max_time is an argument of a batch, for all problems together, not an option")


class MinimizeBatch:
    """What :func:`minimize_batch` was given, read and checked.

    Attributes
    ----------
    boxes : Boxes or None
    choices : dict
        Whether problems are bounded -> (row, values, options of the front door) of their runs.
    row, values, front
        One of these.
    outputs : Outputs
    """

    def __init__(self, fun, X0, args, method, jac, hess, hessp, bounds, tol, options, device="cpu", dtype=None):
        self.args = args = args if isinstance(args, tuple) else (args,)
        self.X0, self.count = read_starts(X0, args)
        self.n, self.dtype = self.X0.shape[1], read_dtype(dtype)
        check_each(args, self.count, device)
        if device == "cpu" and on_device(self.X0):
            raise TypeError("X0 lies on a GPU; give device='cuda', or bring it to the host")
        if bounds is not None and on_device(self.X0):
            raise TypeError("X0 lies on a GPU; with bounds it is looked at on the host: bring it there")
        check_options(options)
        row, boxes = find_method(method), None if bounds is None else Boxes(bounds, self.X0)
        self.boxes, self.arguments = boxes, Arguments(args, self.dtype)
        self.functions, self.method, self.tol, self.options = (fun, jac, hess, hessp), method, tol, options
        kinds = [boxes is not None and boxes.bounded]
        if kinds[0] and (boxes.kinds == FREE).any():
            kinds.append(False)
        self.choices, known = {}, {}
        for bounded in kinds:
            chosen, gtol = choose(row, self.n, jac, hess, hessp, bounded)
            if not known:
                check_callables(fun, jac, hess, hessp, None)
                warn_of_unused(chosen, jac, hess, hessp, method is None)
            if chosen.name not in known:
                values, front = read_options(chosen, options, tol, self.n)
                if gtol is not None and tol is None and "gtol" not in (options or ()):
                    values["gtol"] = gtol
                known[chosen.name] = chosen, values, front
            self.choices[bounded] = known[chosen.name]
        self.row, self.values, self.front = self.choices[kinds[0]]
        if boxes is not None and (boxes.kinds == FIXED).any():
            for name in ("initial_simplex", "direc"):
                if self.front.get(name) is not None:
                    raise ValueError(
                        f"option {name!r} can't be given where bounds fix a variable; leave one of them out"
                    )
        if boxes is not None and boxes.moved and self.front.get("initial_simplex") is None:
            warn(boxes.moved)

    def starts(self, chunk):
        """The starts of a chunk, rows of doubles, within their bounds."""
        return vectors(self.X0, chunk) if self.boxes is None else self.boxes.starts(chunk)

    def again(self, i):
        """The single call's result of problem i, with all that it has."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            return single(self, i, self.clock)

    def run(self, threads, chunk_size, clock, shown, title="minimize_batch"):
        """(result, exceptions of the user's functions) by the CPU."""
        self.outputs, self.clock = Outputs(self), clock
        with Progress(f"{title} ({self.row.name})", self.count, shown) as progress:
            try:
                failures = solve(self, threads, chunk_size, clock, progress)
            except BaseException as error:
                result = BatchResult(self.outputs.found())
                if result.begun or not isinstance(error, Exception):
                    hand_over(error, result)
                raise
        return BatchResult(self.outputs.found()), failures

    def on_device(self, chunk_size, max_time, shown):
        """The result by a CUDA device."""
        solver = importlib.import_module("numopt.cuda._minimize").minimize_on_device
        make = importlib.import_module("numopt.optimize._batch_problem").minimize_problem
        lower, upper, boxes = None, None, self.boxes
        if boxes is not None and boxes.bounded:
            lower, upper = boxes.of(slice(0, 1) if boxes.shared else slice(None))
        with Progress(f"minimize_batch ({self.row.name}, CUDA)", self.count, shown) as progress:
            X0 = self.X0 if boxes is None else self.starts(slice(None))
            problem = make(self.row, self.values, self.front, self.functions[0], X0, self.args,
                           *self.functions[1:], lower, upper, self.dtype, chunk_size, max_time,
                           lambda done: progress.look(done, problem.arrays["status"]))  # fmt: skip
            try:
                found = solver(problem)
            except BaseException as error:
                hand_over(error, BatchResult(problem.results()))
                raise
        if boxes is not None:
            found["active_mask"] = active_bounds(found["x"], *boxes.of(slice(None)))
            if "jac" in found:
                z = np.where(found["active_mask"] == 2, np.nan, found["jac"])
                found["bound_multipliers"] = np.where(found["active_mask"] == 0, 0.0, z)
        failed = np.flatnonzero(found["status"] == int(Status.FAILED))
        if failed.size:
            warn(
                f"{failed.size} of {self.count} problems have status FAILED, problem {failed[0]} the first: fun raised "
                "an exception on the device; device='cpu' tells which"
            )
        return BatchResult(found)
