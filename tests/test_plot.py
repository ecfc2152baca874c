"""``numopt.plot``: what is drawn, read from the artists; and what is said of input that can't be drawn."""

import math
import subprocess
import sys

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

import numopt  # noqa: E402
import numopt.plot  # noqa: E402
from numopt import problems  # noqa: E402
from numopt.plot import _canvas, _check, _formulas  # noqa: E402
from numopt.plot._race import iterations  # noqa: E402

OPTIONS = {"return_all": True, "history": True}
INF = np.inf
COST = st.one_of(st.just(INF), st.floats(1e-6, 1e6))


def bowl(x):
    return x[0] ** 2 + 10 * x[1] ** 2, np.array([2 * x[0], 20 * x[1]])


def run(method, fun=bowl, x0=(3.0, 1.0), **options):
    return numopt.minimize(fun, x0, method=method, jac=True, options={**OPTIONS, **options})


@pytest.fixture(scope="module")
def runs():
    return [run("gd"), run("bfgs")]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def lines(ax):
    """label -> (x, y) of the curves in the legend."""
    return {line.get_label(): line.get_data() for line in ax.lines if not line.get_label().startswith("_")}


class TestFormulas:
    # three problems, three solvers; nobody solves the third
    COSTS = np.array([[1.0, 2.0, INF], [8.0, 4.0, 4.0], [INF, INF, INF]])

    def test_ratios(self):
        assert _formulas.performance_ratios(self.COSTS).tolist() == [[1, 2, INF], [2, 1, 1], [INF, INF, INF]]

    def test_performance_by_hand(self):
        tau, rho = _formulas.performance_steps(self.COSTS)
        assert tau.tolist() == [1.0, 2.0]
        assert rho == pytest.approx(np.array([[1, 1, 1], [2, 2, 1]]) / 3)

    def test_data_by_hand(self):
        # n = 1, 3, 7: budgets in units of 2, 4, 8 evaluations
        kappa, d = _formulas.data_steps(self.COSTS, np.array([1, 3, 7]))
        assert kappa.tolist() == [0.0, 0.5, 1.0, 2.0]
        assert d == pytest.approx(np.array([[0, 0, 0], [1, 0, 0], [1, 2, 1], [2, 2, 1]]) / 3)

    def test_one_solver_is_always_the_best(self):
        tau, rho = _formulas.performance_steps(np.array([[5.0], [INF], [7.0], [0.1]]))
        assert tau.tolist() == [1.0] and rho.tolist() == [[0.75]]

    def test_nothing_solved(self):
        for steps in (_formulas.performance_steps(np.full((2, 2), INF)),
                      _formulas.data_steps(np.full((2, 2), INF), np.array([1, 2]))):  # fmt: skip
            assert steps[0].size == 1 and (steps[1] == 0).all()

    @given(st.integers(1, 4).flatmap(lambda k: st.lists(st.lists(COST, min_size=k, max_size=k),
                                                        min_size=1, max_size=8)))  # fmt: skip
    @settings(max_examples=60, deadline=None)
    def test_properties(self, rows):
        costs = np.array(rows)
        tau, rho = _formulas.performance_steps(costs)
        solved = np.isfinite(costs)
        assert (np.diff(tau) > 0).all() and tau[0] == 1.0
        assert (np.diff(rho, axis=0) >= 0).all() and (rho >= 0).all() and (rho <= 1).all()
        assert rho[-1] == pytest.approx(solved.mean(axis=0))
        # whoever is the cheapest counts at tau = 1, ties for each
        best = (costs == costs.min(axis=1, keepdims=True)) & solved
        assert rho[0] == pytest.approx(best.mean(axis=0))
        # the scale of a problem doesn't matter (powers of two don't round)
        again = _formulas.performance_steps(costs * 2.0 ** np.arange(len(costs))[:, None])
        assert np.array_equal(again[0], tau) and np.array_equal(again[1], rho)
        # a data profile doesn't depend on the other solvers
        n = np.arange(1, len(costs) + 1)
        kappa, d = _formulas.data_steps(costs, n)
        alone, one = _formulas.data_steps(costs[:, :1], n)
        assert np.array_equal(d[np.isin(kappa, alone), 0], one[:, 0])


