r"""Trust-region reflective method for sums of squares in a box.

With the residuals r, their Jacobian J and the gradient g = J'r, a first-order point of f = r'r / 2 in lb <= x <= ub has
v_j g_j = 0 for all j, where v_j is the distance from the bound that -g_j points to (1 if there is none).  A Newton step
for these equations, in the variables p = D q that are scaled by it, minimises the model

.. math::

    m(q) = g^T D q + \tfrac12 q^T (D J^T J D + C) q, \quad D_j^2 = v_j \sigma_j, \quad C_j = |g_j| \sigma_j     (1)

for the variables with a bound ahead; D_j = sigma_j and C_j = 0 for the others; sigma are the sizes of the variables.
The minimum of m within \|q\| <= Delta,

.. math::

    (D J^T J D + C + \lambda I) q = -D g,                                                                       (2)

has p = D q.  Where x + p leaves the box, the best by the model of three steps is taken: p itself shortened to theta of
the way to the first bound; the path reflected there, as far as the next bound or the radius; the minimum along -D g.
theta = max(0.995, 1 - max v_j \|g_j\|): every iterate is strictly inside.

J is never seen here: that is what its triangle R is for (numopt.kernels.triangle).  The rows of C^(1/2) are rotated
into R D, and what remains is the problem of Levenberg and Marquardt, solved by Moré's method with unit scaling.

Convergence, as in scipy: max v_j \|g_j\| <= gtol; an actual reduction of f within ftol f, of at least a quarter of what
the model promised; \|p\| <= xtol (xtol + \|x\|).

Workspace: see numopt.kernels.squares_workspace; the spare vectors hold ones and the reflected direction.

References
----------
M. A. Branch, T. F. Coleman and Y. Li, A subspace, interior, and conjugate gradient method for large-scale
bound-constrained minimization problems, SIAM J. Sci. Comput. 21 (1999), 1-23: (2.2) for v, section 2 for the steps.
T. F. Coleman and Y. Li, An interior trust region approach for nonlinear minimization subject to bounds, SIAM J. Optim.
6 (1996), 418-445.
"""

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ABORT,
    BOUNDED,
    F_TRIAL,
    FAILED,
    FRESH,
    GRADIENT_SMALL,
    LAMBDA,
    LSQ_GTOL,
    NIT,
    PARITY,
    RADIUS,
    RADIUS_INITIAL,
    TRY,
    F,
    G,
    N,
    T,
    X,
)
from numopt.kernels.squares_workspace import (
    COLUMNS,
    FREE,
    MOVE,
    NORMS,
    PERM,
    SCALE,
    SCRATCH,
    SIZE,
    SPARE,
    SPARE2,
    judged,
    matrix,
    rescale,
    shrink,
    spare_row,
    verdict,
)
from numopt.kernels.triangle import boundary_step, damp, factor

EPS = 2.220446049250313e-16
_INF = float("inf")
_THETA = 0.995  # of the way to a bound: the least
_TRIALS = 200  # steps in a row that are not taken: each is a quarter of the one before


@kernel
def init(R):
    """The first radius is found with the first step."""
    R.c[FRESH] = 1
    if R.c[NIT] == 0:
        R.p[RADIUS], R.p[LAMBDA] = -1.0, 0.0


@kernel
def _distance(R, x, g, j):
    """(v_j, whether it is the distance from a bound)."""
    if R.c[BOUNDED] != 0:
        if g[j] < 0.0 and upper_bounds(R)[j] < _INF:
            return upper_bounds(R)[j] - x[j], True
        if g[j] > 0.0 and lower_bounds(R)[j] > -_INF:
            return x[j] - lower_bounds(R)[j], True
    return 1.0, False


