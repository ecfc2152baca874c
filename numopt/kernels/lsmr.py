r"""LSMR along its path, for the model of a trust region.

For the least-squares problem in w, and A = J diag(1/d) diag(free),

.. math::

    \min |A w + r|^2 + \delta^2 |w|^2 \quad\text{with}\quad |s + w| \le \Delta                             (1)

the bidiagonalisation of Golub and Kahan from u_1 = -r / |r| gives iterates w_k along which |A'(A w_k + r)| falls and,
for s = 0, |w_k| rises: where w_k leaves the region, the run ends on its boundary, as Steihaug's does for the method of
conjugate gradients.  Letters and rotations are those of the paper; u is kept beta times as long as there, so that J v
and J'u are made in one pass over J.

Reference: D. C.-L. Fong and M. Saunders, LSMR: an iterative algorithm for sparse least-squares problems, SIAM J. Sci.
Comput. 33 (2011), 2950-2971, section 2 and 2.8 (damping).
"""

from numopt.kernels.compiling import reduction
from numopt.kernels.oracle import goes_on
from numopt.kernels.sparse_products import adjoint, forth_and_back
from numopt.kernels.squares_slots import C

_INF = float("inf")


@reduction
def rotation(a, b):
    """(c, s, norm) of the rotation that takes (a, b) to (norm, 0)."""
    r = (a * a + b * b) ** 0.5
    if r == 0.0:
        return 1.0, 0.0, 0.0
    return a / r, b / r, r


@reduction
def _next_v(v, out, inverse, free, beta, a):
    """v = A'u / beta - a v, out = J'u; returns its norm."""
    total = 0.0
    for j in range(v.size):
        t = free[j] * inverse[j] * out[j] / beta - a * v[j]
        v[j] = t
        total += t * t
    return total**0.5


@reduction
def _advance(a, b, c, over, v, h, hbar, w, s, inverse, scaled):
    """hbar = h - a hbar, w += b hbar, v *= over, h = v - c h, scaled = v / d; returns the square of s + w."""
    total = 0.0
    for j in range(v.size):
        hb = h[j] - a * hbar[j]
        wj, vj = w[j] + b * hb, v[j] * over
        hbar[j], w[j], v[j] = hb, wj, vj
        h[j] = vj - c * h[j]
        scaled[j] = inverse[j] * vj
        total += (s[j] + wj) * (s[j] + wj)
    return total


@reduction
def _back_to_boundary(w, s, b, hbar, radius):
    """Shorten the last step of w, b hbar, so that it ends on the boundary."""
    dd, pd, pp = 0.0, 0.0, 0.0
    for j in range(w.size):
        d = b * hbar[j]
        p = s[j] + w[j] - d
        dd += d * d
        pd += p * d
        pp += p * p
    room = max(radius * radius - pp, 0.0)
    root = (pd * pd + dd * room) ** 0.5
    t = room / (pd + root) if pd > 0.0 else (root - pd) / dd
    for j in range(w.size):
        w[j] -= (1.0 - min(t, 1.0)) * b * hbar[j]


@reduction
def path(k, inverse, free, s, r, radius, target, most, damping, w, v, h, hbar, scaled, out, u):
    """Set w by (1), until the norm of A'(A w + r) is within ``target``; whether it ended on the boundary.

    ``inverse`` is 1/d; v, h, hbar, scaled, out (n each) and u (m) are overwritten.
    """
    n, beta = w.size, 0.0
    for i in range(r.size):
        u[i] = -r[i]
        beta += u[i] * u[i]
    beta **= 0.5
    for j in range(n):
        w[j], v[j], hbar[j] = 0.0, 0.0, 0.0
    if not 0.0 < beta < _INF:
        return False
    adjoint(k, u, out)
    alpha = _next_v(v, out, inverse, free, beta, 0.0)
    zeta_bar, alpha_bar = alpha * beta, alpha
    if not zeta_bar > target:
        return False
    for j in range(n):
        v[j] /= alpha
        h[j] = v[j]
        scaled[j] = inverse[j] * v[j]
    rho, rho_bar, c_bar, s_bar = 1.0, 1.0, 1.0, 0.0
    for _ in range(most):
        if not goes_on(k[C]):
            return False
        beta = forth_and_back(k, scaled, alpha / beta, u, out) ** 0.5
        alpha = _next_v(v, out, inverse, free, beta, beta) if beta > 0.0 else 0.0
        rho_before, rho_bar_before = rho, rho_bar
        alpha_hat = rotation(alpha_bar, damping)[2]
        c, sn, rho = rotation(alpha_hat, beta)
        theta, alpha_bar = sn * alpha, c * alpha
        theta_bar = s_bar * rho
        c_bar, s_bar, rho_bar = rotation(c_bar * rho, theta)
        zeta, zeta_bar = c_bar * zeta_bar, -s_bar * zeta_bar
        a, b = theta_bar * rho / (rho_before * rho_bar_before), zeta / (rho * rho_bar)
        over = 1.0 / alpha if alpha > 0.0 else 0.0
        length = _advance(a, b, theta / rho, over, v, h, hbar, w, s, inverse, scaled)
        if length >= radius * radius:
            _back_to_boundary(w, s, b, hbar, radius)
            return True
        if not (abs(zeta_bar) > target and alpha > 0.0):
            break
    return False
