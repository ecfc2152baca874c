"""Block coordinate descent and Newton's method on the Gram matrix of a working set, for penalties on groups.

    minimise  1/2 <W, G W> - <C, W> + sum_g na_g |W_g|_2 + l2/2 |W|_2^2,    G = X_W'X_W,  C = X_W'Y            (1)

W has a row for each target and a column for each feature of the working set, of which a group is a run of columns; one
feature a group with many targets is the multi-task lasso, one target with many features a group the group lasso.  The
state is W and Q = C - W G.  A block step is a proximal gradient step with h_g, the largest eigenvalue of G_gg, which is
the exact minimiser for a group of one feature:

    U = (h_g + l2) W_g + Q_g - l2 W_g,    W_g <- max(1 - na_g / |U|, 0) U / (h_g + l2)                         (2)

Where the working set has many more features than there are samples, ``lasso_groups_residual`` takes over.

Where the groups that are not zero stay the same, (1) is smooth on them, and Newton's equations are

    D (G_SS + l2 I) + na_g / |W_g| (D_g - W_g <W_g, D_g> / |W_g|^2) = Q - l2 W - na_g W_g / |W_g|              (3)

With one target they are solved by the Cholesky factor of their matrix.  With more, the last term couples the targets;
the factor of the rest is common to all of them and preconditions conjugate gradients.

The words of a call are in ``lasso_groups_slots``; workspace ``F`` holds, each of one number a target and column, D, DG
and CG's r, z, p and Hp, then one number a group (norms).

References: Yuan & Lin, J. R. Stat. Soc. B 68 (2006), 49-67; Qin, Scheinberg & Goldfarb, "Efficient block-coordinate
descent algorithms for the group Lasso", Math. Program. Comput. 5 (2013), 143-169; Nocedal & Wright, Numerical
Optimization, 2nd ed., algorithm 5.3.
"""

import math

from numba import carray, types

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer
from numopt.kernels.tiles import backward, cholesky_rows, forward
from numopt.kernels.vectors import dot
from numopt.penalties import group
from numopt.solvers import lasso_groups_slots as slots
from numopt.solvers.lasso_groups_residual import solve_on_residual, violation
from numopt.solvers.lasso_steps import add_multiple, shuffle

SETTLED = 3  # passes without a change of the support before Newton's method is thought of
MEMORY = 0.3  # weight of the last pass in the rate of convergence
NEWTONS = 8  # steps in a row, while they decrease (1)
HALVINGS = 12  # of a Newton step, before coordinate descent goes on
DECREASE = 1e-4  # Armijo's constant
ROUNDING = 1e-11  # of the penalty: a decrease below it can't be seen
RIDGE = 1e-10  # of the largest diagonal entry, where the matrix of (3) is singular
CG_STEPS = 100
CG_USUAL = 10  # for an estimate of what Newton's method takes
USUAL = 9.0  # steps of it, each product three times as dear as one of coordinate descent, as measured
FORCING = 1e-3  # relative residual of the conjugate gradients: Newton's steps are then as good as exact


@kernel
def epoch(G, Q, W, starts, na, h, l2, m, groups, order, ordered, U):
    """One pass of (2) over all groups; whether a group became zero or ceased to be."""
    moved = False
    for i in range(groups):
        k = order[i] if ordered else i
        a, b = starts[k], starts[k + 1]
        if h[k] <= 0.0:
            continue
        before, size = 0.0, 0.0
        for t in range(W.shape[0]):
            for j in range(a, b):
                u = h[k] * W[t, j] + Q[t, j]
                before += abs(W[t, j])
                size += u * u
                U[t, j] = u
        share = group.shrinkage(size**0.5, na[k])
        if share == 0.0 and before == 0.0:
            continue
        moved = moved or (before == 0.0) != (share == 0.0)
        for t in range(W.shape[0]):
            for j in range(a, b):
                new = share * U[t, j] / (h[k] + l2)
                if new != W[t, j]:
                    add_multiple(W[t, j] - new, G[j], Q[t], m)
                    W[t, j] = new
    return moved


@kernel
def factor(G, W, l2, na, size, support, owner, k, L):
    """Cholesky factor of the matrix of (3), without its last term if there are many targets; False if it can't be."""
    top = k + (-k) % 4
    largest = 0.0
    for a in range(k):
        largest = max(largest, G[support[a], support[a]])
    shift = 0.0
    for trial in range(3):
        for a in range(k):
            i, g = support[a], owner[a]
            for b in range(a + 1):
                L[a, b] = G[i, support[b]]
                if W.shape[0] == 1 and owner[b] == g:
                    L[a, b] -= na[g] * W[0, i] * W[0, support[b]] / size[g] ** 3
            L[a, a] += l2 + shift + na[g] / size[g]
        for a in range(k, top):
            for b in range(a):
                L[a, b] = 0.0
            L[a, a] = 1.0
        if cholesky_rows(L, top, 1e-14 * largest):
            return True
        shift = RIDGE * largest * 1e3**trial
    return False


