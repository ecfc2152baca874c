"""Models of curves: values, derivatives, limits, starting values, sums, what is refused."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.special import voigt_profile
from scipy.special import wofz as scipys_wofz

import numopt
from numopt import models
from numopt.models import _faddeeva, _guess

X = np.linspace(0.1, 3.0, 30)
XY = np.random.default_rng(0).uniform(-2.0, 2.0, (2, 40))


def turned(x, a, cx, cy, sx, sy, angle):
    u = np.cos(angle) * (x[0] - cx) + np.sin(angle) * (x[1] - cy)
    v = np.cos(angle) * (x[1] - cy) - np.sin(angle) * (x[0] - cx)
    return a * np.exp(-(u**2) / (2 * sx**2) - v**2 / (2 * sy**2))


def voigt(x, area, c, s, g):
    return area * voigt_profile(x - c, s, g)


# model, the same in NumPy, ranges of the parameters
SINGLE = [
    (models.Gaussian(), lambda x, a, c, s: a * np.exp(-((x - c) ** 2) / (2 * s**2)), [(-9, 9), (0, 3), (0.2, 2)]),
    (models.Lorentzian(), lambda x, a, c, w: a / (1 + ((x - c) / w) ** 2), [(-9, 9), (0, 3), (0.2, 2)]),
    (models.Voigt(), voigt, [(-9, 9), (0, 3), (0.2, 2), (0.2, 2)]),
    (models.Gaussian2D(), turned, [(-9, 9), (-1, 1), (-1, 1), (0.5, 2), (0.5, 2), (-3, 3)]),
    (models.ExponentialDecay(), lambda x, a, k: a * np.exp(-k * x), [(-9, 9), (0, 4)]),
    (
        models.DoubleExponential(),
        lambda x, a, k, b, l: a * np.exp(-k * x) + b * np.exp(-l * x),
        [(-9, 9), (0, 4), (-9, 9), (0, 4)],
    ),
    (models.PowerLaw(), lambda x, a, b: a * x**b, [(-9, 9), (-3, 3)]),
    (models.Logistic(), lambda x, a, c, k: a / (1 + np.exp(-k * (x - c))), [(-9, 9), (0, 3), (-5, 5)]),
    (models.MichaelisMenten(), lambda x, v, k: v * x / (k + x), [(-9, 9), (0.1, 4)]),
    (models.Hill(), lambda x, v, k, n: v * x**n / (k**n + x**n), [(-9, 9), (0.1, 4), (0.3, 5)]),
    (models.Sine(), lambda x, a, f, p: a * np.sin(2 * np.pi * f * x + p), [(-9, 9), (0, 3), (-4, 4)]),
    (models.Polynomial(3), lambda x, a, b, c, d: a + b * x + c * x**2 + d * x**3, [(-9, 9)] * 4),
    (models.Linear(), lambda x, a, b: a + b * x, [(-9, 9)] * 2),
    (models.Constant(), lambda x, c: c + 0.0 * x, [(-9, 9)]),
]
BY_NAME = {model.name: (model, formula, ranges) for model, formula, ranges in SINGLE}


@njit(error_model="numpy")
def faddeeva(x, y):
    out = np.empty((3, x.size), np.complex128)
    for i in range(x.size):
        out[0, i], out[1, i], out[2, i] = _faddeeva.wofz(x[i], y[i])
    return out


class TestFaddeeva:
    def test_is_scipys_to_twelve_digits_of_both_parts(self):
        rng = np.random.default_rng(0)
        n = 5_000
        x, y = (np.concatenate([10 ** rng.uniform(-8, 6, n), rng.uniform(0, 12, n)]) for _ in range(2))
        x *= rng.choice([-1.0, 1.0], x.size)
        y[::2] = 10 ** rng.uniform(-14, 1, n)
        y[::50], x[::49] = 0.0, 0.0
        w, reference = faddeeva(x, y)[0], scipys_wofz(x + 1j * y)
        np.testing.assert_allclose(w.real, reference.real, rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(w.imag, reference.imag, rtol=1e-12, atol=1e-300)

    def test_derivatives_where_the_formula_for_them_does_not_cancel(self):
        rng = np.random.default_rng(1)
        z = rng.uniform(-2.5, 2.5, 2000) + 1j * rng.uniform(0, 2.5, 2000)
        w = scipys_wofz(z)
        dw = -2 * z * w + 2j / np.sqrt(np.pi)
        found = faddeeva(z.real.copy(), z.imag.copy())
        np.testing.assert_allclose(found[1], dw, rtol=1e-11)
        np.testing.assert_allclose(found[2], w + z * dw, atol=1e-13)

    def test_derivatives_far_from_zero_where_it_cancels(self):
        rng = np.random.default_rng(2)
        z = 10 ** rng.uniform(3, 7, 500) * np.exp(1j * rng.uniform(0, np.pi, 500))
        _, dw, ddw = faddeeva(z.real.copy(), z.imag.copy())
        np.testing.assert_allclose(dw, -1j / np.sqrt(np.pi) * (z**-2 + 1.5 * z**-4 + 3.75 * z**-6), rtol=1e-13)
        np.testing.assert_allclose(ddw, -1j / np.sqrt(np.pi) * (z**-3 + 3.0 * z**-5 + 11.25 * z**-7), rtol=1e-13)

    def test_on_the_axis_the_real_parts_are_those_of_a_gaussian(self):
        x = np.linspace(-20.0, 20.0, 401)
        found, e = faddeeva(x, np.zeros(401)).real, np.exp(-x * x)
        for part, formula in zip(found, (e, -2.0 * x * e, (1.0 - 2.0 * x * x) * e), strict=True):
            np.testing.assert_allclose(part[abs(x) > 8.0], formula[abs(x) > 8.0], rtol=1e-12)
            np.testing.assert_allclose(part, formula, atol=1e-13)


def drawn(name, draw):
    return [draw(st.floats(*map(float, pair))) for pair in BY_NAME[name][2]]


def voigt_derivatives(x, area, center, sigma, gamma):
    """By scipy's Faddeeva function and w' = 2i / pi^(1/2) - 2 z w."""
    z = (x - center + 1j * gamma) / (sigma * np.sqrt(2.0))
    w, k = scipy.special.wofz(z), area / (sigma * np.sqrt(2.0 * np.pi))
    slope = 2j / np.sqrt(np.pi) - 2.0 * z * w
    by = [w.real / (sigma * np.sqrt(2.0 * np.pi))]
    by += [k * (slope * dz).real for dz in (-1.0 / (sigma * np.sqrt(2.0)), -z / sigma, 1j / (sigma * np.sqrt(2.0)))]
    by[2] = by[2] - k * w.real / sigma
    return by


class TestFormulas:
    @pytest.mark.parametrize("name", BY_NAME)
    @given(data=st.data())
    @settings(max_examples=15, deadline=None)
    def test_values_and_derivatives(self, name, data):
        model, formula, _ = BY_NAME[name]
        x, p = (XY if model.inputs == 2 else X), drawn(name, data.draw)
        y, J = model(x, *p), model.jacobian(x, *p)
        assert J.shape == (x.shape[-1], len(p))
        np.testing.assert_allclose(y, formula(x, *p), rtol=1e-12, atol=1e-13)
        for j in range(len(p)):
            if name == "Voigt":
                column, rtol = voigt_derivatives(x, *p)[j], 1e-10
            else:
                z = np.array(p, complex)
                z[j] += 1e-40j
                column, rtol = formula(x, *z).imag / 1e-40, 1e-12
            atol = rtol * max(np.abs(column).max(), np.abs(y).max(), 1e-9)
            np.testing.assert_allclose(J[:, j], column, rtol=rtol, atol=atol)

    @pytest.mark.parametrize("name", ["Gaussian", "Gaussian2D", "Polynomial"])
    def test_one_row_gives_what_all_rows_give(self, name):
        model, _, ranges = BY_NAME[name]
        p, f = tuple(0.3 * a + 0.7 * b for a, b in ranges), model.function
        x = XY if model.inputs == 2 else X
        rows = [f(x[..., i], *p) for i in range(3)]
        assert rows == f(x, *p)[:3].tolist() and isinstance(model(x[..., 0], *p), float)
        assert model(x[..., 0].tolist(), *p) == rows[0]

    def test_a_voigt_profile_becomes_a_gaussian_and_a_lorentzian(self):
        model, x = models.Voigt(), np.linspace(-3.0, 3.0, 13)
        for p in ((2.0, 0.5, 0.7, 0.0), (2.0, 0.5, 0.0, 0.7), (2.0, 0.5, 1e-200, 0.7), (2.0, 0.5, 0.7, 1e-200)):
            np.testing.assert_allclose(model(x, *p), voigt(x, *p), rtol=1e-13)
            assert np.isfinite(model.jacobian(x, *p)).all()
        near, limit = (model.jacobian(x, 2.0, 0.1, s, 0.7) for s in (1e-7, 1e-9))  # on both sides of the change
        np.testing.assert_allclose(near[:, [0, 1, 3]], limit[:, [0, 1, 3]], rtol=1e-12)
        np.testing.assert_allclose(near[:, 2], 100.0 * limit[:, 2], rtol=1e-9)

    def test_widths_count_by_their_size(self):
        x = np.linspace(-3.0, 3.0, 13)
        for model, p, q in (
            (models.Voigt(), (2.0, 0.5, 0.7, 0.4), (2.0, 0.5, -0.7, -0.4)),
            (models.Gaussian(), (2.0, 0.5, 0.7), (2.0, 0.5, -0.7)),
        ):
            np.testing.assert_array_equal(model(x, *p), model(x, *q))
            J, K = model.jacobian(x, *p), model.jacobian(x, *q)
            np.testing.assert_array_equal(J[:, :2], K[:, :2])
            np.testing.assert_array_equal(J[:, 2:], -K[:, 2:])

    @pytest.mark.parametrize(
        ("model", "x", "p", "value"),
        [
            (models.Gaussian(), 1.0, (3.0, 1.0, 0.0), 3.0),
            (models.Gaussian(), 2.0, (3.0, 1.0, 0.0), 0.0),
            (models.Gaussian(), 1e200, (3.0, 1.0, 1e-200), 0.0),
            (models.Lorentzian(), 1.0, (3.0, 1.0, 0.0), 3.0),
            (models.Lorentzian(), 1e200, (3.0, 1.0, 1e-200), 0.0),
            (models.Logistic(), 1e4, (3.0, 0.0, 1e4), 3.0),
            (models.Logistic(), -1e4, (3.0, 0.0, 1e4), 0.0),
            (models.Hill(), 0.0, (3.0, 1.0, 2.0), 0.0),
            (models.Hill(), 1e200, (3.0, 1.0, 300.0), 3.0),
            (models.Hill(), 1e-200, (3.0, 1.0, 300.0), 0.0),
            (models.MichaelisMenten(), 0.0, (3.0, 0.0), 0.0),
            (models.PowerLaw(), 0.0, (3.0, 2.0), 0.0),
            (models.Gaussian2D(), [1.0, 2.0], (3.0, 1.0, 2.0, 0.0, 0.0, 0.4), 3.0),
            (models.Gaussian2D(), [1.0, 3.0], (3.0, 1.0, 2.0, 0.0, 0.0, 0.4), 0.0),
        ],
    )
    def test_limits_are_values_and_nothing_is_nan(self, model, x, p, value):
        x = np.array([x]) if model.inputs == 1 else np.array(x)[:, None]
        assert model(x, *p).tolist() == [value] and np.isfinite(model.jacobian(x, *p)).all()

    @given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
    @settings(max_examples=50, deadline=None)
    def test_a_logistic_curve_never_overflows(self, center, rate):
        model, x = models.Logistic(), np.array([-1e3, 0.0, 1e3])
        y = model(x, 2.0, center, rate)
        assert ((y >= 0.0) & (y <= 2.0)).all() and np.isfinite(model.jacobian(x, 2.0, center, rate)[:, 0]).all()


def one_of(rng, low, high):
    """In a range, all orders of magnitude alike."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def amplitude(rng):
    return rng.choice([-1.0, 1.0]) * one_of(rng, 1e-3, 1e3)


