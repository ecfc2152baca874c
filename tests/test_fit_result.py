"""``FitResult``: its statistics against closed forms, its intervals against published ones, how it is shown."""

import json
import math
import pickle
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

import numopt
from numopt import FitResult

X = np.array([0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1])
Y = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])  # Puromycin, treated: Bates and Watts, A1.3


def michaelis_menten(x, vmax, k):
    return vmax * x / (k + x)


def line(x, a, b):
    return a + b * x


def exponential(x, a, b):
    return a * np.exp(-b * x)


def constant_and_decay(x, a, b, c):
    return a * np.exp(-b * x) + c


def slopes(model, params, x):
    """Derivatives by central differences."""
    columns = []
    for j, p in enumerate(params):
        h = 6e-6 * max(abs(p), 1e-3)
        up, down = params.copy(), params.copy()
        up[j], down[j] = p + h, p - h
        columns.append((model(x, *up) - model(x, *down)) / (up[j] - down[j]))
    return np.stack(columns, axis=1)


class Problem:
    """A fit by ``least_squares``, made into a FitResult: picklable."""

    def __init__(self, model, x, y, p0, sigma=None, absolute=False, bounds=None, fixed=None, loss="linear", names=None,
                 likelihood="gaussian", name=None):  # fmt: skip
        self.model, self.x, self.y, self.sigma, self.loss = model, x, y, sigma, loss
        self.likelihood, self.absolute, self.refits = likelihood, absolute, 0
        n = len(p0)
        low, high = (-np.inf, np.inf) if bounds is None else bounds
        self.lower = np.array(np.broadcast_to(np.asarray(low, float), n))
        self.upper = np.array(np.broadcast_to(np.asarray(high, float), n))
        self.held = dict(fixed or {})
        self.names = names or tuple("abcdefg"[:n])
        self.title = name or getattr(model, "__name__", "model")
        self.p0 = np.array(p0, float)

    def residuals(self, p):
        f = self.model(self.x, *p)
        if self.likelihood == "poisson":
            f = np.maximum(f, 1e-300)
            each = 2 * (scipy.special.xlogy(self.y, self.y / f) - (self.y - f))
            return np.sign(f - self.y) * np.sqrt(np.maximum(each, 0.0))
        if self.sigma is None:
            return f - self.y
        if self.sigma.ndim == 1:
            return (f - self.y) / self.sigma
        return scipy.linalg.solve_triangular(np.linalg.cholesky(self.sigma), f - self.y, lower=True)

    def solve(self, held, start):
        held = {**self.held, **held}
        lower, upper, start = self.lower.copy(), self.upper.copy(), np.array(start, float)
        for j, value in held.items():
            lower[j] = upper[j] = start[j] = value
        return numopt.least_squares(
            self.residuals, start, jac="3-point", bounds=(lower, upper), loss=self.loss, ftol=1e-14, xtol=1e-14,
            gtol=1e-14,
        )  # fmt: skip

    def refit(self, held, start):
        self.refits += 1
        if len({**self.held, **held}) == start.size:
            p = start.copy()
            p[list(held)] = list(held.values())
            return p, 0.5 * float(np.sum(self.residuals(p) ** 2))
        result = self.solve(held, start)
        return result.x, result.cost

    def jacobian(self, x, p):
        return slopes(self.model, np.array(p, float), x)

    def fit(self, **changed):
        result = self.solve({}, self.p0)
        fixed = np.isin(np.arange(result.x.size), list(self.held))
        J = self.jacobian(self.x, result.x)[:, ~fixed]
        if self.likelihood == "poisson":
            J = J / np.sqrt(self.model(self.x, *result.x))[:, None]
        elif self.sigma is not None and self.sigma.ndim == 1:
            J = J / self.sigma[:, None]
        elif self.sigma is not None:
            J = scipy.linalg.solve_triangular(np.linalg.cholesky(self.sigma), J, lower=True)
        pcov = np.zeros((result.x.size, result.x.size))
        scale = 1.0
        if not self.absolute and self.likelihood == "gaussian":
            scale = 2 * result.cost / (self.y.size - J.shape[1])
        pcov[np.ix_(~fixed, ~fixed)] = scale * np.linalg.inv(J.T @ J)
        fields = dict(
            names=self.names, popt=result.x, pcov=pcov, x=self.x, y=self.y, sigma=self.sigma,
            absolute_sigma=self.absolute, likelihood=self.likelihood, loss=self.loss, f_scale=1.0, model=self.model,
            model_name=self.title, jacobian=self.jacobian, cost=result.cost, lower=self.lower, upper=self.upper,
            fixed=fixed, tied={}, active_mask=np.where(fixed, 0, result.active_mask), nfev=result.nfev,
            njev=result.njev, nit=result.nit, status=result.status, message=result.message, success=result.success,
            method="lm", refit=self.refit,
        )  # fmt: skip
        return FitResult((result.x, pcov), **{**fields, **changed})


