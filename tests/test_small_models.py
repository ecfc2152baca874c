"""Batches of small lassos and perceptrons."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.linear_model import Lasso as SklearnLasso

import numopt
import numopt.cuda
from numopt import Status, each
from numopt.linear_model import ElasticNet
from numopt.neural_network import MLPClassifier, MLPRegressor
from numopt.optimize import _batch_run

RNG = np.random.default_rng(0)
N, M, P = 12, 30, 5
X = RNG.standard_normal((M, P)) + 2.0 + RNG.standard_normal((M, 1))
Y = (RNG.standard_normal((N, P)) * (RNG.random((N, P)) < 0.5)) @ X.T + 0.3 * RNG.standard_normal((N, M))
OWN = X + 0.2 * RNG.standard_normal((N, M, P))
LENGTHS = RNG.integers(10, M + 1, N)
ALPHAS = np.linspace(0.02, 0.4, N)


def same(a, b):
    """To the last bit."""
    return all(np.array_equal(a._arrays[name], b._arrays[name], equal_nan=True) for name in a._arrays)


def kkt(X, y, w, b, alpha, ratio, positive):
    """How far from its optimality condition a coefficient is, at most; the objective."""
    r = y - X @ w - b
    g = X.T @ r / len(y) - alpha * (1 - ratio) * w
    na = alpha * ratio
    off = np.where(w != 0, abs(g - na * np.sign(w)), np.maximum((g if positive else abs(g)) - na, 0))
    return off.max(), r @ r / (2 * len(y)) + na * abs(w).sum() + alpha * (1 - ratio) / 2 * w @ w


@pytest.mark.parametrize("ratio, intercept, positive", [(1.0, True, False), (0.6, False, False), (0.9, True, True)])
def test_lassos_are_those_of_the_estimator_and_certified(ratio, intercept, positive):
    options = {"l1_ratio": ratio, "fit_intercept": intercept, "positive": positive, "tol": 1e-10}
    shared = numopt.lasso_batch(X, Y, each(ALPHAS), **options)
    own = numopt.lasso_batch(each(OWN, LENGTHS), Y, each(ALPHAS), **options)
    early = numopt.lasso_batch(X, Y, each(ALPHAS), max_iter=1, **options)
    ragged = [(A[:m], y[:m]) for A, y, m in zip(OWN, Y, LENGTHS, strict=True)]
    assert (shared.status == Status.GAP).all() and own.success.all() and (own.x != 0).any()
    for result, samples in ((shared, [(X, y) for y in Y]), (own, ragged)):
        for one, (A, y), alpha in zip(result, samples, ALPHAS, strict=True):
            model = ElasticNet(alpha, **options).fit(A, y)
            assert np.allclose(one.x, model.coef_, rtol=0, atol=1e-4)
            assert one.intercept == pytest.approx(model.intercept_, abs=1e-4)
            off, f = kkt(A, y, one.x, one.intercept, alpha, ratio, positive)
            scale = ((y - y.mean()) ** 2 if intercept else y**2).sum() / len(y)
            assert off < 1e-4 * scale and one.fun == pytest.approx(f, rel=1e-9) and 0 <= one.gap <= 1e-10 * scale
            assert one.fun <= kkt(A, y, model.coef_, model.intercept_, alpha, ratio, positive)[1] + one.gap + 1e-13
    # a gap bounds how far the objective is from its minimum, of fits that are cut off too
    assert (early.fun - shared.fun <= early.gap + 1e-12).all() and (early.fun > shared.fun + 1e-6).any()


def test_lassos_are_those_of_scikit_learn():
    result = numopt.lasso_batch(X, Y, 0.1, tol=1e-12)
    model = SklearnLasso(0.1, tol=1e-12, max_iter=100000).fit(X, Y.T)
    assert np.allclose(result.x, model.coef_, atol=1e-6) and np.allclose(result.intercept, model.intercept_, atol=1e-6)


def test_a_path_of_penalties():
    alphas = [1.0, 0.1, 0.01]
    path = numopt.lasso_batch(X, Y, alphas, tol=1e-10)
    assert path.x.shape == (N, 3, P) and path.gap.shape == path.nit.shape == (N, 3) and path.status.shape == (N,)
    for k, alpha in enumerate(alphas):
        single = numopt.lasso_batch(X, Y, alpha, tol=1e-10)
        assert np.allclose(path.x[:, k], single.x, atol=1e-4) and np.allclose(path.fun[:, k], single.fun, atol=1e-9)
    own = numopt.lasso_batch(X, Y, each(np.outer(np.ones(N), alphas)), tol=1e-10)
    assert same(own, path) and path[3].x.shape == (3, P)
    assert path.nit[:, 2].sum() < numopt.lasso_batch(X, Y, 0.01, tol=1e-10).nit.sum()  # each starts the next


@pytest.mark.parametrize("design", ["shared", "own"])
def test_a_lasso_knows_nothing_of_neighbours_threads_and_chunks(design):
    A = X if design == "shared" else each(OWN, LENGTHS)
    alone = [numopt.lasso_batch(A if design == "shared" else each(OWN[i : i + 1], LENGTHS[i : i + 1]), Y[i : i + 1],
                                ALPHAS[i]) for i in range(N)]  # fmt: skip
    for n_threads, chunk_size in ((1, None), (3, None), (2, 5), (1, 1)):
        result = numopt.lasso_batch(A, Y, each(ALPHAS), n_threads=n_threads, chunk_size=chunk_size)
        assert all(same(result[i : i + 1], alone[i]) for i in range(N))
    repeated = numopt.lasso_batch(each(np.repeat(X[None], N, 0)), Y, each(ALPHAS), tol=1e-12)
    assert np.allclose(repeated.x, numopt.lasso_batch(X, Y, each(ALPHAS), tol=1e-12).x, atol=1e-9)


def test_a_lasso_that_fails_leaves_the_others_alone():
    bad, targets = OWN.copy(), Y.copy()
    bad[2, 3, 1], bad[5] = np.nan, bad[5] * 1e160
    targets[7, 0], targets[8] = np.inf, 4.0
    result = numopt.lasso_batch(each(bad), targets, 0.1)
    good = numopt.lasso_batch(each(OWN), Y, 0.1)
    wrong = np.isin(np.arange(N), [2, 5, 7])
    assert (result.status[wrong] == Status.NAN).all() and np.isnan(result.x[wrong]).all()
    assert result.success.tolist() == (~wrong).tolist()
    assert result[8].x.tolist() == [0.0] * P and result[8].intercept == 4.0 and result[8].gap == 0.0
    rest = ~wrong & (np.arange(N) != 8)
    assert same(result[rest], good[rest])


def test_constant_and_equal_columns():
    A = np.column_stack([X[:, 0], np.full(M, 1e6 / 3), X[:, 0], np.zeros(M)])
    for design in (A, each(np.repeat(A[None], N, 0))):
        result = numopt.lasso_batch(design, Y, 0.1, tol=1e-10)
        alone = numopt.lasso_batch(X[:, :1], Y, 0.1, tol=1e-10)
        assert (result.status == Status.GAP).all() and (result.x[:, [1, 3]] == 0).all()
        assert np.allclose(result.x.sum(axis=1), alone.x[:, 0], atol=1e-6)


def test_lassos_stop_at_their_limits():
    assert (numopt.lasso_batch(X, Y, 1e-3, tol=1e-12, max_iter=1).status == Status.MAXITER).all()
    result = numopt.lasso_batch(X, Y, 0.1, tol=0.0)
    assert np.isin(result.status, [Status.GAP, Status.STALLED]).all() and (result.gap < 1e-12).all()
    result = numopt.lasso_batch(X, Y, 0.1, max_time=0)
    assert (result.status == Status.NOT_RUN).all() and np.isnan(result.x).all()


def test_ctrl_c_returns_the_lassos_that_are_done(monkeypatch):
    share = _batch_run.batch.share

    def interrupted(blocks, counters, count, *more):
        share(blocks, counters, count, *more)
        raise KeyboardInterrupt

    monkeypatch.setattr(_batch_run.batch, "share", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        numopt.lasso_batch(X, Y, 0.1, chunk_size=4)
    assert caught.value.result.status.tolist() == [Status.GAP] * 4 + [Status.NOT_RUN] * (N - 4)


def test_data_of_any_kind(tmp_path):
    expected = numopt.lasso_batch(X, Y, 0.1)
    file = np.memmap(tmp_path / "y", float, "w+", shape=(N, 2 * M))
    file[:, ::2] = Y
    assert same(numopt.lasso_batch(X, file[:, ::2], 0.1), expected)
    assert same(numopt.lasso_batch(np.asfortranarray(X), np.asfortranarray(Y), 0.1), expected)
    single = numopt.lasso_batch(X, Y, 0.1, dtype="float32", chunk_size=5)
    rounded = numopt.lasso_batch(X.astype("f"), Y.astype("f"), 0.1)
    assert single.x.dtype == single.gap.dtype == np.float32 and rounded.x.dtype == float
    assert np.array_equal(single.x, rounded.x.astype("f"))
    assert numopt.lasso_batch(np.eye(3, dtype=int), [[1, 2, 4], [1, 5, 7]], 0.5).x.shape == (2, 3)
    empty = numopt.lasso_batch(X, Y[:0], 0.1)
    assert len(empty) == 0 and empty.x.shape == (0, P)
    assert numopt.lasso_batch(X, Y[:0], each(np.zeros((0, 4)))).x.shape == (0, 4, P)


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((X, Y[0], 1.0), {}, r"Y must have shape \(n_problems, m\); got \(30,\)"),
        ((OWN, Y, 1.0), {}, r"X must have shape \(m, p\); got \(12, 30, 5\)"),
        ((each(X), Y, 1.0), {}, r"X must have shape \(n_problems, m, p\)"),
        ((each(OWN[:3]), Y, 1.0), {}, "X holds 3 problems, Y 12"),
        ((X[:9], Y, 1.0), {}, "Y has 30 samples in a row, X has 9"),
        ((X, each(Y), 1.0), {}, "Y has one row a problem anyway"),
        ((X * np.nan, Y, 1.0), {}, "X holds NaN or infinity"),
        ((X * 1e160, Y, 1.0), {}, "squares overflow"),
        ((X[:, :0], Y, 1.0), {}, "at least one sample and one feature"),
        ((np.zeros((30, 5000)), Y, 1.0), {}, "5000 features, a batch at most 4096"),
        ((X.astype(complex), Y, 1.0), {}, "X must be real numbers"),
        (([[1.0], [1.0, 2.0]], Y, 1.0), {}, "rows differ in length"),
        ((X, Y, 0.0), {}, "alpha must be positive and finite; got 0.0: without a penalty it is least squares"),
        ((X, Y, [0.1, np.nan]), {}, "alpha must be positive and finite; got nan"),
        ((X, Y, "0.1"), {}, "alpha must be positive numbers"),
        ((X, Y, np.ones((2, 2))), {}, r"alpha must be a number, an array \(n_alphas,\), or each"),
        ((X, Y, []), {}, "alpha must be"),
        ((X, Y, each(np.ones(3))), {}, "alpha holds 3 problems; there are 12"),
        ((X, Y, each(np.ones((N, 2)), np.ones(N, int))), {}, "alpha takes no lengths"),
        ((X, Y, 1.0), {"l1_ratio": 2.0}, r"l1_ratio must be a number in \[0, 1\]; got 2.0"),
        ((X, Y, 1.0), {"tol": -1.0}, "tol must be a finite number, at least 0"),
        ((X, Y, 1.0), {"max_iter": 0}, "max_iter must be at least 1"),
        ((X, Y, 1.0), {"positive": 1}, "positive must be True or False"),
        ((X, Y, 1.0), {"n_threads": 0}, "n_threads must be at least 1"),
        ((X, Y, 1.0), {"chunk_size": 0}, "chunk_size must be at least 1"),
        ((X, Y, 1.0), {"dtype": "int"}, "dtype must be"),
        ((X, Y, 1.0), {"device": "gpu"}, "device must be 'cpu', 'cuda' or 'auto'"),
    ],
)
def test_bad_lassos(arguments, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        numopt.lasso_batch(*arguments, **options)


# --- perceptrons

T = np.linspace(-1.0, 1.0, 37)[:, None] * [1.0, 0.5]
CURVES = np.array([np.sin(k * T[:, 0]) for k in (1.0, 2.0, 3.0, 4.0)])
LABELS = (CURVES[:, :, None] > [-0.3, 0.4]).sum(axis=2)


@pytest.mark.parametrize("widths, activation", [((4,), "tanh"), ((3, 2), "logistic"), ((), "tanh"), ((5,), "relu")])
def test_perceptrons_are_those_of_the_estimator(widths, activation):
    options = {"alpha": 0.05, "random_state": 3, "activation": activation, "hidden_layer_sizes": widths}
    batch = numopt.mlp_batch(T, CURVES, max_iter=1000, **options)
    for i, y in enumerate(CURVES):
        # the same function: at the same weights the same loss, to rounding
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = MLPRegressor(solver="lbfgs", max_iter=1000, **options).fit(T, y)
        close = {"rtol": 1e-3, "atol": 1e-5} if activation != "relu" else {"rtol": 0.5}
        assert np.allclose(batch.fun[i], model.loss_, **close)
        model.coefs_, model.intercepts_ = [W[i] for W in batch.coefs], [b[i] for b in batch.intercepts]
        assert np.allclose(model.predict(T), batch.predict(T)[i], rtol=1e-9, atol=1e-12)
        square = sum((W[i] ** 2).sum() for W in batch.coefs)
        f = ((batch.predict(T)[i] - y) ** 2).mean() / 2 + 0.05 / 2 / len(T) * square
        assert batch.fun[i] == pytest.approx(f, rel=1e-10)
    assert abs(batch.jac[batch.status == Status.GRADIENT]).max() <= 1e-4


@pytest.mark.parametrize("labels", [LABELS > 0, LABELS], ids=["two", "three"])
def test_perceptrons_of_classes(labels):
    options = {"alpha": 0.5, "random_state": 0, "activation": "tanh", "hidden_layer_sizes": (3,), "max_iter": 1000}
    batch = numopt.mlp_batch(T, labels, loss="log_loss", **options)
    assert batch.success.all() and batch[1:3].predict_proba(T).shape == (2, len(T), labels.max() + 1)
    for i, y in enumerate(labels):
        model = MLPClassifier(solver="lbfgs", **options).fit(T, y)
        assert batch.fun[i] == pytest.approx(model.loss_, rel=1e-4)
        assert np.allclose(batch.predict_proba(T)[i], model.predict_proba(T), atol=1e-2)
        assert (batch.predict(T)[i] == batch.classes[batch.predict_proba(T)[i].argmax(axis=1)]).all()


def test_a_perceptron_knows_nothing_of_neighbours_threads_and_chunks():
    targets, samples = np.vstack([CURVES] * 3), T + np.linspace(0, 0.1, 12)[:, None, None]
    targets[5, 2] = np.nan
    lengths = np.arange(26, 38)
    options = {"random_state": 0, "max_iter": 30}
    expected = numopt.mlp_batch(each(samples, lengths), targets, n_threads=1, **options)
    assert expected.status[5] == Status.NAN and np.isfinite(np.delete(expected.fun, 5)).all()
    for n_threads, chunk_size in ((2, None), (3, 5)):
        again = numopt.mlp_batch(each(samples, lengths), targets, n_threads=n_threads, chunk_size=chunk_size, **options)
        assert same(again, expected)
    alone = numopt.mlp_batch(samples[3, :29], targets[3:4, :29], **options)
    assert same(alone, expected[3:4]) and isinstance(expected[3:4], type(expected))
    assert np.array_equal(expected.predict(each(samples))[3:4], alone.predict(samples[3]))
    assert expected[3].x.shape == (17,) and len(numopt.mlp_batch(T, CURVES[:0])) == 0


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((T, CURVES[0]), {}, r"Y must have shape \(n_problems, m\)"),
        ((T[:5], CURVES), {}, "Y has 37 samples for a problem, X has 5"),
        ((each(T[None]), CURVES), {}, "X holds 1 problems, Y 4"),
        ((np.full((37, 2), np.inf), CURVES), {}, "X holds NaN or infinity"),
        ((T, each(CURVES)), {}, "Y has one row a problem anyway"),
        ((T, CURVES, 0), {}, "hidden_layer_sizes must be positive integers; got 0"),
        ((T, CURVES, (3, 2.5)), {}, "hidden_layer_sizes must be positive integers"),
        ((T, CURVES, (3,), "swish"), {}, "activation must be one of 'identity', 'logistic', 'tanh', 'relu'"),
        ((T, CURVES), {"solver": "adam"}, "solver must be a method of numopt.minimize that reads gradients only"),
        ((T, CURVES), {"solver": "newton-cg"}, "solver must be a method"),
        ((T, CURVES), {"loss": "hinge"}, "loss must be 'squared_error' or 'log_loss'"),
        ((T, CURVES), {"loss": "log_loss"}, "Y must hold classes"),
        ((T, np.zeros((4, 37), int)), {"loss": "log_loss"}, "at least two classes"),
        ((T, CURVES), {"alpha": -1.0}, "alpha must be a finite number, at least 0"),
        ((T, CURVES), {"max_iter": 0}, "max_iter must be at least 1"),
    ],
)
def test_bad_perceptrons(arguments, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        numopt.mlp_batch(*arguments, **options)


def test_predictions_of_what_was_not_fitted():
    result = numopt.mlp_batch(T, CURVES, random_state=0, max_iter=1)
    with pytest.raises(ValueError, match="X has 1 features; the networks were fitted on 2"):
        result.predict(T[:, :1])
    with pytest.raises(ValueError, match="X holds 1 problems; there are 4"):
        result.predict(each(T[None]))
    with pytest.raises(AttributeError, match="with loss='log_loss' only"):
        result.predict_proba(T)


# --- on a device

DEVICE = """
import sys
import numpy as np, numopt
from numopt import each
rng = np.random.default_rng(0)
X = rng.standard_normal((6, 12, 3)) + 1.0
Y = X.sum(axis=2) + rng.standard_normal((6, 12))
Y[4, 3] = np.nan
lengths, alphas = np.array([12, 7, 9, 12, 5, 12]), np.linspace(0.1, 0.5, 6)
device = sys.argv[1]
shared = numopt.lasso_batch(X[0], Y, [0.5, 0.05], tol=1e-10, device=device)
single = numopt.lasso_batch(X[0], Y, 0.2, dtype="float32", device=device)
own = numopt.lasso_batch(each(X, lengths), Y, each(alphas), l1_ratio=0.7, positive=True, device=device, chunk_size=4)
mlp = numopt.mlp_batch(X[0], Y, (2,), random_state=0, alpha=0.1, max_iter=5, device=device)
names = {f"{k}_{name}": getattr(result, name) for k, result in enumerate((shared, single, own, mlp))
         for name in ("x", "fun", "status", "nit")}
