"""Minimisation through blurred objectives."""

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import numopt
from numopt.callbacks import jitted, jitted_blurred
from numopt.callbacks.blurred import blurred
from numopt.kernels.oracle import void_pointer
from numopt.optimize._samples import generator, normal_points


def _rastrigin(x):
    f, g = 0.0, np.empty(x.size)
    for i in range(x.size):
        f += x[i] ** 2 - 10.0 * np.cos(2.0 * np.pi * x[i]) + 10.0
        g[i] = 2.0 * x[i] + 20.0 * np.pi * np.sin(2.0 * np.pi * x[i])
    return f, g


def _ackley(x):
    n, q, c = x.size, 0.0, 0.0
    for i in range(n):
        q += x[i] ** 2 / n
        c += np.cos(2.0 * np.pi * x[i]) / n
    r = np.sqrt(q)
    g = np.empty(n)
    for i in range(n):
        g[i] = 2.0 * np.pi * np.exp(c) * np.sin(2.0 * np.pi * x[i]) / n
        if r > 0.0:
            g[i] += 4.0 * np.exp(-0.2 * r) * x[i] / (n * r)
    return -20.0 * np.exp(-0.2 * r) - np.exp(c) + 20.0 + np.e, g


def _griewank(x):
    f, p = 1.0, 1.0
    for i in range(x.size):
        f += x[i] ** 2 / 4000.0
        p *= np.cos(x[i] / np.sqrt(i + 1.0))
    g = np.empty(x.size)
    for i in range(x.size):
        g[i] = x[i] / 2000.0 + p * np.tan(x[i] / np.sqrt(i + 1.0)) / np.sqrt(i + 1.0)
    return f - p, g


RASTRIGIN, ACKLEY, GRIEWANK = (numba.njit(f) for f in (_rastrigin, _ackley, _griewank))
START = np.array([3.3, -2.2])


def _value(x):
    f = 0.0 * x[0]
    for i in range(x.size):
        f += x[i] ** 2 - 10.0 * np.cos(2.0 * np.pi * x[i]) + 10.0
    return f


def _slope(x):
    return 2.0 * x + 20.0 * np.pi * np.sin(2.0 * np.pi * x)


def _inplace(x, g):
    f = 0.0
    for i in range(x.size):
        f += x[i] ** 2 - 10.0 * np.cos(2.0 * np.pi * x[i]) + 10.0
        g[i] = 2.0 * x[i] + 20.0 * np.pi * np.sin(2.0 * np.pi * x[i])
    return f


class TestQuadrature:
    def test_gauss_hermite_gives_the_closed_form_of_a_blurred_wave(self):
        # E cos(a (x + s u)) = cos(a x) exp(-a^2 s^2 / 2)
        nodes, weights = normal_points(1, 32, "gauss-hermite", generator(0))
        x, a, s = 0.3, 2.0, 0.9
        exact = np.cos(a * x) * np.exp(-0.5 * (a * s) ** 2)
        assert abs(weights @ np.cos(a * (x + s * nodes[:, 0])) - exact) < 1e-13
        pairs, equal = normal_points(1, 128, "sobol", generator(0))
        assert 1e-13 < abs(equal @ np.cos(a * (x + s * pairs[:, 0])) - exact) < 0.02

    @pytest.mark.parametrize("n", [1, 2])
    def test_gauss_hermite_is_exact_for_a_blurred_quadratic_and_its_product_rule_has_no_idle_points(self, n):
        nodes, weights = normal_points(n, 32**n, "gauss-hermite", generator(0))
        A = np.array([[2.0, 0.7], [0.7, 3.0]])[:n, :n]
        x, s = np.array([0.4, -1.1])[:n], 1.7
        blurs = weights @ np.einsum("ki,ij,kj->k", x + s * nodes, A, x + s * nodes)
        assert_allclose(blurs, x @ A @ x + s**2 * np.trace(A), rtol=1e-13)
        assert weights.min() > 1e-16 and abs(weights.sum() - 1.0) < 1e-14

    @pytest.mark.parametrize("n", [1, 3, 40])
    def test_sobol_points_come_in_pairs_and_have_unit_variances(self, n):
        nodes, weights = normal_points(n, 256, "sobol", generator(3))
        assert_array_equal(nodes[:128], -nodes[128:])
        assert_allclose(weights @ nodes**2, np.ones(n), rtol=1e-13)
        # x_i x_j is not matched, but near 0: the points are spread, not merely scaled
        covariance = nodes.T @ (weights[:, None] * nodes)
        assert np.abs(covariance - np.eye(n)).max() < 0.5

    def test_points_of_one_rule_are_those_of_the_normal_distribution(self):
        nodes, _ = normal_points(2, 1024, "sobol", generator(5))
        assert_allclose(np.quantile(nodes[:, 0], [0.1587, 0.8413]), [-1.0, 1.0], atol=0.02)


