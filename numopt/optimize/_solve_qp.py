"""numopt.solve_qp: convex quadratic programs and linear programs, dense."""

import ctypes

import numpy as np

from numopt.drivers import units
from numopt.kernels import qp_slots as s
from numopt.kernels.status import Status
from numopt.optimize._warn import warn
from numopt.result import OptimizeResult

_PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t, ctypes.c_ssize_t)
_Table = ctypes.c_ssize_t * s.N_WORDS
_loaded: dict = {}
_SYMMETRIC = 1e-12  # P - P' over P, below which it is rounding
_NO_ROWS = np.empty(0)

_MESSAGES = {
    Status.KKT: "Converged: the KKT conditions hold, and the duality gap is closed, to within tol.",
    Status.UNBOUNDED: "Stopped: the objective is unbounded below, along `ray` from x.",
    Status.STALLED: "Stalled: rounding errors leave residuals above tol.",
    Status.MAXITER: "Stopped: the working set did not settle; the problem is too badly conditioned for this method.",
}


def _numbers(name, value, accepted):
    """A float64 array in C order."""
    value = value.toarray() if hasattr(value, "toarray") else np.asarray(value)
    if value.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be {accepted} of real numbers, got dtype {value.dtype}")
    return np.asarray(value, float, order="C")


def _finite(name, value):
    if not np.isfinite(value).all():
        at = [int(i) for i in np.argwhere(~np.isfinite(value))[0]]
        raise ValueError(f"{name} must be finite, got {name}[{', '.join(map(str, at))}] = {value[tuple(at)]}")
    return value


def _read_rows(names, M, v, n, least):
    """A matrix and the right-hand side of its rows."""
    if M is None and v is None:
        return np.empty((0, n)), _NO_ROWS
    if M is None or v is None:
        given, other = (names[1], names[0]) if M is None else names
        raise ValueError(f"{names[0]} and {names[1]} go together, got {given} without {other}")
    M = _numbers(names[0], M, f"a matrix of {n} columns")
    M = M[None] if M.ndim == 1 else M
    if M.ndim != 2 or M.shape[1] != n:
        raise ValueError(f"{names[0]} must have {n} columns, as q has {n} elements; got the shape {M.shape}")
    v = _numbers(names[1], v, f"a vector of {len(M)} elements")
    v = v[None] if v.ndim == 0 else v
    if v.shape != (len(M),):
        raise ValueError(f"{names[1]} must have the shape ({len(M)},), as {names[0]} has {len(M)} rows; got {v.shape}")
    _finite(names[0], M)
    if least is None:
        return M, _finite(names[1], v)
    if not (v > least).all():
        i = int(np.flatnonzero(np.isnan(v) | (v == least))[0])
        raise ValueError(f"{names[1]} must hold numbers, or inf for a row without limit; got {names[1]}[{i}] = {v[i]}")
    return M, v


def _read_bound(name, value, n, none):
    """A number or a vector of bounds."""
    if value is None:
        return none
    value = _numbers(name, value, f"a number or a vector of {n} elements")
    if value.shape not in ((), (n,)):
        raise ValueError(f"{name} must be a number or of shape ({n},), as q has {n} elements; got {value.shape}")
    wrong = np.isnan(value) | (value == -none)
    if wrong.any():
        value = np.broadcast_to(value, (n,))
        i = int(np.flatnonzero(np.broadcast_to(wrong, (n,)))[0])
        raise ValueError(f"{name} must hold numbers, or {none} where there is no bound; got {name}[{i}] = {value[i]}")
    return value


def _read_objective(P, q):
    q = _numbers("q", q, "a vector")
    if q.ndim != 1 or q.size == 0:
        raise ValueError(f"q must be a vector of at least one element, got the shape {q.shape}")
    n = q.size
    if P is None:
        return np.zeros((n, n)), _finite("q", q)
    P = _numbers("P", P, f"a matrix of shape ({n}, {n})")
    if P.shape != (n, n):
        raise ValueError(f"P must have the shape ({n}, {n}), as q has {n} elements; got {P.shape}")
    _finite("P", P)
    if not (P == P.T).all():
        skew = np.abs(P - P.T).max()
        if skew > _SYMMETRIC * np.abs(P).max():
            warn(f"P is not symmetric (P and P' differ by up to {skew:.3g}): its symmetric part is taken")
        P = 0.5 * (P + P.T)
    return P, _finite("q", q)


