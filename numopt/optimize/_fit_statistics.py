"""The formulas behind a fit: weighted residuals, what measures it, quantiles, bands.

Notation: m observations y, k estimated parameters (neither fixed nor tied), fitted values f, residuals e = y - f; the
weighted residuals are w = e / sigma, or L^-1 e with L L' the given covariance, or e.  chi2 = w'w.
"""

import numbers
from functools import cached_property

import numpy as np


def check_level(level):
    """A number between 0 and 1."""
    if isinstance(level, bool) or not isinstance(level, numbers.Real) or not 0 < level < 1:
        raise ValueError(f"level must be a number between 0 and 1, as 0.95; got {level!r}")
    return float(level)


def quantile(fit, level):
    """The two-sided quantile: of the normal distribution where the noise is known, else of Student's t."""
    from scipy.special import ndtri, stdtrit

    p = 0.5 * (1.0 + check_level(level))
    if fit.noise_known:
        return float(ndtri(p))
    return float(stdtrit(fit.dof, p)) if fit.dof > 0 else np.nan


def whiten(sigma, v):
    """v in units of its standard deviations, of unit covariance."""
    if sigma is None:
        return v
    if np.ndim(sigma) < 2:
        return v / sigma
    from scipy.linalg import cholesky, solve_triangular

    return solve_triangular(cholesky(sigma, lower=True), v, lower=True)


def log_determinant(sigma, m):
    """sum(ln sigma), the logarithm of the determinant of L."""
    if sigma is None:
        return 0.0
    if np.ndim(sigma) < 2:
        return float(np.sum(np.log(np.broadcast_to(sigma, (m,)))))
    return 0.5 * float(np.linalg.slogdet(sigma)[1])


def deviance(y, mu):
    """2 sum(y ln(y / mu) - (y - mu)) of counts y."""
    from scipy.special import xlogy

    return 2.0 * float(np.sum(xlogy(y, y) - xlogy(y, mu) - (y - mu)))


def r_squared(fit):
    """1 - chi2 / chi2 of the best constant; with counts the same of the deviances."""
    if fit.likelihood == "poisson":
        left = 2.0 * fit.cost
        total = deviance(fit.y, np.full(fit.y.shape, np.mean(fit.y)))
    else:
        left = fit.chisqr
        ones, y = whiten(fit.sigma, np.ones(fit.y.shape)), whiten(fit.sigma, fit.y)
        total = float(np.sum((y - ones * (ones @ y) / (ones @ ones)) ** 2))
    return 1.0 - left / total if total > 0 else np.nan


def log_likelihood(fit):
    """ln L at its maximum, (1) to (3) of FitResult; NaN with a robust loss, which is no likelihood."""
    if fit.likelihood == "poisson":
        from scipy.special import gammaln, xlogy

        return float(np.sum(xlogy(fit.y, fit.fitted) - fit.fitted - gammaln(fit.y + 1.0)))  # (3)
    if fit.loss != "linear":
        return np.nan
    m, chi2 = fit.y.size, fit.chisqr
    rest = log_determinant(fit.sigma, m) + 0.5 * m * np.log(2.0 * np.pi)
    if fit.absolute_sigma:
        return float(-0.5 * chi2 - rest)  # (1)
    with np.errstate(divide="ignore"):
        return float(-0.5 * m * (np.log(chi2 / m) + 1.0) - rest)  # (2)


def correlation_of(covariance):
    """The correlations; NaN where a parameter has no variance."""
    with np.errstate(all="ignore"):
        s = np.sqrt(np.diag(covariance))
        found = covariance / np.outer(s, s)
    found[~np.isfinite(found)] = np.nan
    return found


def mean_variance(fit, x):
    """(f, variance of f) at x by the delta method: g' C g with g the derivatives of the model."""
    f = fit.predict(x)
    J = np.asarray(fit.jacobian(x, fit.popt), float)
    # what is held at a bound has no variance here; an infinite one makes an infinite band
    C = np.where(np.isnan(fit.pcov), 0.0, fit.pcov)
    with np.errstate(invalid="ignore"):
        v = np.maximum(np.sum((J @ C) * J, axis=1), 0.0)
    return f, np.where(np.isnan(v), np.inf, v)


