"""Newton's method on the Lagrange system."""

import numpy as np
import pytest

import numopt
from numopt import Status, minimize, problems

# those with equalities alone
NAMES = [
    name for name in problems.names("hock-schittkowski")
    if problems.get(name).bounds is None and (problems.get(name).limits[:, 0] == problems.get(name).limits[:, 1]).all()
]  # fmt: skip


def solve(problem, **options):
    p = problem.plain
    return minimize(p.fun, p.x0, jac=p.grad, hess=p.hess, constraints=p.constraints, method="lagrange-newton",
                    options=options)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_hock_schittkowski(name):
    problem = problems.get(name)
    result = solve(problem)
    assert result.status is Status.KKT and problem.solved(result.x)
    found = problem.residuals(result.x)
    assert found.violation <= 1e-8 and found.stationarity <= 1e-6
    assert np.allclose(found.y, result.multipliers[0], atol=1e-4 * (1.0 + np.abs(found.y).max()))


def test_it_goes_to_a_minimum_where_newtons_plain_iteration_goes_to_the_maximum():
    # f = x + y on the circle: from beside the maximum
    result = minimize(lambda x: x[0] + x[1], [0.7, 0.72], method="lagrange-newton", jac=lambda x: np.ones(2),
                      hess=lambda x: np.zeros((2, 2)), constraints={"type": "eq", "fun": lambda x: x @ x - 1.0,
                      "jac": lambda x: 2.0 * x, "hess": lambda x, v: 2.0 * v[0] * np.eye(2)})  # fmt: skip
    assert (
        result.success and np.allclose(result.x, -np.sqrt(0.5)) and np.isclose(result.multipliers[0][0], -np.sqrt(0.5))
    )


def test_steps_are_few_and_converge_quadratically():
    result = solve(problems.get("hs6"), history=True)
    assert result.success and result.nit <= 5
    result = solve(problems.get("hs79"), history=True, gtol=1e-12)
    error = np.maximum(result.history["gnorm"], result.history["violation"])
    assert result.success and error[-1] < 1e-12 and error[-2] < 1e-4 and result.nit < 10


@pytest.mark.parametrize("twice", [False, True])
def test_dependent_and_contradictory_rows(twice):
    rows = [lambda x: x @ x - 1.0, (lambda x: 2.0 * (x @ x) - 2.0) if twice else lambda x: x @ x - 2.0]
    result = minimize(lambda x: x[0], [0.5, 0.4], method="lagrange-newton",
                      constraints=[{"type": "eq", "fun": row} for row in rows])  # fmt: skip
    if twice:
        assert np.allclose(result.x, [-1.0, 0.0], atol=1e-3) and result.constr_violation < 1e-6
    else:
        assert not result.success and result.constr_violation > 0.4


def test_resumed_bit_for_bit():
    problem = problems.get("hs77").plain
    arguments = {"jac": problem.grad, "hess": problem.hess, "constraints": problem.constraints}
    whole, part = solve(problem), solve(problem, maxiter=4)
    rest = numopt.resume(part, problem.fun, options={"maxiter": 500}, **arguments)
    assert part.nit == 4 and rest.nit == whole.nit and rest.x.tobytes() == whole.x.tobytes()