def _read_active_set(active_set, x0, rows, low, high, n):
    """Marks of the working set to start from."""
    if active_set is None and x0 is None:
        return np.zeros(low.size)
    if active_set is not None:
        marks = _numbers("active_set", active_set, f"a vector of {low.size} elements")
        if marks.shape != (low.size,) or not np.isin(marks, (-1, 0, 1)).all():
            raise ValueError(
                f"active_set must be -1, 0 or 1 for each row of A, row of G and variable, {low.size} in all; "
                f"got {'the shape ' + str(marks.shape) if marks.shape != (low.size,) else 'other numbers'}"
            )
        return marks.copy()
    x0 = _finite("x0", _numbers("x0", x0, f"a vector of {n} elements"))
    if x0.shape != (n,):
        raise ValueError(f"x0 must have the shape ({n},), as q has {n} elements; got {x0.shape}")
    values = np.concatenate((rows @ x0, x0))
    near = 1e-8 * (np.concatenate((np.abs(rows) @ np.abs(x0), np.abs(x0))) + 1.0)
    return np.where(values >= high - near, 1.0, 0.0) - np.where(values <= low + near, 1.0, 0.0) * (low < high)


def solve_qp(P, q, A=None, b=None, G=None, h=None, lb=None, ub=None, *, x0=None, active_set=None, tol=1e-9):
    """Minimise a convex quadratic function subject to linear constraints.

    The problem is::

        minimise  1/2 x'P x + q'x      subject to   A x = b,   G x <= h,   lb <= x <= ub

    with P symmetric and positive semidefinite; P = 0 makes it a linear program.

    Parameters
    ----------
    P : array or sparse matrix, shape (n, n), or None
        None: zero.  Of a matrix that is not symmetric the symmetric part is taken, with a warning.
    q : array, shape (n,)
    A, b : arrays, shape (k, n) and (k,), optional
        Equalities.  They may depend on each other.
    G, h : arrays, shape (m, n) and (m,), optional
        Inequalities; inf in ``h`` where a row has no limit.
    lb, ub : float or array, shape (n,), optional
        Bounds; -inf and inf where there is none.
    x0 : array, shape (n,), optional
        A guess of the solution: the constraints that hold with equality there are the working set to start from.
    active_set : array, shape (k + m + n,), optional
        The working set to start from, as ``active_set`` of a result; for a problem like one that is solved already.
    tol : float, default 1e-9
        Residuals and duality gap, relative to the terms that they are made of, with which the result is a success.

    Returns
    -------
    OptimizeResult
        ``x`` and ``fun``; ``success``, ``status`` and ``message``; ``nit``, the number of working sets.

        ``eq_multipliers``, ``ineq_multipliers``, ``bound_multipliers``: each the derivative of the least value with
        respect to the limit that is active, so that ``P x + q = A'y + G'u + z``.  So those of ``G x <= h`` are <= 0,
        those of bounds >= 0 at a lower and <= 0 at an upper one, and 0 where the constraint is not active.

        ``primal_residual``, ``dual_residual``: the largest violation of a constraint, and the largest component of
        ``P x + q - A'y - G'u - z``.  ``duality_gap``: the objective less that of the dual problem.

        ``active_set``: for each row of A, row of G and variable -1 if it is held at the lower, 1 if at the upper limit,
        else 0.

        ``status`` is ``KKT``; or ``INFEASIBLE``: ``certificate`` proves it, with an array each for 'eq', 'ineq' and
        'bounds', y, u and z: A'y + G'u + z = 0, but b'y + h'u plus bounds times z (lower ones where z > 0, upper ones
        where z < 0) is > 0, while it could not exceed (A'y + G'u + z)'x at a point x that fulfils the constraints; or
        ``UNBOUNDED``: x fulfils the constraints, and so do all x + t ``ray``, t > 0, along which the objective falls;
        or ``STALLED``, ``MAXITER``: it could not be solved to ``tol``.

    Raises
    ------
    ValueError
        An argument has the wrong shape, is not finite, or bounds are crossed; or P has a negative eigenvalue.

    Notes
    -----
    A dual active-set method (Goldfarb & Idnani), with proximal points where P is not positive definite; see
    :mod:`numopt.kernels.qp`.  It is meant for up to some hundred variables and constraints, which are stored densely.
    Inside compiled code: :func:`numopt.jit_solve_qp`.

    Examples
    --------
    The point of x_1 + x_2 = 1, x >= 0 closest to (1, 3):

    >>> import numopt
    >>> result = numopt.solve_qp([[1, 0], [0, 1]], [-1, -3], [[1, 1]], [1], lb=0)
    >>> result.x.tolist(), result.eq_multipliers.tolist(), result.bound_multipliers.round(9).tolist()
    ([0.0, 1.0], [-2.0], [1.0, 0.0])
    """
    P, q = _read_objective(P, q)
    n = q.size
    A, b = _read_rows(("A", "b"), A, b, n, None)
    G, h = _read_rows(("G", "h"), G, h, n, -np.inf)
    lb, ub = _read_bound("lb", lb, n, -np.inf), _read_bound("ub", ub, n, np.inf)
    if np.any(lb > ub):
        lb, ub = (np.broadcast_to(v, (n,)) for v in (lb, ub))
        j = int(np.flatnonzero(lb > ub)[0])
        raise ValueError(f"lb must not exceed ub; lb[{j}] = {lb[j]:g} > ub[{j}] = {ub[j]:g}")
    if isinstance(tol, bool) or not isinstance(tol, (int, float, np.number)) or not 0.0 < tol < np.inf:
        raise ValueError(f"tol must be a number > 0, got {tol!r}")
    k, m = len(b), len(b) + len(h)
    rows = G if not k else A if m == k else np.concatenate((A, G))
    low, high = np.empty(m + n), np.empty(m + n)
    low[:k], low[k:m], low[m:], high[:k], high[k:m], high[m:] = b, -np.inf, lb, b, h, ub
    marks = _read_active_set(active_set, x0, rows, low, high, n)
    end, x, lam, marks, info = _run(P, q, rows, low, high, marks)
    if end == s.NOT_CONVEX:
        least = np.linalg.eigvalsh(P)[0]
        raise ValueError(
            f"P must be positive semidefinite: the problem is not convex; its least eigenvalue is {least:g}"
        )
    certificate, message = {}, ""
    if end == s.UNBOUNDED:
        status, x, certificate["ray"] = Status.UNBOUNDED, lam[m:].copy(), x / np.abs(x).max()
    elif end == s.INFEASIBLE:
        lam /= np.abs(lam).max()
        status, certificate["certificate"] = Status.INFEASIBLE, {"eq": lam[:k], "ineq": lam[k:m], "bounds": lam[m:]}
        message = f"Failed: no point fulfils the constraints: {_names(lam, k, m, rows)}."
    elif info[s.ERROR] <= tol:
        status = Status.KKT
    else:
        status = Status.MAXITER if end == s.MAXITER else Status.STALLED
    if certificate:
        values = np.concatenate((rows @ x, x))
        info[s.VIOLATION] = max(np.max(low - values), np.max(values - high), 0.0)
        info[s.VALUE] = -np.inf if end == s.UNBOUNDED else x @ (0.5 * (P @ x) + q)
        lam, info[s.RESIDUAL], info[s.GAP] = np.full(m + n, np.nan), np.nan, np.nan
    return OptimizeResult(
        x=x,
        fun=float(info[s.VALUE]),
        success=status.success,
        status=status,
        message=message or _MESSAGES[status],
        nit=int(info[s.ITERATIONS]),
        eq_multipliers=lam[:k],
        ineq_multipliers=lam[k:m],
        bound_multipliers=lam[m:],
        primal_residual=float(info[s.VIOLATION]),
        dual_residual=float(info[s.RESIDUAL]),
        duality_gap=float(info[s.GAP]),
        active_set=marks.astype(int),
        **certificate,
    )


