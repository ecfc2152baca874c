"""Products of small matrices by tiles that stay in registers.

    dots      c_ij = x_i'w_j + b_j           rows of X and of W are contiguous                    (forward)
    combine   c_ij = \\sum_k a_ik b_kj       rows of B and C are contiguous, A has any strides    (gradients, deltas)

The tiles are written in LLVM's vectors: loops of scalars reach a third of the speed.  A last tile that would stick
out is moved back over its neighbour and computes some entries again; each entry is the same sum in the same order
whichever tile it falls in, so that no result depends on how the work is divided.  Strides are in bytes.
"""

from llvmlite import binding, ir
from numba import carray, types
from numba.extending import intrinsic

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import void_pointer

VECTOR = 32  # bytes; LLVM splits them where registers are smaller
# of a tile: as many sums as registers hold beside what they are made of; ten hide the latency of multiply-add
UNITS, ROWS, LINES, VECTORS = 5, 2, 5, 2
if binding.get_host_cpu_features().get("avx512vl"):  # 32 registers, not 16
    ROWS = VECTORS = 4
FLAGS = ("contract", "nsz")  # multiply-add where there is one
_WORD, _INDEX = ir.IntType(64), ir.IntType(32)


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
        one = self.builder.insert_element(ir.Constant(ir.VectorType(x.type, self.lanes), ir.Undefined), x, _INDEX(0))
        return self.shuffle(one, one, [0] * self.lanes)

    def shuffle(self, x, y, order):
        return self.builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_INDEX, len(order)), list(order)))

    def add(self, x, y):
        return self.builder.fadd(x, y, flags=FLAGS)

    def multiply_add(self, x, y, s):
        return self.builder.fadd(self.builder.fmul(x, y, flags=FLAGS), s, flags=FLAGS)

    def sum(self, v):
        """The sum of a vector's entries: of pairs, of pairs of these, and so on."""
        while (n := v.type.count) > 2:
            v = self.add(self.shuffle(v, v, range(0, n, 2)), self.shuffle(v, v, range(1, n, 2)))
        return self.add(*[self.builder.extract_element(v, _INDEX(k)) for k in (0, 1)])

    def sums(self, a, b, c, d):
        """The sums of four vectors' entries, in the same order, as one vector."""
        n = a.type.count
        even = [k for h in range(0, n, 2) for k in (h, n + h)]
        ab, cd = (self.add(self.shuffle(x, y, even), self.shuffle(x, y, [k + 1 for k in even])) for x, y in
                  ((a, b), (c, d)))  # fmt: skip
        low = [k for h in range(0, n, 4) for k in (h, h + 1, n + h, n + h + 1)]
        v = self.add(self.shuffle(ab, cd, low), self.shuffle(ab, cd, [k + 2 for k in low]))
        if n == 8:
            v = self.add(self.shuffle(v, v, range(4)), self.shuffle(v, v, range(4, 8)))
        return v

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
    def tile(typing, like, x0, x1, x2, x3, y0, y1, y2, y3, w, ldw, K, bias, c, ldc):
        """Rows at x0, ... times the units' rows from w on; fetches ahead the rows at y0, ...; K >= a vector's lanes."""

        def generate(context, builder, signature, arguments):
            xs, ys = arguments[1 : 1 + rows], arguments[5 : 5 + rows]
            w, ldw, K, bias, c, ldc = arguments[9:]
            t = _Writer(builder, signature.args[0])
            ws = [builder.add(w, builder.mul(ldw, t.word(u))) for u in range(units)]
            none = ir.Constant(t.vector, [0.0] * t.lanes)

            def multiply(k, sums, fresh=None):
                shift = builder.mul(k, t.word(t.size))

                def entries(row):
                    v = t.load(builder.add(row, shift), t.vector)
                    return v if fresh is None else builder.select(fresh, v, none)

                X, new = [entries(x) for x in xs], []
                for u in range(units):
                    y = entries(ws[u])
                    new += [t.multiply_add(X[r], y, sums[u * rows + r]) for r in range(rows)]
                return new

            def inner(k, sums):
                for y in ys:
                    t.fetch(builder.add(y, builder.mul(k, t.word(t.size))))
                return multiply(k, sums)

            sums = t.loop(t.word(0), builder.and_(K, t.word(-t.lanes)), t.lanes, [none] * (rows * units), inner)
            # what is left: the last entries once more, without those that are in the sums already
            left = builder.and_(K, t.word(t.lanes - 1))
            before, inside = builder.block, builder.append_basic_block("rest")
            after = builder.append_basic_block("done")
            builder.cbranch(builder.icmp_signed("==", left, t.word(0)), after, inside)
            builder.position_at_end(inside)
            lanes = ir.Constant(ir.VectorType(_WORD, t.lanes), list(range(t.lanes)))
            fresh = builder.icmp_signed(">=", lanes, t.splat(builder.sub(t.word(t.lanes), left)))
            new = multiply(builder.sub(K, t.word(t.lanes)), sums, fresh)
            builder.branch(after)
            builder.position_at_end(after)
            phis = [builder.phi(t.vector) for _ in sums]
            for phi, one, other in zip(phis, sums, new, strict=True):
                phi.add_incoming(one, before)
                phi.add_incoming(other, inside)
            lines = [builder.add(c, builder.mul(ldc, t.word(r))) for r in range(rows)]
            four, first = ir.VectorType(t.scalar, 4), units // 4 * 4
            for u in range(0, first, 4):
                b = t.load(builder.add(bias, t.word(u * t.size)), four)
                for r, line in enumerate(lines):
                    v = t.sums(*phis[u * rows + r : (u + 4) * rows : rows])
                    builder.store(t.add(v, b), t.at(builder.add(line, t.word(u * t.size)), four), align=t.size)
            for u in range(first, units):
                b = t.load(builder.add(bias, t.word(u * t.size)), t.scalar)
                own = phis[u * rows : (u + 1) * rows]
                if rows == 4:
                    v = t.sums(*own)
                    totals = [builder.extract_element(v, _INDEX(r)) for r in range(rows)]
                else:
                    totals = [t.sum(v) for v in own]
                for total, line in zip(totals, lines, strict=True):
                    where = builder.add(line, t.word(u * t.size))
                    builder.store(t.add(total, b), t.at(where, t.scalar), align=t.size)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 14), generate

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


