"""Solvers inside compiled code."""

import subprocess
import sys

import numba
import numpy as np
import pytest

import numopt
from numopt import minimize
from numopt.drivers import units
from numopt.kernels.oracle import Run, free_variables, lower_bounds, upper_bounds, vector
from numopt.kernels.slots import N_COUNTERS, N
from numopt.kernels.views import segment


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


def test_parts_of_a_strided_workspace():
    """Columns of a block, as on a GPU, and contiguous ones: the same elements, and writing reaches them."""

    @numba.njit
    def parts(c, w):
        R = Run(0, 0, 0, 0, 0, 0, 0, 0, 0, c, w, w, w)
        vector(R, 1)[:] += 100.0
        return vector(R, 1).sum(), lower_bounds(R)[0], upper_bounds(R)[1], free_variables(R)[1], segment(w, 3, 2).sum()

    c, w = np.zeros((N_COUNTERS, 2), np.int64), np.arange(24.0).reshape(12, 2)
    c[N] = 2
    expected = w[2:4, 1].sum() + 200.0, w[8, 1], w[11, 1], w[7, 1], w[3:5, 1].sum() + 100.0
    contiguous = w[:, 1].copy()
    assert parts(c[:, 1], w[:, 1]) == expected
    assert w[2, 1] == 105.0 and w[2, 0] == 4.0
    assert parts(c[:, 1].copy(), contiguous) == expected and contiguous[3] == 107.0


def test_units_own_no_memory():
    """Counting of references is left out of units: right only as long as they allocate nothing."""
    units.address("bfgs")
    for path in units.cache_folder().glob(f"*-{units.key()}.o"):
        assert b"NRT_MemInfo_alloc" not in path.read_bytes() and b"NRT_Allocate" not in path.read_bytes(), path.name


def test_a_unit_compiled_in_the_same_process_leaves_the_code_of_others_alone():
    """The functions within a unit lose arguments; a loader that took them for those of other code ended in a crash."""
    code = """
import numba, numpy as np, numopt
from numopt.drivers import units

units._compile("bfgs")
solve = numopt.jit_solver("gd", line_search="armijo")

@numba.njit
def bowl(x, g, data):
    g[:] = 2.0 * (x - 1.0)
    return ((x - 1.0) ** 2).sum()

@numba.njit
def run():
    return solve(bowl, np.zeros(3))[0]

print(run().round(6).tolist())
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert out.returncode == 0 and out.stdout.strip() == "[1.0, 1.0, 1.0]", out.stderr[-2000:]


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
