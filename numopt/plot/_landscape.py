"""Slices of a function of many variables: a plane of random directions, and a line between two points."""

import numpy as np

from numopt.plot import _canvas as canvas
from numopt.plot import _check as check
from numopt.plot._contour import colour_bar, surface


def landscape(fun, x, *, directions=None, span=1.0, points=51, seed=0, kind="contour", ax=None):
    """Draw a function of many variables on a plane through a point.

    The picture is f(x + a d1 + b d2) for a and b from -span to span.

    Parameters
    ----------
    fun : callable or TestProblem
        ``fun(x) -> f`` or ``fun(x) -> (f, g)``, jitted or not.
    x : array_like, shape (n,)
        The point in the middle, most often a minimiser.
    directions : array_like, shape (2, n), optional
        d1 and d2, taken as they are.  Default: two random directions, orthogonal and of length 1.
    span : float, optional
        How far to go.
    points : int, optional
        Points along each side; the function is evaluated at points times points.
    seed : int, optional
        Of the random directions.
    kind : {'contour', 'surface'}, optional
        Level lines, equally spaced in log(f - least f); or a surface in perspective.
    ax : matplotlib axes, optional
        Where to draw, 3-D axes for a surface.  Default: a new figure.

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
    >>> problem = numopt.problems.get('extended_rosenbrock')
    >>> fig, ax = numopt.plot.landscape(problem, [1.0] * problem.n, span=2.0)     # doctest: +SKIP
    """
    canvas.require()
    check.choice(kind, "kind", ("contour", "surface"))
    projection = "3d" if kind == "surface" else None
    canvas.check_ax(ax, projection)
    value, n = check.objective(fun)
    x = check.vector(x, "x", n)
    D = _directions(directions, x.size, check.whole(seed, "seed", 0))
    span, points = check.positive(span, "span"), check.whole(points, "points", 2)
    check.try_out(value, x, "x must be a point where it can be")
    own = ax is None
    a = np.linspace(-span, span, points)
    A, B = np.meshgrid(a, a)
    Z = check.on_points(value, x + A.reshape(-1, 1) * D[0] + B.reshape(-1, 1) * D[1]).reshape(A.shape)
    fig, ax = canvas.axes(ax, projection)
    if kind == "surface":
        ax.plot_surface(A, B, Z, cmap="cividis", linewidth=0, rstride=1, cstride=1)
        ax.set_zlabel("f")
    else:
        filled = surface(ax, A, B, Z, 30, True)
        if own:
            colour_bar(fig, ax, filled, True)
        ax.plot([0.0], [0.0], "X", color=canvas.COLOURS[1], markeredgecolor="white", markersize=9, label="x")
        ax.legend(loc="best", framealpha=0.9, fontsize="small")
    ax.set(xlabel="along $d_1$", ylabel="along $d_2$")
    return fig, ax


def line(fun, x_a, x_b, *, points=201, margin=0.25, ax=None):
    """Draw a function along the line between two points.

    The picture is f(x_a + t (x_b - x_a)), t from -margin to 1 + margin.

    Parameters
    ----------
    fun : callable or TestProblem
        ``fun(x) -> f`` or ``fun(x) -> (f, g)``, jitted or not.
    x_a, x_b : array_like, shape (n,)
        The two points, such as the ends of two runs: a barrier between them shows that they are different minima.
    points : int, optional
        How many points of the line.
    margin : float, optional
        How far to go beyond the ends, relative to their distance.
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

    Examples
    --------
    >>> import numopt.plot
    >>> double_well = lambda x: (x[0]**2 - 1)**2 + x[1]**2
    >>> fig, ax = numopt.plot.line(double_well, [-1, 0], [1, 0])     # doctest: +SKIP
    """
    canvas.require()
    canvas.check_ax(ax)
    value, n = check.objective(fun)
    x_a = check.vector(x_a, "x_a", n)
    x_b = check.vector(x_b, "x_b", x_a.size)
    if (x_a == x_b).all():
        raise ValueError("x_a and x_b are the same point; a line needs two")
    points, margin = check.whole(points, "points", 2), check.positive(margin, "margin", zero=True)
    check.try_out(value, x_a, "x_a must be a point where it can be")
    t = np.linspace(-margin, 1.0 + margin, points)
    f = check.on_points(value, x_a + t[:, None] * (x_b - x_a))
    ends = check.on_points(value, np.array([x_a, x_b]))
    fig, ax = canvas.axes(ax)
    ax.plot(t, f, color=canvas.COLOURS[0], linewidth=1.8, label="f")
    for k, name in enumerate(("$x_a$", "$x_b$")):
        style = {"color": canvas.COLOURS[1 + k], "marker": "os"[k], "linestyle": "none"}
        ax.plot([float(k)], ends[k : k + 1], markersize=8, label=name, **style)
    ax.set(xlabel="t in $x_a + t\\,(x_b - x_a)$", ylabel="f", xlim=(t[0], t[-1]))
    canvas.grid(ax)
    ax.legend(fontsize="small")
    return fig, ax


def _directions(given, n, seed):
    """Two rows, those given or random ones."""
    if n < 2:
        raise ValueError("landscape needs 2 variables or more; x has 1: numopt.plot.line draws a function of one")
    if given is None:
        random = np.random.default_rng(seed).standard_normal((n, 2))
        return np.linalg.qr(random)[0].T
    try:
        D = np.array(given, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"directions must be two vectors, shape (2, {n})") from None
    if D.shape != (2, n) or not np.isfinite(D).all():
        raise ValueError(f"directions must be two finite vectors, shape (2, {n}); got shape {D.shape}")
    if np.linalg.matrix_rank(D) < 2:
        raise ValueError("directions must span a plane; these are parallel, or one of them is zero")
    return D
