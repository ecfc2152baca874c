"""Batches on a CUDA device: the same solver sources, one problem a thread.  The only folder that imports numba.cuda."""

from numopt.cuda._device import available, name, resolve, why_not

__all__ = ["available", "memory_per_problem", "name", "resolve", "why_not"]


def __getattr__(name):
    if name == "memory_per_problem":
        from numopt.cuda._memory import memory_per_problem

        return memory_per_problem
    raise AttributeError(f"module 'numopt.cuda' has no attribute {name!r}")
