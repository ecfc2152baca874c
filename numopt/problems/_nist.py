"""NIST's reference data sets for nonlinear regression (StRD): the files, read; their models, derived and compiled.

Eight files come with the package (``numopt/problems/nist_files``); any other of NIST's can be put beside them, or be
named by its path.  The model is taken from the text of the file, and its Jacobian is derived from it.

Source: Statistical Reference Datasets, National Institute of Standards and Technology, public domain.
"""

import ast
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

_FOLDER = Path(__file__).with_name("nist_files")
_FUNCTIONS = ("exp", "log", "sin", "cos", "arctan", "sqrt")


def nist_names():
    """The names of the files of NIST that are there.

    Returns
    -------
    list of str
    """
    return sorted(path.stem for path in _FOLDER.glob("*.dat"))


@lru_cache(maxsize=64)
def nist(name):
    """A data set of NIST's.

    Parameters
    ----------
    name : str or path
        One of :func:`nist_names`, or the path of a file as NIST publishes it.

    Returns
    -------
    NistProblem

    Raises
    ------
    ValueError
        There is no such file, or it can't be read as one of NIST's.

    Examples
    --------
    >>> from numopt import least_squares, problems
    >>> problem = problems.nist("MGH17")
    >>> result = least_squares(problem.residual, problem.starts[0], jac=problem.jacobian)
    >>> bool(problem.digits(result.x).min() > 6)
    True
    """
    path = _FOLDER / f"{name}.dat"
    if not path.exists():
        path = Path(name)
    try:
        text = path.read_text()
    except OSError:
        raise ValueError(
            f"there is no file {str(name)!r} of NIST; known are {', '.join(nist_names())}, or give its path"
        ) from None
    return read_nist(text, path.stem)


@dataclass(frozen=True, eq=False)
class NistProblem:
    """A model, its data, two starts and the certified answer.

    Attributes
    ----------
    name : str
    model : str
        The right-hand side, in Python.
    response : ndarray (m,)
        What the model is to explain: y, or its logarithm.
    predictors : dict of str to ndarray (m,)
    starts : ndarray (2, n)
        The far and the near one.
    certified, deviations : ndarray (n,)
        Parameters and their standard deviations, to 11 digits.
    rss : float
        The certified residual sum of squares.
    """

    name: str
    model: str
    response: np.ndarray
    predictors: dict
    starts: np.ndarray
    certified: np.ndarray
    deviations: np.ndarray
    rss: float

    def _compile(self, expressions, jitted):
        names = {f"b{k + 1}": f"b[{k}]" for k in range(len(self.certified))}
        tree = [re.sub(r"\bb\d+\b", lambda found: names[found.group()], text) for text in expressions]
        scope = {name: getattr(np, name) for name in (*_FUNCTIONS, "pi")}
        scope |= self.predictors | {"np": np, "y": self.response}
        if len(expressions) == 1:
            source = f"def function(b):\n    return {tree[0]} - y"
        else:
            columns = "".join(f"    J[:, {k}] = {text}\n" for k, text in enumerate(tree))
            source = f"def function(b):\n    J = np.empty((y.size, {len(tree)}))\n{columns}    return J"
        exec(compile(source, f"<{self.name}>", "exec"), scope)
        function = scope["function"]
        if jitted:
            from numba import njit

            return njit(error_model="numpy")(function)
        return function

    def _compile_model(self, expressions):
        """Jitted function of x, (m,) or (k, m) as in :attr:`x`, and b1, b2, ..."""
        n = len(self.certified)
        places = {name: f"x[{k}]" for k, name in enumerate(self.predictors)} if len(self.predictors) > 1 else {}
        places = places or dict.fromkeys(self.predictors, "x")
        pattern = r"\b(" + "|".join(places) + r")\b"
        texts = [re.sub(pattern, lambda found: places[found.group()], text) for text in expressions]
        head = f"def function(x, {', '.join(f'b{k + 1}' for k in range(n))}):\n"
        if len(expressions) == 1:
            source = f"{head}    return {texts[0]}"
        else:
            columns = "".join(f"    J[:, {k}] = {text}\n" for k, text in enumerate(texts))
            source = f"{head}    J = np.empty((x.shape[-1], {n}))\n{columns}    return J"
        scope = {name: getattr(np, name) for name in (*_FUNCTIONS, "pi")} | {"np": np}
        exec(compile(source, f"<{self.name}>", "exec"), scope)
        from numba import njit

        return njit(error_model="numpy")(scope["function"])

    @cached_property
    def x(self):
        """The predictor (m,), or the predictors (k, m)."""
        columns = list(self.predictors.values())
        return columns[0] if len(columns) == 1 else np.array(columns)

    @cached_property
    def function(self):
        """Jitted model ``(x, b1, b2, ...) -> (m,)``, for :func:`numopt.curve_fit`."""
        return self._compile_model([self.model])

    @cached_property
    def model_jacobian(self):
        """Jitted ``(x, b1, b2, ...) -> (m, n)``."""
        return self._compile_model(self.derivatives)

    @cached_property
    def derivatives(self):
        """The derivatives of the model by its parameters, as text."""
        tree = ast.parse(self.model, mode="eval").body
        return [ast.unparse(derivative(tree, f"b{k + 1}")) for k in range(len(self.certified))]

    @cached_property
    def residual(self):
        """Jitted ``b -> model(b) - response``."""
        return self._compile([self.model], True)

    @cached_property
    def jacobian(self):
        """Jitted ``b -> (m, n)``."""
        return self._compile(self.derivatives, True)

    @cached_property
    def python_residual(self):
        """The same in NumPy."""
        return self._compile([self.model], False)

    @cached_property
    def python_jacobian(self):
        """The same in NumPy."""
        return self._compile(self.derivatives, False)

    def digits(self, parameters):
        """NIST's measure of correct digits, -log10(|q - c| / |c|), of each parameter; at most 11.

        Parameters
        ----------
        parameters : array_like (n,)

        Returns
        -------
        ndarray (n,)
        """
        return log_relative_error(parameters, self.certified)


