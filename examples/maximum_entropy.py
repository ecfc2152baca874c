"""The die whose mean is known: the distribution of the largest entropy is of the exponential family."""

import numpy as np

import numopt

faces = np.arange(1.0, 7.0)


def entropy(p):
    """Of the distribution p, and its gradient."""
    return -(p * np.log(p)).sum(), -np.log(p) - 1.0


def most_random(mean):
    """The distribution on the faces that has this mean, and is as random as it can be."""
    return numopt.maximize(
        entropy,
        np.full(6, 1 / 6),
        jac=True,
        bounds=[(1e-12, 1.0)] * 6,
        constraints={
            "sum": {"type": "eq", "fun": lambda p: p.sum() - 1.0, "jac": np.ones_like},
            "mean": {"type": "eq", "fun": lambda p: p @ faces - mean, "jac": lambda p: faces},
        },
    )


fair, loaded = most_random(3.5), most_random(4.5)
print(loaded.report())

# with the multiplier of the mean, lambda, p is proportional to exp(-lambda face): the sum's derivative says so
weight = np.exp(-loaded.multipliers["mean"] * faces)
print("p           ", loaded.x.round(5))
print("exp(-lambda)", (weight / weight.sum()).round(5))
assert np.allclose(fair.x, 1 / 6) and np.isclose(fair.fun, np.log(6))
assert np.allclose(loaded.x, weight / weight.sum(), atol=1e-6)
print("the multipliers are those of the exponential family")
