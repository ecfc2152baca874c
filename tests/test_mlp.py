"""MLPClassifier and MLPRegressor against scikit-learn's, and what they do beyond it."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn import neural_network as sk
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from numopt.kernels.first_order_slots import RULES
from numopt.neural_network import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_digits(return_X_y=True)
X, y = X[:400] / 16, y[:400]
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
NEW = tuple(int(part) for part in sklearn.__version__.split(".")[:2]) >= (1, 7)  # has weights and the Poisson loss
new = pytest.mark.skipif(not NEW, reason="scikit-learn has it from 1.7 on")


def classifier(**params):
    return MLPClassifier(**{"hidden_layer_sizes": (16, 8), "random_state": 0, "batch_size": 50, "max_iter": 10,
                            "learning_rate_init": 0.01, **params})  # fmt: skip


def regressor(**params):
    return MLPRegressor(**{"hidden_layer_sizes": (16, 8), "random_state": 0, "batch_size": 50, "max_iter": 10,
                           "learning_rate_init": 0.01, **params})  # fmt: skip


C, R = "MLPClassifier", "MLPRegressor"
SGD = {"solver": "sgd", "learning_rate_init": 0.1}
LABELS = np.column_stack([y % 2, y > 4, y % 3 == 0]).astype(int)
PARITY = {
    "adam": (C, X, y, {}),
    "sgd": (C, X, y, SGD),
    "sgd, classical momentum": (C, X, y, SGD | {"nesterovs_momentum": False}),
    "sgd without momentum": (C, X, y, SGD | {"momentum": 0.0}),
    "invscaling": (C, X, y, SGD | {"learning_rate": "invscaling", "power_t": 0.3}),
    "adaptive": (C, X, y, SGD | {"learning_rate": "adaptive", "tol": 0.2, "n_iter_no_change": 1}),
    "adam, which has no schedules": (C, X, y, {"learning_rate": "invscaling"}),
    "early stopping": (C, X, y, {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.05, "max_iter": 60}),
    "early stopping, two classes": (C, X, y % 2, {"early_stopping": True, "validation_fraction": 0.3}),
    "binary": (C, X, y % 2, {}),
    "strings": (C, X, np.array(list("abcdefghij"))[y], {}),
    "multilabel": (C, X, LABELS, {"activation": "logistic"}),
    "regression": (R, X, y / 5.0, {"activation": "tanh", "alpha": 0.1}),
    "regression, early stopping": (R, X, y / 5.0, {"early_stopping": True}),
    "poisson": pytest.param((R, X, y, {"loss": "poisson"}), marks=new, id="poisson"),
    "sparse": (C, sp.csr_matrix(X), y, {}),
    "sparse columns": (C, sp.csc_matrix(X), y, {}),
    "not shuffled": (C, X, y, {"shuffle": False}),
    "one layer of none": (C, X, y, {"hidden_layer_sizes": ()}),
    "identity": (C, X, y, {"activation": "identity", "hidden_layer_sizes": 5}),
    "converges": (C, X, y, {"tol": 0.1, "n_iter_no_change": 2, "max_iter": 200}),
    "weights": pytest.param((C, X, y, {"sample_weight": WEIGHTS}), marks=new, id="weights"),
    "weights, early stopping": pytest.param(
        (R, X, y / 5.0, {"sample_weight": WEIGHTS, "early_stopping": True}), marks=new, id="weights, early stopping"
    ),
}


def both(name, params):
    params = {"hidden_layer_sizes": (16, 8), "random_state": 3, "batch_size": 64, "max_iter": 20, **params}
    ours = MLPClassifier if name == C else MLPRegressor
    return getattr(sk, name)(**params), ours(**params)


@pytest.mark.parametrize("case", [p if hasattr(p, "marks") else pytest.param(p, id=k) for k, p in PARITY.items()])
def test_iterates_are_scikit_learns(case):
    name, A, b, params = case
    params = dict(params)
    weights = (params.pop("sample_weight"),) if "sample_weight" in params else ()
    theirs, ours = both(name, params)
    theirs.fit(A, b, *weights)
    ours.fit(A, b, *weights)
    assert len(theirs.loss_curve_) == len(ours.loss_curve_) and theirs.n_iter_ == ours.n_iter_
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    for mine, its in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(mine, its, rtol=0, atol=1e-9)
    for attribute in ("loss_", "best_loss_", "best_validation_score_", "validation_scores_"):
        mine, its = getattr(ours, attribute), getattr(theirs, attribute)
        assert (mine is None) == (its is None)
        assert its is None or mine == pytest.approx(its, rel=1e-9)
    for attribute in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    if name == C:
        assert (ours.predict(A) == theirs.predict(A)).all() and (ours.classes_ == theirs.classes_).all()
        np.testing.assert_allclose(ours.predict_proba(A), theirs.predict_proba(A), atol=1e-9)
        np.testing.assert_allclose(ours.predict_log_proba(A), theirs.predict_log_proba(A), rtol=1e-6)
    else:
        np.testing.assert_allclose(ours.predict(A), theirs.predict(A), atol=1e-8)
    assert ours.score(A, b) == pytest.approx(theirs.score(A, b))


def test_float32_stays_float32_and_near_scikit_learns():
    theirs, ours = both(C, {"max_iter": 5})
    A = X.astype(np.float32)
    np.testing.assert_allclose(ours.fit(A, y).loss_curve_, theirs.fit(A, y).loss_curve_, rtol=1e-4)
    for mine, its in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, its, atol=1e-4)
    assert ours.predict_proba(A).dtype == np.float32


def test_partial_fit_and_warm_start_are_scikit_learns():
    for solver in ({}, SGD | {"learning_rate": "invscaling"}):
        theirs, ours = both(C, {"max_iter": 3, **solver})
        for part in (slice(0, 150), slice(150, 400), slice(0, 130)):
            for model in (theirs, ours):
                model.partial_fit(X[part], y[part], classes=np.unique(y))
        np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], atol=1e-9)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
        theirs, ours = both(C, {"max_iter": 3, "warm_start": True, **solver})
        for _ in range(3):
            theirs.fit(X, y)
            ours.fit(X, y)
        np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], atol=1e-9)
        assert ours.loss_curve_ == pytest.approx(theirs.loss_curve_) and ours.t_ == theirs.t_


def test_partial_fit_after_fit_goes_on_with_its_trainer():
    theirs, ours = both(R, {"max_iter": 3})
    for model in (theirs, ours):
        model.fit(X, y).partial_fit(X[:100], y[:100])
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], atol=1e-9)


def test_the_loss_of_several_outputs_is_their_mean():
    theirs, ours = both(R, {"alpha": 0.0, **SGD, "learning_rate_init": 0.01})
    Y = np.column_stack([y / 5.0, X[:, 20]])
    np.testing.assert_allclose(ours.fit(X, Y).loss_curve_, theirs.fit(X, Y).loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-9)


def test_verbose_says_what_scikit_learn_says(capsys):
    for params in ({"early_stopping": True, "tol": 0.1, "n_iter_no_change": 2, "max_iter": 40},
                   SGD | {"learning_rate": "adaptive", "tol": 0.2, "n_iter_no_change": 1}):  # fmt: skip
        theirs, ours = both(C, params | {"verbose": True})
        theirs.fit(X, y)
        expected = capsys.readouterr().out
        ours.fit(X, y)
        assert capsys.readouterr().out == expected and "Iteration 1, loss = " in expected


@pytest.mark.parametrize("estimator", [
    MLPClassifier(max_iter=30),
    MLPRegressor(max_iter=100, learning_rate_init=0.01),
    MLPClassifier(solver="sgd", max_iter=20, learning_rate_init=0.1, hidden_layer_sizes=(20,)),
    MLPRegressor(solver="nadam", loss="huber", max_iter=100, learning_rate_init=0.01, activation="gelu"),
    MLPClassifier(solver="rmsprop", max_iter=60, averaging="plain", learning_rate_init=0.01, hidden_layer_sizes=(20,)),
    MLPClassifier(solver="adamw", max_iter=60, alpha_l1=1e-3, clip_norm=1.0, learning_rate_init=0.01, init="auto"),
], ids=lambda e: f"{type(e).__name__}-{e.solver}")  # fmt: skip
def test_check_estimator(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(estimator)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("schedule", ["constant", "adaptive", "cosine"])
def test_every_rule_lowers_the_loss(rule, schedule):
    rate = {"adadelta": 1.0, "sgd": 0.1, "delta-bar-delta": 0.1}.get(rule, 0.01)
    params = {"rho": 0.9} if rule == "adadelta" else {}
    model = classifier(solver=rule, learning_rate=schedule, learning_rate_init=rate, max_iter=8, solver_params=params,
                       epsilon=1e-6).fit(X, y)  # fmt: skip
    assert model.loss_curve_[-1] < 0.9 * model.loss_curve_[0] and np.isfinite(model.gradient_norm_curve_).all()
    last = model.learning_rate_curve_[-1]
    assert last < 0.1 * rate if schedule == "cosine" else last == rate


@pytest.mark.parametrize(("schedule", "params", "rates"), [
    ("step", {"drop": 0.1, "drop_every": 2}, [1, 1, 0.1, 0.1, 0.01]),
    ("exponential", {"gamma": 0.5}, 0.5 ** (np.arange(1, 6) - 1 / 8)),
    ("inverse-time", {"kappa": 2.0}, 1 / (1 + 2.0 * (np.arange(1, 6) - 1 / 8))),
    ("invscaling", {}, [1, *(1 / (400 * np.arange(1, 5) + 1) ** 0.5)]),
    (lambda epoch: 0.01 / (epoch + 1), {}, 1 / np.arange(1, 6)),
    ("cosine", {}, 0.5 + 0.5 * np.cos(np.pi * (np.arange(1, 6) - 1 / 8) / 5)),
    ("constant", {"warmup": 2}, [0.5, 1, 1, 1, 1]),
])  # fmt: skip
def test_schedules(schedule, params, rates):
    model = classifier(solver="momentum", learning_rate=schedule, schedule_params=params, max_iter=5).fit(X, y)
    np.testing.assert_allclose(model.learning_rate_curve_, 0.01 * np.array(rates), rtol=1e-12)


class TestWeights:
    def test_class_weight_is_a_weight_of_samples(self):
        uneven = np.minimum(y, 2)
        for given, weights in (({0: 3.0, 1: 0.5, 2: 1.0}, np.choose(uneven, [3.0, 0.5, 1.0])),
                               ("balanced", len(y) / 3 / np.bincount(uneven)[uneven])):  # fmt: skip
            first = classifier(class_weight=given).fit(X, uneven)
            np.testing.assert_allclose(first.coefs_[0], classifier().fit(X, uneven, weights).coefs_[0], atol=1e-12)
            both = classifier(class_weight=given).fit(X, uneven, WEIGHTS)
            np.testing.assert_allclose(both.loss_, classifier().fit(X, uneven, weights * WEIGHTS).loss_, rtol=1e-12)

    def test_several_labels(self):
        given = [{0: 1, 1: 3}, {0: 1, 1: 1}, {0: 2, 1: 1}]
        weights = np.where(LABELS[:, 0], 3, 1) * np.where(LABELS[:, 2], 1, 2)
        first = classifier(class_weight=given).fit(X, LABELS)
        np.testing.assert_allclose(first.coefs_[0], classifier().fit(X, LABELS, weights).coefs_[0], atol=1e-12)
        assert classifier(class_weight="balanced").fit(X, LABELS).score(X, LABELS) >= 0

    def test_they_do_not_weigh_scores_nor_change_the_type(self):
        model = classifier(class_weight={1: 50.0}, early_stopping=True, max_iter=2).fit(X.astype(np.float32), y % 2)
        held_out = model._run.held_out
        assert model.best_validation_score_ == model.score(X[held_out], (y % 2)[held_out])
        assert model.coefs_[0].dtype == np.float32

    def test_balance_helps_the_rare_class(self):
        rare = (y == 8).astype(int)
        plain, balanced = (classifier(class_weight=w, max_iter=6).fit(X, rare) for w in (None, {0: 1, 1: 20}))
        assert balanced.predict(X).sum() > plain.predict(X).sum()

    def test_zero_is_as_good_as_leaving_out(self):
        keep = np.arange(len(y)) % 3 > 0
        for params in ({}, {"early_stopping": True}):
            left_out = classifier(**params).fit(X[keep], y[keep], np.full(keep.sum(), 2.0))
            zero = classifier(**params).fit(X, y, 2.0 * keep)
            np.testing.assert_array_equal(left_out.coefs_[0], zero.coefs_[0])

    def test_labels_that_only_weightless_samples_have_are_classes(self):
        assert classifier(max_iter=1).fit(X, y, y != 3).classes_.tolist() == list(range(10))


class TestValidation:
    Xv, yv = X[300:], y[300:]

    def test_a_validation_set_of_ones_own(self):
        model = classifier(max_iter=15).fit(X[:300], y[:300], X_val=self.Xv, y_val=self.yv)
        assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 15
        assert model.validation_scores_[-1] == accuracy_score(self.yv, model.predict(self.Xv))
        assert model.validation_loss_curve_[-1] == pytest.approx(log_loss(self.yv, model.predict_proba(self.Xv)))
        assert model.best_validation_score_ == max(model.validation_scores_)
        plain = classifier(max_iter=15).fit(X[:300], y[:300])
        np.testing.assert_array_equal(plain.coefs_[0], model.coefs_[0])  # it only looks on
        assert plain.validation_scores_ is None

    def test_early_stopping_on_it_keeps_the_best_weights(self):
        model = classifier(max_iter=200, early_stopping=True, n_iter_no_change=3)
        model.fit(X[:300], y[:300], X_val=self.Xv, y_val=self.yv)
        assert model.status_ == "early_stopping" and "Validation score did not improve" in model.message_
        assert model.score(self.Xv, self.yv) == model.best_validation_score_ == max(model.validation_scores_)
        assert len(model.loss_curve_) > np.argmax(model.validation_scores_) + 1

    @pytest.mark.parametrize("kind", ["multilabel", "binary", "regression", "sparse", "poisson"])
    def test_scores_are_those_of_score(self, kind):
        make = regressor if kind in ("regression", "poisson") else classifier
        params = {"loss": "poisson"} if kind == "poisson" else {}
        A = sp.csr_matrix(X) if kind == "sparse" else X
        b = {"multilabel": LABELS, "binary": np.where(y > 4, "a", "b")}.get(kind, y)
        model = make(max_iter=4, **params).fit(A[:300], b[:300], X_val=X[300:], y_val=b[300:])
        assert model.validation_scores_[-1] == pytest.approx(model.score(A[300:], b[300:]), abs=1e-12)

    def test_it_needs_both_and_the_same_width_and_classes(self):
        fit = classifier().fit
        with pytest.raises(ValueError, match="X_val and y_val go together"):
            fit(X, y, X_val=X)
        with pytest.raises(ValueError, match="X_val has 10 features, but X has 64"):
            fit(X, y, X_val=X[:, :10], y_val=y)
        with pytest.raises(ValueError, match="'y_val' has"):
            fit(X, y, X_val=X, y_val=y + 1)
        with pytest.raises(ValueError, match="Input X_val contains NaN"):
            fit(X, y, X_val=np.full_like(X, np.nan), y_val=y)
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            fit(X, y, X_val=X[:3], y_val=y)


class TestLosses:
    def test_huber_lies_between_squared_and_absolute_error(self):
        target = y + 40.0 * (np.arange(len(y)) % 17 == 0)  # outliers
        scores = {}
        for loss in ("squared_error", "huber", "absolute_error"):
            model = regressor(loss=loss, max_iter=60, solver="adam").fit(X, target)
            scores[loss] = np.median(abs(model.predict(X) - y))
        assert scores["absolute_error"] < scores["squared_error"] and scores["huber"] < scores["squared_error"]
        wide = regressor(loss="huber", huber_delta=1e6).fit(X, target)
        np.testing.assert_allclose(wide.coefs_[0], regressor().fit(X, target).coefs_[0], atol=1e-10)

    def test_poisson_predicts_positive_means(self):
        model = regressor(loss="poisson", max_iter=40).fit(X, y)
        assert model.predict(X).min() > 0 and model.predict(X).mean() == pytest.approx(y.mean(), rel=0.1)
        assert model.out_activation_ == "exp"

    def test_l1_makes_weights_small(self):
        assert (
            abs(classifier(alpha_l1=2.0).fit(X, y).coefs_[0]).sum() < 0.5 * abs(classifier().fit(X, y).coefs_[0]).sum()
        )


class TestRegularization:
    def test_batch_norm(self):
        model = classifier(batch_norm=True, max_iter=30).fit(X, y)
        assert (
            model.score(X, y) > 0.97 and len(model.gammas_) == len(model.running_mean_) == len(model.running_var_) == 2
        )
        assert np.ptp(model.gammas_[0]) > 0 and (model.running_var_[0] != 1).all()

    def test_dropout_is_for_training_only(self):
        model = classifier(dropout=(0.5, 0.0), max_iter=3).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
        again = classifier(dropout=(0.5, 0.0), max_iter=3).fit(X, y)
        np.testing.assert_array_equal(model.coefs_[0], again.coefs_[0])
        assert not np.array_equal(model.coefs_[0], classifier(max_iter=3).fit(X, y).coefs_[0])
        np.testing.assert_array_equal(
            classifier(dropout=0.0, max_iter=3).fit(X, y).coefs_[0], classifier(max_iter=3).fit(X, y).coefs_[0]
        )

    def test_clipping_bounds_the_step(self):
        start = classifier(solver="sgd", momentum=0.0, learning_rate_init=1e-300).fit(X, y)
        params = {"solver": "sgd", "momentum": 0.0, "max_iter": 1, "learning_rate_init": 1.0, "batch_size": 400}
        for clip, order, bound in (({"clip_norm": 1e-3}, 2, 1e-3), ({"clip_value": 1e-5}, np.inf, 1e-5)):
            model = classifier(**params, **clip).fit(X, y)
            moved = np.concatenate([(a - b).ravel() for a, b in zip(
                model.coefs_ + model.intercepts_, start.coefs_ + start.intercepts_, strict=True)])  # fmt: skip
            assert np.linalg.norm(moved, order) == pytest.approx(bound, rel=1e-6)

    def test_averages_are_means_of_the_iterates(self):
        params = {"solver": "sgd", "batch_size": 400, "shuffle": False}
        iterates = [classifier(**params, max_iter=k).fit(X, y).coefs_[0].copy() for k in range(1, 5)]
        plain = classifier(**params, max_iter=4, averaging="plain").fit(X, y)
        np.testing.assert_allclose(plain.coefs_[0], np.mean(iterates, axis=0), atol=1e-12)
        late = classifier(**params, max_iter=4, averaging="plain", solver_params={"average_start": 2}).fit(X, y)
        np.testing.assert_allclose(late.coefs_[0], np.mean(iterates[2:], axis=0), atol=1e-12)
        mean = iterates[0]
        for w in iterates[1:]:
            mean = mean + 0.5 * (w - mean)
        given = {"average_decay": 0.5}
        exponential = classifier(**params, max_iter=4, averaging="exponential", solver_params=given).fit(X, y)
        np.testing.assert_allclose(exponential.coefs_[0], mean, atol=1e-12)

    def test_averaging_begins_after_epochs(self):
        params = {"batch_size": 200, "max_iter": 2}
        late = classifier(**params, averaging="plain", solver_params={"average_start": 2}).fit(X, y)
        np.testing.assert_array_equal(late.coefs_[0], classifier(**params).fit(X, y).coefs_[0])

    def test_averages_are_what_is_validated(self):
        model = classifier(averaging="plain", max_iter=3).fit(X, y, X_val=X[:50], y_val=y[:50])
        assert model.validation_loss_curve_[-1] == pytest.approx(log_loss(
            y[:50], model.predict_proba(X[:50]), labels=model.classes_))  # fmt: skip

    def test_averaging_goes_on_from_the_iterate(self):
        parts, whole = classifier(averaging="plain", max_iter=1), classifier(averaging="plain", max_iter=1)
        parts.partial_fit(X, y, classes=np.unique(y)).partial_fit(X, y)
        raw = classifier(max_iter=1).partial_fit(X, y, classes=np.unique(y)).partial_fit(X, y)
        np.testing.assert_array_equal(parts._run.raw[: raw.coefs_[0].size], raw.coefs_[0].T.ravel())
        assert not np.array_equal(whole.fit(X, y).coefs_[0], raw.coefs_[0])


class TestNaN:
    def test_best_weights_are_kept_with_status_and_advice(self):
        target = 1e4 * X @ np.ones(64)
        with pytest.warns(ConvergenceWarning, match=r"became NaN or infinite.*weights.* are kept"):
            model = regressor(solver="sgd", momentum=0.0, batch_size=400, activation="identity", max_iter=400,
                              learning_rate_init=0.5, clip_norm=None).fit(X, target)  # fmt: skip
        assert model.status_ == "not_finite" and "Lower learning_rate_init (0.5)" in model.message_
        assert np.isfinite(model.predict(X)).all() and np.isfinite(model.loss_curve_).all()
        # in one batch the first loss of the curve is that of the initial weights
        assert np.mean((model.predict(X) - target) ** 2) / 2 <= model.loss_curve_[0] * (1 + 1e-9)

    def test_the_kept_weights_are_no_worse_than_the_first_ones(self):
        # the loss of an epoch is measured before its last updates
        for rate, dtype in ((50.0, float), (1e30, np.float32)):
            A, b = X.astype(dtype), y.astype(dtype)
            first = regressor(hidden_layer_sizes=(20,), solver="sgd", learning_rate_init=1e-30, max_iter=1).fit(A, b)
            with pytest.warns(ConvergenceWarning, match="Lower learning_rate_init"):
                model = regressor(hidden_layer_sizes=(20,), solver="sgd", learning_rate_init=rate, max_iter=50).fit(
                    A, b
                )
            assert model.status_ in ("not_finite", "diverged") and model.score(A, b) >= first.score(A, b) - 1e-3

    def test_weights_that_the_last_update_broke_are_not_kept(self):
        for fit in ("fit", "partial_fit"):
            model = regressor(solver="sgd", learning_rate_init=1e308, max_iter=1, batch_size=len(y))
            with pytest.warns(ConvergenceWarning, match="became NaN or infinite in epoch 1; the initial weights"):
                getattr(model, fit)(X * 100, y * 100.0)
            assert model.status_ == "not_finite" and np.isfinite(model.predict(X)).all()

    def test_a_large_penalty_and_a_loss_of_almost_nothing_are_no_divergence(self):
        theirs = sk.MLPClassifier((10,), max_iter=2, random_state=0, alpha=1e4).fit(X, y)
        ours = MLPClassifier((10,), max_iter=2, random_state=0, alpha=1e4).fit(X, y)
        assert ours.status_ == "max_iter" and ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9)
        model = MLPRegressor(hidden_layer_sizes=(2,), activation="identity", solver="lbfgs", alpha=0.0, tol=1e-9,
                             max_iter=500, random_state=0).fit(X[:, :3], X[:, :3] @ [1.0, 2.0, 3.0])  # fmt: skip
        assert model.loss_ < 1e-10
        model.set_params(solver="adam", warm_start=True, learning_rate_init=0.01, max_iter=1)
        model.fit(X[:, :3], X[:, :3] @ [1.0, 2.0, 3.0])
        assert model.loss_ > 1e-7 and model.status_ == "max_iter"  # it has risen by far

    def test_a_loss_that_has_exploded_is_no_convergence(self):
        model = regressor(hidden_layer_sizes=(50,), solver="sgd", learning_rate_init=5, max_iter=50)
        with pytest.warns(ConvergenceWarning, match="Training diverged: the loss is"):
            model.fit(X, y * 1.0)
        assert model.status_ == "diverged" and model.score(X, y) > -2
        with pytest.raises(ValueError, match="nothing to go on from"):
            model.resume(X, y * 1.0)

    def test_in_the_first_epoch(self):
        with pytest.warns(ConvergenceWarning, match="in epoch 1; the initial weights are kept"):
            model = regressor(solver="sgd", learning_rate_init=1e100).fit(X, 1e100 * y)
        assert model.n_iter_ == 0 and np.isnan(model.loss_) and np.isfinite(model.predict(X)).all()
        start = regressor(solver="sgd", learning_rate_init=1e-300, max_iter=1).fit(X, y)
        np.testing.assert_array_equal(model.coefs_[1], start.coefs_[1])


class TestDeadUnits:
    def test_they_are_named_and_a_dead_layer_warns(self):
        with pytest.warns(ConvergenceWarning, match=r"All \d units of hidden layer \d are dead"):
            model = regressor(hidden_layer_sizes=(6, 4), max_iter=2, bias_init=-100.0).fit(X, y)
        assert any(len(dead) == k for dead, k in zip(model.dead_units(X), (6, 4), strict=True))
        assert "are dead" in model.message_
        assert np.ptp(model.predict(X)) == 0
        healthy = classifier(batch_norm=True).fit(X, y)
        assert all(len(dead) == 0 for dead in healthy.dead_units(X))
        healthy.intercepts_[1][3] = -1e6
        assert healthy.dead_units(sp.csr_matrix(X))[1].tolist() == [3]
        plain = classifier(activation=("relu", "tanh")).fit(X, y)
        plain.intercepts_[0][[2, 5]] = -1e6
        plain.intercepts_[1][:] = -1e6
        expected = np.flatnonzero((X @ plain.coefs_[0] + plain.intercepts_[0] <= 0).all(axis=0)).tolist()
        assert [dead.tolist() for dead in plain.dead_units(X)] == [expected, []] and {2, 5} <= set(expected)


def test_sparse_labels_are_predicted_sparse():
    model = classifier().fit(X, sp.csr_matrix(LABELS))
    assert (
        sp.issparse(model.predict(X)) and (model.predict(X).toarray() == classifier().fit(X, LABELS).predict(X)).all()
    )


def test_what_was_fitted_dense_predicts_sparse_and_learns_from_it():
    model = classifier().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(sp.csc_matrix(X)), model.predict_proba(X), atol=1e-12)
    other = classifier().fit(X, y)
    model.partial_fit(X[:99], y[:99])
    other.partial_fit(sp.csr_matrix(X[:99]), y[:99])
    np.testing.assert_array_equal(model.coefs_[0], other.coefs_[0])


def test_searches_pipelines_and_clones():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier(max_iter=3)), {"mlpclassifier__activation": ["relu", "gelu"]}, cv=2
    )
    assert search.fit(X, y).best_score_ > 0.5
    model = classifier(schedule_params={"warmup": 3}, dropout=[0.1, 0.2])
    assert clone(model).get_params() == model.get_params() and is_classifier(model) and not is_classifier(regressor())


def test_metadata_is_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        model = classifier(max_iter=2).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        search = GridSearchCV(model, {"alpha": [0.1]}, cv=2).fit(X, y, sample_weight=WEIGHTS)
    assert search.best_estimator_.n_iter_ == 2


class Recorder:
    """A callback of scikit-learn's that keeps scores, and asks to stop after ``enough`` epochs."""

    def __init__(self, enough=10**9):
        self.enough, self.scores, self.ends = enough, [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.ends.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.ends.append(context.task_name)
        self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == "iteration" and len(self.ends) >= self.enough


def test_callbacks_see_every_epoch_and_stop_the_fit():
    pytest.importorskip("sklearn.callback")
    every = Recorder()
    plain, model = classifier(max_iter=4).fit(X, y), classifier(max_iter=4).set_callbacks(every).fit(X, y)
    np.testing.assert_array_equal(plain.coefs_[0], model.coefs_[0])
    assert every.ends == [*["iteration"] * 4, "fit", "teardown"] and every.scores[-1] == model.score(X, y)
    assert every.scores[1] == classifier(max_iter=2).fit(X, y).score(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classifier(max_iter=9).set_callbacks(Recorder(enough=2)).fit(X, y)
    assert model.status_ == "callback" and model.n_iter_ == 2
    np.testing.assert_array_equal(model.coefs_[0], classifier(max_iter=2).fit(X, y).coefs_[0])


def test_a_warning_points_to_the_line_of_the_fit():
    for fit in (classifier(max_iter=2).fit, classifier(max_iter=3).fit(X, y).resume):
        with pytest.warns(ConvergenceWarning) as caught:
            fit(X, y)
        assert caught[0].filename == __file__


def test_the_bar(capsys):
    classifier(progress=True, max_iter=3).fit(X, y, X_val=X, y_val=y)
    out = capsys.readouterr().out
    assert "MLPClassifier (adam)" in out and "3/3" in out and "validation" in out


BAD = [
    ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must be > 0"),
    ({"hidden_layer_sizes": -3}, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": (3, 2.5)}, "hidden_layer_sizes must be > 0"),
    ({"activation": "rulu"}, "'activation' parameter.*'relu'"),
    ({"activation": ("relu",)}, r"activation must be one of .*each of the 2 hidden layers, got \('relu',\)"),
    ({"activation": ("relu", "rulu")}, "activation must be one of"),
    ({"learning_rate": "fast"}, "'learning_rate' parameter.*'cosine'"),
    ({"learning_rate": lambda epoch: -1.0}, "learning_rate must give a positive number for each epoch, got -1.0 for 0"),
    ({"learning_rate": lambda epoch: None}, "learning_rate must give a positive number"),
    ({"learning_rate_init": 0.0}, "'learning_rate_init' parameter"),
    ({"alpha": -1.0}, "'alpha' parameter"),
    ({"alpha_l1": -1.0}, "'alpha_l1' parameter"),
    ({"batch_size": 0}, "'batch_size' parameter"),
    ({"momentum": 2.0}, "'momentum' parameter"),
    ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
    ({"dropout": 1.0}, "'dropout' parameter"),
    ({"dropout": (0.5,)}, "dropout must be a number in .*each of the 2 hidden layers"),
    ({"averaging": "mean"}, "'averaging' parameter.*'exponential'"),
    ({"averaging": "plain", "batch_norm": True}, "averaging and batch_norm exclude each other"),
    ({"clip_norm": -1.0}, "'clip_norm' parameter"),
    ({"init": "zeros"}, "'init' parameter.*'orthogonal'"),
    ({"schedule_params": {"decay": 1.0}}, "schedule_params has no entry 'decay'; it may have 'kappa'"),
    ({"schedule_params": {"gamma": 2.0}}, r"schedule_params\['gamma'\] must be"),
    ({"solver_params": {"rho": True}}, r"solver_params\['rho'\] must be"),
    ({"solver_params": {"step": 1.0}}, "solver_params has no entry 'step'; it may have 'rho'"),
    ({"early_stopping": True, "validation_fraction": 0.001}, "The validation set is too small|test_size"),
    ({"n_threads": 0}, "'n_threads' parameter"),
]


@pytest.mark.parametrize(("params", "message"), BAD)
def test_bad_parameters(params, message):
    for make in (classifier, regressor):
        with pytest.raises(ValueError, match=message):
            make(**params).fit(X, y)


def test_bad_loss_and_class_weight():
    with pytest.raises(ValueError, match=r"'loss' parameter.*'absolute_error'"):
        regressor(loss="hinge").fit(X, y)
    with pytest.raises(ValueError, match="'huber_delta' parameter"):
        regressor(huber_delta=0.0).fit(X, y)
    with pytest.raises(ValueError, match="'class_weight' parameter"):
        classifier(class_weight="even").fit(X, y)
    with pytest.raises(ValueError, match="class_weight must give weights >= 0"):
        classifier(class_weight={0: -1.0}).fit(X, y)
    with pytest.raises(ValueError, match="class_weight='balanced' can't be used with partial_fit"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=np.unique(y))


def test_bad_data():
    with pytest.raises(ValueError, match="y must be zero or positive for loss='poisson'; the least is -1"):
        regressor(loss="poisson").fit(X, y - 1)
    with pytest.raises(ValueError, match="one class only"):
        classifier().fit(X, np.ones(len(y)))
    with pytest.raises(ValueError, match="one class only"):
        classifier().fit(X[:1], y[:1])
    assert np.isfinite(regressor().fit(X[:1], y[:1]).predict(X)).all()
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(X, X[:, 20] + 0.123)
    with pytest.raises(ValueError, match="multiclass-multioutput"):
        classifier().fit(X, np.column_stack([y, y]))
    for make in (classifier, regressor):
        with pytest.raises(ValueError, match="contains NaN"):
            make().fit(np.where(X > 0.9, np.nan, X), y)
        with pytest.raises(ValueError, match="sample_weight must hold weights"):
            make().fit(X, y, -np.ones(len(y)))
        with pytest.raises(ValueError, match=r"(?i)sample.weight.* zero|non-zero"):
            make().fit(X, y, np.zeros(len(y)))
        with pytest.raises(ValueError, match="contains NaN"):
            make().fit(X, y, np.full(len(y), np.nan))
        with pytest.raises(ValueError, match=r"X has 10 features, but MLP.* is expecting 64"):
            make().fit(X, y).predict(X[:, :10])
        with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger than sample size"):
            make(batch_size=1000).fit(X, y)


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2, 3], ["a", "b", "c"]])
def test_the_first_partial_fit_checks_classes_of_several_labels(classes):
    Y = np.column_stack([y % 2, y > 4, y < 3]).astype(int)
    model = classifier()
    with pytest.raises(ValueError, match=r"classes must be the numbers of the columns of y, \[0, 1, 2\], .*got \["):
        model.partial_fit(X, Y, classes=classes)
    assert model.partial_fit(X, Y, classes=[0, 1, 2]).predict(X).shape == Y.shape