def places(rng, least=15):
    """(x, x = unit * (t + shift)) with t between 0 and 1; equal steps, or drawn, in any order."""
    m = int(one_of(rng, least, 200))
    t = rng.permutation(rng.uniform(0.0, 1.0, m)) if rng.random() < 0.5 else np.linspace(0.0, 1.0, m)
    unit, shift = one_of(rng, 1e-3, 1e3), rng.uniform(-2.0, 2.0)
    return unit * (t + shift), unit, shift


def peak(rng, widest=0.4):
    x, unit, shift = places(rng)
    return x, [amplitude(rng), unit * (rng.uniform() + shift), unit * max(one_of(rng, 0.01, widest), 1.2 / x.size)]


def peaks(rng, count):
    x, unit, shift = places(rng, 25 * count)
    c, a = (np.arange(count) + rng.uniform(0.35, 0.65, count)) / count, amplitude(rng)
    p = [[a * rng.choice([-1.0, 1.0]) * one_of(rng, 0.3, 1), unit * (q + shift), unit * one_of(rng, 0.04, 0.15) / count]
         for q in c]  # fmt: skip
    return x, [value for triple in p for value in triple]


def close_peaks(rng):
    """That overlap, so that one wide peak explains most of both."""
    x, unit, shift = places(rng, 60)
    w, c, a = (one_of(rng, 0.02, 0.1), one_of(rng, 0.02, 0.1)), rng.uniform(0.1, 0.5), amplitude(rng)
    d = min(0.9, c + max(w) * rng.uniform(2.5, 4.0))
    b = a * one_of(rng, 0.3, 1.0)
    return x, [a, unit * (c + shift), unit * w[0], b, unit * (d + shift), unit * w[1]]


