"""Coordinate descent on the Gram matrix of a working set, ended by an active set method.

    minimise  1/2 w'Gw - c'w + na |w|_1 + l2/2 |w|_2^2        G = X_W'X_W,  c = X_W'y              (1)

The state is w and q = c - Gw, the correlations of the working set with the residual, so that one coordinate costs one
comparison where it does not move and one row of G where it does:

    w_j <- S(w_j G_jj + q_j, na) / (G_jj + l2)                                                     (2)

Where the signs have not settled after a few passes, the active set method (``lasso_active_set``) goes on from there.
Along a path it keeps its factor, and follows the few columns that come and go without a pass.

Reference: Friedman, Hastie & Tibshirani, "Regularization paths for generalized linear models via coordinate descent",
J. Stat. Softw. 33 (2010), section 2.2.
"""

from numba import carray, types

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer
from numopt.penalties.l1 import shrink
from numopt.solvers import lasso_active_set
from numopt.solvers import lasso_slots as slots
from numopt.solvers.lasso_steps import add_multiple, shuffle, violation

EPOCHS = 20  # at most: what has not settled by then, the active set method settles for less


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


@kernel
def solve(G, q, w, na, l2, m, positive, tol, budget, kept, L, d, qn, wn, b, work, support, order, seed):
    """Minimise (1) until every coordinate is within ``tol`` of optimality.

    ``kept``: the size of the active set's factor, left by an earlier call with the same ``l2``, or -1.  Returns
    (passes, its size now or -1, seed).
    """
    passes = 0
    if kept < 0:
        for e in range(EPOCHS):
            if seed != 0:
                seed = shuffle(order, m, seed)
            big, moved = epoch(G, q, w, na, l2, m, positive, order, seed != 0)
            passes += 1
            if big <= 0.1 * tol or (not moved and e > 0) or passes >= budget:
                break
        if violation(q, w, na, l2, m, positive) <= tol:
            return passes, -1, seed
    if passes < budget:
        kept, more = lasso_active_set.solve(
            G, q, w, na, l2, m, positive, tol, kept, L, d, qn, wn, b, work, support
        )  # fmt: skip
        passes += more
        if violation(q, w, na, l2, m, positive) > tol:
            kept = -1  # rounding has worn the factor out
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
