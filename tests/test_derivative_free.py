"""Methods that ask for values only, and coordinate descent."""

import math
import warnings

import numba
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import numopt
from numopt import METHODS, OptimizeWarning, Status, minimize, problems
from numopt.kernels.points import advance, fill_normal, uniform

VALUES = [name for name, row in METHODS.items() if row.values_only]
BOUNDED = [name for name, row in METHODS.items() if row.bounds and row.values_only]
COORDINATE = [name for name in METHODS if name.startswith("coordinate-descent")]
TIGHT = {"powell": {"xtol": 1e-8, "ftol": 1e-12}}


def _tight(name):
    return TIGHT.get(name, {"xatol": 1e-7, "fatol": 1e-12} if METHODS[name].values_only else {"gtol": 1e-8})


@numba.njit
def rosen(x):
    f = 0.0
    for i in range(x.size - 1):
        a, b = x[i + 1] - x[i] ** 2, 1.0 - x[i]
        f += 100.0 * a * a + b * b
    return f


@numba.njit
def rosen_data(x, data):
    return rosen(x)


@numba.njit
def _bowl(x, data):
    """A convex quadratic with its minimum at data, and coupled variables."""
    f = 0.0
    for i in range(x.size):
        d = x[i] - data[i]
        f += (i + 1.0) * d * d
        if i > 0:
            f += d * (x[i - 1] - data[i - 1])
    return f


def _start(n):
    return np.tile([-1.2, 1.0], n)[:n] + 0.01 * np.sin(np.arange(n))  # without ties


