"""Solvers inside compiled code."""

import numba
import numpy as np
import pytest

import numopt
from numopt import minimize


@numba.njit
def rosen(x, g, data):
    f = 0.0
    n = x.size
    for i in range(n):
        g[i] = 0.0
    for i in range(n - 1):
        a, b = data[0] * (x[i + 1] - x[i] * x[i]), 1.0 - x[i]
        f += a * a + b * b
        g[i] -= 4.0 * data[0] * a * x[i] + 2.0 * b
        g[i + 1] += 2.0 * data[0] * a
    return f


@numba.njit
def rosen_hess(x, H, data):
    n, q = x.size, data[0] ** 2
    for k in range(n * n):
        H[k] = 0.0
    for i in range(n - 1):
        H[i * n + i] += 12.0 * q * x[i] ** 2 - 4.0 * q * x[i + 1] + 2.0
        H[i * n + i + 1] -= 4.0 * q * x[i]
        H[(i + 1) * n + i] -= 4.0 * q * x[i]
        H[(i + 1) * n + i + 1] += 2.0 * q


STARTS = np.array([[-1.2, 1.0], [2.0, 2.0], [0.0, 0.0]])
SCALES = np.array([[10.0], [5.0], [2.0]])


def _front_door(method):
    scale = [0.0]

    @numba.njit
    def inplace(x, g, data):
        return rosen(x, g, data)

    found = []
    for x0, scale in zip(STARTS, SCALES, strict=True):
        found.append(minimize(inplace, x0, args=(scale,), jac="inplace", method=method))
    return found


@pytest.mark.parametrize("method", ["lbfgs", "cg-pr", "gd-fixed"])
def test_same_as_the_front_door(method):
    solve = numopt.jit_solver(method)
    for x0, scale, expected in zip(STARTS, SCALES, _front_door(method), strict=True):
        x, f, gnorm, status, nit, nfev = solve(rosen, x0, scale)
        assert (status, nit, nfev) == (expected.status, expected.nit, expected.nfev)
        assert np.allclose(x, expected.x, rtol=1e-10) and f == pytest.approx(expected.fun, rel=1e-6, abs=1e-20)


def test_in_parallel_loops():
    solve = numopt.jit_solver("lbfgs", gtol=1e-8)

    @numba.njit(parallel=True)
    def all_of_them(starts, scales):
        out, ends = np.empty_like(starts), np.empty(len(starts), np.int64)
        for k in numba.prange(len(starts)):
            x, f, gnorm, ends[k], nit, nfev = solve(rosen, starts[k], scales[k])
            out[k] = x
        return out, ends

    many = np.repeat(STARTS, 40, axis=0)
    out, ends = all_of_them(many, np.repeat(SCALES, 40, axis=0))
    assert (ends == 0).all() and np.allclose(out, 1.0, atol=1e-6)
    assert all(np.array_equal(out[k], out[k - k % 40]) for k in range(len(many)))


def test_newton_with_a_hessian():
    solve = numopt.jit_solver("newton")
    x, f, gnorm, status, nit, nfev = solve(rosen, STARTS[0], SCALES[0], rosen_hess)
    assert status == 0 and np.allclose(x, 1.0, atol=1e-6) and nit <= 30


def test_newton_without_a_hessian():
    solve = numopt.jit_solver("newton")
    with pytest.raises(ValueError, match="'newton' needs hess"):
        solve(rosen, np.zeros(2), np.array([10.0]))


def test_gradient_norm_is_that_of_the_best_point():
    solve = numopt.jit_solver("gd-fixed", step=1.5, maxiter=4)  # diverges: the start is the best point

    @numba.njit
    def bowl(x, g, data):
        g[0] = 2.0 * x[0]
        return x[0] ** 2

    x, f, gnorm, status, nit, _ = solve(bowl, np.ones(1))
    assert (x[0], f, gnorm, status, nit) == (1.0, 1.0, 2.0, numopt.Status.MAXITER, 4)


def test_options_that_mean_nothing_inside_are_refused():
    with pytest.raises(ValueError, match="'disp' has no meaning"):
        numopt.jit_solver("lbfgs", disp=True)
    with pytest.raises(ValueError, match="unknown method"):
        numopt.jit_solver("nonsense")


@pytest.mark.parametrize("name", ["lbfgs", "bfgs", "cg", "newton", "gd"])
def test_bounds(name):
    """The projected gradient is what ``gnorm`` measures; the points are minimize's."""

    @numba.njit
    def bowl(x, g, data):
        f = 0.0
        for i in range(x.size):
            g[i] = (i + 1.0) * (x[i] - 1.0)
            f += 0.5 * g[i] * (x[i] - 1.0)
        return f

    @numba.njit
    def hess(x, H, data):
        H[:] = 0.0
        for i in range(x.size):
            H[i * x.size + i] = i + 1.0

    solve = numopt.jit_solver(name, gtol=1e-8)
    lower, upper = np.array([2.0, -np.inf, -np.inf]), np.array([5.0, 0.5, np.inf])
    second = hess if name == "newton" else None

    @numba.njit
    def run(x0, lower, upper):
        return solve(bowl, x0, None, second, lower, upper)

    x, f, gnorm, status, _, _ = run(np.array([3.0, -2.0, 0.5]), lower, upper)
    assert np.allclose(x, [2.0, 0.5, 1.0], atol=1e-8) and gnorm <= 1e-8 and status == numopt.Status.GRADIENT
    with pytest.raises(ValueError, match="lower and upper must be arrays"):
        run(np.array([3.0, -2.0, 0.5]), upper, lower)
