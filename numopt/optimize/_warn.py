"""Warnings that point to the caller's line."""

import os
import sys
import warnings

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_WRAPPER = os.path.join("sklearn", "base.py")  # scikit-learn's decorator of ``fit``


class OptimizeWarning(UserWarning):
    """An option that is not known, or an argument that has no effect or had to be changed."""


def _inside(filename):
    return filename.startswith(_PACKAGE) or filename.endswith(_WRAPPER)


def warn(message, category=OptimizeWarning):
    """A warning that points to the caller's line, outside of this package."""
    frame, level = sys._getframe(1), 2
    while frame is not None and _inside(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
