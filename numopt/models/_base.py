"""What all models are: named parameters, compiled functions, bounds, a guess, a place in a sum."""

import numpy as np


class Model:
    """A curve to fit, of named parameters; models add up.

    Attributes
    ----------
    parameters : tuple of str
        Their names, with the prefix.
    function : compiled function
        ``f(x, *parameters)`` of all rows, x of shape (m,) or (2, m), or of one row, x a number or of shape (2,).
        Compiled by ``numba.njit`` when first asked for; it can be called from compiled code.
    jacobian : compiled function
        ``(x, *parameters) -> (m, n)``, the derivatives by the parameters.
    bounds : (ndarray, ndarray)
        Lower and upper bounds of the parameters.
    formula : str
    name : str
    inputs : int
        The number of independent variables, 1 or 2.
    """

    inputs = 1
    terms: tuple  # the models that it is a sum of
    parameters: tuple
    name: str
    _names: tuple  # of the parameters of its functions

    @property
    def function(self):
        return self._compiled()[0]

    @property
    def jacobian(self):
        return self._compiled()[1]

    def _compiled(self):
        from numopt.models._compile import compiled

        return compiled(tuple(term._term for term in self.terms), self._names, self.inputs)

    def __call__(self, x, *parameters):
        """The values of the model.

        Parameters
        ----------
        x : array_like
            A number, or of shape (m,); for a model of two variables of shape (2,) or (2, m).
        *parameters : float
            In the order of ``parameters``.

        Returns
        -------
        float or ndarray (m,)
        """
        if len(parameters) != len(self.parameters):
            raise TypeError(
                f"{self.name} takes {len(self.parameters)} parameters ({', '.join(self.parameters)}); "
                f"got {len(parameters)}"
            )
        x = self._read_x(x)
        if x.ndim == self.inputs - 1:
            return float(self.function(float(x) if x.ndim == 0 else x, *map(float, parameters)))
        return self.function(x, *map(float, parameters))

    def _read_x(self, x):
        x = np.asarray(x, float)
        if x.ndim > 1 if self.inputs == 1 else x.ndim not in (1, 2) or x.shape[0] != 2:
            shape = "(m,)" if self.inputs == 1 else "(2, m)"
            raise ValueError(f"x of {self.name} must have shape {shape}; got shape {x.shape}")
        return x

    def guess(self, x, y):
        """Parameters to start a fit from.

        The best of many values of those parameters that are not linear, the linear ones being fitted exactly; in a sum
        one term after the other, that which explains most first, and then each once more beside the others.

        Parameters
        ----------
        x : array_like, shape (m,) or (2, m)
            In any order.
        y : array_like, shape (m,)

        Returns
        -------
        ndarray (n,)
            Within the bounds.
        """
        from numopt.models._guess import starting_values

        x, y = self._read_x(x), np.asarray(y, float)
        if y.ndim != 1 or x.shape[-1:] != y.shape or x.ndim != self.inputs:
            raise ValueError(
                f"guess needs as many y as x, and one at least; x has shape {x.shape} and y has shape {y.shape}"
            )
        good = np.isfinite(y) & np.isfinite(x if x.ndim == 1 else x.sum(axis=0))
        if not good.any():
            raise ValueError(f"guess needs finite x and y; none of the {y.size} rows is finite")
        lower, upper = self.bounds
        return np.clip(starting_values(self.terms, x[..., good], y[good]), lower, upper)

    @property
    def bounds(self):
        lower, upper = [], []
        for term in self.terms:
            lower += term._lower
            upper += [np.inf] * len(term.parameters)
        return np.array(lower), np.array(upper)

    def __add__(self, other):
        return Sum(self, other) if isinstance(other, Model) else NotImplemented

    def __radd__(self, other):
        # sum() begins with 0
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __eq__(self, other):
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self):
        return hash(repr(self))


class Term(Model):
    """A single model.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.
    """

    _rows: str  # its functions in ``_rows``
    _lower: tuple  # lower bounds; there are no upper ones
    _formula: str
    _linear: tuple = (0,)  # the parameters that the model is linear in
    _any_inputs = False  # whether it can be added to models of any number of variables
    _wiggles = False  # whether means over neighbouring rows lose it

    def __init__(self, prefix=""):
        if not isinstance(prefix, str) or not f"{prefix}x".isidentifier():
            raise ValueError(f"prefix must be a string that a name can begin with, such as 'a_'; got {prefix!r}")
        self.prefix = prefix

    @property
    def parameters(self):
        return tuple(self.prefix + name for name in self._names)

    @property
    def terms(self):
        return (self,)

    @property
    def _term(self):
        return self._rows, len(self._names)

    @property
    def name(self):
        return type(self).__name__ + (f"({self.prefix})" if self.prefix else "")

    def __repr__(self):
        return f"{type(self).__name__}({f'prefix={self.prefix!r}' if self.prefix else ''})"

    @property
    def formula(self):
        import re

        names = "|".join(self._names)
        return re.sub(rf"\b({names})\b", lambda found: self.prefix + found.group(), self._formula)

    # What a guess needs: theta are the parameters that are not linear.

    def _grid(self, x, y):
        """Where to look for theta, (K, q)."""
        raise NotImplementedError

    def _near(self, theta, s, x):
        """Other theta around one, not farther than s = 1, (K, q)."""
        raise NotImplementedError

    def _columns(self, thetas):
        """The parameters that give what the linear ones are the coefficients of, (K, L, n), for thetas (K, q)."""
        n, linear = len(self._names), list(self._linear)
        P = np.zeros((len(thetas), len(linear), n))
        P[:, :, [k for k in range(n) if k not in linear]] = thetas[:, None]
        P[:, np.arange(len(linear)), linear] = 1.0
        return P

    def _assemble(self, theta, c):
        """All parameters, from theta and the linear ones."""
        p = self._columns(theta[None])[0, 0]
        p[list(self._linear)] = c
        return p


class Sum(Model):
    """What ``+`` makes of models.

    Parameters
    ----------
    *models : Model

    Raises
    ------
    ValueError
        Where two parameters have one name, or one model is of one variable and another of two.

    Examples
    --------
    >>> from numopt.models import Constant, Gaussian
    >>> model = Gaussian('a_') + Gaussian('b_') + Constant()
    >>> model.parameters
    ('a_amplitude', 'a_center', 'a_sigma', 'b_amplitude', 'b_center', 'b_sigma', 'offset')
    """

    def __init__(self, *models):
        self.terms = tuple(term for model in models for term in model.terms)
        self.parameters = tuple(name for term in self.terms for name in term.parameters)
        twice = sorted({name for name in self.parameters if self.parameters.count(name) > 1})
        if twice:
            one = next(term for term in self.terms if twice[0] in term.parameters)
            kind = type(one).__name__
            raise ValueError(
                f"duplicate parameter names in {self.name}: {', '.join(twice)}; give each a prefix, as in "
                f"{kind}(prefix='a_')"
            )
        wanted = {term.inputs for term in self.terms if not term._any_inputs} or {1}
        if len(wanted) > 1:
            raise ValueError(f"{self.name} can't be added: some are models of one variable, others of two")
        (self.inputs,) = wanted
        self._names = tuple(f"p{k}" for k in range(len(self.parameters)))  # one function, whatever the prefixes

    @property
    def name(self):
        return " + ".join(term.name for term in self.terms)

    def __repr__(self):
        return " + ".join(map(repr, self.terms))

    @property
    def formula(self):
        return " + ".join(term.formula for term in self.terms)
