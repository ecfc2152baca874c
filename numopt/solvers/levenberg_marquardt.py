r"""Levenberg-Marquardt as a trust region on the Gauss-Newton model, with bounds.

With the residuals r, their Jacobian J and a diagonal scaling D,

.. math::

    p \approx \arg\min_{|D p| \le \Delta} |J p + r|^2, \qquad (J^T J + \lambda D^2) p = -J^T r       (1)

where lambda >= 0 is found by Newton's method on 1 / |D p(lambda)| - 1 / Delta to a tenth of Delta (Moré).  The actual
over the predicted reduction decides of the step and of Delta.  J is never seen here: all that is needed of it is the
triangle of its QR factorisation (numopt.kernels.triangle), which the objective hands over with each gradient.

===  =================  =======================================================================================
0    trust region       (1), D_j the largest norm of column j of J so far
1    damping            Marquardt's: lambda itself goes up and down, by the quality of the step (Nielsen's rule)
2    Gauss-Newton       lambda = 0, the step of least norm where J is rank deficient, shortened until f falls
===  =================  =======================================================================================

Geodesic acceleration, an option of the first two: where r bends along the step p, the second derivative r'' along it,
from one more evaluation, gives

.. math::

    (J^T J + \lambda D^2) a = -J^T r'', \qquad x + p + a / 2                                                     (2)

as the trial point, where 2 |D a| <= alpha |D p|; else the trial point is x + p.

After three trials in a row that were not taken, no D_j is less than a tenth of |D x| over the size that x_j has or had:
a parameter that hardly shows in the residuals (its exponential has died out, say) would else be sent anywhere for next
to nothing.

Bounds: variables at a bound with a gradient that pushes outwards stay; the step of the others is computed, those that
it takes across a bound are set on it, and the step of the rest is computed again with that known, until all are within.

Convergence, besides bounds and scaling as in MINPACK: the cosine of the angle between r and any column of J is within
gtol; the actual and the predicted relative reduction of f are within ftol, and the Gauss-Newton step that is left
would change no parameter by more than 90 ftol (or, after three such steps, lower f by more than ftol^(1/2), relative);
|D p| is within xtol |D x|.

Workspace: see numopt.kernels.squares_workspace; the spare vector holds J'r''.

References
----------
J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, in: Numerical Analysis, Lecture Notes in
Mathematics 630 (1978), 105-116.
M. K. Transtrum and J. P. Sethna, Improvements to the Levenberg-Marquardt algorithm for nonlinear least-squares
minimization, arXiv:1201.5885 (2012): section 5.
H. B. Nielsen, Damping parameter in Marquardt's method, IMM-REP-1999-05 (1999), eq. (2.5).
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 10.3.
"""

from numopt.drivers.loop import make_run
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import admitted, call_hessp, evaluate_value, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import (
    ABORT,
    ACCEL_MAX,
    ACCEPT,
    BOUNDED,
    CHOICE,
    F_TRIAL,
    FAILED,
    FLAT,
    FRESH,
    GIVEN_SCALE,
    GRADIENT_SMALL,
    LAMBDA,
    LSQ_FTOL,
    LSQ_GTOL,
    LSQ_RANK,
    LSQ_XTOL,
    NFEV,
    NIT,
    PARITY,
    RADIUS,
    RADIUS_INITIAL,
    REDUCTION_SMALL,
    STEP_SMALL,
    STREAK,
    VARIANT,
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
    ROUNDING,
    SCALE,
    SCRATCH,
    SIZE,
    SPARE,
    ULPS,
    grad_at_trial,
    held,
    list_free,
    matrix,
    shrink,
    spare_row,
)
from numopt.kernels.triangle import (
    boundary_step,
    column_norms,
    damped_step,
    factor,
    solve_lower,
    solve_upper,
    square_norm,
    undamped_step,
)
from numopt.kernels.vectors import dot