@kernel
def _hat(R, x, g, T, scale):
    """Set D and the factor of (1); its rank."""
    n = x.size
    d, root = vector(R, SIZE), vector(R, NORMS)
    free, one = vector(R, FREE), vector(R, SPARE)
    A, U_, w = matrix(R, 2), matrix(R, 3), n + 1
    for j in range(n):
        v, ahead = _distance(R, x, g, j)
        d[j] = (v / scale[j]) ** 0.5 if ahead else 1.0 / scale[j]
        root[j] = (abs(g[j]) / scale[j]) ** 0.5 if ahead else 0.0
        free[j], one[j] = float(j), 1.0
    for i in range(n):
        for j in range(n):
            A[i * w + j] = T[i * w + j] * d[j]
        A[i * w + n] = T[i * w + n]
    damp(A, n, 1.0, root, free, U_, spare_row(R))
    s = vector(R, MOVE)
    for j in range(n):
        s[j] = 0.0
    return factor(U_, n, s, free, n, A, vector(R, PERM))


@kernel
def _along(A, n, start, q, t0):
    """(a, b, c) of the model a t^2 + b t + c along t0 start + t q, in the order of the factor's columns."""
    a, b, c, w = 0.0, 0.0, 0.0, n + 1
    for i in range(n):
        u, v, e = 0.0, 0.0, A[i * w + n]
        for k in range(i, n):
            u += A[i * w + k] * start[k]
            v += A[i * w + k] * q[k]
        u *= t0
        a += 0.5 * v * v
        b += (u + e) * v
        c += (e + 0.5 * u) * u
    return a, b, c


@kernel
def _least(a, b, c, low, high):
    """(t, value) of the minimum of a t^2 + b t + c in an interval."""
    t, best = low, (a * low + b) * low + c
    other = (a * high + b) * high + c
    if other < best:
        t, best = high, other
    if a != 0.0 and low < -0.5 * b / a < high:
        t = -0.5 * b / a
        best = (a * t + b) * t + c
    return t, best


@kernel
def _room(R, x, d, perm, p, t0, q):
    """The largest t for which x + D (t0 p + t q) is in the box."""
    lower, upper, room = lower_bounds(R), upper_bounds(R), _INF
    for a in range(x.size):
        j = int(perm[a])
        at, s = x[j] + d[j] * (t0 * p[a]), d[j] * q[a]
        if s > 0.0:
            room = min(room, (upper[j] - at) / s)
        elif s < 0.0:
            room = min(room, (lower[j] - at) / s)
    return max(room, 0.0)


@kernel
def _dot(p, q, n):
    s = 0.0
    for a in range(n):
        s += p[a] * q[a]
    return s


@kernel
def _select(R, x, A, radius, theta, p):
    """Change p, the solution of (2), into the best of the three steps; the reduction that it promises."""
    n = x.size
    d, perm, q, e = vector(R, SIZE), vector(R, PERM), vector(R, SPARE2), vector(R, SCRATCH)
    stride = _room(R, x, d, perm, p, 0.0, p)
    if stride >= 1.0:
        a, b, _ = _along(A, n, p, p, 0.0)
        return -(a + b)
    # the path reflected where it meets the first bound
    lower, upper = lower_bounds(R), upper_bounds(R)
    for a in range(n):
        j = int(perm[a])
        s = d[j] * p[a]
        hit = (s > 0.0 and (upper[j] - x[j]) / s <= stride) or (s < 0.0 and (lower[j] - x[j]) / s <= stride)
        q[a] = -p[a] if hit else p[a]
    pp, pq = stride * stride * _dot(p, p, n), stride * _dot(p, q, n)
    qq = _dot(q, q, n)
    to_radius = (-pq + max(pq * pq - qq * (pp - radius * radius), 0.0) ** 0.5) / qq
    to_bound = _room(R, x, d, perm, p, stride, q)
    far, reflected, value = min(to_radius, to_bound), 0.0, _INF
    if far > 0.0:
        low = (1.0 - theta) * stride / far  # as scipy has it
        high = theta * to_bound if to_bound <= to_radius else to_radius
        if low <= high:
            a, b, c = _along(A, n, p, q, stride)
            reflected, value = _least(a, b, c, low, high)
    # the step itself, shortened
    a, b, _ = _along(A, n, p, p, 0.0)
    short = theta * stride
    own = (a * short + b) * short
    # along the gradient, which is the last column times the others
    w, ee = n + 1, 0.0
    for k in range(n):
        s = 0.0
        for i in range(k + 1):
            s -= A[i * w + k] * A[i * w + n]
        e[k] = s
        ee += s * s
    to_radius, to_bound = radius / ee**0.5, _room(R, x, d, perm, e, 0.0, e)
    a, b, _ = _along(A, n, e, e, 0.0)
    descent, cauchy = _least(a, b, 0.0, 0.0, theta * to_bound if to_bound < to_radius else to_radius)
    best = min(own, value, cauchy)
    for k in range(n):
        if best == own:
            p[k] *= short
        elif best == value:
            p[k] = stride * p[k] + reflected * q[k]
        else:
            p[k] = descent * e[k]
    return -best


