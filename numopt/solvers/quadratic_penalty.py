r"""The quadratic penalty method: the simplest of all, for comparison.

The violation is punished by its square, the bounds are left to the solver that minimises

.. math::

    f(x) + \tfrac12 \rho \sum_i (s_i - c_i(x))^2, \qquad s_i = P(c_i(x)), \qquad y_i = \rho (s_i - c_i(x))     (1)

with P the projection onto the limits: the augmented Lagrangian function without multipliers
(numopt.kernels.augmented), [NW]_ framework 17.1.  rho grows tenfold from iteration to iteration, and y tends to the
multipliers.  The violation is y / rho, so that it is within ``ctol`` only for a rho of the size of y / ctol.  The
function is badly conditioned then; the inverse Hessian of the inner solver is brought up to date when rho grows, which
helps against it, but f may be lost in rounding first: such runs end as stalled.

Workspace: see numopt.kernels.augmented_slots.

References
----------
.. [NW] J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, section 17.1.
"""

from numopt.drivers.constrained import make_constrained_run
from numopt.kernels.augmented import begin_inner, high_of, inner_counters, low_of
from numopt.kernels.augmented_slots import (
    EXHAUSTED,
    GROWTH,
    KEEPING,
    MEASURE,
    MOST_EXHAUSTED,
    OMEGA,
    RAISE,
    STAGE,
    STUCK,
    UNBOUNDED_RUNS,
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
from numopt.kernels.constrained import c_at, x_at
from numopt.kernels.constrained_slots import CTOL, PENALTY, M
from numopt.kernels.kkt import violation_of
from numopt.kernels.slots import ACCEPT, FLAT, GTOL, PARITY, STATUS
from numopt.kernels.status import Status

_CONVERGED = int(Status.GRADIENT)


@kernel
def init(R):
    """The first penalty."""
    c, p = R.c, R.p
    prepare(R)
    c[UNBOUNDED_RUNS], c[STUCK], c[RAISE] = 0, 0, 0
    p[MEASURE] = float("inf")
    p[OMEGA] = OMEGA_FIRST if c[M] > 0 else p[GTOL]


@kernel
def step(R):
    """One inner run."""
    c, p = R.c, R.p
    if c[STAGE] == BETWEEN:
        if c[STUCK] < 0:
            return FLAT
        if lost(R):
            c[STUCK] = 0
            restore(R)
        elif p[PENALTY] > LARGEST_PENALTY or c[EXHAUSTED] >= MOST_EXHAUSTED:
            return FLAT
        else:
            if c[RAISE] != 0:
                raise_penalty(R, p[GROWTH])
            if c[KEEPING] != 0:
                let_out(R)
            begin_inner(R, x_at(R, c[PARITY]), p[OMEGA])
            c[STAGE] = MINIMISING
    task = run_on(R)
    if task != SETTLED:
        return task
    values = c_at(R, 1 - c[PARITY])
    v = measure(R, 1 - c[PARITY])
    c[STUCK] = c[STUCK] + 1 if v > FALL * p[MEASURE] else 0
    c[RAISE] = violation_of(values, low_of(R), high_of(R)) > p[CTOL]
    if c[RAISE] == 0 and inner_counters(R)[STATUS] != _CONVERGED:
        c[STUCK] = -1  # a larger penalty would only be worse
    p[MEASURE] = v
    p[OMEGA] = max(0.1 * p[GTOL], min(p[OMEGA], 0.1 * v))
    return ACCEPT


run = make_constrained_run(init, step)
