"""Solvers of ||A W - B||^2 + sum_t alpha_t ||w_t||^2 for a :class:`System`, one column of W a target.

Normal equations (A'A + alpha I) W = A'B by Cholesky where there are more rows than columns, else
W = A'(A A' + alpha I)^-1 B; singular value decomposition A = U diag(d) V', W = V diag(d / (d^2 + alpha)) U'B; conjugate
gradients on either system;
LSQR; nonnegative coefficients by block principal pivoting on the normal equations.

References
----------
G. H. Golub, C. F. Van Loan, Matrix Computations, 4th edition, 2013, sections 4.2, 6.1 and 11.3.
C. C. Paige, M. A. Saunders, LSQR: an algorithm for sparse linear equations and sparse least squares, ACM TOMS 8
(1982).
J. Kim, H. Park, Fast nonnegative matrix factorization: an active-set-like method and comparisons, SIAM J. Sci.
Comput. 33 (2011), algorithm 1.
"""

import warnings

import numpy as np
import scipy.linalg
from scipy.linalg import lapack
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, lsqr
from sklearn.exceptions import ConvergenceWarning

POTRF = {"d": lapack.dpotrf, "f": lapack.spotrf}
POTRS = {"d": lapack.dpotrs, "f": lapack.spotrs}


def warn_stopped(solver, iterations, what, reached, asked, max_iter):
    """One line that states what was reached and what was asked for."""
    warnings.warn(
        f"{solver} stopped after {iterations} iterations with {what} of {reached:.3e}; tol asks for {asked:.3e}. "
        f"Raise max_iter (now {max_iter}) or tol, or scale the features.",
        ConvergenceWarning,
        stacklevel=2,
    )


def shifted_solve(G, R, alpha, overwrite=False):
    """``(G + alpha I)^-1 R`` from the upper triangle of G by Cholesky, or None where that is singular to rounding."""
    letter = G.dtype.char
    H = G if overwrite else G.copy(order="F")
    H.reshape(-1, order="A")[:: len(H) + 1] += alpha
    U, info = POTRF[letter](H, lower=0, clean=0, overwrite_a=1)
    if info:
        return None
    d = U.diagonal()
    if alpha == 0 or not np.isfinite(alpha):
        least = len(U) * np.finfo(G.dtype).eps * d.max() ** 2
        if not d.min() ** 2 > least:
            return None
    return POTRS[letter](U, R, lower=0)[0]


def solve_cholesky(system, alpha):
    """W by Cholesky of the smaller Gram matrix, or None where that is singular."""
    dual = system.shape[1] > system.shape[0]
    G = system.gram(dual)
    R = system.B if dual else system.t_dot(system.B)
    levels = np.unique(alpha) if len(alpha) > 1 else alpha
    W = np.empty(R.shape, R.dtype, order="F")
    for level in levels:
        which = alpha == level if len(levels) > 1 else slice(None)
        solved = shifted_solve(G, np.asfortranarray(R[:, which]), level, overwrite=len(levels) == 1)
        if solved is None:
            return None
        W[:, which] = solved
    return system.t_dot(W) if dual else W


def solve_svd(system, alpha):
    """W by the singular value decomposition; of least norm where alpha is zero and A is rank deficient."""
    A = system.explicit()
    U, d, Vt = scipy.linalg.svd(A, full_matrices=False, check_finite=False)
    keep = d > max(A.shape) * np.finfo(A.dtype).eps * (d[0] if len(d) else 0.0)
    U, d, Vt = U[:, keep], d[keep, None], Vt[keep]
    W = Vt.T @ (d / (d**2 + alpha.astype(A.dtype)) * (U.T @ system.B))
    if system.constant is not None:
        W[system.constant] = 0.0
    return W


def solve_cg(system, alpha, tol, max_iter):
    """W by conjugate gradients from zero, all targets in step, each until its residual is below tol times the first.

    Returns W and the iterations of every target.
    """
    if not system.sparse:
        system.explicit()
    n, p = system.shape
    dual = p > n
    alpha = alpha.astype(system.dtype)
    R = system.B.copy() if dual else system.t_dot(system.B)
    size = np.abs(R).max(axis=0, initial=0.0)  # its square may neither overflow nor vanish
    size[size == 0.0] = 1.0
    R /= size
    V, D, count = np.zeros_like(R), R.copy(), np.zeros(R.shape[1], np.int32)
    first = np.einsum("ij,ij->j", R, R)
    rho, goal = first.copy(), tol**2 * first
    live = np.flatnonzero(rho > goal)
    for _ in range(10 * min(n, p) if max_iter is None else max_iter):
        if not len(live):
            break
        whole = len(live) == R.shape[1]
        d = D if whole else D[:, live]
        q = (system.dot(system.t_dot(d)) if dual else system.t_dot(system.dot(d))) + alpha[live] * d
        curvature = np.einsum("ij,ij->j", d, q)
        step = np.divide(rho[live], curvature, out=np.zeros_like(curvature), where=curvature > 0)
        if whole:
            V += step * d
            R -= step * q
        else:
            V[:, live] += step * d
            R[:, live] -= step * q
        r = R if whole else R[:, live]
        new = np.einsum("ij,ij->j", r, r)
        beta = np.divide(new, rho[live], out=np.zeros_like(new), where=rho[live] > 0)
        D[:, live] = r + beta * d
        rho[live], count[live] = new, count[live] + 1
        # A direction without curvature is one that A does not see: nothing is left to gain.
        live = live[(new > goal[live]) & (step > 0)]
    if len(live):
        reached = np.sqrt(rho[live] / first[live]).max()
        warn_stopped("sparse_cg", count.max(), "a relative residual", reached, tol, max_iter)
    V *= size
    return (system.t_dot(V) if dual else V), np.maximum(count, 1)


