"""Decays, growth, saturation, oscillation, polynomials."""

import numbers

import numpy as np

from numopt.models import _grids
from numopt.models._base import Term


class ExponentialDecay(Term):
    """``amplitude * exp(-rate * x)``.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    ``rate`` is not negative; the time constant is ``1 / rate``.

    Examples
    --------
    >>> from numopt.models import ExponentialDecay
    >>> ExponentialDecay()(0.0, 3.0, 0.5)
    3.0
    """

    _rows, _names, _lower = "exponential", ("amplitude", "rate"), (-np.inf, 0.0)
    _formula = "amplitude * exp(-rate * x)"

    def _grid(self, x, y):
        return _grids.rates(x, 40)[:, None]

    def _near(self, theta, s, x):
        return theta * 2.0 ** _grids.steps(s, 1)


class DoubleExponential(Term):
    """``amplitude_1 * exp(-rate_1 * x) + amplitude_2 * exp(-rate_2 * x)``.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    The two terms can change places; the guess has ``rate_1 > rate_2``, the fast one first.

    Examples
    --------
    >>> from numopt.models import DoubleExponential
    >>> DoubleExponential()(0.0, 3.0, 2.0, 1.0, 0.5)
    4.0
    """

    _rows, _names = "double_exponential", ("amplitude_1", "rate_1", "amplitude_2", "rate_2")
    _lower, _linear = (-np.inf, 0.0, -np.inf, 0.0), (0, 2)
    _formula = "amplitude_1 * exp(-rate_1 * x) + amplitude_2 * exp(-rate_2 * x)"

    def _grid(self, x, y):
        k = _grids.rates(x, 20)
        slow, fast = np.triu_indices(k.size, 1)
        return np.column_stack([k[fast], k[slow]]) if k.size > 1 else np.array([[2.0 * k[0], k[0]]])

    def _near(self, theta, s, x):
        near = theta * 2.0 ** _grids.steps(s, 2)
        return near[near[:, 0] > 1.05 * near[:, 1]]


class PowerLaw(Term):
    """``amplitude * x**exponent``, for x >= 0.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Examples
    --------
    >>> from numopt.models import PowerLaw
    >>> PowerLaw()(3.0, 2.0, 2.0)
    18.0
    """

    _rows, _names, _lower = "power", ("amplitude", "exponent"), (-np.inf, -np.inf)
    _formula = "amplitude * x**exponent"

    def _grid(self, x, y):
        return np.linspace(-6.0, 6.0, 50)[:, None]

    def _near(self, theta, s, x):
        return theta + 0.25 * _grids.steps(s, 1)


class Logistic(Term):
    """A step from zero to amplitude: ``amplitude / (1 + exp(-rate * (x - center)))``.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    With a negative ``rate`` it falls.

    Examples
    --------
    >>> from numopt.models import Logistic
    >>> Logistic()(1.0, 4.0, 1.0, 3.0)
    2.0
    """

    _rows, _names, _lower = "logistic", ("amplitude", "center", "rate"), (-np.inf,) * 3
    _formula = "amplitude / (1 + exp(-rate * (x - center)))"

    def _grid(self, x, y):
        center, width = _grids.places_and_widths(x).T
        return np.concatenate([np.column_stack([center, sign * 2.0 / width]) for sign in (1.0, -1.0)])

    def _near(self, theta, s, x):
        d = _grids.steps(s, 2)
        return np.column_stack([theta[0] + d[:, 0] * 2.0 / abs(theta[1]), theta[1] * 2.0 ** d[:, 1]])


class MichaelisMenten(Term):
    """``vmax * x / (km + x)``, for x >= 0.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    ``km`` is where half of ``vmax`` is reached.

    Examples
    --------
    >>> from numopt.models import MichaelisMenten
    >>> MichaelisMenten()([0.0, 2.0], 4.0, 2.0).tolist()
    [0.0, 2.0]
    """

    _rows, _names, _lower = "michaelis_menten", ("vmax", "km"), (-np.inf, 0.0)
    _formula = "vmax * x / (km + x)"

    def _grid(self, x, y):
        return _grids.halves(x)[:, None]

    def _near(self, theta, s, x):
        return theta * 2.0 ** _grids.steps(s, 1)


