"""Sums of squares: certified answers, bounds, losses, ends of a run, what is refused."""

import gc
import pickle
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import carray as as_array
from numba import cfunc, njit, types

from numopt import LeastSquaresStatus, OptimizeWarning, curve_fit, least_squares, problems, resume
from numopt.catalog import SQUARES
from numopt.kernels.oracle import void_pointer as _pointer
from numopt.optimize._rank import undetermined
from numopt.problems._nist import derivative, read_nist

METHODS = list(SQUARES)
NIST = problems.nist_names()
T = np.linspace(0.0, 2.0, 20)
Y = 3.0 * np.exp(-1.5 * T) + 0.5


def decay(b):
    return b[0] * np.exp(-b[1] * T) + b[2] - Y


def decay_jacobian(b):
    e = np.exp(-b[1] * T)
    return np.column_stack([e, -b[0] * T * e, np.ones(T.size)])


class TestNist:
    @pytest.mark.parametrize("start", [0, 1])
    @pytest.mark.parametrize("name", NIST)
    def test_six_digits_from_both_starts_with_default_options(self, name, start):
        problem = problems.nist(name)
        result = least_squares(problem.residual, problem.starts[start], jac=problem.jacobian, method="lm")
        assert result.success
        assert problem.digits(result.x).min() >= 6.0
        assert abs(2.0 * result.cost / problem.rss - 1.0) < 1e-9 or name == "Lanczos3"

    @pytest.mark.parametrize("start", [0, 1])
    @pytest.mark.parametrize("name", NIST)
    def test_five_digits_with_central_differences(self, name, start):
        problem = problems.nist(name)
        result = least_squares(problem.python_residual, problem.starts[start], jac="3-point", method="lm")
        assert problem.digits(result.x).min() >= 5.0

    @pytest.mark.parametrize("name", NIST)
    def test_derived_jacobians_are_those_of_complex_steps(self, name):
        problem = problems.nist(name)
        b = problem.starts[1]
        J = problem.python_jacobian(b)
        for j in range(b.size):
            z = b.astype(complex)
            z[j] += 1e-30j * abs(b[j])
            column = problem.python_residual(z).imag / (1e-30 * abs(b[j]))
            np.testing.assert_allclose(J[:, j], column, rtol=1e-8, atol=1e-12 * abs(column).max())

    def test_certified_parameters_give_the_certified_sum_of_squares(self):
        for name in NIST:
            problem = problems.nist(name)
            assert (problem.python_residual(problem.certified) ** 2).sum() == pytest.approx(problem.rss, rel=1e-9)

    def test_other_files_are_read_by_their_path(self, tmp_path):
        """Two predictors, a logarithm on the left, functions that the eight files do not have."""
        rows = [
            (float(np.exp(1.0 + 2.0 * np.cos(a) - np.arctan(b / 3.0))), a, b)
            for a in (0.1, 0.7)
            for b in (1.0, 2.0, 4.0)
        ]
        text = "\n".join(
            ["NIST/ITL StRD", "Model:  Mixed", "", "  log[y] = b1 + b2*cos[x1]", "         - arctan[x2/b3]  +  e", "",
             "   b1 = 0.5  0.9  1.0E+00 1E-3", "   b2 = 1.0  1.9  2.0E+00 1E-3", "   b3 = 2.0  2.9  3.0E+00 1E-3", "",
             "Residual Sum of Squares:   0.0E+00", "Data:  y  x1  x2", *(" ".join(map(repr, row)) for row in rows)]
        )  # fmt: skip
        path = tmp_path / "Mixed.dat"
        path.write_text(text)
        problem = problems.nist(path)
        result = least_squares(problem.residual, problem.starts[0], jac=problem.jacobian)
        np.testing.assert_allclose(result.x, [1.0, 2.0, 3.0], rtol=1e-7)

    def test_what_is_no_file_of_nist_is_said(self):
        with pytest.raises(ValueError, match="no file 'Nothing' of NIST"):
            problems.nist("Nothing")
        with pytest.raises(ValueError, match="can't be read"):
            read_nist("Model:\n  y = b1*x\n\n b1 = 1 2 3\n")

    @given(st.floats(0.3, 2.0), st.floats(0.3, 2.0))
    @settings(max_examples=30, deadline=None)
    def test_derivatives_of_all_functions(self, x, b):
        import ast

        text = "sqrt(b1*x)/(1+b1**2) + sin(b1)*cos(x*b1) - arctan(b1/x)*log(b1) + exp(-b1)**b1 - +x"
        tree = ast.unparse(derivative(ast.parse(text, mode="eval").body, "b1"))
        scope = {name: getattr(np, name) for name in ("exp", "log", "sin", "cos", "arctan", "sqrt")}
        there = eval(text, scope | {"x": x, "b1": b + 1e-30j})
        assert eval(tree, scope | {"x": x, "b1": b}) == pytest.approx(there.imag / 1e-30, rel=1e-9, abs=1e-11)


class TestBesideMinpack:
    def test_solves_as_many_with_few_more_evaluations(self):
        """The 35 functions from x0, 10 x0 and 100 x0: 1.04 times the evaluations, for the digits beyond ftol."""
        solved, ratios = np.zeros(2, int), []
        for scale in (1, 10, 100):
            for name in problems.names("mgh"):
                problem = problems.get(name, scale=scale)
                if problem.m < problem.n:
                    continue
                pair = []
                for solve in (least_squares, scipy.optimize.least_squares):
                    with np.errstate(all="ignore"):
                        pair.append(
                            solve(problem.residual, problem.x0, jac=problem.jacobian, method="lm", max_nfev=1000)
                        )
                good = [any(2 * r.cost - m <= 1e-10 + 1e-6 * abs(m) for m in problem.minima) for r in pair]
                solved += good
                if all(good):
                    ratios.append(pair[0].nfev / pair[1].nfev)
        assert solved[0] >= solved[1]
        assert np.exp(np.mean(np.log(ratios))) <= 1.05


