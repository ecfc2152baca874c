"""Properties that every method of the catalogue has."""

import math
import warnings

import numba
import numpy as np
import pytest
import scipy.optimize

import numopt
from numopt import METHODS, Status, minimize
from numopt.catalog import defaults
from numopt.kernels import slots
from numopt.kernels.vectors import norm_inf

NAMES = list(METHODS)
# Options that make the methods without a line search converge on the bowl.
TUNED = {"gd-fixed": {"step": 0.3}, "gd-decay": {"step": 0.3, "kappa": 1e-4},
         "gd-drop": {"step": 0.3, "drop_every": 1e4}, "sgd": {"step": 0.3}, "momentum": {"step": 0.1, "momentum": 0.5},
         "nesterov": {"step": 0.1, "momentum": 0.5}}  # fmt: skip
# Those made for noise come near a minimum, how near is a matter of the learning rate: see test_first_order.py.
SETTLING = [name for name in NAMES if not METHODS[name].for_noise]
SUPERLINEAR = ["bfgs", "lbfgs", "l-bfgs-b", "newton", "newton-damped", "saddle-free-newton"]
CONJUGATE = [name for name in NAMES if METHODS[name].unit == "cg"]
VALUES = [name for name in NAMES if METHODS[name].values_only]


def run(objective, name, caller="jitted", **options):
    tuned = dict(TUNED.get(name, {}))
    if "step" in tuned and objective.hess is not None:
        tuned["step"] = 1e-4  # Rosenbrock's valley is steep
    options = {**tuned, **options}
    if name in VALUES:
        # they have other tolerances, as tight here
        tolerance = options.pop("gtol", None)
        options.pop("ftol", None)
        if tolerance is not None:
            names = ("xtol", "ftol") if name == "powell" else ("xatol", "fatol")
            options |= dict.fromkeys(names, tolerance)
    return minimize(getattr(objective, caller), objective.x0, jac=True, method=name, options=options)


@pytest.mark.parametrize("name", SETTLING)
def test_bowl(bowl, name):
    result = run(bowl, name, gtol=1e-7, ftol=-1.0)
    if name in VALUES:
        assert result.success and result.status is (Status.FTOL if name == "powell" else Status.SPREAD)
        assert np.abs(result.x - 1.0).max() <= 1e-6 and result.fun == bowl.python(result.x)[0]
        assert "jac" not in result and math.isnan(result.optimality) and result.njev == 0
        assert result.nfev <= (60 if "coordinate" in name or name == "powell" else 900)
        return
    assert result.success and result.status is Status.GRADIENT
    assert np.abs(result.x - 1.0).max() <= 1e-7
    # the certificate, not what the solver says of itself
    f, g = bowl.python(result.x)
    assert np.abs(g).max() <= 1e-7 and result.fun == pytest.approx(f, abs=1e-30)
    order = defaults(METHODS[name])["norm"]  # trust regions take the 2-norm, as scipy's
    assert np.array_equal(result.jac, g) and result.optimality == pytest.approx(np.linalg.norm(g, order), rel=1e-14)
    limit = 20 if name in SUPERLINEAR or name in CONJUGATE else 200
    assert result.nit <= limit and result.nfev <= 2 * limit


@pytest.mark.parametrize("name", SUPERLINEAR + CONJUGATE + ["barzilai-borwein"])
def test_rosenbrock(rosen, name):
    result = run(rosen, name, gtol=1e-6, ftol=-1.0)
    assert result.status is Status.GRADIENT
    known = ([1.0, 1.0, 1.0, 1.0], [-0.7756592, 0.6130934, 0.3820629, 0.1459721])
    assert min(np.abs(result.x - x).max() for x in known) < 1e-4
    in_hessians = 2 * result.x.size * result.nhev  # differences of the gradient, which comes with a value
    assert result.nfev - in_hessians <= (60 if name in SUPERLINEAR else 400 if name in CONJUGATE else 1000)


