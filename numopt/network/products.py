"""Products of small matrices by tiles that stay in registers.

    dots      c_ij = x_i'w_j + b_j           rows of X and of W are contiguous                    (forward)
    combine   c_ij = \\sum_k a_ik b_kj       rows of B and C are contiguous, A has any strides    (gradients, deltas)

The tiles are written in LLVM's vectors: loops of scalars reach a third of the speed.  A last tile that would stick
out is moved back over its neighbour and computes some entries again; each entry is the same sum in the same order
whichever tile it falls in, so that no result depends on how the work is divided.  Strides are in bytes.
"""

from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer

VECTOR = 32  # bytes; LLVM splits them where registers are smaller
UNITS, ROWS = 5, 2  # of a tile of `dots`: ten sums, as many as hide the latency of multiply-add
LINES = 5  # of a tile of `combine`, two vectors wide
FLAGS = ("contract", "nsz")  # multiply-add where there is one
_WORD = ir.IntType(64)


class _Writer:
    """What the tiles are written with."""

    def __init__(self, builder, real):
        self.builder = builder
        self.scalar = ir.DoubleType() if real == types.float64 else ir.FloatType()
        self.size = 8 if real == types.float64 else 4
        self.lanes = VECTOR // self.size
        self.vector = ir.VectorType(self.scalar, self.lanes)

    def word(self, k):
        return ir.Constant(_WORD, k)

    def at(self, address, kind):
        return self.builder.inttoptr(address, kind.as_pointer())

    def load(self, address, kind):
        return self.builder.load(self.at(address, kind), align=self.size)

    def fetch(self, address):
        """Asks for a line of memory that is read soon."""
        pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        function = self.builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        read, near, data = (ir.Constant(flag, k) for k in (0, 3, 1))
        self.builder.call(function, [self.at(address, ir.IntType(8)), read, near, data])

    def splat(self, x):
        empty = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(empty, x, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, empty, zeros)

    def add(self, x, y):
        return self.builder.fadd(x, y, flags=FLAGS)

    def multiply_add(self, x, y, s):
        return self.builder.fadd(self.builder.fmul(x, y, flags=FLAGS), s, flags=FLAGS)

    def sum(self, v):
        """The sum of a vector's entries, by halves."""
        b, lanes = self.builder, self.lanes
        while lanes > 1:
            lanes //= 2
            kind = ir.VectorType(ir.IntType(32), lanes)
            undefined = ir.Constant(v.type, ir.Undefined)
            low = b.shuffle_vector(v, undefined, ir.Constant(kind, list(range(lanes))))
            high = b.shuffle_vector(v, undefined, ir.Constant(kind, list(range(lanes, 2 * lanes))))
            v = self.add(low, high)
        return b.extract_element(v, ir.Constant(ir.IntType(32), 0))

    def loop(self, first, end, step, carried, body):
        """The values of ``carried`` after ``body(k, carried) -> carried`` for k = first, first + step, ... < end."""
        b = self.builder
        before = b.block
        head, inside, after = (b.append_basic_block(name) for name in ("head", "inside", "after"))
        b.branch(head)
        b.position_at_end(head)
        k = b.phi(_WORD)
        k.add_incoming(first, before)
        phis = [b.phi(x.type) for x in carried]
        for phi, x in zip(phis, carried, strict=True):
            phi.add_incoming(x, before)
        b.cbranch(b.icmp_signed("<", k, end), inside, after)
        b.position_at_end(inside)
        new = body(k, phis)
        k.add_incoming(b.add(k, self.word(step)), b.block)
        for phi, x in zip(phis, new, strict=True):
            phi.add_incoming(x, b.block)
        b.branch(head)
        b.position_at_end(after)
        return phis


def _dots(rows, units):
    @intrinsic
    def tile(typing, like, x0, x1, y0, y1, w, ldw, K, bias, c, ldc):
        """Rows at x0 (and x1) times the units' rows from w on; fetches ahead the rows at y0 (and y1)."""

        def generate(context, builder, signature, arguments):
            _, x0, x1, y0, y1, w, ldw, K, bias, c, ldc = arguments
            t = _Writer(builder, signature.args[0])
            xs, ys = [x0, x1][:rows], [y0, y1][:rows]
            ws = [builder.add(w, builder.mul(ldw, t.word(u))) for u in range(units)]

            def body(kind):
                def inner(k, sums):
                    shift = builder.mul(k, t.word(t.size))
                    if kind is t.vector:
                        for y in ys:
                            t.fetch(builder.add(y, shift))
                    X = [t.load(builder.add(x, shift), kind) for x in xs]
                    new = []
                    for u in range(units):
                        y = t.load(builder.add(ws[u], shift), kind)
                        new += [t.multiply_add(X[r], y, sums[u * rows + r]) for r in range(rows)]
                    return new

                return inner

            whole = builder.and_(K, t.word(-t.lanes))
            zero = [ir.Constant(t.vector, [0.0] * t.lanes)] * (rows * units)
            sums = [t.sum(v) for v in t.loop(t.word(0), whole, t.lanes, zero, body(t.vector))]
            sums = t.loop(whole, K, 1, sums, body(t.scalar))
            for u in range(units):
                b = t.load(builder.add(bias, t.word(u * t.size)), t.scalar)
                for r in range(rows):
                    where = builder.add(builder.add(c, builder.mul(ldc, t.word(r))), t.word(u * t.size))
                    builder.store(t.add(sums[u * rows + r], b), t.at(where, t.scalar), align=t.size)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 10), generate

    return tile


