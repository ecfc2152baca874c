"""Multilayer perceptrons beside scikit-learn and PyTorch: epochs, L-BFGS, a grid search, accuracy, the first fit.

Run it with ``python benchmarks/mlp.py``, or with names of parts (``epochs lbfgs grid accuracy first``).  PyTorch takes
part where it is installed.  All sides have the same data, dtype, layers, batches and initial weights (scikit-learn's,
which are ours; PyTorch gets a copy) and take the batches in the same order, so an epoch of one is an epoch of the
other; the script shows that by a training loss of its own, at the weights where each ended.  Then the time to the same
loss is the time of the same number of epochs.  The fits take turns, and times are medians; a fit's time is all of the
call, checks and copies too, divided by its epochs.

Each peer takes part at the fastest of its settings, which are tried first: scikit-learn with one and two threads of
BLAS; PyTorch, a bare loop over tensors, with one and two threads, Adam fused, by lists of tensors or one by one, and
rows gathered for each batch or once an epoch.  With ``--one-thread`` the parts ``epochs`` and ``lbfgs`` hold all sides
to one thread and take processor time, for machines where others work too.

The pictures are scikit-learn's digits, enlarged to 20 x 20 pixels at a random place of 28 x 28, with two pixels of ten
non-zero as in MNIST; ``--data FILE`` takes X (n, 784) of 0 to 255 and y from an ``.npz`` file instead (with copies
shifted by a pixel, where it holds fewer than 20,000).
"""

import argparse
import itertools
import resource
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import sklearn.neural_network as sk
from scipy.ndimage import zoom
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from threadpoolctl import threadpool_limits

from numopt.neural_network import MLPClassifier

try:
    import torch
except ImportError:
    torch = None

ALPHA, RATE, BATCH = 1e-4, 1e-3, 128
THREADS, clock = (1, 2), time.perf_counter  # what peers are tried with; ours takes what is free
PAUSE = 0.3  # seconds before each run: threads of BLAS and OpenMP go on spinning for a while after a peer's
EPSILON = 1e-15  # so small that it does not matter that PyTorch adds it to another quantity of Adam's


# --- data


