"""Solvers of ||A W - B||^2 + sum_t alpha_t ||w_t||^2 for a :class:`System`, one column of W a target.

Normal equations (A'A + alpha I) W = A'B by Cholesky where there are more rows than columns, else
W = A'(A A' + alpha I)^-1 B; where it pays and the condition allows, with a factor in float32 and refinement; singular
value decomposition A = U diag(d) V', W = V diag(d / (d^2 + alpha)) U'B; conjugate gradients on either system; LSQR;
nonnegative coefficients by block principal pivoting on the normal equations.

References
----------
G. H. Golub, C. F. Van Loan, Matrix Computations, 4th edition, 2013, sections 4.2, 6.1 and 11.3.
N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, 2002, chapter 12.
J. Kim, H. Park, Fast nonnegative matrix factorization: an active-set-like method and comparisons, SIAM J. Sci.
Comput. 33 (2011), algorithm 1.
"""

import numpy as np
import scipy.linalg
from scipy.linalg import blas, lapack
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from numopt.linear_model._linear_base import product, product_t, upper_gram
from numopt.linear_model._lsqr import lsqr
from numopt.optimize._warn import warn

POTRF = {"d": lapack.dpotrf, "f": lapack.spotrf}
POTRS = {"d": lapack.dpotrs, "f": lapack.spotrs}
GEQRF = {"d": lapack.dgeqrf, "f": lapack.sgeqrf}
ORMQR = {"d": lapack.dormqr, "f": lapack.sormqr}
AXPY = {"d": blas.daxpy, "f": blas.saxpy}
DOT = {"d": blas.ddot, "f": blas.sdot}
SYR = {"d": blas.dsyr, "f": blas.ssyr}

# The least order of a Gram matrix, and what every target adds to it, whose float32 saves more than refinement costs:
# half of its n p min(n, p) multiplications, beside four or so products of X with all targets.
LEAST_ROUNDED, MORE_ROUNDED = 200, 40