_TRUST_REGION, _DAMPING, _GAUSS_NEWTON = range(3)
EPS = 2.220446049250313e-16
_INF = float("inf")
_FLOOR = 0.1  # of |D x| over the size of x_j: the least D_j
_ACCEPT = 1e-4  # least share of the predicted reduction
_WASTED = 3  # trials in a row that are not taken: then no D_j may be so small any more
_TRIALS = 200  # steps in a row that are not taken: each is a half of the one before at most
_LEFT = 90.0  # times ftol: what the step that is left may change a parameter by
_STREAK = 3  # steps in a row within ftol: f has come to its end, whatever the parameters do
_BENT = 1.5e-8  # of |D x|, EPS^(1/2): the acceleration along a shorter step is below rounding
_LAMBDA = 1e-3  # the first lambda of the damped variant


@kernel
def init(R):
    """Sizes of the variables and the first radius; a restart would not differ."""
    c, p = R.c, R.p
    c[FRESH] = 1
    if c[NIT] == 0:
        x, size = vector(R, X + c[PARITY]), vector(R, SIZE)
        for j in range(x.size):
            size[j] = abs(x[j])
        p[RADIUS], p[LAMBDA] = -1.0, 0.0


@kernel
def _rescale(R, x, T, careful):
    """D and sizes for x, from those of the point before; |D x|."""
    c = R.c
    d, before = vector(R, SCALE + c[PARITY]), vector(R, SCALE + 1 - c[PARITY])
    norms, size = vector(R, NORMS), vector(R, SIZE)
    column_norms(T, x.size, norms)
    xnorm = 0.0
    for j in range(x.size):
        xnorm += (norms[j] * x[j]) ** 2
    xnorm = xnorm**0.5
    total = 0.0
    for j in range(x.size):
        if c[GIVEN_SCALE] != 0:
            d[j] = before[j]
        else:
            d[j] = norms[j] if norms[j] > 0.0 else 1.0
            if c[NIT] > 0:
                d[j] = max(norms[j], before[j])
            if size[j] > 0.0:
                size[j] = max(size[j], abs(x[j]))
                if careful:
                    d[j] = max(d[j], _FLOOR * xnorm / size[j])
        total += (d[j] * x[j]) ** 2
    return total**0.5


@kernel
def _find_step(R, x, g, T, radius, lam, again):
    """Set s, the step: (lambda, whether a bound cut it, free variables).  ``again``: S is of this point already."""
    n, count = x.size, list_free(R, x, g)
    free, perm, s = vector(R, FREE), vector(R, PERM), vector(R, MOVE)
    z, u, d = vector(R, COLUMNS), vector(R, SCRATCH), vector(R, SCALE + R.c[PARITY])
    S, U, row, cut = matrix(R, 2), matrix(R, 3), spare_row(R), False
    for j in range(n):
        s[j] = 0.0
    while count > 0:
        if not again:
            rank = factor(T, n, s, free, count, S, perm)
            R.p[LSQ_RANK] = float(rank)
        again = False
        rank = int(R.p[LSQ_RANK])
        if R.c[VARIANT] == _TRUST_REGION:
            lam = boundary_step(S, count, rank, d, perm, radius, lam, U, row, z, u)
        elif R.c[VARIANT] == _DAMPING:
            damped_step(S, count, lam, d, perm, U, row, z)
        else:
            undamped_step(S, count, rank, z)
            for a in range(count):
                z[a] *= radius
        for a in range(count):
            s[int(perm[a])] = z[a]
        if R.c[BOUNDED] == 0:
            break
        lower, upper = lower_bounds(R), upper_bounds(R)
        kept = 0
        for a in range(count):
            j = int(free[a])
            if x[j] + s[j] < lower[j]:
                s[j] = lower[j] - x[j]
            elif x[j] + s[j] > upper[j]:
                s[j] = upper[j] - x[j]
            else:
                free[kept] = free[a]
                kept += 1
        if kept == count:
            break
        count, cut = kept, True
        for a in range(count):
            s[int(free[a])] = 0.0
    return lam, cut, count


