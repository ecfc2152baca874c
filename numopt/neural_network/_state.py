"""A fitted or half-fitted estimator as a file of plain arrays: no pickle, nothing in it that runs."""

import contextlib
import json
import os
import zipfile

import numpy as np

from numopt import __version__
from numopt.network._trainer import Trainer
from numopt.neural_network._run import Run
from numopt.neural_network._targets import Labels

_FORMAT = 1
_HEADER = "header"
_NOT_SAVED = ("_network",)


class _Writer:
    """Values as JSON; arrays go into a list of their own."""

    def __init__(self):
        self.arrays = {}

    def __call__(self, name, value):
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, np.generic):
            return {"scalar": self(name, np.asarray(value))}
        if isinstance(value, np.ndarray):
            if value.dtype == object:
                if not all(isinstance(item, str) for item in value.flat):
                    raise TypeError(f"{name} holds Python objects that are no strings, which a file can't hold")
                return {"strings": value.tolist()}
            key = f"array_{len(self.arrays)}"
            self.arrays[key] = value
            return {"array": key}
        if isinstance(value, (list, tuple)):
            return {type(value).__name__: [self(name, item) for item in value]}
        if isinstance(value, dict):
            return {"dict": [[self(name, k), self(name, v)] for k, v in value.items()]}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self(name, value.get_state())}
        if isinstance(value, Labels):
            return {"labels": [value.kind, self(name, value.classes), value.sparse]}
        if isinstance(value, Run):
            return {"run": self(name, run_fields(value))}
        if callable(value):
            return {"callable": getattr(value, "__name__", repr(value))}
        raise TypeError(f"{name} is of {type(value)}, which a file can't hold")


class _Reader:
    """The way back."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __call__(self, value):
        if not isinstance(value, dict):
            return value
        ((kind, inner),) = value.items()
        if kind == "array":
            return self.arrays[inner]
        if kind == "scalar":
            return self(inner)[()]
        if kind == "strings":
            return np.array(inner, dtype=object)
        if kind in ("list", "tuple"):
            return {"list": list, "tuple": tuple}[kind](self(item) for item in inner)
        if kind == "dict":
            return {self(k): self(v) for k, v in inner}
        if kind == "random_state":
            rng = np.random.RandomState()
            rng.set_state(self(inner))
            return rng
        if kind == "labels":
            return Labels(inner[0], self(inner[1]), inner[2])
        if kind == "run":
            return run_from(self(inner))
        if kind == "callable":
            return _Function(inner)
        raise ValueError(f"unknown kind of value: {kind!r}")


class _Function:
    """Stands for a function that a file does not hold."""

    def __init__(self, name):
        self.name = name


def run_fields(run):
    """What a Run is made of."""
    trainer = run.trainer
    made = {"rule": run.rule, "options": run.options, "n_params": trainer.n, "dtype": trainer.dtype.name}
    state = {name: getattr(run, name) for name in Run.STATE}
    return {"made": made, "state": state, "h": trainer.h, "s": trainer.s, "mean": trainer.mean}


def run_from(fields):
    """The Run of these."""
    made, state = fields["made"], fields["state"]
    run = Run(**made, n=state["n"], rows=state["rows"], held_out=None, batch_size=state["batch_size"])
    for name in Run.STATE:
        setattr(run, name, state[name])
    trainer: Trainer = run.trainer
    trainer.h[:], trainer.s[:] = fields["h"], fields["s"]
    if trainer.mean is not None:
        trainer.mean[:] = fields["mean"]
    return run


def save(model, path):
    """Writes the model to ``path``; a file that is there is replaced only by a whole one."""
    writer = _Writer()
    params = model.get_params(deep=False)
    fitted = {
        name: writer(name, value)
        for name, value in vars(model).items()
        if name.endswith("_") or name.startswith("_")
        if name not in params and name not in _NOT_SAVED and not name.startswith("_skl")
    }
    header = {
        "format": _FORMAT, "class": type(model).__name__, "numopt": __version__,
        "params": {name: writer(name, value) for name, value in params.items()}, "fitted": fitted,
    }  # fmt: skip
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"path must be in a folder that exists; there is no {folder!r}")
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            np.savez(file, **{_HEADER: np.frombuffer(json.dumps(header).encode(), np.uint8)}, **writer.arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(part)
        raise


def load(cls, path, params):
    """The model of such a file; ``params`` replace its parameters."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
        if not isinstance(header, dict) or not {"format", "class", "numopt", "params", "fitted"} <= set(header):
            raise ValueError("its header is no header of numopt")
    except FileNotFoundError:
        raise
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise ValueError(f"{os.fspath(path)!r} is no file that save wrote, or is damaged: {error}") from error
    if header["class"] != cls.__name__:
        raise ValueError(
            f"{os.fspath(path)!r} holds a {header['class']}, no {cls.__name__}: use {header['class']}.load"
        )
    if header["format"] != _FORMAT:
        raise ValueError(
            f"{os.fspath(path)!r} was written by numopt {header['numopt']} in format {header['format']}; "
            f"this version reads format {_FORMAT}"
        )
    reader = _Reader(arrays)
    own = {name: reader(value) for name, value in header["params"].items()} | params
    for name, value in own.items():
        if isinstance(value, _Function):
            raise ValueError(
                f"{name} was the function {value.name!r}, which a file can't hold: give it again, "
                f"load(path, {name}={value.name})"
            )
    model = cls(**own)
    for name, value in header["fitted"].items():
        setattr(model, name, reader(value))
    return model
