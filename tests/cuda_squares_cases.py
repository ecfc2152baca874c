"""Batches of fits that the tests run on the CPU, in the CUDA simulator (as a program) and on a device."""

import json
import math
import sys
import warnings

import numpy as np
from numba import njit

import numopt
from numopt.kernels import slots as s


@njit
def decay(x, a, b, c):
    return a * math.exp(-b * x) + c


@njit
def decay_slopes(x, a, b, c):
    e = math.exp(-b * x)
    return e, -a * x * e, 1.0


@njit
def decay_jacobian(x, a, b, c):
    J = np.ones((x.size, 3))
    J[:, 0] = np.exp(-b * x)
    J[:, 1] = -a * x * np.exp(-b * x)
    return J


@njit
def plane_wave(x, *p):
    """Nine parameters, of a point in the plane: more than are held in registers."""
    return p[0] + p[1] * x[0] + p[2] * x[1] + p[3] * math.sin(p[4] * x[0] + p[5] * x[1]) + p[6] * math.exp(
        -(p[7] ** 2) * x[0] ** 2 - p[8] ** 2 * x[1] ** 2
    )  # fmt: skip


_rng = np.random.default_rng(7)
COUNT = 5
X = np.linspace(0.0, 4.0, 30)
TRUE = np.column_stack([_rng.uniform(1, 3, COUNT), _rng.uniform(0.5, 2, COUNT), _rng.uniform(0.2, 1, COUNT)])
Y = TRUE[:, :1] * np.exp(-TRUE[:, 1:2] * X) + TRUE[:, 2:] + 0.05 * _rng.normal(size=(COUNT, X.size))
Y[:, 7] += 1.0  # an outlier, for the losses
P0 = np.array([1.0, 1.0, 1.0])
COUNTS = _rng.poisson(20 * TRUE[:, :1] * np.exp(-TRUE[:, 1:2] * X) + 5).astype(float)
LENGTHS = np.array([30, 25, 30, 12, 8])
SIGMA = _rng.uniform(0.03, 0.1, (COUNT, X.size))
OWN_X = X * np.linspace(0.8, 1.2, COUNT)[:, None]
BOX = np.array([[2.0, 5.0, 1.0]]) - 0.1 * np.arange(COUNT)[:, None]
HOLES = np.where(_rng.uniform(size=Y.shape) < 0.1, np.nan, Y)
GRID = np.array([a.ravel() for a in np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 8))])
WAVE = np.array([0.5, 0.2, -0.3, 0.4, 2.0, 1.0, 1.0, 1.2, 0.8])


def _waves():
    values = np.array([plane_wave(GRID[:, i], *WAVE) for i in range(GRID.shape[1])])
    return values + 0.01 * np.random.default_rng(3).normal(size=(2, values.size))


def cases():
    """name -> (threads of a block share a problem, model, arguments of curve_fit_batch, keywords)."""
    one = (decay, X, Y, P0)
    bounded = {"bounds": ([0.0, 0.0, 0.4], [2.0, 5.0, 1.0])}
    return {
        "linear": (False, *one, {}),
        "cauchy": (False, *one, {"loss": "cauchy", "f_scale": 0.05}),
        "sigma, lengths": (False, *one, {"sigma": numopt.each(SIGMA), "lengths": LENGTHS, "absolute_sigma": True}),
        "shared sigma, 3-point": (False, *one, {"sigma": SIGMA[0], "jac": "3-point"}),
        "bounds": (False, *one, bounded | {"p0": [1.0, 1.0, 0.5]}),
        "own bounds": (False, *one, {"bounds": (np.zeros((COUNT, 3)), BOX), "p0": [1.0, 1.0, 0.5]}),
        "trf": (False, *one, bounded | {"p0": [1.0, 1.0, 0.5], "method": "trf"}),
        "poisson": (False, decay, X, COUNTS, [30.0, 1.0, 4.0], {"likelihood": "poisson"}),
        "fixed": (False, *one, {"fixed": {"c": 0.5}}),
        "own x, own p0": (False, decay, numopt.each(OWN_X), Y, TRUE + 0.3, {"x_scale": [1.0, 2.0, 1.0]}),
        "nan": (False, decay, X, HOLES, P0, {"nan_policy": "omit"}),
        "jac": (False, *one, {"jac": decay_slopes}),
        "nine": (False, plane_wave, GRID, _waves(), 1.1 * WAVE, {}),
        "block": (True, *one, {"lengths": LENGTHS}),
        "block, cauchy": (True, decay, X, Y[:2], P0, {"loss": "cauchy", "f_scale": 0.05}),
        "float32": (False, *one, {"dtype": "float32"}),
        "out of budget": (False, *one, {"max_nfev": 3}),
        "not finite": (False, decay, X, np.where(np.arange(COUNT)[:, None] == 2, np.nan, Y), P0, {}),
    }


