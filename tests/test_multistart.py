"""Local runs from many starts."""

import os
import signal
import threading
import time

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import Bounds

import numopt


def _himmelblau(x):
    a, b = x[0] ** 2 + x[1] - 11.0, x[0] + x[1] ** 2 - 7.0
    return a * a + b * b, np.array([4.0 * a * x[0] + 2.0 * b, 2.0 * a + 4.0 * b * x[1]])


def _camel(x):
    u, v = x[0], x[1]
    f = (4.0 - 2.1 * u**2 + u**4 / 3.0) * u**2 + u * v + 4.0 * (v**2 - 1.0) * v**2
    return f, np.array([8.0 * u - 8.4 * u**3 + 2.0 * u**5 + v, u + 16.0 * v**3 - 8.0 * v])


def _long(x):
    """Himmelblau's function, with work that takes some ten milliseconds a run."""
    waste = 0.0
    for k in range(100_000):
        waste += np.sin(k * 1e-3 * x[0])
    a, b = x[0] ** 2 + x[1] - 11.0, x[0] + x[1] ** 2 - 7.0
    return a * a + b * b + 0.0 * waste, np.array([4.0 * a * x[0] + 2.0 * b, 2.0 * a + 4.0 * b * x[1]])


HIMMELBLAU, CAMEL, LONG = numba.njit(_himmelblau), numba.njit(_camel), numba.njit(_long)


@numba.njit
def raising(x):
    if x[0] > 3.9:
        raise KeyError("mine")
    return HIMMELBLAU(x)


BOX = [(-5.0, 5.0), (-5.0, 5.0)]
MINIMA = np.array([[3.0, 2.0], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]])


@pytest.mark.parametrize("sampler", ["sobol", "lhs", "random"])
def test_all_minima_of_himmelblaus_function_are_found_and_counted(sampler):
    result = numopt.multistart(HIMMELBLAU, BOX, 40, jac=True, sampler=sampler, random_state=1)
    minima = result.minima
    assert len(minima) == 4 and minima["count"].sum() + result.n_failed == 40
    apart = np.abs(MINIMA[:, None] - minima["x"][None]).max(axis=2)
    assert (apart.min(axis=0) < 1e-5).all() and (apart.min(axis=1) < 1e-5).all()
    assert (np.diff(minima["fun"]) >= 0.0).all() and result.fun == minima["fun"][0]
    for k, row in enumerate(minima):
        here = result.runs[result.runs["minimum"] == k]
        assert len(here) == row["count"] and here["fun"].min() == row["fun"]
        assert_array_equal(result.runs[row["run"]]["x"], row["x"])
    starts = result.runs["x0"]
    assert len(np.unique(starts, axis=0)) == 40 and (np.abs(starts) <= 5.0).all()
    # one start in each quarter at least: spread over the whole box
    assert len({tuple(row) for row in np.sign(starts)}) == 4


def test_the_six_minima_of_the_camel():
    result = numopt.multistart(CAMEL, Bounds([-3, -2], [3, 2]), 64, jac=True, random_state=0)
    f = [-1.0316284535, -1.0316284535, -0.2154638244, -0.2154638244, 2.1042503103, 2.1042503103]
    assert_allclose(result.minima["fun"], f, rtol=1e-9)
    assert_allclose(np.abs(result.minima["x"][:2]), [[0.0898420, 0.7126564]] * 2, atol=1e-6)
    assert result.nfev == result.runs["nfev"].sum() and result.nit == result.runs["nit"].sum()


@pytest.mark.parametrize("fun", [_himmelblau, HIMMELBLAU])
@pytest.mark.parametrize("threads", [None, 1, 3])
def test_each_run_is_that_of_minimize_bit_for_bit(fun, threads):
    result = numopt.multistart(fun, BOX, 12, jac=True, random_state=3, n_threads=threads)
    for row in result.runs:
        alone = numopt.minimize(fun, row["x0"], jac=True, bounds=BOX)
        assert_array_equal(alone.x, row["x"])
        assert (alone.fun, alone.nit, alone.nfev, alone.status) == tuple(row[["fun", "nit", "nfev", "status"]])


