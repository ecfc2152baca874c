"""The problems with bounds: their functions by differences, their minima by the first-order conditions and by scipy."""

import warnings

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from numopt import problems
from numopt.problems import _bounds, _bounds_large
from numopt.problems._problem import TestProblem

NAMES = problems.names("bounds")
LARGE = list(_bounds_large.NAMES)
SIZED = [name for name in NAMES if name not in LARGE]
GAY = [name for name in _bounds._TABLE if not name.endswith("_halfway")]

# the minima that TOMLAB and Neumaier's page list, of sum r_i^2, to the digits given; the problem's other figures differ
# where the number of residuals does (gulf, box_3d) or the data (osborne_2)
PUBLISHED = {
    "rosenbrock_bounded": 0.25, "freudenstein_roth_bounded": 48.985202, "powell_badly_scaled_bounded": 0.15125900e-9,
    "brown_badly_scaled_bounded": 784.0, "beale_bounded": 0.0, "jennrich_sampson_bounded": 2 * 62.191556458188948,
    "helical_valley_bounded": 0.99042212, "bard_bounded": 2 * 0.00479114236, "gaussian_bounded": 0.11279300e-7,
    "meyer_bounded": 2 * 63.7258856, "powell_singular_bounded": 2 * 0.000093909815, "wood_bounded": 1.5567008,
    "kowalik_osborne_bounded": 2 * 0.000153915361732099, "brown_dennis_bounded": 88860.479,
    "osborne_1_bounded": 2 * 0.000027351416716868, "biggs_exp6_bounded": 0.53209865e-3,
    "watson_bounded": 2 * 0.001144803219124709, "watson_9_bounded": 2 * 0.018700698896592250,
    "brown_almost_linear_bounded": 2 * 0.003046589288298371, "linear_full_rank_bounded": 0.25 + 45.0,
    "chebyquad_bounded": 2 * 0.001796121192987531,
}  # fmt: skip


def _within(problem, x):
    return np.all(x >= problem.bounds[:, 0]) and np.all(x <= problem.bounds[:, 1])


def _interior(problem, rng):
    """A point within the bounds, near the start."""
    x = problem.x0 + 0.1 * rng.standard_normal(problem.n) * np.maximum(1.0, np.abs(problem.x0))
    low, high = problem.bounds.T
    inset = np.minimum(1e-3 * np.maximum(1.0, np.abs(problem.x0)), np.where(high > low, 0.25 * (high - low), 0.0))
    return np.clip(x, low + inset, high - inset)


def test_there_are_gays_38_and_others():
    assert len(GAY) == 38 and len(SIZED) == 44 and len(NAMES) == 48
    assert len({problems.get(name).functions for name in ("osborne_2_bounded", "osborne_2_fixed")}) == 1
    # a function has one compiled form, whatever its bounds
    assert problems.get("wood_bounded").functions.value_grad is problems.get("wood_bounded", scale=10).value_grad


@pytest.mark.parametrize("name", NAMES)
def test_bounds_are_well_formed(name):
    problem = problems.get(name)
    bounds = problem.bounds
    assert bounds.shape == (problem.n, 2) and (bounds[:, 0] <= bounds[:, 1]).all()
    assert np.isfinite(bounds).any() and not np.isnan(bounds).any()
    with pytest.raises(ValueError, match="read-only"):
        bounds[0, 0] = 1.0
    for scale in (1, 10, 100):
        x0 = problems.get(name, scale=scale).x0
        assert x0.shape == (problem.n,) and _within(problem, x0) and problem.feasible(x0)
        assert np.array_equal(x0, np.clip(scale * np.array(problems.get(name).x0), *bounds.T)) or not np.array_equal(
            problem.start if not callable(problem.start) else problem.start(problem.n), problem.x0
        )
    fixed = bounds[:, 0] == bounds[:, 1]
    assert fixed.sum() == (name == "osborne_2_fixed")


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name):
    problem = problems.get(name)
    rng = np.random.default_rng(3)
    for _ in range(2):
        x = _interior(problem, rng)
        f, g = problem.fun_and_grad(x)
        assert np.isfinite(f) and np.isfinite(g).all()
        out = np.empty(problem.n)
        assert problem.value_grad(x, out) == f and np.array_equal(out, g)
        for _ in range(3):
            # one step for all variables would be too long for some and drown in rounding for others
            d = rng.standard_normal(problem.n) * np.maximum(1e-2, np.abs(x))
            slopes = [
                (8 * (problem.fun(x + h * d) - problem.fun(x - h * d)) - problem.fun(x + 2 * h * d)
                 + problem.fun(x - 2 * h * d)) / (12 * h) for h in (1e-3, 1e-4, 1e-5)
            ]  # fmt: skip
            scale = np.abs(g) @ np.abs(d)
            assert min(abs(slope - g @ d) for slope in slopes) <= 1e-7 * scale + 1e-12 * abs(f), (slopes, g @ d)
        plain = problem.python_fun_and_grad(x)
        assert plain[0] == pytest.approx(f, rel=1e-9, abs=1e-13)
        assert np.allclose(plain[1], g, rtol=1e-8, atol=1e-9 * max(1.0, np.abs(g).max()))