def solve(device, only=None):
    """{case/field: array}."""
    if device == "cuda":
        from numopt.cuda import _squares
    found = {}
    for name, (block, f, x, Y, p0, keywords) in cases().items():
        if only is not None and name not in only:
            continue
        keywords = {"p0": p0} | keywords
        if device == "cuda":
            _squares.LONG = 8 if block else 1024
        elif "jac" in keywords and callable(keywords["jac"]):
            keywords["jac"] = decay_jacobian
        result = numopt.curve_fit_batch(f, x, Y, device=device, **keywords)
        for field in ("x", "cost", "status", "nfev", "covariance", "optimality", "active_mask"):
            found[f"{name}/{field}"] = np.asarray(getattr(result, field))
    return found


def _said(**keywords):
    try:
        numopt.curve_fit_batch(keywords.pop("f", decay), X, Y, P0, device="cuda", **keywords)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _memory(**keywords):
    """(what a batch takes on the device, what is said of it), for a problem and for a lane."""
    from numopt.cuda import _squares, _transfer, memory_per_fit

    seen, run = [], _squares.Fits.run
    _squares.Fits.run = lambda fits, look: (seen.append(fits), run(fits, look))[1]
    numopt.curve_fit_batch(decay, X, Y, P0, device="cuda", max_nfev=1, **keywords)
    _squares.Fits.run = run
    own = 8 * (s.N_COUNTERS + s.N_SCALARS + seen[0].words) if seen[0].words else 0  # in the thread's own memory
    sigma = "sigma" in keywords
    bounds = keywords.get("bounds")
    said = memory_per_fit(
        3, X.size, dtype=keywords.get("dtype", "float64"), own_sigma=sigma, bounded=bounds is not None,
        own_bounds=bounds is not None and np.ndim(bounds[0]) == 2, covariance=keywords.get("covariance", True),
    )  # fmt: skip
    taken = [_transfer.problem_bytes(seen[0].data), own + _transfer.lane_bytes(seen[0].data)]
    if own:
        taken[1] -= sum(item.nbytes for item in seen[0].data[2] if isinstance(item, np.ndarray) and item.size == 0)
    return taken, list(said)


def _interrupted():
    """Statuses where Ctrl-C comes before the third chunk."""
    from numopt.cuda import _transfer

    begin, calls = _transfer._Slot.begin, []

    def interrupted(self, *arguments):
        calls.append(self)
        if len(calls) == 3:
            raise KeyboardInterrupt
        begin(self, *arguments)

    _transfer._Slot.begin = interrupted
    try:
        numopt.curve_fit_batch(decay, X, Y, P0, device="cuda", chunk_size=2)
    except KeyboardInterrupt as error:
        return error.result.status.tolist(), np.isnan(error.result.x[:, 0]).tolist()
    finally:
        _transfer._Slot.begin = begin


def _raising():
    """(statuses, warnings) where the model raises for one problem: a device ends the thread, as SystemExit does."""

    def picky(x, a, b, c):
        if a > 2.9:
            raise SystemExit
        return decay(x, a, b, c)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = numopt.curve_fit_batch(picky, X, Y[:3], np.array([P0, [3.0, 1.0, 1.0], P0]), device="cuda")
    return found.status.tolist(), [str(one.message) for one in told], np.isnan(found.covariance[:, 0, 0]).tolist()


def _inverse(R):
    """What is written of a triangle."""
    from numopt.cuda._squares_run import put_triangle
    from numopt.kernels import squares_slots as q

    n = len(R)
    w, out = np.zeros((q.VECTORS + 4 * (n + 1)) * n), np.zeros((1, n * (n + 1)))
    w[q.VECTORS * n : (q.VECTORS + n + 1) * n] = np.column_stack([R, np.ones(n)]).ravel()
    put_triangle(0, w, n, 0, out)
    return out[0].tolist()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.savez(sys.argv[1], **solve("cuda"))
    from numopt.cuda import _squares

    small = numopt.curve_fit_batch(decay, X, Y, P0, device="cuda", chunk_size=2)
    _squares.LONG = 8
    long = _memory()
    _squares.LONG = 1024
    print(json.dumps({
        "chunks": small.x.tolist(),
        "tied": _said(tied={"c": "a"}),
        "matrix": _said(sigma=np.eye(X.size)),
        "cs": _said(jac="cs"),
        "memory": [_memory(), _memory(dtype="float32", sigma=numopt.each(SIGMA)), _memory(covariance=False),
                   _memory(bounds=(np.zeros((COUNT, 3)), 9 * np.ones((COUNT, 3)))), _memory(bounds=(0.0, 9.0)), long],
        "stale": np.isnan(numopt.curve_fit_batch(
            decay, X, np.where(np.arange(COUNT)[:, None] == 4, np.nan, Y), P0, SIGMA[0], absolute_sigma=True,
            device="cuda",
        ).covariance[:, 0, 0]).tolist(),
        "interrupted": _interrupted(), "raising": _raising(),
        "inverse": [_inverse(np.array([[2.0, 1.0], [0.0, 3.0]])), _inverse(np.array([[2.0, 1.0], [0.0, 1e-4]]))],
        "all fixed": _said(fixed={"a": 1.0, "b": 1.0, "c": 1.0}),
    }))  # fmt: skip
