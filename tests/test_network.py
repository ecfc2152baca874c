"""The compiled network against the one in NumPy, thread counts against each other, and what stops training."""

import contextlib
import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import network_reference as reference
import numba
import numpy as np
import pytest
import scipy.sparse as sp
import scipy.special
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numopt.kernels import first_order_slots as o
from numopt.losses import elementary
from numopt.network import _network, _threads
from numopt.network._network import ACTIVATIONS, LOSSES, Network
from numopt.network._trainer import Trainer


def targets(rng, loss, n, k, dtype=np.float64):
    if loss == "log_loss":
        return rng.integers(0, k, n)
    if loss == "binary_log_loss":
        return (rng.random((n, k)) < 0.5).astype(dtype)
    if loss == "poisson":
        return rng.poisson(1.0, (n, k)).astype(dtype)
    return rng.normal(size=(n, k)).astype(dtype)


class Pair:
    """The same network twice, with data."""

    def __init__(self, sizes, activations, loss, n, seed=0, dtype=np.float64, **options):
        rng = self.rng = np.random.default_rng(seed)
        self.ours = Network(sizes, activations, loss, dtype=dtype, **options)
        self.theirs = reference.Network(sizes, activations, loss, dtype=dtype, **options)
        start = rng.normal(size=self.ours.n_params) * 0.5
        for W in self.ours.views(start)[0]:
            W /= np.sqrt(len(W))
        self.ours.theta, self.theirs.theta[:] = start, start
        self.X = rng.normal(size=(n, sizes[0])).astype(dtype)
        if options.get("sparse"):
            self.X = sp.csr_matrix(self.X * (rng.random(self.X.shape) < 0.3))
        self.Y = targets(rng, loss, n, sizes[-1], dtype)
        self.weight = rng.random(n).astype(dtype)
        self.order = rng.permutation(n)

    def train(self, size, rule="sgd", scalars=None, weighted=True, alpha=0.1, alpha_l1=0.02, dropout=None, **options):
        """(what train returned, trainer) of both, after an epoch and another update."""
        out, n = [], self.X.shape[0]
        for network in (self.ours, self.theirs):
            trainer = Trainer(rule, network.n_params, network.dtype, scalars, **options)
            result = np.zeros(3)
            for first, last in ((0, -(-n // size)), (0, 1)):
                result += network.train(self.X, self.Y, self.weight if weighted else None, self.order, first, last,
                                        size, trainer, alpha, alpha_l1, dropout, 12345)  # fmt: skip
            out.append((result, trainer))
        return out


def close(ours, theirs, tolerance=1e-12):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_everything_is_the_references(activation, loss):
    for options in ({}, {"batch_norm": True}):
        pair = Pair((7, 9, 6, 3), activation, loss, 81, **options)
        ours, theirs, X, Y, weight = pair.ours, pair.theirs, pair.X, pair.Y, pair.weight
        g, expected = np.empty(ours.n_params), np.empty(ours.n_params)
        close(ours.value_grad(X, Y, weight, 0.3, 0.1, g), theirs.value_grad(X, Y, weight, 0.3, 0.1, expected))
        close(g, expected)
        close(ours.value_grad(X, Y, None, 0.3, 0.1), theirs.value_grad(X, Y, None, 0.3, 0.1))
        (mine, trainer), (their, _) = pair.train(30, average="plain")
        close(mine, their)
        close(ours.theta, theirs.theta)
        close(ours.predict(X), theirs.predict(X))
        close(ours.loss(X, Y, weight), theirs.loss(X, Y, weight))
        for mine, their in zip(ours.running_var + ours.running_mean, theirs.running_var + theirs.running_mean,
                               strict=True):  # fmt: skip
            close(mine, their)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=4),
    n=st.integers(1, 140),
    size=st.integers(1, 150),
    loss=st.sampled_from(LOSSES),
    activations=st.lists(st.sampled_from(ACTIVATIONS), min_size=3, max_size=3),
    weighted=st.booleans(),
    sparse=st.booleans(),
    dtype=st.sampled_from([np.float64, np.float32]),
    seed=st.integers(0, 1000),
)
def test_shapes(sizes, n, size, loss, activations, weighted, sparse, dtype, seed):
    pair = Pair(sizes, activations[: len(sizes) - 2], loss, n, seed, dtype, sparse=sparse)
    tolerance = 1e-12 if dtype == np.float64 else 3e-4
    ours, theirs = pair.ours, pair.theirs
    close(ours.predict(pair.X), theirs.predict(pair.X), tolerance)
    g, expected = np.empty(ours.n_params, dtype), np.empty(ours.n_params, dtype)
    args = pair.X, pair.Y, pair.weight if weighted else None, 0.1
    close(ours.value_grad(*args, grad=g), theirs.value_grad(*args, grad=expected), tolerance)
    scale = max(1.0, float(np.abs(expected).max()))
    close(g / scale, expected / scale, tolerance)
    scalars = {o.LR_INIT: 1e-2 / scale}
    (mine, _), (their, _) = pair.train(size, scalars=scalars, weighted=weighted, alpha_l1=0.0)
    close(mine / scale**2, their / scale**2, 10 * tolerance)
    close(ours.theta, theirs.theta, tolerance)


@pytest.mark.parametrize("rule", o.RULES)
def test_every_rule(rule):
    pair = Pair((5, 6, 3), "tanh", "squared_error", 64)
    (mine, trainer), (their, other) = pair.train(16, rule, {o.LR_INIT: 0.01}, average="exponential", average_start=1,
                                                 average_decay=0.5)  # fmt: skip
    close(mine, their)
    close(pair.ours.theta, pair.theirs.theta, 1e-11)
    close(trainer.h, other.h)
    close(trainer.s, other.s, 1e-11)
    close(trainer.mean, other.mean, 1e-11)


@pytest.mark.parametrize("clip", [{"clip_norm": 0.1}, {"clip_value": 0.05}, {"clip_norm": 0.1, "clip_value": 0.05}])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_clipping_and_dropout(clip, batch_norm):
    pair = Pair((6, 20, 30, 3), "relu", "log_loss", 90, batch_norm=batch_norm)
    (mine, _), (their, _) = pair.train(40, dropout=(0.3, 0.6), scalars={o.LR_INIT: 0.5}, **clip)
    close(mine, their)
    close(pair.ours.theta, pair.theirs.theta)


def test_dropout_keeps_what_it_should():
    mask = reference.dropout_mask(3, 5, 1, 400, 50, 0.3)
    assert abs((mask == 0).mean() - 0.3) < 0.01 and abs(mask.mean() - 1) < 0.015
    assert (mask != reference.dropout_mask(3, 6, 1, 400, 50, 0.3)).mean() > 0.4
    assert (mask != reference.dropout_mask(4, 5, 1, 400, 50, 0.3)).mean() > 0.4


def test_updates_of_more_rows_than_are_kept():
    """A minibatch, and a gradient over all rows, of several chunks."""
    pair = Pair((20, 30, 3), "relu", "log_loss", 1300)
    (mine, _), (their, _) = pair.train(1100)
    close(mine, their)
    close(pair.ours.theta, pair.theirs.theta)
    g, expected = np.empty(pair.ours.n_params), np.empty(pair.ours.n_params)
    f = pair.ours.value_grad(pair.X, pair.Y, pair.weight, 0.1, 0.0, g)
    close(f, pair.theirs.value_grad(pair.X, pair.Y, pair.weight, 0.1, 0.0, expected))
    close(g, expected)
    close(pair.ours.predict(pair.X), pair.theirs.predict(pair.X))


@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": True}, {"sparse": True}, {"dtype": np.float32}], ids=["dense", "bn", "sparse", "32"]
)
def test_bits_do_not_depend_on_threads(options, monkeypatch):
    monkeypatch.setattr(_network, "WORTHWHILE", 0)
    results = []
    for threads in (1, 2, 3, 1):
        pair = Pair((60, 33, 20, 4), "tanh", "log_loss", 700, n_threads=threads, **{"dtype": np.float64, **options})
        network = pair.ours
        trainer = Trainer("adam", network.n_params, network.dtype, clip_norm=0.5, average="plain")
        out, g = [], np.empty_like(network.theta)
        for _ in range(4):
            out += network.train(pair.X, pair.Y, pair.weight, pair.order, 0, 6, 128, trainer, 0.1, 0.1, (0.2, 0.1), 7)
            out.append(network.value_grad(pair.X, pair.Y, pair.weight, 0.1, 0.1, g))
            out.append(network.loss(pair.X, pair.Y, pair.weight))
        parts = [network.theta, trainer.mean, trainer.s, g, network.predict(pair.X), np.array(out)]
        results.append([part.tobytes() for part in parts + network.running_var])
    assert results[0] == results[1] == results[2] == results[3]


