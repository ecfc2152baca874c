"""The spectral projected gradient method and the projections that it takes."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.optimize import LinearConstraint

import numopt
from numopt import Status, minimize
from numopt.kernels import projections


@njit
def cut(v, a, b1, b2, lower, upper):
    p = np.empty(v.size)
    lam, exists = projections.project_cut_box(v, a, b1, b2, lower, upper, p)
    return p, lam, exists


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_projection_onto_a_cut_box_fulfils_its_own_conditions(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    v, a = 3.0 * rng.standard_normal(n), rng.standard_normal(n) * (rng.random(n) < 0.8)
    lower = np.where(rng.random(n) < 0.2, -np.inf, -rng.random(n))
    upper = np.where(rng.random(n) < 0.2, np.inf, rng.random(n))
    inside = rng.uniform(np.maximum(lower, -2.0), np.minimum(upper, 2.0))
    b1, b2 = a @ inside - rng.choice([0.0, 0.3]), a @ inside
    p, lam, exists = cut(v, a, b1, b2, lower, upper)
    size = 1.0 + np.abs(v).max()
    assert exists and (p >= lower).all() and (p <= upper).all()
    assert b1 - 1e-12 * size <= a @ p <= b2 + 1e-12 * size
    # nearest: p = clip(v + lam a), lam >= 0 only at the lower limit, <= 0 only at the upper one
    assert np.allclose(p, np.clip(v + lam * a, lower, upper), rtol=0.0, atol=1e-12 * size)
    assert lam == 0.0 or abs(a @ p - (b1 if lam > 0.0 else b2)) <= 1e-12 * size


def test_an_empty_set_is_noticed():
    ones = np.ones(3)
    assert not cut(ones, ones, 4.0, 4.0, np.zeros(3), ones)[2] and cut(ones, ones, 3.0, 3.0, np.zeros(3), ones)[2]
    result = minimize(lambda x: x @ x, [0.1] * 3, method="projected-gradient", bounds=[(0, 1)] * 3,
                      constraints=LinearConstraint(np.ones((1, 3)), 4.0, 4.0))  # fmt: skip
    assert result.status is Status.INFEASIBLE and not result.success


M = np.random.default_rng(0).standard_normal((20, 6))
TARGET = np.random.default_rng(1).standard_normal(20)


def loss(x):
    r = M @ x - TARGET
    return 0.5 * r @ r, M.T @ r


SETS = {
    "box": {"bounds": [(0.0, 0.1)] * 6},
    "simplex": {"constraints": numopt.Simplex(0.5)},
    "budget": {
        "bounds": [(-0.3, 0.3)] * 6,
        "constraints": LinearConstraint([[1.0, 2.0, -1.0, 0.0, 1.0, 1.0]], 0.1, 0.2),
    },
    "ball": {"constraints": numopt.Ball(0.2, center=0.05)},
    "free": {},
}


@pytest.mark.parametrize("name", SETS)
def test_same_solution_and_multipliers_as_sqp(name):
    start = np.full(6, 0.9)  # outside of all of the sets
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", numopt.OptimizeWarning)  # x0 is moved onto its bounds
        ours = minimize(loss, start, jac=True, method="projected-gradient", **SETS[name])
        other = minimize(loss, start, jac=True, method="sqp", **SETS[name])
    assert ours.status is Status.KKT and other.status is Status.KKT and ours.nit > 2
    assert np.allclose(ours.x, other.x, atol=1e-6) and ours.constr_violation <= 1e-12
    for mine, its in zip(ours.multipliers, other.multipliers, strict=True):
        assert np.allclose(mine, its, atol=1e-5)
    assert np.allclose(ours.bound_multipliers, other.bound_multipliers, atol=1e-5)
    assert numopt.kkt(lambda x: loss(x)[0], ours, jac=lambda x: loss(x)[1], **SETS[name]).holds(1e-6)


def test_no_point_outside_once_it_is_inside():
    seen = []

    def recorded(x):
        seen.append(x.copy())
        return loss(x)

    minimize(recorded, [0.5 / 6] * 6, jac=True, method="projected-gradient", constraints=numopt.Simplex(0.5))
    assert len(seen) > 5 and all((x >= 0.0).all() and abs(x.sum() - 0.5) < 1e-12 for x in seen)


def test_resumed_bit_for_bit():
    whole = minimize(loss, [0.1] * 6, jac=True, method="projected-gradient", constraints=numopt.Simplex(0.5))
    part = minimize(loss, [0.1] * 6, jac=True, method="projected-gradient", constraints=numopt.Simplex(0.5),
                    options={"maxiter": 3})  # fmt: skip
    rest = numopt.resume(part, loss, jac=True, constraints=numopt.Simplex(0.5), options={"maxiter": 1000})
    assert part.nit == 3 and rest.nit == whole.nit > 3 and rest.x.tobytes() == whole.x.tobytes()
