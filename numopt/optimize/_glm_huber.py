"""Huber's regression with its scale: Newton's method in the coefficients and sigma together.

    f(W, sigma) = sum_i s_i (sigma + sigma H((y_i - z_i) / sigma)) + lam / 2 |W|^2,    sum_i s_i = 1

f is convex and piecewise smooth.  Of the samples with |u_i| <= epsilon, u = (y - z) / sigma, the Hessian is

    sum_i c_i v_i v_i',    v_i = (x_i, 1, u_i),    c_i = 2 s_i / sigma                                     (1)

and of the others it is zero.  Where a step of Newton's method does not do, these get the curvature of the parabola that
touches their loss from above, as in iteratively reweighted least squares, which always descends:

    c_i = 2 epsilon s_i / |y_i - z_i|                                                                      (2)

With R = df/dz, df/dsigma = 1 - sum_i R_i^2 / (4 s_i) whatever u is.
"""

import numpy as np
from scipy.linalg import lapack

from numopt.optimize._glm import DenseObjective, scores
from numopt.optimize._glm_newton import EPS, HALVINGS, MATRIX_UP_TO
from numopt.solvers import glm_slots as g

LEAST = 1e-10  # sigma beside its start: where most residuals can be zero, f falls to the end of the interval sigma > 0


def minimise_huber(f, W, sigma, epsilon, tol, max_iter):
    """Minimise f from (W, sigma).

    Parameters
    ----------
    f : numopt.optimize._glm.Objective
        With the loss 'huber'.
    W : array (q, 1)
    sigma, epsilon, tol : float
    max_iter : int

    Returns
    -------
    W : array (q, 1)
    sigma : float
    iterations : int
    gnorm : float
        Largest component of the gradient, without sigma's where sigma is at its least value.
    goal : float
        What it was to come down to: ``tol``; or if that is more, where sigma is at its least value and iterations no
        longer help, what rounding of the residuals, which are of the size of sigma, makes of it.
    """
    s = 1.0 / f.n if f.weights is None else f.weights
    exact = isinstance(f, DenseObjective) and f.q <= MATRIX_UP_TO
    widest = float(np.abs(f.y - (np.average(f.y, weights=f.weights) if f.intercept else 0.0)).max()) or 1.0
    floor = LEAST * widest
    sigma = max(sigma, floor)
    rounded = max(tol, _rounding(f, s) / floor)
    f.out[g.O_EPSILON] = epsilon

    def evaluate(W, sigma, hessian=False):
        f.out[g.O_SIGMA] = sigma
        value, G, H = f.evaluate(W, hessian and exact)
        R = f.z[:, 0].copy()
        return value, np.append(G[:, 0], 1.0 - float((R * R / (4.0 * s)).sum())), H, R

    def size(gradient, sigma):
        at_least = sigma <= floor and gradient[-1] > 0.0
        return float(np.abs(gradient[:-1] if at_least else gradient).max(initial=0.0))

    value, gradient, H, R = evaluate(W, sigma, True)
    gnorm, before, goal, majorised = size(gradient, sigma), np.inf, tol, False
    for iteration in range(max_iter):
        if sigma <= floor and gnorm > 0.5 * before:
            goal = rounded
        if not gnorm > goal:
            return W, sigma, iteration, gnorm, goal
        c = f.c[:, 0]
        within = c > 0.0
        b, e = last_column(f, R, sigma)
        majorised = majorised or within.sum() <= f.q
        if majorised:
            # (2); and sigma is not to move by much more than its own size
            f.c[:, 0] = np.where(within, c, np.abs(R) / np.maximum(np.abs(f.y - scores(f.X, W, f.p)[:, 0]), floor))
            e += abs(gradient[-1]) / sigma
            H = f.hessian() if exact else None
        u = np.where(within, -R / (np.where(within, c, 1.0) * sigma), 0.0)
        held = sigma <= floor and gradient[-1] >= 0.0
        d = _direction(f, exact, H, b, e, u, gradient, sigma / widest, held)
        if sigma <= floor and d[-1] < 0.0:
            d = _direction(f, exact, H, b, e, u, gradient, sigma / widest, True)
        slope = float(gradient @ d)
        t = 1.0 if sigma + d[-1] >= 0.1 * sigma else 0.9 * sigma / -d[-1]
        if sigma + t * d[-1] < floor:
            t = (sigma - floor) / -d[-1]
        slack, whole = 8.0 * EPS * max(abs(value), sigma), t
        for _ in range(HALVINGS if majorised else 4):
            V, scale = W + t * d[:-1, None], max(sigma + t * d[-1], floor)
            new, trial, H, R = evaluate(V, scale, True)
            if new <= value + 1e-4 * t * slope or (new <= value + slack and size(trial, scale) < gnorm):
                break
            t *= 0.5
        else:
            if majorised:
                return W, sigma, iteration + 1, gnorm, rounded if sigma <= floor else tol
            value, gradient, H, R = evaluate(W, sigma, True)
            majorised = True
            continue
        majorised = not majorised and t < 0.3 * whole
        W, sigma, value, gradient = V, scale, new, trial
        gnorm, before = size(gradient, sigma), gnorm
    return W, sigma, max_iter, gnorm, goal


