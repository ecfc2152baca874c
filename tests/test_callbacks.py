"""Every kind of callable, and what can go wrong in one."""

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback

import cffi
import numba
import numpy as np
import pytest
import scipy.optimize
from numba import carray, types
from scipy import LowLevelCallable

import numopt
from numopt import Status, minimize
from numopt.kernels.oracle import void_pointer

ABI = types.float64(types.intp, types.intp, types.intp, types.intp)
VALUE = types.float64(types.intp, types.intp, types.intp)


@numba.cfunc(ABI)
def c_value_grad(xp, gp, n, data):
    x, g = carray(void_pointer(xp), (n,), types.float64), carray(void_pointer(gp), (n,), types.float64)
    target = 1.0
    if data != 0:
        target = carray(void_pointer(data), (1,), types.float64)[0]
    f = 0.0
    for i in range(n):
        g[i] = 2.0 * (x[i] - target)
        f += (x[i] - target) ** 2
    return f


@numba.cfunc(VALUE)
def c_value(xp, n, data):
    x = carray(void_pointer(xp), (n,), types.float64)
    return ((x - 1.0) ** 2).sum()


def _three(xp, n, data):
    return 0.0


def _prototype(words):
    return ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * words)


class TestCFunctions:
    def test_cfunc_ctypes_cffi_and_low_level(self):
        ffi = cffi.FFI()
        pointers = [
            c_value_grad,
            _prototype(4)(c_value_grad.address),
            ffi.cast("double (*)(intptr_t, intptr_t, intptr_t, intptr_t)", c_value_grad.address),
        ]
        for pointer in pointers:
            result = minimize(pointer, [3.0, 4.0], jac=True)
            assert result.success and np.allclose(result.x, 1.0)
            # data through args: the address of an array
            result = minimize(pointer, [3.0, 4.0], args=(np.array([2.5]),), jac=True)
            assert np.allclose(result.x, 2.5)

    def test_low_level_callable_with_user_data(self):
        target = np.array([-2.0])
        data = ctypes.c_void_p(target.ctypes.data)
        function = LowLevelCallable(_prototype(4)(c_value_grad.address), data)
        assert np.allclose(minimize(function, [3.0, 4.0], jac=True).x, -2.0)

    def test_value_alone_takes_differences(self):
        result = minimize(c_value, [3.0, 4.0])
        assert result.success and np.allclose(result.x, 1.0) and result.nfev == 3 * result.njev

    def test_value_and_gradient_in_two_functions(self):
        gradient = numba.cfunc(ABI)(c_value_grad.__wrapped__ if hasattr(c_value_grad, "__wrapped__") else _two)
        result = minimize(c_value, [3.0, 4.0], jac=gradient)
        assert result.success and np.allclose(result.x, 1.0) and result.nfev == result.njev

    def test_wrong_number_of_arguments(self):
        """They were called all the same, with what the registers held."""
        ffi, python = cffi.FFI(), lambda x: (x**2).sum()
        three = [c_value, _prototype(3)(c_value.address), LowLevelCallable(c_value.ctypes),
                 ffi.cast("double (*)(intptr_t, intptr_t, intptr_t)", c_value.address)]  # fmt: skip
        for pointer in three:
            with pytest.raises(TypeError, match=r"fun must be a C function .* 4 arguments .* takes 3"):
                minimize(pointer, [3.0, 4.0], jac=True)
            with pytest.raises(TypeError, match=r"jac must be a C function .* 4 arguments .* takes 3"):
                minimize(python, [3.0, 4.0], jac=pointer)
            with pytest.raises(TypeError, match=r"hessp must be a C function .* 5 arguments .* takes 3"):
                minimize(python, [3.0, 4.0], hessp=pointer, method="newton")
        with pytest.raises(TypeError, match=r"returns float32"):
            minimize(numba.cfunc(types.float32(types.intp, types.intp, types.intp))(_three), [3.0])

    def test_beside_a_python_gradient(self):
        result = minimize(c_value, [3.0, 4.0], jac=lambda x: 2.0 * (x - 1.0))
        assert result.success and np.allclose(result.x, 1.0)