class TestValuesOnly:
    @pytest.mark.parametrize("name", VALUES)
    def test_calls_are_counted_and_no_gradient_is_made(self, name):
        calls = []

        def fun(x):
            calls.append(x)
            return float((x - 1.0) @ (x - 1.0))

        result = minimize(fun, [3.0, -2.0], method=name)
        assert result.nfev == len(calls) and result.njev == result.nhev == 0 and result.success
        assert "jac" not in result and math.isnan(result.optimality)
        history = minimize(fun, [3.0, -2.0], method=name, options={"history": True}).history
        assert np.isnan(history["gnorm"]).all() and (np.diff(history["f"]) <= 0.0).all()

    @pytest.mark.parametrize("name", VALUES)
    def test_a_gradient_is_not_used_and_that_is_said(self, name):
        def never(x):
            raise AssertionError

        with pytest.warns(OptimizeWarning, match=f"'{name}' makes no use of jac"):
            result = minimize(rosen, [1.1, 1.1], jac=never, method=name)
        assert result.nfev == minimize(rosen, [1.1, 1.1], method=name).nfev
        if not METHODS[name].diagonal:
            with pytest.warns(OptimizeWarning, match="no use of hess"):
                minimize(rosen, [1.1, 1.1], hess=never, method=name)

    @pytest.mark.parametrize("name", VALUES)
    def test_all_kinds_of_objectives(self, name):
        """The same run whatever fun is: jitted or not, with a gradient that nobody asks for, in place, in C."""
        options = {"maxfev": 60}
        python = lambda x: (x[0] - 1.0) ** 2 + (x[0] - x[1]) ** 2  # noqa: E731
        jitted = numba.njit(python)
        pair = lambda x: (python(x), 0.0 * x)  # noqa: E731

        @numba.njit
        def inplace(x, g):
            return jitted(x)

        @numba.cfunc(numba.float64(numba.intp, numba.intp, numba.intp))
        def pointer(xp, n, data):
            x = numba.carray(numopt.kernels.oracle.void_pointer(xp), (n,), numba.float64)
            return (x[0] - 1.0) ** 2 + (x[0] - x[1]) ** 2

        @numba.cfunc(numba.float64(numba.intp, numba.intp, numba.intp, numba.intp))
        def pair_pointer(xp, gp, n, data):
            x = numba.carray(numopt.kernels.oracle.void_pointer(xp), (n,), numba.float64)
            return (x[0] - 1.0) ** 2 + (x[0] - x[1]) ** 2

        expected = minimize(python, [3.0, 1.0], method=name, options=options)
        for fun, jac in ((jitted, None), (jitted, None), (pair, True), (pointer, None), (pair_pointer, True),
                         (inplace, "inplace"), (inplace.py_func, "inplace"), (pointer.ctypes, None)):  # fmt: skip
            result = minimize(fun, [3.0, 1.0], jac=jac, method=name, options=options)
            assert np.array_equal(result.x, expected.x) and result.nfev == expected.nfev
        scaled = minimize(lambda x, a: a * python(x), [3.0, 1.0], args=(2.0,), method=name, options=options)
        jitted_scaled = numba.njit(lambda x, a: a * jitted(x))
        again = minimize(jitted_scaled, [3.0, 1.0], args=(2.0,), method=name, options=options)
        assert np.array_equal(again.x, scaled.x)

    def test_a_jitted_function_that_returns_no_pair(self):
        with pytest.raises(TypeError, match=r"must return \(f, g\)"):
            minimize(rosen, [1.0, 2.0], jac=True, method="nelder-mead")

    @pytest.mark.parametrize("name", VALUES)
    def test_exceptions_of_jitted_functions(self, name):
        @numba.njit
        def fun(x):
            if x[0] > 1.0:
                raise ValueError("too far")
            return -x[0]

        with pytest.raises(ValueError, match="too far"):
            minimize(fun, [0.5, 0.5], method=name)

    @pytest.mark.parametrize("name", VALUES)
    def test_regions_without_a_value(self, name):
        """They count as infinitely high, also at the start where there is a value beside it."""
        fun = numba.njit(lambda x: x[0] - math.log(x[0]) + x[1] ** 2 if x[0] > 0.0 else math.nan)
        result = minimize(fun, [8.0, 3.0], method=name, options=_tight(name))
        assert result.success and np.abs(result.x - [1.0, 0.0]).max() < 1e-3
        at_the_edge = minimize(fun, [0.0, 1e-3], method=name, options={"maxfev": 3000})
        if METHODS[name].unit not in ("powell", "coordinate-descent"):  # these have no second point to bracket with
            assert at_the_edge.fun < 10.0

    @pytest.mark.parametrize("name", VALUES)
    @pytest.mark.parametrize("cut", [1, 2, 3, 4, 7, 12, 23, 31])
    def test_cut_off_anywhere_the_lowest_point_is_returned(self, name, cut):
        seen = []

        def fun(x):
            seen.append(rosen(x))
            return seen[-1]

        x0 = _start(3)
        part = minimize(fun, x0, method=name, options={"maxfev": cut})
        assert part.nfev == cut == len(seen) and part.fun == min(seen) == rosen(part.x)
        assert part.status is Status.MAXFEV
        limits = {"maxiter": 45, "maxfev": 10**6}
        whole = minimize(rosen, x0, method=name, options=limits)
        resumed = numopt.resume(part, rosen, options=limits)
        assert np.array_equal(resumed.x, whole.x) and resumed.fun == whole.fun and resumed.nit == whole.nit

    def test_tol_sets_both_tolerances(self):
        for name in VALUES:
            words = minimize(rosen, [1.0, 1.0], method=name, tol=1e-3, options={"maxiter": 0}).state[3]
            slots = numopt.kernels.slots
            pair = (slots.XTOL_ABS, slots.FTOL_REL) if name == "powell" else (slots.XATOL, slots.FATOL)
            assert words[list(pair)].tolist() == [1e-3, 1e-3]

    def test_budgets_as_in_scipy(self):
        flat = numba.njit(lambda x: rosen(x))
        for options, status, count in (
            ({}, Status.MAXFEV, 600),
            ({"maxiter": 50}, Status.MAXITER, None),
            ({"maxfev": 700}, Status.MAXFEV, 700),
            ({"maxiter": math.inf}, Status.MAXFEV, 600),
        ):
            options = {"xatol": 0.0, "fatol": 0.0, **options}
            result = minimize(flat, _start(3) + 5.0, method="nelder-mead", options=options)
            theirs = scipy.optimize.minimize(flat, _start(3) + 5.0, method="nelder-mead", options=options)
            assert result.status is status and (count is None or result.nfev == count)
            assert abs(theirs.nfev - result.nfev) <= 1


