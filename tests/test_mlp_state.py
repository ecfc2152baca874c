"""Multilayer perceptrons: fits that stop and go on, files, pickles, clones."""

import os
import pickle
import re
import signal
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from numopt.network._network import Network
from numopt.neural_network import MLPClassifier, MLPRegressor, _stochastic

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_digits(return_X_y=True)
X, y = X[:300] / 16, y[:300]
CURVES = ("loss_curve_", "gradient_norm_curve_", "learning_rate_curve_", "validation_scores_", "validation_loss_curve_")


def half(*args):
    return 0.01 * 0.9 ** args[0]


CASES = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 1, "tol": 0.3, "learning_rate_init": 0.1},
    "early stopping": {"early_stopping": True},
    "averaging": {"averaging": "plain", "solver": "nesterov", "learning_rate_init": 0.05},
    "dropout": {"dropout": 0.2, "batch_norm": True},
    "cosine": {"learning_rate": "cosine", "schedule_params": {"period": 20, "warmup": 2}, "solver": "nadam"},
    "function": {"learning_rate": half, "solver": "delta-bar-delta"},
    "random state": {"random_state": np.random.RandomState(3)},
}


def model(max_iter=12, **params):
    return MLPClassifier(**{"hidden_layer_sizes": (16, 8), "random_state": 0, "batch_size": 50, "max_iter": max_iter,
                            "learning_rate_init": 0.01, **params})  # fmt: skip


def assert_same(a, b):
    for name in ("coefs_", "intercepts_", *(("running_var_", "gammas_") if hasattr(a, "gammas_") else ())):
        for u, v in zip(getattr(a, name), getattr(b, name), strict=True):
            np.testing.assert_array_equal(u, v)
    for name in (*CURVES, "n_iter_", "t_", "loss_", "best_loss_", "best_validation_score_", "status_"):
        assert getattr(a, name) == getattr(b, name), name


@pytest.mark.parametrize("case", CASES)
def test_a_fit_through_a_file_is_the_fit_without_it(case, tmp_path):
    params = CASES[case]
    whole = clone(model(**params)).fit(X, y)
    part = clone(model(**params)).set_params(max_iter=5).fit(X, y)
    part.save(tmp_path / "model.npz")
    functions = {name: value for name, value in params.items() if callable(value)}
    loaded = MLPClassifier.load(tmp_path / "model.npz", **functions)
    np.testing.assert_array_equal(loaded.predict_proba(X), part.predict_proba(X))
    assert_same(part, loaded)
    assert_same(whole, loaded.set_params(max_iter=12).resume(X, y))
    np.testing.assert_array_equal(whole.predict_proba(X), loaded.predict_proba(X))


def test_a_pickle_goes_on_too():
    whole, part = model().fit(X, y), model(3).fit(X, y)
    copy = pickle.loads(pickle.dumps(part))
    assert_same(whole, copy.set_params(max_iter=12).resume(X, y))


@pytest.mark.parametrize("kind", ["csr", "weights", "regression"])
def test_other_data_go_on_as_well(kind, tmp_path):
    data = {"csr": (sp.csr_matrix(X), y), "weights": (X, y, (y % 3).astype(float)), "regression": (X, y / 10.0)}[kind]
    make = MLPRegressor if kind == "regression" else MLPClassifier
    params = {"hidden_layer_sizes": 8, "random_state": 1, "batch_size": 40}
    whole = make(max_iter=8, **params).fit(*data)
    make(max_iter=3, **params).fit(*data).save(tmp_path / "a")
    assert_same(whole, make.load(tmp_path / "a", max_iter=8).resume(*data))


