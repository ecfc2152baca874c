r"""Trust-region methods on the quadratic model m(d) = f + g'd + d'Hd / 2.

.. math::

    d \approx \arg\min_{|d| \le \Delta} m(d), \qquad
    \rho = \frac{f(x) - f(x + d)}{m(0) - m(d)} \qquad (4.4)

The step is taken where rho > eta; the radius falls to a quarter where rho < 1/4 (below |d| where the step is not
taken), and doubles where rho > 3/4 and d reaches it (algorithm 4.1).  Three methods:

===  ===========  ==========================================================================================
0    exact        (H + lambda I) d = -g, lambda >= 0, lambda (Delta - |d|) = 0, by Newton's method on
                  1/|d(lambda)| - 1/Delta (algorithm 4.3); the hard case through the eigenvectors
1    dogleg       the path from the Cauchy point to the Newton point (4.16); where H is not positive
                  definite, Steihaug's point
2    SR1          the exact step, H replaced by B with B+ = B + r r' / r's, r = y - B s (6.24), left out where
                  |r's| < 1e-8 |r| |s| (6.26); also after steps that are not taken (algorithm 6.2).  From B = I,
                  and before the first update B = (y'y / y's) I, (6.20), where that is positive
===  ===========  ==========================================================================================

Workspace, after the common vectors: a, b, e (n each), H (n x n), factor (n x n), and with SR1 B (n x n); H is then B
with the updates since the last step taken.

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, chapter 4, section 7.1.
J. J. Moré and D. C. Sorensen, Computing a trust region step, SIAM J. Sci. Stat. Comput. 4 (1983), 553-572.
T. Steihaug, The conjugate gradient method and trust regions in large scale optimization, SIAM J. Numer. Anal. 20
(1983), 626-637.
"""

from numpy import int64

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.dense import cholesky, eigen, solve_cholesky, times
from numopt.kernels.oracle import evaluate, evaluate_hess, vector
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    FAILED,
    FRESH,
    N_COMMON,
    NIT,
    PARITY,
    RADIUS,
    RADIUS_INITIAL,
    VARIANT,
    D,
    F,
    G,
    N,
    X,
)
from numopt.kernels.trust import RETRY, judge, to_boundary
from numopt.kernels.vectors import combine, copy, dot, norm, scale, step_to
from numopt.kernels.views import segment

_EXACT, _DOGLEG, _SR1 = range(3)
_A, _B, _E = int64(N_COMMON), int64(N_COMMON + 1), int64(N_COMMON + 2)
_MATRICES = N_COMMON + 3

_SHRINKS = 200  # quarters of the radius; 120 take 1 below any rounding of x
_CLOSE = 0.1  # |d| this near to the radius, relative, is on the boundary: a model deserves no more
_NEWTONS = 40  # factorisations for one lambda; 2 or 3 are usual


_SKIP = 1e-8  # of the SR1 update, (6.26)
_WILD = 100.0  # nor from where f rose by so many times what it was to fall: over a cliff no model is quadratic


@kernel
def init(R):
    """Start from the first radius, and SR1 from B = I; without SR1 a restart would not differ."""
    c, p = R.c, R.p
    if c[NIT] == 0 or c[VARIANT] == _SR1:
        p[RADIUS] = p[RADIUS_INITIAL]
    c[FRESH] = 1
    if c[VARIANT] == _SR1:
        n = c[N]
        B = segment(R.w, (_MATRICES + 2 * n) * n, n * n)
        for k in range(n * n):
            B[k] = 0.0  # not 0 times what the memory held, which may be NaN
        for i in range(n):
            B[i * n + i] = 1.0


@kernel
def _sr1(H, s, y, r, fresh):
    """(6.24), in place; r is scratch."""
    n = s.size
    ys, yy, ss = dot(y, s), dot(y, y), dot(s, s)
    if fresh and ys > 0.0 and yy < float("inf"):
        for i in range(n):
            H[i * n + i] = yy / ys  # (6.20)
    times(H, s, r)
    combine(1.0, y, -1.0, r, r)
    rs, rr = dot(r, s), dot(r, r)
    if not (abs(rs) >= _SKIP * (rr * ss) ** 0.5 and rr > 0.0 and rr < float("inf")):
        return
    for i in range(n):
        for j in range(n):
            H[i * n + j] += r[i] * r[j] / rs


@kernel
def steihaug(H, g, radius, d, r, v, hv):
    """Algorithm 7.2; r, v, hv are scratch.  Whether d reaches the boundary."""
    n = g.size
    gnorm = dot(g, g) ** 0.5
    tol = min(0.5, gnorm**0.5) * gnorm
    scale(0.0, g, d)
    copy(g, r)
    scale(-1.0, g, v)
    rr = dot(r, r)
    for _ in range(2 * n + 10):
        curvature = times(H, v, hv)
        if not curvature > 0.0:
            step_to(d, to_boundary(d, v, radius), v, d)
            return True
        alpha = rr / curvature
        if dot(d, d) + 2.0 * alpha * dot(d, v) + alpha * alpha * dot(v, v) >= radius * radius:
            step_to(d, to_boundary(d, v, radius), v, d)
            return True
        step_to(d, alpha, v, d)
        step_to(r, alpha, hv, r)
        new = dot(r, r)
        if new**0.5 <= tol:
            break
        combine(-1.0, r, new / rr, v, v)
        rr = new
    return False


