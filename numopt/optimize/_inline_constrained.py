"""Solvers for problems with constraints, for calls inside the user's own compiled functions."""

import math
from typing import Any

import numpy as np
from numba import njit

from numopt.catalog import LINE_SEARCHES, METHODS
from numopt.constrained_catalog import CONSTRAINED_OPTIONS, constrained_defaults
from numopt.drivers.units import source
from numopt.kernels import constrained_slots as k
from numopt.kernels import slots as s
from numopt.kernels.augmented_slots import DENSE_UP_TO
from numopt.kernels.constrained import ConstrainedRun
from numopt.kernels.oracle import Run
from numopt.kernels.status import Status
from numopt.kernels.vectors import copy
from numopt.optimize._constrained_run import new_constrained_state
from numopt.optimize._inner import inner_state
from numopt.optimize._options import read_number

_BOUNDS = "bounds must be an array of shape (2, n), lower <= upper, a row of lower ones and one of upper ones, or None"
_LIMITS = "limits must be an array of shape (2, m), lower <= upper, a row of lower ones and one of upper ones"


def _inner_solver(row):
    """What ``R.search`` is, for a run inside compiled code."""
    run, search = source(row.unit_for(True)), source(LINE_SEARCHES[row.line_search][1])
    c0, p0 = inner_state(row)

    @njit(error_model="numpy", nogil=True)
    def inner(fun, R, c, p, w, begin):
        if begin:
            copy(c0, c)
            copy(p0, p)
        else:
            run(Run(fun, None, None, None, None, R, search, 0, 0, c, p, w, R.history))
        return 0.0

    return inner


def constrained_solver(row, options):
    """What :func:`numopt.jit_solver` returns for a method of ``CONSTRAINED``."""
    values = constrained_defaults(row)
    for name, value in options.items():
        if name not in values:
            raise ValueError(f"option {name!r} is not known inside compiled code; {', '.join(sorted(values))} are")
        _, _, kind, least = CONSTRAINED_OPTIONS[name]
        values[name] = read_number(name, value, kind, least)
    words, p0 = new_constrained_state(row, values)
    c0 = words[: s.N_COUNTERS]
    p0[s.DEADLINE] = math.inf
    c0[s.TICK_IN], c0[s.PAUSE_AT] = 2**62, 2**62
    run, own, common = source(row.unit), njit(row.own), njit(k.common_words)
    search: Any = _inner_solver(METHODS[row.inner]) if row.inner else 0
    most = DENSE_UP_TO if row.inner else 2**62
    too_many = f"method {row.name!r} takes at most {most} variables inside compiled code"
    needs = f"method {row.name!r} needs lag_hess(x, w, H, data)"
    second_order, equalities_only, linear_sets = row.second_order, row.equalities_only, row.linear_sets
    no_inequalities = f"method {row.name!r} takes neither inequalities nor bounds"
    one_row = f"method {row.name!r} takes at most one constraint, which must be linear"
    kkt = int(Status.KKT)

    @njit(error_model="numpy", nogil=True)
    def solve(fun, x0, con, con_jac, limits, bounds=None, data=None, lag_hess=None):
        n, m = x0.size, limits.shape[1]
        if limits.shape[0] != 2 or not (limits[0] <= limits[1]).all():
            raise ValueError(_LIMITS)
        if n > most:
            raise ValueError(too_many)
        if second_order and lag_hess is None:
            raise ValueError(needs)
        if equalities_only and (bounds is not None or not (limits[0] == limits[1]).all()):
            raise ValueError(no_inequalities)
        if linear_sets and m > 1:
            raise ValueError(one_row)
        c, p = c0.copy(), p0.copy()
        if linear_sets:
            c[s.VARIANT] = m
        w, h = np.zeros(common(n, m) + own(n, m) + 3 * n), np.empty(k.HISTORY_WIDTH)
        c[s.N], c[k.M], c[k.EXACT_HESSIAN] = n, m, lag_hess is not None
        w[:n] = x0
        rows = (s.N_COMMON + 3) * n
        w[rows + 6 * m : rows + 7 * m] = limits[0]
        w[rows + 7 * m : rows + 8 * m] = limits[1]
        w[w.size - 3 * n : w.size - 2 * n] = 1.0
        w[w.size - 2 * n : w.size - n] = -np.inf
        w[w.size - n :] = np.inf
        if bounds is not None:
            if bounds.shape != (2, n) or not (bounds[0] <= bounds[1]).all():
                raise ValueError(_BOUNDS)
            w[w.size - 2 * n : w.size - n] = bounds[0]
            w[w.size - n :] = bounds[1]
        R = ConstrainedRun(fun, None, None, None, None, data, search, 0, 0, c, p, w, h, con, con_jac, lag_hess, data)
        run(R)
        # the current point where the conditions hold, else the best
        at = c[s.PARITY] if c[s.STATUS] == kkt else 2
        x = s.X0 + at if at < 2 else s.X_BEST
        y, z = rows + (3 + at) * m, (s.N_COMMON + at) * n
        return (
            w[x * n : (x + 1) * n].copy(),
            p[s.F] if at < 2 else p[s.F_BEST],
            w[y : y + m].copy(),
            w[z : z + n].copy(),
            p[k.VIOLATION] if at < 2 else p[k.VIOLATION_BEST],
            p[s.GNORM],
            c[s.STATUS],
            c[s.NIT],
            c[s.NFEV],
        )

    return solve