class TestProfiles:
    def test_performance(self):
        fig, ax = numopt.plot.performance_profile(TestFormulas.COSTS, labels=["a", "b", "c"])
        assert fig is ax.get_figure() and ax.get_xscale() == "log"
        found = lines(ax)
        assert list(found) == ["a", "b", "c"]
        tau, rho = found["a"]
        assert tau.tolist() == [1.0, 2.0, 2.1] and rho == pytest.approx([1 / 3, 2 / 3, 2 / 3])
        assert all(line.get_drawstyle() == "steps-post" for line in ax.lines)
        assert ax.get_ylim()[0] <= 0 and ax.get_ylim()[1] >= 1 and ax.get_xlim()[0] < 1

    def test_tau_max(self):
        fig, ax = numopt.plot.performance_profile([[1.0, 50.0]], labels=["a", "b"], tau_max=4.0)
        assert ax.get_xlim()[1] == 4.0
        fig, ax = numopt.plot.performance_profile([[1.0, 2.0]], labels=["a", "b"], tau_max=32)
        assert lines(ax)["b"][0][-1] == 32

    def test_data(self):
        fig, ax = numopt.plot.data_profile(TestFormulas.COSTS, [1, 3, 7], labels=["a", "b", "c"])
        assert ax.get_xscale() == "linear" and ax.get_xlim()[0] == 0.0
        kappa, d = lines(ax)["b"]
        assert kappa[:-1].tolist() == [0.0, 0.5, 1.0, 2.0] and d == pytest.approx(np.array([0, 0, 2, 2, 2]) / 3)
        fig, ax = numopt.plot.data_profile([[2.0, 4000.0]], [1], labels=["a", "b"])
        assert ax.get_xscale() == "log"

    def test_nothing_solved_is_drawn_as_such(self):
        for _, ax in (
            numopt.plot.performance_profile([[INF, INF]], labels=["a", "b"]),
            numopt.plot.data_profile([[INF, INF]], [3], labels=["a", "b"]),
        ):
            assert all((y == 0).all() for _, y in lines(ax).values())

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda p: p.performance_profile([1.0, 2.0], labels=["a"]), "costs must have the shape"),
            (lambda p: p.performance_profile(np.empty((0, 2)), labels=["a", "b"]), "none of them 0"),
            (lambda p: p.performance_profile([[1.0, np.nan]], labels=["a", "b"]), r"costs\[0, 1\] is nan"),
            (lambda p: p.performance_profile([[0.0, 1.0]], labels=["a", "b"]), r"above 0.*costs\[0, 0\] is 0.0"),
            (lambda p: p.performance_profile([[1.0, 2.0]], labels=["a"]), "one text for each of the 2 solvers; got 1"),
            (lambda p: p.performance_profile([[1.0]], labels=["a"], tau_max=1), "tau_max must be above 1"),
            (lambda p: p.data_profile([[1.0]], [1, 2], labels=["a"]), "dimensions must have 1 numbers; got 2"),
            (lambda p: p.data_profile([[1.0]], [0], labels=["a"]), "dimensions must be numbers of variables"),
            (lambda p: p.data_profile([[-1.0]], [1], labels=["a"]), r"evaluations\[0, 0\] is -1.0"),
        ],
    )
    def test_mistakes(self, call, words):
        with pytest.raises(ValueError, match=words):
            call(numopt.plot)
        assert not plt.get_fignums()

    def test_labels_are_not_one_text(self):
        with pytest.raises(TypeError, match="one text, 'ab'"):
            numopt.plot.performance_profile([[1.0, 2.0]], labels="ab")


