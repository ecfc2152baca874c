r"""The trust-region subproblem for a symmetric tridiagonal matrix T and a right side along the first axis.

.. math:: \min_h \; b h_0 + \tfrac12 h^T T h \quad \text{where} \quad |h| \le \Delta

Its solution has :math:`(T + \lambda I) h = -b e_0` with T + lambda I positive semidefinite, lambda >= 0 and
lambda (Delta - |h|) = 0.  Newton's method on 1 / |h| - 1 / Delta, between bounds, finds lambda; each of its steps is a
factorisation L D L' of T + lambda I, of the order of k operations for k variables.

``a`` is the diagonal, ``e[i]`` the entry beside a[i - 1] and a[i]; entries of ``e`` may be zero.

References
----------
N. I. M. Gould, S. Lucidi, M. Roma and Ph. L. Toint, Solving the trust-region subproblem using the Lanczos method,
SIAM J. Optim. 9 (1999), 504-525, section 5.1.
J. J. Moré and D. C. Sorensen, Computing a trust region step, SIAM J. Sci. Stat. Comput. 4 (1983), 553-572.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.stopping import EPS
from numopt.kernels.vectors import dot

_NEWTON_STEPS = 100
_ACCURACY = 1e-12  # of |h| = Delta, relative


@kernel
def _size(a, e, k):
    """A bound on the eigenvalues' magnitude (Gershgorin)."""
    size = 0.0
    for i in range(k):
        row = abs(a[i]) + (abs(e[i]) if i > 0 else 0.0) + (abs(e[i + 1]) if i + 1 < k else 0.0)
        size = max(size, row)
    return size


@kernel
def _factor(a, e, k, shift, D):
    """D of L D L' = T + shift I; whether all of it is positive."""
    for i in range(k):
        D[i] = a[i] + shift
        if i > 0:
            D[i] -= e[i] * e[i] / D[i - 1]
        if not D[i] > 0.0:
            return False
    return True


@kernel
def _solve(e, k, D, x):
    """L D L' x = x, in place."""
    for i in range(1, k):
        x[i] -= e[i] / D[i - 1] * x[i - 1]
    x[k - 1] /= D[k - 1]
    for i in range(k - 2, -1, -1):
        x[i] = x[i] / D[i] - e[i + 1] / D[i] * x[i + 1]


@kernel
def _inverse_product(e, k, D, h):
    """h' (L D L')^-1 h."""
    total, v = 0.0, 0.0
    for i in range(k):
        v = h[i] - (e[i] / D[i - 1] * v if i > 0 else 0.0)
        total += v * v / D[i]
    return total


@kernel
def leftmost(a, e, k):
    """The least eigenvalue, by bisection on the signs of the pivots."""
    size = _size(a, e, k)
    low, high = -size, size
    for _ in range(80):
        middle = 0.5 * (low + high)
        if high - low <= 2.0 * EPS * size:
            break
        below, d = False, 1.0
        for i in range(k):
            d = a[i] - middle - (e[i] * e[i] / d if i > 0 else 0.0)
            if d <= 0.0:
                below = True
                break
        if below:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@kernel
def _right_side(b, k, h):
    for i in range(k):
        h[i] = 0.0
    h[0] = -b


@kernel
def solve_tridiagonal(a, e, k, b, radius, h, D, u):
    """Set h to the solution; returns lambda.  ``D`` and ``u`` (k each) are work space."""
    size = _size(a[:k], e[:k], k)
    least = k * EPS * size  # what rounding may have left of an eigenvalue
    h, D, u = h[:k], D[:k], u[:k]
    low = 0.0
    # without a floor for D: on a graded T small pivots are accurate, and a badly scaled convex problem has such a T
    if _factor(a, e, k, 0.0, D):
        _right_side(b, k, h)
        _solve(e, k, D, h)
        if dot(h, h) ** 0.5 <= radius:
            return 0.0
        shift = 0.0
    else:
        low = max(0.0, -leftmost(a, e, k))
        shift = low + max(least, 1e-3 * b / radius)
    high = low + b / radius + 2.0 * least
    for _ in range(_NEWTON_STEPS):
        if not _factor(a, e, k, shift, D):
            low = max(low, shift)
            if high - low <= 4.0 * EPS * (high + size):
                break
            shift = low + 0.1 * (high - low)
            continue
        _right_side(b, k, h)
        _solve(e, k, D, h)
        length = dot(h, h) ** 0.5
        if abs(length - radius) <= _ACCURACY * radius:
            return shift
        if length > radius:
            low = shift
        else:
            high = shift
        if high - low <= 4.0 * EPS * (high + size):
            break
        slope = _inverse_product(e, k, D, h)
        shift += length * length / slope * (length - radius) / radius
        if not low < shift < high:
            shift = low + 0.1 * (high - low)
    # the hard case: along the eigenvector of the least eigenvalue to the boundary, by inverse iteration
    shift = high
    for _ in range(10):
        if _factor(a, e, k, shift, D):
            break
        shift += 2.0 * least + 1e-300
    _right_side(b, k, h)
    _solve(e, k, D, h)
    length2 = dot(h, h)
    if not length2 < radius * radius:
        for i in range(k):
            h[i] *= radius / length2**0.5
        return shift
    for i in range(k):
        u[i] = 1.0 + 0.1 * (i % 7)  # no eigenvector of interest is orthogonal to it but by chance
    for _ in range(3):
        _solve(e, k, D, u)
        length = dot(u, u) ** 0.5
        for i in range(k):
            u[i] /= length
    along = dot(h, u)
    root = (along * along + radius * radius - length2) ** 0.5
    # the shorter of the two ways: where this is not quite the hard case h is nearly there
    t = (radius * radius - length2) / (along + root if along > 0.0 else along - root)
    for i in range(k):
        h[i] += t * u[i]
    return shift
