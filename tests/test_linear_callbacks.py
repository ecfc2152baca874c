"""scikit-learn's callbacks: the tasks that the linear models tell them of, and what stops a fit."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

import numopt.linear_model as models

pytest.importorskip("sklearn.callback")


class Recorder:
    """Keeps what it is told; asks to stop once ``enough`` tasks of that name have ended."""

    def __init__(self, enough=10**9):
        self.enough, self.told, self.scores = enough, [], []

    def setup(self, estimator, context):
        self.told.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.told.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        assert isinstance(estimator, GridSearchCV) or (X is not None and y is not None)
        self.told.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.told.append(("end", context.task_name))
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == "iteration" and self.count("end", "iteration") >= self.enough

    def count(self, what, name):
        return self.told.count((what, name))


class Propagated(Recorder):
    max_propagation_depth = None


def data(classes=2):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)[:200, :8]
    return X, y[:200] if classes == 2 else (X[:, 0] > 0).astype(int) + y[:200]


@pytest.mark.parametrize("name", [name for name in models.__all__ if isinstance(getattr(models, name), type)])
@pytest.mark.filterwarnings("ignore")
def test_every_estimator_tells_of_its_fit_once(name):
    X, y = data()
    y = y[:, None] if name.startswith("MultiTask") else y
    recorder = Recorder()
    model = getattr(models, name)().set_callbacks(recorder).fit(X, y)
    assert recorder.told[:2] == [("setup", "fit"), ("begin", "fit")]
    assert recorder.told[-2:] == [("end", "fit"), ("teardown", "fit")]
    assert recorder.count("begin", "fit") == recorder.count("end", "fit") == 1
    assert recorder.scores[-1] == pytest.approx(model.score(X, y))
    assert not [key for key in vars(model) if "callback" in key and key != "_skl_callbacks"]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("options", [{}, {"l1_ratio": 0.5, "solver": "saga"}])
def test_iterations_of_logistic_regression(classes, options):
    X, y = data(classes)
    recorder = Recorder()
    plain = models.LogisticRegression(tol=1e-9, **options).fit(X, y)
    model = models.LogisticRegression(tol=1e-9, **options).set_callbacks(recorder).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-6, atol=1e-9)
    assert recorder.count("begin", "iteration") == recorder.count("end", "iteration") == model.n_iter_[0] > 1
    assert recorder.scores[-1] == recorder.scores[-2]  # the last iteration's is that of the fit


def test_a_callback_stops_the_iterations_without_a_warning():
    X, y = data()
    recorder = Recorder(enough=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = models.LogisticRegression(tol=1e-10).set_callbacks(recorder).fit(X, y)
    assert model.n_iter_[0] == recorder.count("end", "iteration") == 2
    two = models.LogisticRegression(tol=1e-10, max_iter=2)
    with pytest.warns(UserWarning, match="after 2 iterations"):
        two.fit(X, y)
    np.testing.assert_allclose(model.coef_, two.coef_)


@pytest.mark.parametrize("refit", [True, False])
def test_paths_of_cross_validation(refit):
    X, y = data()
    recorder = Recorder()
    options = {"l1_ratios": (0.2, 1.0), "solver": "saga", "scoring": "accuracy", "use_legacy_attributes": False}
    model = models.LogisticRegressionCV(Cs=3, cv=4, refit=refit, **options).set_callbacks(recorder).fit(X, y)
    assert recorder.count("begin", "path") == recorder.count("end", "path") == 8
    assert recorder.count("begin", "refit") == recorder.count("end", "refit") == refit
    assert model.C_ > 0


def test_callbacks_come_from_a_search_and_are_torn_down_after_an_error():
    X, y = data()
    recorder = Propagated()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scikit-learn warns where an estimator has no callbacks
        GridSearchCV(models.Ridge(), {"alpha": [0.1, 1.0]}, cv=3).set_callbacks(recorder).fit(X, y)
    assert recorder.count("setup", "fit") == recorder.count("teardown", "fit") == 1
    for estimator in (models.Lasso(alpha=-1), models.LogisticRegression()):
        recorder = Recorder()
        with pytest.raises(ValueError):
            estimator.set_callbacks(recorder).fit(X, np.full(len(y), np.nan))
        assert recorder.count("setup", "fit") == recorder.count("teardown", "fit") <= 1
        assert not hasattr(estimator, "_callback_fit_ctx")


def test_a_warning_points_to_the_line_of_the_fit():
    X, y = data()
    with pytest.warns(UserWarning) as caught:
        models.LogisticRegression(max_iter=1, tol=1e-12).fit(X, y)
    assert caught[0].filename == __file__
