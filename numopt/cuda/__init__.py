"""Batches on a CUDA device: the same solver sources, one problem a thread.  The only folder that imports numba.cuda."""

from numopt.cuda._device import available, name, resolve, why_not

__all__ = ["available", "memory_per_fit", "memory_per_problem", "name", "resolve", "why_not"]


def __getattr__(name):
    if name in ("memory_per_fit", "memory_per_problem"):
        from numopt.cuda import _memory

        return getattr(_memory, name)
    raise AttributeError(f"module 'numopt.cuda' has no attribute {name!r}")
