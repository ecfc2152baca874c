r"""A call on a network, on all threads: the steps and their phases.

A step works on a chunk of rows, at most ``CHUNK`` of a minibatch (or of all rows):

1. by blocks of rows: all layers forward, the loss, all layers backward                    (``passes``)
2. by pieces of the weights: their gradients                                              (``gradients``)
3. after a minibatch's last chunk, by ranges of the parameters: the rule's update.

Between phases all threads meet; sums over blocks and pieces are made by one of them in a fixed order.  What a thread
does depends on how many there are, what comes out does not.
"""

import math
from typing import Any, NamedTuple

from numba import carray, types

from numopt.kernels import first_order as rules
from numopt.kernels import first_order_slots as o
from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer
from numopt.network.gradients import gradient_piece
from numopt.network.meeting import announce, close, gather, join, leave, wait
from numopt.network.normalization import normalize, normalize_back
from numopt.network.passes import backward, backward_layer, forward, forward_layer, losses, prepare, write_predictions
from numopt.network.words import (
    AVERAGE,
    AVERAGE_DECAY,
    AVERAGE_START,
    BATCH,
    BLOCK,
    BLOCK_LOSSES,
    BUFFER,
    CLIP_NORM,
    CLIP_VALUE,
    DEPTH,
    DONE,
    END,
    FAN_OUT,
    FIRST,
    LAST,
    LAYERS,
    LOSS,
    LOSS_NOW,
    LOSS_SUM,
    MEAN,
    MODE,
    N_LAYER,
    N_ORDER,
    N_PARAMS,
    N_PIECES,
    N_RANGES,
    N_STATE,
    N_WORDS,
    NORMALIZED,
    ORDER,
    PIECE_SUMS,
    PREDICT,
    RANGES,
    RATES,
    REALS,
    ROOM,
    ROW,
    ROW_END,
    ROWS,
    RULE,
    SHARE,
    SHORTEN,
    SQUARE_SUM,
    STOPPED,
    SYNC,
    THETA,
    TOTAL,
    TRAIN,
    UPDATE,
    VALUE,
    WEIGHT,
    G,
    H,
    N,
    S,
)


class Call(NamedTuple):
    """The table's words ``a``, scalars ``r``, and the arrays that most of the work is about.

    No more: each function that is handed a Call takes longer to compile with each of them.
    """

    a: Any
    r: Any
    layers: Any
    theta: Any
    g: Any
    buffer: Any
    rows: Any


@kernel
def _begin(C):
    """The rows and the total weight of the update that comes, and its first chunk."""
    a, r = C.a, C.r
    a[ROW] = a[UPDATE] * a[BATCH]
    a[ROW_END] = min(a[N_ORDER], a[ROW] + a[BATCH])
    if a[MODE] == TRAIN:
        total = 0.0
        if a[WEIGHT] != 0:
            weight = carray(void_pointer(a[WEIGHT]), (a[N],), C.theta.dtype)
            order = carray(void_pointer(a[ORDER]), (a[N_ORDER],), types.intp)
            for i in range(a[ROW], a[ROW_END]):
                total += weight[order[i]]
        else:
            total = float(a[ROW_END] - a[ROW])
        r[TOTAL] = total
    r[LOSS_NOW] = 0.0


@kernel
def _chunk_end(C):
    a = C.a
    return min(a[ROW_END], a[ROW] + a[ROOM])


