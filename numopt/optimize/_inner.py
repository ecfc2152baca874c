"""The inner solver of a method that makes runs of another method of the catalogue."""

import numpy as np

from numopt.catalog import LINE_SEARCHES, METHODS
from numopt.drivers import units
from numopt.kernels import augmented_slots as a
from numopt.kernels import slots as s
from numopt.optimize._options import read_options


def inner_method(row, n):
    """The catalogue's row of the inner solver of a method, for n variables."""
    return METHODS[row.inner if n <= a.DENSE_UP_TO else row.inner_large]


def inner_state(row):
    """(counters, scalars) that an inner run of a method begins with."""
    from numopt.optimize._minimize import new_state  # which imports what imports this module

    values, _ = read_options(row, {"maxiter": 0}, None, 1)
    words, p = new_state(row, values)
    c = words[: s.N_COUNTERS].copy()
    c[s.LINE_SEARCH] = LINE_SEARCHES[row.line_search][0]
    return c, p


class Inner:
    """What ``R.search`` is the address of, for a run in compiled units; to be kept while the run goes on."""

    def __init__(self, method, n):
        row = inner_method(method, n)
        self._state = inner_state(row)
        self._words = np.zeros(a.I_P + 1, np.intp)
        self._words[a.I_RUN] = units.address(row.unit_for(True))
        self._words[a.I_SEARCH] = units.address(LINE_SEARCHES[row.line_search][1])
        self._words[a.I_VALUE_GRAD] = units.address("augmented/value_grad")
        self._words[a.I_C], self._words[a.I_P] = (block.ctypes.data for block in self._state)
        self.address = self._words.ctypes.data
