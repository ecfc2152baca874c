"""``numopt.compare``: what it measures, how it sums it up, how it is written down."""

import csv
import dataclasses
import io
import json
import math
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize

import numopt
from numopt import problems
from numopt.comparison import _compare, _constrained, _nist, _system, _timing
from numopt.comparison._compare import compare, find_problems, reference_of
from numopt.comparison._report import COLUMNS, Comparison, Outcome, Run, geometric_mean
from numopt.kernels.status import Status

NAMES = ["rosenbrock", "beale"]


@pytest.fixture(scope="module")
def found():
    return compare(NAMES, ["BFGS", "L-BFGS-B"], repeat=2)


def outcome(solved=True, seconds=1.0, nfev=10, value=0.0):
    return Outcome(value, 1e-7, nfev, 5, seconds, 2 * seconds, 3, 1, 0, "done", solved)


def run(problem="a", ours=None, scipy=None, method="bfgs", caller="jitted", reference="BFGS"):
    return Run(problem, 2, method, reference, caller, ours or outcome(), scipy)


def test_every_combination_runs_once(found):
    keys = [(r.problem, r.method, r.caller) for r in found.runs]
    wanted = {(p, m, c) for p in NAMES for m in ("bfgs", "l-bfgs-b") for c in ("jitted", "python")}
    assert len(keys) == 8 and set(keys) == wanted
    assert {r.reference for r in found.runs} == {"BFGS", "L-BFGS-B"}


def test_both_solve_small_problems(found):
    for r in found.runs:
        least = min(problems.get(r.problem).minima)
        assert r.comparable and not r.lost
        assert r.ours.value == pytest.approx(least, abs=1e-6)
        assert r.ours.value == pytest.approx(r.scipy.value, abs=1e-6)
        for side in (r.ours, r.scipy):
            assert side.nfev > 5 and side.nit > 3 and side.repeats >= 2
            assert 0 < side.seconds < 1 and side.first_call_seconds > 0
            assert 0 <= side.optimality < 1e-3
        assert r.time_ratio == pytest.approx(r.scipy.seconds / r.ours.seconds)
        assert r.evaluations_ratio == pytest.approx(r.ours.nfev / r.scipy.nfev)


def test_jitted_and_python_callables_are_the_same_problem(found):
    python_runs = {(r.problem, r.method): r for r in found.runs if r.caller == "python"}
    for jitted in (r for r in found.runs if r.caller == "jitted"):
        python = python_runs[jitted.problem, jitted.method]
        assert python.ours.value == pytest.approx(jitted.ours.value, abs=1e-9)
        assert abs(python.ours.nfev - jitted.ours.nfev) <= 2


def test_counts_are_the_calls_that_are_made(found):
    problem = problems.get("beale")
    calls = []

    def counted(x):
        calls.append(1)
        return problem.python_fun_and_grad(x)

    for side, minimize in (("ours", numopt.minimize), ("scipy", scipy.optimize.minimize)):
        for r in found.runs:
            if (r.problem, r.caller) == ("beale", "python"):
                calls.clear()
                minimize(counted, problem.x0, method=r.reference, jac=True)
                assert getattr(r, side).nfev == len(calls)


def test_the_measure_is_taken_at_the_returned_point(found):
    r = next(r for r in found.runs if (r.problem, r.method, r.caller) == ("beale", "bfgs", "python"))
    problem = problems.get("beale")
    x = numopt.minimize(problem.python_fun_and_grad, problem.x0, method="bfgs", jac=True).x
    value, gradient = problem.python_fun_and_grad(x)
    assert r.ours.value == value
    assert r.ours.optimality == np.abs(gradient).max()


def test_settings_say_what_was_run(found):
    s = found.settings
    assert s["problems"] == NAMES and s["methods"] == ["bfgs", "l-bfgs-b"]
    assert s["callers"] == ["jitted", "python"] and (s["scale"], s["repeat"]) == (1, 2)
    assert s["versions"]["numopt"] == numopt.__version__ and s["versions"]["scipy"] == scipy.__version__
    assert s["total_seconds"] > 0


