r"""A filter: pairs (violation, value) that no later point may be dominated by (Fletcher & Leyffer 2002).

``pairs`` holds ``count`` of them, theta and phi in turn.  A pair stands for a corner: points with both theta and phi at
least as large are refused.
"""

from numopt.kernels.compiling import kernel

SIZE = 64  # pairs; beyond that the oldest is forgotten


@kernel
def admits(pairs, count, theta, phi):
    """Whether no pair dominates (theta, phi)."""
    for i in range(count):
        if theta >= pairs[2 * i] and phi >= pairs[2 * i + 1]:
            return False
    return True


@kernel
def augment(pairs, count, theta, phi):
    """Add a pair, drop those that it dominates; the new count."""
    kept = 0
    for i in range(count):
        if pairs[2 * i] < theta or pairs[2 * i + 1] < phi:
            pairs[2 * kept], pairs[2 * kept + 1] = pairs[2 * i], pairs[2 * i + 1]
            kept += 1
    if kept == SIZE:
        for i in range(2 * (SIZE - 1)):
            pairs[i] = pairs[i + 2]
        kept -= 1
    pairs[2 * kept], pairs[2 * kept + 1] = theta, phi
    return kept + 1
