"""``minimize``: the front door of the gradient methods."""

import math
import signal
import threading
import time

import numpy as np

from numopt.callbacks.bind import Bound
from numopt.catalog import LINE_SEARCHES, METHODS, OPTIONS
from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels.status import NEW, RUNNING, Status
from numopt.optimize._options import check_callables, check_path, check_x0, find_method, read_options
from numopt.result import OptimizeResult, history_table

_TICK_SECONDS = 0.05
_EPS_SCIPY = 1.4901161193847656e-08


def minimize(fun, x0, args=(), method=None, jac=None, hess=None, hessp=None, bounds=None, constraints=(),
             tol=None, callback=None, options=None):  # fmt: skip
    """Minimize a scalar function of one or more variables.

    A drop-in for ``scipy.optimize.minimize``; the loop runs compiled, whatever the callables are.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``: a Python function, a function compiled by ``numba.njit``, or a C function
        (``numba.cfunc``, ctypes, cffi, ``scipy.LowLevelCallable``; see :mod:`numopt.callbacks.pointers` for the
        signatures).
    x0 : array_like, shape (n,)
        The start.
    args : tuple, optional
        Extra arguments of fun, jac, hess and hessp.  For jitted functions: numbers, arrays, and tuples of them.
    method : str, optional
        A name from the table of methods (``numopt.METHODS``), or scipy's name of one of them, in any case.
        Default: ``'BFGS'``.
    jac : {callable, True, '2-point', '3-point', 'cs'}, optional
        The gradient ``jac(x, *args) -> array (n,)``; True if fun returns value and gradient; or how to take
        differences.  Default: ``'2-point'`` with scipy's absolute step.
    hess : {callable, '2-point', '3-point'}, optional
        The Hessian ``hess(x, *args) -> array (n, n)``, for the Newton methods; or differences of the gradient
        (default ``'3-point'``).
    hessp : callable, optional
        ``hessp(x, p, *args) -> array (n,)``, the Hessian times p.
    bounds, constraints
        Not supported yet: ValueError.
    tol : float, optional
        Sets ``gtol`` (and ``ftol`` where the method has one).
    callback : callable, optional
        ``callback(xk)`` or ``callback(intermediate_result)``, by the name of the parameter, after each iteration.
        ``StopIteration`` ends the run with status 99.
    options : dict, optional
        Common to all methods: ``maxiter``, ``maxfev``, ``max_time`` (seconds), ``disp``, ``history``,
        ``return_all``, ``gtol``, ``norm``, ``ftol``, ``xrtol``, ``xtol``, ``f_lower``, ``eps``,
        ``finite_diff_rel_step``; with a line search ``line_search``, ``c1``, ``c2``, ``maxls``, ``line_tol``,
        ``initial_step``; and those of the method.

    Returns
    -------
    OptimizeResult
        The best point seen, and why the run ended.

    Raises
    ------
    TypeError, ValueError
        For an argument that can't be used; nothing has been evaluated then but for its type.
    KeyboardInterrupt
        On Ctrl-C, with the best result so far as its attribute ``result``.

    Examples
    --------
    >>> import numopt
    >>> def rosen(x):
    ...     return (1 - x[0])**2 + 100 * (x[1] - x[0]**2)**2
    >>> result = numopt.minimize(rosen, [-1.2, 1.0])
    >>> result.success, result.x.round(4).tolist()
    (True, [1.0, 1.0])

    The same with a function compiled by Numba, whose loop never enters Python:

    >>> import numba
    >>> result = numopt.minimize(numba.njit(rosen), [-1.2, 1.0], method='L-BFGS-B', jac='3-point')
    >>> result.x.round(4).tolist()
    [1.0, 1.0]
    """
    row = find_method(method, bounds, constraints)
    x = check_x0(x0)
    n = x.size
    check_callables(fun, jac, hess, hessp, callback)
    if not isinstance(args, tuple):
        args = (args,)
    values, front = read_options(row, options, tol, n)
    c, p = np.zeros(s.N_COUNTERS, np.int64), np.zeros(s.N_SCALARS)
    c[s.N], c[s.STATUS], c[s.VARIANT], c[s.TRACK_BEST] = n, NEW, row.variant, not row.monotone
    p[s.STEP_MIN], p[s.STEP_MAX], p[s.CURVATURE_MIN] = 1e-20, 1e20, 1e-10
    for name, value in values.items():
        block, slot, _, _ = OPTIONS[name]
        (c if block == "c" else p)[slot] = value
    w = np.empty(row.words(n, int(c[s.MEMORY])))
    w[:n] = x
    if front.get("hess_inv0") is not None:
        w[(s.N_COMMON + 1) * n :] = front["hess_inv0"].ravel()
        c[s.UPDATES] = 1
    search = front.get("line_search", row.line_search)
    return _go(row, search, c, p, w, front, fun, args, jac, hess, hessp, callback)