class Hill(Term):
    """``vmax * x**n / (k**n + x**n)``, for x >= 0.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    ``k`` is where half of ``vmax`` is reached, ``n`` how steeply.

    Examples
    --------
    >>> from numopt.models import Hill
    >>> Hill()(2.0, 4.0, 2.0, 3.0)
    2.0
    """

    _rows, _names, _lower = "hill", ("vmax", "k", "n"), (-np.inf, 0.0, 0.0)
    _formula = "vmax * x**n / (k**n + x**n)"

    def _grid(self, x, y):
        k, n = np.meshgrid(_grids.halves(x), [0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 14.0])
        return np.column_stack([k.ravel(), n.ravel()])

    def _near(self, theta, s, x):
        return theta * 2.0 ** _grids.steps(s, 2)


class Sine(Term):
    """``amplitude * sin(2 * pi * frequency * x + phase)``.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    ``frequency`` counts periods for each unit of x, ``phase`` is in radians. The guess has an ``amplitude`` that is not
    negative and looks for frequencies up to half of one for each point.

    Examples
    --------
    >>> from numopt.models import Sine
    >>> Sine()(0.25, 2.0, 1.0, 0.0)
    2.0
    """

    _rows, _names, _lower = "sine", ("amplitude", "frequency", "phase"), (-np.inf, 0.0, -np.inf)
    _formula = "amplitude * sin(2 * pi * frequency * x + phase)"
    _wiggles = True

    def _grid(self, x, y):
        return _grids.frequencies(x, y)[:, None]

    def _near(self, theta, s, x):
        return np.abs(theta + 0.2 * _grids.steps(s, 1) / (np.ptp(x) or 1.0))

    def _columns(self, thetas):
        f = thetas[:, 0]
        one, zero = np.ones_like(f), np.zeros_like(f)
        return np.stack([np.stack([one, f, zero], -1), np.stack([one, f, one * 0.5 * np.pi], -1)], axis=1)

    def _assemble(self, theta, c):
        return np.array([np.hypot(*c), theta[0], np.arctan2(c[1], c[0])])


class _Linear(Term):
    """A model without parameters that are not linear."""

    @property
    def _linear(self):
        return tuple(range(len(self._names)))

    def _columns(self, thetas):
        return np.eye(len(self._names))[None]


class Polynomial(_Linear):
    """``c0 + c1 * x + c2 * x**2 + ...``.

    Parameters
    ----------
    degree : int
    prefix : str, default ''
        Stands before the names of the parameters.

    Examples
    --------
    >>> from numopt.models import Polynomial
    >>> model = Polynomial(2)
    >>> model.parameters
    ('c0', 'c1', 'c2')
    >>> model(2.0, 1.0, 0.0, 3.0)
    13.0
    """

    _rows = "polynomial"

    def __init__(self, degree, prefix=""):
        super().__init__(prefix)
        if isinstance(degree, bool) or not isinstance(degree, numbers.Integral) or not 0 <= degree <= 50:
            raise ValueError(f"degree must be an integer from 0 to 50; got {degree!r}")
        self.degree = int(degree)

    @property
    def _names(self):
        return tuple(f"c{k}" for k in range(self.degree + 1))

    @property
    def _lower(self):
        return (-np.inf,) * (self.degree + 1)

    @property
    def _formula(self):
        return " + ".join(["c0", "c1 * x"][: self.degree + 1] + [f"c{k} * x**{k}" for k in range(2, self.degree + 1)])

    def __repr__(self):
        return f"Polynomial({self.degree}{f', prefix={self.prefix!r}' if self.prefix else ''})"


class Linear(_Linear):
    """A line: ``intercept + slope * x``.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Examples
    --------
    >>> from numopt.models import Linear
    >>> Linear()([0.0, 1.0], 2.0, 3.0).tolist()
    [2.0, 5.0]
    """

    _rows, _names, _lower = "polynomial", ("intercept", "slope"), (-np.inf,) * 2
    _formula = "intercept + slope * x"


class Constant(_Linear):
    """``offset``, to be added to others, of one or of two variables.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Examples
    --------
    >>> from numopt.models import Constant, ExponentialDecay
    >>> (ExponentialDecay() + Constant())(0.0, 3.0, 1.0, 0.5)
    3.5
    """

    _rows, _names, _lower = "constant", ("offset",), (-np.inf,)
    _formula = "offset"
    _any_inputs = True
