"""Multilayer perceptrons as functions of their weights: layers, losses, derivatives, first-order training."""
