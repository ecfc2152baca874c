"""Performance profiles (Dolan and Moré) and data profiles (Moré and Wild)."""

import numpy as np

from numopt.plot import _canvas as canvas
from numopt.plot import _check as check
from numopt.plot._formulas import data_steps, performance_steps


def performance_profile(costs, *, labels, tau_max=None, ax=None):
    """Draw the Dolan-Moré performance profile of several solvers.

    At tau, a solver's curve is the share of the problems that it solved at no more than tau times the cost of the
    best solver: at the left end, how often it was the best; at the right end, how often it solved at all.

    Parameters
    ----------
    costs : array_like, shape (problems, solvers)
        Seconds, evaluations, or any other cost above zero; ``inf`` where a solver failed.
    labels : sequence of str
        One for each solver.
    tau_max : float, optional
        Where the axis ends.  Default: where the last curve steps.
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

    References
    ----------
    E. D. Dolan and J. J. Moré, Math. Program. 91 (2002), 201-213.

    Examples
    --------
    Two problems: the first solver wins on one and is at twice the cost on the other, which the third doesn't solve.

    >>> import numpy as np, numopt.plot
    >>> costs = [[1.0, 3.0, 4.0], [2.0, 1.0, np.inf]]
    >>> fig, ax = numopt.plot.performance_profile(costs, labels=['a', 'b', 'c'])     # doctest: +SKIP
    """
    canvas.require()
    canvas.check_ax(ax)
    costs = _table(costs, "costs")
    names = canvas.check_labels(labels, costs.shape[1], "solvers")
    if tau_max is not None and check.positive(tau_max, "tau_max") <= 1.0:
        raise ValueError(f"tau_max must be above 1, where the axis begins; got {tau_max!r}")
    tau, rho = performance_steps(costs)
    end = float(tau_max or max(1.05 * tau[-1], 2.0))
    fig, ax = canvas.axes(ax)
    _draw(ax, tau, rho, names, end)
    canvas.log_axis(ax.xaxis, 2 if end <= 1024 else 10)
    # a hair to the left of 1, so that the steps at 1 don't hide on the axis
    ax.set(xlim=(end**-0.01, end), xlabel="multiple of the least cost", ylabel="share of problems solved")
    return fig, ax


def data_profile(evaluations, dimensions, *, labels, ax=None):
    """Draw the Moré-Wild data profile of several solvers.

    At kappa, a solver's curve is the share of the problems that it solved within kappa (n + 1) evaluations, n being
    the number of variables: unlike the performance profile's, a curve doesn't depend on the other solvers.

    Parameters
    ----------
    evaluations : array_like, shape (problems, solvers)
        Evaluations of the objective; ``inf`` where a solver failed.
    dimensions : array_like, shape (problems,)
        The numbers of variables.
    labels : sequence of str
        One for each solver.
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

    References
    ----------
    J. J. Moré and S. M. Wild, SIAM J. Optim. 20 (2009), 172-191.

    Examples
    --------
    >>> import numpy as np, numopt.plot
    >>> fig, ax = numopt.plot.data_profile([[30, 60], [44, np.inf]], [2, 10], labels=['a', 'b'])   # doctest: +SKIP
    """
    canvas.require()
    canvas.check_ax(ax)
    table = _table(evaluations, "evaluations")
    n = check.vector(dimensions, "dimensions", len(table))
    if not ((n >= 1) & (n == np.floor(n))).all():
        raise ValueError(f"dimensions must be numbers of variables, integers of at least 1; got {dimensions!r}")
    names = canvas.check_labels(labels, table.shape[1], "solvers")
    kappa, d = data_steps(table, n)
    fig, ax = canvas.axes(ax)
    steps = kappa[1:]
    end = 1.1 * float(kappa[-1]) if steps.size else 1.0
    _draw(ax, kappa, d, names, end)
    low = 0.0
    if steps.size and steps[-1] > 30 * steps[0]:
        canvas.log_axis(ax.xaxis)
        low = float(steps[0]) / 1.2
    ax.set(xlim=(low, end), xlabel="evaluations / (n + 1)", ylabel="share of problems solved")
    return fig, ax


def _table(given, name):
    """Positive numbers or inf, (problems, solvers)."""
    try:
        table = np.array(given, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of numbers, shape (problems, solvers)") from None
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"{name} must have the shape (problems, solvers), none of them 0; got {table.shape}")
    wrong = np.argwhere(~(table > 0))
    if len(wrong):
        p, k = wrong[0]
        raise ValueError(f"{name} must be above 0, or inf for what was not solved; {name}[{p}, {k}] is {table[p, k]}")
    return table


def _draw(ax, at, shares, names, end):
    """Step functions, held to the end of the axis."""
    at = np.append(at, max(end, at[-1]))
    shares = np.vstack([shares, shares[-1:]])
    for column, name, style in zip(shares.T, names, canvas.styles(len(names)), strict=True):
        ax.step(at, column, where="post", color=style["color"], linestyle=style["linestyle"], label=name, linewidth=1.8)
    ax.set_ylim(-0.02, 1.02)
    canvas.grid(ax)
    ax.legend(loc="lower right", fontsize="small")
