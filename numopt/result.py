"""What a front door returns."""

import sys

import numpy as np

from numopt.kernels import slots as s
from numopt.kernels.slots import HISTORY_COLUMNS
from numopt.kernels.status import Status


class OptimizeResult(dict):
    """The result of an optimization: a dict whose keys are attributes too.

    It has the fields of ``scipy.optimize.OptimizeResult``, and is an instance of that class for
    ``isinstance`` as soon as scipy.optimize is imported; numopt itself does not import it, which takes longer than
    most runs.

    Attributes
    ----------
    x : ndarray, shape (n,)
        The best point found.
    fun : float
        The objective there.
    jac : ndarray, shape (n,)
        The gradient there; absent with methods that ask for values only.
    success : bool
        Whether a convergence test that was asked for holds.
    status : Status
        Why the run ended; the numbers up to 3 are scipy's.
    message : str
        The same in words.
    nit, nfev, njev, nhev : int
        Iterations, and evaluations of objective, gradient and Hessian.
    n_updates : int
        With first-order methods: updates; with a sum in minibatches an iteration is an epoch, of several of them.
    optimality : float
        The norm of the gradient that the convergence test looked at; NaN where only values were asked for.
    active_mask : ndarray of int, shape (n,)
        With bounds: -1 where x is at its lower bound, 1 at its upper, 2 where the bounds are equal, else 0.
    bound_multipliers : ndarray, shape (n,)
        With bounds: their Lagrange multipliers, the derivative of the least value with respect to the bound: at a
        solution >= 0 at a lower bound, <= 0 at an upper one, and 0 elsewhere.  NaN where the bounds are equal: no
        derivative is taken there.  Absent with methods that ask for values only.
    multipliers : list of ndarray, or dict
        With constraints: theirs, alike, an array for each in the order given, or by name where they were given by name.
        With J the Jacobian of all of them, y and z the multipliers: jac = J'y + z at a solution.
    constr : list of ndarray, or dict
        With constraints: their values.
    constr_violation : float
        With constraints: the largest violation of a constraint, absolute.
    stationarity, complementarity : float
        With constraints: the residuals of the KKT conditions; ``optimality`` is the larger of them, and what ``gtol``
        is compared with.  See :func:`numopt.kkt` for the formulas.
    constr_nfev, constr_njev : int
        With constraints: evaluations of all of them, and of their Jacobian.
    hess_inv : ndarray, shape (n, n), or LinearOperator
        With BFGS and L-BFGS: the last approximation of the inverse Hessian; with L-BFGS a
        ``scipy.optimize.LbfgsInvHessProduct``, made when it is asked for.
    final_simplex : tuple
        With Nelder-Mead: the points (n + 1, n) and their values (n + 1,), the best first; made when it is asked for.
        Where bounds fix variables the simplex is that of the k free ones, k + 1 points.
    direc : ndarray, shape (n, n)
        With Powell's method: the directions, one a row; made when it is asked for.  Zero in the rows and columns of
        variables that bounds fix, as ``hess_inv`` is.
    history : ndarray
        With ``options={'history': True}``: a structured array with the columns f, gnorm, step, nfev, seconds, and with
        constraints violation.
    allvecs : list of ndarray
        With ``options={'return_all': True}``: x at the start and after each iteration.
    """

    state = None

    @property  # type: ignore[misc]
    def __class__(self):
        module = sys.modules.get("scipy.optimize")
        return getattr(module, "OptimizeResult", OptimizeResult)

    def __missing__(self, key):
        # made when asked for: scipy.optimize takes longer to import than most runs do
        if key == "hess_inv" and self.state is not None and self.state[0] in ("lbfgs", "l-bfgs-b"):
            self[key] = _inverse(*self.state[2:])
            return self[key]
        if key == "final_simplex" and self.state is not None and self.state[0] == "nelder-mead":
            self[key] = _simplex(*self.state[2:])
            return self[key]
        if key == "direc" and self.state is not None and self.state[0] == "powell":
            self[key] = _directions(*self.state[2:])
            return self[key]
        raise KeyError(key)

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    __delattr__ = dict.__delitem__

    def __setattr__(self, name, value):
        if name == "state":
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __reduce__(self):
        return _rebuild, (dict(self), self.state, type(self))

    def __copy__(self):
        return _rebuild(dict(self), self.state, type(self))

    def __dir__(self):
        return [*self.keys(), "save", "state"]

    def __repr__(self):
        if not self:
            return "OptimizeResult()"
        width = max(map(len, self)) + 1
        rows = []
        for key, value in self.items():
            text = np.array2string(value, threshold=10, edgeitems=3) if isinstance(value, np.ndarray) else repr(value)
            rows.append(f"{key:>{width}}: " + text.replace("\n", "\n" + " " * (width + 2)))
        return "\n".join(rows)

    def save(self, path):
        """Write the state of the run to ``path`` (.npz, plain arrays), for :func:`numopt.resume`.

        Parameters
        ----------
        path : str or path-like
            The file to write; ``.npz`` is appended if missing, as by :func:`numpy.savez`.
        """
        if self.state is None:
            raise ValueError("this result holds no state to save")
        method, search, c, p, w, *rest = self.state
        more = {} if not rest or rest[0] is None else {"fixed": rest[0]}
        more |= rest[1] if len(rest) > 1 else {}  # with constraints
        if isinstance(w, dict):  # of least_squares: p and w stand in one array, and there is more
            p, w, more = p[: s.N_SCALARS], p[s.N_SCALARS :], w
        np.savez(path, method=method, search=search, c=c, p=p, w=w, **more)