def interrupt_in(count, monkeypatch):
    """Ctrl-C in the middle of the call of the engine with that number."""
    train, calls = Network.train, []

    def interrupted(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGINT)
        return train(self, *args, **kwargs)

    monkeypatch.setattr(Network, "train", interrupted)


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"averaging": "exponential"}])
def test_ctrl_c_in_the_middle_of_an_epoch(params, monkeypatch, tmp_path):
    monkeypatch.setattr(_stochastic, "_WORK", 3 * 6.0 * 50 * 1266)  # the sums of losses are those of the same pieces
    whole = model(**params).fit(X, y)
    interrupt_in(7, monkeypatch)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        part = model(**params).fit(X, y)
    assert part.status_ == "interrupted" and 0 < part.n_iter_ < 12 and part._run.batch > 0
    assert part.predict(X).shape == y.shape
    part.save(tmp_path / "a.npz")
    assert_same(whole, MLPClassifier.load(tmp_path / "a.npz").resume(X, y))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_ends_at_once_and_says_that_nothing_goes_on(monkeypatch):
    train = Network.train

    def interrupted(self, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return train(self, *args, **kwargs)

    monkeypatch.setattr(Network, "train", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        part = model().fit(X, y)
    assert part.status_ == "interrupted" and part.predict(X).shape == y.shape
    with pytest.raises(ValueError, match=r"nothing to go on from: .* in the middle of an update"):
        part.resume(X, y)


@pytest.mark.parametrize("params", [{}, {"early_stopping": True, "averaging": "plain"}, {"solver": "lbfgs"}])
def test_ctrl_c_during_pretraining_keeps_the_layers_done(params, monkeypatch, tmp_path):
    from numopt.neural_network import _pretraining

    copied, layers = _pretraining._copy_hidden, []

    def interrupted(source, i, target, j):
        copied(source, i, target, j)
        if len(target.sizes) == 4:  # the network itself: its first layer is done
            layers.append(source.weights[0].copy())
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(_pretraining, "_copy_hidden", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user") as caught:
        part = model(3, pretrain=True, **params).fit(X, y)
    assert sum("interrupted" in str(w.message) for w in caught) == len(layers) == 1
    assert part.status_ == "interrupted" and part.n_iter_ == 0 and part.predict(X).shape == y.shape
    np.testing.assert_array_equal(part.coefs_[0], layers[0])
    assert all(W.any() for W in part.coefs_)
    part.save(tmp_path / "a")
    with pytest.raises(ValueError, match="resume goes on with" if "solver" in params else "during pretraining"):
        MLPClassifier.load(tmp_path / "a").resume(X, y)


def test_ctrl_c_in_an_epoch_of_pretraining_ends_the_fit(monkeypatch):
    interrupt_in(2, monkeypatch)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        part = model(3, pretrain=True).fit(X, y)
    assert part.status_ == "interrupted" and "pretraining" in part.message_ and np.isfinite(part.predict_proba(X)).all()


def test_a_fit_in_another_thread_leaves_signals_alone():
    found = []
    thread = threading.Thread(target=lambda: found.append(model(2).fit(X, y)))
    thread.start()
    thread.join()
    assert found[0].n_iter_ == 2


def test_a_handler_of_ones_own_is_left_alone():
    def mine(number, frame):
        pass

    previous = signal.signal(signal.SIGINT, mine)
    try:
        model(1).fit(X, y)
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, previous)


def test_what_resume_refuses():
    with pytest.raises(NotFittedError):
        model().resume(X, y)
    part = model(2).fit(X, y)
    with pytest.raises(ValueError, match="X has 200 samples, but the fit that goes on was given 300"):
        part.resume(X[:200], y[:200])
    with pytest.raises(ValueError, match="X has 10 features"):
        part.resume(X[:, :10], y)
    with pytest.raises(ValueError, match="X_val and y_val were not given"):
        part.resume(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="another architecture: sizes"):
        part.set_params(hidden_layer_sizes=3).resume(X, y)
    with pytest.raises(ValueError, match="solver was one of rule 'adam', now it is 'sgd'"):
        model(2).fit(X, y).set_params(solver="sgd").resume(X, y)
    with pytest.raises(ValueError, match="classes not in"):
        model(2).fit(X, y).resume(X, y + 1)


@pytest.mark.parametrize(
    "name, was, now",
    [
        ("early_stopping", True, False),
        ("early_stopping", False, True),
        ("learning_rate_init", 0.01, 0.1),
        ("learning_rate", "constant", "cosine"),
        ("learning_rate", "constant", half),
        ("beta_1", 0.9, 0.5),
        ("clip_norm", None, 1.0),
        ("averaging", None, "plain"),
        ("batch_size", 50, 20),
        ("schedule_params", None, {"warmup": 2}),
        ("solver_params", None, {"average_decay": 0.9}),
    ],
)
def test_resume_refuses_parameters_that_the_fit_is_built_on(name, was, now, tmp_path):
    part = model(2, **{name: was}).fit(X, y)
    shown = "a function" if callable(now) else now
    message = re.escape(f"{name} was {was!r} in the fit that goes on, now it is {shown!r}")
    with pytest.raises(ValueError, match=message):
        part.set_params(**{name: now}, max_iter=4).resume(X, y)
    part.save(tmp_path / "a")
    functions = {name: now} if callable(now) else {}
    with pytest.raises(ValueError, match=message):
        MLPClassifier.load(tmp_path / "a", **functions).resume(X, y)
    others = {"verbose": False, "progress": False, "n_threads": 1, "tol": 0.0, "n_iter_no_change": 20}
    assert part.set_params(**{name: was}, **others).resume(X, y).n_iter_ == 4


def test_what_max_iter_made_stays_when_a_fit_goes_on():
    cosine = {"learning_rate": "cosine"}
    whole, part = model(6, **cosine).fit(X, y), model(3, **cosine).fit(X, y).set_params(max_iter=6).resume(X, y)
    assert part.learning_rate_curve_[:3] == model(3, **cosine).fit(X, y).learning_rate_curve_
    assert part.learning_rate_curve_ != whole.learning_rate_curve_  # as the docstring says


def test_resume_after_the_end_changes_nothing():
    done = model(500, tol=0.5, n_iter_no_change=2).fit(X, y)
    assert done.status_ == "converged"
    before = [W.copy() for W in done.coefs_]
    assert all((a == b).all() for a, b in zip(before, done.resume(X, y).coefs_, strict=True))


def test_nothing_goes_on_from_nan():
    with pytest.warns(ConvergenceWarning, match="NaN"):
        part = MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0).fit(X, 1e3 * y)
    with pytest.raises(ValueError, match=r"nothing to go on from.*Lower learning_rate_init"):
        part.resume(X, 1e3 * y)


class TestFiles:
    def test_parameters_of_all_kinds(self, tmp_path):
        params = {"hidden_layer_sizes": np.array([5, 4]), "activation": ["tanh", "elu"],
                  "class_weight": {"a": 2.0, "b": 1}, "dropout": (0.1, 0.2), "n_iter_no_change": np.inf,
                  "alpha": np.float32(0.1), "max_iter": np.int64(2), "schedule_params": {"warmup": 1}}  # fmt: skip
        first = MLPClassifier(**params).fit(X, np.where(y > 4, "a", "b"))
        first.save(tmp_path / "a")
        loaded = MLPClassifier.load(tmp_path / "a")
        mine, its = first.get_params(), loaded.get_params()
        assert (its.pop("hidden_layer_sizes") == mine.pop("hidden_layer_sizes")).all() and its == mine
        assert (loaded.predict(X) == first.predict(X)).all() and loaded.classes_.tolist() == ["a", "b"]

    def test_names_and_labels_that_are_objects(self, tmp_path):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X[:, :3], columns=list("abc"))
        first = model(2).fit(frame, np.where(y > 4, "p", "q").astype(object))
        first.save(tmp_path / "a")
        loaded = MLPClassifier.load(tmp_path / "a")
        assert (
            loaded.feature_names_in_.tolist() == ["a", "b", "c"]
            and (loaded.predict(frame) == first.predict(frame)).all()
        )

    def test_a_function_has_to_be_given_again(self, tmp_path):
        model(2, learning_rate=half).fit(X, y).save(tmp_path / "a")
        with pytest.raises(ValueError, match=r"learning_rate was the function 'half'.*learning_rate=half"):
            MLPClassifier.load(tmp_path / "a")

    def test_no_pickle_in_it(self, tmp_path):
        model(2).fit(X, y).save(tmp_path / "a")
        with np.load(tmp_path / "a", allow_pickle=False) as file:
            assert all(file[name].dtype != object for name in file.files)

    def test_a_write_that_fails_leaves_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "a.npz"
        model(2).fit(X, y).save(path)
        old = path.read_bytes()

        def full(file, **arrays):
            file.write(b"half")
            raise OSError("No space left on device")

        monkeypatch.setattr(np, "savez", full)
        with pytest.raises(OSError, match="No space"):
            model(3).fit(X, y).save(path)
        assert path.read_bytes() == old and os.listdir(tmp_path) == ["a.npz"]

    @pytest.mark.parametrize("content", [b"", b"nonsense", None])
    def test_damaged_files(self, content, tmp_path):
        path = tmp_path / "a.npz"
        model(2).fit(X, y).save(path)
        path.write_bytes(path.read_bytes()[:-2000] if content is None else content)
        with pytest.raises(ValueError, match=r"a.npz' is no file that save wrote"):
            MLPClassifier.load(path)

    def test_other_files(self, tmp_path):
        np.savez(tmp_path / "a.npz", a=np.ones(3))
        with pytest.raises(ValueError, match="is no file that save wrote"):
            MLPClassifier.load(tmp_path / "a.npz")
        with pytest.raises(FileNotFoundError):
            MLPClassifier.load(tmp_path / "missing.npz")
        model(2).fit(X, y).save(tmp_path / "c.npz")
        with pytest.raises(ValueError, match=r"holds a MLPClassifier, no MLPRegressor: use MLPClassifier.load"):
            MLPRegressor.load(tmp_path / "c.npz")
        with pytest.raises(NotFittedError):
            model().save(tmp_path / "d")