def solve_lsqr(system, alpha, tol, max_iter):
    """W by LSQR, with the iterations of every target."""
    if not system.sparse:
        system.explicit()
    operator = LinearOperator(
        system.shape,
        matvec=lambda w: system.dot(w.reshape(-1, 1))[:, 0],
        rmatvec=lambda r: system.t_dot(r.reshape(-1, 1))[:, 0],
        dtype=system.dtype,
    )
    W = np.empty((system.shape[1], len(alpha)), system.dtype, order="F")
    count = np.empty(len(alpha), np.int32)
    for t, level in enumerate(alpha):
        found = lsqr(operator, system.B[:, t], damp=np.sqrt(level), atol=tol, btol=tol, iter_lim=max_iter)
        W[:, t], count[t] = found[0], max(found[2], 1)
        if found[1] == 7:  # LSQR's own limit, where max_iter is None, is twice the number of columns
            relative = found[7] / max(found[5] * found[4], np.finfo(float).tiny)
            warn_stopped("lsqr", found[2], "a relative gradient", relative, tol, max_iter)
    return W, count


def pivot_nonnegative(G, r):
    """argmin over w >= 0 of w'Gw / 2 - r'w for the full positive definite G, or None where pivoting does not end.

    The set F of free variables changes by all that are infeasible at once; where their number has not shrunk three
    times in a row, only the last one changes, which cannot cycle.
    """
    p = len(r)
    free = np.zeros(p, bool)
    w, gradient = np.zeros(p, G.dtype), -r
    slack = 100 * np.finfo(G.dtype).eps * np.abs(r).max(initial=0.0)
    least, chances = p + 1, 3
    for _ in range(5 * p + 50):
        wrong = (free & (w < 0)) | (~free & (gradient < -slack))
        bad = np.count_nonzero(wrong)
        if not bad:
            return w
        if bad < least:
            least, chances = bad, 3
        elif chances:
            chances -= 1
        else:
            last = np.flatnonzero(wrong)[-1]
            wrong[:] = False
            wrong[last] = True
        free ^= wrong
        solved = shifted_solve(np.asfortranarray(G[np.ix_(free, free)]), r[free], 0.0, overwrite=True)
        if solved is None:
            return None
        w[:] = 0.0
        w[free] = solved
        gradient = G @ w - r
        gradient[free] = 0.0
    return None


def solve_nonnegative(system, alpha, tol, max_iter):
    """W >= 0 by pivoting on the Gram matrix where that is small beside A, else by L-BFGS-B; and the iterations."""
    n, p = system.shape
    W = np.empty((p, len(alpha)), system.dtype, order="F")
    count = np.ones(len(alpha), np.int32)
    if p <= max(n, 500) and p <= 5000:
        G = system.gram()
        G = np.triu(G) + np.triu(G, 1).T
    else:
        G = None
    R = system.t_dot(system.B)
    for t, level in enumerate(alpha):
        w = None
        if G is not None:
            H = G.copy()
            H.reshape(-1)[:: p + 1] += level
            w = pivot_nonnegative(H, R[:, t])
        if w is None:
            w, count[t] = _nonnegative_lbfgs(system, R[:, t], level, tol, max_iter)
        W[:, t] = w
    return W, count


def _nonnegative_lbfgs(system, r, level, tol, max_iter):
    def objective(w):
        w = w.astype(system.dtype, copy=False)
        g = system.t_dot(system.dot(w[:, None]))[:, 0] + level * w
        return 0.5 * float(w @ g) - float(r @ w), (g - r).astype(np.float64, copy=False)

    options = {"gtol": tol * 1e-3 * float(np.abs(r).max(initial=0.0)), "ftol": min(tol * 1e-6, 1e-10), "maxls": 50}
    options["maxiter"] = options["maxfun"] = 15000 if max_iter is None else max_iter
    p = len(r)
    found = minimize(objective, np.zeros(p), jac=True, method="L-BFGS-B", bounds=[(0, None)] * p, options=options)
    if found.status == 1:
        projected = np.where(found.x > 0, np.abs(found.jac), np.maximum(-found.jac, 0.0)).max()
        relative = projected / max(np.abs(r).max(initial=0.0), np.finfo(float).tiny)
        warn_stopped("lbfgs", found.nit, "a relative gradient", relative, 1e-3 * tol, max_iter)
    return found.x, max(found.nit, 1)
