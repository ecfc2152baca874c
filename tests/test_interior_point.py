"""The interior-point method: solutions, verdicts, and what it keeps to on the way."""

import numpy as np
import pytest
from numba import njit
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

import numopt
from numopt import Status, problems
from numopt.kernels import barrier, filters

DEGENERATE = (
    "dependent_equalities", "dependent_circles", "degenerate_vertex", "complementarity", "stationary_square",
    "stationary_circle", "interior_trap",
)  # fmt: skip
NO_SOLUTION = {
    "infeasible_bounds": Status.INFEASIBLE,
    "infeasible_rows": Status.INFEASIBLE,
    "infeasible_parallel": Status.INFEASIBLE,
    "infeasible_circle": Status.INFEASIBLE,
    "infeasible_isolated": Status.INFEASIBLE,
    "infeasible_nactive": Status.INFEASIBLE,
    "infeasible_unique": Status.INFEASIBLE,
    "infeasible_square": Status.INFEASIBLE,
    "unbounded_linear": Status.UNBOUNDED,
    "unbounded_curve": Status.UNBOUNDED,
    "unbounded_saddle": Status.UNBOUNDED,
}


def solve(name, exact, **options):
    """(problem, result) by Python's functions."""
    problem = problems.get(name)
    plain = problem.plain
    limits = {} if problem.bounds is None else {"bounds": problem.scipy_bounds}
    rows = ()
    if problem.m:
        second = {"hess": plain.con_hess} if exact else {}
        rows = NonlinearConstraint(plain.con, *problem.limits.T, jac=plain.con_jac, **second)
    return problem, numopt.minimize(
        plain.fun, problem.x0, method="interior-point", jac=plain.grad, hess=plain.hess if exact else None,
        constraints=rows, options=options, **limits,
    )  # fmt: skip


@pytest.mark.parametrize("exact", [True, False])
def test_solutions(exact):
    evaluations = []
    for name in problems.names("constrained"):
        if problems.get(name).verdict != "solution":
            continue
        problem, result = solve(name, exact)
        assert result.status is Status.KKT, (name, result.status)
        assert problem.solved(result.x, result.fun), (name, result.fun)
        assert result.optimality <= 1e-7 and (result.nhev > 0) == exact
        assert problem.violation(result.x) <= 1e-8
        if name not in DEGENERATE:
            found = problem.residuals(result.x)
            assert max(found.stationarity, found.complementarity) <= 1e-6, (name, found)
            evaluations.append(result.nfev)
    # means: 11.4 and 18.8
    assert np.exp(np.mean(np.log(evaluations))) <= (13 if exact else 21)


@pytest.mark.parametrize("exact", [True, False])
def test_verdicts(exact):
    for name, status in NO_SOLUTION.items():
        problem, result = solve(name, exact)
        assert result.status is status and not result.success, (name, result.status)
        assert status is Status.INFEASIBLE or problem.violation(result.x) <= 1e-8


def test_without_multipliers_there_is_no_success_away_from_the_solution():
    for exact in (True, False):
        problem, result = solve("hs13", exact)
        assert not result.success or problem.solved(result.x)


def test_hs71_in_ten_evaluations_with_the_multipliers_of_the_book():
    _, result = solve("hs71", True)
    assert result.nfev <= 10
    np.testing.assert_allclose(result.multipliers[0], [0.55229366, -0.16146857], rtol=1e-6)
    np.testing.assert_allclose(result.bound_multipliers, [1.08787121, 0.0, 0.0, 0.0], atol=1e-6)
    assert result.complementarity <= 1e-8 and result.constr_violation <= 1e-8


def test_every_point_is_strictly_within_the_bounds():
    seen = []

    def fun(x):
        seen.append(x.copy())
        return -np.log(x[0]) - np.sqrt(3.0 - x[1]) + x[0] + x[1]  # NaN beyond the bounds

    result = numopt.minimize(
        fun, [1e-3, 2.5], method="interior-point", bounds=Bounds([0.0, -np.inf], [4.0, 3.0]),
        jac=lambda x: np.array([-1.0 / x[0] + 1.0, 0.5 / np.sqrt(3.0 - x[1]) + 1.0]),
        constraints=LinearConstraint([[1.0, 1.0]], 2.0, np.inf),
    )  # fmt: skip
    assert result.success
    points = np.array(seen)[1:]
    assert (points[:, 0] > 0.0).all() and (points[:, 1] < 3.0).all() and (points[:, 0] < 4.0).all()


