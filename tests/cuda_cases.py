"""Batches for the tests of CUDA, run by this module in the simulator: ``python cuda_cases.py results.npz``.

There functions compiled by Numba are plain Python, and no compiled unit is needed.
"""

import json
import sys
import warnings

import numpy as np
from numba import njit

import numopt
import numopt.cuda
from numopt.catalog import METHODS

SCALES = np.array([10.0, 5.0, 2.0, 3.0, 1.0])
STARTS = np.array([[-1.2, 1.0], [2.0, 2.0], [0.0, 0.0], [0.5, -0.5], [-1.0, -1.0]])
SHIFT = np.array([0.25, -0.5])
UPPER = np.array([0.8, np.inf])
BOUNDS = [(-1.5, 0.8), (-1.5, np.inf)]
EACH_LOWER = np.array([[-2.0, -2.0], [0.0, 1.5], [-0.5, -0.5], [0.0, -1.0], [-1.0, -1.0]])


@njit
def inplace(x, g, scale, shift):
    """Rosenbrock's valley, moved."""
    u, v = x[0] - shift[0], x[1] - shift[1]
    a, b = scale * (v - u * u), 1.0 - u
    g[0] = -4.0 * scale * a * u - 2.0 * b
    g[1] = 2.0 * scale * a
    return a * a + b * b


@njit
def value(x, scale, shift):
    """The same without its gradient."""
    u, v = x[0] - shift[0], x[1] - shift[1]
    a, b = scale * (v - u * u), 1.0 - u
    return a * a + b * b


@njit
def hess_inplace(x, H, scale, shift):
    """Its Hessian, as a device takes it."""
    u, v = x[0] - shift[0], x[1] - shift[1]
    q = scale * scale
    H[0], H[1], H[2], H[3] = 12.0 * q * u * u - 4.0 * q * v + 2.0, -4.0 * q * u, -4.0 * q * u, 2.0 * q


@njit
def hess_array(x, scale, shift):
    """Its Hessian, as the CPU takes it."""
    H = np.empty((2, 2))
    hess_inplace(x, H.reshape(4), scale, shift)
    return H


@njit
def ragged(x, y, weight):
    """Sum of squares over data of some length, a weight in single or double precision."""
    f = 0.0
    for i in range(y.size):
        r = weight * (y[i] - x[0] - x[1] * i)
        f += r * r
    return f


@njit
def single(x, g, scale, shift):
    """The valley in the precision of its arguments; NaN where they are not in single precision."""
    f = inplace(x, g, scale, shift)
    return f if x.itemsize == 4 and g.itemsize == 4 and shift.itemsize == 4 else np.nan


@njit
def hessp_inplace(x, v, out, scale, shift):
    """The Hessian times v, as a device takes it."""
    u, w = x[0] - shift[0], x[1] - shift[1]
    q = scale * scale
    out[0] = (12.0 * q * u * u - 4.0 * q * w + 2.0) * v[0] - 4.0 * q * u * v[1]
    out[1] = -4.0 * q * u * v[0] + 2.0 * q * v[1]


@njit
def hessp_array(x, v, scale, shift):
    """The same, as the CPU takes it."""
    out = np.empty(2)
    hessp_inplace(x, v, out, scale, shift)
    return out


RAGGED = np.array([[1.0, 2.0, 3.5, 4.0], [0.0, 1.0, -9.0, -9.0], [2.0, 2.5, 2.0, -9.0], [1.0] * 4, [2.0] * 4])
LENGTHS = np.array([4, 2, 3, 1, 4])
ARGS = numopt.each(SCALES), SHIFT
RAGGED_ARGS = numopt.each(RAGGED, LENGTHS), 0.5
# first-order methods creep; they are compared on their way
_SLOW = {row.name for row in METHODS.values() if row.unit == "first-order"} | {"gd-fixed", "gd-decay", "gd-drop"}