@kernel
def _accelerate(R, x, s, xt, lam, count, length):
    """Add half the acceleration (2) to the trial point, where it is small beside the step and within the bounds.

    The factor of (1) for the free variables is that of the step just found.
    """
    w = count + 1
    out, z, perm = vector(R, SPARE), vector(R, COLUMNS), vector(R, PERM)
    d = vector(R, SCALE + R.c[PARITY])
    if not admitted(R):
        return
    R.c[NFEV] += 1
    call_hessp(R, x, s, out)
    if R.c[ABORT] != 0:
        return
    rank = count if lam > 0.0 else int(R.p[LSQ_RANK])
    A = matrix(R, 3 if lam > 0.0 else 2)
    for a in range(count):
        z[a] = -out[int(perm[a])] if a < rank else 0.0
    solve_lower(A, w, rank, z)
    solve_upper(A, w, rank, z)
    size = 0.0
    for a in range(rank):
        size += (d[int(perm[a])] * z[a]) ** 2
    if not 2.0 * size**0.5 <= R.p[ACCEL_MAX] * length:
        return
    if R.c[BOUNDED] != 0:
        lower, upper = lower_bounds(R), upper_bounds(R)
        for a in range(rank):
            j = int(perm[a])
            if not lower[j] <= xt[j] + 0.5 * z[a] <= upper[j]:
                return
    for a in range(rank):
        xt[int(perm[a])] += 0.5 * z[a]


@kernel
def _settled(R, x, g, T, xnorm, square, patient):
    """Whether the Gauss-Newton step from x would change no parameter by more than _LEFT ftol.

    Or, out of patience, whether it promises next to no reduction of f = ``square`` / 2, whatever the parameters do.
    """
    n, count = x.size, list_free(R, x, g)
    if count == 0:
        return True
    perm, s, z, S = vector(R, PERM), vector(R, MOVE), vector(R, COLUMNS), matrix(R, 2)
    d = vector(R, SCALE + R.c[PARITY])
    for j in range(n):
        s[j] = 0.0
    rank = factor(T, n, s, vector(R, FREE), count, S, perm)
    undamped_step(S, count, rank, z)
    if not patient:
        promise = 0.0
        for a in range(rank):
            promise += S[a * (count + 1) + count] ** 2
        if promise <= R.p[LSQ_FTOL] ** 0.5 * square:
            return True
    left = _LEFT * R.p[LSQ_FTOL]
    for a in range(count):
        j = int(perm[a])
        if abs(z[a]) > left * abs(x[j]) and d[j] * abs(z[a]) > 0.01 * left * xnorm:
            return False
    return True


