"""Formulas of the models' losses, one sample at a time: value, derivative and curvature in the linear predictor."""