class RootResults(OptimizeResult):
    """What ``root_scalar`` returns; an instance of ``scipy.optimize.RootResults`` too once scipy.optimize is imported.

    Attributes
    ----------
    root : float
        The estimate of the root.
    iterations, function_calls : int
        Iterations, and calls of f and its derivatives.
    converged : bool
        Whether the tolerance on x is met.
    flag : str
        ``'converged'``, or why not.
    method : str
        The method that was used.
    status : ScalarStatus
        The same as the flag, as a number.
    """

    @property  # type: ignore[misc]
    def __class__(self):
        module = sys.modules.get("scipy.optimize")
        return getattr(module, "RootResults", RootResults)

    def __reduce__(self):
        return RootResults, (dict(self),)

    def __copy__(self):
        return RootResults(self)


def _pairs(c, p, w, fixed=None):
    """S and Y of limited-memory BFGS, oldest pair first, a pair a row; zero for fixed variables."""
    n, m, k = (int(c[slot]) for slot in (s.N, s.MEMORY, s.PAIRS))
    rows = [(int(c[s.HEAD]) - k + j) % m for j in range(k)]
    S, Y = w[s.N_COMMON * n : (s.N_COMMON + 2 * m) * n].reshape(2, m, n)
    if fixed is None:
        return S[rows], Y[rows]
    whole = np.zeros((2, k, fixed.size))
    whole[:, :, np.isnan(fixed)] = S[rows], Y[rows]
    return whole[0], whole[1]


def _inverse(c, p, w, fixed=None):
    """The inverse Hessian of limited-memory BFGS."""
    if fixed is None:
        from scipy.optimize import LbfgsInvHessProduct

        return LbfgsInvHessProduct(*_pairs(c, p, w))
    from numopt.inverse import FreeInverse

    return FreeInverse(*_pairs(c, p, w, fixed), np.isnan(fixed))


def _directions(c, p, w, fixed=None):
    """Powell's directions."""
    n = int(c[s.N])
    found = w[(s.N_COMMON + 2) * n :][: n * n].reshape(n, n)
    if fixed is None:
        return found.copy()
    free, whole = np.flatnonzero(np.isnan(fixed)), np.zeros((fixed.size, fixed.size))
    whole[np.ix_(free, free)] = found
    return whole


def _simplex(c, p, w, fixed=None):
    """Points and values of Nelder-Mead's simplex, the best first; values that there was no time for are NaN."""
    n, x = int(c[s.N]), s.X0 + int(c[s.PARITY])
    points = w[(s.N_COMMON + 3) * n :][: n * n].reshape(n, n)
    values, sign = w[s.N_COMMON * n :][:n].copy(), -1.0 if c[s.MAXIMISE] else 1.0
    if c[s.STAGE] >= 0:
        values[c[s.STAGE] :] = np.nan
    points, values = np.vstack([w[x * n : (x + 1) * n], points]), np.append(p[s.F], values)
    order = np.argsort(values, kind="stable")
    points, values = points[order], sign * values[order]
    if fixed is not None:
        whole = np.tile(fixed, (n + 1, 1))
        whole[:, np.isnan(fixed)] = points
        points = whole
    return points, values


def _rebuild(items, state, kind=OptimizeResult):
    result = kind(items)
    result.state = state
    return result


def history_table(rows, columns=HISTORY_COLUMNS):
    """The structured array of a history."""
    table = np.empty(len(rows), dtype=[(c, int if c == "nfev" else float) for c in columns])
    for k, column in enumerate(columns):
        table[column] = rows[:, k]
    return table


__all__ = ["OptimizeResult", "Status"]
