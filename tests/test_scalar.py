"""Roots and minima of functions of one variable."""

import copy
import ctypes
import math
import pickle
import subprocess
import sys

import numba
import numpy as np
import pytest
import scipy.optimize
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import numopt
from numopt import ScalarStatus, jit_minimize_scalar, jit_root_scalar, minimize_scalar, root_scalar
from numopt.problems.scalar_sets import MINIMA, ROOTS

BRACKETS = ("bisect", "brentq", "brenth", "ridder")
PAIRS = [(method, p) for method in BRACKETS for p in ROOTS]
IDS = [f"{method} {p.name}" for method, p in PAIRS]


def cubic(x, a=2.0):
    return x * x * x - a


def cubic_slope(x, a=2.0):
    return 3.0 * x * x


def cubic_curvature(x, a=2.0):
    return 6.0 * x


def quartic(x, a=2.0):
    return (x - a) ** 4 + x * x


jitted_cubic, jitted_slope, jitted_curvature = map(numba.njit, (cubic, cubic_slope, cubic_curvature))
jitted_quartic = numba.njit(quartic)
QUARTIC_MINIMUM = float(np.roots([4.0, -24.0, 50.0, -32.0]).real[np.argmin(abs(np.roots([4, -24, 50, -32]).imag))])


def geometric_mean(ratios):
    return math.exp(np.mean(np.log(ratios)))


class TestRootsOfTheLiterature:
    @pytest.mark.parametrize(("method", "p"), PAIRS, ids=IDS)
    def test_change_of_sign_is_enclosed(self, method, p):
        r = root_scalar(p.f, bracket=[p.a, p.b], method=method)
        assert r.converged and r.flag == "converged" and r.method == method and r.status == ScalarStatus.CONVERGED
        assert p.a <= r.root <= p.b
        reach = 4 * (2e-12 + 4 * 2**-52 * abs(r.root))
        low, high = p.f(max(r.root - reach, p.a)), p.f(min(r.root + reach, p.b))
        assert p.f(r.root) == 0.0 or (low > 0) != (high > 0) or low == 0.0 or high == 0.0

    @pytest.mark.parametrize("method", BRACKETS)
    def test_evaluations_and_roots_against_scipy(self, method):
        ratios = []
        for p in ROOTS:
            ours = root_scalar(p.f, bracket=[p.a, p.b], method=method)
            theirs = scipy.optimize.root_scalar(p.f, bracket=[p.a, p.b], method=method)
            # where f is flat or jumps roots of equal right lie around
            assert abs(ours.root - theirs.root) <= 1e-11 * max(1, abs(theirs.root)) or p.f(ours.root) == 0.0, p.name
            ratios.append(ours.function_calls / theirs.function_calls)
        assert geometric_mean(ratios) <= 1.0 + 1e-12

    def test_the_count_is_the_number_of_calls(self):
        for method, kw in [
            *((m, {"bracket": [0, 2]}) for m in BRACKETS),
            ("secant", {"x0": 1.0, "x1": 2.0}),
            ("newton", {"x0": 1.0, "fprime": True}),
            ("halley", {"x0": 1.0, "fprime": True, "fprime2": True}),
        ]:
            calls = []

            def f(x, method=method, calls=calls):
                calls.append(x)
                values = cubic(x), cubic_slope(x), cubic_curvature(x)
                return values[0] if "fprime" not in kw else values[:2] if "fprime2" not in kw else values  # noqa: B023

            assert root_scalar(f, method=method, **kw).function_calls == len(calls)
            assert len(calls) < 60


