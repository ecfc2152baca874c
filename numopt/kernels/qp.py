"""Dense convex quadratic programs, by a dual active-set method.

    minimise  1/2 d'B d + g'd      subject to  rl <= A d <= ru,  dl <= d <= du

with B symmetric, positive definite or semidefinite (B = 0: a linear program); A has m rows.  At a solution
B d + g = A'y + z, and a multiplier is > 0 only where the lower limit holds with equality, < 0 only where the upper
one does: it is the derivative of the optimal value with respect to that limit.  With nu < inf the rows are elastic:
nu times the sum of their violations is added to the objective, the bounds stay hard, and |y_i| <= nu.

**The method** is Goldfarb & Idnani's, on the dual.  The working set holds constraints that are kept at a limit; d is
the minimiser on them, and their multipliers have the right signs.  The constraint p that is violated most is brought
to its limit along s = J2 J2'a_p, its multiplier growing from 0 by t and those of the working set changing by -t r,
r = R^-1 J1'a_p.  A multiplier that comes to the end of its range on the way leaves: at 0 the constraint is no longer
needed, at +-nu an elastic row is given up (its share +-nu a_i of the gradient stays; if d comes to satisfy it again, it
is brought back in the same way).  The dual objective is piecewise quadratic and concave and grows with every constraint
brought in, so no working set comes back, whatever the ties: degenerate vertices do no harm.  Where a_p depends on the
working set, s = 0 and only multipliers change; if none comes to an end, they prove that no d satisfies the
constraints: A'y + z = 0, but y'(A d) + z'd >= sum of lower limits * positive parts + upper limits * negative parts > 0.
Limits on both sides, equalities and bounds are what they are: one constraint each.

**B not definite**: with K = B + D, D = diag(shift), proximal points

    d_{k+1} = argmin of the problem with (d - d_k)'D (d - d_k) / 2 added

end at a solution (Rockafellar 1976), for linear programs after finitely many.  They share the factors, so one costs
little more than its changes of the working set.  Where they move on for good, the difference of two is looked at as a
ray: B s = 0, g's < 0 and no limit in its way prove that the objective is unbounded below.

**Rounding**: before a solution is returned, d and multipliers are refined with residuals of the problem itself, and all
constraints are looked at again; only then the working set counts as final.

Workspace (``qp_words(n, m)`` doubles): T (n, n), R (n, n), the rows' norms of A (2, m), nine vectors of n, where
``qp_factors`` says what T and R are; the working set W is one of the vectors.

References: Goldfarb & Idnani, Math. Programming 27 (1983) 1-33; Powell, ZQPCVX, DAMTP/1983/NA17; Rockafellar, SIAM J.
Control Optim. 14 (1976) 877-898; Arnstrom, Bemporad & Axehill, IEEE Trans. Autom. Control 67 (2022) 4362-4369.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.dense import EPS
from numopt.kernels.qp_factors import (
    add,
    add_row,
    correct,
    direction,
    dot,
    drop,
    dual_residual,
    expand,
    factor,
    independent,
    norm_of,
    solve_upper,
)
from numopt.kernels.views import segment

SOLVED, INFEASIBLE, UNBOUNDED, MAXITER, NOT_CONVEX = 0, 1, 2, 3, 4
_RUNNING = -1

# places in ``info``: working sets, largest violation of a constraint, largest component of B d + g - A'y - z, objective
# (nu's share included), proximal points, members of the working set
ITERATIONS, VIOLATION, RESIDUAL, VALUE, ROUNDS, ACTIVE, N_INFO = 0, 1, 2, 3, 4, 5, 6

FEASIBLE = 1e-12  # violation that is rounding, of a row's limit and of its terms
ACCEPTED = 1e-9  # the same for what could not be resolved any better
DEFINITE = 1e-11  # least pivot of B over its diagonal entry; below that B counts as semidefinite
SEMIDEFINITE = 1e-13  # times n: what is added to the diagonal of a semidefinite B so that rounding does not matter
SHIFT = 1e-7  # D over the diagonal of B
LINEAR_SHIFT = 1e-3  # D over the largest component of g where B = 0
CONVERGED = 1e-13  # D (d - d_k) over the terms of B d + g
RAY = 1e-11  # of a ray: B s and steps out of the limits, over their terms
PROXIMAL = 60  # proximal points at most


@kernel
def qp_words(n, m):
    """Doubles that ``work`` needs."""
    return 2 * n * n + 2 * m + 9 * n


@kernel
def _limits(k, m, rl, ru, dl, du):
    return (rl[k], ru[k]) if k < m else (dl[k - m], du[k - m])


@kernel
def _largest(a, n):
    most = 0.0
    for i in range(n):
        most = max(most, abs(a[i]))
    return most


@kernel
def _value(A, n, m, k, d):
    """a_k'd."""
    return dot(A, k * n, d, 0, n) if k < m else d[k - m]


