"""What all pictures share: matplotlib or the word that it is missing, axes, colours, labels."""

import math
from itertools import cycle, islice

MISSING = "numopt.plot needs matplotlib: pip install numopt-jit[plot]"

# Okabe and Ito, https://jfly.uni-koeln.de/color: told apart with any kind of colour vision.  Yellow, too light for
# a line on white, is left out; orange and sky blue, which are light too, come last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#4D4D4D", "#E69F00", "#56B4E9")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, GRID = "#333333", "#D9D9D9"


def require():
    """matplotlib itself; ImportError in one line if it is missing."""
    try:
        import matplotlib
    except ImportError:
        raise ImportError(MISSING) from None
    return matplotlib


def axes(ax, projection=None, figsize=(6.4, 4.8)):
    """(figure, axes): those given, or new ones of pyplot."""
    if ax is not None:
        return ax.get_figure(), ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize, layout="constrained", subplot_kw={"projection": projection})


def check_ax(ax, projection=None):
    """TypeError unless ``ax`` is None or axes of the right kind."""
    if ax is None:
        return
    if not hasattr(ax, "get_figure") or not hasattr(ax, "plot"):
        raise TypeError(f"ax must be matplotlib axes or None, not {type(ax).__name__}")
    if projection == "3d" and getattr(ax, "name", "") != "3d":
        raise ValueError("ax must be 3-D axes for kind='surface': plt.subplots(subplot_kw={'projection': '3d'})")
    if projection is None and getattr(ax, "name", "") == "3d":
        raise ValueError("ax must be plane axes; got 3-D ones")


def styles(count):
    """Colour, dashes and marker of each of so many curves: no two alike, even in grey, for the first 28."""
    # 7 colours and 4 kinds of dashes have no common divisor, so that all their pairs occur
    rounds = zip(cycle(COLOURS), cycle(DASHES), cycle(MARKERS), strict=False)
    return [dict(zip(("color", "linestyle", "marker"), style, strict=True)) for style in islice(rounds, count)]


def check_labels(labels, count, what):
    """A list of ``count`` texts; TypeError or ValueError if it is none."""
    if isinstance(labels, str):
        raise TypeError(f"labels must be a sequence of texts, one for each of the {what}; got one text, {labels!r}")
    try:
        found = [str(label) for label in labels]
    except TypeError:
        raise TypeError(f"labels must be a sequence of texts, not {type(labels).__name__}") from None
    if len(found) != count:
        raise ValueError(f"labels must have one text for each of the {count} {what}; got {len(found)}")
    return found


def grid(ax):
    """A light grid behind the curves, and no box around them."""
    ax.grid(True, color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_text(value):
    """A tick of a logarithmic axis: 1, 10, 100, 0.1, 0.01, otherwise powers of ten."""
    if not value > 0:
        return ""
    exponent = math.log10(value)
    if -2.001 < exponent < 3.999:
        return f"{value:g}"
    whole = round(exponent)
    if abs(exponent - whole) < 1e-9:
        return "10" + str(whole).translate(_RAISED)
    digits, power = f"{value:.1e}".split("e")
    return f"{float(digits):g}·10{str(int(power)).translate(_RAISED)}"


def log_axis(axis, base=10):
    """Make an axis logarithmic, with labels that need no formula font."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    def between(value, _):
        """2 and 5, where powers of ten alone would leave the axis almost bare."""
        low, high = axis.get_view_interval()
        first = f"{value:e}"[0]
        return power_text(value) if low > 0 and high < 100 * low and first in "25" else ""

    getattr(axis.axes, f"set_{axis.axis_name}scale")("log", base=base, nonpositive="clip")
    axis.set_major_locator(LogLocator(base=base, numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_text(value)))
    axis.set_minor_formatter(FuncFormatter(between if base == 10 else lambda value, _: ""))