@pytest.mark.parametrize("kind", ["classes", "two classes", "weights, csr", "regression"])
def test_early_stopping_of_solvers_of_all_samples_splits_the_same_part_off(kind):
    weights = (np.arange(len(y)) % 3 > 0).astype(float)
    data = {"classes": (X, y), "two classes": (X, y % 2), "weights, csr": (sp.csr_matrix(X), y, weights),
            "regression": (X, y / 9.0)}[kind]  # fmt: skip
    make = regressor if kind == "regression" else classifier
    stochastic = make(early_stopping=True, max_iter=1).fit(*data)
    split = make(solver="lbfgs", early_stopping=True, n_iter_no_change=3, max_iter=200).fit(*data)
    rows, held_out = stochastic._run.rows, stochastic._run.held_out
    weight = (data[2][rows],) if len(data) > 2 else ()
    own = make(solver="lbfgs", early_stopping=True, n_iter_no_change=3, max_iter=200).fit(
        data[0][rows], data[1][rows], *weight, X_val=data[0][held_out], y_val=data[1][held_out]
    )
    assert split.status_ == "early_stopping" and len(split.validation_scores_) == split.n_iter_ < 200
    assert split.validation_scores_ == own.validation_scores_
    np.testing.assert_array_equal(split.coefs_[0], own.coefs_[0])
    assert split.score(data[0][held_out], data[1][held_out]) == pytest.approx(split.best_validation_score_)


