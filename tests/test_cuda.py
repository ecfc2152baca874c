"""Batches on CUDA: in Numba's simulator against the CPU, compiled to PTX, and (where there is one) on a device."""

import json
import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import cuda_cases
import numpy as np
import pytest

import numopt
import numopt.cuda

HERE = Path(__file__).parent
# Names of cases whose iterates part from the CPU's by rounding (sums are taken in another order) or because the CPU
# backtracks on values alone; x agrees to the tolerance that the method ends by.
_APART = {"barzilai-borwein": 1e-4, "cg-hz": 1e-5, "armijo": 1e-6, "2-point hess": 1e-4}
_SINGLE = {"float32": 2e-3, "float32 values": 3e-2}
needs_device = pytest.mark.skipif(not numopt.cuda.available(), reason=str(numopt.cuda.why_not()))


def _python(*arguments, **env):
    path = os.pathsep.join(folder for folder in sys.path if folder)
    out = subprocess.run([sys.executable, "-W", "ignore", *arguments], capture_output=True, text=True, timeout=600,
                         cwd=HERE, env={**os.environ, "PYTHONPATH": path, **env})  # fmt: skip
    assert out.returncode == 0, out.stderr[-2000:]
    return out.stdout


@pytest.fixture(scope="module")
def cpu():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cuda_cases.solve("cpu")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    """({case/field: array}, {scenario: what was seen}), from one process."""
    path = tmp_path_factory.mktemp("cuda") / "found.npz"
    out = _python("cuda_cases.py", str(path), NUMBA_ENABLE_CUDASIM="1", NUMBA_DISABLE_JIT="1")
    return dict(np.load(path)), json.loads(out)


def _agree(found, cpu, rtol, names=None):
    for name in names or cuda_cases.cases():
        x, expected = found[name + "/x"], cpu[name + "/x"]
        atol = _APART.get(name, _SINGLE.get(name, rtol))
        assert np.allclose(x, expected, rtol=0.0, atol=atol), (name, np.abs(x - expected).max())
        if name not in _SINGLE:
            assert np.allclose(found[name + "/fun"], cpu[name + "/fun"], rtol=1e-8, atol=1e-8), name
        assert (found[name + "/status"] == cpu[name + "/status"]).all(), name


def test_every_method_in_the_simulator(simulator, cpu):
    found, _ = simulator
    assert set(found) == set(cpu)
    _agree(found, cpu, 1e-9)
    for name in cuda_cases.cases():
        if name not in (*_APART, *_SINGLE, "a variable fixed"):  # the CPU takes those that are fixed out
            for field in ("nit", "nfev", "njev", "nhev"):
                assert (found[f"{name}/{field}"] == cpu[f"{name}/{field}"]).all(), (name, field)


def test_single_precision_is_what_the_function_sees(simulator):
    found, _ = simulator  # cuda_cases.single answers NaN otherwise
    assert np.isfinite(found["float32/fun"]).all() and np.allclose(found["float32/x"], [1.25, 0.5], atol=0.05)


def test_chunks_do_not_matter(simulator):
    assert simulator[1]["chunks"] == [True] * 4


def test_arrays_on_the_device_are_used_where_they_lie(simulator):
    assert simulator[1]["on the device"]


def test_memory_is_what_is_stated(simulator):
    taken, (problem, lane) = simulator[1]["bytes"]
    # two streams, chunks of 5 problems, 4 lanes in the simulator, and the queue's one word
    assert taken == 2 * (5 * problem + 4 * lane + 8)


def test_out_of_memory_takes_smaller_chunks(simulator):
    assert simulator[1]["halved"] == [True, 80]


def test_out_of_memory_at_last_says_so_in_one_line(simulator):
    text = simulator[1]["none"]
    assert "not enough memory for 32 problems" in text and "device='cpu' would do" in text and "\n" not in text


def test_no_time_runs_nothing(simulator):
    assert simulator[1]["no time"] == [numopt.Status.NOT_RUN] * 12


def test_ctrl_c_keeps_what_has_ended(simulator):
    assert simulator[1]["interrupted"] == [0] * 8 + [numopt.Status.NOT_RUN] * 4


def test_an_interrupt_at_the_launch_loses_no_chunk(simulator):
    """What was to be under way is waited for, as the launch may have been done."""
    assert simulator[1]["interrupted at the launch"] == [0] * 8 + [numopt.Status.NOT_RUN] * 4


def test_a_shared_array_without_axes_is_a_number(simulator):
    assert simulator[1]["no axes"]


