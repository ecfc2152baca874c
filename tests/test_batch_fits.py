"""Batches of fits and of sums of squares: each problem as by the single call, to the last bit."""

import os
import signal
import threading
import warnings

import numpy as np
import pytest
from numba import njit

from numopt import (
    LeastSquaresStatus,
    OptimizeWarning,
    curve_fit,
    curve_fit_batch,
    each,
    least_squares,
    least_squares_batch,
    models,
    problems,
)
from numopt.problems._nist import log_relative_error


@njit
def decay(x, a, b, c):
    """Of a row, and of all of them."""
    return a * np.exp(-b * x) + c


@njit
def decay_jacobian(x, a, b, c):
    J = np.empty((x.size, 3))
    J[:, 0] = np.exp(-b * x)
    J[:, 1] = -a * x * J[:, 0]
    J[:, 2] = 1.0
    return J


@njit
def residuals(p, x, y):
    return decay(x, p[0], p[1], p[2]) - y


@njit
def set_residuals(p, r, x, y):
    for i in range(r.size):
        r[i] = decay(x[i], p[0], p[1], p[2]) - y[i]


@njit
def residuals_jacobian(p, x, y):
    return decay_jacobian(x, p[0], p[1], p[2])


@njit
def plane(x, a, b, c):
    """Of all rows of two predictors."""
    return a * x[0] + np.exp(-b * x[1]) + c


@njit
def relative(x, a, b, c):
    """Each row depends on all of them."""
    return a * np.exp(-b * x / x.max()) + c


@njit
def touchy(x, a, b, c):
    if b > 1.8:
        raise ValueError("too steep")
    return a * np.exp(-b * x) + c


COUNT, ROWS = 20, 24
RNG = np.random.default_rng(3)
X = np.linspace(0.0, 3.0, ROWS)
TRUE = RNG.uniform(0.6, 1.6, (COUNT, 3))
Y = np.array([decay(X, *p) for p in TRUE]) + 0.02 * RNG.standard_normal((COUNT, ROWS))
SIGMA = RNG.uniform(0.5, 2.0, (COUNT, ROWS))
LENGTHS = RNG.integers(6, ROWS + 1, COUNT)
START = np.ones(3)
EXACT = ("cost", "nit", "nfev", "njev")


def same(found, i, one):
    """Whether problem i is the single call's, to the last bit; the covariance but for rounding."""
    x = one.popt if hasattr(one, "popt") else one.x
    np.testing.assert_array_equal(found.x[i], x)
    for name in EXACT:
        assert getattr(found, name)[i] == getattr(one, name), name
    assert (found.status[i], found.success[i]) == (int(one.status), one.success)
    np.testing.assert_array_equal(found.active_mask[i], one.active_mask)
    assert found.active_mask.dtype == int
    if hasattr(one, "pcov"):
        np.testing.assert_allclose(found.covariance[i], one.pcov, rtol=1e-11, atol=0)
        np.testing.assert_allclose(found.stderr[i], one.stderr, rtol=1e-11, atol=0)
    else:
        np.testing.assert_array_equal(found.grad[i], one.grad)
        assert found.optimality[i] == one.optimality


