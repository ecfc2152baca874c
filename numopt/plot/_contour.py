"""Level lines of a function of two variables, and the paths of solvers on them."""

import numpy as np

from numopt.plot import _canvas as canvas
from numopt.plot import _check as check

_POINTS = 161  # along each side of the grid: a picture has about three times as many pixels


def contour(fun, results=(), *, xlim=None, ylim=None, levels=30, log=True, labels=None, minima=None, ax=None):
    """Draw the level lines of a function of two variables, and the paths of several results on it.

    Parameters
    ----------
    fun : callable or TestProblem
        ``fun(x) -> f`` or ``fun(x) -> (f, g)``, jitted or not; x has shape (2,).
    results : result or sequence of results, optional
        Of runs with ``options={'return_all': True}``; scipy's results will do too.
    xlim, ylim : (float, float), optional
        What part of the plane to draw.  Default: where the paths and the minima are; without any, -2 to 2.
    levels : int, optional
        How many levels.
    log : bool, optional
        Whether the levels are equally spaced in log(f - least f) rather than in f: then a narrow valley shows.
    labels : sequence of str, optional
        One for each result.  Default: the names of the methods.
    minima : array_like, shape (k, 2), optional
        Points to mark with a star.
    ax : matplotlib axes, optional
        Where to draw.  Default: a new figure, with a colour bar.

    Returns
    -------
    fig, ax

    Raises
    ------
    ValueError, TypeError
        For arguments that can't be drawn, before anything is.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import numopt, numopt.plot
    >>> bowl = lambda x: x[0]**2 + 10 * x[1]**2
    >>> runs = [numopt.minimize(bowl, [3.0, 1.0], method=name, options={'return_all': True}) for name in ('gd', 'cg')]
    >>> fig, ax = numopt.plot.contour(bowl, runs, minima=[[0, 0]])     # doctest: +SKIP
    """
    canvas.require()
    canvas.check_ax(ax)
    scene = Scene("contour", fun, results, xlim, ylim, levels, log, labels, minima, needs_one=False)
    fig, ax, filled = scene.draw(ax)
    for path, label, style in zip(scene.paths, scene.labels, canvas.styles(len(scene.paths)), strict=True):
        draw_path(ax, path, label, style)
    if scene.paths or scene.minima is not None:
        legend(ax)
    return fig, ax


class Scene:
    """What :func:`contour` and :func:`race` draw: the surface, and the checked paths."""

    def __init__(self, where, fun, results, xlim, ylim, levels, log, labels, minima, needs_one):
        self.value, n = check.objective(fun)
        if n is not None:
            check.check_plane(n, "fun", where)
        found = check.result_list(results, needs_one)
        self.labels = check.names_of(found, labels)
        self.paths = check.paths_of(found, where)
        self.levels, self.log = check.whole(levels, "levels", 2), log
        self.minima = None if minima is None else _points(minima)
        self.xlim, self.ylim = check.limits(xlim, "xlim"), check.limits(ylim, "ylim")
        places = [*self.paths, *([] if self.minima is None else [self.minima])]
        box = _box(np.concatenate(places) if places else np.array([[-2.0, -2.0], [2.0, 2.0]]), 0.15 * bool(places))
        self.xlim, self.ylim = self.xlim or box[0], self.ylim or box[1]
        middle = [sum(self.xlim) / 2, sum(self.ylim) / 2]
        check.try_out(self.value, middle, f"{where} draws functions of 2 variables")

    def draw(self, ax):
        """(figure, axes, filled levels); the colour bar only in a figure of our own."""
        own = ax is None
        u, v = np.linspace(*self.xlim, _POINTS), np.linspace(*self.ylim, _POINTS)
        U, V = np.meshgrid(u, v)
        Z = check.on_points(self.value, np.column_stack([U.ravel(), V.ravel()])).reshape(U.shape)
        known = [self.value(x) for path in self.paths for x in (path[-1],) if np.isfinite(x).all()]
        if self.minima is not None:
            known += [self.value(x) for x in self.minima]
        fig, ax = canvas.axes(ax)
        filled = surface(ax, U, V, Z, self.levels, self.log, known)
        if own:
            colour_bar(fig, ax, filled, self.log)
        if self.minima is not None:
            ax.plot(
                *self.minima.T, "*", color="black", markeredgecolor="white", markersize=13, label="minimum", zorder=5
            )
        ax.set(xlim=self.xlim, ylim=self.ylim, xlabel="$x_1$", ylabel="$x_2$")
        return fig, ax, filled


