"""Bounds: every method that takes them, the answers certified by the projected gradient and the multipliers."""

import pickle
import warnings

import numba
import numpy as np
import pytest
import scipy.optimize
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import numopt
from numopt import METHODS, OptimizeWarning, Status, minimize, problems
from numopt.kernels import slots
from numopt.kernels.cauchy import cauchy_point, cauchy_step
from numopt.optimize._bounds import read_bounds

# those made for noise come near a minimum only: see test_first_order.py
TAKING = [name for name, row in METHODS.items() if row.bounds and not (row.values_only or row.for_noise)]
# those without a line search need a step that fits the problem
TUNED = {"gd-fixed": {"step": 0.3}, "gd-decay": {"step": 0.3}, "gd-drop": {"step": 0.3, "drop_every": 1e4},
         "sgd": {"step": 0.3}, "momentum": {"step": 0.1, "momentum": 0.5},
         "nesterov": {"step": 0.1, "momentum": 0.5}}  # fmt: skip
FAST = [name for name in TAKING if name not in TUNED and name != "gd"]
BOX = [(2.0, 5.0), (None, 0.5), (-np.inf, np.inf)]


def projected(x, g, lower, upper):
    return np.abs(np.clip(x - g, lower, upper) - x).max()


def feasible_only(objective, lower, upper):
    """The objective, which asserts that it is never asked for a point outside."""

    def fun(x):
        assert (lower <= x).all() and (x <= upper).all()
        return objective(x)

    return fun


@pytest.mark.parametrize("name", TAKING)
def test_bowl_in_a_box(bowl, name):
    lower, upper = np.array([2.0, -np.inf, -np.inf]), np.array([5.0, 0.5, np.inf])
    for bounds in (BOX, scipy.optimize.Bounds(lower, upper, keep_feasible=True)):
        result = minimize(
            feasible_only(bowl.python, lower, upper), [3.0, -2.0, 0.5], jac=True, method=name, bounds=bounds,
            options={"gtol": 1e-7, "maxiter": 5000, **TUNED.get(name, {})},
        )  # fmt: skip
        assert result.success and result.status is Status.GRADIENT
        assert np.allclose(result.x, [2.0, 0.5, 1.0], atol=1e-7) and result.x[0] == 2.0 and result.x[1] == 0.5
        assert result.active_mask.tolist() == [-1, 1, 0]
        # at the solution g = (1, 2 (-1/2), 0): the multipliers are g at the active bounds
        assert np.allclose(result.bound_multipliers, [1.0, -1.0, 0.0], atol=1e-6)
        f, g = bowl.python(result.x)
        assert result.optimality == projected(result.x, g, lower, upper) <= 1e-7 and np.array_equal(result.jac, g)


@pytest.mark.parametrize("name", FAST)
def test_rosenbrock_ends_where_scipy_does(name):
    problem = problems.get("rosenbrock")
    for bounds in (
        [(-2.0, 0.5), (None, None)],
        [(-1.5, 3.0), (1.2, 5.0)],
        [(None, 2.0), (-1.0, 0.2)],
        [(1.5, 2), (0, 9)],
    ):
        lower, upper = read_bounds(bounds, 2)
        x0 = np.clip(problem.x0, lower, upper)
        options = {"gtol": 1e-6, "ftol": -1}
        result = minimize(problem.fun_and_grad, x0, jac=True, method=name, bounds=bounds, options=options)
        f, g = problem.fun_and_grad(result.x)
        assert result.success and projected(result.x, g, lower, upper) <= 1e-6
        ends = [scipy.optimize.minimize(problem.fun_and_grad, start, jac=True, bounds=bounds).fun
                for start in (x0, np.clip([1.0, 1.0], lower, upper))]  # fmt: skip
        assert any(f <= end + 1e-6 * max(1.0, abs(end)) for end in ends)


@pytest.mark.parametrize("name", ["bfgs", "newton", "lbfgs"])
@pytest.mark.parametrize("problem", problems.names("bounds"))
def test_certified_minima(name, problem):
    """The share solved is held to what was measured; what is left out is named here, with the reason."""
    hard = {
        ("newton", "watson_12_bounded"): "singular Hessian far away: maxiter",
        ("lbfgs", "powell_badly_scaled_bounded"): "scales of 1e4 and 1e-4: rounding ends the search",
        ("lbfgs", "meyer_bounded"): "rounding ends the search",
    }
    if (name, problem) in hard:
        pytest.skip(hard[name, problem])
    case = problems.get(problem)
    if name == "newton" and case.n > 50:
        pytest.skip("a Hessian by differences of so many variables")
    result = minimize(case.fun_and_grad, case.x0, jac=True, method=name, bounds=case.bounds, options={"gtol": 1e-8})
    f, g = case.fun_and_grad(result.x)
    assert case.feasible(result.x) and case.solved(f, case.optimality(result.x, g), result.x)


