"""Fits on CUDA: in Numba's simulator against the CPU, compiled to PTX, and (where there is one) on a device."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import cuda_squares_cases as cases
import numpy as np
import pytest

import numopt
import numopt.cuda

HERE = Path(__file__).parent


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
        return cases.solve("cpu")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    """({case/field: array}, {what was tried: what came of it}), from one process."""
    path = tmp_path_factory.mktemp("cuda") / "found.npz"
    out = _python("cuda_squares_cases.py", str(path), NUMBA_ENABLE_CUDASIM="1", NUMBA_DISABLE_JIT="1")
    return dict(np.load(path)), json.loads(out)


def _agree(found, cpu, names=None, rtol=1e-6):
    """To 1e-6 of the parameters: both end within tolerances of 1e-8, where rounding decides which step is the last.

    A device rounds a product and a sum at once.
    """
    for name in names or cases.cases():
        tolerance = 2e-3 if name == "float32" else rtol
        x, expected = found[name + "/x"], cpu[name + "/x"]
        assert np.allclose(x, expected, rtol=tolerance, atol=tolerance, equal_nan=True), (name, x - expected)
        assert np.allclose(found[name + "/cost"], cpu[name + "/cost"], rtol=tolerance, equal_nan=True), name
        C, of_cpu = found[name + "/covariance"], cpu[name + "/covariance"]
        assert np.allclose(C, of_cpu, rtol=0.05 if name == "float32" else 1e-4, atol=1e-9, equal_nan=True), name
        assert (found[name + "/active_mask"] == cpu[name + "/active_mask"]).all(), name
        if name != "float32":
            assert (found[name + "/status"] == cpu[name + "/status"]).all(), name
            assert (np.abs(found[name + "/nfev"] - cpu[name + "/nfev"]) <= 6).all(), name  # of a slow end
        assert (np.isfinite(cpu[name + "/cost"])).sum() >= len(x) - 1


def test_fits_in_the_simulator(simulator, cpu):
    _agree(simulator[0], cpu)


def test_the_last_row_of_each_length_counts(simulator, cpu):
    found = simulator[0]
    assert not np.allclose(found["block/x"][1:], found["linear/x"][1:], rtol=1e-4)
    assert np.allclose(found["block/x"][0], found["linear/x"][0], rtol=1e-6)


def test_bad_problems_touch_no_other(simulator):
    found = simulator[0]
    status = found["not finite/status"]
    assert status[2] == numopt.LeastSquaresStatus.NAN and (np.delete(status, 2) > 0).all()
    assert (found["out of budget/status"] == numopt.LeastSquaresStatus.MAX_NFEV).all()
    others = [0, 1, 3, 4]
    assert np.array_equal(found["not finite/x"][others], found["linear/x"][others])


def test_single_precision_converges(simulator):
    assert (simulator[0]["float32/status"] > 0).all()


def test_chunks_do_not_matter(simulator):
    assert np.array_equal(simulator[1]["chunks"], simulator[0]["linear/x"])


def test_memory_is_what_is_stated(simulator):
    for taken, said in simulator[1]["memory"]:
        assert taken == said


def test_ctrl_c_keeps_the_fits_that_have_ended(simulator):
    statuses, lost = simulator[1]["interrupted"]
    assert all(status > 0 for status in statuses[:4]) and statuses[4] == numopt.LeastSquaresStatus.NOT_RUN
    assert lost == [False] * 4 + [True]


def test_a_model_that_raises_is_told_of(simulator):
    statuses, told, lost = simulator[1]["raising"]
    assert statuses[1] == numopt.LeastSquaresStatus.FAILED and statuses[0] > 0 and statuses[2] > 0
    assert lost == [False, True, False]
    assert any(text.startswith("1 of 3 problems have status FAILED, problem 1 the first") for text in told)


def test_covariances_of_clear_triangles_are_made_on_the_device(simulator):
    clear, delicate = simulator[1]["inverse"]
    R = np.array([[2.0, 1.0], [0.0, 3.0]])
    assert np.allclose(np.reshape(clear[:4], (2, 2)), np.linalg.inv(R.T @ R), rtol=1e-14) and clear[-1] == 1.0
    assert delicate[:5] == [2.0, 1.0, 1.0, 0.0, 1e-4] and delicate[-1] == 0.0


def test_a_problem_that_is_not_finite_has_no_covariance_of_its_neighbours(simulator):
    assert simulator[1]["stale"] == [False] * 4 + [True]


def test_auto_falls_back_to_the_cpu_for_what_only_it_can_do(monkeypatch):
    from numopt.cuda import _device

    monkeypatch.setattr(_device, "why_not", lambda: None)
    found, cpu = (numopt.curve_fit_batch(cases.decay, cases.X, cases.Y, cases.P0, tied={"c": "a"}, device=device)
                  for device in ("auto", "cpu"))  # fmt: skip
    assert np.array_equal(found.x, cpu.x) and found.success.all()


@pytest.mark.parametrize("what, said", [("tied", "tied parameters"), ("matrix", "covariance matrix"),
                                        ("cs", "jac must be '2-point'"), ("all fixed", "nothing to fit")])  # fmt: skip
def test_what_only_the_cpu_can_do(simulator, what, said):
    text = simulator[1][what]
    assert text.startswith("ValueError: ") and said in text and "\n" not in text


@pytest.mark.cuda
@pytest.mark.skipif(not numopt.cuda.available(), reason=str(numopt.cuda.why_not()))
@pytest.mark.parametrize("name", cases.cases())
def test_fits_on_the_device(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _agree(cases.solve("cuda", [name]), cases.solve("cpu", [name]), [name], 1e-5)


PTX = """
import sys
from types import SimpleNamespace
import numba, numpy as np
from numba import cuda
from numba.cuda import dispatcher
# numba-cuda asks the driver for the device even where a compute capability is named
dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=(9, 0))
import cuda_squares_cases as cases
import numopt.cuda
from numopt.cuda import _device, _squares
from numopt.cuda._transfer import signature_of
import numopt.optimize._batch_squares as front