def test_json_round_trip(found):
    text = found.to_json()
    whole = json.loads(text)
    assert set(whole) == {"settings", "summary", "runs", "skipped"}
    assert len(whole["summary"]) == 4 and whole["summary"][0]["ours_solved"] == 1.0
    assert Comparison.from_json(text) == found


def test_json_has_no_numbers_that_json_lacks():
    failed = Outcome(math.nan, math.nan, 0, 0, 0.1, 0.1, 1, 0, -1, "ValueError: no", False)
    whole = Comparison([run(ours=failed, scipy=outcome()), run("b", scipy=None, reference=None)])
    text = whole.to_json()
    assert "NaN" not in text and "Infinity" not in text
    first, second = Comparison.from_json(text).runs
    assert math.isnan(first.ours.value) and first.ours.message == "ValueError: no" and first.lost
    assert second.scipy is None and second.ours == outcome()


def test_csv(found):
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert tuple(rows[0]) == COLUMNS and len(rows) == len(found.runs)
    for text, r in zip(rows, found.ordered(), strict=True):
        assert text["problem"] == r.problem and float(text["ours_seconds"]) == r.ours.seconds
        assert int(text["scipy_nfev"]) == r.scipy.nfev and text["ours_solved"] == "True"
    for name in ("first_call_seconds", "value", "optimality", "status"):
        assert f"ours_{name}" in COLUMNS and f"scipy_{name}" in COLUMNS


def test_lost_runs_come_first_and_are_marked():
    lost = run("wicked", ours=outcome(False), scipy=outcome())
    both = run("easy", scipy=outcome())
    neither = run("hopeless", ours=outcome(False), scipy=outcome(False))
    won = run("ours-only", scipy=outcome(False))
    whole = Comparison([both, neither, won, lost])
    assert [r.problem for r in whole.ordered()] == ["wicked", "easy", "hopeless", "ours-only"]
    assert whole.lost == [lost]
    lines = str(whole).splitlines()
    names = [r.problem for r in whole.runs]
    line = {name: next(t for t in lines if f" {name} " in t) for name in names}
    assert line["wicked"].lstrip().startswith("✗") and line["hopeless"].lstrip().startswith("·")
    assert line["ours-only"].lstrip().startswith("+") and line["easy"].lstrip().startswith("easy")
    assert lines.index(line["wicked"]) < lines.index(line["easy"])
    assert "Ours failed where scipy's succeeded: wicked (bfgs, jitted)" in str(whole)
    assert json.loads(whole.to_json())["runs"][0]["problem"] == "wicked"
    assert whole.to_csv().splitlines()[1].startswith("wicked,")


def test_runs_that_ended_at_the_same_unsolved_value_compare():
    """Both stop at their tolerance, at one value: a fair race.  A local minimum of one's own is not."""
    alike = run("a", outcome(False, 1.0, value=2.0), outcome(False, 3.0, value=2.0000001))
    apart = run("b", outcome(False, value=2.0), outcome(False, value=2.1))
    mixed = run("c", outcome(value=2.0), outcome(False, value=2.0))
    assert alike.comparable and alike.time_ratio == 3.0
    assert not apart.comparable and not mixed.comparable
    assert np.isnan([apart.time_ratio, mixed.evaluations_ratio]).all()