def test_lbfgsb_takes_scipys_steps():
    """The same algorithm: nearly always as many evaluations, on a sample with bounds about the start."""
    rng = np.random.default_rng(5)
    same, ratios = [], []
    for name in problems.names("mgh"):
        problem = problems.get(name)
        width = np.maximum(1.0, np.abs(problem.x0))
        lower, upper = problem.x0 - rng.random(problem.n) * width, problem.x0 + rng.random(problem.n) * width
        lower[rng.random(problem.n) < 0.3], upper[rng.random(problem.n) < 0.3] = -np.inf, np.inf
        bounds = scipy.optimize.Bounds(lower, upper)
        ours = minimize(problem.fun_and_grad, problem.x0, jac=True, method="L-BFGS-B", bounds=bounds)
        theirs = scipy.optimize.minimize(problem.fun_and_grad, problem.x0, jac=True, method="L-BFGS-B", bounds=bounds)
        assert (lower <= ours.x).all() and (ours.x <= upper).all()
        if abs(ours.fun - theirs.fun) <= 1e-6 * abs(theirs.fun) + 1e-12:
            same.append(ours.nfev == theirs.nfev)
            ratios.append(ours.nfev / theirs.nfev)
    assert len(same) >= 30 and np.mean(same) >= 0.85 and np.exp(np.mean(np.log(ratios))) <= 1.05


