"""Minima of the problems with bounds, to be printed into ``numopt/problems/_bounds_minima.py``.

Run it with ``python benchmarks/certify_bounds.py``; it needs mpmath.  Each function is minimised by several of scipy's
solvers from many starts; each end is sharpened by Newton's method on the variables that are not at a bound, in 50
digits, with the problem's own residuals; ends that fulfil the first-order conditions and whose Hessian on the free
variables has no negative eigenvalue are kept, the lowest first.
"""

import sys
import types
import warnings

import mpmath
import numpy as np
import scipy.optimize
import scipy.sparse as sparse
from mpmath import mp, mpf
from scipy.sparse.linalg import splu

from numopt import problems
from numopt.problems import _bounds, _bounds_large, _data, _mgh

mp.dps = 50
_MOST = 8  # local minima to list; some of the functions have dozens
_ATTEMPTS = 30  # ends to sharpen


# starts at minima that are known to exist and that few starts lead to: multiples of 2 pi are zeros
_KNOWN = {"trigonometric_bounded": 2.0 * np.pi * np.array([0, 2, 4, 5, 7, 8, 10, 12, 13, 15])}


class _Numpy:
    """What the residuals take from NumPy, in mpmath's numbers."""

    exp, log, sqrt, cos, sin, pi = mp.exp, mp.log, mp.sqrt, mp.cos, mp.sin, mp.pi
    hypot, arctan, arctan2 = mp.hypot, mp.atan, mp.atan2


def gradient_in_mp(problem, function):
    """x -> (f, g) by the problem's residuals, in mpmath's numbers."""
    import importlib

    fill = getattr(importlib.import_module(f"numopt.problems.{_mgh.module_of(function)}"), function).py_func
    space = dict(fill.__globals__)
    for name in ("cos", "exp", "pi", "sin", "sqrt", "log", "atan", "atan2", "hypot"):
        if name in space:
            space[name] = getattr(mp, name)
    space["np"] = _Numpy
    fill = types.FunctionType(fill.__code__, space)

    def fun(x):
        r, J = np.empty(problem.m, object), np.empty((problem.m, len(x)), object)
        fill(x, r, J)
        return sum(v * v for v in r), 2 * (r @ J)

    def hess(x, free):
        h = mpf(10) ** -20
        columns = []
        for j in free:
            up, down = x.copy(), x.copy()
            step = h * max(mpf(1), abs(x[j]))
            up[j] += step
            down[j] -= step
            columns.append((fun(up)[1] - fun(down)[1])[free] / (2 * step))
        return np.array(columns, object)

    return fun, hess


def data_in_mp(name):
    """The same for the losses on data."""
    loss, data, penalty, n, _, _ = _bounds._DATA_ROWS[name]
    X, y = _data.load(data)
    A = np.array([[mpf(v) for v in row] + [mpf(1)] for row in X.tolist()], object)
    y = np.array([mpf(v) for v in (np.where(y == 1, 1, -1) if loss is _data.logistic else y).tolist()], object)
    N, keep = len(y), np.array([mpf(penalty)] * (n - 1) + [mpf(0)], object)
    logistic = loss is _data.logistic

    def parts(x):
        z = A @ x
        if not logistic:
            r = z - y
            return (r @ r) / (2 * N), r, np.array([mpf(1)] * N, object)
        e = np.array([mp.exp(-v) for v in y * z], object)
        p = e / (1 + e)
        return sum(mp.log(1 + v) for v in e) / N, -y * p, p * (1 - p)

    def fun(x):
        f, r, _ = parts(x)
        return f + (keep * x * x).sum() / 2, (A.T @ r) / N + keep * x

    def hess(x, free):
        w = parts(x)[2]
        B = A[:, free]
        return (B.T * w) @ B / N + np.diag(keep[free])

    return fun, hess


