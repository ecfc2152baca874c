"""Quadratic and linear programs: every verdict is certified by its own proof, not by another solver."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, lsq_linear, minimize, nnls

import numopt
from numopt.kernels import qp_slots as s
from numopt.optimize._solve_qp import _run

TOL = 1e-9
KINDS = ("definite", "semidefinite", "linear", "whole numbers", "copies", "scaled", "small")


def problem(kind, n, m, seed, bounded=0.7, shifted=0.0):
    """(P, q, rows, low, high), the limits of the rows first, then those of the variables."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rng.integers(0, n + 1), n))
    rows, q, x = rng.standard_normal((m, n)), 2.0 * rng.standard_normal(n), rng.standard_normal(n)
    slack = rng.exponential(size=(2, m + n))
    if kind in ("whole numbers", "copies", "small"):
        X, rows, q, x = (np.round(v) for v in (X, rows, q, x))
        slack = np.round(slack)
    if kind == "copies" and m > 1:
        rows[: m // 2] = rows[m - 1 : m - 1 - m // 2 : -1] * rng.choice([-1.0, 1.0, 2.0], (m // 2, 1))
    P = np.zeros((n, n)) if kind in ("linear", "small") else X.T @ X
    if kind == "definite":
        P += 0.1 * np.eye(n)
    if kind == "scaled":
        unit, length = 10.0 ** rng.uniform(-3, 3, n), 10.0 ** rng.uniform(-3, 3, (m, 1))
        P, q, rows, x = P * np.outer(unit, unit), q * unit, rows * unit * length, x / unit
        slack *= np.append(np.abs(rows) @ np.abs(x), np.abs(x))
    slack *= rng.random((2, m + n)) < 0.8  # the others hold with equality
    values = np.append(rows @ x, x)
    low, high = values - slack[0], values + slack[1]
    low[:m] += shifted * rng.standard_normal(m) * (rng.random(m) < 0.3)
    low[rng.random(m + n) > bounded], high[rng.random(m + n) > bounded] = -np.inf, np.inf
    unit = 1e-7 if kind == "small" else 1.0  # far from what q / P is
    return P, q, rows, unit * low, unit * np.maximum(low, high)


def one_sided(P, q, rows, low, high):
    """The same as arguments of solve_qp, and how its multipliers are put together: (arguments, signs and places)."""
    m = len(rows)
    equal = low[:m] == high[:m]
    upper, lower = ~equal & (high[:m] < np.inf), ~equal & (low[:m] > -np.inf)
    G, h = np.vstack([rows[upper], -rows[lower]]), np.append(high[:m][upper], -low[:m][lower])
    return {"P": P, "q": q, "A": rows[equal], "b": low[:m][equal], "G": G, "h": h, "lb": low[m:], "ub": high[m:]}


def certify(found, P, q, A, b, G, h, lb, ub):
    """Check the proof that comes with a result."""
    rows, k = np.vstack([A, G, np.eye(len(q))]), len(b)
    low, high = np.concatenate([b, np.full(len(h), -np.inf), lb]), np.concatenate([b, h, ub])
    if found.status == numopt.Status.INFEASIBLE:
        proof = found.certificate
        lam = np.concatenate([proof["eq"], proof["ineq"], proof["bounds"]])
        gain = (lam[lam != 0.0] * np.where(lam > 0.0, low, high)[lam != 0.0]).sum()
        left = np.abs(rows.T @ lam).sum()
        # no point of a norm below gain / left
        assert gain > 0.0 and left * 1e3 * (1.0 + np.abs(found.x).max()) < gain
        return
    values = rows @ found.x
    # an element of x has an error of 1e-14 of the largest one
    size = np.abs(rows) @ np.maximum(np.abs(found.x), 1e-5 * np.abs(found.x).max() + 1e-7)
    size += np.where(np.isfinite(low), np.abs(low), 0.0) + np.where(np.isfinite(high), np.abs(high), 0.0)
    violation = np.maximum(low - values, values - high)
    assert (violation <= TOL * size).all() and (lb <= found.x).all() and (found.x <= ub).all()
    if found.status == numopt.Status.UNBOUNDED:
        ray, moved = found.ray, rows @ found.ray
        assert q @ ray < 0.0 and np.abs(P @ ray).max() <= TOL * np.abs(P).max()
        room = TOL * np.abs(rows).sum(axis=1)
        assert (moved[low > -np.inf] >= -room[low > -np.inf]).all() and (moved <= room)[high < np.inf].all()
        assert not found.success and found.fun == -np.inf
        return
    assert found.status == numopt.Status.KKT and found.success, found.message
    lam = np.concatenate([found.eq_multipliers, found.ineq_multipliers, found.bound_multipliers])
    assert (found.ineq_multipliers <= 0.0).all()
    large = np.abs(found.x).max()
    terms = max((np.abs(P) @ np.abs(found.x)).max(), np.abs(q).max(), np.abs(rows.T * lam).max(), 1e-5 * large)
    residual = np.abs(P @ found.x + q - rows.T @ lam).max()
    assert residual <= TOL * terms
    # complementarity: each multiplier times the distance to its limit
    active = lam != 0.0
    off = np.abs(lam[active] * (values - np.where(lam > 0.0, low, high))[active])
    assert off.max(initial=0.0) <= TOL * max(
        np.abs(q * found.x).max(), np.abs(lam * values).max(), terms * (large * 1e-5 + 1e-7)
    )
    np.testing.assert_allclose(found.fun, 0.5 * found.x @ P @ found.x + q @ found.x, rtol=1e-9, atol=1e-12 * terms)
    assert found.primal_residual == pytest.approx(max(violation.max(), 0.0), abs=1e-12 * size.max())
    assert set(found.active_set) <= {-1, 0, 1} and (found.active_set[:k][found.eq_multipliers != 0.0] != 0).all()


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(KINDS), st.integers(1, 12), st.integers(0, 20), st.integers(0, 10**6),
    st.sampled_from([0.3, 0.7, 1.0]), st.sampled_from([0.0, 0.0, 0.5]),
)  # fmt: skip
# steps ended by rounding errors of multipliers; dependent rows taken for independent ones; proximal points that ended
# too early for one of the variables; an objective of zero
@example("whole numbers", 7, 7, 61021, 1.0, 0.0)
@example("copies", 8, 11, 942316, 1.0, 0.0)
@example("whole numbers", 5, 19, 69196, 1.0, 0.5)
@example("scaled", 9, 16, 9, 0.7, 0.0)
@example("small", 3, 6, 967015, 1.0, 0.0)
def test_every_verdict_is_proved(kind, n, m, seed, bounded, shifted):
    arguments = one_sided(*problem(kind, n, m, seed, bounded, shifted))
    certify(numopt.solve_qp(**arguments), **arguments)