def beside(rng, drawn, sizes):
    """Linear terms beside, as large as the first amplitude times these."""
    x, p = drawn
    return x, p + [p[0] * rng.uniform(-size, size) for size in sizes]


def decaying(rng, fastest=30.0):
    x, unit, shift = places(rng)
    x -= min(0.0, x.min())
    return x, [amplitude(rng), one_of(rng, 0.5, fastest) / np.ptp(x) if x.min() == 0 else 1.5 / np.ptp(x)]


def two_decays(rng):
    t = np.sort(rng.uniform(0.0, 1.0, int(one_of(rng, 40, 200))))
    unit, slow, a = one_of(rng, 1e-3, 1e3), one_of(rng, 0.3, 3.0), amplitude(rng)
    return unit * t, [a * one_of(rng, 0.5, 2.0), slow * one_of(rng, 4.0, 20.0) / unit, a, slow / unit]


def saturating(rng):
    unit = one_of(rng, 1e-3, 1e3)
    return unit * np.r_[0.0, rng.uniform(0, 1, int(one_of(rng, 10, 100)))], [amplitude(rng), unit * rng.uniform(0.1, 1)]


def waving(rng, least=0.3):
    x, unit, _ = places(rng)
    return x, [amplitude(rng), rng.uniform(least, 0.3 * x.size) / unit, rng.uniform(-3, 3)]


