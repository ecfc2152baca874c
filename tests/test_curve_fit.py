"""Fits of a model to data: beside scipy, by rows and as a whole, likelihoods, what is refused."""

import math
import warnings

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit, prange

import numopt
from numopt import OptimizeWarning, curve_fit, least_squares, problems
from numopt.callbacks.models import BoundModel
from numopt.optimize._fit_run import FitRun
from numopt.problems._nist import log_relative_error

TIGHT = {"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13}
TRUE = (2.5, 1.3, 0.5)


def decay(x, a, b, c):
    """Of all rows, for any x."""
    return a * np.exp(-b * x) + c


def decay_jacobian(x, a, b, c):
    J = np.empty((x.size, 3))
    J[:, 0] = np.exp(-b * x)
    J[:, 1] = -a * x * J[:, 0]
    J[:, 2] = 1.0
    return J


def decay_loop(x, a, b, c):
    """Of all rows, and of no single one."""
    out = np.empty(x.size)
    for i in range(x.size):
        out[i] = a * np.exp(-b * x[i]) + c
    return out


def decay_row(x, a, b, c):
    """Of one row."""
    if x < -1.0:
        return c
    return a * math.exp(-b * x) + c


JITTED, LOOP, ROW, JITTED_JACOBIAN = njit(decay), njit(decay_loop), njit(decay_row), njit(decay_jacobian)
CALLERS = {"python": decay, "jitted": JITTED, "slices": LOOP, "row": ROW, "python row": decay_row}


def sample(seed, m=40, noise=0.05):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.0, 4.0, m))
    return x, decay(x, *TRUE) + noise * rng.standard_normal(m), rng


def sigma_of(kind, m, rng):
    if kind == "deviations":
        return rng.uniform(0.03, 0.2, m)
    if kind == "covariance":
        A = 0.05 * rng.standard_normal((m, m))
        return A @ A.T / m + np.diag(rng.uniform(0.01, 0.04, m))
    return None if kind == "none" else 0.3


class TestBesideScipy:
    @pytest.mark.parametrize("sigma", ["none", "number", "deviations", "covariance"])
    @pytest.mark.parametrize("caller", list(CALLERS))
    @given(seed=st.integers(0, 10**6), bounded=st.booleans(), absolute=st.booleans(), given_jac=st.booleans())
    @settings(max_examples=5, deadline=None)
    def test_same_parameters_and_covariance(self, caller, sigma, seed, bounded, absolute, given_jac):
        x, y, rng = sample(seed)
        sigma = sigma_of(sigma, x.size, rng)
        bounds = ([0.0, 0.0, -1.0], [2.4, 3.0, np.inf]) if bounded else (-np.inf, np.inf)
        f = CALLERS[caller]
        jac = (decay_jacobian if caller.startswith("python") else JITTED_JACOBIAN) if given_jac else "3-point"
        ours = curve_fit(f, x, y, [2.0, 1.0, 0.3], sigma, absolute, bounds=bounds, jac=jac, **TIGHT)
        sigma = np.full(x.size, sigma) if isinstance(sigma, float) else sigma  # scipy takes no number beside a jac
        popt, pcov = scipy.optimize.curve_fit(
            decay, x, y, [2.0, 1.0, 0.3], sigma, absolute, bounds=bounds, jac=decay_jacobian, method="trf", **TIGHT
        )
        if bounded and ours.active_mask.any():
            # scipy stays off the bound by a little
            np.testing.assert_allclose(ours[0], popt, rtol=1e-4)
            return
        np.testing.assert_allclose(ours[0], popt, rtol=1e-6)
        np.testing.assert_allclose(ours[1], pcov, rtol=1e-6, atol=1e-6 * np.diag(pcov).min())

    @pytest.mark.parametrize("f", [decay, JITTED])
    def test_defaults_and_full_output(self, f):
        x, y, _ = sample(1)
        ours, theirs = (solve(f, x, y, full_output=True) for solve in (curve_fit, scipy.optimize.curve_fit))
        assert len(ours) == len(theirs) == 5
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6)
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(ours[2]["fvec"], theirs[2]["fvec"], atol=1e-7)
        assert ours[2]["nfev"] > 0 and isinstance(ours[3], str) and ours[4] in (1, 2, 3, 4)
        popt, pcov = curve_fit(f, x, y)
        assert popt is not None and pcov.shape == (3, 3)

    @pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan", "callable"])
    @pytest.mark.parametrize("f", [decay, JITTED])
    def test_robust_losses(self, f, loss):
        x, y, _ = sample(2)
        y[[3, 20]] += [2.0, -1.5]
        if loss == "callable":
            loss = lambda z: np.array([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2])  # noqa: E731
        options = {"loss": loss, "f_scale": 0.1, **TIGHT}
        ours = curve_fit(f, x, y, [2.0, 1.0, 0.3], jac="3-point", **options)
        popt, pcov = scipy.optimize.curve_fit(decay, x, y, [2.0, 1.0, 0.3], jac=decay_jacobian, method="trf", **options)
        np.testing.assert_allclose(ours[0], popt, rtol=2e-5)
        np.testing.assert_allclose(ours[1], pcov, rtol=2e-3)

    def test_start_is_scipys_and_bounds_are_kept(self):
        seen = []

        def f(x, a, b, c):
            seen.append((a, b, c))
            return decay(x, a, b, c)

        x, y, _ = sample(3)
        curve_fit(f, x, y, bounds=([0.0, -np.inf, -np.inf], [np.inf, 5.0, np.inf]))
        assert seen[0] == (1.0, 4.0, 1.0)
        curve_fit(f, x, y, bounds=([0.0, 1.0, -1.0], [4.0, 3.0, 1.0]))
        assert (2.0, 2.0, 0.0) in seen

    def test_other_names_of_leastsq(self):
        x, y, _ = sample(4)
        fit = curve_fit(decay, x, y, maxfev=500, epsfcn=1e-14, factor=1.0, diag=[1.0, 1.0, 1.0])
        np.testing.assert_allclose(fit.popt, scipy.optimize.curve_fit(decay, x, y)[0], rtol=1e-5)
        with pytest.raises(RuntimeError, match="Optimal parameters not found"):
            curve_fit(decay, x, y, maxfev=2)

    def test_x_that_is_no_array_is_passed_on(self):
        x, y, _ = sample(5)
        seen = []

        def f(box, a, b, c):
            seen.append(box)
            return decay(box["x"], a, b, c)

        box = {"x": x}
        np.testing.assert_allclose(curve_fit(f, box, y)[0], curve_fit(decay, x, y)[0])
        assert all(each is box for each in seen)
        np.testing.assert_allclose(curve_fit(decay, list(x), tuple(y))[0], curve_fit(decay, x, y)[0])

    def test_one_number_for_all_data(self):
        x = np.arange(10.0)
        line = lambda x, a, b: a * x + b - 3.0  # noqa: E731
        np.testing.assert_allclose(curve_fit(line, x, 0)[0], [0.0, 3.0], atol=1e-7)
        constant = curve_fit(lambda x, a: a, x, 2.0 * x)
        np.testing.assert_allclose(constant[0], 9.0, rtol=1e-7)
        np.testing.assert_allclose(curve_fit(njit(lambda x, a: a), x, 2.0 * x)[1], constant[1])


