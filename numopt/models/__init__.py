"""Models of curves, with derivatives, bounds and starting values, to be added to each other and fitted.

They are for :func:`numopt.curve_fit` and :class:`numopt.nonlinear_model.NonlinearRegressor`, and serve scipy
too.  A model is compiled when it is first used.

Examples
--------
>>> from numopt.models import Constant, Gaussian
>>> model = Gaussian() + Constant()
>>> model.parameters
('amplitude', 'center', 'sigma', 'offset')
>>> model.formula
'amplitude * exp(-(x - center)**2 / (2 * sigma**2)) + offset'
"""

from numopt.models._base import Model, Sum
from numopt.models._curves import (
    Constant,
    DoubleExponential,
    ExponentialDecay,
    Hill,
    Linear,
    Logistic,
    MichaelisMenten,
    Polynomial,
    PowerLaw,
    Sine,
)
from numopt.models._peaks import Gaussian, Gaussian2D, Lorentzian, Voigt

__all__ = [
    "Constant",
    "DoubleExponential",
    "ExponentialDecay",
    "Gaussian",
    "Gaussian2D",
    "Hill",
    "Linear",
    "Logistic",
    "Lorentzian",
    "MichaelisMenten",
    "Model",
    "Polynomial",
    "PowerLaw",
    "Sine",
    "Sum",
    "Voigt",
]