class TestBlurredObjective:
    def test_the_gradient_is_that_of_the_blurred_value(self):
        nodes, weights = normal_points(3, 64, "sobol", generator(0))
        lower, upper = np.array([-1.0, -np.inf, -5.0]), np.array([1.0, np.inf, 0.5])
        best = np.full(4, np.inf)
        fun, _ = blurred(_rastrigin, True)
        x, at = np.array([0.3, 0.4, 0.1]), (0.7 * nodes, weights, lower, upper, best)
        _, g = fun(x, *at)
        for j in range(3):
            h = 1e-6 * np.eye(3)[j]
            assert_allclose(g[j], (fun(x + h, *at)[0] - fun(x - h, *at)[0]) / 2e-6, rtol=1e-6, atol=1e-6)

    def test_no_point_leaves_the_box(self):
        seen = []

        def fun(x):
            seen.append(x.copy())
            return _rastrigin(x)

        numopt.continuation(fun, [0.9, -1.5], jac=True, bounds=[(-1, 1), (-2, None)], random_state=0, n_samples=16)
        seen = np.array(seen)
        assert len(seen) > 200 and (np.abs(seen[:, 0]) <= 1.0).all() and (seen[:, 1] >= -2.0).all()

    def test_a_bound_is_no_stationary_point_of_a_blur(self):
        # reflection at the bound would make it one by symmetry, and the path would not leave it
        result = numopt.continuation(lambda x: (x[0] - 1.0, np.ones(1)), [2.0], jac=True, bounds=[(0.0, 2.0)],
                                     random_state=0)  # fmt: skip
        assert_array_equal(result.x, [0.0])
        assert (result.stages["x"] == 0.0).all() and result.active_mask.tolist() == [-1]

    def test_the_best_point_of_a_blur_is_kept(self):
        best = np.full(3, np.inf)
        nodes, weights = normal_points(2, 64, "sobol", generator(0))
        fun, _ = blurred(RASTRIGIN, True)
        fun(START, nodes, weights, np.full(2, -np.inf), np.full(2, np.inf), best)
        values = [_value(START + u) for u in nodes]
        assert best[0] == min(values) and _value(best[1:]) == best[0]


FORMS = {
    "pair": (_rastrigin, True),
    "two functions": (_value, _slope),
    "inplace": (_inplace, "inplace"),
    "cs": (_value, "cs"),
}


@pytest.mark.parametrize("form", FORMS)
def test_jitted_and_python_objectives_have_the_same_iterates(form):
    fun, jac = FORMS[form]
    more = {"bounds": [(-5.12, 4.0), (-3.0, None)], "random_state": 1, "n_samples": 32, "sigmas": [1.0, 0.3]}
    python = numopt.continuation(fun, START, jac=jac, **more)
    compiled = RASTRIGIN if fun is _rastrigin else numba.njit(fun)
    compiled = numopt.continuation(compiled, START, jac=numba.njit(jac) if callable(jac) else jac, **more)
    assert_array_equal(python.stages, compiled.stages)
    assert python.nfev == compiled.nfev and python.success