def test_summary():
    whole = Comparison(
        [
            run("a", outcome(seconds=1.0, nfev=10), outcome(seconds=2.0, nfev=40)),
            run("b", outcome(seconds=1.0, nfev=10), outcome(seconds=8.0, nfev=10)),
            run("c", outcome(False, seconds=1.0), outcome(seconds=1e-9)),
            run("d", outcome(seconds=1.0), outcome(False, seconds=1e9)),
            run("a", outcome(seconds=4.0), outcome(seconds=2.0), caller="python"),
        ]
    )
    jitted, python = whole.summary()
    assert (jitted.caller, jitted.method, jitted.reference, jitted.problems) == ("jitted", "bfgs", "BFGS", 4)
    assert (jitted.ours_solved, jitted.scipy_solved, jitted.lost) == (0.75, 0.75, 1)
    assert jitted.time_ratio == pytest.approx(4.0)  # problems c and d don't count
    assert (jitted.time_ratio_min, jitted.time_ratio_min_problem) == (2.0, "a")
    assert jitted.evaluations_ratio == pytest.approx(0.5)
    assert np.isnan(jitted.hessians_ratio)
    assert (python.problems, python.time_ratio) == (1, 0.5)


def test_summary_without_a_reference():
    (row,) = Comparison([run(method="gd", scipy=None, reference=None)]).summary()
    assert row.ours_solved == 1.0 and math.isnan(row.scipy_solved) and math.isnan(row.time_ratio)
    assert row.time_ratio_min_problem is None


def test_geometric_mean():
    assert geometric_mean([1.0, 100.0]) == pytest.approx(10.0)
    assert math.isnan(geometric_mean([]))


def test_tables_fit():
    whole = Comparison([run("extended-rosenbrock", scipy=outcome())], skipped=["big (n = 10) with bfgs: why"])
    assert max(map(len, str(whole).splitlines())) <= 140
    assert "skipped: big" in str(whole) and "speed-up" in str(whole)
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=100).print(whole.table(compact=True))
    assert "extended-rosenbrock" in out.getvalue() and "|g|" not in out.getvalue()


def test_a_solver_that_raises_is_a_finding():
    class Broken:
        name, n, minima = "broken", 2, (0.0,)
        x0 = np.ones(2)

        @staticmethod
        def python_fun_and_grad(x):
            raise ZeroDivisionError("no value here")

    r = _compare._pair(Broken, numopt.METHODS["bfgs"], "python", 2)
    assert r.ours.message == r.scipy.message == "ZeroDivisionError: no value here"
    assert not r.ours.solved and r.ours.status == -1 and math.isnan(r.ours.value) and not r.lost


def test_long_runs_are_not_repeated():
    assert _timing.wants_more([1e-3], 5) and not _timing.wants_more([3.0], 5)
    assert _timing.wants_more([1e-5] * 5, 5) and not _timing.wants_more([1e-5] * 100, 5)
    assert not _timing.wants_more([0.1] * 5, 5)


def test_each_solver_has_the_better_blas_setting():
    class Result(dict):
        x, nfev, status, message = np.zeros(2), 3, 0, "done"

    problem = problems.get("beale")
    timings = {4: [9.0, 2.0, 3.0], 1: [5.0, 4.0]}
    found = _compare._outcome(problem, problem.python_fun_and_grad, Result(nit=1), 10.0, timings)
    assert (found.seconds, found.blas_threads, found.repeats) == (3.0, 4, 3)
    timings[1] = [1.0, 1.5]
    found = _compare._outcome(problem, problem.python_fun_and_grad, Result(nit=1), 10.0, timings)
    assert (found.seconds, found.blas_threads, found.repeats) == (1.25, 1, 2)


def test_both_blas_settings_are_timed_and_restored(monkeypatch):
    seen = []
    monkeypatch.setattr(_system, "blas_threads", lambda: 2)
    monkeypatch.setattr(_system, "limit_blas", lambda threads: seen.append(threads) or nullcontext())
    found = _timing.measure([lambda: "a", lambda: "b"], 3)
    assert seen == [2, 1]
    small = _timing.measure([lambda: "a"], 3, one_thread=True)
    assert seen == [2, 1, 1] and set(small[0][2]) == {1}
    for (result, first, timings), name in zip(found, "ab", strict=True):
        assert result == name and first > 0 and set(timings) == {1, 2}
        assert all(len(seconds) >= 3 for seconds in timings.values())