class TestAgree:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("jac", ["2-point", "3-point", "cs", decay_jacobian, "sparse", "operator"])
    def test_python_callables(self, method, jac):
        if jac == "sparse":
            jac = lambda b: scipy.sparse.csr_matrix(decay_jacobian(b))  # noqa: E731
        elif jac == "operator":
            jac = lambda b: scipy.sparse.linalg.aslinearoperator(decay_jacobian(b))  # noqa: E731
        # sparse ones are made dense when told so; what else becomes of them is in test_sparse_squares.py
        result = least_squares(decay, [1.0, 1.0, 0.0], jac=jac, method=method, tr_solver="exact")
        np.testing.assert_allclose(result.x, [3.0, 1.5, 0.5], rtol=1e-6)
        np.testing.assert_allclose(result.fun, decay(result.x), atol=1e-12)
        np.testing.assert_allclose(result.jac, decay_jacobian(result.x), atol=1e-6)

    @pytest.mark.parametrize("method", METHODS)
    def test_jitted_and_python_callables_take_the_same_steps(self, method):
        problem = problems.nist("Misra1a")
        runs = [
            least_squares(fun, problem.starts[0], jac=jac, method=method, options={"return_all": True})
            for fun, jac in (
                (problem.residual, problem.jacobian),
                (problem.residual.py_func, problem.jacobian.py_func),
                (problem.residual, problem.jacobian.py_func),
            )
        ]
        for run in runs[1:]:
            assert run.nfev == runs[0].nfev
            np.testing.assert_allclose(run.allvecs, runs[0].allvecs, rtol=1e-6)

    def test_c_function(self):
        @cfunc(types.float64(*[types.intp] * 5))
        def residual(xp, rp, n, m, data):
            x, r = as_array(_pointer(xp), (n,), types.float64), as_array(_pointer(rp), (m,), types.float64)
            r[0], r[1] = 10.0 * (x[1] - x[0] * x[0]), 1.0 - x[0]
            return 0.0

        result = least_squares(residual, [-1.2, 1.0], options={"m": 2})
        np.testing.assert_allclose(result.x, 1.0, rtol=1e-7)
        with pytest.raises(ValueError, match=r"options=\{'m'"):
            least_squares(residual, [-1.2, 1.0])

    @pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan", "callable"])
    def test_losses_as_scipy(self, loss):
        y = Y.copy()
        y[[3, 9]] += [2.0, -3.0]
        fun = lambda b: b[0] * np.exp(-b[1] * T) + b[2] - y  # noqa: E731
        if loss == "callable":
            loss = lambda z: np.array([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2])  # noqa: E731
        options = {"loss": loss, "f_scale": 0.3, "ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12}
        for method in ("lm", "marquardt"):
            ours = least_squares(fun, [2.5, 1.0, 0.2], jac=decay_jacobian, method=method, **options)
            theirs = scipy.optimize.least_squares(fun, [2.5, 1.0, 0.2], jac=decay_jacobian, method="trf", **options)
            np.testing.assert_allclose(ours.x, theirs.x, rtol=2e-5)
            assert ours.cost == pytest.approx(theirs.cost, rel=1e-9)
            assert ours.cost <= theirs.cost * (1 + 1e-12)
            np.testing.assert_allclose(ours.jac.T @ ours.jac, theirs.jac.T @ theirs.jac, rtol=1e-3)

    def test_arguments_and_keywords(self):
        def fun(b, t, y, offset=0.0):
            return b[0] * np.exp(-b[1] * t) + offset - y

        for each in (fun, njit(fun)):
            result = least_squares(each, [1.0, 1.0], args=(T, Y), kwargs={"offset": 0.5})
            np.testing.assert_allclose(result.x, [3.0, 1.5], rtol=1e-6)

    def test_x_scale_is_the_scaling_of_the_variables(self):
        """A run in x with x_scale = s is the run in x / s without a scaling of its own."""
        scale = np.array([100.0, 0.01, 1.0])
        options = {"options": {"return_all": True}}
        one = least_squares(decay, [1.0, 1.0, 0.0], jac=decay_jacobian, x_scale=scale, **options)
        other = least_squares(
            lambda u: decay(u * scale), np.array([1.0, 1.0, 0.0]) / scale,
            jac=lambda u: decay_jacobian(u * scale) * scale, x_scale=1.0, **options,
        )  # fmt: skip
        np.testing.assert_allclose(one.allvecs, np.array(other.allvecs) * scale, rtol=1e-7, atol=1e-9)


class TestBounds:
    @pytest.mark.parametrize("method", METHODS)
    @given(data=st.data())
    @settings(max_examples=25, deadline=None)
    def test_linear_problems_in_a_box_end_at_the_minimum_and_never_leave_it(self, method, data):
        seed = data.draw(st.integers(0, 10**6))
        rng = np.random.default_rng(seed)
        m, n = 6, int(rng.integers(1, 5))
        A, b = rng.standard_normal((m, n)), 3.0 * rng.standard_normal(m)
        lower = np.where(rng.random(n) < 0.7, -rng.random(n), -np.inf)
        upper = np.where(rng.random(n) < 0.7, rng.random(n), np.inf)
        seen = []

        def fun(x):
            seen.append(x)
            return A @ x - b

        jac = (lambda x: A) if seed % 2 else "3-point"
        result = least_squares(fun, np.clip(rng.standard_normal(n), lower, upper), jac, (lower, upper), method=method)
        best = scipy.optimize.lsq_linear(A, b, (lower, upper), tol=1e-14).cost
        assert ((np.array(seen) >= lower) & (np.array(seen) <= upper)).all()
        assert result.success and result.cost <= best * (1 + 1e-6) + 1e-12
        near = 1e-8 if method == "trf" else 0.0  # trf stays inside: active is what is within xtol of a bound
        at_lower, at_upper = result.x - lower <= near, upper - result.x <= near
        np.testing.assert_array_equal(result.active_mask, np.where(at_upper, 1, -at_lower.astype(int)))

    def test_fixed_variables_are_left_out(self):
        bounds = ([-np.inf, -np.inf, 0.5], [np.inf, np.inf, 0.5])
        for jac in ("2-point", decay_jacobian):
            result = least_squares(decay, [1.0, 1.0, 0.5], jac, bounds)
            np.testing.assert_allclose(result.x, [3.0, 1.5, 0.5], rtol=1e-6)
            assert result.jac.shape == (20, 3) and not result.jac[:, 2].any() and result.jac[:, 0].all()
            assert result.grad[2] == 0 and result.active_mask[2] != 0

    def test_levenberg_marquardt_with_an_active_bound(self):
        result = least_squares(decay, [1.0, 1.0, 0.0], bounds=([0, 0, 0], [2.5, 5, 1]), method="lm")
        theirs = scipy.optimize.least_squares(
            decay, [1.0, 1.0, 0.0], bounds=([0, 0, 0], [2.5, 5, 1]), ftol=1e-14, xtol=1e-14, gtol=1e-14
        )
        assert result.x[0] == 2.5 and result.active_mask.tolist() == [1, 0, 0]
        assert result.cost == pytest.approx(theirs.cost, rel=1e-7)


class TestFixedAndTied:
    def test_a_tied_variable_is_the_problem_written_in_the_others(self):
        """Same points, to rounding, as with the tie put into the residuals by hand."""
        wild = 99.0  # x0 of a tied variable is not looked at
        jac = lambda b: decay_jacobian(b)  # noqa: E731
        for method in METHODS:
            for tied_jac, plain_jac in (
                (jac, lambda z: jac([*z, (z[0] - 2) / 2]) @ [[1, 0], [0, 1], [0.5, 0]]),
                ("3-point", "3-point"),
            ):
                ours = least_squares(
                    decay, [1.0, 1.0, wild], tied_jac, method=method, options={"tied": {2: "(x0 - 2)/2"}}
                )
                plain = least_squares(lambda z: decay([*z, (z[0] - 2) / 2]), [1.0, 1.0], plain_jac, method=method)
                np.testing.assert_allclose(ours.x, [3.0, 1.5, 0.5], rtol=1e-7)
                assert ours.nfev == plain.nfev
                np.testing.assert_allclose(ours.jac[:, :2], plain.jac, rtol=1e-5, atol=1e-7)
                assert not ours.jac[:, 2].any() and ours.grad[2] == 0.0

    def test_jitted_functions_and_ties_to_fixed_and_tied_variables(self):
        fun = njit(lambda b, t, y: b[0] * np.exp(-b[1] * t) + b[2] - y + b[3])
        result = least_squares(
            fun, [1.0, 1.0, 0.0, 0.25], args=(T, Y), options={"fixed": [3], "tied": {2: "x3", "x1": "x0/2 + x2 - 0.25"}}
        )
        np.testing.assert_allclose(result.x, [3.0, 1.5, 0.25, 0.25], rtol=1e-7)
        assert least_squares(decay, [3.0, 1.0, 0.5], options={"fixed": [0, 2]}).x[0] == 3.0
        nothing = least_squares(decay, [3.0, 1.0, 9.0], options={"fixed": [0, 1], "tied": {2: 0.5}})
        assert nothing.success and nothing.x.tolist() == [3.0, 1.0, 0.5]

    @given(st.floats(-3, 3).filter(lambda a: abs(a) > 0.1), st.floats(-3, 3), st.floats(-2, 2), st.floats(0.01, 2))
    @settings(max_examples=60, deadline=None)
    def test_bounds_of_a_tied_variable_hold_at_every_point(self, a, b, low, room):
        seen = []

        def fun(x):
            seen.append(x[1])
            return np.array([x[0] - 5.0, x[1] + 3.0, x[0] * x[1]])

        start = (low + 0.5 * room - b) / a
        result = least_squares(
            fun, [start, 0.0], bounds=([-np.inf, low], [np.inf, low + room]), options={"tied": {1: f"{a}*x0 + {b}"}}
        )
        assert low <= min(seen) and max(seen) <= low + room
        z, y = result.x
        slope = (z - 5.0) + a * (y + 3.0) + z * y * (y + a * z)
        down = a * slope  # how the cost changes with x[1]
        kept = (y - low < 1e-12 and down > 0) or (low + room - y < 1e-12 and down < 0)
        assert result.success and (kept or abs(slope) <= 1e-5 * (1 + abs(fun(result.x)).max() ** 2))
        assert (result.active_mask[1] != 0) == (result.active_mask[1] == (1 if result.x[1] > low + 0.5 * room else -1))

    @pytest.mark.parametrize(
        "options, message",
        [
            ({"tied": {2: "x2 + 1"}}, "tied: x2 depend on each other in a circle"),
            ({"tied": {0: "x1", 1: "2*x0"}}, "x0, x1 depend on each other in a circle"),
            ({"tied": {2: "x0*x1"}}, "tied: x2 = 'x0\\*x1': a product of variables is not linear"),
            ({"tied": {2: "1/x0"}}, "one divides by numbers only"),
            ({"tied": {2: "x0/0"}}, "divides by zero"),
            ({"tied": {2: "y"}}, "there is no 'y'; there are x0, x1, x2"),
            ({"tied": {2: "exp(x0)"}}, "only numbers, names"),
            ({"tied": {2: "2*("}}, "is no expression of numbers"),
            ({"tied": {2: "1e999"}}, "is not finite"),
            ({"tied": {3: "x0"}}, "tied: there is no variable 3; there are 3: x0, x1, x2"),
            ({"tied": {2: "x0", "x2": "x1"}}, "x2 is tied twice"),
            ({"tied": {2: "x0"}, "fixed": [2]}, r"x\[2\] can't be both fixed and tied"),
            ({"fixed": [3]}, "fixed must be a list of indices from 0 to 2"),
            ({"fixed": "12"}, "fixed must be"),
            ({"tied": {2: "x0 + x1"}, "bounds": (-9, 9)}, r"x\[2\] is tied to x\[0\] and x\[1\]: it can't have bounds"),
            ({"tied": {2: "x0"}, "bounds": ([0, 0, 5], [4, 9, 9])}, r"leave no value for x\[0\]"),
            ({"tied": {2: "x0"}, "bounds": ([0, 0, 2], [4, 9, 9])}, "the start is infeasible"),
            ({"tied": {2: "5"}, "bounds": (-1, 4)}, "it is 5, outside of its bounds"),
        ],
    )
    def test_what_is_refused(self, options, message):
        options = dict(options)
        bounds = options.pop("bounds", (-np.inf, np.inf))
        with pytest.raises(ValueError, match=message):
            least_squares(decay, [1.0, 1.0, 0.0], bounds=bounds, options=options)


class TestEnds:
    def test_statuses(self):
        start = [1.0, 1.0, 0.0]
        noisy = lambda b: decay(b) + 0.01 * np.cos(40 * T)  # noqa: E731
        exact = {"xtol": None, "ftol": None, "gtol": 1e-10}
        assert least_squares(lambda x: x + 0.0, [1.0, 2.0]).status in (1, 2, 3)
        assert least_squares(decay, [3.0, 1.5, 0.5], **exact).status is LeastSquaresStatus.GTOL
        assert least_squares(noisy, start, gtol=None, xtol=None).status is LeastSquaresStatus.FTOL
        assert least_squares(noisy, start, gtol=None, ftol=None).status is LeastSquaresStatus.XTOL
        assert least_squares(decay, start, max_nfev=2).status is LeastSquaresStatus.MAX_NFEV
        assert least_squares(decay, start, options={"maxiter": 2}).status is LeastSquaresStatus.MAXITER
        assert least_squares(decay, start, options={"max_time": 1e-9}).status is LeastSquaresStatus.MAX_TIME

        def stop(x):
            raise StopIteration

        assert least_squares(decay, start, callback=stop).status is LeastSquaresStatus.CALLBACK

    def test_residuals_that_are_infinite_midway_are_stepped_back_from(self):
        fun = lambda x: np.array([np.log(x[0]) - np.log(3.0), x[1] - 1.0])  # noqa: E731
        with np.errstate(invalid="ignore", divide="ignore"):
            for method in METHODS:
                result = least_squares(fun, [0.01, 5.0], method=method, options={"factor": 1000.0})
                np.testing.assert_allclose(result.x, [3.0, 1.0], rtol=1e-6)

    def test_exceptions_pass_through_with_the_best_result(self):
        calls = []

        def fun(b):
            calls.append(b)
            if len(calls) > 9:
                raise RuntimeError("enough")
            return decay(b)

        with pytest.raises(RuntimeError, match="enough") as caught:
            least_squares(fun, [1.0, 1.0, 0.0])
        assert caught.value.result.cost < 0.5 * (decay(np.array([1.0, 1.0, 0.0])) ** 2).sum()

    def test_jitted_exceptions_pass_through(self):
        @njit
        def fun(b):
            if b[0] > 1.0:
                raise ValueError("too large")
            return b - 2.0

        with pytest.raises(ValueError, match="too large"):
            least_squares(fun, [0.5, 0.5])

    def test_history_and_callback(self):
        seen = []
        result = least_squares(
            decay, [1.0, 1.0, 0.0], callback=seen.append, options={"history": True, "return_all": True}
        )
        assert len(seen) == result.nit == len(result.allvecs) - 1
        assert (np.diff(result.history["f"]) <= 0).all() and result.history["f"][-1] == result.cost

    def test_rank_deficient_jacobians(self):
        """Twice the same parameter: an answer, the one nearest by."""
        fun = lambda b: (b[0] + b[1]) * T - 3.0 * T  # noqa: E731
        for method in METHODS:
            result = least_squares(fun, [0.2, 0.1], method=method)
            assert result.success and result.x.sum() == pytest.approx(3.0, rel=1e-6)

    def test_fewer_residuals_than_variables(self):
        with pytest.raises(ValueError, match="'lm' needs at least as many residuals as variables; got 1 and 2"):
            least_squares(lambda x: x[:1] ** 2 + x[1] - 3.0, [1.0, 1.0])
        result = least_squares(lambda x: x[:1] ** 2 + x[1] - 3.0, [1.0, 1.0], method="marquardt")
        assert result.success and result.cost < 1e-12


class TestFound:
    """What a first version got wrong."""

    def test_a_step_that_the_bounds_bend_uphill_is_shortened(self):
        fun = lambda x: np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])  # noqa: E731
        for method in METHODS:
            result = least_squares(fun, [-1.2, 1.0], bounds=([-2, -2], [0.5, 2]), method=method)
            np.testing.assert_allclose(result.x, [0.5, 0.25], rtol=1e-6)

    @pytest.mark.parametrize("method", ["lm", "marquardt"])
    def test_boxes_of_many_variables(self, method):
        for seed in range(60):
            rng = np.random.default_rng(seed)
            n = int(rng.integers(3, 8))
            A, b = rng.standard_normal((10, n)), 5.0 * rng.standard_normal(10)
            lower, upper = -rng.random(n), rng.random(n)
            result = least_squares(lambda x: A @ x - b, np.zeros(n), lambda x: A, (lower, upper), method)  # noqa: B023
            best = scipy.optimize.lsq_linear(A, b, (lower, upper), method="bvls").cost
            assert result.success and result.cost <= best * (1 + 1e-7)

    @pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
    def test_a_success_with_a_robust_loss_is_stationary(self, loss):
        for seed in range(40):
            rng = np.random.default_rng(seed)
            t = np.linspace(0, 3, 30)
            y = 2.0 * np.exp(-t) + 0.05 * rng.standard_normal(30)
            y[rng.integers(0, 30, 5)] += 10.0
            fun = lambda x: x[0] * np.exp(-x[1] * t) - y  # noqa: B023, E731
            jac = lambda x: np.column_stack([np.exp(-x[1] * t), -x[0] * t * np.exp(-x[1] * t)])  # noqa: B023, E731
            for method in ("lm", "marquardt"):
                result = least_squares(fun, [1.0, 0.5], jac, loss=loss, f_scale=0.2, method=method)
                if result.success:
                    assert np.abs(result.grad).max() <= 1e-3 * np.sqrt(2.0 * result.cost)
        result = least_squares(lambda x: x - 5.0, [1.0], loss="huber", f_scale=0.3, method="marquardt")
        assert result.x[0] == pytest.approx(5.0, rel=1e-6) and result.success

    @pytest.mark.parametrize("scale", [1e-16, 1e-30, 1e20])
    def test_columns_of_very_different_units_are_not_taken_for_dependent(self, scale):
        y = scale * np.exp(-T / 1.7)
        fun = lambda x: x[0] * np.exp(-T / x[1]) - y  # noqa: E731
        jac = lambda x: np.column_stack([np.exp(-T / x[1]), x[0] * T / x[1] ** 2 * np.exp(-T / x[1])])  # noqa: E731
        for method in ("lm", "gauss-newton"):
            result = least_squares(fun, [1.5 * scale, 1.2], jac, method=method)
            np.testing.assert_allclose(result.x, [scale, 1.7], rtol=1e-6)

    def test_differences_of_tiny_variables(self):
        result = least_squares(lambda x: np.array([x[0] - 1.0, 2.0 * x[0] - 2.5]), [1e-10])
        assert result.x[0] == pytest.approx(1.2, rel=1e-6)
        for jac in ("2-point", "3-point"):
            result = least_squares(decay, [1.0, 1.0, 1e-12], jac)
            np.testing.assert_allclose(result.x, [3.0, 1.5, 0.5], rtol=1e-6)
        result = least_squares(lambda x: np.array([x[0] - 1.0, x[0] - 2.0]), [5.0], diff_step=0.0)
        assert result.x[0] == pytest.approx(1.5, rel=1e-6)

    def test_keywords_reach_a_jacobian_of_another_order(self):
        fun = njit(lambda x, a, b: np.array([a * (x[1] - x[0] ** 2), b - x[0]]))
        jac = lambda x, b, a: np.array([[-2.0 * a * x[0], a], [-1.0, 0.0]])  # noqa: E731
        keywords = {"a": 10.0, "b": 1.0}
        np.testing.assert_allclose(least_squares(fun, [-1.2, 1.0], jac, kwargs=keywords).x, 1.0, rtol=1e-6)
        with pytest.raises(TypeError, match="in the same order"):
            least_squares(fun, [-1.2, 1.0], njit(jac), kwargs=keywords)

    def test_a_wrong_jacobian_is_no_success(self):
        for method in METHODS:
            result = least_squares(decay, [1.0, 1.0, 0.0], lambda b: -decay_jacobian(b), method=method)
            assert result.status is LeastSquaresStatus.NO_STEP
        start = np.array([1.0, 1.0, 0.0])
        jac = lambda b: decay_jacobian(b) * (1.0 if (b == start).all() else np.inf)  # noqa: E731
        assert least_squares(decay, start, jac).status is LeastSquaresStatus.NAN
        fun = lambda b: decay(b) * (1.0 if (b == start).all() else np.nan)  # noqa: E731
        assert least_squares(fun, start, decay_jacobian).status is LeastSquaresStatus.NAN

    def test_a_loss_sees_all_residuals_at_once(self):
        t = np.linspace(0, 2, 300)
        weights = np.where(t < 1.0, 1.0, 2.0)
        sizes = []

        def loss(z):
            sizes.append(z.size)
            return np.array([weights * z, weights, 0.0 * z])

        y = 3.0 * np.exp(-t)
        result = least_squares(lambda b: b[0] * np.exp(-b[1] * t) - y, [1.0, 0.5], loss=loss)
        np.testing.assert_allclose(result.x, [3.0, 1.0], rtol=1e-6)
        assert set(sizes) == {300}

    def test_a_run_that_was_cut_off_has_a_jacobian(self):
        result = least_squares(decay, [1.0, 1.0, 0.0], options={"max_time": 1e-9})
        assert result.jac.shape == (20, 3)

    def test_fixed_variables_do_not_count_for_lm(self):
        fun = lambda x: np.array([x[0] + x[2] - 3.0, x[1] - 1.0])  # noqa: E731
        result = least_squares(fun, [0.0, 0.0, 1.0], bounds=([-9, -9, 1], [9, 9, 1]))
        np.testing.assert_allclose(result.x, [2.0, 1.0, 1.0], rtol=1e-6)