class TestNist:
    @pytest.mark.parametrize("start", [0, 1])
    @pytest.mark.parametrize("name", problems.nist_names())
    def test_standard_errors_to_five_digits(self, name, start):
        problem = problems.nist(name)
        f, jac = problem.function, problem.model_jacobian
        if name != "MGH17":  # one is enough to compile
            f, jac = f.py_func, jac.py_func
        fit = curve_fit(f, problem.x, problem.response, problem.starts[start], jac=jac)
        assert log_relative_error(np.sqrt(np.diag(fit.pcov)), problem.deviations).min() >= 5.0
        assert problem.digits(fit.popt).min() >= 6.0


@njit
def peaks(x, a, b, c, d, e, f, g):
    return a * np.exp(-(((x - b) / c) ** 2)) + d * np.exp(-(((x - e) / f) ** 2)) + g


PEAKS = np.array([1.0, 2.0, 0.5, 2.0, 5.0, 1.0, 0.1])


@njit
def peaks_jacobian(x, a, b, c, d, e, f, g):
    J = np.ones((x.size, 7))
    t, s = (x - b) / c, (x - e) / f
    u, v = np.exp(-t * t), np.exp(-s * s)
    J[:, 0], J[:, 1], J[:, 2] = u, 2 * a * u * t / c, 2 * a * u * t * t / c
    J[:, 3], J[:, 4], J[:, 5] = v, 2 * d * v * s / f, 2 * d * v * s * s / f
    return J


def peaks_sample(m):
    x = np.linspace(0.0, 10.0, m)
    return x, peaks(x, *PEAKS) + 0.05 * np.random.default_rng(0).standard_normal(m)


@njit
def over_largest(x, a, b):
    y = a * x / (b + x)
    return y / y.max()


@njit
def smoothed(x, a, b):
    y = a * np.exp(-b * x)
    out = y.copy()
    for i in range(1, y.size):
        out[i] = 0.5 * (y[i] + y[i - 1])
    return out


@njit
def running(x, a, b):
    return np.cumsum(a * np.exp(-b * x)) / x.size


@njit
def uneven(x, a, b):
    return a * x + b + (0.0 if a < 1.5 else 1e-3 * x.sum())


def plane(x, a, b, c):
    return a * x[0] + b * np.exp(-c * x[1])


def plane_loop(x, a, b, c):
    out = np.empty(x.shape[1])
    for i in range(x.shape[1]):
        out[i] = a * x[0, i] + b * np.exp(-c * x[1, i])
    return out


PLANE, PLANE_LOOP = njit(plane), njit(plane_loop)