@kernel
def _multiplier(y, z, m, k):
    return y[k] if k < m else z[k - m]


@kernel
def _set(y, z, m, k, value):
    if k < m:
        y[k] = value
    else:
        z[k - m] = value


@kernel
def _load(n, m, A, rl, ru, dl, du, nu, marks, T, R, W, y, z, c, s, root):
    """Factorise the working set that ``marks`` names, equalities first, without dependent members; returns its size.

    Sets the multipliers: +-nu for elastic rows given up, else 0.
    """
    q = 0
    for equal in range(2):
        for k in range(m + n):
            low, high = _limits(k, m, rl, ru, dl, du)
            if (low == high) != (equal == 0):
                continue
            mark = marks[k]
            if abs(mark) > 1.5:
                if k < m and nu < 1e300 and abs(low if mark < 0.0 else high) < 1e300:
                    y[k] = nu if mark < 0.0 else -nu
                    marks[k] = -2.0 if mark < 0.0 else 2.0
                    continue
                mark *= 0.5
            _set(y, z, m, k, 0.0)
            marks[k] = 0.0
            if equal == 0 and not mark > 0.0:
                mark = -1.0
            if mark == 0.0 or q == n or not abs(low if mark < 0.0 else high) < 1e300:
                continue
            expand(T, A, n, m, k, c)
            if independent(c, n, q, root * (dot(A, k * n, A, k * n, n) ** 0.5 if k < m else 1.0)):
                direction(T, n, q, c, s)
                add(T, R, n, q, c, s)
                marks[k] = -1.0 if mark < 0.0 else 1.0
                W[q] = float(k)
                q += 1
    return q


@kernel
def _settle(n, m, B, g, A, rl, ru, dl, du, nu, shift, centre, T, R, W, q, d, y, z, marks, r, u, v, rounds):
    """The minimiser on the working set, refined up to ``rounds`` times; members with a wrong multiplier leave."""
    before = 1e300
    while True:
        change = correct(n, m, B, g, A, rl, ru, dl, du, shift, centre, T, R, W, q, d, y, z, marks, r, u, v)
        left = q
        for at in range(q - 1, -1, -1):
            k = int(W[at])
            low, high = _limits(k, m, rl, ru, dl, du)
            t = _multiplier(y, z, m, k)
            if low < high and ((t < 0.0 and marks[k] < 0.0) or (t > 0.0 and marks[k] > 0.0)):
                _set(y, z, m, k, 0.0)
                marks[k] = 0.0
            elif k < m and abs(t) > nu:
                y[k] = nu if t > 0.0 else -nu
                marks[k] = -2.0 if t > 0.0 else 2.0
            else:
                continue
            drop(T, R, W, n, left, at, v)
            left -= 1
        rounds -= 1
        if left == q and (rounds <= 0 or change <= 1e-11 * _largest(d, n) or not change < 0.5 * before):
            return q
        before = 1e300 if left < q else change
        q = left


@kernel
def _most_violated(n, m, A, rl, ru, dl, du, d, marks, norm1, weight, size, tolerance):
    """The constraint whose violation is largest over its norm, or -1; with ``weight`` 0 it is passed over."""
    p, most = -1, 0.0
    for k in range(m + n):
        mark = marks[k]
        if abs(mark) == 1.0:
            continue
        low, high = _limits(k, m, rl, ru, dl, du)
        if k < m:
            value, w, scale = dot(A, k * n, d, 0, n), weight[k], norm1[k]
        else:
            value, w, scale = d[k - m], 1.0, 1.0
        if mark == 0.0:
            wrong, limit = low - value, low
            if value - high > wrong:
                wrong, limit = value - high, high
        elif mark < 0.0:  # given up, but now satisfied
            wrong, limit = value - low, low
        else:
            wrong, limit = high - value, high
        if wrong > tolerance * (abs(limit) + scale * size) and w * wrong * wrong > most:
            p, most = k, w * wrong * wrong
    return p