def _two(xp, gp, n, data):
    x, g = carray(void_pointer(xp), (n,), types.float64), carray(void_pointer(gp), (n,), types.float64)
    for i in range(n):
        g[i] = 2.0 * (x[i] - 1.0)
    return 0.0


ARGS = [
    (2.0,),
    (2,),
    (True,),
    (np.float32(2.0), np.int16(3)),
    (np.array(2.0),),
    (np.arange(3.0),),
    (np.arange(3, dtype=np.int8),),
    (np.arange(6, dtype=np.float32).reshape(2, 3).T,),
    (np.arange(24.0).reshape(2, 3, 4)[:, ::2, 1:],),
    ((1.0, np.ones((2, 2))), 3),
    (((1, 2.0), (np.ones(2),)),),
    (1 + 2j,),
]


def _shifted(x, *args):
    s = 0.0
    for a in args:
        s += np.real(_total(a))
    return ((x - s) ** 2).sum()


def _total(a):
    return sum(map(_total, a)) if isinstance(a, tuple) else np.sum(a)


class TestArguments:
    @pytest.mark.parametrize("args", ARGS, ids=[str(k) for k in range(len(ARGS))])
    def test_jitted_and_python_agree(self, args):
        names = [f"a{k}" for k in range(len(args))]
        terms = []

        def walk(value, text):
            if isinstance(value, tuple):
                for k, item in enumerate(value):
                    walk(item, f"{text}[{k}]")
            elif isinstance(value, np.ndarray):
                terms.append(f"{text}[()]" if value.ndim == 0 else f"{text}.sum()")
            else:
                terms.append(f"{text}.real" if isinstance(value, complex) else text)

        for name, value in zip(names, args, strict=True):
            walk(value, name)
        source = f"def f(x, {', '.join(names)}):\n    return ((x - ({' + '.join(terms)})) ** 2).sum()"
        space: dict = {}
        exec(source, space)
        jitted = minimize(numba.njit(space["f"]), [0.5, 1.0], args=args, jac="3-point")
        python = minimize(_shifted, [0.5, 1.0], args=args, jac="3-point")
        assert jitted.success and np.allclose(jitted.x, sum(_total(a) for a in args).real, atol=1e-4)
        assert np.allclose(jitted.x, python.x, atol=1e-6)

    def test_a_single_argument_needs_no_tuple(self):
        assert np.allclose(minimize(lambda x, a: ((x - a) ** 2).sum(), [0.0], args=3.0).x, 3.0, atol=1e-5)

    @pytest.mark.parametrize("bad", ["text", object(), [1.0], None.__class__])
    def test_what_cannot_be_bound(self, bad):
        with pytest.raises(TypeError, match=r"args\[1\]"):
            minimize(numba.njit(lambda x, a, b: (x * a).sum()), [1.0], args=(1.0, bad))

    def test_no_solver_is_compiled_for_a_new_argument_type(self, monkeypatch):
        from numopt.drivers import units

        minimize(numba.njit(lambda x, a: ((x - a) ** 2).sum()), [1.0], args=(1.0,))
        monkeypatch.setattr(units, "_compile", lambda name: pytest.fail(f"compiled {name}"))
        minimize(numba.njit(lambda x, a: ((x - a[0]) ** 2).sum()), [1.0], args=(np.ones(2),))