def cases():
    """name -> (function, arguments, keywords) of ``minimize_batch``."""
    found = {}
    for name, row in METHODS.items():
        given = {"method": name, "options": {"maxiter": 30 if name in _SLOW else 200}}
        fun = value if row.values_only else inplace
        found[name] = fun, ARGS, given if row.values_only else {**given, "jac": "inplace"}
        if row.bounds:
            found[name + ", bounds"] = fun, ARGS, {**found[name][2], "bounds": BOUNDS}
    for name, given in {
        "2-point": {"jac": "2-point"}, "3-point": {"jac": "3-point"}, "scipy's step": {},
        "eps": {"options": {"eps": 1e-6}},
        "relative": {"jac": "2-point", "options": {"finite_diff_rel_step": 1e-6}},
        "own bounds": {"jac": "3-point", "bounds": (EACH_LOWER, UPPER)},
        "own bounds, 2-point": {"jac": "2-point", "bounds": (EACH_LOWER, UPPER)},
        "a variable fixed": {"jac": "3-point", "bounds": [(0.5, 0.5), (-1.5, np.inf)]},
        "newton of values": {"method": "newton", "jac": "3-point"},
        "2-point hess": {"method": "newton", "jac": "2-point", "hess": "2-point"},
        "armijo": {"method": "lbfgs", "jac": "3-point", "options": {"line_search": "armijo"}},
    }.items():  # fmt: skip
        found[name] = value, ARGS, {"method": "bfgs", **given}
    found["hess"] = inplace, ARGS, {"method": "newton", "jac": "inplace", "hess": hess_inplace}
    found["hess of products"] = inplace, ARGS, {"method": "newton-cg", "jac": "inplace", "hess": hess_inplace}
    found["hessp"] = inplace, ARGS, {"method": "trust-ncg", "jac": "inplace", "hessp": hessp_inplace}
    found["values in place"] = inplace, ARGS, {"method": "nelder-mead", "jac": "inplace"}
    found["ragged"] = ragged, RAGGED_ARGS, {"method": "bfgs", "jac": "3-point"}
    found["float32"] = single, ARGS, {"method": "bfgs", "jac": "inplace", "dtype": "float32", "tol": 1e-2}
    found["float32 values"] = value, ARGS, {"method": "lbfgs", "jac": "3-point", "dtype": "float32", "tol": 3e-2}
    return found


# what differs on the CPU: Hessians and products are returned there
FORMS = {hess_inplace: hess_array, hessp_inplace: hessp_array}
FIELDS = "x", "fun", "jac", "optimality", "status", "nit", "nfev", "njev", "nhev"


def solve(device, only=None, **more):
    """{case/field: array} of all cases, or of those named."""
    found = {}
    for name, (fun, args, given) in cases().items():
        if only is not None and name not in only:
            continue
        given = {key: FORMS.get(item, item) if device == "cpu" and callable(item) else item
                 for key, item in given.items()}  # fmt: skip
        if device == "cpu" and fun is single:
            fun = inplace  # data are converted to double precision there
        result = numopt.minimize_batch(fun, STARTS, args, device=device, **given, **more)
        found |= {f"{name}/{field}": getattr(result, field) for field in FIELDS if hasattr(result, field)}
    return found


class OnDevice:
    """An array as CuPy's are seen."""

    def __init__(self, array):
        self.host, self.__cuda_array_interface__ = array, array.__array_interface__
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype

    def __array__(self, dtype=None, copy=None):
        return self.host

    def __len__(self):
        return len(self.host)


def bowls(count=12, **given):
    """A batch of parabolas, one for each target."""
    targets = np.linspace(0.0, 1.0, count)
    return numopt.minimize_batch(inplace, np.zeros((count, 2)), (1.0, numopt.each(np.column_stack([targets, targets]))),
                                 "bfgs", "inplace", device="cuda", **given)  # fmt: skip


