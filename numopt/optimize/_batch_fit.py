"""``curve_fit_batch``: a model fitted to many sets of data by one call."""


def curve_fit_batch(f, xdata, Y, p0=None, sigma=None, absolute_sigma=False, bounds=(float("-inf"), float("inf")),
                    method=None, jac=None, *, lengths=None, fixed=None, tied=None, likelihood="gaussian",
                    nan_policy=None, device="cpu", dtype=None, n_threads=None, chunk_size=None, max_time=None,
                    progress=False, client=None, options=None, **kwargs):  # fmt: skip
    """Fit a model to many sets of data, each on its own."""
    raise NotImplementedError
