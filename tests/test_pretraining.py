"""Layerwise pretraining, and the check of backpropagation."""

import numpy as np
import pytest
import scipy.sparse as sp

from numopt.network._network import ACTIVATIONS, LOSSES, Network
from numopt.neural_network import check_backpropagation
from numopt.neural_network._full_batch import fit_full_batch
from numopt.neural_network._initial_weights import initialise
from numopt.neural_network._pretraining import hidden_output, pretrain

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 3))
Y = X[:, :1] * X[:, 1:2]


def filled(sizes=(3, 5, 4, 2), activation="tanh", loss="log_loss", **how):
    network = Network(sizes, activation, loss, **how)
    network.theta[:] = 0.5 * np.random.default_rng(1).normal(size=network.n_params)
    return network


def targets(loss):
    if loss == "log_loss":
        return np.arange(40) % 2
    return np.column_stack([X[:, 0] > 0, X[:, 1] > 0]) * 1.0


# --- pretraining


@pytest.mark.parametrize("sparse", [False, True])
def test_each_layer_is_trained_on_top_of_those_before(sparse):
    network, rng, seen = Network((3, 5, 4, 1), ["tanh", "relu"], "squared_error", sparse=sparse), None, []
    rng = np.random.RandomState(0)
    A0 = sp.csr_matrix(X) if sparse else X

    def train(shallow, A):
        fit_full_batch(shallow, A, Y, None, solver="lbfgs", alpha=0.0, tol=1e-3, max_iter=30, max_fun=99, options=None)
        seen.append((shallow, A))

    pretrain(network, A0, lambda shallow: initialise(shallow, rng), train)
    (first, A), (second, B) = seen
    assert first.sizes == (3, 5, 1) and second.sizes == (5, 4, 1)
    assert (first.activations, second.activations) == (["tanh"], ["relu"])
    assert A is A0
    np.testing.assert_allclose(B, np.tanh(X @ first.weights[0] + first.intercepts[0]), rtol=1e-12)
    for mine, trained in zip(network.weights, (first.weights[0], *second.weights), strict=True):
        np.testing.assert_array_equal(mine, trained)
    np.testing.assert_allclose(network.predict(A0), second.predict(B), rtol=1e-12)


def test_hidden_outputs_with_batch_normalization_are_those_of_predictions():
    shallow = filled((3, 5, 2), "relu", batch_norm=True)
    shallow.running_mean[0][:], shallow.running_var[0][:] = RNG.normal(size=5), 0.5 + RNG.random(5)
    A = hidden_output(shallow, X)
    scale = shallow.gammas[0] / np.sqrt(shallow.running_var[0] + shallow.bn_epsilon)
    z = (X @ shallow.weights[0] - shallow.running_mean[0]) * scale + shallow.intercepts[0]
    np.testing.assert_allclose(A, np.maximum(z, 0), rtol=1e-12, atol=1e-14)


def test_statistics_are_taken_over_too():
    network = Network((3, 5, 4, 2), "relu", "log_loss", batch_norm=True)

    def train(shallow, A):
        shallow.running_mean[0][:] = shallow.running_var[0][:] = len(shallow.running_mean[0])
        shallow.gammas[0][:] = 2.0

    pretrain(network, X, lambda shallow: None, train)
    assert [set(a.tolist()) for a in (*network.running_mean, *network.running_var)] == [{5.0}, {4.0}] * 2
    assert all((g == 2.0).all() for g in network.gammas)


# --- the check of backpropagation


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_backpropagation_agrees_with_differences(loss, activation):
    result = check_backpropagation(filled(activation=activation, loss=loss), X, targets(loss), alpha=0.1, n_checks=4)
    assert result.ok, result
    assert result.n_checked == 4 + 4 + 4 + 4 + 4 + 2


def test_with_batch_normalization_sparse_float32_and_weights():
    for how in ({"batch_norm": True}, {"sparse": True}, {"dtype": np.float32}):
        network = filled(loss="poisson", **how)
        A, theta = sp.csr_matrix(X) if how.get("sparse") else X.astype(network.dtype), network.theta.copy()
        result = check_backpropagation(network, A, targets("poisson"), RNG.random(40), n_checks=3)
        assert result.ok, result
        np.testing.assert_array_equal(network.theta, theta)


def test_a_wrong_derivative_is_found_and_named(monkeypatch):
    right = Network.value_grad

    def wrong(self, *args, grad=None):
        f = right(self, *args, grad=grad)
        if grad is not None:
            self.views(grad)[0][1][2, 3] *= 1.001
        return f

    monkeypatch.setattr(Network, "value_grad", wrong)
    result = check_backpropagation(filled(), X, targets("log_loss"), n_checks=100)
    assert not result.ok
    assert (result.layer, result.kind, result.index) == (1, "weights", (2, 3))
    assert result.error == pytest.approx(1e-3, rel=0.1)
    assert result.given == pytest.approx(1.001 * result.difference, rel=1e-5)
    assert "DISAGREES with differences (54 parameters); worst: weights[1][2, 3]" in str(result)


def test_parameters_on_a_kink_are_told_apart(monkeypatch):
    network = filled((3, 5, 2), "relu")
    network.weights[0][...] = network.intercepts[0][...] = 0  # every unit's input is zero
    result = check_backpropagation(network, X, targets("log_loss"), n_checks=100)
    assert result.ok
    assert result.n_kinks == 15 + 5
    right = Network.value_grad

    def wrong(self, *args, grad=None):
        f = right(self, *args, grad=grad)
        if grad is not None:
            grad += 10.0  # beyond both slopes
        return f

    monkeypatch.setattr(Network, "value_grad", wrong)
    result = check_backpropagation(network, X, targets("log_loss"), n_checks=100)
    assert not result.ok
    assert result.n_kinks == 0


def test_what_cannot_be_used_is_refused():
    for how, message in (
        ({"n_checks": 0}, "n_checks must be a positive integer; got 0"),
        ({"tol": -1.0}, "tol must be a positive number; got -1.0"),
        ({"sample_weight": [1.0]}, r"sample_weight must have shape \(40,\); got \(1,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            check_backpropagation(filled(), X, targets("log_loss"), **how)


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="model must be an MLPClassifier, an MLPRegressor or a Network, not str"):
        check_backpropagation("model", np.ones((2, 2)), np.ones(2))