numopt.cuda.resolve = lambda device: device

def described(f, **keywords):
    kept = []
    def keep(fits):
        kept.append(fits)
        raise StopIteration
    _squares.Fits.compile = keep
    try:
        numopt.curve_fit_batch(f, cases.X, cases.Y, cases.P0, device="cuda", **keywords)
    except StopIteration:
        return kept[0]

def ptx(fits, capabilities, **options):
    for cc in capabilities:
        text, _ = cuda.compile_ptx(fits.kernel.py_func, signature_of(fits.data), cc=cc, **options)
        assert f".target sm_{cc[0]}{cc[1]}" in text and ".visible .entry" in text and "clock_gettime" not in text
        # threads of a warp wait at different places of the program: that takes this kind of barrier
        assert "bar.sync" not in text and ("barrier.sync" in text) == bool(fits.together)
        print(fits.together, cc)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="NVVM comes with the cuda extra, on Linux")
def test_compiles_to_ptx():
    """Both forms, each for one capability (all with NUMOPT_TEST_ALL_PTX=1); unoptimised, to save time."""
    pytest.importorskip("cuda.bindings", reason="needs the cuda extra")
    out = _python("-c", PTX + """
everything = len(sys.argv) > 1
ptx(described(cases.decay, loss="cauchy", bounds=(0.0, 9.0)), [(7, 5), (8, 0), (9, 0)] if everything else [(7, 5)],
    opt=everything)
_squares.LONG = 8
ptx(described(cases.decay), [(7, 5), (8, 0), (9, 0)] if everything else [(9, 0)], opt=everything)

def functions(a):
    a[0] = np.exp(a[1]) + np.sqrt(a[2]) + np.abs(a[3]) + a[4] ** 0.5

text, _ = cuda.compile_ptx(functions, (numba.float64[::1],), cc=(8, 0))
print("functions", "sqrt" in text and "pow" not in text)

@numba.njit
def no_such(x, a, b, c):
    return np.linalg.lstsq(x, a)
try:
    ptx(described(no_such), [(8, 0)], opt=False)
except Exception as error:
    print(_device.reason(error, no_such))
""", *(["all"] if "NUMOPT_TEST_ALL_PTX" in os.environ else []))  # fmt: skip
    lines = out.strip().splitlines()
    forms = [line.split(" ")[0] for line in lines[:-2]]
    assert forms == ["0"] * (len(forms) // 2) + ["128"] * (len(forms) // 2)
    assert lines[-2] == "functions True"
    assert lines[-1].startswith("no_such can't be compiled for the CUDA device: ")
