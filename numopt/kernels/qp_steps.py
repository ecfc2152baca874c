"""Steps of the dual active-set method for quadratic programs; what they belong to is described in ``qp``.

All constraints stand in one row, those of A first, then the variables: their limits ``low`` and ``high``, multipliers
``lam``, ``marks``, and ``size``: with u_j the norm of row j of J, which any vector of norm 1 in the metric of K changes
d_j by at most, that of a variable is u_j and that of a row (sum_j a_j^2 u_j^2)^1/2, about |J'a|.  So a violation over
its size is a distance, and scales of rows and variables do not matter.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.dense import EPS
from numopt.kernels.qp_factors import (
    absolute_dot,
    add,
    add_row,
    add_squares,
    correct,
    direction,
    dot,
    drop,
    expand,
    independent,
    norm_of_products,
    solve_upper,
    value_of,
)
from numopt.kernels.views import segment  # fmt: skip

INFINITE = 1e300  # limits from here on are none
UNRESOLVED = 3.0  # mark of a constraint that rounding errors keep from its limit
NOISE = 256.0 * EPS  # error of J'a over the size of a
_ENDLESS = 1e308


@kernel
def largest(a, n):
    """max |a_i|."""
    most = 0.0
    for i in range(n):
        most = max(most, abs(a[i]))
    return most


@kernel
def length(d, size, n, m):
    """max |d_j| / u_j."""
    most = 0.0
    for j in range(n):
        most = max(most, abs(d[j]) / size[m + j])
    return most


@kernel
def load(n, m, A, low, high, nu, marks, size, T, R, W, lam, c, s):
    """Factorise the working set that ``marks`` names, equalities first, without dependent members; returns its size.

    Sets the sizes of the constraints, and the multipliers: +-nu for elastic rows given up, else 0.
    """
    u = segment(size, m, n)
    for j in range(n):
        u[j] = 0.0
    for i in range(n):
        add_squares(T, i * n, u, n)
    for j in range(n):
        u[j] = u[j] ** 0.5
    for i in range(m):
        size[i] = norm_of_products(A, i * n, u, n)
        if not size[i] > 0.0:
            size[i] = 1.0
    q = 0
    for equal in range(2):
        for k in range(m + n):
            mark, limit = marks[k], low[k]
            if (limit == high[k]) != (equal == 0):
                continue
            if abs(mark) > 2.0:
                mark = 0.0
            if equal == 0 and mark == 0.0:
                mark = -1.0
            if mark > 0.0:
                limit = high[k]
            lam[k], marks[k] = 0.0, 0.0
            if mark == 0.0 or not abs(limit) < INFINITE:
                continue
            if abs(mark) > 1.5 and k < m and nu < INFINITE:
                lam[k], marks[k] = (nu, -2.0) if mark < 0.0 else (-nu, 2.0)
                continue
            if q == n:
                continue
            expand(T, A, n, m, k, c)
            if independent(c, n, q, NOISE * size[k]):
                direction(T, n, q, c, s)
                add(T, R, n, q, c, s)
                marks[k] = -1.0 if mark < 0.0 else 1.0
                W[q] = float(k)
                q += 1
    return q


@kernel
def settle(n, m, B, g, A, low, high, nu, shift, centre, T, R, W, q, d, lam, marks, r, u, v, rounds):
    """The minimiser on the working set, refined up to ``rounds`` times; members with a wrong multiplier leave."""
    before = INFINITE
    while True:
        change = correct(n, m, B, g, A, low, high, shift, centre, T, R, W, q, d, lam, marks, r, u, v)
        left = q
        for at in range(q - 1, -1, -1):
            k = int(W[at])
            t = lam[k]
            if low[k] < high[k] and t * marks[k] > 0.0:
                lam[k], marks[k] = 0.0, 0.0
            elif k < m and abs(t) > nu:
                lam[k], marks[k] = (nu, -2.0) if t > 0.0 else (-nu, 2.0)
            else:
                continue
            drop(T, R, W, n, left, at, v)
            left -= 1
        rounds -= 1
        if left == q and (rounds <= 0 or change <= 1e-11 * largest(d, n) or not change < 0.5 * before):
            return q
        before = INFINITE if left < q else change
        q = left


@kernel
def terms_of(A, n, m, k, d):
    """|a_k|'|d|: what a_k'd is made of."""
    return absolute_dot(A, k * n, d, n) if k < m else abs(d[k - m])


@kernel
def most_violated(n, m, A, low, high, d, marks, size, tolerance, noise):
    """The constraint whose violation is largest over its size, or -1.

    Violations up to ``tolerance`` of the terms that they are made of are none, nor are those up to ``noise``, an error
    of d, can cause.
    """
    p, most = -1, 0.0
    for k in range(m + n):
        mark = marks[k]
        if abs(mark) == 1.0 or mark == UNRESOLVED:
            continue
        value = value_of(A, n, m, k, d)
        limit = low[k]
        wrong = limit - value
        if mark != 0.0:  # given up: wrong if it is satisfied
            if mark > 0.0:
                limit = high[k]
            wrong = value - limit if mark < 0.0 else limit - value
        elif value - high[k] > wrong:
            limit = high[k]
            wrong = value - limit
        if wrong > max(most, noise) * size[k]:
            if wrong > tolerance * (abs(limit) + terms_of(A, n, m, k, d)):
                p, most = k, wrong / size[k]
    return p


@kernel
def enter(n, m, A, low, high, nu, size, T, R, W, q, d, lam, marks, c, r, s, p):
    """Bring the constraint p to its limit, dropping members on the way.

    Returns (members, steps, direction of p's multiplier), the latter 0 if that is done.  Else nothing bounds the
    multipliers, of which those of the working set go along -direction r.
    """
    value, mark, steps = value_of(A, n, m, p, d), marks[p], 0
    at_low = low[p] - value > value - high[p] if mark == 0.0 else mark < 0.0
    gap = (low[p] if at_low else high[p]) - value
    sign = 1.0 if gap > 0.0 else -1.0
    gap = abs(gap)
    room = _ENDLESS  # what is left for the multiplier of an elastic row
    if p < m and nu < INFINITE:
        room = 2.0 * nu if mark != 0.0 and low[p] == high[p] else nu
    expand(T, A, n, m, p, c)
    while True:
        steps += 1
        free, tail, noisy = independent(c, n, q, NOISE * size[p]), 0.0, 0.0
        if free:
            tail = dot(c, q, c, q, n - q)
            direction(T, n, q, c, s)
        for i in range(q):
            r[i] = c[i]
        solve_upper(R, n, q, r)
        for i in range(q):
            noisy = max(noisy, abs(r[i]) * size[int(W[i])])
        # the end of the way: p at its limit, its multiplier at the end of its range, or one of the working set at its
        t, out, to_zero, full = (gap / tail if free else _ENDLESS), -1, True, free
        if room <= t:
            t, full = room, False
        for i in range(q):
            k, slope = int(W[i]), -sign * r[i]
            if abs(slope) * size[k] <= 1e-13 * noisy:
                continue
            to, zero = _ENDLESS, True
            if low[k] < high[k] and slope * marks[k] > 0.0:
                to = max(abs(lam[k]), 0.0) / abs(slope)
            elif k < m and nu < INFINITE:
                to, zero = max((nu - lam[k] if slope > 0.0 else nu + lam[k]), 0.0) / abs(slope), False
            if to < t or (to == t and out >= 0 and abs(r[i]) > abs(r[out])):
                t, out, to_zero, full = to, i, zero, False
        if t >= _ENDLESS:
            return q, steps, sign
        for i in range(q):
            lam[int(W[i])] -= t * sign * r[i]
        lam[p] += t * sign
        if free:
            add_row(t * sign, s, 0, d, 0, n)
            gap = max(gap - t * tail, 0.0)
        room -= t
        if full:
            add(T, R, n, q, c, s)
            W[q] = float(p)
            marks[p] = -1.0 if at_low else 1.0
            return q + 1, steps, 0.0
        if out < 0:
            if mark != 0.0 and low[p] < high[p]:
                lam[p], marks[p] = 0.0, 0.0
            else:
                lam[p], marks[p] = nu * sign, -2.0 * sign
            return q, steps, 0.0
        k = int(W[out])
        if to_zero:
            lam[k], marks[k] = 0.0, 0.0
        else:
            lam[k], marks[k] = (nu, -2.0) if lam[k] > 0.0 else (-nu, 2.0)
        drop(T, R, W, n, q, out, c)
        q -= 1


@kernel
def proves_infeasible(n, m, A, low, high, size, W, q, p, sign, d, lam, r, s):
    """Put multipliers that prove infeasibility into ``lam``; False, and lam as it was, if rounding leaves it open.

    They are ``sign`` for p and -sign r for the working set.  With e = A'y + z, a point that satisfies the constraints
    has e'd >= gain > 0: there is none for which |e|'|d| is less.
    """
    for j in range(n):
        s[j] = 0.0
    gain, e = 0.0, 0.0
    for i in range(q + 1):
        k, t = (int(W[i]), -sign * r[i]) if i < q else (p, sign)
        limit = low[k] if t > 0.0 else high[k]
        if not abs(limit) < INFINITE:  # a multiplier of rounding errors
            r[i] = 0.0
            continue
        gain += t * limit
        if k < m:
            add_row(t, A, k * n, s, 0, n)
        else:
            s[k - m] += t
    for j in range(n):
        e += abs(s[j]) * size[m + j]
    if not gain > 1e3 * e * length(d, size, n, m):
        return False
    for k in range(m + n):
        lam[k] = 0.0
    for i in range(q):
        lam[int(W[i])] = -sign * r[i]
    lam[p] = sign
    return True