class TestGradients:
    @pytest.mark.parametrize("jit", [False, True])
    @pytest.mark.parametrize("jac", ["2-point", "3-point", "cs", None])
    def test_forms(self, jit, jac):
        def f(x):
            return (np.sin(x) ** 2).sum() + (x**4).sum()

        result = minimize(numba.njit(f) if jit else f, [0.7, -0.4], jac=jac, options={"gtol": 1e-4})
        assert result.success and np.abs(result.x).max() < 1e-3
        per_gradient = {"2-point": 3, None: 3, "3-point": 5, "cs": 3}[jac]
        assert result.nfev == per_gradient * result.njev

    @pytest.mark.parametrize("jit", [False, True])
    def test_separate_true_and_inplace_agree(self, rosen, jit):
        wrap = numba.njit if jit else (lambda f: f)
        pair = rosen.jitted if jit else rosen.python
        value, grad = wrap(lambda x: pair(x)[0]), wrap(lambda x: pair(x)[1])

        def inplace(x, g):
            f, slope = pair(x)
            g[:] = slope
            return f

        reference = minimize(pair, rosen.x0, jac=True)
        for fun, jac in ((value, grad), (wrap(inplace), "inplace")):
            result = minimize(fun, rosen.x0, jac=jac)
            assert np.allclose(result.x, reference.x, atol=1e-8) and result.nfev == reference.nfev

    def test_counts_are_those_of_the_calls(self, rosen):
        calls = {"f": 0, "g": 0}

        def f(x):
            calls["f"] += 1
            return rosen.python(x)[0]

        def g(x):
            calls["g"] += 1
            return rosen.python(x)[1]

        for search in ("strong-wolfe", "armijo", "hager-zhang", "exact"):
            calls.update(f=0, g=0)
            result = minimize(f, rosen.x0, jac=g, options={"line_search": search})
            assert (result.nfev, result.njev) == (calls["f"], calls["g"])
        calls.update(f=0, g=0)
        result = minimize(f, rosen.x0)
        assert result.nfev == calls["f"] and calls["g"] == 0
        calls.update(f=0, g=0)
        result = minimize(f, rosen.x0, jac=g, method="newton")
        assert (result.nfev, result.njev) == (calls["f"], calls["g"])

    def test_backtracking_asks_for_gradients_only_where_it_stays(self, rosen):
        value, grad = (lambda x: rosen.python(x)[0]), (lambda x: rosen.python(x)[1])
        result = minimize(value, rosen.x0, jac=grad, options={"line_search": "armijo"})
        assert result.success and result.njev == result.nit + 1 < result.nfev

    def test_difference_steps(self):
        seen = []

        def f(x):
            seen.append(x[0])
            return (x[0] - 3.0) ** 2

        minimize(f, [2.0], options={"eps": 1e-3, "maxiter": 0})
        assert seen == [2.0, 2.001]
        seen.clear()
        minimize(f, [2.0], jac="3-point", options={"finite_diff_rel_step": 1e-2, "maxiter": 0})
        assert seen == [2.0, 2.02, 1.98]

    def test_hessian_forms_agree(self, rosen):
        value, grad = (lambda x: rosen.python(x)[0]), (lambda x: rosen.python(x)[1])
        hess = rosen.hess.py_func
        results = [
            minimize(value, rosen.x0, jac=grad, method="newton", **form)
            for form in (
                {"hess": hess},
                {"hessp": lambda x, v: hess(x) @ v},
                {"hess": "2-point"},
                {"hess": "3-point"},
                {},
            )
        ]
        jitted = minimize(rosen.jitted, rosen.x0, jac=True, hess=rosen.hess, method="newton")
        for result in [*results, jitted]:
            assert result.success and np.allclose(result.x, results[0].x, atol=1e-5)
            assert result.nhev == result.nit