def _curvature(problem, x):
    """Sizes of the diagonal of the Hessian, by differences: how far rounding of x shows in the gradient."""
    h = 1e-6 * np.maximum(1e-3, np.abs(x))
    found = np.empty(x.size)
    for j in range(x.size):
        up, down = x.copy(), x.copy()
        up[j] += h[j]
        down[j] -= h[j]
        found[j] = abs((problem.grad(up)[j] - problem.grad(down)[j]) / (up[j] - down[j]))
    return found


@pytest.mark.parametrize("name", SIZED)
def test_solutions_fulfil_the_first_order_conditions(name):
    problem = problems.get(name)
    x = np.array(problem.solution)
    low, high = problem.bounds.T
    assert _within(problem, x) and list(problem.minima) == sorted(problem.minima)
    f, g = problem.fun_and_grad(x)
    assert f == pytest.approx(problem.minima[0], rel=1e-11, abs=1e-22)
    assert problem.solved(f, np.inf, x)
    # x has 53 bits: a free variable's derivative is zero up to its second derivatives times the rounding of x
    rounding = 1e-14 * np.sqrt(_curvature(problem, x) * (_curvature(problem, x) * x**2).sum())
    free, movable = (low < x) & (x < high), low < high
    assert (np.abs(g[free]) <= rounding[free] + 1e-12).all(), (g, rounding)
    assert (g[(x == low) & movable] >= -1e-12 * max(1.0, abs(f))).all()
    assert (g[(x == high) & movable] <= 1e-12 * max(1.0, abs(f))).all()
    slack = np.zeros(problem.n)
    slack[free] = rounding[free]
    assert problem.optimality(x, g) <= slack.max() + 1e-12 * max(1.0, abs(f))


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_minima_are_those_published(name):
    assert problems.get(name).minima[0] == pytest.approx(PUBLISHED[name], rel=2e-7, abs=1e-12)


@pytest.mark.parametrize("name", SIZED)
def test_scipy_finds_nothing_lower(name):
    problem = problems.get(name)
    rng = np.random.default_rng(11)
    lowest = np.inf
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for start in (problem.x0, _interior(problem, rng), np.array(problem.solution)):
            end = scipy.optimize.minimize(problem.fun_and_grad, start, jac=True, method="L-BFGS-B",
                                          bounds=problem.bounds, options={"ftol": 1e-15, "gtol": 1e-10})  # fmt: skip
            lowest = min(lowest, end.fun) if np.isfinite(end.fun) else lowest
    f = problem.minima[0]
    assert lowest >= f - 1e-10 * abs(f) - 1e-20
    assert lowest == pytest.approx(f, rel=1e-8, abs=1e-14)


def test_most_bounds_bite():
    """The point of the set: at the minimum something is active in nearly all of them."""
    active = {}
    for name in SIZED:
        problem = problems.get(name)
        x = np.array(problem.solution)
        active[name] = int(((x == problem.bounds[:, 0]) | (x == problem.bounds[:, 1])).sum())
    idle = {name for name, count in active.items() if count == 0}
    assert idle <= {"gaussian_bounded", "osborne_2_bounded", "linear_rank_1_bounded", "trigonometric_bounded",
                    "chebyquad_9_bounded", "chebyquad_10_bounded"}  # fmt: skip
    assert active["beale_bounded"] == 1  # with a multiplier of zero
    assert active["rosenbrock_bounded"] == 1 and active["nnls_diabetes"] >= 2


