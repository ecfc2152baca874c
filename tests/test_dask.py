"""Batches and sums on a Dask cluster, and out of core: the same bits as without, whatever is lost on the way."""

import _thread
import os
import signal
import sys
import threading
import time
import tracemalloc

import numba
import numpy as np
import pytest
from sklearn.base import clone

import numopt
import numopt.dask
from numopt import linear_model
from numopt.optimize._warn import OptimizeWarning

dask = pytest.importorskip("dask", reason="numopt.dask is tested where Dask is installed")
distributed = pytest.importorskip("distributed", reason="numopt.dask is tested where distributed is installed")
da = pytest.importorskip("dask.array", reason="numopt.dask is tested where Dask's arrays are installed")
from numopt.dask import _batch, _files  # noqa: E402

NOT_RUN, FAILED = int(numopt.Status.NOT_RUN), int(numopt.Status.FAILED)


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


@numba.njit
def valley(x, a, points):
    """In a module that the workers can't import."""
    if a < 0.0:
        raise ValueError("a is negative")
    return a * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2 + points.sum() * (x[1] - 1.0) ** 2


@numba.njit
def decay(x, a, b):
    return a * np.exp(-b * x)


def problems(count=60):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 4, count)
    args = numopt.each(rng.uniform(50.0, 150.0, count)), numopt.each(rng.uniform(0.0, 1.0, (count, 3)), lengths)
    return rng.standard_normal((count, 2)), args, rng


def equal(one, other):
    assert one._arrays.keys() == other._arrays.keys()
    return all(np.array_equal(one._arrays[k], a, equal_nan=True) for k, a in other._arrays.items())


