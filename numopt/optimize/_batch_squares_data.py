"""What differs from problem to problem in a batch of sums of squares, and where it is put: models, residuals."""

import numpy as np

from numopt.callbacks.arguments import HEAD
from numopt.callbacks.bind import kind_of
from numopt.callbacks.models import Inseparable, Model
from numopt.kernels import batch_slots as b
from numopt.kernels import squares_slots as q
from numopt.optimize._batch_input import Arguments, Each
from numopt.optimize._fit_run import FitRun
from numopt.optimize._squares import SquaresRun, new_state, within

_SAMPLE = 16  # problems whose models are called for all rows too
_NAN = np.array([np.nan])


class Run:
    """How one run of these problems is made, and what the threads' runs are told of each."""

    def __init__(self, problem, variables, start):
        self.of, self.variables, self.start = problem, variables, start

    def settings(self):
        """(words, reals, problem) of a run that begins as the variables do."""
        P, v = self.of, self.variables
        scale, steps = (None if a is None else a[v.free] if v.map is not None else a for a in (P.scale, P.steps))
        words, reals = new_state(P.row, v, P.tolerances, P.max_nfev, scale, P.options)
        return words, reals, {"loss": P.loss, "f_scale": P.f_scale, "steps": steps}


class ModelRun(Run):
    """Models of data."""

    def __init__(self, problem, variables, start):
        super().__init__(problem, variables, start)
        self.x, self.y, self.sigma, _ = self._one(start, whole=True)
        self.model = self._model(self.x, problem.m)

    def _one(self, i, whole=False):
        """(x, y, sigma, rows) of problem i; ``whole``: in arrays that hold the longest."""
        P = self.of
        x, Y, sigma, lengths = P.data(slice(i, i + 1))
        shape = (-1, P.m) if np.ndim(P.x.array[0] if isinstance(P.x, Each) else P.x) == 2 else (P.m,)
        rows = P.m if lengths is None or whole else int(lengths[0])
        x = (np.asarray(P.x, float) if x is None else x[0]).reshape(shape)[..., :rows]
        sigma = P.sigma if sigma is None else sigma[0]
        return np.ascontiguousarray(x), Y[0, :rows], sigma if sigma is None else sigma[:rows], rows

    def _model(self, x, m):
        P = self.of
        model = Model(P.fun, P.jac, x, m, P.n, 1)
        model.work = m * P.count
        return model

    @property
    def compiled(self):
        """Whether the threads can run it."""
        return self.model.by_rows is not None and "geodesic" not in self.of.options

    def make(self):
        """A run."""
        words, reals, problem = self.settings()
        problem |= {"y": self.y, "sigma": self.sigma, "cholesky": None}
        return FitRun(self.of.row, self.variables, words, reals, self.model, None, (), self.of.m, None, problem)

    def load(self, chunk):
        """What is different in the problems of a chunk: (which table, slot, array or address, stride or None, kind)."""
        P = self.of
        x, Y, sigma, lengths = P.data(chunk)
        found = [("block", q.Y, Y, None, b.ADDRESS)]
        if sigma is not None:
            found.append(("block", q.SIGMA, sigma, None, b.ADDRESS))
        if x is not None:
            found.append(("args", HEAD, x, None, b.ADDRESS))
        if P.omit:  # what all share again, after a chunk with gaps, which had arrays of its own
            if sigma is None and P.sigma is not None:
                found.append(("block", q.SIGMA, np.ascontiguousarray(P.sigma, float), 0, b.ADDRESS))
            if x is None:
                found.append(("args", HEAD, np.ascontiguousarray(P.x, float), 0, b.ADDRESS))
            if lengths is None:
                lengths = np.full(len(Y), P.m)
        if lengths is not None:
            found.append(("block", q.M, lengths, None, b.WORD))
        return found

    @property
    def bytes_each(self):
        """Of a problem's converted data, at most."""
        P = self.of
        found = 0
        if P.omit:  # what all share is repeated where rows are left out
            found += 0 if isinstance(P.x, Each) else 8 * np.size(P.x)
            found += 8 * P.m if np.ndim(P.sigma) == 1 else 0
        for array in (P.Y, P.sigma, P.x.array if isinstance(P.x, Each) else None):
            if array is not None and np.ndim(array) > 1 and (P.omit or array.dtype != np.float64):
                found += 8 * int(np.prod(array.shape[1:]))
        return found

    def differences(self, i, params):
        """The residuals of problem i."""
        x, y, sigma, m = self._one(i)
        r = np.asarray(self._model(x, m).at(params), float) - y
        return r if sigma is None else r / sigma

    def finite(self, i):
        """Whether the data of problem i are."""
        x, y, sigma, _ = self._one(i)
        return np.isfinite(y).all() and np.isfinite(x).all()

    def sample(self):
        """Problems, some, whose models are compared, at the start and the end."""
        return np.unique(np.linspace(0, self.of.count - 1, _SAMPLE).astype(int)) if self.model.doubtful else []

    def separable(self, i, params):
        """Whether the model of problem i is one of single rows, or of slices, as far as it shows at a point."""
        x, y, sigma, m = self._one(i)
        model = self._model(x, m)
        try:
            whole = np.asarray(model.at(params), float)
        except Exception:  # the user's: it shows itself in the run
            return True
        if not np.isfinite(whole).all():
            return True
        words, reals, problem = self.settings()
        problem |= {"y": y, "sigma": sigma, "cholesky": None}
        run = FitRun(self.of.row, self.variables, words, reals, model, None, (), m, None, problem)
        try:
            run.bound.check(params, whole)
        except Inseparable:
            return False
        return True