def test_all_three_verdicts_are_met():
    met = set()
    for seed in range(60):
        arguments = one_sided(*problem("semidefinite", 6, 8, seed, 0.5, 0.5))
        found = numopt.solve_qp(**arguments)
        certify(found, **arguments)
        met.add(found.status.name)
    assert met == {"KKT", "INFEASIBLE", "UNBOUNDED"}


@pytest.mark.parametrize("kind", ["definite", "semidefinite", "linear"])
def test_a_larger_one(kind):
    arguments = one_sided(*problem(kind, 40, 80, 1, 0.9))
    certify(numopt.solve_qp(**arguments), **arguments)


def kernel(P, q, rows, low, high, nu, marks=0.0):
    return _run(P, q, rows, low, high, marks, nu)


class TestElastic:
    @settings(max_examples=80, deadline=None)
    @given(st.sampled_from(KINDS[:5]), st.integers(1, 8), st.integers(1, 12), st.integers(0, 10**6),
           st.sampled_from([0.1, 1.0, 30.0]))  # fmt: skip
    def test_is_the_problem_with_slacks(self, kind, n, m, seed, nu):
        P, q, rows, low, high = problem(kind, n, m, seed, 0.8, 0.5)
        end, x, lam, marks, info = kernel(P, q, rows, low, high, nu)
        # x, v, w >= 0:  low <= rows x + v - w <= high,  nu sum(v + w) added
        wide = np.zeros((n + 2 * m, n + 2 * m))
        wide[:n, :n] = P
        slacks = one_sided(
            wide, np.append(q, np.full(2 * m, nu)), np.hstack([rows, np.eye(m), -np.eye(m)]),
            np.append(low, np.zeros(2 * m)), np.append(high, np.full(2 * m, np.inf)),
        )  # fmt: skip
        other = numopt.solve_qp(**slacks)
        certify(other, **slacks)
        assert end == {"KKT": s.SOLVED, "UNBOUNDED": s.UNBOUNDED}[other.status.name]
        if end == s.SOLVED:
            terms = np.abs(P).max() * (1 + np.abs(x).max()) ** 2 + np.abs(q).max() * (1 + np.abs(x).max()) + nu
            assert info[s.VALUE] == pytest.approx(other.fun, rel=1e-8, abs=1e-9 * terms)
            y = lam[:m]
            assert (np.abs(y) <= nu).all() and (np.abs(y[np.abs(marks[:m]) == 2.0]) == nu).all()
            values = rows @ x
            wrong = np.maximum(low[:m] - values, values - high[:m])
            assert (np.abs(y)[wrong > 1e-8 * (1 + np.abs(values))] == nu).all()

    def test_warm_start_with_rows_given_up(self):
        P, q, rows, low, high = problem("definite", 6, 9, 5, 1.0, 2.0)
        end, x, lam, marks, info = kernel(P, q, rows, low, high, 0.3)
        assert end == s.SOLVED and (np.abs(marks) == 2.0).any() and info[s.ITERATIONS] > 3
        again = kernel(P, q, rows, low, high, 0.3, marks)
        assert again[0] == s.SOLVED and again[4][s.ITERATIONS] == 1
        np.testing.assert_allclose(again[1], x, rtol=1e-10)
        # with hard rows the marks are a guess like any other
        assert kernel(P, q, rows, low, high, np.inf, marks)[0] == kernel(P, q, rows, low, high, np.inf)[0]