@given(st.integers(1, 6), st.integers(0, 10**6), st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_cauchy_point(n, seed, k):
    """It is the first local minimiser of the model along the projected path; certified by the dense matrix."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, n))
    A = A @ A.T + 0.1 * np.eye(n)
    S = rng.normal(size=(k, n))
    Y = S @ A
    theta = 1.0 if k == 0 else Y[-1] @ Y[-1] / (S[-1] @ Y[-1])
    SY, SS = S @ Y.T, S @ S.T
    W = np.vstack([Y, theta * S]).T
    B = theta * np.eye(n)
    if k:
        L = np.tril(SY, -1)
        middle = np.block([[-np.diag(np.diag(SY)), L.T], [L, theta * SS]])
        assume(np.linalg.cond(middle) < 1e8)
        B = B - W @ np.linalg.solve(middle, W.T)
        J = np.linalg.cholesky(theta * SS + L @ np.diag(1.0 / np.diag(SY)) @ L.T)
    else:
        J = np.empty((0, 0))
    lower, upper = -rng.random(n), rng.random(n)
    lower[rng.random(n) < 0.2], upper[rng.random(n) < 0.2] = -np.inf, np.inf
    x = np.clip(rng.normal(size=n), lower, upper)
    g = rng.normal(size=n)
    stays = ((g > 0) & (x <= lower)) | ((g < 0) & (x >= upper))
    d = np.where(stays, 0.0, -g)
    assume(d @ d > 0)
    m = max(k, 1)
    p, c, w, h = (np.zeros(2 * m) for _ in range(4))
    wd = np.zeros(2 * m)
    wd[:k], wd[m : m + k] = Y @ d, S @ d
    breaks, heap, xc = np.empty(n), np.empty(n), np.empty(n)
    pad = np.zeros((m, m))
    sy, jj = pad.copy(), pad.copy()
    sy[:k, :k], jj[:k, :k] = SY, J
    rows = (S.ravel() if k else np.zeros(n), Y.ravel() if k else np.zeros(n))
    scratch = (wd, p, c, w, h, xc)
    fixed = _cauchy()(x, g, lower, upper, breaks, heap, *rows, 0, k, m, theta, sy.ravel(), jj.ravel(), *scratch)
    model = lambda z: g @ (z - x) + 0.5 * (z - x) @ B @ (z - x)  # noqa: E731
    path = lambda t: np.where(breaks <= t, np.where(d > 0, upper, np.where(d < 0, lower, x)), x + t * d)  # noqa: E731
    # along the path: find the first local minimiser by the pieces between the break points
    ends = sorted({t for t in breaks if 0 < t < np.inf})
    t = 0.0
    for end in [*ends, np.inf]:
        z, moving = path(t), np.where(breaks <= t, 0.0, d)
        slope, curve = (g + B @ (z - x)) @ moving, moving @ B @ moving
        if slope >= 0:
            break
        if t - slope / curve < end:
            t -= slope / curve
            break
        t = end
    assert np.allclose(xc, path(t), rtol=1e-6, atol=1e-7) or model(xc) <= model(path(t)) + 1e-9
    assert np.allclose(c[:k], Y @ (xc - x), atol=1e-6) and np.allclose(c[m : m + k], theta * S @ (xc - x), atol=1e-6)
    assert (breaks[stays] <= fixed).all()
    over_free = np.where(breaks > fixed, -g, 0.0)
    assert np.allclose(p[:k], Y @ over_free, atol=1e-6) and np.allclose(p[m : m + k], theta * S @ over_free, atol=1e-6)


_compiled = []


def _cauchy():
    if not _compiled:

        @numba.njit
        def call(x, g, lower, upper, breaks, heap, S, Y, first, k, m, theta, sy, J, wd, p, c, w, h, xc):
            t, fixed = cauchy_point(x, g, lower, upper, breaks, heap, S, Y, first, k, m, theta, sy, J, wd, p, c, w, h)
            for i in range(x.size):
                xc[i] = x[i] + cauchy_step(x[i], g[i], lower[i], upper[i], breaks[i], t, fixed)
            return fixed

        _compiled.append(call)
    return _compiled[0]


def test_sums_over_the_free_variables_are_kept_up_to_date():
    rng = np.random.default_rng(1)
    held = 0
    for name in ("brown_almost_linear", "extended_rosenbrock", "osborne_2", "watson", "trigonometric"):
        problem = problems.get(name)
        n, m = problem.n, 4
        box = scipy.optimize.Bounds(problem.x0 - 0.3 * rng.random(n), problem.x0 + 0.3 * rng.random(n))
        for steps in range(1, 25):
            options = {"maxiter": steps, "maxcor": m}
            result = minimize(problem.fun_and_grad, problem.x0, jac=True, method="lbfgs", bounds=box, options=options)
            _, _, c, _, w = result.state
            k = int(c[slots.PAIRS])
            rows = [(int(c[slots.HEAD]) - k + j) % m for j in range(k)]
            S, Y = w[slots.N_COMMON * n :][: 2 * m * n].reshape(2, m, n)[:, rows]
            free = w[-3 * n : -2 * n]
            held += int((free == 0).any() and k > 1)
            at = (slots.N_COMMON + 2 * m) * n
            kept = [w[at + q * m * m :][: m * m].reshape(m, m)[:k, :k] for q in range(5)]
            fresh = [S @ Y.T, S @ S.T, (Y * free) @ Y.T, (S * free) @ Y.T, (S * (1.0 - free)) @ S.T]
            for q, (a, b) in enumerate(zip(kept, fresh, strict=True)):
                scale = np.abs(fresh[1] if q in (1, 4) else fresh[q]).max(initial=0.0)
                a, b = (np.tril(a), np.tril(b)) if q == 0 else (a, b)
                assert np.abs(a - b).max(initial=0.0) <= 1e-9 * scale
    assert held > 20


@pytest.mark.parametrize("name", TAKING)
@pytest.mark.parametrize("cut", [1, 3, 6, 10])
def test_resume_within_bounds(rosen, name, cut):
    how = {"jac": True, "method": name, "bounds": [(-2.0, 0.5), (None, None), (-1.0, 0.2), (-3.0, 3.0)]}
    x0 = [-1.2, 1.0, -0.5, 0.8]
    options = {"maxiter": 12, "gtol": 1e-12, **({"step": 1e-4} if name in TUNED else {})}
    hess = {"hess": rosen.hess} if METHODS[name].second_order else {}
    whole = minimize(rosen.jitted, x0, options=options, **how, **hess)
    part = minimize(rosen.jitted, x0, options={**options, "maxfev": cut}, **how, **hess)
    if part.status is not Status.MAXFEV:
        assert part.nit == whole.nit and np.array_equal(part.x, whole.x)  # it had come to its end by then
    else:
        resumed = numopt.resume(part, rosen.jitted, jac=True, options={"maxfev": 10**6}, **hess)
        assert np.array_equal(resumed.x, whole.x) and resumed.nit == whole.nit
        assert np.array_equal(resumed.active_mask, whole.active_mask)


class TestDifferences:
    @pytest.mark.parametrize("jac", ["2-point", "3-point"])
    @pytest.mark.parametrize("method", ["bfgs", "L-BFGS-B", "newton"])
    def test_no_point_is_outside(self, bowl, jac, method):
        lower, upper = np.array([2.0, -1.0, 0.5]), np.array([5.0, 0.5, 0.5 + 1e-9])
        fun = feasible_only(lambda x: bowl.python(x)[0], lower, upper)
        result = minimize(fun, [2.0, 0.5, 0.5], jac=jac, method=method, bounds=list(zip(lower, upper, strict=True)))
        assert np.allclose(result.x, [2.0, 0.5, 0.5], atol=1e-8) and result.active_mask[:2].tolist() == [-1, 1]

    def test_one_sided_formulas_are_accurate(self):
        """At the bound the 3-point gradient keeps its second order."""

        def fun(x):
            return float(np.exp(x[0]) + np.sin(x[1]) + x[2] ** 3)

        x0 = np.array([0.3, 0.4, 2.0])
        exact = np.array([np.exp(0.3), np.cos(0.4), 12.0])
        bounds = [(0.3, None), (None, 0.4), (1.0, 3.0)]
        for jac, error in (("2-point", 1e-6), ("3-point", 1e-9)):
            result = minimize(fun, x0, jac=jac, bounds=bounds, options={"maxiter": 0})
            assert np.abs(result.jac - exact).max() <= error

    def test_a_step_that_does_not_fit(self):
        seen = []

        def fun(x):
            seen.append(x[0])
            return x[0] ** 2

        minimize(fun, [1.0], bounds=[(1.0 - 1e-12, 1.0)], options={"maxiter": 3, "eps": 1e-3})
        assert min(seen) >= 1.0 - 1e-12 and max(seen) <= 1.0


class TestFixed:
    """Variables with equal bounds are taken out, whatever the callables are."""

    bounds = ((1.5, 1.5), (None, None), (-1.0, 1.0), (0.25, 0.25))

    @pytest.mark.parametrize("method", ["bfgs", "l-bfgs-b", "newton", "trust-exact", "cg"])
    @pytest.mark.parametrize("caller", ["python", "jitted"])
    @pytest.mark.parametrize("how", ["pair", "separate", "differences"])
    def test_taken_out(self, rosen, method, caller, how):
        bounds = list(self.bounds)
        if not METHODS[numopt.catalog.ALIASES.get(method, method)].bounds:
            bounds[2] = (None, None)  # what is left is unbounded: any method will do
        pair, hess = getattr(rosen, caller), rosen.hess if caller == "jitted" else rosen.hess.py_func
        value, gradient = (lambda x: pair(x)[0]), (lambda x: pair(x)[1])
        if caller == "jitted":
            value, gradient = numba.njit(value), numba.njit(gradient)
        given = {"pair": {"jac": True}, "separate": {"jac": gradient}, "differences": {}}[how]
        if METHODS[numopt.catalog.ALIASES.get(method, method)].second_order and how != "differences":
            given["hess"] = hess
        x0 = [1.5, 1.0, -0.5, 0.25]
        result = minimize(pair if how == "pair" else value, x0, method=method, bounds=bounds, **given)
        reference = scipy.optimize.minimize(rosen.python, x0, jac=True, method="L-BFGS-B", bounds=bounds)
        assert result.success and result.fun == pytest.approx(reference.fun, rel=1e-5)
        assert result.x[0] == 1.5 and result.x[3] == 0.25 and result.x.shape == result.jac.shape == (4,)
        assert np.isnan(result.jac[[0, 3]]).all() and result.active_mask[[0, 3]].tolist() == [2, 2]
        if how == "differences" and method == "bfgs":
            # one value, and one more for each of the two free variables; near the minimum some are lost in rounding
            assert 3 * result.njev <= result.nfev < 4 * result.njev

    def test_callback_history_and_matrix_are_whole(self, rosen):
        seen = []
        result = minimize(rosen.python, [1.5, 1.0, -0.5, 0.25], jac=True, method="bfgs", bounds=self.bounds,
                          callback=lambda x: seen.append(x.copy()), options={"return_all": True})  # fmt: skip
        assert all(x.shape == (4,) and x[0] == 1.5 and x[3] == 0.25 for x in [*seen, *result.allvecs])
        assert result.hess_inv.shape == (4, 4) and not result.hess_inv[[0, 3]].any() and result.hess_inv[1, 1] > 0
        limited = minimize(rosen.python, [1.5, 1.0, -0.5, 0.25], jac=True, method="lbfgs", bounds=self.bounds).hess_inv
        assert isinstance(limited, scipy.optimize.LbfgsInvHessProduct) and limited.shape == (4, 4)
        # zero for fixed variables, as with BFGS
        dense = limited.todense()
        assert not dense[[0, 3]].any() and not dense[:, [0, 3]].any() and dense[1, 1] > 0
        for vector in np.eye(4):
            assert np.allclose(limited @ vector, dense @ vector) and np.allclose(
                limited @ vector[:, None], dense @ vector[:, None]
            )
        assert np.allclose(pickle.loads(pickle.dumps(limited)).todense(), dense)

    @pytest.mark.parametrize("name", [name for name, row in METHODS.items() if row.bounds])
    def test_what_is_made_when_asked_for_is_whole_too(self, rosen, name):
        """The simplex and Powell's directions once unpacked a state without fixed variables."""
        value = lambda x: rosen.python(x)[0]  # noqa: E731
        given = {} if METHODS[name].values_only else {"jac": lambda x: rosen.python(x)[1]}
        options = {"maxiter": 20, **({"step": 1e-4} if name in TUNED else {})}
        result = minimize(value, [1.5, 1.0, -0.5, 0.25], method=name, bounds=self.bounds, options=options, **given)
        assert result.x[0] == 1.5 and result.x[3] == 0.25
        assert hasattr(result, "final_simplex") == (name == "nelder-mead")
        assert hasattr(result, "direc") == (name == "powell")
        assert hasattr(result, "hess_inv") == (name in ("bfgs", "lbfgs", "l-bfgs-b"))
        if name == "nelder-mead":
            points, values = result.final_simplex
            assert points.shape == (3, 4) and (points[:, [0, 3]] == [1.5, 0.25]).all()
            assert np.array_equal(points[0], result.x) and np.allclose([value(x) for x in points], values)
        if name == "powell":
            assert result.direc.shape == (4, 4) and np.linalg.matrix_rank(result.direc[1:3, 1:3]) == 2
            assert not result.direc[[0, 3]].any() and not result.direc[:, [0, 3]].any()

    def test_saved_and_resumed(self, rosen, tmp_path):
        how = {"jac": True, "method": "bfgs", "bounds": self.bounds}
        whole = minimize(rosen.jitted, [1.5, 1.0, -0.5, 0.25], options={"maxiter": 9}, **how)
        part = minimize(rosen.jitted, [1.5, 1.0, -0.5, 0.25], options={"maxiter": 4}, **how)
        part.save(tmp_path / "run.npz")
        for state in (part, tmp_path / "run.npz"):
            resumed = numopt.resume(state, rosen.jitted, jac=True, options={"maxiter": 9})
            assert np.array_equal(resumed.x, whole.x) and resumed.nfev == whole.nfev

    def test_given_inverse_hessian(self, bowl):
        options = {"hess_inv0": np.diag([1.0, 0.5, 1.0 / 3.0])}
        result = minimize(bowl.python, [3.0, -2.0, 0.5], jac=True, method="bfgs", bounds=[(0, 9), (2, 2), (0, 9)],
                          options=options)  # fmt: skip
        assert result.nit == 1 and np.allclose(result.x, [1.0, 2.0, 1.0])

    def test_all_of_them(self, bowl):
        result = minimize(bowl.python, [3.0, -2.0, 0.5], jac=True, bounds=[(3, 3), (-2, -2), (0.5, 0.5)])
        assert result.success and result.nfev == 1 and np.array_equal(result.x, [3.0, -2.0, 0.5])
        assert minimize(lambda x: float(x @ x), [1.0], bounds=[(1, 1)]).success

    @pytest.mark.parametrize("name", METHODS)
    def test_where_nothing_is_free_one_evaluation_tells(self, bowl, name):
        """Pattern search once failed there, random search went on for 76 evaluations, trust regions refused bounds."""
        row = METHODS[name]
        given = {} if row.values_only else {"jac": lambda x: bowl.python(x)[1]}
        if row.second_order:
            given["hess"] = lambda x: np.diag([1.0, 2.0, 3.0])
        calls = []
        result = minimize(lambda x: calls.append(1) or bowl.python(x)[0], [3.0, -2.0, 0.5], method=name,
                          bounds=[(3, 3), (-2, -2), (0.5, 0.5)], **given)  # fmt: skip
        assert result.success and result.nfev == len(calls) == 1 and result.nit == 0
        assert result.x.tolist() == [3.0, -2.0, 0.5] and result.active_mask.tolist() == [2, 2, 2]
        bad = minimize(lambda x: np.nan, [3.0, -2.0, 0.5], method=name, bounds=[(3, 3), (-2, -2), (0.5, 0.5)], **given)
        assert bad.status is Status.NAN

    def test_exceptions_of_jitted_functions(self):
        @numba.njit
        def fun(x):
            if x[1] < 0.5:
                raise ValueError("too small")
            return x[0] ** 2 + x[1] ** 2 + x[2], 2.0 * x

        with pytest.raises(ValueError, match="too small"):
            minimize(fun, [1.0, 1.0, 1.0], jac=True, bounds=[(1, 1), (None, None), (None, None)])


class TestBadInput:
    @pytest.mark.parametrize(
        ("bounds", "error", "match"),
        [
            ([(0, 1)], ValueError, "bounds must have length 2, as x0 has; got 1"),
            ([(0, 1), (2, 1)], ValueError, r"the lower bound of x\[1\], 2, exceeds its upper bound, 1"),
            ([(0, 1), (np.nan, 1)], ValueError, r"the lower bound of x\[1\] is NaN"),
            ([(0, 1), (0, np.nan)], ValueError, r"the upper bound of x\[1\] is NaN"),
            ([(0, 1), (np.inf, np.inf)], ValueError, r"the lower bound of x\[1\] is inf"),
            ([(0, 1), (-np.inf, -np.inf)], ValueError, r"the upper bound of x\[1\] is -inf"),
            ([(0, 1), 3], ValueError, r"bounds\[1\] is 3"),
            ([(0, 1), ("a", "b")], ValueError, r"bounds\[1\] is \('a', 'b'\)"),
            ([("0", "1"), ("0", "1")], ValueError, r"bounds\[0\] is \('0', '1'\)"),
            ([(0, 1), (0, 1, 2)], ValueError, r"bounds\[1\] is \(0, 1, 2\)"),
            (5, TypeError, "bounds must be a sequence of .* got int"),
            (
                scipy.optimize.Bounds([0, 0, 0], [1, 1, 1]),
                ValueError,
                r"length 2, as x0 has; got lb and ub of shapes \(3,\)",
            ),
        ],
    )
    def test_told(self, bounds, error, match):
        calls = []
        with pytest.raises(error, match=match):
            minimize(lambda x: calls.append(1) or 0.0, [0.5, 0.5], bounds=bounds)
        assert not calls

    def test_start_outside_is_moved_with_a_warning(self, bowl):
        with pytest.warns(
            OptimizeWarning, match=r"x0\[0\] = 3 is outside of its bounds \(0, 2\); so is 1 more; moved"
        ) as caught:
            result = minimize(bowl.python, [3.0, -2.0, 0.5], jac=True, bounds=[(0, 2), (0, 2), (0, 2)])
        assert caught[0].filename == __file__ and result.success

    def test_no_warning_before_an_error_nor_of_what_has_no_effect(self, bowl):
        """x0 was said to be moved onto the bounds before the call was refused, and where the simplex replaced it."""
        simplex = [[0.5, 0.5], [1.0, 0.5], [0.5, 1.0]]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ValueError, match="takes no bounds"):
                minimize(lambda x: x @ x, [9.0, 9.0], method="dogleg", bounds=[(0, 2), (0, 2)])
            with pytest.raises(ValueError, match="can't be given where bounds fix a variable"):
                minimize(lambda x: x @ x, [9.0, 9.0], method="nelder-mead", bounds=[(0, 2), (2, 2)],
                         options={"initial_simplex": simplex})  # fmt: skip
            minimize(lambda x: x @ x, [9.0, 9.0], method="nelder-mead", bounds=[(0, 2), (0, 2)],
                     options={"initial_simplex": simplex})  # fmt: skip

    def test_methods_without_bounds(self, bowl):
        with pytest.raises(ValueError, match=r"method 'dogleg' takes no bounds; those that do are 'gd'.*'bfgs'"):
            minimize(bowl.python, bowl.x0, jac=True, method="dogleg", bounds=BOX)

    def test_infinite_bounds_are_no_bounds(self, bowl):
        free = minimize(bowl.python, bowl.x0, jac=True, method="L-BFGS-B")
        for bounds in ([(None, None)] * 3, [(-np.inf, np.inf)] * 3, [None] * 3):
            result = minimize(bowl.python, bowl.x0, jac=True, method="L-BFGS-B", bounds=bounds)
            assert np.array_equal(result.x, free.x)
            assert result.active_mask.tolist() == [0, 0, 0] and result.bound_multipliers.tolist() == [0.0, 0.0, 0.0]

    def test_scalar_bounds_are_for_all(self, bowl):
        result = minimize(bowl.python, bowl.x0, jac=True, bounds=scipy.optimize.Bounds(-5, 0.5))
        assert np.allclose(result.x, 0.5)


