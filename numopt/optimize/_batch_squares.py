"""``least_squares_batch``: many sums of squares by one call."""


def least_squares_batch(fun, X0, jac="2-point", bounds=(float("-inf"), float("inf")), method="lm", ftol=1e-8, xtol=1e-8,
                        gtol=1e-8, x_scale=None, loss="linear", f_scale=1.0, diff_step=None, max_nfev=None, args=(), *,
                        m=None, options=None, device="cpu", dtype=None, n_threads=None, chunk_size=None, max_time=None,
                        progress=False, client=None):  # fmt: skip
    """Minimise many sums of squares of the same form, each on its own."""
    raise NotImplementedError
