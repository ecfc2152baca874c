"""``FitResult``: what ``curve_fit`` returns, a tuple as scipy's that can be read as a fit."""

_FIELDS = (
    "names", "popt", "pcov", "x", "y", "sigma", "absolute_sigma", "likelihood", "loss", "f_scale", "model", "model_name",
    "jacobian", "cost", "lower", "upper", "fixed", "tied", "active_mask", "nfev", "njev", "nit", "status", "message",
    "success", "method", "refit",
)  # fmt: skip


class FitResult(tuple):
    """What :func:`numopt.curve_fit` returns: scipy's tuple, and the fit itself to read.

    It unpacks as scipy's result does, ``popt, pcov = curve_fit(...)``.
    """

    def __new__(cls, items, **fields):
        return super().__new__(cls, items)

    def __init__(self, items, *, names, popt, pcov, x, y, sigma, absolute_sigma, likelihood, loss, f_scale, model,
                 model_name, jacobian, cost, lower, upper, fixed, tied, active_mask, nfev, njev, nit, status, message,
                 success, method, refit):  # fmt: skip
        given = locals()
        self.__dict__.update({name: given[name] for name in _FIELDS})