def test_all_at_bounds_from_the_start(bowl):
    result = minimize(bowl.python, [3.0, 3.0, 3.0], jac=True, bounds=[(3, 9)] * 3)
    assert result.nit == 0 and result.status is Status.GRADIENT and (result.bound_multipliers > 0).all()


def test_where_all_variables_are_fixed_none_is_at_a_bound_of_its_own(bowl):
    result = minimize(bowl.python, [1.0, 2.0, 3.0], jac=True, bounds=[(1, 1), (2, 2), (3, 3)])
    assert result.x.tolist() == [1.0, 2.0, 3.0] and result.nit == 0
    assert result.active_mask.tolist() == [2, 2, 2] and np.isnan(result.bound_multipliers).all()


def test_nan_beyond_a_cliff_within_the_bounds():
    def fun(x):
        if x[0] > 3.0:
            return np.nan, np.full(2, np.nan)
        return float((x[0] - 2.9) ** 2 + (x[1] + 5.0) ** 2), 2.0 * np.array([x[0] - 2.9, x[1] + 5.0])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("bfgs", "l-bfgs-b", "cg", "newton"):
            result = minimize(fun, [0.0, 0.0], jac=True, method=name, bounds=[(0.0, 10.0), (-1.0, 10.0)])
            assert result.success and np.allclose(result.x, [2.9, -1.0], atol=1e-4)