def single(f, x, y, *args, **settings):
    """curve_fit's result, also of a fit without success."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            return curve_fit(f, x, y, *args, **settings)
        except RuntimeError as error:
            return error.result


def compare(f, settings, ys=Y, x=X, p0=START, lengths=None, sigma=None, some=range(0, COUNT, 3), **how):
    found = curve_fit_batch(f, x, ys, p0, None if sigma is None else each(sigma), lengths=lengths, **(settings | how))
    for i in some:
        rows = ROWS if lengths is None else lengths[i]
        start = p0[i] if np.ndim(p0) == 2 else p0
        own = dict(settings)
        if "bounds" in own and np.ndim(own["bounds"][0]) == 2:
            own["bounds"] = tuple(side[i] for side in own["bounds"])
        s = None if sigma is None else sigma[i, :rows]
        same(found, i, single(f, x[..., :rows], ys[i, :rows], start, s, **own))
    return found


BOXES = {"bounds": ([0.0, 0.0, -1.0], [1.2, 3.0, 3.0])}
FITS = {
    "lm": {},
    "marquardt": {"method": "marquardt", "jac": decay_jacobian},
    "gauss-newton": {"method": "gauss-newton", "jac": "3-point"},
    "trf": {"method": "trf"} | BOXES,
    "dogleg": {"method": "dogleg", "loss": "huber", "f_scale": 0.02},
    "dogbox": {"method": "dogbox", "loss": "cauchy", "f_scale": 0.02} | BOXES,
    "bounds": BOXES | {"loss": "soft_l1", "f_scale": 0.02},
    "arctan": {"loss": "arctan", "f_scale": 0.1},
    "poisson": {"likelihood": "poisson"},
    "fixed": {"fixed": {"c": 1.0}, "x_scale": [1.0, 2.0, 3.0]},
    "tied": {"tied": {"c": "2*a - b"}, "absolute_sigma": True},
    "budget": {"max_nfev": 4, "absolute_sigma": True},
    "tolerances": {"ftol": 1e-12, "xtol": None, "gtol": 0.0, "diff_step": 1e-6},
}


@pytest.mark.parametrize("name", FITS)
def test_fits_are_those_of_the_single_call(name):
    sigma = SIGMA if name not in ("poisson", "tied") else None
    lengths = LENGTHS if name not in ("lm", "fixed") else None
    found = compare(decay, FITS[name], lengths=lengths, sigma=sigma)
    assert found.success.all() or name == "budget" or found.success.sum() > COUNT - 3
    # neighbours, threads and chunks make no difference
    again = curve_fit_batch(decay, X, Y[5:7], START, None if sigma is None else each(sigma[5:7]), n_threads=1,
                            lengths=None if lengths is None else lengths[5:7], chunk_size=1, **FITS[name])  # fmt: skip
    for key, array in again._arrays.items():
        np.testing.assert_array_equal(array, getattr(found, key)[5:7], err_msg=key)


def test_bounds_of_each_problem():
    lower, upper = np.full((COUNT, 3), -np.inf), np.full((COUNT, 3), np.inf)
    lower[::2], upper[::2] = 0.0, 1.1
    lower[3], upper[3] = 1.0, [1.0, 2.0, 2.0]  # one of its parameters is fixed
    lower[4], upper[4] = [1.0, -np.inf, 0.9], [1.3, np.inf, np.inf]
    for method in ("lm", "trf"):
        found = compare(decay, {"method": method, "bounds": (lower, upper)}, some=range(8), n_threads=2)
        assert (found.x[::2] <= 1.1).sum() > 20 and (found.x[1::2] > 1.1).any()
        assert found.stderr[3, 0] == 0.0


def test_starts_and_fixed_values_of_each_problem():
    starts = TRUE * RNG.uniform(0.9, 1.1, TRUE.shape)
    found = compare(decay, {"fixed": ["b"]}, p0=starts)
    np.testing.assert_array_equal(found.x[:, 1], starts[:, 1])
    assert (found.stderr[:, 1] == 0.0).all() and (found.stderr[:, 0] > 0.0).all()
    same_p0 = curve_fit_batch(decay, X, Y, {"b": starts[:, 1], "a": 1.0, "c": 1.0}, fixed=["b"])
    assert same_p0.x[3, 1] == starts[3, 1]
    # difference steps follow the sizes at the start
    far = np.column_stack([np.ones((COUNT, 2)), 10.0 ** np.linspace(0, 3, COUNT)])
    compare(decay, {}, ys=Y - TRUE[:, 2:], p0=far)
    starts[2, 1] = np.nan
    assert curve_fit_batch(decay, X, Y, starts, fixed=["b"]).status[2] == LeastSquaresStatus.NAN


def test_predictors_of_each_problem():
    xs = np.sort(RNG.uniform(0.0, 3.0, (COUNT, 2, ROWS)), axis=2)
    ys = np.array([plane(x, *p) for x, p in zip(xs, TRUE, strict=True)]) + 0.01 * RNG.standard_normal((COUNT, ROWS))
    found = curve_fit_batch(plane, each(xs), ys, START, lengths=LENGTHS)
    for i in (0, 7, 19):
        same(found, i, curve_fit(plane, xs[i][:, : LENGTHS[i]], ys[i, : LENGTHS[i]], START))


def test_nan_policy_omit_leaves_out_each_problems_own_rows():
    ys = Y.copy()
    ys[RNG.random(ys.shape) < 0.2] = np.nan
    ys[4] = np.nan
    ys[5, 2:] = np.nan
    found = curve_fit_batch(decay, X, ys, START, each(SIGMA), nan_policy="omit", method="trf", chunk_size=7)
    for i in (0, 1, 2, 3, 6, 13):
        same(found, i, single(decay, X, ys[i], START, SIGMA[i], nan_policy="omit", method="trf"))
    assert found.status[4] == LeastSquaresStatus.NAN
    plain = curve_fit_batch(decay, X, ys, START)
    assert plain.counts()[LeastSquaresStatus.NAN] == np.isnan(ys).any(axis=1).sum()
    with pytest.raises(ValueError, match="NaN in problem 0"):
        curve_fit_batch(decay, X, ys, START, nan_policy="raise")


def test_gaps_of_a_chunk_leave_nothing_behind_for_the_next():
    ys = Y[:9].copy()
    ys[5, 5:15] = np.nan  # chunks: without gaps, with, without
    found = curve_fit_batch(decay, X, ys, START, SIGMA[0], nan_policy="omit", n_threads=1, chunk_size=3)
    for i in (0, 5, 6, 8):
        same(found, i, single(decay, X, ys[i], START, SIGMA[0], nan_policy="omit"))
    found = curve_fit_batch(decay, X, ys[3:], START, SIGMA[0], nan_policy="omit", n_threads=1, chunk_size=3)
    same(found, 3, single(decay, X, ys[6], START, SIGMA[0], nan_policy="omit"))


def test_data_in_float32_and_in_strides(tmp_path):
    small = Y.astype(np.float32)
    wide = np.asfortranarray(small.astype(float))
    kept = np.memmap(tmp_path / "y", np.float32, "w+", shape=small.shape)
    kept[:] = small
    first = curve_fit_batch(decay, X, wide, START)
    for ys in (small, kept):
        np.testing.assert_array_equal(curve_fit_batch(decay, X, ys, START, chunk_size=3).x, first.x)
    result = curve_fit_batch(decay, X, small, START, dtype="float32")
    assert result.x.dtype == result.covariance.dtype == np.float32
    np.testing.assert_array_equal(result.x, first.x.astype(np.float32))


def test_differences_at_once_have_the_same_bits(monkeypatch):
    from numopt.callbacks import models as bound

    first = curve_fit_batch(decay, X, Y, START, jac="3-point")
    monkeypatch.setattr(bound, "_AT_ONCE_BATCH", 0)
    again = curve_fit_batch(decay, X, Y, START, jac="3-point")
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.nfev, again.nfev)


def test_models_guess_for_each_problem():
    model = models.ExponentialDecay() + models.Constant()
    found = curve_fit_batch(model, X, Y[:4])
    assert found.names == model.parameters and found.success.all()
    for i in (0, 3):
        same(found, i, curve_fit(model, X, Y[i]))


def test_a_nist_problem_disturbed_reaches_the_certified_values():
    problem = problems.nist("MGH17")
    starts = problem.starts[1] * RNG.uniform(0.97, 1.03, (8, 5))
    ys = np.tile(problem.response, (8, 1))
    found = curve_fit_batch(problem.function, problem.x, ys, starts, jac=problem.model_jacobian)
    assert found.success.all() and np.unique(found.nfev).size > 1
    for x, error in zip(found.x, found.stderr, strict=True):
        assert log_relative_error(x, problem.certified).min() >= 6
        assert log_relative_error(error, problem.deviations).min() >= 5


SQUARES = {
    "lm": {"jac": residuals_jacobian},
    "trf": {"method": "trf", "loss": "soft_l1", "f_scale": 0.02} | BOXES,
    "dogbox": {"method": "dogbox", "jac": "3-point", "options": {"tied": {2: "x0 - 0.5*x1"}}},
    "geodesic": {"options": {"geodesic": True}, "x_scale": "jac"},
    "fixed": {"options": {"fixed": [1]}},
}


@pytest.mark.parametrize("name", SQUARES)
def test_sums_of_squares_are_those_of_the_single_call(name):
    settings = SQUARES[name]
    found = least_squares_batch(residuals, START, args=(each(np.tile(X, (COUNT, 1)), LENGTHS), each(Y, LENGTHS)),
                                chunk_size=7, **settings)  # fmt: skip
    for i in range(0, COUNT, 4):
        k = LENGTHS[i]
        one = least_squares(residuals, START, args=(X[:k], Y[i, :k]), **settings)
        same(found, i, one)
        free = [j for j in range(3) if j not in settings.get("options", {}).get("fixed", [])]
        if "tied" in settings.get("options", {}):
            continue
        C = np.linalg.inv(one.jac[:, free].T @ one.jac[:, free]) * 2.0 * one.cost / (k - len(free))
        np.testing.assert_allclose(found.covariance[i][np.ix_(free, free)], C, rtol=1e-5)


def test_residuals_that_are_set():
    first = least_squares_batch(residuals, START, args=(X, each(Y)))
    for m in (ROWS, np.full(COUNT, ROWS)):
        found = least_squares_batch(set_residuals, START, args=(X, each(Y)), m=m)
        np.testing.assert_array_equal(first.x, found.x)
    found = least_squares_batch(set_residuals, np.tile(START, (COUNT, 1)), args=(X, each(Y)), m=LENGTHS)
    same(found, 3, least_squares(residuals, START, args=(X[: LENGTHS[3]], Y[3, : LENGTHS[3]])))


def test_what_goes_wrong_with_one_problem_is_its_status():
    ys = Y.copy()
    ys[2, 3], ys[6] = np.nan, Y[6] * 1e200  # squares overflow: by the single call, in other units
    ys[8] = decay(X, 1.0, 1.0, 1.0)  # the start is the answer
    found = curve_fit_batch(decay, X, ys, START)
    plain = curve_fit_batch(decay, X, Y, START)
    assert found.status[2] == LeastSquaresStatus.NAN and np.isnan(found.covariance[2]).all()
    same(found, 6, single(decay, X, ys[6], START))
    assert found.cost[8] < 1e-30 and found.success[8]
    others = [i for i in range(COUNT) if i not in (2, 6, 8)]
    np.testing.assert_array_equal(found.x[others], plain.x[others])
    # no degrees of freedom, and what is not determined
    few = curve_fit_batch(decay, X[:3], Y[:2, :3], START)
    assert np.isinf(few.covariance).all() and np.isinf(few.stderr).all()
    flat = curve_fit_batch(decay, X, Y[:2], [1.0, 0.0, 1.0], fixed=["b"])
    assert np.isinf(flat.covariance).all()


def test_a_model_that_raises_for_some():
    with pytest.warns(OptimizeWarning, match=r"1 problem has status FAILED.*problem 1: ValueError: too steep"):
        found = curve_fit_batch(touchy, X, Y[:3], [START, [1.0, 2.0, 1.0], START])
    assert found.status[1] == LeastSquaresStatus.FAILED and found.success[[0, 2]].all()
    same(found, 2, curve_fit(touchy, X, Y[2], START))


def python_touchy(x, a, b, c):
    return touchy.py_func(x, a, b, c)


def test_a_bad_problem_of_those_that_go_one_by_one_spoils_no_other():
    ys = Y[:4].copy()
    ys[3, 2:] = np.nan
    for how in ({"lengths": [ROWS, ROWS, ROWS, 1]}, {"nan_policy": "omit"}):
        with pytest.warns(OptimizeWarning, match="1 problem has status FAILED.*at least as many data points"):
            found = curve_fit_batch(decay, X, ys if "nan_policy" in how else Y[:4], START, **how)
        assert found.status[3] == LeastSquaresStatus.FAILED and found.success[:3].all()
    bad = [1.0, 2.0, 1.0]
    with pytest.warns(OptimizeWarning, match="1 problem has status FAILED.*too steep"):
        found = curve_fit_batch(python_touchy, X, Y[:2], [bad, START])
    assert found.status[0] == LeastSquaresStatus.FAILED and found.success[1]
    with pytest.warns(OptimizeWarning), pytest.raises(ValueError, match="too steep"):
        curve_fit_batch(python_touchy, X, Y[:2], bad)


def test_one_fit_gone_astray_is_looked_at_alone(monkeypatch):
    from numopt.optimize import _batch_squares_data as data

    plain, whole = curve_fit_batch(decay, X, Y[:4], START), data.ModelRun.separable
    ends = {2}
    monkeypatch.setattr(
        data.ModelRun, "separable", lambda run, i, p: i not in ends or (p == START).all() or not whole(run, i, p)
    )
    found = curve_fit_batch(decay, X, Y[:4], START)
    assert np.isfinite(found.grad[[0, 1, 3]]).all() and np.isnan(found.grad[2]).all() and found.success.all()
    np.testing.assert_array_equal(found.x, plain.x)
    ends |= {1}  # of more than one that have converged: all by the single call, which has no grad
    assert np.isnan(curve_fit_batch(decay, X, Y[:4], START).grad).all()


def test_models_that_go_one_by_one():
    long = np.linspace(0.0, 3.0, 300)  # slices of it have other maxima
    ys = np.array([relative(long, *p) for p in TRUE[:3]]) + 0.01 * RNG.standard_normal((3, 300))
    found = curve_fit_batch(relative, long, ys, START)
    same(found, 1, curve_fit(relative, long, ys[1], START))
    assert np.abs(found.x - TRUE[:3]).max() < 0.1
    covariance = np.diag(SIGMA[0]) + 0.1
    found = curve_fit_batch(decay, X, Y[:2], START, covariance, loss="linear")
    same(found, 1, curve_fit(decay, X, Y[1], START, covariance))
    with pytest.warns(OptimizeWarning, match="Python function.*numba.njit"):
        found = curve_fit_batch(decay.py_func, X, Y[:2], START, lengths=[9, 20])
    same(found, 0, curve_fit(decay.py_func, X[:9], Y[0, :9], START))
    with pytest.warns(OptimizeWarning, match="Python function"):
        found = least_squares_batch(residuals.py_func, START, args=(X, each(Y[:2])))
    one = least_squares(residuals.py_func, START, args=(X, Y[1]))
    np.testing.assert_array_equal(found.x[1], one.x)
    C = np.linalg.inv(one.jac.T @ one.jac) * 2.0 * one.cost / (ROWS - 3)
    np.testing.assert_allclose(found.covariance[1], C, rtol=1e-7)


def test_no_problem_one_problem_and_no_time():
    none = curve_fit_batch(decay, X, Y[:0], START)
    assert none.x.shape == (0, 3) and none.covariance.shape == (0, 3, 3) and len(none) == 0
    assert len(least_squares_batch(residuals, np.empty((0, 3)), args=(X, each(Y[:0])))) == 0
    one = curve_fit_batch(decay, X, Y[:1], START, covariance=False)
    assert one.success.all() and one.pcov is None
    assert set(one[0]) >= {"x", "cost", "names", "message"}
    late = curve_fit_batch(decay, X, Y, START, max_time=0.0)
    assert set(late.counts()) <= {LeastSquaresStatus.NOT_RUN, LeastSquaresStatus.MAX_TIME}


def test_ctrl_c_hands_over_what_is_finished():
    rows = 20000
    ys, many = np.tile(Y[0], (rows, 1)), threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    many.start()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            for _ in range(100):
                curve_fit_batch(decay, X, ys, START, n_threads=1)
    finally:
        many.cancel()
    if hasattr(caught.value, "result"):  # it may come between two calls
        found = caught.value.result
        done = found.success
        np.testing.assert_array_equal(found.x[done], np.tile(curve_fit(decay, X, Y[0], START).popt, (done.sum(), 1)))
        assert np.isnan(found.covariance[found.status == LeastSquaresStatus.NOT_RUN]).all()


def test_results_can_be_taken_apart():
    found = curve_fit_batch(decay, X, Y, START)
    part = found[found.cost < np.median(found.cost)]
    assert len(part) == COUNT // 2 and part.names == ("a", "b", "c") and part.popt.shape == part.stderr.shape
    assert found[3].cost == found.cost[3] and found[3].covariance.shape == (3, 3)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"ys": Y[0]}, ValueError, r"Y must have shape \(n_problems, m\)"),
        ({"ys": np.ma.masked_array(Y)}, TypeError, "Y must be no masked array"),
        (
            {"foo": 1},
            TypeError,
            r"curve_fit_batch\(\) got an unexpected keyword argument 'foo'; known are (?!.*verbose)",
        ),
        ({"x": X[:5]}, ValueError, "xdata and Y have different lengths"),
        ({"x": each(np.ones((3, ROWS)))}, ValueError, "xdata holds 3 problems, Y has 20"),
        ({"p0": np.ones((2, 3))}, ValueError, "p0 holds 2 problems, Y has 20"),
        ({"p0": np.ones(4)}, ValueError, "p0 has 4 values"),
        ({"sigma": SIGMA}, ValueError, r"mark it by each\(sigma\)"),
        ({"sigma": each(-SIGMA)}, ValueError, r"sigma must be positive; sigma\[0, 0\]"),
        ({"likelihood": "poisson", "ys": -Y}, ValueError, r"needs counts.*Y\[0, 0\]"),
        ({"lengths": np.zeros(COUNT, int)}, ValueError, r"lengths\[0\] is 0"),
        ({"bounds": (2.0, 3.0)}, ValueError, "p0 is infeasible: a = 1 of problem 0"),
        ({"bounds": (np.ones((2, 3)), 3.0)}, ValueError, "the lower bounds must have shape"),
        ({"x": np.full(ROWS, np.nan)}, ValueError, "xdata must not contain"),
        ({"callback": print}, TypeError, "takes no callback"),
        ({"options": {"max_time": 1.0}}, TypeError, "argument of a batch"),
        ({"ys": Y[:, :2], "x": X[:2]}, TypeError, "at least as many data points"),
        ({"nan_policy": "drop"}, ValueError, "nan_policy"),
        ({"ys": Y.astype(complex)}, TypeError, "Y must be real"),
    ],
)
def test_bad_input_is_named(change, error, text):
    given = {"x": X, "ys": Y, "p0": START} | change
    with pytest.raises(error, match=text):
        curve_fit_batch(decay, given.pop("x"), given.pop("ys"), **given)


def test_bad_input_of_sums_of_squares_is_named():
    for change, error, text in (
        ({"X0": np.ones((3, 3))}, ValueError, r"args\[1\] holds 20 problems; there are 3"),
        ({"m": 0}, ValueError, "m must be at least 1"),
        ({"m": [1, 2]}, TypeError, "m must be an integer, or one for each of 20"),
        ({"options": {"history": True}}, TypeError, "'history' makes no sense in a batch"),
        ({"args": (X[:2], each(Y[:, :2]))}, ValueError, "at least as many residuals as variables"),
        ({"bounds": (2.0, 3.0)}, ValueError, r"X0 is infeasible: x\[0\] = 1 of problem 0"),
    ):
        given = {"X0": START, "args": (X, each(Y))} | change
        with pytest.raises(error, match=text):
            least_squares_batch(residuals, **given)
