"""The variables of a run among those of the user: what is fixed, or tied to others, is left out."""

import ast
import math
import numbers
import operator

import numpy as np

_ULPS = 4  # steps by which a bound that is passed on is moved, at most, so that no rounding leads across it


def read_ties(ties, names):
    """Linear expressions in the names of variables, read.

    Parameters
    ----------
    ties : dict
        Name or index of a variable -> expression such as ``"2*x0 - x1/3 + 1"``, or a number.
    names : sequence of str

    Returns
    -------
    dict
        index -> (offset, {index: factor}), in terms of variables that are not tied themselves.

    Raises
    ------
    TypeError, ValueError
        For what is no linear expression, and for variables that depend on each other in a circle.

    Examples
    --------
    >>> read_ties({2: "2*x0 - 1"}, ["x0", "x1", "x2"])
    {2: (-1.0, {0: 2.0})}
    """
    if not isinstance(ties, dict):
        raise TypeError(f"tied must be a dict of variables and linear expressions, not {type(ties).__name__}")
    places = {name: j for j, name in enumerate(names)}
    pending = {}
    for key, text in ties.items():
        k = _place(key, names, places)
        if k in pending:
            raise ValueError(f"tied: {names[k]} is tied twice")
        pending[k] = _read(text, names[k], places)
    done: dict = {}
    while pending:
        ready = [k for k, (_, factors) in pending.items() if not factors.keys() & pending.keys()]
        if not ready:
            raise ValueError(f"tied: {', '.join(names[k] for k in pending)} depend on each other in a circle")
        for k in ready:
            offset, factors = pending.pop(k)
            total: dict = {}
            for j, a in factors.items():
                more, others = done.get(j, (0.0, {j: 1.0}))
                offset += a * more
                for i, b in others.items():
                    total[i] = total.get(i, 0.0) + a * b
            done[k] = offset, total
    return done


def _place(key, names, places):
    """The index of a variable that is named by itself or by its name."""
    if isinstance(key, str) and key in places:
        return places[key]
    try:
        j = operator.index(key)
    except TypeError:
        j = -1
    if isinstance(key, bool) or not 0 <= j < len(names):
        raise ValueError(f"tied: there is no variable {key!r}; there are {len(names)}: {_listed(names)}")
    return j


def _listed(names):
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])}, ..., {names[-1]}"


def _read(text, name, places):
    """(offset, {index: factor}) of one expression."""
    where = f"tied: {name} = {text!r:.80}"
    if isinstance(text, numbers.Real) and not isinstance(text, bool):
        text = repr(float(text))
    if not isinstance(text, str):
        raise TypeError(f"{where}: an expression must be a string or a number, not {type(text).__name__}")
    try:
        offset, factors = _linear(ast.parse(text.strip(), mode="eval").body, places)
    except (SyntaxError, RecursionError, MemoryError, OverflowError):
        raise ValueError(f"{where} is no expression of numbers, names and + - * /") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if not all(map(math.isfinite, (offset, *factors.values()))):
        raise ValueError(f"{where} is not finite")
    return offset, {j: a for j, a in factors.items() if a != 0.0}


