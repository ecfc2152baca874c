"""The loop that all solvers share."""