def test_least_squares_on_data_by_nnls():
    problem = problems.get("nnls_diabetes")
    from numopt.problems._data import load

    X, y = load("diabetes")
    # the columns have mean zero, so that the intercept is the mean of y
    w, norm = scipy.optimize.nnls(X, y - y.mean())
    assert norm**2 / (2 * len(y)) == pytest.approx(problem.minima[0], rel=1e-12)
    assert np.allclose(problem.solution[:-1], w, atol=1e-9) and problem.solution[-1] == pytest.approx(y.mean())


@pytest.mark.parametrize("name", LARGE)
def test_sizes(name):
    for n in (16, 100, 400):
        problem = problems.get(name, n=n)
        assert problem.n == n and problem.x0.shape == (n,) and problem.bounds.shape == (n, 2)
        end = scipy.optimize.minimize(problem.fun_and_grad, problem.x0, jac=True, method="L-BFGS-B",
                                      bounds=problem.bounds,
                                      options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 20000,
                                               "maxfun": 40000})  # fmt: skip
        f, g = problem.fun_and_grad(end.x)
        assert problem.optimality(end.x, g) <= 1e-5 * max(1.0, np.abs(g).max())
        assert not problem.minima or f == pytest.approx(problem.minima[0], rel=1e-9, abs=1e-9)
        if problem.solution is not None:
            f, g = problem.fun_and_grad(problem.solution)
            assert problem.optimality(problem.solution, g) <= 1e-12
            assert f == pytest.approx(problem.minima[0], rel=1e-14, abs=1e-14)
    assert problems.get(name).n == 100


def test_a_third_of_a_million_bounds_is_active():
    for name in ("rosenbrock_bounded_n", "quadratic_bounded_n"):
        problem = problems.get(name, n=1_000_000)
        active = (problem.solution == problem.bounds[:, 0]) | (problem.solution == problem.bounds[:, 1])
        assert active.mean() == pytest.approx(1 / 3, abs=1e-3)
        g = np.empty(problem.n)
        f = problem.value_grad(problem.solution, g)
        assert problem.optimality(problem.solution, g) <= 1e-11 and problem.solved(f, 0.0, problem.solution)
        assert f == pytest.approx(problem.minima[0], abs=1e-9)
    for name in ("torsion_n", "journal_bearing_n"):
        problem = problems.get(name, n=1_000_000)
        assert np.isfinite(problem.value_grad(problem.x0, np.empty(problem.n))) and problem.minima == ()


bound = st.floats(-5, 5).map(lambda v: round(v, 2))


@given(st.lists(st.tuples(bound, bound, bound, bound), min_size=1, max_size=6))
def test_optimality_is_the_projected_gradient(rows):
    table = np.array(rows)
    box = np.sort(table[:, :2], axis=1)
    problem = TestProblem("any", len(rows), (0.0,) * len(rows), (), None, bounds=box)
    x, g = table[:, 2], table[:, 3]
    assert problem.optimality(x, g) == pytest.approx(np.abs(np.clip(x - g, *box.T) - x).max(), abs=1e-12)
    assert problem.feasible(x) == bool((box[:, 0] <= x).all() and (x <= box[:, 1]).all())
    inside = np.clip(x, *box.T)
    # it vanishes just where the first-order conditions hold
    holds = ((g == 0) | ((inside == box[:, 0]) & (g >= 0)) | ((inside == box[:, 1]) & (g <= 0))).all()
    assert (problem.optimality(inside, g) == 0.0) == holds


def test_outside_the_bounds_is_no_solution():
    problem = problems.get("rosenbrock_bounded")
    x = np.array([1.0, 1.0])
    f, g = problem.fun_and_grad(x)
    assert np.abs(g).max() == 0.0 and problem.optimality(x, g) == 0.5
    assert not problem.solved(f, problem.optimality(x, g), x) and not problem.feasible(x)
    free = problems.get("rosenbrock")
    assert free.bounds is None and free.optimality(x, g) == 0.0 and free.solved(f, 0.0, x) and free.feasible(x)


def test_bad_requests():
    with pytest.raises(ValueError, match="needs n to be a square; got 120"):
        problems.get("torsion_n", n=120)
    with pytest.raises(ValueError, match="needs n to be even; got 3"):
        problems.get("rosenbrock_bounded_n", n=3)
    with pytest.raises(ValueError, match="needs n to be positive; got 0"):
        problems.get("quadratic_bounded_n", n=0)
    with pytest.raises(ValueError, match="has n = 2; got n = 3"):
        problems.get("rosenbrock_bounded", n=3)
    with pytest.raises(ValueError, match="did you mean 'rosenbrock_bounded"):
        problems.get("rosenbrock_bounde")