@pytest.fixture(scope="module")
def puromycin():
    return Problem(michaelis_menten, X, Y, [200.0, 0.1], names=("vmax", "k")).fit()


# --- against closed forms


@pytest.fixture(scope="module")
def straight():
    rng = np.random.default_rng(1)
    x = np.linspace(0, 4, 15)
    return Problem(line, x, 1.0 + 2.0 * x + 0.3 * rng.standard_normal(15), [0.0, 0.0]).fit()


def test_a_linear_model_has_the_errors_and_intervals_of_the_textbook(straight):
    fit = straight
    A = np.stack([np.ones(15), fit.x], axis=1)
    b, rss = np.linalg.lstsq(A, fit.y, rcond=None)[:2]
    C = rss[0] / 13 * np.linalg.inv(A.T @ A)
    t = scipy.stats.t.ppf(0.95, 13)
    assert fit.dof == 13 and fit.popt == pytest.approx(b, rel=1e-8)
    assert fit.stderr == pytest.approx(np.sqrt(np.diag(C)), rel=1e-6)
    assert fit.correlation[0, 1] == pytest.approx(C[0, 1] / math.sqrt(C[0, 0] * C[1, 1]))
    for method in ("wald", "profile"):  # the same for a linear model
        for j, (low, high) in enumerate(fit.confidence_intervals(0.9, method).values()):
            assert [low, high] == pytest.approx(b[j] + np.array([-t, t]) * math.sqrt(C[j, j]), rel=1e-5), method
    at = np.array([-1.0, 2.0, 9.0])
    g = np.stack([np.ones(3), at], axis=1)
    v = np.einsum("ij,jk,ik->i", g, C, g)
    low, high = fit.confidence_band(at, 0.9)
    assert low == pytest.approx(g @ b - t * np.sqrt(v), rel=1e-6)
    assert high == pytest.approx(g @ b + t * np.sqrt(v), rel=1e-6)
    low, high = fit.prediction_band(at, 0.9)
    assert high - low == pytest.approx(2 * t * np.sqrt(v + rss[0] / 13), rel=1e-6)
    assert fit.predict([-1.0, 2.0]) == pytest.approx(b[0] + b[1] * at[:2])


def test_statistics_of_the_textbook(straight):
    fit = straight
    rss = float(np.sum((fit.y - fit.popt[0] - fit.popt[1] * fit.x) ** 2))
    assert fit.chisqr == pytest.approx(rss) and fit.redchi == pytest.approx(rss / 13)
    r2 = scipy.stats.linregress(fit.x, fit.y).rvalue ** 2
    assert fit.r2 == pytest.approx(r2) and fit.r2_adjusted == pytest.approx(1 - (1 - r2) * 14 / 13)
    likelihood = scipy.stats.norm.logpdf(fit.y, fit.fitted, math.sqrt(rss / 15)).sum()  # sigma at its maximum
    assert fit.log_likelihood == pytest.approx(likelihood)
    assert fit.aic == pytest.approx(6 - 2 * likelihood) and fit.bic == pytest.approx(3 * math.log(15) - 2 * likelihood)
    assert fit.aicc == pytest.approx(fit.aic + 24 / 11)
    assert fit.residuals == pytest.approx(fit.y - fit.fitted)


