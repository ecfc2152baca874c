"""The docs say what is so: their examples run, their tables are the catalogue's."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if "```python\n" in page.read_text("utf-8")
]


@pytest.mark.parametrize("name", [str(page.relative_to(ROOT)) for page in PAGES])
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    space: dict = {"__name__": "example"}
    for block in blocks:
        exec(compile(block, name, "exec"), space)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("compiled_objective", "gradient agrees"),
        ("inside_compiled_code", "converged: 100.0%"),
        ("implied_volatility", "without a solution: 1"),
        ("grid_search", "best: alpha"),
        ("one_model_every_solver", "all agree"),
        ("maximum_entropy", "those of the exponential family"),
    ],
)
def test_example_scripts_run(name, words, capsys):
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    assert words in capsys.readouterr().out


def test_methods_page_is_what_the_catalogue_says():
    page = runpy.run_path(str(ROOT / "docs" / "_methods.py"))["page"]()
    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8") == page
    from numopt import METHODS
    from numopt.constrained_catalog import CONSTRAINED

    for name in (*METHODS, *CONSTRAINED):
        assert f"### `{name}`" in page and f"`{name}`" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_lead_somewhere():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