def quadratic(seed):
    """(f, its gradient, its Hessian, bounds, start) of a convex quadratic whose variables are tied together."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    A, b = rng.normal(size=(n, n)), 2.0 * rng.normal(size=n)
    H = A @ A.T + 0.1 * np.eye(n)
    lower, upper = -rng.uniform(0.1, 1.0, n), rng.uniform(0.1, 1.0, n)
    return lambda x: 0.5 * x @ H @ x - b @ x, lambda x: H @ x - b, H, (lower, upper), rng.uniform(lower, upper)


# fixed steps that shrink by themselves stop where they like
SHRINKING = {"gd-decay", "gd-drop"}


@pytest.mark.parametrize("seed", [13678])
def test_lbfgsb_leaves_a_line_that_it_has_minimised(seed):
    """Two projected directions in a row aimed at the same corner; the second, without descent, ended the run."""
    f, grad, H, (lower, upper), x0 = quadratic(seed)
    bounds = np.stack([lower, upper], axis=1)
    result = minimize(f, x0, jac=grad, method="l-bfgs-b", bounds=bounds)
    assert result.success
    assert projected(result.x, grad(result.x), lower, upper) <= 1e-5


def test_lbfgsb_in_boxes_takes_no_more_evaluations_than_scipys():
    """With two bounds for each variable scipy's first step is a full one, and so is ours."""
    ours = theirs = 0
    for seed in range(200):
        f, grad, _, (lower, upper), x0 = quadratic(seed)
        bounds = np.stack([lower, upper], axis=1)
        ours += minimize(f, x0, jac=grad, method="l-bfgs-b", bounds=bounds).nfev
        theirs += scipy.optimize.minimize(f, x0, jac=grad, method="l-bfgs-b", bounds=bounds).nfev
    assert ours <= theirs