def log_relative_error(q, c):
    """Correct digits of q beside the certified c, at most 11 and at least 0; 0 where q is not finite."""
    q, c = np.asarray(q, float), np.asarray(c, float)
    with np.errstate(all="ignore"):
        found = -np.log10(np.abs(q - c) / np.where(c == 0.0, 1.0, np.abs(c)))
    return np.clip(np.where(np.isfinite(q), np.where(q == c, 11.0, found), 0.0), 0.0, 11.0)


def read_nist(text, name="data"):
    """A :class:`NistProblem` from the text of a file of NIST's."""
    lines = text.splitlines()
    try:
        starts = next(k for k, line in enumerate(lines) if re.match(r"\s*b1\s*=\s*[-+.\d]", line))
        rows = []
        for line in lines[starts:]:
            if not re.match(r"\s*b\d+\s*=", line):
                break
            rows.append([float(word) for word in line.split("=")[1].split()])
        table = np.array(rows)
        rss = float(next(line for line in lines if line.startswith("Residual Sum of Squares")).split(":")[1])
        begin = [k for k, line in enumerate(lines) if line.startswith("Data:")][-1]
        columns = lines[begin].split(":")[1].split()
        data = np.array([[float(word) for word in line.split()] for line in lines[begin + 1 :] if line.strip()])
        left, model = _model(lines)
    except (IndexError, StopIteration, ValueError) as error:
        raise ValueError(f"{name} can't be read as a file of NIST's nonlinear regression: {error}") from None
    if data.ndim != 2 or data.shape[1] != len(columns) or table.ndim != 2 or table.shape[1] != 4:
        raise ValueError(f"{name} can't be read as a file of NIST's nonlinear regression: its tables are not complete")
    values = dict(zip(columns, data.T.copy(), strict=True))
    response = values.pop("y")
    if left.startswith("log"):
        response = np.log(response)
    return NistProblem(name, model, response, values, table[:, :2].T.copy(), table[:, 2], table[:, 3], rss)