class TestOpenMethods:
    @pytest.mark.parametrize("functions", [
        (cubic, cubic_slope, cubic_curvature), (jitted_cubic, jitted_slope, jitted_curvature),
        (jitted_cubic, cubic_slope, cubic_curvature),
    ])  # fmt: skip
    @pytest.mark.parametrize("x0", [0.7, 1.0, 3.0, 20.0])
    def test_evaluations_against_scipy(self, functions, x0):
        f, g, h = functions
        for kw in ({"fprime": g}, {"fprime": g, "fprime2": h}, {"x1": x0 + 0.5}):
            ours, theirs = root_scalar(f, x0=x0, **kw), scipy.optimize.root_scalar(f, x0=x0, **kw)
            assert ours.converged and ours.root == pytest.approx(2 ** (1 / 3), abs=1e-8)
            assert ours.method == theirs.method and ours.iterations <= theirs.iterations
            assert ours.function_calls <= theirs.function_calls

    def test_without_a_derivative_newton_is_the_secant_method(self):
        for method in (None, "newton"):
            r = root_scalar(cubic, x0=1.0, method=method)
            assert r.converged and r.method == "secant"
            assert r.function_calls <= scipy.optimize.root_scalar(cubic, x0=1.0, method=method).function_calls

    def test_order_at_a_multiple_root_is_one(self):
        r = root_scalar(lambda x: ((x - 1) ** 2, 2 * (x - 1)), x0=0.0, fprime=True)
        assert r.converged and abs(r.root - 1) < 2e-8 and r.iterations > 20

    def test_zero_derivative_is_told(self):
        for kw in ({"fprime": lambda x: 2 * x}, {"fprime": lambda x: 2 * x, "fprime2": lambda x: 2.0}):
            r = root_scalar(lambda x: x * x + 1, x0=0.0, **kw)
            assert not r.converged and r.status == ScalarStatus.FLAT and "derivative is zero" in r.flag
        r = root_scalar(lambda x: x * x + 1, x0=-1.0, x1=1.0)
        assert not r.converged and r.status == ScalarStatus.FLAT

    def test_steps_out_of_the_domain_are_halved(self):
        def f(x):
            return math.log(x) if x > 0 else math.nan

        r = root_scalar(f, x0=6.0, fprime=lambda x: 1 / x)  # the full step is to -4.75
        assert r.converged and r.root == pytest.approx(1.0)
        assert root_scalar(f, x0=6.0, x1=5.5).converged

    def test_no_root_ends_at_maxiter(self):
        for kw in ({"x0": 0.3, "fprime": lambda x: 2 * x}, {"x0": 0.3, "x1": 0.4}):
            r = root_scalar(lambda x: x * x + 1, maxiter=30, **kw)
            assert not r.converged and r.iterations <= 30 and r.flag != "converged"


@st.composite
def polynomials(draw):
    """(coefficients, root, a, b): one root of odd multiplicity between a and b."""
    root = draw(st.floats(-10, 10))
    others = draw(st.lists(st.floats(0.5, 5), min_size=0, max_size=3))  # x^2 + c > 0 beside the root
    scale = draw(st.sampled_from([1e-150, 1e-8, 1.0, -3.0, 1e9, 1e150]))
    return root, others, scale, root - draw(st.floats(0.01, 20)), root + draw(st.floats(0.01, 20))


@settings(max_examples=200, deadline=None)
@given(polynomials(), st.sampled_from(BRACKETS), st.booleans(), st.booleans())
def test_known_roots_are_found_and_the_bracket_is_never_left(case, method, swap, cube):
    root, others, scale, a, b = case
    seen = []

    def f(x):
        seen.append(x)
        y = scale * ((x - root) ** 3 if cube else x - root)
        for c in others:
            y *= (x - root) ** 2 + c
        return y

    # Brent's bound on the iterations is the square of bisection's; 100, the default, are not enough for a triple root
    r = root_scalar(f, bracket=[b, a] if swap else [a, b], method=method, maxiter=5000)
    assert r.converged and all(a <= x <= b for x in seen)
    # the cube underflows to 0 around the root where scale is small
    assert abs(r.root - root) <= 1e-11 * (1 + abs(root)) or f(r.root) == 0.0