@pytest.mark.parametrize("name", [name for name, row in METHODS.items() if row.bounds and not row.for_noise])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_success_is_a_minimum_in_the_box(name, seed):
    """Active bounds are met by about every second of the variables: what calls itself a success has to be one."""
    row = METHODS[name]
    f, grad, H, (lower, upper), x0 = quadratic(seed)
    step = {"step": 1.0 / np.linalg.eigvalsh(H)[-1], "momentum": 0.5}
    options = {key: value for key, value in step.items() if key in numopt.catalog.defaults(row)}
    given = {} if row.values_only else {"jac": grad}
    if row.second_order:
        given["hess"] = lambda x: H
    bounds = np.stack([lower, upper], axis=1)
    if name == "nelder-mead":
        options["maxfev"] = 10**5  # a simplex that a bound has made flat crawls: 200 n are too few for one seed in 300
    result = minimize(f, x0, method=name, bounds=bounds, options=options, **given)
    assert result.success or name in SHRINKING
    certified = minimize(f, x0, jac=grad, hess=lambda x: H, method="newton", bounds=bounds, options={"gtol": 1e-9})
    assert projected(certified.x, grad(certified.x), lower, upper) <= 1e-8
    if result.success:
        assert result.fun - certified.fun <= (1e-3 if row.values_only else 1e-7)
        assert row.values_only or projected(result.x, grad(result.x), lower, upper) <= 1e-5