np.savez(sys.argv[2], **names, gap=shared.gap)
"""


def test_in_the_simulator(tmp_path):
    for device, env in (("cpu", {}), ("cuda", {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"})):
        if device == "cpu":
            _here(tmp_path / "cpu.npz")
            continue
        out = subprocess.run([sys.executable, "-W", "ignore", "-c", DEVICE, device, str(tmp_path / "cuda.npz")],
                             capture_output=True, text=True, timeout=300, env={**os.environ, **env})  # fmt: skip
        assert out.returncode == 0, out.stderr[-2000:]
    _same(tmp_path, 1e-12)


@pytest.mark.cuda
@pytest.mark.skipif(not numopt.cuda.available(), reason=str(numopt.cuda.why_not()))
def test_small_models_on_the_device(tmp_path):
    for device in ("cpu", "cuda"):
        _here(tmp_path / f"{device}.npz", device)
    _same(tmp_path, 1e-10)


def _same(folder, tolerance):
    with np.load(folder / "cpu.npz") as cpu, np.load(folder / "cuda.npz") as cuda:
        assert (cpu["0_status"] == Status.GAP).sum() == 5 and cpu["0_status"][4] == Status.NAN
        for name in cpu:
            rtol = 1e-5 if name.startswith(("1", "3")) else tolerance  # single precision; sums in another order
            assert np.allclose(cpu[name], cuda[name], rtol=rtol, atol=rtol, equal_nan=True), name


def _here(path, device="cpu"):
    """The same in this process."""
    argv, sys.argv = sys.argv, ["", device, str(path)]
    try:
        exec(compile(DEVICE, "device", "exec"), {})
    finally:
        sys.argv = argv


PTX = """
import time
from types import SimpleNamespace
import numpy as np, numopt
from numba import cuda
from numba.cuda import dispatcher
# numba-cuda asks the driver for the device even where a compute capability is named
dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=(7, 5))
from numopt.cuda._lasso import describe
from numopt.cuda._transfer import lane_bytes, problem_bytes, signature_of
from numopt.optimize._batch_lasso import Outputs, read_problem