@kernel
def _inside(x, s, lower, upper):
    """x + s, strictly inside for x that is."""
    t = x + s
    if t <= lower:
        t = lower + (1.0 - _THETA) * (x - lower)
    elif t >= upper:
        t = upper - (1.0 - _THETA) * (upper - x)
    return t if lower < t < upper else x


@kernel
def step(R):
    """One iteration: trials until one is taken."""
    c, p = R.c, R.p
    n, f = c[N], p[F]
    x, g = vector(R, X + c[PARITY]), vector(R, G + c[PARITY])
    xt, gt = vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    T0, A = matrix(R, c[PARITY]), matrix(R, 2)
    scale, d, perm = vector(R, SCALE + c[PARITY]), vector(R, SIZE), vector(R, PERM)
    z, s = vector(R, COLUMNS), vector(R, MOVE)
    rescale(R, T0, n)
    gnorm, xnorm, first = 0.0, 0.0, 0.0
    for j in range(n):
        v, ahead = _distance(R, x, g, j)
        gnorm = max(gnorm, abs(v * g[j]))
        xnorm += x[j] * x[j]
        first += x[j] * x[j] * (scale[j] / v if ahead else scale[j] * scale[j])
    xnorm = xnorm**0.5
    if gnorm <= p[LSQ_GTOL] or f == 0.0:
        return GRADIENT_SMALL
    radius, lam = p[RADIUS], p[LAMBDA]
    if radius < 0.0:
        radius = p[RADIUS_INITIAL] * first**0.5 if first > 0.0 else p[RADIUS_INITIAL]
    rank = _hat(R, x, g, T0, scale)
    theta = max(_THETA, 1.0 - gnorm)
    for _ in range(_TRIALS):
        lam = boundary_step(
            A, n, rank, vector(R, SPARE), perm, radius, lam, matrix(R, 3), spare_row(R), z, vector(R, SCRATCH)
        )
        if lam > 0.0:
            size = _dot(z, z, n) ** 0.5
            for a in range(n):
                z[a] *= radius / size
        if c[BOUNDED] != 0:
            predicted = _select(R, x, A, radius, theta, z)
        else:
            a2, b, _ = _along(A, n, z, z, 0.0)
            predicted = -(a2 + b)
        length, slope, size = 0.0, 0.0, _dot(z, z, n) ** 0.5
        for a in range(n):
            j = int(perm[a])
            s[j] = d[j] * z[a]
            length += s[j] * s[j]
            slope += s[j] * g[j]
            xt[j] = x[j] + s[j]
            if c[BOUNDED] != 0:
                xt[j] = _inside(x[j], s[j], lower_bounds(R)[j], upper_bounds(R)[j])
        length = length**0.5
        ft, actual, ratio, taken = judged(R, xt, gt, f, predicted)
        if c[ABORT] != 0:
            return FAILED
        before = radius
        if not taken or ratio <= 0.25:
            radius = shrink(slope, f, ft) * min(radius, 10.0 * size)
        elif lam == 0.0 or ratio >= 0.75:
            radius = 2.0 * size
        lam *= before / radius
        p[F_TRIAL] = ft
        if taken:
            p[T], p[RADIUS], p[LAMBDA] = 1.0, radius, lam
        task = verdict(R, f, ft, actual, predicted, ratio, taken, length, xnorm, False)
        if task != TRY:
            return task
    return FAILED


run = make_run(init, step)