@kernel
def _judge(C):
    """After the last gradients of an update: objective, gradient's norm; the rule is told, unless training stops."""
    a, r = C.a, C.r
    squares, penalty = 0.0, 0.0
    sums = carray(void_pointer(a[PIECE_SUMS]), (2 * a[N_PIECES],), types.float64)
    for p in range(a[N_PIECES]):
        squares += sums[2 * p]
        penalty += sums[2 * p + 1]
    f = (r[LOSS_NOW] + penalty) / r[TOTAL]
    if a[MODE] != TRAIN:
        r[LOSS_SUM] = f
        return
    if not math.isfinite(f + squares):
        a[STOPPED] = 1
        return
    r[LOSS_SUM] += f * (a[ROW_END] - a[UPDATE] * a[BATCH])
    r[SQUARE_SUM] += squares
    h = carray(void_pointer(a[H]), (o.N_H,), types.float64)
    rules.begin_update(a[RULE], h)
    r[SHORTEN] = 1.0
    if r[CLIP_NORM] < math.inf:
        if r[CLIP_VALUE] < math.inf:
            squares = 0.0
            for i in range(C.g.size):
                x = min(max(float(C.g[i]), -r[CLIP_VALUE]), r[CLIP_VALUE])
                squares += x * x
        norm = math.sqrt(squares)
        if norm > r[CLIP_NORM]:
            r[SHORTEN] = r[CLIP_NORM] / norm
    if a[AVERAGE]:
        k = h[o.T] - a[AVERAGE_START]
        r[SHARE] = 0.0
        if k == 1.0:
            r[SHARE] = 1.0
        elif k > 1.0:
            r[SHARE] = 1.0 - r[AVERAGE_DECAY] if a[AVERAGE] == 2 else 1.0 / k


@kernel
def _update(C, p):
    """The rule on one range of the parameters."""
    a, r, real = C.a, C.r, C.theta.dtype.type
    part = carray(void_pointer(a[RANGES]), (a[N_RANGES], 3), types.intp)[p]
    lo, hi = part[0], part[1]
    g = C.g[lo:hi]
    if r[CLIP_VALUE] < math.inf:
        cut = real(r[CLIP_VALUE])
        for i in range(g.size):
            g[i] = min(max(g[i], -cut), cut)
    if r[SHORTEN] != 1.0:
        factor = real(r[SHORTEN])
        for i in range(g.size):
            g[i] *= factor
    s = carray(void_pointer(a[S]), (a[N_STATE],), C.theta.dtype)
    h = carray(void_pointer(a[H]), (o.N_H,), types.float64)
    rules.update(a[RULE], C.theta, C.g, s, lo, hi, h, part[2] != 0)
    if a[AVERAGE] and r[SHARE] > 0.0:
        share = real(r[SHARE])
        mean = carray(void_pointer(a[MEAN]), (a[N_PARAMS],), C.theta.dtype)[lo:hi]
        w = C.theta[lo:hi]
        for i in range(w.size):
            mean[i] += share * (w[i] - mean[i])


@kernel
def _advance(C):
    """The leader, at the end of a step: whether another follows."""
    a = C.a
    a[ROW] = _chunk_end(C)
    if a[ROW] < a[ROW_END]:
        return True
    a[UPDATE] += 1
    a[DONE] += 1
    if a[UPDATE] >= a[LAST]:
        return False
    _begin(C)
    return True


@kernel
def _meet(C, me, signal):
    sync = C.a[SYNC]
    if me:
        return wait(sync, signal)
    gather(sync, signal)
    return announce(sync, signal, False)


@kernel
def _sum_losses(C, blocks):
    parts = carray(void_pointer(C.a[BLOCK_LOSSES]), (blocks,), types.float64)
    for b in range(blocks):
        C.r[LOSS_NOW] += parts[b]


@kernel
def _normalized_passes(C, me, signal, lo, hi):
    """Phase 1 with batch normalization, whose statistics need all rows: layer by layer, and back."""
    a = C.a
    team, rows, top, mode = signal & END, hi - lo, a[DEPTH] - 1, a[MODE]
    for layer in range(top + 1):
        for i in range(BLOCK * me, rows, BLOCK * team):
            if layer == 0:
                prepare(C, lo, i, min(i + BLOCK, rows))
            forward_layer(C, layer, i, min(i + BLOCK, rows))
            if layer == top:
                losses(C, i, min(i + BLOCK, rows))
                if mode <= GRADIENT_LIKE:
                    backward_layer(C, top, i, min(i + BLOCK, rows))
        if layer < top:
            signal = _meet(C, me, signal)
            for j in range(8 * me, C.layers[layer, FAN_OUT], 8 * team):
                normalize(C, layer, rows, j, min(j + 8, C.layers[layer, FAN_OUT]))
            signal = _meet(C, me, signal)
    if mode <= GRADIENT_LIKE:
        for layer in range(top - 1, -1, -1):
            signal = _meet(C, me, signal)
            for j in range(8 * me, C.layers[layer, FAN_OUT], 8 * team):
                normalize_back(C, layer, rows, j, min(j + 8, C.layers[layer, FAN_OUT]))
            if layer:
                signal = _meet(C, me, signal)
                for i in range(BLOCK * me, rows, BLOCK * team):
                    backward_layer(C, layer, i, min(i + BLOCK, rows))
    return signal