@kernel
def _enter(n, m, A, rl, ru, dl, du, nu, T, R, W, q, d, y, z, marks, c, r, s, root, p):
    """Bring the constraint p to its limit, dropping members on the way.

    Returns (members, steps, whether nothing bounds the multipliers, the sign of p's multiplier), where in that case
    those of the working set go along -sign r.
    """
    low, high = _limits(p, m, rl, ru, dl, du)
    value, mark, steps = _value(A, n, m, p, d), marks[p], 0
    at_low = low - value > value - high if mark == 0.0 else mark < 0.0
    gap = low - value if at_low else high - value  # with its sign
    sign = 1.0 if gap > 0.0 else -1.0
    gap = abs(gap)
    room = 1e308  # what is left for the multiplier of an elastic row
    if p < m and nu < 1e300:
        room = 2.0 * nu if mark != 0.0 and low == high else nu
    expand(T, A, n, m, p, c)
    noise = root * (dot(A, p * n, A, p * n, n) ** 0.5 if p < m else 1.0)
    while True:
        steps += 1
        free = independent(c, n, q, noise)
        tail, total = 0.0, 0.0
        if free:
            tail = dot(c, q, c, q, n - q)
            direction(T, n, q, c, s)
        for i in range(q):
            r[i] = c[i]
        solve_upper(R, n, q, r)
        for i in range(q):
            total += abs(r[i]) * dot(R, i * n, R, i * n, i + 1) ** 0.5
        # the end of the way: p at its limit, its multiplier at the end of its range, or one of the working set at its
        t, out, to_zero = (gap / tail if free else 1e308), -1, True
        full = free
        if room <= t:
            t, full = room, False
        for i in range(q):
            k, slope = int(W[i]), -sign * r[i]
            if abs(slope) * dot(R, i * n, R, i * n, i + 1) ** 0.5 <= 1e-14 * total:
                continue
            kl, kh = _limits(k, m, rl, ru, dl, du)
            l = _multiplier(y, z, m, k)
            to, zero = 1e308, True
            if kl < kh and (slope < 0.0) == (marks[k] < 0.0):
                to = max(l / -slope, 0.0)
            elif k < m and nu < 1e300:
                to, zero = max((nu - l if slope > 0.0 else nu + l) / abs(slope), 0.0), False
            if to < t or (to == t and out >= 0 and abs(r[i]) > abs(r[out]) and to < 1e308):
                t, out, to_zero, full = to, i, zero, False
        if t >= 1e308:
            return q, steps, True, sign
        for i in range(q):
            k = int(W[i])
            _set(y, z, m, k, _multiplier(y, z, m, k) - t * sign * r[i])
        _set(y, z, m, p, _multiplier(y, z, m, p) + t * sign)
        if free:
            add_row(t * sign, s, 0, d, n)
        gap -= t * tail
        room -= t
        if full:
            add(T, R, n, q, c, s)
            W[q] = float(p)
            marks[p] = -1.0 if at_low else 1.0
            return q + 1, steps, False, sign
        if out < 0:
            if mark != 0.0 and low < high:
                y[p], marks[p] = 0.0, 0.0
            else:
                y[p], marks[p] = nu * sign, -2.0 * sign
            return q, steps, False, sign
        k = int(W[out])
        if to_zero:
            _set(y, z, m, k, 0.0)
            marks[k] = 0.0
        else:
            up = _multiplier(y, z, m, k) > 0.0
            y[k] = nu if up else -nu
            marks[k] = -2.0 if up else 2.0
        drop(T, R, W, n, q, out, c)
        q -= 1
        if gap <= 0.0:
            gap = 0.0


