"""curve_fit under constraints: optimality conditions, the same fits by ties or fewer parameters, covariance, input."""

import pickle

import numpy as np
import pytest
from numba import njit
from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize

import numopt

X = np.linspace(0.0, 4.0, 50)


@njit
def decay(x, a, b, c):
    return a * np.exp(-b * x) + c


def decay_jacobian(x, a, b, c):
    e = np.exp(-b * x)
    return np.column_stack([e, -a * x * e, np.ones_like(x)])


Y = decay(X, 2.5, 1.3, 0.5) + 0.05 * np.cos(40 * X)
START = [1.0, 1.0, 1.0]
PRODUCT = NonlinearConstraint(lambda p: p[0] * p[1], -np.inf, 3.0)


def certify(fit, rows, lower=-np.inf, upper=np.inf):
    """The gradient of the cost is made of the rows' gradients times multipliers, and what bounds hold back."""
    J, r = decay_jacobian(X, *fit.popt), decay(X, *fit.popt) - Y
    left = J.T @ r - sum(np.asarray(A).T @ u for A, u in zip(rows, fit.multipliers, strict=True))
    room = np.where(left > 0, fit.popt > lower, fit.popt < upper)
    cosines = left / (np.linalg.norm(J, axis=0) * np.linalg.norm(r))
    assert np.abs(cosines[room]).max(initial=0.0) < 1e-6


@pytest.mark.parametrize("jac", [None, decay_jacobian])
def test_a_linear_equality_is_a_tie(jac):
    model = decay if jac is None else decay.py_func
    fit = numopt.curve_fit(model, X, Y, START, jac=jac, constraints=LinearConstraint([1, 0, 1], 2.9, 2.9))
    tied = numopt.curve_fit(model, X, Y, START, jac=jac, tied={"c": "2.9 - a"})
    np.testing.assert_allclose(fit.popt, tied.popt, rtol=1e-6)
    np.testing.assert_allclose(fit.pcov, tied.pcov, rtol=1e-4, atol=1e-9)
    assert fit.cost == pytest.approx(tied.cost, rel=1e-12) and fit.dof == tied.dof == 48 and fit.n_active == 1
    assert fit.aic == pytest.approx(tied.aic) and fit.constr_violation < 1e-12
    certify(fit, [[[1, 0, 1]]])
    assert fit.stderr[0] == pytest.approx(fit.stderr[2]) and fit.correlation[0, 2] == pytest.approx(-1.0)
    low, high = fit.confidence_intervals()["b"]
    assert (low, high) == pytest.approx(tuple(tied.confidence_intervals()["b"]), rel=1e-5)


