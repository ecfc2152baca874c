"""Problems with constraints from applications: entropy, a portfolio, regression.

Entropies are maximised by minimising ``sum p_i log p_i``; the smallest probability allowed is 1e-10, since the formula
has no value at 0.
"""

from numopt.problems._formula import log
from numopt.problems._rows import at_least, at_most, equal, named

TABLE, problem = named()


def _negative_entropy(p):
    return sum(pi * log(pi) for pi in p)


@problem(0.9, 0.1, lower=1e-10, upper=1)
def coin_entropy(*p):
    """The distribution of a coin with the greatest entropy: fair, log 2."""
    return _negative_entropy(p), [equal(sum(p), 1)]


@problem(0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, lower=1e-10, upper=1)
def flat_entropy(*p):
    """The distribution of eight states with the greatest entropy: flat, log 8."""
    return _negative_entropy(p), [equal(sum(p), 1)]


@problem(0.1, 0.1, 0.1, 0.1, 0.1, 0.5, lower=1e-10, upper=1)
def dice_entropy(*p):
    """The distribution of a die of mean 4.5 with the greatest entropy: p_i ~ exp(a i).  Jaynes's Brandeis dice."""
    return _negative_entropy(p), [equal(sum(p), 1), equal(sum((i + 1) * pi for i, pi in enumerate(p)), 4.5)]


@problem(*(1 / 11,) * 11, lower=1e-10, upper=1)
def moments_entropy(*p):
    """The distribution on -5, ..., 5 of mean 1, second moment 5, and the greatest entropy: p_i ~ exp(a i + b i^2)."""
    return _negative_entropy(p), [
        equal(sum(p), 1),
        equal(sum((i - 5) * pi for i, pi in enumerate(p)), 1),
        equal(sum((i - 5) ** 2 * pi for i, pi in enumerate(p)), 5),
    ]


@problem(0, 0)
def paraboloid_on_line(x, y):
    """The maximum of -(x - 2)^2 - (y - 1)^2 + 10 where x = y: 9.5 at 1.5, 1.5."""
    return (x - 2) ** 2 + (y - 1) ** 2 - 10, [equal(x - y)]


# invented, of the size of a year's figures of shares: expected return, sensitivity to the market, own risk
_RETURN = (0.09, 0.05, 0.12, 0.07, 0.10, 0.04, 0.08, 0.14, 0.06, 0.11)
_BETA = (1.0, 0.5, 1.4, 0.8, 1.1, 0.3, 0.9, 1.6, 0.6, 1.2)
_OWN = (0.15, 0.08, 0.25, 0.12, 0.18, 0.06, 0.14, 0.30, 0.10, 0.20)
_MARKET = 0.18


@problem(*(0.1,) * 10, lower=0, upper=0.3)
def portfolio(*w):
    """The portfolio of least risk among ten invented shares of a one-factor model: all is spent, 9 % are expected."""
    market = _MARKET * sum(b * wi for b, wi in zip(_BETA, w, strict=True))
    risk = market**2 + sum((s * wi) ** 2 for s, wi in zip(_OWN, w, strict=True))
    return risk, [equal(sum(w), 1), at_least(sum(r * wi for r, wi in zip(_RETURN, w, strict=True)), 0.09)]


@problem(*(0.1,) * 10, lower=0)
def portfolio_utility(*w):
    """The portfolio of the same shares with the greatest utility, expected return - 2 risk^2, of risk at most 0.15."""
    market = _MARKET * sum(b * wi for b, wi in zip(_BETA, w, strict=True))
    risk = market**2 + sum((s * wi) ** 2 for s, wi in zip(_OWN, w, strict=True))
    gain = sum(r * wi for r, wi in zip(_RETURN, w, strict=True))
    return 2 * risk - gain, [equal(sum(w), 1), at_most(risk, 0.15**2)]


def _squares(name, w):
    """|X w - y|^2 / 2N over the data of scikit-learn, standardised, with y centred."""
    from numopt.problems._data import load

    X, y = load(name)
    y = y - y.mean()
    G, b = X.T @ X / len(y), X.T @ y / len(y)
    f = sum(G[j, j] * w[j] ** 2 / 2 - b[j] * w[j] for j in range(len(w))) + y @ y / (2 * len(y))
    return f + sum(G[j, k] * (w[j] * w[k]) for k in range(len(w)) for j in range(k))


@problem(*(0,) * 10)
def nnls_diabetes_rows(*w):
    """Non-negative least squares on scikit-learn's diabetes data, each w_j >= 0 a constraint, not a bound."""
    return _squares("diabetes", w), [at_least(wj) for wj in w]


@problem(*(1,) * 10)
def ridge_ball_diabetes(*w):
    """Least squares on scikit-learn's diabetes data with sum w_j^2 <= 500: ridge regression in its constrained form."""
    return _squares("diabetes", w), [at_most(sum(wj**2 for wj in w), 500)]
