"""Several optimizers racing on a surface."""

import numpy as np

from numopt.plot import _canvas as canvas
from numopt.plot import _check as check
from numopt.plot._contour import Scene, draw_path, legend

_MOST_FRAMES = 200


def race(fun, results, *, xlim=None, ylim=None, frames=None, interval=60, labels=None):
    """Animate several optimizers on the surface of a function of two variables.

    Each frame shows all of them after the same number of iterations; one that has ended waits at its end.

    Parameters
    ----------
    fun : callable or TestProblem
        ``fun(x) -> f`` or ``fun(x) -> (f, g)``, jitted or not; x has shape (2,).
    results : result or sequence of results
        Of runs with ``options={'return_all': True}``.
    xlim, ylim : (float, float), optional
        What part of the plane to draw.  Default: where the paths are.
    frames : int, optional
        How many frames.  Default: one for each iteration of the longest run, but 200 at most.
    interval : float, optional
        Milliseconds between frames.
    labels : sequence of str, optional
        One for each result.  Default: the names of the methods.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        Keep it in a variable; ``animation.save('race.gif', writer='pillow')`` writes it down,
        ``animation.to_jshtml()`` shows it in a notebook.

    Raises
    ------
    ValueError, TypeError
        For arguments that can't be drawn, before anything is.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import numopt, numopt.plot
    >>> problem = numopt.problems.get('himmelblau')
    >>> runs = [numopt.minimize(problem.fun_and_grad, problem.x0, method=name, jac=True, options={'return_all': True})
    ...         for name in ('gd', 'heavy-ball', 'bfgs')]
    >>> animation = numopt.plot.race(problem, runs)                 # doctest: +SKIP
    >>> animation.save('race.gif', writer='pillow')                 # doctest: +SKIP
    """
    canvas.require()
    frames = None if frames is None else check.whole(frames, "frames", 1)
    interval = check.positive(interval, "interval")
    scene = Scene("race", fun, results, xlim, ylim, 30, True, labels, None, needs_one=True)
    longest = max(map(len, scene.paths))
    shown = iterations(longest, min(longest, _MOST_FRAMES) if frames is None else frames)
    from matplotlib.animation import FuncAnimation

    fig, ax, _ = scene.draw(None)
    movers = []
    for path, label, style in zip(scene.paths, scene.labels, canvas.styles(len(scene.paths)), strict=True):
        trail, _, head = draw_path(ax, path[:1], label, style, many=len(path) > 60)
        movers.append((path, trail, head))
    legend(ax)
    title = ax.set_title("iteration 0")

    def update(k):
        for path, trail, head in movers:
            upto = path[: k + 1]
            trail.set_data(upto[:, 0], upto[:, 1])
            head.set_data(upto[-1:, 0], upto[-1:, 1])
        title.set_text(f"iteration {k}")
        return [artist for _, trail, head in movers for artist in (trail, head)]

    return FuncAnimation(fig, update, frames=shown, interval=interval, blit=False, repeat=False)


def iterations(longest, frames):
    """The iterations that the frames show: from the first to the last, evenly."""
    if frames == 1:
        return [longest - 1]
    return [int(k) for k in np.round(np.linspace(0, longest - 1, frames))]
