"""Words that threads share: read, and added to in one step."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def pointer(builder, address):
    """The integer ``address`` as one of a word, in generated code."""
    return builder.inttoptr(address, ir.IntType(64).as_pointer())


@intrinsic
def fetch_add(typing, address, k):
    """Adds k to a word; the word before."""

    def generate(context, builder, signature, arguments):
        return builder.atomic_rmw("add", pointer(builder, arguments[0]), arguments[1], "seq_cst")

    return types.intp(types.intp, types.intp), generate


@intrinsic
def fetch(typing, address):
    """A word as the others see it."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(pointer(builder, arguments[0]), "acquire", 8)

    return types.intp(types.intp), generate
