"""Bad input: one clear error, before any work starts."""

import warnings

import numba
import numpy as np
import pytest
import scipy.optimize

import numopt
from numopt import METHODS, OptimizeWarning, Status, minimize


def bowl(x):
    return float((x**2).sum())


def never(x):
    raise AssertionError("the objective was evaluated")


@pytest.mark.parametrize(
    ("x0", "error", "words"),
    [
        ([], ValueError, "x0 is empty"),
        (["a"], TypeError, "x0 must be real numbers"),
        ([None], TypeError, "x0 must be real numbers"),
        ([1j], TypeError, "complex128"),
        ([[1.0, 2.0]], ValueError, r"x0 must be 1-D; got shape \(1, 2\)"),
        ([[1.0], [1.0, 2.0]], ValueError, "different lengths"),
        ([1.0, np.nan], ValueError, r"x0\[1\] is nan"),
        ([np.inf], ValueError, r"x0\[0\] is inf"),
    ],
)
def test_start(x0, error, words):
    with pytest.raises(error, match=words):
        minimize(never, x0)


@pytest.mark.parametrize(
    "x0", [np.arange(6.0)[::2], np.ones(2, np.float32), [1, 2], (True, False), np.ones(2, ">f8"), 3.0, np.array(3.0)]
)
def test_starts_that_are_fine(x0):
    before = np.array(x0, copy=True)
    result = minimize(bowl, x0)
    assert result.success and result.x.dtype == np.float64 and np.abs(result.x).max() < 1e-5
    assert np.array_equal(before, x0)


@pytest.mark.parametrize(
    ("returned", "error", "words"),
    [
        (np.ones(2), ValueError, r"fun must return a scalar; it returned an array of shape \(2,\)"),
        (1j, TypeError, "fun must return a real number"),
        ("text", TypeError, "fun must return a real number"),
        (None, TypeError, "fun must return a real number"),
    ],
)
def test_values(returned, error, words):
    with pytest.raises(error, match=words):
        minimize(lambda x: returned, [1.0, 2.0])


def test_values_that_are_fine():
    for wrap in (np.float32, np.float64, int, lambda f: np.array([f]), lambda f: np.array(f)):
        assert minimize(lambda x, wrap=wrap: wrap(4.0), [1.0], jac=lambda x: np.zeros(1)).success


@pytest.mark.parametrize(
    ("returned", "error", "words"),
    [
        (np.ones(3), ValueError, r"jac must return an array of shape \(2,\); it returned shape \(3,\)"),
        (np.ones((2, 1)), ValueError, "shape"),
        (1.0, ValueError, "shape"),
        (np.ones(2) * 1j, TypeError, "jac must return real numbers"),
        (["a", "b"], TypeError, "jac must return real numbers"),
    ],
)
def test_gradients(returned, error, words):
    with pytest.raises(error, match=words):
        minimize(bowl, [1.0, 2.0], jac=lambda x: returned)


def test_gradient_dtypes_that_are_fine():
    for dtype in (np.float32, int, object.__class__ and np.float64):
        assert minimize(bowl, [1.0, 2.0], jac=lambda x, dtype=dtype: (2 * x).astype(dtype)).x.shape == (2,)
    assert minimize(bowl, [1.0, 2.0], jac=lambda x: list(2 * x)).success


def test_jitted_shapes_and_types():
    short = numba.njit(lambda x: (x.sum(), x[:1]))
    with pytest.raises(ValueError, match=r"shape \(2,\); it returned shape \(1,\)"):
        minimize(short, [1.0, 2.0], jac=True)
    with pytest.raises(TypeError, match="must return a real number"):
        minimize(numba.njit(lambda x: x), [1.0, 2.0])
    with pytest.raises(TypeError, match=r"must return \(f, g\)"):
        minimize(numba.njit(lambda x: x.sum()), [1.0, 2.0], jac=True)
    with pytest.raises(TypeError, match="1-D array"):
        minimize(numba.njit(lambda x: (x.sum(), 1.0)), [1.0, 2.0], jac=True)
    with pytest.raises(ValueError, match=r"hess must return an array of shape \(2, 2\)"):
        minimize(numba.njit(lambda x: (x @ x, 2 * x)), [1.0, 2.0], jac=True,
                 hess=numba.njit(lambda x: np.eye(3)), method="newton")  # fmt: skip


@pytest.mark.parametrize("body", ["x.nothing", "undefined_name(x)", "x + 'text'"])
def test_what_does_not_compile_is_said_in_one_line(body):
    space: dict = {}
    exec(f"def f(x):\n    return {body}", space)
    with pytest.raises(TypeError, match="fun does not compile for") as caught:
        minimize(numba.njit(space["f"]), [1.0])
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)


