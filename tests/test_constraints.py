"""Constraints at the front door: what is accepted, what is refused, what comes back."""

import copy
import ctypes
import pickle
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from numba import carray, cfunc, njit, types
from scipy import optimize
from scipy.optimize import BFGS, LinearConstraint, NonlinearConstraint
from scipy.sparse import csr_matrix

import numopt
from numopt import Status, maximize, minimize
from numopt.kernels.oracle import void_pointer

# Hock & Schittkowski 71
START, SOLUTION, VALUE = [1.0, 5.0, 5.0, 1.0], [1.0, 4.74299964, 3.82114998, 1.37940829], 17.0140172892
BOX = [(1.0, 5.0)] * 4
MULTIPLIERS, OF_BOUNDS = [0.55229366, -0.16146857], [1.08787123, 0.0, 0.0, 0.0]


def fun(x):
    return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]


def grad(x):
    s = x[0] + x[1] + x[2]
    return np.array([x[3] * (x[0] + s), x[0] * x[3], x[0] * x[3] + 1.0, x[0] * s])


def hess(x):
    a, b = x[3], 2.0 * x[0] + x[1] + x[2]
    return np.array([
        [2.0 * a, a, a, b], [a, 0.0, 0.0, x[0]], [a, 0.0, 0.0, x[0]], [b, x[0], x[0], 0.0]
    ])  # fmt: skip


def con(x):
    return np.array([x[0] * x[1] * x[2] * x[3], x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2])


def con_jac(x):
    a, b, c, d = x
    return np.array([[b * c * d, a * c * d, a * b * d, a * b * c], [2.0 * a, 2.0 * b, 2.0 * c, 2.0 * d]])


def con_hess(x, v):
    H = np.zeros((4, 4))
    for i in range(4):
        H[i, i] = 2.0 * v[1]
        for j in range(4):
            if i != j:
                product = v[0]
                for k in range(4):
                    if k not in (i, j):
                        product *= x[k]
                H[i, j] = product
    return H


def product(x, least):
    return x[0] * x[1] * x[2] * x[3] - least


def product_jac(x, least):
    a, b, c, d = x
    return np.array([b * c * d, a * c * d, a * b * d, a * b * c])


def sphere(x):
    return (x * x).sum() - 40.0


def sphere_jac(x):
    return 2.0 * x


@njit
def con_jac_jitted(x):
    a, b, c, d = x[0], x[1], x[2], x[3]
    return np.array([[b * c * d, a * c * d, a * b * d, a * b * c], [2.0 * a, 2.0 * b, 2.0 * c, 2.0 * d]])


@njit
def con_hess_jitted(x, v):
    H = np.zeros((4, 4))
    for i in range(4):
        H[i, i] = 2.0 * v[1]
        for j in range(4):
            if i != j:
                product = v[0]
                for k in range(4):
                    if k != i and k != j:
                        product *= x[k]
                H[i, j] = product
    return H


JITTED_FUN, JITTED_GRAD = njit(fun), njit(grad)
JITTED = {"fun": JITTED_FUN, "grad": JITTED_GRAD, "hess": njit(hess), "con": njit(con), "con_jac": con_jac_jitted,
          "con_hess": con_hess_jitted}  # fmt: skip
PAIR = njit(lambda x: (JITTED_FUN(x), JITTED_GRAD(x)))
PYTHON = {"fun": fun, "grad": grad, "hess": hess, "con": con, "con_jac": con_jac, "con_hess": con_hess}
MIXED = {**JITTED, "grad": grad, "con_jac": con_jac}
LIMITS = [25.0, 40.0], [np.inf, 40.0]
DICTIONARIES = [
    {"type": "ineq", "fun": product, "jac": product_jac, "args": (25.0,), "name": "product"},
    {"type": "eq", "fun": sphere, "jac": sphere_jac, "name": "sphere"},
]


def solve(of=PYTHON, jac=None, con_jac=None, hess=None, con_hess=None, con_fun=None, **more):
    """Problem 71 with the functions of a kind; ``jac``, ...: a key of theirs, or what else to give."""
    pick = lambda what: of.get(what, what) if isinstance(what, str) else what  # noqa: E731
    constraints = NonlinearConstraint(
        con_fun or of["con"], *LIMITS, jac=pick(con_jac or "con_jac"), hess=pick(con_hess) or BFGS()
    )
    return minimize(of["fun"], START, jac=pick(jac or "grad"), hess=pick(hess), bounds=BOX, constraints=constraints,
                    **more)  # fmt: skip


def check(result, tol=1e-6):
    """Whether this is the solution, with its multipliers."""
    assert result.success and result.status is Status.KKT
    assert np.allclose(result.x, SOLUTION, atol=tol) and np.isclose(result.fun, VALUE, atol=10 * tol)
    assert np.allclose(np.concatenate(result.multipliers), MULTIPLIERS, atol=100 * tol)
    assert np.allclose(result.bound_multipliers, OF_BOUNDS, atol=100 * tol)
    assert result.constr_violation <= 1e-6 and result.optimality <= 1e-6
    assert result.active_mask.tolist() == [-1, 0, 0, 0]


