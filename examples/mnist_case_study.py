"""A small network on MNIST, 784-10-10, with every optimizer: a table, and pictures of what the training does.

    python examples/mnist_case_study.py --rows 10000 --epochs 30 --out pictures

The digits come from OpenML by scikit-learn's fetch_openml (about 15 MB, once); where that can't be reached, or with
--offline, scikit-learn's bundled 8 x 8 digits take their place.
"""

import argparse
import socket
import time
import warnings
from http.client import HTTPException
from importlib.util import find_spec
from json import JSONDecodeError
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.datasets import fetch_openml, load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

import numopt
from numopt.neural_network import MLPClassifier, training_loss

HIDDEN = 10
PATIENCE = 10.0  # seconds that a server may be silent
MOST_LOSS = 20.0  # of the picture of learning rates
BFGS_UP_TO = 4000  # parameters: its matrix is square

# name: learning rate, other parameters.  Of 1 and 3 times powers of ten the rate with the lowest training loss after 12
# epochs on 8,000 digits of MNIST
FIRST_ORDER = {
    "sgd": (0.3, {"momentum": 0.0}),
    "momentum": (0.03, {}),
    "nesterov": (0.1, {}),
    "adagrad": (0.03, {}),
    "adadelta": (3.0, {"epsilon": 1e-6}),
    "rmsprop": (0.003, {}),
    "rmsprop-nesterov": (0.001, {}),
    "adam": (0.01, {}),
    "adamw": (0.01, {}),
    "adamax": (0.01, {}),
    "nadam": (0.01, {}),
    "amsgrad": (0.01, {}),
    "delta-bar-delta": (0.3, {}),
}
FULL_BATCH = ("gd", "cg-pr", "bfgs", "lbfgs", "newton-cg")
# Okabe and Ito: told apart with any kind of colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#4D4D4D", "#E69F00", "#56B4E9")


def load(rows, offline=False, file=None, say=print):
    """(X with values from 0 to 1, y, side of a picture) of at most so many digits, drawn at random."""
    if file is not None:
        with np.load(file) as arrays:
            X, y = arrays["X"] / 255.0, arrays["y"].astype(int)
    else:
        X, y = load_bundled() if offline else load_mnist(say)
    keep = np.random.default_rng(0).permutation(len(X))[:rows]
    return X[keep], y[keep], round(X.shape[1] ** 0.5)


def load_mnist(say):
    """MNIST from OpenML; the bundled digits where that fails."""
    parser = "pandas" if find_spec("pandas") else "liac-arff"  # the one is faster, the other needs nothing
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True, parser=parser, n_retries=1)
    except (OSError, HTTPException, JSONDecodeError) as error:  # no network, a broken transfer, a proxy's page
        say(f"MNIST could not be fetched ({type(error).__name__}: {error}); the bundled 8 x 8 digits instead")
        return load_bundled()
    finally:
        socket.setdefaulttimeout(before)
    return X / 255.0, y.astype(int)


def load_bundled():
    X, y = load_digits(return_X_y=True)
    return X / 16.0, y


def fit(solver, X, y, epochs, **params):
    """A fitted network, and the seconds that it took."""
    model = MLPClassifier((HIDDEN,), solver=solver, batch_size=min(128, len(X)), max_iter=epochs, tol=0.0,
                          n_iter_no_change=epochs, random_state=0).set_params(**params)  # fmt: skip
    start = time.perf_counter()
    model.fit(X, y)
    return model, time.perf_counter() - start


def optimizers(X, y, X_test, y_test, epochs):
    """{name: (model, seconds)}, and the rows of the table."""
    n_params = (X.shape[1] + 1) * HIDDEN + (HIDDEN + 1) * 10
    plan = {name: {"learning_rate_init": rate, **more} for name, (rate, more) in FIRST_ORDER.items()}
    plan |= {name: {} for name in FULL_BATCH}
    runs, rows = {}, []
    for name, params in plan.items():
        if name == "bfgs" and n_params > BFGS_UP_TO:
            rows.append((name, "left out:", f"{n_params} parameters,", "a matrix of", f"{8e-6 * n_params**2:.0f} MB"))
            continue
        fit(name, X[:200], y[:200], 1, **params)  # compiles, or loads what is compiled
        model, seconds = runs[name] = fit(name, X, y, epochs, **params)
        rate = f"{params['learning_rate_init']:g}" if params else "-"
        loss = training_loss(model, X, y)
        rows.append((name, rate, f"{loss(loss.theta):.4f}", f"{model.score(X_test, y_test):.4f}", f"{seconds:.3f}"))
    return runs, rows


