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

Workspace (``qp_words(n, m)`` doubles): T and R (n, n) (see ``qp_factors``); limits, multipliers and sizes
of all constraints (4, m + n); working set W, D, d_k and scratch (7, n).

References: Goldfarb & Idnani, Math. Programming 27 (1983) 1-33; Powell, ZQPCVX, DAMTP/1983/NA17; Rockafellar, SIAM J.
Control Optim. 14 (1976) 877-898; Arnstrom, Bemporad & Axehill, IEEE Trans. Autom. Control 67 (2022) 4362-4369.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.dense import EPS
from numopt.kernels.qp_factors import absolute_dot, add_row, dot, factor, norm_of_products, value_of
from numopt.kernels.qp_slots import (
    ACTIVE,
    ERROR,
    GAP,
    INFEASIBLE,
    ITERATIONS,
    MAXITER,
    N_INFO,
    NOT_CONVEX,
    RESIDUAL,
    ROUNDS,
    SOLVED,
    UNBOUNDED,
    VALUE,
    VIOLATION,
    n_words,
)  # fmt: skip
from numopt.kernels.qp_steps import (
    INFINITE,
    UNRESOLVED,
    enter,
    largest,
    length,
    load,
    most_violated,
    proves_infeasible,
    settle,
    terms_of,
)  # fmt: skip
from numopt.kernels.views import segment

_RUNNING = -1

FEASIBLE = 1e-12  # violation that is rounding, of a row's limit and of its terms
VANISHED = 1e-12  # of the largest d on the way, what d is at least counted as in its terms
LOOSEST = 100.0  # times FEASIBLE, where it takes very many steps
ROUNDING = 1e-5  # of d, what its elements are at least counted as, since they have d's rounding error
ACCEPTED = 1e-9  # the same for what could not be resolved any better
DEFINITE = 1e-11  # least pivot of B over its diagonal entry; below that B counts as semidefinite
SEMIDEFINITE = 1e-13  # times n: what is added to the diagonal of a semidefinite B so that rounding does not matter
SHIFT = 1e-7  # D over the diagonal of B
LINEAR_SHIFT = 1e-3  # D over the largest component of g where B = 0
CONVERGED = 1e-13  # D (d - d_k) over the terms of B d + g
RAY = 1e-11  # of a ray: B s and steps out of the limits, over their terms
PROXIMAL = 60  # proximal points at most


qp_words = kernel(n_words)


@kernel
def _is_ray(n, m, B, g, A, low, high, nu, s, size):
    """Whether the objective falls without end along s."""
    whole, slope, terms, most, curved = largest(s, n), 0.0, 0.0, 0.0, 0.0
    for j in range(n):
        slope += g[j] * s[j]
        terms += abs(g[j] * s[j])
        most = max(most, abs(B[j * n + j]))
        curved = max(curved, abs(dot(B, j * n, s, 0, n)))
    if not (whole > 0.0 and curved <= RAY * most * whole):
        return False
    whole = RAY * length(s, size, n, m)
    for k in range(m + n):
        t, room = value_of(A, n, m, k, s), whole * size[k]
        if (t < -room and low[k] > -INFINITE) or (t > room and high[k] < INFINITE):
            if k >= m or nu >= INFINITE:
                return False
            slope += nu * abs(t)
            terms += nu * abs(t)
    return slope < -1e-9 * terms