def test_hessians_are_counted():
    whole = compare("beale", "trust-exact", callers=["jitted"], repeat=1)
    r, row = whole.runs[0], whole.summary()[0]
    assert r.ours.nhev > 3 and r.scipy.nhev > 3 and row.hessians_ratio == pytest.approx(r.ours.nhev / r.scipy.nhev)
    assert "Hessians" in str(whole) and Comparison.from_json(whole.to_json()).summary() == [row]
    assert "Hessians" not in str(compare("beale", "bfgs", callers=["jitted"], repeat=1))


def test_blas_limit():
    before = _system.blas_threads()
    with _system.limit_blas(1):
        assert _system.blas_threads() <= 1
    assert _system.blas_threads() == before


def test_a_busy_machine_is_told():
    runs = [run(scipy=outcome())]
    assert "don't trust" in str(Comparison(runs, {"other_processes": 1.3}))
    for quiet in (0.01, None):
        assert "don't trust" not in str(Comparison(runs, {"other_processes": quiet}))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc/stat")
def test_load_sees_other_processes_only():
    load = _system.Load()
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(1.0)
        assert load.of_others() > 0.4
    finally:
        child.kill()
        child.wait()


def test_groups_and_order():
    assert find_problems(["beale", "rosenbrock", "beale"]) == ["beale", "rosenbrock"]
    assert find_problems("Helical-Valley") == ["helical_valley"]
    assert find_problems("scalable") == list(problems.names("scalable"))
    constrained = set(problems.names("constrained"))
    assert find_problems("all") == [name for name in problems.names() if name not in constrained]
    assert set(problems.names("data")) <= set(find_problems(None)) <= set(problems.names())


def test_references():
    assert reference_of(numopt.METHODS["bfgs"]) == "BFGS"
    assert reference_of(numopt.METHODS["cg-hz"]) == "CG"
    assert reference_of(numopt.METHODS["gd-fixed"]) is None


def test_methods_without_a_reference_run_alone():
    (r,) = compare("beale", "gd", callers=["python"], repeat=1).runs
    assert r.scipy is None and r.ours.solved and math.isnan(r.time_ratio)


def test_too_large_a_workspace_is_skipped(monkeypatch):
    monkeypatch.setattr(_compare, "_MOST_BYTES", 100)
    whole = compare("beale", "bfgs")
    assert whole.runs == [] and whole.summary() == []
    assert whole.skipped[0].startswith("beale (n = 2) with bfgs")


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"problems": "rosenbrok"}, "unknown problem 'rosenbrok'; did you mean 'rosenbrock'"),
        ({"problems": ["beale", "mhg"]}, "unknown problem 'mhg'; did you mean 'mgh'"),
        ({"methods": "bfsg"}, "unknown method 'bfsg' (did you mean 'bfgs'"),
        ({"callers": ["jited"]}, "unknown caller 'jited'; did you mean 'jitted'"),
        ({"problems": []}, "problems is empty"),
        ({"problems": "bounds", "methods": ["dogleg", "trust-ncg"]}, "no method of dogleg, trust-ncg takes bounds"),
        ({"scale": 3}, "scale must be one of 1, 10, 100"),
        ({"repeat": 0}, "repeat must be an integer of at least 1"),
    ],
)
def test_what_is_not_known(arguments, words):
    with pytest.raises(ValueError) as error:
        compare(**arguments)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_names_must_be_text():
    with pytest.raises(TypeError, match="methods must be names"):
        compare(methods=[3])


def test_outcomes_are_plain_values(found):
    for r in found.runs:
        for value in dataclasses.asdict(r.ours).values():
            assert type(value) in (int, float, str, bool) or value is None  # no digits


def test_methods_of_second_order_get_the_same_hessian():
    """scipy's refuse to run without a Hessian that can be called: the table said that only ours solved it."""
    for r in compare("rosenbrock", ["dogleg", "trust-exact", "trust-ncg"]).runs:
        assert r.scipy.solved and r.ours.solved and r.scipy.nfev > 10


