"""``least_squares`` with a sparse Jacobian: what asks for it, its options, its run and report."""

import math
import numbers

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.residuals import dense
from numopt.callbacks.sparse_residuals import BoundSparse, is_operator
from numopt.catalog import SPARSE_SQUARES, sparse_squares_words
from numopt.kernels import slots as s
from numopt.kernels.status import LEAST_SQUARES, NEW, RUNNING, Status
from numopt.optimize._interrupt import TICK
from numopt.optimize._squares import SquaresRun, slopes
from numopt.result import OptimizeResult

_SERVED = ("lm", "trf", "dogbox")
_NEVER = 2**62
_FULL = object()  # every place may be nonzero
_OPTIONS = {"history", "return_all", "max_time", "maxiter", "factor", "m"}
_TR_OPTIONS = {"maxiter": int, "atol": float, "damp": float}
_UNUSED = {"btol", "conlim", "show", "regularize"}  # scipy's: LSMR here ends by (2) of the solver, or at the radius


def find_sparse(jac, x, args, jac_sparsity, tr_solver):
    """(jac, what is known of a sparse Jacobian): its values at x or, for differences, its structure; None if dense.

    The jac returned remembers what it has said of x.
    """
    if tr_solver not in (None, "exact", "lsmr"):
        raise ValueError(f"tr_solver must be None, 'exact' or 'lsmr'; got {tr_solver!r}")
    if isinstance(jac, str):
        if jac_sparsity is None:
            return jac, _FULL if tr_solver == "lsmr" else None
        if tr_solver == "exact":
            raise ValueError("tr_solver='exact' is incompatible with jac_sparsity: leave one of them out")
        return jac, jac_sparsity
    kind = kind_of(jac)
    if kind == "pointer":
        if tr_solver == "lsmr":
            raise ValueError(
                "tr_solver='lsmr' needs a Python or jitted jac, not a C function, which fills a dense array"
            )
        return jac, None
    if kind == "jitted" and tr_solver != "lsmr":
        return jac, None
    J = jac(x.copy(), *args)
    sparse = type(J) is not np.ndarray and (hasattr(J, "tocsr") or is_operator(J))
    if tr_solver == "lsmr" or (sparse and tr_solver is None):
        return jac, J
    known = [J]

    def remembered(z, *args):
        J = known.pop() if known else None
        return dense(jac(z, *args) if J is None or not np.array_equal(z, x) else J, z.size)

    return remembered, None


def read_structure(jac_sparsity, m, n):
    """The places that may be nonzero, by rows and in order."""
    from scipy.sparse import csr_array, issparse

    if jac_sparsity is _FULL:
        jac_sparsity = np.ones((m, n))

    try:
        given = jac_sparsity if issparse(jac_sparsity) else np.atleast_2d(np.asarray(jac_sparsity))
    except ValueError:  # rows of different lengths
        given = np.empty(0, object)
    if given.dtype.kind not in "biufc" or given.ndim != 2:
        raise ValueError(
            f"jac_sparsity must be an array or a sparse matrix of shape {(m, n)}; got {jac_sparsity!r:.80}"
        )
    structure = csr_array(given, copy=True)
    if structure.shape != (m, n):
        raise ValueError(f"jac_sparsity must have shape {(m, n)}; got shape {structure.shape}")
    structure.sum_duplicates()
    structure.eliminate_zeros()
    return structure


def read_tr_options(tr_options, m, n):
    """(products of LSMR at most, accuracy of the steps or 0, damping)."""
    if tr_options is None:
        tr_options = {}
    if not isinstance(tr_options, dict):
        raise TypeError(f"tr_options must be a dict, not {type(tr_options).__name__}")
    found = {"maxiter": max(2 * min(m, n), 50), "atol": 0.0, "damp": 0.0}
    for name, value in tr_options.items():
        kind = _TR_OPTIONS.get(name)
        if kind is None:
            if name not in _UNUSED:
                known = ", ".join([*_TR_OPTIONS, *sorted(_UNUSED)])
                raise ValueError(f"unknown option {name!r} in tr_options; known are {known}")
            continue
        if value is None:
            continue
        good = isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 <= value < math.inf
        if not good or (kind is int and (value < 1 or value != int(value))):
            wanted = "a positive integer" if kind is int else "a number >= 0"
            raise ValueError(f"{name!r} in tr_options must be {wanted}; got {value!r}")
        found[name] = kind(value)
    return found["maxiter"], found["atol"], found["damp"]


class _Box:
    """The variables of a run: all of the user's."""

    map = None

    def __init__(self, x, lower, upper):
        self.start, self.lower, self.upper, self.fixed = x, lower, upper, lower == upper
        self.bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())

    def whole(self, z, offset=True):
        return z