def scenarios():
    """What else is to be seen in the simulator, as plain values."""
    from numopt.cuda import _device, _transfer

    found, empty = {}, _device.empty
    whole = bowls()
    found["chunks"] = [bool((bowls(chunk_size=k).x == whole.x).all() and (bowls(chunk_size=k).nfev == whole.nfev).all())
                       for k in (1, 5, 12, 100)]  # fmt: skip
    there = numopt.minimize_batch(inplace, OnDevice(STARTS), (numopt.each(OnDevice(SCALES)), OnDevice(SHIFT)), "bfgs",
                                  "inplace", device="cuda", chunk_size=2)  # fmt: skip
    here = numopt.minimize_batch(inplace, STARTS, ARGS, "bfgs", "inplace", device="cuda")
    found["on the device"] = bool((there.x == here.x).all() and (there.status == 0).all())

    taken = []

    def counted(shape, dtype):
        array = empty(shape, dtype)
        taken.append(array.nbytes)
        return array

    _device.empty = counted
    bowls(chunk_size=5)
    found["bytes"] = [sum(taken), [int(n) for n in numopt.cuda.memory_per_problem(2, "bfgs", 16)]]
    few = []

    def little(shape, dtype):
        if shape[0] > 50 and shape[1:] == (2,):  # starts and results of more than fifty problems
            few.append(shape[0])
            raise MemoryError("CUDA_ERROR_OUT_OF_MEMORY")
        return empty(shape, dtype)

    _device.empty = little
    found["halved"] = [bool((bowls(100, chunk_size=80).status == 0).all()), few[0]]

    def none(shape, dtype):
        raise MemoryError("CUDA_ERROR_OUT_OF_MEMORY")

    _device.empty = none
    try:
        bowls()
    except MemoryError as error:
        found["none"] = str(error)
    _device.empty = empty
    found["no time"] = bowls(max_time=0.0).status.tolist()

    launch, begin, calls = _transfer._Slot._launch, _transfer._Slot.begin, []

    def interrupted(self, *arguments):
        calls.append(self)
        if len(calls) == 3:
            raise KeyboardInterrupt
        begin(self, *arguments)

    _transfer._Slot.begin = interrupted
    try:
        bowls(chunk_size=4)
    except KeyboardInterrupt as error:
        found["interrupted"] = error.result.status.tolist()
    _transfer._Slot.begin, calls[:] = begin, []

    def interrupted_there(self, size):
        calls.append(size)
        if len(calls) == 2:
            raise KeyboardInterrupt
        launch(self, size)

    _transfer._Slot._launch = interrupted_there
    try:
        bowls(chunk_size=4)
    except KeyboardInterrupt as error:
        found["interrupted at the launch"] = error.result.status.tolist()

    def lost(self, size):
        """As if the last lanes had ended without a word."""
        launch(self, size)
        if calls.pop(0) == "lost":
            self.host["queue"][0] = size - 1

    _transfer._Slot._launch = lost
    calls[:] = ["lost", "", "", ""]
    found["launched again"] = [bool((bowls(chunk_size=12).x == whole.x).all()), len(calls)]
    _transfer._Slot._launch = launch
    starts = np.array([[0.0, 1.0], [np.nan, 0.0], [2.0, 2.0]])
    result = numopt.minimize_batch(inplace, starts, (1.0, SHIFT), "bfgs", "inplace", device="cuda")
    found["not finite"] = [result.status.tolist(), np.isnan(result.jac).tolist()]
    no_axes = numopt.minimize_batch(inplace, STARTS, (numopt.each(SCALES), SHIFT), "bfgs", "inplace", device="cuda")
    shared = numopt.minimize_batch(inplace, STARTS, (np.array(10.0), SHIFT), "bfgs", "inplace", device="cuda")
    found["no axes"] = bool((shared.x[0] == no_axes.x[0]).all())
    found["none at all"] = list(numopt.minimize_batch(inplace, np.zeros((0, 2)), ARGS[1:] * 2, device="cuda").x.shape)
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.savez(sys.argv[1], **solve("cuda", chunk_size=3))
    print(json.dumps(scenarios()))
