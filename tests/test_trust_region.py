"""Trust regions: the model's minimiser, against the one from all eigenvectors, and whole runs beside scipy's."""

import warnings

import numba
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import numopt
from numopt import Status, minimize, problems
from numopt.solvers import trust_region

METHODS = ["trust-exact", "dogleg", "trust-ncg"]


@numba.njit
def _exact(H, L, g, radius, d, a, b):
    return trust_region.exact(H, L, g, radius, d, a, b)


@numba.njit
def _dogleg(H, L, g, radius, d, a, b, e):
    return trust_region.dogleg(H, L, g, radius, d, a, b, e)


@numba.njit
def _steihaug(H, g, radius, d, r, v, hv):
    return trust_region.steihaug(H, g, radius, d, r, v, hv)


def _model(H, g, d):
    return g @ d + 0.5 * d @ H @ d


def _certified(H, g, radius):
    """The least value of the model in the ball, by the secular equation in the eigenvectors' coordinates."""
    lam, V = np.linalg.eigh(H)
    c = V.T @ g
    if lam[0] > 0 and np.linalg.norm(c / lam) <= radius:
        return _model(H, g, -V @ (c / lam))
    least = max(0.0, -lam[0])
    edge = least + 1e-13 * max(np.abs(lam).max(), 1e-300)
    excess = lambda shift: np.linalg.norm(c / (lam + shift)) - radius  # noqa: E731
    if excess(edge) > 0.0:
        shift = scipy.optimize.brentq(excess, edge, least + np.linalg.norm(g) / radius + np.abs(lam).max(), xtol=1e-300)
        return _model(H, g, -V @ (c / (lam + shift)))
    rest = lam + least > 1e-9 * np.abs(lam).max()
    d = -V[:, rest] @ (c[rest] / (lam[rest] + least))
    return _model(H, g, d + np.sqrt(max(0.0, radius**2 - d @ d)) * V[:, 0])


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 8), st.sampled_from(["indefinite", "definite", "hard"]),
    st.floats(-4.0, 4.0), st.floats(-4.0, 4.0), st.floats(-3.0, 2.0),
)  # fmt: skip
def test_model_steps(seed, n, kind, log_h, log_g, log_radius):
    """Exact: 0.8 of the best possible, and no longer than 1.1 radii.  The others: no less than the Cauchy point."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n))
    H = 10.0**log_h * (A @ A.T if kind == "definite" else A + A.T)
    g = 10.0**log_g * rng.standard_normal(n)
    radius = 10.0**log_radius
    if kind == "hard" and n > 1:
        first = np.linalg.eigh(H)[1][:, 0]
        g -= first * (first @ g)
    d = np.empty(n)
    scratch = [np.empty(n) for _ in range(3)]
    _exact(H.ravel().copy(), np.empty(n * n), g, radius, d, *scratch[:2])
    assert np.linalg.norm(d) <= 1.1 * radius
    assert _model(H, g, d) <= 0.8 * _certified(H, g, radius)
    curvature, slope = g @ H @ g, np.linalg.norm(g)
    t = radius / slope if curvature <= 0.0 else min(radius / slope, slope**2 / curvature)
    cauchy = _model(H, g, -t * g)
    for inner in (
        lambda: _dogleg(H.ravel().copy(), np.empty(n * n), g, radius, d, *scratch),
        lambda: _steihaug(H.ravel().copy(), g, radius, d, *scratch),
    ):
        inner()
        assert np.linalg.norm(d) <= radius * (1.0 + 1e-9)
        assert _model(H, g, d) <= cauchy * (1.0 - 1e-9)


def _hessian(problem):
    def hess(x):
        n = x.size
        H = np.empty((n, n))
        for j in range(n):
            step = np.zeros(n)
            step[j] = 1e-5 * max(1.0, abs(x[j]))
            H[:, j] = (problem.grad(x + step) - problem.grad(x - step)) / (2.0 * step[j])
        return 0.5 * (H + H.T)

    return hess


@pytest.mark.parametrize("method", METHODS)
def test_beside_scipy(method):
    """On the 35 functions, with the same Hessian: what scipy solves, in as many evaluations."""
    ours, scipys, ratios = [], [], []
    options = {"gtol": 1e-8, "maxiter": 4000}
    for problem in problems.mgh():
        hess = _hessian(problem)
        result = minimize(problem.fun_and_grad, problem.x0, jac=True, hess=hess, method=method, options=options)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                other = scipy.optimize.minimize(problem.fun_and_grad, problem.x0, jac=True, hess=hess, method=method,
                                                options=options)  # fmt: skip
                scipy_solved = problem.solved(other.fun, np.abs(other.jac).max())
            except np.linalg.LinAlgError:  # scipy's dogleg, where the Hessian is not positive definite
                scipy_solved = False
        solved = problem.solved(result.fun, np.abs(result.jac).max())
        ours.append(solved)
        scipys.append(scipy_solved)
        if solved and scipy_solved:
            ratios.append(result.nfev / other.nfev)
    # scipy's sloppier model step leaves the symmetric valley of biggs_exp6 that the exact one stays in
    allowance = 1 if method == "trust-exact" else 0
    assert sum(ours) >= sum(scipys) - allowance and sum(ours) >= 34
    assert np.exp(np.mean(np.log(ratios))) <= 1.03


def test_gradient_decides_where_f_has_few_digits_left():
    """linear_rank_1: a curvature of -1e-5 beside 1e7, mere rounding, promised what f could not keep, six times over."""
    problem = problems.get("linear_rank_1")
    hess = _hessian(problem)
    end = minimize(problem.fun_and_grad, problem.x0, jac=True, hess=hess, method="trust-exact")
    assert end.success and end.nfev <= 5


@pytest.mark.parametrize("method", METHODS)
def test_leaves_a_saddle(method):
    """Along x[0] the gradient at the start is small, for the exact method zero, and the curvature negative."""
    fun = numba.njit(lambda x: (0.25 * x[0] ** 4 - 0.5 * x[0] ** 2 + x[1] ** 2,
                                np.array([x[0] ** 3 - x[0], 2.0 * x[1]])))  # fmt: skip
    hess = numba.njit(lambda x: np.array([[3.0 * x[0] ** 2 - 1.0, 0.0], [0.0, 2.0]]))
    result = minimize(fun, [0.01, 1.0], jac=True, hess=hess, method=method)
    assert result.success and abs(abs(result.x[0]) - 1.0) < 1e-4
    if method == "trust-exact":
        result = minimize(fun, [0.0, 1.0], jac=True, hess=hess, method=method)
        assert result.success and abs(abs(result.x[0]) - 1.0) < 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_useless_hessians_and_cliffs(method):
    bowl = lambda x: (float(x @ x), 2.0 * x)  # noqa: E731
    for H in (np.full((2, 2), np.nan), np.zeros((2, 2)), -np.eye(2)):
        result = minimize(bowl, [3.0, -4.0], jac=True, hess=lambda x, H=H: H, method=method, options={"maxiter": 2000})
        assert result.fun < 25.0 and np.isfinite(result.x).all()

    def cliff(x):
        return (x[0] - np.log(x[0]), 1.0 - 1.0 / x) if x[0] > 0.0 else (np.nan, np.array([np.nan]))

    result = minimize(cliff, [0.01], jac=True, hess=lambda x: np.array([[1.0 / x[0] ** 2]]), method=method)
    assert result.success and result.x[0] == pytest.approx(1.0, abs=1e-3)


def test_options():
    with pytest.raises(ValueError, match="initial_trust_radius < max_trust_radius"):
        minimize(
            lambda x: x @ x, [1.0], method="dogleg", options={"initial_trust_radius": 2.0, "max_trust_radius": 1.0}
        )
    with pytest.raises(ValueError, match="'eta' must be at least 0 and below"):
        minimize(lambda x: x @ x, [1.0], method="dogleg", options={"eta": 0.3})
    small = minimize(lambda x: x @ x, [1.0, 0.0], method="trust-exact",
                     options={"initial_trust_radius": 1e-3, "max_trust_radius": 2e-3, "maxiter": 3})  # fmt: skip
    assert small.status is Status.MAXITER and 0.99 < small.x[0] < 1.0


def test_inside_compiled_code():
    solve = numopt.jit_solver("trust-exact", gtol=1e-8)

    @numba.njit
    def fun(x, g, data):
        g[0] = 4.0 * (x[0] - data[0]) ** 3
        g[1] = 2.0 * x[1]
        return (x[0] - data[0]) ** 4 + x[1] ** 2

    @numba.njit
    def hess(x, H, data):
        H[0], H[1], H[2], H[3] = 12.0 * (x[0] - data[0]) ** 2, 0.0, 0.0, 2.0

    x, f, gnorm, status, _, _ = solve(fun, np.ones(2), np.array([3.0]), hess)
    assert status == Status.GRADIENT and gnorm <= 1e-8 and abs(x[0] - 3.0) < 3e-3 and f < 1e-10


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("method", ["newton", "trust-exact", "trust-ncg"])
def test_hessian_that_is_not_symmetric(jit, method):
    """It is said, and the symmetric part is used; a matrix that is only rounded is not complained of."""

    def fun(x):
        return x[0] ** 2 + x[1] ** 2 + 0.5 * x[0] * x[1], np.array([2.0 * x[0] + 0.5 * x[1], 2.0 * x[1] + 0.5 * x[0]])

    skew = lambda x: np.array([[2.0, 0.0], [1.0, 2.0]])  # noqa: E731
    rounded = lambda x: np.array([[2.0, 0.5], [0.5 + 1e-9, 2.0]])  # noqa: E731
    if jit:
        fun, skew, rounded = numba.njit(fun), numba.njit(skew), numba.njit(rounded)
    with pytest.warns(numopt.OptimizeWarning, match="hess returned a matrix that is not symmetric") as caught:
        result = minimize(fun, [3.0, -1.0], jac=True, hess=skew, method=method, options={"gtol": 1e-9})
    assert result.success and len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = minimize(fun, [3.0, -1.0], jac=True, hess=rounded, method=method, options={"gtol": 1e-9})
    assert again.success and np.allclose(again.x, result.x, atol=1e-8)


@pytest.mark.parametrize("method", ["newton", "trust-exact", "trust-ncg"])
def test_hessian_that_is_not_finite(method):
    fun = lambda x: (float(x @ x), 2.0 * x)  # noqa: E731
    hess = lambda x: np.array([[2.0, 0.0], [0.0, np.nan if x[0] > 1.0 else 2.0]])  # noqa: E731
    with pytest.warns(numopt.OptimizeWarning, match="hess returned NaN or inf; steps were taken without") as caught:
        result = minimize(fun, [3.0, -1.0], jac=True, hess=hess, method=method)
    assert result.success and np.abs(result.x).max() < 1e-4 and len(caught) == 1


def test_an_exception_in_hess_is_all_that_is_said_of_it():
    def hess(x):
        raise RuntimeError("no")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="no"):
            minimize(lambda x: (float(x @ x), 2.0 * x), [3.0, -1.0], jac=True, hess=hess, method="newton")


def test_sparse_hessians_and_wrong_shapes():
    fun = lambda x: (float(x @ x), 2.0 * x)  # noqa: E731
    sparse = minimize(fun, [1.0, 2.0], jac=True, hess=lambda x: 2.0 * scipy.sparse.eye_array(2), method="trust-exact")
    assert sparse.success
    with pytest.raises(ValueError, match=r"hess must return an array of shape \(2, 2\); it returned shape \(3, 3\)"):
        minimize(fun, [1.0, 2.0], jac=True, hess=lambda x: np.eye(3), method="newton")