def test_the_best_run_has_all_that_a_single_one_has():
    result = numopt.multistart(HIMMELBLAU, BOX, 12, jac=True, random_state=3)
    k = result.minima["run"][0]
    alone = numopt.minimize(HIMMELBLAU, result.runs["x0"][k], jac=True, bounds=BOX)
    assert_array_equal(result.hess_inv, alone.hess_inv)
    assert_array_equal(result.x, alone.x)
    again = numopt.resume(result, HIMMELBLAU, jac=True, options={"gtol": 0.0})
    assert again.fun <= result.fun and result.nfev == result.runs["nfev"].sum() > alone.nfev


def test_long_runs_are_shared_by_threads_and_come_in_order():
    one, two = (numopt.multistart(LONG, BOX, 10, jac=True, random_state=0, n_threads=k) for k in (1, None))
    assert_array_equal(one.runs, two.runs)
    assert_array_equal(one.minima, two.minima)


def test_no_point_leaves_the_box_and_minima_on_its_walls_are_found():
    seen = []

    def fun(x):
        seen.append(x.copy())
        return _himmelblau(x)

    result = numopt.multistart(fun, [(0.0, 2.5), (-1.0, 1.5)], 8, jac=True, random_state=0)
    assert (np.array(seen) >= [0.0, -1.0]).all() and (np.array(seen) <= [2.5, 1.5]).all()
    assert result.active_mask.tolist() == [1, 1] and result.minima["count"][0] >= 6
    assert_array_equal(result.x, [2.5, 1.5])


def test_starts_of_the_users_own_need_no_bounds():
    starts = [[3.1, 2.1], [-3.0, 3.0], [3.2, 1.8]]
    result = numopt.multistart(HIMMELBLAU, None, jac=True, sampler=starts)
    assert_array_equal(result.runs["x0"], starts)
    assert sorted(result.minima["count"].tolist()) == [1, 2] and "active_mask" not in result


def test_starts_outside_are_moved_with_one_warning():
    with pytest.warns(numopt.OptimizeWarning) as caught:
        result = numopt.multistart(HIMMELBLAU, BOX, jac=True, sampler=[[1.0, 1.0], [7.0, 1.0], [0.0, -9.0]])
    assert len(caught) == 1 and "2 of 3 starts are outside of the bounds, sampler[1]" in str(caught[0].message)
    assert_array_equal(result.runs["x0"], [[1.0, 1.0], [5.0, 1.0], [0.0, -5.0]])


def test_failed_runs_are_kept_out_and_counted():
    def fun(x):
        return _himmelblau(x) if x[0] < 0.0 else (np.nan, np.full(2, np.nan))

    result = numopt.multistart(fun, BOX, 32, jac=True, random_state=1)
    failed = result.runs[~result.runs["success"]]
    assert len(failed) == result.n_failed >= 8 and (failed["minimum"] == -1).all()
    assert result.minima["count"].sum() == 32 - result.n_failed and result.success
    assert (result.minima["x"][:, 0] < 0.0).all()


def test_a_failed_run_that_is_far_lower_is_the_best():
    def fun(x):  # unbounded below for x > 1, a minimum at -1
        return ((x[0] + 1.0) ** 2, 2.0 * (x + 1.0)) if x[0] < 1.0 else (4.0 - x[0] ** 3, -3.0 * x**2)

    result = numopt.multistart(fun, None, jac=True, sampler=[[-2.0], [2.0]])
    assert result.n_failed == 1 and not result.success and result.fun < -1e10
    assert len(result.minima) == 1 and abs(result.minima["fun"][0]) < 1e-12


