"""A fit: data, curve and bands, and the residuals below."""

import numpy as np

from numopt.plot import _canvas as canvas

_POINTS = 400  # of the curve
_SIZE = (6.4, 5.6)


def plot(fit, ax, level):
    """(figure, axes) of a :class:`numopt.FitResult`; see its method ``plot``."""
    canvas.require()
    if ax is None:
        import matplotlib.pyplot as plt

        figure, pair = plt.subplots(2, 1, figsize=_SIZE, **_LAYOUT)
        draw(fit, *pair, level)
        pair[0].set_title(fit.model_name, fontsize="medium", parse_math=False)
        return figure, pair
    if hasattr(ax, "plot"):
        canvas.check_ax(ax)
        draw(fit, ax, None, level)
        return ax.get_figure(), ax
    try:
        above, below = ax
    except (TypeError, ValueError):
        raise TypeError(f"ax must be matplotlib axes, two of them, or None, not {type(ax).__name__}") from None
    canvas.check_ax(above)
    canvas.check_ax(below)
    draw(fit, above, below, level)
    return above.get_figure(), ax


_LAYOUT = {"sharex": True, "layout": "constrained", "gridspec_kw": {"height_ratios": (3, 1)}}


def figure(fit, level):
    """A figure that pyplot doesn't know of."""
    from matplotlib.figure import Figure

    layout = dict(_LAYOUT)
    made = Figure(figsize=_SIZE, layout=layout.pop("layout"))
    draw(fit, *made.subplots(2, 1, **layout), level)
    return made


def draw(fit, above, below, level):
    """Into axes: the fit above, the residuals below unless that is None."""
    x = np.asarray(fit.x) if fit.x is not None else np.arange(fit.y.size)
    plane = x.ndim == 1 and x.size == fit.y.size and x.dtype.kind in "fiu"
    bars = None if fit.sigma is None else fit.sigma if np.ndim(fit.sigma) < 2 else np.sqrt(np.diag(fit.sigma))
    if plane:
        _curve(fit, above, x, level)
        label = "x"
    else:
        # no curve to draw over several variables: observed over fitted
        x, label = fit.fitted, "fitted"
        ends = [float(np.min(x)), float(np.max(x))]
        above.plot(ends, ends, color=canvas.COLOURS[1], linewidth=1.6, label="y = fitted")
    style = {"color": canvas.COLOURS[0], "marker": "o", "markersize": 4, "linestyle": "", "zorder": 3}
    above.errorbar(x, fit.y, yerr=bars, label="data", elinewidth=1.0, capsize=2, **style)
    above.set_ylabel("y")
    above.legend(fontsize="small", frameon=False)
    canvas.grid(above)
    if below is None:
        above.set_xlabel(label)
        return
    weighted = fit.sigma is not None or fit.likelihood == "poisson"
    below.axhline(0.0, color=canvas.INK, linewidth=0.8)
    below.plot(x, fit.weighted_residuals if weighted else fit.residuals, **style)
    below.set(xlabel=label, ylabel="residual / sigma" if weighted else "residual")
    canvas.grid(below)


def _curve(fit, ax, x, level):
    """The model over the range of x, with its bands."""
    at = np.linspace(x.min(), x.max(), _POINTS)
    try:
        f = fit.predict(at)
        if f.shape != at.shape:
            raise ValueError("of another shape")
    except Exception:  # a model for the points of the fit only (it holds weights, say): any error of the user's code
        at = np.sort(x)
        f = fit.fitted[np.argsort(x)]
        ax.plot(at, f, color=canvas.COLOURS[1], linewidth=1.6, label="fit")
        return
    bands = [("confidence", 0.3, fit.confidence_band)]
    if fit.sigma is None or fit.likelihood == "poisson" or (np.ndim(fit.sigma) < 2 and np.ptp(fit.sigma) == 0.0):
        bands.insert(0, ("prediction", 0.13, fit.prediction_band))
    for name, alpha, band in bands:
        low, high = band(at, level)
        if np.isfinite(low).all() and np.isfinite(high).all():
            words = f"{100 * level:g} % {name} band"
            ax.fill_between(at, low, high, color=canvas.COLOURS[1], alpha=alpha, linewidth=0, label=words)
    ax.plot(at, f, color=canvas.COLOURS[1], linewidth=1.6, label="fit")
