"""Parts of the workspace of a run with constraints, as arrays: intrinsics, as those of :mod:`numopt.kernels.views`.

Where a part begins and how long it is are written once, as ``place(n, m, ...) -> (start, count)``: with integers where
Numba's JIT is switched off, and else with words of the code that is being built.
"""

from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from numopt.kernels.constrained_slots import M, common_words
from numopt.kernels.slots import G0, N_COMMON, X0, N
from numopt.kernels.views import _element, _part

_W = ir.IntType(64)


class _Word:
    """An integer of the code that is being built."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value

    def _with(self, operation, other):
        other = other.value if isinstance(other, _Word) else _W(int(other))
        return _Word(self.builder, getattr(self.builder, operation)(self.value, other))

    def __add__(self, other):
        return self._with("add", other)

    def __mul__(self, other):
        return self._with("mul", other)

    def __rshift__(self, other):
        return self._with("ashr", other)

    __radd__, __rmul__ = __add__, __mul__


def part(place, indices=0):
    """A function of R and of some integers, for compiled code: the part of the workspace at ``place(n, m, ...)``."""
    if config.DISABLE_JIT:  # type: ignore[attr-defined]

        def plain(R, *indices):
            start, count = place(int(R.c[N]), int(R.c[M]), *indices)
            return R.w[start : start + count]

        return plain

    def typed(R):
        fields = dict(zip(R.fields, R.types, strict=True))
        w, c = fields["w"], fields["c"]

        def codegen(context, builder, signature, args):
            counters = context.make_array(c)(context, builder, builder.extract_value(args[0], R.fields.index("c")))
            space = builder.extract_value(args[0], R.fields.index("w"))
            sizes = (builder.load(_element(builder, counters, _W(j), c.layout != "C")) for j in (N, M))
            ends = place(*(_Word(builder, value) for value in (*sizes, *args[1:])))
            start, count = (end.value if isinstance(end, _Word) else _W(end) for end in ends)
            return _part(context, builder, w, space, start, count)

        return w(R, *[types.int64] * indices), codegen

    if indices == 0:
        return intrinsic(lambda typingctx, R: typed(R))
    if indices == 1:
        return intrinsic(lambda typingctx, R, k: typed(R))
    return intrinsic(lambda typingctx, R, k, count: typed(R))


# the places 0, 1 and 2 of x are the vectors 0, 1 and 7, those of the gradient 2, 3 and 8
x_at = part(lambda n, m, k: ((k + 5 * (k >> 1) + X0) * n, n), 1)
g_at = part(lambda n, m, k: ((k + 4 * (k >> 1) + G0) * n, n), 1)
z_at = part(lambda n, m, k: ((k + N_COMMON) * n, n), 1)


def rows(j):
    """Vector j of those of m."""
    return lambda n, m, k=0: ((N_COMMON + 3) * n + (k + j) * m, m)


c_at, y_at = part(rows(0), 1), part(rows(3), 1)
lower_limits, upper_limits, kept_rows = part(rows(6)), part(rows(7)), part(rows(8))
weights = part(lambda n, m: ((N_COMMON + 3) * n + 9 * m, m + 1))
jacobian_at = part(lambda n, m, k: ((N_COMMON + 3) * n + 10 * m + 1 + k * m * n, m * n), 1)
own = part(lambda n, m, k, count: (common_words(n, m) + k, count), 2)
