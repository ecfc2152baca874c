"""Roots and minima of functions of one variable, one algorithm a file."""