def test_arguments_that_do_not_fit():
    with pytest.raises(TypeError, match="fun does not compile"):
        minimize(numba.njit(lambda x, a, b: x.sum()), [1.0], args=(1.0,))
    with pytest.raises(TypeError, match="positional argument"):
        minimize(lambda x, a, b: x.sum(), [1.0], args=(1.0,))


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"method": "bgfs"}, ValueError, "did you mean 'bfgs'"),
        (
            {"method": "COBYLA"},
            ValueError,
            "unknown method 'COBYLA'; with constraints leave method out or use 'sqp'",
        ),
        (
            {"method": "TNC"},
            ValueError,
            "unknown method 'TNC'; use 'lbfgs', 'bfgs' or 'newton' with bounds, 'newton-cg'",
        ),
        ({"method": "nosuch"}, ValueError, "unknown method 'nosuch'; numopt.METHODS lists all$"),
        ({"method": 3}, TypeError, "method must be a string"),
        ({"jac": "4-point"}, ValueError, "jac='4-point' is not known"),
        ({"jac": 3}, TypeError, "jac must be callable"),
        ({"hess": "cs"}, ValueError, "hess='cs'"),
        ({"callback": 3}, TypeError, "callback must be callable"),
        ({"bounds": [(0, 1)]}, ValueError, r"bounds must have length \d, as x0 has; got 1"),
        ({"constraints": {"type": "eq"}}, ValueError, "constraints: the key 'fun' is missing"),
        ({"tol": "small"}, TypeError, "'tol'"),
        ({"tol": -1.0}, ValueError, "at least 0"),
        ({"options": 3}, TypeError, "options must be a dict"),
        ({"options": {"maxiter": "many"}}, TypeError, "'maxiter' must be an integer; got 'many'"),
        ({"options": {"maxiter": 1.5}}, TypeError, "'maxiter' must be an integer"),
        ({"options": {"maxiter": -1}}, ValueError, "'maxiter' must be at least 0"),
        ({"options": {"maxfev": 0}}, ValueError, "'maxfev' must be at least 1"),
        ({"options": {"gtol": float("nan")}}, ValueError, "'gtol' must be at least"),
        ({"options": {"gtol": True}}, TypeError, "'gtol' must be a number"),
        ({"options": {"c1": 0.9, "c2": 0.1}}, ValueError, "0 < c1 < c2 < 1"),
        ({"options": {"line_search": "magic"}}, ValueError, "'strong-wolfe'"),
        ({"options": {"max_time": -1}}, ValueError, "'max_time' must be at least"),
        ({"options": {"disp": "yes"}}, TypeError, "'disp' must be True or False"),
        ({"options": {"eps": 0.0}}, ValueError, "'eps'"),
        ({"options": {"eps": [1e-8, 1e-8, 1e-8]}}, ValueError, "'eps'"),
        (
            {"options": {"initial_step": float("inf")}},
            ValueError,
            "'initial_step' must be positive and finite; got inf",
        ),
        (
            {"method": "pattern-search", "options": {"initial_step": float("inf")}},
            ValueError,
            "'initial_step' must be positive and finite; got inf",
        ),
        ({"method": "random-search", "options": {"seed": 2**63}}, ValueError, r"'seed' must be below 2\*\*63"),
        ({"method": "nelder-mead", "options": {"adaptive": 2}}, TypeError, "'adaptive' must be True or False; got 2"),
        ({"options": {"bounds": [(0, 1)]}}, TypeError, "'bounds' is an argument, not an option"),
        ({"options": {"hess_inv0": np.eye(3)}}, ValueError, "'hess_inv0'"),
        ({"options": {"hess_inv0": -np.eye(2)}}, ValueError, "positive definite"),
    ],
)
def test_settings(kwargs, error, words):
    with pytest.raises(error, match=words):
        minimize(never, [1.0, 2.0], **kwargs)


def test_objective_that_cannot_be_called():
    with pytest.raises(TypeError, match="fun must be callable"):
        minimize(3.0, [1.0])


def test_unknown_option_is_named_and_warned_of():
    with pytest.warns(OptimizeWarning, match="unknown option 'maxitr'.*did you mean 'maxiter'") as caught:
        assert minimize(bowl, [1.0], options={"maxitr": 3}).success
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        minimize(bowl, [1.0], method="L-BFGS-B", options={"maxfun": 50, "maxcor": 5, "iprint": -1, "maxls": 10})


def test_an_option_of_other_methods_is_said_to_be_theirs():
    with pytest.warns(
        OptimizeWarning, match="unknown option 'maxcor' for method 'bfgs' is ignored; it is one of 'lbfgs'"
    ):
        minimize(bowl, [1.0], method="bfgs", options={"maxcor": 3})
    with pytest.warns(OptimizeWarning, match="'line_search' for method 'gd-fixed' is .* of 'gd', 'cg-fr', 'cg-pr' and"):
        minimize(bowl, [1.0], method="gd-fixed", options={"line_search": "armijo", "maxiter": 1})