class TestCallables:
    @pytest.mark.parametrize("of", [PYTHON, JITTED, MIXED], ids=["python", "jitted", "mixed"])
    def test_kinds(self, of):
        result = solve(of)
        check(result)
        assert result.nfev <= 10 and result.nhev == 0 and result.constr_nfev >= result.nfev
        assert np.allclose(result.constr[0], con(result.x), rtol=1e-14)
        exact = solve(of, hess="hess", con_hess="con_hess")
        check(exact, 1e-8)
        assert exact.nhev > 0

    def test_value_and_gradient_in_one(self):
        rows = NonlinearConstraint(con, *LIMITS, jac=con_jac, hess=con_hess)
        both = lambda x: (fun(x), grad(x))  # noqa: E731
        for of, second in ((both, None), (both, hess), (PAIR, None), (PAIR, JITTED["hess"])):
            result = minimize(of, START, jac=True, hess=second, bounds=BOX, constraints=rows)
            check(result)
            assert result.nfev == result.njev and (result.nhev > 0) == (second is not None)
        products = minimize(fun, START, jac=grad, hessp=lambda x, v: hess(x) @ v, bounds=BOX, constraints=rows)
        check(products)
        assert products.nhev > 0
        with pytest.warns(numopt.OptimizeWarning, match="method 'projected-gradient' makes no use of hess"):
            minimize(fun, START, jac=grad, hess=hess, bounds=BOX, method="projected-gradient", options={"maxiter": 1})

    def test_the_same_path_whatever_the_kind(self):
        results = [solve(of, hess="hess", con_hess="con_hess") for of in (PYTHON, JITTED, MIXED)]
        for other in results[1:]:
            assert np.allclose(other.x, results[0].x, rtol=1e-13)
            assert all(other[name] == results[0][name] for name in ("nit", "nfev", "constr_nfev", "nhev"))

    @pytest.mark.parametrize("of", [PYTHON, JITTED], ids=["python", "jitted"])
    @pytest.mark.parametrize("scheme", ["2-point", "3-point", "cs"])
    def test_jacobians_by_differences(self, of, scheme):
        check(solve(of, con_jac=scheme), 1e-5)
        if not (scheme == "cs" and of is JITTED):  # seconds of compiling, for what other tests see
            check(solve(of, jac=scheme), 1e-5)

    def test_hessians_by_differences(self):
        # of the constraints, whose Jacobian is exact; not of those made of differences themselves
        result = solve(JITTED, hess="hess")
        check(result, 1e-7)
        assert result.nhev > 0 and result.constr_njev > 2 * result.nhev
        assert solve(JITTED, hess="hess", con_jac="2-point").nhev == 0
        assert solve(JITTED, hess=BFGS(), con_hess="con_hess").nhev == 0
        check(solve(JITTED, hess="2-point", con_hess="2-point"), 1e-6)

    def test_c_functions(self):
        word = types.intp

        @cfunc(types.float64(word, word, word, word, word))
        def values(xp, cp, n, m, data):
            x = carray(void_pointer(xp), (n,), types.float64)
            c = carray(void_pointer(cp), (m,), types.float64)
            c[0] = x[0] * x[1] * x[2] * x[3]
            c[1] = x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2
            return 0.0

        pointer = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 5)(values.address)
        for function in (values, pointer):
            check(solve(JITTED, con_fun=function, con_jac="3-point"), 1e-6)
        with pytest.raises(TypeError, match=r"constraints: jac must be a C function .* takes 5 arguments"):
            solve(JITTED, con_jac=ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t)(lambda a: 0.0))

    def test_dictionaries_whose_functions_return_numbers(self):
        for constraints in (DICTIONARIES, tuple(DICTIONARIES)):
            result = minimize(fun, START, jac=grad, bounds=BOX, constraints=constraints)
            check(result)
            assert [c.shape for c in result.constr] == [(1,), (1,)]
        jitted = [{**con, "fun": njit(con["fun"]), "jac": njit(con["jac"])} for con in (
            {"type": "ineq", "fun": lambda x: x[0] * x[1] * x[2] * x[3] - 25.0, "jac": lambda x: x[::-1] * 0.0 + 1.0},
            DICTIONARIES[1],
        )]  # fmt: skip
        jitted[0].pop("jac")  # by differences
        check(minimize(JITTED["fun"], START, jac=JITTED["grad"], bounds=BOX, constraints=jitted), 1e-5)

    def test_arguments_of_jitted_constraints(self):
        constraints = {"type": "ineq", "fun": njit(lambda x, a, b: a @ x - b), "args": (np.array([1.0, 2.0]), 4.0)}
        result = minimize(lambda x: x @ x, [3.0, 3.0], constraints=constraints)
        assert np.allclose(result.x, [0.8, 1.6], atol=1e-5) and np.allclose(result.multipliers[0], 1.6, atol=1e-4)

    def test_sparse_jacobians_of_python_callables(self):
        check(solve(con_jac=lambda x: csr_matrix(con_jac(x))))

    def test_only_the_inner_side_of_bounds_is_evaluated(self):
        def within(f):
            def checked(x):
                assert ((x >= 1.0) & (x <= 5.0)).all()
                return f(x)

            return checked

        result = minimize(within(fun), START, bounds=BOX, constraints=NonlinearConstraint(within(con), *LIMITS))
        check(result, 1e-4)

    def test_arrays_handed_to_callables_are_copies(self):
        def spoiled(f):
            def spoils(x):
                value = f(x)
                x[:] = 1e3
                return value

            return spoils

        of = {name: spoiled(f) for name, f in PYTHON.items() if name != "con_hess"}
        assert np.array_equal(solve(of).x, solve().x)

    def test_another_function_of_the_same_kind_is_not_taken_for_the_first(self):
        for r in (1.0, 2.0, 3.0):
            circle = NonlinearConstraint(lambda x, r=r: x @ x - r * r, -np.inf, 0.0, jac=lambda x: 2.0 * x)
            result = minimize(lambda x: x.sum(), [0.1, 0.2], jac=lambda x: np.ones(2), constraints=circle)
            assert np.allclose(result.x, -r / np.sqrt(2.0), atol=1e-6)

    def test_another_method_is_not_taken_for_the_first(self):
        paths = [(solve(method=name).nit, solve(method=name).nit) for name in ("sqp", "interior-point")]
        assert paths[0][0] == paths[0][1] != paths[1][0] == paths[1][1]


