"""Peaks: Gaussian, Lorentzian, Voigt, and a Gaussian of two variables."""

import numpy as np

from numopt.models import _grids
from numopt.models._base import Term


class Gaussian(Term):
    """A bell: ``amplitude * exp(-(x - center)**2 / (2 * sigma**2))``.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    ``amplitude`` is the height, of either sign; the area is ``amplitude * sigma * sqrt(2 * pi)``, the full width at
    half maximum ``2.3548 * sigma``.

    Examples
    --------
    >>> from numopt.models import Gaussian
    >>> model = Gaussian()
    >>> model.parameters
    ('amplitude', 'center', 'sigma')
    >>> model(1.0, 2.0, 1.0, 0.5)
    2.0
    """

    _rows, _names, _lower = "gaussian", ("amplitude", "center", "sigma"), (-np.inf, -np.inf, 0.0)
    _formula = "amplitude * exp(-(x - center)**2 / (2 * sigma**2))"

    def _grid(self, x, y):
        return _grids.places_and_widths(x)

    def _near(self, theta, s, x):
        d = _grids.steps(s, 2)
        return np.column_stack([theta[0] + d[:, 0] * theta[1], theta[1] * 2.0 ** d[:, 1]])


class Lorentzian(Gaussian):
    """A peak with wide wings: ``amplitude / (1 + ((x - center) / gamma)**2)``.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    ``amplitude`` is the height, ``gamma`` half the width at half maximum; the area is ``pi * amplitude * gamma``.

    Examples
    --------
    >>> from numopt.models import Lorentzian
    >>> Lorentzian()(1.5, 2.0, 1.0, 0.5)
    1.0
    """

    _rows, _names = "lorentzian", ("amplitude", "center", "gamma")
    _formula = "amplitude / (1 + ((x - center) / gamma)**2)"


class Voigt(Term):
    """A Gaussian, convolved with a Lorentzian.

    ``area * Re w(z) / (sigma * sqrt(2 * pi))`` with the Faddeeva function w and
    ``z = (x - center + i gamma) / (sigma * sqrt(2))``.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    ``sigma`` is the standard deviation of the Gaussian, ``gamma`` half the width at half maximum of the Lorentzian;
    with one of them zero it is the other. ``area`` is the integral; the height has no simple formula.

    Examples
    --------
    >>> from numopt.models import Voigt
    >>> model = Voigt()
    >>> model.parameters
    ('area', 'center', 'sigma', 'gamma')
    >>> round(model(1.0, 2.0, 0.0, 0.5, 0.3), 12)
    0.340892119716
    """

    _rows, _names = "voigt", ("area", "center", "sigma", "gamma")
    _lower = (-np.inf, -np.inf, 0.0, 0.0)
    _formula = "area * voigt(x - center, sigma, gamma)"

    def _grid(self, x, y):
        center, width = _grids.places_and_widths(x).T
        return np.column_stack([center, 0.6 * width, 0.6 * width])

    def _near(self, theta, s, x):
        d = _grids.steps(s, 3)
        sizes = theta[1:] * 2.0 ** d[:, 1:]
        return np.column_stack([theta[0] + d[:, 0] * theta[1:].max(), sizes])


class Gaussian2D(Term):
    """A bell over the plane, turned by an angle; x has shape (2, m).

    ``amplitude * exp(-u**2 / (2 * sigma_x**2) - v**2 / (2 * sigma_y**2))`` with
    ``u = cos(angle) * (x - center_x) + sin(angle) * (y - center_y)`` and
    ``v = cos(angle) * (y - center_y) - sin(angle) * (x - center_x)``.

    Parameters
    ----------
    prefix : str, default ''
        Stands before the names of the parameters.

    Notes
    -----
    ``angle`` is that of the axis of ``sigma_x``, in radians, counterclockwise. Where both widths are the same it has no
    meaning: fix it at zero for round spots, and for those along the axes. A background is added:
    ``Gaussian2D() + Constant()``.

    Examples
    --------
    >>> from numopt.models import Gaussian2D
    >>> model = Gaussian2D()
    >>> model.parameters
    ('amplitude', 'center_x', 'center_y', 'sigma_x', 'sigma_y', 'angle')
    >>> model([1.0, 3.0], 5.0, 1.0, 3.0, 1.0, 2.0, 0.3)
    5.0
    """

    inputs = 2
    _rows, _names = "gaussian_2d", ("amplitude", "center_x", "center_y", "sigma_x", "sigma_y", "angle")
    _lower = (-np.inf, -np.inf, -np.inf, 0.0, 0.0, -np.inf)
    _formula = (
        "amplitude * exp(-(cos(angle) * (x - center_x) + sin(angle) * (y - center_y))**2 / (2 * sigma_x**2)"
        " - (cos(angle) * (y - center_y) - sin(angle) * (x - center_x))**2 / (2 * sigma_y**2))"
    )

    def _grid(self, x, y):
        return _grids.places_and_widths_2d(x)

    def _near(self, theta, s, x):
        d = _grids.steps(s, 5)
        cx, cy, sx, sy, angle = theta
        return np.column_stack([
            cx + 0.7 * d[:, 0] * sx, cy + 0.7 * d[:, 1] * sy, sx * 2.0 ** d[:, 2], sy * 2.0 ** d[:, 3],
            angle + 0.25 * np.pi * d[:, 4],
        ])  # fmt: skip