class TestBatch:
    def test_same_bits_with_bounds_ragged_data_and_failures(self, client):
        X0, args, rng = problems()
        args[0].array[[13, 57]] = -1.0
        bounds = np.where(rng.random(X0.shape) < 0.5, 0.9, -np.inf), np.inf
        told = {}
        for where in (None, client):
            with pytest.warns(OptimizeWarning) as said:
                told[where] = numopt.minimize_batch(valley, X0, args, bounds=bounds, client=where)
            texts = sorted(str(warning.message) for warning in said)
            assert len(texts) == 2 and "starts are outside" in texts[1]
            assert texts[0].startswith("2 problems have status FAILED") and "problem 13: ValueError: a is" in texts[0]
        assert told[None].success.sum() > 50 and equal(told[None], told[client])

    def test_fits_with_covariances_and_data_of_each(self, client):
        rng, x = np.random.default_rng(2), np.linspace(0.0, 4.0, 30)
        rate = rng.uniform(0.5, 2.0, (40, 1))
        Y = 3.0 * np.exp(-rate * x) + 0.05 * rng.standard_normal((40, 30))
        lengths, bounds = (
            rng.integers(8, 31, 40),
            (np.array([0.0, 0.0]), np.column_stack([np.full(40, 3.0), 2.0 * rate])),
        )
        options = {"p0": [1.0, 0.4], "sigma": numopt.each(rng.uniform(0.03, 0.07, Y.shape)), "lengths": lengths}
        fits = [numopt.curve_fit_batch(decay, x, Y, bounds=bounds, client=c, **options) for c in (None, client)]
        assert fits[0].success.all() and equal(*fits) and fits[1].names == fits[0].names == ("a", "b")
        assert np.array_equal(fits[0].pcov, fits[1].pcov) and np.isfinite(fits[1].stderr).any(axis=1).all()
        with pytest.raises(ValueError, match="Y"):
            numopt.curve_fit_batch(decay, x, Y[:, :9], client=client, **options)

    def test_files_are_mapped_by_workers_that_see_them_else_sent(self, client, tmp_path, monkeypatch):
        X0, args, _ = problems(20)
        whole, sent = np.memmap(tmp_path / "starts", float, "w+", shape=(30, 2)), []
        whole[10:] = X0
        alone, pack = numopt.minimize_batch(valley, X0, args), _batch.pack

        class Elsewhere(_files.File):
            """As of workers on another machine, with another file there."""

            def __init__(self, array):
                super().__init__(array)
                self.sample = b""

        monkeypatch.setattr(_batch, "pack", lambda *given: sent.append(pack(*given)) or sent[-1])
        for kind in (_files.File, Elsewhere):
            monkeypatch.setattr(_batch, "File", kind)
            sent.clear()
            assert equal(alone, numopt.minimize_batch(valley, whole[10:], args, client=client, chunk_size=7))
            files = [array for array in sent if isinstance(array, kind)]
            if kind is _files.File:
                assert len(files) == 3 and np.array_equal(files[0].open(), X0[:7])
            assert files and any(type(array) is np.ndarray and array.shape == (7, 2) for array in sent) != (
                kind is _files.File
            )

    def test_both_workers_are_lost_midway_and_what_all_problems_share_with_them(self, client, tmp_path):
        flags = [str(tmp_path / name) for name in "ab"]
        shared = np.linspace(0.0, 1.0, 1000)

        def fun(x, k, shared):
            if k in (3.0, 9.0):
                try:
                    os.close(os.open(flags[int(k == 9.0)], os.O_CREAT | os.O_EXCL))
                    os.kill(os.getpid(), signal.SIGKILL)
                except FileExistsError:
                    pass
            return (x[0] - k) ** 2 + shared.sum()

        before = set(client.nthreads())
        args = numopt.each(np.arange(20.0)), shared
        with pytest.warns(OptimizeWarning, match="Python"):
            spread = numopt.minimize_batch(fun, [0.0], args, client=client, chunk_size=2)
            assert all(map(os.path.exists, flags)) and not before & set(client.nthreads())
            assert equal(numopt.minimize_batch(fun, [0.0], args), spread)

    @pytest.mark.filterwarnings("ignore::numopt.OptimizeWarning")
    def test_time_limit_ctrl_c_and_errors_keep_what_is_finished(self, client):
        def slow(x, k):
            time.sleep(0.01)
            if k == 25.0:
                raise KeyError("twenty-five")
            return (x[0] - k) ** 2

        def run(count=1000, fun=slow, **more):
            return numopt.minimize_batch(fun, [1.0], (numopt.each(np.arange(float(count))),), client=client,
                                         chunk_size=2, **more)  # fmt: skip

        result = run(max_time=0.7)
        assert 0 < result.begun < 1000 and result.success.sum() > 0
        assert np.isnan(result.x[result.status == NOT_RUN]).all() and (result.nfev[result.status == NOT_RUN] == 0).all()
        timer = threading.Timer(0.7, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            run()
        timer.join()
        assert 0 < caught.value.result.begun < 1000
        none = run(max_time=0.0)
        assert none.begun == 0 and none.x.shape == (1000, 1)

    def test_bad_input(self, client, monkeypatch):
        X0, args, _ = problems(4)
        with pytest.raises(TypeError, match=r"client must be None or a distributed\.Client; got str"):
            numopt.minimize_batch(valley, X0, args, client="127.0.0.1")
        with pytest.raises(ValueError, match=r"args\[0\] holds 4 problems; there are 3"):
            numopt.minimize_batch(valley, X0[:3], args, client=client)
        with pytest.raises(ValueError, match="chunk_size must be at least 1"):
            numopt.minimize_batch(valley, X0, args, client=client, chunk_size=0)
        # what a closed one says of itself: a second one that comes and goes may fail by itself
        says = {"asynchronous": False, "status": "closed", "__init__": lambda _: None, "__del__": lambda _: None}
        closed = type("Closed", (distributed.Client,), says)()
        with pytest.raises(ValueError, match="no longer connected"):
            numopt.minimize_batch(valley, X0, args, client=closed)
        assert len(numopt.minimize_batch(valley, X0[:0], (1.0, np.ones(2)), client=client)) == 0
        monkeypatch.setitem(sys.modules, "distributed", None)
        with pytest.raises(ImportError, match=r"pip install numopt-jit\[dask\]"):
            numopt.minimize_batch(valley, X0, args, client=client)


def data(n=2300, p=5):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, p)) * [1.0, 3.0, 0.1, 1.0, 1.0] + [0.0, 50.0, 0.0, -1.0, 0.0]
    z = (X - X.mean(axis=0)) @ rng.standard_normal(p) / 3.0
    weights = rng.uniform(0.0, 2.0, n) * (rng.random(n) < 0.9)
    classes = np.array(["one", "three", "two"])[np.digitize(z + rng.standard_normal(n), [-0.5, 0.7])]
    y = {"line": z + rng.standard_normal(n), "lines": np.column_stack([z, z**2]), "classes": classes,
         "two": classes == "two", "counts": rng.poisson(np.exp(0.5 * z))}  # fmt: skip
    return X, y, weights