def bowl(x):
    return ((x - 1.0) ** 2).sum()


def bowl_grad(x):
    return 2.0 * (x - 1.0)


ABOVE = {"type": "ineq", "fun": lambda x: x[0] - 2.0}


def refused(error, words, constraints=(), x0=(0.5, 0.5), **more):
    with pytest.raises(error, match=words) as caught:
        minimize(bowl, list(x0), constraints=constraints, **more)
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)
    return caught.value


class TestBadInput:
    @pytest.mark.parametrize(
        ("constraints", "error", "words"),
        [
            (3, TypeError, "constraints must be .*; got int"),
            ([3], TypeError, r"constraints\[0\] must be one of .*; got int"),
            ({"a": 3}, TypeError, r"constraints\['a'\] must be one of .*; got int"),
            ([ABOVE, {"type": "eq"}], ValueError, r"constraints\[1\]: the key 'fun' is missing"),
            ({"fun": bowl}, ValueError, "constraints: the key 'type' is missing"),
            ({"type": "eq", "fun": bowl, "jacobian": 1}, ValueError, r"'jacobian' \(did you mean 'jac'\?\); accepted"),
            ({"type": "le", "fun": bowl}, ValueError, r"'type' must be 'eq' \(fun = 0\) or 'ineq' .*; got 'le'"),
            ({"type": "eq", "fun": 3}, TypeError, "constraints: fun must be callable or a C function pointer, not int"),
            ({"type": "eq", "fun": bowl, "jac": "4-point"}, ValueError, "jac='4-point' is not known; accepted are"),
            ({"type": "eq", "fun": bowl, "jac": 3}, TypeError, "jac must be callable, '2-point', .*not 3"),
            ({"type": "eq", "fun": bowl, "hess": 3}, TypeError, "hess must be callable"),
            ({"type": "eq", "fun": bowl, "name": 3}, TypeError, "'name' must be a string"),
            (optimize.Bounds(0, 1), TypeError, "bounds of the variables are an argument of their own, bounds="),
            (NonlinearConstraint(bowl, 2, 1), ValueError, "the lower limit exceeds the upper one; got 2 and 1"),
            ([ABOVE, NonlinearConstraint(np.sin, [0, 2], [1, 1])], ValueError, r"\[1\]: the lower .* in row 1; got 2"),
            (NonlinearConstraint(bowl, np.nan, 1), ValueError, "constraints: lb is NaN"),
            (NonlinearConstraint(bowl, -np.inf, np.inf), ValueError, "infinite on both sides; leave it out"),
            (NonlinearConstraint(bowl, np.inf, np.inf), ValueError, "lb is inf, which nothing satisfies"),
            (NonlinearConstraint(bowl, "a", 1), ValueError, "lb must be a number or a vector of numbers; got 'a'"),
            (NonlinearConstraint(np.sin, [0, 0, 0], 1), ValueError, r"lb must .* have length 2.*shape \(3,\)"),
            (NonlinearConstraint(np.diag, 0, 1), ValueError, r"must return a number or a vector.*\(2, 2\)"),
            (NonlinearConstraint(lambda x: 1j * x, 0, 1), TypeError, "must return real numbers; it returned complex"),
            (LinearConstraint([[1, 2, 3]], 0, 1), ValueError, r"A must have 2 columns.*got shape \(1, 3\)"),
            (LinearConstraint([[1, np.inf]], 0, 1), ValueError, r"A must be finite; A\[0, 1\] is inf"),
            (NonlinearConstraint(np.sin, 0, 1, keep_feasible=[True] * 3), ValueError, "keep_feasible must be"),
            (LinearConstraint(np.eye(2), 2, 3, keep_feasible=True), ValueError,
             r"with keep_feasible x0 must satisfy it in row 0; there it is 0.5, outside of \(2, 3\)"),
            (NonlinearConstraint(np.sin, 0, 1, jac=lambda x: np.ones((3, 2))), ValueError,
             r"constraints: jac must return an array of shape \(2, 2\); it returned shape \(3, 2\)"),
            (LinearConstraint([[1, 0], [0, 1], [1, 1]], [0, 0, 5], [0, 0, 5]), ValueError,
             r"more equality constraints \(3 rows\) than variables that are free to move \(2\)"),
        ],
    )  # fmt: skip
    def test_constraints(self, constraints, error, words):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refused(error, words, constraints)

    def test_methods(self):
        refused(ValueError, "method 'bfgs' takes no constraints; those that do are .*'sqp'", ABOVE, method="bfgs")
        refused(ValueError, "unknown method 'sqqp'", ABOVE, method="sqqp")
        refused(ValueError, "unknown method 'COBYLA'; with constraints leave method out", ABOVE, method="COBYLA")
        refused(TypeError, "method must be a string", ABOVE, method=3)
        refused(ValueError, "'lagrange-newton' takes equality constraints only, and constraints is an inequality",
                ABOVE, method="lagrange-newton")  # fmt: skip
        refused(ValueError, "'lagrange-newton' takes no bounds", {"type": "eq", "fun": bowl}, method="lagrange-newton",
                bounds=[(0, 1)] * 2)  # fmt: skip
        refused(ValueError, "'projected-gradient' takes bounds, bounds and one linear", ABOVE,
                method="projected-gradient")  # fmt: skip
        with pytest.warns(numopt.OptimizeWarning, match=r"'ctol' for method 'bfgs' .* one of 'sqp'"):
            minimize(bowl, [0.0, 0.0], method="bfgs", options={"ctol": 1.0})
        with pytest.raises(ValueError, match=r"'sqp' is one for problems with constraints; numopt\.minimize takes it"):
            numopt.minimize_batch(JITTED["fun"], [START], method="sqp")

    def test_options(self):
        refused(TypeError, "options must be a dict", ABOVE, options=3)
        refused(ValueError, "option 'ctol' must be at least 0", ABOVE, options={"ctol": -1.0})
        refused(TypeError, "'jac' is an argument, not an option", ABOVE, options={"jac": 3})
        for options, words in (
            ({"gtoll": 1.0}, r"unknown option 'gtoll' for method 'sqp' .*did you mean 'gtol'"),
            ({"barrier_tol": 1.0}, "option 'barrier_tol' has no equal in method 'sqp' and is ignored"),
            ({"c1": 0.1}, "unknown option 'c1' for method 'sqp' is ignored; it is one of methods without constraints"),
        ):
            for _ in range(2):
                with pytest.warns(numopt.OptimizeWarning, match=words):
                    assert minimize(bowl, [3.0, 3.0], constraints=ABOVE, options=options).success

    def test_options_of_scipys_methods(self):
        for _ in range(2):
            with pytest.warns(numopt.OptimizeWarning, match="'xtol' is ignored: scipy's 'xtol' of trust-constr"):
                check(solve(method="trust-constr", options={"xtol": 1e-1, "gtol": 1e-8}), 1e-5)
        assert solve(method="interior-point", options={"xtol": 1e-1, "gtol": 1e-8}).status is Status.XTOL
        check(solve(method="trust-constr", options={"verbose": 0}), 1e-5)
        check(solve(method="SLSQP", options={"ftol": 1e-14, "maxiter": 100, "disp": False}), 1e-5)
        assert solve(method="SLSQP", options={"ftol": 1e-2, "ctol": 1e-2}).status is Status.FTOL

    def test_bounds(self):
        refused(ValueError, r"bounds: the lower bound of x\[1\], 2, exceeds", ABOVE, bounds=[(0, 1), (2, 1)])
        with pytest.warns(numopt.OptimizeWarning, match=r"x0\[0\] = 0.5 is outside of its bounds"):
            assert minimize(bowl, [0.5, 0.5], constraints=ABOVE, bounds=[(1, 9)] * 2).success

    def test_a_constraint_whose_length_changes(self):
        for of in (PYTHON, JITTED):
            changing = Changing(con, 3) if of is PYTHON else njit(lambda x: x[: 2 if x[1] == 5.0 else 1] * 1.0)
            with pytest.raises(ValueError, match=r"constraints: fun must always return 2 values; .*shape \(1,\)"):
                solve(of, con_fun=changing, con_jac="2-point")

    def test_the_best_point_comes_with_the_exception(self):
        calls = []

        def fails(x):
            calls.append(1)
            if len(calls) == 4:
                raise RuntimeError("no more")
            return con(x)

        with pytest.raises(RuntimeError, match="no more") as caught:
            solve(con_fun=fails)
        result = caught.value.result
        assert result.status is Status.FAILED and not result.success and result.nfev >= 3 and np.isfinite(result.fun)

    def test_nan(self):
        result = minimize(lambda x: x[0] * np.nan, [0.5, 0.5], jac=bowl_grad, constraints=ABOVE)
        assert (
            result.status is Status.NAN
            and not result.success
            and result.message == ("Failed: fun is NaN or infinite at the start.")
        )
        bad = {"type": "ineq", "fun": lambda x: np.log(-x[0]), "jac": lambda x: [1.0 / x[0], 0.0]}
        with np.errstate(invalid="ignore"):
            result = minimize(bowl, [0.5, 0.5], jac=bowl_grad, constraints=[ABOVE, bad])
        assert result.status is Status.NAN and "constraints[1]: fun is NaN or infinite at the start" in result.message
        # midway: a step back from it
        log = lambda x: np.log(x[0]) if x[0] > 0 else np.nan  # noqa: E731
        barrier = {"type": "ineq", "fun": log, "jac": lambda x: [1 / x[0], 0]}
        assert minimize(bowl, [9.0, 9.0], jac=bowl_grad, constraints=barrier).success

    def test_x0_may_be_infeasible(self):
        assert np.allclose(minimize(bowl, [-5.0, 0.5], constraints=ABOVE).x, [2.0, 1.0], atol=1e-5)