class TestContour:
    @pytest.mark.parametrize("fun", [bowl, numba.njit(bowl), lambda x: x[0] ** 2 + 10 * x[1] ** 2,
                                     lambda x: np.array([x @ x])])  # fmt: skip
    def test_paths_are_those_of_the_results(self, runs, fun):
        fig, ax = numopt.plot.contour(fun, runs, minima=[[0, 0]])
        found = lines(ax)
        assert set(found) == {"gd", "bfgs", "minimum"}
        for result, name in zip(runs, ("gd", "bfgs"), strict=True):
            assert np.array_equal(np.column_stack(found[name]), np.array(result.allvecs))
        ends = [line.get_data() for line in ax.lines if line.get_label() == "_end"]
        assert [float(x[0]) for x, _ in ends] == [float(r.allvecs[-1][0]) for r in runs]
        (low, high), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        for x, y in np.concatenate([r.allvecs for r in runs]):
            assert low < x < high and bottom < y < top
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["minimum", "gd", "bfgs"]

    def test_levels(self):
        values = [level for log in (True, False) for level in [self._levels(log)]]
        logarithmic, linear = values
        assert len(logarithmic) == len(linear) == 12
        assert np.diff(np.log(logarithmic)) == pytest.approx(np.log(logarithmic[1] / logarithmic[0]))
        assert np.diff(linear) == pytest.approx(linear[1] - linear[0])

    @staticmethod
    def _levels(log):
        fig, ax = numopt.plot.contour(bowl, xlim=(-1, 1), ylim=(-1, 1), levels=12, log=log)
        return ax.collections[0].levels

    def test_a_problem_of_the_library(self):
        problem = problems.get("himmelblau")
        r = numopt.minimize(problem.fun_and_grad, problem.x0, jac=True, options=OPTIONS)
        fig, ax = numopt.plot.contour(problem, r, labels=["mine"])
        assert "mine" in lines(ax)

    def test_results_of_scipy(self):
        import scipy.optimize

        r = scipy.optimize.minimize(bowl, [3.0, 1.0], jac=True, method="BFGS", options={"return_all": True})
        fig, ax = numopt.plot.contour(bowl, [r])
        assert len(lines(ax)["result 1"][0]) == r.nit + 1

    def test_axes_of_ones_own_are_used_and_no_others_made(self, runs):
        from matplotlib.figure import Figure

        figure = Figure()
        mine = figure.subplots()
        for call in (
            lambda: numopt.plot.contour(bowl, runs, ax=mine),
            lambda: numopt.plot.convergence(runs, ax=mine),
            lambda: numopt.plot.performance_profile([[1.0, 2.0]], labels=["a", "b"], ax=mine),
            lambda: numopt.plot.data_profile([[1.0, 2.0]], [2], labels=["a", "b"], ax=mine),
            lambda: numopt.plot.landscape(bowl, [0.0, 0.0], points=5, ax=mine),
            lambda: numopt.plot.line(bowl, [0.0, 0.0], [1.0, 1.0], ax=mine),
        ):
            mine.clear()
            before = dict(matplotlib.rcParams)
            assert call() == (figure, mine)
            assert dict(matplotlib.rcParams) == before and figure.axes == [mine]
        assert not plt.get_fignums()

    def test_regions_without_a_value_are_left_out(self):
        import math

        def half(x):
            return math.log(x[0]) + 1 / x[1]  # ValueError left of 0, ZeroDivisionError on the axis

        fig, ax = numopt.plot.contour(half, xlim=(-1, 1), ylim=(-1, 1), log=False)
        assert np.isfinite(ax.collections[0].levels).all()

    def test_a_constant(self):
        fig, ax = numopt.plot.contour(lambda x: 3.0)
        assert ax.get_xlim() == (-2.0, 2.0)

    def test_a_path_that_left_the_numbers(self, runs):
        far = {"allvecs": [np.array([1.0, 1.0]), np.array([INF, np.nan])]}
        fig, ax = numopt.plot.contour(bowl, [far])
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"results": [numopt.OptimizeResult(x=np.zeros(2))]},
             r"results\[0\] has no path.*options=\{'return_all': True\}"),
            ({"results": [{"allvecs": [np.zeros(5)]}]}, r"functions of 2 variables; results\[0\] has 5.*landscape"),
            ({"fun": problems.get("wood")}, "contour draws functions of 2 variables; fun has 4"),
            ({"xlim": (1, 0)}, "xlim must be two finite numbers, the first the smaller"),
            ({"ylim": 3}, "ylim must be two numbers"),
            ({"levels": 1}, "levels must be an integer of at least 2; got 1"),
            ({"minima": [[1, 2, 3]]}, r"minima must be finite points, shape \(k, 2\); got shape \(1, 3\)"),
            ({"results": [{"allvecs": [np.zeros(2)]}], "labels": ["a", "b"]}, "each of the 1 results; got 2"),
            ({"fun": lambda x: x[4]}, "can't be evaluated at x of shape .*IndexError.*2 variables"),
            ({"fun": lambda x: np.nan}, "no finite value anywhere"),
        ],
    )  # fmt: skip
    def test_mistakes(self, arguments, words):
        with pytest.raises(ValueError, match=words) as error:
            numopt.plot.contour(**{"fun": bowl, **arguments})
        assert "\n" not in str(error.value) and not plt.get_fignums()

    def test_a_compiled_function_of_more_variables(self):
        """It read on behind the end of x, without an error, and what stood there was drawn."""
        fun = numba.njit(lambda x: x[0] ** 2 + x[1] ** 2 + x[2] ** 2)
        with pytest.raises(ValueError, match=r"shape \(2,\) .*behind the end of x.*contour draws functions of 2"):
            numopt.plot.contour(fun)
        with pytest.raises(ValueError, match=r"shape \(2,\) .*behind the end of x"):
            numopt.plot.landscape(fun, [1.0, 2.0])
        # where it has no value in the middle, whatever stands behind the end
        with pytest.raises(ValueError, match="no finite value anywhere"):
            numopt.plot.contour(numba.njit(lambda x: x[2] if x[0] != 0.0 else math.nan))
        numopt.plot.contour(numba.njit(lambda x: math.log(x[0]) + x[1] ** 2 if x[0] > 0.0 else math.nan))
        assert len(plt.get_fignums()) == 1

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"fun": 3}, "fun must be callable or a test problem, not int"),
            ({"results": [3]}, r"results\[0\] must be a result of numopt.minimize, not int"),
            ({"results": 3}, "results must be results"),
            ({"ax": 3}, "ax must be matplotlib axes or None, not int"),
            ({"minima": "here"}, "minima must be an array of points"),
        ],
    )
    def test_wrong_types(self, arguments, words):
        with pytest.raises(TypeError, match=words):
            numopt.plot.contour(**{"fun": bowl, **arguments})
        assert not plt.get_fignums()