def test_arguments_reach_a_jitted_and_a_python_objective():
    def bowl(x, centre, height):
        return ((x - centre) ** 2).sum() + height, 2.0 * (x - centre)

    args = np.array([1.0, -2.0]), 3.0
    for fun in (bowl, numba.njit(bowl)):
        result = numopt.continuation(fun, [4.0, 4.0], args, jac=True, random_state=0)
        assert_allclose(result.x, args[0], atol=1e-7)
        assert_allclose(result.fun, 3.0)


def test_a_c_function_is_blurred():
    @numba.cfunc("float64(intp, intp, intp, intp)")
    def bowl(x_address, g_address, n, data):
        x = numba.carray(void_pointer(x_address), (n,), numba.float64)
        g = numba.carray(void_pointer(g_address), (n,), numba.float64)
        f = 0.0
        for i in range(n):
            g[i] = 2.0 * (x[i] - 1.0)
            f += (x[i] - 1.0) ** 2
        return f

    result = numopt.continuation(bowl, [3.0, 0.0], jac=True, random_state=0, n_samples=8, sigmas=[1.0])
    assert_allclose(result.x, [1.0, 1.0])


@pytest.mark.parametrize(
    ("fun", "width", "n", "reached"),
    [(RASTRIGIN, 5.12, 2, 10), (RASTRIGIN, 5.12, 10, 9), (ACKLEY, 32.768, 5, 10), (GRIEWANK, 600.0, 2, 6)],
)
def test_the_global_minimum_is_reached_where_a_local_run_does_not_reach_it(fun, width, n, reached):
    rng = np.random.default_rng(0)
    starts = rng.uniform(-width, width, (10, n))
    local = sum(numopt.minimize(fun, x, jac=True).fun < 1e-6 for x in starts)
    bounds = [(-width, width)] * n
    found = sum(
        numopt.continuation(fun, x, jac=True, bounds=bounds, random_state=k).fun < 1e-6 for k, x in enumerate(starts)
    )
    assert local == 0 and found >= reached


def test_the_blur_of_a_convex_quadratic_has_its_minimiser_exactly():
    A = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
    target = np.array([1.0, -2.0, 0.5])

    def fun(x):
        r = x - target
        return 0.5 * r @ A @ r, A @ r

    result = numopt.continuation(fun, [5.0, 5.0, 5.0], jac=True, random_state=0)
    assert_allclose(result.stages["x"], np.tile(target, (len(result.stages), 1)), atol=1e-7)
    assert (np.diff(result.stages["blurred"]) < 0.0).all() and result.stages["nit"][1:].max() <= 1


