"""Runs that are cut off, at any evaluation and by whatever means, and those that go on afterwards."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from numba import types

import numopt
from numopt import METHODS, Status, minimize
from numopt.kernels.oracle import void_pointer

NAMES = list(METHODS)


def _run(objective, name, fun=None, **options):
    hess = objective.hess if METHODS[name].second_order else None
    if not METHODS[name].values_only:
        options.setdefault("gtol", 1e-12)
    return minimize(fun or objective.jitted, objective.x0, jac=True, hess=hess, method=name, options=options)


def _resumed(objective, name, state, **options):
    hess = objective.hess if METHODS[name].second_order else None
    return numopt.resume(state, objective.jitted, jac=True, hess=hess, options=options)


class TestResume:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("cut", [1, 2, 5, 8, 11, 16])
    def test_after_maxfev(self, rosen, name, cut):
        whole = _run(rosen, name, maxiter=14)
        part = _run(rosen, name, maxiter=14, maxfev=cut)
        assert part.status is Status.MAXFEV or whole.nfev <= cut
        if part.status is Status.MAXFEV:
            assert part.nfev == cut
            resumed = _resumed(rosen, name, part, maxfev=10**6)
            assert np.array_equal(resumed.x, whole.x) and resumed.fun == whole.fun and resumed.nit == whole.nit
            assert whole.nfev <= resumed.nfev <= whole.nfev + 20  # the step that was cut off is taken again

    @pytest.mark.parametrize("name", NAMES)
    def test_after_an_exception(self, rosen, name):
        calls = []

        def failing(x):
            calls.append(1)
            if len(calls) == 7:
                raise OverflowError("no more")
            return rosen.python(x)

        whole = _run(rosen, name, fun=rosen.python, maxiter=14)
        with pytest.raises(OverflowError) as caught:
            _run(rosen, name, fun=failing, maxiter=14)
        hess = rosen.hess if METHODS[name].second_order else None
        resumed = numopt.resume(caught.value.result, rosen.python, jac=True, hess=hess)
        assert np.array_equal(resumed.x, whole.x) and resumed.nit == whole.nit

    @pytest.mark.parametrize("name", NAMES)
    def test_before_the_first_step(self, rosen, name):
        whole = _run(rosen, name, maxiter=9)
        resumed = _resumed(rosen, name, _run(rosen, name, maxiter=0), maxiter=9)
        assert np.array_equal(resumed.x, whole.x) and resumed.nfev == whole.nfev

    def test_keeps_the_given_inverse_hessian(self, rosen):
        options = {"hess_inv0": np.diag([1.0, 2.0, 3.0, 4.0]) * 1e-3}
        whole = _run(rosen, "bfgs", maxiter=5, **options)
        start = _run(rosen, "bfgs", maxiter=0, **options)
        assert np.array_equal(start.hess_inv, options["hess_inv0"])
        assert np.array_equal(_resumed(rosen, "bfgs", start, maxiter=5).x, whole.x)

    def test_memory_cannot_be_changed(self, rosen):
        """The pairs would have been read from, and written to, places that are not theirs."""
        part = _run(rosen, "lbfgs", maxiter=3)
        with pytest.raises(ValueError, match="'maxcor' can't be changed in a run: it is 10; got 30"):
            _resumed(rosen, "lbfgs", part, maxcor=30)
        assert _resumed(rosen, "lbfgs", part, maxcor=10, maxiter=4).nit == 4

    def test_wolfe_constants_are_checked_with_the_saved_ones(self, rosen):
        part = _run(rosen, "bfgs", maxiter=3, c1=0.4)
        with pytest.raises(ValueError, match=r"0 < c1 < c2 < 1; got c1=0\.4, c2=0\.3"):
            _resumed(rosen, "bfgs", part, c2=0.3)

    def test_of_a_run_that_began_with_nan(self):
        part = minimize(lambda x: np.nan, [1.0])
        assert numopt.resume(part, lambda x: np.nan).status is Status.NAN


@pytest.mark.parametrize("name", [name for name in NAMES if METHODS[name].line_search])
def test_gradient_when_the_budget_ends_in_backtracking(rosen, name):
    """The gradient of the accepted point was left to what the memory held."""
    value, gradient = (lambda x: rosen.python(x)[0]), (lambda x: rosen.python(x)[1])
    for budget in range(1, 40):
        result = minimize(value, rosen.x0, jac=gradient, hess=rosen.hess if METHODS[name].second_order else None,
                          method=name, options={"line_search": "armijo", "maxfev": budget})  # fmt: skip
        assert np.array_equal(result.jac, gradient(result.x)) and result.fun == value(result.x)
        assert result.optimality == np.abs(result.jac).max()


def test_no_time_at_all(rosen):
    result = _run(rosen, "bfgs", max_time=0.0)
    assert result.status is Status.MAX_TIME and result.fun == rosen.python(rosen.x0)[0]
    assert np.array_equal(result.jac, rosen.python(rosen.x0)[1])


def test_bfgs_keeps_its_matrix_when_the_search_fails(rosen):
    def slightly_wrong(x):
        return rosen.python(x)[0], rosen.python(x)[1] + 1e-2

    result = minimize(slightly_wrong, [-1.2, 1.0], jac=True, method="bfgs")
    assert result.status is Status.LINE_SEARCH and result.nit > 10
    assert np.allclose(result.hess_inv, np.linalg.inv(rosen.hess(result.x)), rtol=0.2)


class TestJittedExceptions:
    """They surface as themselves wherever they were raised."""

    @staticmethod
    def _raises(match, fun, x0, **how):
        for name in ("bfgs", "cg-pr", "gd") if "method" not in how else (how.pop("method"),):
            with pytest.raises(ValueError, match=match) as caught:
                minimize(fun, x0, method=name, **how)
            assert caught.value.result.status is Status.FAILED

    def test_at_the_start(self):
        @numba.njit
        def fun(x):
            if x[0] == 50.0:
                raise ValueError("start")
            return x[0] ** 2, 2.0 * x

        self._raises("start", fun, [50.0], jac=True)

    def test_outside_of_the_domain(self):
        @numba.njit
        def fun(x):
            if x[0] <= 0.0:
                raise ValueError("domain")
            return x[0] - np.log(x[0]), 1.0 - 1.0 / x

        for search in ("strong-wolfe", "armijo", "hager-zhang", "exact"):
            self._raises("domain", fun, [50.0], jac=True, options={"line_search": search, "initial_step": 100.0})

    def test_in_differences_gradient_hessian_and_product(self):
        @numba.njit
        def fun(x):
            if x[0] > 1.0:
                raise ValueError("differences")
            return x[0] ** 2

        self._raises("differences", fun, [1.0])
        fine = numba.njit(lambda x: x[0] ** 4 + x[1] ** 2)
        slope = numba.njit(lambda x: np.array([4.0 * x[0] ** 3, 2.0 * x[1]]))

        @numba.njit
        def jac(x):
            if x[0] < 1.0:
                raise ValueError("gradient")
            return slope(x)

        @numba.njit
        def hess(x):
            if x[0] == 1.5:
                raise ValueError("hessian")
            return np.eye(2)

        @numba.njit
        def hessp(x, v):
            if v[1] == 1.0:
                raise ValueError("product")
            return v

        self._raises("gradient", fine, [1.5, 1.0], jac=jac)
        self._raises("gradient", fine, [1.5, 1.0], jac=jac, options={"line_search": "armijo"})
        self._raises("hessian", fine, [1.5, 1.0], jac=slope, hess=hess, method="newton")
        self._raises("product", fine, [1.5, 1.0], jac=slope, hessp=hessp, method="newton")


class TestDifferences:
    """A gradient by differences is many evaluations: each may be the last."""

    def test_nothing_is_called_after_an_exception(self):
        calls = []

        def fun(x):
            calls.append(1)
            if len(calls) == 5:
                raise KeyError("fifth")
            return float(x @ x)

        for jac in ("2-point", "3-point"):
            calls.clear()
            with pytest.raises(KeyError):
                minimize(fun, np.ones(100), jac=jac)
            assert len(calls) == 5

    @pytest.mark.parametrize("jac", ["2-point", "cs"])
    def test_time_limit(self, jac):
        @numba.njit
        def slow(x):
            f = 0.0 * x[0]
            for _ in range(20000):
                for i in range(x.size):
                    f += x[i] * x[i] * 1e-4
            return f

        minimize(slow, np.ones(2), jac=jac, options={"maxiter": 1})  # compiled now
        start = time.monotonic()
        result = minimize(slow, np.ones(1000), jac=jac, options={"max_time": 0.2})
        assert time.monotonic() - start < 2.0  # a whole gradient takes 1000 times 20 ms
        assert result.status is Status.MAX_TIME

    def test_counts(self, rosen):
        """nfev counts every call of fun, those inside of complex steps and of Hessians too."""
        calls = []

        def pair(x):
            calls.append(1)
            return rosen.python(x)

        for scheme in ("2-point", "3-point"):
            calls.clear()
            assert minimize(pair, rosen.x0, jac=True, hess=scheme, method="newton").nfev == len(calls)

        def smooth(x):
            calls.append(1)
            return (x[0] - 1.0) ** 2 + (x[0] * x[1] - 2.0) ** 2

        calls.clear()
        python = minimize(smooth, [3.0, 3.0], jac="cs")
        assert python.nfev == len(calls) == 3 * python.njev
        jitted = minimize(numba.njit(lambda x: (x[0] - 1.0) ** 2 + (x[0] * x[1] - 2.0) ** 2), [3.0, 3.0], jac="cs")
        assert (jitted.nfev, jitted.njev) == (python.nfev, python.njev)


class TestCtrlC:
    SHORT = """
        while True:
            numopt.minimize(bowl, [1.0, 2.0], jac=True)
    """
    NESTED = """
        def outer(x):
            numopt.minimize(slow, [x[0], 1.0], jac=True, method='gd-fixed',
                            options={'step': 1e-12, 'gtol': 0, 'maxiter': 10**8})
            return x[0] ** 2
        numopt.minimize(outer, [1.0])
    """
    DIFFERENCES = """
        def crawl(x):
            time.sleep(0.01)
            return float(x @ x)
        numopt.minimize(crawl, np.ones(2000))
    """

    @pytest.mark.parametrize("body", [SHORT, NESTED, DIFFERENCES], ids=["short runs", "nested", "differences"])
    def test_is_not_lost(self, body):
        code = """
        import time, numba, numpy as np, numopt
        @numba.njit
        def bowl(x):
            return x @ x, 2.0 * x
        slow = bowl
        numopt.minimize(bowl, [1.0, 2.0], jac=True)
        numopt.minimize(bowl, [1.0, 2.0], jac=True, method='gd-fixed', options={'maxiter': 1})
        print('ready', flush=True)
        """
        script = textwrap.dedent(code) + textwrap.dedent(body)
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)  # fmt: skip
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=5)
        finally:
            process.kill()
        assert stderr.rstrip().endswith("KeyboardInterrupt")

    def test_a_run_that_ended_by_itself_passes_it_on(self):
        """The signal comes while the run is compiled code that is about to end."""
        fun = numba.njit(lambda x: (x @ x, 2.0 * x))
        minimize(fun, [1.0, 2.0], jac=True)
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            deadline = time.monotonic() + 5.0
            while time.monotonic() < deadline:
                minimize(fun, [1.0, 2.0], jac=True)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_first_use_from_many_threads():
    """Two threads that compiled the same adapter at once met Numba's typing half done."""
    fun = numba.njit(lambda x, a: ((x - a) ** 2).sum() + (x[0] * x[1] - 1.0) ** 2)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda k: minimize(fun, np.zeros(3), args=(float(k),), method="lbfgs"), range(32)))
    for k, result in enumerate(found):
        assert result.success and np.array_equal(result.x, minimize(fun, np.zeros(3), (float(k),), "lbfgs").x)


