r"""Limited-memory BFGS with bounds: L-BFGS-B.

Minimise f(x), l <= x <= u.  With the last k <= m pairs as columns of S and Y the Hessian's approximation is, [BLNZ]_
(3.2),

.. math::

    B = \theta I - W M W^T, \quad W = (Y, \theta S), \quad
    M^{-1} = \begin{pmatrix} -D & L^T \\ L & \theta S^T S \end{pmatrix}, \qquad \theta = y^T y / s^T y

with D the diagonal and L the strictly lower part of S'Y.  One iteration:

1. The generalised Cauchy point xc: the first local minimiser of the model along P(x - t g) (algorithm CP).
2. The minimiser of the model over the variables that xc leaves free, projected onto the bounds [MN]_; where that is
   no descent direction, the point where the segment to it meets the first bound (direct primal method, section 5.1).
3. A line search along d = (that point) - x, projected.

Of the middle matrix of step 2, K = M^-1 - W_F'W_F / theta, the sums over the free variables F (and over the others, A)
are kept up to date: a new pair adds a row to each, a variable that is held or set free adds or takes a product.
S and Y are read from memory twice an iteration, block by block: once when a pair is added and once for the direction
of step 2.  The products with W that (5.11) takes in between follow from those of the Cauchy point at t,
c = W'(xc - x) and p = -W_F'g: as W_F'W_F = theta (M^-1 - K), the way from there is

.. math::

    d_u = (t - 1 / \theta) g_F + W_F K^{-1} \left( c + \frac{1 - \theta t}{\theta} p \right) / \theta

Workspace, after the common vectors: S (m x n), Y (m x n), then small ones: S'Y, S'S, Y_F'Y_F, S_F'Y_F, S_A'S_A, the
factors J, C, Z, E (m x m each), and W'd, c, p, w, h (2 m each).  Pairs stand in a ring, the small matrices from the
oldest pair to the newest.  Marks of the free variables stand with the bounds.

References
----------
.. [BLNZ] R. H. Byrd, P. Lu, J. Nocedal and C. Zhu, A limited memory algorithm for bound constrained optimization, SIAM
   J. Sci. Comput. 16 (1995), 1190-1208.
.. [MN] J. L. Morales and J. Nocedal, Remark on "Algorithm 778: L-BFGS-B", ACM Trans. Math. Softw. 38 (2011), 7:1-7:4.
"""

from numba import njit

from numopt.drivers.loop import make_run
from numopt.kernels.cauchy import cauchy_point, cauchy_step
from numopt.kernels.compact import (
    BLOCK,
    add_row,
    add_rows,
    factor_middle,
    factor_subspace,
    own_sums,
    row_sums,
    shift,
    solve_subspace,
)
from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import free_variables, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ACCEPT,
    CURVATURE_MIN,
    FRESH,
    G_LOW,
    GAMMA,
    HEAD,
    MEMORY,
    N_COMMON,
    NIT,
    PAIRS,
    PARITY,
    SLOPE,
    STEP_INITIAL,
    STEP_MAX,
    D,
    G,
    N,
    T,
    X,
)
from numopt.kernels.vectors import dot
from numopt.kernels.views import segment
from numopt.linesearch.search import search
from numopt.solvers.bfgs import curvature_ok

_SY, _SS, _YYF, _SYF, _SSA, _J, _C, _Z, _E = range(9)
_WD, _CC, _P, _W, _H = range(5)

# The projected direction is taken where it falls at least so much of the way to the Cauchy point.  Any descent, as in
# [MN]_, is not enough: on a quadratic in a box two exact steps in a row can aim at the same corner, the second with a
# slope that is zero but for rounding, and the run ends there, far from the minimum.
_PROJECTED = 0.01


@njit(inline="always")
def _matrix(R, k):
    """The k-th small matrix, m x m, flat."""
    m = R.c[MEMORY]
    return segment(R.w, (N_COMMON + 2 * m) * R.c[N] + k * m * m, m * m)


@njit(inline="always")
def _small(R, k):
    """The k-th small vector, 2 m."""
    m = R.c[MEMORY]
    return segment(R.w, (N_COMMON + 2 * m) * R.c[N] + 9 * m * m + 2 * k * m, 2 * m)


@kernel
def _place(c, j):
    """Where the j-th oldest pair stands in the ring; a division would cost more than the sums over a short vector."""
    at = c[HEAD] - c[PAIRS] + j
    return at + c[MEMORY] if at < 0 else at


