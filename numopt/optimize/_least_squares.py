"""``least_squares``: the front door of the methods for sums of squares."""

import inspect
import math
import time

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.residuals import BoundSquares
from numopt.catalog import SQUARES, squares_words
from numopt.drivers import units
from numopt.kernels import slots as s
from numopt.kernels.squares_slots import LOSSES
from numopt.kernels.status import NEW, Status
from numopt.optimize._interrupt import INTERRUPTED, TICK, catch_interrupt, release_interrupt
from numopt.optimize._minimize import addressof, first_byte
from numopt.optimize._options import check_x0
from numopt.result import OptimizeResult

METHOD_NAMES = {"lm": "lm", "marquardt": "marquardt", "gauss-newton": "gauss-newton", "trf": "lm", "dogbox": "lm"}
_TICK_SECONDS = 0.05


def least_squares(fun, x0, jac="2-point", bounds=(-np.inf, np.inf), method="lm", ftol=1e-8, xtol=1e-8, gtol=1e-8,
                  x_scale=None, loss="linear", f_scale=1.0, diff_step=None, tr_solver=None, tr_options=None,
                  jac_sparsity=None, max_nfev=None, verbose=0, args=(), kwargs=None, callback=None, workers=None, *,
                  options=None):  # fmt: skip
    """TODO."""
    row = SQUARES[METHOD_NAMES[method]]
    x = check_x0(x0)
    whole = x.size
    lower, upper = (np.array(np.broadcast_to(np.asarray(b, float), (whole,))) for b in bounds)
    bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())
    fixed = lower == upper
    mapping = None
    start = x
    if fixed.any() and not fixed.all():
        free = np.flatnonzero(~fixed)
        mapping = np.zeros((1 + free.size, whole))
        mapping[0, fixed] = lower[fixed]
        mapping[1 + np.arange(free.size), free] = 1.0
        start, lower, upper = x[free], lower[free], upper[free]
        bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())
    if kwargs:
        args, kwargs = (*args, *kwargs.values()), None
    first = np.atleast_1d(np.asarray(fun(x.copy(), *args), float))
    m, n = first.size, start.size
    words, scalars = np.zeros(s.N_COUNTERS + s.N_TABLE, np.int64), np.zeros(s.N_SCALARS)
    c, table = words[: s.N_COUNTERS], words[s.N_COUNTERS :]
    reals = np.zeros(s.N_SCALARS + squares_words(n, bounded))
    p, w = reals[: s.N_SCALARS], reals[s.N_SCALARS :]
    w[:n] = start
    c[s.STATUS], c[s.VARIANT], c[s.N], c[s.MAXITER] = NEW, row.variant, n, 2**62
    c[s.MAXFEV] = 100 * n * (1 if mapping is None else 1) if max_nfev is None else max_nfev
    p[s.FTOL_REL], p[s.GTOL], p[s.F_LOWER], p[s.NORM_ORDER] = -1.0, -1.0, -math.inf, math.inf
    p[s.LSQ_FTOL], p[s.LSQ_XTOL], p[s.LSQ_GTOL] = ftol or 0.0, xtol or 0.0, gtol or 0.0
    p[s.RADIUS_INITIAL] = (options or {}).get("factor", 1.0)
    if x_scale is not None and not isinstance(x_scale, str):
        c[s.GIVEN_SCALE] = 1
        at = s.N_COMMON * n
        w[at : at + 2 * n] = np.tile(1.0 / np.broadcast_to(np.asarray(x_scale, float), (n,)), 2)
    if bounded:
        c[s.BOUNDED] = 1
        w[-3 * n : -2 * n], w[-2 * n : -n], w[-n:] = 1.0, lower, upper
    here, there = addressof(first_byte(words)), addressof(first_byte(reals)) + 8 * s.N_SCALARS
    from numopt.solvers_layout import SQUARES_VECTORS  # noqa

    problem = {
        "loss": loss, "f_scale": f_scale, "steps": diff_step, "y": None, "sigma": None, "cholesky": None,
        "lower": lower if bounded else None, "upper": upper if bounded else None, "map": mapping, "start": start,
    }  # fmt: skip
    bound = BoundSquares(fun, jac, args, n, m, (x, first), problem, c, table, here, there,
                         there + 8 * SQUARES_VECTORS * n)
    table[s.A_TICK], table[s.A_C], table[s.A_P] = TICK, here, there - 8 * s.N_SCALARS
    table[s.A_W], table[s.A_W_SIZE] = there, w.size
    run = units.function(row.unit)
    now = time.monotonic()
    c[s.TICK_IN], c[s.TICK_EVERY] = 2, 1
    p[s.DEADLINE] = math.inf
    p[s.TICK_AT], p[s.TICK_SECONDS], p[s.STARTED_AT] = now + _TICK_SECONDS, _TICK_SECONDS, now
    c[s.PAUSE_AT] = 2**62
    run(here + 8 * s.N_COUNTERS)
    k = c.item(s.PARITY)
    z = w[k * n : (k + 1) * n].copy()
    if c[s.STATUS] == 100:
        raise bound.error(w)
    if mapping is not None:
        z = mapping[0] + z @ mapping[1:]
    return OptimizeResult(x=z, cost=p.item(s.F), nfev=c.item(s.NFEV), njev=c.item(s.NJEV), nit=c.item(s.NIT),
                          status=Status(c.item(s.STATUS)), grad=w[(2 + k) * n : (3 + k) * n].copy())