def test_what_counts_as_distinct():
    fun = numba.njit(lambda x: (np.cos(20.0 * x[0]) * 1e-2 + x[0] ** 2, -0.2 * np.sin(20.0 * x) + 2.0 * x))
    # minima at +- 0.095, of the same value
    narrow = numopt.multistart(fun, [(-1.0, 1.0)], 16, jac=True, random_state=0)
    wide = numopt.multistart(fun, [(-1.0, 1.0)], 16, jac=True, random_state=0, distinct_xtol=0.2)
    assert len(narrow.minima) == 2 and len(wide.minima) == 1 and wide.minima["count"][0] == 16
    # wherever they are, by their values alone: the camel's six minima are three pairs
    pairs = numopt.multistart(CAMEL, [(-3, 3), (-2, 2)], 64, jac=True, random_state=0, distinct_xtol=1.0)
    assert_allclose(pairs.minima["fun"], [-1.0316284535, -0.2154638244, 2.1042503103], rtol=1e-9)


def test_a_fixed_variable():
    result = numopt.multistart(HIMMELBLAU, [(-5, 5), (2.0, 2.0)], 8, jac=True, random_state=0)
    assert (result.runs["x0"][:, 1] == 2.0).all() and (result.minima["x"][:, 1] == 2.0).all()
    assert_allclose(result.x, [3.0, 2.0], atol=1e-5)


def test_one_random_state_gives_one_result():
    one, two, other = (numopt.multistart(HIMMELBLAU, BOX, 8, jac=True, random_state=k) for k in (5, 5, 6))
    assert_array_equal(one.runs, two.runs)
    assert not np.array_equal(one.runs["x0"], other.runs["x0"])


class TestStops:
    @pytest.mark.parametrize("threads", [1, 2])
    def test_the_time_is_up(self, threads):
        started = time.monotonic()
        result = numopt.multistart(LONG, BOX, 100_000, jac=True, max_time=0.3, n_threads=threads, random_state=0)
        assert time.monotonic() - started < 5.0
        assert result.status == numopt.Status.MAX_TIME and not result.success
        assert 1 <= len(result.runs) < 100_000 and f"{len(result.runs)} of 100000 starts" in result.message

    @pytest.mark.parametrize("threads", [1, 2])
    def test_the_callback_comes_in_order_and_ends_it(self, threads):
        seen = []

        def callback(intermediate_result):
            seen.append(intermediate_result.x)
            if len(seen) == 5:
                raise StopIteration

        result = numopt.multistart(LONG, BOX, 30, jac=True, callback=callback, n_threads=threads, random_state=0)
        assert result.status == numopt.Status.CALLBACK and len(result.runs) == 5
        assert_array_equal(result.runs["x"], seen)

    @pytest.mark.parametrize("threads", [1, 2])
    def test_control_c_ends_the_runs_of_all_threads(self, threads):
        numopt.multistart(LONG, BOX, 2, jac=True, random_state=0)  # compiles
        timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
        before = threading.active_count()
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            numopt.multistart(LONG, BOX, 100_000, jac=True, n_threads=threads, random_state=0)
        timer.join()
        assert caught.value.result.status == numopt.Status.INTERRUPTED and threading.active_count() == before
        assert 1 <= len(caught.value.result.runs) < 100_000

    def test_control_c_ends_a_run_without_end_in_another_thread(self):
        # the first start is a minimum; the runs from the others would go on until max_time
        starts = [[3.0, 2.0], [0.0, 0.0], [1.0, 0.0]]
        options = {"step": 1e-14, "maxiter": 10**15, "gtol": 0.0}
        numopt.minimize(HIMMELBLAU, starts[0], jac=True, method="gd-fixed", options=options)  # compiles
        timer, started = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)), time.monotonic()
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            numopt.multistart(HIMMELBLAU, None, jac=True, method="gd-fixed", sampler=starts, options=options,
                              n_threads=2, max_time=20.0)  # fmt: skip
        assert time.monotonic() - started < 10.0 and len(caught.value.result.runs) == 1

    @pytest.mark.parametrize("threads", [1, 2])
    def test_an_exception_brings_the_runs_before(self, threads):
        def fun(x):
            if x[0] > 3.9:
                raise KeyError("mine")
            return _himmelblau(x)

        starts = [[-3.0, 3.0], [-3.0, -3.0], [4.0, 1.0], [3.0, 2.0]]
        with pytest.raises(KeyError, match="mine") as caught:
            numopt.multistart(fun, BOX, jac=True, sampler=starts, n_threads=threads)
        assert len(caught.value.result.runs) == 2 and caught.value.result.status == numopt.Status.FAILED

    @pytest.mark.parametrize("threads", [1, 2])
    def test_an_exception_of_a_jitted_function_brings_the_runs_before(self, threads):
        starts = [[-3.0, 3.0], [-3.0, -3.0], [4.0, 1.0], [3.0, 2.0]]
        with pytest.raises(KeyError, match="mine") as caught:
            numopt.multistart(raising, BOX, jac=True, sampler=starts, n_threads=threads)
        assert len(caught.value.result.runs) == 2 and caught.value.result.status == numopt.Status.FAILED

    def test_progress(self, capsys):
        numopt.multistart(HIMMELBLAU, BOX, 8, jac=True, random_state=0, progress=True)
        assert "8/8" in capsys.readouterr().out


