r"""A call on a network, on all threads: the steps and their phases.

A step works on a chunk of rows, at most ``CHUNK`` of a minibatch (or of all rows):

1. by blocks of rows: all layers forward, the loss, all layers backward                    (``passes``)
2. by pieces of the weights: their gradients                                              (``gradients``)
3. after a minibatch's last chunk, by ranges of the parameters: the rule's update.

The items of a phase are shared by the threads that are there; sums over blocks and pieces are made by the leader, in a
fixed order, so that nothing that comes out depends on who did what.
"""

import math
from typing import Any, NamedTuple

from numba import carray, types

from numopt.kernels import first_order as rules
from numopt.kernels import first_order_slots as o
from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.oracle import void_pointer
from numopt.network.gradients import gradient_piece
from numopt.network.meeting import end, finish, start, take, wait_for_all, wait_for_item
from numopt.network.normalization import normalize, normalize_back
from numopt.network.passes import backward_layer, forward_layer, losses, prepare, write_predictions
from numopt.network.words import (
    AT_LAYER,
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
    FAN_OUT,
    FIRST,
    GRADIENT,
    LAST,
    LAYER_DOWN,
    LAYER_UP,
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
    NORMALIZE,
    NORMALIZE_BACK,
    NORMALIZED,
    ORDER,
    PASS,
    PHASE,
    PHASES,
    PIECE,
    PIECE_SUMS,
    PREDICT,
    RANGE,
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

COLUMNS = 8  # of a layer that are normalized together


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
def _sum_losses(C, blocks):
    parts = carray(void_pointer(C.a[BLOCK_LOSSES]), (blocks,), types.float64)
    for b in range(blocks):
        C.r[LOSS_NOW] += parts[b]


@kernel
def _work(C, item):
    """One item of a phase: a block of rows or of columns, a piece of the weights, a range of the parameters."""
    a = C.a
    phase, layer, lo, mode = a[PHASE], a[AT_LAYER], a[ROW], a[MODE]
    rows = _chunk_end(C) - lo
    if phase == PIECE:
        gradient_piece(C, item, rows, lo == a[UPDATE] * a[BATCH], lo + rows == a[ROW_END])
    elif phase == RANGE:
        _update(C, item)
    elif phase == NORMALIZE:
        normalize(C, layer, rows, COLUMNS * item, min(COLUMNS * (item + 1), C.layers[layer, FAN_OUT]))
    elif phase == NORMALIZE_BACK:
        normalize_back(C, layer, rows, COLUMNS * item, min(COLUMNS * (item + 1), C.layers[layer, FAN_OUT]))
    else:
        i, j, top = BLOCK * item, min(BLOCK * (item + 1), rows), a[DEPTH] - 1
        bottom = 0
        if phase != PASS:
            bottom, top = layer, layer
        if phase != LAYER_DOWN:
            if bottom == 0:
                prepare(C, lo, i, j)
            for k in range(bottom, top + 1):
                forward_layer(C, k, i, j)
            if mode == PREDICT:
                write_predictions(C, lo, i, j)
            elif top == a[DEPTH] - 1:
                losses(C, i, j)
        if phase == LAYER_DOWN:
            backward_layer(C, layer, i, j)
        elif phase == PASS and mode <= GRADIENT:
            for k in range(top, 0, -1):
                backward_layer(C, k, i, j)


@kernel
def _all(C, phase, layer, items):
    """The leader sees to a phase."""
    a, sync = C.a, C.a[SYNC]
    a[PHASE], a[AT_LAYER] = phase, layer
    a[PHASES] += 1
    start(sync, a[PHASES], items)
    while True:
        item = take(sync)
        if item < 0:
            break
        _work(C, item)
        finish(sync)
    wait_for_all(sync, items)


@kernel
def _lead(C):
    """All steps of a call."""
    a, r, top = C.a, C.r, C.a[DEPTH] - 1
    a[UPDATE], a[DONE], a[STOPPED] = a[FIRST], 0, 0
    r[LOSS_SUM] = r[SQUARE_SUM] = 0.0
    if a[UPDATE] >= a[LAST]:
        return
    _begin(C)
    while True:
        mode, end = a[MODE], _chunk_end(C)
        last, blocks = end == a[ROW_END], (end - a[ROW] + BLOCK - 1) // BLOCK
        if a[NORMALIZED] and mode < LOSS:  # the statistics need all rows: layer by layer
            for layer in range(top + 1):
                _all(C, LAYER_UP, layer, blocks)
                if layer < top:
                    _all(C, NORMALIZE, layer, (C.layers[layer, FAN_OUT] + COLUMNS - 1) // COLUMNS)
            if mode <= GRADIENT:
                for layer in range(top - 1, -1, -1):
                    _all(C, LAYER_DOWN, layer + 1, blocks)
                    _all(C, NORMALIZE_BACK, layer, (C.layers[layer, FAN_OUT] + COLUMNS - 1) // COLUMNS)
        else:
            _all(C, PASS, 0, blocks)
        if mode != PREDICT:
            _sum_losses(C, blocks)
        if mode <= GRADIENT or (mode == VALUE and last):
            _all(C, PIECE, 0, a[N_PIECES])
        if last and mode <= VALUE:
            _judge(C)
        elif last and mode == LOSS:
            r[LOSS_SUM] = r[LOSS_NOW] / r[TOTAL]
        if last and mode == TRAIN:
            if a[STOPPED]:
                return
            _all(C, RANGE, 0, a[N_RANGES])
        if not _advance(C):
            return


@inlined
def _view(a, real):
    return Call(
        a,
        carray(void_pointer(a[REALS]), (RATES + a[DEPTH],), types.float64),
        carray(void_pointer(a[LAYERS]), (a[DEPTH], N_LAYER), types.intp),
        carray(void_pointer(a[THETA]), (a[N_PARAMS],), real),
        carray(void_pointer(a[G]), (a[N_PARAMS],), real),
        carray(void_pointer(a[BUFFER]), (1 << 60,), real),
        carray(void_pointer(a[ROWS]), (a[ROOM],), types.intp),
    )


@inlined
def _enter(table, who, real):
    a = carray(void_pointer(table), (N_WORDS,), types.intp)
    if who:
        while True:
            item = wait_for_item(a[SYNC])
            if item < 0:
                break
            # the words are a call's only while an item of it is held
            _work(_view(a, real), item)
            finish(a[SYNC])
    else:
        _lead(_view(a, real))
        end(a[SYNC])
    return 0.0


def float64(table, who):
    """A thread's part of a call: it leads (0) or helps."""
    return _enter(table, who, types.float64)


def float32(table, who):
    """The same for float32."""
    return _enter(table, who, types.float32)
