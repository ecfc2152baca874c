"""Training networks on all samples at once; the saddle-free Newton method on a Krylov space."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from numopt import METHODS, OptimizeWarning, Status, minimize
from numopt.catalog import SQUARES
from numopt.kernels.first_order_slots import RULES
from numopt.network._network import Network
from numopt.network.curvature import HessianProduct
from numopt.neural_network import MLPRegressor, _full_batch
from numopt.neural_network._full_batch import FULL_BATCH_SOLVERS, check_full_batch, fit_full_batch, solvers_for
from numopt.neural_network._initial_weights import initialise

RNG = np.random.default_rng(3)
X = RNG.normal(size=(60, 3))
Y = np.sin(X[:, :1]) + X[:, 1:2] * X[:, 2:]
CLASSES = np.digitize(Y[:, 0], [-0.5, 0.7])
ALPHA = 0.05
# steps of a fixed length, or along one weight at a time, are still on the way after 200 iterations
SLOW = ("gd-fixed", "gd-decay", "gd-drop", "heavy-ball", "coordinate-descent-greedy")


def start(loss="squared_error", sizes=(3, 5, 1), dtype=np.float64, activation="tanh", sparse=False):
    network = Network(sizes, activation, loss, dtype=dtype, sparse=sparse)
    initialise(network, np.random.RandomState(0))
    return network


def fit(network, Y=Y, solver="lbfgs", X=X, weight=None, **how):
    how = {"alpha": ALPHA, "tol": 1e-5, "max_iter": 400, "max_fun": 15000, "options": None, **how}
    return fit_full_batch(network, X, Y, weight, solver=solver, **how)


def gradient(network, Y, weight=None, X=X):
    g = np.empty_like(network.theta)
    return network.value_grad(X, Y, weight, ALPHA, grad=g), g


def test_solvers_are_those_of_the_catalogues_that_read_gradients():
    assert {"gd", "cg-pr", "bfgs", "lbfgs", "newton-cg", "saddle-free-newton", "lm", "trf"} <= set(FULL_BATCH_SOLVERS)
    assert not set(FULL_BATCH_SOLVERS) & {*RULES, "nelder-mead", "powell"}
    assert "lm" in solvers_for("squared_error") and "lm" not in solvers_for("log_loss")
    assert solvers_for("log_loss", batch_norm=True) == ()


@pytest.mark.parametrize("solver", FULL_BATCH_SOLVERS)
def test_every_solver_lowers_the_squared_loss(solver):
    network = start()
    weight = 0.5 + RNG.random(60)
    before = gradient(network, Y, weight)[0]
    result = fit(network, solver=solver, weight=weight)
    f, g = gradient(network, Y, weight)
    assert result.loss == pytest.approx(f, rel=1e-9)
    assert result.loss_curve[-1] == pytest.approx(f, rel=1e-9)
    assert result.gradient_norm_curve[-1] == pytest.approx(np.linalg.norm(g), rel=1e-6, abs=1e-12)
    assert len(result.loss_curve) == len(result.gradient_norm_curve) == result.n_iter
    if solver in SLOW:
        assert f < before
        assert not result.success
    else:
        assert f < 0.5 * before
        if result.status.name in ("GRADIENT", "GTOL") and solver != "newton-cg":
            assert abs(g).max() <= 1e-5
        assert result.success or result.status in (Status.MAXITER, Status.LINE_SEARCH, Status.STALLED), result.message


@pytest.mark.parametrize("solver", ["lm", "marquardt", "trf", "dogleg", "dogbox"])
def test_least_squares_solvers_find_stationary_points_of_the_same_objective(solver):
    network = start()
    result = fit(network, solver=solver)
    f, g = gradient(network, Y)
    assert result.success
    assert result.loss == pytest.approx(f, rel=1e-12)
    assert abs(g).max() < 1e-4


def test_lbfgs_is_that_of_scipy_by_its_tests():
    scipy_minimize = pytest.importorskip("scipy.optimize").minimize
    network = start("log_loss", (3, 3))  # no hidden layer: there is one minimum

    def fun(theta):
        network.theta[:] = theta
        return gradient(network, CLASSES)

    x0 = network.theta.copy()
    theirs = scipy_minimize(fun, x0, jac=True, method="L-BFGS-B", options={"gtol": 1e-4, "maxiter": 3000})
    network.theta[:] = x0
    ours = fit(network, CLASSES, tol=1e-4, max_iter=3000)
    assert ours.status in (Status.GRADIENT, Status.FTOL)
    assert ours.success and theirs.success
    assert ours.loss == pytest.approx(theirs.fun, rel=1e-5)
    assert ours.n_fev <= 1.5 * theirs.nfev


def test_budgets():
    result = fit(start(), max_iter=3)
    assert (result.n_iter, result.status, result.success) == (3, Status.MAXITER, False)
    result = fit(start(), max_fun=4)
    assert (result.n_fev, result.status.name) == (4, "MAXFEV")
    result = fit(start(), solver="lm", max_iter=2)
    assert (result.n_iter, result.status.name, result.success) == (2, "MAXITER", False)


@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_callback_sees_the_iterates_and_may_stop(solver):
    network, seen = start(), []

    def on_iteration(theta, loss, norm):
        seen.append((theta.copy(), loss, norm))
        if len(seen) == 3:
            raise StopIteration

    result = fit(network, solver=solver, on_iteration=on_iteration)
    assert result.status.name == "CALLBACK"
    assert result.n_iter == 3 == len(seen)
    for (theta, loss, norm), f, size in zip(seen, result.loss_curve, result.gradient_norm_curve, strict=True):
        network.theta[:] = theta
        value, g = gradient(network, Y)
        assert (loss, norm) == (f, size)
        assert (f, size) == pytest.approx((value, np.linalg.norm(g)), rel=1e-12)


@pytest.mark.parametrize("solver", ["lbfgs", "lm", "newton-cg"])
def test_interrupt_returns_the_best_so_far(solver):
    network, count = start(), []

    def on_iteration(theta, loss, norm):
        count.append(loss)
        if len(count) == 4:
            raise KeyboardInterrupt

    result = fit(network, solver=solver, on_iteration=on_iteration)
    assert result.status.name == "INTERRUPTED"
    assert not result.success
    assert gradient(network, Y)[0] == pytest.approx(min(count), rel=1e-12) == result.loss


def test_errors_of_a_callback_are_raised():
    def on_iteration(theta, loss, norm):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fit(start(), on_iteration=on_iteration)


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "trf"])
def test_sparse_and_float32(solver):
    """A few iterations: later on rounding decides which minimum is found."""
    expected = fit(start(), solver=solver, max_iter=6).loss
    sparse = fit(start(sparse=True), solver=solver, X=sp.csr_matrix(X), max_iter=6).loss
    assert sparse == pytest.approx(expected, rel=1e-8)
    network = start(dtype=np.float32)
    single = fit(network, Y.astype(np.float32), solver, X.astype(np.float32), max_iter=6)
    assert network.theta.dtype == np.float32
    assert single.loss == pytest.approx(expected, rel=1e-3)


def test_a_weight_of_zero_takes_a_row_out():
    weight = np.ones(60)
    weight[40:] = 0
    for solver in ("lbfgs", "lm"):
        a, b = start(), start()
        fit(a, solver=solver, weight=weight)
        fit(b, Y[:40], solver, X[:40])
        np.testing.assert_allclose(a.theta, b.theta, rtol=1e-3, atol=1e-4)


def test_gauss_newton_matrix_in_the_place_of_the_hessian():
    network = start("log_loss", (3, 5, 3))
    result = fit(network, CLASSES, "trust-ncg", options={"gauss_newton": True}, tol=1e-4)
    assert result.success
    assert abs(gradient(network, CLASSES)[1]).max() < 1e-4


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"solver": "lm", "loss": "log_loss"}, r"solver='lm' can't be used with the loss 'log_loss'; .*'newton-cg'"),
        ({"solver": "lbfgs", "batch_norm": True}, r"can't be used with batch_norm=True .* are 'sgd', 'momentum'"),
        ({"solver": "lbfgs", "dropout": True}, "can't be used with dropout .*'adam'"),
        ({"solver": "lbfgs", "alpha_l1": True}, "can't be used with alpha_l1 > 0 .*'adam'"),
    ],
)
def test_solvers_that_cannot_serve_are_refused_with_those_that_can(how, message):
    with pytest.raises(ValueError, match=message):
        check_full_batch(**{"loss": "squared_error", **how})


def test_bad_options_and_what_is_too_large():
    with pytest.raises(ValueError, match="unknown option 'gauss_newton' of solver 'lbfgs'; known are gtol"):
        fit(start(), options={"gauss_newton": True})
    with pytest.raises(ValueError, match="unknown option 'maxcor' of solver 'lm'; known are ftol"):
        fit(start(), solver="lm", options={"maxcor": 3})
    with pytest.raises(TypeError, match="'gauss_newton' must be True or False; got 1"):
        fit(start(), solver="newton-cg", options={"gauss_newton": 1})
    wide = start(sizes=(3, 500, 1))
    with pytest.raises(ValueError, match="reads the whole Hessian, of up to 2000 parameters; the network has 2501"):
        fit(wide, solver="newton")
    with pytest.raises(ValueError, match=r"matrices of \d+\.\d GB; 'lbfgs'"):
        fit(start(sizes=(3, 5000, 1)), solver="bfgs")
    with pytest.raises(ValueError, match="'lm' needs at least as many residuals as parameters; here are 60 and 2501"):
        fit(wide, solver="lm", alpha=0.0)


# --- the saddle-free Newton method


def on_axes(x):
    """A saddle at 0 with minima at (0, 1), (0, -1)."""
    return 0.5 * x[0] ** 2 - 0.5 * x[1] ** 2 + 0.25 * x[1] ** 4, np.array([x[0], x[1] ** 3 - x[1]])


def on_axes_product(x, v):
    return np.array([v[0], (3 * x[1] ** 2 - 1) * v[1]])


def test_krylov_steps_are_those_of_the_eigenvectors():
    """With a space of all dimensions both are -|H|^-1 g."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(8, 8))
    H, b = A + A.T, rng.normal(size=8)

    def fun(x):
        return 0.5 * x @ H @ x + b @ x + 0.25 * (x**4).sum(), H @ x + b + x**3

    how = {"jac": True, "options": {"maxiter": 6, "return_all": True, "damping": 1e-6}}
    results = [
        minimize(fun, np.ones(8), method=name, hess=lambda x: H + np.diag(3 * x * x), **how)
        for name in ("saddle-free-newton", "saddle-free-krylov")
    ]
    for a, b in zip(*(result.allvecs for result in results), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)