def _model(lines):
    """(left, right) of the formula, in Python."""
    begin = next(k for k, line in enumerate(lines) if line.startswith("Model:"))
    first = next(k for k in range(begin, len(lines)) if re.match(r"\s*(y|log\[y\])\s*=", lines[k]))
    text = ""
    for line in lines[first:]:
        if not line.strip():
            break
        text += " " + line.strip()
    left, right = text.replace("[", "(").replace("]", ")").split("=", 1)
    right = re.sub(r"\+\s*e\s*$", "", right.strip())
    tree = ast.parse(right.strip(), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS):
            raise ValueError(f"its model has an unknown function, {ast.unparse(node.func)}")
    return left.strip(), ast.unparse(tree)


def _number(value):
    return ast.Constant(float(value))


def _is(node, value):
    return isinstance(node, ast.Constant) and node.value == value


def _make(op, a, b):
    """a op b, with zeros and ones left out."""
    if op is ast.Add:
        return b if _is(a, 0.0) else a if _is(b, 0.0) else ast.BinOp(a, op(), b)
    if op is ast.Sub:
        return a if _is(b, 0.0) else ast.BinOp(a, op(), b)
    if op is ast.Mult:
        if _is(a, 0.0) or _is(b, 0.0):
            return _number(0.0)
        return b if _is(a, 1.0) else a if _is(b, 1.0) else ast.BinOp(a, op(), b)
    if op is ast.Div:
        return a if _is(a, 0.0) or _is(b, 1.0) else ast.BinOp(a, op(), b)
    return ast.BinOp(a, op(), b)


def _call(name, argument):
    return ast.Call(ast.Name(name), [argument], [])


def derivative(node, name):
    """The derivative of an expression by a variable, both as syntax trees of Python."""
    if isinstance(node, ast.Constant):
        return _number(0.0)
    if isinstance(node, ast.Name):
        return _number(1.0 if node.id == name else 0.0)
    if isinstance(node, ast.UnaryOp):
        inner = derivative(node.operand, name)
        return inner if isinstance(node.op, ast.UAdd) or _is(inner, 0.0) else ast.UnaryOp(ast.USub(), inner)
    if isinstance(node, ast.Call):
        u = node.args[0]
        du, function = derivative(u, name), node.func.id
        if function == "exp":
            outer = node
        elif function == "log":
            outer = _make(ast.Div, _number(1.0), u)
        elif function == "sin":
            outer = _call("cos", u)
        elif function == "cos":
            outer = ast.UnaryOp(ast.USub(), _call("sin", u))
        elif function == "arctan":
            outer = _make(ast.Div, _number(1.0), _make(ast.Add, _number(1.0), _make(ast.Pow, u, _number(2.0))))
        else:
            outer = _make(ast.Div, _number(0.5), node)
        return _make(ast.Mult, outer, du)
    a, b = node.left, node.right
    da, db = derivative(a, name), derivative(b, name)
    if isinstance(node.op, (ast.Add, ast.Sub)):
        if isinstance(node.op, ast.Sub) and _is(da, 0.0):
            return db if _is(db, 0.0) else ast.UnaryOp(ast.USub(), db)
        return _make(type(node.op), da, db)
    if isinstance(node.op, ast.Mult):
        return _make(ast.Add, _make(ast.Mult, da, b), _make(ast.Mult, a, db))
    if isinstance(node.op, ast.Div):
        return _make(ast.Sub, _make(ast.Div, da, b), _make(ast.Div, _make(ast.Mult, node, db), b))
    if not isinstance(node.op, ast.Pow):
        raise ValueError(f"no derivative of {ast.unparse(node)}")
    fall = _make(ast.Mult, _make(ast.Mult, b, _make(ast.Pow, a, _make(ast.Sub, b, _number(1.0)))), da)
    if _is(db, 0.0):
        return fall
    return _make(ast.Add, fall, _make(ast.Mult, _make(ast.Mult, node, _call("log", a)), db))
