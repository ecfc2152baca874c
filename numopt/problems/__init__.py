"""Test problems with certified answers.

Six groups: ``'mgh'``, the 35 functions of Moré, Garbow & Hillstrom; ``'scalable'``, for any number of variables;
``'surfaces'``, in two variables, for pictures; ``'data'``, losses of linear models on real data; ``'bounds'``, with
bounds on the variables, some of them for any number of variables; ``'constrained'``, with constraints, most of them of
Hock & Schittkowski.  Beside them :func:`nist`, NIST's reference data sets for nonlinear regression.

Examples
--------
>>> from numopt import problems
>>> problem = problems.get('rosenbrock')
>>> problem.x0.tolist(), problem.minima
([-1.2, 1.0], (0.0,))
>>> f, g = problem.fun_and_grad(problem.x0)
>>> round(f, 6)
24.2
"""

import dataclasses
import difflib
import importlib
from functools import lru_cache

from numopt.problems._constrained_problem import ConstrainedProblem as ConstrainedProblem
from numopt.problems._nist import nist as nist
from numopt.problems._nist import nist_names as nist_names

_GROUPS = {"mgh": "_mgh", "scalable": "_scalable", "surfaces": "_surfaces", "data": "_data",
           "bounds": "_bounds", "constrained": "_constrained"}  # fmt: skip
# group -> parts of it that have names
_SUBSETS = {"constrained": ("hock-schittkowski", "applied", "degenerate")}


def _module(group):
    return importlib.import_module(f"numopt.problems.{_GROUPS[group]}")


@lru_cache(maxsize=1)
def _mgh_table():
    return _module("mgh").table()


GROUPS = tuple(_GROUPS)


def names(group=None):
    """The names of the problems.

    Parameters
    ----------
    group : {'mgh', 'scalable', 'surfaces', 'data', 'bounds', 'constrained'}, optional
        Or a part of the last one: ``'hock-schittkowski'``; ``'applied'``; ``'degenerate'``, those that are infeasible,
        unbounded, or lack what methods rely on.  Default: all of them.

    Returns
    -------
    list of str
    """
    if group is None:
        return [name for each in _GROUPS for name in names(each)]
    for whole, parts in _SUBSETS.items():
        if group in parts:
            return list(_module(whole).SUBSETS[group])
    if group not in _GROUPS:
        known = ", ".join(map(repr, [*_GROUPS, *sum(_SUBSETS.values(), ())]))
        raise ValueError(f"group must be one of {known}; got {group!r}")
    return list(_mgh_table()) if group == "mgh" else list(_module(group).NAMES)


def subsets(group):
    """The parts of a group that have names.

    Parameters
    ----------
    group : str

    Returns
    -------
    dict of str to tuple of str
        The names of the problems of each part; empty for a group that has no parts.

    Examples
    --------
    >>> from numopt import problems
    >>> [(part, len(found)) for part, found in problems.subsets('constrained').items()]
    [('hock-schittkowski', 82), ('applied', 9), ('degenerate', 20)]
    """
    return {part: tuple(names(part)) for part in _SUBSETS.get(group, ())}


def get(name, n=None, scale=1):
    """A problem by its name.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    n : int, optional
        Number of variables, for the problems that come in all sizes (default 120; with bounds, 100).
    scale : {1, 10, 100}, optional
        Factor on the standard start.

    Returns
    -------
    TestProblem
        In the group ``'constrained'`` a ConstrainedProblem.

    Raises
    ------
    ValueError
        For an unknown name, or an n that the problem doesn't have.
    """
    for group in _GROUPS:
        if name not in names(group):
            continue
        if group == "scalable":
            problem = _module(group).make(name, 120 if n is None else n)
        elif group == "bounds":
            problem = _module(group).make(name, n)
        else:
            problem = _mgh_table()[name] if group == "mgh" else _cached(group, name)
            if n is not None and n != problem.n:
                raise ValueError(f"problem {name!r} has n = {problem.n}; got n = {n}")
        return problem if scale == 1 else dataclasses.replace(problem, scale=float(scale))
    close = difflib.get_close_matches(str(name), names(), 3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "numopt.problems.names() lists all"
    raise ValueError(f"unknown problem {name!r}; {hint}")


@lru_cache(maxsize=32)
def _cached(group, name):
    return _module(group).make(name)


def mgh(scale=1):
    """The 35 problems of Moré, Garbow & Hillstrom, in the order of the paper."""
    return [get(name, scale=scale) for name in names("mgh")]