class TestConvergence:
    @pytest.mark.parametrize("quantity", ["f", "gnorm"])
    @pytest.mark.parametrize("x", ["nit", "nfev", "seconds"])
    def test_curves_are_the_histories(self, runs, quantity, x):
        fig, ax = numopt.plot.convergence(runs, quantity=quantity, x=x)
        for result, name in zip(runs, ("gd", "bfgs"), strict=True):
            across, down = lines(ax)[name]
            assert np.array_equal(down, result.history[quantity])
            assert np.array_equal(across, np.arange(result.nit + 1) if x == "nit" else result.history[x])
        assert ax.get_yscale() == "log"

    def test_above_a_minimum(self):
        result = run("bfgs", lambda x: (bowl(x)[0] - 5.0, bowl(x)[1]))
        fig, ax = numopt.plot.convergence(result)
        assert ax.get_yscale() == "linear"  # f is negative
        fig, ax = numopt.plot.convergence(result, minimum=-5.0)
        assert ax.get_yscale() == "log" and np.array_equal(lines(ax)["bfgs"][1], result.history["f"] + 5.0)
        assert ax.get_ylim()[0] > 0

    def test_names_that_are_alike_are_numbered(self, runs):
        fig, ax = numopt.plot.convergence([runs[0], runs[0], runs[1]])
        assert list(lines(ax)) == ["gd (1)", "gd (2)", "bfgs"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"results": []}, "results is empty; give at least one"),
            ({"results": [numopt.OptimizeResult()]}, r"results\[0\] has no history.*options=\{'history': True\}"),
            ({"quantity": "step"}, "quantity must be one of 'f', 'gnorm'; got 'step'"),
            ({"x": "time"}, "x must be one of 'nit', 'nfev', 'seconds'; got 'time'"),
            ({"labels": ["a"]}, "each of the 2 results; got 1"),
            ({"minimum": np.nan}, "minimum must be finite"),
            ({"minimum": 0.0, "quantity": "gnorm"}, "minimum is for quantity='f'"),
        ],
    )
    def test_mistakes(self, runs, arguments, words):
        with pytest.raises(ValueError, match=words):
            numopt.plot.convergence(**{"results": runs, **arguments})
        assert not plt.get_fignums()