@pytest.fixture(scope="module")
def traced():
    return compare(NAMES, ["BFGS", "cg-hz"], callers=["jitted"], repeat=1, traces=True)


def test_traces_fall_from_the_start_to_the_result(traced):
    runs = {(r.problem, r.method): r for r in traced.runs}
    assert len(traced.traces) == 8
    for trace in traced.traces:
        outcome = getattr(runs[trace.problem, trace.method], trace.side)
        start = problems.get(trace.problem)
        assert trace.values[0] == start.fun(start.x0) and trace.evaluations[0] == 1
        assert trace.evaluations[-1] == outcome.nfev
        assert trace.values[-1] <= outcome.value and trace.values == sorted(trace.values, reverse=True)
        assert trace.minimum == min(start.minima)


def test_traces_go_through_json(traced):
    whole = json.loads(traced.to_json())
    assert len(whole["traces"]) == 8
    assert Comparison.from_json(traced.to_json()) == traced


def test_a_solver_that_raises_leaves_no_trace():
    class Broken:
        name, n, minima = "broken", 2, (0.0,)
        x0 = np.ones(2)

        @staticmethod
        def fun_and_grad(x):
            raise ZeroDivisionError("no value here")

    assert _compare._curves(Broken, numopt.METHODS["bfgs"]) == []


def test_a_suite_is_a_group_with_its_methods(monkeypatch):
    seen = []

    def record(problem, row, caller, repeat):
        seen.append((problem.name, row.name))
        return run(problem.name, scipy=outcome(), method=row.name)

    monkeypatch.setattr(_compare, "_pair", record)
    whole = compare(suite="scalable", callers=["jitted"])
    assert seen == [(name, method) for name in problems.names("scalable") for method in ("cg-pr", "l-bfgs-b")]
    assert whole.settings["suite"] == "scalable" and whole.settings["methods"] == ["cg-pr", "l-bfgs-b"]
    with pytest.raises(ValueError, match="name either a suite or problems"):
        compare("beale", suite="mgh")


class TestBounds:
    """A problem with bounds is given to both sides with them, and only to methods that take bounds."""

    @pytest.fixture
    def bounded(self, monkeypatch):
        problem = dataclasses.replace(problems.get("beale"))
        object.__setattr__(problem, "bounds", np.array([[-1.0, 2.0], [-np.inf, np.inf]]))
        monkeypatch.setattr(_compare.library, "get", lambda name, scale=1: problem)
        return problem

    def test_methods_without_bounds_are_left_out(self, bounded, monkeypatch):
        whole = compare("beale", ["bfgs", "newton-cg"], callers=["python"], repeat=1)
        assert {r.method for r in whole.runs} == {"bfgs"}
        assert whole.skipped == ["beale with newton-cg: the method takes no bounds"]

    def test_both_sides_get_them(self, bounded, monkeypatch):
        seen = []

        def record(fun, x0, **named):
            seen.append((named["method"], named["bounds"]))
            return scipy.optimize.OptimizeResult(x=x0, nfev=1, nit=1, status=0, message="", fun=0.0)

        monkeypatch.setattr(numopt, "minimize", record, raising=False)
        monkeypatch.setattr(scipy.optimize, "minimize", record)
        monkeypatch.setattr(_compare, "takes_bounds", lambda row: True)
        (found,) = compare("beale", "bfgs", callers=["python"], repeat=1).runs
        limits = [(-1.0, 2.0), (-math.inf, math.inf)]
        assert found.reference == "L-BFGS-B"  # scipy's BFGS takes none
        assert ("bfgs", limits) in seen and ("L-BFGS-B", limits) in seen
        assert {str(each) for each in seen} == {str(("bfgs", limits)), str(("L-BFGS-B", limits))}