@kernel
def _certified(n, m, A, rl, ru, dl, du, W, q, p, sign, d, y, z, r, s):
    """Put y = multipliers that prove infeasibility into y, z; False if rounding leaves it open.

    With e = A'y + z, a point that satisfies the constraints has e'd >= gain > 0: there is none whose norm is less than
    gain / |e|.
    """
    for k in range(m):
        y[k] = 0.0
    for j in range(n):
        z[j] = 0.0
    for i in range(q):
        _set(y, z, m, int(W[i]), -sign * r[i])
    _set(y, z, m, p, sign)
    gain = 0.0
    for k in range(m + n):
        l = _multiplier(y, z, m, k)
        if l != 0.0:
            low, high = _limits(k, m, rl, ru, dl, du)
            gain += l * (low if l > 0.0 else high)
    for j in range(n):
        s[j] = z[j]
    for i in range(m):
        if y[i] != 0.0:
            add_row(y[i], A, i * n, s, n)
    e, size = 0.0, 0.0
    for j in range(n):
        e += abs(s[j])
        size = max(size, abs(d[j]))
    return gain > 0.0 and gain > 1e3 * e * size


@kernel
def _is_ray(n, m, B, g, A, rl, ru, dl, du, s, norm1):
    """Whether the objective falls without end along s."""
    size, slope, terms, most, curved = _largest(s, n), 0.0, 0.0, 0.0, 0.0
    for j in range(n):
        slope += g[j] * s[j]
        terms += abs(g[j] * s[j])
        most = max(most, abs(B[j * n + j]))
        curved = max(curved, abs(dot(B, j * n, s, 0, n)))
    if not (size > 0.0 and slope < -1e-9 * terms and curved <= RAY * most * size):
        return False
    for k in range(m + n):
        low, high = _limits(k, m, rl, ru, dl, du)
        t, room = _value(A, n, m, k, s), RAY * size * (norm1[k] if k < m else 1.0)
        if (t < -room and low > -1e300) or (t > room and high < 1e300):
            return False
    return True


@kernel
def _report(n, m, B, g, A, rl, ru, dl, du, nu, zero, d, y, z, norm1, r, info):
    """Set violation, residual and value; returns the violation of what is hard over its terms."""
    dual_residual(n, m, B, g, A, zero, d, d, y, z, r)
    size, worst, violation, value = _largest(d, n), 0.0, 0.0, 0.0
    for k in range(m + n):
        low, high = _limits(k, m, rl, ru, dl, du)
        t = _value(A, n, m, k, d)
        wrong, limit = low - t, low
        if t - high > wrong:
            wrong, limit = t - high, high
        if wrong > 0.0:
            violation = max(violation, wrong)
            if k < m and nu < 1e300:
                value += nu * wrong
            else:
                worst = max(worst, wrong / (abs(limit) + size * (norm1[k] if k < m else 1.0)))
    for j in range(n):
        value += d[j] * (0.5 * dot(B, j * n, d, 0, n) + g[j])
    info[VIOLATION], info[RESIDUAL], info[VALUE] = violation, _largest(r, n), value
    return worst if value == value else 1.0


