"""The page of a comparison: valid, whole, self-contained; and in a browser, if there is one."""

import json
import math
import re
import sys
import time
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from numopt.catalog import METHODS
from numopt.comparison import _charts, _page, _suites, _traces
from numopt.comparison._report import Comparison, Outcome, Run
from numopt.comparison._traces import Trace

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

NASTY = "<script>alert('x')</script>&\"quoted\""
LONG = "a_name_of_many_words"
VOID = {"meta", "wbr", "br", "hr", "img", "input", "link"}


def outcome(solved=True, seconds=1e-3, nfev=10, value=0.0):
    return Outcome(value, 1e-7, nfev, 5, seconds, 2 * seconds, 3, 1, 0, "done", solved)


def trace(problem, solver, values, method="bfgs", minimum=0.0):
    side = "ours" if solver.startswith("numopt") else "scipy"
    return Trace(problem, method, solver, side, minimum, list(range(1, len(values) + 1)), values)


@pytest.fixture(scope="module")
def comparison():
    failed = Outcome(math.nan, math.nan, 0, 0, 0.1, 0.1, 1, 0, -1, "ValueError: no", False)
    runs = [
        Run("first", 2, "bfgs", "BFGS", "jitted", outcome(nfev=9, seconds=2e-5), outcome(nfev=11, seconds=2e-3)),
        Run("first", 2, "gd", None, "jitted", outcome(nfev=900), None),
        Run(LONG, 30, "bfgs", "BFGS", "jitted", outcome(False), outcome(nfev=100)),
        Run(LONG, 30, "gd", None, "jitted", failed, None),
        Run(NASTY, 4, "bfgs", "BFGS", "python", outcome(nfev=20), failed),
    ]
    traces = [
        trace("first", "numopt bfgs", [9.0, 1.0, 1e-9]),
        trace("first", "scipy BFGS", [9.0, 4.0, 1.0, 1e-3]),
        trace("first", "numopt gd", [9.0, 8.0], "gd"),
        trace(NASTY, "numopt bfgs", [3.0, 2.0, 1.0]),
    ]
    settings = {"problems": ["first", NASTY], "versions": {"numopt": "0.1"}, "other_processes": 0.7, "suite": None}
    return Comparison(runs, settings, [f"{NASTY} was left out"], traces)


@pytest.fixture(scope="module")
def page(comparison):
    return comparison.to_html()


