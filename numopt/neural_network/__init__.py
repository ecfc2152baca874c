"""Multilayer perceptrons behind the interface of scikit-learn."""

from numopt.neural_network._check import check_backpropagation

__all__ = ["check_backpropagation"]
