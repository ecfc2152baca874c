"""exp in the machine code of an adapter: written out, in place of calls of the C library's.

LLVM turns a loop over rows into one over registers of several numbers, and takes exp for a function of such registers;
but with no such function at hand it calls the C library's, one number at a time, which takes longer than all the rest
of a model.  Here these calls become the same few operations for every number, wherever it stands, so that the value of
a row does not depend on its place:

    e^x = 2^k (1 + r + r^2 P(r)),    k = round(x / ln 2),  r = x - k ln 2                                (1)

with P, of degree 10, from the Chebyshev nodes of |r| <= ln 2 / 2.  2^k is put in in two halves, so that what overflows
is infinite, and what is subnormal is rounded once more and no more than that; NaN stays NaN.  All is within one unit
in the last place.

Reference: J.-M. Muller, Elementary Functions: Algorithms and Implementation, 3rd ed., Birkhäuser 2016, sections 3.2
(polynomials from Chebyshev nodes) and 11.1 (reduction of the argument by Cody and Waite).
"""

import re
import struct

from llvmlite import binding

from numopt.drivers import units

_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # k LN2_HIGH is exact for |k| < 2^20
_SHIFTER = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits of the number
_HIGHEST, _LOWEST = 710.0, -746.0  # e^x is infinite, and less than half the least positive number
_P = (
    0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326112, 0.001388888888888373, 0.0001984126987490126,
    2.4801587325605324e-05, 2.7557255297969643e-06, 2.755727357010214e-07, 2.5105259538448494e-08,
    2.0914717341716378e-09,
)  # fmt: skip
_INTRINSIC = re.compile(r"@llvm\.exp\.((?:v\d+)?)f64\b")
_DECLARED = re.compile(r"^declare .*@llvm\.(?:exp|fma)\.(?:v\d+)?f64\b.*\n", re.MULTILINE)
# what runs on Numba's own threads, and what only its loader finds (functions that call themselves), stays as it is
_FOREIGN = ("numba_parallel_for", "numba_gufunc", ".numba.unresolved$")
_ENVIRONMENT = re.compile(r"^@(_ZN08NumbaEnv\S+) = ", re.MULTILINE)


def _function(lanes):
    """The text of (1) in LLVM's language, for one number (``lanes`` empty) or for a register (``'v8'``)."""
    real, word = ("double", "i64") if not lanes else (f"<{lanes[1:]} x double>", f"<{lanes[1:]} x i64>")
    lines = []

    def put(operation, of=None):
        lines.append(f"  %t{len(lines)} = {operation}")
        return f"%t{len(lines) - 1}"

    def constant(kind, text):
        return text if not lanes else "<" + ", ".join([f"{kind} {text}"] * int(lanes[1:])) + ">"

    def number(x):
        return constant("double", f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}")

    def integer(k):
        return constant("i64", str(k))

    def fma(a, b, c):
        return put(f"call {real} @llvm.fma.{lanes}f64({real} {a}, {real} {b}, {real} {c})")

    def held(x, comparison, end):  # a NaN is left as it is
        beyond = put(f"fcmp {comparison} {real} {x}, {number(end)}")
        flag = "i1" if not lanes else f"<{lanes[1:]} x i1>"
        return put(f"select {flag} {beyond}, {real} {number(end)}, {real} {x}")

    def power(k):  # 2^k
        shifted = put(f"shl {word} {put(f'add {word} {k}, {integer(1023)}')}, {integer(52)}")
        return put(f"bitcast {word} {shifted} to {real}")

    x = held(held("%x", "ogt", _HIGHEST), "olt", _LOWEST)
    shifted = fma(x, number(_LOG2E), number(_SHIFTER))
    k = put(f"fsub {real} {shifted}, {number(_SHIFTER)}")
    minus = put(f"fneg {real} {k}")
    r = fma(minus, number(_LN2_LOW), fma(minus, number(_LN2_HIGH), x))
    square = put(f"fmul {real} {r}, {r}")
    s = number(_P[-1])
    for coefficient in _P[-2::-1]:
        s = fma(s, r, number(coefficient))
    y = put(f"fadd {real} {fma(square, s, r)}, {number(1.0)}")
    bits = put(f"bitcast {real} {shifted} to {word}")
    whole = put(f"sub {word} {bits}, {integer(struct.unpack('<q', struct.pack('<d', _SHIFTER))[0])}")
    half = put(f"ashr {word} {whole}, {integer(1)}")
    rest = put(f"sub {word} {whole}, {half}")
    result = put(f"fmul {real} {put(f'fmul {real} {y}, {power(half)}')}, {power(rest)}")
    return "\n".join((
        f"declare {real} @llvm.fma.{lanes}f64({real}, {real}, {real})",
        f"define {real} @numopt.exp.{lanes}f64({real} %x) alwaysinline {{",
        *lines,
        f"  ret {real} {result}",
        "}\n",
    ))  # fmt: skip


class Adapter:
    """An adapter with machine code of its own; ``of``, Numba's, is kept since it owns what the code names.

    ``engines``: what owns the machine code.
    """

    def __init__(self, of, address, engines):
        self.of, self.address, self._library, self.engines = of, address, of._library, engines


def with_exp(adapter):
    """The adapter with exp written out; or as it is, without exp, or where more than that might change."""
    if not hasattr(binding, "create_pass_builder"):
        return adapter  # before llvmlite 0.44
    text = adapter._library.get_llvm_str()
    kinds, codegen = set(_INTRINSIC.findall(text)), adapter._library.codegen
    x86, features = codegen._tm.triple.startswith("x86"), codegen._tm_features.split(",")
    if not kinds or (x86 and "+fma" not in features) or any(word in text for word in _FOREIGN):
        return adapter
    if any(text.count("@" + name) > 1 for name in _ENVIRONMENT.findall(text)):
        return adapter  # it asks for Python objects, by what Numba's runtime puts there
    text = _DECLARED.sub("", text)
    text = _INTRINSIC.sub(r"@numopt.exp.\1f64", text) + "".join(map(_function, sorted(kinds)))
    try:
        module = binding.parse_assembly(text)
    except RuntimeError:
        return adapter  # another LLVM's language: it is no more than a matter of speed
    for function in module.functions:
        if not function.is_declaration and function.name != adapter.native_name:
            function.linkage = "internal"
    builder = binding.create_pass_builder(codegen._tm, binding.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    engines: list = []
    return Adapter(adapter, units.load(adapter.native_name, codegen._tm.emit_object(module), engines), engines)