class Reader(HTMLParser):
    """The page's elements, with a check that they are nested as they should be."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else "", data))

    def all(self, tag):
        return [attributes for name, attributes, _ in self.elements if name == tag]


def cells(page, table):
    """The rows of a table, lists of texts, the headings first."""
    inside = re.search(f'<table id="{table}".*?</table>', page, re.DOTALL)[0]
    rows = re.findall(r"<tr.*?</tr>", inside, re.DOTALL)
    return [[unescape(text) for text in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_it_is_nested_and_whole(page, comparison):
    reader = Reader(page)
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert [t["id"] for t in reader.all("table")] == ["summary", "runs"]
    assert len(reader.all("tr")) == 2 + len(comparison.runs) + len(comparison.summary())
    figures = [f["id"] for f in reader.all("figure")]
    assert figures[:3] == ["performance-time-jitted", "performance-evaluations-jitted", "data-jitted"]
    assert figures[3:6] == ["performance-time-python", "performance-evaluations-python", "data-python"]
    assert figures[6:] == ["convergence-first", f"convergence-{NASTY}"]
    assert len(reader.all("svg")) == len(figures)
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in reader.all("svg"))
    shown = "".join(text for tag, text in reader.text if tag not in ("style", "script"))
    for words in (
        "Ours failed where scipy's succeeded",
        "a_name_of_many_words (bfgs, jitted)",
        "kept 0.7 cores busy",
        "0.1",
    ):
        assert words in shown


def test_it_needs_nothing_else(page):
    assert not re.search(r"https?:|//[a-z]|@import|@font-face|srcset|javascript:", page, re.IGNORECASE)
    reader = Reader(page)
    assert not {"link", "img", "iframe", "object", "embed", "base", "image"} & {tag for tag, _, _ in reader.elements}
    for tag, attributes, _ in reader.elements:
        for name in ("src", "href", "action", "data", "poster"):
            assert attributes.get(name, "#").startswith("#"), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
    (policy,) = [m for m in reader.all("meta") if "http-equiv" in m]
    assert policy["content"].startswith("default-src 'none'")


def test_names_are_text(page):
    assert "<script>alert" not in page and "alert('x')</script>" not in page
    reader = Reader(page)
    assert len(reader.all("script")) == 1 and len(reader.all("wbr")) == 2 * LONG.count("_")
    assert NASTY in [text for tag, text in reader.text if tag == "th"]


def test_names_in_charts_are_their_own(page):
    reader = Reader(page)
    ids = [attributes["id"] for _, attributes, _ in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    referred = re.findall(r"url\(#([^)]+)\)", page) + re.findall(r'href="#([^"]+)"', page)
    assert referred and set(referred) <= set(ids)


def test_colours_follow_the_page(page):
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", svg))
        assert colours <= {"none", "var(--ink)", "var(--grid)", *(f"var(--c{k})" for k in range(7))}, colours
        assert "var(--c0)" in colours and "<text" in svg and "font-family" not in svg
    light, dark = (set(re.findall(r"(--[a-z0-9-]+): #", part)) for part in page.split("prefers-color-scheme", 1))
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", page))
    assert used <= light and used <= dark


def test_cells_have_what_they_are_sorted_by(page):
    reader = Reader(page)
    for tag, attributes, above in reader.elements:
        if "tbody" in above and tag in ("td", "th"):
            key = attributes["data-key"]
            if attributes.get("class") == "number" and key:
                assert math.isfinite(float(key))


def test_same_comparison_same_page(comparison, page):
    assert comparison.to_html() == page
    assert Comparison.from_json(comparison.to_json()).to_html().count("<svg") == page.count("<svg")


def test_nothing_was_run():
    reader = Reader(Comparison([], {}, ["all of it"]).to_html())
    assert reader.all("svg") == [] and "all of it" in "".join(text for _, text in reader.text)


def test_certified_answers_are_shown_by_their_digits(comparison):
    sides = [replace(outcome(), digits=digits, rss_digits=11.0) for digits in (7.25, 0.0)]
    page = Comparison([Run("BoxBOD (start 1)", 2, "lm", "trf", "jitted", *sides)]).to_html()
    runs = cells(page, "runs")
    assert runs[0].index("digits, ours") == runs[0].index("digits, scipy") - 1 and "value, ours" not in runs[0]
    found = dict(zip(*runs, strict=True))
    assert (found["digits, ours"], found["digits, scipy"], found["rss digits, ours"]) == ("7.2", "0.0", "11.0")
    assert (found["scipy's"], found["functions"], found["message, scipy"]) == ("trf", "jitted", "done")
    found = dict(zip(*cells(page, "summary"), strict=True))
    assert (found["least digits, ours"], found["least digits, scipy"]) == ("7.2", "0.0")
    assert "digits, ours" not in comparison.to_html()


def test_table_of_costs(comparison):
    table = _charts.Table(comparison.runs, "jitted", "nfev", ["bfgs", "gd"])
    assert table.problems == ["first", LONG] and table.dimensions.tolist() == [2, 30]
    assert table.solvers == ["numopt bfgs", "scipy BFGS", "numopt gd"]
    assert table.costs.tolist() == [[9, 11, 900], [math.inf, 100, math.inf]]
    python = _charts.Table(comparison.runs, "python", "seconds", ["bfgs", "gd"])
    assert python.costs.tolist() == [[1e-3, math.inf]]


def test_a_solver_of_scipys_counts_once():
    runs = [
        Run("a", 2, "cg-pr", "CG", "jitted", outcome(nfev=5), outcome(nfev=7)),
        Run("a", 2, "cg-hz", "CG", "jitted", outcome(nfev=6), outcome(nfev=8)),
    ]
    table = _charts.Table(runs, "jitted", "nfev", ["cg-pr", "cg-hz"])
    assert table.solvers == ["numopt cg-pr", "scipy CG", "numopt cg-hz"] and table.costs.tolist() == [[5, 7, 6]]
    assert [style["color"] for style in table.styles[:2]] == [table.styles[0]["color"]] * 2
    assert table.styles[2]["color"] != table.styles[0]["color"]


def test_many_methods_can_be_told_apart():
    methods = [f"m{k}" for k in range(20)]
    runs = [Run("a", 2, name, name.upper(), "jitted", outcome(), outcome()) for name in methods]
    table = _charts.Table(runs, "jitted", "nfev", methods)
    assert len({(s["color"], str(s["linestyle"]), s["linewidth"]) for s in table.styles}) == 40
    few, many = _charts.Table(runs[:2], "jitted", "nfev", methods).performance(), table.performance()
    for figure in (few, many):
        figure.canvas.draw()
    heights = [figure.axes[0].get_window_extent().height for figure in (few, many)]
    assert heights[1] > 0.9 * heights[0]  # the legend takes nothing from the curves


def test_convergence_charts_show_the_traces(comparison):
    chart = next(c for c in _charts.charts(comparison) if c.key == "convergence-first")
    (ax,) = chart.figure().axes
    ours = next(line for line in ax.lines if line.get_label() == "numopt bfgs")
    assert ours.get_xdata().tolist() == [1, 2, 3] and ours.get_ydata().tolist() == [9.0, 1.0, 1e-9]
    assert "certified" in chart.caption


def test_a_method_has_one_colour_in_all_charts(comparison):
    """Whatever the order of the runs: those that we lost come first in JSON."""
    for whole in (comparison, Comparison(comparison.runs[::-1], {"methods": ["gd", "bfgs"]}, [], comparison.traces)):
        colours: dict[str, set] = {}
        for chart in _charts.charts(whole):
            for line in chart.figure().axes[0].lines:
                colours.setdefault(line.get_label().split()[1].lower(), set()).add(line.get_color())
        assert len(colours["bfgs"]) == len(colours["gd"]) == 1 and colours["bfgs"] != colours["gd"]


def test_png_files(comparison, tmp_path):
    paths = comparison.save_plots(tmp_path / "new" / "folder")
    assert len(paths) == 8 and len({p.name for p in paths}) == 8
    for path in paths:
        assert path.parent == tmp_path / "new" / "folder" and path.read_bytes().startswith(b"\x89PNG")
        assert re.fullmatch(r"[A-Za-z0-9_.-]+\.png", path.name)


def test_least_so_far():
    counts, values = _traces.least_so_far([1, 2, 3, 4, 5], [math.nan, 3.0, 5.0, math.inf, 1.0])
    assert counts.tolist() == [2, 3, 4, 5] and values.tolist() == [3.0, 3.0, 3.0, 1.0]
    assert _traces.least_so_far([], [])[0].size == 0


@pytest.mark.parametrize("size", [1, 199, 200, 201, 100_000])
def test_thinned(size):
    import numpy as np

    counts, values = _traces.thinned(np.arange(1, size + 1), np.arange(size, 0.0, -1.0))
    assert len(counts) == len(values) <= 200 and counts[0] == 1 and counts[-1] == size
    assert all(type(k) is int for k in counts) and json.dumps([counts, values])
    assert size > 200 or len(counts) == size


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_without_a_package(comparison, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install numopt-jit\[plot\]"):
        comparison.to_html()


class TestSuites:
    def test_known(self):
        assert _suites.SUITES == ("mgh", "bounds", "scalable", "data", "nist", "constrained")
        for suite in ("mgh", "scalable", "data"):
            problems, methods = _suites.of_suite(suite, None, None)
            assert problems == [suite] and "l-bfgs-b" in methods
        assert _suites.of_suite(None, "beale", "bfgs") == ("beale", "bfgs")
        assert _suites.of_suite("MGH", None, ["gd"]) == (["mgh"], ["gd"])

    @pytest.mark.parametrize(
        ("suite", "problems", "words"),
        [("mhg", None, "unknown suite 'mhg'; did you mean 'mgh'"), ("xyz", None, "known are mgh, bounds, scalable"),
         ("mgh", ["beale"], "name either a suite or problems")],
    )  # fmt: skip
    def test_mistakes(self, suite, problems, words):
        with pytest.raises(ValueError, match=words):
            _suites.of_suite(suite, problems, None)

    def test_methods_of_the_bounds_suite_take_bounds(self):
        problems, methods = _suites.of_suite("bounds", None, None)
        assert problems == ["bounds"] and "l-bfgs-b" in methods
        assert all(_suites.takes_bounds(METHODS[name]) for name in methods)

    def test_references(self):
        assert _suites.reference_with_bounds("Nelder-Mead") == "Nelder-Mead"
        assert _suites.reference_with_bounds("BFGS") == "L-BFGS-B" and _suites.reference_with_bounds(None) is None


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = pytest.importorskip("chromium", reason="a browser is driven through pipes of POSIX")
    path = chromium.find()
    if path is None:
        pytest.skip("no browser is installed: " + ", ".join(chromium.NAMES))
    browser = chromium.Browser(path, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


class TestInABrowser:
    @pytest.fixture
    def open_page(self, browser, page, tmp_path):
        from chromium import Tab

        (tmp_path / "page.html").write_text(page, encoding="utf-8")
        address = (tmp_path / "page.html").as_uri()
        return lambda width=1280, scheme="light": Tab(browser, address, width, scheme)

    def test_no_message_and_no_request(self, open_page, tmp_path):
        tab = open_page()
        time.sleep(0.2)
        assert tab.evaluate("1 + 1") == 2  # and what has happened until now is read
        assert tab.seen() == [(tmp_path / "page.html").as_uri()]
        tab.evaluate("console.log('heard')")
        assert "heard" in tab.seen()[-1]

    def test_sorting_by_mouse_and_by_keyboard(self, open_page):
        tab = open_page()
        column = [c.heading for c in _page.RUNS].index("evals, ours")
        heading = f"document.querySelectorAll('#runs thead th')[{column}]"
        first = "document.querySelectorAll('#runs thead th')[0]"

        def values():
            cells = f"#runs tbody tr > :nth-child({column + 1})"
            return tab.evaluate(f"[...document.querySelectorAll('{cells}')].map(c => c.dataset.key)")

        def order():
            return tab.evaluate(f"{heading}.getAttribute('aria-sort')")

        assert order() == "none"
        tab.click(f"{heading}.querySelector('button')")
        assert order() == "ascending"
        numbers = [float(v) for v in values() if v]
        assert numbers == sorted(numbers) and len(numbers) == 5
        tab.evaluate(f"{heading}.querySelector('button').focus()")
        tab.press("Enter")
        assert order() == "descending"
        assert [float(v) for v in values() if v] == numbers[::-1]
        tab.evaluate(f"{first}.querySelector('button').focus()")
        tab.press("Space")
        assert order() == "none"
        names = tab.evaluate("[...document.querySelectorAll('#runs tbody th')].map(c => c.textContent)")
        assert names == [NASTY, LONG, LONG, "first", "first"]

    def test_what_has_no_value_comes_last_either_way(self, open_page):
        tab = open_page()
        column = [c.heading for c in _page.RUNS].index("speed-up")
        cells = f"#runs tbody tr > :nth-child({column + 1})"
        for _ in range(2):
            tab.click(f"document.querySelectorAll('#runs thead th')[{column}].querySelector('button')")
            shown = tab.evaluate(f"[...document.querySelectorAll('{cells}')].map(c => c.textContent)")
            assert shown == ["100", "-", "-", "-", "-"]

    @pytest.mark.parametrize("width", [320, 375, 768])
    def test_a_phone_scrolls_tables_in_their_box(self, open_page, width):
        tab = open_page(width)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert tab.evaluate(
            "(box => box.scrollWidth > box.clientWidth && box.clientWidth < innerWidth)"
            "([...document.querySelectorAll('.scroll')].at(-1))"
        )
        boxes = tab.evaluate("[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().toJSON())")
        assert boxes
        for box in boxes:
            assert box["width"] > box["height"] > 100
            assert box["x"] >= 0 and box["x"] + box["width"] <= width

    def test_text_of_charts_is_readable_on_a_phone(self, open_page):
        heights = open_page(375).evaluate(
            "(svg => [...svg.querySelectorAll('text')].map(t => parseFloat(getComputedStyle(t).fontSize)"
            " * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))(document.querySelector('svg'))"
        )  # fmt: skip
        assert heights and min(heights) > 8.5

    def test_the_dark(self, open_page):
        def luminance(colour):
            red, green, blue = (int(v) / 255 for v in re.findall(r"\d+", colour)[:3])
            linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (red, green, blue)]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        def contrast(a, b):
            high, low = sorted((luminance(a), luminance(b)), reverse=True)
            return (high + 0.05) / (low + 0.05)

        for scheme in ("light", "dark"):
            tab = open_page(scheme=scheme)

            def style(place, name, tab=tab):
                return tab.evaluate(f"getComputedStyle(document.querySelector('{place}')).{name}")

            paper = style("body", "backgroundColor")
            assert (luminance(paper) < 0.05) == (scheme == "dark")
            for place in ("p.note", "#runs tbody td", "a", ".lost td"):
                assert contrast(style(place, "color"), paper) >= 4.5, (scheme, place)
            assert contrast(style("svg text", "fill"), paper) >= 4.5, scheme
            variables = tab.evaluate(
                "[...Array(7).keys()].map(k => { const p = document.createElement('p'); p.style.color = `var(--c${k})`;"
                " document.body.append(p); return getComputedStyle(p).color })"
            )
            # what the accessibility guidelines (WCAG) ask for of lines
            assert min(contrast(colour, paper) for colour in variables) >= 3.0, (scheme, variables)