def test_what_is_not_a_number_is_no_solution():
    for place in range(5):
        data = [v.copy() for v in problem("definite", 4, 3, 0)]
        data[place].flat[0] = np.nan
        assert kernel(*data, np.inf)[0] in (s.MAXITER, s.NOT_CONVEX, s.INFEASIBLE), place


class TestWarmStart:
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_solution_costs_one_working_set(self, kind):
        arguments = one_sided(*problem(kind, 8, 12, 3, 1.0))
        cold = numopt.solve_qp(**arguments)
        assert cold.success and cold.nit > 3
        for warm in ({"active_set": cold.active_set}, {"x0": cold.x}):
            found = numopt.solve_qp(**arguments, **warm)
            certify(found, **arguments)
            assert found.nit <= cold.nit - 2
            np.testing.assert_allclose(found.fun, cold.fun, rtol=1e-9)

    @settings(max_examples=50, deadline=None)
    @given(st.sampled_from(KINDS), st.integers(0, 10**6))
    def test_a_wrong_guess_does_no_harm(self, kind, seed):
        arguments = one_sided(*problem(kind, 5, 8, seed, 0.7, 0.3))
        size = len(arguments["b"]) + len(arguments["h"]) + 5
        guess = np.random.default_rng(seed).integers(-1, 2, size)
        found, cold = numopt.solve_qp(**arguments, active_set=guess), numopt.solve_qp(**arguments)
        certify(found, **arguments)
        assert found.status == cold.status or {found.status.name, cold.status.name} == {"INFEASIBLE", "UNBOUNDED"}


