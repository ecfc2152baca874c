"""Methods that ask for products of the Hessian with vectors only, and the quasi-Newton trust region."""

import time

import numba
import numpy as np
import pytest
import scipy.optimize

import numopt
from numopt import Status, minimize, problems
from numopt.comparison._compare import _hessian

PRODUCTS = ["trust-ncg", "newton-cg"]


def quartic(x):
    return float(((x - 1.0) ** 4).sum() + 0.5 * ((x - 1.0) ** 2).sum()), 4.0 * (x - 1.0) ** 3 + (x - 1.0)


def quartic_hessp(x, v):
    return 12.0 * (x - 1.0) ** 2 * v + v


@pytest.mark.parametrize("name", PRODUCTS)
def test_no_matrix_unless_one_is_given(name):
    n = 20_000
    for how in ({"hessp": quartic_hessp}, {}):
        result = minimize(quartic, np.linspace(-3.0, 4.0, n), jac=True, method=name, **how)
        assert result.success and np.abs(result.x - 1.0).max() < 1e-3
        assert result.state[4].size < 20 * n  # the workspace: some vectors
    assert result.njev > result.nfev or result.nfev > result.nit  # differences of the gradient are counted


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("jit", [False, True])
def test_same_steps_from_matrix_product_and_differences(rosen, name, jit):
    fun, hess = (rosen.jitted, rosen.hess) if jit else (rosen.python, rosen.hess.py_func)
    product = (lambda x, v: rosen.hess.py_func(x) @ v) if not jit else numba.njit(lambda x, v: hess(x) @ v)
    results = [
        minimize(fun, rosen.x0, jac=True, method=name, options={"gtol": 1e-8}, **how)
        for how in ({"hess": hess}, {"hessp": product}, {}, {"hess": hess, "hessp": product})
    ]
    for result in results:
        assert result.success and np.allclose(result.x, results[0].x, atol=1e-5)
    assert results[0].nfev == results[1].nfev == results[3].nfev and results[0].nit == results[2].nit
    assert results[0].nhev in (results[0].nit, results[0].nit + 1)  # one matrix an iteration
    assert results[1].nhev > results[0].nhev  # one product each


@pytest.mark.parametrize("name", ["newton-cg", "trust-ncg"])
def test_beside_scipy(name):
    """With the same Hessian: what scipy solves but for one problem, and evaluations."""
    ours, scipys, ratios = [], [], []
    for problem in problems.mgh():
        hess = _hessian(problem.fun_and_grad, True)
        result = minimize(problem.fun_and_grad, problem.x0, jac=True, hess=hess, method=name)
        other = scipy.optimize.minimize(problem.fun_and_grad, problem.x0, jac=True, hess=hess,
                                        method="Newton-CG" if name == "newton-cg" else name)  # fmt: skip
        for end, solved in ((result, ours), (other, scipys)):
            f, g = problem.fun_and_grad(end.x)
            solved.append(problem.solved(f, np.abs(g).max()))
        if ours[-1] and scipys[-1]:
            ratios.append(result.nfev / other.nfev)
    # wood: both creep along a saddle for hundreds of iterations, scipy leaves it 25 iterations before maxiter
    assert sum(ours) >= sum(scipys) - (name == "newton-cg")
    assert np.exp(np.mean(np.log(ratios))) <= (1.08 if name == "newton-cg" else 1.03)


def test_sr1_solves():
    solved = {
        problem.name
        for problem in problems.mgh()
        for end in [minimize(problem.fun_and_grad, problem.x0, jac=True, method="trust-sr1", options={"gtol": 1e-8})]
        if problem.solved(end.fun, np.abs(end.jac).max())
    }
    assert {problem.name for problem in problems.mgh()} - solved <= {"meyer"}


def test_sr1_model_is_the_hessian_of_a_quadratic():
    """After n independent steps (Nocedal & Wright, theorem 6.1)."""
    A = np.diag([1.0, 4.0, 9.0]) + 0.5
    result = minimize(lambda x: (0.5 * x @ A @ x, A @ x), [3.0, -1.0, 2.0], jac=True, method="trust-sr1",
                      options={"gtol": 1e-12, "initial_trust_radius": 0.5})  # fmt: skip
    n, w = 3, result.state[4]
    B = w[-n * n :].reshape(n, n)
    assert result.success and np.allclose(B, A, atol=1e-6)


@pytest.mark.parametrize("name", PRODUCTS)
def test_time_limit_within_the_inner_iteration(name):
    def slow(x, v):
        time.sleep(0.02)
        return quartic_hessp(x, v) * np.arange(1.0, x.size + 1.0)

    started = time.perf_counter()
    result = minimize(quartic, np.linspace(-3.0, 4.0, 300), jac=True, hessp=slow, method=name,
                      options={"max_time": 0.1})  # fmt: skip
    assert result.status is Status.MAX_TIME and time.perf_counter() - started < 5.0


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_no_use(name):
    bowl = lambda x: (float(x @ x), 2.0 * x)  # noqa: E731
    for product in (lambda x, v: np.full(2, np.nan), lambda x, v: 0.0 * v, lambda x, v: -v):
        result = minimize(bowl, [3.0, -4.0], jac=True, hessp=product, method=name, options={"maxiter": 500})
        assert result.fun < 25.0 and np.isfinite(result.x).all()


def test_product_of_the_wrong_length():
    with pytest.raises(ValueError, match=r"hessp must return an array of shape \(2,\); it returned shape \(3,\)"):
        minimize(
            lambda x: (float(x @ x), 2.0 * x), [1.0, 1.0], jac=True, hessp=lambda x, v: np.ones(3), method="trust-ncg"
        )


def test_products_inside_compiled_code():
    @numba.njit
    def fun(x, g, data):
        f = 0.0
        for i in range(x.size):
            d = x[i] - data[i]
            f += d**4 + 0.5 * d * d
            g[i] = 4.0 * d**3 + d
        return f

    @numba.njit
    def hessp(x, v, out, data):
        for i in range(x.size):
            out[i] = (12.0 * (x[i] - data[i]) ** 2 + 1.0) * v[i]

    solve = numopt.jit_solver("trust-ncg", gtol=1e-9)
    target = np.array([1.0, -2.0, 3.0])
    x, _, gnorm, status, _, _ = solve(fun, np.zeros(3), target, None, None, None, hessp)
    assert status == Status.GRADIENT and gnorm <= 1e-9 and np.allclose(x, target, atol=1e-8)
    with pytest.raises(ValueError, match=r"or hessp\(x, v, out, data\)"):
        solve(fun, np.zeros(3), target)