@kernel
def init(R):
    """Forget all pairs."""
    R.c[PAIRS], R.c[HEAD], R.c[FRESH] = 0, 0, 1
    R.p[GAMMA] = 1.0
    free = free_variables(R)
    for i in range(free.size):
        free[i] = 1.0


@kernel
def _projected_direction(x, g, lower, upper, d):
    """d = -g but for variables at a bound with g outward, which are 0."""
    for i in range(x.size):
        stays = (g[i] > 0.0 and x[i] <= lower[i]) or (g[i] < 0.0 and x[i] >= upper[i])
        d[i] = 0.0 if stays else -g[i]


@reduction
def _two_dots(sj, yj, d):
    a, b = 0.0, 0.0
    for i in range(d.size):
        a += yj[i] * d[i]
        b += sj[i] * d[i]
    return a, b


@kernel
def _prepare(R):
    """Take in the new pair, at the end of a step; multiply S and Y with the projected gradient's direction."""
    c, p = R.c, R.p
    n, m, new = c[N], c[MEMORY], c[HEAD]
    if c[PAIRS] == m:  # the oldest pair makes room, whether or not the new one is taken
        for k in range(_SSA + 1):
            shift(_matrix(R, k), m)
        c[PAIRS] = m - 1
    k = c[PAIRS]
    xt, gt = vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    x, g, free, d = vector(R, X + c[PARITY]), vector(R, G + c[PARITY]), free_variables(R), vector(R, D)
    lower, upper = lower_bounds(R), upper_bounds(R)
    s, y = vector(R, N_COMMON + new), vector(R, N_COMMON + m + new)
    sy, ss, yyf, syf, ssa = _matrix(R, _SY), _matrix(R, _SS), _matrix(R, _YYF), _matrix(R, _SYF), _matrix(R, _SSA)
    wd = _small(R, _WD)
    a, b, e, af, bf, ea, dy, ds = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(k):
        ss[k * m + j], ssa[k * m + j], sy[k * m + j] = 0.0, 0.0, 0.0
        syf[k * m + j], syf[j * m + k], yyf[k * m + j] = 0.0, 0.0, 0.0
        wd[j], wd[m + j] = 0.0, 0.0
    for low in range(0, n, BLOCK):
        high = min(low + BLOCK, n)
        sb, yb, on, db = s[low:high], y[low:high], free[low:high], d[low:high]
        t = own_sums(xt[low:high], x[low:high], gt[low:high], g[low:high], on, sb, yb)
        a, b, e, af, bf, ea = a + t[0], b + t[1], e + t[2], af + t[3], bf + t[4], ea + t[5]
        _projected_direction(xt[low:high], gt[low:high], lower[low:high], upper[low:high], db)
        q = _two_dots(sb, yb, db)
        dy, ds = dy + q[0], ds + q[1]
        for j in range(0, k, 2):  # two pairs at a time: more reads under way, and half as many of what they meet
            at, more = _place(c, j), _place(c, min(j + 1, k - 1))
            one, two = row_sums(
                sb, yb, on, db, vector(R, N_COMMON + at)[low:high], vector(R, N_COMMON + m + at)[low:high],
                vector(R, N_COMMON + more)[low:high], vector(R, N_COMMON + m + more)[low:high],
            )  # fmt: skip
            add_row(k, j, m, one, ss, ssa, sy, syf, yyf, wd)
            if j + 1 < k:
                add_row(k, j + 1, m, two, ss, ssa, sy, syf, yyf, wd)
    if curvature_ok(a, e, b, p[CURVATURE_MIN]):
        for j in range(k):
            ss[j * m + k], ssa[j * m + k], yyf[j * m + k] = ss[k * m + j], ssa[k * m + j], yyf[k * m + j]
        i = k * m + k
        sy[i], ss[i], yyf[i], syf[i], ssa[i] = a, e, bf, af, ea
        wd[k], wd[m + k] = dy, ds
        p[GAMMA] = b / a  # theta
        c[HEAD] = (new + 1) % m
        c[PAIRS] = k + 1
        c[FRESH] = 0
    return 0.0


