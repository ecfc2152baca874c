"""What minimize_scalar and root_scalar share: a call of a compiled unit, and checks of arguments."""

import ctypes
import math
import operator

from numopt.drivers import units
from numopt.scalar.status import ScalarStatus

N_SCALAR = 16  # as in numopt.scalar.call, which would import Numba
STATUSES = tuple(ScalarStatus)
Scalars = ctypes.c_double * N_SCALAR
_UNIT = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_void_p)
_functions: dict = {}


def run_unit(name, bound, p):
    """Run a unit on ``p``, where it leaves its results; exceptions of the user's functions appear here."""
    unit = _functions.get(name)
    if unit is None:
        unit = _functions[name] = _UNIT(units.address(name))
    unit(bound.addresses[0], bound.data, ctypes.addressof(p))
    if bound.error is not None or bound.table is not None:
        bound.check()


def number(value, name, what="a finite number"):
    """A float from an argument; ValueError where it is not finite, TypeError where it is no number."""
    try:
        x = float(value)
    except (TypeError, ValueError):
        if getattr(value, "size", 0) == 1 and getattr(value, "dtype", "U").kind in "fiub":
            x = float(value.item())
        else:
            raise TypeError(f"{name} must be {what}; got {value!r:.60}") from None
    if not math.isfinite(x):
        raise ValueError(f"{name} must be {what}; got {value!r:.60}")
    return x


def numbers(values, name, counts):
    """A list of finite floats from a sequence of an accepted length."""
    what = f"{' or '.join(map(str, counts))} finite numbers"
    try:
        values = list(values)
    except TypeError:
        raise ValueError(f"{name} must be a sequence of {what}; got {values!r:.60}") from None
    if len(values) not in counts:
        raise ValueError(f"{name} must be a sequence of {what}; got {len(values)}")
    return [number(v, f"{name}[{k}]") for k, v in enumerate(values)]


def check_options(options):
    """TypeError for options that are no dict."""
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"options must be a dict, not {type(options).__name__}")


def iterations(value):
    """maxiter as an int of at least 1."""
    try:
        n = operator.index(value)
    except TypeError:
        # scipy's minimize_scalar takes 100.0 and inf too
        if not (isinstance(value, float) and (value.is_integer() or value == math.inf)):
            raise TypeError(f"maxiter must be an integer; got {value!r:.60}") from None
        n = 2**53 if value == math.inf else int(value)
    if n < 1:
        raise ValueError(f"maxiter must be at least 1; got {n}")
    return min(n, 2**53)  # it travels as a double


def tolerance(value, name, least=0.0, strict=False):
    """A finite float of at least ``least``, above it where ``strict``."""
    try:
        x = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number; got {value!r:.60}") from None
    if not (x > least if strict else x >= least) or x == math.inf:
        raise ValueError(f"{name} must be a finite number {'above' if strict else 'of at least'} {least:g}; got {x!r}")
    return x