def test_krylov_space_gives_a_step_away_from_a_saddle_in_the_plane():
    result = minimize(on_axes, [0.5, 1e-3], method="saddle-free-krylov", jac=True, hessp=on_axes_product)
    assert result.success
    assert abs(result.x) == pytest.approx([0, 1], abs=1e-5)


@pytest.mark.parametrize("kept", [2, 5, 50])
def test_krylov_with_few_vectors(kept):
    rng = np.random.default_rng(1)
    scales = np.concatenate([np.geomspace(0.01, 10, 59), [-1.0]])

    def fun(x):
        return 0.5 * scales @ (x * x) + 0.25 * x[-1] ** 4, scales * x + np.concatenate([np.zeros(59), [x[-1] ** 3]])

    def hessp(x, v):
        return scales * v + np.concatenate([np.zeros(59), [3 * x[-1] ** 2 * v[-1]]])

    result = minimize(fun, rng.normal(size=60), jac=True, hessp=hessp, method="saddle-free-krylov",
                      options={"lanczos_vectors": kept, "gtol": 1e-6})  # fmt: skip
    assert result.success
    assert result.fun == pytest.approx(-0.25, abs=1e-9)


def test_krylov_products_of_no_use_and_a_linear_function():
    for hessp in (lambda x, v: 0 * v, lambda x, v: np.nan * v):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            result = minimize(lambda x: (float(x @ x), 2 * x), np.ones(4), jac=True, hessp=hessp,
                              method="saddle-free-krylov")  # fmt: skip
        assert result.success
        assert abs(result.x).max() < 1e-5