def polish(fun, hess, box, x):
    """(f, x, multipliers' least, free gradient, least eigenvalue) after Newton's method on the free variables."""
    lower, upper = ([mpf(float(v)) for v in column] for column in box.T)
    span = [1e-7 * max(1.0, abs(float(v))) for v in x]
    x = np.array([mpf(float(v)) for v in x], object)
    n = len(x)
    for j in range(n):
        x[j] = lower[j] if x[j] - lower[j] < span[j] else upper[j] if upper[j] - x[j] < span[j] else x[j]
    for _ in range(60):
        f, g = fun(x)
        free = [j for j in range(n) if lower[j] < x[j] < upper[j] or (x[j] == lower[j] < upper[j] and g[j] < 0)
                or (x[j] == upper[j] > lower[j] and g[j] > 0)]  # fmt: skip
        if not free or max(abs(g[j]) for j in free) < mpf(10) ** -32 * (1 + abs(f)):
            break
        H = hess(x, free)
        tiny = sum(abs(H[i, i]) for i in range(len(free))) * mpf(10) ** -28
        d = mpmath.lu_solve(mpmath.matrix((H + tiny * np.eye(len(free), dtype=int)).tolist()),
                            mpmath.matrix([-g[j] for j in free]))  # fmt: skip
        for i, j in enumerate(free):
            x[j] = min(max(x[j] + d[i], lower[j]), upper[j])
    f, g = fun(x)
    free = [j for j in range(n) if lower[j] < x[j] < upper[j]]
    rest = max([abs(g[j]) for j in free], default=mpf(0))
    signed = [g[j] if x[j] == lower[j] else -g[j] for j in range(n) if j not in free and lower[j] < upper[j]]
    eigenvalue = 0.0
    if free:
        H = hess(x, free)
        scale = [mp.sqrt(abs(H[i, i])) or mpf(1) for i in range(len(free))]
        H = np.array([[float(H[i, j] / scale[i] / scale[j]) for j in range(len(free))] for i in range(len(free))])
        eigenvalue = np.linalg.eigvalsh(H)[0]
    return f, x, min(signed, default=mpf(0)), rest, eigenvalue