def spread(m):
    return 0.1 * (1 + np.arange(m) % 3)


def weighted(absolute, matrix=False):
    rng = np.random.default_rng(2)
    x, sigma = np.linspace(0, 4, 20), spread(20)
    noise = np.diag(sigma**2) + (0.02 * 0.6 ** abs(np.subtract.outer(np.arange(20), np.arange(20))) if matrix else 0.0)
    y = 1.0 + 2.0 * x + np.linalg.cholesky(noise) @ rng.standard_normal(20)
    return Problem(line, x, y, [0.0, 0.0], noise if matrix else sigma, absolute).fit(), noise


@pytest.mark.parametrize("matrix", [False, True])
def test_known_noise_is_taken_as_it_stands(matrix):
    fit, noise = weighted(True, matrix)
    A = np.stack([np.ones(20), fit.x], axis=1)
    W = np.linalg.inv(noise)
    C = np.linalg.inv(A.T @ W @ A)
    b = C @ A.T @ W @ fit.y
    e = fit.y - A @ b
    assert fit.popt == pytest.approx(b, rel=1e-7) and fit.stderr == pytest.approx(np.sqrt(np.diag(C)), rel=1e-6)
    assert fit.chisqr == pytest.approx(e @ W @ e) and fit.redchi == pytest.approx(e @ W @ e / 18)
    z = scipy.stats.norm.ppf(0.975)
    for method in ("wald", "profile"):
        for j, interval in enumerate(fit.confidence_intervals(method=method).values()):
            assert interval == pytest.approx((b[j] - z * math.sqrt(C[j, j]), b[j] + z * math.sqrt(C[j, j])), rel=1e-5)
    likelihood = scipy.stats.multivariate_normal.logpdf(fit.y, A @ b, noise)
    assert fit.log_likelihood == pytest.approx(likelihood)
    assert fit.aic == pytest.approx(4 - 2 * likelihood) and fit.bic == pytest.approx(2 * math.log(20) - 2 * likelihood)
    one = np.ones(20)
    rest = fit.y - (one @ W @ fit.y) / (one @ W @ one)
    assert fit.r2 == pytest.approx(1 - (e @ W @ e) / (rest @ W @ rest))


@pytest.mark.parametrize("matrix", [False, True])
def test_noise_known_up_to_a_factor(matrix):
    fit, noise = weighted(False, matrix)
    factor = fit.chisqr / 20
    assert fit.log_likelihood == pytest.approx(
        scipy.stats.multivariate_normal.logpdf(fit.y, fit.fitted, factor * noise), rel=1e-9
    )
    assert fit.aic == pytest.approx(6 - 2 * fit.log_likelihood)  # the factor is a parameter
    assert fit.noise_variance == pytest.approx(fit.chisqr / 18)


def test_new_observations_have_the_noise_that_they_are_said_to_have():
    fit, _ = weighted(True)
    at = np.array([1.0, 2.0])
    with pytest.raises(ValueError, match="sigma is needed"):
        fit.prediction_band(at)
    mean = (np.diff(fit.confidence_band(at), axis=0)[0] / (2 * 1.959963984540054)) ** 2
    wide = np.diff(fit.prediction_band(at, sigma=[0.5, 2.0]), axis=0)[0]
    assert (wide / (2 * 1.959963984540054)) ** 2 == pytest.approx(mean + np.array([0.25, 4.0]))
    mean = (np.diff(fit.confidence_band(fit.x), axis=0)[0] / (2 * 1.959963984540054)) ** 2
    own = np.diff(fit.prediction_band(fit.x.copy()), axis=0)[0]
    assert (own / (2 * 1.959963984540054)) ** 2 == pytest.approx(mean + spread(20) ** 2)
    with pytest.raises(ValueError, match="sigma must be positive"):
        fit.prediction_band(at, sigma=0.0)