class TestByRows:
    """Jitted models that are evaluated for some rows at a time."""

    @pytest.mark.parametrize("caller", ["jitted", "slices", "row"])
    @pytest.mark.parametrize("jac", ["2-point", "3-point", JITTED_JACOBIAN])
    @pytest.mark.parametrize("m", [7, 256, 257, 5000])
    def test_same_answer_as_all_rows_at_once(self, caller, jac, m):
        x, y, rng = sample(6, m)
        sigma = rng.uniform(0.5, 2.0, m)
        fits = [
            curve_fit(f, x, y, [2.0, 1.0, 0.3], sigma, jac=each)
            for f, each in ((CALLERS[caller], jac), (decay, getattr(jac, "py_func", jac)))
        ]
        assert fits[0].model.by_rows == ("slices" if caller == "slices" else "rows") and fits[1].model.by_rows is None
        assert fits[0].nfev == fits[1].nfev
        np.testing.assert_allclose(fits[0].popt, fits[1].popt, rtol=1e-7)
        np.testing.assert_allclose(fits[0].pcov, fits[1].pcov, rtol=1e-5)

    @pytest.mark.parametrize("settings", [
        {},
        {"jac": peaks_jacobian}, {"jac": "3-point"}, {"loss": "soft_l1", "f_scale": 0.05},
        {"fixed": {"g": 0.1}}, {"tied": {"f": "2*c"}}, {"jac": peaks_jacobian, "tied": {"f": "2*c"}},
        {"bounds": ([0] * 7, [1.0] + [9.0] * 6)},
    ], ids=lambda settings: "-".join(settings) or "plain")  # fmt: skip
    def test_same_to_the_last_bit_for_any_number_of_threads(self, settings):
        x, y = peaks_sample(70001)
        fits = [curve_fit(peaks, x, y, 0.99 * PEAKS, options={"threads": k}, **settings) for k in (1, 2, 3)]
        for fit in fits[1:]:
            assert fit.popt.tobytes() == fits[0].popt.tobytes() and fit.pcov.tobytes() == fits[0].pcov.tobytes()
            assert (fit.cost, fit.nfev, fit.nit) == (fits[0].cost, fits[0].nfev, fits[0].nit)

    @pytest.mark.parametrize("held", [{"fixed": {"g": 0.1, "c": 0.5}}, {"tied": {"f": "2*c", "g": "0.05*d"}}])
    def test_given_jacobians_with_parameters_that_are_held(self, held):
        x, y = peaks_sample(1000)
        fit = curve_fit(peaks, x, y, 0.99 * PEAKS, jac=peaks_jacobian, **held)
        whole = curve_fit(peaks.py_func, x, y, 0.99 * PEAKS, jac=peaks_jacobian.py_func, **held)
        assert fit.model.by_rows == "rows"
        np.testing.assert_allclose(fit.popt, whole.popt, rtol=1e-9)
        np.testing.assert_allclose(fit.pcov, whole.pcov, rtol=1e-7, atol=1e-14)

    def test_differences_at_once_are_those_one_by_one(self, monkeypatch):
        """To the last bit: the compiler finds what the points have in common, and changes nothing."""
        x, y = peaks_sample(5000)
        monkeypatch.setattr("numopt.callbacks.models._AT_ONCE_ROWS", 1)
        at_once = [curve_fit(peaks, x, y, 0.99 * PEAKS, jac=jac) for jac in ("2-point", "3-point")]
        monkeypatch.setattr("numopt.callbacks.models._AT_ONCE_ROWS", 10**9)
        for one, jac in zip(at_once, ("2-point", "3-point"), strict=True):
            other = curve_fit(peaks, x, y, 0.99 * PEAKS, jac=jac)
            assert one.popt.tobytes() == other.popt.tobytes() and one.pcov.tobytes() == other.pcov.tobytes()

    def test_rows_far_from_a_peak_do_not_ask_for_longer_steps(self):
        """Differences that are lost in rounding in most rows, and in none that count."""
        x, y = peaks_sample(20000)
        fit = curve_fit(peaks, x, y, 0.99 * PEAKS)
        whole = curve_fit(peaks.py_func, x, y, 0.99 * PEAKS)
        np.testing.assert_allclose(fit.popt, whole.popt, rtol=1e-9)
        np.testing.assert_allclose(fit.pcov, whole.pcov, rtol=1e-5, atol=1e-12)

    def test_differences_lost_in_all_rows_are_taken_with_longer_steps(self):
        x, y, _ = sample(7, 300, 0.0)
        model = njit(lambda x, a, b, c: a * np.exp(-b * x) + ((c + 1.0) - 1.0))
        for f in (model, model.py_func):
            for jac in ("2-point", "3-point"):
                np.testing.assert_allclose(curve_fit(f, x, y, [2.0, 1.0, 1e-9], jac=jac).popt, TRUE, rtol=1e-5)

    @pytest.mark.parametrize("model", [over_largest, smoothed, running])
    @pytest.mark.parametrize("m", [200, 3000])
    def test_models_that_are_not_of_rows_are_called_for_all(self, model, m, monkeypatch):
        x = np.linspace(0.1, 4.0, m)
        true = (2.0, 0.7)
        y = model(x, *true) + 1e-3 * np.cos(50 * x)
        runs, go = [], FitRun.go
        monkeypatch.setattr(FitRun, "go", lambda self, *args: (runs.append(1), go(self, *args))[1])
        fit = curve_fit(model, x, y, [1.5, 1.0], fixed=["a"] if model is over_largest else None)
        theirs = curve_fit(model.py_func, x, y, [1.5, 1.0], fixed=["a"] if model is over_largest else None)
        assert (fit.model.by_rows is None or m <= 256) and len(runs) == 2  # noticed before the first step
        np.testing.assert_allclose(fit.popt, theirs.popt, rtol=1e-6)

    def test_a_model_that_is_not_of_rows_only_later_is_noticed_at_the_end(self):
        x = np.linspace(0.0, 1.0, 1000)
        y = 2.0 * x + 1.0
        fit, theirs = (curve_fit(f, x, y, [1.0, 0.0]) for f in (uneven, uneven.py_func))
        assert fit.model.by_rows is None
        np.testing.assert_allclose(fit.popt, theirs.popt, rtol=1e-6)

    def test_a_jacobian_that_is_not_of_rows_is_called_for_all(self):
        calls = []

        @njit
        def jac(x, a, b, c):
            J = np.empty((x.size, 3))
            J[:, 0] = np.exp(-b * x)
            J[:, 1] = -a * x * J[:, 0]
            J[:, 2] = x.size / 1000.0
            return J

        x, y, _ = sample(8, 1000)
        fit = curve_fit(JITTED, x, y, jac=jac)
        assert fit.model.by_rows is None and not calls
        np.testing.assert_allclose(fit.popt, curve_fit(decay, x, y, jac=decay_jacobian).popt, rtol=1e-6)

    @pytest.mark.parametrize("m", [50, 3000])
    def test_predictors_in_the_rows_of_a_matrix(self, m):
        rng = np.random.default_rng(9)
        x = rng.uniform(0.0, 2.0, (2, m))
        y = plane(x, 1.0, 2.0, 0.7) + 0.01 * rng.standard_normal(m)
        theirs = scipy.optimize.curve_fit(plane, x, y, **TIGHT)
        for f, way in ((plane, None), (PLANE, "rows"), (PLANE_LOOP, "slices")):
            fit = curve_fit(f, x, y)
            assert fit.model.by_rows == way
            np.testing.assert_allclose(fit.popt, theirs[0], rtol=1e-6)
            np.testing.assert_allclose(fit.pcov, theirs[1], rtol=1e-5)
            np.testing.assert_allclose(fit.model(x[:, :3], *fit.popt), plane(x[:, :3], *fit.popt))
        # every other column: not contiguous
        np.testing.assert_allclose(
            curve_fit(PLANE, x[:, ::2], y[::2]).popt, curve_fit(plane, x[:, ::2], y[::2]).popt, rtol=1e-7
        )

    def test_models_that_start_threads_themselves_are_called_for_all_rows(self):
        """Numba's own threads allow no call from two threads at a time: it would end the process."""

        @njit(parallel=True)
        def rate(x, b):
            out = np.empty(x.size)
            for i in prange(x.size):
                out[i] = np.exp(-b * x[i])
            return out

        x, y, _ = sample(21, 70000)
        fit = curve_fit(njit(lambda x, a, b, c: a * rate(x, b) + c), x, y)
        assert fit.model.by_rows is None
        np.testing.assert_allclose(fit.popt, curve_fit(decay, x, y).popt, rtol=1e-6)

    def test_memory_does_not_grow_with_parameters(self):
        """Neither J (7 numbers a row) nor all residuals of all points: the model's values and no more."""
        import tracemalloc

        x, y = peaks_sample(100_000)
        curve_fit(peaks, x, y, 0.99 * PEAKS)
        tracemalloc.start()
        curve_fit(peaks, x, y, 0.99 * PEAKS)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2.0 * (x.nbytes + y.nbytes)


