"""Solvers inside compiled code, in the CUDA simulator, and compiled to PTX."""

import os
import subprocess
import sys
import textwrap

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


CUDA = """
import numpy as np
from numba import njit
from numopt.drivers.cuda import make_kernel
from numopt.kernels import slots as s
from numopt.optimize._inline import solver_parts

@njit
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

kernel, blocks = make_kernel(solver_parts("lbfgs", {}), rosen)
"""


def _run(code, **env):
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", CUDA + textwrap.dedent(code)], capture_output=True,
                         text=True, timeout=300, env={**os.environ, **env})  # fmt: skip
    assert out.returncode == 0, out.stderr[-2000:]
    return out.stdout


def test_cuda_simulator():
    out = _run(
        """
        c, p, w = blocks(np.array([[-1.2, 1.0], [2.0, 2.0], [0.0, 0.0]]))
        kernel[1, 3](np.array([[10.0, 5.0, 2.0]]), c, p, w)
        for k in range(3):
            here = int(s.X0 + c[s.PARITY, k])
            print(c[s.STATUS, k], c[s.NFEV, k], *w[2 * here : 2 * here + 2, k])
        """,
        NUMBA_ENABLE_CUDASIM="1",
        NUMBA_DISABLE_JIT="1",
    )
    for line, expected in zip(out.strip().splitlines(), _front_door("lbfgs"), strict=True):
        status, nfev, *x = line.split()
        assert int(status) == 0 and int(nfev) == expected.nfev
        assert np.allclose(np.array(x, float), expected.x, rtol=1e-9)


@pytest.mark.skipif(sys.platform != "linux", reason="NVVM comes with the cuda extra, on Linux")
def test_compiles_to_ptx():
    pytest.importorskip("cuda.bindings", reason="needs the cuda extra")
    out = _run(
        """
        from types import SimpleNamespace
        from numba import cuda, types
        from numba.cuda import dispatcher
        # numba-cuda asks the driver for the device even where a compute capability is named
        dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=(9, 0))
        real, whole = types.Array(types.float64, 2, "C"), types.Array(types.int64, 2, "C")
        ptx, _ = cuda.compile_ptx(kernel.py_func, (real, whole, real, real), cc=(9, 0))
        print(".target sm_90" in ptx, ".visible .entry" in ptx, "clock_gettime" in ptx)
        """
    )
    assert out.split() == ["True", "True", "False"]


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
