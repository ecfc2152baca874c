"""``maximize``: ``minimize`` of the negative, with the signs put right."""

from numopt.optimize._minimize import minimize_or_maximise


def maximize(fun, x0, args=(), method=None, jac=None, hess=None, hessp=None, bounds=None, constraints=(),
             tol=None, callback=None, options=None):  # fmt: skip
    """Maximize a scalar function of one or more variables.

    :func:`minimize` of the negative of fun, whose sign is changed in compiled code: all its methods, kinds of callables
    and options are there.

    Parameters
    ----------
    fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options
        As for :func:`minimize`; ``jac``, ``hess`` and ``hessp`` are those of fun as it is.  In place of the option
        ``f_lower`` there is ``f_upper``: the run ends as unbounded where fun is larger.

    Returns
    -------
    OptimizeResult
        ``fun``, ``jac``, the multipliers and the column ``f`` of the history are those of fun.  By one rule for both
        functions a multiplier is the derivative of the optimal value with respect to the limit that is active: of a
        maximum it is <= 0 at a lower limit and >= 0 at an upper one.  ``hess_inv`` is that of the negative.

    Examples
    --------
    The highest point of a paraboloid on the line x = y, and how the height changes as the line moves away:

    >>> import numopt
    >>> result = numopt.maximize(lambda x: 10 - (x[0] - 2)**2 - (x[1] - 1)**2, [0.0, 0.0],
    ...                          constraints={'type': 'eq', 'fun': lambda x: x[0] - x[1]})
    >>> result.x.round(4).tolist(), round(result.fun, 6), result.multipliers[0].round(4).tolist()
    ([1.5, 1.5], 9.5, [1.0])
    """
    if isinstance(options, dict) and ("f_lower" in options or "f_upper" in options):
        if "f_lower" in options:
            raise ValueError("option 'f_lower' is for minimize; of maximize it is 'f_upper'")
        options = dict(options)
        limit = options.pop("f_upper")
        try:
            options["f_lower"] = -float(limit)
        except (TypeError, ValueError):
            raise TypeError(f"option 'f_upper' must be a number; got {limit!r:.60}") from None
    return minimize_or_maximise(
        True, fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options
    )
