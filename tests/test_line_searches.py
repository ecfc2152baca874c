"""The line searches, replayed on (t, phi, phi') without any objective."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numopt.kernels.slots import ACCEPT, FAILED, FLAT, N_LS, TRY, UNBOUNDED_BELOW
from numopt.linesearch import armijo, exact, hager_zhang, wolfe
from numopt.linesearch.common import DPHI0, PHI0, SC1, SC2, SFIRST, SMAX, SMIN, ST


def _machine(module):
    begin, go_on = module.start, module.advance

    @numba.njit
    def start(s):
        begin(s)

    @numba.njit
    def advance(s, f, d):
        return go_on(s, f, d)

    return start, advance


MACHINES = {name: _machine(module) for name, module in
            {"wolfe": wolfe, "armijo": armijo, "hager_zhang": hager_zhang, "exact": exact}.items()}  # fmt: skip


def replay(name, phi, dphi, t0=1.0, c1=1e-4, c2=0.9, trials=60, t_max=1e20):
    """(task, accepted t, [(t, phi, phi')]) of a search."""
    start, advance = MACHINES[name]
    s = np.zeros(N_LS)
    s[PHI0], s[DPHI0], s[SC1], s[SC2], s[SMIN], s[SMAX] = phi(0.0), dphi(0.0), c1, c2, 1e-20, t_max
    s[ST] = s[SFIRST] = t0
    start(s)
    seen = []
    for _ in range(trials):
        t = float(s[ST])
        seen.append((t, phi(t), dphi(t)))
        task = advance(s, *seen[-1][1:])
        if task != TRY:
            return task, t, seen
    return TRY, t, seen


@st.composite
def quartics(draw):
    """phi with phi'(0) < 0 and phi -> inf, and its derivative."""
    a = draw(st.floats(0.01, 10.0))
    b = draw(st.floats(-5.0, 5.0))
    c = draw(st.floats(0.0, 5.0))
    slope = -draw(st.floats(1e-3, 100.0))
    return (
        lambda t: a * t**4 + b * t**3 + c * t**2 + slope * t,
        lambda t: 4 * a * t**3 + 3 * b * t**2 + 2 * c * t + slope,
    )


@settings(max_examples=150, deadline=None)
@given(quartics(), st.floats(1e-6, 1e6))
@pytest.mark.parametrize("name", list(MACHINES))
def test_accepted_steps_fulfil_their_conditions(name, functions, t0):
    phi, dphi = functions
    c1, c2 = (0.1, 0.9) if name == "hager_zhang" else (1e-4, 1e-3) if name == "exact" else (1e-4, 0.9)
    task, t, seen = replay(name, phi, dphi, t0, c1, c2)
    assert task == ACCEPT and t == seen[-1][0] and t > 0.0
    f, d, slope = seen[-1][1], seen[-1][2], dphi(0.0)
    rounding = 10 * np.finfo(float).eps * max(abs(phi(0.0)), abs(f))
    if name == "wolfe":
        assert f <= phi(0.0) + c1 * t * slope + rounding and abs(d) <= c2 * abs(slope)
    elif name == "armijo":
        assert f <= phi(0.0) + c1 * t * slope
    elif name == "hager_zhang":
        weak = f - phi(0.0) <= c1 * t * slope
        approximate = f <= phi(0.0) + 1e-6 * abs(phi(0.0)) + rounding and (2 * c1 - 1) * slope >= d
        assert d >= c2 * slope and (weak or approximate)
    else:
        assert f <= phi(0.0) + rounding and abs(d) <= c2 * abs(slope) * (1 + 1e-12)
    assert len(seen) <= 60


def test_unit_step_is_taken_at_once():
    phi, dphi = (lambda t: (t - 1.0) ** 2), (lambda t: 2.0 * (t - 1.0))
    for name in MACHINES:
        assert replay(name, phi, dphi)[2] == [(1.0, 0.0, 0.0)]


def test_armijo_follows_the_textbook():
    # quadratic interpolation of a parabola finds its minimum: one trial too far, then the minimiser
    phi, dphi = (lambda t: (t - 0.3) ** 2), (lambda t: 2.0 * (t - 0.3))
    task, t, seen = replay("armijo", phi, dphi, t0=1.0)
    assert task == ACCEPT and t == pytest.approx(0.3) and len(seen) == 2
    # cubic interpolation through two values is exact for a cubic
    phi, dphi = (lambda t: 100.0 * t**3 - t), (lambda t: 300.0 * t**2 - 1.0)
    task, t, seen = replay("armijo", phi, dphi, t0=2.0)
    assert [round(s[0], 12) for s in seen[:2]] == [2.0, 0.2] and task == ACCEPT
    assert t == pytest.approx(1.0 / math.sqrt(300.0))


def test_more_thuente_counts():
    """Function 1 of Moré & Thuente's tests (beta = 2, mu = 1e-3, eta = 0.1), counts of their table I."""
    beta = 2.0
    phi = lambda t: -t / (t * t + beta)  # noqa: E731
    dphi = lambda t: (t * t - beta) / (t * t + beta) ** 2  # noqa: E731
    for t0, count, end in ((1e-3, 6, 1.4), (1e-1, 3, 1.4), (1e1, 1, 10.0), (1e3, 4, 37.0)):
        task, t, seen = replay("wolfe", phi, dphi, t0, 1e-3, 0.1)
        assert task == ACCEPT and len(seen) == count and t == pytest.approx(end, rel=0.03)


def test_exact_reaches_the_tolerance():
    phi, dphi = (lambda t: math.cosh(t - 3.0)), (lambda t: math.sinh(t - 3.0))
    task, t, seen = replay("exact", phi, dphi, 0.01, c2=1e-10)
    assert task == ACCEPT and abs(t - 3.0) < 1e-8 and len(seen) <= 25


@pytest.mark.parametrize("name", list(MACHINES))
def test_steps_back_from_where_phi_is_undefined(name):
    phi = lambda t: -math.log(1.0 - t) - 2.0 * t if t < 1.0 else math.nan  # noqa: E731
    dphi = lambda t: 1.0 / (1.0 - t) - 2.0 if t < 1.0 else math.nan  # noqa: E731
    task, t, _ = replay(name, phi, dphi, 50.0, c2=0.9 if name != "exact" else 1e-3)
    assert task == ACCEPT and t < 1.0 and phi(t) < phi(0.0)


@pytest.mark.parametrize("name", list(MACHINES))
def test_minus_infinity(name):
    assert replay(name, lambda t: -math.inf if t > 0 else 0.0, lambda t: -1.0)[0] == UNBOUNDED_BELOW


@pytest.mark.parametrize("name", ["wolfe", "hager_zhang", "exact"])
def test_going_down_for_ever(name):
    task, t, _ = replay(name, lambda t: -t, lambda t: -1.0, c1=1e-4, c2=0.5, trials=200)
    assert task == UNBOUNDED_BELOW or t >= 1e10


@pytest.mark.parametrize("name", list(MACHINES))
def test_wrong_slope_is_a_failure(name):
    task, _, seen = replay(name, lambda t: 1.0 + t, lambda t: -1.0, trials=200)
    assert task == FAILED and len(seen) <= 120


@pytest.mark.parametrize("name", list(MACHINES))
def test_nothing_left_to_gain_is_told_from_failure(name):
    # phi rises by rounding alone: the slope promises a decrease of 1e-10 of 1e8
    task, _, _ = replay(name, lambda t: 1e8 + (1e-7 if t > 0 else 0.0), lambda t: -1e-10, c2=0.5, trials=200)
    assert task == FLAT


@pytest.mark.parametrize("name", ["wolfe", "hager_zhang", "exact"])
def test_slopes_decide_where_values_are_flat(name):
    # phi(t) = 1e16 + (t - 1)^2 is constant in double precision; its slopes are exact
    task, t, _ = replay(name, lambda t: 1e16, lambda t: 2.0 * (t - 1.0), t0=0.9, c2=0.5)
    assert task == ACCEPT and t == 0.9


def test_largest_step_is_respected():
    task, t, seen = replay("wolfe", lambda t: -t, lambda t: -1.0, t_max=7.0)
    assert task == ACCEPT and t == 7.0 and max(s[0] for s in seen) == 7.0
