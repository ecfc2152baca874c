"""The one decorator of compiled functions.

Kernels allocate nothing and raise nothing: division follows IEEE arithmetic (``error_model="numpy"``), so
that compiled code holds no path that would raise.  A kernel stays callable from plain Python where Numba's
JIT is switched off, which is how the CUDA simulator runs it.

Kernels are only ever called by compiled code, into which they are linked.  Numba would optimise each one, with all
that it calls, and translate it to machine code, before the caller is treated in the same way: most of the time that
compiling takes.  Here a kernel is left as it comes, and optimised once, in what calls it from outside: a unit, or a
function of the user's.
"""

import re
from typing import Any

import llvmlite.binding as ll
from numba import cfunc, njit
from numba.core.cgutils import normalize_ir_text
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

_COUNTING = re.compile(r'^ *(?:tail )?call void @"?NRT_(?:incref|decref)"?\(.*\n', re.MULTILINE)


class _Library(JITCodeLibrary):
    """Code that owns no memory: Numba's counting of references, which LLVM can't see through, is left out."""

    def add_ir_module(self, ir_module):
        module = ll.parse_assembly(_COUNTING.sub("", normalize_ir_text(str(ir_module))))
        module.name = ir_module.name
        module.verify()
        self.add_llvm_module(module)


class _NoMachineCode:
    """In place of the code generator of a library that has no code: nothing holds an environment of Python's."""

    @staticmethod
    def set_env(name, env):
        pass


class _KernelLibrary(_Library):
    """The code of a kernel and of what it calls, for linking into others."""

    codegen = _NoMachineCode

    def finalize(self):
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            if hasattr(self, "_reload_init"):  # from Numba 0.63 on
                self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def get_pointer_to_function(self, name):
        self._ensure_finalized()
        return 0


class _UnitLibrary(_Library):
    """The code of a unit: nobody else calls the functions that are linked into it.

    Told so, LLVM drops arguments that are never read or always the same, such as the owners, strides and sizes of
    elements in the some forty words of a :class:`numopt.kernels.oracle.Run`.
    """

    def _optimize_final_module(self):
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == ll.Linkage.linkonce_odr:
                function.linkage = ll.Linkage.internal
                # by its name LLVM's loader would take it for the function, of other arguments, of code that comes later
                function.name = f"{function.name}.of.{self.name}"
        super()._optimize_final_module()


class _KernelCompiler(Compiler):
    """Numba's compiler, but for the library."""

    library: type[_Library] = _KernelLibrary

    def compile_extra(self, func):
        self.state.library = self.library(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()
        return super().compile_extra(func)


class _UnitCompiler(_KernelCompiler):
    library = _UnitLibrary


_OPTIONS: Any = {
    "error_model": "numpy",
    "nogil": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

# what is taken from the inside of Numba, here or in the methods above; a version without it compiles as it does
_INSIDE = (
    "add_ir_module", "add_llvm_module", "enable_object_caching", "_get_compiled_object", "_get_module_for_linking",
    "_optimize_final_module", "_raise_if_finalized", "_ensure_finalized",
)  # fmt: skip
_KNOWN = all(hasattr(JITCodeLibrary, name) for name in _INSIDE) and hasattr(Compiler, "compile_extra")
_LINKED: Any = {"pipeline_class": _KernelCompiler} if _KNOWN else {}

kernel = njit(**_LINKED, **_OPTIONS)

# For small functions of a Run on the way to each evaluation: handing a Run over means copying some forty words.
inlined = njit(inline="always", **_OPTIONS)

# Sums in a fixed but unspecified order: lets LLVM use vector registers for a reduction.
reduction = njit(fastmath={"reassoc", "contract", "nsz"}, **_LINKED, **_OPTIONS)

# The same for short loops: without a call on the way to each.
short_reduction = njit(fastmath={"reassoc", "contract", "nsz"}, forceinline=True, **_LINKED, **_OPTIONS)


def compile_unit(function, signature):
    """(name of the C function, object code) of a unit."""
    how: Any = {"pipeline_class": _UnitCompiler} if _KNOWN else {}
    compiled = cfunc(signature, error_model="numpy", nogil=True, **how)(function)
    return compiled.native_name, compiled._library._get_compiled_object()