_many, _few, _one, _single = _dots(ROWS, UNITS), _dots(ROWS, 1), _dots(1, UNITS), _dots(1, 1)
_s11, _s12, _s14, _s51, _s52, _s54 = (_combination(m, v, False) for m in (1, LINES) for v in (1, 2, VECTORS))
_i11, _i12, _i14, _i51, _i52, _i54 = (_combination(m, v, True) for m in (1, LINES) for v in (1, 2, VECTORS))


@kernel
def dots_rows(like, size, x0, x1, x2, x3, y0, y1, y2, y3, many, w, ldw, K, bias, c, ldc, units):
    """Sets one row of C, or ``ROWS``: x0 (and x1, ...) times all ``units`` rows of W, plus the bias.

    The rows at y0 (and y1, ...), which come next, are fetched ahead.
    """
    step = UNITS if units >= UNITS else 1
    for first in range(0, units, step):
        j = min(first, units - step)
        p, b, q = w + j * ldw, bias + j * size, c + j * size
        if many:
            if step == 1:
                _few(like, x0, x1, x2, x3, y0, y1, y2, y3, p, ldw, K, b, q, ldc)
            else:
                _many(like, x0, x1, x2, x3, y0, y1, y2, y3, p, ldw, K, b, q, ldc)
        elif step == 1:
            _single(like, x0, x1, x2, x3, y0, y1, y2, y3, p, ldw, K, b, q, ldc)
        else:
            _one(like, x0, x1, x2, x3, y0, y1, y2, y3, p, ldw, K, b, q, ldc)


@kernel
def _strip(like, indexed, vectors, a, ai, ak, b, bk, K, c, ldc, m):
    """All m lines of one, two or four vectors' width."""
    step = LINES if m >= LINES else 1
    for first in range(0, m, step):
        i = min(first, m - step)
        p, q = a + i * ai, c + i * ldc
        if indexed:
            if step == 1:
                if vectors == 1:
                    _i11(like, p, ai, ak, b, bk, K, q, ldc)
                elif vectors == 2 or VECTORS == 2:
                    _i12(like, p, ai, ak, b, bk, K, q, ldc)
                else:
                    _i14(like, p, ai, ak, b, bk, K, q, ldc)
            elif vectors == 1:
                _i51(like, p, ai, ak, b, bk, K, q, ldc)
            elif vectors == 2 or VECTORS == 2:
                _i52(like, p, ai, ak, b, bk, K, q, ldc)
            else:
                _i54(like, p, ai, ak, b, bk, K, q, ldc)
        elif step == 1:
            if vectors == 1:
                _s11(like, p, ai, ak, b, bk, K, q, ldc)
            elif vectors == 2 or VECTORS == 2:
                _s12(like, p, ai, ak, b, bk, K, q, ldc)
            else:
                _s14(like, p, ai, ak, b, bk, K, q, ldc)
        elif vectors == 1:
            _s51(like, p, ai, ak, b, bk, K, q, ldc)
        elif vectors == 2 or VECTORS == 2:
            _s52(like, p, ai, ak, b, bk, K, q, ldc)
        else:
            _s54(like, p, ai, ak, b, bk, K, q, ldc)


@kernel
def dots_short(array, x, w, ldw, K, bias, c, units):
    """Sets one row of C where K is less than a vector's lanes."""
    x, c = carray(void_pointer(x), (K,), array.dtype), carray(void_pointer(c), (units,), array.dtype)
    bias = carray(void_pointer(bias), (units,), array.dtype)
    for u in range(units):
        row = carray(void_pointer(w + u * ldw), (K,), array.dtype)
        total = array.dtype.type(0)
        for k in range(K):
            total += x[k] * row[k]
        c[u] = total + bias[u]


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
        return
    j = 0
    while j < n:
        vectors = 1
        if n >= VECTORS * lanes and n - j > 2 * lanes:
            vectors = VECTORS
        elif n >= 2 * lanes and n - j > lanes:
            vectors = 2
        at = min(j, n - vectors * lanes)
        _strip(like, indexed, vectors, a, ai, ak, b + at * size, bk, K, c + at * size, ldc, m)
        j += vectors * lanes
