"""Multilayer perceptrons behind the interface of scikit-learn."""

from numopt.neural_network._check import check_backpropagation
from numopt.neural_network._classifier import MLPClassifier
from numopt.neural_network._regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "check_backpropagation"]
