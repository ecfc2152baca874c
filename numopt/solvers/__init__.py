"""The solvers: one algorithm a file."""
