r"""The augmented Lagrangian method of Powell, Hestenes and Rockafellar: a method of multipliers.

The constraints cl <= c(x) <= cu go into the augmented Lagrangian function (numopt.kernels.augmented), the bounds are
left to the solver that minimises it, an inner run of the catalogue's bounded BFGS (limited-memory BFGS for more than
200 variables).  One iteration, [NW]_ algorithm 17.4, [ABMS]_:

1. x^+ minimises L_A(x; lam, rho) over xl <= x <= xu, from x, to a tolerance omega that falls with the violation.  The
   inverse Hessian of BFGS is kept from run to run; where rho has grown it is brought up to date, row by row:

   .. math:: H \leftarrow H - \frac{H a\, a^T H}{1 / \Delta\rho + a^T H a}, \qquad a = \nabla c_i(x)       (1)

   Where the exact Hessian of L_A is at hand and positive definite, BFGS begins with its inverse.

2. y^+ = lam + rho (s - c(x^+)), the multipliers of x^+ to first order, equation (2) of numopt.kernels.augmented, and
   the next lam, within safeguards.
3. rho grows tenfold where the violation, and complementarity, have not halved.

In between, Newton steps on the active constraints (numopt.kernels.active_newton) are taken for as long as each of them
halves the residual of the KKT conditions.  They count as iterations, and cost one evaluation each.

Where the violation does not fall though rho grows, it is minimised alone: if that ends at a stationary point of the
violation, from points beside it too, the problem counts as infeasible.  If L_A falls beyond all bounds rho grows some
times; if it still does, from a feasible point, the problem is unbounded.

Workspace: see numopt.kernels.augmented_slots.

References
----------
.. [NW] J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 17.4.
.. [ABMS] R. Andreani, E. G. Birgin, J. M. Martínez and M. L. Schuverdt, On augmented Lagrangian methods with general
   lower-level constraints, SIAM J. Optim. 18 (2008), 1286-1309.
R. T. Rockafellar, Augmented Lagrange multiplier functions and duality in nonconvex programming, SIAM J. Control 12
(1974), 268-285.
"""

from numopt.drivers.constrained import make_constrained_run
from numopt.kernels.active_newton import give_inverse, newton_step
from numopt.kernels.augmented import (
    begin_inner,
    lam_of,
)
from numopt.kernels.augmented_slots import (
    DENSE_UP_TO,
    EXHAUSTED,
    GROWTH,
    KEEPING,
    MEASURE,
    MOST_EXHAUSTED,
    OMEGA,
    RAISE,
    READY,
    STAGE,
    STUCK,
    UNBOUNDED_RUNS,
    WARM,
)
from numopt.kernels.augmented_steps import (
    BETWEEN,
    FALL,
    LARGEST_PENALTY,
    MINIMISING,
    OMEGA_FIRST,
    SETTLED,
    let_out,
    lost,
    measure,
    prepare,
    raise_penalty,
    restore,
    run_on,
)
from numopt.kernels.compiling import kernel
from numopt.kernels.constrained import x_at, y_at
from numopt.kernels.constrained_slots import CTOL, EXACT_HESSIAN, PENALTY, M
from numopt.kernels.slots import (
    ABORT,
    ACCEPT,
    FAILED,
    FLAT,
    GTOL,
    PARITY,
    N,
    T,
)

_LARGEST_LAM = 1e12
_INF = float("inf")


@kernel
def init(R):
    """No multipliers yet."""
    c, p = R.c, R.p
    prepare(R)
    c[UNBOUNDED_RUNS], c[STUCK], c[RAISE] = 0, 0, 0
    p[MEASURE] = _INF
    p[OMEGA] = max(OMEGA_FIRST, 0.1 * p[GTOL]) if c[M] > 0 else p[GTOL]


@kernel
def _update(R):
    """lam and rho of the next inner run."""
    c, p = R.c, R.p
    y, lam = y_at(R, c[PARITY]), lam_of(R)
    for i in range(y.size):
        lam[i] = min(max(y[i], -_LARGEST_LAM), _LARGEST_LAM)
    if c[RAISE] != 0:
        raise_penalty(R, p[GROWTH])
        c[RAISE] = 0
    if c[KEEPING] != 0:
        let_out(R)


@kernel
def _settle(R):
    """After an inner run: whether the penalty is to grow, how accurate the next one is to be."""
    c, p = R.c, R.p
    t = 1 - c[PARITY]
    v = measure(R, t)
    if v > max(FALL * p[MEASURE], 0.1 * p[CTOL]):
        c[RAISE] = 1
        c[STUCK] += 1
    else:
        c[STUCK] = 0
    p[MEASURE] = v
    p[OMEGA] = max(0.1 * p[GTOL], min(p[OMEGA], 0.1 * v))
    c[READY] = c[N] <= DENSE_UP_TO and c[M] > 0 and (c[WARM] != 0 or c[EXACT_HESSIAN] != 0)


@kernel
def step(R):
    """One inner run, or one Newton step."""
    c, p = R.c, R.p
    x = x_at(R, c[PARITY])
    if c[STAGE] == BETWEEN:
        if c[READY] != 0:
            if newton_step(R):
                c[RAISE], c[STUCK], c[EXHAUSTED], p[T] = 0, 0, 0, 1.0
                return ACCEPT
            if c[ABORT] != 0:
                return FAILED
            c[READY] = 0
        if lost(R):
            c[STUCK] = 0
            restore(R)
        elif p[PENALTY] > LARGEST_PENALTY or c[EXHAUSTED] >= MOST_EXHAUSTED:
            return FLAT
        else:
            _update(R)
            if c[EXACT_HESSIAN] != 0 and c[N] <= DENSE_UP_TO:
                give_inverse(R)
                if c[ABORT] != 0:
                    return FAILED
            begin_inner(R, x, p[OMEGA])
            c[STAGE] = MINIMISING
    task = run_on(R)
    if task != SETTLED:
        return task
    _settle(R)
    return ACCEPT


run = make_constrained_run(init, step)
