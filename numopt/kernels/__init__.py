"""Arithmetic on caller-owned arrays, and what compiles it."""