@kernel
def qp(n, m, B, g, A, rl, ru, dl, du, nu, d, y, z, marks, work, info):
    """Solve the problem above; all arrays are flat, A and B row by row.  Returns a status.

    Sets ``d`` (n) and the multipliers ``y`` (m) and ``z`` (n).  ``SOLVED``; ``INFEASIBLE``: y and z hold the proof (see
    above; 0 if limits of one constraint are crossed); ``UNBOUNDED``: d holds a ray; ``MAXITER``: accuracy or working
    set could not be settled, d is the last point; ``NOT_CONVEX``: B has a negative eigenvalue, or is not finite.
    ``marks`` (m + n: rows first, then variables): the working set to start from, all zeros if there is none, and the
    final one; -1 at the lower, 1 at the upper limit, and for elastic rows -2, 2 beyond it, y being nu, -nu.
    ``nu`` = inf: the rows are hard.  ``info`` (N_INFO), ``work`` (``qp_words(n, m)``) need not be set.
    """
    T, R = segment(work, 0, n * n), segment(work, n * n, n * n)
    norm1, weight = segment(work, 2 * n * n, m), segment(work, 2 * n * n + m, m)
    at = 2 * n * n + 2 * m
    W, c = segment(work, at, n), segment(work, at + n, n)
    r, s = segment(work, at + 2 * n, n), segment(work, at + 3 * n, n)
    shift, centre = segment(work, at + 4 * n, n), segment(work, at + 5 * n, n)
    u, zero = segment(work, at + 6 * n, n), segment(work, at + 7 * n, n)
    for i in range(N_INFO):
        info[i] = 0.0
    crossed = False
    for j in range(n):
        d[j], z[j], shift[j], centre[j], zero[j] = 0.0, 0.0, 0.0, 0.0, 0.0
        crossed = crossed or dl[j] > du[j]
    for i in range(m):
        y[i] = 0.0
        square = dot(A, i * n, A, i * n, n)
        norm1[i] = 0.0
        for j in range(n):
            norm1[i] += abs(A[i * n + j])
        weight[i] = 1.0 / square if square > 0.0 else 1.0
        crossed = crossed or rl[i] > ru[i]
    if crossed:
        return INFEASIBLE
    most, steep = 0.0, _largest(g, n)
    for j in range(n):
        most = max(most, abs(B[j * n + j]))
    proximal = False
    if not factor(B, shift, n, DEFINITE, R, T):
        for j in range(n):
            shift[j] = n * SEMIDEFINITE * most
        flat = True
        for i in range(n * n):
            flat = flat and B[i] == 0.0
        if not flat and not factor(B, shift, n, 0.0, R, T):
            return NOT_CONVEX
        proximal = True
        for j in range(n):
            if flat:
                shift[j] = LINEAR_SHIFT * steep if steep > 0.0 else 1.0
            else:
                shift[j] = SHIFT * max(B[j * n + j], 1e-6 * most)
        if not factor(B, shift, n, 0.0, R, T):
            return NOT_CONVEX
    root = 8.0 * EPS * norm_of(T, n)
    q = _load(n, m, A, rl, ru, dl, du, nu, marks, T, R, W, y, z, c, s, root)
    limit, status, iterations, rounds, before = 50 + 10 * (n + m), _RUNNING, 0, 0, 1e300
    while status == _RUNNING:
        # the problem, or the next proximal point
        q = _settle(n, m, B, g, A, rl, ru, dl, du, nu, shift, centre, T, R, W, q, d, y, z, marks, r, u, c, 1)
        final, reach, end = False, 0.0, iterations + limit
        while True:
            reach = max(reach, _largest(d, n))
            p = _most_violated(n, m, A, rl, ru, dl, du, d, marks, norm1, weight, reach, FEASIBLE)
            if p < 0:
                if final:
                    break
                q = _settle(n, m, B, g, A, rl, ru, dl, du, nu, shift, centre, T, R, W, q, d, y, z, marks, r, u, c, 4)
                final, reach = True, 0.0
                iterations += 1
                continue
            final = False
            q, steps, endless, sign = _enter(
                n, m, A, rl, ru, dl, du, nu, T, R, W, q, d, y, z, marks, c, r, s, root, p
            )  # fmt: skip
            iterations += steps
            if endless:
                if _certified(n, m, A, rl, ru, dl, du, W, q, p, sign, d, y, z, r, s):
                    status = INFEASIBLE
                    break
                weight[min(p, m - 1)] = 0.0 if p < m else weight[min(p, m - 1)]
                status = MAXITER
                break
            if iterations > end:
                status = MAXITER
                break
        if status != _RUNNING:
            break
        if not proximal:
            status = SOLVED
            break
        rounds += 1
        dual_residual(n, m, B, g, A, zero, d, d, y, z, r)
        pull, terms = 0.0, steep
        for j in range(n):
            pull = max(pull, abs(shift[j] * (d[j] - centre[j])))
            terms = max(terms, abs(dot(B, j * n, d, 0, n)))
        if pull <= CONVERGED * terms:
            status = SOLVED
            break
        for j in range(n):
            s[j] = d[j] - centre[j]
            centre[j] = d[j]
        if _is_ray(n, m, B, g, A, rl, ru, dl, du, s, norm1):
            for j in range(n):
                d[j] = s[j]
            status = UNBOUNDED
            break
        if rounds >= PROXIMAL:
            status = MAXITER
            break
        if pull > 0.1 * before:
            for j in range(n):
                shift[j] *= 0.01
            factor(B, shift, n, 0.0, R, T)
            root = 8.0 * EPS * norm_of(T, n)
            q = _load(n, m, A, rl, ru, dl, du, nu, marks, T, R, W, y, z, c, s, root)
        before = pull
    info[ITERATIONS], info[ROUNDS], info[ACTIVE] = float(iterations), float(rounds), float(q)
    if status == SOLVED or status == MAXITER:
        worst = _report(n, m, B, g, A, rl, ru, dl, du, nu, zero, d, y, z, norm1, r, info)
        if status == SOLVED and not worst <= ACCEPTED:
            status = MAXITER
    return status