@pytest.mark.parametrize("caller", ["jitted", "python"])
def test_methods_without_derivatives_get_values_alone(monkeypatch, caller):
    """On both sides, when they are timed and when their curves are taken."""

    class Row:
        name, unit, scipy, second_order, values_only = "nelder-mead", "nelder-mead", "Nelder-Mead", False, True

    seen, real = [], scipy.optimize.minimize

    def record(fun, x0, **named):
        seen.append((fun(x0), sorted(named)))
        named.pop("options", None)
        return real(fun, x0, **{**named, "method": "Nelder-Mead"})

    monkeypatch.setattr(numopt, "minimize", record, raising=False)
    monkeypatch.setattr(scipy.optimize, "minimize", record)
    problem = problems.get("beale")
    found = _compare._pair(problem, Row, caller, 1)
    (trace,) = _compare._curves(problem, Row)  # the stand-in for ours has no history
    assert found.ours.nfev == found.scipy.nfev > 50 and found.ours.solved and trace.side == "scipy"
    assert trace.evaluations[-1] <= found.scipy.nfev + 1
    assert {value for value, _ in seen} == {problem.fun(problem.x0)} and all("jac" not in names for _, names in seen)


@pytest.fixture(scope="module")
def nist():
    return compare(["Misra1a", "BoxBOD"], suite="nist", callers=["python"], repeat=1, traces=True)


