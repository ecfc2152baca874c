"""The case study on digits, small and without a network; the loss of a fitted network as a function."""

import runpy
import socket
import sys
import warnings
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.datasets import _openml, load_digits, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import numopt
from numopt.neural_network import MLPClassifier, MLPRegressor, check_backpropagation, training_loss

ROOT = Path(__file__).resolve().parent.parent
X, Y = load_digits(return_X_y=True)
X = X[:300] / 16.0
Y = Y[:300]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        import mnist_case_study
    finally:
        sys.path.pop(0)
    return mnist_case_study


def test_case_study_draws_its_pictures(study, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    study.main(["--offline", "--rows", "300", "--epochs", "2", "--out", str(tmp_path / "pictures")])
    said = capsys.readouterr().out
    for name in (*study.FIRST_ORDER, *study.FULL_BATCH):
        assert f" {name} " in said
    assert "learning rate 1e+12" in said and "dead units" in said and "8 x 8" in said
    names = {"curves.png", "weights.png", "learning_rates.png", "landscape.png", "confusion.png", "race.gif"}
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == names


def test_case_study_falls_back_on_bundled_digits(study, monkeypatch, tmp_path):
    asked = []

    def unreachable(*args, **kwargs):
        asked.append(socket.getdefaulttimeout())
        raise URLError("no network here")

    # fetch_openml itself runs: its check of parameters, its retries
    monkeypatch.setattr(_openml, "urlopen", unreachable)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    before, said = socket.getdefaulttimeout(), []
    A, b, side = study.load(100, say=said.append)
    assert A.shape == (100, 64) and side == 8 and A.max() == 1.0 and set(b) <= set(range(10))
    assert set(asked) == {study.PATIENCE}  # a silent server is not waited for
    assert "no network here" in said[0] and socket.getdefaulttimeout() == before


def test_case_study_takes_what_openml_gives(study, monkeypatch):
    def fetched(*args, **kwargs):
        return np.full((150, 784), 255), np.array(["3", "7"] * 75, dtype=object)

    monkeypatch.setattr(study, "fetch_openml", fetched)
    A, b, side = study.load(120)
    assert A.shape == (120, 784) and side == 28 and (A == 1.0).all() and set(b) == {3, 7}


def test_case_study_leaves_bfgs_out_where_its_matrix_is_large(study):
    many = np.random.default_rng(0).random((200, 784))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "FIRST_ORDER", {"adam": (0.01, {})})
        patch.setattr(study, "FULL_BATCH", ("bfgs", "lbfgs"))
        runs, rows = study.optimizers(many, Y[:200], many, Y[:200], 2)
    assert set(runs) == {"adam", "lbfgs"} and rows[1][0] == "bfgs" and "7960" in rows[1][2]


def test_case_study_reads_files_and_refuses_what_is_none(study, tmp_path, capsys):
    np.savez(tmp_path / "digits.npz", X=(X * 255).astype(np.uint8), y=Y.astype(np.uint8))
    A, b, side = study.load(120, file=tmp_path / "digits.npz")
    assert A.shape == (120, 64) and len(b) == 120 and side == 8 and A.max() == 1.0
    for wrong in (["--data", str(tmp_path / "none.npz")], ["--rows", "5"], ["--epochs", "0"]):
        with pytest.raises(SystemExit):
            study.main(wrong)
    assert "there is no file" in capsys.readouterr().err


def test_race_of_optimizers_runs():
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        space = runpy.run_path(str(ROOT / "examples" / "gallery" / "plot_race_optimizers.py"))
        plt.close("all")
        del space["animation"]
    assert all(run.fun < -0.24 for run in space["runs"])


@pytest.mark.parametrize("batch_norm", [False, True])
def test_training_loss_is_what_was_minimised(batch_norm):
    model = MLPClassifier((7,), "tanh", max_iter=5, class_weight={0: 3.0}, alpha=0.1, alpha_l1=0.01,
                          batch_norm=batch_norm, random_state=0).fit(X, Y)  # fmt: skip
    weight = np.linspace(0.5, 2.0, len(X))
    loss = training_loss(model, X, Y, weight)
    P, weight = model.predict_proba(X), weight * np.where(Y == 0, 3.0, 1.0)
    norms = [sum(f(W).sum() for W in model.coefs_) for f in (np.square, np.abs)]
    expected = (-(weight * np.log(P[np.arange(len(X)), Y])).sum() + 0.05 * norms[0] + 0.01 * norms[1]) / weight.sum()
    if not batch_norm:  # else the statistics are those of X, not the running ones
        assert loss(loss.theta) == pytest.approx(expected, rel=1e-12)
    f, g = loss.fun_and_grad(loss.theta)
    d = np.random.default_rng(0).standard_normal(g.size)
    slope = (loss(loss.theta + 1e-6 * d) - loss(loss.theta - 1e-6 * d)) / 2e-6
    assert f == loss(loss.theta) and slope == pytest.approx(g @ d, rel=1e-6)


def test_training_loss_leaves_the_model_alone_and_goes_on_with_it_changed():
    model = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, Y)
    before, loss = model.coefs_[0].copy(), training_loss(model, X, Y)
    found = numopt.minimize(loss.fun_and_grad, loss.theta, jac=True, options={"maxiter": 20})
    assert found.fun < loss(loss.theta) and (model.coefs_[0] == before).all()
    theta, value = loss.theta.copy(), loss(loss.theta)
    model.set_params(random_state=1).fit(X, Y)
    assert (loss.theta == theta).all() and loss(theta) == value


def test_training_loss_of_two_outputs_is_their_sum():
    A, B = make_regression(50, 4, n_targets=2, random_state=0)
    model = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=50, random_state=0).fit(A, B)
    loss = training_loss(model, A, B)
    assert loss(loss.theta) == pytest.approx(2 * model.loss_, rel=1e-12)


def test_filter_directions_are_as_long_as_the_weights_of_each_unit():
    model = MLPClassifier((6, 5), max_iter=3, random_state=0).fit(X, Y)
    loss = training_loss(model, X, Y)
    D = loss.filter_directions(3)
    assert (D == loss.filter_directions(3)).all() and not (D == loss.filter_directions(4)).all()
    for direction in D:
        weights, intercepts, _ = model._network.views(direction)
        for W, part, b in zip(model.coefs_, weights, intercepts, strict=True):
            np.testing.assert_allclose(np.linalg.norm(part, axis=0), np.linalg.norm(W, axis=0), rtol=1e-12)
            assert not b.any()


def test_training_loss_refuses_bad_input():
    model = MLPClassifier((5,), max_iter=2, random_state=0).fit(X, Y)
    for arguments, error, words in (
        ((3, X, Y), TypeError, "model must be a MLPClassifier"),
        ((MLPClassifier(), X, Y), NotFittedError, "not fitted"),
        ((model, X, Y[:9]), ValueError, "inconsistent numbers of samples"),
        ((model, X[:, :5], Y), ValueError, "expecting 64 features"),
        ((model, X, Y + 5), ValueError, "has classes not in"),
        ((model, X, Y, -np.ones(len(X))), ValueError, "sample_weight must hold"),
    ):
        with pytest.raises(error, match=words):
            training_loss(*arguments)
    with pytest.raises(ValueError, match="theta must have shape"):
        training_loss(model, X, Y)(np.zeros(3))


def test_backpropagation_of_a_model_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        check_backpropagation(MLPClassifier(), X, Y)
