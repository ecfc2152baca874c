"""The state of a first-order training run: the rule, its scalars and vectors, averages of the weights."""

import numpy as np

from numopt.kernels import first_order_slots as o

AVERAGES = ("none", "plain", "exponential")


class Trainer:
    """A first-order rule at work on n parameters.

    Parameters
    ----------
    rule : str
        One of ``first_order_slots.RULES``.
    n : int
        Parameters.
    dtype : dtype
    scalars : dict
        Slot of ``h`` -> value, for those that differ from ``first_order_slots.DEFAULTS``.
    clip_norm, clip_value : float
        Gradients longer than ``clip_norm`` (2-norm over all parameters) are shortened to it; components beyond
        ``clip_value`` are cut off there.  Infinite: off.
    average : {'none', 'plain', 'exponential'}
        Polyak averaging: the mean of all iterates since update ``average_start``, or an exponential mean with
        ``average_decay``.
    average_decay : float
    average_start : int

    Attributes
    ----------
    h : ndarray (N_H,), float64
    s : ndarray (k n,), dtype
        The rule's vectors.
    mean : ndarray (n,) or None
        The averaged weights.
    """

    def __init__(self, rule, n, dtype, scalars=None, clip_norm=np.inf, clip_value=np.inf, average="none",
                 average_decay=0.999, average_start=0):  # fmt: skip
        self.rule, self.n, self.dtype = o.RULES.index(rule), n, np.dtype(dtype)
        self.clip_norm, self.clip_value = float(clip_norm), float(clip_value)
        self.average, self.average_decay, self.average_start = AVERAGES.index(average), average_decay, average_start
        self.h = np.zeros(o.N_H)
        for slot, value in {**o.DEFAULTS, **(scalars or {})}.items():
            self.h[slot] = value
        self.s = np.zeros(o.N_VECTORS[self.rule] * n, self.dtype)
        if self.rule == o.DELTA_BAR_DELTA:
            self.s[:n] = 1.0
        self.mean = None if self.average == 0 else np.zeros(n, self.dtype)