def test_pickles_and_copies_predict_the_same():
    import copy

    for params in ({}, {"batch_norm": True}, {"averaging": "plain"}):
        first = model(3, **params).fit(X, y)
        for other in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first), copy.copy(first)):
            np.testing.assert_array_equal(first.predict_proba(X), other.predict_proba(X))


def test_weights_that_the_user_sets_are_those_of_predictions():
    first = model(2).fit(X, y)
    before = first.predict_proba(X)
    first.coefs_[0] = np.zeros_like(first.coefs_[0])
    assert np.ptp(first.predict_proba(X), axis=0).max() < 1e-12 < abs(first.predict_proba(X) - before).max()
    first.intercepts_[-1][:] = 0
    first.coefs_[-1][...] = 0
    np.testing.assert_allclose(first.predict_proba(X), 0.1)


def test_a_fit_that_fails_leaves_no_mixture():
    first = model(2).fit(X, y)
    with pytest.raises(ValueError, match="for 1"):
        first.set_params(learning_rate=lambda epoch: -epoch + 0.5, hidden_layer_sizes=4).fit(X, y % 4)
    with pytest.raises(NotFittedError):
        first.predict(X)


class FailsOnce:
    """A learning rate that raises once, at an epoch of its own."""

    def __init__(self, epoch):
        self.epoch = epoch

    def __call__(self, epoch):
        if epoch == self.epoch:
            self.epoch = None
            raise RuntimeError("once")
        return 0.01

    def __sklearn_clone__(self):
        return self


