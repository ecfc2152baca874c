"""Active set method for the lasso on a Gram matrix, with a Cholesky factor that follows the support.

    minimise  1/2 w'Gw - c'w + na |w|_1 + l2/2 |w|_2^2                                             (1)

On a support S with signs theta, (1) is a quadratic, whose minimiser is w_S + d,

    (G_SS + l2 I) d = b,    b = q_S - l2 w_S - na theta,    q = c - Gw                             (2)

One walks along d over the kinks to the minimiser of (1) on that line.  If it is at a kink, that coordinate leaves S and
its row leaves the factor L; if it is w + d, the columns off S that violate |q_j| <= na most enter.  The objective falls
at every step, so that no support comes back.

A column that depends on those in S (more columns than samples, or equal ones) has no pivot.  Then X_S nu = 0 for

    nu_S = -(G_SS)^-1 G_Sj,  nu_j = 1                                                              (3)

and moving along nu towards the smaller 1-norm keeps the fit and takes one column out of S.  This is what keeps G_SS
regular where coordinate descent alone would creep.

``support`` holds S in the order of the rows of L.

References: Osborne, Presnell & Turlach, IMA J. Numer. Anal. 20 (2000), 389-403; Lee, Battle, Raina & Ng, "Efficient
sparse coding algorithms", NIPS 2006 (sign search); Golub & Van Loan, Matrix Computations, 4th ed., section 6.5.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.vectors import dot
from numopt.solvers.lasso_steps import add_multiple, line_minimiser, violation

DEPENDENT = 1e-10  # of the column's square, below which what is left of it beside S is rounding
NOISE = 1e-9  # of nu, in columns of norm 1: less is the rounding of a zero, on which one would walk for ever
ENTER = 0.5  # of the largest violation: columns beyond it enter together
STEPS = 10  # per column of the working set and 100 more, at most: the supports never repeat, so rounding is at work


@kernel
def append(G, l2, support, k, j, L):
    """Row k of L is for column j; False if it depends on the columns before."""
    row, gj = L[k], G[j]
    left = gj[j] + l2
    for a in range(k):
        row[a] = (gj[support[a]] - dot(row[:a], L[a, :a])) / L[a, a]
        left -= row[a] * row[a]
    support[k] = j
    row[k] = max(left, 0.0) ** 0.5
    return left > DEPENDENT * (gj[j] + l2)


@kernel
def delete(support, k, a, L, cos, sin):
    """Row a leaves L: plane rotations of neighbouring columns make it triangular again.  Returns the new k."""
    for i in range(a, k - 1):
        support[i] = support[i + 1]
        old, new = L[i + 1], L[i]
        for c in range(a):
            new[c] = old[c]
        carry = old[a]
        for c in range(a, i):
            x = old[c + 1]
            new[c] = cos[c] * carry + sin[c] * x
            carry = cos[c] * x - sin[c] * carry
        x = old[i + 1]
        size = (carry * carry + x * x) ** 0.5
        cos[i], sin[i] = carry / size, x / size
        new[i] = size
    return k - 1


@kernel
def backward(L, k, d):
    """d = L'^-1 d."""
    for a in range(k - 1, -1, -1):
        d[a] /= L[a, a]
        add_multiple(-d[a], L[a], d, a)


@kernel
def exchange(G, w, l2, support, k, j, L, d, cos, sin, direction):
    """Column j enters S, moving along (3) and taking another one out as long as it depends on S.  Returns the new k.

    ``direction``: the sign that w_j moves to; 0 for the one in which the 1-norm falls.
    """
    while not append(G, l2, support, k, j, L):
        for a in range(k):
            d[a] = -L[k, a]
        backward(L, k, d)
        d[k] = 1.0
        slope = 0.0
        for a in range(k + 1):
            slope += d[a] if w[support[a]] > 0.0 else -d[a] if w[support[a]] < 0.0 else 0.0
        turn = -1.0 if direction < 0.0 or (direction == 0.0 and slope > 0.0) else 1.0
        t, first, least = 1e300, -1, NOISE * NOISE * G[j, j]
        for a in range(k + 1):
            s = support[a]
            wa, da = w[s], turn * d[a]
            if wa * da < 0.0 and -wa / da < t and da * da * G[s, s] > least:
                t, first = -wa / da, a
        if first < 0:
            first = k if direction != 0.0 else first
            if first < 0:  # nothing falls to zero this way, so the other way
                direction = -turn
                continue
            t = 0.0
        for a in range(k + 1):
            w[support[a]] += t * turn * d[a]
        w[support[first]] = 0.0
        if first == k:
            return k
        k = delete(support, k, first, L, cos, sin)
    return k + 1


