"""Methods for sums of squares: beside scipy's of the same name, bounds, geodesic acceleration, ends."""

import ctypes

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import carray as as_array
from numba import cfunc, njit, types

from numopt import LeastSquaresStatus, curve_fit, least_squares, problems
from numopt.catalog import SQUARES
from numopt.drivers import units
from numopt.kernels import slots
from numopt.kernels import squares_slots as q
from numopt.kernels.oracle import void_pointer as _pointer

METHODS = list(SQUARES)
NEW = ["trf", "dogleg", "dogbox"]
T = np.linspace(0.0, 2.0, 20)
Y = 3.0 * np.exp(-1.5 * T) + 0.5


def decay(b):
    return b[0] * np.exp(-b[1] * T) + b[2] - Y


def decay_jacobian(b):
    e = np.exp(-b[1] * T)
    return np.column_stack([e, -b[0] * T * e, np.ones(T.size)])


def rosenbrock(x):
    return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def rosenbrock_jacobian(x):
    return np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])


class TestBesideScipy:
    @pytest.mark.parametrize("method", ["trf", "dogbox"])
    def test_solves_as_many_with_as_few_evaluations(self, method):
        """The functions of Moré, Garbow and Hillstrom from x0, 10 x0 and 100 x0, and NIST's: default options."""
        cases = []
        for scale in (1, 10, 100):
            for name in problems.names("mgh"):
                p = problems.get(name, scale=scale)
                if p.m >= p.n:
                    cases.append((p.residual.py_func, p.jacobian.py_func, p.x0, np.array(p.minima)))
        for name in problems.nist_names():
            p = problems.nist(name)
            cases += [(p.python_residual, p.python_jacobian, start, np.array([p.rss])) for start in p.starts]
        solved, ratios = np.zeros(2, int), []
        for fun, jac, x0, minima in cases:
            with np.errstate(all="ignore"):
                pair = [
                    solve(fun, x0, jac, method=method, max_nfev=400)
                    for solve in (least_squares, scipy.optimize.least_squares)
                ]
            good = [bool((2 * r.cost - minima <= 1e-10 + 1e-6 * np.abs(minima)).any()) for r in pair]
            solved += good
            if all(good):
                ratios.append(pair[0].nfev / pair[1].nfev)
        assert solved[0] >= solved[1]
        # dogbox takes scipy's path but for the first radius and the shortest step: as many, to a few in a hundred
        assert np.exp(np.mean(np.log(ratios))) <= (1.0 if method == "trf" else 1.03)

    @pytest.mark.parametrize("method", ["marquardt", *NEW])
    @pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
    def test_losses_as_scipy(self, method, loss):
        y = Y.copy()
        y[[3, 9]] += [2.0, -3.0]
        fun = lambda b: b[0] * np.exp(-b[1] * T) + b[2] - y  # noqa: E731
        options = {"loss": loss, "f_scale": 0.3, "ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12}
        bounds = ([0.0, 0.0, 0.0], [2.8, 9.0, 9.0])
        ours = least_squares(fun, [2.5, 1.0, 0.2], decay_jacobian, bounds, method, **options)
        theirs = scipy.optimize.least_squares(fun, [2.5, 1.0, 0.2], decay_jacobian, bounds, "trf", **options)
        assert ours.cost == pytest.approx(theirs.cost, rel=1e-8)

    @pytest.mark.parametrize("method", NEW)
    def test_variables_are_not_scaled_by_default(self, method):
        runs = [
            least_squares(
                rosenbrock, [-1.2, 1.0], rosenbrock_jacobian, method=method, options={"return_all": True}, **scale
            )
            for scale in ({}, {"x_scale": 1.0}, {"x_scale": "jac"})
        ]
        assert np.array_equal(runs[0].allvecs, runs[1].allvecs)
        assert not np.array_equal(runs[0].allvecs[:3], runs[2].allvecs[:3])

    @pytest.mark.parametrize("method", ["trf", "dogbox"])
    def test_x_scale_is_a_change_of_variables(self, method):
        scale = np.array([100.0, 0.01, 1.0])
        bounds = np.array([[0.5, 0.5, -1.0], [9.0, 1.4, 1.0]])
        options = {"options": {"return_all": True}, "method": method, "gtol": None}
        one = least_squares(decay, [1.0, 1.0, 0.0], decay_jacobian, bounds, x_scale=scale, **options)
        other = least_squares(
            lambda u: decay(u * scale), np.array([1.0, 1.0, 0.0]) / scale, lambda u: decay_jacobian(u * scale) * scale,
            bounds / scale, **options,
        )  # fmt: skip
        np.testing.assert_allclose(one.allvecs[:6], np.array(other.allvecs[:6]) * scale, rtol=1e-5, atol=1e-8)


class TestBounds:
    @pytest.mark.parametrize("method", METHODS)
    @given(seed=st.integers(0, 10**6))
    @settings(max_examples=20, deadline=None)
    def test_convex_problems_in_a_box_end_at_the_minimum(self, method, seed):
        """Each residual an increasing function of a linear one, hardly bent: first-order points are minima."""
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 5))
        A, b = rng.standard_normal((n + 3, n)), 2.0 * rng.standard_normal(n + 3)
        lower = np.where(rng.random(n) < 0.7, -rng.random(n), -np.inf)
        upper = np.where(rng.random(n) < 0.7, rng.random(n), np.inf)
        fun = lambda x: (A @ x - b) + 0.1 * np.sin(A @ x - b)  # noqa: E731
        jac = lambda x: A * (1.0 + 0.1 * np.cos(A @ x - b))[:, None]  # noqa: E731
        result = least_squares(fun, np.clip(rng.standard_normal(n), lower, upper), jac, (lower, upper), method)
        best = scipy.optimize.least_squares(
            fun, np.clip(np.zeros(n), lower + 1e-3, upper - 1e-3), jac, (lower, upper), ftol=1e-14, xtol=1e-14,
            gtol=1e-14,
        ).cost  # fmt: skip
        assert result.success and result.cost <= best * (1 + 1e-6) + 1e-12
        assert (result.x >= lower).all() and (result.x <= upper).all()

    @pytest.mark.parametrize("method", NEW)
    def test_boxes_of_many_variables(self, method):
        for seed in range(40):
            rng = np.random.default_rng(seed)
            n = int(rng.integers(3, 8))
            A, b = rng.standard_normal((10, n)), 5.0 * rng.standard_normal(10)
            lower, upper = -rng.random(n), rng.random(n)
            result = least_squares(lambda x: A @ x - b, np.zeros(n), lambda x: A, (lower, upper), method)  # noqa: B023
            best = scipy.optimize.lsq_linear(A, b, (lower, upper), method="bvls").cost
            assert result.success and result.cost <= best * (1 + 1e-7)

    @pytest.mark.parametrize("method", NEW)
    @pytest.mark.parametrize("seed", [244, 775, 1186])
    def test_a_short_step_onto_a_bound_is_no_end(self, method, seed):
        """The first versions took it for one (775, 1186); nor is a minimum to the last digit a failure (244)."""
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 5))
        A, b = rng.standard_normal((6, n)), 3.0 * rng.standard_normal(6)
        lower = np.where(rng.random(n) < 0.7, -rng.random(n), -np.inf)
        upper = np.where(rng.random(n) < 0.7, rng.random(n), np.inf)
        start = np.clip(rng.standard_normal(n), lower, upper)
        jac = (lambda x: A) if seed % 2 else "3-point"
        result = least_squares(lambda x: A @ x - b, start, jac, (lower, upper), method)
        best = scipy.optimize.lsq_linear(A, b, (lower, upper), tol=1e-14).cost
        assert result.success and result.cost <= best * (1 + 1e-6)

    def test_trf_is_strictly_inside_from_a_start_on_the_bounds(self):
        lower, upper = np.array([0.0, 1.5, 0.6]), np.array([2.5, 9.0, 0.6 + 1e-9])
        seen = []

        def fun(x):
            seen.append(x)
            return decay(x)

        result = least_squares(fun, [2.5, 1.5, 0.6], decay_jacobian, (lower, upper), "trf")
        assert ((np.array(seen) > lower) & (np.array(seen) < upper)).all()
        theirs = scipy.optimize.least_squares(decay, [2.5, 1.5, 0.6], decay_jacobian, (lower, upper), "trf")
        assert result.success and result.cost == pytest.approx(theirs.cost, rel=1e-6)
        np.testing.assert_array_equal(result.active_mask, theirs.active_mask)

    @pytest.mark.parametrize("method", ["dogleg", "dogbox"])
    def test_doglegs_end_on_the_bound(self, method):
        result = least_squares(decay, [1.0, 1.0, 0.0], decay_jacobian, ([0, 0, 0], [2.5, np.inf, 1]), method)
        assert result.success and result.x[0] == 2.5 and result.active_mask.tolist() == [1, 0, 0]