CASES = [
    ("Ridge", {"alpha": 3.0}, "line"),
    ("Ridge", {"alpha": [0.0, 10.0], "fit_intercept": False}, "lines"),
    ("LinearRegression", {}, "line"),
    ("LogisticRegression", {"tol": 1e-10}, "two"),
    ("LogisticRegression", {"tol": 1e-10, "C": np.inf, "class_weight": "balanced"}, "classes"),
    ("PoissonRegressor", {"tol": 1e-10}, "counts"),
    ("LogisticRegression", {"tol": 1e-10, "solver": "lbfgs"}, "classes"),
    ("PoissonRegressor", {"tol": 1e-10, "solver": "lbfgs", "fit_intercept": False}, "counts"),
]


class TestEstimators:
    X, y, weights = data()

    def test_equal_to_those_of_the_whole_array_and_the_same_bits_anywhere(self, client):
        parts = (700, 0, 700, 200, 700)  # one of them empty
        X, w = da.from_array(self.X, (parts, (3, 2))), da.from_array(self.weights, (parts,))
        chunked = da.from_array(self.X, (700, 5))
        for name, options, target in CASES:
            make, y = getattr(numopt.dask, name), self.y[target]
            other = {k: v for k, v in options.items() if k != "solver"}
            whole = getattr(linear_model, name)(**other).fit(self.X, y, self.weights)
            alone = make(chunk_rows=700, **options).fit(self.X, y, self.weights)
            scale = np.abs(whole.coef_).max()
            assert alone.coef_.shape == whole.coef_.shape and np.shape(alone.intercept_) == np.shape(whole.intercept_)
            assert np.abs(alone.coef_ - whole.coef_).max() <= 1e-8 * scale, (name, options)
            assert np.abs(alone.intercept_ - whole.intercept_).max() <= 1e-8 * max(1, np.abs(whole.intercept_).max())
            assert abs(alone.score(self.X, y, self.weights) - whole.score(self.X, y, self.weights)) < 1e-9
            again = make(**options).fit(chunked, y, self.weights)  # on the cluster
            assert np.array_equal(alone.coef_, again.coef_) and np.array_equal(alone.intercept_, again.intercept_)
            if options.get("solver") == "lbfgs":
                continue  # many passes
            with dask.config.set(scheduler="threads"):
                uneven = make(**options).fit(X, y, w)
            again = make(**options).fit(X, y, w)
            assert np.array_equal(uneven.coef_, again.coef_) and np.abs(uneven.coef_ - alone.coef_).max() < 1e-8 * scale

    def test_predictions_are_lazy_for_dask_arrays(self, client):
        X = da.from_array(self.X, ((1000, 0, 1300), (5,)))
        for name, target, methods in (
            ("Ridge", "line", ["predict"]),
            ("Ridge", "lines", ["predict"]),
            ("PoissonRegressor", "counts", ["predict"]),
            ("LogisticRegression", "classes", ["predict", "decision_function", "predict_proba", "predict_log_proba"]),
        ):
            model = clone(getattr(numopt.dask, name)(chunk_rows=1000)).fit(self.X, self.y[target])
            for method in methods:
                lazy, eager = getattr(model, method)(X), getattr(model, method)(self.X)
                assert isinstance(lazy, da.Array) and lazy.shape == eager.shape and lazy.dtype == eager.dtype
                with dask.config.set(scheduler="threads"):
                    np.testing.assert_array_equal(lazy.compute(), eager) if eager.dtype.kind == "U" else (
                        np.testing.assert_allclose(lazy.compute(), eager, rtol=1e-12)
                    )
            with dask.config.set(scheduler="threads"):
                assert np.isclose(model.score(X, da.from_array(self.y[target])), model.score(self.X, self.y[target]))

    def test_least_norm_rank_and_constant_columns(self):
        X = np.column_stack([self.X, self.X[:, 0] + self.X[:, 3], np.full(len(self.X), 0.1)])
        for rows in (len(X), 4):
            ours = numopt.dask.LinearRegression(chunk_rows=3).fit(X[:rows], self.y["line"][:rows])
            theirs = linear_model.LinearRegression().fit(X[:rows], self.y["line"][:rows])
            assert ours.rank_ == theirs.rank_ == min(5, rows - 1) and ours.singular_.shape == theirs.singular_.shape
            np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-9)
            np.testing.assert_allclose(ours.singular_, theirs.singular_, atol=1e-9)

    def test_few_digits_are_lost_where_normal_equations_would_lose_all(self):
        X = np.vander(np.linspace(1.0, 2.0, 3000), 9)[:, :-1]  # of condition 1e8 or so
        y = X @ np.ones(8) + 1.0
        model = numopt.dask.Ridge(alpha=0.0, chunk_rows=500).fit(X, y)
        assert np.abs(model.coef_ - 1.0).max() < 1e-5

    def test_float32_and_sparse_rows(self):
        import scipy.sparse as sp

        X, y = self.X.astype(np.float32), self.y["two"]
        model = numopt.dask.LogisticRegression(chunk_rows=600, tol=1e-9).fit(X, y)
        dense = numopt.dask.LogisticRegression(chunk_rows=600, tol=1e-9).fit(X.astype(float), y)
        assert model.coef_.dtype == np.float32 and np.allclose(model.coef_, dense.coef_, rtol=1e-6)
        rows = numopt.dask.LogisticRegression(chunk_rows=600, tol=1e-9).fit(sp.csr_array(X.astype(float)), y)
        np.testing.assert_allclose(rows.coef_, dense.coef_, rtol=1e-9)

    def test_memory_is_that_of_a_few_chunks(self, tmp_path):
        n, p = 40_000, 30
        X = np.memmap(tmp_path / "X", float, "w+", shape=(n, p))  # 9.6 MB
        X[:] = np.random.default_rng(0).standard_normal((n, p))
        y = np.asarray(X[:, 0] > 0.3 * X[:, 1])

        class Rows:
            """Reads what is asked for, and nothing else."""

            shape, dtype, most = X.shape, X.dtype, 0

            def __getitem__(self, rows):
                found = np.array(X[rows])
                self.most = max(self.most, len(found))
                return found

        for model, source in (
            (numopt.dask.Ridge(chunk_rows=500), Rows()),
            (numopt.dask.LogisticRegression(chunk_rows=500), Rows()),
            (numopt.dask.LogisticRegression(chunk_rows=500, solver="lbfgs", max_iter=50), X),
        ):
            clone(model).fit(X[:1000], y[:1000])  # what has to be compiled is
            tracemalloc.start()
            model.fit(source, y)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 0.35 * X.nbytes, (model, peak)
            assert isinstance(source, np.memmap) or source.most == 500

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"X": np.zeros(3)}, r"X must have two dimensions and at least one column; got shape \(3,\)"),
            ({"X": np.zeros((0, 2)), "y": np.zeros(0)}, "X has no rows"),
            ({"y": np.zeros(3)}, "X and y must have as many rows: got 2300 and 3"),
            ({"X": np.array([["a"], ["b"]]), "y": np.zeros(2)}, "X must hold real numbers"),
            ({"y": np.full(2300, np.nan)}, "NaN"),
            ({"sample_weight": np.full(2300, -1.0)}, "sample_weight must hold finite numbers, none negative"),
            ({"sample_weight": np.zeros(2300)}, "positive weight"),
            ({"chunk_rows": 0}, "chunk_rows must be at least 1"),
            ({"fit_intercept": 1}, "fit_intercept must be True or False"),
            ({"alpha": -1.0}, "alpha must be a finite real number >= 0"),
        ],
    )
    def test_bad_input(self, change, words):
        for name, target in (("Ridge", "line"), ("PoissonRegressor", "counts")):
            given = {"X": self.X, "y": self.y[target], **change}
            options = {k: given.pop(k) for k in ("chunk_rows", "fit_intercept", "alpha") if k in given}
            with pytest.raises(ValueError, match=words):
                getattr(numopt.dask, name)(**options).fit(**given)

    def test_bad_input_of_classifiers_and_dask_arrays(self, client):
        make, X, two = numopt.dask.LogisticRegression, self.X, self.y["two"]
        for options, y, words in (
            ({"C": 0}, two, "C must be a real number > 0"),
            ({"solver": "saga"}, two, "solver must be one of auto, newton, lbfgs"),
            ({"max_iter": 0}, two, "max_iter must be an integer >= 1"),
            ({"class_weight": "even"}, two, "class_weight must be"),
            ({}, np.zeros(len(X)), "at least two classes"),
            ({}, self.y["line"], "y must hold classes"),
            ({}, self.y["lines"], "y must have one dimension"),
        ):
            with pytest.raises(ValueError, match=words):
                make(**options).fit(X, y)
        holes = X.copy()
        holes[1234, 2] = np.inf
        for solver in ("newton", "lbfgs"):
            with pytest.raises(ValueError, match="X or y holds NaN"):
                make(solver=solver, chunk_rows=500).fit(holes, two)
        unknown = da.from_array(X, (700, 5))
        unknown = unknown[unknown[:, 0] > 0.0]
        with pytest.raises(ValueError, match=r"unknown lengths: call X\.compute_chunk_sizes"):
            make().fit(unknown, two)
        with pytest.raises(ValueError, match="expecting 5 features"):
            make().fit(X, two).predict(da.zeros((10, 4)))
        with pytest.warns(UserWarning, match="stopped after 1 iterations with a gradient of"):
            make(max_iter=1, tol=1e-12).fit(X, two)


