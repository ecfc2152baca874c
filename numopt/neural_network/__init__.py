"""Multilayer perceptrons behind the interface of scikit-learn."""

from numopt.neural_network._batch import MLPBatchResult
from numopt.neural_network._check import check_backpropagation
from numopt.neural_network._classifier import MLPClassifier
from numopt.neural_network._regressor import MLPRegressor
from numopt.neural_network._training_loss import training_loss

__all__ = ["MLPBatchResult", "MLPClassifier", "MLPRegressor", "check_backpropagation", "training_loss"]