class TestHessiansAsCFunctions:
    """Beside callables of any other kind."""

    @staticmethod
    def _c_functions():
        word, real = types.intp, types.float64

        @numba.cfunc(real(word, word, word, word))
        def hess(xp, hp, n, data):
            H = numba.carray(void_pointer(hp), (n * n,), real)
            x = numba.carray(void_pointer(xp), (n,), real)
            H[0], H[1], H[2], H[3] = 12.0 * x[0] ** 2, 0.0, 0.0, 2.0
            return 0.0

        @numba.cfunc(real(word, word, word, word, word))
        def hessp(xp, vp, outp, n, data):
            x, v = numba.carray(void_pointer(xp), (n,), real), numba.carray(void_pointer(vp), (n,), real)
            out = numba.carray(void_pointer(outp), (n,), real)
            out[0], out[1] = 12.0 * x[0] ** 2 * v[0], 2.0 * v[1]
            return 0.0

        return hess, hessp

    @pytest.mark.parametrize("jit", [True, False])
    def test_same_run_as_with_python_ones(self, jit):
        from scipy import LowLevelCallable

        hess, hessp = self._c_functions()
        fun, jac = (lambda x: x[0] ** 4 + x[1] ** 2), (lambda x: np.array([4.0 * x[0] ** 3, 2.0 * x[1]]))
        if jit:
            fun, jac = numba.njit(fun), numba.njit(jac)
        x0 = [2.0, 3.0]
        expected = minimize(fun, x0, jac=jac, hess=lambda x: np.diag([12.0 * x[0] ** 2, 2.0]), method="newton")
        given = [{"hess": hess}, {"hess": hess.ctypes}, {"hess": LowLevelCallable(hess.ctypes)}, {"hessp": hessp},
                 {"hessp": LowLevelCallable(hessp.ctypes)}]  # fmt: skip
        for how in given:
            result = minimize(fun, x0, jac=jac, method="newton", **how)
            assert (result.nfev, result.njev, result.nhev) == (expected.nfev, expected.njev, expected.nhev)
            assert np.allclose(result.x, expected.x, rtol=1e-12)