def bump_on_decay(rng):
    x, a = np.linspace(0.0, 1.0, int(one_of(rng, 60, 200))), amplitude(rng)
    height = a * rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.0)
    return x, [a, one_of(rng, 1.0, 6.0), height, rng.uniform(0.3, 0.8), one_of(rng, 0.02, 0.08)]


def spot(rng):
    side = np.linspace(0.0, 1.0, int(rng.uniform(9, 13)))
    unit = one_of(rng, 1e-2, 1e2)
    x = unit * np.array(np.meshgrid(side, side)).reshape(2, -1)
    c, s = unit * rng.uniform(0.2, 0.8, 2), [unit * one_of(rng, 0.08, 0.3) for _ in range(2)]
    return x, [amplitude(rng), *c, *s, rng.uniform(-1.5, 1.5)]


def logistic(rng):
    x, unit, shift = places(rng)
    return x, [
        amplitude(rng),
        unit * (rng.uniform(0.1, 0.9) + shift),
        rng.choice([-1.0, 1.0]) * one_of(rng, 5, 60) / unit,
    ]


GUESSED = {
    "gaussian": (models.Gaussian(), peak),
    "lorentzian": (models.Lorentzian(), peak),
    "voigt": (
        models.Voigt(),
        lambda rng: (lambda x, p: (x, [2 * p[0] * p[2], p[1], 0.6 * p[2], 0.5 * p[2]]))(*peak(rng)),
    ),
    "decay": (models.ExponentialDecay(), decaying),
    "two decays": (models.DoubleExponential(), two_decays),
    "power": (
        models.PowerLaw(),
        lambda rng: (one_of(rng, 0.01, 100) * np.exp(rng.uniform(-2, 3, 60)), [amplitude(rng), rng.uniform(-4, 4)]),
    ),
    "logistic": (models.Logistic(), logistic),
    "michaelis-menten": (models.MichaelisMenten(), saturating),
    "hill": (models.Hill(), lambda rng: (lambda x, p: (x, [*p, one_of(rng, 0.7, 8)]))(*saturating(rng))),
    "sine": (models.Sine(), waving),
    "sine + constant": (models.Sine() + models.Constant(), lambda rng: beside(rng, waving(rng, 0.8), [5.0])),
    "decay + constant": (models.ExponentialDecay() + models.Constant(), lambda rng: beside(rng, decaying(rng), [3.0])),
    "peak + line": (
        models.Gaussian() + models.Linear(),
        lambda rng: (lambda x, p: (x, [*p, *(p[0] * np.array([1.0, rng.uniform(-2, 2) / np.ptp(x)]))]))(
            *peak(rng, 0.15)
        ),
    ),
    "two close peaks": (models.Gaussian("a_") + models.Gaussian("b_"), close_peaks),
    "three peaks + constant": (
        models.Gaussian("a_") + models.Gaussian("b_") + models.Gaussian("c_") + models.Constant(),
        lambda rng: beside(rng, peaks(rng, 3), [2.0]),
    ),
    "decay + peak": (models.ExponentialDecay("d_") + models.Gaussian(), bump_on_decay),
    "spot + constant": (models.Gaussian2D() + models.Constant(), lambda rng: beside(rng, spot(rng), [3.0])),
}