class TestNelderMead:
    @pytest.mark.parametrize("adaptive", [False, True])
    @pytest.mark.parametrize("n", range(1, 9))
    def test_scipys_iterates(self, n, adaptive):
        fun = rosen if n > 1 else numba.njit(lambda x: (x[0] - 2.0) ** 4)
        options = {"adaptive": adaptive, "return_all": True, "maxiter": 40}
        ours = minimize(fun, _start(n), method="Nelder-Mead", options=options)
        theirs = scipy.optimize.minimize(fun, _start(n), method="Nelder-Mead", options=options)
        assert (ours.nfev, ours.nit) == (theirs.nfev, theirs.nit)
        assert np.array_equal(ours.allvecs[2:], theirs.allvecs[1:])
        for mine, other in zip(ours.final_simplex, theirs.final_simplex, strict=True):
            assert np.array_equal(mine, other)

    @given(st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=5), st.integers(0, 10**6))
    @settings(max_examples=20, deadline=None)
    def test_given_simplex(self, x0, seed):
        n = len(x0)
        simplex = np.random.default_rng(seed).normal(size=(n + 1, n))
        options = {"initial_simplex": simplex, "maxiter": 30}
        ours = minimize(rosen, x0, method="nelder-mead", options=options)
        theirs = scipy.optimize.minimize(rosen, x0, method="nelder-mead", options=options)
        assert ours.nfev == theirs.nfev and np.allclose(ours.x, theirs.x, rtol=1e-12, atol=1e-14)

    @pytest.mark.parametrize("name", problems.names("mgh"))
    def test_on_the_mgh_problems(self, name):
        """The same run as scipy's, until two vertices have the same value: their order is scipy's own affair."""
        problem = problems.get(name)
        ours = minimize(problem.fun, problem.x0, method="nelder-mead")
        theirs = scipy.optimize.minimize(problem.fun, problem.x0, method="nelder-mead")
        tied = {"biggs_exp6", "extended_rosenbrock", "extended_powell_singular", "broyden_tridiagonal",
                "broyden_banded", "brown_almost_linear", "linear_full_rank", "linear_rank_1_zeros"}  # fmt: skip
        if name in tied:
            assert ours.nfev <= 1.2 * theirs.nfev
        else:
            assert ours.nfev == theirs.nfev and np.allclose(ours.x, theirs.x, rtol=1e-9, atol=1e-12)

    def test_its_convergence_is_the_documented_inequality(self):
        result = minimize(rosen, _start(4), method="nelder-mead", options={"xatol": 1e-5, "fatol": 1e-6})
        points, values = result.final_simplex
        assert result.status is Status.SPREAD and (np.diff(values) >= 0.0).all()
        assert np.abs(points - points[0]).max() <= 1e-5 and values[-1] - values[0] <= 1e-6
        assert np.allclose([rosen(x) for x in points], values, rtol=1e-12)

    @pytest.mark.parametrize(
        ("simplex", "says"),
        [
            (np.zeros((2, 2)), r"of shape \(3, 2\); got float64 \(2, 2\)"),
            (np.zeros(3), r"of shape \(3, 2\)"),
            (np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), "span"),
            (np.array([[0.0, 0.0], [0.0, 0.0], [2.0, 1.0]]), "span"),
            (np.array([[0.0, 0.0], [math.nan, 0.0], [2.0, 1.0]]), "must be finite; got nan"),
            (np.array([["a", "b"]] * 3), "'initial_simplex' must be"),
            ([[0.0, 1.0], [1.0], [2.0, 2.0]], "'initial_simplex' must be .*differ in length"),
        ],
    )
    def test_bad_simplex(self, simplex, says):
        with pytest.raises(ValueError, match=says):
            minimize(rosen, [1.0, 2.0], method="nelder-mead", options={"initial_simplex": simplex})

    def test_a_needle_of_a_simplex_is_none_too_thin(self):
        simplex = np.array([[0.0, 0.0], [1e-9, 0.0], [0.0, 1e9]])
        assert minimize(rosen, [1.0, 2.0], method="nelder-mead", options={"initial_simplex": simplex}).nfev > 3