@kernel
def dogleg(H, L, g, radius, d, a, b, e):
    """Equation (4.16).  Whether d reaches the boundary."""
    n = g.size
    if not cholesky(H, L, n, 0.0):
        return steihaug(H, g, radius, d, a, b, e)
    solve_cholesky(L, n, g, a)
    scale(-1.0, a, a)  # the Newton point
    if dot(a, a) <= radius * radius:
        copy(a, d)
        return False
    gg = dot(g, g)
    t = gg / times(H, g, e)
    if t * gg**0.5 >= radius:
        scale(-radius / gg**0.5, g, d)
        return True
    scale(-t, g, d)  # the Cauchy point
    combine(1.0, a, -1.0, d, a)
    step_to(d, to_boundary(d, a, radius), a, d)
    return True


@kernel
def _hard_case(H, V, g, radius, d, lam, work):
    """d from the eigenvectors, with lambda = -(the least eigenvalue), carried on along its vector to the boundary."""
    n = g.size
    copy(H, V)
    if not eigen(V, lam, work, n):
        return False
    least, first = lam[0], 0
    top = 0.0
    for i in range(n):
        top = max(top, abs(lam[i]))
        if lam[i] < least:
            least, first = lam[i], i
    shift = max(0.0, -least)
    scale(0.0, g, d)
    for k in range(n):
        if lam[k] + shift > 1e-10 * top:
            v = V[k * n : (k + 1) * n]
            step_to(d, -dot(v, g) / (lam[k] + shift), v, d)
    size = dot(d, d) ** 0.5
    if size > radius:
        scale(radius / size, d, d)
    elif shift > 0.0:
        v = V[first * n : (first + 1) * n]
        sign = 1.0 if dot(v, g) <= 0.0 else -1.0
        scale(sign, v, work)
        step_to(d, to_boundary(d, work, radius), work, d)
    return True


@kernel
def exact(H, L, g, radius, d, a, b):
    """Algorithm 4.3, safeguarded by an interval for lambda.  Whether d reaches the boundary."""
    n = g.size
    gnorm = dot(g, g) ** 0.5
    low, high, size = 0.0, 0.0, 0.0
    for i in range(n):
        s = 0.0
        for j in range(n):
            s += abs(H[i * n + j])
        size = max(size, s)
        low = max(low, -H[i * n + i])
    high = gnorm / radius + size  # (H + high I) has eigenvalues of at least |g| / radius
    lam = 0.0 if low == 0.0 else low + 0.01 * (high - low)
    for _ in range(_NEWTONS):
        if cholesky(H, L, n, lam):
            solve_cholesky(L, n, g, d)
            scale(-1.0, d, d)
            length = dot(d, d) ** 0.5
            if lam == 0.0 and length <= radius:
                return False
            if abs(length - radius) <= _CLOSE * radius:
                return True
            if length > radius:
                low = max(low, lam)
            else:
                high = min(high, lam)
            solve_cholesky(L, n, d, a)
            lam += length * length / dot(d, a) * (length - radius) / radius  # (4.44)
            if not low < lam < high:
                lam = max((low * high) ** 0.5, low + 0.01 * (high - low))
        else:
            low = max(low, lam)
            lam = max((low * high) ** 0.5, low + 0.01 * (high - low))
        if high - low <= 1e-8 * high:
            break
    if not _hard_case(H, L, g, radius, d, a, b):
        scale(-radius / gnorm, g, d)
    return True


@kernel
def _model_step(R, H, L, g, radius, d):
    """Set d; whether it reaches the boundary."""
    a, b, e = vector(R, _A), vector(R, _B), vector(R, _E)
    if R.c[VARIANT] != _DOGLEG:
        return exact(H, L, g, radius, d, a, b)
    return dogleg(H, L, g, radius, d, a, b, e)


@kernel
def step(R):
    """One iteration: the radius shrinks until a step is taken."""
    c, p = R.c, R.p
    n = c[N]
    x, g, d = vector(R, X + c[PARITY]), vector(R, G + c[PARITY]), vector(R, D)
    xt, gt = vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    H = segment(R.w, _MATRICES * n, n * n)
    L = segment(R.w, (_MATRICES + n) * n, n * n)
    quasi_newton, fresh = c[VARIANT] == _SR1, c[FRESH] != 0
    B = segment(R.w, (_MATRICES + 2 * n) * n, n * n) if quasi_newton else H
    if quasi_newton:
        copy(B, H)
    else:
        evaluate_hess(R, x, H)
    if c[ABORT] != 0:
        return FAILED
    if not abs(norm(H, 1.0)) < float("inf"):
        for i in range(H.size):
            H[i] = 0.0  # of no use: the model is linear
    radius, task = p[RADIUS], RETRY
    for _ in range(_SHRINKS):
        on_boundary = _model_step(R, H, L, g, radius, d)
        promise = -dot(g, d) - 0.5 * times(H, d, vector(R, _E))
        step_to(x, 1.0, d, xt)
        f = evaluate(R, xt, gt)
        if c[ABORT] != 0:
            return FAILED
        learn = quasi_newton and f - p[F] <= _WILD * promise
        radius, task = judge(R, f, promise, dot(d, d) ** 0.5, on_boundary, radius)
        if learn:
            y = vector(R, _B)
            combine(1.0, gt, -1.0, g, y)
            _sr1(H, d, y, vector(R, _E), fresh)
            fresh = False
        if task != RETRY:
            break
    if quasi_newton and task == ACCEPT:
        copy(H, B)
        c[FRESH] = 0
    return task if task != RETRY else FAILED


run = make_run(init, step)
