"""How the threads of a call meet: one leads, others join at the start of a step, all wait between phases.

A thread counts only once it runs compiled code, so nothing waits for a thread that was never started.  The leader
announces phases by ``SIGNAL``, whose low bits say how many take part.
"""

import os

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from numopt.kernels.compiling import kernel
from numopt.network.words import ARRIVED, CLOSED, END, ENLISTED, LEFT, SIGNAL

SPINS = 2000  # looks, of a few nanoseconds, before the processor is offered to others

_give_way = types.ExternalFunction("SwitchToThread" if os.name == "nt" else "sched_yield", types.int32())


@intrinsic
def _add(typing, address, k):
    """Adds k to a word; the word before."""

    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, arguments[1], "seq_cst")

    return types.intp(types.intp, types.intp), generate


@intrinsic
def _read(typing, address):
    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.intp(types.intp), generate


@intrinsic
def _write(typing, address, k):
    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store_atomic(arguments[1], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@kernel
def _pause(spins):
    if spins >= SPINS:
        _give_way()
    return spins + 1


@kernel
def leave(sync):
    _add(sync + 8 * LEFT, 1)


@kernel
def join(sync):
    """(place, signal) of a thread that comes to help; signal 0: it came too late."""
    me = _add(sync + 8 * ENLISTED, 1) + 1
    if me > CLOSED:
        return 0, 0
    spins = 0
    while True:
        signal = _read(sync + 8 * SIGNAL)
        if signal & END == END:
            leave(sync)
            return 0, 0
        if signal & END > me:
            return me, signal
        spins = _pause(spins)


@kernel
def wait(sync, signal):
    """A helper has finished its part; the signal of the next phase."""
    _add(sync + 8 * ARRIVED, 1)
    spins = 0
    while True:
        new = _read(sync + 8 * SIGNAL)
        if new != signal:
            return new
        spins = _pause(spins)


@kernel
def gather(sync, signal):
    """The leader waits until all others have finished their parts."""
    others = (signal & END) - 1
    if others > 0:
        spins = 0
        while _read(sync + 8 * ARRIVED) < others:
            spins = _pause(spins)
        _write(sync + 8 * ARRIVED, 0)


@kernel
def announce(sync, signal, admit):
    """The leader starts the next phase, with those who have come by now if ``admit``."""
    team = signal & END
    if admit:
        team = 1 + _read(sync + 8 * ENLISTED)
    signal = (((signal >> 16) + 1) << 16) | team
    _write(sync + 8 * SIGNAL, signal)
    return signal


@kernel
def close(sync, signal):
    """The leader ends the call: who came is sent away, and has left when this returns."""
    came = _add(sync + 8 * ENLISTED, CLOSED)
    _write(sync + 8 * SIGNAL, (((signal >> 16) + 1) << 16) | END)
    spins = 0
    while _read(sync + 8 * LEFT) < came:
        spins = _pause(spins)
