"""NonlinearRegressor: scikit-learn's checks, weights, losses, searches, what is refused."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.optimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from numopt import models
from numopt.nonlinear_model import NonlinearRegressor


def plane(x, *w):
    """Of any number of features, the first five of which count."""
    return w[0] + np.asarray(w[1:]) @ np.atleast_2d(x)[:5]


def columns(x, *w):
    """The derivatives of the plane."""
    rows = np.atleast_2d(x)[:5]
    return np.column_stack([np.ones(rows.shape[1]), *rows])


def zeros(x, y):
    return np.zeros(1 + len(np.atleast_2d(x)[:5]))


def decay(x, a, k):
    return a * np.exp(-k * x)


def curve(n=40, seed=0, noise=0.02):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 4.0, n)
    return x[:, None], 3.0 * np.exp(-0.7 * x) + noise * rng.standard_normal(n)


def test_check_estimator():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(NonlinearRegressor(plane, p0=zeros, jac=columns))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("model", [decay, models.ExponentialDecay()], ids=["function", "model"])
def test_is_scipys_fit(weighted, absolute, model):
    X, y = curve()
    s = np.random.default_rng(1).integers(0, 4, len(y)).astype(float) if weighted else None
    ours = NonlinearRegressor(model, p0=[1.0, 1.0], absolute_sigma=absolute).fit(X, y, sample_weight=s)
    rows = slice(None) if s is None else s > 0
    popt, pcov = scipy.optimize.curve_fit(
        decay, X[rows, 0], y[rows], [1.0, 1.0], sigma=None if s is None else s[rows] ** -0.5, absolute_sigma=absolute
    )
    np.testing.assert_allclose(ours.popt_, popt, rtol=1e-6)
    np.testing.assert_allclose(ours.pcov_, pcov, rtol=1e-4)
    np.testing.assert_allclose(ours.stderr_, np.sqrt(np.diag(pcov)), rtol=1e-4)
    assert list(ours.params_.values()) == ours.popt_.tolist() and ours.n_iter_ >= 1
    mean, std = ours.predict(X, return_std=True)
    np.testing.assert_allclose(mean, decay(X[:, 0], *popt), rtol=1e-6)
    e = np.exp(-popt[1] * X[:, 0])
    J = np.column_stack([e, -popt[0] * X[:, 0] * e])
    np.testing.assert_allclose(std, np.sqrt(np.einsum("ij,jk,ik->i", J, pcov, J)), rtol=1e-4)
    np.testing.assert_array_equal(mean, ours.predict(X))
    assert list(ours.params_) == (["a", "k"] if model is decay else ["amplitude", "rate"])


def test_two_features_are_the_rows_of_x():
    def surface(x, a, b):
        assert x.shape == (2, x.size // 2) and x.flags.c_contiguous
        return np.exp(a * x[0]) + b * x[1]

    X = np.random.default_rng(0).uniform(-1.0, 1.0, (50, 2))
    fitted = NonlinearRegressor(surface).fit(X, np.exp(0.5 * X[:, 0]) - 2.0 * X[:, 1])
    np.testing.assert_allclose(fitted.popt_, [0.5, -2.0], rtol=1e-6)
    np.testing.assert_allclose(fitted.predict([[1.0, 2.0]]), np.exp(0.5) - 4.0, rtol=1e-6)
    assert fitted.n_features_in_ == 2


def test_a_model_guesses_where_no_start_is_given():
    X, y = curve()
    scale = 1e5
    fitted = NonlinearRegressor(models.ExponentialDecay()).fit(scale * X, y)
    assert fitted.params_["rate"] * scale == pytest.approx(0.7, abs=0.02)


def test_starts_and_bounds_by_name_held_and_tied_parameters():
    X, y = curve()
    model = models.ExponentialDecay()
    fitted = NonlinearRegressor(model, p0={"rate": 1.0}, bounds={"amplitude": (0, 2.5)}).fit(X, y)
    assert fitted.params_["amplitude"] == 2.5 and np.isnan(fitted.stderr_[0])
    held = NonlinearRegressor(model, fixed={"rate": 0.5}).fit(X, y)
    assert held.params_["rate"] == 0.5 and held.stderr_[1] == 0.0
    tied = NonlinearRegressor(model, tied={"amplitude": "4*rate"}).fit(X, y).params_
    assert tied["amplitude"] == pytest.approx(4.0 * tied["rate"])


def test_robust_losses_leave_outliers_alone():
    X, y = curve(60)
    y[::10] += 5.0
    plain = NonlinearRegressor(models.ExponentialDecay()).fit(X, y)
    robust = NonlinearRegressor(models.ExponentialDecay(), loss="soft_l1", f_scale=0.05).fit(X, y)
    assert abs(robust.params_["rate"] - 0.7) < 0.05 < abs(plain.params_["rate"] - 0.7)


def test_pipeline_grid_search_clone_and_pickle():
    X, y = curve(60)
    y[::10] += 5.0
    pipeline = make_pipeline(FunctionTransformer(), NonlinearRegressor(models.ExponentialDecay(), p0=[1.0, 1.0]))
    grid = [
        {
            "nonlinearregressor__loss": ["linear", "cauchy"],
            "nonlinearregressor__f_scale": [0.05, 0.5],
            "nonlinearregressor__p0": [None, [1.0, 1.0]],
        },
        {"nonlinearregressor__model": [models.Linear()], "nonlinearregressor__p0": [None]},
    ]
    search = GridSearchCV(pipeline, grid, cv=KFold(3), scoring="neg_median_absolute_error").fit(X, y)
    assert search.best_params_["nonlinearregressor__loss"] == "cauchy"
    best = search.best_estimator_[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pickle.loads(pickle.dumps(search))
    for row, other in zip(again.predict(X), search.predict(X), strict=True):
        assert row == other
    copy = clone(best)
    assert copy.model == best.model and not hasattr(copy, "params_")
    assert copy.fit(X, y).params_ == best.params_


def test_names_of_columns_are_kept():
    pandas = pytest.importorskip("pandas")
    X, y = curve()
    fitted = NonlinearRegressor(decay).fit(pandas.DataFrame(X, columns=["t"]), y)
    assert fitted.feature_names_in_.tolist() == ["t"]


def test_a_run_that_ends_early_warns_and_keeps_what_it_has():
    X, y = curve()
    with pytest.warns(ConvergenceWarning, match="not found.*maximum number of function evaluations"):
        fitted = NonlinearRegressor(decay, p0=[1.0, 1.0], max_nfev=2).fit(X, y)
    assert np.isfinite(fitted.predict(X)).all() and not fitted.fit_result_.success


def test_a_model_that_raises_shows_its_own_error():
    def broken(x, a):
        raise RuntimeError("no licence")

    X, y = curve()
    with pytest.raises(RuntimeError, match="no licence"):
        NonlinearRegressor(broken).fit(X, y)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"model": None}, TypeError, "model must be one of numopt.models or a function"),
        ({"model": "decay"}, TypeError, "model must be one of numopt.models or a function.*got 'decay' of type str"),
        ({"model": models.Gaussian2D()}, ValueError, r"Gaussian2D\(\) is a model of 2 features; X has 1"),
        ({"p0": [1.0]}, ValueError, "p0 has 1 value"),
        ({"p0": {"speed": 1.0}}, ValueError, "no parameter 'speed'.*a, k"),
        ({"bounds": ([2.0, 0.0], [1.0, 1.0])}, ValueError, "lower bound.*crossed"),
        ({"p0": [3.0, 1.0], "bounds": (0.0, 2.0)}, ValueError, "p0 is infeasible: a = 3 is outside"),
        ({"loss": "square"}, ValueError, "loss must be one of 'linear', 'soft_l1'.*'square'"),
        ({"f_scale": 0.0}, ValueError, "f_scale must be a positive number; got 0.0"),
        ({"method": "newton"}, ValueError, "method must be one of 'lm'.*'newton'"),
        ({"max_nfev": 0}, ValueError, "max_nfev must be a positive integer; got 0"),
        ({"absolute_sigma": "yes"}, ValueError, "absolute_sigma must be True or False, got 'yes'"),
        ({"ftol": -1.0}, ValueError, "ftol must be None or a number >= 0"),
        ({"fixed": ["speed"]}, ValueError, "no parameter 'speed'"),
    ],
)
def test_what_is_refused(options, kind, message):
    X, y = curve()
    with pytest.raises(kind, match=message):
        NonlinearRegressor(**({"model": decay} | options)).fit(X, y)


def test_weights_samples_and_features_that_are_refused():
    X, y = curve()
    model = NonlinearRegressor(decay)
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match="sample_weight must not be negative; the least is -1"):
        model.fit(X, y, sample_weight=np.r_[-1.0, np.ones(39)])
    with pytest.raises(ValueError, match="must hold a positive weight"):
        model.fit(X, y, sample_weight=np.zeros(40))
    with pytest.raises(ValueError, match=r"as many samples as free parameters, 2, got n_samples=1"):
        model.fit(X[:1], y[:1])
    held = NonlinearRegressor(decay, fixed={"k": 0.7}).fit(X[:2], y[:2])
    assert held.params_["k"] == 0.7 and held.stderr_[0] > 0.0