@pytest.mark.parametrize("name", FAST)
def test_a_box_narrower_than_gtol_is_not_solved_from_the_start(name):
    def fun(x):
        z = 1e9 * x - np.array([0.3, 2.0])
        return float(z @ z), 2e9 * z

    result = minimize(fun, [8e-10, 1e-10], jac=True, method=name, bounds=[(0.0, 1e-9)] * 2, options={"gtol": 1.0})
    assert result.success and np.allclose(1e9 * result.x, [0.3, 1.0], atol=1e-6)


def test_greedy_descent_passes_a_variable_that_is_next_to_its_bound():
    def fun(x):
        return float(100.0 * x[0] + (x[1] - 0.5) ** 2), np.array([100.0, 2.0 * (x[1] - 0.5)])

    for update in ("newton", "line"):
        result = minimize(fun, [np.nextafter(0.1, 1.0), 0.0], jac=True, method="coordinate-descent-greedy",
                          bounds=[(0.1, 1.0), (0.0, 1.0)], options={"update": update})  # fmt: skip
        assert result.status is Status.GRADIENT and np.allclose(result.x, [0.1, 0.5], atol=1e-5)


def test_a_line_from_a_rounding_error_before_a_bound_leads_inwards():
    # Powell's method once took x[2] for stuck at its upper bound, because a step onto it had ended an ulp before
    f, grad, H, (lower, upper), x0 = quadratic(131071)
    result = minimize(f, x0, method="powell", bounds=np.stack([lower, upper], axis=1))
    assert result.success and projected(result.x, grad(result.x), lower, upper) < 0.02


