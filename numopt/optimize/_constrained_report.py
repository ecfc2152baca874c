"""Results of problems with constraints, in words."""

from numopt.result import OptimizeResult


class ConstrainedResult(OptimizeResult):
    """The result of a problem with constraints."""
