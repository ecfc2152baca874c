"""Penalties of the linear models: proximal steps and distances from optimality, as kernels."""
