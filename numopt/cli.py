"""The command line: ``numopt compare``, ``numopt info``, ``numopt warmup``."""

import errno
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(
    help="Classical numerical optimization, compiled by Numba, behind the interfaces of scipy.optimize.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _Scale(StrEnum):
    """The starts; typer offers choices of strings only."""

    ONE = "1"
    TEN = "10"
    HUNDRED = "100"


def _show_version(wanted: bool):
    if wanted:
        from numopt import __version__

        print(f"numopt {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
):
    pass


def _split(values):
    """The names in options given several times or with commas; None if there are none."""
    if not values:
        return None
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _fail(text):
    """One line on stderr, and the exit code of a wrong command line."""
    print(f"numopt: {text}", file=sys.stderr)
    raise typer.Exit(2)


def _write(target, text):
    """Text to a file, or to stdout for '-'."""
    if target == "-":
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    with open(target, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def _check_target(target):
    """Find out before the measurements, not after them, that a file can't be written."""
    if target not in (None, "-"):
        try:
            open(target, "a", encoding="utf-8").close()
        except OSError as error:
            _fail(f"cannot write {target}: {error.strerror}")


def _check_folder(folder):
    """Make the folder before the measurements, or say that it can't be made."""
    if folder is not None:
        try:
            os.makedirs(folder, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            _fail(f"cannot write to the folder {folder}: {error.strerror}")


def _check_packages(html):
    """Say before the measurements that a package is missing."""
    from numopt.comparison import _page
    from numopt.plot import _canvas

    try:
        _canvas.require() if html is None else _page.require()
    except ImportError as error:
        _fail(str(error))


@app.command()
def compare(
    problems: Annotated[
        list[str] | None,
        typer.Option(
            "--problems", "-p", metavar="NAMES",
            help="Problems or groups of them (mgh, bounds, scalable, surfaces, data, all, default), with commas "
            "between; files of NIST's data sets (*.dat), with the suite nist also their names and folders of them.",
        ),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--methods", "-m", metavar="NAMES",
            help="Methods, with commas between: scipy's names or numopt's. Default: BFGS,CG,L-BFGS-B.",
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite", metavar="NAME",
            help="Instead of problems: mgh, bounds, scalable, data, nist (least squares, with the correct digits) or "
            "constrained, with the methods that fit it.",
        ),
    ] = None,
    scale: Annotated[
        _Scale, typer.Option(help="Start so many times as far from the origin as usual.")
    ] = _Scale.ONE,
    repeat: Annotated[
        int, typer.Option(min=1, help="Calls to take the median time of, after the first one.")
    ] = 5,
    python: Annotated[
        bool, typer.Option("--python/--no-python", help="Run with plain Python functions too.")
    ] = True,
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON; '-' for stdout.")
    ] = None,
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write the runs as CSV; '-' for stdout.")
    ] = None,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Write one page with tables, profiles and convergence curves."),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option("--plot", metavar="FOLDER", help="Write profiles and convergence curves as PNG files."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if a run of ours failed where scipy's succeeded.")
    ] = False,
):  # fmt: skip
    """Compare solvers with scipy's of the same name, on problems with known minima.

    Both get the same functions (value and gradient), the same starts and the same tolerances.

    The default takes about a minute, most of it for compiling; longer on a busy machine.
    """
    if json == "-" and csv == "-":
        _fail("only one of --json and --csv can go to stdout")
    if html == "-" or plot == "-":
        _fail("--html takes a file and --plot a folder; only --json and --csv can go to stdout")
    from numopt.comparison import _compare

    callers = _compare.CALLERS if python else ("jitted",)
    wanted, chosen = _split(problems), _split(methods)
    try:
        _compare.check_names(wanted, chosen, suite, int(scale.value))
    except ValueError as error:
        _fail(str(error))
    if html is not None or plot is not None:
        _check_packages(html)
    for target in (json, csv, html):
        _check_target(target)
    _check_folder(plot)
    pictures = html is not None or plot is not None
    found = _compare.compare(
        wanted, chosen, int(scale.value), repeat, callers, progress=True, suite=suite, traces=pictures
    )
    if json is not None:
        _write(json, found.to_json() + "\n")
    if csv is not None:
        _write(csv, found.to_csv())
    if "-" not in (json, csv):
        from rich.console import Console

        console = Console()
        if not console.is_terminal:
            console = Console(width=140)  # nobody folds a file's lines
        console.print(found.table(compact=console.width < 125))
        print(f"took {found.settings['total_seconds']:.1f} s")
    # not into the data
    out = sys.stderr if "-" in (json, csv) else sys.stdout
    if html is not None:
        _write(html, found.to_html())
        print(f"wrote {os.path.abspath(html)}", file=out)
    if plot is not None:
        count = len(found.save_plots(plot))
        print(f"wrote {count} PNG file{'s' * (count != 1)} to {os.path.abspath(plot)}", file=out)
    if check and found.lost:
        raise typer.Exit(1)


@app.command()
def info(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
):
    """Show versions, processor, threads, BLAS, CUDA, and which solvers are compiled already."""
    from numopt.comparison._system import facts, report

    if json:
        from json import dumps

        print(dumps(facts(), indent=2))
        return
    lines = report()
    width = max(map(len, lines))
    for title, text in lines.items():
        print(f"{title:<{width}}  {text}")


@app.command()
def warmup():
    """Compile all solvers now, so that no later call has to wait for it."""
    import numopt

    seconds = numopt.warmup(progress=True)
    width = max(map(len, seconds), default=0)
    for name, spent in seconds.items():
        print(f"{name:<{width}}  {spent:6.2f} s")
    print(f"{'total':<{width}}  {sum(seconds.values()):6.2f} s")


def main():
    """The entry point of the command ``numopt``."""
    app(prog_name="numopt")
