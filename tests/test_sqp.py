"""Sequential quadratic programming: the problems of Hock & Schittkowski, degenerate ones, what a step must not do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import NonlinearConstraint

import numopt
from numopt import Status, minimize, problems
from numopt.constrained_catalog import CONSTRAINED
from numopt.kernels.qp_slots import N_INFO, n_words

HOCK = list(problems.names("hock-schittkowski"))
OTHERS = [name for name in problems.names("constrained") if name not in HOCK]
WANTED = {
    "solution": (Status.KKT,),
    "infeasible": (Status.INFEASIBLE,),
    "unbounded": (Status.UNBOUNDED,),
    # none that is a success
    "no multipliers": (Status.MAXITER, Status.LINE_SEARCH, Status.STALLED),
}

# All problems, by the direct mode, which is what runs inside compiled code.  Without the compiler: a solver is compiled
# once more for each objective there.
_SCRIPT = """
import json
import numpy as np
import numopt
from numopt import problems

np.seterr(all="ignore")
solve, found = numopt.jit_solver("sqp"), {"bfgs": {}, "exact": {}}
for name in problems.names("constrained"):
    p = problems.get(name).plain
    limits = np.ascontiguousarray(p.limits.T)
    bounds = None if p.bounds is None else np.ascontiguousarray(p.bounds.T)
    for mode, hess in (("bfgs", None), ("exact", p.lag_hess_inplace)):
        x, f, y, z, violation, optimality, status, nit, nfev = solve(
            p.fun_inplace, p.x0, p.con_inplace, p.con_jac_inplace, limits, bounds, None, hess
        )
        r = p.residuals(x)
        found[mode][name] = {
            "status": int(status), "solved": bool(p.solved(x)), "nfev": int(nfev), "violation": violation, "f": f,
            "stationarity": r.stationarity, "complementarity": r.complementarity, "optimality": optimality,
        }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def direct():
    root = str(Path(numopt.__file__).parent.parent)
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": root}
    run = subprocess.run([sys.executable, "-c", _SCRIPT], env=env, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.mark.parametrize("mode", ["bfgs", "exact"])
class TestProblems:
    def test_hock_schittkowski(self, direct, mode):
        for name in HOCK:
            r = direct[mode][name]
            assert r["status"] == Status.KKT, (name, r)
            assert r["solved"], (name, r)
            assert max(r["stationarity"], r["complementarity"]) <= 1e-6, (name, r)
            assert r["violation"] <= 1e-8 and r["optimality"] <= 1e-7, (name, r)

    def test_verdicts(self, direct, mode):
        for name in OTHERS:
            r, verdict = direct[mode][name], problems.get(name).verdict
            assert r["status"] in WANTED[verdict], (name, r)
            if verdict == "solution":
                assert r["solved"], (name, r)
            if verdict == "infeasible":
                assert r["violation"] > 1e-3, (name, r)
            if verdict == "unbounded":
                assert r["violation"] <= 1e-8 and r["f"] < -1e11, (name, r)

    def test_evaluations(self, direct, mode):
        """SLSQP needs 1600 for those 78 of the 82 that it solves, each with the loosest tolerance that is enough."""
        assert sum(direct[mode][name]["nfev"] for name in HOCK) <= {"bfgs": 1500, "exact": 1150}[mode]


def test_workspace():
    """What the catalogue says is what the layout of the workspace needs."""
    for n, m in ((1, 0), (2, 5), (30, 7)):
        own = 4 * n * n + 14 * n + 10 * m + N_INFO + n_words(n, m)
        assert CONSTRAINED["sqp"].own(n, m) == own


def _disc(x):
    return 1.0 - x[0] ** 2 - x[1] ** 2


def _disc_slope(x):
    return np.array([-2.0 * x[0], -2.0 * x[1]])


@pytest.mark.parametrize("start", [(0.0, 0.0), (0.0, 1.0), (-1.0, 0.0)])
def test_kept_rows_are_never_violated(start):
    """From inside, and from the boundary, of which each step in a tangent's direction leaves the set."""
    seen = []

    def fun(x):
        seen.append(x.copy())
        return -x[0] - 0.5 * x[1] + 0.1 * x[0] * x[1]

    def grad(x):
        return np.array([-1.0 + 0.1 * x[1], -0.5 + 0.1 * x[0]])

    constraint = NonlinearConstraint(_disc, 0.0, np.inf, jac=_disc_slope, keep_feasible=True)
    result = minimize(fun, start, jac=grad, constraints=constraint, method="sqp")
    assert result.success
    assert abs(_disc(result.x)) < 1e-8
    assert min(map(_disc, seen)) >= 0.0
    assert len(seen) < 60


@pytest.fixture(scope="module")
def hs100():
    p = problems.get("hs100").plain
    return p, {"jac": p.grad, "constraints": p.constraints}


@pytest.mark.parametrize("exact", [False, True])
def test_resumed_bit_for_bit(hs100, exact):
    """Cut off within steps, by evaluations, and between them."""
    p, given = hs100
    if exact:
        given = {**given, "hess": p.hess}
    whole = minimize(p.fun, p.x0, method="sqp", **given)
    assert whole.success
    part = minimize(p.fun, p.x0, method="sqp", options={"maxfev": 3}, **given)
    cuts = 0
    while part.status in (Status.MAXFEV, Status.MAXITER):
        cuts += 1
        more = {"maxfev": part.nfev + 5} if cuts % 2 else {"maxiter": part.nit + 1, "maxfev": 10**6}
        part = numopt.resume(part, p.fun, options=more, **given)
    assert cuts >= 4
    assert (part.x == whole.x).all() and part.nit == whole.nit
    assert (part.multipliers[0] == whole.multipliers[0]).all()


def test_steps_out_of_the_domain_are_shortened():
    """The first step goes where log is NaN."""
    seen = []

    def fun(x):
        seen.append(x[0])
        return -np.log(x[0]) + 1e3 * x[0] if x[0] > 0 else np.nan

    result = minimize(
        fun, [1.0, 0.0], jac=lambda x: np.array([1e3 - 1.0 / x[0], 0.0]), method="sqp",
        constraints={"type": "eq", "fun": lambda x: x[0] - x[1] - 1.0, "jac": lambda x: np.array([1.0, -1.0])},
    )  # fmt: skip
    assert min(seen) < 0.0
    assert result.success and abs(result.x[0] - 1e-3) < 1e-7


def test_linear_rows_stay_satisfied():
    """From a point on the plane and within the bounds none that is evaluated lies elsewhere."""
    p = problems.get("hs53").plain
    seen = []

    def fun(x):
        seen.append(x.copy())
        return p.fun(x)

    start = [3.0, -1.0, 1.0, -3.0, -1.0]
    minimize(fun, start, jac=p.grad, bounds=p.scipy_bounds, constraints=p.constraints, method="sqp")
    assert len(seen) >= 5 and max(map(p.violation, seen)) < 1e-13
    assert all((abs(x) <= 10.0).all() for x in seen)


def test_a_symmetric_start_is_left():
    """At (0, 0) f and c are stationary in x2, and no model would ever move it; (1, 0) is no minimum."""

    def fun(x):
        return (x[0] - 1.0) ** 2 - x[1] ** 2 + x[1] ** 4

    result = minimize(
        fun, [0.5, 0.0], jac=lambda x: np.array([2 * (x[0] - 1.0), 4 * x[1] ** 3 - 2 * x[1]]), method="sqp",
        constraints={"type": "ineq", "fun": lambda x: x[0] - 0.2, "jac": lambda x: np.array([1.0, 0.0])},
    )  # fmt: skip
    assert result.success and abs(result.fun + 0.25) < 1e-9


def test_slopes_that_are_slightly_wrong():
    """It once stalled with a violation of 5e-8, and answered with the start."""
    result = minimize(
        lambda x: float((x[0] - 1.0) ** 2 + (x[1] - 2.5) ** 2), [0.0, 0.0], method="sqp", options={"eps": 1e-5},
        constraints={"type": "ineq", "fun": lambda x: 2.0 - x @ x},
    )  # fmt: skip
    assert result.success and result.nit < 15 and abs(result.fun - 1.634226894) < 1e-6


def test_negative_curvature_towards_a_bound_far_away():
    # the first working set holds a bound, and the curvature leads there, against the slope: ended as stalled at once
    H = np.array([[-0.97830031, 0.5447785, 0.10131552], [0.5447785, 1.22721707, 1.8250226],
                  [0.10131552, 1.8250226, 0.37242286]])  # fmt: skip
    x0 = np.array([0.1182909, 0.77183596, 0.6322508])
    q = np.array([0.94872682, 2.40037594, 1.78537633]) - H @ x0
    bounds = [(0.03972143, 0.28571981), (-1.6053421, 1.68390558), (-4.3677492, 5.6322508)]
    r = minimize(lambda x: 0.5 * x @ H @ x + q @ x, x0, jac=lambda x: H @ x + q, hess=lambda x: H, bounds=bounds,
                 method="sqp")  # fmt: skip
    assert r.success and r.nit > 0, r
