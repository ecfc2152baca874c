"""The command line."""

import csv
import io
import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import numopt
from numopt.cli import app
from numopt.comparison import _compare
from numopt.comparison._report import COLUMNS, Comparison, Outcome, Run

SMALL = ["compare", "-p", "beale", "-m", "BFGS", "--repeat", "1", "--no-python"]


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_version():
    result = call("--version")
    assert result.exit_code == 0 and result.stdout == f"numopt {numopt.__version__}\n"


def test_help_names_the_commands():
    result = call("--help")
    assert result.exit_code == 0
    for name in ("compare", "info", "warmup"):
        assert name in result.stdout


def test_compare_shows_a_table():
    result = call(*SMALL)
    assert result.exit_code == 0
    assert "beale" in result.stdout and "summary" in result.stdout and "L-BFGS-B" not in result.stdout
    assert "python" not in result.stdout


def test_compare_writes_files(tmp_path):
    as_json, as_csv = tmp_path / "a.json", tmp_path / "a.csv"
    result = call(*SMALL, "--json", as_json, "--csv", as_csv)
    assert result.exit_code == 0 and "summary" in result.stdout
    (run,) = Comparison.from_json(as_json.read_text("utf-8")).runs
    assert (run.problem, run.method, run.caller) == ("beale", "bfgs", "jitted") and run.comparable
    (row,) = csv.DictReader(as_csv.open(encoding="utf-8"))
    assert int(row["ours_nfev"]) == run.ours.nfev


def test_json_and_csv_to_stdout():
    result = call(*SMALL, "--json", "-")
    assert json.loads(result.stdout)["runs"][0]["problem"] == "beale"
    result = call(*SMALL, "--csv", "-")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 2


def test_names_with_commas_and_several_times(monkeypatch):
    seen = []

    def record(*arguments, **named):
        seen.append(arguments)
        return Comparison([], {"total_seconds": 0.0})

    monkeypatch.setattr(_compare, "compare", record)
    result = call("compare", "-p", "beale, rosenbrock", "-p", "data", "-m", "CG,bfgs", "--scale", "10")
    assert result.exit_code == 0
    assert seen == [(["beale", "rosenbrock", "data"], ["CG", "bfgs"], 10, 5, ("jitted", "python"))]