def pictures(path, n=20_000):
    """X (n, 784) in [0, 1] and y."""
    rng = np.random.default_rng(0)
    if path is not None:
        part = np.load(path)
        X, y = part["X"].reshape(-1, 28, 28), part["y"].astype(np.int64)
        moves = itertools.cycle([(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)])
        X = np.concatenate([np.roll(X, move, (1, 2)) for move, _ in zip(moves, range(-(-n // len(y))), strict=False)])
        y = np.resize(y, len(X))
        rows = rng.permutation(len(X))[:n]
        return X[rows].reshape(n, 784) / 255.0, y[rows]
    small, labels = load_digits(return_X_y=True)
    large = np.stack([zoom(s.reshape(8, 8), 2.5, order=1) for s in small])
    large = np.where(large > 7.0, large / large.max(), 0.0)
    rows = rng.integers(len(labels), size=n)
    X = np.zeros((n, 28, 28))
    for picture, row, (i, j) in zip(X, rows, rng.integers(0, 9, (n, 2)), strict=True):
        picture[i : i + 20, j : j + 20] = large[row] * rng.uniform(0.7, 1.0)
    return np.round(255 * X).reshape(n, 784) / 255.0, labels[rows].astype(np.int64)


def digits():
    """scikit-learn's digits in [0, 1]."""
    X, y = load_digits(return_X_y=True)
    return X / 16.0, y.astype(np.int64)


# --- the three sides: each gives a list of (weights, biases) at the end


def options(sizes, epochs):
    """What both estimators are given."""
    return {
        "hidden_layer_sizes": sizes[1:-1], "alpha": ALPHA, "learning_rate_init": RATE, "batch_size": BATCH,
        "max_iter": epochs, "tol": 0.0, "epsilon": EPSILON, "n_iter_no_change": epochs, "random_state": 0,
    }  # fmt: skip


def ours(X, y, sizes, epochs):
    """numopt."""
    model = MLPClassifier(**options(sizes, epochs), n_threads=1 if THREADS == (1,) else None).fit(X, y)
    return list(zip(model.coefs_, model.intercepts_, strict=True))


def theirs(X, y, sizes, epochs, threads):
    """scikit-learn."""
    with threadpool_limits(threads, "blas"):
        model = sk.MLPClassifier(**options(sizes, epochs)).fit(X, y)
    return list(zip(model.coefs_, model.intercepts_, strict=True))


def pytorch(X, y, sizes, epochs, threads, form, gather):
    """A bare loop of PyTorch over the same batches: ``gather``, once a 'batch' or an 'epoch'."""
    torch.set_num_threads(threads)
    rng, linear = np.random.RandomState(0), torch.nn.functional.linear
    weights, biases = [], []
    for a, b in itertools.pairwise(sizes):
        s = np.sqrt(6.0 / (a + b))
        weights.append(torch.tensor(rng.uniform(-s, s, (a, b)).astype(X.dtype).T.copy(), requires_grad=True))
        biases.append(torch.tensor(rng.uniform(-s, s, b).astype(X.dtype), requires_grad=True))
    groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.Adam(
        groups, lr=RATE, eps=EPSILON, weight_decay=ALPHA / BATCH, **{form: True} if form else {}
    )
    X, y, order = torch.from_numpy(X), torch.from_numpy(y), np.arange(len(X))
    last = len(biases) - 1
    for _ in range(epochs):
        drawn = np.arange(len(order))
        rng.shuffle(drawn)
        order = order[drawn]
        rows, total = torch.from_numpy(order), 0.0
        if gather == "epoch":
            Xs, ys = X.index_select(0, rows), y.index_select(0, rows)
        for first in range(0, len(order), BATCH):
            if gather == "epoch":
                a, targets = Xs[first : first + BATCH], ys[first : first + BATCH]
            else:
                batch = rows[first : first + BATCH]
                a, targets = X.index_select(0, batch), y.index_select(0, batch)
            optimizer.param_groups[0]["weight_decay"] = ALPHA / len(targets)
            for W, b in zip(weights[:-1], biases[:-1], strict=True):
                a = linear(a, W, b).relu_()
            loss = torch.nn.functional.cross_entropy(linear(a, weights[last], biases[last]), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
    return [(W.detach().numpy().T, b.detach().numpy()) for W, b in zip(weights, biases, strict=True)]


def training_loss(layers, X, y):
    """Mean cross-entropy and penalty, in double precision."""
    a = X.astype(float)
    for W, b in layers[:-1]:
        a = np.maximum(a @ W.astype(float) + b, 0.0)
    z = a @ layers[-1][0].astype(float) + layers[-1][1]
    z -= z.max(axis=1, keepdims=True)
    data = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]
    return data.mean() + 0.5 * ALPHA * sum((W.astype(float) ** 2).sum() for W, _ in layers) / len(y)


# --- measuring


def timed(call):
    """(seconds, what it returned)."""
    time.sleep(PAUSE)
    begin = clock()
    result = call()
    return clock() - begin, result


def turns(calls, repeats):
    """Median seconds of calls that take turns."""
    times = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(timed(call)[0])
    return {name: statistics.median(t) for name, t in times.items()}


def fastest(make, settings):
    """The setting with which ``make(*setting)()`` takes least: one run each, then again those within twice the best."""
    seconds = {setting: timed(make(*setting))[0] for setting in settings}
    limit = 2.0 * min(seconds.values())
    for _ in range(2):
        for setting in seconds:
            if seconds[setting] <= limit:
                seconds[setting] = min(seconds[setting], timed(make(*setting))[0])
    return min(seconds, key=seconds.get)


def epochs(path, repeats=5):
    """The table of epochs."""
    table = [
        ("784-10-10", pictures(path), "float64", 5), ("784-10-10", pictures(path), "float32", 5),
        ("64-100-10", digits(), "float64", 20), ("64-100-10", digits(), "float32", 20),
        ("784-256-128-10", pictures(path), "float32", 3),
    ]  # fmt: skip
    share = (table[0][1][0] > 0).mean()
    print(f"pictures: {'synthetic' if path is None else path}, {100 * share:.0f} % of the pixels are not zero")
    print(f"{'layers':15} {'dtype':8} {'first, ms':>9} {'ms/epoch':>9}   peers: ms/epoch, over ours; their setting")
    for title, (X, y), dtype, n in table:
        X, sizes = np.ascontiguousarray(X, dtype=dtype), tuple(map(int, title.split("-")))
        data = X, y, sizes
        first = timed(lambda data=data: ours(*data, 1))[0]
        calls, how = {"ours": lambda data=data, n=n: ours(*data, n)}, {}

        def sklearn_call(threads, epochs=1, data=data):
            return lambda: theirs(*data, epochs, threads)

        def torch_call(*setting, epochs=1, data=data):
            return lambda: pytorch(*data, epochs, *setting)

        k = fastest(sklearn_call, [(k,) for k in THREADS])[0]
        calls["scikit-learn"], how["scikit-learn"] = sklearn_call(k, n), f"{k} thread(s)"
        if torch is not None:
            settings = itertools.product(THREADS, ("fused", "foreach", ""), ("batch", "epoch"))
            torch_call(1, "fused", "batch")()  # what it loads at its first call
            best = fastest(torch_call, list(settings))
            calls["PyTorch"], how["PyTorch"] = torch_call(*best, epochs=n), f"{best[0]} thread(s), {best[1] or 'loop'}"
            how["PyTorch"] += f", gathers each {best[2]}"
        losses = {name: training_loss(call(), X, y) for name, call in calls.items()}
        spread = max(losses.values()) / min(losses.values()) - 1
        assert spread < 5e-2, losses  # after hundreds of updates in float32 rounding is all over the place
        medians = {name: t / n for name, t in turns(calls, repeats).items()}
        mine = medians.pop("ours")
        beside = [f"{name} {t * 1e3:.1f} ({t / mine:.1f}; {how[name]})" for name, t in medians.items()]
        print(f"{title:15} {dtype:8} {first * 1e3:9.0f} {mine * 1e3:9.2f}   {', '.join(beside)}", flush=True)
        print(f"{'':15} training loss after {n} epochs {losses['ours']:.6f}, the sides within {spread:.0e}", flush=True)
    if torch is None:
        print("PyTorch is not installed: its column is left out")


class Theirs(sk.MLPClassifier):
    """scikit-learn's, with a count of the evaluations of loss and gradient."""

    evaluations = 0

    def _loss_grad_lbfgs(self, *arguments):
        self.evaluations += 1
        return super()._loss_grad_lbfgs(*arguments)


class Ours(MLPClassifier):
    """Ours, with the same count."""

    evaluations = 0

    def _make_network(self, sparse):
        network = super()._make_network(sparse)
        evaluate = network.value_grad

        def value_grad(*arguments, **options):
            self.evaluations += 1
            return evaluate(*arguments, **options)

        network.value_grad = value_grad
        return network


def lbfgs(repeats=5):
    """L-BFGS on digits, each to the first iterate with a loss no larger than the common one."""
    for dtype in ("float64", "float32"):
        X, y = digits()
        X = X.astype(dtype)

        def fit(kind, iterations, threads=1, X=X, y=y):
            model = kind((100,), solver="lbfgs", alpha=ALPHA, max_iter=iterations, random_state=0)
            if isinstance(model, MLPClassifier):
                return model.set_params(n_threads=1 if THREADS == (1,) else None).fit(X, y)
            with threadpool_limits(threads, "blas"):
                return model.fit(X, y)

        def loss(model, X=X, y=y):
            return training_loss(list(zip(model.coefs_, model.intercepts_, strict=True)), X, y)

        whole = {kind: loss(fit(kind, 200)) for kind in (Ours, Theirs)}
        goal = max(whole.values())
        enough = {}
        for kind in whole:  # the loss falls from iterate to iterate
            low, high = 0, 200
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if loss(fit(kind, middle)) <= goal else (middle, high)
            enough[kind] = high
        k = fastest(lambda k, n=enough[Theirs], fit=fit: lambda: fit(Theirs, n, k), [(k,) for k in THREADS])[0]
        calls = {kind: lambda kind=kind, n=n, k=k, fit=fit: fit(kind, n, k) for kind, n in enough.items()}
        evaluations = {kind: call().evaluations for kind, call in calls.items()}
        t = turns(calls, repeats)
        sides = [
            f"{1e3 * t[kind]:.0f} ms, {n} iterations, {evaluations[kind]} evaluations (max_iter=200: {whole[kind]:.3e})"
            for kind, n in enough.items()
        ]
        print(
            f"lbfgs, digits, {dtype}, to a loss of {goal:.3e}: {sides[0]}; scikit-learn, {k} thread(s), {sides[1]}: "
            f"{t[Theirs] / t[Ours]:.1f}",
            flush=True,
        )


def grid(repeats=3):
    """A grid of 24 perceptrons on two processes: new ones, then the same ones again; CPU seconds of all of them."""
    from joblib.externals.loky import get_reusable_executor

    X, y = digits()
    values = {
        "hidden_layer_sizes": [(20,), (50,), (100,), (50, 20)], "alpha": [1e-4, 1e-2, 1.0],
        "learning_rate_init": [1e-3, 1e-2],
    }  # fmt: skip
    seconds = {kind: ([], [], []) for kind in (MLPClassifier, sk.MLPClassifier)}
    scores = {}
    for _ in range(repeats):
        for kind, (new, again, cpu) in seconds.items():
            get_reusable_executor().shutdown(wait=True)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            search = GridSearchCV(kind(max_iter=40, random_state=0), values, cv=3, n_jobs=2, refit=False)
            new.append(timed(lambda search=search: search.fit(X, y))[0])
            again.append(timed(lambda search=search: search.fit(X, y))[0])
            scores[kind] = search.cv_results_["mean_test_score"]
            get_reusable_executor().shutdown(wait=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    (a, b, c), (u, v, w) = ([statistics.median(part) for part in parts] for parts in seconds.values())
    print(
        f"GridSearchCV, 24 perceptrons, 3 folds, n_jobs=2: new processes {a:.2f} s, scikit-learn {u:.2f} s "
        f"({u / a:.1f}); the same again {b:.2f} s, {v:.2f} s ({v / b:.1f}); CPU seconds of both searches {c:.1f} and "
        f"{w:.1f}, over wall time {c / (a + b):.2f} and {w / (u + v):.2f}; mean scores differ by at most "
        f"{abs(np.subtract(*scores.values())).max():.4f}",
        flush=True,
    )


def accuracy(seeds=10):
    """Test accuracy on a quarter of the digits, default options."""
    X, y = digits()
    for solver in ("adam", "lbfgs"):
        pairs = []
        for seed in range(seeds):
            X1, X2, y1, y2 = train_test_split(X, y, random_state=seed, stratify=y)
            with threadpool_limits(1, "blas"):
                pairs.append(
                    [
                        kind(solver=solver, random_state=seed).fit(X1, y1).score(X2, y2)
                        for kind in (MLPClassifier, sk.MLPClassifier)
                    ]
                )
        mine, peer = np.transpose(pairs)
        d = mine - peer
        print(
            f"test accuracy, digits, {solver}, {seeds} seeds: {mine.mean():.4f}, scikit-learn {peer.mean():.4f}; "
            f"paired difference {d.mean():+.4f}, standard error {d.std(ddof=1) / len(d) ** 0.5:.4f}",
            flush=True,
        )


FIRST = """
import time
begin = time.perf_counter()
{imports}
imported = time.perf_counter()
from sklearn.datasets import load_digits
X, y = load_digits(return_X_y=True)
times = []
for _ in range(3):
    start = time.perf_counter()
    MLPClassifier(max_iter=2).fit(X, y)
    times.append(time.perf_counter() - start)
print(imported - begin, times[0], times[2])
"""


def first(processes=5):
    """Import, first fit and third fit of a new process, its cache of compiled code warm."""
    imports = {
        "ours": "from numopt.neural_network import MLPClassifier",
        "scikit-learn": "from sklearn.neural_network import MLPClassifier",
    }
    runs = {name: [] for name in imports}
    for _ in range(processes + 1):
        for name, line in imports.items():
            command = [sys.executable, "-W", "ignore", "-c", FIRST.format(imports=line)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            runs[name].append([float(t) for t in out.split()])
    for name, found in runs.items():
        a, b, c = np.median(found[1:], axis=0)
        print(f"new process, {name}: import {a:.2f} s, first fit of two epochs {b:.3f} s, third {c:.4f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=["epochs", "lbfgs", "grid", "accuracy", "first"])
    parser.add_argument("--data", metavar="FILE")
    parser.add_argument("--one-thread", action="store_true")
    arguments = parser.parse_args()
    if arguments.one_thread:
        THREADS, clock = (1,), time.process_time
    warnings.simplefilter("ignore")
    for part in arguments.parts:
        if part == "epochs":
            epochs(arguments.data)
        else:
            {"lbfgs": lbfgs, "grid": grid, "accuracy": accuracy, "first": first}[part]()