class TestLandscape:
    def test_random_directions_are_orthonormal_and_repeat(self):
        from numopt.plot._landscape import _directions

        D = _directions(None, 50, 3)
        assert D @ D.T == pytest.approx(np.eye(2)) and np.array_equal(D, _directions(None, 50, 3))
        assert not np.allclose(D, _directions(None, 50, 4))

    def test_the_surface_is_the_function(self):
        D = [[1.0, 0, 0], [0, 0, 2.0]]
        fig, ax = numopt.plot.landscape(lambda x: x[0] + 10 * x[1] + 100 * x[2], [1.0, 2.0, 3.0], directions=D,
                                        span=2.0, points=3, kind="surface")  # fmt: skip
        assert tuple(ax.zz_dataLim.intervalx) == (321 - 2 - 400, 321 + 2 + 400) and len(ax.collections) == 1
        assert ax.name == "3d"

    @pytest.mark.parametrize("kind", ["contour", "surface"])
    def test_many_variables_jitted(self, kind):
        problem = problems.get("extended_rosenbrock")
        fig, ax = numopt.plot.landscape(problem, np.ones(problem.n), span=0.5, points=11, kind=kind)
        assert ax.get_xlabel() == "along $d_1$"
        if kind == "contour":
            assert ax.get_xlim() == (-0.5, 0.5)

    def test_x_is_not_changed(self):
        x = np.ones(4)

        def greedy(x):
            x += 1
            return x @ x

        numopt.plot.landscape(greedy, x, points=3)
        numopt.plot.line(greedy, x, x + 1, points=3)
        assert (x == 1).all()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"x": [1.0]}, "landscape needs 2 variables or more.*line"),
            ({"x": [1.0, np.nan]}, "x must be finite; got nan"),
            ({"x": []}, "x must be a vector of numbers"),
            ({"directions": [[1, 0, 0], [2, 0, 0]]}, "directions must span a plane"),
            ({"directions": [[1, 0], [0, 1]]}, r"shape \(2, 3\); got shape \(2, 2\)"),
            ({"span": 0.0}, "span must be a finite number above 0"),
            ({"points": 1}, "points must be an integer of at least 2"),
            ({"seed": "a"}, "seed must be an integer of at least 0; got 'a'"),
            ({"kind": "pie"}, "kind must be one of 'contour', 'surface'; got 'pie'"),
            ({"fun": problems.get("wood")}, "x must have 4 numbers; got 3"),
        ],
    )
    def test_mistakes(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            numopt.plot.landscape(**{"fun": lambda x: x @ x, "x": [1.0, 2.0, 3.0], **arguments})
        assert not plt.get_fignums()

    def test_a_surface_wants_axes_in_space(self):
        fig, ax = plt.subplots()
        with pytest.raises(ValueError, match="3-D axes for kind='surface'"):
            numopt.plot.landscape(bowl, [0, 0], kind="surface", ax=ax)


class TestLine:
    def test_values(self):
        fig, ax = numopt.plot.line(lambda x: (x[0] ** 2 - 1) ** 2, [-1.0, 0.0], [1.0, 0.0], points=5, margin=0.0)
        found = lines(ax)
        assert found["f"][0].tolist() == [0, 0.25, 0.5, 0.75, 1.0]
        assert found["f"][1].tolist() == [0.0, 0.5625, 1.0, 0.5625, 0.0]
        assert [float(found[name][0][0]) for name in ("$x_a$", "$x_b$")] == [0.0, 1.0]

    def test_margin(self):
        fig, ax = numopt.plot.line(bowl, [0, 0], [1, 1], margin=0.5)
        assert ax.get_xlim() == (-0.5, 1.5)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"x_b": [1.0, 2.0]}, "x_b must have 3 numbers; got 2"),
            ({"x_b": [0.0, 0, 0]}, "x_a and x_b are the same point"),
            ({"margin": -1}, "margin must be a finite number of at least 0"),
            ({"points": 2.5}, "points must be an integer"),
        ],
    )
    def test_mistakes(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            numopt.plot.line(**{"fun": lambda x: x @ x, "x_a": [0.0, 0, 0], "x_b": [1.0, 1, 1], **arguments})
        assert not plt.get_fignums()


class TestRace:
    def test_frames_show_the_iterations(self, runs):
        animation = numopt.plot.race(bowl, runs)
        shown = list(animation.new_frame_seq())
        longest = max(len(r.allvecs) for r in runs)
        assert shown == list(range(longest))
        ax = animation._fig.axes[0]
        for k in (0, 3, longest - 1):
            animation._func(k)
            for result, name in zip(runs, ("gd", "bfgs"), strict=True):
                assert np.array_equal(np.column_stack(lines(ax)[name]), np.array(result.allvecs)[: k + 1])
            heads = [line.get_data()[0][0] for line in ax.lines if line.get_label() == "_end"]
            assert heads == [r.allvecs[min(k, r.nit)][0] for r in runs]
            assert ax.get_title() == f"iteration {k}"
        animation._draw_was_started = True

    def test_it_can_be_written_down(self, runs, tmp_path):
        from PIL import Image

        animation = numopt.plot.race(bowl, runs, frames=4, interval=100)
        animation.save(tmp_path / "race.gif", writer="pillow", dpi=30)
        with Image.open(tmp_path / "race.gif") as image:
            assert image.n_frames == 4

    @given(st.integers(1, 5000), st.integers(1, 300))
    def test_iterations(self, longest, frames):
        shown = iterations(longest, frames)
        assert len(shown) == frames and shown[-1] == longest - 1 and shown == sorted(shown)
        assert frames == 1 or shown[0] == 0

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"results": []}, "results is empty"),
            ({"frames": 0}, "frames must be an integer of at least 1"),
            ({"interval": 0}, "interval must be a finite number above 0"),
            ({"fun": problems.get("wood")}, "race draws functions of 2 variables; fun has 4"),
        ],
    )
    def test_mistakes(self, runs, arguments, words):
        with pytest.raises(ValueError, match=words):
            numopt.plot.race(**{"fun": bowl, "results": runs, **arguments})
        assert not plt.get_fignums()


