"""Methods that ask for products of the Hessian with vectors only, and the quasi-Newton trust region."""

import functools
import time
import warnings

import numba
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import numopt
from numopt import Status, minimize, problems
from numopt.comparison._compare import _hessian
from numopt.kernels.tridiagonal import leftmost, solve_tridiagonal

PRODUCTS = ["trust-ncg", "trust-krylov", "newton-cg", "saddle-free-krylov"]


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
        kept = 51 if "krylov" in name else 0
        assert result.state[4].size < (20 + kept) * n  # the workspace: some vectors
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


def test_krylov_takes_a_badly_scaled_convex_model_for_convex():
    """A pivot of 2e-6 beside 2e10 is accurate; taken for rounding, it made the model indefinite."""
    c, scales = np.array([1.0, 1e4]), np.array([1e10, 1e-6])
    how = {"jac": lambda x: 2.0 * scales * (x - c), "hessp": lambda x, v: 2.0 * scales * v, "options": {"gtol": 1e-8}}
    result = minimize(lambda x: float(scales @ (x - c) ** 2), [0.0, 0.0], method="trust-krylov", **how)
    assert result.status is Status.GRADIENT and result.fun < 1e-9 and result.nit <= 25


@functools.cache
def mgh_hessians():
    """The problems with Hessians by differences of the gradient."""
    return [(problem, _hessian(problem.fun_and_grad, False)) for problem in problems.mgh()]


@pytest.mark.parametrize("name", ["trust-ncg", "trust-krylov", "newton-cg"])
def test_beside_scipy(name):
    """With the same Hessian and the default tolerances: no fewer solved, no more evaluations."""
    ours, scipys, ratios = [], [], []
    for problem, hess in mgh_hessians():
        result = minimize(problem.fun_and_grad, problem.x0, jac=True, hess=hess, method=name)
        other = scipy.optimize.minimize(problem.fun_and_grad, problem.x0, jac=True, hess=hess,
                                        method="Newton-CG" if name == "newton-cg" else name)  # fmt: skip
        for end, solved in ((result, ours), (other, scipys)):
            f, g = problem.fun_and_grad(end.x)
            solved.append(problem.solved(f, np.abs(g).max()))
        if ours[-1] and scipys[-1]:
            ratios.append(result.nfev / other.nfev)
    assert sum(ours) >= sum(scipys)
    assert np.exp(np.mean(np.log(ratios))) <= 1.0 + 1e-9


@pytest.mark.parametrize("scale", [1, 10])
def test_newton_cg_leaves_saddles(scale):
    """scipy's takes hundreds of iterations along these, or none."""
    for name in ("wood", "gulf") if scale == 1 else ("wood", "rosenbrock", "beale"):
        problem = problems.get(name, scale=scale)
        end = minimize(problem.fun_and_grad, problem.x0, jac=True, hess=_hessian(problem.fun_and_grad, False),
                       method="newton-cg")  # fmt: skip
        assert problem.solved(end.fun, np.abs(end.jac).max()) and end.nfev < 200


def test_newton_cg_makes_sure_of_its_last_step():
    """A step cut off by the forcing term may be short while g is not small: brown_almost_linear ended at g = 3e-4."""
    scales = np.array([1e4, 1e4, 1.0])
    end = minimize(lambda x: (0.5 * x @ (scales * x), scales * x), [1e-6, 1e-6, 1e-3], jac=True,
                   hess=lambda x: np.diag(scales), method="newton-cg")  # fmt: skip
    assert end.success and np.abs(end.x).max() < 1e-5


def test_newton_cg_ends_where_no_curvature_is_left():
    """v'Hv below rounding, and the step along -g within xtol: the start is all that is evaluated."""
    end = minimize(lambda x: (0.5 * x @ x, x), [1e-9, -1e-9], jac=True, hess=lambda x: np.eye(2), method="newton-cg")
    assert end.status is Status.XTOL and end.success and (end.nfev, end.nit) == (1, 0)
    # a slope without curvature is no minimum
    slope = lambda x: (float(x.sum()), np.ones(2))  # noqa: E731
    end = minimize(slope, [0.0, 0.0], jac=True, hess=lambda x: np.zeros((2, 2)), method="newton-cg")
    assert not end.success


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

    minimize(quartic, [1.0, 2.0], jac=True, hessp=quartic_hessp, method=name)  # compiles, if need be
    started = time.perf_counter()
    result = minimize(quartic, np.linspace(-3.0, 4.0, 300), jac=True, hessp=slow, method=name,
                      options={"max_time": 0.1})  # fmt: skip
    assert result.status is Status.MAX_TIME and time.perf_counter() - started < 5.0


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_no_use(name):
    bowl = lambda x: (float(x @ x), 2.0 * x)  # noqa: E731
    for product in (lambda x, v: np.full(2, np.nan), lambda x, v: 0.0 * v, lambda x, v: -v):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = minimize(bowl, [3.0, -4.0], jac=True, hessp=product, method=name, options={"maxiter": 500})
        # the minimum all the same, from the gradient alone
        assert result.success and np.abs(result.x).max() < 1e-3
        said = [str(w.message) for w in caught]
        nan = np.isnan(product(None, np.ones(2))).any()
        assert said == (["hessp returned NaN or inf; steps were taken without it there"] if nan else [])


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


@numba.njit
def _tridiagonal(a, e, b, radius):
    h, D, u = np.zeros(a.size), np.zeros(a.size), np.zeros(a.size)
    return solve_tridiagonal(a, e, a.size, b, radius, h, D, u), h, leftmost(a, e, a.size)