@pytest.mark.parametrize("name", NAMES)
def test_same_iterates_from_python_and_jitted(rosen, name):
    jitted, python = (run(rosen, name, caller, maxiter=15, history=True) for caller in ("jitted", "python"))
    assert np.allclose(jitted.x, python.x, rtol=1e-7, atol=1e-9)
    assert jitted.nfev == python.nfev and jitted.nit == python.nit
    assert np.allclose(jitted.history["f"], python.history["f"], rtol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_resume_is_bit_for_bit(rosen, name, tmp_path):
    whole = run(rosen, name, maxiter=12)
    part = run(rosen, name, maxiter=5)
    assert part.nit == 5 and part.status is Status.MAXITER and not part.success
    part.save(tmp_path / "run.npz")
    for state in (part, tmp_path / "run.npz", str(tmp_path / "run")):
        resumed = numopt.resume(state, rosen.jitted, jac=True, options={"maxiter": 12})
        assert np.array_equal(resumed.x, whole.x) and resumed.fun == whole.fun
        assert (resumed.nit, resumed.nfev, resumed.njev) == (whole.nit, whole.nfev, whole.njev)
    with np.load(tmp_path / "run.npz", allow_pickle=False) as saved:
        assert set(saved) == {"method", "search", "c", "p", "w"}


@pytest.mark.parametrize("name", NAMES)
def test_best_point_when_the_budget_ends(rosen, name):
    seen = []

    def watched(x):
        f, g = rosen.python(x)
        seen.append(f)
        return f, g

    result = minimize(watched, rosen.x0, jac=True, method=name, options={"maxfev": 9})
    assert result.status is Status.MAXFEV and not result.success
    if METHODS[name].second_order:
        assert result.fun <= rosen.python(rosen.x0)[0]
    else:
        assert result.nfev == len(seen) <= 9
        assert result.fun == min(seen)
    assert result.fun == rosen.python(result.x)[0]


@pytest.mark.parametrize("name", NAMES)
def test_no_iterations(bowl, name):
    result = run(bowl, name, maxiter=0)
    assert result.status is Status.MAXITER and result.nit == 0 and result.nfev == 1
    assert np.array_equal(result.x, bowl.x0)


@pytest.mark.parametrize("name", NAMES)
def test_start_at_the_solution(bowl, name):
    result = minimize(bowl.jitted, np.ones(3), jac=True, method=name)
    if name in VALUES:  # what lies around has to be looked at
        assert result.success and np.abs(result.x - 1.0).max() <= 1e-4 and result.fun <= 1e-8
    else:
        assert result.success and result.nit == 0 and result.nfev == 1


@pytest.mark.parametrize("name", SETTLING)
def test_one_variable(name):
    options = dict(TUNED.get(name, {}))
    if "xatol" in defaults(METHODS[name]):
        options["xatol"] = 1e-6
    result = minimize(lambda x: ((x[0] - 2.0) ** 2, 2.0 * (x - 2.0)), 5.0, jac=True, method=name, options=options)
    assert result.success and abs(result.x[0] - 2.0) < 1e-5 and result.x.shape == (1,)


@pytest.mark.parametrize("name", NAMES)
def test_unbounded_below(name):
    options = {**({"step": 0.3} if "step" in defaults(METHODS[name]) else {}), "f_lower": -100.0, "maxiter": 100_000}
    result = minimize(lambda x: (-x.sum(), -np.ones(2)), [1.0, 2.0], jac=True, method=name, options=options)
    assert result.status is Status.UNBOUNDED and not result.success


@pytest.mark.parametrize("name", [n for n in NAMES if METHODS[n].line_search])
def test_unbounded_below_without_a_limit(name):
    result = minimize(lambda x: (-x.sum(), -np.ones(2)), [1.0, 2.0], jac=True, method=name)
    assert result.status is Status.UNBOUNDED


@pytest.mark.parametrize("name", [n for n in NAMES if METHODS[n].line_search])
def test_nan_on_the_way_is_stepped_back_from(name):
    def barrier(x):
        if x[0] <= 0.0:
            return math.nan, np.array([math.nan])
        return x[0] - math.log(x[0]), 1.0 - 1.0 / x

    result = minimize(barrier, [30.0], jac=True, method=name, options={"maxls": 60})
    assert result.success and abs(result.x[0] - 1.0) < 1e-4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_at_the_start(name, bad):
    result = minimize(lambda x: (bad, x), [1.0, 2.0], jac=True, method=name)
    assert result.status is Status.NAN and np.array_equal(result.x, [1.0, 2.0])
    # without gradients a method may look around for a point that has a value
    assert result.nfev == 1 or (name in VALUES and result.nfev <= 50)


@pytest.mark.parametrize("name", ["bfgs", "lbfgs", "cg-pr", "gd"])
def test_wrong_gradient_is_suspected(bowl, name):
    result = minimize(lambda x: (bowl.python(x)[0], -bowl.python(x)[1]), bowl.x0, jac=True, method=name)
    assert result.status is Status.LINE_SEARCH and "wrong gradient" in result.message
    assert result.fun <= bowl.python(bowl.x0)[0]


def test_stalled_is_told_apart_from_failure():
    # f can't show a decrease of 1e-6, so the slope of 1e-3 leads nowhere; that is no failure of the search
    result = minimize(lambda x: (1e16, np.array([1e-3])), [1.0], jac=True, method="bfgs")
    assert result.status is Status.STALLED and not result.success
    # here rounding hides the last decrease, but the slopes still lead to the minimum
    result = minimize(lambda x: (1e8 + float(x @ x), 2.0 * x), [1.0, 2.0], jac=True, options={"gtol": 1e-9})
    assert result.success and np.abs(result.x).max() <= 1e-9
    schedule = {"step": 0.1, "drop": 0.1, "drop_every": 1, "maxiter": 10**6}
    result = minimize(lambda x: (x[0], np.ones(1)), [0.0], jac=True, method="gd-drop", options=schedule)
    assert result.status is Status.STALLED


def test_convergence_by_reduction_and_by_step(bowl):
    by_f = run(bowl, "lbfgs", ftol=0.5, gtol=0.0)
    assert by_f.status is Status.FTOL and by_f.success
    by_x = run(bowl, "bfgs", xrtol=0.5, gtol=0.0)
    assert by_x.status is Status.XTOL and by_x.success


def test_time_limit(bowl):
    result = run(bowl, "gd-fixed", step=1e-9, gtol=1e-14, maxiter=10**12, max_time=0.2)
    assert result.status is Status.MAX_TIME and result.nit > 100


def test_norms(bowl):
    for order in (1, 2, 3, np.inf):
        result = run(bowl, "bfgs", gtol=1e-3, norm=order)
        assert result.optimality == pytest.approx(np.linalg.norm(result.jac, order), rel=1e-12)


@pytest.mark.parametrize("name", ["BFGS", "CG", "L-BFGS-B"])
def test_same_answer_as_scipy(rosen, name):
    for spelling in (name, name.lower()):
        ours = minimize(rosen.jitted, rosen.x0, jac=True, method=spelling)
        theirs = scipy.optimize.minimize(rosen.jitted, rosen.x0, jac=True, method=name)
        assert ours.success and theirs.success
        assert np.allclose(ours.x, theirs.x, atol=1e-4)


def test_default_method(rosen):
    value, gradient = (lambda x: rosen.python(x)[0]), (lambda x: rosen.python(x)[1])
    bounds = [(-2.0, 1.0)] * 4
    for given, method, gtol in (
        ({"jac": True}, "bfgs", 1e-8),
        ({}, "bfgs", 1e-5),
        ({"jac": gradient, "hess": rosen.hess.py_func}, "newton", 1e-8),
        ({"hess": rosen.hess.py_func}, "newton", 1e-5),
        ({"jac": True, "bounds": bounds}, "bfgs", 1e-8),
        ({"jac": "3-point", "bounds": bounds}, "bfgs", 1e-5),
        ({"jac": gradient, "hess": rosen.hess.py_func, "bounds": bounds}, "newton", 1e-8),
        ({"jac": True, "tol": 1e-3}, "bfgs", 1e-3),
        ({"jac": True, "options": {"gtol": 1e-4}}, "bfgs", 1e-4),
        ({"jac": True, "options": {"maxiter": 4}}, "bfgs", 1e-8),
    ):
        fun = rosen.python if given.get("jac") is True else value
        default = minimize(fun, rosen.x0, **given)
        options = {"gtol": gtol, **given.pop("options", {})}
        given.pop("tol", None)
        named = minimize(fun, rosen.x0, method=method, options=options, **given)
        assert np.array_equal(default.x, named.x) and default.nfev == named.nfev
    large = minimize(lambda x: (float(x @ x), 2.0 * x), np.ones(201), jac=True)
    assert large.state[0] == "lbfgs" and large.success


@pytest.mark.parametrize(
    ("n", "given", "bounded", "method", "warns"),
    [
        (1001, "hess", False, "trust-ncg", False),
        (1001, "hess", True, "lbfgs", True),
        (200, "hessp", True, "newton", False),
        (201, "hessp", False, "trust-ncg", False),
        (201, "hessp", True, "lbfgs", True),
    ],
)
def test_second_derivatives_are_used_by_default_or_said_not_to_be(n, given, bounded, method, warns):
    second = {"hess": lambda x: 2.0 * np.eye(n), "hessp": lambda x, p: 2.0 * p}[given]
    bounds = [(0.0, 2.0)] * n if bounded else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = minimize(lambda x: (float(x @ x), 2.0 * x), np.ones(n), jac=True, bounds=bounds, **{given: second})
    assert result.success and result.state[0] == method
    text = f"method 'lbfgs', chosen for so many variables, makes no use of {given}; 'newton' does"
    assert [str(w.message) for w in caught] == ([text] if warns else [])


def test_bfgs_inverse_hessian(bowl):
    result = run(bowl, "bfgs", gtol=1e-10)
    assert np.allclose(result.hess_inv, np.diag([1.0, 0.5, 1.0 / 3.0]), atol=1e-3)
    again = minimize(bowl.jitted, bowl.x0, jac=True, options={"hess_inv0": np.diag([1.0, 0.5, 1.0 / 3.0])})
    assert again.nit == 1 and again.success


def test_lbfgs_inverse_hessian(rosen):
    """It fulfils the secant equation of the last step."""
    result = minimize(rosen.jitted, rosen.x0, jac=True, method="lbfgs", options={"return_all": True, "gtol": 1e-3})
    s = result.allvecs[-1] - result.allvecs[-2]
    y = rosen.python(result.allvecs[-1])[1] - rosen.python(result.allvecs[-2])[1]
    assert isinstance(result.hess_inv, scipy.optimize.LbfgsInvHessProduct)
    assert np.allclose(result["hess_inv"] @ y, s, rtol=1e-6)
    start = minimize(rosen.jitted, rosen.x0, jac=True, method="lbfgs", options={"maxiter": 0})
    assert np.array_equal(start.hess_inv.todense(), np.eye(rosen.x0.size))
    with pytest.raises(KeyError):
        minimize(rosen.jitted, rosen.x0, jac=True, method="cg")["hess_inv"]


def test_newton_with_exact_hessian(rosen):
    jac = lambda x: rosen.python(x)[1]  # noqa: E731
    value = lambda x: rosen.python(x)[0]  # noqa: E731
    for name in ("newton", "newton-damped", "saddle-free-newton"):
        result = minimize(value, rosen.x0, jac=jac, hess=rosen.hess.py_func, method=name)
        differences = minimize(rosen.jitted, rosen.x0, jac=True, method=name)
        assert result.success and result.nhev == result.nit
        assert np.allclose(result.x, differences.x, atol=1e-5)


def test_saddle_free_newton_leaves_a_saddle():
    def saddle(x):
        return x[0] ** 2 - x[1] ** 2 + 0.25 * x[1] ** 4, np.array([2.0 * x[0], -2.0 * x[1] + x[1] ** 3])

    result = minimize(saddle, [1.0, 1e-3], jac=True, method="saddle-free-newton")
    assert result.success and result.fun == pytest.approx(-1.0, abs=1e-9) and result.nit <= 15


def test_line_minimisation_on_a_quadratic_is_steepest_descent(bowl):
    result = run(bowl, "gd", gtol=1e-9, line_tol=1e-10, history=True, return_all=True)
    # consecutive gradients are orthogonal after exact line minimisation
    g = [bowl.python(x)[1] for x in result.allvecs[:6]]
    for a, b in zip(g, g[1:], strict=False):
        assert abs(a @ b) <= 1e-6 * np.linalg.norm(a) * np.linalg.norm(b)


def test_schedules_follow_their_formula():
    def flat(x):
        return x[0], np.ones(1)

    def steps(name, **options):
        history = minimize(flat, [0.0], jac=True, method=name,
                           options={"history": True, "maxiter": 6, "f_lower": -1e9, **options}).history  # fmt: skip
        return history["step"][1:]

    t = np.arange(6)
    assert np.allclose(steps("gd-decay", step=0.5, kappa=0.25), 0.5 / (1 + 0.25 * t))
    assert np.allclose(steps("gd-drop", step=0.5, drop=0.1, drop_every=2), 0.5 * 0.1 ** (t // 2))
    assert np.allclose(steps("gd-fixed", step=0.5), 0.5)


def test_lbfgs_keeps_no_rejected_pair():
    """A pair without curvature once overwrote the oldest of a full memory, whose rho stayed behind."""
    n, m = 4, 3
    rejected = 0

    def f(x):
        return float(np.sum(np.sin(3.0 * x)) + 0.01 * x @ x), 3.0 * np.cos(3.0 * x) + 0.02 * x

    for seed in range(30):
        x0 = np.random.default_rng(seed).uniform(-4.0, 4.0, n)
        for steps in range(m, 12):
            options = {"maxiter": steps, "maxcor": m, "line_search": "armijo", "gtol": 0.0}
            _, _, c, _, w = minimize(f, x0, jac=True, method="lbfgs", options=options).state
            S = w[slots.N_COMMON * n :][: m * n].reshape(m, n)
            Y = w[(slots.N_COMMON + m) * n :][: m * n].reshape(m, n)
            rho = w[(slots.N_COMMON + 2 * m) * n :][:m]
            kept = [(c[slots.HEAD] - 1 - k) % m for k in range(c[slots.PAIRS])]
            rejected += c[slots.PAIRS] < m
            assert np.allclose(rho[kept] * np.sum(S[kept] * Y[kept], axis=1), 1.0, rtol=1e-12)
    assert rejected > 0


@pytest.mark.parametrize(
    "x", [[1.0, -3.0, 2.0], [1.0, math.nan, -math.inf], [-math.inf, 1.0], [-0.0, 0.0], [-math.nan]]
)
def test_norm_inf(x):
    compiled = numba.njit(lambda x: norm_inf(x))
    x = np.array(x)
    expected = np.linalg.norm(x, np.inf)
    assert np.array_equal([compiled(x), norm_inf(x)], [expected, expected], equal_nan=True)


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
def test_differences_lost_in_rounding_are_no_minimum(jac):
    # at the start f = 1e16, which a step of 1e-8 changes by less than a rounding error
    result = minimize(lambda x: (x[0] - 1e8) ** 2 + (x[1] - 1e-8) ** 2, [0.0, 0.0], jac=jac)
    assert result.nit > 0 and abs(result.x[0] - 1e8) < 2.0


@pytest.mark.parametrize("name", ["momentum", "nesterov", "barzilai-borwein", "gd-fixed"])
def test_where_the_gradient_test_holds_is_what_is_reported(bowl, name):
    for gtol in (1e-1, 1e-2, 1e-3):
        options = {"gtol": gtol, "step": 0.1, "momentum": 0.9}
        options = {key: value for key, value in options.items() if key in defaults(METHODS[name])}
        result = minimize(bowl.python, bowl.x0, jac=True, method=name, options=options)
        assert result.status is Status.GRADIENT and result.optimality <= gtol
        assert np.abs(bowl.python(result.x)[1]).max() == result.optimality


def test_options_are_read_anew_where_they_are_no_plain_numbers(rosen):
    """What a run begins with is kept for the same plain options: no warning and no error may be lost with it."""
    plain = {"maxiter": 1, "gtol": 1e-3}
    assert [numopt.minimize(rosen.python, rosen.x0, jac=True, options=plain).nit for _ in range(3)] == [1, 1, 1]
    plain["maxiter"] = 2
    assert numopt.minimize(rosen.python, rosen.x0, jac=True, options=plain).nit == 2
    with pytest.raises(TypeError, match="'maxiter' must be an integer"):
        numopt.minimize(rosen.python, rosen.x0, jac=True, options={"maxiter": True, "gtol": 1e-3})
    for _ in range(2):
        with pytest.warns(match="unknown option 'nonsense'"):
            numopt.minimize(rosen.python, rosen.x0, jac=True, options={"nonsense": 1})