class TestPoisson:
    @pytest.mark.parametrize("f", [decay, JITTED])
    @given(seed=st.integers(0, 10**6))
    @settings(max_examples=10, deadline=None)
    def test_is_the_minimum_of_the_likelihood(self, f, seed):
        rng = np.random.default_rng(seed)
        x = np.linspace(0.0, 4.0, 60)
        y = rng.poisson(decay(x, 30.0, 1.3, 2.0)).astype(float)
        bounds = ([0.0, 0.0, 1e-3], [200.0, 10.0, 50.0])
        fit = curve_fit(f, x, y, [25.0, 1.0, 1.0], bounds=bounds, likelihood="poisson", jac="3-point", **TIGHT)

        def negative(p):
            mu = decay(x, *p)
            return (mu - y * np.log(mu)).sum()

        best = scipy.optimize.minimize(negative, fit.popt, method="Nelder-Mead", bounds=list(zip(*bounds, strict=True)),
                                       options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000})  # fmt: skip
        assert negative(fit.popt) <= best.fun + 1e-9
        terms = decay(x, *fit.popt) - y + np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / decay(x, *fit.popt)), 0)
        assert fit.cost == pytest.approx(terms.sum(), rel=1e-9)
        if not fit.active_mask.any():
            np.testing.assert_allclose(fit.popt, best.x, rtol=1e-4)
            J, mu = decay_jacobian(x, *fit.popt), decay(x, *fit.popt)
            np.testing.assert_allclose(fit.pcov, np.linalg.inv((J.T / mu) @ J), rtol=1e-5)

    def test_counts_without_noise_end_at_the_truth(self):
        x = np.linspace(0.0, 4.0, 30)
        fit = curve_fit(JITTED, x, decay(x, 30.0, 1.3, 2.0), [25.0, 1.0, 1.0], likelihood="poisson")
        np.testing.assert_allclose(fit.popt, [30.0, 1.3, 2.0], rtol=1e-6)
        assert 0.0 <= fit.cost < 1e-10

    def test_what_is_refused(self):
        x, y = np.arange(5.0), np.array([3.0, 2.0, 1.0, 0.0, -1.0])
        with pytest.raises(ValueError, match=r"needs counts.*ydata\[4\] is -1"):
            curve_fit(decay, x, y, likelihood="poisson")
        with pytest.raises(ValueError, match=r"needs counts.*ydata\[4\] is inf"):
            curve_fit(decay, x, np.array([3.0, 2.0, 1.0, 0.0, np.inf]), likelihood="poisson", check_finite=False)
        with pytest.raises(ValueError, match="sigma can't be given with likelihood='poisson'"):
            curve_fit(decay, x, abs(y), sigma=0.1, likelihood="poisson")
        with pytest.raises(ValueError, match="loss='huber' can't be combined"):
            curve_fit(decay, x, abs(y), loss="huber", likelihood="poisson")
        with pytest.raises(ValueError, match=r"f must be positive, .* at a=-1, b=0, c=0 it is -1 in row 0"):
            curve_fit(decay, x, abs(y), [-1.0, 0.0, 0.0], likelihood="poisson")
        with pytest.raises(ValueError, match="likelihood must be 'gaussian' or 'poisson'; got 'binomial'"):
            curve_fit(decay, x, abs(y), likelihood="binomial")