@settings(max_examples=100, deadline=None)
@given(st.floats(-5, 5), st.floats(1e-3, 1e3), st.floats(0.05, 5), st.floats(0.05, 5))
def test_minima_of_shifted_and_scaled_functions(center, scale, left, right):
    for f in (lambda x: scale * (x - center) ** 2, lambda x: scale * (math.cosh(x - center) - 1)):
        seen = []

        def g(x, f=f, seen=seen):
            seen.append(float(x))
            return f(x)

        a, b = center - left, center + right
        r = minimize_scalar(g, bounds=(a, b))
        assert r.success and all(a < x < b for x in seen) and abs(r.x - center) < 2e-5 and r.fun == f(r.x)
        assert r.nfev == len(seen) and r.fun == min(map(f, seen))
        for method in ("brent", "golden"):
            assume(f(a) > 0 < f(b))
            for bracket in ((a, b), (a, center, b)):
                r = minimize_scalar(f, bracket=bracket, method=method)
                # f is flat to rounding within sqrt(eps)
                assert r.success and abs(r.x - center) < 1e-7 * (1 + abs(center)), (method, bracket)


class TestMinima:
    @pytest.mark.parametrize("method", ["brent", "golden", "bounded"])
    def test_evaluations_and_minima_against_scipy(self, method):
        ratios = []
        for p in MINIMA:
            kw = {"bounds": (p.a, p.b)} if method == "bounded" else {"bracket": (p.a, p.a + 0.4 * (p.b - p.a), p.b)}
            try:
                theirs = scipy.optimize.minimize_scalar(p.f, method=method, **kw)
            except ValueError:  # the middle is not below the ends
                with pytest.raises(ValueError, match="do not fulfill"):
                    minimize_scalar(p.f, method=method, **kw)
                continue
            ours = minimize_scalar(p.f, method=method, **kw)
            # x is known to the tolerance only, and f with a kink at the minimum not better than x
            near = abs(ours.x - theirs.x) <= 2e-8 * abs(theirs.x)
            assert ours.success and (near or ours.fun <= theirs.fun + 1e-9 * abs(theirs.fun) + 1e-12), p.name
            assert p.a <= ours.x <= p.b and ours.fun == p.f(ours.x)
            ratios.append(ours.nfev / theirs.nfev)
        assert len(ratios) >= 20 and geometric_mean(ratios) <= 1.0 + 1e-12

    def test_bracket_is_sought_downhill(self):
        for method in ("brent", "golden"):
            for bracket in (None, (0.0, 0.1), (100.0, 101.0), (-3.0, -2.9)):
                r = minimize_scalar(quartic, bracket=bracket, method=method)
                theirs = scipy.optimize.minimize_scalar(quartic, bracket=bracket, method=method)
                assert r.success and abs(r.x - QUARTIC_MINIMUM) < 1e-7 and r.nfev <= theirs.nfev

    def test_nan_counts_as_infinite(self):
        r = minimize_scalar(lambda x: math.nan if x > 4 else (x - 1.5) ** 2, bounds=(0, 10))
        assert r.success and abs(r.x - 1.5) < 1e-5
        r = minimize_scalar(lambda x: math.nan, bounds=(0, 1))
        assert not r.success and r.status == ScalarStatus.NAN

    def test_no_minimum(self):
        for f in (lambda x: x, lambda x: 1.0, lambda x: -(x**2)):
            for method in ("brent", "golden"):
                r = minimize_scalar(f, method=method)
                assert not r.success and r.status in (ScalarStatus.NO_BRACKET, ScalarStatus.UNBOUNDED)
                assert "bracket" in r.message or "-inf" in r.message

    def test_maxiter(self):
        for kw in ({}, {"bounds": (0, 3)}, {"method": "golden"}):
            r = minimize_scalar(quartic, options={"maxiter": 3}, **kw)
            assert not r.success and r.status == ScalarStatus.MAXITER and r.nit == 3 and "iterations" in r.message

    def test_a_callable_method_is_called_as_scipy_does(self):
        def method(fun, args, bracket, bounds, **options):
            return fun(3.0, *args), bracket, bounds, options

        got = minimize_scalar(quartic, (1, 2), None, (3.0,), method, tol=0.5, options={"a": 1})
        assert got == (9.0, (1, 2), None, {"a": 1, "tol": 0.5})


