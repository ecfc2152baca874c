"""The one decorator of compiled functions.

Kernels allocate nothing and raise nothing: division follows IEEE arithmetic (``error_model="numpy"``), so
that compiled code holds no path that would raise.  A kernel stays callable from plain Python where Numba's
JIT is switched off, which is how the CUDA simulator runs it.
"""

from typing import Any

from numba import njit

_OPTIONS: Any = {"error_model": "numpy", "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

kernel = njit(**_OPTIONS)

# For small functions of a Run on the way to each evaluation: handing a Run over means copying some forty words.
inlined = njit(inline="always", **_OPTIONS)

# Sums in a fixed but unspecified order: lets LLVM use vector registers for a reduction.
reduction = njit(fastmath={"reassoc", "contract", "nsz"}, **_OPTIONS)

# The same for short loops: without a call on the way to each.
short_reduction = njit(fastmath={"reassoc", "contract", "nsz"}, forceinline=True, **_OPTIONS)
