r"""Intervals of the parameters of a fit: Wald's, and by profile likelihood.

With S(theta) the least 2 cost over all other parameters, theta_j held at theta, and s2 the variance of the noise,

.. math::

    \tau(\theta) = \operatorname{sign}(\theta - \hat\theta_j)\, \sqrt{(S(\theta) - S(\hat\theta_j)) / s^2}    (1)

is Student's t for a linear model; an end of the interval is where abs(tau) is its quantile (the normal distribution's
where the noise is known: S then is -2 ln L but for a constant).  That is the F criterion of 1 and dof, and for known
noise the chi-square criterion.

Reference: D. M. Bates and D. G. Watts, Nonlinear Regression Analysis and Its Applications, Wiley 1988, ch. 6.
"""

import numpy as np

from numopt.optimize._fit_statistics import quantile
from numopt.optimize._root_scalar import root_scalar
from numopt.optimize._warn import warn

_TRIES = 9  # steps outwards; from the fourth on each is 4, 8, 16, ... times the last: up to 1e9 standard errors in all
_SECANT = 3  # of them that trust tau to be nearly straight
_XTOL = 1e-7  # of the interval's half
_TOP = 10.0  # times the quantile: what tau counts as at most, a model that can't be fitted included
_JUMP = 0.01  # times the quantile: how far from it tau is at an end that is none
_LOWER = 1e-3  # of tau squared: a decrease of S that is not rounding


class Interval(tuple):
    """The two ends of an interval, ``low, high = interval``, and what is to be said of them.

    Attributes
    ----------
    lower, upper : float
    note : str
        Empty, or why an end is a bound, infinite, or not there.

    Examples
    --------
    >>> from numopt.optimize._fit_profile import Interval
    >>> low, high = Interval(1.0, 2.0)
    >>> high
    2.0
    """

    note: str

    def __new__(cls, lower, upper, note=""):
        """A tuple of the two."""
        self = super().__new__(cls, (float(lower), float(upper)))
        self.note = note
        return self

    lower = property(lambda self: self[0], doc="The lower end.")
    upper = property(lambda self: self[1], doc="The upper end.")

    def __getnewargs__(self):
        return self[0], self[1], self.note

    def __repr__(self):
        return f"Interval({self[0]:.6g}, {self[1]:.6g}" + (f", {self.note!r})" if self.note else ")")


def wald(fit, level):
    """popt -+ quantile * stderr of each parameter."""
    q = quantile(fit, level)
    found = {}
    for j, name in enumerate(fit.names):
        value, note = float(fit.popt[j]), ""
        half = q * float(fit.stderr[j])
        if fit.fixed[j]:
            half, note = 0.0, "fixed"
        elif fit.at_bound(j):
            note = f"at its {fit.at_bound(j)} bound: no standard error"
        found[name] = Interval(value - half, value + half, note)
    return found


def profile(fit, level):
    """Ends where (1) is the quantile."""
    q = quantile(fit, level)
    if fit.refit is None:
        raise ValueError("this fit has no refits to make a profile of; method='wald' needs none")
    if not np.isfinite(q) or not fit.noise_variance > 0:
        raise ValueError("there is no noise to measure a profile by (no degrees of freedom, or an exact fit)")
    found = wald(fit, level)
    for j, name in enumerate(fit.names):
        if name in fit.tied:
            found[name] = Interval(*found[name], "tied: Wald's interval")
        elif not fit.fixed[j]:
            search = _Profile(fit, j, q)
            (low, first), (high, second) = search.end(-1), search.end(1)
            found[name] = Interval(low, high, "; ".join(note for note in (first, second) if note))
    return found


class _Profile:
    """The profile of parameter j as far as it is known."""

    def __init__(self, fit, j, q):
        self.fit, self.j, self.q = fit, j, q
        self.best = float(fit.popt[j])
        self.known = {self.best: (0.0, np.array(fit.popt, float))}
        variance = fit.pcov[j, j]
        good = np.isfinite(variance) and variance > 0
        # the others follow theta_j along their covariance: where the profile begins
        self.slope = fit.pcov[:, j] / variance if good else np.zeros(fit.popt.size)
        self.slope = np.where(np.isfinite(self.slope) & ~fit.fixed, self.slope, 0.0)
        self.step = q * float(np.sqrt(variance)) if good else 0.1 * (abs(self.best) or 1.0)

    def tau(self, theta):
        """abs(tau) of (1); at most ten quantiles."""
        if theta not in self.known:
            self.known[theta] = self._refit(theta)
        return self.known[theta][0]

    def _refit(self, theta):
        fit, top = self.fit, _TOP * self.q
        # from the nearest point of the profile; what is at the top has gone astray, and would lead others there
        near = min((at for at, (tau, _) in self.known.items() if tau < top), key=lambda at: abs(at - theta))
        params = self.known[near][1]
        for slope in (self.slope, 0.0):
            start = np.clip(params + (theta - near) * slope, fit.lower, fit.upper)
            start[self.j] = theta
            try:
                popt, cost = fit.refit({self.j: theta}, start)
            except (ArithmeticError, ValueError):  # the model is not defined there
                continue
            if not np.isfinite(cost):
                continue
            excess = 2.0 * (cost - fit.cost) / fit.noise_variance
            if excess < -_LOWER:
                warn(
                    f"with {fit.names[self.j]} held at {theta:.6g} the others fit better than in the fit itself, "
                    "which is no minimum: start it from there"
                )
            if excess < top**2:
                return np.sqrt(max(excess, 0.0)), np.array(popt, float)
        return top, None

    def end(self, sign):
        """(end, note) on one side."""
        q, side = self.q, "lower" if sign < 0 else "upper"
        limit = float((self.fit.lower if sign < 0 else self.fit.upper)[self.j])
        inside, step = self.best, self.step
        for k in range(_TRIES):
            theta = float(self.best + sign * step)
            if not np.isfinite(theta):
                break
            theta = limit if sign * (theta - limit) >= 0 else theta
            tau = self.tau(theta)
            if tau >= q:
                return self._between(inside, theta, side)
            if theta == limit:
                return limit, f"ends at its {side} bound"
            inside = theta
            # a little farther than a straight tau would say; then farther and farther
            step *= min(1.1 * q / max(tau, 1e-3 * q), 10.0) if k < _SECANT else 2.0 ** (k - 1)
        return sign * np.inf, f"no {side} end: the profile stays below the level"

    def _between(self, inside, outside, side):
        tolerance = _XTOL * abs((outside if inside == self.best else inside) - self.best)
        found = root_scalar(
            lambda theta: self.tau(float(theta)) - self.q, bracket=(inside, outside), method="brentq", xtol=tolerance
        )
        # a jump: beyond it nothing could be fitted
        cut = abs(self.tau(float(found.root)) - self.q) > _JUMP * self.q
        return float(found.root), f"{side} end: the model can't be fitted beyond" if cut else ""