def test_bands_cover_what_they_say():
    rng = np.random.default_rng(3)
    x, at = np.linspace(0, 3, 12), np.array([0.5, 2.0])
    truth, many, mean, new = exponential(at, 5.0, 0.8), 250, 0, 0
    for _ in range(many):
        y = exponential(x, 5.0, 0.8) + 0.2 * rng.standard_normal(12)
        fit = Problem(exponential, x, y, [5.0, 0.8]).fit()
        low, high = fit.confidence_band(at, 0.8)
        mean += ((low < truth) & (truth < high)).sum()
        low, high = fit.prediction_band(at, 0.8)
        z = truth + 0.2 * rng.standard_normal(2)
        new += ((low < z) & (z < high)).sum()
    # 500 looks: 3 standard errors of the share are 0.054
    assert abs(mean / (2 * many) - 0.8) < 0.055 and abs(new / (2 * many) - 0.8) < 0.055


# --- intervals


def test_puromycin_as_published(puromycin):
    """Bates and Watts's data; the ends as printed by R's confint of an nls."""
    fit = puromycin
    assert fit.popt == pytest.approx([212.7, 0.06412], rel=1e-4)
    assert fit.stderr == pytest.approx([6.947, 0.008281], rel=1e-4)
    found = fit.confidence_intervals()
    assert found["vmax"] == pytest.approx((197.30, 229.29), abs=0.006)
    assert found["k"] == pytest.approx((0.04692, 0.08616), abs=6e-6)
    assert found["k"].note == "" and found["k"].lower == found["k"][0] and found["k"].upper == found["k"][1]


def test_a_profile_takes_few_refits():
    problem = Problem(michaelis_menten, X, Y, [200.0, 0.1])
    problem.fit().confidence_intervals()
    assert problem.refits <= 4 * 7  # four ends


def test_a_refit_that_goes_astray_does_not_lead_the_others():
    """NIST's Rat43: the first step leaves the profile, and all later ones followed: an end of 4.09, as of a cliff."""
    data = numopt.problems.nist("Rat43")

    def model(x, b1, b2, b3, b4):
        return b1 / (1 + np.exp(b2 - b3 * x)) ** (1 / b4)

    with np.errstate(all="ignore"):
        problem = Problem(model, data.predictors["x"], data.response, data.starts[1])
        fit = problem.fit()
        assert fit.popt == pytest.approx(data.certified, rel=1e-7)
        assert fit.stderr == pytest.approx(data.deviations, rel=1e-5)
        low, high = fit.confidence_intervals()["b"]
        assert low == pytest.approx(0.44824, abs=1e-4) and high == pytest.approx(12.4922, abs=1e-3)
        cost = problem.refit({1: low}, np.array([721.2, low, 0.469, 0.109]))[1]
    tau = math.sqrt(2 * (cost - fit.cost) / fit.noise_variance)
    assert tau == pytest.approx(scipy.stats.t.ppf(0.975, 11), rel=1e-5)