class Changing:
    """A function whose values become fewer from the k-th call on."""

    def __init__(self, f, k):
        self.f, self.left = f, k

    def __call__(self, x):
        self.left -= 1
        return self.f(x) if self.left > 0 else self.f(x)[:1]


class TestVerdicts:
    def test_linear_rows_that_contradict_each_other_are_named(self):
        last = LinearConstraint([[0.0, 1.0], [1.0, 0.0]], -9.0, [9.0, 1.0])
        rows = [LinearConstraint([[1.0, 1.0]], 3.0, np.inf), ABOVE, last]
        result = minimize(bowl, [0.5, 0.5], constraints=rows, bounds=[(None, None), (None, 1.5)])
        assert result.status is Status.INFEASIBLE and not result.success and result.constr_violation > 0.1
        assert result.message == (
            "Failed: these constraints have no common point: constraints[0], constraints[2], row 1, the bounds of x[1]."
        )

    def test_redundant_equalities(self):
        A = np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]])
        result = minimize(bowl, [5.0, 0.0], constraints={"line": LinearConstraint(A, [3, 6, 3], [3, 6, 3])})
        assert result.success and np.allclose(result.x, 1.5, atol=1e-5)
        assert result.constr["line"].shape == (3,) and np.allclose(result.constr["line"], [3, 6, 3])
        assert np.allclose(result.multipliers["line"], [1.0, 0.0, 0.0], atol=1e-4)
        crossed = LinearConstraint(A, [3, 6, 4], [3, 6, 4])
        assert minimize(bowl, [5.0, 0.0], constraints=crossed).status is Status.INFEASIBLE

    def test_fixed_variables(self):
        for of in (PYTHON, JITTED):
            constraints = {"all": NonlinearConstraint(of["con"], *LIMITS, jac=of["con_jac"], hess=of["con_hess"]),
                           "sum": LinearConstraint(np.ones((1, 4)), 0.0, 20.0)}  # fmt: skip
            for second in (None, of["hess"]):
                result = minimize(of["fun"], START, jac=of["grad"], hess=second, constraints=constraints,
                                  bounds=[(1.0, 1.0), *BOX[1:]])  # fmt: skip
                assert result.success and result.x[0] == 1.0 and np.allclose(result.x, SOLUTION, atol=1e-6)
                assert np.allclose(result.multipliers["all"], MULTIPLIERS, atol=1e-5) and result.active_mask[0] == 2
                assert np.isnan(result.bound_multipliers[0]) and np.isnan(result.jac[0])
                assert np.allclose(result.constr["sum"], sum(SOLUTION), atol=1e-6)
            by_differences = NonlinearConstraint(of["con"], *LIMITS)
            result = minimize(of["fun"], START, constraints=by_differences, bounds=[(1.0, 1.0), *BOX[1:]])
            assert result.success and np.allclose(result.x, SOLUTION, atol=1e-5)

    def test_all_variables_fixed(self):
        for value, status in ((2.0, Status.KKT), (1.0, Status.INFEASIBLE)):
            result = minimize(bowl, [value, value], constraints=ABOVE, bounds=[(value, value)] * 2)
            assert result.status is status and result.nfev == 1 and result.x.tolist() == [value] * 2
            assert result.active_mask.tolist() == [2, 2] and result.fun == bowl(result.x)

    def test_bounds_or_nothing_at_all(self):
        result = minimize(bowl, [3.0, 3.0], method="sqp", bounds=[(2, None), (None, None)])
        assert result.success and np.allclose(result.x, [2, 1], atol=1e-5) and result.constr == []
        assert np.allclose(result.bound_multipliers, [2.0, 0.0], atol=1e-4) and result.multipliers == []
        assert np.allclose(minimize(bowl, [3.0, 3.0], method="SLSQP").x, 1.0, atol=1e-5)

    def test_keep_feasible(self):
        seen = []

        def root(x):
            seen.append(x.copy())
            assert x @ x <= 4.0 + 1e-12
            return -np.sqrt(max(4.0 - x @ x, 0.0)) + x[0]

        inside = NonlinearConstraint(lambda x: x @ x, -np.inf, 3.0, jac=lambda x: 2.0 * x, keep_feasible=True)
        result = minimize(root, [1.0, 1.0], jac=lambda x: x / np.sqrt(4.0 - x @ x) + [1.0, 0.0], constraints=inside)
        assert result.success and len(seen) == result.nfev

    def test_sets(self):
        for method in ("projected-gradient", "sqp"):
            simplex = minimize(lambda x: ((x - [2.0, 0.0, 1.5]) ** 2).sum(), [0.2, 0.3, 0.5], method=method,
                               constraints=numopt.Simplex())  # fmt: skip
            assert simplex.success and np.allclose(simplex.x, [0.75, 0.0, 0.25], atol=1e-5)
            ball = minimize(lambda x: x.sum(), [0.1, 0.0], method=method, constraints=numopt.Ball(2.0, [1.0, 0.0]))
            assert ball.success and np.allclose(ball.x, [1 - np.sqrt(2), -np.sqrt(2)], atol=1e-5)
            assert np.allclose(ball.multipliers[0], -1.0 / np.sqrt(8.0), atol=1e-4)

    def test_a_simplex_in_an_iterator(self):
        result = minimize(lambda x: x[0] + 2.0 * x[1], [0.5, 0.5], constraints=iter([numopt.Simplex()]))
        assert result.success and np.allclose(result.x, [1.0, 0.0]) and result.bound_multipliers[1] > 0.5


