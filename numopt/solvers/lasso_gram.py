"""Coordinate descent and semismooth Newton on the Gram matrix of a working set.

    minimise  1/2 w'Gw - c'w + na |w|_1 + l2/2 |w|_2^2        G = X_W'X_W,  c = X_W'y              (1)

The state is w and q = c - Gw, the correlations of the working set with the residual, so that one coordinate costs one
comparison where it does not move and one row of G where it does:

    w_j <- S(w_j G_jj + q_j, na) / (G_jj + l2)                                                     (2)

Once the signs settle, (1) is a quadratic on the support S, and one Newton step with the factor of G_SS + l2 I solves
it:

    (G_SS + l2 I) d = q_S - l2 w_S - na sign(w_S)                                                  (3)

A coordinate that would change its sign stops at zero; where that does not decrease (1), the exact minimiser along d is
taken, which is found by walking over the kinks of a convex piecewise quadratic.

References: Friedman, Hastie & Tibshirani, "Regularization paths for generalized linear models via coordinate
descent", J. Stat. Softw. 33 (2010), section 2.2; Hintermueller, Ito & Kunisch, SIAM J. Optim. 13 (2002), 865-888, on
active sets as semismooth Newton.
"""

from numba import carray, types

from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.oracle import void_pointer
from numopt.kernels.tiles import cholesky_rows
from numopt.kernels.vectors import dot
from numopt.penalties.l1 import shrink
from numopt.solvers import lasso_active_set
from numopt.solvers import lasso_slots as slots
from numopt.solvers.lasso_steps import add_multiple, line_minimiser, shuffle, violation

EPOCHS = 20  # at most, between two looks at the optimality conditions
REFUSALS = 3  # of Newton's step in a row, before the active set method takes over
NEWTONS = 5  # steps in a row, while coordinates leave the support
CROSSING = 5  # Newton's step is for at most so many-th of the support to cross zero
RIDGE = 1e-8  # of the largest diagonal entry, where G_SS is singular: more columns than rows, or equal columns


@kernel
def epoch(G, q, w, na, l2, m, positive, order, ordered):
    """One pass of (2); returns (largest change of a correlation, whether a sign changed)."""
    big = 0.0
    moved = False
    for i in range(m):
        j = order[i] if ordered else i
        gj = G[j, j]
        if gj <= 0.0:
            continue
        old = w[j]
        new = shrink(old * gj + q[j], na, positive) / (gj + l2)
        if new != old:
            moved = moved or (old > 0.0) != (new > 0.0) or (old < 0.0) != (new < 0.0)
            add_multiple(old - new, G[j], q, m)
            w[j] = new
            big = max(big, abs(new - old) * (gj + l2))
    return big, moved


@reduction
def objective(c, q, w, na, l2, m):
    """(1), by w'Gw = w'(c - q)."""
    s = 0.0
    for j in range(m):
        s += 0.5 * w[j] * (l2 * w[j] - q[j] - c[j]) + na * abs(w[j])
    return s


@kernel
def factor(G, l2, support, k, L):
    """Cholesky factor of G_SS + l2 I; of a little more where that is singular.  False if it can't be."""
    top = k + (-k) % 4
    largest = 0.0
    for a in range(k):
        largest = max(largest, G[support[a], support[a]])
    shift = 0.0
    for trial in range(3):
        for a in range(k):
            i = support[a]
            for b in range(a + 1):
                L[a, b] = G[i, support[b]]
            L[a, a] += l2 + shift
        for a in range(k, top):
            for b in range(a):
                L[a, b] = 0.0
            L[a, a] = 1.0
        if cholesky_rows(L, top, 1e-13 * largest):
            return True
        shift = RIDGE * largest * 1e3**trial
    return False


