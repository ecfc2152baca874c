"""Multilayer perceptrons behind the interface of scikit-learn."""
