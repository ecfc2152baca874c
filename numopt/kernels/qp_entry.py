"""The quadratic program as a unit: sizes and addresses in, a status out."""

from numopt.kernels import qp_slots as s
from numopt.kernels.qp import qp, qp_words
from numopt.kernels.robust import reals, words


def unit(block, _):
    """Solve the quadratic program of a block."""
    a = words(block, s.N_WORDS)
    n, m = a[s.N], a[s.M]
    status = qp(
        n, m, reals(a[s.B], n * n), reals(a[s.G], n), reals(a[s.A], m * n), reals(a[s.RL], m), reals(a[s.RU], m),
        reals(a[s.DL], n), reals(a[s.DU], n), reals(a[s.NU], 1)[0], reals(a[s.D], n), reals(a[s.Y], m),
        reals(a[s.Z], n), reals(a[s.MARKS], m + n), reals(a[s.WORK], qp_words(n, m)), reals(a[s.INFO], s.N_INFO),
    )  # fmt: skip
    return float(status)
