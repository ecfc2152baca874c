"""What first-order methods need beside other methods: batches of the terms of a sum, a schedule, terms beside f."""

import ctypes
import math

import numpy as np

from numopt.callbacks.bind import address_of_array, kind_of
from numopt.drivers import units
from numopt.kernels import first_order_slots as o
from numopt.kernels import slots as s
from numopt.kernels.status import Status

FIXED = {s.N_TERMS: "n_terms", s.BATCH: "batch_size", s.SHUFFLE: "random_state", s.AVERAGE: "average",
         s.AVERAGE_START: "average_start"}  # fmt: skip
_SHARES = ("momentum", "beta_1", "beta_2", "rho", "gain_down", "average_decay")
_FINITE = ("step", "epsilon", "weight_decay", "l1", "l2", "lr_min", "power_t", "kappa", "gain_up", "gamma", "warmup")
_POSITIVE = ("step", "clip_norm", "clip_value", "period")


def check_options(values, new):
    """ValueError for a number that the formulas make no sense of; the terms of a run that goes on are checked there."""
    for names, holds, accepted in (
        (_SHARES, lambda v: v < 1.0, "at least 0 and below 1"),
        (_FINITE, lambda v: v < math.inf, "finite"),
        (_POSITIVE, lambda v: v > 0.0, "positive"),
    ):
        for name in names:
            if name in values and not holds(values[name]):
                raise ValueError(f"option {name!r} must be {accepted}; got {values[name]:g}")
    n, size = values["n_terms"], values["batch_size"]
    if new and size and not n:
        raise ValueError(f"option 'batch_size' needs option 'n_terms', the number of terms; got batch_size={size}")
    if new and size > n:
        raise ValueError(f"option 'batch_size' must be at most n_terms, {n}; got {size}")


class FirstOrder:
    """Batches and schedule of one run.

    ``args`` are what the user's functions are called with after x: the indices of the present batch, then the user's.

    Parameters
    ----------
    c, p : ndarray
        Blocks of the run.
    front : dict
    args : tuple
    functions : tuple
        The user's.
    """

    def __init__(self, c, p, front, args, functions):
        self.c, self.p, self.error, self.n = c, p, None, c.item(s.N_TERMS)
        self.schedule = (front or {}).get("schedule")
        if self.schedule is None and p[s.FIRST_ORDER + o.SCHEDULE] == o.GIVEN:
            raise ValueError("the run's schedule is a function, which is not saved: give it again as option 'schedule'")
        self.args = args
        size = c.item(s.BATCH) or self.n
        if not 0 <= size <= self.n or not 0 <= c[s.POSITION] <= (-(-self.n // size) if size else 1):
            raise ValueError("state was written by another version of numopt, or is damaged; it can't be resumed")
        if self.n:
            if any(kind_of(f) == "pointer" for f in functions if f is not None and not isinstance(f, (str, bool))):
                raise ValueError("option 'n_terms' needs Python or jitted functions: a C function takes no indices")
            self.whole, self.order = np.arange(self.n), np.arange(self.n)
            self.seen = np.array([self.whole.ctypes.data, self.n, 8])
            self.args = _Arguments(self, args)

    def attach(self, bound, table):
        """Put the addresses into the table; called after the functions have been bound."""
        k = self.block = np.zeros(5, np.int64)
        table[s.A_BATCHES] = k.ctypes.data
        if self.n:
            if bound.data_table is not None:  # jitted: the head of the table is followed by the indices
                bound.data_table[2:5], self.seen = self.seen, bound.data_table[2:5]
            k[:4] = address_of_array(self.seen), self.whole.ctypes.data, self.order.ctypes.data, -1
        if self.schedule is not None:
            self.pointer = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t)(self._learning_rate)
            k[4] = ctypes.cast(self.pointer, ctypes.c_void_p).value
        l1, l2 = self.p[s.L1], self.p[s.L2]
        if l1 or l2:
            fixed = np.zeros(0) if bound.fixed is None else bound.fixed[~np.isnan(bound.fixed)]
            self.numbers = np.array([l1, l2, l1 * np.abs(fixed).sum() + 0.5 * l2 * fixed @ fixed])
            self.terms = np.array([table[s.A_VALUE_GRAD], table[s.A_DATA], self.numbers.ctypes.data])
            table[s.A_VALUE_GRAD], table[s.A_DATA] = units.address("norm-terms"), self.terms.ctypes.data

    def _learning_rate(self, update):
        try:
            t = update / self.p.item(s.FIRST_ORDER + o.PER_EPOCH)
            lr = float(self.schedule(t))
            if not 0.0 < lr < math.inf:
                raise ValueError(f"option 'schedule' must return positive numbers; at t = {t:g} it returned {lr}")
            return lr
        except BaseException as error:
            self.error = error
            self.c[s.ABORT] = int(Status.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Status.FAILED)
            return math.nan

    def batch(self):
        """A copy of the indices of the present batch."""
        address, count = self.seen[:2].tolist()
        return np.frombuffer((ctypes.c_int64 * count).from_address(address), np.int64).copy()


class _Arguments:
    """The user's arguments with the present batch before them, each time they are asked for."""

    def __init__(self, batches, args):
        self.batches, self.args = batches, args

    def __len__(self):
        return 1 + len(self.args)

    def __iter__(self):
        return iter((self.batches.batch(), *self.args))