@kernel
def build(G, w, l2, m, support, L, d, cos, sin):
    """The factor of the support of w, reduced to independent columns.  Returns their number."""
    k = 0
    for j in range(m):
        if w[j] != 0.0:
            k = exchange(G, w, l2, support, k, j, L, d, cos, sin, 0.0)
    return k


@kernel
def enter(G, q, w, na, l2, m, positive, tol, k, support, L, d, cos, sin):
    """The columns that violate their condition most enter S, or one in exchange for another.

    Returns the new k, and how many entered.
    """
    worst, entered = tol, 0
    for j in range(m):
        if w[j] == 0.0:
            worst = max(worst, (q[j] if positive else abs(q[j])) - na)
    if worst <= tol:
        return k, 0
    for j in range(m):
        if w[j] == 0.0 and (q[j] if positive else abs(q[j])) - na > ENTER * worst:
            if append(G, l2, support, k, j, L):
                k += 1
                entered += 1
            elif entered == 0:  # else the move along nu would not start from the minimiser on S
                k = exchange(G, w, l2, support, k, j, L, d, cos, sin, 1.0 if q[j] > 0.0 else -1.0)
                return k, int(support[k - 1] == j)
    return k, entered


@kernel
def step(w, g, na, l2, positive, k, support, L, d, b, work):
    """One step of (2) to the minimiser of (1) along d.

    ``g``: q, kept up to date on S only.  Returns the row of S that is to leave, or -1.
    """
    for a in range(k):
        j = support[a]
        up = w[j] > 0.0 or (w[j] == 0.0 and g[j] > 0.0)
        b[a] = g[j] - l2 * w[j] - (na if up else -na)
        d[a] = (b[a] - dot(L[a, :a], d[:a])) / L[a, a]
    curvature = 0.0
    for a in range(k):
        curvature += d[a] * d[a]
    backward(L, k, d)
    slope, at, first = 0.0, 1.0, -1
    for a in range(k):
        j = support[a]
        if w[j] == 0.0 and d[a] * g[j] <= 0.0:
            return a  # it entered beside others that explain as much
        work[a] = w[j]
        slope -= (g[j] - l2 * w[j]) * d[a]
        if positive and d[a] < 0.0 and -w[j] / d[a] <= at:
            at, first = -w[j] / d[a], a
    if not positive:
        at, first = line_minimiser(work, d, k, slope, curvature, na)
    for a in range(k):
        j = support[a]
        w[j] += at * d[a]
        g[j] -= at * (b[a] - l2 * d[a])
    if first >= 0:
        w[support[first]] = 0.0
    return first


@kernel
def solve(G, q, w, na, l2, m, positive, tol, kept, L, d, g, old, b, work, support):
    """Minimise (1) until every coordinate is within ``tol`` of optimality, or rounding stops it.

    ``kept``: the size of the factor that an earlier call with the same ``l2`` left, or -1.  Returns (size of the
    factor, steps).
    """
    k, steps = kept, 0
    for j in range(m):
        old[j] = w[j]
    if k < 0:
        k = build(G, w, l2, m, support, L, d, b, work)
    before = 1e300
    while steps < STEPS * m + 100:
        steps += 1
        for j in range(m):
            if w[j] != old[j]:
                add_multiple(old[j] - w[j], G[j], q, m)
                old[j] = w[j]
        now = violation(q, w, na, l2, m, positive)
        if now <= tol:
            break
        k, entered = enter(G, q, w, na, l2, m, positive, tol, k, support, L, d, b, work)
        if entered == 0 and now > 0.5 * before:
            break
        before = now
        for j in range(m):
            g[j] = q[j]
        first = 0
        while first >= 0 and steps < STEPS * m + 100:
            steps += 1
            first = step(w, g, na, l2, positive, k, support, L, d, b, work)
            if first >= 0:
                k = delete(support, k, first, L, b, work)
    return k, steps