class TestNames:
    def test_dicts_by_name(self):
        x, y, _ = sample(10)
        plain = curve_fit(decay, x, y, [2.0, 1.0, 0.3], bounds=([0.0, -np.inf, 0.1], [np.inf, 1.2, np.inf]))
        named = curve_fit(
            decay, x, y, {"c": 0.3, "a": 2.0}, bounds={"a": (0.0, None), "b": (-np.inf, 1.2), "c": (0.1, np.inf)}
        )
        np.testing.assert_allclose(named.popt, plain.popt, rtol=1e-6)
        assert named.names == ("a", "b", "c") and named.active_mask.tolist() == plain.active_mask.tolist() == [0, 1, 0]

    @pytest.mark.parametrize("f", [decay, JITTED])
    def test_fixed_and_tied(self, f):
        x, y, _ = sample(11)
        fit = curve_fit(f, x, y, fixed={"c": 0.5})
        theirs = scipy.optimize.curve_fit(lambda x, a, b: decay(x, a, b, 0.5), x, y, **TIGHT)
        np.testing.assert_allclose(fit.popt, [*theirs[0], 0.5], rtol=1e-6)
        np.testing.assert_allclose(fit.pcov[:2, :2], theirs[1], rtol=1e-5)
        assert not fit.pcov[2].any() and fit.fixed.tolist() == [False, False, True]
        held = curve_fit(f, x, y, {"c": 0.5}, fixed=["c"])
        np.testing.assert_allclose(held.popt, fit.popt)
        tied = curve_fit(f, x, y, tied={"c": "0.25*a - 0.1"})
        theirs = scipy.optimize.curve_fit(lambda x, a, b: decay(x, a, b, 0.25 * a - 0.1), x, y, **TIGHT)
        np.testing.assert_allclose(tied.popt, [*theirs[0], 0.25 * theirs[0][0] - 0.1], rtol=1e-6)
        M = np.array([[1, 0], [0, 1], [0.25, 0]])
        np.testing.assert_allclose(tied.pcov, M @ theirs[1] @ M.T, rtol=1e-5)
        assert tied.tied == {"c": "0.25*a - 0.1"}

    def test_models_with_attributes_of_their_own(self):
        class Model:
            parameters = ("height", "rate", "floor")
            function = staticmethod(JITTED)
            bounds = (np.array([0.0, 0.0, -np.inf]), np.full(3, np.inf))
            name = "decay"

            @staticmethod
            def jacobian(x, *params):
                used.append("jacobian")
                return decay_jacobian(x, *params)

            def guess(self, x, y):
                used.append("guess")
                return np.array([y.max(), 1.0, -3.0])

        used = []
        x, y, _ = sample(12)
        fit = curve_fit(Model(), x, y)
        assert fit.names == Model.parameters and fit.model_name == "decay" and set(used) == {"jacobian", "guess"}
        assert fit.lower.tolist() == [0.0, 0.0, -np.inf]
        np.testing.assert_allclose(fit.popt, curve_fit(decay, x, y).popt, rtol=1e-6)
        used.clear()
        curve_fit(Model(), x, y, [1.0, 1.0, 1.0], jac="2-point", bounds=(-5.0, 5.0))
        assert not used

    def test_names_of_starred_parameters_and_defaults(self):
        x, y, _ = sample(13)
        starred = lambda x, *p: decay(x, *p)  # noqa: E731
        fit = curve_fit(starred, x, y, [1.0, 1.0, 1.0])
        assert fit.names == ("p0", "p1", "p2")
        for f in (starred, njit(lambda x, *p: p[0] * np.exp(-p[1] * x) + p[2])):
            np.testing.assert_allclose(curve_fit(f, x, y, [1.0] * 3).popt, fit.popt, rtol=1e-6)
        for f in (lambda x, a, b, c=0.5: decay(x, a, b, c), njit(lambda x, a, b, c=0.5: a * np.exp(-b * x) + c)):
            assert curve_fit(f, x, y, [1.0, 1.0]).names == ("a", "b")
            assert curve_fit(f, x, y).names == ("a", "b", "c")

    def test_refits_hold_parameters(self):
        x, y, _ = sample(14)
        fit = curve_fit(JITTED, x, y)
        popt, cost = fit.refit({1: 1.2}, fit.popt)
        theirs = scipy.optimize.curve_fit(lambda x, a, c: decay(x, a, 1.2, c), x, y)[0]
        np.testing.assert_allclose(popt, [theirs[0], 1.2, theirs[1]], rtol=1e-6)
        assert cost == pytest.approx(0.5 * ((decay(x, *popt) - y) ** 2).sum()) and cost > fit.cost
        for f in (decay, ROW):
            np.testing.assert_allclose(curve_fit(f, x, y).model([0.5, 1.0], *TRUE), decay(np.array([0.5, 1.0]), *TRUE))
        np.testing.assert_allclose(fit.jacobian(x, fit.popt), decay_jacobian(x, *fit.popt), atol=1e-8)