class TestPowell:
    @pytest.mark.parametrize("alpha", [1.0, 0.1, 0.01, 1e-4])
    def test_a_quadratic_in_two_variables_takes_four_iterations_at_most(self, alpha):
        """Its displacements are conjugate; they once counted from before the line they are conjugate to, as scipy's."""

        def tied(x):
            return (x[0] - x[1]) ** 2 + alpha * (x[0] ** 2 + x[1] ** 2)

        result = minimize(tied, [1.0, 0.5], method="powell")
        assert result.nit <= 4 and result.fun < 1e-12

    def test_scipys_points_with_fewer_evaluations(self):
        solved, ratios = np.zeros(2, int), []
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for name in problems.names("mgh"):
                problem = problems.get(name)
                pair = [
                    solve(problem.fun, problem.x0, method="Powell") for solve in (minimize, scipy.optimize.minimize)
                ]
                for k, result in enumerate(pair):
                    f, g = problem.fun_and_grad(np.asarray(result.x))
                    solved[k] += problem.solved(f, np.abs(g).max())
                ratios.append(pair[0].nfev / pair[1].nfev)
        assert solved[0] >= solved[1] and np.exp(np.mean(np.log(ratios))) <= 0.95

    def test_conjugate_directions_end_on_a_quadratic(self):
        """Almost: each iteration makes a direction conjugate to the others, as far as lines are minimised."""
        target = np.array([1.0, -2.0, 0.5, 3.0])
        result = minimize(_bowl, np.zeros(4), args=(target,), method="powell", options={"history": True})
        assert result.success and np.abs(result.x - target).max() < 1e-6
        assert result.history["f"][5] <= 1e-8 * result.history["f"][0]
        assert result.direc.shape == (4, 4) and np.linalg.matrix_rank(result.direc) == 4

    def test_given_directions(self):
        turned = np.array([[1.0, 1.0], [1.0, -1.0]])
        fun = numba.njit(lambda x: (x[0] - x[1]) ** 2 + 1e-3 * (x[0] + x[1]) ** 2)
        result = minimize(fun, [1.0, 0.5], method="powell", options={"direc": turned})
        assert np.abs(result.x).max() < 1e-6 and result.nit <= 2
        with pytest.raises(ValueError, match="'direc' must be n directions that span"):
            minimize(fun, [1.0, 0.5], method="powell", options={"direc": np.ones((2, 2))})


class TestPatternSearch:
    def test_an_ulp_is_no_step(self):
        """(x + h) - h, an ulp from x and lower by rounding, counted as a success, and h was never halved."""
        result = minimize(lambda x: (x[0] - 1.0 / 3.0) ** 2, [0.08], method="pattern-search")
        assert result.success and abs(result.x[0] - 1.0 / 3.0) < 1e-4 and result.nfev < 100

    @pytest.mark.parametrize("n", [1, 2, 3, 5])
    def test_diagonal_quadratics(self, n):
        rng = np.random.default_rng(n)
        for _ in range(100):
            center, x0, scales = rng.normal(size=n), rng.normal(size=n), 10.0 ** rng.uniform(-1.0, 1.0, n)
            seen = []

            def fun(x, seen=seen, scales=scales, center=center):
                seen.append(float(scales @ (x - center) ** 2))
                return seen[-1]

            result = minimize(fun, x0, method="pattern-search")
            assert result.success and np.abs(result.x - center).max() < 1e-4 and result.nfev < 200 * n
            assert result.fun == min(seen)

    def test_bounds_nearer_than_half_a_step(self):
        for room in (1e-3, 0.1, 0.3):
            result = minimize(lambda x: (x[0] - 9.0) ** 2 + (x[0] - x[1]) ** 2, [1.0, 1.0], method="pattern-search",
                              bounds=[(0.0, 1.0 + room), (None, None)])  # fmt: skip
            assert result.success and np.allclose(result.x, 1.0 + room, atol=1e-4)


