"""Initial weights of networks, layerwise pretraining, the check of backpropagation."""

import numpy as np
import pytest

from numopt.network._network import Network
from numopt.neural_network._initial_weights import initialise

SIZES = (200, 120, 300, 10)


def drawn(init, loss="log_loss", activations="relu", sizes=SIZES, seed=0, **how):
    network = Network(sizes, activations, loss)
    initialise(network, np.random.RandomState(seed), init, **how)
    return network


@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_auto_draws_the_numbers_of_scikit_learn(activation, dtype):
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 5)).astype(dtype), np.arange(30) % 3
    theirs = MLPClassifier((7, 4), activation=activation, random_state=3, learning_rate_init=1e-300, max_iter=1)
    with pytest.warns(Warning, match="converge"):
        theirs.fit(X, y)
    ours = Network((5, 7, 4, 3), activation, "log_loss", dtype=dtype)
    initialise(ours, np.random.RandomState(3))
    for mine, their in zip(ours.weights + ours.intercepts, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_array_equal(mine, their)


@pytest.mark.parametrize("init", ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"])
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_variances(init, gain):
    network = drawn(init, init_gain=gain)
    for W, b in zip(network.weights[:2], network.intercepts, strict=False):
        fan_in, fan_out = W.shape
        variance = 2 * gain**2 / (fan_in + fan_out if init.startswith("glorot") else fan_in)
        assert W.var() == pytest.approx(variance, rel=0.05)
        assert abs(W.mean()) < 4 * np.sqrt(variance / W.size)
        bound = np.sqrt(3 * variance)
        assert (abs(W).max() <= bound) == init.endswith("uniform")
        assert not b.any()


@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_orthogonal(gain):
    for W in drawn("orthogonal", init_gain=gain).weights:
        small = W.T @ W if W.shape[0] >= W.shape[1] else W @ W.T
        np.testing.assert_allclose(small, gain**2 * np.eye(len(small)), atol=1e-13)


def test_sparse_has_exactly_so_many_weights_a_unit():
    for k in (1, 15, 150):
        network = drawn("sparse", init_nonzero=k, init_gain=2.0)
        for W in network.weights:
            assert (np.count_nonzero(W, axis=0) == min(k, W.shape[0])).all()
    assert W[W != 0].std() == pytest.approx(2.0, rel=0.1)
    assert len({tuple(np.flatnonzero(column)) for column in drawn("sparse").weights[0].T}) > 100


def test_biases():
    network = drawn("he_normal", activations=["relu", "tanh"], bias_init="small_positive")
    assert [set(b.tolist()) for b in network.intercepts] == [{0.1}, {0.0}, {0.0}]
    assert all(set(b.tolist()) == {-0.5} for b in drawn("auto", bias_init=-0.5).intercepts)
    auto, zeros = drawn("auto"), drawn("auto", bias_init="zeros")
    assert all(b.any() for b in auto.intercepts) and not any(b.any() for b in zeros.intercepts)
    for a, b in zip(auto.weights, zeros.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("loss", ["log_loss", "binary_log_loss", "squared_error", "poisson", "huber"])
def test_output_bias_predicts_the_frequencies_where_the_last_weights_are_zero(loss):
    means = np.array([0.2, 0.5, 0.3])
    network = drawn("auto", loss, sizes=(5, 4, 3), output_bias="class_frequencies", y_means=means)
    network.weights[-1][...] = 0
    p = network.predict(np.random.default_rng(0).normal(size=(6, 5)))
    np.testing.assert_allclose(p, np.tile(means, (6, 1)), rtol=1e-14)


def test_a_class_that_never_occurs_gets_a_finite_bias():
    network = drawn("auto", sizes=(5, 4, 3), output_bias="class_frequencies", y_means=[0.0, 0.4, 0.6])
    assert np.isfinite(network.intercepts[-1]).all()
    network = drawn("auto", "binary_log_loss", sizes=(5, 4, 2), output_bias="class_frequencies", y_means=[0.0, 1.0])
    assert np.isfinite(network.intercepts[-1]).all()


def test_callable():
    seen = []

    def init(fan_in, fan_out, layer, random_state):
        seen.append((fan_in, fan_out, layer))
        return random_state.normal(size=(fan_in, fan_out))

    network = drawn(init)
    assert seen == [(200, 120, 0), (120, 300, 1), (300, 10, 2)]
    rng = np.random.RandomState(0)
    for W in network.weights:
        np.testing.assert_array_equal(W, rng.normal(size=W.shape))


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"init": "xavier"}, ValueError, "init must be one of 'auto', .*or a callable; got 'xavier'"),
        ({"init": None}, ValueError, "init must be one of"),
        ({"init": "he_normal", "init_gain": 0}, ValueError, "init_gain must be a positive number; got 0"),
        ({"init": "he_normal", "init_gain": "relu"}, ValueError, "init_gain must be a positive number"),
        ({"init": "sparse", "init_nonzero": 0}, ValueError, "init_nonzero must be a positive integer; got 0"),
        ({"init": "auto", "bias_init": "ones"}, ValueError, "bias_init must be one of .* got 'ones'"),
        ({"init": "auto", "bias_init": np.nan}, ValueError, "bias_init must be"),
        ({"init": "auto", "output_bias": "mean"}, ValueError, "output_bias must be one of .* got 'mean'"),
        ({"init": "auto", "output_bias": "class_frequencies"}, ValueError, "needs y_means"),
        ({"init": "auto", "output_bias": "class_frequencies", "y_means": [1.0]}, ValueError, "10 finite numbers"),
        ({"init": lambda i, o, k, r: np.zeros((o, i))}, ValueError,
         r"shape \(200, 120\) for layer 0; it returned shape \(120, 200\)"),
        ({"init": lambda i, o, k, r: np.full((i, o), np.inf)}, ValueError, "returned NaN or infinity"),
        ({"init": lambda i, o, k, r: np.full((i, o), "a")}, TypeError, "returned <U1 data"),
        ({"init": lambda i, o, k, r: [[1.0], [1.0, 2.0]]}, ValueError, "rows of different lengths"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(how, error, message):
    with pytest.raises(error, match=message):
        drawn(**how)
