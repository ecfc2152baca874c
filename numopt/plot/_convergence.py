"""How runs converge."""

import numpy as np

from numopt.plot import _canvas as canvas
from numopt.plot import _check as check

_X = {"nit": "iterations", "nfev": "evaluations", "seconds": "seconds"}


def convergence(results, *, quantity="f", x="nit", minimum=None, labels=None, ax=None):
    """Draw how the value or the gradient falls in several runs.

    Parameters
    ----------
    results : result or sequence of results
        Of runs with ``options={'history': True}``.
    quantity : {'f', 'gnorm'}, optional
        The value, or the norm of the gradient.
    x : {'nit', 'nfev', 'seconds'}, optional
        Over iterations, evaluations, or seconds since the run began; what had to be compiled for the first run of a
        process is in these.
    minimum : float, optional
        Draw f - minimum instead of f.
    labels : sequence of str, optional
        One for each result.  Default: the names of the methods.
    ax : matplotlib axes, optional
        Where to draw.  Default: a new figure.

    Returns
    -------
    fig, ax

    Raises
    ------
    ValueError, TypeError
        For arguments that can't be drawn, before anything is.
    ImportError
        If matplotlib is missing.

    Notes
    -----
    The axis is logarithmic where all values are above zero, and with ``minimum``; a curve that falls off its lower end
    has reached the minimum to the last digit.

    Examples
    --------
    >>> import numopt, numopt.plot
    >>> rosen = lambda x: (1 - x[0])**2 + 100 * (x[1] - x[0]**2)**2
    >>> runs = [numopt.minimize(rosen, [-1.2, 1.0], method=name, options={'history': True}) for name in ('cg', 'bfgs')]
    >>> fig, ax = numopt.plot.convergence(runs, x='nfev', minimum=0.0)     # doctest: +SKIP
    """
    canvas.require()
    canvas.check_ax(ax)
    check.choice(quantity, "quantity", ("f", "gnorm"))
    check.choice(x, "x", tuple(_X))
    found = check.result_list(results)
    names = check.names_of(found, labels)
    if minimum is not None:
        if quantity != "f":
            raise ValueError("minimum is for quantity='f'; leave it out for the norm of the gradient")
        minimum = check.vector(minimum, "minimum", 1)[0]
    curves = []
    for k, result in enumerate(found):
        table = result.get("history")
        if table is None or len(table) == 0:
            raise ValueError(f"results[{k}] has no history: run numopt.minimize with options={{'history': True}}")
        across = np.arange(len(table)) if x == "nit" else np.array(table[x], dtype=float)
        curves.append((across, np.array(table[quantity], dtype=float) - (minimum or 0.0)))
    fig, ax = canvas.axes(ax)
    draw(ax, curves, names, minimum is not None or quantity == "gnorm")
    if x == "nfev":
        spread_out(ax, curves)
    ax.set_xlabel(_X[x])
    ax.set_ylabel({"f": "f", "gnorm": "norm of the gradient"}[quantity] if minimum is None else "f above the minimum")
    return fig, ax


def spread_out(ax, curves):
    """Logarithmic evaluations, where the longest curve would press the shortest against the axis."""
    ends = [across[-1] for across, _ in curves]
    if max(ends) > 20 * min(ends):
        canvas.log_axis(ax.xaxis)


def draw(ax, curves, names, log=False):
    """Curves (x, y) with a legend; logarithmic if asked for, or if every y is above zero."""
    for (across, down), name, style in zip(curves, names, canvas.styles(len(curves)), strict=True):
        points = {"marker": style["marker"], "markersize": 4} if len(across) <= 30 else {}
        ax.plot(across, down, color=style["color"], linestyle=style["linestyle"], label=name, linewidth=1.8, **points)
    everything = np.concatenate([down for _, down in curves])
    finite = everything[np.isfinite(everything)]
    above = finite[finite > 0]
    if above.size and (log or above.size == finite.size):
        canvas.log_axis(ax.yaxis)
        low, high = above.min(), above.max()
        # a value that isn't above zero falls off the lower end instead of stretching the axis to it
        ax.set_ylim(low / (high / low) ** 0.05 / 1.1, high * (high / low) ** 0.05 * 1.1)
    canvas.grid(ax)
    ax.legend(fontsize="small")
