"""Newton's method for generalised linear models: exact where the Hessian is small, else by conjugate gradients.

References: J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, sections 3.3 and 7.1;
S. C. Eisenstat and H. F. Walker, Choosing the forcing terms in an inexact Newton method, SIAM J. Sci.
Comput. 17 (1996).
"""

import ctypes

import numpy as np
from scipy.linalg import lapack

from numopt.optimize._glm import FEW, DenseObjective, load, objective
from numopt.solvers import glm_slots as slots

MATRIX_UP_TO = 1200  # rows of a Hessian that is formed and factored
COMPILED_UP_TO = 200  # rows of a Hessian, and
COMPILED_WORK = 1 << 25  # products in its sums, up to which the compiled loop beats BLAS with all its threads
# an operation of a product with the Hessian, beside one of those that form it: of matrices, and of vectors
DEARER, DEARER_VECTORS = 3.0, 16.0
FRESH = 10  # products a step, beyond which the factors of blocks are made anew
SAMPLE = 40  # samples for each variable in the part of the data that the first iterations are made on
HALVINGS = 40
EPS = np.finfo(float).eps
SHARED = {
    getattr(slots, "NW_" + name): getattr(slots, "T_" + name)
    for name in ("LOSS", "N", "K", "P", "Y", "S", "WEIGHTED", "Z", "C", "OUT")
}  # words of a run of Newton's method that are those of a pass


def minimise(f, W, tol, max_iter, free=None, watch=None):
    """Minimise an objective from W.

    Parameters
    ----------
    f : numopt.optimize._glm.Objective
    W : array (q, K)
    tol : float
        Largest component of the gradient at the end.
    max_iter : int
    free : bool array (q, K), optional
        The variables; the others stay as they are.
    watch : function of W, optional
        Called before each iteration; ends the run by a true value.

    Returns
    -------
    W : array (q, K)
    iterations : int
    gnorm : float
        Largest component of the gradient.
    """
    W = np.array(W, float)
    m = f.q * f.K
    if isinstance(f, DenseObjective) and (m <= FEW or m <= min(MATRIX_UP_TO, 4 * f.n)):
        return _with_matrix(f, _part_way(f, W, tol) if free is None else W, tol, max_iter, free, watch)
    return _newton_cg(f, W, tol, max_iter, free, watch)


def _with_matrix(f, W, tol, max_iter, free, watch=None):
    m = f.q * f.K
    if watch is None and m <= COMPILED_UP_TO and f.n * m * m <= COMPILED_WORK:
        return _compiled(f, W, tol, max_iter, free)
    return _newton(f, W, tol, max_iter, free, watch)


def _compiled(f, W, tol, max_iter, free):
    """All of it in one call, which is worth the most where an iteration takes less time than its calls of BLAS."""
    n, q, K = f.n, f.q, f.K
    X = f.features()
    r = len(X)
    m = r * K

    def spread(A, dtype):
        """(q, K) to K runs of r."""
        out = np.zeros((K, r), dtype)
        out[:, :q] = A.T
        return out

    V, free = spread(W, float), spread(np.ones((q, K)) if free is None else free, np.uint8)
    tilt = None if f.tilt is None else spread(f.tilt, float)
    F, numbers = np.empty(2 * m * m + r * n + 4 * m + n), np.array([f.lam, tol, 0.0])
    w, shared = [0] * slots.NEWTON_N_WORDS, f.words.tolist()
    for mine, word in SHARED.items():
        w[mine] = shared[word]
    w[slots.NW_R], w[slots.NW_MAX_ITER], w[slots.NW_TILTED] = r, max_iter, tilt is not None
    w[slots.NW_TILT] = 0 if tilt is None else tilt.ctypes.data
    for mine, A in ((slots.NW_X, X), (slots.NW_F, F), (slots.NW_W, V), (slots.NW_FREE, free), (slots.NW_REAL, numbers)):
        w[mine] = A.ctypes.data
    words = (ctypes.c_ssize_t * slots.NEWTON_N_WORDS)(*w)
    iterations = int(load("glm/newton")(ctypes.addressof(words), 0))
    return V[:, :q].T.copy(), iterations, float(numbers[slots.NR_GNORM])


