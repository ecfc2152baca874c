"""Figures as SVG that can stand in a page: own names, no links, colours that follow the page's."""

import io
import re
from pathlib import Path
from xml.etree import ElementTree

from numopt.plot import _canvas as canvas

# each colour of a chart is a variable of the page, which has one value for light and one for dark
_VARIABLES = {colour.lower(): f"var(--c{k})" for k, colour in enumerate(canvas.COLOURS)}
_VARIABLES |= {canvas.INK.lower(): "var(--ink)", canvas.GRID.lower(): "var(--grid)"}
_SETTINGS = {
    "svg.fonttype": "none",  # text stays text: small, sharp, in the page's font
    "svg.hashsalt": "numopt",  # the same chart gives the same text
    "text.color": canvas.INK,
    "axes.labelcolor": canvas.INK,
    "axes.edgecolor": canvas.INK,
    "xtick.color": canvas.INK,
    "ytick.color": canvas.INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def palette():
    """The page's colours, light and dark, as CSS."""
    return (Path(__file__).parent / "palette.css").read_text(encoding="utf-8")


def inline_svg(make, prefix, title):
    """SVG text to stand in an HTML page.

    Parameters
    ----------
    make : callable
        Makes the figure.
    prefix : str
        Goes before every name in it: several charts share a page.
    title : str
        What it shows, for those who don't see it.

    Returns
    -------
    str
    """
    matplotlib = canvas.require()
    with matplotlib.rc_context(_SETTINGS):
        out = io.StringIO()
        # no metadata: they are dates and addresses
        make().savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(out.getvalue())
    names = {element.get("id") for element in root.iter() if element.get("id")}
    used = {name for element in root.iter() for value in element.attrib.values() for name in _references(value)}
    _clean(root, prefix, names & used)
    # the view box scales it; a width of its own would not let it
    root.attrib = {"viewBox": root.get("viewBox"), "role": "img", "aria-label": title}
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _references(value):
    """The names that an attribute refers to."""
    return re.findall(r"url\(#([^)]+)\)", value) + re.findall(r"^#(\S+)$", value)


def _clean(element, prefix, used):
    """Drop namespaces, styles of the whole document, metadata and unused names; put the page's colours."""
    for child in list(element):
        if _local(child.tag) in ("metadata", "style"):
            element.remove(child)
        else:
            _clean(child, prefix, used)
    element.tag = _local(element.tag)
    attributes = {}
    for key, value in element.attrib.items():
        key = _local(key)
        if key == "id":
            if value in used:
                attributes["id"] = f"{prefix}-{value}"
            continue
        value = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", value)
        if key == "href":
            value = re.sub(r"^#", f"#{prefix}-", value)
        if key == "style":
            value = re.sub(r"#[0-9a-fA-F]{6}\b", lambda found: _VARIABLES.get(found[0].lower(), found[0]), value)
            # the size of the text is kept, its font is the page's; older versions of matplotlib write both in one
            value = re.sub(r"font: [^;']*?([\d.]+px)[^;]*", r"font-size: \1", value)
            value = re.sub(r"font-family: [^;]*;? ?", "", value)
        attributes[key] = value
    element.attrib = attributes


def _local(name):
    return name.rsplit("}", 1)[-1]
