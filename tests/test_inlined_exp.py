"""exp written out in the machine code of models: accuracy, ends of the range, no dependence on a row's place."""

import ctypes
import math

import numpy as np
import pytest
from numba import njit

import numopt
from numopt.callbacks import arguments, jitted_models, models
from numopt.callbacks.inlined_exp import Adapter
from numopt.kernels import squares_slots as q

ENDS = [0.0, -0.0, math.inf, -math.inf, math.nan, 709.782712893384, 709.7827128933841, 710.0, 1e308, -1e308, 1e-320]
ENDS += [-745.1332191019411, -745.1332191019412, -746.0, -708.4, -720.0]


@njit
def exponential(x, a):
    return np.exp(a * x)


@njit
def divided(x, a, b):
    return math.exp(-x * x / b) + a


@njit
def reordered(x, a):
    return math.exp(x) + a


reordered_fast = njit(fastmath=True)(reordered.py_func)


def compiled(f, n):
    """(the adapter, a function (x, params) -> values) of a model of single rows."""
    f, x_type, _, _ = jitted_models.forms(f, n, 1, True)
    adapter = jitted_models.rows(f, n, x_type, True)
    call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 5)(adapter.address)

    def values(x, *params):
        x, p = np.array(x, float), np.array(params)
        out, (table, _keep) = np.empty(x.size), arguments.table_of((x,), 0)
        call(p.ctypes.data, 0, x.size, out.ctypes.data, table.ctypes.data)
        return out

    return adapter, values


@pytest.fixture(scope="module")
def exp():
    adapter, values = compiled(exponential, 1)
    if not isinstance(adapter, Adapter):
        pytest.skip("no fused multiply and add on this machine: exp is the C library's")
    return lambda x: values(x, 1.0)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="nothing more accurate at hand to compare with")
@pytest.mark.parametrize("low, high", [(-708.0, 709.0), (-1.0, 1.0), (-745.0, -708.0), (-1e-9, 1e-9)])
def test_within_one_unit_in_the_last_place(exp, low, high):
    x = np.random.default_rng(0).uniform(low, high, 100_000)
    true = np.exp(x.astype(np.longdouble))
    assert (np.abs(exp(x) - true) <= np.spacing(true.astype(float))).all()


def test_ends_of_the_range_are_as_in_c(exp):
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(exp(ENDS), np.exp(ENDS), rtol=2.3e-16, atol=5e-324)
    assert exp([math.inf])[0] == math.inf and exp([-math.inf])[0] == 0.0 and exp([709.7827128933841])[0] == math.inf


def test_a_row_does_not_depend_on_its_place(exp):
    x = np.concatenate((np.random.default_rng(1).uniform(-750.0, 710.0, 61), ENDS))
    np.testing.assert_array_equal(exp(x), [exp([a])[0] for a in x])


def test_values_side_by_side_are_those_one_at_a_time():
    f, x_type, _, _ = jitted_models.forms(divided, 2, 1, True)
    both = jitted_models.differences(f, 2, x_type, 32, ((0,), (1,)))
    call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_ssize_t] * 5)(both.address)
    x, points, out = np.linspace(-3.0, 4.0, 29), np.array([[2.0, 0.7], [2.1, -9.0], [-9.0, 0.8]]), np.zeros((3, 32))
    table, _keep = arguments.table_of((x,), 0)
    call(points.ctypes.data, 3, 29, out.ctypes.data, table.ctypes.data)
    _, values = compiled(divided, 2)
    for column, params in zip(out, ([2.1, 0.7], [2.0, 0.8], [2.0, 0.7]), strict=True):
        np.testing.assert_array_equal(column[:26], values(x[3:], *params))


def test_a_model_that_may_be_reordered_is_not_exact():
    f, x_type, _, _ = jitted_models.forms(reordered, 1, 1, True)
    g = jitted_models.forms(reordered_fast, 1, 1, True)[0]
    assert jitted_models.is_exact(f, 1, x_type, True) and not jitted_models.is_exact(g, 1, x_type, True)


def test_what_a_late_row_raises_is_raised():
    @njit
    def hole(x, a, b):
        if x == 11.0 and b != 20.0:
            raise ValueError("a hole in the model")
        return a * math.exp(-x / b)

    with pytest.raises(ValueError, match="a hole in the model"):
        numopt.curve_fit(hole, np.arange(12.0), np.arange(12.0), [1.0, 20.0])


@pytest.mark.parametrize("b", [0.4, 20.0])  # from the second, some steps are not taken
def test_a_triangle_made_with_the_value_is_that_made_after_it(b, monkeypatch):
    x = np.linspace(-3.0, 4.0, 200)
    y = np.exp(-x * x / 1.7) + 0.05 * np.cos(40.0 * x)
    ahead = numopt.curve_fit(divided, x, y, [0.0, b])
    made, blocks = models.BoundModel.__init__, []

    def make(self, *given):
        made(self, *given)
        blocks.append(self.block)
        self.block[q.FIRST_X] = 0  # no point is in its place: values alone

    monkeypatch.setattr(models.BoundModel, "__init__", make)
    after = numopt.curve_fit(divided, x, y, [0.0, b])
    assert blocks and (ahead.nfev > ahead.njev) == (b == 20.0)
    assert (ahead.nit, ahead.nfev, ahead.njev, ahead.cost) == (after.nit, after.nfev, after.njev, after.cost)
    np.testing.assert_array_equal(ahead.popt, after.popt)
    np.testing.assert_array_equal(ahead.pcov, after.pcov)


@njit
def fibonacci(n):
    if n < 2:
        return 1
    return fibonacci(n - 1) + fibonacci(n - 2)


@njit
def recursive(x, a, b):
    return a * np.exp(-b * x) * fibonacci(4) / 5


def test_a_model_that_calls_what_calls_itself():
    """Only Numba's own loader finds such functions; another one's code ended in a crash."""
    assert not isinstance(compiled(recursive, 2)[0], Adapter)
    x = np.linspace(0.0, 2.0, 20)
    fit = numopt.curve_fit(recursive, x, 2.0 * np.exp(-1.5 * x))
    np.testing.assert_allclose(fit.popt, [2.0, 1.5], rtol=1e-6)