def lowest_cost(model, x, y, p0):
    return numopt.least_squares(
        lambda p: model.function(x, *p) - y, p0, lambda p: model.jacobian(x, *p), model.bounds
    ).cost


class TestGuess:
    @pytest.mark.parametrize("name", GUESSED)
    def test_leads_to_what_the_truth_leads_to(self, name):
        """From the guess the cost comes down to where it comes from the true parameters, in 19 cases of 20."""
        model, draw = GUESSED[name]
        rng, reached = np.random.default_rng(7), []
        for trial in range(20):
            x, truth = draw(rng)
            y = model(x, *truth)
            y = y + (0.01, 0.05)[trial % 2] * np.ptp(y) * rng.standard_normal(y.size)
            start = model.guess(x, y)
            reached.append(lowest_cost(model, x, y, start) <= 1.001 * lowest_cost(model, x, y, truth))
        assert np.mean(reached) >= 0.95

    def test_does_not_depend_on_the_order_of_the_rows(self):
        x, y = np.linspace(0, 1, 80), models.Gaussian()(np.linspace(0, 1, 80), -2.0, 0.3, 0.05)
        order = np.random.default_rng(0).permutation(80)
        model = models.Gaussian()
        np.testing.assert_array_equal(model.guess(x[order], y[order]), model.guess(x, y))

    @pytest.mark.parametrize("m", [1, 2, 3])
    @pytest.mark.parametrize("name", BY_NAME)
    def test_few_points_and_constant_data_have_one(self, name, m):
        model = BY_NAME[name][0]
        x = XY[:, :m] if model.inputs == 2 else X[:m]
        for y in (np.zeros(m), np.ones(m), np.arange(1.0, m + 1.0)):
            p, (lower, upper) = model.guess(x, y), model.bounds
            assert p.shape == (len(model.parameters),) and np.isfinite(p).all()
            assert (p >= lower).all() and (p <= upper).all()
        assert np.isfinite(model.guess(np.zeros_like(x), np.ones(m))).all()

    def test_rows_that_are_not_finite_are_left_out(self):
        x, model = np.linspace(0, 1, 50), models.Gaussian()
        y = model(x, 2.0, 0.3, 0.1)
        bad = y.copy()
        bad[::7] = np.nan
        good = np.isfinite(bad)
        np.testing.assert_array_equal(model.guess(x, bad), model.guess(x[good], y[good]))

    def test_many_rows_are_thinned(self, monkeypatch):
        rng = np.random.default_rng(0)
        x = rng.uniform(0, 1, 300_000)
        sizes, real = [], _guess.Search
        monkeypatch.setattr(_guess, "Search", lambda terms, x, y: sizes.append(y.size) or real(terms, x, y))
        y = models.Gaussian()(x, 2.0, 0.3, 0.05) + rng.standard_normal(x.size)
        np.testing.assert_allclose(models.Gaussian().guess(x, y), [2.0, 0.3, 0.05], rtol=0.1)
        y = models.Sine()(x, 2.0, 300.0, 0.0) + rng.standard_normal(x.size)
        assert models.Sine().guess(x, y)[1] == pytest.approx(300.0, abs=0.05)
        assert max(sizes) <= 20_000

    def test_the_highest_peak_is_the_first(self):
        x = np.linspace(0, 1, 100)
        model = models.Gaussian("a_") + models.Gaussian("b_")
        for order in ((3.0, 0.3, 0.05, 5.0, 0.7, 0.05), (-5.0, 0.3, 0.05, 3.0, 0.7, 0.05)):
            assert abs(model.guess(x, model(x, *order))[0]) == pytest.approx(5.0, rel=0.1)

    def test_a_round_spot_has_two_widths_as_its_angle_would_not_move(self):
        x = np.array(np.meshgrid(np.arange(15.0), np.arange(15.0))).reshape(2, -1)
        p = models.Gaussian2D().guess(x, models.Gaussian2D()(x, 3.0, 7.0, 6.0, 2.0, 2.0, 0.0))
        assert p[3] != p[4] and p[3:5] == pytest.approx([2.0, 2.0], rel=0.15)

    def test_polynomials_are_fitted(self):
        x = np.linspace(100.0, 101.0, 20)
        np.testing.assert_allclose(models.Linear().guess(x, 3.0 - 2.0 * x), [3.0, -2.0], rtol=1e-9)
        np.testing.assert_allclose(models.Polynomial(3).guess(X, X**3 - 2.0), [-2.0, 0.0, 0.0, 1.0], atol=1e-9)