def _least_in_the_ball(T, b, radius):
    """The least value of b h_0 + h'Th / 2 in |h| <= radius, from eigenvectors and distances to the least eigenvalue."""
    values, V = np.linalg.eigh(T)
    c, gap = b * V[0], values - values[0]
    if values[0] > 0 and np.linalg.norm(c / values) <= radius:
        return -0.5 * (c * c / values).sum()
    excess = lambda nu: np.linalg.norm(c / (gap + nu)) - radius  # noqa: E731
    tiny = max(values[0], 1e-18 * np.abs(values).max())
    if excess(tiny) > 0:
        nu = scipy.optimize.brentq(excess, tiny, max(0.0, values[0]) + 1.1 * b / radius + tiny, xtol=1e-300)
        d = -c / (gap + nu)
    else:
        d = np.where(gap > 0, -c / np.where(gap > 0, gap, 1.0), 0.0)
        d[0] = np.sqrt(max(0.0, radius**2 - d @ d)) * (-1.0 if c[0] > 0 else 1.0)
    return c @ d + 0.5 * (values * d * d).sum()


@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(-3, 3), st.floats(-6, 3), st.booleans(), st.floats(-8, 3),
    st.floats(-4, 3),
)  # fmt: skip
def test_tridiagonal_subproblem_is_solved(seed, k, log_a, log_e, split, log_b, log_radius):
    rng = np.random.default_rng(seed)
    a, e = rng.standard_normal(k) * 10**log_a, np.abs(rng.standard_normal(k)) * 10**log_e
    if split:  # two blocks: the hard case, where the second has the least eigenvalue
        e[rng.integers(0, k)] = 0.0
    b, radius = 10**log_b, 10**log_radius
    T = np.diag(a) + np.diag(e[1:], 1) + np.diag(e[1:], -1)
    shift, h, least = _tridiagonal(a, e, b, radius)
    wanted = _least_in_the_ball(T, b, radius)
    assert np.linalg.norm(h) <= radius * (1 + 1e-9)
    assert b * h[0] + 0.5 * h @ T @ h <= wanted + 1e-8 * abs(wanted)
    size = np.abs(T).sum(1).max()
    assert shift >= 0.0 and shift + np.linalg.eigvalsh(T)[0] >= -1e-12 * size
    assert shift == 0.0 or np.linalg.norm(h) >= radius * (1 - 1e-9)
    assert abs(least - np.linalg.eigvalsh(T)[0]) <= 1e-13 * size * k


def _spectrum(values, seed=0):
    V = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    return V @ np.diag(values) @ V.T


def test_krylov_minimises_a_quadratic_in_one_step_with_a_product_for_each_eigenvalue():
    H = _spectrum(np.repeat([1.0, 5.0, 30.0], 10))
    g = np.random.default_rng(1).standard_normal(30)
    calls = []

    def hessp(x, v):
        calls.append(v)
        return H @ v

    result = minimize(
        lambda x: (g @ x + 0.5 * x @ H @ x, g + H @ x), np.zeros(30), jac=True, hessp=hessp, method="trust-krylov",
        options={"initial_trust_radius": 900.0, "gtol": 1e-8},
    )  # fmt: skip
    assert result.success and result.nit <= 3 and np.allclose(result.x, np.linalg.solve(H, -g), atol=1e-8)
    # three eigenvalues, then the search beside the invariant subspace
    assert len(calls) <= result.nit * (3 + 6)


def test_krylov_takes_no_product_for_a_shorter_radius():
    seen = []

    def fun(x):
        seen.append("f")
        return float((x**4).sum() - x.sum()), 4.0 * x**3 - 1.0

    def hessp(x, v):
        seen.append("p")
        return 12.0 * x * x * v

    start = np.linspace(0.1, 0.2, 5)  # hardly any curvature: the first radius is much too long
    result = minimize(fun, start, jac=True, hessp=hessp, method="trust-krylov", options={"initial_trust_radius": 900.0})
    assert result.success and "ff" in "".join(seen)[1:]


def test_krylov_finds_negative_curvature_that_the_gradient_does_not_see():
    """x[1] = 0 leads straight into the saddle of x^2 - y^2 + y^4 / 4; the Krylov space of g is the line there."""

    def saddle(x):
        return x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4, np.array([2 * x[0], -2 * x[1] + x[1] ** 3])

    def hessp(x, v):
        return np.array([2.0 * v[0], (-2.0 + 3.0 * x[1] ** 2) * v[1]])

    result = minimize(saddle, [1.0, 0.0], jac=True, hessp=hessp, method="trust-krylov")
    assert result.success and abs(result.fun + 1.0) < 1e-8


@pytest.mark.parametrize("kept", [2, 5, 200])
def test_krylov_with_few_vectors(kept):
    n = 300
    x0 = np.tile([-1.2, 1.0], n // 2)
    result = minimize(
        scipy.optimize.rosen, x0, jac=scipy.optimize.rosen_der, hessp=scipy.optimize.rosen_hess_prod,
        method="trust-krylov", options={"lanczos_vectors": kept, "maxiter": 20000, "gtol": 1e-6},
    )  # fmt: skip
    assert result.success and np.abs(scipy.optimize.rosen_der(result.x)).max() <= 1e-6
    with pytest.raises(ValueError, match="lanczos_vectors"):
        minimize(scipy.optimize.rosen, x0, jac=scipy.optimize.rosen_der, method="trust-krylov",
                 options={"lanczos_vectors": 1})  # fmt: skip
