"""The formulas behind a fit: weighted residuals, what measures it, quantiles, bands.

Notation: m observations y, k estimated parameters (neither fixed nor tied), fitted values f, residuals e = y - f; the
weighted residuals are w = e / sigma, or L^-1 e with L L' the given covariance, or e.  chi2 = w'w.
"""

import numbers

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
    # what is held (fixed, or at a bound) has no variance here; an unknown one (inf) shows as inf or NaN
    C = np.where(np.isnan(fit.pcov), 0.0, fit.pcov)
    C[fit.fixed], C[:, fit.fixed] = 0.0, 0.0
    with np.errstate(invalid="ignore"):
        return f, np.maximum(np.einsum("ij,jk,ik->i", J, C, J), 0.0)


def new_variance(fit, x, sigma):
    """The variance of a new observation at x around its mean."""
    if sigma is None and fit.sigma is not None:
        sigma = fit.sigma if np.ndim(fit.sigma) < 2 else np.sqrt(np.diag(fit.sigma))
        if np.ptp(sigma) == 0.0:
            sigma = float(np.ravel(sigma)[0])
        elif x is not fit.x:
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
    from scipy.stats import nbinom, poisson

    tail = 0.5 * (1.0 - level)
    r = mu**2 / np.maximum(v, 1e-12 * mu**2 + np.finfo(float).tiny)
    found = []
    for p in (tail, 1.0 - tail):
        # nearly no uncertainty of the mean: a plain Poisson distribution, without cancellation in r / (r + mu)
        plain = v <= 1e-9 * mu
        with np.errstate(all="ignore"):
            found.append(np.where(plain, poisson.ppf(p, mu), nbinom.ppf(p, r, r / (r + mu))))
    return found[0], found[1]