class TestSums:
    def test_parameters_bounds_and_formula(self):
        model = models.Gaussian("a_") + models.Lorentzian("b_") + models.Polynomial(1)
        assert model.parameters == (
            "a_amplitude",
            "a_center",
            "a_sigma",
            "b_amplitude",
            "b_center",
            "b_gamma",
            "c0",
            "c1",
        )
        assert model.formula == (
            "a_amplitude * exp(-(x - a_center)**2 / (2 * a_sigma**2)) + "
            "b_amplitude / (1 + ((x - b_center) / b_gamma)**2) + c0 + c1 * x"
        )
        lower, upper = model.bounds
        assert np.flatnonzero(lower == 0.0).tolist() == [2, 5] and (upper == np.inf).all()
        assert model.name == "Gaussian(a_) + Lorentzian(b_) + Polynomial"
        assert repr(model) == "Gaussian(prefix='a_') + Lorentzian(prefix='b_') + Polynomial(1)"

    def test_values_and_derivatives_are_those_of_the_terms_however_they_are_nested(self):
        a, b, c = models.Gaussian("a_"), models.Gaussian("b_"), models.Constant()
        p = (2.0, 1.0, 0.3, -1.0, 2.0, 0.4, 0.5)
        for model in ((a + b) + c, a + (b + c), sum([a, b, c])):
            np.testing.assert_allclose(model(X, *p), a(X, *p[:3]) + b(X, *p[3:6]) + 0.5, rtol=1e-15)
            parts = [a.jacobian(X, *p[:3]), b.jacobian(X, *p[3:6]), np.ones((X.size, 1))]
            np.testing.assert_array_equal(model.jacobian(X, *p), np.hstack(parts))
            assert model == a + b + c and hash(model) == hash(a + b + c)
        assert a + b != b + a and models.Polynomial(2) != models.Polynomial(3)

    def test_one_sum_is_compiled_once(self):
        first, second = (models.Gaussian(p) + models.Constant() for p in ("", "a_"))
        assert first.function is second.function and first.jacobian is second.jacobian
        assert copy.deepcopy(first).function is pickle.loads(pickle.dumps(first)).function is first.function

    def test_what_can_not_be_added(self):
        message = (
            r"duplicate parameter names in Gaussian \+ Gaussian: amplitude, center, sigma; give each a prefix, as in "
        )
        with pytest.raises(ValueError, match=message + r"Gaussian\(prefix='a_'\)"):
            models.Gaussian() + models.Gaussian()
        with pytest.raises(ValueError, match=r"duplicate parameter names in Gaussian.*: amplitude; "):
            models.Gaussian() + models.Constant() + models.PowerLaw()
        with pytest.raises(ValueError, match=r"Gaussian2D .* Linear can't be added: some are models of one variable"):
            models.Gaussian2D() + models.Linear()
        with pytest.raises(TypeError):
            models.Gaussian() + 1.0


