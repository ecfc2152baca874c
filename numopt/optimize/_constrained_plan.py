"""Runs with constraints that serve again: a small problem takes less time than preparing it.

A run whose callables are jitted functions without arguments, or of the user's Python functions of the same kinds, is
kept when it is over, with all that it points to; the next of its kind begins with a copy of what its blocks began with.
"""

from numopt.callbacks.bind import kind_of
from numopt.optimize._constraints import is_update

LARGEST = 1 << 14  # doubles in the blocks; beyond, what there is to prepare does not matter
_MANY = 256

_UNUSED: dict = {}  # key -> runs that are over
_PLAIN = {int, float, bool, str}


def key_of(row, n, functions, args, parts, named, tol, options, bounded, maximise):
    """What a run depends on, or None for one that serves no other."""
    kinds, modes = [], []
    for function in functions:
        if function is None or function is True or function is False or type(function) is str:
            modes.append(function)
        elif is_update(function):
            modes.append("update")
        else:
            kinds.append(kind_of(function))
            modes.append(None)
    if "pointer" in kinds or not (tol is None or type(tol) in _PLAIN):
        return None
    jitted = "python" not in kinds
    if jitted and args:
        return None
    key = [row.name, n, named, bounded, maximise, tol, type(tol)]
    for function, mode in zip(functions, modes, strict=True):
        key.append(mode if mode is not None or function is None else id(function) if jitted else "python")
    for part in parts:
        found = part.key()
        if found is None:
            return None
        key.append(found)
    if options:
        if type(options) is not dict or not _PLAIN.issuperset(map(type, options.values())):
            return None
        key += [*options.items(), *map(type, options.values())]  # True is 1, and no number
    return tuple(key)


def options_are_plain(options, values):
    """Whether all that was asked for stands in the blocks: nothing was to be said about it."""
    return not options or all(name in values for name in options)


def take(key):
    """A run of that kind that is over, or None."""
    runs = _UNUSED.get(key) if key is not None else None
    try:
        return runs.pop() if runs else None
    except IndexError:  # another thread was faster
        return None


def give_back(key, run):
    """Run it; keep it for the next of its kind, unless it ended in an exception."""
    result = run.go(None)
    run.let_go()
    if key not in _UNUSED and len(_UNUSED) >= _MANY:
        _UNUSED.clear()
    _UNUSED.setdefault(key, []).append(run)
    return result