class TestSafety:
    @pytest.mark.parametrize("jit", [False, True])
    def test_objective_that_changes_x(self, jit):
        def f(x):
            value = ((x - 2.0) ** 2).sum()
            x[:] = -7.0
            return value

        x0 = np.array([1.0, 5.0])
        result = minimize(numba.njit(f) if jit else f, x0)
        assert result.success and np.allclose(result.x, 2.0, atol=1e-5)
        assert np.array_equal(x0, [1.0, 5.0])

    def test_inplace_jitted_objective_cannot_write_to_x(self):
        @numba.njit
        def f(x, g):
            x[0] = 1.0
            return 0.0

        with pytest.raises(TypeError, match="read-only"):
            minimize(f, [1.0], jac="inplace")

    @pytest.mark.parametrize("jit", [False, True])
    def test_exception_surfaces_with_its_traceback(self, jit):
        def explode(x):
            if x[0] < 2.5:
                raise ZeroDivisionError("boom at the objective")
            return (x**2).sum()

        fun = numba.njit(explode) if jit else explode
        with pytest.raises(ZeroDivisionError, match="boom") as caught:
            minimize(fun, [3.0])
        assert caught.value.result.fun == 9.0
        text = "".join(traceback.format_exception(caught.value))
        assert "explode" in text or jit

    def test_exception_in_gradient_hessian_and_callback(self, rosen):
        def bad(*args, **kwargs):
            raise KeyError("mine")

        value, grad = (lambda x: rosen.python(x)[0]), (lambda x: rosen.python(x)[1])
        for kwargs in ({"jac": bad}, {"jac": grad, "hess": bad, "method": "newton"}, {"jac": grad, "callback": bad}):
            with pytest.raises(KeyError, match="mine") as caught:
                minimize(value, rosen.x0, **kwargs)
            assert np.array_equal(caught.value.result.x.shape, rosen.x0.shape)

    def test_callbacks_get_copies(self, bowl):
        def spoil(xk):
            xk[:] = np.nan

        kept = []
        assert minimize(bowl.jitted, bowl.x0, jac=True, callback=spoil).success
        minimize(bowl.jitted, bowl.x0, jac=True, callback=kept.append)
        assert len({x.tobytes() for x in kept}) == len(kept) > 1

    def test_callback_forms(self, bowl):
        values, points = [], []

        def by_result(intermediate_result):
            values.append(intermediate_result.fun)
            points.append(intermediate_result.x)

        result = minimize(bowl.jitted, bowl.x0, jac=True, callback=by_result)
        assert len(values) == result.nit and values[-1] == result.fun
        assert np.array_equal(points[-1], result.x)

        def stop(xk):
            raise StopIteration

        stopped = minimize(bowl.jitted, bowl.x0, jac=True, callback=stop)
        assert stopped.status is Status.CALLBACK == 99 and stopped.nit == 1 and not stopped.success

    @pytest.mark.parametrize("kind", ["jitted", "python", "slow python"])
    def test_ctrl_c(self, kind):
        def endless(x):
            if kind == "slow python":
                time.sleep(3.0)
            return float((x**2).sum())

        fun = numba.njit(lambda x: (x**2).sum()) if kind == "jitted" else endless
        options = {"step": 1e-12, "gtol": 1e-14, "maxiter": 10**12}
        if kind == "jitted":
            minimize(fun, [1.0, 1.0], method="gd-fixed", options={"maxiter": 1})
        sent = []

        def interrupt():
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(0.3, interrupt)
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            minimize(fun, [1.0, 1.0], method="gd-fixed", options=options)
        # 0.2 s is the promise; a loaded machine may take its time to schedule us
        assert time.monotonic() - sent[0] < 1.0
        result = caught.value.result
        assert result.status is Status.INTERRUPTED and result.x.shape == (2,)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_threads_run_at_the_same_time(self, rosen):
        expected = minimize(rosen.jitted, rosen.x0, jac=True).x
        results = [None] * 4

        def work(k):
            results[k] = [minimize(rosen.jitted, rosen.x0, jac=True).x for _ in range(50)]

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(np.array_equal(x, expected) for xs in results for x in xs)

    def test_minimize_inside_an_objective(self, bowl):
        def outer(x):
            inner = minimize(lambda y: (y[0] - x[0]) ** 2, [0.0])
            return inner.fun + (x[0] - 1.0) ** 2

        assert abs(minimize(outer, [3.0]).x[0] - 1.0) < 1e-3