class TestCallables:
    """The same run, whatever kind of function."""

    DOUBLE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)

    def test_every_kind_takes_the_same_steps(self):
        wanted = root_scalar(cubic, bracket=[0, 2])
        low = scipy.LowLevelCallable(self.DOUBLE(cubic))
        compiled = numba.cfunc("float64(float64)")(lambda x: x * x * x - 2.0)
        for f in (jitted_cubic, self.DOUBLE(cubic), low, compiled):
            got = root_scalar(f, bracket=[0, 2])
            assert (got.root, got.function_calls) == (wanted.root, wanted.function_calls)
        wanted = minimize_scalar(quartic)
        for f in (jitted_quartic, self.DOUBLE(quartic)):
            got = minimize_scalar(f)
            assert got.x == pytest.approx(wanted.x, abs=1e-9) and got.nfev == wanted.nfev

    def test_user_data(self):
        @numba.cfunc("float64(float64, CPointer(float64))")
        def f(x, data):
            return x - data[0]

        data = np.array([0.75])
        assert root_scalar(f, args=(data,), bracket=[0, 2]).root == 0.75
        low = scipy.LowLevelCallable(f.ctypes, data.ctypes.data_as(ctypes.c_void_p))
        assert root_scalar(low, bracket=[0, 2]).root == 0.75

    @pytest.mark.parametrize("args", [(5.0,), (5,), (np.float64(5.0),), 5.0])
    def test_arguments(self, args):
        for f in (cubic, jitted_cubic):
            for _ in range(2):  # the second time the adapter is known
                assert root_scalar(f, args, bracket=[0, 3]).root == pytest.approx(5 ** (1 / 3), abs=1e-11)
        assert root_scalar(jitted_cubic, (7.0,), bracket=[0, 3]).root == pytest.approx(7 ** (1 / 3), abs=1e-11)

    def test_an_array_as_argument(self):
        f = numba.njit(lambda x, a: x * x - a.sum())
        for n in (2, 7):
            assert root_scalar(f, (np.ones(n),), bracket=[0, 9]).root == pytest.approx(math.sqrt(n), abs=1e-11)

    def test_a_tuple_of_values(self):
        def f(x):
            return jitted_cubic(x, 2.0), jitted_slope(x, 2.0), jitted_curvature(x, 2.0)

        for g in (f, numba.njit(f)):
            for kw, method in (({"fprime": True}, "newton"), ({"fprime": True, "fprime2": True}, "halley")):
                r = root_scalar(g, x0=1.0, **kw)
                assert r.converged and r.method == method and r.root == pytest.approx(2 ** (1 / 3))

    def test_exceptions_are_the_users(self):
        class Mine(Exception):
            pass

        calls = []

        def bad(x):
            calls.append(x)
            if len(calls) == 3:
                raise Mine("mine")
            return cubic(x)

        for door in (lambda f: root_scalar(f, bracket=[0, 2]), minimize_scalar):
            calls.clear()
            with pytest.raises(Mine, match="mine"):
                door(bad)
            assert len(calls) == 3

        @numba.njit
        def compiled(x):
            if x > 0.5:
                raise ValueError("too large")
            return x - 0.7

        for _ in range(2):
            with pytest.raises(ValueError, match="too large"):
                root_scalar(compiled, bracket=[0, 2])
        with pytest.raises(ValueError, match="too large"):
            root_scalar(jitted_cubic, x0=1.0, fprime=compiled)

    def test_keyboard_interrupt(self):
        def f(x):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            root_scalar(f, bracket=[0, 2])
        with pytest.raises(KeyboardInterrupt):
            minimize_scalar(f)

    def test_a_run_inside_a_run(self):
        def outer(y):
            return root_scalar(lambda x: x**3 - y, bracket=[0, 3]).root - 1.5

        assert root_scalar(outer, bracket=[0, 20]).root == pytest.approx(1.5**3)

    def test_needs_no_numba_for_python_functions(self):
        code = (
            "import sys, numopt\n"
            "r = numopt.root_scalar(lambda x: x**3 - 2, bracket=[0, 2]); assert r.converged\n"
            "assert numopt.minimize_scalar(lambda x: (x - 1)**2).success\n"
            "print(sorted({m.split('.')[0] for m in sys.modules} & {'numba', 'scipy'}))"
        )
        run = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True) for _ in range(2)]
        assert run[1].stdout.strip() == "[]", run[1].stderr