def test_scipys_functions_and_compiled_code_take_them():
    model = models.Gaussian() + models.Linear()
    x = np.linspace(0, 10, 60)
    truth = [-4.0, 3.0, 0.8, 1.0, 0.5]
    y = model(x, *truth) + 0.01 * np.cos(40 * x)
    popt, _ = scipy.optimize.curve_fit(model.function, x, y, model.guess(x, y), jac=model.jacobian)
    np.testing.assert_allclose(popt, truth, atol=0.02)
    popt, _ = scipy.optimize.curve_fit(model, x, y, model.guess(x, y), bounds=model.bounds)
    np.testing.assert_allclose(popt, truth, atol=0.02)
    f = model.function

    @njit
    def row_by_row(x, y, p):
        total = 0.0
        for i in range(x.size):
            total += (f(x[i], p[0], p[1], p[2], p[3], p[4]) - y[i]) ** 2
        return total

    assert row_by_row(x, y, np.array(truth)) == pytest.approx(((model(x, *truth) - y) ** 2).sum())


def test_importing_and_describing_models_needs_neither_numba_nor_scipy():
    code = (
        "import sys, numopt\n"
        "m = numopt.models.Gaussian('a_') + numopt.models.Constant()\n"
        "m.parameters, m.bounds, m.formula, m.name, repr(m)\n"
        "print(sorted({n.split('.')[0] for n in sys.modules} & {'scipy', 'numba', 'sklearn'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_is_refused():
    model = models.Gaussian()
    with pytest.raises(TypeError, match=r"Gaussian takes 3 parameters \(amplitude, center, sigma\); got 2"):
        model(X, 1.0, 2.0)
    with pytest.raises(ValueError, match=r"x of Gaussian must have shape \(m,\); got shape \(2, 40\)"):
        model(XY, 1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match=r"x of Gaussian2D must have shape \(2, m\); got shape \(30,\)"):
        models.Gaussian2D()(X, 1.0, 2.0, 3.0, 1.0, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"as many y as x.*shape \(30,\) and y has shape \(29,\)"):
        model.guess(X, X[:-1])
    with pytest.raises(ValueError, match="none of the 30 rows is finite"):
        model.guess(X, np.full(30, np.nan))
    for prefix in ("1", "a b", None):
        with pytest.raises(ValueError, match="prefix must be a string that a name can begin with"):
            models.Gaussian(prefix)
    for degree in (-1, 1.5, True, 51):
        with pytest.raises(ValueError, match="degree must be an integer from 0 to 50; got"):
            models.Polynomial(degree)