@kernel
def _report(n, m, B, g, A, low, high, nu, d, lam, size, r, info, top, least):
    """Set what ``info`` says of d; returns the violation of what is hard over its terms.

    ``top``: the largest d on the way; ``least``: what the terms of the gradient count at least.
    """
    tiny = max(VANISHED * top, ROUNDING * length(d, size, n, m))
    worst, violation, given_up, share, gap = 0.0, 0.0, 0.0, VANISHED * top * top, 0.0
    curved, linear, terms = 0.0, 0.0, least
    for j in range(n):
        t = dot(B, j * n, d, 0, n)
        r[j] = lam[m + j] - g[j] - t
        curved, linear = curved + d[j] * t, linear + d[j] * g[j]
        t = absolute_dot(B, j * n, d, n)
        terms, share = max(terms, t, abs(g[j]), abs(lam[m + j])), share + abs(d[j]) * (t + abs(g[j]))
    for k in range(m + n):
        t, limit = value_of(A, n, m, k, d), low[k]
        wrong = limit - t
        if t - high[k] > wrong:
            limit = high[k]
            wrong = t - limit
        violation = max(violation, wrong)
        if k < m and nu < INFINITE:
            given_up += nu * max(wrong, 0.0)
        elif not wrong <= 0.0:
            worst = max(worst, wrong / (abs(limit) + terms_of(A, n, m, k, d) + tiny * size[k]))
            if wrong != wrong:
                worst = 1.0
        if lam[k] != 0.0:
            t = lam[k] * (low[k] if lam[k] > 0.0 else high[k])
            gap, share = gap - t, share + abs(t)
            if k < m:
                add_row(lam[k], A, k * n, r, 0, n)
                terms = max(terms, abs(lam[k]) * dot(A, k * n, A, k * n, n) ** 0.5)
    gap, residual, share = gap + curved + linear + given_up, largest(r, n), share + given_up
    info[VIOLATION], info[RESIDUAL], info[VALUE], info[GAP] = violation, residual, 0.5 * curved + linear + given_up, gap
    info[ERROR] = max(worst, residual / terms if residual > 0.0 else 0.0, abs(gap) / share if gap != 0.0 else 0.0)
    return worst if gap - gap == 0.0 else 1.0


@kernel
def _active_set(n, m, B, g, A, low, high, nu, size, shift, centre, T, R, W, q, d, lam, marks, c, r, s, u, top):
    """From the working set of ``marks`` to the solution; (status, members, steps, largest d)."""
    q = settle(n, m, B, g, A, low, high, nu, shift, centre, T, R, W, q, d, lam, marks, r, u, c, 1)
    settled, iterations, open_proofs, reach = False, 0, 0, VANISHED * top
    loose, patience = 1.0, 50 + 10 * (n + m)
    while iterations <= 10 * (50 + 10 * (n + m)):
        if iterations > patience:  # rounding errors may go round in circles, where exact arithmetic does not
            loose, patience = min(10.0 * loose, LOOSEST), patience + 50 + 10 * (n + m)
        reach = max(reach, length(d, size, n, m))
        top = max(top, reach)
        p = most_violated(n, m, A, low, high, d, marks, size, FEASIBLE * loose, 16.0 * EPS * loose * reach)
        if p >= 0:
            q, steps, sign = enter(n, m, A, low, high, nu, size, T, R, W, q, d, lam, marks, c, r, s, p)
            iterations += steps
            if sign == 0.0:
                settled = False
                continue
            if proves_infeasible(n, m, A, low, high, size, W, q, p, sign, d, lam, r, s):
                return INFEASIBLE, q, iterations, top
            open_proofs += 1
            if abs(marks[p]) < 1.5:
                lam[p] = 0.0
            if settled or open_proofs > 1:
                marks[p] = UNRESOLVED
        elif settled:
            return SOLVED, q, iterations, top
        q = settle(n, m, B, g, A, low, high, nu, shift, centre, T, R, W, q, d, lam, marks, r, u, c, 4)
        settled, reach = True, VANISHED * top
        iterations += 1
    return MAXITER, q, iterations, top


