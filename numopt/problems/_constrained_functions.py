"""The functions of a problem with constraints, written out from its formula."""

import hashlib
import os
from functools import cached_property

import numpy as np

from numopt.drivers.units import cache_folder
from numopt.problems._formula import Terms, write


class ConstrainedFunctions:
    """The functions of a problem, written out from its formula when they are first asked for.

    Parameters
    ----------
    formula : callable
        ``formula(*x) -> (f, rows)``, each row being (c, lower limit, upper limit); see ``_formula``.
    n : int
        Number of variables.
    jitted : bool
        Whether the functions are compiled; else they are plain Python.
    """

    def __init__(self, formula, n, jitted=True):
        self._formula, self._n, self._jitted, self._made = formula, n, jitted, {}

    @cached_property
    def plain(self):
        """The same, not compiled."""
        return ConstrainedFunctions(self._formula, self._n, False)

    @cached_property
    def _parts(self):
        terms = Terms()
        x = [terms.variable(f"x[{j}]") for j in range(self._n)]
        f, rows = self._formula(*x)
        limits = np.array([row[1:] for row in rows], dtype=float).reshape(-1, 2)
        limits.setflags(write=False)
        return terms, x, terms.of(f), [terms.of(row[0]) for row in rows], limits

    @property
    def limits(self):
        """Lower and upper limits of the constraints, an array of shape (m, 2)."""
        return self._parts[4]

    @cached_property
    def linear(self):
        """Which constraints are linear, an array of m truth values."""
        terms, x, _, c, _ = self._parts
        return np.array([all(terms.derivative(ci, xj).op == "number" for xj in x) for ci in c], dtype=bool)

    def get(self, name):
        """The function of this name, one of ``RECIPES``."""
        if name not in self._made:
            self._made[name] = self._compile(_RECIPES[name](*self._parts[:4]))
        return self._made[name]

    def rows(self, rows, signs, shifts, slopes):
        """Jitted ``x -> signs * c(x)[rows] - shifts``, or its Jacobian where ``slopes``: what SLSQP takes."""
        key = (tuple(rows), tuple(signs), tuple(shifts), slopes)
        if key not in self._made:
            terms, x, f, c, _ = self._parts
            chosen = [s * c[i] - shift for i, s, shift in zip(rows, signs, shifts, strict=True)]
            self._made[key] = self._compile(_RECIPES["con_jac" if slopes else "con"](terms, x, f, chosen))
        return self._made[key]

    def _compile(self, source):
        # A name of its own: Numba names machine code after the function, and code that was kept by another process
        # under the same name would be taken for this one.
        name = f"function_{hashlib.sha256(source.encode()).hexdigest()[:24]}"
        source = source.replace("def function(", f"def {name}(", 1)
        path = _keep(name, source) if self._jitted else None
        # the name of a module that has np too: Numba imports it to load what it kept
        scope = {"np": np, "__name__": __name__}
        exec(compile(source, str(path or "<numopt.problems>"), "exec"), scope)
        if not self._jitted:
            return _quiet(scope[name])
        from numba import njit

        return njit(error_model="numpy", cache=path is not None)(scope[name])


def _keep(name, source):
    """A file with this text, of this name, beside which Numba keeps the compiled function; None: nowhere to write."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / "problems" / f"{name}.py"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_text(source, encoding="utf-8")
            unfinished.replace(path)
    except OSError:
        return None
    return path


def _quiet(function):
    """Outside its domain a formula gives NaN or inf, without a warning, as the compiled one does."""

    def quiet(*args):
        with np.errstate(all="ignore"):
            return function(*args)

    return quiet


def _gradient(terms, x, term):
    return [terms.derivative(term, xj) for xj in x]


def _hessian(terms, x, term, place):
    """What to set for the matrix of second derivatives, the same term on both sides of the diagonal; no zeros."""
    found = []
    for j, slope in enumerate(_gradient(terms, x, term)):
        for k in range(j + 1):
            second = terms.derivative(slope, x[k])
            if second is not terms.zero:
                found += [(place(*at), second) for at in dict.fromkeys([(j, k), (k, j)])]
    return found


def _weighted(terms, c, sign=1.0):
    """sign * sum of v_i c_i"""
    return sum((sign * terms.variable(f"v[{i}]") * ci for i, ci in enumerate(c)), terms.zero)


def _square(j, k):
    return f"H[{j}, {k}]"


def _slopes(terms, x, c, place):
    rows = [_gradient(terms, x, ci) for ci in c]
    return [(place(i, j), t) for i, row in enumerate(rows) for j, t in enumerate(row) if t is not terms.zero]


def _each(name, values):
    return [(f"{name}[{i}]", value) for i, value in enumerate(values)]


# name -> text of the function from (terms, x, f, c)
_RECIPES = {
    "fun": lambda t, x, f, c: write("function(x)", [("return", f)]),
    "grad": lambda t, x, f, c: write(
        "function(x)", _each("g", _gradient(t, x, f)), [f"g = np.empty({len(x)})"], ["return g"]
    ),
    "fun_and_grad": lambda t, x, f, c: write(
        "function(x)", [*_each("g", _gradient(t, x, f)), ("f", f)], [f"g = np.empty({len(x)})"], ["return f, g"]
    ),
    "value_grad": lambda t, x, f, c: write("function(x, g)", [*_each("g", _gradient(t, x, f)), ("return", f)]),
    "hess": lambda t, x, f, c: write(
        "function(x)", _hessian(t, x, f, _square), [f"H = np.zeros(({len(x)}, {len(x)}))"], ["return H"]
    ),
    "con": lambda t, x, f, c: write("function(x)", _each("c", c), [f"c = np.empty({len(c)})"], ["return c"]),
    "con_jac": lambda t, x, f, c: write(
        "function(x)",
        _slopes(t, x, c, lambda i, j: f"J[{i}, {j}]"),
        [f"J = np.zeros(({len(c)}, {len(x)}))"],
        ["return J"],
    ),
    "con_hess": lambda t, x, f, c: write(
        "function(x, v)",
        _hessian(t, x, _weighted(t, c), _square),
        [f"H = np.zeros(({len(x)}, {len(x)}))"],
        ["return H"],
    ),
    "fun_inplace": lambda t, x, f, c: write("function(x, g, data)", [*_each("g", _gradient(t, x, f)), ("return", f)]),
    "con_inplace": lambda t, x, f, c: write("function(x, c, data)", _each("c", c), ["pass"]),
    "con_jac_inplace": lambda t, x, f, c: write(
        "function(x, J, data)", _slopes(t, x, c, lambda i, j: f"J[{i * len(x) + j}]"), ["J[:] = 0.0"]
    ),
    "lag_hess_inplace": lambda t, x, f, c: write(
        "function(x, v, H, data)",
        _hessian(t, x, t.variable(f"v[{len(c)}]") * f + _weighted(t, c, -1.0), lambda j, k: f"H[{j * len(x) + k}]"),
        ["H[:] = 0.0"],
    ),
}
RECIPES = tuple(_RECIPES)