def test_rows_to_be_kept_are_kept_wherever_the_objective_is_evaluated():
    def inner(x):
        return np.array([1.0 - x @ x, x[0] + x[1]])

    def fun(x):
        assert inner(x)[0] >= 0.0
        return -x[0] - 2.0 * x[1]

    result = numopt.minimize(
        fun, [0.1, 0.0],
        jac=lambda x: np.array([-1.0, -2.0]), method="interior-point",
        constraints=NonlinearConstraint(
            inner, [0.0, -5.0], np.inf, jac=lambda x: np.array([-2.0 * x, [1.0, 1.0]]), keep_feasible=[True, False]
        ),
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, np.array([1.0, 2.0]) / 5**0.5, atol=1e-7)


def test_values_that_are_not_finite_shorten_the_step():
    # from 6 the Newton step leaves the domain of the logarithm
    result = numopt.minimize(
        lambda x: x[0] - np.log(x[0]) + x[1] ** 2 if x[0] > 0.0 else np.nan, [6.0, 1.0], method="interior-point",
        jac=lambda x: np.array([1.0 - 1.0 / x[0], 2.0 * x[1]]), hess=lambda x: np.diag([1.0 / x[0] ** 2, 2.0]),
        constraints=LinearConstraint([[1.0, 1.0]], -np.inf, 10.0),
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, [1.0, 0.0], atol=1e-6)


@pytest.mark.parametrize(("name", "exact"), [("hs65", True), ("infeasible_circle", False), ("hs116", False)])
def test_a_run_that_is_cut_off_anywhere_goes_on_as_if_it_had_not_been(name, exact):
    problem, whole = solve(name, exact)
    plain = problem.plain
    second = {"hess": plain.con_hess} if exact else {}
    functions = {
        "jac": plain.grad, "hess": plain.hess if exact else None,
        "constraints": NonlinearConstraint(plain.con, *problem.limits.T, jac=plain.con_jac, **second),
    }  # fmt: skip
    for share in (0.3, 0.7):
        for limit in ("maxiter", "maxfev"):
            _, part = solve(
                name, exact, **{limit: max(2, int(share * (whole.nit if limit == "maxiter" else whole.nfev)))}
            )
            result = numopt.resume(part, plain.fun, options={limit: 10**6}, **functions)
            assert result.status is whole.status and np.array_equal(result.x, whole.x), (limit, share)
            assert result.nit == whole.nit


def test_a_budget_of_evaluations_is_kept():
    for limit in (1, 3, 20):
        _, result = solve("hs65", True, maxfev=limit)
        assert result.status is Status.MAXFEV and result.nfev <= limit


@njit(error_model="numpy")
def kernels(v, d, lo, up):
    a, b, pairs = np.empty(2), np.empty(2), np.empty(2 * filters.SIZE)
    barrier.set_multipliers(v, lo, up, 0.1, a, b)
    t = barrier.to_boundary(v, d, lo, up, 0.99)
    gaps = barrier.complementarity(v, lo, up, a, b, 0.1)
    count = 0
    for i in range(5):  # theta rises, phi falls: none dominates another
        count = filters.augment(pairs, count, 1.0 + i, 5.0 - i)
    taken = (
        filters.admits(pairs, count, 0.5, 9.0),
        filters.admits(pairs, count, 3.5, 2.5),
        filters.admits(pairs, count, 3.5, 3.5),
    )
    one = filters.augment(pairs, count, 0.5, 0.5)
    for i in range(100):
        count = filters.augment(pairs, count, 1.0 + i, -float(i))
    return t, a, b, gaps, taken, one, count, pairs[2 * count - 2]


def test_barrier_and_filter():
    inf = np.inf
    t, a, b, gaps, taken, one, count, last = kernels(
        np.array([1.0, 2.0]), np.array([-2.0, 0.5]), np.array([0.0, -inf]), np.array([inf, 2.5])
    )
    assert t == pytest.approx(0.495)
    assert a.tolist() == pytest.approx([0.1, 0.0]) and b.tolist() == pytest.approx([0.0, 0.2])
    assert gaps[0] == pytest.approx(0.0, abs=1e-15) and gaps[2] == 2
    assert taken == (True, True, False)
    assert one == 1 and count == filters.SIZE and last == 100.0