def test_bounds_as_two_arrays_are_told_how():
    with pytest.raises(ValueError, match=r"give scipy.optimize.Bounds\(lower, upper\)"):
        minimize(never, [0.5] * 3, bounds=(np.zeros(3), np.ones(3)))


@pytest.mark.parametrize("name", METHODS)
def test_maxfun_is_maxfev(name):
    runs = []
    for option in ("maxfun", "maxfev"):
        bare = (lambda x: float((x[0] - 1.0) ** 4 + (x[0] - x[1]) ** 2)) if METHODS[name].values_only else None
        runs.append(minimize(bare or well, [3.0, -2.0], method=name, jac=None if bare else True, options={option: 3}))
    assert runs[0].status is runs[1].status is Status.MAXFEV and runs[0].nfev == runs[1].nfev


def well(x):
    f = (x[0] - 1.0) ** 4 + (x[0] - x[1]) ** 2
    return f, np.array([4.0 * (x[0] - 1.0) ** 3 + 2.0 * (x[0] - x[1]), -2.0 * (x[0] - x[1])])


def test_every_method_accepts_its_options():
    from numopt.catalog import defaults

    for name, row in METHODS.items():
        options = {key: value for key, value in defaults(row).items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert isinstance(minimize(bowl, [0.0], method=name, options=options).status, Status)


def test_scipy_default_tolerances():
    from numopt.catalog import defaults

    assert defaults(METHODS["bfgs"])["gtol"] == defaults(METHODS["cg-pr"])["gtol"] == 1e-5
    lbfgsb = defaults(METHODS["l-bfgs-b"])
    assert (lbfgsb["gtol"], lbfgsb["ftol"], lbfgsb["maxcor"]) == (1e-5, 2.220446049250313e-09, 10)
    assert (lbfgsb["maxfev"], lbfgsb["maxiter"], lbfgsb["maxls"]) == (15000, 15000, 20)


def test_a_million_variables():
    result = minimize(lambda x: (x @ x, 2.0 * x), np.ones(10**6), jac=True, method="lbfgs")
    assert result.success and np.abs(result.x).max() < 1e-5


def test_resume_needs_a_state(tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        numopt.resume(tmp_path / "none.npz", bowl)
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(ValueError, match="no saved run"):
        numopt.resume(tmp_path / "other.npz", bowl)
    with pytest.raises(TypeError, match=r"a result of .* or the path of a saved one, not list"):
        numopt.resume([1], bowl)
    with pytest.raises(ValueError, match="no saved run"):
        numopt.resume(scipy.optimize.OptimizeResult(x=1), bowl)
    minimize(bowl, [1.0]).save(tmp_path / "run.npz")
    whole = (tmp_path / "run.npz").read_bytes()
    for damaged in (b"", b"hello", whole[: len(whole) // 2]):
        (tmp_path / "damaged.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match="or it is damaged"):
            numopt.resume(tmp_path / "damaged.npz", bowl)
    arrays = dict(np.load(tmp_path / "run.npz"))
    for change in ({"method": "nonsense"}, {"c": arrays["c"][:-1]}, {"w": arrays["w"][:-1]}):
        np.savez(tmp_path / "changed.npz", **{**arrays, **change})
        with pytest.raises(ValueError, match="another version"):
            numopt.resume(tmp_path / "changed.npz", bowl)
    with pytest.raises(ValueError, match="no state to save"):
        numopt.OptimizeResult(x=1).save(tmp_path / "x.npz")


def test_resume_of_a_run_with_history():
    """The size of the history was kept, its address was not: a write to address 0."""
    part = minimize(bowl, [3.0, 2.0], options={"maxiter": 1, "history": True})
    assert len(part.history) == 2
    assert numopt.resume(part, bowl, options={"maxiter": 100}).success


def test_resume_of_a_finished_run_evaluates_nothing():
    done = minimize(bowl, [3.0, 2.0])
    assert done.success
    assert numopt.resume(done, never).nfev == done.nfev


def test_hessian_for_a_method_without_use_for_it():
    with pytest.warns(OptimizeWarning, match="'bfgs' makes no use of hess"):
        minimize(bowl, [1.0], hess=lambda x: 2.0 * np.eye(1), method="bfgs")


def test_complex_step_of_a_function_that_drops_the_imaginary_part():
    """The gradient was 0, and the start a solution."""
    with pytest.raises(TypeError, match=r"returns a complex number for complex x; it returned 1\.0"):
        minimize(lambda x: float(abs(x[0])), [1.0], jac="cs")


def test_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        numopt.nonsense  # noqa: B018