def show_table(rows, console):
    table = Table("optimizer", title="On the training set, and on digits not seen")
    for head in ("learning rate", "training loss", "test accuracy", "seconds"):
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def learning_rates(X, y, epochs, rates=(1e-4, 0.1, 1.0, 1e12)):
    """{learning rate: model}, of plain gradient descent in minibatches: too low, right, too high, far too high."""
    return {rate: fit("sgd", X, y, epochs, learning_rate_init=rate, momentum=0.0)[0] for rate in rates}


def race(maxiter=150):
    """(surface, runs, labels): five optimizers out of a saddle."""

    def valley(x):
        return 5 * x[0] ** 2 - 0.5 * x[1] ** 2 + 0.25 * x[1] ** 4, np.array([10 * x[0], x[1] ** 3 - x[1]])

    steps = {"sgd": 0.05, "momentum": 0.02, "adagrad": 0.1, "rmsprop": 0.02, "adam": 0.05}
    runs = [
        numopt.minimize(
            valley, [1.0, 0.02], method=method, jac=True,
            options={"maxiter": maxiter, "return_all": True, "step": step},
        )
        for method, step in steps.items()
    ]  # fmt: skip
    return valley, runs, ("gradient descent", "momentum", "AdaGrad", "RMSProp", "Adam")


# --- pictures