class TestCovariance:
    @pytest.mark.parametrize("jac", ["2-point", "3-point", "given"])
    def test_singular_ones_are_infinite_and_the_warning_names_the_combination(self, jac):
        x, y, _ = sample(15)
        f = lambda x, a, b, c: a * np.exp(-(b + c) * x)  # noqa: E731
        given_jac = lambda x, a, b, c: np.column_stack(  # noqa: E731
            [np.exp(-(b + c) * x), -a * x * np.exp(-(b + c) * x), -a * x * np.exp(-(b + c) * x)]
        )
        with pytest.warns(OptimizeWarning, match="could not be estimated: the data do not determine (b - c|-b|c - b)"):
            fit = curve_fit(f, x, y, [2.0, 0.5, 0.5], jac=given_jac if jac == "given" else jac)
        assert np.isinf(fit.pcov).all() and fit.success

    def test_as_many_data_as_parameters(self):
        x, y, _ = sample(16, 3)
        with pytest.warns(OptimizeWarning, match="3 data points leave no degrees of freedom for 3 parameters"):
            assert np.isinf(curve_fit(decay, x, y).pcov).all()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.isfinite(curve_fit(decay, x, y, sigma=0.1, absolute_sigma=True).pcov).all()

    @pytest.mark.parametrize("scale", [1e-160, 1e-200, 1e160])
    @pytest.mark.parametrize("f", [decay, JITTED])
    def test_residuals_whose_squares_underflow_or_overflow(self, f, scale):
        x, y, _ = sample(17)
        plain = curve_fit(f, x, y)
        scaled = lambda x, a, b, c: scale * f(x, a, b, c)  # noqa: E731
        fit = curve_fit(scaled if f is decay else njit(scaled), x, y * scale)
        np.testing.assert_allclose(fit.popt, plain.popt, rtol=1e-6)
        np.testing.assert_allclose(fit.pcov, plain.pcov, rtol=1e-4, atol=1e-8)