def ends(problem, count):
    """Where scipy's solvers end from many starts."""
    lower, upper = problem.bounds.T
    rng = np.random.default_rng(0)
    x0 = problem.x0
    starts = [
        x0,
        *([_KNOWN[problem.name]] if problem.name in _KNOWN else []),
        *(problems.get(problem.name, scale=s).x0 for s in (10, 100)),
    ]
    radius = 3.0 * np.maximum(1.0, np.abs(x0))
    low, high = np.maximum(lower, x0 - radius), np.minimum(upper, x0 + radius)
    starts += [low + (high - low) * rng.random(problem.n) for _ in range(count)]
    finite = np.isfinite(lower) & np.isfinite(upper)
    if finite.all():
        starts += [lower + (upper - lower) * rng.random(problem.n) ** 3 for _ in range(count // 2)]
    tight = {"L-BFGS-B": {"ftol": 1e-15, "gtol": 1e-11, "maxiter": 3000}, "TNC": {"maxfun": 3000, "gtol": 1e-11},
             "SLSQP": {"ftol": 1e-15, "maxiter": 500},
             "trust-constr": {"gtol": 1e-11, "xtol": 1e-14, "barrier_tol": 1e-11, "maxiter": 400}}  # fmt: skip
    for k, x in enumerate(starts):
        for method in tight if k < 2 else ("L-BFGS-B", "SLSQP") if k < 8 else ("L-BFGS-B",):
            try:
                fit = scipy.optimize.minimize(problem.fun_and_grad, x, jac=True, method=method, bounds=problem.bounds,
                                              options=tight[method])  # fmt: skip
            except (ValueError, ZeroDivisionError, np.linalg.LinAlgError):
                continue
            yield fit.fun, fit.x
        if problem.residual is not None and (lower < upper).all():
            try:
                fit = scipy.optimize.least_squares(problem.residual, np.clip(x, lower, upper), problem.jacobian,
                                                   bounds=(lower, upper), xtol=1e-15, ftol=1e-15, gtol=1e-15,
                                                   x_scale="jac", max_nfev=500)  # fmt: skip
            except (ValueError, np.linalg.LinAlgError):
                continue
            yield 2.0 * fit.cost, fit.x


def certify(name, count=60):
    """(minima, solution of the first) of one problem."""
    problem = problems.get(name)
    fun, hess = data_in_mp(name) if name in _bounds._DATA_ROWS else gradient_in_mp(problem, _bounds._TABLE[name][1])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = sorted((e for e in ends(problem, count) if np.isfinite(e[0])), key=lambda e: e[0])
    kept, tried, attempts = [], [], 0
    for value, x in found:
        x = np.clip(x, *problem.bounds.T)
        with np.errstate(all="ignore"):
            f, g = problem.fun_and_grad(x)
        if any(abs(value - t) <= 1e-7 * abs(t) + 1e-13 for t in tried) or len(kept) == _MOST:
            continue
        if attempts == _ATTEMPTS:
            break
        if not problem.optimality(x, g) <= 1e-2 * (1.0 + abs(f)):
            continue
        attempts += 1
        try:
            f, x, least, rest, eigenvalue = polish(fun, hess, problem.bounds, x)
        except (ZeroDivisionError, ValueError, OverflowError):
            continue
        if least < 0 or rest > mpf(10) ** -14 * (1 + abs(f)) or eigenvalue < -1e-9:
            continue
        tried.append(value)
        value = float(f) if abs(f) > mpf(10) ** -25 else 0.0
        if not any(abs(value - k) <= 1e-9 * max(abs(k), 1e-16) for k, *_ in kept):
            kept.append((value, tuple(float(v) for v in x), float(least), float(rest), float(eigenvalue)))
    kept.sort(key=lambda k: k[0])
    return kept


def active_set(A, b, lower, upper):
    """The minimiser of x'Ax / 2 - b'x within bounds: primal-dual active sets, until they don't change."""
    n = b.size
    state = np.zeros(n, int)
    for _ in range(100):
        x = np.where(state < 0, lower, np.where(state > 0, upper, 0.0))
        free = np.flatnonzero(state == 0)
        x[free] = splu(A[free][:, free].tocsc()).solve((b - A @ np.where(state != 0, x, 0.0))[free])
        g = A @ x - b
        new = np.where((state < 0) & (g >= 0) | (x < lower), -1, np.where((state > 0) & (g <= 0) | (x > upper), 1, 0))
        if (new == state).all():
            return x
        state = new
    raise RuntimeError("the active sets don't settle")


def grid(name, n):
    """(minimum, active share) of a problem on a grid; its matrix is put together from MINPACK-2's triangles."""
    m = int(n**0.5)
    h = 1.0 / (m + 1)
    if name == "torsion_n":
        p, area, hx, hy, load = np.ones(m + 2), h * h, h, h, np.full((m, m), _bounds_large._TWIST)
    else:
        hx, hy = 2 * np.pi * h, 2 * _bounds_large._HALF_LENGTH * h
        t = np.arange(m + 2) * hx
        p, area = (1 + _bounds_large._ECCENTRICITY * np.cos(t)) ** 3, hx * hy
        load = _bounds_large._ECCENTRICITY * np.repeat(np.sin(t[1:-1]), m).reshape(m, m)
    rows, columns, values = [], [], []
    index = np.full((m + 2, m + 2), -1)
    index[1:-1, 1:-1] = np.arange(n).reshape(m, m)
    for i in range(m + 1):
        lower, upper = (2 * p[i] + p[i + 1]) / 6, (2 * p[i + 1] + p[i]) / 6
        for j in range(m + 1):
            for corner, x, y, w in ((index[i, j], index[i + 1, j], index[i, j + 1], lower),
                                    (index[i + 1, j + 1], index[i, j + 1], index[i + 1, j], upper)):  # fmt: skip
                for other, step in ((x, hx), (y, hy)):
                    for a, b, sign in (
                        (corner, corner, 1),
                        (other, other, 1),
                        (corner, other, -1),
                        (other, corner, -1),
                    ):
                        if a >= 0 and b >= 0:
                            rows.append(a)
                            columns.append(b)
                            values.append(sign * w * area / step**2)
    A = sparse.csr_matrix((values, (rows, columns)), shape=(n, n)) / area
    problem = problems.get(name, n=n)
    x = active_set(A, load.ravel(), *problem.bounds.T)
    f = float(0.5 * np.asarray(x, np.longdouble) @ (A @ x) - np.sum(load.ravel() * x.astype(np.longdouble)))
    mine, g = problem.fun_and_grad(x)
    active = np.mean((x == problem.bounds[:, 0]) | (x == problem.bounds[:, 1]))
    print(f"{name} {n}: {f!r}, kernel {mine!r}, projected gradient {problem.optimality(x, g):.1e}, active {active:.3f}")
    return f


def main(*names):
    """Print the table."""
    table = {}
    for name in names or (*_bounds._TABLE, *_bounds._DATA_ROWS):
        kept = certify(name)
        print(name, *(f"{k[0]!r} (multiplier {k[2]:.1e}, gradient {k[3]:.0e}, eigenvalue {k[4]:.1e})" for k in kept),
              file=sys.stderr, flush=True)  # fmt: skip
        table[name] = (tuple(k[0] for k in kept), kept[0][1] if kept else None)
    for name, row in table.items():
        print(f"    {name!r}: {row!r},", flush=True)
    if not names:
        for name in ("torsion_n", "journal_bearing_n"):
            for n in (100, 400, 2500, 10000):
                grid(name, n)


if __name__ == "__main__":
    main(*sys.argv[1:])
