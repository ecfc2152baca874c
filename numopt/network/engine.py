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
    ITEMS,
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
    OVER,
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
def _sum_losses(C):
    blocks = (_chunk_end(C) - C.a[ROW] + BLOCK - 1) // BLOCK
    parts = carray(void_pointer(C.a[BLOCK_LOSSES]), (blocks,), types.float64)
    for b in range(blocks):
        C.r[LOSS_NOW] += parts[b]


@kernel
def _start(C, phase, layer):
    """The leader starts a phase."""
    a = C.a
    items = (_chunk_end(C) - a[ROW] + BLOCK - 1) // BLOCK
    if phase == NORMALIZE or phase == NORMALIZE_BACK:
        items = (C.layers[layer, FAN_OUT] + COLUMNS - 1) // COLUMNS
    elif phase == PIECE:
        items = a[N_PIECES]
    elif phase == RANGE:
        items = a[N_RANGES]
    a[PHASE], a[AT_LAYER], a[ITEMS] = phase, layer, items
    a[PHASES] += 1
    start(a[SYNC], a[PHASES], items)


@kernel
def _start_step(C):
    """The statistics of batch normalization need all rows: layer by layer then."""
    _start(C, LAYER_UP if C.a[NORMALIZED] != 0 and C.a[MODE] < LOSS else PASS, 0)


@kernel
def _begin_call(C):
    """Whether there is anything to do; starts it."""
    a, r = C.a, C.r
    a[UPDATE], a[DONE], a[STOPPED] = a[FIRST], 0, 0
    r[LOSS_SUM] = r[SQUARE_SUM] = 0.0
    if a[UPDATE] >= a[LAST]:
        return False
    _begin(C)
    _start_step(C)
    return True


@kernel
def _next(C):
    """The leader, when a phase is done: starts what follows; False at the end of the call."""
    a, r, top = C.a, C.r, C.a[DEPTH] - 1
    phase, layer, mode, last = a[PHASE], a[AT_LAYER], a[MODE], _chunk_end(C) == a[ROW_END]
    if phase == LAYER_UP and layer < top:
        _start(C, NORMALIZE, layer)
    elif phase == NORMALIZE:
        _start(C, LAYER_UP, layer + 1)
    elif phase == LAYER_UP and mode <= GRADIENT and top > 0:
        _start(C, LAYER_DOWN, top)
    elif phase == LAYER_DOWN:
        _start(C, NORMALIZE_BACK, layer - 1)
    elif phase == NORMALIZE_BACK and layer > 0:
        _start(C, LAYER_DOWN, layer)
    elif phase != PIECE and phase != RANGE and (mode <= GRADIENT or (mode == VALUE and last)):
        _sum_losses(C)
        _start(C, PIECE, 0)
    else:
        if phase != PIECE and phase != RANGE and mode != PREDICT:
            _sum_losses(C)
        if phase == PIECE and last:
            _judge(C)
            if a[STOPPED]:
                return False
            if mode == TRAIN:
                _start(C, RANGE, 0)
                return True
        elif last and mode == LOSS:
            r[LOSS_SUM] = r[LOSS_NOW] / r[TOTAL]
        if not _advance(C):
            return False
        _start_step(C)
    return True


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
    """A thread's part of a call.

    All in one function: each level of compiled functions is optimised by LLVM anew, with all that it calls.
    """
    a = carray(void_pointer(table), (N_WORDS,), types.intp)
    sync = a[SYNC]
    if who == 0 and not _begin_call(_view(a, real)):
        end(sync)
    while True:
        item = take(sync, True) if who == 0 else wait_for_item(sync)
        if item == OVER:
            break
        C = _view(a, real)
        if item == -1:
            wait_for_all(sync, a[ITEMS])
            if not _next(C):
                end(sync)
            continue
        # an item: a block of rows or of columns, a piece of the weights, a range of the parameters; the words are a
        # call's as long as one is held
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
        finish(sync)
    return 0.0


def float64(table, who):
    """A thread's part of a call: it leads (0) or helps."""
    return _enter(table, who, types.float64)


def float32(table, who):
    """The same for float32."""
    return _enter(table, who, types.float32)