class TestResult:
    def test_names(self):
        named = {"product": DICTIONARIES[0], "sphere": DICTIONARIES[1]}
        result = minimize(fun, START, jac=grad, bounds=BOX, constraints=named)
        assert list(result.multipliers) == ["product", "sphere"] and result.constr["sphere"].shape == (1,)
        assert np.allclose(result.multipliers["product"], MULTIPLIERS[0], atol=1e-5)
        assert minimize(bowl, [0.0, 0.0], constraints={}).status is Status.GRADIENT  # none at all

    def test_keys_go_before_the_names_in_dictionaries(self):
        named = minimize(fun, START, jac=grad, bounds=BOX,
                         constraints={"a": DICTIONARIES[0], "b": {**DICTIONARIES[1], "name": "product"}})  # fmt: skip
        assert list(named.multipliers) == list(named.constr) == ["a", "b"] and "\na " in named.report()
        assert np.allclose(named.multipliers["b"], MULTIPLIERS[1], atol=1e-5)

    def test_report(self):
        result = minimize(fun, START, jac=grad, bounds=BOX, constraints=DICTIONARIES)
        lines = [line.split() for line in result.report().splitlines()]
        rows = {line[0]: line[1:] for line in lines[4:]}
        assert set(rows) == {"constraint", "product", "sphere", "x[0]"}
        assert rows["product"][-3:] == ["0.552294", "at", "lower"] or "at lower" in " ".join(rows["product"])
        assert "equality" in rows["sphere"] and rows["x[0]"][:3] == ["1", "1", "5"]
        assert "violation" in lines[2] and lines[0][0] == "Converged:"
        for other in (copy.copy(result), pickle.loads(pickle.dumps(result))):
            assert other.report() == result.report() and isinstance(other, optimize.OptimizeResult)
        rows = NonlinearConstraint(con, *LIMITS)
        cut = minimize(fun, START, jac=grad, bounds=BOX, constraints={"two rows": rows}, options={"maxiter": 0})
        assert "two rows[1]" in cut.report() and "1.2e+01" in cut.report()  # 52 in place of 40
        none = minimize(bowl, [3.0, 3.0], method="sqp").report()
        assert none.endswith("no constraint, and no bound is active")

    def test_report_calls_no_row_active_that_has_room_on_one_side_and_no_limit_on_the_other(self):
        free = {"free": {"type": "ineq", "fun": lambda x: x[0] + 5.0}}
        assert "at" not in minimize(bowl, [3.0, 3.0], constraints=free).report().splitlines()[-1]

    def test_multipliers_are_derivatives_of_the_least_value(self):
        def least(a, b):
            rows = NonlinearConstraint(JITTED["con"], [25.0 + a, 40.0], [np.inf, 40.0], jac=JITTED["con_jac"])
            return minimize(JITTED["fun"], START, jac=JITTED["grad"], bounds=[(1.0 + b, 5.0), *BOX[1:]],
                            constraints=rows, options={"gtol": 1e-9}).fun  # fmt: skip

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # x0 is at the bound that moves
            h = 1e-4
            assert np.isclose((least(h, 0.0) - least(-h, 0.0)) / (2 * h), MULTIPLIERS[0], rtol=1e-4)
            assert np.isclose((least(0.0, h) - least(0.0, -h)) / (2 * h), OF_BOUNDS[0], rtol=1e-4)

    def test_history_and_all_points(self):
        result = solve(options={"history": True, "return_all": True})
        assert result.history.dtype.names == ("f", "gnorm", "step", "nfev", "seconds", "violation")
        assert len(result.history) == len(result.allvecs) == result.nit + 1
        assert result.history["violation"][0] == 0.3 and result.history["f"][-1] == result.fun  # 52 beside 40

    def test_display(self, capsys):
        solve(options={"disp": True})
        out = capsys.readouterr().out
        assert "Converged: the KKT conditions hold" in out and "constraint[1]" in out

    def test_a_scipy_method_of_its_own(self):
        theirs = optimize.minimize(fun, START, jac=grad, bounds=BOX, constraints=DICTIONARIES,
                                   method=numopt.scipy_method("sqp"))  # fmt: skip
        check(theirs)