def warn_stopped(solver, iterations, what, reached, asked, max_iter):
    """One line that states what was reached and what was asked for."""
    warn(
        f"{solver} stopped after {iterations} iterations with {what} of {reached:.3e}; tol asks for {asked:.3e}. "
        f"Raise max_iter (now {max_iter}) or tol, or scale the features.",
        ConvergenceWarning,
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


def lifted_gram(system, dual):
    """The upper triangle of A'A or A A'; of the latter the eigenvalue that centring makes zero becomes the mean."""
    G, s = system.gram(dual), system.left_null() if dual else None
    return G if s is None else SYR[G.dtype.char](G.trace() / len(G), s, a=G, overwrite_a=1)


def solve_rounded(system, alpha, dual):
    """W by Cholesky of the Gram matrix in float32, which costs half, and refinement to rounding in float64.

    With the condition number k of the scaled Gram matrix a step contracts the error by about 1e-7 k. None where that is
    no contraction by ten.
    """
    single, eps = system.rounded(), np.finfo(float).eps
    with np.errstate(over="ignore", invalid="ignore"):
        G = lifted_gram(single, dual)
        scale = np.sqrt(G.diagonal().astype(float) + alpha)[:, None]
        if not (np.isfinite(scale).all() and scale.min() > 1e-15):  # squares that float32 holds
            return None
        G.reshape(-1, order="A")[:: len(G) + 1] += alpha
    U, info = POTRF["f"](G, lower=0, clean=0, overwrite_a=1)
    if info:
        return None
    if single.shift is None:  # the means are so large that the products, too, call for A itself
        system.explicit()
    target = system.B if dual else system.t_dot(system.B)
    s = system.left_null() if dual else None
    V, residual, before = np.zeros(target.shape, order="F"), target, None
    for _ in range(10):
        norm = np.abs(residual).max(axis=0)
        norm[norm == 0.0] = 1.0
        step = norm * POTRS["f"](U, np.asfortranarray(residual / norm, np.float32), lower=0)[0]
        if s is not None:  # which A' does not see
            step -= s[:, None] * (s @ step)
        V += step
        size, whole = (np.sqrt(np.square(scale * Z).sum(axis=0)) for Z in (step, V))
        if before is not None:
            rate = np.divide(size, before, out=np.zeros_like(size), where=before > 0.0)
            if not (rate < 0.1).all():  # also where NaN; far down it is rounding that does not contract
                return V if (size <= 1e-10 * whole).all() else None
            if (size * rate <= eps * whole).all():
                return V
        inner = system.dot(system.t_dot(V)) if dual else system.t_dot(system.dot(V))
        residual, before = target - inner - alpha * V, size
    return V


def solve_cholesky(system, alpha):
    """W by Cholesky of the smaller Gram matrix, or None where that is singular."""
    n, p = system.shape
    dual = p > n or (
        p == n and system.centred
    )  # a centred square A is singular, A A' with its null space lifted is not
    large = min(n, p) >= LEAST_ROUNDED + MORE_ROUNDED * len(alpha)
    if large and system.dtype == np.float64 and not system.sparse and (alpha == alpha[0]).all():
        V = solve_rounded(system, float(alpha[0]), dual)
        if V is not None:
            return system.t_dot(V) if dual else V
    G = lifted_gram(system, dual)
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


def triangular(M, own):
    """R of a QR decomposition of M with at least as many rows as columns, and products with Q or, transposed, Q'.

    With ``own`` M may be overwritten.
    """
    rank, letter = M.shape[1], M.dtype.char
    Q, tau, _, _ = GEQRF[letter](M, lwork=64 * rank, overwrite_a=own)

    def rotate(Z, transposed=False):
        if transposed:
            return ORMQR[letter]("L", "T", Q, tau, np.asfortranarray(Z), lwork=64 * Z.shape[1])[0][:rank]
        Z = np.asfortranarray(np.concatenate([Z, np.zeros((len(Q) - rank, Z.shape[1]), Z.dtype)]))
        return ORMQR[letter]("L", "N", Q, tau, Z, lwork=64 * Z.shape[1])[0]

    return np.asfortranarray(np.triu(Q[:rank])), rotate


def solve_svd(system, alpha):
    """W by the singular value decomposition; of least norm where alpha is zero and A is rank deficient.

    That of A comes from that of R where A or A' = Q R, of which only products with B or W are formed.
    """
    given, (n, p) = system.X, system.shape
    A = system.explicit()
    own, wide, B = A is not given, p > n, system.B
    if n != p:
        A, rotate = triangular(A.T if wide else A, own)
        A, B = (A.T, B) if wide else (A, rotate(B, transposed=True))
    turned = A.flags.c_contiguous and not A.flags.f_contiguous  # LAPACK reads columns: its A is our A'
    U, d, Vt = scipy.linalg.svd(
        A.T if turned else A, full_matrices=False, check_finite=False, overwrite_a=own or n != p
    )
    U, Vt = (Vt.T, U.T) if turned else (U, Vt)
    keep = np.count_nonzero(d > max(n, p) * np.finfo(A.dtype).eps * d.max(initial=0.0))
    U, d, Vt = U[:, :keep], d[:keep, None], Vt[:keep]
    W = Vt.T @ (d / (d**2 + alpha.astype(A.dtype)) * (U.T @ B))
    if wide:
        W = rotate(W)
    if system.constant is not None:
        W[system.constant] = 0.0
    return W


def solve_cg(system, alpha, tol, max_iter):
    """W by conjugate gradients from zero, each target until its residual is below tol times the first.

    Returns W and the iterations of every target.
    """
    if not system.sparse:
        system.explicit()
    n, p = system.shape
    dual, letter = p > n, system.dtype.char
    dot, axpy = DOT[letter], AXPY[letter]
    R = system.B if dual else system.t_dot(system.B)
    V, count = np.zeros(R.shape, R.dtype, order="F"), np.ones(R.shape[1], np.int32)
    for t, level in enumerate(alpha.astype(system.dtype)):
        size = np.abs(R[:, t]).max(initial=0.0) or 1.0  # its square may neither overflow nor vanish
        v, r = V[:, t], R[:, t] / size
        d, rho = r.copy(), dot(r, r)
        first, goal = rho, tol**2 * rho
        for iteration in range(10 * min(n, p) if max_iter is None else max_iter):
            if not rho > goal:
                break
            count[t] = iteration + 1
            D = d[:, None]
            q = (system.dot(system.t_dot(D)) if dual else system.t_dot(system.dot(D)))[:, 0]
            axpy(d, q, a=level)
            curvature = dot(d, q)
            if not curvature > 0.0:  # a direction that A does not see: nothing is left to gain
                break
            step = rho / curvature
            axpy(d, v, a=step)
            axpy(q, r, a=-step)
            rho, before = dot(r, r), rho
            d *= rho / before
            d += r
        else:
            if rho > goal:
                warn_stopped("sparse_cg", count[t], "a relative residual", (rho / first) ** 0.5, tol, max_iter)
        v *= size
    return (system.t_dot(V) if dual else V), count


def solve_lsqr(system, alpha, tol, max_iter):
    """W by LSQR, with the iterations of every target."""
    if not system.sparse:
        system.explicit()
    W = np.empty((system.shape[1], len(alpha)), system.dtype, order="F")
    count = np.empty(len(alpha), np.int32)
    for t, level in enumerate(alpha):
        W[:, t], iterations, left = lsqr(
            lambda v: system.dot(v[:, None])[:, 0],
            lambda u: system.t_dot(u[:, None])[:, 0],
            np.ascontiguousarray(system.B[:, t]),
            len(W),
            float(level) ** 0.5,
            tol,
            max_iter,
        )
        count[t] = max(iterations, 1)
        if left is not None:
            warn_stopped("lsqr", iterations, "a relative gradient", left, tol, max_iter)
    return W, count


def pivot_nonnegative(r, solve, product, single):
    """argmin over w >= 0 of w'Gw / 2 - r'w for positive definite G, or None where pivoting does not end.

    The set F of free variables changes by all that are infeasible at once; where their number has not shrunk three
    times in a row, only the last one changes, which cannot cycle, or without ``single`` it is given up. ``solve(F)``
    gives back the solution of G_FF w = r_F or None, and ``product(w)`` G w.
    """
    p = len(r)
    free = np.zeros(p, bool)
    w, gradient = np.zeros(p, r.dtype), -r
    slack = 100 * np.finfo(r.dtype).eps * np.abs(r).max(initial=0.0)
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
        elif not single:
            return None
        else:
            last = np.flatnonzero(wrong)[-1]
            wrong[:] = False
            wrong[last] = True
        free ^= wrong
        solved = solve(free)
        if solved is None:
            return None
        w[:] = 0.0
        w[free] = solved
        gradient = product(w) - r
        gradient[free] = 0.0
    return None


def pivot_gram(G, r):
    """The same for a given full G."""

    def solve(free):
        return shifted_solve(np.asfortranarray(G[np.ix_(free, free)]), r[free], 0.0, overwrite=True)

    return pivot_nonnegative(r, solve, lambda w: G @ w, single=True)


def pivot_columns(A, b, r, alpha):
    """The same for G = A'A + alpha I and r = A'b, where A has so many columns that G is not formed."""

    def solve(free):
        part = A.take(np.flatnonzero(free), axis=1)
        if part.shape[1] <= len(A):
            return shifted_solve(upper_gram(part), r[free], alpha, overwrite=True)
        solved = shifted_solve(upper_gram(part, dual=True), b, alpha, overwrite=True)
        return None if solved is None else product_t(part, solved[:, None])[:, 0]

    def multiply(w):
        return product_t(A, product(A, w[:, None]))[:, 0] + alpha * w

    return pivot_nonnegative(r, solve, multiply, single=False)


def solve_nonnegative(system, alpha, tol, max_iter):
    """W >= 0 by pivoting, on the Gram matrix where that is small beside A, else if need be by L-BFGS-B; iterations."""
    n, p = system.shape
    W = np.empty((p, len(alpha)), system.dtype, order="F")
    count = np.ones(len(alpha), np.int32)
    if p <= max(n, 500) and p <= 5000:
        G = system.gram()
        G = np.triu(G) + np.triu(G, 1).T
    else:
        G = None
    # A matrix so wide is well conditioned unless its columns are tied together; else few exchanges seldom do.
    columns = G is None and not system.sparse and n <= 5000 and p >= 3 * n
    A = system.explicit() if columns else None
    R = system.t_dot(system.B)
    for t, level in enumerate(alpha):
        w = None
        if G is not None:
            H = G.copy()
            H.reshape(-1)[:: p + 1] += level
            w = pivot_gram(H, R[:, t])
        elif columns and level > 0.0:
            w = pivot_columns(A, np.ascontiguousarray(system.B[:, t]), R[:, t], system.dtype.type(level))
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
