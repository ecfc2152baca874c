"""Coordinate descent and semismooth Newton on the residual, for sparse and for very many columns.

    minimise  1/2 |r|^2 + na |w|_1 + l2/2 |w|_2^2,      r = y_c - X_c w                            (1)

The state is w and v = s * r (``s``: sample weights).  A coordinate step reads one column twice,

    w_j <- S(w_j |x_j|^2 + x_j'v, na) / (|x_j|^2 + l2)                                             (2)

and never touches the mean: the shift of r that centring asks for is kept as a number until the end of the pass.  On
the support S, Newton's equations (X_S'X_S + l2 I) d = X_S'v - l2 w_S - na sign(w_S) are solved by conjugate gradients
preconditioned by the diagonal; X_S d comes with them, and gives the exact line minimisation for nothing.

References: as in ``lasso_gram``; for the conjugate gradients, Nocedal & Wright, Numerical Optimization, 2nd ed.,
(5.39).
"""

from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.design import add_column, column_dot
from numopt.penalties.l1 import distance, shrink
from numopt.solvers.lasso_steps import line_minimiser, shuffle

EPOCHS = 10
NEWTONS = 5  # steps in a row, while coordinates leave the support
FORCING = 0.1  # relative residual of the conjugate gradients: supports still change, and exact steps would be wasted
CG_STEPS = 200


@reduction
def sum_squares(v, s):
    """r'(s r) of v = s r."""
    total = 0.0
    if s.size:
        for i in range(v.size):
            if s[i] > 0.0:
                total += v[i] * v[i] / s[i]
    else:
        for i in range(v.size):
            total += v[i] * v[i]
    return total


@kernel
def add_shift(v, shift, s):
    """v += shift s."""
    if s.size:
        for i in range(v.size):
            v[i] += shift * s[i]
    else:
        for i in range(v.size):
            v[i] += shift


@reduction
def weighted_square(t, s):
    """t'(s t)."""
    total = 0.0
    if s.size:
        for i in range(t.size):
            total += s[i] * t[i] * t[i]
    else:
        for i in range(t.size):
            total += t[i] * t[i]
    return total


@kernel
def penalty(w, na, l2):
    """na |w|_1 + l2/2 |w|_2^2."""
    s = 0.0
    for j in range(w.size):
        s += na * abs(w[j]) + 0.5 * l2 * w[j] * w[j]
    return s


@kernel
def epoch(X, s, total, mean, square, v, w, na, l2, W, m, positive):
    """One pass of (2) over the columns W; returns (largest distance from optimality met, whether a sign changed)."""
    worst, shift = 0.0, 0.0
    moved = False
    for i in range(m):
        j = W[i]
        if square[j] <= 0.0:
            continue
        old = w[j]
        g = column_dot(X, j, v) + shift * total * mean[j]
        worst = max(worst, distance(g - l2 * old, old, na, positive))
        new = shrink(old * square[j] + g, na, positive) / (square[j] + l2)
        if new != old:
            moved = moved or (old > 0.0) != (new > 0.0) or (old < 0.0) != (new < 0.0)
            add_column(X, j, old - new, v, s)
            shift += (new - old) * mean[j]
            w[j] = new
    add_shift(v, shift, s)
    return worst, moved


@kernel
def product(X, mean, p, support, k, t, empty):
    """t = X_c p on the support."""
    for i in range(t.size):
        t[i] = 0.0
    shift = 0.0
    for a in range(k):
        add_column(X, support[a], p[a], t, empty)
        shift += p[a] * mean[support[a]]
    add_shift(t, -shift, empty)