class TestCheckDerivatives:
    def test_right_and_wrong(self, rosen):
        assert numopt.check_derivatives(rosen.jitted, True, rosen.x0).ok

        def wrong(x):
            g = rosen.python(x)[1]
            g[2] += 0.5
            return g

        check = numopt.check_derivatives(lambda x: rosen.python(x)[0], wrong, rosen.x0)
        assert not check.ok and check.index == 2
        assert check.given - check.difference == pytest.approx(0.5, abs=1e-6)
        assert check.error == pytest.approx(0.5 / max(abs(check.given), abs(check.difference)), rel=1e-5)
        assert "component 2" in str(check)

    @pytest.mark.parametrize(
        ("fun", "jac", "x"),
        [
            (lambda x: 1e-7 * x @ x, lambda x: 2e-7 * x, [1.0, 2.0]),
            (lambda x: np.sin(x[0]), np.cos, [1e4]),
            (lambda x: np.log(x[0]) if x[0] > 0 else np.nan, lambda x: 1.0 / x, [1e-4]),
            (lambda x: 1e9 * x @ x, lambda x: 2e9 * x, [1e-3, 1e3]),
        ],
    )
    def test_small_fast_and_bounded_domains(self, fun, jac, x):
        """Small gradients were never wrong, and large steps left the domain or the scale of fun."""
        assert numopt.check_derivatives(fun, jac, x).ok
        wrong = numopt.check_derivatives(fun, lambda x: 1.001 * jac(x), x)
        assert not wrong.ok and wrong.error == pytest.approx(1e-3, rel=1e-2)

    def test_within_bounds(self):
        lower, upper = np.array([1.0, 0.0, -np.inf]), np.array([np.inf, 2.0, 3.0])

        def fun(x):
            assert (lower <= x).all() and (x <= upper).all()
            return float(np.sqrt(x[0] - 0.999) + np.exp(x[1]) * x[2] ** 2)

        def grad(x):
            return [0.5 / np.sqrt(x[0] - 0.999), np.exp(x[1]) * x[2] ** 2, 2.0 * np.exp(x[1]) * x[2]]

        bounds = np.stack([lower, upper], axis=1)
        for x in ([1.0, 0.0, 3.0], [1.5, 1.0, 0.0], [1.0 + 1e-9, 2.0, 2.999]):
            assert numopt.check_derivatives(fun, grad, x, bounds=bounds).ok
            wrong = numopt.check_derivatives(fun, lambda x: np.array([1.0, 1.01, 1.0]) * grad(x), x, bounds=bounds)
            assert (wrong.index == 1 and not wrong.ok) or x[2] == 0.0
        with pytest.raises(ValueError, match=r"x must be within bounds; x\[1\] = 5 is not in \(0, 2\)"):
            numopt.check_derivatives(fun, grad, [1.0, 5.0, 0.0], bounds=bounds)

    def test_a_fixed_variable_is_left_out(self):
        """There no difference can be had, and that was said to be a disagreement."""
        fun, grad = lambda x: x[0] ** 2 + x[1] ** 3, lambda x: [99.0, 3.0 * x[1] ** 2]
        check = numopt.check_derivatives(fun, grad, [1.0, 1.0], bounds=[(1, 1), (0, 1)])
        assert check.ok and check.index == 1 and np.isnan(check.errors[0]) and check.errors[1] <= 1e-5
        wrong = numopt.check_derivatives(fun, lambda x: [2.0, 2.0], [1.0, 1.0], bounds=[(1, 1), (0, 1)])
        assert not wrong.ok and wrong.index == 1
        with pytest.raises(ValueError, match="bounds fix all variables"):
            numopt.check_derivatives(fun, grad, [1.0, 1.0], bounds=[(1, 1), (1, 1)])

    def test_in_place_form(self, rosen):
        def fun(x, g, scale):
            f, g[:] = rosen.python(x)
            g *= scale
            return f

        assert numopt.check_derivatives(fun, "inplace", rosen.x0, args=(1.0,)).ok
        assert not numopt.check_derivatives(fun, "inplace", rosen.x0, args=(1.01,)).ok


def test_scipy_method(rosen):
    for name in ("lbfgs", "cg-pr", "newton"):
        result = scipy.optimize.minimize(rosen.jitted, rosen.x0, jac=True, method=numopt.scipy_method(name))
        direct = minimize(rosen.jitted, rosen.x0, jac=True, method=name)
        assert np.array_equal(result.x, direct.x) and result.nfev == direct.nfev
    limited = scipy.optimize.minimize(rosen.jitted, rosen.x0, jac=True, method=numopt.scipy_method("bfgs"),
                                      options={"maxiter": 2})  # fmt: skip
    assert limited.nit == 2


def test_scipys_tol_reaches_the_method(rosen):
    bfgs = numopt.scipy_method("bfgs")
    loose, tight = (
        scipy.optimize.minimize(rosen.python, rosen.x0, jac=True, method=bfgs, tol=tol) for tol in (1.0, 1e-4)
    )
    assert loose.optimality <= 1.0 and loose.nfev < tight.nfev and tight.optimality <= 1e-4