@kernel
def newton(G, c, q, w, na, l2, m, positive, L, d, qn, wn, support):
    """One step of (3).  Returns how many coordinates left the support, or -1 if there was no decrease."""
    k = 0
    for j in range(m):
        if w[j] != 0.0:
            support[k] = j
            k += 1
    if k == 0 or not factor(G, l2, support, k, L):
        return -1
    for a in range(k):
        j = support[a]
        s = q[j] - l2 * w[j] - (na if w[j] > 0.0 else -na)
        d[a] = (s - dot(L[a, :a], d[:a])) / L[a, a]
    for a in range(k - 1, -1, -1):
        d[a] /= L[a, a]
        add_multiple(-d[a], L[a], d, a)
    left = 0
    for a in range(k):
        left += (w[support[a]] + d[a]) * w[support[a]] <= 0.0
    if left * CROSSING > k + CROSSING:
        return -1  # the signs are far from settled, and coordinate descent settles them for less
    # the full step, with what would change its sign left at zero
    before = objective(c, q, w, na, l2, m)
    slope = 0.0
    curvature = 0.0
    for j in range(m):
        qn[j] = q[j]
        wn[j] = w[j]
    for a in range(k):
        add_multiple(-d[a], G[support[a]], qn, m)
    for a in range(k):
        j = support[a]
        slope -= (q[j] - l2 * w[j]) * d[a]
        curvature += d[a] * (q[j] - qn[j] + l2 * d[a])
    for a in range(k):
        j = support[a]
        wn[j] = w[j] + d[a]
        if wn[j] * w[j] <= 0.0:
            add_multiple(wn[j], G[j], qn, m)
            wn[j] = 0.0
    if left > 0 and not objective(c, qn, wn, na, l2, m) < before:
        # gather w on the support behind d, to walk over its kinks
        for a in range(k):
            L[0, a] = w[support[a]]
        first, at = -1, 1.0
        if positive:
            for a in range(k):
                if d[a] < 0.0 and -w[support[a]] / d[a] <= at:
                    first, at = a, -w[support[a]] / d[a]
        else:
            at, first = line_minimiser(L[0], d, k, slope, curvature, na)
        for j in range(m):
            qn[j] = q[j]
            wn[j] = w[j]
        for a in range(k):
            j = support[a]
            wn[j] = 0.0 if a == first else w[j] + at * d[a]
            add_multiple(w[j] - wn[j], G[j], qn, m)
        if not objective(c, qn, wn, na, l2, m) < before:
            return -1
    for j in range(m):
        w[j] = wn[j]
        q[j] = qn[j]
    return left


@kernel
def solve(G, c, q, w, na, l2, m, positive, tol, budget, kept, L, d, qn, wn, b, work, support, order, seed):
    """Minimise (1) until every coordinate is within ``tol`` of optimality.

    ``kept``: the size of the active set's factor, left by an earlier call with the same ``l2``, or -1.  Returns
    (passes, its size now or -1, seed).
    """
    passes, refused = 0, 0
    while passes < budget and kept < 0:
        big, moved = 0.0, True
        for e in range(EPOCHS):
            if seed != 0:
                seed = shuffle(order, m, seed)
            big, moved = epoch(G, q, w, na, l2, m, positive, order, seed != 0)
            passes += 1
            if big <= 0.1 * tol or (not moved and e > 0) or passes >= budget:
                break
        if passes >= budget or violation(q, w, na, l2, m, positive) <= tol:
            return passes, -1, seed
        for step in range(NEWTONS):
            passes += 1
            left = newton(G, c, q, w, na, l2, m, positive, L, d, qn, wn, support)
            if step == 0:
                refused = refused + 1 if left < 0 else 0
            if left <= 0 or passes >= budget:
                break
        if refused == REFUSALS:
            break
    if passes < budget:
        kept, more = lasso_active_set.solve(
            G, q, w, na, l2, m, positive, tol, kept, L, d, qn, wn, b, work, support
        )  # fmt: skip
        passes += more
    return passes, kept, seed


@kernel
def _reals(a, slot):
    return carray(void_pointer(a[slot]), (a[slots.S_CAP],), types.float64)


@kernel
def _integers(a, slot):
    return carray(void_pointer(a[slot]), (a[slots.S_CAP],), types.int64)


def unit(address, _):
    """Solve (1) as the table says, and set its last two words; returns the passes."""
    a = carray(void_pointer(address), (slots.N_GRAM_WORDS,), types.intp)
    reals = carray(void_pointer(a[slots.S_REALS]), (slots.N_GRAM_REALS,), types.float64)
    wide = a[slots.S_WIDE]
    passes, kept, seed = solve(
        carray(void_pointer(a[slots.S_G]), (wide, wide), types.float64),
        _reals(a, slots.S_C),
        _reals(a, slots.S_Q),
        _reals(a, slots.S_W),
        reals[slots.R_NA],
        reals[slots.R_L2],
        a[slots.S_M],
        a[slots.S_POSITIVE] != 0,
        reals[slots.R_TOL],
        a[slots.S_BUDGET],
        a[slots.S_KEPT],
        carray(void_pointer(a[slots.S_L]), (wide, wide), types.float64),
        _reals(a, slots.S_D),
        _reals(a, slots.S_QN),
        _reals(a, slots.S_WN),
        _reals(a, slots.S_B),
        _reals(a, slots.S_WORK),
        _integers(a, slots.S_SUPPORT),
        _integers(a, slots.S_ORDER),
        a[slots.S_SEED],
    )
    a[slots.S_KEPT], a[slots.S_SEED] = kept, seed
    return float(passes)