@kernel
def direction(X, s, mean, square, l2, support, k, b, d, r, p, t, Xd, tol, empty):
    """Conjugate gradients for (X_S'X_S + l2 I) d = b; sets d and Xd = X_c d.  Returns passes over the columns."""
    norm, rz = 0.0, 0.0
    for a in range(k):
        d[a] = 0.0
        r[a] = b[a]
        p[a] = b[a] / (square[support[a]] + l2)
        rz += r[a] * p[a]
        norm = max(norm, abs(b[a]))
    for i in range(Xd.size):
        Xd[i] = 0.0
    goal = max(FORCING * norm, tol)
    for step in range(CG_STEPS):
        product(X, mean, p, support, k, t, empty)
        pHp = weighted_square(t, s)
        for a in range(k):
            pHp += l2 * p[a] * p[a]
        if not pHp > 0.0:
            return step
        alpha = rz / pHp
        for i in range(t.size):
            Xd[i] += alpha * t[i]
            if s.size:
                t[i] *= s[i]
        norm, rz_new = 0.0, 0.0
        for a in range(k):
            d[a] += alpha * p[a]
            r[a] -= alpha * (column_dot(X, support[a], t) + l2 * p[a])
            norm = max(norm, abs(r[a]))
            rz_new += r[a] * r[a] / (square[support[a]] + l2)
        if norm <= goal:
            return step + 1
        beta = rz_new / rz
        rz = rz_new
        for a in range(k):
            p[a] = r[a] / (square[support[a]] + l2) + beta * p[a]
    return CG_STEPS


@kernel
def newton(X, s, mean, square, v, w, na, l2, W, m, positive, tol, support, b, d, r, p, t, Xd, vn, empty):
    """One Newton step on the support.  Returns (coordinates that left it or -1 without a decrease, passes)."""
    k = 0
    for i in range(m):
        j = W[i]
        if w[j] != 0.0 and square[j] > 0.0:
            support[k] = j
            b[k] = column_dot(X, j, v) - l2 * w[j] - (na if w[j] > 0.0 else -na)
            k += 1
    if k == 0:
        return -1, 0
    passes = direction(X, s, mean, square, l2, support, k, b, d, r, p, t, Xd, 0.1 * tol, empty)
    before = 0.5 * sum_squares(v, s)
    slope, curvature, after = 0.0, weighted_square(Xd, s), 0.0
    left, shift = 0, 0.0
    for i in range(v.size):
        vn[i] = v[i] - (s[i] * Xd[i] if s.size else Xd[i])
    for a in range(k):
        j = support[a]
        slope -= (b[a] + (na if w[j] > 0.0 else -na)) * d[a]
        curvature += l2 * d[a] * d[a]
        before += na * abs(w[j]) + 0.5 * l2 * w[j] * w[j]
        new = w[j] + d[a]
        if new * w[j] <= 0.0:
            add_column(X, j, new, vn, s)
            shift -= new * mean[j]
            left += 1
        else:
            after += na * abs(new) + 0.5 * l2 * new * new
    add_shift(vn, shift, s)
    after += 0.5 * sum_squares(vn, s)
    if left == 0 or after < before:
        for a in range(k):
            j = support[a]
            w[j] = w[j] + d[a] if (w[j] + d[a]) * w[j] > 0.0 else 0.0
        for i in range(v.size):
            v[i] = vn[i]
        return left, passes
    for a in range(k):
        p[a] = w[support[a]]
    first, at = -1, 1.0
    if positive:
        for a in range(k):
            if d[a] < 0.0 and -p[a] / d[a] <= at:
                first, at = a, -p[a] / d[a]
    else:
        at, first = line_minimiser(p, d, k, slope, curvature, na)
    for a in range(k):
        w[support[a]] = 0.0 if a == first else p[a] + at * d[a]
    for i in range(v.size):
        v[i] -= at * (s[i] * Xd[i] if s.size else Xd[i])
    return left, passes


@kernel
def solve(
    X, s, total, mean, square, v, w, na, l2, W, m, positive, tol, budget, support, b, d, r, p, t, Xd, vn, empty, seed
):
    """Minimise (1) over the columns W until no coordinate is farther than ``tol`` from optimality.

    Returns (passes over the columns, seed).
    """
    passes = 0
    while passes < budget:
        worst, moved = 0.0, True
        for e in range(EPOCHS):
            if seed != 0:
                seed = shuffle(W, m, seed)
            worst, moved = epoch(X, s, total, mean, square, v, w, na, l2, W, m, positive)
            passes += 1
            if worst <= tol or (not moved and e > 0) or passes >= budget:
                break
        if worst <= tol:
            break
        for _ in range(NEWTONS):
            if passes >= budget:
                break
            left, more = newton(
                X, s, mean, square, v, w, na, l2, W, m, positive, tol, support, b, d, r, p, t, Xd, vn, empty
            )
            passes += more + 1
            if left <= 0:
                break
    return passes, seed