def test_result_is_scipys_and_pickles(bowl):
    import copy
    import pickle

    result = minimize(bowl.jitted, bowl.x0, jac=True)
    assert isinstance(result, scipy.optimize.OptimizeResult) and isinstance(result, dict)
    for twin in (pickle.loads(pickle.dumps(result)), copy.copy(result)):
        assert np.array_equal(twin.x, result.x) and twin.status is result.status and twin.message == result.message
    assert "success: True" in repr(result)
    with pytest.raises(AttributeError):
        result.nonsense  # noqa: B018


def test_display_goes_to_stdout(bowl, capsys):
    minimize(bowl.jitted, bowl.x0, jac=True, options={"disp": True})
    out = capsys.readouterr().out
    assert "Converged" in out and "evaluations" in out


def test_history(bowl):
    result = minimize(bowl.jitted, bowl.x0, jac=True, options={"history": True, "return_all": True})
    h = result.history
    assert len(h) == len(result.allvecs) == result.nit + 1
    for x, f, gnorm in zip(result.allvecs, h["f"], h["gnorm"], strict=True):
        value, g = bowl.python(x)
        assert f == pytest.approx(value, rel=1e-12, abs=1e-30) and gnorm == pytest.approx(np.abs(g).max(), rel=1e-12)
    assert h["nfev"][-1] == result.nfev and (np.diff(h["seconds"]) >= 0).all() and (np.diff(h["f"]) <= 0).all()
    long = minimize(bowl.jitted, bowl.x0, jac=True, method="gd-fixed",
                    options={"history": True, "step": 1e-4, "maxiter": 5000, "gtol": 1e-12})  # fmt: skip
    assert len(long.history) == 5001


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_at_the_very_first_line_of_a_python_objective():
    """Signals that arrive while compiled code runs must not be lost in a callback."""
    code = """
    import os, signal, threading, numopt
    def f(x):
        return float((x**2).sum())
    options = {"step": 1e-12, "gtol": 1e-14, "maxiter": 10**9}
    numopt.minimize(f, [1.0, 1.0], method="gd-fixed", options={"maxiter": 1})
    for k in range(50):
        threading.Timer(0.02 + 1e-4 * k, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            numopt.minimize(f, [1.0, 1.0], method="gd-fixed", options=options)
        except KeyboardInterrupt as stop:
            assert stop.result.status.name == "INTERRUPTED"
    print("stopped")
    """
    out = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert "stopped" in out.stdout and "gnored" not in out.stderr, out.stderr


class TestSignaturesOfJittedFunctions:
    """Default and starred arguments, explicit signatures and object mode met raw errors of Numba's."""

    @pytest.mark.parametrize(
        ("fun", "args", "solution"),
        [
            (numba.njit(lambda x, a=2.0: (x[0] - a) ** 2), (), 2.0),
            (numba.njit(lambda x, a=2.0: (x[0] - a) ** 2), (3.0,), 3.0),
            (numba.njit(lambda x, *a: (x[0] - a[0] - a[1]) ** 2), (1.0, 3.0), 4.0),
            (numba.njit("float64(float64[:])")(lambda x: (x[0] - 5.0) ** 2), (), 5.0),
            (numba.jit(forceobj=True)(lambda x: (x[0] - 6.0) ** 2), (), 6.0),
        ],
    )
    def test_they_are_minimised(self, fun, args, solution):
        result = minimize(fun, [0.0], args=args)
        assert result.success and result.x[0] == pytest.approx(solution, abs=1e-5)

    def test_what_does_not_fit_is_said_in_one_line(self):
        narrow = numba.njit("float32(float32[:])")(lambda x: x[0])
        with pytest.raises(TypeError, match=r"fun does not compile|fun can't be compiled") as caught:
            minimize(narrow, [1.0])
        assert "\n" not in str(caught.value)
        with pytest.raises(TypeError, match=r"args\[0\] .* of dtype float16"):
            minimize(numba.njit(lambda x, a: x[0]), [1.0], args=(np.ones(2, np.float16),))