def test_counts():
    y = np.array([3.0, 7.0, 4.0, 6.0, 5.0, 9.0])
    fit = Problem(lambda x, a: a + 0.0 * x, np.arange(6.0), y, [4.0], likelihood="poisson").fit()
    mean = y.mean()
    assert fit.popt == pytest.approx([mean]) and fit.stderr == pytest.approx([math.sqrt(mean / 6)], rel=1e-6)
    (interval,) = fit.confidence_intervals().values()
    for end in interval:  # 2 (ln L(mean) - ln L(end)) is the quantile of chi-square
        ratio = 2 * (scipy.stats.poisson.logpmf(y, mean).sum() - scipy.stats.poisson.logpmf(y, end).sum())
        assert ratio == pytest.approx(scipy.stats.chi2.ppf(0.95, 1), rel=1e-5)
    assert interval[0] < mean < interval[1]
    assert fit.log_likelihood == pytest.approx(scipy.stats.poisson.logpmf(y, mean).sum())
    assert fit.aic == pytest.approx(2 - 2 * fit.log_likelihood) and fit.r2 == pytest.approx(0.0, abs=1e-12)
    assert fit.chisqr == pytest.approx(((y - mean) ** 2 / mean).sum())
    low, high = fit.confidence_band(np.zeros(1))
    assert high - low == pytest.approx(2 * 1.959963984540054 * math.sqrt(mean / 6), rel=1e-6)
    low, high = fit.prediction_band(np.zeros(1), 0.9)
    v = mean / 6
    both = scipy.stats.nbinom(mean**2 / v, mean / (mean + v))
    assert [low[0], high[0]] == [both.ppf(0.05), both.ppf(0.95)]
    assert both.cdf(high[0]) - both.cdf(low[0] - 1) >= 0.9
    fit.pcov[:] = 0.0
    assert fit.prediction_band(np.zeros(1), 0.9)[1][0] == scipy.stats.poisson(mean).ppf(0.95)
    fit.pcov[:] = 100.0
    assert fit.confidence_band(np.zeros(1))[0][0] == 0.0  # a mean is no less


def test_an_interval_ends_at_a_bound():
    fit = Problem(michaelis_menten, X, Y, [200.0, 0.07], bounds=([0.0, 0.06], [220.0, 0.08])).fit()
    found = fit.confidence_intervals()
    assert found["a"][1] == 220.0 and found["a"].note == "ends at its upper bound"
    assert found["b"] == (0.06, 0.08) and found["b"].note == "ends at its lower bound; ends at its upper bound"
    assert fit.confidence_intervals(method="wald")["a"].note == ""


def test_a_parameter_at_its_bound_has_an_interval_but_no_standard_error():
    fit = Problem(michaelis_menten, X, Y, [200.0, 0.1], bounds=([0.0, 0.0], [205.0, 1.0])).fit()
    assert fit.params["a"] == 205.0 and np.isnan(fit.stderr[0]) and fit.stderr[1] > 0
    low, high = fit.confidence_intervals()["a"]
    assert high == 205.0 and 190.0 < low < 203.0
    problem = Problem(michaelis_menten, X, Y, [200.0, 0.1])
    excess = 2 * (problem.refit({0: low}, np.array([low, 0.06]))[1] - fit.cost) / fit.noise_variance
    assert math.sqrt(excess) == pytest.approx(scipy.stats.t.ppf(0.975, 10), rel=1e-5)
    assert fit.confidence_intervals(method="wald")["a"].note == "at its upper bound: no standard error"
    assert np.isnan(fit.correlation[0]).all()
    row = next(text for text in fit.report().splitlines() if text.startswith("a "))
    assert row.split()[2] == "-" and row.endswith("at its upper bound: no standard error")


def test_a_profile_that_stays_below_the_level_has_no_end():
    """With so few points the decay may be as fast as it likes."""
    x, y = np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([1.0, 0.12, 0.02, -0.06, 0.05])
    problem = Problem(exponential, x, y, [1.0, 2.0])
    found = problem.fit().confidence_intervals(0.95)["b"]
    assert found[1] == np.inf and found.note == "no upper end: the profile stays below the level"
    assert 0.5 < found[0] < 2.0
    assert problem.refits < 60


def test_a_model_that_ends_somewhere():
    """The square root of a negative number: no fit beyond, and no crash."""

    def root(x, a, b):
        return a * np.sqrt(x - b)

    def strict(x, a, b):
        if b > x[0]:
            raise ValueError("math domain error")
        return root(x, a, b)

    x = np.array([1.0, 1.5, 2.0, 3.0])
    fit = Problem(strict, x, root(x, 2.0, 0.9) + np.array([0.4, -0.3, 0.2, -0.3]), [2.0, 0.5]).fit()
    found = fit.confidence_intervals()["b"]
    assert found[1] == pytest.approx(1.0, abs=1e-4) and "upper end: the model can't be fitted beyond" in found.note