class TestCanvas:
    def test_curves_differ_in_more_than_colour(self):
        styles = [tuple(map(str, s.values())) for s in _canvas.styles(28)]
        assert len({(colour, dash) for colour, dash, _ in styles}) == 28
        assert all(a[1] != b[1] for a, b in zip(styles, styles[1:], strict=False))

    @pytest.mark.parametrize(
        ("value", "text"),
        [(1, "1"), (1000, "1000"), (0.01, "0.01"), (1e-12, "10⁻¹²"), (1e4, "10⁴"), (2e5, "2·10⁵"), (0, ""), (64, "64")],
    )
    def test_ticks(self, value, text):
        assert _canvas.power_text(value) == text

    @pytest.mark.parametrize(
        ("limits", "texts"), [((40, 300), ["50", "100", "200"]), ((0.5, 2000), ["1", "10", "100", "1000"])]
    )
    def test_short_logarithmic_axes_have_more_ticks(self, limits, texts):
        fig, ax = plt.subplots()
        ax.plot([1, 2], limits)
        _canvas.log_axis(ax.yaxis)
        ax.set_ylim(*limits)
        fig.canvas.draw()
        found = [text for text in ax.yaxis.get_ticklabels(which="both") if text.get_text()]
        assert (
            sorted((t.get_text() for t in found if limits[0] <= t.get_position()[1] <= limits[1]), key=float) == texts
        )

    def test_pyplot_is_imported_when_a_figure_is_made(self):
        code = "import sys, numopt.plot; assert not {'matplotlib', 'numba', 'scipy'} & set(sys.modules), 'heavy'"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

    def test_without_matplotlib(self, monkeypatch, runs):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        for call in (
            lambda: numopt.plot.contour(bowl, runs),
            lambda: numopt.plot.convergence(runs),
            lambda: numopt.plot.performance_profile([[1.0]], labels=["a"]),
            lambda: numopt.plot.data_profile([[1.0]], [1], labels=["a"]),
            lambda: numopt.plot.landscape(bowl, [0, 0]),
            lambda: numopt.plot.line(bowl, [0, 0], [1, 1]),
            lambda: numopt.plot.race(bowl, runs),
        ):
            with pytest.raises(ImportError) as error:
                call()
            assert str(error.value) == "numopt.plot needs matplotlib: pip install numopt-jit[plot]"

    def test_every_function_is_documented(self):
        for name in numopt.plot.__all__:
            text = getattr(numopt.plot, name).__doc__
            for part in ("Parameters", "Returns", "Raises", "Examples"):
                assert part in text, name

    def test_only_errors_of_mathematics_are_swallowed(self):
        def wrong(x):
            a, b, c = x
            return a

        value, _ = _check.objective(wrong)
        with pytest.raises(ValueError, match="unpack"):
            value(np.zeros(2))