GRADIENT_LIKE = 1  # TRAIN and GRADIENT


@kernel
def _lead(C):
    """The leader's way into a call; the first signal, or 0 if there is nothing to do."""
    a, r = C.a, C.r
    a[UPDATE], a[DONE], a[STOPPED] = a[FIRST], 0, 0
    r[LOSS_SUM] = r[SQUARE_SUM] = 0.0
    if a[UPDATE] >= a[LAST]:
        close(a[SYNC], 0)
        return 0
    _begin(C)
    return announce(a[SYNC], 0, True)


def _unit(real):
    # all in one function: LLVM would work on an inner one a second time

    def unit(table, who):
        """A thread's part of a call: it leads (0) or helps."""
        a = carray(void_pointer(table), (N_WORDS,), types.intp)
        sync = a[SYNC]
        C = Call(
            a,
            carray(void_pointer(a[REALS]), (RATES + a[DEPTH],), types.float64),
            carray(void_pointer(a[LAYERS]), (a[DEPTH], N_LAYER), types.intp),
            carray(void_pointer(a[THETA]), (a[N_PARAMS],), real),
            carray(void_pointer(a[G]), (a[N_PARAMS],), real),
            carray(void_pointer(a[BUFFER]), (1 << 60,), real),
            carray(void_pointer(a[ROWS]), (a[ROOM],), types.intp),
        )
        if who:
            me, signal = join(sync)
        else:
            me, signal = 0, _lead(C)
        if signal == 0:
            return 0.0
        while True:
            team, mode, lo = signal & END, a[MODE], a[ROW]
            hi = _chunk_end(C)
            rows, last = hi - lo, hi == a[ROW_END]
            if a[NORMALIZED] and mode < LOSS:
                signal = _normalized_passes(C, me, signal, lo, hi)
            else:
                for i in range(BLOCK * me, rows, BLOCK * team):
                    j = min(i + BLOCK, rows)
                    prepare(C, lo, i, j)
                    forward(C, i, j)
                    if mode == PREDICT:
                        write_predictions(C, lo, i, j)
                    else:
                        losses(C, i, j)
                        if mode <= GRADIENT_LIKE:
                            backward(C, i, j)
            if mode <= VALUE and (mode <= GRADIENT_LIKE or last):
                signal = _meet(C, me, signal)
                for p in range(me, a[N_PIECES], team):
                    gradient_piece(C, p, rows, lo == a[UPDATE] * a[BATCH], last)
            if mode == TRAIN and last:
                if me:
                    signal = wait(sync, signal)
                else:
                    gather(sync, signal)
                    _sum_losses(C, (rows + BLOCK - 1) // BLOCK)
                    _judge(C)
                    signal = announce(sync, signal, False)
                if not a[STOPPED]:
                    for p in range(me, a[N_RANGES], team):
                        _update(C, p)
            if me:
                signal = wait(sync, signal)
                if signal & END == END:
                    leave(sync)
                    return 0.0
            else:
                gather(sync, signal)
                if mode != TRAIN or not last:
                    _sum_losses(C, (rows + BLOCK - 1) // BLOCK)
                if mode <= VALUE and mode != TRAIN and last:
                    _judge(C)
                elif mode == LOSS and last:
                    C.r[LOSS_SUM] = C.r[LOSS_NOW] / C.r[TOTAL]
                if a[STOPPED] or not _advance(C):
                    close(sync, signal)
                    return 0.0
                signal = announce(sync, signal, True)

    return unit


float64, float32 = _unit(types.float64), _unit(types.float32)