class TestReferences:
    def test_linprog(self):
        for seed in range(15):
            arguments = one_sided(*problem("linear", 8, 10, seed, 0.9))
            found = numopt.solve_qp(**arguments)
            a = arguments
            other = linprog(a["q"], a["G"], a["h"], a["A"], a["b"], np.transpose([a["lb"], a["ub"]]))
            assert {0: "KKT", 3: "UNBOUNDED"}[other.status] == found.status.name
            if other.status == 0:
                assert found.fun == pytest.approx(other.fun, rel=1e-8, abs=1e-8)

    def test_nnls_and_lsq_linear(self):
        rng = np.random.default_rng(0)
        X, y = rng.standard_normal((30, 12)), rng.standard_normal(30)
        found = numopt.solve_qp(X.T @ X, -X.T @ y, lb=0)
        np.testing.assert_allclose(found.x, nnls(X, y)[0], atol=1e-10)
        found = numopt.solve_qp(X.T @ X, -X.T @ y, lb=-0.1, ub=0.05)
        np.testing.assert_allclose(found.x, lsq_linear(X, y, (-0.1, 0.05), tol=1e-14).x, atol=1e-8)

    def test_slsqp(self):
        P, q, rows, low, high = problem("definite", 5, 6, 8, 1.0)
        found = numopt.solve_qp(**one_sided(P, q, rows, low, high))
        G, h = np.vstack([rows, -rows]), np.append(high[:6], -low[:6])
        other = minimize(
            lambda x: 0.5 * x @ P @ x + q @ x, np.zeros(5), jac=lambda x: P @ x + q, method="SLSQP", tol=1e-12,
            constraints={"type": "ineq", "fun": lambda x: h - G @ x, "jac": lambda x: -G},
            bounds=np.transpose([low[6:], high[6:]]),
        )  # fmt: skip
        np.testing.assert_allclose(found.x, other.x, atol=1e-6)

    def test_multipliers_are_derivatives_of_the_least_value(self):
        P, q = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 3.0]]), np.array([-1.0, -4.0, 2.0])
        limits = {"b": np.array([1.0]), "h": np.array([0.4, 9.0]), "lb": np.full(3, -0.3), "ub": np.full(3, 1.1)}
        solve = lambda **o: numopt.solve_qp(P, q, A=[[1, 1, 1]], G=[[1, 0, -1], [0, 1, 1]], **(limits | o))  # noqa: E731
        found, t = solve(), 1e-4
        assert (found.active_set != 0).sum() == 3
        for name, multipliers in (("b", "eq"), ("h", "ineq"), ("lb", "bound"), ("ub", "bound")):
            for i in range(limits[name].size):
                step = t * np.eye(limits[name].size)[i]
                slope = (solve(**{name: limits[name] + step}).fun - solve(**{name: limits[name] - step}).fun) / (2 * t)
                known = found[multipliers + "_multipliers"][i]
                if name in ("lb", "ub"):
                    known = max(known, 0.0) if name == "lb" else min(known, 0.0)
                assert slope == pytest.approx(known, abs=1e-7)