m, p = 7, 6
for own, cc, options in ((True, (9, 0), {}), (True, (7, 5), {"opt": False}), (False, (8, 0), {"opt": False})):
    X = numopt.each(np.zeros((3, m, p))) if own else np.ones((m, p))
    problem = read_problem(X, np.zeros((3, m)), 1.0, 1.0, True, False, 1e-4, 100, None)
    kernel, data, _ = describe(problem, Outputs(problem))
    assert lane_bytes(data) == 8 * (2 * m + p * p + 8 * p + own * (8 * m + 64 + p))
    assert problem_bytes(data) == 8 * (m + p + 5 + own * m * p)  # Y, X; coefficients, four results, the status
    text, _ = cuda.compile_ptx(kernel.py_func, signature_of(data), cc=cc, **options)
    print(f".target sm_{cc[0]}{cc[1]}" in text, ".visible .entry" in text)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="NVVM comes with the cuda extra, on Linux")
def test_lassos_compile_to_ptx():
    """What is compiled without optimisation is the same source; that is what takes the time."""
    pytest.importorskip("cuda.bindings", reason="needs the cuda extra")
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", PTX], capture_output=True, text=True, timeout=300)
    assert out.returncode == 0, out.stderr[-2000:]
    assert out.stdout.split() == ["True"] * 6


def test_what_stands_beyond_the_lengths_is_no_class():
    rng = np.random.default_rng(5)
    samples, lengths = rng.normal(size=(3, 20, 2)), np.array([20, 15, 12])
    labels = (samples[:, :, 0] > 0).astype(int)
    padded = np.where(np.arange(20) < lengths[:, None], labels, -1)
    options = {"hidden_layer_sizes": (3,), "loss": "log_loss", "random_state": 0, "max_iter": 20}
    found, expected = (numopt.mlp_batch(each(samples, lengths), Y, **options) for Y in (padded, labels))
    assert found.classes.tolist() == [0, 1]
    np.testing.assert_array_equal(found.x, expected.x)