def new_variance(fit, x, sigma):
    """The variance of a new observation at x around its mean."""
    if sigma is None and fit.sigma is not None:
        sigma = fit.sigma if np.ndim(fit.sigma) < 2 else np.sqrt(np.diag(fit.sigma))
        if np.ptp(sigma) == 0.0:
            sigma = float(np.ravel(sigma)[0])
        elif not np.array_equal(x, fit.x):
            raise ValueError(
                "sigma is needed, the standard deviations of new observations at x: those of the fit's own differ"
            )
    elif sigma is not None:
        sigma = np.asarray(sigma, float)
        if not (np.isfinite(sigma).all() and (sigma > 0).all()):
            raise ValueError("sigma must be positive numbers, one or as many as x has points")
    return fit.noise_variance * (1.0 if sigma is None else sigma**2)


def count_band(mu, v, level):
    """Quantiles of counts whose mean is gamma distributed with mean mu and variance v: negative binomial."""
    from scipy.stats import nbinom

    # a variance of no more than 1e-8 of the noise's makes no difference, and without any r would be infinite
    r = mu**2 / np.maximum(v, 1e-8 * mu)
    tail = 0.5 * (1.0 - level)
    low, high = (nbinom.ppf(p, r, r / (r + mu)) for p in (tail, 1.0 - tail))
    return low, high


class Statistics:
    """The part of :class:`numopt.FitResult` that says how good a fit is."""

    @cached_property
    def fitted(self):
        """The model at the data, (m,)."""
        return self.predict(self.x)

    @property
    def residuals(self):
        """y - fitted, (m,)."""
        return self.y - self.fitted

    @cached_property
    def weighted_residuals(self):
        """Residuals over sigma (or by the covariance's factor); of counts, Pearson's: over the root of fitted."""
        if self.likelihood == "poisson":
            return self.residuals / np.sqrt(self.fitted)
        return whiten(self.sigma, self.residuals)

    @property
    def n_estimated(self):
        """How many parameters were estimated: all but fixed and tied ones."""
        return sum(not held and name not in self.tied for name, held in zip(self.names, self.fixed, strict=True))

    @property
    def dof(self):
        """Degrees of freedom: observations less estimated parameters, and one for each row of ``n_active``."""
        return self.y.size - self.n_estimated + self.n_active

    @property
    def chisqr(self):
        """The sum of squares of the weighted residuals, without the loss."""
        return float(np.sum(self.weighted_residuals**2))

    @property
    def redchi(self):
        """chisqr / dof: near 1 where sigma and model are right; NaN without degrees of freedom."""
        return self.chisqr / self.dof if self.dof > 0 else np.nan

    @property
    def r2(self):
        """1 - chisqr / chisqr of the best constant; of counts, the same of the deviances."""
        return r_squared(self)

    @property
    def r2_adjusted(self):
        """1 - (1 - r2) (m - 1) / dof."""
        return 1.0 - (1.0 - self.r2) * (self.y.size - 1) / self.dof if self.dof > 0 else np.nan

    @property
    def noise_known(self):
        """Whether the size of the noise is known: ``absolute_sigma``, and counts."""
        return bool(self.absolute_sigma) or self.likelihood == "poisson"

    @property
    def noise_variance(self):
        """The factor of sigma squared: 1 where the noise is known, else 2 cost / dof."""
        if self.noise_known:
            return 1.0
        return 2.0 * float(self.cost) / self.dof if self.dof > 0 else np.nan

    @property
    def log_likelihood(self):
        """ln L by (1), (2) or (3) of the notes."""
        return log_likelihood(self)

    @property
    def _p(self):
        return self.y.size - self.dof + (not self.noise_known)

    @property
    def aic(self):
        """Akaike's criterion, 2 p - 2 ln L."""
        return 2.0 * self._p - 2.0 * self.log_likelihood

    @property
    def aicc(self):
        """aic + 2 p (p + 1) / (m - p - 1), for few observations."""
        p, room = self._p, self.y.size - self._p - 1
        return self.aic + 2.0 * p * (p + 1) / room if room > 0 else np.nan

    @property
    def bic(self):
        """The Bayesian criterion, p ln m - 2 ln L."""
        return self._p * float(np.log(self.y.size)) - 2.0 * self.log_likelihood