def test_python_functions_in_dictionaries_need_neither_numba_nor_scipy():
    code = (
        "import sys, numopt\n"
        "con = {'type': 'eq', 'fun': lambda x: x[0] + x[1] - 1.0}\n"
        "assert numopt.minimize(lambda x: (x**2).sum(), [3.0, 2.0], constraints=con, bounds=[(0, 9)] * 2).success\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'scipy', 'numba', 'sklearn'}))"
    )
    for _ in range(2):  # the first compiles what is missing
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert out.stdout.strip() == "[]", out.stderr


class TestRuns:
    def test_callback(self):
        seen = []

        def look(intermediate_result):
            seen.append(intermediate_result)
            if len(seen) == 3:
                raise StopIteration

        result = solve(callback=look)
        assert result.status is Status.CALLBACK and result.nit == 3 and not result.success
        assert seen[-1].constr_violation >= 0.0 and np.isfinite(seen[-1].fun)
        points = []
        assert solve(callback=points.append).nit == len(points)
        with pytest.raises(ZeroDivisionError) as caught:
            solve(callback=lambda x: 1 / 0)
        assert caught.value.result.nit == 1

    def test_callback_of_trust_constr(self):
        seen = []

        def look(x, state):
            seen.append((x, state))
            return state.nit == 2

        result = solve(callback=look)
        assert result.status is Status.CALLBACK and result.nit == len(seen) == 2
        assert np.array_equal(seen[1][0], seen[1][1].x) and seen[1][1].constr_violation >= 0.0

    def test_ctrl_c(self):
        def interrupts(x):
            signal.raise_signal(signal.SIGINT)
            return con(x)

        with pytest.raises(KeyboardInterrupt) as caught:
            solve(con_fun=Later(interrupts, con, 3))
        assert caught.value.result.status is Status.INTERRUPTED and caught.value.result.nfev >= 2

    def test_limits(self):
        assert solve(options={"max_time": 0.0}).status is Status.MAX_TIME
        result = solve(options={"maxiter": 2})
        assert result.status is Status.MAXITER and result.nit == 2 and not result.success
        result = solve(options={"maxfev": 3})
        assert result.status is Status.MAXFEV and result.nfev == 3 and np.isfinite(result.optimality)

    @pytest.mark.parametrize("exact", [False, True])
    def test_resume(self, exact, tmp_path):
        functions = {"jac": grad, "hess": hess if exact else None}
        constraints = [NonlinearConstraint(con, *LIMITS, jac=con_jac, hess=con_hess)]
        whole = minimize(fun, START, bounds=BOX, constraints=constraints, **functions)
        part = minimize(fun, START, bounds=BOX, constraints=constraints, options={"maxiter": 2}, **functions)
        part.save(tmp_path / "run")
        for state in (part, tmp_path / "run", copy.deepcopy(part)):
            result = numopt.resume(state, fun, constraints=constraints, options={"maxiter": 100}, **functions)
            assert np.array_equal(result.x, whole.x) and result.fun == whole.fun and result.nit == whole.nit
            assert np.array_equal(result.multipliers[0], whole.multipliers[0]) and result.success
        still = numopt.resume(part, fun, constraints=constraints, **functions)
        assert still.status is Status.MAXITER and still.nit == 2 and np.array_equal(still.x, part.x)
        cut = minimize(fun, START, bounds=BOX, constraints=constraints, options={"maxfev": 4}, **functions)
        result = numopt.resume(cut, fun, constraints=constraints, options={"maxfev": 100}, **functions)
        assert np.array_equal(result.x, whole.x) and result.nit == whole.nit

    def test_resume_of_what_it_is_not(self):
        part = minimize(fun, START, jac=grad, bounds=BOX, constraints=DICTIONARIES, options={"maxiter": 1})
        with pytest.raises(ValueError, match="constraints must be those of the saved run; their numbers of rows were"):
            numopt.resume(part, fun, jac=grad)
        other = [{**DICTIONARIES[0], "type": "eq"}, DICTIONARIES[1]]
        with pytest.raises(ValueError, match="constraints must be those of the saved run; their upper limits were"):
            numopt.resume(part, fun, jac=grad, constraints=other)
        free = minimize(bowl, [3.0, 3.0], options={"maxiter": 1})
        with pytest.raises(TypeError, match="the state is of a run without constraints"):
            numopt.resume(free, bowl, constraints=ABOVE)

    def test_fixed_variables_in_a_saved_run(self, tmp_path):
        problem = {"jac": grad, "constraints": NonlinearConstraint(con, *LIMITS, jac=con_jac)}
        bounds = [(1.0, 1.0), *BOX[1:]]
        whole = minimize(fun, START, bounds=bounds, **problem)
        part = minimize(fun, START, bounds=bounds, options={"maxiter": 1}, **problem)
        part.save(tmp_path / "run.npz")
        result = numopt.resume(tmp_path / "run", fun, options={"maxiter": 100}, **problem)
        assert np.array_equal(result.x, whole.x) and result.success