def test_what_there_is_to_warn_of_is_said_once():
    with pytest.warns(numopt.OptimizeWarning) as caught:
        numopt.multistart(HIMMELBLAU, BOX, 8, jac=True, random_state=0, options={"nonsense": 1})
    assert len(caught) == 1 and "nonsense" in str(caught[0].message) and caught[0].filename == __file__


BAD = [
    ({"bounds": None}, ValueError, "bounds must be finite"),
    ({"bounds": [(0, 1), (0, None)]}, ValueError, r"those of x\[1\] are \(0, inf\)"),
    ({"bounds": [(0, 1), (1, 0)]}, ValueError, "exceeds its upper bound"),
    ({"bounds": 3}, TypeError, "bounds must be a sequence"),
    ({"bounds": []}, TypeError, "bounds must be a sequence"),
    ({"n_starts": 0}, ValueError, "n_starts must be at least 1; got 0"),
    ({"n_starts": 2.5}, TypeError, "n_starts must be an integer"),
    ({"n_starts": True}, TypeError, "n_starts must be an integer"),
    ({"sampler": "halton"}, ValueError, "sampler must be one of 'sobol', 'lhs', 'random'"),
    ({"sampler": [[1.0, 2.0, 3.0]]}, ValueError, "starts of 3 variables; bounds are those of 2"),
    ({"sampler": [1.0, 2.0]}, ValueError, "sampler must be one of"),
    ({"sampler": [[np.nan, 1.0]]}, ValueError, "finite starts"),
    ({"sampler": [[1.0], [2.0, 3.0]]}, ValueError, "sampler must be one of"),
    ({"sampler": [[1.0, 2.0]], "n_starts": 3}, ValueError, "leave n_starts out"),
    ({"n_threads": 0}, ValueError, "n_threads must be at least 1"),
    ({"distinct_xtol": -1}, ValueError, "distinct_xtol must be a number"),
    ({"distinct_ftol": "tight"}, ValueError, "distinct_ftol must be a number"),
    ({"max_time": "long"}, ValueError, "max_time must be None or a number"),
    ({"random_state": -1}, TypeError, "random_state must be None"),
    ({"method": "newton-cg"}, ValueError, "takes no bounds"),
    ({"options": {"maxiter": -3}}, ValueError, "option 'maxiter' must be at least 0"),
    ({"fun": None}, TypeError, "fun must be callable"),
    ({"fun": numba.njit(lambda x: x.nothing), "jac": None}, TypeError, "fun does not compile"),
]


@pytest.mark.parametrize(("given", "error", "words"), BAD)
def test_bad_input(given, error, words):
    with pytest.raises(error, match=words):
        numopt.multistart(**({"fun": HIMMELBLAU, "bounds": BOX, "jac": True} | given))
