"""How the work on a network is cut, whatever the number of threads: layers, pieces of the weights, ranges, buffers."""

import numpy as np

from numopt.network import words as w

UNITS, INPUTS = 10, 256  # of a piece of the weights, at most: two tiles high
PIECES, FEW_INPUTS = 12, 64  # of a layer, where that leaves so many inputs to each: enough to share out evenly
RANGE = 2048  # parameters that one thread updates at a time


def layers(sizes, kinds, batch_norm):
    """The array of layers; where their rows stand in the buffer is set later."""
    depth = len(sizes) - 1
    table, at, statistics = np.full((depth, w.N_LAYER), -1, np.intp), 0, 0
    for i, row in enumerate(table):
        a, b = sizes[i], sizes[i + 1]
        row[w.FAN_IN], row[w.FAN_OUT], row[w.W_AT], row[w.B_AT] = a, b, at, at + a * b
        at += a * b + b
        if i < depth - 1:
            row[w.KIND] = kinds[i]
            if batch_norm:
                row[w.GAMMA_AT], row[w.STAT_AT] = at, statistics
                at, statistics = at + b, statistics + b
    return table


def place(table, rows, batch_norm):
    """Sets where ``rows`` rows of each layer stand in the buffer; (its size, where the temporary rows stand)."""
    at = 0
    for i, row in enumerate(table):
        block = rows * row[w.FAN_OUT] + 16
        row[w.A_AT], row[w.D_AT] = at, at + block
        at += 2 * block
        if batch_norm and i < len(table) - 1:
            row[w.ZHAT_AT] = at
            at += block
    return at + rows * max(table[:, w.FAN_OUT]), at


def pieces(table, sparse):
    """(layer, units, inputs) of each piece, those that read the same inputs one after the other; long ones first."""
    out = []
    for i, (a, b) in reversed(list(enumerate(table[:, [w.FAN_IN, w.FAN_OUT]].tolist()))):
        if i == 0 and sparse:
            out += [(0, u, min(u + UNITS // 2, b), 0, a) for u in range(0, b, UNITS // 2)]
        else:
            columns = max(-(-a // INPUTS), min(-(-PIECES // -(-b // UNITS)), a // FEW_INPUTS))
            step = -(-a // (columns * 16)) * 16
            out += [
                (i, u, min(u + UNITS, b), c, min(c + step, a)) for c in range(0, a, step) for u in range(0, b, UNITS)
            ]
    return np.array(out, np.intp)


def ranges(decayed):
    """(first, end, weights?) of the ranges of the parameters."""
    ends = [*np.flatnonzero(np.diff(decayed)) + 1, len(decayed)]
    out, first = [], 0
    for end in ends:
        out += [(lo, min(lo + RANGE, end), int(decayed[lo])) for lo in range(first, end, RANGE)]
        first = end
    return np.array(out, np.intp)