def test_fixed_and_tied_parameters():
    problem = Problem(constant_and_decay, X, 300 - Y, [200.0, 5.0, 95.0], fixed={2: 95.0})
    fit = problem.fit()
    assert fit.n_estimated == 2 and fit.dof == 10 and fit.stderr[2] == 0.0
    assert fit.confidence_intervals()["c"] == (95.0, 95.0) and fit.confidence_intervals()["c"].note == "fixed"
    row = next(text for text in fit.report().splitlines() if text.startswith("c "))
    assert row.split() == ["c", "95", "-", "fixed"]
    fit.tied = {"b": "a / 40"}
    assert fit.n_estimated == 1
    found = fit.confidence_intervals()["b"]
    assert found == fit.confidence_intervals(method="wald")["b"] and found.note == "tied: Wald's interval"
    assert "tied: a / 40" in fit.report() and fit.to_dict()["parameters"][1]["tied"] == "a / 40"


def test_a_tied_parameter_marked_as_held_has_a_standard_error():
    fixed, tied = np.array([False, True]), {"b": "a / 3000"}
    fit = Problem(michaelis_menten, X, Y, [200.0, 0.1]).fit(fixed=fixed, tied=tied)
    assert fit.stderr[1] > 0 and not fit.fixed[1] and fit.n_estimated == 1


def test_a_fit_that_is_no_minimum_is_told(puromycin):
    fit = Problem(michaelis_menten, X, Y, [200.0, 0.1]).fit()
    fit.popt = np.array([200.0, 0.06])
    fit.cost = 0.5 * float(np.sum((Y - michaelis_menten(X, *fit.popt)) ** 2))
    with pytest.warns(numopt.OptimizeWarning, match="no minimum"):
        fit.confidence_intervals()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda fit: fit.confidence_intervals(95), "level must be a number between 0 and 1, as 0.95; got 95"),
        (lambda fit: fit.confidence_band(X, level=0.0), "level must be"),
        (lambda fit: fit.confidence_intervals(method="bootstrap"), "method must be 'profile' or 'wald'; got 'boot"),
    ],
)
def test_what_is_not_accepted(puromycin, call, words):
    with pytest.raises(ValueError, match=words):
        call(puromycin)


def test_no_profile_without_noise():
    fit = Problem(line, np.array([0.0, 1.0]), np.array([1.0, 2.0]), [0.0, 0.0], absolute=True).fit()
    assert fit.dof == 0 and np.isnan(fit.redchi) and np.isnan(fit.r2_adjusted)
    fit.absolute_sigma = False
    with pytest.raises(ValueError, match="no noise to measure"):
        fit.confidence_intervals()
    assert np.isnan(fit.confidence_intervals(method="wald")["a"]).all()
    fit.refit = None
    with pytest.raises(ValueError, match="method='wald' needs none"):
        fit.confidence_intervals()


def test_undetermined_parameters(puromycin):
    fit = Problem(michaelis_menten, X, Y, [200.0, 0.1]).fit()
    fit.pcov = np.full((2, 2), np.inf)
    assert fit.confidence_intervals(method="wald")["a"] == (-np.inf, np.inf)
    assert "the data don't determine it" in fit.report()
    assert np.isinf(fit.confidence_band(X)).all()
    assert fit.confidence_intervals()["a"] == pytest.approx((197.30, 229.29), abs=0.006)  # profiles need no pcov


# --- how it is shown


def test_it_is_a_tuple(puromycin):
    popt, pcov = puromycin
    assert popt is puromycin.popt and pcov is puromycin.pcov and isinstance(puromycin, tuple) and len(puromycin) == 2
    assert puromycin.params == {"vmax": popt[0], "k": popt[1]}
    assert repr(puromycin) == "FitResult(michaelis_menten: vmax = 212.684 ± 6.9, k = 0.0641213 ± 0.0083)"