class TestBounds:
    @staticmethod
    def _solve(name, fun, x0, data, lower, upper, **options):
        solve = numopt.jit_solver(name, **options)
        return solve(fun, np.array(x0), data, None, np.array(lower), np.array(upper))

    @pytest.mark.parametrize("name", BOUNDED)
    def test_no_evaluation_outside_and_the_minimum_on_the_bound(self, name):
        inf = math.inf

        @numba.njit
        def guarded(x, data):
            if x[0] < -2.0 or x[0] > 0.8 or x[1] < -1.0:
                return -1e10  # would be the minimum
            return rosen(x)

        x, f, gnorm, status, _, _ = self._solve(
            name, guarded, [-1.2, 1.0], None, [-2.0, -1.0], [0.8, inf], **_tight(name)
        )
        assert x[0] == 0.8 and abs(x[1] - 0.64) < 1e-3
        assert f <= 0.0401 and math.isnan(gnorm) and Status(status).success

    @pytest.mark.parametrize("name", BOUNDED)
    def test_minimum_in_a_corner_and_start_outside(self, name):
        target = np.array([2.0, -3.0, 0.25])
        x, f, _, status, _, _ = self._solve(name, _bowl, [9.0, 9.0, 9.0], target, [-1.0] * 3, [1.0] * 3, **_tight(name))
        expected = scipy.optimize.minimize(_bowl, np.zeros(3), args=(target,), bounds=[(-1.0, 1.0)] * 3, tol=1e-12)
        assert (x >= -1.0).all() and (x <= 1.0).all() and Status(status).success
        assert f <= expected.fun + 1e-4 and np.abs(x - expected.x).max() < 1e-2

    def test_nelder_mead_as_scipys(self):
        bounds = [(-2.0, 0.8), (-1.0, 2.0), (0.0, None)]
        ours = self._solve("nelder-mead", rosen_data, _start(3), None, [-2.0, -1.0, 0.0], [0.8, 2.0, math.inf])
        theirs = scipy.optimize.minimize(rosen, _start(3), method="nelder-mead", bounds=bounds)
        # one variable ends at its bound: the last look is one value along it, two along each of the others
        assert ours[5] == theirs.nfev + 5 and np.allclose(ours[0], theirs.x, rtol=1e-12)

    def test_bad_bounds(self):
        solve = numopt.jit_solver("nelder-mead")
        for lower, upper in (
            (np.ones(2), np.zeros(2)),
            (np.zeros(3), np.ones(3)),
            (np.array([math.nan, 0.0]), np.ones(2)),
        ):
            with pytest.raises(ValueError, match="lower <= upper"):
                solve(rosen_data, np.zeros(2), None, None, lower, upper)
        with pytest.raises(ValueError, match="lower and upper"):
            solve(rosen_data, np.zeros(2), None, None, np.zeros(2))


class TestInsideCompiledCode:
    @pytest.mark.parametrize("name", VALUES)
    def test_same_as_the_front_door(self, name):
        options = {"maxiter": 60}
        x, f, gnorm, status, nit, nfev = numopt.jit_solver(name, **options)(rosen_data, _start(3))
        expected = minimize(rosen, _start(3), method=name, options=options)
        assert (status, nit, nfev) == (expected.status, expected.nit, expected.nfev)
        assert np.allclose(x, expected.x, rtol=1e-9) and f == pytest.approx(expected.fun, rel=1e-6)

    def test_default_budget(self):
        *_, status, nit, nfev = numopt.jit_solver("nelder-mead", xatol=0.0, fatol=0.0)(rosen_data, _start(6))
        assert status == Status.MAXFEV and nfev == 1200


class TestRandomSearch:
    def test_seeds(self):
        runs = [minimize(rosen, _start(2), method="random-search", options={"seed": seed}) for seed in (1, 1, 2)]
        assert np.array_equal(runs[0].x, runs[1].x) and runs[0].nfev == runs[1].nfev
        assert not np.array_equal(runs[0].x, runs[2].x)

    def test_one_in_five(self):
        """On a sphere about one step in five succeeds, fewer since sigma has to shrink all the time."""
        fun = numba.njit(lambda x: x @ x)
        history = minimize(fun, np.ones(10), method="random-search", options={"history": True, "xatol": 1e-9}).history
        share = np.mean(np.diff(history["f"]) < 0.0)
        assert 0.1 < share < 0.2

    def test_the_numbers(self):
        @numba.njit
        def draw(seed, count):
            out, normal = np.empty(count), np.empty(count)
            state = seed
            for k in range(count):
                state = advance(state)
                out[k] = uniform(state)
            fill_normal(seed, normal)
            return out, normal

        numbers, normal = draw(7, 100_001)
        assert 0.0 < numbers.min() and numbers.max() < 1.0 and len(np.unique(numbers)) == numbers.size
        assert abs(numbers.mean() - 0.5) < 0.005 and abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.01
        assert abs(normal.mean()) < 0.01 and abs(normal.std() - 1.0) < 0.01
        # SplitMix64's published outputs for the seed 1234567, without the bits that a double has no room for
        expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
        assert [math.floor(u * 2**52) for u in draw(1234567, 3)[0]] == [k >> 12 for k in expected]