class TestMinimize:
    def test_sums_of_the_users_own(self, client):
        X, y = TestEstimators.X, TestEstimators.y["line"]

        def squares(w, X, y):
            r = X @ w - y
            return 0.5 * (r @ r), X.T @ r

        def gram(w, X, y):
            return X.T @ X

        lazy, found = (da.from_array(X, (500, 5)), da.from_array(y, 500)), []
        for method, hess in (("newton", gram), ("lbfgs", None)):
            alone = numopt.dask.minimize(squares, np.zeros(5), (X, y), method, hess=hess, chunk_rows=500)
            spread = numopt.dask.minimize(squares, np.zeros(5), lazy, method, hess=hess)
            assert alone.success and np.array_equal(alone.x, spread.x) and alone.nit == spread.nit
            found.append(alone.x)
        np.testing.assert_allclose(found[0], np.linalg.lstsq(X, y)[0], rtol=1e-8)
        np.testing.assert_allclose(found[1], found[0], rtol=1e-5)

    def test_bad_input(self):
        X = np.ones((4, 2))
        for fun, words in (
            (lambda w, X: 1.0, r"fun must return the pair \(value, gradient\); got float"),
            (lambda w, X: (1.0, np.ones(3)), r"a gradient of shape \(2,\)"),
        ):
            with pytest.raises((TypeError, ValueError), match=words):
                numopt.dask.minimize(fun, np.zeros(2), X)
        with pytest.raises(TypeError, match="fun must be a function"):
            numopt.dask.minimize(None, np.zeros(2), X)
        with pytest.raises(ValueError, match=r"data\[0\] and data\[1\] must have as many rows: got 4 and 3"):
            numopt.dask.minimize(lambda w, X, y: (0.0, w), np.zeros(2), (X, X[:3]))


def test_values_whose_squares_overflow_are_refused_without_a_cluster():
    X = np.random.default_rng(0).normal(size=(60, 3))
    for size in (1e160, 1e200):
        with pytest.raises(ValueError, match="squares overflow"):
            numopt.dask.Ridge(chunk_rows=20).fit(X * size, X[:, 0])
    model = numopt.dask.Ridge(alpha=1e-12, chunk_rows=20).fit(X * 1e120, X @ [1.0, 2.0, 3.0])
    np.testing.assert_allclose(model.coef_ * 1e120, [1.0, 2.0, 3.0], rtol=1e-8)