class TestBadInput:
    x, y, _ = sample(20, 12)

    def refused(self, error, match, *args, f=decay, x=None, y=None, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(error, match=match):
                curve_fit(f, self.x if x is None else x, self.y if y is None else y, *args, **kwargs)

    @pytest.mark.parametrize("f", [decay, JITTED])
    def test_data(self, f):
        x, y = self.x, self.y
        self.refused(TypeError, "at least as many data points as parameters; got 2 and 3", x=x[:2], y=y[:2], f=f)
        self.refused(ValueError, r"different lengths: their shapes are \(11,\) and \(12,\)", x=x[1:], f=f)
        self.refused(ValueError, "ydata must not be empty", x=[], y=[], f=f)
        self.refused(ValueError, r"ydata must be 1-D; got shape \(2, 6\)", y=y.reshape(2, 6), f=f)
        self.refused(TypeError, "ydata must be real numbers; got complex128", y=y + 0j, f=f)
        self.refused(TypeError, "xdata must be real numbers; got complex128", x=x + 0j, f=f)
        self.refused(TypeError, "ydata must be an array of real numbers", y=["a"] * 12, f=f)

    @pytest.mark.parametrize("f", [decay, JITTED])
    @pytest.mark.parametrize("where", ["x", "y"])
    def test_nan(self, f, where):
        data = {"x": self.x.copy(), "y": self.y.copy()}
        data[where][[2, 7]] = np.nan
        self.refused(ValueError, rf"{where}data must not contain infs or NaNs; {where}data\[2\] is nan", f=f, **data)
        self.refused(ValueError, f"{where}data contains NaN", f=f, nan_policy="raise", **data)
        self.refused(ValueError, "nan_policy must be one of None, 'raise', 'omit'", f=f, nan_policy="propagate", **data)
        with np.errstate(invalid="ignore"):
            self.refused(
                ValueError, "f must be finite at the start|residuals are not finite", f=f, check_finite=False, **data
            )
        kept = ~np.isnan(data["x"] + data["y"])
        sigma = np.linspace(0.1, 0.2, 12)
        for s in (None, sigma, np.diag(sigma**2)):
            fit = curve_fit(f, *data.values(), sigma=s, nan_policy="omit")
            part = s if s is None else s[kept] if s.ndim == 1 else s[np.ix_(kept, kept)]
            np.testing.assert_allclose(fit[0], curve_fit(f, self.x[kept], self.y[kept], sigma=part)[0], rtol=1e-7)
        both = np.array([data["x"], np.ones(12)])
        fit = curve_fit(lambda x, a, b, c: decay(x[0], a, b, c), both, data["y"], nan_policy="omit")
        np.testing.assert_allclose(fit[0], curve_fit(decay, self.x[kept], self.y[kept])[0], rtol=1e-7)

    def test_sigma(self):
        ones = np.ones(12)
        for bad in (0.0, -1.0, np.nan):
            sigma = ones.copy()
            sigma[4] = bad
            self.refused(ValueError, rf"sigma must be positive; sigma\[4\] is {bad:g}", sigma=sigma)
        self.refused(ValueError, r"incorrect shape: .* have shape \(12,\).*got \(5,\)", sigma=ones[:5])
        self.refused(ValueError, r"got \(12, 3\)", sigma=np.ones((12, 3)))
        self.refused(ValueError, "positive definite: the covariance matrix is singular", sigma=np.ones((12, 12)))
        A = np.random.default_rng(0).standard_normal((12, 5))
        self.refused(ValueError, "positive definite", sigma=A @ A.T)
        self.refused(ValueError, "positive definite", sigma=-np.eye(12))
        skew = np.eye(12)
        skew[0, 1] = 0.3
        self.refused(ValueError, "symmetric", sigma=skew)
        skew[0, 1] = np.nan
        self.refused(ValueError, "holds infs or NaNs", sigma=skew)

    def test_start_and_bounds(self):
        self.refused(ValueError, "p0 has 2 values, but f has 3 parameters: a, b, c", [1.0, 2.0])
        self.refused(ValueError, r"p0 must be finite; p0\[1\] is nan", [1.0, np.nan, 1.0])
        self.refused(TypeError, "p0 must be an array of real numbers", ["a", "b", "c"])
        self.refused(ValueError, r"p0 is infeasible: b = 5 is outside of its bounds \(0, 2\)", [1.0, 5.0, 1.0],
                     bounds=([0, 0, 0], [2, 2, 2]))  # fmt: skip
        self.refused(ValueError, "of length 3", bounds=([0, 0], [1, 1]))
        self.refused(ValueError, "p0: there is no parameter 'd'; there are a, b, c", {"d": 1.0})
        self.refused(ValueError, "bounds: there is no parameter 'd'", bounds={"d": (0, 1)})
        self.refused(ValueError, "bounds: those of 'a' must be a pair", bounds={"a": 3.0})
        self.refused(ValueError, "fixed: there is no parameter 'd'", fixed={"d": 1.0})
        self.refused(ValueError, "fixed: there is no parameter 'd'", fixed="d")
        self.refused(ValueError, r"fixed\['a'\] must be a finite number; got 'x'", fixed={"a": "x"})
        self.refused(ValueError, "'d'", tied={"a": "d + 1"})
        self.refused(ValueError, "'d'", tied={"d": "a + 1"})
        for f in (lambda x, *p: x, njit(lambda x, *p: x)):
            self.refused(ValueError, r"unable to determine the number of parameters.*\*p.*give p0", f=f)
        self.refused(ValueError, "unable to determine the number of parameters", f=lambda x: x)
        self.refused(TypeError, "unexpected keyword argument 'colour'", colour=1)
        self.refused(ValueError, "'args' is not a supported", args=(1,))
        self.refused(ValueError, "unknown option 'm'", options={"m": 3})
        self.refused(ValueError, "option 'threads' must be a positive integer; got 0", options={"threads": 0})
        self.refused(TypeError, "f must be a Python or jitted function", f=3)
        self.refused(ValueError, "method must be one of 'lm'", method="simplex")

    def test_models(self):
        for f in (lambda x, a, b: a * x[:5], njit(lambda x, a, b: a * x[:5])):
            self.refused(
                ValueError, r"f must return an array of shape \(12,\), as ydata has; it returned shape \(5,\)", f=f
            )

        def raises(x, a, b):
            if a < 0.9:
                raise ZeroDivisionError("too small")
            return a + b * x

        for f in (raises, njit(raises)):
            self.refused(ZeroDivisionError, "too small", f=f, y=0.1 + self.x)
            self.refused(ZeroDivisionError, "too small", [0.5, 0.5], f=f)

        def raises_value(x, a, b):
            raise ValueError("not like that")

        self.refused(ValueError, "not like that", f=raises_value)
        self.refused(
            TypeError, "f does not compile for .*Unknown attribute|f does not compile", f=njit(lambda x, a: x.nothing)
        )
        self.refused(TypeError, "jac does not compile", f=JITTED, jac=njit(lambda x, a, b, c: x.nothing))
        self.refused(ValueError, "jac must return an array of shape", f=decay, jac=lambda x, a, b, c: np.ones((3, 3)))
        self.refused(
            ValueError, "jac must return an array of shape", f=JITTED, jac=njit(lambda x, a, b, c: np.ones((3, 3)))
        )
        self.refused(TypeError, "complex", f=lambda x, a: a * x + 1j)
        self.refused(ValueError, "jac='cs' needs an f of all rows", f=ROW, jac="cs")

    @pytest.mark.parametrize("f", [
        lambda x, a, b: np.log(a) + b * x, njit(lambda x, a, b: np.log(a) + b * x)
    ], ids=["python", "jitted"])  # fmt: skip
    def test_values_that_are_infinite_midway_are_stepped_back_from(self, f):
        x = np.linspace(0.0, 1.0, 20)
        with np.errstate(invalid="ignore", divide="ignore"):
            fit = curve_fit(f, x, np.log(0.05) + 2.0 * x, [5.0, 1.0])
        np.testing.assert_allclose(fit.popt, [0.05, 2.0], rtol=1e-5)

    def test_no_convergence_is_an_error_that_holds_the_fit(self):
        with pytest.raises(RuntimeError, match="Optimal parameters not found: Stopped: the maximum") as caught:
            curve_fit(decay, self.x, self.y, max_nfev=2)
        fit = caught.value.result
        assert isinstance(fit, numopt.FitResult) and not fit.success and fit.popt.shape == (3,)

    def test_ctrl_c_ends_a_run_on_threads(self):
        import _thread
        import threading

        x, y = peaks_sample(70001)
        timer = threading.Timer(0.3, _thread.interrupt_main)
        with pytest.raises(KeyboardInterrupt) as caught:
            timer.start()
            for _ in range(1000):
                curve_fit(peaks, x, y, 0.9 * PEAKS, options={"threads": 2})
        assert caught.type is KeyboardInterrupt
        curve_fit(peaks, x, y, 0.99 * PEAKS, options={"threads": 2})  # nothing is left behind

    def test_complex_step(self):
        for f in (decay, JITTED):
            fit = curve_fit(f, self.x, self.y, jac="cs")
            np.testing.assert_allclose(fit.pcov, curve_fit(f, self.x, self.y, jac="3-point").pcov, rtol=1e-5)


def test_bound_models_are_of_rows_where_they_can_be():
    """What the tests above rely on: the compiled path is taken for jitted models, and for no covariance matrix."""
    x, y, _ = sample(30)
    taken = []
    original = BoundModel._by_rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoundModel, "_by_rows", lambda self, *args: (taken.append(1), original(self, *args))[1])
        curve_fit(JITTED, x, y)
        assert taken
        taken.clear()
        curve_fit(JITTED, x, y, sigma=np.eye(40))
        curve_fit(decay, x, y)
        assert not taken