def _part_way(f, W, tol):
    """A start from an evenly spaced part of the samples, which costs little: the iterations left are the last ones."""
    stride = f.n // (SAMPLE * f.q * f.K + 1000)
    if stride < 8 or f.tilt is not None or W.any():
        return W
    X, y = f.X[::stride], f.y[::stride]
    if not hasattr(X, "indptr"):
        X = np.array(X, order="C" if f.X.flags.c_contiguous else "F")
    weights = None if f.weights is None else f.weights[::stride]
    part = objective(X, y, weights, f.loss, f.K, f.lam, f.intercept)
    found, _, gnorm = _with_matrix(part, W, max(tol, 1e-6), 30, None)
    return found if np.isfinite(gnorm) and np.abs(found).max() < 1e6 else W


class Factor:
    """Cholesky's factor of a Hessian, shifted as little as makes it definite; of the free variables, if not all are."""

    def __init__(self, f, H, free):
        p, q, K = f.p, f.q, f.K
        self.shape, self.keep, self.L = (q, K), None, None
        i = np.arange(q * K)
        H[i, i] += np.where(i % q < p, f.lam, 0.0)
        if K > 1:
            # The scores may all be shifted by one number: a direction that the loss does not see, nor for the
            # intercepts, nor without a penalty, the objective. G has no part in it; a curvature there keeps H definite.
            for j in range(p if f.lam > 0.0 else 0, q):
                at = np.arange(K) * q + j
                H[np.ix_(at, at)] += max(H[at, at].max(), 1e-300) / K
        if free is not None:
            self.keep = np.flatnonzero(free.T.ravel())
            H = np.asfortranarray(H[np.ix_(self.keep, self.keep)])
        rows, diagonal = len(H), H.diagonal().copy()
        top, shift = diagonal.max(initial=0.0), 0.0
        for _ in range(30):
            A = H.copy(order="F")
            np.fill_diagonal(A, diagonal + shift)
            L, info = lapack.dpotrf(A, lower=0, clean=0, overwrite_a=1)
            if info == 0 and (rows == 0 or np.abs(L.diagonal()).min() ** 2 > rows * EPS * top):
                self.L = L
                break
            shift = max(10.0 * shift, 1e-14 * rows * max(top, 1e-300))

    def solve(self, B):
        """The Hessian's inverse times B, (q, K); B, where there is none."""
        b = B.T.ravel()
        part = b if self.keep is None else b[self.keep]
        if self.L is not None:
            x, _ = lapack.dpotrs(self.L, part, lower=0)
            if np.isfinite(x).all():
                part = x
        if self.keep is not None:
            b = np.zeros(b.size)
            b[self.keep] = part
            part = b
        return part.reshape(self.shape[::-1]).T.copy()


class Blocks:
    """Cholesky's factors of the Hessian's diagonal blocks, one an output: their inverse is about the Hessian's."""

    def __init__(self, f, free):
        self.free, self.factors = free, []
        i = np.arange(f.q)
        for H in f.blocks():
            diagonal = H.diagonal() + np.where(i < f.p, f.lam, 0.0)
            for shift in 10.0 ** np.arange(-14.0, 2.0, 2.0):
                A = H.copy(order="F")
                A[i, i] = diagonal + shift * max(diagonal.max(), 1e-300)
                L, info = lapack.dpotrf(A, lower=0, clean=0, overwrite_a=1)
                if info == 0:
                    break
            self.factors.append(L if info == 0 else np.eye(f.q))

    def solve(self, B):
        """An approximation of the Hessian's inverse times B, (q, K)."""
        Z = np.empty_like(B)
        for k, L in enumerate(self.factors):
            Z[:, k], _ = lapack.dpotrs(L, B[:, k], lower=0)
        return Z if self.free is None else np.where(self.free, Z, 0.0)


def largest(G, free):
    """The gradient's largest component; NaN stays."""
    part = G if free is None else G[free]
    return float(np.abs(part).max()) if part.size else 0.0


def search(f, W, d, value, G, gnorm, hessian, free):
    """Backtracking: (W, f, G, H) with enough decrease; None where rounding leaves none."""
    slope = float(np.vdot(G, d))
    if not slope < 0.0:
        return None
    t = 1.0
    slack = 8.0 * EPS * max(abs(value), 1e-3)
    for _ in range(HALVINGS):
        X = W + t * d
        new, g, H = f.evaluate(X, hessian)
        enough = new <= value + 1e-4 * t * slope
        # where the decrease drowns in rounding, the gradient tells
        if enough or (new <= value + slack and largest(g, free) < gnorm):
            return X, new, g, H
        curvature = new - value - t * slope
        t *= min(0.5, max(0.1, -0.5 * t * slope / curvature)) if np.isfinite(curvature) and curvature > 0.0 else 0.1
    return None