def resume(state, fun, args=(), jac=None, hess=None, hessp=None, callback=None, options=None):
    """Go on with a run that was stopped, bit for bit as if it had not been.

    Parameters
    ----------
    state : OptimizeResult or path
        A result, or the file that its ``save`` wrote.
    fun, args, jac, hess, hessp, callback
        As for :func:`minimize`; they are not part of the saved state.
    options : dict, optional
        New limits: ``maxiter`` and ``maxfev`` (both count from the start of the first run), ``max_time``, and
        whatever else is to differ.

    Returns
    -------
    OptimizeResult

    Examples
    --------
    >>> import numopt
    >>> def f(x):
    ...     return (x[0] - 1)**4 + x[1]**2
    >>> part = numopt.minimize(f, [3.0, 2.0], options={'maxiter': 3})
    >>> whole = numopt.resume(part, f, options={'maxiter': 100})
    >>> whole.success, whole.nit > 3
    (True, True)
    """
    saved = state.state if isinstance(state, dict) else dict(np.load(check_path(state), allow_pickle=False))
    if saved is None or not {"method", "search", "c", "p", "w"} <= set(saved):
        raise ValueError("state holds no saved run of numopt.minimize")
    row = METHODS[str(saved["method"])]
    c, p, w = (np.array(saved[name]) for name in "cpw")
    check_callables(fun, jac, hess, hessp, callback)
    values, front = read_options(row, options, None, int(c[s.N]))
    for name in options or {}:
        name = {"maxfun": "maxfev"}.get(name, name)
        if name in values:
            block, slot, _, _ = OPTIONS[name]
            (c if block == "c" else p)[slot] = values[name]
    c[s.STATUS], c[s.ABORT], c[s.HISTORY_ROWS] = RUNNING, 0, 0
    if c[s.NIT] >= c[s.MAXITER]:
        c[s.STATUS] = int(Status.MAXITER)
    search = str(saved["search"]) or None
    args = args if isinstance(args, tuple) else (args,)
    return _go(row, front.get("line_search", search), c, p, w, front, fun, args, jac, hess, hessp, callback)


def _go(row, search, c, p, w, front, fun, args, jac, hess, hessp, callback):
    """Bind, run, report."""
    n = int(c[s.N])
    table = np.zeros(s.N_TABLE, np.int64)
    c[s.LINE_SEARCH] = LINE_SEARCHES[search][0] if search else 0
    steps = front.get("eps")
    if steps is None and (jac is None or jac is False):
        steps = _EPS_SCIPY if front.get("finite_diff_rel_step") is None else None
    bound = Bound(
        fun, jac or None, hess if callable(hess) else None, hessp, args, n, c, table,
        lazy=search == "armijo", second_order=row.second_order,
        steps=steps if jac is None or jac is False else None, rel_steps=front.get("finite_diff_rel_step"),
        hess_scheme=2 if hess == "2-point" else 3,
    )  # fmt: skip
    if search:
        table[s.A_SEARCH] = units.address(LINE_SEARCHES[search][1])
    table[s.A_C], table[s.A_P] = c.ctypes.data, p.ctypes.data
    table[s.A_W], table[s.A_W_SIZE] = w.ctypes.data, w.size
    table[s.A_TICK] = _TICK
    now = time.monotonic()
    c[s.TICK_IN] = c[s.TICK_EVERY] = 1
    p[s.TICK_SECONDS], p[s.TICK_AT], p[s.STARTED_AT] = _TICK_SECONDS, now + _TICK_SECONDS, now
    limit = front.get("max_time")
    p[s.DEADLINE] = math.inf if limit is None else now + limit
    run = units.function(row.unit)
    watch = _Watch(row, search, c, p, w, table, front, callback)
    previous = _catch_interrupt(c)
    try:
        watch.run(run)
    finally:
        if previous is not None:
            signal.signal(signal.SIGINT, previous)
    status = int(c[s.STATUS])
    result = watch.result()
    if status == Status.FAILED or status == Status.INTERRUPTED:
        x = w[int(1 - c[s.PARITY]) * n :][:n].copy()
        if status == Status.INTERRUPTED and (bound.python is None or bound.python.error is None):
            error: BaseException = KeyboardInterrupt()
        else:
            error = _error_of(bound, x, watch)
        try:
            error.result = result  # type: ignore[attr-defined]
        except AttributeError:
            error.add_note(f"best value so far: {result.fun}")
        raise error
    return result


def _error_of(bound, x, watch):
    try:
        bound.raise_error(x)
    except BaseException as error:
        return error
    return watch.error or RuntimeError("a callable failed")


def _nothing(_):
    """Called by compiled code now and then; running any Python code lets Python handle signals."""
    return 0.0


def _make_tick():
    import ctypes

    pointer = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t)(_nothing)
    return pointer, ctypes.cast(pointer, ctypes.c_void_p).value


_TICK_KEEP, _TICK = _make_tick()


