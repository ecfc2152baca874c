"""How threads share the items of a phase: one leads, any number help, and none waits for one that is late.

One word says which phase it is and which of its items are left: the leader takes the first of them, a helper the last,
in one step, and counts it as finished when it is done.  So each mostly gets the items of the update before, whose
numbers are in its cache.  The leader starts a phase when all items of the one before are finished: a thread that holds
no item is never waited for, be it not yet started or without a processor.
"""

import os

from numba import types
from numba.extending import intrinsic

from numopt.kernels.atomic import fetch, fetch_add, pointer
from numopt.kernels.compiling import kernel
from numopt.network.words import FINISHED, OVER, WORK

SPINS = 2000  # looks, of a few nanoseconds, before the processor is offered to others
OFFERS = 100  # before the thread sleeps: who it waits for may have to share this very processor with it
BITS = 20  # of the word: the first item left, then the end of those left, then the phase
_MASK = (1 << BITS) - 1
_PHASES = (1 << 22) - 1

if os.name == "nt":
    _give_way = types.ExternalFunction("SwitchToThread", types.int32())
    _sleep, NAP = types.ExternalFunction("Sleep", types.void(types.uint32)), 1  # milliseconds
else:
    _give_way = types.ExternalFunction("sched_yield", types.int32())
    _sleep, NAP = types.ExternalFunction("usleep", types.int32(types.uint32)), 50  # microseconds


@intrinsic
def _write(typing, address, k):
    def generate(context, builder, signature, arguments):
        builder.store_atomic(arguments[1], pointer(builder, arguments[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def _replace(typing, address, old, new):
    """Whether the word was ``old``, and is ``new`` now."""

    def generate(context, builder, signature, arguments):
        address, old, new = arguments
        found = builder.cmpxchg(pointer(builder, address), old, new, "seq_cst", "seq_cst")
        return builder.extract_value(found, 1)

    return types.boolean(types.intp, types.intp, types.intp), generate


@kernel
def _pause(spins):
    if spins >= SPINS + OFFERS:
        _sleep(types.uint32(NAP))
    elif spins >= SPINS:
        _give_way()
    return spins + 1


@kernel
def start(sync, phase, items):
    """The leader starts a phase."""
    _write(sync + 8 * FINISHED, 0)
    _write(sync + 8 * WORK, ((phase & _PHASES) << (2 * BITS)) | (items << BITS))


@kernel
def take(sync, leads):
    """An item of the phase, -1 if there is none left, ``OVER`` if the call is over."""
    while True:
        word = fetch(sync + 8 * WORK)
        if word == OVER:
            return OVER
        first, end = word & _MASK, (word >> BITS) & _MASK
        if first >= end:
            return -1
        if leads:
            if _replace(sync + 8 * WORK, word, word + 1):
                return first
        elif _replace(sync + 8 * WORK, word, word - (1 << BITS)):
            return end - 1


@kernel
def wait_for_item(sync):
    """A helper's next item, or ``OVER``."""
    spins = 0
    while True:
        item = take(sync, False)
        if item != -1:
            return item
        spins = _pause(spins)


@kernel
def finish(sync):
    """An item is done."""
    fetch_add(sync + 8 * FINISHED, 1)


@kernel
def wait_for_all(sync, items):
    """The leader waits until all items of the phase are done."""
    spins = 0
    while fetch(sync + 8 * FINISHED) < items:
        spins = _pause(spins)


@kernel
def end(sync):
    """The leader sends the helpers away."""
    _write(sync + 8 * WORK, OVER)