@kernel
def _change_free(R, i, sign):
    """Take the variable i into the sums over F (sign 1), or out of them (-1)."""
    c = R.c
    m, k = c[MEMORY], c[PAIRS]
    S, Y = R.w[N_COMMON * c[N] :], R.w[(N_COMMON + m) * c[N] :]
    yyf, syf, ssa, row = _matrix(R, _YYF), _matrix(R, _SYF), _matrix(R, _SSA), _small(R, _H)
    for j in range(k):
        at = _place(c, j) * c[N] + i
        row[j], row[m + j] = Y[at], S[at]
    for a in range(k):
        ya, sa = sign * row[a], sign * row[m + a]
        for b in range(k):
            yyf[a * m + b] += ya * row[b]
            syf[a * m + b] += sa * row[b]
            ssa[a * m + b] -= sa * row[m + b]


@reduction
def _largest_step(x, d, lower, upper):
    """The largest t with x + t d within the bounds."""
    t = 1e20
    for i in range(x.size):
        room = upper[i] - x[i] if d[i] > 0.0 else lower[i] - x[i]
        reach = room / d[i] if d[i] != 0.0 else t
        t = min(t, reach)
    return t


@reduction
def _project(x, g, lower, upper, breaks, free, t, fixed, du, d):
    """du over F only, d = P(xc + du) - x; returns g'd, g'(xc - x)."""
    slope, slope_cauchy = 0.0, 0.0
    for i in range(x.size):
        ui = free[i] * du[i]
        cauchy = cauchy_step(x[i], g[i], lower[i], upper[i], breaks[i], t, fixed)
        di = min(max(x[i] + cauchy + ui, lower[i]), upper[i]) - x[i]
        du[i], d[i] = ui, di
        slope += g[i] * di
        slope_cauchy += g[i] * cauchy
    return slope, slope_cauchy


@kernel
def _to_cauchy_point(R, t, fixed, alpha):
    """d = xc + alpha du - x, du in G_LOW; returns g'd."""
    c, p = R.c, R.p
    x, g, breaks = vector(R, X + c[PARITY]), vector(R, G + c[PARITY]), vector(R, X + 1 - c[PARITY])
    lower, upper, du, d = lower_bounds(R), upper_bounds(R), vector(R, G_LOW), vector(R, D)
    slope = 0.0
    for i in range(x.size):
        d[i] = cauchy_step(x[i], g[i], lower[i], upper[i], breaks[i], t, fixed)
        if alpha > 0.0:
            d[i] += alpha * du[i]
        slope += g[i] * d[i]
    p[STEP_MAX] = _largest_step(x, d, lower, upper)
    return slope


@kernel
def _truncated_direction(R, t, fixed):
    """d = xc + alpha du - x with the largest alpha <= 1 within the bounds; returns g'd."""
    c = R.c
    x, g, breaks = vector(R, X + c[PARITY]), vector(R, G + c[PARITY]), vector(R, X + 1 - c[PARITY])
    lower, upper, du = lower_bounds(R), upper_bounds(R), vector(R, G_LOW)
    alpha = 1.0
    for i in range(x.size):
        if du[i] != 0.0:
            xc = x[i] + cauchy_step(x[i], g[i], lower[i], upper[i], breaks[i], t, fixed)
            alpha = min(alpha, max(0.0, ((upper[i] if du[i] > 0.0 else lower[i]) - xc) / du[i]))
    return _to_cauchy_point(R, t, fixed, alpha)


