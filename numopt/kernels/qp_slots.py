"""Numbers of the quadratic program: its ends, the places in ``info``, and those in the block of the unit."""

# the ends of ``qp``
SOLVED, INFEASIBLE, UNBOUNDED, MAXITER, NOT_CONVEX = range(5)

# places in ``info``: working sets; largest violation of a constraint; largest component of B d + g - A'y - z; objective
# with nu's share; its distance to the dual one; the largest of these three, over the terms that they are made of;
# members of the working set; proximal points
ITERATIONS, VIOLATION, RESIDUAL, VALUE, GAP, ERROR, ACTIVE, ROUNDS, N_INFO = range(9)

# places in the block: sizes, then the addresses of the arrays in the order of ``qp``'s arguments, nu's among them
N, M, B, G, A, RL, RU, DL, DU, NU, D, Y, Z, MARKS, WORK, INFO, N_WORDS = range(17)


def n_words(n, m):
    """Doubles that ``work`` needs."""
    return 2 * n * n + 4 * (m + n) + 7 * n