class TestNist:
    def test_both_starts_and_both_methods(self, nist):
        keys = [(r.problem, r.method, r.reference) for r in nist.runs]
        cases = [f"{name} (start {k})" for name in ("Misra1a", "BoxBOD") for k in (1, 2)]
        assert keys == [(case, *pair) for case in cases for pair in _nist.PAIRS]
        assert [pair[1] for pair in _nist.PAIRS] == ["lm", "trf"]
        assert nist.settings["problems"] == cases and nist.settings["suite"] == "nist"

    def test_digits_are_those_of_the_returned_point(self, nist):
        for r in nist.runs:
            problem = problems.nist(r.problem.split()[0])
            start = problem.starts[int(r.problem[-2]) - 1]
            for side, solve in ((r.ours, numopt.least_squares), (r.scipy, scipy.optimize.least_squares)):
                method = r.method if side is r.ours else r.reference
                with np.errstate(all="ignore"):
                    result = solve(problem.python_residual, start, jac=problem.python_jacobian, method=method)
                assert side.digits == problem.digits(result.x).min() and side.nfev == result.nfev
                assert side.value == pytest.approx(2 * result.cost, rel=1e-12)
                assert 0 <= side.rss_digits <= 11 and side.solved == (side.digits >= 4)
        assert all(r.ours.digits >= 6 and r.ours.rss_digits > 10 for r in nist.runs if r.method == "lm")

    def test_a_wrong_answer_has_no_digits(self, nist):
        r = nist.runs[4]
        assert (r.problem, r.reference) == ("BoxBOD (start 1)", "lm")  # where MINPACK goes astray
        assert r.scipy.digits < 1 and not r.scipy.solved and r.ours.solved
        assert nist.summary()[0].scipy_digits == r.scipy.digits and nist.summary()[0].ours_digits >= 6

    def test_tables_and_files_have_them(self, nist):
        text = str(nist)
        for words in ("digits", "rss digits", "scipy's", "least digits", "11 are certified", "BoxBOD (start 1)"):
            assert words in text
        assert "|g|" not in text and max(map(len, text.splitlines())) <= 140
        assert Comparison.from_json(nist.to_json()) == nist
        row = next(csv.DictReader(io.StringIO(nist.to_csv())))
        assert float(row["ours_digits"]) == nist.ordered()[0].ours.digits and float(row["scipy_rss_digits"]) >= 0
        assert "digits" not in str(Comparison([run(scipy=outcome())]))

    def test_curves_fall_to_the_certified_cost(self, nist):
        assert {trace.solver for trace in nist.traces} >= {"numopt lm", "scipy lm", "scipy trf"}
        for trace in (trace for trace in nist.traces if trace.side == "ours"):
            assert trace.values[-1] == pytest.approx(trace.minimum, rel=1e-6) and trace.evaluations[0] == 1

    def test_a_method_that_raises_is_a_finding(self):
        error = _nist._outcome(problems.nist("Misra1a"), ValueError("no"), 0.1, {})
        assert (error.digits, error.rss_digits, error.solved) == (0.0, 0.0, False) and error.message == "ValueError: no"

    def test_files_and_folders(self, tmp_path):
        source = Path(problems.__file__).with_name("nist_files")
        (tmp_path / "Mine.dat").write_text((source / "DanWood.dat").read_text())
        (tmp_path / "Other.dat").write_text((source / "Misra1a.dat").read_text())
        file = str(tmp_path / "Mine.dat")
        whole = compare(file, "lm", repeat=1)  # a file needs no suite
        keys = [(f"Mine (start {k})", caller) for k in (1, 2) for caller in ("jitted", "python")]
        assert [(r.problem, r.caller) for r in whole.runs] == keys
        assert all(r.ours.digits >= 6 for r in whole.runs) and whole.settings["suite"] == "nist"
        for given in (str(tmp_path), [file, str(tmp_path)], tmp_path):
            names = [case.name for case in _nist.find_cases(given)]
            assert names == [f"{name} (start {k})" for name in ("Mine", "Other") for k in (1, 2)]
        assert len(_nist.find_cases(None)) == 2 * len(problems.nist_names())

    def test_methods_have_a_counterpart(self):
        assert [(row.name, name) for row, name in _nist.find_pairs(["lm", "marquardt", "lm"])] == [
            ("lm", "lm"), ("marquardt", "lm"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"problems": "Misra1b"}, "there is no file 'Misra1b' of NIST; known are BoxBOD"),
            ({"problems": "/no/such/file.dat", "suite": None}, "there is no file '/no/such/file.dat'"),
            ({"problems": []}, "problems is empty"),
            ({"methods": "bfgs"}, "method must be one of 'lm'"),
            ({"scale": 10}, "leave scale at 1, not 10"),
        ],
    )
    def test_mistakes(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            compare(**{"suite": "nist", **arguments})

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(ValueError, match="holds no files"):
            compare(str(tmp_path), suite="nist")


CONSTRAINED = ["hs35", "portfolio", "infeasible_rows", "unbounded_linear", "hs13"]


@pytest.fixture(scope="module")
def constrained():
    return compare(CONSTRAINED, ["SQP"], repeat=1, callers=["python"], suite="constrained")


class TestConstrained:
    def test_both_sides_are_measured_at_their_point(self, constrained):
        found = constrained
        assert [(r.problem, r.method, r.reference) for r in found.runs] == [(n, "sqp", "SLSQP") for n in CONSTRAINED]
        assert found.settings["suite"] == "constrained" and found.settings["problems"] == CONSTRAINED
        for r in found.runs[:2]:
            least = min(problems.get(r.problem).minima)
            for side in (r.ours, r.scipy):
                assert side.solved and side.value == pytest.approx(least, abs=1e-6) and side.optimality < 1e-3
            assert r.ours.optimality < 1e-7 and r.comparable
        assert all(r.ours.solved for r in found.runs) and not found.lost
        assert Comparison.from_json(found.to_json()) == found and "hs35" in found.to_html()

    def test_counts_are_the_calls_that_are_made(self, constrained):
        found = constrained
        problem = problems.get("hs35").plain
        calls = []

        def counted(x):
            calls.append(1)
            return problem.fun(x)

        for side, minimize, options in (
            ("ours", numopt.minimize, {}), ("scipy", scipy.optimize.minimize, _constrained.SCIPY["SLSQP"]),
        ):  # fmt: skip
            calls.clear()
            minimize(
                counted, problem.x0, method="SLSQP", jac=problem.grad, bounds=problem.scipy_bounds, options=options,
                constraints=problem.dictionaries,
            )  # fmt: skip
            assert getattr(found.runs[0], side).nfev == len(calls)

    @pytest.mark.parametrize(
        ("name", "status", "success", "right"),
        [
            ("infeasible_rows", Status.INFEASIBLE, False, True),
            ("infeasible_rows", Status.STALLED, False, False),  # ours has to say which
            ("infeasible_rows", 8, False, True),
            ("infeasible_rows", 0, True, False),
            ("unbounded_linear", Status.UNBOUNDED, False, True),
            ("unbounded_linear", Status.INFEASIBLE, False, False),
            ("unbounded_linear", 0, True, False),
            ("hs13", Status.STALLED, False, True),
            ("hs13", Status.KKT, True, False),
            ("hs35", Status.KKT, True, False),
        ],
    )
    def test_verdicts_away_from_a_solution(self, name, status, success, right):
        problem = problems.get(name)
        result = numopt.OptimizeResult(x=problem.x0 + 10.0, status=status, success=success)
        assert _constrained.right_verdict(problem, result) is right

    def test_a_solution_counts_whatever_the_solver_says(self):
        problem = problems.get("hs35")
        x = problem.solution
        assert _constrained.right_verdict(problem, numopt.OptimizeResult(x=x, status=Status.STALLED, success=False))
        far = numopt.OptimizeResult(x=x + 1e-3, status=Status.KKT, success=True)
        assert not _constrained.right_verdict(problem, far)

    def test_the_measure_knows_of_complementarity(self):
        # at 0 < x with the multiplier of x >= 0 in place, the gradient vanishes on paper only
        problem = problems.get("hs35")
        x = np.full(3, 0.5)
        found = problem.residuals(x)
        result = numopt.OptimizeResult(x=x, status=8, message="", success=False, nfev=1)
        outcome = _constrained._outcome(problem, result, 0.1, {1: [0.1]})
        assert outcome.optimality == max(found[:3]) > found.stationarity

    def test_kinds_of_constraints_that_a_method_does_not_take(self):
        takes = {
            name: [_constrained.takes(numopt.constrained_catalog.CONSTRAINED[method], problems.get(name)) for method in
                   ("lagrange-newton", "projected-gradient", "sqp")]
            for name in ("hs6", "hs35", "hs71", "portfolio")
        }  # fmt: skip
        assert takes == {
            "hs6": [True, False, True], "hs35": [False, True, True], "hs71": [False, False, True],
            "portfolio": [False, False, True],
        }  # fmt: skip
        (skipped,) = compare("hs71", ["lagrange-newton"], repeat=1, callers=["python"], suite="constrained").skipped
        assert "hs71 with lagrange-newton: the method does not take its constraints" in skipped

    def test_names(self):
        def named(given):
            return [problem.name for problem in _constrained.find_cases(given)]

        assert named(None) == list(problems.names("constrained"))
        assert named("Hock-Schittkowski") == list(problems.subsets("constrained")["hock-schittkowski"])
        assert named(["HS35", "coin-entropy", "hs35"]) == ["hs35", "coin_entropy"]
        pairs = _constrained.find_pairs(["slsqp", "sqp", "Interior_Point", "augmented-lagrangian"])
        assert [(row.name, peer) for row, peer in pairs] == [
            ("sqp", "SLSQP"), ("interior-point", "trust-constr"), ("augmented-lagrangian", "SLSQP"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"problems": "hs711"}, "unknown problem with constraints 'hs711'; did you mean 'hs71'"),
            ({"problems": "rosenbrock"}, "unknown problem with constraints 'rosenbrock'"),
            ({"problems": []}, "problems is empty"),
            ({"methods": "bfgs"}, "'bfgs' takes no constraints; those that do are .*sqp"),
            ({"methods": []}, "methods is empty"),
            ({"scale": 10}, "leave scale at 1, not 10"),
        ],
    )
    def test_what_is_not_known(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            compare(suite="constrained", **arguments)