class TestResult:
    def test_counts_are_those_of_the_function(self):
        calls = 0

        def fun(x):
            nonlocal calls
            calls += 1
            return _rastrigin(x)

        result = numopt.continuation(fun, START, jac=True, random_state=0, n_samples=20)
        assert result.nfev == calls
        assert result.nit == result.stages["nit"].sum() and result.stages["nfev"].sum() == calls - 1
        assert result.stages.shape == (9,) and (result.stages["sigma"][-1] == 0.0).all()
        assert_allclose(result.stages["fun"], [_value(x) for x in result.stages["x"]], rtol=1e-14, atol=1e-14)

    def test_the_best_point_seen_is_returned_although_the_path_leads_elsewhere(self):
        # a narrow hole at 0, off the slope that a wide blur follows
        def fun(x):
            hole = 5.0 * np.exp(-50.0 * x[0] ** 2)
            return (x[0] - 3.0) ** 2 / 9.0 - hole, np.array([2.0 * (x[0] - 3.0) / 9.0 + 100.0 * x[0] * hole])

        result = numopt.continuation(fun, [0.05], jac=True, sigmas=[2.0, 1.0], random_state=0)
        assert (result.stages["sigma"][:, 0] == [2.0, 1.0, 0.0, 0.0]).all()
        assert result.stages["fun"][2] > -0.1 and result.fun < -3.9 and result.success
        assert result.fun == result.stages["fun"].min()

    def test_one_random_state_gives_one_result(self):
        runs = [numopt.continuation(RASTRIGIN, START, jac=True, random_state=7) for _ in range(2)]
        other = numopt.continuation(RASTRIGIN, START, jac=True, random_state=8)
        assert_array_equal(runs[0].stages, runs[1].stages)
        assert not np.array_equal(runs[0].stages["blurred"], other.stages["blurred"])

    def test_a_state_of_the_old_kind_and_a_generator_will_do(self):
        for make in (lambda: np.random.RandomState(3), lambda: np.random.default_rng(3)):
            one, two = (numopt.continuation(RASTRIGIN, START, jac=True, random_state=make()) for _ in range(2))
            assert_array_equal(one.stages, two.stages)

    def test_a_series_of_sigmas_for_each_variable(self):
        sigmas = [[2.0, 1.0], [0.5, 0.25]]
        result = numopt.continuation(RASTRIGIN, START, jac=True, sigmas=sigmas, random_state=0)
        assert_array_equal(result.stages["sigma"][:2], sigmas)

    def test_a_fixed_variable_is_not_blurred(self):
        result = numopt.continuation(RASTRIGIN, [3.3, 1.5], jac=True, bounds=[(-5, 5), (1.5, 1.5)], random_state=0)
        assert (result.stages["x"][:, 1] == 1.5).all() and (result.stages["sigma"][:, 1] == 0.0).all()
        assert_allclose(result.fun, _value(np.array([0.0, 1.5])), rtol=1e-12)

    def test_one_variable_and_gauss_hermite(self):
        result = numopt.continuation(_rastrigin, 3.3, jac=True, samples="gauss-hermite", random_state=0)
        assert abs(result.x[0]) < 1e-8 and result.success

    @pytest.mark.parametrize("method", ["nelder-mead", "l-bfgs-b"])
    def test_other_methods(self, method):
        fun, jac = (_value, None) if method == "nelder-mead" else (_rastrigin, True)
        result = numopt.continuation(fun, [1.3, -2.2], jac=jac, method=method, random_state=0, sigmas=[1.0, 0.3])
        assert result.fun < 1e-5

    def test_a_blur_that_reaches_out_of_the_domain_is_passed_over(self):
        def fun(x):
            return (x[0] - np.log(x[0]), 1.0 - 1.0 / x) if x[0] > 0.0 else (np.nan, np.full(1, np.nan))

        result = numopt.continuation(fun, [2.0], jac=True, sigmas=[1.5, 0.1], random_state=0)
        assert result.stages["status"][0] == numopt.Status.NAN and result.stages["x"][0, 0] == 2.0
        assert result.stages["status"][1] == 0 and result.success and abs(result.x[0] - 1.0) < 1e-7


def test_a_second_series_compiles_nothing():
    fun = numba.njit(_rastrigin)
    numopt.continuation(fun, START, jac=True, sigmas=[1.0], random_state=0)
    before = jitted.value_grad.cache_info().misses, jitted_blurred.blurred.cache_info().misses
    wrapper, _ = blurred(fun, True)
    signatures = len(wrapper.signatures)
    numopt.continuation(fun, [1.0, 2.0, 3.0], jac=True, sigmas=[2.0, 0.1], n_samples=10, random_state=1,
                        bounds=[(-5, 5)] * 3)  # fmt: skip
    assert wrapper.py_func.__code__.co_argcount == 6
    assert (jitted.value_grad.cache_info().misses, jitted_blurred.blurred.cache_info().misses) == before
    assert len(wrapper.signatures) == signatures == 1