class TestCoordinateDescent:
    @staticmethod
    def _tied(a):
        fun = numba.njit(lambda x: (x[0] - x[1]) ** 2 + a * (x[0] ** 2 + x[1] ** 2))
        jac = numba.njit(lambda x: 2.0 * np.array([(1.0 + a) * x[0] - x[1], (1.0 + a) * x[1] - x[0]]))
        return fun, jac

    @pytest.mark.parametrize("update", ["newton", "line"])
    @pytest.mark.parametrize(("a", "sweeps"), [(1.0, 11), (0.1, 65), (0.01, 562)])
    def test_failure_case_has_the_textbooks_rate(self, a, sweeps, update):
        fun, _ = self._tied(a)
        options = {"update": update, "xatol": 0.0, "history": True, "maxiter": sweeps + 20}
        f = minimize(fun, [1.0, 0.5], method="coordinate-descent", options=options).history["f"]
        assert int(np.argmax(f <= 1e-12)) == sweeps
        assert f[6] / f[5] == pytest.approx((1.0 + a) ** -4, rel=1e-4)

    @pytest.mark.parametrize("name", COORDINATE)
    @pytest.mark.parametrize("update", ["newton", "line"])
    @pytest.mark.parametrize("with_hessian", [False, True])
    def test_solves(self, name, update, with_hessian):
        fun, jac = self._tied(0.5)
        given = {"hess": numba.njit(lambda x: np.array([[3.0, -2.0], [-2.0, 3.0]]))} if with_hessian else {}
        if not METHODS[name].values_only:
            given["jac"] = jac
        results = []
        for jit in (True, False):
            parts = {k: v if jit else v.py_func for k, v in given.items()}
            results.append(minimize(fun if jit else fun.py_func, [3.0, -4.0], method=name,
                                    options={"update": update, **_tight(name)}, **parts))  # fmt: skip
        result = results[0]
        assert result.success and np.abs(result.x).max() < 1e-5
        assert (result.nhev > 0) == with_hessian
        assert results[1].nfev == result.nfev and np.allclose(results[1].x, result.x, atol=1e-12)

    def test_a_hessian_saves_evaluations(self):
        fun, _ = self._tied(0.5)
        hess = numba.njit(lambda x: np.array([[3.0, -2.0], [-2.0, 3.0]]))
        bare, given = (minimize(fun, [3.0, -4.0], method="coordinate-descent", **h) for h in ({}, {"hess": hess}))
        assert given.nit == bare.nit and given.nfev <= 0.75 * bare.nfev

    def test_hessian_as_a_c_function(self):
        @numba.cfunc(numba.float64(numba.intp, numba.intp, numba.intp, numba.intp))
        def hess(xp, hp, n, data):
            H = numba.carray(numopt.kernels.oracle.void_pointer(hp), (n * n,), numba.float64)
            H[0], H[1], H[2], H[3] = 3.0, -2.0, -2.0, 3.0
            return 0.0

        fun, _ = self._tied(0.5)
        same = numba.njit(lambda x: np.array([[3.0, -2.0], [-2.0, 3.0]]))
        results = [minimize(fun, [3.0, -4.0], method="coordinate-descent", hess=h) for h in (hess, same)]
        assert np.array_equal(results[0].x, results[1].x) and results[0].nfev == results[1].nfev

    def test_greedy_takes_the_largest_slope(self):
        scales = np.array([1.0, 10.0, 100.0])
        fun = lambda x: (0.5 * float(scales @ x**2), scales * x)  # noqa: E731
        options = {"return_all": True, "gtol": 1e-10}
        points = minimize(fun, np.ones(3), jac=True, method="coordinate-descent-greedy", options=options).allvecs
        assert [int(np.argmax(np.abs(b - a))) for a, b in zip(points, points[1:], strict=False)][:3] == [2, 1, 0]

    def test_random_order_differs_by_seed_and_visits_all(self):
        runs = []
        for seed in (0, 1, 2, 3):
            options = {"return_all": True, "maxiter": 1, "seed": seed}
            runs.append(minimize(rosen, _start(5), method="coordinate-descent-random", options=options).allvecs[1])
        assert len({tuple(x) for x in runs}) > 1
        assert all((x != _start(5)).all() for x in runs)

    def test_words(self):
        with pytest.raises(ValueError, match="'update' must be one of 'newton', 'line'; got 'brent'"):
            minimize(rosen, [1.0, 2.0], method="coordinate-descent", options={"update": "brent"})