@kernel
def qp(n, m, B, g, A, rl, ru, dl, du, nu, d, y, z, marks, work, info):
    """Solve the problem above; all arrays are flat, A and B row by row.  Returns a status.

    Sets ``d`` (n), the multipliers ``y`` (m) and ``z`` (n), and ``info`` (N_INFO; see ``qp_slots``).  The status is
    ``SOLVED``; ``INFEASIBLE``: y and z hold the proof (see above; 0 if limits are crossed or NaN);
    ``UNBOUNDED``: d holds a ray, z a point that it starts from; ``MAXITER``: accuracy or working set could not be
    settled, d is the last point; ``NOT_CONVEX``: B has a negative eigenvalue, or is not finite.
    ``marks`` (m + n: rows first, then variables): the working set to start from, all zeros if there is none, and the
    final one; -1 at the lower, 1 at the upper limit, and for elastic rows -2, 2 beyond it, y being nu, -nu.
    ``nu`` = inf: the rows are hard.  ``work``: ``qp_words(n, m)`` doubles.
    """
    l = m + n
    T, R = segment(work, 0, n * n), segment(work, n * n, n * n)
    at = 2 * n * n
    low, high, lam = segment(work, at, l), segment(work, at + l, l), segment(work, at + 2 * l, l)
    size = segment(work, at + 3 * l, l)
    at += 4 * l
    W, c, r = segment(work, at, n), segment(work, at + n, n), segment(work, at + 2 * n, n)
    s, u = segment(work, at + 3 * n, n), segment(work, at + 4 * n, n)
    shift, centre = segment(work, at + 5 * n, n), segment(work, at + 6 * n, n)
    crossed, most, steep, flat = False, 0.0, 0.0, True
    for i in range(N_INFO):
        info[i] = 0.0
    for i in range(m):
        low[i], high[i], y[i] = rl[i], ru[i], 0.0
        crossed = crossed or not low[i] <= high[i]
    for j in range(n):
        low[m + j], high[m + j] = dl[j], du[j]
        d[j], z[j], shift[j], centre[j] = 0.0, 0.0, 0.0, 0.0
        crossed = crossed or not dl[j] <= du[j]
        most, steep = max(most, abs(B[j * n + j])), max(steep, abs(g[j]))
    if crossed:
        return INFEASIBLE
    proximal = not factor(B, shift, n, DEFINITE, R, T)
    if proximal:
        for i in range(n * n):
            flat = flat and B[i] == 0.0
        for j in range(n):
            shift[j] = n * SEMIDEFINITE * most
        if not flat and not factor(B, shift, n, 0.0, R, T):
            return NOT_CONVEX
        for j in range(n):
            shift[j] = SHIFT * max(B[j * n + j], 1e-6 * most)
            if flat:
                shift[j] = LINEAR_SHIFT * steep if steep > 0.0 else 1.0
        factor(B, shift, n, 0.0, R, T)
    q = load(n, m, A, low, high, nu, marks, size, T, R, W, lam, c, s)
    status, iterations, rounds, before = _RUNNING, 0, 0, INFINITE
    top = norm_of_products(g, 0, segment(size, m, n), n)  # how far it may be from 0 to the minimiser
    while status == _RUNNING:
        status, q, steps, top = _active_set(
            n, m, B, g, A, low, high, nu, size, shift, centre, T, R, W, q, d, lam, marks, c, r, s, u, top
        )  # fmt: skip
        iterations += steps
        if status != SOLVED or not proximal:
            break
        # --- the next proximal point
        rounds += 1
        pull, terms = 0.0, steep
        for j in range(n):
            s[j] = d[j] - centre[j]
            centre[j] = d[j]
            pull = max(pull, abs(shift[j] * s[j]))
            terms = max(terms, abs(dot(B, j * n, d, 0, n)))
        if pull <= CONVERGED * terms:
            break
        status = _RUNNING
        if _is_ray(n, m, B, g, A, low, high, nu, s, size):
            status = UNBOUNDED
        elif rounds >= PROXIMAL:
            status = MAXITER
        elif pull > 0.1 * before:
            for j in range(n):
                shift[j] *= 0.01
            factor(B, shift, n, 0.0, R, T)
            q = load(n, m, A, low, high, nu, marks, size, T, R, W, lam, c, s)
        before = pull
    for k in range(l):
        if marks[k] == UNRESOLVED:
            marks[k] = 0.0
    info[ITERATIONS], info[ROUNDS], info[ACTIVE] = float(iterations), float(rounds), float(q)
    for i in range(m):
        y[i] = lam[i]
    for j in range(n):
        z[j] = lam[m + j]
    if status == SOLVED or status == UNBOUNDED:
        for j in range(n):  # within the bounds to the last digit
            d[j] = min(max(d[j], dl[j]), du[j])
    if status == UNBOUNDED:
        for j in range(n):
            d[j], z[j] = s[j], d[j]
    elif status != INFEASIBLE:
        stiff = 0.0
        for j in range(n):
            stiff = max(stiff, 1.0 / size[m + j])
        least = VANISHED * (steep + stiff * top)
        worst = _report(n, m, B, g, A, low, high, nu, d, lam, size, r, info, top, least)
        if status == SOLVED and not worst <= ACCEPTED:
            status = MAXITER
    return status