def test_report(puromycin):
    lines = str(puromycin).splitlines()
    assert lines[0] == "michaelis_menten" and "sigma unknown, estimated" in lines[1] and "Converged" in lines[2]
    rows = {line.split()[0]: line for line in lines if line.startswith(("vmax ", "k "))}
    assert rows["vmax"].split() == ["vmax", "212.6837", "6.947", "3.27", "%", "[197.205,", "228.163]"]
    assert len({len(row) for row in rows.values()}) == 1
    assert "95 % interval (Wald)" in str(puromycin) and "note" not in str(puromycin)
    assert any(line.split() == ["vmax,", "k", "+0.7651"] for line in lines)
    assert "vmax, k" not in puromycin.report(min_correlation=0.9)
    assert "99 % interval (profile)" in puromycin.report(0.99, "profile")
    for name, value in (("chi-square", "1195.45"), ("R2", "0.961261"), ("AIC", "95.271")):
        assert any(line.split() == [name, value] for line in lines)


def test_report_of_other_fits():
    fit = Problem(michaelis_menten, X, Y, [200.0, 0.1], loss="soft_l1").fit()
    assert "loss soft_l1, f_scale 1" in str(fit) and np.isnan([fit.aic, fit.bic, fit.aicc, fit.log_likelihood]).all()
    assert any(text.split() == ["AIC", "-"] for text in str(fit).splitlines())
    fit.success = False
    assert "Not converged" in str(fit) and "Not converged" in fit.to_html() and "Not converged" in fit._repr_html_()
    assert "sigma as it stands" in str(weighted(True)[0]) and "sigma up to a factor" in str(weighted(False)[0])