def near_a_saddle(hidden):
    """A network near a saddle of its loss: with all units alike, every gradient keeps them alike."""
    network = start("squared_error", (3, hidden, 1))
    network.theta[:] = 0.0
    network.intercepts[-1][:] = Y.mean()
    network.theta += 1e-3 * np.random.RandomState(0).normal(size=network.n_params)
    return network


@pytest.mark.parametrize(("solver", "hidden"), [("saddle-free-newton", 8), ("saddle-free-krylov", 8),
                                                ("saddle-free-newton", 80)])  # fmt: skip
def test_saddle_free_newton_leaves_a_saddle_of_a_network_that_newtons_method_converges_to(solver, hidden):
    network = near_a_saddle(hidden)
    theta = network.theta.copy()
    at_saddle = 0.5 * ((Y - Y.mean()) ** 2).mean()
    if hidden == 8:
        product = HessianProduct(network, X, Y, alpha=1e-3)
        g = np.empty_like(theta)
        for _ in range(30):
            network.value_grad(X, Y, alpha=1e-3, grad=g)
            # biases of units whose weights are zero have no curvature: Newton's step beside these
            network.theta -= np.linalg.pinv(product.matrix(), rcond=1e-6, hermitian=True) @ g
        f = network.value_grad(X, Y, alpha=1e-3, grad=g)
        assert abs(g).max() < 1e-10
        assert np.linalg.eigvalsh(product.matrix())[0] < -1e-3  # a saddle
        assert f == pytest.approx(at_saddle, rel=1e-2)
    network.theta[:] = theta
    result = fit(network, solver=solver, alpha=1e-3, tol=1e-5, max_iter=300)
    assert result.loss < 0.2 * at_saddle
    assert (network.n_params > _full_batch.KRYLOV_BEYOND) == (hidden == 80)
    if hidden == 8:
        assert result.success
        assert np.linalg.eigvalsh(product.matrix())[0] > -1e-6  # a minimum


def test_row_of_the_catalogue():
    row = METHODS["saddle-free-krylov"]
    assert row.products and row.words(1000, 50, dense=False) < 100_000
    assert set(SQUARES) <= set(FULL_BATCH_SOLVERS)


def test_an_infinite_loss_is_no_convergence():
    model = MLPRegressor(hidden_layer_sizes=(3,), solver="lm", max_iter=5, random_state=0)
    X = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.warns(ConvergenceWarning, match="loss is NaN or infinite"), np.errstate(all="ignore"):
        model.fit(1e200 * X, X[:, 0])
    assert model.status_ == "nan"