class TestRank:
    @pytest.mark.parametrize("method", ["dogleg", "dogbox"])
    def test_of_all_gauss_newton_steps_the_shortest(self, method):
        fun = lambda b: (b[0] + b[1]) * T - 3.0 * T  # noqa: E731
        jac = lambda b: np.column_stack([T, T])  # noqa: E731
        result = least_squares(fun, [0.2, 0.1], jac, method=method, options={"factor": 100.0})
        np.testing.assert_allclose(result.x, [1.55, 1.45], rtol=1e-6)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_column_of_zeros(self, method):
        fun = lambda b: np.append(b[0] * T - 3.0 * T, 0.0 * b[1])  # noqa: E731
        result = least_squares(fun, [0.2, 0.1], method=method)
        assert result.success and result.x[0] == pytest.approx(3.0, rel=1e-6)

    @pytest.mark.parametrize("method", NEW)
    def test_a_column_of_zeros_beside_a_variable_at_its_bound(self, method):
        """The rest of the path was not a number."""
        beale = problems.get("beale")
        fun, jac = beale.residual.py_func, beale.jacobian.py_func
        result = least_squares(fun, [1.0, 1.0], jac, ([0.4, 0.45], [np.inf, 1.4]), method)
        assert result.success and np.isfinite(result.x).all() and result.cost < 7.0