class Reader(HTMLParser):
    """Elements nested as they should be, and the text of the cells."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.tags = [], [], set()
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th", "h1"):
            self.cells.append(data)


def test_page_is_whole_and_escaped(tmp_path):
    pytest.importorskip("matplotlib")
    nasty = "<script>alert('$x')</script>&"
    fit = Problem(michaelis_menten, X, Y, [200.0, 0.1], names=(nasty, "k"), name=nasty).fit()
    page = fit.to_html(tmp_path / "fit.html")
    assert (tmp_path / "fit.html").read_text(encoding="utf-8") == page
    found = Reader(page)
    assert "script" not in found.tags and "svg" in found.tags
    assert nasty in found.cells and "212.6837" in found.cells
    assert "http" not in page.replace("http-equiv", "")
    svg = page[page.index("<svg") : page.index("</svg>") + 6]
    words = " ".join(ElementTree.fromstring(svg).itertext())
    assert "95 % prediction band" in words and "residual" in words
    assert "var(--c0)" in svg
    piece = Reader(fit._repr_html_())
    assert nasty in piece.cells and "svg" not in piece.tags and "script" not in piece.tags


def test_without_matplotlib(puromycin, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = puromycin.to_html()
    assert "<svg" not in page and "No picture" in page and "pip install numopt-jit[plot]" in page
    with pytest.raises(ImportError, match="pip install"):
        puromycin.plot()


def test_plot(puromycin):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    fig, (above, below) = puromycin.plot()
    curve = next(drawn for drawn in above.lines if drawn.get_label() == "fit")
    x, y = curve.get_data()
    assert (x[0], x[-1]) == (0.02, 1.1) and y == pytest.approx(puromycin.predict(x))
    assert not above.title.get_parse_math()  # a dollar in a name is no formula
    assert above.get_title() == "michaelis_menten" and below.get_ylabel() == "residual"
    labels = [text.get_text() for text in above.get_legend().get_texts()]
    assert labels == ["95 % prediction band", "95 % confidence band", "fit", "data"]
    wide, narrow = (band.get_paths()[0].get_extents() for band in above.collections[:2])
    low, high = puromycin.prediction_band(x)
    assert (wide.y0, wide.y1) == pytest.approx((low.min(), high.max()))
    assert wide.height > narrow.height
    assert below.lines[-1].get_ydata() == pytest.approx(puromycin.residuals)
    fig, ax = plt.subplots()
    assert puromycin.plot(ax, level=0.5) == (fig, ax) and "50 % prediction band" in str(
        [text.get_text() for text in ax.get_legend().get_texts()]
    )
    fig, pair = plt.subplots(2)
    assert puromycin.plot(pair)[1] is pair and pair[1].lines
    for wrong in (3, (ax,), (ax, "b")):
        with pytest.raises(TypeError, match="ax must be matplotlib axes"):
            puromycin.plot(wrong)
    plt.close("all")


def test_plot_of_other_fits():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    fit, _ = weighted(True)
    above, below = fit.plot()[1]
    assert len(above.collections) == 2  # error bars and one band: no one sigma for new observations
    assert below.get_ylabel() == "residual / sigma"
    assert below.lines[-1].get_ydata() == pytest.approx((fit.y - fit.fitted) / spread(20))

    def only_here(x, a, b):
        return a + b * X * (x == X)

    fit = Problem(only_here, X, Y, [0.0, 1.0]).fit()
    curve = next(drawn for drawn in fit.plot()[1][0].lines if drawn.get_label() == "fit")
    assert curve.get_ydata() == pytest.approx(fit.fitted)

    def plane(x, a, b, c):
        return a + b * x[0] + c * x[1]

    grid = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0))).reshape(2, -1)
    rng = np.random.default_rng(0)
    fit = Problem(plane, grid, plane(grid, 1, 2, 3) + 0.1 * rng.standard_normal(12), [0.0, 0.0, 0.0]).fit()
    above, below = fit.plot()[1]
    assert below.get_xlabel() == "fitted" and below.lines[-1].get_xdata() == pytest.approx(fit.fitted)
    plt.close("all")


# --- kept


def test_plain_numbers(puromycin):
    whole = json.loads(puromycin.to_json())
    assert whole == puromycin.to_dict() | {"parameters": whole["parameters"]}
    first = whole["parameters"][0]
    assert first["name"] == "vmax" and first["value"] == puromycin.popt[0] and first["stderr"] == puromycin.stderr[0]
    assert first["lower_bound"] is None and first["at_bound"] is None and first["fixed"] is False
    assert whole["statistics"]["AIC"] == puromycin.aic and whole["statistics"]["degrees_of_freedom"] == 10
    assert whole["covariance"] == puromycin.pcov.tolist() and whole["success"] is True
    fit = Problem(michaelis_menten, X, Y, [200.0, 0.1], loss="cauchy").fit()
    assert json.loads(fit.to_json())["statistics"]["AIC"] is None and np.isnan(fit.to_dict()["statistics"]["AIC"])


def test_pickle(puromycin):
    again = pickle.loads(pickle.dumps(puromycin))
    assert type(again) is FitResult and np.array_equal(again[0], puromycin[0]) and len(again) == 2
    assert str(again) == str(puromycin)
    assert again.confidence_intervals() == puromycin.confidence_intervals()
    interval = puromycin.confidence_intervals(method="wald")["k"]
    assert pickle.loads(pickle.dumps(interval)) == interval


def test_pickle_without_what_can_not_be_pickled():
    fit = Problem(lambda x, a, b: a * x / (b + x), X, Y, [200.0, 0.1]).fit()
    with pytest.warns(numopt.OptimizeWarning, match="model, jacobian, refit of this fit can't be pickled"):
        blob = pickle.dumps(fit)
    again = pickle.loads(blob)
    assert str(again) == str(fit) and again.chisqr == fit.chisqr
    with pytest.raises(RuntimeError, match="could not hold its model: define the function in a module"):
        again.predict(X)
    with pytest.raises(RuntimeError, match="could not hold its refit"):
        again.confidence_intervals()
