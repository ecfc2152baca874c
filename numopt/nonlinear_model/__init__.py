"""Nonlinear regression with scikit-learn's interface, over :func:`numopt.curve_fit`."""

from numopt.nonlinear_model._regressor import NonlinearRegressor

__all__ = ["NonlinearRegressor"]