class TestEnds:
    @pytest.mark.parametrize("method", NEW)
    def test_statuses(self, method):
        start = [1.0, 1.0, 0.0]
        noisy = lambda b: decay(b) + 0.01 * np.cos(40 * T)  # noqa: E731

        def run(fun=decay, jac=decay_jacobian, **more):
            return least_squares(fun, start, jac, method=method, **more).status

        assert run(ftol=None, xtol=None) is LeastSquaresStatus.GTOL
        assert run(noisy, gtol=None, xtol=None) is LeastSquaresStatus.FTOL
        assert run(noisy, gtol=None, ftol=None) is LeastSquaresStatus.XTOL
        assert run(max_nfev=2) is LeastSquaresStatus.MAX_NFEV
        assert run(options={"maxiter": 2}) is LeastSquaresStatus.MAXITER
        assert run(noisy, ftol=None, xtol=None, gtol=1e-15) in (LeastSquaresStatus.STALLED, LeastSquaresStatus.GTOL)
        assert run(jac=lambda b: -decay_jacobian(b)) is LeastSquaresStatus.NO_STEP
        tiny = least_squares(lambda b: 1e-200 * (b - 1.0), [5.0, 3.0], method=method, gtol=None)
        assert tiny.success and tiny.cost == 0.0  # nothing below zero to look for
        there = lambda b: (b == start).all()  # noqa: E731
        assert run(jac=lambda b: decay_jacobian(b) + (0.0 if there(b) else np.inf)) is LeastSquaresStatus.NAN
        assert run(lambda b: decay(b) * (1.0 if there(b) else np.nan)) is LeastSquaresStatus.NAN


N, M, H = 2, 7, 3


@cfunc(types.float64(*[types.intp] * 5))
def _residual(xp, rp, n, m, data):
    x, r = as_array(_pointer(xp), (N,), types.float64), as_array(_pointer(rp), (M,), types.float64)
    for i in range(M):
        r[i] = (i - 2.0) * x[0] * x[0] + i * x[0] * x[1] - x[1] * x[1] + x[0] - 0.3 * i
    return 0.0


