"""Formulas of test problems: written once, derived, and written out as functions.

A formula is plain Python run on :class:`Term` in the place of numbers.  What comes back is a graph in which equal terms
are one object, so that a term that occurs twice, among derivatives too, is computed once.  :func:`write` turns terms
into the lines of a function, for Numba or for plain Python.
"""

import math

_ADD, _MULTIPLY, _POWER, _ATOM = 1, 2, 3, 4  # how tightly an operation binds


class Term:
    """A number, a variable, or an operation on terms; made by :class:`Terms`."""

    __slots__ = ("args", "op", "terms")

    def __init__(self, terms, op, args):
        self.terms, self.op, self.args = terms, op, args

    def __add__(self, other):
        return self.terms.add(self, self.terms.of(other))

    def __mul__(self, other):
        return self.terms.multiply(self, self.terms.of(other))

    def __pow__(self, exponent):
        return self.terms.power(self, exponent)

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -self.terms.of(other)

    def __rsub__(self, other):
        return -self + other

    def __truediv__(self, other):
        return self * self.terms.of(other) ** -1

    def __rtruediv__(self, other):
        return self**-1 * other

    __radd__, __rmul__ = __add__, __mul__


class Terms:
    """All terms of one problem: each is made once."""

    def __init__(self):
        self._known, self._derivatives = {}, {}
        self.zero, self.one = self.of(0.0), self.of(1.0)

    def make(self, op, *args):
        """The term of this operation, which may be known already."""
        key = (op, *(id(a) if isinstance(a, Term) else a for a in args))
        if key not in self._known:
            self._known[key] = Term(self, op, args)
        return self._known[key]

    def of(self, value):
        """A term from a number, or the term itself."""
        return value if isinstance(value, Term) else self.make("number", float(value))

    def variable(self, name):
        """The variable of this name."""
        return self.make("variable", name)

    def add(self, a, b):
        """a + b"""
        if a is self.zero or b is self.zero:
            return b if a is self.zero else a
        if a.op == b.op == "number":
            return self.of(a.args[0] + b.args[0])
        return self.make("+", a, b)

    def multiply(self, a, b):
        """a b, a number first"""
        if b.op == "number":
            a, b = b, a
        if a.op == "number":
            k = a.args[0]
            if k == 0.0 or b.op == "number":
                return self.of(k * b.args[0]) if b.op == "number" else self.zero
            if k == 1.0:
                return b
            if b.op == "*" and b.args[0].op == "number":
                return self.multiply(self.of(k * b.args[0].args[0]), b.args[1])
        elif b.op == "*" and b.args[0].op == "number":
            return self.multiply(b.args[0], self.multiply(a, b.args[1]))
        elif a.op == "*" and a.args[0].op == "number":
            return self.multiply(a.args[0], self.multiply(a.args[1], b))
        return self.make("*", a, b)

    def power(self, a, p):
        """a**p, p a number"""
        if a.op == "number":
            return self.of(a.args[0] ** p)
        return self.one if p == 0 else a if p == 1 else self.make("**", a, p)

    def derivative(self, term, x):
        """d term / dx."""
        key = (id(term), id(x))
        if key not in self._derivatives:
            self._derivatives[key] = self._derive(term, x)
        return self._derivatives[key]

    def _derive(self, term, x):
        if term.op in ("number", "variable"):
            return self.one if term is x else self.zero
        a = term.args[0]
        da = self.derivative(a, x)
        if term.op == "+":
            return da + self.derivative(term.args[1], x)
        if term.op == "*":
            b = term.args[1]
            return da * b + a * self.derivative(b, x)
        if da is self.zero:
            return da
        if term.op == "**":
            p = term.args[1]
            return p * a ** (p - 1) * da
        inner = {"exp": lambda: term, "log": lambda: a**-1, "sin": lambda: cos(a), "cos": lambda: -sin(a)}
        return inner[term.op]() * da


def _function(name):
    def function(a):
        return a.terms.make(name, a) if isinstance(a, Term) else getattr(math, name)(a)

    return function


exp, log, sin, cos = map(_function, ("exp", "log", "sin", "cos"))


def sqrt(a):
    """The square root of a term."""
    return a**0.5


def write(signature, outputs, head=(), tail=()):
    """The text of a function.

    Parameters
    ----------
    signature : str
        As in ``def signature:``.
    outputs : list of (str, Term)
        What is set: ``target = term``; the target ``'return'`` returns it.
    head, tail : sequence of str
        Lines before and after.

    Returns
    -------
    str
    """
    uses, order = {}, []
    for _, term in outputs:
        _visit(term, uses, order)
    texts, lines = {}, []
    for term in order:
        text, rank = _text(term, texts)
        # what is used twice gets a name; a variable as well, so that an array is read once
        if term.op != "number" and (uses[id(term)] > 1 or term.op == "variable"):
            name = text.replace("[", "").replace("]", "") if term.op == "variable" else f"t{len(lines)}"
            lines.append(f"{name} = {text}")
            text, rank = name, _ATOM
        texts[id(term)] = text, rank
    lines += [f"return {texts[id(t)][0]}" if to == "return" else f"{to} = {texts[id(t)][0]}" for to, t in outputs]
    return f"def {signature}:\n    " + "\n    ".join([*head, *lines, *tail]) + "\n"


def _visit(term, uses, order):
    """Counts the uses of all terms, and lists each after those that it's made of."""
    uses[id(term)] = uses.get(id(term), 0) + 1
    if uses[id(term)] == 1:
        for a in term.args:
            if isinstance(a, Term):
                _visit(a, uses, order)
        order.append(term)


def _text(term, texts):
    """(text, how tightly it binds) from the texts of what it's made of."""

    def inside(a, rank):
        text, own = texts[id(a)]
        return text if own >= rank else f"({text})"

    if term.op == "number":
        return repr(term.args[0]), _ATOM if term.args[0] >= 0.0 else _MULTIPLY
    if term.op == "variable":
        return term.args[0], _ATOM
    a = term.args[0]
    if term.op == "+":
        right = inside(term.args[1], _MULTIPLY)
        sign = "-" if right.startswith("-") else "+"
        return f"{inside(a, _ADD)} {sign} {right.removeprefix('-')}", _ADD
    if term.op == "*":
        b = term.args[1]
        if a.op == "number" and a.args[0] == -1.0:
            return f"-{inside(b, _MULTIPLY)}", _MULTIPLY
        if b.op == "**" and texts[id(b)][0].startswith("1.0 / "):
            return f"{inside(a, _MULTIPLY)} / {texts[id(b)][0].removeprefix('1.0 / ')}", _MULTIPLY
        return f"{inside(a, _MULTIPLY)} * {inside(b, _POWER)}", _MULTIPLY
    if term.op != "**":
        return f"np.{term.op}({texts[id(a)][0]})", _ATOM
    p = term.args[1]
    if p == 0.5:
        return f"np.sqrt({texts[id(a)][0]})", _ATOM
    if p < 0 and p == int(p):
        return f"1.0 / {inside(a, _ATOM)}" + (f"**{-int(p)}" if p != -1 else ""), _MULTIPLY
    return f"{inside(a, _ATOM)}**{int(p) if p == int(p) else repr(float(p))}", _POWER