@kernel
def product(L, W, na, size, support, owner, k, P, out):
    """out = P times the matrix of (3), as L L' less its last term; the columns of P are those of the support."""
    for t in range(W.shape[0]):
        p, y = P[t], out[t]
        for a in range(k):
            y[a] = 0.0
        for a in range(k):
            add_multiple(p[a], L[a], y, a + 1)  # y = L'p
        for a in range(k - 1, -1, -1):
            y[a] = dot(L[a, : a + 1], y[: a + 1])
    a = 0
    while a < k:
        b, along, g = a, 0.0, owner[a]
        while b < k and owner[b] == g:
            for t in range(W.shape[0]):
                along += W[t, support[b]] * P[t, b]
            b += 1
        along *= na[g] / size[g] ** 3
        for i in range(a, b):
            for t in range(W.shape[0]):
                out[t, i] -= along * W[t, support[i]]
        a = b


@kernel
def solve_newton(L, W, na, size, support, owner, k, D, r, z, p, Hp, tol):
    """Sets D, the solution of (3), whose right side is in r, by preconditioned conjugate gradients."""
    targets = W.shape[0]
    norm, rz = 0.0, 0.0
    for t in range(targets):
        for a in range(k):
            norm += r[t, a] * r[t, a]
            z[t, a] = r[t, a]
        forward(L, z[t], k)
        backward(L, z[t], k)
        for a in range(k):
            D[t, a] = z[t, a] if targets == 1 else 0.0
            p[t, a] = z[t, a]
            rz += r[t, a] * z[t, a]
    if targets == 1:
        return
    goal = max(FORCING * norm**0.5, 0.01 * tol)
    for _ in range(CG_STEPS):
        product(L, W, na, size, support, owner, k, p, Hp)
        curvature = 0.0
        for t in range(targets):
            curvature += dot(p[t, :k], Hp[t, :k])
        if not curvature > 0.0:
            return
        alpha = rz / curvature
        norm, rz_new = 0.0, 0.0
        for t in range(targets):
            for a in range(k):
                D[t, a] += alpha * p[t, a]
                r[t, a] -= alpha * Hp[t, a]
                norm += r[t, a] * r[t, a]
                z[t, a] = r[t, a]
            forward(L, z[t], k)
            backward(L, z[t], k)
            rz_new += dot(r[t, :k], z[t, :k])
        if norm**0.5 <= goal:
            return
        beta = rz_new / rz
        rz = rz_new
        for t in range(targets):
            for a in range(k):
                p[t, a] = z[t, a] + beta * p[t, a]


@kernel
def newton(G, Q, W, starts, na, h, l2, m, groups, tol, L, support, owner, size, D, DG, r, z, p, Hp):
    """One step of (3) with backtracking; whether it decreased (1)."""
    targets, k, scale = W.shape[0], 0, 0.0
    for g in range(groups):
        size[g] = group.norm(W, starts[g], starts[g + 1])
        scale += na[g] * size[g]
        if size[g] > 0.0 and h[g] > 0.0:
            for j in range(starts[g], starts[g + 1]):
                support[k], owner[k] = j, g
                k += 1
    if k == 0 or not factor(G, W, l2, na, size, support, owner, k, L):
        return False
    slope = 0.0
    for t in range(targets):
        for a in range(k):
            j, g = support[a], owner[a]
            r[t, a] = Q[t, j] - l2 * W[t, j] - na[g] * W[t, j] / size[g]
    solve_newton(L, W, na, size, support, owner, k, D, r, z, p, Hp, tol)
    smooth, curvature = 0.0, 0.0
    for t in range(targets):
        for j in range(m):
            DG[t, j] = 0.0
        for a in range(k):
            add_multiple(D[t, a], G[support[a]], DG[t], m)
        for a in range(k):
            j, g = support[a], owner[a]
            smooth -= (Q[t, j] - l2 * W[t, j]) * D[t, a]
            slope += na[g] * W[t, j] / size[g] * D[t, a]
            curvature += D[t, a] * (DG[t, j] + l2 * D[t, a])
    slope += smooth
    if not slope < 0.0:
        return False
    step = 1.0
    for _ in range(HALVINGS):
        change, a = step * smooth + 0.5 * step * step * curvature, 0
        while a < k:
            b, after, g = a, 0.0, owner[a]
            while b < k and owner[b] == g:
                for t in range(targets):
                    new = W[t, support[b]] + step * D[t, b]
                    after += new * new
                b += 1
            change += na[g] * (after**0.5 - size[g])
            a = b
        # near the solution the change is rounding, and the slope says as much
        if change <= DECREASE * step * slope or (step == 1.0 and -slope <= ROUNDING * scale):
            for t in range(targets):
                for a in range(k):
                    W[t, support[a]] += step * D[t, a]
                add_multiple(-step, DG[t], Q[t], m)
            return True
        step *= 0.5
    return False


