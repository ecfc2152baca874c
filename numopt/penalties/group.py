"""na |W_g|_2, of the columns a..b of W, which has a row for each target."""

from numopt.kernels.compiling import kernel


@kernel
def norm(W, a, b):
    """|W_g|, over columns a..b."""
    s = 0.0
    for t in range(W.shape[0]):
        for j in range(a, b):
            s += W[t, j] * W[t, j]
    return s**0.5


@kernel
def shrinkage(size, na):
    """What block soft thresholding multiplies a block of norm ``size`` by: max(1 - na / size, 0)."""
    return 1.0 - na / size if size > na else 0.0


@kernel
def distance(Q, W, a, b, na, l2):
    """How far the block is from its optimality condition; Q = -(gradient of the smooth part but l2/2 |W|^2)."""
    size = norm(W, a, b)
    s = 0.0
    for t in range(W.shape[0]):
        for j in range(a, b):
            g = Q[t, j] - l2 * W[t, j] - (na * W[t, j] / size if size > 0.0 else 0.0)
            s += g * g
    return s**0.5 if size > 0.0 else max(s**0.5 - na, 0.0)