@pytest.mark.parametrize("m", [60, 1000])
def test_a_jitted_model_of_a_row_that_branches(m):
    """It compiles for all rows too, and fails when it meets them."""
    step = njit(lambda x, a, b: a if x < 2.0 else b)
    x = np.linspace(0.0, 4.0, m)
    popt, _ = curve_fit(step, x, np.where(x < 2.0, 3.0, 5.0))
    np.testing.assert_allclose(popt, [3.0, 5.0], rtol=1e-8)


@pytest.mark.parametrize("jac", [None, lambda x, a, b: np.column_stack([np.exp(-b * x), -a * x * np.exp(-b * x)])])
def test_every_parameter_held(jac):
    x = np.linspace(0.0, 4.0, 50)
    f = lambda x, a, b: a * np.exp(-b * x)  # noqa: E731
    for more in ({"fixed": {"a": 2.0, "b": 1.2}}, {"fixed": ["a"], "tied": {"b": "0.6*a"}, "p0": [2.0, 1.2]}):
        fit = curve_fit(f, x, f(x, 2.5, 1.3), jac=jac, **more)
        np.testing.assert_allclose(fit.popt, [2.0, 1.2])
        assert not fit.pcov.any() and fit.dof == 50


def test_a_result_has_data_of_its_own():
    x = np.linspace(0.0, 4.0, 50)
    y = 2.5 * np.exp(-1.3 * x) + 0.01 * np.cos(40.0 * x)
    fit = curve_fit(lambda x, a, b: a * np.exp(-b * x), x, y)
    expected = 2.0 * fit.cost
    x[:], y[:] = 0.0, 0.0
    assert fit.chisqr == pytest.approx(expected, rel=1e-10)


def test_the_same_combination_is_named_as_by_least_squares():
    x = np.linspace(0.0, 1.0, 20)
    with pytest.warns(OptimizeWarning, match=r"do not determine a - 1000\*b$"):
        curve_fit(lambda x, a, b: (a + 1000.0 * b) * x, x, 3.0 * x + 0.1)
    with pytest.warns(OptimizeWarning, match=r"do not determine x\[0\] - 1000\*x\[1\] \("):
        least_squares(lambda p: (p[0] + 1000.0 * p[1]) * x - 3.0 * x - 0.1, [1.0, 1.0])