def test_blocks_at_different_layers_have_memory_of_their_own(monkeypatch):
    """Deltas of a block were written where those of another stood that was at a layer of another width."""
    monkeypatch.setattr(_network, "WORTHWHILE", 0)
    pair = Pair((60, 33, 20, 4), "tanh", "log_loss", 500, n_threads=1)
    expected, g = np.empty(pair.ours.n_params), np.empty(pair.ours.n_params)
    pair.ours.value_grad(pair.X, pair.Y, grad=expected)
    pair.ours.n_threads = 2
    for _ in range(1000):
        pair.ours.value_grad(pair.X, pair.Y, grad=g)
        assert (g == expected).all()


def test_threads_take_part(monkeypatch):
    """A helper comes into a call that is long enough."""
    monkeypatch.setattr(_network, "WORTHWHILE", 0)
    pair = Pair((200, 50, 3), "relu", "log_loss", 4000, n_threads=2)
    trainer = Trainer("adam", pair.ours.n_params, np.float64)
    seen = []
    function = pair.ours._function

    def spy(table, who):
        before = time.thread_time()
        function(table, who)
        seen.append((who, time.thread_time() - before))

    pair.ours._function = spy
    for _ in range(1000):  # the machine may be busy
        pair.ours.train(pair.X, pair.Y, None, pair.order, 0, 40, 100, trainer)
        if sum(spent for who, spent in seen if who) > 0.01:
            break
    assert sum(spent for who, spent in seen if who) > 0.01