def _newton(f, W, tol, max_iter, free, watch=None):
    """Newton's method on a factor of the Hessian; or of a part of it, or of one nearby, where that costs less."""
    m = f.q * f.K
    dearer = DEARER_VECTORS if f.K == 1 else DEARER
    patience = (f.n * m * m + m**3 / 3) / (dearer * (4 * f.n * m + 2 * m * m))  # products that cost as much
    lazy = patience >= 2.0
    factor = f.factor if lazy and free is None else None
    value, G, H = f.evaluate(W, not lazy or (f.K == 1 and factor is None))
    gnorm, before, rate = largest(G, free), 0.0, 0.0
    for iteration in range(max_iter):
        if not gnorm > tol or (watch is not None and watch(W)):
            return W, iteration, gnorm
        if H is not None:
            factor, steps = Factor(f, H, free), 0
            d = factor.solve(-G)
        else:
            factor = Blocks(f, free) if factor is None else factor
            d, steps = _conjugate_gradients(f, G, factor.solve, forcing(gnorm, before, tol), free, 4 * int(patience))
        # quadratic convergence tells when the next gradient will do: then the Hessian there is not needed
        hessian = not (lazy and steps <= patience) and not (rate > 0.0 and 10.0 * rate * gnorm * gnorm <= tol)
        if isinstance(factor, Blocks) and steps > FRESH:
            factor = None
        if free is None:
            f.factor = factor
        found = search(f, W, d, value, G, gnorm, hessian, free)
        if found is None:
            return W, iteration + 1, gnorm
        before = gnorm
        W, value, G, H = found
        gnorm = largest(G, free)
        rate = gnorm / before**2
    return W, max_iter, gnorm


def forcing(gnorm, before, tol):
    """The share of the gradient that conjugate gradients may leave, no less than the end of the run calls for."""
    if not before > 0.0:
        return 0.1
    return max(min(0.1, 0.9 * (gnorm / before) ** 1.6), min(0.1, 0.3 * tol / gnorm))


def _newton_cg(f, W, tol, max_iter, free, watch=None):
    value, G, _ = f.evaluate(W)
    gnorm, before = largest(G, free), 0.0
    for iteration in range(max_iter):
        if not gnorm > tol or (watch is not None and watch(W)):
            return W, iteration, gnorm
        if iteration % 4 == 0:
            D = f.diagonal()  # changes little between iterations, and is for the preconditioner only
            D = np.where(D > 1e-14 * D.max(), D, 1.0)
        d, _ = _conjugate_gradients(f, G, lambda r, D=D: r / D, forcing(gnorm, before, tol), free, 1000)
        found = search(f, W, d, value, G, gnorm, False, free)
        if found is None:
            # the curvature at W, not at the last trial
            f.evaluate(W)
            found = search(f, W, np.where(free, -G, 0.0) if free is not None else -G, value, G, gnorm, False, free)
            if found is None:
                return W, iteration + 1, gnorm
        before = gnorm
        W, value, G, _ = found
        gnorm = largest(G, free)
    return W, max_iter, gnorm


def _conjugate_gradients(f, G, solve, eta, free, most):
    """(d with |H d + G| <= eta |G|, products it took), by conjugate gradients preconditioned by ``solve``."""
    d, r = np.zeros_like(G), -G
    if free is not None:
        r = np.where(free, r, 0.0)
    z = solve(r)
    v, rz, goal, steps = z.copy(), float(np.vdot(r, z)), eta * np.abs(r).max(), 0
    for _ in range(min(10 * d.size, most)):
        steps += 1
        Hv = f.product(v)
        if free is not None:
            Hv = np.where(free, Hv, 0.0)
        curvature = float(np.vdot(v, Hv))
        if not curvature > EPS * rz * 1e-3:
            break
        alpha = rz / curvature
        d += alpha * v
        r -= alpha * Hv
        if np.abs(r).max() <= goal:
            break
        z = solve(r)
        rz, old = float(np.vdot(r, z)), rz
        v *= rz / old
        v += z
    return (d if d.any() else z), steps