def sparse_least_squares(name, fun, jac, args, given, x, first, box, tolerances, max_nfev, x_scale, scale, problem,
                         tr_options, front, callback, verbose):  # fmt: skip
    """What ``least_squares`` does with a sparse Jacobian; its arguments are read and checked already."""
    if name not in _SERVED:
        raise ValueError(
            f"method {name!r} takes no sparse Jacobian: {', '.join(map(repr, _SERVED))} do, and with "
            "tr_solver='exact' a jac that returns one is made dense"
        )
    unknown = sorted(set(front) - _OPTIONS)
    if unknown:
        raise ValueError(f"option {unknown[0]!r} is not available with a sparse Jacobian")
    if is_operator(given) and isinstance(x_scale, str):
        raise ValueError("x_scale='jac' needs the columns of the Jacobian, which a LinearOperator does not show")
    n, m = x.size, first.size
    if not callable(jac):
        given = read_structure(given, m, n)
    most, accuracy, damping = read_tr_options(tr_options, m, n)
    variables = _Box(x, *box)
    words = np.zeros(s.N_COUNTERS + s.N_TABLE, np.int64)
    reals = np.zeros(s.N_SCALARS + sparse_squares_words(n, variables.bounded))
    c, p, w = words, reals, reals[s.N_SCALARS :]
    w[:n] = x
    c[s.STATUS], c[s.N], c[s.MAXFEV], c[s.MAXITER] = NEW, n, max_nfev, front.get("maxiter", _NEVER)
    p[s.FTOL_REL], p[s.GTOL], p[s.F_LOWER], p[s.NORM_ORDER] = -1.0, -1.0, -math.inf, math.inf
    p[s.LSQ_FTOL], p[s.LSQ_XTOL], p[s.LSQ_GTOL] = tolerances
    p[s.RADIUS_INITIAL] = front.get("factor", 10.0)
    if scale is not None:
        c[s.GIVEN_SCALE] = 1
        w[s.N_COMMON * n : (s.N_COMMON + 1) * n] = 1.0 / scale
    if variables.bounded:
        c[s.BOUNDED] = 1
        w[-3 * n : -2 * n], w[-2 * n : -n], w[-n:] = 1.0, box[0], box[1]
    lower, upper = box if variables.bounded else (None, None)
    problem |= {"lower": lower, "upper": upper, "most": most, "accuracy": accuracy, "damping": damping}
    run = SparseRun(variables, words, reals, fun, jac, args, (x, first), given, problem)
    watched = {name: front[name] for name in ("history", "return_all", "max_time") if name in front}
    if verbose == 2:
        watched["disp"] = True
    result = run.go(callback, watched)
    if verbose == 1:
        print(f"{result.message}\nnfev {result.nfev}, cost {result.cost:.4e}, optimality {result.optimality:.2e}")
    return result


class SparseRun(SquaresRun):
    """One run with a sparse Jacobian."""

    def __init__(self, variables, words, reals, fun, jac, args, first, given, problem):
        self.row, self.variables, self.words, self.reals = SPARSE_SQUARES, variables, words, reals
        self.c, self.table = words[: s.N_COUNTERS], words[s.N_COUNTERS :]
        self.p, self.w = reals[: s.N_SCALARS], reals[s.N_SCALARS :]
        self.fun, self.args, self.loss, self.f_scale = fun, args, problem["loss"], problem["f_scale"]
        here, there = words.ctypes.data, reals.ctypes.data + 8 * s.N_SCALARS
        self.bound = BoundSparse(fun, jac, args, first, given, problem, self.c, self.table, here, there)
        t = self.table
        t[s.A_TICK], t[s.A_C], t[s.A_P] = TICK, here, reals.ctypes.data
        t[s.A_W], t[s.A_W_SIZE] = there, self.w.size
        self.address = here + 8 * s.N_COUNTERS

    def report(self, failed=False):
        """The result as things stand; residuals and Jacobian are computed again where others stand in their places."""
        c, p, w, n, box = self.c, self.p, self.w, self.c.item(s.N), self.variables
        place = c.item(s.PARITY)
        x, g = (w[k * n : (k + 1) * n].copy() for k in (s.X0 + place, s.G0 + place))
        r = self.bound.residuals(x, place)
        if r is None and not failed:
            r = np.atleast_1d(np.asarray(self.fun(x.copy(), *self.args), float))
        weights = None if self.loss == "linear" or r is None else slopes(self.loss, self.f_scale, r)
        J = self.bound.jacobian(x, weights)
        if J is None and not failed:
            p[s.DEADLINE] = math.inf
            self.bound.jacobian_again(x)
            J = self.bound.jacobian(x, weights)
        status = LEAST_SQUARES[Status(c.item(s.STATUS)) if c[s.STATUS] != RUNNING else Status.INTERRUPTED]
        active = np.where(x >= box.upper, 1, np.where(x <= box.lower, -1, 0))
        active[box.fixed] = -1
        room = np.where(g < 0, box.upper - x, x - box.lower)
        v = np.where(np.isfinite(room), room, 1.0)
        return OptimizeResult(
            x=x, cost=p.item(s.F), fun=r, jac=J, grad=g, optimality=float(np.abs(v * g).max()), active_mask=active,
            nfev=c.item(s.NFEV), njev=c.item(s.NJEV), nit=c.item(s.NIT), status=status, message=status.message,
            success=status.success,
        )  # fmt: skip