def _combination(lines, vectors, indexed):
    @intrinsic
    def tile(typing, like, a, ai, ak, b, bk, K, c, ldc):
        """``bk`` is the stride of B's rows, or the address of the rows' offsets."""

        def generate(context, builder, signature, arguments):
            _, a, ai, ak, b, bk, K, c, ldc = arguments
            t = _Writer(builder, signature.args[0])
            starts = [builder.add(a, builder.mul(ai, t.word(i))) for i in range(lines)]

            def body(k, sums):
                if indexed:
                    offset = builder.load(t.at(builder.add(bk, builder.mul(k, t.word(8))), _WORD))
                else:
                    offset = builder.mul(k, bk)
                row, shift = builder.add(b, offset), builder.mul(k, ak)
                B = [t.load(builder.add(row, t.word(v * VECTOR)), t.vector) for v in range(vectors)]
                new = []
                for i in range(lines):
                    x = t.splat(t.load(builder.add(starts[i], shift), t.scalar))
                    new += [t.multiply_add(x, B[v], sums[i * vectors + v]) for v in range(vectors)]
                return new

            zero = [ir.Constant(t.vector, [0.0] * t.lanes)] * (lines * vectors)
            sums = t.loop(t.word(0), K, 1, zero, body)
            for i in range(lines):
                line = builder.add(c, builder.mul(ldc, t.word(i)))
                for v in range(vectors):
                    where = builder.add(line, t.word(v * VECTOR))
                    builder.store(sums[i * vectors + v], t.at(where, t.vector), align=t.size)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 8), generate

    return tile


_dots_22, _dots_21, _dots_12, _dots_11 = _dots(ROWS, UNITS), _dots(ROWS, 1), _dots(1, UNITS), _dots(1, 1)
_strided = [[_combination(m, v, False) for v in (1, 2)] for m in (1, LINES)]
_indexed = [[_combination(m, v, True) for v in (1, 2)] for m in (1, LINES)]
_s11, _s12, _s51, _s52 = _strided[0] + _strided[1]
_i11, _i12, _i51, _i52 = _indexed[0] + _indexed[1]


@kernel
def dots_pair(like, size, x0, x1, y0, y1, pair, w, ldw, K, bias, c, ldc, units):
    """Sets one row of C, or two: x0 (and x1) times all ``units`` rows of W, plus the bias.

    The rows at y0 (and y1), which come next, are fetched ahead.
    """
    if units < UNITS:
        for j in range(units):
            if pair:
                _dots_21(like, x0, x1, y0, y1, w + j * ldw, ldw, K, bias + j * size, c + j * size, ldc)
            else:
                _dots_11(like, x0, x1, y0, y1, w + j * ldw, ldw, K, bias + j * size, c + j * size, ldc)
        return
    for first in range(0, units, UNITS):
        j = min(first, units - UNITS)
        if pair:
            _dots_22(like, x0, x1, y0, y1, w + j * ldw, ldw, K, bias + j * size, c + j * size, ldc)
        else:
            _dots_12(like, x0, x1, y0, y1, w + j * ldw, ldw, K, bias + j * size, c + j * size, ldc)


@kernel
def _strip(like, indexed, wide, a, ai, ak, b, bk, K, c, ldc, m):
    """All m lines of one or two vectors' width."""
    step = LINES if m >= LINES else 1
    for first in range(0, m, step):
        i = min(first, m - step)
        p, q = a + i * ai, c + i * ldc
        if indexed:
            if step == 1:
                if wide:
                    _i12(like, p, ai, ak, b, bk, K, q, ldc)
                else:
                    _i11(like, p, ai, ak, b, bk, K, q, ldc)
            elif wide:
                _i52(like, p, ai, ak, b, bk, K, q, ldc)
            else:
                _i51(like, p, ai, ak, b, bk, K, q, ldc)
        elif step == 1:
            if wide:
                _s12(like, p, ai, ak, b, bk, K, q, ldc)
            else:
                _s11(like, p, ai, ak, b, bk, K, q, ldc)
        elif wide:
            _s52(like, p, ai, ak, b, bk, K, q, ldc)
        else:
            _s51(like, p, ai, ak, b, bk, K, q, ldc)


@kernel
def _narrow(array, indexed, a, ai, ak, b, bk, K, c, ldc, m, n):
    """Fewer columns than a vector has entries."""
    for i in range(m):
        out = carray(void_pointer(c + i * ldc), (n,), array.dtype)
        for j in range(n):
            out[j] = 0
        for k in range(K):
            offset = carray(void_pointer(bk), (K,), types.int64)[k] if indexed else k * bk
            row = carray(void_pointer(b + offset), (n,), array.dtype)
            x = carray(void_pointer(a + i * ai + k * ak), (1,), array.dtype)[0]
            for j in range(n):
                out[j] += x * row[j]


@kernel
def combine(array, size, indexed, a, ai, ak, b, bk, K, c, ldc, m, n):
    """Sets C (m, n) to A (m, K) times B (K, n); all have the type of ``array``."""
    like, lanes = array.dtype.type(0), VECTOR // size
    if n < lanes:
        _narrow(array, indexed, a, ai, ak, b, bk, K, c, ldc, m, n)
    elif n < 2 * lanes:
        for j in (0, n - lanes):
            _strip(like, indexed, False, a, ai, ak, b + j * size, bk, K, c + j * size, ldc, m)
    else:
        for first in range(0, n, 2 * lanes):
            j = min(first, n - 2 * lanes)
            _strip(like, indexed, True, a, ai, ak, b + j * size, bk, K, c + j * size, ldc, m)