def test_two_fits_at_once_share_the_helpers(monkeypatch):
    monkeypatch.setattr(_network, "WORTHWHILE", 0)
    thetas = {}

    def fit(name):
        pair = Pair((30, 20, 3), "relu", "log_loss", 500, n_threads=3)
        trainer = Trainer("adam", pair.ours.n_params, np.float64)
        for _ in range(20):
            pair.ours.train(pair.X, pair.Y, None, pair.order, 0, 10, 50, trainer)
        thetas[name] = pair.ours.theta.tobytes()

    threads = [threading.Thread(target=fit, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(thetas) == 3 and len(set(thetas.values())) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_threads_of_its_own():
    code = (
        "import os, numpy as np\n"
        "from numopt.network import _network\n"
        "_network.WORTHWHILE = 0\n"
        "X = np.ones((600, 9)); Y = np.zeros(600, int)\n"
        "net = _network.Network((9, 8, 2), 'relu', 'log_loss', n_threads=2)\n"
        "net.loss(X, Y)\n"
        "child = os.fork()\n"
        "f = net.loss(X, Y)\n"
        "if child == 0: os._exit(int(f * 100))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == int(f * 100) > 0)\n"
    )
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert out.stdout.strip() == "True", out.stderr


def test_the_usual_number_of_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert _threads.usual() == _threads.cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert _threads.usual() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "nonsense")
    assert _threads.usual() == _threads.cores()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_training_stops_before_an_update_that_is_not_finite(bad, activation):
    pair = Pair((4, 5, 3), activation, "squared_error", 60)
    pair.X[pair.order[45]] = bad  # in the third of four batches
    if activation in ("tanh", "logistic") and np.isfinite(bad):
        pair.Y[pair.order[45]] = bad
    network, trainer = pair.ours, Trainer("adam", pair.ours.n_params, np.float64)
    _, _, done = network.train(pair.X, pair.Y, None, pair.order, 0, 4, 20, trainer)
    assert done == 2 and trainer.h[o.T] == 2
    before = network.theta.copy()
    _, _, done = network.train(pair.X, pair.Y, None, pair.order, 2, 4, 20, trainer)
    assert done == 0 and trainer.h[o.T] == 2 and (network.theta == before).all() and np.isfinite(before).all()


def test_a_sparse_matrix_with_wide_indices():
    pair = Pair((12, 7, 2), "relu", "log_loss", 50, sparse=True)
    expected = pair.ours.predict(pair.X)
    wide = pair.X.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    assert (pair.ours.predict(wide) == expected).all()


def test_copies_are_of_their_own():
    pair = Pair((4, 6, 3), "relu", "log_loss", 30, batch_norm=True)
    for other in (copy.deepcopy(pair.ours), pickle.loads(pickle.dumps(pair.ours))):
        expected = pair.ours.predict(pair.X)
        assert (other.predict(pair.X) == expected).all()
        other.theta[:] = 0
        other.running_var[0][:] = 3
        assert (pair.ours.predict(pair.X) == expected).all() and (other.weights[0] == 0).all()


def test_data_of_another_shape_are_refused():
    pair = Pair((4, 6, 3), "relu", "squared_error", 30)
    with pytest.raises(ValueError, match="4 columns"):
        pair.ours.predict(pair.X[:, :3])
    with pytest.raises(ValueError, match="Y has shape"):
        pair.ours.loss(pair.X, pair.Y[:10])
    with pytest.raises(ValueError, match="weight"):
        pair.ours.loss(pair.X, pair.Y, np.ones(3))
    with pytest.raises(ValueError, match="array of 4 columns"):
        pair.ours.predict(sp.csr_matrix(pair.X))


def test_elementary_functions_are_scipys():
    x = np.concatenate([np.linspace(-40, 40, 4001), np.geomspace(1e-300, 30, 500), -np.geomspace(1e-300, 30, 500)])

    @numba.njit
    def fill(x, em, er):
        for i in range(x.size):
            em[i] = elementary.expm1(x[i])
            er[i] = elementary.erf(x[i])

    em, er = np.empty_like(x), np.empty_like(x)
    fill(x, em, er)
    np.testing.assert_allclose(em, np.expm1(x), rtol=1e-15, atol=0)
    np.testing.assert_allclose(er, scipy.special.erf(x), rtol=1e-15, atol=0)


def test_the_slope_of_gelu_far_out_is_zero_or_one():
    network = Network((1, 2, 1), "gelu", "absolute_error")
    network.weights[0][...], network.weights[1][...] = [[-1.0, 1.0]], [[1.0], [1.0]]
    g = np.empty(network.n_params)
    for far in (50.0, 1e150):
        network.value_grad(np.array([[far]]), np.zeros((1, 1)), grad=g)
        np.testing.assert_allclose(network.views(g)[1][0], [0.0, 1.0], rtol=0, atol=1e-300)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_forked_during_a_call_can_call():
    network = Network((3, 4, 1), "relu", "squared_error", n_threads=1)
    X = np.ones((5, 3))
    with network._lock:  # as another thread holds it
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                signal.alarm(20)
                network.predict(X)
                os._exit(7)
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_threads_are_not_more_than_are_of_use():
    network = Network((64, 300, 10), "relu", "squared_error", n_threads=500)
    network.predict(np.ones((512, 64)))
    assert sum(thread.name == "numopt" for thread in threading.enumerate()) < max(8, 2 * os.cpu_count())