class Later:
    """One function up to the k-th call, then another."""

    def __init__(self, then, first, k):
        self.then, self.first, self.left = then, first, k

    def __call__(self, x):
        self.left -= 1
        return self.first(x) if self.left > 0 else self.then(x)


class TestMaximize:
    def test_constraints(self):
        line = {"type": "eq", "fun": lambda x: x[0] - x[1]}
        result = maximize(lambda x: 10 - (x[0] - 2) ** 2 - (x[1] - 1) ** 2, [0.0, 0.0], constraints=line)
        assert result.success and np.allclose(result.x, 1.5, atol=1e-5) and np.isclose(result.fun, 9.5)
        assert np.allclose(result.multipliers[0], 1.0, atol=1e-5) and np.allclose(result.jac, [1.0, -1.0], atol=1e-5)
        for of in (PYTHON, JITTED):
            rows = NonlinearConstraint(of["con"], [-np.inf, 40.0], [25.0, 40.0], jac=of["con_jac"], hess=of["con_hess"])
            least = minimize(lambda x: -fun(x), START, jac=lambda x: -grad(x), bounds=BOX, constraints=rows)
            for second in (None, of["hess"]):
                most = maximize(of["fun"], START, jac=of["grad"], hess=second, bounds=BOX, constraints=rows,
                                options={"history": True})  # fmt: skip
                assert most.success and np.allclose(most.x, least.x, atol=1e-5) and np.isclose(most.fun, -least.fun)
                assert np.allclose(most.multipliers[0], -least.multipliers[0], atol=1e-4)
                assert most.history["f"][-1] == most.fun
                found = numopt.kkt(of["fun"], most, jac=of["grad"], bounds=BOX, constraints=rows, maximize=True)
                assert found.holds(1e-5) and np.allclose(found.multipliers[0], most.multipliers[0], atol=1e-4)

    @pytest.mark.parametrize("method", [None, "l-bfgs-b", "nelder-mead", "trust-exact", "newton", "adam", "powell"])
    def test_every_kind_of_method(self, method):
        bounds = None if method in ("trust-exact", None) else [(-1, 0.5), (-1, 2)]
        jac = None if method in ("nelder-mead", "powell") else lambda x: -bowl_grad(x)
        seen = []
        result = maximize(lambda x: 3.0 - bowl(x), [0.0, 0.0], jac=jac, method=method, bounds=bounds,
                          options={"history": True, "maxiter": 20000, **({"step": 0.1} if method == "adam" else {})},
                          callback=lambda intermediate_result: seen.append(intermediate_result.fun))  # fmt: skip
        expected = 3.0 if bounds is None else 2.75
        assert np.isclose(result.fun, expected, atol=1e-6) and np.isclose(seen[-1], expected, atol=1e-6)
        assert np.isclose(result.history["f"][-1], expected, atol=1e-6)
        if bounds is not None and jac is not None:
            # at an upper bound of a maximum: what the value gains when it gives way
            assert np.allclose(result.bound_multipliers, [1.0, 0.0], atol=1e-4)
            assert np.allclose(result.jac, [1.0, 0.0], atol=1e-4)

    def test_an_objective_without_a_limit(self):
        result = maximize(lambda x: x[0], [0.0, 0.0], constraints=ABOVE, options={"f_upper": 1e3})
        assert result.status is Status.UNBOUNDED and result.fun > 1e3 and "above" in result.message
        with pytest.raises(ValueError, match="of maximize it is 'f_upper'"):
            maximize(bowl, [0.0], options={"f_lower": 3.0})

    def test_resume(self):
        part = maximize(lambda x: -bowl(x), [3.0, 0.0], jac=lambda x: -bowl_grad(x), options={"maxiter": 0})
        assert part.fun == -5.0
        whole = numopt.resume(part, lambda x: -bowl(x), jac=lambda x: -bowl_grad(x), options={"maxiter": 10})
        assert whole.success and np.allclose(whole.x, 1.0) and whole.fun <= 0.0