@pytest.mark.parametrize(
    ("name", "options", "error", "says"),
    [
        ("nelder-mead", {"xatol": -1.0}, ValueError, "'xatol' must be at least 0"),
        ("nelder-mead", {"fatol": math.nan}, ValueError, "'fatol' must be at least 0"),
        ("nelder-mead", {"adaptive": 1.5}, TypeError, "'adaptive' must be True or False; got 1.5"),
        ("powell", {"xtol": "small"}, TypeError, "'xtol' must be a number"),
        ("random-search", {"seed": -1}, ValueError, "'seed' must be at least 0"),
        ("random-search", {"seed": 1.5}, TypeError, "'seed' must be an integer"),
        ("pattern-search", {"initial_step": 0.0}, ValueError, "'initial_step' must be positive"),
    ],
)
def test_bad_options(name, options, error, says):
    with pytest.raises(error, match=says):
        minimize(rosen, [1.0, 2.0], method=name, options=options)


def test_options_of_others_are_said_to_be_unknown():
    for name, option in (("nelder-mead", "gtol"), ("powell", "initial_simplex"), ("pattern-search", "seed")):
        with pytest.warns(OptimizeWarning, match=f"unknown option '{option}'"):
            minimize(rosen, [1.0, 1.0], method=name, options={option: 1.0})


def test_compare_hands_out_values_only():
    comparison = numopt.compare("rosenbrock", ["nelder-mead", "powell", "pattern-search"], repeat=1)
    for run in comparison.runs:
        assert run.ours.nfev > 0 and (run.scipy is None or run.scipy.nfev >= run.ours.nfev)


def test_simplex_and_fixed_variables():
    simplex = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="'initial_simplex' can't be given where bounds fix a variable"):
        minimize(lambda x: x @ x, [0.0, 0.0], method="nelder-mead", bounds=[(0, 0), (None, None)],
                 options={"initial_simplex": simplex})  # fmt: skip


def test_simplex_beyond_bounds_is_moved_onto_them_or_refused():
    def run(simplex):
        bounds = [(0.0, 1.0), (0.0, 1.0)]
        options = {"initial_simplex": simplex}
        return minimize(lambda x: x @ x - x[0], [0.5, 0.5], method="nelder-mead", bounds=bounds, options=options)

    with pytest.warns(numopt.OptimizeWarning, match="'initial_simplex' has points outside of the bounds; moved"):
        assert np.allclose(run([[0.5, 0.5], [2.0, 0.5], [0.5, 0.9]]).x, [0.5, 0.0], atol=1e-3)
    with pytest.raises(ValueError, match="'initial_simplex': moved onto the bounds, its points do not span"):
        run([[2.0, 2.0], [3.0, 2.0], [2.0, 3.0]])


@pytest.mark.parametrize("name", [name for name, row in METHODS.items() if row.values_only or row.diagonal])
def test_bounds_through_minimize(name):
    """The answer of the bowl in a box, and no point outside, whatever the start."""
    lower, upper = np.array([2.0, -np.inf, 0.0]), np.array([5.0, 0.5, np.inf])

    def fun(x):
        assert (lower <= x).all() and (x <= upper).all()
        return (x[0] - 1.0) ** 2 + 2.0 * (x[1] - 1.0) ** 2 + 3.0 * (x[2] - 1.0) ** 2

    result = minimize(fun, [3.0, -2.0, 0.5], method=name, bounds=list(zip(lower, upper, strict=True)))
    assert result.success and np.allclose(result.x, [2.0, 0.5, 1.0], atol=2e-3)
    assert result.active_mask.tolist() == [-1, 1, 0]