class ResidualRun(Run):
    """Residuals, a function of the variables and arguments."""

    compiled = True

    def __init__(self, problem, variables, start):
        super().__init__(problem, variables, start)
        self.arguments = Arguments(problem.args, problem.dtype)
        self.args = self.arguments.of(start)
        self.places = self.arguments.places() if kind_of(problem.fun) == "jitted" else ()

    def make(self):
        """A run."""
        P = self.of
        words, reals, problem = self.settings()
        run = SquaresRun(P.row, self.variables, words, reals, P.fun, P.jac, self.args, P.m, None, problem)
        if not run.bound.arrays[q.COLUMN].size:  # for differences of both sides, at the end
            run.bound.arrays[q.COLUMN] = column = np.empty(P.m)
            run.bound.block[q.COLUMN] = column.ctypes.data
        return run

    def load(self, chunk):
        """What is different in the problems of a chunk: (which table, slot, array or address, stride or None, kind)."""
        # nothing stands yet where residuals and Jacobians are kept
        n = self.variables.start.size
        found = [("at", n * k, _NAN, 0, b.WORD) for k in range(3)]
        if self.of.lengths is not None:
            found.append(("block", q.M, np.ascontiguousarray(self.of.lengths[chunk]), None, b.WORD))
        sources, self.keep = self.arguments.take(chunk)
        for place, source in zip(self.places, sources.tolist(), strict=True):
            found.append(("args", place, *source))
        return found

    @property
    def bytes_each(self):
        """Of a problem's copied data."""
        return self.arguments.bytes_each()

    def differences(self, i, params):
        """The residuals of problem i."""
        return np.atleast_1d(np.asarray(self.of.fun(params.copy(), *self.arguments.of(i)), float))

    def finite(self, i):
        """Whether the data are: nobody knows what they are."""
        return True

    def sample(self):
        """There is one way to call them."""
        return []


def out_of_range(run, i, params):
    """Whether the squares of a problem's residuals at a point overflow, or can't be told from zero."""
    try:
        r = run.differences(i, params)
    except Exception:
        return True  # the single call says what is wrong
    return bool(np.isfinite(r).all() and r.any() and not within(r))
