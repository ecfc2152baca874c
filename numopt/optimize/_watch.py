"""What happens at the pauses of a run, and the report at its end."""

import inspect

import numpy as np

from numopt.kernels import slots as s
from numopt.kernels.first_order_slots import T as UPDATES
from numopt.kernels.status import NEW, RUNNING, Status
from numopt.optimize._bounds import active_bounds, expand, expand_matrix
from numopt.result import OptimizeResult, history_table

_STATUS = {int(status): (status, status.success, status.message) for status in Status}
_STATUS[NEW] = _STATUS[RUNNING] = _STATUS[int(Status.INTERRUPTED)]


def _vector(w, n, k):
    return w[k * n : (k + 1) * n].copy()


def report(row, search, c, p, w, fixed=None):
    """The result of a run as things stand."""
    n, nfev, njev, nhev, nit, _, _, status = c[: s.STATUS + 1].tolist()
    parity, f, gnorm = c.item(s.PARITY), p.item(s.F), p.item(s.GNORM)
    if row.values_only:
        at_x, _, f = s.best_point(c, p) if c[s.ABORT] else (s.X0 + parity, 0, f)
        x, g, f = _vector(w, n, int(at_x)), None, float(f)
    elif row.monotone and not c[s.ABORT]:
        x, g = _vector(w, n, s.X0 + parity), _vector(w, n, s.G0 + parity)
    else:
        at_x, at_g, f = s.best_point(c, p)
        x, g, f = _vector(w, n, int(at_x)), _vector(w, n, int(at_g)), float(f)
        if at_x != s.X0 + parity:
            step = np.clip(x - g, w[-2 * n : -n], w[-n:]) - x if c[s.BOUNDED] else g
            gnorm = float(np.linalg.norm(step, p[s.NORM_ORDER]))
    status, success, message = _STATUS[status]
    if c[s.MAXIMISE]:
        f, g, message = 0.0 - f, None if g is None else 0.0 - g, message.replace("below", "above")
    result = OptimizeResult({
        "x": expand(x, fixed, fixed), "fun": f, "jac": expand(g, fixed, np.nan), "success": success, "status": status,
        "message": message, "nit": nit, "nfev": nfev, "njev": njev, "nhev": nhev, "optimality": gnorm,
    })  # fmt: skip
    if c[s.BOUNDED] or fixed is not None:
        lower, upper = (w[-2 * n : -n], w[-n:]) if c[s.BOUNDED] else (-np.inf, np.inf)
        active = active_bounds(x, lower, upper)
        result["active_mask"] = expand(active, fixed, 2)
        if not row.values_only:
            multipliers = np.where(active == 0, 0.0, np.where(active == 2, np.nan, g))
            result["bound_multipliers"] = expand(multipliers, fixed, np.nan)
    if row.values_only:
        del result["jac"]
    if row.unit == "bfgs":
        known = c[s.PAIRS] or c[s.GIVEN_H]
        H = w[(s.N_COMMON + 1) * n :][: n * n].reshape(n, n).copy() if known else np.eye(n)
        result["hess_inv"] = expand_matrix(H, fixed)
    if row.unit == "first-order":
        result["n_updates"] = int(p[s.FIRST_ORDER + UPDATES])
    state = (row.name, search or "", c, p, w)
    object.__setattr__(result, "state", state if fixed is None else (*state, fixed))
    return result


class Watch:
    """Runs the compiled loop, and looks in at pauses: callback, history, display."""

    columns: tuple[str, ...] = s.HISTORY_COLUMNS

    def __init__(self, row, search, c, p, w, table, address, front, callback, fixed):
        self.row, self.search, self.c, self.p, self.w, self.table, self.address = row, search, c, p, w, table, address
        self.callback, self.front, self.error = callback, front, None
        self.n, self.fixed = int(c[s.N]), fixed
        self.rows: list = []
        self.vectors: list | None = [] if front.get("return_all") else None
        self.chunk = None
        self.takes_result = callback is not None and takes_result(callback)
        self.sign = -1.0 if c[s.MAXIMISE] else 1.0

    def x(self):
        """The current point, a copy."""
        return expand(_vector(self.w, self.n, s.X0 + int(self.c[s.PARITY])), self.fixed, self.fixed)

    def run(self, run):
        """Until a status is reached."""
        c, table = self.c, self.table
        display = None
        if self.front.get("disp"):
            from numopt.optimize._display import Display

            display = Display(self.row.title, int(c[s.MAXITER]))
        if self.front.get("history"):
            self.chunk = np.empty((1024, len(self.columns)))
            table[s.A_HISTORY], c[s.HISTORY_SIZE] = self.chunk.ctypes.data, 1024
        often = self.callback is not None or self.vectors is not None or display is not None
        if self.vectors is not None and c[s.STATUS] == NEW:
            self.vectors.append(self.x())
        try:
            while True:
                nit = int(c[s.NIT])
                if often:
                    c[s.PAUSE_AT] = nit + 1
                elif self.chunk is not None:
                    c[s.PAUSE_AT] = nit + 1000
                else:
                    c[s.PAUSE_AT] = 2**62
                run(self.address)
                if self.chunk is not None:
                    self.rows.append(self.chunk[: c[s.HISTORY_ROWS]].copy())
                    c[s.HISTORY_ROWS] = 0
                moved = c[s.NIT] > nit
                if moved and self.vectors is not None:
                    self.vectors.append(self.x())
                if display is not None:
                    display.update(int(c[s.NIT]), self.sign * self.p[s.F], self.p[s.GNORM], int(c[s.NFEV]))
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
                self.callback(intermediate_result=self.intermediate())
            else:
                self.callback(self.x())
        except StopIteration:
            c[s.STATUS] = int(Status.CALLBACK)
        except BaseException as error:
            self.error = error
            c[s.STATUS] = int(Status.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Status.FAILED)

    def intermediate(self):
        """What a callback is told."""
        return OptimizeResult(x=self.x(), fun=self.sign * float(self.p[s.F]))

    def report(self):
        """The result of the run as things stand."""
        return report(self.row, self.search, self.c, self.p, self.w, self.fixed)

    def result(self):
        """The same, with what was recorded on the way."""
        return self.add_to(self.report())

    def add_to(self, result):
        """The result with what was recorded on the way."""
        if self.vectors is not None:
            result["allvecs"] = self.vectors
        if self.chunk is not None:
            rows = np.concatenate(self.rows) if self.rows else np.empty((0, len(self.columns)))
            rows[:, 0] *= self.sign
            result["history"] = history_table(rows, self.columns)
        return result


def takes_result(callback):
    try:
        return set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):
        return False


def takes_state(callback):
    """Whether it must be given two arguments."""
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):
        return False
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty for p in parameters) == 2