def _linear(node, places):
    """(offset, {index: factor}) of a parsed expression."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value), {}
    if isinstance(node, ast.Name):
        if node.id not in places:
            raise ValueError(f"there is no {node.id!r}; there are {_listed(list(places))}")
        return 0.0, {places[node.id]: 1.0}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        return _times(_linear(node.operand, places), -1.0 if isinstance(node.op, ast.USub) else 1.0)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        a, factors = _linear(node.left, places)
        b, others = _times(_linear(node.right, places), -1.0 if isinstance(node.op, ast.Sub) else 1.0)
        return a + b, {j: factors.get(j, 0.0) + others.get(j, 0.0) for j in {**factors, **others}}
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        left, right = _linear(node.left, places), _linear(node.right, places)
        if isinstance(node.op, ast.Div):
            if right[1]:
                raise ValueError("one divides by numbers only")
            if right[0] == 0.0:
                raise ValueError("it divides by zero")
            return left[0] / right[0], {j: a / right[0] for j, a in left[1].items()}
        if left[1] and right[1]:
            raise ValueError("a product of variables is not linear")
        return _times(left, right[0]) if left[1] else _times(right, left[0])
    raise ValueError("only numbers, names and + - * / are known")


def _times(expression, a):
    return a * expression[0], {j: a * b for j, b in expression[1].items()}


def read_fixed(fixed, n):
    """Indices of variables that keep their values, checked.

    Parameters
    ----------
    fixed : sequence of int
    n : int

    Returns
    -------
    list of int
    """
    try:
        found = [operator.index(j) for j in fixed]
    except TypeError:
        found = [-1]
    if (
        isinstance(fixed, str)
        or any(isinstance(j, (bool, np.bool_)) for j in fixed)
        or not all(0 <= j < n for j in found)
    ):
        raise ValueError(f"fixed must be a list of indices from 0 to {n - 1}; got {fixed!r:.80}")
    return found


class Variables:
    """The variables of a run among those of the user: x = offset + z @ matrix.

    Parameters
    ----------
    x, lower, upper : ndarray (all,)
        The start, within its bounds (tied variables: whatever), and the bounds.
    fixed : sequence of int, optional
        Variables that keep their values; so do those with equal bounds.
    tied : dict, optional
        index -> (offset, {index: factor}), as :func:`read_ties` returns.
    names : sequence of str, optional
        For messages; default ``x[0]``, ``x[1]``, ...

    Attributes
    ----------
    start, lower, upper : ndarray (n,)
        Of the run's variables; of all where none is free.
    map : ndarray (1 + n, all) or None
        Offset, then the matrix; None where both are the same.
    free : ndarray of int
        Which of the user's variables are the run's.
    fixed, tied : ndarray (all,) of bool
        Which of them never change, and which follow others.
    all : int
        How many the user has.
    box : (ndarray, ndarray)
        The bounds of all.
    bounded : bool
        Whether there are bounds on the run's variables.
    plain : bool
        Whether there are neither bounds nor a map.
    """

    def __init__(self, x, lower, upper, fixed=None, tied=None, names=None):
        self.all, self.box, self.map = x.size, (lower, upper), None
        self.fixed, self.tied = lower == upper, np.zeros(x.size, bool)
        self.start, self.lower, self.upper = x, lower, upper
        if fixed is not None or tied or self.fixed.any():
            self._reduce(x.copy(), lower.copy(), upper.copy(), fixed, tied or {}, names)
        self._see()

    def saved(self):
        """Arrays to make them from again, beside start and bounds of the run's variables."""
        arrays = {"box": np.array(self.box), "marks": self.fixed + 2 * self.tied}
        return arrays if self.map is None else arrays | {"map": self.map}

    @classmethod
    def restored(cls, saved, lower, upper):
        """Those that ``saved`` is of."""
        variables = cls.__new__(cls)
        variables.start, variables.lower, variables.upper = saved["start"], lower, upper
        variables.map, variables.box = saved.get("map"), tuple(saved.get("box", (lower, upper)))
        marks = saved.get("marks", np.zeros(lower.size, int))
        variables.fixed, variables.tied, variables.all = marks == 1, marks == 2, marks.size
        variables._see()
        return variables

    def _see(self):
        self.free = np.flatnonzero(~(self.fixed | self.tied))
        self.bounded = bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())
        self.plain = self.map is None and not self.bounded

    def _reduce(self, x, lower, upper, fixed, tied, names):
        names = [f"x[{j}]" for j in range(x.size)] if names is None else names
        self.tied[list(tied)] = True
        self.fixed &= ~self.tied
        for j in () if fixed is None else fixed:
            if self.tied[j]:
                raise ValueError(f"{names[j]} can't be both fixed and tied")
            self.fixed[j] = True
        lower[self.fixed] = upper[self.fixed] = x[self.fixed]
        for k, (offset, factors) in tied.items():
            offset += sum(a * x[j] for j, a in factors.items() if self.fixed[j])
            factors = {j: a for j, a in factors.items() if not self.fixed[j]}
            if not factors:
                if not lower[k] <= offset <= upper[k]:
                    raise ValueError(
                        f"{names[k]} is tied to fixed values: it is {offset:g}, outside of its bounds "
                        f"({lower[k]:g}, {upper[k]:g})"
                    )
            elif len(factors) == 1:
                ((j, a),) = factors.items()
                _pass_on(k, j, offset, a, lower, upper, x, names)
            elif np.isfinite(lower[k]) or np.isfinite(upper[k]):
                raise ValueError(
                    f"{names[k]} is tied to {' and '.join(names[j] for j in factors)}: it can't have bounds of its own "
                    f"then; got ({lower[k]:g}, {upper[k]:g})"
                )
        self.fixed |= (lower == upper) & ~self.tied  # by what was passed on, too
        x[self.fixed] = lower[self.fixed]
        free = np.flatnonzero(~(self.fixed | self.tied))
        self.map = np.zeros((1 + free.size, x.size))
        self.map[0, self.fixed] = x[self.fixed]
        self.map[1 + np.arange(free.size), free] = 1.0
        for k, (offset, factors) in tied.items():
            self.map[0, k] = offset + sum(a * x[j] for j, a in factors.items() if self.fixed[j])
            for j, a in factors.items():
                if not self.fixed[j]:
                    self.map[1 + np.searchsorted(free, j), k] = a
        if free.size == 0:
            self.start = self.lower = self.upper = self.map[0].copy()
            self.map = None
        else:
            self.start, self.lower, self.upper = x[free], lower[free], upper[free]

    def whole(self, z):
        """All variables from those of the run."""
        return z if self.map is None else z @ self.map[1:] + self.map[0]

    def spread(self, g):
        """What belongs to the run's variables, in the places of the user's; zero for those fixed or tied."""
        if self.map is None:
            return g
        whole = np.zeros((*g.shape[:-1], self.all), g.dtype)
        whole[..., self.free] = g
        return whole

    def columns(self, J):
        """The Jacobian in the run's variables, in the places of the user's, from one in those of the run or in all."""
        if self.map is None:
            return J
        return self.spread(J @ self.map[1:].T if J.shape[1] == self.all else J)

    def optimality(self, z, g):
        """The largest component of the gradient, each times the room that there is for a step against it."""
        room = np.where(g < 0, self.upper - z, z - self.lower)
        return float(np.abs(np.where(np.isfinite(room), room, 1.0) * g).max())

    def go_inside(self):
        """Move the start from bounds to a distance of 1e-10 of their size, but not beyond the middle."""
        x, lower, upper = self.start.copy(), self.lower, self.upper
        for j in range(x.size):
            apart = upper[j] - lower[j]
            if lower[j] > -np.inf:
                x[j] = max(x[j], lower[j] + min(0.5 * apart, 1e-10 * max(1.0, abs(lower[j]))))
            if upper[j] < np.inf:
                x[j] = min(x[j], upper[j] - min(0.5 * apart, 1e-10 * max(1.0, abs(upper[j]))))
        self.start = x

    def active(self, x, rtol=0.0):
        """-1 where x is at its lower bound, which it is where the bounds are equal, 1 at its upper, else 0.

        ``rtol``: a point that is strictly within the bounds is at one within rtol of it, by scipy's rule.
        """
        if self.plain:
            return np.zeros(x.size, int)
        lower, upper = self.box
        if rtol > 0.0:
            at_lower, at_upper = _near_bounds(x, lower, upper, rtol)
            return np.where(at_lower, -1, np.where(at_upper, 1, 0))
        if self.tied.any():
            # what follows a variable that is at its bound is at its own but for rounding
            near = np.where(self.tied & np.isfinite(x), _ULPS * np.finfo(float).eps * np.abs(x), 0.0)
            lower, upper = lower + near, upper - near
        return np.where(x <= lower, -1, np.where(x >= upper, 1, 0))


