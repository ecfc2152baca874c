"""Block coordinate descent on the residual, for penalties on groups.

Where the working set has many more features than there are samples, a row of its Gram matrix is longer than a column of
X: then X, a row a feature, and R = Y - X W, a row a target, are kept in place of G and Q of ``lasso_groups``, of whose
step (2) Q_g = X_g'R is formed where it is needed.
"""

from numopt.kernels.compiling import kernel, reduction
from numopt.kernels.vectors import dot
from numopt.penalties import group
from numopt.solvers.lasso_steps import add_multiple, shuffle


@kernel
def violation(Q, W, starts, na, h, l2, groups):
    """The largest distance of a group from optimality."""
    worst = 0.0
    for k in range(groups):
        if h[k] > 0.0:
            worst = max(worst, group.distance(Q, W, starts[k], starts[k + 1], na[k], l2))
    return worst


@reduction
def dots4(x, R, t):
    """The inner products of x with rows t..t+3 of R."""
    n = x.size
    a, b, c, d = R[t, :n], R[t + 1, :n], R[t + 2, :n], R[t + 3, :n]
    s0 = s1 = s2 = s3 = 0.0
    for i in range(n):
        s0 += x[i] * a[i]
        s1 += x[i] * b[i]
        s2 += x[i] * c[i]
        s3 += x[i] * d[i]
    return s0, s1, s2, s3


@reduction
def add_multiples4(p, q, r, s, x, R, t):
    """Rows t..t+3 of R += p x, q x, r x and s x."""
    n = x.size
    a, b, c, d = R[t, :n], R[t + 1, :n], R[t + 2, :n], R[t + 3, :n]
    for i in range(n):
        a[i] += p * x[i]
        b[i] += q * x[i]
        c[i] += r * x[i]
        d[i] += s * x[i]


@kernel
def correlations(x, R, targets, out):
    """out_t = x'R_t, four targets at a time: x is read for all of them."""
    t = 0
    while t + 4 <= targets:
        out[t], out[t + 1], out[t + 2], out[t + 3] = dots4(x, R, t)
        t += 4
    while t < targets:
        out[t] = dot(x, R[t])
        t += 1


@kernel
def add_outer(d, x, R, targets):
    """R_t += d_t x."""
    t = 0
    while t + 4 <= targets:
        add_multiples4(d[t], d[t + 1], d[t + 2], d[t + 3], x, R, t)
        t += 4
    while t < targets:
        add_multiple(d[t], x, R[t], x.size)
        t += 1


@kernel
def epoch_on_residual(X, R, W, starts, na, h, l2, groups, order, ordered, U):
    """The same pass with R in place of Q; returns the length of its longest step, times h_g + l2."""
    longest = 0.0
    for i in range(groups):
        k = order[i] if ordered else i
        a, b = starts[k], starts[k + 1]
        if h[k] <= 0.0:
            continue
        before, size, length = 0.0, 0.0, 0.0
        for j in range(a, b):
            correlations(X[j], R, W.shape[0], U[j])
            for t in range(W.shape[0]):
                u = h[k] * W[t, j] + U[j, t]
                before += abs(W[t, j])
                size += u * u
                U[j, t] = u
        share = group.shrinkage(size**0.5, na[k])
        if share == 0.0 and before == 0.0:
            continue
        for j in range(a, b):
            for t in range(W.shape[0]):
                new = share * U[j, t] / (h[k] + l2)
                U[j, t] = W[t, j] - new
                length += U[j, t] * U[j, t]
                W[t, j] = new
            add_outer(U[j], X[j], R, W.shape[0])
        longest = max(longest, (h[k] + l2) * length**0.5)
    return longest


@kernel
def solve_on_residual(X, R, Q, W, starts, na, h, l2, m, groups, tol, budget, seed, order, U):
    """The same by coordinate descent alone, with R in place of Q, which is set at the end."""
    for g in range(groups):
        order[g] = g
    passes = 0
    while passes < budget:
        if seed != 0:
            seed = shuffle(order, groups, seed)
        longest = epoch_on_residual(X, R, W, starts, na, h, l2, groups, order, seed != 0, U)
        passes += 1
        if longest <= tol:  # no proof, but before it the proof is not worth its time
            for j in range(m):
                correlations(X[j], R, W.shape[0], U[j])
                for t in range(W.shape[0]):
                    Q[t, j] = U[j, t]
            if violation(Q, W, starts, na, h, l2, groups) <= tol or longest == 0.0:
                break
    return passes
