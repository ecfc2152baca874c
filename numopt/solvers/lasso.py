"""Lasso and elastic net by working sets, along a path of penalties.

    minimise  1/2 |y_c - X_c w|^2 + na |w|_1 + l2/2 |w|_2^2                                        (1)

with |v|^2 = sum_i s_i v_i^2 and X_c, y_c centred if there is an intercept.  A small problem over the columns of a
working set W is solved at a time: on its Gram matrix (``lasso_gram``) while that fits, else on the residual
(``lasso_residual``).  Then one pass over X gives all correlations z = X_c'(s r), with which

* a dual point is made and the gap P - D is certified: for the scaled residual t r, with u = z - l2 w,

      D = t y'r - t^2/2 (|r|^2 + l2 |w|^2),     |t| <= na / max_j |u_j|                            (2)

  and for the residual itself, if l2 > 0,

      D = y'r - |r|^2/2 - sum_j max(|z_j| - na, 0)^2 / (2 l2)                                      (3)

* W grows by the columns nearest to entering: those with the smallest (na - |u_j|) / |x_j|, twice as many as violate
  their condition |u_j| <= na; along a path also those of the sequential strong rule, |u_j| >= 2 na - na_before.

It ends when P - D <= tol |y_c|^2: scikit-learn's meaning of ``tol``.

References: Massias, Gramfort & Salmon, "Celer", ICML 2018 (working sets and their scores); Fercoq, Gramfort & Salmon,
"Mind the duality gap", ICML 2015; Tibshirani et al., J. R. Stat. Soc. B 74 (2012), 245-266 (strong rules).
"""

from numba import types

from numopt.kernels.compiling import kernel
from numopt.kernels.design import correlations, moments, pack, subtract
from numopt.kernels.oracle import call2
from numopt.kernels.tiles import add_gram
from numopt.solvers import lasso_residual
from numopt.solvers import lasso_slots as slots
from numopt.solvers.lasso_residual import add_shift, sum_squares
from numopt.solvers.lasso_slots import CONSTANT, O_TOL, O_TOTAL, O_YMEAN, O_YY, PANEL
from numopt.solvers.lasso_steps import add_multiple

FIRST = 100  # columns in the first working set
ROUNDS = 200  # working sets at most; each at least halves the inner tolerance where nothing enters
GRAM_TOL = 1e-12  # below it rounding in a Gram matrix would count: residuals are taken from X
HUGE = 1e290  # sums of squares beyond it would soon be infinite


@kernel
def centre(v, s, total):
    """Take from v = s r what rounding left of the mean of r: beside large means of X it would weigh."""
    excess = 0.0
    for i in range(v.size):
        excess += v[i]
    add_shift(v, -excess / total, s)


@kernel
def residual(X, s, total, centred, mean, w, vy, v):
    """v = s (y_c - X_c w)."""
    for i in range(v.size):
        v[i] = vy[i]
    subtract(X, w, v, s)
    if centred:
        shift = 0.0
        for j in range(w.size):
            shift += w[j] * mean[j]
        add_shift(v, shift, s)
        centre(v, s, total)


@kernel
def duality_gap(R2, z, w, square, na, l2, positive, best):
    """(primal value, best dual value so far) by (2) and (3)."""
    top, l1, ww, wz, excess = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(w.size):
        if square[j] > 0.0:
            u = z[j] - l2 * w[j]
            top = max(top, u if positive else abs(u))
            beyond = (z[j] if positive else abs(z[j])) - na
            if beyond > 0.0:
                excess += beyond * beyond
            l1 += abs(w[j])
            ww += w[j] * w[j]
            wz += w[j] * z[j]
    ry = R2 + wz  # y'r = (r + Xw)'r
    primal = 0.5 * R2 + na * l1 + 0.5 * l2 * ww
    norm = R2 + l2 * ww
    if norm > 0.0:
        t = ry / norm
        if t * top > na:
            t = na / top
        best = max(best, t * ry - 0.5 * t * t * norm)
    else:
        best = max(best, 0.0)
    if l2 > 0.0:
        best = max(best, ry - 0.5 * R2 - excess / (2.0 * l2))
    return primal, best


