"""Many problems by one call: the results are those of single calls, whatever is around them."""

import os
import pickle
import signal
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import carray, cfunc, njit, types
from numpy.testing import assert_array_equal
from scipy.optimize import Bounds

import numopt
from numopt import Status, each
from numopt.catalog import METHODS
from numopt.drivers import batch
from numopt.kernels import slots
from numopt.optimize import _batch_run

FIELDS = ("x", "fun", "jac", "optimality", "status", "success", "message", "nit", "nfev", "njev", "nhev",
          "active_mask", "bound_multipliers")  # fmt: skip


@njit
def valley(x, t):
    """A curved valley with its minimum at (t, t^2, t^4)."""
    f, g = 0.0, np.zeros(x.size)
    for i in range(x.size - 1):
        a, b = x[i + 1] - x[i] ** 2, t - x[i] if i == 0 else 0.0
        f += 10.0 * a * a + b * b
        g[i] += -40.0 * a * x[i] - 2.0 * b
        g[i + 1] += 20.0 * a
    return f, g


@njit
def moods(x, kind):
    """A bowl, or something that goes wrong, by its kind."""
    if kind == 1:
        return np.nan
    if kind == 2:
        return x[0]
    if kind == 3 and x[0] < 0.5:
        raise KeyError("too far")
    f = 0.01 * np.exp(x[0])
    for v in x:
        f += (v - 0.25) ** 2
    return f


@njit
def slow(x, work):
    """A bowl that takes its time, about 1 ms for each 1 of ``work``."""
    waste = 0.0
    for k in range(int(work * 100_000)):
        waste += np.sin(k * 1e-3 * x[0])
    return (x[0] - 0.5) ** 2 + 0.0 * waste


@njit
def bowl(x, t):
    f = 0.0
    for v in x:
        f += (v - t) ** 2
    return f


@njit
def bowl_slope(x, t):
    g = np.empty(x.size)
    for i in range(x.size):
        g[i] = 2.0 * (x[i] - t)
    return g


@njit
def bowl_hess(x, t):
    """Not quite symmetric."""
    H = np.zeros((x.size, x.size))
    for i in range(x.size):
        H[i, i] = 2.0
        H[0, i] += 1e-3
    return H


@njit
def bowl_in_place(x, g, t):
    f = 0.0
    for i in range(x.size):
        g[i] = 2.0 * (x[i] - t)
        f += (x[i] - t) ** 2
    return f


RNG = np.random.default_rng(7)
X0, T = RNG.normal(size=(9, 3)), RNG.uniform(0.5, 1.5, 9)
BOX = [(-0.5, 0.8), (None, 0.7), (-2.0, 2.0)]


def quiet(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", numopt.OptimizeWarning)
        return function(*args, **kwargs)


def assert_same(one, alone, fields=FIELDS):
    """To the last bit, as far as a batch keeps it."""
    for name in fields:
        a, b = one.get(name), alone.get(name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert_array_equal(a, b, err_msg=name, strict=not np.isscalar(b))


def assert_each_is_alone(result, fun, starts, args=(), **kwargs):
    bounds = kwargs.pop("bounds", None)
    for i, one in enumerate(result):
        box = SimpleNamespace(lb=bounds[0][i], ub=bounds[1][i]) if isinstance(bounds, tuple) else bounds
        own = tuple(arg[i] if isinstance(arg, numopt.optimize._batch_input.Each) else arg for arg in args)
        assert_same(one, quiet(numopt.minimize, fun, starts[i], own, bounds=box, **kwargs))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_the_results_of_single_calls(name):
    for bounds, options in ((None, {"maxiter": 25}), (BOX, {"maxfev": 19})):
        if bounds is None or METHODS[name].bounds:
            how = {"method": name, "jac": True, "bounds": bounds, "options": options}
            result = quiet(numopt.minimize_batch, valley, X0[:4], (each(T[:4]),), n_threads=2, **how)
            assert_each_is_alone(result, valley, X0, (each(T),), **how)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(9)), st.integers(1, 5), st.integers(1, 11), st.sampled_from(["bfgs", "gd-fixed"]))