def _near_bounds(z, lower, upper, rtol):
    """Whether variables are within rtol of the lower and of the upper bound, by scipy's rule: the nearer of the two."""
    down, up = z - lower, upper - z
    near_lower = rtol * np.maximum(1.0, np.abs(np.where(lower > -np.inf, lower, 0.0)))
    near_upper = rtol * np.maximum(1.0, np.abs(np.where(upper < np.inf, upper, 0.0)))
    return down <= np.minimum(up, near_lower), up <= np.minimum(down, near_upper)


def _pass_on(k, j, offset, a, lower, upper, x, names):
    """Have the bounds of x_j hold those of x_k = offset + a x_j."""
    for bound, below in ((lower[k], True), (upper[k], False)):
        if not np.isfinite(bound):
            continue
        raises = below == (a > 0.0)  # whether it is a lower bound of x_j
        passed = (bound - offset) / a
        for _ in range(_ULPS):
            value = offset + a * passed
            if value >= bound if below else value <= bound:
                break
            passed = np.nextafter(passed, np.inf if raises else -np.inf)
        if raises:
            lower[j] = max(lower[j], passed)
        else:
            upper[j] = min(upper[j], passed)
    if lower[j] > upper[j]:
        raise ValueError(f"bounds: those of {names[k]}, which is tied to {names[j]}, leave no value for {names[j]}")
    if not lower[j] <= x[j] <= upper[j]:
        raise ValueError(
            f"the start is infeasible: {names[j]} = {x[j]:g} takes {names[k]}, which is tied to it, out of its bounds"
        )
