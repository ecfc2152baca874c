"""Iterates of the multilayer perceptrons beside scikit-learn's and PyTorch's, from the same weights and batches."""

import numpy as np
import pytest
from sklearn import neural_network as sk
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from numopt.neural_network import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SIZES, ROWS, BATCH, EPOCHS = (64, 20, 10), 190, 20, 10  # ten updates an epoch, the last of 10 rows
RULES = {
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.1},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.1},
}
COMMON = {"batch_size": BATCH, "max_iter": EPOCHS, "tol": 0.0, "random_state": 3}
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}
# smooth in single precision: within its rounding of relu's kink (there is such a z in these runs) two runs may part
ACTIVATION = {"float64": "relu", "float32": "tanh"}


@pytest.fixture(autouse=True)
def one_thread():
    """For scikit-learn: on busy cores, small products on several threads of BLAS take many times as long."""
    with threadpool_limits(1, "blas"):
        yield


def digits(dtype):
    X, y = load_digits(return_X_y=True)
    return (X[:ROWS] / 16).astype(dtype), y[:ROWS]


def regression():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, 6))
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] * X[:, 3]])
    return X, Y


def distance(coefs, intercepts, other_coefs, other_intercepts):
    """The largest relative distance of two weight matrices or bias vectors."""
    ours, theirs = [*coefs, *intercepts], [*other_coefs, *other_intercepts]
    return max(np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(ours, theirs, strict=True))


def between(ours, theirs):
    return distance(ours.coefs_, ours.intercepts_, theirs.coefs_, theirs.intercepts_)


# --- scikit-learn


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rule", RULES)
def test_a_hundred_updates_end_at_scikit_learns_weights(rule, dtype):
    X, y = digits(dtype)
    options = {"hidden_layer_sizes": SIZES[1:-1], "activation": ACTIVATION[dtype], "alpha": 0.01}
    options |= {**COMMON, **RULES[rule]}
    ours, theirs = MLPClassifier(**options).fit(X, y), sk.MLPClassifier(**options).fit(X, y)
    assert ours.coefs_[0].dtype == dtype and ours.t_ == theirs.t_ == EPOCHS * ROWS
    assert between(ours, theirs) < TOLERANCE[dtype]
    start = MLPClassifier(**{**options, "max_iter": 1}).fit(X, y)
    assert between(start, theirs) > 0.1  # they went somewhere
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=10 * TOLERANCE[dtype])


@pytest.mark.parametrize("rule", RULES)
def test_calls_of_partial_fit_give_scikit_learns_iterates(rule):
    X, y = digits("float64")
    options = {"hidden_layer_sizes": (12, 8), "activation": "tanh", **COMMON, **RULES[rule]}
    ours, theirs = MLPClassifier(**options), sk.MLPClassifier(**options)
    for first in (0, 95, 0, 40):  # rows differ from call to call
        rows = slice(first, first + 95)
        ours.partial_fit(X[rows], y[rows], classes=np.arange(10))
        theirs.partial_fit(X[rows], y[rows], classes=np.arange(10))
        assert between(ours, theirs) < TOLERANCE["float64"]


@pytest.mark.parametrize("activation", ("identity", "logistic", "tanh", "relu"))
def test_activations_and_order_without_shuffling(activation):
    X, y = digits("float64")
    options = {**COMMON, "activation": activation, "hidden_layer_sizes": (15, 10), "shuffle": False}
    assert between(MLPClassifier(**options).fit(X, y), sk.MLPClassifier(**options).fit(X, y)) < TOLERANCE["float64"]


@pytest.mark.parametrize("rule", RULES)
def test_regression_with_two_outputs(rule):
    X, Y = regression()
    options = {**COMMON, "hidden_layer_sizes": (15,), **RULES[rule], "learning_rate_init": 0.01}
    ours, theirs = MLPRegressor(**options).fit(X, Y), sk.MLPRegressor(**options).fit(X, Y)
    assert between(ours, theirs) < TOLERANCE["float64"]
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-11)


# --- PyTorch


def initial_weights(sizes, rng, dtype):
    """What the estimators draw: layer by layer, weights, then biases."""
    weights = []
    for a, b in zip(sizes[:-1], sizes[1:], strict=True):
        s = np.sqrt(6.0 / (a + b))
        weights.append((rng.uniform(-s, s, (a, b)).astype(dtype), rng.uniform(-s, s, b).astype(dtype)))
    return weights


def torch_fit(make_optimizer, X, y, alpha=0.0, decoupled=0.0):
    """Weights and biases that PyTorch ends at; the weights take the penalty, or AdamW's decay, and the biases none."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    rng, linear = np.random.RandomState(COMMON["random_state"]), torch.nn.functional.linear
    start, act = initial_weights(SIZES, rng, X.dtype), getattr(torch, ACTIVATION[X.dtype.name])
    weights = [torch.tensor(W.T.copy(), requires_grad=True) for W, _ in start]
    biases = [torch.tensor(b, requires_grad=True) for _, b in start]
    groups = [{"params": weights, "weight_decay": decoupled}, {"params": biases, "weight_decay": 0.0}]
    optimizer = make_optimizer(torch.optim, groups)
    X, y, order = torch.tensor(X), torch.tensor(y), np.arange(len(X))
    for _ in range(EPOCHS):
        drawn = np.arange(len(order))
        rng.shuffle(drawn)
        order = order[drawn]
        for first in range(0, len(order), BATCH):
            rows = torch.tensor(order[first : first + BATCH])
            hidden = act(linear(X[rows], weights[0], biases[0]))
            if not decoupled:
                groups[0]["weight_decay"] = optimizer.param_groups[0]["weight_decay"] = alpha / len(rows)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(linear(hidden, weights[1], biases[1]), y[rows]).backward()
            optimizer.step()
    return [W.detach().numpy().T for W in weights], [b.detach().numpy() for b in biases]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rule", RULES)
def test_a_hundred_updates_end_at_pytorchs_weights(rule, dtype):
    X, y = digits(dtype)
    lr = RULES[rule]["learning_rate_init"]
    eps = 1e-30  # so small that it does not matter whether it stands beside v or beside v over 1 - beta_2^t
    make = {
        "adam": lambda optim, groups: optim.Adam(groups, lr=lr, eps=eps),
        "sgd": lambda optim, groups: optim.SGD(groups, lr=lr),
        "momentum": lambda optim, groups: optim.SGD(groups, lr=lr, momentum=0.9),
        "nesterov": lambda optim, groups: optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True),
    }[rule]
    theirs = torch_fit(make, X, y, alpha=0.01)
    options = {"hidden_layer_sizes": SIZES[1:-1], "activation": ACTIVATION[dtype], "alpha": 0.01, "epsilon": eps}
    options |= {**COMMON, **RULES[rule]}
    ours = MLPClassifier(**options).fit(X, y)
    assert distance(ours.coefs_, ours.intercepts_, *theirs) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_adamw_ends_at_pytorchs_weights(dtype):
    X, y = digits(dtype)
    theirs = torch_fit(lambda optim, groups: optim.AdamW(groups, lr=0.01), X, y, decoupled=0.1)
    ours = MLPClassifier(
        SIZES[1:-1], ACTIVATION[dtype], solver="adamw", alpha=0.0, learning_rate_init=0.01,
        solver_params={"weight_decay": 0.1}, **COMMON,
    ).fit(X, y)  # fmt: skip
    assert distance(ours.coefs_, ours.intercepts_, *theirs) < TOLERANCE[dtype]
