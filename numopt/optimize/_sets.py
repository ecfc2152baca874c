"""Sets that are easily projected onto, as constraints: the simplex and the ball."""

import numpy as np


def _number(value, name, least):
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "fiu" or not least < float(number) < np.inf:
        raise ValueError(f"{name} must be a positive, finite number; got {value!r:.60}")
    return float(number)


class Simplex:
    """The simplex x >= 0, sum(x) = total, as a constraint of :func:`numopt.minimize`.

    Every method that takes linear constraints takes it; ``'projected-gradient'`` projects onto it.

    Parameters
    ----------
    total : float, optional
        The sum of the variables.

    Examples
    --------
    >>> import numopt
    >>> nearest = numopt.minimize(lambda x: (x[0] - 2)**2 + x[1]**2 + (x[2] - 1.5)**2, [0.2, 0.3, 0.5],
    ...                           method='projected-gradient', constraints=numopt.Simplex())
    >>> nearest.x.round(4).tolist()
    [0.75, 0.0, 0.25]
    """

    def __init__(self, total=1.0):
        self.total = _number(total, "total", 0.0)

    def __repr__(self):
        return f"Simplex(total={self.total:g})"


class Ball:
    """The ball norm(x - center) <= radius, in the Euclidean norm, as a constraint of :func:`numopt.minimize`.

    Every method that takes inequalities takes it, as one constraint, (x - center)'(x - center) <= radius squared, to
    which its multiplier belongs; ``'projected-gradient'`` projects onto it.

    Parameters
    ----------
    radius : float, optional
    center : float or array_like of shape (n,), optional

    Examples
    --------
    >>> import numopt
    >>> lowest = numopt.minimize(lambda x: x[0] + x[1], [0.1, 0.0], method='projected-gradient',
    ...                          constraints=numopt.Ball(2.0, center=[1.0, 0.0]))
    >>> lowest.x.round(4).tolist(), lowest.multipliers[0].round(4).tolist()
    ([-0.4142, -1.4142], [-0.3536])
    """

    def __init__(self, radius=1.0, center=0.0):
        self.radius = _number(radius, "radius", 0.0)
        self.center = np.array(center, dtype=float)
        if self.center.ndim > 1 or not np.isfinite(self.center).all():
            raise ValueError(f"center must be a number or a vector, finite; got {center!r:.60}")

    def __repr__(self):
        return f"Ball(radius={self.radius:g}, center={self.center.tolist()})"
