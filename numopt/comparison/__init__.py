"""Solvers against scipy's of the same name, on problems with known minima."""