def test_auto_falls_back_to_the_cpu_for_forms_that_a_device_does_not_take(monkeypatch):
    from numopt.cuda import _device

    monkeypatch.setattr(_device, "why_not", lambda: None)
    fun, starts, args = cuda_cases.value.py_func, cuda_cases.STARTS[:2], (10.0, cuda_cases.SHIFT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, cpu = (numopt.minimize_batch(fun, starts, args, "bfgs", device=device) for device in ("auto", "cpu"))
    assert found.success.all() and np.array_equal(found.x, cpu.x)


def test_no_performance_warning_of_numba_for_a_small_batch():
    from numba.core.errors import NumbaPerformanceWarning

    from numopt.cuda import _transfer

    class Kernel:
        def __getitem__(self, configuration):
            warnings.warn(NumbaPerformanceWarning("Grid size 1"), stacklevel=2)
            return lambda *arguments: None

    class Array:
        def __getitem__(self, part):
            return self

        def copy_to_host(self, *where, stream):
            pass

    slot = _transfer._Slot.__new__(_transfer._Slot)
    slot.device = slot.host = {"status": Array(), "queue": Array()}
    slot.kernel, slot.lanes, slot.together, slot.results, slot.stream, slot.arguments = Kernel(), 1, 0, [], None, ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slot._launch(1)


def test_problems_left_by_lanes_that_ended_are_run(simulator):
    assert simulator[1]["launched again"] == [True, 2]


def test_a_start_that_is_not_finite_touches_no_other(simulator):
    assert simulator[1]["not finite"] == [[0, numopt.Status.NAN, 0], [[False, False], [True, True], [False, False]]]


def test_no_problems(simulator):
    assert simulator[1]["none at all"] == [0, 2]


def test_what_is_missing_is_said_in_one_line(monkeypatch):
    from numopt.cuda import _device

    monkeypatch.setattr(_device, "why_not", lambda: "no NVIDIA driver")
    assert numopt.cuda.resolve("auto") == "cpu" and numopt.cuda.resolve("cpu") == "cpu"
    with pytest.raises(
        RuntimeError, match=r"^device='cuda' can't be used: no NVIDIA driver; device='cpu' does the same$"
    ):
        numopt.minimize_batch(cuda_cases.value, cuda_cases.STARTS, cuda_cases.ARGS, device="cuda")
    with pytest.raises(ValueError, match="device must be 'cpu', 'cuda' or 'auto'; got 'gpu'"):
        numopt.cuda.resolve("gpu")


def test_without_the_extra(monkeypatch):
    from numopt.cuda import _device

    monkeypatch.setattr(_device.importlib.util, "find_spec", lambda name: None)
    assert numopt.cuda.why_not() == "numba-cuda is not installed: pip install numopt-jit[cuda]"


def test_a_numpy_that_is_too_new_is_told_of(monkeypatch):
    from numopt.cuda import _device

    assert _device._unfit() is None

    def gone(name):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    monkeypatch.setattr(_device.importlib, "import_module", gone)
    text = _device._unfit()
    assert text.endswith("has no attribute 'row_stack'): take an earlier NumPy") and np.__version__ in text


def test_where_there_is_no_device_it_says_why():
    reason = numopt.cuda.why_not()
    assert reason is None or (len(reason) > 20 and "\n" not in reason)


def test_forms_that_a_device_does_not_take(monkeypatch):
    """Refused before anything is compiled, each in one line."""
    from numopt.cuda import _device

    monkeypatch.setattr(_device, "why_not", lambda: None)
    value, starts, args = cuda_cases.value, cuda_cases.STARTS, cuda_cases.ARGS
    for error, text, given in (
        (TypeError, "fun must be a function compiled by numba.njit", {"fun": value.py_func}),
        (ValueError, "jac must be 'inplace'", {"jac": "cs"}),
        (ValueError, "jac must be 'inplace'", {"jac": True}),
        (TypeError, r"hess must be .* hess\(x, H, \*args\)", {"method": "newton", "hess": lambda x: x}),
        (ValueError, "'initial_simplex'", {"method": "nelder-mead", "options": {"initial_simplex": np.eye(3, 2)}}),
        (ValueError, "l1", {"method": "sgd", "options": {"l1": 0.1}}),
    ):
        with pytest.raises(error, match=text):
            numopt.minimize_batch(**{"fun": value, "X0": starts, "args": args, "device": "cuda", **given})


@pytest.mark.parametrize("n, method, given", [(3, "lbfgs", {}), (4, "nelder-mead", {"own_bounds": True}),
                                              (2, "trust-krylov", {"dtype": "float32"})])  # fmt: skip
def test_memory_per_problem_is_that_of_the_batch(n, method, given):
    from numopt.cuda import _transfer
    from numopt.cuda._minimize import describe
    from numopt.optimize._batch_problem import minimize_problem
    from numopt.optimize._options import find_method, read_options

    row = find_method(method)
    values, front = read_options(row, {}, None, n)
    edges = (np.zeros((6, n)), np.ones((6, n))) if given.get("own_bounds") else (None, None)
    args = (numopt.each(np.zeros((6, 5), np.float32)), 1.0)
    jac = None if row.values_only else "inplace"
    problem = minimize_problem(row, values, front, cuda_cases.inplace, np.zeros((6, n)), args, jac, None, None, *edges,
                               dtype=given.get("dtype"))  # fmt: skip
    _, data = describe(problem)
    bytes_of_data = 5 * (4 if "dtype" in given else 8)
    stated = numopt.cuda.memory_per_problem(n, method, bytes_of_data, inplace=jac is not None, **given)
    assert stated == (_transfer.problem_bytes(data), _transfer.lane_bytes(data))


def test_plan_fits_the_memory():
    from numopt.cuda._transfer import plan

    for free in (10**5, 10**7, 10**10):
        for count in (1, 50, 10**6):
            chunk, lanes = plan(count, 200, 3000, 30_000, free)
            assert 1 <= chunk <= count and 1 <= lanes <= min(count, 30_000)
            assert 2 * (chunk * 200 + lanes * 3000) <= free or (chunk, lanes) == (1, 1)


PTX = """
import sys
from types import SimpleNamespace
import numba, numpy as np
from numba import cuda
from numba.cuda import dispatcher
# numba-cuda asks the driver for the device even where a compute capability is named
dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=(7, 5))
import cuda_cases
from numopt.catalog import METHODS
from numopt.cuda import _device
from numopt.cuda._minimize import describe
from numopt.cuda._transfer import signature_of
from numopt.optimize._batch_problem import minimize_problem
from numopt.optimize._options import read_options

def ptx(fun, method, capabilities, jac="inplace", **options):
    row = METHODS[method]
    values, front = read_options(row, {}, None, 2)
    made, data = describe(minimize_problem(row, values, front, fun, cuda_cases.STARTS, cuda_cases.ARGS, jac))
    for cc in capabilities:
        text, _ = cuda.compile_ptx(made.py_func, signature_of(data), cc=cc, **options)
        assert f".target sm_{cc[0]}{cc[1]}" in text and ".visible .entry" in text and "clock_gettime" not in text
        print(method, cc)
"""


def _ptx(code):
    pytest.importorskip("cuda.bindings", reason="needs the cuda extra")
    return _python("-c", PTX + textwrap.dedent(code))


@pytest.mark.skipif(sys.platform != "linux", reason="NVVM comes with the cuda extra, on Linux")
def test_compiles_to_ptx():
    """What is compiled without optimisation is the same source; that is what takes the time."""
    out = _ptx(
        """
        @numba.njit
        def makes_arrays(x, scale, shift):
            return scale * ((x - shift)**2).sum()

        @numba.njit
        def makes_zeros(x, scale, shift):
            return np.zeros(3)[0]

        @numba.njit
        def no_such(x, scale, shift):
            return np.linalg.lstsq(x, x)

        for fun in (makes_arrays, makes_zeros, no_such):
            try:
                ptx(fun, "nelder-mead", [(8, 0)], None)
            except Exception as error:
                print(_device.reason(error, fun))
        ptx(cuda_cases.inplace, "bfgs", [(7, 5), (8, 0), (9, 0)])
        for method, cc in (("lbfgs", (7, 5)), ("cg-pr", (8, 0)), ("gd", (9, 0)), ("newton", (8, 0))):
            ptx(cuda_cases.inplace, method, [cc], opt=False)
        ptx(cuda_cases.value, "nelder-mead", [(9, 0)], None, opt=False)
        """
    )
    lines = out.strip().splitlines()
    assert lines[0] == (
        "makes_arrays can't be compiled for the CUDA device: it makes new arrays (results of array expressions "
        "are such), and there is no memory for them there; device='cpu' would do"
    )
    assert "it makes new arrays" in lines[1]
    assert lines[2].startswith("no_such can't be compiled for the CUDA device: ") and "lstsq" in lines[2]
    assert [line.split()[0] for line in lines[3:]] == ["bfgs"] * 3 + ["lbfgs", "cg-pr", "gd", "newton", "nelder-mead"]


@pytest.mark.skipif("NUMOPT_TEST_ALL_PTX" not in os.environ, reason="two minutes; set NUMOPT_TEST_ALL_PTX=1")
def test_every_unit_compiles_to_ptx():
    _ptx(
        """
        seen = set()
        for k, (name, row) in enumerate(METHODS.items()):
            if row.unit not in seen:
                seen.add(row.unit)
                cc = ((7, 5), (8, 0), (9, 0))[k % 3]
                ptx(cuda_cases.value if row.values_only else cuda_cases.inplace, name, [cc],
                    None if row.values_only else "inplace", opt=False)
        """
    )


def test_the_command_for_a_machine_with_a_device(tmp_path):
    """It runs in the simulator too, but for the tests; and without any device it says what is missing."""
    script = HERE.parent / "benchmarks" / "gpu.py"
    _python(str(script), "rosenbrock", "--simulator", "--problems", "2", "--out", str(tmp_path / "gpu"))
    (row,) = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert row["converged"] == 1.0 and row["problems"] == 2
    assert "Rosenbrock" in (tmp_path / "gpu.md").read_text()


@pytest.mark.cuda
@needs_device
@pytest.mark.parametrize("name", cuda_cases.cases())
def test_every_method_on_the_device(name):
    """One by one: compiling a kernel takes seconds, so that ``-n auto`` pays."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, cpu = (
            cuda_cases.solve(device, [name], **more) for device, more in (("cuda", {"chunk_size": 3}), ("cpu", {}))
        )
    _agree(found, cpu, 1e-6, [name])


@pytest.mark.cuda
@needs_device
def test_many_problems_on_the_device():
    """More problems than lanes, and several chunks."""
    rng = np.random.default_rng(0)
    starts, scales = rng.uniform(-2.0, 2.0, (100_000, 2)), rng.uniform(1.0, 5.0, 100_000)
    args = numopt.each(scales), cuda_cases.SHIFT
    cpu = numopt.minimize_batch(cuda_cases.inplace, starts, args, "bfgs", "inplace")
    for chunk_size in (None, 7_777):
        found = numopt.minimize_batch(cuda_cases.inplace, starts, args, "bfgs", "inplace", device="cuda",
                                      chunk_size=chunk_size)  # fmt: skip
        assert (found.success == cpu.success).mean() > 0.999
        both = found.success & cpu.success
        assert np.allclose(found.x[both], cpu.x[both], atol=1e-4)


@pytest.mark.cuda
@needs_device
def test_a_function_that_raises_on_the_device():
    import numba

    @numba.njit
    def picky(x, scale):
        if scale < 0.0:
            raise ValueError("negative")
        return (x[0] - scale) ** 2

    scales = np.linspace(-1.0, 9.0, 100_000)
    with pytest.warns(numopt.OptimizeWarning, match="10000 of 100000 problems have status FAILED"):
        found = numopt.minimize_batch(picky, np.zeros((100_000, 1)), (numopt.each(scales),), "bfgs", device="cuda")
    assert ((found.status == numopt.Status.FAILED) == (scales < 0.0)).all() and found.success[scales >= 0.0].all()


def test_a_problem_whose_function_raises_has_no_result_of_its_neighbours():
    """A device ends the thread, as SystemExit does in the simulator; its row was what the buffer held before."""
    code = """
import numba, numpy as np, numopt

@numba.njit
def picky(x, scale):
    if scale < 0.0:
        raise SystemExit
    return (x[0] - scale) ** 2

scales = np.array([5.0, 7.0, -1.0, 9.0])
found = numopt.minimize_batch(picky, np.zeros((4, 1)), (numopt.each(scales),), "bfgs", device="cuda", chunk_size=1)
print(found.status.tolist(), found.x[:, 0].round(4).tolist(), found.fun[2], found.nfev[2])
"""
    env = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300, env=env
    )
    assert out.stdout.strip() == "[0, 0, 100, 0] [5.0, 7.0, nan, 9.0] nan 0", out.stderr[-2000:]


@pytest.mark.cuda
@needs_device
def test_a_function_that_does_not_compile_on_the_device():
    import numba

    @numba.njit
    def makes_arrays(x, scale, shift):
        return scale * ((x - shift) ** 2).sum()

    with pytest.raises(TypeError, match=r"makes_arrays can't be compiled for the CUDA device.*device='cpu' would do"):
        numopt.minimize_batch(makes_arrays, cuda_cases.STARTS, cuda_cases.ARGS, "nelder-mead", device="cuda")
