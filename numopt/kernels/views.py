"""Parts of a run's workspace, as arrays.

A slice in Numba costs some forty instructions for its bounds and its owner, typed and lowered anew at each use.  Here a
part is the address where it begins and its length.  It owns nothing: it must not outlive the workspace.  These are
intrinsics, so that they are part of the function that uses them: a CUDA device function can't return an array.  Where
Numba's JIT is switched off, and so in the CUDA simulator, they are slices.
"""

from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from numopt.kernels.slots import N

_word = types.int64
_W = ir.IntType(64)


def _element(builder, array, k, strided):
    """The address of element k."""
    if not strided:
        return builder.gep(array.data, [k])
    stride = builder.extract_value(array.strides, 0)
    at = builder.add(builder.ptrtoint(array.data, _W), builder.mul(k, stride))
    return builder.inttoptr(at, array.data.type)


def _part(context, builder, typ, array, start, count):
    """The elements ``start`` to ``start + count`` of a vector."""
    old = context.make_array(typ)(context, builder, array)
    new = context.make_array(typ)(context, builder, array)
    new.data = _element(builder, old, start, typ.layout != "C")
    new.shape = builder.insert_value(old.shape, count, 0)
    new.nitems = count
    new.meminfo = ir.Constant(new.meminfo.type, None)
    new.parent = ir.Constant(new.parent.type, None)
    return new._getvalue()


def _of_run(place):
    """An intrinsic (R, k) -> w[start : start + n], with ``start = place(builder, k, n, w.size)``."""

    def make(R, k=None):
        fields = dict(zip(R.fields, R.types, strict=True))
        w, c = fields["w"], fields["c"]

        def codegen(context, builder, signature, args):
            counters = context.make_array(c)(context, builder, builder.extract_value(args[0], R.fields.index("c")))
            space = builder.extract_value(args[0], R.fields.index("w"))
            size = builder.extract_value(context.make_array(w)(context, builder, space).shape, 0)
            n = builder.load(_element(builder, counters, _W(N), c.layout != "C"))
            start = place(builder, args[1] if len(args) > 1 else None, n, size)
            return _part(context, builder, w, space, start, n)

        return w(R) if k is None else w(R, _word), codegen

    return make


def _from_end(m):
    return _of_run(lambda builder, k, n, size: builder.sub(size, builder.mul(_W(m), n)))


if config.DISABLE_JIT:  # type: ignore[attr-defined]

    def segment(w, start, count):
        """w[start : start + count]."""
        return w[start : start + count]

    def vector(R, k):
        """The k-th vector of the workspace."""
        return R.w[k * R.c[N] : (k + 1) * R.c[N]]

    def free_variables(R):
        """Marks of the free variables (1) and of those held at a bound (0), where ``c[BOUNDED]``."""
        return R.w[R.w.size - 3 * R.c[N] : R.w.size - 2 * R.c[N]]

    def lower_bounds(R):
        """The lower bounds, where ``c[BOUNDED]``."""
        return R.w[R.w.size - 2 * R.c[N] : R.w.size - R.c[N]]

    def upper_bounds(R):
        """The upper bounds, where ``c[BOUNDED]``."""
        return R.w[R.w.size - R.c[N] :]

else:

    @intrinsic
    def segment(typingctx, w, start, count):
        """w[start : start + count]."""

        def codegen(context, builder, signature, args):
            return _part(context, builder, w, *args)

        return w(w, _word, _word), codegen

    _vector = _of_run(lambda builder, k, n, size: builder.mul(k, n))
    _free, _lower, _upper = _from_end(3), _from_end(2), _from_end(1)

    @intrinsic
    def vector(typingctx, R, k):
        """The k-th vector of the workspace."""
        return _vector(R, k)

    @intrinsic
    def free_variables(typingctx, R):
        """Marks of the free variables (1) and of those held at a bound (0), where ``c[BOUNDED]``."""
        return _free(R)

    @intrinsic
    def lower_bounds(typingctx, R):
        """The lower bounds, where ``c[BOUNDED]``."""
        return _lower(R)

    @intrinsic
    def upper_bounds(typingctx, R):
        """The upper bounds, where ``c[BOUNDED]``."""
        return _upper(R)