RESUMED = {
    "plain": {},
    "bounds": {"bounds": ([0, -500, -500, 0, 0], [500, 500, 500, 1, 1])},
    "loss": {"loss": "cauchy", "f_scale": 0.02},
    "both": {"bounds": ([0, -500, -500, 0, 0], [500, 2, 500, 1, 1]), "loss": "huber", "f_scale": 0.02},
    "tied": {"options": {"tied": {4: "x3/2"}, "fixed": [0]}},
    "steps": {"jac": "3-point", "diff_step": 1e-5},
    "sizes": {"jac": "3-point"},
    "marquardt": {"method": "marquardt"},
    "geodesic": {"options": {"geodesic": True}},
    "trf": {"method": "trf", "bounds": ([0, -500, -500, 0, 0], [500, 2, 500, 1, 1])},
    "dogleg": {"method": "dogleg"},  # there is another method of that name
    "dogbox": {"method": "dogbox", "bounds": ([0, -500, -500, 0, 0], [500, 2, 500, 1, 1])},
}


class TestResume:
    """A run that was stopped, saved, loaded and resumed is the run that was not stopped, to the last bit."""

    @pytest.mark.parametrize("caller", ["jitted", "python"])
    @pytest.mark.parametrize("case", RESUMED)
    def test_bit_for_bit(self, case, caller, tmp_path):
        problem = problems.nist("MGH17")
        jitted = caller == "jitted"
        fun = problem.residual if jitted else problem.python_residual
        more = {"jac": problem.jacobian if jitted else problem.python_jacobian} | RESUMED[case]
        options = more.pop("options", {})
        start = problem.starts[1]
        whole = least_squares(fun, start, options=options, **more)
        part = least_squares(fun, start, options=options | {"maxiter": 4}, **more)
        assert part.status is LeastSquaresStatus.MAXITER and whole.nit > 5
        part.save(tmp_path / "run")
        for state in (part, tmp_path / "run.npz", pickle.loads(pickle.dumps(part))):
            rest = resume(state, fun, jac=more["jac"], options={"maxiter": 10**6})
            for name in ("x", "fun", "jac", "grad", "active_mask"):
                np.testing.assert_array_equal(rest[name], whole[name])
            for name in ("cost", "nit", "nfev", "njev", "optimality", "status"):
                assert rest[name] == whole[name]

    def test_cut_off_within_a_step(self):
        """The step is taken again: same points, with more evaluations."""
        problem = problems.nist("BoxBOD")
        whole = least_squares(problem.residual, problem.starts[0], problem.jacobian)
        for count in (2, 5, 9):
            part = least_squares(problem.residual, problem.starts[0], problem.jacobian, max_nfev=count)
            assert part.status is LeastSquaresStatus.MAX_NFEV
            rest = resume(part, problem.residual, jac=problem.jacobian, options={"max_nfev": 1000})
            assert (rest.x == whole.x).all() and rest.cost == whole.cost and rest.nit == whole.nit

    def test_what_was_a_callable_is_given_again(self):
        loss = lambda z: np.array([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2])  # noqa: E731
        options = {"loss": loss, "f_scale": 0.3}
        start = [1.0, 1.0, 0.0]
        whole = least_squares(decay, start, decay_jacobian, **options)
        part = least_squares(decay, start, decay_jacobian, options={"maxiter": 2}, **options)
        rest = resume(part, decay, jac=decay_jacobian, loss=loss, options={"maxiter": 99})
        assert (rest.x == whole.x).all() and rest.nit == whole.nit
        with pytest.raises(TypeError, match="loss was a callable, which no state holds"):
            resume(part, decay, jac=decay_jacobian)
        with pytest.raises(TypeError, match="jac was a callable, which no state holds"):
            resume(part, decay, loss=loss)
        fun = lambda b, y: b[0] * np.exp(-b[1] * T) + b[2] - y  # noqa: E731
        part = least_squares(fun, start, kwargs={"y": Y}, options={"maxiter": 2})
        assert resume(part, fun, kwargs={"y": Y}, options={"maxiter": 99}).x[0] == pytest.approx(3.0, rel=1e-6)

    def test_what_is_refused(self, tmp_path):
        part = least_squares(decay, [1.0, 1.0, 0.0], options={"maxiter": 2})
        part.save(tmp_path / "run.npz")
        arrays = dict(np.load(tmp_path / "run.npz"))
        for change in ({"c": arrays["c"][:-1]}, {"w": arrays["w"][:-1]}, {"m": np.array(0)}, {"start": np.ones(4)}):
            np.savez(tmp_path / "bad.npz", **{**arrays, **change})
            with pytest.raises(ValueError, match="damaged"):
                resume(tmp_path / "bad.npz", decay)
        with pytest.raises(TypeError, match="hess and hessp are for minimize"):
            resume(part, decay, hess=lambda x: x)
        with pytest.raises(ValueError, match="can't be changed in a run"):
            resume(part, decay, options={"fixed": [0]})
        with pytest.raises(TypeError, match="loss is part of the state"):
            resume(part, decay, loss="huber")
        with pytest.raises(ValueError, match=r"fun must return an array of shape \(20,\)"):
            resume(part, lambda b: decay(b)[1:], options={"maxiter": 99})


