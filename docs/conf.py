"""Sphinx builds the docs from these pages: ``sphinx-build docs docs/_build``."""

import os
import re
import warnings

import numopt

project = "numopt"
author = "The numopt developers"
copyright = author
release = version = numopt.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py", "gallery/*.py.md5"]
nitpicky = False

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": "plot_",
    "copyfile_regex": r".*\.rst",
    "within_subsection_order": "ExampleTitleSortKey",
    "matplotlib_animations": True,
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"numopt {release}"
html_show_copyright = False

os.environ.setdefault("MPLBACKEND", "agg")
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")


def _without_labels_of_scikit_learn(app, what, name, obj, options, lines):
    """Inherited methods refer to labels of scikit-learn's own docs; here their text stays without the link."""
    lines[:] = [re.sub(r":(?:ref|term):`([^<`]+?)\s*(?:<\w+>)?`", r"\1", line) for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", _without_labels_of_scikit_learn)