def style(k):
    return {"color": COLOURS[k % len(COLOURS)], "linestyle": ("-", "--", ":")[k // len(COLOURS)], "linewidth": 1.4}


def plain_log(ax):
    """A logarithmic axis of losses with numbers in plain writing."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    ax.grid(True, color="#D9D9D9", linewidth=0.6)


def draw_curves(runs, plt):
    """Loss by epoch and by time: minibatches on the left, all samples at once on the right."""
    from matplotlib.ticker import NullFormatter

    fig, axes = plt.subplots(2, 2, figsize=(9, 7.6), layout="constrained", sharey=True)
    kinds = [name for name in runs if name in FIRST_ORDER], [name for name in runs if name not in FIRST_ORDER]
    for column, (names, unit) in enumerate(zip(kinds, ("epochs", "iterations"), strict=True)):
        for k, name in enumerate(names):
            model, seconds = runs[name]
            done = np.arange(1, len(model.loss_curve_) + 1)
            axes[0, column].plot(done, model.loss_curve_, label=name, **style(k))
            axes[1, column].plot(done * seconds / done[-1], model.loss_curve_, **style(k))
        axes[0, column].set(xlabel=unit, title=("in minibatches", "all samples at once")[column])
        axes[1, column].set(xlabel="seconds", xscale="log")
        axes[1, column].xaxis.set_minor_formatter(NullFormatter())
        fig.legend(*axes[0, column].get_legend_handles_labels(), fontsize="small", ncols=2, handlelength=3,
                   loc=f"outside lower {('left', 'right')[column]}")  # fmt: skip
    for ax in axes.flat:
        plain_log(ax)
    for ax in axes[:, 0]:
        ax.set_ylabel("training loss")
    return fig


def draw_weights(model, side, plt):
    """What each hidden unit looks for: its incoming weights, blue where ink speaks against it, red where for it."""
    W = model.coefs_[0]
    most = np.quantile(np.abs(W), 0.995)
    fig, axes = plt.subplots(2, HIDDEN // 2, figsize=(8, 3.6), layout="constrained")
    for k, ax in enumerate(axes.flat):
        shown = ax.imshow(W[:, k].reshape(side, side), cmap="RdBu_r", vmin=-most, vmax=most)
        ax.set(xticks=[], yticks=[], title=f"unit {k}")
        ax.title.set_fontsize("small")
    fig.colorbar(shown, ax=axes, shrink=0.8, label="weight", extend="both")
    return fig


def draw_rates(models, plt):
    """Curves up to a loss of 20; a rate whose losses are all above is in the legend alone."""
    fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for k, (rate, model) in enumerate(models.items()):
        curve = np.array(model.loss_curve_)
        label = f"{rate:g}: {model.status_}" + (", beyond the picture" if (curve > MOST_LOSS).all() else "")
        ax.plot(np.arange(1, len(curve) + 1), curve, "os^D"[k] + "-", color=COLOURS[k], markersize=4, label=label)
    plain_log(ax)
    ax.set(xlabel="epochs", ylabel="training loss", ylim=(None, min(MOST_LOSS, ax.get_ylim()[1])))
    ax.legend(title="learning rate", fontsize="small")
    return fig


def draw_landscape(first, second, X, y, plt, points=25):
    """Around one solution, along directions normalised by filters; and along the line to another."""
    loss, other = training_loss(first, X, y), training_loss(second, X, y)
    fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    numopt.plot.landscape(loss, loss.theta, directions=loss.filter_directions(), points=points, ax=axes[0])
    axes[0].set_title("two random directions")
    numopt.plot.line(loss, loss.theta, other.theta, points=2 * points + 1, ax=axes[1])
    axes[1].set(title="from one solution to another", ylabel="training loss")
    return fig


def draw_confusion(model, X_test, y_test, plt):
    """Counts of (true, predicted); the diagonal, which would drown the others, is left white."""
    counts = confusion_matrix(y_test, model.predict(X_test), labels=model.classes_)
    wrong = np.where(np.eye(len(counts), dtype=bool), np.nan, counts)
    fig, ax = plt.subplots(figsize=(5.4, 4.6), layout="constrained")
    shown = ax.imshow(wrong, cmap="Blues", vmin=0)
    half = np.nanmax(wrong) / 2
    for (i, j), count in np.ndenumerate(counts):
        if count:
            ax.text(j, i, count, ha="center", va="center", fontsize=7, color="white" if wrong[i, j] > half else "black")
    ax.set(xlabel="predicted", ylabel="true", xticks=range(len(counts)), yticks=range(len(counts)))
    fig.colorbar(shown, label="digits taken for another")
    return fig


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=2000, help="digits to train and test on (default 2000)")
    parser.add_argument("--epochs", type=int, default=10, help="epochs, or iterations on all samples (default 10)")
    parser.add_argument("--offline", action="store_true", help="take the bundled 8 x 8 digits, ask no server")
    parser.add_argument("--data", metavar="FILE.npz", help="take X (n, pixels; 0 to 255) and y from a file")
    parser.add_argument("--out", metavar="FOLDER", help="write the pictures there (needs matplotlib)")
    args = parser.parse_args(arguments)
    if args.rows < 100 or args.epochs < 1:
        parser.error("--rows must be at least 100, --epochs at least 1")
    if args.data is not None and not Path(args.data).is_file():
        parser.error(f"--data: there is no file {args.data}")
    console = Console()
    warnings.simplefilter("ignore")  # ConvergenceWarning: epochs are few here; status_ says the rest
    X, y, side = load(args.rows, args.offline, args.data, console.print)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    console.print(f"{len(X)} digits of {side} x {side} to train on, {len(X_test)} to test; {side**2}-{HIDDEN}-10")
    runs, rows = optimizers(X, y, X_test, y_test, args.epochs)
    show_table(rows, console)
    rates = learning_rates(X, y, args.epochs)
    for rate, model in rates.items():
        dead = len(model.dead_units(X)[0])
        said = f"loss {model.loss_:.4g}, {dead} dead units, status_ {model.status_!r}. {model.message_}"
        console.print(f"learning rate {rate:g}: {said}")
    if args.out is not None:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        import numopt.plot

        first = runs["adam"][0]
        second = fit("adam", X, y, args.epochs, learning_rate_init=FIRST_ORDER["adam"][0], random_state=1)[0]
        out = Path(args.out)
        out.mkdir(parents=True, exist_ok=True)
        figures = {
            "curves": draw_curves(runs, plt),
            "weights": draw_weights(first, side, plt),
            "learning_rates": draw_rates(rates, plt),
            "landscape": draw_landscape(first, second, X, y, plt),
            "confusion": draw_confusion(first, X_test, y_test, plt),
        }
        for name, fig in figures.items():
            fig.savefig(out / f"{name}.png", dpi=70)
            plt.close(fig)
        surface, paths, labels = race()
        animation = numopt.plot.race(surface, paths, labels=labels, xlim=(-1.1, 1.3), ylim=(-1.2, 1.5), frames=20)
        animation.save(out / "race.gif", writer="pillow", dpi=50)
        plt.close("all")
        console.print(f"pictures: {', '.join(figures)} and race.gif in {out}")


if __name__ == "__main__":
    main()