@kernel
def smallest(score, count, k):
    """The k-th smallest of the first ``count`` scores (reordered), by Hoare's selection."""
    lo, hi = 0, count - 1
    while lo < hi:
        pivot = score[(lo + hi) // 2]
        i, j = lo, hi
        while i <= j:
            while score[i] < pivot:
                i += 1
            while score[j] > pivot:
                j -= 1
            if i <= j:
                t = score[i]
                score[i] = score[j]
                score[j] = t
                i += 1
                j -= 1
        if k - 1 <= j:
            hi = j
        elif k - 1 >= i:
            lo = i
        else:
            break
    return score[k - 1]


@kernel
def violators(z, w, square, inside, na, l2, limit, positive):
    """How many columns outside W have a correlation above ``limit``."""
    count = 0
    for j in range(w.size):
        if not inside[j] and square[j] > 0.0:
            u = z[j] - l2 * w[j]
            count += (u if positive else abs(u)) > limit
    return count


@kernel
def grow(z, w, square, inside, na, l2, positive, k, W, m, score):
    """W grows by the k columns nearest to entering; returns its new size."""
    count = 0
    for j in range(w.size):
        if not inside[j] and square[j] > 0.0:
            u = z[j] - l2 * w[j]
            score[count] = (na - (u if positive else abs(u))) / square[j] ** 0.5
            count += 1
    if count == 0 or k <= 0:
        return m
    k = min(k, count)
    limit = smallest(score, count, k)
    end = m + k
    for j in range(w.size):
        if not inside[j] and square[j] > 0.0 and m < end:
            u = z[j] - l2 * w[j]
            if (na - (u if positive else abs(u))) / square[j] ** 0.5 <= limit:
                W[m] = j
                inside[j] = 1
                m += 1
    return m


@kernel
def in_order(inside, W):
    """W in the order of the columns, in which a pass reads them from memory fastest."""
    m = 0
    for j in range(inside.size):
        if inside[j]:
            W[m] = j
            m += 1


@kernel
def extend_gram(X, W, m0, m, mean, root, n, panel, given, G):
    """Rows and columns m0..m of G = X_W'X_W: taken from ``given``, or formed by a panel of rows of X at a time."""
    if given.size:
        for a in range(m0, m):
            for b in range(a + 1):
                G[a, b] = given[W[a], W[b]]
                G[b, a] = G[a, b]
        return
    top = m + (-m) % 4
    for a in range(m, top):
        for i in range(PANEL):
            panel[a, i] = 0.0
    for a in range(m0, top):
        for b in range(top):
            G[a, b] = 0.0
    for lo in range(0, n, PANEL):
        hi = min(lo + PANEL, n)
        pack(X, W, m, mean, root, lo, hi, panel)
        add_gram(panel, G, m0, m, hi - lo)
    for a in range(m0, m):
        for b in range(a):
            G[b, a] = G[a, b]


@kernel
def from_gram(G, c, w, m, sign, q):
    """q = c - sign G w over the first m; returns w'(c + q), which is y'y - r'r where c = X'y."""
    for j in range(m):
        q[j] = c[j]
    for j in range(m):
        if w[j] != 0.0:
            add_multiple(-sign * w[j], G[j], q, m)
    total = 0.0
    for j in range(m):
        total += w[j] * (c[j] + q[j])
    return total


@kernel
def prepare(X, y, s, centred, w, mean, square, z, vy, v, root, out):
    """Means, norms, correlations; sets out[O_YMEAN], out[O_TOTAL], out[O_YY]."""
    n = y.size
    total, ymean = 0.0, 0.0
    for i in range(n):
        total += s[i] if s.size else 1.0
        ymean += s[i] * y[i] if s.size else y[i]
    ymean = ymean / total if centred else 0.0
    if centred:  # once more from there: the mean of equal numbers is that number
        rest = 0.0
        for i in range(y.size):
            rest += s[i] * (y[i] - ymean) if s.size else y[i] - ymean
        ymean += rest / total
    yy = 0.0
    for i in range(n):
        vy[i] = y[i] - ymean
        if s.size:
            yy += s[i] * vy[i] * vy[i]
            vy[i] *= s[i]
            root[i] = s[i] ** 0.5
        else:
            yy += vy[i] * vy[i]
    if centred:
        centre(vy, s, total)
    moments(X, s, total, vy, centred, mean, square, z)
    start = False
    for j in range(w.size):
        if square[j] < HUGE and square[j] <= CONSTANT * CONSTANT * total * mean[j] * mean[j]:
            square[j] = 0.0
            w[j] = 0.0
        start = start or w[j] != 0.0
    if start:
        residual(X, s, total, centred, mean, w, vy, v)
        correlations(X, v, z)
    else:
        for i in range(n):
            v[i] = vy[i]
    out[O_YMEAN], out[O_TOTAL], out[O_YY] = ymean, total, yy


@kernel
def path(
    X, y, s, centred, positive, nas, l2s, coefs, gaps, passes, out, max_iter, seed, cap, F, I, G, panel,
    given, trusted, gram, table, reals,
):  # fmt: skip
    """Solve (1) for each (na, l2) in turn, each from the solution before; without any, form G of all columns.

    ``gram`` is the address of the solver on a Gram matrix, a unit of its own so that it is compiled once and not for
    each storage of X; ``table`` and ``reals`` are its words.  ``given``: X_c'X_c of all columns, if any; where it is
    ``trusted``, residuals are taken from it but for the last of the path.  ``coefs[0]`` holds the start.  Sets
    ``coefs``, ``gaps`` and ``passes``.  Returns 1 if squares overflow, else 0.
    """
    n, p = y.size, coefs.shape[1]
    mean, square, z, score = F[:p], F[p : 2 * p], F[2 * p : 3 * p], F[3 * p : 4 * p]
    b, d, r, e, w = F[4 * p : 5 * p], F[5 * p : 6 * p], F[6 * p : 7 * p], F[7 * p : 8 * p], F[8 * p : 9 * p]
    at = 9 * p
    vy, v, t, Xd, vn = F[at : at + n], F[at + n :][:n], F[at + 2 * n :][:n], F[at + 3 * n :][:n], F[at + 4 * n :][:n]
    at += 5 * n
    c, q, wW, dW = F[at:][:cap], F[at + cap :][:cap], F[at + 2 * cap :][:cap], F[at + 3 * cap :][:cap]
    at += 4 * cap
    qn, wn, bW, work = F[at:][:cap], F[at + cap :][:cap], F[at + 2 * cap :][:cap], F[at + 3 * cap :][:cap]
    root, empty = (t if s.size else F[:0]), F[:0]
    W, inside, support = I[:p], I[p : 2 * p], I[2 * p : 3 * p]
    order, supportW = I[3 * p :][:cap], I[3 * p + cap :][:cap]
    for j in range(p):
        w[j] = coefs[0, j]
        inside[j] = 0
    for a in range(cap):
        order[a] = a
    table[slots.S_Q], table[slots.S_W] = q.ctypes.data, wW.ctypes.data
    table[slots.S_D], table[slots.S_QN], table[slots.S_WN] = dW.ctypes.data, qn.ctypes.data, wn.ctypes.data
    table[slots.S_B], table[slots.S_WORK] = bW.ctypes.data, work.ctypes.data
    table[slots.S_SUPPORT], table[slots.S_ORDER] = supportW.ctypes.data, order.ctypes.data
    table[slots.S_SEED] = seed
    prepare(X, y, s, centred, w, mean, square, z, vy, v, root, out)
    total, yy = out[O_TOTAL], out[O_YY]
    goal = out[O_TOL] * yy
    usable, m = 0, 0
    for j in range(p):
        usable += square[j] > 0.0
    use_gram = cap > 0
    R2 = sum_squares(v, s)
    if not yy < HUGE:
        return 1.0
    for j in range(p):
        if not square[j] < HUGE:  # NaN too
            return 1.0
    if nas.size == 0:
        for j in range(p):
            W[j] = j
        extend_gram(X, W, 0, p, mean, root, n, panel, given, G)
        return 0.0
    if given.size and trusted:
        from_gram(given, z, w, p, -1.0, b)  # X'y
    na_before, kept = -1.0, -1
    steepest = 0.0
    for j in range(p):
        steepest = max(steepest, abs(z[j]) if square[j] > 0.0 else 0.0)
    for step in range(nas.size):
        na, l2 = nas[step], l2s[step]
        dual, gap, tightness = -1e300, 1e300, 1.0
        if step > 0 and l2 != l2s[step - 1]:
            kept = -1
        done = 0
        for rounds in range(ROUNDS):
            primal, dual = duality_gap(R2, z, w, square, na, l2, positive, dual)
            before = gap
            gap = primal - dual
            if gap <= goal or done >= max_iter:
                break
            # --- the working set grows
            nonzero, missing = 0, 0
            for j in range(p):
                if w[j] != 0.0:
                    nonzero += 1
                    missing += inside[j] == 0
            count = violators(z, w, square, inside, na, l2, na * (1.0 + 1e-10), positive)
            k = min(2 * count, max(FIRST, nonzero))
            if rounds == 0:
                k = min(violators(z, w, square, inside, na, l2, 2.0 * na - na_before, positive), max(FIRST, nonzero)) \
                    if na_before >= na else max(k, 10)  # fmt: skip
            if missing:
                for j in range(p):
                    if w[j] != 0.0 and inside[j] == 0:
                        W[m] = j
                        inside[j] = 1
                        m += 1
            m0 = m - missing
            m = grow(z, w, square, inside, na, l2, positive, k, W, m, score)
            if count == 0 and gap > 0.5 * before:
                tightness *= 0.1
                if tightness < 1e-8:
                    break
            aim = max(0.1 * gap, 0.3 * goal)
            tol = tightness * max(na * aim / max(primal, 1e-300), (2.0 * l2 * aim / max(p, 1)) ** 0.5)
            tol = max(tol, 1e-15 * steepest)
            if use_gram and m > cap:
                use_gram = False
            whole = use_gram and out[O_TOL] >= GRAM_TOL and step + 1 < nas.size and (trusted or not given.size)
            if use_gram:
                if m > m0:
                    if s.size:
                        for i in range(n):
                            root[i] = s[i] ** 0.5
                    extend_gram(X, W, m0, m, mean, root, n, panel, given, G)
                for a in range(m):
                    wW[a] = w[W[a]]
                    q[a] = z[W[a]]
                if whole and m == usable and not given.size:
                    from_gram(G, q, wW, m, -1.0, c)
                table[slots.S_M], table[slots.S_BUDGET], table[slots.S_KEPT] = m, max_iter - done, kept
                reals[slots.R_NA], reals[slots.R_L2], reals[slots.R_TOL] = na, l2, tol
                more = int(call2(gram, types.intp(table.ctypes.data), 0))
                kept = table[slots.S_KEPT]
                for a in range(m):
                    w[W[a]] = wW[a]
            else:
                in_order(inside, W)
                more, seed = lasso_residual.solve(
                    X, s, total, mean, square, v, w, na, l2, W, m, positive, tol, max_iter - done, support, b, d, r, e,
                    t, Xd, vn, empty, seed,
                )  # fmt: skip
            done += more
            # --- residual and correlations; from the Gram matrix if it holds every column
            if whole and given.size:
                R2 = max(yy - from_gram(given, b, w, p, 1.0, z), 0.0)
            elif whole and m == usable:
                R2 = max(yy - from_gram(G, c, wW, m, 1.0, q), 0.0)
                for a in range(m):
                    z[W[a]] = q[a]
            else:
                residual(X, s, total, centred, mean, w, vy, v)
                correlations(X, v, z)
                R2 = sum_squares(v, s)
        for j in range(p):
            coefs[step, j] = w[j]
        gaps[step] = gap
        passes[step] = done
        na_before = na
    return 0.0