@kernel
def step(R):
    """One iteration: trials until one is taken."""
    c, p = R.c, R.p
    n, variant = c[N], c[VARIANT]
    x, g, xt, gt = (
        vector(R, X + c[PARITY]),
        vector(R, G + c[PARITY]),
        vector(R, X + 1 - c[PARITY]),
        vector(R, G + 1 - c[PARITY]),
    )
    T0, T1 = matrix(R, c[PARITY]), matrix(R, 1 - c[PARITY])
    s, d = vector(R, MOVE), vector(R, SCALE + c[PARITY])
    f = p[F]
    careful = c[CHOICE] != 0
    xnorm = _rescale(R, x, T0, careful)
    norms = vector(R, NORMS)
    square = 2.0 * f
    steep = 0.0
    for j in range(n):
        if norms[j] > 0.0 and not held(R, x, g, j):
            steep = max(steep, abs(g[j]) / norms[j])
    if steep <= p[LSQ_GTOL] * square**0.5 or f == 0.0:
        return GRADIENT_SMALL
    radius, lam, nu = p[RADIUS], p[LAMBDA], 2.0
    if radius < 0.0:
        radius = p[RADIUS_INITIAL] * xnorm if xnorm > 0.0 else p[RADIUS_INITIAL]
        lam = _LAMBDA if variant == _DAMPING else 0.0
    if variant == _GAUSS_NEWTON:
        radius = 1.0
    again = False
    for trial in range(_TRIALS):
        if trial == _WASTED and not careful and c[GIVEN_SCALE] == 0:
            careful = True
            xnorm = _rescale(R, x, T0, True)
        lam, cut, count = _find_step(R, x, g, T0, radius, lam, again)
        again = not cut
        length, slope = 0.0, dot(g, s)
        for j in range(n):
            length += (d[j] * s[j]) ** 2
            xt[j] = x[j] + s[j]
        length = length**0.5
        if c[BOUNDED] != 0:
            lower, upper = lower_bounds(R), upper_bounds(R)
            for j in range(n):
                xt[j] = min(max(xt[j], lower[j]), upper[j])
                if s[j] != 0.0 and s[j] == lower[j] - x[j]:
                    xt[j] = lower[j]  # an ulp beside it, it would not be held there
                elif s[j] != 0.0 and s[j] == upper[j] - x[j]:
                    xt[j] = upper[j]
        if c[NIT] == 0 and trial == 0:
            radius = min(radius, length) if variant == _TRUST_REGION else radius
        if p[ACCEL_MAX] > 0.0 and variant != _GAUSS_NEWTON and count > 0 and length > _BENT * xnorm:
            _accelerate(R, x, s, xt, lam, count, length)
        ft = evaluate_value(R, xt, gt)
        if c[ABORT] != 0:
            return FAILED
        actual = (f - ft) / f if ft < 100.0 * f else -1.0  # NaN too
        curved = square_norm(T0, n, s) / square
        if cut or variant == _GAUSS_NEWTON:
            predicted = -2.0 * slope / square - curved
        else:
            predicted = curved + 2.0 * lam * length * length / square
        ratio = actual / predicted if predicted > 0.0 else -1.0
        worth = predicted > 0.0 or not cut  # a step that the bounds bend may go uphill: then it is too long
        small = worth and abs(actual) <= p[LSQ_FTOL] and predicted <= p[LSQ_FTOL] and ratio <= 2.0
        taken = ratio >= _ACCEPT
        if taken:
            taken = grad_at_trial(R, xt, gt)
            if c[ABORT] != 0:
                return FAILED
            if not taken:
                ft = _INF
        if variant == _TRUST_REGION:
            if not taken or ratio <= 0.25:
                less = shrink(slope, f, ft)
                radius = less * min(radius, 10.0 * length)
                lam /= less
            elif lam == 0.0 or ratio >= 0.75:
                radius = 2.0 * length
                lam *= 0.5
        elif variant == _DAMPING:
            if taken:
                lam *= max(1.0 / 3.0, 1.0 - (2.0 * ratio - 1.0) ** 3)
            else:
                lam *= nu
                nu *= 2.0
        else:
            radius *= 0.5
        if taken:
            p[F_TRIAL], p[T], p[RADIUS], p[LAMBDA], c[CHOICE] = ft, 1.0, radius, lam, careful
            c[STREAK] = c[STREAK] + 1 if small else 0
            patient = c[STREAK] < _STREAK
            if small and (predicted <= 2.0 * EPS or _settled(R, xt, gt, T1, xnorm, 2.0 * ft, patient)):
                return REDUCTION_SMALL
            if length <= p[LSQ_XTOL] * xnorm:
                return STEP_SMALL
            return ACCEPT
        if small and (predicted <= 2.0 * EPS or _settled(R, x, g, T0, xnorm, square, True)):
            return REDUCTION_SMALL
        p[F_TRIAL] = ft
        if length <= p[LSQ_XTOL] * xnorm and worth:
            # so short a step fails for rounding where it promises next to nothing, else for a wrong Jacobian
            tiny = predicted <= ROUNDING or length <= ULPS * EPS * xnorm
            return STEP_SMALL if tiny and ft < _INF else FAILED
        if small:
            again = False  # _settled has used S
        if predicted <= EPS and worth:
            return FLAT
    return FAILED


run = make_run(init, step)