class TestKKT:
    def test_a_solution_of_scipys(self):
        theirs = optimize.minimize(fun, START, jac=grad, bounds=BOX, constraints=DICTIONARIES, method="SLSQP",
                                   options={"ftol": 1e-12})  # fmt: skip
        found = numopt.kkt(fun, theirs, jac=grad, bounds=BOX, constraints=DICTIONARIES)
        assert found.holds(1e-5, 1e-8) and found.licq and found.n_active == 3
        assert np.allclose(np.concatenate(found.multipliers), MULTIPLIERS, atol=1e-5)
        assert np.allclose(found.bound_multipliers, OF_BOUNDS, atol=1e-5)
        assert [a.tolist() for a in found.active] == [[-1], [2]] and found.active_mask.tolist() == [-1, 0, 0, 0]
        by_differences = numopt.kkt(fun, theirs.x, bounds=BOX, constraints=NonlinearConstraint(con, *LIMITS))
        assert by_differences.holds(1e-5) and "3 active gradients, independent" in str(by_differences)

    def test_points_that_are_no_solutions(self):
        assert not numopt.kkt(fun, START, jac=grad, bounds=BOX, constraints=DICTIONARIES).holds(1e-2)
        # feasible, stationary for multipliers of the wrong sign alone
        below = {"type": "ineq", "fun": lambda x: -x[0]}
        above = numopt.kkt(lambda x: x[0], [0.0], constraints=below)
        assert above.violation == 0.0 and above.stationarity == pytest.approx(1.0) and not above.holds(0.5)
        wrong = numopt.kkt(lambda x: x[0], [0.0], constraints=below, multipliers=[-1.0])
        assert wrong.stationarity < 1e-9 and wrong.complementarity == pytest.approx(1.0) and not wrong.holds(0.5)

    def test_dependent_gradients(self):
        twice = LinearConstraint([[1.0, 1.0], [2.0, 2.0]], [2.0, 4.0], np.inf)
        found = numopt.kkt(lambda x: x @ x, [1.0, 1.0], constraints={"twice": twice})
        assert found.holds() and not found.licq and (found.rank, found.n_active) == (1, 2)
        given = numopt.kkt(lambda x: x @ x, [1.0, 1.0], constraints={"twice": twice}, multipliers={"twice": [0.0, 1.0]})
        assert given.holds() and given.bound_multipliers.tolist() == [0.0, 0.0]

    def test_a_problem_of_the_collection(self):
        problem = numopt.problems.get("hs71")
        assert numopt.kkt(problem, problem.solution).holds(1e-7)

    def test_the_bounds_of_a_simplex(self):
        found = numopt.kkt(lambda x: x[0] + 2.0 * x[1], [1.0, 0.0], constraints=numopt.Simplex())
        assert found.holds() and np.allclose(found.bound_multipliers, [0.0, 1.0], atol=1e-6)
        assert not numopt.kkt(bowl, [1.5, -0.5], constraints=numopt.Simplex()).holds(1.0)

    def test_functions_that_are_nan(self):
        found = numopt.kkt(lambda x: np.nan, [2.0, 1.0], constraints=ABOVE)
        assert np.isnan(found.stationarity) and not found.holds(1e3, 1e3)

    def test_bad_input(self):
        with pytest.raises(TypeError, match="kkt needs a point x"):
            numopt.kkt(bowl)
        with pytest.raises(ValueError, match="multipliers must be 1 numbers"):
            numopt.kkt(bowl, [2.0, 1.0], constraints=ABOVE, multipliers=[1.0, 2.0])
        with pytest.raises(ValueError, match="multipliers: there are none for 'a'"):
            numopt.kkt(bowl, [2.0, 1.0], constraints={"a": ABOVE}, multipliers={"b": 1.0})
        with pytest.raises(ValueError, match="bound_multipliers must have shape"):
            numopt.kkt(bowl, [2.0, 1.0], constraints=ABOVE, bound_multipliers=[1.0])


def test_multipliers_without_bound_certify_nothing():
    # minimise x subject to x^3 = 0: no residual is small that is not divided by multipliers that grow without bound
    cubic = NonlinearConstraint(lambda x: x**3, 0.0, 0.0, jac=lambda x: np.array([[3.0 * x[0] ** 2]]))
    at = numopt.kkt(lambda x: x[0], [1e-7], jac=lambda x: np.ones(1), constraints=cubic, multipliers=[1e12])
    assert abs(at.stationarity - 0.097) < 1e-9 and not at.holds()