class TestDegenerate:
    def test_dependent_equalities(self):
        A, b = np.array([[1.0, 1, 0], [0, 1, 1], [1, 2, 1]]), np.array([1.0, 2.0, 3.0])
        found = numopt.solve_qp(np.eye(3), np.zeros(3), A, b)
        certify(found, np.eye(3), np.zeros(3), A, b, np.empty((0, 3)), [], np.full(3, -np.inf), np.full(3, np.inf))
        found = numopt.solve_qp(np.eye(3), np.zeros(3), A, b + [0, 0, 1e-6])
        assert found.message == "Failed: no point fulfils the constraints: A[0], A[1] and A[2] contradict each other."
        np.testing.assert_allclose(found.certificate["eq"], [-1, -1, 1])

    def test_more_equalities_than_variables(self):
        A = np.random.default_rng(0).standard_normal((6, 3))
        assert numopt.solve_qp(np.eye(3), np.ones(3), A, A @ [1.0, 2.0, 3.0]).success
        assert numopt.solve_qp(np.eye(3), np.ones(3), A, np.ones(6)).status == numopt.Status.INFEASIBLE

    def test_linear_programs_that_make_the_simplex_method_cycle(self):
        # Beale 1955; Marshall & Suurballe 1969
        beale = np.array([[0.25, -60, -0.04, 9], [0.5, -90, -0.02, 3], [0, 0, 1, 0]])
        found = numopt.solve_qp(None, [-0.75, 150, -0.02, 6], G=beale, h=[0, 0, 1], lb=0)
        assert found.success and found.fun == pytest.approx(-0.05, rel=1e-10)
        other = np.array([[0.5, -5.5, -2.5, 9], [0.5, -1.5, -0.5, 1], [1, 0, 0, 0]])
        found = numopt.solve_qp(None, [-10, 57, 9, 24], G=other, h=[0, 0, 1], lb=0)
        assert found.success and found.fun == pytest.approx(-1.0, rel=1e-10)

    def test_a_matrix_of_low_rank_is_not_taken_for_a_definite_one(self):
        # what is left of it in the factorisation is rounding error, of either sign
        for seed in range(20):
            rng = np.random.default_rng(seed)
            X, q = rng.standard_normal((2, 5)), rng.standard_normal(5)
            assert numopt.solve_qp(X.T @ X, q).status == numopt.Status.UNBOUNDED
            assert numopt.solve_qp(X.T @ X, X.T @ [1.0, 2.0]).success

    def test_proximal_points_end_where_the_gradient_vanishes(self):
        v = np.array([0.083, -0.2])
        for P in (np.outer(v, v), None):
            found = numopt.solve_qp(P, [0, 0], lb=[-1.7, -0.8], ub=[-0.8, 0.5])
            assert found.success and found.nit < 10 and abs(found.fun) < 1e-15

    def test_a_narrow_valley_has_an_end(self):
        found = numopt.solve_qp([[1, 1 - 1e-12], [1 - 1e-12, 1]], [1, -1])
        assert found.success and found.x[1] == pytest.approx(1e12, rel=1e-3)

    def test_a_vertex_of_very_many_constraints(self):
        angle = np.linspace(0.0, np.pi, 200)
        G = np.column_stack([np.cos(angle), np.sin(angle), np.full(200, -1.0)])  # a cone, its tip at 0
        found = numopt.solve_qp(np.diag([1.0, 1.0, 0.0]), [0, 0, 1], G=G, h=np.zeros(200))
        assert found.success and np.abs(found.x).max() < 1e-12

    def test_a_solution_at_zero_is_no_matter_of_relative_rounding(self):
        rng = np.random.default_rng(1)
        for n in range(2, 7):
            G = np.round(2 * rng.standard_normal((20, n)))
            found = numopt.solve_qp(np.ones((n, n)), np.ones(n), G=G, h=np.zeros(20), lb=0)
            assert found.success and np.abs(found.x).max() < 1e-20, found

    def test_rounding_in_a_proof_of_infeasibility(self):
        # multipliers of 1e-17, of rows without a limit on that side, once made the proof's gain infinite
        P = np.outer([1, 1, 2, 1, -2], [1, 1, 2, 1, -2])
        G = [[-1, 0, 1, 1, 1], [0, 1, 1, 1, 1], [1, 0, 1, 1, -1], [-1, 0, 0, 0, 0.0]]
        A = [[1, 0, 1, 1, -1], [-1, 1, 1, -1, -1]]
        found = numopt.solve_qp(P, [1, -3, 2, -2, -2], A, [1, -2], [*G, [1, 0, 0, 0, 0]], [-1, 1, 2, -1, 0.5])
        assert found.status == numopt.Status.INFEASIBLE
        assert found.message == "Failed: no point fulfils the constraints: G[3] and G[4] contradict each other."

    def test_a_bound_is_named_on_its_side(self):
        found = numopt.solve_qp(np.eye(2), [0, 0], G=[[1, 1]], h=[1], lb=[1, -5], ub=[3, 9])
        assert found.success
        found = numopt.solve_qp(np.eye(2), [0, 0], G=[[1, 1]], h=[1], lb=[1, 0.5], ub=[3, 9])
        assert "G[0], lb[0] and lb[1] contradict" in found.message and not found.success

    def test_a_row_of_zeros_that_contradicts_itself_is_named(self):
        found = numopt.solve_qp(np.eye(2), [1, 1], G=[[1, 1], [0, 0]], h=[1, -1])
        assert found.status == numopt.Status.INFEASIBLE and ": G[1] contradicts itself." in found.message


class TestInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"P": [[1, 2], [2, 1]], "q": [0, 0]}, "not convex; its least eigenvalue is -1"),
            ({"P": np.eye(3), "q": [0, 0]}, r"P must have the shape \(2, 2\), as q has 2 elements; got \(3, 3\)"),
            ({"P": [[1, np.nan], [0, 1]], "q": [0, 0]}, r"P must be finite, got P\[0, 1\] = nan"),
            ({"P": np.eye(2), "q": [[0, 0]]}, r"q must be a vector .*, got the shape \(1, 2\)"),
            ({"P": np.eye(2), "q": ["a", "b"]}, "q must be a vector of real numbers, got dtype <U1"),
            ({"P": np.eye(2), "q": [0, np.inf]}, r"q must be finite, got q\[1\] = inf"),
            ({"A": [[1, 2, 3]], "b": [1]}, r"A must have 2 columns, as q has 2 elements; got the shape \(1, 3\)"),
            ({"A": [[1, 2]]}, "A and b go together, got A without b"),
            ({"h": [1]}, "G and h go together, got h without G"),
            ({"A": [[1, 2]], "b": [1, 2]}, r"b must have the shape \(1,\), as A has 1 rows; got \(2,\)"),
            ({"A": [[1, 2]], "b": [np.inf]}, r"b must be finite, got b\[0\] = inf"),
            ({"G": [[1, 2]], "h": [-np.inf]}, r"h must hold numbers, or inf .*; got h\[0\] = -inf"),
            ({"G": [[1, 2]], "h": [np.nan]}, r"got h\[0\] = nan"),
            ({"lb": [0, 2], "ub": [1, 1]}, r"lb must not exceed ub; lb\[1\] = 2 > ub\[1\] = 1"),
            ({"lb": [0, 2, 3]}, r"lb must be a number or of shape \(2,\), as q has 2 elements; got \(3,\)"),
            ({"lb": np.inf}, r"lb must hold numbers, or -inf where there is no bound; got lb\[0\] = inf"),
            ({"ub": [1, np.nan]}, r"ub must hold numbers, or inf where there is no bound; got ub\[1\] = nan"),
            ({"active_set": [0, 2]}, "active_set must be -1, 0 or 1 .* 2 in all; got other numbers"),
            ({"active_set": [0]}, r"active_set must be -1, 0 or 1 .* 2 in all; got the shape \(1,\)"),
            ({"x0": [0]}, r"x0 must have the shape \(2,\), as q has 2 elements; got \(1,\)"),
            ({"tol": -1}, "tol must be a number > 0, got -1"),
        ],
    )
    def test_errors_name_the_argument(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            numopt.solve_qp(**({"P": np.eye(2), "q": [1, 1]} | arguments))

    def test_symmetric_part(self):
        with pytest.warns(numopt.OptimizeWarning, match="P is not symmetric"):
            found = numopt.solve_qp([[2, 1], [0, 2]], [-1, -1])
        np.testing.assert_allclose(found.x, [0.4, 0.4])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            numopt.solve_qp([[2, 1], [1 + 1e-15, 2]], [-1, -1])

    def test_what_is_accepted(self):
        dense = numopt.solve_qp(np.eye(2), [-3, 1], G=[[1, 1]], h=[1], lb=0)
        for P, G in ((sp.eye_array(2), sp.csr_array([[1, 1]])), (np.eye(2, dtype=int), [1, 1]),
                     (np.asfortranarray(np.eye(2)), np.ones((1, 4), np.float32)[:, ::2])):  # fmt: skip
            found = numopt.solve_qp(P, np.array([-3, 1]), G=G, h=1, lb=[0, 0])
            assert found.x.tolist() == dense.x.tolist()
        free = numopt.solve_qp(np.eye(2), [1.0, 2.0], G=[[1, 1]], h=[np.inf])
        assert free.success and free.x.tolist() == [-1.0, -2.0] and free.fun == -2.5

    def test_arguments_stay_as_they_are(self):
        arguments = one_sided(*problem("definite", 5, 6, 0))
        kept = {name: np.copy(value) for name, value in arguments.items()}
        guess = np.zeros(len(arguments["b"]) + len(arguments["h"]) + 5)
        numopt.solve_qp(**arguments, active_set=guess)
        assert all(np.array_equal(arguments[name], kept[name]) for name in kept) and not guess.any()