def _run(P, q, rows, low, high, marks, nu=np.inf):
    """Call the compiled solver: (end, x, multipliers, marks, info)."""
    m, n = rows.shape
    l = m + n
    # one block of memory: asking NumPy for an address takes longer than a small problem does
    block = np.empty(1 + 4 * l + n + s.N_INFO + s.n_words(n, m))
    block[0], block[1 : l + 1], block[l + 1 : 2 * l + 1], block[2 * l + 1 : 3 * l + 1] = nu, low, high, marks
    at = block.ctypes.data
    lows, highs, to = at + 8, at + 8 * (l + 1), 8 * m
    turned, lam, x, info = (at + 8 * (1 + k) for k in (2 * l, 3 * l, 4 * l, 4 * l + n))
    table = _Table(
        n, m, P.ctypes.data, q.ctypes.data, rows.ctypes.data, lows, highs, lows + to, highs + to, at, x, lam, lam + to,
        turned, info + 8 * s.N_INFO, info,
    )  # fmt: skip
    call = _loaded.get("qp")
    if call is None:
        call = _loaded["qp"] = _PROTOTYPE(units.address("qp"))
    end = int(call(ctypes.addressof(table), 0))
    marks, lam, x = block[2 * l + 1 : 3 * l + 1], block[3 * l + 1 : 4 * l + 1].copy(), block[4 * l + 1 :][:n].copy()
    return end, x, lam, marks, block[4 * l + n + 1 :][: s.N_INFO].tolist()


def _names(lam, k, m, rows):
    """What the constraints of a certificate do, in words."""
    size = np.abs(lam)
    scale = np.abs(rows).max(axis=1, initial=0.0)
    size[:m] *= np.where(scale > 0.0, scale, 1.0)  # a row of zeros is a contradiction by itself
    found = []
    for i in np.flatnonzero(size > 1e-9 * size.max()):
        if i < m:
            found.append(f"A[{i}]" if i < k else f"G[{i - k}]")
        else:
            found.append(f"{'lb' if lam[i] > 0.0 else 'ub'}[{i - m}]")
    if len(found) == 1:
        return f"{found[0]} contradicts itself"
    if len(found) > 10:
        return ", ".join(found[:9]) + f" and {len(found) - 9} more contradict each other"
    return f"{', '.join(found[:-1])} and {found[-1]} contradict each other"