class ScaledHuber:
    """f of (W, sigma) as one smooth problem for any method: sigma may change its sign, its absolute value counts.

    Parameters
    ----------
    f : numopt.optimize._glm.Objective
        With the loss 'huber'.
    epsilon : float
    """

    def __init__(self, f, epsilon):
        self.f, self.s = f, 1.0 / f.n if f.weights is None else f.weights
        f.out[g.O_EPSILON] = epsilon

    def evaluate(self, x):
        """(f, gradient, None)."""
        f, sigma = self.f, float(x[-1, 0])
        self.sign, self.sigma = np.copysign(1.0, sigma), max(abs(sigma), np.finfo(float).tiny)
        f.out[g.O_SIGMA] = self.sigma
        value, G, _ = f.evaluate(np.ascontiguousarray(x[:-1]))
        self.R = f.z[:, 0].copy()
        slope = 1.0 - float((self.R * self.R / (4.0 * self.s)).sum())
        return value, np.vstack([G, [[self.sign * slope]]]), None

    def product(self, v):
        """The Hessian (1) where the gradient was last formed, times v."""
        b, e = last_column(self.f, self.R, self.sigma)
        T, along = self.f.product(np.ascontiguousarray(v[:-1])), self.sign * float(v[-1, 0])
        last = self.sign * (float(b @ v[:-1, 0]) + e * along)
        return np.vstack([T + along * b[:, None], [[last]]])


def last_column(f, R, sigma):
    """The last column of (1) without its end, and its end; R = df/dz where the gradient was last formed."""
    c = f.c[:, 0]
    within = c > 0.0
    inside = np.where(within, R, 0.0)
    b = -np.asarray(f.X.T @ inside, float) / sigma
    if f.intercept:
        b = np.append(b, -inside.sum() / sigma)
    return b, float((inside * inside / np.where(within, c, 1.0)).sum()) / sigma**2


def _rounding(f, s):
    """What rounding of the residuals by 4 units in the last place of y makes of sigma times the gradient in W."""
    size = 8.0 * EPS * s * np.abs(f.y)
    return float(max((abs(f.X).T @ size).max(initial=0.0), size.sum()))


def _direction(f, exact, H, b, e, u, gradient, share, held):
    """The step of Newton's method in W and sigma, or where sigma is held at its least value in W alone."""
    if held:
        gradient, b, e, u = np.append(gradient[:-1], 0.0), np.zeros_like(b), 1.0, np.zeros_like(u)
    return _exact(f, H, b, e, u, gradient, share) if exact else _conjugate_gradients(f, b, e, gradient)


def _exact(f, H, b, e, u, gradient, share):
    """The direction by a Cholesky factor of (1), or where that is singular to rounding by a QR factor of its root."""
    m = len(gradient)
    A = np.zeros((m, m), order="F")
    A[:-1, :-1], A[:-1, -1], A[-1, -1] = H, b, e
    i = np.arange(m)
    A[i[: f.p], i[: f.p]] += f.lam
    top = A.diagonal().max()
    L, info = lapack.dpotrf(A, lower=0, clean=0)
    if info or not np.abs(L.diagonal()).min() ** 2 > m * EPS * top:
        L = _root(f, u, e, share)
    d, _ = lapack.dpotrs(L, -gradient, lower=0)
    return d if np.isfinite(d).all() else -gradient


def _root(f, u, e, share):
    """R with R'R = (1), which rounding leaves as many digits again as (1) has: at the least sigma, (1) has none."""
    m, c = f.q + 1, f.c[:, 0]
    R = np.zeros((0, m), order="F")
    for lo in range(0, f.n, f.step):
        rows = slice(lo, min(lo + f.step, f.n))
        panel = np.empty((rows.stop - lo, m))
        panel[:, : f.p], panel[:, f.p : f.q], panel[:, f.q] = f.rows(lo, rows.stop), 1.0, u[rows]
        panel *= np.sqrt(c[rows, None])
        R = np.linalg.qr(np.vstack([R, panel]), mode="r")
    size = np.sqrt((R * R).sum(axis=0))
    # where columns are dependent, so much more that rounding of the gradient makes no step longer than the solution
    least = np.sqrt(1e-12 * m * share) * np.where(size > 0.0, size, size.max())
    least[: f.p] = np.maximum(least[: f.p], np.sqrt(f.lam))
    least[-1] = max(least[-1], np.sqrt(max(e - size[-1] ** 2, 0.0)))
    return np.asfortranarray(np.linalg.qr(np.vstack([R, np.diag(least)]), mode="r"))


def _conjugate_gradients(f, b, e, gradient):
    """The same direction by conjugate gradients with products of (1)."""
    D = np.append(f.diagonal()[:, 0], e)
    shift = 1e-12 * max(D.max(), 1e-300)
    D = np.maximum(D, shift)
    d, r = np.zeros_like(gradient), -gradient
    z = r / D
    v, rz, goal = z.copy(), float(r @ z), 1e-3 * np.abs(r).max()
    for _ in range(min(10 * len(r), 1000)):
        Hv = np.append(f.product(v[:-1, None])[:, 0] + b * v[-1], b @ v[:-1] + e * v[-1]) + shift * v
        curvature = float(v @ Hv)
        if not curvature > 0.0:
            break
        alpha = rz / curvature
        d += alpha * v
        r -= alpha * Hv
        if np.abs(r).max() <= goal:
            break
        z = r / D
        rz, old = float(r @ z), rz
        v = z + (rz / old) * v
    return d if d.any() else z