def test_a_nonlinear_equality_is_a_parameter_less():
    # a = 3 / b: fitted in (b, c), and the covariance carried over by the derivatives
    fit = numopt.curve_fit(decay, X, Y, START, constraints={"type": "eq", "fun": lambda p: p[0] * p[1] - 3.0})
    own = numopt.curve_fit(lambda x, b, c: 3.0 / b * np.exp(-b * x) + c, X, Y, [1.0, 1.0])
    b, c = own.popt
    np.testing.assert_allclose(fit.popt, [3.0 / b, b, c], rtol=1e-6)
    T = np.array([[-3.0 / b**2, 0.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(fit.pcov, T @ own.pcov @ T.T, rtol=1e-4, atol=1e-9)
    certify(fit, [[[fit.popt[1], fit.popt[0], 0.0]]])


@pytest.mark.parametrize("model", [decay, decay.py_func])
def test_inequalities_that_hold_back_and_that_do_not(model):
    free = numopt.curve_fit(model, X, Y, START)
    loose = numopt.curve_fit(
        model, X, Y, START, constraints=NonlinearConstraint(PRODUCT.fun, 0.0, 30.0, jac=lambda p: [p[1], p[0], 0.0])
    )
    np.testing.assert_allclose(loose.popt, free.popt, rtol=1e-6)
    np.testing.assert_allclose(loose.pcov, free.pcov, rtol=1e-5)
    assert loose.n_active == 0 and loose.dof == free.dof and np.abs(loose.multipliers[0]).max() < 1e-7
    fit = numopt.curve_fit(model, X, Y, START, constraints={"product": PRODUCT})
    assert fit.popt[0] * fit.popt[1] == pytest.approx(3.0, abs=1e-8) and fit.n_active == 1
    y = fit.multipliers["product"][0]
    assert y < 0  # the cost falls where the limit rises
    near = numopt.curve_fit(model, X, Y, START, constraints=NonlinearConstraint(PRODUCT.fun, -np.inf, 3.001))
    assert (near.cost - fit.cost) / 1e-3 == pytest.approx(y, rel=1e-2)
    peer = minimize(lambda p: 0.5 * np.sum((decay(X, *p) - Y) ** 2), START, method="SLSQP", tol=1e-12,
                    constraints={"type": "ineq", "fun": lambda p: 3.0 - p[0] * p[1]})  # fmt: skip
    assert fit.cost <= peer.fun * (1 + 1e-9) and "1 at a limit" in str(fit)


def test_with_bounds_fixed_and_tied_parameters():
    total = LinearConstraint([[1, 1, 1]], 4.0, 4.2)
    fit = numopt.curve_fit(decay, X, Y, START, bounds={"b": (0, 1.2)}, constraints=[total])
    certify(fit, [total.A], [-np.inf, 0, -np.inf], [np.inf, 1.2, np.inf])
    assert fit.popt[1] == 1.2 and np.isnan(fit.stderr[1]) and 4.0 - 1e-12 <= fit.popt.sum() <= 4.2 + 1e-12
    fixed = numopt.curve_fit(decay, X, Y, START, fixed={"b": 1.2}, constraints=[total])
    np.testing.assert_allclose(fixed.popt, fit.popt, rtol=1e-6)
    assert fixed.stderr[1] == 0.0 and fixed.dof == 50 - 2 + fixed.n_active
    both = numopt.curve_fit(
        decay, X, Y, START, tied={"c": "0.2 * a"}, constraints=LinearConstraint([1, 1, 0], 3.6, 3.6)
    )
    assert both.popt[2] == pytest.approx(0.2 * both.popt[0]) and both.popt[:2].sum() == pytest.approx(3.6, abs=1e-10)
    one = numopt.curve_fit(lambda x, a: decay(x, a, 3.6 - a, 0.2 * a), X, Y, [1.0])
    assert both.popt[0] == pytest.approx(one.popt[0], rel=1e-6) and both.stderr[0] == pytest.approx(
        one.stderr[0], rel=1e-4
    )


@pytest.mark.parametrize(
    "options",
    [
        {"sigma": 0.05, "absolute_sigma": True},
        {"sigma": 0.01 + 0.02 * X},
        {"sigma": 0.001 * (np.eye(50) + 0.5)},
        {"loss": "soft_l1", "f_scale": 0.05},
    ],
)
def test_weights_and_losses_as_without_constraints(options):
    fit = numopt.curve_fit(decay, X, Y, START, constraints=LinearConstraint([1, 0, 1], 2.9, 2.9), **options)
    tied = numopt.curve_fit(decay, X, Y, START, tied={"c": "2.9 - a"}, **options)
    np.testing.assert_allclose(fit.popt, tied.popt, rtol=1e-5)
    np.testing.assert_allclose(fit.pcov, tied.pcov, rtol=1e-3, atol=1e-4 * np.abs(tied.pcov).max())
    assert fit.cost == pytest.approx(tied.cost, rel=1e-10)


def test_counts():
    counts = np.round(100 * decay(X, 2.5, 1.3, 0.5))
    options = {"likelihood": "poisson", "p0": [200.0, 1.0, 40.0]}
    fit = numopt.curve_fit(decay, X, counts, constraints=LinearConstraint([1, 0, 1], 290, 290), **options)
    tied = numopt.curve_fit(decay, X, counts, tied={"c": "290 - a"}, **options)
    np.testing.assert_allclose(fit.popt, tied.popt, rtol=1e-6)
    np.testing.assert_allclose(fit.pcov, tied.pcov, rtol=1e-4, atol=1e-4 * np.abs(tied.pcov).max())


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
@pytest.mark.parametrize("time", [1e-7, 1e5])
def test_no_scale_is_special(scale, time):
    limit = NonlinearConstraint(lambda p: p[0] / scale * (p[1] * time), -np.inf, 3.0)
    fit = numopt.curve_fit(decay, time * X, scale * Y, [scale, 1 / time, scale], constraints=limit)
    one = numopt.curve_fit(decay, X, Y, START, constraints=PRODUCT)
    np.testing.assert_allclose(fit.popt / one.popt, [scale, 1 / time, scale], rtol=1e-5)
    np.testing.assert_allclose(fit.stderr / one.stderr, [scale, 1 / time, scale], rtol=1e-3)
    assert fit.multipliers[0][0] == pytest.approx(scale**2 * one.multipliers[0][0], rel=1e-4)


def test_an_exact_fit_and_a_start_far_away():
    y = decay(X, 2.5, 1.2, 0.5)
    fit = numopt.curve_fit(decay, X, y, [30.0, 5.0, -9.0], constraints=PRODUCT)
    np.testing.assert_allclose(fit.popt, [2.5, 1.2, 0.5], rtol=1e-6)
    assert fit.cost < 1e-10


def test_a_start_from_which_the_method_goes_astray():
    problem = numopt.problems.nist("MGH17")
    f, jac, best = problem.function.py_func, problem.model_jacobian.py_func, problem.certified
    ball = NonlinearConstraint(lambda p: np.sum((p / best) ** 2), -np.inf, 4.9, jac=lambda p: 2 * p / best**2)
    fit = numopt.curve_fit(f, problem.x, problem.response, problem.starts[0], jac=jac, constraints=ball)
    J, r = jac(problem.x, *fit.popt), f(problem.x, *fit.popt) - problem.response
    left = J.T @ r - 2 * fit.popt / best**2 * fit.multipliers[0]
    assert np.abs(left / (np.linalg.norm(J, axis=0) * np.linalg.norm(r))).max() < 1e-5
    assert ball.fun(fit.popt) == pytest.approx(4.9, abs=1e-7) and fit.multipliers[0] < 0
    with pytest.raises(RuntimeError, match="maxiter"):
        options = {"maxiter": 3}
        numopt.curve_fit(f, problem.x, problem.response, problem.starts[0], jac=jac, constraints=ball, options=options)


def test_constraints_make_up_for_data_that_are_missing():
    fit = numopt.curve_fit(decay, X[:2], Y[:2], START, sigma=0.1, absolute_sigma=True,
                           constraints=LinearConstraint([[0, 1, 0]], 1.3, 1.3))  # fmt: skip
    assert fit.popt[1] == pytest.approx(1.3) and np.isfinite(fit.pcov).all() and fit.cost < 1e-12
    with pytest.warns(numopt.OptimizeWarning, match="the data do not determine"):
        numopt.curve_fit(decay, X[:2], Y[:2], START, sigma=0.1, absolute_sigma=True,
                         constraints=LinearConstraint([[0, 1, 0]], 0, 9))  # fmt: skip


def test_no_point_fulfils_the_constraints():
    rows = [LinearConstraint([1, 1, 0], 5, np.inf), LinearConstraint([1, 1, 0], -np.inf, 4)]
    with pytest.raises(RuntimeError, match="no common point") as raised:
        numopt.curve_fit(decay, X, Y, START, constraints=rows)
    assert not raised.value.result.success and raised.value.result.constr_violation > 0.4


def test_errors_of_the_model_and_of_a_constraint_are_raised():
    def model(x, a, b):
        if a > 1.2:
            raise ArithmeticError("too large")
        return a * x + b

    with pytest.raises(ArithmeticError, match="too large"):
        numopt.curve_fit(model, X, 3 * X, [1.0, 0.0], constraints=LinearConstraint([1, 1], -9, 9))

    def limit(p):
        raise KeyError("limit")

    with pytest.raises(KeyError, match="limit"):
        numopt.curve_fit(decay, X, Y, START, constraints=NonlinearConstraint(limit, 0, 1))


def test_a_callback_sees_parameters_and_the_result_can_be_kept():
    seen = []
    fit = numopt.curve_fit(decay, X, Y, START, constraints=PRODUCT, callback=lambda x: seen.append(x.copy()))
    np.testing.assert_allclose(seen[-1], fit.popt, rtol=1e-4)
    with pytest.warns(numopt.OptimizeWarning, match="pickled"):
        again = pickle.loads(pickle.dumps(fit))
    assert again.n_active == 1 and again.dof == fit.dof and again.multipliers[0] == fit.multipliers[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"constraints": LinearConstraint([1, 1], 0, 1)}, "A must have 3 columns"),
        ({"constraints": 3}, "constraints must be"),
        ({"constraints": PRODUCT, "method": "trf"}, "'trf'.*'sqp'"),
        ({"constraints": PRODUCT, "xtol": 1e-3}, "xtol has no meaning with constraints"),
        ({"constraints": PRODUCT, "options": {"factor": 1}}, "unknown option 'factor' of curve_fit with constraints"),
        ({"constraints": PRODUCT, "fixed": ["a", "b", "c"]}, "a parameter that is free"),
    ],
)
def test_refused(options, text):
    with pytest.raises((ValueError, TypeError), match=text):
        numopt.curve_fit(decay, X, Y, START, **options)


@pytest.mark.parametrize(("method", "given"), [("quadratic-penalty", False), ("sqp", True)])
def test_a_method_without_use_for_hessians_is_not_given_one(monkeypatch, method, given):
    def reached(*args, hess, **kwargs):
        raise KeyError("with a Hessian" if hess is not None else "without one")

    monkeypatch.setattr("numopt.optimize._minimize.minimize", reached)
    with pytest.raises(KeyError, match="with a Hessian" if given else "without one"):
        numopt.curve_fit(decay, X, Y, START, constraints=PRODUCT, method=method)