@kernel
def _subspace_direction(R, t, fixed):
    """d = P(xc + du) - x, du of (5.11); returns g'd.  du is left in G_LOW."""
    c, p = R.c, R.p
    n, m, k, theta = c[N], c[MEMORY], c[PAIRS], p[GAMMA]
    x, g, free = vector(R, X + c[PARITY]), vector(R, G + c[PARITY]), free_variables(R)
    lower, upper, breaks = lower_bounds(R), upper_bounds(R), vector(R, X + 1 - c[PARITY])
    du, d, v, w = vector(R, G_LOW), vector(R, D), _small(R, _H), _small(R, _W)
    cc, wg = _small(R, _CC), _small(R, _P)
    along = (1.0 - theta * t) / theta
    for j in range(k):
        w[j], w[m + j] = cc[j] + along * wg[j], cc[m + j] + along * wg[m + j]
    solve_subspace(_matrix(R, _C), _matrix(R, _Z), _matrix(R, _E), k, m, w, v)
    slope, slope_cauchy, largest = 0.0, 0.0, 1e20
    for low in range(0, n, BLOCK):
        high = min(low + BLOCK, n)
        ub = du[low:high]
        for i in range(low, high):
            du[i] = -along * g[i]
        for j in range(0, k, 2):
            at, more = _place(c, j), _place(c, min(j + 1, k - 1))
            a, b = v[j] / theta, v[m + j]
            e, f = (v[j + 1] / theta, v[m + j + 1]) if j + 1 < k else (0.0, 0.0)
            add_rows(
                a, vector(R, N_COMMON + m + at)[low:high], b, vector(R, N_COMMON + at)[low:high],
                e, vector(R, N_COMMON + m + more)[low:high], f, vector(R, N_COMMON + more)[low:high], ub,
            )  # fmt: skip
        xb, db, lb, hb = x[low:high], d[low:high], lower[low:high], upper[low:high]
        q = _project(xb, g[low:high], lb, hb, breaks[low:high], free[low:high], t, fixed, ub, db)
        slope, slope_cauchy = slope + q[0], slope_cauchy + q[1]
        largest = min(largest, _largest_step(xb, db, lb, hb))
    p[STEP_MAX] = largest
    return slope if slope < _PROJECTED * slope_cauchy else _truncated_direction(R, t, fixed)


@kernel
def _set_direction(R):
    """d, its slope and the largest step; the slope is zero or NaN where the small matrices are of no use any more."""
    c, p = R.c, R.p
    m, k, theta = c[MEMORY], c[PAIRS], p[GAMMA]
    if k > 0 and not factor_middle(_matrix(R, _SY), _matrix(R, _SS), theta, k, m, _matrix(R, _J)):
        return 0.0
    x, g = vector(R, X + c[PARITY]), vector(R, G + c[PARITY])
    lower, upper, free = lower_bounds(R), upper_bounds(R), free_variables(R)
    S, Y = R.w[N_COMMON * c[N] : (N_COMMON + m) * c[N]], R.w[(N_COMMON + m) * c[N] : (N_COMMON + 2 * m) * c[N]]
    # the trial buffers hold nothing yet that is needed: they take the break points and their order
    breaks, order = vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    t, fixed = cauchy_point(
        x, g, lower, upper, breaks, order, S, Y, (c[HEAD] + m - k) % m, k, m, theta, _matrix(R, _SY),
        _matrix(R, _J), _small(R, _WD), _small(R, _P), _small(R, _CC), _small(R, _W), _small(R, _H),
    )  # fmt: skip
    anyone = False
    for i in range(x.size):
        now = 0.0 if breaks[i] <= fixed else 1.0
        if now != free[i]:
            free[i] = now
            if k > 0:
                _change_free(R, i, 2.0 * now - 1.0)
        anyone = anyone or now != 0.0
    if k == 0 or not anyone:
        return _to_cauchy_point(R, t, fixed, 0.0)
    usable = factor_subspace(
        _matrix(R, _SY), _matrix(R, _SYF), _matrix(R, _YYF), _matrix(R, _SSA), theta, k, m, _matrix(R, _C),
        _matrix(R, _Z), _matrix(R, _E),
    )  # fmt: skip
    return _subspace_direction(R, t, fixed) if usable else 0.0


@kernel
def _boxed(lower, upper):
    """Whether every variable has two bounds; a full first step is then no longer than the box."""
    for i in range(lower.size):
        if lower[i] == -float("inf") or upper[i] == float("inf"):
            return False
    return True


@kernel
def step(R):
    """One iteration."""
    c, p = R.c, R.p
    p[SLOPE] = _set_direction(R)
    if not p[SLOPE] < 0.0 and c[PAIRS] > 0:
        init(R)
        p[SLOPE] = _set_direction(R)
    d = vector(R, D)
    p[STEP_MAX] = max(1.0, p[STEP_MAX])
    t0 = 1.0
    if c[NIT] == 0:
        if p[STEP_INITIAL] > 0.0:
            t0 = p[STEP_INITIAL]
        elif not _boxed(lower_bounds(R), upper_bounds(R)):
            t0 = min(1.0, 1.0 / dot(d, d) ** 0.5)
        if p[STEP_MAX] < 1e20:
            p[STEP_MAX] = 1.0
    task = search(R, t0)
    if p[T] != 0.0 and task == ACCEPT:
        _prepare(R)
    return task


run = make_run(init, step)