class TestBadInput:
    @pytest.mark.parametrize(("kw", "error", "words"), [
        ({}, ValueError, "bracket or x0"),
        ({"bracket": [2, 3]}, ValueError, "different signs"),
        ({"bracket": [3, 3]}, ValueError, "must be an interval"),
        ({"bracket": [0, math.inf]}, ValueError, r"bracket\[1\] must be a finite number"),
        ({"bracket": [math.nan, 1]}, ValueError, r"bracket\[0\] must be a finite number"),
        ({"bracket": [1, 2, 3]}, ValueError, "2 finite numbers"),
        ({"bracket": 1}, ValueError, "2 finite numbers"),
        ({"bracket": ["a", 2]}, TypeError, r"bracket\[0\]"),
        ({"bracket": [0, 2], "method": "nonsense"}, ValueError, "bisect, brentq"),
        ({"bracket": [0, 2], "xtol": 0}, ValueError, "xtol"),
        ({"bracket": [0, 2], "xtol": math.nan}, ValueError, "xtol"),
        ({"bracket": [0, 2], "rtol": 1e-20}, ValueError, "rtol"),
        ({"bracket": [0, 2], "maxiter": 0}, ValueError, "maxiter"),
        ({"bracket": [0, 2], "maxiter": 2.5}, TypeError, "maxiter"),
        ({"bracket": [0, 2], "maxiter": math.nan}, TypeError, "maxiter must be an integer; got nan"),
        ({"bracket": [0, 2], "options": 3}, TypeError, "options must be a dict, not int"),
        ({"bracket": [0, 2], "options": {"foo": 1}}, TypeError, "foo"),
        ({"x0": 1.0, "method": "brentq"}, ValueError, "bracket is needed"),
        ({"bracket": [0, 2], "method": "secant"}, ValueError, "x0 is needed"),
        ({"x0": math.inf}, ValueError, "x0 must be"),
        ({"x0": 1.0, "x1": 1.0}, ValueError, "x1 and x0 must be different"),
        ({"x0": 1.0, "method": "halley", "fprime": cubic_slope}, ValueError, "fprime2"),
    ])  # fmt: skip
    def test_root_scalar(self, kw, error, words):
        calls = []
        with pytest.raises(error, match=words):
            root_scalar(lambda x: calls.append(x) or cubic(x), **kw)
        assert len(calls) <= 2

    @pytest.mark.parametrize(("kw", "error", "words"), [
        ({"bounds": (1, 0)}, ValueError, "lower bound exceeds"),
        ({"bounds": (0, math.inf)}, ValueError, r"bounds\[1\] must be a finite number"),
        ({"bounds": (0, 1, 2)}, ValueError, "2 finite numbers"),
        ({"method": "bounded"}, ValueError, "mandatory"),
        ({"bounds": (0, 1), "method": "brent"}, ValueError, "incompatible"),
        ({"bracket": (0, 0)}, ValueError, "different points"),
        ({"bracket": (0, 2, 1)}, ValueError, "xa < xb"),
        ({"bracket": (3, 4, 5)}, ValueError, r"f\(xb\) < f\(xa\)"),
        ({"method": "nonsense"}, ValueError, "brent, bounded, golden"),
        ({"options": {"xtol": -1}}, ValueError, "xtol"),
        ({"options": {"maxiter": 0}}, ValueError, "maxiter"),
        ({"options": {"maxiter": -math.inf}}, TypeError, "maxiter must be an integer; got -inf"),
        ({"options": {"maxiter": math.nan}}, TypeError, "maxiter must be an integer; got nan"),
        ({"options": 3}, TypeError, "options must be a dict, not int"),
    ])  # fmt: skip
    def test_minimize_scalar(self, kw, error, words):
        with pytest.raises(error, match=words):
            minimize_scalar(quartic, **kw)

    def test_no_limit_of_iterations(self):
        for method in ("brent", "bounded", "golden"):
            bounds = {"bounds": (0.0, 3.0)} if method == "bounded" else {}
            expected = minimize_scalar(quartic, method=method, **bounds)
            assert minimize_scalar(quartic, method=method, options={"maxiter": math.inf}, **bounds).x == expected.x
        assert root_scalar(cubic, bracket=[0, 2], maxiter=math.inf).converged

    def test_an_unknown_option_is_warned_of(self):
        with pytest.warns(numopt.OptimizeWarning, match="foo"):
            assert minimize_scalar(quartic, options={"foo": 1}).success

    @pytest.mark.parametrize("value", ["a", 1j, None, [1.0, 2.0]])
    def test_values_that_are_no_numbers(self, value):
        with pytest.raises((TypeError, ValueError), match="must return a"):
            root_scalar(lambda x: value, bracket=[0, 1])
        with pytest.raises((TypeError, ValueError), match="must return a"):
            minimize_scalar(lambda x: value)

    def test_functions_that_do_not_compile(self):
        with pytest.raises(TypeError, match=r"f does not compile for \(x: float64\)") as caught:
            root_scalar(numba.njit(lambda x: x + "a"), bracket=[0, 1])
        assert "\n" not in str(caught.value)
        with pytest.raises(TypeError, match="fun must return a real number"):
            minimize_scalar(numba.njit(lambda x: (x, x)))
        with pytest.raises(TypeError, match="must return"):
            root_scalar(jitted_cubic, x0=1.0, fprime=True)

    def test_wrong_c_function(self):
        with pytest.raises(TypeError, match=r"double f\(double x\)"):
            root_scalar(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x), bracket=[0, 1])
        with pytest.raises(TypeError, match="callable"):
            root_scalar(3, bracket=[0, 1])

    @pytest.mark.parametrize("method", BRACKETS)
    def test_nan_and_maxiter_are_told(self, method):
        r = root_scalar(lambda x: x - 0.3 if abs(x) > 0.31 else math.nan, bracket=[-1, 1], method=method)
        assert not r.converged and r.status == ScalarStatus.NAN and "NaN" in r.flag
        r = root_scalar(cubic, bracket=[0, 2], method=method, maxiter=2)
        assert not r.converged and r.status == ScalarStatus.MAXITER and r.iterations == 2 and 0 <= r.root <= 2

    @pytest.mark.parametrize("method", BRACKETS)
    def test_ends_at_the_limits_of_the_numbers(self, method):
        r = root_scalar(lambda x: math.atan(x - 1), bracket=[-1.7e308, 1.7e308], method=method, maxiter=5000)
        assert r.converged and r.root == pytest.approx(1.0)
        for infinite in (lambda x: math.inf if x > 0.3 else -math.inf, lambda x: math.inf if x > 0.3 else -1.0):
            r = root_scalar(infinite, bracket=[-1, 1], method=method)
            assert not r.converged or r.root == pytest.approx(0.3)