def test_partial_fit_with_other_classes():
    model = classifier()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
        model.partial_fit(X, y, classes=range(5))
    model = classifier().partial_fit(X[:50], y[:50], classes=range(10))
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
        model.partial_fit(X, y + 5)
    with pytest.raises(ValueError, match="not the same as on last call"):
        model.partial_fit(X, y, classes=range(11))
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        classifier(early_stopping=True).partial_fit(X, y, classes=range(10))
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same classes"):
        classifier(warm_start=True).fit(X, y).fit(X, y % 4)
    with pytest.raises(ValueError, match="another architecture: sizes was"):
        classifier(warm_start=True).fit(X, y).set_params(hidden_layer_sizes=3).fit(X, y)
    with pytest.raises(ValueError, match="y has 2 columns, but there are 1 outputs"):
        regressor().fit(X, y).partial_fit(X, np.column_stack([y, y]))


class TestAllSamplesAtOnce:
    def test_lbfgs_reaches_scikit_learns_loss(self):
        for params in ({}, {"activation": "tanh", "alpha": 1.0, "max_iter": 60}):
            theirs, ours = both(C, {"solver": "lbfgs", "max_iter": 400, "hidden_layer_sizes": 8, **params})
            theirs.fit(X, y)
            ours.fit(X, y)
            assert ours.loss_ <= 1.05 * theirs.loss_ + 1e-4 and ours.score(X, y) >= theirs.score(X, y) - 0.01
            assert ours.n_iter_ == len(ours.loss_curve_) and ours.loss_curve_[-1] == pytest.approx(ours.loss_)
            assert not hasattr(ours, "partial_fit") and ours.t_ == 0

    def test_it_warns_at_max_iter_and_goes_on_warm(self):
        with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge after 3 iteration"):
            model = classifier(solver="lbfgs", max_iter=3, warm_start=True).fit(X, y)
        assert model.status_ == "maxiter"
        before = model.loss_
        assert model.fit(X, y).loss_ < before and len(model.loss_curve_) == 6
        with pytest.raises(ValueError, match="resume goes on with fits of stochastic solvers"):
            model.resume(X, y)

    @pytest.mark.parametrize("solver", ["cg-pr", "bfgs", "newton-cg"])
    def test_other_methods(self, solver):
        model = classifier(solver=solver, hidden_layer_sizes=4, max_iter=40, activation="tanh").fit(X, y)
        assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]

    def test_least_squares(self):
        A, target = X[:100, 20:22], np.sin(3 * X[:100, 20]) + X[:100, 21]
        model = regressor(solver="lm", hidden_layer_sizes=4, activation="tanh", alpha=1e-6, max_iter=50).fit(A, target)
        assert model.score(A, target) > 0.99

    def test_a_validation_set_stops_it_and_is_recorded(self, capsys):
        model = classifier(solver="lbfgs", early_stopping=True, n_iter_no_change=3, max_iter=300, verbose=True)
        model.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
        assert model.status_ == "early_stopping" and model.score(X[300:], y[300:]) == max(model.validation_scores_)
        assert capsys.readouterr().out.count("Iteration") == len(model.validation_scores_)

    def test_what_can_not_serve_is_refused_with_what_can(self):
        for params, message in (
            ({"solver": "lm"}, "solver='lm' can't be used with the loss 'log_loss'.*'lbfgs'"),
            ({"solver": "lbfgs", "dropout": 0.1}, "can't be used with dropout.*'adam'"),
            ({"solver": "lbfgs", "batch_norm": True}, "can't be used with batch_norm.*'adam'"),
            ({"solver": "lbfgs", "alpha_l1": 0.1}, "can't be used with alpha_l1.*'adam'"),
            ({"solver": "lbfgs", "averaging": "plain"}, "averaging can't be used with solver='lbfgs'.*'adam'"),
            ({"solver": "bfgz"}, "'solver' parameter.*'adam'.*'lbfgs'.*Got 'bfgz'"),
        ):
            with pytest.raises(ValueError, match=message):
                classifier(**params).fit(X, y)