@pytest.mark.parametrize("params", [{}, {"averaging": "plain"}, {"early_stopping": True}])
def test_resume_goes_on_to_the_last_bit_after_an_exception(params):
    whole = model(9, learning_rate=FailsOnce(None), **params).fit(X, y)
    part = model(3, learning_rate=FailsOnce(6), **params).fit(X, y).set_params(max_iter=9)
    before = part.predict_proba(X)
    with pytest.raises(RuntimeError, match="once"):
        part.resume(X, y)
    np.testing.assert_array_equal(part.predict_proba(X), before)
    assert_same(whole, part.resume(X, y))
    np.testing.assert_array_equal(part.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_fit_from_old_weights_that_fails_leaves_the_old_fit(method):
    first = model(3, batch_norm=True, learning_rate=half).fit(X, y)
    old = pickle.loads(pickle.dumps(first))
    first.set_params(warm_start=True, learning_rate=FailsOnce(1 if method == "fit" else 3))
    with pytest.raises(RuntimeError, match="once"):
        getattr(first, method)(X, y)
    assert_same(first, old)
    np.testing.assert_array_equal(first.predict_proba(X), old.predict_proba(X))
    assert_same(first.set_params(learning_rate=half, max_iter=5).resume(X, y), old.set_params(max_iter=5).resume(X, y))


def test_a_first_partial_fit_that_fails_leaves_nothing():
    new = model()
    with pytest.raises(ValueError, match="classes not in"):
        new.partial_fit(X, y, classes=[0, 1])
    assert not hasattr(new, "classes_")
    assert new.partial_fit(X, y, classes=range(10)).predict(X).shape == y.shape


def test_saving_to_a_folder_that_is_not_there_names_the_folder(tmp_path):
    model = MLPClassifier((3,), max_iter=1).fit(X, y)
    with pytest.raises(FileNotFoundError, match=r"no .*nowhere'"):
        model.save(tmp_path / "nowhere" / "model.npz")


@pytest.mark.parametrize("header", ["[1]", "{}", "no json"])
def test_a_header_of_something_else_is_refused(tmp_path, header):
    model = MLPClassifier((3,), max_iter=1).fit(X, y)
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        arrays = dict(file)
    name = next(key for key, value in arrays.items() if value.dtype == np.uint8)
    np.savez(tmp_path / "other.npz", **arrays | {name: np.frombuffer(header.encode(), np.uint8)})
    with pytest.raises(ValueError, match="is no file that save wrote, or is damaged"):
        MLPClassifier.load(tmp_path / "other.npz")