def test_results_print_copy_pickle_and_are_scipys():
    r = root_scalar(cubic, bracket=[0, 2])
    assert isinstance(r, scipy.optimize.RootResults) and isinstance(r, numopt.RootResults)
    assert "root" in repr(r) and r["root"] == r.root
    for other in (copy.copy(r), pickle.loads(pickle.dumps(r))):
        assert dict(other) == dict(r) and type(other) is type(r)
    assert isinstance(minimize_scalar(quartic), scipy.optimize.OptimizeResult)


def test_disp(capsys):
    root_scalar(cubic, bracket=[0, 2], options={"disp": True})
    minimize_scalar(quartic, options={"disp": True})
    out = capsys.readouterr().out
    assert "brentq: converged" in out and "brent: " in out


class TestInsideCompiledCode:
    def test_roots(self):
        for method in BRACKETS:
            solve = jit_root_scalar(method)

            @numba.njit
            def run(a, solve=solve):
                return solve(jitted_cubic, 0.0, 3.0, (a,))

            root, status, iterations, calls = run(5.0)
            wanted = root_scalar(jitted_cubic, (5.0,), bracket=[0, 3], method=method)
            assert (root, status, calls, iterations) == (wanted.root, 0, wanted.function_calls, wanted.iterations)

    def test_from_a_point(self):
        newton, halley, secant = map(jit_root_scalar, ("newton", "halley", "secant"))

        @numba.njit
        def three(x):
            return jitted_cubic(x, 2.0), jitted_slope(x, 2.0), jitted_curvature(x, 2.0)

        @numba.njit
        def run():
            args = (2.0,)
            return (
                newton(jitted_cubic, 1.0, args, jitted_slope), newton(three, 1.0), halley(three, 1.0),
                halley(jitted_cubic, 1.0, args, jitted_slope, jitted_curvature),
                secant(jitted_cubic, 1.0, 2.0, args), secant(jitted_cubic, 1.0),
            )  # fmt: skip

        for root, status, iterations, calls in run():
            assert status == 0 and root == pytest.approx(2 ** (1 / 3)) and iterations <= calls < 20

    def test_minima(self):
        brent, golden, bounded = map(jit_minimize_scalar, ("brent", "golden", "bounded"))

        @numba.njit
        def run(a):
            args = (a,)
            return (
                brent(jitted_quartic, (0.0, 1.0), args), brent(jitted_quartic, (0.0, 1.1, 2.0), args),
                golden(jitted_quartic, (0.0, 1.0), args), bounded(jitted_quartic, (0.0, 2.0), args),
            )  # fmt: skip

        for (x, fx, status, nit, nfev), tol in zip(run(2.0), (1e-7, 1e-7, 1e-7, 1e-4), strict=True):
            assert status == 0 and abs(x - QUARTIC_MINIMUM) < tol and fx == jitted_quartic(x) and 0 < nit <= nfev
        wanted = minimize_scalar(jitted_quartic, (0.0, 1.0), args=(2.0,))
        assert run(2.0)[0][0] == wanted.x and run(2.0)[0][4] == wanted.nfev

    def test_failures_are_statuses(self):
        brentq, newton, brent = jit_root_scalar("brentq"), jit_root_scalar("newton"), jit_minimize_scalar("brent")

        @numba.njit
        def parabola(x):
            return x * x + 1.0, 2.0 * x

        @numba.njit
        def value(x):
            return x * x + 1.0

        @numba.njit
        def run():
            return (
                brentq(value, 0.0, 1.0)[1], newton(parabola, 0.0)[1], brent(value, (1.0, 2.0, 3.0))[2],
                brentq(value, -np.inf, 1.0)[1], newton(parabola, np.nan)[1],
            )  # fmt: skip

        S = ScalarStatus
        assert run() == (S.NO_SIGN_CHANGE, S.FLAT, S.NOT_A_BRACKET, S.BAD_INTERVAL, S.NAN)

    def test_in_parallel(self):
        brentq = jit_root_scalar("brentq", xtol=1e-14)

        @numba.njit(parallel=True)
        def roots(a):
            out = np.empty_like(a)
            for k in numba.prange(a.size):
                out[k] = brentq(jitted_cubic, 0.0, 10.0, (a[k],))[0]
            return out

        a = np.linspace(1.0, 900.0, 1000)
        assert np.allclose(roots(a), np.cbrt(a), rtol=0, atol=1e-13)

    def test_bad_input(self):
        for call, words in [
            (lambda: jit_root_scalar("nonsense"), "brentq"), (lambda: jit_root_scalar(xtol=-1.0), "xtol"),
            (lambda: jit_root_scalar(maxiter=0), "maxiter"), (lambda: jit_minimize_scalar("nonsense"), "golden"),
            (lambda: jit_minimize_scalar("brent", xtol=-1), "xtol"),
        ]:  # fmt: skip
            with pytest.raises(ValueError, match=words):
                call()
        with pytest.raises(TypeError, match="xatol"):
            jit_minimize_scalar("brent", xatol=1e-3)