@cfunc(types.float64(*[types.intp] * 5))
def _jacobian(xp, jp, n, m, data):
    x, J = as_array(_pointer(xp), (N,), types.float64), as_array(_pointer(jp), (M, N), types.float64)
    for i in range(M):
        J[i, 0], J[i, 1] = 2.0 * (i - 2.0) * x[0] + i * x[1] + 1.0, i * x[0] - 2.0 * x[1]
    return 0.0


class TestGeodesic:
    @pytest.mark.parametrize("loss", [q.LINEAR, q.CAUCHY])
    @pytest.mark.parametrize("kind", ["whole", "differences"])
    def test_second_derivative_along_a_step(self, kind, loss):
        """Of quadratic residuals it is exact, to rounding, or to the error of the differences."""
        counters, table = np.zeros(slots.N_COUNTERS + slots.N_TABLE, np.int64), slots.N_COUNTERS
        p, w = np.zeros(slots.N_SCALARS), np.zeros(4 * N)
        counters[slots.N], counters[slots.TICK_IN], counters[table + slots.A_P] = N, 2**40, p.ctypes.data
        k, sigma = np.zeros(q.N_WORDS, np.int64), np.linspace(1.0, 2.0, M)
        arrays = {
            q.R: np.zeros(2 * M), q.J: np.zeros(M * N), q.PANEL: np.zeros((N + 6) * H), q.COLUMN: np.zeros(M * N),
            q.AT: np.full(3 * N, np.nan), q.TRIANGLES: np.zeros(2 * N * (N + 1)), q.REALS: np.array([1.5, 0.1]),
            q.TYPICAL: np.ones(N), q.SIGMA: sigma,
        }  # fmt: skip
        for slot, array in arrays.items():
            k[slot] = array.ctypes.data
        k[q.M], k[q.WHOLE], k[q.HEIGHT], k[q.SCHEME], k[q.LOSS] = M, N, H, 3, loss
        k[q.C], k[q.FIRST_X], k[q.FIRST_G] = counters.ctypes.data, w.ctypes.data, w.ctypes.data + 16 * N
        k[q.RESIDUAL] = _residual.address
        k[q.JACOBIAN] = _jacobian.address if kind == "whole" else 0
        x, v, out = w[:N], np.array([0.4, -0.7]), np.zeros(N)
        x[:] = 1.2, -0.5
        call = lambda unit, *words: ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * len(words))(  # noqa: E731
            units.address(unit)
        )(*words)
        call("squares/value_grad", w.ctypes.data, w.ctypes.data + 16 * N, N, k.ctypes.data)
        call("squares/curved", w.ctypes.data, v.ctypes.data, out.ctypes.data, N, k.ctypes.data)
        i = np.arange(M)
        J = np.column_stack([2 * (i - 2) * 1.2 + i * -0.5 + 1, i * 1.2 + 1.0]) / sigma[:, None]
        r = ((i - 2) * 1.44 - 0.6 * i - 0.25 + 1.2 - 0.3 * i) / sigma
        bent = 2 * ((i - 2) * 0.16 - 0.28 * i - 0.49) / sigma
        z = (r / 1.5) ** 2
        weight = np.maximum(1 / (1 + z) - 2 * z / (1 + z) ** 2, 0.1 / (1 + z)) if loss == q.CAUCHY else np.ones(M)
        np.testing.assert_allclose(out, J.T @ (weight * bent), rtol=1e-7 if kind == "differences" else 1e-11)
        np.testing.assert_array_equal(x, [1.2, -0.5])

    @pytest.mark.parametrize("jit", [False, True])
    def test_of_a_fit(self, jit):
        """Jitted models by rows as well, whose Jacobian is not kept: all rows at once then."""
        t = np.linspace(7.0, 50.0, 400)
        y = -2500.0 * (46.0 + t) ** (-1.0 / 0.93)
        f = lambda t, a, b, c: a * (b + t) ** (-1.0 / c)  # noqa: E731
        plain, bent = (
            curve_fit(njit(f) if jit else f, t, y, [-2000.0, 50.0, 0.8], jac="3-point", ftol=1e-12, options=options)
            for options in ({}, {"geodesic": True})
        )
        assert bent.success and bent.njev < plain.njev and bent.cost <= plain.cost * (1 + 1e-6) + 1e-12

    def test_no_acceleration_where_it_would_be_rounding(self):
        """At a sum of squares of rounding the run ends with a success, and not for want of a step."""
        result = least_squares(rosenbrock, [-1.2, 1.0], rosenbrock_jacobian, options={"geodesic": True})
        assert result.success and result.cost < 1e-25

    @pytest.mark.parametrize("method", ["lm", "marquardt"])
    def test_fewer_jacobians_in_narrow_valleys(self, method):
        """Rosenbrock's, Meyer's (NIST's MGH10), Bennett5's form, from starts far along the valley."""
        meyer = problems.get("meyer")
        t = np.linspace(7.0, 50.0, 40)
        y = -2500.0 * (46.0 + t) ** (-1.0 / 0.93)
        cases = [
            (rosenbrock, rosenbrock_jacobian, [-1.2, 1.0]),
            (meyer.residual.py_func, meyer.jacobian.py_func, meyer.x0),
            (lambda b: b[0] * (b[1] + t) ** (-1.0 / b[2]) - y, "3-point", [-2000.0, 50.0, 0.8]),
        ]
        for fun, jac, x0 in cases:
            plain, bent = (
                least_squares(fun, x0, jac, method=method, max_nfev=1000, options=options)
                for options in ({}, {"geodesic": True})
            )
            assert bent.success and bent.cost <= plain.cost * (1 + 1e-6) + 1e-15
            assert bent.njev <= 0.75 * plain.njev

    @pytest.mark.parametrize("more", [{}, {"jac": decay_jacobian}, {"loss": "soft_l1"}, {"bounds": (0, 2.5)}])
    @pytest.mark.parametrize("method", ["lm", "marquardt"])
    def test_same_answer_and_every_evaluation_is_counted(self, method, more):
        calls = []

        def fun(b):
            calls.append(b)
            return decay(b)

        result = least_squares(fun, [1.0, 1.0, 0.2], method=method, options={"geodesic": True}, **more)
        plain = least_squares(decay, [1.0, 1.0, 0.2], method=method, **more)
        assert result.success and result.cost <= plain.cost * (1 + 1e-8) + 1e-15
        np.testing.assert_allclose(result.x, plain.x, rtol=1e-4)
        assert result.nfev > result.nit + 1
        if "jac" in more:
            assert len(calls) == result.nfev
        if "bounds" in more:
            assert result.x[0] == 2.5 and (np.array(calls) <= 2.5).all()

    def test_the_bound_on_the_acceleration_is_an_option(self):
        runs = [
            least_squares(rosenbrock, [-1.2, 1.0], rosenbrock_jacobian, options={"geodesic": True, "return_all": True}
                          | change).allvecs for change in ({}, {"accel_max": 0.75}, {"accel_max": 1e-6})
        ]  # fmt: skip
        plain = least_squares(rosenbrock, [-1.2, 1.0], rosenbrock_jacobian, options={"return_all": True}).allvecs
        assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0][:5], runs[2][:5])
        np.testing.assert_array_equal(runs[2][:5], plain[:5])

    @pytest.mark.parametrize(
        "method, options, message",
        [
            ("trf", {"geodesic": True}, "'geodesic' is an option of 'lm' and 'marquardt'; got method 'trf'"),
            ("lm", {"accel_max": -1.0}, "'accel_max' must be a positive number"),
            ("lm", {"accel_max": 0.5}, "'accel_max' needs 'geodesic'"),
        ],
    )
    def test_refused(self, method, options, message):
        with pytest.raises(ValueError, match=message):
            least_squares(decay, [1.0, 1.0, 0.2], method=method, options=options)


@pytest.mark.parametrize("method", ["dogleg", "dogbox", "trf"])
def test_a_variable_that_no_longer_shows_is_not_sent_away(method):
    """Its Gauss-Newton step had a square that overflows: at 1e152 every step of the other was short beside x."""
    problem = problems.get("jennrich_sampson", scale=10)
    result = least_squares(problem.residual, problem.x0, problem.jacobian, method=method, max_nfev=1000)
    assert abs(result.x).max() < 1e6 and result.cost < 150.0
