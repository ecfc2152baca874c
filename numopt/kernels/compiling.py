"""The one decorator of compiled functions.

Kernels allocate nothing and raise nothing: division follows IEEE arithmetic (``error_model="numpy"``), so
that compiled code holds no path that would raise.  A kernel stays callable from plain Python where Numba's
JIT is switched off, which is how the CUDA simulator runs it.

Kernels are only ever called by compiled code, into which they are linked.  Numba would optimise each one, with all
that it calls, and translate it to machine code, before the caller is treated in the same way: most of the time that
compiling takes.  Here a kernel is left as it comes, and optimised once, in what calls it from outside: a unit, or a
function of the user's.
"""

from typing import Any

from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _NoMachineCode:
    """In place of the code generator of a library that has no code: nothing holds an environment of Python's."""

    @staticmethod
    def set_env(name, env):
        pass


class _KernelLibrary(JITCodeLibrary):
    """The code of a kernel and of what it calls, for linking into others."""

    codegen = _NoMachineCode

    def finalize(self):
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def get_pointer_to_function(self, name):
        self._ensure_finalized()
        return 0


class _KernelCompiler(Compiler):
    """Numba's compiler, but for the library."""

    def compile_extra(self, func):
        self.state.library = _KernelLibrary(self.state.targetctx.codegen(), func.__qualname__)
        return super().compile_extra(func)


_OPTIONS: Any = {
    "error_model": "numpy",
    "nogil": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

kernel = njit(pipeline_class=_KernelCompiler, **_OPTIONS)

# For small functions of a Run on the way to each evaluation: handing a Run over means copying some forty words.
inlined = njit(inline="always", **_OPTIONS)

# Sums in a fixed but unspecified order: lets LLVM use vector registers for a reduction.
reduction = njit(fastmath={"reassoc", "contract", "nsz"}, pipeline_class=_KernelCompiler, **_OPTIONS)

# The same for the largest of numbers of which none is a NaN.
extremum = njit(fastmath={"nnan", "reassoc"}, pipeline_class=_KernelCompiler, **_OPTIONS)