def test_no_result_depends_on_neighbours_threads_or_chunks(order, threads, chunk, method):
    how = {"method": method, "jac": True, "bounds": BOX, "options": {"maxiter": 20}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", numopt.OptimizeWarning)
        whole = numopt.minimize_batch(valley, X0, (each(T),), n_threads=1, **how)
        part = numopt.minimize_batch(valley, X0[order], (each(T[order]),), n_threads=threads, chunk_size=chunk, **how)
    for i, k in enumerate(order):
        assert_same(part[i], whole[k])


class TestForms:
    """Of the objective, its derivatives and its arguments."""

    @pytest.mark.parametrize("jac", [None, "3-point"])
    def test_differences(self, jac):
        fun, args = moods, (each(np.zeros(3, int)),)
        result = numopt.minimize_batch(fun, X0[:3], args, jac=jac, method="newton", options={"eps": 1e-7})
        assert_each_is_alone(result, fun, X0, args, jac=jac, method="newton", options={"eps": 1e-7})

    def test_derivatives_apart(self):
        how = {"jac": bowl_slope, "hess": bowl_hess, "method": "newton"}
        with pytest.warns(numopt.OptimizeWarning, match="not symmetric") as caught:
            result = numopt.minimize_batch(bowl, X0, (each(T),), **how)
        assert len(caught) == 1
        assert_each_is_alone(result, bowl, X0, (each(T),), **how)

    def test_gradient_in_place(self):
        result = numopt.minimize_batch(bowl_in_place, X0, (each(T),), jac="inplace", method="lbfgs", n_threads=2)
        assert_each_is_alone(result, bowl_in_place, X0, (each(T),), jac="inplace", method="lbfgs")

    def test_numbers_and_arrays_of_any_width_and_order_where_they_are(self, tmp_path):
        @njit
        def fun(x, data, k, n, b, z, flag, shared):
            s = 0.0
            for v in data:
                s += (x[0] - v) ** 2
            s += (x[1] - k) ** 2 + (x[1] * b[0, 1] - 1.0) ** 2 + (x[2] - z.imag) ** 2 + n * shared[0]
            return s if flag else 2.0 * s

        count = 9
        file = np.memmap(tmp_path / "data", np.float32, "w+", shape=(count, 6))
        file[:] = RNG.normal(size=file.shape)
        file.flush()
        data = np.memmap(tmp_path / "data", np.float32, "r", shape=file.shape)
        lengths = RNG.integers(1, 7, count)
        args = (
            each(data, lengths), each(RNG.normal(size=count).astype(np.float32)), each(np.arange(count, dtype=np.int8)),
            each(np.asfortranarray(RNG.normal(size=(count, 2, 3)))), each(RNG.normal(size=count) * 1j),
            each(np.arange(count) % 2 == 0), np.ones(2),
        )  # fmt: skip
        result = numopt.minimize_batch(fun, X0, args, n_threads=2, chunk_size=4)
        assert_each_is_alone(result, fun, X0, args)
        sources, keep = numopt.optimize._batch_input.Arguments(args).take(slice(2, 5))
        assert sources[0, 0] == data[2:].ctypes.data and keep[0].base is not None  # not copied
        assert result.success.all() and np.allclose(
            result.x[:, 0], [data[i, :k].mean() for i, k in enumerate(lengths)], 1e-3
        )

    def test_single_precision(self):
        data = RNG.normal(size=(9, 3)).astype(np.float32)

        @njit
        def fun(x, y):
            f = 0.0
            for i in range(x.size):
                f += (x[i] - y[i]) ** 2
            return f

        result = numopt.minimize_batch(fun, X0.astype(np.float32), (each(data),), dtype="float32", chunk_size=4)
        exact = numopt.minimize_batch(fun, X0.astype(np.float32), (each(data.astype(float)),))
        for name in ("x", "fun", "jac", "optimality"):
            assert getattr(result, name).dtype == np.float32
            assert_array_equal(getattr(result, name), getattr(exact, name).astype(np.float32))
        assert_array_equal(result.nfev, exact.nfev)

    def test_c_functions(self):
        pointer = types.CPointer(types.float64)

        @cfunc(types.float64(pointer, pointer, types.intp, types.voidptr))
        def well(x, g, n, data):
            t, f = carray(data, (1,), types.float64)[0], 0.0
            for i in range(n):
                g[i] = 2.0 * (x[i] - t)
                f += (x[i] - t) ** 2
            return f

        result = numopt.minimize_batch(well, X0, (np.array([2.0]),), jac=True, n_threads=2)
        assert_each_is_alone(result, well, X0, (np.array([2.0]),), jac=True)
        own = each(np.arange(9.0)[:, None])  # one address of data at a time: by single calls
        assert np.allclose(numopt.minimize_batch(well, X0, (own,), jac=True).x, np.arange(9.0)[:, None])

    def test_python_functions_one_by_one_with_a_hint(self):
        def fun(x, t):
            if t > 1.0:
                raise RuntimeError(f"t is {t:.1f}")
            return valley.py_func(x, t)

        with pytest.warns(numopt.OptimizeWarning) as caught:
            result = numopt.minimize_batch(fun, X0, (each(T),), jac=True)
        said = [str(w.message) for w in caught]
        assert len(said) == 2 and "fun is a Python function" in said[0] and "numba.njit" in said[0]
        assert f"{(T > 1).sum()} problems have status FAILED" in said[1] and "RuntimeError: t is 1." in said[1]
        assert_array_equal(result.status == Status.FAILED, T > 1.0)
        low = np.flatnonzero(T <= 1.0)
        assert_each_is_alone(result[low], valley.py_func, X0[low], (each(T[low]),), jac=True)

    def test_what_goes_through_the_single_call(self):
        simplex = np.vstack([np.zeros(3), np.eye(3)])
        for method, options in (("nelder-mead", {"initial_simplex": simplex, "maxiter": 40}),
                                ("adam", {"schedule": lambda t: 0.1, "maxiter": 20})):  # fmt: skip
            how = {"method": method, "jac": True, "options": options}
            result = quiet(numopt.minimize_batch, valley, X0[:4], (each(T[:4]),), n_threads=2, **how)
            assert_each_is_alone(result, valley, X0, (each(T),), **how)

    def test_matrices_that_all_problems_begin_with(self):
        for method, options in (("bfgs", {"hess_inv0": np.diag([0.1, 0.2, 0.3])}),
                                ("powell", {"direc": np.eye(3)[::-1] + 0.1, "maxiter": 3})):  # fmt: skip
            how = {"method": method, "jac": True, "options": options}
            result = quiet(numopt.minimize_batch, valley, X0, (each(T),), **how)
            assert_each_is_alone(result, valley, X0, (each(T),), **how)


class TestBounds:
    def test_of_each_problem(self):
        lower = RNG.normal(size=(9, 3)) - 1.0
        upper = lower + RNG.uniform(0.5, 3.0, size=(9, 3))
        lower[3], upper[3] = -np.inf, np.inf
        lower[5, 0] = upper[5, 0]
        lower[7] = upper[7]
        lower[8, 1:] = -np.inf
        starts = np.clip(X0, lower, upper)
        for bounds in ((lower, upper), Bounds(lower, upper), (each(lower), upper)):
            result = numopt.minimize_batch(valley, starts, (each(T),), jac=True, bounds=bounds, n_threads=2)
            assert_each_is_alone(result, valley, starts, (each(T),), jac=True, bounds=(lower, upper))
        assert result[5].active_mask[0] == 2 and np.isnan(result[5].bound_multipliers[0]) and result[7].nit == 0
        only = numopt.minimize_batch(valley, starts, (each(T),), jac=True, bounds=(None, upper))
        assert (only.x <= upper).all() and (only.x < lower).any()

    @pytest.mark.parametrize("norm", [np.inf, 2.0])
    def test_where_the_best_point_is_not_the_last(self, norm):
        lower = np.where(np.arange(9)[:, None] % 2 == 0, -np.inf, [-0.5, -0.5, -0.5])
        how = {"jac": True, "method": "gd-fixed", "options": {"step": 0.06, "maxiter": 7, "norm": norm}}
        starts = np.maximum(X0, lower)
        for bounds in (None, (lower, np.where(lower < 0.0, 0.7 - lower, 0.0) + 9.0)):
            result = numopt.minimize_batch(valley, starts, (each(T),), bounds=bounds, chunk_size=5, **how)
            assert_each_is_alone(result, valley, starts, (each(T),), bounds=bounds, **how)
            last = [
                numopt.minimize(valley, x, (t,), bounds=None, **how).state[3][slots.F]
                for x, t in zip(starts, T, strict=True)
            ]
            assert bounds is not None or (result.fun < last).sum() > 3

    def test_starts_outside_are_moved_with_one_warning(self):
        with pytest.warns(numopt.OptimizeWarning) as caught:
            result = numopt.minimize_batch(valley, X0 + 5.0, (each(T),), jac=True, bounds=BOX)
        assert len(caught) == 1 and caught[0].filename == __file__
        assert "9 of 9 starts are outside of their bounds, X0[0] the first; moved onto them" in str(caught[0].message)
        assert_each_is_alone(result, valley, X0 + 5.0, (each(T),), jac=True, bounds=BOX)


class TestWhatGoesWrong:
    def test_each_problem_has_its_own_status(self):
        kinds, starts = np.array([0, 1, 2, 3, 0, 0, 3]), np.ones((7, 2))
        starts[4], starts[5] = np.nan, np.inf
        how = {"bounds": [(-1e300, None), (None, None)], "options": {"maxfev": 200, "f_lower": -1e6}}
        with pytest.warns(numopt.OptimizeWarning) as caught:
            result = numopt.minimize_batch(moods, starts, (each(kinds),), n_threads=1, **how)
        assert len(caught) == 1 and "2 problems have status FAILED" in str(caught[0].message)
        assert "the first, problem 3: KeyError: 'too far'" in str(caught[0].message)
        names = ["GRADIENT", "NAN", "UNBOUNDED", "FAILED", "NAN", "NAN", "FAILED"]
        assert [Status(k).name for k in result.status] == names and len(result.counts()) == 4
        for i in (0, 1, 2):
            assert_same(result[i], numopt.minimize(moods, starts[i], (kinds[i],), **how))
        assert_array_equal(result.x[4:6], starts[4:6])
        assert np.isnan(result.jac[4:6]).all() and np.isnan(result.fun[4:6]).all() and (result.nfev[4:6] == 0).all()
        with pytest.raises(KeyError) as caught:
            numopt.minimize(moods, starts[3], (3,), **how)
        assert_same(result[3], caught.value.result)

    def test_budget(self):
        result = numopt.minimize_batch(valley, X0, (each(T),), jac=True, options={"maxiter": 2})
        assert (result.nit <= 2).all() and result.counts() == {Status.MAXITER: 9}

    def test_the_time_is_up(self):
        numopt.minimize_batch(slow, np.ones(1), (each(np.ones(1)),))  # compiles
        seconds = np.full(100_000, 1.0)
        started = time.monotonic()
        result = numopt.minimize_batch(slow, np.ones(1), (each(seconds),), max_time=0.3, n_threads=2)
        assert time.monotonic() - started < 3.0
        counts = result.counts()
        assert counts[Status.GRADIENT] >= 1 and counts[Status.NOT_RUN] > 90_000 and 1 <= counts[Status.MAX_TIME] <= 2
        left = result.status == Status.NOT_RUN
        assert np.isnan(result.x[left]).all() and (result.nfev[left] == 0).all() and result.begun == (~left).sum()
        # a single evaluation that takes longer is the last one
        result = numopt.minimize_batch(slow, np.ones(1), (each(np.full(4, 300.0)),), max_time=0.05, n_threads=2)
        assert result.nfev.max() <= 2 and set(result.counts()) == {Status.MAX_TIME, Status.NOT_RUN}

    @pytest.mark.parametrize("python", [False, True])
    def test_control_c_brings_what_is_finished(self, python):
        fun, before = slow.py_func if python else slow, threading.active_count()
        seconds = each(np.full(100_000, 0.02 if python else 1.0))
        numopt.minimize_batch(slow, np.ones(1), (each(np.ones(1)),))  # compiles
        timer = threading.Timer(0.4, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            quiet(numopt.minimize_batch, fun, np.ones(1), (seconds,), n_threads=2)
        timer.join()
        counts = caught.value.result.counts()
        assert counts[Status.GRADIENT] >= 1 and counts[Status.NOT_RUN] > 90_000
        assert counts.get(Status.INTERRUPTED, 0) <= 2 and threading.active_count() == before


def test_data_that_lie_scattered_are_read_as_copies_in_order_would_be():
    @njit
    def fun(x, data):
        return (x[0] - data.sum()) ** 2

    fields = np.zeros((5, 6), [("pad", "u1"), ("value", "f8")])
    fields["value"] = RNG.normal(size=(5, 6))
    lengths = [1, 3, 6, 2, 5]
    strided, columns = RNG.normal(size=(6, 5)).T, RNG.normal(size=(5, 3, 6)).transpose(0, 2, 1)
    for data, long in ((strided, lengths), (columns, lengths[::-1]), (columns, [6, 3, 2, 5, 1]),
                        (RNG.normal(size=(5, 6, 2))[:, :, :1], lengths), (fields["value"], None)):  # fmt: skip
        found = numopt.minimize_batch(fun, np.zeros((5, 1)), (each(data, long),))
        ordered = numopt.minimize_batch(fun, np.zeros((5, 1)), (each(data.copy(), long),))
        assert_array_equal(found.x, ordered.x)


def test_many_problems_are_converted_a_chunk_at_a_time(monkeypatch):
    shares = []
    share = batch.share
    monkeypatch.setattr(
        batch, "share", lambda blocks, c, count, *more: (shares.append(count), share(blocks, c, count, *more))
    )
    monkeypatch.setattr(_batch_run, "BUFFERS", 2000 * 24)
    starts = np.zeros((5000, 3), np.float32)
    result = numopt.minimize_batch(valley, starts, (each(np.ones(5000)),), jac=True, options={"maxiter": 1})
    assert shares == [2000, 2000, 1000] and (result.nit == 1).all()
    numopt.minimize_batch(valley, starts.astype(float), (each(np.ones(5000)),), jac=True, options={"maxiter": 1})
    assert shares[3:] == [5000]  # nothing to convert: read where it is


def test_a_function_that_is_parallel_itself_has_one_problem_at_a_time():
    assert _batch_run.read_threads(8, 100, (njit(parallel=True)(lambda x: x), None)) == 1
    assert _batch_run.read_threads(8, 100, (valley, True)) == 8 and _batch_run.read_threads(None, 1) == 1


def test_progress(capsys):
    fun = njit(lambda x, t: (x[0] - t) ** 4)
    numopt.minimize_batch(fun, np.zeros(1), (each(T),), progress=True)
    shown = capsys.readouterr().out
    assert "9/9" in shown and "9 converged" in shown and "compiled fun in" in shown and "/s" in shown


@pytest.fixture(scope="module")
def result():
    return quiet(numopt.minimize_batch, valley, X0, (each(T),), jac=True, bounds=BOX, options={"maxiter": 9})


class TestResult:
    def test_indices_slices_and_masks(self, result):
        assert len(result) == 9 and len(list(result)) == 9
        assert_same(result[-1], result[8])
        assert isinstance(result[0].fun, float) and isinstance(result[0].nit, int) and result[0].x.shape == (3,)
        assert type(result[0]) is numopt.OptimizeResult and result[0].status is Status(result.status[0])
        for part, rows in ((result[2:5], [2, 3, 4]), (result[result.success], np.flatnonzero(result.success)),
                           (result[[5, 1]], [5, 1]), (result[[]], [])):  # fmt: skip
            assert isinstance(part, numopt.BatchResult) and len(part) == len(rows)
            assert_array_equal(part.x, result.x[rows])
        result[0].x[:] = 99.0
        assert (result.x[0] != 99.0).all()  # what a single result holds is its own
        for wrong in (9, -10, (0, 1), "x", np.array(1), np.zeros((1, 2), int)):
            with pytest.raises(IndexError):
                result[wrong]

    def test_pickle_and_text(self, result):
        again = pickle.loads(pickle.dumps(result))
        for i in range(9):
            assert_same(again[i], result[i])
        lines = repr(result).splitlines()
        assert lines[0] == f"9 problems, {result.success.sum()} converged" and len(lines) == 1 + len(result.counts())
        assert sum(result.counts().values()) == 9 and repr(result[:1]).startswith("1 problem, ")

    def test_no_problem_and_one(self):
        none = numopt.minimize_batch(valley, np.zeros((0, 3)), (each(np.zeros(0)),), jac=True, bounds=BOX)
        assert len(none) == 0 and none.x.shape == none.jac.shape == none.active_mask.shape == (0, 3)
        assert none.counts() == {} and none.nit.shape == (0,) and repr(none) == "0 problems, 0 converged"
        one = numopt.minimize_batch(valley, X0[:1], (1.0,), jac=True)
        assert_each_is_alone(one, valley, X0, (1.0,), jac=True)


ARGS = (each(T),)
BAD = [
    ({"X0": X0[0], "args": (1.0,)}, ValueError, r"X0 must have shape \(n_problems, n\), or \(n,\) where"),
    ({"X0": np.zeros((2, 2, 2))}, ValueError, "X0 must have shape"),
    ({"X0": 3.0}, ValueError, "X0 must have shape"),
    ({"X0": np.ma.masked_array(X0)}, TypeError, "X0 must be no masked array"),
    ({"X0": each(X0, np.ones(9, int))}, TypeError, "X0 takes no lengths"),
    ({"X0": [[1.0], [2.0, 3.0]]}, ValueError, "its rows differ in length"),
    ({"X0": np.zeros((9, 0))}, ValueError, "at least one variable"),
    ({"X0": [["a", "b"]]}, TypeError, "X0 must be real numbers"),
    ({"args": (each(T[:7]),)}, ValueError, r"args\[0\] holds 7 problems; there are 9"),
    ({"X0": X0[0], "args": (each(T), each(T[:7]))}, ValueError, r"args\[1\] holds 7 problems; there are 9"),
    ({"args": ((each(T), 1.0),)}, TypeError, r"args\[0\] is a tuple with each\(...\) inside"),
    ({"args": (each(np.array(["a"] * 9)),)}, TypeError, r"args\[0\] can't be passed to a jitted function"),
    ({"method": "newtn"}, ValueError, "did you mean 'newton'"),
    ({"method": "trust-ncg", "bounds": BOX}, ValueError, "takes no bounds"),
    ({"method": "trust-ncg", "bounds": (None, X0)}, ValueError, "takes no bounds"),
    ({"bounds": [(0, 1)]}, ValueError, "bounds must have length 3"),
    ({"bounds": (X0, X0[:5])}, ValueError, r"the upper bounds must have shape \(9, 3\)"),
    (
        {"bounds": (X0, X0 - np.eye(9, 3, -4))},
        ValueError,
        r"bounds of problem 4: the lower bound of x\[0\], .* exceeds",
    ),
    ({"bounds": (X0 + np.inf, None)}, ValueError, r"bounds of problem 0: the lower bound of x\[0\] is inf"),
    ({"bounds": (X0 * np.nan, None)}, ValueError, r"bounds of problem 0: the lower bound of x\[0\] is NaN"),
    ({"bounds": (np.full((9, 3), "a"), None)}, TypeError, "the lower bounds must be real numbers"),
    ({"bounds": [(1, 1), (0, 2), (0, 2)], "method": "powell", "options": {"direc": np.eye(3)}}, ValueError, "'direc'"),
    ({"options": {"disp": True}}, TypeError, "option 'disp' makes no sense in a batch; progress=True"),
    ({"options": {"history": True}}, TypeError, "option 'history' makes no sense"),
    ({"options": {"return_all": True}}, TypeError, "option 'return_all' makes no sense"),
    ({"options": {"callback": print}}, TypeError, "option 'callback' makes no sense"),
    ({"options": {"max_time": 1.0}}, TypeError, "max_time is an argument of a batch"),
    ({"options": {"maxiter": -1}}, ValueError, "option 'maxiter' must be at least 0"),
    ({"options": 3}, TypeError, "options must be a dict"),
    ({"n_threads": 0}, ValueError, "n_threads must be at least 1"),
    ({"n_threads": 1.5}, TypeError, "n_threads must be an integer"),
    ({"chunk_size": 0}, ValueError, "chunk_size must be at least 1"),
    ({"max_time": -1}, ValueError, "max_time must be None or a number"),
    ({"dtype": "float16"}, ValueError, "dtype must be None, float32 or float64; got 'float16'"),
    ({"dtype": "nonsense"}, ValueError, "dtype must be None"),
    ({"fun": None}, TypeError, "fun must be callable"),
    ({"fun": njit(lambda x, t: x.nothing), "jac": None}, TypeError, "fun does not compile"),
    ({"jac": "4-point"}, ValueError, "jac='4-point' is not known"),
]


@pytest.mark.parametrize(("given", "error", "words"), BAD)
def test_bad_input(given, error, words):
    with pytest.raises(error, match=words):
        numopt.minimize_batch(**({"fun": valley, "X0": X0, "args": ARGS, "jac": True} | given))


BAD_EACH = [
    ((3.0,), ValueError, "got a single number"),
    (([[1.0], [2.0, 3.0]],), ValueError, r"say how long they are: each\(array, lengths\)"),
    ((np.ma.masked_array(T),), TypeError, "no masked arrays"),
    ((each(T),), TypeError, "mark an argument once"),
    (([object()],), TypeError, "objects that are no numbers"),
    ((X0, np.full(9, 4)), ValueError, r"lengths must be from 1 to 3; lengths\[0\] is 4, and 8 more are wrong"),
    ((X0, [3, 2, 0, 1, 1, 1, 1, 1, 1]), ValueError, r"lengths\[2\] is 0; leave out problems without data"),
    ((X0, np.ones(9)), TypeError, "lengths must be integers; got dtype float64"),
    ((X0, [1, 2]), ValueError, r"lengths must have shape \(9,\), one for each problem; got \(2,\)"),
    ((T, np.ones(9, int)), ValueError, r"lengths are for arrays of shape \(n_problems, longest, ...\)"),
]


@pytest.mark.parametrize(("given", "error", "words"), BAD_EACH)
def test_what_each_refuses(given, error, words):
    with pytest.raises(error, match=words):
        each(*given)


def test_an_option_that_is_not_known_is_said_once():
    with pytest.warns(numopt.OptimizeWarning) as caught:
        numopt.minimize_batch(valley, X0, ARGS, jac=True, options={"nonsense": 1}, n_threads=2)
    assert len(caught) == 1 and "nonsense" in str(caught[0].message) and caught[0].filename == __file__