class TestInitialWeights:
    def test_class_frequencies(self):
        rare = np.where(y < 8, 0, y - 7)
        model = classifier(output_bias="class_frequencies", init_gain=1e-9, init="he_normal", solver="sgd",
                           learning_rate_init=1e-300, max_iter=1).fit(X, rare)  # fmt: skip
        np.testing.assert_allclose(model.predict_proba(X)[0], np.bincount(rare) / len(rare), rtol=1e-6)
        weighted = clone(model).set_params(class_weight="balanced").fit(X, rare)
        np.testing.assert_allclose(weighted.predict_proba(X)[0], 1 / 3, rtol=1e-6)

    def test_a_function_and_its_mistakes(self):
        def ones(fan_in, fan_out, layer, random_state):
            return np.full((fan_in, fan_out), layer + 1.0)

        model = classifier(init=ones, bias_init=0.5, solver="sgd", learning_rate_init=1e-300, max_iter=1).fit(X, y)
        assert (model.coefs_[1] == 2).all() and (model.intercepts_[0] == 0.5).all()
        with pytest.raises(ValueError, match=r"init must return finite numbers of shape \(64, 16\)"):
            classifier(init=lambda *shape: np.ones(3)).fit(X, y)


class TestPretraining:
    def test_it_begins_where_layers_have_been_trained(self):
        params = {"hidden_layer_sizes": (16, 12, 8), "max_iter": 6}
        plain, trained = (classifier(**params, pretrain=flag).fit(X, y) for flag in (False, True))
        assert trained.loss_curve_[0] < 0.7 * plain.loss_curve_[0]
        assert trained.n_iter_ == 6 and len(trained.loss_curve_) == 6 and trained.t_ == 6 * len(y)
        again = classifier(**params, pretrain=True).fit(X, y)
        np.testing.assert_array_equal(trained.coefs_[0], again.coefs_[0])

    @pytest.mark.parametrize("params", [
        {"dropout": (0.1, 0.2)}, {"batch_norm": True}, {"early_stopping": True}, {"averaging": "plain"},
        {"hidden_layer_sizes": ()}, {"class_weight": "balanced"},
    ], ids=str)  # fmt: skip
    def test_with_other_parameters(self, params):
        model = classifier(pretrain=True, max_iter=3, **params).fit(sp.csr_matrix(X), y)
        assert np.isfinite(model.loss_curve_).all() and model.n_iter_ == 3


def test_entries_of_dicts_without_effect_are_told():
    for params, message in (
        (
            {"solver_params": {"rho": 0.5}},
            r"solver_params\['rho'\] has no effect with solver='adam'; it is for 'adadelta'",
        ),
        (
            {"schedule_params": {"gamma": 0.5}},
            r"schedule_params\['gamma'\] has no effect with learning_rate='constant'",
        ),
        ({"solver": "lbfgs", "schedule_params": {"warmup": 3}}, r"\['warmup'\] has no effect with solver='lbfgs'"),
    ):
        with pytest.warns(UserWarning, match=message):
            classifier(**params).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier(solver="rmsprop", solver_params={"rho": 0.5}, learning_rate="cosine",
                   schedule_params={"period": 3, "warmup": 1}).fit(X, y)  # fmt: skip