def _without_parts(b):
    return b[0] * np.exp(-b[1] * T) + 0.0 * b[2] - Y + 0.5


class TestUndetermined:
    @pytest.mark.parametrize(
        "fun, start, said",
        [
            (lambda b: (b[0] + b[1]) * T - 3.0 * T, [0.2, 0.1], "x[0] - x[1]"),
            (lambda b: (2.0 * b[0] + b[1]) * T - 3.0 * T, [0.2, 0.1], "x[0] - 0.5*x[1]"),
            (_without_parts, [1.0, 1.0, 7.0], "x[2]"),
            (lambda b: _without_parts(b) + b[3] - b[4] - b[5], [1.0, 1.0, 7.0, 0.0, 0.0, 0.1],
             "x[2]; x[3] + x[5]; x[4] - x[5]"),
        ],
    )  # fmt: skip
    def test_the_warning_names_it_and_there_is_an_answer(self, fun, start, said):
        for method in METHODS:
            for jac in ("2-point", "3-point", "cs") if len(start) < 4 else ("cs",):
                with pytest.warns(OptimizeWarning) as caught:
                    result = least_squares(fun, start, jac, method=method)
                assert result.success and result.cost < 1e-10
                (text,) = (str(w.message) for w in caught)
                names = text.removeprefix("the residuals do not determine ").split(" (columns")[0]
                assert sorted(names.split("; ")) == sorted(said.split("; "))

    def test_jitted(self):
        fun, jac = (
            njit(_without_parts),
            njit(lambda b: np.column_stack((np.exp(-b[1] * T), -b[0] * T * np.exp(-b[1] * T), 0 * T))),
        )
        for _ in range(3):
            with pytest.warns(OptimizeWarning, match=r"do not determine x\[2\] \("):
                least_squares(fun, [1.0, 1.0, 7.0], jac)

    def test_no_warning_where_all_is_determined(self):
        """However badly scaled or ill-conditioned; a variable at its bound is known."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptimizeWarning)
            for name in NIST:
                problem = problems.nist(name)
                for jac in (problem.jacobian, "3-point"):
                    least_squares(problem.residual, problem.starts[1], jac)
            scale = np.array([1e-150, 1e150, 1.0])
            jac = lambda b: decay_jacobian(b * scale) * scale  # noqa: E731
            least_squares(lambda b: decay(b * scale), np.array([1.0, 1.0, 0.1]) / scale, jac)
            nearly = lambda b: (b[0] + (1 + 1e-9) * b[1]) * T + 1e-9 * b[1] * T**2 - 3.0 * T  # noqa: E731
            least_squares(nearly, [0.2, 0.1], "cs")
            fun = lambda b: b[0] * np.exp(-b[1] * T) * b[2] - 3.0 * np.exp(-T)  # noqa: E731
            least_squares(fun, [1.0, 1.0, 2.0], "cs", bounds=([0, 0, 2.0], [9, 9, 9]), options={"fixed": [2]})
            least_squares(fun, [1.0, 1.0, 2.0], "cs", bounds=(0, [1.2, 9, 2.0]))

    @given(st.integers(1, 7), st.integers(0, 4), st.integers(0, 10**6))
    @settings(max_examples=60, deadline=None)
    def test_as_many_combinations_as_the_rank_lacks(self, n, lack, seed):
        lack = min(lack, n - 1)
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((n + 3, n - lack)) @ rng.standard_normal((n - lack, n))
        A *= 10.0 ** rng.integers(-100, 100, n)
        assert len(undetermined(A, [f"x{j}" for j in range(n)])) == lack
        A[:, 0] = 0.0
        assert "x0" in undetermined(A, [f"x{j}" for j in range(n)])


class TestScales:
    @pytest.mark.parametrize("scale", [1e-250, 1e-160, 1e-120, 1e120, 1e160, 1e250])
    @pytest.mark.parametrize("loss", ["linear", "cauchy"])
    def test_residuals_whose_squares_do_not_fit(self, scale, loss):
        y = Y + 0.3 * np.cos(5.0 * T)
        fun = lambda b: b[0] * np.exp(-b[1] * T) + b[2] - y  # noqa: E731
        start, tight = [1.0, 1.0, 0.1], {"xtol": 1e-12, "ftol": 1e-12, "loss": loss}
        plain = least_squares(fun, start, "3-point", f_scale=0.1, **tight)
        for scaled in (lambda b: scale * fun(b), njit(lambda b: scale * (b[0] * np.exp(-b[1] * T) + b[2] - y))):
            for _ in range(2):  # the second run would be a copy of the first
                result = least_squares(scaled, start, "3-point", f_scale=0.1 * scale, **tight)
                assert result.success
                np.testing.assert_allclose(result.x, plain.x, rtol=1e-7)
                np.testing.assert_allclose(result.fun, scale * plain.fun, rtol=1e-5)
                np.testing.assert_allclose(result.jac, scale * plain.jac, rtol=1e-5)
        assert result.cost == pytest.approx(plain.cost * scale * scale, rel=1e-6) or not 1e-150 < scale < 1e150


class TestAgain:
    """Small runs are copies of earlier ones; nothing of those may show."""

    def test_the_same_run_is_the_same_to_the_last_bit(self):
        problem = problems.nist("Chwirut2")
        names = ("x", "cost", "fun", "jac", "grad", "nfev", "nit", "optimality", "status", "active_mask")
        for fun, jac in (
            (njit(problem.residual.py_func), njit(problem.jacobian.py_func)),
            (problem.python_residual, problem.python_jacobian),
            (problem.python_residual, "3-point"),
            (njit(problem.residual.py_func), "2-point"),
        ):
            for loss in ("linear", "soft_l1"):
                runs = []
                for start in (0, 1, 0, 0):
                    runs.append(least_squares(fun, problem.starts[start], jac, loss=loss))
                kept = [{name: np.copy(run[name]) for name in names} for run in runs]
                least_squares(fun, problem.starts[1], jac, loss=loss)
                other = least_squares(fun, problem.starts[0], jac, loss=loss, options={"history": True})
                for name in names:
                    for run in (runs[2], runs[3], other):
                        np.testing.assert_array_equal(run[name], runs[0][name])
                    for run, was in zip(runs, kept, strict=True):
                        np.testing.assert_array_equal(run[name], was[name])  # no other run has written there
                rest = resume(runs[1], fun, jac=jac)
                np.testing.assert_allclose(rest.x, runs[1].x, rtol=1e-6)

    def test_another_number_of_residuals(self):
        fun = njit(lambda x: np.concatenate((x - 9.0, np.zeros(1))) if x[0] > 5.0 else x - 1.0)
        for _ in range(2):
            assert least_squares(fun, [2.0, 3.0]).fun.size == 2
            assert least_squares(fun, [6.0, 3.0]).fun.size == 3
        python = lambda x, m: np.full(m, x[0] - 1.0)  # noqa: E731
        for m in (2, 3, 2, 5, 3):
            assert least_squares(python, [2.0], args=(m,)).fun.size == m

    def test_what_is_refused_is_refused_the_second_time_too(self):
        fun = njit(lambda x: np.array([x[0] - 1.0, np.log(x[0])]))
        for _ in range(3):
            assert least_squares(fun, [2.0]).success
            with pytest.raises(ValueError, match=r"not finite in the initial point: fun\(x0\)\[1\]"):
                least_squares(fun, [-2.0])
            with pytest.raises(ValueError, match="ftol must be"):
                least_squares(fun, [2.0], ftol=True)
            with pytest.raises(TypeError, match="fun must be callable"):
                least_squares(5, [2.0])
            with pytest.raises(TypeError, match="jac must be"):
                least_squares(fun, [2.0], 5)
            with pytest.raises(TypeError, match="callback must be"):
                least_squares(fun, [2.0], callback=5)

    def test_functions_are_not_held_on_to(self):
        class Model:
            def __call__(self, x):
                return x - 1.0

        model = Model()
        for _ in range(3):
            least_squares(model, [2.0, 3.0])
        gone = weakref.ref(model)
        del model
        gc.collect()
        assert gone() is None

    def test_runs_inside_of_runs_and_in_threads(self):
        def inner(x):
            return least_squares(decay, [1.0, 1.0, x[0]], decay_jacobian).x - 2.0

        def outer(x):
            return least_squares(lambda y: inner(y) + y[0] - 1.0, [0.5], "2-point", gtol=1e-6).x - x

        assert least_squares(outer, [0.3]).success
        problem = problems.nist("Misra1a")
        expected = least_squares(problem.residual, problem.starts[0], problem.jacobian)
        with ThreadPoolExecutor(4) as pool:
            fun, jac = problem.residual, problem.jacobian
            for result in pool.map(lambda k: least_squares(fun, problem.starts[0], jac), range(200)):
                np.testing.assert_array_equal(result.x, expected.x)

    def test_callables_get_copies(self):
        """What they keep does not change, what they change is not ours."""
        kept = []

        def fun(x):
            kept.append((x, x.copy()))
            r = decay(x)
            x[:] = np.nan
            return r

        def jac(x):
            J = decay_jacobian(x)
            x[:] = np.nan
            return J

        for _ in range(2):
            for f, j in ((fun, jac), (fun, "3-point"), (njit(_spoils), "2-point"), (njit(_spoils), njit(_spoils_too))):
                result = least_squares(f, [1.0, 1.0, 0.0], j)
                np.testing.assert_allclose(result.x, [3.0, 1.5, 0.5], rtol=1e-6)
        assert all(np.isnan(x).all() for x, _ in kept) and all(np.isfinite(was).all() for _, was in kept)


def _spoils(b):
    r = b[0] * np.exp(-b[1] * T) + b[2] - Y
    b[:] = np.nan
    return r


def _spoils_too(b):
    J = np.empty((T.size, 3))
    J[:, 0] = np.exp(-b[1] * T)
    J[:, 1] = -b[0] * T * J[:, 0]
    J[:, 2] = 1.0
    b[:] = np.nan
    return J


class TestRefused:
    @pytest.mark.parametrize(
        "change, message",
        [
            ({"x0": [[1.0, 2.0]]}, "x0 must be 1-D"),
            ({"method": "nothing"}, "method must be one of"),
            ({"jac": "4-point"}, "jac must be"),
            ({"loss": "l1"}, "loss must be one of"),
            ({"f_scale": 0.0}, "f_scale must be a positive"),
            ({"bounds": ([0, 0], [1, 1])}, "bounds must be"),
            ({"bounds": (2.0, 1.0)}, "crossed"),
            ({"bounds": (2.0, 3.0)}, r"x0\[0\] = 1 is outside of its bounds \(2, 3\)"),
            ({"bounds": (np.nan, 3.0)}, "NaN"),
            ({"ftol": -1.0}, "ftol must be"),
            ({"ftol": 0, "xtol": 0, "gtol": None}, "at least one of"),
            ({"x_scale": [1.0, 0.0, 1.0]}, "x_scale must be"),
            ({"max_nfev": 0}, "max_nfev must be"),
            ({"verbose": 3}, "verbose must be"),
            ({"max_nfev": np.nan}, "max_nfev must be"),
            ({"diff_step": np.nan}, "diff_step must be"),
            ({"diff_step": [1e-8, 1e-8]}, "diff_step must be"),
            ({"options": {"maxit": 3}}, "unknown option 'maxit'"),
            ({"fun": lambda x: x.reshape(1, 3)}, "as a 1-D array"),
            ({"fun": lambda x: x * np.inf}, "not finite in the initial point"),
            ({"jac": lambda x: np.eye(3)}, r"jac must return an array of shape \(20, 3\)"),
        ],
    )
    def test_one_clear_error(self, change, message):
        arguments = {"fun": decay, "x0": [1.0, 1.0, 0.5]} | change
        with pytest.raises(ValueError, match=message):
            least_squares(arguments.pop("fun"), arguments.pop("x0"), **arguments)

    def test_a_residual_that_changes_its_length(self):
        lengths = iter([20, 20, 19])
        with pytest.raises(ValueError, match=r"fun must return an array of shape \(20,\)"):
            least_squares(lambda b: decay(b)[: next(lengths, 19)], [1.0, 1.0, 0.5])

    def test_what_does_not_compile_is_said_in_one_line(self):
        with pytest.raises(TypeError, match="fun does not compile"):
            least_squares(njit(lambda x: undefined_name + x), [1.0])  # noqa: F821

    def test_workers_are_not_used(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            least_squares(decay, [1.0, 1.0, 0.5], workers=2)
        assert "not used" in str(caught[0].message)


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
def test_steps_of_differences_of_a_repeated_run_are_by_its_own_start(jac):
    """They were what stood in the memory of a run that is prepared by another."""
    from numopt.optimize import _squares_plan

    problem = problems.nist("Rat43")
    fun = njit(problem.python_residual)  # of no run before
    alone = [least_squares(problem.python_residual, start, jac) for start in problem.starts]
    least_squares(fun, problem.starts[0], jac)
    plans = [plan for plan in _squares_plan._PLANS.values() if plan is not None and plan.fun is fun]
    assert len(plans) == 1 and plans[0].complete
    for k in (0, 1, 0, 1):
        for run in plans[0].unused:
            run.sizes[:] = 1e6
        result = least_squares(fun, problem.starts[k], jac)
        np.testing.assert_allclose(result.x, alone[k].x, rtol=1e-5)
        assert result.success and abs(result.nfev - alone[k].nfev) <= 2


@pytest.mark.parametrize("loss", ["cauchy", "arctan"])
def test_a_radius_does_not_grow_after_a_step_that_bounds_bend_uphill(loss):
    """The run stayed at the start until it had no trials left."""
    rng, t = np.random.default_rng(1), np.linspace(0, 4, 40)
    y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.05 * rng.standard_normal(40)
    y[::9] += 1
    fun = lambda b: b[0] * np.exp(-b[1] * t) + b[2] - y  # noqa: E731
    options = {"bounds": ([0, 0, 0], [2, 5, 1]), "loss": loss, "f_scale": 0.2}
    ours, theirs = (solve(fun, [1, 1.6, 0.7], **options) for solve in (least_squares, scipy.optimize.least_squares))
    assert ours.success and ours.cost <= theirs.cost * (1 + 1e-6)


def test_new_functions_on_several_threads_at_once():
    """Each thread compiles adapters of its own; runs are prepared by those of other threads."""
    start, failed = threading.Barrier(4), []

    def work(k):
        fun = njit(lambda b, y: b[0] * np.exp(-b[1] * T) - y)
        model = njit(lambda t, a, b: a * np.exp(-b * t))
        start.wait()
        try:
            for i in range(10):
                truth = [1.0 + k + 0.1 * i, 0.8]
                y = truth[0] * np.exp(-0.8 * T)
                python = lambda b: b[0] * np.exp(-b[1] * T) - y  # noqa: B023, E731
                np.testing.assert_allclose(least_squares(fun, [1.0, 1.0], args=(y,)).x, truth, rtol=1e-5)
                np.testing.assert_allclose(least_squares(python, [1.0, 1.0]).x, truth, rtol=1e-5)
                np.testing.assert_allclose(curve_fit(model, T, y).popt, truth, rtol=1e-5)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