def _catch_interrupt(c):
    """Install a handler of Ctrl-C that ends the run; returns the previous one, or None if none was replaced.

    An exception that Python raises before a callback's first line would be lost in ctypes, so the flag is set
    first.  A handler of the user's own is left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    previous = signal.getsignal(signal.SIGINT)
    if previous is not signal.default_int_handler:
        return None

    def handler(number, frame):
        c[s.ABORT] = int(Status.INTERRUPTED)
        if frame is not None and frame.f_code.co_filename.startswith(units.PACKAGE_FOLDER):
            return
        raise KeyboardInterrupt

    return signal.signal(signal.SIGINT, handler)


class _Watch:
    """Runs the compiled loop, and looks in at pauses: callback, history, display."""

    def __init__(self, row, search, c, p, w, table, front, callback):
        self.row, self.search, self.c, self.p, self.w, self.table = row, search, c, p, w, table
        self.callback, self.front, self.error = callback, front, None
        self.n = int(c[s.N])
        self.rows: list = []
        self.vectors: list | None = [] if front.get("return_all") else None
        self.chunk = None
        self.takes_result = callback is not None and _takes_result(callback)

    def x(self):
        """The current point, a copy."""
        return self._vector(s.X + int(self.c[s.PARITY]))

    def _vector(self, k):
        return self.w[int(k) * self.n : (int(k) + 1) * self.n].copy()

    def run(self, run):
        """Until a status is reached."""
        c, table = self.c, self.table
        display = None
        if self.front.get("disp"):
            from numopt.optimize._display import Display

            display = Display(self.row.title, int(c[s.MAXITER]))
        if self.front.get("history"):
            self.chunk = np.empty((1024, 5))
            table[s.A_HISTORY], c[s.HISTORY_SIZE] = self.chunk.ctypes.data, 1024
        often = self.callback is not None or self.vectors is not None or display is not None
        if self.vectors is not None and c[s.STATUS] == NEW:
            self.vectors.append(self.x())
        address = table.ctypes.data
        try:
            while True:
                nit = int(c[s.NIT])
                if often:
                    c[s.PAUSE_AT] = nit + 1
                elif self.chunk is not None:
                    c[s.PAUSE_AT] = nit + 1000
                else:
                    c[s.PAUSE_AT] = 2**62
                run(address)
                if self.chunk is not None:
                    self.rows.append(self.chunk[: c[s.HISTORY_ROWS]].copy())
                    c[s.HISTORY_ROWS] = 0
                moved = c[s.NIT] > nit
                if moved and self.vectors is not None:
                    self.vectors.append(self.x())
                if display is not None:
                    display.update(int(c[s.NIT]), self.p[s.F], self.p[s.GNORM], int(c[s.NFEV]))
                if moved and self.callback is not None and c[s.ABORT] == 0:
                    self._call_back()
                if c[s.STATUS] != RUNNING:
                    break
        finally:
            if display is not None:
                display.close(self.result())

    def _call_back(self):
        c = self.c
        try:
            if self.takes_result:
                self.callback(intermediate_result=OptimizeResult(x=self.x(), fun=float(self.p[s.F])))
            else:
                self.callback(self.x())
        except StopIteration:
            c[s.STATUS] = int(Status.CALLBACK)
        except BaseException as error:
            self.error = error
            c[s.STATUS] = int(Status.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Status.FAILED)

    def result(self):
        """The result as things stand."""
        c, p = self.c, self.p
        parity = int(c[s.PARITY])
        status = Status(int(c[s.STATUS])) if c[s.STATUS] >= 0 else Status.INTERRUPTED
        x, g, f = self._vector(s.X + parity), self._vector(s.G + parity), float(p[s.F])
        gnorm = float(p[s.GNORM])
        if c[s.TRACK_BEST] and p[s.F_BEST] < p[s.F] or (c[s.TRACK_BEST] and f != f and p[s.F_BEST] < math.inf):
            x, f = self._vector(s.X_BEST), float(p[s.F_BEST])
            g = self._vector(s.G_BEST)
            gnorm = float(np.abs(g).max()) if p[s.NORM_ORDER] == math.inf else float(np.linalg.norm(g, p[s.NORM_ORDER]))
        result = OptimizeResult(
            x=x, fun=f, jac=g, success=status.success, status=status, message=status.message, nit=int(c[s.NIT]),
            nfev=int(c[s.NFEV]), njev=int(c[s.NJEV]), nhev=int(c[s.NHEV]), optimality=gnorm,
        )  # fmt: skip
        if self.row.unit == "bfgs":
            n = self.n
            H = self.w[(s.N_COMMON + 1) * n :].reshape(n, n)
            dict.__setitem__(result, "hess_inv", H.copy() if c[s.UPDATES] else np.eye(n))
        if self.vectors is not None:
            result["allvecs"] = self.vectors
        if self.chunk is not None:
            result["history"] = history_table(np.concatenate(self.rows) if self.rows else np.empty((0, 5)))
        result.state = {"method": self.row.name, "search": self.search or "", "c": c, "p": p, "w": self.w}
        return result


def _takes_result(callback):
    import inspect

    try:
        return set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):
        return False