@pytest.mark.parametrize(
    "words, hint",
    [
        (["-p", "rosenbrok"], "unknown problem 'rosenbrok'; did you mean 'rosenbrock'"),
        (["-m", "BFSG"], "unknown method 'BFSG' (did you mean 'bfgs'"),
        (["--json", "-", "--csv", "-"], "only one of --json and --csv"),
        (["--csv", "/no/such/folder/a.csv"], "cannot write /no/such/folder/a.csv"),
        (["--html", "/no/such/folder/a.html"], "cannot write /no/such/folder/a.html"),
        (["--html", "-"], "--html takes a file"),
        (["--plot", "/dev/null/pictures"], "cannot write to the folder /dev/null/pictures"),
        (
            ["-p", "xyzzy"],
            "groups are default, all, mgh, scalable, surfaces, data, bounds, and numopt.problems.names()",
        ),
        (["--suite", "bounds", "-m", "trust-exact"], "nothing to compare: no method of trust-exact takes bounds"),
        (["--suite", "mhg"], "unknown suite 'mhg'; did you mean 'mgh'"),
        (["--suite", "mgh", "-p", "beale"], "name either a suite or problems"),
        (["--suite", "nist", "-p", "Misra1b"], "there is no file 'Misra1b' of NIST"),
        (["--suite", "nist", "--scale", "10"], "leave scale at 1, not 10"),
        (["--suite", "nist", "-m", "bfgs"], "method must be one of 'lm'"),
        (["-p", "/no/such/Bennett5.dat"], "there is no file '/no/such/Bennett5.dat' of NIST"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(words, hint):
    result = call("compare", *words)
    assert result.exit_code == 2 and result.stdout == ""
    assert hint in result.stderr and result.stderr.count("\n") == 1


def test_no_file_is_left_by_a_command_that_is_refused(tmp_path):
    """The suite of bounds with a method that takes none: a traceback, and an empty page."""
    page = tmp_path / "page.html"
    result = call("compare", "--suite", "bounds", "-m", "trust-exact", "--html", str(page))
    assert result.exit_code == 2 and "nothing to compare" in result.stderr and not page.exists()


@pytest.mark.parametrize("words", [["--scale", "7"], ["--repeat", "0"]])
def test_numbers_out_of_range(words):
    assert call("compare", *words).exit_code == 2


@pytest.mark.parametrize("words, code", [([], 0), (["--check"], 1)])
def test_check(monkeypatch, words, code):
    bad = Outcome(1.0, 1.0, 9, 9, 1.0, 1.0, 1, 1, 2, "failed", False)
    good = Outcome(0.0, 0.0, 9, 9, 1.0, 1.0, 1, 1, 0, "converged", True)
    whole = Comparison([Run("wicked", 2, "bfgs", "BFGS", "jitted", bad, good)], {"total_seconds": 0.0})
    monkeypatch.setattr(_compare, "compare", lambda *arguments, **named: whole)
    result = call("compare", *words)
    assert result.exit_code == code
    assert "Ours failed where scipy's succeeded: wicked" in result.stdout


def test_pictures(tmp_path):
    page, folder, as_json = tmp_path / "a.html", tmp_path / "pictures", tmp_path / "a.json"
    result = call(*SMALL, "--html", page, "--plot", folder, "--json", as_json)
    assert result.exit_code == 0, result.output
    assert f"wrote {page}" in result.stdout and f"wrote 4 PNG files to {folder}" in result.stdout
    assert sorted(path.name for path in folder.iterdir()) == [
        "convergence-beale.png", "data-jitted.png", "performance-evaluations-jitted.png", "performance-time-jitted.png",
    ]  # fmt: skip
    text = page.read_text("utf-8")
    assert text.count("<svg") == 4 and "beale" in text
    whole = Comparison.from_json(as_json.read_text("utf-8"))
    assert {trace.solver for trace in whole.traces} == {"numopt bfgs", "scipy BFGS"}


def test_where_the_page_is_does_not_go_into_the_data(tmp_path):
    result = call(*SMALL, "--html", tmp_path / "a.html", "--json", "-")
    assert json.loads(result.stdout)["runs"] and "wrote" in result.stderr


@pytest.mark.parametrize("words", [["--html", "a.html"], ["--plot", "pictures"]])
def test_pictures_without_matplotlib(monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = call(*SMALL, *words)
    assert result.exit_code == 2 and result.stdout == "" and not list(tmp_path.iterdir())
    assert "pip install numopt-jit[plot]" in result.stderr and result.stderr.count("\n") == 1


def test_suite(monkeypatch):
    seen = []

    def record(*arguments, **named):
        seen.append((arguments[:2], named["suite"]))
        return Comparison([], {"total_seconds": 0.0})

    monkeypatch.setattr(_compare, "compare", record)
    assert call("compare", "--suite", "data", "-m", "bfgs").exit_code == 0
    assert seen == [((None, ["bfgs"]), "data")]


def test_a_file_of_nists(tmp_path, monkeypatch):
    from numopt.problems import _nist

    monkeypatch.setattr(_compare, "CALLERS", ("python",))  # nothing to compile
    (tmp_path / "Mine.dat").write_text((_nist._FOLDER / "DanWood.dat").read_text())
    as_json = tmp_path / "a.json"
    words = ["--problems", tmp_path / "Mine.dat", "-m", "lm", "--repeat", "1", "--json", as_json]
    result = call("compare", *words)
    assert result.exit_code == 0 and "Mine (start 2)" in result.stdout and "digits" in result.stdout
    runs = json.loads(as_json.read_text("utf-8"))["runs"]
    assert len(runs) == 2 and min(row["ours_digits"] for row in runs) > 6


def test_info_as_json():
    whole = json.loads(call("info", "--json").stdout)
    assert whole["versions"]["numopt"] == numopt.__version__ and whole["cpu_count"] >= whole["usable_cpus"] >= 1
    assert set(whole["compiled"].values()) <= {True, False} and "bfgs" in whole["compiled"]
    for name in ("platform", "cpu", "blas", "cuda", "cache", "numba_threads", "executable"):
        assert name in whole


def test_warmup(monkeypatch):
    monkeypatch.setattr(numopt, "warmup", lambda progress: {"bfgs": 1.25, "cg": 0.5}, raising=False)
    result = call("warmup")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()][-1] == ["total", "1.75", "s"]


def test_python_m_numopt_info():
    run = subprocess.run(
        [sys.executable, "-m", "numopt", "info"], capture_output=True, text=True, timeout=60, check=True
    )
    lines = dict(line.split(maxsplit=1) for line in run.stdout.splitlines() if not line.startswith("blas 2"))
    assert lines["numopt"] == numopt.__version__
    assert lines["python"] == ".".join(map(str, sys.version_info[:3]))
    for name in ("numpy", "scipy", "scikit-learn", "llvmlite", "cpu", "blas", "cuda", "cache", "compiled"):
        assert lines[name].strip()
    assert " of " in lines["compiled"] and lines["compiled"].endswith("units")


def test_the_command_line_starts_without_numba():
    code = "import sys, numopt.cli; assert not {'numba', 'scipy', 'numpy', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