@pytest.mark.parametrize("seed", [193, 249])
def test_nelder_mead_looks_around_where_it_has_left_a_bound(seed):
    """A bound had made the simplex flat, and it shrank after it had left the bound: a success that was no minimum."""
    f, grad, H, (lower, upper), x0 = quadratic(seed)
    bounds = np.stack([lower, upper], axis=1)
    result = minimize(f, x0, method="nelder-mead", bounds=bounds)
    certified = minimize(f, x0, jac=grad, hess=lambda x: H, method="newton", bounds=bounds, options={"gtol": 1e-9})
    assert result.success and result.fun - certified.fun <= 1e-3


@pytest.mark.parametrize("outside", [0.0, 1.0])
def test_first_simplex_at_a_negative_lower_bound_of_a_half_line(outside):
    """5 % larger was below the bound, and moved onto it; then halfway to the other side, which was infinite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # an x0 outside is moved
        for seed in range(200):
            f, grad, H, (lower, _), _ = quadratic(seed)

            def fun(x, f=f, lower=lower):
                assert np.isfinite(x).all() and (x >= lower).all()
                return f(x)

            bounds = [(low, None) for low in lower]
            result = minimize(fun, lower - outside, method="nelder-mead", bounds=bounds, options={"maxfev": 10**5})
            best = minimize(f, lower, jac=grad, hess=lambda x, H=H: H, method="newton", bounds=bounds)
            assert result.success and result.fun - best.fun <= 1e-3, seed


def test_first_simplex_keeps_its_edges_next_to_a_bound():
    """Moved onto the bound, or reflected there, a vertex might come to lie next to x0."""
    for x0, low, high in (
        (-1.0, -1.0 - 1e-9, 1.0),
        (-1.0, -1.025, np.inf),
        (1.0, -np.inf, 1.0 + 1e-9),
        (1.0, -1.0, 1.025),
    ):
        result = minimize(lambda x: x @ x, [x0], method="nelder-mead", bounds=[(low, high)], options={"maxiter": 1})
        assert np.ptp(result.final_simplex[0]) >= 0.02


def test_first_simplex_in_a_box_narrower_than_its_edges():
    for x0 in ([99.9, 5.0], [100.1, 5.0], [100.0, 5.0]):
        result = minimize(lambda x: 10.0 * (x[0] - 100.05) ** 2 + (x[1] - 3.0) ** 2, x0, method="nelder-mead",
                          bounds=[(99.9, 100.1), (0.0, 9.0)])  # fmt: skip
        assert result.success and np.allclose(result.x, [100.05, 3.0], atol=1e-3)