@kernel
def newton_cost(W, m, groups, starts):
    """What Newton's steps to the end take, in passes of coordinate descent, by their products."""
    targets, k = W.shape[0], 0
    for g in range(groups):
        if group.norm(W, starts[g], starts[g + 1]) > 0.0:
            k += starts[g + 1] - starts[g]
    step = k * k / 6.0 + (2.0 * CG_USUAL * k * targets if targets > 1 else 0.0)
    return USUAL * step / (m * targets)


@kernel
def dearer(rate, worst, tol, cost):
    """Whether coordinate descent at this rate takes more than ``cost`` passes from ``worst`` to ``tol``."""
    return rate >= 1.0 or math.log(tol / worst) < cost * math.log(rate)


@kernel
def solve(G, Q, W, starts, na, h, l2, m, groups, tol, budget, seed, L, I, norms, D, DG, r, z, p, Hp):
    """Minimise (1) until every group is within ``tol`` of optimality; returns the passes it took."""
    support, owner, order = I[:m], I[m : 2 * m], I[2 * m : 2 * m + groups]
    for g in range(groups):
        order[g] = g
    passes, since, rate, before = 0, 0, 0.0, 0.0
    while passes < budget:
        if seed != 0:
            seed = shuffle(order, groups, seed)
        moved = epoch(G, Q, W, starts, na, h, l2, m, groups, order, seed != 0, D)
        passes += 1
        worst = violation(Q, W, starts, na, h, l2, groups)
        if worst <= tol:
            break
        if moved or before == 0.0:
            since, rate = 0, 0.0
        else:
            rate = (1.0 - MEMORY) * rate + MEMORY * min(worst / before, 1.0) if since > 0 else worst / before
            since += 1
        before = worst
        if since < SETTLED or not dearer(rate, worst, tol, newton_cost(W, m, groups, starts)):
            continue
        for _ in range(NEWTONS):
            if passes >= budget:
                break
            passes += 1
            if not newton(G, Q, W, starts, na, h, l2, m, groups, tol, L, support, owner, norms, D, DG, r, z, p, Hp):
                break
            worst = violation(Q, W, starts, na, h, l2, groups)
            if worst <= tol:
                return passes
            if worst > 0.5 * before:
                break
            before = worst
        since, before = 0, 0.0
    return passes


@kernel
def _plane(a, k):
    """The k-th array of one number a target and column in the workspace."""
    targets, m = a[slots.T_TARGETS], a[slots.T_M]
    return carray(void_pointer(a[slots.T_F] + 8 * k * targets * m), (targets, m), types.float64)


def unit(address, _):
    """Solve (1), on X and R where their rows have ``T_N`` numbers, on G and Q where it is zero; returns the passes."""
    a = carray(void_pointer(address), (slots.N_WORDS,), types.intp)
    m, wide, groups, targets = a[slots.T_M], a[slots.T_WIDE], a[slots.T_GROUPS], a[slots.T_TARGETS]
    real, word = types.float64, types.int64
    limits = carray(void_pointer(a[slots.T_LIMITS]), (slots.N_LIMITS,), real)
    n = a[slots.T_N]
    if n > 0:
        return float(
            solve_on_residual(
                carray(void_pointer(a[slots.T_X]), (m, n), real),
                carray(void_pointer(a[slots.T_R]), (targets, n), real),
                carray(void_pointer(a[slots.T_Q]), (targets, m), real),
                carray(void_pointer(a[slots.T_W]), (targets, m), real),
                carray(void_pointer(a[slots.T_STARTS]), (groups + 1,), word),
                carray(void_pointer(a[slots.T_NA]), (groups,), real),
                carray(void_pointer(a[slots.T_H]), (groups,), real),
                limits[slots.L_L2],
                m,
                groups,
                limits[slots.L_TOL],
                a[slots.T_BUDGET],
                a[slots.T_SEED],
                carray(void_pointer(a[slots.T_I]), (groups,), word),
                carray(void_pointer(a[slots.T_F]), (m, targets), real),
            )
        )
    return float(
        solve(
            carray(void_pointer(a[slots.T_G]), (wide, wide), real),
            carray(void_pointer(a[slots.T_Q]), (targets, m), real),
            carray(void_pointer(a[slots.T_W]), (targets, m), real),
            carray(void_pointer(a[slots.T_STARTS]), (groups + 1,), word),
            carray(void_pointer(a[slots.T_NA]), (groups,), real),
            carray(void_pointer(a[slots.T_H]), (groups,), real),
            limits[slots.L_L2],
            m,
            groups,
            limits[slots.L_TOL],
            a[slots.T_BUDGET],
            a[slots.T_SEED],
            carray(void_pointer(a[slots.T_L]), (wide, wide), real),
            carray(void_pointer(a[slots.T_I]), (2 * m + groups,), word),
            carray(void_pointer(a[slots.T_F] + 48 * targets * m), (groups,), real),
            _plane(a, 0),
            _plane(a, 1),
            _plane(a, 2),
            _plane(a, 3),
            _plane(a, 4),
            _plane(a, 5),
        )
    )