def surface(ax, U, V, Z, levels, log, known=()):
    """Fill between the levels in light greys, which leave the colours to the paths."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm

    greys = ListedColormap(colormaps["Greys_r"](np.linspace(0.45, 0.98, 256)), "light greys")
    Z = np.ma.masked_invalid(Z)
    if log:
        least = min([Z.min(), *(f for f in known if np.isfinite(f))])
        Z = Z - least
        high = float(Z.max())
        positive = Z.compressed()[Z.compressed() > 0]
        if high > 0 and positive.size:
            # the lowest grid points alone would spend half of the levels on one grid cell around the minimum
            low = max(float(np.quantile(positive, 0.0005)), 1e-10 * high)
            steps = np.geomspace(low, high, levels) if low < high else np.array([0.5 * high, high])
            Z = np.ma.maximum(Z, low)
            filled = ax.contourf(U, V, Z, steps, cmap=greys, norm=LogNorm(steps[0], steps[-1]))
            ax.contour(U, V, Z, steps[1:-1], colors="white", linewidths=0.5)
            return filled
    if float(Z.max()) == float(Z.min()):
        return ax.contourf(U, V, Z, [Z.min() - 1.0, Z.min() + 1.0], cmap=greys)
    steps = np.linspace(Z.min(), Z.max(), levels)
    filled = ax.contourf(U, V, Z, steps, cmap=greys)
    ax.contour(U, V, Z, steps[1:-1], colors="white", linewidths=0.5)
    return filled


def colour_bar(fig, ax, filled, log):
    """What the greys mean."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    bar = fig.colorbar(filled, ax=ax, pad=0.02)
    low, high = filled.levels[0], filled.levels[-1]
    if log and getattr(filled.norm, "vmin", 0) and low > 0:
        exponents = np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
        ticks = 10.0 ** exponents[:: max(1, len(exponents) // 7)]
        bar.ax.yaxis.set_major_locator(FixedLocator(ticks))
        bar.ax.yaxis.set_major_formatter(FixedFormatter([canvas.power_text(t) for t in ticks]))
        bar.ax.yaxis.set_minor_locator(NullLocator())
        bar.set_label("f above the least f")
    else:
        bar.set_label("f")


def draw_path(ax, path, label, style, many=None):
    """A path with its points unless there are many, a circle where it starts and a cross where it ends: three lines."""
    from matplotlib.patheffects import Normal, Stroke

    many = len(path) > 60 if many is None else many
    (line,) = ax.plot(
        path[:, 0], path[:, 1], color=style["color"], marker=style["marker"], label=label, linewidth=1.6,
        markersize=0 if many else 4, markeredgecolor="white", markeredgewidth=0.4, zorder=3,
        path_effects=[Stroke(linewidth=3, foreground="white", alpha=0.7), Normal()],
    )  # fmt: skip
    ends = {"color": style["color"], "markeredgecolor": "white", "linestyle": "none", "zorder": 4}
    (start,) = ax.plot(*path[:1].T, marker="o", markersize=8, label="_start", **ends)
    (end,) = ax.plot(*path[-1:].T, marker="X", markersize=9, label="_end", **ends)
    return line, start, end


def legend(ax):
    """The legend, readable on top of a surface."""
    ax.legend(loc="best", framealpha=0.9, fontsize="small")


def _points(minima):
    try:
        found = np.atleast_2d(np.array(minima, dtype=float))
    except (TypeError, ValueError):
        raise TypeError("minima must be an array of points, shape (k, 2)") from None
    if found.ndim != 2 or found.shape[1] != 2 or not np.isfinite(found).all():
        raise ValueError(f"minima must be finite points, shape (k, 2); got shape {found.shape}")
    return found


def _box(points, margin):
    """The limits of x and y around all finite points."""
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise ValueError("no path has a finite point; give xlim and ylim")
    low, high = points.min(axis=0), points.max(axis=0)
    # neither side may vanish, nor be a sliver of the other
    size = np.maximum(high - low, max(0.25 * float((high - low).max()), 1e-3))
    middle = 0.5 * (low + high)
    half = (0.5 + margin) * size
    return tuple((float(m - h), float(m + h)) for m, h in zip(middle, half, strict=True))