class TestStops:
    def test_no_time(self):
        result = numopt.continuation(RASTRIGIN, START, jac=True, max_time=0)
        assert result.status == numopt.Status.MAX_TIME and not result.success and len(result.stages) == 0
        assert_array_equal(result.x, START)

    def test_the_callback_ends_it(self):
        seen = []

        def callback(intermediate_result):
            seen.append(intermediate_result)
            if len(seen) == 3:
                raise StopIteration

        result = numopt.continuation(RASTRIGIN, START, jac=True, random_state=0, callback=callback)
        assert result.status == numopt.Status.CALLBACK and len(result.stages) == 3
        assert [step.stage for step in seen] == [0, 1, 2]
        assert_array_equal([step.sigma for step in seen], result.stages["sigma"])
        assert result.fun <= result.stages["fun"].min() and _value(result.x) == result.fun

    @pytest.mark.parametrize("compiled", [False, True])
    def test_an_exception_brings_the_best_so_far(self, compiled):
        def fun(x):
            if abs(x[0]) < 0.5:
                raise ValueError("too near")
            return (x**2).sum(), 2.0 * x

        with pytest.raises(ValueError, match="too near") as caught:
            numopt.continuation(numba.njit(fun) if compiled else fun, [3.0, 1.0], jac=True, random_state=0)
        assert caught.value.result.status == numopt.Status.FAILED and caught.value.result.fun <= 10.0

    def test_progress(self, capsys):
        numopt.continuation(RASTRIGIN, START, jac=True, random_state=0, progress=True)
        assert "9/9" in capsys.readouterr().out


BAD = [
    ({"sigmas": [1.0, 2.0]}, ValueError, "sigmas must be positive numbers, falling"),
    ({"sigmas": []}, ValueError, "sigmas must be"),
    ({"sigmas": [1.0, 0.0]}, ValueError, "f itself comes last"),
    ({"sigmas": [np.nan]}, ValueError, "sigmas must be"),
    ({"sigmas": [[1.0, 2.0, 3.0]]}, ValueError, r"or 2 \(one for each variable\)"),
    ({"sigmas": "wide"}, ValueError, "sigmas must be"),
    ({"n_samples": 1}, ValueError, "n_samples must be at least 2; got 1"),
    ({"n_samples": 2.5}, TypeError, "n_samples must be an integer; got 2.5"),
    ({"samples": "grid"}, ValueError, "samples must be one of 'sobol', 'gauss-hermite'"),
    ({"samples": "gauss-hermite", "x0": np.ones(3)}, ValueError, "one or two variables; x0 has 3"),
    ({"max_time": -1}, ValueError, "max_time must be None or a number of seconds"),
    ({"random_state": "seed"}, TypeError, "random_state must be None, an integer"),
    ({"x0": [np.inf, 0.0]}, ValueError, r"x0\[0\] is inf"),
    ({"bounds": [(0, 1)]}, ValueError, "bounds must have length 2"),
    ({"method": "newton-cg", "bounds": [(0, 1)] * 2}, ValueError, "takes no bounds"),
    ({"method": "magic"}, ValueError, "unknown method 'magic'"),
    ({"options": 3}, TypeError, "options must be a dict"),
    ({"callback": 3}, TypeError, "callback must be callable"),
    ({"fun": numba.njit(lambda x: x.nothing), "jac": None}, TypeError, "fun does not compile"),
]


@pytest.mark.parametrize(("given", "error", "words"), BAD)
def test_bad_input(given, error, words):
    with pytest.raises(error, match=words):
        numopt.continuation(**({"fun": RASTRIGIN, "x0": START, "jac": True} | given))


def test_what_there_is_to_warn_of_is_said_once():
    with pytest.warns(numopt.OptimizeWarning) as caught:
        numopt.continuation(RASTRIGIN, START, jac=True, random_state=0, options={"nonsense": 1})
    assert len(caught) == 1 and "nonsense" in str(caught[0].message) and caught[0].filename == __file__
